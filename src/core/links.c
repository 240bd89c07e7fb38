/* The pool behind all short lists of the engine; see links.h.
 *
 * Runs under the engine's lock.
 */
#include "core/links.h"

#include "base/assert.h"

void links_init(struct links *links, const struct alloc_hooks *hooks)
{
    vec_init(&links->pool, sizeof(struct links_item), hooks);
    links->free = LINKS_NONE;
    links->free_count = 0;
}

void links_fini(struct links *links)
{
    vec_fini(&links->pool);
    links->free = LINKS_NONE;
    links->free_count = 0;
}

bool links_reserve(struct links *links, uint32_t count)
{
    if (count <= links->free_count)
        return true;
    size_t need = links->pool.count + count - links->free_count;
    if (need > LINKS_NONE - 1)
        return false;
    if (need <= links->pool.capacity)
        return true;
    size_t doubled = links->pool.capacity * 2;
    return vec_reserve(&links->pool, need > doubled ? need : doubled);
}

uint32_t links_push(struct links *links, uint32_t *head, struct links_item link)
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

struct links_item links_pop(struct links *links, uint32_t *head)
{
    uint32_t index = *head;
    FGPU_ASSERT(index != LINKS_NONE);
    struct links_item copy = *links_at(links, index);
    *head = copy.next;
    links_at(links, index)->next = links->free;
    links->free = index;
    links->free_count++;
    return copy;
}

void links_clear(struct links *links, uint32_t *head)
{
    while (*head != LINKS_NONE)
        (void)links_pop(links, head);
}
