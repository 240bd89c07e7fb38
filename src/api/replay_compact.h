/* Blocks of a trace through the heap, with blocks moved where that spares it a slab. */
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

/* [out] result: compact_bytes and moved_bytes, UNKNOWN where the blocks do not fit the capacity.
 * FGPU_E_NOMEM. */
fgpu_status replay_compact(const fgpu_replay_block *blocks, uint32_t count,
                           const struct replay_step *steps, uint64_t capacity_bytes,
                           fgpu_replay_alloc_result *result);

#endif
