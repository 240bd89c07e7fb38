/* Submission, completion and life of a queue: see queue.h.
 *
 * Keeps true: records (reported, accepted] are in flight, in order. When submit has returned, the
 * newest running command is covered by an event, and the watching thread knows of it.
 */
#include "dev/cuda/queue.h"

#include <stdlib.h>
#include <time.h>
#include "base/clock.h"
#include "base/error.h"
#include "dev/cuda/command.h"
#include "dev/cuda/gather.h"
#include "dev/cuda/guard.h"
#include "dev/cuda/stage.h"
#include "dev/cuda/text.h"
#include "dev/cuda/watch.h"

_Static_assert((LIMITS_CUDA_COMMANDS & (LIMITS_CUDA_COMMANDS - 1)) == 0,
               "records are found by a mask");

#define QUEUE_NAP_NS 1000000u /* between tries of a command that finds no room */
#define QUEUE_LOOK_NS 100000u /* between looks while closing */
#define QUEUE_EVENTS 2u       /* of a command, at most */
#define QUEUE_GAP_MS 100.0f   /* a clock is carried on over a pause of so long, at most */

uint64_t cuda_queue_drain_ns = LIMITS_CUDA_DRAIN_NS;

static struct lock queue_leak_lock;
static struct cuda_queue *queue_leaked; /* kept reachable: the driver may still call back */

static void queue_nap(uint64_t nap_ns)
{
    struct timespec time = {0, (long)nap_ns};

    (void)nanosleep(&time, NULL);
}

static void queue_ring(const struct cuda_queue *queue)
{
    queue->device->bell.ring(queue->device->bell.arg);
}

/* ---- completion ----------------------------------------------------------------------------- */

/* Ends the queue: `error` came while `doing` something with the command `number`. */
static void queue_break(struct cuda_queue *queue, cuda_result error, const char *doing,
                        uint64_t number)
{
    const char *words = cuda_text_reason(error);
    fgpu_status status = cuda_text_status(error);

    if (queue->status != FGPU_OK)
        return;
    queue->status = status == FGPU_E_DEVICE_LOST ? FGPU_E_DEVICE_LOST : FGPU_E_DEVICE;
    cuda_device_note(queue->device, true,
                     "cuda:%u, queue %u: %s of command %llu failed: %s (%d)%s%s",
                     queue->device->index, queue->index, doing, (unsigned long long)number,
                     cuda_text_name(error), error, words[0] != '\0' ? ": " : "", words);
    queue_ring(queue);
}

static uint64_t queue_ns(float ms)
{
    return ms > 0 ? (uint64_t)((double)ms * 1e6) : 0;
}

/* Start and duration by our clock. The driver tells only differences between events: the end of the
 * timed command before it is where they count from, corrected by what is sure: the start lies after
 * the handing over and after that end, the end before now. 0: it does not tell. */
static uint64_t queue_measure(struct cuda_queue *queue, struct cuda_record *record,
                              uint64_t *started_ns)
{
    float took_ms = 0, gap_ms = 0;
    uint64_t now_ns = clock_now_ns(), start_ns = record->before_ns, took_ns;
    cuda_event event = record->end;

    if (queue->api->event_elapsed(&took_ms, record->begin, record->end) != CUDA_SUCCESS)
        return 0;
    took_ns = queue_ns(took_ms);
    took_ns = took_ns != 0 ? took_ns : 1;
    if (queue->anchor_ns != 0 &&
        queue->api->event_elapsed(&gap_ms, queue->anchor, record->begin) == CUDA_SUCCESS &&
        gap_ms >= 0 && gap_ms < QUEUE_GAP_MS && queue->anchor_ns + queue_ns(gap_ms) > start_ns)
        start_ns = queue->anchor_ns + queue_ns(gap_ms);
    if (start_ns + took_ns > now_ns)
        start_ns = now_ns - took_ns;
    if (start_ns < queue->anchor_ns)
        start_ns = queue->anchor_ns;
    record->end = queue->anchor; /* may be NULL: made when next needed */
    queue->anchor = event;
    queue->anchor_ns = start_ns + took_ns;
    *started_ns = start_ns;
    return took_ns;
}

