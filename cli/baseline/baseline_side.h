/* Between baseline.c and those who drive a device: what both sides of a comparison know of a
 * workload, and the calls that a device answers. Part of baseline.h.
 */
#ifndef FASTGPU_CLI_BASELINE_BASELINE_SIDE_H
#define FASTGPU_CLI_BASELINE_BASELINE_SIDE_H

#include "cli/baseline/baseline.h"
#include "cli/workload/workload_edges.h"

/* A buffer as the program has it in host memory. */
struct baseline_host {
    unsigned char *memory; /* of the data where no task writes it, else its own */
    bool is_used;          /* a task has it as an argument; else there is no memory */
    bool is_written;       /* by a task */
    bool is_constant;
    bool is_output;
};

/* One run: what it is told and what it tells. */
struct baseline_run {
    enum baseline_way way;
    const volatile sig_atomic_t *stop;
    uint64_t copied_bytes;
    uint64_t work_ns; /* CPU time for computing and copying, where the driver knows it */
    char *why;
    size_t why_bytes;
};

struct baseline_driver {
    /* Compiles and makes what all runs share. On failure close() follows. */
    fgpu_status (*open)(struct baseline *baseline, char *why, size_t why_bytes);
    /* Before the time is taken: memory of that way, and in it what the host has. */
    fgpu_status (*prepare)(struct baseline *baseline, struct baseline_run *run);
    fgpu_status (*run)(struct baseline *baseline, struct baseline_run *run);
    /* Also after an open() that failed; side may be NULL. */
    void (*close)(struct baseline *baseline);
};

struct baseline {
    const struct workload *workload;
    const struct workload_data *data;
    fgpu_device_info info;
    struct baseline_host *hosts; /* by buffer */
    fgpu_region *regions;        /* by argument: of buffers, with nothing left out */
    const struct baseline_driver *driver;
    void *side; /* the driver's */
};

extern const struct baseline_driver baseline_opencl, baseline_native;

/* Whether the buffer has memory that is not the data's, and is written by tasks. */
bool baseline_owns(const struct baseline *baseline, uint32_t buffer);

/* Whether such a buffer has content, which prepare() puts there: all of it in the host's memory, or
 * one buffer wherever it is. */
bool baseline_is_refilled(const struct baseline *baseline, uint32_t buffer);
void baseline_refill_all(const struct baseline *baseline);
void baseline_refill(const struct baseline *baseline, uint32_t buffer, void *memory);

/* Access that only the source tells counts as read and write. */
bool baseline_reads(const struct workload_arg *arg);
bool baseline_writes(const struct workload_arg *arg);

/* Whether by hand argument `index` of the task is copied to the device: a buffer that it reads,
 * no constant, and not the same region as an argument before it. */
bool baseline_copies_in(const struct baseline *baseline, const struct workload_task *task,
                        uint32_t index);
bool baseline_copies_out(const struct workload_arg *arg);

/* What messages call a task: its name, or that of its kernel. */
const char *baseline_task_name(const struct workload *workload, uint32_t task);

bool baseline_is_stopped(const struct baseline_run *run);

#endif
