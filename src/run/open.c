/* A driver is made: devices found by pattern, wrapped in layers, opened with their queues; the
 * model loaded. And taken apart.
 *
 * Runs on the thread that opens or closes the pool. Keeps true: either everything is open or
 * nothing is; a pool whose devices take no host functions gets a hidden cpu device of one worker
 * for them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "core/search.h"
#include "base/futex.h"
#include "base/map.h"
#include "dev/layer/fault.h"
#include "dev/layer/validate.h"
#include "dev/spill/spill.h"
#include "run/driver.h"
#include "run/store.h"

#define OPEN_SERVE_NS 20000u
#define OPEN_OVERDUE_NS UINT64_C(10000000000)
#define OPEN_MATCHES (LIMITS_DEVICES - 1)

/* A backend that has nothing fails no pool, but is told of: as news where it is not installed, as a
 * warning where it is and does not work. */
static void open_tell_absent(struct driver *driver, const struct registry_absent *absent)
{
    for (uint32_t i = 0; i < absent->count; i++) {
        const struct registry_reason *reason = &absent->reasons[i];
        LOG_AT(&driver->log, reason->status == FGPU_E_NODEVICE ? FGPU_LOG_INFO : FGPU_LOG_WARN,
               "devices", "no %s device is used: %s", reason->backend, reason->why);
    }
}

static fgpu_status open_find(struct driver *driver, const fgpu_pool_options *options,
                             const fgpu_backend_options *backend, struct registry_match *matches,
                             uint32_t *count)
{
    const char *pattern = options->devices != NULL ? options->devices : "auto";
    struct registry_absent *absent = calloc(1, sizeof *absent);
    if (absent == NULL)
        return error_set(FGPU_E_NOMEM, "no memory to look for devices");
    fgpu_status status = registry_find(pattern, backend, matches, OPEN_MATCHES, count, absent);
    open_tell_absent(driver, absent);
    free(absent);
    return status;
}

/* Host functions have to run somewhere: appended when no chosen device takes them. */
static fgpu_status open_hidden(struct driver *driver, const fgpu_pool_options *options)
{
    (void)options;
    for (uint32_t d = 0; d < driver->device_count; d++)
        if (driver->devices[d].caps.host_calls)
            return FGPU_OK;
    fgpu_backend_options one = {.cpu_workers = 1};
    struct registry_match match;
    uint32_t count = 0;
    fgpu_status status = registry_find("cpu", &one, &match, 1, &count, NULL);
    if (status != FGPU_OK)
        return status;
    status =
        device_open(&driver->devices[driver->device_count], &match, &one, &driver->device_bell);
    if (status == FGPU_OK)
        driver->device_count++;
    return status;
}

/* Takes what does not fit into the host's memory. */
static fgpu_status open_spill(struct driver *driver, const fgpu_pool_options *options)
{
    struct spill_options spill = {.folder = options->spill_dir,
                                  .limit_bytes = options->spill_bytes,
                                  .mode = (enum pack_mode)options->spill_compress};
    struct registry_match match = {.backend = &spill_backend};
    if (options->spill_dir == NULL || options->spill_dir[0] == '\0')
        return FGPU_OK;
    if (driver->device_count == LIMITS_DEVICES)
        return error_set(FGPU_E_LIMIT, "%u devices leave no place for the spill folder",
                         driver->device_count);
    (void)snprintf(match.info.name, sizeof match.info.name, "spill folder");
    (void)snprintf(match.info.id, sizeof match.info.id, "spill");
    fgpu_status status = device_open(&driver->devices[driver->device_count], &match, &spill.backend,
                                     &driver->device_bell);
    if (status == FGPU_OK)
        driver->spill = ++driver->device_count;
    return status;
}

/* Faults below, so that the validate layer sees what they make of the device. */
static fgpu_status open_layers(struct driver *driver, const fgpu_pool_options *options,
                               const struct faults *faults, uint32_t index)
{
    struct device *device = &driver->devices[index];
    struct layer_device wrapped = {device->backend, device->self};
    fgpu_status status = FGPU_OK;
    if (options->faults != NULL && options->faults[0] != '\0')
        status = layer_fault_wrap(&wrapped, &driver->device_bell, faults, index);
    if (status == FGPU_OK && (options->flags & FGPU_POOL_VALIDATE))
        status = layer_validate_wrap(&wrapped, &driver->device_bell);
    device->backend = wrapped.backend;
    device->self = wrapped.self;
    return status;
}

