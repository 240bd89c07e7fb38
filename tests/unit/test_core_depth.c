/* How much a lane has in flight, by how late the host sees that tasks have ended, and after which
 * commands the device rings: core/sched.c, core/learn.c, core/launch.c, core/turns.c, on devices of
 * the test's own (tests/lib/engine_rig.h), by a clock of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/planner.h"
#include "core/turns.h"
#include "tests/lib/engine_rig.h"

#define BYTES 4096u
#define BUDGET_NS 500000u
#define LATE_NS 1500000u
#define BEHIND_NS 5000000000u /* of the device's clock */

static struct engine_rig rig;
static const uint32_t one_queue[] = {1}, two_devices[] = {1, 1};

static void open_with(uint64_t task_ns)
{
    engine_rig_open(&rig, one_queue, 1, 0, BUDGET_NS);
    engine_clock(&rig.engine, 2 * (uint64_t)BEHIND_NS);
    /* The device has all memory that will be needed. */
    for (uint32_t i = 0; i < 128; i++)
        (void)engine_rig_inc(&rig, engine_rig_buffer(&rig, BYTES, NULL), BYTES, 0);
    engine_rig_finish(&rig);
    uint64_t key = engine_kernel(&rig.engine, rig.inc)->key;
    for (uint32_t i = 0; i < 8; i++)
        history_learn(&rig.history, key, rig.engine.devices[0].key, BYTES, task_ns);
}

static void submit(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        (void)engine_rig_inc(&rig, engine_rig_buffer(&rig, BYTES, NULL), BYTES, 0);
    engine_rig_turn(&rig);
}

static uint64_t in_flight(void)
{
    return rig.lanes[0].taken - rig.lanes[0].done;
}

/* Tasks one by one, each seen so much later than the device says that it ended. */
static void run_late(uint32_t count, uint64_t task_ns, uint64_t late_ns, uint64_t behind_ns)
{
    struct engine_rig_lane *lane = &rig.lanes[0];
    for (uint32_t i = 0; i < count; i++) {
        submit(1);
        while (lane->done < lane->taken) {
            engine_clock(&rig.engine, rig.engine.now_ns + task_ns + late_ns);
            lane->end_ns = rig.engine.now_ns - late_ns - behind_ns;
            lane->start_ns = lane->end_ns - task_ns;
            engine_rig_work(&rig, 0, lane->done + 1);
            engine_rig_turn(&rig);
        }
    }
    lane->start_ns = lane->end_ns = 0;
}

/* What is in the middle rings, too: the device must not have ended all of it by then. */
static void test_rings_in_the_middle(void **state)
{
    (void)state;
    open_with(100000);
    struct engine_rig_lane *lane = &rig.lanes[0];
    uint64_t before = lane->taken;
    submit(20);
    assert_in_range(in_flight(), 5, 6);
    uint64_t first = before + 1;
    while (first < lane->taken && !(lane->commands[first].flags & FGPU_CMD_NOTIFY))
        first++;
    assert_int_equal(first, before + 3); /* half of 500 us */
    assert_true(lane->commands[lane->taken].flags & FGPU_CMD_NOTIFY);
    engine_rig_work(&rig, 0, first);
    engine_rig_turn(&rig);
    assert_in_range(in_flight(), 5, 6);
    engine_rig_finish(&rig);
    engine_rig_close(&rig);
}

/* A batch of tiny ones rings once. */
static void test_short_ones_ring_once(void **state)
{
    (void)state;
    uint32_t rings = 0;
    open_with(10000);
    struct engine_rig_lane *lane = &rig.lanes[0];
    uint64_t before = lane->taken;
    submit(40);
    for (uint64_t n = before + 1; n <= lane->taken; n++)
        rings += (lane->commands[n].flags & FGPU_CMD_NOTIFY) != 0;
    assert_true(lane->taken - before >= 30);
    assert_int_equal(rings, 1);
    engine_rig_finish(&rig);
    engine_rig_close(&rig);
}

