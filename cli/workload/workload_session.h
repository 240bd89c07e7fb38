/* A workload in a pool: its kernels and buffers, and runs of all its tasks.
 *
 * Kernels have their OpenCL text and, where they are built-in filters, the native function beside
 * it. Buffers with content are made over the host's memory, so that devices that share it use it in
 * place: those that no task writes over the workload's data itself, the others over a copy.
 *
 * Every run begins as if the host had just produced the inputs: what tasks write is copied there
 * again, and what other memory nodes have of the pictures and of what tasks write is out of date.
 * Only tables (content that no task writes and that is no picture) stay where they are, as they do
 * in what the pool is compared with (baseline.h).
 *
 * Thread: one at a time for a session. Blocks while work runs; looks at `stop` at least every 50 ms
 * and between tasks.
 */
#ifndef FASTGPU_CLI_WORKLOAD_WORKLOAD_SESSION_H
#define FASTGPU_CLI_WORKLOAD_WORKLOAD_SESSION_H

#include <signal.h>

#include "cli/workload/workload_data.h"

enum watch_phase {
    WATCH_COMPILING, /* counts kernels */
    WATCH_RUNNING,   /* counts tasks */
    WATCH_MEASURING, /* counts rounds of pool and baselines */
    WATCH_WRITING,   /* counts outputs */
    WATCH_SIMULATING, /* counts tasks */
    WATCH_REPLAYING   /* counts steps */
};

/* Progress is called now and then with how much is done; `user` is the caller's. */
struct watch {
    const volatile sig_atomic_t *stop; /* NULL: never */
    void (*progress)(void *user, enum watch_phase phase, uint32_t done_count,
                     uint32_t count); /* NULL: none */
    void *user;
};

struct workload_session {
    const struct workload *workload; /* NULL: empty */
    const struct workload_data *data;
    fgpu_pool pool; /* borrowed */
    fgpu_kernel *kernels;
    fgpu_buffer *buffers;
    unsigned char **copies; /* by buffer: the memory of content that tasks write; else NULL */
    bool *is_written;       /* by buffer: some task may write it */
    bool *is_broken;  /* by buffer: after the last run: a task that writes it did not end well */
    fgpu_task *tasks; /* of the last run, by number */
    fgpu_status *results; /* of the last run, by number */
    uint32_t submitted_count;
};

/* One run: how much of the work was done, and the first failure. */
struct workload_run {
    uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC; to when all outputs are in host memory */
    uint32_t done_count, failed_count, cancelled_count;
    bool is_interrupted;
    char error[CLI_WHY_BYTES]; /* first failure, "" without one */
};

/* Makes kernels and buffers. [borrow] workload, data, pool: until the session ends. On failure the
 * session is empty and the sentence begins with the place in the workload ("$.kernels.step: ...").
 * FGPU_E_INVAL, FGPU_E_NOTFOUND and FGPU_E_UNSUPPORTED are the workload's own mistakes. */
fgpu_status workload_session_init(struct workload_session *session, const struct workload *workload,
                                  const struct workload_data *data, fgpu_pool pool, char *why,
                                  size_t why_bytes);

/* Compiles the kernels for every device of the pool, which may take seconds each; without it the
 * first run does. FGPU_OK, FGPU_E_CANCELLED when `stop` was set (looked at between two kernels), or
 * the first failure. */
fgpu_status workload_session_build(struct workload_session *session, const struct watch *watch,
                                   char *why, size_t why_bytes);

/* Submits all tasks in their order and waits. On `stop` what has not started is cancelled. The
 * result is always filled; a failed task is no failure of the call. [in] watch: not NULL. */
void workload_session_run(struct workload_session *session, const struct watch *watch,
                          struct workload_run *run);

/* From the handles of the last run to the numbers of tasks. FGPU_OK or FGPU_E_NOMEM. [give] index.
 * workload_session_find() answers UINT32_MAX for a handle of another run. */
struct workload_session_index;
fgpu_status workload_session_index_make(const struct workload_session *session,
                                        struct workload_session_index **index);
uint32_t workload_session_find(const struct workload_session_index *index, fgpu_task task);
void workload_session_index_free(struct workload_session_index *index); /* NULL is allowed */

/* Whether everything that should have written the buffer did in the last run. */
bool workload_session_is_whole(const struct workload_session *session, uint32_t buffer);

/* The buffer's bytes in host memory, in its layout, until the unmap. */
fgpu_status workload_session_map(struct workload_session *session, uint32_t buffer,
                                 const unsigned char **memory, char *why, size_t why_bytes);
void workload_session_unmap(struct workload_session *session, uint32_t buffer,
                            const unsigned char *memory);

/* Destroys what the session made, and waits until nothing uses the data any more. NULL and empty
 * are allowed. */
void workload_session_fini(struct workload_session *session);

#endif
