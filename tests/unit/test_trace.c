/* The ring of events and its names: off, on, wrapped, copied, out of memory; and JSON pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/parse_json.h"
#include "lib/poor_alloc.h"
#include "trace/json.h"
#include "trace/trace.h"

static struct trace t;
static struct poor_alloc poor;

static int start(void **state)
{
    (void)state;
    poor_alloc_init(&poor);
    trace_init(&t, 16, &poor.hooks);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    trace_fini(&t);
    assert_int_equal(poor.live_count, 0);
    return 0;
}

static void emit(uint64_t number)
{
    trace_emit(&t, (struct trace_event){.kind = TRACE_READY, .time_ns = number, .task = number});
}

static void test_off_costs_nothing(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 100; i++)
        emit(i);
    assert_int_equal(trace_length(&t), 0);
    assert_null(t.ring);
    assert_int_equal(poor.live_count, 0);
    trace_enable(&t, false);
    assert_null(t.ring);
}

static void test_the_newest_are_kept_in_order(void **state)
{
    (void)state;
    assert_int_equal(trace_enable(&t, true), FGPU_OK);
    for (uint64_t n = 0; n < 50; n++) {
        uint32_t length = n < 16 ? (uint32_t)n : 16;
        assert_int_equal(trace_length(&t), length);
        for (uint32_t i = 0; i < length; i++)
            assert_int_equal(trace_at(&t, i)->task, n - length + i);
        emit(n);
    }
    trace_enable(&t, false);
    emit(1000);
    assert_int_equal(trace_at(&t, 15)->task, 49);
    trace_enable(&t, true);
    emit(50);
    assert_int_equal(trace_at(&t, 15)->task, 50);
    assert_int_equal(trace_at(&t, 14)->task, 49);
    trace_clear(&t);
    assert_int_equal(trace_length(&t), 0);
    assert_true(t.on);
}

static void test_default_size(void **state)
{
    (void)state;
    struct trace large;
    trace_init(&large, 0, NULL);
    assert_int_equal(large.capacity, 262144);
    assert_int_equal(trace_enable(&large, true), FGPU_OK);
    trace_fini(&large);
    trace_fini(NULL);
}

static void test_no_memory_stays_off(void **state)
{
    (void)state;
    poor.left = 0;
    assert_int_equal(trace_enable(&t, true), FGPU_E_NOMEM);
    emit(1);
    assert_int_equal(trace_name(&t, "a"), 0);
    for (long left = 0; left < 6; left++) {
        poor.left = left;
        uint32_t a = trace_name(&t, "a"), b = trace_name(&t, "b");
        assert_true(a == 0 || strcmp(trace_name_text(&t, a), "a") == 0);
        assert_true(b == 0 || strcmp(trace_name_text(&t, b), "b") == 0);
    }
    poor.left = -1;
    assert_int_equal(trace_enable(&t, true), FGPU_OK);
    emit(2);
    struct trace copy;
    for (poor.left = 0;; poor.left++) {
        long left = poor.left;
        if (trace_copy(&t, t.hooks, &copy) == FGPU_OK)
            break;
        poor.left = left;
        assert_true(left < 20);
    }
    trace_fini(&copy);
    poor.left = -1;
}

static void test_names(void **state)
{
    (void)state;
    char longest[200];
    uint32_t a = trace_name(&t, "gemm"), b = trace_name(&t, "saxpy");
    assert_true(a != 0 && b != 0 && a != b);
    assert_int_equal(trace_name(&t, "gemm"), a);
    assert_string_equal(trace_name_text(&t, a), "gemm");
    assert_string_equal(trace_name_text(&t, b), "saxpy");
    assert_int_equal(trace_name(&t, NULL), 0);
    assert_int_equal(trace_name(&t, ""), 0);
    assert_string_equal(trace_name_text(&t, 0), "");
    assert_string_equal(trace_name_text(&t, 777), "");

    memset(longest, 'x', sizeof longest);
    longest[199] = '\0';
    uint32_t cut = trace_name(&t, longest);
    assert_int_equal(strlen(trace_name_text(&t, cut)), 63);
    longest[150] = 'y'; /* behind the cut */
    assert_int_equal(trace_name(&t, longest), cut);
    longest[62] = (char)0xc3; /* e with an accent lies across the cut: it goes as a whole */
    longest[63] = (char)0xa9;
    assert_int_equal(strlen(trace_name_text(&t, trace_name(&t, longest))), 62);
    trace_clear(&t);
    assert_int_equal(trace_name(&t, "gemm"), a);
}

