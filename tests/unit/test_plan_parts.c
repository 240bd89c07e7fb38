/* The planner's parts: queues against a plain list, prices against duals that are known, bounds,
 * ranks, limited memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lib/seed.h"
#include "lib/window_rig.h"
#include "policy/policy.h"

/* ---- queues -------------------------------------------------------------------------------- */

#define LIST_MOST 400u

struct list {
    int64_t rank[LIST_MOST], cost_ns[LIST_MOST];
    uint32_t task[LIST_MOST];
    uint32_t count;
};

static void list_insert(struct list *list, uint32_t task, int64_t rank, int64_t cost_ns)
{
    uint32_t at = list->count++;
    for (; at > 0 && list->rank[at - 1] < rank; at--) {
        list->rank[at] = list->rank[at - 1];
        list->cost_ns[at] = list->cost_ns[at - 1];
        list->task[at] = list->task[at - 1];
    }
    list->rank[at] = rank;
    list->cost_ns[at] = cost_ns;
    list->task[at] = task;
}

static void list_remove(struct list *list, uint32_t place)
{
    list->count--;
    for (uint32_t i = place; i < list->count; i++) {
        list->rank[i] = list->rank[i + 1];
        list->cost_ns[i] = list->cost_ns[i + 1];
        list->task[i] = list->task[i + 1];
    }
}

static int64_t list_ahead_ns(const struct list *list, int64_t rank)
{
    int64_t ns = 0;
    for (uint32_t i = 0; i < list->count && list->rank[i] >= rank; i++)
        ns += list->cost_ns[i];
    return ns;
}

static bool queue_same(const struct world_queue *queue, const struct list *list)
{
    bool same = queue->count == list->count;
    for (uint32_t q = 0; same && q < queue->count; q++)
        same = world_queue_at(queue, q)->task == list->task[q];
    for (int64_t rank = -1; rank < 41; rank += 3)
        same = same && world_queue_ahead_ns(queue, rank) == list_ahead_ns(list, rank);
    return same;
}

static bool queue_run(uint64_t seed)
{
    struct world_queue queue = {0};
    struct list list = {0};
    struct rng rng;
    bool same = true;
    rng_init(&rng, seed);
    for (uint32_t i = 0; i < LIST_MOST && same; i++) {
        if (queue.count > 0 && rng_below(&rng, 3) == 0) {
            uint32_t place = rng_below(&rng, 2) ? 0 : (uint32_t)rng_below(&rng, queue.count);
            world_queue_remove(&queue, place, list.cost_ns[place]);
            list_remove(&list, place);
        } else {
            struct world_item item = {.rank = (int64_t)rng_below(&rng, 40), .task = i};
            int64_t cost_ns = (int64_t)rng_below(&rng, 1000);
            assert_true(world_queue_insert(&queue, &item, cost_ns));
            list_insert(&list, i, item.rank, cost_ns);
        }
        same = queue_same(&queue, &list);
    }
    alloc_put(NULL, queue.items, queue.capacity * sizeof *queue.items);
    return same;
}

static void test_queues_are_lists(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(40);
    for (uint64_t seed = first; seed < first + count; seed++) {
        if (!queue_run(seed)) {
            seed_print("test_plan_parts", seed);
            fail();
        }
    }
}

/* ---- prices and bounds --------------------------------------------------------------------- */

static struct plan_window window;
static struct world world;

static void close_world(void)
{
    world_fini(&world);
    plan_window_fini(&window);
}

/* Two classes, two types, 100 tasks each. A runs 10 or 20, B 10 or 100 (slow on the second). The
 * second class takes A alone and cannot take it all before the first has done B: 1000 + 10 (100 -
 * x) = 20 x, x = 66 2/3, area 1333 1/3. At the optimum A is as dear here as there: the price of the
 * second class is half of the first's. */
static void test_prices_are_the_area_bounds_duals(void **state)
{
    (void)state;
    rig_open(&window, NULL);
    window.transfers = false;
    rig_class(&window, 1, 0);
    rig_class(&window, 1, 1);
    rig_type(&window, (int64_t[]){1000, 2000});
    rig_type(&window, (int64_t[]){1000, 10000});
    for (uint32_t i = 0; i < 200; i++)
        (void)rig_task(&window, i % 2);
    rig_close(&window);
    assert_true(world_init(&world, &window));
    double share = (double)world.price[1] / (double)world.price[0];
    /* A multiplicative weights method of 256 steps: a hundredth. */
    assert_true(share > 0.49 && share < 0.51);
    assert_true(world.bound_ns <= 133333 && world.bound_ns > 131000);
    close_world();
}

