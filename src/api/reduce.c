/* Tasks that reduce: parts, and when they are combined. See reduce.h.
 *
 * Takes checked requests, gives ordinary ones to the driver. One lock orders all submissions of a
 * pool that has reductions, so that what is combined before a task is submitted before it, too. It
 * is taken before the driver's. Keeps true: a part's bytes [begin, end) hold identities or sums of
 * tasks that were submitted since the buffer was last combined; the fills and combinations of a
 * refused task change no result, so nothing is taken back. Thread: any.
 */
#include "api/reduce.h"

#include <sched.h>
#include <string.h>

#include "api/task.h"
#include "base/role.h"

/* ---- the lock --------------------------------------------------------------------------- */

fgpu_status reduce_enter(struct reduces *reduces, const char *who)
{
    if (role_now == ROLE_USER) {
        lock_acquire(&reduces->lock);
        return FGPU_OK;
    }
    /* The holder may wait for room in the task table, and that room for this thread. */
    while (!lock_try(&reduces->lock)) {
        if (atomic_load_seqcst_u32(&reduces->waiting))
            return error_set(FGPU_E_AGAIN, "%s: another thread waits at the pool's task limit",
                             who);
        (void)sched_yield();
    }
    return FGPU_OK;
}

void reduce_leave(struct reduces *reduces)
{
    lock_release(&reduces->lock);
}

/* Under the lock. At the task limit others must see that this thread waits, before it does. */
static fgpu_status reduce_give(struct pool *pool, const struct submit_request *request,
                               uint32_t *index, uint32_t *generation)
{
    enum role role = role_now;
    if (role == ROLE_USER)
        role_now = ROLE_CALLBACK; /* once without waiting */
    fgpu_status status = driver_submit(pool->driver, request, index, generation);
    role_now = role;
    if (__builtin_expect(status != FGPU_E_AGAIN || role != ROLE_USER, 1))
        return status;
    atomic_store_seqcst_u32(&pool->reduces->waiting, 1);
    status = driver_submit(pool->driver, request, index, generation);
    atomic_store_seqcst_u32(&pool->reduces->waiting, 0);
    return status;
}

/* ---- life ------------------------------------------------------------------------------- */

fgpu_status reduce_init(struct pool *pool)
{
    const struct alloc_hooks *hooks = pool->driver->alloc;
    pool->reduces = alloc_get_zeroed(hooks, sizeof *pool->reduces, LIMITS_CACHE_LINE);
    if (pool->reduces == NULL)
        return error_set(FGPU_E_NOMEM, "no memory for the pool's reductions");
    map_init(&pool->reduces->by_buffer, hooks);
    return FGPU_OK;
}

struct reduction *reduce_find(const struct reduces *reduces, uint64_t key)
{
    uint64_t value = 0;
    (void)map_get(&reduces->by_buffer, key, &value);
    return (struct reduction *)(uintptr_t)value;
}

/* The first `count` parts go; tasks that use them keep them until they end. */
static void reduce_drop_parts(struct pool *pool, struct reduction *reduction, size_t count)
{
    struct vec *parts = &reduction->parts;
    if (count == 0)
        return;
    driver_enter(pool->driver);
    for (size_t i = 0; i < count; i++)
        engine_buffer_destroy(&pool->driver->engine,
                              ((const struct reduce_part *)vec_at(parts, i))->buffer);
    driver_leave(pool->driver);
    if (count < parts->count)
        memmove(parts->items, vec_at(parts, count), (parts->count - count) * parts->item_bytes);
    while (count-- > 0)
        vec_pop(parts);
}

void reduce_discard(struct pool *pool, struct reduction *reduction)
{
    struct engine *engine = &pool->driver->engine;
    reduce_drop_parts(pool, reduction, reduction->parts.count);
    driver_enter(pool->driver);
    struct kernel *kernel = engine_kernel(engine, reduction->kernel);
    if (--kernel->users == 0 && kernel->destroyed)
        engine_kernel_gone(engine, reduction->kernel);
    driver_leave(pool->driver);
    vec_fini(&reduction->parts);
    alloc_put(pool->driver->alloc, reduction, sizeof *reduction);
}

