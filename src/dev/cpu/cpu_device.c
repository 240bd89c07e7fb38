/* The CPU device: the table of backend.h over a crew of workers.
 *
 * One device per machine, with one queue per worker and one worker per usable core. It works in
 * host memory (memory node 0, resource group 0: it shares the cores with OpenCL's CPU devices).
 * Threads start when their queue opens. They are bound to cores only where every core that the
 * process may use gets exactly one and nothing confines the process (taskset, another worker
 * count): all other threads stay free to move, so that no core idles. Unbound, the kernel
 * wakes a helper on its waker's core and leaves it there for up to half a millisecond: a launch of
 * 400 us took as long on two workers as on one, bound 220 us (bench/micro/bench_cpu_device).
 * Owns the workers, the code objects and nothing of the caller's.
 */
#include "dev/cpu/cpu.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/lock.h"
#include "dev/cpu/cpu_facts.h"
#include "dev/cpu/cpu_sensors.h"
#include "dev/cpu/cpu_worker.h"
#include "dev/host/busy.h"

#define CPU_QUEUE_COMMANDS 1024u  /* a power of two; far more than a turn of the driver submits */
#define CPU_MEM_LARGE (64u << 10) /* bytes from which memory begins on a page */
#define CPU_MEM_HUGE (UINT64_C(8) << 20) /* bytes from which huge pages are worth asking for */
#define CPU_HUGE_PAGE (UINT64_C(2) << 20)
#define CPU_MAX_GROUP_ITEMS 4096u

struct cpu_device {
    struct cpu_crew crew;
    fgpu_device_caps caps;
    _Atomic uint64_t memory_used_bytes;
    struct lock sample_lock; /* guards what follows */
    struct cpu_sensors sensors;
    struct host_busy busy;
};

/* More than the limit is refused when the device is opened; a machine may have more cores. */
static uint32_t cpu_worker_count(const fgpu_backend_options *options, const struct cpu_facts *facts)
{
    uint32_t count = options->cpu_workers != 0 ? options->cpu_workers : facts->core_count;

    return count < LIMITS_CPU_WORKERS ? count : LIMITS_CPU_WORKERS;
}

static fgpu_status cpu_probe(const fgpu_backend_options *options, fgpu_device_info *infos,
                             uint32_t capacity, uint32_t *count, char *why, size_t why_bytes)
{
    fgpu_device_info *info = infos;
    struct cpu_facts facts;

    (void)why;
    (void)why_bytes;
    *count = 1;
    if (capacity == 0)
        return FGPU_OK;
    cpu_facts_read(&facts);
    *info = (fgpu_device_info){.struct_bytes = sizeof *info, .type = FGPU_DEVICE_CPU};
    (void)snprintf(info->name, sizeof info->name, "%s", facts.name[0] != '\0' ? facts.name : "CPU");
    (void)snprintf(info->vendor, sizeof info->vendor, "%s", facts.vendor);
    (void)snprintf(info->driver, sizeof info->driver, "%s", FGPU_VERSION_STRING);
    (void)snprintf(info->backend, sizeof info->backend, "cpu");
    (void)snprintf(info->id, sizeof info->id, "cpu");
    info->valid =
        FGPU_INFO_UNITS | FGPU_INFO_MAX_GROUP | FGPU_INFO_ALIGN | FGPU_INFO_RESOURCE_GROUP;
    info->valid |= facts.clock_mhz != 0 ? FGPU_INFO_CLOCK : 0;
    info->valid |= facts.memory_bytes != 0 ? FGPU_INFO_MEMORY : 0;
    info->valid |= facts.cache_bytes != 0 ? FGPU_INFO_LOCAL_MEMORY : 0;
    info->queue_count = cpu_worker_count(options, &facts);
    info->compute_units = info->queue_count;
    info->clock_mhz = facts.clock_mhz;
    info->memory_bytes = facts.memory_bytes;
    info->local_memory_bytes = facts.cache_bytes;
    info->max_group_items = CPU_MAX_GROUP_ITEMS;
    info->memory_align_bytes = 1;
    return FGPU_OK;
}

