/* Launches of a recorded graph as one task: that they are, when they are not, and that nobody can
 * tell by what becomes of them. On the null and cpu devices; expected values are counted by hand.
 */
#include <pthread.h>
#include "api/lookup.h"
#include "base/clock.h"
#include "lib/graph_rig.h"

#define NODES 50u

/* Launches as one task so far. */
static uint64_t joined_count(void)
{
    fgpu_status status;
    LOOKUP_GUEST *pool = lookup_pool(rig_pool, "test", &status);
    driver_enter(pool->driver);
    uint64_t count = pool->driver->engine.joined_count;
    driver_leave(pool->driver);
    return count;
}

static _Atomic uint32_t joined_calls; /* of all kernels */
static _Atomic uint32_t joined_fails; /* this many calls from now, one fails; 0: none */
static _Atomic uint32_t joined_spins_us;

/* p[0]: how often it has run; fails where that was asked for. */
static int joined_body(const fgpu_range *range, void *const *args, void *user)
{
    uint32_t *p = args[0];
    (void)range;
    (void)user;
    (void)atomic_add_seqcst_u32(&joined_calls, 1);
    uint64_t until_ns = clock_now_ns() + 1000 * (uint64_t)atomic_load_relaxed_u32(&joined_spins_us);
    while (clock_now_ns() < until_ns)
        atomic_pause();
    if (atomic_load_relaxed_u32(&joined_fails) > 0 && atomic_sub_seqcst_u32(&joined_fails, 1) == 1)
        return 1;
    p[0]++;
    return 0;
}

static fgpu_kernel joined_kernel(void)
{
    fgpu_kernel kernel;
    rig_need(fgpu_kernel_create(rig_pool, "count", &kernel));
    rig_need(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0));
    rig_need(fgpu_kernel_add_native(kernel, joined_body, NULL));
    return kernel;
}

struct joined_graph {
    fgpu_kernel kernel;
    fgpu_buffer buffers[2]; /* even nodes use the first, odd ones the second */
    fgpu_graph_exec exec;
};

static void joined_put(const struct joined_graph *graph, fgpu_graph to, uint32_t node,
                       const char *name)
{
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    fgpu_arg arg = fgpu_arg_buffer(graph->buffers[node % 2]);
    desc.kernel = graph->kernel;
    desc.dims = 1;
    desc.global[0] = 1;
    desc.args = &arg;
    desc.arg_count = 1;
    desc.name = name;
    rig_add(to, &desc);
}

/* Two chains of tasks, launched until the next launch would be one task. */
static struct joined_graph joined_warm(uint32_t nodes)
{
    struct joined_graph graph = {.kernel = joined_kernel()};
    uint32_t zero = 0;
    for (uint32_t i = 0; i < 2; i++) {
        graph.buffers[i] = rig_buffer(64);
        rig_need(fgpu_buffer_fill(graph.buffers[i], NULL, &zero, 4));
    }
    fgpu_graph recorded = rig_graph();
    for (uint32_t i = 0; i < nodes; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        joined_put(&graph, recorded, i, name);
    }
    rig_need(fgpu_graph_instantiate(recorded, &graph.exec));
    rig_need(fgpu_graph_destroy(recorded));
    for (uint32_t i = 0; i < 2; i++) {
        rig_need(fgpu_graph_launch(graph.exec, NULL));
        rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    }
    assert_int_equal(joined_count(), 0);
    return graph;
}

static uint32_t joined_value(fgpu_buffer buffer)
{
    uint32_t value = 0;
    fgpu_region region = fgpu_region_span(0, 4);
    rig_need(fgpu_buffer_read(buffer, &region, &value, 0));
    return value;
}

static void joined_begin(const char *pool)
{
    atomic_store_relaxed_u32(&joined_calls, 0);
    atomic_store_relaxed_u32(&joined_fails, 0);
    atomic_store_relaxed_u32(&joined_spins_us, 0);
    rig_open(pool);
}

static int open_one(void **state)
{
    (void)state;
    joined_begin("devices=cpu;workers=1;cache=;log=off;validate");
    return 0;
}

/* ---- that they are */

