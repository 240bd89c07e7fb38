/* What a pool says when it opens and a backend has nothing: one line for each backend that the
 * pattern asked, as news where nothing is installed and as a warning where something is broken; and
 * that settings of the environment that mean nothing are refused. Needs no OpenCL.
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
#include <fastgpu/fastgpu.h>
#include "base/error.h"
#include "dev/null/null.h"
#include "dev/opencl/opencl.h"
#include "dev/registry.h"

#define LINES 16u

static struct {
    int level;
    char text[1200];
} lines[LINES];
static uint32_t line_count;

static void keep_line(void *user, int level, const char *text)
{
    (void)user;
    assert_true(line_count < LINES);
    lines[line_count].level = level;
    (void)snprintf(lines[line_count++].text, sizeof lines[0].text, "%s", text);
}

/* Opens and closes a pool; what it said about devices is in lines[]. */
static void open_pool(const char *devices, int level)
{
    fgpu_pool_options options;
    fgpu_pool pool;

    line_count = 0;
    fgpu_pool_options_init(&options);
    options.devices = devices;
    options.cache_dir = "";
    options.cpu_workers = 1;
    options.log = keep_line;
    options.log_level = level;
    if (fgpu_pool_open(&options, &pool) != FGPU_OK)
        fail_msg("%s", fgpu_last_error());
    assert_int_equal(fgpu_pool_close(pool), FGPU_OK);
}

static void expect_line(uint32_t index, int level, const char *part)
{
    assert_true(index < line_count);
    if (lines[index].level != level || strstr(lines[index].text, part) == NULL)
        fail_msg("level %d, \"%s\"; wanted level %d, \"%s\"", lines[index].level, lines[index].text,
                 level, part);
}

/* The library is named by the environment and not there, or is no OpenCL library. */
static void test_bad_library(void **state)
{
    static const char *const patterns[] = {NULL, "", "auto", "-sim"};

    (void)state;
    (void)setenv("FASTGPU_OPENCL_LIBRARY", "/nonexistent/libOpenCL.so", 1);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        open_pool(patterns[i], FGPU_LOG_WARN);
        assert_int_equal(line_count, 1);
        expect_line(0, FGPU_LOG_WARN,
                    "devices: no opencl device is used: OpenCL library /nonexistent/libOpenCL.so");
        expect_line(0, FGPU_LOG_WARN, "or name a library in FASTGPU_OPENCL_LIBRARY"); /* whole */
    }
    open_pool("cpu", FGPU_LOG_TRACE); /* nobody asked for it */
    for (uint32_t i = 0; i < line_count; i++)
        assert_null(strstr(lines[i].text, "opencl"));
    (void)setenv("FASTGPU_OPENCL_LIBRARY", "libm.so.6", 1);
    open_pool(NULL, FGPU_LOG_WARN);
    assert_int_equal(line_count, 1);
    expect_line(0, FGPU_LOG_WARN, "lacks the entry point clGetPlatformIDs");
}

/* A machine without OpenCL is nothing to worry about: whether the loader is there or not, it finds
 * no driver. */
static void test_no_platform(void **state)
{
    (void)state;
    (void)unsetenv("FASTGPU_OPENCL_LIBRARY");
    (void)setenv("OCL_ICD_VENDORS", "/nonexistent/", 1);
    open_pool(NULL, FGPU_LOG_WARN);
    assert_int_equal(line_count, 0);
    open_pool(NULL, FGPU_LOG_INFO);
    assert_int_equal(line_count, 4);
    expect_line(0, FGPU_LOG_INFO, "devices: no opencl device is used: OpenCL library libOpenCL.so");
    expect_line(1, FGPU_LOG_INFO, "is open: 1 devices, policy auto");
    expect_line(2, FGPU_LOG_INFO, "pool: device 0 is cpu: ");
    expect_line(3, FGPU_LOG_INFO, "is closed: 0 tasks done");
}

/* ---- backends of others */

static fgpu_status probe_absent(const fgpu_backend_options *options, fgpu_device_info *infos,
                                uint32_t capacity, uint32_t *count, char *why, size_t why_bytes)
{
    (void)options;
    (void)infos;
    (void)capacity;
    *count = 0;
    (void)snprintf(why, why_bytes, "%0*d", 400, 7); /* a long reason */
    return FGPU_E_NODEVICE;
}

static fgpu_status probe_broken(const fgpu_backend_options *options, fgpu_device_info *infos,
                                uint32_t capacity, uint32_t *count, char *why, size_t why_bytes)
{
    (void)probe_absent(options, infos, capacity, count, why, why_bytes);
    why[0] = '\0';
    return FGPU_E_DEVICE;
}

