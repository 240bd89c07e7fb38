/* The heap of a memory node: slabs, blocks, and when to ask for more; see heap.h. */
#include "mem/heap.h"
#include "base/assert.h"

#define HEAP_SLAB_BYTES_MIN (UINT64_C(2) << 20) /* what drivers give in one piece anyway */
#define HEAP_SLAB_BYTES_MAX (UINT64_C(64) << 20)
#define HEAP_SLAB_SHARE 256u /* of what is held: a slab that stays half empty costs 0.2 percent */
#define HEAP_ALIGN_BYTES 256u
#define HEAP_ALIGN_MAX 65536u
#define HEAP_GRANULE_BYTES 256u /* holes are no smaller: a block's waste is at most 255 */
#define HEAP_BYTES_MAX (UINT64_C(1) << 62) /* sums of two sizes stay in 64 bits */
#define HEAP_SMALL 0x80000000u             /* in a block's place: the rest is a page, not a range */

static struct heap_slab *heap_slab_at(const struct heap *heap, uint32_t slab)
{
    return (struct heap_slab *)heap->slabs.items + slab;
}

static uint64_t heap_round_up(const struct heap *heap, uint64_t bytes)
{
    return (bytes + heap->granule_bytes - 1) & ~(heap->granule_bytes - 1);
}

static uint64_t heap_round_down(const struct heap *heap, uint64_t bytes)
{
    return bytes & ~(heap->granule_bytes - 1);
}

void heap_init(struct heap *heap, const struct heap_config *config)
{
    uint32_t align = config->align_bytes != 0 ? config->align_bytes : HEAP_ALIGN_BYTES;
    FGPU_ASSERT((align & (align - 1)) == 0 && align <= HEAP_ALIGN_MAX);
    *heap = (struct heap){.slab_free = HEAP_NONE,
                          .empty_oldest = HEAP_NONE,
                          .empty_newest = HEAP_NONE,
                          .never_bytes = UINT64_MAX,
                          .direct = config->direct};
    heap->granule_bytes = align > HEAP_GRANULE_BYTES ? align : HEAP_GRANULE_BYTES;
    uint64_t limit = config->limit_bytes;
    if (limit == 0 || limit > HEAP_BYTES_MAX)
        limit = HEAP_BYTES_MAX;
    heap->limit_bytes = heap->ceiling_bytes = heap_round_down(heap, limit);
    FGPU_ASSERT(config->slab_bytes <= HEAP_BYTES_MAX);
    heap->fixed_slab_bytes = heap_round_up(heap, config->slab_bytes);
    bins_init(&heap->bins, config->hooks);
    cells_init(&heap->cells, align, config->hooks);
    vec_init(&heap->slabs, sizeof(struct heap_slab), config->hooks);
}

void heap_fini(struct heap *heap)
{
    if (heap == NULL)
        return;
    bins_fini(&heap->bins);
    cells_fini(&heap->cells);
    vec_fini(&heap->slabs);
}

/* ---- the list of empty slabs */

static void heap_empty_push(struct heap *heap, uint32_t id)
{
    struct heap_slab *slab = heap_slab_at(heap, id);
    slab->older = heap->empty_newest;
    slab->newer = HEAP_NONE;
    if (heap->empty_newest != HEAP_NONE)
        heap_slab_at(heap, heap->empty_newest)->newer = id;
    else
        heap->empty_oldest = id;
    heap->empty_newest = id;
    heap->empty_count++;
    heap->empty_bytes += slab->bytes;
}

static void heap_empty_remove(struct heap *heap, uint32_t id)
{
    const struct heap_slab *slab = heap_slab_at(heap, id);
    if (slab->older != HEAP_NONE)
        heap_slab_at(heap, slab->older)->newer = slab->newer;
    else
        heap->empty_oldest = slab->newer;
    if (slab->newer != HEAP_NONE)
        heap_slab_at(heap, slab->newer)->older = slab->older;
    else
        heap->empty_newest = slab->older;
    heap->empty_count--;
    heap->empty_bytes -= slab->bytes;
}

