/* Tasks with terms on equal devices in virtual time: what `bench fair`, `deadline` and `preempt`
 * share. The policy is the pool's own (fastgpu/sim.h). Runs on the main thread.
 */
#ifndef FASTGPU_CLI_BENCH_BENCH_VIRTUAL_H
#define FASTGPU_CLI_BENCH_BENCH_VIRTUAL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <fastgpu/pool.h>
#include <fastgpu/sim.h>

#define VIRTUAL_NONE UINT32_MAX
#define VIRTUAL_TENANTS 16u

struct virtual_task {
    uint64_t work_ns, release_ns;
    uint64_t deadline_ns; /* from the release on; 0: none */
    uint32_t task_class;  /* fgpu_task_class */
    uint32_t late;        /* fgpu_late */
    uint32_t tenant;      /* 0 .. tenants - 1 */
    uint32_t after;       /* a task that was added before; VIRTUAL_NONE */
    uint32_t groups;      /* work groups between which it may make way; 0: none */
};

struct virtual_plan {
    struct virtual_task *tasks; /* owned */
    uint32_t count, capacity;
    uint32_t weights[VIRTUAL_TENANTS];
    uint32_t tenants;
    uint32_t devices;
    uint64_t seed;
    uint32_t units, preempt;           /* groups at once, fgpu_pool_preempt; 0: tasks run whole */
    uint64_t launch_ns;                /* of each launch */
    uint64_t until_ns;                 /* see virtual_span.done; 0: the end */
    double noise;                      /* of the run times, relative; 0: none */
    const volatile sig_atomic_t *stop; /* [borrow] */
};

/* When a task ran: it may have made way in between. */
struct virtual_span {
    uint64_t start_ns, end_ns;
    double done; /* how much of it until plan.until_ns */
    bool ran;
};

/* Its number; VIRTUAL_NONE without memory. */
uint32_t virtual_add(struct virtual_plan *plan, const struct virtual_task *task);
void virtual_fini(struct virtual_plan *plan);

/* [out] spans: [count], by task. Errors with a text. */
fgpu_status virtual_run(const struct virtual_plan *plan, struct virtual_span *spans,
                        fgpu_sim_result *result);

/* The next of a series of numbers (S. Vigna's splitmix64); one in 0 .. 1. */
uint64_t virtual_random(uint64_t *state);
double virtual_unit(uint64_t *state);

#endif
