/* Kernels compiled for one device.
 *
 * Built on a build thread from OpenCL C, or from the cache on disk (dev/host/binaries.h); an
 * fgpu_code is the address of a struct ocl_code. Owns the program and one argument set per queue; a
 * queue's thread makes and uses its own only. Freed when nothing in flight uses it.
 */
#ifndef FASTGPU_OPENCL_CODE_H
#define FASTGPU_OPENCL_CODE_H

#include "dev/opencl/args.h"

/* Place of the argument set that compiling ahead uses (guard.h). */
#define OCL_CODE_WARM OCL_DEVICE_QUEUES

struct ocl_code {
    struct ocl_device *device;
    cl_program program;
    char *entry;
    uint32_t form;      /* fgpu_code_form */
    uint32_t arg_count; /* those that launches give; slices have more behind them */
    uint32_t required_local[3];
    struct ocl_args *args[OCL_DEVICE_QUEUES + 1];
};

/* FGPU_E_BUILD with a log, FGPU_E_UNSUPPORTED for other variants, FGPU_E_NOMEM, FGPU_E_DEVICE...,
 * each with a text. */
fgpu_status ocl_code_build(void *device, const fgpu_code_source *source, fgpu_code_built *built);
void ocl_code_free(void *device, fgpu_code code);

/* The argument set of a queue; NULL with the error in *error. */
struct ocl_args *ocl_code_args(struct ocl_code *code, uint32_t queue_index, cl_int *error);

static inline struct ocl_code *ocl_code_of(fgpu_code code)
{
    return (struct ocl_code *)(uintptr_t)code;
}

#endif
