/* Handles become objects, or clear errors; see lookup.h. Owns the places of all pools of the
 * process. Thread: any. */
#include "api/lookup.h"

#include <pthread.h>
#include <stdio.h>

#include "base/role.h"

static struct pool lookup_pools[LIMITS_POOLS];
static struct lock lookup_lock; /* of taking and giving places */
static uint32_t lookup_next;    /* where to look first */
static _Atomic uint32_t lookup_fork_count;
static pthread_once_t lookup_once = PTHREAD_ONCE_INIT;

static void lookup_forked(void)
{
    (void)atomic_add_relaxed_u32(&lookup_fork_count, 1);
}

static void lookup_watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, lookup_forked);
}

static const char *const lookup_names[] = {"nothing", "pool", "device", "buffer",
                                           "kernel",  "task", "graph",  "instantiated graph"};

/* ---- pools ------------------------------------------------------------------------------ */

struct pool *lookup_pool_new(void)
{
    (void)pthread_once(&lookup_once, lookup_watch_forks);
    struct pool *found = NULL;
    lock_acquire(&lookup_lock);
    /* In turn, so that a place stays empty as long as possible: a handle of the pool that was there
     * is told apart by its generation, whose bits are used up one day. */
    for (uint32_t n = 0; n < LIMITS_POOLS && found == NULL; n++) {
        uint32_t i = (lookup_next + n) % LIMITS_POOLS;
        struct pool *pool = &lookup_pools[i];
        if (atomic_load_relaxed_u32(&pool->live) & 1 || atomic_load_relaxed_u32(&pool->guests) != 0)
            continue;
        lookup_next = i + 1;
        pool->index = i;
        pool->forks = atomic_load_relaxed_u32(&lookup_fork_count);
        atomic_store_relaxed_u32(&pool->guests,
                                 1); /* the place is taken; lookup_pool_opened ends it */
        atomic_store_relaxed_u32(&pool->closing, 0);
        found = pool;
    }
    lock_release(&lookup_lock);
    if (found == NULL)
        (void)error_set(FGPU_E_LIMIT, "%d pools are open, the limit of a process", LIMITS_POOLS);
    return found;
}

void lookup_pool_opened(struct pool *pool)
{
    atomic_store_release_u32(&pool->live, atomic_load_relaxed_u32(&pool->live) + 1);
    (void)atomic_sub_seqcst_u32(&pool->guests, 1);
}

void lookup_pool_free(struct pool *pool, bool was_open)
{
    if (was_open)
        atomic_store_release_u32(&pool->live, atomic_load_relaxed_u32(&pool->live) + 1);
    else
        (void)atomic_sub_seqcst_u32(&pool->guests, 1);
}

fgpu_pool lookup_pool_handle(const struct pool *pool)
{
    fgpu_pool handle = {
        handle_make(HANDLE_POOL, pool->index, atomic_load_relaxed_u32(&pool->live), 0)};
    return handle;
}

static fgpu_status lookup_kind(uint64_t bits, enum handle_kind kind, const char *who)
{
    enum handle_kind found = handle_kind(bits);
    if (found == kind)
        return FGPU_OK;
    if (bits == 0)
        return error_set(FGPU_E_HANDLE, "%s: the %s handle is zero", who, lookup_names[kind]);
    if (found == HANDLE_NONE || found > HANDLE_EXEC)
        return error_set(FGPU_E_HANDLE, "%s: 0x%016llx is no handle of this library", who,
                         (unsigned long long)bits);
    return error_set(FGPU_E_HANDLE, "%s: 0x%016llx is a %s, not a %s", who,
                     (unsigned long long)bits, lookup_names[found], lookup_names[kind]);
}

static struct pool *lookup_usable(struct pool *pool, const char *who, fgpu_status *status)
{
    if (!(atomic_load_acquire_u32(&pool->live) & 1))
        *status = error_set(FGPU_E_STALE, "%s: its pool has been closed", who);
    else if (pool->forks != atomic_load_relaxed_u32(&lookup_fork_count))
        *status =
            error_set(FGPU_E_FORKED, "%s: the pool was opened by the parent of this process", who);
    else if (atomic_load_relaxed_u32(&pool->closing))
        *status = error_set(FGPU_E_CLOSED, "%s: the pool is closing", who);
    else
        return pool;
    return NULL;
}

struct pool *lookup_pool(fgpu_pool handle, const char *who, fgpu_status *status)
{
    *status = lookup_kind(handle.bits, HANDLE_POOL, who);
    if (*status != FGPU_OK)
        return NULL;
    struct pool *pool = &lookup_pools[handle_pool(handle.bits)];
    uint32_t live = atomic_load_acquire_u32(&pool->live);
    if ((live & HANDLE_GENERATION_MASK) != handle_generation(handle.bits)) {
        *status = error_set(FGPU_E_STALE, "%s: the pool has been closed", who);
        return NULL;
    }
    return lookup_usable(pool, who, status);
}

struct pool *lookup_pool_of(uint64_t bits, enum handle_kind kind, const char *who,
                            fgpu_status *status)
{
    *status = lookup_kind(bits, kind, who);
    if (*status != FGPU_OK)
        return NULL;
    return lookup_usable(&lookup_pools[handle_pool(bits)], who, status);
}

