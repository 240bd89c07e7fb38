/* Pages of equal cells; see cells.h. */
#include "mem/cells.h"
#include "base/assert.h"

/* The classes: CELLS_MIN_BYTES or the alignment, then four steps to each doubling, rounded up to
 * the alignment. */
static void cells_make_classes(struct cells *cells, uint32_t align)
{
    uint32_t bytes = align;
    while (bytes <= CELLS_MAX_BYTES) {
        FGPU_ASSERT(cells->class_count < CELLS_CLASSES);
        cells->class_bytes[cells->class_count++] = bytes;
        uint32_t doubling = 1u << (31 - __builtin_clz(bytes));
        uint32_t step = doubling / 4 < align ? align : doubling / 4;
        bytes += step;
    }
}

void cells_init(struct cells *cells, uint64_t align_bytes, const struct alloc_hooks *hooks)
{
    *cells = (struct cells){.unused = CELLS_NONE};
    vec_init(&cells->pages, sizeof(struct cells_page), hooks);
    cells_make_classes(cells,
                       align_bytes < CELLS_MIN_BYTES ? CELLS_MIN_BYTES : (uint32_t)align_bytes);
    uint32_t class_index = 0;
    for (uint32_t step = 1; step <= CELLS_MAX_BYTES / CELLS_MIN_BYTES; step++) {
        while (class_index < cells->class_count &&
               cells->class_bytes[class_index] < step * CELLS_MIN_BYTES)
            class_index++;
        cells->class_of[step] = (uint8_t)class_index;
    }
    for (uint32_t i = 0; i < CELLS_CLASSES; i++)
        cells->room[i] = cells->idle[i] = CELLS_NONE;
}

void cells_fini(struct cells *cells)
{
    if (cells != NULL)
        vec_fini(&cells->pages);
}

bool cells_reserve(struct cells *cells)
{
    if (cells->unused != CELLS_NONE)
        return true;
    uint32_t index = (uint32_t)cells->pages.count;
    struct cells_page *page = vec_push(&cells->pages, NULL);
    if (page == NULL)
        return false;
    page->range = CELLS_NONE;
    page->newer = CELLS_NONE;
    cells->unused = index;
    return true;
}

static void cells_link(struct cells *cells, uint32_t index)
{
    struct cells_page *page = cells_at(cells, index);
    page->older = CELLS_NONE;
    page->newer = cells->room[page->class_index];
    if (page->newer != CELLS_NONE)
        cells_at(cells, page->newer)->older = index;
    cells->room[page->class_index] = index;
}

static void cells_unlink(struct cells *cells, uint32_t index)
{
    struct cells_page *page = cells_at(cells, index);
    if (page->older != CELLS_NONE)
        cells_at(cells, page->older)->newer = page->newer;
    else
        cells->room[page->class_index] = page->newer;
    if (page->newer != CELLS_NONE)
        cells_at(cells, page->newer)->older = page->older;
}

uint32_t cells_add(struct cells *cells, uint32_t class_index, uint32_t range)
{
    FGPU_ASSERT(cells->unused != CELLS_NONE && class_index < cells->class_count);
    uint32_t index = cells->unused;
    struct cells_page *page = cells_at(cells, index);
    cells->unused = page->newer;
    uint32_t cell_bytes = cells->class_bytes[class_index];
    uint32_t count = CELLS_PAGE_BYTES / cell_bytes;
    *page = (struct cells_page){.range = range,
                                .cell_bytes = cell_bytes,
                                .class_index = (uint16_t)class_index,
                                .cell_count = (uint16_t)count,
                                .free_count = (uint16_t)count};
    for (uint32_t word = 0; word * 64 < count; word++) {
        uint32_t left = count - word * 64;
        page->free[word] = left >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << left) - 1;
        page->summary |= 1u << word;
    }
    cells->page_count++;
    cells->idle[class_index] = index;
    cells_link(cells, index);
    return index;
}

