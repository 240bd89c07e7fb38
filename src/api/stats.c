/* Statistics and traces. Numbers are read under the driver's lock after a turn, so that they belong
 * together; a trace is copied under the lock and written without it. Thread: any.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/lookup.h"
#include "base/clock.h"
#include "run/store.h"
#include "trace/chrome.h"
#include "trace/records.h"

fgpu_status fgpu_pool_get_stats(fgpu_pool handle, fgpu_pool_stats *stats)
{
    fgpu_status status;
    if (stats == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_pool_get_stats: stats is NULL");
    if (stats->struct_bytes != sizeof *stats)
        return error_set(FGPU_E_VERSION,
                         "fgpu_pool_get_stats: stats.struct_bytes is %u, this library's is %zu",
                         stats->struct_bytes, sizeof *stats);
    LOOKUP_GUEST *pool = lookup_pool(handle, "fgpu_pool_get_stats: pool", &status);
    if (pool == NULL)
        return status;
    struct driver *driver = pool->driver;
    driver_enter(driver);
    driver_pump(driver); /* what has finished counts */
    fgpu_pool_stats now = driver->engine.stats;
    uint64_t latency_sum_ns = driver->engine.latency_sum_ns;
    driver_leave(driver);
    uint64_t ended = now.tasks_done + now.tasks_failed + now.tasks_cancelled;
    now.struct_bytes = sizeof now;
    now.tasks_pending = now.tasks_submitted - ended;
    now.latency_mean_ns = ended > 0 ? latency_sum_ns / ended : 0;
    now.pool_memory_bytes = alloc_live_bytes();
    now.allocations = alloc_count();
    *stats = now;
    return FGPU_OK;
}

