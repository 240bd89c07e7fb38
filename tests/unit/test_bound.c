/* The lower bound against hand calculations, and for random costs between what it cannot be below
 * (the bound that any weights give: a grid of them) and above (the best of all placements).
 *
 * The search with more than two groups ends within 1e-6 of the best; whole nanoseconds are cut off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "cli/evaluate/bound.h"
#include "lib/seed.h"

#define TASKS 6
#define DEVICES 4
#define GRID 40

static struct workload_edges no_edges;

static struct bound compute(const struct bound_input *input)
{
    struct bound bound;

    assert_int_equal(bound_compute(input, &bound), FGPU_OK);
    assert_true(bound.lower_ns == (bound.area_ns > bound.path_ns ? bound.area_ns : bound.path_ns));
    return bound;
}

static void test_one_group(void **state)
{
    /* Two devices on one CPU of 2 cores: 300 x 2 or 500 x 1 -> 500; 100 x 2 -> 200; never. */
    static const struct bound_cost costs[] = {{300, 2, 0}, {500, 1, 0}, {100, 2, 0},
                                              {0, 1, 0},   {0, 2, 0},   {0, 1, 0}};
    static const double cores[] = {2};
    struct bound_input input = {3, 2, costs, cores, 1, &no_edges};
    struct bound bound = compute(&input);

    (void)state;
    assert_int_equal(bound.area_ns, 350);
    assert_int_equal(bound.path_ns, 300);
    assert_int_equal(bound.unknown_count, 1);
    assert_int_equal(bound.lower_ns, 350);
}

/* A chain 0 -> 2 -> 1 beside 3; numbers do not follow the order. */
static void test_critical_path(void **state)
{
    static const struct bound_cost costs[] = {{40, 1, 0}, {60, 1, 0}, {50, 1, 0}, {120, 1, 0}};
    static const double cores[] = {8};
    struct workload_edge items[] = {{2, 1}, {0, 2}};
    struct workload_edges edges = {items, 2};
    struct bound_input input = {4, 1, costs, cores, 1, &edges};
    struct bound bound = compute(&input);

    (void)state;
    assert_int_equal(bound.path_ns, 150);
    assert_int_equal(bound.area_ns, 270 / 8);
    assert_int_equal(bound.lower_ns, 150);
    assert_int_equal(bound.unknown_count, 0);
}

/* Two ways to the same task, the longer one first and last. */
static void test_longest_of_two(void **state)
{
    static const double cores[] = {8};
    struct bound_cost costs[] = {{70, 1, 0}, {20, 1, 0}, {50, 1, 0}};
    struct workload_edge items[] = {{0, 2}, {1, 2}};
    struct workload_edges edges = {items, 2};
    struct bound_input input = {3, 1, costs, cores, 1, &edges};

    (void)state;
    assert_int_equal(compute(&input).path_ns, 120);
    costs[0].run_ns = 20;
    costs[1].run_ns = 70;
    assert_int_equal(compute(&input).path_ns, 120);
}

static void test_two_groups(void **state)
{
    /* Beaumont et al.: the ratio decides. CPU (4 cores): 400 400 400, GPU: 100 200 25. All on the
     * GPU takes 325; 1 is the least good there: x of it on the CPU: 100 x = 325 - 200 x. */
    static const struct bound_cost costs[] = {{400, 1, 0}, {100, 1, 1}, {400, 1, 0},
                                              {200, 1, 1}, {400, 1, 0}, {25, 1, 1}};
    /* One that only the CPU does, one that only the GPU does, one that nobody has measured. */
    static const struct bound_cost alone[] = {{400, 4, 0}, {0, 1, 1}, {0, 4, 0},
                                              {90, 1, 1},  {0, 4, 0}, {0, 1, 1}};
    static const double cores[] = {4, 1};
    struct bound_input input = {3, 2, costs, cores, 2, &no_edges};

    (void)state;
    /* x would be 1.08: all of task 1 (100 there, 125 left), then x of task 0: 100 + 100 x =
     * 125 - 100 x. */
    assert_int_equal(compute(&input).area_ns, 112);
    input.costs = alone;
    struct bound bound = compute(&input);
    assert_int_equal(bound.area_ns, 400);
    assert_int_equal(bound.unknown_count, 1);
}

