/* The robust mean against a plain sort, on all inputs of zeros and ones (which decide for a
 * selection network: D. Knuth, The Art of Computer Programming 3, 5.3.4, theorem Z) and on random
 * ones.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/rng.h"
#include "lib/seed.h"
#include "model/recent.h"

static int by_value(const void *a, const void *b)
{
    const float *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double naive(const float *last, int count)
{
    float sorted[RECENT_SAMPLES];
    double sum = 0;
    for (int i = 0; i < count; i++)
        sorted[i] = last[i];
    qsort(sorted, (size_t)count, sizeof sorted[0], by_value);
    if (count == 0)
        return 0;
    if (count < 5)
        return (double)sorted[(count - 1) / 2];
    for (int i = 2; i < count - 2; i++)
        sum += (double)sorted[i];
    return sum / (count - 4);
}

static void test_all_zeros_and_ones(void **state)
{
    (void)state;
    for (int count = 0; count <= RECENT_SAMPLES; count++) {
        for (int bits = 0; bits < 1 << count; bits++) {
            struct recent recent = {0};
            float last[RECENT_SAMPLES];
            for (int i = 0; i < count; i++) {
                last[i] = (float)((bits >> i) & 1);
                recent_add(&recent, last[i]);
            }
            assert_true(fabs((double)recent_estimate(&recent) - naive(last, count)) < 1e-6);
        }
    }
}

static void test_random_streams(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, seed_get(1));
    for (int stream = 0; stream < 200; stream++) {
        struct recent recent = {0};
        float all[100];
        for (int n = 1; n <= 100; n++) {
            int count = n < RECENT_SAMPLES ? n : RECENT_SAMPLES;
            all[n - 1] = (float)exp(10 * rng_unit(&rng));
            double got = (double)recent_add(&recent, all[n - 1]);
            double expected = naive(all + n - count, count);
            assert_true(fabs(got / expected - 1.0) < 1e-5);
            assert_true((double)recent_estimate(&recent) == got);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_zeros_and_ones),
        cmocka_unit_test(test_random_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
