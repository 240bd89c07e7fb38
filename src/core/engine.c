/* The order of the walk: the only file that knows which step follows which.
 *
 * Takes events from a driver, runs the steps until nothing more can be done, leaves command records
 * in the lanes and actions in a list. Runs under the driver's lock, on whichever thread turns the
 * crank. Keeps true: a task is looked at again whenever something that it waited for has changed
 * (engine->work), so that no step has to know who follows.
 */
#include "core/engine.h"

#include <string.h>

#include "core/again.h"
#include "core/beside.h"
#include "core/complete.h"
#include "core/direct.h"
#include "core/graph.h"
#include "core/joined.h"
#include "core/lane.h"
#include "core/launch.h"
#include "core/lineage.h"
#include "core/memory.h"
#include "core/move.h"
#include "core/overdue.h"
#include "core/place.h"
#include "core/planner.h"
#include "core/power.h"
#include "core/preempt.h"
#include "core/sched.h"
#include "core/serve.h"
#include "core/split.h"
#include "core/steal.h"
#include "core/submit.h"
#include "core/writeback.h"

/* Shorter tasks stay together: another lane costs more than it brings. Longer ones choose when they
 * are ready: the host is quick. */
#define ENGINE_CHAIN_SHORT_NS 2000u
#define ENGINE_CHAIN_LONG_NS 1000000u
#define ENGINE_FEW_DEVICES 64u /* of more it is taken for granted that another can */
#define ENGINE_TIGHT_AHEAD 1u  /* tasks whose data travel early where memory is short, */
#define ENGINE_TIGHT_SHARE 64u /* and one for so many blocks that are there */
#define ENGINE_LOOK 8u /* tasks of a backlog among which one with its data there goes first */

void engine_act(struct engine *engine, struct action action)
{
    void *place = vec_push(&engine->actions, &action);
    FGPU_ASSERT(place != NULL);
}

void engine_clock(struct engine *engine, uint64_t now_ns)
{
    engine->now_ns = now_ns;
}

/* ---- the end of a task ------------------------------------------------------------------ */

void engine_objects_gone(struct engine *engine, struct task *task)
{
    for (uint32_t i = 0; i < task->access_count; i++) {
        uint32_t index = task_accesses(task)[i].buffer;
        struct buffer *buffer = engine_buffer(engine, index);
        if (buffer->destroyed && buffer->users == 0)
            engine_buffer_gone(engine, index);
    }
    if (task->kernel == TASK_NONE)
        return;
    struct kernel *kernel = engine_kernel(engine, task->kernel);
    if (kernel->destroyed && kernel->users == 0)
        engine_kernel_gone(engine, task->kernel);
}

/* Whoever it ran for is charged; and a piece, or what is run in pieces. */
static void engine_marked_ended(struct engine *engine, struct task *task, fgpu_status status)
{
    if ((task->marks & TASK_M_PIECE) && engine->serve != NULL)
        serve_piece(engine, task);
    if (task->marks & TASK_M_SERVED)
        serve_ended(engine, task);
    if (task->marks & TASK_M_PREEMPT)
        preempt_ended(engine, task);
    if (task->marks & (TASK_M_IN_PIECES | TASK_M_PIECE))
        split_ended(engine, task, status);
}

void engine_end(struct engine *engine, struct task *task, fgpu_status status)
{
    if (__builtin_expect(task->marks & (TASK_M_IN_PIECES | TASK_M_PIECE | TASK_M_SERVED), 0))
        engine_marked_ended(engine, task, status);
    else if (status == FGPU_OK && (task->flags & TASK_F_ISSUED) && direct_end(engine, task))
        return;
    if (engine->lineage != NULL)
        status = lineage_end(engine, task, status);
    if (status != FGPU_OK && task->kind == TASK_HOST && (task->flags & TASK_F_UNLISTED))
        engine_note_unreturned(engine, task);
    bool placed = task->lane < TASK_LANE_MIXED || task->kind == TASK_MAP;
    if (placed) {
        uint32_t node = lane_node(engine, task);
        if (status == FGPU_OK && (engine->flags & FGPU_POOL_PREIMAGE))
            move_write_through(engine, task, node);
        move_unpin(engine, task, node);
    }
    if (task->kind == TASK_JOINED)
        status = joined_end(engine, task, status);
    if (engine->planner != NULL)
        planner_ended(engine, task);
    graph_release(engine, task, status);
    engine_objects_gone(engine, task);
    if (complete_task(engine, task, status) && !lineage_keep(engine, task))
        submit_recycle(engine, task);
}

