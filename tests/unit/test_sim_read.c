/* Task graphs from files: what a graph says becomes what the simulator gets, the examples of the
 * manual are read, workflows of the old and the new layout are the same graph, and each class of
 * mistake is told with its path. Also names in their table, and numbers in words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/sim/sim_names.h"
#include "cli/sim/sim_read.h"
#include "cli/sim/sim_words.h"

static struct sim_graph read_text(const char *text)
{
    struct sim_graph graph;
    char why[CLI_WHY_BYTES] = "";

    sim_graph_init(&graph);
    graph.wants_names = true;
    if (sim_read_text("graph.json", text, strlen(text), &graph, why, sizeof why) != FGPU_OK)
        fail_msg("%s", why);
    return graph;
}

static struct sim_graph read_example(const char *name)
{
    struct sim_graph graph;
    char path[4096], why[CLI_WHY_BYTES] = "";

    assert_non_null(getenv("FASTGPU_SOURCE_DIR"));
    (void)snprintf(path, sizeof path, "%s/examples/graphs/%s", getenv("FASTGPU_SOURCE_DIR"), name);
    sim_graph_init(&graph);
    graph.wants_names = true;
    if (sim_read(path, &graph, why, sizeof why) != FGPU_OK)
        fail_msg("%s", why);
    return graph;
}

static void check_access(const struct sim_graph *graph, uint32_t task, uint32_t number,
                         uint32_t data, uint32_t mode)
{
    assert_true(number < graph->tasks[task].access_count);
    const fgpu_sim_access *access = &graph->accesses[graph->tasks[task].access_first + number];
    assert_int_equal(access->data, data);
    assert_int_equal(access->mode, mode);
}

static void test_graph(void **state)
{
    struct sim_graph graph = read_text(
        "{\"fastgpu_graph\": 1, \"name\": \"small\","
        " \"data\": [{\"name\": \"a\", \"bytes\": 100}, {\"bytes\": 200}],"
        " \"tasks\": ["
        "  {\"name\": \"x\", \"kernel\": \"gemm\", \"size\": 960, \"writes\": [\"a\"]},"
        "  {\"kernel\": \"gemm\", \"flops\": 2.5e9, \"reads\": [\"a\", 1], \"writes\": [1],"
        "   \"priority\": -7, \"after\": [\"x\"]},"
        "  {\"cost_us\": 1.5, \"after\": [1, 0]}]}");

    (void)state;
    assert_string_equal(graph.name, "small");
    assert_int_equal(graph.task_count, 3);
    assert_int_equal(graph.data_count, 2);
    assert_int_equal(graph.data_bytes[1], 200);
    assert_int_equal(graph.kernel_count, 2);
    assert_string_equal(graph.kernels[0].name, "gemm");
    assert_string_equal(graph.kernels[1].name, "task");
    assert_int_equal(graph.tasks[0].size, 960);
    assert_string_equal(sim_graph_task_name(&graph, 0), "x");
    assert_string_equal(sim_graph_task_name(&graph, 1), "");
    check_access(&graph, 0, 0, 0, FGPU_WRITE);
    assert_int_equal(graph.tasks[1].access_count, 2);
    check_access(&graph, 1, 0, 0, FGPU_READ);
    check_access(&graph, 1, 1, 1, FGPU_READ_WRITE);
    assert_true(graph.tasks[1].flops == 2.5e9 && graph.flops == 2.5e9);
    assert_int_equal(graph.tasks[1].priority, -7);
    assert_int_equal(graph.tasks[1].size, 1);
    assert_int_equal(graph.tasks[1].after_count, 1);
    assert_true(graph.tasks[2].cost_ns == 1500);
    assert_int_equal(graph.tasks[2].after_count, 2);
    assert_int_equal(graph.after[graph.tasks[2].after_first], 1);
    assert_int_equal(graph.after[graph.tasks[2].after_first + 1], 0);
    sim_graph_fini(&graph);
}

/* Tasks with equal costs by class share a kernel; others have their own. */
static void test_divisible(void **state)
{
    struct sim_graph graph = read_text(
        "{\"fastgpu_graph\": 1, \"data\": [{\"bytes\": 8}, {\"bytes\": 8}, {\"bytes\": 8}],"
        "\"tasks\": [{\"kernel\": \"k\", \"divisible\": 60, \"reads\": [0, 1], \"writes\": [2],"
        "\"whole\": [1]}, {\"kernel\": \"k\"}]}");

    (void)state;
    assert_int_equal(graph.tasks[0].parts, 60);
    check_access(&graph, 0, 0, 0, FGPU_READ);
    check_access(&graph, 0, 1, 1, FGPU_READ | FGPU_SIM_WHOLE);
    check_access(&graph, 0, 2, 2, FGPU_WRITE);
    assert_int_equal(graph.tasks[1].parts, 0);
    sim_graph_fini(&graph);
}

