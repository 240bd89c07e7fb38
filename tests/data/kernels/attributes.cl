// Attributes in every place where compilers take them.
// expect: required a=READ_WRITE
// expect: hinted a=READ_WRITE:writes_only
// expect: late a=READ_WRITE:writes_only
// run: required 4 2 4 2
// run: late 8 1 8 1
#define X 4
#define Y (1 + 1)
struct __attribute__((packed)) tight { char c; int i; } __attribute__((aligned(4)));
typedef struct { float v __attribute__((aligned(16))); } wide __attribute__((aligned(32)));

__kernel __attribute__((vec_type_hint(float4))) __attribute__((reqd_work_group_size(X, Y, 1)))
    void required(__global int *a __attribute__((unused)))
{
    __attribute__((opencl_unroll_hint(4))) for (int i = 0; i < 4; i++) a[get_global_id(0)] += i;
}

__attribute__((work_group_size_hint(64, 1, 1))) kernel void hinted(global struct tight *a, wide w)
{
    a[get_global_id(0)].i = (int)w.v;
}

void kernel __attribute__((reqd_work_group_size(8, 1, 1))) late(global int *a);

void kernel late(global int *a)
{
    a[get_global_id(0)] = 1;
}
