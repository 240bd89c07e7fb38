/* What the steps share about lanes: handing out a command. See lane.c.
 *
 * Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_LANE_H
#define FASTGPU_CORE_LANE_H

#include "core/engine.h"

/* Commands that still fit into the lane's ring of numbers. */
static inline uint32_t lane_room(const struct lane *lane)
{
    return lane->ring_mask + 1 - (uint32_t)(lane->issued - lane->done);
}

#define LANE_NOTIFY_EVERY                                                                          \
    256 /* commands of a long batch after which the device says how far it is */

/* For lane_append(). */
void lane_append_fence(struct engine *engine, struct lane *lane);
void lane_grow(struct vec *commands);

/* Appends a command and returns its number. [in] entry: task index, op index | RING_OP, or
 * RING_FENCE. There must be room. */
static inline uint64_t lane_append(struct engine *engine, struct lane *lane, const fgpu_cmd *cmd,
                                   uint32_t entry)
{
    /* What follows a new command must be skipped when that fails, so the fence comes before. */
    if (__builtin_expect(lane->fence_due && entry != RING_FENCE, 0))
        lane_append_fence(engine, lane);
    FGPU_ASSERT(lane_room(lane) > 0);
    struct vec *commands = &lane->commands;
    if (__builtin_expect(commands->count == commands->capacity, 0))
        lane_grow(commands);
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

/* The memory node that a task on this lane works in; maps and host tasks: the host. */
uint32_t lane_node(const struct engine *engine, const struct task *task);

/* `waiters`: list of links. Every task on it has one thing less to wait for. */
void lane_wake(struct engine *engine, uint32_t *waiters);

/* The task waits for one more thing, whose waiters are listed there. Without memory it is doomed
 * instead (false). */
bool lane_wait(struct engine *engine, struct task *task, uint32_t *waiters);

#endif
