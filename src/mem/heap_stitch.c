/* Which holes; see heap_stitch.h. */
#include "mem/heap_stitch.h"

#include <stdlib.h>

#include "base/assert.h"

/* What of a hole can be used. */
struct stitch_hole {
    uint64_t offset, bytes;
    uint32_t slab, range;
};

static int stitch_order(const void *a, const void *b)
{
    const struct stitch_hole *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    if (x->slab != y->slab)
        return x->slab < y->slab ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* [out] sum: bytes of all of them. */
static bool stitch_find(const struct heap *heap, uint64_t piece_bytes, struct vec *holes,
                        uint64_t *sum)
{
    *sum = 0;
    for (uint32_t i = 0; i < heap->bins.ranges.count; i++) {
        const struct bins_range *range = bins_at(&heap->bins, i);
        if (range->state != BINS_FREE)
            continue;
        struct stitch_hole hole = {.slab = range->slab, .range = i};
        uint64_t end = (range->offset + range->bytes) & ~(piece_bytes - 1);
        hole.offset = (range->offset + piece_bytes - 1) & ~(piece_bytes - 1);
        hole.bytes = end > hole.offset ? end - hole.offset : 0;
        if (hole.bytes > 0 && vec_push(holes, &hole) == NULL)
            return false;
        *sum += hole.bytes;
    }
    if (holes->count > 1)
        qsort(holes->items, holes->count, holes->item_bytes, stitch_order);
    return true;
}

bool heap_stitch(struct heap *heap, uint64_t bytes, uint64_t piece_bytes, struct vec *blocks)
{
    struct vec holes;
    uint64_t need = (bytes + piece_bytes - 1) & ~(piece_bytes - 1), sum;
    FGPU_ASSERT(piece_bytes > CELLS_MAX_BYTES && (piece_bytes & (piece_bytes - 1)) == 0);
    vec_clear(blocks);
    if (heap->direct || need > heap->total_bytes - heap->used_bytes)
        return false;
    vec_init(&holes, sizeof(struct stitch_hole), blocks->hooks);
    bool good = stitch_find(heap, piece_bytes, &holes, &sum) && sum >= need;
    for (size_t i = 0; good && need > 0; i++) {
        const struct stitch_hole *hole = vec_at(&holes, i);
        const struct heap_spot spot = {
            .slab = hole->slab, .near = hole->range, .offset = hole->offset};
        uint64_t part = hole->bytes < need ? hole->bytes : need;
        struct heap_block *block = vec_push(blocks, NULL);
        good = block != NULL && heap_alloc_at(heap, part, &spot, block);
        blocks->count -= block != NULL && !good;
        need -= part;
    }
    for (size_t i = 0; !good && i < blocks->count; i++)
        heap_free(heap, vec_at(blocks, i));
    if (!good)
        vec_clear(blocks);
    vec_fini(&holes);
    return good;
}
