/* Steps 6 and 7 for kernels that make way: launched bit by bit, stopped when something urgent is
 * there, resumed when it is their turn again.
 *
 * Takes PLACED tasks of the classes normal and batch whose data are there, gives them back when all
 * their work groups have run once. Two ways. Under a guard a launch is as long as it may be without
 * its drain taking long, and a flag stops it between two work groups; launched again it runs
 * exactly those groups that have not run. Where device or kernel do not allow that, slices: short
 * launches of some groups, two in flight, of which no more are handed out while something urgent
 * waits. Neither: whole launches, as in a pool without terms.
 *
 * A task that was stopped waits in the queues of core/serve.c for its turn, which its class, its
 * tenant and the guaranteed minimum shares decide; where that minimum is why it goes on, what it
 * gets is bounded and not stopped. It keeps its memory and its place in the task graph, as
 * a running task does: those that wait for it were made as urgent as whoever waits for them, so
 * that nothing urgent ever waits for one that is held back (dependency-closed preemption). Sources:
 * slicing by work-group ranges: J. Zhong, B. He: Kernelet, IEEE TPDS 2014; a flag that running
 * groups look at: W. Zhao et al.: Tally, ASPLOS 2025. Runs under the engine's lock. Keeps true: a
 * work group is handed out once more only where the guard says that it has not run; what is in
 * flight of all runs on a lane is in its flight_ns and flight_tasks.
 */
#include "core/preempt.h"

#include "core/fault.h"
#include "core/graph.h"
#include "core/lane.h"
#include "core/launch.h"
#include "core/place.h"
#include "core/preempt_state.h"
#include "core/sched.h"
#include "core/serve.h"

#define PREEMPT_LEAST_NS 100000u /* a shorter slice, where launching one costs so little: */
#define PREEMPT_GAPS 20u         /* no less than so often what was between two slices, */
#define PREEMPT_TURNS 50u        /* of the host in the time of a slice: one at a time is enough */
#define PREEMPT_TAIL_GROUPS 10u  /* nor than so many groups: some units idle at its end */
#define PREEMPT_GAP_WEIGHT 8u    /* of what was measured so far against the newest gap */
#define PREEMPT_LAUNCH_NS 20000000u /* under a guard: handing out costs nothing then, */
#define PREEMPT_DRAIN_NS 4000000u   /* but of many groups not more than run in so long, */
#define PREEMPT_DRAIN_GROUPS 1024u  /* or so many groups, which are passed over in no time */
#define PREEMPT_FIRST_GROUPS 4u     /* of a slice, while nobody knows how long a group takes */
#define PREEMPT_ROOM 4u             /* numbers of a lane that are left to others */

/* ---- life ------------------------------------------------------------------------------- */

fgpu_status preempt_begin(struct engine *engine)
{
    bool any = false;
    for (uint32_t d = 0; d < engine->device_count; d++)
        any |= engine->devices[d].caps.slices != 0;
    if (!any || engine->power != NULL || engine->preempt_way == FGPU_POOL_PREEMPT_OFF)
        return FGPU_OK;
    struct preempt *preempt = alloc_get_zeroed(engine->hooks, sizeof *preempt, 16);
    if (preempt == NULL)
        return FGPU_E_NOMEM;
    vec_init(&preempt->runs, sizeof(struct preempt_run *), engine->hooks);
    preempt->ways = 1u << FGPU_FORM_SLICED;
    if (engine->preempt_way != FGPU_POOL_PREEMPT_SLICES)
        preempt->ways |= 1u << FGPU_FORM_GUARDED;
    engine->preempt = preempt;
    return FGPU_OK;
}

struct preempt_run *preempt_at(const struct engine *engine, size_t i)
{
    return *(struct preempt_run **)vec_at(&engine->preempt->runs, i);
}

struct preempt_run *preempt_of(const struct engine *engine, const struct task *task)
{
    for (size_t i = 0; i < engine->preempt->runs.count; i++)
        if (preempt_at(engine, i)->task == task->self)
            return preempt_at(engine, i);
    FGPU_UNREACHABLE();
}