void reduce_drop(struct pool *pool, struct reduction *reduction)
{
    (void)map_del(&pool->reduces->by_buffer, reduction->key);
    (void)atomic_sub_seqcst_u32(&pool->reduces->declared, 1);
    reduce_discard(pool, reduction);
}

void reduce_fini(struct pool *pool)
{
    struct reduces *reduces = pool->reduces;
    struct map_entry entry;
    size_t cursor = 0;
    if (reduces == NULL)
        return;
    while (map_next(&reduces->by_buffer, &cursor, &entry))
        reduce_discard(pool, (struct reduction *)(uintptr_t)entry.value);
    map_fini(&reduces->by_buffer);
    alloc_put(pool->driver->alloc, reduces, sizeof *reduces);
    pool->reduces = NULL;
}

static bool reduce_is_stale(const struct pool *pool, uint64_t key)
{
    const struct buffer *buffer = engine_buffer(&pool->driver->engine, (uint32_t)key);
    return (atomic_load_acquire_u32(&buffer->live) & HANDLE_GENERATION_MASK) != key >> 32;
}

/* Drops the reductions of buffers that are gone. */
static void reduce_sweep(struct pool *pool)
{
    struct reduces *reduces = pool->reduces;
    if (atomic_exchange_acqrel_u32(&reduces->gone, 0) == 0)
        return;
    for (bool found = true; found;) {
        struct map_entry entry;
        size_t cursor = 0;
        found = false;
        while (!found && map_next(&reduces->by_buffer, &cursor, &entry))
            found = reduce_is_stale(pool, entry.key);
        if (found)
            reduce_drop(pool, (struct reduction *)(uintptr_t)entry.value);
    }
}

void reduce_buffer_gone(struct pool *pool)
{
    struct reduces *reduces = pool->reduces;
    if (atomic_load_relaxed_u32(&reduces->declared) == 0)
        return;
    (void)atomic_exchange_acqrel_u32(&reduces->gone, 1);
    if (!lock_try(&reduces->lock))
        return; /* the next submission that reduces or is reduced sees to it */
    reduce_sweep(pool);
    reduce_leave(reduces);
}

/* ---- parts ------------------------------------------------------------------------------ */

static uint64_t reduce_end(const struct submit_arg *arg)
{
    return arg->offset_bytes + arg->shape.pitch_bytes * (arg->shape.rows - 1) +
           arg->shape.row_bytes;
}

static struct submit_arg reduce_span(uint32_t buffer, uint32_t live, uint64_t begin, uint64_t end)
{
    return (struct submit_arg){.kind = FGPU_ARG_BUFFER,
                               .buffer = buffer,
                               .live = live,
                               .offset_bytes = begin,
                               .shape = {end - begin, end - begin, 1}};
}

/* A task of the library's own, which nobody asks about. */
static fgpu_status reduce_internal(struct pool *pool, struct submit_request *request)
{
    uint32_t index, generation;
    request->flags = TASK_F_UNLISTED;
    request->pin = TASK_DEVICE_ANY;
    return reduce_give(pool, request, &index, &generation);
}

static fgpu_status reduce_fill(struct pool *pool, const struct reduction *reduction,
                               const struct reduce_part *part, uint64_t begin, uint64_t end)
{
    if (begin >= end)
        return FGPU_OK;
    struct submit_arg arg = reduce_span(part->buffer, part->live, begin, end);
    arg.mode = FGPU_WRITE;
    struct submit_request request = {.kind = TASK_FILL,
                                     .arg_count = 1,
                                     .args = &arg,
                                     .kernel = TASK_NONE,
                                     .pattern = reduction->identity,
                                     .pattern_bytes = reduction->element_bytes,
                                     .name = "identity"};
    return reduce_internal(pool, &request);
}

