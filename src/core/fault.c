/* A device's death, decided in one place (rule: nobody else does).
 *
 * Takes a device that reported an error, gives its tasks back to the graph. Tasks that were not
 * handed to the device go elsewhere. One that was may have run in part: what it writes is torn, so
 * it runs again only where everything it reads still exists (pure overwrites always may). Data
 * whose only copy lay in the device's memory are made again where that can be (core/lineage.c, this
 * step's other half), else poisoned: readers fail with the name of the task that had produced them,
 * a full overwrite heals. Runs under the engine's lock. Keeps true: nothing
 * waits for a lost device.
 */
#include "core/fault.h"

#include <stdio.h>

#include "core/again.h"
#include "core/complete.h"
#include "core/graph.h"
#include "core/joined.h"
#include "core/lane.h"
#include "core/lineage.h"
#include "core/memory.h"
#include "core/move.h"
#include "core/power.h"
#include "core/preempt.h"
#include "core/rest.h"
#include "core/sched.h"
#include "core/traffic.h"

static void fault_doom(struct engine *engine, struct task *task, uint32_t device)
{
    if (task->why == NULL)
        task->why = alloc_get(engine->hooks, LIMITS_ERROR_TEXT, 16);
    if (task->why != NULL)
        snprintf(task->why, LIMITS_ERROR_TEXT,
                 "it had started on device %u when that was lost (%s), and no other copy of the "
                 "data that it reads and writes exists",
                 device, engine->devices[device].reason);
    graph_doom(task, FGPU_E_DEVICE_LOST, task->self, task_word(task));
}

void fault_take_back(struct engine *engine, struct task *task, bool torn)
{
    struct lane *lane = engine_lane(engine, task->lane);
    complete_flight(lane, task);
    if (engine->power != NULL)
        power_end(engine, lane);
    if (task->kind == TASK_JOINED)
        joined_take_back(engine, task, torn);
    else
        fault_return(engine, task, torn);
}

void fault_return(struct engine *engine, struct task *task, bool torn)
{
    struct lane *lane = engine_lane(engine, task->lane);
    uint32_t node = lane_node(engine, task);
    bool whole = move_unclaim(engine, task, node, torn);
    move_unpin(engine, task, node);
    graph_unissue(engine, task);
    task_set_state(task, FGPU_TASK_LINKED);
    task->lane = TASK_LANE_NONE;
    /* Data that were lost with the device may be made again (fault_memory). */
    if (!whole && task->status == FGPU_OK &&
        (!torn || engine->lineage == NULL || vec_push(&engine->torn, &task->self) == NULL))
        fault_doom(engine, task, lane->device);
    /* Skipped tasks start again only when the lane has run dry: those behind them in it are still
     * to be taken back, and until then the segments they share are in no state to be claimed anew.
     */
    if (torn)
        engine_look(engine, task->self);
    else
        sched_chain_push(engine, task, lane->index);
}

static void fault_running(struct engine *engine, struct task *task)
{
    if (!(task->marks & TASK_M_PREEMPT))
        fault_take_back(engine, task, true);
    else if (preempt_lost(engine, task))
        fault_return(engine, task, true);
}

/* What had started there and was made to wait. */
static void fault_paused(struct engine *engine, uint32_t device)
{
    uint32_t index;
    while (engine->preempt != NULL && (index = preempt_lost_next(engine, device)) != TASK_NONE)
        fault_return(engine, engine_task(engine, index), true);
}

static void fault_flight(struct engine *engine, struct lane *lane)
{
    uint64_t last = lane->issued;
    while (lane->done < last) {
        uint32_t entry = lane->ring[++lane->done & lane->ring_mask];
        if (entry == RING_FENCE)
            continue;
        if (entry & RING_OP)
            move_op_done(engine, entry & ~RING_OP, FGPU_E_DEVICE_LOST);
        else
            fault_running(engine, engine_task(engine, entry));
    }
    uint32_t op;
    while (traffic_governs(engine, lane) && (op = traffic_take(engine, lane)) != OP_NONE)
        move_op_done(engine, op, FGPU_E_DEVICE_LOST);
    vec_clear(&lane->commands);
    lane->fence_due = 0;
    lane_wake(engine, &lane->waiters);
}

/* Placed tasks were never handed out: they choose again. */
static void fault_lists(struct engine *engine, struct lane *lane)
{
    uint32_t index;
    again_lane(engine, lane);
    while ((index = sched_chain_pop(engine, lane)) != TASK_NONE) {
        struct task *task = engine_task(engine, index);
        move_unpin(engine, task, lane_node(engine, task));
        task->lane = TASK_LANE_NONE;
        engine_look(engine, index);
    }
}

static void fault_drop(struct buffer *buffer, uint32_t node)
{
    for (struct imap_seg *seg = imap_first(&buffer->segments, 0); seg != NULL;
         seg = imap_next(&buffer->segments, seg))
        (void)replica_drop(&graph_segment(seg)->replica, node);
}

static void fault_poison(const struct engine *engine, struct buffer *buffer)
{
    for (struct imap_seg *seg = imap_first(&buffer->segments, 0); seg != NULL;
         seg = imap_next(&buffer->segments, seg)) {
        struct segment *segment = graph_segment(seg);
        /* A writer that is still to come overwrites it, or poisons it when it ends; readers before
         * it find the data lost. One that runs again brings them back. */
        if (!replica_is_lost(&segment->replica) || segment->poison != FGPU_OK ||
            graph_is_live(engine, segment->writer, segment->writer_generation))
            continue;
        segment->poison = FGPU_E_DEVICE_LOST;
        segment->root = segment->writer;
        segment->root_word = segment->writer_generation << TASK_STATE_BITS;
    }
}

