/* A device that is F times as slow as it is, or behind a link of some bandwidth: the part of the
 * fault layer that holds results up.
 *
 * Each command takes F times as long as the device says that it took (or, where it does not, as it
 * was seen to take), one after the other, and its times say so. A copy between the host and the
 * device takes at least as long as the link needs for its bytes; copies of one direction, also of
 * different queues, cross the link one after the other. While a result is held up no core is used:
 * a timer's thread rings when it is due. Called by the queue's thread.
 */
#ifndef FASTGPU_DEV_LAYER_SLOW_H
#define FASTGPU_DEV_LAYER_SLOW_H

#include <pthread.h>
#include <stdbool.h>
#include <fastgpu/backend.h>
#include "base/atomic.h"
#include "base/lock.h"

#define SLOW_COMMANDS 1024u /* in flight in one queue at most */

/* One for each device. */
struct slow_timer {
    const fgpu_doorbell *bell;
    pthread_t thread;
    _Atomic uint64_t due_ns; /* 0: none */
    _Atomic uint32_t word;   /* changes with it */
    _Atomic uint32_t stop;
    uint32_t started;
};

/* FGPU_E_SYSTEM: no thread. [borrow] bell. */
fgpu_status slow_timer_start(struct slow_timer *timer, const fgpu_doorbell *bell);
void slow_timer_stop(struct slow_timer *timer);

enum slow_way { SLOW_IN, SLOW_OUT, SLOW_WAYS };

/* Between the host and a device; one for each device. Zero: not paced. */
struct slow_link {
    double rate; /* bytes in a nanosecond of each way */
    struct lock lock;
    uint64_t free_ns[SLOW_WAYS]; /* from then on */
};

struct slow_command {
    uint64_t number;
    uint64_t submit_ns;
    uint64_t due_ns;
    uint64_t link_ns; /* that the link needs for it; 0: it does not cross it */
    enum slow_way way;
    fgpu_cmd_result *result;
};

struct slow_queue {
    double factor;
    struct slow_timer *timer;
    struct slow_link *link; /* NULL: not paced */
    uint32_t first, count;  /* a ring, in the order of numbers */
    uint32_t finished;      /* of them, the first ones, have a due time */
    uint64_t finish_ns;     /* when the newest of these was seen to have finished */
    uint64_t due_ns;        /* of the newest of them */
    uint64_t device_end_ns; /* of the newest of them, by the device's clock */
    int64_t lag_ns;         /* the least that our clock was ahead of it when an end was seen */
    bool has_lag;
    uint64_t shown;
    struct slow_command commands[SLOW_COMMANDS];
};

/* How many commands it takes now. */
static inline uint32_t slow_room(const struct slow_queue *queue)
{
    return SLOW_COMMANDS - queue->count;
}

/* The commands first_number.. were handed to the device at submit_ns. */
void slow_submitted(struct slow_queue *queue, const fgpu_cmd *cmds, uint32_t count,
                    uint64_t first_number, uint64_t submit_ns);

/* The newest number that may be told now, of those that have finished. */
uint64_t slow_tell(struct slow_queue *queue, uint64_t finished, uint64_t now_ns);

#endif