/* ---- towards the device ----------------------------------------------------------------- */

/* A task with unfinished predecessors may go out only right behind them. */
static bool engine_may_follow(const struct lane *lane, const struct task *task)
{
    return task->unissued == 0 && task->follow == lane->index;
}

/* The task waits for what it needs, and counts as placed meanwhile: a lane for which many wait must
 * not look idle. */
static void engine_moving(struct engine *engine, struct task *task)
{
    task_set_state(task, FGPU_TASK_MOVING);
    sched_count(engine, task);
}

/* How many of a backlog, from its front, have their data ordered: as far as the plan in force looks
 * ahead, so that what becomes urgent later does not find the links full; without one few where
 * memory is short, for what lies there early takes the place of what is used before. */
static uint32_t engine_depth(const struct engine *engine, const struct lane *lane)
{
    const struct planner *planner = engine->planner;
    uint32_t node = engine->devices[lane->device].node;
    bool planned = planner != NULL && planner->found.policy != NULL;
    uint32_t depth = planned ? planner->found.tuning.ahead : 0;
    if (!planned && bitset_has(&engine->tight, node))
        depth = ENGINE_TIGHT_AHEAD + engine->nodes[node].present_count / ENGINE_TIGHT_SHARE;
    return depth > 0 ? depth : UINT32_MAX;
}

/* Data of a placed task travel while its lane still works. */
static void engine_ahead(struct engine *engine, struct task *task)
{
    struct lane *lane = engine_lane(engine, task->lane);
    const struct engine_device *device = &engine->devices[lane->device];
    bool travels = device->copy_count > 0 || (device->node == 0 && engine->has_copy_lanes);
    if (!travels)
        return;
    if (lane->backlog_count <= engine_depth(engine, lane) && move_ahead(engine, task, device->node))
        return;
    lane->ahead_due = 1;
    bitset_add(&engine->ahead, lane->index);
}

/* Steps 5 and 6 for a task whose lane is decided. False when the lane can take nothing now. */
static bool engine_dispatch(struct engine *engine, struct task *task)
{
    struct lane *lane = engine_lane(engine, task->lane);
    if (task->undone > 0 && !engine_may_follow(lane, task)) {
        again_task(engine, task); /* a predecessor was taken back */
        return true;
    }
    if (lane_room(lane) < 8) {
        sched_backlog_push(engine, task, true);
        return false;
    }
    if (engine->power != NULL && !power_admits(engine, lane, task)) {
        sched_backlog_push(engine, task, true);
        return false;
    }
    if ((task->marks & TASK_M_DIVISIBLE) && split_begin_at(engine, task))
        return true;
    if (direct_launch(engine, lane, task))
        return true;
    enum launch_answer code = launch_code(engine, task);
    if (code == LAUNCH_FAILED)
        again_task(engine, task);
    if (code != LAUNCH_ISSUED)
        return true;
    bool chained = false;
    switch (move_prepare(engine, task, lane_node(engine, task), task->lane, &chained)) {
    case MOVE_READY:
        if (engine->preempt != NULL && !preempt_prepare(engine, task)) {
            engine_moving(engine, task);
            if (task->waits == 0)
                engine_look(engine, task->self);
            return true;
        }
        move_claim(engine, task, lane_node(engine, task));
        if (task->marks & TASK_M_PREEMPT)
            preempt_launch(engine, task, chained);
        else
            launch_task(engine, task, chained);
        if (engine->power != NULL)
            power_start(engine, lane, task);
        if (task->kind != TASK_JOINED || joined_is_last(task))
            graph_issue(engine, task);
        sched_update_hunger(engine, lane);
        return true;
    case MOVE_WAIT:
        engine_moving(engine, task);
        return true;
    case MOVE_NEVER:
        again_task(engine, task);
        return true;
    case MOVE_FAILED:
        engine_look(engine, task->self);
        task_set_state(task, FGPU_TASK_MOVING);
        return true;
    }
    FGPU_UNREACHABLE();
}

