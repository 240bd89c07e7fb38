/* The heap of one memory node: which bytes of which slab belong to which block. It plans, it calls
 * no device.
 *
 * On the walk: move asks for a place for a replica (heap_alloc) and gives it back (heap_free); the
 * answer may instead be "I need a slab", which becomes an ALLOC record and comes back as
 * heap_add_slab. Large blocks: exact best fit, the lowest address among equals, neighbours joined
 * at once (M. Johnstone, P. Wilson: The memory fragmentation problem: solved?, ISMM 1998). Blocks
 * up to HEAP_SMALL_BYTES: equal cells in pages that are themselves large blocks (mem/cells.h). In
 * direct mode (devices whose arguments cannot start inside an allocation) each block is a slab of
 * its own, and freed slabs are kept for requests of nearly their size. Thread: one at a time
 * (engine). Owns its tables only, never the device's memory. Keeps true: heap_check. Cost: O(1) for
 * small blocks, O(log holes of similar size) for large; the tables allocate only while they grow.
 */
#ifndef FASTGPU_MEM_HEAP_H
#define FASTGPU_MEM_HEAP_H

#include <stdbool.h>
#include <stdint.h>
#include "base/alloc.h"
#include "base/vec.h"
#include "mem/bins.h"
#include "mem/cells.h"

#define HEAP_NONE UINT32_MAX

/* A piece of device memory. Plain data: copy it freely, free it once. */
struct heap_block {
    uint64_t mem;    /* the backend's name of the slab's allocation */
    uint64_t offset; /* in it; a multiple of align_bytes */
    uint64_t bytes;  /* reserved: at least what was asked for */
    uint32_t slab;   /* id that heap_add_slab gave */
    uint32_t place;  /* the heap's own: where it finds the block again */
};

struct heap_config {
    uint64_t limit_bytes; /* all slabs together at most; 0: no limit */
    uint64_t slab_bytes;  /* size of an ordinary slab; 0: a 256th of what is held, 2 to 64 MiB.
                             Larger blocks get a slab of their size */
    uint32_t align_bytes; /* power of two up to 65536; 0: 256 */
    bool direct;          /* one slab per block, always at offset 0 */
    const struct alloc_hooks *hooks; /* [borrow] for the tables; NULL: the C library */
};

enum heap_answer {
    HEAP_OK = 0, /* *block is filled */
    HEAP_GROW, /* allocate a slab of *grow_bytes, answer with ONE heap_add_slab or heap_refuse_slab
                  of that size, then ask again. The bytes count as taken meanwhile */
    HEAP_WAIT, /* a slab asked for by an earlier HEAP_GROW is still to come: ask again after it (not
                  in direct mode) */
    HEAP_TRIM, /* empty slabs in which the block has no room stand in the way, of the limit or of
                  holding no more than ever before: take one from heap_release_empty(h, 0, ...),
                  free it on the device, ask again */
    HEAP_FULL, /* the limit: evict something, ask again. Only while a block is out */
    HEAP_NEVER, /* larger than the limit or than what the device has: no eviction will help */
    HEAP_NOMEM  /* no host memory for the tables; nothing has changed */
};

struct heap_stats {
    uint64_t used_bytes;         /* reserved by blocks */
    uint64_t peak_bytes;         /* highest used_bytes so far */
    uint64_t slab_bytes;         /* all slabs */
    uint64_t pending_bytes;      /* asked for by HEAP_GROW, not answered yet */
    uint64_t empty_bytes;        /* slabs without any block */
    uint64_t free_bytes;         /* slab_bytes - used_bytes */
    uint64_t largest_free_bytes; /* largest block that needs no new slab */
    uint64_t limit_bytes;        /* as it stands, after refusals; UINT64_MAX: none */
    double fragmentation;        /* 1 - largest_free / free, 0 when nothing is free */
    uint32_t slabs;
    uint32_t empty_slabs;
    uint32_t blocks;
    uint32_t holes; /* free ranges, apart from free cells */
};

struct heap_slab {
    uint64_t mem;
    uint64_t bytes;        /* 0: this id is free */
    uint64_t taken_bytes;  /* in large blocks and pages */
    uint32_t first;        /* range at offset 0 */
    uint32_t older, newer; /* list of the empty ones; `newer` links the free ids */
};

