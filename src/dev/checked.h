/* Devices as the drivers call them: the backend's table with its contract asserted at each call.
 *
 * Stands between run/ and every backend (launch, complete). A breach of the contract of backend.h
 * by the caller or by a backend is our bug and asserted; what the world does comes back as a
 * status. Owns nothing but what device_open opened. Threads: as backend.h says; submit and poll of
 * one queue from one thread at a time. submit and poll are inline: they are on the hot path.
 */
#ifndef FASTGPU_DEV_CHECKED_H
#define FASTGPU_DEV_CHECKED_H

#include <fastgpu/backend.h>
#include "base/assert.h"
#include "dev/layer/faults.h"
#include "dev/layer/trace.h"
#include "dev/registry.h"

struct device {
    const fgpu_backend *backend; /* NULL: not open */
    void *self;
    fgpu_device_caps caps;
    fgpu_device_info info;
    uint32_t queues_open;
};

struct device_queue {
    struct device *device; /* NULL: not open */
    void *self;
    uint32_t index;
    fgpu_status status; /* sticky: the error that stopped the queue */
    uint64_t accepted;  /* number of the newest command accepted */
    uint64_t finished;  /* number of the newest command known to be finished */
};

/* Opens a device that registry_find gave. [borrow] bell until device_close. */
fgpu_status device_open(struct device *device, const struct registry_match *match,
                        const fgpu_backend_options *options, const fgpu_doorbell *bell);

/* Put a layer around a device that was just opened; the last one put on is the outermost. Order
 * that makes sense: faults, validate, trace. The device works on without the layer when they fail
 * (FGPU_E_NOMEM). `index`: the device's number in its pool. [borrow] bell, sink->user. */
fgpu_status device_wrap_faults(struct device *device, const fgpu_doorbell *bell,
                               const struct faults *faults, uint32_t index);
fgpu_status device_wrap_validate(struct device *device, const fgpu_doorbell *bell);
fgpu_status device_wrap_trace(struct device *device, const struct layer_trace_sink *sink);

/* Closes it; all queues are closed, all memory and code freed. A device that is not open is
 * accepted. */
void device_close(struct device *device);

/* [out] mem: never 0 on success. FGPU_E_DEVMEM when the device is full. bytes > 0. */
fgpu_status device_mem_alloc(struct device *device, uint64_t bytes, fgpu_mem *mem);

/* [out] mem: never 0 on success. FGPU_E_UNSUPPORTED where the device cannot. */
fgpu_status device_mem_stitch(struct device *device, const fgpu_mem_piece *pieces, uint32_t count,
                              fgpu_mem *mem);

/* 0 is accepted. */
void device_mem_free(struct device *device, fgpu_mem mem);

/* Thread: a build thread, at the same time as anything else. [out] built: code is 0 and log may be
 * set when it fails. */
fgpu_status device_code_build(struct device *device, const fgpu_code_source *source,
                              fgpu_code_built *built);
void device_code_free(struct device *device, fgpu_code code);

fgpu_status device_queue_open(struct device *device, uint32_t index, struct device_queue *queue);

/* Waits for what is in flight. A queue that is not open is accepted. */
void device_queue_close(struct device_queue *queue);

/* FGPU_E_UNSUPPORTED when the device has no sensors. */
fgpu_status device_sample(struct device *device, fgpu_device_sample *sample);

/* Why it was lost; "" when it does not say. */
void device_reason(struct device *device, char *text, size_t text_bytes);

/* Launches that can be stopped, on devices with caps.slices: see backend.h for each.
 * FGPU_E_UNSUPPORTED where the device has none. */
fgpu_status device_guard_open(struct device *device, uint64_t groups, fgpu_guard *guard);
void device_guard_close(struct device *device, fgpu_guard guard); /* 0 is accepted */
void device_guard_stop(struct device *device, fgpu_guard guard, bool stop);
uint64_t device_guard_left(struct device *device, fgpu_guard guard, uint64_t first, uint64_t count);
fgpu_status device_live_flag(struct device *device, bool *live);
fgpu_status device_code_warm(struct device *device, const fgpu_cmd_launch *launch);

/* Host memory that copies use without a detour, where caps.host_pins; else FGPU_E_UNSUPPORTED. */
fgpu_status device_host_pin(struct device *device, void *memory, uint64_t bytes);
fgpu_status device_host_unpin(struct device *device, void *memory);

#ifdef FGPU_DEBUG_CHECKS
void device_check_submit(const struct device_queue *queue, const fgpu_cmd *cmds, uint32_t count);
#else
static inline void device_check_submit(const struct device_queue *queue, const fgpu_cmd *cmds,
                                       uint32_t count)
{
    (void)queue;
    (void)cmds;
    (void)count;
}
#endif

/* Submits; returns how many of cmds[0..count) were accepted. Their numbers end at queue->accepted.
 */
static inline uint32_t device_submit(struct device_queue *queue, const fgpu_cmd *cmds,
                                     uint32_t count)
{
    uint64_t last = 0;
    uint32_t taken;

    device_check_submit(queue, cmds, count);
    taken = queue->device->backend->submit(queue->self, cmds, count, &last);
    FGPU_ASSERT(taken <= count);
    FGPU_ASSERT(last == queue->accepted + taken);
    queue->accepted = last;
    return taken;
}

/* Reads how far the queue is; queue->finished is up to date also when it returns an error. */
static inline fgpu_status device_poll(struct device_queue *queue)
{
    uint64_t number = 0;
    fgpu_status status = queue->device->backend->poll(queue->self, &number);

    FGPU_ASSERT(number >= queue->finished && number <= queue->accepted);
    FGPU_ASSERT(status <= FGPU_OK);
    FGPU_ASSERT(queue->status == FGPU_OK || (status != FGPU_OK && number == queue->finished));
    queue->finished = number;
    queue->status = status;
    return status;
}

#endif
