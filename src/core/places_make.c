/* What the tasks to come need on a node, and where it is to lie; see places.h.
 *
 * All slabs stand one behind the other, with a wall between two, and what is left for one more slab
 * behind the last. What lies there stays where it is until its last use. Lifetimes are counted in
 * tasks, in the order in which they will run. Four kinds of plans are tried, and the first that
 * fits is taken: blocks stay when nothing uses them any more and are there a few tasks early; they
 * stay, but are in time; those that have copies elsewhere go after their last use; and that without
 * being early. Then the same without the slabs that are empty, which are given back for one. Blocks
 * of one size need no plan: any hole will do.
 */
#include <stdlib.h>

#include "core/future.h"
#include "core/lane.h"
#include "core/places.h"
#include "core/planner.h"
#include "core/victim.h"
#include "mem/offsets.h"

#define PLACES_MOST 512u              /* blocks to come that are planned together, */
#define PLACES_AROUND 2048u           /* and what stands around them */
#define PLACES_EARLY 4u               /* tasks before its first use that a block should be there */
#define PLACES_STEPS UINT64_C(500000) /* of a search: a few milliseconds */
#define PLACES_PAUSE 7u               /* looks at most that are left out after some in vain */
#define PLACES_END UINT32_MAX

struct places_problem {
    struct engine *engine;
    struct places *places;
    struct heap *heap;
    uint32_t node;
    uint32_t present; /* items that lie there */
    uint64_t end;     /* of all spaces */
    bool drops;       /* empty slabs */
};

static const struct heap_slab *places_heap_slab(const struct heap *heap, uint32_t slab)
{
    return vec_at(&heap->slabs, slab);
}

/* ---- the space ---------------------------------------------------------------------------- */

static bool places_add_space(struct places_problem *p, uint32_t slab, uint64_t bytes)
{
    const struct heap_slab *there = slab != HEAP_NONE ? places_heap_slab(p->heap, slab) : NULL;
    struct places_space space = {.base = p->end, .bytes = bytes, .slab = slab};
    space.bytes -= space.bytes % p->heap->granule_bytes;
    space.mem = there != NULL ? there->mem : 0;
    space.empty = there != NULL && there->taken_bytes == 0;
    p->end += space.bytes + p->heap->granule_bytes; /* the wall */
    return vec_push(&p->places->spaces, &space) != NULL;
}

/* Slabs that hold something first: where these lie does not depend on whether the others go. */
static bool places_add_slabs(struct places_problem *p, bool empty)
{
    for (uint32_t id = 0; id < p->heap->slabs.count; id++) {
        const struct heap_slab *slab = places_heap_slab(p->heap, id);
        if (slab->bytes == 0 || (slab->taken_bytes == 0) != empty)
            continue;
        *(uint64_t *)vec_at(&p->places->bases, id) = p->end;
        if (!places_add_space(p, id, slab->bytes))
            return false;
    }
    return true;
}

static bool places_lay_out(struct places_problem *p)
{
    struct places *places = p->places;
    const struct heap *heap = p->heap;
    uint64_t held = heap->total_bytes - (p->drops ? heap->empty_bytes : 0);
    vec_clear(&places->spaces);
    vec_clear(&places->bases);
    p->end = 0;
    if (!vec_reserve(&places->bases, heap->slabs.count))
        return false;
    places->bases.count = heap->slabs.count;
    if (!places_add_slabs(p, false))
        return false;
    if (!p->drops && !places_add_slabs(p, true))
        return false;
    if (heap->pending_bytes > 0 || heap->ceiling_bytes < held + heap->granule_bytes)
        return true;
    return places_add_space(p, HEAP_NONE, heap->ceiling_bytes - held);
}

/* ---- the blocks --------------------------------------------------------------------------- */

static struct places_item *places_add(struct places_problem *p, uint32_t index)
{
    struct places *places = p->places;
    struct buffer *buffer = engine_buffer(p->engine, index);
    uint64_t bytes = atomic_load_relaxed_u64(&buffer->size_bytes);
    struct places_item item = {.bytes = heap_footprint(p->heap, bytes),
                               .fixed = OFFSETS_FREE,
                               .buffer = index,
                               .life = places_life(buffer),
                               .range = HEAP_NONE,
                               .keeps = !buffer->destroyed};
    places_numbers(&places->item_of)[index] = (uint32_t)places->items.count;
    return vec_push(&places->items, &item);
}

