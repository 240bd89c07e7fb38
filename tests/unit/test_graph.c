/* Recorded graphs as their header promises them: copies, order, cycles, failures, handles, limits.
 * (Many launches, and launches that fail: test_graph_launch.)
 *
 * On the null device, which executes nothing but host functions, and on the cpu device. Expected
 * values are counted by hand. (Random graphs against an oracle: prop/test_graph_order.)
 */
#include "base/limits.h"
#include "lib/graph_rig.h"
#include "lib/poor_alloc.h"

/* ---- copies */

static int kernel_add(const fgpu_range *range, void *const *args, void *user)
{
    (void)user;
    uint32_t *data = args[0];
    const uint32_t *k = args[1];
    for (uint64_t g = range->group_begin; g < range->group_end; g++)
        for (uint64_t i = g * range->local[0];
             i < (g + 1) * range->local[0] && i < range->global[0]; i++)
            data[i] = data[i] * 3 + *k;
    return 0;
}

static fgpu_kernel new_kernel(void)
{
    fgpu_kernel kernel;
    rig_need(fgpu_kernel_create(rig_pool, "add", &kernel));
    rig_need(fgpu_kernel_add_native(kernel, kernel_add, NULL));
    rig_need(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0));
    rig_need(fgpu_kernel_set_arg(kernel, 1, FGPU_ARG_SCALAR, 0, 4));
    return kernel;
}

/* Nothing of the caller's is read after add, and nothing of the graph after instantiate. */
static void test_everything_is_copied(void **state)
{
    (void)state;
    fgpu_kernel kernel = new_kernel();
    fgpu_buffer buffer = rig_buffer(64), other = rig_buffer(64);
    uint32_t data[16] = {0}, k = 7;
    rig_need(fgpu_buffer_write(buffer, NULL, data, 0));
    rig_need(fgpu_buffer_write(other, NULL, data, 0));
    char name[8] = "first";
    fgpu_arg args[2] = {fgpu_arg_buffer(buffer), fgpu_arg_scalar(&k, sizeof k)};
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kernel = kernel;
    desc.dims = 1;
    desc.global[0] = 16;
    desc.args = args;
    desc.arg_count = 2;
    desc.name = name;
    fgpu_graph graph = rig_graph();
    assert_int_equal(rig_add(graph, &desc), 0);
    k = 1000;
    args[0] = fgpu_arg_buffer(other);
    args[1].value = NULL;
    memset(name, 'x', sizeof name - 1);
    desc.global[0] = 1;
    fgpu_graph_exec exec;
    rig_need(fgpu_graph_instantiate(graph, &exec));
    args[1].value = &k;
    assert_int_equal(rig_add(graph, &desc), 1); /* too late for exec */
    rig_need(fgpu_graph_destroy(graph));
    rig_need(fgpu_graph_launch(exec, NULL));
    rig_need(fgpu_graph_launch(exec, NULL));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    rig_need(fgpu_buffer_read(buffer, NULL, data, 0));
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(data[i], (0 * 3 + 7) * 3 + 7);
    rig_need(fgpu_buffer_read(other, NULL, data, 0));
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(data[i], 0);
    rig_need(fgpu_graph_exec_destroy(exec));
}

static void test_launch_equals_submission(void **state)
{
    (void)state;
    fgpu_kernel kernel = new_kernel();
    fgpu_buffer direct = rig_buffer(4096), launched = rig_buffer(4096);
    static uint32_t zero[1024], a[1024], b[1024];
    rig_need(fgpu_buffer_write(direct, NULL, zero, 0));
    rig_need(fgpu_buffer_write(launched, NULL, zero, 0));
    fgpu_graph graph = rig_graph();
    for (uint32_t i = 0; i < 50; i++) {
        fgpu_task_desc desc;
        fgpu_task_desc_init(&desc);
        desc.kernel = kernel;
        desc.dims = 1;
        desc.global[0] = 256;
        desc.local[0] = 32;
        fgpu_arg args[2] = {fgpu_arg_span(launched, FGPU_READ_WRITE, 60 * i, 1024),
                            fgpu_arg_scalar(&i, sizeof i)};
        desc.args = args;
        desc.arg_count = 2;
        rig_add(graph, &desc);
        args[0].buffer = direct;
        rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
    }
    fgpu_graph_exec exec;
    rig_need(fgpu_graph_instantiate(graph, &exec));
    fgpu_task task;
    rig_need(fgpu_graph_launch(exec, &task));
    rig_need(fgpu_task_wait(task, FGPU_FOREVER));
    rig_need(fgpu_buffer_read(direct, NULL, a, 0));
    rig_need(fgpu_buffer_read(launched, NULL, b, 0));
    assert_memory_equal(a, b, sizeof a);
    assert_true(a[900] != 0);
    rig_need(fgpu_graph_exec_destroy(exec));
    rig_need(fgpu_graph_destroy(graph));
}

