/* Step 3, schedule: which task next. See sched.c.
 *
 * Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_SCHED_H
#define FASTGPU_CORE_SCHED_H

#include "core/engine.h"

#define SCHED_LONG_NS 2000000u /* engine->long_ns: hundreds of times a quick host's reaction */

void sched_init(struct engine *engine);

/* READY: the task waits for a device, behind others of its priority that became ready earlier. */
void sched_ready(struct engine *engine, struct task *task);

/* PICKED: the first of the highest priority, or TASK_NONE when none is ready or no lane wants
 * another. */
uint32_t sched_next(struct engine *engine);

/* The same whether a lane wants one or not. */
uint32_t sched_next_ready(struct engine *engine);

/* The one that would be next; TASK_NONE where there is none, or where that is not known. */
uint32_t sched_first_ready(const struct engine *engine);

/* Takes a task out of the list that it is in (ready, or its lane's backlog or chain list).
 * O(length): cancelling is rare. */
void sched_remove(struct engine *engine, struct task *task);

/* PLACED: into the backlog of its lane, before those of lower priority. front: it had been at the
 * front before. */
void sched_backlog_push(struct engine *engine, struct task *task, bool front);
uint32_t sched_backlog_pop(struct engine *engine, struct lane *lane);

/* The same for one in the middle. */
void sched_backlog_take(struct engine *engine, struct lane *lane, struct task *task);

/* Tasks that may follow their unfinished predecessors on this lane as soon as it has room. */
void sched_chain_push(struct engine *engine, struct task *task, uint16_t lane);
uint32_t sched_chain_pop(struct engine *engine, struct lane *lane);

/* Predicted time until what is in flight on the lane has finished. */
uint64_t sched_flight_ns(const struct engine *engine, const struct lane *lane);

/* May another command be handed to the lane now? */
bool sched_has_room(const struct engine *engine, const struct lane *lane);

/* Keeps engine->hungry right after the lane's load has changed. */
void sched_update_hunger(struct engine *engine, struct lane *lane);

/* A task on its way to its lane, in none of its lists, counts there as placed; or no longer. */
void sched_count(struct engine *engine, struct task *task);
void sched_uncount(struct engine *engine, struct task *task);

#endif
