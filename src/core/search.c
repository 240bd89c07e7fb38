/* The search for a plan; see search.h. */
#include "core/search.h"

#include "core/object.h"
#include "core/place.h"
#include "core/planner.h"
#include "plan/bound.h"

#define SEARCH_LEAST_NS 100u /* of a task, and of each place that it is offered: measured */
#define SEARCH_GROUP_NS 100u
#define SEARCH_TAKE_NS 300u /* of a task in the snapshot, and of two nodes' path: measured */
#define SEARCH_PATH_NS 1500u
#define SEARCH_PATHS 4096u /* of more nodes paths are asked for when they are needed */
#define SEARCH_GROUPS 9u   /* of more workers than that only some are looked at */

void search_init(struct search *search, const struct engine *engine)
{
    memset(search, 0, sizeof *search);
    window_init(&search->window, engine->hooks);
    vec_init(&search->generations, sizeof(uint32_t), engine->hooks);
    vec_init(&search->given_rank, sizeof(int64_t), engine->hooks);
    vec_init(&search->given_tail, sizeof(int64_t), engine->hooks);
    vec_init(&search->given_worker, sizeof(uint32_t), engine->hooks);
    search->policy = engine->policy;
}

void search_fini(struct search *search)
{
    search_drop(search);
    window_fini(&search->window);
    vec_fini(&search->generations);
    vec_fini(&search->given_rank);
    vec_fini(&search->given_tail);
    vec_fini(&search->given_worker);
}

void search_drop(struct search *search)
{
    if (search->has_world)
        world_fini(&search->world);
    search->has_world = false;
}

static uint32_t search_losses(const struct engine *engine)
{
    uint32_t losses = 0;
    for (uint32_t d = 0; d < engine->device_count; d++)
        losses += engine->devices[d].lost;
    return losses;
}

bool search_is_stale(const struct search *search, const struct engine *engine)
{
    return search->losses != search_losses(engine);
}

/* Where the plan in force has the task. */
static bool search_give(struct search *search, const struct engine *engine, const struct task *task)
{
    const struct planned *planned = planner_of(engine, task);
    /* What no plan covers is placed when it is ready, behind all that one covers. */
    int64_t rank = planned != NULL ? planned->rank : INT64_MIN;
    uint32_t worker = planned != NULL
                          ? *(const uint32_t *)vec_at(&search->window.worker, planned->lane)
                          : PLAN_NONE;
    search->given += worker != PLAN_NONE;
    return vec_push(&search->given_rank, &rank) != NULL &&
           vec_push(&search->given_worker, &worker) != NULL;
}

bool search_take(struct search *search, struct engine *engine, uint32_t limit)
{
    search->begun_ns = engine->now_ns;
    /* A build that checks itself plans what would not pay, too; what was asked for is planned. */
    search->always = engine->checks || plan_aim_is_wanted(&engine->aim);
    search->losses = search_losses(engine);
    search->found = (struct policy_found){.makespan_ns = INT64_MAX};
    vec_clear(&search->generations);
    vec_clear(&search->given_rank);
    vec_clear(&search->given_worker);
    search->given = 0;
    if (!window_fill(&search->window, engine, limit))
        return false;
    for (uint32_t t = 0; t < search->window.tasks.count; t++) {
        uint32_t slot = *(const uint32_t *)vec_at(&search->window.tasks, t);
        const struct task *task = engine_task(engine, slot);
        uint32_t generation = task_generation(task);
        if (vec_push(&search->generations, &generation) == NULL ||
            !search_give(search, engine, task))
            return false;
    }
    return true;
}

/* The area bound, which costs little: what the busiest class needs at least. 0: unknown. */
static int64_t search_bound_ns(const struct plan_window *plan)
{
    uint32_t classes = plan_class_count(plan), types = plan->type_count;
    size_t count = (size_t)types * classes + types;
    double area_ns = 0, *costs = alloc_get_zeroed(NULL, (count + 1) * sizeof *costs, 16);
    uint32_t *workers = alloc_get_zeroed(NULL, (classes + 1) * sizeof *workers, 16);
    if (costs != NULL && workers != NULL) {
        double *counts = costs + (size_t)types * classes;
        for (uint32_t i = 0; i < types * classes; i++) {
            int64_t ns = plan_cost_ns(plan, i / classes, i % classes);
            costs[i] = ns == PLAN_CANNOT ? -1.0 : (double)ns;
        }
        for (uint32_t c = 0; c < classes; c++)
            workers[c] = plan_class_at(plan, c)->worker_count;
        for (uint32_t t = 0; t < plan->task_count; t++)
            counts[plan_task_at(plan, t)->type]++;
        if (plan_bound_area(types, classes, costs, workers, counts, &area_ns) != FGPU_OK)
            area_ns = 0;
    }
    alloc_put(NULL, costs, (count + 1) * sizeof *costs);
    alloc_put(NULL, workers, (classes + 1) * sizeof *workers);
    return (int64_t)area_ns;
}