static void preempt_discard(struct engine *engine, struct preempt_run *run)
{
    uint32_t device = engine_lane(engine, run->lane)->device;
    FGPU_ASSERT(run->flying == 0 && !run->queued);
    engine_lane(engine, run->lane)->resumes -= run->due;
    links_clear(&engine->links, &run->waiting);
    if (run->guard != 0)
        engine_act(engine,
                   (struct action){.kind = ACTION_UNGUARD, .device = device, .handle = run->guard});
    alloc_put(engine->hooks, run, sizeof *run);
}

/* The task has no record any more. */
void preempt_drop(struct engine *engine, struct task *task)
{
    struct vec *runs = &engine->preempt->runs;
    for (size_t i = 0; i < runs->count; i++) {
        struct preempt_run *run = preempt_at(engine, i);
        if (run->task != task->self)
            continue;
        *(struct preempt_run **)vec_at(runs, i) = preempt_at(engine, runs->count - 1);
        vec_pop(runs);
        preempt_discard(engine, run);
        break;
    }
    task->marks &= (uint16_t)~TASK_M_PREEMPT;
}

void preempt_fini(struct engine *engine)
{
    if (engine->preempt == NULL)
        return;
    FGPU_ASSERT(engine->preempt->runs.count == 0); /* their tasks have ended */
    vec_fini(&engine->preempt->runs);
    alloc_put(engine->hooks, engine->preempt, sizeof *engine->preempt);
    engine->preempt = NULL;
}

/* ---- launches --------------------------------------------------------------------------- */

/* How long so many groups take, as far as is known; 0: it is not. */
static uint64_t preempt_guess_ns(const struct preempt_run *run, uint64_t groups)
{
    if (run->ran_groups > 0)
        return (uint64_t)((double)run->ran_ns / (double)run->ran_groups * (double)groups);
    return (uint64_t)((double)run->expected_ns / (double)run->groups * (double)groups);
}

/* The shortest launch that costs little beyond its work. [in] gap_ns: see struct lane. */
static uint64_t preempt_short_ns(const struct preempt_run *run, uint64_t group_ns, uint64_t gap_ns)
{
    uint64_t ns = PREEMPT_LEAST_NS;
    bool is_slice = run->form == FGPU_FORM_SLICED;
    if (is_slice && (group_ns == 0 || gap_ns == 0)) /* nobody knows */
        return PREEMPT_SLICE_NS;
    ns = ns > gap_ns * PREEMPT_GAPS ? ns : gap_ns * PREEMPT_GAPS;
    if (is_slice && ns < group_ns * PREEMPT_TAIL_GROUPS)
        ns = group_ns * PREEMPT_TAIL_GROUPS;
    return ns < PREEMPT_SLICE_NS ? ns : PREEMPT_SLICE_NS;
}

/* As many as run at once, or twice as many, and so on: none of them runs alone at the end. */
static uint64_t preempt_even(const struct engine *engine, const struct preempt_run *run,
                             uint64_t count)
{
    uint64_t fill = engine->devices[engine_lane(engine, run->lane)->device].caps.fill_groups;
    if (fill > 1)
        count = count > fill ? count / fill * fill : fill;
    return count > 0 ? count : 1;
}

/* Of the groups from `at` on those that have run before a launch was stopped: the first ones, as
 * far as is known here (its guard knows). */
static uint64_t preempt_before(const struct preempt_run *run)
{
    return run->span_left > 0 ? run->span - run->span_left : 0;
}

