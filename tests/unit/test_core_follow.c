/* For whom a lane waits (core/follow.c): plans made by hand, on devices of the test's own
 * (tests/lib/engine_rig.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/planner.h"
#include "tests/lib/engine_rig.h"

#define BYTES 4096u
#define RUN_NS 1000000u

static struct engine_rig rig;
static uint32_t runs, waits, fills; /* task slots */

static struct planned *entry(uint32_t slot)
{
    return vec_at(&rig.engine.planner->entries, slot);
}

static void plan(uint32_t slot, int64_t rank, uint64_t start_ns, uint32_t last)
{
    *entry(slot) = (struct planned){.generation = task_generation(engine_task(&rig.engine, slot)),
                                    .lane = 0,
                                    .rank = rank,
                                    .start_ns = start_ns,
                                    .end_ns = start_ns + RUN_NS,
                                    .last = last};
}

/* On lane 1 a task runs, for which two wait. On lane 0 the plan has one of them first. */
static void open_plan(void)
{
    static const uint32_t queues[] = {1, 1};
    const struct engine_rig_setup setup = {.queues = queues, .devices = 2, .policy = "lookahead"};
    engine_rig_open_as(&rig, &setup);
    engine_clock(&rig.engine, 1000);
    uint64_t key = engine_kernel(&rig.engine, rig.inc)->key;
    for (uint32_t i = 0; i < 8; i++)
        history_learn(&rig.history, key, 2, BYTES, RUN_NS);
    engine_rig_inc(&rig, engine_rig_buffer(&rig, BYTES, NULL), BYTES, 0); /* the code is built */
    engine_rig_inc(&rig, engine_rig_buffer(&rig, BYTES, NULL), BYTES, 1);
    engine_rig_finish(&rig);
    uint32_t buffer = engine_rig_buffer(&rig, BYTES, NULL);
    runs = engine_rig_inc(&rig, buffer, BYTES, 1);
    waits = engine_rig_inc(&rig, buffer, BYTES, 0);
    fills = engine_rig_inc(&rig, buffer, BYTES, 0);
    engine_rig_turn(&rig);
    assert_int_equal(engine_rig_state(&rig, runs), FGPU_TASK_RUNNING);
    assert_int_equal(engine_rig_state(&rig, waits), FGPU_TASK_LINKED);
    struct planner *planner = rig.engine.planner;
    uint32_t slots = table_high_water(&rig.engine.tasks);
    assert_true(vec_reserve(&planner->entries, slots));
    for (uint32_t i = 0; i < slots; i++)
        *((struct planned *)(void *)planner->entries.items + i) =
            (struct planned){.lane = PLAN_NONE};
    planner->entries.count = slots;
    planner->left_ns = 10 * RUN_NS;
    const struct follow_lane first = {.next = 0, .end = 2}, other = {.next = 2, .end = 2};
    assert_non_null(vec_push(&planner->follow.order, &waits));
    assert_non_null(vec_push(&planner->follow.order, &fills));
    assert_non_null(vec_push(&planner->follow.lanes, &first));
    assert_non_null(vec_push(&planner->follow.lanes, &other));
    plan(waits, 20, 500000, runs);
    plan(fills, 10, 2000000, PLAN_NONE);
}

static void close_plan(void)
{
    vec_clear(&rig.engine.planner->entries); /* nothing is followed any more */
    engine_rig_finish(&rig);
    engine_rig_close(&rig);
}

/* Would the lane wait, were the other ready, and so long? */
static bool waits_for(uint32_t predicted_ns)
{
    struct task *task = engine_task(&rig.engine, fills);
    task->predicted_ns = predicted_ns;
    bool is = follow_waits(&rig.engine, task, engine_lane(&rig.engine, 0));
    task->predicted_ns = 0;
    return is;
}

/* As long as that takes at most a quarter of what it would be held up for. */
static void test_how_long(void **state)
{
    (void)state;
    open_plan();
    assert_true(waits_for(5 * RUN_NS));
    assert_false(waits_for(3 * RUN_NS));
    engine_clock(&rig.engine, rig.engine.now_ns + RUN_NS / 2);
    assert_true(waits_for(3 * RUN_NS));
    assert_false(waits_for(RUN_NS));
    engine_clock(&rig.engine, rig.engine.now_ns + RUN_NS / 2); /* it is about to end */
    assert_true(waits_for(RUN_NS));
    assert_false(waits_for(10000)); /* too short to hold up anybody */
    close_plan();
}

/* For nothing else than the end of a task that runs, and for who is urgent and planned before. */
static void test_for_whom(void **state)
{
    (void)state;
    open_plan();
    plan(waits, 5, 500000, runs);
    assert_false(waits_for(5 * RUN_NS)); /* less urgent */
    plan(waits, 20, 3000000, runs);
    assert_false(waits_for(5 * RUN_NS)); /* later */
    plan(waits, 20, 500000, PLAN_NONE);
    assert_false(waits_for(5 * RUN_NS)); /* nobody knows when */
    plan(waits, 20, 500000, fills);
    assert_false(waits_for(5 * RUN_NS)); /* what it waits for does not run */
    plan(waits, 20, 500000, runs);
    assert_true(waits_for(5 * RUN_NS));
    entry(waits)->generation++;
    assert_false(waits_for(5 * RUN_NS)); /* it has gone */
    close_plan();
}

/* How late the lane is follows what ended there last, and early is not late. */
static void test_late(void **state)
{
    (void)state;
    open_plan();
    assert_int_equal(follow_late_ns(&rig.engine, 0), 0);
    follow_ran(&rig.engine, 0, 300);
    assert_int_equal(follow_late_ns(&rig.engine, 0), 300);
    assert_int_equal(follow_late_ns(&rig.engine, 1), 0);
    follow_ran(&rig.engine, 0, -5);
    assert_int_equal(follow_late_ns(&rig.engine, 0), 0);
    assert_int_equal(follow_late_ns(&rig.engine, 1000), 0); /* no such lane in the plan */
    close_plan();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_long),
        cmocka_unit_test(test_for_whom),
        cmocka_unit_test(test_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