static void engine_map(struct engine *engine, struct task *task)
{
    bool chained = false;
    switch (move_prepare(engine, task, 0, TASK_LANE_NONE, &chained)) {
    case MOVE_READY:
        move_claim(engine, task, 0);
        task->lane = TASK_LANE_MIXED; /* nothing can follow it in a queue */
        task_set_state(task, FGPU_TASK_RUNNING);
        graph_issue(engine, task);
        engine->held_maps++;
        engine->wakes++;
        return;
    case MOVE_NEVER:
        FGPU_UNREACHABLE(); /* the host's memory: there is no other */
    case MOVE_FAILED:
        engine_look(engine, task->self);
        task_set_state(task, FGPU_TASK_MOVING);
        return;
    case MOVE_WAIT:
        task_set_state(task, FGPU_TASK_MOVING);
        return;
    }
}

/* A kernel's first task has it compiled for every device that could run it. */
static void engine_prepare_kernel(struct engine *engine, struct task *task)
{
    struct kernel *kernel = engine_kernel(engine, task->kernel);
    if (kernel->prepared)
        return;
    kernel->prepared = 1;
    for (uint32_t d = 0; d < engine->device_count; d++)
        if (engine_code(engine, kernel, d)->state == CODE_NONE &&
            place_obstacle(engine, task, &engine->devices[d], d) == NULL)
            launch_build(engine, kernel, d);
}

/* Step 4 for a task that was picked. */
static void engine_place(struct engine *engine, struct task *task)
{
    if (direct_place(engine, task))
        return;
    if (task->kernel != TASK_NONE)
        engine_prepare_kernel(engine, task);
    if ((task->marks & TASK_M_DIVISIBLE) && split_begin(engine, task))
        return;
    if (!place_task(engine, task)) {
        task_set_state(task, FGPU_TASK_LINKED);
        engine_look(engine, task->self);
        return;
    }
    beside_place(engine, task);
    task_set_state(task, FGPU_TASK_PLACED);
    struct lane *lane = engine_lane(engine, task->lane);
    if (engine->preempt != NULL && serve_is_urgent(engine, task))
        preempt_make_way(engine, lane);
    if (lane->backlog_head == TASK_NONE && sched_has_room(engine, lane))
        (void)engine_dispatch(engine, task);
    else {
        sched_backlog_push(engine, task, false);
        engine_ahead(engine, task);
    }
}

/* Where the plan says. False when it says nothing, or nothing that still holds. */
static bool engine_follow(struct engine *engine, struct task *task)
{
    const struct planned *planned = planner_of(engine, task);
    if (planned == NULL)
        return false;
    struct lane *lane = engine_lane(engine, planned->lane);
    if (place_obstacle(engine, task, &engine->devices[lane->device], lane->device) != NULL)
        return false;
    engine_prepare_kernel(engine, task);
    place_on(engine, task, lane->index);
    place_note(engine, task, FGPU_PLACED_PLANNED);
    beside_place(engine, task);
    sched_backlog_push(engine, task, false);
    engine_ahead(engine, task);
    return true;
}

/* Data that will be read as they are now go where the plan has their readers, while the links have
 * nothing better to do. */
