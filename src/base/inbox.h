/* Many producers hand table indices to one consumer: submitted tasks to the engine, completions to
 * a driver.
 *
 * An intrusive stack through an `_Atomic uint32_t next` inside the table's items; the consumer
 * takes all of it with one exchange and reverses it, so that it sees the order of the pushes.
 * Taking all at once leaves no room for ABA. What a producer wrote to the item before the push is
 * visible after the drain. The head counts what lies there in its upper half, so that a producer
 * knows whether it is worth draining without another word to share. An item is in one inbox at a
 * time. Thread: inbox_push any; inbox_drain
 * one at a time. tests/unit/test_interleave_lists.c explores it.
 */
#ifndef FASTGPU_BASE_INBOX_H
#define FASTGPU_BASE_INBOX_H

#include "base/table.h"

#define INBOX_NONE UINT32_MAX

struct inbox {
    /* count << 32 | newest; INBOX_NONE when empty */
    _Alignas(LIMITS_CACHE_LINE) _Atomic uint64_t head;
    size_t next_offset;        /* of the link inside an item */
    const struct table *table; /* [borrow] */
};

/* next_offset: offsetof the `_Atomic uint32_t` link in the table's items. */
void inbox_init(struct inbox *inbox, const struct table *table, size_t next_offset);

static inline _Atomic uint32_t *inbox_link(const struct inbox *inbox, uint32_t index)
{
    return (_Atomic uint32_t *)(void *)((char *)table_at(inbox->table, index) + inbox->next_offset);
}

/* How many there are now: 1 when the inbox was empty before. Then, and only then, the consumer must
 * be told. */
static inline uint32_t inbox_push_chain(struct inbox *inbox, uint32_t newest, uint32_t oldest,
                                        uint32_t count)
{
    _Atomic uint32_t *link = inbox_link(inbox, oldest);
    uint64_t head = atomic_load_relaxed_u64(&inbox->head), next;
    do {
        atomic_store_relaxed_u32(link, (uint32_t)head);
        next = ((head >> 32) + count) << 32 | newest;
    } while (!atomic_cas_seqcst_u64(&inbox->head, &head, next));
    return (uint32_t)(next >> 32);
}

static inline uint32_t inbox_push(struct inbox *inbox, uint32_t index)
{
    return inbox_push_chain(inbox, index, index, 1);
}

/* Takes everything; returns the oldest, or INBOX_NONE. Follow with inbox_next. */
uint32_t inbox_drain(struct inbox *inbox);

/* The one pushed after `index` in a drained list, or INBOX_NONE. Read it before the item is pushed
 * anywhere again. */
static inline uint32_t inbox_next(const struct inbox *inbox, uint32_t index)
{
    return atomic_load_relaxed_u32(inbox_link(inbox, index));
}

static inline bool inbox_is_empty(const struct inbox *inbox)
{
    return (uint32_t)atomic_load_seqcst_u64(&inbox->head) == INBOX_NONE;
}

/* How many lie there. */
static inline uint32_t inbox_count(const struct inbox *inbox)
{
    return (uint32_t)(atomic_load_seqcst_u64(&inbox->head) >> 32);
}

#endif
