/* When to plan, how much, and what is kept of it; see planner.h. */
#include <stdlib.h>
#include "core/planner.h"

#include "core/place.h"
#include "core/rest.h"
#include "core/sched.h"

#define PLANNER_TASKS 65536u   /* of a window */
#define PLANNER_ONCE 262144u   /* simulated tasks in one go, where others wait for the lock */
#define PLANNER_APART 2097152u /* where they do not */
#define PLANNER_FRESH 8u       /* uncovered tasks that are worth a plan */
#define PLANNER_AGAIN 4u       /* simulations of a plan that is made again */
#define PLANNER_SURE 8u        /* tasks shorter than an eighth of what pays on one lane */
#define PLANNER_SOON_NS 40000u /* a lane that is at work for less is handed what there is */
#define PLANNER_LOOKS 2u       /* how often it is looked at again, where it goes as planned */
#define PLANNER_SAMPLES 8u     /* devices */
#define PLANNER_SLOTS 4096u    /* looked through for one fresh task, at most */
#define PLANNER_LATE 32u       /* late by a 32nd of what the plan had left: it is made again */

/* Simulated worlds do not know that devices compute with the same cores: whoever chooses the best
 * plan then does better without one (decision 016). A policy that was asked for by name plans. */
static bool planner_knows(const struct engine *engine)
{
    for (uint32_t d = 0; engine->policy->searches && d < engine->device_count; d++)
        if (engine->devices[d].group_cores != 0)
            return false;
    return engine->policy->plan != NULL || engine->policy->searches;
}

bool planner_init(struct engine *engine)
{
    if (!planner_knows(engine))
        return true;
    struct planner *planner = alloc_get_zeroed(engine->hooks, sizeof *planner, 16);
    if (planner == NULL)
        return false;
    search_init(&planner->search, engine);
    turns_init(&planner->turns, engine->hooks);
    uses_init(&planner->uses, engine->hooks);
    follow_init(&planner->follow, engine->hooks);
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
    search_fini(&planner->search);
    turns_fini(&planner->turns);
    uses_fini(&planner->uses);
    follow_fini(&planner->follow);
    vec_fini(&planner->entries);
    vec_fini(&planner->early);
    vec_fini(&planner->written);
    alloc_put(engine->hooks, planner, sizeof *planner);
    engine->planner = NULL;
}

/* Before anything has run: what is known from earlier of the first few. */
static void planner_sample(struct engine *engine, const struct task *task)
{
    uint64_t *most_ns = &engine->planner->foreseen_ns;
    for (uint32_t d = 0; d < engine->device_count && d < PLANNER_SAMPLES; d++) {
        bool known = false;
        if (place_obstacle(engine, task, &engine->devices[d], d) != NULL)
            continue;
        uint64_t ns = place_cost_ns(engine, task, d, &known);
        *most_ns = known && ns > *most_ns ? ns : *most_ns;
    }
}

void planner_linked(struct engine *engine, const struct task *task)
{
    struct planner *planner = engine->planner;
    if (task->kind != TASK_KERNEL)
        return;
    if (planner->typical_ns == 0 && planner->fresh < PLANNER_FRESH)
        planner_sample(engine, task);
    planner->fresh++;
}

const struct planned *planner_at(const struct engine *engine, uint32_t slot)
{
    const struct planner *planner = engine->planner;
    if (planner == NULL || slot >= planner->entries.count)
        return NULL;
    const struct planned *entry = vec_at(&planner->entries, slot);
    bool same = entry->generation == task_generation(engine_task(engine, slot));
    return same && entry->lane != PLAN_NONE ? entry : NULL;
}

const struct planned *planner_of(const struct engine *engine, const struct task *task)
{
    return planner_at(engine, task->self);
}

bool planner_is_punctual(const struct engine *engine, const struct task *task,
                         const struct lane *lane)
{
    const struct planned *planned = planner_of(engine, task);
    if (planned == NULL || planned->lane != lane->index)
        return false;
    uint64_t end_ns = engine->now_ns + sched_flight_ns(engine, lane) + task->predicted_ns;
    return end_ns <= planned->end_ns + engine->planner->left_ns / PLANNER_LATE;
}

