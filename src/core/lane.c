/* Shared by the steps: commands into lanes, tasks into waiting lists. Runs under the engine's lock.
 *
 * Keeps true: the numbers of a lane's commands are consecutive from 1, and ring[number & mask] says
 * what each was; the fence that a failure calls for goes out before any other command.
 */
#include "core/lane.h"

#define LANE_NOTIFY_EVERY                                                                          \
    256 /* commands of a long batch after which the device says how far it is */

uint64_t lane_append(struct engine *engine, struct lane *lane, const fgpu_cmd *cmd, uint32_t entry)
{
    if (lane->fence_due && entry != RING_FENCE) {
        /* What follows a new command must be skipped when that fails, so the fence comes before. */
        fgpu_cmd fence = {.kind = FGPU_CMD_FENCE, .body = &lane->fence};
        lane->fence_due = 0;
        (void)lane_append(engine, lane, &fence, RING_FENCE);
    }
    FGPU_ASSERT(lane_room(lane) > 0);
    struct vec *commands = &lane->commands;
    if (__builtin_expect(commands->count == commands->capacity, 0)) {
        bool grown = vec_reserve(commands, 2 * commands->capacity + 8);
        FGPU_ASSERT(grown);
    }
    fgpu_cmd *out = (fgpu_cmd *)(void *)commands->items + commands->count++;
    *out = *cmd;
    engine->has_commands = true;
    if (commands->count == 1)
        bitset_add(&engine->loaded, lane->index);
    uint64_t number = ++lane->issued;
    if (entry == RING_FENCE)
        lane->fenced = number;
    lane->ring[number & lane->ring_mask] = entry;
    if (number % LANE_NOTIFY_EVERY == 0)
        out->flags |= FGPU_CMD_NOTIFY;
    return number;
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
