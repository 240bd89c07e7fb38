/* How busy the processors are, from tables of the test's own; expected shares are counted by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "dev/host/busy.h"

static char path[] = "/tmp/fastgpu-busy-XXXXXX";

static void write_table(const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct host_busy host;

/* Processors 1 and 3 are ours. */
static void begin(const char *text)
{
    write_table(text);
    host_busy_init(&host, path);
    CPU_ZERO(&host.cpus);
    CPU_SET(1, &host.cpus);
    CPU_SET(3, &host.cpus);
    host.busy = host.idle = 0;
}

static void expect_share(const char *text, double wanted)
{
    double share = -1;

    write_table(text);
    assert_true(host_busy_share(&host, &share));
    if (share < wanted - 1e-9 || share > wanted + 1e-9)
        fail_msg("%f instead of %f", share, wanted);
}

static void expect_unknown(const char *text)
{
    double share;

    write_table(text);
    assert_false(host_busy_share(&host, &share));
}

static void test_share(void **state)
{
    (void)state;
    begin("cpu  9 9 9 9 9 9 9 9 9 9\n");
    expect_unknown("cpu0 0 0 0 0 0 0 0 0 0 0\ncpu1 1 0 0 0 0 0 0 0 0 0\n"); /* a first reading */
    /* All kinds of work count, waiting for a disk does not, guests are in the first number. */
    expect_share("cpu 900 0 0 0 0 0 0 0 0 0\ncpu0 800 0 0 0 0 0 0 0 0 0\n"
                 "cpu1 2 2 3 50 40 4 5 6 1 1\ncpu3 0 0 0 9 0 0 0 0 0 0\nintr 5 6 7\n",
                 21.0 / 120.0);
    /* The same again: nothing has passed, and the next share counts from there. */
    expect_unknown("cpu0 900 0 0 0 0 0 0 0 0 0\ncpu1 2 2 3 50 40 4 5 6 1 1\n"
                   "cpu3 0 0 0 9 0 0 0 0 0 0\n");
    expect_share("cpu1 2 2 3 50 40 4 5 6 1 1\ncpu3 5 0 0 14 0 0 0 0 0 0\n", 0.5);
    /* An old kernel's four numbers; waiting that is counted back. */
    expect_share("cpu1 40 0 0 50\ncpu3 5 0 0 14\n", 1.0);
}

static void test_unknown(void **state)
{
    (void)state;
    begin("");
    expect_unknown("");
    expect_unknown("garbage\n");
    expect_unknown("cpu0 1 2 3 4 5 6 7 8\n"); /* not ours */
    expect_unknown("cpu1 1 2 3\ncpux 1 2 3 4\ncpu4294967295 1 2 3 4\n");
    double share;
    host_busy_init(&host, "/nonexistent/stat");
    assert_false(host_busy_share(&host, &share));
}

static int make_file(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd >= 0 ? close(fd) : 1;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_unknown),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