/* ---- ranges */

/* The free range to use for `need` bytes, or BINS_NONE. A slab that is used as a whole may be up to
 * an eighth larger. */
static uint32_t heap_find(const struct heap *heap, uint64_t need)
{
    uint32_t range = bins_find(&heap->bins, need);
    if (range != BINS_NONE && heap->direct && bins_at(&heap->bins, range)->bytes > need + need / 8)
        return BINS_NONE;
    return range;
}

static void heap_take_range(struct heap *heap, uint32_t index, uint64_t need)
{
    bins_remove(&heap->bins, index);
    if (!heap->direct && bins_at(&heap->bins, index)->bytes > need)
        bins_split(&heap->bins, index, need);
    const struct bins_range *range = bins_at(&heap->bins, index);
    struct heap_slab *slab = heap_slab_at(heap, range->slab);
    if (slab->taken_bytes == 0)
        heap_empty_remove(heap, range->slab);
    slab->taken_bytes += range->bytes;
}

static void heap_give_range(struct heap *heap, uint32_t index)
{
    const struct bins_range *range = bins_at(&heap->bins, index);
    uint32_t id = range->slab;
    struct heap_slab *slab = heap_slab_at(heap, id);
    FGPU_ASSERT(slab->taken_bytes >= range->bytes);
    slab->taken_bytes -= range->bytes;
    bins_release(&heap->bins, index);
    if (slab->taken_bytes == 0)
        heap_empty_push(heap, id);
}

/* An empty page becomes an ordinary hole. */
static void heap_give_page(struct heap *heap, uint32_t page)
{
    uint32_t index = cells_drop(&heap->cells, page);
    bins_at(&heap->bins, index)->state = BINS_TAKEN;
    heap_give_range(heap, index);
}

static void heap_give_idle_pages(struct heap *heap)
{
    for (uint32_t i = 0; i < heap->cells.class_count; i++) {
        if (heap->cells.idle[i] != CELLS_NONE)
            heap_give_page(heap, heap->cells.idle[i]);
    }
}

/* ---- the answer for a range: HEAP_OK and the range to take, or what to do first */

/* Slabs grow with the heap: neither are there many, nor is much of the last one wasted. */
uint64_t heap_usual_slab(const struct heap *heap)
{
    uint64_t bytes = heap->total_bytes / HEAP_SLAB_SHARE;
    if (heap->fixed_slab_bytes != 0)
        return heap->fixed_slab_bytes;
    if (bytes < HEAP_SLAB_BYTES_MIN)
        return HEAP_SLAB_BYTES_MIN;
    return bytes > HEAP_SLAB_BYTES_MAX ? HEAP_SLAB_BYTES_MAX : heap_round_up(heap, bytes);
}

/* Does a slab of `bytes` take the heap above the most that it ever held, although empty slabs stand
 * about in which the block has no room? They go first. (In direct mode blocks of different sizes
 * that take turns would let each other's slabs go again and again.) */
static bool heap_should_trim(const struct heap *heap, uint64_t bytes)
{
    return !heap->direct && heap->empty_bytes > 0 &&
           heap->total_bytes + heap->pending_bytes + bytes > heap->most_bytes;
}

static enum heap_answer heap_want_slab(const struct heap *heap, uint64_t need, uint64_t *grow_bytes)
{
    uint64_t held = heap->total_bytes + heap->pending_bytes;
    uint64_t room = heap->ceiling_bytes > held ? heap->ceiling_bytes - held : 0;
    if (need > heap->limit_bytes || need >= heap->never_bytes)
        return HEAP_NEVER;
    if (heap->pending_bytes > 0 && (!heap->direct || (heap->total_bytes == 0 && need > room)))
        return HEAP_WAIT;
    uint64_t usual = heap_usual_slab(heap);
    if (heap->direct || need > usual)
        usual = need;
    *grow_bytes = usual < room ? usual : heap_round_down(heap, room);
    if (*grow_bytes >= need)
        return heap_should_trim(heap, *grow_bytes) ? HEAP_TRIM : HEAP_GROW;
    if (held == 0) { /* the ceiling is a guess: with nothing in the way, try what is needed */
        *grow_bytes = need;
        return HEAP_GROW;
    }
    if (heap->empty_bytes > 0 &&
        (room + heap->empty_bytes >= need || heap->empty_bytes == heap->total_bytes))
        return HEAP_TRIM;
    return heap->block_count > 0 ? HEAP_FULL : HEAP_WAIT;
}

