/* A plan: launches of filters as plain data, for tests that run them without a pool
 * (plan_native.h, raw_opencl.h).
 *
 * Buffers, kernels and tasks are numbered from 0 in the order of being added, and tasks
 * are meant in that order. A plan owns its tables; the memory that a buffer's content points at,
 * and the texts of kernels, belong to whoever made the plan and outlive it. Thread: one at a time.
 */
#ifndef FASTGPU_LIB_PLAN_H
#define FASTGPU_LIB_PLAN_H

#include "cli/filters/filters.h"

#define PLAN_NAME_BYTES 64

struct plan_buffer {
    char name[PLAN_NAME_BYTES];
    uint64_t size_bytes;
    const void *content; /* size_bytes bytes that the host gives; NULL: tasks make the content */
};

struct plan_task {
    uint32_t kernel;
    struct filter_launch launch;
    char name[PLAN_NAME_BYTES];
};

struct plan {
    struct filter_kernel *kernels;
    struct plan_buffer *buffers;
    struct plan_task *tasks;
    uint32_t kernel_count, buffer_count, task_count;
};

/* Each adds a copy of the record and gives its number. FGPU_E_NOMEM leaves the plan as it was. */
fgpu_status plan_add_kernel(struct plan *plan, const struct filter_kernel *kernel,
                            uint32_t *number);
fgpu_status plan_add_buffer(struct plan *plan, const struct plan_buffer *buffer, uint32_t *number);
fgpu_status plan_add_task(struct plan *plan, const struct plan_task *task, uint32_t *number);

/* Frees the tables and makes the plan empty; NULL is allowed. */
void plan_fini(struct plan *plan);

#endif
