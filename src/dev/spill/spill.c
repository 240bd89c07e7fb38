/* The disk's queues and its thread; see spill.h.
 *
 * Queue 0 is there because every device has one that is not for copies alone; the core gives it
 * nothing. Of the other, commands lie in a ring until the thread has carried them out. Keeps true:
 * numbers finish in their order; a result is written before poll tells its number.
 */
#include "dev/spill/spill.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/doorbell.h"
#include "dev/spill/spill_file.h"

#define SPILL_RING 256u /* commands in flight; a power of two */
#define SPILL_GROUP 0x53000000u

struct spill_device {
    const fgpu_doorbell *bell;
    uint64_t limit_bytes;
    struct spill_file file;
};

struct spill_queue {
    struct spill_device *device;
    fgpu_cmd ring[SPILL_RING]; /* command n: ring[n & mask] */
    _Atomic uint64_t accepted, finished;
    _Atomic uint32_t stop;
    bool skipping; /* a command failed and no fence came since */
    bool runs;     /* it has a thread */
    struct doorbell work;
    pthread_t thread;
};

/* ---- the device -------------------------------------------------------------------------- */

static fgpu_status spill_probe(const fgpu_backend_options *options, fgpu_device_info *infos,
                               uint32_t capacity, uint32_t *count, char *why, size_t why_bytes)
{
    (void)options;
    (void)infos;
    (void)capacity;
    *count = 0;
    (void)snprintf(why, why_bytes, "it is no device that can be chosen");
    return FGPU_E_NODEVICE;
}

static fgpu_status spill_open(const fgpu_backend_options *options, uint32_t index,
                              const fgpu_doorbell *bell, void **out)
{
    const struct spill_options *all = (const struct spill_options *)(const void *)options;
    struct spill_device *device = malloc(sizeof *device);
    (void)index;
    if (device == NULL)
        return error_set(FGPU_E_NOMEM, "no memory for the spill folder");
    device->bell = bell;
    device->limit_bytes = all->limit_bytes;
    fgpu_status status = spill_file_open(&device->file, all->folder, all->mode);
    if (status == FGPU_OK)
        *out = device;
    else
        free(device);
    return status;
}

static void spill_close(void *self)
{
    struct spill_device *device = self;
    spill_file_close(&device->file);
    free(device);
}

static void spill_caps(void *self, fgpu_device_caps *caps)
{
    const struct spill_device *device = self;
    *caps = (fgpu_device_caps){.struct_bytes = sizeof *caps,
                               .queue_count = 2,
                               .copy_queue_count = 1,
                               .suballocate = 1,
                               .offset_align_bytes = PACK_CHUNK_BYTES,
                               .max_queue_commands = SPILL_RING,
                               .resource_group = SPILL_GROUP,
                               .memory_bytes = device->limit_bytes,
                               .memory_max_alloc_bytes = device->limit_bytes};
}

void spill_get_stats(void *self, struct spill_stats *stats)
{
    const struct spill_file *file = &((const struct spill_device *)self)->file;
    *stats = (struct spill_stats){.stored_bytes = file->stored_bytes,
                                  .chunks = file->chunks_written,
                                  .zero_chunks = file->zero_chunks,
                                  .packed_chunks = file->packed_chunks,
                                  .zstd_chunks = file->zstd_chunks};
}

static fgpu_status spill_mem_alloc(void *self, uint64_t bytes, fgpu_mem *mem)
{
    struct spill_device *device = self;
    *mem = (uintptr_t)spill_file_take(&device->file, bytes);
    return *mem != 0 ? FGPU_OK : FGPU_E_DEVMEM;
}

static void spill_mem_free(void *self, fgpu_mem mem)
{
    struct spill_device *device = self;
    spill_file_give(&device->file, (struct spill_piece *)(uintptr_t)mem);
}

static fgpu_status spill_code_build(void *self, const fgpu_code_source *source,
                                    fgpu_code_built *built)
{
    (void)self;
    (void)source;
    (void)built;
    return FGPU_E_UNSUPPORTED;
}

static void spill_code_free(void *self, fgpu_code code)
{
    (void)self;
    (void)code;
}

/* ---- commands ---------------------------------------------------------------------------- */

static fgpu_status spill_copy(struct spill_device *device, const fgpu_cmd_copy *copy)
{
    fgpu_status status = FGPU_OK;
    for (uint64_t row = 0; row < copy->rows && status == FGPU_OK; row++) {
        uint64_t src = copy->src_offset_bytes + row * copy->src_pitch_bytes;
        uint64_t dst = copy->dst_offset_bytes + row * copy->dst_pitch_bytes;
        if (copy->src_is_host)
            status =
                spill_file_write(&device->file, (struct spill_piece *)(uintptr_t)copy->dst, dst,
                                 (const char *)(uintptr_t)copy->src + src, copy->row_bytes);
        else
            status = spill_file_read(&device->file, (struct spill_piece *)(uintptr_t)copy->src, src,
                                     (char *)(uintptr_t)copy->dst + dst, copy->row_bytes);
    }
    return status;
}

