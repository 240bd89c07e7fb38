/* Which lane carries a copy. Part of the move step; runs under the engine's lock.
 *
 * Out of a device's memory its last copy lane does. Into it the first one does, so that kernels run
 * meanwhile, and their task waits here until the data have arrived; a short copy goes right ahead
 * of its task in the task's own lane instead, where the queue's order does the waiting: the host's
 * turn between the two would take longer than the copy. So does one for a device that has nothing
 * else to do.
 */
#ifndef FASTGPU_CORE_WAYS_H
#define FASTGPU_CORE_WAYS_H

#include "core/engine.h"

/* Copies out of a device's memory. */
uint16_t ways_out_lane(const struct engine *engine, uint32_t node);

/* Copies to a node for a task on `lane`, beside what that does. */
uint16_t ways_in_lane(const struct engine *engine, uint32_t node, uint16_t lane);

/* Does such a copy go ahead of the task in its own lane? TASK_LANE_NONE: there is none. */
bool ways_follow(const struct engine *engine, uint32_t src, uint16_t lane, uint64_t bytes);

/* Is it worth ordering a placed task's copies to the node while its lane works on others? */
bool ways_ahead(const struct engine *engine, struct task *task, uint32_t node);

/* Directly from a device's memory to another's? */
bool ways_reach(const struct engine *engine, uint32_t src, uint32_t dst);

#endif
