/* Kernels that make way for urgent ones (core/preempt.c), step by step, on devices of the test's
 * own (tests/lib/engine_rig.h). Each kernel adds one to every byte of its buffer, so that a work
 * group that ran twice, or not at all, shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "core/preempt.h"
#include "core/serve.h"
#include "tests/lib/engine_rig.h"

#define LOCAL 16u
#define GROUPS 2048u
#define BYTES (GROUPS * LOCAL)
#define BATCH_NS 204800000u /* 0.1 ms a group */
#define URGENT_NS 40000u

static struct engine_rig rig;
static uint8_t contents[4][BYTES];
static uint32_t buffers[4];
static const uint32_t one_queue[] = {1, 1};

static void know(uint32_t device, uint64_t bytes, uint64_t ns)
{
    for (uint32_t i = 0; i < 8; i++)
        history_learn(&rig.history, engine_kernel(&rig.engine, rig.inc)->key,
                      rig.engine.devices[device].key, bytes, ns);
}

static void open_sides(uint32_t devices, uint32_t preempt, uint32_t sides)
{
    static const uint32_t two_queues[] = {2, 2};
    const struct engine_rig_setup setup = {.queues = sides > 0 ? two_queues : one_queue,
                                           .devices = devices,
                                           .slices = true,
                                           .side_queues = sides,
                                           .fill_groups = 2 * sides,
                                           .preempt = preempt,
                                           .host_memory = true,
                                           .policy = "eft",
                                           .budget_ns = 500000};
    engine_rig_open_as(&rig, &setup);
    memset(contents, 0, sizeof contents);
    for (uint32_t i = 0; i < 4; i++)
        buffers[i] = engine_rig_buffer(&rig, BYTES, contents[i]);
    assert_int_equal(serve_begin(&rig.engine), FGPU_OK);
    for (uint32_t d = 0; d < devices; d++) {
        know(d, BYTES, BATCH_NS);
        know(d, LOCAL, URGENT_NS);
    }
    for (uint32_t d = 0; d < devices; d++) /* the kernel is built */
        (void)engine_rig_inc(&rig, engine_rig_buffer(&rig, LOCAL, NULL), LOCAL, (uint16_t)d);
    engine_rig_finish(&rig);
}

static void open_devices(uint32_t devices, uint32_t preempt)
{
    open_sides(devices, preempt, 0);
}

static void close_devices(void)
{
    engine_rig_finish(&rig);
    assert_int_equal(rig.engine.pending_tasks, 0);
    for (uint32_t g = 0; g < rig.guard_count; g++)
        assert_false(rig.guards[g].open);
    engine_rig_close(&rig);
}

static uint32_t submit(uint32_t buffer, uint64_t bytes, uint8_t rank, uint32_t after)
{
    struct submit_arg arg = engine_rig_arg(buffer, FGPU_READ | FGPU_WRITE, 0, bytes);
    struct task_terms terms = {.deadline_ns = UINT64_MAX, .rank = rank};
    struct submit_request request = {.kind = TASK_KERNEL,
                                     .arg_count = 1,
                                     .kernel = rig.inc,
                                     .args = &arg,
                                     .pin = TASK_DEVICE_ANY,
                                     .dims = 1,
                                     .global = {bytes, 1, 1},
                                     .local = {LOCAL, 1, 1},
                                     .terms = &terms};
    return engine_rig_submit(&rig, &request, after);
}

static uint32_t batch(uint32_t which)
{
    return submit(buffers[which], BYTES, SERVE_BATCH, TASK_NONE);
}

static uint32_t urgent(uint32_t which)
{
    return submit(buffers[which], LOCAL, SERVE_URGENT, TASK_NONE);
}

static uint64_t in_flight(uint32_t lane)
{
    return rig.lanes[lane].taken - rig.lanes[lane].done;
}

static const fgpu_cmd_slice *newest(uint32_t lane)
{
    const fgpu_cmd_launch *launch = rig.lanes[lane].commands[rig.lanes[lane].taken].body;
    assert_int_equal(launch->part, FGPU_LAUNCH_SLICE);
    return (const fgpu_cmd_slice *)(const void *)launch;
}

