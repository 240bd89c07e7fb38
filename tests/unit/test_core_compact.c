/* Blocks that move within a device's memory, step by step on devices of the test's own
 * (tests/lib/engine_rig.h). A test that hangs is ended by an alarm.
 *
 * The device holds eight parts in one slab: a, b, c and d have two each, a and c go, and e needs
 * four. Only b moves, behind nothing and before everything that uses it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <unistd.h>

#include "core/compact.h"
#include "tests/lib/engine_rig.h"

#define PART 65536u
#define ALARM_S 20u

static struct engine_rig rig;
static uint32_t b, d, e, task;
static uint8_t bytes[4 * PART];

/* Up to where the copy has been handed out. */
static void open_with_holes(void)
{
    static const uint32_t one_queue[] = {1};
    (void)alarm(ALARM_S);
    engine_rig_open_as(&rig, &(struct engine_rig_setup){
                                 .queues = one_queue, .devices = 1, .device_bytes = 8 * PART});
    uint32_t a = engine_rig_buffer(&rig, 2 * PART, NULL);
    b = engine_rig_buffer(&rig, 2 * PART, NULL);
    uint32_t c = engine_rig_buffer(&rig, 2 * PART, NULL);
    d = engine_rig_buffer(&rig, 2 * PART, NULL);
    const uint32_t all[] = {a, b, c, d};
    for (uint8_t i = 0; i < 4; i++) {
        engine_rig_fill(&rig, all[i], 0, 2 * PART, (uint8_t)(10 + i), 0);
        engine_rig_finish(&rig);
    }
    engine_buffer_destroy(&rig.engine, a);
    engine_buffer_destroy(&rig.engine, c);
    e = engine_rig_buffer(&rig, 4 * PART, NULL);
    task = engine_rig_fill(&rig, e, 0, 4 * PART, 77, 0);
    engine_rig_turn(&rig);
    assert_int_equal(rig.engine.compactions, 1);
    assert_int_equal(rig.lanes[0].taken, rig.lanes[0].done + 1);
}

static void close_after(uint64_t evictions, uint8_t in_b)
{
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, task), FGPU_TASK_DONE);
    assert_int_equal(rig.engine.stats.evictions, evictions);
    assert_true(engine_rig_read(&rig, b, 0, 2 * PART, bytes));
    assert_int_equal(bytes[0], in_b);
    assert_int_equal(bytes[2 * PART - 1], in_b);
    assert_true(engine_rig_read(&rig, d, 0, 2 * PART, bytes));
    assert_int_equal(bytes[PART], 13);
    assert_true(engine_rig_read(&rig, e, 0, 4 * PART, bytes));
    assert_int_equal(bytes[0], 77);
    assert_int_equal(bytes[4 * PART - 1], 77);
    engine_rig_close(&rig);
}

static void test_moves(void **state)
{
    (void)state;
    open_with_holes();
    uint64_t before = engine_block(engine_buffer(&rig.engine, b), 1)->heap.offset;
    engine_rig_work(&rig, 0, UINT64_MAX);
    assert_int_not_equal(engine_block(engine_buffer(&rig.engine, b), 1)->heap.offset, before);
    assert_int_equal(engine_block(engine_buffer(&rig.engine, b), 1)->pins, 0);
    close_after(0, 11);
}

/* A task on b while it moves waits, and uses the new place. */
static void test_used_meanwhile(void **state)
{
    (void)state;
    open_with_holes();
    uint32_t inc = engine_rig_inc(&rig, b, 2 * PART, 0);
    engine_rig_turn(&rig);
    assert_int_equal(rig.lanes[0].taken, rig.lanes[0].done + 1); /* not handed out */
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, inc), FGPU_TASK_DONE);
    close_after(0, 12);
}

/* Nothing has happened to b; e gets its room in another way. */
static void test_fails(void **state)
{
    (void)state;
    open_with_holes();
    rig.lanes[0].fails[rig.lanes[0].done + 1] = true;
    uint64_t before = engine_block(engine_buffer(&rig.engine, b), 1)->heap.offset;
    engine_rig_work(&rig, 0, UINT64_MAX);
    assert_int_equal(engine_block(engine_buffer(&rig.engine, b), 1)->heap.offset, before);
    close_after(0, 11); /* the second try moves it */
}

static void test_lost(void **state)
{
    (void)state;
    open_with_holes();
    engine_rig_lose(&rig, 0);
    engine_rig_finish(&rig);
    assert_true(task_state_ended(engine_rig_state(&rig, task)));
    assert_false(engine_rig_read(&rig, b, 0, 2 * PART, bytes));
    engine_rig_close(&rig);
}

/* The buffer goes while its block moves. */
static void test_destroyed(void **state)
{
    (void)state;
    open_with_holes();
    engine_buffer_destroy(&rig.engine, b);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, task), FGPU_TASK_DONE);
    assert_true(engine_rig_read(&rig, e, 0, 4 * PART, bytes));
    assert_int_equal(bytes[0], 77);
    engine_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_moves),
                                       cmocka_unit_test(test_used_meanwhile),
                                       cmocka_unit_test(test_fails), cmocka_unit_test(test_lost),
                                       cmocka_unit_test(test_destroyed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