/* A lane that the host sees late must not run dry: it gets what the plan has next there, though it
 * is ahead of the plan. Where the host is not late that would only bind the task too early. */
bool planner_is_early(struct engine *engine, const struct task *task, const struct lane *lane)
{
    const struct planned *planned = planner_of(engine, task);
    if (planned == NULL || lane->flight_tasks == 0 || lane->side)
        return false;
    uint64_t busy_ns = sched_flight_ns(engine, lane);
    uint64_t from_ns =
        engine->now_ns + busy_ns + task->predicted_ns / PLANNER_LATE + PLANNER_SOON_NS / 4;
    return busy_ns > PLANNER_SOON_NS && planned->start_ns > from_ns &&
           !(lane->react_ns > 0 && turns_is_next(engine, task, lane));
}

bool planner_may_overtake(const struct engine *engine, const struct task *task,
                          const struct task *awaited)
{
    const struct planned *its = planner_of(engine, awaited), *mine = planner_of(engine, task);
    if (its == NULL || its->lane != awaited->lane)
        return true;
    if (mine != NULL && mine->lane == its->lane && mine->start_ns <= its->start_ns)
        return true;
    uint64_t slack_ns = engine->planner->left_ns / PLANNER_LATE;
    slack_ns += follow_late_ns(engine, its->lane);
    return engine->now_ns > its->start_ns + slack_ns ||
           engine->now_ns + task->predicted_ns <= its->start_ns + PLANNER_SOON_NS / 4;
}

void planner_ran(struct engine *engine, const struct task *task)
{
    struct planner *planner = engine->planner;
    const struct planned *entry = planner_of(engine, task);
    const fgpu_cmd_result *result = task_result(task);
    /* A guess says nothing. */
    if (result->timed)
        planner->typical_ns = planner->typical_ns - planner->typical_ns / 8 +
                              (result->end_ns - result->start_ns) / 8 + 1;
    if (entry == NULL)
        return;
    uint64_t late_ns = engine->now_ns > entry->end_ns ? engine->now_ns - entry->end_ns
                                                      : entry->end_ns - engine->now_ns;
    planner->ran++;
    if (task->lane == entry->lane)
        follow_ran(engine, entry->lane, (int64_t)(engine->now_ns - entry->end_ns));
    /* One that filled a gap in the plan, and found none since, says little. */
    uint64_t most_ns = planner->left_ns / PLANNER_LATE * 4;
    planner->late_ns += late_ns < most_ns ? late_ns : most_ns;
}

const struct policy *planner_policy(const struct engine *engine)
{
    if (engine->planner != NULL && engine->planner->plans > 0)
        return engine->planner->found.policy;
    return engine->planner != NULL ? &policy_eft : engine->policy;
}

static void planner_drop(struct engine *engine, uint32_t slot)
{
    struct planner *planner = engine->planner;
    ((struct planned *)vec_at(&planner->entries, slot))->lane = PLAN_NONE;
    planner->done++;
}

void planner_ended(struct engine *engine, const struct task *task)
{
    struct planner *planner = engine->planner;
    planner->ended += task->kind == TASK_KERNEL;
    if (planner_of(engine, task) == NULL)
        return;
    planner_drop(engine, task->self); /* once: a result that is lost may be made again */
}

/* ---- making a plan ------------------------------------------------------------------------- */

/* Where memory is short, what a node holds when a task becomes ready is not what the plan thought:
 * if nothing is better than to place each where it ends first, that is done then, not now. */
static bool planner_is_loose(const struct search *search)
{
    return search->window.plan.capacity.count > 0 && search->found.policy == &policy_eft;
}

/* Of the snapshot's tasks those that still wait; the first of a type go wherever it is to be tried.
 * False without memory, or where too few are left. */
