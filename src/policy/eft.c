/* Earliest finish time: each task goes where its predicted finish, transfers included, is earliest.
 *
 * The processor choice of HEFT (H. Topcuoglu, S. Hariri, M.-Y. Wu, IEEE TPDS 13(3), 2002) made as
 * tasks become ready, as in StarPU's dmda. A lane where the task's run time is not known gets one
 * task at a time until it is: exploration is bounded and never waits behind itself.
 */
#include "policy/policy.h"

uint32_t policy_choose_first(const struct policy_lane *lanes, uint32_t count)
{
    uint32_t best = 0;
    uint64_t least_ns = UINT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t cost_ns = policy_lane_cost_ns(&lanes[i]);
        if (cost_ns < least_ns || (cost_ns == least_ns && lanes[i].load < lanes[best].load)) {
            least_ns = cost_ns;
            best = i;
        }
    }
    return best;
}

/* The same with what the world knows: copies that wait for their links. */
static void eft_push(struct world *world, uint32_t task)
{
    struct world_place places[WORLD_PLACES];
    uint32_t count = world_places(world, task, places), best = PLAN_NONE;
    int64_t best_ns = INT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        if (!world_look(world, task, &places[i], best_ns))
            continue;
        best_ns = places[i].end_ns;
        best = places[i].worker;
    }
    if (best != PLAN_NONE)
        world_enqueue(world, best, task);
}

static const struct world_policy eft_model = {.name = "eft", .push = eft_push};

/* Would it end there in time for all that follows, where the plan has that? */
static bool follow_holds(struct world *world, uint32_t task, uint32_t worker)
{
    const struct plan_worker *facts = plan_worker_at(world->window, worker);
    int64_t load_ns = world->workers[worker].load_ns;
    struct world_place place = {.worker = worker,
                                .class_index = facts->class_index,
                                .node = facts->node,
                                .cost_ns = world_cost_ns(world, task, facts->class_index),
                                .free_ns = load_ns > world->now_ns ? load_ns : world->now_ns,
                                .latest_ns = INT64_MAX};
    return world_look(world, task, &place, world->tuning.target_ns - world->given_tail_ns[task]);
}

/* Each task where the plan has it; others, and those that would be late for the target, where they
 * end first. */
static void follow_push(struct world *world, uint32_t task)
{
    uint32_t worker = world->given_worker[task];
    if (worker != PLAN_NONE && world_runs(world, task, worker) &&
        (world->tuning.target_ns == 0 || follow_holds(world, task, worker)))
        world_enqueue(world, worker, task);
    else
        eft_push(world, task);
}

const struct world_policy policy_follow = {.name = "follow", .push = follow_push};

const struct policy policy_eft = {
    .name = "eft",
    .summary = "earliest predicted finish, transfers included (HEFT, dmda)",
    .needs_costs = true,
    .choose = policy_choose_first,
    .model = &eft_model,
    .tuning = {.rank = WORLD_RANK_NONE, .look = 8},
};
