/* What the public API promises when nothing goes wrong: pools beside each other, hooks, traces,
 * data operations against a naive model, order, priority, callbacks, time-outs.
 *
 * Devices: cpu, and simulated ones with memory of their own for the data operations.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/rng.h"
#include "lib/api_rig.h"
#include "lib/parse_json.h"
#include "lib/seed.h"

/* ---- pools and their hooks --------------------------------------------------------------- */

static void test_several_pools(void **state)
{
    (void)state;
    fgpu_pool pools[8], again;
    for (uint32_t i = 0; i < 8; i++) {
        rig_open(i % 2 ? "devices=cpu;workers=1;cache=;log=off" : "devices=sim:2;cache=;log=off");
        pools[i] = rig_pool;
        for (uint32_t k = 0; k < i; k++)
            assert_int_not_equal(pools[k].bits, pools[i].bits);
    }
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 8; i++) {
            rig_pool = pools[i];
            rig_works();
        }
    }
    for (uint32_t i = 0; i < 8; i += 2)
        rig_need(fgpu_pool_close(pools[i]));
    rig_open("devices=cpu;workers=1;cache=;log=off");
    again = rig_pool;
    for (uint32_t i = 1; i < 8; i += 2) {
        rig_pool = pools[i];
        rig_works();
        rig_need(fgpu_pool_close(pools[i]));
    }
    rig_pool = again;
    rig_works();
    rig_need(fgpu_pool_close(again));
}

static void test_defaults(void **state)
{
    (void)state;
    fgpu_pool_options options;
    memset(&options, 0xff, sizeof options);
    fgpu_pool_options_init(&options);
    fgpu_pool_options expected = {.struct_bytes = sizeof expected, .log_level = FGPU_LOG_WARN};
    assert_memory_equal(&options, &expected, sizeof options);
    fgpu_task_desc desc;
    memset(&desc, 0xff, sizeof desc);
    fgpu_task_desc_init(&desc);
    fgpu_task_desc zero = {.struct_bytes = sizeof zero};
    assert_memory_equal(&desc, &zero, sizeof desc);
    rig_need(fgpu_pool_close((fgpu_pool){0}));
}

struct hooks {
    _Atomic uint32_t lines, errors, gets, puts;
    _Atomic uint64_t live_bytes;
};

static void hooks_log(void *user, int level, const char *text)
{
    struct hooks *hooks = user;
    (void)atomic_add_seqcst_u32(&hooks->lines, 1);
    if (level < FGPU_LOG_ERROR || level > FGPU_LOG_TRACE || strchr(text, ':') == NULL ||
        strchr(text, '\n') != NULL)
        (void)atomic_add_seqcst_u32(&hooks->errors, 1);
}

static void *hooks_alloc(void *user, size_t bytes, size_t align)
{
    struct hooks *hooks = user;
    (void)atomic_add_seqcst_u32(&hooks->gets, 1);
    (void)atomic_add_relaxed_u64(&hooks->live_bytes, bytes);
    if (bytes == 0 || (align & (align - 1)) != 0)
        (void)atomic_add_seqcst_u32(&hooks->errors, 1);
    return aligned_alloc(align, (bytes + align - 1) & ~(align - 1));
}

static void hooks_free(void *user, void *ptr, size_t bytes)
{
    struct hooks *hooks = user;
    (void)atomic_add_seqcst_u32(&hooks->puts, 1);
    (void)atomic_sub_relaxed_u64(&hooks->live_bytes, bytes);
    free(ptr);
}

