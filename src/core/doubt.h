/* Doubt: what an earlier process has measured may be wrong by now, and must not keep a device from
 * ever being tried again.
 *
 * A prediction that is too short corrects itself: the task goes there and is measured. One that is
 * too long does not: nothing goes there any more. So now and then a task is sent where a loaded
 * prediction says it would end later. Each such prediction is asked once in a process, and all of
 * them together may cost a DOUBT_SHARE-th of the work that is done or waits here: one that is wrong
 * by a factor of a few is corrected within a few tasks, one that would cost seconds after that many
 * times as much work. What was measured in this process is not doubted; it follows changes as long
 * as tasks go there (model/recent.h). Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_DOUBT_H
#define FASTGPU_CORE_DOUBT_H

#include "core/engine.h"

#define DOUBT_SHARE 16u

/* Of the engine's `count` candidates for the task, whose costs are known, with `choice` the
 * policy's: where it shall go. */
uint32_t doubt_choose(struct engine *engine, const struct task *task, uint32_t count,
                      uint32_t choice);

/* Would a task of a prediction that is not asked yet be sent there, `extra_ns` beside the best? */
bool doubt_would(const struct engine *engine, const struct task *task, uint32_t model,
                 uint64_t extra_ns);

#endif
