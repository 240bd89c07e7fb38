/* What the founding documents' models keep for all inputs: scaling an input scales the result, the
 * order of the tasks does not matter, results stay within their bounds, and an argmin is the first
 * of the least scores.
 *
 * Scaling by a power of two is exact in doubles. Another order of a sum of n terms, all of one
 * sign, changes it by at most 2 n DBL_EPSILON / 2 of itself (Higham, Accuracy and Stability of
 * Numerical Algorithms, 4.2), and so does a bound that is summed on another way.
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

#include "base/rng.h"
#include "cli/machine/models.h"
#include "lib/seed.h"

#define MOST 40
#define SEEDS 2000

struct lists {
    size_t count;
    double shares[MOST]; /* 0 to 1 */
    double sizes[MOST];  /* 0 to 1000 */
    double steps[MOST];  /* small whole numbers: scores that are equal come often */
    double others[MOST];
};

static uint64_t seed;

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            seed_print("prop/models", seed);                                                       \
            fail_msg("%s", #condition);                                                            \
        }                                                                                          \
    } while (0)

static struct models_list list(const struct lists *lists, const double *values)
{
    return (struct models_list){values, lists->count};
}

static void make_lists(struct rng *rng, struct lists *lists)
{
    lists->count = 1 + rng_below(rng, MOST);
    for (size_t i = 0; i < lists->count; i++) {
        lists->shares[i] = rng_unit(rng);
        lists->sizes[i] = rng_unit(rng) * 1000;
        lists->steps[i] = (double)rng_below(rng, 6);
        lists->others[i] = (double)rng_below(rng, 6);
    }
}

static bool is_near(const struct lists *lists, double left, double right)
{
    return fabs(left - right) <= 2 * (double)(lists->count + 1) * DBL_EPSILON * fabs(right);
}

/* The same tasks in another order (R. Durstenfeld: Algorithm 235, CACM 1964). */
static void shuffle(struct rng *rng, struct lists *lists)
{
    for (size_t i = lists->count - 1; i > 0; i--) {
        size_t j = rng_below(rng, i + 1);
        double *columns[] = {lists->shares, lists->sizes, lists->steps, lists->others};
        for (size_t c = 0; c < 4; c++) {
            double kept = columns[c][i];
            columns[c][i] = columns[c][j];
            columns[c][j] = kept;
        }
    }
}

static double rate_of(const struct lists *lists)
{
    double rate = NAN;
    REQUIRE(models_rate(list(lists, lists->shares), list(lists, lists->sizes), &rate, NULL, 0) ==
            FGPU_OK);
    return rate;
}

static double balance_of(const struct lists *lists)
{
    double balance = NAN;
    REQUIRE(models_balance(list(lists, lists->sizes), list(lists, lists->steps), &balance, NULL,
                           0) == FGPU_OK);
    return balance;
}

static double time_of(const struct lists *lists, double cap)
{
    double seconds = NAN;
    REQUIRE(models_time(list(lists, lists->shares), list(lists, lists->sizes), cap, &seconds, NULL,
                        0) == FGPU_OK);
    return seconds;
}

static double ratio_of(const struct lists *lists)
{
    struct models_ratio ratio = {NAN, NAN, NAN};
    const double capacity[] = {3, lists->sizes[0]};
    REQUIRE(models_assess(list(lists, lists->sizes), (struct models_list){capacity, 2}, &ratio,
                          NULL, 0) == FGPU_OK);
    return ratio.ratio;
}

static void check_scaling(const struct lists *lists)
{
    struct lists scaled = *lists;
    double memory, twice;

    for (size_t i = 0; i < lists->count; i++)
        scaled.sizes[i] *= 4;
    REQUIRE(rate_of(&scaled) == 4 * rate_of(lists));
    REQUIRE(balance_of(&scaled) == 4 * balance_of(lists));
    REQUIRE(time_of(&scaled, 4 * 500.0) == 4 * time_of(lists, 500));
    double rate = rate_of(lists) + 1;
    REQUIRE(models_memory(lists->sizes[0], 10, rate, &memory, NULL, 0) == FGPU_OK);
    REQUIRE(models_memory(lists->sizes[0] * 2, 10, rate, &twice, NULL, 0) == FGPU_OK);
    REQUIRE(twice == 2 * memory);
    REQUIRE(models_memory(lists->sizes[0], 10, rate * 2, &twice, NULL, 0) == FGPU_OK);
    REQUIRE(2 * twice == memory);
}

