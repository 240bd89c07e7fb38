/* Launches of recorded graphs, many of them and with failures: what becomes of the records, of
 * memory, of a launch that does not fit; and threads.
 *
 * On the null device, which executes nothing but host functions, and on the cpu device. Expected
 * values are counted by hand.
 */
#include <pthread.h>
#include "base/clock.h"
#include "lib/graph_rig.h"

/* The records of failed nodes come back, whoever asks or does not ask. */
static void test_failures_do_not_pile_up(void **state)
{
    (void)state;
    rig_open("devices=null;cache=;log=off;tasks=16");
    fgpu_buffer buffer = rig_buffer(64);
    _Atomic uint32_t calls = 0;
    fgpu_graph graph = rig_graph();
    rig_add_host(graph, rig_fail, NULL, buffer, FGPU_WRITE);
    rig_add_host(graph, rig_count, &calls, buffer, FGPU_READ_WRITE);
    rig_add_host(graph, rig_count, &calls, buffer, FGPU_READ);
    fgpu_graph_exec exec;
    rig_need(fgpu_graph_instantiate(graph, &exec));
    for (uint32_t i = 0; i < 100; i++) {
        fgpu_task task;
        rig_need(fgpu_graph_launch(exec, &task));
        assert_int_equal(fgpu_task_wait(task, FGPU_FOREVER), FGPU_E_POISONED);
        assert_int_equal(fgpu_task_wait(task, FGPU_FOREVER), FGPU_E_POISONED);
        rig_need(fgpu_task_forget(task));
    }
    (void)fgpu_pool_wait(rig_pool, FGPU_FOREVER);
    for (uint32_t i = 0; i < 100; i++) {
        rig_need(fgpu_graph_launch(exec, NULL));
        assert_int_equal(fgpu_pool_wait(rig_pool, FGPU_FOREVER), FGPU_E_TASK);
    }
    /* As long as the launch is remembered, what began its failure is. */
    fgpu_task held;
    rig_need(fgpu_graph_launch(exec, &held));
    (void)fgpu_pool_wait(rig_pool, FGPU_FOREVER);
    for (uint32_t i = 0; i < 5; i++) {
        rig_need(fgpu_graph_launch(exec, NULL));
        (void)fgpu_pool_wait(rig_pool, FGPU_FOREVER);
    }
    rig_refused(fgpu_task_wait(held, 0), FGPU_E_POISONED, fgpu_status_text(FGPU_E_TASK));
    rig_need(fgpu_task_forget(held));
    /* A failure is told even when the graph was launched again before anybody asked. */
    for (uint32_t i = 0; i < 3; i++)
        rig_need(fgpu_graph_launch(exec, NULL));
    assert_int_equal(fgpu_pool_wait(rig_pool, FGPU_FOREVER), FGPU_E_TASK);
    rig_need(fgpu_graph_exec_destroy(exec));
    assert_int_equal(atomic_load_acquire_u32(&calls), 0);
    assert_int_equal(rig_stats().tasks_failed, 209 * 3 + 101);
    (void)fgpu_pool_close(rig_pool);
}

/* A launch that does not fit is refused, and what it had submitted is cancelled. */
static void test_a_launch_that_stops_in_the_middle(void **state)
{
    (void)state;
    rig_open("devices=null;cache=;log=off;tasks=32;nowait");
    struct rig_gate gate = {0};
    _Atomic uint32_t calls = 0;
    fgpu_graph graph = rig_graph(), small = rig_graph();
    rig_add_host(graph, rig_wait_at_gate, &gate, rig_no_buffer, 0);
    rig_add_empty(graph, "start"); /* what comes after it cannot be in a queue already */
    rig_need(fgpu_graph_depend(graph, 1, 0));
    for (uint32_t i = 2; i < 40; i++) {
        rig_add_host(graph, rig_count, &calls, rig_no_buffer, 0);
        rig_need(fgpu_graph_depend(graph, i, 1));
    }
    rig_add_host(small, rig_count, &calls, rig_no_buffer, 0);
    fgpu_graph_exec exec, fits;
    rig_need(fgpu_graph_instantiate(graph, &exec));
    rig_need(fgpu_graph_instantiate(small, &fits));
    for (uint32_t i = 0; i < 50; i++) {
        fgpu_task task = {1};
        atomic_store_release_u32(&gate.open, 0);
        rig_refused(fgpu_graph_launch(exec, &task), FGPU_E_AGAIN, "node ");
        assert_int_equal(task.bits, 0);
        atomic_store_release_u32(&gate.open, 1);
        rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    }
    assert_int_equal(atomic_load_acquire_u32(&calls), 0);
    rig_need(fgpu_graph_exec_destroy(exec)); /* gives back the records of what was cancelled */
    rig_need(fgpu_graph_launch(fits, NULL));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(atomic_load_acquire_u32(&calls), 1);
    (void)fgpu_pool_close(rig_pool);
}