static void test_the_table_of_names_has_an_end(void **state)
{
    (void)state;
    char text[32];
    for (uint32_t i = 1; i <= LIMITS_TRACE_NAMES; i++) {
        snprintf(text, sizeof text, "name %u", i);
        assert_int_equal(trace_name(&t, text), i);
    }
    assert_int_equal(trace_name(&t, "one more"), 0);
    assert_int_equal(trace_name(&t, "name 262144"), 262144);
    assert_string_equal(trace_name_text(&t, 262144), "name 262144");
}

static void test_a_copy_is_the_same_and_apart(void **state)
{
    (void)state;
    struct trace copy;
    uint32_t a = trace_name(&t, "gemm");
    assert_int_equal(trace_copy(&t, t.hooks, &copy), FGPU_OK); /* nothing traced yet */
    assert_int_equal(trace_length(&copy), 0);
    trace_fini(&copy);
    trace_enable(&t, true);
    for (uint64_t filled = 1; filled < 40; filled++) {
        emit(filled);
        assert_int_equal(trace_copy(&t, t.hooks, &copy), FGPU_OK);
        assert_false(copy.on);
        assert_int_equal(trace_length(&copy), trace_length(&t));
        for (uint32_t i = 0; i < trace_length(&t); i++)
            assert_memory_equal(trace_at(&copy, i), trace_at(&t, i), sizeof(struct trace_event));
        assert_string_equal(trace_name_text(&copy, a), "gemm");
        assert_ptr_not_equal(trace_name_text(&copy, a), trace_name_text(&t, a));
        trace_fini(&copy);
    }
}

static void test_kinds_have_names(void **state)
{
    (void)state;
    assert_string_equal(trace_kind_name(TRACE_RUN_BEGIN), "RUN_BEGIN");
    assert_string_equal(trace_kind_name(TRACE_DEVICE_LOST), "DEVICE_LOST");
    assert_string_equal(trace_kind_name(TRACE_KIND_COUNT), "?");
    assert_string_equal(trace_kind_value(TRACE_MOVE_BEGIN, 0), "bytes");
    assert_string_equal(trace_kind_value(TRACE_EVICT, 1), "node");
    assert_string_equal(trace_kind_value(99, 0), "");
    assert_true(trace_nodes(3, 5) >> 32 == 3 && (uint32_t)trace_nodes(3, 5) == 5);
}