static void test_counts(void **state)
{
    (void)state;
    struct joined_graph graph = joined_warm(NODES);
    fgpu_pool_stats before = rig_stats();
    fgpu_task tasks[10];
    for (uint32_t i = 0; i < 10; i++)
        rig_need(fgpu_graph_launch(graph.exec, i % 2 ? &tasks[i] : NULL));
    for (uint32_t i = 1; i < 10; i += 2)
        rig_need(fgpu_task_wait(tasks[i], FGPU_FOREVER));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    fgpu_pool_stats after = rig_stats();
    assert_int_equal(joined_count(), 10);
    assert_int_equal(after.tasks_submitted - before.tasks_submitted, 10 * NODES + 5);
    assert_int_equal(after.tasks_done - before.tasks_done, 10 * NODES + 5);
    assert_int_equal(after.tasks_pending, 0);
    assert_int_equal(atomic_load_relaxed_u32(&joined_calls), 12 * NODES);
    assert_int_equal(joined_value(graph.buffers[0]), 12 * NODES / 2);
    fgpu_device device;
    fgpu_device_stats stats = {.struct_bytes = sizeof stats};
    rig_need(fgpu_device_at(rig_pool, 0, &device));
    rig_need(fgpu_device_get_stats(device, &stats));
    assert_true(stats.tasks >= 12 * NODES);
    rig_need(fgpu_graph_exec_destroy(graph.exec));
}

/* Others come in between, and destroy what the graph does not use. */
static void test_others_in_between(void **state)
{
    (void)state;
    struct joined_graph graph = joined_warm(NODES);
    for (uint32_t i = 0; i < 30; i++) {
        fgpu_buffer other = rig_buffer(64);
        rig_need(fgpu_graph_launch(graph.exec, NULL));
        if (i % 3 == 0)
            assert_int_equal(joined_value(graph.buffers[1]), (i + 3) * NODES / 2);
        rig_need(fgpu_buffer_destroy(other));
    }
    assert_int_equal(joined_count(), 30);
    assert_int_equal(joined_value(graph.buffers[0]), 32 * NODES / 2);
}

static void test_nothing_is_allocated(void **state)
{
    (void)state;
    struct joined_graph graph = joined_warm(NODES);
    uint64_t before = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        if (i == 100)
            before = rig_stats().allocations;
        rig_need(fgpu_graph_launch(graph.exec, NULL));
        if (i % 10 == 0)
            assert_int_equal(joined_value(graph.buffers[0]), (i + 3) * NODES / 2);
        else if (i % 4 == 0)
            rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    }
    assert_int_equal(joined_count(), 1000);
    assert_in_range(rig_stats().allocations - before, 0, 19);
}

/* A record is enough for a launch; the first ones pass through as always. */
static void test_more_nodes_than_records(void **state)
{
    (void)state;
    joined_begin("devices=cpu;workers=1;cache=;log=off;tasks=8");
    struct joined_graph graph = joined_warm(NODES);
    for (uint32_t i = 0; i < 100; i++)
        rig_need(fgpu_graph_launch(graph.exec, NULL));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_true(joined_count() > 0);
    assert_int_equal(atomic_load_relaxed_u32(&joined_calls), 102 * NODES);
    rig_need(fgpu_pool_close(rig_pool));
}

/* ---- when they are not */

static void test_not_while_traced(void **state)
{
    (void)state;
    struct joined_graph graph = joined_warm(NODES);
    rig_need(fgpu_graph_launch(graph.exec, NULL));
    assert_int_equal(joined_count(), 1);
    rig_need(fgpu_trace_enable(rig_pool, true));
    for (uint32_t i = 0; i < 5; i++)
        rig_need(fgpu_graph_launch(graph.exec, NULL));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    rig_need(fgpu_trace_enable(rig_pool, false));
    assert_int_equal(joined_count(), 1);
    rig_need(fgpu_graph_launch(graph.exec, NULL));
    assert_int_equal(joined_count(), 2);
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(joined_value(graph.buffers[0]), 9 * NODES / 2);
}

/* Two queues run two chains of long tasks at the same time. */
static void test_not_where_tasks_are_long(void **state)
{
    (void)state;
    joined_begin("devices=cpu;workers=2;cache=;log=off");
    atomic_store_relaxed_u32(&joined_spins_us, 30);
    struct joined_graph graph = joined_warm(NODES);
    for (uint32_t i = 0; i < 20; i++)
        rig_need(fgpu_graph_launch(graph.exec, NULL));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(joined_count(), 0);
    rig_need(fgpu_pool_close(rig_pool));
}

