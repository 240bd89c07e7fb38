/* The embedded driver carries out the engine's actions: memory, builds, callbacks.
 *
 * Takes struct action records after a turn, feeds the answers back as events. Runs under the
 * driver's lock; builds of text and callbacks run on threads of their own and come back through
 * lists. Keeps true: every ALLOC and BUILD is answered.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/handle.h"
#include "base/role.h"
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
    if (variant->kind != FGPU_VARIANT_NATIVE &&
        worker_add(driver, &driver->builder, "fgpu-build", action_build_job, &build)) {
        driver->building++;
        return false;
    }
    /* Nothing to compile, or no thread to be had: here and now. */
    build.status = device_code_build(&driver->devices[build.device], &build.source, &build.built);
    action_built(driver, &build);
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

/* ---- callbacks -------------------------------------------------------------------------- */

/* Thread: callback thread. */
static void action_callback_job(struct driver *driver, void *job)
{
    uint32_t index = *(uint32_t *)job;
    struct task *task = engine_task(&driver->engine, index);
    const struct task_extra *extra = task_extra(task);
    fgpu_task handle = {
        handle_make(HANDLE_TASK, driver->pool, task_word(task) >> TASK_STATE_BITS, index)};
    role_now = ROLE_CALLBACK;
    extra->on_done(handle, (fgpu_status)task->status, extra->on_done_user);
    role_now = ROLE_USER;
    lock_acquire(&driver->callbacks.lock);
    void *place = vec_push(&driver->callbacks_done, &index);
    lock_release(&driver->callbacks.lock);
    FGPU_ASSERT(place != NULL);
    (void)atomic_sub_seqcst_u32(&driver->callbacks_out, 1);
    doorbell_ring(&driver->bell);
}

static void action_callback(struct driver *driver, const struct action *action)
{
    (void)atomic_add_seqcst_u32(&driver->callbacks_out, 1);
    if (worker_add(driver, &driver->callbacks, "fgpu-callback", action_callback_job,
                   &action->index))
        return;
    LOG_ERROR(&driver->log, "callback",
              "no thread or no memory for completion callbacks: called here");
    uint32_t index = action->index;
    action_callback_job(driver, &index);
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
        case ACTION_CODE_FREE:
            device_code_free(&driver->devices[action.device], action.handle);
            break;
        case ACTION_CALLBACK:
            action_callback(driver, &action);
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
    uint32_t task;
    while (driver->callbacks.started &&
           action_take(&driver->callbacks.lock, &driver->callbacks_done, &task)) {
        engine_callback_done(&driver->engine, task);
        fed = true;
    }
    return fed;
}
