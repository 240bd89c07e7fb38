/* Pools: options, open, close, wait; host memory.
 *
 * Every call on a pool is its guest (lookup.h): whoever closes it stops new ones, lets those inside
 * come to their end, and frees it when the last has left. Thread: any.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/buffer.h"
#include "api/graph.h"
#include "api/map.h"
#include "api/reduce.h"
#include "api/task.h"
#include "base/clock.h"
#include "policy/policy.h"

#define POOL_HOST_ALIGN 4096u
#define POOL_CLOSE_NS 100000 /* how long closing sleeps before it looks again who is inside */

void fgpu_pool_options_init(fgpu_pool_options *options)
{
    memset(options, 0, sizeof *options);
    options->struct_bytes = sizeof *options;
    options->log_level = FGPU_LOG_WARN;
}

static fgpu_status pool_check_objective(const fgpu_pool_options *options)
{
    const char *policy = options->policy != NULL ? options->policy : "auto";
    if (options->objective > FGPU_OBJECTIVE_EDP)
        return error_set(FGPU_E_INVAL, "fgpu_pool_open: options.objective is %u, at most %d",
                         options->objective, FGPU_OBJECTIVE_EDP);
    if (options->objective >= FGPU_OBJECTIVE_ENERGY)
        return error_set(FGPU_E_UNSUPPORTED,
                         "fgpu_pool_open: options.objective is %u, but what the kernels draw on "
                         "real devices is not known; `fastgpu sim` takes that objective",
                         options->objective);
    if (options->objective != FGPU_OBJECTIVE_MAKESPAN && strcmp(policy, "auto") != 0)
        return error_set(FGPU_E_INVAL,
                         "fgpu_pool_open: options.objective is %u and options.policy '%s'; another "
                         "objective than the makespan needs 'auto'",
                         options->objective, policy);
    return FGPU_OK;
}

static fgpu_status pool_check_ways(const fgpu_pool_options *options)
{
    if (options->spill_compress > FGPU_POOL_SPILL_OFF)
        return error_set(FGPU_E_INVAL,
                         "fgpu_pool_open: options.spill_compress is %u; there are 0 (auto), 1 "
                         "(lz4), 2 (zstd) and 3 (off)",
                         options->spill_compress);
    if (options->preempt <= FGPU_POOL_PREEMPT_GUARD)
        return FGPU_OK;
    return error_set(FGPU_E_INVAL,
                     "fgpu_pool_open: options.preempt is %u; there are 0 (auto), 1 (off), 2 "
                     "(slices) and 3 (guard)",
                     options->preempt);
}

static fgpu_status pool_check_options(const fgpu_pool_options *options)
{
    if (options->struct_bytes != sizeof *options)
        return error_set(FGPU_E_VERSION,
                         "fgpu_pool_open: options.struct_bytes is %u, this library's is %zu: call "
                         "fgpu_pool_options_init first",
                         options->struct_bytes, sizeof *options);
    if (options->policy != NULL && policy_find(options->policy) == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_pool_open: options.policy is '%s'; there are: %s",
                         options->policy, policy_names());
    if (options->task_limit > LIMITS_TASKS)
        return error_set(FGPU_E_INVAL, "fgpu_pool_open: options.task_limit is %u, at most %u",
                         options->task_limit, LIMITS_TASKS);
    if (options->trace_events > LIMITS_TRACE_EVENTS_MOST)
        return error_set(FGPU_E_INVAL, "fgpu_pool_open: options.trace_events is %u, at most %u",
                         options->trace_events, LIMITS_TRACE_EVENTS_MOST);
    if (options->log_format > FGPU_LOG_JSON)
        return error_set(
            FGPU_E_INVAL,
            "fgpu_pool_open: options.log_format is %u; there are 0 (text) and 1 (json)",
            options->log_format);
    if (options->cpu_workers > 1024)
        return error_set(FGPU_E_INVAL, "fgpu_pool_open: options.cpu_workers is %u, at most 1024",
                         options->cpu_workers);
    if (options->subdevices > LIMITS_DEVICES)
        return error_set(FGPU_E_INVAL, "fgpu_pool_open: options.subdevices is %u, at most %u",
                         options->subdevices, LIMITS_DEVICES);
    if (options->alloc != NULL && (options->alloc->alloc == NULL || options->alloc->free == NULL))
        return error_set(FGPU_E_INVAL, "fgpu_pool_open: options.alloc lacks a function");
    if (options->flags & ~127u)
        return error_set(FGPU_E_INVAL, "fgpu_pool_open: options.flags has unknown bits 0x%x",
                         options->flags & ~127u);
    fgpu_status status = pool_check_ways(options);
    return status == FGPU_OK ? pool_check_objective(options) : status;
}