static void spill_carry_out(struct spill_queue *queue, const fgpu_cmd *cmd)
{
    fgpu_cmd_result *result = cmd->body;
    fgpu_status status = FGPU_OK;
    result->start_ns = clock_now_ns();
    if (cmd->kind == FGPU_CMD_FENCE)
        queue->skipping = false;
    else if (queue->skipping && (cmd->flags & FGPU_CMD_CHAINED) != 0)
        status = FGPU_E_CANCELLED;
    else if (cmd->kind == FGPU_CMD_COPY)
        status = spill_copy(queue->device, cmd->body);
    else
        status = FGPU_E_UNSUPPORTED;
    if (status != FGPU_OK)
        queue->skipping = true;
    result->end_ns = clock_now_ns();
    result->timed = status == FGPU_OK;
    result->status = status;
}

static void *spill_main(void *arg)
{
    struct spill_queue *queue = arg;
    for (;;) {
        uint32_t seen = doorbell_read(&queue->work);
        uint64_t next = atomic_load_relaxed_u64(&queue->finished) + 1;
        uint64_t accepted = atomic_load_acquire_u64(&queue->accepted);
        if (next <= accepted) {
            fgpu_cmd cmd = queue->ring[next & (SPILL_RING - 1)];
            spill_carry_out(queue, &cmd);
            atomic_store_release_u64(&queue->finished, next);
            if ((cmd.flags & FGPU_CMD_NOTIFY) != 0 ||
                next == atomic_load_acquire_u64(&queue->accepted))
                queue->device->bell->ring(queue->device->bell->arg);
            continue;
        }
        if (atomic_load_acquire_u32(&queue->stop))
            return NULL;
        (void)doorbell_wait(&queue->work, seen, 0, DOORBELL_FOREVER);
    }
}

/* ---- queues ------------------------------------------------------------------------------ */

static bool spill_start(struct spill_queue *queue)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&queue->thread, NULL, spill_main, queue);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed == 0)
        pthread_setname_np(queue->thread, "fgpu-spill");
    queue->runs = failed == 0;
    return queue->runs;
}

static fgpu_status spill_queue_open(void *self, uint32_t index, void **out)
{
    struct spill_queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL)
        return error_set(FGPU_E_NOMEM, "no memory for the spill folder");
    queue->device = self;
    doorbell_init(&queue->work);
    if (index == 1 && !spill_start(queue)) {
        free(queue);
        return error_set(FGPU_E_SYSTEM, "no thread for the spill folder");
    }
    *out = queue;
    return FGPU_OK;
}

static void spill_queue_close(void *self)
{
    struct spill_queue *queue = self;
    if (queue->runs) {
        atomic_store_release_u32(&queue->stop, 1);
        doorbell_ring(&queue->work);
        pthread_join(queue->thread, NULL);
    }
    free(queue);
}

static uint32_t spill_submit(void *self, const fgpu_cmd *cmds, uint32_t count, uint64_t *last)
{
    struct spill_queue *queue = self;
    uint64_t accepted = atomic_load_relaxed_u64(&queue->accepted);
    uint64_t finished = atomic_load_acquire_u64(&queue->finished);
    uint64_t room = queue->runs ? SPILL_RING - (accepted - finished) : 0;
    uint32_t taken = count < room ? count : (uint32_t)room;
    for (uint32_t i = 0; i < taken; i++)
        queue->ring[(accepted + i + 1) & (SPILL_RING - 1)] = cmds[i];
    *last = accepted + taken;
    atomic_store_release_u64(&queue->accepted, *last);
    if (taken > 0)
        doorbell_ring(&queue->work);
    return taken;
}

static fgpu_status spill_poll(void *self, uint64_t *number)
{
    struct spill_queue *queue = self;
    *number = atomic_load_acquire_u64(&queue->finished);
    return FGPU_OK;
}

const fgpu_backend spill_backend = {
    .struct_bytes = sizeof(fgpu_backend),
    .version = FGPU_BACKEND_VERSION,
    .name = "spill",
    .probe = spill_probe,
    .open = spill_open,
    .close = spill_close,
    .caps = spill_caps,
    .mem_alloc = spill_mem_alloc,
    .mem_free = spill_mem_free,
    .code_build = spill_code_build,
    .code_free = spill_code_free,
    .queue_open = spill_queue_open,
    .queue_close = spill_queue_close,
    .submit = spill_submit,
    .poll = spill_poll,
};