static fgpu_status open_queues(struct driver *driver)
{
    uint32_t lanes = 0, lane = 0;
    for (uint32_t d = 0; d < driver->device_count; d++)
        lanes += driver->devices[d].caps.queue_count;
    driver->queues = alloc_get_zeroed(driver->alloc, lanes * sizeof *driver->queues, 64);
    if (driver->queues == NULL)
        return error_set(FGPU_E_NOMEM, "no memory for %u queues", lanes);
    for (uint32_t d = 0; d < driver->device_count; d++) {
        for (uint32_t q = 0; q < driver->devices[d].caps.queue_count; q++, lane++) {
            fgpu_status status = device_queue_open(&driver->devices[d], q, &driver->queues[lane]);
            if (status != FGPU_OK)
                return status;
        }
    }
    return FGPU_OK;
}

static uint64_t open_key(const fgpu_device_info *info, uint32_t queues)
{
    uint64_t key = hash_bytes(info->name, strlen(info->name), queues);
    key = hash_bytes(info->driver, strlen(info->driver), key);
    return hash_bytes(info->id, strlen(info->id), key);
}

/* Queues that share the device's cores: not those beside them, nor those that only copy. */
static uint32_t open_lanes(const struct device *device)
{
    return device->caps.queue_count - device->caps.side_queue_count - device->caps.copy_queue_count;
}

/* Cores that one launch occupies: a queue's share of the device's. */
static uint32_t open_cores(const struct device *device)
{
    uint32_t units = device->info.valid & FGPU_INFO_UNITS ? device->info.compute_units : 0;
    uint32_t cores = units / open_lanes(device);
    return cores != 0 ? cores : 1;
}

/* Two parts of one device ("opencl:0.0", "opencl:0.1")? */
static bool open_are_parts(const struct device *a, const struct device *b)
{
    size_t length = strcspn(a->info.id, ".");
    return length == strcspn(b->info.id, ".") && strncmp(a->info.id, b->info.id, length) == 0;
}

/* Cores of the device's resource group, where several visible devices work with them; else 0. They
 * are those of its largest member, all parts of it together. */
static uint32_t open_group_cores(const struct driver *driver, const struct device *device)
{
    uint32_t most = 0, members = 0;
    for (uint32_t d = 0; d < driver->visible_count; d++) {
        const struct device *root = &driver->devices[d];
        uint32_t cores = 0;
        if (root->caps.resource_group != device->caps.resource_group)
            continue;
        members++;
        for (uint32_t e = 0; e < driver->visible_count; e++) {
            const struct device *part = &driver->devices[e];
            if (open_are_parts(root, part))
                cores += open_cores(part) * open_lanes(part);
        }
        most = cores > most ? cores : most;
    }
    return members > 1 ? most : 0;
}

static void open_configs(struct driver *driver, const fgpu_pool_options *options,
                         struct engine_device_config *configs)
{
    for (uint32_t d = 0; d < driver->device_count; d++) {
        struct device *device = &driver->devices[d];
        uint64_t limit = device->caps.memory_bytes;
        if (options->device_memory_bytes != 0 &&
            (limit == 0 || options->device_memory_bytes < limit))
            limit = options->device_memory_bytes;
        configs[d] = (struct engine_device_config){
            .caps = device->caps,
            .key =
                open_key(&device->info, device->caps.queue_count - device->caps.side_queue_count),
            .memory_limit_bytes = limit,
            .cores = open_cores(device),
            .group_cores = open_group_cores(driver, device),
            .hidden = d >= driver->visible_count,
            .spill = d + 1 == driver->spill};
        if (configs[d].spill)
            configs[d].memory_limit_bytes = device->caps.memory_bytes;
    }
}

/* A CUDA card that nobody named and that does not open (another process has it for itself) is left
 * out: such pools worked before there was this backend. */
static bool open_may_skip(struct driver *driver, const fgpu_pool_options *options,
                          const struct registry_match *match)
{
    const char *pattern = options->devices != NULL ? options->devices : "";
    if (strcasestr(pattern, "cuda") != NULL || strcmp(match->info.backend, "cuda") != 0)
        return false;
    LOG_WARN(&driver->log, "devices", "%s is not used: %s", match->info.id, error_text());
    return true;
}

