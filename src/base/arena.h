/* Memory for one batch: bump allocation, freed all at once.
 *
 * Blocks come from the hooks and are kept by arena_reset, so that a steady state allocates nothing.
 * A request larger than a block gets a block of its own size. Thread: one.
 */
#ifndef FASTGPU_BASE_ARENA_H
#define FASTGPU_BASE_ARENA_H

#include "base/alloc.h"

struct arena_block;

struct arena {
    struct arena_block *first;
    struct arena_block *current; /* blocks after it are free */
    size_t used_bytes;           /* in `current` */
    size_t block_bytes;
    const struct alloc_hooks *hooks; /* [borrow] */
};

/* block_bytes: 0 for 64 KiB. Allocates nothing yet. */
void arena_init(struct arena *arena, size_t block_bytes, const struct alloc_hooks *hooks);
void arena_fini(struct arena *arena);

/* [give] valid until arena_reset or arena_fini; align is a power of two up to 4096; NULL when there
 * is no memory. A request of 0 bytes gives a pointer that must not be read. Contents undefined. */
void *arena_alloc(struct arena *arena, size_t bytes, size_t align);
void *arena_alloc_zeroed(struct arena *arena, size_t bytes, size_t align);

/* Copies a NUL-terminated string. */
char *arena_strdup(struct arena *arena, const char *text);

/* Everything allocated is gone, the blocks stay. */
void arena_reset(struct arena *arena);

#endif
