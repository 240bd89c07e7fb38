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

/* A task that has run well ends, and its record is free. False: as above. */
bool direct_end(struct engine *engine, struct task *task);

#endif
