/*
 * Events of the fake OpenCL library: status, waiting, callbacks, times, user events.
 *
 * Runs in the caller's thread; event_advance also in workers. A status only falls: queued,
 * submitted (at the flush), running, complete or negative. An event holds its queue and context; a
 * command holds its event until it is done.
 */
#include "internal.h"

#include <stdlib.h>

cl_event event_create(cl_context context, cl_command_queue queue, cl_command_type type)
{
    cl_event event = state_alloc(sizeof(*event));
    object_init(&event->object, OBJECT_EVENT);
    event->context = context;
    event->queue = queue;
    event->type = type;
    event->status = queue != NULL ? CL_QUEUED : CL_SUBMITTED;
    event->queued_ns = state_now_ns();
    object_hold(&context->object);
    if (queue != NULL)
        object_hold(&queue->object);
    return event;
}

void event_destroy(struct object *object)
{
    cl_event event = (cl_event)(void *)object;
    for (struct callback *next; event->callbacks != NULL; event->callbacks = next) {
        next = event->callbacks->next;
        free(event->callbacks);
    }
    if (event->queue != NULL)
        object_drop(&event->queue->object);
    object_drop(&event->context->object);
}

static void defer(cl_event event, struct callback *callback)
{
    callback->event = event;
    callback->status = event->status < 0 ? event->status : callback->trigger;
    object_hold(&event->object);
    state_defer(callback);
}

void event_advance(cl_event event, cl_int status)
{
    event->status = status;
    for (struct callback **link = &event->callbacks; *link != NULL;) {
        struct callback *callback = *link;
        if (callback->trigger < status) {
            link = &callback->next;
            continue;
        }
        *link = callback->next;
        defer(event, callback);
    }
}

cl_int event_wait(cl_event event)
{
    struct waiter waiter = {0};
    object_hold(&event->object);
    if (event->queue != NULL)
        queue_flush(event->queue);
    while (event->status > CL_COMPLETE)
        state_wait(&waiter);
    cl_int status = event->status;
    object_drop(&event->object);
    return status;
}

cl_int event_check_list(cl_context context, cl_uint count, const cl_event *list)
{
    if ((count == 0) != (list == NULL))
        return CL_INVALID_EVENT_WAIT_LIST;
    for (cl_uint i = 0; i < count; i++) {
        if (!object_check(list[i], OBJECT_EVENT))
            return CL_INVALID_EVENT_WAIT_LIST;
        if (list[i]->context != context)
            return CL_INVALID_CONTEXT;
    }
    return CL_SUCCESS;
}

static cl_int wait_for(cl_uint count, const cl_event *list)
{
    if (count == 0 || list == NULL)
        return CL_INVALID_VALUE;
    for (cl_uint i = 0; i < count; i++) {
        if (!object_check(list[i], OBJECT_EVENT))
            return CL_INVALID_EVENT;
        if (list[i]->context != list[0]->context)
            return CL_INVALID_CONTEXT;
    }
    if (state_in_callback()) {
        state_misuse("clWaitForEvents inside a callback");
        return CL_INVALID_OPERATION;
    }
    for (cl_uint i = 0; i < count; i++) {
        object_hold(&list[i]->object);
        if (list[i]->queue != NULL)
            queue_flush(list[i]->queue);
    }
    cl_int error = CL_SUCCESS;
    for (cl_uint i = 0; i < count; i++)
        if (event_wait(list[i]) < 0)
            error = CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
    for (cl_uint i = 0; i < count; i++)
        object_drop(&list[i]->object);
    return error;
}

FAKECL_API cl_int CL_API_CALL clWaitForEvents(cl_uint count, const cl_event *list)
{
    state_lock();
    cl_int error = wait_for(count, list);
    state_unlock();
    return error;
}

FAKECL_API cl_int CL_API_CALL clRetainEvent(cl_event event)
{
    return object_api_retain(event, OBJECT_EVENT, CL_INVALID_EVENT);
}

FAKECL_API cl_int CL_API_CALL clReleaseEvent(cl_event event)
{
    return object_api_release(event, OBJECT_EVENT, CL_INVALID_EVENT);
}

