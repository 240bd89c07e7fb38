/* Step 8, learn: measured against predicted. See learn.c.
 *
 * Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_LEARN_H
#define FASTGPU_CORE_LEARN_H

#include "core/engine.h"

/* A task has finished on its lane: model, statistics, trace. */
void learn_task(struct engine *engine, struct task *task, fgpu_status status);

/* A copy has been made on its lane, in `result`'s time: model of links. */
void learn_copy(struct engine *engine, const struct op *op);

#endif