static bool planner_keep(struct engine *engine)
{
    struct planner *planner = engine->planner;
    const struct window *window = &planner->search.window;
    const struct world *world = &planner->search.world;
    uint32_t slots = table_high_water(&engine->tasks);
    if (!vec_reserve(&planner->entries, slots))
        return false;
    struct planned *entries = (struct planned *)(void *)planner->entries.items;
    for (size_t i = 0; i < slots; i++)
        entries[i] = (struct planned){.lane = PLAN_NONE};
    planner->entries.count = slots;
    planner->covered = planner->done = 0;
    turns_forget(&planner->turns, engine->lane_count, planner->entries.capacity);
    bool loose = planner_is_loose(&planner->search);
    for (uint32_t t = 0; t < window->plan.task_count; t++) {
        uint32_t slot = *(const uint32_t *)vec_at(&window->tasks, t);
        uint32_t generation = *(const uint32_t *)vec_at(&planner->search.generations, t);
        const struct task *task = engine_task(engine, slot);
        const struct world_run *run = &world->runs[t];
        if (task_generation(task) != generation || !window_takes(task))
            continue;
        planner->covered++;
        if (loose)
            continue;
        uint32_t *untried = vec_at(&window->untried, plan_task_at(&window->plan, t)->type);
        if (*untried > 0) {
            --*untried;
            continue;
        }
        entries[slot] =
            (struct planned){.generation = generation,
                             .lane = *(const uint32_t *)vec_at(&window->lanes, run->worker),
                             .rank = world->rank[t],
                             .start_ns = planner->search.begun_ns + (uint64_t)run->start_ns,
                             .end_ns = planner->search.begun_ns + (uint64_t)run->end_ns};
    }
    rest_plan(engine);
    return planner->covered > 0;
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
static void planner_early(struct engine *engine)
{
    struct planner *planner = engine->planner;
    const struct window *window = &planner->search.window;
    const struct world *world = &planner->search.world;
    const struct plan_window *plan = &window->plan;
    vec_clear(&planner->early);
    planner->early_done = 0;
    if (plan->capacity.count > 0)
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
                .task = *(const uint32_t *)vec_at(&window->tasks, t),
                .lane = *(const uint32_t *)vec_at(&window->lanes, world->runs[t].worker),
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

/* Of the time that the plan in force was made for. */
static uint64_t planner_gone_ns(const struct engine *engine)
{
    const struct planner *planner = engine->planner;
    uint64_t gone_ns = engine->now_ns - planner->made_ns;
    return planner->plans == 0 ? 0 : gone_ns < planner->left_ns ? gone_ns : planner->left_ns;
}

/* What the search has found is followed from now on. */
static bool planner_adopt(struct engine *engine)
{
    struct planner *planner = engine->planner;
    struct search *search = &planner->search;
    const struct policy_found *found = &search->found;
    uint64_t gone_ns = planner_gone_ns(engine);
    uint32_t tasks = search->window.plan.task_count;
    bool good =
        found->makespan_ns != INT64_MAX && !search_is_stale(search, engine) && planner_keep(engine);
    planner->busy = planner->arrived = false;
    if (!good && found->makespan_ns != INT64_MAX)
        planner->fresh += tasks;
    planner->reckoned_ns += search->cost_ns;
    planner->task_ns = search->task_ns;
    if (good) {
        planner->found = *found;
        planner_early(engine);
        follow_make(engine);
        if (search->window.plan.capacity.count > 0 && !planner_is_loose(search))
            uses_make(engine);
        else
            uses_forget(&planner->uses);
        planner->governed_ns += gone_ns;
        planner->made_ns = search->begun_ns;
        planner->left_ns = (uint64_t)found->makespan_ns;
        planner->plans += !found->kept || search->given < tasks;
        if (planner->covered < tasks / 4 * 3) /* too late for much of it */
            planner->again = 1;
        LOG_DEBUG(engine->log, "plan", "%u tasks by '%s' (%u simulations): %llu us",
                  planner->covered, found->policy->name, found->tries,
                  (unsigned long long)(planner->left_ns / 1000));
    }
    search_drop(search);
    bool moved = !found->kept || planner->wrong; /* what was placed by it, too */
    planner->wrong = planner->wrong && !good;
    return good && moved;
}

static bool planner_plan(struct engine *engine, uint32_t most)
{
    struct planner *planner = engine->planner;
    struct search *search = &planner->search;
    bool is_look = planner->plans > 0 && planner->fresh == 0 && planner->again == 0;
    uint64_t expected_ns = is_look ? planner->left_ns - planner_gone_ns(engine) : 0;
    planner->fresh = planner->ended = planner->again = planner->ran = planner->seen = 0;
    planner->late_ns = 0;
    bool filled = search_take(search, engine, PLANNER_TASKS);
    uint32_t tasks = search->window.plan.task_count;
    planner->seen = (uint32_t)search->window.tasks.count;
    if (!filled || tasks < PLANNER_FRESH)
        return false;
    if (search->window.gaps > 0)
        planner->again = tasks / 8 + PLANNER_FRESH;
    if (search->window.known == 0)
        return false;
    uint32_t once = (engine->plans_apart ? PLANNER_APART : PLANNER_ONCE) / tasks + 1;
    search->most = most < once ? most : once;
    search->known = planner->found;
    search->known.expected_ns = (int64_t)expected_ns;
    planner->busy = true;
    if (engine->plans_apart) {
        engine_act(engine, (struct action){.kind = ACTION_PLAN});
        return false;
    }
    search_run(search);
    return planner_adopt(engine);
}

/* On average, in terms of what the plan had before it. */
static bool planner_is_off(const struct planner *planner)
{
    return planner->ran >= PLANNER_FRESH && planner->ran >= planner->covered / 16 &&
           planner->late_ns / planner->ran > planner->left_ns / PLANNER_LATE;
}

/* A while ago: whether it is the best that can be done now costs little to ask. */
static bool planner_is_due(const struct engine *engine)
{
    const struct planner *planner = engine->planner;
    return engine->policy->searches &&
           planner->ran >= planner->covered / PLANNER_LOOKS + PLANNER_FRESH;
}

/* Would making it again keep within the share of all the time that plans have governed? */
static bool planner_affords(const struct engine *engine)
{
    const struct planner *planner = engine->planner;
    uint64_t again_ns =
        (uint64_t)(planner->covered - planner->done) * PLANNER_AGAIN * planner->task_ns;
    uint64_t governed_ns = planner->governed_ns + planner_gone_ns(engine) + planner->left_ns;
    return (planner->reckoned_ns + again_ns) * SEARCH_SHARE <= governed_ns + governed_ns / 4;
}

/* Of unknown length, or so short that no plan would pay: not even worth a look at all pending
 * tasks. */
static bool planner_is_hopeless(const struct engine *engine)
{
    const struct planner *planner = engine->planner;
    uint64_t typical_ns = planner->typical_ns > 0 ? planner->typical_ns : planner->foreseen_ns;
    return !engine->checks && typical_ns * PLANNER_SURE < SEARCH_TASK_NS * SEARCH_SHARE;
}

void planner_wrong(struct engine *engine, uint32_t kernel)
{
    struct planner *planner = engine->planner;
    if (planner->covered == planner->done)
        return;
    planner->wrong = true;
    planner->again = 1;
    if (!planner_is_hopeless(engine) && planner_affords(engine))
        return;
    for (uint32_t slot = 0; slot < planner->entries.count; slot++)
        if (planner_at(engine, slot) != NULL && engine_task(engine, slot)->kernel == kernel)
            planner_drop(engine, slot);
}

bool planner_turn(struct engine *engine)
{
    struct planner *planner = engine->planner;
    if (planner->arrived && planner_adopt(engine))
        return true;
    if (planner->busy || planner_is_hopeless(engine))
        return false;
    /* Whether they were worth a plan or not: a look at all of them for every few would cost more.
     */
    uint32_t before = planner->seen > planner->ended ? planner->seen - planner->ended : 0;
    if (planner->fresh >= PLANNER_FRESH && planner->fresh >= before / 2 &&
        planner->fresh >= table_high_water(&engine->tasks) / PLANNER_SLOTS)
        return planner_plan(engine, POLICY_TRIES);
    if (planner->again > 0 && planner->ended >= planner->again && planner_affords(engine))
        return planner_plan(engine, planner->plans == 0 ? POLICY_TRIES : PLANNER_AGAIN);
    if (planner->covered > planner->done && (planner_is_off(planner) || planner_is_due(engine)) &&
        planner_affords(engine))
        return planner_plan(engine, PLANNER_AGAIN);
    return false;
}

struct search *engine_search(struct engine *engine)
{
    return &engine->planner->search;
}

void engine_planned(struct engine *engine)
{
    struct planner *planner = engine->planner;
    FGPU_ASSERT(planner->busy && !planner->arrived);
    planner->arrived = true;
}
