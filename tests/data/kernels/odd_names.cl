// Names that look like types, and types that look like names.
// expect: names define=READ mode=READ_WRITE:writes_only image=READ
// expect: shadows real=READ out=READ_WRITE:writes_only
// expect: types a=READ b=READ c=READ d=READ e=READ f=READ g=READ m=READ:unused
// expect: types h=READ_WRITE:writes_only
// expect: spelled a=READ_WRITE b=READ_WRITE
typedef float real, vec[4], *pointer;
typedef unsigned int index;
typedef const global index *index_list;
typedef struct node node;
struct node { int value; };
struct index { char c; };

kernel void names(global const int *define, global int *mode, index_list image,
    struct index include, int line)
{
    int cleanup = define[get_global_id(0)], pragma = line;
    mode[get_global_id(0)] = cleanup + pragma + image[0] + include.c;
}

kernel void shadows(global const real *real, global float *out, index index)
{
    int i = get_global_id(0) + index * 0;
    {
        typedef int index;
        index vec = (index)real[i];
        out[i] = (vec)*(vec);
    }
}

kernel void types(global unsigned char *a, global signed char *b, global unsigned short int *c,
                  global long unsigned *d, global unsigned *e, global const volatile int *f,
                  global node *g, global size_t *h, short i, long int j, unsigned long k, signed l,
                  uchar16 const global *m, char16 n, ushort3 o, double8 p)
{
    h[0] = a[0] + b[0] + c[0] + d[0] + e[0] + *f + g->value + i + j + k + l + n.s0 + o.x +
           (int)p.s7;
}

kernel void spelled(__global float a[], int __attribute__((aligned(4))) global *const restrict b)
{
    a[get_global_id(0)] += 1, ++b[get_global_id(0)];
}
