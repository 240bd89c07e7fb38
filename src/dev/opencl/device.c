/* Opens, describes and closes one OpenCL device: see device.h. */
#include "dev/opencl/device.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "dev/opencl/env.h"
#include "dev/opencl/hostmem.h"
#include "dev/opencl/info.h"
#include "dev/opencl/text.h"

#define DEVICE_SPIN_NS 20000u  /* a wait looks again and again for so long, ... */
#define DEVICE_SLEEP_NS 50000u /* ... then sleeps in such steps */

cl_int ocl_device_wait(const struct ocl_api *api, cl_event event, uint64_t limit_ns)
{
    uint64_t start_ns = clock_now_ns();
    struct timespec pause = {0, DEVICE_SLEEP_NS};

    for (;;) {
        cl_int state = CL_COMPLETE;
        cl_int error = api->clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(state),
                                           &state, NULL);
        uint64_t waited_ns = clock_now_ns() - start_ns;
        if (error != CL_SUCCESS)
            return error;
        if (state <= CL_COMPLETE)
            return state;
        if (waited_ns > limit_ns)
            return CL_SUBMITTED;
        if (waited_ns < DEVICE_SPIN_NS)
            atomic_pause();
        else
            (void)nanosleep(&pause, NULL);
    }
}

void ocl_device_note(struct ocl_device *device, bool lost, const char *fmt, ...)
{
    va_list args;

    lock_acquire(&device->lock);
    if (!device->lost) {
        va_start(args, fmt);
        (void)vsnprintf(device->reason, sizeof(device->reason), fmt, args);
        va_end(args);
        device->lost = lost;
    }
    lock_release(&device->lock);
}

/* Kernels of few work groups side by side: a CPU has one at a time in each of its cores. How many
 * groups fill another device is not known: it depends on the kernel. */
static void device_find_sides(struct ocl_device *device)
{
    fgpu_device_caps *caps = &device->caps;
    uint32_t units = 0, most = ocl_env_beside();

    if (!ocl_info_is_cpu(&device->unit) ||
        !ocl_info_u32(&device->unit, CL_DEVICE_MAX_COMPUTE_UNITS, &units) || units < 2)
        return;
    most = most < units ? most : units;
    most = most < OCL_DEVICE_QUEUES ? most : OCL_DEVICE_QUEUES;
    if (most < 2)
        return;
    caps->side_queue_count = most - 1;
    caps->queue_count += most - 1;
    caps->fill_groups = units;
}

/* Where memory is the device's own, copies travel beside kernels, in a queue for each direction:
 * one into the device, one out of it. */
static void device_find_copies(struct ocl_device *device)
{
    fgpu_device_caps *caps = &device->caps;

    caps->copy_queue_count = OCL_DEVICE_COPIES;
    caps->queue_count += OCL_DEVICE_COPIES;
}

static void device_find_caps(struct ocl_device *device, const fgpu_backend_options *options)
{
    const struct ocl_unit *unit = &device->unit;
    fgpu_device_caps *caps = &device->caps;
    uint32_t align_bits = 0;
    uint64_t group = 0;

    *caps = (fgpu_device_caps){.struct_bytes = sizeof(*caps), .queue_count = 1};
    caps->variants = 1u << FGPU_VARIANT_OPENCL;
    caps->host_memory =
        ocl_info_may_host(unit) && ocl_hostmem_works(unit, device->context->id) ? 1 : 0;
    if (ocl_info_u32(unit, CL_DEVICE_MEM_BASE_ADDR_ALIGN, &align_bits) && align_bits >= 8)
        device->align_bytes = align_bits / 8;
    else
        device->align_bytes = 1;
    caps->suballocate = caps->host_memory;
    caps->offset_align_bytes = caps->host_memory != 0 ? 1 : device->align_bytes;
    if (ocl_info_size(unit, CL_DEVICE_MAX_WORK_GROUP_SIZE, &group))
        caps->max_group_items = (uint32_t)group;
    caps->max_queue_commands = LIMITS_OPENCL_COMMANDS;
    caps->parts = 1;
    caps->slices = 1;
    if (caps->host_memory != 0)
        device_find_sides(device);
    else
        device_find_copies(device);
    caps->resource_group = ocl_info_resource_group(unit);
    if (!ocl_info_u64(unit, CL_DEVICE_GLOBAL_MEM_SIZE, &caps->memory_bytes))
        caps->memory_bytes = 0;
    if (options->memory_bytes != 0 &&
        (caps->memory_bytes == 0 || options->memory_bytes < caps->memory_bytes))
        caps->memory_bytes = options->memory_bytes;
    if (caps->host_memory != 0 ||
        !ocl_info_u64(unit, CL_DEVICE_MAX_MEM_ALLOC_SIZE, &caps->memory_max_alloc_bytes) ||
        caps->memory_max_alloc_bytes > caps->memory_bytes)
        caps->memory_max_alloc_bytes = caps->memory_bytes;
}