static void test_costs_by_class(void **state)
{
    struct sim_graph graph =
        read_text("{\"fastgpu_graph\": 1, \"tasks\": ["
                  "{\"kernel\": \"k\", \"cost_us\": {\"cpu\": 3, \"gpu\": 1}},"
                  "{\"kernel\": \"k\", \"cost_us\": {\"cpu\": 3, \"gpu\": 1}},"
                  "{\"kernel\": \"k\", \"cost_us\": {\"cpu\": 3, \"gpu\": 2}},"
                  "{\"kernel\": \"k\", \"size\": 2, \"cost_us\": {\"cpu\": 3, \"gpu\": 1}},"
                  "{\"kernel\": \"k\"}]}");

    (void)state;
    assert_int_equal(graph.tasks[0].kernel, graph.tasks[1].kernel);
    assert_int_not_equal(graph.tasks[0].kernel, graph.tasks[2].kernel);
    assert_int_not_equal(graph.tasks[0].kernel, graph.tasks[3].kernel);
    assert_int_not_equal(graph.tasks[0].kernel, graph.tasks[4].kernel);
    assert_string_equal(graph.kernels[graph.tasks[4].kernel].name, "k");
    assert_int_equal(graph.cost_count, 6);
    assert_string_equal(graph.costs[1].class_name, "gpu");
    assert_true(graph.costs[1].mean_us == 1);
    assert_int_equal(graph.costs[1].kernel, graph.tasks[0].kernel);
    assert_int_equal(graph.costs[4].size, 2);
    sim_graph_fini(&graph);
}

static void test_examples(void **state)
{
    struct sim_graph graph = read_example("photos.json");

    (void)state;
    assert_string_equal(graph.name, "two photographs");
    assert_int_equal(graph.task_count, 8);
    assert_int_equal(graph.data_count, 7);
    assert_true(graph.flops == 22e6);
    check_access(&graph, 2, 0, 2, FGPU_READ_WRITE);
    sim_graph_fini(&graph);
}

/* ---- workflows */

static void check_harvest(const struct sim_graph *graph)
{
    static const double seconds[] = {4.25, 3.5, 1.5, 0.75};
    static const char *const kernels[] = {"measure", "measure", "merge", "judge"};
    const struct sim_task *tasks = graph->tasks;

    assert_string_equal(graph->name, "harvest");
    assert_int_equal(graph->task_count, 4);
    assert_int_equal(graph->data_count, 6);
    for (uint32_t i = 0; i < 4; i++) { /* those that others wait for come first */
        assert_true(tasks[i].cost_ns == seconds[i] * 1e9);
        assert_string_equal(graph->kernels[tasks[i].kernel].name, kernels[i]);
    }
    assert_int_equal(tasks[0].after_count + tasks[1].after_count, 0);
    assert_int_equal(tasks[2].after_count, 2);
    assert_int_equal(graph->after[tasks[2].after_first], 0);
    assert_int_equal(graph->after[tasks[2].after_first + 1], 1);
    assert_int_equal(tasks[3].after_count, 1);
    assert_int_equal(graph->after[tasks[3].after_first], 2);
    assert_int_equal(tasks[2].access_count, 3);
    const fgpu_sim_access *merge = graph->accesses + tasks[2].access_first;
    assert_int_equal(graph->data_bytes[merge[0].data], 200000);
    assert_int_equal(graph->data_bytes[merge[1].data], 180000);
    assert_int_equal(graph->data_bytes[merge[2].data], 380000);
    assert_int_equal(merge[0].mode, FGPU_READ);
    assert_int_equal(merge[2].mode, FGPU_WRITE);
    assert_int_equal(graph->data_bytes[graph->accesses[tasks[3].access_first + 1].data], 1);
}

