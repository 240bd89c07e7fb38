/* Simulated devices: the table of backend.h over sim_memory and sim_queue.
 *
 * As many as are asked for, each with its own memory (64 MiB unless the options say otherwise) and
 * 2 queues unless the options give a number. They take native functions, run them for real on the
 * polling thread (see sim_queue.h) and report virtual times (see cost.h). They take no host calls,
 * for they have no thread. For tests: what goes wrong with separate memory, with results that come
 * in another order and with submissions accepted in part goes wrong here first, and again with the
 * same seed.
 */
#include "dev/sim/sim.h"

#include <stdio.h>
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "dev/sim/sim_queue.h"

#define SIM_MEMORY_BYTES (UINT64_C(64) << 20)
#define SIM_QUEUES 2u
#define SIM_GROUP_PS 1000000u                      /* 1 us a group */
#define SIM_RESOURCE_GROUP 0x53000000u             /* + index: each has its own units */
#define SIM_SEED_STEP UINT64_C(0x9e3779b97f4a7c15) /* devices of one pool differ */

struct sim_device {
    const fgpu_doorbell *bell; /* [borrow] */
    uint64_t seed;
    fgpu_device_caps caps;
    struct sim_memory memory;
};

static void sim_fill_caps(const fgpu_backend_options *options, uint32_t index,
                          fgpu_device_caps *caps)
{
    *caps = (fgpu_device_caps){
        .struct_bytes = sizeof *caps,
        .queue_count = options->cpu_workers != 0 ? options->cpu_workers : SIM_QUEUES,
        .variants = 1u << FGPU_VARIANT_NATIVE,
        .suballocate = 1,
        .offset_align_bytes = 1,
        .max_group_items = 1024,
        .max_queue_commands = SIM_QUEUE_COMMANDS,
        .resource_group = SIM_RESOURCE_GROUP + index,
        .parts = 1,
        .memory_bytes = options->memory_bytes != 0 ? options->memory_bytes : SIM_MEMORY_BYTES,
    };
    caps->memory_max_alloc_bytes = caps->memory_bytes;
}

static fgpu_status sim_probe(const fgpu_backend_options *options, fgpu_device_info *infos,
                             uint32_t capacity, uint32_t *count, char *why, size_t why_bytes)
{
    (void)why;
    (void)why_bytes;
    *count = LIMITS_DEVICES;
    for (uint32_t index = 0; index < *count && index < capacity; index++) {
        fgpu_device_info *info = &infos[index];
        fgpu_device_caps caps;

        sim_fill_caps(options, index, &caps);
        *info = (fgpu_device_info){.struct_bytes = sizeof *info, .type = FGPU_DEVICE_SIMULATED};
        (void)snprintf(info->name, sizeof info->name, "simulated device %u", index);
        (void)snprintf(info->vendor, sizeof info->vendor, "FastGPU");
        (void)snprintf(info->driver, sizeof info->driver, "%s", FGPU_VERSION_STRING);
        (void)snprintf(info->backend, sizeof info->backend, "sim");
        (void)snprintf(info->id, sizeof info->id, "sim#%u", index);
        info->valid = FGPU_INFO_UNITS | FGPU_INFO_MEMORY | FGPU_INFO_MAX_GROUP | FGPU_INFO_ALIGN |
                      FGPU_INFO_RESOURCE_GROUP;
        info->compute_units = sim_machine_default.units;
        info->memory_bytes = caps.memory_bytes;
        info->max_group_items = caps.max_group_items;
        info->memory_align_bytes = caps.offset_align_bytes;
        info->resource_group = caps.resource_group;
        info->queue_count = caps.queue_count;
    }
    return FGPU_OK;
}

static fgpu_status sim_open(const fgpu_backend_options *options, uint32_t index,
                            const fgpu_doorbell *bell, void **device)
{
    struct sim_device *sim;

    if (index >= LIMITS_DEVICES)
        return error_set(FGPU_E_RANGE, "sim: device %u of %d", index, LIMITS_DEVICES);
    sim = alloc_get_zeroed(NULL, sizeof *sim, LIMITS_CACHE_LINE);
    if (sim == NULL)
        return error_set(FGPU_E_NOMEM, "sim: no memory for the device");
    sim->bell = bell;
    sim->seed = options->seed + (index + 1) * SIM_SEED_STEP;
    sim_fill_caps(options, index, &sim->caps);
    sim_memory_init(&sim->memory, sim->caps.memory_bytes);
    *device = sim;
    return FGPU_OK;
}

