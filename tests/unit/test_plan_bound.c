/* The bounds against hand calculations and against the published table of lower bounds
 * (lower_bounds.csv beside the cost tables of two machines: area on the mean costs and critical
 * path of the tiled Cholesky factorisation, computed by another program).
 *
 * The table gives one decimal of a millisecond: 0.05 ms, or 0.1 % where that is more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "lib/tiled_cholesky.h"
#include "plan/bound.h"

#define CLASSES 32u

static struct bound_result compute(const struct bound_input *input)
{
    struct bound_result result;
    assert_int_equal(plan_bound_compute(input, &result), FGPU_OK);
    assert_true(result.best_ns == fmax(result.area_ns, fmax(result.path_ns, result.joined_ns)));
    return result;
}

static void assert_near(double value, double expected, double slack)
{
    if (!(fabs(value - expected) <= slack))
        fail_msg("%.9g is not %.9g", value, expected);
}

/* ---- by hand */

/* 6 of type 0 (10 on a, 30 on b), 3 of type 1 (20 on a, 20 on b); 2 workers a, 1 worker b. All of
 * type 1 on b: 60, all of type 0 on a: 30. Balanced when x of type 1 move: 20 (3 - x) = (60 + 20 x)
 * / 2 -> x = 1, T = 40. */
static void test_area_by_hand(void **state)
{
    static const double costs[] = {10, 30, 20, 20};
    static const uint32_t workers[] = {2, 1};
    static const double counts[] = {6, 3};
    double area = 0;
    (void)state;
    assert_int_equal(plan_bound_area(2, 2, costs, workers, counts, &area), FGPU_OK);
    assert_true(area <= 40);
    assert_near(area, 40, 1e-9);
}

/* One class of ten thousand is one class. */
static void test_many_workers(void **state)
{
    static const double costs[] = {7};
    static const uint32_t workers[] = {10000};
    static const double counts[] = {1e6};
    double area = 0;
    (void)state;
    assert_int_equal(plan_bound_area(1, 1, costs, workers, counts, &area), FGPU_OK);
    assert_near(area, 700, 1e-9);
}

/* One type on 100 classes that are all busy to the end: count / sum of workers / cost. */
static void test_one_type_everywhere(void **state)
{
    double costs[100], speed = 0, area = 0;
    uint32_t workers[100];
    static const double counts[] = {1000};
    (void)state;
    for (uint32_t c = 0; c < 100; c++) {
        costs[c] = 10 + 3 * c;
        workers[c] = 1 + c % 7;
        speed += workers[c] / costs[c];
    }
    assert_int_equal(plan_bound_area(1, 100, costs, workers, counts, &area), FGPU_OK);
    assert_near(area, 1000 / speed, 1e-9 * area);
}

/* Types without tasks may run nowhere; classes without workers do nothing, however cheap. */
static void test_empty_types_and_classes(void **state)
{
    static const double costs[] = {-1, -1, 1, 50, -1, 60};
    static const uint32_t workers[] = {0, 2};
    static const double counts[] = {0, 4, 0};
    double area = 0;
    (void)state;
    assert_int_equal(plan_bound_area(3, 2, costs, workers, counts, &area), FGPU_OK);
    assert_near(area, 100, 1e-9);
}

/* A fork of 1 before and 1 after 8: all take 10 on either of two workers. Area 50, path 30; the 8
 * cannot start before 10 and leave 10: 10 + 40 + 10. */
static void test_window_by_hand(void **state)
{
    static const double costs[] = {10};
    static const uint32_t workers[] = {2}, types[10] = {0};
    uint32_t first[11] = {0, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16};
    uint32_t successors[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9, 9, 9, 9};
    struct bound_input input = {1, 1, costs, workers, 10, types, first, successors, NULL};
    struct bound_result result = compute(&input);
    (void)state;
    assert_near(result.area_ns, 50, 1e-9);
    assert_near(result.path_ns, 30, 1e-9);
    assert_near(result.joined_ns, 60, 1e-9);
    assert_int_equal(result.kind, BOUND_JOINED);
    assert_int_equal(result.exact, 1);
}

