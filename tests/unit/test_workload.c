/* What a good workload becomes: regions, values, repetition and order against figures worked out by
 * hand; expressions. What is said of bad ones is
 * in tests/golden/test_workload.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/common/cli_limits.h"
#include "cli/workload/expression.h"
#include "lib/workload_files.h"

#define HEAD "{\"fastgpu\": 1, \"buffers\": {"
#define KERNEL                                                                                     \
    "}, \"kernels\": {\"k\": {\"file\": \"k.cl\", \"options\": \"-DN=2\", \"args\": ["             \
    "{\"read-write\": \"x\"}, {\"scalar\": \"v\", \"type\": \"int16x4\"}, "                        \
    "{\"local\": \"l\"}]}}, \"tasks\": ["
#define ARGS "\"args\": {\"x\": \"x\", \"v\": [1, -2, 3, \"4 * 5\"], \"l\": 64}, \"grid\": [8, 4]"

static struct workload workload;

static void parse(const char *text)
{
    fgpu_status status = workload_parse(text, strlen(text), "folder", &workload_made_up, &workload);

    if (status != FGPU_OK)
        fail_msg("%s: %s: %s", text, workload.mistakes ? workload.mistakes->path : "",
                 workload.mistakes ? workload.mistakes->text : "");
}

static void assert_region(uint32_t arg, fgpu_region wanted)
{
    assert_memory_equal(&workload.args[arg].region, &wanted, sizeof wanted);
}

static void test_task(void **state)
{
    static const int16_t lanes[4] = {1, -2, 3, 20};

    (void)state;
    parse(HEAD "\"x\": {\"shape\": 8, \"type\": \"float32\"}" KERNEL
               "{\"name\": \"a\", \"kernel\": \"k\", \"priority\": -5, \"local\": [2, 4], " ARGS
               "}]}");
    const struct workload_task *task = &workload.tasks[0];
    const struct workload_kernel *kernel = &workload.kernels[0];
    assert_int_equal(workload.task_count, 1);
    assert_string_equal(kernel->path, "folder/k.cl");
    assert_string_equal(kernel->entry, "k");
    assert_string_equal(kernel->options, "-DN=2");
    assert_int_equal(kernel->param_count, 3);
    assert_int_equal(kernel->params[0].access, FGPU_READ_WRITE);
    assert_string_equal(task->name, "a");
    assert_int_equal(task->priority, -5);
    assert_int_equal(task->dims, 2);
    assert_int_equal(task->global[0] * 100 + task->global[1], 804);
    assert_int_equal(task->local[0] * 100 + task->local[1], 204);
    assert_int_equal(workload.args[0].access, FGPU_READ_WRITE);
    assert_region(0, fgpu_region_whole());
    assert_int_equal(workload.args[1].size_bytes, sizeof lanes);
    assert_memory_equal(workload.args[1].value, lanes, sizeof lanes);
    assert_int_equal(workload.args[2].kind, FGPU_ARG_LOCAL);
    assert_int_equal(workload.args[2].size_bytes, 64);
    workload_fini(&workload);
}

static void test_regions(void **state)
{
    (void)state;
    parse(
        HEAD
        "\"a\": {\"shape\": [10, 6, 2], \"type\": \"int16\"}, "
        "\"b\": {\"shape\": [10, 6], \"type\": \"int32\", \"pitch\": 8}" KERNEL
        "{\"kernel\": \"k\", \"grid\": 1, \"repeat\": {\"n\": [\"a\", \"b\"]}, \"args\": "
        "{\"x\": {\"buffer\": \"{n}\", \"rows\": [2, 5]}, \"v\": [0, 0, 0, 0], \"l\": 1}},"
        "{\"kernel\": \"k\", \"grid\": 1, \"repeat\": {\"n\": [\"a\", \"b\"]}, \"args\": "
        "{\"x\": {\"buffer\": \"{n}\", \"rows\": [2, 5], \"columns\": [1, 4]}, "
        "\"v\": [0, 0, 0, 0], \"l\": 1}},"
        "{\"kernel\": \"k\", \"grid\": 1, \"args\": {\"x\": {\"buffer\": \"a\", \"range\": [3, 7],"
        " \"access\": \"read\"}, \"v\": [0, 0, 0, 0], \"l\": 1}}]}");
    assert_int_equal(workload.task_count, 5);
    assert_region(0, fgpu_region_span(2 * 24, 3 * 24));
    assert_region(3, fgpu_region_span(2 * 32, 3 * 32));
    assert_region(6, fgpu_region_rect(2 * 24 + 4, 3 * 4, 24, 3));
    assert_region(9, fgpu_region_rect(2 * 32 + 4, 3 * 4, 32, 3));
    assert_region(12, fgpu_region_span(6, 8));
    assert_int_equal(workload.args[12].access, FGPU_READ);
    assert_int_equal(workload.buffer_bytes, 10 * 24 + 10 * 32);
    workload_fini(&workload);
}

static void assert_cut(uint32_t arg, fgpu_cut wanted)
{
    assert_memory_equal(&workload.args[arg].cut, &wanted, sizeof wanted);
}

static void test_cuts(void **state)
{
    (void)state;
    parse(HEAD "\"a\": {\"shape\": [10, 6, 2], \"type\": \"int16\"}, "
               "\"b\": {\"shape\": [10, 6], \"type\": \"int32\", \"pitch\": 8}, "
               "\"c\": {\"shape\": 40, \"type\": \"int32\"}" KERNEL
               "{\"kernel\": \"k\", \"grid\": [3, 20], \"repeat\": {\"n\": [\"a\", \"b\"]}, "
               "\"args\": {\"x\": \"{n}\", \"v\": [0, 0, 0, 0], \"l\": 1}, "
               "\"divisible\": {\"x\": {\"rows\": 1, \"items\": 2}}},"
               "{\"kernel\": \"k\", \"grid\": [3, 20], \"args\": {\"x\": {\"buffer\": \"c\", "
               "\"access\": \"read\"}, \"v\": [0, 0, 0, 0], \"l\": 1}, \"divisible\": {\"x\": "
               "{\"elements\": \"c.count / 20\", \"before\": 3, \"after\": 4}}},"
               "{\"kernel\": \"k\", \"grid\": 1, \"args\": {\"x\": \"c\", "
               "\"v\": [0, 0, 0, 0], \"l\": 1}}]}");
    assert_int_equal(workload.task_count, 4);
    assert_true(workload.tasks[0].is_divisible && workload.tasks[2].is_divisible);
    assert_false(workload.tasks[3].is_divisible);
    assert_cut(0, (fgpu_cut){FGPU_CUT_ITEMS, 2, 24, 0, 0});
    assert_cut(1, fgpu_cut_whole());
    assert_cut(3, (fgpu_cut){FGPU_CUT_ITEMS, 2, 32, 0, 0});
    assert_cut(6, fgpu_cut_items(8, 3, 4));
    assert_cut(9, fgpu_cut_whole());
    workload_fini(&workload);
}

static void test_buffers(void **state)
{
    static const int16_t values[3] = {-1, 300, 9};

    (void)state;
    parse(HEAD "\"photo\": {\"image\": \"photo.png\"}, "
               "\"grey\": {\"like\": \"photo\", \"type\": \"float32\", \"channels\": 1}, "
               "\"t\": {\"npy\": \"/abs/table.npy\"}, "
               "\"v\": {\"values\": [-1, 300, \"min(9, photo.width)\"], \"type\": \"int16\"}, "
               "\"raw\": {\"raw\": \"data.bin\", \"type\": \"float64\"}, "
               "\"fill\": {\"fill\": 1, \"shape\": [2, 2], \"type\": \"uint16\"}, "
               "\"r\": {\"random\": {\"seed\": 3}, \"shape\": [4], \"type\": \"uint8\"}, "
               "\"w\": {\"gaussian\": {\"radius\": 1, \"sigma\": 1}}, "
               "\"x\": {\"shape\": \"photo.count + t.rows\", \"type\": \"int8\"}" KERNEL
               "{\"kernel\": \"k\", " ARGS "}]}");
    const struct workload_buffer *b = workload.buffers;
    assert_int_equal(b[0].pitch, 512); /* 64 * 3 = 192, up to a multiple of 512 */
    assert_int_equal(b[0].size_bytes, 512 * 48);
    assert_int_equal(b[1].size_bytes, 512 * 48 * 4);
    assert_int_equal(b[1].shape[2], 1);
    assert_string_equal(b[2].path, "/abs/table.npy");
    assert_int_equal(b[2].size_bytes, 48);
    assert_int_equal(b[3].values_bytes, sizeof values);
    assert_memory_equal(b[3].values, values, sizeof values);
    assert_int_equal(b[4].shape[0], 6);
    assert_int_equal(b[5].values_bytes, 2);
    assert_int_equal(b[6].content, WORKLOAD_RANDOM);
    assert_true(b[6].seed == 3 && b[6].low == 0.0 && b[6].high == 255.0);
    int32_t weights[3];
    memcpy(weights, b[7].values, sizeof weights);
    assert_int_equal(weights[0] + weights[1] + weights[2], 16384);
    assert_int_equal(b[8].size_bytes, 64 * 48 * 3 + 3);
    workload_fini(&workload);
}

