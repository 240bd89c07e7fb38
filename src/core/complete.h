/* Step 7, complete: a task has ended. See complete.c.
 *
 * Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_COMPLETE_H
#define FASTGPU_CORE_COMPLETE_H

#include "core/engine.h"

/* Final state, counters, trace, and the callback's action. Afterwards the record belongs to whoever
 * asks for it (failed), to the callback, or to nobody: true says that the caller should recycle it.
 */
bool complete_task(struct engine *engine, struct task *task, fgpu_status status);

/* The lane's books: the command that was the task's is no longer in flight. */
void complete_flight(struct lane *lane, const struct task *task);

#endif
