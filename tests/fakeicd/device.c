/*
 * Devices of the fake OpenCL library: what they say about themselves, and sub-devices.
 *
 * Runs in the caller's thread. A root device is a GPU with memory of its own (one node for all when
 * UNIFIED); a sub-device shares its root's memory and fate, and has a worker of its own, so that
 * two sub-devices run at the same time.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>

cl_device_id device_root(cl_device_id device)
{
    while (device->parent != NULL)
        device = device->parent;
    return device;
}

unsigned device_node(cl_device_id device)
{
    return config.unified != 0 ? 0 : device->index;
}

size_t device_align_bytes(void)
{
    size_t align = 1;
    while (align * 16 <= (size_t)config.align)
        align *= 2;
    return align;
}

size_t device_max_alloc(void)
{
    size_t quarter = (size_t)config.memory / 4;
    return config.max_alloc > 0 ? (size_t)config.max_alloc : quarter;
}

static cl_uint units_of(cl_device_id device)
{
    return device->parent != NULL ? device->units : (cl_uint)config.units;
}

struct fact {
    cl_device_info name;
    enum { FACT_UINT, FACT_ULONG, FACT_SIZE } kind;
    uint64_t value;
};

static const struct fact facts[] = {
    {CL_DEVICE_TYPE, FACT_ULONG, CL_DEVICE_TYPE_GPU},
    {CL_DEVICE_VENDOR_ID, FACT_UINT, 0xFACE},
    {CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS, FACT_UINT, 3},
    {CL_DEVICE_MAX_WORK_GROUP_SIZE, FACT_SIZE, GROUP_SIZE_MAX},
    {CL_DEVICE_PREFERRED_VECTOR_WIDTH_CHAR, FACT_UINT, 4},
    {CL_DEVICE_PREFERRED_VECTOR_WIDTH_SHORT, FACT_UINT, 2},
    {CL_DEVICE_PREFERRED_VECTOR_WIDTH_INT, FACT_UINT, 1},
    {CL_DEVICE_PREFERRED_VECTOR_WIDTH_LONG, FACT_UINT, 1},
    {CL_DEVICE_PREFERRED_VECTOR_WIDTH_FLOAT, FACT_UINT, 1},
    {CL_DEVICE_PREFERRED_VECTOR_WIDTH_DOUBLE, FACT_UINT, 1},
    {CL_DEVICE_PREFERRED_VECTOR_WIDTH_HALF, FACT_UINT, 0},
    {CL_DEVICE_NATIVE_VECTOR_WIDTH_CHAR, FACT_UINT, 4},
    {CL_DEVICE_NATIVE_VECTOR_WIDTH_SHORT, FACT_UINT, 2},
    {CL_DEVICE_NATIVE_VECTOR_WIDTH_INT, FACT_UINT, 1},
    {CL_DEVICE_NATIVE_VECTOR_WIDTH_LONG, FACT_UINT, 1},
    {CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, FACT_UINT, 1},
    {CL_DEVICE_NATIVE_VECTOR_WIDTH_DOUBLE, FACT_UINT, 1},
    {CL_DEVICE_NATIVE_VECTOR_WIDTH_HALF, FACT_UINT, 0},
    {CL_DEVICE_MAX_CLOCK_FREQUENCY, FACT_UINT, 1000},
    {CL_DEVICE_ADDRESS_BITS, FACT_UINT, 64},
    {CL_DEVICE_IMAGE_SUPPORT, FACT_UINT, CL_FALSE},
    {CL_DEVICE_MAX_READ_IMAGE_ARGS, FACT_UINT, 0},
    {CL_DEVICE_MAX_WRITE_IMAGE_ARGS, FACT_UINT, 0},
    {CL_DEVICE_IMAGE2D_MAX_WIDTH, FACT_SIZE, 0},
    {CL_DEVICE_IMAGE2D_MAX_HEIGHT, FACT_SIZE, 0},
    {CL_DEVICE_IMAGE3D_MAX_WIDTH, FACT_SIZE, 0},
    {CL_DEVICE_IMAGE3D_MAX_HEIGHT, FACT_SIZE, 0},
    {CL_DEVICE_IMAGE3D_MAX_DEPTH, FACT_SIZE, 0},
    {CL_DEVICE_IMAGE_MAX_BUFFER_SIZE, FACT_SIZE, 0},
    {CL_DEVICE_IMAGE_MAX_ARRAY_SIZE, FACT_SIZE, 0},
    {CL_DEVICE_MAX_SAMPLERS, FACT_UINT, 0},
    {CL_DEVICE_MAX_PARAMETER_SIZE, FACT_SIZE, 4096},
    {CL_DEVICE_MIN_DATA_TYPE_ALIGN_SIZE, FACT_UINT, 128},
    {CL_DEVICE_SINGLE_FP_CONFIG, FACT_ULONG,
     CL_FP_DENORM | CL_FP_INF_NAN | CL_FP_ROUND_TO_NEAREST | CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT},
    {CL_DEVICE_DOUBLE_FP_CONFIG, FACT_ULONG,
     CL_FP_DENORM | CL_FP_INF_NAN | CL_FP_ROUND_TO_NEAREST | CL_FP_ROUND_TO_ZERO |
         CL_FP_ROUND_TO_INF | CL_FP_FMA},
    {CL_DEVICE_GLOBAL_MEM_CACHE_TYPE, FACT_UINT, CL_READ_WRITE_CACHE},
    {CL_DEVICE_GLOBAL_MEM_CACHELINE_SIZE, FACT_UINT, 64},
    {CL_DEVICE_GLOBAL_MEM_CACHE_SIZE, FACT_ULONG, 1 << 20},
    {CL_DEVICE_MAX_CONSTANT_BUFFER_SIZE, FACT_ULONG, 65536},
    {CL_DEVICE_MAX_CONSTANT_ARGS, FACT_UINT, 8},
    {CL_DEVICE_LOCAL_MEM_TYPE, FACT_UINT, CL_LOCAL},
    {CL_DEVICE_LOCAL_MEM_SIZE, FACT_ULONG, LOCAL_BYTES},
    {CL_DEVICE_ERROR_CORRECTION_SUPPORT, FACT_UINT, CL_FALSE},
    {CL_DEVICE_PROFILING_TIMER_RESOLUTION, FACT_SIZE, 1},
    {CL_DEVICE_ENDIAN_LITTLE, FACT_UINT, CL_TRUE},
    {CL_DEVICE_LINKER_AVAILABLE, FACT_UINT, CL_FALSE},
    {CL_DEVICE_EXECUTION_CAPABILITIES, FACT_ULONG, CL_EXEC_KERNEL},
    {CL_DEVICE_QUEUE_PROPERTIES, FACT_ULONG,
     CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE | CL_QUEUE_PROFILING_ENABLE},
    {CL_DEVICE_PREFERRED_INTEROP_USER_SYNC, FACT_UINT, CL_TRUE},
    {CL_DEVICE_PRINTF_BUFFER_SIZE, FACT_SIZE, 65536},
    {CL_DEVICE_PARTITION_AFFINITY_DOMAIN, FACT_ULONG, 0},
};

static cl_int return_number(int kind, uint64_t number, size_t size, void *value, size_t *ret)
{
    cl_uint small = (cl_uint)number;
    if (kind == FACT_UINT)
        return state_info(&small, sizeof(small), size, value, ret);
    return state_info(&number, sizeof(number), size, value, ret);
}

static bool text_info(cl_device_id device, cl_device_info name, char text[160])
{
    switch (name) {
    case CL_DEVICE_NAME:
        snprintf(text, 160, "FakeCL GPU %u%s", device->index, device->parent ? " part" : "");
        return true;
    case CL_DEVICE_VENDOR:
        snprintf(text, 160, "FastGPU tests");
        return true;
    case CL_DRIVER_VERSION:
        snprintf(text, 160, "1.0");
        return true;
    case CL_DEVICE_PROFILE:
        snprintf(text, 160, "FULL_PROFILE");
        return true;
    case CL_DEVICE_VERSION:
        snprintf(text, 160, "OpenCL 1.2 FakeCL");
        return true;
    case CL_DEVICE_OPENCL_C_VERSION:
        snprintf(text, 160, "OpenCL C 1.2 FakeCL");
        return true;
    case CL_DEVICE_EXTENSIONS:
        snprintf(text, 160,
                 "cl_khr_fp64 cl_khr_byte_addressable_store "
                 "cl_khr_global_int32_base_atomics cl_khr_local_int32_base_atomics");
        return true;
    case CL_DEVICE_BUILT_IN_KERNELS:
        text[0] = '\0';
        return true;
    default:
        return false;
    }
}

static bool number_info(cl_device_id device, cl_device_info name, int *kind, uint64_t *number)
{
    *kind = FACT_UINT;
    switch (name) {
    case CL_DEVICE_MAX_COMPUTE_UNITS:
    case CL_DEVICE_PARTITION_MAX_SUB_DEVICES:
        *number = units_of(device);
        return true;
    case CL_DEVICE_MEM_BASE_ADDR_ALIGN:
        *number = device_align_bytes() * 8;
        return true;
    case CL_DEVICE_HOST_UNIFIED_MEMORY:
        *number = config.unified != 0;
        return true;
    case CL_DEVICE_AVAILABLE:
        *number = !device_root(device)->lost;
        return true;
    case CL_DEVICE_COMPILER_AVAILABLE:
        *number = compile_available();
        return true;
    case CL_DEVICE_REFERENCE_COUNT:
        *number = device->object.api_refs;
        return true;
    case CL_DEVICE_GLOBAL_MEM_SIZE:
        *kind = FACT_ULONG;
        *number = (uint64_t)config.memory;
        return true;
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
        *kind = FACT_ULONG;
        *number = device_max_alloc();
        return true;
    default:
        return false;
    }
}

static cl_int list_info(cl_device_id device, cl_device_info name, size_t size, void *value,
                        size_t *ret)
{
    static const size_t item_sizes[3] = {GROUP_SIZE_MAX, GROUP_SIZE_MAX, 64};
    static const cl_device_partition_property kinds[2] = {CL_DEVICE_PARTITION_EQUALLY,
                                                          CL_DEVICE_PARTITION_BY_COUNTS};
    cl_platform_id owner = &platform;
    switch (name) {
    case CL_DEVICE_MAX_WORK_ITEM_SIZES:
        return state_info(item_sizes, sizeof(item_sizes), size, value, ret);
    case CL_DEVICE_PLATFORM:
        return state_info(&owner, sizeof(owner), size, value, ret);
    case CL_DEVICE_PARENT_DEVICE:
        return state_info(&device->parent, sizeof(device->parent), size, value, ret);
    case CL_DEVICE_PARTITION_PROPERTIES:
        return state_info(kinds, sizeof(kinds), size, value, ret);
    case CL_DEVICE_PARTITION_TYPE:
        return state_info(device->partition, device->partition_count * sizeof(device->partition[0]),
                          size, value, ret);
    default:
        return CL_INVALID_VALUE;
    }
}

static cl_int device_info(cl_device_id device, cl_device_info name, size_t size, void *value,
                          size_t *ret)
{
    char text[160];
    int kind;
    uint64_t number;
    if (!object_check(device, OBJECT_DEVICE))
        return CL_INVALID_DEVICE;
    if (text_info(device, name, text))
        return state_info(text, strlen(text) + 1, size, value, ret);
    if (number_info(device, name, &kind, &number))
        return return_number(kind, number, size, value, ret);
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
        if (facts[i].name == name)
            return return_number((int)facts[i].kind, facts[i].value, size, value, ret);
    return list_info(device, name, size, value, ret);
}

FAKECL_API cl_int CL_API_CALL clGetDeviceInfo(cl_device_id device, cl_device_info name, size_t size,
                                              void *value, size_t *ret)
{
    state_lock();
    cl_int error = device_info(device, name, size, value, ret);
    state_unlock();
    return error;
}

/* The compute units of each part -> units[]; returns their number, 0 on an error. */
static cl_uint plan_parts(cl_device_id device, const cl_device_partition_property *properties,
                          cl_uint *units, cl_int *error)
{
    cl_uint count = 0, sum = 0, all = units_of(device);
    *error = CL_INVALID_VALUE;
    if (properties == NULL)
        return 0;
    if (properties[0] == CL_DEVICE_PARTITION_EQUALLY) {
        if (properties[1] <= 0 || properties[2] != 0)
            return 0;
        for (cl_uint each = (cl_uint)properties[1]; (count + 1) * each <= all && count < 16;)
            units[count++] = each;
    } else if (properties[0] == CL_DEVICE_PARTITION_BY_COUNTS) {
        const cl_device_partition_property *next = properties + 1;
        for (; *next != CL_DEVICE_PARTITION_BY_COUNTS_LIST_END; next++) {
            *error = CL_INVALID_DEVICE_PARTITION_COUNT;
            if (*next <= 0 || count == 16 || *next > (cl_device_partition_property)(all - sum))
                return 0;
            sum += (cl_uint)*next;
            units[count++] = (cl_uint)*next;
        }
    } else {
        return 0;
    }
    *error = count == 0 ? CL_DEVICE_PARTITION_FAILED : CL_SUCCESS;
    return count;
}

