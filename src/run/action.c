/* The embedded driver carries out the engine's actions: memory, builds, plans; callbacks
 * are in callback.c.
 *
 * Takes struct action records after a turn, feeds the answers back as events. Runs under the
 * driver's lock; builds of text and searches for plans run on threads of their own. Keeps
 * true: every ALLOC, BUILD and PLAN is answered.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "core/preempt.h"
#include "core/search.h"
#include "run/driver.h"

#define ACTION_HOST_ALIGN 4096u

/* ---- builds ----------------------------------------------------------------------------- */

/* Code for slices or a guard, compiled for the launch. Thread: build thread, or whoever turns the
 * crank where there is nothing to compile. */
static fgpu_status action_form_make(struct driver *driver, struct driver_build *build)
{
    struct device *device = &driver->devices[build->device];
    fgpu_status status = FGPU_OK;
    bool live = true;
    if (build->code == 0 && build->source.form == FGPU_FORM_GUARDED)
        status = device_live_flag(device, &live);
    if (status == FGPU_OK && !live)
        return error_set(FGPU_E_UNSUPPORTED, "a running kernel does not see what the host stores");
    if (status == FGPU_OK && build->code == 0)
        status = device_code_build(device, &build->source, &build->built);
    if (status != FGPU_OK || build->source.kind == FGPU_VARIANT_NATIVE)
        return status;
    build->launch.code = build->code != 0 ? build->code : build->built.code;
    return device_code_warm(device, &build->launch);
}

/* Thread: build thread. */
static void action_build_job(struct driver *driver, void *job)
{
    struct driver_build *build = job;
    if (build->source.form != FGPU_FORM_WHOLE) {
        build->status = action_form_make(driver, build);
        if (build->status != FGPU_OK && build->built.log == NULL)
            build->built.log = strdup(error_text()); /* of this thread */
    } else {
        build->status =
            device_code_build(&driver->devices[build->device], &build->source, &build->built);
    }
    lock_acquire(&driver->built_lock);
    void *place = vec_push(&driver->built, build);
    lock_release(&driver->built_lock);
    FGPU_ASSERT(place != NULL);
    doorbell_ring(&driver->bell);
}

static void action_built(struct driver *driver, struct driver_build *build)
{
    if (build->source.form != FGPU_FORM_WHOLE) {
        engine_formed(&driver->engine, build->kernel, build->device, build->source.form,
                      build->status, &build->built);
        return;
    }
    if (build->status != FGPU_OK)
        LOG_INFO(&driver->log, "build", "kernel '%s' does not build for %s: %s",
                 engine_kernel(&driver->engine, build->kernel)->name,
                 driver->devices[build->device].info.id,
                 build->built.log != NULL ? build->built.log : fgpu_status_text(build->status));
    engine_built(&driver->engine, build->kernel, build->device, build->status, &build->built);
}

/* Room for the result is made beforehand: the build thread could tell nobody that it has none. */
static bool action_queue_build(struct driver *driver, const struct driver_build *build)
{
    lock_acquire(&driver->built_lock);
    bool room = vec_reserve(&driver->built, driver->building + 1u);
    lock_release(&driver->built_lock);
    return room && worker_add(&driver->builder, build);
}

static fgpu_code_source action_source(const struct driver *driver, const struct kernel *kernel,
                                      const struct variant *variant)
{
    return (fgpu_code_source){.kind = variant->kind,
                              .arg_count = kernel->arg_count,
                              .text = variant->text,
                              .entry = variant->entry,
                              .options = variant->options != NULL ? variant->options : "",
                              .native = variant->native,
                              .native_user = variant->native_user,
                              .cache_dir = driver->cache_dir[0] ? driver->cache_dir : NULL};
}

static bool action_build(struct driver *driver, const struct action *action)
{
    struct kernel *kernel = engine_kernel(&driver->engine, action->index);
    const struct variant *variant = &kernel->variants[action->handle];
    struct driver_build build = {.kernel = action->index,
                                 .device = action->device,
                                 .source = action_source(driver, kernel, variant)};
    if (variant->kind == FGPU_VARIANT_NATIVE) { /* nothing to compile: here and now */
        build.status =
            device_code_build(&driver->devices[build.device], &build.source, &build.built);
    } else if (action_queue_build(driver, &build)) {
        driver->building++;
        return false;
    } else {
        build.status = FGPU_E_NOMEM;
    }
    action_built(driver, &build);
    return true;
}

/* The variant that runs whole there, in another form. */
static bool action_form(struct driver *driver, const struct action *action)
{
    struct kernel *kernel = engine_kernel(&driver->engine, action->index);
    uint32_t kind = engine_code(&driver->engine, kernel, action->device)->variant;
    const struct variant *variant = kernel->variants;
    while (variant->kind != kind)
        variant++;
    struct driver_build build = {.kernel = action->index,
                                 .device = action->device,
                                 .source = action_source(driver, kernel, variant),
                                 .code = action->handle,
                                 .launch = action->run->bodies[0].launch};
    build.source.form = action->form;
    if (variant->text != NULL) /* a form has its own ways to say where a group lies */
        build.source.text = variant->text + variant->prelude;
    if (kind == FGPU_VARIANT_NATIVE) {
        build.status = action_form_make(driver, &build);
    } else if (action_queue_build(driver, &build)) {
        driver->building++;
        return false;
    } else {
        build.status = FGPU_E_NOMEM;
    }
    action_built(driver, &build);
    return true;
}

