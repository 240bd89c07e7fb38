/* Locality-aware work stealing: a task joins the queue of the worker next to most of its data, and
 * who has nothing takes from others what he would end earlier.
 *
 * R. Blumofe, C. Leiserson: Scheduling multithreaded computations by work stealing, JACM 46(5),
 * 1999; the choice of the queue as in U. Acar, G. Blelloch, R. Blumofe: The data locality of work
 * stealing, SPAA 2000. Needs no costs to place a task, only to judge a theft.
 */
#include "policy/policy.h"

static void steal_push(struct world *world, uint32_t task)
{
    struct world_place places[WORLD_PLACES];
    uint32_t count = world_places(world, task, places), best = PLAN_NONE;
    for (uint32_t i = 0; i < count; i++) {
        if (world->there_ns == NULL && !world_look(world, task, &places[i], INT64_MAX))
            continue;
        if (best == PLAN_NONE || places[i].moved_ns < places[best].moved_ns ||
            (places[i].moved_ns == places[best].moved_ns &&
             places[i].free_ns < places[best].free_ns))
            best = i;
    }
    if (best != PLAN_NONE)
        world_enqueue(world, places[best].worker, task);
}

static const struct world_policy steal_plan = {.name = "steal", .push = steal_push};

const struct policy policy_steal = {
    .name = "steal",
    .summary = "to the queue next to the data; idle queues take from others",
    .needs_costs = true,
    .choose = policy_choose_first,
    .plan = &steal_plan,
    .tuning = {.rank = WORLD_RANK_NONE, .look = 1, .steal = true},
};
