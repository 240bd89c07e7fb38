/* The chart of `fastgpu demo latency`: every sample has a mark in its row and band, lines fit any
 * terminal, colours and characters are as asked for, and there is nothing to draw with no samples.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/latency/latency_chart.h"

#define LINES 64

static const struct urgent_sample slow[] = {{0, 500000000}, {999999999, 40000000}};
static const struct urgent_sample fast[] = {{500000000, 200000}};

static struct latency_chart example(uint32_t columns, uint32_t rows)
{
    struct latency_chart chart = {.heading = "How long a request waits",
                                  .length_ns = 1000000000,
                                  .columns = columns,
                                  .rows = rows};
    chart.bands[0] = (struct latency_band){
        .title = "off: whole launches", .samples = slow, .count = 2, .batch = 5000};
    chart.bands[1] = (struct latency_band){
        .title = "on: the batch makes way", .samples = fast, .count = 1, .batch = 4900};
    assert_true(latency_band_look(&chart.bands[0]));
    assert_true(latency_band_look(&chart.bands[1]));
    return chart;
}

/* [out] lines: into `text`, which is cut up. */
static uint32_t cut(char *text, char *lines[LINES])
{
    uint32_t count = 0;
    for (char *line = text, *end; (end = strchr(line, '\n')) && count < LINES; line = end + 1) {
        *end = '\0';
        lines[count++] = line;
    }
    return count;
}

static uint32_t marks(const char *line, size_t from, size_t to)
{
    uint32_t count = 0;
    for (size_t i = from; i < to && i < strlen(line); i++)
        count += line[i] == 'o' || line[i] == '@';
    return count;
}

static void test_places(void **state)
{
    (void)state;
    struct latency_chart chart = example(80, 16); /* four decades: four rows each */
    char *text = latency_chart_draw(&chart), *lines[LINES];
    assert_non_null(text);
    assert_int_equal(cut(text, lines), 1 + 16 + 1 + 4);
    for (uint32_t row = 0; row < 16; row++) {
        assert_int_equal(marks(lines[1 + row], 7, 43), row == 1 || row == 5);
        assert_int_equal(marks(lines[1 + row], 44, 80), row == 14);
    }
    assert_memory_equal(lines[1], "   1 s|", 7);
    assert_memory_equal(lines[5], "100 ms|", 7);
    assert_int_equal(lines[2][7], 'o');  /* at the beginning of the first band */
    assert_int_equal(lines[6][42], 'o'); /* and at its end */
    assert_int_equal(lines[15][44 + 18], 'o');
    assert_non_null(strstr(lines[19], "270 ms"));
    assert_non_null(strstr(lines[19], "0.20 ms"));
    assert_non_null(strstr(lines[21], "4900 groups/s, 98 %"));
    free(text);
}

static void test_widths(void **state)
{
    (void)state;
    for (uint32_t columns = 1; columns < 300; columns++)
        for (uint32_t rows = 0; rows < 50; rows += 7) {
            struct latency_chart chart = example(columns, rows);
            char *text = latency_chart_draw(&chart), *lines[LINES];
            assert_non_null(text);
            uint32_t count = cut(text, lines);
            assert_in_range(count, 5, 1 + 40 + 5);
            for (uint32_t i = 0; i < count; i++)
                assert_true(strlen(lines[i]) <= columns);
            free(text);
        }
}

static void test_looks(void **state)
{
    (void)state;
    struct latency_chart chart = example(60, 10);
    char *text = latency_chart_draw(&chart);
    assert_null(strchr(text, '\x1b'));
    for (const char *c = text; *c; c++)
        assert_true((unsigned char)*c < 0x80);
    free(text);
    chart.has_color = chart.is_utf8 = true;
    text = latency_chart_draw(&chart);
    assert_non_null(strstr(text, "\x1b[31m"));
    assert_non_null(strstr(text, "\x1b[32m"));
    assert_non_null(strstr(text, "\xe2\x80\xa2")); /* a dot */
    free(text);
}

static void test_extremes(void **state)
{
    (void)state;
    const struct urgent_sample far[] = {{UINT64_MAX, 0}, {5, 3600000000000u}, {5, 1}};
    struct latency_chart chart = {.heading = "", .length_ns = 1, .columns = 50, .rows = 8};
    for (int b = 0; b < LATENCY_CHART_BANDS; b++)
        chart.bands[b].title = "";
    char *text = latency_chart_draw(&chart); /* no samples */
    assert_non_null(strstr(text, "p50 -"));
    free(text);
    chart.bands[1].samples = far;
    chart.bands[1].count = 3;
    assert_true(latency_band_look(&chart.bands[1]));
    text = latency_chart_draw(&chart);
    assert_non_null(strchr(text, 'o'));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_places), cmocka_unit_test(test_widths),
                                       cmocka_unit_test(test_looks),
                                       cmocka_unit_test(test_extremes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
