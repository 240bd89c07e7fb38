/* The blocks of buffers where there are more nodes than a buffer can have a block for each: one is
 * made when it is first asked for, and found by a hash of buffer and node.
 *
 * The host's block is the buffer's own (`home`). Addresses last until the buffer goes. Runs under
 * the engine's lock.
 */
#ifndef FASTGPU_CORE_BLOCKS_H
#define FASTGPU_CORE_BLOCKS_H

#include "base/map.h"
#include "base/table.h"
#include "core/object.h"

#define BLOCKS_NONE UINT32_MAX
#define BLOCKS_DENSE 64u /* nodes up to which every buffer has a block for each */

#define BLOCKS_LISTED 4u /* of a buffer, which the map does not know */

struct engine;

struct blocks_entry {
    struct block block;
    uint32_t self;
    uint32_t next;  /* of the same buffer, made before */
    uint32_t count; /* of these, itself included */
};

/* What was asked for last. */
struct blocks_recent {
    uint64_t key; /* as in `places`; 0: nothing */
    struct block *block;
};

#define BLOCKS_RECENT 256u /* a power of two; more than a task and its copies ask for */

struct blocks {
    struct table entries; /* struct blocks_entry */
    struct map places;    /* buffer << 32 | node -> entry, of buffers that have more than a few */
    bool on;
    struct blocks_recent recent[BLOCKS_RECENT]; /* by key */
};

/* [in] on: nodes are many. FGPU_E_NOMEM. */
fgpu_status blocks_init(struct blocks *blocks, bool on, const struct alloc_hooks *hooks);
void blocks_fini(struct blocks *blocks);

/* The buffer's blocks as those of a new one. [in] old: what the slot had in its last life, or NULL.
 * FGPU_E_NOMEM. */
fgpu_status blocks_open(struct engine *engine, struct buffer *buffer, struct block *old);
/* It has no block that is present. What blocks_open() may use again stays. */
void blocks_close(struct blocks *blocks, struct buffer *buffer);
/* The slot's memory, at the end. */
void blocks_free(struct engine *engine, struct buffer *buffer);

/* Of a sparse buffer. */
struct block *blocks_at(struct buffer *buffer, uint32_t node);

/* All blocks that may be present; the host's first. */
struct block *blocks_first(const struct engine *engine, const struct buffer *buffer);
struct block *blocks_next(const struct engine *engine, const struct buffer *buffer,
                          const struct block *block);

#endif
