#if defined(cl_khr_fp64) || defined(cl_amd_fp64)
#ifdef cl_khr_fp64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif
kernel void f(global double *a) { a[0] = 1.0; }
#else
#error no
#endif
