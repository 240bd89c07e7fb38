/* Step 3 of the walk, schedule: which task next, and how much a lane may hold.
 *
 * Takes READY tasks, gives PICKED ones. Ready tasks lie in one first-in-first-out list per priority
 * with a bit map over the lists, so that both ends cost O(1) for a million ready tasks. A lane
 * holds what is in flight on its device, up to a budget of predicted nanoseconds, and a short
 * backlog behind it; ready tasks stay unplaced while no lane is hungry, so that decisions are made
 * late, with fresh knowledge. Runs under the engine's lock. Owns the lists through task.next.
 */
#include "core/sched.h"
#include "core/serve.h"
#include "core/steal.h"

#include <string.h>

#include "core/planner.h"
#include "core/preempt.h"

#define SCHED_BACKLOG_TASKS 64
#define SCHED_BACKLOG_NS 400000u
#define SCHED_FLIGHT_TASKS 2048u
#define SCHED_LONG_TURNS 128u /* of a slow host's reaction, ... */
#define SCHED_LONG_MOST_NS 16000000u
#define SCHED_BUDGET_TURNS 8u
#define SCHED_BUDGET_MOST_NS 4000000u

static uint32_t sched_level(const struct task *task)
{
    return (uint32_t)(1000 - task->priority); /* 0 is the most urgent */
}

static uint32_t sched_after(const struct engine *engine, uint32_t index)
{
    return atomic_load_relaxed_u32(&engine_task(engine, index)->next);
}

static void sched_link(const struct engine *engine, uint32_t index, uint32_t next)
{
    atomic_store_relaxed_u32(&engine_task(engine, index)->next, next);
}

static void sched_append(const struct engine *engine, uint32_t *head, uint32_t *tail,
                         uint32_t index)
{
    sched_link(engine, index, TASK_NONE);
    if (*head == TASK_NONE)
        *head = index;
    else
        sched_link(engine, *tail, index);
    *tail = index;
}

static uint32_t sched_pop(const struct engine *engine, uint32_t *head)
{
    uint32_t index = *head;
    if (index != TASK_NONE)
        *head = sched_after(engine, index);
    return index;
}

static bool sched_unlink(const struct engine *engine, uint32_t *head, uint32_t *tail,
                         uint32_t index)
{
    uint32_t before = TASK_NONE;
    for (uint32_t at = *head; at != TASK_NONE; before = at, at = sched_after(engine, at)) {
        if (at != index)
            continue;
        if (before == TASK_NONE)
            *head = sched_after(engine, index);
        else
            sched_link(engine, before, sched_after(engine, index));
        if (*tail == index)
            *tail = before;
        return true;
    }
    return false;
}

void sched_init(struct engine *engine)
{
    for (uint32_t i = 0; i < ENGINE_PRIORITIES; i++)
        engine->ready_head[i] = engine->ready_tail[i] = TASK_NONE;
    memset(engine->ready_bits, 0, sizeof engine->ready_bits);
    engine->ready_words = 0;
    engine->hungry = engine->idle = 0;
    for (uint32_t i = 0; i < engine->lane_count; i++) {
        struct lane *lane = engine_lane(engine, i);
        lane->backlog_head = lane->backlog_tail = TASK_NONE;
        lane->chain_head = lane->chain_tail = TASK_NONE;
        sched_update_hunger(engine, lane);
    }
}

static uint64_t sched_flight_limit(const struct engine *engine, const struct lane *lane)
{
    uint32_t limit = engine->devices[lane->device].caps.max_queue_commands;
    return limit == 0 || limit > SCHED_FLIGHT_TASKS ? SCHED_FLIGHT_TASKS : limit;
}

uint64_t sched_flight_ns(const struct engine *engine, const struct lane *lane)
{
    uint64_t gone_ns = engine->now_ns - lane->since_ns;
    /* What should have ended is about to. */
    return lane->flight_ns > gone_ns ? lane->flight_ns - gone_ns : 0;
}

