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

#include <stdlib.h>
#include <string.h>

#include "core/fault.h"
#include "core/graph.h"
#include "core/lane.h"
#include "core/launch.h"
#include "core/place.h"
#include "core/sched.h"
#include "core/serve.h"

#define PREEMPT_SHORT_NS 100000u /* what is known to be shorter runs whole */
#define PREEMPT_SLICE_NS 250000u /* a slice: two of them are what urgent work may wait for */
#define PREEMPT_LAUNCH_NS                                                                          \
    4000000u                       /* under a guard: long enough that handing out costs nothing,   \
                                    */
#define PREEMPT_DRAIN_GROUPS 1024u /* or so many groups, which are passed over in no time */
#define PREEMPT_FIRM_NS 1000000u   /* a turn by the guaranteed minimum */
#define PREEMPT_FIRST_GROUPS 4u    /* of a slice, while nobody knows how long a group takes */
#define PREEMPT_GROUPS_MOST (UINT64_C(1) << 31) /* as backend.h has it */
#define PREEMPT_ITEMS 256u                      /* of a group, where the pool chooses its size */
#define PREEMPT_NATIVE_ITEMS 64u                /* the same, native */
#define PREEMPT_ITEMS_LEAST 8u    /* with fewer a group costs more than it does, ... */
#define PREEMPT_MANY_GROUPS 4096u /* ... which with so many matters */
#define PREEMPT_ROOM 4u           /* numbers of a lane that are left to others */

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

static struct preempt_run *preempt_at(const struct engine *engine, size_t i)
{
    return *(struct preempt_run **)vec_at(&engine->preempt->runs, i);
}

static struct preempt_run *preempt_of(const struct engine *engine, const struct task *task)
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
static void preempt_drop(struct engine *engine, struct task *task)
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

bool preempt_kernel_gone(struct engine *engine, struct kernel *kernel)
{
    uint32_t count = 2 * engine->code_count;
    if (kernel->forms == NULL)
        return true;
    for (uint32_t i = 0; i < count; i++)
        if (kernel->forms[i].code.state == CODE_BUILDING)
            return false; /* engine_formed comes back here */
    for (uint32_t d = 0; d < engine->device_count; d++) {
        if (d > 0 && engine->devices[d - 1].code == engine->devices[d].code)
            continue;
        for (uint32_t form = 0; form < 2; form++) {
            struct code *code = &kernel->forms[2 * engine->devices[d].code + form].code;
            if (code->code != 0)
                engine_act(
                    engine,
                    (struct action){.kind = ACTION_CODE_FREE, .device = d, .handle = code->code});
            free(code->log);
        }
    }
    alloc_put(engine->hooks, kernel->forms, count * sizeof *kernel->forms);
    kernel->forms = NULL;
    return true;
}

/* ---- shape ------------------------------------------------------------------------------ */

static uint32_t preempt_divisor(uint64_t items, uint32_t most)
{
    for (uint32_t local = most; local > 1; local--)
        if (items % local == 0)
            return local;
    return 1;
}

/* The size of a work group where the caller left it to the pool: it divides the grid, is long in
 * the first dimension, and never one item wide and several high. */
static void preempt_choose_local(const struct code *code, const struct engine_device *device,
                                 const fgpu_cmd_launch *launch, uint32_t local[3])
{
    uint32_t most = code->variant == FGPU_VARIANT_NATIVE ? PREEMPT_NATIVE_ITEMS : PREEMPT_ITEMS;
    if (code->max_group_items != 0 && code->max_group_items < most)
        most = code->max_group_items;
    if (device->caps.max_group_items != 0 && device->caps.max_group_items < most)
        most = device->caps.max_group_items;
    for (uint32_t d = 0; d < 3; d++) {
        bool grows = d < launch->dims && (d == 0 || local[0] > 1);
        local[d] = grows ? preempt_divisor(launch->global[d], most) : 1;
        most /= local[d];
    }
}

/* Work groups of the grid; 0: it cannot be cut. [out] local. */
static uint64_t preempt_shape(const struct engine *engine, const struct task *task,
                              uint32_t local[3])
{
    const fgpu_cmd_launch *launch = task_body(task);
    uint32_t device = engine_lane(engine, task->lane)->device;
    const struct code *code = engine_code(engine, engine_kernel(engine, task->kernel), device);
    uint64_t groups = 1, items = 1;
    if (!(task->flags & TASK_F_AUTO_LOCAL))
        memcpy(local, launch->local, 3 * sizeof local[0]);
    else if (code->required_local[0] != 0)
        memcpy(local, code->required_local, 3 * sizeof local[0]);
    else
        preempt_choose_local(code, &engine->devices[device], launch, local);
    for (uint32_t d = 0; d < 3; d++) {
        uint64_t global = d < launch->dims ? launch->global[d] : 1;
        local[d] = local[d] != 0 ? local[d] : 1;
        items *= local[d];
        if (global == 0 || global % local[d] != 0 || global / local[d] > PREEMPT_GROUPS_MOST)
            return 0;
        groups *= global / local[d];
        if (groups > PREEMPT_GROUPS_MOST)
            return 0;
    }
    return items < PREEMPT_ITEMS_LEAST && groups > PREEMPT_MANY_GROUPS ? 0 : groups;
}