uint32_t cells_take(struct cells *cells, uint32_t index)
{
    struct cells_page *page = cells_at(cells, index);
    FGPU_ASSERT(page->free_count > 0);
    if (page->free_count == page->cell_count)
        cells->idle[page->class_index] = CELLS_NONE;
    uint32_t word = (uint32_t)__builtin_ctz(page->summary);
    uint32_t bit = (uint32_t)__builtin_ctzll(page->free[word]);
    page->free[word] &= page->free[word] - 1;
    if (page->free[word] == 0)
        page->summary &= ~(1u << word);
    if (--page->free_count == 0)
        cells_unlink(cells, index);
    return word * 64 + bit;
}

bool cells_give(struct cells *cells, uint32_t index, uint32_t cell)
{
    FGPU_ASSERT(index < cells->pages.count);
    struct cells_page *page = cells_at(cells, index);
    FGPU_ASSERT(page->range != CELLS_NONE && cell < page->cell_count);
    uint64_t bit = UINT64_C(1) << (cell % 64);
    FGPU_ASSERT((page->free[cell / 64] & bit) == 0);
    page->free[cell / 64] |= bit;
    page->summary |= 1u << (cell / 64);
    if (page->free_count++ == 0)
        cells_link(cells, index);
    if (page->free_count < page->cell_count)
        return false;
    if (cells->room[page->class_index] != index || page->newer != CELLS_NONE)
        return true;
    cells->idle[page->class_index] = index;
    return false;
}

uint32_t cells_drop(struct cells *cells, uint32_t index)
{
    struct cells_page *page = cells_at(cells, index);
    FGPU_ASSERT(page->free_count == page->cell_count);
    uint32_t range = page->range;
    cells_unlink(cells, index);
    if (cells->idle[page->class_index] == index)
        cells->idle[page->class_index] = CELLS_NONE;
    page->range = CELLS_NONE;
    page->newer = cells->unused;
    cells->unused = index;
    cells->page_count--;
    return range;
}

static const char *cells_check_page(const struct cells_page *page)
{
    uint32_t count = 0;
    for (uint32_t word = 0; word < CELLS_WORDS; word++) {
        count += (uint32_t)__builtin_popcountll(page->free[word]);
        if (((page->summary >> word) & 1) != (page->free[word] != 0))
            return "a page's summary differs from its bitmap";
        uint32_t begin = word * 64;
        if (begin + 64 > page->cell_count) {
            uint32_t left = page->cell_count > begin ? page->cell_count - begin : 0;
            if (left < 64 && page->free[word] >> left != 0)
                return "a page has a free cell behind its last";
        }
    }
    return count == page->free_count ? NULL : "a page's count of free cells is wrong";
}

const char *cells_check(const struct cells *cells)
{
    uint32_t used = 0, with_room = 0, linked = 0;
    for (size_t i = 0; i < cells->pages.count; i++) {
        const struct cells_page *page = cells_at(cells, (uint32_t)i);
        if (page->range == CELLS_NONE)
            continue;
        used++;
        with_room += page->free_count > 0;
        const char *wrong = cells_check_page(page);
        if (wrong != NULL)
            return wrong;
    }
    if (used != cells->page_count)
        return "the count of pages is wrong";
    for (uint32_t c = 0; c < cells->class_count; c++) {
        uint32_t before = CELLS_NONE;
        for (uint32_t i = cells->room[c]; i != CELLS_NONE; i = cells_at(cells, i)->newer) {
            const struct cells_page *page = cells_at(cells, i);
            if (page->class_index != c || page->free_count == 0 || page->older != before)
                return "a page with room is in the wrong list";
            if ((page->free_count == page->cell_count) != (cells->idle[c] == i))
                return "an empty page is not the one that is kept";
            before = i;
            linked++;
        }
    }
    return linked == with_room ? NULL : "a page with room is in no list";
}
