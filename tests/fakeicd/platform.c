/*
 * The one platform of the fake OpenCL library, "FakeCL", and the list of its devices.
 *
 * Runs in the caller's thread. Owns the static platform and root device objects, which live as long
 * as the library.
 */
#include "internal.h"

#include <string.h>

struct _cl_platform_id platform;
struct _cl_device_id devices[FAKECL_MAX_DEVICES];

void device_init_all(void)
{
    object_init(&platform.object, OBJECT_PLATFORM);
    for (unsigned i = 0; i < FAKECL_MAX_DEVICES; i++) {
        object_init(&devices[i].object, OBJECT_DEVICE);
        devices[i].index = i;
    }
}

FAKECL_API cl_int CL_API_CALL clGetPlatformIDs(cl_uint num_entries, cl_platform_id *platforms,
                                               cl_uint *num_platforms)
{
    if ((num_entries == 0 && platforms != NULL) || (platforms == NULL && num_platforms == NULL))
        return CL_INVALID_VALUE;
    state_lock();
    cl_int error = (cl_int)-config.platform_error;
    if (error == CL_SUCCESS && platforms != NULL)
        platforms[0] = &platform;
    if (error == CL_SUCCESS && num_platforms != NULL)
        *num_platforms = 1;
    state_unlock();
    return error;
}

static const char *platform_text(cl_platform_info name)
{
    switch (name) {
    case CL_PLATFORM_PROFILE:
        return "FULL_PROFILE";
    case CL_PLATFORM_VERSION:
        return "OpenCL 1.2 FakeCL";
    case CL_PLATFORM_NAME:
        return "FakeCL";
    case CL_PLATFORM_VENDOR:
        return "FastGPU tests";
    case CL_PLATFORM_EXTENSIONS:
        return "cl_khr_fp64";
    default:
        return NULL;
    }
}

FAKECL_API cl_int CL_API_CALL clGetPlatformInfo(cl_platform_id handle, cl_platform_info name,
                                                size_t size, void *value, size_t *ret)
{
    state_lock();
    cl_int error = CL_INVALID_PLATFORM;
    const char *text = platform_text(name);
    if (handle == NULL || object_check(handle, OBJECT_PLATFORM))
        error =
            text == NULL ? CL_INVALID_VALUE : state_info(text, strlen(text) + 1, size, value, ret);
    state_unlock();
    return error;
}

static cl_int list_devices(cl_platform_id handle, cl_device_type type, cl_uint num_entries,
                           cl_device_id *list, cl_uint *num_devices)
{
    const cl_device_type known = CL_DEVICE_TYPE_DEFAULT | CL_DEVICE_TYPE_CPU | CL_DEVICE_TYPE_GPU |
                                 CL_DEVICE_TYPE_ACCELERATOR | CL_DEVICE_TYPE_CUSTOM;
    if (handle != NULL && !object_check(handle, OBJECT_PLATFORM))
        return CL_INVALID_PLATFORM;
    if (type != CL_DEVICE_TYPE_ALL && (type == 0 || (type & ~known) != 0))
        return CL_INVALID_DEVICE_TYPE;
    if ((num_entries == 0 && list != NULL) || (list == NULL && num_devices == NULL))
        return CL_INVALID_VALUE;
    cl_uint count = 0;
    if ((type & CL_DEVICE_TYPE_GPU) != 0)
        count = (cl_uint)config.devices;
    else if ((type & CL_DEVICE_TYPE_DEFAULT) != 0)
        count = 1;
    if (count == 0)
        return CL_DEVICE_NOT_FOUND;
    for (cl_uint i = 0; list != NULL && i < count && i < num_entries; i++)
        list[i] = &devices[i];
    if (num_devices != NULL)
        *num_devices = count;
    return CL_SUCCESS;
}

FAKECL_API cl_int CL_API_CALL clGetDeviceIDs(cl_platform_id handle, cl_device_type type,
                                             cl_uint num_entries, cl_device_id *list,
                                             cl_uint *num_devices)
{
    state_lock();
    cl_int error = (cl_int)-config.devices_error;
    if (error == CL_SUCCESS)
        error = list_devices(handle, type, num_entries, list, num_devices);
    state_unlock();
    return error;
}

FAKECL_API void *CL_API_CALL clGetExtensionFunctionAddressForPlatform(cl_platform_id handle,
                                                                      const char *name)
{
    (void)handle;
    (void)name;
    return NULL; /* no extension of ours has functions */
}

FAKECL_API void *CL_API_CALL clGetExtensionFunctionAddress(const char *name)
{
    (void)name;
    return NULL;
}

FAKECL_API cl_int CL_API_CALL clUnloadCompiler(void)
{
    return CL_SUCCESS;
}

FAKECL_API cl_int CL_API_CALL clUnloadPlatformCompiler(cl_platform_id handle)
{
    state_lock();
    bool good = object_check(handle, OBJECT_PLATFORM);
    state_unlock();
    return good ? CL_SUCCESS : CL_INVALID_PLATFORM;
}
