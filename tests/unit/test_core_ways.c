/* Which lane carries a copy, and how many commands that makes: short ones right ahead of their
 * task, long ones beside what its lane does; and the lists of copies in flight, when there are many
 * of one buffer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/engine_rig.h"

#define BYTES (1u << 20)
#define PIECES 600u
#define PIECE_BYTES 700u

enum { RUNS, IN, OUT, LANES }; /* lanes */

static struct engine_rig rig;
static uint8_t *contents;
static const uint32_t queues[] = {LANES};

/* A copy of BYTES in takes so long. */
static void open_with(uint64_t copy_ns)
{
    const struct engine_rig_setup setup = {
        .queues = queues, .devices = 1, .copy_queues = 2, .policy = "eft"};
    const struct link_span span = {.start_ns = 1, .end_ns = 1 + copy_ns};

    contents = calloc(1, BYTES);
    assert_non_null(contents);
    engine_rig_open_as(&rig, &setup);
    rig.engine.checks = true;
    for (uint32_t i = 0; i < 8; i++)
        link_learn_span(rig.engine.link, 0, 1, BYTES, &span);
}

static void close_all(void)
{
    engine_rig_finish(&rig);
    engine_rig_close(&rig);
    free(contents);
}

static void short_copies_follow(void **state)
{
    (void)state;
    open_with(100000);
    uint32_t busy = engine_rig_buffer(&rig, 64, NULL);
    uint32_t buffer = engine_rig_buffer(&rig, BYTES, contents);
    (void)engine_rig_fill(&rig, busy, 0, 64, 1, 0);
    engine_rig_turn(&rig);
    assert_int_equal(rig.lanes[RUNS].taken, 1);
    (void)engine_rig_inc(&rig, buffer, BYTES, 0);
    engine_rig_turn(&rig);
    assert_int_equal(rig.lanes[RUNS].taken, 3); /* nothing has ended, and all is handed out */
    assert_int_equal(rig.lanes[IN].taken, 0);
    assert_int_equal(rig.lanes[RUNS].commands[2].kind, FGPU_CMD_COPY);
    assert_true(rig.lanes[RUNS].commands[3].flags & FGPU_CMD_CHAINED);
    engine_rig_finish(&rig);
    uint32_t map = engine_rig_map(&rig, buffer, BYTES);
    engine_rig_turn(&rig);
    assert_int_equal(rig.lanes[OUT].taken, 1);
    engine_rig_finish(&rig);
    engine_unmap(&rig.engine, map);
    close_all();
}

static void long_copies_run_beside(void **state)
{
    (void)state;
    open_with(1000000);
    uint32_t busy = engine_rig_buffer(&rig, 64, NULL);
    uint32_t buffer = engine_rig_buffer(&rig, BYTES, contents);
    (void)engine_rig_fill(&rig, busy, 0, 64, 1, 0);
    engine_rig_turn(&rig);
    (void)engine_rig_inc(&rig, buffer, BYTES, 0);
    engine_rig_turn(&rig);
    assert_int_equal(rig.lanes[RUNS].taken, 1);
    assert_int_equal(rig.lanes[IN].taken, 1);
    assert_true(rig.lanes[IN].commands[1].flags & FGPU_CMD_NOTIFY); /* somebody waits for it here */
    engine_rig_work(&rig, IN, 1);
    engine_rig_turn(&rig);
    assert_int_equal(rig.lanes[RUNS].taken, 2);
    close_all();
}

/* With nothing else to do a longer one may stand in the way, but not a very long one. */
static void idle_devices(void **state)
{
    static const uint64_t copy_ns[] = {1000000, 10000000};

    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        open_with(copy_ns[i]);
        uint32_t buffer = engine_rig_buffer(&rig, BYTES, contents);
        (void)engine_rig_inc(&rig, buffer, BYTES, 0);
        engine_rig_turn(&rig);
        assert_int_equal(rig.lanes[RUNS].taken, i == 0 ? 2 : 0);
        assert_int_equal(rig.lanes[IN].taken, i == 0 ? 0 : 1);
        close_all();
    }
}

/* Pieces of a buffer that the host has written anew, at irregular places: one turn orders all, each
 * is copied once, and they may end in any two lots. */
static void many_pieces(void **state)
{
    (void)state;
    open_with(100000);
    uint32_t buffer = engine_rig_buffer(&rig, BYTES, contents);
    (void)engine_rig_inc(&rig, buffer, BYTES, 0);
    engine_rig_finish(&rig);
    uint32_t whole = engine_rig_map(&rig, buffer, BYTES); /* both have it now */
    engine_rig_finish(&rig);
    engine_unmap(&rig.engine, whole);
    uint64_t taken = rig.lanes[RUNS].taken, bytes = rig.engine.stats.bytes_to_device;
    for (uint32_t i = 0; i < PIECES; i++) {
        struct submit_arg arg =
            engine_rig_arg(buffer, FGPU_WRITE, i * 1700 + i * i % 900, PIECE_BYTES);
        struct submit_request request = {.kind = TASK_MAP,
                                         .flags = TASK_F_UNLISTED,
                                         .arg_count = 1,
                                         .args = &arg,
                                         .kernel = TASK_NONE,
                                         .pin = TASK_DEVICE_ANY};
        uint32_t map = engine_rig_submit(&rig, &request, TASK_NONE);
        engine_rig_turn(&rig);
        assert_int_equal(engine_rig_state(&rig, map), FGPU_TASK_RUNNING);
        memset(engine_map_address(&rig.engine, map), (int)i, PIECE_BYTES);
        engine_unmap(&rig.engine, map);
        engine_rig_turn(&rig);
    }
    (void)engine_rig_inc(&rig, buffer, BYTES, 0);
    engine_rig_turn(&rig);
    assert_in_range(rig.lanes[RUNS].taken - taken, PIECES / 2, PIECES + 1);
    assert_int_equal(rig.engine.stats.bytes_to_device - bytes, PIECES * PIECE_BYTES);
    engine_rig_work(&rig, RUNS, taken + PIECES / 3);
    engine_rig_turn(&rig);
    engine_rig_finish(&rig);
    uint8_t *found = malloc(BYTES);
    assert_true(engine_rig_read(&rig, buffer, 0, BYTES, found));
    for (uint32_t i = 0; i < PIECES; i++)
        for (uint32_t k = 0; k < PIECE_BYTES; k++)
            assert_int_equal(found[i * 1700 + i * i % 900 + k], (uint8_t)(i + 1));
    free(found);
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_copies_follow),
        cmocka_unit_test(long_copies_run_beside),
        cmocka_unit_test(idle_devices),
        cmocka_unit_test(many_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
