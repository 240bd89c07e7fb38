/* No bound is above any schedule, whatever the graph and the costs.
 *
 * Small graphs: the best makespan of all schedules, by trying: every order in which tasks can
 * start, each on every worker, at the earliest. Areas: another method, the textbook simplex on the
 * whole dual tableau with Bland's rule, which cannot cycle. Large ones: the schedule of a simple
 * greedy rule. A makespan is a sum of at most TASKS costs and its rounding is at most TASKS *
 * DBL_EPSILON.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include <fastgpu/status.h>
#include "base/rng.h"
#include "lib/seed.h"
#include "plan/bound.h"

#define TASKS 8u
#define TYPES 6u
#define CLASSES 4u
#define WORKERS 12u
#define SEEDS 1500u

static uint64_t seed;

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            seed_print("prop/test_plan_bound", seed);                                              \
            fail_msg("%s", #condition);                                                            \
        }                                                                                          \
    } while (0)

struct instance {
    uint32_t types, classes, tasks;
    double costs[TYPES * CLASSES];
    uint32_t workers[CLASSES];
    uint32_t type_of[TASKS];
    uint32_t first[TASKS + 1];
    uint32_t successors[TASKS * TASKS];
    bool before[TASKS][TASKS];
};

/* Small whole numbers often: ties, zeros and degenerate programmes. */
static double make_cost(struct rng *rng, bool whole)
{
    return whole ? (double)rng_below(rng, 5) : exp(4 * rng_unit(rng));
}

static void make_costs(struct rng *rng, struct instance *instance)
{
    bool whole = rng_below(rng, 2) == 0;
    for (uint32_t t = 0; t < instance->types; t++) {
        double *cost = instance->costs + t * instance->classes;
        uint32_t surely = (uint32_t)rng_below(rng, instance->classes);
        for (uint32_t c = 0; c < instance->classes; c++)
            cost[c] = c != surely && rng_below(rng, 5) == 0 ? -1 : make_cost(rng, whole);
    }
}

static void make_edges(struct rng *rng, struct instance *instance)
{
    uint32_t edges = 0, chance = 1 + (uint32_t)rng_below(rng, 6);
    for (uint32_t i = 0; i < instance->tasks; i++) {
        instance->first[i] = edges;
        for (uint32_t j = 0; j < instance->tasks; j++) {
            instance->before[i][j] = i < j && rng_below(rng, chance) == 0;
            if (instance->before[i][j])
                instance->successors[edges++] = j;
        }
    }
    instance->first[instance->tasks] = edges;
}

static void make(struct rng *rng, struct instance *instance)
{
    *instance = (struct instance){.types = 1 + (uint32_t)rng_below(rng, 3), .classes = 2};
    instance->tasks = 1 + (uint32_t)rng_below(rng, seed % 16 == 0 ? TASKS : TASKS - 1);
    instance->workers[0] = 1 + (uint32_t)rng_below(rng, 2);
    instance->workers[1] = instance->workers[0] == 2 ? 1 : 1 + (uint32_t)rng_below(rng, 2);
    make_costs(rng, instance);
    for (uint32_t i = 0; i < instance->tasks; i++)
        instance->type_of[i] = (uint32_t)rng_below(rng, instance->types);
    make_edges(rng, instance);
}

static struct bound_result compute(const struct instance *instance)
{
    struct bound_input input = {instance->types,   instance->classes,    instance->costs,
                                instance->workers, instance->tasks,      instance->type_of,
                                instance->first,   instance->successors, NULL};
    struct bound_result result;
    REQUIRE(plan_bound_compute(&input, &result) == FGPU_OK);
    return result;
}

/* ---- the best of all schedules */

struct search {
    const struct instance *instance;
    double end[TASKS], busy_until[WORKERS], best;
    uint32_t class_of[WORKERS], workers, started; /* a bit for each task */
};

static void search_from(struct search *search, double last_start, double makespan);

