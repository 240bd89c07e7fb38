/* Events, callbacks and the doorbell of a queue: see watch.h. */
#include "dev/opencl/watch.h"

#include <time.h>

#define WATCH_NAP_NS 1000000u /* between tries to get a marker */

void ocl_watch_ring(struct ocl_queue *queue)
{
    lock_acquire(&queue->ring_lock);
    if (!queue->closed)
        queue->device->bell.ring(queue->device->bell.arg);
    lock_release(&queue->ring_lock);
}

/* Called by the driver, on its thread or inside clSetEventCallback. After the last line the queue
 * may be gone. */
static void CL_CALLBACK watch_called(cl_event event, cl_int state, void *user)
{
    struct ocl_record *record = user;
    struct ocl_queue *queue = record->queue;
    uint64_t number = record->number;
    uint64_t seen = atomic_load_relaxed_u64(&queue->finished);
    int32_t none = CL_SUCCESS;

    (void)event;
    if (state < 0)
        (void)atomic_cas_acqrel_i32(&queue->error, &none, state);
    else
        while (seen < number && !atomic_cas_weak_acqrel_u64(&queue->finished, &seen, number))
            continue;
    atomic_store_release_u32(&record->pending, 0);
    ocl_watch_ring(queue); /* after `finished`: see ocl_watch_keep */
    (void)atomic_sub_acqrel_u32(&queue->callbacks, 1);
}

cl_int ocl_watch_state(const struct ocl_queue *queue, cl_event event)
{
    cl_int state = CL_QUEUED;
    cl_int error = queue->api->clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS,
                                              sizeof(state), &state, NULL);

    return error != CL_SUCCESS ? error : state;
}

bool ocl_watch_covered(const struct ocl_queue *queue)
{
    return ocl_watch_over(queue) || (queue->tail != NULL && queue->tail->number >= queue->running);
}

void ocl_watch_cover(struct ocl_queue *queue)
{
    struct timespec nap = {0, WATCH_NAP_NS};
    struct ocl_record *record = ocl_queue_record(queue, queue->running);
    uint32_t tries = queue->status == FGPU_OK ? LIMITS_OPENCL_TRIES : 1;
    cl_int error = CL_SUCCESS;

    if (ocl_watch_covered(queue))
        return;
    for (uint32_t i = 0; i < tries; i++) {
        error = queue->api->clEnqueueMarkerWithWaitList(queue->id, 0, NULL, &record->event);
        if (error == CL_SUCCESS) {
            queue->tail = record;
            return;
        }
        (void)nanosleep(&nap, NULL);
    }
    record->event = NULL;
    ocl_queue_break(queue, error, "marking the end", record->number);
}

void ocl_watch_arm(struct ocl_queue *queue)
{
    struct ocl_record *record = queue->tail;
    cl_int error = CL_SUCCESS;

    if (record == NULL || record->number <= queue->armed)
        return;
    queue->armed = record->number;
    atomic_store_relaxed_u32(&record->pending, 1);
    (void)atomic_add_acqrel_u32(&queue->callbacks, 1);
    error = queue->api->clSetEventCallback(record->event, CL_COMPLETE, watch_called, record);
    if (error == CL_SUCCESS)
        return;
    atomic_store_relaxed_u32(&record->pending, 0);
    (void)atomic_sub_acqrel_u32(&queue->callbacks, 1);
    ocl_queue_break(queue, error, "watching", record->number);
}

/* A callback raises `finished` first and rings then, so one that has not raised it is still to
 * ring. */
void ocl_watch_keep(struct ocl_queue *queue)
{
    if (atomic_load_acquire_u64(&queue->finished) >= queue->armed)
        ocl_watch_arm(queue);
}
