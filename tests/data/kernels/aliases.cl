// Pointers that are one thing or another.
// expect: choose a=READ_WRITE:writes_only b=READ_WRITE:writes_only c=READ flag=READ
// expect: rotate_three a=READ_WRITE:writes_only b=READ_WRITE:writes_only
// expect: rotate_three c=READ_WRITE:writes_only n=READ
// expect: read_both a=READ b=READ out=READ_WRITE:writes_only
// expect: array_of_pointers a=READ_WRITE:escapes b=READ_WRITE:escapes c=READ
// expect: in_struct a=READ_WRITE:escapes b=READ
// expect: pointer_to_pointer a=READ_WRITE b=READ_WRITE:escapes
// expect: difference a=READ_WRITE:writes_only b=READ_WRITE:writes_only
// norun: difference
kernel void choose(global int *a, global int *b, global const int *c, global const int *flag)
{
    global int *p = flag[0] ? a : b;
    p[get_global_id(0)] = c[get_global_id(0)];
}

kernel void rotate_three(global int *a, global int *b, global int *c, global int *n)
{
    global int *x = a, *y = b, *z = c, *t;
    for (int i = 0; i < min(n[0], 4); i++) {
        t = x;
        x = y;
        y = z;
        z = t;
    }
    x[get_global_id(0)] = 1;
}

kernel void read_both(global int *a, global int *b, global int *out, int which)
{
    global int *p;
    if (which)
        p = a;
    else
        p = b;
    out[get_global_id(0)] = *(p + get_global_id(0));
}

kernel void array_of_pointers(global int *a, global int *b, global const int *c)
{
    global int *all[2] = {a, b};
    all[get_global_id(0) & 1][get_global_id(0)] = c[0];
}

struct pair { global int *first; int count; };

kernel void in_struct(global int *a, global int *b)
{
    struct pair p;
    p.first = a;
    p.count = b[0];
    p.first[get_global_id(0)] = p.count;
}

kernel void pointer_to_pointer(global int *a, global int *b)
{
    global int *p = a;
    global int **pp = &p;
    *pp = b;
    p[get_global_id(0)] = 3;
}

kernel void difference(global int *a, global int *b)
{
    a[(b - a) + get_global_id(0)] = 4;
}