static enum heap_answer heap_want_range(struct heap *heap, uint64_t need, uint32_t *range,
                                        uint64_t *grow_bytes)
{
    *range = heap_find(heap, need);
    if (*range == BINS_NONE && heap->cells.page_count > 0) {
        heap_give_idle_pages(heap);
        *range = heap_find(heap, need);
    }
    return *range != BINS_NONE ? HEAP_OK : heap_want_slab(heap, need, grow_bytes);
}

/* ---- blocks */

static struct heap_block heap_block_of(const struct heap *heap, uint32_t range_index,
                                       uint64_t offset, uint64_t bytes)
{
    uint32_t slab = bins_at(&heap->bins, range_index)->slab;
    return (struct heap_block){.mem = heap_slab_at(heap, slab)->mem,
                               .offset = offset,
                               .bytes = bytes,
                               .slab = slab,
                               .place = range_index};
}

static void heap_count_block(struct heap *heap, uint64_t bytes)
{
    heap->block_count++;
    heap->used_bytes += bytes;
    if (heap->used_bytes > heap->peak_bytes)
        heap->peak_bytes = heap->used_bytes;
}

static enum heap_answer heap_alloc_large(struct heap *heap, uint64_t bytes,
                                         struct heap_block *block, uint64_t *grow_bytes)
{
    uint64_t need = heap_round_up(heap, bytes);
    uint32_t index = BINS_NONE;
    if (!bins_reserve(&heap->bins, 1))
        return HEAP_NOMEM;
    enum heap_answer answer = heap_want_range(heap, need, &index, grow_bytes);
    if (answer == HEAP_GROW)
        heap->pending_bytes += *grow_bytes;
    if (answer == HEAP_NEVER)
        heap->never_bytes = UINT64_MAX; /* said once: others may have given memory back by then */
    if (answer != HEAP_OK)
        return answer;
    heap_take_range(heap, index, need);
    const struct bins_range *range = bins_at(&heap->bins, index);
    *block = heap_block_of(heap, index, range->offset, range->bytes);
    heap_count_block(heap, range->bytes);
    return HEAP_OK;
}

/* A new page of the class. What is not HEAP_OK or HEAP_NOMEM says that no range is large enough. */
static enum heap_answer heap_add_page(struct heap *heap, uint32_t class_index, uint64_t *grow_bytes)
{
    uint32_t index = BINS_NONE;
    if (!bins_reserve(&heap->bins, 1) || !cells_reserve(&heap->cells))
        return HEAP_NOMEM;
    enum heap_answer answer = heap_want_range(heap, CELLS_PAGE_BYTES, &index, grow_bytes);
    if (answer != HEAP_OK)
        return answer;
    heap_take_range(heap, index, CELLS_PAGE_BYTES);
    uint32_t page = cells_add(&heap->cells, class_index, index);
    bins_at(&heap->bins, index)->state = BINS_PAGE;
    bins_at(&heap->bins, index)->page = page;
    return HEAP_OK;
}

bool heap_is_small(const struct heap *heap, uint64_t bytes)
{
    return bytes <= CELLS_MAX_BYTES && !heap->direct && heap->cells.class_count > 0;
}

