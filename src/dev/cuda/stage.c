/* Pageable copies, piece by piece: see stage.h. */
#include "dev/cuda/stage.h"

#include <stdlib.h>
#include "dev/host/region.h"

/* One piece: rows x row_bytes on both sides. The host's side is at `host`, the card's at `card`. */
struct stage_call {
    struct cuda_queue *queue;
    struct region host;
    cuda_ptr card;
    uint64_t card_pitch;
    uint64_t row_bytes, rows;
    bool out; /* from the card */
};

/* How a copy is cut: pieces of `rows` rows, or each row into `columns` pieces. */
struct stage_cut {
    uint64_t rows;
    uint64_t columns;
    uint64_t pieces;
};

bool cuda_stage_pinned(const struct cuda_api *api, const void *memory, uint64_t bytes)
{
    uint64_t first = (uint64_t)(uintptr_t)memory;
    unsigned type = 0;

    if (api->pointer_attribute(&type, CUDA_POINTER_MEMORY_TYPE, first) != CUDA_SUCCESS ||
        type != CUDA_MEMORY_HOST)
        return false;
    return api->pointer_attribute(&type, CUDA_POINTER_MEMORY_TYPE, first + bytes - 1) ==
               CUDA_SUCCESS &&
           type == CUDA_MEMORY_HOST;
}

/* Called by the driver, in the stream's order. */
static void stage_move(void *user)
{
    const struct stage_call *call = user;
    struct cuda_queue *queue = call->queue;
    struct region stage = {queue->stage, call->row_bytes};

    (void)atomic_add_seqcst_u32(&queue->inside, 1);
    if (atomic_load_seqcst_u32(&queue->dead) == 0)
        region_copy(call->out ? call->host : stage, call->out ? stage : call->host, call->row_bytes,
                    call->rows);
    (void)atomic_sub_acqrel_u32(&queue->inside, 1);
}

/* Between the pinned memory and the card. */
static cuda_result stage_transfer(struct cuda_queue *queue, const struct stage_call *call)
{
    const struct cuda_api *api = queue->api;
    struct cuda_copy_2d copy = {.width = call->row_bytes, .height = call->rows};
    uint64_t bytes = call->row_bytes * call->rows;

    if (call->rows == 1 || call->card_pitch == call->row_bytes)
        return call->out ? api->copy_out(queue->stage, call->card, bytes, queue->stream)
                         : api->copy_in(call->card, queue->stage, bytes, queue->stream);
    copy.src_type = call->out ? CUDA_MEMORY_DEVICE : CUDA_MEMORY_HOST;
    copy.dst_type = call->out ? CUDA_MEMORY_HOST : CUDA_MEMORY_DEVICE;
    copy.src_host = queue->stage;
    copy.dst_host = queue->stage;
    copy.src_device = copy.dst_device = call->card;
    copy.src_pitch = call->out ? call->card_pitch : call->row_bytes;
    copy.dst_pitch = call->out ? call->row_bytes : call->card_pitch;
    return api->copy_2d(&copy, queue->stream);
}

static cuda_result stage_piece(struct cuda_queue *queue, struct stage_call *call,
                               struct cuda_record *record)
{
    cuda_result error = call->out ? stage_transfer(queue, call)
                                  : queue->api->host_call(queue->stream, stage_move, call);

    if (error != CUDA_SUCCESS)
        return error;
    record->runs = true;
    return call->out ? queue->api->host_call(queue->stream, stage_move, call)
                     : stage_transfer(queue, call);
}

static struct stage_cut stage_cut(const struct cuda_queue *queue, const fgpu_cmd_copy *copy,
                                  uint64_t card_pitch)
{
    struct stage_cut cut = {.rows = 1, .columns = 1};

    if (copy->row_bytes > LIMITS_CUDA_STAGE_BYTES)
        cut.columns = (copy->row_bytes + LIMITS_CUDA_STAGE_BYTES - 1) / LIMITS_CUDA_STAGE_BYTES;
    else if (card_pitch <= queue->device->max_pitch || card_pitch == copy->row_bytes)
        cut.rows = LIMITS_CUDA_STAGE_BYTES / copy->row_bytes;
    if (cut.rows > copy->rows)
        cut.rows = copy->rows > 0 ? copy->rows : 1;
    cut.pieces = (copy->rows + cut.rows - 1) / cut.rows * cut.columns;
    return cut;
}