fgpu_status open_devices(struct driver *driver, const fgpu_pool_options *options,
                         struct engine_device_config *configs)
{
    struct registry_match *matches = calloc(OPEN_MATCHES, sizeof *matches);
    if (matches == NULL)
        return error_set(FGPU_E_NOMEM, "no memory to look for devices");
    fgpu_backend_options backend = {.cpu_workers = options->cpu_workers,
                                    .subdevices = options->subdevices,
                                    .seed = options->seed,
                                    .memory_bytes = options->device_memory_bytes};
    struct faults faults;
    uint32_t count = 0;
    fgpu_status status = faults_parse(options->faults != NULL ? options->faults : "", &faults);
    if (status == FGPU_OK)
        status = open_find(driver, options, &backend, matches, &count);
    if (status == FGPU_OK)
        status = faults_check(&faults, count);
    for (uint32_t i = 0; status == FGPU_OK && i < count; i++) {
        uint32_t place = driver->device_count;
        status = device_open(&driver->devices[place], &matches[i], &backend, &driver->device_bell);
        driver->device_count += status == FGPU_OK;
        if (status == FGPU_OK)
            status = open_layers(driver, options, &faults, place);
        else if (open_may_skip(driver, options, &matches[i]))
            status = FGPU_OK;
    }
    free(matches);
    driver->visible_count = driver->device_count;
    if (status == FGPU_OK && driver->device_count == 0)
        status =
            error_set(FGPU_E_DEVICE, "devices \"%s\": none of those that match could be opened",
                      options->devices != NULL ? options->devices : "");
    if (status == FGPU_OK)
        status = open_hidden(driver, options);
    if (status == FGPU_OK)
        status = open_spill(driver, options);
    if (status == FGPU_OK)
        status = open_queues(driver);
    if (status == FGPU_OK)
        open_configs(driver, options, configs);
    return status;
}

void open_close(struct driver *driver)
{
    uint32_t lane = 0;
    for (uint32_t d = 0; d < driver->device_count; d++)
        for (uint32_t q = 0; driver->queues != NULL && q < driver->devices[d].caps.queue_count; q++)
            device_queue_close(&driver->queues[lane++]);
    pin_stop(driver);
    for (uint32_t i = 0; i < driver->engine.node_count; i++) {
        struct engine_node *node = &driver->engine.nodes[i];
        uint32_t cursor = 0;
        uint64_t mem, bytes;
        while (heap_next_slab(&node->heap, &cursor, &mem, &bytes)) {
            if (i == 0)
                pin_free(driver, (void *)(uintptr_t)mem, bytes);
            else
                device_mem_free(&driver->devices[node->device], mem);
        }
    }
    alloc_put(driver->alloc, driver->queues, lane * sizeof *driver->queues);
    driver->queues = NULL;
}

/* ---- the whole -------------------------------------------------------------------------- */

static void open_cache(struct driver *driver, const fgpu_pool_options *options)
{
    if (store_path(options->cache_dir, NULL, driver->cache_dir) != FGPU_OK ||
        store_path(options->cache_dir, "history", driver->history_path) != FGPU_OK) {
        LOG_WARN(&driver->log, "cache", "nothing is kept between runs: %s", error_text());
        driver->cache_dir[0] = driver->history_path[0] = '\0';
        return;
    }
    if (driver->history_path[0] != '\0' &&
        store_load_history(driver->history_path, &driver->history) != FGPU_OK)
        LOG_WARN(&driver->log, "cache", "no performance model was read: %s", error_text());
}

/* Under test every second pool does it, so that both ways see many copies. */
static bool open_copies_apart(void)
{
#ifdef FGPU_DEBUG_CHECKS
    static _Atomic uint32_t opened;
    return atomic_add_relaxed_u32(&opened, 1) % 2 == 0;
#else
    return false;
#endif
}

