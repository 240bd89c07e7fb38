/* The thread that watches a device's queues: see watch.h. */
#include "dev/cuda/watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include "base/clock.h"
#include "base/futex.h"

#define WATCH_SPIN_NS 100000u /* without a pause for so long after the last news */
#define WATCH_PAUSES 32u      /* between two looks then */
#define WATCH_NAP_LEAST_NS 10000u
#define WATCH_NAP_MOST_NS 200000u
#define WATCH_SLACK_NS 1000u /* by which the kernel may stretch the naps */

struct cuda_watch {
    struct cuda_device *device;
    pthread_t thread;
    struct lock lock; /* the queues */
    struct cuda_queue *queues[CUDA_DEVICE_QUEUES];
    _Atomic uint32_t calls; /* counts wakes: a futex */
    _Atomic uint32_t asleep;
    _Atomic uint32_t stop;
};

void cuda_watch_advance(struct cuda_queue *queue)
{
    uint64_t armed = atomic_load_acquire_u64(&queue->armed);
    uint64_t number = 0;
    cuda_result error = CUDA_SUCCESS;

    lock_acquire(&queue->watch_lock);
    number = atomic_load_relaxed_u64(&queue->finished);
    if (number < armed && atomic_load_relaxed_i32(&queue->error) == CUDA_SUCCESS) {
        error = queue->api->event_query(cuda_queue_record(queue, armed)->event);
        if (error == CUDA_SUCCESS)
            number = armed;
        while (error == CUDA_ERROR_NOT_READY && ++number < armed) {
            cuda_event event = cuda_queue_record(queue, number)->event;
            if (event == NULL)
                continue;
            error = queue->api->event_query(event);
            if (error != CUDA_SUCCESS)
                break;
            atomic_store_release_u64(&queue->finished, number);
            error = CUDA_ERROR_NOT_READY; /* of the newest */
        }
        if (error == CUDA_SUCCESS)
            atomic_store_release_u64(&queue->finished, number);
        else if (error != CUDA_ERROR_NOT_READY)
            (void)atomic_exchange_acqrel_i32(&queue->error, error);
    }
    lock_release(&queue->watch_lock);
}

void cuda_watch_pass(struct cuda_queue *queue, uint64_t number)
{
    lock_acquire(&queue->watch_lock);
    if (atomic_load_relaxed_u64(&queue->finished) < number)
        atomic_store_release_u64(&queue->finished, number);
    lock_release(&queue->watch_lock);
}

/* What a look at all queues has shown. */
struct watch_look {
    bool flying; /* something is in flight */
    bool news;
};

static void watch_look_at(struct cuda_queue *queue, struct watch_look *look)
{
    uint64_t finished = 0;
    bool broken = false;

    cuda_watch_advance(queue);
    broken = atomic_load_acquire_i32(&queue->error) != CUDA_SUCCESS;
    finished = atomic_load_acquire_u64(&queue->finished);
    if (finished > queue->rung || (broken && !queue->rung_error)) {
        queue->rung = finished;
        queue->rung_error = broken;
        look->news = true;
    }
    look->flying = look->flying || (!broken && finished < atomic_load_seqcst_u64(&queue->armed));
}

/* The bell is rung under the lock, so that a queue that was taken away does not ring. */
static struct watch_look watch_look(struct cuda_watch *watch)
{
    struct watch_look look = {false, false};

    lock_acquire(&watch->lock);
    for (uint32_t i = 0; i < CUDA_DEVICE_QUEUES; i++)
        if (watch->queues[i] != NULL)
            watch_look_at(watch->queues[i], &look);
    if (look.news)
        watch->device->bell.ring(watch->device->bell.arg);
    lock_release(&watch->lock);
    return look;
}

