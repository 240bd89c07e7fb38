/* What the validate layer knows: allocations, code, commands in flight, the first violation.
 *
 * Owned by the layer's device. Thread: with the device's lock held, except where said.
 */
#ifndef FASTGPU_DEV_LAYER_VALIDATE_STATE_H
#define FASTGPU_DEV_LAYER_VALIDATE_STATE_H

#include <stdbool.h>
#include "base/atomic.h"
#include "base/lock.h"
#include "base/map.h"
#include "dev/layer/layer.h"

#define VALIDATE_REASON_BYTES 256

struct validate_device {
    struct layer_base base;
    fgpu_device_caps caps;
    struct lock lock;               /* guards what follows */
    struct map memory;              /* fgpu_mem -> bytes */
    struct map code;                /* fgpu_code -> 1 */
    struct map bodies;              /* bodies in flight -> 1 */
    struct validate_queue **queues; /* caps.queue_count places; NULL: not open */
    _Atomic uint32_t broken;        /* the reason is set; read without the lock too */
    char reason[VALIDATE_REASON_BYTES];
};

struct validate_queue {
    struct layer_queue base;
    fgpu_status dead;
    bool skipping; /* as it follows from the results reported so far */
    uint64_t accepted;
    uint64_t finished;
    fgpu_cmd *flying; /* numbers finished + 1 .. accepted, at number % caps.max_queue_commands */
};

/* Notes the first violation and rings the doorbell. Returns false, for the caller to pass on. */
bool validate_violation(struct validate_device *device, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* True when a command in flight in any queue uses this memory / this code. */
bool validate_memory_flies(const struct validate_device *device, fgpu_mem mem);
bool validate_code_flies(const struct validate_device *device, fgpu_code code);

/* Checks a command that is about to become `number` of the queue. */
bool validate_command(struct validate_queue *queue, const fgpu_cmd *cmd, uint64_t number);

#endif
