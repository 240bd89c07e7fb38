/* Memory that is short: what will have to go is copied out while the way there is idle, turns at a
 * memory are not kept by whoever cannot use them; and the checksums of contents. Played through
 * step by step on devices of the test's own (tests/lib/engine_rig.h). A test that hangs is ended by
 * an alarm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/engine_rig.h"

#define PART ((uint64_t)1 << 17)
#define HELD 64u /* buffers that the device has room for */
#define WANTED 24u
#define ALARM_S 20u

static const uint32_t three_queues[] = {3, 3}; /* tasks, copies in, copies out */
static struct engine_rig rig;
static uint32_t held[HELD], wanted[HELD];

static uint64_t to_host(void)
{
    return rig.engine.stats.bytes_to_host;
}

static uint8_t first_byte(uint32_t buffer)
{
    uint32_t map = engine_rig_map(&rig, buffer, PART);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, map), FGPU_TASK_RUNNING);
    uint8_t byte = *(uint8_t *)engine_map_address(&rig.engine, map);
    engine_unmap(&rig.engine, map);
    engine_rig_turn(&rig);
    return byte;
}

/* A device that is full of what only it has, and has had to let something go. */
static void open_full(void)
{
    (void)alarm(ALARM_S);
    engine_rig_open_as(&rig, &(struct engine_rig_setup){.queues = three_queues,
                                                        .devices = 1,
                                                        .copy_queues = 2,
                                                        .policy = "eft",
                                                        .flags = FGPU_POOL_CHECKSUM,
                                                        .device_bytes = HELD * PART});
    for (uint8_t i = 0; i < HELD; i++) {
        held[i] = engine_rig_buffer(&rig, PART, NULL);
        engine_rig_fill(&rig, held[i], 0, PART, i, 0);
        engine_rig_finish(&rig);
    }
    assert_int_equal(rig.engine.stats.evictions, 0);
    uint32_t more = engine_rig_buffer(&rig, PART, NULL);
    engine_rig_fill(&rig, more, 0, PART, 99, 0);
    engine_rig_finish(&rig);
    assert_int_equal(rig.engine.stats.evictions, 1);
    assert_int_equal(to_host(), PART);
    engine_buffer_destroy(&rig.engine, more); /* one is free again */
}

/* `count` tasks on buffers that are not on the device, behind one that does not end yet. */
static uint32_t submit_wanted(uint32_t count)
{
    uint32_t first = engine_rig_inc(&rig, held[HELD - 1], PART, 0);
    for (uint32_t i = 0; i < count; i++) {
        wanted[i] = engine_rig_buffer(&rig, PART, NULL);
        const struct submit_arg args[] = {engine_rig_arg(wanted[i], FGPU_WRITE, 0, PART),
                                          engine_rig_arg(held[HELD - 1], FGPU_READ, 0, PART),
                                          engine_rig_arg(held[HELD - 1], FGPU_READ, 0, PART)};
        (void)engine_rig_run(&rig, rig.mix, args, 0, first);
    }
    return first;
}

/* Lets the copies end, but no task. */
static void work_copies(void)
{
    for (uint32_t i = 0; i < 64; i++) {
        engine_rig_turn(&rig);
        engine_rig_work(&rig, 1, UINT64_MAX);
        engine_rig_work(&rig, 2, UINT64_MAX);
    }
    engine_rig_turn(&rig);
}

/* The tasks that come need room: copies are made for that while the first of them still runs, and
 * none in vain. */
static void test_ahead(void **state)
{
    (void)state;
    open_full();
    uint32_t first = submit_wanted(WANTED); /* for one of them there is room */
    engine_rig_turn(&rig);
    assert_int_equal(engine_rig_state(&rig, first), FGPU_TASK_RUNNING);
    uint64_t before = to_host();
    assert_int_equal(before, 2 * PART); /* the first copy is under way, and no other beside it */
    work_copies();
    assert_int_equal(engine_rig_state(&rig, first), FGPU_TASK_RUNNING);
    assert_int_equal(rig.engine.stats.evictions, 1); /* nothing has gone for it */
    before = to_host();
    assert_int_equal(before, 3 * PART); /* a 32nd of the memory is foreseen */
    engine_rig_finish(&rig);
    assert_int_equal(rig.engine.stats.evictions, WANTED);
    assert_int_equal(to_host(), WANTED * PART);
    for (uint32_t i = 0; i < WANTED; i++) /* 3 s + 5 t + 1 */
        assert_int_equal(first_byte(wanted[i]), (uint8_t)(8 * HELD + 1));
    for (uint8_t i = 0; i < HELD - 1; i++)
        assert_int_equal(first_byte(held[i]), i);
    engine_rig_close(&rig);
}

/* Where those that come have room, nothing is copied. */
static void test_not_in_vain(void **state)
{
    (void)state;
    open_full();
    uint32_t first = submit_wanted(1);
    work_copies();
    assert_int_equal(engine_rig_state(&rig, first), FGPU_TASK_RUNNING);
    assert_int_equal(to_host(), PART);
    engine_rig_finish(&rig);
    assert_int_equal(to_host(), PART);
    engine_rig_close(&rig);
}

/* ---- turns ------------------------------------------------------------------------------ */

/* Two tasks of a device wait for room on the host, the first of them with the right to make it.
 * When there is room their lane has none: both go back to its list, the second in front. Who kept
 * his turn there would never have it. */
