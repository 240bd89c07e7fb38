/* The move step's memory half: which buffers have a block on which node, and who has to go when a
 * node is full.
 *
 * Takes wishes of tasks, gives blocks, ALLOC and FREE actions, or a victim. Runs under the engine's
 * lock. Owns struct block and the per-node lists in the order of eviction: a block that has been
 * used since it was last looked at goes to the end instead (the clock of F. Corbató: A paging
 * experiment with the Multics system, 1968), so that a use costs one store. Keeps true: a
 * pinned block is never evicted or moved, nor one that alone holds what a task in flight would
 * start again from; a dirty one only after its data have arrived on the host; at most one task a
 * node evicts at a time, so that tasks that wait for memory do not take it from each other in
 * circles.
 */
#include "core/memory.h"

#include <stdio.h>

#include "core/compact.h"
#include "core/future.h"
#include "core/lane.h"
#include "core/places.h"
#include "core/planner.h"
#include "core/stitch.h"
#include "core/victim.h"
#include "core/writeback.h"

#define MEMORY_SPILLS 2u /* write-backs that make room ahead of a task, at a time and node */

/* ---- list of blocks in the order of eviction -------------------------------------------- */

static void memory_use_unlink(struct engine *engine, struct block *block)
{
    struct engine_node *node = &engine->nodes[block->node];
    if (block->prev_use == TASK_NONE)
        node->use_head = block->next_use;
    else
        engine_block(engine_buffer(engine, block->prev_use), block->node)->next_use =
            block->next_use;
    if (block->next_use == TASK_NONE)
        node->use_tail = block->prev_use;
    else
        engine_block(engine_buffer(engine, block->next_use), block->node)->prev_use =
            block->prev_use;
}

static void memory_use_append(struct engine *engine, struct block *block)
{
    struct engine_node *node = &engine->nodes[block->node];
    block->prev_use = node->use_tail;
    block->next_use = TASK_NONE;
    if (node->use_tail == TASK_NONE)
        node->use_head = block->buffer;
    else
        engine_block(engine_buffer(engine, node->use_tail), block->node)->next_use = block->buffer;
    node->use_tail = block->buffer;
}

void memory_use_last(struct engine *engine, struct block *block)
{
    memory_use_unlink(engine, block);
    memory_use_append(engine, block);
}

/* The counter of the node's memory has changed. */
static void memory_trace(struct engine *engine, uint32_t node, uint64_t used_bytes)
{
    trace_emit(engine->trace, (struct trace_event){.time_ns = engine->now_ns,
                                                   .kind = TRACE_MEMORY,
                                                   .device = TRACE_NO_DEVICE,
                                                   .a = used_bytes,
                                                   .b = node});
}

void memory_appear(struct engine *engine, struct block *block)
{
    block->state = BLOCK_PRESENT;
    block->pins = 0;
    block->used = 0; /* `wanted` may have come first */
    block->ops = OP_NONE;
    memory_use_append(engine, block);
    engine->nodes[block->node].present_count++;
    if (!block->adopted)
        memory_trace(engine, block->node, engine->nodes[block->node].heap.used_bytes);
}

void memory_adopt(struct engine *engine, struct buffer *buffer, void *memory, uint64_t bytes)
{
    struct block *block = engine_block(buffer, 0);
    block->adopted = 1;
    block->heap = (struct heap_block){.mem = (uint64_t)(uintptr_t)memory, .bytes = bytes};
    memory_appear(engine, block);
}

static void memory_vanish(struct engine *engine, struct block *block)
{
    FGPU_ASSERT(block->pins == 0 && block->ops == OP_NONE);
    memory_use_unlink(engine, block);
    block->state = BLOCK_NONE;
    engine->nodes[block->node].present_count--;
}

void memory_pin(struct engine *engine, uint32_t buffer, uint32_t node)
{
    struct block *block = engine_block(engine_buffer(engine, buffer), node);
    FGPU_DEBUG_ASSERT(block->state == BLOCK_PRESENT);
    block->pins++;
    block->used = 1;
}

void memory_unpin(struct engine *engine, uint32_t buffer, uint32_t node)
{
    struct block *block = engine_block(engine_buffer(engine, buffer), node);
    FGPU_ASSERT(block->pins > 0);
    if (--block->pins == 0)
        lane_wake(engine, &engine->nodes[node].memory_waiters);
}

