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
    uint32_t best = PLAN_NONE;
    int64_t least_ns = INT64_MAX, fewest = INT64_MAX;
    for (uint32_t w = 0; w < world->window->workers.count; w++) {
        int64_t moved_ns;
        if (!world_runs(world, task, w))
            continue;
        int64_t load =
            (int64_t)world->workers[w].queue.count + (world->workers[w].running != PLAN_NONE);
        (void)world_arrival_ns(world, task, plan_worker_at(world->window, w)->node, &moved_ns);
        if (moved_ns < least_ns || (moved_ns == least_ns && load < fewest)) {
            least_ns = moved_ns;
            fewest = load;
            best = w;
        }
    }
    if (best != PLAN_NONE)
        world_enqueue(world, best, task);
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
