/* The world's timelines against ones worked out by hand.
 *
 * Links carry a byte a nanosecond and a copy takes 10 ns more (lib/window_rig.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lib/poor_alloc.h"
#include "lib/window_rig.h"
#include "policy/policy.h"

static struct plan_window window;
static struct world world;

static int64_t go(const struct policy *policy)
{
    rig_close(&window);
    assert_true(world_init(&world, &window));
    int64_t ns = world_simulate(&world, policy->plan, &policy->tuning);
    if (ns != INT64_MAX)
        assert_null(rig_wrong(&world, ns));
    return ns;
}

static int setup(void **state)
{
    (void)state;
    rig_open(&window, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_fini(&world);
    plan_window_fini(&window);
    return 0;
}

/* A host without workers and one device that runs everything. */
static void one_device(int64_t cost_ns)
{
    rig_class(&window, 0, 0);
    rig_class(&window, 1, 1);
    rig_type(&window, (int64_t[]){PLAN_CANNOT, cost_ns});
}

static void starts(uint32_t task, int64_t ns)
{
    assert_int_equal(world.runs[task].start_ns, ns);
}

static void test_data_travel_once(void **state)
{
    (void)state;
    one_device(100);
    uint32_t data = rig_data(&window, 1000, 0);
    for (uint32_t i = 0; i < 2; i++) {
        (void)rig_task(&window, 0);
        rig_access(&window, data, PLAN_READ | PLAN_WRITE);
    }
    assert_int_equal(go(&policy_lookahead), 1210);
    starts(0, 1010);
    starts(1, 1110);
    assert_int_equal(world.bytes_moved, 1000);
}

static void test_copies_queue_on_a_link(void **state)
{
    (void)state;
    one_device(100);
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t data = rig_data(&window, 1000, 0);
        (void)rig_task(&window, 0);
        rig_access(&window, data, PLAN_READ);
    }
    assert_int_equal(go(&policy_lookahead), 2110);
    starts(0, 1010);
    starts(1, 2010);
}

static void test_copies_overlap_runs(void **state)
{
    (void)state;
    one_device(5000);
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t data = rig_data(&window, 1000, 0);
        (void)rig_task(&window, 0);
        rig_access(&window, data, PLAN_READ);
    }
    assert_int_equal(go(&policy_lookahead), 11010);
}

static void test_what_is_overwritten_does_not_travel(void **state)
{
    (void)state;
    one_device(100);
    uint32_t data = rig_data(&window, 1000, 0);
    (void)rig_task(&window, 0);
    rig_access(&window, data, PLAN_WRITE);
    assert_int_equal(go(&policy_lookahead), 100);
    assert_int_equal(world.bytes_moved, 0);
}

/* From device to device, for nobody else has what the first has written. */
static void test_written_data_come_from_the_writer(void **state)
{
    (void)state;
    one_device(100);
    rig_class(&window, 1, 2);
    window.type_count = 0;
    vec_clear(&window.costs);
    rig_type(&window, (int64_t[]){PLAN_CANNOT, 100, PLAN_CANNOT});
    rig_type(&window, (int64_t[]){PLAN_CANNOT, PLAN_CANNOT, 30});
    uint32_t data = rig_data(&window, 1000, 0);
    (void)rig_task(&window, 0);
    rig_access(&window, data, PLAN_READ | PLAN_WRITE);
    (void)rig_task(&window, 1);
    rig_access(&window, data, PLAN_READ);
    assert_int_equal(go(&policy_lookahead), 1110 + 1010 + 30);
    assert_int_equal(world.bytes_moved, 2000);
}

/* A link that is on the way twice carries the copy at half its rate. */
static void twice_path(const void *context, uint32_t source, uint32_t target,
                       struct plan_path *path)
{
    rig_path(context, source, target, path);
    if (path->link_count > 0)
        path->links[path->link_count++] = path->links[0];
}

static void test_a_link_crossed_twice_is_half_as_fast(void **state)
{
    (void)state;
    window.path = twice_path;
    one_device(100);
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t data = rig_data(&window, 1000, 0);
        (void)rig_task(&window, 0);
        rig_access(&window, data, PLAN_READ);
    }
    assert_int_equal(go(&policy_lookahead), 4110);
    starts(0, 2010);
    starts(1, 4010);
}

static void test_priorities_go_before_ranks(void **state)
{
    (void)state;
    one_device(100);
    window.transfers = false;
    for (uint32_t i = 0; i < 3; i++)
        rig_task(&window, 0)->priority = i == 2 ? INT32_MAX : -(int32_t)i;
    assert_int_equal(go(&policy_lookahead), 300);
    starts(2, 0);
    starts(0, 100);
    starts(1, 200);
}