/* The share of one in the time of its group, which the first of them asks for. */
static void queue_time_share(struct cuda_queue *queue, const struct cuda_record *record)
{
    struct cuda_record *last = cuda_queue_record(queue, record->group);
    double each;

    if (record->share_begin == 0) {
        bool told = last->timed && last->event != NULL && last->status == FGPU_OK;
        queue->group_took_ns = told ? queue_measure(queue, last, &queue->group_start_ns) : 0;
    }
    if (queue->group_took_ns == 0)
        return;
    each = (double)queue->group_took_ns / (double)record->share_all;
    record->result->timed = 1;
    record->result->start_ns =
        queue->group_start_ns + (uint64_t)(each * (double)record->share_begin);
    record->result->end_ns = queue->group_start_ns + (uint64_t)(each * (double)record->share_end);
}

static void queue_time(struct cuda_queue *queue, struct cuda_record *record)
{
    uint64_t start_ns = 0, took_ns = 0;

    if (record->group != 0) {
        queue_time_share(queue, record);
        return;
    }
    if (record->event != NULL && record->status == FGPU_OK)
        took_ns = queue_measure(queue, record, &start_ns);
    if (took_ns == 0)
        return;
    record->result->timed = 1;
    record->result->start_ns = start_ns;
    record->result->end_ns = start_ns + took_ns;
}

static void queue_retire(struct cuda_queue *queue, struct cuda_record *record)
{
    if (!record->part) {
        record->result->status = record->status;
        record->result->timed = 0;
        if (record->slice != NULL)
            record->slice->left = cuda_guard_left(queue->device, record->slice->guard,
                                                  record->slice->first, record->slice->count);
        queue->told++;
    }
    if (record->timed)
        queue_time(queue, record);
    free(record->calls);
    record->calls = NULL;
    queue->spent -= record->spent;
}

static void queue_harvest(struct cuda_queue *queue)
{
    cuda_result error = CUDA_SUCCESS;
    uint64_t finished = 0;

    if (!cuda_queue_over(queue))
        cuda_watch_advance(queue);
    error = atomic_load_acquire_i32(&queue->error);
    finished = atomic_load_acquire_u64(&queue->finished);
    while (queue->reported < queue->accepted) {
        struct cuda_record *record = cuda_queue_record(queue, queue->reported + 1);
        if (record->runs && record->number > finished)
            break;
        queue_retire(queue, record);
        queue->reported++;
    }
    /* The places of those that never ran may now be taken again: nobody may look there any more. */
    if (queue->reported > finished)
        cuda_watch_pass(queue, queue->reported);
    if (error != CUDA_SUCCESS)
        queue_break(queue, error, "execution", queue->told + 1);
}

static void queue_cover(struct cuda_queue *queue);
static void queue_continue(struct cuda_queue *queue);

fgpu_status cuda_queue_poll(void *polled, uint64_t *number)
{
    struct cuda_queue *queue = polled;

    if (queue->status == FGPU_OK && queue->reported < queue->accepted) {
        cuda_result error = cuda_device_enter(queue->device);
        if (error == CUDA_SUCCESS) {
            queue_harvest(queue);
            queue_continue(queue);
            cuda_device_leave(queue->device);
        } else {
            queue_break(queue, error, "completion", queue->told + 1);
        }
    }
    *number = queue->told;
    return queue->status;
}

/* ---- submission ----------------------------------------------------------------------------- */

/* A command found no room. True: give it up. While others are in flight, the pool tries again when
 * they finish. When nothing is, we ring, and after many tries the command is the reason. */
static bool queue_refuse(struct cuda_queue *queue)
{
    if (!cuda_queue_over(queue))
        return false;
    queue->refusals++;
    if (queue->refusals < LIMITS_CUDA_TRIES) {
        queue_nap(QUEUE_NAP_NS);
        queue_ring(queue);
        return false;
    }
    queue->refusals = 0;
    queue->given_up++;
    return true;
}

