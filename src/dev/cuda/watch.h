/* Who sees that commands have finished, and rings: one thread for a device.
 *
 * It asks the events of the device's queues, without a pause first and then in naps that grow with
 * the waiting (a sixteenth of it, 200 us at most); with nothing in flight it sleeps. It never makes
 * a blocking call, so a kernel that does not end holds up nobody. poll asks by itself too, which is
 * how a program that waits in the pool learns it sooner. Thread: any.
 */
#ifndef FASTGPU_CUDA_WATCH_H
#define FASTGPU_CUDA_WATCH_H

#include "dev/cuda/queue.h"

/* Starts the thread; CUDA_ERROR_OPERATING_SYSTEM where none can be had. */
cuda_result cuda_watch_create(struct cuda_device *device, struct cuda_watch **watch);
void cuda_watch_destroy(struct cuda_watch *watch);

void cuda_watch_add(struct cuda_watch *watch, struct cuda_queue *queue);
void cuda_watch_remove(struct cuda_watch *watch, struct cuda_queue *queue);

/* Something new is in flight. */
void cuda_watch_wake(struct cuda_watch *watch);

/* Is nothing in flight on the device? A guess while others submit. */
bool cuda_watch_idle(struct cuda_watch *watch);

/* All up to `number` are over: their places will not be looked at any more. Queue's thread. */
void cuda_watch_pass(struct cuda_queue *queue, uint64_t number);

/* Asks the events: raises `finished`, or keeps the error. The context is current. */
void cuda_watch_advance(struct cuda_queue *queue);

#endif