fgpu_status fgpu_pool_open(const fgpu_pool_options *options, fgpu_pool *handle)
{
    if (handle == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_pool_open: pool is NULL");
    handle->bits = 0;
    fgpu_pool_options defaults;
    fgpu_pool_options_init(&defaults);
    if (options == NULL)
        options = &defaults;
    fgpu_status status = pool_check_options(options);
    if (status != FGPU_OK)
        return status;
    struct pool *pool = lookup_pool_new();
    if (pool == NULL)
        return FGPU_E_LIMIT;
    status = driver_create(options, pool->index, pool->first_generation, &pool->driver);
    if (status == FGPU_OK) {
        status = reduce_init(pool);
        if (status == FGPU_OK)
            status = graph_tables_init(pool);
        if (status != FGPU_OK) {
            reduce_fini(pool);
            driver_destroy(pool->driver);
        }
    }
    if (status != FGPU_OK) {
        lookup_pool_free(pool, false);
        return status;
    }
    atomic_store_relaxed_u32(&pool->tenants, 0);
    atomic_store_relaxed_u32(&pool->quotas, 0);
    lock_init(&pool->maps_lock);
    vec_init(&pool->maps, sizeof(struct lookup_map), NULL);
    lookup_pool_opened(pool);
    *handle = lookup_pool_handle(pool);
    return FGPU_OK;
}

fgpu_status fgpu_pool_open_text(const char *text, fgpu_pool *pool)
{
    fgpu_pool_options options;
    fgpu_pool_options_init(&options);
    fgpu_status status = text == NULL ? FGPU_OK : fgpu_pool_options_parse(text, &options);
    return status == FGPU_OK ? fgpu_pool_open(&options, pool) : status;
}

/* ---- waiting for everything ------------------------------------------------------------- */

static bool pool_is_idle(struct driver *driver, void *user)
{
    (void)user;
    lock_acquire(&driver->lock);
    bool idle = driver->engine.pending_tasks == driver->engine.held_maps &&
                inbox_is_empty(&driver->engine.inbox) &&
                atomic_load_seqcst_u32(&driver->callbacks.out) == 0;
    lock_release(&driver->lock);
    return idle;
}

/* Data that were lost before they came back to the caller's memory; told once. */
static fgpu_status pool_unreturned(struct engine *engine)
{
    struct engine_unreturned lost = engine->unreturned;
    engine->unreturned.count = 0;
    if (lost.count == 0)
        return FGPU_OK;
    const char *why = lost.status == FGPU_E_POISONED ? "they were lost with a device"
                                                     : fgpu_status_text(lost.status);
    return error_set(lost.status,
                     "buffer '%s' (and %u more): its data did not come back to the caller's "
                     "memory: %s",
                     lost.name, lost.count - 1, why);
}

static fgpu_status pool_first_failure(struct pool *pool)
{
    driver_enter(pool->driver);
    uint32_t index = engine_take_failure(&pool->driver->engine);
    fgpu_status status =
        index == TASK_NONE ? pool_unreturned(&pool->driver->engine) : task_error_text(pool, index);
    driver_leave(pool->driver);
    return status;
}

static uint64_t pool_deadline(uint64_t timeout_ns)
{
    if (timeout_ns == FGPU_FOREVER)
        return UINT64_MAX;
    uint64_t now_ns = clock_now_ns();
    return timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + timeout_ns;
}

fgpu_status fgpu_pool_wait(fgpu_pool handle, uint64_t timeout_ns)
{
    fgpu_status status;
    LOOKUP_GUEST *pool = lookup_pool(handle, "fgpu_pool_wait: pool", &status);
    if (pool == NULL)
        return status;
    status = lookup_may_wait("fgpu_pool_wait");
    if (status != FGPU_OK)
        return status;
    status = driver_wait_all(pool->driver, pool_is_idle, NULL, pool_deadline(timeout_ns));
    if (status == FGPU_OK)
        status = pool_first_failure(pool);
    else
        (void)error_set(status, "fgpu_pool_wait: tasks are still pending after %llu ns",
                        (unsigned long long)timeout_ns);
    return status;
}

/* ---- closing ---------------------------------------------------------------------------- */

/* Until the other threads have left: what they hold mapped may be what one of them waits for. */
static void pool_empty(struct pool *pool)
{
    for (;;) {
        bool left = lookup_pool_is_left(pool);
        map_end_all(pool);
        if (left)
            return;
        doorbell_ring(&pool->driver->bell);
        (void)nanosleep(&(struct timespec){.tv_nsec = POOL_CLOSE_NS}, NULL);
    }
}

/* For the tasks that return the callers' memory: whatever failed is asked about by nobody now, and
 * they may wait. */
static void pool_make_room(struct pool *pool)
{
    struct engine *engine = &pool->driver->engine;
    driver_enter(pool->driver);
    for (uint32_t i = 0; i < table_high_water(&engine->tasks); i++) {
        fgpu_task_state state = task_state(engine_task(engine, i));
        if (state == FGPU_TASK_FAILED || state == FGPU_TASK_POISONED ||
            state == FGPU_TASK_CANCELLED)
            engine_forget(engine, i);
    }
    pool->driver->nowait = false;
    driver_leave(pool->driver);
}

/* The pool, which is the calling thread's alone to close now; NULL with *status and a text. */
static struct pool *pool_start_closing(fgpu_pool handle, fgpu_status *status)
{
    LOOKUP_GUEST *pool = lookup_pool(handle, "fgpu_pool_close: pool", status);
    if (pool == NULL)
        return NULL;
    *status = lookup_may_wait("fgpu_pool_close");
    if (*status != FGPU_OK)
        return NULL;
    uint32_t open = 0;
    if (atomic_cas_seqcst_u32(&pool->closing, &open, 1))
        return pool;
    *status = error_set(FGPU_E_CLOSED, "fgpu_pool_close: another thread is closing the pool");
    return NULL;
}

fgpu_status fgpu_pool_close(fgpu_pool handle)
{
    fgpu_status status;
    if (handle.bits == 0)
        return FGPU_OK;
    struct pool *pool = pool_start_closing(handle, &status);
    if (pool == NULL)
        return status;
    pool_empty(pool);
    (void)driver_wait_all(pool->driver, pool_is_idle, NULL, UINT64_MAX);
    status = pool_first_failure(pool);
    char why[LIMITS_ERROR_TEXT];
    (void)snprintf(why, sizeof why, "%s", error_text());
    pool_make_room(pool);
    buffer_return_adopted(pool);
    (void)driver_wait_all(pool->driver, pool_is_idle, NULL, UINT64_MAX);
    fgpu_status returned = pool_first_failure(pool);
    if (status != FGPU_OK)
        (void)error_set(status, "%s", why);
    else
        status = returned;
    pool->first_generation = graph_next_generation(pool);
    graph_tables_fini(pool);
    reduce_fini(pool);
    vec_fini(&pool->maps);
    driver_destroy(pool->driver);
    pool->driver = NULL;
    lookup_pool_free(pool, true);
    return status;
}

/* ---- host memory ------------------------------------------------------------------------ */

void *fgpu_host_alloc(size_t bytes)
{
    if (bytes == 0 || bytes > SIZE_MAX / 2) {
        (void)error_set(FGPU_E_INVAL, "fgpu_host_alloc: bytes is %zu; it takes 1 to %zu", bytes,
                        SIZE_MAX / 2);
        return NULL;
    }
    size_t rounded = (bytes + POOL_HOST_ALIGN - 1) & ~(size_t)(POOL_HOST_ALIGN - 1);
    void *ptr = aligned_alloc(POOL_HOST_ALIGN, rounded);
    if (ptr == NULL)
        (void)error_set(FGPU_E_NOMEM, "fgpu_host_alloc: no memory for %zu bytes", bytes);
    return ptr;
}

void fgpu_host_free(void *ptr)
{
    free(ptr);
}

fgpu_status fgpu_backend_register(const fgpu_backend *backend)
{
    return registry_add(backend);
}