/* What becomes of a command that failed on its way. True: accepted, as failed. */
static bool queue_fail(struct cuda_queue *queue, struct cuda_record *record, cuda_result error)
{
    enum cuda_text_class class = cuda_text_classify(error);

    if (class == CUDA_TEXT_TRANSIENT && !record->runs) {
        free(record->calls);
        record->calls = NULL;
        if (!queue_refuse(queue))
            return false;
        if (queue->given_up >= LIMITS_CUDA_GIVEN_UP) {
            queue_break(queue, error, "submission", queue->taken + 1);
            return false;
        }
    } else if (class == CUDA_TEXT_DEVICE) {
        queue_break(queue, error, "submission", queue->taken + 1);
        return record->runs; /* then it counts as taken: it may have had an effect */
    }
    record->status = cuda_text_status(error);
    queue->skip = true;
    cuda_device_note(
        queue->device, false, "cuda:%u, queue %u: command %llu was refused: %s (%d)%s%s",
        queue->device->index, queue->index, (unsigned long long)queue->taken + 1,
        cuda_text_name(error), error, queue->refusal[0] != '\0' ? ": " : "", queue->refusal);
    queue->refusal[0] = '\0';
    return true;
}

/* Records an event of the place, making it where need be. */
static cuda_result queue_mark(struct cuda_queue *queue, cuda_event *event, unsigned flags)
{
    cuda_result error = CUDA_SUCCESS;

    if (*event == NULL)
        error = queue->api->event_create(event, flags);
    return error == CUDA_SUCCESS ? queue->api->event_record(*event, queue->stream) : error;
}

/* The event behind a command: one with times, or where somebody waits for it. If events find no
 * room, one of a later command covers it: then only an error of the device is one. */
static cuda_result queue_finish(struct cuda_queue *queue, struct cuda_record *record, bool notify)
{
    cuda_result error = CUDA_SUCCESS;

    if (record->timed) {
        error = queue_mark(queue, &record->end, CUDA_EVENT_TIMED);
        record->event = error == CUDA_SUCCESS ? record->end : NULL;
    } else if (notify) {
        error = queue_mark(queue, &record->mark, CUDA_EVENT_UNTIMED);
        record->event = error == CUDA_SUCCESS ? record->mark : NULL;
    }
    return cuda_text_classify(error) == CUDA_TEXT_DEVICE ? error : CUDA_SUCCESS;
}

static cuda_result queue_enqueue(struct cuda_queue *queue, const fgpu_cmd *cmd,
                                 struct cuda_record *record)
{
    cuda_result error = CUDA_SUCCESS;

    if (record->timed) {
        record->before_ns = clock_now_ns();
        error = queue_mark(queue, &record->begin, CUDA_EVENT_TIMED);
    }
    if (error == CUDA_SUCCESS)
        error = cuda_command_enqueue(queue, cmd, record);
    if (error != CUDA_SUCCESS || !record->runs)
        return error;
    if (record->part) { /* its end will have the times */
        queue->job.timed = record->timed;
        queue->job.before_ns = record->before_ns;
        if (record->timed) {
            queue->job.begin = record->begin;
            record->begin = NULL;
        }
        record->timed = false;
    }
    return queue_finish(queue, record, record->part || (cmd->flags & FGPU_CMD_NOTIFY) != 0);
}

static void queue_clear(struct cuda_record *record, uint64_t number, fgpu_cmd_result *result)
{
    record->number = number;
    record->result = result;
    record->slice = NULL;
    record->event = NULL;
    record->status = FGPU_OK;
    record->runs = false;
    record->timed = false;
    record->part = false;
    record->group = 0;
    record->spent = 0;
}

/* The place of the next number, for a command with this result. */
static struct cuda_record *queue_next(struct cuda_queue *queue, fgpu_cmd_result *result)
{
    struct cuda_record *record = cuda_queue_record(queue, queue->accepted + 1);

    queue_clear(record, queue->accepted + 1, result);
    return record;
}

static void queue_take(struct cuda_queue *queue, struct cuda_record *record)
{
    record->spent += QUEUE_EVENTS;
    queue->spent += record->spent;
    queue->accepted++;
    if (record->runs)
        queue->running = record->number;
    if (record->event != NULL)
        atomic_store_seqcst_u64(&queue->armed, record->number);
}

/* The command as a slice with a guard, or NULL. */
static fgpu_cmd_slice *queue_slice(const fgpu_cmd *cmd)
{
    fgpu_cmd_slice *slice = cmd->body;

    if (cmd->kind != FGPU_CMD_LAUNCH || slice->launch.part != FGPU_LAUNCH_SLICE)
        return NULL;
    return slice->guard != 0 ? slice : NULL;
}

