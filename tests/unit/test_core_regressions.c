/* Faults of the engine that were found once, each played through step by step on devices of the
 * test's own (tests/lib/engine_rig.h). A test that hangs is ended by an alarm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/engine_rig.h"

#define BYTES 64u
#define BIG_BYTES (8u << 20)
#define PIECES 5000u
#define ALARM_S 20u

static struct engine_rig rig;

static const uint32_t one_queue_each[] = {1, 1};
static const uint32_t two_queues[] = {2};

/* What a mapping of the first byte shows. */
static uint8_t first_byte(uint32_t buffer, uint64_t bytes)
{
    uint32_t map = engine_rig_map(&rig, buffer, bytes);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, map), FGPU_TASK_RUNNING);
    uint8_t value = *(uint8_t *)engine_map_address(&rig.engine, map);
    engine_unmap(&rig.engine, map);
    engine_rig_turn(&rig);
    return value;
}

/* The kernel is built and the buffers' memory is there. */
static void warm_up(uint32_t devices)
{
    uint32_t buffer = engine_rig_buffer(&rig, BYTES, NULL);
    for (uint16_t d = 0; d < devices; d++) {
        engine_rig_inc(&rig, buffer, BYTES, d);
        engine_rig_finish(&rig);
    }
}

/* Two tasks increment S on queue 0, both skipped because of a failure before them. The first one
 * comes back, and could run elsewhere, before the device has told about the second: then undoing
 * the second would make the contents from before the first the current ones. `led`: a reader of S
 * that went well lies before them in the queue, and its end has the first one looked at. */
static void skip_one_by_one(bool led)
{
    uint8_t s[BYTES] = {0};
    engine_rig_open(&rig, one_queue_each, 2, 0, 0);
    warm_up(2);
    uint32_t bx = engine_rig_buffer(&rig, BYTES, NULL), by = engine_rig_buffer(&rig, BYTES, NULL);
    uint32_t bs = engine_rig_buffer(&rig, BYTES, s), bf = engine_rig_buffer(&rig, BYTES, NULL);
    if (led) {
        engine_rig_copy(&rig, bx, bs, BYTES, 0);
        engine_rig_finish(&rig);
    }
    engine_rig_fill(&rig, bf, 0, BYTES, 1, 0);
    rig.lanes[0].fails[rig.lanes[0].taken + 1] = true;
    for (uint32_t i = 0; i < 3; i++) /* queue 1 has more to do, so that S goes to queue 0 */
        engine_rig_fill(&rig, by, i * 8, 8, 1, 1);
    engine_rig_turn(&rig);
    if (led)
        engine_rig_copy(&rig, bx, bs, BYTES, 0);
    engine_rig_inc(&rig, bs, BYTES, TASK_DEVICE_ANY);
    engine_rig_inc(&rig, bs, BYTES, TASK_DEVICE_ANY);
    engine_rig_turn(&rig);
    engine_rig_work(&rig, 1, UINT64_MAX);
    assert_int_equal(rig.lanes[0].taken - rig.lanes[0].done, 4); /* two others, two increments */
    engine_rig_work(&rig, 0, rig.lanes[0].taken - 1);
    engine_rig_turn(&rig);
    engine_rig_work(&rig, 0, rig.lanes[0].done + 1);
    engine_rig_finish(&rig);
    assert_int_equal(first_byte(bs, BYTES), 2);
    engine_rig_close(&rig);
}

static void test_skipped_behind_copy(void **state)
{
    (void)state;
    skip_one_by_one(false);
}

static void test_skipped_behind_task(void **state)
{
    (void)state;
    skip_one_by_one(true);
}

/* A task on device 0 that reads two buffers. */
static void read_both(uint32_t own, uint32_t a, uint32_t b)
{
    struct submit_arg args[3] = {
        {.kind = FGPU_ARG_BUFFER, .mode = FGPU_READ_WRITE, .buffer = own, .shape = {8, 8, 1}},
        {.kind = FGPU_ARG_BUFFER, .mode = FGPU_READ, .buffer = a, .shape = {BYTES, BYTES, 1}},
        {.kind = FGPU_ARG_BUFFER, .mode = FGPU_READ, .buffer = b, .shape = {BYTES, BYTES, 1}}};
    struct submit_request request = {.kind = TASK_KERNEL,
                                     .arg_count = 3,
                                     .args = args,
                                     .kernel = rig.inc,
                                     .pin = 0,
                                     .dims = 1,
                                     .global = {8, 1, 1}};
    (void)engine_rig_submit(&rig, &request, TASK_NONE);
}