static void test_deeper_where_seen_late(void **state)
{
    (void)state;
    open_with(100000);
    run_late(1, 100000, 0, BEHIND_NS);
    run_late(8, 100000, LATE_NS, BEHIND_NS);
    assert_in_range(rig.engine.lanes[0].react_ns, LATE_NS / 2, LATE_NS);
    submit(100);
    assert_in_range(in_flight(), 30, 50); /* 4 ms at most */
    engine_rig_finish(&rig);
    /* It is quick again. */
    run_late(800, 100000, 0, BEHIND_NS);
    submit(100);
    assert_in_range(in_flight(), 5, 6);
    engine_rig_finish(&rig);
    engine_rig_close(&rig);
}

/* A clock that is another one is not a host that is late. */
static void test_another_clock(void **state)
{
    (void)state;
    open_with(100000);
    run_late(20, 100000, 0, BEHIND_NS);
    assert_int_equal(rig.engine.lanes[0].react_ns, 0);
    submit(100);
    assert_in_range(in_flight(), 5, 6);
    engine_rig_finish(&rig);
    engine_rig_close(&rig);
}

/* A long task has nothing behind it, unless the host would see too late that it has ended. */
static void test_long_ones(void **state)
{
    (void)state;
    open_with(3000000);
    run_late(1, 3000000, 0, 0);
    submit(4);
    assert_int_equal(in_flight(), 1);
    engine_rig_finish(&rig);
    run_late(4, 3000000, 400000, 0);
    submit(4);
    assert_int_equal(in_flight(), 2);
    engine_rig_finish(&rig);
    engine_rig_close(&rig);
}

/* ---- whose turn it is in the plan ------------------------------------------------------- */

static void plan(uint32_t slot, uint32_t lane, uint64_t start_ns)
{
    const struct task *task = engine_task(&rig.engine, slot);
    struct planned *entry = vec_at(&rig.engine.planner->entries, slot);
    *entry =
        (struct planned){.generation = task_generation(task), .lane = lane, .start_ns = start_ns};
}

static bool is_next(uint32_t slot, uint32_t lane)
{
    return turns_is_next(&rig.engine, engine_task(&rig.engine, slot), &rig.engine.lanes[lane]);
}

static void test_turns(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    const struct engine_rig_setup setup = {
        .queues = two_devices, .devices = 2, .policy = "lookahead", .budget_ns = BUDGET_NS};
    uint32_t slots[COUNT], buffer, order[COUNT];
    engine_rig_open_as(&rig, &setup);
    buffer = engine_rig_buffer(&rig, BYTES, NULL);
    for (uint32_t i = 0; i < COUNT; i++) /* one after the other: none is handed out but the first */
        slots[i] = engine_rig_inc(&rig, buffer, BYTES, 0);
    engine_drain(&rig.engine);
    struct vec *entries = &rig.engine.planner->entries;
    assert_true(vec_reserve(entries, table_high_water(&rig.engine.tasks)));
    entries->count = table_high_water(&rig.engine.tasks);
    for (size_t i = 0; i < entries->count; i++)
        *(struct planned *)vec_at(entries, i) = (struct planned){.lane = PLAN_NONE};
    for (uint32_t i = 0; i < COUNT; i++) { /* in an order of their own on two lanes */
        order[i] = i * 23 % COUNT;
        plan(slots[order[i]], i % 2, 1000 + 10 * i);
    }
    turns_forget(&rig.engine.planner->turns, rig.engine.lane_count, entries->count);
    for (uint32_t i = 0; i < COUNT; i++) {
        for (uint32_t k = i; k < COUNT; k++)
            assert_int_equal(is_next(slots[order[k]], k % 2), k < i + 2);
        ((struct planned *)vec_at(entries, slots[order[i]]))->lane = PLAN_NONE; /* it has ended */
    }
    assert_false(is_next(slots[0], 0));
    engine_rig_finish(&rig);
    engine_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rings_in_the_middle),
        cmocka_unit_test(test_short_ones_ring_once),
        cmocka_unit_test(test_deeper_where_seen_late),
        cmocka_unit_test(test_another_clock),
        cmocka_unit_test(test_long_ones),
        cmocka_unit_test(test_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
