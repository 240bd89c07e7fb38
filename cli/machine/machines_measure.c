/* Measures a device for its description, through the library's public face, with tasks that are
 * pinned to it. Every figure is a median.
 *
 * Launch: next to empty kernels of which each waits for the one before it, the time of all over
 * their number.
 * Arithmetic: multiply-adds of float32 in registers, as long as a trip is short against it. Inside:
 * a kernel that copies a buffer. Copies: the host changes a buffer and a kernel on the device wants
 * to read it, or the kernel has written it and the host wants to read; the time beyond the same
 * without a copy is the copy's, the pool's own count of bytes says that there was one, and a small
 * and a large one give latency and bandwidth. Main thread.
 */
#include "cli/machine/machines_capture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/figures.h"
#include "cli/common/waiting.h"

#define MEASURE_WAIT_NS UINT64_C(30000000000) /* the first launch may compile for seconds */
#define MEASURE_ROW 256u                      /* kernels one after another */
#define MEASURE_WARM_ROWS 8u /* until the pool has learned what the kernel takes there */
#define MEASURE_ROUNDS 7u
#define MEASURE_TRIPS 101u
#define MEASURE_SMALL_BYTES ((uint64_t)4096)
#define MEASURE_LARGE_BYTES ((uint64_t)32 << 20)
#define MEASURE_FIRST_BYTES ((uint64_t)1 << 18) /* of a copy inside, before it grows */
#define MEASURE_LEAST_BYTES ((uint64_t)1 << 20)
#define MEASURE_UNIT_BYTES ((size_t)16) /* of what the copying kernel copies: float4 */
#define MEASURE_ITEMS 64u               /* work items of a group */
#define MEASURE_FLOPS_ROUND 128         /* of an item: 64 multiply-adds */
#define MEASURE_CRUNCH_NS 2e7           /* an arithmetic run takes so long at least */
#define MEASURE_CRUNCH_ROUNDS (1u << 26)
#define MEASURE_SAMPLE_NS UINT64_C(200000000)

static const char measure_source[] =
    "__kernel void touch(__global const int *data) {}\n"
    "__kernel void mark(__global int *data) { data[get_global_id(0)] = (int)get_global_id(0); }\n"
    "__kernel void copy(__global const float4 *from, __global float4 *to, uint units)\n"
    "{\n"
    "    for (size_t i = 0, first = get_global_id(0) * units; i < units; i++)\n"
    "        to[first + i] = from[first + i];\n"
    "}\n"
    "__kernel void crunch(__global float *out, uint rounds)\n"
    "{\n"
    "    float s = 1e-3f * (float)get_global_id(0);\n"
    "    float8 a = s, b = s + 0.1f, c = s + 0.2f, d = s + 0.3f;\n"
    "    float8 e = s + 0.4f, f = s + 0.5f, g = s + 0.6f, h = s + 0.7f;\n"
    "    for (uint i = 0; i < rounds; i++) {\n"
    "        a = mad(a, 0.999f, 0.001f);\n"
    "        b = mad(b, 0.999f, 0.001f);\n"
    "        c = mad(c, 0.999f, 0.001f);\n"
    "        d = mad(d, 0.999f, 0.001f);\n"
    "        e = mad(e, 0.999f, 0.001f);\n"
    "        f = mad(f, 0.999f, 0.001f);\n"
    "        g = mad(g, 0.999f, 0.001f);\n"
    "        h = mad(h, 0.999f, 0.001f);\n"
    "    }\n"
    "    a += b + c + d + e + f + g + h;\n"
    "    out[get_global_id(0)] = a.s0 + a.s2 + a.s5 + a.s7;\n"
    "}\n";

enum measure_kernel { MEASURE_TOUCH, MEASURE_MARK, MEASURE_COPY, MEASURE_CRUNCH, MEASURE_KERNELS };

struct machines_bench {
    fgpu_pool pool;
    const volatile sig_atomic_t *stop;
    fgpu_kernel kernels[MEASURE_KERNELS];
    fgpu_buffer small, large, other; /* of the host's memory; the last one of none */
    unsigned char *memory;           /* of both: the small one lies behind the large one */
    uint64_t bytes;                  /* of the large ones */
};

