/* A helper thread of the embedded driver: it builds kernels.
 *
 * Takes jobs in order, sleeps on its own doorbell when there are none. All signals are blocked.
 * Owns its list of jobs. Keeps true: a job added before worker_fini is run before the thread ends.
 */
#include <signal.h>
#include <stdlib.h>

#include "run/driver.h"

struct worker_arg {
    struct driver *driver;
    struct driver_worker *worker;
    driver_worker_fn fn;
};

fgpu_status driver_thread(pthread_t *thread, const char *name, void *(*fn)(void *), void *arg)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(thread, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed != 0)
        return FGPU_E_SYSTEM;
    pthread_setname_np(*thread, name);
    return FGPU_OK;
}

static bool worker_take(struct driver_worker *worker, void *job)
{
    lock_acquire(&worker->lock);
    bool any = worker->jobs.count > 0;
    if (any) {
        memcpy(job, worker->jobs.items, worker->jobs.item_bytes);
        worker->jobs.count--;
        memmove(worker->jobs.items, worker->jobs.items + worker->jobs.item_bytes,
                worker->jobs.count * worker->jobs.item_bytes);
    }
    lock_release(&worker->lock);
    return any;
}

static void *worker_main(void *arg)
{
    struct worker_arg start = *(struct worker_arg *)arg;
    free(arg);
    _Alignas(16) char job[sizeof(struct driver_build)];
    for (;;) {
        uint32_t seen = doorbell_read(&start.worker->bell);
        if (worker_take(start.worker, job)) {
            start.fn(start.driver, job);
            continue;
        }
        if (atomic_load_acquire_u32(&start.worker->stop))
            return NULL;
        (void)doorbell_wait(&start.worker->bell, seen, 0, DOORBELL_FOREVER);
    }
}

void worker_init(struct driver_worker *worker, size_t job_bytes, const struct alloc_hooks *hooks)
{
    lock_init(&worker->lock);
    doorbell_init(&worker->bell);
    vec_init(&worker->jobs, job_bytes, hooks);
    atomic_store_release_u32(&worker->started, 0);
    atomic_store_release_u32(&worker->stop, 0);
}

static fgpu_status worker_begin(struct driver *driver, struct driver_worker *worker,
                                const char *name, driver_worker_fn fn)
{
    struct worker_arg *start = malloc(sizeof *start);
    if (start == NULL)
        return FGPU_E_NOMEM;
    *start = (struct worker_arg){driver, worker, fn};
    fgpu_status status = driver_thread(&worker->thread, name, worker_main, start);
    if (status != FGPU_OK)
        free(start);
    return status;
}

fgpu_status worker_start(struct driver *driver, struct driver_worker *worker, const char *name,
                         driver_worker_fn fn)
{
    fgpu_status status = FGPU_OK;
    lock_acquire(&worker->lock);
    if (!atomic_load_relaxed_u32(&worker->started)) {
        status = worker_begin(driver, worker, name, fn);
        atomic_store_release_u32(&worker->started, status == FGPU_OK);
    }
    lock_release(&worker->lock);
    return status;
}

bool worker_add(struct driver_worker *worker, const void *job)
{
    FGPU_ASSERT(atomic_load_acquire_u32(&worker->started));
    lock_acquire(&worker->lock);
    bool added = vec_push(&worker->jobs, job) != NULL;
    lock_release(&worker->lock);
    if (added)
        doorbell_ring(&worker->bell);
    return added;
}

void worker_fini(struct driver_worker *worker)
{
    if (atomic_load_acquire_u32(&worker->started)) {
        atomic_store_release_u32(&worker->stop, 1);
        doorbell_ring(&worker->bell);
        pthread_join(worker->thread, NULL);
        atomic_store_release_u32(&worker->started, 0);
    }
    vec_fini(&worker->jobs);
}
