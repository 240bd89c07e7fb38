/* Blocks made of holes; see stitch.h.
 *
 * Keeps true: the holes of an entry that is not free are out of the heap; `waiting` counts those
 * that are asked for or ready.
 */
#include "core/stitch.h"

#include "core/lane.h"
#include "mem/heap_stitch.h"

static struct stitch *stitch_at(const struct engine_node *node, uint32_t index)
{
    return vec_at(&node->stitches->all, index);
}

static struct stitches *stitch_of(struct engine *engine, struct engine_node *node)
{
    if (node->stitches == NULL) {
        node->stitches = alloc_get_zeroed(engine->hooks, sizeof *node->stitches, 16);
        if (node->stitches != NULL)
            vec_init(&node->stitches->all, sizeof(struct stitch), engine->hooks);
    }
    return node->stitches;
}

void stitch_fini(struct engine *engine, struct engine_node *node)
{
    if (node->stitches == NULL)
        return;
    for (uint32_t i = 0; i < node->stitches->all.count; i++) {
        vec_fini(&stitch_at(node, i)->blocks);
        vec_fini(&stitch_at(node, i)->pieces);
    }
    vec_fini(&node->stitches->all);
    alloc_put(engine->hooks, node->stitches, sizeof *node->stitches);
    node->stitches = NULL;
}

/* An entry without holes; TASK_NONE without memory. */
static uint32_t stitch_new(struct engine *engine, struct engine_node *node)
{
    struct vec *all = &node->stitches->all;
    for (uint32_t i = 0; i < all->count; i++)
        if (stitch_at(node, i)->state == STITCH_FREE)
            return i;
    struct stitch *stitch = vec_push(all, NULL);
    if (stitch == NULL)
        return TASK_NONE;
    vec_init(&stitch->blocks, sizeof(struct heap_block), engine->hooks);
    vec_init(&stitch->pieces, sizeof(fgpu_mem_piece), engine->hooks);
    return (uint32_t)all->count - 1;
}

/* The holes are holes again, and the name nobody's. */
static void stitch_end(struct engine *engine, uint32_t node, struct stitch *stitch)
{
    struct engine_node *n = &engine->nodes[node];
    for (size_t i = 0; i < stitch->blocks.count; i++)
        heap_free(&n->heap, vec_at(&stitch->blocks, i));
    if (stitch->mem != 0)
        engine_act(engine, (struct action){.kind = ACTION_FREE,
                                           .node = node,
                                           .device = n->device,
                                           .handle = stitch->mem});
    vec_clear(&stitch->blocks);
    vec_clear(&stitch->pieces);
    stitch->mem = 0;
    stitch->state = STITCH_FREE;
}

static bool stitch_list(struct stitch *stitch)
{
    stitch->bytes = 0;
    vec_clear(&stitch->pieces);
    for (size_t i = 0; i < stitch->blocks.count; i++) {
        const struct heap_block *block = vec_at(&stitch->blocks, i);
        const fgpu_mem_piece piece = {block->mem, block->offset, block->bytes};
        stitch->bytes += block->bytes;
        if (vec_push(&stitch->pieces, &piece) == NULL)
            return false;
    }
    return true;
}

bool stitch_start(struct engine *engine, const struct task *task, uint32_t node, uint64_t bytes)
{
    struct engine_node *n = &engine->nodes[node];
    uint64_t piece = engine->devices[n->device].caps.stitch_bytes;
    if (node == 0 || piece == 0 || bytes <= CELLS_MAX_BYTES)
        return false;
    struct stitches *all = stitch_of(engine, n);
    if (all == NULL || all->refused == engine_trace_id(task))
        return false;
    if (all->waiting > 0)
        return true;
    uint32_t index = stitch_new(engine, n);
    struct stitch *stitch = index != TASK_NONE ? stitch_at(n, index) : NULL;
    if (stitch == NULL || !heap_stitch(&n->heap, bytes, piece, &stitch->blocks))
        return false;
    if (!stitch_list(stitch)) {
        stitch_end(engine, node, stitch);
        return false;
    }
    stitch->state = STITCH_ASKED;
    all->waiting++;
    engine_act(engine, (struct action){.kind = ACTION_STITCH,
                                       .node = node,
                                       .device = n->device,
                                       .index = index,
                                       .bytes = stitch->pieces.count,
                                       .pieces = vec_at(&stitch->pieces, 0)});
    LOG_DEBUG(engine->log, "memory", "node %u: %zu holes become one block of %llu bytes", node,
              stitch->pieces.count, (unsigned long long)stitch->bytes);
    return true;
}

void engine_stitched(struct engine *engine, uint32_t node, uint32_t index, fgpu_mem mem)
{
    struct engine_node *n = &engine->nodes[node];
    struct stitch *stitch = stitch_at(n, index);
    FGPU_ASSERT(stitch->state == STITCH_ASKED);
    stitch->mem = mem;
    stitch->state = STITCH_READY;
    if (mem == 0) {
        n->stitches->waiting--;
        n->stitches->refused =
            n->short_task != TASK_NONE ? engine_trace_id(engine_task(engine, n->short_task)) : 0;
        stitch_end(engine, node, stitch);
    }
    lane_wake(engine, &n->memory_waiters);
}

bool stitch_take(struct engine *engine, struct block *block, uint64_t bytes)
{
    struct engine_node *n = &engine->nodes[block->node];
    for (uint32_t i = 0; n->stitches->waiting > 0 && i < n->stitches->all.count; i++) {
        struct stitch *stitch = stitch_at(n, i);
        if (stitch->state != STITCH_READY || stitch->bytes < bytes || stitch->bytes / 2 > bytes)
            continue;
        stitch->state = STITCH_USED;
        n->stitches->waiting--;
        engine->stats.blocks_stitched++;
        block->heap = (struct heap_block){
            .mem = stitch->mem, .bytes = stitch->bytes, .slab = HEAP_NONE, .place = i};
        return true;
    }
    return false;
}

bool stitch_drop(struct engine *engine, uint32_t node)
{
    struct engine_node *n = &engine->nodes[node];
    bool any = false;
    for (uint32_t i = 0; n->stitches->waiting > 0 && i < n->stitches->all.count; i++) {
        if (stitch_at(n, i)->state != STITCH_READY)
            continue;
        n->stitches->waiting--;
        stitch_end(engine, node, stitch_at(n, i));
        any = true;
    }
    return any;
}

void stitch_free(struct engine *engine, const struct block *block)
{
    struct stitch *stitch = stitch_at(&engine->nodes[block->node], block->heap.place);
    FGPU_ASSERT(stitch->state == STITCH_USED && stitch->mem == block->heap.mem);
    stitch_end(engine, block->node, stitch);
}

void stitch_clear(struct engine *engine, uint32_t node)
{
    struct engine_node *n = &engine->nodes[node];
    for (uint32_t i = 0; n->stitches != NULL && i < n->stitches->all.count; i++)
        if (stitch_at(n, i)->state != STITCH_FREE)
            stitch_end(engine, node, stitch_at(n, i));
}
