/* Energy counters of the kernel, in a folder made for it: what is added up, wraps, what cannot be
 * read and what is no number. Nothing is asked of this machine.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "dev/host/energy.h"

#define PACKAGE "class/powercap/intel-rapl:0"
#define DRAM PACKAGE "/intel-rapl:0:1"

static char folder[64];
static struct host_energy energy;

static int start(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/test_host_energy.XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int stop(void **state)
{
    char command[96];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void put(const char *path, const char *text)
{
    char full[256];

    (void)snprintf(full, sizeof full, "%s/%s", folder, path);
    for (char *at = strchr(full + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        (void)mkdir(full, 0700);
        *at = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    (void)fprintf(file, "%s", text);
    (void)fclose(file);
}

static void drop(const char *path)
{
    char full[256];

    (void)snprintf(full, sizeof full, "%s/%s", folder, path);
    assert_int_equal(unlink(full), 0);
}

static void put_zone(const char *zone, const char *name, const char *energy_uj)
{
    char path[200];

    (void)snprintf(path, sizeof path, "%s/name", zone);
    put(path, name);
    (void)snprintf(path, sizeof path, "%s/energy_uj", zone);
    put(path, energy_uj);
    (void)snprintf(path, sizeof path, "%s/max_energy_range_uj", zone);
    put(path, "10000000\n");
}

static void assert_joule(double expected)
{
    double joule;

    if (!host_energy_read(&energy, &joule))
        fail_msg("%s", energy.why);
    if (fabs(joule - expected) > 1e-9)
        fail_msg("%.9g J is not %.9g J", joule, expected);
}

static void assert_unknown(const char *why)
{
    double joule;

    assert_false(host_energy_read(&energy, &joule));
    if (strstr(energy.why, why) == NULL)
        fail_msg("'%s' does not say '%s'", energy.why, why);
}

static void test_nothing_there(void **state)
{
    (void)state;
    host_energy_init(&energy, folder);
    assert_int_equal(energy.count, 0);
    assert_unknown("has no energy counters");
    put_zone(PACKAGE, "package-0\n", "0\n"); /* a virtual machine's */
    host_energy_init(&energy, folder);
    assert_unknown("counts nothing");
    host_energy_init(&energy, "/nowhere/at/all");
    assert_unknown("/nowhere/at/all has no energy counters");
}

static void test_sums_and_wraps(void **state)
{
    (void)state;
    put_zone(PACKAGE, "package-0\n", "9000000\n");
    put_zone(PACKAGE "/intel-rapl:0:0", "core\n", "5\n"); /* part of the package */
    put_zone(DRAM, "dram\n", "100\n");
    put_zone("class/powercap/intel-rapl:1", "package-1\n", "7\n");
    put_zone("class/powercap/intel-rapl:2", "psys\n", "7\n"); /* all of it once more */
    host_energy_init(&energy, folder);
    assert_int_equal(energy.count, 3);
    assert_string_equal(energy.counters[0].name, "package-0");
    assert_string_equal(energy.counters[1].name, "dram");
    assert_joule(0);
    put(PACKAGE "/energy_uj", "9500000\n");
    put(DRAM "/energy_uj", "250100\n");
    put(PACKAGE "/intel-rapl:0:0/energy_uj", "400000\n");
    assert_joule(0.75);
    put(PACKAGE "/energy_uj", "500000\n"); /* past 10 J */
    put("class/powercap/intel-rapl:1/energy_uj", "1000007\n");
    assert_joule(0.75 + 1 + 1);
    assert_joule(2.75);
    assert_int_equal(energy.epoch, 1);
}

static void test_what_goes_back_starts_anew(void **state)
{
    (void)state;
    put_zone(PACKAGE, "package-0\n", "3000000\n");
    put(PACKAGE "/max_energy_range_uj", "rubbish\n"); /* it may wrap anywhere */
    host_energy_init(&energy, folder);
    assert_joule(0);
    put(PACKAGE "/energy_uj", "2000000\n");
    assert_joule(0);
    assert_int_equal(energy.epoch, 2);
    put(PACKAGE "/energy_uj", "2500000\n");
    assert_joule(0.5);
    assert_int_equal(energy.epoch, 2);
}

static void test_one_that_cannot_be_read(void **state)
{
    (void)state;
    put_zone(PACKAGE, "package-0\n", "1000000\n");
    put_zone(DRAM, "dram\n", "1000000\n");
    host_energy_init(&energy, folder);
    assert_joule(0);
    put(DRAM "/energy_uj", "1000000x\n");
    assert_unknown("intel-rapl:0:1/energy_uj: what it says is no number");
    put(DRAM "/energy_uj", "-5\n");
    assert_unknown("no number");
    put(DRAM "/energy_uj", "99999999999999999999999\n");
    assert_unknown("no number");
    put(DRAM "/energy_uj", "");
    assert_unknown("no number");
    drop(DRAM "/energy_uj");
    assert_unknown("No such file");
    put(DRAM "/energy_uj", "1500000\n"); /* it is back, and has gone on */
    assert_joule(0.5);
}

static void test_no_permission(void **state)
{
    char full[256];
    double joule;

    (void)state;
    put_zone(PACKAGE, "package-0\n", "1000000\n");
    (void)snprintf(full, sizeof full, "%s/" PACKAGE "/energy_uj", folder);
    assert_int_equal(chmod(full, 0), 0);
    host_energy_init(&energy, folder);
    assert_int_equal(energy.count, 1);
    if (host_energy_read(&energy, &joule))
        skip(); /* root reads everything */
    assert_unknown("Permission denied (it is mostly readable by root alone)");
}

static void test_hwmon(void **state)
{
    (void)state;
    put("class/hwmon/hwmon0/name", "nvme\n");
    put("class/hwmon/hwmon0/energy1_input", "5\n");
    put("class/hwmon/hwmon1/name", "amd_energy\n");
    put("class/hwmon/hwmon1/energy1_label", "Ecore000\n");
    put("class/hwmon/hwmon1/energy1_input", "5\n");
    put("class/hwmon/hwmon1/energy9_label", "Esocket0\n");
    put("class/hwmon/hwmon1/energy9_input", "5000000\n");
    put("class/hwmon/hwmon2/name", "xe\n");
    put("class/hwmon/hwmon2/energy1_input", "1000000\n");
    host_energy_init(&energy, folder);
    assert_int_equal(energy.count, 2);
    assert_joule(0);
    put("class/hwmon/hwmon1/energy1_input", "9000005\n");
    put("class/hwmon/hwmon1/energy9_input", "6000000\n");
    put("class/hwmon/hwmon2/energy1_input", "1250000\n");
    assert_joule(1.25);
    put_zone(PACKAGE, "package-0\n", "1\n"); /* the same processors once more */
    host_energy_init(&energy, folder);
    assert_int_equal(energy.count, 2);
    assert_string_equal(energy.counters[0].name, "package-0");
    assert_string_equal(energy.counters[1].name, "xe");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_there, start, stop),
        cmocka_unit_test_setup_teardown(test_sums_and_wraps, start, stop),
        cmocka_unit_test_setup_teardown(test_what_goes_back_starts_anew, start, stop),
        cmocka_unit_test_setup_teardown(test_one_that_cannot_be_read, start, stop),
        cmocka_unit_test_setup_teardown(test_no_permission, start, stop),
        cmocka_unit_test_setup_teardown(test_hwmon, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
