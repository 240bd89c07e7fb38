/* Tasks that fail, are cancelled or cannot be built; waiting where nobody may wait; the limit of
 * pending tasks. Who depends on a failure names its root, and a whole overwrite heals.
 *
 * On the cpu device, OpenCL where there is one. Each test ends with a task that must give the right
 * numbers.
 */
#include <stdio.h>
#include <stdlib.h>
#include "lib/api_rig.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static fgpu_task submit_host(fgpu_host_fn fn, void *user, fgpu_buffer buffer, fgpu_access access,
                             const char *name)
{
    fgpu_task task = {0};
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = fn;
    desc.host_user = user;
    desc.name = name;
    fgpu_arg arg = fgpu_arg_region(buffer, access, fgpu_region_whole());
    desc.args = &arg;
    desc.arg_count = buffer.bits != 0;
    rig_need(fgpu_task_submit(rig_pool, &desc, &task));
    return task;
}

static fgpu_task_state state_of(fgpu_task task)
{
    fgpu_task_state state;
    rig_need(fgpu_task_get_state(task, &state));
    return state;
}

static void wait_running(fgpu_task task)
{
    while (state_of(task) != FGPU_TASK_RUNNING)
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

/* ---- failures ---------------------------------------------------------------------------- */

static int kernel_fails(const fgpu_range *range, void *const *args, void *user)
{
    (void)range;
    (void)args;
    (void)user;
    return -7;
}

/* A kernel that reports failure, what depends on it, and what heals it. */
static void test_poison(void **state)
{
    (void)state;
    fgpu_kernel bad;
    rig_need(fgpu_kernel_create(rig_pool, "culprit", &bad));
    rig_need(fgpu_kernel_add_native(bad, kernel_fails, NULL));
    rig_need(fgpu_kernel_set_arg(bad, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0));
    fgpu_kernel good = rig_new_kernel();
    fgpu_buffer buffer = rig_buffer(256), other = rig_buffer(256);
    uint32_t words[64] = {0};
    void *ptr;
    rig_need(fgpu_buffer_write(buffer, NULL, words, 0));
    fgpu_arg arg = fgpu_arg_buffer(buffer);
    fgpu_task tasks[4], root;
    rig_need(fgpu_task_run(bad, 1, &arg, 1, &tasks[0]));
    for (uint32_t i = 1; i < 4; i++)
        rig_need(fgpu_task_run(good, 64, &arg, 1, &tasks[i]));
    rig_refused(fgpu_task_wait(tasks[3], FGPU_FOREVER), FGPU_E_POISONED, "'culprit'");
    for (uint32_t i = 0; i < 4; i++) {
        char text[256] = "x", tiny[4] = "abc";
        fgpu_status status = FGPU_OK;
        rig_need(fgpu_task_get_error(tasks[i], &status, &root, text, sizeof text));
        assert_int_equal(status, i == 0 ? FGPU_E_TASK : FGPU_E_POISONED);
        assert_int_equal(root.bits, tasks[0].bits);
        assert_non_null(strstr(text, "'culprit'"));
        assert_int_equal(state_of(tasks[i]), i == 0 ? FGPU_TASK_FAILED : FGPU_TASK_POISONED);
        rig_need(fgpu_task_get_error(tasks[i], &status, NULL, tiny, sizeof tiny));
        assert_int_equal(tiny[3], '\0');
        rig_need(fgpu_task_get_error(tasks[i], &status, NULL, NULL, 0));
    }
    rig_refused(fgpu_buffer_read(buffer, NULL, words, 0), FGPU_E_POISONED, "'culprit'");
    rig_refused(fgpu_buffer_map(buffer, 0, 256, FGPU_READ, &ptr), FGPU_E_POISONED, "'culprit'");
    rig_refused(fgpu_buffer_copy(other, NULL, buffer, NULL), FGPU_E_POISONED, "'culprit'");
    rig_refused(fgpu_pool_wait(rig_pool, FGPU_FOREVER), FGPU_E_TASK, "'culprit'");
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    /* A part that is overwritten is well again, then the whole, here and where it was copied to. */
    fgpu_region half = fgpu_region_span(0, 128), rest = fgpu_region_span(128, 128);
    rig_need(fgpu_buffer_fill(buffer, &half, &words[1], 4));
    rig_need(fgpu_buffer_read(buffer, &half, words, 0));
    rig_refused(fgpu_buffer_read(buffer, &rest, words, 0), FGPU_E_POISONED, "'culprit'");
    rig_need(fgpu_buffer_write(buffer, &rest, words, 0));
    rig_need(fgpu_task_run(good, 64, &arg, 1, NULL));
    rig_need(fgpu_buffer_copy(other, NULL, buffer, NULL));
    rig_need(fgpu_buffer_read(other, NULL, words, 0));
    for (uint32_t i = 0; i < 64; i++)
        assert_int_equal(words[i], 1);
    rig_works();
}

/* The root stays known when it was forgotten before its dependents were asked. */
static void test_forget(void **state)
{
    (void)state;
    fgpu_buffer buffer = rig_buffer(64);
    _Atomic uint32_t calls = 0;
    for (uint32_t round = 0; round < 3000; round++) {
        fgpu_task first = submit_host(rig_fail, NULL, buffer, FGPU_WRITE, "first");
        fgpu_task second = submit_host(rig_count, &calls, buffer, FGPU_READ, "second");
        assert_int_equal(fgpu_task_wait(second, FGPU_FOREVER), FGPU_E_POISONED);
        rig_need(fgpu_task_forget(first));
        fgpu_status status;
        rig_need(fgpu_task_get_error(first, &status, NULL, NULL, 0));
        assert_int_equal(status, FGPU_OK); /* nothing is remembered */
        rig_need(fgpu_task_forget(first));
        assert_int_equal(fgpu_task_wait(second, 0), FGPU_E_POISONED);
        rig_need(fgpu_task_forget(second));
        rig_need(fgpu_task_wait(second, 0));
    }
    assert_int_equal(atomic_load_acquire_u32(&calls), 0);
    assert_int_equal(rig_stats().tasks_failed, 6000);
    (void)fgpu_pool_wait(rig_pool, FGPU_FOREVER);
    struct rig_gate gate = {0};
    fgpu_task held = submit_host(rig_wait_at_gate, &gate, rig_no_buffer, 0, "held");
    rig_refused(fgpu_task_forget(held), FGPU_E_BUSY, "not ended");
    fgpu_status status;
    rig_refused(fgpu_task_get_error(held, &status, NULL, NULL, 0), FGPU_E_BUSY, "not ended");
    atomic_store_release_u32(&gate.open, 1);
    rig_works();
}

/* ---- cancel ------------------------------------------------------------------------------ */

static void test_cancel(void **state)
{
    (void)state;
    struct rig_gate gate = {0};
    _Atomic uint32_t calls = 0;
    fgpu_buffer buffer = rig_buffer(64), free_buffer = rig_buffer(64);
    uint32_t word = 0;
    rig_need(fgpu_buffer_fill(buffer, NULL, &word, 4));
    fgpu_task running = submit_host(rig_wait_at_gate, &gate, buffer, FGPU_READ_WRITE, "running");
    fgpu_task kept = submit_host(rig_count, &calls, free_buffer, FGPU_WRITE, "kept");
    fgpu_task chain[3];
    /* An empty task cannot be handed to a queue beside what it waits for. */
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_EMPTY;
    desc.after = &running;
    desc.after_count = 1;
    desc.name = "victim";
    rig_need(fgpu_task_submit(rig_pool, &desc, &chain[0]));
    desc.name = "next";
    desc.after = &chain[0];
    rig_need(fgpu_task_submit(rig_pool, &desc, &chain[1]));
    desc.after = &chain[1];
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = rig_count;
    desc.host_user = &calls;
    rig_need(fgpu_task_submit(rig_pool, &desc, &chain[2]));
    wait_running(running);
    rig_refused(fgpu_task_cancel(running), FGPU_E_BUSY, "started");
    rig_need(fgpu_task_cancel(chain[0]));
    atomic_store_release_u32(&gate.open, 1);
    rig_need(fgpu_task_wait(running, FGPU_FOREVER));
    rig_need(fgpu_task_wait(kept, FGPU_FOREVER));
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(fgpu_task_wait(chain[i], FGPU_FOREVER), FGPU_E_CANCELLED);
        assert_int_equal(state_of(chain[i]), FGPU_TASK_CANCELLED);
        fgpu_status status;
        fgpu_task root;
        char text[256];
        rig_need(fgpu_task_get_error(chain[i], &status, &root, text, sizeof text));
        assert_int_equal(status, FGPU_E_CANCELLED);
        assert_int_equal(root.bits, chain[0].bits);
        assert_non_null(strstr(text, "'victim'"));
        rig_refused(fgpu_task_cancel(chain[i]), FGPU_E_BUSY, "ended");
    }
    assert_int_equal(rig_stats().tasks_cancelled, 3);
    assert_int_equal(atomic_load_acquire_u32(&calls), 1);
    rig_refused(fgpu_task_cancel(running), FGPU_E_BUSY, "ended");
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER)); /* what was cancelled did not fail */
    rig_need(fgpu_buffer_read(buffer, NULL, (char[64]){0}, 0));
    rig_works();
}