static fgpu_status device_start(struct ocl_device *device, const fgpu_backend_options *options)
{
    cl_int error = CL_SUCCESS;
    fgpu_status status = ocl_context_acquire(&device->unit, &device->context);

    if (status != FGPU_OK)
        return status;
    device_find_caps(device, options);
    if (device->caps.host_memory != 0)
        return FGPU_OK;
    device->memory_queue =
        device->api->clCreateCommandQueue(device->context->id, device->unit.id, 0, &error);
    if (error == CL_SUCCESS)
        return FGPU_OK;
    ocl_context_release(device->context, false, false);
    return error_set(ocl_text_status(error), "opencl:%u: clCreateCommandQueue failed: %s (%d)",
                     device->unit.root_index, ocl_text_name(error), (int)error);
}

fgpu_status ocl_device_open(const fgpu_backend_options *options, uint32_t index,
                            const fgpu_doorbell *bell, void **opened)
{
    char why[LIMITS_ERROR_TEXT] = "";
    struct ocl_list *list = malloc(sizeof(*list));
    struct ocl_device *device = calloc(1, sizeof(*device));
    fgpu_status status = FGPU_E_NOMEM;

    if (list == NULL || device == NULL)
        goto fail;
    status = ocl_env_check();
    if (status != FGPU_OK)
        goto fail;
    status = ocl_platform_list(options, list, why, sizeof(why));
    if (status != FGPU_OK) {
        (void)error_set(status, "%s", why);
        goto fail;
    }
    if (index >= list->count) {
        status =
            error_set(FGPU_E_RANGE, "opencl: there is no device %u, only %u", index, list->count);
        goto fail;
    }
    device->unit = list->units[index];
    device->api = device->unit.api;
    device->bell = *bell;
    map_init(&device->sizes, NULL);
    host_busy_init(&device->busy, "/proc/stat");
    status = device_start(device, options);
    if (status != FGPU_OK)
        goto fail;
    free(list);
    *opened = device;
    return FGPU_OK;
fail:
    free(list);
    free(device);
    return status;
}

void ocl_device_close(void *closed)
{
    struct ocl_device *device = closed;

    if (device == NULL)
        return;
    if (device->memory_queue != NULL && !device->leaked)
        (void)device->api->clReleaseCommandQueue(device->memory_queue);
    void *scatter = atomic_load_acquire_ptr(&device->scatter);
    if (scatter != NULL && !device->leaked)
        (void)device->api->clReleaseProgram(scatter);
    ocl_context_release(device->context, !device->lost, device->leaked);
    map_fini(&device->sizes);
    free(device);
}

void ocl_device_caps(void *device, fgpu_device_caps *caps)
{
    uint32_t bytes = caps->struct_bytes;

    if (bytes == 0 || bytes > sizeof(*caps))
        bytes = sizeof(*caps);
    memcpy(caps, &((struct ocl_device *)device)->caps, bytes);
    caps->struct_bytes = bytes;
}

fgpu_status ocl_device_sample(void *sampled, fgpu_device_sample *sample)
{
    struct ocl_device *device = sampled;
    fgpu_device_sample now = {.struct_bytes = sample->struct_bytes, .time_ns = clock_now_ns()};

    /* OpenCL does not tell what others use of a device: only the host's processors are known. */
    if (ocl_info_is_cpu(&device->unit)) {
        lock_acquire(&device->lock);
        if (host_busy_share(&device->busy, &now.utilisation))
            now.valid |= FGPU_SAMPLE_UTILISATION;
        lock_release(&device->lock);
    }
    now.memory_used_bytes = atomic_load_relaxed_u64(&device->memory_used_bytes);
    now.valid |= FGPU_SAMPLE_MEMORY;
    memcpy(sample, &now, now.struct_bytes < sizeof(now) ? now.struct_bytes : sizeof(now));
    return FGPU_OK;
}

void ocl_device_reason(void *told, char *text, size_t text_bytes)
{
    struct ocl_device *device = told;

    if (text_bytes == 0)
        return;
    lock_acquire(&device->lock);
    (void)snprintf(text, text_bytes, "%s", device->reason);
    lock_release(&device->lock);
}
