/* Of a memory that is full, whose block goes; see victim.h. */
#include "core/victim.h"

#include "core/future.h"
#include "core/memory.h"
#include "core/planner.h"

#define VICTIM_LOOK 64u         /* blocks that may go among which one is chosen, */
#define VICTIM_LOOK_MOST 1024u  /* where it is known when they are used next, and are large */
#define VICTIM_LOOK_BYTES 1024u /* of a block on average, for one look more */

/* Of the nodes that hold the pre-image, the only one that does not hold the contents, too? */
static bool victim_only_pre(const struct replica *replica, uint32_t node)
{
    if (!nodes_has(replica->pre, node) || nodes_has(replica->valid, node))
        return false;
    for (uint32_t n = nodes_next(replica->pre, 0); n != NODES_NONE;
         n = nodes_next(replica->pre, n + 1))
        if (n != node && !nodes_has(replica->valid, n))
            return false;
    return true;
}

struct victim_look victim_look(const struct buffer *buffer, uint32_t node)
{
    struct victim_look look = {false, true};
    bool only = buffer->segments.seg_count == 1;
    for (struct imap_seg *seg = imap_first(&buffer->segments, 0); seg != NULL;
         seg = only ? NULL : imap_next(&buffer->segments, seg)) {
        const struct replica *replica = &((const struct segment *)imap_payload(seg))->replica;
        look.clean = look.clean && !nodes_is_only(replica->valid, node);
        look.preimage =
            look.preimage || (replica->dirty > 0 && victim_only_pre(replica, node) &&
                              !replica_is_valid(replica, 0) && replica_has_data(replica));
    }
    return look;
}

/* Lower is better: clean before dirty, no known future use before some, and what placed tasks want
 * last; the list gives the age. */
static uint32_t victim_cost(const struct buffer *buffer, const struct block *block, bool clean)
{
    return (clean ? 0u : VICTIM_DIRTY) + (buffer->linked > 0 ? 1u : 0u) +
           (block->wanted > 0 ? VICTIM_WANTED : 0u);
}

/* Is there nowhere to write back to what only this node holds? */
static bool victim_is_last(const struct engine *engine, uint32_t node)
{
    uint32_t spill = engine->spill_node;
    return (node == 0 && (spill == 0 || engine->spill_full || engine->nodes[spill].lost)) ||
           (spill != 0 && node == spill);
}

/* For the spill folder, were it empty. */
static bool victim_is_too_large(const struct engine *engine, const struct buffer *buffer)
{
    const struct heap *heap = &engine->nodes[engine->spill_node].heap;
    return heap_footprint(heap, atomic_load_relaxed_u64(&buffer->size_bytes)) > heap->limit_bytes;
}

struct victim_view victim_view(struct engine *engine)
{
    if (engine->planner != NULL && engine->planner->uses.known)
        return (struct victim_view){true, true, engine->now_ns};
    if (future_look(engine))
        return (struct victim_view){true, false, future_now(engine)};
    return (struct victim_view){0};
}

static uint64_t victim_next(struct engine *engine, const struct victim_view *view, uint32_t buffer,
                            uint32_t node)
{
    if (!view->known)
        return 0;
    return view->planned ? uses_next_ns(engine, buffer, node) : future_next(engine, buffer);
}

/* Where uses are known: what is needed last, but a clean one where that is needed in half that time
 * or later; else the one of least cost, and of those the oldest. */
static bool victim_better(const struct victim_view *view, const struct victim *a,
                          const struct victim *b)
{
    if (b->buffer == TASK_NONE || !view->known)
        return a->cost < b->cost;
    if ((a->cost >= VICTIM_WANTED) != (b->cost >= VICTIM_WANTED))
        return a->cost < VICTIM_WANTED;
    uint64_t a_away = a->next > view->now ? a->next - view->now : 0;
    uint64_t b_away = b->next > view->now ? b->next - view->now : 0;
    if (victim_is_dirty(a->cost) != victim_is_dirty(b->cost))
        return victim_is_dirty(a->cost) ? a_away / 2 > b_away : a_away >= b_away / 2;
    return a->next > b->next; /* where the plan is late, too */
}

