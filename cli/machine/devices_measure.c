/* Measures the devices of a pool through its public face, with tasks that are pinned to each.
 *
 * Launch latency: from the submission of an empty kernel of one work group to the return of the
 * wait, its data being there; median of many. Copy bandwidth: the host takes a buffer over (a
 * mapping to write), then an empty kernel on the device wants to read it; the time beyond that of
 * the same kernel with its data there is the copy's. The pool's own count of copied bytes says
 * whether one took place. Devices in host memory share one figure, that of a write into a buffer.
 * Runs on the main thread.
 */
#include "cli/machine/devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/figures.h"
#include "cli/common/waiting.h"

#define DEVICES_WAIT_NS UINT64_C(20000000000) /* the first launch may compile for seconds */
#define DEVICES_SAMPLE_NS UINT64_C(200000000) /* utilisation is that of an idle moment */
#define DEVICES_WARM_TRIPS 20u
#define DEVICES_TRIPS 200u
#define DEVICES_COPIES 7u
#define DEVICES_COPY_BYTES ((uint64_t)32 << 20)
#define DEVICES_COPY_LEAST_BYTES ((uint64_t)1 << 20)

static const char devices_opencl[] = "__kernel void touch(__global const int *data) {}";
static const char devices_cuda[] =
    "extern \"C\" __global__ void touch(const int *data) { (void)data; }";

/* What the measurements share. */
struct devices_bench {
    fgpu_pool pool;
    fgpu_kernel kernel;
    fgpu_buffer buffer; /* over `memory` */
    unsigned char *memory;
    uint64_t bytes;
    const volatile sig_atomic_t *stop;
};

static int devices_touch(const fgpu_range *range, void *const *args, void *user)
{
    (void)range;
    (void)args;
    (void)user;
    return 0;
}

fgpu_status devices_list(fgpu_pool pool, struct devices_row **rows, uint32_t *count)
{
    fgpu_status status = fgpu_device_count(pool, count);

    *rows = NULL;
    if (status != FGPU_OK)
        return status;
    *rows = calloc(*count ? *count : 1, sizeof **rows);
    if (!*rows)
        return FGPU_E_NOMEM;
    for (uint32_t i = 0; i < *count && status == FGPU_OK; i++) {
        struct devices_row *row = &(*rows)[i];
        row->info.struct_bytes = sizeof row->info;
        row->sample.struct_bytes = sizeof row->sample;
        status = fgpu_device_at(pool, i, &row->handle);
        if (status == FGPU_OK)
            status = fgpu_device_get_info(row->handle, &row->info);
    }
    return status;
}

static void devices_say(const struct devices_row *row, const char *what)
{
    fprintf(stderr, "fastgpu devices: %s: %s unknown: %s\n", row->info.id, what, fgpu_last_error());
}

/* One empty kernel on that device that reads the buffer; *ns: from submission to its end. */
static fgpu_status devices_trip(const struct devices_bench *bench, const struct devices_row *row,
                                double *ns)
{
    fgpu_arg arg = fgpu_arg_buffer(bench->buffer);
    fgpu_task_desc desc;
    fgpu_task task;

    fgpu_task_desc_init(&desc);
    desc.kernel = bench->kernel;
    desc.dims = 1;
    desc.global[0] = 1;
    desc.local[0] = 1;
    desc.args = &arg;
    desc.arg_count = 1;
    desc.device = row->handle;
    uint64_t start_ns = figures_wall_ns();
    fgpu_status status = fgpu_task_submit(bench->pool, &desc, &task);
    if (status == FGPU_OK)
        status = waiting_task(task, DEVICES_WAIT_NS, bench->stop);
    *ns = (double)(figures_wall_ns() - start_ns);
    return status;
}

static fgpu_status devices_measure_launch(const struct devices_bench *bench,
                                          struct devices_row *row)
{
    double ns[DEVICES_TRIPS];
    fgpu_status status = FGPU_OK;

    for (uint32_t i = 0; i < DEVICES_WARM_TRIPS && status == FGPU_OK; i++)
        status = devices_trip(bench, row, &ns[0]);
    for (uint32_t i = 0; i < DEVICES_TRIPS && status == FGPU_OK; i++)
        status = devices_trip(bench, row, &ns[i]);
    if (status != FGPU_OK)
        return status;
    row->launch_p50_ns = figures_median(ns, DEVICES_TRIPS);
    row->known |= DEVICES_LAUNCH;
    return FGPU_OK;
}

static uint64_t devices_bytes_to_device(fgpu_pool pool)
{
    fgpu_pool_stats stats = {.struct_bytes = sizeof stats};

    return fgpu_pool_get_stats(pool, &stats) == FGPU_OK ? stats.bytes_to_device : 0;
}

/* Bytes a second into the device's own memory; 0 when no copy was seen. */
static fgpu_status devices_measure_copy(const struct devices_bench *bench, struct devices_row *row)
{
    double rates[DEVICES_COPIES];
    uint32_t count = 0;

    for (uint32_t i = 0; i <= DEVICES_COPIES; i++) {
        void *ptr;
        double ns = 0.0;
        fgpu_status status = fgpu_buffer_map(bench->buffer, 0, bench->bytes, FGPU_READ_WRITE, &ptr);
        if (status != FGPU_OK)
            return status;
        memset(ptr, (int)i, bench->bytes);
        status = fgpu_buffer_unmap(bench->buffer, ptr);
        uint64_t before = devices_bytes_to_device(bench->pool);
        if (status == FGPU_OK)
            status = devices_trip(bench, row, &ns);
        if (status != FGPU_OK)
            return status;
        bool is_copied = devices_bytes_to_device(bench->pool) - before >= bench->bytes;
        if (i > 0 && is_copied && ns > row->launch_p50_ns) /* the first one takes memory */
            rates[count++] = (double)bench->bytes * 1e9 / (ns - row->launch_p50_ns);
    }
    if (count == 0)
        return FGPU_OK;
    row->copy_bytes_per_s = figures_median(rates, count);
    row->known |= DEVICES_COPY;
    return FGPU_OK;
}