static void test_workflow(void **state)
{
    struct sim_graph graph = read_example("workflow.json");

    (void)state;
    check_harvest(&graph);
    assert_string_equal(sim_graph_task_name(&graph, 2), "merge_0003");
    sim_graph_fini(&graph);
}

#define OLD(list, runtime)                                                                         \
    "{\"name\": \"harvest\", \"schemaVersion\": \"1.3\", \"workflow\": {\"" list "\": ["           \
    "{\"name\": \"judge_0004\", \"parents\": [\"merge_0003\"], \"" runtime "\": 0.75, \"files\": " \
    " [{\"link\": \"input\", \"name\": \"h\", \"sizeInBytes\": 380000},"                           \
    "  {\"link\": \"output\", \"name\": \"v\", \"sizeInBytes\": 0}]},"                             \
    "{\"name\": \"measure_0001\", \"parents\": [], \"" runtime "\": 4.25, \"files\": "             \
    " [{\"link\": \"input\", \"name\": \"N\", \"size\": 52000000},"                                \
    "  {\"link\": \"output\", \"name\": \"n\", \"size\": 200000}]},"                               \
    "{\"name\": \"measure_ID0002\", \"" runtime "\": 3.5, \"files\": "                             \
    " [{\"link\": \"input\", \"name\": \"S\", \"size\": 48000000},"                                \
    "  {\"link\": \"output\", \"name\": \"s\", \"size\": 180000}]},"                               \
    "{\"name\": \"merge_0003\", \"parents\": [\"measure_0001\", \"measure_ID0002\"], \"" runtime   \
    "\": 1.5, \"files\": [{\"link\": \"input\", \"name\": \"n\", \"size\": 200000},"               \
    "  {\"link\": \"input\", \"name\": \"s\", \"size\": 180000},"                                  \
    "  {\"link\": \"output\", \"name\": \"h\", \"size\": 380000}]}]}}"

static void test_old_workflows(void **state)
{
    static const char *const texts[] = {OLD("tasks", "runtimeInSeconds"), OLD("jobs", "runtime")};

    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        struct sim_graph graph = read_text(texts[i]);
        check_harvest(&graph);
        sim_graph_fini(&graph);
    }
}

/* ---- mistakes */

#define GRAPH(tasks)                                                                               \
    "{\"fastgpu_graph\": 1, \"data\": [{\"name\": \"abc\", \"bytes\": 1}], " tasks "}"
#define TASK(keys) GRAPH("\"tasks\": [{\"kernel\": \"k\", \"name\": \"first\"}, {" keys "}]")
#define FLOW(tasks) "{\"workflow\": {\"tasks\": [" tasks "]}}"