static void sim_close(void *device)
{
    struct sim_device *sim = device;

    sim_memory_fini(&sim->memory);
    alloc_put(NULL, sim, sizeof *sim);
}

static void sim_caps(void *device, fgpu_device_caps *caps)
{
    const struct sim_device *sim = device;

    *caps = sim->caps;
}

static fgpu_status sim_mem_alloc(void *device, uint64_t bytes, fgpu_mem *mem)
{
    struct sim_device *sim = device;
    fgpu_status status = sim_memory_alloc(&sim->memory, bytes, mem);

    if (status != FGPU_OK)
        return error_set(status, "sim: no room for %llu bytes, %llu of %llu are used",
                         (unsigned long long)bytes,
                         (unsigned long long)sim_memory_used_bytes(&sim->memory),
                         (unsigned long long)sim->caps.memory_bytes);
    return FGPU_OK;
}

static void sim_mem_free(void *device, fgpu_mem mem)
{
    struct sim_device *sim = device;

    sim_memory_free(&sim->memory, mem);
}

static fgpu_status sim_code_build(void *device, const fgpu_code_source *source,
                                  fgpu_code_built *built)
{
    struct sim_code *code;

    (void)device;
    if (source->kind != FGPU_VARIANT_NATIVE)
        return error_set(FGPU_E_UNSUPPORTED, "sim: runs native functions only (variant kind %u)",
                         source->kind);
    if (source->native == NULL || source->arg_count > LIMITS_KERNEL_ARGS)
        return error_set(FGPU_E_INVAL, "sim: native function %s, %u arguments (limit %d)",
                         source->native == NULL ? "missing" : "given", source->arg_count,
                         LIMITS_KERNEL_ARGS);
    code = alloc_get(NULL, sizeof *code, 16);
    if (code == NULL)
        return error_set(FGPU_E_NOMEM, "sim: no memory for code");
    *code = (struct sim_code){source->native, source->native_user, SIM_GROUP_PS};
    *built = (fgpu_code_built){.code = (uintptr_t)code};
    return FGPU_OK;
}

static void sim_code_free(void *device, fgpu_code code)
{
    (void)device;
    alloc_put(NULL, (void *)(uintptr_t)code, sizeof(struct sim_code));
}

static fgpu_status sim_queue_open(void *device, uint32_t index, void **queue)
{
    struct sim_device *sim = device;
    struct sim_queue *made;

    if (index >= sim->caps.queue_count)
        return error_set(FGPU_E_RANGE, "sim: queue %u of %u", index, sim->caps.queue_count);
    made = alloc_get(NULL, sizeof *made, LIMITS_CACHE_LINE);
    if (made == NULL)
        return error_set(FGPU_E_NOMEM, "sim: no memory for queue %u", index);
    sim_queue_init(made, &sim->memory, sim->bell, index, sim->seed);
    *queue = made;
    return FGPU_OK;
}

static void sim_queue_close(void *queue)
{
    sim_queue_fini(queue);
    alloc_put(NULL, queue, sizeof(struct sim_queue));
}

static uint32_t sim_submit(void *queue, const fgpu_cmd *cmds, uint32_t count, uint64_t *last)
{
    struct sim_queue *sim = queue;
    uint32_t taken = sim_queue_submit(sim, cmds, count);

    *last = sim->accepted;
    return taken;
}

static fgpu_status sim_poll(void *queue, uint64_t *number)
{
    struct sim_queue *sim = queue;

    sim_queue_poll(sim);
    *number = sim->finished;
    return FGPU_OK;
}

static fgpu_status sim_sample(void *device, fgpu_device_sample *sample)
{
    struct sim_device *sim = device;

    *sample = (fgpu_device_sample){.struct_bytes = sizeof *sample, .valid = FGPU_SAMPLE_MEMORY};
    sample->time_ns = clock_now_ns();
    sample->memory_used_bytes = sim_memory_used_bytes(&sim->memory);
    return FGPU_OK;
}

const fgpu_backend sim_backend = {
    .struct_bytes = sizeof(fgpu_backend),
    .version = FGPU_BACKEND_VERSION,
    .name = "sim",
    .probe = sim_probe,
    .open = sim_open,
    .close = sim_close,
    .caps = sim_caps,
    .mem_alloc = sim_mem_alloc,
    .mem_free = sim_mem_free,
    .code_build = sim_code_build,
    .code_free = sim_code_free,
    .queue_open = sim_queue_open,
    .queue_close = sim_queue_close,
    .submit = sim_submit,
    .poll = sim_poll,
    .sample = sim_sample,
};
