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

bool links_grow(struct links *links, uint32_t count)
{
    size_t need = links->pool.count + count - links->free_count;
    if (need > LINKS_NONE - 1)
        return false;
    if (need <= links->pool.capacity)
        return true;
    size_t doubled = links->pool.capacity * 2;
    return vec_reserve(&links->pool, need > doubled ? need : doubled);
}

void links_clear(struct links *links, uint32_t *head)
{
    while (*head != LINKS_NONE)
        (void)links_pop(links, head);
}