static fgpu_status cpu_open(const fgpu_backend_options *options, uint32_t index,
                            const fgpu_doorbell *bell, void **device)
{
    struct cpu_device *cpu;
    struct cpu_facts facts;
    fgpu_status status;

    if (index != 0)
        return error_set(FGPU_E_RANGE, "cpu: device %u of 1", index);
    if (options->cpu_workers > LIMITS_CPU_WORKERS)
        return error_set(FGPU_E_INVAL, "cpu: cpu_workers is %u, at most %d", options->cpu_workers,
                         LIMITS_CPU_WORKERS);
    cpu = alloc_get_zeroed(NULL, sizeof *cpu, LIMITS_CACHE_LINE);
    if (cpu == NULL)
        return error_set(FGPU_E_NOMEM, "cpu: no memory for the device");
    cpu_facts_read(&facts);
    status = cpu_crew_init(&cpu->crew, cpu_worker_count(options, &facts), bell);
    if (status != FGPU_OK) {
        alloc_put(NULL, cpu, sizeof *cpu);
        return error_set(status, "cpu: no memory for the workers");
    }
    if (!facts.confined && cpu->crew.worker_count == facts.core_count)
        for (uint32_t i = 0; i < cpu->crew.worker_count; i++)
            cpu->crew.workers[i].cpu = facts.cpus[i];
    if (facts.memory_bytes == 0)
        facts.memory_bytes = INT64_MAX;
    cpu->caps = (fgpu_device_caps){
        .struct_bytes = sizeof cpu->caps,
        .queue_count = cpu->crew.worker_count,
        .variants = 1u << FGPU_VARIANT_NATIVE,
        .host_memory = 1,
        .host_calls = 1,
        .suballocate = 1,
        .offset_align_bytes = 1,
        .max_group_items = CPU_MAX_GROUP_ITEMS,
        .max_queue_commands = CPU_QUEUE_COMMANDS,
        .parts = 1,
        .slices = 1,
        .batches = 1,
        .memory_bytes = facts.memory_bytes,
        .memory_max_alloc_bytes = facts.memory_bytes,
    };
    cpu_sensors_init(&cpu->sensors, "/sys");
    lock_init(&cpu->sample_lock);
    host_busy_init(&cpu->busy, "/proc/stat");
    *device = cpu;
    return FGPU_OK;
}

static void cpu_close(void *device)
{
    struct cpu_device *cpu = device;

    cpu_crew_fini(&cpu->crew);
    alloc_put(NULL, cpu, sizeof *cpu);
}

static void cpu_caps(void *device, fgpu_device_caps *caps)
{
    const struct cpu_device *cpu = device;

    *caps = cpu->caps;
}

/* ---- memory and code -------------------------------------------------------------------- */

static fgpu_status cpu_mem_alloc(void *device, uint64_t bytes, fgpu_mem *mem)
{
    struct cpu_device *cpu = device;
    uint64_t align = bytes >= CPU_MEM_HUGE ? CPU_HUGE_PAGE : bytes >= CPU_MEM_LARGE ? 4096 : 64;
    void *memory;

    if (bytes == 0)
        return error_set(FGPU_E_INVAL, "cpu: an allocation of 0 bytes");
    if (bytes > cpu->caps.memory_max_alloc_bytes)
        return error_set(FGPU_E_DEVMEM, "cpu: %llu bytes are more than the machine's %llu",
                         (unsigned long long)bytes,
                         (unsigned long long)cpu->caps.memory_max_alloc_bytes);
    memory = aligned_alloc(align, (bytes + align - 1) / align * align);
    if (memory == NULL)
        return error_set(FGPU_E_DEVMEM, "cpu: no memory for %llu bytes", (unsigned long long)bytes);
    if (bytes >= CPU_MEM_HUGE)
        (void)madvise(memory, bytes / CPU_HUGE_PAGE * CPU_HUGE_PAGE, MADV_HUGEPAGE);
    (void)atomic_add_relaxed_u64(&cpu->memory_used_bytes, malloc_usable_size(memory));
    *mem = (uintptr_t)memory;
    return FGPU_OK;
}

static void cpu_mem_free(void *device, fgpu_mem mem)
{
    struct cpu_device *cpu = device;
    void *memory = (void *)(uintptr_t)mem;

    (void)atomic_sub_relaxed_u64(&cpu->memory_used_bytes, malloc_usable_size(memory));
    free(memory);
}