/* A copy to queue 0 has failed, another one that will fail is on its way. An idle queue may not
 * take over a task that relies on it: it would go out behind the fence and not be skipped. */
static void test_steal_behind_failed_copy(void **state)
{
    (void)state;
    uint8_t s[BYTES], x[BYTES] = {0};
    memset(s, 7, sizeof s);
    engine_rig_open(&rig, one_queue_each, 2, 0, 100000);
    warm_up(2);
    uint32_t bs = engine_rig_buffer(&rig, BYTES, s), bx = engine_rig_buffer(&rig, BYTES, x);
    uint32_t by = engine_rig_buffer(&rig, BYTES, NULL), bz = engine_rig_buffer(&rig, BYTES, NULL);
    uint32_t big = engine_rig_buffer(&rig, BIG_BYTES, NULL);
    uint32_t to = engine_rig_buffer(&rig, BYTES, NULL), bw = engine_rig_buffer(&rig, BYTES, NULL);
    engine_rig_fill(&rig, by, 0, BYTES, 1, 1);
    engine_rig_fill(&rig, bw, 0, BYTES, 1, 0);
    engine_rig_fill(&rig, bz, 0, BYTES, 1, 0);
    engine_rig_finish(&rig);
    engine_rig_fill(&rig, big, 0, BIG_BYTES / 2, 1, 1);
    engine_rig_fill(&rig, big, BIG_BYTES / 2, BIG_BYTES / 2, 1, 1);
    for (uint32_t i = 2; i < 6; i++)
        engine_rig_fill(&rig, bz, i * 8, 8, 1, 0);
    engine_rig_turn(&rig);
    read_both(bz, bx, by); /* their copies to queue 0 go out; Y lies behind the big fills */
    engine_rig_turn(&rig);
    read_both(bw, bs, by);
    engine_rig_turn(&rig);
    engine_rig_copy(&rig, to, bs, BYTES, TASK_DEVICE_ANY); /* to queue 1, which is full */
    engine_rig_turn(&rig);
    uint64_t last = rig.lanes[0].taken;
    assert_int_equal(rig.lanes[0].commands[last - 1].kind, FGPU_CMD_COPY);
    assert_int_equal(rig.lanes[0].commands[last].kind, FGPU_CMD_COPY);
    assert_int_equal(rig.engine.lanes[1].backlog_count, 1);
    rig.lanes[0].fails[last - 1] = rig.lanes[0].fails[last] = true;
    engine_rig_work(&rig, 0, last - 1);
    engine_rig_turn(&rig);
    engine_rig_work(&rig, 0, UINT64_MAX);
    engine_rig_finish(&rig);
    assert_int_equal(first_byte(to, BYTES), 7);
    engine_rig_close(&rig);
}

/* Readers of a buffer whose last device was lost fail, but not those behind a full overwrite that
 * was waiting already when the device went. */
static void test_loss_before_overwrite(void **state)
{
    (void)state;
    engine_rig_open(&rig, one_queue_each, 2, 0, 0);
    warm_up(2);
    uint32_t bs = engine_rig_buffer(&rig, BYTES, NULL), bx = engine_rig_buffer(&rig, BYTES, NULL);
    uint8_t five = 5;
    engine_rig_fill(&rig, bs, 0, BYTES, 1, 0);
    engine_rig_finish(&rig);
    uint32_t gate = engine_rig_fill(&rig, bx, 0, BYTES, 1, 1);
    struct submit_arg arg = {
        .kind = FGPU_ARG_BUFFER, .mode = FGPU_WRITE, .buffer = bs, .shape = {BYTES, BYTES, 1}};
    struct submit_request request = {.kind = TASK_FILL,
                                     .arg_count = 1,
                                     .args = &arg,
                                     .kernel = TASK_NONE,
                                     .pin = TASK_DEVICE_ANY,
                                     .pattern = &five,
                                     .pattern_bytes = 1};
    uint32_t map = engine_rig_map(&rig, bx, BYTES); /* what it holds cannot follow in a queue */
    (void)engine_rig_submit(&rig, &request, map);
    engine_rig_turn(&rig);
    (void)gate;
    engine_device_lost(&rig.engine, 0, "the test says so");
    uint32_t after = engine_rig_map(&rig, bs, BYTES);
    engine_rig_finish(&rig);
    engine_unmap(&rig.engine, map);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, after), FGPU_TASK_RUNNING);
    assert_int_equal(*(uint8_t *)engine_map_address(&rig.engine, after), 5);
    engine_unmap(&rig.engine, after);
    engine_rig_finish(&rig);
    engine_rig_close(&rig);
}

