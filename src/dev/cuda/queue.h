/* One in-order queue of a device: a stream, numbers, completion.
 *
 * Steps launch and complete of a task's walk. submit turns records into driver calls; events behind
 * some of them, which poll and the device's watching thread ask (watch.h), tell how far the stream
 * is. poll alone gathers results, in order. A command that the driver refuses for its own fault is
 * accepted and reported as failed; one that finds no room ends the accepted prefix; any other error
 * breaks the context, and with it every queue of the device.
 * submit, poll: one thread at a time. The watching thread touches what is said so below.
 */
#ifndef FASTGPU_CUDA_QUEUE_H
#define FASTGPU_CUDA_QUEUE_H

#include "base/limits.h"
#include "dev/cuda/device.h"

/* A command in flight. Its events stay with the place and are used again. */
struct cuda_record {
    uint64_t number;
    fgpu_cmd_result *result;
    fgpu_cmd_slice *slice; /* the same, where a guard is to be asked; else NULL */
    cuda_event mark;       /* untimed; made when first needed, as the two below */
    cuda_event begin, end; /* timed */
    cuda_event event;      /* of the three, what tells that it is over; NULL: a later one does */
    void *calls;           /* freed when the command is over (stage.h) */
    uint64_t before_ns;    /* where timed: when it was handed to the driver */
    uint32_t spent;        /* calls of the driver, about */
    int32_t status;        /* of the command, unless the stream breaks */
    bool runs;             /* something was handed over; else it is over when those before it are */
    bool timed;
    uint64_t share_begin, share_end, share_all; /* bytes of a group of copies; 0: of none */
    uint64_t group;                             /* number of the last of the group */
    bool part; /* of a copy that a later record ends: it has no number of its own for the pool */
};

/* A copy that is handed over in parts: see stage.h. */
struct cuda_job {
    fgpu_cmd_copy *copy; /* NULL: there is none */
    uint64_t next;       /* piece */
    cuda_event begin;    /* where it is timed: its start */
    uint64_t before_ns;
    bool timed;
};

struct cuda_queue {
    struct cuda_device *device;
    const struct cuda_api *api;
    cuda_stream stream;
    uint32_t index;

    /* submit and poll */
    uint64_t taken;    /* the pool's numbers: accepted by submit ... */
    uint64_t told;     /* ... and told by poll */
    uint64_t accepted; /* the same in records: a copy in parts has several */
    uint64_t reported;
    uint64_t running;                       /* number of the newest command that runs or ran */
    fgpu_status status;                     /* sticky */
    bool no_batch;                          /* the driver has no call for many copies */
    uint64_t group_start_ns, group_took_ns; /* of the group that is retired now; took 0: unknown */
    bool skip;                              /* chained commands are skipped */
    uint32_t spent;                         /* by what is in flight */
    uint32_t refusals;                      /* in a row, of one command, with nothing in flight */
    uint32_t given_up;                      /* commands in a row that were refused too often */
    char refusal[128];                      /* why the command is refused, where we know more */
    struct cuda_job job;                    /* while there is one, nothing else is accepted */
    char *stage;        /* pinned, LIMITS_CUDA_STAGE_BYTES; NULL: not needed yet */
    cuda_event anchor;  /* the end of the newest timed command ... */
    uint64_t anchor_ns; /* ... by our clock; 0: there is none */

    /* also the watching thread */
    _Alignas(LIMITS_CACHE_LINE) struct lock watch_lock; /* asking events, and `finished` */
    _Atomic uint64_t armed;    /* number of the newest command with an event */
    _Atomic uint64_t finished; /* newest command known to be over */
    _Atomic int32_t error;     /* CUDA_SUCCESS, or the first that an event told */
    uint64_t rung;             /* the watching thread's: what it has rung for */
    bool rung_error;

    /* also the driver's thread (stage.c) */
    _Atomic uint32_t inside; /* staging calls that run now */
    _Atomic uint32_t dead;   /* staging calls do nothing any more */

    struct cuda_queue *next_leaked;
    struct cuda_record records[LIMITS_CUDA_COMMANDS]; /* by number */
};

/* Tests make it shorter: how long a closing queue waits while nothing ends. */
extern uint64_t cuda_queue_drain_ns;

static inline struct cuda_record *cuda_queue_record(struct cuda_queue *queue, uint64_t number)
{
    return &queue->records[number & (LIMITS_CUDA_COMMANDS - 1)];
}

/* Is nothing of it in flight? */
static inline bool cuda_queue_over(const struct cuda_queue *queue)
{
    return queue->running <= atomic_load_acquire_u64(&queue->finished);
}

fgpu_status cuda_queue_open(void *device, uint32_t index, void **queue);
void cuda_queue_close(void *queue);
uint32_t cuda_queue_submit(void *queue, const fgpu_cmd *cmds, uint32_t count, uint64_t *last);
fgpu_status cuda_queue_poll(void *queue, uint64_t *number);

#endif