/* A chain of ten is never shorter than its ten tasks; the rest counts what each adds behind. */
static void test_ranks_and_tails_of_a_chain(void **state)
{
    (void)state;
    const struct world_tuning tuning = {.rank = WORLD_RANK_MEAN};
    rig_open(&window, NULL);
    window.transfers = false;
    rig_class(&window, 1, 0);
    rig_class(&window, 3, 1);
    rig_type(&window, (int64_t[]){500, 100});
    uint32_t data = rig_data(&window, 8, 0);
    for (uint32_t i = 0; i < 10; i++) {
        (void)rig_task(&window, 0);
        rig_access(&window, data, PLAN_READ | PLAN_WRITE);
    }
    rig_close(&window);
    assert_true(world_init(&world, &window));
    assert_int_equal(world.bound_ns, 1000);
    assert_int_equal(world_simulate(&world, policy_lookahead.plan, &tuning), 1000);
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(world.tail_ns[i], 100 * (9 - i));
        assert_int_equal(world.rank[i], 200 * (10 - i)); /* (500 + 3 * 100) / 4 each */
    }
    close_world();
}

/* ---- memory -------------------------------------------------------------------------------- */

static void memory_window(uint64_t capacity)
{
    rig_open(&window, NULL);
    rig_class(&window, 0, 0);
    rig_class(&window, 1, 1);
    rig_type(&window, (int64_t[]){PLAN_CANNOT, 100});
    assert_non_null(vec_push(&window.capacity, &(uint64_t){0}));
    assert_non_null(vec_push(&window.capacity, &capacity));
}

static void memory_task(uint32_t data, uint32_t mode)
{
    (void)rig_task(&window, 0);
    rig_access(&window, data, mode);
}

static int64_t memory_go(void)
{
    rig_close(&window);
    assert_true(world_init(&world, &window));
    int64_t ns = world_simulate(&world, policy_lookahead.plan, &policy_lookahead.tuning);
    if (ns != INT64_MAX)
        assert_null(rig_wrong(&world, ns));
    return ns;
}

/* A, B, A in a chain (through C, which stays): with room for A or B, A comes twice. */
static uint64_t memory_moved(uint64_t capacity)
{
    memory_window(capacity);
    uint32_t a = rig_data(&window, 1000, 0), b = rig_data(&window, 1000, 0);
    uint32_t c = rig_data(&window, 10, 0);
    const uint32_t order[] = {a, b, a};
    for (uint32_t i = 0; i < 3; i++) {
        memory_task(order[i], PLAN_READ);
        rig_access(&window, c, PLAN_READ | PLAN_WRITE);
    }
    assert_true(memory_go() != INT64_MAX);
    uint64_t moved = world.bytes_moved;
    close_world();
    return moved;
}

static void test_what_does_not_fit_leaves(void **state)
{
    (void)state;
    assert_int_equal(memory_moved(0), 2010);
    assert_int_equal(memory_moved(2010), 2010);
    assert_int_equal(memory_moved(1500), 3010);
}

/* A is written, then B needs the room: A goes back to the host first. */
static void test_a_last_copy_is_written_back(void **state)
{
    (void)state;
    memory_window(1500);
    uint32_t a = rig_data(&window, 1000, 0), b = rig_data(&window, 1000, 0);
    uint32_t c = rig_data(&window, 10, 0);
    memory_task(a, PLAN_READ | PLAN_WRITE);
    rig_access(&window, c, PLAN_READ | PLAN_WRITE);
    memory_task(b, PLAN_READ);
    rig_access(&window, c, PLAN_READ | PLAN_WRITE);
    int64_t ns = memory_go();
    /* A in, C behind it, the run, A out, B in, the run. */
    assert_int_equal(ns, 1020 + 100 + 1010 + 1010 + 100);
    assert_int_equal(world.bytes_moved, 1000 + 10 + 1000 + 1000);
    close_world();
}

static void test_what_never_fits_runs_nowhere(void **state)
{
    (void)state;
    memory_window(999);
    memory_task(rig_data(&window, 1000, 0), PLAN_READ);
    assert_true(memory_go() == INT64_MAX);
    close_world();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queues_are_lists),
        cmocka_unit_test(test_prices_are_the_area_bounds_duals),
        cmocka_unit_test(test_ranks_and_tails_of_a_chain),
        cmocka_unit_test(test_what_does_not_fit_leaves),
        cmocka_unit_test(test_a_last_copy_is_written_back),
        cmocka_unit_test(test_what_never_fits_runs_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
