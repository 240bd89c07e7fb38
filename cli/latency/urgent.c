/* A pool with a batch kernel and a request kernel; see urgent.h. */
#include "cli/latency/urgent.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/figures.h"
#include "cli/common/why.h"

#define URGENT_FACTOR 1664525u
#define URGENT_TERM 1013904223u
#define URGENT_FIRST_ROUNDS 256u
#define URGENT_MOST_ROUNDS (1u << 26)
#define URGENT_ENOUGH_NS 5000000u /* of a launch, to tell its speed */
#define URGENT_TRIES 3u

const char urgent_batch_entry[] = "batch";
const char urgent_request_entry[] = "request";
const char urgent_source[] =
    "__kernel void batch(__global uint *numbers, __global uint *seen, uint rounds)\n"
    "{\n"
    "    barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    size_t i = get_global_id(0);\n"
    "    uint x = numbers[i];\n"
    "    for (uint r = 0; r < rounds; r++)\n"
    "        x = x * 1664525u + 1013904223u;\n"
    "    numbers[i] = x;\n"
    "    seen[i] += 1;\n"
    "}\n"
    "__kernel void request(__global uint *numbers, uint rounds)\n"
    "{\n"
    "    barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    size_t i = get_global_id(0);\n"
    "    uint x = numbers[i];\n"
    "    for (uint r = 0; r < rounds; r++)\n"
    "        x = x * 1664525u + 1013904223u;\n"
    "    numbers[i] = x;\n"
    "}\n";

/* ---- the same in C */

static void urgent_group(uint32_t *numbers, uint32_t rounds)
{
    for (uint32_t r = 0; r < rounds; r++)
        for (uint32_t i = 0; i < URGENT_ITEMS; i++)
            numbers[i] = numbers[i] * URGENT_FACTOR + URGENT_TERM;
}

static int urgent_batch_native(const fgpu_range *range, void *const *args, void *user)
{
    uint32_t *numbers = args[0], *seen = args[1], rounds;
    (void)user;
    memcpy(&rounds, args[2], sizeof rounds);
    for (uint64_t g = range->group_begin; g < range->group_end; g++) {
        if (fgpu_should_yield())
            return fgpu_yield_at(g);
        urgent_group(numbers + g * URGENT_ITEMS, rounds);
        for (uint64_t i = g * URGENT_ITEMS; i < (g + 1) * URGENT_ITEMS; i++)
            seen[i]++;
    }
    return 0;
}

static int urgent_request_native(const fgpu_range *range, void *const *args, void *user)
{
    uint32_t *numbers = args[0], rounds;
    (void)user;
    memcpy(&rounds, args[1], sizeof rounds);
    for (uint64_t g = range->group_begin; g < range->group_end; g++)
        urgent_group(numbers + g * URGENT_ITEMS, rounds);
    return 0;
}

/* ---- the pool */

static fgpu_status urgent_kernel(fgpu_pool pool, const char *entry, fgpu_native_fn native,
                                 uint32_t buffers, fgpu_kernel *kernel)
{
    fgpu_status status = fgpu_kernel_create(pool, entry, kernel);
    if (status == FGPU_OK)
        status = fgpu_kernel_add_opencl(*kernel, urgent_source, entry, NULL);
    if (status == FGPU_OK)
        status = fgpu_kernel_add_native(*kernel, native, NULL);
    for (uint32_t i = 0; i <= buffers && status == FGPU_OK; i++)
        status = fgpu_kernel_set_arg(*kernel, i, i < buffers ? FGPU_ARG_BUFFER : FGPU_ARG_SCALAR,
                                     FGPU_READ_WRITE, sizeof(uint32_t));
    return status;
}

/* A buffer of numbers that count from `first`; all `first` where `is_flat`. */
static fgpu_status urgent_buffer(fgpu_pool pool, uint64_t count, uint32_t first, bool is_flat,
                                 fgpu_buffer *buffer)
{
    uint32_t *numbers = malloc(count * sizeof *numbers);
    if (!numbers)
        return FGPU_E_NOMEM;
    for (uint64_t i = 0; i < count; i++)
        numbers[i] = is_flat ? first : first + (uint32_t)i;
    fgpu_status status = fgpu_buffer_create(pool, count * sizeof *numbers, buffer);
    if (status == FGPU_OK)
        status = fgpu_buffer_write(*buffer, NULL, numbers, 0);
    free(numbers);
    return status;
}