static void search_start(struct search *search, uint32_t task, uint32_t worker, double last_start,
                         double makespan)
{
    const struct instance *instance = search->instance;
    double cost =
        instance->costs[instance->type_of[task] * instance->classes + search->class_of[worker]];
    if (cost < 0)
        return;
    double start = search->busy_until[worker], was = start;
    for (uint32_t i = 0; i < instance->tasks; i++) {
        if (instance->before[i][task])
            start = fmax(start, search->end[i]);
    }
    /* Tasks are taken in the order of their starts: every schedule still appears once. */
    if (start < last_start || start + cost >= search->best)
        return;
    search->end[task] = search->busy_until[worker] = start + cost;
    search->started |= 1u << task;
    search_from(search, start, fmax(makespan, start + cost));
    search->started &= ~(1u << task);
    search->busy_until[worker] = was;
}

static void search_from(struct search *search, double last_start, double makespan)
{
    const struct instance *instance = search->instance;
    if (search->started == (1u << instance->tasks) - 1) {
        search->best = fmin(search->best, makespan);
        return;
    }
    for (uint32_t task = 0; task < instance->tasks; task++) {
        bool is_ready = (search->started >> task & 1) == 0;
        for (uint32_t i = 0; i < instance->tasks; i++)
            is_ready = is_ready && (!instance->before[i][task] || (search->started >> i & 1) != 0);
        for (uint32_t worker = 0; is_ready && worker < search->workers; worker++)
            search_start(search, task, worker, last_start, makespan);
    }
}

static double best_makespan(const struct instance *instance)
{
    struct search search = {.instance = instance, .best = HUGE_VAL};
    for (uint32_t c = 0; c < instance->classes; c++) {
        for (uint32_t k = 0; k < instance->workers[c]; k++)
            search.class_of[search.workers++] = c;
    }
    search_from(&search, 0, 0);
    return search.best;
}

static void test_never_above_the_best_schedule(void **state)
{
    uint64_t first = seed_get(1), count = seed_count(SEEDS), better = 0;
    (void)state;
    for (seed = first; seed < first + count; seed++) {
        struct rng rng;
        struct instance instance;
        rng_init(&rng, seed);
        make(&rng, &instance);
        struct bound_result result = compute(&instance);
        double best = best_makespan(&instance) * (1 + TASKS * DBL_EPSILON);
        REQUIRE(best < HUGE_VAL);
        REQUIRE(result.area_ns <= best && result.path_ns <= best && result.joined_ns <= best);
        REQUIRE(result.joined_ns >= result.area_ns && result.joined_ns >= result.path_ns);
        better += result.kind == BOUND_JOINED;
    }
    if (count == SEEDS)
        assert_true(better > SEEDS / 10); /* the joined bound is not idle */
}

/* ---- the area, by another method */

#define TABLEAU_ROWS (TYPES * CLASSES + 2)
#define TABLEAU_COLUMNS (TYPES + CLASSES + TABLEAU_ROWS + 1)

struct tableau {
    uint32_t rows, columns; /* the last row is the objective, the last column the right side */
    double at[TABLEAU_ROWS][TABLEAU_COLUMNS];
    uint32_t basic[TABLEAU_ROWS];
};

static void tableau_pivot(struct tableau *t, uint32_t row, uint32_t column)
{
    double by = t->at[row][column];
    for (uint32_t k = 0; k < t->columns; k++)
        t->at[row][k] /= by;
    for (uint32_t i = 0; i < t->rows; i++) {
        double times = t->at[i][column];
        for (uint32_t k = 0; i != row && k < t->columns; k++)
            t->at[i][k] -= times * t->at[row][k];
    }
    t->basic[row] = column;
}

/* Maximises; the origin is feasible. */
static double tableau_solve(struct tableau *t)
{
    for (;;) {
        uint32_t column = 0, row = UINT32_MAX;
        while (column + 1 < t->columns && t->at[t->rows - 1][column] >= -1e-11)
            column++;
        if (column + 1 == t->columns)
            return t->at[t->rows - 1][t->columns - 1];
        for (uint32_t i = 0; i + 1 < t->rows; i++) {
            if (t->at[i][column] <= 1e-11)
                continue;
            double ratio = t->at[i][t->columns - 1] / t->at[i][column];
            double least = row == UINT32_MAX ? 0 : t->at[row][t->columns - 1] / t->at[row][column];
            if (row == UINT32_MAX || ratio < least ||
                (!(ratio > least) && t->basic[i] < t->basic[row]))
                row = i;
        }
        REQUIRE(row != UINT32_MAX);
        tableau_pivot(t, row, column);
    }
}

