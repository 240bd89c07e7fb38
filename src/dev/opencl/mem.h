/* Memory of an OpenCL device.
 *
 * On a device that works in host memory an fgpu_mem is an address and nothing more. Elsewhere it is
 * a struct ocl_mem: one cl_mem for each allocation, and views of it (sub-buffers) for kernel
 * arguments that begin inside, made once for each (offset, size) and kept. Every buffer and view
 * has a serial number that is never used again, so that "the same argument as in the last launch"
 * can be told although OpenCL reuses handles. Thread: alloc and free as backend.h says; views from
 * any submitting thread.
 */
#ifndef FASTGPU_OPENCL_MEM_H
#define FASTGPU_OPENCL_MEM_H

#include "base/limits.h"
#include "base/vec.h"
#include "dev/opencl/device.h"

struct ocl_view {
    cl_mem id;
    uint64_t serial;
    uint64_t offset_bytes;
    uint64_t size_bytes;
    uint64_t launch; /* that used it last */
};

struct ocl_mem {
    struct ocl_view whole;
    struct lock lock; /* the views */
    struct vec views; /* struct ocl_view, at most LIMITS_OPENCL_VIEWS */
};

/* FGPU_E_DEVMEM past the budget or where the device refuses, FGPU_E_INVAL for 0 bytes. */
fgpu_status ocl_mem_alloc(void *device, uint64_t bytes, fgpu_mem *mem);
void ocl_mem_free(void *device, fgpu_mem mem);

/* What stands for a buffer argument. Own memory only. `launch` is a number that each launch of the
 * device takes anew: views of the newest launches are never given up, so that all arguments of a
 * launch stay until it is enqueued. */
cl_int ocl_mem_view(struct ocl_device *device, const fgpu_cmd_arg *arg, uint64_t launch,
                    struct ocl_view *view);

static inline struct ocl_mem *ocl_mem_of(fgpu_mem mem)
{
    return (struct ocl_mem *)(uintptr_t)mem;
}

#endif
