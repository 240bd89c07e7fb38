/* Which form a kernel that makes way had better take, by what the forms were measured to cost.
 *
 * Takes a PLACED task that may be stopped, gives a form. Each form has a slot of its own in the
 * performance model, beside that of the whole launch: a compiler may vectorise the loops of one and
 * not of another (decision 028). The rule: what costs no more than the whole launch is taken,
 * under a guard before in slices. What is dear is left where nothing urgent was seen for a while,
 * where the whole launch is as short as a slice, or where the form takes twice as long and the
 * whole launch is not long; else urgent work is worth it. What has not been measured is tried: the
 * whole launch twice, while nothing is urgent, if it is not long; slices, where the guard is slow.
 * What was left is tried again now and then, for the measurements may have been bad.
 *
 * Runs under the engine's lock. Keeps true: at most PREEMPT_TRIES trials for a kernel and device,
 * and one task in PREEMPT_AGAIN; nothing is chosen where the pool's option names a way.
 */
#include <math.h>

#include "core/launch.h"
#include "core/preempt_state.h"
#include "core/serve.h"

#define PREEMPT_DEAR 0.03            /* more than the whole launch, beside what measuring errs by */
#define PREEMPT_SLOW 0.25            /* a guard by so much: slices are tried */
#define PREEMPT_GAIN 0.10            /* slices by so much better than a guard */
#define PREEMPT_TWICE 1.0            /* urgent work is not worth that, ... */
#define PREEMPT_FRAME_NS 20000000u   /* where the whole launch does not take longer */
#define PREEMPT_TRY_NS 250000000u    /* a launch that is tried while nothing is urgent */
#define PREEMPT_QUIET_NS 1000000000u /* after the last urgent task */
#define PREEMPT_RUNS 2u              /* measurements that are believed */
#define PREEMPT_PATIENCE 16u /* tasks until one of a frame is tried though urgent work comes */
#define PREEMPT_TRIES 16u
#define PREEMPT_AGAIN 64u

uint64_t preempt_key(const struct engine *engine, const struct kernel *kernel, uint32_t device,
                     uint32_t form)
{
    return launch_model_key(engine, kernel, device) ^ (form * UINT64_C(0x9e3779b97f4a7c15));
}

uint32_t preempt_model(const struct engine *engine, const struct task *task, uint32_t device,
                       uint32_t form)
{
    const struct kernel *kernel = engine_kernel(engine, task->kernel);
    struct code *code = &preempt_form(engine, kernel, device, form)->code;
    if (!code->model_valid || code->model_size != task->size) {
        code->model_slot = history_slot(engine->history, preempt_key(engine, kernel, device, form),
                                        engine->devices[device].key, task->size);
        code->model_size = task->size;
        code->model_valid = 1;
    }
    return code->model_slot;
}

enum history_trust preempt_predict(const struct engine *engine, const struct task *task,
                                   uint32_t device, uint64_t *ns)
{
    const struct kernel *kernel = engine_kernel(engine, task->kernel);
    for (uint32_t form = FGPU_FORM_GUARDED; form > FGPU_FORM_WHOLE; form--) {
        enum history_trust trust =
            history_predict(engine->history, preempt_key(engine, kernel, device, form),
                            engine->devices[device].key, task->size, ns);
        if (trust != HISTORY_UNKNOWN)
            return trust;
    }
    return HISTORY_UNKNOWN;
}

/* ---- what they cost ----------------------------------------------------------------------- */

struct preempt_cost {
    double ns;    /* 0: nobody knows */
    double error; /* of that, as a part of it */
    bool judged;  /* measured often enough to compare */
};

static struct preempt_cost preempt_cost_of(struct engine *engine, uint32_t slot)
{
    struct history_stats stats = history_slot_stats(engine->history, slot);
    double runs = stats.runs > 1 ? (double)stats.runs : 1;
    return (struct preempt_cost){.ns = stats.mean_ns,
                                 .error = stats.spread / sqrt(runs),
                                 .judged =
                                     stats.runs >= PREEMPT_RUNS || stats.trust == HISTORY_FIT};
}

/* By which part of b is a the longer one? */
static double preempt_excess(const struct preempt_cost *a, const struct preempt_cost *b)
{
    return b->ns > 0 ? a->ns / b->ns - 1 : 0;
}

static bool preempt_is_dear(const struct preempt_cost *form, const struct preempt_cost *whole)
{
    return preempt_excess(form, whole) > PREEMPT_DEAR + form->error + whole->error;
}

/* ---- the choice --------------------------------------------------------------------------- */

struct preempt_ask {
    struct engine *engine;
    const struct kernel *kernel;
    struct preempt_code *trials; /* where they are counted */
    struct preempt_cost costs[FGPU_FORM_GUARDED + 1];
    uint32_t usable; /* bits: 1 << fgpu_code_form */
    bool quiet;
};