static uint64_t preempt_groups(const struct engine *engine, const struct preempt_run *run)
{
    uint64_t before = preempt_before(run), left = run->groups - run->at - before;
    if (run->span_left > 0 && !run->firm)
        return run->span;
    uint64_t left_ns = preempt_guess_ns(run, left);
    uint64_t target_ns = PREEMPT_LAUNCH_NS;
    if (run->form == FGPU_FORM_SLICED || run->firm)
        target_ns = preempt_short_ns(run, left_ns / left, engine_lane(engine, run->lane)->gap_ns);
    double share = left_ns > target_ns ? (double)target_ns / (double)left_ns : 1;
    uint64_t count = (uint64_t)((double)left * share);
    if (left_ns == 0) /* nobody knows */
        count = run->form == FGPU_FORM_SLICED ? PREEMPT_FIRST_GROUPS : PREEMPT_DRAIN_GROUPS;
    if (run->form == FGPU_FORM_GUARDED && !run->firm && count > PREEMPT_DRAIN_GROUPS) {
        double drain = (double)left * PREEMPT_DRAIN_NS / (double)(left_ns > 0 ? left_ns : 1);
        count = drain < (double)count ? (uint64_t)drain : count;
        count = count > PREEMPT_DRAIN_GROUPS ? count : PREEMPT_DRAIN_GROUPS;
    }
    if (left_ns > 0 && count < left)
        count = preempt_even(engine, run, count);
    return before + (count < left ? count : left);
}

static void preempt_send(struct engine *engine, struct task *task, struct preempt_run *run)
{
    struct lane *lane = engine_lane(engine, run->lane);
    uint32_t slot = (run->head + run->flying) % PREEMPT_FLIGHT;
    fgpu_cmd_slice *body = &run->bodies[slot];
    struct kernel *kernel = engine_kernel(engine, task->kernel);
    preempt_body(task, run, &preempt_form(engine, kernel, lane->device, run->form)->code, body);
    body->first = run->at;
    body->count = preempt_groups(engine, run);
    uint64_t ns = preempt_guess_ns(run, body->count - preempt_before(run));
    ns = ns > 0 ? ns : PLACE_UNKNOWN_NS;
    fgpu_cmd cmd = {
        .kind = FGPU_CMD_LAUNCH, .flags = FGPU_CMD_TIMED | FGPU_CMD_NOTIFY, .body = body};
    if (run->chained)
        cmd.flags |= FGPU_CMD_CHAINED;
    (void)lane_append(engine, lane, &cmd, task->self);
    if (lane->flight_tasks == 0)
        lane->since_ns = engine->now_ns;
    lane->flight_tasks++;
    lane->flight_ns += ns;
    run->flight_ns[slot] = ns;
    run->flying++;
    if (run->form == FGPU_FORM_SLICED)
        run->at += body->count;
}

/* Two slices, so that the device has the next one when it has finished the first; one, where the
 * host is there so soon that it costs little, for whatever is urgent waits for both. */
static uint32_t preempt_most(const struct lane *lane, const struct preempt_run *run)
{
    bool is_soon =
        lane->gap_ns != 0 && (uint64_t)lane->react_ns * PREEMPT_TURNS < run->flight_ns[run->head];
    return run->form == FGPU_FORM_SLICED && !(is_soon && run->flying > 0) ? PREEMPT_FLIGHT : 1;
}

/* Hands out as much as there should be in flight. */
static void preempt_go(struct engine *engine, struct task *task, struct preempt_run *run)
{
    struct lane *lane = engine_lane(engine, run->lane);
    while (run->flying < preempt_most(lane, run) && run->at < run->groups &&
           lane_room(lane) > PREEMPT_ROOM)
        preempt_send(engine, task, run);
    sched_update_hunger(engine, lane);
}

static void preempt_begin_round(struct engine *engine, struct task *task, struct preempt_run *run)
{
    run->round_ns = 0;
    if (engine->trace->on)
        launch_tell(engine, engine_lane(engine, run->lane), task);
}