/* What a simulation of one task costs: it asks for a place in each group of workers. */
static uint64_t search_task_ns(const struct world *world)
{
    uint64_t groups = world->many ? SEARCH_GROUPS : world->group_count;
    uint64_t group_ns = world->window->transfers ? SEARCH_GROUP_NS : SEARCH_GROUP_NS / 2;
    return SEARCH_LEAST_NS + group_ns * (groups < SEARCH_GROUPS ? groups : SEARCH_GROUPS);
}

/* What all else costs: the snapshot, a world for it, and what is kept of the plan. */
static uint64_t search_fixed_ns(const struct plan_window *plan)
{
    uint64_t paths = plan->transfers ? (uint64_t)plan->node_count * plan->node_count : 0;
    paths = paths < SEARCH_PATHS ? paths : SEARCH_PATHS;
    return plan->task_count * (uint64_t)SEARCH_TAKE_NS + paths * SEARCH_PATH_NS;
}

/* With what each task costs where the plan in force has it. False without memory. */
static bool search_tails(struct search *search)
{
    const struct plan_window *plan = &search->window.plan;
    const uint32_t *successors = plan_successors(plan);
    vec_clear(&search->given_tail);
    if (!vec_reserve(&search->given_tail, plan->task_count + 1u))
        return false;
    int64_t *tails = (int64_t *)(void *)search->given_tail.items;
    search->given_tail.count = plan->task_count;
    for (uint32_t t = plan->task_count; t-- > 0;) {
        tails[t] = 0;
        for (uint32_t s = plan_task_at(plan, t)->first_successor;
             s < plan_task_at(plan, t + 1)->first_successor; s++) {
            uint32_t next = successors[s];
            uint32_t worker = *(const uint32_t *)vec_at(&search->given_worker, next);
            uint32_t class_index =
                worker != PLAN_NONE ? plan_worker_at(plan, worker)->class_index : 0;
            int64_t ns = plan_cost_ns(plan, plan_task_at(plan, next)->type, class_index);
            ns = worker == PLAN_NONE || ns == PLAN_CANNOT ? 0 : ns;
            tails[t] = tails[next] + ns > tails[t] ? tails[next] + ns : tails[t];
        }
    }
    return true;
}

void search_run(struct search *search)
{
    const struct plan_window *plan = &search->window.plan;
    const struct policy *policy = search->policy;
    const struct policy_found *known = search->known.policy != NULL ? &search->known : NULL;
    int64_t once_ns = (int64_t)plan->task_count * SEARCH_TASK_NS;
    search->task_ns = SEARCH_TASK_NS;
    search->cost_ns = 0;
    int64_t bound_ns = search_bound_ns(plan);
    struct policy_found found = {.policy = policy, .tuning = policy->tuning, .tries = 1};
    /* Is the window worth one simulation, at half the price? That is what the simplest cost. */
    bool pays = plan->workers.count > 0 && bound_ns >= once_ns * (int64_t)SEARCH_SHARE;
    if ((!pays && !search->always) || !world_init(&search->world, plan))
        return;
    search->has_world = true;
    search->task_ns = search_task_ns(&search->world);
    if (search->given >= plan->task_count / 2 && known != NULL && search_tails(search)) {
        search->world.given_tail_ns = (int64_t *)(void *)search->given_tail.items;
        search->world.given_rank = (const int64_t *)(void *)search->given_rank.items;
        search->world.given_worker = (const uint32_t *)(void *)search->given_worker.items;
    }
    search->world.stop = &search->stop;
    if (policy->searches)
        found =
            policy_search(&search->world, search->most, known, bound_ns, (int64_t)search->task_ns);
    else
        found.makespan_ns = world_simulate(&search->world, policy->plan, &policy->tuning);
    search->found = found;
    search->cost_ns = search->world.simulated * search->task_ns + search_fixed_ns(plan);
}