/* Piece `index` of the copy. */
static struct stage_call stage_call(struct cuda_queue *queue, const fgpu_cmd_copy *copy,
                                    const struct stage_cut *cut, uint64_t index)
{
    bool out = copy->dst_is_host != 0;
    uint64_t row = index / cut->columns * cut->rows;
    uint64_t column = index % cut->columns * LIMITS_CUDA_STAGE_BYTES;
    uint64_t host_pitch = out ? copy->dst_pitch_bytes : copy->src_pitch_bytes;
    uint64_t card_pitch = out ? copy->src_pitch_bytes : copy->dst_pitch_bytes;
    uint64_t host = out ? copy->dst + copy->dst_offset_bytes : copy->src + copy->src_offset_bytes;
    uint64_t card = out ? copy->src + copy->src_offset_bytes : copy->dst + copy->dst_offset_bytes;
    struct stage_call call = {.queue = queue, .card_pitch = card_pitch, .out = out};

    call.host.base = (void *)(uintptr_t)(host + row * host_pitch + column);
    call.host.pitch_bytes = host_pitch;
    call.card = card + row * card_pitch + column;
    call.rows = copy->rows - row < cut->rows ? copy->rows - row : cut->rows;
    call.row_bytes = copy->row_bytes - column;
    if (cut->columns > 1 && call.row_bytes > LIMITS_CUDA_STAGE_BYTES)
        call.row_bytes = LIMITS_CUDA_STAGE_BYTES;
    return call;
}

cuda_result cuda_stage_ready(struct cuda_queue *queue)
{
    void *stage = NULL;
    cuda_result error;

    if (queue->stage != NULL)
        return CUDA_SUCCESS;
    error = queue->api->host_alloc(&stage, LIMITS_CUDA_STAGE_BYTES, CUDA_HOSTALLOC_PORTABLE);
    if (error == CUDA_SUCCESS)
        queue->stage = stage;
    return error;
}

cuda_result cuda_stage_more(struct cuda_queue *queue, struct cuda_record *record)
{
    const fgpu_cmd_copy *copy = queue->job.copy;
    uint64_t card_pitch = copy->dst_is_host != 0 ? copy->src_pitch_bytes : copy->dst_pitch_bytes;
    struct stage_cut cut = stage_cut(queue, copy, card_pitch);
    uint64_t first = queue->job.next, count = cut.pieces - first;
    struct stage_call *calls = NULL;
    cuda_result error = CUDA_SUCCESS;

    if (count > LIMITS_CUDA_PIECES)
        count = LIMITS_CUDA_PIECES;
    if (count == 0) /* no rows */
        return CUDA_SUCCESS;
    calls = calloc(count, sizeof *calls);
    if (calls == NULL)
        return CUDA_ERROR_OUT_OF_MEMORY;
    record->calls = calls;
    record->spent = (uint32_t)count * 2;
    for (uint64_t i = 0; i < count && error == CUDA_SUCCESS; i++) {
        calls[i] = stage_call(queue, copy, &cut, first + i);
        error = stage_piece(queue, &calls[i], record);
    }
    queue->job.next = first + count;
    record->part = error == CUDA_SUCCESS && queue->job.next < cut.pieces;
    return error;
}

cuda_result cuda_stage_copy(struct cuda_queue *queue, fgpu_cmd_copy *copy,
                            struct cuda_record *record)
{
    cuda_result error = cuda_stage_ready(queue);

    if (error != CUDA_SUCCESS)
        return error;
    queue->job = (struct cuda_job){.copy = copy};
    error = cuda_stage_more(queue, record);
    if (!record->part)
        queue->job.copy = NULL;
    return error;
}

void cuda_stage_free(struct cuda_queue *queue)
{
    if (queue->stage != NULL)
        (void)queue->api->host_free(queue->stage);
    queue->stage = NULL;
}