/* ---- native kernels --------------------------------------------------------------------- */

typedef float measure_lanes __attribute__((vector_size(64)));

static int measure_touch(const fgpu_range *range, void *const *args, void *user)
{
    (void)range;
    (void)args;
    (void)user;
    return 0;
}

/* The work items of the range's groups. */
static void measure_items(const fgpu_range *range, size_t *first, size_t *last)
{
    *first = (size_t)(range->group_begin * range->local[0]);
    *last = (size_t)(range->group_end * range->local[0]);
    if (*last > range->global[0])
        *last = (size_t)range->global[0];
}

static int measure_mark(const fgpu_range *range, void *const *args, void *user)
{
    int *data = args[0];
    size_t first, last;

    (void)user;
    measure_items(range, &first, &last);
    for (size_t i = first; i < last; i++)
        data[i] = (int)i;
    return 0;
}

static int measure_copy(const fgpu_range *range, void *const *args, void *user)
{
    size_t first, last, bytes = MEASURE_UNIT_BYTES * *(const uint32_t *)args[2];

    (void)user;
    measure_items(range, &first, &last);
    memcpy((char *)args[1] + bytes * first, (const char *)args[0] + bytes * first,
           bytes * (last - first));
    return 0;
}

static int measure_crunch(const fgpu_range *range, void *const *args, void *user)
{
    size_t first, last;
    uint32_t rounds = *(const uint32_t *)args[1];
    float *out = args[0];

    (void)user;
    measure_items(range, &first, &last);
    for (size_t item = first; item < last; item++) {
        measure_lanes a = {0}, b = {0.1F}, c = {0.2F}, d = {0.3F};
        a += 1e-3F * (float)item;
        for (uint32_t i = 0; i < rounds; i++) {
            a = a * 0.999F + 0.001F;
            b = b * 0.999F + 0.001F;
            c = c * 0.999F + 0.001F;
            d = d * 0.999F + 0.001F;
        }
        a += b + c + d;
        out[item] = a[0] + a[5] + a[10] + a[15];
    }
    return 0;
}

/* ---- what is shared --------------------------------------------------------------------- */

static fgpu_status measure_kernel(struct machines_bench *bench, enum measure_kernel number,
                                  const char *name, fgpu_native_fn native)
{
    fgpu_kernel *kernel = &bench->kernels[number];
    fgpu_status status = fgpu_kernel_create(bench->pool, name, kernel);

    if (status == FGPU_OK)
        status = fgpu_kernel_add_opencl(*kernel, measure_source, name, NULL);
    if (status == FGPU_OK)
        status = fgpu_kernel_add_native(*kernel, native, NULL);
    if (status == FGPU_OK)
        status = fgpu_kernel_set_arg(
            *kernel, 0, FGPU_ARG_BUFFER,
            number == MEASURE_TOUCH || number == MEASURE_COPY ? FGPU_READ : FGPU_WRITE, 0);
    if (status == FGPU_OK && number == MEASURE_COPY)
        status = fgpu_kernel_set_arg(*kernel, 1, FGPU_ARG_BUFFER, FGPU_WRITE, 0);
    if (status == FGPU_OK && number == MEASURE_CRUNCH)
        status =
            fgpu_kernel_set_arg(*kernel, 1, FGPU_ARG_SCALAR, FGPU_ACCESS_DEFAULT, sizeof(uint32_t));
    return status;
}