/* max sum of counts * y, so that y[t] <= cost[t][c] w[c], sum of workers * w <= 1. */
static double area_by_tableau(const struct instance *instance, const double *counts)
{
    static struct tableau t;
    uint32_t row = 0, types = instance->types, classes = instance->classes;
    t = (struct tableau){.rows = 2};
    for (uint32_t i = 0; i < types * classes; i++)
        t.rows += instance->costs[i] >= 0;
    t.columns = types + classes + t.rows;
    for (uint32_t i = 0; i < types * classes; i++) {
        if (instance->costs[i] < 0)
            continue;
        t.at[row][i / classes] = 1;
        t.at[row++][types + i % classes] = -instance->costs[i];
    }
    for (uint32_t c = 0; c < classes; c++)
        t.at[row][types + c] = instance->workers[c];
    t.at[row][t.columns - 1] = 1;
    for (uint32_t i = 0; i <= row; i++) {
        t.basic[i] = types + classes + i;
        t.at[i][t.basic[i]] = 1;
    }
    for (uint32_t k = 0; k < types; k++)
        t.at[t.rows - 1][k] = -counts[k];
    return tableau_solve(&t);
}

static void make_area(struct rng *rng, struct instance *instance, double *counts)
{
    *instance = (struct instance){.types = 1 + (uint32_t)rng_below(rng, TYPES),
                                  .classes = 1 + (uint32_t)rng_below(rng, CLASSES)};
    make_costs(rng, instance);
    for (uint32_t t = 0; t < instance->types; t++)
        counts[t] = (double)(1 + rng_below(rng, 100));
    for (uint32_t c = 0; c < instance->classes; c++)
        instance->workers[c] = 1 + (uint32_t)rng_below(rng, 5);
}

static double area(const struct instance *instance, const double *counts)
{
    double area_ns = -1;
    REQUIRE(plan_bound_area(instance->types, instance->classes, instance->costs, instance->workers,
                            counts, &area_ns) == FGPU_OK);
    return area_ns;
}

static void test_area_is_exact(void **state)
{
    uint64_t first = seed_get(1), count = seed_count(SEEDS);
    (void)state;
    for (seed = first; seed < first + count; seed++) {
        struct rng rng;
        struct instance instance;
        double counts[TYPES];
        rng_init(&rng, seed);
        make_area(&rng, &instance, counts);
        double expected = area_by_tableau(&instance, counts), value = area(&instance, counts);
        REQUIRE(fabs(value - expected) <= 1e-8 * expected);
        uint32_t c = (uint32_t)rng_below(&rng, instance.classes);
        instance.workers[c]++;
        REQUIRE(area(&instance, counts) <= value * (1 + 1e-8));
    }
}

/* Doubling is exact, so that every step of the search is the same and the result twice as much. */
static void test_scaling(void **state)
{
    uint64_t first = seed_get(1), count = seed_count(SEEDS / 10);
    (void)state;
    for (seed = first; seed < first + count; seed++) {
        struct rng rng;
        struct instance instance;
        rng_init(&rng, seed);
        make(&rng, &instance);
        struct bound_result once = compute(&instance);
        for (uint32_t i = 0; i < instance.types * instance.classes; i++)
            instance.costs[i] *= instance.costs[i] > 0 ? 4 : 1;
        struct bound_result twice = compute(&instance);
        REQUIRE(twice.area_ns == 4 * once.area_ns && twice.path_ns == 4 * once.path_ns);
        REQUIRE(twice.joined_ns == 4 * once.joined_ns);
    }
}

/* ---- schedules that are planted */

#define PLANTED 400u

/* Three classes of two workers that work without a pause until `end`; every task of its own type,
 * its cost on its own class as planted, on the others whatever. Waits only for what ended before it
 * began: so `end` is a makespan, and where all tasks run on their class only, it is the area as
 * well. */
struct planted {
    double costs[PLANTED * 3], begin[PLANTED], end[PLANTED], makespan;
    uint32_t tasks, types[PLANTED], first[PLANTED + 1], successors[PLANTED * 8];
};