/* With waiting allowed the same graph passes through a rig_pool that is smaller than itself. */
static void test_a_graph_larger_than_the_pool(void **state)
{
    (void)state;
    rig_open("devices=null;cache=;log=off;tasks=8");
    _Atomic uint32_t calls = 0;
    fgpu_graph graph = rig_graph();
    for (uint32_t i = 0; i < 100; i++)
        rig_add_host(graph, rig_count, &calls, rig_no_buffer, 0);
    fgpu_graph_exec exec;
    fgpu_task task;
    rig_need(fgpu_graph_instantiate(graph, &exec));
    rig_need(fgpu_graph_launch(exec, &task));
    rig_need(fgpu_task_wait(task, FGPU_FOREVER));
    assert_int_equal(atomic_load_acquire_u32(&calls), 100);
    rig_need(fgpu_pool_close(rig_pool)); /* with everything still there */
}

static void *launch_held_up(void *arg)
{
    fgpu_graph_exec *exec = arg;
    return fgpu_graph_launch(*exec, NULL) == FGPU_OK ? arg : NULL;
}

/* A launch that waits for room goes on when its graph is destroyed under it. */
static void test_destroyed_in_the_middle(void **state)
{
    (void)state;
    rig_open("devices=null;cache=;log=off;tasks=8");
    struct rig_gate gate = {0};
    fgpu_graph graph = rig_graph();
    for (uint32_t i = 0; i < 40; i++)
        rig_add_host(graph, rig_wait_at_gate, &gate, rig_no_buffer, 0);
    fgpu_graph_exec exec;
    rig_need(fgpu_graph_instantiate(graph, &exec));
    rig_need(fgpu_graph_destroy(graph));
    pthread_t thread;
    void *result;
    assert_int_equal(pthread_create(&thread, NULL, launch_held_up, &exec), 0);
    while (rig_stats().tasks_pending < 8)
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    rig_need(fgpu_graph_exec_destroy(exec));
    rig_refused(fgpu_graph_launch(exec, NULL), FGPU_E_STALE, "destroyed");
    atomic_store_release_u32(&gate.open, 1);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_non_null(result);
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(atomic_load_acquire_u32(&gate.passed), 40);
    rig_need(fgpu_pool_close(rig_pool));
}

/* ---- many */

static void test_launches_allocate_nothing(void **state)
{
    (void)state;
    fgpu_buffer buffer = rig_buffer(4096);
    _Atomic uint32_t calls = 0;
    fgpu_graph graph = rig_graph();
    for (uint32_t i = 0; i < 20; i++)
        rig_add_host(graph, rig_count, &calls, buffer, i % 3 ? FGPU_READ : FGPU_READ_WRITE);
    rig_need(fgpu_graph_depend(graph, 19, 4));
    fgpu_graph_exec exec;
    rig_need(fgpu_graph_instantiate(graph, &exec));
    uint64_t before = 0;
    for (uint32_t i = 0; i < 1100; i++) {
        if (i == 100)
            before = rig_stats().allocations;
        fgpu_task task;
        rig_need(fgpu_graph_launch(exec, &task));
        rig_need(fgpu_task_wait(task, FGPU_FOREVER));
    }
    /* Not one per launch: the engine's lists grow when many things happen to come at once. */
    assert_true(rig_stats().allocations - before < 10);
    assert_int_equal(atomic_load_acquire_u32(&calls), 1100 * 20);
    /* Many at once, none of which starts before all are there: later rounds find the room that the
     * first one has made. */
    struct rig_gate gate = {0};
    fgpu_graph first = rig_graph();
    fgpu_graph_exec closed;
    rig_add_host(first, rig_wait_at_gate, &gate, buffer, FGPU_READ_WRITE);
    rig_need(fgpu_graph_instantiate(first, &closed));
    for (uint32_t round = 0; round < 4; round++) {
        if (round == 2)
            before = rig_stats().allocations;
        atomic_store_release_u32(&gate.open, 0);
        rig_need(fgpu_graph_launch(closed, NULL));
        for (uint32_t i = 0; i < 200; i++)
            rig_need(fgpu_graph_launch(exec, NULL));
        atomic_store_release_u32(&gate.open, 1);
        rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    }
    assert_true(rig_stats().allocations - before < 10);
    assert_int_equal(atomic_load_acquire_u32(&calls), 1900 * 20);
    rig_need(fgpu_graph_exec_destroy(closed));
    rig_need(fgpu_graph_destroy(first));
    rig_need(fgpu_graph_exec_destroy(exec));
    rig_need(fgpu_graph_destroy(graph));
}

#define MANY 10000u

