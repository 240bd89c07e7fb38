/* The clocks against what they are read from, and against work that was done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <time.h>
#include "base/clock.h"

static uint64_t wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void test_now_is_monotonic_time(void **unused)
{
    (void)unused;
    for (int i = 0; i < 1000; i++) {
        uint64_t before = wall_ns(), now = clock_now_ns();
        assert_true(before <= now && now <= wall_ns());
    }
}

static void test_cpu_time_counts_work_and_not_sleep(void **unused)
{
    uint64_t process = clock_cpu_process_ns(), thread = clock_cpu_thread_ns();
    struct timespec nap = {.tv_nsec = 50000000};
    (void)unused;
    nanosleep(&nap, NULL);
    /* A sleep costs some microseconds of CPU; half of it would be a clock that counts wall time. */
    assert_true(clock_cpu_thread_ns() - thread < 25000000);
    while (clock_cpu_thread_ns() - thread < 30000000) {
    }
    assert_true(clock_cpu_process_ns() - process >= 30000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_now_is_monotonic_time),
        cmocka_unit_test(test_cpu_time_counts_work_and_not_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
