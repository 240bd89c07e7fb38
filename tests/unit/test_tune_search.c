/* The search of `fastgpu optimize`, against made-up workloads whose times are a function of the
 * point and a seeded noise: what it finds, what it must not take, that it ends, and that the same
 * answers give the same questions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "cli/optimize/tune_search.h"

#define DIMS 5
#define TOLD_LIMIT 20000

static const uint32_t counts[DIMS] = {7, 6, 3, 4, 2};

/* The best value of each dimension of a made-up workload, and how much each step away costs. */
struct made_up {
    uint8_t best[DIMS];
    double noise; /* times are multiplied by 1 .. 1 + noise */
    uint64_t seed;
    uint32_t refused_dim; /* DIMS: nothing is refused */
    uint8_t refused_value;
};

static double noise_of(struct made_up *made)
{
    made->seed = made->seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return made->noise * (double)(made->seed >> 40) / 16777216.0;
}

static double time_of(struct made_up *made, const struct tune_point *point)
{
    double time = 100.0;

    for (uint32_t i = 0; i < DIMS; i++) {
        int steps = (int)point->at[i] - (int)made->best[i];
        time *= 1.0 + 0.1 * (steps < 0 ? -steps : steps);
    }
    return time * (1.0 + noise_of(made));
}

/* Runs a search to its end. Returns how often it asked. */
static uint32_t run(struct made_up *made, uint64_t seed, struct tune_search *search)
{
    struct tune_point point;
    uint32_t asked = 0;

    tune_search_init(search, counts, DIMS, seed);
    while (tune_search_next(search, &point)) {
        for (uint32_t i = 0; i < DIMS; i++)
            assert_true(point.at[i] < counts[i]);
        if (made->refused_dim < DIMS && point.at[made->refused_dim] == made->refused_value)
            tune_search_refuse(search);
        else
            tune_search_tell(search, time_of(made, &point));
        assert_true(++asked < TOLD_LIMIT);
    }
    assert_false(tune_search_next(search, &point)); /* the end is the end */
    return asked;
}

static void test_finds(void **state)
{
    struct made_up made = {.best = {4, 0, 2, 3, 1}, .refused_dim = DIMS};
    struct tune_search search;

    (void)state;
    (void)run(&made, 1, &search);
    assert_memory_equal(search.best.at, made.best, DIMS);
    assert_true(search.change_count >= 1);
}

/* Noise of 5 % against steps of 10 %: found all the same, from many seeds. */
static void test_finds_in_noise(void **state)
{
    uint32_t found = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct made_up made = {
            .best = {4, 1, 2, 3, 1}, .noise = 0.05, .seed = seed, .refused_dim = DIMS};
        struct tune_search search;
        (void)run(&made, seed, &search);
        found += memcmp(search.best.at, made.best, DIMS) == 0;
    }
    assert_true(found >= 48);
}

/* Where nothing is better, the point as it stands stays, however noisy: at most now and then by
 * chance, and then the comparison at the end refuses it (test_faster_not_by_chance). */
static void test_stays(void **state)
{
    uint32_t moved = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct made_up made = {.noise = 0.02, .seed = seed, .refused_dim = DIMS};
        struct tune_search search;
        (void)run(&made, seed, &search);
        moved += search.change_count > 0;
    }
    assert_int_equal(moved, 0);
}

static void test_refused_is_not_taken(void **state)
{
    struct made_up made = {.best = {4, 0, 2, 3, 1}, .refused_dim = 0, .refused_value = 4};
    struct tune_search search;

    (void)state;
    (void)run(&made, 1, &search);
    assert_int_equal(search.best.at[0] == 3 || search.best.at[0] == 5, 1); /* beside it */
    for (uint32_t i = 1; i < DIMS; i++)
        assert_int_equal(search.best.at[i], made.best[i]);
}

/* Everything but the first point is refused: it ends, with the first. */
static void test_all_refused(void **state)
{
    struct tune_search search;
    struct tune_point point, none = {{0}};
    uint32_t asked = 0;

    (void)state;
    tune_search_init(&search, counts, DIMS, 3);
    while (tune_search_next(&search, &point)) {
        if (memcmp(&point, &none, sizeof none) == 0)
            tune_search_tell(&search, 1.0);
        else
            tune_search_refuse(&search);
        assert_true(++asked < 1000);
    }
    assert_memory_equal(&search.best, &none, sizeof none);
}

