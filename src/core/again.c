/* Back from place to schedule; see again.h. */
#include "core/again.h"

#include "core/lane.h"
#include "core/move.h"
#include "core/sched.h"

void again_task(struct engine *engine, struct task *task)
{
    move_unpin(engine, task, lane_node(engine, task));
    task->lane = TASK_LANE_NONE;
    task_set_state(task, FGPU_TASK_LINKED);
    engine_look(engine, task->self);
}

void again_lane(struct engine *engine, struct lane *lane)
{
    uint32_t index;
    while ((index = sched_backlog_pop(engine, lane)) != TASK_NONE)
        again_task(engine, engine_task(engine, index));
}

void again_all(struct engine *engine)
{
    engine->again_due = false;
    for (uint32_t i = 0; i < engine->lane_count && engine->kept > 0; i++)
        again_lane(engine, engine_lane(engine, i));
}