/* The lane's next command takes so long, by the device's clock. */
static void work_one(uint32_t lane, uint64_t ns)
{
    rig.lanes[lane].start_ns = rig.lanes[lane].end_ns + 1000;
    rig.lanes[lane].end_ns = rig.lanes[lane].start_ns + ns;
    engine_rig_work(&rig, lane, rig.lanes[lane].done + 1);
    engine_rig_turn(&rig);
}

static void assert_ran(uint32_t which, uint64_t begin, uint64_t end, uint8_t times)
{
    for (uint64_t i = begin; i < end; i++)
        if (contents[which][i] != times)
            fail_msg("byte %llu of buffer %u ran %u times", (unsigned long long)i, which,
                     contents[which][i]);
}

static void test_a_guard_makes_way(void **state)
{
    (void)state;
    open_devices(1, FGPU_POOL_PREEMPT_AUTO);
    uint32_t task = batch(0);
    engine_rig_turn(&rig);
    assert_int_equal(in_flight(0), 1);
    assert_int_equal(rig.guard_count, 1);
    assert_int_equal(newest(0)->count, 200); /* 20 ms */
    uint32_t soon = urgent(1);
    engine_rig_turn(&rig);
    assert_true(rig.guards[0].stop);
    assert_int_equal(in_flight(0), 2); /* right behind it */
    rig.stop_after = 3;
    work_one(0, 300000);
    assert_int_equal(engine_rig_state(&rig, task), FGPU_TASK_RUNNING);
    assert_false(rig.guards[0].stop);
    assert_ran(0, 0, 3 * LOCAL, 1);
    assert_ran(0, 3 * LOCAL, BYTES, 0);
    assert_int_equal(in_flight(0), 1); /* more urgent work may follow */
    work_one(0, URGENT_NS);
    assert_int_equal(in_flight(0), 1);
    assert_int_equal(newest(0)->first, 0);
    assert_int_equal(engine_rig_state(&rig, soon), FGPU_TASK_DONE);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, task), FGPU_TASK_DONE);
    assert_ran(0, 0, BYTES, 1);
    assert_int_equal(rig.engine.stats.preemptions, 1);
    close_devices();
}

static void test_slices_hold_back(void **state)
{
    (void)state;
    open_devices(1, FGPU_POOL_PREEMPT_SLICES);
    uint32_t task = batch(0);
    engine_rig_turn(&rig);
    assert_int_equal(rig.guard_count, 0);
    assert_int_equal(in_flight(0), 2);
    assert_int_equal(newest(0)->first, 9); /* nine tenths of a millisecond each */
    assert_int_equal(newest(0)->count, 9);
    work_one(0, 200000);
    assert_int_equal(in_flight(0), 2);
    uint32_t soon = urgent(1);
    engine_rig_turn(&rig);
    assert_int_equal(in_flight(0), 3); /* right behind them */
    assert_int_equal(engine_rig_state(&rig, soon), FGPU_TASK_RUNNING);
    work_one(0, 200000);
    assert_int_equal(in_flight(0), 2); /* and no further slice */
    work_one(0, 200000);
    work_one(0, URGENT_NS);
    assert_int_equal(engine_rig_state(&rig, soon), FGPU_TASK_DONE);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, task), FGPU_TASK_DONE);
    assert_ran(0, 0, BYTES, 1);
    close_devices();
}

/* Nobody measured it before: slices begin small and grow to their time. */
static void test_unknown_slices_grow(void **state)
{
    (void)state;
    open_devices(1, FGPU_POOL_PREEMPT_SLICES);
    engine_kernel(&rig.engine, rig.inc)->key = 12345;
    (void)batch(0);
    engine_rig_turn(&rig);
    assert_int_equal(newest(0)->count, 4);
    work_one(0, 4 * 1000);
    assert_int_equal(newest(0)->count, 900);
    engine_rig_finish(&rig);
    assert_ran(0, 0, BYTES, 1);
    close_devices();
}

static void test_off(void **state)
{
    (void)state;
    open_devices(1, FGPU_POOL_PREEMPT_OFF);
    (void)batch(0);
    engine_rig_turn(&rig);
    const fgpu_cmd_launch *launch = rig.lanes[0].commands[rig.lanes[0].taken].body;
    assert_int_equal(launch->part, FGPU_LAUNCH_WHOLE);
    assert_int_equal(rig.forms_made, 0);
    close_devices();
}