/* A cancelled writer leaves data that its readers may not use. */
static void test_cancel_writer(void **state)
{
    (void)state;
    struct rig_gate gate = {0};
    _Atomic uint32_t calls = 0;
    fgpu_buffer buffer = rig_buffer(64), gates = rig_buffer(64);
    for (uint32_t round = 0; round < 20; round++) {
        atomic_store_release_u32(&gate.open, 0);
        fgpu_task held = submit_host(rig_wait_at_gate, &gate, gates, FGPU_WRITE, "held");
        fgpu_task_desc desc;
        fgpu_task join, writer;
        fgpu_task_desc_init(&desc);
        desc.kind = FGPU_TASK_EMPTY;
        desc.after = &held;
        desc.after_count = 1;
        rig_need(fgpu_task_submit(rig_pool, &desc, &join));
        desc.after = &join;
        desc.kind = FGPU_TASK_HOST;
        desc.host_fn = rig_count;
        desc.host_user = &calls;
        desc.name = "writer";
        fgpu_arg arg = fgpu_arg_region(buffer, FGPU_WRITE, fgpu_region_whole());
        desc.args = &arg;
        desc.arg_count = 1;
        rig_need(fgpu_task_submit(rig_pool, &desc, &writer));
        fgpu_task reader = submit_host(rig_count, &calls, buffer, FGPU_READ, "reader");
        fgpu_task healer = submit_host(rig_count, &calls, buffer, FGPU_WRITE, "healer");
        rig_need(fgpu_task_cancel(writer));
        atomic_store_release_u32(&gate.open, 1);
        assert_int_equal(fgpu_task_wait(reader, FGPU_FOREVER), FGPU_E_CANCELLED);
        assert_int_equal(fgpu_task_wait(writer, FGPU_FOREVER), FGPU_E_CANCELLED);
        rig_need(fgpu_task_wait(healer, FGPU_FOREVER));
        rig_need(fgpu_buffer_read(buffer, NULL, (char[64]){0}, 0));
        rig_need(fgpu_task_forget(writer));
        rig_need(fgpu_task_forget(reader));
    }
    assert_int_equal(atomic_load_acquire_u32(&calls), 20);
    rig_works();
}