static void engine_early(struct engine *engine)
{
    struct planner *planner = engine->planner;
    for (; planner->early_done < planner->early.count; planner->early_done++) {
        const struct planner_early *at = vec_at(&planner->early, planner->early_done);
        struct task *task = engine_task(engine, at->task);
        if (engine->devices[engine_lane(engine, at->lane)->device].lost)
            continue; /* nothing would ever come to its memory */
        if (planner_of(engine, task) != NULL && task->undone > 0 && task->status == FGPU_OK &&
            !move_early(engine, task, at->access, at->lane))
            return; /* no memory now: again in the next turn */
    }
}

/* There is a new plan: what waits on a lane goes where that says. */
static void engine_replan(struct engine *engine)
{
    uint32_t index;
    again_all(engine);
    while ((index = sched_next_ready(engine)) != TASK_NONE) {
        task_set_state(engine_task(engine, index), FGPU_TASK_LINKED);
        engine_look(engine, index);
    }
}

static void engine_plan(struct engine *engine)
{
    if (planner_turn(engine))
        engine_replan(engine);
    engine_early(engine);
}

/* ---- following predecessors in their queue ---------------------------------------------- */

static bool engine_other_idle(const struct engine *engine, const struct lane *lane)
{
    return engine->idle > lane->idle;
}

/* Could another lane run the task at all? */
static bool engine_other_can(struct engine *engine, const struct task *task,
                             const struct lane *lane)
{
    for (uint32_t d = 0; d < engine->device_count && d < ENGINE_FEW_DEVICES; d++) {
        const struct engine_device *device = &engine->devices[d];
        bool is_other = d != lane->device || device->lane_count > 1;
        if (is_other && place_obstacle(engine, task, device, d) == NULL)
            return true;
    }
    return engine->device_count > ENGINE_FEW_DEVICES;
}

/* Where memory is short, what has to go is told by the order in which tasks become ready: whoever
 * needs data that are not there does not jump that queue. */
static bool engine_chain_keeps(struct engine *engine, struct task *task, uint32_t node)
{
    return !bitset_has(&engine->tight, node) || move_settled(engine, task, node);
}

/* All unfinished predecessors are on one lane: the task may be handed to it now, and run right
 * behind them without the host in between. Not where that would leave another lane without work. */
static void engine_chain(struct engine *engine, struct task *task)
{
    struct lane *lane = engine_lane(engine, task->follow);
    struct engine_device *device = &engine->devices[lane->device];
    const struct planned *planned = planner_of(engine, task);
    if (place_obstacle(engine, task, device, lane->device) != NULL ||
        (lane->side && !beside_fits(engine, task, device)) ||
        (engine->serve != NULL && !serve_may_chain(engine, task)) ||
        !engine_chain_keeps(engine, task, device->node))
        return;
    if (planned != NULL && (planned->lane != lane->index || lane->backlog_head != TASK_NONE))
        return;
    if (task->kernel != TASK_NONE &&
        engine_code(engine, engine_kernel(engine, task->kernel), lane->device)->state != CODE_READY)
        return;
    place_on(engine, task, lane->index);
    bool is_long = task->predicted_ns >
                   (task->marks & TASK_M_DIVISIBLE ? ENGINE_CHAIN_SHORT_NS : ENGINE_CHAIN_LONG_NS);
    if ((is_long && engine_other_can(engine, task, lane)) ||
        (planned != NULL && follow_waits(engine, task, lane)) ||
        (lane->flight_tasks >= 2 && task->predicted_ns > ENGINE_CHAIN_SHORT_NS &&
         engine_other_idle(engine, lane))) {
        task->lane = TASK_LANE_NONE;
        return;
    }
    task->marks &= (uint16_t)~TASK_M_DIVISIBLE; /* it runs whole */
    place_note(engine, task, FGPU_PLACED_CHAINED);
    if (lane->chain_head != TASK_NONE || !sched_has_room(engine, lane)) {
        sched_chain_push(engine, task, lane->index);
        engine_ahead(engine, task);
        return;
    }
    task_set_state(task, FGPU_TASK_PLACED);
    (void)engine_dispatch(engine, task);
}

