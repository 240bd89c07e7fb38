/*
 * Markers and barriers of the fake OpenCL library. Runs in the caller's thread.
 *
 * Without a wait list both wait for all commands before them in their queue; a barrier also holds
 * back all commands after it. The worker (worker.c) keeps these promises.
 */
#include "internal.h"

static cl_int enqueue(cl_command_queue queue, cl_command_type type, cl_uint count,
                      const cl_event *waits, cl_event *event)
{
    cl_int error;
    state_lock();
    struct command *command = command_begin(queue, type, count, waits, &error);
    if (command != NULL) {
        command->needs_all_before = count == 0;
        command->blocks_all_after = type == CL_COMMAND_BARRIER;
        error = command_submit(command, event, CL_FALSE);
    }
    state_unlock();
    return error;
}

FAKECL_API cl_int CL_API_CALL clEnqueueMarkerWithWaitList(cl_command_queue queue, cl_uint count,
                                                          const cl_event *waits, cl_event *event)
{
    return enqueue(queue, CL_COMMAND_MARKER, count, waits, event);
}

FAKECL_API cl_int CL_API_CALL clEnqueueBarrierWithWaitList(cl_command_queue queue, cl_uint count,
                                                           const cl_event *waits, cl_event *event)
{
    return enqueue(queue, CL_COMMAND_BARRIER, count, waits, event);
}

FAKECL_API cl_int CL_API_CALL clEnqueueMarker(cl_command_queue queue, cl_event *event)
{
    return event == NULL ? CL_INVALID_VALUE : enqueue(queue, CL_COMMAND_MARKER, 0, NULL, event);
}

FAKECL_API cl_int CL_API_CALL clEnqueueBarrier(cl_command_queue queue)
{
    return enqueue(queue, CL_COMMAND_BARRIER, 0, NULL, NULL);
}

FAKECL_API cl_int CL_API_CALL clEnqueueWaitForEvents(cl_command_queue queue, cl_uint count,
                                                     const cl_event *list)
{
    if (count == 0 || list == NULL)
        return CL_INVALID_VALUE;
    return enqueue(queue, CL_COMMAND_BARRIER, count, list, NULL);
}
