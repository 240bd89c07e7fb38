/* What happens to the engine: tasks come in, commands finish, slabs and code arrive, callers let
 * go.
 *
 * Each event changes what the tasks concerned wait for and has them looked at again; engine_turn()
 * does the rest. Runs under the driver's lock, on whichever thread turns the crank.
 */
#include "core/engine.h"

#include <string.h>

#include "core/complete.h"
#include "core/direct.h"
#include "core/fault.h"
#include "core/graph.h"
#include "core/joined.h"
#include "core/lane.h"
#include "core/learn.h"
#include "core/lineage.h"
#include "core/memory.h"
#include "core/move.h"
#include "core/overdue.h"
#include "core/places.h"
#include "core/planner.h"
#include "core/power.h"
#include "core/preempt.h"
#include "core/sched.h"
#include "core/serve.h"
#include "core/split.h"
#include "core/submit.h"

#define EVENTS_AHEAD 4u         /* tasks that are fetched ahead of their linking */
#define EVENTS_COPY_FAILURES 8u /* failed copies in a row that make a device lost */

/* A task comes in. */
static void events_link(struct engine *engine, struct task *task)
{
    if (!(task->flags & TASK_F_UNLISTED))
        engine->stats.tasks_submitted++;
    if (__builtin_expect(engine->serve != NULL, 0)) {
        serve_enter(engine, task);
        graph_link(engine, task);
        serve_linked(engine, task);
    } else {
        graph_link(engine, task);
    }
    if (engine->planner != NULL)
        planner_linked(engine, task);
    if (engine->trace->on)
        trace_emit(engine->trace, (struct trace_event){.time_ns = engine->now_ns,
                                                       .kind = TRACE_SUBMIT,
                                                       .device = TRACE_NO_DEVICE,
                                                       .name = engine_trace_name(engine, task),
                                                       .task = engine_trace_id(task),
                                                       .a = engine->pending_tasks});
    engine_look(engine, task->self);
}

uint32_t engine_drain(struct engine *engine)
{
    struct task *ring[EVENTS_AHEAD]; /* tasks [count, far) of the list */
    uint32_t count = 0, far = 0;
    uint32_t index = inbox_drain(&engine->inbox);
    bool flows = index != INBOX_NONE && direct_flows(engine);
    for (;;) {
        while (index != INBOX_NONE && far - count < EVENTS_AHEAD) {
            struct task *ahead = engine_task(engine, index);
            graph_fetch(engine, ahead);
            ring[far++ % EVENTS_AHEAD] = ahead;
            index = atomic_load_relaxed_u32(&ahead->next);
        }
        if (far == count)
            return count;
        if (far - count > 1)
            graph_fetch_more(engine, ring[(count + 1) % EVENTS_AHEAD]);
        struct task *task = ring[count++ % EVENTS_AHEAD];
        if (!flows || !direct_take(engine, task))
            events_link(engine, task);
    }
}

/* A command failed: those behind it that rely on earlier ones are skipped by the device until a
 * fence. */
static void events_suspect(struct engine *engine, struct lane *lane)
{
    /* One that is on its way already comes behind what failed. */
    lane->fence_due |= lane->fenced <= lane->done;
    if (lane->fence_due)
        bitset_add(&engine->due, lane->index);
    lane->suspect = lane->issued;
}

/* A launch of some of its groups has finished: has the whole? */
static bool events_preempt_ended(struct engine *engine, struct lane *lane, struct task *task)
{
    bool failed = false;
    bool ended = preempt_ran(engine, task, &failed);
    if (failed)
        events_suspect(engine, lane);
    return ended;
}

