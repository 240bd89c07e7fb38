/* What a scheduling policy is. One policy a file, pure: no clock, no I/O; ties go to the lower
 * index, so that equal inputs give equal decisions.
 *
 * A policy decides in one or both of two ways. `choose` places one task when a queue wants it: the
 * place step fills one policy_lane for every queue that may run the task, in index order, and the
 * policy says which. `plan` runs in a simulated world of the pending tasks (plan/world.h); the
 * engine then follows what happened there. A policy without `plan` decides task by task; what no
 * plan covers is placed by `choose`. `auto` has all of them among its candidates.
 */
#ifndef FASTGPU_POLICY_POLICY_H
#define FASTGPU_POLICY_POLICY_H

#include <stdbool.h>
#include <stdint.h>
#include "plan/world.h"

#define POLICY_NONE UINT32_MAX
#define POLICY_TRIES 64u /* simulations of one window that `auto` makes at most */

struct policy_lane {
    uint32_t lane;
    uint32_t load;        /* tasks placed there and not finished */
    uint64_t ready_ns;    /* predicted time until everything placed there has finished */
    uint64_t transfer_ns; /* predicted time to bring the task's data */
    uint64_t exec_ns; /* predicted run time; when not known a guess that is the same for all unknown
                         lanes */
    uint64_t core_ns; /* run time x cores, where other lanes compute with the same cores; else 0 */
    uint32_t known;   /* exec_ns comes from measurements: not 0 */
};

/* Predicted time until the task has ended there, and what it takes from others meanwhile. */
static inline uint64_t policy_lane_cost_ns(const struct policy_lane *lane)
{
    /* The data may travel while the lane still works on what it has. */
    uint64_t start_ns = lane->ready_ns > lane->transfer_ns ? lane->ready_ns : lane->transfer_ns;
    /* Cores that others would use are worth as much as the time that the task gains with them. */
    return start_ns + lane->exec_ns + lane->core_ns;
}

struct policy {
    const char *name;
    const char *summary; /* one line for help texts */
    bool needs_costs;    /* fill ready_ns, transfer_ns and exec_ns (costs some 50 ns a lane) */
    bool searches;       /* `auto`: policy_search() plans */
    /* Place in `lanes` of the choice; count > 0. */
    uint32_t (*choose)(const struct policy_lane *lanes, uint32_t count);
    const struct world_policy *plan;  /* NULL: decides task by task only, and then */
    const struct world_policy *model; /* does this in a simulated world, for `auto` */
    struct world_tuning tuning;       /* of the plan, or the model */
};

extern const struct policy policy_auto;
extern const struct policy policy_eft;
extern const struct policy policy_fifo;
extern const struct policy policy_heteroprio;
extern const struct policy policy_lookahead;
extern const struct policy policy_steal;

/* NULL when there is no policy of that name. */
const struct policy *policy_find(const char *name);

/* The names, comma separated, for error texts. */
const char *policy_names(void);

/* The place in the list, from 0; NULL behind the last. */
const struct policy *policy_at(uint32_t index);

/* The placing rule of eft, for policies whose fallback it is. */
uint32_t policy_choose_first(const struct policy_lane *lanes, uint32_t count);

/* What `auto` tried and took. */
struct policy_found {
    const struct policy *policy;
    struct world_tuning tuning;
    int64_t makespan_ns;
    int64_t bound_ns;    /* lower bound of it */
    int64_t expected_ns; /* [in] what the plan that is followed should have left; 0: unknown */
    uint32_t tries;
    bool kept; /* the plan that is being followed goes on as it is; policy and tuning are its own */
};

/* The plan that is being followed (world->given_*), in a simulated world. */
extern const struct world_policy policy_follow;

/* Simulates candidates on the world's window; the world holds the runs of the best then. [in]
 * tries: simulations, at most POLICY_TRIES. [in] known: where to begin, from an earlier window;
 * NULL. [in] bound_ns: a lower bound of the makespan; 0: world->bound_ns.
 * [in] price_ns: what one simulated task costs; all of them together cost no more than a fiftieth
 * of the makespan; 0: as many as `tries` says. INT64_MAX in makespan_ns when no candidate ends. */
struct policy_found policy_search(struct world *world, uint32_t tries,
                                  const struct policy_found *known, int64_t bound_ns,
                                  int64_t price_ns);

#endif
