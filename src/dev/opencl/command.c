/* Launches, copies and fills as OpenCL commands: see command.h.
 *
 * In host memory copies and fills are native calls in queue order (where the device has none: SVM
 * commands row by row). In own memory a copy is one command; a fill of several rows fills the first
 * and then doubles what is there, so that R rows take 1 + log2(R) commands.
 */
#include "dev/opencl/command.h"

#include <stdlib.h>
#include "dev/opencl/guard.h"
#include "dev/opencl/mem.h"
#include "dev/host/region.h"

static cl_int command_slice(struct ocl_queue *queue, const fgpu_cmd_slice *slice,
                            struct ocl_code *code, struct ocl_args *args, cl_event *event)
{
    struct ocl_shape shape;
    cl_int error = ocl_guard_shape(slice, code, &shape);

    if (error == CL_SUCCESS)
        error = ocl_guard_args(queue->device, code, args, &shape, ocl_guard_of(slice->guard));
    if (error != CL_SUCCESS)
        return error;
    return queue->api->clEnqueueNDRangeKernel(queue->id, args->kernel, slice->launch.dims, NULL,
                                              shape.global, shape.local, 0, NULL, event);
}

static cl_int command_launch(struct ocl_queue *queue, const fgpu_cmd_launch *launch,
                             cl_event *event)
{
    struct ocl_code *code = ocl_code_of(launch->code);
    size_t global[3] = {1, 1, 1};
    size_t local[3] = {1, 1, 1};
    size_t offset[3] = {0, 0, 0};
    bool chosen = launch->local[0] != 0 || code->required_local[0] != 0;
    const uint32_t *wanted = launch->local[0] != 0 ? launch->local : code->required_local;
    cl_int error = CL_SUCCESS;
    struct ocl_args *args = ocl_code_args(code, queue->index, &error);

    if (args == NULL)
        return error;
    if (launch->dims < 1 || launch->dims > 3)
        return CL_INVALID_WORK_DIMENSION;
    error = ocl_args_set(queue->device, args, launch);
    if (error != CL_SUCCESS)
        return error;
    if (launch->part == FGPU_LAUNCH_SLICE)
        return command_slice(queue, (const fgpu_cmd_slice *)(const void *)launch, code, args,
                             event);
    if (code->form != FGPU_FORM_WHOLE)
        return CL_INVALID_VALUE;
    for (uint32_t i = 0; i < launch->dims; i++) {
        global[i] = launch->global[i];
        local[i] = wanted[i] != 0 ? wanted[i] : 1;
    }
    if (launch->part != 0)
        offset[launch->dims - 1] = ((const fgpu_cmd_part *)(const void *)launch)->first;
    return queue->api->clEnqueueNDRangeKernel(queue->id, args->kernel, launch->dims,
                                              launch->part != 0 ? offset : NULL, global,
                                              chosen ? local : NULL, 0, NULL, event);
}

/* ---- host memory ------------------------------------------------------------------------ */

static void *command_at(fgpu_mem mem, uint64_t offset_bytes)
{
    return (void *)(uintptr_t)(mem + offset_bytes);
}

/* Runs on a thread of the device; `args` is OpenCL's copy of the command. */
static void CL_CALLBACK command_native_copy(void *args)
{
    const fgpu_cmd_copy *copy = args;
    struct region src = {command_at(copy->src, copy->src_offset_bytes), copy->src_pitch_bytes};
    struct region dst = {command_at(copy->dst, copy->dst_offset_bytes), copy->dst_pitch_bytes};

    region_copy(dst, src, copy->row_bytes, copy->rows);
}

static void CL_CALLBACK command_native_fill(void *args)
{
    const fgpu_cmd_fill *fill = args;
    struct region dst = {command_at(fill->mem, fill->offset_bytes), fill->pitch_bytes};

    region_fill(dst, fill);
}

static cl_int command_native(struct ocl_queue *queue, void(CL_CALLBACK *fn)(void *), void *body,
                             size_t body_bytes, cl_event *event)
{
    return queue->api->clEnqueueNativeKernel(queue->id, fn, body, body_bytes, 0, NULL, NULL, 0,
                                             NULL, event);
}

static bool command_copy_flat(const fgpu_cmd_copy *copy)
{
    return copy->rows == 1 ||
           (copy->src_pitch_bytes == copy->row_bytes && copy->dst_pitch_bytes == copy->row_bytes);
}