static fgpu_status probe_empty(const fgpu_backend_options *options, fgpu_device_info *infos,
                               uint32_t capacity, uint32_t *count, char *why, size_t why_bytes)
{
    (void)probe_broken(options, infos, capacity, count, why, why_bytes);
    return FGPU_OK;
}

static void test_other_backends(void **state)
{
    static fgpu_backend backends[3];
    static const struct {
        const char *name;
        fgpu_status (*probe)(const fgpu_backend_options *, fgpu_device_info *, uint32_t, uint32_t *,
                             char *, size_t);
    } made[] = {{"absent", probe_absent}, {"broken", probe_broken}, {"empty", probe_empty}};
    char reason[500];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        backends[i] = null_backend;
        backends[i].name = made[i].name;
        backends[i].probe = made[i].probe;
        assert_int_equal(fgpu_backend_register(&backends[i]), FGPU_OK);
    }
    (void)setenv("FASTGPU_OPENCL_LIBRARY", "/nonexistent/libOpenCL.so", 1);
    open_pool("all", FGPU_LOG_INFO);
    assert_int_equal(line_count, 8); /* and three of the pool itself */
    expect_line(0, FGPU_LOG_WARN, "no opencl device");
    expect_line(1, FGPU_LOG_INFO, "no cuda device");
    (void)snprintf(reason, sizeof reason, "devices: no absent device is used: %0*d", 400, 7);
    expect_line(2, FGPU_LOG_INFO, reason);
    (void)snprintf(reason, sizeof reason, "devices: no broken device is used: %s",
                   fgpu_status_text(FGPU_E_DEVICE));
    expect_line(3, FGPU_LOG_WARN, reason);
    expect_line(4, FGPU_LOG_INFO, "devices: no empty device is used: it has no device");
}

/* ---- the environment */

static void refuse_open(const char *variable, const char *value, const char *allowed)
{
    const fgpu_backend_options options = {0};
    const fgpu_doorbell bell = {0};
    char is[64];
    void *device;

    (void)setenv(variable, value, 1);
    assert_int_equal(opencl_backend.open(&options, 0, &bell, &device), FGPU_E_INVAL);
    (void)snprintf(is, sizeof is, "%s is \"%s\"", variable, value);
    if (strstr(error_text(), is) == NULL || strstr(error_text(), allowed) == NULL)
        fail_msg("%s", error_text());
    (void)unsetenv(variable);
}

static void test_environment(void **state)
{
    static const char *const good[][2] = {
        {"FASTGPU_OPENCL_MEMORY", "separate"}, {"FASTGPU_OPENCL_MEMORY", ""},
        {"FASTGPU_OPENCL_EVENTS", "all"},      {"FASTGPU_OPENCL_EVENTS", "few"},
        {"FASTGPU_OPENCL_EVENTS", ""},         {"FASTGPU_OPENCL_BESIDE", "1"},
        {"FASTGPU_OPENCL_BESIDE", "4"},        {"FASTGPU_OPENCL_BESIDE", ""}};
    const fgpu_backend_options options = {0};
    const fgpu_doorbell bell = {0};
    void *device;

    (void)state;
    (void)setenv("FASTGPU_OPENCL_LIBRARY", "/nonexistent/libOpenCL.so", 1);
    (void)unsetenv("FASTGPU_OPENCL_MEMORY");
    (void)unsetenv("FASTGPU_OPENCL_EVENTS");
    (void)unsetenv("FASTGPU_OPENCL_BESIDE");
    refuse_open("FASTGPU_OPENCL_MEMORY", "seperate", "\"separate\", empty, or not set");
    refuse_open("FASTGPU_OPENCL_MEMORY", "Separate", "\"separate\", empty, or not set");
    refuse_open("FASTGPU_OPENCL_EVENTS", "some", "\"all\", \"few\", empty, or not set");
    refuse_open("FASTGPU_OPENCL_BESIDE", "0", "1, 2, 3, 4, empty, or not set");
    refuse_open("FASTGPU_OPENCL_BESIDE", "5", "1, 2, 3, 4, empty, or not set");
    refuse_open("FASTGPU_OPENCL_BESIDE", "2x", "1, 2, 3, 4, empty, or not set");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        (void)setenv(good[i][0], good[i][1], 1);
        assert_int_equal(opencl_backend.open(&options, 0, &bell, &device), FGPU_E_NOTFOUND);
        (void)unsetenv(good[i][0]);
    }
}

/* ---- decisions */

static int fail_on_the_host(void *const *args, void *user)
{
    (void)args;
    (void)user;
    return 3;
}

