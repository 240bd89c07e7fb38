/* What every layer shares: see layer.h. */
#include "dev/layer/layer.h"

#include <stdio.h>

void layer_caps(void *device, fgpu_device_caps *caps)
{
    const struct layer_base *layer = device;

    layer->inner.backend->caps(layer->inner.self, caps);
}

fgpu_status layer_mem_alloc(void *device, uint64_t bytes, fgpu_mem *mem)
{
    const struct layer_base *layer = device;

    return layer->inner.backend->mem_alloc(layer->inner.self, bytes, mem);
}

fgpu_status layer_mem_stitch(void *device, const fgpu_mem_piece *pieces, uint32_t count,
                             fgpu_mem *mem)
{
    const struct layer_base *layer = device;

    if (layer->inner.backend->mem_stitch == NULL)
        return FGPU_E_UNSUPPORTED;
    return layer->inner.backend->mem_stitch(layer->inner.self, pieces, count, mem);
}

void layer_mem_free(void *device, fgpu_mem mem)
{
    const struct layer_base *layer = device;

    layer->inner.backend->mem_free(layer->inner.self, mem);
}

fgpu_status layer_code_build(void *device, const fgpu_code_source *source, fgpu_code_built *built)
{
    const struct layer_base *layer = device;

    return layer->inner.backend->code_build(layer->inner.self, source, built);
}

void layer_code_free(void *device, fgpu_code code)
{
    const struct layer_base *layer = device;

    layer->inner.backend->code_free(layer->inner.self, code);
}

fgpu_status layer_sample(void *device, fgpu_device_sample *sample)
{
    const struct layer_base *layer = device;

    if (layer->inner.backend->sample == NULL)
        return FGPU_E_UNSUPPORTED;
    return layer->inner.backend->sample(layer->inner.self, sample);
}

void layer_reason(void *device, char *text, size_t text_bytes)
{
    const struct layer_base *layer = device;

    (void)snprintf(text, text_bytes, "%s", "");
    if (layer->inner.backend->reason != NULL)
        layer->inner.backend->reason(layer->inner.self, text, text_bytes);
}

fgpu_status layer_guard_open(void *device, uint64_t groups, fgpu_guard *guard)
{
    const struct layer_base *layer = device;

    return layer->inner.backend->guard_open(layer->inner.self, groups, guard);
}

void layer_guard_close(void *device, fgpu_guard guard)
{
    const struct layer_base *layer = device;

    layer->inner.backend->guard_close(layer->inner.self, guard);
}

void layer_guard_stop(void *device, fgpu_guard guard, uint32_t stop)
{
    const struct layer_base *layer = device;

    layer->inner.backend->guard_stop(layer->inner.self, guard, stop);
}

uint64_t layer_guard_left(void *device, fgpu_guard guard, uint64_t first, uint64_t count)
{
    const struct layer_base *layer = device;

    return layer->inner.backend->guard_left(layer->inner.self, guard, first, count);
}

fgpu_status layer_live_flag(void *device, uint32_t *live)
{
    const struct layer_base *layer = device;

    return layer->inner.backend->live_flag(layer->inner.self, live);
}

fgpu_status layer_code_warm(void *device, const fgpu_cmd_launch *launch)
{
    const struct layer_base *layer = device;

    return layer->inner.backend->code_warm(layer->inner.self, launch);
}

fgpu_status layer_host_pin(void *device, void *memory, uint64_t bytes)
{
    const struct layer_base *layer = device;

    return layer->inner.backend->host_pin(layer->inner.self, memory, bytes);
}

fgpu_status layer_host_unpin(void *device, void *memory)
{
    const struct layer_base *layer = device;

    return layer->inner.backend->host_unpin(layer->inner.self, memory);
}

fgpu_status layer_queue_open(struct layer_base *layer, uint32_t index, struct layer_queue *queue)
{
    queue->layer = layer;
    queue->index = index;
    return layer->inner.backend->queue_open(layer->inner.self, index, &queue->inner);
}

fgpu_status layer_probe(const fgpu_backend_options *options, fgpu_device_info *infos,
                        uint32_t capacity, uint32_t *count, char *why, size_t why_bytes)
{
    (void)options;
    (void)infos;
    (void)capacity;
    *count = 0;
    (void)snprintf(why, why_bytes, "a layer is wrapped around an open device");
    return FGPU_E_UNSUPPORTED;
}

fgpu_status layer_open(const fgpu_backend_options *options, uint32_t index,
                       const fgpu_doorbell *bell, void **device)
{
    (void)options;
    (void)index;
    (void)bell;
    *device = NULL;
    return FGPU_E_UNSUPPORTED;
}