static bool victim_is_perfect(const struct victim_view *view, const struct victim *choice)
{
    return choice->cost == 0 && (!view->known || choice->next == USES_NEVER);
}

/* The walk comes to it next. */
static void victim_fetch(const struct engine *engine, uint32_t index)
{
    if (index != TASK_NONE)
        __builtin_prefetch(&engine_buffer(engine, index)->segments);
}

static uint32_t victim_look_most(const struct engine *engine, uint32_t node,
                                 const struct victim_view *view)
{
    const struct engine_node *n = &engine->nodes[node];
    uint64_t mean_bytes = n->present_count > 0 ? n->heap.used_bytes / n->present_count : 0;
    uint64_t most = VICTIM_LOOK + (view->known ? mean_bytes / VICTIM_LOOK_BYTES : 0);
    return most < VICTIM_LOOK_MOST ? (uint32_t)most : VICTIM_LOOK_MOST;
}

/* Among the first few that may go. */
struct victim victim_choose(struct engine *engine, const struct task *task, uint32_t node,
                            uint32_t *held)
{
    const struct victim_view view = victim_view(engine);
    bool is_last = victim_is_last(engine, node);
    struct victim best = {.buffer = TASK_NONE, .cost = UINT32_MAX};
    uint32_t looked = 0, most = victim_look_most(engine, node, &view);
    *held = 0;
    for (uint32_t at = engine->nodes[node].use_head;
         at != TASK_NONE && looked < most && !victim_is_perfect(&view, &best);) {
        struct buffer *buffer = engine_buffer(engine, at);
        struct block *block = engine_block(buffer, node);
        victim_fetch(engine, block->next_use);
        if (block->used && block->next_use != TASK_NONE) {
            uint32_t next = block->next_use;
            block->used = 0;
            memory_use_last(engine, block); /* this walk comes to it again */
            at = next;
            continue;
        }
        struct victim_look look = {true, false};
        if (block->pins == 0 && block->ops == OP_NONE)
            look = victim_look(buffer, node);
        if (look.preimage) { /* or in use */
            *held |= block->ops != OP_NONE ? VICTIM_TRAVELS : VICTIM_HELD;
        } else if (!block->adopted && (task == NULL || !memory_needs(engine, task, at, node))) {
            struct victim choice = {.buffer = at, .cost = victim_cost(buffer, block, look.clean)};
            if (victim_is_dirty(choice.cost) &&
                (is_last || (node == 0 && victim_is_too_large(engine, buffer))))
                choice.cost = UINT32_MAX;
            else
                choice.next = victim_next(engine, &view, at, node);
            looked += choice.cost < UINT32_MAX;
            if (choice.cost < UINT32_MAX && victim_better(&view, &choice, &best))
                best = choice;
        }
        at = block->next_use;
    }
    return best;
}

struct victim_stock victim_stock(struct engine *engine, uint32_t node,
                                 const struct victim_view *view, uint64_t until)
{
    struct victim_stock stock = {.dirty = {.buffer = TASK_NONE}};
    bool is_last = victim_is_last(engine, node);
    uint32_t left = victim_look_most(engine, node, view);
    for (uint32_t at = engine->nodes[node].use_head; at != TASK_NONE && left > 0; left--) {
        struct buffer *buffer = engine_buffer(engine, at);
        const struct block *block = engine_block(buffer, node);
        uint32_t index = at;
        at = block->next_use;
        victim_fetch(engine, at);
        if (block->pins > 0 || block->ops != OP_NONE || block->wanted > 0 || block->adopted)
            continue;
        const struct victim_look look = victim_look(buffer, node);
        uint64_t next = victim_next(engine, view, index, node);
        if (look.preimage || next <= until)
            continue;
        if (look.clean)
            stock.clean_bytes += block->heap.bytes;
        else if (!is_last && (node != 0 || !victim_is_too_large(engine, buffer)) &&
                 (stock.dirty.buffer == TASK_NONE || next > stock.dirty.next))
            stock.dirty = (struct victim){.buffer = index, .cost = VICTIM_DIRTY, .next = next};
    }
    return stock;
}