/* Variables in order, the last one fastest; a task that stands further down is moved up. */
static void test_repeat_and_order(void **state)
{
    static const char *const names[] = {"0-x", "0-y", "1-x", "1-y", "end", "last"};
    static const uint32_t order[] = {5, 4, 0, 1, 2, 3};

    (void)state;
    parse(HEAD "\"x\": {\"shape\": 8, \"type\": \"float32\"}" KERNEL
               "{\"name\": \"{i}-{p}\", \"kernel\": \"k\", \"after\": [\"end\", \"last\"], "
               "\"repeat\": {\"i\": 2, \"p\": [\"x\", \"y\"]}, " ARGS "}, "
               "{\"name\": \"end\", \"kernel\": \"k\", \"after\": \"last\", " ARGS "}, "
               "{\"name\": \"last\", \"kernel\": \"k\", " ARGS "}]}");
    assert_int_equal(workload.task_count, 6);
    for (uint32_t i = 0; i < 6; i++)
        assert_string_equal(workload.tasks[i].name, names[i]);
    assert_memory_equal(workload.order, order, sizeof order);
    assert_int_equal(workload.tasks[1].after_count, 2);
    assert_int_equal(workload.after[workload.tasks[1].after_first], 4);
    workload_fini(&workload);
}

/* A chain as long as the task limit allows needs no deep stack, in either direction. */
static void test_long_chain(void **state)
{
    (void)state;
    parse(HEAD "\"x\": {\"shape\": 8, \"type\": \"float32\"}" KERNEL
               "{\"name\": \"t{i}\", \"kernel\": \"k\", \"after\": \"t{min(i + 1, 99999)}\", "
               "\"repeat\": {\"i\": 99999}, " ARGS "}, "
               "{\"name\": \"t99999\", \"kernel\": \"k\", " ARGS "}]}");
    assert_int_equal(workload.task_count, 100000);
    assert_int_equal(workload.order[0], 99999);
    assert_int_equal(workload.order[99999], 0);
    workload_fini(&workload);
}