static fgpu_status measure_init(struct machines_bench *bench)
{
    fgpu_status status = measure_kernel(bench, MEASURE_TOUCH, "touch", measure_touch);

    if (status == FGPU_OK)
        status = measure_kernel(bench, MEASURE_MARK, "mark", measure_mark);
    if (status == FGPU_OK)
        status = measure_kernel(bench, MEASURE_COPY, "copy", measure_copy);
    if (status == FGPU_OK)
        status = measure_kernel(bench, MEASURE_CRUNCH, "crunch", measure_crunch);
    bench->memory = fgpu_host_alloc(bench->bytes + MEASURE_SMALL_BYTES);
    if (status == FGPU_OK && !bench->memory)
        status = FGPU_E_NOMEM;
    if (status != FGPU_OK)
        return status;
    memset(bench->memory, 1, bench->bytes + MEASURE_SMALL_BYTES);
    status = fgpu_buffer_create_from(bench->pool, bench->memory, bench->bytes, &bench->large);
    if (status == FGPU_OK)
        status = fgpu_buffer_create_from(bench->pool, bench->memory + bench->bytes,
                                         MEASURE_SMALL_BYTES, &bench->small);
    if (status == FGPU_OK)
        status = fgpu_buffer_create(bench->pool, bench->bytes, &bench->other);
    return status;
}

struct machines_bench *machines_bench_create(fgpu_pool pool, const struct machines_device *devices,
                                             uint32_t count, const volatile sig_atomic_t *stop)
{
    struct machines_bench *bench = calloc(1, sizeof *bench);

    if (!bench)
        return NULL;
    *bench = (struct machines_bench){.pool = pool, .stop = stop, .bytes = MEASURE_LARGE_BYTES};
    for (uint32_t i = 0; i < count; i++)
        while ((devices[i].info.valid & FGPU_INFO_MEMORY) &&
               bench->bytes > devices[i].info.memory_bytes / 8 &&
               bench->bytes > MEASURE_LEAST_BYTES)
            bench->bytes /= 2;
    if (measure_init(bench) == FGPU_OK)
        return bench;
    machines_bench_destroy(bench);
    return NULL;
}

void machines_bench_destroy(struct machines_bench *bench)
{
    if (!bench)
        return;
    (void)fgpu_buffer_destroy(bench->small);
    (void)fgpu_buffer_destroy(bench->large);
    (void)fgpu_buffer_destroy(bench->other);
    for (int i = 0; i < MEASURE_KERNELS; i++)
        (void)fgpu_kernel_destroy(bench->kernels[i]);
    (void)fgpu_pool_wait(bench->pool, FGPU_FOREVER);
    fgpu_host_free(bench->memory);
    free(bench);
}

/* ---- runs ------------------------------------------------------------------------------- */

/* A kernel on a device. */
struct measure_run {
    enum measure_kernel kernel;
    const fgpu_arg *args;
    uint32_t arg_count;
    uint64_t items;
    uint32_t group_items;
};

static fgpu_status measure_submit(const struct machines_bench *bench,
                                  const struct machines_device *device,
                                  const struct measure_run *run, fgpu_task *task)
{
    fgpu_task_desc desc;

    fgpu_task_desc_init(&desc);
    desc.kernel = bench->kernels[run->kernel];
    desc.dims = 1;
    desc.global[0] = run->items;
    desc.local[0] = run->group_items;
    desc.args = run->args;
    desc.arg_count = run->arg_count;
    desc.device = device->handle;
    return fgpu_task_submit(bench->pool, &desc, task);
}

/* [out] ns: from submission to its end. */
static fgpu_status measure_trip(const struct machines_bench *bench,
                                const struct machines_device *device, const struct measure_run *run,
                                double *ns)
{
    fgpu_task task;
    uint64_t start_ns = figures_wall_ns();
    fgpu_status status = measure_submit(bench, device, run, &task);

    if (status == FGPU_OK)
        status = waiting_task(task, MEASURE_WAIT_NS, bench->stop);
    *ns = (double)(figures_wall_ns() - start_ns);
    return status;
}

/* The median of several, behind one that does not count. */
static fgpu_status measure_trips(const struct machines_bench *bench,
                                 const struct machines_device *device,
                                 const struct measure_run *run, uint32_t count, double *median_ns)
{
    double ns[MEASURE_TRIPS];
    fgpu_status status = measure_trip(bench, device, run, &ns[0]);

    for (uint32_t i = 0; i < count && status == FGPU_OK; i++)
        status = measure_trip(bench, device, run, &ns[i]);
    if (status == FGPU_OK)
        *median_ns = figures_median(ns, count);
    return status;
}