static fgpu_status urgent_fill(struct urgent_pool *pool)
{
    uint64_t items = (uint64_t)pool->size.groups * URGENT_ITEMS;
    uint64_t request_items = (uint64_t)pool->size.request_groups * URGENT_ITEMS;
    fgpu_status status = fgpu_device_at(pool->pool, 0, &pool->device);

    pool->info.struct_bytes = sizeof pool->info;
    if (status == FGPU_OK)
        status = fgpu_device_get_info(pool->device, &pool->info);
    if (status == FGPU_OK)
        (void)fgpu_device_get_preempt(pool->device, &pool->preempt);
    if (status == FGPU_OK)
        status =
            urgent_kernel(pool->pool, urgent_batch_entry, urgent_batch_native, 2, &pool->batch);
    if (status == FGPU_OK)
        status = urgent_kernel(pool->pool, urgent_request_entry, urgent_request_native, 1,
                               &pool->request);
    if (status == FGPU_OK)
        status = urgent_buffer(pool->pool, items, 0, false, &pool->data);
    if (status == FGPU_OK)
        status = urgent_buffer(pool->pool, items, 0, true, &pool->seen);
    for (uint32_t i = 0; i < URGENT_SLOTS && status == FGPU_OK; i++)
        status = urgent_buffer(pool->pool, request_items, i, false, &pool->slots[i]);
    return status;
}

fgpu_status urgent_open(struct urgent_pool *pool, const char *device, uint32_t preempt,
                        const struct urgent_size *size)
{
    fgpu_pool_options options;

    memset(pool, 0, sizeof *pool);
    pool->size = *size;
    fgpu_pool_options_init(&options);
    options.devices = device;
    options.cache_dir = "";
    options.preempt = preempt;
    fgpu_status status = fgpu_pool_open(&options, &pool->pool);
    if (status != FGPU_OK)
        return status;
    status = urgent_fill(pool);
    if (status != FGPU_OK)
        (void)fgpu_pool_close(pool->pool);
    return status;
}

fgpu_status urgent_close(struct urgent_pool *pool)
{
    return fgpu_pool_close(pool->pool);
}

uint64_t urgent_preemptions(const struct urgent_pool *pool)
{
    fgpu_pool_stats stats = {.struct_bytes = sizeof stats};
    return fgpu_pool_get_stats(pool->pool, &stats) == FGPU_OK ? stats.preemptions : 0;
}

/* ---- how fast it is */

bool urgent_counts_cpu(const struct urgent_pool *pool)
{
    return pool->info.type == FGPU_DEVICE_CPU;
}

uint64_t urgent_clock_ns(const struct urgent_pool *pool)
{
    return urgent_counts_cpu(pool) ? figures_cpu_ns() : 2 * figures_wall_ns();
}

static fgpu_status urgent_launch_ns(struct urgent_pool *pool, uint32_t rounds, uint64_t *took_ns)
{
    const fgpu_arg args[3] = {fgpu_arg_buffer(pool->data), fgpu_arg_buffer(pool->seen),
                              fgpu_arg_scalar(&rounds, sizeof rounds)};
    fgpu_task_desc desc;
    fgpu_task task;

    fgpu_task_desc_init(&desc);
    desc.kernel = pool->batch;
    desc.device = pool->device;
    desc.dims = 1;
    desc.global[0] = (uint64_t)pool->size.groups * URGENT_ITEMS;
    desc.local[0] = URGENT_ITEMS;
    desc.args = args;
    desc.arg_count = 3;
    uint64_t start_ns = urgent_clock_ns(pool);
    fgpu_status status = fgpu_task_submit(pool->pool, &desc, &task);
    if (status == FGPU_OK)
        status = fgpu_task_wait(task, FGPU_FOREVER);
    if (status == FGPU_OK) {
        *took_ns = urgent_clock_ns(pool) - start_ns;
        pool->launches++;
        pool->steps += rounds;
    }
    return status;
}

static uint32_t urgent_rounds(double rounds)
{
    return rounds < 1 ? 1 : rounds > URGENT_MOST_ROUNDS ? URGENT_MOST_ROUNDS : (uint32_t)rounds;
}

