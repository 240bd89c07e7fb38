/* Moves of blocks within a node; see compact.h.
 *
 * Keeps true: at most one plan a node is under way; only blocks that nobody uses take part, and
 * they stay pinned until their copies have ended; what a plan holds back is given back with its
 * last copy, however that ended. A copy that fails leaves its block where it was.
 */
#include "core/compact.h"

#include "core/lane.h"
#include "core/move.h"
#include "core/ops.h"
#include "core/places.h"
#include "core/stitch.h"
#include "mem/heap_compact.h"

#define COMPACT_TRIES 3u  /* plans that are looked for on behalf of one task; then blocks go */
#define COMPACT_COST 2u   /* times the block's size may be moved for it */
#define COMPACT_ROOM 8u   /* commands that a lane has left besides */
#define COMPACT_PAUSE 31u /* wishes at most that pass before one looks again in vain */

struct compact {
    struct heap_plan plan;
    struct vec owners; /* uint32_t: the buffer that may move, by place; TASK_NONE */
    struct vec ops;    /* uint32_t: records of the copies, until they are handed out */
    uint32_t left;     /* copies in flight */
    uint32_t tries;
    uint32_t vain, pause; /* doubles with each plan that was not found; wishes left to pass */
    uint64_t task;        /* that they are for */
};

static struct compact *compact_of(struct engine *engine, struct engine_node *node)
{
    if (node->compact == NULL) {
        node->compact = alloc_get_zeroed(engine->hooks, sizeof *node->compact, 16);
        if (node->compact != NULL) {
            heap_plan_init(&node->compact->plan, engine->hooks);
            vec_init(&node->compact->owners, sizeof(uint32_t), engine->hooks);
            vec_init(&node->compact->ops, sizeof(uint32_t), engine->hooks);
        }
    }
    return node->compact;
}

void compact_fini(struct engine *engine, struct engine_node *node)
{
    if (node->compact == NULL)
        return;
    heap_plan_fini(&node->compact->plan);
    vec_fini(&node->compact->owners);
    vec_fini(&node->compact->ops);
    alloc_put(engine->hooks, node->compact, sizeof *node->compact);
    node->compact = NULL;
}

/* Fills `owners`. */
static bool compact_find_owners(struct engine *engine, struct compact *c, uint32_t node)
{
    const struct engine_node *n = &engine->nodes[node];
    const uint32_t nobody = TASK_NONE;
    vec_clear(&c->owners);
    for (size_t i = 0; i < n->heap.bins.ranges.count; i++)
        if (vec_push(&c->owners, &nobody) == NULL)
            return false;
    for (uint32_t at = n->use_head; at != TASK_NONE;) {
        const struct block *block = engine_block(engine_buffer(engine, at), node);
        if (block->pins == 0 && block->ops == OP_NONE && !block->adopted &&
            block->heap.slab != HEAP_NONE &&     /* stitched blocks stay, */
            block->heap.place < c->owners.count) /* and so do small ones */
            *(uint32_t *)vec_at(&c->owners, block->heap.place) = at;
        at = block->next_use;
    }
    return true;
}

static bool compact_may_move(void *user, uint32_t place)
{
    const struct compact *c = user;
    return *(uint32_t *)vec_at(&c->owners, place) != TASK_NONE;
}

static struct lane *compact_lane(struct engine *engine, const struct task *task, uint32_t node)
{
    const struct engine_device *device = &engine->devices[engine->nodes[node].device];
    uint32_t lane = device->lane_first;
    if (task->lane != TASK_LANE_NONE && task->lane >= lane &&
        task->lane < lane + device->lane_count)
        lane = task->lane;
    return engine_lane(engine, lane);
}

/* Records for all copies of the plan, or none. */
static bool compact_take_ops(struct engine *engine, struct compact *c)
{
    uint32_t index;
    vec_clear(&c->ops);
    while (c->ops.count < c->plan.moves.count) {
        if (table_alloc(&engine->ops, &index) == FGPU_OK) {
            if (vec_push(&c->ops, &index) != NULL)
                continue;
            table_free(&engine->ops, index);
        }
        for (size_t i = 0; i < c->ops.count; i++)
            table_free(&engine->ops, *(uint32_t *)vec_at(&c->ops, i));
        return false;
    }
    return true;
}

