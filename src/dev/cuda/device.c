/* Finds, opens, describes and closes CUDA devices: see device.h. */
#include "dev/cuda/device.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "dev/cuda/guard.h"
#include "dev/cuda/sensors.h"
#include "dev/cuda/text.h"
#include "dev/cuda/watch.h"

#define DEVICE_GROUP_BASE 0x0c0d0000u /* resource groups: a card has cores of its own */
#define DEVICE_SPIN_NS 20000u
#define DEVICE_SLEEP_NS 50000u
#define DEVICE_PROHIBITED 2 /* compute mode */

/* ---- what exists ---------------------------------------------------------------------------- */

static bool device_ask(const struct cuda_api *api, cuda_ordinal ordinal, int which, uint32_t *value)
{
    int told = 0;

    if (api->device_attribute(&told, which, ordinal) != CUDA_SUCCESS || told < 0)
        return false;
    *value = (uint32_t)told;
    return true;
}

static uint64_t device_memory(const struct cuda_api *api, cuda_ordinal ordinal,
                              const fgpu_backend_options *options)
{
    size_t bytes = 0;

    if (api->device_memory(&bytes, ordinal) != CUDA_SUCCESS)
        return 0;
    return options->memory_bytes != 0 && options->memory_bytes < bytes ? options->memory_bytes
                                                                       : bytes;
}

static void device_fill(const struct cuda_api *api, cuda_ordinal ordinal, uint32_t index,
                        const fgpu_backend_options *options, fgpu_device_info *info)
{
    uint32_t struct_bytes = info->struct_bytes, value = 0;

    memset(info, 0, sizeof *info);
    info->struct_bytes = struct_bytes;
    info->type = FGPU_DEVICE_GPU;
    if (api->device_name(info->name, (int)sizeof info->name, ordinal) != CUDA_SUCCESS)
        (void)snprintf(info->name, sizeof info->name, "CUDA device %u", index);
    info->name[sizeof info->name - 1] = '\0';
    (void)snprintf(info->vendor, sizeof info->vendor, "NVIDIA");
    (void)snprintf(info->driver, sizeof info->driver, "CUDA %d.%d", api->version / 1000,
                   api->version % 1000 / 10);
    (void)snprintf(info->backend, sizeof info->backend, "cuda");
    (void)snprintf(info->id, sizeof info->id, "cuda:%u", index);
    info->memory_bytes = device_memory(api, ordinal, options);
    if (info->memory_bytes != 0)
        info->valid |= FGPU_INFO_MEMORY;
    if (device_ask(api, ordinal, CUDA_MULTIPROCESSORS, &info->compute_units))
        info->valid |= FGPU_INFO_UNITS;
    if (device_ask(api, ordinal, CUDA_CLOCK_RATE_KHZ, &value) && value >= 1000) {
        info->clock_mhz = value / 1000;
        info->valid |= FGPU_INFO_CLOCK;
    }
    if (device_ask(api, ordinal, CUDA_MAX_SHARED_PER_BLOCK, &value)) {
        info->local_memory_bytes = value;
        info->valid |= FGPU_INFO_LOCAL_MEMORY;
    }
    if (device_ask(api, ordinal, CUDA_MAX_THREADS_PER_BLOCK, &info->max_group_items))
        info->valid |= FGPU_INFO_MAX_GROUP;
    info->memory_align_bytes = 1;
    info->resource_group = DEVICE_GROUP_BASE + index;
    info->valid |= FGPU_INFO_ALIGN | FGPU_INFO_RESOURCE_GROUP;
    info->memory_node = 1 + index;
    info->queue_count = CUDA_DEVICE_QUEUES - CUDA_DEVICE_COPIES;
}

static fgpu_status device_count(const struct cuda_api *api, uint32_t *count, char *why,
                                size_t why_bytes)
{
    int found = 0;
    cuda_result error = api->device_count(&found);

    *count = found > 0 ? (uint32_t)found : 0;
    if (error == CUDA_SUCCESS && found > 0)
        return FGPU_OK;
    *count = 0;
    cuda_loader_explain(error != CUDA_SUCCESS ? error : CUDA_ERROR_NO_DEVICE,
                        cuda_loader_nodes("/dev"), why, why_bytes);
    return FGPU_E_NODEVICE;
}

fgpu_status cuda_device_probe(const fgpu_backend_options *options, fgpu_device_info *infos,
                              uint32_t capacity, uint32_t *count, char *why, size_t why_bytes)
{
    const struct cuda_api *api = NULL;
    fgpu_status status = cuda_loader_driver(&api, why, why_bytes);

    *count = 0;
    if (status == FGPU_OK)
        status = device_count(api, count, why, why_bytes);
    for (uint32_t i = 0; i < *count && i < capacity; i++) {
        cuda_ordinal ordinal = 0;
        if (api->device_get(&ordinal, (int)i) == CUDA_SUCCESS)
            device_fill(api, ordinal, i, options, &infos[i]);
    }
    return status;
}

