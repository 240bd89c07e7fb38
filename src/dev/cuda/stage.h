/* Copies between the card and host memory that is not pinned.
 *
 * The driver would copy such memory inside the call that asks for it, after everything before it in
 * the stream: the submitter would wait, for ever behind a kernel that does not end. So the bytes go
 * piece by piece through pinned memory of the queue, moved on the host's side by functions that the
 * stream calls in its order. One piece of memory is enough: the stream's order keeps its users
 * apart. Thread: the queue's; the functions run on the driver's.
 */
#ifndef FASTGPU_CUDA_STAGE_H
#define FASTGPU_CUDA_STAGE_H

#include "dev/cuda/queue.h"

/* May the driver copy from or to these bytes by itself? */
bool cuda_stage_pinned(const struct cuda_api *api, const void *memory, uint64_t bytes);

/* Hands over a copy with one side in host memory; record->calls then holds what its functions need.
 * A stream takes 1024 calls before enqueueing waits, so of many pieces only the first are handed
 * over: then record->part is set, and queue->job says what is left. The context is current. */
cuda_result cuda_stage_copy(struct cuda_queue *queue, fgpu_cmd_copy *copy,
                            struct cuda_record *record);

/* The next pieces of queue->job; record->part: not yet all. */
cuda_result cuda_stage_more(struct cuda_queue *queue, struct cuda_record *record);

/* The pinned memory is there. May wait for what runs on the card; the context is current. */
cuda_result cuda_stage_ready(struct cuda_queue *queue);

/* Pinned memory of the queue; the context is current. */
void cuda_stage_free(struct cuda_queue *queue);

#endif
