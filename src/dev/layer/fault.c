/* A layer that injects seeded faults: see fault.h. */
#include "dev/layer/fault.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/atomic.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/rng.h"
#include "dev/layer/slow.h"

#define FAULT_CHUNK 64u /* commands handed on at once */
#define FAULT_SWAPS 64u /* replaced commands in flight in one queue; beyond that none fails */

struct fault_device {
    struct layer_base base;
    struct faults faults;
    uint32_t index;
    struct rng alloc_rng;
    struct rng build_rng;
    _Atomic uint64_t taken; /* commands of all queues */
    _Atomic uint32_t lost;
    struct slow_timer timer; /* started where it is slow, or its link paced */
    struct slow_link link;
};

/* A command that fails, and the body that is told of it. */
struct fault_swap {
    uint64_t number;
    fgpu_cmd_result *real;
    fgpu_cmd_launch decoy; /* no code, no dimensions: refused by every device */
    fgpu_cmd_batch part;   /* of a batch: what goes before the one that fails, and the decoy */
    fgpu_cmd *part_cmds;   /* NULL: it is no batch */
};

struct fault_queue {
    struct layer_queue base;
    struct rng rng;
    fgpu_status dead;
    uint64_t accepted;
    uint64_t reported;
    uint32_t swap_first, swap_count; /* a ring, in the order of numbers */
    struct slow_queue *slow;         /* NULL: it is not */
    struct fault_swap swaps[FAULT_SWAPS];
};

static bool fault_strikes(struct rng *rng, uint32_t permille)
{
    return permille != 0 && rng_below(rng, 1000) < permille;
}

static bool fault_is_lost(const struct fault_device *fault)
{
    return atomic_load_acquire_u32(&fault->lost) != 0;
}

static struct fault_device *fault_of(const struct fault_queue *queue)
{
    return (struct fault_device *)queue->base.layer;
}

static void fault_ring(const struct fault_device *fault)
{
    fault->base.bell->ring(fault->base.bell->arg);
}

/* ---- memory and code -------------------------------------------------------------------- */

static fgpu_status fault_mem_alloc(void *device, uint64_t bytes, fgpu_mem *mem)
{
    struct fault_device *fault = device;

    if (fault_is_lost(fault))
        return error_set(FGPU_E_DEVICE_LOST, "fault layer: device %u is lost", fault->index);
    if (fault_strikes(&fault->alloc_rng, fault->faults.alloc_permille))
        return error_set(FGPU_E_DEVMEM, "fault layer: this allocation of %llu bytes fails",
                         (unsigned long long)bytes);
    return layer_mem_alloc(device, bytes, mem);
}

static fgpu_status fault_code_build(void *device, const fgpu_code_source *source,
                                    fgpu_code_built *built)
{
    struct fault_device *fault = device;

    if (fault_is_lost(fault))
        return error_set(FGPU_E_DEVICE_LOST, "fault layer: device %u is lost", fault->index);
    if (fault_strikes(&fault->build_rng, fault->faults.build_permille)) {
        *built = (fgpu_code_built){.log = strdup("fault layer: this build fails")};
        return error_set(FGPU_E_BUILD, "fault layer: this build fails");
    }
    return layer_code_build(device, source, built);
}

static void fault_close(void *device)
{
    struct fault_device *fault = device;

    slow_timer_stop(&fault->timer);
    fault->base.inner.backend->close(fault->base.inner.self);
    alloc_put(NULL, fault, sizeof *fault);
}

static void fault_reason(void *device, char *text, size_t text_bytes)
{
    const struct fault_device *fault = device;

    if (!fault_is_lost(fault)) {
        layer_reason(device, text, text_bytes);
        return;
    }
    (void)snprintf(text, text_bytes, "fault layer: device %u is lost after %llu commands",
                   fault->index, (unsigned long long)fault->faults.lose_after[fault->index]);
}

static fgpu_status fault_queue_open(void *device, uint32_t index, void **queue)
{
    struct fault_device *fault = device;
    struct fault_queue *made;
    fgpu_status status;

    made = alloc_get_zeroed(NULL, sizeof *made, LIMITS_CACHE_LINE);
    if (made == NULL)
        return error_set(FGPU_E_NOMEM, "fault layer: no memory for a queue");
    if (fault->timer.started) {
        made->slow = alloc_get_zeroed(NULL, sizeof *made->slow, LIMITS_CACHE_LINE);
        if (made->slow == NULL) {
            alloc_put(NULL, made, sizeof *made);
            return error_set(FGPU_E_NOMEM, "fault layer: no memory for a queue");
        }
        made->slow->factor = fault->faults.slow_factor[fault->index];
        made->slow->timer = &fault->timer;
        made->slow->link = &fault->link;
    }
    status = layer_queue_open(&fault->base, index, &made->base);
    if (status != FGPU_OK) {
        alloc_put(NULL, made->slow, sizeof *made->slow);
        alloc_put(NULL, made, sizeof *made);
        return status;
    }
    rng_init(&made->rng, fault->faults.seed * 1000003 + fault->index * 1009ull + index);
    *queue = made;
    if (fault_is_lost(fault))
        fault_ring(fault); /* polling will tell */
    return FGPU_OK;
}

