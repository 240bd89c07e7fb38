/* Plans by other objectives than the makespan, on random windows: schedules, never worse than the
 * plan for the makespan, the thriftiest where one class is it for all, and short tasks first.
 * FASTGPU_TEST_SEED, FASTGPU_TEST_SEEDS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lib/seed.h"
#include "lib/window_rig.h"
#include "policy/objective.h"

static uint64_t seed;

#define REQUIRE(condition, ...)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            seed_print("unit/test_objective", seed);                                               \
            fail_msg(__VA_ARGS__);                                                                 \
        }                                                                                          \
    } while (0)

static void draw_watts(struct plan_window *window, struct rng *rng)
{
    for (uint32_t c = 0; c < plan_class_count(window); c++)
        ((struct plan_class *)vec_at(&window->classes, c))->extra_watt =
            (double)rng_below(rng, 300);
}

/* What the plan draws beyond idle when it draws the most. */
static double most_watt(const struct world *world)
{
    const struct plan_window *window = world->window;
    double most = 0;
    for (uint32_t t = 0; t < window->task_count; t++) {
        double watt = 0;
        for (uint32_t u = 0; u < window->task_count; u++)
            if (world->runs[u].start_ns <= world->runs[t].start_ns &&
                world->runs[u].end_ns > world->runs[t].start_ns)
                watt += plan_class_at(window,
                                      plan_worker_at(window, world->runs[u].worker)->class_index)
                            ->extra_watt;
        most = watt > most ? watt : most;
    }
    return most;
}

static double joule_of(const struct world *world)
{
    double joule = 0;
    for (uint32_t t = 0; t < world->window->task_count; t++)
        joule += (double)(world->runs[t].end_ns - world->runs[t].start_ns) * 1e-9 *
                 plan_class_at(world->window,
                               plan_worker_at(world->window, world->runs[t].worker)->class_index)
                     ->extra_watt;
    return joule;
}

/* Joules beyond idle where each task runs where it needs the least; and whether that is one class.
 */
static double least_joule(const struct plan_window *window, bool *is_one)
{
    double joule = 0;
    uint32_t one = PLAN_NONE;
    *is_one = true;
    for (uint32_t t = 0; t < window->task_count; t++) {
        double least = -1;
        uint32_t best = 0;
        for (uint32_t c = 0; c < plan_class_count(window); c++) {
            int64_t ns = plan_cost_ns(window, plan_task_at(window, t)->type, c);
            double of = (double)ns * 1e-9 * plan_class_at(window, c)->extra_watt;
            if (ns != PLAN_CANNOT && (least < 0 || of < least)) {
                least = of;
                best = c;
            }
        }
        joule += least;
        *is_one &= one == PLAN_NONE || one == best;
        one = best;
    }
    return joule;
}

static void check_window(struct rng *rng, const struct plan_aim *aim)
{
    struct plan_window window;
    struct world plain, world;
    bool is_one;
    rig_open(&window, NULL);
    rig_random(&window, rng, 1 + (uint32_t)rng_below(rng, 4), 1 + (uint32_t)rng_below(rng, 3),
               1 + (uint32_t)rng_below(rng, 50));
    draw_watts(&window, rng);
    assert_true(world_init(&plain, &window));
    struct policy_found found = policy_search(&plain, 9, NULL, 0, 0);
    double least = least_joule(&window, &is_one);
    window.aim = *aim;
    if (found.makespan_ns != INT64_MAX) {
        double before = objective_score(&plain);
        assert_true(world_init(&world, &window));
        found = policy_search(&world, 9, NULL, 0, 0);
        const char *wrong = rig_wrong(&world, found.makespan_ns);
        REQUIRE(wrong == NULL, "%s", wrong);
        double after = objective_score(&world);
        REQUIRE(after <= before, "%.17g became %.17g", before, after);
        if (aim->objective == PLAN_ENERGY && aim->idle_watt <= 0 && aim->cap_watt <= 0 && is_one)
            REQUIRE(after <= least * (1 + 1e-12), "%g J, %g would do", after, least);
        /* More at a time than the cap allows counts as at least what its energy takes under it. */
        double left = aim->cap_watt - aim->idle_watt;
        if (aim->cap_watt > 0 && aim->objective == PLAN_MAKESPAN && most_watt(&world) > left)
            REQUIRE(after * left >= joule_of(&world), "%g W, %g s", most_watt(&world), after);
        world_fini(&world);
    }
    world_fini(&plain);
    plan_window_fini(&window);
}

