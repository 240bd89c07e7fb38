/* A layer that checks every command and every answer: see validate.h. */
#include "dev/layer/validate.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include "base/error.h"
#include "base/limits.h"
#include "dev/layer/validate_state.h"

/* No device may leave this as a result. */
#define VALIDATE_UNWRITTEN INT32_MIN

bool validate_violation(struct validate_device *device, const char *format, ...)
{
    va_list values;

    if (atomic_load_relaxed_u32(&device->broken) != 0)
        return false;
    va_start(values, format);
    (void)vsnprintf(device->reason, sizeof device->reason, format, values);
    va_end(values);
    atomic_store_release_u32(&device->broken, 1);
    device->base.bell->ring(device->base.bell->arg);
    return false;
}

static bool validate_is_broken(const struct validate_device *device)
{
    return atomic_load_acquire_u32(&device->broken) != 0;
}

/* ---- what is in flight ------------------------------------------------------------------ */

static bool validate_cmd_uses_memory(const fgpu_cmd *cmd, fgpu_mem mem)
{
    const fgpu_cmd_batch *batch = cmd->body;
    const fgpu_cmd_launch *launch = cmd->body;
    const fgpu_cmd_copy *copy = cmd->body;
    const fgpu_cmd_fill *fill = cmd->body;

    if (cmd->kind == FGPU_CMD_COPY)
        return (copy->src == mem && copy->src_is_host == 0) ||
               (copy->dst == mem && copy->dst_is_host == 0);
    if (cmd->kind == FGPU_CMD_FILL)
        return fill->mem == mem;
    for (uint32_t i = 0; cmd->kind == FGPU_CMD_BATCH && i < batch->count; i++)
        if (validate_cmd_uses_memory(&batch->cmds[i], mem))
            return true;
    for (uint32_t i = 0; cmd->kind == FGPU_CMD_LAUNCH && i < launch->arg_count; i++)
        if (launch->args[i].kind == FGPU_ARG_BUFFER && launch->args[i].u.buffer.mem == mem)
            return true;
    return false;
}

static bool validate_cmd_uses_code(const fgpu_cmd *cmd, fgpu_code code)
{
    const fgpu_cmd_batch *batch = cmd->body;

    for (uint32_t i = 0; cmd->kind == FGPU_CMD_BATCH && i < batch->count; i++)
        if (validate_cmd_uses_code(&batch->cmds[i], code))
            return true;
    return cmd->kind == FGPU_CMD_LAUNCH && ((const fgpu_cmd_launch *)cmd->body)->code == code;
}

static const fgpu_cmd *validate_flying(const struct validate_queue *queue, uint64_t number)
{
    const struct validate_device *device = (const struct validate_device *)queue->base.layer;

    return &queue->flying[number % device->caps.max_queue_commands];
}

bool validate_memory_flies(const struct validate_device *device, fgpu_mem mem)
{
    for (uint32_t i = 0; i < device->caps.queue_count; i++) {
        const struct validate_queue *queue = device->queues[i];
        for (uint64_t n = queue != NULL ? queue->finished + 1 : 1;
             queue != NULL && n <= queue->accepted; n++)
            if (validate_cmd_uses_memory(validate_flying(queue, n), mem))
                return true;
    }
    return false;
}

bool validate_code_flies(const struct validate_device *device, fgpu_code code)
{
    for (uint32_t i = 0; i < device->caps.queue_count; i++) {
        const struct validate_queue *queue = device->queues[i];
        for (uint64_t n = queue != NULL ? queue->finished + 1 : 1;
             queue != NULL && n <= queue->accepted; n++)
            if (validate_cmd_uses_code(validate_flying(queue, n), code))
                return true;
    }
    return false;
}

/* ---- memory and code -------------------------------------------------------------------- */

