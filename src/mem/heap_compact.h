/* Room for a block out of holes that are too small each: which blocks of a heap go where.
 *
 * A plan only; the caller copies. Either a stretch of one slab is cleared in which the least lies
 * that must move, or whole slabs are, so that they can go back to the device and one of the
 * needed size can come. What lay there goes to the best fitting holes elsewhere, the largest
 * first. No copy writes where another one of the plan reads or writes, so they may run in any order
 * or at the same time, and one that fails leaves its block as it was. (Blocks do not slide over
 * their own place: devices do not copy between ranges that overlap.) Pages of small blocks stay.
 * A device that can map pieces of memory side by side needs no copies: it would take the cleared
 * stretch as a list of pieces (docs/decisions/033-blocks-that-move.md). Thread: as the heap. Time
 * linear in the ranges of the heap; allocates.
 */
#ifndef FASTGPU_MEM_HEAP_COMPACT_H
#define FASTGPU_MEM_HEAP_COMPACT_H

#include "mem/heap.h"

/* One block's way. Both ends are out: give back `from` when the copy has been made, `to` when it
 * has failed. */
struct heap_move {
    struct heap_block from, to;
};

struct heap_plan {
    struct vec moves; /* struct heap_move */
    struct vec held;  /* struct heap_block: holes that nobody may take meanwhile; to give back when
                         all moves are over */
    uint64_t moved_bytes;
};

struct heap_compact_options {
    uint64_t within_bytes; /* the heap is to hold at most this, with a new slab for the block; 0:
                              its ceiling */
    uint64_t most_bytes;   /* to be moved; 0: any */
    /* May the block with this `place` be moved? NULL: all. */
    bool (*may_move)(void *user, uint32_t place);
    void *user;
};

void heap_plan_init(struct heap_plan *plan, const struct alloc_hooks *hooks);
void heap_plan_fini(struct heap_plan *plan);

/* Could there be one, by the sums alone? */
bool heap_compact_may(const struct heap *heap, uint64_t bytes,
                      const struct heap_compact_options *options);

/* A plan after which heap_alloc finds room for `bytes`, or can trade empty slabs for it. Changes
 * nothing where it answers false: there is none, too much would have to move, or no memory. [out]
 * plan: empty, or what is to be done; emptied first. */
bool heap_compact(struct heap *heap, uint64_t bytes, const struct heap_compact_options *options,
                  struct heap_plan *plan);

/* The plan is not carried out: everything is as before it. */
void heap_plan_drop(struct heap *heap, struct heap_plan *plan);

#endif