/* ---- giving back ------------------------------------------------------------------------ */

void memory_trim(struct engine *engine, uint32_t node, uint64_t keep_bytes)
{
    uint64_t mem, bytes;
    while (heap_release_empty(&engine->nodes[node].heap, keep_bytes, &mem, &bytes))
        engine_act(engine, (struct action){.kind = ACTION_FREE,
                                           .node = node,
                                           .device = engine->nodes[node].device,
                                           .handle = mem,
                                           .bytes = bytes});
}

static void memory_free_block(struct engine *engine, struct block *block)
{
    uint32_t node = block->node;
    memory_vanish(engine, block);
    if (node != 0 && node == engine->spill_node && engine->spill_full) {
        engine->spill_full = false;
        lane_wake(engine, &engine->nodes[0].memory_waiters);
    }
    if (!block->adopted) {
        if (engine->nodes[node].heap.used_bytes < engine->nodes[node].heap.ceiling_bytes / 2)
            bitset_remove(&engine->tight, node); /* no longer short */
        places_gone(engine, block);
        if (block->heap.slab == HEAP_NONE)
            stitch_free(engine, block);
        else
            heap_free(&engine->nodes[node].heap, &block->heap);
        memory_trace(engine, node, engine->nodes[node].heap.used_bytes);
    }
    lane_wake(engine, &engine->nodes[node].memory_waiters);
}

void memory_release(struct engine *engine, struct buffer *buffer)
{
    for (struct block *block = blocks_first(engine, buffer); block != NULL;
         block = blocks_next(engine, buffer, block)) {
        uint32_t node = block->node;
        if (block->state != BLOCK_PRESENT)
            continue;
        memory_free_block(engine, block);
        /* Keep an eighth of what is held for the next buffers; the rest goes back to the device. */
        struct heap *heap = &engine->nodes[node].heap;
        if (heap->empty_bytes > heap->total_bytes / 8 && heap->empty_bytes > (64u << 20))
            memory_trim(engine, node, 64u << 20);
    }
}

void memory_node_lost(struct engine *engine, uint32_t node)
{
    while (engine->nodes[node].use_head != TASK_NONE) {
        struct buffer *buffer = engine_buffer(engine, engine->nodes[node].use_head);
        struct block *block = engine_block(buffer, node);
        block->pins = 0;
        block->ops = OP_NONE;
        memory_vanish(engine, block);
    }
    places_forget(engine, node);
    memory_trace(engine, node, 0);
    lane_wake(engine, &engine->nodes[node].memory_waiters);
    lane_wake(engine, &engine->nodes[node].alloc_waiters);
}

/* ---- eviction --------------------------------------------------------------------------- */

void memory_preimage_gone(struct engine *engine, uint64_t nodes, uint32_t kept)
{
    for (uint32_t n = nodes_next(nodes, 0); n != NODES_NONE; n = nodes_next(nodes, n + 1))
        if (n != kept)
            lane_wake(engine, &engine->nodes[n].memory_waiters);
}

bool memory_needs(const struct engine *engine, const struct task *task, uint32_t buffer,
                  uint32_t node)
{
    bool placed = task->lane != TASK_LANE_NONE && task->lane != TASK_LANE_MIXED;
    if (node != (placed ? lane_node(engine, task) : 0))
        return false;
    for (uint32_t i = 0; i < task->access_count; i++)
        if (task_accesses(task)[i].buffer == buffer)
            return true;
    return false;
}

void memory_evict_clean(struct engine *engine, struct buffer *buffer, uint32_t node)
{
    struct block *block = engine_block(buffer, node);
    for (struct imap_seg *seg = imap_first(&buffer->segments, 0); seg != NULL;
         seg = imap_next(&buffer->segments, seg)) {
        struct segment *segment = imap_payload(seg);
        bool kept = replica_drop(&segment->replica, node);
        FGPU_ASSERT(kept);
    }
    engine->stats.evictions++;
    engine_block(buffer, node)->evicted = 1;
    bitset_add(&engine->tight, node);
    writeback_note(engine, node);
    LOG_DEBUG(engine->log, "memory", "node %u was short: %llu bytes went", node,
              (unsigned long long)block->heap.bytes);
    trace_emit(engine->trace, (struct trace_event){.time_ns = engine->now_ns,
                                                   .kind = TRACE_EVICT,
                                                   .device = TRACE_NO_DEVICE,
                                                   .a = block->heap.bytes,
                                                   .b = node});
    memory_free_block(engine, block);
}