/* Tasks that become long are found out, and run apart again. */
static void test_not_any_more(void **state)
{
    (void)state;
    struct joined_graph graph = joined_warm(NODES);
    rig_need(fgpu_graph_launch(graph.exec, NULL));
    atomic_store_relaxed_u32(&joined_spins_us, 100);
    uint64_t joined = 0;
    for (uint32_t i = 0; i < 20; i++) {
        rig_need(fgpu_graph_launch(graph.exec, NULL));
        rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
        joined = joined_count();
    }
    assert_true(joined > 1 && joined < 15);
    assert_int_equal(joined_value(graph.buffers[0]), 23 * NODES / 2);
}

static void test_host_functions_are_apart(void **state)
{
    (void)state;
    _Atomic uint32_t calls = 0;
    fgpu_graph graph = rig_graph();
    for (uint32_t i = 0; i < NODES; i++)
        rig_add_host(graph, rig_count, &calls, rig_no_buffer, 0);
    fgpu_graph_exec exec;
    rig_need(fgpu_graph_instantiate(graph, &exec));
    for (uint32_t i = 0; i < 10; i++)
        rig_need(fgpu_graph_launch(exec, NULL));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(joined_count(), 0);
    assert_int_equal(atomic_load_acquire_u32(&calls), 10 * NODES);
}

/* ---- what becomes of them */

static void test_a_stale_buffer(void **state)
{
    (void)state;
    struct joined_graph graph = joined_warm(NODES);
    rig_need(fgpu_graph_launch(graph.exec, NULL));
    rig_need(fgpu_buffer_destroy(graph.buffers[1])); /* while it is used */
    rig_refused(fgpu_graph_launch(graph.exec, NULL), FGPU_E_STALE, "node 1");
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(joined_value(graph.buffers[0]), 3 * NODES / 2);
    rig_refused(fgpu_graph_launch(graph.exec, NULL), FGPU_E_STALE, "node 1");
}

static void test_a_stale_kernel(void **state)
{
    (void)state;
    struct joined_graph graph = joined_warm(NODES);
    rig_need(fgpu_graph_launch(graph.exec, NULL));
    rig_need(fgpu_kernel_destroy(graph.kernel));
    rig_refused(fgpu_graph_launch(graph.exec, NULL), FGPU_E_STALE, "node 0");
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(joined_value(graph.buffers[0]), 3 * NODES / 2);
}

/* Node 20 fails: the even nodes behind it and the next launch's are poisoned, the odd ones run. */
static void test_a_node_fails(void **state)
{
    (void)state;
    struct joined_graph graph = joined_warm(NODES);
    fgpu_task first, second, root;
    char text[256];
    fgpu_status failure;
    fgpu_pool_stats before = rig_stats();
    atomic_store_relaxed_u32(&joined_fails, 21);
    rig_need(fgpu_graph_launch(graph.exec, &first));
    rig_need(fgpu_graph_launch(graph.exec, &second));
    assert_int_equal(fgpu_task_wait(first, FGPU_FOREVER), FGPU_E_POISONED);
    assert_int_equal(fgpu_task_wait(second, FGPU_FOREVER), FGPU_E_POISONED);
    assert_int_equal(joined_count(), 2);
    rig_need(fgpu_task_get_error(second, &failure, &root, text, sizeof text));
    assert_int_equal(failure, FGPU_E_POISONED);
    assert_non_null(strstr(text, "'n20'"));
    rig_need(fgpu_task_get_error(root, &failure, NULL, text, sizeof text));
    assert_int_equal(failure, FGPU_E_TASK);
    assert_int_equal(fgpu_pool_wait(rig_pool, FGPU_FOREVER), FGPU_E_TASK);
    fgpu_pool_stats after = rig_stats();
    assert_int_equal(after.tasks_failed - before.tasks_failed, 15 + 25 + 2);
    assert_int_equal(after.tasks_done - before.tasks_done, 35 + 25);
    assert_int_equal(joined_value(graph.buffers[1]), 4 * NODES / 2);
    uint32_t value;
    fgpu_region region = fgpu_region_span(0, 4);
    assert_int_equal(fgpu_buffer_read(graph.buffers[0], &region, &value, 0), FGPU_E_POISONED);
    /* Overwritten it is whole again. */
    uint32_t zero = 0;
    rig_need(fgpu_buffer_fill(graph.buffers[0], NULL, &zero, 4));
    (void)fgpu_pool_wait(rig_pool, FGPU_FOREVER);
    rig_need(fgpu_task_forget(first));
    rig_need(fgpu_task_forget(second));
    rig_need(fgpu_graph_launch(graph.exec, &first));
    rig_need(fgpu_task_wait(first, FGPU_FOREVER));
    assert_int_equal(joined_value(graph.buffers[0]), NODES / 2);
}