static void test_times_of_tasks_and_workers(void **state)
{
    (void)state;
    one_device(100);
    window.transfers = false;
    ((struct plan_worker *)(void *)window.workers.items)->free_ns = 250;
    rig_task(&window, 0)->ready_ns = 1000;
    (void)rig_task(&window, 0);
    assert_int_equal(go(&policy_lookahead), 1100);
    starts(1, 250);
    starts(0, 1000);
}

/* The slow one is the only one that may. */
/* Whoever waits for time alone keeps nobody waiting, however urgent it is; and what was kept comes
 * back after another simulation. */
static void test_who_waits_for_time(void **state)
{
    (void)state;
    one_device(100);
    struct plan_task *urgent = rig_task(&window, 0);
    urgent->ready_ns = 150;
    urgent->priority = 5;
    rig_task(&window, 0)->ready_ns = 20;
    (void)rig_task(&window, 0);
    (void)go(&policy_lookahead);
    struct world_tuning tuning = {.rank = WORLD_RANK_LEAST, .look = 1};
    assert_int_equal(world_simulate(&world, policy_lookahead.plan, &tuning), 300);
    starts(2, 0);
    starts(1, 100);
    starts(0, 200);
    world_keep(&world);
    tuning.rank = WORLD_RANK_NONE;
    world.limit_ns = 10;
    assert_int_equal(world_simulate(&world, policy_lookahead.plan, &tuning), INT64_MAX);
    world_recall(&world);
    assert_int_equal(world.makespan_ns, 300);
    starts(1, 100);
    starts(0, 200);
}

static void test_only_worker(void **state)
{
    (void)state;
    static const struct policy *const all[] = {&policy_lookahead, &policy_heteroprio, &policy_steal,
                                               &policy_eft};
    rig_class(&window, 1, 0);
    rig_class(&window, 2, 1);
    rig_type(&window, (int64_t[]){900, 100});
    rig_task(&window, 0)->only_worker = 0;
    rig_task(&window, 0)->only_worker = 2;
    rig_close(&window);
    assert_true(world_init(&world, &window));
    for (size_t p = 0; p < sizeof all / sizeof all[0]; p++) {
        if (all[p]->plan == NULL)
            continue;
        assert_int_equal(world_simulate(&world, all[p]->plan, &all[p]->tuning), 900);
        assert_int_equal(world.runs[0].worker, 0);
        assert_int_equal(world.runs[1].worker, 2);
        assert_null(rig_wrong(&world, 900));
    }
}

static void test_nothing_to_do(void **state)
{
    (void)state;
    one_device(100);
    assert_int_equal(go(&policy_lookahead), 0);
    assert_int_equal(world.bound_ns, 0);
}

static void test_a_type_that_runs_nowhere(void **state)
{
    (void)state;
    one_device(PLAN_CANNOT);
    (void)rig_task(&window, 0);
    assert_true(go(&policy_lookahead) == INT64_MAX);
    assert_true(world_simulate(&world, policy_heteroprio.plan, &policy_heteroprio.tuning) ==
                INT64_MAX);
    assert_true(policy_search(&world, 8, NULL, 0, 0).makespan_ns == INT64_MAX);
}

static void test_no_worker_at_all(void **state)
{
    (void)state;
    rig_class(&window, 0, 0);
    rig_type(&window, (int64_t[]){100});
    (void)rig_task(&window, 0);
    assert_true(go(&policy_lookahead) == INT64_MAX);
}

static void test_zero_costs(void **state)
{
    (void)state;
    one_device(0);
    window.transfers = false;
    uint32_t data = rig_data(&window, 8, 0);
    for (uint32_t i = 0; i < 50; i++) {
        (void)rig_task(&window, 0);
        rig_access(&window, data, PLAN_READ | PLAN_WRITE);
    }
    assert_int_equal(go(&policy_lookahead), 0);
}

/* Up to the limit it is exact; beyond it nothing is said. */
static void test_times_that_do_not_fit(void **state)
{
    (void)state;
    one_device(WORLD_MOST_NS / 2);
    window.transfers = false;
    (void)rig_task(&window, 0);
    (void)rig_task(&window, 0);
    assert_int_equal(go(&policy_lookahead), WORLD_MOST_NS);
    world_fini(&world);
    ((int64_t *)(void *)window.costs.items)[1] = INT64_MAX - 1;
    assert_true(world_init(&world, &window));
    assert_true(world_simulate(&world, policy_lookahead.plan, &policy_lookahead.tuning) ==
                INT64_MAX);
    assert_true(policy_search(&world, 8, NULL, 0, 0).makespan_ns == INT64_MAX);
}