/* ---- looking at a task ------------------------------------------------------------------ */

static void engine_doomed(struct engine *engine, struct task *task)
{
    if (task->undone > 0 || task_state(task) == FGPU_TASK_RUNNING)
        return;
    sched_remove(engine, task);
    engine_end(engine, task, (fgpu_status)task->status);
}

/* A task that is ready now would be the next one to be placed, whatever else is looked at. */
static bool engine_is_next(const struct engine *engine)
{
    return engine->direct && engine->lane_count == 1 && engine->ready_count == 0 &&
           engine->kept == 0 && engine->hungry > 0 && engine->ranked == 0 &&
           (engine->planner == NULL || engine->planner->found.policy == NULL) && !engine->trace->on;
}

static void engine_linked(struct engine *engine, struct task *task)
{
    if (task->undone > 0) {
        if (task->unissued == 0 && task->follow < TASK_LANE_MIXED &&
            !(task->flags & TASK_F_IN_CHAIN) && task->kind != TASK_EMPTY && task->kind != TASK_MAP)
            engine_chain(engine, task);
        return;
    }
    if (task->flags & TASK_F_IN_CHAIN) {
        const struct lane *lane = engine_lane(engine, task->lane);
        if (lane->done < lane->suspect)
            return; /* it comes when the lane has run dry */
        sched_remove(engine, task);
        move_unpin(engine, task, lane_node(engine, task));
        task->lane = TASK_LANE_NONE;
    }
    if (task->kind == TASK_EMPTY || (task->kind == TASK_JOINED && joined_is_over(engine, task)))
        engine_end(engine, task, FGPU_OK);
    else if ((task->marks & TASK_M_PIECE) && task->lineage == 0)
        split_take_back(engine, task);
    else if (task->kind == TASK_MAP)
        engine_map(engine, task);
    else if (task->kind == TASK_HOST && !engine->host_visible)
        engine_place(engine, task); /* its device is asked by nobody else, and is never hungry */
    else if (engine_is_next(engine))
        engine_place(engine, task);
    else if (engine->serve != NULL)
        serve_ready(engine, task);
    else if (!engine_follow(engine, task))
        sched_ready(engine, task);
}

/* No piece of it is left. */
static void engine_joined(struct engine *engine, struct task *task)
{
    fgpu_status status = split_finish(engine, task);
    if (status == FGPU_OK && engine->planner != NULL)
        planner_ran(engine, task);
    if (status != FGPU_E_AGAIN)
        engine_end(engine, task, status);
}

/* Who is planned before the task is about to become ready: the lane is looked at again then. */
static bool engine_waits(struct engine *engine, const struct task *task, const struct lane *lane)
{
    if (engine->planner == NULL || !follow_waits(engine, task, lane))
        return false;
    bitset_add(&engine->due, lane->index);
    return true;
}

static void engine_resume(struct engine *engine, struct task *task)
{
    if (task->kind == TASK_MAP && task->undone > 0) { /* for lost data that are made again */
        move_unpin(engine, task, 0);
        task_set_state(task, FGPU_TASK_LINKED);
        return;
    }
    if (task->kind == TASK_MAP) {
        engine_map(engine, task);
        return;
    }
    if (task->marks & TASK_M_IN_PIECES) {
        engine_joined(engine, task);
        return;
    }
    /* While a kernel was being compiled its tasks counted nowhere: they choose anew, now that loads
     * show. */
    if (engine->devices[engine_lane(engine, task->lane)->device].lost ||
        task_state(task) == FGPU_TASK_BUILDING) {
        again_task(engine, task);
        return;
    }
    task_set_state(task, FGPU_TASK_PLACED);
    if (lane_node(engine, task) != 0) /* nobody keeps his turn at the host's in a backlog */
        memory_settled(engine, task, 0);
    const struct lane *lane = engine_lane(engine, task->lane);
    bool waits = engine_waits(engine, task, lane);
    if ((task->marks & TASK_M_PIECE) || (sched_has_room(engine, lane) && !waits)) {
        (void)engine_dispatch(engine, task);
        return;
    }
    /* Those that go first, pieces or whom it waits for, may need the memory that it has, or that
     * nobody else may evict meanwhile. */
    if (lane->homes > 0)
        move_unpin(engine, task, lane_node(engine, task));
    memory_settled(engine, task, lane_node(engine, task));
    sched_backlog_push(engine, task, !waits);
}

