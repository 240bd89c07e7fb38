/* Every policy's plan on small random windows against the best of all schedules, found by trying
 * them; on larger ones against the others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lib/seed.h"
#include "lib/window_rig.h"
#include "policy/policy.h"

#define TASKS_MOST 7u
#define WORKERS_MOST 3u

/* ---- the best of all ----------------------------------------------------------------------- */

struct attempt {
    const struct plan_window *window;
    int64_t end_ns[TASKS_MOST];
    int64_t free_ns[WORKERS_MOST];
    uint32_t waits_for[TASKS_MOST];
    uint32_t left;
    int64_t best_ns;
};

static void attempt_step(struct attempt *attempt, int64_t makespan_ns);

static void attempt_place(struct attempt *attempt, uint32_t task, uint32_t worker,
                          int64_t makespan_ns)
{
    const struct plan_window *window = attempt->window;
    const struct plan_task *of = plan_task_at(window, task);
    int64_t cost_ns = plan_cost_ns(window, of->type, plan_worker_at(window, worker)->class_index);
    int64_t begin_ns = attempt->free_ns[worker];
    if (cost_ns == PLAN_CANNOT)
        return;
    for (uint32_t p = 0; p < task; p++)
        for (uint32_t s = plan_task_at(window, p)->first_successor;
             s < plan_task_at(window, p + 1)->first_successor; s++)
            if (plan_successors(window)[s] == task && attempt->end_ns[p] > begin_ns)
                begin_ns = attempt->end_ns[p];
    struct attempt next = *attempt;
    next.end_ns[task] = next.free_ns[worker] = begin_ns + cost_ns;
    next.waits_for[task] = UINT32_MAX;
    next.left--;
    for (uint32_t s = of->first_successor; s < (of + 1)->first_successor; s++)
        next.waits_for[plan_successors(window)[s]]--;
    attempt_step(&next, next.end_ns[task] > makespan_ns ? next.end_ns[task] : makespan_ns);
    attempt->best_ns = next.best_ns;
}

/* All orders in which the tasks can be given away, to all workers. */
static void attempt_step(struct attempt *attempt, int64_t makespan_ns)
{
    if (makespan_ns >= attempt->best_ns)
        return;
    if (attempt->left == 0) {
        attempt->best_ns = makespan_ns;
        return;
    }
    for (uint32_t t = 0; t < attempt->window->task_count; t++)
        for (uint32_t w = 0; attempt->waits_for[t] == 0 && w < attempt->window->workers.count; w++)
            attempt_place(attempt, t, w, makespan_ns);
}

static int64_t best_of_all(const struct plan_window *window)
{
    struct attempt attempt = {.window = window, .left = window->task_count, .best_ns = INT64_MAX};
    for (uint32_t t = 0; t < window->task_count; t++)
        attempt.waits_for[t] = plan_task_at(window, t)->predecessors;
    attempt_step(&attempt, 0);
    return attempt.best_ns;
}

/* ---- small windows ------------------------------------------------------------------------- */

static const struct policy *const singles[] = {&policy_lookahead, &policy_heteroprio, &policy_steal,
                                               &policy_eft, &policy_fifo};
#define SINGLES (sizeof singles / sizeof singles[0])

/* What it does in a simulated world. */
static const struct world_policy *plan_of(const struct policy *policy)
{
    return policy->plan != NULL ? policy->plan : policy->model;
}

/* NULL, or what is wrong; `ratio`: of auto to the best of all. */
static const char *small(uint64_t seed, bool transfers, double *ratio)
{
    struct plan_window window;
    struct world world;
    struct rng rng;
    const char *wrong = NULL;
    rng_init(&rng, seed);
    rig_open(&window, NULL);
    rig_random(&window, &rng, 1 + (uint32_t)rng_below(&rng, 2), 1,
               1 + (uint32_t)rng_below(&rng, TASKS_MOST));
    window.transfers = transfers;
    assert_true(world_init(&world, &window));
    int64_t best_ns = best_of_all(&window);
    if (best_ns < world.bound_ns)
        wrong = "the best of all is below the bound";
    for (size_t p = 0; p < SINGLES && wrong == NULL; p++) {
        int64_t ns = world_simulate(&world, plan_of(singles[p]), &singles[p]->tuning);
        if (ns < best_ns)
            wrong = "better than the best of all";
        if (ns != INT64_MAX && wrong == NULL)
            wrong = rig_wrong(&world, ns);
        if ((ns == INT64_MAX) != (best_ns == INT64_MAX))
            wrong = "ends, or does not, unlike the best of all";
    }
    struct policy_found found = policy_search(&world, 24, NULL, 0, 0);
    *ratio = best_ns == 0 || best_ns == INT64_MAX ? 1 : (double)found.makespan_ns / (double)best_ns;
    if (found.makespan_ns != INT64_MAX && wrong == NULL)
        wrong = rig_wrong(&world, found.makespan_ns);
    world_fini(&world);
    plan_window_fini(&window);
    return wrong;
}

