/* A layer that tells what a device is asked and answers: see trace.h. */
#include "dev/layer/trace.h"

#include "base/alloc.h"
#include "base/limits.h"

struct trace_device {
    struct layer_base base;
    struct layer_trace_sink sink;
};

struct trace_queue {
    struct layer_queue base;
    uint64_t accepted;
    uint64_t finished;
    fgpu_status status;
};

static void trace_record(const struct trace_device *trace, const struct layer_trace_event *event)
{
    trace->sink.record(trace->sink.user, event);
}

static fgpu_status trace_mem_alloc(void *device, uint64_t bytes, fgpu_mem *mem)
{
    fgpu_status status = layer_mem_alloc(device, bytes, mem);

    trace_record(device, &(struct layer_trace_event){
                             .kind = LAYER_TRACE_ALLOC, .status = status, .value = bytes});
    return status;
}

static void trace_mem_free(void *device, fgpu_mem mem)
{
    trace_record(device, &(struct layer_trace_event){.kind = LAYER_TRACE_FREE, .value = mem});
    layer_mem_free(device, mem);
}

static fgpu_status trace_code_build(void *device, const fgpu_code_source *source,
                                    fgpu_code_built *built)
{
    fgpu_status status = layer_code_build(device, source, built);

    trace_record(device, &(struct layer_trace_event){
                             .kind = LAYER_TRACE_BUILD, .status = status, .value = built->code});
    return status;
}

static void trace_code_free(void *device, fgpu_code code)
{
    trace_record(device, &(struct layer_trace_event){.kind = LAYER_TRACE_CODE_FREE, .value = code});
    layer_code_free(device, code);
}

static void trace_close(void *device)
{
    struct trace_device *trace = device;

    trace_record(trace, &(struct layer_trace_event){.kind = LAYER_TRACE_CLOSE});
    trace->base.inner.backend->close(trace->base.inner.self);
    alloc_put(NULL, trace, sizeof *trace);
}

static fgpu_status trace_queue_open(void *device, uint32_t index, void **queue)
{
    struct trace_queue *made = alloc_get_zeroed(NULL, sizeof *made, LIMITS_CACHE_LINE);
    fgpu_status status = FGPU_E_NOMEM;

    if (made != NULL)
        status = layer_queue_open(device, index, &made->base);
    trace_record(device, &(struct layer_trace_event){
                             .kind = LAYER_TRACE_QUEUE_OPEN, .queue = index, .status = status});
    if (status != FGPU_OK) {
        alloc_put(NULL, made, sizeof *made);
        return status;
    }
    *queue = made;
    return FGPU_OK;
}

static void trace_queue_close(void *queue)
{
    struct trace_queue *trace = queue;
    struct layer_base *layer = trace->base.layer;

    layer->inner.backend->queue_close(trace->base.inner);
    trace_record(
        (const struct trace_device *)layer,
        &(struct layer_trace_event){.kind = LAYER_TRACE_QUEUE_CLOSE, .queue = trace->base.index});
    alloc_put(NULL, trace, sizeof *trace);
}

/* Commands are told before they are handed on, for their bodies may be gone as soon as they are
 * finished; what was not accepted is taken back by one REFUSED. */
static uint32_t trace_submit(void *queue, const fgpu_cmd *cmds, uint32_t count, uint64_t *last)
{
    struct trace_queue *trace = queue;
    const struct trace_device *device = (const struct trace_device *)trace->base.layer;
    uint32_t taken;

    for (uint32_t i = 0; i < count; i++)
        trace_record(device, &(struct layer_trace_event){.kind = LAYER_TRACE_COMMAND,
                                                         .queue = trace->base.index,
                                                         .number = trace->accepted + i + 1,
                                                         .cmd = &cmds[i]});
    taken =
        trace->base.layer->inner.backend->submit(trace->base.inner, cmds, count, &trace->accepted);
    *last = trace->accepted;
    if (taken < count)
        trace_record(device, &(struct layer_trace_event){.kind = LAYER_TRACE_REFUSED,
                                                         .queue = trace->base.index,
                                                         .number = trace->accepted,
                                                         .value = count - taken});
    return taken;
}

static fgpu_status trace_poll(void *queue, uint64_t *number)
{
    struct trace_queue *trace = queue;
    fgpu_status status = trace->base.layer->inner.backend->poll(trace->base.inner, number);

    if (*number != trace->finished || status != trace->status)
        trace_record((const struct trace_device *)trace->base.layer,
                     &(struct layer_trace_event){.kind = LAYER_TRACE_FINISHED,
                                                 .queue = trace->base.index,
                                                 .status = status,
                                                 .number = *number});
    trace->finished = *number;
    trace->status = status;
    return status;
}

static const fgpu_backend trace_backend = {
    .struct_bytes = sizeof(fgpu_backend),
    .version = FGPU_BACKEND_VERSION,
    .name = "trace",
    .probe = layer_probe,
    .open = layer_open,
    .close = trace_close,
    .caps = layer_caps,
    .mem_alloc = trace_mem_alloc,
    .mem_stitch = layer_mem_stitch,
    .mem_free = trace_mem_free,
    .code_build = trace_code_build,
    .code_free = trace_code_free,
    .queue_open = trace_queue_open,
    .queue_close = trace_queue_close,
    .submit = trace_submit,
    .poll = trace_poll,
    .sample = layer_sample,
    .reason = layer_reason,
    LAYER_GUARDS,
};

fgpu_status layer_trace_wrap(struct layer_device *device, const struct layer_trace_sink *sink)
{
    struct trace_device *trace = alloc_get_zeroed(NULL, sizeof *trace, 16);

    if (trace == NULL)
        return FGPU_E_NOMEM;
    trace->base.inner = *device;
    trace->sink = *sink;
    *device = (struct layer_device){&trace_backend, trace};
    return FGPU_OK;
}