static void engine_step(struct engine *engine, struct task *task)
{
    fgpu_task_state state = task_state(task);
    if (task_state_ended(state) || state == FGPU_TASK_RUNNING || state == FGPU_TASK_NEW ||
        task->waits > 0)
        return;
    if (task->marks & TASK_M_COUNTED)
        sched_uncount(engine, task);
    if (task->status != FGPU_OK)
        engine_doomed(engine, task);
    else if (state == FGPU_TASK_LINKED)
        engine_linked(engine, task);
    else if (state == FGPU_TASK_MOVING || state == FGPU_TASK_BUILDING)
        engine_resume(engine, task);
}

/* The records in engine->work may have been recycled since: then their state is DONE and they are
 * passed over. A record that serves a new task already is merely looked at once more. */
static void engine_work(struct engine *engine)
{
    for (size_t i = 0; i < engine->work.count; i++) {
        uint32_t index = *(uint32_t *)vec_at(&engine->work, i);
        engine_step(engine, engine_task(engine, index));
    }
    vec_clear(&engine->work);
}

/* ---- turning ---------------------------------------------------------------------------- */

/* In their order; the first that still cannot be served keeps its turn. */
static void engine_ahead_list(struct engine *engine, struct lane *lane, uint32_t at)
{
    for (uint32_t k = 0; at != TASK_NONE && !lane->ahead_due; k++) {
        struct task *task = engine_task(engine, at);
        const struct engine_device *device = &engine->devices[lane->device];
        if (k >= engine_depth(engine, lane) || !move_ahead(engine, task, device->node)) {
            lane->ahead_due = 1;
            bitset_add(&engine->ahead, lane->index);
        }
        at = atomic_load_relaxed_u32(&task->next);
    }
}

/* The planned task that a lane waits for, though others might run. NULL: there is none. */
static struct task *engine_awaited(const struct engine *engine, const struct lane *lane)
{
    struct task *task;
    if (engine->planner == NULL || lane->moving == 0)
        return NULL;
    task = engine_task(engine, lane->awaited);
    bool waits = task_state(task) == FGPU_TASK_MOVING && task->lane == lane->index &&
                 (task->marks & TASK_M_COUNTED);
    return waits ? task : NULL;
}

static uint32_t engine_take(struct engine *engine, struct lane *lane, uint32_t index)
{
    sched_backlog_take(engine, lane, engine_task(engine, index));
    return index;
}

/* Of a backlog's first few the first one whose data are there, and that may go before `awaited`. */
static uint32_t engine_next_settled(struct engine *engine, struct lane *lane,
                                    const struct task *awaited)
{
    uint32_t node = engine->devices[lane->device].node;
    uint32_t at = lane->backlog_head;
    for (uint32_t i = 0; i < ENGINE_LOOK && at != TASK_NONE; i++) {
        struct task *task = engine_task(engine, at);
        graph_fetch_record(engine, atomic_load_relaxed_u32(&task->next));
        if (task->status != FGPU_OK ||
            (move_settled(engine, task, node) &&
             (awaited == NULL || awaited == task || planner_may_overtake(engine, task, awaited)) &&
             !engine_waits(engine, task, lane)))
            return engine_take(engine, lane, at);
        at = atomic_load_relaxed_u32(&task->next);
    }
    return TASK_NONE;
}

/* The next of the backlog: of its first few the first one whose data are there; else the front, one
 * at a time, so that tasks wait for data in the order of their urgency. */
