/* What tasks cost in memory: nothing after warm-up, nothing that stays, few bytes while they wait.
 *
 * Counted by the pool's own counters and by allocator hooks, and seen from outside by the resident
 * set. Fixed bounds come from the project's figures: 512 bytes for a pending task, one million of
 * them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/api_rig.h"

#define BUFFERS 16u
#define WAVE 4000u /* few waits: on a busy machine each one costs a turn of everybody else */

/* What is claimed is no allocation per task. How full queues and tables get depends on how far the
 * engine falls behind whoever submits, so on a busy machine one of them may pass what warm-up
 * reached and double once more. Doublings are few however many tasks there are; a single one per
 * wave, let alone per task, is far above this. */
#define GROWTHS_LIMIT 8u

struct hot_counter {
    _Atomic uint64_t gets, puts, live_bytes;
};

static void *hot_alloc(void *user, size_t bytes, size_t align)
{
    struct hot_counter *counter = user;
    (void)atomic_add_relaxed_u64(&counter->gets, 1);
    (void)atomic_add_relaxed_u64(&counter->live_bytes, bytes);
    return aligned_alloc(align, (bytes + align - 1) & ~(align - 1));
}

static void hot_free(void *user, void *ptr, size_t bytes)
{
    struct hot_counter *counter = user;
    (void)atomic_add_relaxed_u64(&counter->puts, 1);
    (void)atomic_sub_relaxed_u64(&counter->live_bytes, bytes);
    free(ptr);
}

static struct hot_counter hot_counter;

/* A sanitizer keeps what is freed for a while, and takes its time. */
static bool hot_is_sanitized(void)
{
    const char *sanitizer = getenv("FASTGPU_SANITIZE");
    return sanitizer != NULL && sanitizer[0] != '\0';
}

static void hot_open(const char *devices)
{
    static const fgpu_alloc_hooks hooks = {hot_alloc, hot_free, &hot_counter};
    fgpu_pool_options options;
    memset(&hot_counter, 0, sizeof hot_counter);
    fgpu_pool_options_init(&options);
    options.devices = devices;
    options.cpu_workers = 2;
    options.cache_dir = "";
    options.alloc = &hooks;
    /* Under a sanitizer, and on a busy machine, tasks look long enough to be planned, and plans
     * take memory. */
    options.policy = "eft";
    rig_need(fgpu_pool_open(&options, &rig_pool));
}

static uint64_t resident_bytes(void)
{
    unsigned long long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL) {
        if (fscanf(file, "%llu %llu", &size, &resident) != 2)
            resident = 0;
        fclose(file);
    }
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int hot_nothing(const fgpu_range *range, void *const *args, void *user)
{
    (void)range;
    (void)args;
    (void)user;
    return 0;
}

static fgpu_kernel hot_kernel(void)
{
    fgpu_kernel kernel;
    rig_need(fgpu_kernel_create(rig_pool, "nothing", &kernel));
    rig_need(fgpu_kernel_add_native(kernel, hot_nothing, NULL));
    rig_need(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0));
    rig_need(fgpu_kernel_set_arg(kernel, 1, FGPU_ARG_BUFFER, FGPU_READ, 0));
    rig_need(fgpu_kernel_set_arg(kernel, 2, FGPU_ARG_SCALAR, 0, 4));
    return kernel;
}

/* One wave: tasks that read and write all buffers, so that edges, readers and moves come up. */
static void hot_wave(fgpu_kernel kernel, const fgpu_buffer *buffers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t scalar = i;
        fgpu_arg args[3] = {fgpu_arg_buffer(buffers[i % BUFFERS]),
                            fgpu_arg_buffer(buffers[(i * 7 + 1) % BUFFERS]),
                            fgpu_arg_scalar(&scalar, 4)};
        if (i % BUFFERS == (i * 7 + 1) % BUFFERS)
            args[1].buffer = buffers[BUFFERS];
        rig_need(fgpu_task_run(kernel, 16, args, 3, NULL));
    }
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
}

/* Whole waves held back, so that every table reaches the size that a wave can need. */
static void hot_warm_up(fgpu_kernel kernel, const fgpu_buffer *buffers)
{
    for (uint32_t i = 0; i < 3; i++) {
        struct rig_gate gate = {0};
        fgpu_task_desc desc;
        fgpu_task_desc_init(&desc);
        desc.kind = FGPU_TASK_HOST;
        desc.host_fn = rig_wait_at_gate;
        desc.host_user = &gate;
        fgpu_arg args[BUFFERS + 1];
        for (uint32_t b = 0; b <= BUFFERS; b++)
            args[b] = fgpu_arg_region(buffers[b], FGPU_READ_WRITE, fgpu_region_whole());
        desc.args = args;
        desc.arg_count = BUFFERS + 1;
        rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
        for (uint32_t k = 0; k < 2 * WAVE; k++) {
            uint32_t scalar = k;
            fgpu_arg some[3] = {fgpu_arg_buffer(buffers[k % BUFFERS]),
                                fgpu_arg_buffer(buffers[BUFFERS]), fgpu_arg_scalar(&scalar, 4)};
            rig_need(fgpu_task_run(kernel, 16, some, 3, NULL));
        }
        atomic_store_release_u32(&gate.open, 1);
        rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    }
    for (uint32_t i = 0; i < 10; i++)
        hot_wave(kernel, buffers, WAVE);
}

