/* Step 7 of the walk, complete: a task that has ended gets its final state, is counted, and its
 * callback is ordered.
 *
 * Takes a task whose successors have been told, gives the record back or keeps it for questions.
 * Runs under the engine's lock. Keeps true: the final state is the last thing written, with
 * release, so that a waiter who sees it sees everything; each task ends once.
 */
#include "core/complete.h"

void complete_flight(struct lane *lane, const struct task *task)
{
    FGPU_DEBUG_ASSERT(lane->flight_tasks > 0 && lane->flight_ns >= task->predicted_ns);
    lane->flight_tasks--;
    lane->flight_hosts -= task->kind == TASK_HOST;
    lane->flight_ns -= task->predicted_ns;
}

static fgpu_task_state complete_state(const struct task *task, fgpu_status status)
{
    if (status == FGPU_OK)
        return FGPU_TASK_DONE;
    if (status == FGPU_E_CANCELLED)
        return FGPU_TASK_CANCELLED;
    return task_is_own_root(task) ? FGPU_TASK_FAILED : FGPU_TASK_POISONED;
}

static void complete_count(struct engine *engine, struct task *task, fgpu_status status)
{
    fgpu_pool_stats *stats = &engine->stats;
    if (status == FGPU_OK)
        stats->tasks_done++;
    else if (status == FGPU_E_CANCELLED)
        stats->tasks_cancelled++;
    else
        stats->tasks_failed++;
    engine->latency_sum_ns += engine->now_ns - task->submit_ns;
    if (status != FGPU_OK && status != FGPU_E_CANCELLED)
        engine_note_failure(engine, task);
}

static void complete_log(const struct engine *engine, const struct task *task, fgpu_status status)
{
    const char *name = engine_task_name(engine, task);
    log_write(engine->log, status == FGPU_OK ? FGPU_LOG_TRACE : FGPU_LOG_DEBUG, "task",
              "task %llu '%s' has ended after %llu ns: %s%s%s",
              (unsigned long long)engine_trace_id(task), name != NULL ? name : "",
              (unsigned long long)(engine->now_ns - task->submit_ns), fgpu_status_text(status),
              task->why != NULL ? ": " : "", task->why != NULL ? task->why : "");
}

bool complete_task(struct engine *engine, struct task *task, fgpu_status status)
{
    bool listed = !(task->flags & TASK_F_UNLISTED);
    if (listed)
        complete_count(engine, task, status);
    task->status = status;
    if (engine->trace->on)
        trace_emit(engine->trace,
                   (struct trace_event){.time_ns = engine->now_ns,
                                        .kind = status == FGPU_OK ? TRACE_DONE : TRACE_FAILED,
                                        .device = TRACE_NO_DEVICE,
                                        .task = engine_trace_id(task),
                                        .a = engine->pending_tasks,
                                        .b = (uint64_t)(int64_t)status});
    if (__builtin_expect(log_enabled(engine->log, FGPU_LOG_DEBUG), 0))
        complete_log(engine, task, status);
    engine->wakes++;
    bool callback = task->flags & TASK_F_CALLBACK;
    if (callback)
        engine_act(engine, (struct action){.kind = ACTION_CALLBACK, .index = task->self});
    task_set_state(task, complete_state(task, status));
    return !callback && (status == FGPU_OK || (!listed && task->kind != TASK_MAP));
}
