/* Options from text: every key, what each takes and refuses, where the strings live.
 *
 * Expected values are written down by hand. What is refused must leave the options as they were,
 * and say key, value and what the key takes.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <fastgpu/fastgpu.h>

static fgpu_pool_options parse(const char *text)
{
    fgpu_pool_options options;
    fgpu_pool_options_init(&options);
    if (fgpu_pool_options_parse(text, &options) != FGPU_OK)
        fail_msg("'%s': %s", text, fgpu_last_error());
    return options;
}

static void test_nothing_changes_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {"", ";", " ; \n;;\t", "\n\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        fgpu_pool_options options = parse(texts[i]), defaults;
        fgpu_pool_options_init(&defaults);
        assert_memory_equal(&options, &defaults, sizeof options);
    }
}

static void test_every_key(void **state)
{
    (void)state;
    fgpu_pool_options o =
        parse("devices=cpu,-opencl:0; policy=fifo;workers=3;subdevices = 2 ;tasks=1000\n"
              "device-memory=2GiB;host-memory=3 MiB;cache=/a b/c;log=debug;validate;"
              "reproducible=on;trace=yes;nowait=1;preimage=yes;checksum;nomemwait\r\n"
              "spill=/tmp/s p;spill-limit=5GiB;spill-compress=zstd\n"
              "faults=seed=7,submit=20,lose=1@300;seed=0xfF;trace-events=1000000\n"
              "log-format=json;log-file=/tmp/a b.log;objective=latency;preempt=slices");
    assert_string_equal(o.devices, "cpu,-opencl:0");
    assert_string_equal(o.policy, "fifo");
    assert_int_equal(o.cpu_workers, 3);
    assert_int_equal(o.subdevices, 2);
    assert_int_equal(o.task_limit, 1000);
    assert_int_equal(o.device_memory_bytes, UINT64_C(2147483648));
    assert_int_equal(o.host_memory_bytes, 3145728);
    assert_string_equal(o.cache_dir, "/a b/c");
    assert_int_equal(o.log_level, FGPU_LOG_DEBUG);
    assert_int_equal(o.flags, 127);
    assert_string_equal(o.spill_dir, "/tmp/s p");
    assert_int_equal(o.spill_bytes, UINT64_C(5368709120));
    assert_int_equal(o.spill_compress, FGPU_POOL_SPILL_ZSTD);
    assert_string_equal(o.faults, "seed=7,submit=20,lose=1@300");
    assert_int_equal(o.seed, 255);
    assert_int_equal(o.trace_events, 1000000);
    assert_int_equal(o.log_format, FGPU_LOG_JSON);
    assert_string_equal(o.log_file, "/tmp/a b.log");
    assert_int_equal(o.objective, FGPU_OBJECTIVE_LATENCY);
    assert_int_equal(o.preempt, FGPU_POOL_PREEMPT_SLICES);
}

static void test_flags_one_by_one(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t flags;
    } cases[] = {{"validate", FGPU_POOL_VALIDATE},
                 {"reproducible", FGPU_POOL_REPRODUCIBLE},
                 {"trace", FGPU_POOL_TRACE},
                 {"nowait", FGPU_POOL_NOWAIT},
                 {"preimage", FGPU_POOL_PREIMAGE},
                 {"trace=on", FGPU_POOL_TRACE},
                 {"trace=yes", FGPU_POOL_TRACE},
                 {"trace=1", FGPU_POOL_TRACE},
                 {"trace;trace=off", 0},
                 {"trace;trace=no", 0},
                 {"trace;trace=0", 0},
                 {"trace;nowait;trace=off", FGPU_POOL_NOWAIT},
                 {"trace=off;trace", FGPU_POOL_TRACE}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(parse(cases[i].text).flags, cases[i].flags);
}

static void test_values_at_their_ends(void **state)
{
    (void)state;
    assert_int_equal(parse("workers=4294967295").cpu_workers, UINT32_MAX);
    assert_true(parse("seed=18446744073709551615").seed == UINT64_MAX);
    assert_true(parse("device-memory=18446744073709551615").device_memory_bytes == UINT64_MAX);
    assert_true(parse("host-memory=17179869183GiB").host_memory_bytes == UINT64_C(17179869183)
                                                                             << 30);
    assert_int_equal(parse("host-memory=5KiB").host_memory_bytes, 5120);
    assert_int_equal(parse("host-memory=010").host_memory_bytes, 10);
    assert_int_equal(parse("log=off").log_level, FGPU_LOG_OFF);
    assert_int_equal(parse("log=-1").log_level, FGPU_LOG_OFF);
    assert_int_equal(parse("log=trace").log_level, FGPU_LOG_TRACE);
    assert_int_equal(parse("log=0").log_level, FGPU_LOG_ERROR);
    assert_string_equal(parse("cache=").cache_dir, "");
    assert_string_equal(parse("cache=a=b").cache_dir, "a=b");
    assert_string_equal(parse("devices=cpu;devices=null").devices, "null");
    assert_string_equal(parse("faults=").faults, "");
    assert_int_equal(parse("log-format=json;log-format=text").log_format, FGPU_LOG_TEXT);
    assert_string_equal(parse("log-file=").log_file, "");
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *says[3];
    } cases[] = {
        {"worker=3", {"'worker'", "workers", "preimage"}},
        {"=3", {"''", "devices", NULL}},
        {"workers", {"'workers'", "no value", "number"}},
        {"workers=", {"'workers'", "''", "number"}},
        {"workers=3x", {"'workers'", "'3x'", "4294967295"}},
        {"workers=-1", {"'workers'", "'-1'", NULL}},
        {"workers=+1", {"'workers'", "'+1'", NULL}},
        {"workers=0x10", {"'workers'", "'0x10'", NULL}},
        {"workers=4294967296", {"'workers'", "'4294967296'", NULL}},
        {"tasks=1KiB", {"'tasks'", "'1KiB'", NULL}},
        {"seed=18446744073709551616", {"'seed'", "'18446744073709551616'", NULL}},
        {"seed=0x", {"'seed'", "'0x'", NULL}},
        {"device-memory=2GB", {"'device-memory'", "'2GB'", "GiB"}},
        {"device-memory=2gib", {"'device-memory'", "'2gib'", NULL}},
        {"device-memory=1.5GiB", {"'device-memory'", "'1.5GiB'", NULL}},
        {"device-memory=17179869184GiB", {"'device-memory'", "'17179869184GiB'", NULL}},
        {"log=loud", {"'log'", "'loud'", "debug"}},
        {"log=5", {"'log'", "'5'", "4"}},
        {"log=", {"'log'", "''", NULL}},
        {"log-format=xml", {"'log-format'", "'xml'", "text or json"}},
        {"objective=speed", {"'objective'", "'speed'", "makespan, latency, energy or edp"}},
        {"preempt=soon", {"'preempt'", "'soon'", "auto, off, slices or guard"}},
        {"spill-compress=gzip", {"'spill-compress'", "'gzip'", "auto, lz4, zstd or off"}},
        {"trace-events=many", {"'trace-events'", "'many'", "4294967295"}},
        {"log-file", {"'log-file'", "no value", "a file"}},
        {"trace=maybe", {"'trace'", "'maybe'", "yes"}},
        {"trace=", {"'trace'", "''", "off"}},
        {"policy=best", {"'policy'", "'best'", "fifo"}},
        {"devices=", {"'devices'", "''", "opencl:0"}},
        {"faults=submit=2000", {"'faults'", "'submit=2000'", "submit"}},
        {"trace;workers=9;nonsense", {"'nonsense'", NULL, NULL}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fgpu_pool_options options = parse("devices=sim;workers=5"), before = options;
        assert_int_equal(fgpu_pool_options_parse(cases[i].text, &options), FGPU_E_INVAL);
        for (size_t k = 0; k < 3 && cases[i].says[k] != NULL; k++) {
            if (strstr(fgpu_last_error(), cases[i].says[k]) == NULL)
                fail_msg("'%s' says \"%s\", without \"%s\"", cases[i].text, fgpu_last_error(),
                         cases[i].says[k]);
        }
        assert_memory_equal(&options, &before, sizeof options);
        assert_string_equal(options.devices, "sim");
    }
}

static void test_bad_calls(void **state)
{
    (void)state;
    fgpu_pool_options options;
    fgpu_pool_options_init(&options);
    assert_int_equal(fgpu_pool_options_parse(NULL, &options), FGPU_E_INVAL);
    assert_int_equal(fgpu_pool_options_parse("trace", NULL), FGPU_E_INVAL);
    options.struct_bytes--;
    assert_int_equal(fgpu_pool_options_parse("trace", &options), FGPU_E_VERSION);
    assert_int_equal(options.flags, 0);
}

/* Strings outlive the text, and a second call keeps those of the first in the same options. */
static void test_strings_stay(void **state)
{
    (void)state;
    fgpu_pool_options options;
    fgpu_pool_options_init(&options);
    char text[64] = "devices=cpu;cache=first";
    assert_int_equal(fgpu_pool_options_parse(text, &options), FGPU_OK);
    memset(text, 'x', sizeof text - 1);
    assert_string_equal(options.devices, "cpu");
    assert_int_equal(fgpu_pool_options_parse("policy=eft;cache=a longer second", &options),
                     FGPU_OK);
    assert_string_equal(options.devices, "cpu");
    assert_string_equal(options.cache_dir, "a longer second");
    assert_string_equal(options.policy, "eft");
    static const char own[] = "null";
    options.devices = own; /* the caller's strings are his */
    assert_int_equal(fgpu_pool_options_parse("trace", &options), FGPU_OK);
    assert_ptr_equal(options.devices, own);
    assert_string_equal(options.cache_dir, "a longer second");
}

