/* Reports of made-up runs: what is in the file, that names from outside stay text, that columns
 * hold the numbers they were made from, what happens where the file cannot be written. How it looks
 * and behaves in a browser is tests/cli/report.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "cli/common/cli_limits.h"
#include "cli/common/file.h"
#include "cli/report/report.h"
#include "cli/report/report_text.h"
#include "cli/common/text_table.h"
#include "lib/report_cases.h"

static char folder[] = "/tmp/fastgpu-report-XXXXXX";
static char path[64];
static char why[CLI_WHY_BYTES];

/* The text of a report; closed by a 0. */
static char *written(const struct report_case *of)
{
    struct file_bytes bytes;

    fgpu_status status =
        report_write(path, &of->evaluation, of->pictures, of->picture_count, why, sizeof why);
    if (status != FGPU_OK)
        fail_msg("status %d: %s", status, why);
    assert_int_equal(file_read(path, 64 << 20, &bytes, why, sizeof why), FGPU_OK);
    assert_true(file_bytes_append(&bytes, "", 1));
    assert_int_equal(strlen((char *)bytes.data), bytes.size_bytes - 1);
    return (char *)bytes.data;
}

static char *written_case(const char *name)
{
    struct report_case *of = report_case_create(name);

    assert_non_null(of);
    char *text = written(of);
    report_case_destroy(of);
    return text;
}

static size_t occurrences(const char *text, const char *of)
{
    size_t count = 0;

    for (; (text = strstr(text, of)) != NULL; text += strlen(of))
        count++;
    return count;
}

/* The page's data. */
static cJSON *data_of(const char *text)
{
    const char *start = strstr(text, "id=\"data\">");

    assert_non_null(start);
    start += strlen("id=\"data\">");
    const char *end = strstr(start, "</script>");
    assert_non_null(end);
    cJSON *data = cJSON_ParseWithLength(start, (size_t)(end - start));
    assert_non_null(data);
    return data;
}

static const char *text_of(const cJSON *data, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(data, name));

    assert_non_null(text);
    return text;
}

/* RFC 4648, 4. */
static size_t decode(const char *text, unsigned char *to)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = strlen(text), used = 0;
    uint32_t bits = 0, count = 0;

    assert_int_equal(length % 4, 0);
    for (size_t i = 0; i < length && text[i] != '='; i++) {
        const char *digit = strchr(digits, text[i]);
        assert_non_null(digit);
        bits = bits << 6 | (uint32_t)(digit - digits);
        count += 6;
        if (count >= 8) {
            count -= 8;
            to[used++] = (unsigned char)(bits >> count);
        }
    }
    return used;
}

struct column {
    unsigned char *bytes;
    size_t size, at;
};

static struct column column_of(const cJSON *data, const char *name)
{
    const char *text = text_of(data, name);
    struct column column = {.bytes = malloc(strlen(text) + 1)};

    assert_non_null(column.bytes);
    column.size = decode(text, column.bytes);
    return column;
}

static uint64_t next(struct column *column)
{
    uint64_t value = 0;

    for (uint32_t shift = 0;; shift += 7) {
        assert_true(column->at < column->size && shift < 64);
        unsigned char byte = column->bytes[column->at++];
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return value;
    }
}

