/* Tasks that do not fill a device run beside others there, and times that were shared teach nothing
 * (core/beside.c), on a device of the test's own (tests/lib/engine_rig.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/lib/engine_rig.h"

#define BYTES 4096u
#define TASK_NS 100000u

static struct engine_rig rig;
static const uint32_t three_queues[] = {3};

static void open_device(uint32_t fill_groups)
{
    const struct engine_rig_setup setup = {.queues = three_queues,
                                           .devices = 1,
                                           .side_queues = 2,
                                           .fill_groups = fill_groups,
                                           .budget_ns = 500000};
    engine_rig_open_as(&rig, &setup);
    /* The kernel is built, and the device has all memory that will be needed. */
    for (uint32_t i = 0; i < 64; i++)
        (void)engine_rig_inc(&rig, engine_rig_buffer(&rig, BYTES, NULL), BYTES, 0);
    engine_rig_finish(&rig);
}

static void close_device(void)
{
    engine_rig_finish(&rig);
    engine_rig_close(&rig);
}

/* `groups` work groups of `local` items (0: the device chooses), on a buffer of its own. */
static uint32_t submit(uint32_t groups, uint32_t local)
{
    struct submit_arg arg =
        engine_rig_arg(engine_rig_buffer(&rig, BYTES, NULL), FGPU_READ | FGPU_WRITE, 0, BYTES);
    struct submit_request request = {.kind = TASK_KERNEL,
                                     .arg_count = 1,
                                     .kernel = rig.inc,
                                     .args = &arg,
                                     .pin = TASK_DEVICE_ANY,
                                     .dims = 1,
                                     .global = {groups * 16, 1, 1},
                                     .local = {local, local > 0, local > 0}};
    return engine_rig_submit(&rig, &request, TASK_NONE);
}

static void knows_small(uint64_t ns)
{
    uint64_t key = engine_kernel(&rig.engine, rig.inc)->key;
    for (uint32_t i = 0; i < 8; i++)
        history_learn(&rig.history, key, rig.engine.devices[0].key, 16, ns);
}

/* Of tasks of 1600 items, by an earlier process. */
static void load(uint64_t ns)
{
    struct history other;
    struct vec blob;
    history_init(&other, 0, NULL);
    vec_init(&blob, 1, NULL);
    for (uint32_t i = 0; i < 9; i++)
        history_learn(&other, engine_kernel(&rig.engine, rig.inc)->key, rig.engine.devices[0].key,
                      1600, ns);
    assert_int_equal(history_save(&other, &blob), FGPU_OK);
    assert_int_equal(history_load(&rig.history, blob.items, blob.count), FGPU_OK);
    vec_fini(&blob);
    history_fini(&other);
}

static uint64_t in_flight(uint32_t lane)
{
    return rig.lanes[lane].taken - rig.lanes[lane].done;
}

static void test_small_ones_side_by_side(void **state)
{
    (void)state;
    open_device(6);
    for (uint32_t i = 0; i < 6; i++)
        (void)submit(2, 16); /* three of two groups fill it */
    engine_rig_turn(&rig);
    for (uint32_t lane = 0; lane < 3; lane++)
        assert_int_equal(in_flight(lane), 2);
    close_device();
}

/* What is as short as handing it out stays together. */
static void test_short_ones_together(void **state)
{
    (void)state;
    open_device(6);
    knows_small(2000);
    for (uint32_t i = 0; i < 20; i++)
        (void)submit(1, 16);
    engine_rig_turn(&rig);
    assert_int_equal(in_flight(0), 20);
    close_device();
}

static void test_others_one_by_one(void **state)
{
    (void)state;
    open_device(6);
    (void)submit(3, 16);
    (void)submit(1000, 16);
    (void)submit(1, 0); /* nobody knows how many groups the device makes of it */
    engine_rig_turn(&rig);
    assert_true(in_flight(0) >= 2);
    assert_int_equal(in_flight(1) + in_flight(2), 0);
    engine_rig_finish(&rig);
    assert_int_equal(in_flight(1) + in_flight(2), 0);
    close_device();
}

