/* Tasks that were placed and not handed out choose anew: back from place to schedule on the walk.
 *
 * Whoever finds that a choice no longer holds (a lost device, a lane that does not get on, another
 * plan, predictions that were wrong) takes it back here. Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_AGAIN_H
#define FASTGPU_CORE_AGAIN_H

#include "core/engine.h"

/* A task that is in no list of its lane any more; its memory there is unpinned. */
void again_task(struct engine *engine, struct task *task);

/* All of a lane's backlog. */
void again_lane(struct engine *engine, struct lane *lane);

/* Of all lanes. */
void again_all(struct engine *engine);

#endif
