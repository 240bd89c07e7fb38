/* One record of backend.h to driver calls: launches, copies, fills.
 *
 * Thread: the queue's; the context is current.
 */
#ifndef FASTGPU_CUDA_COMMAND_H
#define FASTGPU_CUDA_COMMAND_H

#include "dev/cuda/queue.h"

/* Hands the command to the driver; record->runs says whether anything of it runs, also where an
 * error came in its middle. CUDA_ERROR_NOT_READY: not as long as others are in flight. */
cuda_result cuda_command_enqueue(struct cuda_queue *queue, const fgpu_cmd *cmd,
                                 struct cuda_record *record);

#endif
