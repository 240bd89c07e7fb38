/* Levels, sinks and the escaping of JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/limits.h"
#include "base/log.h"

struct sink {
    int count, level;
    char text[LIMITS_LOG_TEXT];
};

static void keep(void *user, int level, const char *text)
{
    struct sink *sink = user;
    sink->count++;
    sink->level = level;
    strcpy(sink->text, text);
}

static int evaluated;

static int evaluate(void)
{
    return ++evaluated;
}

static void test_levels(void **unused)
{
    struct sink sink = {0};
    struct log log;
    (void)unused;
    log_init(&log, FGPU_LOG_INFO);
    log_set_callback(&log, keep, &sink);
    LOG_DEBUG(&log, "core", "number %d", evaluate());
    assert_int_equal(sink.count, 0);
    assert_int_equal(evaluated, 0);
    LOG_INFO(&log, "core", "number %d", evaluate());
    assert_int_equal(sink.count, 1);
    assert_int_equal(sink.level, FGPU_LOG_INFO);
    assert_string_equal(sink.text, "core: number 1");
    log_set_level(&log, FGPU_LOG_OFF);
    LOG_ERROR(&log, "core", "lost");
    log_write(&log, FGPU_LOG_ERROR, "core", "lost");
    assert_int_equal(sink.count, 1);
    LOG_ERROR(NULL, "core", "nobody listens");
    log_write(NULL, FGPU_LOG_ERROR, "core", "nobody listens");
    log_fini(&log);
    log_fini(NULL);
}

static void test_long_line_is_cut(void **unused)
{
    struct sink sink = {0};
    struct log log;
    char text[3 * LIMITS_LOG_TEXT], area[3 * LIMITS_NAME_BYTES];
    (void)unused;
    memset(text, 'y', sizeof text - 1);
    memset(area, 'a', sizeof area - 1);
    text[sizeof text - 1] = area[sizeof area - 1] = '\0';
    log_init(&log, FGPU_LOG_TRACE);
    log_set_callback(&log, keep, &sink);
    LOG_TRACE(&log, area, "%s", text);
    assert_int_equal(strlen(sink.text), LIMITS_LOG_TEXT - 1);
    log_fini(&log);
}

static void test_file_formats(void **unused)
{
    char *text = NULL;
    size_t bytes = 0;
    unsigned long long time_ns;
    int used = 0;
    struct log log;
    FILE *file = open_memstream(&text, &bytes);
    (void)unused;
    assert_non_null(file);
    log_init(&log, FGPU_LOG_WARN);
    log_set_file(&log, file, FGPU_LOG_TEXT);
    LOG_WARN(&log, "mem", "slab of %d", 5);
    fflush(file);
    assert_string_equal(text, "fastgpu: warn: mem: slab of 5\n");
    rewind(file);
    log_set_file(&log, file, FGPU_LOG_JSON);
    LOG_ERROR(&log, "dev", "said \"%s\"\n", "no\\way");
    fflush(file);
    assert_int_equal(sscanf(text, "{\"time_ns\":%llu%n", &time_ns, &used), 1);
    assert_string_equal(text + used, ",\"level\":\"error\",\"area\":\"dev\",\"text\":"
                                     "\"said \\\"no\\\\way\\\"\\n\"}\n");
    log_fini(&log);
    fclose(file);
    free(text);
}

/* Well-formed and ill-formed UTF-8 from table 3-7 and the examples of the Unicode standard. */
static void test_json_escape(void **unused)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"\"\\/", "\\\"\\\\/"},
        {"\n\r\t\b\f\x01\x1f\x7f", "\\n\\r\\t\\b\\f\\u0001\\u001f\\u007f"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80"},
        {"\x80x", "\\ufffdx"},
        {"\xc3", "\\ufffd"},
        {"\xc3(", "\\ufffd("},
        {"\xc0\xaf", "\\ufffd\\ufffd"},
        {"\xe0\x80\xaf", "\\ufffd\\ufffd\\ufffd"},
        {"\xe2\x82", "\\ufffd\\ufffd"},
        {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},
        {"\xf0\x80\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
        {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
        {"\xf5\x80\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
        {"\xf5\xff\xfe", "\\ufffd\\ufffd\\ufffd"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[256];
        size_t bytes = log_json_escape(out, sizeof out, cases[i].from);
        assert_int_equal(bytes, strlen(cases[i].to));
        assert_memory_equal(out, cases[i].to, bytes);
        for (size_t room = 0; room < bytes; room++)
            assert_true(log_json_escape(out, room, cases[i].from) <= room);
    }
}

static void test_level_names(void **unused)
{
    int level = 77;
    (void)unused;
    for (int i = FGPU_LOG_OFF; i <= FGPU_LOG_TRACE; i++) {
        assert_true(log_level_parse(log_level_name(i), &level));
        assert_int_equal(level, i);
    }
    assert_true(log_level_parse("3", &level));
    assert_int_equal(level, FGPU_LOG_DEBUG);
    assert_false(log_level_parse("loud", &level));
    assert_false(log_level_parse("", &level));
    assert_false(log_level_parse("5", &level));
    assert_false(log_level_parse("-2", &level));
    assert_false(log_level_parse("1x", &level));
    assert_int_equal(level, FGPU_LOG_DEBUG);
    assert_string_equal(log_level_name(99), "trace");
    assert_string_equal(log_level_name(-99), "off");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),       cmocka_unit_test(test_long_line_is_cut),
        cmocka_unit_test(test_file_formats), cmocka_unit_test(test_json_escape),
        cmocka_unit_test(test_level_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
