/* The smallest legal device: it takes every command and finishes it at once without doing it.
 *
 * Stands at the end of the walk of a task (launch, complete) and shows what everything before it
 * costs. Launches run nothing, copies and fills move nothing, so buffers keep what they held; host
 * calls are not taken. It works in host memory. Submit runs in the caller's thread; the device owns
 * no thread and no state but a counter and the skipping flag of each queue. What stays true: the
 * number that poll gives is the number of the last command accepted.
 */
#include "dev/null/null.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/limits.h"

#define NULL_QUEUE_COMMANDS 4096u       /* nothing ever waits; bounds only what the pool prepares */
#define NULL_RESOURCE_GROUP 0x4e000000u /* + index: it uses no core, so it shares none */

struct null_queue {
    const fgpu_doorbell *bell;
    uint64_t number; /* accepted, and therefore finished */
    bool skipping;   /* a command failed and no fence came since */
};

struct null_device {
    const fgpu_doorbell *bell;
    fgpu_device_caps caps;
};

static uint64_t null_memory_bytes(const fgpu_backend_options *options)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);
    uint64_t bytes =
        pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : 1u << 30;

    return options->memory_bytes != 0 && options->memory_bytes < bytes ? options->memory_bytes
                                                                       : bytes;
}

static fgpu_status null_probe(const fgpu_backend_options *options, fgpu_device_info *infos,
                              uint32_t capacity, uint32_t *count, char *why, size_t why_bytes)
{
    (void)why;
    (void)why_bytes;
    *count = LIMITS_DEVICES;
    for (uint32_t index = 0; index < *count && index < capacity; index++) {
        fgpu_device_info *info = &infos[index];
        *info = (fgpu_device_info){.struct_bytes = sizeof *info, .type = FGPU_DEVICE_NULL};
        (void)snprintf(info->name, sizeof info->name, "null device %u", index);
        (void)snprintf(info->vendor, sizeof info->vendor, "FastGPU");
        (void)snprintf(info->driver, sizeof info->driver, "%s", FGPU_VERSION_STRING);
        (void)snprintf(info->backend, sizeof info->backend, "null");
        (void)snprintf(info->id, sizeof info->id, "null#%u", index);
        info->valid = FGPU_INFO_MEMORY | FGPU_INFO_ALIGN | FGPU_INFO_RESOURCE_GROUP;
        info->memory_bytes = null_memory_bytes(options);
        info->memory_align_bytes = 1;
        info->resource_group = NULL_RESOURCE_GROUP + index;
        info->queue_count = options->cpu_workers != 0 ? options->cpu_workers : 1;
    }
    return FGPU_OK;
}

static fgpu_status null_open(const fgpu_backend_options *options, uint32_t index,
                             const fgpu_doorbell *bell, void **device)
{
    struct null_device *null;

    if (index >= LIMITS_DEVICES)
        return FGPU_E_RANGE;
    null = alloc_get_zeroed(NULL, sizeof *null, LIMITS_CACHE_LINE);
    if (null == NULL)
        return FGPU_E_NOMEM;
    null->bell = bell;
    null->caps = (fgpu_device_caps){
        .struct_bytes = sizeof null->caps,
        .queue_count = options->cpu_workers != 0 ? options->cpu_workers : 1,
        .variants = 1u << FGPU_VARIANT_OPENCL | 1u << FGPU_VARIANT_NATIVE | 1u << FGPU_VARIANT_CUDA,
        .host_memory = 1,
        .suballocate = 1,
        .offset_align_bytes = 1,
        .max_group_items = 1024,
        .max_queue_commands = NULL_QUEUE_COMMANDS,
        .resource_group = NULL_RESOURCE_GROUP + index,
        .parts = 1,
        .batches = 1,
        .memory_bytes = null_memory_bytes(options),
        .memory_max_alloc_bytes = null_memory_bytes(options),
    };
    *device = null;
    return FGPU_OK;
}

static void null_close(void *device)
{
    alloc_put(NULL, device, sizeof(struct null_device));
}

static void null_caps(void *device, fgpu_device_caps *caps)
{
    const struct null_device *null = device;

    *caps = null->caps;
}

