/* When pending tasks will use a buffer next, where no plan says: whoever makes room asks.
 *
 * The submitted graph is run in thought, one task after another: of those without unfinished
 * predecessors the one of the highest priority, then the one that became ready first. That is done
 * when somebody asks, and again when many tasks have come or gone since, so that it costs each task
 * a few steps at most, and nothing where memory is not short. Positions count tasks in that order.
 * Runs under the engine's lock; without memory nothing is known.
 */
#ifndef FASTGPU_CORE_FUTURE_H
#define FASTGPU_CORE_FUTURE_H

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct task;

#define FUTURE_NEVER UINT64_MAX

/* True: what the others below say is known. */
bool future_look(struct engine *engine);

/* The same, looked at now: tasks as they will run. future_length() of them. */
bool future_anew(struct engine *engine);
uint32_t future_length(const struct engine *engine);
uint32_t future_task(const struct engine *engine, uint32_t position);

/* About where the tasks are. */
uint64_t future_now(const struct engine *engine);

/* Position of the first task to come that names the buffer; the end of all that was looked at where
 * only later ones do; FUTURE_NEVER: none does. */
uint64_t future_next(struct engine *engine, uint32_t buffer);

/* Of a task; the end of all where it was not there. */
uint64_t future_of(const struct engine *engine, const struct task *task);

/* Bytes that the next tasks to come need on the node and that have no room there, until there are
 * most_bytes of them. [out] until: position of the last of those tasks. */
uint64_t future_missing(struct engine *engine, uint32_t node, uint64_t most_bytes, uint64_t *until);

void future_fini(struct engine *engine);

#endif
