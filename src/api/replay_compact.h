/* What replays of allocations share, and the one with blocks moved where that spares a slab.
 *
 * Thread: any; nothing is shared between calls. Equal input gives equal results.
 */
#ifndef FASTGPU_API_REPLAY_COMPACT_H
#define FASTGPU_API_REPLAY_COMPACT_H

#include <stddef.h>

#include <fastgpu/replay.h>

/* One operation: block `block` begins or ends. */
struct replay_step {
    uint64_t time;
    uint32_t block;
    uint32_t begins;
};

/* Of replay_alloc.c: what is wrong with the blocks (FGPU_E_INVAL); and the steps in order, of which
 * there are two for each block. */
fgpu_status replay_check(const char *who, const fgpu_replay_block *blocks, uint32_t count);
void replay_order(const fgpu_replay_block *blocks, uint32_t count, struct replay_step *steps);

/* [out] result: compact_bytes and moved_bytes, UNKNOWN where the blocks do not fit the capacity.
 * FGPU_E_NOMEM. */
fgpu_status replay_compact(const fgpu_replay_block *blocks, uint32_t count,
                           const struct replay_step *steps, uint64_t capacity_bytes,
                           fgpu_replay_alloc_result *result);

#endif
