/* Every invariant of the engine, asserted after each turn in development builds. Runs under the
 * engine's lock; O(everything).
 *
 * What is counted in one place must be what the other place says: pins against tasks and copies
 * that hold them, validity against memory, lists against their counts.
 */
#include "core/engine.h"
#include "core/graph.h"
#include "core/lane.h"
#include "core/lineage.h"
#include "core/places.h"
#include "core/preempt.h"
#include "core/serve.h"
#include "core/split.h"
#include "core/sums.h"

static uint64_t check_present(const struct engine *engine, const struct buffer *buffer)
{
    uint64_t present = 0;
    for (const struct block *block = blocks_first(engine, buffer); block != NULL;
         block = blocks_next(engine, buffer, block))
        if (block->state == BLOCK_PRESENT)
            nodes_add(&present, block->node);
    return present;
}

static void check_buffer(const struct engine *engine, const struct buffer *buffer)
{
    uint64_t present = check_present(engine, buffer);
    uint64_t at = 0;
    for (struct imap_seg *seg = imap_first(&buffer->segments, 0); seg != NULL;
         seg = imap_next(&buffer->segments, seg)) {
        FGPU_ASSERT(seg->begin == at && seg->end > at);
        at = seg->end;
        const struct segment *segment = graph_segment(seg);
        replica_check(&segment->replica, present);
        FGPU_ASSERT(segment->replica.dirty == 0 || buffer->users > 0);
        /* What is lost is poisoned, or somebody is to write it. */
        FGPU_ASSERT(!replica_is_lost(&segment->replica) || segment->poison != FGPU_OK ||
                    graph_is_live(engine, segment->writer, segment->writer_generation));
    }
    nodes_clear(&present);
    FGPU_ASSERT(at == atomic_load_relaxed_u64(&buffer->size_bytes));
    FGPU_ASSERT(buffer->users >= buffer->linked);
}

static void check_lane(const struct engine *engine, const struct lane *lane)
{
    uint32_t tasks = 0;
    uint64_t ns = 0;
    for (uint64_t n = lane->done + 1; n <= lane->issued; n++) {
        uint32_t entry = lane->ring[n & lane->ring_mask];
        if (entry == RING_FENCE)
            continue;
        if (entry & RING_OP) {
            const struct op *op = table_at(&engine->ops, entry & ~RING_OP);
            FGPU_ASSERT(op->live && op->lane == lane->index && op->number == n);
            ns += op->predicted_ns;
            continue;
        }
        const struct task *task = engine_task(engine, entry);
        FGPU_ASSERT(task_state(task) == FGPU_TASK_RUNNING && task->lane == lane->index);
        FGPU_ASSERT(task->flags & TASK_F_ISSUED || task->kind == TASK_JOINED);
        tasks++;
        ns += task->marks & TASK_M_PREEMPT ? 0 : task->predicted_ns;
    }
    if (engine->preempt != NULL)
        preempt_check_lane(engine, lane, &ns);
    FGPU_ASSERT(tasks == lane->flight_tasks);
    FGPU_ASSERT(ns == lane->flight_ns);
    FGPU_ASSERT(lane->commands.count <= lane->issued - lane->done);
}

static void check_node(const struct engine *engine, uint32_t index)
{
    const struct engine_node *node = &engine->nodes[index];
    uint32_t count = 0, before = TASK_NONE;
    for (uint32_t at = node->use_head; at != TASK_NONE;) {
        const struct block *block = engine_block(engine_buffer(engine, at), index);
        FGPU_ASSERT(block->state == BLOCK_PRESENT && block->prev_use == before);
        before = at;
        at = block->next_use;
        count++;
    }
    FGPU_ASSERT(count == node->present_count && before == node->use_tail);
    const char *broken = heap_check(&node->heap);
    FGPU_ASSERT(broken == NULL);
    places_check(engine, index);
}