static void memory_explain(struct engine *engine, struct task *task, const struct buffer *buffer,
                           uint32_t node)
{
    if (task->why == NULL)
        task->why = alloc_get(engine->hooks, LIMITS_ERROR_TEXT, 16);
    if (task->why == NULL)
        return;
    struct heap_stats stats;
    heap_get_stats(&engine->nodes[node].heap, &stats);
    snprintf(task->why, LIMITS_ERROR_TEXT,
             "buffer '%s' needs %llu bytes on memory node %u, which has a limit of %llu bytes, "
             "%llu of them in use by tasks that cannot give them up%s",
             buffer->name, (unsigned long long)atomic_load_relaxed_u64(&buffer->size_bytes), node,
             (unsigned long long)stats.limit_bytes, (unsigned long long)stats.used_bytes,
             node == 0 && engine->spill_full ? ", and the spill folder is full" : "");
}

static enum memory_answer memory_fail(struct engine *engine, struct task *task, fgpu_status status,
                                      const struct buffer *buffer, uint32_t node)
{
    memory_explain(engine, task, buffer, node);
    if (task->status == FGPU_OK) {
        task->status = status;
        task->root = task->self;
        task->root_word = task_word(task);
    }
    memory_settled(engine, task, node);
    return MEMORY_FAILED;
}

/* The node cannot hold what the task needs. Beside the host's there may be another that can. */
static enum memory_answer memory_never(struct engine *engine, struct task *task,
                                       const struct buffer *buffer, uint32_t node)
{
    if (node == 0)
        return memory_fail(engine, task, FGPU_E_DEVMEM, buffer, node);
    if (!links_reserve(&engine->links, 1))
        return memory_fail(engine, task, FGPU_E_NOMEM, buffer, node);
    memory_explain(engine, task, buffer, node);
    task->marks &= (uint16_t)~TASK_M_REGROUPED; /* of that node */
    (void)links_push(&engine->links, &task->no_memory,
                     (struct links_item){.data = engine->nodes[node].device});
    memory_settled(engine, task, node);
    return MEMORY_NEVER;
}

static enum memory_answer memory_park(struct engine *engine, struct task *task, uint32_t *waiters)
{
    return lane_wait(engine, task, waiters) ? MEMORY_WAIT : MEMORY_FAILED;
}

void memory_grow_ahead(struct engine *engine, uint32_t node, uint64_t bytes)
{
    struct engine_node *n = &engine->nodes[node];
    n->alloc_pending++;
    engine_act(
        engine,
        (struct action){.kind = ACTION_ALLOC, .node = node, .device = n->device, .bytes = bytes});
}

enum memory_answer memory_grow(struct engine *engine, struct task *task, uint32_t node,
                               uint64_t bytes)
{
    memory_grow_ahead(engine, node, bytes);
    return memory_park(engine, task, &engine->nodes[node].alloc_waiters);
}

/* ---- side by side ----------------------------------------------------------------------- */

static bool memory_named_before(const struct task *task, uint32_t access)
{
    for (uint32_t i = 0; i < access; i++)
        if (task_accesses(task)[i].buffer == task_accesses(task)[access].buffer)
            return true;
    return false;
}

/* All the task's data together, on a device's node, where each buffer counts once. */
static uint64_t memory_task_bytes(struct engine *engine, const struct task *task, uint32_t node)
{
    const struct heap *heap = &engine->nodes[node].heap;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < task->access_count && bytes <= heap->ceiling_bytes; i++) {
        const struct buffer *buffer = engine_buffer(engine, task_accesses(task)[i].buffer);
        if (!memory_named_before(task, i))
            bytes += heap_footprint(heap, atomic_load_relaxed_u64(&buffer->size_bytes));
    }
    return bytes;
}

/* Nobody but the task has anything on the node, and what it needs fits, though not between its own
 * blocks as they lie: they go, and all come back side by side. Once for a task and node. */