static enum heap_answer heap_alloc_small(struct heap *heap, uint64_t bytes,
                                         struct heap_block *block, uint64_t *grow_bytes)
{
    uint32_t class_index = cells_class(&heap->cells, bytes);
    if (heap->cells.room[class_index] == CELLS_NONE) {
        enum heap_answer answer = heap_add_page(heap, class_index, grow_bytes);
        if (answer == HEAP_GROW)
            heap->pending_bytes += *grow_bytes;
        if (answer == HEAP_FULL || answer == HEAP_TRIM || answer == HEAP_NEVER)
            return heap_alloc_large(heap, bytes, block, grow_bytes); /* a hole may still do */
        if (answer != HEAP_OK)
            return answer;
    }
    uint32_t page_index = heap->cells.room[class_index];
    uint32_t cell = cells_take(&heap->cells, page_index);
    const struct cells_page *page = cells_at(&heap->cells, page_index);
    uint64_t base = bins_at(&heap->bins, page->range)->offset;
    *block = heap_block_of(heap, page->range, base + (uint64_t)cell * page->cell_bytes,
                           page->cell_bytes);
    block->place = HEAP_SMALL | page_index;
    heap_count_block(heap, page->cell_bytes);
    return HEAP_OK;
}

enum heap_answer heap_alloc(struct heap *heap, uint64_t bytes, struct heap_block *block,
                            uint64_t *grow_bytes)
{
    if (bytes > HEAP_BYTES_MAX)
        return HEAP_NEVER;
    if (bytes == 0)
        bytes = 1;
    if (heap_is_small(heap, bytes))
        return heap_alloc_small(heap, bytes, block, grow_bytes);
    return heap_alloc_large(heap, bytes, block, grow_bytes);
}

enum heap_answer heap_ask(struct heap *heap, uint64_t bytes)
{
    uint32_t range = BINS_NONE;
    uint64_t grow_bytes = 0;
    if (bytes > HEAP_BYTES_MAX)
        return HEAP_NEVER;
    if (bytes == 0)
        bytes = 1;
    if (heap_is_small(heap, bytes)) {
        if (heap->cells.room[cells_class(&heap->cells, bytes)] != CELLS_NONE)
            return HEAP_OK;
        enum heap_answer answer = heap_want_range(heap, CELLS_PAGE_BYTES, &range, &grow_bytes);
        if (answer == HEAP_OK || answer == HEAP_GROW || answer == HEAP_WAIT)
            return answer;
    }
    return heap_want_range(heap, heap_round_up(heap, bytes), &range, &grow_bytes);
}

uint64_t heap_footprint(const struct heap *heap, uint64_t bytes)
{
    return bytes > HEAP_BYTES_MAX ? HEAP_BYTES_MAX : heap_round_up(heap, bytes != 0 ? bytes : 1);
}

bool heap_ask_slab(struct heap *heap, uint64_t bytes)
{
    if (heap->direct || heap->pending_bytes > 0 || bytes == 0 || bytes > heap->ceiling_bytes ||
        heap->total_bytes > heap->ceiling_bytes - bytes)
        return false;
    heap->pending_bytes += bytes;
    return true;
}

/* The range that covers the offset, BINS_NONE: the slab ends before. */
static uint32_t heap_range_at(const struct heap *heap, const struct heap_spot *spot)
{
    uint32_t at = heap_slab_at(heap, spot->slab)->first;
    if (spot->near < heap->bins.ranges.count) {
        const struct bins_range *near = bins_at(&heap->bins, spot->near);
        if (near->state != BINS_UNUSED && near->slab == spot->slab && near->offset <= spot->offset)
            at = spot->near;
    }
    while (at != BINS_NONE &&
           bins_at(&heap->bins, at)->offset + bins_at(&heap->bins, at)->bytes <= spot->offset)
        at = bins_at(&heap->bins, at)->next;
    return at;
}