static bool places_add_present(struct places_problem *p)
{
    struct engine *engine = p->engine;
    for (uint32_t at = engine->nodes[p->node].use_head; at != TASK_NONE;) {
        struct buffer *buffer = engine_buffer(engine, at);
        const struct block *block = engine_block(buffer, p->node);
        uint32_t index = at;
        at = block->next_use;
        if (block->adopted || block->heap.slab == HEAP_NONE ||
            heap_is_small(p->heap, atomic_load_relaxed_u64(&buffer->size_bytes)))
            continue;
        struct places_item *item =
            p->places->items.count < PLACES_AROUND ? places_add(p, index) : NULL;
        if (item == NULL)
            return false;
        item->fixed = *(uint64_t *)vec_at(&p->places->bases, block->heap.slab) + block->heap.offset;
        item->range = block->heap.place;
        item->writes = !victim_look(buffer, p->node).clean;
        *(uint8_t *)vec_at(&p->places->owned, item->range) = 1;
    }
    p->present = (uint32_t)p->places->items.count;
    return true;
}

/* The node that the task will work in, if it is this one. */
static bool places_is_here(const struct places_problem *p, const struct task *task)
{
    const struct engine *engine = p->engine;
    const struct planned *planned = planner_of(engine, task);
    if (task->kind == TASK_HOST || task->kind == TASK_MAP || task->kind == TASK_EMPTY)
        return false;
    if (task->lane < TASK_LANE_MIXED)
        return lane_node(engine, task) == p->node;
    if (planned != NULL)
        return engine->devices[engine_lane(engine, planned->lane)->device].node == p->node;
    if (task->pin != TASK_DEVICE_ANY)
        return engine->devices[task->pin].node == p->node;
    for (uint32_t node = 1; node < engine->node_count; node++)
        if (node != p->node && node != engine->spill_node)
            return false;
    return true;
}

/* One task of the order. False: the window ends before it, or there is no memory. */
static bool places_add_task(struct places_problem *p, const struct task *task, uint32_t position)
{
    struct places *places = p->places;
    bool here = places_is_here(p, task);
    for (uint32_t a = 0; a < task->access_count; a++) {
        uint32_t index = task_accesses(task)[a].buffer;
        struct buffer *buffer = engine_buffer(p->engine, index);
        bool fresh = places_numbers(&places->item_of)[index] == TASK_NONE;
        if (fresh &&
            (!here || heap_is_small(p->heap, atomic_load_relaxed_u64(&buffer->size_bytes)) ||
             engine_block(buffer, p->node)->state == BLOCK_PRESENT)) /* a stitched one */
            continue;
        if (fresh && (places->items.count - p->present >= PLACES_MOST || !places_add(p, index)))
            return false;
        struct places_item *item = places_item(places, places_numbers(&places->item_of)[index]);
        if (fresh)
            item->first = position;
        item->uses++;
        item->writes |= here && (task_accesses(task)[a].mode & FGPU_WRITE);
        if (here || !item->keeps) /* its copy elsewhere is enough for the others */
            item->last = position;
    }
    return true;
}

static int places_turn_order(const void *a, const void *b)
{
    const struct places_turn *x = a, *y = b;
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? -1 : 1;
    return x->position < y->position ? -1 : x->position > y->position;
}

/* The tasks to come, as the plan in force has them, else as the graph does. */
static bool places_order(struct places_problem *p)
{
    struct engine *engine = p->engine;
    struct vec *order = &p->places->order;
    bool planned = engine->planner != NULL && engine->planner->uses.known;
    uint64_t start_ns = 0;
    vec_clear(order);
    if (!future_anew(engine))
        return false;
    for (uint32_t i = 0; i < future_length(engine); i++) {
        uint32_t slot = future_task(engine, i);
        const struct planned *entry =
            planned ? planner_of(engine, engine_task(engine, slot)) : NULL;
        start_ns = entry != NULL ? entry->start_ns : start_ns;
        if (vec_push(order, &(struct places_turn){start_ns, i, slot}) == NULL)
            return false;
    }
    if (order->count > 1)
        qsort(order->items, order->count, order->item_bytes, places_turn_order);
    return true;
}

/* Fills items. False: all are of one size, or there is no memory. [out] bytes: of the blocks to
 * come. */
static bool places_collect(struct places_problem *p, uint64_t *bytes)
{
    struct places *places = p->places;
    uint32_t buffers = table_high_water(&p->engine->buffers);
    size_t ranges = p->heap->bins.ranges.count;
    bool differ = false;
    *bytes = 0;
    vec_clear(&places->items);
    vec_clear(&places->lying);
    if (!vec_reserve(&places->item_of, buffers) || !vec_reserve(&places->owned, ranges + 1) ||
        !places_order(p))
        return false;
    places->item_of.count = buffers;
    places->owned.count = ranges;
    memset(places->owned.items, 0, ranges + 1);
    for (uint32_t i = 0; i < buffers; i++)
        places_numbers(&places->item_of)[i] = TASK_NONE;
    if (!places_add_present(p))
        return false;
    places->window = (uint32_t)places->order.count;
    for (uint32_t i = 0; i < places->window; i++) {
        const struct places_turn *turn = vec_at(&places->order, i);
        if (!places_add_task(p, engine_task(p->engine, turn->task), i))
            break;
    }
    for (uint32_t i = 0; i < places->items.count; i++) {
        struct places_item *item = places_item(places, i);
        item->beyond = engine_buffer(p->engine, item->buffer)->linked > item->uses;
        *bytes += item->fixed == OFFSETS_FREE ? item->bytes : 0;
        differ |= item->bytes != places_item(places, 0)->bytes;
    }
    return differ;
}

