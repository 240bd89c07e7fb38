/*
 * Copies of the fake OpenCL library: read, write, copy and fill of buffers, linear and rectangular.
 *
 * Runs in the caller's thread: checks, then a command. Each copy is described as rows and slices on
 * both sides (a linear one has one row), so that exec.c knows one kind only. The parameters of the
 * entry points are OpenCL's.
 */
#include "internal.h"

#include <string.h>

/* What every enqueue has in common. */
struct enqueue {
    cl_command_queue queue;
    cl_command_type type;
    cl_bool blocking;
    cl_uint wait_count;
    const cl_event *waits;
    cl_event *event;
};

static bool side_fits(const struct copy_side *side, const size_t region[3], size_t limit)
{
    size_t slices, rows, sum;
    return !__builtin_mul_overflow(region[2] - 1, side->slice_pitch, &slices) &&
           !__builtin_mul_overflow(region[1] - 1, side->row_pitch, &rows) &&
           !__builtin_add_overflow(slices, rows, &sum) &&
           !__builtin_add_overflow(sum, region[0], &sum) &&
           !__builtin_add_overflow(sum, side->offset, &sum) && sum <= limit;
}

static cl_int check_side(cl_command_queue queue, const struct copy *copy,
                         const struct copy_side *side)
{
    if (side->mem == NULL)
        return side->host == NULL ? CL_INVALID_VALUE : CL_SUCCESS;
    if (!object_check(side->mem, OBJECT_MEM))
        return CL_INVALID_MEM_OBJECT;
    if (side->mem->context != queue->context)
        return CL_INVALID_CONTEXT;
    return side_fits(side, copy->region, side->mem->size_bytes) ? CL_SUCCESS : CL_INVALID_VALUE;
}

static cl_int check_access(const struct copy *copy)
{
    cl_mem from = copy->from.mem, to = copy->to.mem;
    const cl_mem_flags no_read = CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_NO_ACCESS;
    const cl_mem_flags no_write = CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS;
    if (to == NULL && (from->flags & no_read) != 0)
        return CL_INVALID_OPERATION;
    if (from == NULL && (to->flags & no_write) != 0)
        return CL_INVALID_OPERATION;
    return CL_SUCCESS;
}

static cl_int use_sides(struct command *command)
{
    cl_mem from = command->copy.from.mem, to = command->copy.to.mem;
    cl_int error = CL_SUCCESS;
    if (from != NULL) {
        /* contents on another device are read from there, without memory on this one */
        unsigned node = device_node(command->queue->device);
        error = command_use(command, from, store_peek(from->store, node, 0, 1) == NULL);
    }
    if (error == CL_SUCCESS && to != NULL)
        error = command_use(command, to, true);
    return error;
}

static cl_int enqueue_copy(const struct enqueue *enqueue, const struct copy *copy)
{
    cl_int error;
    struct command *command =
        command_begin(enqueue->queue, enqueue->type, enqueue->wait_count, enqueue->waits, &error);
    if (command == NULL)
        return error;
    if (copy->region[0] == 0 || copy->region[1] == 0 || copy->region[2] == 0)
        error = CL_INVALID_VALUE;
    if (error == CL_SUCCESS)
        error = check_side(enqueue->queue, copy, &copy->from);
    if (error == CL_SUCCESS)
        error = check_side(enqueue->queue, copy, &copy->to);
    if (error == CL_SUCCESS)
        error = check_access(copy);
    if (error != CL_SUCCESS) {
        command_abandon(command);
        return error;
    }
    command->copy = *copy;
    error = use_sides(command);
    if (error != CL_SUCCESS)
        return command_refuse(command, error);
    return command_submit(command, enqueue->event, enqueue->blocking);
}

static cl_int run_copy(const struct enqueue *enqueue, const struct copy *copy)
{
    state_lock();
    cl_int error = enqueue_copy(enqueue, copy);
    state_unlock();
    return error;
}

FAKECL_API cl_int CL_API_CALL clEnqueueReadBuffer(cl_command_queue queue, cl_mem mem,
                                                  cl_bool blocking, size_t offset, size_t size,
                                                  void *ptr, cl_uint count, const cl_event *waits,
                                                  cl_event *event)
{
    struct enqueue enqueue = {queue, CL_COMMAND_READ_BUFFER, blocking, count, waits, event};
    struct copy copy = {
        .from = {.mem = mem, .offset = offset}, .to = {.host = ptr}, .region = {size, 1, 1}};
    return mem == NULL ? CL_INVALID_MEM_OBJECT : run_copy(&enqueue, &copy);
}

