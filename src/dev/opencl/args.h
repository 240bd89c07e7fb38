/* Kernel objects and their arguments, one object for each (code, queue).
 *
 * A cl_kernel holds the arguments of its next launch and must not be used by two threads, so each
 * queue has its own, made at its first launch. What was set last is remembered, and an argument
 * that has not changed is not set again. Thread: the queue's.
 */
#ifndef FASTGPU_OPENCL_ARGS_H
#define FASTGPU_OPENCL_ARGS_H

#include "dev/opencl/device.h"

#define OCL_ARGS_WORDS 2u /* scalars of up to 16 bytes are remembered */

/* An argument as it was set last: kind 0 says unknown. */
struct ocl_args_known {
    uint32_t kind;
    uint32_t size_bytes; /* buffers: 0 */
    uint64_t value[OCL_ARGS_WORDS];
};

struct ocl_args {
    cl_kernel kernel;
    uint32_t count;
    struct ocl_args_known known[]; /* count */
};

/* NULL with the error in *error. */
struct ocl_args *ocl_args_create(const struct ocl_api *api, cl_program program, const char *entry,
                                 uint32_t arg_count, cl_int *error);
void ocl_args_destroy(const struct ocl_api *api, struct ocl_args *args);

/* Makes the kernel's arguments those of the launch. */
cl_int ocl_args_set(struct ocl_device *device, struct ocl_args *args,
                    const fgpu_cmd_launch *launch);

#endif