bool heap_alloc_at(struct heap *heap, uint64_t bytes, const struct heap_spot *spot,
                   struct heap_block *block)
{
    uint64_t need = heap_footprint(heap, bytes);
    FGPU_ASSERT(!heap_is_small(heap, bytes) && spot->offset % heap->granule_bytes == 0);
    if (heap->direct || spot->slab >= heap->slabs.count ||
        heap_slab_at(heap, spot->slab)->bytes == 0 || !bins_reserve(&heap->bins, 2))
        return false;
    uint32_t at = heap_range_at(heap, spot);
    if (at == BINS_NONE || bins_at(&heap->bins, at)->state != BINS_FREE)
        return false;
    uint64_t before = spot->offset - bins_at(&heap->bins, at)->offset;
    if (bins_at(&heap->bins, at)->bytes - before < need)
        return false;
    if (before > 0) { /* what lies in front stays a hole */
        bins_remove(&heap->bins, at);
        bins_split(&heap->bins, at, before);
        bins_insert(&heap->bins, at);
        at = bins_at(&heap->bins, at)->next;
    }
    heap_take_range(heap, at, need);
    heap_block_at(heap, at, block);
    heap_count_block(heap, block->bytes);
    return true;
}

static void heap_free_small(struct heap *heap, const struct heap_block *block)
{
    uint32_t page_index = block->place & ~HEAP_SMALL;
    FGPU_ASSERT(page_index < heap->cells.pages.count);
    const struct cells_page *page = cells_at(&heap->cells, page_index);
    FGPU_ASSERT(page->range != CELLS_NONE && page->cell_bytes == block->bytes);
    const struct bins_range *range = bins_at(&heap->bins, page->range);
    uint64_t inside = block->offset - range->offset;
    FGPU_ASSERT(range->slab == block->slab && inside < CELLS_PAGE_BYTES);
    uint32_t cell = (uint32_t)inside / page->cell_bytes;
    FGPU_ASSERT((uint64_t)cell * page->cell_bytes == inside);
    if (cells_give(&heap->cells, page_index, cell))
        heap_give_page(heap, page_index);
}

void heap_free(struct heap *heap, const struct heap_block *block)
{
    FGPU_ASSERT(heap->block_count > 0 && heap->used_bytes >= block->bytes);
    if (block->place & HEAP_SMALL) {
        heap_free_small(heap, block);
    } else {
        FGPU_ASSERT(block->place < heap->bins.ranges.count);
        const struct bins_range *range = bins_at(&heap->bins, block->place);
        FGPU_ASSERT(range->state == BINS_TAKEN && range->slab == block->slab &&
                    range->offset == block->offset && range->bytes == block->bytes);
        heap_give_range(heap, block->place);
    }
    heap->block_count--;
    heap->used_bytes -= block->bytes;
}

void heap_block_at(const struct heap *heap, uint32_t place, struct heap_block *block)
{
    const struct bins_range *range = bins_at(&heap->bins, place);
    FGPU_ASSERT(place < heap->bins.ranges.count && range->state == BINS_TAKEN);
    *block = heap_block_of(heap, place, range->offset, range->bytes);
}

void heap_take_hole(struct heap *heap, uint32_t range, struct heap_block *block)
{
    heap_take_range(heap, range, bins_at(&heap->bins, range)->bytes);
    heap_block_at(heap, range, block);
    heap_count_block(heap, block->bytes);
}

bool heap_alloc_hole(struct heap *heap, uint64_t bytes, struct heap_block *block)
{
    uint32_t range;
    if (!bins_reserve(&heap->bins, 1))
        return false;
    range = heap_find(heap, bytes);
    if (range == BINS_NONE)
        return false;
    heap_take_range(heap, range, bytes);
    heap_block_at(heap, range, block);
    heap_count_block(heap, block->bytes);
    return true;
}

/* ---- slabs */

/* An unused id, or HEAP_NONE without memory. */
static uint32_t heap_new_slab(struct heap *heap)
{
    uint32_t id = heap->slab_free;
    if (id != HEAP_NONE) {
        heap->slab_free = heap_slab_at(heap, id)->newer;
        return id;
    }
    id = (uint32_t)heap->slabs.count;
    return vec_push(&heap->slabs, NULL) != NULL ? id : HEAP_NONE;
}

