/* Results held up: see slow.h. */
#include "dev/layer/slow.h"

#include <signal.h>
#include "base/clock.h"
#include "base/futex.h"

/* ---- the timer -------------------------------------------------------------------------- */

static void *slow_main(void *arg)
{
    struct slow_timer *timer = arg;
    for (;;) {
        uint32_t seen = atomic_load_acquire_u32(&timer->word);
        uint64_t due_ns = atomic_load_acquire_u64(&timer->due_ns);
        if (atomic_load_acquire_u32(&timer->stop) != 0)
            return NULL;
        if (due_ns != 0 && due_ns <= clock_now_ns()) {
            atomic_store_release_u64(&timer->due_ns, 0);
            timer->bell->ring(timer->bell->arg);
            continue;
        }
        (void)futex_wait_until(&timer->word, seen, due_ns != 0 ? due_ns : FUTEX_FOREVER);
    }
}

static void slow_timer_tell(struct slow_timer *timer)
{
    (void)atomic_add_acqrel_u32(&timer->word, 1);
    (void)futex_wake(&timer->word, 1);
}

fgpu_status slow_timer_start(struct slow_timer *timer, const fgpu_doorbell *bell)
{
    sigset_t all, old;
    timer->bell = bell;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    timer->started = pthread_create(&timer->thread, NULL, slow_main, timer) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return timer->started ? FGPU_OK : FGPU_E_SYSTEM;
}

void slow_timer_stop(struct slow_timer *timer)
{
    if (!timer->started)
        return;
    atomic_store_release_u32(&timer->stop, 1);
    slow_timer_tell(timer);
    (void)pthread_join(timer->thread, NULL);
    timer->started = 0;
}

/* Rings then, or before. It may have rung for another queue meanwhile: whoever looks then asks
 * again for this one. */
static void slow_timer_ask(struct slow_timer *timer, uint64_t due_ns)
{
    uint64_t known = atomic_load_acquire_u64(&timer->due_ns);
    if (known != 0 && known <= due_ns)
        return;
    atomic_store_release_u64(&timer->due_ns, due_ns);
    slow_timer_tell(timer);
}

/* ---- the queue -------------------------------------------------------------------------- */

static struct slow_command *slow_at(struct slow_queue *queue, uint32_t place)
{
    return &queue->commands[(queue->first + place) % SLOW_COMMANDS];
}

/* What the link has to do with the command. */
static void slow_cross(const struct slow_link *link, const fgpu_cmd *cmd,
                       struct slow_command *command)
{
    const fgpu_cmd_copy *copy = cmd->body;

    if (link == NULL || link->rate <= 0 || cmd->kind != FGPU_CMD_COPY ||
        copy->src_is_host == copy->dst_is_host)
        return;
    command->link_ns = (uint64_t)((double)(copy->row_bytes * copy->rows) / link->rate) + 1;
    command->way = copy->src_is_host != 0 ? SLOW_IN : SLOW_OUT;
}

void slow_submitted(struct slow_queue *queue, const fgpu_cmd *cmds, uint32_t count,
                    uint64_t first_number, uint64_t submit_ns)
{
    for (uint32_t i = 0; i < count; i++) {
        struct slow_command *command = slow_at(queue, queue->count++);
        *command = (struct slow_command){
            .number = first_number + i, .submit_ns = submit_ns, .result = cmds[i].body};
        slow_cross(queue->link, &cmds[i], command);
    }
}

static uint64_t slow_later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Takes the link for `took_ns` from *start_ns on, or from when it is free. [in] ahead_ns: our clock
 * before that of *start_ns. */
static void slow_take_link(const struct slow_queue *queue, const struct slow_command *command,
                           uint64_t took_ns, int64_t ahead_ns, uint64_t *start_ns)
{
    struct slow_link *link = queue->link;

    if (command->link_ns == 0)
        return;
    lock_acquire(&link->lock);
    uint64_t free_ns = link->free_ns[command->way];
    if (free_ns != 0)
        *start_ns = slow_later(*start_ns, free_ns - (uint64_t)ahead_ns);
    link->free_ns[command->way] = *start_ns + took_ns + (uint64_t)ahead_ns;
    lock_release(&link->lock);
}

/* Its times become those of a device that is so much slower, which tells of its end as late as the
 * device does when it is quick about it: the two may have different clocks. */
static void slow_stretch(struct slow_queue *queue, struct slow_command *command, uint64_t now_ns)
{
    fgpu_cmd_result *result = command->result;
    int64_t lag_ns = (int64_t)(now_ns - result->end_ns);
    uint64_t took_ns = (uint64_t)(queue->factor * (double)(result->end_ns - result->start_ns));
    if (!queue->has_lag || lag_ns < queue->lag_ns)
        queue->lag_ns = lag_ns;
    queue->has_lag = true;
    took_ns = slow_later(took_ns, command->link_ns);
    result->start_ns = slow_later(result->start_ns, queue->device_end_ns);
    slow_take_link(queue, command, took_ns, queue->lag_ns, &result->start_ns);
    result->end_ns = queue->device_end_ns = result->start_ns + took_ns;
    queue->due_ns = slow_later(queue->due_ns, result->end_ns + (uint64_t)queue->lag_ns);
}

/* The same by our clock, of a device that does not tell its times. */
static void slow_put_off(struct slow_queue *queue, struct slow_command *command, uint64_t now_ns)
{
    uint64_t from_ns = slow_later(command->submit_ns, queue->finish_ns);
    uint64_t took_ns = now_ns > from_ns ? now_ns - from_ns : 0;
    uint64_t start_ns = slow_later(command->submit_ns, queue->due_ns);

    took_ns = slow_later((uint64_t)(queue->factor * (double)took_ns), command->link_ns);
    slow_take_link(queue, command, took_ns, 0, &start_ns);
    queue->due_ns = start_ns + took_ns;
    if (queue->has_lag)
        queue->device_end_ns =
            slow_later(queue->device_end_ns, queue->due_ns - (uint64_t)queue->lag_ns);
}

/* The command has finished: it is due when a device that is so much slower would have finished it.
 */
static void slow_finish(struct slow_queue *queue, struct slow_command *command, uint64_t now_ns)
{
    const fgpu_cmd_result *result = command->result;

    if (result->timed && result->end_ns >= result->start_ns)
        slow_stretch(queue, command, now_ns);
    else
        slow_put_off(queue, command, now_ns);
    queue->finish_ns = now_ns;
    command->due_ns = queue->due_ns;
}

uint64_t slow_tell(struct slow_queue *queue, uint64_t finished, uint64_t now_ns)
{
    for (; queue->finished < queue->count; queue->finished++) {
        struct slow_command *command = slow_at(queue, queue->finished);
        if (command->number > finished)
            break;
        slow_finish(queue, command, now_ns);
    }
    while (queue->finished > 0 && slow_at(queue, 0)->due_ns <= now_ns) {
        queue->shown = slow_at(queue, 0)->number;
        queue->first = (queue->first + 1) % SLOW_COMMANDS;
        queue->finished--;
        queue->count--;
    }
    if (queue->finished > 0)
        slow_timer_ask(queue->timer, slow_at(queue, 0)->due_ns);
    return queue->shown;
}
