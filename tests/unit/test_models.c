/* The models of the founding documents: their worked examples with the numbers printed there, hand
 * calculations for the rest, and everything that an input can have wrong.
 *
 * Tolerances: a sum of n products in doubles is off by at most n DBL_EPSILON times the sum of their
 * sizes (Higham, Accuracy and Stability of Numerical Algorithms, 3.1, with n u / (1 - n u) and
 * u = DBL_EPSILON / 2 rounded up); the decimal inputs are off by u each themselves, two a product.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>

#include "cli/common/cli_limits.h"
#include "cli/machine/models.h"

#define LIST(...)                                                                                  \
    ((struct models_list){(const double[]){__VA_ARGS__},                                           \
                          sizeof((const double[]){__VA_ARGS__}) / sizeof(double)})
#define NOTHING ((struct models_list){NULL, 0})

static char why[CLI_WHY_BYTES];

static void expect_near(double got, double want, size_t terms)
{
    if (!(fabs(got - want) <= (double)(terms + 2) * DBL_EPSILON * fabs(want)))
        fail_msg("%.17g instead of %.17g", got, want);
}

/* Expects a refusal with `text` in its sentence. */
static void expect_refused(fgpu_status status, const char *text)
{
    if (status != FGPU_E_INVAL || !strstr(why, text))
        fail_msg("status %d, text \"%s\" wants \"%s\"", status, why, text);
    why[0] = '\0';
}

static void test_worked_examples(void **state)
{
    struct models_list loads = LIST(0.6, 0.4, 0.5, 0.3);
    double value;

    (void)state;
    assert_int_equal(models_rate(loads, LIST(.8, .8, .8, .8), &value, why, sizeof why), FGPU_OK);
    expect_near(value, 1.44, 4);
    assert_int_equal(models_time(LIST(.6, .4), LIST(1.44, 1.44), 10, &value, why, sizeof why),
                     FGPU_OK);
    expect_near(value, 1.44, 2);
    assert_int_equal(models_memory(100, 10, 1.44, &value, why, sizeof why), FGPU_OK);
    assert_true(fabs(value - 694.44) <= 0.005); /* printed with two decimals */
    assert_int_equal(models_balance(loads, LIST(1, 1, 1, 1), &value, why, sizeof why), FGPU_OK);
    expect_near(value, 1.8, 4);
    /* The documents' own priorities, with which they still print 1.8. */
    assert_int_equal(models_balance(loads, LIST(1, 2, 3, 4), &value, why, sizeof why), FGPU_OK);
    expect_near(value, 4.1, 4);
    assert_string_equal(why, "");
}

/* The documents print task 3; P - Q C is 20, -20, -35, -95, -150. */
static void test_worked_argmin(void **state)
{
    struct models_costs costs = {LIST(30, 20, 10, 5, 0), LIST(1, 2, 3, 4, 5),
                                 LIST(10, 20, 15, 25, 30)};
    struct models_pick pick;

    (void)state;
    assert_int_equal(models_allocate(&costs, &pick, why, sizeof why), FGPU_OK);
    assert_int_equal(pick.index, 4);
    assert_true(pick.score == -150);
    costs.priorities.count = costs.quantities.count = costs.costs.count = 3;
    assert_int_equal(models_allocate(&costs, &pick, why, sizeof why), FGPU_OK);
    assert_int_equal(pick.index, 2);
    assert_true(pick.score == -35);
}

static void test_assess(void **state)
{
    struct models_ratio ratio;

    (void)state;
    assert_int_equal(models_assess(LIST(1, 2, 3), LIST(0, 4), &ratio, why, sizeof why), FGPU_OK);
    assert_true(ratio.work == 6 && ratio.capacity == 4 && ratio.ratio == 1.5);
    assert_int_equal(models_assess(LIST(0), LIST(4), &ratio, why, sizeof why), FGPU_OK);
    assert_true(ratio.ratio == 0);
}

static void test_time_is_capped(void **state)
{
    double value;

    (void)state;
    assert_int_equal(models_time(LIST(1, 1), LIST(6, 5), 10, &value, why, sizeof why), FGPU_OK);
    assert_true(value == 10);
    assert_int_equal(models_time(LIST(1, 1), LIST(6, 4), 10, &value, why, sizeof why), FGPU_OK);
    assert_true(value == 10);
    assert_int_equal(models_time(LIST(1, .5), LIST(6, 4), 10, &value, why, sizeof why), FGPU_OK);
    assert_true(value == 8);
    /* A sum beyond the range of a double is above the cap, no error. */
    assert_int_equal(models_time(LIST(1, 1), LIST(1e308, 1e308), 3, &value, why, sizeof why),
                     FGPU_OK);
    assert_true(value == 3);
}