/* Bytes a second of a write into a buffer in host memory; 0 when it fails. */
static double devices_host_rate(const struct devices_bench *bench)
{
    double rates[DEVICES_COPIES];
    fgpu_buffer buffer;
    bool is_good = fgpu_buffer_create(bench->pool, bench->bytes, &buffer) == FGPU_OK;

    for (uint32_t i = 0; i <= DEVICES_COPIES && is_good; i++) {
        uint64_t start_ns = figures_wall_ns();
        is_good = !waiting_is_stopped(bench->stop) &&
                  fgpu_buffer_write(buffer, NULL, bench->memory, 0) == FGPU_OK;
        if (i > 0)
            rates[i - 1] = (double)bench->bytes * 1e9 / (double)(figures_wall_ns() - start_ns);
    }
    if (is_good)
        is_good = fgpu_buffer_destroy(buffer) == FGPU_OK;
    return is_good ? figures_median(rates, DEVICES_COPIES) : 0.0;
}

/* Devices that move no bytes have no bandwidth. */
static bool devices_is_real(const struct devices_row *row)
{
    return row->info.type != FGPU_DEVICE_NULL && row->info.type != FGPU_DEVICE_SIMULATED;
}

static fgpu_status devices_init(struct devices_bench *bench, const struct devices_row *rows,
                                uint32_t count)
{
    bench->bytes = DEVICES_COPY_BYTES;
    for (uint32_t i = 0; i < count; i++)
        while ((rows[i].info.valid & FGPU_INFO_MEMORY) &&
               bench->bytes > rows[i].info.memory_bytes / 8 &&
               bench->bytes > DEVICES_COPY_LEAST_BYTES)
            bench->bytes /= 2;
    bench->memory = fgpu_host_alloc(bench->bytes);
    if (!bench->memory)
        return FGPU_E_NOMEM;
    memset(bench->memory, 1, bench->bytes);
    fgpu_status status =
        fgpu_buffer_create_from(bench->pool, bench->memory, bench->bytes, &bench->buffer);
    if (status == FGPU_OK)
        status = fgpu_kernel_create(bench->pool, "touch", &bench->kernel);
    if (status == FGPU_OK)
        status = fgpu_kernel_add_opencl(bench->kernel, devices_opencl, "touch", NULL);
    if (status == FGPU_OK)
        status = fgpu_kernel_add_cuda(bench->kernel, devices_cuda, "touch", NULL);
    if (status == FGPU_OK)
        status = fgpu_kernel_add_native(bench->kernel, devices_touch, NULL);
    if (status == FGPU_OK)
        status = fgpu_kernel_set_arg(bench->kernel, 0, FGPU_ARG_BUFFER, FGPU_READ, 0);
    return status;
}

/* Everything of one device. FGPU_E_TIMEOUT: it does not answer. */
static fgpu_status devices_measure_one(const struct devices_bench *bench, double host_rate,
                                       struct devices_row *row)
{
    fgpu_status status = fgpu_device_status(row->handle);

    row->is_lost = status == FGPU_E_DEVICE_LOST;
    row->is_copy_shared = row->info.memory_node == 0 && devices_is_real(row);
    if (row->is_copy_shared && host_rate > 0.0) {
        row->copy_bytes_per_s = host_rate;
        row->known |= DEVICES_COPY;
    }
    if (status == FGPU_OK)
        status = devices_measure_launch(bench, row);
    if (status != FGPU_OK) {
        devices_say(row, "launch latency");
        return status;
    }
    if (row->info.memory_node != 0 && devices_is_real(row)) {
        status = devices_measure_copy(bench, row);
        if (status != FGPU_OK)
            devices_say(row, "copy bandwidth");
    }
    if (fgpu_device_get_preempt(row->handle, &row->preempt) == FGPU_OK)
        row->known |= DEVICES_PREEMPT;
    else
        devices_say(row, "preempt");
    return status;
}

bool devices_measure(fgpu_pool pool, struct devices_row *rows, uint32_t count,
                     const volatile sig_atomic_t *stop)
{
    struct devices_bench bench = {.pool = pool, .stop = stop};
    bool is_whole = devices_init(&bench, rows, count) == FGPU_OK;
    double host_rate = 0.0;

    if (!is_whole) {
        fprintf(stderr, "fastgpu devices: nothing can be measured: %s\n", fgpu_last_error());
    } else {
        for (uint32_t i = 0; i < count; i++)
            (void)fgpu_device_get_sample(rows[i].handle, &rows[i].sample);
        is_whole = waiting_sleep(DEVICES_SAMPLE_NS, stop);
        for (uint32_t i = 0; i < count; i++) /* all, before the measuring keeps them busy */
            if (fgpu_device_get_sample(rows[i].handle, &rows[i].sample) != FGPU_OK)
                rows[i].sample.valid = 0;
    }
    for (uint32_t i = 0; i < count && is_whole; i++) {
        if (rows[i].info.memory_node == 0 && devices_is_real(&rows[i]) && host_rate == 0.0)
            host_rate = devices_host_rate(&bench);
        is_whole = devices_measure_one(&bench, host_rate, &rows[i]) != FGPU_E_TIMEOUT &&
                   !waiting_is_stopped(stop);
    }
    if (is_whole) {
        (void)fgpu_buffer_destroy(bench.buffer);
        (void)fgpu_pool_wait(pool, FGPU_FOREVER);
        fgpu_host_free(bench.memory);
    }
    return is_whole;
}
