/* The form in which a kernel that makes way is launched: which, whether its code is there, its
 * guard.
 *
 * Takes PLACED tasks whose data are there, gives them with a record (core/preempt.h) whose code and
 * guard are made, or without one where they run whole. Runs under the engine's lock. Keeps true: a
 * form that has failed for a kernel on a device is not tried again there.
 */
#include <stdlib.h>
#include <string.h>

#include "core/lane.h"
#include "core/launch.h"
#include "core/preempt_state.h"
#include "core/serve.h"

#define PREEMPT_SHORT_NS 100000u                /* what is known to be shorter runs whole */
#define PREEMPT_GROUPS_MOST (UINT64_C(1) << 31) /* as backend.h has it */
#define PREEMPT_ITEMS 256u                      /* of a group, where the pool chooses its size */
#define PREEMPT_NATIVE_ITEMS 64u                /* the same, native */
#define PREEMPT_ITEMS_LEAST 8u    /* with fewer a group costs more than it does, ... */
#define PREEMPT_MANY_GROUPS 4096u /* ... which with so many matters */

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
           (history_slot_predict(engine->history, task->model, &ns) == HISTORY_UNKNOWN &&
            preempt_predict(engine, task, lane->device, &ns) == HISTORY_UNKNOWN);
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

struct preempt_code *preempt_form(const struct engine *engine, const struct kernel *kernel,
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
void preempt_body(const struct task *task, const struct preempt_run *run, const struct code *code,
                  fgpu_cmd_slice *body)
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

/* The forms that the pool may take and that have not failed for the kernel: 1 << fgpu_code_form. */
static uint32_t preempt_usable(const struct engine *engine, const struct task *task,
                               const struct preempt_run *run)
{
    const struct kernel *kernel = engine_kernel(engine, task->kernel);
    uint32_t device = engine_lane(engine, run->lane)->device, usable = 0;
    for (uint32_t form = FGPU_FORM_SLICED; form <= FGPU_FORM_GUARDED; form++)
        if ((engine->preempt->ways >> form & 1) && !(form == FGPU_FORM_GUARDED && run->bare) &&
            (run->compiled == form ||
             preempt_form(engine, kernel, device, form)->code.state != CODE_FAILED))
            usable |= 1u << form;
    return usable;
}

/* The form that it takes now: as it was chosen at first, or what is left of the others. */
static uint32_t preempt_choose(struct engine *engine, const struct task *task,
                               struct preempt_run *run)
{
    uint32_t usable = preempt_usable(engine, task, run);
    uint32_t device = engine_lane(engine, run->lane)->device;
    if (!run->chosen)
        run->wish = (uint8_t)preempt_wish(engine, task, device, usable);
    run->chosen = 1;
    if (run->wish == FGPU_FORM_WHOLE || (usable >> run->wish & 1))
        return run->wish;
    return usable >> FGPU_FORM_GUARDED & 1  ? FGPU_FORM_GUARDED
           : usable >> FGPU_FORM_SLICED & 1 ? FGPU_FORM_SLICED
                                            : FGPU_FORM_WHOLE;
}

/* The whole launch tells how long it may take where the form has not been measured. */
static void preempt_expect(struct engine *engine, const struct task *task, struct preempt_run *run)
{
    uint64_t ns;
    run->model = preempt_model(engine, task, engine_lane(engine, run->lane)->device, run->form);
    run->expected_ns = 0;
    if (history_slot_predict(engine->history, run->model, &ns) != HISTORY_UNKNOWN)
        run->expected_ns = ns;
    else if (history_slot_predict(engine->history, task->model, &ns) != HISTORY_UNKNOWN)
        run->expected_ns = ns;
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
    preempt_expect(engine, task, run);
    return preempt_code_there(engine, task, run, form) &&
           (form != FGPU_FORM_GUARDED || preempt_guard_there(engine, task, run));
}
