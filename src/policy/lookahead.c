/* Lookahead: cheap places while there is time, early ones when there is not.
 *
 * From the window's end every task has a latest time by which it should have ended for a makespan
 * to be met. A task that would meet it in several classes of workers takes the one that is cheapest
 * at the prices of the area bound (what a nanosecond of a class is worth, were everything kept
 * busy); so slow workers get what suits them while it does not delay anybody. Else it goes where it
 * ends first. Copies are weighed beyond their time, for links are shared. Prices as dual values: E.
 * Agullo et al., IPDPS 2016; deadlines from the end: the latest start times of critical path
 * scheduling (J. Kelley, Operations Research 9(3), 1961).
 */
#include "policy/policy.h"

/* Prices that are this near count as equal: alike devices share the work. */
#define LOOKAHEAD_NEAR 8 /* 1/8 */

struct lookahead_places {
    struct world_place at[WORLD_PLACES];
    int64_t price[WORLD_PLACES];
    uint32_t count;
};

/* The one of `left` (bits) that ends first, with the copies' weight, and not after `latest_ns`. */
static uint32_t lookahead_first(struct world *world, uint32_t task, struct lookahead_places *places,
                                uint64_t left, int64_t latest_ns)
{
    uint32_t best = PLAN_NONE;
    int64_t best_ns = INT64_MAX;
    for (;;) {
        uint32_t next = PLAN_NONE;
        int64_t least_ns = best_ns;
        for (uint64_t of = left; of != 0; of &= of - 1) {
            uint32_t i = (uint32_t)__builtin_ctzll(of);
            if (places->at[i].least_ns < least_ns) {
                least_ns = places->at[i].least_ns;
                next = i;
            }
        }
        if (next == PLAN_NONE)
            return best;
        left &= ~(UINT64_C(1) << next);
        places->at[next].latest_ns = latest_ns;
        if (world_look(world, task, &places->at[next], best_ns)) {
            best = next;
            best_ns = places->at[next].end_ns;
        }
    }
}

/* The cheapest that ends early enough, of those that are about as cheap the one that ends first. */
static uint32_t lookahead_cheap(struct world *world, uint32_t task, struct lookahead_places *places,
                                int64_t latest_ns)
{
    uint32_t best = PLAN_NONE;
    uint64_t left = 0;
    for (uint32_t i = 0; i < places->count; i++)
        if (places->at[i].soonest_ns <= latest_ns)
            left |= UINT64_C(1) << i;
    while (left != 0 && best == PLAN_NONE) {
        int64_t least = INT64_MAX;
        for (uint64_t of = left; of != 0; of &= of - 1) {
            int64_t price = places->price[__builtin_ctzll(of)];
            least = price < least ? price : least;
        }
        uint64_t near = 0;
        for (uint64_t of = left; of != 0; of &= of - 1)
            if (places->price[__builtin_ctzll(of)] <= least + least / LOOKAHEAD_NEAR)
                near |= of & -of;
        left &= ~near;
        best = lookahead_first(world, task, places, near, latest_ns);
    }
    return best;
}

static void lookahead_push(struct world *world, uint32_t task)
{
    const struct world_tuning *tuning = &world->tuning;
    struct lookahead_places places;
    uint32_t best = PLAN_NONE;
    places.count = world_places(world, task, places.at);
    for (uint32_t i = 0; i < places.count; i++) {
        const struct world_place *place = &places.at[i];
        places.price[i] = place->cost_ns / 256 * world->price[place->class_index];
    }
    if (tuning->target_ns > 0)
        best = lookahead_cheap(world, task, &places,
                               tuning->target_ns - world->tail_ns[task] / 256 * tuning->slack);
    if (best == PLAN_NONE)
        best = lookahead_first(world, task, &places,
                               places.count < 64 ? (UINT64_C(1) << places.count) - 1 : UINT64_MAX,
                               INT64_MAX);
    if (best != PLAN_NONE)
        world_enqueue(world, places.at[best].worker, task);
}

static const struct world_policy lookahead_plan = {.name = "lookahead", .push = lookahead_push};

const struct policy policy_lookahead = {
    .name = "lookahead",
    .summary = "cheapest place that is early enough for what follows",
    .needs_costs = true,
    .choose = policy_choose_first,
    .plan = &lookahead_plan,
    .tuning = {.rank = WORLD_RANK_RATE,
               .move = 1024,
               .move_own = 256,
               .slack = 384,
               .look = 16,
               .ahead = 2},
};
