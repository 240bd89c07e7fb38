/* Interactive requests beside a batch job on one device: what `fastgpu bench preempt` and
 * `fastgpu demo latency` run.
 *
 * The batch is a stream of launches of one kernel of many work groups; a request is a launch of a
 * few. Both advance a row of numbers, in place and exactly, and each work item of the batch counts
 * its runs; so urgent_check() can say of all launches together whether each group ran just once.
 * The batch has a barrier in front of its loop, as guarded kernels do (on PoCL that alone makes
 * loops faster), so that all ways to run it compute alike.
 *
 * A pool is used by one thread at a time, but for urgent_start(), whose threads submit and wait
 * until urgent_finish(). Failures leave their text in fgpu_last_error() or in the run's `why`.
 */
#ifndef FASTGPU_CLI_LATENCY_URGENT_H
#define FASTGPU_CLI_LATENCY_URGENT_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <fastgpu/fastgpu.h>

#include "cli/common/cli_limits.h"

#define URGENT_ITEMS 64u /* of a work group */
#define URGENT_SLOTS                                                                               \
    64u /* requests that may be under way at once, each with numbers of its own                    \
         */

extern const char urgent_source[];
extern const char urgent_batch_entry[];
extern const char urgent_request_entry[];

struct urgent_size {
    uint32_t groups, rounds; /* of a batch launch; steps of each of its work items */
    uint32_t request_groups, request_rounds;
};

struct urgent_pool {
    fgpu_pool pool;
    fgpu_device device; /* the pool's first one */
    fgpu_device_info info;
    uint32_t preempt; /* bits of fgpu_preempt that the device offers */
    fgpu_kernel batch, request;
    fgpu_buffer data, seen, slots[URGENT_SLOTS];
    struct urgent_size size;
    uint64_t launches, steps; /* of the batch until now, all rounds of a work item */
    uint64_t slot_steps[URGENT_SLOTS];
};

/* What runs for some time. */
struct urgent_load {
    bool has_batch, has_requests;
    uint64_t run_ns;
    double mean_ns; /* between two requests: exponential */
    uint64_t seed;  /* of that */
    uint32_t depth; /* batch launches in flight */
};

struct urgent_sample {
    uint64_t at_ns; /* of the submission, since the run began */
    uint64_t latency_ns;
};

/* The batch when one of its launches had just ended. */
struct urgent_mark {
    uint64_t launches, wall_ns, cpu_ns;
};

struct urgent_run {
    struct urgent_pool *pool; /* [borrow] */
    struct urgent_load load;
    const volatile sig_atomic_t *stop; /* [borrow] NULL: nobody stops it */
    uint64_t start_ns;
    struct urgent_sample *samples;  /* owned; the first `count` are whole, also while it runs */
    uint32_t count, capacity;       /* count: urgent_count() while it runs */
    struct urgent_mark first, last; /* after the first launch that ended; the last in time */
    fgpu_status status[2];
    char why[2][CLI_WHY_BYTES];
    pthread_t threads[2];
    bool is_started[2];
};

/* [in] device: a pattern; preempt: fgpu_pool_preempt; size: at least the groups. Nothing is kept
 * between runs. On failure there is nothing to close. */
fgpu_status urgent_open(struct urgent_pool *pool, const char *device, uint32_t preempt,
                        const struct urgent_size *size);
fgpu_status urgent_close(struct urgent_pool *pool);

/* Finds the rounds for groups of `group_ns` and `request_ns`: of CPU time where the device computes
 * on the host's processors, else of time over a launch, as if two groups ran at once. */
fgpu_status urgent_calibrate(struct urgent_pool *pool, uint64_t group_ns, uint64_t request_ns);

/* What urgent_mark.cpu_ns and the calibration take as work: CPU time of the process, or wall time
 * where the device does not compute on the host's processors. */
bool urgent_counts_cpu(const struct urgent_pool *pool);
uint64_t urgent_clock_ns(const struct urgent_pool *pool);

/* Begins, with a thread for the batch and one for the requests; ends by itself after run_ns or when
 * `stop` is set. What was started is to be finished. */
fgpu_status urgent_start(struct urgent_run *run);
uint32_t urgent_count(const struct urgent_run *run);
uint64_t urgent_launches(const struct urgent_run *run);

/* Waits for both. FGPU_E_CANCELLED: stopped. The samples stay until urgent_fini(). */
fgpu_status urgent_finish(struct urgent_run *run);
void urgent_fini(struct urgent_run *run);

/* Kernels that were stopped or held back for requests, since the pool was opened. */
uint64_t urgent_preemptions(const struct urgent_pool *pool);

/* Batch launches per second of work (urgent_clock_ns) and of time; 0: fewer than two ended. */
double urgent_rate(const struct urgent_run *run);
double urgent_speed(const struct urgent_run *run);

/* Has everything that ran until now computed what it must, each group once for each launch? When
 * nothing runs. FGPU_E_TASK with a sentence in `why` where not. */
fgpu_status urgent_check(struct urgent_pool *pool, char *why, size_t why_bytes);

/* The same of numbers that somebody else ran: each of `count` began as `first` + its place.
 * [out] place: of the first one that is wrong. Pure. */
bool urgent_is_right(const uint32_t *numbers, uint64_t count, uint32_t first, uint64_t steps,
                     uint64_t *place);

/* The next pause between two requests. */
double urgent_pause_ns(uint64_t *random, double mean_ns);

/* Room for the samples of a run, generously; 0 requests: 1. */
uint32_t urgent_room(const struct urgent_load *load);

#endif