/* A task that waits for a small one does not follow it into its lane, unless it is small, too. */
static void test_followers(void **state)
{
    (void)state;
    open_device(6);
    for (uint32_t i = 0; i < 40; i++) {
        struct submit_arg arg =
            engine_rig_arg(engine_rig_buffer(&rig, BYTES, NULL), FGPU_READ | FGPU_WRITE, 0, BYTES);
        struct submit_request request = {.kind = TASK_KERNEL,
                                         .arg_count = 1,
                                         .kernel = rig.inc,
                                         .args = &arg,
                                         .pin = TASK_DEVICE_ANY,
                                         .dims = 1,
                                         .local = {16, 1, 1},
                                         .global = {16, 1, 1}};
        (void)engine_rig_submit(&rig, &request, TASK_NONE);
        request.global[0] = 16000;
        (void)engine_rig_submit(&rig, &request, TASK_NONE);
    }
    engine_rig_turn(&rig);
    for (uint32_t lane = 0; lane < 3; lane++)
        for (uint64_t n = 1; n <= rig.lanes[lane].taken; n++) {
            const fgpu_cmd *cmd = &rig.lanes[lane].commands[n];
            if (cmd->kind == FGPU_CMD_LAUNCH && n > rig.lanes[lane].done && lane > 0)
                assert_int_equal(((const fgpu_cmd_launch *)cmd->body)->global[0], 16);
        }
    close_device();
}

/* The next command of the lane has run for so long and ended now. */
static void ends(uint32_t lane, uint64_t ns)
{
    struct engine_rig_lane *of = &rig.lanes[lane];
    of->end_ns = rig.engine.now_ns;
    of->start_ns = of->end_ns - ns;
    engine_rig_work(&rig, lane, of->done + 1);
    of->start_ns = of->end_ns = 0;
}

static uint64_t learned(uint32_t size)
{
    uint64_t ns = 0;
    (void)history_predict(&rig.history, engine_kernel(&rig.engine, rig.inc)->key,
                          rig.engine.devices[0].key, size, &ns);
    return ns;
}

static void test_shared_time_teaches_nothing(void **state)
{
    (void)state;
    open_device(6);
    uint64_t now_ns = 1000 * (uint64_t)TASK_NS;
    knows_small(TASK_NS);
    for (uint32_t i = 0; i < 12; i++) {
        bool beside = i >= 6;
        engine_clock(&rig.engine, now_ns += 10 * TASK_NS);
        uint32_t wide = submit(100, 16);
        engine_rig_turn(&rig);
        if (beside) {
            (void)submit(1, 16);
            engine_rig_turn(&rig);
            assert_int_equal(in_flight(1) + in_flight(2), 1);
        }
        assert_int_equal(in_flight(0), 1);
        engine_clock(&rig.engine, now_ns += 10 * TASK_NS);
        if (beside && i % 2 == 0) /* before or after it */
            ends(in_flight(1) > 0 ? 1 : 2, TASK_NS);
        ends(0, beside ? 3 * TASK_NS : TASK_NS);
        if (beside && i % 2 == 1)
            ends(in_flight(1) > 0 ? 1 : 2, TASK_NS);
        engine_rig_turn(&rig);
        assert_true(task_state_ended(engine_rig_state(&rig, wide)));
        assert_in_range(learned(1600), TASK_NS * 9 / 10, TASK_NS * 11 / 10);
    }
    close_device();
}

/* What was not measured here, and cannot be true, gives way to what a shared time says at least: it
 * is no longer than that, and no shorter than its fair share of it. */
static void test_shared_time_corrects(void **state)
{
    static const struct {
        uint64_t loaded_ns, shared_ns, least_ns, most_ns;
    } cases[] = {{8 * TASK_NS, TASK_NS, TASK_NS, TASK_NS},         /* it is faster than that */
                 {TASK_NS / 8, TASK_NS, TASK_NS / 2, TASK_NS / 2}, /* it is slower than that */
                 {TASK_NS / 3 * 2, TASK_NS, TASK_NS / 2, TASK_NS * 3 / 4}}; /* who knows */
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        uint64_t now_ns = 1000 * (uint64_t)TASK_NS;
        open_device(6);
        knows_small(TASK_NS);
        load(cases[c].loaded_ns);
        for (uint32_t i = 0; i < 4; i++) {
            engine_clock(&rig.engine, now_ns += 10 * TASK_NS);
            (void)submit(100, 16);
            (void)submit(1, 16);
            engine_rig_turn(&rig);
            engine_clock(&rig.engine, now_ns += 10 * TASK_NS);
            ends(in_flight(1) > 0 ? 1 : 2, TASK_NS);
            ends(0, cases[c].shared_ns);
            engine_rig_turn(&rig);
        }
        assert_in_range(learned(1600), cases[c].least_ns, cases[c].most_ns);
        close_device();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_ones_side_by_side),
        cmocka_unit_test(test_short_ones_together),
        cmocka_unit_test(test_others_one_by_one),
        cmocka_unit_test(test_followers),
        cmocka_unit_test(test_shared_time_teaches_nothing),
        cmocka_unit_test(test_shared_time_corrects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