static void test_hooks(void **state)
{
    (void)state;
    struct hooks hooks = {0};
    fgpu_alloc_hooks alloc = {hooks_alloc, hooks_free, &hooks};
    fgpu_pool_options options;
    fgpu_pool_options_init(&options);
    options.devices = "cpu,sim";
    options.cpu_workers = 2;
    options.cache_dir = "";
    options.alloc = &alloc;
    options.log = hooks_log;
    options.log_user = &hooks;
    options.log_level = FGPU_LOG_TRACE;
    options.flags = FGPU_POOL_TRACE | FGPU_POOL_VALIDATE;
    options.faults = "seed=1,lose=1@20"; /* the simulated device dies: there is something to say */
    rig_need(fgpu_pool_open(&options, &rig_pool));
    memset(&alloc, 0, sizeof alloc); /* copied */
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kernel = rig_new_kernel();
    desc.dims = 1;
    desc.global[0] = 16;
    fgpu_arg arg = fgpu_arg_region(rig_buffer(64), FGPU_WRITE, fgpu_region_whole());
    desc.args = &arg;
    desc.arg_count = 1;
    rig_need(fgpu_device_at(rig_pool, 1, &desc.device));
    for (uint32_t i = 0; i < 50; i++)
        (void)fgpu_task_submit(rig_pool, &desc, NULL);
    (void)fgpu_pool_wait(rig_pool, FGPU_FOREVER);
    assert_int_equal(fgpu_device_status(desc.device), FGPU_E_DEVICE_LOST);
    rig_works();
    rig_need(fgpu_pool_close(rig_pool));
    assert_true(atomic_load_acquire_u32(&hooks.lines) > 0);
    assert_true(atomic_load_acquire_u32(&hooks.gets) > 10);
    assert_int_equal(atomic_load_acquire_u32(&hooks.gets), atomic_load_acquire_u32(&hooks.puts));
    assert_int_equal(atomic_load_acquire_u64(&hooks.live_bytes), 0);
    assert_int_equal(atomic_load_acquire_u32(&hooks.errors), 0);
}

static void test_trace(void **state)
{
    (void)state;
    static char text[1 << 20];
    char path[] = "/tmp/fastgpu-trace-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    rig_need(fgpu_trace_enable(rig_pool, true));
    rig_works();
    rig_need(fgpu_trace_enable(rig_pool, false));
    rig_need(fgpu_trace_write(rig_pool, path));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    unlink(path);
    struct parse_json *json = parse_json(text);
    assert_non_null(json);
    assert_non_null(strstr(text, "add_one"));
    parse_json_free(json);
    rig_refused(fgpu_trace_write(rig_pool, "/nonexistent/folder/trace"), FGPU_E_IO, "/nonexistent");
    rig_works();
}

/* ---- host memory ------------------------------------------------------------------------- */

static int see_address(void *const *args, void *user)
{
    *(void **)user = args[0];
    return 0;
}

static int kernel_see_address(const fgpu_range *range, void *const *args, void *user)
{
    (void)range;
    *(void **)user = args[0];
    ((char *)args[0])[0] = 42;
    return 0;
}

static void test_zero_copy(void **state)
{
    (void)state;
    char *memory = fgpu_host_alloc(10000);
    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % 64, 0);
    memset(memory, 7, 10000);
    fgpu_buffer buffer;
    rig_need(fgpu_buffer_create_from(rig_pool, memory, 10000, &buffer));
    void *seen = NULL, *ptr;
    fgpu_kernel kernel;
    rig_need(fgpu_kernel_create(rig_pool, "see", &kernel));
    rig_need(fgpu_kernel_add_native(kernel, kernel_see_address, &seen));
    rig_need(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0));
    fgpu_arg arg = fgpu_arg_span(buffer, FGPU_READ_WRITE, 96, 100);
    rig_need(fgpu_task_run(kernel, 1, &arg, 1, NULL));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_ptr_equal(seen, memory + 96);
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = see_address;
    desc.host_user = &seen;
    desc.args = &arg;
    desc.arg_count = 1;
    seen = NULL;
    rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_ptr_equal(seen, memory + 96);
    rig_need(fgpu_buffer_map(buffer, 96, 1, FGPU_READ, &ptr));
    assert_ptr_equal(ptr, memory + 96);
    rig_need(fgpu_buffer_unmap(buffer, ptr));
    rig_need(fgpu_buffer_destroy(buffer));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(memory[96], 42);
    assert_int_equal(memory[97], 7);
    fgpu_host_free(memory);
    rig_works();
}

/* ---- data operations against a naive model ----------------------------------------------- */

#define MODEL_BYTES 4096u

struct model {
    fgpu_buffer buffers[2];
    unsigned char bytes[2][MODEL_BYTES];
    struct rng rng;
};

static uint64_t model_below(struct model *model, uint64_t n)
{
    return rng_below(&model->rng, n);
}

/* A region within the buffer whose rows are multiples of `unit`. */
static fgpu_region model_region(struct model *model, uint64_t unit)
{
    uint64_t rows = 1 + model_below(model, 8), row = unit * (1 + model_below(model, 256 / unit));
    uint64_t pitch = row + (model_below(model, 4) == 0 ? 0 : model_below(model, 200));
    uint64_t span = pitch * (rows - 1) + row;
    return fgpu_region_rect(model_below(model, MODEL_BYTES - span + 1), row, pitch, rows);
}