static void events_task_finished(struct engine *engine, struct lane *lane, struct task *task)
{
    if ((task->marks & TASK_M_PREEMPT) && !events_preempt_ended(engine, lane, task))
        return;
    fgpu_status status = (fgpu_status)task_result(task)->status;
    if (status == FGPU_E_CANCELLED) { /* skipped: something before it in the queue failed */
        fault_take_back(engine, task, false);
        return;
    }
    if (!(task->marks & TASK_M_PREEMPT))
        complete_flight(lane, task);
    if (engine->power != NULL)
        power_end(engine, lane);
    lane->since_ns = engine->now_ns;
    if (task->kind == TASK_JOINED) {
        if (status != FGPU_OK)
            events_suspect(engine, lane);
        if (joined_ran(engine, task, status))
            engine_end(engine, task, FGPU_OK);
        return;
    }
    learn_task(engine, task, status);
    if (engine->planner != NULL && !(task->marks & TASK_M_PIECE) &&
        (task_result(task)->timed || engine->planner->entries.count > 0))
        planner_ran(engine, task);
    if (status != FGPU_OK) {
        events_suspect(engine, lane);
        graph_doom(task, status, task->self, task_word(task));
    }
    engine_end(engine, task, (fgpu_status)task->status);
}

static void events_copy_finished(struct engine *engine, struct lane *lane, uint32_t index)
{
    struct engine_device *device = &engine->devices[lane->device];
    const struct op *op = table_at(&engine->ops, index);
    fgpu_status status = (fgpu_status)op->body.result.status;
    bool is_full = engine->spill_node != 0 && op->dst_node == engine->spill_node;
    device->copy_failures = status == FGPU_OK ? 0 : device->copy_failures + !is_full;
    if (status != FGPU_OK)
        events_suspect(engine, lane);
    else if (op->body.result.timed && !op->moves)
        learn_copy(engine, op);
    bool to_host = op->dst_node == 0;
    move_op_done(engine, index, status);
    if (to_host) /* any lane may have waited for that */
        for (uint32_t i = bitset_next(&engine->ahead, 0); i != BITSET_END;
             i = bitset_next(&engine->ahead, i + 1))
            bitset_add(&engine->due, i);
}

/* Something has changed for the lanes of a device. */
static void events_device_due(struct engine *engine, const struct engine_device *device)
{
    for (uint32_t i = 0; i < device->lane_count; i++)
        bitset_add(&engine->due, device->lane_first + i);
}

/* The record of command `at` was last touched here long ago. */
static void events_fetch(const struct engine *engine, const struct lane *lane, uint64_t at,
                         uint64_t last)
{
    uint32_t entry = at <= last ? lane->ring[at & lane->ring_mask] : RING_FENCE;
    if (entry & RING_OP)
        return;
    struct task *task = engine_task(engine, entry);
    __builtin_prefetch(task, 1);
    __builtin_prefetch((char *)task + LIMITS_CACHE_LINE, 1);
}

/* The body of command `at`, whose record is there by now: its device has written to it. */
static void events_fetch_body(const struct engine *engine, const struct lane *lane, uint64_t at,
                              uint64_t last)
{
    uint32_t entry = at <= last ? lane->ring[at & lane->ring_mask] : RING_FENCE;
    if (!(entry & RING_OP))
        __builtin_prefetch(engine_task(engine, entry)->payload);
}

void engine_progress(struct engine *engine, uint32_t lane_index, uint64_t number)
{
    struct lane *lane = engine_lane(engine, lane_index);
    FGPU_ASSERT(number >= lane->done && number <= lane->issued);
    lane->seen = number;
    if (__builtin_expect(lane->overdue, 0))
        overdue_end(engine, lane);
    events_fetch(engine, lane, lane->done + 1, number);
    while (lane->done < number) {
        uint32_t entry = lane->ring[++lane->done & lane->ring_mask];
        events_fetch(engine, lane, lane->done + EVENTS_AHEAD, number);
        events_fetch_body(engine, lane, lane->done + EVENTS_AHEAD / 2, number);
        if (entry == RING_FENCE)
            continue;
        if (entry & RING_OP)
            events_copy_finished(engine, lane, entry & ~RING_OP);
        else
            events_task_finished(engine, lane, engine_task(engine, entry));
    }
    lane_wake(engine, &lane->waiters);
    if (lane->copies)
        events_device_due(engine, &engine->devices[lane->device]);
    else if (lane->backlog_head != TASK_NONE || lane->chain_head != TASK_NONE || lane->ahead_due ||
             lane->resumes > 0)
        bitset_add(&engine->due, lane_index);
    sched_update_hunger(engine, lane);
}

bool engine_device_fails(const struct engine *engine, uint32_t device)
{
    return !engine->devices[device].lost &&
           engine->devices[device].copy_failures >= EVENTS_COPY_FAILURES;
}

