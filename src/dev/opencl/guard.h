/* Launches of some work groups, and of those that a guard lets run (fgpu_cmd_slice).
 *
 * Steps launch and complete of a task's walk, beside command.h. A guard is a flag in a cache line
 * of its own and a map with a byte for each group, both in memory that host and device see: the
 * host's, or a buffer that stays mapped. A group marks its byte when it begins, and what has begun
 * ends with its launch; so between launches the map says what has run. code/preempt.h says what
 * kernels do. Threads: open and close as mem_*; stop and left from any.
 */
#ifndef FASTGPU_OPENCL_GUARD_H
#define FASTGPU_OPENCL_GUARD_H

#include "dev/opencl/code.h"

struct ocl_guard {
    uint64_t groups;
    _Atomic uint32_t *flag;
    uint8_t *done;
    cl_mem flag_id, done_id; /* own memory only: what is mapped */
};

fgpu_status ocl_guard_open(void *device, uint64_t groups, fgpu_guard *guard);
/* The same without asking ocl_live_flag(). */
fgpu_status ocl_guard_make(struct ocl_device *device, uint64_t groups, fgpu_guard *guard);
void ocl_guard_close(void *device, fgpu_guard guard);
void ocl_guard_stop(void *device, fgpu_guard guard, uint32_t stop);
uint64_t ocl_guard_left(void *device, fgpu_guard guard, uint64_t first, uint64_t count);

/* A launch as OpenCL wants it. */
struct ocl_shape {
    size_t global[3];
    size_t local[3];
    cl_uint grid[4]; /* slices: first group, groups of the grid in x, y, z */
};

/* Checks a slice against its code and its guard, and shapes it. CL_INVALID_VALUE,
 * CL_INVALID_WORK_GROUP_SIZE (under a guard, where the driver would run it wrong). */
cl_int ocl_guard_shape(const fgpu_cmd_slice *slice, const struct ocl_code *code,
                       struct ocl_shape *shape);

/* Sets the arguments behind the kernel's own. [in] guard: NULL for none. */
cl_int ocl_guard_args(struct ocl_device *device, const struct ocl_code *code, struct ocl_args *args,
                      const struct ocl_shape *shape, const struct ocl_guard *guard);

fgpu_status ocl_guard_warm(void *device, const fgpu_cmd_launch *launch);

/* Does the device see what the host stores while a kernel runs? live.c */
fgpu_status ocl_live_flag(void *device, uint32_t *live);

static inline struct ocl_guard *ocl_guard_of(fgpu_guard guard)
{
    return (struct ocl_guard *)(uintptr_t)guard;
}

#endif
