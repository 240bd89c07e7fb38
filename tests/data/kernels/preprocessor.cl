// Conditions, joined names, strings, and macros with any number of arguments.
// options: -DVARIANT=2 -DUSE_FAST -DWIDTH=4
// expect: chosen a=READ b=READ_WRITE:writes_only
// expect: joined_4 a=READ b=READ_WRITE:writes_only
// expect: variadic a=READ_WRITE
// expect: nested a=READ b=READ_WRITE
// class: chosen free
#if defined(USE_FAST) && VARIANT == 2
#define STORE(p, i, v) ((p)[i] = (v))
#elif VARIANT > 2
#error "not this one"
#else
#define STORE(p, i, v) a[i] = (v)
#endif

#if 0
kernel void never(global int *a) { it's not even C }
#endif

#ifndef __OPENCL_VERSION__
#define __kernel
#define __global
#endif
#if __OPENCL_C_VERSION__ >= 110 && !defined(NOTHING)
#define ATTR
#endif

ATTR __kernel void chosen(__global const int *a, __global int *b)
{
    STORE(b, get_global_id(0), a[get_global_id(0)]);
}

#define PASTE(a, b) a##b
#define XPASTE(a, b) PASTE(a, b)
#define VEC XPASTE(float, WIDTH)
#define VLOAD XPASTE(vload, WIDTH)
#define VSTORE XPASTE(vstore, WIDTH)
kernel void XPASTE(joined_, WIDTH)(global const float *a, global float *b)
{
    VEC v = VLOAD(get_global_id(0), a);
    VSTORE(v * 2.0f, get_global_id(0), b);
}

#define FIRST(x, ...) x
#define SUM_(a, b, c, ...) ((a) + (b) + (c))
#define SUM(...) SUM_(__VA_ARGS__, 0, 0, 0)
#define DISCARD(...)
kernel void variadic(global int *a)
{
    DISCARD(a[0] = 1, b, c)
    a[FIRST(get_global_id(0), 9, 9)] += SUM(1, 2) + SUM(3, 4, 5) + SUM(6);
}

#define f(x) x + g
#define g(x) f(x)
#define SELF SELF2
#define SELF2 SELF
kernel void nested(global const int *a, global int *b)
{
    int g = 1, SELF = 2;
    b[get_global_id(0)] += f(1) + f(a[0]) + SELF;
#undef f
#ifdef f
    a_is_not_here = 1;
#endif
}
