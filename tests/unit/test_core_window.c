/* The window that the engine makes of its pending tasks (core/window.c): which tasks are in it,
 * what follows from what, where data are, what costs are known and whose, step by step on devices
 * of the test's own (tests/lib/engine_rig.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "core/window.h"
#include "tests/lib/engine_rig.h"

#define BYTES 4096u
#define COST_NS 1000000u

static struct engine_rig rig;
static struct window window;
static uint8_t *contents;
static const uint32_t queues[] = {2, 1, 2};

static void open_as(uint64_t key, uint32_t hidden)
{
    const struct engine_rig_setup setup = {
        .queues = queues, .devices = 3, .key = key, .hidden = hidden};
    contents = calloc(BYTES, 1);
    assert_non_null(contents);
    engine_rig_open_as(&rig, &setup);
    window_init(&window, NULL);
}

static void close_all(void)
{
    window_fini(&window);
    engine_rig_close(&rig);
    free(contents);
}

/* The performance model knows the kernel on a device. */
static void knows(uint32_t kernel, uint64_t key, uint64_t size, uint64_t ns)
{
    uint64_t kernel_key = engine_kernel(&rig.engine, kernel)->key;
    for (uint32_t i = 0; i < 8; i++)
        history_learn(&rig.history, kernel_key, key, size, ns);
}

static void fill(uint32_t tasks)
{
    assert_true(window_fill(&window, &rig.engine, 1000));
    assert_int_equal(window.plan.task_count, tasks);
    assert_int_equal(window.plan.tasks.count, tasks + 1); /* and one that ends the lists */
}

static const struct plan_task *planned(uint32_t number)
{
    return plan_task_at(&window.plan, number);
}

static uint32_t number_of(uint32_t slot)
{
    return *(uint32_t *)vec_at(&window.place, slot);
}

static void test_nothing(void **state)
{
    (void)state;
    open_as(0, 0);
    fill(0);
    assert_int_equal(window.plan.classes.count, 3);
    assert_int_equal(window.plan.workers.count, 5);
    assert_int_equal(window.work_ns, 0);
    close_all();
}

/* d reads a and b, which were written before; a task's own data twice count once. */
static void test_edges_and_data(void **state)
{
    (void)state;
    open_as(0, 0);
    uint32_t a = engine_rig_buffer(&rig, BYTES, contents), b = engine_rig_buffer(&rig, BYTES, NULL);
    uint32_t d = engine_rig_buffer(&rig, BYTES, NULL);
    uint32_t first = engine_rig_inc(&rig, a, BYTES, TASK_DEVICE_ANY);
    uint32_t other = engine_rig_inc(&rig, b, BYTES / 2, TASK_DEVICE_ANY);
    const struct submit_arg args[] = {engine_rig_arg(d, FGPU_WRITE, 0, BYTES),
                                      engine_rig_arg(a, FGPU_READ, 0, BYTES),
                                      engine_rig_arg(b, FGPU_READ, 0, BYTES)};
    uint32_t last = engine_rig_run(&rig, rig.mix, args, TASK_DEVICE_ANY, TASK_NONE);
    (void)engine_rig_fill(&rig, a, 0, BYTES, 1, TASK_DEVICE_ANY); /* no kernel: not of the window */
    fill(3);
    assert_int_equal(number_of(first), 0);
    assert_int_equal(number_of(other), 1);
    assert_int_equal(number_of(last), 2);
    assert_int_equal(planned(0)->predecessors, 0);
    assert_int_equal(planned(2)->predecessors, 2);
    assert_int_equal(window.plan.successors.count, 2);
    assert_int_equal(plan_successors(&window.plan)[planned(0)->first_successor], 2);
    assert_int_equal(plan_successors(&window.plan)[planned(1)->first_successor], 2);
    /* a; half of b; d; all of b. */
    assert_int_equal(window.plan.data.count, 4);
    assert_int_equal(window.plan.accesses.count, 5);
    assert_int_equal(plan_data_at(&window.plan, 1)->bytes, BYTES / 2);
    assert_int_equal(plan_data_at(&window.plan, 0)->holder_count, 1); /* the host */
    assert_int_equal(plan_data_at(&window.plan, 1)->holder_count, 0); /* nobody wrote it */
    assert_int_equal(window.plan.type_count, 3);                      /* inc of two sizes, mix */
    engine_rig_finish(&rig);
    close_all();
}

