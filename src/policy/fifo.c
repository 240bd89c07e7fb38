/* First in, first out: each task, in the order in which it became ready, goes to the lane with the
 * fewest tasks.
 *
 * Needs no model. The yardstick that others have to beat, and the cheapest on one device.
 */
#include "policy/policy.h"

static uint32_t fifo_choose(const struct policy_lane *lanes, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++)
        if (lanes[i].load < lanes[best].load)
            best = i;
    return best;
}

static uint64_t fifo_load(const struct world *world, uint32_t worker)
{
    const struct world_worker *of = &world->workers[worker];
    return of->queue.count + (of->running != PLAN_NONE);
}

static void fifo_push(struct world *world, uint32_t task)
{
    uint32_t best = PLAN_NONE, workers = (uint32_t)world->window->workers.count;
    if (world->many) { /* too many to count */
        struct world_place places[WORLD_PLACES];
        uint32_t count = world_places(world, task, places);
        for (uint32_t i = 0; i < count; i++)
            if (best == PLAN_NONE || fifo_load(world, places[i].worker) < fifo_load(world, best))
                best = places[i].worker;
    }
    for (uint32_t w = 0; !world->many && w < workers; w++)
        if ((best == PLAN_NONE || fifo_load(world, w) < fifo_load(world, best)) &&
            world_runs(world, task, w))
            best = w;
    if (best != PLAN_NONE)
        world_enqueue(world, best, task);
}

static const struct world_policy fifo_model = {.name = "fifo", .push = fifo_push};

const struct policy policy_fifo = {
    .name = "fifo",
    .summary = "first ready, first served, on the least loaded queue",
    .needs_costs = false,
    .choose = fifo_choose,
    .model = &fifo_model,
    .tuning = {.rank = WORLD_RANK_NONE, .look = 8},
};
