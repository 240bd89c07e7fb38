// Pointers handed down through functions, also before those are defined.
// expect: deep in=READ out=READ_WRITE:writes_only
// expect: by_result a=READ_WRITE:writes_only b=READ
// expect: both_ways a=READ_WRITE b=READ c=READ_WRITE
// expect: swapped a=READ_WRITE b=READ_WRITE
// expect: not_const a=READ b=READ_WRITE:writes_only
// class: deep free
// class: both_ways free
float leaf(__global const float *p, int i);
static void put(__global float *p, int i, float v);

static float middle(__global const float *q, int i)
{
    return leaf(q + 1, i) + leaf(q, i);
}

__kernel void deep(__global const float *in, __global float *out)
{
    put(out, get_global_id(0), middle(in, get_global_id(0)));
}

float leaf(__global const float *p, int i)
{
    return p[i];
}

static void put(__global float *p, int i, float v)
{
    p[i] = v;
}

__global int *element(__global int *base, int i)
{
    return base + i;
}

kernel void by_result(global int *a, global int *b)
{
    *element(a, get_global_id(0)) = *element(b, get_global_id(0));
}

void transfer(global int *to, global int *from, int i)
{
    to[i] += from[i];
}

kernel void both_ways(global int *a, global int *b, global int *c)
{
    transfer(a, b, get_global_id(0));
    transfer(c, b, get_global_id(0));
}

void exchange(global int *x, global int *y, int i)
{
    int t = x[i];
    x[i] = y[i];
    y[i] = t;
}

kernel void swapped(global int *a, global int *b)
{
    exchange(a, b, get_global_id(0));
}

int reads_only(global int *p)
{
    return *p ? p[1] : 0;
}

kernel void not_const(global int *a, global int *b)
{
    b[get_global_id(0)] = reads_only(a);
}
