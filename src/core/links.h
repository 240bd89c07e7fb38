/* Short lists of tasks: successors of a task, readers of a segment, waiters of a copy or a slab.
 *
 * All of the engine's lists share one pool of 16-byte links named by index, so that nothing is
 * allocated after warm-up and a list costs four bytes where it hangs. A link remembers the task's
 * generation: a task that has ended and whose record is in use again is recognised as gone. Thread:
 * under the engine's lock.
 */
#ifndef FASTGPU_CORE_LINKS_H
#define FASTGPU_CORE_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/vec.h"

#define LINKS_NONE UINT32_MAX

struct links_item {
    uint32_t task;
    uint32_t generation;
    uint32_t next;
    uint32_t data; /* for an edge: 1 when the successor uses what the task wrote */
};

struct links {
    struct vec pool; /* of struct links_item */
    uint32_t free;   /* list through next */
    uint32_t free_count;
};

void links_init(struct links *links, const struct alloc_hooks *hooks);
void links_fini(struct links *links);

/* Makes sure that the next `count` links_push cannot fail. */
bool links_grow(struct links *links, uint32_t count);
static inline bool links_reserve(struct links *links, uint32_t count)
{
    return __builtin_expect(count <= links->free_count, 1) || links_grow(links, count);
}

static inline struct links_item *links_at(const struct links *links, uint32_t index)
{
    return (struct links_item *)(void *)links->pool.items + index;
}

/* Puts a link in front of the list. Room must have been reserved. Returns its index. */
static inline uint32_t links_push(struct links *links, uint32_t *head, struct links_item link)
{
    uint32_t index = links->free;
    if (index != LINKS_NONE) {
        links->free = links_at(links, index)->next;
        links->free_count--;
    } else {
        FGPU_ASSERT(links->pool.count < links->pool.capacity);
        index = (uint32_t)links->pool.count++;
    }
    link.next = *head;
    *links_at(links, index) = link;
    *head = index;
    return index;
}

/* Takes the first link off and gives it back to the pool; returns a copy. The list must not be
 * empty. */
static inline struct links_item links_pop(struct links *links, uint32_t *head)
{
    uint32_t index = *head;
    FGPU_DEBUG_ASSERT(index != LINKS_NONE);
    struct links_item copy = *links_at(links, index);
    *head = copy.next;
    links_at(links, index)->next = links->free;
    links->free = index;
    links->free_count++;
    return copy;
}

/* Gives a whole list back. */
void links_clear(struct links *links, uint32_t *head);

#endif