/* Records of failed nodes come back. */
static void test_failures_do_not_pile_up(void **state)
{
    (void)state;
    joined_begin("devices=cpu;workers=1;cache=;log=off;tasks=16");
    struct joined_graph graph = joined_warm(8);
    for (uint32_t i = 0; i < 100; i++) {
        fgpu_task task;
        uint32_t zero = 0;
        atomic_store_relaxed_u32(&joined_fails, 3);
        rig_need(fgpu_graph_launch(graph.exec, i % 2 ? &task : NULL));
        assert_int_equal(fgpu_pool_wait(rig_pool, FGPU_FOREVER), FGPU_E_TASK);
        if (i % 2)
            rig_need(fgpu_task_forget(task));
        rig_need(fgpu_buffer_fill(graph.buffers[0], NULL, &zero, 4));
    }
    assert_int_equal(joined_count(), 100);
    (void)fgpu_pool_close(rig_pool);
}

static void test_cancelled(void **state)
{
    (void)state;
    atomic_store_relaxed_u32(&joined_spins_us, 10);
    struct joined_graph graph = joined_warm(1000);
    fgpu_task task;
    rig_need(fgpu_graph_launch(graph.exec, &task)); /* 10 ms */
    fgpu_status status = fgpu_task_cancel(task);
    if (status == FGPU_OK) /* the task that joins, not the nodes, as where they run apart */
        assert_int_equal(fgpu_task_wait(task, FGPU_FOREVER), FGPU_E_CANCELLED);
    (void)fgpu_pool_wait(rig_pool, FGPU_FOREVER);
    assert_int_equal(joined_value(graph.buffers[0]), 3 * 500);
    assert_int_equal(rig_stats().tasks_cancelled, status == FGPU_OK);
}

static int joined_look(const fgpu_range *range, void *const *args, void *user)
{
    (void)range;
    (void)args;
    atomic_store_seqcst_u32(user, atomic_load_seqcst_u32(&joined_calls));
    return 0;
}

/* What is urgent gets in between the slices of a long graph. */
static void test_urgent(void **state)
{
    (void)state;
    _Atomic uint32_t seen = 0;
    uint32_t before = 0, between = 0;
    atomic_store_relaxed_u32(&joined_spins_us, 10);
    struct joined_graph graph = joined_warm(1000);
    fgpu_kernel kernel;
    rig_need(fgpu_kernel_create(rig_pool, "look", &kernel));
    rig_need(fgpu_kernel_add_native(kernel, joined_look, &seen));
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kernel = kernel;
    desc.dims = 1;
    desc.global[0] = 1;
    desc.priority = 1000;
    for (uint32_t i = 0; i < 20; i++) { /* this thread may not run while the graph does */
        before = atomic_load_seqcst_u32(&joined_calls);
        rig_need(fgpu_graph_launch(graph.exec, NULL));
        rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
        rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
        between += atomic_load_seqcst_u32(&seen) < before + 1000;
    }
    assert_true(between > 0);
    assert_true(joined_count() > 0);
}

static void test_a_lost_device(void **state)
{
    (void)state;
    atomic_store_relaxed_u32(&joined_spins_us, 0);
    for (uint32_t after = 60; after < 140; after += 7) {
        char text[128];
        snprintf(text, sizeof text,
                 "devices=cpu;workers=1;cache=;log=off;validate;faults=lose=0@%u", after);
        joined_begin(text);
        struct joined_graph graph = {.kernel = joined_kernel()};
        fgpu_graph recorded = rig_graph();
        graph.buffers[0] = rig_buffer(64);
        graph.buffers[1] = rig_buffer(64);
        for (uint32_t i = 0; i < 20; i++)
            joined_put(&graph, recorded, i, NULL);
        rig_need(fgpu_graph_instantiate(recorded, &graph.exec));
        fgpu_task task;
        uint32_t good = 0, failed = 0;
        for (uint32_t i = 0; i < 200 && failed < 3; i++) {
            rig_need(fgpu_graph_launch(graph.exec, &task));
            fgpu_status status = fgpu_task_wait(task, FGPU_FOREVER);
            assert_true(status == FGPU_OK || status == FGPU_E_POISONED);
            assert_true(status != FGPU_OK || failed == 0);
            good += status == FGPU_OK;
            failed += status != FGPU_OK;
        }
        assert_true(good > 0 && failed == 3);
        assert_true(atomic_load_seqcst_u32(&joined_calls) >= 20 * good);
        (void)fgpu_pool_close(rig_pool);
    }
}