/* Four workers and 1000 of time, none of it wasted but by waiting: worker 0 does a chain of 1, 1,
 * 1, 1 and 996, worker w = 1, 2, 3 one task of 1000 - w after w of the chain. Heads of 0 to 4 are
 * closer together than the search's steps; what it takes for a step must be the least of them.
 * Backwards the same with the tails. */
static void test_heads_close_together(void **state)
{
    static const double costs[] = {1, 1, 1, 1, 996, 999, 998, 997};
    static const uint32_t workers[] = {4}, types[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const uint32_t first[9] = {0, 2, 4, 6, 7, 7, 7, 7, 7};
    static const uint32_t successors[7] = {1, 5, 2, 6, 3, 7, 4};
    static const uint32_t first_back[9] = {0, 0, 1, 2, 3, 4, 5, 6, 7};
    static const uint32_t successors_back[7] = {0, 1, 2, 3, 0, 1, 2};
    struct bound_input input = {8, 1, costs, workers, 8, types, first, successors, NULL};
    struct bound_result result = compute(&input);
    (void)state;
    assert_near(result.best_ns, 1000, 1e-9);
    assert_true(result.best_ns <= 1000);
    input.first_successor = first_back;
    input.successors = successors_back;
    result = compute(&input);
    assert_near(result.best_ns, 1000, 1e-9);
    assert_true(result.best_ns <= 1000);
}

/* All of one type: 10 on the one quick worker, 30 on the one slow. 12 tasks, the first 8 a chain:
 * area 10 x = 30 (12 - x) -> 90; path 80; the quick worker takes the chain and one more, the slow
 * one 3: 90 is reached, and no bound may be above it. The chain alone: area 60, path 80. */
static void test_chain_by_hand(void **state)
{
    static const double costs[] = {10, 30};
    static const uint32_t workers[] = {1, 1}, types[12] = {0};
    uint32_t first[13], successors[7];
    (void)state;
    for (uint32_t i = 0; i <= 12; i++)
        first[i] = i < 7 ? i : 7;
    for (uint32_t i = 0; i < 7; i++)
        successors[i] = i + 1;
    struct bound_input input = {1, 2, costs, workers, 12, types, first, successors, NULL};
    struct bound_result result = compute(&input);
    assert_near(result.area_ns, 90, 1e-9);
    assert_near(result.path_ns, 80, 1e-9);
    assert_near(result.joined_ns, 90, 1e-7);
    assert_true(result.joined_ns <= 90);
    input.task_count = 8;
    result = compute(&input);
    assert_near(result.area_ns, 60, 1e-9);
    assert_near(result.path_ns, 80, 1e-9);
    assert_int_equal(result.kind, BOUND_PATH);
}

/* Two types, each quick on the other class: a chain of 2 of type 0 that is quick (10) on a, slow
 * (40) on b; 3 of type 1 that run on a only, 10 each. Path 20; area: a alone 50, b may take x of
 * type 0: 30 + 10 (2 - x) = 40 x -> x = 1, T = 40. With the chain as a row: 20 + 30 x <= T and 50 -
 * 10 x <= T: x = 0.75, T = 42.5. */
static void test_mixed_by_hand(void **state)
{
    static const double costs[] = {10, 40, 10, -1};
    static const uint32_t workers[] = {1, 1}, types[5] = {0, 0, 1, 1, 1};
    static const uint32_t first[6] = {0, 1, 1, 1, 1, 1}, successors[1] = {1};
    struct bound_input input = {2, 2, costs, workers, 5, types, first, successors, NULL};
    struct bound_result result = compute(&input);
    (void)state;
    assert_near(result.area_ns, 40, 1e-9);
    assert_near(result.path_ns, 20, 1e-9);
    assert_near(result.joined_ns, 42.5, 1e-7);
    assert_true(result.joined_ns <= 42.5);
}

static void test_nothing_takes_time(void **state)
{
    static const double costs[] = {0, 5};
    static const uint32_t workers[] = {1, 1}, types[3] = {0}, first[4] = {0, 1, 2, 2};
    static const uint32_t successors[2] = {1, 2};
    struct bound_input input = {1, 2, costs, workers, 3, types, first, successors, NULL};
    struct bound_result result = compute(&input);
    (void)state;
    assert_true(result.best_ns == 0);
    assert_int_equal(result.kind, BOUND_AREA);
    assert_int_equal(result.exact, 1);
    input.task_count = 0;
    assert_true(compute(&input).best_ns == 0);
}

/* A chain of three on a worker of 10 and two of 20: indivisible it takes 30, cut as one likes 15,
 * each in two parts 15 as well (a part takes 5 on the first), and with the middle one whole 20. */
static void test_divisible(void **state)
{
    (void)state;
    static const double costs[] = {10, 20, 10, 20};
    static const uint32_t workers[] = {1, 2}, types[] = {0, 1, 0};
    static const uint32_t first[] = {0, 1, 2, 2}, successors[] = {1, 2};
    uint32_t parts[] = {0, 0};
    struct bound_input input = {2, 2, costs, workers, 3, types, first, successors, parts};
    assert_near(compute(&input).path_ns, 30, 1e-9);
    parts[0] = parts[1] = 100;
    assert_near(compute(&input).path_ns, 15, 1e-9);
    assert_near(compute(&input).best_ns, 15, 1e-9);
    parts[0] = parts[1] = 2;
    assert_near(compute(&input).path_ns, 15, 1e-9);
    parts[1] = 0;
    assert_near(compute(&input).path_ns, 20, 1e-9);
    assert_near(compute(&input).best_ns, 20, 1e-9);
    input.parts = NULL;
    assert_near(compute(&input).path_ns, 30, 1e-9);
}

static void test_refused(void **state)
{
    static const double costs[] = {1, 1, -1, -1, 2, HUGE_VAL};
    static const uint32_t workers[] = {1, 0};
    uint32_t types[3] = {0, 0, 1}, first[4] = {0, 1, 2, 3}, successors[3] = {1, 2, 0};
    struct bound_input input = {3, 2, costs, workers, 3, types, first, successors, NULL};
    struct bound_result result;
    (void)state;
    assert_int_equal(plan_bound_compute(&input, &result), FGPU_E_INVAL);
    assert_non_null(strstr(error_text(), "type 1 "));
    types[2] = 2;
    assert_int_equal(plan_bound_compute(&input, &result), FGPU_E_CYCLE);
    successors[2] = 3;
    assert_int_equal(plan_bound_compute(&input, &result), FGPU_E_INVAL);
    assert_non_null(strstr(error_text(), "task 2 "));
    first[3] = 2;
    assert_int_equal(plan_bound_compute(&input, &result), FGPU_OK);
    assert_true(result.exact);
    types[1] = 3;
    assert_int_equal(plan_bound_compute(&input, &result), FGPU_E_INVAL);
    assert_non_null(strstr(error_text(), "type 3 "));
    first[1] = 3;
    types[1] = 0;
    assert_int_equal(plan_bound_compute(&input, &result), FGPU_E_INVAL);
}

/* ---- the published table */

struct machine_table {
    uint32_t classes;
    char names[CLASSES][32];
    uint32_t workers[CLASSES];
    double costs[TILED_CHOLESKY_TYPES * CLASSES]; /* [type * classes + class] */
};

static FILE *open_table(const char *name)
{
    char path[4096], line[4096];
    const char *shared = getenv("FASTGPU_SHARED");
    snprintf(path, sizeof path, "%s/data/machines/%s", shared != NULL ? shared : "/nowhere", name);
    FILE *file = fopen(path, "r");
    if (file != NULL)
        assert_non_null(fgets(line, sizeof line, file));
    return file;
}

static void read_devices(struct machine_table *machine, const char *name)
{
    char file_name[64], line[4096];
    snprintf(file_name, sizeof file_name, "%s.devices.csv", name);
    FILE *file = open_table(file_name);
    assert_non_null(file);
    machine->classes = 0;
    while (fgets(line, sizeof line, file) != NULL && machine->classes < CLASSES) {
        uint32_t c = machine->classes;
        if (sscanf(line, "%31[^,],%*[^,],%u", machine->names[c], &machine->workers[c]) == 2)
            machine->classes++;
    }
    fclose(file);
    assert_true(machine->classes > 1);
}

static void read_costs(struct machine_table *machine, const char *name, uint32_t tile)
{
    char file_name[64], line[4096], kernel[32], device[32];
    snprintf(file_name, sizeof file_name, "%s.costs.csv", name);
    FILE *file = open_table(file_name);
    assert_non_null(file);
    for (uint32_t i = 0; i < TILED_CHOLESKY_TYPES * machine->classes; i++)
        machine->costs[i] = -1;
    while (fgets(line, sizeof line, file) != NULL) {
        uint32_t size;
        double mean_us;
        if (sscanf(line, "%31[^,],%31[^,],%u,%lf", kernel, device, &size, &mean_us) != 4 ||
            size != tile)
            continue;
        for (uint32_t t = 0; t < TILED_CHOLESKY_TYPES; t++) {
            for (uint32_t c = 0; c < machine->classes; c++) {
                if (strcmp(kernel, tiled_cholesky_kernels[t]) == 0 &&
                    strcmp(device, machine->names[c]) == 0)
                    machine->costs[t * machine->classes + c] = mean_us * 1000;
            }
        }
    }
    fclose(file);
}

static void test_published_table(void **state)
{
    char line[4096], name[32];
    struct machine_table machine;
    uint32_t rows = 0;
    FILE *file = open_table("lower_bounds.csv");
    (void)state;
    if (file == NULL) {
        print_message("skipped: no ${FASTGPU_SHARED}/data/machines/lower_bounds.csv\n");
        skip();
    }
    while (fgets(line, sizeof line, file) != NULL) {
        uint32_t tile, tiles;
        double area_ms, path_ms;
        assert_int_equal(sscanf(line, "%31[^,],%u,%u,%lf,%*[^,],%*[^,],%lf", name, &tile, &tiles,
                                &area_ms, &path_ms),
                         5);
        read_devices(&machine, name);
        read_costs(&machine, name, tile);
        struct tiled_cholesky graph;
        tiled_cholesky_make(&graph, tiles);
        struct bound_input input = {TILED_CHOLESKY_TYPES,  machine.classes,  machine.costs,
                                    machine.workers,       graph.task_count, graph.type_of,
                                    graph.first_successor, graph.successors, NULL};
        struct bound_result result = compute(&input);
        assert_near(result.area_ns / 1e6, area_ms, fmax(0.0501, area_ms / 1000));
        assert_near(result.path_ns / 1e6, path_ms, fmax(0.0501, path_ms / 1000));
        assert_true(result.exact);
        tiled_cholesky_free(&graph);
        rows++;
    }
    fclose(file);
    assert_int_equal(rows, 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_area_by_hand),
        cmocka_unit_test(test_many_workers),
        cmocka_unit_test(test_one_type_everywhere),
        cmocka_unit_test(test_empty_types_and_classes),
        cmocka_unit_test(test_window_by_hand),
        cmocka_unit_test(test_heads_close_together),
        cmocka_unit_test(test_chain_by_hand),
        cmocka_unit_test(test_mixed_by_hand),
        cmocka_unit_test(test_nothing_takes_time),
        cmocka_unit_test(test_divisible),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_published_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
