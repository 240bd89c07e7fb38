/* Blocks of the batch arena. See base/arena.h. */
#include "base/arena.h"

#include <string.h>
#include "base/assert.h"
#include "base/limits.h"

#define ARENA_BLOCK_BYTES 65536u

struct arena_block {
    struct arena_block *next;
    size_t data_bytes;
    _Alignas(LIMITS_CACHE_LINE) char data[];
};

void arena_init(struct arena *arena, size_t block_bytes, const struct alloc_hooks *hooks)
{
    *arena = (struct arena){.hooks = hooks};
    arena->block_bytes = block_bytes != 0 ? block_bytes : ARENA_BLOCK_BYTES;
}

void arena_fini(struct arena *arena)
{
    if (arena == NULL)
        return;
    struct arena_block *block = arena->first;
    while (block != NULL) {
        struct arena_block *next = block->next;
        alloc_put(arena->hooks, block, sizeof *block + block->data_bytes);
        block = next;
    }
    arena->first = arena->current = NULL;
    arena->used_bytes = 0;
}

/* Place in `block` after its first `used` bytes, or NULL when it does not fit. */
static char *arena_fit(struct arena_block *block, size_t used, size_t bytes, size_t align)
{
    uintptr_t start = (uintptr_t)(block->data + used);
    size_t skip = (size_t)(-start & (align - 1));
    size_t room = block->data_bytes - used;
    return skip <= room && bytes <= room - skip ? block->data + used + skip : NULL;
}

/* Puts a new block of at least `bytes` after the current one. */
static struct arena_block *arena_grow(struct arena *arena, size_t bytes)
{
    size_t data_bytes = bytes > arena->block_bytes ? bytes : arena->block_bytes;
    if (data_bytes > SIZE_MAX / 2)
        return NULL;
    struct arena_block *block =
        alloc_get(arena->hooks, sizeof *block + data_bytes, LIMITS_CACHE_LINE);
    if (block == NULL)
        return NULL;
    struct arena_block **link = arena->current != NULL ? &arena->current->next : &arena->first;
    block->data_bytes = data_bytes;
    block->next = *link;
    *link = block;
    return block;
}

void *arena_alloc(struct arena *arena, size_t bytes, size_t align)
{
    FGPU_ASSERT(align != 0 && (align & (align - 1)) == 0 && align <= 4096);
    struct arena_block *block = arena->current;
    char *place = block != NULL ? arena_fit(block, arena->used_bytes, bytes, align) : NULL;
    while (place == NULL) {
        struct arena_block *next = block != NULL ? block->next : arena->first;
        if (next == NULL || arena_fit(next, 0, bytes, align) == NULL)
            next = bytes <= SIZE_MAX / 2 ? arena_grow(arena, bytes + align) : NULL;
        if (next == NULL)
            return NULL;
        arena->current = block = next;
        place = arena_fit(block, 0, bytes, align);
    }
    arena->used_bytes = (size_t)(place - block->data) + bytes;
    return place;
}

void *arena_alloc_zeroed(struct arena *arena, size_t bytes, size_t align)
{
    void *place = arena_alloc(arena, bytes, align);
    if (place != NULL)
        memset(place, 0, bytes);
    return place;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = arena_alloc(arena, bytes, 1);
    if (copy != NULL)
        memcpy(copy, text, bytes);
    return copy;
}

void arena_reset(struct arena *arena)
{
    arena->current = NULL;
    arena->used_bytes = 0;
}
