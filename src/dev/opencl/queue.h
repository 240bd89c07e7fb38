/* One in-order queue of a device: numbers, events, completion.
 *
 * Steps launch and complete of a task's walk. submit turns records into OpenCL commands; watch.h
 * learns how far they are and rings. poll alone gathers results, in order, for all that is
 * finished, and releases the events: so no result is written by a driver's thread. A command that
 * OpenCL refuses for its own fault is accepted and reported as failed; one that finds no room ends
 * the accepted prefix; any other error ends the queue.
 * submit, poll: one thread at a time. Callbacks: the driver's threads.
 */
#ifndef FASTGPU_OPENCL_QUEUE_H
#define FASTGPU_OPENCL_QUEUE_H

#include "base/limits.h"
#include "dev/opencl/device.h"

struct ocl_queue;
struct ocl_scatter;

/* A command in flight. */
struct ocl_record {
    uint64_t number;
    struct ocl_queue *queue;
    fgpu_cmd_result *result;
    fgpu_cmd_slice *slice; /* the same, where a guard is to be asked; else NULL */
    cl_event event;        /* or NULL: one of a later command tells */
    void *staging;         /* freed when the command is over */
    int32_t status;        /* unless the event says otherwise */
    bool runs;             /* something was enqueued; else it is over when those before it are */
    bool timed;
    uint64_t before_ns, after_ns; /* where timed: clock_now_ns() around its enqueueing */
    _Atomic uint32_t pending;     /* the callback has not been called yet */
};

struct ocl_queue {
    struct ocl_device *device;
    const struct ocl_api *api;
    cl_command_queue id;
    uint32_t index;
    bool native;                 /* copies and fills in host memory are native calls */
    bool watch_all;              /* every command has an event */
    struct ocl_scatter *scatter; /* NULL: small copies are not packed */

    /* submit and poll */
    uint64_t accepted;
    uint64_t reported;
    uint64_t running;        /* number of the newest command that runs or ran */
    uint64_t out;            /* number of the newest copy to the host */
    uint64_t armed;          /* number of the newest command whose event has a callback */
    struct ocl_record *tail; /* newest command with an event, unless it is retired */
    fgpu_status status;      /* sticky */
    bool skip;               /* chained commands are skipped */
    uint32_t refusals;       /* in a row, of one command, with nothing in flight */
    uint32_t given_up;       /* commands in a row that were refused too often */

    /* callbacks */
    _Alignas(LIMITS_CACHE_LINE) _Atomic uint64_t finished;
    _Atomic int32_t error;      /* CL_SUCCESS, or the first that an event told */
    _Atomic uint32_t callbacks; /* set and not called yet */
    struct lock ring_lock;      /* closed */
    bool closed;                /* the doorbell is gone */

    struct ocl_queue *next_leaked;
    struct ocl_record records[LIMITS_OPENCL_COMMANDS]; /* by number */
};

static inline struct ocl_record *ocl_queue_record(struct ocl_queue *queue, uint64_t number)
{
    return &queue->records[number & (LIMITS_OPENCL_COMMANDS - 1)];
}

fgpu_status ocl_queue_open(void *device, uint32_t index, void **queue);
void ocl_queue_close(void *queue);
uint32_t ocl_queue_submit(void *queue, const fgpu_cmd *cmds, uint32_t count, uint64_t *last);
fgpu_status ocl_queue_poll(void *queue, uint64_t *number);

/* Ends the queue: `error` came while `doing` something with the command `number`. */
void ocl_queue_break(struct ocl_queue *queue, cl_int error, const char *doing, uint64_t number);

#endif