static void no_allocation(const char *devices, uint32_t tasks)
{
    hot_open(devices);
    fgpu_kernel kernel = hot_kernel();
    fgpu_buffer buffers[BUFFERS + 1];
    for (uint32_t i = 0; i <= BUFFERS; i++) {
        buffers[i] = rig_buffer(4096);
        rig_need(fgpu_buffer_fill(buffers[i], NULL, &i, 4));
    }
    hot_warm_up(kernel, buffers);
    uint64_t before = rig_stats().allocations, gets = atomic_load_acquire_u64(&hot_counter.gets);
    for (uint32_t done = 0; done < tasks; done += WAVE)
        hot_wave(kernel, buffers, WAVE);
    assert_true(tasks / WAVE > 2 * GROWTHS_LIMIT);
    assert_true(rig_stats().allocations - before < GROWTHS_LIMIT);
    assert_true(atomic_load_acquire_u64(&hot_counter.gets) - gets < GROWTHS_LIMIT);
    assert_true(rig_stats().tasks_done > tasks);
    rig_need(fgpu_pool_close(rig_pool));
    assert_int_equal(atomic_load_acquire_u64(&hot_counter.gets),
                     atomic_load_acquire_u64(&hot_counter.puts));
    assert_int_equal(atomic_load_acquire_u64(&hot_counter.live_bytes), 0);
}

static void test_no_allocation_null(void **state)
{
    (void)state;
    no_allocation("null", 100000);
}

static void test_no_allocation_cpu(void **state)
{
    (void)state;
    no_allocation("cpu", 100000);
}

/* ---- nothing stays ----------------------------------------------------------------------- */

static void test_a_million(void **state)
{
    (void)state;
    hot_open("null");
    fgpu_kernel kernel = hot_kernel();
    fgpu_buffer buffers[BUFFERS + 1];
    for (uint32_t i = 0; i <= BUFFERS; i++)
        buffers[i] = rig_buffer(4096);
    hot_warm_up(kernel, buffers);
    uint64_t live = rig_stats().pool_memory_bytes, resident = resident_bytes();
    uint32_t waves = hot_is_sanitized() ? 50 : 250;
    for (uint32_t i = 0; i < waves; i++) {
        hot_wave(kernel, buffers, WAVE);
        /* Buffers and kernels come and go, too. */
        rig_need(fgpu_buffer_destroy(buffers[i % BUFFERS]));
        buffers[i % BUFFERS] = rig_buffer(4096);
        if (i % 25 == 0) {
            rig_need(fgpu_kernel_destroy(kernel));
            kernel = hot_kernel();
        }
    }
    assert_true(rig_stats().tasks_done >= waves * WAVE);
    assert_true(rig_stats().pool_memory_bytes <= live + 65536);
    if (!hot_is_sanitized())
        assert_true(resident_bytes() <= resident + (4u << 20));
    rig_need(fgpu_pool_close(rig_pool));
    assert_int_equal(atomic_load_acquire_u64(&hot_counter.live_bytes), 0);
}

/* ---- pending tasks ----------------------------------------------------------------------- */

/* One million tasks behind a gate: each reads and writes one of 1000 buffers. */
static void test_a_million_pending(void **state)
{
    (void)state;
    static fgpu_buffer buffers[1000];
    const uint32_t count = hot_is_sanitized() ? 200000 : 1000000;
    hot_open("null");
    struct rig_gate gate = {0};
    fgpu_kernel kernel;
    rig_need(fgpu_kernel_create(rig_pool, "nothing", &kernel));
    rig_need(fgpu_kernel_add_native(kernel, hot_nothing, NULL));
    rig_need(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0));
    fgpu_task_desc desc;
    fgpu_task held, join;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = rig_wait_at_gate;
    desc.host_user = &gate;
    rig_need(fgpu_task_submit(rig_pool, &desc, &held));
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_EMPTY; /* the others are behind this one */
    desc.after = &held;
    desc.after_count = 1;
    rig_need(fgpu_task_submit(rig_pool, &desc, &join));
    for (uint32_t i = 0; i < 1000; i++)
        buffers[i] = rig_buffer(64);
    desc.kind = FGPU_TASK_KERNEL;
    desc.kernel = kernel;
    desc.dims = 1;
    desc.global[0] = 1;
    desc.after = &join;
    uint64_t live = rig_stats().pool_memory_bytes;
    for (uint32_t i = 0; i < count; i++) {
        fgpu_arg arg = fgpu_arg_buffer(buffers[i % 1000]);
        desc.args = &arg;
        desc.arg_count = 1;
        desc.after_count = i < 1000; /* the first of each chain */
        rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
    }
    fgpu_pool_stats stats = rig_stats();
    assert_int_equal(stats.tasks_pending, count + 2);
    uint64_t bytes = (stats.pool_memory_bytes - live) / count;
    print_message("%llu bytes for each pending task\n", (unsigned long long)bytes);
    assert_true(bytes <= 512);
    atomic_store_release_u32(&gate.open, 1);
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(rig_stats().tasks_done, count + 2);
    rig_need(fgpu_pool_close(rig_pool));
    assert_int_equal(atomic_load_acquire_u64(&hot_counter.live_bytes), 0);
}

int main(void)
{
    unsetenv("FASTGPU_CHECK"); /* of millions of turns; the others check them */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_allocation_null),
        cmocka_unit_test(test_no_allocation_cpu),
        cmocka_unit_test(test_a_million),
        cmocka_unit_test(test_a_million_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