static const struct {
    const char *text, *why;
} wrong[] = {
    {"", "graph.json: line 1, column 1: the file is empty"},
    {"[]", "graph.json: $: a list of 0: want an object with the key fastgpu_graph"},
    {"{\"fastgpu\": 1}", "$: this is a workload file, for fastgpu run"},
    {"{\"fastgpu_graph\": 1, \"fastgpu_graph\": 1}", "$.fastgpu_graph: this key stands twice"},
    {"{\"fastgpu_graph\": 2}", "$.fastgpu_graph: 2: want a whole number from 1 to 1"},
    {"{\"fastgpu_graph\": 1}", "$.tasks: want at least one task"},
    {"{\"fastgpu_graph\": 1, \"tasks\": []}", "$.tasks: a list of 0: want at least one task"},
    {"{\"fastgpu_graph\": 1, \"tasks\": {}}", "$.tasks: an object: want a list"},
    {"{\"fastgpu_graph\": 1, \"task\": []}", "$.task: there is no such key; the nearest is tasks"},
    {"{\"fastgpu_graph\": 1, \"name\": 3}", "$.name: 3: want a text of 1 to 63 bytes"},
    {"{\"fastgpu_graph\": 1, \"data\": [{}]}", "$.data[0]: an object: it has no bytes"},
    {"{\"fastgpu_graph\": 1, \"data\": [3]}", "$.data[0]: 3: want an object"},
    {"{\"fastgpu_graph\": 1, \"data\": [{\"bytes\": 0}]}",
     "$.data[0].bytes: 0: want a whole number from 1 to 70368744177664"},
    {"{\"fastgpu_graph\": 1, \"data\": [{\"bytes\": 7e13}, {\"bytes\": 7e13}]}",
     "more than 64 TiB"},
    {"{\"fastgpu_graph\": 1, \"data\": [{\"bytes\": 1, \"name\": \"a\"}, {\"bytes\": 1, \"name\": "
     "\"a\"}]}",
     "$.data[1].name: \"a\": there is data of this name already"},
    {TASK("\"size\": 1"), "$.tasks[1].kernel: want a kernel's name, or cost_us or flops beside it"},
    {TASK("\"kernel\": \"\""), "$.tasks[1].kernel: \"\": want a text of 1 to 63 bytes"},
    {TASK("\"kernel\": \"k\", \"sise\": 1"),
     "$.tasks[1].sise: there is no such key; the nearest is "
     "size"},
    {TASK("\"kernel\": \"k\", \"size\": 0"), "$.tasks[1].size: 0: want a whole number from 1 to"},
    {TASK("\"kernel\": \"k\", \"size\": 1.5"), "$.tasks[1].size: 1.5: want a whole number"},
    {TASK("\"flops\": -1"), "$.tasks[1].flops: -1: want a number from 0 to 1e+24"},
    {TASK("\"flops\": \"1\""), "$.tasks[1].flops: \"1\": want a number from 0"},
    {TASK("\"cost_us\": 0"), "$.tasks[1].cost_us: 0: want a number from 0.001 to"},
    {TASK("\"cost_us\": []"), "$.tasks[1].cost_us: a list of 0: want microseconds, or an object"},
    {TASK("\"cost_us\": {}"), "$.tasks[1].cost_us: an object: want a cost for at least one class"},
    {TASK("\"cost_us\": {\"gpu\": -1}"), "$.tasks[1].cost_us.gpu: -1: want a number from 0.001"},
    {TASK("\"kernel\": \"k\", \"divisible\": 1"),
     "$.tasks[1].divisible: 1: want a whole number from "
     "2 to 65536"},
    {TASK("\"kernel\": \"k\", \"reads\": [\"abc\"], \"whole\": [\"abc\"]"),
     "$.tasks[1].whole: a list of 1: the task is not \"divisible\""},
    {TASK("\"kernel\": \"k\", \"divisible\": 2, \"whole\": [\"abc\"]"),
     "$.tasks[1].whole[0]: \"abc\": the task does not read it: pieces have their part of it"},
    {TASK("\"kernel\": \"k\", \"divisible\": 2, \"writes\": [\"abc\"], \"whole\": [\"abc\"]"),
     "$.tasks[1].whole[0]: \"abc\": the task writes it: pieces have their part of it"},
    {TASK("\"kernel\": \"k\", \"priority\": 1001"), "$.tasks[1].priority: 1001: want a number from "
                                                    "-1000 to 1000"},
    {TASK("\"kernel\": \"k\", \"priority\": 0.5"), "$.tasks[1].priority: 0.5: want a whole number"},
    {TASK("\"kernel\": \"k\", \"reads\": \"abc\""), "$.tasks[1].reads: \"abc\": want a list"},
    {TASK("\"kernel\": \"k\", \"reads\": [\"abd\"]"),
     "$.tasks[1].reads[0]: \"abd\": there is no data of this name; the nearest is \"abc\""},
    {TASK("\"kernel\": \"k\", \"reads\": [1]"),
     "$.tasks[1].reads[0]: 1: want the name of a data, or its number below 1"},
    {TASK("\"kernel\": \"k\", \"writes\": [0, \"abc\"]"),
     "$.tasks[1].writes[1]: \"abc\": it stands there twice"},
    {TASK("\"kernel\": \"k\", \"after\": [1]"),
     "$.tasks[1].after[0]: 1: want the name of a task above, or its number below 1"},
    {TASK("\"kernel\": \"k\", \"name\": \"me\", \"after\": [\"me\"]"),
     "$.tasks[1].after[0]: \"me\": there is no task above of this name"},
    {TASK("\"kernel\": \"k\", \"name\": \"first\""),
     "$.tasks[1].name: \"first\": there is a task of this name already"},
    {"{\"workflow\": 1}", "$.workflow: want a list of tasks in workflow.specification.tasks"},
    {FLOW(""), "$.workflow.tasks: a list of 0: want at least one task"},
    {FLOW("{}"), "$.workflow.tasks[0]: an object: it has neither id nor name"},
    {FLOW("3"), "$.workflow.tasks[0]: 3: want an object"},
    {FLOW("{\"name\": \"a\"}"), "$.workflow.tasks: task a has no runtimeInSeconds"},
    {FLOW("{\"name\": \"a\", \"runtime\": -1}"), "-1: want a number from 0 to 1000000000"},
    {FLOW("{\"id\": \"a\"}, {\"id\": \"a\"}"),
     "$.workflow.tasks[1]: \"a\": there is a task of this id already"},
    {FLOW("{\"id\": \"a\", \"runtime\": 1, \"parents\": [\"b\"]}"),
     "$.workflow.tasks[0].parents: \"b\": there is no task of this id or name"},
    {FLOW("{\"id\": \"a\", \"runtime\": 1, \"children\": [\"a\"]}"),
     "$.workflow.tasks[0].children: \"a\": a task is not its own parent"},
    {FLOW("{\"id\": \"a\", \"runtime\": 1, \"parents\": [\"b\"]},"
          "{\"id\": \"b\", \"runtime\": 1, \"parents\": [\"a\"]}"),
     "$.workflow.tasks: 2 tasks wait for each other in a circle"},
    {"{\"workflow\": {\"specification\": {\"tasks\": [{\"id\": \"a\"}]},"
     " \"execution\": {\"tasks\": [{\"id\": \"b\", \"runtimeInSeconds\": 1}]}}}",
     "$.workflow.execution.tasks[0]: \"b\": there is no task of this id"},
};