static enum memory_answer memory_regroup(struct engine *engine, struct task *task,
                                         const struct buffer *buffer, uint32_t node,
                                         uint32_t *victim)
{
    struct heap *heap = &engine->nodes[node].heap;
    uint64_t bytes = memory_task_bytes(engine, task, node);
    if (node == 0 || heap->direct || task->marks & TASK_M_REGROUPED || bytes > heap->ceiling_bytes)
        return memory_never(engine, task, buffer, node);
    for (uint32_t i = 0; i < task->access_count; i++) {
        struct buffer *own = engine_buffer(engine, task_accesses(task)[i].buffer);
        if (engine_block(own, node)->state != BLOCK_PRESENT || victim_look(own, node).clean)
            continue;
        *victim = task_accesses(task)[i].buffer;
        return MEMORY_EVICT;
    }
    for (uint32_t i = 0; i < task->access_count; i++) {
        struct buffer *own = engine_buffer(engine, task_accesses(task)[i].buffer);
        const struct block *block = engine_block(own, node);
        if (block->state == BLOCK_PRESENT && !block->adopted)
            memory_evict_clean(engine, own, node);
    }
    task->marks |= TASK_M_REGROUPED;
    memory_trim(engine, node, 0);
    return heap_ask_slab(heap, bytes) ? memory_grow(engine, task, node, bytes) : MEMORY_AGAIN;
}

/* The spill folder is full, also with what others hold, too: one of these goes, and it is asked
 * again. */
static bool memory_spill_clean(struct engine *engine, const struct task *task)
{
    uint32_t node = engine->spill_node;
    uint32_t held;
    if (!engine->spill_full || engine->nodes[node].lost)
        return false;
    const struct victim old = victim_choose(engine, task, node, &held);
    if (old.buffer == TASK_NONE)
        return false;
    memory_evict_clean(engine, engine_buffer(engine, old.buffer), node);
    return true;
}

/* Not for what others hold where the caller wants to know at once; a copy ends by itself, and soon.
 */
static bool memory_may_wait(const struct engine *engine, uint32_t node, uint32_t held)
{
    bool at_once = node == 0 && (engine->flags & FGPU_POOL_NOMEMWAIT);
    return (held & VICTIM_TRAVELS) != 0 || (held != 0 && !at_once);
}

/* The heap is full: MEMORY_OK says that something was freed and it is worth asking again. */
static enum memory_answer memory_make_room(struct engine *engine, struct task *task,
                                           const struct buffer *buffer, uint32_t node,
                                           uint32_t *victim)
{
    struct engine_node *n = &engine->nodes[node];
    if (n->short_task != TASK_NONE && n->short_task != task->self)
        return memory_park(engine, task, &n->memory_waiters);
    n->short_task = task->self;
    if (n->stitches != NULL && stitch_drop(engine, node))
        return MEMORY_OK;
    uint32_t held;
    const struct victim choice = victim_choose(engine, task, node, &held);
    if (choice.cost > 0 &&
        compact_start(engine, task, node, atomic_load_relaxed_u64(&buffer->size_bytes)))
        return memory_park(engine, task, &n->memory_waiters);
    uint32_t found = choice.buffer;
    if (found == TASK_NONE && node == 0 && memory_spill_clean(engine, task))
        return MEMORY_OK;
    if (found == TASK_NONE) {
        if (memory_may_wait(engine, node, held))
            return memory_park(engine, task, &n->memory_waiters);
        return memory_regroup(engine, task, buffer, node, victim);
    }
    if (victim_is_dirty(choice.cost)) {
        *victim = found;
        return MEMORY_EVICT;
    }
    memory_evict_clean(engine, engine_buffer(engine, found), node);
    return MEMORY_OK;
}

/* ---- getting ---------------------------------------------------------------------------- */

