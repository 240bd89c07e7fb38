/* Runs a plan: through a pool (everything at once, the pool decides), or by hand (one task after
 * another: copy in, launch, copy out, wait), which is what the pool is measured against.
 *
 * A session holds what a plan needs in one pool. Thread: one at a time for a session. Blocks while
 * work runs; looks at `stop` at least every 50 ms and between tasks.
 */
#ifndef FASTGPU_CLI_PLAN_RUN_H
#define FASTGPU_CLI_PLAN_RUN_H

#include <signal.h>

#include "plan.h"

struct plan_session {
    const struct plan *plan;
    fgpu_pool pool; /* borrowed */
    fgpu_buffer *buffers;
    fgpu_kernel *kernels;
    fgpu_task *tasks;        /* of the last run through the pool */
    fgpu_status *results;    /* of the last run, by task */
    unsigned char **mirrors; /* by hand: host memory for every buffer; else NULL */
};

/* How much of the work was done, and the first failure. */
struct plan_result {
    uint64_t wall_ns;
    uint64_t copied_bytes; /* by hand: in and out */
    uint32_t done_count;
    uint32_t failed_count;
    uint32_t cancelled_count;
    bool interrupted;
    char error[512]; /* first failure, "" without one */
};

enum plan_phase { PLAN_COMPILING /* counts kernels */, PLAN_RUNNING /* counts tasks */ };

/* Progress is called now and then with how much is done; `user` is the caller's. */
struct plan_watch {
    const volatile sig_atomic_t *stop; /* NULL: never */
    void (*progress)(void *user, enum plan_phase phase, uint32_t done_count,
                     uint32_t count); /* NULL: none */
    void *user;
};

/* Makes buffers and kernels of the plan in `pool`. [borrow] plan, pool: until the session ends.
 * [in] by_hand: for plan_run_by_hand(), else for plan_run_pooled(). On failure the session is
 * empty. */
fgpu_status plan_session_init(struct plan_session *session, const struct plan *plan, fgpu_pool pool,
                              bool by_hand, char *why, size_t why_bytes);

/* Compiles the kernels for every device of the pool, which may take seconds each; without it the
 * first run does. Returns FGPU_OK, FGPU_E_CANCELLED when `stop` was set (looked at between two
 * kernels), or the first failure. */
fgpu_status plan_session_build(struct plan_session *session, const struct plan_watch *watch,
                               char *why, size_t why_bytes);

/* Destroys what the session made, and waits until nothing uses the plan's memory any more. */
void plan_session_fini(struct plan_session *session);

/* Submits all tasks and waits; the time includes taking the inputs from the host and having the
 * outputs there. On `stop` what has not started is cancelled. The result is always filled; a failed
 * task is no failure of the call. */
void plan_run_pooled(struct plan_session *session, const struct plan_watch *watch,
                     struct plan_result *result);

/* One task after another. */
void plan_run_by_hand(struct plan_session *session, const struct plan_watch *watch,
                      struct plan_result *result);

/* Whether every task of the output was done in the last run. */
bool plan_output_is_whole(const struct plan_session *session, uint32_t output);

/* Copies the output's samples, rows packed, to `pixels`. */
fgpu_status plan_read_output(struct plan_session *session, uint32_t output, unsigned char *pixels,
                             char *why, size_t why_bytes);

#endif
