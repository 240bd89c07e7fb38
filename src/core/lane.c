/* Shared by the steps: commands into lanes, tasks into waiting lists. Runs under the engine's lock.
 *
 * Keeps true: the numbers of a lane's commands are consecutive from 1, and ring[number & mask] says
 * what each was; the fence that a failure calls for goes out before any other command.
 */
#include "core/lane.h"

void lane_append_fence(struct engine *engine, struct lane *lane)
{
    fgpu_cmd fence = {.kind = FGPU_CMD_FENCE, .body = &lane->fence};
    lane->fence_due = 0;
    (void)lane_append(engine, lane, &fence, RING_FENCE);
}

void lane_grow(struct vec *commands)
{
    bool grown = vec_reserve(commands, 2 * commands->capacity + 8);
    FGPU_ASSERT(grown);
}

uint32_t lane_node(const struct engine *engine, const struct task *task)
{
    if (task->kind == TASK_MAP || task->kind == TASK_HOST)
        return 0;
    return engine->devices[engine_lane(engine, task->lane)->device].node;
}

void lane_wake(struct engine *engine, uint32_t *waiters)
{
    while (*waiters != LINKS_NONE) {
        struct task *task = engine_task(engine, links_pop(&engine->links, waiters).task);
        FGPU_DEBUG_ASSERT(task->waits > 0);
        if (--task->waits == 0)
            engine_look(engine, task->self);
    }
}

bool lane_wait(struct engine *engine, struct task *task, uint32_t *waiters)
{
    if (!links_reserve(&engine->links, 1)) {
        if (task->status == FGPU_OK) {
            task->status = FGPU_E_NOMEM;
            task->root = task->self;
            task->root_word = task_word(task);
        }
        return false;
    }
    (void)links_push(&engine->links, waiters,
                     (struct links_item){.task = task->self, .generation = task_generation(task)});
    task->waits++;
    return true;
}