/* ---- planning ----------------------------------------------------------------------------- */

static bool places_push(struct places *places, uint64_t at, uint64_t bytes)
{
    const struct offsets_block block = {0, (uint64_t)PLACES_END, bytes};
    return vec_push(&places->blocks, &block) != NULL && vec_push(&places->fixed, &at) != NULL;
}

/* Behind the items: walls, and what is no buffer's. */
static bool places_add_walls(struct places_problem *p)
{
    struct places *places = p->places;
    const struct bins *bins = &p->heap->bins;
    bool good = true;
    vec_clear(&places->blocks);
    vec_clear(&places->fixed);
    for (uint32_t i = 0; good && i < places->items.count; i++)
        good = places_push(places, places_item(places, i)->fixed, places_item(places, i)->bytes);
    for (uint32_t i = 0; good && i < places->spaces.count; i++) {
        const struct places_space *space = vec_at(&places->spaces, i);
        good = places_push(places, space->base + space->bytes, p->heap->granule_bytes);
    }
    for (size_t i = 0; good && i < bins->ranges.count; i++) {
        const struct bins_range *range = bins_at(bins, (uint32_t)i);
        bool is_free = range->state == BINS_UNUSED || range->state == BINS_FREE;
        if (is_free || *(uint8_t *)vec_at(&places->owned, i))
            continue;
        good = places_push(places, *(uint64_t *)vec_at(&places->bases, range->slab) + range->offset,
                           range->bytes);
    }
    return good && places->blocks.count <= 2 * PLACES_AROUND;
}

/* [in] stays: also when no task uses them any more; early: tasks before. */
static void places_set_lives(struct places *places, bool stays, uint32_t early)
{
    for (uint32_t i = 0; i < places->items.count; i++) {
        const struct places_item *item = places_item(places, i);
        struct offsets_block *block = vec_at(&places->blocks, i);
        bool lies = item->fixed != OFFSETS_FREE;
        block->lower = lies ? 0 : 1 + (item->first > early ? item->first - early : 0);
        block->upper = item->uses > 0 ? 2 + (uint64_t)item->last : 1 + (uint64_t)early;
        if (item->beyond || (item->keeps && (stays || item->writes)))
            block->upper = PLACES_END;
    }
}

/* The first kind of plan that fits. */
static bool places_plan(struct places_problem *p)
{
    static const uint32_t kinds[4][2] = {{1, PLACES_EARLY}, {1, 0}, {0, PLACES_EARLY}, {0, 0}};
    struct places *places = p->places;
    const struct offsets_block *blocks = (const struct offsets_block *)(void *)places->blocks.items;
    uint32_t count = (uint32_t)places->blocks.count;
    struct offsets_options options = {.steps = PLACES_STEPS,
                                      .hooks = p->engine->hooks,
                                      .fixed = (const uint64_t *)(void *)places->fixed.items,
                                      .enough_bytes = p->end};
    struct offsets_result result;
    if (!vec_reserve(&places->offsets, count))
        return false;
    places->offsets.count = count;
    for (size_t i = 0; i < 4; i++) {
        places_set_lives(places, kinds[i][0] != 0, kinds[i][1]);
        if (offsets_bound(blocks, count, options.hooks, NULL) > p->end)
            continue;
        if (offsets_plan(blocks, count, &options, (uint64_t *)(void *)places->offsets.items,
                         &result) != FGPU_OK)
            return false;
        if (result.bytes <= p->end)
            return true;
    }
    return false;
}

/* All that a plan depends on. */
static uint64_t places_sign(const struct places_problem *p)
{
    const struct places *places = p->places;
    uint64_t sign = hash_u64(p->end);
    for (uint32_t i = 0; i < places->items.count; i++) {
        const struct places_item *item = places_item(places, i);
        const uint64_t words[] = {item->bytes, item->fixed,
                                  (uint64_t)item->first << 32 | item->last,
                                  (item->uses > 0 ? 4u : 0u) | (item->writes ? 8u : 0u) |
                                      (item->beyond ? 2u : 0u) | (item->keeps ? 1u : 0u)};
        sign = hash_bytes(words, sizeof words, sign);
    }
    for (size_t i = places->items.count; i < places->blocks.count; i++) {
        const struct offsets_block *block = vec_at(&places->blocks, i);
        const uint64_t words[] = {block->bytes, *(const uint64_t *)vec_at(&places->fixed, i)};
        sign = hash_bytes(words, sizeof words, sign);
    }
    return sign;
}