void preempt_launch(struct engine *engine, struct task *task, bool chained)
{
    struct preempt_run *run = preempt_of(engine, task);
    fgpu_cmd_launch *launch = task_body(task);
    launch_resolve(engine, task, lane_node(engine, task));
    launch->result = (fgpu_cmd_result){0};
    task->model = run->model; /* what is measured is the form's */
    if (run->expected_ns > 0)
        task->predicted_ns =
            run->expected_ns < UINT32_MAX ? (uint32_t)run->expected_ns : UINT32_MAX;
    run->chained = chained;
    run->firm = serve_urgent_waits(engine); /* and yet it was chosen */
    serve_in_parts(engine, task);
    task_set_state(task, FGPU_TASK_RUNNING);
    preempt_begin_round(engine, task, run);
    preempt_go(engine, task, run);
    FGPU_ASSERT(run->flying > 0);
}

static void preempt_tell(struct engine *engine, const struct preempt_run *run, uint32_t stop)
{
    struct preempt_order order = {engine_lane(engine, run->lane)->device, stop, run->guard};
    void *place = vec_push(&engine->guards, &order);
    FGPU_ASSERT(place != NULL); /* reserved */
}

/* ---- the end of a launch ---------------------------------------------------------------- */

/* What was between a slice and the one that lay behind it in the queue. */
static void preempt_note_gap(struct engine *engine, const struct preempt_run *run,
                             const fgpu_cmd_result *result)
{
    struct lane *lane = engine_lane(engine, run->lane);
    uint64_t ns = result->start_ns > run->end_ns ? result->start_ns - run->end_ns : 1;
    if (!run->follows || run->end_ns == 0)
        return;
    ns = ns < PREEMPT_SLICE_NS ? ns : PREEMPT_SLICE_NS;
    lane->gap_ns = lane->gap_ns == 0
                       ? ns
                       : ((PREEMPT_GAP_WEIGHT - 1) * lane->gap_ns + ns + PREEMPT_GAP_WEIGHT - 1) /
                             PREEMPT_GAP_WEIGHT;
}

/* The oldest command in flight has finished. */
static fgpu_cmd_slice *preempt_land(struct engine *engine, struct preempt_run *run)
{
    struct lane *lane = engine_lane(engine, run->lane);
    fgpu_cmd_slice *body = &run->bodies[run->head];
    FGPU_ASSERT(run->flying > 0 && lane->flight_tasks > 0);
    FGPU_ASSERT(lane->flight_ns >= run->flight_ns[run->head]);
    lane->flight_tasks--;
    lane->flight_ns -= run->flight_ns[run->head];
    run->flight_ns[run->head] = 0;
    lane->since_ns = engine->now_ns;
    run->head = (run->head + 1) % PREEMPT_FLIGHT;
    run->flying--;
    return body;
}

/* A launch has ended well. */
static void preempt_count(struct engine *engine, struct task *task, struct preempt_run *run,
                          const fgpu_cmd_slice *body)
{
    const fgpu_cmd_result *result = &body->launch.result;
    uint64_t left = run->guard != 0 ? body->left : 0;
    run->chained = 0;
    if (run->form == FGPU_FORM_GUARDED && left == 0)
        run->at = body->first + body->count;
    /* Of a range that was stopped before, only what it had left has run now. */
    uint64_t before = preempt_before(run), ran = body->count - left;
    uint64_t groups = ran > before ? ran - before : 0;
    uint64_t ns = result->end_ns - result->start_ns;
    run->span = body->count;
    run->span_left = left;
    if (!result->timed) {
        run->untimed = 1;
        return;
    }
    run->ran_ns += ns;
    run->ran_groups += groups;
    preempt_note_gap(engine, run, result);
    run->follows = run->flying > 0;
    run->round_ns = run->round_ns != 0 ? run->round_ns : result->start_ns;
    run->end_ns = result->end_ns;
    serve_ran(engine, task, ns);
}

/* It has lost its turn, or ends: as the trace shows it. */
static void preempt_end_round(struct engine *engine, const struct task *task,
                              const struct preempt_run *run)
{
    const struct lane *lane = engine_lane(engine, run->lane);
    bool timed = run->round_ns != 0 && !run->untimed;
    if (engine->trace->on)
        trace_emit(engine->trace, (struct trace_event){.time_ns = engine->now_ns,
                                                       .kind = TRACE_RUN_END,
                                                       .device = (uint8_t)lane->device,
                                                       .lane = (uint16_t)lane->queue,
                                                       .task = engine_trace_id(task),
                                                       .a = timed ? run->round_ns : 0,
                                                       .b = timed ? run->end_ns : 0});
}

