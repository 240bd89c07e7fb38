/* The short way of tasks in host memory: on a device with one queue they are linked and launched in
 * one where nothing stands between (core/direct.h), and only there. Step by step, on a device of
 * the test's own (tests/lib/engine_rig.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/handle.h"
#include "tests/lib/engine_rig.h"

#define BYTES 64u
#define MANY 3000u /* more than a lane takes at once */

static struct engine_rig rig;
static uint32_t a, b;

static uint8_t first_byte(uint32_t buffer)
{
    const struct heap_block *block = &engine_buffer(&rig.engine, buffer)->home.heap;
    return *(const uint8_t *)(uintptr_t)(block->mem + block->offset);
}

/* Two buffers that are there, and a kernel of which it is known that it is short. */
static void open_warm(void)
{
    static const uint32_t one_queue[] = {1};
    const struct engine_rig_setup setup = {.queues = one_queue, .devices = 1, .host_memory = true};
    engine_rig_open_as(&rig, &setup);
    rig.lanes[0].start_ns = 1000;
    rig.lanes[0].end_ns = 1500;
    a = engine_rig_buffer(&rig, BYTES, NULL);
    b = engine_rig_buffer(&rig, BYTES, NULL);
    engine_rig_fill(&rig, a, 0, BYTES, 1, TASK_DEVICE_ANY);
    engine_rig_fill(&rig, b, 0, BYTES, 1, TASK_DEVICE_ANY);
    engine_rig_finish(&rig);
    for (int i = 0; i < 8; i++) {
        engine_rig_inc(&rig, i % 2 == 0 ? a : b, BYTES, TASK_DEVICE_ANY);
        engine_rig_finish(&rig);
    }
    assert_int_equal(first_byte(a), 5);
}

static void close_clean(void)
{
    assert_int_equal(rig.engine.pending_tasks, 0);
    assert_int_equal(engine_buffer(&rig.engine, a)->users, 0);
    assert_int_equal(engine_buffer(&rig.engine, a)->linked, 0);
    assert_int_equal(engine_buffer(&rig.engine, a)->home.pins, 0);
    engine_rig_close(&rig);
}

/* Not one turn is needed; what follows goes behind it, chained. */
static void test_taken(void **state)
{
    (void)state;
    open_warm();
    uint32_t one = engine_rig_inc(&rig, a, BYTES, TASK_DEVICE_ANY);
    uint32_t two = engine_rig_inc(&rig, a, BYTES, TASK_DEVICE_ANY);
    assert_int_equal(engine_rig_state(&rig, one), FGPU_TASK_RUNNING);
    assert_int_equal(engine_rig_state(&rig, two), FGPU_TASK_RUNNING);
    const fgpu_cmd *commands = (const fgpu_cmd *)(const void *)rig.engine.lanes[0].commands.items;
    assert_int_equal(rig.engine.lanes[0].commands.count, 2);
    assert_false(commands[0].flags & FGPU_CMD_CHAINED);
    assert_true(commands[1].flags & FGPU_CMD_CHAINED);
    engine_rig_finish(&rig);
    assert_int_equal(first_byte(a), 7);
    close_clean();
}

/* A mapping is issued but on no lane: nobody may follow it there. */
static void test_mapped(void **state)
{
    (void)state;
    open_warm();
    uint32_t map = engine_rig_map(&rig, a, BYTES);
    engine_rig_turn(&rig);
    assert_int_equal(engine_rig_state(&rig, map), FGPU_TASK_RUNNING);
    uint32_t task = engine_rig_inc(&rig, a, BYTES, TASK_DEVICE_ANY);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, task), FGPU_TASK_LINKED);
    assert_int_equal(first_byte(a), 5);
    engine_unmap(&rig.engine, map);
    engine_rig_finish(&rig);
    assert_int_equal(first_byte(a), 6);
    close_clean();
}

/* What was submitted before it and has not been looked at goes first. */
static void test_in_turn(void **state)
{
    (void)state;
    open_warm();
    uint32_t fill = engine_rig_fill(&rig, b, 0, BYTES, 9, TASK_DEVICE_ANY);
    uint32_t task = engine_rig_inc(&rig, a, BYTES, TASK_DEVICE_ANY);
    assert_int_equal(engine_rig_state(&rig, fill), FGPU_TASK_LINKED);
    assert_int_equal(engine_rig_state(&rig, task), FGPU_TASK_LINKED);
    engine_rig_finish(&rig);
    assert_int_equal(first_byte(b), 9);
    assert_int_equal(first_byte(a), 6);
    close_clean();
}

