/* A plan: launches of filters as plain data, for tests that run them without a pool
 * (plan_native.h, raw_opencl.h).
 *
 * Buffers, kernels, tasks and outputs are numbered from 0 in the order of being added, and tasks
 * are meant in that order. A plan owns its tables; the memory that a buffer's content points at,
 * and the texts of kernels, belong to whoever made the plan and outlive it. Thread: one at a time.
 */
#ifndef FASTGPU_LIB_PLAN_H
#define FASTGPU_LIB_PLAN_H

#include "cli/filters.h"

#define PLAN_NAME_BYTES 64

struct plan_buffer {
    char name[PLAN_NAME_BYTES];
    uint64_t size_bytes;
    const void *content; /* size_bytes bytes that the host gives; NULL: tasks make the content */
    bool is_constant; /* a table (weights): copied in once, not with each task, when work is done by
                         hand */
};

struct plan_task {
    uint32_t kernel;
    uint32_t
        output; /* the output that it works for, to tell which ones are whole; PLAN_NONE: none */
    struct filter_launch launch;
    char name[PLAN_NAME_BYTES];
};

#define PLAN_NONE UINT32_MAX

/* A picture of 8-bit samples that the plan leaves in a buffer. */
struct plan_output {
    char name[PLAN_NAME_BYTES]; /* "china-grey" */
    uint32_t buffer;
    uint32_t width, height, channels;
    uint32_t pitch_bytes;
};

struct plan {
    struct filter_kernel *kernels;
    struct plan_buffer *buffers;
    struct plan_task *tasks;
    struct plan_output *outputs;
    uint32_t kernel_count, buffer_count, task_count, output_count;
};

/* Each adds a copy of the record and gives its number. FGPU_E_NOMEM leaves the plan as it was. */
fgpu_status plan_add_kernel(struct plan *plan, const struct filter_kernel *kernel,
                            uint32_t *number);
fgpu_status plan_add_buffer(struct plan *plan, const struct plan_buffer *buffer, uint32_t *number);
fgpu_status plan_add_task(struct plan *plan, const struct plan_task *task, uint32_t *number);
fgpu_status plan_add_output(struct plan *plan, const struct plan_output *output, uint32_t *number);

/* Number of the kernel with that name, or PLAN_NONE. */
uint32_t plan_find_kernel(const struct plan *plan, const char *name);

/* Frees the tables and makes the plan empty; NULL is allowed. */
void plan_fini(struct plan *plan);

#endif
