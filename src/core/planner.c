/* When to plan, how much, and what is kept of it; see planner.h. */
#include <stdlib.h>
#include "core/planner.h"

#include "core/place.h"
#include "core/rest.h"
#include "plan/bound.h"

#define PLANNER_TASK_NS 1000u /* one task simulated once */
#define PLANNER_SHARE 50u     /* a fiftieth of the governed time */
#define PLANNER_TASKS 65536u  /* of a window */
#define PLANNER_ONCE 262144u  /* simulated tasks in one go: others wait for the lock meanwhile */
#define PLANNER_FRESH 8u      /* uncovered tasks that are worth a plan */
#define PLANNER_AGAIN 2u      /* simulations of a plan that is made again */
#define PLANNER_LATE 32u      /* late by a 32nd of what the plan had left: it is made again */

bool planner_init(struct engine *engine)
{
    if (engine->policy->plan == NULL && !engine->policy->searches)
        return true;
    struct planner *planner = alloc_get_zeroed(engine->hooks, sizeof *planner, 16);
    if (planner == NULL)
        return false;
    window_init(&planner->window, engine->hooks);
    vec_init(&planner->entries, sizeof(struct planned), engine->hooks);
    vec_init(&planner->early, sizeof(struct planner_early), engine->hooks);
    vec_init(&planner->written, sizeof(uint8_t), engine->hooks);
    engine->planner = planner;
    return true;
}

void planner_fini(struct engine *engine)
{
    struct planner *planner = engine->planner;
    if (planner == NULL)
        return;
    window_fini(&planner->window);
    vec_fini(&planner->entries);
    vec_fini(&planner->early);
    vec_fini(&planner->written);
    alloc_put(engine->hooks, planner, sizeof *planner);
    engine->planner = NULL;
}

void planner_linked(struct engine *engine, const struct task *task)
{
    engine->planner->fresh += task->kind == TASK_KERNEL;
}

const struct planned *planner_of(const struct engine *engine, const struct task *task)
{
    const struct planner *planner = engine->planner;
    if (planner == NULL || task->self >= planner->entries.count)
        return NULL;
    const struct planned *entry = vec_at(&planner->entries, task->self);
    return entry->generation == task_generation(task) && entry->lane != PLAN_NONE ? entry : NULL;
}

void planner_ran(struct engine *engine, const struct task *task)
{
    struct planner *planner = engine->planner;
    const struct planned *entry = planner_of(engine, task);
    if (entry == NULL)
        return;
    planner->ran++;
    planner->late_ns += engine->now_ns > entry->end_ns ? engine->now_ns - entry->end_ns
                                                       : entry->end_ns - engine->now_ns;
}

const struct policy *planner_policy(const struct engine *engine)
{
    if (engine->planner != NULL && engine->planner->plans > 0)
        return engine->planner->found.policy;
    return engine->planner != NULL ? &policy_eft : engine->policy;
}

void planner_ended(struct engine *engine, const struct task *task)
{
    struct planner *planner = engine->planner;
    planner->ended += task->kind == TASK_KERNEL;
    if (planner_of(engine, task) == NULL)
        return;
    /* Once: a result that is lost may be made again. */
    ((struct planned *)vec_at(&planner->entries, task->self))->lane = PLAN_NONE;
    planner->done++;
}

/* ---- making a plan ------------------------------------------------------------------------- */

static bool planner_keep(struct engine *engine, const struct world *world)
{
    struct planner *planner = engine->planner;
    const struct window *window = &planner->window;
    uint32_t slots = table_high_water(&engine->tasks);
    if (!vec_reserve(&planner->entries, slots))
        return false;
    struct planned *entries = (struct planned *)(void *)planner->entries.items;
    for (size_t i = 0; i < slots; i++)
        entries[i] = (struct planned){.lane = PLAN_NONE};
    planner->entries.count = slots;
    for (uint32_t t = 0; t < window->plan.task_count; t++) {
        uint32_t slot = *(const uint32_t *)vec_at(&window->tasks, t);
        const struct world_run *run = &world->runs[t];
        /* The first of a type go wherever it is to be tried. */
        uint32_t *untried = vec_at(&window->untried, plan_task_at(&window->plan, t)->type);
        if (*untried > 0) {
            --*untried;
            continue;
        }
        entries[slot] =
            (struct planned){.generation = task_generation(engine_task(engine, slot)),
                             .lane = *(const uint32_t *)vec_at(&window->lanes, run->worker),
                             .rank = world->rank[t],
                             .end_ns = engine->now_ns + (uint64_t)run->end_ns};
    }
    rest_plan(engine);
    return true;
}

static int planner_by_start(const void *a, const void *b)
{
    const struct planner_early *left = a, *right = b;
    if (left->start_ns != right->start_ns)
        return left->start_ns < right->start_ns ? -1 : 1;
    return left->task < right->task ? -1 : left->task > right->task;
}

/* What nobody will have written before its reader runs may travel at once: for each piece of data
 * the readers before its first writer in the order of submission. Without memory: fewer. */