static int64_t next_signed(struct column *column)
{
    uint64_t value = next(column);

    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static void test_every_case_is_a_whole_page(void **state)
{
    (void)state;
    for (const char *const *name = report_case_names; *name; name++) {
        char *text = written_case(*name);
        print_message("%s: %zu bytes\n", *name, strlen(text));
        assert_memory_equal(text, "<!doctype html>", 15);
        assert_string_equal(text + strlen(text) - 8, "</html>\n");
        assert_null(strstr(text, "<!--@")); /* every mark is filled */
        static const char *const parts[] = {"Assess</h2>", "Schedule</h2>", "Memory</h2>",
                                            "Balance</h2>", "Evaluate</h2>"};
        for (size_t i = 0; i < 5; i++)
            assert_int_equal(occurrences(text, parts[i]), 1);
        /* Nothing is fetched: the addresses that are there are within the file. */
        assert_int_equal(occurrences(text, "://"), 0);
        assert_int_equal(occurrences(text, "src=\""), occurrences(text, "src=\"data:image/"));
        assert_int_equal(occurrences(text, "href=\""),
                         occurrences(text, "href=\"#") + occurrences(text, "href=\"data:,\""));
        assert_int_equal(occurrences(text, "<table>"), occurrences(text, "</table>"));
        assert_int_equal(occurrences(text, "<tr>"), occurrences(text, "</tr>"));
        cJSON_Delete(data_of(text));
        free(text);
    }
}

static void test_what_was_not_measured_is_unknown(void **state)
{
    (void)state;
    char *text = written_case("unknown");
    assert_null(strstr(text, "tasks took <b>"));
    assert_non_null(strstr(text, "How long the tasks took through the pool is unknown."));
    assert_non_null(strstr(text, "What ran where and when is unknown"));
    assert_non_null(strstr(text, "How busy the devices were is unknown"));
    assert_null(strstr(text, ">nan"));
    assert_null(strstr(text, "inf "));
    assert_non_null(strstr(text, "cores taken by others</dt><dd class=\"unknown\">"));
    assert_null(strstr(text, "Other programs took"));
    free(text);
}

static void test_results(void **state)
{
    (void)state;
    char *text = written_case("demo");
    /* By hand 150, one queue 112, lower bound 82, the shown round 90 of 100 parts. */
    assert_non_null(strstr(text, "<b>1.67 times</b> as fast as by hand"));
    assert_non_null(strstr(text, "<b>1.24 times</b> as fast as the best single in-order queue"));
    assert_non_null(strstr(text, "<b>1.10 times</b> as long as the lower bound"));
    assert_int_equal(occurrences(text, "<g class=\"k"), 240); /* the graph */
    assert_int_equal(occurrences(text, "<img "), 4);
    assert_int_equal(occurrences(text, "data-before=\"picture-1\""),
                     2); /* what they are made from */
    assert_int_equal(occurrences(text, "data-before=\"picture-0\""), 0);
    /* The documents' answers, and what their formulas give. */
    assert_non_null(strstr(text, "694.444"));
    assert_non_null(strstr(text, "the formula gives</dt><dd>4.1</dd>"));
    assert_non_null(strstr(text, "task 5 (score -150)"));
    free(text);

    text = written_case("failed");
    assert_non_null(strstr(text, "task 3: the device reported an error"));
    assert_non_null(strstr(text, "FGPU_E_POISONED"));
    assert_non_null(strstr(text, "The run was stopped before its end"));
    assert_non_null(strstr(text, "no memory on the device"));
    free(text);
}

static void test_others(void **state)
{
    (void)state;
    struct report_case *of = report_case_create("demo");
    assert_non_null(of);
    of->evaluation.others_share = 0.04;
    char *text = written(of);
    assert_non_null(strstr(text, "cores taken by others</dt><dd><bdi>4 %</bdi>"));
    assert_null(strstr(text, "Other programs took"));
    free(text);
    of->evaluation.others_share = 0.25;
    text = written(of);
    assert_non_null(strstr(text, "Other programs took 25 % of the machine's cores"));
    free(text);
    report_case_destroy(of);
}

/* What is cut is cut between characters. */
static void test_cut_cells(void **state)
{
    static const struct report_column columns[] = {{"name", false}};
    /* 1 to 4 bytes: a, é, €, U+1F600 */
    static const char *const characters[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    static struct text_table_row row;

    (void)state;
    for (size_t c = 0; c < 4; c++)
        for (size_t before = 0; before < 4; before++) {
            struct report_text text = {0};
            struct report_table table;
            char name[512] = "", *end = name;
            size_t length = strlen(characters[c]);
            for (size_t i = 0; i < before; i++)
                *end++ = '-';
            for (size_t i = 0; i < 80; i++, end += length)
                memcpy(end, characters[c], length + 1);
            text_table_set(&row, 0, "%s", name);
            size_t kept = (TEXT_TABLE_CELL_BYTES - 1 - before) / length;
            assert_int_equal(strlen(row.cells[0]), before + kept * length);
            report_table_open(&table, &text, "", columns, 1);
            report_table_row(&table);
            report_table_format(&table, "%s", name);
            assert_true(file_bytes_append(&text.bytes, "", 1));
            assert_null(strstr((char *)text.bytes.data, "\xef\xbf\xbd"));
            report_text_fini(&text);
        }
}

static void test_clock_of_a_device(void **state)
{
    struct report_case *of = report_case_create("demo");

    (void)state;
    assert_non_null(of);
    char *text = written(of);
    assert_null(strstr(text, "The clock of"));
    free(text);
    for (uint32_t i = 0; i < of->workload.task_count; i++)
        if (of->evaluation.tasks[i].device == 1) {
            of->evaluation.tasks[i].start_ns -= 900000000;
            of->evaluation.tasks[i].end_ns -= 900000000;
        }
    text = written(of);
    assert_non_null(strstr(text, "The clock of <bdi>opencl:0</bdi> is not that of the host: 1"));
    free(text);
    report_case_destroy(of);
}

/* Markup in names is text: the page has as many elements as with good names. */
static void test_hostile_names(void **state)
{
    (void)state;
    char *text = written_case("hostile");
    assert_int_equal(occurrences(text, "</script"), 2);
    assert_int_equal(occurrences(text, "<script"), 2);
    assert_int_equal(occurrences(text, "<img"), 4);
    assert_int_equal(occurrences(text, "<img src=x"), 0);
    assert_int_equal(occurrences(text, "onerror=\""), 0);
    assert_true(occurrences(text, "onerror=&quot;") > 30);
    assert_int_equal(occurrences(text, "\x01"), 0);
    cJSON *data = data_of(text);
    const cJSON *kernel = cJSON_GetArrayItem(cJSON_GetObjectItem(data, "kernels"), 0);
    assert_string_equal(text_of(kernel, "name"), report_case_hostile);
    cJSON_Delete(data);
    free(text);
}

/* Names, front-coded. */
static void expect_names(const cJSON *data, const struct workload *workload)
{
    struct column names = column_of(data, "names");
    char name[WORKLOAD_NAME_BYTES] = "";

    for (uint32_t i = 0; i < workload->task_count; i++) {
        size_t shared = next(&names), fresh = next(&names);
        assert_true(i % 64 != 0 || shared == 0);
        assert_true(shared + fresh < sizeof name && names.at + fresh <= names.size);
        memcpy(name + shared, names.bytes + names.at, fresh);
        name[shared + fresh] = '\0';
        names.at += fresh;
        if (strcmp(name, workload->tasks[i].name) != 0)
            fail_msg("task %u is %s instead of %s", i, name, workload->tasks[i].name);
    }
    assert_int_equal(names.at, names.size);
    free(names.bytes);
}

/* Every task is there once, with its times to the nanosecond, on the line of its queue. */
static uint32_t expect_slices(const cJSON *data, const struct report_case *of)
{
    struct column start = column_of(data, "start"), length = column_of(data, "length");
    struct column item = column_of(data, "item"), predicted = column_of(data, "predicted");
    struct column ready = column_of(data, "ready");
    const cJSON *row;
    uint32_t tasks = 0;

    cJSON_ArrayForEach(row, cJSON_GetObjectItem(data, "rows"))
    {
        uint64_t at = of->evaluation.traced.start_ns;
        int64_t number = 0;
        const char *label = text_of(row, "label");
        for (int i = cJSON_GetObjectItem(row, "count")->valueint; i > 0; i--) {
            at += (uint64_t)next_signed(&start);
            uint64_t end = at + next(&length);
            number += next_signed(&item);
            if (cJSON_GetObjectItem(row, "kind")->valueint != 0)
                continue;
            const struct evaluation_task *task = &of->evaluation.tasks[number];
            const char *id = of->evaluation.devices[task->device].info.id;
            uint64_t wait = next(&ready);
            if (task->start_ns != at || task->end_ns != end || strstr(label, id) != label ||
                next(&predicted) != task->predicted_ns || wait % 2 == 0 ||
                task->start_ns - (wait - 1) / 2 != task->ready_ns)
                fail_msg("task %d is not what it was", (int)number);
            tasks++;
        }
    }
    assert_int_equal(start.at, start.size);
    assert_int_equal(item.at, item.size);
    free(start.bytes);
    free(length.bytes);
    free(item.bytes);
    free(predicted.bytes);
    free(ready.bytes);
    return tasks;
}

static void test_large(void **state)
{
    (void)state;
    struct report_case *of = report_case_create("large");
    assert_non_null(of);
    char *text = written(of);
    assert_true(strlen(text) < 10000000);
    assert_null(strstr(text, "id=\"graph\""));
    assert_non_null(strstr(text, "The graph has 100,000 tasks and 75,000 edges"));
    cJSON *data = data_of(text);
    assert_string_equal(text_of(data, "edges"), "");
    expect_names(data, &of->workload);
    assert_int_equal(expect_slices(data, of), 100000);
    cJSON_Delete(data);
    free(text);
    report_case_destroy(of);
}

/* Fills blocks of 2 x 2 so that their mean is their place. */
static void blocks(struct image *image)
{
    static const int around[4] = {-20, 20, 11, -11};

    for (uint32_t y = 0; y < image->height; y++)
        for (uint32_t x = 0; x < image->width; x++)
            image->pixels[(size_t)y * image->width + x] =
                (uint8_t)(30 + x / 2 / 5 % 150 + (uint32_t)around[y % 2 * 2 + x % 2]);
}

/* A picture of twice the width comes out as the means of its blocks. */
static void test_picture_is_averaged(void **state)
{
    struct report_case *of = report_case_create("one");
    struct image image, small;
    unsigned char *bytes;

    (void)state;
    assert_non_null(of);
    assert_int_equal(image_init(&image, 960, 8, 1, why, sizeof why), FGPU_OK);
    blocks(&image);
    of->pictures[0] = (struct report_picture){"a", &image, true};
    of->picture_count = 1;
    char *text = written(of);
    char *start = strstr(text, ";base64,");
    assert_non_null(start);
    start += strlen(";base64,");
    *strchr(start, '"') = '\0';
    bytes = malloc(strlen(start));
    assert_non_null(bytes);
    size_t size = decode(start, bytes);
    assert_int_equal(image_load_memory(bytes, size, "picture", &small, why, sizeof why), FGPU_OK);
    assert_int_equal(small.width, 480);
    assert_int_equal(small.height, 4);
    assert_int_equal(bytes[1], 'P'); /* PNG, so every sample is exact */
    for (uint32_t y = 0; y < 4; y++)
        for (uint32_t x = 0; x < 480; x++)
            assert_int_equal(small.pixels[(size_t)y * 480 + x], 30 + x / 5 % 150);
    free(bytes);
    free(text);
    image_fini(&small);
    image_fini(&image);
    report_case_destroy(of);
}

/* Pictures that do not compress: as many as fit, and it says that there were more. */
static void test_pictures_beyond_the_limit(void **state)
{
    struct report_case *of = report_case_create("one");
    struct report_picture pictures[70];
    struct image noise;
    uint32_t seed = 1;

    (void)state;
    assert_non_null(of);
    assert_int_equal(image_init(&noise, 480, 400, 3, why, sizeof why), FGPU_OK);
    for (size_t i = 0; i < image_size_bytes(&noise); i++) {
        seed = seed * 1664525U + 1013904223U;
        noise.pixels[i] = (uint8_t)(seed >> 24);
    }
    for (size_t i = 0; i < 70; i++)
        pictures[i] = (struct report_picture){"noise", &noise, i == 0};
    assert_int_equal(report_write(path, &of->evaluation, pictures, 70, why, sizeof why), FGPU_OK);
    struct file_bytes bytes;
    assert_int_equal(file_read(path, 64 << 20, &bytes, why, sizeof why), FGPU_OK);
    assert_true(file_bytes_append(&bytes, "", 1));
    const char *text = (const char *)bytes.data;
    size_t shown = occurrences(text, "<img ");
    assert_true(shown > 2 && shown < 70 && bytes.size_bytes < (3 << 20) + 200000);
    assert_non_null(strstr(text, " of 70 pictures are shown; the others did not fit."));
    file_bytes_fini(&bytes);
    image_fini(&noise);
    report_case_destroy(of);
}

static void expect_failure(const struct report_case *of, const char *to, fgpu_status want)
{
    why[0] = '\0';
    fgpu_status status = report_write(to, &of->evaluation, NULL, 0, why, sizeof why);
    if (status != want || !strstr(why, to))
        fail_msg("status %d instead of %d: \"%s\"", status, want, why);
}

static size_t files_in_folder(void)
{
    DIR *entries = opendir(folder);
    size_t count = 0;

    assert_non_null(entries);
    while (readdir(entries))
        count++;
    (void)closedir(entries);
    return count - 2;
}

static void test_file_that_cannot_be_written(void **state)
{
    struct report_case *of = report_case_create("demo");
    struct rlimit before, small;
    struct file_bytes bytes;

    (void)state;
    assert_non_null(of);
    expect_failure(of, folder, FGPU_E_IO);
    expect_failure(of, "/tmp/fastgpu-no-such-folder/report.html", FGPU_E_IO);
    expect_failure(of, "/dev/full", FGPU_E_IO);

    /* A disk that fills up: the old file stays, and nothing else. */
    assert_int_equal(file_replace(path, "old", 3, why, sizeof why), FGPU_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    small = (struct rlimit){10000, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    expect_failure(of, path, FGPU_E_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(file_read(path, 100, &bytes, why, sizeof why), FGPU_OK);
    assert_int_equal(bytes.size_bytes, 3);
    assert_memory_equal(bytes.data, "old", 3);
    file_bytes_fini(&bytes);
    assert_int_equal(files_in_folder(), 1);
    report_case_destroy(of);
}

/* Where memory ends in the middle, no half report comes of it. */
static void test_no_memory(void **state)
{
    struct report_case *of;
    struct rlimit before, small;
    unsigned long pages = 0;
    const char *sanitize = getenv("FASTGPU_SANITIZE");

    (void)state;
    if (sanitize && sanitize[0])
        skip(); /* the sanitizers' own memory is beyond any such limit */
    of = report_case_create("large");
    assert_non_null(of);
    assert_int_equal(file_replace(path, "old", 3, why, sizeof why), FGPU_OK);
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    (void)fclose(file);
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    small = (struct rlimit){pages * (rlim_t)sysconf(_SC_PAGESIZE) + 6000000, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &small), 0);
    fgpu_status status = report_write(path, &of->evaluation, NULL, 0, why, sizeof why);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(status, FGPU_E_NOMEM);
    assert_non_null(strstr(why, "no memory for the report"));
    struct file_bytes bytes;
    assert_int_equal(file_read(path, 100, &bytes, why, sizeof why), FGPU_OK);
    assert_int_equal(bytes.size_bytes, 3);
    file_bytes_fini(&bytes);
    report_case_destroy(of);
}

static void test_numbers(void **state)
{
    char room[REPORT_NUMBER_BYTES];

    (void)state;
    assert_string_equal(report_number_ns(room, 0, false), "unknown");
    assert_string_equal(report_number_ns(room, 999.4, true), "999 ns");
    assert_string_equal(report_number_ns(room, 999.6, true), "1.00 µs");
    assert_string_equal(report_number_ns(room, 12345678, true), "12.3 ms");
    assert_string_equal(report_number_ns(room, 99.96e9, true), "100 s");
    assert_string_equal(report_number_bytes(room, 999, true), "999 B");
    assert_string_equal(report_number_bytes(room, 1.5e6, true), "1.50 MB");
    assert_string_equal(report_number_bytes(room, 999.6e9, true), "1.00 TB");
    assert_string_equal(report_number_share(room, 0.934, true), "93 %");
    assert_string_equal(report_number_count(room, 999), "999");
    assert_string_equal(report_number_count(room, 1234567), "1,234,567");
    assert_string_equal(report_number_ratio(room, 1.0 / 3, true), "0.33 ×");
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof path, "%s/report.html", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_every_case_is_a_whole_page),
        cmocka_unit_test(test_what_was_not_measured_is_unknown),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_cut_cells),
        cmocka_unit_test(test_clock_of_a_device),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_picture_is_averaged),
        cmocka_unit_test(test_pictures_beyond_the_limit),
        cmocka_unit_test(test_file_that_cannot_be_written),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
