/* The pattern language of devices against a backend of the test's own, whose devices are known, and
 * the registration rules. The OpenCL loader is pointed at a file that does not exist, so that the
 * machine does not matter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/limits.h"
#include "dev/cpu/cpu.h"
#include "dev/glob.h"
#include "dev/null/null.h"
#include "dev/registry.h"
#include "dev/sim/sim.h"

#define FOUND_MAX 16u

static const struct {
    const char *id, *name, *vendor;
} mock_devices[] = {
    {"mock:0", "Big Portable Thing", "ACME"},
    {"mock:1.0", "Half of a Thing", "ACME"},
    {"mock:1.1", "Half of a Thing", "ACME"},
    {"mock:10", "Small Thing", "Emca Inc."},
};

static fgpu_status mock_probe(const fgpu_backend_options *options, fgpu_device_info *infos,
                              uint32_t capacity, uint32_t *count, char *why, size_t why_bytes)
{
    (void)options;
    (void)why;
    (void)why_bytes;
    *count = sizeof mock_devices / sizeof *mock_devices;
    for (uint32_t i = 0; i < *count && i < capacity; i++) {
        (void)snprintf(infos[i].id, sizeof infos[i].id, "%s", mock_devices[i].id);
        (void)snprintf(infos[i].name, sizeof infos[i].name, "%s", mock_devices[i].name);
        (void)snprintf(infos[i].vendor, sizeof infos[i].vendor, "%s", mock_devices[i].vendor);
    }
    return FGPU_OK;
}

static fgpu_backend mock; /* null's functions, its own devices */
static fgpu_backend extras[LIMITS_BACKENDS + 1];

static const fgpu_backend_options options;

/* "id id id", or the status' name. */
static const char *find(const char *pattern)
{
    static char text[512];
    static struct registry_match found[FOUND_MAX];
    uint32_t count = 99;
    fgpu_status status = registry_find(pattern, &options, found, FOUND_MAX, &count, NULL);

    if (status != FGPU_OK) {
        assert_int_equal(count, 0);
        assert_true(strlen(error_text()) > 10);
        return fgpu_status_name(status);
    }
    text[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof text - used, "%s%s", used > 0 ? " " : "",
                       found[i].info.id);
    }
    return text;
}

static void test_glob(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } rows[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"a?c", "aBc", true},
        {"a?c", "ac", false},
        {"*portable*", "A PORTABLE thing", true},
        {"*ab*ab", "abxab", true},
        {"*ab*ab", "ab", false},
        {"a*b*c", "a__c__b__c", true},
        {"a*b*c", "a__c__b__", false},
        {"*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
        {"[x]", "[X]", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(glob_match(rows[i].pattern, rows[i].text), rows[i].matches);
}

static void test_register(void **state)
{
    fgpu_backend bad = mock;

    (void)state;
    assert_int_equal(registry_add(NULL), FGPU_E_INVAL);
    bad.version = FGPU_BACKEND_VERSION + 1;
    assert_int_equal(registry_add(&bad), FGPU_E_VERSION);
    bad = mock;
    bad.struct_bytes--;
    assert_int_equal(registry_add(&bad), FGPU_E_VERSION);
    static const char *const names[] = {
        "", "auto", "all", "UP", "a-b", "cpu", "a:b", "sixteen_letters_", NULL, "null", "opencl"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bad = mock;
        bad.name = names[i];
        assert_int_equal(registry_add(&bad), FGPU_E_INVAL);
    }
    bad = mock;
    bad.poll = NULL;
    assert_int_equal(registry_add(&bad), FGPU_E_INVAL);
    assert_non_null(strstr(error_text(), "poll"));
    assert_null(registry_backend("mock"));
    assert_int_equal(registry_add(&mock), FGPU_OK);
    assert_ptr_equal(registry_backend("mock"), &mock);
    assert_ptr_equal(registry_backend("sim"), &sim_backend);
    assert_int_equal(registry_add(&mock), FGPU_E_INVAL);
}

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *found;
    } rows[] = {
        {NULL, "cpu"},
        {"", "cpu"},
        {"auto", "cpu"},
        {"AUTO", "cpu"},
        {"cpu", "cpu"},
        {" cpu , cpu ", "cpu"},
        {"all", "cpu mock:0 mock:1.0 mock:1.1 mock:10"},
        {"mock", "mock:0 mock:1.0 mock:1.1 mock:10"},
        {"mock:0", "mock:0"},
        {"mock:1", "mock:1.0 mock:1.1"},
        {"mock:1.1,mock:0", "mock:1.1 mock:0"},
        {"mock:10", "mock:10"},
        {"mock:*portable*", "mock:0"},
        {"mock:acme", "mock:0 mock:1.0 mock:1.1"},
        {"mock:*THING", "mock:0 mock:1.0 mock:1.1 mock:10"},
        {"mock:1*", "mock:1.0 mock:1.1 mock:10"},
        {"*half*", "mock:1.0 mock:1.1"},
        {"mock,-mock:1", "mock:0 mock:10"},
        {"mock,-mock,cpu", "cpu"},
        {"mock,-mock:*acme*", "mock:10"},
        {"-mock", "cpu"},
        {"null", "null#0"},
        {"null:2", "null#0 null#1"},
        {"null#3", "null#3"},
        {"sim:3,-sim#1", "sim#0 sim#2"},
        {"sim,sim:2", "sim#0 sim#1"},
        {"sim:3,-sim", "FGPU_E_NODEVICE"},
        {"sim:0", "FGPU_E_NODEVICE"},
        {"-cpu", "FGPU_E_NODEVICE"},
        {"mock:2", "FGPU_E_NODEVICE"},
        {"cpu,opencl", "FGPU_E_NODEVICE"},
        {"nonsense", "FGPU_E_NODEVICE"},
        {"*nothing*", "FGPU_E_NODEVICE"},
        {",cpu", "FGPU_E_INVAL"},
        {"cpu,,cpu", "FGPU_E_INVAL"},
        {"-", "FGPU_E_INVAL"},
        {"mock:", "FGPU_E_INVAL"},
        {"sim:17", "FGPU_E_LIMIT"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *found = find(rows[i].pattern);
        if (strcmp(found, rows[i].found) != 0)
            fail_msg("\"%s\": found \"%s\", expected \"%s\"", rows[i].pattern, found,
                     rows[i].found);
    }
}

