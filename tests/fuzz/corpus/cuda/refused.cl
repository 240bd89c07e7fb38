#ifdef cl_khr_fp64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif
__kernel void k(image2d_t i, half h) { printf("%v4f", (float4)(1)); nothing(i); asm(""); }
__kernel void l(__global int *new, __local int *threadIdx) { *new = sizeof(int4) + *threadIdx; }
__kernel void m(__global int *a) { int b[2] = {[1] = 2}; a[0] = b ? : 3; }