/* The plan, one that was made before where it is for the same; then it is remembered. */
static bool places_recall(struct places_problem *p)
{
    struct places *places = p->places;
    uint64_t sign = places_sign(p);
    struct places_memo *memo = &places->memos[0];
    for (uint32_t i = 0; i < PLACES_MEMOS; i++) {
        struct places_memo *old = &places->memos[i];
        if (old->used > 0 && old->sign == sign &&
            (old->offsets.count == 0 || old->offsets.count == places->items.count)) {
            old->used = ++places->clock;
            p->engine->stats.plans_reused += old->offsets.count > 0;
            vec_clear(&places->offsets);
            for (size_t k = 0; k < old->offsets.count; k++)
                if (vec_push(&places->offsets, vec_at(&old->offsets, k)) == NULL)
                    return false;
            return old->offsets.count > 0;
        }
        if (old->used < memo->used)
            memo = old;
    }
    bool good = places_plan(p);
    memo->sign = sign;
    memo->used = ++places->clock;
    vec_clear(&memo->offsets);
    for (size_t i = 0; good && i < places->items.count; i++)
        if (vec_push(&memo->offsets, vec_at(&places->offsets, i)) == NULL) {
            memo->used = 0;
            break;
        }
    p->engine->stats.plans_of_places += good;
    return good;
}

/* ---- carrying out ------------------------------------------------------------------------- */

static uint32_t places_space_of(const struct places *places, uint64_t at)
{
    uint32_t low = 0, high = (uint32_t)places->spaces.count - 1;
    while (low < high) {
        uint32_t middle = (low + high + 1) / 2;
        if (((const struct places_space *)vec_at(&places->spaces, middle))->base <= at)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Everything has its place. Returns how much of a slab to come is used. */
static uint64_t places_adopt(struct places *places)
{
    uint64_t used = 0;
    for (uint32_t i = 0; i < places->items.count; i++) {
        struct places_item *item = places_item(places, i);
        item->at = *(const uint64_t *)vec_at(&places->offsets, i);
        item->space = places_space_of(places, item->at);
        const struct places_space *space = vec_at(&places->spaces, item->space);
        uint64_t end = item->at + item->bytes - space->base;
        if (space->slab == HEAP_NONE && end > used)
            used = end;
        if (item->fixed != OFFSETS_FREE)
            places_lie(places, i);
    }
    return used;
}

/* A slab for what lies behind all others; the empty ones go first where that was the plan. */
static bool places_ask_slab(struct places_problem *p, uint64_t used, uint64_t *grow_bytes)
{
    struct places_space *last = vec_at(&p->places->spaces, p->places->spaces.count - 1);
    uint64_t usual = heap_usual_slab(p->heap);
    if (p->drops)
        memory_trim(p->engine, p->node, 0);
    if (used < usual)
        used = usual < last->bytes ? usual : last->bytes;
    p->places->asked = heap_ask_slab(p->heap, used);
    *grow_bytes = p->places->asked ? used : 0;
    last->bytes = used;
    return p->places->asked;
}

bool places_make(struct engine *engine, struct places *places, uint32_t node, uint64_t *grow_bytes)
{
    struct places_problem p = {
        .engine = engine, .places = places, .heap = &engine->nodes[node].heap, .node = node};
    uint64_t bytes = 0;
    bool found = false;
    places->asked = false;
    for (uint32_t round = 0; !found && round < (p.heap->empty_bytes > 0 ? 2u : 1u); round++) {
        p.drops = round > 0;
        if (!places_lay_out(&p) || !places_collect(&p, &bytes))
            return false;
        if (bytes == 0 || bytes + p.heap->used_bytes <= p.heap->ceiling_bytes)
            return false; /* nothing comes, or all of it side by side */
        if (!places_add_walls(&p))
            return false;
        found = places_recall(&p);
    }
    places->vain = found ? 0 : 2 * places->vain + 1;
    if (places->vain > PLACES_PAUSE)
        places->vain = PLACES_PAUSE;
    places->pause = places->vain > 0 ? places->vain - 1 : 0;
    if (!found || !vec_reserve(&places->lying, places->items.count))
        return false;
    uint64_t used = places_adopt(places);
    return used == 0 || places_ask_slab(&p, used, grow_bytes);
}