/* Does another working device use the node's memory? */
static bool fault_node_lives(const struct engine *engine, uint32_t node)
{
    if (node == 0)
        return true;
    for (uint32_t d = 0; d < engine->device_count; d++)
        if (engine->devices[d].node == node && !engine->devices[d].lost)
            return true;
    return false;
}

/* Is there anybody left to run tasks? */
static bool fault_any_lives(const struct engine *engine)
{
    for (uint32_t d = 0; d < engine->device_count; d++)
        if (!engine->devices[d].lost && !engine->devices[d].hidden)
            return true;
    return false;
}

/* Does `from` write the bytes, all of them, before the task? */
static bool fault_makes(const struct engine *engine, const struct task *from,
                        const struct task *task, const struct task_access *bytes)
{
    fgpu_task_state state = task_state(from);
    bool writes = false, before = false;
    if (state == FGPU_TASK_NEW || task_state_ended(state) || from->status != FGPU_OK)
        return false;
    for (uint32_t i = 0; i < from->access_count && !writes; i++) {
        const struct task_access *a = &task_accesses(from)[i];
        writes = (a->mode & FGPU_WRITE) && !a->rect && a->buffer == bytes->buffer &&
                 a->begin <= bytes->begin && a->end >= bytes->end;
    }
    for (uint32_t at = from->succ; writes && at != LINKS_NONE && !before;
         at = links_at(&engine->links, at)->next)
        before = links_at(&engine->links, at)->task == task->self;
    return before;
}

/* Its predecessor in the lost queue was taken back, too, and makes them again. */
static bool fault_comes(const struct engine *engine, const struct task *task,
                        const struct task_access *bytes)
{
    for (uint32_t i = 0; i < table_high_water(&engine->tasks); i++)
        if (fault_makes(engine, engine_task(engine, i), task, bytes))
            return true;
    return false;
}

static bool fault_is_there(struct engine *engine, struct task *task, uint32_t access,
                           struct imap_seg *seg, void *user)
{
    (void)user;
    const struct segment *segment = graph_segment(seg);
    const struct task_access bytes = {
        .buffer = task_accesses(task)[access].buffer, .begin = seg->begin, .end = seg->end};
    return !replica_is_lost(&segment->replica) || lineage_brings(engine, segment) ||
           fault_comes(engine, task, &bytes);
}

/* Tasks that had started and whose data are gone for good. */
static void fault_torn(struct engine *engine, uint32_t device)
{
    for (size_t n = 0; n < engine->torn.count; n++) {
        struct task *task = engine_task(engine, *(uint32_t *)vec_at(&engine->torn, n));
        bool there = true;
        for (uint32_t i = 0; i < task->access_count && there; i++)
            if (task_accesses(task)[i].mode & FGPU_READ)
                there = graph_walk(engine, task, i, fault_is_there, NULL);
        if (!there)
            fault_doom(engine, task, device);
    }
    vec_clear(&engine->torn);
}

static void fault_memory(struct engine *engine, uint32_t device)
{
    uint32_t node = engine->devices[device].node;
    bool lost = !fault_node_lives(engine, node);
    engine->nodes[node].lost = lost;
    for (uint32_t at = engine->nodes[node].use_head; lost && at != TASK_NONE;
         at = engine_block(engine_buffer(engine, at), node)->next_use)
        fault_drop(engine_buffer(engine, at), node);
    uint32_t again = fault_any_lives(engine) ? lineage_recompute(engine) : 0;
    if (again > 0)
        LOG_WARN(engine->log, "fault",
                 "device %u: recomputed %u tasks whose results were lost with it", device, again);
    fault_torn(engine, device);
    for (uint32_t at = engine->nodes[node].use_head; lost && at != TASK_NONE;
         at = engine_block(engine_buffer(engine, at), node)->next_use)
        fault_poison(engine, engine_buffer(engine, at));
    if (lost)
        memory_node_lost(engine, node);
}

/* Copies out of its memory that other devices carry. Those in its own lanes are ended with them. */
static void fault_orphans(struct engine *engine, const struct engine_device *device)
{
    for (uint32_t at = device->node != 0 ? engine->nodes[device->node].use_head : TASK_NONE;
         at != TASK_NONE; at = engine_block(engine_buffer(engine, at), device->node)->next_use)
        move_orphan(engine, at, device->node);
}

void fault_device(struct engine *engine, uint32_t index, const char *reason)
{
    struct engine_device *device = &engine->devices[index];
    if (device->lost)
        return;
    device->lost = 1;
    rest_end(engine);
    snprintf(device->reason, sizeof device->reason, "%s", reason);
    LOG_WARN(engine->log, "fault", "device %u is lost: %s", index, device->reason);
    trace_emit(engine->trace, (struct trace_event){.time_ns = engine->now_ns,
                                                   .kind = TRACE_DEVICE_LOST,
                                                   .device = (uint8_t)index});
    fault_orphans(engine, device);
    for (uint32_t i = 0; i < engine_lanes_of(device); i++)
        fault_flight(engine, engine_lane(engine, device->lane_first + i));
    fault_paused(engine, index);
    fault_memory(engine, index);
    for (uint32_t i = 0; i < engine_lanes_of(device); i++) {
        struct lane *lane = engine_lane(engine, device->lane_first + i);
        fault_lists(engine, lane);
        sched_update_hunger(engine, lane);
    }
    if (!fault_any_lives(engine))
        engine->hungry =
            UINT32_MAX /
            2; /* nobody is left to wait for: every ready task is picked, and refused */
}
