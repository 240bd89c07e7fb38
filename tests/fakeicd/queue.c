/*
 * Command queues of the fake OpenCL library.
 *
 * Runs in the caller's thread. A queue owns its unfinished commands in the order of their enqueue;
 * none of them runs before it was flushed, as real drivers may do. The device's worker (worker.c)
 * takes them from here.
 */
#include "internal.h"

#include <string.h>

static cl_command_queue create(cl_context context, cl_device_id device,
                               cl_command_queue_properties properties, cl_int *error)
{
    const cl_command_queue_properties known =
        CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE | CL_QUEUE_PROFILING_ENABLE;
    *error = CL_INVALID_CONTEXT;
    if (!object_check(context, OBJECT_CONTEXT))
        return NULL;
    *error = CL_INVALID_DEVICE;
    if (!object_check(device, OBJECT_DEVICE) || !context_has(context, device))
        return NULL;
    *error = CL_INVALID_VALUE;
    if ((properties & ~known) != 0)
        return NULL;
    *error = CL_OUT_OF_RESOURCES;
    if (device_root(device)->lost || !worker_attach(device))
        return NULL;
    cl_command_queue queue = state_alloc(sizeof(*queue));
    object_init(&queue->object, OBJECT_QUEUE);
    queue->context = context;
    queue->device = device;
    queue->properties = properties;
    queue->next_on_device = device->queues;
    device->queues = queue;
    object_hold(&context->object);
    *error = CL_SUCCESS;
    return queue;
}

FAKECL_API cl_command_queue CL_API_CALL clCreateCommandQueue(cl_context context,
                                                             cl_device_id device,
                                                             cl_command_queue_properties properties,
                                                             cl_int *errcode_ret)
{
    cl_int error;
    state_lock();
    cl_command_queue queue = create(context, device, properties, &error);
    state_unlock();
    if (errcode_ret != NULL)
        *errcode_ret = error;
    return queue;
}

void queue_destroy(struct object *object)
{
    cl_command_queue queue = (cl_command_queue)(void *)object;
    struct _cl_command_queue **link = &queue->device->queues;
    while (*link != queue)
        link = &(*link)->next_on_device;
    *link = queue->next_on_device;
    object_drop(&queue->context->object);
}

void queue_flush(cl_command_queue queue)
{
    if (queue->unflushed == NULL)
        return;
    for (struct command *command = queue->unflushed; command != NULL; command = command->next) {
        command->event->submit_ns = state_now_ns();
        event_advance(command->event, CL_SUBMITTED);
    }
    queue->unflushed = NULL;
    queue->flushed_seq = queue->last_seq;
    state_progress();
}

static cl_int finish(cl_command_queue queue)
{
    struct waiter waiter = {0};
    if (!object_check(queue, OBJECT_QUEUE))
        return CL_INVALID_COMMAND_QUEUE;
    if (state_in_callback()) {
        state_misuse("clFinish inside a callback");
        return CL_INVALID_OPERATION;
    }
    cl_device_id root = device_root(queue->device);
    uint64_t last = queue->last_seq;
    object_hold(&queue->object);
    queue_flush(queue);
    while (queue->head != NULL && queue->head->seq <= last)
        state_wait(&waiter);
    object_drop(&queue->object);
    return root->lost ? CL_OUT_OF_RESOURCES : CL_SUCCESS;
}

FAKECL_API cl_int CL_API_CALL clFinish(cl_command_queue queue)
{
    state_lock();
    cl_int error = finish(queue);
    state_unlock();
    return error;
}

FAKECL_API cl_int CL_API_CALL clFlush(cl_command_queue queue)
{
    cl_int error = CL_INVALID_COMMAND_QUEUE;
    state_lock();
    if (object_check(queue, OBJECT_QUEUE)) {
        queue_flush(queue);
        error = device_root(queue->device)->lost ? CL_OUT_OF_RESOURCES : CL_SUCCESS;
    }
    state_unlock();
    return error;
}

FAKECL_API cl_int CL_API_CALL clRetainCommandQueue(cl_command_queue queue)
{
    return object_api_retain(queue, OBJECT_QUEUE, CL_INVALID_COMMAND_QUEUE);
}

FAKECL_API cl_int CL_API_CALL clReleaseCommandQueue(cl_command_queue queue)
{
    return object_api_release(queue, OBJECT_QUEUE, CL_INVALID_COMMAND_QUEUE);
}

static cl_int queue_info(cl_command_queue queue, cl_command_queue_info name, size_t size,
                         void *value, size_t *ret)
{
    if (!object_check(queue, OBJECT_QUEUE))
        return CL_INVALID_COMMAND_QUEUE;
    switch (name) {
    case CL_QUEUE_CONTEXT:
        return state_info(&queue->context, sizeof(queue->context), size, value, ret);
    case CL_QUEUE_DEVICE:
        return state_info(&queue->device, sizeof(queue->device), size, value, ret);
    case CL_QUEUE_REFERENCE_COUNT:
        return state_info(&queue->object.api_refs, sizeof(cl_uint), size, value, ret);
    case CL_QUEUE_PROPERTIES:
        return state_info(&queue->properties, sizeof(queue->properties), size, value, ret);
    default:
        return CL_INVALID_VALUE;
    }
}

FAKECL_API cl_int CL_API_CALL clGetCommandQueueInfo(cl_command_queue queue,
                                                    cl_command_queue_info name, size_t size,
                                                    void *value, size_t *ret)
{
    state_lock();
    cl_int error = queue_info(queue, name, size, value, ret);
    state_unlock();
    return error;
}
