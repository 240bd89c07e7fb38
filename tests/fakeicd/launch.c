/*
 * Kernel launches of the fake OpenCL library.
 *
 * Runs in the caller's thread: checks the range and the arguments, captures them, reserves memory
 * for the buffers on the device and enqueues. What the kernel is given later is what clSetKernelArg
 * said before this call.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

struct range {
    cl_uint dims;
    const size_t *offset, *global, *local;
};

/* The size that the library chooses: the largest divisor up to 64 in the first dimension. */
static void choose_local(struct launch *launch)
{
    size_t size = launch->global[0] < 64 ? launch->global[0] : 64;
    while (launch->global[0] % size != 0)
        size--;
    launch->local[0] = size;
}

static bool has_requirement(const struct kernel_info *info)
{
    return info->required_local[0] != 0;
}

static cl_int set_local(struct launch *launch, const struct kernel_info *info,
                        const struct range *range)
{
    static const size_t limits[3] = {GROUP_SIZE_MAX, GROUP_SIZE_MAX, 64};
    size_t product = 1;
    if (range->local != NULL)
        memcpy(launch->local, range->local, range->dims * sizeof(size_t));
    else if (has_requirement(info))
        memcpy(launch->local, info->required_local, sizeof(launch->local));
    else
        choose_local(launch);
    for (int d = 0; d < 3; d++) {
        size_t size = launch->local[d];
        if (size == 0)
            return CL_INVALID_WORK_GROUP_SIZE;
        if (size > limits[d])
            return CL_INVALID_WORK_ITEM_SIZE;
        product *= size;
        if (launch->global[d] % size != 0 || product > GROUP_SIZE_MAX)
            return CL_INVALID_WORK_GROUP_SIZE;
        if (has_requirement(info) && size != info->required_local[d])
            return CL_INVALID_WORK_GROUP_SIZE;
    }
    return CL_SUCCESS;
}

static cl_int set_range(struct launch *launch, const struct kernel_info *info,
                        const struct range *range)
{
    if (range->dims < 1 || range->dims > 3)
        return CL_INVALID_WORK_DIMENSION;
    if (range->global == NULL)
        return CL_INVALID_GLOBAL_WORK_SIZE;
    launch->dims = range->dims;
    for (cl_uint d = 0; d < 3; d++) {
        size_t end;
        launch->global[d] = d < range->dims ? range->global[d] : 1;
        launch->offset[d] = d < range->dims && range->offset != NULL ? range->offset[d] : 0;
        launch->local[d] = 1;
        if (launch->global[d] == 0)
            return CL_INVALID_GLOBAL_WORK_SIZE;
        if (__builtin_add_overflow(launch->global[d], launch->offset[d], &end))
            return CL_INVALID_GLOBAL_OFFSET;
    }
    return set_local(launch, info, range);
}

/* Local arguments follow each other in the worker's local memory, each aligned to 128 bytes. */
static cl_int capture_local(struct launch *launch, struct launch_arg *arg,
                            const struct kernel_arg *from)
{
    arg->local = true;
    arg->size_bytes = from->size_bytes;
    arg->local_offset = launch->local_bytes;
    if (from->size_bytes > LOCAL_BYTES)
        return CL_OUT_OF_RESOURCES;
    launch->local_bytes += (from->size_bytes + 127) / 128 * 128;
    return launch->local_bytes > LOCAL_BYTES ? CL_OUT_OF_RESOURCES : CL_SUCCESS;
}

static cl_int capture_buffer(struct command *command, struct launch_arg *arg, cl_mem mem, char kind)
{
    if (mem == NULL)
        return CL_SUCCESS;
    if (!object_check(mem, OBJECT_MEM))
        return CL_INVALID_KERNEL_ARGS;
    arg->mem = mem;
    arg->write = kind == 'g' && (mem->flags & CL_MEM_READ_ONLY) == 0;
    return command_use(command, mem, true);
}

static cl_int capture_args(struct command *command, cl_kernel kernel)
{
    struct launch *launch = command->launch;
    cl_int error = CL_SUCCESS;
    launch->arg_count = kernel->info->arg_count;
    for (cl_uint i = 0; i < launch->arg_count && error == CL_SUCCESS; i++) {
        const struct kernel_arg *from = &kernel->args[i];
        struct launch_arg *arg = &launch->args[i];
        char kind = kernel->info->kinds[i];
        if (!from->set)
            return CL_INVALID_KERNEL_ARGS;
        if (kind == 'l') {
            error = capture_local(launch, arg, from);
        } else if (kind != 'v') {
            error = capture_buffer(command, arg, from->mem, kind);
        } else {
            arg->size_bytes = from->size_bytes;
            void *bytes = NULL; /* vectors are read as such: aligned */
            if (posix_memalign(&bytes, 128, from->size_bytes) != 0)
                return CL_OUT_OF_HOST_MEMORY;
            arg->bytes = memcpy(bytes, from->bytes, from->size_bytes);
        }
    }
    return error;
}

static cl_int fill_launch(struct command *command, cl_kernel kernel, const struct range *range)
{
    cl_program program = kernel->program;
    cl_command_queue queue = command->queue;
    if (program->context != queue->context)
        return CL_INVALID_CONTEXT;
    if (program->image == NULL)
        return CL_INVALID_PROGRAM_EXECUTABLE;
    struct launch *launch = state_alloc(sizeof(*launch));
    command->launch = launch;
    launch->kernel = kernel;
    object_hold(&kernel->object);
    cl_int error = set_range(launch, kernel->info, range);
    if (error != CL_SUCCESS)
        return error;
    launch->module = program_module(program, queue->device->worker->index);
    if (launch->module == NULL)
        return CL_INVALID_PROGRAM_EXECUTABLE;
    launch->call = launch->module->calls[kernel->info - program->image->kernels];
    launch->has_barrier = kernel->info->has_barrier;
    return capture_args(command, kernel);
}

static cl_int enqueue(struct command *command, cl_kernel kernel, const struct range *range,
                      cl_event *event)
{
    cl_int error = CL_INVALID_KERNEL;
    if (object_check(kernel, OBJECT_KERNEL))
        error = fill_launch(command, kernel, range);
    if (error == CL_MEM_OBJECT_ALLOCATION_FAILURE)
        return command_refuse(command, error);
    if (error == CL_SUCCESS)
        return command_submit(command, event, CL_FALSE);
    command_abandon(command);
    return error;
}

static cl_int run(cl_command_queue queue, cl_kernel kernel, const struct range *range,
                  cl_uint wait_count, const cl_event *waits, cl_event *event)
{
    cl_int error;
    state_lock();
    struct command *command =
        command_begin(queue, CL_COMMAND_NDRANGE_KERNEL, wait_count, waits, &error);
    if (command != NULL)
        error = enqueue(command, kernel, range, event);
    state_unlock();
    return error;
}

FAKECL_API cl_int CL_API_CALL clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel,
                                                     cl_uint work_dim, const size_t *global_offset,
                                                     const size_t *global_size,
                                                     const size_t *local_size, cl_uint wait_count,
                                                     const cl_event *waits, cl_event *event)
{
    struct range range = {work_dim, global_offset, global_size, local_size};
    return run(queue, kernel, &range, wait_count, waits, event);
}

FAKECL_API cl_int CL_API_CALL clEnqueueTask(cl_command_queue queue, cl_kernel kernel,
                                            cl_uint wait_count, const cl_event *waits,
                                            cl_event *event)
{
    const size_t one = 1;
    struct range range = {1, NULL, &one, &one};
    return run(queue, kernel, &range, wait_count, waits, event);
}