static fgpu_status validate_mem_alloc(void *self, uint64_t bytes, fgpu_mem *mem)
{
    struct validate_device *device = self;
    fgpu_status status = layer_mem_alloc(self, bytes, mem);

    if (status != FGPU_OK)
        return status;
    lock_acquire(&device->lock);
    if (map_get(&device->memory, *mem, NULL))
        (void)validate_violation(device, "device gave the memory handle %" PRIu64 " twice", *mem);
    status = map_put(&device->memory, *mem, bytes);
    lock_release(&device->lock);
    if (status != FGPU_OK) {
        layer_mem_free(self, *mem);
        *mem = 0;
    }
    return status;
}

static fgpu_status validate_mem_stitch(void *self, const fgpu_mem_piece *pieces, uint32_t count,
                                       fgpu_mem *mem)
{
    struct validate_device *device = self;
    uint64_t bytes = 0, known = 0;
    fgpu_status status = layer_mem_stitch(self, pieces, count, mem);

    if (status != FGPU_OK)
        return status;
    lock_acquire(&device->lock);
    for (uint32_t i = 0; i < count; i++) {
        if (!map_get(&device->memory, pieces[i].mem, &known) || pieces[i].bytes > known ||
            pieces[i].offset_bytes > known - pieces[i].bytes)
            (void)validate_violation(device, "piece %" PRIu32 " is no part of its memory", i);
        bytes += pieces[i].bytes;
    }
    status = map_put(&device->memory, *mem, bytes);
    lock_release(&device->lock);
    if (status != FGPU_OK) {
        layer_mem_free(self, *mem);
        *mem = 0;
    }
    return status;
}

static void validate_mem_free(void *self, fgpu_mem mem)
{
    struct validate_device *device = self;
    bool known;

    lock_acquire(&device->lock);
    if (validate_memory_flies(device, mem))
        (void)validate_violation(device, "memory %" PRIu64 " is freed while in flight", mem);
    known = map_del(&device->memory, mem);
    if (!known)
        (void)validate_violation(device, "memory %" PRIu64 " is freed but not known", mem);
    lock_release(&device->lock);
    if (known)
        layer_mem_free(self, mem);
}

static fgpu_status validate_code_build(void *self, const fgpu_code_source *source,
                                       fgpu_code_built *built)
{
    struct validate_device *device = self;
    fgpu_status status = layer_code_build(self, source, built);

    if (status != FGPU_OK)
        return status;
    lock_acquire(&device->lock);
    /* Devices may give one handle several times (null does): count them. */
    uint64_t *uses = map_find(&device->code, built->code);
    status = map_put(&device->code, built->code, uses != NULL ? *uses + 1 : 1);
    lock_release(&device->lock);
    if (status != FGPU_OK)
        layer_code_free(self, built->code);
    return status;
}

static void validate_code_free(void *self, fgpu_code code)
{
    struct validate_device *device = self;
    uint64_t uses = 0;

    lock_acquire(&device->lock);
    if (validate_code_flies(device, code))
        (void)validate_violation(device, "code %" PRIu64 " is freed while in flight", code);
    if (!map_get(&device->code, code, &uses))
        (void)validate_violation(device, "code %" PRIu64 " is freed but not known", code);
    else if (uses == 1)
        (void)map_del(&device->code, code);
    else
        *map_find(&device->code, code) = uses - 1;
    lock_release(&device->lock);
    if (uses > 0)
        layer_code_free(self, code);
}

/* ---- queues ----------------------------------------------------------------------------- */

static fgpu_status validate_queue_open(void *self, uint32_t index, void **queue)
{
    struct validate_device *device = self;
    size_t flying_bytes = device->caps.max_queue_commands * sizeof(fgpu_cmd);
    struct validate_queue *made = alloc_get_zeroed(NULL, sizeof *made, 16);
    fgpu_status status = FGPU_E_NOMEM;

    if (made == NULL)
        return error_set(status, "validate layer: no memory for a queue");
    made->flying = alloc_get_zeroed(NULL, flying_bytes, 16);
    if (made->flying != NULL)
        status = layer_queue_open(&device->base, index, &made->base);
    if (status != FGPU_OK) {
        alloc_put(NULL, made->flying, flying_bytes);
        alloc_put(NULL, made, sizeof *made);
        return status;
    }
    lock_acquire(&device->lock);
    if (index < device->caps.queue_count)
        device->queues[index] = made;
    lock_release(&device->lock);
    *queue = made;
    return FGPU_OK;
}