static fgpu_status measure_launch(const struct machines_bench *bench,
                                  struct machines_device *device)
{
    const fgpu_arg arg = fgpu_arg_buffer(bench->small);
    const struct measure_run empty = {MEASURE_TOUCH, &arg, 1, 1, 1};
    const struct measure_run link = {MEASURE_MARK, &arg, 1, 1, 1};
    double ns[MEASURE_ROUNDS], first_ns = 0.0;
    fgpu_task task = {0};

    fgpu_status status =
        measure_trips(bench, device, &empty, MEASURE_TRIPS, &device->figures.trip_ns);
    if (status == FGPU_OK)
        status = measure_trip(bench, device, &link, &first_ns); /* may compile */
    for (uint32_t row = 0; row < MEASURE_WARM_ROWS + MEASURE_ROUNDS && status == FGPU_OK; row++) {
        uint64_t start_ns = figures_wall_ns();
        for (uint32_t i = 0; i < MEASURE_ROW && status == FGPU_OK; i++)
            status = measure_submit(bench, device, &link, &task);
        if (status == FGPU_OK)
            status = waiting_pool(bench->pool, MEASURE_WAIT_NS, bench->stop);
        ns[row % MEASURE_ROUNDS] = (double)(figures_wall_ns() - start_ns) / MEASURE_ROW;
    }
    if (status == FGPU_OK)
        device->figures.launch_ns = figures_median(ns, MEASURE_ROUNDS);
    return status;
}

/* Of a core one work item, of another device enough for all of its units. */
static fgpu_status measure_flops(const struct machines_bench *bench, struct machines_device *device)
{
    uint32_t rounds = 1;
    uint32_t units = device->info.valid & FGPU_INFO_UNITS ? device->info.compute_units : 16;
    uint64_t most = bench->bytes / sizeof(float) / MEASURE_ITEMS;
    uint64_t groups = (uint64_t)units * 32 < most ? (uint64_t)units * 32 : most;
    const fgpu_arg args[] = {fgpu_arg_buffer(bench->other),
                             fgpu_arg_scalar(&rounds, sizeof rounds)};
    const struct measure_run run = {MEASURE_CRUNCH, args, 2,
                                    device->is_cores ? 1 : groups * MEASURE_ITEMS,
                                    device->is_cores ? 1 : MEASURE_ITEMS};
    double ns = 0.0;
    fgpu_status status = measure_trip(bench, device, &run, &ns);

    if (status == FGPU_OK)
        status = measure_trip(bench, device, &run, &ns); /* the first one compiles */
    while (status == FGPU_OK && ns < MEASURE_CRUNCH_NS && rounds < MEASURE_CRUNCH_ROUNDS) {
        rounds *= 2;
        status = measure_trip(bench, device, &run, &ns);
    }
    if (status == FGPU_OK)
        status = measure_trips(bench, device, &run, MEASURE_ROUNDS, &ns);
    if (status == FGPU_OK && ns > device->figures.trip_ns)
        device->figures.flops_per_ns =
            (double)run.items * rounds * MEASURE_FLOPS_ROUND / (ns - device->figures.trip_ns);
    return status;
}

/* A core copies all in one work item, another device a unit in each; as many bytes as take long
 * enough, or all that there are. */
static fgpu_status measure_inside(const struct machines_bench *bench,
                                  struct machines_device *device)
{
    uint32_t all = MEASURE_FIRST_BYTES / MEASURE_UNIT_BYTES;
    uint32_t units = device->is_cores ? all : 1;
    const fgpu_arg args[] = {fgpu_arg_buffer(bench->large), fgpu_arg_buffer(bench->other),
                             fgpu_arg_scalar(&units, sizeof units)};
    struct measure_run run = {MEASURE_COPY, args, 3, all / units,
                              device->is_cores ? 1 : MEASURE_ITEMS};
    double ns = 0.0;
    fgpu_status status = measure_trip(bench, device, &run, &ns);

