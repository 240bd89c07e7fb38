/* Kernels of the device conformance tests, each as a native function, as OpenCL C text
 * and as CUDA C text. The
 * tests compute what they expect by themselves.
 */
#ifndef FASTGPU_TESTS_LIB_DEVICE_KERNELS_H
#define FASTGPU_TESTS_LIB_DEVICE_KERNELS_H

#include "lib/device_rig.h"

enum kernel_id {
    KERNEL_AFFINE, /* (in, out, uint factor, uint add): out[i] = in[i] * factor + add, 1-D */
    KERNEL_STAMP,  /* (data, uint stamp): data[i] = data[i] * 31 + stamp, 1-D */
    KERNEL_PLACE,  /* (out, uint width, uint height): out[x,y,z] = x + 1000 y + 1000000 z, 3-D */
    KERNEL_TURN,   /* (in, out, local): each group of 8 backwards, through local memory, 1-D */
    KERNEL_COUNT
};

/* Builds it in the variant that the device takes; native first where it takes both. */
fgpu_code kernel_build(struct rig *rig, enum kernel_id id);

fgpu_cmd_arg kernel_buffer(fgpu_mem mem, uint64_t offset_bytes, uint64_t size_bytes);
fgpu_cmd_arg kernel_scalar(const void *value, uint64_t size_bytes);
fgpu_cmd_arg kernel_local(uint64_t size_bytes);

/* A 1-D launch. [borrow] args. */
fgpu_cmd_launch kernel_launch(fgpu_code code, const fgpu_cmd_arg *args, uint32_t arg_count,
                              uint64_t global, uint32_t local);

#endif