static void fault_swap_out(struct fault_queue *queue, uint64_t finished);

static void fault_queue_close(void *queue)
{
    struct fault_queue *fault = queue;

    fault->base.layer->inner.backend->queue_close(fault->base.inner);
    fault_swap_out(fault, UINT64_MAX);
    alloc_put(NULL, fault->slow, sizeof *fault->slow);
    alloc_put(NULL, fault, sizeof *fault);
}

/* ---- submit ----------------------------------------------------------------------------- */

/* Which of the commands of a batch fails, or how many there are. */
static uint32_t fault_strikes_batch(struct fault_queue *queue, const fgpu_cmd_batch *batch)
{
    uint32_t at = 0;

    while (at < batch->count && !fault_strikes(&queue->rng, fault_of(queue)->faults.task_permille))
        at++;
    return at;
}

/* The batch ends with a decoy. Without memory it does not fail. */
static bool fault_swap_batch(struct fault_queue *queue, struct fault_swap *swap,
                             const fgpu_cmd_batch *batch)
{
    uint32_t at = fault_strikes_batch(queue, batch);
    if (at == batch->count)
        return false;
    swap->part_cmds = alloc_get(NULL, (at + 1) * sizeof *swap->part_cmds, 16);
    if (swap->part_cmds == NULL)
        return false;
    memcpy(swap->part_cmds, batch->cmds, at * sizeof *swap->part_cmds);
    swap->part_cmds[at] = (fgpu_cmd){.kind = FGPU_CMD_LAUNCH, .body = &swap->decoy};
    swap->part = (fgpu_cmd_batch){.cmds = swap->part_cmds, .count = at + 1};
    return true;
}

static void fault_swap_free(struct fault_swap *swap)
{
    alloc_put(NULL, swap->part_cmds, swap->part.count * sizeof *swap->part_cmds);
    swap->part_cmds = NULL;
}

/* Replaces a command that is to fail. */
static void fault_swap_in(struct fault_queue *queue, fgpu_cmd *cmd, uint64_t number)
{
    const struct fault_device *fault = fault_of(queue);
    struct fault_swap *swap = &queue->swaps[(queue->swap_first + queue->swap_count) % FAULT_SWAPS];

    if (cmd->kind == FGPU_CMD_FENCE || queue->swap_count == FAULT_SWAPS ||
        (cmd->kind != FGPU_CMD_BATCH && !fault_strikes(&queue->rng, fault->faults.task_permille)))
        return;
    *swap = (struct fault_swap){.number = number, .real = cmd->body};
    if (cmd->kind == FGPU_CMD_BATCH) {
        if (!fault_swap_batch(queue, swap, cmd->body))
            return;
        cmd->body = &swap->part;
    } else {
        cmd->kind = FGPU_CMD_LAUNCH;
        cmd->body = &swap->decoy;
    }
    queue->swap_count++;
}

/* Swaps of commands that the device below did not accept are off. */
static void fault_swap_forget(struct fault_queue *queue)
{
    while (queue->swap_count > 0) {
        uint32_t newest = (queue->swap_first + queue->swap_count - 1) % FAULT_SWAPS;
        if (queue->swaps[newest].number <= queue->accepted)
            return;
        fault_swap_free(&queue->swaps[newest]);
        queue->swap_count--;
    }
}

/* How many commands of this submission may go on to the device. */
static uint32_t fault_allowed(struct fault_queue *queue, uint32_t count)
{
    const struct fault_device *fault = fault_of(queue);
    uint64_t limit = fault->faults.lose_after[fault->index];
    uint64_t taken = atomic_load_relaxed_u64(&fault->taken);
    uint64_t left = taken < limit ? limit - taken : 0;

    if (fault_strikes(&queue->rng, fault->faults.submit_permille))
        count = (uint32_t)rng_below(&queue->rng, count);
    if (queue->slow != NULL && slow_room(queue->slow) < count)
        count = slow_room(queue->slow);
    return left < count ? (uint32_t)left : count;
}

static uint32_t fault_submit_chunk(struct fault_queue *queue, const fgpu_cmd *cmds, uint32_t count)
{
    const fgpu_backend *inner = queue->base.layer->inner.backend;
    fgpu_cmd chunk[FAULT_CHUNK];
    uint32_t taken;

    for (uint32_t i = 0; i < count; i++) {
        chunk[i] = cmds[i];
        fault_swap_in(queue, &chunk[i], queue->accepted + i + 1);
    }
    taken = inner->submit(queue->base.inner, chunk, count, &queue->accepted);
    fault_swap_forget(queue);
    return taken;
}

