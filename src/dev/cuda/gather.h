/* Many small copies as one: commands that come together and go the same way.
 *
 * One at a time each would cost the driver's calls and, where memory is not pinned, a function on
 * the host's side. Together they are one call where the driver has it (cuMemcpyBatchAsync, 12.8),
 * else a call for each; what is not pinned is moved by one function. They keep their numbers and
 * their results; the time of all is shared out by bytes. Thread: the queue's; the context is
 * current.
 */
#ifndef FASTGPU_CUDA_GATHER_H
#define FASTGPU_CUDA_GATHER_H

#include "dev/cuda/queue.h"

/* How many of the commands, from the first on, are copies of a few bytes between the card and the
 * host, one way, all pinned or none. [out] apart: they can go as one, being some, to places that do
 * not overlap. */
uint32_t cuda_gather_count(const struct cuda_queue *queue, const fgpu_cmd *cmds, uint32_t count,
                           bool *apart);

/* Hands them over; record: of the last, whose `calls` holds what the function needs. */
cuda_result cuda_gather(struct cuda_queue *queue, const fgpu_cmd *cmds, uint32_t count,
                        struct cuda_record *record);

#endif