/* ---- before it is launched -------------------------------------------------------------- */

static bool preempt_may(const struct engine *engine, const struct task *task)
{
    const struct lane *lane = engine_lane(engine, task->lane);
    uint64_t ns;
    if (task->kind != TASK_KERNEL || (task->marks & TASK_M_PIECE) || task->undone > 0 ||
        engine->devices[lane->device].caps.slices == 0 || lane->single ||
        !(task->marks & TASK_M_SERVED) || serve_is_urgent(engine, task))
        return false;
    if ((engine->flags & FGPU_POOL_REPRODUCIBLE) && (task->flags & TASK_F_AUTO_LOCAL))
        return false;
    return task->predicted_ns >= PREEMPT_SHORT_NS ||
           history_slot_predict(engine->history, task->model, &ns) == HISTORY_UNKNOWN;
}

static struct preempt_run *preempt_add(struct engine *engine, struct task *task)
{
    uint32_t local[3];
    uint64_t groups = preempt_shape(engine, task, local);
    if (groups < 2)
        return NULL;
    struct preempt_run *run = alloc_get_zeroed(engine->hooks, sizeof *run, 16);
    if (run == NULL)
        return NULL;
    /* Until they are carried out a run is told to stop and to go on at most once. */
    if (!vec_reserve(&engine->guards, engine->guards.count + 2 * engine->preempt->runs.count + 2) ||
        vec_push(&engine->preempt->runs, &run) == NULL) {
        alloc_put(engine->hooks, run, sizeof *run);
        return NULL;
    }
    run->task = task->self;
    run->generation = task_generation(task);
    run->waiting = LINKS_NONE;
    run->groups = groups;
    run->lane = task->lane;
    memcpy(run->local, local, sizeof local);
    task->marks |= TASK_M_PREEMPT;
    return run;
}

static struct preempt_code *preempt_form(const struct engine *engine, const struct kernel *kernel,
                                         uint32_t device, uint32_t form)
{
    return &kernel->forms[2 * engine->devices[device].code + form - 1];
}

static bool preempt_forms(struct engine *engine, struct kernel *kernel)
{
    uint32_t count = 2 * engine->code_count;
    if (kernel->forms != NULL)
        return true;
    kernel->forms = alloc_get_zeroed(engine->hooks, count * sizeof *kernel->forms, 16);
    for (uint32_t i = 0; i < count && kernel->forms != NULL; i++)
        kernel->forms[i].code.waiting = LINKS_NONE;
    return kernel->forms != NULL;
}

/* What the run is, as a launch of the whole grid. */
static void preempt_body(const struct task *task, const struct preempt_run *run,
                         const struct code *code, fgpu_cmd_slice *body)
{
    *body =
        (fgpu_cmd_slice){.launch = *(const fgpu_cmd_launch *)task_body(task), .guard = run->guard};
    body->launch.result = (fgpu_cmd_result){0};
    body->launch.code = code->code;
    body->launch.part = FGPU_LAUNCH_SLICE;
    memcpy(body->launch.local, run->local, sizeof run->local);
}

/* Is the code there, compiled for this size of work groups? Orders it, and lists the task. */
static bool preempt_code_there(struct engine *engine, struct task *task, struct preempt_run *run,
                               uint32_t form)
{
    struct kernel *kernel = engine_kernel(engine, task->kernel);
    uint32_t device = engine_lane(engine, run->lane)->device;
    struct preempt_code *of = preempt_form(engine, kernel, device, form);
    bool same = memcmp(of->local, run->local, sizeof of->local) == 0;
    if (run->compiled == form || (of->code.state == CODE_READY && same))
        return true;
    if (of->code.state != CODE_BUILDING) {
        of->code.state = CODE_BUILDING;
        of->code.variant = engine_code(engine, kernel, device)->variant;
        memcpy(of->local, run->local, sizeof of->local);
        launch_resolve(engine, task, lane_node(engine, task));
        preempt_body(task, run, &of->code, &run->bodies[0]);
        engine_act(engine, (struct action){.kind = ACTION_FORM,
                                           .form = form,
                                           .device = device,
                                           .index = kernel->self,
                                           .handle = of->code.code,
                                           .run = run});
    }
    (void)lane_wait(engine, task, &of->code.waiting);
    return false;
}

