/* The generators against an independent reference, and their distributions against theory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <math.h>
#include "base/rng.h"

/* Published first outputs of SplitMix64 for seed 1234567, used by many implementations as a test.
 */
static void test_splitmix64(void **unused)
{
    static const uint64_t want[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                    UINT64_C(9817491932198370423), UINT64_C(4593380528125082431),
                                    UINT64_C(16408922859458223821)};
    uint64_t state = 1234567;
    (void)unused;
    for (int i = 0; i < 5; i++)
        assert_true(rng_splitmix64(&state) == want[i]);
}

/* First outputs of xoshiro256** from the state {1, 2, 3, 4}, as published with other libraries. */
static void test_xoshiro256(void **unused)
{
    static const uint64_t want[] = {UINT64_C(11520),
                                    UINT64_C(0),
                                    UINT64_C(1509978240),
                                    UINT64_C(1215971899390074240),
                                    UINT64_C(1216172134540287360),
                                    UINT64_C(607988272756665600),
                                    UINT64_C(16172922978634559625),
                                    UINT64_C(8476171486693032832),
                                    UINT64_C(10595114339597558777),
                                    UINT64_C(2904607092377533576)};
    struct rng rng = {{1, 2, 3, 4}};
    (void)unused;
    for (int i = 0; i < 10; i++)
        assert_true(rng_u64(&rng) == want[i]);
}

static void test_seeds_differ_and_repeat(void **unused)
{
    struct rng a, b, c;
    int equal = 0;
    (void)unused;
    rng_init(&a, 0);
    rng_init(&b, 0);
    rng_init(&c, 1);
    for (int i = 0; i < 100; i++) {
        uint64_t x = rng_u64(&a);
        assert_true(x == rng_u64(&b));
        equal += x == rng_u64(&c);
    }
    assert_int_equal(equal, 0);
}

/* chi^2 with 9 degrees of freedom exceeds 33.7 with probability 1e-4; the seed is fixed. */
static void test_below_is_uniform(void **unused)
{
    struct rng rng;
    double counts[10] = {0}, chi2 = 0;
    (void)unused;
    rng_init(&rng, 42);
    for (int i = 0; i < 100000; i++)
        counts[rng_below(&rng, 10)]++;
    for (int i = 0; i < 10; i++)
        chi2 += (counts[i] - 10000) * (counts[i] - 10000) / 10000;
    assert_true(chi2 < 33.7);
    for (int i = 0; i < 100; i++)
        assert_int_equal(rng_below(&rng, 1), 0);
}

/* With n = 3 * 2^62 a product without rejection is x * 3 / 4, which gives every third number twice:
 * 1/2 instead of 1/3 of the draws. A share of 30000 draws has a deviation of 0.0027; 6 allowed. */
static void test_below_has_no_bias(void **unused)
{
    struct rng rng;
    uint64_t n = UINT64_C(3) << 62;
    int rest[3] = {0}, part[3] = {0};
    (void)unused;
    rng_init(&rng, 7);
    for (int i = 0; i < 30000; i++) {
        uint64_t x = rng_below(&rng, n);
        assert_true(x < n);
        rest[x % 3]++;
        part[x >> 62]++;
    }
    for (int i = 0; i < 3; i++) {
        assert_true(fabs(rest[i] / 30000.0 - 1.0 / 3) < 6 * 0.0027);
        assert_true(fabs(part[i] / 30000.0 - 1.0 / 3) < 6 * 0.0027);
    }
}

/* Means of 200000 draws; tolerances are five standard errors: sqrt(1/12/n), 1/sqrt(n), sqrt(2/n),
 * and for the fourth moment sqrt(96/n). */
static void test_unit_and_normal(void **unused)
{
    enum { N = 200000 };
    struct rng rng;
    double unit = 0, mean = 0, square = 0, fourth = 0;
    (void)unused;
    rng_init(&rng, 3);
    for (int i = 0; i < N; i++) {
        double u = rng_unit(&rng), x = rng_normal(&rng);
        assert_true(u >= 0 && u < 1);
        unit += u / N;
        mean += x / N;
        square += x * x / N;
        fourth += x * x * x * x / N;
    }
    assert_true(fabs(unit - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(fabs(mean) < 5 * sqrt(1.0 / N));
    assert_true(fabs(square - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(fourth - 3) < 5 * sqrt(96.0 / N));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_splitmix64),
        cmocka_unit_test(test_xoshiro256),
        cmocka_unit_test(test_seeds_differ_and_repeat),
        cmocka_unit_test(test_below_is_uniform),
        cmocka_unit_test(test_below_has_no_bias),
        cmocka_unit_test(test_unit_and_normal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
