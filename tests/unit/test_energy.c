/* Energy from samples of power: integrals against closed forms, what is not covered, what is
 * learned.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/rng.h"
#include "lib/poor_alloc.h"
#include "lib/seed.h"
#include "model/energy.h"

#define MS UINT64_C(1000000)

static struct energy energy;
static struct poor_alloc poor;

static int start(void **state)
{
    (void)state;
    poor_alloc_init(&poor);
    energy_init(&energy, &poor.hooks);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    energy_fini(&energy);
    assert_int_equal(poor.live_count, 0);
    return 0;
}

static void assert_joule(uint64_t start_ns, uint64_t end_ns, double expected)
{
    double got = energy_span_joule(&energy, 3, start_ns, end_ns);
    if (fabs(got - expected) > 1e-9 * fabs(expected))
        fail_msg("%.12g J is not %.12g J", got, expected);
}

static void test_constant_and_rising_power(void **state)
{
    (void)state;
    /* 100 W for 200 ms, then 1 W more each ms for 100 ms. */
    for (uint64_t ms = 0; ms <= 200; ms += 50)
        energy_add_sample(&energy, 3, 1000 * MS + ms * MS, 100);
    energy_add_sample(&energy, 3, 1300 * MS, 200);
    assert_joule(1000 * MS, 1200 * MS, 20);
    assert_joule(1013 * MS, 1014 * MS, 0.1);
    assert_joule(1200 * MS, 1300 * MS, 15);
    assert_joule(1250 * MS, 1260 * MS, 1.55);
    assert_joule(1190 * MS, 1210 * MS, 1 + 1.05);
}

static void test_what_is_not_covered_is_unknown(void **state)
{
    (void)state;
    assert_joule(0, 1, ENERGY_UNKNOWN); /* no sample at all */
    energy_add_sample(&energy, 3, 100 * MS, 50);
    energy_add_sample(&energy, 3, 200 * MS, 50);
    assert_joule(99 * MS, 150 * MS, ENERGY_UNKNOWN);
    assert_joule(150 * MS, 201 * MS, ENERGY_UNKNOWN);
    assert_joule(150 * MS, 150 * MS, ENERGY_UNKNOWN);
    assert_joule(100 * MS, 200 * MS, 5);
    /* A long gap: nothing across it, everything on both sides. */
    energy_add_sample(&energy, 3, 200 * MS + ENERGY_GAP_NS + 1, 70);
    energy_add_sample(&energy, 3, 300 * MS + ENERGY_GAP_NS, 70);
    assert_joule(190 * MS, 210 * MS, ENERGY_UNKNOWN);
    assert_joule(200 * MS + ENERGY_GAP_NS, 250 * MS + ENERGY_GAP_NS, ENERGY_UNKNOWN);
    assert_joule(110 * MS, 190 * MS, 4);
    assert_joule(210 * MS + ENERGY_GAP_NS, 220 * MS + ENERGY_GAP_NS, 0.7);
    /* The oldest are forgotten. */
    for (uint64_t i = 1; i < ENERGY_SAMPLES; i++)
        energy_add_sample(&energy, 3, (301 + i) * MS + ENERGY_GAP_NS, 70);
    assert_joule(110 * MS, 190 * MS, ENERGY_UNKNOWN);
    assert_joule(305 * MS + ENERGY_GAP_NS, 315 * MS + ENERGY_GAP_NS, 0.7);
}

static void test_nonsense_is_ignored(void **state)
{
    (void)state;
    energy_add_sample(&energy, 3, 100 * MS, 50);
    energy_add_sample(&energy, 3, 100 * MS, 1e9);
    energy_add_sample(&energy, 3, 50 * MS, 1e9);
    energy_add_sample(&energy, 3, 150 * MS, NAN);
    energy_add_sample(&energy, 3, 150 * MS, HUGE_VAL);
    energy_add_sample(&energy, 3, 150 * MS, -1);
    energy_add_sample(&energy, 3, 200 * MS, 50);
    assert_joule(100 * MS, 200 * MS, 5);
    poor.left = 0;
    energy_add_sample(&energy, 4, 100 * MS, 50);
    assert_null(energy.devices[4]);
    energy_fini(NULL);
}

/* 20 W + 10 W x size / 1000 for as many microseconds as the size, samples each ms with 5 % of
 * noise; spikes of a run are dropped as in the history. */
static void test_runs_are_learned(void **state)
{
    struct rng rng;
    uint64_t now = 1000 * MS;
    enum history_trust trust;
    (void)state;
    rng_init(&rng, seed_get(1));
    assert_true(energy_predict(&energy, 1, 2, 1000, &trust) == ENERGY_UNKNOWN);
    assert_int_equal(trust, HISTORY_UNKNOWN);
    for (uint32_t i = 0; i < 40; i++) {
        uint64_t size = i % 2 == 0 ? 8000 : 32000, from = now + 1;
        double watt = (20 + (double)size / 100) * (i == 30 ? 1000 : 1);
        for (uint64_t ms = 0; ms <= size / 1000 + 1; ms++, now += MS)
            energy_add_sample(&energy, 3, now, watt * (1 + 0.05 * rng_normal(&rng)));
        struct energy_run run = {1, 2, size, 3, from, from + size * 1000, 0.5};
        assert_true(energy_learn(&energy, &run));
        run.end_ns = now + 10 * MS;
        assert_false(energy_learn(&energy, &run));
    }
    double small = 0.5 * 0.008 * 100, large = 0.5 * 0.032 * 340;
    assert_true(fabs(energy_predict(&energy, 1, 2, 8000, &trust) / small - 1) < 0.05);
    assert_int_equal(trust, HISTORY_MEASURED);
    assert_true(fabs(energy_predict(&energy, 1, 2, 32000, NULL) / large - 1) < 0.05);
    double between = energy_predict(&energy, 1, 2, 16000, &trust);
    assert_true(between > small && between < large);
    assert_int_equal(trust, HISTORY_FIT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_constant_and_rising_power),
        TEST(test_what_is_not_covered_is_unknown),
        TEST(test_nonsense_is_ignored),
        TEST(test_runs_are_learned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
