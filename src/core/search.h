/* The search for a plan: a snapshot of the pending tasks, and what policies make of it.
 *
 * Taken and read under the engine's lock; run in between by any one thread without it: nothing of
 * the engine is touched then, so that tasks may start and end and objects may go meanwhile.
 */
#ifndef FASTGPU_CORE_SEARCH_H
#define FASTGPU_CORE_SEARCH_H

#include "base/atomic.h"
#include "core/window.h"
#include "policy/policy.h"

#define SEARCH_TASK_NS 500u /* what one task simulated once counts as, where nothing is known */
#define SEARCH_SHARE 50u    /* all simulations cost a fiftieth of the governed time */

struct search {
    struct window window;
    struct vec generations; /* uint32_t: of each of the window's tasks */
    struct world world;
    bool has_world;
    struct vec given_rank;   /* int64_t: of each of the window's tasks in the plan in force */
    struct vec given_tail;   /* int64_t: longest way from its end, with what that says */
    struct vec given_worker; /* uint32_t: where that has it, PLAN_NONE: nowhere */
    const struct policy *policy;
    uint64_t begun_ns;         /* the engine's time of the snapshot */
    uint32_t most;             /* simulations at most */
    uint32_t given;            /* tasks that have a place in it */
    uint64_t task_ns;          /* what one task simulated once counts as */
    uint64_t cost_ns;          /* what all of it has */
    uint32_t losses;           /* devices that were lost then */
    bool always;               /* even where it does not pay */
    struct policy_found known; /* where to begin */
    struct policy_found found; /* what came of it; INT64_MAX in makespan_ns: nothing */
    _Atomic uint32_t stop;     /* set by anybody: nobody wants it any more */
};

void search_init(struct search *search, const struct engine *engine);
void search_fini(struct search *search);

/* The snapshot. [in] limit: tasks; of more nothing is planned. False without memory, or with more.
 * Under the lock. */
bool search_take(struct search *search, struct engine *engine, uint32_t limit);

/* Simulates. Thread: any, one at a time. */
void search_run(struct search *search);

/* The worlds are not needed any more. */
void search_drop(struct search *search);

/* Has a device been lost since the snapshot? Under the lock. */
bool search_is_stale(const struct search *search, const struct engine *engine);

#endif
