#if defined(A) && A > 1 || !defined B
#elif 0x10u >> 2 == (1 ? 4 : 5)
kernel void a(global int *p) { }
#else
#ifdef __GPU__
#define N 4
#else
#define N 5
#endif
#endif
#ifndef X_H
#define X_H
kernel void b(global int *p) { p[N] = 1; }
#endif
#if __OPENCL_VERSION__ >= 120
#endif
#pragma OPENCL EXTENSION x : enable
#line 7
