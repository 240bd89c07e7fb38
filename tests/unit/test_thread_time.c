/* Whose CPU time it is: owners by name, a thread that spins under each kind of name, and the main
 * thread, which is the pool's.
 *
 * What is attributed to an owner is compared with the CPU clocks of the threads themselves, from
 * inside (at least) and from outside (at most) of the readings, so that nothing depends on how fast
 * the machine is or how much of it others take.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>
#include <pthread.h>

#include "cli/common/figures.h"
#include "cli/common/thread_time.h"

#define SPIN_NS 40000000u

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

/* A thread that spins between two meetings and lives on until a third one. */
struct spinner {
    const char *name;
    pthread_barrier_t meeting; /* of two: it and the main thread */
    uint64_t spun_ns, most_ns; /* between the first two meetings: at least, at most */
};

static void *spinner_main(void *arg)
{
    struct spinner *spinner = arg;

    (void)pthread_setname_np(pthread_self(), spinner->name);
    uint64_t outer_ns = thread_ns();
    (void)pthread_barrier_wait(&spinner->meeting); /* named */
    (void)pthread_barrier_wait(&spinner->meeting); /* read before */
    uint64_t inner_ns = thread_ns();
    spin(SPIN_NS);
    spinner->spun_ns = thread_ns() - inner_ns;
    (void)pthread_barrier_wait(&spinner->meeting); /* spun */
    (void)pthread_barrier_wait(&spinner->meeting); /* read after */
    spinner->most_ns = thread_ns() - outer_ns;
    return NULL;
}

struct readings {
    struct thread_times before, after;
    uint64_t main_ns, process_ns; /* CPU time around both readings */
};

static void read_around(struct spinner *spinner, const char *name, struct readings *readings)
{
    pthread_t thread;

    spinner->name = name;
    assert_int_equal(pthread_barrier_init(&spinner->meeting, NULL, 2), 0);
    uint64_t main_ns = thread_ns(), process_ns = figures_cpu_ns();
    assert_int_equal(pthread_create(&thread, NULL, spinner_main, spinner), 0);
    (void)pthread_barrier_wait(&spinner->meeting);
    thread_times_read(&readings->before);
    (void)pthread_barrier_wait(&spinner->meeting);
    (void)pthread_barrier_wait(&spinner->meeting);
    thread_times_read(&readings->after);
    (void)pthread_barrier_wait(&spinner->meeting);
    assert_int_equal(pthread_join(thread, NULL), 0);
    readings->main_ns = thread_ns() - main_ns;
    readings->process_ns = figures_cpu_ns() - process_ns;
    (void)pthread_barrier_destroy(&spinner->meeting);
    assert_true(readings->before.is_known && readings->after.is_known);
    assert_true(spinner->spun_ns >= SPIN_NS);
}

static uint64_t between(const struct readings *readings, enum thread_owner owner)
{
    return thread_times_between(&readings->before, &readings->after, owner);
}

static void test_owners(void **state)
{
    (void)state;
    assert_int_equal(thread_owner_of("fgpu-cpu-0", false), THREAD_CPU_DEVICE);
    assert_int_equal(thread_owner_of("fgpu-cpu-63\n", false), THREAD_CPU_DEVICE);
    assert_int_equal(thread_owner_of("fgpu-cpu-0", true), THREAD_CPU_DEVICE); /* by name first */
    assert_int_equal(thread_owner_of("fgpu-engine", false), THREAD_POOL);
    assert_int_equal(thread_owner_of("fgpu-cpu", false), THREAD_POOL); /* no worker: no number */
    assert_int_equal(thread_owner_of("fastgpu", true), THREAD_POOL);
    assert_int_equal(thread_owner_of("", true), THREAD_POOL);
    assert_int_equal(thread_owner_of("fastgpu", false), THREAD_LIBRARY);
    assert_int_equal(thread_owner_of("pocl-worker\n", false), THREAD_LIBRARY);
    assert_int_equal(thread_owner_of("my-fgpu-cpu-0", false), THREAD_LIBRARY);
    assert_int_equal(thread_owner_of("FGPU-cpu-0", false), THREAD_LIBRARY);
    assert_int_equal(thread_owner_of("", false), THREAD_LIBRARY);
}

static void test_between(void **state)
{
    static const struct thread_times before = {true, {5, 100, 7}}, after = {true, {5, 60, 30}};

    (void)state;
    assert_int_equal(thread_times_between(&before, &after, THREAD_CPU_DEVICE), 0);
    assert_int_equal(thread_times_between(&before, &after, THREAD_POOL), 0); /* one has ended */
    assert_int_equal(thread_times_between(&before, &after, THREAD_LIBRARY), 23);
}

static void test_cpu_device(void **state)
{
    struct spinner spinner;
    struct readings readings;

    (void)state;
    read_around(&spinner, "fgpu-cpu-7", &readings);
    uint64_t seen_ns = between(&readings, THREAD_CPU_DEVICE);
    assert_true(seen_ns >= spinner.spun_ns && seen_ns <= spinner.most_ns);
    assert_true(between(&readings, THREAD_POOL) <= readings.main_ns);
}

static void test_pool(void **state)
{
    struct spinner spinner;
    struct readings readings;

    (void)state;
    read_around(&spinner, "fgpu-engine", &readings);
    uint64_t seen_ns = between(&readings, THREAD_POOL);
    assert_true(seen_ns >= spinner.spun_ns && seen_ns <= spinner.most_ns + readings.main_ns);
    assert_int_equal(readings.after.cpu_ns[THREAD_CPU_DEVICE], 0);
}

/* A sanitizer may have a thread too, which counts as a library's. */
static void test_library(void **state)
{
    struct spinner spinner;
    struct readings readings;

    (void)state;
    read_around(&spinner, "somebody", &readings);
    uint64_t seen_ns = between(&readings, THREAD_LIBRARY);
    assert_true(seen_ns >= spinner.spun_ns && seen_ns <= readings.process_ns);
    assert_int_equal(readings.after.cpu_ns[THREAD_CPU_DEVICE], 0);
    assert_true(between(&readings, THREAD_POOL) <= readings.main_ns);
}

/* The main thread submits and waits: what it takes is the pool's, whatever it is called. */
static void test_main_thread(void **state)
{
    struct thread_times before, after;

    (void)state;
    uint64_t outer_ns = thread_ns();
    thread_times_read(&before);
    uint64_t inner_ns = thread_ns();
    spin(SPIN_NS);
    uint64_t spun_ns = thread_ns() - inner_ns;
    thread_times_read(&after);
    uint64_t most_ns = thread_ns() - outer_ns;
    assert_true(before.is_known && after.is_known);
    uint64_t seen_ns = thread_times_between(&before, &after, THREAD_POOL);
    assert_true(seen_ns >= spun_ns && seen_ns <= most_ns);
    assert_int_equal(after.cpu_ns[THREAD_CPU_DEVICE], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_owners),     cmocka_unit_test(test_between),
        cmocka_unit_test(test_cpu_device), cmocka_unit_test(test_pool),
        cmocka_unit_test(test_library),    cmocka_unit_test(test_main_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