void engine_device_lost(struct engine *engine, uint32_t device, const char *reason)
{
    fault_device(engine, device, reason);
}

void engine_slab(struct engine *engine, uint32_t node, uint64_t mem, uint64_t bytes)
{
    struct engine_node *n = &engine->nodes[node];
    FGPU_ASSERT(n->alloc_pending > 0);
    n->alloc_pending--;
    uint32_t slab = HEAP_NONE;
    if (mem == 0)
        heap_refuse_slab(&n->heap, bytes);
    else
        slab = heap_add_slab(&n->heap, mem, bytes, true);
    if (mem != 0 && slab == HEAP_NONE)
        engine_act(engine, (struct action){.kind = ACTION_FREE,
                                           .node = node,
                                           .device = n->device,
                                           .handle = mem,
                                           .bytes = bytes});
    places_slab(engine, node, slab);
    lane_wake(engine, &n->alloc_waiters);
    events_device_due(engine, &engine->devices[n->device]);
}

void engine_built(struct engine *engine, uint32_t index, uint32_t device, fgpu_status status,
                  const fgpu_code_built *built)
{
    struct kernel *kernel = engine_kernel(engine, index);
    struct code *code = engine_code(engine, kernel, device);
    FGPU_ASSERT(code->state == CODE_BUILDING);
    code->state = status == FGPU_OK ? CODE_READY : CODE_FAILED;
    code->status = status;
    code->code = built->code;
    code->log = built->log;
    code->max_group_items = built->max_group_items;
    memcpy(code->required_local, built->required_local, sizeof code->required_local);
    engine->stats.builds_cached += built->cached;
    trace_emit(engine->trace, (struct trace_event){.time_ns = engine->now_ns,
                                                   .kind = TRACE_BUILD_END,
                                                   .device = (uint8_t)device,
                                                   .name = trace_name(engine->trace, kernel->name),
                                                   .a = built->cached,
                                                   .b = (uint64_t)(int64_t)status});
    LOG_DEBUG(engine->log, "build", "kernel '%s' is %s device %u", kernel->name,
              status != FGPU_OK ? "not to be had for"
              : built->cached   ? "taken from the cache for"
                                : "compiled for",
              device);
    lane_wake(engine, &code->waiting);
    if (engine->split != NULL)
        split_look(engine);
    engine->wakes++;
    if (kernel->destroyed && kernel->users == 0)
        engine_kernel_gone(engine, index);
}

void engine_unmap(struct engine *engine, uint32_t index)
{
    struct task *task = engine_task(engine, index);
    FGPU_ASSERT(task->kind == TASK_MAP && task_state(task) == FGPU_TASK_RUNNING);
    engine->held_maps--;
    engine_end(engine, task, FGPU_OK);
}

fgpu_status engine_cancel(struct engine *engine, uint32_t index)
{
    struct task *task = engine_task(engine, index);
    fgpu_task_state state = task_state(task);
    if (task->kind == TASK_JOINED && !task_state_ended(state)) {
        joined_cancel(task);
        return FGPU_OK;
    }
    if (state == FGPU_TASK_RUNNING || task_state_ended(state))
        return FGPU_E_BUSY;
    graph_doom(task, FGPU_E_CANCELLED, task->self, task_word(task));
    engine_look(engine, index);
    return FGPU_OK;
}

void engine_callback_done(struct engine *engine, uint32_t index)
{
    struct task *task = engine_task(engine, index);
    task->flags &= (uint8_t)~TASK_F_CALLBACK;
    if ((task->status == FGPU_OK || (task->flags & TASK_F_UNLISTED)) && !lineage_keep(engine, task))
        submit_recycle(engine, task);
    engine->wakes++;
}

void engine_forget(struct engine *engine, uint32_t index)
{
    struct task *task = engine_task(engine, index);
    FGPU_ASSERT(task_state_ended(task_state(task)) && task->status != FGPU_OK);
    if (!(task->flags & TASK_F_CALLBACK))
        submit_recycle(engine, task);
    else
        task->flags |= TASK_F_UNLISTED; /* after its callback */
    engine->wakes++;
}