static fgpu_status cpu_code_build(void *device, const fgpu_code_source *source,
                                  fgpu_code_built *built)
{
    struct cpu_code *code;

    (void)device;
    if (source->kind != FGPU_VARIANT_NATIVE)
        return error_set(FGPU_E_UNSUPPORTED, "cpu: runs native functions only (variant kind %u)",
                         source->kind);
    if (source->native == NULL || source->arg_count > LIMITS_KERNEL_ARGS)
        return error_set(FGPU_E_INVAL, "cpu: native function %s, %u arguments (limit %d)",
                         source->native == NULL ? "missing" : "given", source->arg_count,
                         LIMITS_KERNEL_ARGS);
    code = alloc_get_zeroed(NULL, sizeof *code, LIMITS_CACHE_LINE);
    if (code == NULL)
        return error_set(FGPU_E_NOMEM, "cpu: no memory for code");
    code->fn = source->native;
    code->user = source->native_user;
    *built = (fgpu_code_built){.code = (uintptr_t)code};
    return FGPU_OK;
}

static void cpu_code_free(void *device, fgpu_code code)
{
    (void)device;
    alloc_put(NULL, (void *)(uintptr_t)code, sizeof(struct cpu_code));
}

/* Workers look at a guard before they take groups, and functions may. */
static fgpu_status cpu_live_flag(void *device, uint32_t *live)
{
    (void)device;
    *live = 1;
    return FGPU_OK;
}

static fgpu_status cpu_code_warm(void *device, const fgpu_cmd_launch *launch)
{
    (void)device;
    (void)launch;
    return FGPU_OK;
}

/* ---- queues ----------------------------------------------------------------------------- */

static fgpu_status cpu_queue_open(void *device, uint32_t index, void **queue)
{
    struct cpu_device *cpu = device;
    fgpu_status status;

    if (index >= cpu->crew.worker_count)
        return error_set(FGPU_E_RANGE, "cpu: queue %u of %u", index, cpu->crew.worker_count);
    status = cpu_worker_start(&cpu->crew.workers[index], CPU_QUEUE_COMMANDS);
    if (status == FGPU_OK)
        *queue = &cpu->crew.workers[index];
    return status;
}

static void cpu_queue_close(void *queue)
{
    cpu_worker_stop(queue);
}

static uint32_t cpu_submit(void *queue, const fgpu_cmd *cmds, uint32_t count, uint64_t *last)
{
    return cpu_worker_submit(queue, cmds, count, last);
}

static fgpu_status cpu_poll(void *queue, uint64_t *number)
{
    *number = cpu_worker_finished(queue);
    return FGPU_OK;
}

/* ---- samples ---------------------------------------------------------------------------- */

static fgpu_status cpu_sample(void *device, fgpu_device_sample *sample)
{
    struct cpu_device *cpu = device;

    *sample = (fgpu_device_sample){.struct_bytes = sizeof *sample, .valid = FGPU_SAMPLE_MEMORY};
    sample->memory_used_bytes = atomic_load_relaxed_u64(&cpu->memory_used_bytes);
    lock_acquire(&cpu->sample_lock);
    sample->time_ns = clock_now_ns();
    if (host_busy_share(&cpu->busy, &sample->utilisation))
        sample->valid |= FGPU_SAMPLE_UTILISATION;
    cpu_sensors_read(&cpu->sensors, sample->time_ns, sample);
    lock_release(&cpu->sample_lock);
    return FGPU_OK;
}

const fgpu_backend cpu_backend = {
    .struct_bytes = sizeof(fgpu_backend),
    .version = FGPU_BACKEND_VERSION,
    .name = "cpu",
    .probe = cpu_probe,
    .open = cpu_open,
    .close = cpu_close,
    .caps = cpu_caps,
    .mem_alloc = cpu_mem_alloc,
    .mem_free = cpu_mem_free,
    .code_build = cpu_code_build,
    .code_free = cpu_code_free,
    .queue_open = cpu_queue_open,
    .queue_close = cpu_queue_close,
    .submit = cpu_submit,
    .poll = cpu_poll,
    .sample = cpu_sample,
    .guard_open = yield_guard_open,
    .guard_close = yield_guard_close,
    .guard_stop = yield_guard_stop,
    .guard_left = yield_guard_left,
    .live_flag = cpu_live_flag,
    .code_warm = cpu_code_warm,
};
