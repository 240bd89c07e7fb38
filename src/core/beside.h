/* Small kernels beside others: a device that a task does not fill may run several at once.
 *
 * Such a device has lanes besides its usual ones (caps.side_queue_count), that take tasks of so few
 * work groups that one on each of its lanes still leaves some of the device idle, and nothing else.
 * Policies and plans do not know of them: they choose the device, this file the lane. Runs under
 * the engine's lock.
 */
#ifndef FASTGPU_CORE_BESIDE_H
#define FASTGPU_CORE_BESIDE_H

#include "core/engine.h"

/* May the task run beside others on the device? */
bool beside_fits(const struct engine *engine, const struct task *task,
                 const struct engine_device *device);

/* After the task was placed: to the lane of its device that is free first, where it may run beside
 * others. */
void beside_place(struct engine *engine, struct task *task);

/* With how many others did the task, which ran on the lane from `start_ns` by the device's clock,
 * share the device, though it would use all of it? 0: its time is an exclusive one. */
uint32_t beside_others(const struct engine *engine, const struct task *task,
                       const struct lane *lane, uint64_t start_ns);

#endif
