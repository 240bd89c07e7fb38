/* A workload: buffers, kernels, tasks and outputs as a file describes them, checked and with every
 * repetition and name resolved. docs/workload.md is the language's reference.
 *
 * The description is shaped like the public interface: a buffer's size is that of
 * fgpu_buffer_create(), a parameter is one fgpu_kernel_set_arg(), an argument one fgpu_arg, a task
 * one fgpu_task_desc. Buffers, kernels, tasks and outputs are numbered from 0 in the order of the
 * file; `order` lists the tasks so that each stands behind those that it comes after.
 *
 * Reading runs nothing and opens no device. Thread: one at a time; blocks on the disk. Everything
 * that a workload points at is its own, and goes with workload_fini().
 */
#ifndef FASTGPU_CLI_WORKLOAD_WORKLOAD_H
#define FASTGPU_CLI_WORKLOAD_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fastgpu/fastgpu.h>

#include "cli/common/cli_limits.h"
#include "cli/common/element.h"
#include "cli/filters/filters.h"
#include "cli/common/json_in.h"
#include "cli/image/npy.h"

#define WORKLOAD_NAME_BYTES 64
#define WORKLOAD_DIMS 4

/* What is in a buffer before the first task. */
enum workload_content {
    WORKLOAD_EMPTY,  /* nothing that counts: tasks write it */
    WORKLOAD_IMAGE,  /* the samples of the picture file `path`, with `channels` = shape[2] */
    WORKLOAD_NPY,    /* the data of the file `path` */
    WORKLOAD_RAW,    /* the file `path` */
    WORKLOAD_FILL,   /* the pattern `values`, again and again */
    WORKLOAD_VALUES, /* `values`, one element after another */
    WORKLOAD_RANDOM  /* from `seed`: low <= x < high */
};

struct workload_buffer {
    char name[WORKLOAD_NAME_BYTES];
    enum element_type type;
    uint32_t dims;
    uint64_t shape[WORKLOAD_DIMS]; /* a picture: height, width, channels */
    uint64_t pitch;                /* elements from one index of the first axis to the next */
    uint64_t size_bytes;
    bool is_picture;
    uint32_t reduce; /* fgpu_reduction_op; 0: none */
    enum workload_content content;
    const char *path;
    const unsigned char *values;
    uint64_t values_bytes;
    uint64_t seed;
    double low, high;
};

/* One argument as a kernel declares it. */
struct workload_param {
    char name[WORKLOAD_NAME_BYTES];
    fgpu_arg_kind kind;
    fgpu_access access;     /* of a buffer; DEFAULT: what the source says */
    enum element_type type; /* of a scalar */
    uint32_t lanes;         /* of a scalar: elements of its vector, or 1 */
};

/* Which of its variants a kernel has in the pool. */
enum workload_variant { WORKLOAD_ALL_VARIANTS, WORKLOAD_NATIVE, WORKLOAD_OPENCL };

struct workload_kernel {
    char name[WORKLOAD_NAME_BYTES];
    enum workload_variant variant; /* not of the file: what a profile chose (tune_space.h) */
    const struct filter *filter;   /* a built-in one; NULL: of the file */
    fgpu_native_fn native;         /* beside the text; NULL: none */
    const char *path;              /* OpenCL C */
    const char *source;
    const char *entry;
    const char *options; /* NULL: none */
    uint32_t param_count;
    const struct workload_param *params;
};

/* One argument of a task: fgpu_arg with the number of the buffer. */
struct workload_arg {
    fgpu_arg_kind kind;
    fgpu_access access;
    uint32_t buffer;
    fgpu_region region;
    const void *value;
    uint64_t size_bytes;
    fgpu_cut cut; /* of a divisible task; else zeros */
};

struct workload_task {
    char name[WORKLOAD_NAME_BYTES]; /* "": it has none */
    const char *place;              /* "$.tasks[3]", and of a repetition "$.tasks[3], i = 2" */
    uint32_t kernel;
    uint32_t dims;
    uint64_t global[3];
    uint32_t local[3];
    int32_t priority;
    bool is_divisible;
    uint32_t arg_first, arg_count;     /* in `args` */
    uint32_t after_first, after_count; /* in `after` */
};

enum workload_format { WORKLOAD_TO_IMAGE, WORKLOAD_TO_NPY, WORKLOAD_TO_RAW };

struct workload_output {
    uint32_t buffer;
    enum workload_format format;
    const char *path; /* as written in the file */
};

/* What is wrong with a workload, one mistake an entry; texts are closed by a 0 and may be cut. */
struct workload_mistake {
    char path[JSON_PATH_BYTES]; /* of the value: $.tasks[3].args.src */
    char value[80];             /* as JSON, "" where there is none */
    char text[CLI_WHY_BYTES];   /* what is wrong, and what would be right */
};

struct workload {
    struct workload_buffer *buffers;
    struct workload_kernel *kernels;
    struct workload_task *tasks;
    struct workload_arg *args;
    uint32_t *after; /* numbers of tasks */
    uint32_t *order; /* task_count of them */
    struct workload_output *outputs;
    uint32_t buffer_count, kernel_count, task_count, arg_count, after_count, output_count;
    uint64_t buffer_bytes;              /* of all buffers */
    uint64_t value_count, source_bytes; /* of all of them together */
    struct workload_mistake *mistakes;  /* at most CLI_WORKLOAD_MISTAKES_LIMIT */
    uint32_t mistake_count;
    bool is_set_wrong; /* one of the mistakes is a NAME=VALUE that was given, not the file's */
    void *kept;        /* the memory that pointers above lead to */
};

/* The files that a workload names: read from the disk, or made up by a test. Paths are those of the
 * workload, put behind its folder. Each returns a status and, on failure, why. */
struct workload_files {
    fgpu_status (*image)(const char *path, uint32_t *width, uint32_t *height, uint32_t *channels,
                         char *why, size_t why_bytes);
    fgpu_status (*npy)(const char *path, struct npy_form *form, char *why, size_t why_bytes);
    fgpu_status (*size)(const char *path, uint64_t *size_bytes, char *why, size_t why_bytes);
    /* [out] text: from malloc(). */
    fgpu_status (*text)(const char *path, char **text, char *why, size_t why_bytes);
};

/* What is not in the file. */
struct workload_options {
    /* NAME=VALUE each: the constant NAME of the file has this value instead. A number is given as
     * an expression, a text as it is; a list has one value for each time that it is named. */
    const char *const *sets;
    uint32_t set_count;
    const struct workload_files *files; /* NULL: the disk */
};

/* The element of reductions of that type; 0: none. */
fgpu_element workload_reduce_element(enum element_type type);

/* Reads and checks a workload file. [in] options: NULL for none. [out] workload: always to be given
 * to workload_fini(); not usable unless FGPU_OK. Returns FGPU_OK; FGPU_E_INVAL with at least one
 * mistake listed; FGPU_E_IO, FGPU_E_LIMIT, FGPU_E_CANCELLED where the file itself cannot be read,
 * with a mistake that says so; FGPU_E_NOMEM, with none. */
fgpu_status workload_load(const char *path, const struct workload_options *options,
                          struct workload *workload);

/* The same from memory. [in] folder: what relative paths are put behind; "" for none. */
fgpu_status workload_parse(const char *text, size_t size_bytes, const char *folder,
                           const struct workload_options *options, struct workload *workload);

/* Frees everything and makes the workload empty; NULL is allowed. */
void workload_fini(struct workload *workload);

#endif
