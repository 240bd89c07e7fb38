/* An OpenCL queue driven by hand: see bench_opencl_raw.h. */
#include "bench_opencl_raw.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include "why.h"

#define BENCH_RAW_PLATFORMS 16
#define BENCH_RAW_DEVICES 64
#define BENCH_RAW_BUFFER_BYTES 64

const char bench_raw_source[] = "__kernel void empty(__global int *data) {}";
const char bench_raw_entry[] = "empty";

/* The calls that are used, by name. */
#define BENCH_RAW_CALLS(X)                                                                         \
    X(clGetPlatformIDs)                                                                            \
    X(clGetDeviceIDs)                                                                              \
    X(clGetDeviceInfo)                                                                             \
    X(clCreateContext)                                                                             \
    X(clCreateCommandQueue)                                                                        \
    X(clCreateProgramWithSource)                                                                   \
    X(clBuildProgram)                                                                              \
    X(clCreateKernel)                                                                              \
    X(clCreateBuffer)                                                                              \
    X(clSetKernelArg)                                                                              \
    X(clEnqueueNDRangeKernel)                                                                      \
    X(clFlush)                                                                                     \
    X(clFinish)                                                                                    \
    X(clWaitForEvents)                                                                             \
    X(clReleaseEvent)                                                                              \
    X(clReleaseMemObject)                                                                          \
    X(clReleaseKernel)                                                                             \
    X(clReleaseProgram)                                                                            \
    X(clReleaseCommandQueue)                                                                       \
    X(clReleaseContext)

struct bench_raw {
    void *library; /* stays open: drivers do not survive being unloaded */
#define BENCH_RAW_FIELD(name) __typeof__(&(name)) name;
    BENCH_RAW_CALLS(BENCH_RAW_FIELD)
#undef BENCH_RAW_FIELD
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    cl_program program;
    cl_kernel kernel;
    cl_mem buffer;
};

static fgpu_status bench_raw_load(struct bench_raw *raw, char *why, size_t why_bytes)
{
    const char *path = getenv("FASTGPU_OPENCL_LIBRARY");

    if (!path || !path[0])
        path = "libOpenCL.so.1";
    raw->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!raw->library)
        return why_fail(FGPU_E_NODEVICE, why, why_bytes, "%s", dlerror());
#define BENCH_RAW_LOAD(name)                                                                       \
    *(void **)&raw->name = dlsym(raw->library, #name);                                             \
    if (!raw->name)                                                                                \
        return why_fail(FGPU_E_NODEVICE, why, why_bytes, "%s has no " #name, path);
    BENCH_RAW_CALLS(BENCH_RAW_LOAD)
#undef BENCH_RAW_LOAD
    return FGPU_OK;
}

/* The device at `index` of all platforms' lists one after the other. */
static cl_device_id bench_raw_find(const struct bench_raw *raw, uint32_t index)
{
    cl_platform_id platforms[BENCH_RAW_PLATFORMS];
    cl_device_id devices[BENCH_RAW_DEVICES];
    cl_uint platform_count = 0;

    if (raw->clGetPlatformIDs(BENCH_RAW_PLATFORMS, platforms, &platform_count) != CL_SUCCESS)
        return NULL;
    for (cl_uint p = 0; p < platform_count && p < BENCH_RAW_PLATFORMS; p++) {
        cl_uint count = 0;
        if (raw->clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, BENCH_RAW_DEVICES, devices,
                                &count) != CL_SUCCESS)
            continue;
        if (index < count)
            return devices[index];
        index -= count;
    }
    return NULL;
}

static bool bench_raw_is_called(const struct bench_raw *raw, const char *name)
{
    char found[1024] = "";

    return raw->clGetDeviceInfo(raw->device, CL_DEVICE_NAME, sizeof found - 1, found, NULL) ==
               CL_SUCCESS &&
           strncmp(found, name, strlen(name)) == 0;
}