/* Takes one command; false when it must be tried again or the queue has ended. */
static bool queue_accept(struct cuda_queue *queue, const fgpu_cmd *cmd)
{
    struct cuda_record *record = queue_next(queue, cmd->body);

    record->timed = (cmd->flags & FGPU_CMD_TIMED) != 0;
    record->slice = queue_slice(cmd);
    if (cmd->kind == FGPU_CMD_FENCE) {
        queue->skip = false;
    } else if (queue->skip && (cmd->flags & FGPU_CMD_CHAINED) != 0) {
        record->status = FGPU_E_CANCELLED;
    } else {
        cuda_result error = queue_enqueue(queue, cmd, record);
        if (error != CUDA_SUCCESS && !queue_fail(queue, record, error))
            return false;
        if (error == CUDA_SUCCESS)
            queue->refusals = queue->given_up = 0;
    }
    queue_take(queue, record);
    queue->taken++;
    return true;
}

/* Copies as one: their records, all but the last without anything of their own. */
static struct cuda_record *queue_group(struct cuda_queue *queue, const fgpu_cmd *cmds,
                                       uint32_t count)
{
    uint64_t all = 0, at = 0, group = queue->accepted + count;

    for (uint32_t i = 0; i < count; i++) {
        const fgpu_cmd_copy *copy = cmds[i].body;
        all += copy->row_bytes * copy->rows;
    }
    for (uint32_t i = 0; i < count; i++) {
        const fgpu_cmd_copy *copy = cmds[i].body;
        struct cuda_record *record = cuda_queue_record(queue, queue->accepted + 1 + i);
        queue_clear(record, queue->accepted + 1 + i, cmds[i].body);
        record->timed = true;
        record->group = group;
        record->share_all = all;
        record->share_begin = at;
        at += copy->row_bytes * copy->rows;
        record->share_end = at;
    }
    return cuda_queue_record(queue, group);
}

static cuda_result queue_enqueue_group(struct cuda_queue *queue, const fgpu_cmd *cmds,
                                       struct cuda_run run, struct cuda_record *last)
{
    cuda_result error;

    last->before_ns = clock_now_ns();
    error = queue_mark(queue, &last->begin, CUDA_EVENT_TIMED);
    if (error == CUDA_SUCCESS)
        error = cuda_gather(queue, cmds, run, last);
    return error == CUDA_SUCCESS ? queue_finish(queue, last, true) : error;
}

/* Takes copies as one; false: nothing was handed over, and they are to be tried one by one. */
static bool queue_accept_group(struct cuda_queue *queue, const fgpu_cmd *cmds, struct cuda_run run)
{
    struct cuda_record *last = queue_group(queue, cmds, run.count);
    cuda_result error = queue_enqueue_group(queue, cmds, run, last);

    if (error != CUDA_SUCCESS && !last->runs) {
        free(last->calls);
        last->calls = NULL;
        return false;
    }
    if (cuda_text_classify(error) == CUDA_TEXT_DEVICE)
        queue_break(queue, error, "submission", queue->taken + 1);
    for (uint32_t i = 0; i < run.count; i++) {
        struct cuda_record *record = cuda_queue_record(queue, queue->accepted + 1);
        record->runs = true;
        record->status = error == CUDA_SUCCESS ? FGPU_OK : cuda_text_status(error);
        queue_take(queue, record);
        queue->taken++;
    }
    queue->skip = error != CUDA_SUCCESS;
    queue->refusals = queue->given_up = 0;
    return true;
}

/* Has the queue room for one more record? Where nothing is in flight, calls are not counted. */
static bool queue_has_room(const struct cuda_queue *queue)
{
    return queue->accepted - queue->reported < LIMITS_CUDA_COMMANDS &&
           (queue->spent < LIMITS_CUDA_CALLS || cuda_queue_over(queue));
}

