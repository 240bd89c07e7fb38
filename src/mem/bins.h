/* The ranges that slabs are cut into, and the free ones among them ordered by size: the large half
 * of mem/heap.h.
 *
 * A slab is a list of ranges in address order without gaps. Free ranges hang in bins of similar
 * size (each doubling cut in 32), a bitmap tells the bins that have any, and each bin is a treap
 * (C. Aragon, R. Seidel: Randomized search trees, 1989) ordered by (size, slab, offset): the best
 * fit at the lowest address is one bitmap search and a short walk. Priorities come from a counter,
 * so that equal histories give equal trees. Ranges are reused: no allocation after warm-up. Thread:
 * one at a time.
 */
#ifndef FASTGPU_MEM_BINS_H
#define FASTGPU_MEM_BINS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/alloc.h"
#include "base/limits.h"
#include "base/vec.h"

#define BINS_NONE UINT32_MAX
#define BINS_SUB_BITS 5
#define BINS_COUNT (64 << BINS_SUB_BITS)

enum bins_state { BINS_UNUSED = 0, BINS_FREE, BINS_TAKEN, BINS_PAGE };

/* One cache line: a step in a tree or in a slab's list costs at most one miss. */
struct bins_range {
    _Alignas(LIMITS_CACHE_LINE) uint64_t offset;
    uint64_t bytes;
    uint32_t slab;
    uint32_t prev, next;          /* by address in the slab; `next` also links unused ones */
    uint32_t left, right, parent; /* treap of its bin, when free */
    uint32_t priority;
    uint32_t state; /* enum bins_state */
    uint32_t page;  /* of the cells, when BINS_PAGE */
};

struct bins {
    struct vec ranges; /* struct bins_range */
    uint32_t unused;   /* list of unused ranges */
    uint32_t unused_count;
    uint32_t free_count;
    uint64_t seed;                    /* of the priorities */
    uint64_t summary;                 /* bit w: filled[w] is not 0 */
    uint64_t filled[BINS_COUNT / 64]; /* bit: the bin has a range */
    uint32_t roots[BINS_COUNT];
};

void bins_init(struct bins *bins, const struct alloc_hooks *hooks);
void bins_fini(struct bins *bins);

static inline struct bins_range *bins_at(const struct bins *bins, uint32_t index)
{
    return (struct bins_range *)bins->ranges.items + index;
}

/* Makes sure that the next `count` calls of bins_new succeed. */
bool bins_reserve(struct bins *bins, uint32_t count);

/* A range alone in its slab's list, in no bin, taken. Needs a reserve. */
uint32_t bins_new(struct bins *bins, uint32_t slab, uint64_t offset, uint64_t bytes);

/* Gives a range's record back; it must be in no bin and in no list. */
void bins_drop(struct bins *bins, uint32_t index);

/* Into and out of its bin; the state becomes BINS_FREE or BINS_TAKEN. */
void bins_insert(struct bins *bins, uint32_t index);
void bins_remove(struct bins *bins, uint32_t index);

/* The smallest free range of at least `bytes`, the lowest (slab, offset) among equals; BINS_NONE.
 */
uint32_t bins_find(const struct bins *bins, uint64_t bytes);

/* Size of the largest free range, 0 when there is none. */
uint64_t bins_largest(const struct bins *bins);

/* Cuts a taken range after `bytes`; the rest becomes a free range behind it. Needs a reserve of 1.
 */
void bins_split(struct bins *bins, uint32_t index, uint64_t bytes);

/* Frees a taken range and joins it with free neighbours; returns the range that it is part of now.
 */
uint32_t bins_release(struct bins *bins, uint32_t index);

/* NULL, or the sentence of the first broken invariant of the bins (the lists are checked by
 * heap_check). */
const char *bins_check(const struct bins *bins);

#endif