/* What a kernel or a device does not allow is tried once. */
static void test_forms_that_fail(void **state)
{
    (void)state;
    static const struct {
        uint32_t fail;
        bool no_guards;
        uint32_t made, part;
        uint64_t guards;
    } cases[] = {{1u << FGPU_FORM_GUARDED, false, 2, FGPU_LAUNCH_SLICE, 0},
                 {1u << FGPU_FORM_GUARDED | 1u << FGPU_FORM_SLICED, false, 2, FGPU_LAUNCH_WHOLE, 0},
                 {0, true, 2, FGPU_LAUNCH_SLICE, 0},
                 {1u << FGPU_FORM_SLICED, false, 1, FGPU_LAUNCH_SLICE, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_devices(1, FGPU_POOL_PREEMPT_AUTO);
        rig.forms_fail = cases[i].fail;
        rig.no_guards = cases[i].no_guards;
        (void)batch(0);
        engine_rig_turn(&rig);
        const fgpu_cmd_launch *launch = rig.lanes[0].commands[rig.lanes[0].taken].body;
        assert_int_equal(launch->part, cases[i].part);
        engine_rig_finish(&rig);
        (void)batch(1);
        engine_rig_finish(&rig);
        assert_int_equal(rig.forms_made, cases[i].made);
        assert_int_equal(rig.guard_count, cases[i].guards);
        assert_ran(0, 0, BYTES, 1);
        assert_ran(1, 0, BYTES, 1);
        close_devices();
    }
}

/* What is known to be short, urgent, or of one group runs whole. */
static void test_whole_ones(void **state)
{
    (void)state;
    open_devices(1, FGPU_POOL_PREEMPT_AUTO);
    (void)submit(buffers[0], LOCAL, SERVE_BATCH, TASK_NONE);
    (void)submit(buffers[1], BYTES, SERVE_URGENT, TASK_NONE);
    engine_rig_finish(&rig);
    assert_int_equal(rig.forms_made, 0);
    assert_ran(1, 0, BYTES, 1);
    close_devices();
}

/* Nobody follows it in its queue, for more of it may come there later. */
static void test_nobody_follows_it(void **state)
{
    (void)state;
    open_devices(1, FGPU_POOL_PREEMPT_AUTO);
    uint32_t task = batch(0);
    engine_rig_turn(&rig);
    uint32_t reader = submit(buffers[0], LOCAL, SERVE_URGENT, TASK_NONE); /* it inherits that */
    engine_rig_turn(&rig);
    assert_int_equal(in_flight(0), 1);
    assert_int_equal(engine_rig_state(&rig, reader), FGPU_TASK_LINKED);
    assert_false(rig.guards[0].stop); /* it would stop what it waits for */
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, task), FGPU_TASK_DONE);
    assert_ran(0, 0, LOCAL, 2);
    assert_ran(0, LOCAL, BYTES, 1);
    close_devices();
}

static void test_a_launch_that_fails(void **state)
{
    (void)state;
    for (uint32_t way = FGPU_POOL_PREEMPT_SLICES; way <= FGPU_POOL_PREEMPT_GUARD; way++) {
        open_devices(1, way);
        uint32_t task = batch(0);
        uint32_t other = batch(1);
        engine_rig_turn(&rig);
        work_one(0, 200000);
        rig.lanes[0].fails[rig.lanes[0].done + 1] = true;
        engine_rig_finish(&rig);
        assert_int_equal(engine_rig_state(&rig, task), FGPU_TASK_FAILED);
        assert_int_equal(engine_rig_state(&rig, other), FGPU_TASK_DONE);
        assert_ran(1, 0, BYTES, 1);
        engine_forget(&rig.engine, task);
        close_devices();
    }
}

/* The device dies while the task runs there, or waits for its turn: it runs elsewhere, or fails,
 * as any other that had started. */
