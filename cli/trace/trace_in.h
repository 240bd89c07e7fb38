/* Traces that are read: the JSON that fgpu_trace_write() writes, as tasks and slices of queues.
 *
 * The file is read in one pass that keeps what `fastgpu explain` asks for and checks all the rest
 * (RFC 8259, UTF-8): 60 MB take about a second. Lists of one task (what it waited for, the queues
 * that were looked at) stay text until they are asked for. Times are nanoseconds since the trace
 * begins. Main thread. Owns the text; names point into it, without control characters.
 */
#ifndef FASTGPU_CLI_TRACE_TRACE_IN_H
#define FASTGPU_CLI_TRACE_TRACE_IN_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/common/file.h"

#define TRACE_IN_UNKNOWN UINT64_MAX
#define TRACE_IN_NONE UINT32_MAX

/* A run or a copy on a queue. */
struct trace_in_slice {
    uint64_t task; /* number; TRACE_IN_UNKNOWN */
    uint64_t start_ns, end_ns;
    uint64_t bytes; /* of a copy; TRACE_IN_UNKNOWN */
    const char *name;
    uint32_t process, thread;
    bool is_copy;
};

struct trace_in_task {
    uint64_t number;
    const char *name;
    uint64_t submitted_ns, ready_ns, placed_ns, ended_ns; /* TRACE_IN_UNKNOWN */
    uint64_t predicted_ns;                                /* TRACE_IN_UNKNOWN */
    int64_t status;                                       /* fgpu_status */
    uint32_t run; /* the slice of its last run; TRACE_IN_NONE */
    uint32_t run_count;
    const char *placed;       /* "policy" ...; "" unknown */
    size_t after, candidates; /* where these lists stand in the text; 0: nowhere */
};

/* A kernel that was compiled. */
struct trace_in_build {
    uint64_t id;
    uint64_t start_ns, end_ns; /* end: TRACE_IN_UNKNOWN */
    const char *name;          /* "build " and the kernel's */
    uint32_t process;
};

struct trace_in_process {
    uint32_t process;
    uint32_t device; /* its index; TRACE_IN_NONE: it is no device */
    const char *name;
    const char *id; /* of the device, as users know it ("opencl:0"); "" unknown */
};

struct trace_in {
    struct file_bytes text;         /* closed by a 0 */
    struct trace_in_slice *slices;  /* as in the file */
    struct trace_in_task *tasks;    /* sorted by number */
    struct trace_in_process *names; /* of processes, which are devices */
    struct trace_in_build *builds;
    uint32_t slice_count, task_count, name_count, build_count;
    uint32_t slice_room, task_room, name_room, build_room;
    uint64_t overwritten; /* events that the ring had lost */
    bool is_ours, has_events;
};

/* A queue that was looked at. */
struct trace_in_candidate {
    uint32_t device, queue;
    uint64_t wait_ns, copy_ns, run_ns;
    bool is_known;
};

/* [out] trace: to be finished with trace_in_fini() in any case. FGPU_OK; FGPU_E_IO, FGPU_E_LIMIT,
 * FGPU_E_NOMEM; FGPU_E_INVAL with line and column, or where it is no trace of FastGPU's. */
fgpu_status trace_in_load(const char *path, struct trace_in *trace, char *why, size_t why_bytes);

/* The same from bytes. [take] text. */
fgpu_status trace_in_parse(struct file_bytes text, struct trace_in *trace, char *why,
                           size_t why_bytes);
void trace_in_fini(struct trace_in *trace);

/* NULL: there is none. */
const struct trace_in_task *trace_in_find(const struct trace_in *trace, uint64_t number);

/* The process of that number; one without names where the trace does not tell of it. */
const struct trace_in_process *trace_in_process(const struct trace_in *trace, uint32_t process);

/* What a user calls the device of this index; "" where the trace does not say. */
const char *trace_in_device_id(const struct trace_in *trace, uint32_t device);

/* The numbers of the tasks that a task waited for, each once, and the queues that were looked at,
 * the chosen one first. [give] *list: free() it; NULL where there are none. FGPU_E_NOMEM,
 * FGPU_E_INVAL (something else stands there). */
fgpu_status trace_in_after(const struct trace_in *trace, const struct trace_in_task *task,
                           uint64_t **list, uint32_t *count);
fgpu_status trace_in_candidates(const struct trace_in *trace, const struct trace_in_task *task,
                                struct trace_in_candidate **list, uint32_t *count);

#endif