/* A band of a filter: rows of the destination, and of the source the blur's reach more. */
static void test_filter(void **state)
{
    (void)state;
    parse("{\"fastgpu\": 1, \"buffers\": {\"p\": {\"image\": \"photo.png\"}, "
          "\"h\": {\"like\": \"p\", \"type\": \"uint16\"}, \"d\": {\"like\": \"p\"}, "
          "\"w\": {\"gaussian\": {\"radius\": 3, \"sigma\": 1}}}, "
          "\"kernels\": {\"v\": {\"filter\": \"blur_vertical\"}}, \"tasks\": [{\"kernel\": \"v\", "
          "\"args\": {\"src\": \"h\", \"dst\": {\"buffer\": \"d\", \"rows\": [10, 20]}, "
          "\"weights\": \"w\"}}]}");
    const int32_t from[4] = {0, 7, 512, 192}, to[4] = {0, 10, 512, 48}, shape[4] = {192, 48, 3, 3};
    const struct workload_task *task = &workload.tasks[0];
    assert_int_equal(task->arg_count, 6);
    assert_region(0, fgpu_region_span(7 * 1024, 16 * 1024));
    assert_region(1, fgpu_region_span(10 * 512, 10 * 512));
    assert_int_equal(workload.args[2].buffer, 3);
    assert_memory_equal(workload.args[3].value, from, sizeof from);
    assert_memory_equal(workload.args[4].value, to, sizeof to);
    assert_memory_equal(workload.args[5].value, shape, sizeof shape);
    assert_int_equal(task->global[0], 32); /* 512 elements, sixteen an item */
    assert_int_equal(task->global[1], 10);
    workload_fini(&workload);
}

/* A workload over lists, with constants from outside. */
static fgpu_status read_lists(const char *const *sets, uint32_t count)
{
    static const char text[] =
        "{\"fastgpu\": 1,"
        "\"constants\": {\"photos\": [\"photo.png\", \"grey.png\"], \"lengths\": [2, 3],"
        "                \"name\": \"one\", \"more\": 0},"
        "\"buffers\": {"
        "  \"photo_{i}\": {\"image\": \"{photos[i]}\", \"repeat\": {\"i\": \"photos.count\"}},"
        "  \"x_{n}\": {\"shape\": \"n + more\", \"type\": \"int32\", \"fill\": 0,"
        "             \"repeat\": {\"n\": \"lengths\"}}},"
        "\"kernels\": {\"k\": {\"file\": \"k.cl\", \"args\": [{\"read-write\": \"x\"}]}},"
        "\"tasks\": [{\"kernel\": \"k\", \"name\": \"{name}-{i}-{j}\", \"grid\": "
        "\"photo_{i}.channels\","
        "             \"args\": {\"x\": \"x_{lengths[i]}\"},"
        "             \"repeat\": {\"i\": \"photos.count\", \"j\": \"lengths[i]\"}}]}";
    const struct workload_options options = {
        .sets = sets, .set_count = count, .files = &workload_files_made_up};

    return workload_parse(text, sizeof text - 1, "folder", &options, &workload);
}