/* Whoever waited for a work-group size need not ask again, though the next one asks for another. */
static void preempt_note_compiled(const struct engine *engine, struct preempt_run *run,
                                  uint32_t kernel, uint32_t device, uint32_t form)
{
    const struct task *task = engine_task(engine, run->task);
    const struct preempt_code *of =
        preempt_form(engine, engine_kernel(engine, kernel), device, form);
    bool there = engine->devices[engine_lane(engine, run->lane)->device].code ==
                 engine->devices[device].code;
    if (task->kernel == kernel && there && memcmp(of->local, run->local, sizeof of->local) == 0)
        run->compiled = (uint8_t)form;
}

void engine_formed(struct engine *engine, uint32_t index, uint32_t device, uint32_t form,
                   fgpu_status status, const fgpu_code_built *built)
{
    struct kernel *kernel = engine_kernel(engine, index);
    struct code *code = &preempt_form(engine, kernel, device, form)->code;
    FGPU_ASSERT(code->state == CODE_BUILDING);
    code->state = status == FGPU_OK ? CODE_READY : CODE_FAILED;
    if (code->code == 0) {
        code->code = built->code;
        code->log = built->log;
    }
    LOG_DEBUG(engine->log, "build", "kernel '%s' on device %u, %s: %s", kernel->name, device,
              form == FGPU_FORM_GUARDED ? "under a guard" : "in slices",
              status == FGPU_OK   ? "ready"
              : code->log != NULL ? code->log
                                  : fgpu_status_text(status));
    for (size_t i = 0; i < engine->preempt->runs.count && status == FGPU_OK; i++)
        preempt_note_compiled(engine, preempt_at(engine, i), index, device, form);
    lane_wake(engine, &code->waiting);
    engine->wakes++;
    if (kernel->destroyed && kernel->users == 0)
        engine_kernel_gone(engine, index);
}

static bool preempt_guard_there(struct engine *engine, struct task *task, struct preempt_run *run)
{
    if (run->guard != 0)
        return true;
    if (run->waiting == LINKS_NONE)
        engine_act(engine, (struct action){.kind = ACTION_GUARD,
                                           .device = engine_lane(engine, run->lane)->device,
                                           .index = task->self,
                                           .bytes = run->groups});
    (void)lane_wait(engine, task, &run->waiting);
    return false;
}

void engine_guard(struct engine *engine, uint32_t index, fgpu_guard guard)
{
    struct preempt_run *run = preempt_of(engine, engine_task(engine, index));
    run->guard = guard;
    run->bare = guard == 0;
    lane_wake(engine, &run->waiting);
}

/* The best form that has not failed for the kernel; WHOLE: none. */
static uint32_t preempt_choose(struct engine *engine, const struct task *task,
                               const struct preempt_run *run)
{
    struct kernel *kernel = engine_kernel(engine, task->kernel);
    uint32_t device = engine_lane(engine, run->lane)->device;
    for (uint32_t form = FGPU_FORM_GUARDED; form > FGPU_FORM_WHOLE; form--)
        if ((engine->preempt->ways >> form & 1) && !(form == FGPU_FORM_GUARDED && run->bare) &&
            (run->compiled == form ||
             preempt_form(engine, kernel, device, form)->code.state != CODE_FAILED))
            return form;
    return FGPU_FORM_WHOLE;
}

bool preempt_prepare(struct engine *engine, struct task *task)
{
    struct preempt_run *run = task->marks & TASK_M_PREEMPT ? preempt_of(engine, task) : NULL;
    if (run != NULL && (run->lane != task->lane || !preempt_may(engine, task))) {
        preempt_drop(engine, task);
        run = NULL;
    }
    if (run == NULL && preempt_may(engine, task) &&
        preempt_forms(engine, engine_kernel(engine, task->kernel)))
        run = preempt_add(engine, task);
    if (run == NULL)
        return true;
    uint32_t form = preempt_choose(engine, task, run);
    if (form == FGPU_FORM_WHOLE) {
        preempt_drop(engine, task);
        return true;
    }
    run->form = (uint8_t)form;
    return preempt_code_there(engine, task, run, form) &&
           (form != FGPU_FORM_GUARDED || preempt_guard_there(engine, task, run));
}

/* ---- launches --------------------------------------------------------------------------- */