/* FGPU_POOL_PREIMAGE keeps what a task wrote; not while its successor is writing there, on a queue
 * that the copy does not wait for. */
static void test_preimage_of_moving_target(void **state)
{
    (void)state;
    uint8_t s[BYTES] = {0};
    engine_rig_open(&rig, two_queues, 1, FGPU_POOL_PREIMAGE, 0);
    warm_up(1);
    uint32_t bs = engine_rig_buffer(&rig, BYTES, s), bx = engine_rig_buffer(&rig, BYTES, NULL);
    engine_rig_fill(&rig, bx, 0, 8, 1, 0);
    engine_rig_turn(&rig);
    engine_rig_fill(&rig, bs, 0, BYTES, 3, 0);
    engine_rig_turn(&rig);
    engine_rig_fill(&rig, bx, 8, 8, 1, 0);
    engine_rig_turn(&rig);
    engine_rig_inc(&rig, bs, BYTES, 0);
    engine_rig_turn(&rig);
    assert_int_equal(rig.lanes[1].taken - rig.lanes[1].done, 2); /* fill, increment */
    engine_rig_work(&rig, 1, rig.lanes[1].done + 1);
    engine_rig_turn(&rig);
    engine_rig_work(&rig, 0, UINT64_MAX);
    engine_rig_finish(&rig);
    assert_int_equal(first_byte(bs, BYTES), 4);
    engine_rig_close(&rig);
}

/* So many copies out of device 0 that its queue is full: whoever needs another one waits for it,
 * and the turn ends. */
static void full_queue(uint32_t *pieces, uint32_t *other)
{
    engine_rig_open(&rig, one_queue_each, 2, 0, 0);
    warm_up(2);
    *pieces = engine_rig_buffer(&rig, PIECES * 8, NULL);
    *other = engine_rig_buffer(&rig, BYTES, NULL);
    for (uint32_t i = 0; i < PIECES; i++) /* of uneven lengths: no rectangle */
        engine_rig_fill(&rig, *pieces, i * 8, 1 + i % 3, (uint8_t)i, 0);
    engine_rig_fill(&rig, *other, 0, BYTES, 9, 0);
    engine_rig_finish(&rig);
}

static void test_full_queue_mapping(void **state)
{
    (void)state;
    uint32_t pieces, other;
    full_queue(&pieces, &other);
    uint32_t first = engine_rig_map(&rig, pieces, PIECES * 8);
    engine_rig_turn(&rig);
    uint32_t second = engine_rig_map(&rig, other, BYTES), third = engine_rig_map(&rig, other, 8);
    engine_rig_turn(&rig);
    assert_int_equal(engine_rig_state(&rig, second), FGPU_TASK_MOVING);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, first), FGPU_TASK_RUNNING);
    assert_int_equal(engine_rig_state(&rig, second), FGPU_TASK_RUNNING);
    assert_int_equal(engine_rig_state(&rig, third), FGPU_TASK_RUNNING);
    assert_int_equal(*(uint8_t *)engine_map_address(&rig.engine, second), 9);
    engine_unmap(&rig.engine, first);
    engine_unmap(&rig.engine, second);
    engine_unmap(&rig.engine, third);
    engine_rig_finish(&rig);
    engine_rig_close(&rig);
}

static void test_full_queue_task(void **state)
{
    (void)state;
    uint32_t pieces, other;
    full_queue(&pieces, &other);
    uint32_t first = engine_rig_map(&rig, pieces, PIECES * 8);
    engine_rig_turn(&rig);
    engine_rig_inc(&rig, other, BYTES, 1);
    engine_rig_turn(&rig);
    engine_rig_finish(&rig);
    engine_unmap(&rig.engine, first);
    assert_int_equal(first_byte(other, BYTES), 10);
    engine_rig_close(&rig);
}

int main(void)
{
    (void)alarm(ALARM_S);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_skipped_behind_copy),
                                       cmocka_unit_test(test_skipped_behind_task),
                                       cmocka_unit_test(test_steal_behind_failed_copy),
                                       cmocka_unit_test(test_loss_before_overwrite),
                                       cmocka_unit_test(test_preimage_of_moving_target),
                                       cmocka_unit_test(test_full_queue_mapping),
                                       cmocka_unit_test(test_full_queue_task)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
