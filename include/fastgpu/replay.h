/* Memory policies on recorded traces: what the pool's heap, plans of offsets and eviction make of
 * them. No pool and no device is needed.
 *
 * Equal input gives equal results, but for times. Thread: any; nothing is shared between calls.
 */
#ifndef FASTGPU_REPLAY_H
#define FASTGPU_REPLAY_H

#include <fastgpu/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FGPU_REPLAY_UNKNOWN UINT64_MAX /* a figure that there is not */

/* Called now and then; `done` of `of` steps of a kind of its own. Not 0 ends the call. */
typedef int (*fgpu_replay_progress_fn)(uint64_t done, uint64_t of, void *user);

/* A block of memory, alive from `lower` until just before `upper`. */
typedef struct fgpu_replay_block {
    uint64_t lower, upper; /* lower < upper */
    uint64_t bytes;        /* > 0; all together less than 2^61 */
} fgpu_replay_block;

typedef struct fgpu_replay_alloc_options {
    uint32_t struct_bytes;   /* set by the caller */
    uint32_t rounds;         /* replays over which operations are timed; 0: 5 */
    uint64_t capacity_bytes; /* of the device; 0: as much as it takes */
    uint64_t plan_steps;     /* effort of the plan's search; 0: usual, some seconds; 1: none */
    fgpu_replay_progress_fn progress; /* NULL */
    void *user;
} fgpu_replay_alloc_options;

typedef struct fgpu_replay_alloc_result {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t slabs;        /* most at a time, online */
    uint64_t peak_live_bytes, peak_time;
    uint64_t online_bytes;            /* most bytes of slabs at a time; UNKNOWN: it does not fit */
    uint64_t compact_bytes;           /* ... with blocks moved; UNKNOWN: it does not fit */
    uint64_t planned_bytes;           /* highest end with offsets planned ahead */
    uint64_t moved_bytes;             /* for compact_bytes; UNKNOWN */
    uint64_t slab_allocs, slab_frees; /* online */
    uint64_t failed_block;            /* the first that does not fit online, by number; UNKNOWN */
    double op_ns_p50, op_ns_p99;      /* of an allocation or a free */
} fgpu_replay_alloc_result;

/* Replays the blocks in the order of time, ends before beginnings, then by number. [out] offsets:
 * of the plan, one for each block; may be NULL. A plan above the capacity, and a replay that does
 * not fit, are no errors. Errors: FGPU_E_INVAL naming the block, its value and the limit;
 * FGPU_E_VERSION, FGPU_E_NOMEM, FGPU_E_CANCELLED. */
FGPU_API fgpu_status fgpu_replay_alloc(const fgpu_replay_block *blocks, uint32_t count,
                                       const fgpu_replay_alloc_options *options,
                                       fgpu_replay_alloc_result *result, uint64_t *offsets);

/* Addresses [address, address + bytes) from `from` until just before `until`. */
typedef struct fgpu_replay_span {
    uint64_t address, bytes;
    uint64_t from, until;
} fgpu_replay_span;

typedef void (*fgpu_replay_slab_fn)(const fgpu_replay_span *slab, void *user);

/* Where the pool's heap puts the blocks of a trace, replayed as by fgpu_replay_alloc. Addresses are
 * made up: slabs have the lowest ones that are free when they come. [in] capacity_bytes: 0: as much
 * as it takes. [out] places: one for each block; bytes is what it takes of its slab, 0 from the
 * first block on that does not fit. [in] slab: told of each slab, in the order of their ends; may
 * be NULL. Errors: as fgpu_replay_alloc. */
FGPU_API fgpu_status fgpu_replay_places(const fgpu_replay_block *blocks, uint32_t count,
                                        uint64_t capacity_bytes, fgpu_replay_span *places,
                                        fgpu_replay_slab_fn slab, void *user);

typedef struct fgpu_replay_cache_options {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t reserved;     /* 0 */
    uint64_t capacity;     /* blocks, > 0 */
    uint64_t lookahead;    /* references that are known ahead; 0: none; FGPU_REPLAY_UNKNOWN: all */
    fgpu_replay_progress_fn progress; /* NULL */
    void *user;
} fgpu_replay_cache_options;

typedef struct fgpu_replay_cache_result {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t reserved;
    uint64_t references, keys;
    uint64_t hits; /* of the pool's policy, with the lookahead */
    uint64_t hits_lru, hits_fifo, hits_s3fifo;
    uint64_t hits_lookahead; /* of the best that is known for it: the farthest known use goes, after
                                the least recently used of what has none */
    uint64_t hits_optimum;   /* whatever is known */
} fgpu_replay_cache_result;

/* Replays references to blocks of equal size. Errors: FGPU_E_INVAL, FGPU_E_VERSION, FGPU_E_NOMEM,
 * FGPU_E_CANCELLED. */
FGPU_API fgpu_status fgpu_replay_cache(const uint64_t *references, uint64_t count,
                                       const fgpu_replay_cache_options *options,
                                       fgpu_replay_cache_result *result);

#ifdef __cplusplus
}
#endif

#endif