static void check_ready(const struct engine *engine)
{
    uint32_t count = 0;
    for (uint32_t level = 0; level < ENGINE_PRIORITIES; level++) {
        bool bit = (engine->ready_bits[level / 64] >> (level % 64)) & 1;
        FGPU_ASSERT(bit == (engine->ready_head[level] != TASK_NONE));
        FGPU_ASSERT(!bit || ((engine->ready_words >> (level / 64)) & 1));
        for (uint32_t at = engine->ready_head[level]; at != TASK_NONE;
             at = atomic_load_relaxed_u32(&engine_task(engine, at)->next)) {
            FGPU_ASSERT(task_state(engine_task(engine, at)) == FGPU_TASK_READY);
            count++;
        }
    }
    FGPU_ASSERT(count == (engine->serve == NULL ? engine->ready_count : 0));
    if (engine->serve != NULL)
        serve_check(engine);
}

static uint32_t check_length(const struct engine *engine, uint32_t at)
{
    uint32_t count = 0;
    for (; at != TASK_NONE; at = atomic_load_relaxed_u32(&engine_task(engine, at)->next))
        count++;
    return count;
}

/* The hints that let a turn pass over all lanes at once. */
static void check_hints(const struct engine *engine)
{
    uint32_t kept = 0, idle = 0, homes = 0;
    for (uint32_t i = 0; i < engine->lane_count; i++) {
        const struct lane *lane = engine_lane(engine, i);
        uint32_t backlog = check_length(engine, lane->backlog_head);
        FGPU_ASSERT(backlog <= lane->backlog_count); /* the rest are on their way here */
        kept += backlog + check_length(engine, lane->chain_head);
        idle += lane->idle;
        homes += lane->homes;
        FGPU_ASSERT(backlog + lane->homes <= lane->backlog_count);
        FGPU_ASSERT(lane->home_ns <= lane->backlog_ns && (lane->homes > 0 || lane->home_ns == 0));
        FGPU_ASSERT(lane->fence_due == 0 || bitset_has(&engine->due, i));
        FGPU_ASSERT(backlog == 0 || bitset_has(&engine->keeping, i));
        FGPU_ASSERT(lane->ahead_due == 0 || bitset_has(&engine->ahead, i));
        FGPU_ASSERT(lane->commands.count == 0 || bitset_has(&engine->loaded, i));
        FGPU_ASSERT(lane->idle ==
                    (!lane->hidden && !lane->rests && !engine->devices[lane->device].lost &&
                     lane->flight_tasks == 0 && lane->backlog_count == 0));
        FGPU_ASSERT(lane->commands.count == 0 || engine->has_commands);
    }
    FGPU_ASSERT(kept == engine->kept);
    FGPU_ASSERT(idle == engine->idle);
    FGPU_ASSERT(engine->split != NULL ? homes == split_homes(engine) : homes == 0);
}

void engine_check(const struct engine *engine)
{
    check_hints(engine);
    for (uint32_t i = 0; i < engine->lane_count; i++)
        check_lane(engine, engine_lane(engine, i));
    for (uint32_t i = 0; i < engine->node_count; i++)
        check_node(engine, i);
    check_ready(engine);
    lineage_check(engine);
    for (uint32_t i = 0; i < table_high_water(&engine->buffers); i++) {
        const struct buffer *buffer = engine_buffer(engine, i);
        if ((atomic_load_relaxed_u32(&buffer->live) & 1) || buffer->destroyed)
            check_buffer(engine, buffer);
    }
}

/* After each turn while there is little to check; the more there is, the more turns go by between
 * two checks, so that they never cost much more than what they check. */
void engine_check_turn(struct engine *engine)
{
    if (engine->sums != NULL)
        sums_turn(engine);
    if (!engine->checks || engine->check_pause > 0) {
        engine->check_pause -= engine->check_pause > 0;
        return;
    }
    engine_check(engine);
    engine->check_pause =
        (engine->ready_count + engine->kept + table_high_water(&engine->buffers)) / 1024;
}