static void check_permutation(const struct lists *lists, struct rng *rng)
{
    struct lists other = *lists;
    double keep = lists->sizes[0];

    shuffle(rng, &other);
    REQUIRE(is_near(lists, rate_of(&other), rate_of(lists)));
    REQUIRE(is_near(lists, balance_of(&other), balance_of(lists)));
    REQUIRE(is_near(lists, time_of(&other, 500), time_of(lists, 500)));
    /* The capacity stays that of the first. */
    struct lists first = other;
    for (size_t i = 0; i < other.count; i++)
        if (first.sizes[i] == keep) {
            first.sizes[i] = first.sizes[0];
            first.sizes[0] = keep;
            break;
        }
    REQUIRE(is_near(lists, ratio_of(&first), ratio_of(lists)));
}

static void check_bounds(const struct lists *lists)
{
    double least = INFINITY, most = 0, shares = 0;
    double slack = 4 * (double)(lists->count + 1) * DBL_EPSILON;

    for (size_t i = 0; i < lists->count; i++) {
        least = fmin(least, lists->sizes[i]);
        most = fmax(most, lists->sizes[i]);
        shares += lists->shares[i];
    }
    double rate = rate_of(lists);
    REQUIRE(rate >= least * shares * (1 - slack) && rate <= most * shares * (1 + slack));
    REQUIRE(time_of(lists, 500) <= 500 && time_of(lists, 500) <= rate);
    REQUIRE(time_of(lists, 500) == 500 || time_of(lists, 500) == rate);
    REQUIRE(time_of(lists, 0) == 0);
    REQUIRE(ratio_of(lists) * (3 + lists->sizes[0]) >= most * (1 - slack));
}

/* The first of the least scores; all scores are small whole numbers, so exact. */
static void check_first_least(const double *scores, size_t count, const struct models_pick *pick)
{
    REQUIRE(pick->index < count && pick->score == scores[pick->index]);
    for (size_t j = 0; j < count; j++)
        REQUIRE(j < pick->index ? scores[j] > pick->score : scores[j] >= pick->score);
}

static void check_picks(const struct lists *lists)
{
    struct models_costs costs = {list(lists, lists->steps), list(lists, lists->others),
                                 list(lists, lists->steps)};
    struct models_pick pick;
    double scores[MOST];

    for (size_t j = 0; j < lists->count; j++)
        scores[j] = lists->steps[j] - lists->others[j] * lists->steps[j];
    REQUIRE(models_allocate(&costs, &pick, NULL, 0) == FGPU_OK);
    check_first_least(scores, lists->count, &pick);
    for (size_t j = 0; j < lists->count; j++)
        scores[j] = 3 + lists->steps[j] - lists->others[j];
    REQUIRE(models_schedule(3, costs.priorities, costs.quantities, &pick, NULL, 0) == FGPU_OK);
    check_first_least(scores, lists->count, &pick);
    size_t kept = pick.index;
    REQUIRE(models_schedule(9, costs.priorities, costs.quantities, &pick, NULL, 0) == FGPU_OK);
    REQUIRE(pick.index == kept); /* T_i never changes the pick */
    for (size_t j = 0; j < lists->count; j++)
        scores[j] = 3 - lists->steps[j];
    REQUIRE(models_distribute(3, costs.priorities, &pick, NULL, 0) == FGPU_OK);
    check_first_least(scores, lists->count, &pick);
}

static void test_properties(void **state)
{
    uint64_t first = seed_get(1), count = seed_count(SEEDS);
    struct lists lists;
    struct rng rng;

    (void)state;
    for (seed = first; seed < first + count; seed++) {
        rng_init(&rng, seed);
        make_lists(&rng, &lists);
        check_scaling(&lists);
        check_permutation(&lists, &rng);
        check_bounds(&lists);
        check_picks(&lists);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_properties),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