static void test_the_longest_text(void **state)
{
    (void)state;
    static char text[5000];
    fgpu_pool_options options;
    fgpu_pool_options_init(&options);
    memset(text, 'p', sizeof text);
    memcpy(text, "cache=", 6);
    text[4095] = '\0';
    assert_int_equal(fgpu_pool_options_parse(text, &options), FGPU_OK);
    assert_int_equal(strlen(options.cache_dir), 4095 - 6);
    /* With what is kept of the first call there is no room for the second. */
    fgpu_pool_options before = options;
    assert_int_equal(fgpu_pool_options_parse("devices=cpu,null", &options), FGPU_E_LIMIT);
    assert_memory_equal(&options, &before, sizeof options);
    assert_int_equal(strlen(options.cache_dir), 4095 - 6);
    text[4095] = 'p';
    text[4096] = '\0';
    assert_int_equal(fgpu_pool_options_parse(text, &options), FGPU_E_LIMIT);
    assert_non_null(strstr(fgpu_last_error(), "4095"));
}

static void *parse_elsewhere(void *arg)
{
    fgpu_pool_options options;
    (void)arg;
    fgpu_pool_options_init(&options);
    return fgpu_pool_options_parse("devices=sim", &options) == FGPU_OK ? arg : NULL;
}

static void test_threads_do_not_share(void **state)
{
    (void)state;
    fgpu_pool_options options = parse("devices=cpu");
    pthread_t thread;
    void *result;
    assert_int_equal(pthread_create(&thread, NULL, parse_elsewhere, &options), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_non_null(result);
    assert_string_equal(options.devices, "cpu");
}

static void test_a_pool_from_text(void **state)
{
    (void)state;
    fgpu_pool pool;
    assert_int_equal(fgpu_pool_open_text("devices=cpu;workers=2;cache=", &pool), FGPU_OK);
    fgpu_device device;
    assert_int_equal(fgpu_device_at(pool, 0, &device), FGPU_OK);
    fgpu_device_info info = {.struct_bytes = sizeof info};
    assert_int_equal(fgpu_device_get_info(device, &info), FGPU_OK);
    assert_string_equal(info.backend, "cpu");
    assert_int_equal(info.queue_count, 2);
    assert_int_equal(fgpu_pool_close(pool), FGPU_OK);
    assert_int_equal(fgpu_pool_open_text("devices=cpu;wrong", &pool), FGPU_E_INVAL);
    assert_non_null(strstr(fgpu_last_error(), "'wrong'"));
}

/* What the text lets through and no pool takes. */
static void test_a_pool_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        fgpu_status status;
        const char *says;
    } cases[] = {
        {"trace-events=16777217", FGPU_E_INVAL, "trace_events is 16777217, at most 16777216"},
        {"objective=latency;policy=eft", FGPU_E_INVAL, "needs 'auto'"},
        {"objective=energy;policy=auto", FGPU_E_UNSUPPORTED, "not known"},
        {"objective=edp", FGPU_E_UNSUPPORTED, "not known"},
        {"log-file=/nonexistent/x.log", FGPU_E_IO, "/nonexistent/x.log cannot be opened: No such"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fgpu_pool_options options = parse(cases[i].text);
        fgpu_pool pool;
        options.devices = "null";
        options.cache_dir = "";
        assert_int_equal(fgpu_pool_open(&options, &pool), cases[i].status);
        if (strstr(fgpu_last_error(), cases[i].says) == NULL)
            fail_msg("%s", fgpu_last_error());
    }
    fgpu_pool_options options = parse("devices=null;cache=");
    fgpu_pool pool;
    options.preempt = 4;
    assert_int_equal(fgpu_pool_open(&options, &pool), FGPU_E_INVAL);
    assert_non_null(strstr(fgpu_last_error(), "options.preempt is 4"));
    options.preempt = FGPU_POOL_PREEMPT_AUTO;
    options.spill_compress = 4;
    assert_int_equal(fgpu_pool_open(&options, &pool), FGPU_E_INVAL);
    assert_non_null(strstr(fgpu_last_error(), "options.spill_compress is 4"));
    options.spill_compress = FGPU_POOL_SPILL_AUTO;
    options.log_format = 2;
    assert_int_equal(fgpu_pool_open(&options, &pool), FGPU_E_INVAL);
    assert_non_null(strstr(fgpu_last_error(), "log_format is 2"));
    /* A program made for a library whose options ended before these. */
    options = parse("devices=null;cache=");
    options.struct_bytes = offsetof(fgpu_pool_options, trace_events);
    assert_int_equal(fgpu_pool_open(&options, &pool), FGPU_E_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_changes_nothing),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_flags_one_by_one),
        cmocka_unit_test(test_values_at_their_ends),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_bad_calls),
        cmocka_unit_test(test_strings_stay),
        cmocka_unit_test(test_the_longest_text),
        cmocka_unit_test(test_threads_do_not_share),
        cmocka_unit_test(test_a_pool_from_text),
        cmocka_unit_test(test_a_pool_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
