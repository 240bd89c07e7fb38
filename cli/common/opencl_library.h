/* The OpenCL library, opened at run time as the pool does it (FASTGPU_OPENCL_LIBRARY, else
 * libOpenCL.so.1), for what is measured against the pool: nothing of the pool is in between.
 *
 * It is never closed: drivers do not survive that. Thread: one at a time. Failures are a status and
 * a sentence.
 */
#ifndef FASTGPU_CLI_COMMON_OPENCL_LIBRARY_H
#define FASTGPU_CLI_COMMON_OPENCL_LIBRARY_H

#include <stddef.h>
#include <stdint.h>

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <fastgpu/status.h>

/* The calls that are used, by name. */
#define OPENCL_LIBRARY_CALLS(X)                                                                    \
    X(clGetPlatformIDs)                                                                            \
    X(clGetDeviceIDs)                                                                              \
    X(clGetDeviceInfo)                                                                             \
    X(clCreateContext)                                                                             \
    X(clCreateCommandQueue)                                                                        \
    X(clCreateProgramWithSource)                                                                   \
    X(clBuildProgram)                                                                              \
    X(clGetProgramBuildInfo)                                                                       \
    X(clCreateKernel)                                                                              \
    X(clGetKernelWorkGroupInfo)                                                                    \
    X(clCreateBuffer)                                                                              \
    X(clCreateSubBuffer)                                                                           \
    X(clSetKernelArg)                                                                              \
    X(clEnqueueNDRangeKernel)                                                                      \
    X(clEnqueueReadBuffer)                                                                         \
    X(clEnqueueReadBufferRect)                                                                     \
    X(clEnqueueWriteBuffer)                                                                        \
    X(clEnqueueWriteBufferRect)                                                                    \
    X(clEnqueueCopyBuffer)                                                                         \
    X(clEnqueueMapBuffer)                                                                          \
    X(clEnqueueUnmapMemObject)                                                                     \
    X(clFlush)                                                                                     \
    X(clFinish)                                                                                    \
    X(clWaitForEvents)                                                                             \
    X(clSetEventCallback)                                                                          \
    X(clReleaseEvent)                                                                              \
    X(clReleaseMemObject)                                                                          \
    X(clReleaseKernel)                                                                             \
    X(clReleaseProgram)                                                                            \
    X(clReleaseCommandQueue)                                                                       \
    X(clReleaseContext)

struct opencl_library {
    void *handle;
#define OPENCL_LIBRARY_FIELD(name) __typeof__(&(name)) name;
    OPENCL_LIBRARY_CALLS(OPENCL_LIBRARY_FIELD)
#undef OPENCL_LIBRARY_FIELD
};

/* FGPU_E_NODEVICE where there is no such library or it lacks a call. */
fgpu_status opencl_library_open(struct opencl_library *library, char *why, size_t why_bytes);

/* The device at `index` among all of all platforms, as the pool numbers them, if it is called
 * `name`; else FGPU_E_NODEVICE. */
fgpu_status opencl_library_find(const struct opencl_library *library, uint32_t index,
                                const char *name, cl_device_id *device, char *why,
                                size_t why_bytes);

#endif
