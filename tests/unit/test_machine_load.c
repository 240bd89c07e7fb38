/* What others take of the processors: from two readings, and the readings themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cli/evaluate/evaluate_machine.h"
#include "cli/common/figures.h"

static void test_of_two_readings(void **state)
{
    const struct machine_load before = {1000, 5000000000u, 2000000000u};
    struct machine_load after = before;

    (void)state;
    after.wall_ns += 1000000000u;
    after.busy_ns += 1500000000u; /* of two seconds of two processors, */
    after.own_ns += 1000000000u;  /* one of which is ours */
    assert_float_equal(machine_load_of_others(&before, &after, 2.0), 0.25, 1e-9);
    after.own_ns += 1000000000u; /* ticks are coarse: nothing is less than nothing */
    assert_float_equal(machine_load_of_others(&before, &after, 2.0), 0.0, 0.0);
    after.busy_ns += 9000000000u;
    assert_float_equal(machine_load_of_others(&before, &after, 2.0), 1.0, 0.0);
}

static void test_what_is_not_known(void **state)
{
    struct machine_load before = {1000, 5000000000u, 0}, after = before;

    (void)state;
    after.wall_ns += 50000000u; /* too short for the kernel's ticks */
    after.busy_ns += 50000000u;
    assert_true(machine_load_of_others(&before, &after, 1.0) < 0.0);
    after.wall_ns += 1000000000u;
    assert_true(machine_load_of_others(&before, &after, 1.0) >= 0.0);
    assert_true(machine_load_of_others(&before, &after, 0.0) < 0.0);
    before.busy_ns = 0;
    assert_true(machine_load_of_others(&before, &after, 1.0) < 0.0);
}

/* Who works for two tenths of a second is seen in both figures. */
static void test_of_this_machine(void **state)
{
    struct machine_load before, after;

    (void)state;
    machine_load_read(&before);
    if (before.busy_ns == 0)
        skip(); /* no /proc/stat */
    uint64_t end_ns = figures_cpu_ns() + 200000000u;
    while (figures_cpu_ns() < end_ns) {
    }
    machine_load_read(&after);
    assert_true(after.wall_ns > before.wall_ns);
    assert_true(after.own_ns - before.own_ns >= 200000000u);
    assert_true(after.busy_ns - before.busy_ns >= 100000000u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_two_readings),
        cmocka_unit_test(test_what_is_not_known),
        cmocka_unit_test(test_of_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
