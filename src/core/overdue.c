/* A kernel that never ends must not take others with it.
 *
 * Nothing can be done about the task itself: its device works. It is told of, once, by name, device
 * and age; what waits in its lane's backlog chooses anew, and its lane gets no more tasks while
 * another can run them (as a lane that rests). When the lane gets on all is as before. Takes lanes,
 * gives their placed tasks back. Runs under the engine's lock.
 */
#include "core/overdue.h"

#include "core/again.h"
#include "core/lane.h"
#include "core/sched.h"

#define OVERDUE_TIMES 20u /* as long as predicted, and engine->overdue_ns at least */

static uint64_t overdue_age_ns(const struct engine *engine, const struct lane *lane)
{
    return engine->now_ns > lane->since_ns ? engine->now_ns - lane->since_ns : 0;
}

static bool overdue_is(const struct engine *engine, const struct lane *lane)
{
    uint64_t most_ns = lane->flight_ns * OVERDUE_TIMES;
    most_ns = most_ns > engine->overdue_ns ? most_ns : engine->overdue_ns;
    return lane->flight_tasks > lane->flight_hosts && !lane->copies &&
           !engine->devices[lane->device].lost && overdue_age_ns(engine, lane) > most_ns;
}

/* The oldest task in flight there. */
static const struct task *overdue_task(const struct engine *engine, const struct lane *lane)
{
    for (uint64_t n = lane->done + 1; n <= lane->issued; n++) {
        uint32_t entry = lane->ring[n & lane->ring_mask];
        if (!(entry & RING_OP))
            return engine_task(engine, entry);
    }
    return NULL;
}

static void overdue_tell(const struct engine *engine, const struct lane *lane)
{
    const struct task *task = overdue_task(engine, lane);
    const char *name = task != NULL ? engine_task_name(engine, task) : NULL;
    LOG_WARN(engine->log, "overdue",
             "task %llu '%s' has been running on device %u, queue %u for %.1f s, predicted were "
             "%.3f ms: other work goes elsewhere where it can",
             task != NULL ? (unsigned long long)engine_trace_id(task) : 0, name != NULL ? name : "",
             lane->device, lane->queue, (double)overdue_age_ns(engine, lane) / 1e9,
             (double)lane->flight_ns / 1e6);
}

void overdue_look(struct engine *engine)
{
    engine->overdue_look_ns = engine->now_ns + OVERDUE_LOOK_NS;
    for (uint32_t i = 0; i < engine->lane_count; i++) {
        struct lane *lane = engine_lane(engine, i);
        if (lane->overdue || !overdue_is(engine, lane))
            continue;
        overdue_tell(engine, lane);
        lane->overdue = lane->rests = 1;
        again_lane(engine, lane); /* what waits behind it */
        sched_update_hunger(engine, lane);
    }
}

void overdue_end(struct engine *engine, struct lane *lane)
{
    LOG_INFO(engine->log, "overdue", "device %u, queue %u goes on", lane->device, lane->queue);
    lane->overdue = lane->rests = 0;
    sched_update_hunger(engine, lane);
}
