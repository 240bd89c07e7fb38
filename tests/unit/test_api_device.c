/* Devices, samples, statistics and traces as the public headers promise them.
 *
 * On the null, cpu and simulated devices; expected numbers are counted by hand.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/graph_rig.h"

static fgpu_device device_at(uint32_t index)
{
    fgpu_device device;
    rig_need(fgpu_device_at(rig_pool, index, &device));
    return device;
}

static fgpu_device_info info_of(fgpu_device device)
{
    fgpu_device_info info = {.struct_bytes = sizeof info};
    rig_need(fgpu_device_get_info(device, &info));
    return info;
}

static fgpu_device_sample sample_of(fgpu_device device)
{
    fgpu_device_sample sample = {.struct_bytes = sizeof sample};
    rig_need(fgpu_device_get_sample(device, &sample));
    return sample;
}

static fgpu_device_stats stats_of(fgpu_device device)
{
    fgpu_device_stats stats = {.struct_bytes = sizeof stats};
    rig_need(fgpu_device_get_stats(device, &stats));
    return stats;
}

/* ---- tasks to look at */

static int kernel_fill(const fgpu_range *range, void *const *args, void *user)
{
    (void)range;
    (void)user;
    memset(args[0], 7, 64);
    return 0;
}

static fgpu_kernel new_kernel(void)
{
    fgpu_kernel kernel;
    rig_need(fgpu_kernel_create(rig_pool, "fill", &kernel));
    rig_need(fgpu_kernel_add_native(kernel, kernel_fill, NULL));
    rig_need(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0));
    return kernel;
}

static void run_kernel(fgpu_kernel kernel, fgpu_buffer buffer, uint32_t times)
{
    fgpu_arg arg = fgpu_arg_buffer(buffer);
    for (uint32_t i = 0; i < times; i++)
        rig_need(fgpu_task_run(kernel, 1, &arg, 1, NULL));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
}

static void submit_host(fgpu_host_fn fn, void *user, fgpu_buffer buffer, fgpu_access access)
{
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = fn;
    desc.host_user = user;
    fgpu_arg arg = fgpu_arg_region(buffer, access, fgpu_region_whole());
    desc.args = &arg;
    desc.arg_count = 1;
    rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
}

/* ---- devices */

static void test_list(void **state)
{
    (void)state;
    rig_open("devices=cpu,null;workers=2;cache=;host-memory=64MiB");
    uint32_t count = 0;
    rig_need(fgpu_device_count(rig_pool, &count));
    assert_int_equal(count, 2);
    fgpu_device device = {1};
    rig_refused(fgpu_device_at(rig_pool, 2, &device), FGPU_E_RANGE, "2 devices");
    assert_int_equal(device.bits, 0);
    fgpu_device_info first = info_of(device_at(0)), second = info_of(device_at(1));
    assert_string_equal(first.backend, "cpu");
    assert_int_equal(first.index, 0);
    assert_int_equal(first.memory_node, 0);
    assert_int_equal(first.queue_count, 2);
    assert_true(first.valid & FGPU_INFO_RESOURCE_GROUP);
    assert_int_equal(first.resource_group, 0);
    assert_true(first.valid & FGPU_INFO_MEMORY);
    assert_int_equal(first.memory_bytes, 64 << 20);
    assert_string_equal(second.backend, "null");
    assert_int_equal(second.index, 1);
    rig_need(fgpu_device_status(device_at(0)));
    device = device_at(1);
    rig_need(fgpu_pool_close(rig_pool));
    rig_refused(fgpu_device_status(device), FGPU_E_STALE, "closed");
    rig_open("devices=null;cache=");
    rig_refused(fgpu_device_status(device), FGPU_E_STALE, "closed");
    rig_need(fgpu_pool_close(rig_pool));
}

/* A hidden device for host functions is not in the list. */
static void test_hidden_device(void **state)
{
    (void)state;
    rig_open("devices=sim;cache=;device-memory=8MiB");
    uint32_t count = 0;
    rig_need(fgpu_device_count(rig_pool, &count));
    fgpu_device device;
    rig_refused(fgpu_device_at(rig_pool, count, &device), FGPU_E_RANGE, "devices");
    for (uint32_t i = 0; i < count; i++) {
        fgpu_device_info info = info_of(device_at(i));
        assert_string_equal(info.backend, "sim");
        assert_true(info.memory_node > 0);
        assert_true((info.valid & FGPU_INFO_MEMORY) && info.memory_bytes <= 8u << 20);
    }
    rig_need(fgpu_pool_close(rig_pool));
}

