/* Step 8 of the walk, learn: what the device measured goes into the performance model, the counters
 * and the trace.
 *
 * Takes a finished task with its result, changes the history and the statistics only. Runs under
 * the engine's lock. Keeps true: only time that a device measured around the command itself is
 * learned, never waiting, building or a guess; a failed run teaches nothing.
 */
#include "core/learn.h"

#include "core/beside.h"
#include "core/place.h"

#define LEARN_REACT_NS 20000u /* shorter tasks are not waited for one by one */
#define LEARN_REACT_MOST_NS 2000000u
#define LEARN_REACT_RISES 4u /* the few that are seen late are what a lane runs dry for */
#define LEARN_REACT_FALLS 64u
#define LEARN_LAG_FORGETS 1024
#define LEARN_OFF 4u /* by a quarter */

static void learn_end(struct lane *lane, uint64_t end_ns)
{
    if (end_ns > lane->timed_end_ns)
        lane->timed_end_ns = end_ns;
}

/* How long copies between the same nodes, that still run on other lanes of the device, have shared
 * the link with this one: from the end of what was there before them, as far as that is known. */
static uint64_t learn_others_ns(struct engine *engine, const struct op *op)
{
    const fgpu_cmd_result *result = &op->body.result;
    const struct engine_device *device = &engine->devices[engine_lane(engine, op->lane)->device];
    uint64_t ns = 0;
    for (uint32_t i = 0; i < engine_lanes_of(device); i++) {
        const struct lane *lane = engine_lane(engine, device->lane_first + i);
        uint64_t handed = lane->issued - lane->commands.count;
        if (lane->index == op->lane || lane->done >= handed)
            continue;
        uint32_t entry = lane->ring[(lane->done + 1) & lane->ring_mask];
        if (entry == RING_FENCE || (entry & RING_OP) == 0)
            continue;
        const struct op *other = table_at(&engine->ops, entry & ~RING_OP);
        uint64_t since =
            lane->timed_end_ns > result->start_ns ? lane->timed_end_ns : result->start_ns;
        if (other->src_node == op->src_node && other->dst_node == op->dst_node &&
            since < result->end_ns)
            ns += result->end_ns - since;
    }
    return ns;
}

void learn_copy(struct engine *engine, const struct op *op)
{
    const fgpu_cmd_result *result = &op->body.result;
    struct link_span span = {result->start_ns, result->end_ns, learn_others_ns(engine, op)};
    link_learn_span(engine->link, engine->nodes[op->src_node].way, engine->nodes[op->dst_node].way,
                    op->bytes, &span);
    learn_end(engine_lane(engine, op->lane), result->end_ns);
}

/* How long after the end of the newest task that has ended it is seen here: what a lane needs in
 * flight goes by that. The device's clock may be another one, and run a little differently: what
 * counts is how much later than at best. */
static void learn_reaction(const struct engine *engine, struct lane *lane, uint64_t end_ns)
{
    int64_t lag_ns = (int64_t)(engine->now_ns - end_ns);
    if (lag_ns < lane->lag_ns)
        lane->lag_ns = lag_ns;
    else
        lane->lag_ns += (lag_ns - lane->lag_ns) / LEARN_LAG_FORGETS;
    uint64_t seen_ns = (uint64_t)(lag_ns - lane->lag_ns);
    uint32_t late_ns = seen_ns < LEARN_REACT_MOST_NS ? (uint32_t)seen_ns : LEARN_REACT_MOST_NS;
    if (late_ns > lane->react_ns)
        lane->react_ns += (late_ns - lane->react_ns) / LEARN_REACT_RISES;
    else
        lane->react_ns -= (lane->react_ns - late_ns) / LEARN_REACT_FALLS;
}

static bool learn_is_off(uint64_t ns, uint64_t known_ns)
{
    return ns > known_ns + known_ns / LEARN_OFF || ns < known_ns - known_ns / LEARN_OFF;
}

/* What the time of a run says of one that has the device to itself; 0: nothing. Beside others it is
 * between a fair share of the time and all of it. */
static uint64_t learn_exclusive_ns(struct engine *engine, const struct task *task,
                                   const struct lane *lane, uint64_t ns)
{
    uint64_t known_ns, start_ns = task_result(task)->start_ns;
    uint64_t ways = (uint64_t)beside_others(engine, task, lane, start_ns) + 1;
    if (ways == 1)
        return ns;
    enum history_trust trust = history_slot_predict(engine->history, task->model, &known_ns);
    if (trust == HISTORY_UNKNOWN || (ns < known_ns && learn_is_off(ns, known_ns)))
        return ns;
    if (!history_slot_is_inherited(engine->history, task->model))
        return 0;
    return ns / ways > known_ns && learn_is_off(ns / ways, known_ns) ? ns / ways : 0;
}

static void learn_run(struct engine *engine, const struct task *task, const struct lane *lane,
                      uint64_t ns)
{
    uint64_t before_ns = PLACE_UNKNOWN_NS, after_ns = 0;
    ns = learn_exclusive_ns(engine, task, lane, ns);
    if (ns == 0)
        return;
    if (ns >= LEARN_REACT_NS &&
        history_slot_predict(engine->history, task->model, &before_ns) == HISTORY_UNKNOWN)
        before_ns = PLACE_UNKNOWN_NS;
    history_slot_learn(engine->history, task->model, ns);
    if (ns < LEARN_REACT_NS)
        return;
    if (history_slot_predict(engine->history, task->model, &after_ns) == HISTORY_UNKNOWN)
        return; /* nothing more is kept */
    if (learn_is_off(after_ns, before_ns)) {
        engine->again_due = true;
        engine->again_kernel = task->kernel;
    }
}

void learn_task(struct engine *engine, struct task *task, fgpu_status status)
{
    struct lane *lane = engine_lane(engine, task->lane);
    struct engine_device *device = &engine->devices[lane->device];
    const fgpu_cmd_result *result = task_result(task);
    uint64_t ns = task->predicted_ns;
    if (status == FGPU_OK && result->timed) {
        ns = result->end_ns - result->start_ns;
        device->timed++;
        if (ns >= LEARN_REACT_NS && lane->done == lane->seen)
            learn_reaction(engine, lane, result->end_ns);
        learn_end(lane, result->end_ns);
        if (task->kernel != TASK_NONE)
            learn_run(engine, task, lane, ns);
    }
    device->stats.tasks++;
    device->stats.busy_ns += ns;
    device->stats.predicted_ns += task->predicted_ns;
    if (engine->trace->on && !(task->marks & TASK_M_PREEMPT))
        trace_emit(engine->trace, (struct trace_event){.time_ns = engine->now_ns,
                                                       .kind = TRACE_RUN_END,
                                                       .device = (uint8_t)lane->device,
                                                       .lane = (uint16_t)lane->queue,
                                                       .task = engine_trace_id(task),
                                                       .a = result->timed ? result->start_ns : 0,
                                                       .b = result->timed ? result->end_ns : 0});
}