static cl_int event_info(cl_event event, cl_event_info name, size_t size, void *value, size_t *ret)
{
    if (!object_check(event, OBJECT_EVENT))
        return CL_INVALID_EVENT;
    switch (name) {
    case CL_EVENT_COMMAND_QUEUE:
        return state_info(&event->queue, sizeof(event->queue), size, value, ret);
    case CL_EVENT_COMMAND_TYPE:
        return state_info(&event->type, sizeof(event->type), size, value, ret);
    case CL_EVENT_REFERENCE_COUNT:
        return state_info(&event->object.api_refs, sizeof(cl_uint), size, value, ret);
    case CL_EVENT_COMMAND_EXECUTION_STATUS:
        return state_info(&event->status, sizeof(event->status), size, value, ret);
    case CL_EVENT_CONTEXT:
        return state_info(&event->context, sizeof(event->context), size, value, ret);
    default:
        return CL_INVALID_VALUE;
    }
}

FAKECL_API cl_int CL_API_CALL clGetEventInfo(cl_event event, cl_event_info name, size_t size,
                                             void *value, size_t *ret)
{
    state_lock();
    cl_int error = event_info(event, name, size, value, ret);
    state_unlock();
    return error;
}

static cl_int profiling_info(cl_event event, cl_profiling_info name, size_t size, void *value,
                             size_t *ret)
{
    if (!object_check(event, OBJECT_EVENT))
        return CL_INVALID_EVENT;
    if (event->queue == NULL || event->status != CL_COMPLETE ||
        (event->queue->properties & CL_QUEUE_PROFILING_ENABLE) == 0)
        return CL_PROFILING_INFO_NOT_AVAILABLE;
    switch (name) {
    case CL_PROFILING_COMMAND_QUEUED:
        return state_info(&event->queued_ns, sizeof(cl_ulong), size, value, ret);
    case CL_PROFILING_COMMAND_SUBMIT:
        return state_info(&event->submit_ns, sizeof(cl_ulong), size, value, ret);
    case CL_PROFILING_COMMAND_START:
        return state_info(&event->start_ns, sizeof(cl_ulong), size, value, ret);
    case CL_PROFILING_COMMAND_END:
        return state_info(&event->end_ns, sizeof(cl_ulong), size, value, ret);
    default:
        return CL_INVALID_VALUE;
    }
}

FAKECL_API cl_int CL_API_CALL clGetEventProfilingInfo(cl_event event, cl_profiling_info name,
                                                      size_t size, void *value, size_t *ret)
{
    state_lock();
    cl_int error = profiling_info(event, name, size, value, ret);
    state_unlock();
    return error;
}

static cl_int set_callback(cl_event event, cl_int trigger,
                           void(CL_CALLBACK *notify)(cl_event, cl_int, void *), void *user)
{
    if (!object_check(event, OBJECT_EVENT))
        return CL_INVALID_EVENT;
    if (notify == NULL ||
        (trigger != CL_SUBMITTED && trigger != CL_RUNNING && trigger != CL_COMPLETE))
        return CL_INVALID_VALUE;
    struct callback *callback = state_alloc(sizeof(*callback));
    callback->trigger = trigger;
    callback->event_fn = notify;
    callback->user = user;
    if (event->status <= trigger) {
        defer(event, callback); /* runs before clSetEventCallback returns, as some drivers do */
    } else {
        callback->next = event->callbacks;
        event->callbacks = callback;
    }
    return CL_SUCCESS;
}

FAKECL_API cl_int CL_API_CALL clSetEventCallback(
    cl_event event, cl_int trigger, void(CL_CALLBACK *notify)(cl_event, cl_int, void *), void *user)
{
    state_lock();
    cl_int error = set_callback(event, trigger, notify, user);
    state_unlock();
    return error;
}

FAKECL_API cl_event CL_API_CALL clCreateUserEvent(cl_context context, cl_int *errcode_ret)
{
    cl_event event = NULL;
    state_lock();
    if (object_check(context, OBJECT_CONTEXT))
        event = event_create(context, NULL, CL_COMMAND_USER);
    state_unlock();
    if (errcode_ret != NULL)
        *errcode_ret = event != NULL ? CL_SUCCESS : CL_INVALID_CONTEXT;
    return event;
}

static cl_int set_user_status(cl_event event, cl_int status)
{
    if (!object_check(event, OBJECT_EVENT) || event->queue != NULL)
        return CL_INVALID_EVENT;
    if (status > CL_COMPLETE)
        return CL_INVALID_VALUE;
    if (event->status <= CL_COMPLETE) {
        state_misuse("clSetUserEventStatus: the event has its final status already");
        return CL_INVALID_OPERATION;
    }
    event_advance(event, status);
    state_progress();
    return CL_SUCCESS;
}

FAKECL_API cl_int CL_API_CALL clSetUserEventStatus(cl_event event, cl_int status)
{
    state_lock();
    cl_int error = set_user_status(event, status);
    state_unlock();
    return error;
}
