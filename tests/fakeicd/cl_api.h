/*
 * An OpenCL library's functions looked up by name, and short ways to use them in tests.
 *
 * For tests of the fake OpenCL library: the same test code drives it and, where there is one, a
 * real library beside it. Nothing is linked; everything is found in what cl_open() loads.
 */
#ifndef FASTGPU_FAKEICD_CL_API_H
#define FASTGPU_FAKEICD_CL_API_H

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#include <CL/cl.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fakeicd/fakecl.h"

#define CL_API_FUNCTIONS(X)                                                                        \
    X(clGetPlatformIDs)                                                                            \
    X(clGetPlatformInfo)                                                                           \
    X(clGetDeviceIDs)                                                                              \
    X(clGetDeviceInfo)                                                                             \
    X(clCreateSubDevices)                                                                          \
    X(clRetainDevice)                                                                              \
    X(clReleaseDevice)                                                                             \
    X(clCreateContext)                                                                             \
    X(clRetainContext)                                                                             \
    X(clReleaseContext)                                                                            \
    X(clGetContextInfo)                                                                            \
    X(clCreateCommandQueue)                                                                        \
    X(clReleaseCommandQueue)                                                                       \
    X(clGetCommandQueueInfo)                                                                       \
    X(clCreateBuffer)                                                                              \
    X(clCreateSubBuffer)                                                                           \
    X(clRetainMemObject)                                                                           \
    X(clReleaseMemObject)                                                                          \
    X(clGetMemObjectInfo)                                                                          \
    X(clSetMemObjectDestructorCallback)                                                            \
    X(clCreateProgramWithSource)                                                                   \
    X(clCreateProgramWithBinary)                                                                   \
    X(clBuildProgram)                                                                              \
    X(clReleaseProgram)                                                                            \
    X(clGetProgramInfo)                                                                            \
    X(clGetProgramBuildInfo)                                                                       \
    X(clCreateKernel)                                                                              \
    X(clReleaseKernel)                                                                             \
    X(clSetKernelArg)                                                                              \
    X(clGetKernelInfo)                                                                             \
    X(clGetKernelWorkGroupInfo)                                                                    \
    X(clEnqueueNDRangeKernel)                                                                      \
    X(clEnqueueReadBuffer)                                                                         \
    X(clEnqueueWriteBuffer)                                                                        \
    X(clEnqueueCopyBuffer)                                                                         \
    X(clEnqueueFillBuffer)                                                                         \
    X(clEnqueueReadBufferRect)                                                                     \
    X(clEnqueueWriteBufferRect)                                                                    \
    X(clEnqueueCopyBufferRect)                                                                     \
    X(clEnqueueMapBuffer)                                                                          \
    X(clEnqueueUnmapMemObject)                                                                     \
    X(clEnqueueMigrateMemObjects)                                                                  \
    X(clEnqueueMarkerWithWaitList)                                                                 \
    X(clEnqueueBarrierWithWaitList)                                                                \
    X(clFlush)                                                                                     \
    X(clFinish)                                                                                    \
    X(clWaitForEvents)                                                                             \
    X(clGetEventInfo)                                                                              \
    X(clGetEventProfilingInfo)                                                                     \
    X(clSetEventCallback)                                                                          \
    X(clCreateUserEvent)                                                                           \
    X(clSetUserEventStatus)                                                                        \
    X(clRetainEvent)                                                                               \
    X(clReleaseEvent)

#define CL_API_FIELD(name) __typeof__(name) *name;

struct cl_api {
    CL_API_FUNCTIONS(CL_API_FIELD)
    int (*fakecl_set)(const char *, long); /* NULL in a real library */
    void (*fakecl_stats)(struct fakecl_stats *);
    int (*fakecl_reset)(void);
};

/* Loads the library and fills *api; false, with a message, where it or a function is missing. */
static inline bool cl_open(struct cl_api *api, const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        (void)fprintf(stderr, "%s\n", dlerror());
        return false;
    }
