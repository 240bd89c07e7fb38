/* Heteroprio: every class of workers takes first what it does best in comparison with the others.
 *
 * One shared list for each type of task, by rank. A worker takes from the list of the type in whose
 * cost its class has the greatest advantage. Where its class is not the fastest, it takes a task
 * only while the fastest class has more of that type waiting than it does in the time that this
 * worker would need. E. Agullo, B. Bramas, O. Coulaud, E. Darve, M. Messner, T. Takahashi:
 * Task-based FMM for heterogeneous architectures, CCPE 28(9), 2016; the ratio as order: O.
 * Beaumont, L. Eyraud-Dubois, S. Kumar, IPDPS 2017.
 */
#include "policy/policy.h"

/* The fastest class other than `but`; PLAN_NONE when there is none. */
static uint32_t heteroprio_fastest(const struct plan_window *window, uint32_t type, uint32_t but)
{
    uint32_t best = PLAN_NONE;
    for (uint32_t c = 0; c < plan_class_count(window); c++) {
        int64_t ns = plan_cost_ns(window, type, c);
        if (c != but && ns != PLAN_CANNOT && plan_class_at(window, c)->worker_count > 0 &&
            (best == PLAN_NONE || ns < plan_cost_ns(window, type, best)))
            best = c;
    }
    return best;
}

/* How much slower the best other class would be, in 1/1024: above 1024 this one is the right one.
 * -1: it cannot, or others would be through with all that waits before it had done one. */
static int64_t heteroprio_advantage(const struct world *world, uint32_t type, uint32_t class_index)
{
    const struct plan_window *window = world->window;
    const struct world_queue *list = &world->shared[type];
    int64_t own_ns = plan_cost_ns(window, type, class_index);
    uint32_t other = heteroprio_fastest(window, type, class_index);
    if (own_ns == PLAN_CANNOT)
        return -1;
    if (other == PLAN_NONE)
        return INT64_MAX;
    int64_t other_ns = plan_cost_ns(window, type, other);
    uint32_t others = plan_class_at(window, other)->worker_count;
    if (other_ns < own_ns && (int64_t)list->count * other_ns / others <= own_ns)
        return -1;
    return other_ns / (own_ns / 1024 + 1);
}

static void heteroprio_push(struct world *world, uint32_t task)
{
    const struct plan_task *of = plan_task_at(world->window, task);
    struct world_item item = {.rank = world->rank[task], .task = task};
    if (of->only_worker != PLAN_NONE) {
        if (world_runs(world, task, of->only_worker))
            world_enqueue(world, of->only_worker, task);
    } else if (world_queue_insert(&world->shared[of->type], &item, 0)) {
        world_touch_idle(world);
    }
}

static uint32_t heteroprio_pop(struct world *world, uint32_t worker)
{
    uint32_t class_index = plan_worker_at(world->window, worker)->class_index, best = PLAN_NONE;
    int64_t most = -1;
    if (world->workers[worker].queue.count > 0)
        return world_take(world, worker, 0);
    for (uint32_t t = 0; t < world->window->type_count; t++) {
        if (world->shared[t].count == 0 ||
            !world_runs(world, world_queue_at(&world->shared[t], 0)->task, worker))
            continue;
        int64_t advantage = heteroprio_advantage(world, t, class_index);
        if (advantage > most) {
            most = advantage;
            best = t;
        }
    }
    if (best == PLAN_NONE)
        return PLAN_NONE;
    uint32_t task = world_queue_at(&world->shared[best], 0)->task;
    world_queue_remove(&world->shared[best], 0, 0);
    return task;
}

static const struct world_policy heteroprio_plan = {
    .name = "heteroprio", .push = heteroprio_push, .pop = heteroprio_pop};

const struct policy policy_heteroprio = {
    .name = "heteroprio",
    .summary = "each kind of device takes first what it does best in comparison",
    .needs_costs = true,
    .choose = policy_choose_first,
    .plan = &heteroprio_plan,
    .tuning = {.rank = WORLD_RANK_LEAST},
};