static void test_a_device_that_is_lost(void **state)
{
    (void)state;
    for (uint32_t waits = 0; waits < 2; waits++) {
        open_devices(2, FGPU_POOL_PREEMPT_AUTO);
        uint32_t task = batch(0);
        engine_rig_turn(&rig);
        uint32_t lane = in_flight(0) > 0 ? 0 : 1;
        uint32_t count = 0, soon[8];
        for (uint32_t i = 0; i < 8 && waits; i++, count++)
            soon[i] = urgent(1 + i % 3);
        engine_rig_turn(&rig);
        if (waits)
            work_one(lane, 100000);
        engine_rig_lose(&rig, lane);
        engine_rig_finish(&rig);
        assert_true(task_state_ended(engine_rig_state(&rig, task)));
        for (uint32_t i = 0; i < count; i++)
            assert_true(task_state_ended(engine_rig_state(&rig, soon[i])));
        for (uint32_t failure; (failure = engine_take_failure(&rig.engine)) != TASK_NONE;)
            engine_forget(&rig.engine, failure);
        close_devices();
    }
}

/* Urgent work without end: the batch keeps its guaranteed part of the time. */
static void test_the_floor_holds(void **state)
{
    (void)state;
    for (uint32_t way = FGPU_POOL_PREEMPT_SLICES; way <= FGPU_POOL_PREEMPT_GUARD; way++) {
        open_devices(1, way);
        rig.stop_after = 1;
        uint64_t batch_ns = 0, all_ns = 0;
        (void)batch(0);
        engine_rig_turn(&rig);
        for (uint32_t i = 0; i < 10000; i++) {
            const fgpu_cmd_launch *next = rig.lanes[0].commands[rig.lanes[0].done + 1].body;
            uint64_t ns = 400000; /* what it had at first is long ago then */
            while (rig.engine.serve->urgent < 4)
                (void)urgent(1 + i % 3);
            engine_rig_turn(&rig);
            if (next->part == FGPU_LAUNCH_SLICE) {
                const fgpu_cmd_slice *slice = (const fgpu_cmd_slice *)(const void *)next;
                bool stops = slice->guard != 0 && rig.guards[slice->guard - 1].stop;
                ns = stops ? 100000 : slice->count * 100000;
                batch_ns += ns;
            }
            all_ns += ns;
            engine_clock(&rig.engine, rig.engine.now_ns + ns);
            work_one(0, ns);
        }
        assert_true(rig.lanes[0].taken < RIG_COMMANDS);
        double share = (double)batch_ns / (double)all_ns;
        if (share < 0.02 || share > 0.15)
            fail_msg("batch work had %.3f of the time", share);
        close_devices();
    }
}

/* Where the device has a side queue an urgent task goes there at once, beside what makes way; the
 * next one is chosen when it has ended, and not before. */
static void test_urgent_ones_beside_it(void **state)
{
    (void)state;
    open_sides(1, FGPU_POOL_PREEMPT_AUTO, 1);
    uint32_t task = batch(0);
    engine_rig_turn(&rig);
    assert_int_equal(in_flight(0), 1);
    uint32_t first = submit(buffers[1], BYTES / 8, SERVE_URGENT, TASK_NONE);
    engine_rig_turn(&rig);
    assert_int_equal(task_state(engine_task(&rig.engine, first)), FGPU_TASK_RUNNING);
    assert_int_equal(in_flight(1), 1);
    assert_true(rig.guards[0].stop);
    uint32_t second = submit(buffers[2], BYTES / 8, SERVE_URGENT, TASK_NONE);
    engine_rig_turn(&rig);
    assert_int_equal(task_state(engine_task(&rig.engine, second)), FGPU_TASK_READY);
    work_one(1, 1000000);
    assert_int_equal(task_state(engine_task(&rig.engine, second)), FGPU_TASK_RUNNING);
    assert_int_equal(task_state(engine_task(&rig.engine, task)), FGPU_TASK_RUNNING);
    close_devices();
    assert_ran(0, 0, BYTES, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_guard_makes_way),     cmocka_unit_test(test_slices_hold_back),
        cmocka_unit_test(test_unknown_slices_grow),   cmocka_unit_test(test_off),
        cmocka_unit_test(test_forms_that_fail),       cmocka_unit_test(test_whole_ones),
        cmocka_unit_test(test_nobody_follows_it),     cmocka_unit_test(test_a_launch_that_fails),
        cmocka_unit_test(test_a_device_that_is_lost), cmocka_unit_test(test_the_floor_holds),
        cmocka_unit_test(test_urgent_ones_beside_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