static void watch_pause(uint64_t quiet_ns)
{
    struct timespec nap = {0, (long)(quiet_ns / 16)};

    if (quiet_ns < WATCH_SPIN_NS) {
        for (uint32_t i = 0; i < WATCH_PAUSES; i++)
            atomic_pause();
        return;
    }
    if (nap.tv_nsec < (long)WATCH_NAP_LEAST_NS)
        nap.tv_nsec = WATCH_NAP_LEAST_NS;
    if (quiet_ns / 16 > WATCH_NAP_MOST_NS)
        nap.tv_nsec = WATCH_NAP_MOST_NS;
    (void)nanosleep(&nap, NULL);
}

static void *watch_run(void *arg)
{
    struct cuda_watch *watch = arg;
    uint64_t news_ns = clock_now_ns();
    bool entered = cuda_device_enter(watch->device) == CUDA_SUCCESS; /* else events tell why */

    (void)prctl(PR_SET_NAME, "fastgpu-cuda");
    (void)prctl(PR_SET_TIMERSLACK, (unsigned long)WATCH_SLACK_NS, 0, 0, 0);
    while (atomic_load_acquire_u32(&watch->stop) == 0) {
        struct watch_look look = watch_look(watch);
        uint64_t now_ns = clock_now_ns();
        if (look.news)
            news_ns = now_ns;
        if (look.flying) {
            watch_pause(now_ns - news_ns);
            continue;
        }
        /* Pairs with cuda_watch_wake: it publishes work before it reads `asleep`. */
        uint32_t calls = atomic_load_seqcst_u32(&watch->calls);
        atomic_store_seqcst_u32(&watch->asleep, 1);
        if (!watch_look(watch).flying && atomic_load_seqcst_u32(&watch->stop) == 0)
            (void)futex_wait(&watch->calls, calls, -1);
        atomic_store_seqcst_u32(&watch->asleep, 0);
        news_ns = clock_now_ns();
    }
    if (entered)
        cuda_device_leave(watch->device);
    return NULL;
}

void cuda_watch_wake(struct cuda_watch *watch)
{
    if (atomic_load_seqcst_u32(&watch->asleep) == 0)
        return;
    (void)atomic_add_seqcst_u32(&watch->calls, 1);
    (void)futex_wake(&watch->calls, 1);
}

bool cuda_watch_idle(struct cuda_watch *watch)
{
    bool idle = true;

    lock_acquire(&watch->lock);
    for (uint32_t i = 0; i < CUDA_DEVICE_QUEUES; i++)
        if (watch->queues[i] != NULL)
            idle = idle && atomic_load_acquire_u64(&watch->queues[i]->finished) >=
                               atomic_load_seqcst_u64(&watch->queues[i]->armed);
    lock_release(&watch->lock);
    return idle;
}

void cuda_watch_add(struct cuda_watch *watch, struct cuda_queue *queue)
{
    lock_acquire(&watch->lock);
    watch->queues[queue->index] = queue;
    lock_release(&watch->lock);
}

void cuda_watch_remove(struct cuda_watch *watch, struct cuda_queue *queue)
{
    lock_acquire(&watch->lock);
    watch->queues[queue->index] = NULL;
    lock_release(&watch->lock);
}

cuda_result cuda_watch_create(struct cuda_device *device, struct cuda_watch **made)
{
    struct cuda_watch *watch = calloc(1, sizeof *watch);

    if (watch == NULL)
        return CUDA_ERROR_OUT_OF_MEMORY;
    watch->device = device;
    if (pthread_create(&watch->thread, NULL, watch_run, watch) != 0) {
        free(watch);
        return CUDA_ERROR_OPERATING_SYSTEM;
    }
    *made = watch;
    return CUDA_SUCCESS;
}

void cuda_watch_destroy(struct cuda_watch *watch)
{
    if (watch == NULL)
        return;
    atomic_store_seqcst_u32(&watch->stop, 1);
    (void)atomic_add_seqcst_u32(&watch->calls, 1);
    (void)futex_wake(&watch->calls, 1);
    (void)pthread_join(watch->thread, NULL);
    free(watch);
}
