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
bool links_reserve(struct links *links, uint32_t count);

static inline struct links_item *links_at(const struct links *links, uint32_t index)
{
    return (struct links_item *)(void *)links->pool.items + index;
}

/* Puts a link in front of the list. Room must have been reserved. Returns its index. */
uint32_t links_push(struct links *links, uint32_t *head, struct links_item link);

/* Takes the first link off and gives it back to the pool; returns a copy. The list must not be
 * empty. */
struct links_item links_pop(struct links *links, uint32_t *head);

/* Gives a whole list back. */
void links_clear(struct links *links, uint32_t *head);

#endif
