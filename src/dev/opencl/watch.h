/* How a queue learns what has finished: events, callbacks, the doorbell.
 *
 * Some commands have events: those with FGPU_CMD_NOTIFY or FGPU_CMD_TIMED, the last of each call,
 * and all of them on devices that can fail one by one (watch_all; see docs/decisions). Some events
 * have a callback, which raises `finished` and then rings: those of commands with FGPU_CMD_NOTIFY,
 * and the newest one whenever no other callback is to come. Keeps true, when submit or poll has
 * returned and something is in flight: the newest running command is covered by the newest event,
 * and somebody will ring. Thread: the queue's; callbacks on the driver's.
 */
#ifndef FASTGPU_OPENCL_WATCH_H
#define FASTGPU_OPENCL_WATCH_H

#include "dev/opencl/queue.h"

/* Rings the doorbell, unless it is gone. Any thread. */
void ocl_watch_ring(struct ocl_queue *queue);

/* State of an event: CL_COMPLETE, above it while it is in flight, an error below. */
cl_int ocl_watch_state(const struct ocl_queue *queue, cl_event event);

/* Is an event there that tells when the newest running command is over? */
bool ocl_watch_covered(const struct ocl_queue *queue);

/* Makes it so, with a marker where need be; when that is refused again and again the queue ends. */
void ocl_watch_cover(struct ocl_queue *queue);

/* Gives the newest event a callback, unless it has one. */
void ocl_watch_arm(struct ocl_queue *queue);

/* Sees to it that somebody rings after now if something is in flight. */
void ocl_watch_keep(struct ocl_queue *queue);

/* Is nothing in flight? */
static inline bool ocl_watch_over(const struct ocl_queue *queue)
{
    return queue->running <= atomic_load_acquire_u64(&queue->finished);
}

#endif
