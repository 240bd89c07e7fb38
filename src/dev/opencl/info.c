/* Asks a device what it is: see info.h. A property that is not told leaves its validity bit unset.
 */
#include "dev/opencl/info.h"

#include <stdio.h>
#include <string.h>
#include "dev/opencl/env.h"

#define INFO_GROUP_BASE 0x0c100000u /* resource groups of devices with their own cores */

static bool info_get(const struct ocl_unit *unit, cl_device_info what, void *value, size_t bytes)
{
    size_t told = 0;

    return unit->api->clGetDeviceInfo(unit->id, what, bytes, value, &told) == CL_SUCCESS &&
           told == bytes;
}

bool ocl_info_u32(const struct ocl_unit *unit, cl_device_info what, uint32_t *value)
{
    return info_get(unit, what, value, sizeof(*value));
}

bool ocl_info_u64(const struct ocl_unit *unit, cl_device_info what, uint64_t *value)
{
    return info_get(unit, what, value, sizeof(*value));
}

bool ocl_info_size(const struct ocl_unit *unit, cl_device_info what, uint64_t *value)
{
    size_t size = 0;

    if (!info_get(unit, what, &size, sizeof(size)))
        return false;
    *value = size;
    return true;
}

void ocl_info_text(const struct ocl_unit *unit, cl_device_info what, char *text, size_t text_bytes)
{
    char full[1024] = "";
    size_t length = 0;

    text[0] = '\0';
    if (unit->api->clGetDeviceInfo(unit->id, what, sizeof(full) - 1, full, NULL) != CL_SUCCESS)
        return;
    full[sizeof(full) - 1] = '\0';
    length = strnlen(full, text_bytes - 1);
    memcpy(text, full, length);
    text[length] = '\0';
}

static uint64_t info_type(const struct ocl_unit *unit)
{
    uint64_t type = 0;

    return ocl_info_u64(unit, CL_DEVICE_TYPE, &type) ? type : 0;
}

bool ocl_info_is_cpu(const struct ocl_unit *unit)
{
    return (info_type(unit) & CL_DEVICE_TYPE_CPU) != 0;
}

bool ocl_info_may_host(const struct ocl_unit *unit)
{
    uint64_t svm = 0;

    return !ocl_env_separate() && ocl_info_is_cpu(unit) &&
           unit->api->clSetKernelArgSVMPointer != NULL &&
           ocl_info_u64(unit, CL_DEVICE_SVM_CAPABILITIES, &svm) && svm != 0;
}

uint32_t ocl_info_resource_group(const struct ocl_unit *unit)
{
    return ocl_info_is_cpu(unit) ? 0 : INFO_GROUP_BASE + unit->root_index;
}

static uint32_t info_device_type(const struct ocl_unit *unit)
{
    uint64_t type = info_type(unit);

    if ((type & CL_DEVICE_TYPE_CPU) != 0)
        return FGPU_DEVICE_CPU;
    return (type & CL_DEVICE_TYPE_GPU) != 0 ? FGPU_DEVICE_GPU : FGPU_DEVICE_ACCELERATOR;
}

static void info_names(const struct ocl_unit *unit, fgpu_device_info *info)
{
    ocl_info_text(unit, CL_DEVICE_NAME, info->name, sizeof(info->name));
    ocl_info_text(unit, CL_DEVICE_VENDOR, info->vendor, sizeof(info->vendor));
    ocl_info_text(unit, CL_DRIVER_VERSION, info->driver, sizeof(info->driver));
    (void)snprintf(info->backend, sizeof(info->backend), "opencl");
    if (unit->part_count > 1)
        (void)snprintf(info->id, sizeof(info->id), "opencl:%u.%u", unit->root_index, unit->part);
    else
        (void)snprintf(info->id, sizeof(info->id), "opencl:%u", unit->root_index);
}

static uint32_t info_sizes(const struct ocl_unit *unit, const fgpu_backend_options *options,
                           fgpu_device_info *info)
{
    uint32_t valid = 0;
    uint32_t align_bits = 0;
    uint64_t group = 0;

    if (ocl_info_u64(unit, CL_DEVICE_GLOBAL_MEM_SIZE, &info->memory_bytes)) {
        valid |= FGPU_INFO_MEMORY;
        if (options->memory_bytes != 0 && options->memory_bytes < info->memory_bytes)
            info->memory_bytes = options->memory_bytes;
    }
    if (ocl_info_u64(unit, CL_DEVICE_LOCAL_MEM_SIZE, &info->local_memory_bytes))
        valid |= FGPU_INFO_LOCAL_MEMORY;
    if (ocl_info_size(unit, CL_DEVICE_MAX_WORK_GROUP_SIZE, &group)) {
        info->max_group_items = (uint32_t)group;
        valid |= FGPU_INFO_MAX_GROUP;
    }
    if (ocl_info_may_host(unit)) {
        info->memory_align_bytes = 1;
        valid |= FGPU_INFO_ALIGN;
    } else if (ocl_info_u32(unit, CL_DEVICE_MEM_BASE_ADDR_ALIGN, &align_bits)) {
        info->memory_align_bytes = align_bits >= 8 ? align_bits / 8 : 1;
        valid |= FGPU_INFO_ALIGN;
    }
    return valid;
}

void ocl_info_fill(const struct ocl_unit *unit, const fgpu_backend_options *options,
                   fgpu_device_info *info)
{
    uint32_t struct_bytes = info->struct_bytes;

    memset(info, 0, sizeof(*info));
    info->struct_bytes = struct_bytes;
    info->type = info_device_type(unit);
    info_names(unit, info);
    info->valid = info_sizes(unit, options, info) | FGPU_INFO_RESOURCE_GROUP;
    if (ocl_info_u32(unit, CL_DEVICE_MAX_COMPUTE_UNITS, &info->compute_units))
        info->valid |= FGPU_INFO_UNITS;
    if (ocl_info_u32(unit, CL_DEVICE_MAX_CLOCK_FREQUENCY, &info->clock_mhz) && info->clock_mhz != 0)
        info->valid |= FGPU_INFO_CLOCK;
    info->resource_group = ocl_info_resource_group(unit);
    info->memory_node = ocl_info_may_host(unit) ? 0 : 1 + unit->root_index;
    info->queue_count = 1;
}