/* All of it has run, or it has failed: the result of the whole, with the time that it ran. */
static void preempt_result(struct engine *engine, struct task *task, struct preempt_run *run)
{
    fgpu_cmd_result *result = task_result(task);
    preempt_end_round(engine, task, run);
    *result = (fgpu_cmd_result){.status = run->status,
                                .timed = !run->untimed && run->ran_ns > 0,
                                .start_ns = run->end_ns - run->ran_ns,
                                .end_ns = run->end_ns};
}

/* Nothing of it has run, for something before it in the queue failed. */
static void preempt_take_back(struct engine *engine, struct task *task)
{
    preempt_drop(engine, task);
    fault_return(engine, task, false);
}

static bool preempt_has_room(const struct engine *engine, const struct lane *lane)
{
    return sched_has_room(engine, lane) && lane_room(lane) > PREEMPT_ROOM;
}

static bool preempt_lane_is_urgent(const struct engine *engine, const struct lane *lane)
{
    for (uint64_t n = lane->done + 1; n <= lane->issued; n++) {
        uint32_t entry = lane->ring[n & lane->ring_mask];
        if (!(entry & RING_OP) && serve_is_urgent(engine, engine_task(engine, entry)))
            return true;
    }
    return serve_lane_is_urgent(engine, lane);
}

/* Urgent work has been handed out there, or waits in the backlog: more of it may follow, and would
 * have to wait for the next slice, or for a launch to be drained that has hardly begun. Lanes that
 * share a device's units are one. */
static bool preempt_is_urgent(const struct engine *engine, const struct lane *lane)
{
    const struct engine_device *device = &engine->devices[lane->device];
    if (device->side_count == 0)
        return preempt_lane_is_urgent(engine, lane);
    for (uint32_t i = 0; i < device->lane_count + device->side_count; i++)
        if (preempt_lane_is_urgent(engine, engine_lane(engine, device->lane_first + i)))
            return true;
    return false;
}

uint32_t preempt_urgent_lane(const struct engine *engine, const struct engine_device *device)
{
    uint32_t first = device->lane_first;
    for (uint32_t i = first; i < first + device->lane_count + device->side_count; i++)
        if (preempt_lane_is_urgent(engine, engine_lane(engine, i)))
            return i; /* behind others: side by side each would take longer than predicted */
    for (size_t i = 0; i < engine->preempt->runs.count; i++) {
        const struct preempt_run *run = preempt_at(engine, i);
        if (run->lane == first && run->flying > 0)
            return first + device->lane_count;
    }
    return first;
}

/* Does what runs on one keep the other waiting? */
static bool preempt_hinders(const struct engine *engine, uint32_t there, const struct lane *lane)
{
    return there == lane->index || (engine->devices[lane->device].side_count > 0 &&
                                    engine_lane(engine, there)->device == lane->device);
}

/* What goes on now must not be stopped before it has done anything: urgent work that comes again
 * and again as soon as it has ended would leave it nothing. */
static bool preempt_is_owed(const struct engine *engine)
{
    return share_floor_is_owed(&engine->serve->rest);
}

static void preempt_wait(struct engine *engine, struct preempt_run *run)
{
    struct lane *lane = engine_lane(engine, run->lane);
    FGPU_ASSERT(!run->due && !run->queued);
    run->due = 1;
    lane->resumes++;
    bitset_add(&engine->due, lane->index);
}

