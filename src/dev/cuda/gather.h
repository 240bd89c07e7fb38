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

/* Copies that could go as one. */
struct cuda_run {
    uint32_t count;
    bool apart;  /* they can, being some, to places that do not overlap */
    bool pinned; /* when they were looked at: another thread may pin them meanwhile */
};

/* Those of the commands, from the first on, that are copies of a few bytes between the card and the
 * host, one way, all pinned or none. */
struct cuda_run cuda_gather_find(const struct cuda_queue *queue, const fgpu_cmd *cmds,
                                 uint32_t count);

/* Hands them over; record: of the last, whose `calls` holds what the function needs. */
cuda_result cuda_gather(struct cuda_queue *queue, const fgpu_cmd *cmds, struct cuda_run run,
                        struct cuda_record *record);

#endif
