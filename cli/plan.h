/* A plan: work for the pool as plain data. What makes it (the demo's table of steps; later a file)
 * runs nothing, what runs it (plan_run.h) decides nothing.
 *
 * Buffers, kernels, tasks and outputs are numbered from 0 in the order of being added, and tasks
 * are meant in that order. A plan owns its tables; the memory that a buffer's content points at,
 * and the texts of kernels, belong to whoever made the plan and outlive it. Thread: one at a time.
 */
#ifndef FASTGPU_CLI_PLAN_H
#define FASTGPU_CLI_PLAN_H

#include <stdbool.h>

#include <fastgpu/fastgpu.h>

#define PLAN_NAME_BYTES 64
#define PLAN_PARAM_LIMIT 8
#define PLAN_SCALAR_BYTES 16

/* One argument as a kernel declares it. */
struct plan_param {
    fgpu_arg_kind kind;
    fgpu_access access;  /* buffers */
    uint32_t size_bytes; /* scalars */
};

/* A kernel with its variants. */
struct plan_kernel {
    char name[PLAN_NAME_BYTES]; /* also the entry of the OpenCL text */
    const char *text;           /* OpenCL C; NULL: none */
    fgpu_native_fn native;      /* NULL: none */
    uint32_t param_count;
    struct plan_param params[PLAN_PARAM_LIMIT];
};

struct plan_buffer {
    char name[PLAN_NAME_BYTES];
    uint64_t size_bytes;
    const void *content; /* size_bytes bytes that the host gives; NULL: tasks make the content */
    bool is_constant; /* a table (weights): copied in once, not with each task, when work is done by
                         hand */
};

/* One argument of a task: a region of a buffer, or a value. */
struct plan_arg {
    uint32_t buffer;    /* buffers */
    fgpu_region region; /* buffers */
    unsigned char value[PLAN_SCALAR_BYTES];
};

struct plan_task {
    uint32_t kernel;
    uint32_t
        output; /* the output that it works for, to tell which ones are whole; PLAN_NONE: none */
    uint64_t global[2];
    uint32_t local[2];
    struct plan_arg args[PLAN_PARAM_LIMIT];
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
    struct plan_kernel *kernels;
    struct plan_buffer *buffers;
    struct plan_task *tasks;
    struct plan_output *outputs;
    uint32_t kernel_count, buffer_count, task_count, output_count;
};

/* Each adds a copy of the record and gives its number. FGPU_E_NOMEM leaves the plan as it was. */
fgpu_status plan_add_kernel(struct plan *plan, const struct plan_kernel *kernel, uint32_t *number);
fgpu_status plan_add_buffer(struct plan *plan, const struct plan_buffer *buffer, uint32_t *number);
fgpu_status plan_add_task(struct plan *plan, const struct plan_task *task, uint32_t *number);
fgpu_status plan_add_output(struct plan *plan, const struct plan_output *output, uint32_t *number);

/* Number of the kernel with that name, or PLAN_NONE. */
uint32_t plan_find_kernel(const struct plan *plan, const char *name);

/* Frees the tables and makes the plan empty; NULL is allowed. */
void plan_fini(struct plan *plan);

#endif