static void planner_early(struct engine *engine, const struct world *world)
{
    struct planner *planner = engine->planner;
    const struct plan_window *plan = &planner->window.plan;
    vec_clear(&planner->early);
    planner->early_done = 0;
    if (planner->window.plan.capacity.count > 0)
        return; /* no room for what is not needed soon */
    if (engine->traffic == NULL || !vec_reserve(&planner->written, plan->data.count + 1))
        return;
    uint8_t *written = (uint8_t *)(void *)planner->written.items;
    memset(written, 0, plan->data.count);
    for (uint32_t t = 0; t < plan->task_count; t++) {
        uint32_t first = plan_task_at(plan, t)->first_access;
        for (uint32_t a = first; a < plan_task_at(plan, t + 1)->first_access; a++) {
            const struct plan_access *access = &plan_accesses(plan)[a];
            struct planner_early early = {
                .start_ns = (uint64_t)world->runs[t].start_ns,
                .task = *(const uint32_t *)vec_at(&planner->window.tasks, t),
                .lane = *(const uint32_t *)vec_at(&planner->window.lanes, world->runs[t].worker),
                .access = a - first};
            if ((access->mode & PLAN_READ) && !written[access->data])
                (void)vec_push(&planner->early, &early);
            written[access->data] |= (access->mode & PLAN_WRITE) != 0;
        }
    }
    if (planner->early.count > 1)
        qsort(planner->early.items, planner->early.count, sizeof(struct planner_early),
              planner_by_start);
}

/* The area bound, which costs little: what the busiest class needs at least. 0: unknown. */
static int64_t planner_bound_ns(const struct plan_window *plan)
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

/* Is the window worth one simulation, at half the price? That is what the simplest ones cost. */
static bool planner_pays(const struct plan_window *plan)
{
    uint64_t once_ns = (uint64_t)plan->task_count * PLANNER_TASK_NS / 2;
    return plan->workers.count > 0 && (uint64_t)planner_bound_ns(plan) >= once_ns * PLANNER_SHARE;
}

static bool planner_simulate(struct engine *engine, struct world *world, uint32_t tries)
{
    struct planner *planner = engine->planner;
    const struct policy *policy = engine->policy;
    const struct policy_found *known = planner->found.policy != NULL ? &planner->found : NULL;
    int64_t once_ns = (int64_t)world->window->task_count * PLANNER_TASK_NS;
    struct policy_found found = {.policy = policy, .tuning = policy->tuning, .tries = 1};
    if (policy->searches)
        found = policy_search(world, tries, known, planner_bound_ns(world->window), once_ns);
    else
        found.makespan_ns = world_simulate(world, policy->plan, &policy->tuning);
    planner->reckoned_ns += found.tries * (uint64_t)once_ns;
    if (found.makespan_ns == INT64_MAX || !planner_keep(engine, world))
        return false;
    planner->found = found;
    planner_early(engine, world);
    return true;
}

/* Of the time that the plan in force was made for. */
static uint64_t planner_gone_ns(const struct engine *engine)
{
    const struct planner *planner = engine->planner;
    uint64_t gone_ns = engine->now_ns - planner->made_ns;
    return planner->plans == 0 ? 0 : gone_ns < planner->left_ns ? gone_ns : planner->left_ns;
}

static bool planner_plan(struct engine *engine, uint32_t most)
{
    struct planner *planner = engine->planner;
    struct world world;
    planner->fresh = planner->ended = planner->again = planner->ran = planner->seen = 0;
    planner->late_ns = 0;
    bool filled = window_fill(&planner->window, engine, PLANNER_TASKS);
    planner->seen = (uint32_t)planner->window.tasks.count;
    if (!filled || planner->window.plan.task_count < PLANNER_FRESH)
        return false;
    if (planner->window.gaps > 0)
        planner->again = planner->window.plan.task_count / 8 + PLANNER_FRESH;
    if (planner->window.known == 0)
        return false;
    /* A build that checks itself plans what would not pay, too. */
    if ((!planner_pays(&planner->window.plan) && !engine->checks &&
         !plan_aim_is_wanted(&engine->aim)) ||
        !world_init(&world, &planner->window.plan))
        return false;
    uint32_t once = PLANNER_ONCE / planner->window.plan.task_count + 1;
    bool good = planner_simulate(engine, &world, most < once ? most : once);
    if (good) {
        planner->governed_ns += planner_gone_ns(engine);
        planner->made_ns = engine->now_ns;
        planner->covered = planner->window.plan.task_count;
        planner->done = 0;
        planner->left_ns = (uint64_t)planner->found.makespan_ns;
        planner->plans++;
        LOG_DEBUG(engine->log, "plan", "%u tasks by '%s' (%u simulations): %llu us",
                  planner->covered, planner->found.policy->name, planner->found.tries,
                  (unsigned long long)(planner->left_ns / 1000));
    }
    world_fini(&world);
    return good;
}

/* On average, in terms of what the plan had before it. */
static bool planner_is_off(const struct planner *planner)
{
    return planner->ran >= PLANNER_FRESH && planner->ran >= planner->covered / 16 &&
           planner->late_ns / planner->ran > planner->left_ns / PLANNER_LATE;
}

/* Would making it again keep within the share of all the time that plans have governed? */
static bool planner_affords(const struct engine *engine)
{
    const struct planner *planner = engine->planner;
    uint64_t again_ns =
        (uint64_t)(planner->covered - planner->done) * PLANNER_AGAIN * PLANNER_TASK_NS;
    uint64_t governed_ns = planner->governed_ns + planner_gone_ns(engine) + planner->left_ns;
    return (planner->reckoned_ns + again_ns) * PLANNER_SHARE <= governed_ns + governed_ns / 4;
}

bool planner_turn(struct engine *engine)
{
    struct planner *planner = engine->planner;
    /* Whether they were worth a plan or not: a look at all of them for every few would cost more.
     */
    uint32_t before = planner->seen > planner->ended ? planner->seen - planner->ended : 0;
    if (planner->fresh >= PLANNER_FRESH && planner->fresh >= before / 2)
        return planner_plan(engine, POLICY_TRIES);
    if (planner->again > 0 && planner->ended >= planner->again && planner_affords(engine))
        return planner_plan(engine, planner->plans == 0 ? POLICY_TRIES : PLANNER_AGAIN);
    if (planner->covered > planner->done && planner_is_off(planner) && planner_affords(engine))
        return planner_plan(engine, PLANNER_AGAIN);
    return false;
}