uint32_t heap_add_slab(struct heap *heap, uint64_t mem, uint64_t bytes, bool pending)
{
    FGPU_ASSERT(bytes >= heap->granule_bytes && bytes <= HEAP_BYTES_MAX);
    if (pending) {
        FGPU_ASSERT(heap->pending_bytes >= bytes);
        heap->pending_bytes -= bytes;
    }
    if (!bins_reserve(&heap->bins, 1))
        return HEAP_NONE;
    uint32_t id = heap_new_slab(heap);
    if (id == HEAP_NONE)
        return HEAP_NONE;
    if (pending && heap->ceiling_bytes < heap->limit_bytes) {
        uint64_t below = heap->limit_bytes - heap->ceiling_bytes;
        heap->ceiling_bytes += bytes < below ? bytes : below;
    }
    uint32_t range = bins_new(&heap->bins, id, 0, heap_round_down(heap, bytes));
    *heap_slab_at(heap, id) = (struct heap_slab){.mem = mem, .bytes = bytes, .first = range};
    bins_insert(&heap->bins, range);
    heap->never_bytes = UINT64_MAX; /* the device has given: what it refused before is history */
    heap->slab_count++;
    heap->total_bytes += bytes;
    if (heap->total_bytes > heap->most_bytes)
        heap->most_bytes = heap->total_bytes;
    heap_empty_push(heap, id);
    return id;
}

void heap_refuse_slab(struct heap *heap, uint64_t bytes)
{
    FGPU_ASSERT(bytes > 0 && heap->pending_bytes >= bytes);
    heap->pending_bytes -= bytes;
    uint64_t held = heap->total_bytes + heap->pending_bytes;
    if (held == 0 && bytes < heap->never_bytes)
        heap->never_bytes = bytes;
    uint64_t ceiling = held + heap_round_down(heap, bytes / 2);
    if (ceiling < heap->ceiling_bytes)
        heap->ceiling_bytes = ceiling;
}

bool heap_release_empty(struct heap *heap, uint64_t keep_bytes, uint64_t *mem, uint64_t *bytes)
{
    if (keep_bytes == 0)
        heap_give_idle_pages(heap);
    if (heap->empty_count == 0 || heap->empty_bytes <= keep_bytes)
        return false;
    uint32_t id = heap->empty_oldest;
    struct heap_slab *slab = heap_slab_at(heap, id);
    heap_empty_remove(heap, id);
    bins_remove(&heap->bins, slab->first);
    bins_drop(&heap->bins, slab->first);
    *mem = slab->mem;
    *bytes = slab->bytes;
    heap->total_bytes -= slab->bytes;
    heap->slab_count--;
    *slab = (struct heap_slab){.newer = heap->slab_free};
    heap->slab_free = id;
    return true;
}

bool heap_next_slab(const struct heap *heap, uint32_t *cursor, uint64_t *mem, uint64_t *bytes)
{
    while (*cursor < heap->slabs.count) {
        const struct heap_slab *slab = heap_slab_at(heap, (*cursor)++);
        if (slab->bytes != 0) {
            *mem = slab->mem;
            *bytes = slab->bytes;
            return true;
        }
    }
    return false;
}

void heap_get_stats(const struct heap *heap, struct heap_stats *stats)
{
    *stats = (struct heap_stats){.used_bytes = heap->used_bytes,
                                 .peak_bytes = heap->peak_bytes,
                                 .slab_bytes = heap->total_bytes,
                                 .pending_bytes = heap->pending_bytes,
                                 .empty_bytes = heap->empty_bytes,
                                 .free_bytes = heap->total_bytes - heap->used_bytes,
                                 .largest_free_bytes = bins_largest(&heap->bins),
                                 .limit_bytes = heap->ceiling_bytes,
                                 .slabs = heap->slab_count,
                                 .empty_slabs = heap->empty_count,
                                 .blocks = heap->block_count,
                                 .holes = heap->bins.free_count};
    if (heap->ceiling_bytes == heap_round_down(heap, HEAP_BYTES_MAX))
        stats->limit_bytes = UINT64_MAX;
    if (stats->free_bytes > 0)
        stats->fragmentation = 1.0 - (double)stats->largest_free_bytes / (double)stats->free_bytes;
}