static unsigned char *model_row(struct model *model, int which, const fgpu_region *r, uint64_t row)
{
    return model->bytes[which] + r->offset_bytes + row * r->pitch_bytes;
}

static void model_write(struct model *model, int which, bool async)
{
    unsigned char host[8 * 512];
    fgpu_region r = model_region(model, 1);
    uint64_t pitch = r.row_bytes + model_below(model, 100);
    for (uint64_t i = 0; i < sizeof host; i++)
        host[i] = (unsigned char)rng_u64(&model->rng);
    if (async) {
        fgpu_task task;
        rig_need(fgpu_buffer_write_async(model->buffers[which], &r, host, pitch, &task));
        rig_need(fgpu_task_wait(task, FGPU_FOREVER));
    } else {
        rig_need(fgpu_buffer_write(model->buffers[which], &r, host, pitch));
    }
    for (uint64_t row = 0; row < r.rows; row++)
        memcpy(model_row(model, which, &r, row), host + row * pitch, r.row_bytes);
}

static void model_read(struct model *model, int which, bool async)
{
    unsigned char host[8 * 512], before[sizeof host];
    fgpu_region r = model_region(model, 1);
    bool packed = model_below(model, 2);
    uint64_t pitch = packed ? r.row_bytes : r.row_bytes + model_below(model, 100);
    memset(host, 0xee, sizeof host);
    memcpy(before, host, sizeof host);
    if (async) {
        rig_need(fgpu_buffer_read_async(model->buffers[which], &r, host, packed ? 0 : pitch, NULL));
        rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    } else {
        rig_need(fgpu_buffer_read(model->buffers[which], &r, host, packed ? 0 : pitch));
    }
    for (uint64_t row = 0; row < r.rows; row++)
        memcpy(before + row * pitch, model_row(model, which, &r, row), r.row_bytes);
    assert_memory_equal(host, before, sizeof host); /* and nothing beside it */
}

static void model_fill(struct model *model, int which)
{
    unsigned char pattern[16];
    uint32_t bytes = 1u << model_below(model, 5);
    fgpu_region r = model_region(model, bytes);
    for (uint32_t i = 0; i < bytes; i++)
        pattern[i] = (unsigned char)rng_u64(&model->rng);
    if (model_below(model, 2))
        rig_need(fgpu_buffer_fill(model->buffers[which], &r, pattern, bytes));
    else
        rig_need(fgpu_buffer_fill_async(model->buffers[which], &r, pattern, bytes, NULL));
    memset(pattern + bytes, 0, sizeof pattern - bytes);
    for (uint64_t row = 0; row < r.rows; row++)
        for (uint64_t i = 0; i < r.row_bytes; i++)
            model_row(model, which, &r, row)[i] = pattern[i % bytes];
}

static void model_copy(struct model *model, int to)
{
    fgpu_region from = model_region(model, 1), dst = from;
    uint64_t bytes = from.row_bytes * from.rows;
    uint32_t kind = (uint32_t)model_below(model, 3);
    if (kind == 0) { /* into a packed range */
        dst = fgpu_region_span(model_below(model, MODEL_BYTES - bytes + 1), bytes);
    } else if (kind == 1) { /* other pitch */
        dst.pitch_bytes = from.row_bytes + model_below(model, 100);
        dst.offset_bytes =
            model_below(model, MODEL_BYTES - dst.pitch_bytes * (dst.rows - 1) - dst.row_bytes + 1);
    }
    rig_need(fgpu_buffer_copy(model->buffers[to], &dst, model->buffers[!to], &from));
    for (uint64_t row = 0; row < from.rows; row++) {
        unsigned char *at = kind == 0 ? model->bytes[to] + dst.offset_bytes + row * from.row_bytes
                                      : model_row(model, to, &dst, row);
        memcpy(at, model_row(model, !to, &from, row), from.row_bytes);
    }
}