static void test_bad_calls(void **state)
{
    (void)state;
    fgpu_device device = device_at(0), none = {0};
    fgpu_device_info info = {.struct_bytes = 8};
    fgpu_device_sample sample = {.struct_bytes = 8};
    fgpu_device_stats stats = {.struct_bytes = 8};
    fgpu_pool_stats all = {.struct_bytes = 8};
    rig_refused(fgpu_device_get_info(device, &info), FGPU_E_VERSION, "struct_bytes is 8");
    rig_refused(fgpu_device_get_sample(device, &sample), FGPU_E_VERSION, "struct_bytes is 8");
    rig_refused(fgpu_device_get_stats(device, &stats), FGPU_E_VERSION, "struct_bytes is 8");
    rig_refused(fgpu_pool_get_stats(rig_pool, &all), FGPU_E_VERSION, "struct_bytes is 8");
    rig_refused(fgpu_device_get_info(device, NULL), FGPU_E_INVAL, "NULL");
    rig_refused(fgpu_device_get_sample(device, NULL), FGPU_E_INVAL, "NULL");
    rig_refused(fgpu_device_get_stats(device, NULL), FGPU_E_INVAL, "NULL");
    rig_refused(fgpu_pool_get_stats(rig_pool, NULL), FGPU_E_INVAL, "NULL");
    rig_refused(fgpu_device_count(rig_pool, NULL), FGPU_E_INVAL, "NULL");
    rig_refused(fgpu_device_at(rig_pool, 0, NULL), FGPU_E_INVAL, "NULL");
    rig_refused(fgpu_trace_write(rig_pool, NULL), FGPU_E_INVAL, "NULL");
    rig_refused(fgpu_trace_write(rig_pool, ""), FGPU_E_INVAL, "empty");
    rig_refused(fgpu_device_status(none), FGPU_E_HANDLE, "zero");
    rig_refused(fgpu_device_status((fgpu_device){rig_pool.bits}), FGPU_E_HANDLE, "pool");
    rig_refused(fgpu_device_status((fgpu_device){device.bits + 9}), FGPU_E_STALE, "");
}

static void test_lost_device(void **state)
{
    (void)state;
    rig_open("devices=cpu,sim;workers=1;cache=;log=off;device-memory=1MiB;faults=lose=1@5");
    fgpu_device lost = device_at(1);
    rig_need(fgpu_device_status(lost));
    fgpu_kernel kernel = new_kernel();
    fgpu_buffer buffer = rig_buffer(64);
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kernel = kernel;
    desc.dims = 1;
    desc.global[0] = 1;
    desc.device = lost;
    fgpu_arg arg = fgpu_arg_buffer(buffer);
    desc.args = &arg;
    desc.arg_count = 1;
    for (uint32_t i = 0; i < 20; i++)
        (void)fgpu_task_submit(rig_pool, &desc, NULL);
    (void)fgpu_pool_wait(rig_pool, FGPU_FOREVER);
    rig_refused(fgpu_device_status(lost), FGPU_E_DEVICE_LOST, info_of(lost).id);
    rig_need(fgpu_device_status(device_at(0)));
    uint32_t count;
    rig_need(fgpu_device_count(rig_pool, &count)); /* it stays in the list */
    assert_true(count >= 2);
    (void)fgpu_pool_close(rig_pool);
}

/* The only device dies with what all tasks, done long ago, have left in its memory. */
static void lose_contents(uint8_t *memory, fgpu_buffer *buffer)
{
    rig_open("devices=sim;cache=;log=off;faults=lose=0@12");
    fgpu_device lost = device_at(0);
    fgpu_buffer other = rig_buffer(64);
    uint32_t value = 0x07070707;
    memset(memory, 1, 64);
    rig_need(fgpu_buffer_create_from(rig_pool, memory, 64, buffer));
    rig_need(fgpu_buffer_set_name(*buffer, "mine"));
    rig_need(fgpu_buffer_fill(*buffer, NULL, &value, sizeof value));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    for (uint32_t i = 0; i < 100 && fgpu_device_status(lost) == FGPU_OK; i++)
        (void)fgpu_buffer_fill(other, NULL, &value, sizeof value);
    rig_refused(fgpu_device_status(lost), FGPU_E_DEVICE_LOST, info_of(lost).id);
    (void)fgpu_pool_wait(rig_pool, FGPU_FOREVER); /* what the device was doing */
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
}

