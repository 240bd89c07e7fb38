/* The embedded driver carries out the engine's actions: memory, builds, plans; callbacks
 * are in callback.c.
 *
 * Takes struct action records after a turn, feeds the answers back as events. Runs under the
 * driver's lock; builds of text and searches for plans run on threads of their own. Keeps
 * true: every ALLOC, BUILD and PLAN is answered.
 */
#include <stdlib.h>

#include "base/error.h"
#include "core/search.h"
#include "run/driver.h"

#define ACTION_HOST_ALIGN 4096u

/* ---- builds ----------------------------------------------------------------------------- */

/* Thread: build thread. */
static void action_build_job(struct driver *driver, void *job)
{
    struct driver_build *build = job;
    build->status =
        device_code_build(&driver->devices[build->device], &build->source, &build->built);
    lock_acquire(&driver->built_lock);
    void *place = vec_push(&driver->built, build);
    lock_release(&driver->built_lock);
    FGPU_ASSERT(place != NULL);
    doorbell_ring(&driver->bell);
}

static void action_built(struct driver *driver, struct driver_build *build)
{
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

static bool action_build(struct driver *driver, const struct action *action)
{
    struct kernel *kernel = engine_kernel(&driver->engine, action->index);
    const struct variant *variant = &kernel->variants[action->handle];
    struct driver_build build = {.kernel = action->index, .device = action->device};
    build.source = (fgpu_code_source){.kind = variant->kind,
                                      .arg_count = kernel->arg_count,
                                      .text = variant->text,
                                      .entry = variant->entry,
                                      .options = variant->options != NULL ? variant->options : "",
                                      .native = variant->native,
                                      .native_user = variant->native_user,
                                      .cache_dir = driver->cache_dir[0] ? driver->cache_dir : NULL};
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
    engine_slab(&driver->engine, action->node, mem, action->bytes);
}

static void action_free(struct driver *driver, const struct action *action)
{
    if (action->node == 0)
        alloc_put(driver->alloc, (void *)(uintptr_t)action->handle, (size_t)action->bytes);
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
        case ACTION_BUILD:
            fed |= action_build(driver, &action);
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
