/* Holding a range of a buffer on the host: behind fgpu_buffer_map() and the blocking reads and
 * writes. */
#ifndef FASTGPU_API_MAP_H
#define FASTGPU_API_MAP_H

#include "api/lookup.h"

/* Waits until the range is valid on the host and no task in flight conflicts. [in] arg: range and
 * mode. [out] task: for map_let_go. [out] ptr: the range's first byte. */
fgpu_status map_hold(struct pool *pool, const struct submit_arg *arg, const char *who,
                     uint32_t *task, void **ptr);
void map_let_go(struct pool *pool, uint32_t task);

/* Is any range of the buffer mapped by fgpu_buffer_map()? */
bool map_is_mapped(struct pool *pool, fgpu_buffer buffer);

/* Lets go of everything that fgpu_buffer_map() gave: the pool is closing. */
void map_end_all(struct pool *pool);

#endif
