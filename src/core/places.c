/* Blocks go to their planned places, or not; see places.h.
 *
 * Keeps true: items whose `range` is set are present with that range and stand in `lying`, by
 * place, without overlap.
 */
#include "core/places.h"

#include "core/lane.h"
#include "core/planner.h"
#include "core/victim.h"
#include "mem/offsets.h"

#define PLACES_FRESH 2u   /* tasks that came before it is looked at again, */
#define PLACES_SHARE 8u   /* and a share of those, and of the blocks, that there were, */
#define PLACES_SLOTS 512u /* and of all records of tasks */

/* What is at a block's place. */
enum places_state {
    PLACES_FREE,
    PLACES_COMING, /* its slab */
    PLACES_BUSY,   /* what will go by itself */
    PLACES_GOES,   /* what nobody will use, and another node has, too */
    PLACES_TAKEN   /* something else */
};

static struct places *places_of(struct engine *engine, struct engine_node *node)
{
    struct places *places = node->places;
    if (places != NULL)
        return places;
    places = node->places = alloc_get_zeroed(engine->hooks, sizeof *places, 16);
    if (places == NULL)
        return NULL;
    vec_init(&places->items, sizeof(struct places_item), engine->hooks);
    vec_init(&places->item_of, sizeof(uint32_t), engine->hooks);
    vec_init(&places->lying, sizeof(uint32_t), engine->hooks);
    vec_init(&places->spaces, sizeof(struct places_space), engine->hooks);
    vec_init(&places->bases, sizeof(uint64_t), engine->hooks);
    vec_init(&places->order, sizeof(struct places_turn), engine->hooks);
    vec_init(&places->owned, sizeof(uint8_t), engine->hooks);
    vec_init(&places->blocks, sizeof(struct offsets_block), engine->hooks);
    vec_init(&places->fixed, sizeof(uint64_t), engine->hooks);
    vec_init(&places->offsets, sizeof(uint64_t), engine->hooks);
    for (uint32_t i = 0; i < PLACES_MEMOS; i++)
        vec_init(&places->memos[i].offsets, sizeof(uint64_t), engine->hooks);
    return places;
}

void places_fini(struct engine *engine, struct engine_node *node)
{
    struct places *places = node->places;
    if (places == NULL)
        return;
    struct vec *all[] = {&places->items, &places->item_of, &places->lying, &places->spaces,
                         &places->bases, &places->order,   &places->owned, &places->blocks,
                         &places->fixed, &places->offsets};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        vec_fini(all[i]);
    for (uint32_t i = 0; i < PLACES_MEMOS; i++)
        vec_fini(&places->memos[i].offsets);
    alloc_put(engine->hooks, places, sizeof *places);
    node->places = NULL;
}

void places_forget(struct engine *engine, uint32_t node)
{
    struct places *places = engine->nodes[node].places;
    if (places == NULL)
        return;
    places->known = places->asked = false;
    vec_clear(&places->items);
    vec_clear(&places->item_of);
    vec_clear(&places->lying);
}

/* NULL: the plan says nothing of the buffer. */
static struct places_item *places_find(const struct engine *engine, const struct places *places,
                                       uint32_t buffer)
{
    if (!places->known || buffer >= places->item_of.count)
        return NULL;
    uint32_t index = places_numbers(&places->item_of)[buffer];
    if (index == TASK_NONE)
        return NULL;
    struct places_item *item = places_item(places, index);
    return item->life == places_life(engine_buffer(engine, buffer)) ? item : NULL;
}

/* ---- what lies there ---------------------------------------------------------------------- */