/* The caller's memory did not get them: no task has failed, but who waits is told. */
static void test_lost_contents(void **state)
{
    (void)state;
    uint8_t memory[64];
    fgpu_buffer buffer;
    lose_contents(memory, &buffer);
    rig_refused(fgpu_buffer_read(buffer, NULL, memory, 0), FGPU_E_POISONED, "lost");
    rig_need(fgpu_buffer_destroy(buffer));
    rig_refused(fgpu_pool_wait(rig_pool, FGPU_FOREVER), FGPU_E_POISONED, "'mine'");
    assert_int_equal(memory[0], 1);
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER)); /* once */
    rig_need(fgpu_pool_close(rig_pool));
    lose_contents(memory, &buffer);
    rig_refused(fgpu_pool_close(rig_pool), FGPU_E_POISONED, "'mine'");
}

/* ---- samples */

static void test_samples(void **state)
{
    (void)state;
    fgpu_device device = device_at(0);
    fgpu_device_sample before = sample_of(device);
    assert_true(before.valid & FGPU_SAMPLE_MEMORY);
    assert_int_equal(before.memory_used_bytes, 0);
    fgpu_buffer buffer = rig_buffer(1 << 20);
    run_kernel(new_kernel(), buffer, 1);
    fgpu_device_sample after = sample_of(device);
    assert_true(after.memory_used_bytes >= 1 << 20);
    assert_true(after.time_ns > before.time_ns);
    if (after.valid & FGPU_SAMPLE_UTILISATION)
        assert_true(after.utilisation >= 0 && after.utilisation <= 1);
}

/* The null device measures nothing, so nothing is claimed. */
static void test_unknown_is_not_zero(void **state)
{
    (void)state;
    fgpu_buffer buffer = rig_buffer(64);
    run_kernel(new_kernel(), buffer, 50);
    fgpu_device_sample sample = sample_of(device_at(0));
    assert_int_equal(sample.valid & ~(uint32_t)FGPU_SAMPLE_MEMORY, 0);
}

/* The simulated device has no sensor but times its commands: what they took is the share. */
static void test_share_from_times(void **state)
{
    (void)state;
    rig_open("devices=sim;cache=;device-memory=1MiB");
    fgpu_device device = device_at(0);
    fgpu_buffer buffer = rig_buffer(64);
    assert_false(sample_of(device).valid & FGPU_SAMPLE_UTILISATION);
    fgpu_kernel kernel = new_kernel();
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kernel = kernel;
    desc.dims = 1;
    desc.global[0] = 1;
    desc.device = device;
    fgpu_arg arg = fgpu_arg_buffer(buffer);
    desc.args = &arg;
    desc.arg_count = 1;
    for (uint32_t i = 0; i < 20; i++)
        rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    fgpu_device_sample sample = sample_of(device);
    assert_true(sample.valid & FGPU_SAMPLE_UTILISATION);
    assert_true(sample.utilisation > 0 && sample.utilisation <= 1);
    assert_false(sample_of(device).valid & FGPU_SAMPLE_UTILISATION); /* nothing was timed since */
    rig_need(fgpu_pool_close(rig_pool));
}

/* The tests' driver offers GPUs: what the pool runs there is timed, but what others run is not
 * seen. */
static void test_gpu_share_is_unknown(void **state)
{
    (void)state;
    static const char source[] = "__kernel void fill(__global int *a) { a[get_global_id(0)] = 7; }";
    const char *fake = getenv("FAKEICD_LIB");
    if (fake == NULL || access(fake, R_OK) != 0)
        skip();
    (void)setenv("FASTGPU_OPENCL_LIBRARY", fake, 1);
    rig_open("devices=opencl:0;cache=;log=off");
    fgpu_kernel kernel;
    rig_need(fgpu_kernel_create_opencl(rig_pool, source, "fill", NULL, &kernel));
    run_kernel(kernel, rig_buffer(64), 50);
    fgpu_device_sample sample = sample_of(device_at(0));
    assert_int_equal(sample.valid & ~(uint32_t)FGPU_SAMPLE_MEMORY, 0);
    rig_need(fgpu_pool_close(rig_pool));
}

/* ---- statistics */