/* Nothing of it is in flight, and something is left. */
static void preempt_pause(struct engine *engine, struct task *task, struct preempt_run *run)
{
    const struct lane *lane = engine_lane(engine, run->lane);
    if (run->stopped)
        preempt_tell(engine, run, 0);
    run->stopped = 0;
    bool waits = serve_urgent_waits(engine) || serve_lane_is_urgent(engine, lane);
    if (run->form == FGPU_FORM_SLICED && (waits || preempt_is_urgent(engine, lane)))
        engine->stats.preemptions++;
    if (waits && serve_suspend(engine, task)) {
        preempt_end_round(engine, task, run);
        run->queued = 1;
        return;
    }
    if (!waits && preempt_has_room(engine, lane) && !preempt_is_urgent(engine, lane)) {
        run->firm = preempt_is_owed(engine);
        preempt_go(engine, task, run);
        return;
    }
    preempt_end_round(engine, task, run);
    run->firm = 0;
    preempt_wait(engine, run);
}

bool preempt_ran(struct engine *engine, struct task *task, bool *failed)
{
    struct preempt_run *run = preempt_of(engine, task);
    const fgpu_cmd_slice *body = preempt_land(engine, run);
    fgpu_status status = (fgpu_status)body->launch.result.status;
    *failed = status != FGPU_OK && status != FGPU_E_CANCELLED;
    if (status == FGPU_OK)
        preempt_count(engine, task, run, body);
    else if (status == FGPU_E_CANCELLED) /* skipped */
        run->at = body->first < run->at ? body->first : run->at;
    else if (run->status == FGPU_OK)
        run->status = status;
    if (run->flying > 0) {
        bool waits =
            serve_urgent_waits(engine) || preempt_is_urgent(engine, engine_lane(engine, run->lane));
        if (status == FGPU_OK && run->status == FGPU_OK && !waits)
            preempt_go(engine, task, run);
        return false;
    }
    if (run->status != FGPU_OK || run->at == run->groups) {
        preempt_result(engine, task, run);
        return true;
    }
    if (status == FGPU_E_CANCELLED && run->chained)
        preempt_take_back(engine, task);
    else
        preempt_pause(engine, task, run);
    return false;
}

/* ---- making way ------------------------------------------------------------------------- */

void preempt_make_way(struct engine *engine, struct lane *lane)
{
    struct vec *runs = &engine->preempt->runs;
    for (size_t i = 0; i < runs->count; i++) {
        struct preempt_run *run = preempt_at(engine, i);
        struct lane *there = engine_lane(engine, run->lane);
        if (!preempt_hinders(engine, run->lane, lane) || run->flying == 0 || run->stopped ||
            run->firm ||
            serve_is_urgent(engine, engine_task(engine, run->task))) /* others wait for it */
            continue;
        if (run->guard != 0) {
            run->stopped = 1;
            engine->stats.preemptions++;
            preempt_tell(engine, run, 1);
        }
        /* What urgent work may be handed out behind counts no longer. */
        for (uint32_t k = 0; k < PREEMPT_FLIGHT; k++) {
            there->flight_ns -= run->flight_ns[k];
            run->flight_ns[k] = 0;
        }
        bitset_add(&engine->due, lane->index);
        sched_update_hunger(engine, there);
    }
}

uint64_t preempt_soft_ns(const struct engine *engine, const struct lane *lane)
{
    uint64_t ns = 0;
    for (size_t i = 0; i < engine->preempt->runs.count; i++) {
        const struct preempt_run *run = preempt_at(engine, i);
        if (run->lane == lane->index && run->flying > 0 && run->guard != 0 && !run->firm)
            ns += run->flight_ns[run->head];
    }
    return ns;
}

void preempt_resume(struct engine *engine, struct task *task)
{
    struct preempt_run *run = preempt_of(engine, task);
    run->queued = 0;
    run->firm = serve_urgent_waits(engine); /* and yet it was chosen */
    preempt_wait(engine, run);
    preempt_fill(engine, engine_lane(engine, run->lane), false);
}