static void validate_queue_close(void *self)
{
    struct validate_queue *queue = self;
    struct validate_device *device = (struct validate_device *)queue->base.layer;

    device->base.inner.backend->queue_close(queue->base.inner);
    lock_acquire(&device->lock);
    for (uint64_t n = queue->finished + 1; n <= queue->accepted; n++)
        (void)map_del(&device->bodies, (uintptr_t)validate_flying(queue, n)->body);
    if (queue->base.index < device->caps.queue_count)
        device->queues[queue->base.index] = NULL;
    lock_release(&device->lock);
    alloc_put(NULL, queue->flying, device->caps.max_queue_commands * sizeof(fgpu_cmd));
    alloc_put(NULL, queue, sizeof *queue);
}

/* Notes one command as being in flight; false when it must not go on. */
static bool validate_take_off(struct validate_queue *queue, const fgpu_cmd *cmd, uint64_t number)
{
    struct validate_device *device = (struct validate_device *)queue->base.layer;

    if (!validate_command(queue, cmd, number))
        return false;
    if (map_put(&device->bodies, (uintptr_t)cmd->body, number) != FGPU_OK)
        return validate_violation(device, "no memory to follow command %" PRIu64, number);
    ((fgpu_cmd_result *)cmd->body)->status = VALIDATE_UNWRITTEN;
    return true;
}

/* Checks and hands on one command after the other, so that what is in flight is known at once. */
static uint32_t validate_submit(void *self, const fgpu_cmd *cmds, uint32_t count, uint64_t *last)
{
    struct validate_queue *queue = self;
    struct validate_device *device = (struct validate_device *)queue->base.layer;
    uint32_t max = device->caps.max_queue_commands;
    uint32_t done = 0;
    uint64_t number;

    lock_acquire(&device->lock);
    while (done < count && !validate_is_broken(device) && queue->accepted - queue->finished < max) {
        const fgpu_cmd *cmd = &cmds[done];
        if (!validate_take_off(queue, cmd, queue->accepted + 1))
            break;
        queue->flying[(queue->accepted + 1) % max] = *cmd;
        uint32_t taken = device->base.inner.backend->submit(queue->base.inner, cmd, 1, &number);
        if (taken == 0)
            (void)map_del(&device->bodies, (uintptr_t)cmd->body);
        if (taken > 1 || number != queue->accepted + taken)
            (void)validate_violation(device, "queue %u: device took %u of 1, number %" PRIu64,
                                     queue->base.index, taken, number);
        if (taken != 1)
            break;
        queue->accepted++;
        done++;
    }
    *last = queue->accepted;
    lock_release(&device->lock);
    return done;
}

/* The next command has finished: is its result what the contract says? */
static void validate_land(struct validate_queue *queue, uint64_t number)
{
    struct validate_device *device = (struct validate_device *)queue->base.layer;
    const fgpu_cmd *cmd = validate_flying(queue, number);
    int32_t status = ((const fgpu_cmd_result *)cmd->body)->status;
    bool skipped =
        queue->skipping && (cmd->flags & FGPU_CMD_CHAINED) != 0 && cmd->kind != FGPU_CMD_FENCE;

    const fgpu_cmd_batch *batch = cmd->kind == FGPU_CMD_BATCH ? cmd->body : NULL;
    if (batch != NULL && (batch->done > batch->begun || batch->begun > batch->count ||
                          (status == FGPU_OK && batch->done != batch->count)))
        (void)validate_violation(device, "queue %u command %" PRIu64 ": %u of %u done, %u begun",
                                 queue->base.index, number, batch->done, batch->count,
                                 batch->begun);
    if (status == VALIDATE_UNWRITTEN || status > 0)
        (void)validate_violation(device, "queue %u command %" PRIu64 ": result not written",
                                 queue->base.index, number);
    if (skipped != (status == FGPU_E_CANCELLED))
        (void)validate_violation(
            device, "queue %u command %" PRIu64 ": %s skipped, its result is %s", queue->base.index,
            number, skipped ? "to be" : "not to be", fgpu_status_name(status));
    if (cmd->kind == FGPU_CMD_FENCE)
        queue->skipping = false;
    if (status != FGPU_OK)
        queue->skipping = true;
    (void)map_del(&device->bodies, (uintptr_t)cmd->body);
}