/* ---- waiting where nobody may wait ------------------------------------------------------- */

struct inside {
    fgpu_buffer buffer;
    fgpu_kernel kernel;
    fgpu_task pending, submitted;
    fgpu_status statuses[12];
    fgpu_status submit;
    char bytes[64];
    bool named;
    _Atomic uint32_t calls;
};

static void inside_try(struct inside *in)
{
    void *ptr;
    fgpu_status *out = in->statuses;
    *out++ = fgpu_pool_wait(rig_pool, FGPU_FOREVER);
    in->named = strstr(fgpu_last_error(), "fgpu_pool_wait") != NULL;
    *out++ = fgpu_pool_wait(rig_pool, 0);
    *out++ = fgpu_pool_close(rig_pool);
    *out++ = fgpu_task_wait(in->pending, FGPU_FOREVER);
    *out++ = fgpu_buffer_read(in->buffer, NULL, in->bytes, 0);
    *out++ = fgpu_buffer_write(in->buffer, NULL, in->bytes, 0);
    *out++ = fgpu_buffer_fill(in->buffer, NULL, in->bytes, 4);
    *out++ = fgpu_buffer_copy(in->buffer, NULL, in->buffer, NULL);
    *out++ = fgpu_buffer_map(in->buffer, 0, 64, FGPU_READ, &ptr);
    *out++ = fgpu_kernel_build(in->kernel);
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = rig_count;
    desc.host_user = &in->calls;
    in->submit = fgpu_task_submit(rig_pool, &desc, &in->submitted);
}

