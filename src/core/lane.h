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

/* Appends a command and returns its number. [in] entry: task index, op index | RING_OP, or
 * RING_FENCE. There must be room. */
uint64_t lane_append(struct engine *engine, struct lane *lane, const fgpu_cmd *cmd, uint32_t entry);

/* The memory node that a task on this lane works in; maps and host tasks: the host. */
uint32_t lane_node(const struct engine *engine, const struct task *task);

/* `waiters`: list of links. Every task on it has one thing less to wait for. */
void lane_wake(struct engine *engine, uint32_t *waiters);

/* The task waits for one more thing, whose waiters are listed there. Without memory it is doomed
 * instead (false). */
bool lane_wait(struct engine *engine, struct task *task, uint32_t *waiters);

#endif