static void test_turn_in_a_backlog(void **state)
{
    (void)state;
    const uint64_t half = 8u << 20;
    uint8_t own[64] = {0}; /* memory that nobody has to look for */
    (void)alarm(ALARM_S);
    engine_rig_open_as(&rig, &(struct engine_rig_setup){.queues = three_queues,
                                                        .devices = 2,
                                                        .copy_queues = 2,
                                                        .policy = "eft",
                                                        .budget_ns = 1,
                                                        .host_bytes = 2 * half});
    for (uint16_t d = 0; d < 2; d++) { /* the kernel is built */
        engine_rig_inc(&rig, engine_rig_buffer(&rig, 64, NULL), 64, d);
        engine_rig_finish(&rig);
    }
    uint32_t a = engine_rig_buffer(&rig, half, NULL), b = engine_rig_buffer(&rig, half, NULL);
    uint32_t c = engine_rig_buffer(&rig, half, NULL), d = engine_rig_buffer(&rig, half, NULL);
    uint32_t x = engine_rig_buffer(&rig, half, NULL), y = engine_rig_buffer(&rig, half, NULL);
    uint32_t small = engine_rig_buffer(&rig, 64, NULL);
    engine_rig_fill(&rig, a, 0, half, 5, 1);
    engine_rig_fill(&rig, b, 0, half, 9, 1);
    engine_rig_fill(&rig, small, 0, 64, 1, 0);
    engine_rig_finish(&rig);
    uint32_t map_x = engine_rig_map(&rig, x, half), map_y = engine_rig_map(&rig, y, half);
    uint32_t map_z = engine_rig_map(&rig, engine_rig_buffer(&rig, 64, own), 64);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, map_z), FGPU_TASK_RUNNING);
    uint32_t first = engine_rig_copy(&rig, c, a, half, 0);
    engine_rig_turn(&rig);
    uint32_t second = engine_rig_copy(&rig, d, b, half, 0);
    engine_rig_turn(&rig);
    assert_int_equal(engine_rig_state(&rig, first), FGPU_TASK_MOVING);
    assert_int_equal(engine_rig_state(&rig, second), FGPU_TASK_MOVING);
    assert_int_equal(rig.engine.nodes[0].short_task, first);
    engine_unmap(&rig.engine, map_z); /* both look, in vain: then the first is woken first */
    engine_rig_turn(&rig);
    assert_int_equal(engine_rig_state(&rig, first), FGPU_TASK_MOVING);
    uint32_t runs[4];
    for (uint32_t i = 0; i < 4; i++) {
        runs[i] = engine_rig_inc(&rig, small, 64, 0);
        engine_rig_turn(&rig);
    }
    assert_int_equal(engine_rig_state(&rig, runs[1]), FGPU_TASK_RUNNING); /* the lane is full */
    engine_unmap(&rig.engine, map_x);
    engine_rig_turn(&rig);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, first), FGPU_TASK_DONE);
    assert_int_equal(engine_rig_state(&rig, second), FGPU_TASK_DONE);
    engine_unmap(&rig.engine, map_y);
    engine_rig_turn(&rig);
    engine_rig_close(&rig);
}

/* Room on the host for one of two buffers that a task of one device needs from another: whoever
 * does not want to wait for what others hold waits for its own copies all the same. */
static void test_own_copy(void **state)
{
    (void)state;
    const uint64_t half = 8u << 20;
    (void)alarm(ALARM_S);
    engine_rig_open_as(&rig, &(struct engine_rig_setup){.queues = three_queues,
                                                        .devices = 2,
                                                        .copy_queues = 2,
                                                        .policy = "eft",
                                                        .flags = FGPU_POOL_NOMEMWAIT,
                                                        .host_bytes = half});
    uint32_t a = engine_rig_buffer(&rig, half, NULL), b = engine_rig_buffer(&rig, half, NULL);
    uint32_t c = engine_rig_buffer(&rig, half, NULL);
    engine_rig_fill(&rig, a, 0, half, 5, 1);
    engine_rig_fill(&rig, b, 0, half, 9, 1);
    engine_rig_finish(&rig);
    const struct submit_arg args[] = {engine_rig_arg(c, FGPU_WRITE, 0, half),
                                      engine_rig_arg(a, FGPU_READ, 0, half),
                                      engine_rig_arg(b, FGPU_READ, 0, half)};
    uint32_t mix = engine_rig_run(&rig, rig.mix, args, 0, TASK_NONE);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, mix), FGPU_TASK_DONE);
    assert_int_equal(first_byte(c), 3 * 5 + 5 * 9 + 1);
    engine_rig_close(&rig);
}

/* ---- checksums -------------------------------------------------------------------------- */

/* Contents on the host are written over although no task does: that ends the process. */
static void corrupt(bool copied)
{
    static uint8_t own[PART];
    engine_rig_open_as(&rig, &(struct engine_rig_setup){.queues = three_queues,
                                                        .devices = 1,
                                                        .copy_queues = 2,
                                                        .flags = FGPU_POOL_CHECKSUM});
    uint32_t a = engine_rig_buffer(&rig, PART, own);
    (void)engine_rig_inc(&rig, a, PART, 0);
    engine_rig_finish(&rig);
    assert_int_equal(first_byte(a), 1); /* brought back: known */
    own[copied ? 700 : PART - 1]++;
    if (copied)
        (void)engine_rig_copy(&rig, engine_rig_buffer(&rig, PART, NULL), a, PART, 0);
    engine_rig_finish(&rig);
    engine_buffer_destroy(&rig.engine, a);
    engine_rig_turn(&rig);
}

static void test_checksum(void **state)
{
    (void)state;
    for (int copied = 0; copied < 2; copied++) {
        pid_t child = fork();
        if (child == 0) {
            (void)freopen("/dev/null", "w", stderr);
            (void)signal(SIGABRT, SIG_DFL);
            corrupt(copied != 0);
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ahead), cmocka_unit_test(test_not_in_vain),
        cmocka_unit_test(test_turn_in_a_backlog), cmocka_unit_test(test_own_copy),
        cmocka_unit_test(test_checksum)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