/* ---- order */

static void test_an_empty_graph(void **state)
{
    (void)state;
    fgpu_graph graph = rig_graph();
    fgpu_graph_exec exec;
    fgpu_task task;
    rig_need(fgpu_graph_instantiate(graph, &exec));
    rig_need(fgpu_graph_launch(exec, &task));
    rig_need(fgpu_task_wait(task, FGPU_FOREVER));
    rig_need(fgpu_graph_launch(exec, NULL));
    rig_need(fgpu_graph_exec_destroy(exec));
    rig_need(fgpu_graph_destroy(graph));
}

/* The launch's task has not ended before its last node has. */
static void test_the_join_waits(void **state)
{
    (void)state;
    struct rig_gate gate = {0};
    fgpu_graph graph = rig_graph();
    uint32_t slow = rig_add_host(graph, rig_wait_at_gate, &gate, rig_no_buffer, 0);
    uint32_t after = rig_add_empty(graph, "after");
    rig_add_empty(graph, "beside");
    rig_need(fgpu_graph_depend(graph, after, slow));
    fgpu_graph_exec exec;
    fgpu_task task;
    rig_need(fgpu_graph_instantiate(graph, &exec));
    rig_need(fgpu_graph_launch(exec, &task));
    assert_int_equal(fgpu_task_wait(task, 20000000), FGPU_E_TIMEOUT);
    rig_need(fgpu_graph_exec_destroy(exec)); /* in flight: it goes on */
    atomic_store_release_u32(&gate.open, 1);
    rig_need(fgpu_task_wait(task, FGPU_FOREVER));
    assert_int_equal(atomic_load_acquire_u32(&gate.passed), 1);
    rig_need(fgpu_graph_destroy(graph));
}

static void test_cycles_are_named(void **state)
{
    (void)state;
    fgpu_buffer buffer = rig_buffer(64);
    fgpu_graph_exec exec;
    fgpu_graph graph = rig_graph();
    for (uint32_t i = 0; i < 9; i++)
        rig_add_empty(graph, i == 3 ? "blur" : NULL);
    rig_need(fgpu_graph_depend(graph, 7, 3));
    rig_need(fgpu_graph_depend(graph, 8, 7));
    rig_need(fgpu_graph_depend(graph, 2, 8)); /* backward, but no cycle */
    rig_need(fgpu_graph_instantiate(graph, &exec));
    rig_need(fgpu_graph_exec_destroy(exec));
    rig_need(fgpu_graph_depend(graph, 3, 7));
    rig_refused(fgpu_graph_instantiate(graph, &exec), FGPU_E_CYCLE, ": 3 'blur' -> 7 -> 3");
    assert_int_equal(exec.bits, 0);
    assert_null(strstr(fgpu_last_error(), "data"));
    rig_need(fgpu_graph_destroy(graph));

    graph = rig_graph();
    rig_add_empty(graph, "alone");
    rig_need(fgpu_graph_depend(graph, 0, 0));
    rig_refused(fgpu_graph_instantiate(graph, &exec), FGPU_E_CYCLE, ": 0 'alone' -> 0 'alone'");
    rig_need(fgpu_graph_destroy(graph));

    /* 0 writes what 1 reads, so 0 cannot come after 1. */
    graph = rig_graph();
    _Atomic uint32_t calls = 0;
    rig_add_host(graph, rig_count, &calls, buffer, FGPU_WRITE);
    rig_add_host(graph, rig_count, &calls, buffer, FGPU_READ);
    rig_need(fgpu_graph_depend(graph, 0, 1));
    rig_refused(fgpu_graph_instantiate(graph, &exec), FGPU_E_CYCLE, ": 0 -> 1 -> 0");
    assert_non_null(strstr(fgpu_last_error(), "data"));
    rig_need(fgpu_graph_destroy(graph));

    /* Two readers may swap. */
    graph = rig_graph();
    rig_add_host(graph, rig_count, &calls, buffer, FGPU_READ);
    rig_add_host(graph, rig_count, &calls, buffer, FGPU_READ);
    rig_need(fgpu_graph_depend(graph, 0, 1));
    rig_need(fgpu_graph_instantiate(graph, &exec));
    rig_need(fgpu_graph_exec_destroy(exec));
    rig_need(fgpu_graph_destroy(graph));
}