void preempt_fill(struct engine *engine, struct lane *lane, bool firm)
{
    for (size_t i = 0; i < engine->preempt->runs.count && lane->resumes > 0; i++) {
        struct preempt_run *run = preempt_at(engine, i);
        if (run->lane != lane->index || !run->due || run->firm < firm)
            continue;
        if (!preempt_has_room(engine, lane) || (!run->firm && preempt_is_urgent(engine, lane))) {
            bitset_add(&engine->due, lane->index);
            continue;
        }
        struct task *task = engine_task(engine, run->task);
        run->due = 0;
        run->firm |= preempt_is_owed(engine);
        lane->resumes--;
        preempt_begin_round(engine, task, run);
        preempt_go(engine, task, run);
    }
}

bool preempt_has_work(const struct engine *engine)
{
    return engine->preempt != NULL && engine->preempt->runs.count > 0;
}

void preempt_claim(struct engine *engine)
{
    struct preempt_run *first = NULL;
    for (size_t i = 0; i < engine->preempt->runs.count; i++) {
        struct preempt_run *run = preempt_at(engine, i);
        if (run->firm && (run->due || run->flying > 0))
            return;
        if (run->due && first == NULL)
            first = run;
    }
    if (first == NULL)
        return;
    first->firm = 1;
    preempt_fill(engine, engine_lane(engine, first->lane), true);
}

void preempt_rouse(struct engine *engine)
{
    for (size_t i = 0; i < engine->preempt->runs.count; i++) {
        struct preempt_run *run = preempt_at(engine, i);
        const struct lane *lane = engine_lane(engine, run->lane);
        if (!run->queued || lane->flight_tasks > 0 || lane->backlog_head != TASK_NONE ||
            lane->chain_head != TASK_NONE)
            continue;
        struct task *task = engine_task(engine, run->task);
        serve_remove(engine, task);
        preempt_resume(engine, task);
    }
}

void preempt_ended(struct engine *engine, struct task *task)
{
    preempt_drop(engine, task);
}

/* ---- a device's death ------------------------------------------------------------------- */

bool preempt_lost(struct engine *engine, struct task *task)
{
    struct preempt_run *run = preempt_of(engine, task);
    (void)preempt_land(engine, run);
    if (run->flying > 0)
        return false;
    preempt_drop(engine, task);
    return true;
}

uint32_t preempt_lost_next(struct engine *engine, uint32_t device)
{
    for (size_t i = 0; i < engine->preempt->runs.count; i++) {
        struct preempt_run *run = preempt_at(engine, i);
        struct task *task = engine_task(engine, run->task);
        if (engine_lane(engine, run->lane)->device != device || run->flying > 0 ||
            task_state(task) != FGPU_TASK_RUNNING)
            continue;
        if (run->queued)
            serve_remove(engine, task);
        run->queued = 0;
        preempt_drop(engine, task);
        return task->self;
    }
    return TASK_NONE;
}

/* ---- invariants ------------------------------------------------------------------------- */

bool preempt_is_queued(const struct engine *engine, const struct task *task)
{
    return (task->marks & TASK_M_PREEMPT) && preempt_of(engine, task)->queued;
}

void preempt_check_lane(const struct engine *engine, const struct lane *lane, uint64_t *ns)
{
    uint32_t due = 0;
    for (size_t i = 0; i < engine->preempt->runs.count; i++) {
        const struct preempt_run *run = preempt_at(engine, i);
        const struct task *task = engine_task(engine, run->task);
        FGPU_ASSERT(task->marks & TASK_M_PREEMPT);
        FGPU_ASSERT(task_generation(task) == run->generation);
        FGPU_ASSERT(run->queued + run->due + (run->flying > 0) <= 1);
        FGPU_ASSERT(task_state(task) != FGPU_TASK_RUNNING ||
                    run->queued + run->due + (run->flying > 0) == 1);
        FGPU_ASSERT(run->at <= run->groups);
        if (run->lane != lane->index)
            continue;
        due += run->due;
        for (uint32_t k = 0; k < run->flying; k++)
            *ns += run->flight_ns[(run->head + k) % PREEMPT_FLIGHT];
    }
    FGPU_ASSERT(due == lane->resumes);
    FGPU_ASSERT(due == 0 || bitset_has(&engine->due, lane->index));
}
