/* What closing a pool needs of buffers; the public calls are in <fastgpu/buffer.h>.
 *
 * Thread: the one that closes.
 */
#ifndef FASTGPU_API_BUFFER_H
#define FASTGPU_API_BUFFER_H

#include "api/lookup.h"

/* Destroys all buffers over the caller's memory: their data go there with the tasks now pending.
 * Nobody else uses the pool. */
void buffer_return_adopted(struct pool *pool);

#endif
