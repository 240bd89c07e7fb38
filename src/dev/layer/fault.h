/* A layer that injects seeded faults: what a device may do at worst and still be legal.
 *
 * For tests of everything above the devices (complete, fault handling), in real pools too. Shorter
 * submissions, failed allocations and builds, commands that fail alone, a device that is lost, one
 * that is slow. A command that is to fail is replaced by one that the device below refuses, so that
 * it has no effect and the device's own skipping of chained commands follows it. What the fault
 * layer does to one queue is a function of the seed, the device, the queue and its calls.
 */
#ifndef FASTGPU_DEV_LAYER_FAULT_H
#define FASTGPU_DEV_LAYER_FAULT_H

#include "dev/layer/faults.h"
#include "dev/layer/layer.h"

/* Wraps the device, which is number `index` of its pool. [borrow] bell until it is closed.
 * FGPU_E_NOMEM. */
fgpu_status layer_fault_wrap(struct layer_device *device, const fgpu_doorbell *bell,
                             const struct faults *faults, uint32_t index);

#endif
