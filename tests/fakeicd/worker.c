/*
 * Worker threads of the fake OpenCL library: which command runs next, and when.
 *
 * Each device and sub-device has one worker. It chooses with its seeded sequence among all commands
 * that may run: of an in-order queue only the first, of an out-of-order queue any whose wait list
 * is done and that no barrier holds back, and of all queues only what was flushed. So queues
 * interleave and missing wait lists show. A lost device is decided here too. Threads start with the
 * first queue of a device and end with the process.
 */
#include "internal.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* How many commands of an out-of-order queue are looked at; the oldest command of all has nothing
 * left to wait for and is the first of its queue, so that this cannot lock up. */
enum { WINDOW = 64 };

static struct worker workers[WORKER_COUNT];
static bool stopping;

static bool is_ready(const struct command *command)
{
    for (cl_uint i = 0; i < command->wait_count; i++)
        if (command->waits[i]->status > CL_COMPLETE)
            return false;
    return true;
}

/* Adds what the queue could run now to the choice: each candidate wins with probability 1/count. */
static void consider_queue(struct worker *worker, cl_command_queue queue, size_t *count,
                           struct command **chosen)
{
    bool in_order = (queue->properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) == 0;
    struct command *command = queue->head;
    for (int i = 0; i < WINDOW && command != NULL && command != queue->unflushed; i++) {
        bool held_back = command->needs_all_before && i > 0;
        if (!held_back && is_ready(command) && state_mix(&worker->random) % ++*count == 0)
            *chosen = command;
        if (in_order || command->blocks_all_after)
            return;
        command = command->next;
    }
}

static struct command *choose(struct worker *worker)
{
    size_t count = 0;
    struct command *chosen = NULL;
    if (worker->device == NULL)
        return NULL;
    for (cl_command_queue queue = worker->device->queues; queue != NULL;
         queue = queue->next_on_device)
        consider_queue(worker, queue, &count, &chosen);
    return chosen;
}

static void dawdle(struct worker *worker)
{
    uint64_t draw = state_mix(&worker->random);
    uint64_t delay_us = config.delay_us > 0 ? draw % (uint64_t)(config.delay_us + 1) : 0;
    bool pause = delay_us > 0 || draw % 4 == 0;
    if (!pause)
        return;
    state_unlock();
    if (delay_us > 0) {
        struct timespec time = {(time_t)(delay_us / 1000000), (long)(delay_us % 1000000) * 1000};
        nanosleep(&time, NULL);
    } else {
        sched_yield();
    }
    state_lock();
}

static cl_int status_before(const struct command *command)
{
    if (device_root(command->queue->device)->lost)
        return CL_OUT_OF_RESOURCES;
    for (cl_uint i = 0; i < command->wait_count; i++)
        if (command->waits[i]->status < 0)
            return CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
    return CL_SUCCESS;
}

/* Is this the command in which the device dies? */
static bool dies_now(cl_device_id root)
{
    if (config.lose_after < 0 || root->index != (unsigned)config.lose_device ||
        root->executed < (uint64_t)config.lose_after)
        return false;
    root->lost = true;
    return true;
}

static cl_int execute(struct worker *worker, struct command *command)
{
    cl_device_id root = device_root(command->queue->device);
    cl_int status = status_before(command);
    if (status != CL_SUCCESS)
        return status;
    status = exec_prepare(command, worker);
    if (status != CL_SUCCESS)
        return status;
    unsigned permille = 1000;
    if (dies_now(root)) {
        permille = (unsigned)(state_mix(&worker->random) % 1000);
        status = CL_OUT_OF_RESOURCES;
    }
    root->executed++;
    stats.executed++;
    worker->run_random = state_mix(&worker->random);
    worker->running = command;
    state_unlock();
    exec_run(command, worker, permille);
    state_lock();
    worker->running = NULL;
    return status;
}

static void run(struct worker *worker, struct command *command)
{
    dawdle(worker);
    command->event->start_ns = state_now_ns();
    event_advance(command->event, CL_RUNNING);
    cl_int status = execute(worker, command);
    exec_cleanup(command);
    command_finish(command, status);
    state_unlock(); /* callbacks run here */
    state_lock();
}

static void *worker_main(void *user)
{
    struct worker *worker = user;
    state_lock();
    while (!stopping) {
        struct command *command = choose(worker);
        if (command != NULL)
            run(worker, command);
        else
            state_sleep(&worker->wake);
    }
    state_unlock();
    fibers_destroy(worker->fibers);
    free(worker->local);
    return NULL;
}

static void seed(struct worker *worker)
{
    worker->random = (uint64_t)config.seed * 0x9FB21C651E98DF25u + worker->index;
}

static bool start(struct worker *worker)
{
    sigset_t all, old;
    void *local = NULL;
    if (posix_memalign(&local, 128, LOCAL_BYTES) != 0)
        return false;
    worker->index = (unsigned)(worker - workers);
    worker->local = local;
    pthread_cond_init(&worker->wake, NULL);
    seed(worker);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    worker->started = pthread_create(&worker->thread, NULL, worker_main, worker) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!worker->started)
        free(local);
    return worker->started;
}

bool worker_attach(cl_device_id device)
{
    for (unsigned i = 0; i < WORKER_COUNT && device->worker == NULL; i++) {
        struct worker *worker = &workers[i];
        if (worker->device != NULL || stopping)
            continue;
        if (!worker->started && !start(worker))
            return false;
        worker->device = device;
        device->worker = worker;
    }
    return device->worker != NULL;
}

void worker_detach(cl_device_id device)
{
    if (device->worker != NULL)
        device->worker->device = NULL;
    device->worker = NULL;
}

void worker_wake_all(void)
{
    for (unsigned i = 0; i < WORKER_COUNT && workers[i].started; i++)
        pthread_cond_signal(&workers[i].wake);
}

void worker_reseed_all(void)
{
    for (unsigned i = 0; i < WORKER_COUNT; i++)
        seed(&workers[i]);
}

bool worker_conflicts(unsigned node, const struct use *use)
{
    for (unsigned i = 0; i < WORKER_COUNT; i++) {
        const struct command *other = workers[i].running;
        if (other == NULL || device_node(other->queue->device) == node)
            continue;
        for (cl_uint k = 0; k < other->use_count; k++)
            if (other->uses[k].store == use->store && other->uses[k].begin < use->end &&
                use->begin < other->uses[k].end && (use->write || other->uses[k].write))
                return true;
    }
    return false;
}

static void flush_waits(const struct command *command)
{
    for (cl_uint i = 0; i < command->wait_count; i++) {
        cl_event event = command->waits[i];
        if (event->queue == NULL || event->status <= CL_COMPLETE ||
            event->seq <= event->queue->flushed_seq)
            continue;
        state_misuse("a flushed command waits for one of queue %p that nobody flushed",
                     (void *)event->queue);
        queue_flush(event->queue);
    }
}

void worker_flush_stuck(void)
{
    for (unsigned i = 0; i < WORKER_COUNT; i++) {
        if (workers[i].device == NULL)
            continue;
        for (cl_command_queue queue = workers[i].device->queues; queue != NULL;
             queue = queue->next_on_device)
            for (struct command *command = queue->head;
                 command != NULL && command != queue->unflushed; command = command->next)
                flush_waits(command);
    }
}

void worker_stop_all(void)
{
    state_lock();
    stopping = true;
    worker_wake_all();
    state_unlock();
    for (unsigned i = 0; i < WORKER_COUNT; i++)
        if (workers[i].started)
            pthread_join(workers[i].thread, NULL);
}