struct heap {
    struct bins bins;   /* ranges of all slabs, the free ones by size */
    struct cells cells; /* pages of small blocks */
    struct vec slabs;   /* struct heap_slab */
    uint32_t slab_free; /* free ids */
    uint32_t empty_oldest, empty_newest;
    uint64_t limit_bytes;   /* of the configuration */
    uint64_t ceiling_bytes; /* what the device seems to have: halfway down at a refusal, up again
                               with each slab that came */
    uint64_t never_bytes;   /* refused while nothing else was held: HEAP_NEVER from here on, once */
    uint64_t fixed_slab_bytes; /* 0: heap_usual_slab */
    uint64_t most_bytes;       /* the highest total_bytes so far */
    uint64_t granule_bytes;    /* sizes of ranges are multiples of it */
    bool direct;
    uint64_t used_bytes, peak_bytes, total_bytes, pending_bytes, empty_bytes;
    uint32_t slab_count, empty_count, block_count;
};

/* Takes nothing yet. `config` is copied, its hooks are borrowed. */
void heap_init(struct heap *heap, const struct heap_config *config);

/* Forgets everything; the caller frees the slabs on the device (heap_next_slab). NULL and zeroed
 * are accepted. */
void heap_fini(struct heap *heap);

/* A block of at least `bytes` (0 counts as 1). [out] block: on HEAP_OK. [out] grow_bytes: on
 * HEAP_GROW. */
enum heap_answer heap_alloc(struct heap *heap, uint64_t bytes, struct heap_block *block,
                            uint64_t *grow_bytes);

/* What heap_alloc would answer, without doing it (pages that stand empty may go back to their
 * slabs). Never HEAP_NOMEM. */
enum heap_answer heap_ask(struct heap *heap, uint64_t bytes);

/* The bytes that blocks of these sizes take, apart from pages of small ones. */
uint64_t heap_footprint(const struct heap *heap, uint64_t bytes);

/* What a HEAP_GROW for a block that needs less asks for. */
uint64_t heap_usual_slab(const struct heap *heap);

/* One slab for `bytes`, to be answered as a HEAP_GROW of that size: only where the heap expects
 * none, is not in direct mode, and may hold so much more. */
bool heap_ask_slab(struct heap *heap, uint64_t bytes);

/* A block at this very place: true when it is free, and there is memory for the tables. `near`: a
 * large block of the slab from which to look upwards, HEAP_NONE: from its beginning. Not for what
 * heap_is_small() says of. */
struct heap_spot {
    uint32_t slab, near;
    uint64_t offset;
};
bool heap_alloc_at(struct heap *heap, uint64_t bytes, const struct heap_spot *spot,
                   struct heap_block *block);

/* Do blocks of this size share pages? */
bool heap_is_small(const struct heap *heap, uint64_t bytes);

/* Gives a block back; a block that is not out is our bug (assert). */
void heap_free(struct heap *heap, const struct heap_block *block);

/* A slab has come. `pending`: it answers a HEAP_GROW; false: it is lent at start, say. Returns its
 * id, or HEAP_NONE without host memory: then the caller frees it on the device, and nothing is
 * pending any more. */
uint32_t heap_add_slab(struct heap *heap, uint64_t mem, uint64_t bytes, bool pending);

/* The device has no memory for the slab of a HEAP_GROW. The next answers ask for less, down to what
 * is needed, then become HEAP_TRIM, HEAP_FULL or HEAP_NEVER. */
void heap_refuse_slab(struct heap *heap, uint64_t bytes);

/* Takes an empty slab out, the one that has been empty longest, while the empty ones hold more than
 * keep_bytes together (0: any). False when there is none to give. [out] mem, bytes: free it on the
 * device. */
bool heap_release_empty(struct heap *heap, uint64_t keep_bytes, uint64_t *mem, uint64_t *bytes);

/* Walks the slabs, for closing: start with *cursor = 0; false at the end. */
bool heap_next_slab(const struct heap *heap, uint32_t *cursor, uint64_t *mem, uint64_t *bytes);

/* The block whose `place` this is; not one of the small. */
void heap_block_at(const struct heap *heap, uint32_t place, struct heap_block *block);

/* For mem/heap_compact.c: a hole as a block, whole; and a large block of a size that heap_footprint
 * gave from the holes that there are, false when there is none or no memory. */
void heap_take_hole(struct heap *heap, uint32_t range, struct heap_block *block);
bool heap_alloc_hole(struct heap *heap, uint64_t bytes, struct heap_block *block);

void heap_get_stats(const struct heap *heap, struct heap_stats *stats);

/* NULL, or the sentence of the first invariant that does not hold. Time linear in ranges and pages.
 */
const char *heap_check(const struct heap *heap);

#endif