static void model_run(const char *options, uint64_t seed)
{
    static struct model model;
    rig_open(options);
    rng_init(&model.rng, seed);
    for (int which = 0; which < 2; which++) {
        model.buffers[which] = rig_buffer(MODEL_BYTES);
        memset(model.bytes[which], which, MODEL_BYTES);
        rig_need(fgpu_buffer_write(model.buffers[which], NULL, model.bytes[which], 0));
    }
    for (uint32_t i = 0; i < 400; i++) {
        int which = (int)model_below(&model, 2);
        switch (model_below(&model, 5)) {
        case 0:
            model_write(&model, which, model_below(&model, 2));
            break;
        case 1:
            model_read(&model, which, model_below(&model, 2));
            break;
        case 2:
        case 3:
            model_fill(&model, which);
            break;
        default:
            model_copy(&model, which);
        }
    }
    for (int which = 0; which < 2; which++) {
        unsigned char all[MODEL_BYTES];
        rig_need(fgpu_buffer_read(model.buffers[which], NULL, all, 0));
        if (memcmp(all, model.bytes[which], sizeof all) != 0) {
            seed_print("test_api_pool", seed);
            fail_msg("%s: buffer %d is not what the model has", options, which);
        }
    }
    rig_need(fgpu_pool_close(rig_pool));
}

static void test_data(void **state)
{
    (void)state;
    uint64_t seed = seed_get(1), count = seed_count(5);
    for (uint64_t i = 0; i < count; i++) {
        model_run("devices=cpu;workers=2;cache=;log=off;validate", seed + i);
        model_run("devices=sim:2;cache=;log=off;validate", seed + i);
        model_run("devices=sim:2,cpu;cache=;log=off;device-memory=16KiB", seed + i);
    }
}

/* ---- order ------------------------------------------------------------------------------- */

struct order {
    _Atomic uint32_t count;
    uint32_t numbers[300];
};

struct order_one {
    struct order *order;
    uint32_t number;
};

static int order_note(void *const *args, void *user)
{
    (void)args;
    struct order_one *one = user;
    one->order->numbers[atomic_add_seqcst_u32(&one->order->count, 1)] = one->number;
    return 0;
}

static fgpu_task order_submit(struct order_one *one, int32_t priority, const fgpu_task *after,
                              uint32_t after_count)
{
    fgpu_task task;
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = order_note;
    desc.host_user = one;
    desc.priority = priority;
    desc.after = after;
    desc.after_count = after_count;
    rig_need(fgpu_task_submit(rig_pool, &desc, &task));
    return task;
}

static fgpu_task gate_submit(struct rig_gate *gate)
{
    fgpu_task held, join;
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = rig_wait_at_gate;
    desc.host_user = gate;
    rig_need(fgpu_task_submit(rig_pool, &desc, &held));
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_EMPTY;
    desc.after = &held;
    desc.after_count = 1;
    rig_need(fgpu_task_submit(rig_pool, &desc, &join));
    return join;
}

/* One worker, all become ready at once: the highest priority first, behind what the worker's queue
 * took before it knew of the others (64 at most). */
static void test_priority(void **state)
{
    (void)state;
    rig_open("devices=cpu;workers=1;cache=;log=off");
    static struct order order;
    static struct order_one ones[300];
    struct rig_gate gate = {0};
    atomic_store_release_u32(&order.count, 0);
    fgpu_task join = gate_submit(&gate);
    for (uint32_t i = 0; i < 300; i++) {
        ones[i] = (struct order_one){&order, i};
        (void)order_submit(&ones[i], (int32_t)(i % 3) * 10 - 10, &join, 1);
    }
    atomic_store_release_u32(&gate.open, 1);
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(atomic_load_acquire_u32(&order.count), 300);
    for (uint32_t i = 65; i < 300; i++)
        assert_true(order.numbers[i] % 3 <= order.numbers[i - 1] % 3);
    rig_need(fgpu_pool_close(rig_pool));
}

/* A diamond over and over: `after` holds without any data. */
static void test_after(void **state)
{
    (void)state;
    static struct order order;
    for (uint32_t round = 0; round < 500; round++) {
        struct order_one ones[4];
        fgpu_task tasks[4];
        atomic_store_release_u32(&order.count, 0);
        for (uint32_t i = 0; i < 4; i++)
            ones[i] = (struct order_one){&order, i};
        tasks[0] = order_submit(&ones[0], 0, NULL, 0);
        tasks[1] = order_submit(&ones[1], 5, tasks, 1);
        tasks[2] = order_submit(&ones[2], -5, tasks, 1);
        tasks[3] = order_submit(&ones[3], 9, tasks, 3);
        rig_need(fgpu_task_wait(tasks[3], FGPU_FOREVER));
        assert_int_equal(atomic_load_acquire_u32(&order.count), 4);
        assert_int_equal(order.numbers[0], 0);
        assert_int_equal(order.numbers[3], 3);
    }
    rig_works();
}

