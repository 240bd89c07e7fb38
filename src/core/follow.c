/* How closely a lane keeps to the order of its plan; see follow.h. */
#include "core/follow.h"

#include "core/planner.h"
#include "core/sched.h"

#define FOLLOW_LOOK 8u         /* tasks of the plan that are looked at before one */
#define FOLLOW_LEAST_NS 40000u /* a shorter task does not hold up anybody much */
#define FOLLOW_IDLE 4u         /* the lane waits for a quarter of the task's length at most */

void follow_init(struct follow *follow, const struct alloc_hooks *hooks)
{
    vec_init(&follow->order, sizeof(uint32_t), hooks);
    vec_init(&follow->lanes, sizeof(struct follow_lane), hooks);
}

void follow_fini(struct follow *follow)
{
    vec_fini(&follow->order);
    vec_fini(&follow->lanes);
}

static struct follow_lane *follow_lane(const struct follow *follow, uint32_t lane)
{
    return lane < follow->lanes.count ? (struct follow_lane *)(void *)follow->lanes.items + lane
                                      : NULL;
}

/* Of each lane's tasks the last predecessor in the plan: who says when it becomes ready. */
static void follow_last(struct engine *engine)
{
    const struct window *window = &engine->planner->search.window;
    const struct plan_window *plan = &window->plan;
    struct planned *entries = (struct planned *)(void *)engine->planner->entries.items;
    const uint32_t *slots = (const uint32_t *)(const void *)window->tasks.items;
    const uint32_t *running = (const uint32_t *)(const void *)window->after.items;
    for (uint32_t t = 0; t < plan->task_count; t++)
        entries[slots[t]].last = running[t];
    for (uint32_t t = 0; t < plan->task_count; t++) {
        uint32_t end = plan_task_at(plan, t + 1)->first_successor;
        for (uint32_t s = plan_task_at(plan, t)->first_successor; s < end; s++) {
            struct planned *entry = &entries[slots[plan_successors(plan)[s]]];
            const struct planned *before = entry->last != PLAN_NONE ? &entries[entry->last] : NULL;
            if (before == NULL || before->lane == PLAN_NONE ||
                before->end_ns < entries[slots[t]].end_ns)
                entry->last = slots[t];
        }
    }
}

void follow_make(struct engine *engine)
{
    struct follow *follow = &engine->planner->follow;
    const struct window *window = &engine->planner->search.window;
    const struct world *world = &engine->planner->search.world;
    uint32_t tasks = window->plan.task_count, lanes = engine->lane_count;
    const uint32_t *slots = (const uint32_t *)(const void *)window->tasks.items;
    vec_clear(&follow->lanes);
    vec_clear(&follow->order);
    /* The first half is scratch: tasks by their start in the whole plan. */
    if (!vec_reserve(&follow->lanes, lanes) || !vec_reserve(&follow->order, 2 * (size_t)tasks))
        return;
    struct follow_lane *of = (struct follow_lane *)(void *)follow->lanes.items;
    uint32_t *order = (uint32_t *)(void *)follow->order.items, *started = order + tasks;
    memset(of, 0, lanes * sizeof *of);
    memset(started, 0xff, tasks * sizeof *started);
    for (uint32_t t = 0; t < tasks; t++) {
        const struct planned *planned = planner_at(engine, slots[t]);
        if (planned == NULL || world->runs[t].order >= tasks)
            continue;
        started[world->runs[t].order] = slots[t];
        of[planned->lane].end++;
    }
    uint32_t sum = 0;
    for (uint32_t l = 0; l < lanes; l++) {
        uint32_t count = of[l].end;
        of[l].next = of[l].end = sum;
        sum += count;
    }
    for (uint32_t i = 0; i < tasks; i++) {
        if (started[i] == PLAN_NONE)
            continue;
        const struct planned *planned = planner_at(engine, started[i]);
        order[of[planned->lane].end++] = started[i];
    }
    follow->lanes.count = lanes;
    follow->order.count = sum;
    follow_last(engine);
}

void follow_ran(struct engine *engine, uint32_t lane, int64_t late_ns)
{
    struct follow_lane *of = follow_lane(&engine->planner->follow, lane);
    if (of != NULL)
        of->late_ns = late_ns;
}

uint64_t follow_late_ns(const struct engine *engine, uint32_t lane)
{
    const struct follow_lane *of = follow_lane(&engine->planner->follow, lane);
    return of != NULL && of->late_ns > 0 ? (uint64_t)of->late_ns : 0;
}

/* When the last predecessor of the task ends; UINT64_MAX: it does not run. */
static uint64_t follow_ready_ns(const struct engine *engine, const struct planned *planned)
{
    if (planned->last == PLAN_NONE)
        return UINT64_MAX;
    const struct task *last = engine_task(engine, planned->last);
    if (task_state(last) != FGPU_TASK_RUNNING || last->lane >= TASK_LANE_MIXED)
        return UINT64_MAX;
    return engine->now_ns + sched_flight_ns(engine, engine_lane(engine, last->lane));
}

bool follow_waits(struct engine *engine, const struct task *task, const struct lane *lane)
{
    struct follow *follow = &engine->planner->follow;
    const struct planned *mine = planner_of(engine, task);
    struct follow_lane *of = follow_lane(follow, lane->index);
    const uint32_t *order = (const uint32_t *)(const void *)follow->order.items;
    if (mine == NULL || of == NULL || mine->lane != lane->index ||
        task->predicted_ns < FOLLOW_LEAST_NS)
        return false;
    uint64_t free_ns = engine->now_ns + sched_flight_ns(engine, lane);
    uint32_t looked = 0;
    bool first = true;
    for (uint32_t at = of->next; at < of->end && looked < FOLLOW_LOOK; at++) {
        const struct task *other = engine_task(engine, order[at]);
        const struct planned *its = planner_at(engine, order[at]);
        if (other == task)
            return false;
        if (its == NULL || !window_takes(other)) {
            of->next = first ? at + 1 : of->next;
            continue;
        }
        first = false;
        looked++;
        if (its->start_ns >= mine->start_ns)
            return false;
        if (its->rank < mine->rank || other->undone == 0)
            continue;
        uint64_t ready_ns = follow_ready_ns(engine, its);
        if (ready_ns < UINT64_MAX &&
            (ready_ns <= free_ns || (ready_ns - free_ns) * FOLLOW_IDLE <= task->predicted_ns))
            return true;
    }
    return false;
}