enum memory_answer memory_get(struct engine *engine, struct task *task, uint32_t index,
                              uint32_t node, uint32_t *victim)
{
    struct buffer *buffer = engine_buffer(engine, index);
    struct block *block = engine_block(buffer, node);
    if (block->state == BLOCK_PRESENT)
        return MEMORY_OK;
    if (engine->nodes[node].lost)
        return memory_fail(engine, task, FGPU_E_DEVICE_LOST, buffer, node);
    enum memory_answer made;
    if (engine->nodes[node].stitches != NULL &&
        stitch_take(engine, block, atomic_load_relaxed_u64(&buffer->size_bytes))) {
        memory_appear(engine, block);
        return MEMORY_OK;
    }
    if (places_may(engine, node) && places_get(engine, task, index, node, &made))
        return made;
    for (;;) {
        uint64_t grow_bytes = 0, mem, bytes;
        enum heap_answer answer =
            heap_alloc(&engine->nodes[node].heap, atomic_load_relaxed_u64(&buffer->size_bytes),
                       &block->heap, &grow_bytes);
        switch (answer) {
        case HEAP_OK:
            memory_appear(engine, block);
            return MEMORY_OK;
        case HEAP_GROW:
            return memory_grow(engine, task, node, grow_bytes);
        case HEAP_WAIT:
            return memory_park(engine, task, &engine->nodes[node].alloc_waiters);
        case HEAP_TRIM:
            if (!heap_release_empty(&engine->nodes[node].heap, 0, &mem, &bytes))
                return memory_never(engine, task, buffer, node);
            engine_act(engine, (struct action){.kind = ACTION_FREE,
                                               .node = node,
                                               .device = engine->nodes[node].device,
                                               .handle = mem,
                                               .bytes = bytes});
            break;
        case HEAP_FULL:
            made = memory_make_room(engine, task, buffer, node, victim);
            if (made != MEMORY_OK)
                return made;
            break;
        case HEAP_NEVER:
            return memory_never(engine, task, buffer, node);
        case HEAP_NOMEM:
            return memory_fail(engine, task, FGPU_E_NOMEM, buffer, node);
        }
    }
}

/* ---- what does not fit into the host's memory -------------------------------------------- */

void memory_written_back(struct engine *engine, uint32_t index, uint32_t node)
{
    struct buffer *buffer = engine_buffer(engine, index);
    const struct block *block = engine_block(buffer, node);
    if (block->state != BLOCK_PRESENT || block->adopted || block->pins > 0 ||
        block->ops != OP_NONE || engine->nodes[node].lost)
        return;
    struct victim_look look = victim_look(buffer, node);
    if (look.clean && !look.preimage)
        memory_evict_clean(engine, buffer, node);
}

void memory_spill_refused(struct engine *engine, uint32_t index)
{
    struct buffer *buffer = engine_buffer(engine, index);
    struct block *block = engine_block(buffer, engine->spill_node);
    bool was_full = engine->spill_full; /* until the block goes */
    if (block->state == BLOCK_PRESENT && block->pins == 0 && block->ops == OP_NONE &&
        victim_look(buffer, engine->spill_node).clean)
        memory_evict_clean(engine, buffer, engine->spill_node);
    if (!was_full)
        LOG_WARN(engine->log, "memory",
                 "the spill folder takes no more: host memory is all there is");
    engine->spill_full = engine->spill_refused = true;
}

enum memory_answer memory_spill_get(struct engine *engine, struct task *task, uint32_t index)
{
    uint32_t node = engine->spill_node;
    struct buffer *buffer = engine_buffer(engine, index);
    struct block *block = engine_block(buffer, node);
    uint32_t held = 0;
    while (block->state != BLOCK_PRESENT) {
        uint64_t grow_bytes = 0, mem, bytes;
        if (engine->nodes[node].lost)
            return MEMORY_NEVER;
        struct victim choice = {.buffer = TASK_NONE};
        switch (heap_alloc(&engine->nodes[node].heap, atomic_load_relaxed_u64(&buffer->size_bytes),
                           &block->heap, &grow_bytes)) {
        case HEAP_OK:
            memory_appear(engine, block);
            break;
        case HEAP_GROW:
            return memory_grow(engine, task, node, grow_bytes);
        case HEAP_WAIT:
            return memory_park(engine, task, &engine->nodes[node].alloc_waiters);
        case HEAP_TRIM:
            if (!heap_release_empty(&engine->nodes[node].heap, 0, &mem, &bytes))
                return MEMORY_NEVER;
            engine_act(engine, (struct action){.kind = ACTION_FREE,
                                               .node = node,
                                               .device = engine->nodes[node].device,
                                               .handle = mem,
                                               .bytes = bytes});
            break;
        case HEAP_FULL:
            choice = victim_choose(engine, task, node, &held);
            if (choice.buffer == TASK_NONE && held != 0)
                return memory_park(engine, task, &engine->nodes[node].memory_waiters);
            if (choice.buffer == TASK_NONE)
                return MEMORY_NEVER;
            memory_evict_clean(engine, engine_buffer(engine, choice.buffer), node);
            break;
        case HEAP_NEVER:
        case HEAP_NOMEM:
            return MEMORY_NEVER;
        }
    }
    return MEMORY_OK;
}

