/* What is done about a lost device. See fault.c.
 *
 * Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_FAULT_H
#define FASTGPU_CORE_FAULT_H

#include "core/engine.h"

/* A task leaves its lane without having ended: it will be placed again, or is doomed when data it
 * needs are torn. [in] torn: it may have run. */
void fault_take_back(struct engine *engine, struct task *task, bool torn);

/* The same for one of which no command is counted as in flight. */
void fault_return(struct engine *engine, struct task *task, bool torn);

/* The device no longer counts: its tasks are taken back, its memory is forgotten. */
void fault_device(struct engine *engine, uint32_t device, const char *reason);

/* Is there a device left that takes tasks? */
bool fault_any_lives(const struct engine *engine);

#endif
