/* Lists platforms, devices and sub-devices: see platform.h. */
#include "dev/opencl/platform.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/lock.h"
#include "dev/opencl/text.h"

#define PLATFORM_MAX 16u /* platforms looked at: one per vendor */

/* Sub-devices that were made once. */
struct platform_split {
    const struct ocl_api *api;
    cl_device_id root;
    uint32_t wanted;
    uint32_t count; /* 1: the device cannot be split */
    cl_device_id parts[LIMITS_DEVICES];
    struct platform_split *next;
};

static struct lock platform_lock;
static struct platform_split *platform_splits; /* kept until the process ends */

static bool platform_is_cpu(const struct ocl_api *api, cl_device_id device)
{
    cl_device_type type = 0;

    return api->clGetDeviceInfo(device, CL_DEVICE_TYPE, sizeof(type), &type, NULL) == CL_SUCCESS &&
           (type & CL_DEVICE_TYPE_CPU) != 0;
}

/* Asks for `count` parts as equal as they get: the first ones have one unit more. */
static uint32_t platform_partition(const struct ocl_api *api, cl_device_id root, uint32_t wanted,
                                   cl_device_id *parts)
{
    cl_device_partition_property by_counts[LIMITS_DEVICES + 3] = {CL_DEVICE_PARTITION_BY_COUNTS};
    cl_device_partition_property equally[3] = {CL_DEVICE_PARTITION_EQUALLY};
    cl_uint units = 0;
    cl_uint made = 0;
    cl_int error = CL_SUCCESS;
    uint32_t count = wanted;

    if (api->clCreateSubDevices == NULL ||
        api->clGetDeviceInfo(root, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(units), &units, NULL) !=
            CL_SUCCESS)
        return 1;
    if (count > units)
        count = units;
    if (count < 2)
        return 1;
    if (units % count == 0) {
        equally[1] = (cl_device_partition_property)(units / count);
        error = api->clCreateSubDevices(root, equally, count, parts, &made);
    } else {
        for (uint32_t i = 0; i < count; i++)
            by_counts[1 + i] =
                (cl_device_partition_property)(units / count) + (i < units % count ? 1 : 0);
        by_counts[1 + count] = CL_DEVICE_PARTITION_BY_COUNTS_LIST_END;
        error = api->clCreateSubDevices(root, by_counts, count, parts, &made);
    }
    return error == CL_SUCCESS && made == count ? count : 1;
}

/* With the lock held. NULL without memory. */
static const struct platform_split *platform_split(const struct ocl_api *api, cl_device_id root,
                                                   uint32_t wanted)
{
    struct platform_split *split = NULL;

    for (split = platform_splits; split != NULL; split = split->next)
        if (split->api == api && split->root == root && split->wanted == wanted)
            return split;
    split = calloc(1, sizeof(*split));
    if (split == NULL)
        return NULL;
    split->api = api;
    split->root = root;
    split->wanted = wanted;
    split->count = platform_partition(api, root, wanted, split->parts);
    split->next = platform_splits;
    platform_splits = split;
    return split;
}

static void platform_add(struct ocl_list *list, const struct ocl_unit *unit)
{
    if (list->count < LIMITS_DEVICES)
        list->units[list->count++] = *unit;
}

/* Can it be used, and can it build kernels? What does not answer is taken to. */
static bool platform_usable(const struct ocl_api *api, cl_device_id device)
{
    cl_bool available = CL_TRUE;
    cl_bool compiler = CL_TRUE;

    (void)api->clGetDeviceInfo(device, CL_DEVICE_AVAILABLE, sizeof(available), &available, NULL);
    (void)api->clGetDeviceInfo(device, CL_DEVICE_COMPILER_AVAILABLE, sizeof(compiler), &compiler,
                               NULL);
    return available == CL_TRUE && compiler == CL_TRUE;
}

/* Adds one device, whole or in parts. */
static fgpu_status platform_add_device(struct ocl_list *list, struct ocl_unit unit)
{
    const struct platform_split *split = NULL;

    unit.id = unit.root;
    unit.part_count = 1;
    if (unit.split < 2 || !platform_is_cpu(unit.api, unit.root)) {
        platform_add(list, &unit);
        return FGPU_OK;
    }
    lock_acquire(&platform_lock);
    split = platform_split(unit.api, unit.root, unit.split);
    lock_release(&platform_lock);
    if (split == NULL)
        return FGPU_E_NOMEM;
    if (split->count < 2) {
        platform_add(list, &unit);
        return FGPU_OK;
    }
    unit.part_count = split->count;
    for (uint32_t i = 0; i < split->count; i++) {
        unit.id = split->parts[i];
        unit.part = i;
        platform_add(list, &unit);
    }
    return FGPU_OK;
}

/* No `what` ("device", "platform"): FGPU_E_NODEVICE, or what the driver's error means. */
static fgpu_status platform_none(const struct ocl_api *api, const char *what, cl_int error,
                                 char *why, size_t why_bytes)
{
    if (why != NULL && why_bytes > 0)
        (void)snprintf(why, why_bytes,
                       "OpenCL library %s shows no %s (%s, %d); install a driver, for CPUs the "
                       "Debian package pocl-opencl-icd",
                       api->path, what, ocl_text_name(error), (int)error);
    return error == CL_SUCCESS ? FGPU_E_NODEVICE : ocl_text_status(error);
}

/* *failed: the newest error of a platform that does not work. */
static cl_uint platform_devices(const struct ocl_api *api, cl_platform_id platform,
                                cl_device_id *devices, cl_int *failed)
{
    cl_uint count = 0;
    cl_int error =
        api->clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, LIMITS_DEVICES, devices, &count);

    if (error != CL_SUCCESS && error != CL_DEVICE_NOT_FOUND) /* so says one without devices */
        *failed = error;
    if (error != CL_SUCCESS)
        return 0;
    return count < LIMITS_DEVICES ? count : LIMITS_DEVICES;
}

fgpu_status ocl_platform_list(const fgpu_backend_options *options, struct ocl_list *list, char *why,
                              size_t why_bytes)
{
    cl_platform_id platforms[PLATFORM_MAX];
    cl_device_id devices[LIMITS_DEVICES];
    cl_uint platform_count = 0;
    struct ocl_unit unit = {0};
    fgpu_status status = ocl_loader_get(&unit.api, why, why_bytes);
    cl_int error = CL_SUCCESS;

    list->count = 0;
    if (status != FGPU_OK)
        return status;
    error = unit.api->clGetPlatformIDs(PLATFORM_MAX, platforms, &platform_count);
    if (error != CL_SUCCESS || platform_count == 0)
        return platform_none(unit.api, "platform", error != CL_SUCCESS ? error : -1001, why,
                             why_bytes);
    unit.split = options->subdevices >= 2 ? options->subdevices : 1;
    if (unit.split > LIMITS_DEVICES)
        unit.split = LIMITS_DEVICES;
    for (cl_uint p = 0; p < platform_count && p < PLATFORM_MAX; p++) {
        cl_uint device_count = platform_devices(unit.api, platforms[p], devices, &error);
        unit.platform = platforms[p];
        for (cl_uint d = 0; d < device_count && status == FGPU_OK; d++) {
            unit.root = devices[d];
            if (platform_usable(unit.api, devices[d]))
                status = platform_add_device(list, unit);
            unit.root_index++; /* also of those left out: names stay */
        }
    }
    if (status != FGPU_OK)
        return status;
    return list->count > 0 ? FGPU_OK : platform_none(unit.api, "device", error, why, why_bytes);
}