static void test_candidates_keep_their_times(void **state)
{
    (void)state;
    static const struct trace_candidate cases[] = {
        {0, 0, 0, false, false, 0},
        {1, 2, 3, true, false, 1},
        {TRACE_CANDIDATE_NS, 0, 0, false, true, 5},
        {0, TRACE_CANDIDATE_NS, 0, true, true, 63},
        {0, 0, TRACE_CANDIDATE_NS, false, false, 2},
        {0x123456789a, 0xfedcba9876, 0xabcdef0123, true, true, 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trace_event event = {.kind = TRACE_CANDIDATE};
        trace_candidate_put(&event, &cases[i]);
        struct trace_candidate got = trace_candidate_get(&event);
        assert_int_equal(got.wait_ns, cases[i].wait_ns);
        assert_int_equal(got.copy_ns, cases[i].copy_ns);
        assert_int_equal(got.run_ns, cases[i].run_ns);
        assert_int_equal(got.known, cases[i].known);
        assert_int_equal(got.chosen, cases[i].chosen);
        assert_int_equal(got.how, cases[i].how);
    }
    struct trace_event event = {0};
    trace_candidate_put(
        &event, &(struct trace_candidate){UINT64_MAX, UINT64_MAX, UINT64_MAX, true, false, 3});
    struct trace_candidate got = trace_candidate_get(&event);
    assert_true(got.wait_ns == TRACE_CANDIDATE_NS && got.copy_ns == TRACE_CANDIDATE_NS &&
                got.run_ns == TRACE_CANDIDATE_NS && got.known && !got.chosen && got.how == 3);
}

/* ---- JSON */

static char text[40000];
static size_t text_used;

static fgpu_status take(void *user, const char *piece, size_t bytes)
{
    if (user != NULL)
        return FGPU_E_IO;
    assert_true(text_used + bytes < sizeof text);
    memcpy(text + text_used, piece, bytes);
    text_used += bytes;
    text[text_used] = '\0';
    return FGPU_OK;
}

static void test_json_strings(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", "\"\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"\n\t\x01\x7f", "\"\\u000a\\u0009\\u0001\\u007f\""},
        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\""},
        {"\x80", "\"\\ufffd\""},
        {"\xc3", "\"\\ufffd\""},
        {"\xc3(", "\"\\ufffd(\""},
        {"\xc0\xaf", "\"\\ufffd\\ufffd\""},                         /* overlong */
        {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},              /* surrogate */
        {"\xf4\x90\x80\x80x", "\"\\ufffd\\ufffd\\ufffd\\ufffdx\""}, /* beyond U+10FFFF */
        {"\xf0\x9f\x98", "\"\\ufffd\\ufffd\\ufffd\""},
        {"\xff", "\"\\ufffd\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json json;
        text_used = 0;
        json_begin(&json, take, NULL);
        json_string(&json, cases[i].in);
        assert_int_equal(json_end(&json), FGPU_OK);
        assert_string_equal(text, cases[i].out);
        struct parse_json *parsed = parse_json(text);
        assert_non_null(parsed);
        parse_json_free(parsed);
    }
}

static void test_json_numbers(void **state)
{
    (void)state;
    struct json json;
    text_used = 0;
    json_begin(&json, take, NULL);
    json_u64(&json, 0);
    json_raw(&json, " ");
    json_u64(&json, UINT64_MAX);
    json_raw(&json, " ");
    json_i64(&json, INT64_MIN);
    json_raw(&json, " ");
    json_i64(&json, -28);
    json_raw(&json, " ");
    json_us(&json, 7);
    json_raw(&json, " ");
    json_us(&json, 1234050);
    assert_int_equal(json_end(&json), FGPU_OK);
    assert_string_equal(text, "0 18446744073709551615 -9223372036854775808 -28 0.007 1234.050");
}

static void test_json_longer_than_its_buffer(void **state)
{
    (void)state;
    struct json json;
    char expected[30001];
    text_used = 0;
    json_begin(&json, take, NULL);
    for (int i = 0; i < 30000; i += 3) {
        json_raw(&json, "abc");
        memcpy(expected + i, "abc", 3);
    }
    expected[30000] = '\0';
    assert_int_equal(json_end(&json), FGPU_OK);
    assert_string_equal(text, expected);
    json_begin(&json, take, &json); /* fails */
    for (int i = 0; i < 30000; i++)
        json_raw(&json, "abc");
    assert_int_equal(json_end(&json), FGPU_E_IO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_off_costs_nothing),
        TEST(test_the_newest_are_kept_in_order),
        TEST(test_default_size),
        TEST(test_no_memory_stays_off),
        TEST(test_names),
        TEST(test_the_table_of_names_has_an_end),
        TEST(test_a_copy_is_the_same_and_apart),
        TEST(test_kinds_have_names),
        TEST(test_candidates_keep_their_times),
        TEST(test_json_strings),
        TEST(test_json_numbers),
        TEST(test_json_longer_than_its_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