FAKECL_API cl_int CL_API_CALL clEnqueueWriteBuffer(cl_command_queue queue, cl_mem mem,
                                                   cl_bool blocking, size_t offset, size_t size,
                                                   const void *ptr, cl_uint count,
                                                   const cl_event *waits, cl_event *event)
{
    struct enqueue enqueue = {queue, CL_COMMAND_WRITE_BUFFER, blocking, count, waits, event};
    struct copy copy = {.from = {.host = (unsigned char *)(uintptr_t)ptr},
                        .to = {.mem = mem, .offset = offset},
                        .region = {size, 1, 1}};
    return mem == NULL ? CL_INVALID_MEM_OBJECT : run_copy(&enqueue, &copy);
}

static cl_int copy_overlaps(cl_mem from, size_t from_offset, cl_mem to, size_t to_offset,
                            size_t size)
{
    cl_int error = CL_SUCCESS;
    state_lock();
    if (object_check(from, OBJECT_MEM) && object_check(to, OBJECT_MEM)) {
        size_t end;
        bool sane = !__builtin_add_overflow(from_offset, size, &end) &&
                    !__builtin_add_overflow(to_offset, size, &end);
        if (sane && memory_overlap(from, from_offset, to, to_offset, size))
            error = CL_MEM_COPY_OVERLAP;
    }
    state_unlock();
    return error;
}

FAKECL_API cl_int CL_API_CALL clEnqueueCopyBuffer(cl_command_queue queue, cl_mem from, cl_mem to,
                                                  size_t from_offset, size_t to_offset, size_t size,
                                                  cl_uint count, const cl_event *waits,
                                                  cl_event *event)
{
    struct enqueue enqueue = {queue, CL_COMMAND_COPY_BUFFER, CL_FALSE, count, waits, event};
    struct copy copy = {.from = {.mem = from, .offset = from_offset},
                        .to = {.mem = to, .offset = to_offset},
                        .region = {size, 1, 1}};
    if (from == NULL || to == NULL)
        return CL_INVALID_MEM_OBJECT;
    cl_int error = copy_overlaps(from, from_offset, to, to_offset, size);
    return error != CL_SUCCESS ? error : run_copy(&enqueue, &copy);
}

/* Pitches with their defaults, and the offset of the origin. */
static bool rect_side(struct copy_side *side, const size_t origin[3], const size_t region[3],
                      size_t row_pitch, size_t slice_pitch)
{
    size_t rows, slices, slice_least;
    if (origin == NULL || region == NULL || (row_pitch != 0 && row_pitch < region[0]))
        return false;
    side->row_pitch = row_pitch == 0 ? region[0] : row_pitch;
    if (__builtin_mul_overflow(region[1], side->row_pitch, &slice_least) ||
        (slice_pitch != 0 && (slice_pitch < slice_least || slice_pitch % side->row_pitch != 0)))
        return false;
    side->slice_pitch = slice_pitch == 0 ? slice_least : slice_pitch;
    return !__builtin_mul_overflow(origin[2], side->slice_pitch, &slices) &&
           !__builtin_mul_overflow(origin[1], side->row_pitch, &rows) &&
           !__builtin_add_overflow(slices, rows, &side->offset) &&
           !__builtin_add_overflow(side->offset, origin[0], &side->offset);
}

FAKECL_API cl_int CL_API_CALL clEnqueueReadBufferRect(
    cl_command_queue queue, cl_mem mem, cl_bool blocking, const size_t *buffer_origin,
    const size_t *host_origin, const size_t *region, size_t buffer_row_pitch,
    size_t buffer_slice_pitch, size_t host_row_pitch, size_t host_slice_pitch, void *ptr,
    cl_uint count, const cl_event *waits, cl_event *event)
{
    struct enqueue enqueue = {queue, CL_COMMAND_READ_BUFFER_RECT, blocking, count, waits, event};
    struct copy copy = {.from = {.mem = mem}, .to = {.host = ptr}};
    if (mem == NULL)
        return CL_INVALID_MEM_OBJECT;
    if (!rect_side(&copy.from, buffer_origin, region, buffer_row_pitch, buffer_slice_pitch) ||
        !rect_side(&copy.to, host_origin, region, host_row_pitch, host_slice_pitch))
        return CL_INVALID_VALUE;
    memcpy(copy.region, region, sizeof(copy.region));
    return run_copy(&enqueue, &copy);
}

FAKECL_API cl_int CL_API_CALL clEnqueueWriteBufferRect(
    cl_command_queue queue, cl_mem mem, cl_bool blocking, const size_t *buffer_origin,
    const size_t *host_origin, const size_t *region, size_t buffer_row_pitch,
    size_t buffer_slice_pitch, size_t host_row_pitch, size_t host_slice_pitch, const void *ptr,
    cl_uint count, const cl_event *waits, cl_event *event)
{
    struct enqueue enqueue = {queue, CL_COMMAND_WRITE_BUFFER_RECT, blocking, count, waits, event};
    struct copy copy = {.from = {.host = (unsigned char *)(uintptr_t)ptr}, .to = {.mem = mem}};
    if (mem == NULL)
        return CL_INVALID_MEM_OBJECT;
    if (!rect_side(&copy.to, buffer_origin, region, buffer_row_pitch, buffer_slice_pitch) ||
        !rect_side(&copy.from, host_origin, region, host_row_pitch, host_slice_pitch))
        return CL_INVALID_VALUE;
    memcpy(copy.region, region, sizeof(copy.region));
    return run_copy(&enqueue, &copy);
}

