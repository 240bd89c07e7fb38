/* The first OpenCL device of the machine, by a loader opened at run time: what test_code_pocl.c
 * needs of it. */
#ifndef FASTGPU_CONFORM_CODE_OPENCL_H
#define FASTGPU_CONFORM_CODE_OPENCL_H

#define CL_TARGET_OPENCL_VERSION 120
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>

#include <CL/cl.h>

#define CODE_OPENCL_CALLS(X)                                                                       \
    X(clGetPlatformIDs)                                                                            \
    X(clGetDeviceIDs)                                                                              \
    X(clCreateContext)                                                                             \
    X(clCreateCommandQueue)                                                                        \
    X(clCreateProgramWithSource)                                                                   \
    X(clBuildProgram)                                                                              \
    X(clGetProgramBuildInfo)                                                                       \
    X(clCreateKernelsInProgram)                                                                    \
    X(clGetKernelInfo)                                                                             \
    X(clGetKernelArgInfo)                                                                          \
    X(clGetKernelWorkGroupInfo)                                                                    \
    X(clSetKernelArg)                                                                              \
    X(clCreateBuffer)                                                                              \
    X(clEnqueueWriteBuffer)                                                                        \
    X(clEnqueueReadBuffer)                                                                         \
    X(clEnqueueNDRangeKernel)                                                                      \
    X(clFinish)                                                                                    \
    X(clReleaseMemObject)                                                                          \
    X(clReleaseKernel)                                                                             \
    X(clReleaseProgram)                                                                            \
    X(clReleaseCommandQueue)                                                                       \
    X(clReleaseContext)

struct code_opencl {
#define CODE_OPENCL_FIELD(name) __typeof__(&name) name;
    CODE_OPENCL_CALLS(CODE_OPENCL_FIELD)
#undef CODE_OPENCL_FIELD
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
};

/* False, with a message, where there is no loader, platform or device. The library stays open. */
static inline bool code_opencl_open(struct code_opencl *cl)
{
    cl_platform_id platform;
    cl_uint count = 0;
    cl_int code;
    void *library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
    bool all = library != NULL;
#define CODE_OPENCL_LOAD(name)                                                                     \
    *(void **)&cl->name = all ? dlsym(library, #name) : NULL;                                      \
    all = all && cl->name != NULL;
    CODE_OPENCL_CALLS(CODE_OPENCL_LOAD)
#undef CODE_OPENCL_LOAD
    if (!all || cl->clGetPlatformIDs(1, &platform, &count) != CL_SUCCESS || count == 0 ||
        cl->clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &cl->device, &count) != CL_SUCCESS) {
        fprintf(stderr, "skipped: there is no OpenCL platform with a device\n");
        return false;
    }
    cl->context = cl->clCreateContext(NULL, 1, &cl->device, NULL, NULL, &code);
    if (code == CL_SUCCESS)
        cl->queue = cl->clCreateCommandQueue(cl->context, cl->device, 0, &code);
    if (code != CL_SUCCESS)
        fprintf(stderr, "skipped: the OpenCL device cannot be opened (%d)\n", code);
    return code == CL_SUCCESS;
}

static inline void code_opencl_close(struct code_opencl *cl)
{
    cl->clReleaseCommandQueue(cl->queue);
    cl->clReleaseContext(cl->context);
}

#endif