/* Is a trial due? Counts it. */
static bool preempt_try(const struct preempt_ask *ask)
{
    if (ask->trials->tried >= PREEMPT_TRIES)
        return false;
    ask->trials->tried++;
    return true;
}

/* Once in a while, and never as the first. */
static bool preempt_again(const struct preempt_ask *ask)
{
    return ask->trials->turns % PREEMPT_AGAIN == PREEMPT_AGAIN - 1;
}

/* The better of the forms that there are. */
static uint32_t preempt_better(const struct preempt_ask *ask)
{
    const struct preempt_cost *guard = &ask->costs[FGPU_FORM_GUARDED];
    const struct preempt_cost *slices = &ask->costs[FGPU_FORM_SLICED];
    const struct preempt_cost *whole = &ask->costs[FGPU_FORM_WHOLE];
    if (!(ask->usable >> FGPU_FORM_GUARDED & 1))
        return FGPU_FORM_SLICED;
    if (!(ask->usable >> FGPU_FORM_SLICED & 1) || !guard->judged)
        return FGPU_FORM_GUARDED;
    if (slices->judged)
        return preempt_excess(guard, slices) > PREEMPT_GAIN && preempt_is_dear(guard, slices) &&
                       !preempt_again(ask)
                   ? FGPU_FORM_SLICED
                   : FGPU_FORM_GUARDED;
    bool slow = whole->judged && preempt_excess(guard, whole) > PREEMPT_SLOW;
    return slow && preempt_try(ask) ? FGPU_FORM_SLICED : FGPU_FORM_GUARDED;
}

/* Nobody knows what the whole launch takes; about as long as that of the form, it is hoped. */
static bool preempt_try_whole(const struct preempt_ask *ask, const struct preempt_cost *form)
{
    bool late = ask->trials->turns >= PREEMPT_PATIENCE && form->ns <= PREEMPT_FRAME_NS;
    return form->ns > 0 && ((ask->quiet && form->ns <= PREEMPT_TRY_NS) || late) && preempt_try(ask);
}

static uint32_t preempt_decide(const struct preempt_ask *ask)
{
    uint32_t form = preempt_better(ask);
    const struct preempt_cost *cost = &ask->costs[form], *whole = &ask->costs[FGPU_FORM_WHOLE];
    if (!whole->judged)
        return preempt_try_whole(ask, cost) ? FGPU_FORM_WHOLE : form;
    if (!cost->judged)
        return form;
    bool again = preempt_again(ask);
    if (!preempt_is_dear(cost, whole))
        return again && ask->quiet && whole->ns <= PREEMPT_TRY_NS ? FGPU_FORM_WHOLE : form;
    bool twice = preempt_excess(cost, whole) > PREEMPT_TWICE && whole->ns <= PREEMPT_FRAME_NS;
    return (ask->quiet || whole->ns <= PREEMPT_SLICE_NS || twice) && !again ? FGPU_FORM_WHOLE
                                                                            : form;
}

static void preempt_tell_form(const struct preempt_ask *ask, uint32_t device, uint32_t form)
{
    static const char *const names[] = {"whole", "in slices", "under a guard"};
    const struct preempt_cost *costs = ask->costs;
    if (ask->trials->told == form + 1)
        return;
    ask->trials->told = (uint8_t)(form + 1);
    LOG_INFO(ask->engine->log, "preempt",
             "kernel '%s' on device %u runs %s: whole %.3f ms, in slices %.3f, under a guard %.3f",
             ask->kernel->name, device, names[form], costs[FGPU_FORM_WHOLE].ns / 1e6,
             costs[FGPU_FORM_SLICED].ns / 1e6, costs[FGPU_FORM_GUARDED].ns / 1e6);
}

uint32_t preempt_wish(struct engine *engine, const struct task *task, uint32_t device,
                      uint32_t usable)
{
    const struct serve *serve = engine->serve;
    const struct kernel *kernel = engine_kernel(engine, task->kernel);
    struct preempt_ask ask = {.engine = engine,
                              .kernel = kernel,
                              .trials = preempt_form(engine, kernel, device, FGPU_FORM_GUARDED),
                              .usable = usable};
    if (usable == 0)
        return FGPU_FORM_WHOLE;
    if (engine->preempt_way != FGPU_POOL_PREEMPT_AUTO)
        return usable >> FGPU_FORM_GUARDED & 1 ? FGPU_FORM_GUARDED : FGPU_FORM_SLICED;
    ask.quiet = serve->urgent == 0 &&
                (serve->calm_ns == 0 || engine->now_ns >= serve->calm_ns + PREEMPT_QUIET_NS);
    ask.costs[FGPU_FORM_WHOLE] = preempt_cost_of(engine, task->model);
    for (uint32_t form = FGPU_FORM_SLICED; form <= FGPU_FORM_GUARDED; form++)
        ask.costs[form] = preempt_cost_of(engine, preempt_model(engine, task, device, form));
    uint32_t form = preempt_decide(&ask);
    ask.trials->turns++;
    preempt_tell_form(&ask, device, form);
    return form;
}
