/* Small copies as one: see gather.h. */
#include "dev/cuda/gather.h"

#include <stdlib.h>
#include <string.h>
#include "dev/cuda/stage.h"
#include "dev/host/region.h"

/* One of them; host: on its side. */
struct gather_item {
    char *host;
    cuda_ptr card;
    uint64_t bytes;
    uint64_t at; /* in the pinned memory */
};

/* What the host's function moves. */
struct gather_call {
    struct cuda_queue *queue;
    uint32_t count;
    bool out; /* from the card */
    struct gather_item items[];
};

struct gather_range {
    uint64_t begin, end;
};

/* ---- which ---------------------------------------------------------------------------------- */

static bool gather_is_small(const fgpu_cmd_copy *copy)
{
    bool flat = copy->rows == 1 || (copy->src_pitch_bytes == copy->row_bytes &&
                                    copy->dst_pitch_bytes == copy->row_bytes);

    return flat && copy->rows > 0 && copy->row_bytes > 0 && copy->src != 0 && copy->dst != 0 &&
           copy->row_bytes <= LIMITS_CUDA_GATHER_BYTES &&
           copy->rows <= LIMITS_CUDA_GATHER_BYTES / copy->row_bytes &&
           (copy->src_is_host != 0) != (copy->dst_is_host != 0) &&
           region_copy_status(copy) == FGPU_OK;
}

static struct gather_item gather_item(const fgpu_cmd_copy *copy)
{
    uint64_t src = copy->src + copy->src_offset_bytes, dst = copy->dst + copy->dst_offset_bytes;
    bool out = copy->dst_is_host != 0;
    struct gather_item item = {.card = out ? src : dst, .bytes = copy->row_bytes * copy->rows};

    item.host = (char *)(uintptr_t)(out ? dst : src);
    return item;
}

