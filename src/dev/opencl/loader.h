/* The OpenCL library, opened at run time: a table of its entry points.
 *
 * Everything else in this folder calls OpenCL through a `const struct ocl_api *`. A library is
 * opened once per path (environment FASTGPU_OPENCL_LIBRARY, else libOpenCL.so.1) and stays open
 * until the process ends, since its threads may run. Thread: any.
 */
#ifndef FASTGPU_OPENCL_LOADER_H
#define FASTGPU_OPENCL_LOADER_H

#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <stddef.h>
#include <fastgpu/status.h>

/* Part of every OpenCL 1.2 library. */
#define OCL_REQUIRED(X)                                                                            \
    X(clGetPlatformIDs)                                                                            \
    X(clGetPlatformInfo)                                                                           \
    X(clGetDeviceIDs)                                                                              \
    X(clGetDeviceInfo)                                                                             \
    X(clCreateContext)                                                                             \
    X(clReleaseContext)                                                                            \
    X(clCreateCommandQueue)                                                                        \
    X(clReleaseCommandQueue)                                                                       \
    X(clCreateBuffer)                                                                              \
    X(clCreateSubBuffer)                                                                           \
    X(clReleaseMemObject)                                                                          \
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
    X(clEnqueueReadBufferRect)                                                                     \
    X(clEnqueueWriteBufferRect)                                                                    \
    X(clEnqueueCopyBufferRect)                                                                     \
    X(clEnqueueFillBuffer)                                                                         \
    X(clEnqueueMigrateMemObjects)                                                                  \
    X(clEnqueueMarkerWithWaitList)                                                                 \
    X(clGetEventInfo)                                                                              \
    X(clGetEventProfilingInfo)                                                                     \
    X(clReleaseEvent)                                                                              \
    X(clSetEventCallback)                                                                          \
    X(clFlush)

/* NULL where the library lacks them. */
#define OCL_OPTIONAL(X)                                                                            \
    X(clCreateSubDevices)                                                                          \
    X(clSetKernelArgSVMPointer)                                                                    \
    X(clEnqueueSVMMemcpy)                                                                          \
    X(clEnqueueSVMMemFill)                                                                         \
    X(clEnqueueMapBuffer)                                                                          \
    X(clEnqueueUnmapMemObject)                                                                     \
    X(clEnqueueNativeKernel)

struct ocl_api {
#define OCL_FIELD(name) __typeof__(name) *name;
    OCL_REQUIRED(OCL_FIELD)
    OCL_OPTIONAL(OCL_FIELD)
#undef OCL_FIELD
    char *path;
    void *handle;
    struct ocl_api *next;
};

/* The table of the library that the environment names now. With a text in `why` (NULL: none
 * wanted) that names what is missing and where it comes from: FGPU_E_NODEVICE when the usual one is
 * not there or the process is a fork, FGPU_E_NOTFOUND when the one that the environment names is
 * not, FGPU_E_UNSUPPORTED when it is no OpenCL library. FGPU_E_NOMEM. */
fgpu_status ocl_loader_get(const struct ocl_api **api, char *why, size_t why_bytes);

#endif