static void test_a_link_that_stands_still(void **state)
{
    (void)state;
    one_device(100);
    ((struct plan_link *)(void *)window.links.items)[2].bytes_per_ns = 0;
    uint32_t data = rig_data(&window, 1000, 0);
    (void)rig_task(&window, 0);
    rig_access(&window, data, PLAN_READ);
    assert_true(go(&policy_lookahead) == INT64_MAX);
}

/* Each allocation in turn fails; nothing is lost, and with all of them the result is as ever. */
/* Where a worker takes tasks from lists of all, their data travel then; followed, ahead. */
static void test_followed_data_travel_ahead(void **state)
{
    (void)state;
    one_device(2000);
    for (uint32_t i = 0; i < 2; i++) {
        rig_task(&window, 0);
        rig_access(&window, rig_data(&window, 1000, 0), PLAN_READ);
    }
    int64_t ns = go(&policy_heteroprio);
    uint32_t later = world.runs[0].start_ns < world.runs[1].start_ns;
    starts(later, 1010 + 2000 + 1010);
    int64_t settled_ns = world_settle(&world, &policy_follow, &policy_heteroprio.tuning);
    assert_int_equal(settled_ns, ns - 1010);
    starts(later, 1010 + 2000);
    assert_null(rig_wrong(&world, settled_ns));
    assert_null(world.given_rank);
}

/* What the first task writes stays where it is until it has. */
static void test_followed_data_wait_for_their_writer(void **state)
{
    (void)state;
    rig_class(&window, 1, 0);
    rig_class(&window, 1, 1);
    rig_type(&window, (int64_t[]){2000, PLAN_CANNOT});
    rig_type(&window, (int64_t[]){PLAN_CANNOT, 2000});
    uint32_t data = rig_data(&window, 1000, 0);
    rig_task(&window, 0);
    rig_access(&window, data, PLAN_READ | PLAN_WRITE);
    rig_task(&window, 1);
    rig_access(&window, data, PLAN_READ);
    assert_int_equal(go(&policy_heteroprio), 2000 + 1010 + 2000);
    int64_t ns = world_settle(&world, &policy_follow, &policy_heteroprio.tuning);
    assert_int_equal(ns, 2000 + 1010 + 2000);
    starts(1, 2000 + 1010);
    assert_int_equal(world.bytes_moved, 1000);
}

static void test_without_memory(void **state)
{
    (void)state;
    static struct poor_alloc poor; /* the window outlives this function */
    struct rng rng;
    poor_alloc_init(&poor);
    rng_init(&rng, 1);
    plan_window_fini(&window);
    rig_open(&window, &poor.hooks);
    rig_random(&window, &rng, 2, 2, 60);
    for (uint32_t n = 0; n < window.node_count; n++)
        assert_non_null(vec_push(&window.capacity, &(uint64_t){n > 0 ? 2000 : 0}));
    long before = poor.live_count;
    bool done = false;
    for (long left = 0; !done; left++) {
        assert_true(left < 500);
        poor.left = left;
        if (world_init(&world, &window)) {
            int64_t ns = world_simulate(&world, policy_heteroprio.plan, &policy_heteroprio.tuning);
            done = ns != INT64_MAX;
            if (done)
                assert_null(rig_wrong(&world, ns));
        }
        world_fini(&world);
        assert_int_equal(poor.live_count, before);
    }
    poor.left = -1;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_data_travel_once),
        TEST(test_followed_data_travel_ahead),
        TEST(test_followed_data_wait_for_their_writer),
        TEST(test_copies_queue_on_a_link),
        TEST(test_copies_overlap_runs),
        TEST(test_what_is_overwritten_does_not_travel),
        TEST(test_written_data_come_from_the_writer),
        TEST(test_a_link_crossed_twice_is_half_as_fast),
        TEST(test_priorities_go_before_ranks),
        TEST(test_times_of_tasks_and_workers),
        TEST(test_who_waits_for_time),
        TEST(test_only_worker),
        TEST(test_nothing_to_do),
        TEST(test_a_type_that_runs_nowhere),
        TEST(test_no_worker_at_all),
        TEST(test_zero_costs),
        TEST(test_times_that_do_not_fit),
        TEST(test_a_link_that_stands_still),
        TEST(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