void memory_settled(struct engine *engine, struct task *task, uint32_t node)
{
    struct engine_node *n = &engine->nodes[node];
    if (n->short_task != task->self)
        return;
    n->short_task = TASK_NONE;
    lane_wake(engine, &n->memory_waiters);
}

/* ---- ahead of the task ------------------------------------------------------------------ */

bool memory_refused(const struct engine *engine, const struct task *task, uint32_t device)
{
    for (uint32_t at = task->no_memory; at != LINKS_NONE; at = links_at(&engine->links, at)->next)
        if (links_at(&engine->links, at)->data == device)
            return true;
    return false;
}

void memory_want(struct engine *engine, struct task *task, uint32_t node)
{
    if (task->marks & TASK_M_WANTED)
        return;
    task->marks |= TASK_M_WANTED;
    for (uint32_t i = 0; i < task->access_count; i++)
        engine_block(engine_buffer(engine, task_accesses(task)[i].buffer), node)->wanted++;
}

void memory_unwant(struct engine *engine, struct task *task, uint32_t node)
{
    if (!(task->marks & TASK_M_WANTED))
        return;
    task->marks &= (uint16_t) ~(TASK_M_WANTED | TASK_M_ORDERED);
    for (uint32_t i = 0; i < task->access_count; i++) {
        struct block *block =
            engine_block(engine_buffer(engine, task_accesses(task)[i].buffer), node);
        FGPU_ASSERT(block->wanted > 0);
        block->wanted--;
    }
}

/* Does somebody need it before the task runs? */
static bool memory_needed_before(struct engine *engine, const struct task *task,
                                 const struct victim *choice)
{
    const struct victim_view view = victim_view(engine);
    const struct planned *planned = planner_of(engine, task);
    if (!view.known)
        return false;
    if (!view.planned)
        return choice->next <= future_of(engine, task);
    return planned != NULL && choice->next <= planned->start_ns;
}

/* Something goes that no placed task wants. True: it is worth asking again at once. */
static bool memory_spare(struct engine *engine, const struct task *task, uint32_t node,
                         uint32_t *victim)
{
    struct engine_node *n = &engine->nodes[node];
    uint32_t held;
    /* Whoever evicts for a task that is to run now goes first; and who waits for predecessors may
     * still go elsewhere. */
    if (n->short_task != TASK_NONE || task == NULL || task->undone > 0)
        return false;
    const struct victim choice = victim_choose(engine, task, node, &held);
    uint32_t found = choice.buffer, cost = choice.cost;
    if (found == TASK_NONE || cost >= VICTIM_WANTED)
        return false;
    if (memory_needed_before(engine, task, &choice))
        return false;
    if (!victim_is_dirty(cost)) {
        memory_evict_clean(engine, engine_buffer(engine, found), node);
        return true;
    }
    if (n->spills < MEMORY_SPILLS)
        *victim = found;
    return false;
}

bool memory_try(struct engine *engine, const struct task *task, uint32_t index, uint32_t node,
                uint32_t *victim)
{
    struct buffer *buffer = engine_buffer(engine, index);
    struct block *block = engine_block(buffer, node);
    *victim = TASK_NONE;
    bool got = true;
    if (block->state == BLOCK_PRESENT || (places_may(engine, node) && !engine->nodes[node].lost &&
                                          places_try(engine, task, index, node, &got)))
        return got;
    while (!engine->nodes[node].lost) {
        uint64_t grow_bytes = 0;
        switch (heap_alloc(&engine->nodes[node].heap, atomic_load_relaxed_u64(&buffer->size_bytes),
                           &block->heap, &grow_bytes)) {
        case HEAP_OK:
            memory_appear(engine, block);
            return true;
        case HEAP_GROW:
            memory_grow_ahead(engine, node, grow_bytes);
            return false;
        case HEAP_FULL:
            if (!memory_spare(engine, task, node, victim))
                return false;
            break;
        case HEAP_WAIT:
        case HEAP_TRIM: /* the task itself will see to it */
        case HEAP_NEVER:
        case HEAP_NOMEM:
            return false;
        }
    }
    return false;
}