/* A task on a lane is none of the window's; what follows from it is ready when it has ended. */
static void test_running(void **state)
{
    (void)state;
    open_as(0, 6); /* one device */
    knows(rig.inc, 1, BYTES, COST_NS);
    uint32_t a = engine_rig_buffer(&rig, BYTES, contents);
    uint32_t b = engine_rig_buffer(&rig, BYTES, contents);
    engine_clock(&rig.engine, 1000);
    uint32_t first = engine_rig_inc(&rig, a, BYTES, TASK_DEVICE_ANY);
    engine_rig_turn(&rig);
    assert_int_equal(engine_rig_state(&rig, first), FGPU_TASK_RUNNING);
    uint32_t second = engine_rig_inc(&rig, a, BYTES, TASK_DEVICE_ANY);
    (void)engine_rig_inc(&rig, b, BYTES, TASK_DEVICE_ANY);
    fill(2);
    assert_int_equal(number_of(first), PLAN_NONE);
    assert_int_equal(number_of(second), 0);
    assert_true(planned(0)->ready_ns >= COST_NS);
    assert_int_equal(planned(1)->ready_ns, 0);
    assert_int_equal(planned(0)->predecessors, 0);
    assert_int_equal(window.plan.workers.count, 2);
    uint64_t busy_ns = 0;
    for (uint32_t i = 0; i < 2; i++)
        busy_ns += plan_worker_at(&window.plan, i)->free_ns;
    assert_true(busy_ns >= COST_NS);
    engine_rig_finish(&rig);
    close_all();
}

/* What was cancelled is none of it, even while it waits for its end behind what runs. */
static void test_cancelled(void **state)
{
    (void)state;
    open_as(0, 6);
    knows(rig.inc, 1, BYTES, COST_NS);
    uint32_t a = engine_rig_buffer(&rig, BYTES, contents), slots[4];
    engine_clock(&rig.engine, 1000);
    for (uint32_t i = 0; i < 4; i++)
        slots[i] = engine_rig_inc(&rig, a, BYTES, TASK_DEVICE_ANY);
    assert_int_equal(engine_cancel(&rig.engine, slots[2]), FGPU_OK);
    fill(3);
    assert_int_equal(number_of(slots[2]), PLAN_NONE);
    assert_int_equal(planned(1)->predecessors, 1);
    assert_int_equal(planned(2)->predecessors, 0); /* it will end with the cancelled one */
    engine_rig_finish(&rig);
    fill(0);
    close_all();
}

/* Costs of a type are those of the class; what nobody has measured is a gap. */
static void test_costs(void **state)
{
    (void)state;
    open_as(0, 0);
    knows(rig.inc, 2, BYTES, COST_NS);
    uint32_t a = engine_rig_buffer(&rig, BYTES, contents);
    (void)engine_rig_inc(&rig, a, BYTES, TASK_DEVICE_ANY);
    (void)engine_rig_inc(&rig, a, BYTES / 2, TASK_DEVICE_ANY);
    fill(2);
    assert_int_equal(plan_cost_ns(&window.plan, 0, 0), PLAN_CANNOT);
    assert_in_range(plan_cost_ns(&window.plan, 0, 1), COST_NS * 9 / 10, COST_NS * 11 / 10);
    assert_int_equal(plan_cost_ns(&window.plan, 0, 2), PLAN_CANNOT);
    assert_true(*(uint32_t *)vec_at(&window.untried, 0) == 2);
    assert_true(window.known >= 1);
    assert_true(window.work_ns >= COST_NS * 9 / 10);
    engine_rig_finish(&rig);
    close_all();
}

