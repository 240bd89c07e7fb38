/* An OpenCL queue driven by hand: see bench_opencl_raw.h. */
#include "cli/bench/bench_opencl_raw.h"

#include <stdlib.h>

#include "cli/common/opencl_library.h"
#include "cli/common/why.h"

#define BENCH_RAW_BUFFER_BYTES 64

const char bench_raw_source[] = "__kernel void empty(__global int *data) {}";
const char bench_raw_entry[] = "empty";

struct bench_raw {
    struct opencl_library cl;
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    cl_program program;
    cl_kernel kernel;
    cl_mem buffer;
};

static fgpu_status bench_raw_make(struct bench_raw *raw, char *why, size_t why_bytes)
{
    const char *source = bench_raw_source;
    cl_int error = CL_SUCCESS;

    raw->context = raw->cl.clCreateContext(NULL, 1, &raw->device, NULL, NULL, &error);
    if (raw->context)
        raw->queue = raw->cl.clCreateCommandQueue(raw->context, raw->device, 0, &error);
    if (raw->queue)
        raw->program = raw->cl.clCreateProgramWithSource(raw->context, 1, &source, NULL, &error);
    if (raw->program)
        error = raw->cl.clBuildProgram(raw->program, 1, &raw->device, "", NULL, NULL);
    if (raw->program && error == CL_SUCCESS)
        raw->kernel = raw->cl.clCreateKernel(raw->program, bench_raw_entry, &error);
    if (raw->kernel)
        raw->buffer = raw->cl.clCreateBuffer(raw->context, CL_MEM_READ_WRITE,
                                             BENCH_RAW_BUFFER_BYTES, NULL, &error);
    if (raw->buffer)
        error = raw->cl.clSetKernelArg(raw->kernel, 0, sizeof raw->buffer, &raw->buffer);
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
    fgpu_status status = opencl_library_open(&raw->cl, why, why_bytes);
    if (status == FGPU_OK)
        status = opencl_library_find(&raw->cl, index, name, &raw->device, why, why_bytes);
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
        (void)raw->cl.clReleaseMemObject(raw->buffer);
    if (raw->kernel)
        (void)raw->cl.clReleaseKernel(raw->kernel);
    if (raw->program)
        (void)raw->cl.clReleaseProgram(raw->program);
    if (raw->queue)
        (void)raw->cl.clReleaseCommandQueue(raw->queue);
    if (raw->context)
        (void)raw->cl.clReleaseContext(raw->context);
    free(raw);
}

static cl_int bench_raw_enqueue(struct bench_raw *raw, cl_event *event)
{
    const size_t one = 1;

    return raw->cl.clEnqueueNDRangeKernel(raw->queue, raw->kernel, 1, NULL, &one, &one, 0, NULL,
                                          event);
}

fgpu_status bench_raw_many(struct bench_raw *raw, uint64_t count, uint64_t flush_every)
{
    for (uint64_t i = 0; i < count; i++) {
        if (bench_raw_enqueue(raw, NULL) != CL_SUCCESS)
            return FGPU_E_DEVICE;
        if (flush_every > 0 && (i + 1) % flush_every == 0 &&
            raw->cl.clFlush(raw->queue) != CL_SUCCESS)
            return FGPU_E_DEVICE;
    }
    return raw->cl.clFinish(raw->queue) == CL_SUCCESS ? FGPU_OK : FGPU_E_DEVICE;
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
    cl_int error = raw->cl.clWaitForEvents(1, &event);
    (void)raw->cl.clReleaseEvent(event);
    return error == CL_SUCCESS ? FGPU_OK : FGPU_E_DEVICE;
}
