/* A lock-free stack of 32-bit indices: which slots of a table are free.
 *
 * Treiber's stack (IBM RJ 5118, 1986) on a 64-bit head: index below, a tag above that every success
 * increments, so that a head that went away and came back is noticed (ABA would need exactly 2^32
 * operations inside one pop). The links lie in one array of `capacity` words, which the kernel
 * backs with pages only where it has been written. An index must be in the list at most once.
 * Thread: any, all functions except init and fini. tests/unit/test_interleave_lists.c explores it,
 * and finds the bug in a copy without tag.
 */
#ifndef FASTGPU_BASE_FREELIST_H
#define FASTGPU_BASE_FREELIST_H

#include <fastgpu/status.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/atomic.h"

#define FREELIST_NONE UINT32_MAX

struct freelist {
    _Atomic uint64_t head; /* tag << 32 | index */
    _Atomic uint32_t *next;
    uint32_t capacity;               /* indices are below it */
    const struct alloc_hooks *hooks; /* [borrow] of the links */
};

/* Empty list for indices [0, capacity). FGPU_E_NOMEM without a text. */
fgpu_status freelist_init(struct freelist *list, uint32_t capacity);
fgpu_status freelist_init_with(struct freelist *list, uint32_t capacity,
                               const struct alloc_hooks *hooks);
void freelist_fini(struct freelist *list);

static inline uint64_t freelist_head_after(uint64_t head, uint32_t index)
{
    return ((head >> 32) + 1) << 32 | index;
}

/* FREELIST_NONE when empty. */
static inline uint32_t freelist_pop(struct freelist *list)
{
    uint64_t head = atomic_load_acquire_u64(&list->head);
    for (;;) {
        uint32_t index = (uint32_t)head;
        if (index == FREELIST_NONE)
            return FREELIST_NONE;
        /* May be stale when another thread popped `index` meanwhile; then the tag differs and the
         * swap fails. */
        uint32_t next = atomic_load_relaxed_u32(&list->next[index]);
        if (atomic_cas_weak_acqrel_u64(&list->head, &head, freelist_head_after(head, next)))
            return index;
    }
}

/* Makes `b` follow `a` in a chain that the caller is building and nobody else sees. */
static inline void freelist_link(struct freelist *list, uint32_t a, uint32_t b)
{
    FGPU_DEBUG_ASSERT(a < list->capacity && b < list->capacity);
    atomic_store_relaxed_u32(&list->next[a], b);
}

/* Gives back a chain first -> ... -> last made with freelist_link, in one swap. */
static inline void freelist_push_chain(struct freelist *list, uint32_t first, uint32_t last)
{
    FGPU_DEBUG_ASSERT(first < list->capacity && last < list->capacity);
    uint64_t head = atomic_load_acquire_u64(&list->head);
    do {
        atomic_store_relaxed_u32(&list->next[last], (uint32_t)head);
    } while (!atomic_cas_weak_acqrel_u64(&list->head, &head, freelist_head_after(head, first)));
}

static inline void freelist_push(struct freelist *list, uint32_t index)
{
    freelist_push_chain(list, index, index);
}

/* Takes up to n indices in one swap; returns how many were written to `out`. */
uint32_t freelist_pop_n(struct freelist *list, uint32_t *out, uint32_t n);

static inline bool freelist_is_empty(const struct freelist *list)
{
    return (uint32_t)atomic_load_acquire_u64(&list->head) == FREELIST_NONE;
}

#endif