static void test_base_refused_ends(void **state)
{
    struct tune_search search;
    struct tune_point point;

    (void)state;
    tune_search_init(&search, counts, DIMS, 3);
    assert_true(tune_search_next(&search, &point));
    tune_search_refuse(&search);
    assert_false(tune_search_next(&search, &point));
}

/* No dimension, or none with a choice. */
static void test_nothing_to_choose(void **state)
{
    static const uint32_t ones[3] = {1, 1, 1};
    struct tune_search search;
    struct tune_point point;

    (void)state;
    tune_search_init(&search, ones, 0, 1);
    assert_false(tune_search_next(&search, &point));
    tune_search_init(&search, ones, 3, 1);
    assert_false(tune_search_next(&search, &point));
}

static void test_same_answers_same_questions(void **state)
{
    struct made_up one = {.best = {1, 2, 0, 1, 0}, .noise = 0.3, .seed = 5, .refused_dim = DIMS};
    struct made_up other = one;
    struct tune_search first, second;

    (void)state;
    assert_int_equal(run(&one, 9, &first), run(&other, 9, &second));
    assert_memory_equal(&first.best, &second.best, sizeof first.best);
    assert_int_equal(first.told_count, second.told_count);
}

/* A contest measures everybody equally often until somebody is out: the best point so far is never
 * compared with times from another part of the day. */
static void test_in_turn(void **state)
{
    struct tune_search search;
    struct tune_point point;

    (void)state;
    tune_search_init(&search, counts, 1, 1); /* seven values: seven in the contest */
    for (uint32_t turn = 0; turn < TUNE_STAGE_SAMPLES; turn++)
        for (uint32_t i = 0; i < counts[0]; i++) {
            assert_true(tune_search_next(&search, &point));
            assert_int_equal(point.at[0], i);
            tune_search_tell(&search, 1.0 + i);
        }
    assert_true(tune_search_next(&search, &point)); /* the faster half of six goes on */
    assert_int_equal(point.at[0], 0);
    tune_search_tell(&search, 1.0);
    for (uint32_t i = 1; i <= 3; i++) {
        assert_true(tune_search_next(&search, &point));
        assert_int_equal(point.at[0], i);
        tune_search_tell(&search, 1.0 + i);
    }
}

/* ---- before and after */

static void test_faster(void **state)
{
    double before[9], after[9], low, high;

    (void)state;
    for (uint32_t i = 0; i < 9; i++) {
        before[i] = 10.0 + i % 3;
        after[i] = before[i] / 1.25;
    }
    assert_true(tune_is_faster(before, after, 9, &low, &high));
    assert_true(low > 1.249 && low < 1.251 && high > 1.249 && high < 1.251);
    assert_false(tune_is_faster(after, before, 9, NULL, NULL));
    assert_false(tune_is_faster(before, before, 9, NULL, NULL));
    assert_false(tune_is_faster(before, after, 5, NULL, NULL)); /* five prove nothing: 1 in 32 */
    assert_true(tune_is_faster(before, after, 6, NULL, NULL));
    assert_false(tune_is_faster(before, after, 0, &low, &high));
}

/* Less than a percent is none, however sure. */
static void test_faster_by_too_little(void **state)
{
    double before[20], after[20];

    (void)state;
    for (uint32_t i = 0; i < 20; i++) {
        before[i] = 100.0;
        after[i] = 99.5;
    }
    assert_false(tune_is_faster(before, after, 20, NULL, NULL));
}

/* Two sides of the same noise: "faster" in at most 5 % of the trials, as it promises. */
static void test_faster_not_by_chance(void **state)
{
    struct made_up made = {.noise = 0.5, .seed = 7};
    uint32_t wrong = 0;

    (void)state;
    for (uint32_t trial = 0; trial < 1000; trial++) {
        double before[15], after[15];
        for (uint32_t i = 0; i < 15; i++) {
            before[i] = 1.0 + noise_of(&made);
            after[i] = 1.0 + noise_of(&made);
        }
        wrong += tune_is_faster(before, after, 15, NULL, NULL);
    }
    assert_true(wrong <= 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds),
        cmocka_unit_test(test_finds_in_noise),
        cmocka_unit_test(test_stays),
        cmocka_unit_test(test_refused_is_not_taken),
        cmocka_unit_test(test_all_refused),
        cmocka_unit_test(test_base_refused_ends),
        cmocka_unit_test(test_nothing_to_choose),
        cmocka_unit_test(test_same_answers_same_questions),
        cmocka_unit_test(test_in_turn),
        cmocka_unit_test(test_faster),
        cmocka_unit_test(test_faster_by_too_little),
        cmocka_unit_test(test_faster_not_by_chance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
