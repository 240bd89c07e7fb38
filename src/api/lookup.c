/* Handles become objects, or clear errors; see lookup.h. Owns the places of all pools of the
 * process. Thread: any. */
#include "api/lookup.h"

#include <pthread.h>
#include <stdio.h>

#include "base/barrier.h"
#include "base/fork.h"
#include "base/role.h"

static struct pool lookup_pools[LIMITS_POOLS];
static struct lock lookup_lock; /* of taking and giving places */
static uint32_t lookup_next;    /* where to look first */
static pthread_once_t lookup_once = PTHREAD_ONCE_INIT;
static _Atomic uint32_t lookup_doors;  /* own ones given to threads so far */
static _Atomic uint32_t lookup_others; /* ... shared ones */
static _Atomic uint32_t lookup_owns;   /* threads can have doors of their own */
LOOKUP_TLS uint32_t lookup_door;

static void lookup_guard(void)
{
    fork_guard(&lookup_lock);
    atomic_store_release_u32(&lookup_owns, barrier_open());
}

static const char *const lookup_names[] = {"nothing", "pool", "device", "buffer",
                                           "kernel",  "task", "graph",  "instantiated graph",
                                           "tenant"};

/* ---- pools ------------------------------------------------------------------------------ */

struct pool *lookup_pool_new(void)
{
    (void)pthread_once(&lookup_once, lookup_guard);
    struct pool *found = NULL;
    lock_acquire(&lookup_lock);
    /* In turn, so that a place stays empty as long as possible: a handle of the pool that was there
     * is told apart by its generation, whose bits are used up one day. */
    for (uint32_t n = 0; n < LIMITS_POOLS && found == NULL; n++) {
        uint32_t i = (lookup_next + n) % LIMITS_POOLS;
        struct pool *pool = &lookup_pools[i];
        if (pool->taken)
            continue;
        lookup_next = i + 1;
        pool->index = i;
        atomic_store_relaxed_u32(&pool->forks, fork_count());
        pool->taken = true;
        found = pool;
    }
    lock_release(&lookup_lock);
    if (found == NULL)
        (void)error_set(FGPU_E_LIMIT, "%d pools are open, the limit of a process", LIMITS_POOLS);
    return found;
}

void lookup_pool_opened(struct pool *pool)
{
    /* In this order: see lookup_enter. */
    atomic_store_seqcst_u32(&pool->live, atomic_load_relaxed_u32(&pool->live) + 1);
    atomic_store_seqcst_u32(&pool->closing, 0);
}

void lookup_pool_free(struct pool *pool, bool was_open)
{
    if (was_open)
        atomic_store_seqcst_u32(&pool->live, atomic_load_relaxed_u32(&pool->live) + 1);
    lock_acquire(&lookup_lock);
    pool->taken = false;
    lock_release(&lookup_lock);
}

bool lookup_pool_is_left(const struct pool *pool)
{
    barrier_heavy();
    for (uint32_t i = 0; i < LOOKUP_DOORS; i++)
        if (atomic_load_seqcst_u32(&pool->doors[i].guests) != 0)
            return false;
    return true;
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
    if (found == HANDLE_NONE || found > HANDLE_TENANT)
        return error_set(FGPU_E_HANDLE, "%s: 0x%016llx is no handle of this library", who,
                         (unsigned long long)bits);
    return error_set(FGPU_E_HANDLE, "%s: 0x%016llx is a %s, not a %s", who,
                     (unsigned long long)bits, lookup_names[found], lookup_names[kind]);
}

static fgpu_status lookup_not_usable(const struct pool *pool, const char *who)
{
    if (!(atomic_load_acquire_u32(&pool->live) & 1))
        return error_set(FGPU_E_STALE, "%s: its pool has been closed", who);
    if (atomic_load_relaxed_u32(&pool->forks) != fork_count())
        return error_set(FGPU_E_FORKED, "%s: the pool was opened by the parent of this process",
                         who);
    return error_set(FGPU_E_CLOSED, "%s: the pool is closing", who);
}