/* How long so many groups take, as far as is known; 0: it is not. */
static uint64_t preempt_guess_ns(const struct engine *engine, const struct task *task,
                                 const struct preempt_run *run, uint64_t groups)
{
    uint64_t ns;
    if (run->ran_groups > 0)
        return (uint64_t)((double)run->ran_ns / (double)run->ran_groups * (double)groups);
    if (history_slot_predict(engine->history, task->model, &ns) == HISTORY_UNKNOWN)
        return 0;
    return (uint64_t)((double)task->predicted_ns / (double)run->groups * (double)groups);
}

static uint64_t preempt_groups(const struct engine *engine, const struct task *task,
                               const struct preempt_run *run)
{
    uint64_t left = run->groups - run->at;
    uint64_t left_ns = preempt_guess_ns(engine, task, run, left);
    uint64_t target_ns = run->form == FGPU_FORM_SLICED ? PREEMPT_SLICE_NS : PREEMPT_LAUNCH_NS;
    if (run->firm && target_ns > PREEMPT_FIRM_NS)
        target_ns = PREEMPT_FIRM_NS;
    double share = left_ns > target_ns ? (double)target_ns / (double)left_ns : 1;
    uint64_t count = (uint64_t)((double)left * share);
    if (left_ns == 0) /* nobody knows */
        count = PREEMPT_FIRST_GROUPS;
    if (run->form == FGPU_FORM_GUARDED && !run->firm && count < PREEMPT_DRAIN_GROUPS)
        count = PREEMPT_DRAIN_GROUPS;
    count = count > 0 ? count : 1;
    return count < left ? count : left;
}

static void preempt_send(struct engine *engine, struct task *task, struct preempt_run *run)
{
    struct lane *lane = engine_lane(engine, run->lane);
    uint32_t slot = (run->head + run->flying) % PREEMPT_FLIGHT;
    fgpu_cmd_slice *body = &run->bodies[slot];
    struct kernel *kernel = engine_kernel(engine, task->kernel);
    preempt_body(task, run, &preempt_form(engine, kernel, lane->device, run->form)->code, body);
    body->first = run->at;
    body->count = preempt_groups(engine, task, run);
    uint64_t ns = preempt_guess_ns(engine, task, run, body->count);
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

/* Hands out as much as there should be in flight. */
static void preempt_go(struct engine *engine, struct task *task, struct preempt_run *run)
{
    struct lane *lane = engine_lane(engine, run->lane);
    uint32_t most = run->form == FGPU_FORM_SLICED ? PREEMPT_FLIGHT : 1;
    while (run->flying < most && run->at < run->groups && lane_room(lane) > PREEMPT_ROOM)
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
    run->chained = chained;
    run->firm = serve_urgent_waits(engine); /* and yet it was chosen */
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
    if (!result->timed) {
        run->untimed = 1;
        return;
    }
    uint64_t ns = result->end_ns - result->start_ns;
    run->ran_ns += ns;
    run->ran_groups += body->count - left;
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

/* Urgent work has been handed out there, or waits in the backlog: more of it may follow, and would
 * have to wait for the next slice, or for a launch to be drained that has hardly begun. */
static bool preempt_is_urgent(const struct engine *engine, const struct lane *lane)
{
    for (uint64_t n = lane->done + 1; n <= lane->issued; n++) {
        uint32_t entry = lane->ring[n & lane->ring_mask];
        if (!(entry & RING_OP) && serve_is_urgent(engine, engine_task(engine, entry)))
            return true;
    }
    return serve_lane_is_urgent(engine, lane);
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
    if (waits && serve_suspend(engine, task)) {
        preempt_end_round(engine, task, run);
        engine->stats.preemptions += run->form == FGPU_FORM_SLICED;
        run->queued = 1;
        return;
    }
    if (!waits && preempt_has_room(engine, lane) && !preempt_is_urgent(engine, lane)) {
        run->firm = 0;
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
        if (run->lane != lane->index || run->flying == 0 || run->stopped || run->firm)
            continue;
        if (run->guard != 0) {
            run->stopped = 1;
            engine->stats.preemptions++;
            preempt_tell(engine, run, 1);
        }
        /* What urgent work may be handed out behind counts no longer. */
        for (uint32_t k = 0; k < PREEMPT_FLIGHT; k++) {
            lane->flight_ns -= run->flight_ns[k];
            run->flight_ns[k] = 0;
        }
        bitset_add(&engine->due, lane->index);
    }
    sched_update_hunger(engine, lane);
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
        lane->resumes--;
        preempt_begin_round(engine, task, run);
        preempt_go(engine, task, run);
    }
}

bool preempt_holds(const struct engine *engine)
{
    for (size_t i = 0; engine->preempt != NULL && i < engine->preempt->runs.count; i++)
        if (preempt_at(engine, i)->due)
            return true;
    return false;
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
