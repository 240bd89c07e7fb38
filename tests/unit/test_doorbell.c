/* The doorbell: counting, waking, times. Its protocol is explored in test_interleave.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/doorbell.h"
#include "base/limits.h"

static void test_count(void **unused)
{
    struct doorbell bell;
    (void)unused;
    doorbell_init(&bell);
    uint32_t seen = doorbell_read(&bell);
    assert_false(doorbell_wait(&bell, seen, 0, 0));
    doorbell_ring(&bell);
    assert_true(doorbell_read(&bell) != seen);
    assert_true(doorbell_wait(&bell, seen, 0, DOORBELL_FOREVER));
    assert_false(doorbell_wait(&bell, doorbell_read(&bell), 1000, 0));
}

static void test_count_wraps(void **unused)
{
    struct doorbell bell;
    (void)unused;
    atomic_store_relaxed_u32(&bell.word, UINT32_MAX - 1);
    uint32_t seen = doorbell_read(&bell);
    assert_false(doorbell_wait(&bell, seen, 0, clock_now_ns() + 1000));
    doorbell_ring(&bell);
    assert_true(doorbell_wait(&bell, seen, 0, DOORBELL_FOREVER));
    assert_int_equal(doorbell_read(&bell), 0);
}

static void test_deadline(void **unused)
{
    struct doorbell bell;
    (void)unused;
    doorbell_init(&bell);
    uint64_t start = clock_now_ns(), cpu = clock_cpu_thread_ns();
    assert_false(doorbell_wait(&bell, 0, UINT64_MAX, start + 30000000));
    assert_true(clock_now_ns() - start >= 30000000);
    /* It may spin for LIMITS_SPIN_NS and then sleeps: 30 ms of waiting, far less of computing. */
    assert_true(clock_cpu_thread_ns() - cpu < 15000000);
}

struct party {
    struct doorbell bell;
    _Atomic uint32_t awake;
};

static void *wait_one(void *arg)
{
    struct party *party = arg;
    assert_true(doorbell_wait(&party->bell, 0, 0, DOORBELL_FOREVER));
    atomic_add_acqrel_u32(&party->awake, 1);
    return NULL;
}

static void test_one_ring_wakes_all(void **unused)
{
    struct party party = {0};
    pthread_t threads[3];
    (void)unused;
    doorbell_init(&party.bell);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_one, &party), 0);
    usleep(20000);
    assert_int_equal(atomic_load_acquire_u32(&party.awake), 0);
    assert_int_equal(atomic_load_relaxed_u32(&party.bell.word), DOORBELL_SLEEPS);
    doorbell_ring(&party.bell);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load_acquire_u32(&party.awake), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_count_wraps),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_one_ring_wakes_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