static int gather_compare(const void *a, const void *b)
{
    const struct gather_range *x = a, *y = b;

    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* Does each byte come from one of them only? They may be carried out in any order. */
static bool gather_is_apart(const fgpu_cmd *cmds, uint32_t count)
{
    struct gather_range ranges[LIMITS_CUDA_GATHER];

    for (uint32_t i = 0; i < count; i++) {
        const fgpu_cmd_copy *copy = cmds[i].body;
        ranges[i].begin = copy->dst + copy->dst_offset_bytes;
        ranges[i].end = ranges[i].begin + copy->row_bytes * copy->rows;
    }
    qsort(ranges, count, sizeof ranges[0], gather_compare);
    for (uint32_t i = 1; i < count; i++)
        if (ranges[i].begin < ranges[i - 1].end)
            return false;
    return true;
}

struct cuda_run cuda_gather_find(const struct cuda_queue *queue, const fgpu_cmd *cmds,
                                 uint32_t count)
{
    const fgpu_cmd_copy *first = cmds[0].body;
    struct cuda_run run = {.count = 0};
    uint64_t bytes = 0;
    uint32_t n = 0;

    if (count < LIMITS_CUDA_GATHER_LEAST || queue->skip || cmds[0].kind != FGPU_CMD_COPY ||
        !gather_is_small(first))
        return run;
    for (; n < count && n < LIMITS_CUDA_GATHER; n++) {
        const fgpu_cmd_copy *copy = cmds[n].body;
        if (cmds[n].kind != FGPU_CMD_COPY || !gather_is_small(copy) ||
            copy->dst_is_host != first->dst_is_host)
            break;
        struct gather_item item = gather_item(copy);
        bool is_pinned = cuda_stage_pinned(queue->api, item.host, item.bytes);
        bytes += item.bytes;
        if ((n > 0 && is_pinned != run.pinned) || (!is_pinned && bytes > LIMITS_CUDA_STAGE_BYTES))
            break;
        run.pinned = is_pinned;
    }
    run.count = n;
    run.apart = n >= LIMITS_CUDA_GATHER_LEAST && gather_is_apart(cmds, n);
    return run;
}

/* ---- how ------------------------------------------------------------------------------------ */

/* Called by the driver, in the stream's order. */
static void gather_move(void *user)
{
    const struct gather_call *call = user;
    struct cuda_queue *queue = call->queue;

    (void)atomic_add_seqcst_u32(&queue->inside, 1);
    for (uint32_t i = 0; i < call->count && atomic_load_seqcst_u32(&queue->dead) == 0; i++) {
        const struct gather_item *item = &call->items[i];
        if (call->out)
            memcpy(item->host, queue->stage + item->at, item->bytes);
        else
            memcpy(queue->stage + item->at, item->host, item->bytes);
    }
    (void)atomic_sub_acqrel_u32(&queue->inside, 1);
}

/* All in one call; CUDA_ERROR_NOT_SUPPORTED where the driver has none that works. */
static cuda_result gather_batch(struct cuda_queue *queue, const struct gather_call *call,
                                bool staged)
{
    const struct cuda_api *api = queue->api;
    struct cuda_copy_attributes attributes = {.src_order = CUDA_COPY_ORDER_STREAM};
    cuda_ptr host[LIMITS_CUDA_GATHER], card[LIMITS_CUDA_GATHER];
    size_t sizes[LIMITS_CUDA_GATHER], first = 0, failed = 0;
    cuda_ptr *dst = call->out ? host : card, *src = call->out ? card : host;
    cuda_result error = CUDA_ERROR_NOT_SUPPORTED;

    for (uint32_t i = 0; i < call->count; i++) {
        const struct gather_item *item = &call->items[i];
        host[i] = (uint64_t)(uintptr_t)(staged ? queue->stage + item->at : item->host);
        card[i] = item->card;
        sizes[i] = item->bytes;
    }
    if (api->copy_batch_13 != NULL)
        error =
            api->copy_batch_13(dst, src, sizes, call->count, &attributes, &first, 1, queue->stream);
    if (error == CUDA_ERROR_NOT_SUPPORTED && api->copy_batch_12 != NULL)
        error = api->copy_batch_12(dst, src, sizes, call->count, &attributes, &first, 1, &failed,
                                   queue->stream);
    return error;
}

static cuda_result gather_each(struct cuda_queue *queue, const struct gather_call *call,
                               bool staged, struct cuda_record *record)
{
    cuda_result error = CUDA_SUCCESS;

    for (uint32_t i = 0; i < call->count && error == CUDA_SUCCESS; i++) {
        const struct gather_item *item = &call->items[i];
        void *host = staged ? queue->stage + item->at : item->host;
        error = call->out ? queue->api->copy_out(host, item->card, item->bytes, queue->stream)
                          : queue->api->copy_in(item->card, host, item->bytes, queue->stream);
        record->spent++;
        record->runs = record->runs || error == CUDA_SUCCESS;
    }
    return error;
}

static cuda_result gather_transfer(struct cuda_queue *queue, const struct gather_call *call,
                                   bool staged, struct cuda_record *record)
{
    cuda_result error =
        queue->no_batch ? CUDA_ERROR_NOT_SUPPORTED : gather_batch(queue, call, staged);

    if (error == CUDA_ERROR_NOT_SUPPORTED || error == CUDA_ERROR_INVALID_VALUE) {
        queue->no_batch = true;
        return gather_each(queue, call, staged, record);
    }
    record->spent++;
    record->runs = record->runs || error == CUDA_SUCCESS;
    return error;
}

static cuda_result gather_staged(struct cuda_queue *queue, struct gather_call *call,
                                 struct cuda_record *record)
{
    cuda_result error = cuda_stage_ready(queue);

    record->spent = 1;
    if (error == CUDA_SUCCESS && !call->out)
        error = queue->api->host_call(queue->stream, gather_move, call);
    if (error != CUDA_SUCCESS)
        return error;
    record->runs = !call->out;
    error = gather_transfer(queue, call, true, record);
    if (error == CUDA_SUCCESS && call->out)
        error = queue->api->host_call(queue->stream, gather_move, call);
    return error;
}

cuda_result cuda_gather(struct cuda_queue *queue, const fgpu_cmd *cmds, struct cuda_run run,
                        struct cuda_record *record)
{
    struct gather_call *call = calloc(1, sizeof *call + run.count * sizeof call->items[0]);
    uint64_t at = 0;

    if (call == NULL)
        return CUDA_ERROR_OUT_OF_MEMORY;
    record->calls = call;
    call->queue = queue;
    call->count = run.count;
    call->out = ((const fgpu_cmd_copy *)cmds[0].body)->dst_is_host != 0;
    for (uint32_t i = 0; i < run.count; i++) {
        call->items[i] = gather_item(cmds[i].body);
        call->items[i].at = at;
        at += call->items[i].bytes;
    }
    return run.pinned ? gather_transfer(queue, call, false, record)
                      : gather_staged(queue, call, record);
}