static void test_long_item(void **state)
{
    char pattern[400];

    (void)state;
    memset(pattern, 'a', sizeof pattern);
    pattern[sizeof pattern - 1] = '\0';
    assert_string_equal(find(pattern), "FGPU_E_INVAL");
}

/* What OpenCL and CUDA advise is there to its end. */
static void need_whole_advice(void)
{
    static const char part[] = "or name a library in FASTGPU_OPENCL_LIBRARY; cuda: ";
    static const char end[] = "install the NVIDIA driver";
    const char *text = error_text();

    if (strlen(text) < strlen(end) || strcmp(text + strlen(text) - strlen(end), end) != 0 ||
        strstr(text, part) == NULL)
        fail_msg("cut off: %s", text);
}

/* The text says what there is and why OpenCL has none. */
static void test_why_not(void **state)
{
    (void)state;
    assert_string_equal(find("opencl"), "FGPU_E_NODEVICE");
    assert_non_null(strstr(error_text(), "\"opencl\""));
    assert_non_null(strstr(error_text(), "cpu ("));
    assert_non_null(strstr(error_text(), "mock:10 (Small Thing)"));
    assert_non_null(strstr(error_text(), "opencl: "));
    assert_null(strstr(error_text(), "null#"));
    assert_null(strstr(error_text(), "..."));
    need_whole_advice();
}

static void test_match_opens(void **state)
{
    struct registry_match match;
    uint32_t count;

    (void)state;
    assert_int_equal(registry_find("sim#2", &options, &match, 1, &count, NULL), FGPU_OK);
    assert_int_equal(count, 1);
    assert_ptr_equal(match.backend, &sim_backend);
    assert_int_equal(match.index, 2);
    assert_int_equal(registry_find("sim:2", &options, &match, 1, &count, NULL), FGPU_E_LIMIT);
}

static void test_limit(void **state)
{
    static char names[LIMITS_BACKENDS + 1][16];

    (void)state;
    for (uint32_t i = 0; i < LIMITS_BACKENDS; i++) {
        extras[i] = mock;
        (void)snprintf(names[i], sizeof names[i], "extra%u", i);
        extras[i].name = names[i];
        assert_int_equal(registry_add(&extras[i]),
                         i + 1 < LIMITS_BACKENDS ? FGPU_OK : FGPU_E_LIMIT);
    }
}

/* More devices than a text holds: their list is cut, and says so, but not the advice. */
static void test_why_not_long(void **state)
{
    (void)state;
    assert_string_equal(find("opencl"), "FGPU_E_NODEVICE");
    assert_non_null(strstr(error_text(), "Found: cpu ("));
    assert_non_null(strstr(error_text(), "...; opencl: OpenCL library"));
    assert_int_equal(strlen(error_text()), LIMITS_ERROR_TEXT - 1);
    need_whole_advice();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_glob),     cmocka_unit_test(test_register),
        cmocka_unit_test(test_patterns), cmocka_unit_test(test_long_item),
        cmocka_unit_test(test_why_not),  cmocka_unit_test(test_match_opens),
        cmocka_unit_test(test_limit),    cmocka_unit_test(test_why_not_long),
    };

    (void)setenv("FASTGPU_OPENCL_LIBRARY", "/nonexistent/libOpenCL.so", 1);
    mock = null_backend;
    mock.name = "mock";
    mock.probe = mock_probe;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