static cl_int command_svm_copy(struct ocl_queue *queue, const fgpu_cmd_copy *copy, cl_event *event)
{
    bool flat = command_copy_flat(copy);
    uint64_t rows = flat ? 1 : copy->rows;
    uint64_t row_bytes = flat ? copy->row_bytes * copy->rows : copy->row_bytes;
    char *dst = command_at(copy->dst, copy->dst_offset_bytes);
    const char *src = command_at(copy->src, copy->src_offset_bytes);
    cl_int error = CL_SUCCESS;

    for (uint64_t row = 0; row < rows && error == CL_SUCCESS; row++)
        error = queue->api->clEnqueueSVMMemcpy(
            queue->id, CL_FALSE, dst + row * copy->dst_pitch_bytes,
            src + row * copy->src_pitch_bytes, row_bytes, 0, NULL, row + 1 == rows ? event : NULL);
    return error;
}

static cl_int command_svm_fill(struct ocl_queue *queue, const fgpu_cmd_fill *fill, cl_event *event)
{
    char *dst = command_at(fill->mem, fill->offset_bytes);
    cl_int error = CL_SUCCESS;

    for (uint64_t row = 0; row < fill->rows && error == CL_SUCCESS; row++)
        error = queue->api->clEnqueueSVMMemFill(queue->id, dst + row * fill->pitch_bytes,
                                                fill->pattern, fill->pattern_bytes, fill->row_bytes,
                                                0, NULL, row + 1 == fill->rows ? event : NULL);
    return error;
}

/* ---- own memory ------------------------------------------------------------------------- */

static cl_int command_copy_in(struct ocl_queue *queue, const fgpu_cmd_copy *copy, cl_event *event)
{
    cl_mem dst = ocl_mem_of(copy->dst)->whole.id;
    const void *src = command_at(copy->src, copy->src_offset_bytes);
    size_t dst_origin[3] = {copy->dst_offset_bytes, 0, 0};
    size_t src_origin[3] = {0, 0, 0};
    size_t region[3] = {copy->row_bytes, copy->rows, 1};

    if (command_copy_flat(copy))
        return queue->api->clEnqueueWriteBuffer(queue->id, dst, CL_FALSE, copy->dst_offset_bytes,
                                                copy->row_bytes * copy->rows, src, 0, NULL, event);
    return queue->api->clEnqueueWriteBufferRect(queue->id, dst, CL_FALSE, dst_origin, src_origin,
                                                region, copy->dst_pitch_bytes, 0,
                                                copy->src_pitch_bytes, 0, src, 0, NULL, event);
}

static cl_int command_copy_out(struct ocl_queue *queue, const fgpu_cmd_copy *copy, cl_event *event)
{
    cl_mem src = ocl_mem_of(copy->src)->whole.id;
    void *dst = command_at(copy->dst, copy->dst_offset_bytes);
    size_t src_origin[3] = {copy->src_offset_bytes, 0, 0};
    size_t dst_origin[3] = {0, 0, 0};
    size_t region[3] = {copy->row_bytes, copy->rows, 1};

    if (command_copy_flat(copy))
        return queue->api->clEnqueueReadBuffer(queue->id, src, CL_FALSE, copy->src_offset_bytes,
                                               copy->row_bytes * copy->rows, dst, 0, NULL, event);
    return queue->api->clEnqueueReadBufferRect(queue->id, src, CL_FALSE, src_origin, dst_origin,
                                               region, copy->src_pitch_bytes, 0,
                                               copy->dst_pitch_bytes, 0, dst, 0, NULL, event);
}

/* Offset as column and row of the pitch's grid, where the rows do not cross its border: drivers
 * that look for overlap inside one buffer expect it so. */
static void command_origin(uint64_t offset_bytes, uint64_t pitch_bytes, uint64_t row_bytes,
                           size_t *origin)
{
    uint64_t column = offset_bytes % pitch_bytes;

    origin[0] = offset_bytes;
    origin[1] = origin[2] = 0;
    if (column + row_bytes > pitch_bytes)
        return;
    origin[0] = column;
    origin[1] = offset_bytes / pitch_bytes;
}