static cl_uint property_count(const cl_device_partition_property *properties)
{
    if (properties[0] == CL_DEVICE_PARTITION_EQUALLY)
        return 3;
    cl_uint count = 1;
    while (properties[count] != CL_DEVICE_PARTITION_BY_COUNTS_LIST_END)
        count++;
    return count + 2; /* the end of the list and the end of the properties */
}

static cl_device_id create_part(cl_device_id parent, cl_uint units,
                                const cl_device_partition_property *properties)
{
    cl_device_id part = state_alloc(sizeof(*part));
    object_init(&part->object, OBJECT_DEVICE);
    part->parent = parent;
    part->index = parent->index;
    part->units = units;
    part->partition_count = property_count(properties);
    memcpy(part->partition, properties, (part->partition_count - 1) * sizeof(*properties));
    object_hold(&parent->object);
    return part;
}

static cl_int create_parts(cl_device_id device, const cl_device_partition_property *properties,
                           cl_uint num_devices, cl_device_id *out, cl_uint *num_out)
{
    cl_uint units[16];
    cl_int error;
    if (!object_check(device, OBJECT_DEVICE))
        return CL_INVALID_DEVICE;
    cl_uint count = plan_parts(device, properties, units, &error);
    if (error != CL_SUCCESS)
        return error;
    if (out != NULL && num_devices < count)
        return CL_INVALID_VALUE;
    for (cl_uint i = 0; out != NULL && i < count; i++)
        out[i] = create_part(device, units[i], properties);
    if (num_out != NULL)
        *num_out = count;
    return CL_SUCCESS;
}