/* A host function that fails, or a task with nothing to run. Its lines are in lines[]. */
static void run_task(int level, fgpu_host_fn fn)
{
    fgpu_pool_options options;
    fgpu_pool pool;
    fgpu_task_desc desc;

    line_count = 0;
    fgpu_pool_options_init(&options);
    options.devices = "cpu";
    options.cache_dir = "";
    options.cpu_workers = 1;
    options.log = keep_line;
    options.log_level = level;
    assert_int_equal(fgpu_pool_open(&options, &pool), FGPU_OK);
    fgpu_task_desc_init(&desc);
    desc.kind = fn != NULL ? FGPU_TASK_HOST : FGPU_TASK_EMPTY;
    desc.host_fn = fn;
    desc.name = "answer";
    assert_int_equal(fgpu_task_submit(pool, &desc, NULL), FGPU_OK);
    (void)fgpu_pool_wait(pool, FGPU_FOREVER);
    (void)fgpu_pool_close(pool);
}

static void test_decisions(void **state)
{
    (void)state;
    run_task(FGPU_LOG_INFO, fail_on_the_host);
    assert_int_equal(line_count, 3);
    run_task(FGPU_LOG_DEBUG, fail_on_the_host);
    assert_int_equal(line_count, 5);
    expect_line(2, FGPU_LOG_DEBUG, "'answer' goes to device 0 queue 0 (the only one, of 1): free");
    expect_line(3, FGPU_LOG_DEBUG, "'answer' has ended after ");
    expect_line(3, FGPU_LOG_DEBUG, fgpu_status_text(FGPU_E_TASK));
    run_task(FGPU_LOG_DEBUG, NULL);
    assert_int_equal(line_count, 3);
    run_task(FGPU_LOG_TRACE, NULL);
    assert_int_equal(line_count, 4);
    expect_line(2, FGPU_LOG_TRACE, "'answer' has ended after ");
}

/* ---- files */

/* Reads the file whole; "" where it is not there. */
static const char *file_text(const char *path)
{
    static char text[4000];
    FILE *file = fopen(path, "r");

    text[0] = '\0';
    if (file != NULL) {
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        (void)fclose(file);
    }
    return text;
}

static void open_with_file(const char *path, uint32_t format, fgpu_log_fn log, fgpu_pool *pool)
{
    fgpu_pool_options options;

    fgpu_pool_options_init(&options);
    options.devices = "null";
    options.cache_dir = "";
    options.log_level = FGPU_LOG_INFO;
    options.log = log;
    options.log_file = path;
    options.log_format = format;
    if (fgpu_pool_open(&options, pool) != FGPU_OK)
        fail_msg("%s", fgpu_last_error());
}

static void test_file(void **state)
{
    char path[] = "/tmp/fgpu_log_XXXXXX";
    fgpu_pool pool;

    (void)state;
    int number = mkstemp(path);
    assert_true(number >= 0);
    assert_int_equal(write(number, "before\n", 7), 7);
    assert_int_equal(close(number), 0);
    open_with_file(path, FGPU_LOG_TEXT, NULL, &pool);
    assert_non_null(strstr(file_text(path), "before\nfastgpu: info: pool: pool ")); /* at once */
    assert_int_equal(fgpu_pool_close(pool), FGPU_OK);
    assert_non_null(strstr(file_text(path), "is closed"));
    open_with_file(path, FGPU_LOG_JSON, NULL, &pool);
    assert_int_equal(fgpu_pool_close(pool), FGPU_OK);
    assert_non_null(
        strstr(file_text(path), "\"level\":\"info\",\"area\":\"pool\",\"text\":\"pool "));
    size_t length = strlen(file_text(path));
    line_count = 0;
    open_with_file(path, FGPU_LOG_JSON, keep_line, &pool); /* the callback goes before the file */
    assert_int_equal(fgpu_pool_close(pool), FGPU_OK);
    assert_int_equal(line_count, 3);
    assert_int_equal(strlen(file_text(path)), length);
    assert_int_equal(unlink(path), 0);
    open_with_file("/nonexistent/log", FGPU_LOG_JSON, keep_line, &pool);
    assert_int_equal(fgpu_pool_close(pool), FGPU_OK);
    open_with_file("", FGPU_LOG_TEXT, keep_line, &pool);
    assert_int_equal(fgpu_pool_close(pool), FGPU_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_library),    cmocka_unit_test(test_no_platform),
        cmocka_unit_test(test_other_backends), cmocka_unit_test(test_environment),
        cmocka_unit_test(test_file),           cmocka_unit_test(test_decisions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