fgpu_status driver_need_builder(struct driver *driver, uint32_t variant_kind)
{
    if (atomic_load_acquire_u32(&driver->builder.started))
        return FGPU_OK;
    bool taken = false;
    for (uint32_t d = 0; d < driver->device_count; d++)
        taken |= driver->engine.devices[d].caps.variants >> variant_kind & 1;
    fgpu_status status =
        taken ? worker_start(driver, &driver->builder, "fgpu-build", action_build_job) : FGPU_OK;
    return status == FGPU_OK
               ? status
               : error_set(status, "the thread that would compile it cannot be started");
}

/* ---- plans ------------------------------------------------------------------------------ */

/* Thread: planning thread. */
static void action_plan_job(struct driver *driver, void *job)
{
    search_run(*(struct search **)job);
    atomic_store_release_u32(&driver->planned, 1);
    doorbell_ring(&driver->bell);
}

static bool action_plan(struct driver *driver)
{
    struct search *search = engine_search(&driver->engine);
    if (worker_start(driver, &driver->planning, "fgpu-plan", action_plan_job) == FGPU_OK &&
        worker_add(&driver->planning, &search))
        return false;
    search_run(search);
    engine_planned(&driver->engine);
    return true;
}

/* ---- memory ----------------------------------------------------------------------------- */

static void action_alloc(struct driver *driver, const struct action *action)
{
    fgpu_mem mem = 0;
    if (action->node == 0)
        mem =
            (uint64_t)(uintptr_t)alloc_get(driver->alloc, (size_t)action->bytes, ACTION_HOST_ALIGN);
    else if (device_mem_alloc(&driver->devices[action->device], action->bytes, &mem) != FGPU_OK)
        mem = 0;
    if (mem == 0)
        LOG_INFO(&driver->log, "memory", "node %u has no %llu bytes more", action->node,
                 (unsigned long long)action->bytes);
    if (action->node == 0)
        pin_memory(driver, (void *)(uintptr_t)mem, action->bytes);
    engine_slab(&driver->engine, action->node, mem, action->bytes);
}

static void action_stitch(struct driver *driver, const struct action *action)
{
    fgpu_mem mem = 0;
    if (device_mem_stitch(&driver->devices[action->device], action->pieces, (uint32_t)action->bytes,
                          &mem) != FGPU_OK)
        LOG_INFO(&driver->log, "memory", "node %u: %llu pieces cannot be put together",
                 action->node, (unsigned long long)action->bytes);
    engine_stitched(&driver->engine, action->node, action->index, mem);
}

static void action_guard(struct driver *driver, const struct action *action)
{
    fgpu_guard guard = 0;
    if (device_guard_open(&driver->devices[action->device], action->bytes, &guard) != FGPU_OK)
        LOG_INFO(&driver->log, "memory", "no guard for %llu groups: %s",
                 (unsigned long long)action->bytes, error_text());
    engine_guard(&driver->engine, action->index, guard);
}

void driver_tell_guards(struct driver *driver)
{
    struct vec *guards = &driver->engine.guards;
    for (size_t i = 0; i < guards->count; i++) {
        const struct preempt_order *order = vec_at(guards, i);
        device_guard_stop(&driver->devices[order->device], order->guard, order->stop != 0);
    }
    vec_clear(guards);
}

static void action_free(struct driver *driver, const struct action *action)
{
    if (action->node == 0)
        pin_free(driver, (void *)(uintptr_t)action->handle, action->bytes);
    else
        device_mem_free(&driver->devices[action->device], action->handle);
}

/* ---- both ways -------------------------------------------------------------------------- */

bool driver_act(struct driver *driver)
{
    bool fed = false;
    for (size_t i = 0; i < driver->engine.actions.count; i++) {
        struct action action = *(struct action *)vec_at(&driver->engine.actions, i);
        switch ((enum action_kind)action.kind) {
        case ACTION_ALLOC:
            action_alloc(driver, &action);
            fed = true;
            break;
        case ACTION_FREE:
            action_free(driver, &action);
            break;
        case ACTION_STITCH:
            action_stitch(driver, &action);
            fed = true;
            break;
        case ACTION_BUILD:
            fed |= action_build(driver, &action);
            break;
        case ACTION_FORM:
            fed |= action_form(driver, &action);
            break;
        case ACTION_GUARD:
            action_guard(driver, &action);
            fed = true;
            break;
        case ACTION_UNGUARD:
            device_guard_close(&driver->devices[action.device], action.handle);
            break;
        case ACTION_PLAN:
            fed |= action_plan(driver);
            break;
        case ACTION_CODE_FREE:
            device_code_free(&driver->devices[action.device], action.handle);
            break;
        case ACTION_CALLBACK:
            callback_order(driver, action.index);
            break;
        }
    }
    vec_clear(&driver->engine.actions);
    return fed;
}

static bool action_take(struct lock *lock, struct vec *from, void *out)
{
    lock_acquire(lock);
    bool any = from->count > 0;
    if (any) {
        memcpy(out, vec_at(from, from->count - 1), from->item_bytes);
        from->count--;
    }
    lock_release(lock);
    return any;
}

bool driver_feed(struct driver *driver)
{
    bool fed = false;
    struct driver_build build;
    while (driver->building > 0 && action_take(&driver->built_lock, &driver->built, &build)) {
        driver->building--;
        action_built(driver, &build);
        fed = true;
    }
    if (atomic_load_acquire_u32(&driver->planned)) {
        atomic_store_release_u32(&driver->planned, 0);
        engine_planned(&driver->engine);
        fed = true;
    }
    return callback_feed(driver) || fed;
}