static fgpu_status reduce_new_part(struct pool *pool, struct reduction *reduction)
{
    struct engine *engine = &pool->driver->engine;
    struct reduce_part part = {0};
    if (!vec_reserve(&reduction->parts, reduction->parts.count + 1))
        return FGPU_E_NOMEM;
    driver_enter(pool->driver);
    uint64_t size_bytes =
        atomic_load_relaxed_u64(&engine_buffer(engine, (uint32_t)reduction->key)->size_bytes);
    fgpu_status status = engine_buffer_create(engine, size_bytes, NULL, &part.buffer);
    if (status == FGPU_OK)
        part.live = atomic_load_relaxed_u32(&engine_buffer(engine, part.buffer)->live) &
                    HANDLE_GENERATION_MASK;
    driver_leave(pool->driver);
    if (status == FGPU_OK)
        (void)vec_push(&reduction->parts, &part);
    return status;
}

/* The part that the next task accumulates into, with the bytes that it names ready. */
static fgpu_status reduce_take_part(struct pool *pool, struct reduction *reduction,
                                    const struct submit_arg *arg, struct reduce_part **out)
{
    size_t number = reduction->joined % reduction->part_limit;
    fgpu_status status = FGPU_OK;
    if (number >= reduction->parts.count) {
        number = reduction->parts.count;
        status = reduce_new_part(pool, reduction);
        if (status != FGPU_OK && number > 0) {
            reduction->part_limit = (uint32_t)number; /* those that there are will do */
            number = reduction->joined % number;
            status = FGPU_OK;
        }
        if (status != FGPU_OK)
            return error_set(status, "no memory for an array to reduce into");
    }
    struct reduce_part *part = vec_at(&reduction->parts, number);
    uint64_t begin = arg->offset_bytes, end = reduce_end(arg);
    if (part->begin == part->end)
        part->begin = part->end = begin;
    status = reduce_fill(pool, reduction, part, begin, part->begin);
    if (status == FGPU_OK && begin < part->begin)
        part->begin = begin;
    if (status == FGPU_OK)
        status = reduce_fill(pool, reduction, part, part->end, end);
    if (status == FGPU_OK && end > part->end)
        part->end = end;
    *out = part;
    return status;
}

/* ---- combining -------------------------------------------------------------------------- */

static fgpu_status reduce_combine_part(struct pool *pool, const struct reduction *reduction,
                                       const struct reduce_part *part)
{
    struct submit_arg args[2] = {reduce_span((uint32_t)reduction->key,
                                             (uint32_t)(reduction->key >> 32), part->begin,
                                             part->end),
                                 reduce_span(part->buffer, part->live, part->begin, part->end)};
    args[0].mode = FGPU_READ_WRITE;
    args[1].mode = FGPU_READ;
    struct submit_request request = {
        .kind = TASK_KERNEL,
        .arg_count = 2,
        .args = args,
        .kernel = reduction->kernel,
        .dims = 1,
        .global = {(part->end - part->begin) / reduction->element_bytes, 1, 1},
        .name = "combine"};
    return part->begin == part->end ? FGPU_OK : reduce_internal(pool, &request);
}

fgpu_status reduce_combine(struct pool *pool, struct reduction *reduction)
{
    size_t done = 0;
    fgpu_status status = FGPU_OK;
    while (done < reduction->parts.count) {
        status = reduce_combine_part(pool, reduction, vec_at(&reduction->parts, done));
        if (status != FGPU_OK)
            break;
        done++;
    }
    reduce_drop_parts(pool, reduction, done);
    if (status == FGPU_OK)
        reduction->joined = 0;
    return status;
}

/* Does the argument touch what is accumulated and not in the buffer yet? */
static bool reduce_touches(const struct reduction *reduction, const struct submit_arg *arg)
{
    for (size_t i = 0; i < reduction->parts.count; i++) {
        const struct reduce_part *part = vec_at(&reduction->parts, i);
        if (arg->offset_bytes < part->end && reduce_end(arg) > part->begin)
            return true;
    }
    return false;
}

/* ---- submitting ------------------------------------------------------------------------- */

static fgpu_status reduce_settle(struct pool *pool, const struct submit_request *request)
{
    for (uint32_t i = 0; i < request->arg_count; i++) {
        const struct submit_arg *arg = &request->args[i];
        if (arg->kind != FGPU_ARG_BUFFER || arg->mode == FGPU_REDUCE)
            continue;
        struct reduction *reduction =
            reduce_find(pool->reduces, reduce_key(arg->buffer, arg->live));
        if (reduction == NULL || !reduce_touches(reduction, arg))
            continue;
        fgpu_status status = reduce_combine(pool, reduction);
        if (status != FGPU_OK)
            return status;
    }
    return FGPU_OK;
}