static void plant_tasks(struct rng *rng, struct planted *planted, bool is_fixed)
{
    planted->makespan = 1000;
    planted->tasks = 0;
    for (uint32_t worker = 0; worker < 6; worker++) {
        double at = 0;
        for (uint32_t k = 0; k < PLANTED / 6 && at < planted->makespan; k++) {
            uint32_t i = planted->tasks++;
            double cost = (double)(1 + rng_below(rng, 60));
            if (k + 1 == PLANTED / 6 || at + cost > planted->makespan)
                cost = planted->makespan - at;
            for (uint32_t c = 0; c < 3; c++)
                planted->costs[i * 3 + c] = is_fixed ? -1 : cost * (0.5 + 4 * rng_unit(rng));
            planted->costs[i * 3 + worker / 2] = cost;
            planted->types[i] = i;
            planted->begin[i] = at;
            planted->end[i] = at += cost;
        }
    }
}

static void plant_edges(struct rng *rng, struct planted *planted)
{
    uint32_t edges = 0;
    for (uint32_t i = 0; i < planted->tasks; i++) {
        planted->first[i] = edges;
        for (uint32_t tries = 0; tries < 8; tries++) {
            uint32_t j = (uint32_t)rng_below(rng, planted->tasks);
            if (planted->begin[j] >= planted->end[i] && planted->begin[j] < planted->end[i] + 200)
                planted->successors[edges++] = j;
        }
    }
    planted->first[planted->tasks] = edges;
}

static void test_planted_schedules(void **state)
{
    static const uint32_t workers[] = {2, 2, 2};
    static struct planted planted;
    uint64_t first = seed_get(1), count = seed_count(200);
    (void)state;
    for (seed = first; seed < first + count; seed++) {
        struct rng rng;
        bool is_fixed = seed % 2 == 0;
        rng_init(&rng, seed);
        plant_tasks(&rng, &planted, is_fixed);
        plant_edges(&rng, &planted);
        struct bound_input input = {planted.tasks, 3,
                                    planted.costs, workers,
                                    planted.tasks, planted.types,
                                    planted.first, planted.successors,
                                    NULL};
        struct bound_result result;
        REQUIRE(plan_bound_compute(&input, &result) == FGPU_OK);
        REQUIRE(result.best_ns <= planted.makespan);
        REQUIRE(!is_fixed || result.area_ns >= planted.makespan * (1 - 1e-9));
    }
}

/* ---- large: many types and classes, all tasks of their own kind */

/* Any sharing out is above the bound: each type where it is done first, one after the other. */
static double greedy_area(uint32_t types, uint32_t classes, const double *costs,
                          const uint32_t *workers, const double *counts)
{
    double load[64] = {0}, most = 0;
    for (uint32_t t = 0; t < types; t++) {
        uint32_t best = 0;
        for (uint32_t c = 1; c < classes; c++) {
            if (load[c] + counts[t] * costs[t * classes + c] / workers[c] <
                load[best] + counts[t] * costs[t * classes + best] / workers[best])
                best = c;
        }
        load[best] += counts[t] * costs[t * classes + best] / workers[best];
        most = fmax(most, load[best]);
    }
    return most;
}

static void test_large_areas(void **state)
{
    static const uint32_t sizes[][2] = {{64, 64}, {2000, 3}, {4000, 16}, {500, 64}};
    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        uint32_t types = sizes[k][0], classes = sizes[k][1], workers[64];
        struct rng rng;
        double *costs = malloc(types * classes * sizeof *costs);
        double *counts = malloc(types * sizeof *counts), value = 0;
        seed = k;
        rng_init(&rng, seed);
        for (uint32_t i = 0; i < types * classes; i++)
            costs[i] = exp(5 * rng_unit(&rng));
        for (uint32_t t = 0; t < types; t++)
            counts[t] = 1 + (double)rng_below(&rng, 9);
        for (uint32_t c = 0; c < classes; c++)
            workers[c] = 1 + (uint32_t)rng_below(&rng, 9);
        REQUIRE(plan_bound_area(types, classes, costs, workers, counts, &value) == FGPU_OK);
        double above = greedy_area(types, classes, costs, workers, counts);
        REQUIRE(value <= above && value >= above / 4);
        free(costs);
        free(counts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_above_the_best_schedule),
        cmocka_unit_test(test_area_is_exact),
        cmocka_unit_test(test_scaling),
        cmocka_unit_test(test_planted_schedules),
        cmocka_unit_test(test_large_areas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
