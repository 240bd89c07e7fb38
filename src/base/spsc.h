/* A bounded ring of fixed-size items from one producer thread to one consumer thread.
 *
 * L. Lamport's ring (Specifying concurrent program modules, TOPLAS 1983) with each side keeping a
 * copy of the other side's index (J. Giacomoni et al., FastForward, PPoPP 2008, for why), so that a
 * cache line moves once per batch. Indices count for ever; the place is index & mask. Items are
 * published with release, seen with acquire. Header only: it is on the hot path.
 * tests/unit/test_interleave.c explores it.
 */
#ifndef FASTGPU_BASE_SPSC_H
#define FASTGPU_BASE_SPSC_H

#include <string.h>
#include <fastgpu/status.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/atomic.h"
#include "base/limits.h"

struct spsc {
    char *items;
    uint64_t mask;
    size_t item_bytes;
    const struct alloc_hooks *hooks;
    /* Producer's line. */
    _Alignas(LIMITS_CACHE_LINE) _Atomic uint64_t tail; /* next to be written */
    uint64_t head_copy;                                /* head as the producer last saw it */
    /* Consumer's line. */
    _Alignas(LIMITS_CACHE_LINE) _Atomic uint64_t head; /* next to be read */
    uint64_t tail_copy;                                /* tail as the consumer last saw it */
};

/* capacity: a power of two up to LIMITS_SPSC_ITEMS, else FGPU_E_INVAL; FGPU_E_NOMEM. No text. */
static inline fgpu_status spsc_init(struct spsc *ring, size_t item_bytes, uint32_t capacity,
                                    const struct alloc_hooks *hooks)
{
    *ring = (struct spsc){.item_bytes = item_bytes, .hooks = hooks};
    if (item_bytes == 0 || capacity == 0 || (capacity & (capacity - 1)) != 0 ||
        capacity > LIMITS_SPSC_ITEMS)
        return FGPU_E_INVAL;
    ring->mask = capacity - 1;
    ring->items = alloc_get(hooks, item_bytes * capacity, LIMITS_CACHE_LINE);
    return ring->items != NULL ? FGPU_OK : FGPU_E_NOMEM;
}

static inline void spsc_fini(struct spsc *ring)
{
    if (ring == NULL)
        return;
    alloc_put(ring->hooks, ring->items, ring->item_bytes * (ring->mask + 1));
    ring->items = NULL;
}

/* Producer: places that are free, at most `want` (asks the consumer's line only when the copy does
 * not suffice). */
static inline uint64_t spsc_room(struct spsc *ring, uint64_t want)
{
    uint64_t tail = atomic_load_relaxed_u64(&ring->tail);
    uint64_t room = ring->mask + 1 - (tail - ring->head_copy);
    if (room < want) {
        ring->head_copy = atomic_load_acquire_u64(&ring->head);
        room = ring->mask + 1 - (tail - ring->head_copy);
    }
    return room < want ? room : want;
}

/* Producer: copies as many of the n items as fit; returns how many. */
static inline uint64_t spsc_push_n(struct spsc *ring, const void *items, uint64_t n)
{
    uint64_t take = spsc_room(ring, n);
    uint64_t tail = atomic_load_relaxed_u64(&ring->tail);
    uint64_t place = tail & ring->mask;
    uint64_t until_wrap = ring->mask + 1 - place;
    uint64_t first = take < until_wrap ? take : until_wrap;
    if (take == 0)
        return 0;
    memcpy(ring->items + place * ring->item_bytes, items, first * ring->item_bytes);
    if (take > first)
        memcpy(ring->items, (const char *)items + first * ring->item_bytes,
               (take - first) * ring->item_bytes);
    atomic_store_release_u64(&ring->tail, tail + take);
    return take;
}

static inline bool spsc_push(struct spsc *ring, const void *item)
{
    return spsc_push_n(ring, item, 1) == 1;
}

/* Consumer: the oldest items, in place. *n is how many lie there in a row (not beyond the wrap), 0
 * with NULL. */
static inline void *spsc_peek(struct spsc *ring, uint64_t *n)
{
    uint64_t head = atomic_load_relaxed_u64(&ring->head);
    if (head == ring->tail_copy)
        ring->tail_copy = atomic_load_acquire_u64(&ring->tail);
    uint64_t place = head & ring->mask;
    uint64_t ready = ring->tail_copy - head;
    uint64_t until_wrap = ring->mask + 1 - place;
    *n = ready < until_wrap ? ready : until_wrap;
    return ready == 0 ? NULL : ring->items + place * ring->item_bytes;
}

/* Consumer: gives back the n oldest; n at most what spsc_peek said. */
static inline void spsc_pop_n(struct spsc *ring, uint64_t n)
{
    uint64_t head = atomic_load_relaxed_u64(&ring->head);
    FGPU_DEBUG_ASSERT(n <= ring->tail_copy - head);
    atomic_store_release_u64(&ring->head, head + n);
}

/* Consumer: copies the oldest item out; false when there is none. */
static inline bool spsc_pop(struct spsc *ring, void *item)
{
    uint64_t n;
    const void *oldest = spsc_peek(ring, &n);
    if (n == 0)
        return false;
    memcpy(item, oldest, ring->item_bytes);
    spsc_pop_n(ring, 1);
    return true;
}

/* Any thread: how many items there are, a moment ago. */
static inline uint64_t spsc_count(const struct spsc *ring)
{
    uint64_t head = atomic_load_acquire_u64(&ring->head);
    return atomic_load_acquire_u64(&ring->tail) - head;
}

#endif