static fgpu_status bench_raw_make(struct bench_raw *raw, char *why, size_t why_bytes)
{
    const char *source = bench_raw_source;
    cl_int error = CL_SUCCESS;

    raw->context = raw->clCreateContext(NULL, 1, &raw->device, NULL, NULL, &error);
    if (raw->context)
        raw->queue = raw->clCreateCommandQueue(raw->context, raw->device, 0, &error);
    if (raw->queue)
        raw->program = raw->clCreateProgramWithSource(raw->context, 1, &source, NULL, &error);
    if (raw->program)
        error = raw->clBuildProgram(raw->program, 1, &raw->device, "", NULL, NULL);
    if (raw->program && error == CL_SUCCESS)
        raw->kernel = raw->clCreateKernel(raw->program, bench_raw_entry, &error);
    if (raw->kernel)
        raw->buffer = raw->clCreateBuffer(raw->context, CL_MEM_READ_WRITE, BENCH_RAW_BUFFER_BYTES,
                                          NULL, &error);
    if (raw->buffer)
        error = raw->clSetKernelArg(raw->kernel, 0, sizeof raw->buffer, &raw->buffer);
    if (!raw->buffer || error != CL_SUCCESS)
        return why_fail(FGPU_E_DEVICE, why, why_bytes,
                        "the queue by hand cannot be made: OpenCL error %d", (int)error);
    return FGPU_OK;
}

fgpu_status bench_raw_open(uint32_t index, const char *name, struct bench_raw **made, char *why,
                           size_t why_bytes)
{
    struct bench_raw *raw = calloc(1, sizeof *raw);

    *made = NULL;
    if (!raw)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");
    fgpu_status status = bench_raw_load(raw, why, why_bytes);
    if (status == FGPU_OK) {
        raw->device = bench_raw_find(raw, index);
        if (!raw->device || !bench_raw_is_called(raw, name))
            status = why_fail(FGPU_E_NODEVICE, why, why_bytes,
                              "OpenCL device %u is not the pool's %s", index, name);
    }
    if (status == FGPU_OK)
        status = bench_raw_make(raw, why, why_bytes);
    if (status != FGPU_OK) {
        bench_raw_close(raw);
        return status;
    }
    *made = raw;
    return FGPU_OK;
}

void bench_raw_close(struct bench_raw *raw)
{
    if (!raw)
        return;
    if (raw->buffer)
        (void)raw->clReleaseMemObject(raw->buffer);
    if (raw->kernel)
        (void)raw->clReleaseKernel(raw->kernel);
    if (raw->program)
        (void)raw->clReleaseProgram(raw->program);
    if (raw->queue)
        (void)raw->clReleaseCommandQueue(raw->queue);
    if (raw->context)
        (void)raw->clReleaseContext(raw->context);
    free(raw);
}

static cl_int bench_raw_enqueue(struct bench_raw *raw, cl_event *event)
{
    const size_t one = 1;

    return raw->clEnqueueNDRangeKernel(raw->queue, raw->kernel, 1, NULL, &one, &one, 0, NULL,
                                       event);
}

fgpu_status bench_raw_many(struct bench_raw *raw, uint64_t count, uint64_t flush_every)
{
    for (uint64_t i = 0; i < count; i++) {
        if (bench_raw_enqueue(raw, NULL) != CL_SUCCESS)
            return FGPU_E_DEVICE;
        if (flush_every > 0 && (i + 1) % flush_every == 0 && raw->clFlush(raw->queue) != CL_SUCCESS)
            return FGPU_E_DEVICE;
    }
    return raw->clFinish(raw->queue) == CL_SUCCESS ? FGPU_OK : FGPU_E_DEVICE;
}

fgpu_status bench_raw_one_finish(struct bench_raw *raw)
{
    return bench_raw_many(raw, 1, 0);
}

fgpu_status bench_raw_one_event(struct bench_raw *raw)
{
    cl_event event;

    if (bench_raw_enqueue(raw, &event) != CL_SUCCESS)
        return FGPU_E_DEVICE;
    cl_int error = raw->clWaitForEvents(1, &event);
    (void)raw->clReleaseEvent(event);
    return error == CL_SUCCESS ? FGPU_OK : FGPU_E_DEVICE;
}