    if (status == FGPU_OK)
        status = measure_trip(bench, device, &run, &ns); /* the first one compiles and moves */
    while (status == FGPU_OK && ns < MEASURE_CRUNCH_NS &&
           2 * all * MEASURE_UNIT_BYTES <= bench->bytes) {
        all *= 2;
        units = device->is_cores ? all : 1;
        run.items = all / units;
        status = measure_trip(bench, device, &run, &ns);
    }
    if (status == FGPU_OK)
        status = measure_trips(bench, device, &run, MEASURE_ROUNDS, &ns);
    if (status == FGPU_OK && ns > device->figures.trip_ns)
        device->figures.inside_bytes_per_ns =
            2.0 * (double)all * MEASURE_UNIT_BYTES / (ns - device->figures.trip_ns);
    return status;
}

/* ---- copies ----------------------------------------------------------------------------- */

static fgpu_pool_stats measure_stats(const struct machines_bench *bench)
{
    fgpu_pool_stats stats = {.struct_bytes = sizeof stats};

    (void)fgpu_pool_get_stats(bench->pool, &stats);
    return stats;
}

/* The host changes the buffer, the device reads it. [out] ns: of the copy alone; < 0: none was
 * seen.
 */
static fgpu_status measure_copy_to(const struct machines_bench *bench,
                                   const struct machines_device *device, fgpu_buffer buffer,
                                   uint64_t bytes, double *ns)
{
    const fgpu_arg arg = fgpu_arg_buffer(buffer);
    const struct measure_run run = {MEASURE_TOUCH, &arg, 1, 1, 1};
    double times[MEASURE_ROUNDS];
    uint32_t count = 0;
    fgpu_status status = FGPU_OK;

    *ns = -1.0;
    for (uint32_t i = 0; i <= MEASURE_ROUNDS && status == FGPU_OK; i++) {
        void *ptr;
        double trip_ns = 0.0;
        status = fgpu_buffer_map(buffer, 0, bytes, FGPU_READ_WRITE, &ptr);
        if (status != FGPU_OK)
            break;
        memset(ptr, (int)i, bytes);
        status = fgpu_buffer_unmap(buffer, ptr);
        uint64_t before = measure_stats(bench).bytes_to_device;
        if (status == FGPU_OK)
            status = measure_trip(bench, device, &run, &trip_ns);
        bool is_copied = measure_stats(bench).bytes_to_device - before >= bytes;
        if (status == FGPU_OK && i > 0 && is_copied) /* the first one takes memory */
            times[count++] = trip_ns - device->figures.trip_ns;
    }
    if (status == FGPU_OK && count > 0)
        *ns = fmax(figures_median(times, count), 0.0); /* less than the noise of a trip */
    return status;
}

/* The device writes the buffer (some of it, and declares all), the host reads it. */
static fgpu_status measure_copy_from(const struct machines_bench *bench,
                                     const struct machines_device *device, fgpu_buffer buffer,
                                     uint64_t bytes, double *ns)
{
    const fgpu_arg arg = fgpu_arg_buffer(buffer);
    const struct measure_run run = {MEASURE_MARK, &arg, 1, MEASURE_ITEMS, MEASURE_ITEMS};
    double times[MEASURE_ROUNDS];
    uint32_t count = 0;
    fgpu_status status = FGPU_OK;

    *ns = -1.0;
    for (uint32_t i = 0; i <= MEASURE_ROUNDS && status == FGPU_OK; i++) {
        double took[2], trip_ns;
        status = measure_trip(bench, device, &run, &trip_ns);
        uint64_t before = measure_stats(bench).bytes_to_host;
        for (int again = 0; again < 2 && status == FGPU_OK;
             again++) { /* the second copies nothing */
            void *ptr;
            uint64_t start_ns = figures_wall_ns();
            status = fgpu_buffer_map(buffer, 0, bytes, FGPU_READ, &ptr);
            took[again] = (double)(figures_wall_ns() - start_ns);
            if (status == FGPU_OK)
                status = fgpu_buffer_unmap(buffer, ptr);
        }
        bool is_copied = measure_stats(bench).bytes_to_host - before >= bytes;
        if (status == FGPU_OK && i > 0 && is_copied)
            times[count++] = took[0] - took[1];
    }
    if (status == FGPU_OK && count > 0)
        *ns = fmax(figures_median(times, count), 0.0); /* less than the noise of a trip */
    return status;
}

