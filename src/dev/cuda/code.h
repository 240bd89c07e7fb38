/* Kernels for one device: CUDA C, or OpenCL C made into it (translate.h), compiled by NVRTC,
 * or taken from the cache on disk.
 *
 * An fgpu_code is the address of a struct cuda_code. What a kernel's parameters are: a buffer is a
 * pointer; a scalar is itself; a local argument is an `unsigned`, the offset of its bytes in the
 * kernel's dynamic shared memory (extern __shared__), a multiple of 16. Built on a build thread.
 */
#ifndef FASTGPU_CUDA_CODE_H
#define FASTGPU_CUDA_CODE_H

#include "base/limits.h"
#include "dev/cuda/device.h"

struct cuda_code {
    struct cuda_device *device;
    cuda_module module;
    cuda_function function;
    uint32_t hidden;    /* parameters behind them (code/cuda.h): OpenCL C; 0 for CUDA C */
    uint32_t form;      /* fgpu_code_form */
    uint32_t arg_count; /* those that launches give */
    uint32_t required_local[3];
    uint32_t max_items;                     /* of a work group */
    uint32_t max_dynamic;                   /* bytes of shared memory a launch may ask for */
    uint32_t arg_bytes[LIMITS_KERNEL_ARGS]; /* 0: the driver does not tell */
    struct cuda_code *next_retired;         /* the device's list */
};

/* FGPU_E_BUILD with a log; FGPU_E_UNSUPPORTED for other variants, other forms, or without NVRTC;
 * FGPU_E_NOMEM, FGPU_E_DEVICE..., each with a text. */
fgpu_status cuda_code_build(void *device, const fgpu_code_source *source, fgpu_code_built *built);
/* Unloads later, by cuda_code_sweep(): it may wait for all that runs on the card. */
void cuda_code_free(void *device, fgpu_code code);

/* Unloads what was freed; with `force` also while something runs. */
void cuda_code_sweep(struct cuda_device *device, bool force);

static inline struct cuda_code *cuda_code_of(fgpu_code code)
{
    return (struct cuda_code *)(uintptr_t)code;
}

#endif
