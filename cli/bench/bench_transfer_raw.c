/* Copies and mappings by hand: see bench_transfer.h. */
#include "cli/bench/bench_transfer.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/common/opencl_library.h"
#include "cli/common/why.h"

struct transfer_raw {
    struct opencl_library cl;
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    cl_mem buffer;
};

fgpu_status transfer_raw_open(const fgpu_device_info *info, uint64_t bytes,
                              struct transfer_raw **made, char *why, size_t why_bytes)
{
    struct transfer_raw *raw = calloc(1, sizeof *raw);
    cl_int error = CL_SUCCESS;
    unsigned index;

    *made = NULL;
    if (!raw)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");
    fgpu_status status = sscanf(info->id, "opencl:%u", &index) == 1 ? FGPU_OK : FGPU_E_NODEVICE;
    if (status == FGPU_OK)
        status = opencl_library_open(&raw->cl, why, why_bytes);
    if (status == FGPU_OK)
        status = opencl_library_find(&raw->cl, index, info->name, &raw->device, why, why_bytes);
    if (status == FGPU_OK)
        raw->context = raw->cl.clCreateContext(NULL, 1, &raw->device, NULL, NULL, &error);
    if (raw->context)
        raw->queue = raw->cl.clCreateCommandQueue(raw->context, raw->device, 0, &error);
    if (raw->queue)
        raw->buffer = raw->cl.clCreateBuffer(raw->context, CL_MEM_READ_WRITE, bytes, NULL, &error);
    if (status == FGPU_OK && !raw->buffer)
        status = why_fail(FGPU_E_DEVICE, why, why_bytes,
                          "the queue by hand cannot be made: OpenCL error %d", (int)error);
    if (status != FGPU_OK) {
        transfer_raw_close(raw);
        return status;
    }
    *made = raw;
    return FGPU_OK;
}

void transfer_raw_close(struct transfer_raw *raw)
{
    if (!raw)
        return;
    if (raw->buffer)
        (void)raw->cl.clReleaseMemObject(raw->buffer);
    if (raw->queue)
        (void)raw->cl.clReleaseCommandQueue(raw->queue);
    if (raw->context)
        (void)raw->cl.clReleaseContext(raw->context);
    free(raw);
}

static fgpu_status transfer_raw_status(cl_int error)
{
    return error == CL_SUCCESS ? FGPU_OK : FGPU_E_DEVICE;
}

fgpu_status transfer_raw_write(struct transfer_raw *raw, uint64_t offset, uint64_t bytes,
                               const void *from, bool is_blocking)
{
    return transfer_raw_status(raw->cl.clEnqueueWriteBuffer(raw->queue, raw->buffer,
                                                            is_blocking ? CL_TRUE : CL_FALSE,
                                                            offset, bytes, from, 0, NULL, NULL));
}

fgpu_status transfer_raw_read(struct transfer_raw *raw, uint64_t bytes, void *to)
{
    return transfer_raw_status(
        raw->cl.clEnqueueReadBuffer(raw->queue, raw->buffer, CL_TRUE, 0, bytes, to, 0, NULL, NULL));
}

fgpu_status transfer_raw_finish(struct transfer_raw *raw)
{
    return transfer_raw_status(raw->cl.clFinish(raw->queue));
}

fgpu_status transfer_raw_map(struct transfer_raw *raw, uint64_t bytes)
{
    cl_int error = CL_SUCCESS;
    void *at =
        raw->cl.clEnqueueMapBuffer(raw->queue, raw->buffer, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0,
                                   bytes, 0, NULL, NULL, &error);

    if (error == CL_SUCCESS)
        error = raw->cl.clEnqueueUnmapMemObject(raw->queue, raw->buffer, at, 0, NULL, NULL);
    return error == CL_SUCCESS ? transfer_raw_finish(raw) : FGPU_E_DEVICE;
}
