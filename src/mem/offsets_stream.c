/* A plan of offsets as blocks come and go, for more of them than a plan can look at: see offsets.h.
 */
#include <stdlib.h>
#include "mem/heap.h"
#include "mem/offsets.h"

struct offsets_step {
    uint64_t time;
    uint32_t block;
    uint32_t begins;
};

static int offsets_step_order(const void *a, const void *b)
{
    const struct offsets_step *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    if (x->begins != y->begins)
        return x->begins < y->begins ? -1 : 1;
    return x->block < y->block ? -1 : x->block > y->block;
}

/* One slab in which everything has room side by side. */
static bool offsets_open(struct heap *heap, const struct offsets_block *blocks, uint32_t count,
                         const struct alloc_hooks *hooks)
{
    uint64_t bytes = CELLS_PAGE_BYTES * (uint64_t)CELLS_CLASSES;
    for (uint32_t i = 0; i < count; i++)
        bytes += blocks[i].bytes + 4096; /* more than the heap adds to a block */
    heap_init(heap, &(struct heap_config){.slab_bytes = bytes, .hooks = hooks});
    return heap_add_slab(heap, 1, bytes, false) != HEAP_NONE;
}

static uint64_t offsets_replay(struct heap *heap, const struct offsets_block *blocks,
                               const struct offsets_step *steps, size_t count,
                               struct heap_block *places)
{
    uint64_t height = 0, grow;
    for (size_t i = 0; i < count; i++) {
        struct heap_block *place = &places[steps[i].block];
        uint64_t bytes = blocks[steps[i].block].bytes;
        if (steps[i].begins == 0)
            heap_free(heap, place);
        else if (heap_alloc(heap, bytes, place, &grow) != HEAP_OK)
            return UINT64_MAX;
        else if (place->offset + bytes > height)
            height = place->offset + bytes;
    }
    return height;
}

uint64_t offsets_stream(const struct offsets_block *blocks, uint32_t count,
                        const struct alloc_hooks *hooks, uint64_t *offsets)
{
    size_t step_bytes = 2 * (size_t)count * sizeof(struct offsets_step);
    struct offsets_step *steps = alloc_get(hooks, step_bytes, 64);
    struct heap_block *places = alloc_get(hooks, count * sizeof *places, 64);
    struct heap *heap = alloc_get_zeroed(hooks, sizeof *heap, 64);
    uint64_t height = UINT64_MAX;
    for (uint32_t i = 0; steps != NULL && i < count; i++) {
        steps[2 * (size_t)i] = (struct offsets_step){blocks[i].lower, i, 1};
        steps[2 * (size_t)i + 1] = (struct offsets_step){blocks[i].upper, i, 0};
    }
    if (steps != NULL && places != NULL && heap != NULL &&
        offsets_open(heap, blocks, count, hooks)) {
        qsort(steps, 2 * (size_t)count, sizeof *steps, offsets_step_order);
        height = offsets_replay(heap, blocks, steps, 2 * (size_t)count, places);
        for (uint32_t i = 0; height != UINT64_MAX && i < count; i++)
            offsets[i] = places[i].offset;
    }
    heap_fini(heap);
    alloc_put(hooks, heap, sizeof *heap);
    alloc_put(hooks, places, count * sizeof *places);
    alloc_put(hooks, steps, step_bytes);
    return height;
}