static int inside_task(void *const *args, void *user)
{
    (void)args;
    inside_try(user);
    return 0;
}

static int inside_kernel(const fgpu_range *range, void *const *args, void *user)
{
    (void)range;
    (void)args;
    inside_try(user);
    return 0;
}

static void inside_callback(fgpu_task task, fgpu_status status, void *user)
{
    (void)task;
    (void)status;
    inside_try(user);
}

static void inside_check(struct inside *in)
{
    for (uint32_t i = 0; i < 10; i++) {
        if (in->statuses[i] != FGPU_E_BUSY)
            fail_msg("call %u: %s", i, fgpu_status_name(in->statuses[i]));
    }
    assert_true(in->named);
    rig_need(in->submit);
    rig_need(fgpu_task_wait(in->submitted, FGPU_FOREVER));
    assert_int_equal(atomic_load_acquire_u32(&in->calls), 1);
    atomic_store_release_u32(&in->calls, 0);
    memset(in->statuses, 0, sizeof in->statuses);
}

static void test_waiting_inside(void **state)
{
    (void)state;
    struct rig_gate gate = {0};
    static struct inside in;
    memset(&in, 0, sizeof in);
    in.buffer = rig_buffer(64);
    in.kernel = rig_new_kernel();
    in.pending = submit_host(rig_wait_at_gate, &gate, rig_buffer(64), FGPU_WRITE, "pending");
    rig_need(
        fgpu_task_wait(submit_host(inside_task, &in, rig_no_buffer, 0, "inside"), FGPU_FOREVER));
    inside_check(&in);
    fgpu_kernel kernel;
    fgpu_task task;
    rig_need(fgpu_kernel_create(rig_pool, "inside", &kernel));
    rig_need(fgpu_kernel_add_native(kernel, inside_kernel, &in));
    rig_need(fgpu_task_run(kernel, 1, NULL, 0, &task));
    rig_need(fgpu_task_wait(task, FGPU_FOREVER));
    inside_check(&in);
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_EMPTY;
    desc.on_done = inside_callback;
    desc.on_done_user = &in;
    rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
    atomic_store_release_u32(&gate.open, 1);
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER)); /* waits for callbacks, too */
    assert_int_equal(in.statuses[0], FGPU_E_BUSY);
    in.statuses[3] = FGPU_E_BUSY; /* the gate may have opened before the callback */
    inside_check(&in);
    rig_works();
}

/* ---- the limit of pending tasks ---------------------------------------------------------- */

static fgpu_status submit_empty(fgpu_task *task, const fgpu_task *after)
{
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_EMPTY;
    desc.after = after;
    desc.after_count = after != NULL;
    return fgpu_task_submit(rig_pool, &desc, task);
}