/* `ns`, or so many of the host's turns, but not more than `most_ns`; not where tasks have terms. */
static uint64_t sched_turns_ns(const struct engine *engine, const struct lane *lane, uint64_t ns,
                               uint64_t turns, uint64_t most_ns)
{
    uint64_t turns_ns = lane->react_ns * turns;
    if (__builtin_expect(engine->serve != NULL, 0)) /* what is handed out can no longer wait */
        return ns;
    turns_ns = turns_ns < most_ns ? turns_ns : most_ns;
    return turns_ns > ns ? turns_ns : ns;
}

/* How much predicted time may be in flight: more where the host is slow to see that a task has
 * ended, so that the lane does not run dry meanwhile. */
static uint64_t sched_budget_ns(const struct engine *engine, const struct lane *lane)
{
    return sched_turns_ns(engine, lane, engine->budget_ns, SCHED_BUDGET_TURNS,
                          SCHED_BUDGET_MOST_NS);
}

bool sched_has_room(const struct engine *engine, const struct lane *lane)
{
    /* A command failed. What relies on those that were issued before that was known (a predecessor,
     * a copy) must not go out behind the fence, where the device no longer skips it: the lane runs
     * dry first. */
    if (lane->done < lane->suspect)
        return false;
    /* What a task in pieces leaves is for its pieces. */
    if (lane->homes > 0 && (lane->backlog_head == TASK_NONE ||
                            !(engine_task(engine, lane->backlog_head)->marks & TASK_M_PIECE)))
        return false;
    /* Behind a host function nothing is handed out: in the backlog another lane may still take it.
     */
    if (lane->flight_hosts > 0)
        return false;
    uint64_t in_flight = lane->issued - lane->done;
    if (lane->held || (in_flight > 0 && lane->single))
        return false;
    /* What is handed out cannot go elsewhere any more, and here it could only wait. */
    if (in_flight > 0 && lane->flight_ns > engine->long_ns &&
        lane->flight_ns >
            sched_turns_ns(engine, lane, engine->long_ns, SCHED_LONG_TURNS, SCHED_LONG_MOST_NS))
        return false;
    /* Two at least, so that the device has the next one when it finishes the first. */
    if (in_flight < 2)
        return true;
    uint64_t limit = sched_flight_limit(engine, lane);
    uint64_t budget_ns = sched_budget_ns(engine, lane);
    if (lane->full) { /* refill at half: few large batches instead of many small ones */
        limit /= 2;
        budget_ns -= engine->budget_ns / 2;
    }
    return in_flight < limit && lane->flight_ns < budget_ns;
}

void sched_update_hunger(struct engine *engine, struct lane *lane)
{
    lane->full = !sched_has_room(engine, lane);
    bool works = !lane->hidden && !lane->rests && !engine->devices[lane->device].lost;
    bool idle = works && lane->flight_tasks == 0 && lane->backlog_count == 0;
    if (idle != (bool)lane->idle) {
        lane->idle = idle;
        engine->help_due |= idle;
        engine->idle += idle ? 1 : UINT32_MAX;
        if (idle && engine->lane_count > STEAL_FEW_LANES)
            bitset_add(&engine->rested, lane->index);
    }
    bool hungry = works && lane->backlog_count < SCHED_BACKLOG_TASKS &&
                  lane->backlog_ns < SCHED_BACKLOG_NS &&
                  (lane->backlog_count == 0 || sched_has_room(engine, lane));
    if (hungry == (bool)lane->hungry)
        return;
    lane->hungry = hungry;
    engine->hungry += hungry ? 1 : UINT32_MAX;
    if (hungry)
        bitset_add(&engine->eager, lane->index);
    else
        bitset_remove(&engine->eager, lane->index);
}

void sched_ready(struct engine *engine, struct task *task)
{
    task_set_state(task, FGPU_TASK_READY);
    uint32_t level = sched_level(task);
    sched_append(engine, &engine->ready_head[level], &engine->ready_tail[level], task->self);
    engine->ready_bits[level / 64] |= UINT64_C(1) << (level % 64);
    engine->ready_words |= UINT64_C(1) << (level / 64);
    engine->ready_count++;
    if (engine->trace->on)
        trace_emit(engine->trace, (struct trace_event){.time_ns = engine->now_ns,
                                                       .kind = TRACE_READY,
                                                       .device = TRACE_NO_DEVICE,
                                                       .task = engine_trace_id(task)});
}