static void test_picks(void **state)
{
    struct models_pick pick;

    (void)state;
    /* 7 + 5 - 1, 7 + 3 - 4, 7 + 9 - 2 */
    assert_int_equal(models_schedule(7, LIST(5, 3, 9), LIST(1, 4, 2), &pick, why, sizeof why),
                     FGPU_OK);
    assert_int_equal(pick.index, 1);
    assert_true(pick.score == 6);
    /* 7 - 5, 7 - 3, 7 - 9: the longest */
    assert_int_equal(models_distribute(7, LIST(5, 3, 9), &pick, why, sizeof why), FGPU_OK);
    assert_int_equal(pick.index, 2);
    assert_true(pick.score == -2);
}

/* Of equal scores the lower index, also where both zeros have a sign. */
static void test_ties(void **state)
{
    struct models_costs costs = {LIST(3, 1, 2, 1), LIST(1, 0, 1, -0.0), LIST(1, 5, 1, 9)};
    struct models_pick pick;

    (void)state;
    assert_int_equal(models_allocate(&costs, &pick, why, sizeof why), FGPU_OK);
    assert_int_equal(pick.index, 1);
    assert_int_equal(models_schedule(0, LIST(4, 2, 3, 2), LIST(0, 1, 2, 1), &pick, why, sizeof why),
                     FGPU_OK);
    assert_int_equal(pick.index, 1);
    assert_int_equal(models_distribute(1, LIST(1, 8, 2, 8), &pick, why, sizeof why), FGPU_OK);
    assert_int_equal(pick.index, 1);
    assert_int_equal(models_distribute(0, LIST(0.0, -0.0, 0.0), &pick, why, sizeof why), FGPU_OK);
    assert_int_equal(pick.index, 0);
}

static void test_refuses_empty_and_mismatched(void **state)
{
    struct models_costs costs = {LIST(1, 2), LIST(1, 2), LIST(1)};
    struct models_ratio ratio = {1, 2, 3};
    struct models_pick pick = {77, 5};
    double value = 9;

    (void)state;
    expect_refused(models_assess(NOTHING, LIST(1), &ratio, why, sizeof why), "T has no value");
    expect_refused(models_assess(LIST(1), NOTHING, &ratio, why, sizeof why), "G has no value");
    expect_refused(models_rate(NOTHING, NOTHING, &value, why, sizeof why), "u has no value");
    expect_refused(models_rate(LIST(1, 1), LIST(1), &value, why, sizeof why),
                   "u has 2 values and r has 1");
    expect_refused(models_time(LIST(1), LIST(1, 1), 1, &value, why, sizeof why),
                   "p has 1 values and R has 2");
    expect_refused(models_balance(LIST(1), LIST(1, 2, 3), &value, why, sizeof why),
                   "L has 1 values and P has 3");
    expect_refused(models_allocate(&costs, &pick, why, sizeof why), "P has 2 values and C has 1");
    expect_refused(models_schedule(1, LIST(1), NOTHING, &pick, why, sizeof why), "P has no value");
    expect_refused(models_distribute(1, NOTHING, &pick, why, sizeof why), "T has no value");
    assert_true(value == 9 && pick.index == 77 && pick.score == 5 && ratio.ratio == 3);
}

static void test_refuses_values(void **state)
{
    struct models_costs costs = {LIST(1, NAN), LIST(1, 2), LIST(1, 2)};
    struct models_ratio ratio;
    struct models_pick pick;
    double value;

    (void)state;
    expect_refused(models_rate(LIST(.5, 1.5), LIST(1, 1), &value, why, sizeof why),
                   "u_2 is 1.5; it has to be from 0 to 1");
    expect_refused(models_rate(LIST(.5, .5), LIST(-1, 1), &value, why, sizeof why),
                   "r_1 is -1; it has to be at least 0");
    expect_refused(models_rate(LIST(.5, NAN), LIST(1, 1), &value, why, sizeof why), "u_2 is ");
    expect_refused(models_rate(LIST(.5), LIST(INFINITY), &value, why, sizeof why),
                   "r_1 is inf; it has to be a finite number");
    expect_refused(models_assess(LIST(-1), LIST(1), &ratio, why, sizeof why), "T_1 is -1");
    expect_refused(models_assess(LIST(1), LIST(-1), &ratio, why, sizeof why), "G_1 is -1");
    expect_refused(models_time(LIST(2), LIST(1), 1, &value, why, sizeof why), "p_1 is 2");
    expect_refused(models_time(LIST(1), LIST(1), -1, &value, why, sizeof why), "C is -1");
    expect_refused(models_time(LIST(1), LIST(1), NAN, &value, why, sizeof why), "C is ");
    expect_refused(models_memory(NAN, 1, 1, &value, why, sizeof why), "m is ");
    expect_refused(models_memory(1, -1, 1, &value, why, sizeof why), "C is -1");
    expect_refused(models_memory(1, 1, -1, &value, why, sizeof why), "R is -1");
    expect_refused(models_balance(LIST(1), LIST(-2), &value, why, sizeof why), "P_1 is -2");
    expect_refused(models_allocate(&costs, &pick, why, sizeof why), "P_2 is ");
    expect_refused(models_schedule(NAN, LIST(1), LIST(1), &pick, why, sizeof why), "T_i is ");
    expect_refused(models_schedule(1, LIST(1), LIST(-INFINITY), &pick, why, sizeof why), "P_1 is ");
    expect_refused(models_distribute(-1, LIST(1), &pick, why, sizeof why), "T_i is -1");
    /* A priority below zero is a priority. */
    assert_int_equal(models_schedule(1, LIST(1), LIST(-3), &pick, why, sizeof why), FGPU_OK);
}