/* One more part of the copy that is under way; false when the queue has ended. */
static bool queue_continue_one(struct cuda_queue *queue)
{
    struct cuda_record *record = queue_next(queue, &queue->job.copy->result);
    cuda_result error = cuda_stage_more(queue, record);

    if (error == CUDA_SUCCESS && !record->part && queue->job.timed) {
        if (record->begin != NULL)
            (void)queue->api->event_destroy(record->begin);
        record->begin = queue->job.begin;
        record->before_ns = queue->job.before_ns;
        queue->job.begin = NULL;
        record->timed = true;
    }
    if (error == CUDA_SUCCESS)
        error = queue_finish(queue, record, true);
    if (cuda_text_classify(error) == CUDA_TEXT_DEVICE) {
        queue_break(queue, error, "submission", queue->taken);
        return false;
    }
    if (error != CUDA_SUCCESS) { /* the rest is not tried: parts of it have come */
        record->part = false;
        record->status = cuda_text_status(error);
        queue->skip = true;
    }
    if (!record->part)
        queue->job.copy = NULL;
    queue_take(queue, record);
    return true;
}

/* Hands over more of a copy that is handed over in parts, as far as there is room. */
static void queue_continue(struct cuda_queue *queue)
{
    uint64_t running = queue->running;

    while (queue->job.copy != NULL && queue->status == FGPU_OK && queue_has_room(queue) &&
           queue_continue_one(queue))
        continue;
    if (queue->running > running) {
        queue_cover(queue);
        cuda_watch_wake(queue->device->watch);
    }
}

/* Takes some of the commands: those that could go as one, or one. Returns how many. */
static uint32_t queue_accept_some(struct cuda_queue *queue, const fgpu_cmd *cmds, uint32_t count)
{
    uint64_t places = LIMITS_CUDA_COMMANDS - (queue->accepted - queue->reported);
    struct cuda_run run = cuda_gather_find(queue, cmds, count < places ? count : (uint32_t)places);
    uint32_t taken = 0;

    if (run.apart && queue_accept_group(queue, cmds, run))
        return run.count;
    do {
        if (queue->status != FGPU_OK || queue->job.copy != NULL || !queue_has_room(queue) ||
            !queue_accept(queue, &cmds[taken]))
            break;
    } while (++taken < run.count);
    return taken;
}

/* Sees to it that an event tells when the newest running command is over. */
static void queue_cover(struct cuda_queue *queue)
{
    struct cuda_record *record = cuda_queue_record(queue, queue->running);
    cuda_result error = CUDA_SUCCESS;

    if (queue->running <= atomic_load_relaxed_u64(&queue->armed))
        return;
    for (uint32_t i = 0; i < LIMITS_CUDA_TRIES; i++) {
        error = queue_mark(queue, &record->mark, CUDA_EVENT_UNTIMED);
        if (cuda_text_classify(error) != CUDA_TEXT_TRANSIENT)
            break;
        queue_nap(QUEUE_NAP_NS);
    }
    if (error != CUDA_SUCCESS) {
        queue_break(queue, error, "marking the end", queue->taken);
        return;
    }
    record->event = record->mark;
    atomic_store_seqcst_u64(&queue->armed, record->number);
}

uint32_t cuda_queue_submit(void *submitted, const fgpu_cmd *cmds, uint32_t count, uint64_t *last)
{
    struct cuda_queue *queue = submitted;
    uint64_t before = queue->taken, running = queue->running;
    cuda_result error = CUDA_SUCCESS;

    *last = before;
    if (count == 0 || queue->status != FGPU_OK)
        return 0;
    error = cuda_device_enter(queue->device);
    if (error != CUDA_SUCCESS) {
        queue_break(queue, error, "submission", before + 1);
        return 0;
    }
    queue_continue(queue);
    for (uint32_t i = 0, some = 1; i < count && some > 0 && queue->status == FGPU_OK; i += some)
        some = queue->job.copy == NULL && queue_has_room(queue)
                   ? queue_accept_some(queue, &cmds[i], count - i)
                   : 0;
    if (queue->running > running)
        queue_cover(queue);
    cuda_device_leave(queue->device);
    if (queue->running > running)
        cuda_watch_wake(queue->device->watch);
    *last = queue->taken;
    if (queue->taken > before && cuda_queue_over(queue))
        queue_ring(queue);
    return (uint32_t)(queue->taken - before);
}

/* ---- life ----------------------------------------------------------------------------------- */

