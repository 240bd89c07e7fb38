/* Submission, completion and life of a queue: see queue.h.
 *
 * Keeps true: records (reported, accepted] are in flight, in order, and their events are held. A
 * record's place is used again when it is over and its callback has been called.
 */
#include "dev/opencl/queue.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "dev/opencl/command.h"
#include "dev/opencl/env.h"
#include "dev/opencl/gather.h"
#include "dev/opencl/guard.h"
#include "dev/opencl/hostmem.h"
#include "dev/opencl/info.h"
#include "dev/opencl/scatter.h"
#include "dev/opencl/text.h"
#include "dev/opencl/watch.h"

_Static_assert((LIMITS_OPENCL_COMMANDS & (LIMITS_OPENCL_COMMANDS - 1)) == 0,
               "records are found by a mask");

#define QUEUE_NAP_NS 1000000u /* between tries of a command that finds no room */
#define QUEUE_LOOK_NS 100000u /* between looks while closing */

static struct lock queue_leak_lock;
static struct ocl_queue *queue_leaked; /* kept reachable: the driver may still call back */

static void queue_nap(uint64_t nap_ns)
{
    struct timespec time = {0, (long)nap_ns};

    (void)nanosleep(&time, NULL);
}

/* ---- completion ------------------------------------------------------------------------- */

void ocl_queue_break(struct ocl_queue *queue, cl_int error, const char *doing, uint64_t number)
{
    fgpu_status status = ocl_text_status(error);

    if (queue->status != FGPU_OK)
        return;
    queue->status = status == FGPU_E_DEVICE_LOST ? FGPU_E_DEVICE_LOST : FGPU_E_DEVICE;
    ocl_device_note(queue->device, true, "opencl:%u, queue %u: %s of command %llu failed: %s (%d)",
                    queue->device->unit.root_index, queue->index, doing, (unsigned long long)number,
                    ocl_text_name(error), (int)error);
    ocl_watch_ring(queue);
}

static bool queue_moment(const struct ocl_queue *queue, const struct ocl_record *record,
                         cl_profiling_info which, uint64_t *time_ns)
{
    cl_ulong value = 0;

    if (queue->api->clGetEventProfilingInfo(record->event, which, sizeof value, &value, NULL) !=
        CL_SUCCESS)
        return false;
    *time_ns = value;
    return true;
}

/* What is to be added to the device's clock to have ours. OpenCL leaves open which clock a device
 * has (PoCL counts CLOCK_MONOTONIC_RAW); the command was queued between before_ns and after_ns, so
 * the least correction that puts it there is taken: none where the clocks are one. */
static uint64_t queue_clock_offset(const struct ocl_record *record, uint64_t queued_ns)
{
    if (queued_ns < record->before_ns)
        return record->before_ns - queued_ns;
    return queued_ns > record->after_ns ? record->after_ns - queued_ns : 0; /* modulo 2^64 */
}

static void queue_time(const struct ocl_queue *queue, const struct ocl_record *record)
{
    uint64_t queued_ns = 0, start_ns = 0, end_ns = 0;

    if (!queue_moment(queue, record, CL_PROFILING_COMMAND_QUEUED, &queued_ns) ||
        !queue_moment(queue, record, CL_PROFILING_COMMAND_START, &start_ns) ||
        !queue_moment(queue, record, CL_PROFILING_COMMAND_END, &end_ns))
        return;
    uint64_t offset = queue_clock_offset(record, queued_ns);
    record->result->timed = 1;
    record->result->start_ns = start_ns + offset;
    record->result->end_ns = end_ns + offset;
}

static void queue_drop(struct ocl_queue *queue, struct ocl_record *record)
{
    if (record->event != NULL)
        (void)queue->api->clReleaseEvent(record->event);
    free(record->staging);
    record->event = NULL;
    record->staging = NULL;
    if (queue->tail == record)
        queue->tail = NULL;
}

/* Writes the result of a command that is over. False: it failed, and the queue ends. */
static bool queue_retire(struct ocl_queue *queue, struct ocl_record *record)
{
    cl_int state = record->event != NULL ? ocl_watch_state(queue, record->event) : CL_COMPLETE;

    if (state < 0) {
        ocl_queue_break(queue, state, "execution", record->number);
        return false;
    }
    record->result->status = record->status;
    record->result->timed = 0;
    if (record->slice != NULL)
        record->slice->left = ocl_guard_left(queue->device, record->slice->guard,
                                             record->slice->first, record->slice->count);
    if (record->timed && record->event != NULL)
        queue_time(queue, record);
    queue_drop(queue, record);
    return true;
}