static double small_all(bool transfers)
{
    uint64_t first = seed_get(1), count = seed_count(300);
    double sum = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        double ratio;
        const char *wrong = small(seed, transfers, &ratio);
        sum += ratio;
        if (wrong != NULL) {
            seed_print("test_policy_plan", seed);
            fail_msg("%s", wrong);
        }
    }
    return sum / (double)count;
}

/* The three per cent are measured (1.009) and rounded up: a search that finds little is not wrong,
 * one that loses its candidates shows. */
static void test_small_windows(void **state)
{
    (void)state;
    double ratio = small_all(false);
    print_message("auto is at %.4f of the best of all\n", ratio);
    assert_true(ratio >= 1.0 && ratio <= 1.03);
}

/* With copies no schedule is better than the best without. */
static void test_small_windows_with_copies(void **state)
{
    (void)state;
    assert_true(small_all(true) >= 1.0);
}

/* ---- larger ones --------------------------------------------------------------------------- */

static void open_large(struct plan_window *window, uint64_t seed, uint32_t cpus, uint32_t gpus,
                       uint32_t tasks)
{
    struct rng rng;
    rng_init(&rng, seed);
    rig_open(window, NULL);
    rig_random(window, &rng, cpus, gpus, tasks);
}

static void test_auto_is_not_worse_than_any(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 30; seed++) {
        struct plan_window window;
        struct world world;
        open_large(&window, seed, 1 + (uint32_t)seed % 7, 1 + (uint32_t)seed % 5, 200);
        assert_true(world_init(&world, &window));
        int64_t least_ns = INT64_MAX;
        for (size_t p = 0; p < SINGLES; p++) {
            int64_t ns = world_simulate(&world, plan_of(singles[p]), &singles[p]->tuning);
            least_ns = ns < least_ns ? ns : least_ns;
        }
        struct policy_found found = policy_search(&world, 16, NULL, 0, 0);
        assert_true(found.makespan_ns <= least_ns);
        assert_true(found.makespan_ns >= world.bound_ns);
        if (found.makespan_ns != INT64_MAX)
            assert_null(rig_wrong(&world, found.makespan_ns));
        world_fini(&world);
        plan_window_fini(&window);
    }
}

/* Two worlds of one window do the same, and so does one twice; what was found earlier is found
 * again with one try. */
static void test_deterministic(void **state)
{
    (void)state;
    struct plan_window window;
    struct world one, two;
    open_large(&window, 11, 4, 3, 300);
    assert_true(world_init(&one, &window));
    assert_true(world_init(&two, &window));
    struct policy_found first = policy_search(&one, 20, NULL, 0, 0);
    struct policy_found second = policy_search(&two, 20, NULL, 0, 0);
    assert_true(first.makespan_ns != INT64_MAX);
    assert_int_equal(first.makespan_ns, second.makespan_ns);
    assert_memory_equal(one.runs, two.runs, window.task_count * sizeof *one.runs);
    struct policy_found again = policy_search(&one, 1, &first, 0, 0);
    assert_int_equal(again.makespan_ns, first.makespan_ns);
    assert_int_equal(again.tries, 1);
    world_fini(&one);
    world_fini(&two);
    plan_window_fini(&window);
}

static struct policy_found follow(struct world *world, const struct policy_found *known,
                                  int64_t *rank, uint32_t *worker, int64_t *tail_ns)
{
    uint32_t tasks = world->window->task_count;
    for (uint32_t t = 0; t < tasks; t++) {
        rank[t] = world->rank[t];
        worker[t] = world->runs[t].worker;
        tail_ns[t] = world->tail_ns[t];
    }
    world->given_rank = rank;
    world->given_worker = worker;
    world->given_tail_ns = tail_ns;
    return policy_search(world, 8, known, 0, 0);
}

