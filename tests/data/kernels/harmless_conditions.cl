// Conditions on the device that change nothing which matters.
// expect: careful a=READ b=READ_WRITE:writes_only
// class: careful free
#ifdef cl_khr_fp64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#elif defined(cl_amd_fp64)
#pragma OPENCL EXTENSION cl_amd_fp64 : enable
#endif
#ifndef __OPENCL_VERSION__
#error "only for devices"
#endif
#if __OPENCL_VERSION__ < 110
#error "too old"
#endif
#ifdef __STRANGE_CPU__
#define STEPS 4
#else
#define STEPS 2
#endif
#ifndef M_PI_F
#define M_PI_F 3.14159265f
#endif
#ifndef _MY_GUARD_H_
#define _MY_GUARD_H_

kernel void careful(global const float *a, global float *b)
{
    float sum = 0;
    for (int i = 0; i < STEPS; i++)
        sum += a[get_global_id(0) + i] * M_PI_F;
    b[get_global_id(0)] = sum;
}
#endif