static bool queue_is_over(const struct ocl_queue *queue, const struct ocl_record *record,
                          uint64_t finished, cl_int error)
{
    if (!record->runs || record->number <= finished)
        return true;
    /* After an error the callbacks stop counting, but what is whole shall be told. */
    return error != CL_SUCCESS && record->event != NULL &&
           ocl_watch_state(queue, record->event) <= CL_COMPLETE;
}

/* Retires what is over. */
static void queue_harvest(struct ocl_queue *queue)
{
    cl_int error = atomic_load_acquire_i32(&queue->error);
    uint64_t finished = atomic_load_acquire_u64(&queue->finished);

    while (queue->reported < queue->accepted) {
        struct ocl_record *record = ocl_queue_record(queue, queue->reported + 1);
        if (!queue_is_over(queue, record, finished, error))
            break;
        if (!queue_retire(queue, record))
            return;
        queue->reported++;
    }
    if (error != CL_SUCCESS)
        ocl_queue_break(queue, error, "execution", queue->reported + 1);
    else if (queue->reported < queue->accepted)
        ocl_watch_keep(queue);
}

fgpu_status ocl_queue_poll(void *polled, uint64_t *number)
{
    struct ocl_queue *queue = polled;

    if (queue->status == FGPU_OK)
        queue_harvest(queue);
    *number = queue->reported;
    return queue->status;
}

/* ---- submission ------------------------------------------------------------------------- */

/* Is there a place for the command `number`, which is not accepted yet? */
static bool queue_has_place(struct ocl_queue *queue, uint64_t number)
{
    return number - queue->reported <= LIMITS_OPENCL_COMMANDS &&
           atomic_load_acquire_u32(&ocl_queue_record(queue, number)->pending) == 0;
}

/* A command found no room. True: give it up. While others are in flight, the pool tries again when
 * they finish. When nothing is, we ring, and after many tries the command is the reason. */
static bool queue_refuse(struct ocl_queue *queue)
{
    if (!ocl_watch_over(queue))
        return false;
    queue->refusals++;
    if (queue->refusals < LIMITS_OPENCL_TRIES) {
        queue_nap(QUEUE_NAP_NS);
        ocl_watch_ring(queue);
        return false;
    }
    queue->refusals = 0;
    queue->given_up++;
    return true;
}

/* What becomes of a command that was not enqueued. True: accepted, as failed. */
static bool queue_fail(struct ocl_queue *queue, struct ocl_record *record, cl_int error)
{
    enum ocl_text_class class = ocl_text_classify(error);

    if (class == OCL_TEXT_TRANSIENT) {
        if (!queue_refuse(queue))
            return false;
        if (queue->given_up >= LIMITS_OPENCL_GIVEN_UP) {
            ocl_queue_break(queue, error, "submission", record->number);
            return false;
        }
    } else if (class == OCL_TEXT_DEVICE) {
        ocl_queue_break(queue, error, "submission", record->number);
        return false;
    }
    record->status = ocl_text_status(error);
    queue->skip = true;
    ocl_device_note(queue->device, false, "opencl:%u, queue %u: command %llu was refused: %s (%d)",
                    queue->device->unit.root_index, queue->index,
                    (unsigned long long)record->number, ocl_text_name(error), (int)error);
    return true;
}

/* The command as a slice with a guard, or NULL. */
static fgpu_cmd_slice *queue_slice(const fgpu_cmd *cmd)
{
    fgpu_cmd_slice *slice = cmd->body;

    if (cmd->kind != FGPU_CMD_LAUNCH || slice->launch.part != FGPU_LAUNCH_SLICE)
        return NULL;
    return slice->guard != 0 ? slice : NULL;
}

static void queue_record_init(struct ocl_record *record, uint64_t number, const fgpu_cmd *cmd)
{
    record->number = number;
    record->result = cmd->body;
    record->slice = queue_slice(cmd);
    record->event = NULL;
    record->staging = NULL;
    record->status = FGPU_OK;
    record->runs = false;
    record->timed = false;
}