static void sched_level_emptied(struct engine *engine, uint32_t level)
{
    if (engine->ready_head[level] != TASK_NONE)
        return;
    engine->ready_bits[level / 64] &= ~(UINT64_C(1) << (level % 64));
    if (engine->ready_bits[level / 64] == 0)
        engine->ready_words &= ~(UINT64_C(1) << (level / 64));
}

uint32_t sched_next(struct engine *engine)
{
    return engine->hungry == 0 && engine->serve == NULL ? TASK_NONE : sched_next_ready(engine);
}

uint32_t sched_first_ready(const struct engine *engine)
{
    if (engine->ready_count == 0 || engine->serve != NULL)
        return TASK_NONE;
    uint32_t word = (uint32_t)__builtin_ctzll(engine->ready_words);
    return engine->ready_head[word * 64 + (uint32_t)__builtin_ctzll(engine->ready_bits[word])];
}

uint32_t sched_next_ready(struct engine *engine)
{
    if (engine->ready_count == 0)
        return TASK_NONE;
    if (__builtin_expect(engine->serve != NULL, 0))
        return serve_next(engine);
    uint32_t word = (uint32_t)__builtin_ctzll(engine->ready_words);
    uint32_t level = word * 64 + (uint32_t)__builtin_ctzll(engine->ready_bits[word]);
    uint32_t index = sched_pop(engine, &engine->ready_head[level]);
    sched_level_emptied(engine, level);
    engine->ready_count--;
    task_set_state(engine_task(engine, index), FGPU_TASK_PICKED);
    return index;
}

void sched_remove(struct engine *engine, struct task *task)
{
    uint32_t level = sched_level(task);
    if (task_state(task) == FGPU_TASK_READY && engine->serve != NULL) {
        serve_remove(engine, task);
        return;
    }
    if (task_state(task) == FGPU_TASK_READY) {
        bool found = sched_unlink(engine, &engine->ready_head[level], &engine->ready_tail[level],
                                  task->self);
        FGPU_ASSERT(found);
        sched_level_emptied(engine, level);
        engine->ready_count--;
        return;
    }
    if (task->flags & TASK_F_IN_CHAIN) {
        struct lane *lane = engine_lane(engine, task->lane);
        bool found = sched_unlink(engine, &lane->chain_head, &lane->chain_tail, task->self);
        FGPU_ASSERT(found);
        engine->kept--;
        task->flags &= (uint8_t)~TASK_F_IN_CHAIN;
        return;
    }
    if (task_state(task) == FGPU_TASK_PLACED) {
        struct lane *lane = engine_lane(engine, task->lane);
        if (!sched_unlink(engine, &lane->backlog_head, &lane->backlog_tail, task->self))
            return;
        engine->kept--;
        lane->backlog_count--;
        lane->backlog_ns -= task->predicted_ns;
        sched_update_hunger(engine, lane);
    }
}

/* Does what lies in a backlog go before the new one? */
static bool sched_before(const struct engine *engine, uint32_t there, const struct task *task,
                         const struct planned *planned)
{
    const struct task *other = engine_task(engine, there);
    if (engine->serve != NULL)
        return serve_before(engine, other, task);
    const struct planned *as = planned != NULL ? planner_of(engine, other) : NULL;
    /* Priorities are in the ranks, as far as the plan has found that good for those that have any.
     */
    if (as == NULL && (other->priority != task->priority || planned == NULL))
        return other->priority >= task->priority;
    /* Of equal rank as they were submitted, which is how they were planned: those that waited for
     * memory come back in any order. */
    if (as != NULL && as->rank == planned->rank)
        return as->start_ns < planned->start_ns ||
               (as->start_ns == planned->start_ns && (int32_t)(other->order - task->order) <= 0);
    return as == NULL || as->rank > planned->rank;
}

