/* Checked calls of a device: see checked.h. */
#include "dev/checked.h"

#include "dev/layer/fault.h"
#include "dev/layer/validate.h"

fgpu_status device_open(struct device *device, const struct registry_match *match,
                        const fgpu_backend_options *options, const fgpu_doorbell *bell)
{
    fgpu_status status;

    FGPU_ASSERT(match->backend != NULL && options != NULL);
    FGPU_ASSERT(bell != NULL && bell->ring != NULL);
    *device = (struct device){.info = match->info};
    status = match->backend->open(options, match->index, bell, &device->self);
    if (status != FGPU_OK)
        return status;
    FGPU_ASSERT(device->self != NULL);
    device->backend = match->backend;
    device->caps.struct_bytes = sizeof device->caps;
    device->backend->caps(device->self, &device->caps);
    FGPU_ASSERT(device->caps.struct_bytes == sizeof device->caps);
    FGPU_ASSERT(device->caps.queue_count > 0 && device->caps.max_queue_commands > 0);
    FGPU_ASSERT(device->caps.copy_queue_count < device->caps.queue_count);
    FGPU_ASSERT(device->caps.side_queue_count < device->caps.queue_count);
    FGPU_ASSERT(device->caps.side_queue_count == 0 || device->caps.copy_queue_count == 0);
    FGPU_ASSERT(device->caps.offset_align_bytes > 0);
    return FGPU_OK;
}

/* A layer is put on before anything is allocated, built or open. */
static fgpu_status device_wrap(struct device *device, fgpu_status status,
                               const struct layer_device *wrapped)
{
    if (status != FGPU_OK)
        return status;
    device->backend = wrapped->backend;
    device->self = wrapped->self;
    return FGPU_OK;
}

fgpu_status device_wrap_faults(struct device *device, const fgpu_doorbell *bell,
                               const struct faults *faults, uint32_t index)
{
    struct layer_device wrapped = {device->backend, device->self};

    FGPU_ASSERT(device->backend != NULL && device->queues_open == 0 && index < LIMITS_DEVICES);
    return device_wrap(device, layer_fault_wrap(&wrapped, bell, faults, index), &wrapped);
}

fgpu_status device_wrap_validate(struct device *device, const fgpu_doorbell *bell)
{
    struct layer_device wrapped = {device->backend, device->self};

    FGPU_ASSERT(device->backend != NULL && device->queues_open == 0);
    return device_wrap(device, layer_validate_wrap(&wrapped, bell), &wrapped);
}

fgpu_status device_wrap_trace(struct device *device, const struct layer_trace_sink *sink)
{
    struct layer_device wrapped = {device->backend, device->self};

    FGPU_ASSERT(device->backend != NULL && device->queues_open == 0);
    return device_wrap(device, layer_trace_wrap(&wrapped, sink), &wrapped);
}

void device_close(struct device *device)
{
    if (device == NULL || device->backend == NULL)
        return;
    FGPU_ASSERT(device->queues_open == 0);
    device->backend->close(device->self);
    device->backend = NULL;
    device->self = NULL;
}

fgpu_status device_mem_alloc(struct device *device, uint64_t bytes, fgpu_mem *mem)
{
    fgpu_status status;

    FGPU_ASSERT(bytes > 0 && mem != NULL);
    *mem = 0;
    status = device->backend->mem_alloc(device->self, bytes, mem);
    FGPU_ASSERT((status == FGPU_OK) == (*mem != 0));
    return status;
}

fgpu_status device_mem_stitch(struct device *device, const fgpu_mem_piece *pieces, uint32_t count,
                              fgpu_mem *mem)
{
    *mem = 0;
    if (device->backend->mem_stitch == NULL || device->caps.stitch_bytes == 0)
        return FGPU_E_UNSUPPORTED;
    for (uint32_t i = 0; i < count; i++)
        FGPU_ASSERT(pieces[i].bytes > 0 && pieces[i].bytes % device->caps.stitch_bytes == 0 &&
                    pieces[i].offset_bytes % device->caps.stitch_bytes == 0);
    fgpu_status status = device->backend->mem_stitch(device->self, pieces, count, mem);
    FGPU_ASSERT((status == FGPU_OK) == (*mem != 0));
    return status;
}

void device_mem_free(struct device *device, fgpu_mem mem)
{
    if (mem != 0)
        device->backend->mem_free(device->self, mem);
}

fgpu_status device_code_build(struct device *device, const fgpu_code_source *source,
                              fgpu_code_built *built)
{
    fgpu_status status;

    FGPU_ASSERT(source != NULL && built != NULL && source->options != NULL);
    FGPU_ASSERT((device->caps.variants & 1u << source->kind) != 0);
    *built = (fgpu_code_built){0};
    status = device->backend->code_build(device->self, source, built);
    FGPU_ASSERT((status == FGPU_OK) == (built->code != 0));
    return status;
}