/* Takes small copies as one command. Returns how many; 0: they are to be taken one by one. */
static uint32_t queue_accept_gathered(struct ocl_queue *queue, const fgpu_cmd *cmds, uint32_t count)
{
    uint64_t number = queue->accepted;
    uint32_t room = 0;

    if (queue->skip)
        return 0;
    count = ocl_gather_count(queue, cmds, count);
    while (room < count && queue_has_place(queue, number + room + 1))
        room++;
    if (room < LIMITS_OPENCL_GATHER_LEAST)
        return 0;
    for (uint32_t i = 0; i < room; i++)
        queue_record_init(ocl_queue_record(queue, number + i + 1), number + i + 1, &cmds[i]);
    struct ocl_record *last = ocl_queue_record(queue, number + room);
    if (ocl_gather_enqueue(queue, cmds, room, last) != CL_SUCCESS)
        return 0;
    for (uint32_t i = 0; i < room; i++)
        ocl_queue_record(queue, number + i + 1)->runs = true;
    queue->refusals = queue->given_up = 0;
    queue->running = queue->accepted = number + room;
    queue->tail = last;
    return room;
}

/* Takes one command; false when it must be tried again or the queue has ended. */
static bool queue_accept(struct ocl_queue *queue, const fgpu_cmd *cmd, bool last)
{
    struct ocl_record *record = ocl_queue_record(queue, queue->accepted + 1);
    bool watched = last || queue->watch_all || (cmd->flags & (FGPU_CMD_NOTIFY | FGPU_CMD_TIMED));

    queue_record_init(record, queue->accepted + 1, cmd);
    record->timed = (cmd->flags & FGPU_CMD_TIMED) != 0;
    if (cmd->kind == FGPU_CMD_FENCE) {
        queue->skip = false;
    } else if (queue->skip && (cmd->flags & FGPU_CMD_CHAINED) != 0) {
        record->status = FGPU_E_CANCELLED;
    } else {
        if (record->timed)
            record->before_ns = clock_now_ns();
        cl_int error = ocl_command_enqueue(queue, cmd, record, watched);
        if (record->timed)
            record->after_ns = clock_now_ns();
        if (error != CL_SUCCESS && !queue_fail(queue, record, error))
            return false;
        if (error == CL_SUCCESS)
            queue->refusals = queue->given_up = 0;
    }
    queue->accepted++;
    if (cmd->kind == FGPU_CMD_COPY && ((const fgpu_cmd_copy *)cmd->body)->dst_is_host != 0)
        queue->out = record->number;
    if (record->runs)
        queue->running = record->number;
    if (record->event != NULL)
        queue->tail = record;
    return true;
}

/* Is one of them to be rung for? */
static bool queue_notifies(const fgpu_cmd *cmds, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if ((cmds[i].flags & FGPU_CMD_NOTIFY) != 0)
            return true;
    return false;
}

/* Takes as many as it can. True: somebody is to be told of a command that is over already. */
static bool queue_take(struct ocl_queue *queue, const fgpu_cmd *cmds, uint32_t count)
{
    bool ring = false;
    uint32_t taken = 0;

    for (uint32_t i = 0; i < count && queue->status == FGPU_OK; i += taken) {
        uint64_t number = queue->accepted + 1;
        bool last = i + 1 == count || !queue_has_place(queue, number + 1);
        if (!queue_has_place(queue, number))
            break;
        taken = queue_accept_gathered(queue, cmds + i, count - i);
        if (taken == 0 && !queue_accept(queue, &cmds[i], last))
            break;
        taken = taken > 0 ? taken : 1;
        if (queue_notifies(cmds + i, taken)) {
            ocl_watch_cover(queue);
            ocl_watch_arm(queue);
            ring = ring || ocl_watch_over(queue);
        }
    }
    return ring;
}

uint32_t ocl_queue_submit(void *submitted, const fgpu_cmd *cmds, uint32_t count, uint64_t *last)
{
    struct ocl_queue *queue = submitted;
    uint64_t before = queue->accepted;
    bool ring = queue_take(queue, cmds, count);

    *last = queue->accepted;
    if (queue->accepted == before)
        return 0;
    if (queue->running > before) {
        cl_int error = CL_SUCCESS;
        ocl_watch_cover(queue);
        ocl_watch_keep(queue);
        error = queue->api->clFlush(queue->id);
        if (error != CL_SUCCESS)
            ocl_queue_break(queue, error, "flush", queue->accepted);
    }
    if (ring || ocl_watch_over(queue))
        ocl_watch_ring(queue);
    return (uint32_t)(queue->accepted - before);
}

/* ---- life ------------------------------------------------------------------------------- */