/* ---- callbacks and time-outs --------------------------------------------------------------- */

struct told {
    fgpu_task task;
    fgpu_status status;
    _Atomic uint32_t calls;
};

static void told_done(fgpu_task task, fgpu_status status, void *user)
{
    struct told *told = user;
    told->task = task;
    told->status = status;
    (void)atomic_add_seqcst_u32(&told->calls, 1);
}

static void test_callbacks(void **state)
{
    (void)state;
    static struct told told[300];
    static fgpu_task tasks[300];
    _Atomic uint32_t calls = 0;
    memset(told, 0, sizeof told);
    struct rig_gate gate = {0};
    fgpu_task join = gate_submit(&gate);
    for (uint32_t i = 0; i < 300; i++) {
        fgpu_task_desc desc;
        fgpu_task_desc_init(&desc);
        desc.kind = FGPU_TASK_HOST;
        desc.host_fn = i % 3 == 1 ? rig_fail : rig_count;
        desc.host_user = &calls;
        desc.on_done = told_done;
        desc.on_done_user = &told[i];
        desc.after = &join;
        desc.after_count = 1;
        rig_need(fgpu_task_submit(rig_pool, &desc, &tasks[i]));
        if (i % 3 == 2)
            rig_need(fgpu_task_cancel(tasks[i]));
    }
    atomic_store_release_u32(&gate.open, 1);
    assert_int_equal(fgpu_pool_wait(rig_pool, FGPU_FOREVER), FGPU_E_TASK);
    for (uint32_t i = 0; i < 300; i++) {
        fgpu_status expected = i % 3 == 1 ? FGPU_E_TASK : (i % 3 == 2 ? FGPU_E_CANCELLED : FGPU_OK);
        assert_int_equal(atomic_load_acquire_u32(&told[i].calls), 1);
        assert_int_equal(told[i].status, expected);
        assert_int_equal(told[i].task.bits, tasks[i].bits);
        assert_int_equal(fgpu_task_wait(tasks[i], FGPU_FOREVER), expected);
        rig_need(fgpu_task_forget(tasks[i]));
    }
    assert_int_equal(atomic_load_acquire_u32(&calls), 100);
    fgpu_pool_stats stats = rig_stats();
    assert_int_equal(stats.tasks_submitted, 302);
    assert_int_equal(stats.tasks_done, 102);
    assert_int_equal(stats.tasks_failed, 100);
    assert_int_equal(stats.tasks_cancelled, 100);
    rig_works();
}

static void test_time_outs(void **state)
{
    (void)state;
    struct rig_gate gate = {0};
    fgpu_task join = gate_submit(&gate);
    uint64_t begin_ns = clock_now_ns();
    rig_refused(fgpu_task_wait(join, 0), FGPU_E_TIMEOUT, "not ended");
    rig_refused(fgpu_pool_wait(rig_pool, 0), FGPU_E_TIMEOUT, "pending");
    assert_true(clock_now_ns() - begin_ns < 1000000000u);
    begin_ns = clock_now_ns();
    rig_refused(fgpu_task_wait(join, 20000000), FGPU_E_TIMEOUT, "20000000");
    assert_true(clock_now_ns() - begin_ns >= 20000000u);
    begin_ns = clock_now_ns();
    rig_refused(fgpu_pool_wait(rig_pool, 20000000), FGPU_E_TIMEOUT, "20000000");
    assert_true(clock_now_ns() - begin_ns >= 20000000u);
    atomic_store_release_u32(&gate.open, 1);
    rig_need(fgpu_task_wait(join, UINT64_MAX - 1)); /* now + that much wraps around */
    rig_need(fgpu_pool_wait(rig_pool, UINT64_MAX - 1));
    rig_need(fgpu_task_wait(join, 0));
    rig_need(fgpu_pool_wait(rig_pool, 0));
    rig_works();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_several_pools), cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_hooks),         RIG_ON(cpu, test_trace),
        RIG_ON(cpu, test_zero_copy),          cmocka_unit_test(test_data),
        cmocka_unit_test(test_priority),      RIG_ON(cpu, test_after),
        RIG_ON(cpu, test_callbacks),          RIG_ON(cpu, test_time_outs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