static fgpu_status lookup_owner(const struct pool *pool, uint64_t bits, enum handle_kind kind,
                                const char *who)
{
    fgpu_status status = lookup_kind(bits, kind, who);
    if (status == FGPU_OK && handle_pool(bits) != pool->index)
        status = error_set(FGPU_E_FOREIGN, "%s: the %s belongs to another pool", who,
                           lookup_names[kind]);
    return status;
}

/* ---- objects ---------------------------------------------------------------------------- */

fgpu_status lookup_device(const struct pool *pool, fgpu_device handle, const char *who,
                          uint32_t *index)
{
    fgpu_status status = lookup_owner(pool, handle.bits, HANDLE_DEVICE, who);
    if (status != FGPU_OK)
        return status;
    *index = handle_index(handle.bits);
    uint32_t live = atomic_load_relaxed_u32(&pool->live) & HANDLE_GENERATION_MASK;
    if (*index >= pool->driver->visible_count || handle_generation(handle.bits) != live)
        return error_set(FGPU_E_STALE, "%s: the device belongs to a pool that has been closed",
                         who);
    return FGPU_OK;
}

static fgpu_status lookup_generation(uint64_t bits, uint32_t live, const char *who,
                                     enum handle_kind kind)
{
    if (handle_generation(bits) == (live & HANDLE_GENERATION_MASK) && (live & 1))
        return FGPU_OK;
    return error_set(FGPU_E_STALE, "%s: the %s has been destroyed", who, lookup_names[kind]);
}

fgpu_status lookup_buffer(const struct pool *pool, fgpu_buffer handle, const char *who,
                          uint32_t *index)
{
    fgpu_status status = lookup_owner(pool, handle.bits, HANDLE_BUFFER, who);
    if (status != FGPU_OK)
        return status;
    *index = handle_index(handle.bits);
    const struct buffer *buffer = table_find(&pool->driver->engine.buffers, *index);
    uint32_t live = buffer != NULL ? atomic_load_acquire_u32(&buffer->live) : 0;
    return lookup_generation(handle.bits, live, who, HANDLE_BUFFER);
}

fgpu_status lookup_kernel(const struct pool *pool, fgpu_kernel handle, const char *who,
                          uint32_t *index)
{
    fgpu_status status = lookup_owner(pool, handle.bits, HANDLE_KERNEL, who);
    if (status != FGPU_OK)
        return status;
    *index = handle_index(handle.bits);
    const struct kernel *kernel = table_find(&pool->driver->engine.kernels, *index);
    uint32_t live = kernel != NULL ? atomic_load_acquire_u32(&kernel->live) : 0;
    return lookup_generation(handle.bits, live, who, HANDLE_KERNEL);
}

/* A generation from before the pool's first is that of a pool which had the place before. */
static fgpu_status lookup_no_task(const struct pool *pool, uint32_t generation, const char *who)
{
    uint32_t before = (pool->first_generation - 1 - generation) & HANDLE_GENERATION_MASK;
    if (pool->first_generation != 0 && before <= HANDLE_GENERATION_MASK / 2)
        return error_set(FGPU_E_STALE, "%s: its pool has been closed", who);
    return error_set(FGPU_E_HANDLE, "%s: there has never been such a task", who);
}

fgpu_status lookup_task(const struct pool *pool, fgpu_task handle, const char *who, uint32_t *index,
                        uint32_t *word, bool *gone)
{
    fgpu_status status = lookup_owner(pool, handle.bits, HANDLE_TASK, who);
    if (status != FGPU_OK)
        return status;
    *index = handle_index(handle.bits);
    const struct engine *engine = &pool->driver->engine;
    const struct task *task = table_find(&engine->tasks, *index);
    uint32_t asked = handle_generation(handle.bits);
    if (task == NULL)
        return lookup_no_task(pool, asked, who);
    *word = task_word(task);
    uint32_t now = *word >> TASK_STATE_BITS;
    uint32_t behind = (now - asked) & HANDLE_GENERATION_MASK;
    *gone = behind != 0;
    /* Generations of this slot are those from the pool's first to the present one; after they have
     * gone round, the newer half of all that a handle can name. */
    uint32_t count = atomic_load_relaxed_u32(&engine->wrapped)
                         ? HANDLE_GENERATION_MASK / 2
                         : (now - engine->first_generation) & HANDLE_GENERATION_MASK;
    return behind <= count ? FGPU_OK : lookup_no_task(pool, asked, who);
}

void lookup_task_name(const struct pool *pool, uint32_t index, char *out, size_t out_bytes)
{
    const struct engine *engine = &pool->driver->engine;
    const struct task *task = engine_task(engine, index);
    const char *name = task->flags & TASK_F_NAMED  ? task_extra(task)->name
                       : task->kernel != TASK_NONE ? engine_kernel(engine, task->kernel)->name
                                                   : "";
    snprintf(out, out_bytes, "task %u%s%s%s", index, name[0] ? " '" : "", name, name[0] ? "'" : "");
}

fgpu_status lookup_may_wait(const char *who)
{
    if (role_now == ROLE_USER)
        return FGPU_OK;
    return error_set(FGPU_E_BUSY, "%s: it would wait for the pool inside a %s of the pool", who,
                     role_now == ROLE_TASK ? "task" : "callback");
}