/* A line through a small and a large copy. Both stay unknown where the copies do not lie on one. */
static void measure_line(const struct machines_bench *bench, double small_ns, double large_ns,
                         double *bytes_per_ns, double *latency_ns)
{
    if (small_ns < 0.0 || large_ns <= small_ns)
        return;
    *bytes_per_ns = (double)(bench->bytes - MEASURE_SMALL_BYTES) / (large_ns - small_ns);
    *latency_ns = small_ns - (double)MEASURE_SMALL_BYTES / *bytes_per_ns;
    if (*latency_ns < 0.0)
        *latency_ns = 0.0;
}

static fgpu_status measure_copies(const struct machines_bench *bench,
                                  struct machines_device *device)
{
    struct machines_figures *figures = &device->figures;
    double small_ns, large_ns = -1.0;

    fgpu_status status =
        measure_copy_to(bench, device, bench->small, MEASURE_SMALL_BYTES, &small_ns);
    if (status == FGPU_OK)
        status = measure_copy_to(bench, device, bench->large, bench->bytes, &large_ns);
    if (status == FGPU_OK)
        measure_line(bench, small_ns, large_ns, &figures->to_bytes_per_ns, &figures->to_latency_ns);
    if (status == FGPU_OK)
        status = measure_copy_from(bench, device, bench->small, MEASURE_SMALL_BYTES, &small_ns);
    if (status == FGPU_OK)
        status = measure_copy_from(bench, device, bench->large, bench->bytes, &large_ns);
    if (status == FGPU_OK)
        measure_line(bench, small_ns, large_ns, &figures->from_bytes_per_ns,
                     &figures->from_latency_ns);
    return status;
}

/* ---- one device ------------------------------------------------------------------------- */

static fgpu_status measure_say(const struct machines_device *device, const char *what,
                               fgpu_status status)
{
    const char *why = fgpu_last_error();

    if (status != FGPU_OK && status != FGPU_E_TIMEOUT)
        fprintf(stderr, "fastgpu machine capture: %s: %s unknown: %s\n", device->info.id, what,
                why[0] ? why : fgpu_status_text(status));
    return status == FGPU_E_TIMEOUT ? status : FGPU_OK;
}

static double measure_watt(const struct machines_device *device)
{
    fgpu_device_sample sample = {.struct_bytes = sizeof sample};

    if (fgpu_device_get_sample(device->handle, &sample) == FGPU_OK &&
        (sample.valid & FGPU_SAMPLE_POWER))
        return sample.power_watt;
    return FGPU_MACHINE_UNKNOWN;
}

fgpu_status machines_measure(struct machines_bench *bench, struct machines_device *device)
{
    const double unknown = FGPU_MACHINE_UNKNOWN;

    device->figures = (struct machines_figures){unknown, unknown, unknown, unknown, unknown,
                                                unknown, unknown, unknown, unknown, unknown};
    if (!waiting_sleep(MEASURE_SAMPLE_NS, bench->stop))
        return FGPU_E_TIMEOUT;
    device->figures.idle_watt = measure_watt(device);
    fgpu_status status = measure_launch(bench, device);
    if (status != FGPU_OK) /* nothing else can be told from it then */
        return measure_say(device, "everything is", status);
    status = measure_say(device, "arithmetic", measure_flops(bench, device));
    if (status == FGPU_OK)
        device->figures.busy_watt = measure_watt(device);
    if (status == FGPU_OK)
        status = measure_say(device, "bandwidth of its memory", measure_inside(bench, device));
    if (status == FGPU_OK && device->info.memory_node != 0)
        status = measure_say(device, "copies", measure_copies(bench, device));
    return status;
}
