/* Futex waits: what they return, and that they end when they should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <unistd.h>
#include "base/atomic.h"
#include "base/clock.h"
#include "base/futex.h"

static void test_other_value_returns_at_once(void **unused)
{
    _Atomic uint32_t word = 1;
    (void)unused;
    assert_int_equal(futex_wait(&word, 0, -1), -EAGAIN);
    assert_int_equal(futex_wait_until(&word, 0, FUTEX_FOREVER), -EAGAIN);
    assert_int_equal(futex_wake(&word, 1), 0);
}

/* Not before the time; how long after is up to the machine. */
static void test_time_outs(void **unused)
{
    _Atomic uint32_t word = 1;
    uint64_t start = clock_now_ns();
    (void)unused;
    assert_int_equal(futex_wait(&word, 1, 5000000), -ETIMEDOUT);
    assert_true(clock_now_ns() - start >= 5000000);
    start = clock_now_ns();
    assert_int_equal(futex_wait_until(&word, 1, start + 5000000), -ETIMEDOUT);
    assert_true(clock_now_ns() - start >= 5000000);
    assert_int_equal(futex_wait_until(&word, 1, 0), -ETIMEDOUT);
    assert_int_equal(futex_wait(&word, 1, 0), -ETIMEDOUT);
}

struct sleepers {
    _Atomic uint32_t word, awake;
};

static void *sleeper(void *arg)
{
    struct sleepers *s = arg;
    while (atomic_load_acquire_u32(&s->word) == 0)
        futex_wait(&s->word, 0, -1);
    atomic_add_acqrel_u32(&s->awake, 1);
    return NULL;
}

static void test_wake(void **unused)
{
    struct sleepers s = {0};
    pthread_t threads[3];
    int woken = 0;
    (void)unused;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sleeper, &s), 0);
    usleep(20000);
    assert_int_equal(atomic_load_acquire_u32(&s.awake), 0);
    atomic_store_release_u32(&s.word, 1);
    woken = futex_wake(&s.word, 1);
    assert_true(woken >= 0 && woken <= 1);
    woken += futex_wake(&s.word, UINT32_MAX);
    assert_true(woken <= 3);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load_acquire_u32(&s.awake), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_value_returns_at_once),
        cmocka_unit_test(test_time_outs),
        cmocka_unit_test(test_wake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