fgpu_status fgpu_device_get_stats(fgpu_device handle, fgpu_device_stats *stats)
{
    static const char who[] = "fgpu_device_get_stats: device";
    fgpu_status status;
    uint32_t index;
    if (stats == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_device_get_stats: stats is NULL");
    if (stats->struct_bytes != sizeof *stats)
        return error_set(FGPU_E_VERSION,
                         "fgpu_device_get_stats: stats.struct_bytes is %u, this library's is %zu",
                         stats->struct_bytes, sizeof *stats);
    LOOKUP_GUEST *pool = lookup_pool_of(handle.bits, HANDLE_DEVICE, who, &status);
    if (pool == NULL)
        return status;
    status = lookup_device(pool, handle, who, &index);
    if (status != FGPU_OK)
        return status;
    struct driver *driver = pool->driver;
    struct heap_stats heap;
    driver_enter(driver);
    driver_pump(driver);
    const struct engine_device *device = &driver->engine.devices[index];
    fgpu_device_stats now = device->stats;
    heap_get_stats(&driver->engine.nodes[device->node].heap, &heap);
    driver_leave(driver);
    now.struct_bytes = sizeof now;
    now.open_ns = clock_now_ns() - driver->open_ns;
    now.memory_used_bytes = heap.used_bytes;
    now.memory_peak_bytes = heap.peak_bytes;
    *stats = now;
    return FGPU_OK;
}

/* ---- traces ----------------------------------------------------------------------------- */

fgpu_status fgpu_trace_enable(fgpu_pool handle, bool on)
{
    fgpu_status status;
    LOOKUP_GUEST *pool = lookup_pool(handle, "fgpu_trace_enable: pool", &status);
    if (pool == NULL)
        return status;
    driver_enter(pool->driver);
    status = trace_enable(&pool->driver->trace, on);
    driver_leave(pool->driver);
    if (status != FGPU_OK)
        return error_set(status, "fgpu_trace_enable: no memory for %u events",
                         pool->driver->trace.capacity);
    return FGPU_OK;
}

/* What a trace is read from while the pool goes on, and may even be closed. */
struct stats_reading {
    struct trace copy;
    struct alloc_hooks hooks;
    uint32_t pool;
};

/* The caller is no guest of the pool any more when it returns. */
static fgpu_status stats_begin_reading(fgpu_pool handle, struct stats_reading *reading)
{
    fgpu_status status;
    LOOKUP_GUEST *pool = lookup_pool(handle, "fgpu_trace_read: pool", &status);
    if (pool == NULL)
        return status;
    struct driver *driver = pool->driver;
    reading->pool = pool->index;
    reading->hooks = driver->hooks;
    driver_enter(driver);
    driver_pump(driver); /* what has finished is told */
    status =
        trace_copy(&driver->trace, driver->alloc != NULL ? &reading->hooks : NULL, &reading->copy);
    driver_leave(driver);
    if (status != FGPU_OK)
        return error_set(status, "fgpu_trace_read: no memory for a copy of the events");
    return FGPU_OK;
}

fgpu_status fgpu_trace_read(fgpu_pool handle, fgpu_trace_fn fn, void *user)
{
    struct stats_reading reading = {0};
    if (fn == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_trace_read: fn is NULL");
    fgpu_status status = stats_begin_reading(handle, &reading);
    if (status != FGPU_OK)
        return status;
    status = records_give(&reading.copy, reading.pool, fn, user);
    if (status != FGPU_OK)
        (void)error_set(status, "fgpu_trace_read: no memory to sort %u events",
                        trace_length(&reading.copy));
    trace_fini(&reading.copy);
    return status;
}

/* What the tracks of a pool are called. */
struct stats_names {
    char text[LIMITS_DEVICES]
             [sizeof((fgpu_device_info *)0)->id + sizeof((fgpu_device_info *)0)->name + 4];
    const char *devices[LIMITS_DEVICES];
    const char *ids[LIMITS_DEVICES];
    const char *nodes[LIMITS_NODES];
    struct store_file file;
};

static void stats_name(const struct driver *driver, struct stats_names *names,
                       struct chrome_options *options)
{
    names->nodes[0] = "host";
    for (uint32_t d = 0; d < driver->device_count; d++) {
        const fgpu_device_info *info = &driver->devices[d].info;
        snprintf(names->text[d], sizeof names->text[d], "%s: %s", info->id, info->name);
        names->devices[d] = names->text[d];
        names->ids[d] = info->id;
        uint32_t node = driver->engine.devices[d].node;
        if (node != 0)
            names->nodes[node] = info->id;
    }
    *options = (struct chrome_options){.device_names = names->devices,
                                       .device_ids = names->ids,
                                       .device_count = driver->device_count,
                                       .node_names = names->nodes,
                                       .node_count = driver->engine.node_count};
}

static fgpu_status stats_append(void *user, const char *text, size_t size_bytes)
{
    return store_append(user, text, size_bytes);
}

/* The whole file or none of it. */
static fgpu_status stats_export(const struct driver *driver, const struct trace *trace,
                                struct stats_names *names, const char *path)
{
    struct chrome_options options;
    stats_name(driver, names, &options);
    fgpu_status status = store_begin(&names->file, path, 0666);
    if (status != FGPU_OK)
        return status;
    status = chrome_export(trace, &options, stats_append, &names->file);
    if (status == FGPU_OK)
        return store_commit(&names->file);
    store_abort(&names->file);
    if (status == FGPU_E_NOMEM)
        return error_set(status, "no memory to write %u events", trace_length(trace));
    return status;
}

fgpu_status fgpu_trace_write(fgpu_pool handle, const char *path)
{
    fgpu_status status;
    if (path == NULL || path[0] == '\0')
        return error_set(FGPU_E_INVAL, "fgpu_trace_write: path is %s",
                         path == NULL ? "NULL" : "empty");
    LOOKUP_GUEST *pool = lookup_pool(handle, "fgpu_trace_write: pool", &status);
    if (pool == NULL)
        return status;
    struct trace copy;
    driver_enter(pool->driver);
    driver_pump(pool->driver);
    status = trace_copy(&pool->driver->trace, pool->driver->alloc, &copy);
    driver_leave(pool->driver);
    if (status != FGPU_OK)
        return error_set(status, "fgpu_trace_write: no memory for a copy of the events");
    struct stats_names *names = calloc(1, sizeof *names);
    if (names != NULL)
        status = stats_export(pool->driver, &copy, names, path);
    else
        status = error_set(FGPU_E_NOMEM, "no memory for names");
    free(names);
    trace_fini(&copy);
    return status == FGPU_OK ? status : error_set(status, "fgpu_trace_write: %s", error_text());
}