static uint32_t engine_next(struct engine *engine, struct lane *lane)
{
    uint32_t node = engine->devices[lane->device].node;
    uint32_t at = lane->backlog_head;
    if (at == TASK_NONE || planner_is_early(engine, engine_task(engine, at), lane))
        return TASK_NONE;
    if (!engine->has_copy_lanes)
        return engine_waits(engine, engine_task(engine, at), lane)
                   ? TASK_NONE
                   : sched_backlog_pop(engine, lane);
    const struct task *awaited = engine_awaited(engine, lane);
    if (awaited == NULL)
        awaited = engine_task(engine, at);
    at = engine_next_settled(engine, lane, awaited);
    if (at != TASK_NONE)
        return at;
    if (lane->moving == 0) {
        if (engine_waits(engine, engine_task(engine, lane->backlog_head), lane))
            return TASK_NONE;
        lane->awaited = lane->backlog_head;
        return sched_backlog_pop(engine, lane);
    }
    /* Whoever has the right to evict is waited for by all others. */
    at = engine->nodes[node].short_task;
    if (at == TASK_NONE || engine_task(engine, at)->lane != lane->index ||
        task_state(engine_task(engine, at)) != FGPU_TASK_PLACED)
        return TASK_NONE;
    return engine_take(engine, lane, at);
}

static void engine_ahead_again(struct engine *engine, struct lane *lane)
{
    lane->ahead_due = 0;
    bitset_remove(&engine->ahead, lane->index);
    engine_ahead_list(engine, lane, lane->backlog_head);
    engine_ahead_list(engine, lane, lane->chain_head);
}

static bool engine_fill_lane(struct engine *engine, struct lane *lane)
{
    bool any = false;
    if (lane->fence_due && lane_room(lane) > 8) {
        launch_fence(engine, lane);
        any = true;
    }
    if (lane->resumes > 0)
        preempt_fill(engine, lane, true);
    while (sched_has_room(engine, lane)) {
        uint32_t index = sched_chain_pop(engine, lane);
        if (index == TASK_NONE)
            index = engine_next(engine, lane);
        if (index == TASK_NONE)
            break;
        struct task *task = engine_task(engine, index);
        any = true;
        if (task->status != FGPU_OK) {
            task_set_state(task,
                           FGPU_TASK_MOVING); /* in no list; it ends when its predecessors have */
            engine_look(engine, index);
            continue;
        }
        task_set_state(task, FGPU_TASK_PLACED);
        if (!engine_dispatch(engine, task))
            break;
    }
    if (lane->resumes > 0)
        preempt_fill(engine, lane, false);
    if (any)
        sched_update_hunger(engine, lane);
    if (lane->ahead_due)
        engine_ahead_again(engine, lane);
    return any;
}

static bool engine_fill_lanes(struct engine *engine)
{
    bool any = false;
    for (uint32_t i = bitset_next(&engine->due, 0); i != BITSET_END;
         i = bitset_next(&engine->due, i + 1)) {
        struct lane *lane = engine_lane(engine, i);
        bitset_remove(&engine->due, i);
        if (lane->chain_head != TASK_NONE || lane->backlog_head != TASK_NONE || lane->fence_due ||
            lane->resumes > 0)
            any |= engine_fill_lane(engine, lane);
        if (lane->fence_due)
            bitset_add(&engine->due, i);
    }
    return any;
}

static bool engine_steal(struct engine *engine, struct lane *thief)
{
    struct task *task = steal_for(engine, thief);
    if (task == NULL)
        return false;
    task_set_state(task, FGPU_TASK_PLACED);
    (void)engine_dispatch(engine, task);
    return true;
}