static fgpu_status open_engine(struct driver *driver, const fgpu_pool_options *options)
{
    static const char none[] = "auto";
    struct engine_device_config *configs = calloc(LIMITS_DEVICES, sizeof *configs);
    if (configs == NULL)
        return error_set(FGPU_E_NOMEM, "no memory for the pool");
    fgpu_status status = open_devices(driver, options, configs);
    struct engine_config config = {
        .devices = configs,
        .device_count = driver->device_count,
        .task_limit = options->task_limit != 0 ? options->task_limit : LIMITS_TASKS,
        .host_limit_bytes = options->host_memory_bytes,
        .policy = policy_find(options->policy != NULL ? options->policy : none),
        .hooks = driver->alloc,
        .history = &driver->history,
        .trace = &driver->trace,
        .log = &driver->log,
        .flags = options->flags,
        .aim = {.objective = options->objective},
        .preempt = options->preempt,
        .overdue_ns = OPEN_OVERDUE_NS,
        .first_generation = driver->first_generation,
        .plans_apart = true,
        .copies_apart = open_copies_apart(),
#ifdef FGPU_DEBUG_CHECKS
        .checks = getenv("FASTGPU_CHECK") != NULL,
#endif
    };
    if (status == FGPU_OK) {
        status = engine_init(&driver->engine, &config);
        if (status != FGPU_OK)
            status = error_set(status, "no memory for a pool of %u devices", driver->device_count);
    }
    free(configs);
    if (status == FGPU_OK)
        callback_init(driver);
    return status;
}

/* Tasks that run longer are worth it: to wake a thread costs tens of microseconds where processors
 * are virtual. Under test every second pool does it always. */
static uint64_t open_serve_ns(void)
{
#ifdef FGPU_DEBUG_CHECKS
    static _Atomic uint32_t opened;
    if (atomic_add_relaxed_u32(&opened, 1) % 2 == 1)
        return 0;
#endif
    return OPEN_SERVE_NS;
}

static void open_init(struct driver *driver, const fgpu_pool_options *options, uint32_t pool)
{
    driver->pool = pool;
    driver->nowait = options->flags & FGPU_POOL_NOWAIT;
    driver->open_ns = clock_now_ns();
    if (options->alloc != NULL) {
        driver->hooks =
            (struct alloc_hooks){options->alloc->alloc, options->alloc->free, options->alloc->user};
        driver->alloc = &driver->hooks;
    }
    lock_init(&driver->lock);
    lock_init(&driver->built_lock);
    doorbell_init(&driver->bell);
    atomic_store_relaxed_u32(&driver->batch, DRIVER_BATCH);
    driver->device_bell = (fgpu_doorbell){driver_ring, driver};
    driver->serve_ns = open_serve_ns();
    log_init(&driver->log, options->log_level);
    log_set_file(&driver->log, stderr, options->log_format);
    if (options->log != NULL)
        log_set_callback(&driver->log, options->log, options->log_user);
}

static fgpu_status open_log(struct driver *driver, const fgpu_pool_options *options)
{
    if (options->log != NULL || options->log_file == NULL || options->log_file[0] == '\0')
        return FGPU_OK;
    driver->log_file = fopen(options->log_file, "ae");
    if (driver->log_file == NULL)
        return error_set(FGPU_E_IO, "the log file %s cannot be opened: %s", options->log_file,
                         strerror(errno));
    log_set_file(&driver->log, driver->log_file, options->log_format);
    return FGPU_OK;
}

/* The ring's size as a power of two. */
static uint32_t open_trace_events(const fgpu_pool_options *options)
{
    uint32_t events = LIMITS_TRACE_EVENTS;
    if (options->trace_events != 0)
        for (events = 1; events < options->trace_events;)
            events *= 2;
    return events;
}

/* Whom the pool consists of: a line for itself and one for each device. */
static void open_tell(struct driver *driver, const fgpu_pool_options *options)
{
    struct log *log = &driver->log;
    LOG_INFO(log, "pool", "pool %u is open: %u devices, policy %s, at most %u tasks%s%s",
             driver->pool, driver->visible_count, driver->engine.policy->name,
             driver->engine.task_limit, driver->trace.on ? ", traced" : "",
             options->faults != NULL && options->faults[0] != '\0' ? ", with faults" : "");
    for (uint32_t d = 0; d < driver->visible_count; d++) {
        const fgpu_device_info *info = &driver->devices[d].info;
        LOG_INFO(log, "pool", "device %u is %s: %s, %u queues, memory node %u", d, info->id,
                 info->name, driver->engine.devices[d].lane_count, driver->engine.devices[d].node);
    }
}

