/* A layer that checks every command and every answer against the contract of backend.h.
 *
 * For development and tests (FGPU_POOL_VALIDATE): it stands outermost, between the checked calls
 * and whatever else is wrapped. It knows every allocation, all code and everything in flight. What
 * is checked of the caller: kinds, flags and bodies; no body in flight twice; handles known, ranges
 * inside their allocations (on devices that work in host memory an address that was never allocated
 * here is exempt), offsets aligned; grids and groups within the device's limits; nothing freed that
 * is in flight. Of the device: numbers, results written, the skipping of chained commands. The
 * first violation stops all queues with FGPU_E_DEVICE, and reason() says what it was.
 * Thread: as the device below; a lock inside.
 */
#ifndef FASTGPU_DEV_LAYER_VALIDATE_H
#define FASTGPU_DEV_LAYER_VALIDATE_H

#include "dev/layer/layer.h"

/* Wraps the device, of which nothing is allocated or open yet. [borrow] bell until it is closed.
 * FGPU_E_NOMEM. */
fgpu_status layer_validate_wrap(struct layer_device *device, const fgpu_doorbell *bell);

#endif