/* Its number plus one. A thread that looks before there is a pool gets a shared one. */
static uint32_t lookup_door_of(void)
{
    if (atomic_load_acquire_u32(&lookup_owns) &&
        atomic_load_relaxed_u32(&lookup_doors) < LOOKUP_OWN) {
        uint32_t own = atomic_add_relaxed_u32(&lookup_doors, 1);
        if (own < LOOKUP_OWN)
            return own + 1;
    }
    return LOOKUP_OWN + (atomic_add_relaxed_u32(&lookup_others, 1) & (LOOKUP_SHARED - 1)) + 1;
}

/* The caller counts itself, then looks whether the pool is closing; who closes it says so, then
 * looks whether anybody is counted (both sequentially consistent, or with the fence of
 * base/barrier.h between the two): one of them sees the other. A place that is used again was
 * closing until the new pool was alive, so `live`, read last, belongs to the pool that the caller
 * keeps. A child of the process that opened it may not even wait. */
static struct pool *lookup_enter(struct pool *pool, const char *who, fgpu_status *status)
{
    if (__builtin_expect(lookup_door == 0, 0))
        lookup_door = lookup_door_of();
    _Atomic uint32_t *guests = &pool->doors[lookup_door - 1].guests;
    if (__builtin_expect(lookup_door <= LOOKUP_OWN, 1)) {
        atomic_store_relaxed_u32(guests, atomic_load_relaxed_u32(guests) + 1);
        barrier_light();
    } else {
        (void)atomic_add_seqcst_u32(guests, 1);
    }
    if (__builtin_expect(!atomic_load_seqcst_u32(&pool->closing) &&
                             (atomic_load_seqcst_u32(&pool->live) & 1) &&
                             atomic_load_relaxed_u32(&pool->forks) == fork_count(),
                         1))
        return pool;
    *status = lookup_not_usable(pool, who);
    lookup_leave(&pool);
    return NULL;
}

struct pool *lookup_pool(fgpu_pool handle, const char *who, fgpu_status *status)
{
    *status = lookup_kind(handle.bits, HANDLE_POOL, who);
    if (*status != FGPU_OK)
        return NULL;
    struct pool *pool = &lookup_pools[handle_pool(handle.bits)];
    uint32_t before = atomic_load_acquire_u32(&pool->live) & HANDLE_GENERATION_MASK;
    if (before == handle_generation(handle.bits)) {
        pool = lookup_enter(pool, who, status);
        if (pool == NULL)
            return NULL;
        uint32_t live = atomic_load_relaxed_u32(&pool->live) & HANDLE_GENERATION_MASK;
        if (live == handle_generation(handle.bits))
            return pool;
        lookup_leave(&pool);
    }
    *status = error_set(FGPU_E_STALE, "%s: the pool has been closed", who);
    return NULL;
}

struct pool *lookup_pool_of(uint64_t bits, enum handle_kind kind, const char *who,
                            fgpu_status *status)
{
    *status = lookup_kind(bits, kind, who);
    if (*status != FGPU_OK)
        return NULL;
    return lookup_enter(&lookup_pools[handle_pool(bits)], who, status);
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

fgpu_status lookup_tenant(const struct pool *pool, fgpu_tenant handle, const char *who,
                          uint32_t *index)
{
    fgpu_status status = lookup_owner(pool, handle.bits, HANDLE_TENANT, who);
    if (status != FGPU_OK)
        return status;
    *index = handle_index(handle.bits);
    uint32_t live = atomic_load_relaxed_u32(&pool->live) & HANDLE_GENERATION_MASK;
    if (*index == 0 || *index >= atomic_load_acquire_u32(&pool->tenants) ||
        handle_generation(handle.bits) != live)
        return error_set(FGPU_E_STALE, "%s: the tenant belongs to a pool that has been closed",
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