FAKECL_API cl_int CL_API_CALL clCreateSubDevices(cl_device_id device,
                                                 const cl_device_partition_property *properties,
                                                 cl_uint num_devices, cl_device_id *out,
                                                 cl_uint *num_out)
{
    state_lock();
    cl_int error = create_parts(device, properties, num_devices, out, num_out);
    state_unlock();
    return error;
}

/* Retain and release do nothing on root devices. */
static cl_int count_device(cl_device_id device, bool retain)
{
    state_lock();
    bool good = object_check(device, OBJECT_DEVICE);
    bool root = good && device->parent == NULL;
    state_unlock();
    if (!good || root)
        return good ? CL_SUCCESS : CL_INVALID_DEVICE;
    return retain ? object_api_retain(device, OBJECT_DEVICE, CL_INVALID_DEVICE)
                  : object_api_release(device, OBJECT_DEVICE, CL_INVALID_DEVICE);
}

FAKECL_API cl_int CL_API_CALL clRetainDevice(cl_device_id device)
{
    return count_device(device, true);
}

FAKECL_API cl_int CL_API_CALL clReleaseDevice(cl_device_id device)
{
    return count_device(device, false);
}

void device_destroy(struct object *object)
{
    cl_device_id device = (cl_device_id)(void *)object;
    worker_detach(device);
    object_drop(&device->parent->object);
}