/* A part of a buffer, and a buffer in parts. */
static void test_parts(void **state)
{
    (void)state;
    open_warm();
    engine_rig_inc(&rig, b, BYTES / 2, TASK_DEVICE_ANY); /* what that size takes */
    engine_rig_finish(&rig);
    uint32_t part = engine_rig_inc(&rig, a, BYTES / 2, TASK_DEVICE_ANY);
    assert_int_equal(engine_rig_state(&rig, part), FGPU_TASK_LINKED);
    engine_rig_turn(&rig);
    uint32_t whole = engine_rig_inc(&rig, a, BYTES, TASK_DEVICE_ANY);
    assert_int_equal(engine_rig_state(&rig, whole), FGPU_TASK_LINKED);
    engine_rig_finish(&rig);
    assert_int_equal(first_byte(a), 7);
    close_clean();
}

/* Full lanes take no more; the order stays. */
static void test_full(void **state)
{
    (void)state;
    open_warm();
    for (uint32_t i = 0; i < MANY; i++)
        engine_rig_inc(&rig, a, BYTES, TASK_DEVICE_ANY);
    assert_in_range(rig.engine.lanes[0].commands.count, 16, MANY - 1);
    engine_rig_finish(&rig);
    assert_int_equal(first_byte(a), (uint8_t)(5 + MANY));
    close_clean();
}

/* One fails: what was taken behind it is skipped, poisoned, and tells who began it. */
static void test_fails(void **state)
{
    (void)state;
    open_warm();
    uint32_t one = engine_rig_inc(&rig, a, BYTES, TASK_DEVICE_ANY);
    uint32_t two = engine_rig_inc(&rig, a, BYTES, TASK_DEVICE_ANY);
    uint32_t other = engine_rig_inc(&rig, b, BYTES, TASK_DEVICE_ANY);
    assert_int_equal(engine_rig_state(&rig, other), FGPU_TASK_RUNNING);
    rig.lanes[0].fails[rig.lanes[0].taken + 1] = true;
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, one), FGPU_TASK_FAILED);
    assert_int_equal(engine_rig_state(&rig, two), FGPU_TASK_POISONED);
    assert_int_equal(engine_task(&rig.engine, two)->root, one);
    assert_int_equal(first_byte(b), 6);
    /* Its buffer is poisoned: the next one must see that, though nobody is in flight. */
    uint32_t three = engine_rig_inc(&rig, a, BYTES, TASK_DEVICE_ANY);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, three), FGPU_TASK_POISONED);
    engine_forget(&rig.engine, one);
    engine_forget(&rig.engine, two);
    engine_forget(&rig.engine, three);
    close_clean();
}

/* The buffer went after the caller had looked, and another one has its place. */
static void test_gone(void **state)
{
    (void)state;
    open_warm();
    struct submit_arg arg = engine_rig_arg(b, FGPU_READ_WRITE, 0, BYTES);
    arg.live =
        atomic_load_relaxed_u32(&engine_buffer(&rig.engine, b)->live) & HANDLE_GENERATION_MASK;
    struct submit_request request = {.kind = TASK_KERNEL,
                                     .arg_count = 1,
                                     .args = &arg,
                                     .kernel = rig.inc,
                                     .pin = TASK_DEVICE_ANY,
                                     .dims = 1,
                                     .global = {BYTES, 1, 1}};
    engine_buffer_destroy(&rig.engine, b);
    assert_int_equal(engine_rig_buffer(&rig, BYTES, NULL), b);
    engine_rig_fill(&rig, b, 0, BYTES, 1, TASK_DEVICE_ANY);
    engine_rig_finish(&rig);
    uint32_t task = engine_rig_submit(&rig, &request, TASK_NONE);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, task), FGPU_TASK_FAILED);
    assert_int_equal(engine_task(&rig.engine, task)->status, FGPU_E_STALE);
    engine_forget(&rig.engine, task);
    close_clean();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken), cmocka_unit_test(test_mapped), cmocka_unit_test(test_in_turn),
        cmocka_unit_test(test_parts), cmocka_unit_test(test_full),   cmocka_unit_test(test_fails),
        cmocka_unit_test(test_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
