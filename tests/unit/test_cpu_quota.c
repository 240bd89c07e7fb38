/* What control groups grant: the parsers on their own, and whole trees of files as version 1,
 * version 2, both at once, and containers show them. The numbers are what the kernel's documents
 * say they mean.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "dev/cpu/cpu_facts.h"
#include "dev/cpu/cpu_quota.h"

static void test_cpus(void **state)
{
    (void)state;
    assert_int_equal(cpu_quota_cpus(200000, 100000), 2);
    assert_int_equal(cpu_quota_cpus(200001, 100000), 3);
    assert_int_equal(cpu_quota_cpus(1, 100000), 1);
    assert_int_equal(cpu_quota_cpus(-1, 100000), 0); /* version 1: no limit */
    assert_int_equal(cpu_quota_cpus(100000, 0), 0);
    assert_int_equal(cpu_quota_cpus(INT64_MAX, 1), UINT32_MAX);
    assert_int_equal(cpu_quota_cpus(INT64_MAX, INT64_MAX), 1);
}

static void test_max(void **state)
{
    static const struct {
        const char *text;
        bool good;
        uint32_t cpus;
    } cases[] = {
        {"max 100000\n", true, 0},
        {"200000 100000\n", true, 2},
        {"150000 100000", true, 2},
        {"50000 100000\n", true, 1},
        {"max", false, 0},
        {"", false, 0},
        {"200000", false, 0},
        {"-1 100000", false, 0},
        {"100000 0", false, 0},
        {"200000 100000 x", false, 0},
        {"maximum 100000", false, 0},
        {"max 100000 7", false, 0},
        {"1e5 100000", false, 0},
        {"100000 -5", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t cpus = 99;
        if (cpu_quota_parse_max(cases[i].text, &cpus) != cases[i].good)
            fail_msg("'%s'", cases[i].text);
        if (cases[i].good)
            assert_int_equal(cpus, cases[i].cpus);
    }
}

static void test_group(void **state)
{
    static const char both[] = "12:cpuset:/a\n4:cpuacct,cpu:/docker/17\n1:name=systemd:/x\n"
                               "0::/user.slice/a:b\n";
    char path[32];

    (void)state;
    assert_true(cpu_quota_parse_group(both, true, path, sizeof path));
    assert_string_equal(path, "/docker/17");
    assert_true(cpu_quota_parse_group(both, false, path, sizeof path));
    assert_string_equal(path, "/user.slice/a:b"); /* names may have colons */
    assert_false(cpu_quota_parse_group(both, false, path, 8));
    assert_false(cpu_quota_parse_group("3:cpuset:/a\n2:cpuacct:/b\n", true, path, sizeof path));
    assert_false(cpu_quota_parse_group("4:cpu:/a\n", false, path, sizeof path));
    assert_false(cpu_quota_parse_group("10::/a\n", true, path, sizeof path));
    assert_false(cpu_quota_parse_group("0::\n", false, path, sizeof path));
    assert_false(cpu_quota_parse_group("0:", false, path, sizeof path));
    assert_false(cpu_quota_parse_group("garbage", true, path, sizeof path));
    assert_false(cpu_quota_parse_group("", true, path, sizeof path));
}

/* ---- trees ---------------------------------------------------------------------------------- */

static char folder[64];

static void put(const char *path, const char *text)
{
    char full[512];

    (void)snprintf(full, sizeof full, "%s/%s", folder, path);
    for (char *slash = strchr(full + strlen(folder) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    (void)fprintf(file, "%s\n", text);
    (void)fclose(file);
}

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/fastgpu-quota-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int drop_folder(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void test_nothing_there(void **state)
{
    (void)state;
    assert_int_equal(cpu_quota_read(folder), 0);
    put("proc/self/cgroup", "0::/a/b");
    assert_int_equal(cpu_quota_read(folder), 0);
}

/* The tightest group between the process's and the top counts. */
static void test_version_2(void **state)
{
    (void)state;
    put("proc/self/cgroup", "0::/a/b");
    put("sys/fs/cgroup/a/b/cpu.max", "max 100000");
    assert_int_equal(cpu_quota_read(folder), 0);
    put("sys/fs/cgroup/a/cpu.max", "350000 100000");
    assert_int_equal(cpu_quota_read(folder), 4);
    put("sys/fs/cgroup/a/b/cpu.max", "500000 100000");
    assert_int_equal(cpu_quota_read(folder), 4);
    put("sys/fs/cgroup/a/b/cpu.max", "30000 10000");
    assert_int_equal(cpu_quota_read(folder), 3);
    put("sys/fs/cgroup/a/b/cpu.max", "nonsense");
    assert_int_equal(cpu_quota_read(folder), 4);
}

/* The container sees its own group as the top, and its path as the machine calls it. */
static void test_container(void **state)
{
    (void)state;
    put("proc/self/cgroup", "0::/docker/17");
    put("sys/fs/cgroup/cpu.max", "200000 100000");
    assert_int_equal(cpu_quota_read(folder), 2);
    put("proc/self/cgroup", "0::/");
    assert_int_equal(cpu_quota_read(folder), 2);
}

static void test_version_1(void **state)
{
    (void)state;
    put("proc/self/cgroup", "3:cpuset:/\n2:cpu,cpuacct:/batch\n0::/");
    put("sys/fs/cgroup/cpu,cpuacct/batch/cpu.cfs_quota_us", "-1");
    put("sys/fs/cgroup/cpu,cpuacct/batch/cpu.cfs_period_us", "100000");
    assert_int_equal(cpu_quota_read(folder), 0);
    put("sys/fs/cgroup/cpu,cpuacct/batch/cpu.cfs_quota_us", "120000");
    assert_int_equal(cpu_quota_read(folder), 2);
    put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000");
    put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000");
    assert_int_equal(cpu_quota_read(folder), 1);
}

/* The device starts that many workers, and binds none of them. */
static void test_facts(void **state)
{
    struct cpu_facts free_facts, facts;

    (void)state;
    cpu_facts_read_from(&free_facts, folder);
    put("proc/self/cgroup", "0::/");
    put("sys/fs/cgroup/cpu.max", "10000 100000");
    cpu_facts_read_from(&facts, folder);
    assert_int_equal(facts.core_count, 1);
    assert_true(facts.confined || free_facts.core_count == 1);
    put("sys/fs/cgroup/cpu.max", "100000000 1000");
    cpu_facts_read_from(&facts, folder);
    assert_int_equal(facts.core_count, free_facts.core_count);
    assert_int_equal(facts.confined, free_facts.confined);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpus),
        cmocka_unit_test(test_max),
        cmocka_unit_test(test_group),
        cmocka_unit_test_setup_teardown(test_nothing_there, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_version_2, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_container, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_version_1, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_facts, make_folder, drop_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