/* The first of `lying` that ends above `at`. */
static uint32_t places_above(const struct places *places, uint64_t at)
{
    uint32_t low = 0, high = (uint32_t)places->lying.count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        const struct places_item *item =
            places_item(places, places_numbers(&places->lying)[middle]);
        if (item->at + item->bytes <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void places_lie(struct places *places, uint32_t index)
{
    uint32_t at = places_above(places, places_item(places, index)->at);
    uint32_t *lying = places_numbers(&places->lying);
    memmove(lying + at + 1, lying + at, (places->lying.count - at) * sizeof *lying);
    lying[at] = index;
    places->lying.count++;
}

void places_gone(struct engine *engine, const struct block *block)
{
    struct places *places = engine->nodes[block->node].places;
    struct places_item *item = places != NULL ? places_find(engine, places, block->buffer) : NULL;
    if (item == NULL || item->range == HEAP_NONE || item->range != block->heap.place)
        return;
    uint32_t at = places_above(places, item->at);
    uint32_t *lying = places_numbers(&places->lying);
    FGPU_ASSERT(at < places->lying.count && places_item(places, lying[at]) == item);
    places->lying.count--;
    memmove(lying + at, lying + at + 1, (places->lying.count - at) * sizeof *lying);
    item->range = HEAP_NONE;
}

/* What stands in the way goes by itself, or may be made to; [out] occupant. */
static enum places_state places_look(struct engine *engine, const struct task *task, uint32_t node,
                                     const struct places_item *item, uint32_t *occupant)
{
    const struct places *places = engine->nodes[node].places;
    const struct places_space *space = vec_at(&places->spaces, item->space);
    enum places_state state = PLACES_FREE;
    if (space->slab == HEAP_NONE)
        return places->asked && engine->nodes[node].heap.pending_bytes > 0 ? PLACES_COMING
                                                                           : PLACES_TAKEN;
    for (uint32_t i = places_above(places, item->at); i < places->lying.count; i++) {
        const struct places_item *other = places_item(places, places_numbers(&places->lying)[i]);
        if (other->at >= item->at + item->bytes)
            break;
        const struct buffer *buffer = engine_buffer(engine, other->buffer);
        const struct block *block = engine_block((struct buffer *)buffer, node);
        if (buffer->linked > 0 || block->wanted > 0 ||
            memory_needs(engine, task, other->buffer, node))
            return PLACES_TAKEN; /* it will be used again */
        struct victim_look look = {true, false};
        if (block->pins == 0 && block->ops == OP_NONE)
            look = victim_look(buffer, node);
        if (look.preimage) {
            state = PLACES_BUSY;
        } else if (!look.clean) {
            return PLACES_TAKEN; /* the ordinary way chooses what is written back */
        } else if (state == PLACES_FREE) {
            state = PLACES_GOES;
            *occupant = other->buffer;
        }
    }
    return state;
}

static bool places_put(struct engine *engine, struct block *block, struct places_item *item)
{
    struct engine_node *node = &engine->nodes[block->node];
    struct places *places = node->places;
    const struct places_space *space = vec_at(&places->spaces, item->space);
    uint32_t at = places_above(places, item->at);
    struct heap_spot spot = {.slab = space->slab, .near = HEAP_NONE};
    spot.offset = item->at - space->base;
    if (at > 0) {
        const struct places_item *below =
            places_item(places, places_numbers(&places->lying)[at - 1]);
        spot.near = below->space == item->space ? below->range : HEAP_NONE;
    }
    const struct heap_slab *slab = vec_at(&node->heap.slabs, space->slab);
    uint64_t bytes = atomic_load_relaxed_u64(&engine_buffer(engine, item->buffer)->size_bytes);
    if (slab->bytes == 0 || slab->mem != space->mem ||
        !vec_reserve(&places->lying, places->items.count) ||
        !heap_alloc_at(&node->heap, bytes, &spot, &block->heap))
        return false;
    places_lie(places, (uint32_t)(item - places_item(places, 0)));
    item->range = block->heap.place;
    engine->stats.blocks_planned++;
    return true;
}

void places_slab(struct engine *engine, uint32_t node, uint32_t slab)
{
    struct places *places = engine->nodes[node].places;
    if (places == NULL || !places->asked)
        return;
    struct places_space *space = vec_at(&places->spaces, places->spaces.count - 1);
    places->asked = false;
    if (slab == HEAP_NONE)
        return;
    space->slab = slab;
    space->mem = ((const struct heap_slab *)vec_at(&engine->nodes[node].heap.slabs, slab))->mem;
}

/* ---- asking ------------------------------------------------------------------------------- */

static bool places_is_due(const struct engine *engine, const struct places *places)
{
    uint32_t before = places->window + (uint32_t)places->items.count;
    return engine->order - places->looked >=
           PLACES_FRESH + before / PLACES_SHARE + table_high_water(&engine->tasks) / PLACES_SLOTS;
}

/* The buffer's place, of a new plan where it is time for one. [out] grow_bytes: as for
 * places_make(). */
static struct places_item *places_want(struct engine *engine, uint32_t buffer, uint32_t node,
                                       uint64_t *grow_bytes)
{
    struct engine_node *n = &engine->nodes[node];
    *grow_bytes = 0;
    if (node == engine->spill_node || n->heap.direct || engine->serve != NULL ||
        engine->unplanned ||
        heap_is_small(&n->heap,
                      atomic_load_relaxed_u64(&engine_buffer(engine, buffer)->size_bytes)))
        return NULL;
    struct places *places = places_of(engine, n);
    if (places == NULL)
        return NULL;
    struct places_item *item = places_find(engine, places, buffer);
    if ((item == NULL || item->missed) && places_is_due(engine, places)) {
        places->looked = engine->order;
        if (places->pause > 0) {
            places->pause--;
            return NULL;
        }
        places->known = places_make(engine, places, node, grow_bytes);
        if (!places->known)
            places_forget(engine, node);
        item = places_find(engine, places, buffer);
    }
    return item != NULL && !item->missed ? item : NULL;
}

static enum memory_answer places_park(struct engine *engine, struct task *task, uint32_t *waiters)
{
    return lane_wait(engine, task, waiters) ? MEMORY_WAIT : MEMORY_FAILED;
}

/* PLACES_FREE: the block is at its place. What is in the way and may go has gone. */
static enum places_state places_settle(struct engine *engine, const struct task *task,
                                       struct block *block, struct places_item *item)
{
    for (;;) {
        uint32_t occupant = TASK_NONE;
        enum places_state state = places_look(engine, task, block->node, item, &occupant);
        if (state == PLACES_GOES) {
            memory_evict_clean(engine, engine_buffer(engine, occupant), block->node);
            continue;
        }
        if (state == PLACES_FREE && !places_put(engine, block, item))
            return PLACES_TAKEN;
        if (state == PLACES_FREE)
            memory_appear(engine, block);
        return state;
    }
}

bool places_get(struct engine *engine, struct task *task, uint32_t index, uint32_t node,
                enum memory_answer *answer)
{
    struct engine_node *n = &engine->nodes[node];
    uint64_t grow_bytes;
    struct places_item *item = places_want(engine, index, node, &grow_bytes);
    if (grow_bytes > 0) {
        *answer = memory_grow(engine, task, node, grow_bytes);
        return true;
    }
    if (item == NULL)
        return false;
    struct block *block = engine_block(engine_buffer(engine, index), node);
    switch (places_settle(engine, task, block, item)) {
    case PLACES_FREE:
        *answer = MEMORY_OK;
        return true;
    case PLACES_COMING:
        *answer = places_park(engine, task, &n->alloc_waiters);
        return true;
    case PLACES_BUSY:
        *answer = places_park(engine, task, &n->memory_waiters);
        return true;
    default:
        item->missed = 1;
        engine->stats.blocks_missed++;
        return false;
    }
}

bool places_try(struct engine *engine, const struct task *task, uint32_t index, uint32_t node,
                bool *got)
{
    uint64_t grow_bytes;
    struct places_item *item = places_want(engine, index, node, &grow_bytes);
    *got = false;
    if (grow_bytes > 0)
        memory_grow_ahead(engine, node, grow_bytes);
    if (grow_bytes > 0 || item == NULL)
        return grow_bytes > 0;
    struct block *block = engine_block(engine_buffer(engine, index), node);
    enum places_state state = places_settle(engine, task, block, item);
    *got = state == PLACES_FREE;
    return state != PLACES_TAKEN; /* else the task itself may find it otherwise */
}

void places_check(const struct engine *engine, uint32_t node)
{
    const struct places *places = engine->nodes[node].places;
    if (places == NULL)
        return;
    uint32_t lying = 0;
    uint64_t end = 0;
    for (uint32_t i = 0; i < places->items.count; i++)
        lying += places_item(places, i)->range != HEAP_NONE;
    FGPU_ASSERT(lying == places->lying.count);
    for (uint32_t i = 0; i < places->lying.count; i++) {
        const struct places_item *item = places_item(places, places_numbers(&places->lying)[i]);
        struct buffer *buffer = engine_buffer(engine, item->buffer);
        const struct block *block = engine_block(buffer, node);
        const struct places_space *space = vec_at(&places->spaces, item->space);
        FGPU_ASSERT(item->at >= end && item->life == places_life(buffer));
        FGPU_ASSERT(block->state == BLOCK_PRESENT && block->heap.place == item->range);
        FGPU_ASSERT(space->base + block->heap.offset == item->at &&
                    space->slab == block->heap.slab);
        end = item->at + item->bytes;
    }
}