/* Devices of one key are one class; hidden and lost ones are in none. */
static void test_classes(void **state)
{
    (void)state;
    open_as(7, 0);
    fill(0);
    assert_int_equal(window.plan.classes.count, 1);
    assert_int_equal(((struct plan_class *)vec_at(&window.plan.classes, 0))->worker_count, 5);
    close_all();
    open_as(7, 2);
    fill(0);
    assert_int_equal(window.plan.workers.count, 4);
    assert_int_equal(*(uint32_t *)vec_at(&window.worker, 2), PLAN_NONE);
    engine_rig_lose(&rig, 0);
    engine_rig_turn(&rig);
    fill(0);
    assert_int_equal(window.plan.workers.count, 2);
    assert_int_equal(*(uint32_t *)vec_at(&window.worker, 0), PLAN_NONE);
    assert_int_equal(*(uint32_t *)vec_at(&window.lanes, 0), 3);
    close_all();
}

/* A task that wants one device of several that are alike is planned for that one's lanes alone, and
 * the others' tasks for all. */
static void test_pinned_to_one_of_many(void **state)
{
    (void)state;
    open_as(7, 0);
    knows(rig.inc, 7, BYTES, COST_NS);
    uint32_t pinned = 0;
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t buffer = engine_rig_buffer(&rig, BYTES, contents);
        uint32_t slot = engine_rig_inc(&rig, buffer, BYTES, i == 3 ? 2 : TASK_DEVICE_ANY);
        pinned = i == 3 ? slot : pinned;
    }
    fill(4);
    assert_int_equal(window.plan.type_count, 2);
    uint32_t able = 0, free_able = 0;
    for (uint32_t w = 0; w < window.plan.workers.count; w++) {
        uint32_t of = plan_worker_at(&window.plan, w)->class_index;
        uint32_t lane = *(uint32_t *)vec_at(&window.lanes, w);
        free_able += plan_cost_ns(&window.plan, planned(0)->type, of) != PLAN_CANNOT;
        if (plan_cost_ns(&window.plan, planned(number_of(pinned))->type, of) == PLAN_CANNOT)
            continue;
        able++;
        assert_int_equal(rig.engine.lanes[lane].device, 2);
    }
    assert_int_equal(able, 2);
    assert_int_equal(free_able, 5);
    engine_rig_finish(&rig);
    close_all();
}

/* The counter of submissions wraps: the tasks stay in their order. */
static void test_order_wraps(void **state)
{
    (void)state;
    open_as(0, 0);
    rig.engine.order = UINT32_MAX - 1;
    uint32_t a = engine_rig_buffer(&rig, BYTES, contents), slots[5];
    for (uint32_t i = 0; i < 5; i++)
        slots[i] = engine_rig_inc(&rig, a, BYTES, TASK_DEVICE_ANY);
    fill(5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(number_of(slots[i]), i);
        assert_int_equal(planned(i)->predecessors, i > 0);
    }
    engine_rig_finish(&rig);
    close_all();
}

/* Ended and failed tasks are gone from it; with more than asked for there is none. */
static void test_ended(void **state)
{
    (void)state;
    open_as(0, 6);
    uint32_t a = engine_rig_buffer(&rig, BYTES, contents);
    for (uint32_t i = 0; i < 3; i++)
        (void)engine_rig_inc(&rig, a, BYTES, TASK_DEVICE_ANY);
    assert_false(window_fill(&window, &rig.engine, 2));
    fill(3);
    engine_rig_finish(&rig);
    fill(0);
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing),
                                       cmocka_unit_test(test_edges_and_data),
                                       cmocka_unit_test(test_running),
                                       cmocka_unit_test(test_cancelled),
                                       cmocka_unit_test(test_costs),
                                       cmocka_unit_test(test_classes),
                                       cmocka_unit_test(test_pinned_to_one_of_many),
                                       cmocka_unit_test(test_order_wraps),
                                       cmocka_unit_test(test_ended)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
