// Element-wise sums: the smallest kernels there are.
// expect: vector_add a=READ b=READ c=READ_WRITE:writes_only
// expect: add_in_place a=READ_WRITE b=READ
// expect: unused_one a=READ:unused b=READ_WRITE:writes_only
// class: vector_add free
// class: unused_one free
__kernel void vector_add(__global const float *a, __global const float *b, __global float *c,
                         const int n)
{
    int i = get_global_id(0);
    if (i < n)
        c[i] = a[i] + b[i];
}

kernel void add_in_place(global float *restrict a, const global float *restrict b, uint n)
{
    for (uint i = get_global_id(0); i < n; i += 64)
        a[i] += b[i];
}

kernel void unused_one(global int *a, global int *b)
{
    b[get_global_id(0)] = 7;
}
