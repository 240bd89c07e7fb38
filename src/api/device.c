/* Devices of a pool: handles, properties, live samples, status.
 *
 * Properties were read when the pool was opened and do not change; what changes (lost, memory in
 * use, busy time) is the engine's and is read under the driver's lock. Hidden devices have no
 * handle. Thread: any.
 */
#include <string.h>

#include "api/lookup.h"
#include "base/clock.h"

fgpu_status fgpu_device_count(fgpu_pool handle, uint32_t *count)
{
    fgpu_status status;
    if (count == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_device_count: count is NULL");
    LOOKUP_GUEST *pool = lookup_pool(handle, "fgpu_device_count: pool", &status);
    *count = pool != NULL ? pool->driver->visible_count : 0;
    return status;
}

fgpu_status fgpu_device_at(fgpu_pool handle, uint32_t index, fgpu_device *device)
{
    fgpu_status status;
    if (device == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_device_at: device is NULL");
    device->bits = 0;
    LOOKUP_GUEST *pool = lookup_pool(handle, "fgpu_device_at: pool", &status);
    if (pool == NULL)
        return status;
    if (index >= pool->driver->visible_count)
        return error_set(FGPU_E_RANGE, "fgpu_device_at: index is %u, the pool has %u devices",
                         index, pool->driver->visible_count);
    device->bits =
        handle_make(HANDLE_DEVICE, pool->index, atomic_load_relaxed_u32(&pool->live), index);
    return FGPU_OK;
}

/* The pool, whose guest the caller is, and the number of a device; NULL with *status and a text. */
static struct pool *device_get(fgpu_device handle, const char *who, uint32_t *index,
                               fgpu_status *status)
{
    struct pool *pool = lookup_pool_of(handle.bits, HANDLE_DEVICE, who, status);
    if (pool == NULL)
        return NULL;
    *status = lookup_device(pool, handle, who, index);
    if (*status == FGPU_OK)
        return pool;
    lookup_leave(&pool);
    return NULL;
}

fgpu_status fgpu_device_get_info(fgpu_device handle, fgpu_device_info *info)
{
    static const char who[] = "fgpu_device_get_info: device";
    fgpu_status status;
    uint32_t index;
    if (info == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_device_get_info: info is NULL");
    if (info->struct_bytes != sizeof *info)
        return error_set(FGPU_E_VERSION,
                         "fgpu_device_get_info: info.struct_bytes is %u, this library's is %zu",
                         info->struct_bytes, sizeof *info);
    LOOKUP_GUEST *pool = device_get(handle, who, &index, &status);
    if (pool == NULL)
        return status;
    const struct device *device = &pool->driver->devices[index];
    const struct engine_device *known = &pool->driver->engine.devices[index];
    *info = device->info;
    info->struct_bytes = sizeof *info;
    info->index = index;
    info->memory_node = known->node;
    info->resource_group = known->caps.resource_group;
    info->queue_count = known->caps.queue_count - known->caps.side_queue_count;
    info->valid |= FGPU_INFO_RESOURCE_GROUP;
    /* Usable by this pool: what the options leave of it. Constant since the pool was opened. */
    uint64_t limit_bytes = pool->driver->engine.nodes[known->node].heap.limit_bytes;
    if ((info->valid & FGPU_INFO_MEMORY) && info->memory_bytes > limit_bytes)
        info->memory_bytes = limit_bytes;
    return FGPU_OK;
}

/* ---- samples ---------------------------------------------------------------------------- */

/* Share of a simulated device's queues that was busy since the last sample, when it has timed some
 * of what it ran meanwhile. Nobody else uses such a device; of others this would be a part only. */
static void device_busy(struct driver *driver, uint32_t index, fgpu_device_sample *sample)
{
    const struct engine_device *device = &driver->engine.devices[index];
    struct driver_sample *last = &driver->samples[index];
    uint64_t from_ns = last->time_ns != 0 ? last->time_ns : driver->open_ns;
    if (driver->devices[index].info.type == FGPU_DEVICE_SIMULATED &&
        !(sample->valid & FGPU_SAMPLE_UTILISATION) && device->timed != last->timed &&
        sample->time_ns > from_ns) {
        double could_ns = (double)(sample->time_ns - from_ns) * device->lane_count;
        double share = (double)(device->stats.busy_ns - last->busy_ns) / could_ns;
        sample->utilisation = share < 1.0 ? share : 1.0;
        sample->valid |= FGPU_SAMPLE_UTILISATION;
    }
    *last = (struct driver_sample){sample->time_ns, device->stats.busy_ns, device->timed};
}

fgpu_status fgpu_device_get_sample(fgpu_device handle, fgpu_device_sample *sample)
{
    static const char who[] = "fgpu_device_get_sample: device";
    fgpu_status status;
    uint32_t index;
    if (sample == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_device_get_sample: sample is NULL");
    if (sample->struct_bytes != sizeof *sample)
        return error_set(FGPU_E_VERSION,
                         "fgpu_device_get_sample: sample.struct_bytes is %u, this library's is %zu",
                         sample->struct_bytes, sizeof *sample);
    LOOKUP_GUEST *pool = device_get(handle, who, &index, &status);
    if (pool == NULL)
        return status;
    struct driver *driver = pool->driver;
    fgpu_device_sample now = {.struct_bytes = sizeof now};
    if (device_sample(&driver->devices[index], &now) != FGPU_OK)
        now = (fgpu_device_sample){0}; /* no sensors: what the pool knows itself is left */
    now.struct_bytes = sizeof now;
    driver_enter(driver);
    now.time_ns = clock_now_ns();
    struct heap_stats heap;
    heap_get_stats(&driver->engine.nodes[driver->engine.devices[index].node].heap, &heap);
    now.memory_used_bytes = heap.used_bytes;
    now.valid |= FGPU_SAMPLE_MEMORY;
    device_busy(driver, index, &now);
    driver_leave(driver);
    *sample = now;
    return FGPU_OK;
}

fgpu_status fgpu_device_get_preempt(fgpu_device handle, uint32_t *bits)
{
    static const char who[] = "fgpu_device_get_preempt: device";
    fgpu_status status;
    uint32_t index;
    bool live = false;
    if (bits == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_device_get_preempt: bits is NULL");
    *bits = 0;
    LOOKUP_GUEST *pool = device_get(handle, who, &index, &status);
    if (pool == NULL)
        return status;
    struct device *device = &pool->driver->devices[index];
    if (device->caps.slices == 0)
        return FGPU_OK;
    *bits = FGPU_PREEMPT_SLICES;
    status = device_live_flag(device, &live);
    if (live)
        *bits |= FGPU_PREEMPT_GUARD;
    return status;
}

fgpu_status fgpu_device_status(fgpu_device handle)
{
    static const char who[] = "fgpu_device_status: device";
    fgpu_status status;
    uint32_t index;
    LOOKUP_GUEST *pool = device_get(handle, who, &index, &status);
    if (pool == NULL)
        return status;
    char reason[sizeof pool->driver->engine.devices->reason];
    driver_enter(pool->driver);
    const struct engine_device *device = &pool->driver->engine.devices[index];
    bool lost = device->lost;
    memcpy(reason, device->reason, sizeof reason);
    driver_leave(pool->driver);
    if (!lost)
        return FGPU_OK;
    return error_set(FGPU_E_DEVICE_LOST, "device %u (%s): %s", index,
                     pool->driver->devices[index].info.id, reason[0] ? reason : "lost");
}