static cl_int command_copy_rows(struct ocl_queue *queue, const fgpu_cmd_copy *copy, cl_event *event)
{
    cl_mem src = ocl_mem_of(copy->src)->whole.id;
    cl_mem dst = ocl_mem_of(copy->dst)->whole.id;
    cl_int error = CL_SUCCESS;

    for (uint64_t row = 0; row < copy->rows && error == CL_SUCCESS; row++)
        error = queue->api->clEnqueueCopyBuffer(
            queue->id, src, dst, copy->src_offset_bytes + row * copy->src_pitch_bytes,
            copy->dst_offset_bytes + row * copy->dst_pitch_bytes, copy->row_bytes, 0, NULL,
            row + 1 == copy->rows ? event : NULL);
    return error;
}

/* Within one buffer OpenCL wants equal pitches (clEnqueueCopyBufferRect), and some drivers take
 * neighbouring rows for overlapping ones: then row by row. */
static cl_int command_copy_inside(struct ocl_queue *queue, const fgpu_cmd_copy *copy,
                                  cl_event *event)
{
    cl_mem src = ocl_mem_of(copy->src)->whole.id;
    cl_mem dst = ocl_mem_of(copy->dst)->whole.id;
    size_t src_origin[3];
    size_t dst_origin[3];
    size_t region[3] = {copy->row_bytes, copy->rows, 1};
    cl_int error = CL_MEM_COPY_OVERLAP;

    if (command_copy_flat(copy))
        return queue->api->clEnqueueCopyBuffer(queue->id, src, dst, copy->src_offset_bytes,
                                               copy->dst_offset_bytes, copy->row_bytes * copy->rows,
                                               0, NULL, event);
    command_origin(copy->src_offset_bytes, copy->src_pitch_bytes, copy->row_bytes, src_origin);
    command_origin(copy->dst_offset_bytes, copy->dst_pitch_bytes, copy->row_bytes, dst_origin);
    if (src != dst || copy->src_pitch_bytes == copy->dst_pitch_bytes)
        error = queue->api->clEnqueueCopyBufferRect(queue->id, src, dst, src_origin, dst_origin,
                                                    region, copy->src_pitch_bytes, 0,
                                                    copy->dst_pitch_bytes, 0, 0, NULL, event);
    return error == CL_MEM_COPY_OVERLAP && src == dst ? command_copy_rows(queue, copy, event)
                                                      : error;
}

static cl_int command_copy_own(struct ocl_queue *queue, const fgpu_cmd_copy *copy, cl_event *event)
{
    if (copy->src_is_host != 0 && copy->dst_is_host != 0)
        return CL_INVALID_VALUE;
    if (copy->src_is_host != 0)
        return command_copy_in(queue, copy, event);
    if (copy->dst_is_host != 0)
        return command_copy_out(queue, copy, event);
    return command_copy_inside(queue, copy, event);
}

/* clEnqueueFillBuffer wants offset and size to be multiples of the pattern; what is not, is made
 * here and written: *staging stays until *event. */
static cl_int command_fill_staged(struct ocl_queue *queue, const fgpu_cmd_fill *fill,
                                  uint64_t bytes, void **staging, cl_event *event)
{
    cl_mem mem = ocl_mem_of(fill->mem)->whole.id;
    fgpu_cmd_fill row = *fill;
    struct region made = {malloc(bytes), bytes};
    cl_int error = CL_SUCCESS;

    if (made.base == NULL)
        return CL_OUT_OF_HOST_MEMORY;
    row.row_bytes = bytes;
    row.rows = 1;
    region_fill(made, &row);
    error = queue->api->clEnqueueWriteBuffer(queue->id, mem, CL_FALSE, fill->offset_bytes, bytes,
                                             made.base, 0, NULL, event);
    if (error == CL_SUCCESS)
        *staging = made.base;
    else
        free(made.base);
    return error;
}

/* Copies row 0 to all others, twice as many each time. */
static cl_int command_fill_double(struct ocl_queue *queue, const fgpu_cmd_fill *fill,
                                  cl_event *event)
{
    cl_int error = CL_SUCCESS;
    fgpu_cmd_copy copy = {.src = fill->mem,
                          .dst = fill->mem,
                          .src_offset_bytes = fill->offset_bytes,
                          .src_pitch_bytes = fill->pitch_bytes,
                          .dst_pitch_bytes = fill->pitch_bytes,
                          .row_bytes = fill->row_bytes};

    for (uint64_t done = 1; done < fill->rows && error == CL_SUCCESS; done += copy.rows) {
        copy.rows = done < fill->rows - done ? done : fill->rows - done;
        copy.dst_offset_bytes = fill->offset_bytes + done * fill->pitch_bytes;
        error = command_copy_inside(queue, &copy, done + copy.rows == fill->rows ? event : NULL);
    }
    return error;
}

