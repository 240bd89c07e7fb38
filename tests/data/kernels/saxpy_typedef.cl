// A type that the build options choose.
// options: -DREAL=float -D BLOCK=4
// expect: saxpy x=READ y=READ_WRITE
// expect: dot_partial x=READ y=READ out=READ_WRITE:writes_only
// class: saxpy rewrite GLOBAL_SIZE
// class: dot_partial rewrite BARRIER LOCAL_MEMORY GROUP_ID
#ifndef REAL
#define REAL double
#endif
typedef REAL real;
typedef __global const real *input;
typedef __global real *output;

__kernel void saxpy(const uint n, const real alpha, input x, output y)
{
    for (uint i = get_global_id(0); i < n; i += get_global_size(0))
        y[i] = alpha * x[i] + y[i];
}

__kernel void dot_partial(uint n, input x, input y, output out, __local real *scratch)
{
    const uint l = get_local_id(0);
    real sum = 0;
    for (uint i = get_global_id(0) * BLOCK; i < (get_global_id(0) + 1) * BLOCK && i < n; i++)
        sum += x[i] * y[i];
    scratch[l] = sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l == 0) {
        for (uint k = 1; k < get_local_size(0); k++)
            sum += scratch[k];
        out[get_group_id(0)] = sum;
    }
}