void sched_backlog_push(struct engine *engine, struct task *task, bool front)
{
    struct lane *lane = engine_lane(engine, task->lane);
    task_set_state(task, FGPU_TASK_PLACED);
    if (__builtin_expect(engine->preempt != NULL, 0) && serve_is_urgent(engine, task))
        preempt_make_way(engine, lane);
    else if (engine->serve != NULL && serve_lane_is_urgent(engine, lane))
        front = false;
    uint32_t before = TASK_NONE;
    const struct planned *planned = planner_of(engine, task);
    if (!front && lane->backlog_head != TASK_NONE &&
        sched_before(engine, lane->backlog_tail, task, planned)) {
        before = lane->backlog_tail;
    } else if (!front) {
        uint32_t at = lane->backlog_head;
        while (at != TASK_NONE && sched_before(engine, at, task, planned)) {
            before = at;
            at = sched_after(engine, at);
        }
    }
    uint32_t after = before == TASK_NONE ? lane->backlog_head : sched_after(engine, before);
    sched_link(engine, task->self, after);
    if (before == TASK_NONE)
        lane->backlog_head = task->self;
    else
        sched_link(engine, before, task->self);
    if (after == TASK_NONE)
        lane->backlog_tail = task->self;
    engine->kept++;
    bitset_add(&engine->due, lane->index);
    bitset_add(&engine->keeping, lane->index);
    lane->backlog_count++;
    lane->backlog_ns += task->predicted_ns;
    sched_update_hunger(engine, lane);
}

uint32_t sched_backlog_pop(struct engine *engine, struct lane *lane)
{
    uint32_t index = sched_pop(engine, &lane->backlog_head);
    if (index == TASK_NONE)
        return index;
    engine->kept--;
    lane->backlog_count--;
    lane->backlog_ns -= engine_task(engine, index)->predicted_ns;
    if (lane->backlog_head == TASK_NONE)
        lane->backlog_tail = TASK_NONE;
    sched_update_hunger(engine, lane);
    return index;
}

void sched_backlog_take(struct engine *engine, struct lane *lane, struct task *task)
{
    bool found = sched_unlink(engine, &lane->backlog_head, &lane->backlog_tail, task->self);
    FGPU_ASSERT(found);
    engine->kept--;
    lane->backlog_count--;
    lane->backlog_ns -= task->predicted_ns;
    sched_update_hunger(engine, lane);
}

void sched_chain_push(struct engine *engine, struct task *task, uint16_t lane_index)
{
    struct lane *lane = engine_lane(engine, lane_index);
    task->lane = lane_index;
    task->flags |= TASK_F_IN_CHAIN;
    bitset_add(&engine->due, lane_index);
    engine->kept++;
    sched_append(engine, &lane->chain_head, &lane->chain_tail, task->self);
    sched_update_hunger(engine, lane);
}

uint32_t sched_chain_pop(struct engine *engine, struct lane *lane)
{
    uint32_t index = sched_pop(engine, &lane->chain_head);
    if (index == TASK_NONE)
        return index;
    engine->kept--;
    engine_task(engine, index)->flags &= (uint8_t)~TASK_F_IN_CHAIN;
    if (lane->chain_head == TASK_NONE)
        lane->chain_tail = TASK_NONE;
    return index;
}

void sched_count(struct engine *engine, struct task *task)
{
    struct lane *lane = engine_lane(engine, task->lane);
    if (task->marks & TASK_M_COUNTED)
        return;
    task->marks |= TASK_M_COUNTED;
    lane->moving++;
    lane->backlog_count++;
    lane->backlog_ns += task->predicted_ns;
    sched_update_hunger(engine, lane);
}

void sched_uncount(struct engine *engine, struct task *task)
{
    struct lane *lane = engine_lane(engine, task->lane);
    if (!(task->marks & TASK_M_COUNTED))
        return;
    task->marks &= (uint16_t)~TASK_M_COUNTED;
    lane->moving--;
    engine->help_due = true;
    bitset_add(&engine->due, lane->index); /* another may wait for its data now */
    lane->backlog_count--;
    lane->backlog_ns -= task->predicted_ns;
    sched_update_hunger(engine, lane);
}