/* The exec goes while its launches are on their way; so do the buffers and the kernel. */
static void test_destroyed_in_flight(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 30; i++) {
        fgpu_pool keep = rig_pool;
        (void)open_one(state);
        struct joined_graph graph = joined_warm(NODES);
        for (uint32_t n = 0; n < 20; n++)
            rig_need(fgpu_graph_launch(graph.exec, NULL));
        rig_need(fgpu_graph_exec_destroy(graph.exec));
        if (i % 3 > 0)
            rig_need(fgpu_buffer_destroy(graph.buffers[0]));
        if (i % 3 > 1) {
            rig_need(fgpu_buffer_destroy(graph.buffers[1]));
            rig_need(fgpu_kernel_destroy(graph.kernel));
        }
        rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
        assert_int_equal(atomic_load_seqcst_u32(&joined_calls), 22 * NODES);
        if (i % 3 == 0)
            assert_int_equal(joined_value(graph.buffers[0]), 22 * NODES / 2);
        rig_need(fgpu_pool_close(rig_pool));
        rig_pool = keep;
    }
}

/* ---- threads */

static struct joined_graph shared[2];

static void *launch_often(void *arg)
{
    const struct joined_graph *graph = arg;
    for (uint32_t i = 0; i < 200; i++) {
        fgpu_task task;
        if (fgpu_graph_launch(graph->exec, &task) != FGPU_OK ||
            fgpu_task_wait(task, FGPU_FOREVER) != FGPU_OK)
            return NULL;
    }
    return arg;
}

static void *touch_often(void *arg)
{
    const struct joined_graph *graph = arg;
    fgpu_region region = fgpu_region_span(0, 4);
    for (uint32_t i = 0; i < 100; i++) {
        uint32_t value;
        fgpu_buffer other;
        if (fgpu_buffer_read(graph->buffers[i % 2], &region, &value, 0) != FGPU_OK ||
            fgpu_buffer_create(rig_pool, 64, &other) != FGPU_OK ||
            fgpu_buffer_destroy(other) != FGPU_OK)
            return NULL;
    }
    return arg;
}

/* Two graphs on the same buffers, launched and touched by several threads. */
static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[5];
    void *result;
    shared[0] = joined_warm(NODES);
    shared[1] = shared[0];
    fgpu_graph recorded = rig_graph();
    for (uint32_t i = 0; i < NODES; i++)
        joined_put(&shared[1], recorded, i, NULL);
    rig_need(fgpu_graph_instantiate(recorded, &shared[1].exec));
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < 4 ? launch_often : touch_often, &shared[i % 2]),
            0);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
    assert_int_equal(atomic_load_relaxed_u32(&joined_calls), (2 + 4 * 200) * NODES);
    assert_int_equal(joined_value(shared[0].buffers[0]), (2 + 4 * 200) * NODES / 2);
    assert_true(joined_count() > 0);
}

#define ON_ONE(test) cmocka_unit_test_setup_teardown(test, open_one, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ONE(test_counts),
        ON_ONE(test_others_in_between),
        ON_ONE(test_nothing_is_allocated),
        cmocka_unit_test(test_more_nodes_than_records),
        ON_ONE(test_not_while_traced),
        cmocka_unit_test(test_not_where_tasks_are_long),
        ON_ONE(test_not_any_more),
        ON_ONE(test_host_functions_are_apart),
        ON_ONE(test_a_stale_buffer),
        ON_ONE(test_a_stale_kernel),
        ON_ONE(test_a_node_fails),
        cmocka_unit_test(test_failures_do_not_pile_up),
        ON_ONE(test_cancelled),
        ON_ONE(test_urgent),
        cmocka_unit_test(test_a_lost_device),
        ON_ONE(test_destroyed_in_flight),
        ON_ONE(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