static void test_random_windows(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(60);
    for (seed = first; seed < first + count; seed++) {
        struct rng rng;
        rng_init(&rng, seed);
        for (uint32_t objective = PLAN_MAKESPAN; objective <= PLAN_EDP; objective++) {
            struct plan_aim aim = {.objective = objective};
            if (rng_below(&rng, 2))
                aim.idle_watt = (double)rng_below(&rng, 200);
            if (objective == PLAN_MAKESPAN || rng_below(&rng, 3) == 0)
                aim.cap_watt = aim.idle_watt + 100 + (double)rng_below(&rng, 600);
            check_window(&rng, &aim);
        }
    }
}

/* One quick hungry class and a slow thrifty one; independent tasks. */
static void test_thrift(void **state)
{
    static const int64_t costs[2] = {1000, 250};
    (void)state;
    struct plan_window window;
    struct world world;
    rig_open(&window, NULL);
    rig_class(&window, 2, 0);
    rig_class(&window, 2, 0);
    rig_type(&window, costs);
    for (uint32_t t = 0; t < 16; t++)
        (void)rig_task(&window, 0);
    rig_close(&window);
    ((struct plan_class *)vec_at(&window.classes, 0))->extra_watt = 10;
    ((struct plan_class *)vec_at(&window.classes, 1))->extra_watt = 100;
    window.aim = (struct plan_aim){.objective = PLAN_ENERGY};
    assert_true(world_init(&world, &window));
    (void)policy_search(&world, 9, NULL, 0, 0);
    for (uint32_t t = 0; t < 16; t++) /* 10 W for 1000 ns are less than 100 W for 250 ns */
        assert_int_equal(plan_worker_at(&window, world.runs[t].worker)->class_index, 0);
    /* Where the machine draws much when idle, being quick is thrift. */
    window.aim.idle_watt = 1000;
    (void)policy_search(&world, 9, NULL, 0, 0);
    uint32_t quick = 0;
    for (uint32_t t = 0; t < 16; t++)
        quick += plan_worker_at(&window, world.runs[t].worker)->class_index == 1;
    assert_true(quick >= 12);
    world_fini(&world);
    plan_window_fini(&window);
}

/* One worker, tasks of 1, 2 ... 8 us, the longest submitted first: the mean end is least in the
 * order of length; with an urgent one, that is what counts. */
static void test_short_first(void **state)
{
    (void)state;
    struct plan_window window;
    struct world world;
    rig_open(&window, NULL);
    rig_class(&window, 1, 0);
    for (int64_t t = 0; t < 8; t++)
        rig_type(&window, &(int64_t){(8 - t) * 1000});
    for (uint32_t t = 0; t < 8; t++)
        (void)rig_task(&window, t);
    rig_close(&window);
    window.aim = (struct plan_aim){.objective = PLAN_LATENCY};
    assert_true(world_init(&world, &window));
    (void)policy_search(&world, 9, NULL, 0, 0);
    int64_t sum_ns = 0, end_ns = 0;
    for (uint32_t t = 8; t-- > 0;) {
        end_ns += (8 - (int64_t)t) * 1000;
        assert_int_equal(world.runs[t].end_ns, end_ns);
        sum_ns += end_ns;
    }
    assert_true(objective_score(&world) <= (double)sum_ns / 8 * 1e-9 * (1 + 1e-12));
    ((struct plan_task *)vec_at(&window.tasks, 0))->priority = 1;
    (void)policy_search(&world, 9, NULL, 0, 0);
    assert_int_equal(world.runs[0].start_ns, 0);
    world_fini(&world);
    plan_window_fini(&window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_windows),
        cmocka_unit_test(test_thrift),
        cmocka_unit_test(test_short_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
