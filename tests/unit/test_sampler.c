/* The sampler: a thread that spins is seen with the CPU time that it says to have had, two samples
 * are always there, and very many are thinned out.
 *
 * The process has other threads (the pool's, the sampler's), so what is seen may be more than the
 * spinning thread's own time; it is never less. No figure depends on how fast the machine is or how
 * much of it others take.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "cli/common/figures.h"
#include "cli/common/sampler.h"

static uint64_t thread_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Spins until this thread has had so much more CPU time. */
static void spin(uint64_t ns)
{
    for (uint64_t begin = thread_ns(); thread_ns() - begin < ns;) {
    }
}

static fgpu_pool open_pool(void)
{
    fgpu_pool pool;

    if (fgpu_pool_open_text("devices=null; cache=", &pool) != FGPU_OK)
        fail_msg("%s", fgpu_last_error());
    return pool;
}

static void check_order(const struct sample *samples, uint32_t count)
{
    assert_true(count >= 2);
    for (uint32_t i = 1; i < count; i++) {
        assert_true(samples[i].time_ns >= samples[i - 1].time_ns);
        assert_true(samples[i].cpu_ns >= samples[i - 1].cpu_ns);
        assert_true(samples[i].tasks_done >= samples[i - 1].tasks_done);
    }
}

static void test_spinning(void **state)
{
    fgpu_pool pool = open_pool();
    struct sampler *sampler;
    struct sample *samples;
    uint32_t count;

    (void)state;
    uint64_t before_ns = figures_cpu_ns();
    assert_int_equal(sampler_start(pool, 1000000, &sampler), FGPU_OK);
    uint64_t begin_ns = thread_ns();
    spin(60000000);
    uint64_t spun_ns = thread_ns() - begin_ns;
    assert_int_equal(sampler_stop(sampler, &samples, &count), FGPU_OK);
    uint64_t after_ns = figures_cpu_ns();
    check_order(samples, count);
    uint64_t seen_ns = samples[count - 1].cpu_ns - samples[0].cpu_ns;
    assert_true(seen_ns >= spun_ns);
    assert_true(seen_ns <= after_ns - before_ns);
    /* The share is that of the time between the first sample and the last. */
    uint64_t wall_ns = samples[count - 1].time_ns - samples[0].time_ns;
    double share = sampler_share(samples, count, 4, 0, UINT64_MAX);
    double wanted = (double)seen_ns / (double)wall_ns / 4;
    assert_true(share >= wanted * (1 - 1e-12) && share <= wanted * (1 + 1e-12));
    free(samples);
    assert_int_equal(fgpu_pool_close(pool), FGPU_OK);
}

static void test_two_at_least(void **state)
{
    fgpu_pool pool = open_pool();
    struct sampler *sampler;
    struct sample *samples;
    uint32_t count;

    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(sampler_start(pool, UINT64_C(3600000000000), &sampler), FGPU_OK);
        assert_int_equal(sampler_stop(sampler, &samples, &count), FGPU_OK);
        assert_int_equal(count, 2);
        check_order(samples, count);
        free(samples);
    }
    assert_int_equal(sampler_stop(NULL, &samples, &count), FGPU_E_INVAL);
    assert_null(samples);
    assert_int_equal(fgpu_pool_close(pool), FGPU_OK);
}

/* However long it goes on, there is room, and the first sample stays. (That the period doubles
 * cannot be told from a machine that had no time.) */
static void test_thinning(void **state)
{
    const uint64_t least_ns = SAMPLER_SAMPLES_LIMIT * (uint64_t)SAMPLER_PERIOD_LEAST_NS;
    const struct timespec pause = {.tv_nsec = 10000000};
    fgpu_pool pool = open_pool();
    struct sampler *sampler;
    struct sample *samples;
    uint32_t count;

    (void)state;
    uint64_t before_ns = figures_wall_ns();
    assert_int_equal(sampler_start(pool, 1, &sampler), FGPU_OK);
    uint64_t started_ns = figures_wall_ns();
    while (figures_wall_ns() - started_ns < least_ns * 7 / 5)
        (void)nanosleep(&pause, NULL);
    assert_int_equal(sampler_stop(sampler, &samples, &count), FGPU_OK);
    uint64_t after_ns = figures_wall_ns();
    check_order(samples, count);
    assert_true(count <= SAMPLER_SAMPLES_LIMIT);
    assert_true(samples[0].time_ns >= before_ns && samples[0].time_ns <= started_ns);
    uint64_t seen_ns = samples[count - 1].time_ns - samples[0].time_ns;
    assert_true(seen_ns >= least_ns * 7 / 5);
    assert_true(samples[count - 1].time_ns <= after_ns);
    free(samples);
    assert_int_equal(fgpu_pool_close(pool), FGPU_OK);
}

static void test_share(void **state)
{
    static const struct sample samples[] = {
        {1000, 500, 0}, {2000, 2500, 0}, {2000, 2500, 0}, {3000, 2500, 0}, {4000, 3500, 0}};

    (void)state;
    assert_true(sampler_share(samples, 5, 2, 1000, 2000) == 1.0);
    assert_true(sampler_share(samples, 5, 2, 1500, 2500) == 0.5); /* straight lines */
    assert_true(sampler_share(samples, 5, 2, 2000, 3000) == 0.0);
    assert_true(sampler_share(samples, 5, 2, 3500, 4000) == 0.5);
    assert_true(sampler_share(samples, 5, 1, 0, 9000) == 1.0); /* no more than all */
    assert_true(sampler_share(samples, 5, 4, 0, 9000) == 0.25);
    assert_true(sampler_share(samples, 5, 2, 4000, 9000) == 0.0);
    assert_true(sampler_share(samples, 5, 2, 3000, 1000) == 0.0);
    assert_true(sampler_share(samples, 1, 2, 0, 9000) == 0.0);
    assert_true(sampler_share(samples, 5, 0, 0, 9000) == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spinning),
        cmocka_unit_test(test_two_at_least),
        cmocka_unit_test(test_thinning),
        cmocka_unit_test(test_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
