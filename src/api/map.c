/* Mappings. A mapping is a task that runs from the moment its data is on the host until the caller
 * lets go, so that order and coherence follow from the same rules as for kernels. Thread: any. */
#include "api/map.h"

#include <stdio.h>

#include "api/reduce.h"
#include "api/task.h"

struct map_target {
    uint32_t index;
    uint32_t generation;
};

/* Runs, or has failed. */
static bool map_is_ready(struct driver *driver, void *user)
{
    const struct map_target *target = user;
    uint32_t state = task_word(engine_task(&driver->engine, target->index)) & TASK_STATE_MASK;
    return state == FGPU_TASK_RUNNING || task_state_ended(state);
}

fgpu_status map_hold(struct pool *pool, const struct submit_arg *arg, const char *who,
                     uint32_t *task, void **ptr)
{
    fgpu_status status = lookup_may_wait(who);
    if (status != FGPU_OK)
        return status;
    struct submit_request request = {.kind = TASK_MAP,
                                     .flags = TASK_F_UNLISTED,
                                     .arg_count = 1,
                                     .args = arg,
                                     .kernel = TASK_NONE,
                                     .pin = TASK_DEVICE_ANY,
                                     .name = "map"};
    struct map_target target;
    struct driver *driver = pool->driver;
    status = reduce_submit(pool, &request, &target.index, &target.generation);
    if (status != FGPU_OK)
        return status;
    (void)driver_wait(driver, map_is_ready, &target, UINT64_MAX);
    driver_enter(driver);
    if (task_state(engine_task(&driver->engine, target.index)) == FGPU_TASK_RUNNING) {
        *ptr = engine_map_address(&driver->engine, target.index);
        *task = target.index;
    } else {
        status = task_error_text(pool, target.index);
        (void)error_set(status, "%s: %s", who, error_text());
        engine_forget(&driver->engine, target.index);
    }
    driver_leave(driver);
    return status;
}

void map_let_go(struct pool *pool, uint32_t task)
{
    driver_enter(pool->driver);
    engine_unmap(&pool->driver->engine, task);
    driver_leave(pool->driver);
}

bool map_is_mapped(struct pool *pool, fgpu_buffer buffer)
{
    bool found = false;
    lock_acquire(&pool->maps_lock);
    for (size_t i = 0; i < pool->maps.count && !found; i++)
        found = ((const struct lookup_map *)vec_at(&pool->maps, i))->buffer == buffer.bits;
    lock_release(&pool->maps_lock);
    return found;
}

void map_end_all(struct pool *pool)
{
    for (;;) {
        struct lookup_map map = {.task = TASK_NONE};
        lock_acquire(&pool->maps_lock);
        if (pool->maps.count > 0) {
            map = *(const struct lookup_map *)vec_at(&pool->maps, pool->maps.count - 1);
            vec_pop(&pool->maps);
        }
        lock_release(&pool->maps_lock);
        if (map.task == TASK_NONE)
            return;
        map_let_go(pool, map.task);
    }
}

static bool map_remember(struct pool *pool, const struct lookup_map *map)
{
    lock_acquire(&pool->maps_lock);
    bool kept = vec_push(&pool->maps, map) != NULL;
    lock_release(&pool->maps_lock);
    return kept;
}

fgpu_status fgpu_buffer_map(fgpu_buffer handle, uint64_t offset_bytes, uint64_t size_bytes,
                            fgpu_access access, void **ptr)
{
    static const char who[] = "fgpu_buffer_map";
    fgpu_status status;
    if (ptr == NULL)
        return error_set(FGPU_E_INVAL, "%s: ptr is NULL", who);
    *ptr = NULL;
    LOOKUP_GUEST *pool = lookup_pool_of(handle.bits, HANDLE_BUFFER, who, &status);
    if (pool == NULL)
        return status;
    struct submit_arg arg = {
        .kind = FGPU_ARG_BUFFER, .mode = (uint8_t)access, .live = handle_generation(handle.bits)};
    status = lookup_buffer(pool, handle, who, &arg.buffer);
    if (status != FGPU_OK)
        return status;
    if (access < FGPU_READ || access > FGPU_READ_WRITE)
        return error_set(FGPU_E_INVAL,
                         "%s: access is %d; give FGPU_READ, FGPU_WRITE or FGPU_READ_WRITE", who,
                         (int)access);
    if (size_bytes == 0)
        return error_set(FGPU_E_INVAL, "%s: size_bytes is 0", who);
    fgpu_region region = fgpu_region_span(offset_bytes, size_bytes);
    status = task_check_region(
        &region,
        atomic_load_relaxed_u64(&engine_buffer(&pool->driver->engine, arg.buffer)->size_bytes), who,
        &arg.offset_bytes, &arg.shape);
    if (status != FGPU_OK)
        return status;
    struct lookup_map map = {.buffer = handle.bits};
    status = map_hold(pool, &arg, who, &map.task, &map.ptr);
    if (status == FGPU_OK && !map_remember(pool, &map)) {
        map_let_go(pool, map.task);
        status = error_set(FGPU_E_NOMEM, "%s: no memory to remember the mapping", who);
    }
    if (status == FGPU_OK)
        *ptr = map.ptr;
    return status;
}

fgpu_status fgpu_buffer_unmap(fgpu_buffer handle, void *ptr)
{
    static const char who[] = "fgpu_buffer_unmap";
    fgpu_status status;
    LOOKUP_GUEST *pool = lookup_pool_of(handle.bits, HANDLE_BUFFER, who, &status);
    uint32_t index;
    if (pool == NULL)
        return status;
    /* The mapping counts, not the buffer: another thread may have destroyed that while it was being
     * mapped, and what was given must be given back. */
    struct lookup_map map = {.task = TASK_NONE};
    lock_acquire(&pool->maps_lock);
    for (size_t i = 0; i < pool->maps.count; i++) {
        const struct lookup_map *at = vec_at(&pool->maps, i);
        if (at->buffer != handle.bits || at->ptr != ptr)
            continue;
        map = *at;
        vec_remove_swap(&pool->maps, i);
        break;
    }
    lock_release(&pool->maps_lock);
    if (map.task == TASK_NONE) {
        status = lookup_buffer(pool, handle, who, &index);
        if (status != FGPU_OK)
            return status;
        return error_set(FGPU_E_INVAL, "%s: %p is no current mapping of the buffer", who, ptr);
    }
    map_let_go(pool, map.task);
    return FGPU_OK;
}
