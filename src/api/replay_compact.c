/* A replay in which everything may move between two operations; see replay_compact.h.
 *
 * Blocks move where the heap would otherwise hold more than it ever did, or could not hold the
 * block at all.
 */
#include "api/replay_compact.h"

#include <stdlib.h>
#include "base/error.h"
#include "mem/heap_compact.h"

#define COMPACTED_SHARES 8u  /* the least part of what is loose that is tried to be got rid of */
#define COMPACTED_LOOSE 512u /* of what is held; less is left alone */
#define COMPACTED_LOOKS UINT64_C(30000000) /* ranges that are looked at in a replay: a second */

struct compacted {
    const fgpu_replay_block *blocks;
    struct heap heap;
    struct heap_plan plan;
    struct heap_block *places; /* by block */
    struct vec owners;         /* uint32_t: the block, by place of a large one */
    uint64_t most_bytes, moved_bytes;
    uint64_t looks;
};

static bool compacted_own(struct compacted *c, uint32_t place, uint32_t block)
{
    while (c->owners.count <= place)
        if (vec_push(&c->owners, NULL) == NULL)
            return false;
    *(uint32_t *)vec_at(&c->owners, place) = block;
    return true;
}

static bool compacted_is_large(const struct heap_block *block)
{
    return block->bytes > CELLS_MAX_BYTES || (block->place & 0x80000000u) == 0;
}

/* Moves what the plan says. */
static fgpu_status compacted_move(struct compacted *c)
{
    for (size_t i = 0; i < c->plan.moves.count; i++) {
        const struct heap_move *move = vec_at(&c->plan.moves, i);
        uint32_t block = *(uint32_t *)vec_at(&c->owners, move->from.place);
        if (!compacted_own(c, move->to.place, block))
            return FGPU_E_NOMEM;
        c->places[block] = move->to;
        heap_free(&c->heap, &move->from);
    }
    for (size_t i = 0; i < c->plan.held.count; i++)
        heap_free(&c->heap, vec_at(&c->plan.held, i));
    c->moved_bytes += c->plan.moved_bytes;
    return FGPU_OK;
}

static bool compacted_plan(struct compacted *c, uint64_t need, uint64_t within_bytes)
{
    const struct heap_compact_options options = {.within_bytes = within_bytes};
    if (c->looks > COMPACTED_LOOKS || !heap_compact_may(&c->heap, need, &options))
        return false;
    c->looks += c->heap.bins.ranges.count;
    return heap_compact(&c->heap, need, &options, &c->plan);
}

/* Would the heap grow beyond what it ever held? Then blocks move first, if that helps. */
static fgpu_status compacted_make_room(struct compacted *c, uint64_t bytes)
{
    enum heap_answer answer = heap_ask(&c->heap, bytes);
    uint64_t need = bytes <= CELLS_MAX_BYTES ? CELLS_PAGE_BYTES : bytes;
    uint64_t slab = heap_usual_slab(&c->heap), within = c->most_bytes;
    uint64_t kept = c->heap.total_bytes - (answer == HEAP_TRIM ? c->heap.empty_bytes : 0);
    slab = slab > need ? slab : need;
    if (answer == HEAP_OK || answer == HEAP_NEVER ||
        (answer != HEAP_FULL && kept + slab <= c->most_bytes))
        return FGPU_OK;
    if (answer == HEAP_FULL)
        within = 0;
    else if (within == 0)
        return FGPU_OK;
    if (compacted_plan(c, need, within))
        return compacted_move(c);
    /* It has to hold more; how much less than without any moves? */
    uint64_t loose = c->heap.total_bytes - c->heap.used_bytes;
    if (answer == HEAP_FULL || loose < c->heap.total_bytes / COMPACTED_LOOSE)
        return FGPU_OK;
    for (uint64_t share = loose; share > loose / COMPACTED_SHARES; share -= share / 4 + 1)
        if (c->heap.total_bytes + slab - share > c->most_bytes &&
            compacted_plan(c, need, c->heap.total_bytes + slab - share))
            return compacted_move(c);
    return FGPU_OK;
}

static fgpu_status compacted_begin(struct compacted *c, uint32_t index)
{
    struct heap_block *place = &c->places[index];
    uint64_t bytes = c->blocks[index].bytes, grow = 0, mem;
    enum heap_answer answer;
    fgpu_status status = compacted_make_room(c, bytes);
    while (status == FGPU_OK && (answer = heap_alloc(&c->heap, bytes, place, &grow)) != HEAP_OK) {
        if (answer == HEAP_GROW)
            status = heap_add_slab(&c->heap, 1, grow, true) != HEAP_NONE ? FGPU_OK : FGPU_E_NOMEM;
        else if (answer != HEAP_TRIM || !heap_release_empty(&c->heap, 0, &mem, &grow))
            status = answer == HEAP_NOMEM ? FGPU_E_NOMEM : FGPU_E_DEVMEM;
    }
    if (status == FGPU_OK && c->heap.total_bytes > c->most_bytes)
        c->most_bytes = c->heap.total_bytes;
    if (status == FGPU_OK && compacted_is_large(place) && !compacted_own(c, place->place, index))
        status = FGPU_E_NOMEM;
    return status;
}

fgpu_status replay_compact(const fgpu_replay_block *blocks, uint32_t count,
                           const struct replay_step *steps, uint64_t capacity_bytes,
                           fgpu_replay_alloc_result *result)
{
    struct compacted *c = calloc(1, sizeof *c);
    struct heap_block *places = calloc(count, sizeof *places);
    fgpu_status status = c != NULL && places != NULL ? FGPU_OK : FGPU_E_NOMEM;
    if (status == FGPU_OK) {
        c->blocks = blocks;
        c->places = places;
        heap_init(&c->heap, &(struct heap_config){.limit_bytes = capacity_bytes});
        heap_plan_init(&c->plan, NULL);
        vec_init(&c->owners, sizeof(uint32_t), NULL);
        for (size_t i = 0; i < 2 * (size_t)count && status == FGPU_OK; i++) {
            if (steps[i].begins)
                status = compacted_begin(c, steps[i].block);
            else
                heap_free(&c->heap, &places[steps[i].block]);
        }
        if (status == FGPU_OK) {
            result->compact_bytes = c->most_bytes;
            result->moved_bytes = c->moved_bytes;
        }
        heap_fini(&c->heap);
        heap_plan_fini(&c->plan);
        vec_fini(&c->owners);
    }
    free(places);
    free(c);
    return status == FGPU_E_DEVMEM ? FGPU_OK : status;
}