static cl_int command_fill_own(struct ocl_queue *queue, const fgpu_cmd_fill *fill, void **staging,
                               cl_event *event)
{
    bool flat = fill->rows == 1 || fill->pitch_bytes == fill->row_bytes;
    uint64_t bytes = flat ? fill->row_bytes * fill->rows : fill->row_bytes;
    cl_mem mem = ocl_mem_of(fill->mem)->whole.id;
    cl_event first = NULL;
    cl_event *first_event = flat ? event : &first;
    cl_int error = CL_SUCCESS;

    if (fill->offset_bytes % fill->pattern_bytes != 0)
        error = command_fill_staged(queue, fill, bytes, staging, first_event);
    else
        error = queue->api->clEnqueueFillBuffer(queue->id, mem, fill->pattern, fill->pattern_bytes,
                                                fill->offset_bytes, bytes, 0, NULL, first_event);
    if (error != CL_SUCCESS || flat)
        return error;
    error = command_fill_double(queue, fill, event);
    /* The staged row may go only when nothing reads it any more. */
    if (error != CL_SUCCESS && *staging != NULL) {
        if (ocl_device_wait(queue->api, first, LIMITS_OPENCL_WAIT_NS) <= CL_COMPLETE)
            free(*staging);
        *staging = NULL;
    }
    (void)queue->api->clReleaseEvent(first);
    return error;
}

/* ---- all -------------------------------------------------------------------------------- */

static cl_int command_copy(struct ocl_queue *queue, fgpu_cmd_copy *copy, cl_event *event)
{
    if (region_copy_status(copy) != FGPU_OK)
        return CL_INVALID_VALUE;
    if (queue->device->caps.host_memory == 0)
        return command_copy_own(queue, copy, event);
    if (queue->native)
        return command_native(queue, command_native_copy, copy, sizeof(*copy), event);
    return command_svm_copy(queue, copy, event);
}

static cl_int command_fill(struct ocl_queue *queue, fgpu_cmd_fill *fill, void **staging,
                           cl_event *event)
{
    if (region_fill_status(fill) != FGPU_OK)
        return CL_INVALID_VALUE;
    if (queue->device->caps.host_memory == 0)
        return command_fill_own(queue, fill, staging, event);
    if (queue->native)
        return command_native(queue, command_native_fill, fill, sizeof(*fill), event);
    return command_svm_fill(queue, fill, event);
}

/* A region without bytes; there is nothing to do. */
static bool command_empty(const fgpu_cmd *cmd)
{
    const fgpu_cmd_copy *copy = cmd->body;
    const fgpu_cmd_fill *fill = cmd->body;

    if (cmd->kind == FGPU_CMD_COPY)
        return copy->row_bytes == 0 || copy->rows == 0;
    return cmd->kind == FGPU_CMD_FILL && (fill->row_bytes == 0 || fill->rows == 0);
}

/* A launch without code, a region without memory: the caller's mistake, which fails alone. */
static bool command_is_void(const fgpu_cmd *cmd)
{
    const fgpu_cmd_launch *launch = cmd->body;
    const fgpu_cmd_copy *copy = cmd->body;
    const fgpu_cmd_fill *fill = cmd->body;

    if (cmd->kind == FGPU_CMD_LAUNCH)
        return launch->code == 0;
    if (cmd->kind == FGPU_CMD_COPY)
        return copy->src == 0 || copy->dst == 0;
    return cmd->kind == FGPU_CMD_FILL && fill->mem == 0;
}

cl_int ocl_command_enqueue(struct ocl_queue *queue, const fgpu_cmd *cmd, struct ocl_record *record,
                           bool watched)
{
    cl_event *event = watched ? &record->event : NULL;
    cl_int error = CL_INVALID_OPERATION;

    if (command_empty(cmd))
        return CL_SUCCESS;
    if (command_is_void(cmd))
        return CL_INVALID_VALUE;
    if (cmd->kind == FGPU_CMD_LAUNCH)
        error = command_launch(queue, cmd->body, event);
    else if (cmd->kind == FGPU_CMD_COPY)
        error = command_copy(queue, cmd->body, event);
    else if (cmd->kind == FGPU_CMD_FILL)
        error = command_fill(queue, cmd->body, &record->staging, event);
    record->runs = error == CL_SUCCESS;
    return error;
}