/* More sinks than one task can name; the failure of any is seen. */
static void test_ten_thousand_nodes(void **state)
{
    (void)state;
    _Atomic uint32_t calls = 0;
    fgpu_graph graph = rig_graph();
    for (uint32_t i = 0; i < MANY; i++)
        rig_add_host(graph, rig_count, &calls, rig_no_buffer, 0);
    fgpu_graph_exec exec;
    fgpu_task task;
    rig_need(fgpu_graph_instantiate(graph, &exec));
    rig_need(fgpu_graph_launch(exec, &task));
    rig_need(fgpu_task_wait(task, FGPU_FOREVER));
    assert_int_equal(atomic_load_acquire_u32(&calls), MANY);
    rig_need(fgpu_graph_exec_destroy(exec));
    rig_add_host(graph, rig_fail, NULL, rig_no_buffer, 0);
    rig_need(fgpu_graph_instantiate(graph, &exec));
    rig_need(fgpu_graph_launch(exec, &task));
    assert_int_equal(fgpu_task_wait(task, FGPU_FOREVER), FGPU_E_POISONED);
    rig_need(fgpu_graph_exec_destroy(exec));
    rig_need(fgpu_graph_destroy(graph));
}

/* Each node touches a part of one buffer that overlaps those of its neighbours; one edge points
 * back from the end to the beginning, so that all data has to be looked at. */
static void test_ten_thousand_are_ordered_quickly(void **state)
{
    (void)state;
    fgpu_buffer buffer = rig_buffer(16 * MANY + 64), other = rig_buffer(64);
    _Atomic uint32_t calls = 0;
    fgpu_graph graph = rig_graph();
    rig_add_empty(graph, NULL);
    for (uint32_t i = 0; i < MANY; i++) {
        fgpu_task_desc desc;
        fgpu_task_desc_init(&desc);
        desc.kind = FGPU_TASK_HOST;
        desc.host_fn = rig_count;
        desc.host_user = &calls;
        fgpu_arg args[2] = {fgpu_arg_span(buffer, FGPU_READ_WRITE, 16 * i, 80),
                            fgpu_arg_region(other, FGPU_READ, fgpu_region_whole())};
        desc.args = args;
        desc.arg_count = 2;
        rig_add(graph, &desc);
    }
    rig_need(fgpu_graph_depend(graph, 0, MANY));
    fgpu_graph_exec exec;
    uint64_t start_ns = clock_now_ns();
    rig_need(fgpu_graph_instantiate(graph, &exec));
    uint64_t took_ns = clock_now_ns() - start_ns;
    print_message("%u nodes instantiated in %.1f ms\n", MANY, (double)took_ns * 1e-6);
    assert_true(took_ns < 2000000000); /* all pairs: 50 million comparisons */
    rig_need(fgpu_graph_depend(graph, 1, MANY));
    rig_refused(fgpu_graph_instantiate(graph, &exec), FGPU_E_CYCLE, "10000 nodes: 1 ->");
    rig_need(fgpu_graph_destroy(graph));
}

/* ---- threads */

static fgpu_graph_exec shared_exec;

static void *launch_often(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < 100; i++) {
        fgpu_task task;
        if (fgpu_graph_launch(shared_exec, &task) != FGPU_OK ||
            fgpu_task_wait(task, FGPU_FOREVER) != FGPU_OK)
            return NULL;
    }
    return &shared_exec;
}

static void test_threads_launch_one_graph(void **state)
{
    (void)state;
    fgpu_buffer buffer = rig_buffer(64);
    _Atomic uint32_t calls = 0;
    fgpu_graph graph = rig_graph();
    for (uint32_t i = 0; i < 4; i++)
        rig_add_host(graph, rig_count, &calls, buffer, i ? FGPU_READ : FGPU_READ_WRITE);
    rig_need(fgpu_graph_instantiate(graph, &shared_exec));
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, launch_often, NULL), 0);
    for (uint32_t i = 0; i < 20; i++) {
        fgpu_graph_exec exec;
        rig_add_empty(graph, NULL);
        rig_need(fgpu_graph_instantiate(graph, &exec));
        rig_need(fgpu_graph_exec_destroy(exec));
    }
    for (size_t i = 0; i < 3; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
    assert_int_equal(atomic_load_acquire_u32(&calls), 300 * 4);
    rig_need(fgpu_graph_exec_destroy(shared_exec));
    rig_need(fgpu_graph_destroy(graph));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures_do_not_pile_up),
        cmocka_unit_test(test_a_launch_that_stops_in_the_middle),
        cmocka_unit_test(test_a_graph_larger_than_the_pool),
        cmocka_unit_test(test_destroyed_in_the_middle),
        RIG_ON(null, test_launches_allocate_nothing),
        RIG_ON(cpu, test_launches_allocate_nothing),
        RIG_ON(null, test_ten_thousand_nodes),
        RIG_ON(null, test_ten_thousand_are_ordered_quickly),
        RIG_ON(null, test_threads_launch_one_graph),
        RIG_ON(cpu, test_threads_launch_one_graph),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