/* A plan that is being followed is kept, or what takes its place is better; its tasks stay where it
 * has them. A bad one is left. */
static void test_followed(void **state)
{
    (void)state;
    static int64_t rank[300], tail_ns[300];
    static uint32_t worker[300];
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct plan_window window;
        struct world world;
        open_large(&window, seed, 4, 3, 300);
        assert_true(window.task_count <= 300);
        assert_true(world_init(&world, &window));
        struct policy_found first = policy_search(&world, 40, NULL, 0, 0);
        struct policy_found again = follow(&world, &first, rank, worker, tail_ns);
        assert_true(again.makespan_ns <= first.makespan_ns + first.makespan_ns / 16);
        for (uint32_t t = 0; again.kept && t < window.task_count; t++)
            assert_int_equal(world.runs[t].worker, worker[t]);
        if (again.kept) { /* as it should be: not worth another simulation */
            first.expected_ns = again.makespan_ns;
            struct policy_found punctual = follow(&world, &first, rank, worker, tail_ns);
            assert_true(punctual.kept && punctual.tries == 1);
            for (uint32_t t = 0; t < window.task_count; t++)
                assert_int_equal(world.runs[t].worker, worker[t]);
        }
        world.given_rank = NULL;
        struct policy_found bad = {.policy = &policy_fifo, .tuning = policy_fifo.tuning};
        bad.makespan_ns = world_simulate(&world, policy_fifo.model, &policy_fifo.tuning);
        struct policy_found left = follow(&world, &bad, rank, worker, tail_ns);
        assert_true(left.makespan_ns <= bad.makespan_ns);
        assert_false(left.kept && bad.makespan_ns > 2 * first.makespan_ns);
        world_fini(&world);
        plan_window_fini(&window);
    }
}

/* Many workers are found by other ways than few: they are schedules all the same. */
static void test_many_workers(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 6; seed++) {
        struct plan_window window;
        struct world world;
        open_large(&window, seed, 300, 2, 2000);
        assert_true(world_init(&world, &window));
        for (size_t p = 0; p < SINGLES; p++) {
            int64_t ns = world_simulate(&world, plan_of(singles[p]), &singles[p]->tuning);
            if (ns != INT64_MAX)
                assert_null(rig_wrong(&world, ns));
        }
        world_fini(&world);
        plan_window_fini(&window);
    }
}

/* A hundred independent tasks on a hundred workers take one task's time, by every policy. */
static void test_independent_tasks_spread(void **state)
{
    (void)state;
    struct plan_window window;
    struct world world;
    rig_open(&window, NULL);
    window.transfers = false;
    rig_class(&window, 100, 0);
    rig_type(&window, (int64_t[]){1000});
    for (uint32_t t = 0; t < 100; t++)
        (void)rig_task(&window, 0);
    rig_close(&window);
    assert_true(world_init(&world, &window));
    for (size_t p = 0; p < SINGLES; p++)
        assert_int_equal(world_simulate(&world, plan_of(singles[p]), &singles[p]->tuning), 1000);
    world_fini(&world);
    plan_window_fini(&window);
}

/* Little memory: slower, never wrong. */
static void test_little_memory(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 40; seed++) {
        struct plan_window window;
        struct world world;
        open_large(&window, seed, 2, 3, 150);
        for (uint32_t n = 0; n < window.node_count; n++)
            assert_non_null(vec_push(&window.capacity, &(uint64_t){n > 0 ? 600 + 50 * seed : 0}));
        assert_true(world_init(&world, &window));
        for (size_t p = 0; p < SINGLES; p++) {
            int64_t ns = world_simulate(&world, plan_of(singles[p]), &singles[p]->tuning);
            if (ns != INT64_MAX)
                assert_null(rig_wrong(&world, ns));
        }
        world_fini(&world);
        plan_window_fini(&window);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_windows),
        cmocka_unit_test(test_small_windows_with_copies),
        cmocka_unit_test(test_auto_is_not_worse_than_any),
        cmocka_unit_test(test_deterministic),
        cmocka_unit_test(test_followed),
        cmocka_unit_test(test_many_workers),
        cmocka_unit_test(test_independent_tasks_spread),
        cmocka_unit_test(test_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
