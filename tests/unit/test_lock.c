/* The lock: exclusion, try, and that a waiter sleeps. */
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
#include "base/lock.h"

struct shared {
    struct lock lock;
    uint64_t counter; /* plain: the lock protects it */
    uint64_t waiter_cpu_ns;
};

static void test_states(void **unused)
{
    struct lock lock;
    (void)unused;
    lock_init(&lock);
    assert_false(lock_is_held(&lock));
    lock_acquire(&lock);
    assert_true(lock_is_held(&lock));
    assert_false(lock_try(&lock));
    lock_release(&lock);
    assert_true(lock_try(&lock));
    lock_release(&lock);
    assert_false(lock_is_held(&lock));
}

static void *count(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < 20000; i++) {
        lock_acquire(&shared->lock);
        shared->counter++;
        lock_release(&shared->lock);
    }
    return NULL;
}

static void test_excludes(void **unused)
{
    struct shared shared = {0};
    pthread_t threads[4];
    (void)unused;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, &shared), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(shared.counter, 80000);
}

static void *wait_for_lock(void *arg)
{
    struct shared *shared = arg;
    uint64_t cpu = clock_cpu_thread_ns();
    lock_acquire(&shared->lock);
    shared->waiter_cpu_ns = clock_cpu_thread_ns() - cpu;
    shared->counter++;
    lock_release(&shared->lock);
    return NULL;
}

static void test_waiter_sleeps(void **unused)
{
    struct shared shared = {0};
    pthread_t thread;
    (void)unused;
    lock_acquire(&shared.lock);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_lock, &shared), 0);
    usleep(60000);
    assert_int_equal(shared.counter, 0);
    lock_release(&shared.lock);
    pthread_join(thread, NULL);
    assert_int_equal(shared.counter, 1);
    assert_true(shared.waiter_cpu_ns < 30000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_excludes),
        cmocka_unit_test(test_waiter_sleeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