#define CL_API_LOAD(name)                                                                          \
    *(void **)(void *)&api->name = dlsym(library, #name);                                          \
    if (api->name == NULL) {                                                                       \
        (void)fprintf(stderr, "%s has no " #name "\n", path);                                      \
        return false;                                                                              \
    }
    CL_API_FUNCTIONS(CL_API_LOAD)
#undef CL_API_LOAD
    *(void **)(void *)&api->fakecl_set = dlsym(library, "fakecl_set");
    *(void **)(void *)&api->fakecl_stats = dlsym(library, "fakecl_stats");
    *(void **)(void *)&api->fakecl_reset = dlsym(library, "fakecl_reset");
    return true;
}

/* A context with one or two devices and a queue on each: what most tests need. */
struct cl_rig {
    const struct cl_api *api;
    cl_device_id devices[4];
    cl_uint device_count;
    cl_context context;
    cl_command_queue queues[4];
    cl_int error; /* of the last call here that failed, or CL_SUCCESS */
};

static inline bool cl_rig_open(struct cl_rig *rig, const struct cl_api *api, cl_uint device_count,
                               cl_command_queue_properties properties)
{
    cl_platform_id platform;
    memset(rig, 0, sizeof(*rig));
    rig->api = api;
    rig->device_count = device_count;
    if (api->clGetPlatformIDs(1, &platform, NULL) != CL_SUCCESS ||
        api->clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, device_count, rig->devices, NULL) !=
            CL_SUCCESS)
        return false;
    rig->context = api->clCreateContext(NULL, device_count, rig->devices, NULL, NULL, &rig->error);
    for (cl_uint i = 0; i < device_count && rig->error == CL_SUCCESS; i++)
        rig->queues[i] =
            api->clCreateCommandQueue(rig->context, rig->devices[i], properties, &rig->error);
    return rig->error == CL_SUCCESS;
}

static inline void cl_rig_close(struct cl_rig *rig)
{
    for (cl_uint i = 0; i < rig->device_count; i++) {
        (void)rig->api->clFinish(rig->queues[i]);
        (void)rig->api->clReleaseCommandQueue(rig->queues[i]);
    }
    (void)rig->api->clReleaseContext(rig->context);
}

/* Builds the source and makes its kernel; NULL with rig->error and the log on stderr. */
static inline cl_kernel cl_rig_kernel(struct cl_rig *rig, const char *source, const char *name)
{
    const struct cl_api *api = rig->api;
    cl_kernel kernel = NULL;
    cl_program program =
        api->clCreateProgramWithSource(rig->context, 1, &source, NULL, &rig->error);
    if (program == NULL)
        return NULL;
    rig->error = api->clBuildProgram(program, 0, NULL, "", NULL, NULL);
    if (rig->error == CL_SUCCESS) {
        kernel = api->clCreateKernel(program, name, &rig->error);
    } else {
        char log[4096] = "";
        (void)api->clGetProgramBuildInfo(program, rig->devices[0], CL_PROGRAM_BUILD_LOG,
                                         sizeof(log), log, NULL);
        (void)fprintf(stderr, "build failed: %s\n", log);
    }
    (void)api->clReleaseProgram(program);
    return kernel;
}

static inline cl_mem cl_rig_buffer(struct cl_rig *rig, size_t size_bytes, const void *contents)
{
    cl_mem_flags flags = CL_MEM_READ_WRITE | (contents != NULL ? CL_MEM_COPY_HOST_PTR : 0);
    return rig->api->clCreateBuffer(rig->context, flags, size_bytes, (void *)(uintptr_t)contents,
                                    &rig->error);
}

/* The status of an event: CL_QUEUED ... CL_COMPLETE, or negative. */
static inline cl_int cl_rig_status(const struct cl_rig *rig, cl_event event)
{
    cl_int status = 99;
    (void)rig->api->clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status),
                                   &status, NULL);
    return status;
}

#endif