static void test_limit_nowait(void **state)
{
    (void)state;
    rig_open("devices=cpu;workers=1;cache=;log=off;tasks=16;nowait");
    struct rig_gate gate = {0};
    fgpu_task held = submit_host(rig_wait_at_gate, &gate, rig_no_buffer, 0, "held");
    uint32_t count = 1;
    fgpu_status status;
    while ((status = submit_empty(NULL, &held)) == FGPU_OK)
        count++;
    rig_refused(status, FGPU_E_AGAIN, "16");
    assert_int_equal(count, 16);
    rig_refused(submit_empty(NULL, &held), FGPU_E_AGAIN, "limit");
    atomic_store_release_u32(&gate.open, 1);
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    rig_works();
    rig_need(fgpu_pool_close(rig_pool));
}

static void test_limit_waits(void **state)
{
    (void)state;
    rig_open("devices=cpu;workers=1;cache=;log=off;tasks=16");
    _Atomic uint32_t calls = 0;
    for (uint32_t i = 0; i < 5000; i++)
        (void)submit_host(rig_count, &calls, rig_no_buffer, 0, NULL);
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(atomic_load_acquire_u32(&calls), 5000);
    rig_works();
    rig_need(fgpu_pool_close(rig_pool));
}

static void test_limit_of_failed_tasks(void **state)
{
    (void)state;
    rig_open("devices=cpu;workers=1;cache=;log=off;tasks=16");
    fgpu_task failed[16];
    for (uint32_t i = 0; i < 16; i++)
        failed[i] = submit_host(rig_fail, NULL, rig_no_buffer, 0, "failed");
    rig_refused(submit_empty(NULL, NULL), FGPU_E_LIMIT, "fgpu_task_forget");
    rig_refused(submit_empty(NULL, NULL), FGPU_E_LIMIT, "16");
    assert_int_equal(fgpu_pool_wait(rig_pool, FGPU_FOREVER), FGPU_E_TASK);
    for (uint32_t i = 0; i < 8; i++)
        rig_need(fgpu_task_forget(failed[i]));
    rig_works();
    rig_need(fgpu_pool_close(rig_pool));
}

static int kernel_seven(const fgpu_range *range, void *const *args, void *user)
{
    (void)user;
    for (uint64_t i = range->group_begin; i < range->group_end; i++)
        ((uint8_t *)args[0])[i] = 7;
    return 0;
}

/* A buffer that is larger than a device's memory: the task runs where there is room, or says how
 * much there is. */
static void too_large(const char *devices, bool fits)
{
    char text[128];
    (void)snprintf(text, sizeof text, "devices=%s;workers=1;device-memory=1MiB;cache=;log=off",
                   devices);
    rig_open(text);
    fgpu_kernel seven;
    rig_need(fgpu_kernel_create(rig_pool, "seven", &seven));
    rig_need(fgpu_kernel_add_native(seven, kernel_seven, NULL));
    rig_need(fgpu_kernel_set_arg(seven, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0));
    for (uint32_t round = 0; round < 20; round++) {
        fgpu_buffer buffer;
        fgpu_task task;
        uint8_t last = 0;
        rig_need(fgpu_buffer_create(rig_pool, 2u << 20, &buffer));
        rig_need(fgpu_buffer_set_name(buffer, "wide"));
        fgpu_arg arg = fgpu_arg_buffer(buffer);
        fgpu_task_desc desc;
        fgpu_task_desc_init(&desc);
        desc.kernel = seven;
        desc.dims = 1;
        desc.global[0] = 2u << 20;
        desc.local[0] = 1;
        desc.args = &arg;
        desc.arg_count = 1;
        rig_need(fgpu_task_submit(rig_pool, &desc, &task));
        fgpu_status status = fgpu_task_wait(task, FGPU_FOREVER);
        if (fits) {
            rig_need(status);
            fgpu_region tail = fgpu_region_span((2u << 20) - 1, 1);
            rig_need(fgpu_buffer_read(buffer, &tail, &last, 0));
            assert_int_equal(last, 7);
        } else {
            rig_refused(status, FGPU_E_DEVMEM, "'wide' needs 2097152 bytes");
            rig_refused(status, FGPU_E_DEVMEM, "limit of 1048576 bytes");
        }
        rig_need(fgpu_buffer_destroy(buffer));
    }
    (void)fgpu_pool_close(rig_pool);
}

