/* Step 6, launch: records for one queue, in order. See launch.c.
 *
 * Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_LAUNCH_H
#define FASTGPU_CORE_LAUNCH_H

#include "core/lane.h"

enum launch_answer {
    LAUNCH_ISSUED,
    LAUNCH_BUILD, /* its kernel is being compiled for the device: the task waits */
    LAUNCH_FAILED /* doomed: the kernel does not compile here */
};

/* Is the kernel's code there? Orders the build and lists the task when it is not. */
enum launch_answer launch_code(struct engine *engine, struct task *task);

/* Ask for a build on `device` unless it was asked for. */
void launch_build(struct engine *engine, struct kernel *kernel, uint32_t device);

/* What the performance model calls the kernel on that device: a native function's times are those
 * of the build it belongs to. */
uint64_t launch_model_key(const struct engine *engine, const struct kernel *kernel,
                          uint32_t device);

/* The code of a launch, and its work-group size where the caller left that to the pool. */
void launch_with(fgpu_cmd_launch *launch, const struct code *code, bool auto_local);

/* The buffers among its arguments, as they are on the node. */
void launch_resolve(struct engine *engine, struct task *task, uint32_t node);

/* PLACED -> RUNNING: append the command. Everything is there. */
void launch_task(struct engine *engine, struct task *task, bool chained);

#define LAUNCH_TIME_EVERY 64 /* short tasks are measured that often once their time is known */
#define LAUNCH_TIME_LONG_NS 20000u /* longer ones always */

static inline bool launch_is_timed(const struct engine *engine, const struct task *task,
                                   struct lane *lane)
{
    if (engine->trace->on || task->predicted_ns >= LAUNCH_TIME_LONG_NS || task->kind == TASK_JOINED)
        return true;
    if (task->kernel != TASK_NONE && history_slot_is_wanted(engine->history, task->model))
        return true;
    if (++lane->since_timed < LAUNCH_TIME_EVERY)
        return false;
    lane->since_timed = 0;
    return true;
}

/* For launch_append(): its trace. */
void launch_tell(const struct engine *engine, const struct lane *lane, const struct task *task);

/* Of a batch the last command rings; of a long one also those after which the lane may have more,
 * so that there is time to hand that out before the device has nothing to do. */
bool launch_rings(const struct engine *engine, struct lane *lane, const struct task *task);

/* The command of a task whose body is complete; RUNNING. */
static inline void launch_append(struct engine *engine, struct lane *lane, struct task *task,
                                 uint32_t kind, bool chained)
{
    fgpu_cmd cmd = {.kind = kind, .body = task_body(task)};
    if (launch_is_timed(engine, task, lane))
        cmd.flags |= FGPU_CMD_TIMED;
    if (chained || task->undone > 0)
        cmd.flags |= FGPU_CMD_CHAINED;
    if (task->predicted_ns >= LAUNCH_TIME_LONG_NS && launch_rings(engine, lane, task))
        cmd.flags |= FGPU_CMD_NOTIFY;
    (void)lane_append(engine, lane, &cmd, task->self);
    if (lane->flight_tasks == 0)
        lane->since_ns = engine->now_ns;
    lane->flight_ns += task->predicted_ns;
    lane->flight_tasks++;
    lane->flight_hosts += task->kind == TASK_HOST;
    task_set_state(task, FGPU_TASK_RUNNING);
    if (__builtin_expect(engine->trace->on, 0))
        launch_tell(engine, lane, task);
}

/* A FENCE for a lane on which a command has failed. */
void launch_fence(struct engine *engine, struct lane *lane);

#endif