void device_code_free(struct device *device, fgpu_code code)
{
    if (code != 0)
        device->backend->code_free(device->self, code);
}

fgpu_status device_queue_open(struct device *device, uint32_t index, struct device_queue *queue)
{
    fgpu_status status;

    FGPU_ASSERT(device->backend != NULL && index < device->caps.queue_count);
    *queue = (struct device_queue){.index = index};
    status = device->backend->queue_open(device->self, index, &queue->self);
    if (status != FGPU_OK)
        return status;
    FGPU_ASSERT(queue->self != NULL);
    queue->device = device;
    device->queues_open++;
    return FGPU_OK;
}

void device_queue_close(struct device_queue *queue)
{
    if (queue == NULL || queue->device == NULL)
        return;
    queue->device->backend->queue_close(queue->self);
    queue->device->queues_open--;
    queue->device = NULL;
}

fgpu_status device_sample(struct device *device, fgpu_device_sample *sample)
{
    FGPU_ASSERT(sample != NULL && sample->struct_bytes == sizeof *sample);
    if (device->backend->sample == NULL)
        return FGPU_E_UNSUPPORTED;
    return device->backend->sample(device->self, sample);
}

void device_reason(struct device *device, char *text, size_t text_bytes)
{
    FGPU_ASSERT(text != NULL && text_bytes > 0);
    text[0] = '\0';
    if (device->backend->reason != NULL)
        device->backend->reason(device->self, text, text_bytes);
}

/* ---- launches that can be stopped ------------------------------------------------------- */

fgpu_status device_guard_open(struct device *device, uint64_t groups, fgpu_guard *guard)
{
    fgpu_status status;

    FGPU_ASSERT(groups > 0 && guard != NULL);
    *guard = 0;
    if (device->caps.slices == 0)
        return FGPU_E_UNSUPPORTED;
    status = device->backend->guard_open(device->self, groups, guard);
    FGPU_ASSERT((status == FGPU_OK) == (*guard != 0));
    return status;
}

void device_guard_close(struct device *device, fgpu_guard guard)
{
    if (guard != 0)
        device->backend->guard_close(device->self, guard);
}

void device_guard_stop(struct device *device, fgpu_guard guard, bool stop)
{
    FGPU_ASSERT(guard != 0);
    device->backend->guard_stop(device->self, guard, stop ? 1 : 0);
}

uint64_t device_guard_left(struct device *device, fgpu_guard guard, uint64_t first, uint64_t count)
{
    uint64_t left;

    FGPU_ASSERT(guard != 0);
    left = device->backend->guard_left(device->self, guard, first, count);
    FGPU_ASSERT(left <= count);
    return left;
}

fgpu_status device_live_flag(struct device *device, bool *live)
{
    uint32_t told = 0;
    fgpu_status status = FGPU_E_UNSUPPORTED;

    if (device->caps.slices != 0)
        status = device->backend->live_flag(device->self, &told);
    *live = status == FGPU_OK && told != 0;
    return status;
}

fgpu_status device_code_warm(struct device *device, const fgpu_cmd_launch *launch)
{
    FGPU_ASSERT(launch != NULL && launch->code != 0);
    if (device->caps.slices == 0)
        return FGPU_E_UNSUPPORTED;
    return device->backend->code_warm(device->self, launch);
}

fgpu_status device_host_pin(struct device *device, void *memory, uint64_t bytes)
{
    FGPU_ASSERT(memory != NULL && bytes > 0);
    if (device->caps.host_pins == 0)
        return FGPU_E_UNSUPPORTED;
    return device->backend->host_pin(device->self, memory, bytes);
}

fgpu_status device_host_unpin(struct device *device, void *memory)
{
    FGPU_ASSERT(device->caps.host_pins != 0);
    return device->backend->host_unpin(device->self, memory);
}

#ifdef FGPU_DEBUG_CHECKS
void device_check_submit(const struct device_queue *queue, const fgpu_cmd *cmds, uint32_t count)
{
    FGPU_ASSERT(queue->device != NULL);
    FGPU_ASSERT(count == 0 || cmds != NULL);
    for (uint32_t i = 0; i < count; i++) {
        FGPU_ASSERT(cmds[i].body != NULL);
        FGPU_ASSERT(cmds[i].kind >= FGPU_CMD_LAUNCH && cmds[i].kind <= FGPU_CMD_BATCH);
        FGPU_ASSERT(cmds[i].kind != FGPU_CMD_HOST || queue->device->caps.host_calls != 0);
        FGPU_ASSERT(cmds[i].kind != FGPU_CMD_BATCH || queue->device->caps.batches != 0);
    }
}
#endif