static void test_too_large(void **state)
{
    (void)state;
    too_large("sim,cpu", true);
    too_large("sim:2", false);
}

/* Of two failures the first is forgotten: the second is still told. */
static void test_second_failure(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 50; round++) {
        fgpu_task first = submit_host(rig_fail, NULL, rig_no_buffer, 0, "first");
        (void)fgpu_task_wait(first, FGPU_FOREVER);
        fgpu_task second = submit_host(rig_fail, NULL, rig_no_buffer, 0, "second");
        (void)fgpu_task_wait(second, FGPU_FOREVER);
        rig_need(fgpu_task_forget(first));
        rig_refused(fgpu_pool_wait(rig_pool, FGPU_FOREVER), FGPU_E_TASK, "second");
        rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER)); /* told once */
        rig_need(fgpu_task_forget(second));
    }
    rig_works();
}

/* What a failed task should have written does not come back to the caller's memory: who has dealt
 * with the failure is not told once more. */
static void test_known_failure(void **state)
{
    (void)state;
    static uint32_t memory[16];
    fgpu_buffer buffer;
    for (uint32_t round = 0; round < 2; round++) {
        rig_need(fgpu_buffer_create_from(rig_pool, memory, sizeof memory, &buffer));
        fgpu_task task = submit_host(rig_fail, NULL, buffer, FGPU_READ_WRITE, "known");
        (void)fgpu_task_wait(task, FGPU_FOREVER);
        if (round == 0)
            rig_need(fgpu_task_forget(task));
        else
            rig_refused(fgpu_pool_wait(rig_pool, FGPU_FOREVER), FGPU_E_TASK, "known");
        rig_need(fgpu_buffer_destroy(buffer));
        rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    }
    rig_works();
}

/* A full pool that does not wait cannot return the caller's memory yet, and says so. */
static void test_destroy_at_limit(void **state)
{
    (void)state;
    (void)setenv("FASTGPU_OPENCL_MEMORY", "separate", 1);
    bool is_separate = fgpu_pool_open_text("devices=opencl:0;cache=;log=off;tasks=16;nowait",
                                           &rig_pool) == FGPU_OK;
    (void)unsetenv("FASTGPU_OPENCL_MEMORY");
    if (!is_separate)
        rig_open("devices=cpu;workers=1;cache=;log=off;tasks=16;nowait");
    static uint32_t memory[256], closed[256];
    uint32_t value = 42;
    fgpu_buffer buffer, other;
    rig_need(fgpu_buffer_create_from(rig_pool, memory, sizeof memory, &buffer));
    rig_need(fgpu_buffer_create_from(rig_pool, closed, sizeof closed, &other));
    rig_need(fgpu_buffer_fill(buffer, NULL, &value, sizeof value));
    rig_need(fgpu_buffer_fill(other, NULL, &value, sizeof value));
    struct rig_gate gate = {0};
    fgpu_task held = submit_host(rig_wait_at_gate, &gate, rig_no_buffer, 0, "held");
    while (submit_empty(NULL, &held) == FGPU_OK)
        ;
    rig_refused(fgpu_buffer_destroy(buffer), FGPU_E_AGAIN, "limit");
    atomic_store_release_u32(&gate.open, 1);
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    rig_need(fgpu_buffer_destroy(buffer));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(memory[255], 42);
    /* Closing finds all records held by failed tasks, and returns the memory all the same. */
    fgpu_task failed[16];
    for (uint32_t i = 0; i < 16; i++)
        failed[i] = submit_host(rig_fail, NULL, rig_no_buffer, 0, "failed");
    for (uint32_t i = 0; i < 16; i++)
        (void)fgpu_task_wait(failed[i], FGPU_FOREVER);
    rig_refused(fgpu_pool_close(rig_pool), FGPU_E_TASK, "failed");
    assert_int_equal(closed[255], 42);
}

