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

/* What a choice is worth: in time first, then by what it costs. */
struct lookahead_choice {
    uint32_t worker;
    bool in_time;
    int64_t end_ns; /* with the copies' weight */
    int64_t price;
};

/* Prices that are this near count as equal: alike devices share the work. */
#define LOOKAHEAD_NEAR 8 /* 1/8 */

static bool lookahead_better(const struct lookahead_choice *a, const struct lookahead_choice *b)
{
    if (a->in_time != b->in_time)
        return a->in_time;
    if (a->in_time && a->price < b->price - b->price / LOOKAHEAD_NEAR)
        return true;
    if (a->in_time && b->price < a->price - a->price / LOOKAHEAD_NEAR)
        return false;
    return a->end_ns < b->end_ns;
}

static void lookahead_push(struct world *world, uint32_t task)
{
    const struct world_tuning *tuning = &world->tuning;
    struct lookahead_choice best = {.worker = PLAN_NONE};
    int64_t latest_ns = tuning->target_ns - world->tail_ns[task] / 256 * tuning->slack;
    for (uint32_t c = 0; c < plan_class_count(world->window); c++) {
        int64_t cost_ns = world_cost_ns(world, task, c);
        if (cost_ns == PLAN_CANNOT)
            continue;
        struct world_place place = {.limit_ns = INT64_MAX};
        int64_t price = cost_ns / 256 * world->price[c];
        if (best.worker != PLAN_NONE && best.in_time) {
            if (price > best.price + best.price / LOOKAHEAD_NEAR)
                continue;
            place.limit_ns = latest_ns - cost_ns + 1;
        } else if (best.worker != PLAN_NONE && tuning->target_ns == 0) {
            place.limit_ns = best.end_ns - cost_ns;
        }
        uint32_t worker = world_best_worker(world, task, c, &place);
        if (worker == PLAN_NONE)
            continue;
        int64_t end_ns = place.start_ns + cost_ns;
        struct lookahead_choice choice = {.worker = worker,
                                          .in_time = tuning->target_ns > 0 && end_ns <= latest_ns,
                                          .end_ns = end_ns + place.moved_ns * tuning->move / 256,
                                          .price = price};
        if (best.worker == PLAN_NONE || lookahead_better(&choice, &best))
            best = choice;
    }
    if (best.worker != PLAN_NONE)
        world_enqueue(world, best.worker, task);
}

static const struct world_policy lookahead_plan = {.name = "lookahead", .push = lookahead_push};

const struct policy policy_lookahead = {
    .name = "lookahead",
    .summary = "cheapest place that is early enough for the tasks behind it, else the earliest",
    .needs_costs = true,
    .choose = policy_choose_first,
    .plan = &lookahead_plan,
    .tuning = {.rank = WORLD_RANK_RATE,
               .move = 256,
               .move_own = 256,
               .slack = 384,
               .look = 8,
               .by_rank = true,
               .steal = true},
};