static void test_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct sim_graph graph;
        char why[CLI_WHY_BYTES] = "";
        sim_graph_init(&graph);
        fgpu_status status = sim_read_text("graph.json", wrong[i].text, strlen(wrong[i].text),
                                           &graph, why, sizeof why);
        if ((status != FGPU_E_INVAL && status != FGPU_E_LIMIT) || !strstr(why, wrong[i].why) ||
            strncmp(why, "graph.json: ", 12) != 0)
            fail_msg("%s: status %d, \"%s\"", wrong[i].text, status, why);
        sim_graph_fini(&graph);
    }
}

/* ---- names and words */

static void test_names(void **state)
{
    enum { COUNT = 5000 };
    struct sim_names names = {0};
    char(*texts)[16] = calloc(COUNT, sizeof *texts);

    (void)state;
    assert_non_null(texts);
    assert_int_equal(sim_names_find(&names, "x"), SIM_NAMES_NONE);
    for (uint32_t i = 0; i < COUNT; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "name %u", i);
        assert_int_equal(sim_names_find(&names, texts[i]), SIM_NAMES_NONE);
        assert_true(sim_names_add(&names, texts[i], i));
    }
    assert_true(sim_names_add(&names, "name 7", 99)); /* it keeps its number */
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(sim_names_find(&names, texts[i]), i);
    assert_int_equal(names.count, COUNT);
    sim_names_fini(&names);
    free(texts);
}

static void test_words(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"1", 1},
                {"104857600", 104857600},
                {"100MiB", 104857600},
                {"1.5GiB", 1610612736},
                {"80GB", 80000000000},
                {"2e3", 2000},
                {"1e3kB", 1000000},
                {"1048576TiB", UINT64_C(1) << 60},
                {"512B", 512}};
    static const char *const bad[] = {"",    "-1",   "nan",        "0x10", "1.5",    "10MB ",
                                      " 10", "1mib", "1048577TiB", "1e",   "0.3KiB", "1..2"};
    double number = 0;
    uint64_t bytes = 0;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!sim_words_bytes(good[i].text, &bytes) || bytes != good[i].bytes)
            fail_msg("%s is %llu", good[i].text, (unsigned long long)bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (sim_words_bytes(bad[i], &bytes))
            fail_msg("\"%s\" is taken", bad[i]);
    assert_true(sim_words_real("0.25", 0, 1, &number) && number == 0.25);
    assert_true(sim_words_real("1e-3", 0, 1, &number) && number == 1e-3);
    assert_false(sim_words_real("1.01", 0, 1, &number));
    assert_false(sim_words_real("inf", 0, 1e308, &number));
    assert_false(sim_words_real("0.2x", 0, 1, &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_graph),     cmocka_unit_test(test_costs_by_class),
        cmocka_unit_test(test_divisible), cmocka_unit_test(test_examples),
        cmocka_unit_test(test_workflow),  cmocka_unit_test(test_old_workflows),
        cmocka_unit_test(test_mistakes),  cmocka_unit_test(test_names),
        cmocka_unit_test(test_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
