/* The short way of a task whose buffers are all the host's: what move, launch, graph and complete
 * do for every task, in one pass over its buffers. See direct.c.
 *
 * Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_DIRECT_H
#define FASTGPU_CORE_DIRECT_H

#include "core/engine.h"

/* PLACED -> RUNNING on its lane, which has room. False where anything is out of the ordinary:
 * nothing has been changed, and the long way is to be gone. */
bool direct_launch(struct engine *engine, struct lane *lane, struct task *task);

/* PICKED -> RUNNING on the only lane that there is. False: as above. */
bool direct_place(struct engine *engine, struct task *task);

/* NEW -> RUNNING: linked and launched in one, on the only lane that there is, where nothing stands
 * between: the very tasks that the turn would launch without having changed anything before. Asked
 * for all tasks of an inbox once; then for each. False: nothing has been changed. */
bool direct_flows(const struct engine *engine);
bool direct_take(struct engine *engine, struct task *task);

/* A task that has run well ends, and its record is free. False: as above. */
bool direct_end(struct engine *engine, struct task *task);

#endif
