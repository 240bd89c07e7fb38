/* Places in one piece of memory for blocks whose lifetimes are known: dynamic storage allocation.
 *
 * Pure: numbers in, offsets out, the same on every machine; effort is counted in steps, not in
 * seconds. First each block in an order goes to the smallest hole that takes it (Y. Pisarchyk, J.
 * Lee: Efficient memory management for deep neural net inference, 2020), by several orders. Then,
 * while that is higher than the bound, a search under a lower ceiling: a block that has no place
 * yet goes to the floor, under the ceiling or next to another block, where it throws out the least,
 * and what was thrown out looks for a place in turn; blocks that are hard to place become heavy (T.
 * Mueller: Iterative forward search, 2005, with weights as in P. Morris: The breakout method, AAAI
 * 1993). Ceilings are halved towards the bound. That a block may also hang from the ceiling
 * matters: exact methods that build from the floor alone (M. Moffitt: MiniMalloc, ASPLOS 2023) were
 * tried first and stuck (docs/decisions/026-the-device-heap.md). Thread: one; allocates.
 */
#ifndef FASTGPU_MEM_OFFSETS_H
#define FASTGPU_MEM_OFFSETS_H

#include <stdbool.h>
#include <stdint.h>
#include <fastgpu/status.h>
#include "base/alloc.h"

#define OFFSETS_STEPS UINT64_C(400000000) /* a second or two */
#define OFFSETS_FREE UINT64_MAX           /* the block may lie anywhere */

/* Alive from `lower` until just before `upper`: lower < upper, 0 < bytes. */
struct offsets_block {
    uint64_t lower, upper;
    uint64_t bytes;
};

struct offsets_options {
    uint64_t steps; /* blocks looked at in the search; 0: OFFSETS_STEPS; 1: no search */
    bool (*watch)(void *user, uint64_t done, uint64_t of); /* now and then; false: stop; NULL */
    void *user;
    const struct alloc_hooks *hooks;
    const uint64_t *fixed; /* [block] where it lies already, or OFFSETS_FREE; NULL: none does. These
                              are apart, and end at or below enough_bytes */
    uint64_t enough_bytes; /* a plan that is no higher ends the search; 0: the bound */
};

struct offsets_result {
    uint64_t bound_bytes;  /* most bytes alive at a time: no plan needs less */
    uint64_t greedy_bytes; /* before the search */
    uint64_t bytes;        /* the highest end of a block */
    uint64_t steps;
};

/* The most bytes that are alive at a time, and then; UINT64_MAX without memory. The sum of all
 * sizes must fit 63 bits. [out] time: the first moment of that, may be NULL. */
uint64_t offsets_bound(const struct offsets_block *blocks, uint32_t count,
                       const struct alloc_hooks *hooks, uint64_t *time);

/* Plans. [out] offsets: one for each block. Returns FGPU_E_NOMEM, or FGPU_E_CANCELLED where `watch`
 * said so (then there is a plan, too, the best so far). The sum of all sizes must fit 63 bits. */
fgpu_status offsets_plan(const struct offsets_block *blocks, uint32_t count,
                         const struct offsets_options *options, uint64_t *offsets,
                         struct offsets_result *result);

/* A plan for any number of blocks: each goes where the heap (mem/heap.h) puts it when it begins.
 * Returns the highest end, UINT64_MAX without memory. */
uint64_t offsets_stream(const struct offsets_block *blocks, uint32_t count,
                        const struct alloc_hooks *hooks, uint64_t *offsets);

enum offsets_verdict { OFFSETS_GOOD, OFFSETS_OVERLAP, OFFSETS_OUTSIDE, OFFSETS_UNKNOWN };

/* Does a plan keep to `bytes`, and apart what is alive together? Knows nothing of how plans are
 * made. [out] a, b: two that overlap, or one that is outside. OFFSETS_UNKNOWN: no memory. */
enum offsets_verdict offsets_check(const struct offsets_block *blocks, const uint64_t *offsets,
                                   uint32_t count, uint64_t bytes, uint32_t *a, uint32_t *b);

#endif
