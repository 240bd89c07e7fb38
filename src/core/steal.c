/* An idle lane takes the next task from the longest backlog, if it would finish it sooner.
 *
 * Between schedule and place on the walk: it undoes a choice that has turned out worse than it
 * looked. Runs under the engine's lock. Keeps true: a task that waits for predecessors, or whose
 * memory is pinned, stays where it is.
 */
#include "core/steal.h"

#include "core/lane.h"
#include "core/move.h"
#include "core/place.h"
#include "core/planner.h"
#include "core/sched.h"

/* When a task that is in no backlog would finish on the device's best lane. */
static uint64_t steal_finish_ns(const struct engine *engine, const struct engine_device *device,
                                uint64_t exec_ns, uint64_t work)
{
    uint64_t least_ns = UINT64_MAX;
    for (uint32_t i = 0; i < device->lane_count; i++) {
        const struct lane *lane = engine_lane(engine, device->lane_first + i);
        uint64_t ns = place_finish_ns(device, lane->flight_ns + lane->backlog_ns, exec_ns, work);
        least_ns = ns < least_ns ? ns : least_ns;
    }
    return least_ns;
}

/* Whether a task that is in neither backlog would better run on the thief's lane, which is idle,
 * where the devices compute with the same cores: reckoned as eft does. */
static bool steal_gains_shared(const struct engine *engine, const struct engine_device *here,
                               uint64_t here_ns, const struct engine_device *there,
                               uint64_t there_ns)
{
    uint64_t work = place_group_work(engine, here);
    return place_finish_ns(here, 0, here_ns, work) + here_ns * here->cores <
           steal_finish_ns(engine, there, there_ns, work) + there_ns * there->cores;
}

/* Whether it would finish sooner there. */
static bool steal_gains(const struct engine *engine, const struct lane *thief, uint64_t here_ns,
                        const struct lane *victim, uint64_t there_ns)
{
    const struct engine_device *here = &engine->devices[thief->device];
    const struct engine_device *there = &engine->devices[victim->device];
    if (here == there || here->group_cores == 0 || there->group_cores == 0 ||
        here->caps.resource_group != there->caps.resource_group)
        return here_ns < victim->flight_ns + there_ns;
    return steal_gains_shared(engine, here, here_ns, there, there_ns);
}

/* The lane with the longest backlog: of all where they are few, else of the next that have one. */
static struct lane *steal_victim(struct engine *engine, const struct lane *thief)
{
    struct lane *victim = NULL;
    bool is_few = engine->lane_count <= STEAL_FEW_LANES;
    uint32_t from = is_few ? 0 : thief->index + 1u;
    for (uint32_t looked = 0; looked < STEAL_FEW_LANES;) {
        uint32_t at = bitset_next(&engine->keeping, from);
        if (at == BITSET_END && (is_few || from == 0 || looked > 0))
            break;
        from = at == BITSET_END ? 0 : at + 1;
        if (at == BITSET_END)
            continue;
        struct lane *lane = engine_lane(engine, at);
        if (lane->backlog_head == TASK_NONE) {
            bitset_remove(&engine->keeping, at);
            continue;
        }
        looked++;
        if (lane != thief && lane->flight_tasks > 0 &&
            (victim == NULL || lane->backlog_ns > victim->backlog_ns))
            victim = lane;
    }
    return victim;
}

bool steal_may(const struct engine *engine, const struct lane *thief)
{
    return !thief->hidden && !thief->rests && !engine->devices[thief->device].lost &&
           thief->flight_tasks == 0 && thief->backlog_count == 0 && engine->ready_count == 0 &&
           sched_has_room(engine, thief);
}

/* Judged before anything is touched: a task that stays keeps its place, and its data. */
static bool steal_pays(struct engine *engine, const struct lane *thief, struct lane *victim,
                       const struct task *task)
{
    uint32_t model, here_ns = place_predicted_ns(engine, task, thief->device, &model);
    victim->backlog_ns -= task->predicted_ns; /* as if it were in neither backlog */
    bool gains = steal_gains(engine, thief, here_ns, victim, task->predicted_ns);
    victim->backlog_ns += task->predicted_ns;
    return gains;
}

struct task *steal_for(struct engine *engine, struct lane *thief)
{
    struct lane *victim = steal_may(engine, thief) ? steal_victim(engine, thief) : NULL;
    if (victim == NULL)
        return NULL;
    struct task *task = engine_task(engine, victim->backlog_head);
    if (task->undone > 0 || (task->flags & TASK_F_PINNED) ||
        place_obstacle(engine, task, &engine->devices[thief->device], thief->device) != NULL ||
        planner_is_punctual(engine, task, victim) || !steal_pays(engine, thief, victim, task))
        return NULL;
    (void)sched_backlog_pop(engine, victim);
    move_unpin(engine, task, lane_node(engine, task)); /* it may hold the right to evict there */
    place_on(engine, task, thief->index);
    place_note(engine, task, FGPU_PLACED_STOLEN);
    return task;
}