static void compact_order(struct engine *engine, struct compact *c, uint32_t number,
                          const struct task *task, const struct lane *lane)
{
    const struct heap_move *move = vec_at(&c->plan.moves, number);
    uint32_t buffer_index = *(uint32_t *)vec_at(&c->owners, move->from.place);
    uint32_t node = engine->devices[lane->device].node,
             index = *(uint32_t *)vec_at(&c->ops, number);
    struct buffer *buffer = engine_buffer(engine, buffer_index);
    struct block *block = engine_block(buffer, node);
    struct op *op = table_at(&engine->ops, index);
    uint64_t bytes = atomic_load_relaxed_u64(&buffer->size_bytes);
    uint64_t ns = engine_copy_ns(engine, node, node, bytes);
    *op = (struct op){.buffer = buffer_index,
                      .src_node = (uint16_t)node,
                      .dst_node = (uint16_t)node,
                      .lane = lane->index,
                      .live = 1,
                      .moves = 1,
                      .orphan = 1, /* it hangs in one list only */
                      .move = number,
                      .end = UINT64_MAX,
                      .bytes = bytes,
                      .task = engine_trace_id(task),
                      .predicted_ns = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns,
                      .waiters = LINKS_NONE};
    op->body = (fgpu_cmd_copy){.src = move->from.mem,
                               .dst = move->to.mem,
                               .src_offset_bytes = move->from.offset,
                               .dst_offset_bytes = move->to.offset,
                               .src_pitch_bytes = bytes,
                               .dst_pitch_bytes = bytes,
                               .row_bytes = bytes,
                               .rows = 1};
    ops_push(engine, block, index);
    block->pins++; /* it has not been used: no memory_pin() */
    buffer->users++;
    move_issue(engine, index);
}

/* A plan, or none: then looking, which takes time in proportion to all blocks, rests a while. */
static bool compact_plan(struct engine *engine, struct compact *c, uint32_t node, uint64_t bytes)
{
    struct heap *heap = &engine->nodes[node].heap;
    const struct heap_compact_options options = {
        .most_bytes = bytes * COMPACT_COST, .may_move = compact_may_move, .user = c};
    if (c->tries >= COMPACT_TRIES || !heap_compact_may(heap, bytes, &options))
        return false;
    if (c->pause > 0) {
        c->pause--;
        return false;
    }
    c->tries++;
    if (compact_find_owners(engine, c, node) && heap_compact(heap, bytes, &options, &c->plan)) {
        c->vain = 0;
        return true;
    }
    c->vain = 2 * c->vain + 1 < COMPACT_PAUSE ? 2 * c->vain + 1 : COMPACT_PAUSE;
    c->pause = c->vain - 1;
    return false;
}

bool compact_start(struct engine *engine, const struct task *task, uint32_t node, uint64_t bytes)
{
    struct engine_node *n = &engine->nodes[node];
    struct lane *lane;
    /* A described machine knows no copies within a memory. */
    if (node == 0 || n->heap.direct || engine->paths != NULL)
        return false;
    if (stitch_start(engine, task, node, bytes))
        return true;
    struct compact *c = compact_of(engine, n);
    if (c == NULL || c->left > 0)
        return c != NULL;
    if (c->task != engine_trace_id(task))
        c->tries = 0;
    c->task = engine_trace_id(task);
    if (bytes <= CELLS_MAX_BYTES)
        bytes = CELLS_PAGE_BYTES;
    if (!compact_plan(engine, c, node, bytes))
        return false;
    lane = compact_lane(engine, task, node);
    if (lane_room(lane) < c->plan.moves.count + COMPACT_ROOM || !compact_take_ops(engine, c)) {
        heap_plan_drop(&n->heap, &c->plan);
        return false;
    }
    LOG_DEBUG(engine->log, "memory", "node %u: %zu blocks of %llu bytes move for one of %llu", node,
              c->plan.moves.count, (unsigned long long)c->plan.moved_bytes,
              (unsigned long long)bytes);
    engine->compactions++;
    c->left = (uint32_t)c->plan.moves.count;
    for (uint32_t i = 0; i < c->left; i++)
        compact_order(engine, c, i, task, lane);
    if (c->left > 0)
        return true;
    heap_plan_drop(&n->heap, &c->plan); /* empty slabs were all it took */
    return false;
}

void compact_moved(struct engine *engine, const struct op *op, fgpu_status status)
{
    struct engine_node *node = &engine->nodes[op->dst_node];
    struct compact *c = node->compact;
    struct heap_move *move = vec_at(&c->plan.moves, op->move);
    struct block *block = engine_block(engine_buffer(engine, op->buffer), op->dst_node);
    if (status == FGPU_OK)
        block->heap = move->to;
    else
        move->from = move->to; /* which is what goes back */
    places_forget(engine, op->dst_node);
    FGPU_ASSERT(c->left > 0);
    if (--c->left > 0)
        return; /* nobody takes a part of the room before all of it is there */
    for (size_t i = 0; i < c->plan.moves.count; i++)
        heap_free(&node->heap, &((const struct heap_move *)vec_at(&c->plan.moves, i))->from);
    for (size_t i = 0; i < c->plan.held.count; i++)
        heap_free(&node->heap, vec_at(&c->plan.held, i));
    lane_wake(engine, &node->memory_waiters);
}
