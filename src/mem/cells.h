/* Small blocks: pages cut into cells of one size class. The small half of mem/heap.h.
 *
 * A page is a range of a slab (mem/bins.h) of CELLS_PAGE_BYTES; a bitmap tells its free cells.
 * Classes are multiples of the alignment, four to a doubling, so that a cell wastes at most a
 * fifth. Pages with room hang in one list per class; a page that becomes empty goes back to the
 * slab unless it is the only one with room of its class. O(1). Thread: one at a time.
 */
#ifndef FASTGPU_MEM_CELLS_H
#define FASTGPU_MEM_CELLS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/alloc.h"
#include "base/vec.h"

#define CELLS_NONE UINT32_MAX
#define CELLS_PAGE_BYTES 65536u
#define CELLS_MIN_BYTES 64u
#define CELLS_MAX_BYTES 4096u
#define CELLS_CLASSES 32
#define CELLS_WORDS (CELLS_PAGE_BYTES / CELLS_MIN_BYTES / 64)

struct cells_page {
    uint64_t free[CELLS_WORDS]; /* bit: the cell is free */
    uint32_t summary;           /* bit w: free[w] is not 0 */
    uint32_t range;             /* in the bins; BINS_NONE: this record is unused */
    uint32_t older, newer;      /* pages of the class with room; `newer` links unused records */
    uint32_t cell_bytes;
    uint16_t class_index;
    uint16_t cell_count;
    uint16_t free_count;
};

struct cells {
    struct vec pages; /* struct cells_page */
    uint32_t unused;
    uint32_t page_count;
    uint32_t class_count;
    uint32_t class_bytes[CELLS_CLASSES];
    uint32_t room[CELLS_CLASSES]; /* first page with a free cell */
    uint32_t idle[CELLS_CLASSES]; /* the empty page that is kept */
    uint8_t class_of[CELLS_MAX_BYTES / CELLS_MIN_BYTES +
                     1]; /* by size in steps of CELLS_MIN_BYTES, rounded up */
};

void cells_init(struct cells *cells, uint64_t align_bytes, const struct alloc_hooks *hooks);
void cells_fini(struct cells *cells);

static inline struct cells_page *cells_at(const struct cells *cells, uint32_t page)
{
    return (struct cells_page *)cells->pages.items + page;
}

/* Class for a size of 1 .. CELLS_MAX_BYTES. */
static inline uint32_t cells_class(const struct cells *cells, uint64_t bytes)
{
    return cells->class_of[(bytes + CELLS_MIN_BYTES - 1) / CELLS_MIN_BYTES];
}

/* Makes sure that the next cells_add succeeds. */
bool cells_reserve(struct cells *cells);

/* A fresh page of the class in `range`; returns its index. Needs a reserve. */
uint32_t cells_add(struct cells *cells, uint32_t class_index, uint32_t range);

/* Takes a cell of a page with room; returns its number. */
uint32_t cells_take(struct cells *cells, uint32_t page);

/* Gives a cell back. True: the page is empty and not needed; the caller drops it and frees its
 * range. */
bool cells_give(struct cells *cells, uint32_t page, uint32_t cell);

/* Forgets an empty page; returns its range. */
uint32_t cells_drop(struct cells *cells, uint32_t page);

/* NULL, or the sentence of the first broken invariant. */
const char *cells_check(const struct cells *cells);

#endif