static void test_a_long_cycle_is_cut(void **state)
{
    (void)state;
    fgpu_graph graph = rig_graph();
    for (uint32_t i = 0; i < 1000; i++) {
        rig_add_empty(graph, "a name of some length");
        if (i > 0)
            rig_need(fgpu_graph_depend(graph, i, i - 1));
    }
    rig_need(fgpu_graph_depend(graph, 0, 999));
    fgpu_graph_exec exec;
    rig_refused(fgpu_graph_instantiate(graph, &exec), FGPU_E_CYCLE, "1000 nodes: 0 'a name");
    assert_non_null(strstr(fgpu_last_error(), " ..."));
    rig_need(fgpu_graph_destroy(graph));
}

/* ---- failures */

static void test_a_failure_reaches_the_join(void **state)
{
    (void)state;
    fgpu_buffer buffer = rig_buffer(64);
    _Atomic uint32_t calls = 0;
    fgpu_graph graph = rig_graph();
    rig_add_host(graph, rig_fail, NULL, buffer, FGPU_WRITE);
    rig_add_host(graph, rig_count, &calls, buffer, FGPU_READ);
    rig_add_host(graph, rig_count, &calls, buffer, FGPU_WRITE); /* heals the data, not the launch */
    rig_add_host(graph, rig_count, &calls, buffer, FGPU_READ);
    fgpu_graph_exec exec;
    fgpu_task task, root;
    rig_need(fgpu_graph_instantiate(graph, &exec));
    rig_need(fgpu_graph_launch(exec, &task));
    assert_int_equal(fgpu_task_wait(task, FGPU_FOREVER), FGPU_E_POISONED);
    assert_int_equal(atomic_load_acquire_u32(&calls), 2);
    fgpu_status failure;
    char text[200];
    rig_need(fgpu_task_get_error(task, &failure, &root, text, sizeof text));
    assert_int_equal(failure, FGPU_E_POISONED);
    assert_non_null(strstr(text, fgpu_status_text(FGPU_E_TASK)));
    rig_need(fgpu_task_get_error(root, &failure, NULL, NULL, 0));
    assert_int_equal(failure, FGPU_E_TASK);
    assert_int_equal(fgpu_pool_wait(rig_pool, FGPU_FOREVER), FGPU_E_TASK);
    rig_need(fgpu_graph_exec_destroy(exec));
    rig_need(fgpu_graph_destroy(graph));
}

/* ---- handles and arguments */

static void test_handles(void **state)
{
    (void)state;
    fgpu_graph graph = rig_graph(), none = {0};
    fgpu_graph_exec exec, no_exec = {0};
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_EMPTY;
    rig_need(fgpu_graph_destroy(none));
    rig_need(fgpu_graph_exec_destroy(no_exec));
    rig_refused(fgpu_graph_add(none, &desc, NULL), FGPU_E_HANDLE, "zero");
    rig_refused(fgpu_graph_depend(none, 0, 0), FGPU_E_HANDLE, "zero");
    rig_refused(fgpu_graph_instantiate(none, &exec), FGPU_E_HANDLE, "zero");
    rig_refused(fgpu_graph_launch(no_exec, NULL), FGPU_E_HANDLE, "zero");
    rig_need(fgpu_graph_instantiate(graph, &exec));
    rig_refused(fgpu_graph_launch((fgpu_graph_exec){graph.bits}, NULL), FGPU_E_HANDLE, "graph");
    rig_refused(fgpu_graph_destroy((fgpu_graph){exec.bits}), FGPU_E_HANDLE, "instantiated");
    rig_need(fgpu_graph_destroy(graph));
    rig_refused(fgpu_graph_add(graph, &desc, NULL), FGPU_E_STALE, "destroyed");
    rig_refused(fgpu_graph_depend(graph, 0, 0), FGPU_E_STALE, "destroyed");
    rig_refused(fgpu_graph_destroy(graph), FGPU_E_STALE, "destroyed");
    fgpu_graph_exec second;
    rig_refused(fgpu_graph_instantiate(graph, &second), FGPU_E_STALE, "destroyed");
    rig_need(fgpu_graph_exec_destroy(exec));
    rig_refused(fgpu_graph_launch(exec, NULL), FGPU_E_STALE, "destroyed");
    rig_refused(fgpu_graph_exec_destroy(exec), FGPU_E_STALE, "destroyed");
    fgpu_graph again = rig_graph(); /* the same slot, another life */
    rig_refused(fgpu_graph_add(graph, &desc, NULL), FGPU_E_STALE, "destroyed");
    rig_need(fgpu_graph_destroy(again));
    rig_refused(fgpu_graph_destroy((fgpu_graph){again.bits + 77}), FGPU_E_STALE, "destroyed");
}