/* ---- contexts ------------------------------------------------------------------------------- */

cuda_result cuda_device_enter(const struct cuda_device *device)
{
    return device->api->context_push(device->context);
}

void cuda_device_leave(const struct cuda_device *device)
{
    cuda_context popped = NULL;

    (void)device->api->context_pop(&popped); /* what was pushed can be popped */
}

cuda_result cuda_device_settle(const struct cuda_device *device, cuda_stream stream,
                               uint64_t limit_ns)
{
    uint64_t start_ns = clock_now_ns();
    struct timespec pause = {0, DEVICE_SLEEP_NS};

    for (;;) {
        cuda_result error = device->api->stream_query(stream);
        uint64_t waited_ns = clock_now_ns() - start_ns;
        if (error != CUDA_ERROR_NOT_READY || waited_ns > limit_ns)
            return error;
        if (waited_ns < DEVICE_SPIN_NS)
            atomic_pause();
        else
            (void)nanosleep(&pause, NULL);
    }
}

void cuda_device_note(struct cuda_device *device, bool lost, const char *fmt, ...)
{
    va_list args;

    lock_acquire(&device->lock);
    if (!device->lost) {
        va_start(args, fmt);
        (void)vsnprintf(device->reason, sizeof device->reason, fmt, args);
        va_end(args);
        device->lost = lost;
    }
    lock_release(&device->lock);
}

/* ---- opening -------------------------------------------------------------------------------- */

static void device_find_caps(struct cuda_device *device, const fgpu_backend_options *options)
{
    fgpu_device_caps *caps = &device->caps;
    uint32_t major = 0, minor = 0, value = 0;

    *caps = (fgpu_device_caps){.struct_bytes = sizeof *caps,
                               .queue_count = CUDA_DEVICE_QUEUES,
                               .copy_queue_count = CUDA_DEVICE_COPIES,
                               .variants = 1u << FGPU_VARIANT_CUDA | 1u << FGPU_VARIANT_OPENCL,
                               .slices = 1,
                               .suballocate = 1,
                               .host_pins = 1,
                               .offset_align_bytes = 1,
                               .max_group_items = 1024,
                               .max_queue_commands = LIMITS_CUDA_COMMANDS,
                               .resource_group = DEVICE_GROUP_BASE + device->index};
    (void)device_ask(device->api, device->ordinal, CUDA_MAX_THREADS_PER_BLOCK,
                     &caps->max_group_items);
    caps->memory_bytes = device_memory(device->api, device->ordinal, options);
    caps->memory_max_alloc_bytes = caps->memory_bytes;
    if (device_ask(device->api, device->ordinal, CUDA_MAX_PITCH, &value))
        device->max_pitch = value;
    if (!device_ask(device->api, device->ordinal, CUDA_MAX_SHARED_OPTIN, &device->max_shared))
        (void)device_ask(device->api, device->ordinal, CUDA_MAX_SHARED_PER_BLOCK,
                         &device->max_shared);
    (void)device_ask(device->api, device->ordinal, CUDA_CAPABILITY_MAJOR, &major);
    (void)device_ask(device->api, device->ordinal, CUDA_CAPABILITY_MINOR, &minor);
    device->arch = major * 10 + minor;
}

/* Memory comes from the card's pool where it has one: giving it back then waits for nobody. */
static cuda_result device_find_pool(struct cuda_device *device)
{
    const struct cuda_api *api = device->api;
    uint32_t pools = 0;

    if (api->pool_default == NULL || api->pool_alloc == NULL || api->pool_free == NULL ||
        !device_ask(api, device->ordinal, CUDA_MEMORY_POOLS, &pools) || pools == 0 ||
        api->pool_default(&device->pool, device->ordinal) != CUDA_SUCCESS) {
        device->pool = NULL;
        return CUDA_SUCCESS;
    }
    return api->stream_create(&device->memory, CUDA_STREAM_NON_BLOCKING);
}

static fgpu_status device_refuse(const struct cuda_device *device, cuda_result error)
{
    uint32_t mode = 0;
    const char *hint = "";
    fgpu_status status = cuda_text_status(error);

    (void)device_ask(device->api, device->ordinal, CUDA_COMPUTE_MODE, &mode);
    if (mode == DEVICE_PROHIBITED)
        hint = "; its compute mode lets no process use it (nvidia-smi)";
    else if (error == CUDA_ERROR_DEVICE_UNAVAILABLE || error == CUDA_ERROR_INVALID_DEVICE)
        hint = "; another process has it for itself (exclusive compute mode, nvidia-smi)";
    else if (status == FGPU_E_DEVICE_LOST)
        hint = "; it was lost in this process: start the process anew";
    return error_set(status == FGPU_E_DEVMEM ? status : FGPU_E_DEVICE,
                     "cuda:%u: its context cannot be had: %s (%d)%s", device->index,
                     cuda_text_name(error), error, hint);
}