static void test_refuses_zero_and_overflow(void **state)
{
    struct models_costs costs = {LIST(1, 1), LIST(1, 1e200), LIST(1, 1e200)};
    struct models_ratio ratio;
    struct models_pick pick;
    double value;

    (void)state;
    expect_refused(models_assess(LIST(1), LIST(0, 0), &ratio, why, sizeof why), "sum of G is 0");
    expect_refused(models_memory(1, 1, 0, &value, why, sizeof why), "R is 0");
    expect_refused(models_memory(0, 0, -0.0, &value, why, sizeof why), "R is 0");
    expect_refused(models_memory(1e300, 1e300, 1, &value, why, sizeof why), "M is beyond");
    expect_refused(models_memory(1, 1, 5e-324, &value, why, sizeof why), "M is beyond");
    expect_refused(models_assess(LIST(1e308, 1e308), LIST(1), &ratio, why, sizeof why),
                   "T is beyond");
    expect_refused(models_assess(LIST(1e308), LIST(1e-308), &ratio, why, sizeof why),
                   "P is beyond");
    expect_refused(models_balance(LIST(1e308), LIST(2), &value, why, sizeof why), "LB is beyond");
    expect_refused(models_rate(LIST(1, 1), LIST(1e308, 1e308), &value, why, sizeof why),
                   "R is beyond");
    expect_refused(models_allocate(&costs, &pick, why, sizeof why), "candidate 2 is beyond");
    /* Without a place for the sentence. */
    assert_int_equal(models_memory(1, 1, 0, &value, NULL, 0), FGPU_E_INVAL);
}

static void test_table(void **state)
{
    (void)state;
    for (int id = 0; id < MODELS_COUNT; id++) {
        const struct models_entry *entry = models_entry((enum models_id)id);
        assert_non_null(entry);
        assert_true(entry->name[0] && entry->unit[0] && entry->measured[0]);
        assert_non_null(strstr(entry->formula, " = "));
        assert_memory_equal(entry->formula, entry->symbol, strlen(entry->symbol));
    }
    assert_null(models_entry(MODELS_COUNT));
}

/* What the report will print: the formula's answer beside the printed one, and a note exactly where
 * they differ. */
static void test_examples(void **state)
{
    static const struct {
        double value;
        size_t task;
        const char *printed;
        const char *note; /* a part of it */
    } want[] = {{1.44, 0, "1.44", NULL},
                {1.44, 0, "1.44 s", NULL},
                {100 * 10 / 1.44, 0, "694.44 MB", NULL},
                {1.8, 0, "1.8", NULL},
                {4.1, 0, "1.8", "formula gives 4.1"},
                {-150, 5, "task 3", "task 5, which the formula picks"}};
    struct models_answer answer;

    (void)state;
    assert_int_equal(models_example_count(), sizeof want / sizeof want[0]);
    for (size_t i = 0; i < models_example_count(); i++) {
        const struct models_example *example = models_example(i);
        assert_non_null(models_entry(example->model));
        assert_int_equal(models_example_solve(i, &answer, why, sizeof why), FGPU_OK);
        expect_near(answer.value, want[i].value, 4);
        assert_int_equal(answer.task, want[i].task);
        assert_string_equal(example->printed, want[i].printed);
        if (want[i].note)
            assert_non_null(strstr(example->note, want[i].note));
        else
            assert_null(example->note);
    }
    assert_null(models_example(models_example_count()));
    expect_refused(models_example_solve(models_example_count(), &answer, why, sizeof why),
                   "no example 6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worked_examples),
        cmocka_unit_test(test_worked_argmin),
        cmocka_unit_test(test_assess),
        cmocka_unit_test(test_time_is_capped),
        cmocka_unit_test(test_picks),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_refuses_empty_and_mismatched),
        cmocka_unit_test(test_refuses_values),
        cmocka_unit_test(test_refuses_zero_and_overflow),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_examples),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