static struct reduction *reduce_of_arg(const struct pool *pool, const struct submit_arg *arg)
{
    if (arg->kind != FGPU_ARG_BUFFER || arg->mode != FGPU_REDUCE)
        return NULL;
    return reduce_find(pool->reduces, reduce_key(arg->buffer, arg->live));
}

static fgpu_status reduce_turn_arg(struct pool *pool, uint32_t number, struct submit_arg *arg)
{
    struct reduction *reduction = reduce_of_arg(pool, arg);
    if (reduction == NULL)
        return error_set(FGPU_E_INVAL,
                         "argument %u: the buffer has no reduction any more; see "
                         "fgpu_buffer_set_reduction",
                         number);
    struct reduce_part *part = NULL;
    fgpu_status status = reduce_take_part(pool, reduction, arg, &part);
    if (status != FGPU_OK)
        return status;
    arg->buffer = part->buffer;
    arg->live = part->live;
    arg->mode = FGPU_READ_WRITE;
    return FGPU_OK;
}

/* The task counts once for each buffer, whichever number of its ranges it names. */
static void reduce_count(struct pool *pool, const struct submit_request *request)
{
    for (uint32_t i = 0; i < request->arg_count; i++) {
        struct reduction *reduction = reduce_of_arg(pool, &request->args[i]);
        for (uint32_t j = 0; j < i && reduction != NULL; j++)
            if (reduce_of_arg(pool, &request->args[j]) == reduction)
                reduction = NULL;
        if (reduction != NULL)
            reduction->joined++;
    }
}

fgpu_status reduce_submit_slow(struct pool *pool, const struct submit_request *request,
                               uint32_t *index, uint32_t *generation)
{
    struct submit_arg args[LIMITS_KERNEL_ARGS];
    struct submit_request turned = *request;
    fgpu_status status = reduce_enter(pool->reduces, "a task on a pool with reductions");
    if (status != FGPU_OK)
        return status;
    reduce_sweep(pool);
    status = reduce_settle(pool, request);
    for (uint32_t i = 0; i < request->arg_count && status == FGPU_OK; i++) {
        args[i] = request->args[i];
        if (args[i].kind == FGPU_ARG_BUFFER && args[i].mode == FGPU_REDUCE)
            status = reduce_turn_arg(pool, i, &args[i]);
    }
    turned.args = args;
    if (status == FGPU_OK)
        status = reduce_give(pool, &turned, index, generation);
    if (status == FGPU_OK)
        reduce_count(pool, request);
    reduce_leave(pool->reduces);
    return status;
}

fgpu_status reduce_check(struct pool *pool, const struct submit_arg *arg, uint32_t number,
                         const char *who)
{
    fgpu_status status = reduce_enter(pool->reduces, who);
    if (status != FGPU_OK)
        return status;
    const struct reduction *reduction =
        reduce_find(pool->reduces, reduce_key(arg->buffer, arg->live));
    uint32_t bytes = reduction != NULL ? reduction->element_bytes : 0;
    reduce_leave(pool->reduces);
    if (bytes == 0)
        return error_set(FGPU_E_INVAL,
                         "%s: argument %u: access is FGPU_REDUCE, but the buffer has no reduction; "
                         "give it one with fgpu_buffer_set_reduction",
                         who, number);
    if (arg->offset_bytes % bytes == 0 && arg->shape.row_bytes % bytes == 0 &&
        arg->shape.pitch_bytes % bytes == 0)
        return FGPU_OK;
    return error_set(FGPU_E_INVAL,
                     "%s: argument %u: rows of %llu bytes, pitch %llu, from offset %llu are no "
                     "whole elements of %u bytes, by which the buffer is reduced",
                     who, number, (unsigned long long)arg->shape.row_bytes,
                     (unsigned long long)arg->shape.pitch_bytes,
                     (unsigned long long)arg->offset_bytes, bytes);
}