fgpu_status urgent_calibrate(struct urgent_pool *pool, uint64_t group_ns, uint64_t request_ns)
{
    uint32_t rounds = URGENT_FIRST_ROUNDS;
    uint64_t took_ns = 0, least_ns = UINT64_MAX;
    fgpu_status status = urgent_launch_ns(pool, rounds, &took_ns); /* compiles */

    if (status == FGPU_OK)
        status = urgent_launch_ns(pool, rounds, &took_ns);
    while (status == FGPU_OK && took_ns < URGENT_ENOUGH_NS && rounds < URGENT_MOST_ROUNDS) {
        rounds *= 4;
        status = urgent_launch_ns(pool, rounds, &took_ns);
    }
    for (uint32_t i = 0; i < URGENT_TRIES && status == FGPU_OK; i++) {
        least_ns = took_ns < least_ns ? took_ns : least_ns;
        status = urgent_launch_ns(pool, rounds, &took_ns);
    }
    if (status != FGPU_OK)
        return status;
    least_ns = took_ns < least_ns ? took_ns : least_ns;
    double step_ns = (double)least_ns / ((double)rounds * pool->size.groups);
    pool->size.rounds = urgent_rounds((double)group_ns / step_ns);
    pool->size.request_rounds = urgent_rounds((double)request_ns / step_ns);
    return FGPU_OK;
}

/* ---- is it right? */

/* What `steps` steps make of x is factor * x + term. */
static void urgent_power(uint64_t steps, uint32_t *factor, uint32_t *term)
{
    uint32_t a = URGENT_FACTOR, c = URGENT_TERM;

    *factor = 1;
    *term = 0;
    for (; steps > 0; steps >>= 1) {
        if (steps & 1) {
            *term = a * *term + c;
            *factor *= a;
        }
        c = a * c + c;
        a *= a;
    }
}

bool urgent_is_right(const uint32_t *numbers, uint64_t count, uint32_t first, uint64_t steps,
                     uint64_t *place)
{
    uint32_t factor, term;

    urgent_power(steps, &factor, &term);
    for (*place = 0; *place < count; ++*place)
        if (numbers[*place] != factor * (first + (uint32_t)*place) + term)
            return false;
    return true;
}

static fgpu_status urgent_check_batch(struct urgent_pool *pool, uint32_t *numbers, char *why,
                                      size_t why_bytes)
{
    uint64_t items = (uint64_t)pool->size.groups * URGENT_ITEMS, place;
    fgpu_status status = fgpu_buffer_read(pool->seen, NULL, numbers, 0);

    for (uint64_t i = 0; i < items && status == FGPU_OK; i++)
        if (numbers[i] != (uint32_t)pool->launches)
            return why_fail(FGPU_E_TASK, why, why_bytes,
                            "group %" PRIu64 " of the batch ran %u times in %" PRIu64 " launches",
                            i / URGENT_ITEMS, numbers[i], pool->launches);
    if (status == FGPU_OK)
        status = fgpu_buffer_read(pool->data, NULL, numbers, 0);
    if (status == FGPU_OK && !urgent_is_right(numbers, items, 0, pool->steps, &place))
        return why_fail(FGPU_E_TASK, why, why_bytes, "number %" PRIu64 " of the batch is wrong",
                        place);
    return status;
}

fgpu_status urgent_check(struct urgent_pool *pool, char *why, size_t why_bytes)
{
    uint64_t items = (uint64_t)pool->size.request_groups * URGENT_ITEMS, place;
    uint64_t most = URGENT_ITEMS * (uint64_t)(pool->size.groups > pool->size.request_groups
                                                  ? pool->size.groups
                                                  : pool->size.request_groups);
    uint32_t *numbers = malloc(most * sizeof *numbers);
    if (!numbers)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");
    why[0] = '\0';
    fgpu_status status = urgent_check_batch(pool, numbers, why, why_bytes);
    for (uint32_t i = 0; i < URGENT_SLOTS && status == FGPU_OK; i++) {
        status = fgpu_buffer_read(pool->slots[i], NULL, numbers, 0);
        if (status == FGPU_OK && !urgent_is_right(numbers, items, i, pool->slot_steps[i], &place))
            status = why_fail(FGPU_E_TASK, why, why_bytes,
                              "number %" PRIu64 " of the requests of slot %u is wrong", place, i);
    }
    if (status != FGPU_OK && !why[0])
        (void)why_fail(status, why, why_bytes, "the results cannot be read: %s", fgpu_last_error());
    free(numbers);
    return status;
}