static fgpu_status device_start(struct cuda_device *device, const fgpu_backend_options *options)
{
    cuda_result error = device->api->device_get(&device->ordinal, (int)device->index);

    if (error == CUDA_SUCCESS)
        error = device->api->context_retain(&device->context, device->ordinal);
    if (error != CUDA_SUCCESS)
        return device_refuse(device, error);
    device_find_caps(device, options);
    error = cuda_device_enter(device);
    if (error == CUDA_SUCCESS) {
        error = device_find_pool(device);
        cuda_device_leave(device);
    }
    if (error == CUDA_SUCCESS)
        error = cuda_watch_create(device, &device->watch);
    if (error == CUDA_SUCCESS)
        return FGPU_OK;
    if (device->memory != NULL)
        (void)device->api->stream_destroy(device->memory);
    (void)device->api->context_release(device->ordinal);
    return device_refuse(device, error);
}

fgpu_status cuda_device_open(const fgpu_backend_options *options, uint32_t index,
                             const fgpu_doorbell *bell, void **opened)
{
    char why[LIMITS_ERROR_TEXT] = "";
    const struct cuda_api *api = NULL;
    uint32_t count = 0;
    struct cuda_device *device = NULL;
    fgpu_status status = cuda_loader_driver(&api, why, sizeof why);

    if (status == FGPU_OK)
        status = device_count(api, &count, why, sizeof why);
    if (status != FGPU_OK)
        return error_set(status, "cuda: %s", why);
    if (index >= count)
        return error_set(FGPU_E_RANGE, "cuda: there is no device %u, only %u", index, count);
    device = calloc(1, sizeof *device);
    if (device == NULL)
        return FGPU_E_NOMEM;
    device->api = api;
    device->index = index;
    device->bell = *bell;
    map_init(&device->sizes, NULL);
    status = device_start(device, options);
    if (status != FGPU_OK) {
        free(device);
        return status;
    }
    cuda_sensors_find(device);
    *opened = device;
    return FGPU_OK;
}

/* What was given back to the card's pool goes back to the card, for others to use: the pool itself
 * gives it back when the host waits for the driver, which we never do. */
static void device_close_pool(struct cuda_device *device)
{
    const struct cuda_api *api = device->api;

    if (device->memory == NULL)
        return;
    if (api->pool_trim != NULL &&
        cuda_device_settle(device, device->memory, LIMITS_CUDA_LOST_NS) == CUDA_SUCCESS)
        (void)api->pool_trim(device->pool, 0);
    (void)api->stream_destroy(device->memory);
}

void cuda_device_close(void *closed)
{
    struct cuda_device *device = closed;

    if (device == NULL)
        return;
    cuda_code_sweep(device, true);
    cuda_watch_destroy(device->watch);
    if (!device->leaked && cuda_device_enter(device) == CUDA_SUCCESS) {
        cuda_pinned_fini(device);
        device_close_pool(device);
        cuda_device_leave(device);
    }
    /* With a kernel still running the context stays until the process ends. */
    if (!device->leaked)
        (void)device->api->context_release(device->ordinal);
    map_fini(&device->sizes);
    free(device);
}

/* ---- what it tells -------------------------------------------------------------------------- */

void cuda_device_caps(void *device, fgpu_device_caps *caps)
{
    uint32_t bytes = caps->struct_bytes;

    if (bytes == 0 || bytes > sizeof *caps)
        bytes = sizeof *caps;
    memcpy(caps, &((struct cuda_device *)device)->caps, bytes);
    caps->struct_bytes = bytes;
}

fgpu_status cuda_device_sample(void *sampled, fgpu_device_sample *sample)
{
    struct cuda_device *device = sampled;
    fgpu_device_sample now = {.struct_bytes = sample->struct_bytes, .time_ns = clock_now_ns()};

    cuda_sensors_read(device, &now);
    now.memory_used_bytes = atomic_load_relaxed_u64(&device->memory_used_bytes);
    now.valid |= FGPU_SAMPLE_MEMORY;
    memcpy(sample, &now, now.struct_bytes < sizeof now ? now.struct_bytes : sizeof now);
    return FGPU_OK;
}

void cuda_device_reason(void *told, char *text, size_t text_bytes)
{
    struct cuda_device *device = told;

    if (text_bytes == 0)
        return;
    lock_acquire(&device->lock);
    (void)snprintf(text, text_bytes, "%s", device->reason);
    lock_release(&device->lock);
}