fgpu_status cuda_queue_open(void *opened, uint32_t index, void **queue)
{
    struct cuda_device *device = opened;
    struct cuda_queue *made = NULL;
    cuda_result error = CUDA_SUCCESS;

    if (index >= CUDA_DEVICE_QUEUES)
        return error_set(FGPU_E_RANGE, "cuda:%u: queue %u, at most %u", device->index, index,
                         CUDA_DEVICE_QUEUES);
    made = aligned_alloc(LIMITS_CACHE_LINE, sizeof *made);
    if (made == NULL)
        return FGPU_E_NOMEM;
    *made = (struct cuda_queue){.device = device, .api = device->api, .index = index};
    error = cuda_device_enter(device);
    if (error == CUDA_SUCCESS) {
        error = made->api->stream_create(&made->stream, CUDA_STREAM_NON_BLOCKING);
        /* Now, because it may wait for all that runs; the others have no use for it in a pool. */
        if (error == CUDA_SUCCESS && index >= CUDA_DEVICE_QUEUES - CUDA_DEVICE_COPIES)
            (void)cuda_stage_ready(made); /* else when it is needed */
        cuda_device_leave(device);
    }
    if (error != CUDA_SUCCESS) {
        free(made);
        return error_set(cuda_text_status(error), "cuda:%u: cuStreamCreate failed: %s (%d)",
                         device->index, cuda_text_name(error), error);
    }
    cuda_watch_add(device->watch, made);
    *queue = made;
    return FGPU_OK;
}

/* Has all of it ended, and is no staging function at work? */
static bool queue_quiet(const struct cuda_queue *queue)
{
    bool ended = (cuda_queue_over(queue) && queue->job.copy == NULL) || queue->status != FGPU_OK;

    return ended && atomic_load_seqcst_u32(&queue->inside) == 0;
}

/* Waits until the queue is quiet: for ever as long as it progresses, but not longer than a limit
 * for one that stands still. */
static bool queue_drain(struct cuda_queue *queue)
{
    uint64_t progress_ns = clock_now_ns(), before = queue->reported;

    for (;;) {
        uint64_t number = 0;
        fgpu_status status = cuda_queue_poll(queue, &number);
        uint64_t limit_ns = status == FGPU_OK ? cuda_queue_drain_ns : LIMITS_CUDA_LOST_NS;
        if (status != FGPU_OK) /* nobody enters it behind the look that follows */
            atomic_store_seqcst_u32(&queue->dead, 1);
        if (queue_quiet(queue))
            return true;
        if (queue->reported != before) {
            before = queue->reported;
            progress_ns = clock_now_ns();
        }
        if (clock_now_ns() - progress_ns > limit_ns)
            return false;
        queue_nap(QUEUE_LOOK_NS);
    }
}

/* A queue that broke or does not end: the driver may still call its staging functions, which find
 * it dead. */
static void queue_leak(struct cuda_queue *queue)
{
    atomic_store_seqcst_u32(&queue->dead, 1);
    lock_acquire(&queue_leak_lock);
    queue->next_leaked = queue_leaked;
    queue_leaked = queue;
    lock_release(&queue_leak_lock);
}

static void queue_free_records(struct cuda_queue *queue)
{
    for (uint32_t i = 0; i < LIMITS_CUDA_COMMANDS; i++) {
        struct cuda_record *record = &queue->records[i];
        cuda_event events[] = {record->mark, record->begin, record->end};
        for (uint32_t e = 0; e < 3; e++)
            if (events[e] != NULL)
                (void)queue->api->event_destroy(events[e]);
        free(record->calls);
    }
    if (queue->anchor != NULL)
        (void)queue->api->event_destroy(queue->anchor);
    if (queue->job.begin != NULL)
        (void)queue->api->event_destroy(queue->job.begin);
}

void cuda_queue_close(void *closed)
{
    struct cuda_queue *queue = closed;
    bool drained;

    if (queue == NULL)
        return;
    drained = queue_drain(queue);
    cuda_watch_remove(queue->device->watch, queue);
    if (!drained) {
        queue->device->leaked = true;
        cuda_device_note(queue->device, true, "cuda:%u, queue %u: it did not end in time",
                         queue->device->index, queue->index);
    }
    /* Giving pinned memory back would wait for another queue that does not end. */
    if (queue->device->leaked || !drained || queue->status != FGPU_OK) {
        queue_leak(queue);
        return;
    }
    if (cuda_device_enter(queue->device) == CUDA_SUCCESS) {
        queue_free_records(queue);
        cuda_stage_free(queue);
        (void)queue->api->stream_destroy(queue->stream);
        cuda_device_leave(queue->device);
    }
    free(queue);
}
