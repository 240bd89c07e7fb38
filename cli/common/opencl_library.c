/* The OpenCL library, opened at run time: see opencl_library.h. */
#include "cli/common/opencl_library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/why.h"

#define OPENCL_LIBRARY_PLATFORMS 16
#define OPENCL_LIBRARY_DEVICES 64

fgpu_status opencl_library_open(struct opencl_library *library, char *why, size_t why_bytes)
{
    const char *path = getenv("FASTGPU_OPENCL_LIBRARY");

    if (!path || !path[0])
        path = "libOpenCL.so.1";
    library->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library->handle)
        return why_fail(FGPU_E_NODEVICE, why, why_bytes, "%s", dlerror());
#define OPENCL_LIBRARY_LOAD(name)                                                                  \
    *(void **)&library->name = dlsym(library->handle, #name);                                      \
    if (!library->name)                                                                            \
        return why_fail(FGPU_E_NODEVICE, why, why_bytes, "%s has no " #name, path);
    OPENCL_LIBRARY_CALLS(OPENCL_LIBRARY_LOAD)
#undef OPENCL_LIBRARY_LOAD
    return FGPU_OK;
}

static cl_device_id opencl_library_at(const struct opencl_library *library, uint32_t index)
{
    cl_platform_id platforms[OPENCL_LIBRARY_PLATFORMS];
    cl_device_id devices[OPENCL_LIBRARY_DEVICES];
    cl_uint platform_count = 0;

    if (library->clGetPlatformIDs(OPENCL_LIBRARY_PLATFORMS, platforms, &platform_count) !=
        CL_SUCCESS)
        return NULL;
    for (cl_uint p = 0; p < platform_count && p < OPENCL_LIBRARY_PLATFORMS; p++) {
        cl_uint count = 0;
        if (library->clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, OPENCL_LIBRARY_DEVICES,
                                    devices, &count) != CL_SUCCESS)
            continue;
        if (count > OPENCL_LIBRARY_DEVICES)
            count = OPENCL_LIBRARY_DEVICES;
        if (index < count)
            return devices[index];
        index -= count;
    }
    return NULL;
}

static bool opencl_library_is_called(const struct opencl_library *library, cl_device_id device,
                                     const char *name)
{
    char found[1024] = "";

    return library->clGetDeviceInfo(device, CL_DEVICE_NAME, sizeof found - 1, found, NULL) ==
               CL_SUCCESS &&
           strncmp(found, name, strlen(name)) == 0;
}

fgpu_status opencl_library_find(const struct opencl_library *library, uint32_t index,
                                const char *name, cl_device_id *device, char *why, size_t why_bytes)
{
    *device = opencl_library_at(library, index);
    if (!*device || !opencl_library_is_called(library, *device, name))
        return why_fail(FGPU_E_NODEVICE, why, why_bytes, "OpenCL device %u is not the pool's %s",
                        index, name);
    return FGPU_OK;
}