/* ---- kernels that do not compile --------------------------------------------------------- */

/* What a compiler refuses, though its parameters can be read. */
static const char broken_text[] = "__kernel void broken(__global int *a)\n"
                                  "{\n"
                                  "    a[0] = not_declared_anywhere;\n"
                                  "}\n";

static void test_build(void **state)
{
    (void)state;
    if (fgpu_pool_open_text("devices=opencl;cache=;log=off", &rig_pool) != FGPU_OK) {
        print_message("no OpenCL device: %s\n", fgpu_last_error());
        skip();
    }
    fgpu_kernel kernel;
    fgpu_task task, second, root;
    fgpu_buffer buffer = rig_buffer(64);
    fgpu_arg arg = fgpu_arg_buffer(buffer);
    rig_need(fgpu_kernel_create_opencl(rig_pool, broken_text, "broken", NULL, &kernel));
    rig_need(fgpu_task_run(kernel, 1, &arg, 1, &task));
    rig_need(fgpu_task_run(kernel, 1, &arg, 1, &second));
    rig_refused(fgpu_task_wait(task, FGPU_FOREVER), FGPU_E_BUILD, "'broken'");
    assert_true(fgpu_task_wait(second, FGPU_FOREVER) != FGPU_OK);
    fgpu_status status;
    char text[512];
    rig_need(fgpu_task_get_error(task, &status, &root, text, sizeof text));
    assert_int_equal(status, FGPU_E_BUILD);
    assert_non_null(strstr(text, "broken"));
    rig_refused(fgpu_kernel_build(kernel), FGPU_E_BUILD, "'broken'");
    size_t needed = 0;
    rig_need(fgpu_kernel_build_log(kernel, (fgpu_device){0}, NULL, 0, &needed));
    assert_true(needed > 1);
    char *log = malloc(needed);
    assert_non_null(log);
    rig_need(fgpu_kernel_build_log(kernel, (fgpu_device){0}, log, needed, NULL));
    assert_int_equal(strlen(log), needed - 1);
    assert_non_null(strstr(log, "not_declared_anywhere"));
    char tiny[5] = "....";
    rig_need(fgpu_kernel_build_log(kernel, (fgpu_device){0}, tiny, sizeof tiny, NULL));
    assert_memory_equal(tiny, log, 4);
    assert_int_equal(tiny[4], '\0');
    free(log);
    rig_need(fgpu_kernel_destroy(kernel));
    (void)fgpu_pool_wait(rig_pool, FGPU_FOREVER);
    rig_need(fgpu_kernel_create_opencl(
        rig_pool, "__kernel void good(__global int *a) { a[0] = 5; }", "good", NULL, &kernel));
    int word = 1;
    rig_need(fgpu_buffer_fill(buffer, NULL, &word, 4));
    rig_need(fgpu_task_run(kernel, 1, &arg, 1, &task));
    rig_need(fgpu_buffer_read(buffer, &(fgpu_region){0, 4, 0, 1}, &word, 0));
    assert_int_equal(word, 5);
    rig_need(fgpu_pool_close(rig_pool));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ON(cpu, test_poison),
        RIG_ON(cpu, test_forget),
        RIG_ON(cpu, test_cancel),
        RIG_ON(cpu, test_cancel_writer),
        RIG_ON(cpu, test_waiting_inside),
        cmocka_unit_test(test_limit_nowait),
        cmocka_unit_test(test_limit_waits),
        cmocka_unit_test(test_limit_of_failed_tasks),
        RIG_ON(cpu, test_second_failure),
        RIG_ON(cpu, test_known_failure),
        cmocka_unit_test(test_destroy_at_limit),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_build),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