/* Three groups, each three times as fast on its own kind: 3 x 100 each at home. */
static void test_three_groups(void **state)
{
    static const double cores[] = {1, 1, 1};
    struct bound_cost costs[9 * 3];
    struct bound_input input = {9, 3, costs, cores, 3, &no_edges};

    (void)state;
    for (uint32_t k = 0; k < 9; k++)
        for (uint32_t g = 0; g < 3; g++)
            costs[k * 3 + g] = (struct bound_cost){k % 3 == g ? 100000 : 300000, 1, g};
    assert_in_range(compute(&input).area_ns, 299998, 300000);
    for (uint32_t k = 0; k < 9; k++) /* all alike: nine to share */
        for (uint32_t g = 0; g < 3; g++)
            costs[k * 3 + g].run_ns = 200000;
    assert_in_range(compute(&input).area_ns, 599998, 600000);
    for (uint32_t k = 0; k < 9; k++) /* the third does nothing */
        costs[k * 3 + 2].run_ns = 0;
    assert_in_range(compute(&input).area_ns, 899998, 900000);
}

static void test_nothing(void **state)
{
    static const double cores[] = {2};
    static const struct bound_cost costs[] = {{0, 0, 0}};
    struct bound_input input = {0, 1, NULL, cores, 1, &no_edges};

    (void)state;
    assert_int_equal(compute(&input).lower_ns, 0);
    input = (struct bound_input){1, 1, costs, cores, 1, &no_edges};
    assert_int_equal(compute(&input).lower_ns, 0);
    assert_int_equal(compute(&input).unknown_count, 1);
}

/* ---- random costs; every device is a group of its own with `cores` cores */

static double share_of(const struct bound_input *input, uint32_t task, uint32_t device)
{
    const struct bound_cost *cost = &input->costs[task * input->device_count + device];

    return cost->run_ns ? (double)cost->run_ns * cost->cores / input->group_cores[cost->group]
                        : INFINITY;
}

/* The best placement of whole tasks: no less than the bound. */
static double best_placement(const struct bound_input *input)
{
    double best = INFINITY;
    uint32_t count = 1;

    for (uint32_t k = 0; k < input->task_count; k++)
        count *= input->device_count;
    for (uint32_t place = 0; place < count; place++) {
        double busy[DEVICES] = {0}, longest = 0;
        uint32_t rest = place;
        for (uint32_t k = 0; k < input->task_count; k++, rest /= input->device_count)
            busy[rest % input->device_count] += share_of(input, k, rest % input->device_count);
        for (uint32_t d = 0; d < input->device_count; d++)
            longest = fmax(longest, busy[d]);
        best = fmin(best, longest);
    }
    return best;
}

/* What weights on a grid give at best: no more than the bound. */
static double best_weights(const struct bound_input *input)
{
    uint32_t groups = input->group_count, count = 1;
    double best = 0;

    for (uint32_t g = 1; g < groups; g++)
        count *= GRID + 1;
    for (uint32_t place = 0; place < count; place++) {
        double weights[DEVICES], sum = 0, bound = 0;
        uint32_t rest = place;
        for (uint32_t g = 1; g < groups; g++, rest /= GRID + 1)
            sum += weights[g] = (double)(rest % (GRID + 1)) / GRID;
        weights[0] = 1 - sum;
        if (sum > 1)
            continue;
        for (uint32_t k = 0; k < input->task_count; k++) {
            double least = INFINITY;
            for (uint32_t g = 0; g < groups; g++)
                if (isfinite(share_of(input, k, g)))
                    least = fmin(least, weights[g] * share_of(input, k, g));
            bound += least;
        }
        best = fmax(best, bound);
    }
    return best;
}

static void test_random(void **state)
{
    uint64_t first = seed_get(1), seeds = seed_count(150);
    struct bound_cost costs[TASKS * DEVICES];
    double cores[DEVICES];
    struct rng rng;

    (void)state;
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        rng_init(&rng, seed);
        uint32_t groups = 2 + (uint32_t)rng_below(&rng, DEVICES - 1);
        uint32_t tasks = 1 + (uint32_t)rng_below(&rng, TASKS);
        struct bound_input input = {tasks, groups, costs, cores, groups, &no_edges};
        for (uint32_t g = 0; g < groups; g++)
            cores[g] = (double)(1 + rng_below(&rng, 8));
        for (uint32_t i = 0; i < tasks * groups; i++)
            costs[i] = (struct bound_cost){
                rng_below(&rng, 5) || i % groups == 0 ? 1000000 + rng_below(&rng, 30000000) : 0,
                (double)(1 + rng_below(&rng, 2)), i % groups};
        double area = (double)compute(&input).area_ns, slack = 1 + 1e-6;
        if (area + 1 < best_weights(&input) / slack || area > best_placement(&input) * slack) {
            seed_print("unit/bound", seed);
            fail_msg("%.17g is not in %.17g .. %.17g", area, best_weights(&input),
                     best_placement(&input));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_group),      cmocka_unit_test(test_critical_path),
        cmocka_unit_test(test_longest_of_two), cmocka_unit_test(test_two_groups),
        cmocka_unit_test(test_three_groups),   cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