/* A rig_pool in the place of a closed one does not take the other's graphs for its own. */
static void test_handles_of_a_closed_pool(void **state)
{
    (void)state;
    rig_open("devices=null;cache=");
    fgpu_graph graph = rig_graph();
    fgpu_graph_exec exec;
    rig_need(fgpu_graph_instantiate(graph, &exec));
    rig_need(fgpu_pool_close(rig_pool));
    rig_refused(fgpu_graph_launch(exec, NULL), FGPU_E_STALE, "closed");
    rig_open("devices=null;cache=");
    fgpu_graph mine = rig_graph();
    fgpu_graph_exec my_exec;
    rig_need(fgpu_graph_instantiate(mine, &my_exec));
    rig_refused(fgpu_graph_destroy(graph), FGPU_E_STALE, "");
    rig_refused(fgpu_graph_launch(exec, NULL), FGPU_E_STALE, "");
    rig_need(fgpu_graph_launch(my_exec, NULL));
    rig_need(fgpu_pool_close(rig_pool));
}

static void test_bad_arguments(void **state)
{
    (void)state;
    fgpu_graph graph = rig_graph();
    fgpu_buffer buffer = rig_buffer(64);
    fgpu_task_desc desc;
    rig_refused(fgpu_graph_create(rig_pool, NULL), FGPU_E_INVAL, "NULL");
    rig_refused(fgpu_graph_instantiate(graph, NULL), FGPU_E_INVAL, "NULL");
    rig_refused(fgpu_graph_add(graph, NULL, NULL), FGPU_E_INVAL, "NULL");
    fgpu_task_desc_init(&desc);
    desc.kind = 9;
    rig_refused(fgpu_graph_add(graph, &desc, NULL), FGPU_E_INVAL, "fgpu_graph_add");
    desc.kind = FGPU_TASK_EMPTY;
    fgpu_task task;
    rig_need(fgpu_task_submit(rig_pool, &desc, &task));
    desc.after = &task;
    desc.after_count = 1;
    rig_refused(fgpu_graph_add(graph, &desc, NULL), FGPU_E_INVAL, "fgpu_graph_depend");
    desc.after_count = 0;
    fgpu_arg arg = fgpu_arg_span(buffer, FGPU_READ, 60, 8);
    desc.args = &arg;
    desc.arg_count = 1;
    rig_refused(fgpu_graph_add(graph, &desc, NULL), FGPU_E_RANGE, "64 bytes");
    rig_refused(fgpu_graph_depend(graph, 0, 0), FGPU_E_RANGE, "0 nodes");
    rig_add_empty(graph, NULL);
    rig_refused(fgpu_graph_depend(graph, 0, 1), FGPU_E_RANGE, "on is 1");
    rig_refused(fgpu_graph_depend(graph, 5, 0), FGPU_E_RANGE, "node is 5");
    for (uint32_t i = 0; i < LIMITS_DEPS; i++)
        rig_need(fgpu_graph_depend(graph, 0, 0));
    rig_refused(fgpu_graph_depend(graph, 0, 0), FGPU_E_LIMIT, "4096");
    rig_need(fgpu_graph_destroy(graph));
}

