/* A kernel that never ends is told of, and others run elsewhere (core/overdue.c), on devices of the
 * test's own (tests/lib/engine_rig.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/overdue.h"
#include "tests/lib/engine_rig.h"

#define BYTES 4096u
#define OVERDUE_NS 2000000000u

static struct engine_rig rig;
static const uint32_t queues[] = {1, 1};
static char told[512];

static void keep_text(void *user, int level, const char *text)
{
    (void)user;
    (void)level;
    (void)snprintf(told, sizeof told, "%s", text);
}

static void open_devices(uint32_t count)
{
    const struct engine_rig_setup setup = {
        .queues = queues, .devices = count, .host_memory = true, .overdue_ns = OVERDUE_NS};
    engine_rig_open_as(&rig, &setup);
    told[0] = '\0';
    log_set_level(&rig.log, FGPU_LOG_WARN);
    log_set_callback(&rig.log, keep_text, NULL);
    for (uint32_t d = 0; d < count; d++)
        (void)engine_rig_inc(&rig, engine_rig_buffer(&rig, BYTES, NULL), BYTES, (uint16_t)d);
    engine_rig_finish(&rig);
}

static uint32_t submit(uint16_t pin)
{
    return engine_rig_inc(&rig, engine_rig_buffer(&rig, BYTES, NULL), BYTES, pin);
}

static void pass(uint64_t ns)
{
    engine_clock(&rig.engine, rig.engine.now_ns + ns);
    engine_rig_turn(&rig);
}

static uint64_t in_flight(uint32_t lane)
{
    return rig.lanes[lane].taken - rig.lanes[lane].done;
}

static void test_others_go_elsewhere(void **state)
{
    (void)state;
    open_devices(2);
    uint32_t endless = submit(0);
    engine_rig_turn(&rig);
    uint64_t stays = in_flight(0);
    pass(OVERDUE_NS / 2);
    assert_string_equal(told, "");
    pass(OVERDUE_NS);
    assert_non_null(strstr(told, "has been running on device 0, queue 0 for 3.0 s"));
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t task = submit(TASK_DEVICE_ANY);
        engine_rig_turn(&rig);
        assert_int_equal(in_flight(0), stays);
        engine_rig_work(&rig, 1, rig.lanes[1].taken);
        engine_rig_turn(&rig);
        assert_int_equal(engine_rig_state(&rig, task), FGPU_TASK_DONE);
    }
    told[0] = '\0';
    pass(OVERDUE_NS);
    assert_string_equal(told, ""); /* once */
    engine_rig_work(&rig, 0, rig.lanes[0].taken);
    engine_rig_turn(&rig);
    assert_int_equal(engine_rig_state(&rig, endless), FGPU_TASK_DONE);
    assert_int_equal(rig.engine.lanes[0].rests, 0);
    engine_rig_finish(&rig);
    engine_rig_close(&rig);
}

/* What waits behind it leaves; where there is no other device it stays. */
static void test_the_backlog_leaves(void **state)
{
    (void)state;
    for (uint32_t devices = 1; devices <= 2; devices++) {
        open_devices(devices);
        (void)submit(0);
        engine_rig_turn(&rig);
        for (uint32_t i = 0; i < 20; i++)
            (void)submit(TASK_DEVICE_ANY);
        engine_rig_turn(&rig);
        pass(OVERDUE_NS + 1);
        assert_true(rig.engine.lanes[0].overdue);
        for (uint32_t i = 0; i < 40 && devices == 2; i++) {
            engine_rig_work(&rig, 1, rig.lanes[1].taken);
            engine_rig_turn(&rig);
        }
        assert_true(devices == 1 || rig.engine.pending_tasks == in_flight(0));
        engine_rig_finish(&rig);
        assert_int_equal(rig.engine.pending_tasks, 0);
        engine_rig_close(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_others_go_elsewhere),
                                       cmocka_unit_test(test_the_backlog_leaves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
