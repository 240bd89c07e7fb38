/* An OpenCL device without the pool: what baseline_opencl.c (programs, running) and
 * baseline_opencl_memory.c (buffers, copies) share. Part of baseline.h.
 */
#ifndef FASTGPU_CLI_BASELINE_BASELINE_OPENCL_H
#define FASTGPU_CLI_BASELINE_BASELINE_OPENCL_H

#include "cli/baseline/baseline_side.h"
#include "cli/common/opencl_library.h"

#define CL_SIDE_WHOLE UINT32_MAX

/* A part of a buffer that an argument points to: OpenCL takes no offset but in a sub-buffer. */
struct cl_view {
    uint32_t buffer;
    uint64_t offset_bytes, size_bytes;
};

/* Buffers of one way to run. */
struct cl_memory {
    bool is_made;
    cl_mem *whole; /* by buffer; NULL: not used */
    cl_mem *views; /* by view */
    void **mapped; /* by buffer: where it is mapped, or NULL */
    bool is_zero_copy;
};

struct cl_side {
    struct opencl_library cl;
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    bool has_host_memory;  /* the device works in the host's memory */
    uint64_t align_bytes;  /* where a view may begin */
    cl_program *programs;  /* by kernel; those with the same text share one */
    cl_kernel *kernels;    /* by kernel */
    uint32_t (*locals)[3]; /* by kernel: the group that its source demands; 0: none */
    struct cl_view *views; /* sorted, none twice */
    uint32_t view_count;
    uint32_t *view_of;          /* by argument: which, or CL_SIDE_WHOLE */
    struct cl_memory memory[2]; /* by baseline_way */
};

/* The sentence for an OpenCL error; FGPU_E_NOMEM, FGPU_E_DEVMEM or FGPU_E_DEVICE. */
fgpu_status cl_side_fail(const struct cl_side *side, cl_int error, const char *what, char *why,
                         size_t why_bytes);

/* Lists the views that the arguments want. */
fgpu_status cl_memory_list_views(struct baseline *baseline);

/* Makes the buffers of the run's way unless they are there, and fills them as they are before a
 * run. */
fgpu_status cl_memory_prepare(struct baseline *baseline, struct baseline_run *run);

/* The memory object of buffer argument `index` (of the workload). */
cl_mem cl_memory_of(const struct baseline *baseline, const struct baseline_run *run,
                    uint32_t index);

/* Copies around a launch where a view begins at no multiple of align_bytes and so has memory of its
 * own: into it before, out of it behind. */
cl_int cl_memory_stage(const struct baseline *baseline, const struct baseline_run *run,
                       const struct workload_task *task, bool is_before);

/* Puts copies of what argument `index` (of the workload) points to into the queue: to the device,
 * or from there. */
cl_int cl_memory_copy(const struct baseline *baseline, struct baseline_run *run, uint32_t index,
                      bool is_in);

/* Puts into the queue: all inputs to the device; all outputs to the host. Nothing in the queue
 * where both share memory, but maps. */
cl_int cl_memory_begin(const struct baseline *baseline, struct baseline_run *run);
cl_int cl_memory_end(const struct baseline *baseline, struct baseline_run *run);

void cl_memory_close(struct baseline *baseline);

#endif