static fgpu_status null_mem_alloc(void *device, uint64_t bytes, fgpu_mem *mem)
{
    const struct null_device *null = device;

    if (bytes == 0)
        return FGPU_E_INVAL;
    if (bytes > null->caps.memory_max_alloc_bytes)
        return FGPU_E_DEVMEM;
    *mem = (uintptr_t)aligned_alloc(64, (bytes + 63) / 64 * 64);
    return *mem != 0 ? FGPU_OK : FGPU_E_DEVMEM;
}

static void null_mem_free(void *device, fgpu_mem mem)
{
    (void)device;
    free((void *)(uintptr_t)mem);
}

static fgpu_status null_code_build(void *device, const fgpu_code_source *source,
                                   fgpu_code_built *built)
{
    (void)device;
    (void)source;
    *built = (fgpu_code_built){.code = 1};
    return FGPU_OK;
}

static void null_code_free(void *device, fgpu_code code)
{
    (void)device;
    (void)code;
}

static fgpu_status null_queue_open(void *device, uint32_t index, void **queue)
{
    const struct null_device *null = device;
    struct null_queue *made;

    if (index >= null->caps.queue_count)
        return FGPU_E_RANGE;
    made = alloc_get_zeroed(NULL, sizeof *made, LIMITS_CACHE_LINE);
    if (made == NULL)
        return FGPU_E_NOMEM;
    made->bell = null->bell;
    *queue = made;
    return FGPU_OK;
}

static void null_queue_close(void *queue)
{
    alloc_put(NULL, queue, sizeof(struct null_queue));
}

static fgpu_status null_judge(const fgpu_cmd *cmd);

static fgpu_status null_judge_batch(fgpu_cmd_batch *batch)
{
    fgpu_status status = FGPU_OK;

    for (uint32_t i = 0; i < batch->count && status == FGPU_OK; i++) {
        status = batch->cmds[i].kind <= FGPU_CMD_FILL ? null_judge(&batch->cmds[i]) : FGPU_E_INVAL;
        batch->begun = i + 1;
        batch->done += status == FGPU_OK;
    }
    return status;
}

static fgpu_status null_judge(const fgpu_cmd *cmd)
{
    switch (cmd->kind) {
    case FGPU_CMD_LAUNCH:
        return ((const fgpu_cmd_launch *)cmd->body)->code != 0 ? FGPU_OK : FGPU_E_INVAL;
    case FGPU_CMD_COPY:
    case FGPU_CMD_FILL:
    case FGPU_CMD_FENCE:
        return FGPU_OK;
    case FGPU_CMD_HOST:
        return FGPU_E_UNSUPPORTED;
    case FGPU_CMD_BATCH:
        return null_judge_batch(cmd->body);
    default:
        return FGPU_E_INVAL;
    }
}

static uint32_t null_submit(void *queue, const fgpu_cmd *cmds, uint32_t count, uint64_t *last)
{
    struct null_queue *null = queue;

    for (uint32_t i = 0; i < count; i++) {
        fgpu_cmd_result *result = cmds[i].body;
        fgpu_status status = null_judge(&cmds[i]);

        if (cmds[i].kind == FGPU_CMD_FENCE)
            null->skipping = false;
        else if (null->skipping && (cmds[i].flags & FGPU_CMD_CHAINED) != 0)
            status = FGPU_E_CANCELLED;
        if (status != FGPU_OK)
            null->skipping = true;
        result->status = status;
        result->timed = 0;
    }
    null->number += count;
    *last = null->number;
    if (count > 0)
        null->bell->ring(null->bell->arg); /* the last command of the queue has finished */
    return count;
}

static fgpu_status null_poll(void *queue, uint64_t *number)
{
    const struct null_queue *null = queue;

    *number = null->number;
    return FGPU_OK;
}

const fgpu_backend null_backend = {
    .struct_bytes = sizeof(fgpu_backend),
    .version = FGPU_BACKEND_VERSION,
    .name = "null",
    .probe = null_probe,
    .open = null_open,
    .close = null_close,
    .caps = null_caps,
    .mem_alloc = null_mem_alloc,
    .mem_free = null_mem_free,
    .code_build = null_code_build,
    .code_free = null_code_free,
    .queue_open = null_queue_open,
    .queue_close = null_queue_close,
    .submit = null_submit,
    .poll = null_poll,
};
