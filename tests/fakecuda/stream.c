/* Streams and events of the fake driver: one thread for each stream, commands in its order. */
#include <stdlib.h>
#include <time.h>
#include "dev/cuda/driver.h"
#include "fakecuda/fake.h"

struct stream {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct fake_op *first, **last;
    long depth;
    bool running; /* an op is at work */
    bool closed;
    uint64_t random;
};

struct event {
    unsigned flags;
    atomic_uint pending; /* records on their way */
    _Atomic uint64_t time_ns;
    atomic_bool recorded;
};

static atomic_long stream_flight; /* commands but for events, in all streams */
static void record_run(struct fake_op *op);

/* Counts only: what it would wait for may never end. */
void fake_wait_all(void)
{
    if (atomic_load(&stream_flight) != 0 && fake_broken() == 0)
        (void)atomic_fetch_add(&fake_settings[FAKE_waited], 1);
}

uint64_t fake_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void stream_delay(struct stream *stream)
{
    long most = fake_get(FAKE_delay_us);
    struct timespec pause = {0, 0};

    stream->random = stream->random * 6364136223846793005u + 1442695040888963407u;
    if (most <= 0 || (stream->random >> 60) != 0)
        return; /* one in sixteen */
    pause.tv_nsec = (long)((stream->random >> 20) % (uint64_t)most) * 1000;
    (void)nanosleep(&pause, NULL);
}

static void *stream_run(void *arg)
{
    struct stream *stream = arg;

    pthread_mutex_lock(&stream->lock);
    while (!stream->closed || stream->first != NULL) {
        struct fake_op *op = stream->first;
        if (op == NULL) {
            pthread_cond_wait(&stream->changed, &stream->lock);
            continue;
        }
        stream->first = op->next;
        if (stream->first == NULL)
            stream->last = &stream->first;
        stream->running = true;
        pthread_mutex_unlock(&stream->lock);
        stream_delay(stream);
        bool work = op->run != record_run;
        op->run(op);
        if (work) /* told before an event behind it is */
            (void)atomic_fetch_sub(&stream_flight, 1);
        pthread_mutex_lock(&stream->lock);
        stream->running = false;
        stream->depth--;
        pthread_cond_broadcast(&stream->changed);
    }
    pthread_mutex_unlock(&stream->lock);
    pthread_mutex_destroy(&stream->lock);
    pthread_cond_destroy(&stream->changed);
    free(stream);
    return NULL;
}

int fake_enqueue(void *handle, struct fake_op *op)
{
    struct stream *stream = handle;

    if (!fake_current()) {
        free(op);
        return CUDA_ERROR_INVALID_CONTEXT;
    }
    pthread_mutex_lock(&stream->lock);
    if (stream->depth >= fake_get(FAKE_depth))
        (void)atomic_fetch_add(&fake_settings[FAKE_blocked], 1);
    while (stream->depth >= fake_get(FAKE_depth) && fake_broken() == 0)
        pthread_cond_wait(&stream->changed, &stream->lock);
    if (op->run != record_run)
        (void)atomic_fetch_add(&stream_flight, 1);
    op->next = NULL;
    *stream->last = op;
    stream->last = &op->next;
    stream->depth++;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
    return CUDA_SUCCESS;
}

FAKE(int, cuStreamCreate, (void **made, unsigned flags))
{
    struct stream *stream = calloc(1, sizeof *stream);

    if (fake_broken() != 0 || flags != 1 || stream == NULL || !fake_current()) {
        free(stream);
        return fake_broken() != 0 ? fake_broken() : CUDA_ERROR_INVALID_VALUE;
    }
    stream->last = &stream->first;
    stream->random = (uintptr_t)stream;
    pthread_mutex_init(&stream->lock, NULL);
    pthread_cond_init(&stream->changed, NULL);
    if (pthread_create(&stream->thread, NULL, stream_run, stream) != 0)
        abort();
    pthread_detach(stream->thread);
    *made = stream;
    return CUDA_SUCCESS;
}

/* Returns at once; the stream goes when its commands are done. */
FAKE(int, cuStreamDestroy_v2, (void *handle))
{
    struct stream *stream = handle;

    pthread_mutex_lock(&stream->lock);
    stream->closed = true;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
    return CUDA_SUCCESS;
}

FAKE(int, cuStreamQuery, (void *handle))
{
    struct stream *stream = handle;
    bool busy;

    if (!fake_current())
        return CUDA_ERROR_INVALID_CONTEXT;
    if (fake_broken() != 0)
        return fake_broken();
    pthread_mutex_lock(&stream->lock);
    busy = stream->first != NULL || stream->running;
    pthread_mutex_unlock(&stream->lock);
    return busy ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS;
}

/* ---- events --------------------------------------------------------------------------------- */

FAKE(int, cuEventCreate, (void **made, unsigned flags))
{
    struct event *event = NULL;

    if (!fake_current())
        return CUDA_ERROR_INVALID_CONTEXT;
    event = calloc(1, sizeof *event);
    event->flags = flags;
    *made = event;
    return CUDA_SUCCESS;
}

FAKE(int, cuEventDestroy_v2, (void *event))
{
    free(event);
    return CUDA_SUCCESS;
}

struct record_op {
    struct fake_op op;
    struct event *event;
};

/* In a broken context the event never comes. */
static void record_run(struct fake_op *op)
{
    struct event *event = ((struct record_op *)(void *)op)->event;

    if (fake_broken() == 0) {
        atomic_store(&event->time_ns, fake_now_ns());
        atomic_store(&event->recorded, true);
        (void)atomic_fetch_sub(&event->pending, 1);
    }
    free(op);
}

FAKE(int, cuEventRecord, (void *handle, void *stream))
{
    struct event *event = handle;
    struct record_op *op = calloc(1, sizeof *op);

    if (fake_broken() != 0) {
        free(op);
        return fake_broken();
    }
    *op = (struct record_op){{.run = record_run}, event};
    (void)atomic_fetch_add(&event->pending, 1);
    return fake_enqueue(stream, &op->op);
}

FAKE(int, cuEventQuery, (void *handle))
{
    const struct event *event = handle;

    if (!fake_current())
        return CUDA_ERROR_INVALID_CONTEXT;
    if (fake_broken() != 0)
        return fake_broken();
    return atomic_load(&event->pending) != 0 ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS;
}

FAKE(int, cuEventElapsedTime, (float *ms, void *begin, void *end))
{
    const struct event *a = begin, *b = end;

    if (!fake_current())
        return CUDA_ERROR_INVALID_CONTEXT;
    if (((a->flags | b->flags) & 2u) != 0 || !atomic_load(&a->recorded) ||
        !atomic_load(&b->recorded))
        return CUDA_ERROR_INVALID_HANDLE;
    if (atomic_load(&a->pending) != 0 || atomic_load(&b->pending) != 0)
        return CUDA_ERROR_NOT_READY;
    *ms = (float)((double)(int64_t)(atomic_load(&b->time_ns) - atomic_load(&a->time_ns)) / 1e6);
    return fake_broken();
}
