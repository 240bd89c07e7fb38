/* The invariants of the heap, as code: development builds ask after each turn, the tests after each
 * step.
 *
 * What is checked: the ranges of a slab cover it without gap, overlap or two free neighbours; every
 * page stands in a range and every page range has its page; all sums and counts; the list of empty
 * slabs; and what bins_check and cells_check say.
 */
#include "mem/heap.h"

struct heap_sums {
    uint64_t used_bytes, total_bytes, empty_bytes;
    uint32_t slabs, empty, blocks, pages, ranges;
};

static const struct heap_slab *heap_check_slab_at(const struct heap *heap, uint32_t slab)
{
    return (const struct heap_slab *)heap->slabs.items + slab;
}

/* Adds one range to the sums; `before` is the state of the one before it. */
static const char *heap_check_range(const struct heap *heap, uint32_t index, uint32_t before,
                                    struct heap_sums *sums)
{
    const struct bins_range *range = bins_at(&heap->bins, index);
    if (range->bytes == 0 || range->bytes % heap->granule_bytes != 0)
        return "the size of a range is no multiple of the granule";
    if (range->state == BINS_FREE && before == BINS_FREE)
        return "two neighbours are both free";
    sums->ranges++;
    if (range->state == BINS_TAKEN) {
        sums->blocks++;
        sums->used_bytes += range->bytes;
    }
    if (range->state == BINS_PAGE) {
        if (range->page >= heap->cells.pages.count)
            return "a page range names no page";
        const struct cells_page *page = cells_at(&heap->cells, range->page);
        if (page->range != index || range->bytes != CELLS_PAGE_BYTES)
            return "a page and its range do not name each other";
        uint32_t out = (uint32_t)page->cell_count - page->free_count;
        sums->pages++;
        sums->blocks += out;
        sums->used_bytes += (uint64_t)out * page->cell_bytes;
    }
    return NULL;
}

static const char *heap_check_slab(const struct heap *heap, uint32_t id, struct heap_sums *sums)
{
    const struct heap_slab *slab = heap_check_slab_at(heap, id);
    uint64_t offset = 0, taken = 0;
    uint32_t before = BINS_UNUSED, last = BINS_NONE;
    for (uint32_t i = slab->first; i != BINS_NONE; i = bins_at(&heap->bins, i)->next) {
        if (i >= heap->bins.ranges.count)
            return "a slab's list leaves the table";
        const struct bins_range *range = bins_at(&heap->bins, i);
        if (range->offset != offset || range->slab != id || range->prev != last)
            return "the ranges of a slab leave a gap or overlap";
        if (range->state == BINS_UNUSED)
            return "an unused range is in a slab's list";
        const char *wrong = heap_check_range(heap, i, before, sums);
        if (wrong != NULL)
            return wrong;
        if (range->state != BINS_FREE)
            taken += range->bytes;
        offset += range->bytes;
        before = range->state;
        last = i;
    }
    if (offset > slab->bytes || slab->bytes - offset >= heap->granule_bytes)
        return "the ranges of a slab do not cover it";
    if (taken != slab->taken_bytes)
        return "a slab's taken_bytes is wrong";
    sums->slabs++;
    sums->total_bytes += slab->bytes;
    if (taken == 0) {
        sums->empty++;
        sums->empty_bytes += slab->bytes;
    }
    return NULL;
}

static const char *heap_check_empty_list(const struct heap *heap)
{
    uint32_t count = 0, before = HEAP_NONE;
    for (uint32_t i = heap->empty_oldest; i != HEAP_NONE; i = heap_check_slab_at(heap, i)->newer) {
        const struct heap_slab *slab = heap_check_slab_at(heap, i);
        if (slab->bytes == 0 || slab->taken_bytes != 0 || slab->older != before)
            return "the list of empty slabs holds another one";
        before = i;
        count++;
    }
    if (count != heap->empty_count || before != heap->empty_newest)
        return "the list of empty slabs is not complete";
    return NULL;
}

const char *heap_check(const struct heap *heap)
{
    struct heap_sums sums = {0};
    const char *wrong = bins_check(&heap->bins);
    if (wrong == NULL)
        wrong = cells_check(&heap->cells);
    for (uint32_t id = 0; wrong == NULL && id < heap->slabs.count; id++) {
        if (heap_check_slab_at(heap, id)->bytes != 0)
            wrong = heap_check_slab(heap, id, &sums);
    }
    if (wrong == NULL)
        wrong = heap_check_empty_list(heap);
    if (wrong != NULL)
        return wrong;
    if (sums.ranges + heap->bins.unused_count != heap->bins.ranges.count)
        return "a range is in no slab";
    if (sums.pages != heap->cells.page_count)
        return "a page is in no slab";
    if (sums.used_bytes != heap->used_bytes || heap->peak_bytes < heap->used_bytes)
        return "used_bytes or peak_bytes is wrong";
    if (sums.blocks != heap->block_count)
        return "the count of blocks is wrong";
    if (sums.total_bytes != heap->total_bytes || sums.slabs != heap->slab_count)
        return "the sum over the slabs is wrong";
    if (sums.empty != heap->empty_count || sums.empty_bytes != heap->empty_bytes)
        return "the sum over the empty slabs is wrong";
    if (heap->ceiling_bytes > heap->limit_bytes)
        return "the ceiling is above the limit";
    return NULL;
}