static void test_what_a_graph_uses_goes(void **state)
{
    (void)state;
    fgpu_buffer buffer = rig_buffer(64), gone = rig_buffer(64);
    _Atomic uint32_t calls = 0;
    fgpu_graph graph = rig_graph();
    rig_add_host(graph, rig_count, &calls, buffer, FGPU_WRITE);
    rig_add_host(graph, rig_count, &calls, gone, FGPU_READ_WRITE);
    fgpu_graph_exec exec, second;
    rig_need(fgpu_graph_instantiate(graph, &exec));
    rig_need(fgpu_graph_launch(exec, NULL));
    rig_need(fgpu_buffer_destroy(gone)); /* what was launched still has it */
    rig_refused(fgpu_graph_launch(exec, NULL), FGPU_E_STALE, "node 1");
    rig_refused(fgpu_graph_instantiate(graph, &second), FGPU_E_STALE, "node 1");
    fgpu_buffer same_slot = rig_buffer(64);
    rig_refused(fgpu_graph_launch(exec, NULL), FGPU_E_STALE, "node 1");
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(atomic_load_acquire_u32(&calls), 2);
    rig_need(fgpu_buffer_destroy(same_slot));
    rig_need(fgpu_graph_exec_destroy(exec));
    rig_need(fgpu_graph_destroy(graph));

    fgpu_pool here = rig_pool, there;
    rig_need(fgpu_pool_open_text("devices=null;cache=", &there));
    rig_pool = there;
    fgpu_buffer foreign = rig_buffer(64);
    rig_pool = here;
    graph = rig_graph();
    fgpu_arg arg = fgpu_arg_region(foreign, FGPU_READ, fgpu_region_whole());
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_EMPTY;
    desc.args = &arg;
    desc.arg_count = 1;
    rig_refused(fgpu_graph_add(graph, &desc, NULL), FGPU_E_FOREIGN, "argument 0");
    rig_need(fgpu_pool_close(there));
}

/* Each allocation of recording and instantiating fails once; nothing is lost, nothing leaks. */
static void test_without_memory(void **state)
{
    (void)state;
    struct poor_alloc poor;
    poor_alloc_init(&poor);
    fgpu_alloc_hooks hooks = {poor_alloc_take, poor_alloc_give, &poor};
    fgpu_pool_options options;
    fgpu_pool_options_init(&options);
    options.devices = "null";
    options.cache_dir = "";
    options.alloc = &hooks;
    rig_need(fgpu_pool_open(&options, &rig_pool));
    fgpu_buffer buffer = rig_buffer(64);
    _Atomic uint32_t calls = 0;
    long failures = 0;
    for (long left = 0; left < 200; left++) {
        fgpu_graph graph = rig_graph();
        for (uint32_t i = 0; i < 5; i++)
            rig_add_host(graph, rig_count, &calls, buffer, FGPU_READ);
        rig_need(fgpu_graph_depend(graph, 2, 4));
        fgpu_graph_exec exec;
        poor.left = left;
        fgpu_status status = fgpu_graph_instantiate(graph, &exec);
        poor.left = -1;
        assert_true(status == FGPU_OK || status == FGPU_E_NOMEM);
        failures += status != FGPU_OK;
        if (status == FGPU_OK)
            rig_need(fgpu_graph_exec_destroy(exec));
        rig_need(fgpu_graph_destroy(graph));
    }
    assert_true(failures > 10 && failures < 200);
    rig_need(fgpu_pool_close(rig_pool));
    assert_int_equal(poor.live_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ON(cpu, test_everything_is_copied),
        RIG_ON(cpu, test_launch_equals_submission),
        RIG_ON(null, test_an_empty_graph),
        RIG_ON(null, test_the_join_waits),
        RIG_ON(cpu, test_the_join_waits),
        RIG_ON(null, test_cycles_are_named),
        RIG_ON(null, test_a_long_cycle_is_cut),
        RIG_ON(null, test_a_failure_reaches_the_join),
        RIG_ON(cpu, test_a_failure_reaches_the_join),
        RIG_ON(null, test_handles),
        cmocka_unit_test(test_handles_of_a_closed_pool),
        RIG_ON(null, test_bad_arguments),
        RIG_ON(null, test_what_a_graph_uses_goes),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
