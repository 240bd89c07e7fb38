/* A worker: one thread, its in-order queue, and its readiness to help others.
 *
 * The end of launching and the begin of completing on the walk of a task: commands come in through
 * a ring, their results go out through their bodies and the ring's read index, which is the number
 * of the newest finished command. The thread that submits (one at a time) is the ring's producer,
 * the worker its consumer. Workers of one device form a crew, in which idle ones help with large
 * launches (cpu_share). An idle worker spins at most CPU_WORKER_SPIN_NS and then sleeps.
 *
 * Why no wake-up is lost: the submitter publishes (ring or stop), fences, then reads `sleeping`;
 * the worker sets `sleeping`, fences, then looks at what is published. The two fences are totally
 * ordered (C17 7.17.3): if the submitter's comes first the worker sees the work and does not
 * sleep; else the submitter sees the flag, clears it and wakes. The same holds for shares, whose
 * opening is published by the crew's epoch.
 * A worker that naps needs no waking: it sleeps for a limited time and looks again.
 */
#ifndef FASTGPU_DEV_CPU_CPU_WORKER_H
#define FASTGPU_DEV_CPU_CPU_WORKER_H

#include <pthread.h>
#include "base/spsc.h"
#include "dev/cpu/cpu_share.h"

#define CPU_WORKER_SPIN_NS 20000u
_Static_assert(CPU_WORKER_SPIN_NS <= LIMITS_SPIN_NS, "nobody spins longer");

enum cpu_worker_sleep {
    CPU_WORKER_AWAKE,
    CPU_WORKER_SLEEPS, /* until it is woken */
    CPU_WORKER_NAPS    /* wakes up soon by itself; what is lazy lets it */
};

struct cpu_worker {
    struct cpu_crew *crew; /* [borrow] */
    uint32_t index;
    int cpu;      /* the thread is bound to this processor; -1: to none */
    bool running; /* the queue is open: the thread exists */
    pthread_t thread;
    struct spsc ring; /* of fgpu_cmd */
    /* The worker's own. */
    struct native_scratch scratch;
    bool skipping;       /* a command failed and no fence came since */
    bool bell_owed;      /* something finished since the doorbell was rung */
    uint32_t seen_epoch; /* shares opened up to here have been looked at */
    uint32_t unwatched;  /* very short launches since one was timed */
    uint64_t spin_ns;    /* how long to spin next time: see cpu_worker_idle */
    struct cpu_share share;
    bool lazy; /* the last command was FGPU_CMD_LAZY */
    /* Between worker and wakers. */
    _Alignas(LIMITS_CACHE_LINE) _Atomic uint32_t sleeping; /* enum cpu_worker_sleep */
    _Atomic uint32_t stop;
};

struct cpu_crew {
    struct cpu_worker *workers;
    uint32_t worker_count;
    const fgpu_doorbell *bell;                          /* [borrow] */
    _Alignas(LIMITS_CACHE_LINE) _Atomic uint32_t epoch; /* shares opened so far */
};

/* All workers stopped. FGPU_E_NOMEM. [borrow] bell. */
fgpu_status cpu_crew_init(struct cpu_crew *crew, uint32_t worker_count, const fgpu_doorbell *bell);
void cpu_crew_fini(struct cpu_crew *crew);

/* Starts the thread of one worker; queue commands at most are in flight. FGPU_E_BUSY when it runs
 * already, FGPU_E_NOMEM, FGPU_E_SYSTEM. */
fgpu_status cpu_worker_start(struct cpu_worker *worker, uint32_t queue_commands);

/* Waits until everything submitted has finished, then ends the thread. */
void cpu_worker_stop(struct cpu_worker *worker);

/* Takes a prefix of cmds; the number of the last accepted so far goes to *last. */
uint32_t cpu_worker_submit(struct cpu_worker *worker, const fgpu_cmd *cmds, uint32_t count,
                           uint64_t *last);

/* Number of the newest finished command. */
static inline uint64_t cpu_worker_finished(const struct cpu_worker *worker)
{
    return atomic_load_acquire_u64(&worker->ring.head);
}

#endif