static fgpu_status validate_poll(void *self, uint64_t *number)
{
    struct validate_queue *queue = self;
    struct validate_device *device = (struct validate_device *)queue->base.layer;
    uint64_t finished = 0;

    lock_acquire(&device->lock);
    if (queue->dead == FGPU_OK) {
        queue->dead = device->base.inner.backend->poll(queue->base.inner, &finished);
        if (finished < queue->finished || finished > queue->accepted)
            (void)validate_violation(device,
                                     "queue %u: device finished %" PRIu64 ", before %" PRIu64
                                     ", accepted %" PRIu64,
                                     queue->base.index, finished, queue->finished, queue->accepted);
        else
            while (queue->finished < finished) {
                validate_land(queue, queue->finished + 1);
                queue->finished++;
            }
        if (queue->dead == FGPU_OK && validate_is_broken(device))
            queue->dead = FGPU_E_DEVICE;
    }
    *number = queue->finished;
    lock_release(&device->lock);
    return queue->dead;
}

/* ---- life ------------------------------------------------------------------------------- */

static void validate_reason(void *self, char *text, size_t text_bytes)
{
    struct validate_device *device = self;

    if (validate_is_broken(device))
        (void)snprintf(text, text_bytes, "validate layer: %s", device->reason);
    else
        layer_reason(self, text, text_bytes);
}

static void validate_close(void *self)
{
    struct validate_device *device = self;

    device->base.inner.backend->close(device->base.inner.self);
    map_fini(&device->memory);
    map_fini(&device->code);
    map_fini(&device->bodies);
    alloc_put(NULL, device->queues, device->caps.queue_count * sizeof(void *));
    alloc_put(NULL, device, sizeof *device);
}

static const fgpu_backend validate_backend = {
    .struct_bytes = sizeof(fgpu_backend),
    .version = FGPU_BACKEND_VERSION,
    .name = "validate",
    .probe = layer_probe,
    .open = layer_open,
    .close = validate_close,
    .caps = layer_caps,
    .mem_alloc = validate_mem_alloc,
    .mem_stitch = validate_mem_stitch,
    .mem_free = validate_mem_free,
    .code_build = validate_code_build,
    .code_free = validate_code_free,
    .queue_open = validate_queue_open,
    .queue_close = validate_queue_close,
    .submit = validate_submit,
    .poll = validate_poll,
    .sample = layer_sample,
    .reason = validate_reason,
    LAYER_GUARDS,
};

fgpu_status layer_validate_wrap(struct layer_device *device, const fgpu_doorbell *bell)
{
    struct validate_device *made = alloc_get_zeroed(NULL, sizeof *made, 16);

    if (made == NULL)
        return error_set(FGPU_E_NOMEM, "validate layer: no memory");
    device->backend->caps(device->self, &made->caps);
    made->queues = alloc_get_zeroed(NULL, made->caps.queue_count * sizeof(void *), 16);
    if (made->queues == NULL) {
        alloc_put(NULL, made, sizeof *made);
        return error_set(FGPU_E_NOMEM, "validate layer: no memory");
    }
    made->base.inner = *device;
    made->base.bell = bell;
    lock_init(&made->lock);
    map_init(&made->memory, NULL);
    map_init(&made->code, NULL);
    map_init(&made->bodies, NULL);
    *device = (struct layer_device){&validate_backend, made};
    return FGPU_OK;
}
