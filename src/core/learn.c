/* Step 8 of the walk, learn: what the device measured goes into the performance model, the counters
 * and the trace.
 *
 * Takes a finished task with its result, changes the history and the statistics only. Runs under
 * the engine's lock. Keeps true: only time that a device measured around the command itself is
 * learned, never waiting, building or a guess; a failed run teaches nothing.
 */
#include "core/learn.h"

void learn_task(struct engine *engine, struct task *task, fgpu_status status)
{
    const struct lane *lane = engine_lane(engine, task->lane);
    struct engine_device *device = &engine->devices[lane->device];
    const fgpu_cmd_result *result = task_result(task);
    uint64_t ns = task->predicted_ns;
    if (status == FGPU_OK && result->timed) {
        ns = result->end_ns - result->start_ns;
        device->timed++;
        if (task->kernel != TASK_NONE)
            history_slot_learn(engine->history, task->model, ns);
    }
    device->stats.tasks++;
    device->stats.busy_ns += ns;
    device->stats.predicted_ns += task->predicted_ns;
    trace_emit(engine->trace, (struct trace_event){.time_ns = engine->now_ns,
                                                   .kind = TRACE_RUN_END,
                                                   .device = (uint8_t)lane->device,
                                                   .lane = (uint16_t)lane->queue,
                                                   .task = engine_trace_id(task),
                                                   .a = result->timed ? result->start_ns : 0,
                                                   .b = result->timed ? result->end_ns : 0});
}