static cl_command_queue queue_create(const struct ocl_device *device, cl_int *error)
{
    cl_command_queue id = device->api->clCreateCommandQueue(device->context->id, device->unit.id,
                                                            CL_QUEUE_PROFILING_ENABLE, error);

    if (*error == CL_INVALID_QUEUE_PROPERTIES) /* then nothing is timed */
        id = device->api->clCreateCommandQueue(device->context->id, device->unit.id, 0, error);
    return id;
}

/* A CPU's commands do not fail one by one: whatever hits them hits the process. */
static bool queue_watch_all(const struct ocl_device *device)
{
    enum ocl_env_events events = ocl_env_events();

    if (events != OCL_ENV_EVENTS_USUAL)
        return events == OCL_ENV_EVENTS_ALL;
    return !ocl_info_is_cpu(&device->unit);
}

fgpu_status ocl_queue_open(void *opened, uint32_t index, void **queue)
{
    struct ocl_device *device = opened;
    struct ocl_queue *made = NULL;
    cl_int error = CL_SUCCESS;

    if (index >= OCL_DEVICE_QUEUES)
        return error_set(FGPU_E_RANGE, "opencl:%u: queue %u, at most %u", device->unit.root_index,
                         index, OCL_DEVICE_QUEUES);
    made = aligned_alloc(LIMITS_CACHE_LINE, sizeof(*made));
    if (made == NULL)
        return FGPU_E_NOMEM;
    *made = (struct ocl_queue){.device = device, .api = device->api, .index = index};
    made->native = ocl_hostmem_native(&device->unit);
    made->watch_all = queue_watch_all(device);
    if (device->caps.host_memory == 0 && !made->native) /* without memory it does without */
        made->scatter = calloc(1, sizeof *made->scatter);
    made->id = queue_create(device, &error);
    if (error != CL_SUCCESS) {
        free(made->scatter);
        free(made);
        return error_set(ocl_text_status(error), "opencl:%u: clCreateCommandQueue failed: %s (%d)",
                         device->unit.root_index, ocl_text_name(error), (int)error);
    }
    for (uint32_t i = 0; i < LIMITS_OPENCL_COMMANDS; i++)
        made->records[i].queue = made;
    *queue = made;
    return FGPU_OK;
}

/* Nothing runs and nobody will call: also the commands behind a failed one have ended. */
static bool queue_quiet(struct ocl_queue *queue)
{
    for (uint64_t number = queue->reported + 1; number <= queue->accepted; number++) {
        const struct ocl_record *record = ocl_queue_record(queue, number);
        if (record->event != NULL && ocl_watch_state(queue, record->event) > CL_COMPLETE)
            return false;
    }
    return atomic_load_acquire_u32(&queue->callbacks) == 0;
}

/* Waits until the queue is quiet: for ever as long as it progresses, but not longer than a limit
 * for one that stands still. */
static bool queue_drain(struct ocl_queue *queue)
{
    uint64_t progress_ns = clock_now_ns();
    uint64_t before = queue->reported;

    while (!queue_quiet(queue)) {
        uint64_t limit_ns =
            queue->status == FGPU_OK ? LIMITS_OPENCL_DRAIN_NS : LIMITS_OPENCL_LOST_NS;
        uint64_t number = 0;
        (void)ocl_queue_poll(queue, &number);
        if (number != before) {
            before = number;
            progress_ns = clock_now_ns();
        }
        if (clock_now_ns() - progress_ns > limit_ns)
            return false;
        queue_nap(QUEUE_LOOK_NS);
    }
    /* What no event covers, after an error, can only be given time. */
    if (!ocl_watch_covered(queue))
        queue_nap(LIMITS_OPENCL_GRACE_NS);
    return true;
}

static void queue_leak(struct ocl_queue *queue)
{
    lock_acquire(&queue->ring_lock);
    queue->closed = true;
    lock_release(&queue->ring_lock);
    queue->device->leaked = true;
    lock_acquire(&queue_leak_lock);
    queue->next_leaked = queue_leaked;
    queue_leaked = queue;
    lock_release(&queue_leak_lock);
    ocl_device_note(queue->device, true, "opencl:%u, queue %u: it did not end in time",
                    queue->device->unit.root_index, queue->index);
}

void ocl_queue_close(void *closed)
{
    struct ocl_queue *queue = closed;

    if (queue == NULL)
        return;
    if (!queue_drain(queue)) {
        queue_leak(queue);
        return;
    }
    for (uint64_t number = queue->reported + 1; number <= queue->accepted; number++)
        queue_drop(queue, ocl_queue_record(queue, number));
    ocl_scatter_free(queue);
    (void)queue->api->clReleaseCommandQueue(queue->id);
    free(queue);
}