static void test_counts(void **state)
{
    (void)state;
    fgpu_buffer buffer = rig_buffer(64);
    _Atomic uint32_t calls = 0;
    struct rig_gate gate = {0};
    for (uint32_t i = 0; i < 5; i++)
        submit_host(rig_count, &calls, buffer, FGPU_READ_WRITE);
    submit_host(rig_fail, NULL, buffer, FGPU_WRITE);
    submit_host(rig_count, &calls, buffer, FGPU_READ);
    assert_int_equal(fgpu_pool_wait(rig_pool, FGPU_FOREVER), FGPU_E_TASK);
    fgpu_pool_stats stats = rig_stats();
    assert_int_equal(stats.tasks_submitted, 7);
    assert_int_equal(stats.tasks_done, 5);
    assert_int_equal(stats.tasks_failed, 2);
    assert_int_equal(stats.tasks_cancelled, 0);
    assert_int_equal(stats.tasks_pending, 0);
    assert_true(stats.latency_mean_ns > 0 && stats.latency_mean_ns < 10000000000u);
    assert_true(stats.pool_memory_bytes > 0 && stats.allocations > 0 && stats.turns > 0);
    submit_host(rig_wait_at_gate, &gate, buffer, FGPU_WRITE);
    submit_host(rig_count, &calls, buffer, FGPU_READ);
    stats = rig_stats();
    assert_int_equal(stats.tasks_submitted, 9);
    assert_int_equal(stats.tasks_pending, 2);
    atomic_store_release_u32(&gate.open, 1);
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(rig_stats().tasks_pending, 0);
    assert_int_equal(rig_stats().tasks_done, 7);
}

static void test_device_counts(void **state)
{
    (void)state;
    fgpu_device device = device_at(0);
    fgpu_device_stats before = stats_of(device);
    assert_int_equal(before.tasks, 0);
    fgpu_buffer buffer = rig_buffer(1 << 20);
    run_kernel(new_kernel(), buffer, 33);
    fgpu_device_stats after = stats_of(device);
    assert_int_equal(after.tasks, 33);
    assert_true(after.open_ns > before.open_ns);
    assert_true(after.memory_used_bytes >= 1 << 20);
    assert_true(after.memory_peak_bytes >= after.memory_used_bytes);
    rig_need(fgpu_buffer_destroy(buffer));
    assert_int_equal(stats_of(device).memory_used_bytes, 0);
    assert_true(stats_of(device).memory_peak_bytes >= 1 << 20);
}

/* ---- traces */

static size_t count_in(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
        count++;
    return count;
}

/* Reads a whole file; the caller frees it. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

static void test_trace(void **state)
{
    (void)state;
    char path[64] = "/tmp/fgpu-trace-XXXXXX", missing[100];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "old", 3), 3);
    close(fd);
    fgpu_buffer buffer = rig_buffer(64);
    fgpu_kernel kernel = new_kernel();
    rig_need(fgpu_trace_enable(rig_pool, true));
    run_kernel(kernel, buffer, 12);
    rig_need(fgpu_trace_enable(rig_pool, false));
    run_kernel(kernel, buffer, 5); /* not traced */
    snprintf(missing, sizeof missing, "%s.d/trace", path);
    rig_refused(fgpu_trace_write(rig_pool, missing), FGPU_E_IO, missing);
    assert_non_null(strstr(fgpu_last_error(), strerror(ENOENT)));
    char *text = read_file(path);
    assert_string_equal(text, "old");
    free(text);
    rig_need(fgpu_trace_write(rig_pool, path));
    text = read_file(path);
    assert_int_equal(text[0], '{');
    assert_int_equal(count_in(text, "\"ph\":\"X\""), 12);
    fgpu_device_info info = info_of(device_at(0));
    char track[200];
    snprintf(track, sizeof track, "%s: %s", info.id, info.name);
    assert_non_null(strstr(text, track));
    free(text);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_hidden_device),
        RIG_ON(null, test_bad_calls),
        cmocka_unit_test(test_lost_device),
        cmocka_unit_test(test_lost_contents),
        RIG_ON(cpu, test_samples),
        RIG_ON(null, test_unknown_is_not_zero),
        cmocka_unit_test(test_share_from_times),
        cmocka_unit_test(test_gpu_share_is_unknown),
        RIG_ON(null, test_counts),
        RIG_ON(cpu, test_counts),
        RIG_ON(cpu, test_device_counts),
        RIG_ON(cpu, test_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