fgpu_status driver_create(const fgpu_pool_options *options, uint32_t pool,
                          uint32_t first_generation, struct driver **out)
{
    struct driver *driver = aligned_alloc(64, (sizeof *driver + 63) & ~(size_t)63);
    if (driver == NULL)
        return error_set(FGPU_E_NOMEM, "no memory for a pool");
    memset(driver, 0, sizeof *driver);
    open_init(driver, options, pool);
    driver->first_generation = first_generation;
    const struct alloc_hooks *hooks = driver->alloc;
    history_init(&driver->history, 0, hooks);
    trace_init(&driver->trace, open_trace_events(options), hooks);
    worker_init(&driver->builder, sizeof(struct driver_build), hooks);
    worker_init(&driver->planning, sizeof(struct search *), hooks);
    pin_init(driver);
    vec_init(&driver->built, sizeof(struct driver_build), hooks);
    driver->devices = calloc(LIMITS_DEVICES, sizeof *driver->devices);
    driver->samples = calloc(LIMITS_DEVICES, sizeof *driver->samples);
    fgpu_status status = open_log(driver, options);
    if (status == FGPU_OK && (driver->devices == NULL || driver->samples == NULL))
        status = error_set(FGPU_E_NOMEM, "no memory for a pool");
    if (status == FGPU_OK) {
        open_cache(driver, options);
        status = open_engine(driver, options);
    }
    if (status == FGPU_OK && (options->flags & FGPU_POOL_TRACE) &&
        trace_enable(&driver->trace, true) != FGPU_OK)
        status =
            error_set(FGPU_E_NOMEM, "no memory for a trace of %u events", driver->trace.capacity);
    if (status != FGPU_OK) {
        driver_destroy(driver);
        return status;
    }
    driver->opened = true;
    open_tell(driver, options);
    *out = driver;
    return FGPU_OK;
}

static void open_stop(struct driver *driver)
{
    lock_acquire(&driver->lock); /* no device's thread turns the crank from now on */
    atomic_store_seqcst_u32(&driver->closing, 1);
    lock_release(&driver->lock);
    if (atomic_load_acquire_u32(&driver->progress_started)) {
        doorbell_ring(&driver->bell);
        if (atomic_exchange_seqcst_u32(&driver->standby, 0) != 0)
            (void)futex_wake(&driver->standby, 1);
        (void)futex_wake(&driver->closing, 1);
        pthread_join(driver->progress, NULL);
    }
    if (driver->engine.planner != NULL) /* what nobody will follow need not be the best */
        atomic_store_release_u32(&engine_search(&driver->engine)->stop, 1);
    worker_fini(&driver->planning);
    worker_fini(&driver->builder);
    callback_fini(driver);
}

void driver_destroy(struct driver *driver)
{
    if (driver == NULL)
        return;
    open_stop(driver);
    if (driver->engine.lanes != NULL)
        driver_pump(driver);
    if (driver->history_path[0] != '\0' && driver->engine.stats.tasks_done > 0 &&
        store_save_history(driver->history_path, &driver->history) != FGPU_OK)
        LOG_WARN(&driver->log, "cache", "the performance model was not saved: %s", error_text());
    const fgpu_pool_stats *stats = &driver->engine.stats;
    if (driver->opened)
        LOG_INFO(&driver->log, "pool",
                 "pool %u is closed: %llu tasks done, %llu failed, %llu cancelled, %llu copies, "
                 "%llu evictions",
                 driver->pool, (unsigned long long)stats->tasks_done,
                 (unsigned long long)stats->tasks_failed,
                 (unsigned long long)stats->tasks_cancelled, (unsigned long long)stats->copies,
                 (unsigned long long)stats->evictions);
    /* Kernels give their code back through actions, so objects go while the devices still stand. */
    if (driver->engine.lanes != NULL) {
        engine_fini_objects(&driver->engine);
        (void)driver_act(driver);
    }
    open_close(driver);
    engine_fini(&driver->engine);
    for (uint32_t d = 0; driver->devices != NULL && d < driver->device_count; d++)
        device_close(&driver->devices[d]);
    free(driver->devices);
    free(driver->samples);
    pin_fini(driver);
    vec_fini(&driver->built);
    history_fini(&driver->history);
    trace_fini(&driver->trace);
    log_fini(&driver->log);
    if (driver->log_file != NULL)
        (void)fclose(driver->log_file);
    free(driver);
}
