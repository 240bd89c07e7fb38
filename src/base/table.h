/* A growable table of equal slots whose addresses never change: tasks, buffers, kernels.
 *
 * Two levels: an array of chunk pointers, and chunks of up to LIMITS_TABLE_CHUNK items, zeroed,
 * cache-line aligned, made when first needed and published with release, so that table_at needs no
 * lock while another thread grows the table. Slots that were freed are reused first (newest first,
 * warm in the cache). After warm-up nothing allocates. Keeps true: an item's bytes are zero before
 * its first use and are LEFT ALONE by free and alloc, so that a generation number in the item
 * survives. Thread: any, except init and fini. Statuses come without a text.
 */
#ifndef FASTGPU_BASE_TABLE_H
#define FASTGPU_BASE_TABLE_H

#include <stddef.h>
#include <fastgpu/status.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/atomic.h"
#include "base/freelist.h"
#include "base/limits.h"
#include "base/lock.h"

struct table {
    _Atomic(void *) *chunks; /* chunk_count pointers, NULL until made */
    size_t item_bytes;
    uint32_t chunk_shift; /* log2 of the items in a chunk */
    uint32_t chunk_mask;
    uint32_t max_items;
    uint32_t chunk_count;
    const struct alloc_hooks *hooks; /* [borrow] */
    struct lock grow;                /* held while a chunk is made */
    _Atomic uint32_t bump;           /* slots [bump, max_items) have never been used */
    /* A line of its own: what is above is only read after warm-up, by every thread. */
    _Alignas(LIMITS_CACHE_LINE) struct freelist free;
};

/* [in] item_bytes: sizeof the item; items are aligned as their size allows, up to a cache line.
 * [borrow] hooks: NULL for the default. FGPU_E_INVAL for sizes of 0, FGPU_E_NOMEM. */
fgpu_status table_init(struct table *table, size_t item_bytes, uint32_t max_items,
                       const struct alloc_hooks *hooks);
void table_fini(struct table *table);

/* Address of a slot that has been allocated at least once. O(1), no lock. */
static inline void *table_at(const struct table *table, uint32_t index)
{
    FGPU_DEBUG_ASSERT(index < table->max_items);
    char *chunk = atomic_load_acquire_ptr(&table->chunks[index >> table->chunk_shift]);
    FGPU_DEBUG_ASSERT(chunk != NULL);
    return chunk + (size_t)(index & table->chunk_mask) * table->item_bytes;
}

/* The same where the caller knows the item's size: a constant, instead of a load. */
static inline void *table_item(const struct table *table, uint32_t index, size_t item_bytes)
{
    FGPU_DEBUG_ASSERT(index < table->max_items && item_bytes == table->item_bytes);
    char *chunk = atomic_load_acquire_ptr(&table->chunks[index >> table->chunk_shift]);
    FGPU_DEBUG_ASSERT(chunk != NULL);
    return chunk + (size_t)(index & table->chunk_mask) * item_bytes;
}

/* The same for an index from outside (a handle): NULL when there has never been such a slot. */
static inline void *table_find(const struct table *table, uint32_t index)
{
    if (index >= atomic_load_acquire_u32(&table->bump))
        return NULL;
    return table_at(table, index);
}

/* Takes a free slot. FGPU_E_LIMIT when max_items are in use, FGPU_E_NOMEM. */
fgpu_status table_alloc(struct table *table, uint32_t *index);

/* Takes n slots or, on failure, none. */
fgpu_status table_alloc_n(struct table *table, uint32_t *indices, uint32_t n);

/* Gives a slot back; its bytes stay as they are and may be read through stale indices. */
static inline void table_free(struct table *table, uint32_t index)
{
    FGPU_DEBUG_ASSERT(index < atomic_load_relaxed_u32(&table->bump));
    freelist_push(&table->free, index);
}

void table_free_n(struct table *table, const uint32_t *indices, uint32_t n);

/* One more than the largest index ever used: for walks over all slots. */
static inline uint32_t table_high_water(const struct table *table)
{
    return atomic_load_acquire_u32(&table->bump);
}

/* Makes chunks for the first n slots now (warm-up). */
fgpu_status table_reserve(struct table *table, uint32_t n);

#endif
