/* A growable array of equal items. Growth doubles and moves the items: pointers last until the next
 * push. Thread: one.
 */
#ifndef FASTGPU_BASE_VEC_H
#define FASTGPU_BASE_VEC_H

#include <stdbool.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"

struct vec {
    char *items;
    size_t count;
    size_t capacity;
    size_t item_bytes;
    const struct alloc_hooks *hooks; /* [borrow] */
};

static inline void vec_init(struct vec *vec, size_t item_bytes, const struct alloc_hooks *hooks)
{
    FGPU_ASSERT(item_bytes > 0);
    *vec = (struct vec){.item_bytes = item_bytes, .hooks = hooks};
}

static inline void vec_fini(struct vec *vec)
{
    if (vec == NULL)
        return;
    alloc_put(vec->hooks, vec->items, vec->capacity * vec->item_bytes);
    vec->items = NULL;
    vec->count = vec->capacity = 0;
}

/* Makes room for `capacity` items; false when there is no memory (nothing is lost). */
static inline bool vec_reserve(struct vec *vec, size_t capacity)
{
    if (capacity <= vec->capacity)
        return true;
    if (capacity > SIZE_MAX / 2 / vec->item_bytes)
        return false;
    char *items = alloc_get(vec->hooks, capacity * vec->item_bytes, LIMITS_CACHE_LINE);
    if (items == NULL)
        return false;
    if (vec->count > 0)
        memcpy(items, vec->items, vec->count * vec->item_bytes);
    alloc_put(vec->hooks, vec->items, vec->capacity * vec->item_bytes);
    vec->items = items;
    vec->capacity = capacity;
    return true;
}

/* Appends one item, copied from `item` or zeroed when that is NULL; returns its place, or NULL
 * without memory. `item` must not lie in the vector. */
static inline void *vec_push(struct vec *vec, const void *item)
{
    if (vec->count == vec->capacity &&
        !vec_reserve(vec, vec->capacity == 0 ? 8 : 2 * vec->capacity))
        return NULL;
    void *place = vec->items + vec->count++ * vec->item_bytes;
    if (item != NULL)
        memcpy(place, item, vec->item_bytes);
    else
        memset(place, 0, vec->item_bytes);
    return place;
}

static inline void *vec_at(const struct vec *vec, size_t index)
{
    FGPU_DEBUG_ASSERT(index < vec->count);
    return vec->items + index * vec->item_bytes;
}

/* Drops the last item. */
static inline void vec_pop(struct vec *vec)
{
    FGPU_ASSERT(vec->count > 0);
    vec->count--;
}

/* Fills the place of `index` with the last item. */
static inline void vec_remove_swap(struct vec *vec, size_t index)
{
    FGPU_ASSERT(index < vec->count);
    vec->count--;
    if (index != vec->count)
        memcpy(vec->items + index * vec->item_bytes, vec->items + vec->count * vec->item_bytes,
               vec->item_bytes);
}

/* Forgets the items, keeps the memory. */
static inline void vec_clear(struct vec *vec)
{
    vec->count = 0;
}

#endif