static uint32_t fault_submit(void *self, const fgpu_cmd *cmds, uint32_t count, uint64_t *last)
{
    struct fault_queue *queue = self;
    struct fault_device *fault = fault_of(queue);
    uint32_t allowed = count;
    uint32_t done = 0;

    *last = queue->accepted;
    if (count == 0 || queue->dead != FGPU_OK || fault_is_lost(fault))
        return 0;
    allowed = fault_allowed(queue, count);
    /* Before the device can start: this thread may not run again for a while after it. */
    uint64_t submit_ns = queue->slow != NULL ? clock_now_ns() : 0;
    while (done < allowed) {
        uint32_t want = allowed - done < FAULT_CHUNK ? allowed - done : FAULT_CHUNK;
        uint32_t taken = fault_submit_chunk(queue, cmds + done, want);
        done += taken;
        if (taken < want)
            break;
    }
    *last = queue->accepted;
    if (queue->slow != NULL)
        slow_submitted(queue->slow, cmds, done, queue->accepted - done + 1, submit_ns);
    if (atomic_add_acqrel_u64(&fault->taken, done) + done >= fault->faults.lose_after[fault->index])
        atomic_store_release_u32(&fault->lost, 1);
    if (allowed < count || fault_is_lost(fault))
        fault_ring(fault); /* nothing else might call the driver back */
    return done;
}

/* ---- poll ------------------------------------------------------------------------------- */

/* Tells the bodies of replaced commands what has become of them. */
static void fault_swap_out(struct fault_queue *queue, uint64_t finished)
{
    while (queue->swap_count > 0) {
        struct fault_swap *swap = &queue->swaps[queue->swap_first];
        if (swap->number > finished)
            return;
        *swap->real = swap->part_cmds != NULL ? swap->part.result : swap->decoy.result;
        if (swap->part_cmds != NULL) {
            ((fgpu_cmd_batch *)(void *)swap->real)->done = swap->part.done;
            ((fgpu_cmd_batch *)(void *)swap->real)->begun = swap->part.begun;
            fault_swap_free(swap);
        }
        if (swap->real->status != FGPU_E_CANCELLED)
            swap->real->status = FGPU_E_DEVICE;
        queue->swap_first = (queue->swap_first + 1) % FAULT_SWAPS;
        queue->swap_count--;
    }
}

static fgpu_status fault_poll(void *self, uint64_t *number)
{
    struct fault_queue *queue = self;
    uint64_t finished;

    *number = queue->reported;
    if (queue->dead != FGPU_OK)
        return queue->dead;
    if (fault_is_lost(fault_of(queue))) {
        queue->dead = FGPU_E_DEVICE_LOST;
        fault_ring(fault_of(queue));
        return queue->dead;
    }
    queue->dead = queue->base.layer->inner.backend->poll(queue->base.inner, &finished);
    if (queue->dead == FGPU_OK && queue->slow != NULL)
        finished = slow_tell(queue->slow, finished, clock_now_ns());
    fault_swap_out(queue, finished);
    queue->reported = finished;
    *number = finished;
    return queue->dead;
}

static const fgpu_backend fault_backend = {
    .struct_bytes = sizeof(fgpu_backend),
    .version = FGPU_BACKEND_VERSION,
    .name = "fault",
    .probe = layer_probe,
    .open = layer_open,
    .close = fault_close,
    .caps = layer_caps,
    .mem_alloc = fault_mem_alloc,
    .mem_stitch = layer_mem_stitch,
    .mem_free = layer_mem_free,
    .code_build = fault_code_build,
    .code_free = layer_code_free,
    .queue_open = fault_queue_open,
    .queue_close = fault_queue_close,
    .submit = fault_submit,
    .poll = fault_poll,
    .sample = layer_sample,
    .reason = fault_reason,
    LAYER_GUARDS,
};

fgpu_status layer_fault_wrap(struct layer_device *device, const fgpu_doorbell *bell,
                             const struct faults *faults, uint32_t index)
{
    struct fault_device *fault = alloc_get_zeroed(NULL, sizeof *fault, 16);

    if (fault == NULL || index >= LIMITS_DEVICES) {
        alloc_put(NULL, fault, sizeof *fault);
        return error_set(FGPU_E_NOMEM, "fault layer: no memory for device %u", index);
    }
    fault->base.inner = *device;
    fault->base.bell = bell;
    fault->faults = *faults;
    fault->index = index;
    rng_init(&fault->alloc_rng, faults->seed * 1000003 + index * 1009ull + 500000);
    rng_init(&fault->build_rng, faults->seed * 1000003 + index * 1009ull + 500001);
    if (faults->lose_after[index] == 0)
        atomic_store_relaxed_u32(&fault->lost, 1);
    fault->link.rate = faults->link_rate[index];
    if ((faults->slow_factor[index] > 1 || fault->link.rate > 0) &&
        slow_timer_start(&fault->timer, bell) != FGPU_OK) {
        alloc_put(NULL, fault, sizeof *fault);
        return error_set(FGPU_E_SYSTEM, "fault layer: no thread that holds results up");
    }
    *device = (struct layer_device){&fault_backend, fault};
    return FGPU_OK;
}