/* Idle lanes look for others' work: all of them where they are few, else each once. */
static bool engine_steal_all(struct engine *engine)
{
    bool any = false;
    if (engine->kept == 0 || engine->ready_count > 0 || engine->lane_count == 1)
        return false;
    if (engine->lane_count <= STEAL_FEW_LANES) {
        uint32_t refused = TASK_DEVICE_ANY; /* a device whose other lanes need not ask again */
        for (uint32_t i = 0; engine->idle > 0 && i < engine->lane_count; i++) {
            struct lane *lane = engine_lane(engine, i);
            if (!lane->idle || lane->device == refused || !steal_may(engine, lane))
                continue;
            bool got = engine_steal(engine, lane);
            refused = got ? TASK_DEVICE_ANY : lane->device;
            any |= got;
        }
        return any;
    }
    for (uint32_t i = bitset_next(&engine->rested, 0); i != BITSET_END;
         i = bitset_next(&engine->rested, i + 1)) {
        bitset_remove(&engine->rested, i);
        any |= engine_steal(engine, engine_lane(engine, i));
    }
    return any;
}

/* Lanes get their next pieces of tasks that are run so. */
static bool engine_split(struct engine *engine)
{
    bool any = false;
    struct task *piece;
    while ((piece = split_next(engine)) != NULL) {
        any = true;
        if (!engine_dispatch(engine, piece))
            break;
    }
    return any;
}

/* An idle lane makes a task end sooner that another has begun. */
static bool engine_take_over(struct engine *engine)
{
    struct task *piece = split_take_over(engine);
    if (piece != NULL)
        (void)engine_dispatch(engine, piece);
    return piece != NULL;
}

/* Ready tasks were last touched when they became ready, their data long before: what is needed of
 * the next few is fetched, step by step, while others are placed. */
static void engine_fetch_ready(const struct engine *engine)
{
    uint32_t next = sched_first_ready(engine);
    if (next == TASK_NONE)
        return;
    const struct task *task = engine_task(engine, next);
    graph_fetch(engine, task);
    next = atomic_load_relaxed_u32(&task->next);
    if (next == TASK_NONE)
        return;
    task = engine_task(engine, next);
    graph_fetch_buffers(engine, task);
    graph_fetch_record(engine, atomic_load_relaxed_u32(&task->next));
}

static bool engine_fill(struct engine *engine)
{
    bool any = engine->split != NULL && engine_split(engine);
    any |= !bitset_is_empty(&engine->due) && engine_fill_lanes(engine);
    uint32_t index;
    while ((index = sched_next(engine)) != TASK_NONE) {
        if (!engine->direct)
            engine_fetch_ready(engine);
        engine_place(engine, engine_task(engine, index));
        any = true;
        if (engine->work.count > 64)
            break;
    }
    any |= engine_steal_all(engine);
    return any || (engine->split != NULL && engine_take_over(engine));
}

void engine_turn(struct engine *engine)
{
    engine->stats.turns++;
    if (engine->overdue_ns != 0 && engine->now_ns >= engine->overdue_look_ns)
        overdue_look(engine);
    if (engine->power != NULL)
        power_turn(engine);
    bool again = engine->again_due;
    if (__builtin_expect(again && engine->planner != NULL, 0))
        planner_wrong(engine, engine->again_kernel);
    if (engine->planner != NULL && engine->serve == NULL)
        engine_plan(engine);
    if (__builtin_expect(again, 0))
        again_all(engine);
    do {
        if (engine->work.count > 0)
            engine_work(engine);
    } while (engine_fill(engine) || engine->work.count > 0);
    writeback_turn(engine);
    for (uint32_t i = engine->has_commands ? bitset_next(&engine->loaded, 0) : BITSET_END;
         i != BITSET_END; i = bitset_next(&engine->loaded, i + 1)) {
        struct lane *lane = engine_lane(engine, i);
        if (lane->commands.count == 0)
            continue;
        ((fgpu_cmd *)vec_at(&lane->commands, lane->commands.count - 1))->flags |= FGPU_CMD_NOTIFY;
        lane->silent_ns = 0;
    }
    if (engine->freed_count > 0)
        submit_give_back(engine);
    engine_check_turn(engine);
}