static void test_lists(void **state)
{
    (void)state;
    assert_int_equal(read_lists(NULL, 0), FGPU_OK);
    assert_int_equal(workload.buffer_count, 4);
    assert_string_equal(workload.buffers[1].path, "folder/grey.png");
    assert_string_equal(workload.buffers[3].name, "x_3");
    assert_int_equal(workload.buffers[3].shape[0], 3);
    assert_int_equal(workload.task_count, 2 + 3); /* the second axis depends on the first */
    assert_string_equal(workload.tasks[1].name, "one-0-1");
    assert_string_equal(workload.tasks[4].name, "one-1-2");
    assert_int_equal(workload.tasks[1].global[0], 3);
    assert_int_equal(workload.tasks[4].global[0], 1);
    workload_fini(&workload);
}

static void test_sets(void **state)
{
    static const char *const good[] = {"photos=/a/photo.png", "name={x}=2", "lengths=2*3",
                                       "more=1 + lengths[0]"};
    static const struct {
        const char *sets[2];
        uint32_t count;
        const char *said;
    } bad[] = {
        {{"nme=1"}, 1, "nme=1: there is no constant nme; the nearest is name"},
        {{"name"}, 1, "name: want NAME=VALUE"},
        {{"=1"}, 1, "=1: there is no constant "},
        {{"more=x"}, 1, "more=x: this is no expression for a number"},
        {{"lengths=x"}, 1, "lengths=x: this is no expression for a number"},
        {{"more=1", "more=2"}, 2, "more is given twice"},
    };
    (void)state;
    if (read_lists(good, 4) != FGPU_OK)
        fail_msg("%s", workload.mistakes[0].text);
    assert_string_equal(workload.buffers[0].path, "/a/photo.png");
    assert_int_equal(workload.buffer_count, 2);
    assert_int_equal(workload.buffers[1].shape[0], 6 + 7);
    assert_int_equal(workload.task_count, 6);
    assert_string_equal(workload.tasks[0].name, "{x}=2-0-0");
    workload_fini(&workload);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(read_lists(bad[i].sets, bad[i].count), FGPU_E_INVAL);
        if (!strstr(workload.mistakes[0].text, bad[i].said))
            fail_msg("%s: %s", bad[i].sets[0], workload.mistakes[0].text);
        workload_fini(&workload);
    }
}

static bool find_five(void *user, const char *name, struct expression_value *value, char *why,
                      size_t why_bytes)
{
    (void)user;
    (void)snprintf(why, why_bytes, "unknown");
    value->number = 5.0;
    value->text = strcmp(name, "word") == 0 ? "hello" : NULL;
    return strcmp(name, "five") == 0 || value->text;
}

static void test_expressions(void **state)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {
        {"1", 1},
        {" 2 + 3 * 4 ", 14},
        {"(2 + 3) * 4", 20},
        {"7 // 2", 3},
        {"-7 // 2", -4},
        {"-7 % 3", 2},
        {"7 / 2", 3.5},
        {"2 - 3 - 4", -5},
        {"five * five", 25},
        {"max(1, five) - 1", 4},
        {"min(2, 8 / 2)", 2},
        {"--3", 3},
        {"100 // 7 // 2", 7},
        {"0.25 * 2", 0.5},
        {"9007199254740992", 9007199254740992.0},
    };
    static const char *const bad[] = {"",      "1 +",    "(1",     "1)",       "six",
                                      "1 2",   "1 // 0", "min(1)", "word",     ".5",
                                      "1.2.3", "1 % 0",  "five.x", "max(1, 2", "2 ** 3"};
    struct expression_names names = {find_five, NULL};
    char out[32], why[200], deep[200] = "";
    double value;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!expression_number(good[i].text, &names, &value, why, sizeof why))
            fail_msg("%s: %s", good[i].text, why);
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (expression_number(bad[i], &names, &value, why, sizeof why))
            fail_msg("%s: taken as %g", bad[i], value);
    memset(deep, '(', 150);
    assert_false(expression_number(deep, &names, &value, why, sizeof why));
    assert_true(expression_expand("a-{five + 1}-{word}{{}}", &names, out, sizeof out, why, 200));
    assert_string_equal(out, "a-6-hello{}");
    assert_false(expression_expand("{five", &names, out, sizeof out, why, sizeof why));
    assert_false(expression_expand("{word}", &names, out, 5, why, sizeof why));
    assert_true(expression_expand("{word}", &names, out, 6, why, sizeof why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_task),
        cmocka_unit_test(test_regions),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_buffers),
        cmocka_unit_test(test_repeat_and_order),
        cmocka_unit_test(test_long_chain),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_expressions),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_sets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