/* Inside one buffer both sides need the same pitches, and the boxes must be apart. */
static cl_int check_same_buffer(const struct copy *copy, const size_t *from_origin,
                                const size_t *to_origin)
{
    if (copy->from.row_pitch != copy->to.row_pitch ||
        copy->from.slice_pitch != copy->to.slice_pitch)
        return CL_INVALID_VALUE;
    for (int i = 0; i < 3; i++) {
        size_t a = from_origin[i], b = to_origin[i];
        if ((a > b ? a - b : b - a) >= copy->region[i])
            return CL_SUCCESS;
    }
    return CL_MEM_COPY_OVERLAP;
}

FAKECL_API cl_int CL_API_CALL clEnqueueCopyBufferRect(cl_command_queue queue, cl_mem from,
                                                      cl_mem to, const size_t *from_origin,
                                                      const size_t *to_origin, const size_t *region,
                                                      size_t from_row_pitch,
                                                      size_t from_slice_pitch, size_t to_row_pitch,
                                                      size_t to_slice_pitch, cl_uint count,
                                                      const cl_event *waits, cl_event *event)
{
    struct enqueue enqueue = {queue, CL_COMMAND_COPY_BUFFER_RECT, CL_FALSE, count, waits, event};
    struct copy copy = {.from = {.mem = from}, .to = {.mem = to}};
    if (from == NULL || to == NULL)
        return CL_INVALID_MEM_OBJECT;
    if (!rect_side(&copy.from, from_origin, region, from_row_pitch, from_slice_pitch) ||
        !rect_side(&copy.to, to_origin, region, to_row_pitch, to_slice_pitch))
        return CL_INVALID_VALUE;
    memcpy(copy.region, region, sizeof(copy.region));
    cl_int error = from == to ? check_same_buffer(&copy, from_origin, to_origin) : CL_SUCCESS;
    return error != CL_SUCCESS ? error : run_copy(&enqueue, &copy);
}

static cl_int check_fill(cl_command_queue queue, cl_mem mem, const void *pattern,
                         const struct fill *fill)
{
    size_t bytes = fill->pattern_bytes;
    if (!object_check(mem, OBJECT_MEM))
        return CL_INVALID_MEM_OBJECT;
    if (mem->context != queue->context)
        return CL_INVALID_CONTEXT;
    if (pattern == NULL || bytes == 0 || bytes > sizeof(fill->pattern) ||
        (bytes & (bytes - 1)) != 0)
        return CL_INVALID_VALUE;
    if (fill->offset % bytes != 0 || fill->size_bytes % bytes != 0 || fill->size_bytes == 0)
        return CL_INVALID_VALUE;
    if (fill->offset > mem->size_bytes || fill->size_bytes > mem->size_bytes - fill->offset)
        return CL_INVALID_VALUE;
    return CL_SUCCESS;
}

static cl_int enqueue_fill(const struct enqueue *enqueue, cl_mem mem, const void *pattern,
                           const struct fill *fill)
{
    cl_int error;
    struct command *command =
        command_begin(enqueue->queue, enqueue->type, enqueue->wait_count, enqueue->waits, &error);
    if (command == NULL)
        return error;
    error = check_fill(enqueue->queue, mem, pattern, fill);
    if (error != CL_SUCCESS) {
        command_abandon(command);
        return error;
    }
    command->fill = *fill;
    memcpy(command->fill.pattern, pattern, fill->pattern_bytes);
    error = command_use(command, mem, true);
    if (error != CL_SUCCESS)
        return command_refuse(command, error);
    return command_submit(command, enqueue->event, CL_FALSE);
}

FAKECL_API cl_int CL_API_CALL clEnqueueFillBuffer(cl_command_queue queue, cl_mem mem,
                                                  const void *pattern, size_t pattern_size,
                                                  size_t offset, size_t size, cl_uint count,
                                                  const cl_event *waits, cl_event *event)
{
    struct enqueue enqueue = {queue, CL_COMMAND_FILL_BUFFER, CL_FALSE, count, waits, event};
    struct fill fill = {.pattern_bytes = pattern_size, .offset = offset, .size_bytes = size};
    state_lock();
    cl_int error = enqueue_fill(&enqueue, mem, pattern, &fill);
    state_unlock();
    return error;
}
