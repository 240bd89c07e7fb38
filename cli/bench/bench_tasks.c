/* `fastgpu bench tasks`: what an empty task costs in a graph of many. Options and words;
 * bench_tasks_run.c measures. What was not measured is "unknown" in the table and null in JSON.
 * Runs on the main thread.
 */
#include "cli/bench/bench_tasks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/bench/bench.h"
#include "cli/common/figures.h"
#include "cli/common/json_out.h"
#include "cli/common/options.h"

static const char bench_tasks_command[] = "fastgpu bench tasks";

static const char bench_tasks_text[] =
    "Submits a graph of empty native tasks, whose dependencies follow from the\n"
    "buffers that they name, and waits for it. Prints CPU time of the whole process,\n"
    "time, and time until the last submission returned, per task, as medians over\n"
    "the repetitions; and the memory of a pending task, read in a first graph while\n"
    "nothing of it could run.";

static const char *const bench_device_names[] = {"null", "cpu", NULL};

struct bench_tasks_medians {
    bool is_known;
    double cpu_ns, wall_ns, submit_ns; /* per task */
};

static struct bench_tasks_medians bench_tasks_summarise(const struct bench_tasks_result *result)
{
    struct bench_tasks_medians medians = {.is_known = false};
    double *values = calloc(result->round_count ? result->round_count : 1, sizeof *values);
    double tasks = (double)result->task_count;

    if (!values || result->round_count == 0) {
        free(values);
        return medians;
    }
    medians.is_known = true;
    for (uint32_t i = 0; i < result->round_count; i++)
        values[i] = (double)result->rounds[i].cpu_ns / tasks;
    medians.cpu_ns = figures_median(values, result->round_count);
    for (uint32_t i = 0; i < result->round_count; i++)
        values[i] = (double)result->rounds[i].wall_ns / tasks;
    medians.wall_ns = figures_median(values, result->round_count);
    for (uint32_t i = 0; i < result->round_count; i++)
        values[i] = (double)result->rounds[i].submit_ns / tasks;
    medians.submit_ns = figures_median(values, result->round_count);
    free(values);
    return medians;
}

static bool bench_tasks_is_counted(const struct bench_tasks_options *options)
{
    return options->is_checked && options->device == BENCH_DEVICE_CPU;
}

static double bench_tasks_allocations(const struct bench_tasks_result *result)
{
    return (double)result->allocations / ((double)result->task_count * result->round_count);
}

static bool bench_tasks_print_json(const struct bench_tasks_options *options,
                                   const struct bench_tasks_result *result)
{
    struct bench_tasks_medians medians = bench_tasks_summarise(result);
    const struct bench_tasks_memory *memory = &result->memory;
    double tasks = (double)result->task_count;
    cJSON *root = cJSON_CreateObject();

    json_out_text(root, "benchmark", "tasks");
    json_out_text(root, "shape", bench_shape_names[options->shape]);
    json_out_text(root, "device", bench_device_names[options->device]);
    json_out_bool(root, "recorded", options->is_recorded);
    json_out_number(root, "count", (double)options->edge);
    json_out_number(root, "tasks", tasks);
    json_out_number(root, "buffers", (double)result->buffer_count);
    json_out_number(root, "workers", result->workers);
    json_out_number(root, "repetitions", result->round_count);
    json_out_known(root, "ns_cpu_per_task", medians.is_known, medians.cpu_ns);
    json_out_known(root, "ns_wall_per_task", medians.is_known, medians.wall_ns);
    json_out_known(root, "ns_submit_per_task", medians.is_known, medians.submit_ns);
    json_out_known(root, "bytes_per_pending_task", memory->is_known && memory->is_heap_known,
                   memory->heap_bytes / tasks);
    json_out_known(root, "rss_bytes_per_pending_task", memory->is_known, memory->rss_bytes / tasks);
    json_out_known(root, "pool_bytes_per_pending_task", memory->is_known,
                   memory->pool_bytes / tasks);
    json_out_known(root, "allocations", medians.is_known, (double)result->allocations);
    json_out_known(root, "allocations_per_task", medians.is_known, bench_tasks_allocations(result));
    json_out_number(root, "tasks_done", (double)result->done_count);
    json_out_known(root, "tasks_ran", bench_tasks_is_counted(options), (double)result->ran_count);
    return json_out_print(root);
}

static void bench_tasks_print_line(const char *name, bool is_known, const char *unit, double value)
{
    if (is_known)
        printf("  %-24s %10.1f %s\n", name, value, unit);
    else
        printf("  %-24s %10s\n", name, "unknown");
}

static void bench_tasks_print_text(const struct bench_tasks_options *options,
                                   const struct bench_tasks_result *result)
{
    struct bench_tasks_medians medians = bench_tasks_summarise(result);
    const struct bench_tasks_memory *memory = &result->memory;
    double tasks = (double)result->task_count;

    printf("%s %" PRIu64 ": %" PRIu64 " tasks, %" PRIu64 " buffers, %s with %u worker%s; "
           "per task, medians of %u:\n",
           bench_shape_names[options->shape], options->edge, result->task_count,
           result->buffer_count, bench_device_names[options->device], result->workers,
           result->workers == 1 ? "" : "s", result->round_count);
    bench_tasks_print_line("CPU time", medians.is_known, "ns", medians.cpu_ns);
    bench_tasks_print_line("time", medians.is_known, "ns", medians.wall_ns);
    bench_tasks_print_line("time to submit", medians.is_known, "ns", medians.submit_ns);
    bench_tasks_print_line("memory while pending", memory->is_known && memory->is_heap_known,
                           "bytes", memory->heap_bytes / tasks);
    bench_tasks_print_line("  by the resident set", memory->is_known, "bytes",
                           memory->rss_bytes / tasks);
    if (medians.is_known)
        printf("  %-24s %10" PRIu64 "\n", "allocations, in all", result->allocations);
    if (bench_tasks_is_counted(options))
        printf("%" PRIu64 " task bodies ran, one for each task.\n", result->ran_count);
}

/* Did as many tasks end, and run, as were submitted? */
static int bench_tasks_check(const struct bench_tasks_options *options,
                             const struct bench_tasks_result *result)
{
    uint64_t rounds = result->round_count + result->other_rounds + UINT64_C(1); /* the held one */
    uint64_t wanted = rounds * result->task_count;

    if (!options->is_checked)
        return COMMAND_OK;
    bool is_done = result->done_count == wanted;
    if (options->is_recorded) /* launches task by task have a few of their own, to join the ends */
        is_done = result->done_count >= wanted;
    if (is_done && (!bench_tasks_is_counted(options) || result->ran_count == wanted))
        return COMMAND_OK;
    fprintf(stderr,
            "%s: %" PRIu64 " tasks were submitted, %" PRIu64 " are done, %" PRIu64 " bodies ran\n",
            bench_tasks_command, wanted, result->done_count, result->ran_count);
    return COMMAND_FAILED;
}

static int bench_tasks_show(fgpu_pool pool, const struct bench_tasks_options *options,
                            const volatile sig_atomic_t *stop, bool *is_closable)
{
    struct bench_tasks_result result;
    fgpu_status status = bench_tasks_run(pool, options, &result, stop, is_closable);
    int code = COMMAND_OK;

    if (status != FGPU_OK && status != FGPU_E_CANCELLED) {
        code = commands_fail(bench_tasks_command, "the tasks", status);
    } else {
        if (status == FGPU_OK)
            code = bench_tasks_check(options, &result);
        if (!options->is_json)
            bench_tasks_print_text(options, &result);
        else if (!bench_tasks_print_json(options, &result))
            code = COMMAND_FAILED;
        if (status == FGPU_E_CANCELLED)
            code = bench_stopped(bench_tasks_command);
    }
    free(result.rounds);
    return code;
}

/* Limits that follow from the shape. */
static enum options_outcome bench_tasks_limits(const struct options_page *page,
                                               const struct bench_tasks_options *options)
{
    enum bench_shape shape = (enum bench_shape)options->shape;
    uint64_t buffers = bench_graph_buffers(shape, options->edge);

    if (buffers > BENCH_BUFFERS_LIMIT)
        return options_refuse(
            page, "--count %" PRIu64 ": that is %" PRIu64 " buffers; a pool has at most %" PRIu64,
            options->edge, buffers, BENCH_BUFFERS_LIMIT);
    uint64_t tasks = bench_graph_tasks(shape, options->edge);
    if (tasks > BENCH_TASKS_LIMIT)
        return options_refuse(page,
                              "--count %" PRIu64 ": that is %" PRIu64 " tasks; at most %" PRIu64
                              " are pending at once",
                              options->edge, tasks, BENCH_TASKS_LIMIT);
    return OPTIONS_GO;
}

static enum options_outcome bench_tasks_read(int argc, char **argv,
                                             struct bench_tasks_options *options)
{
    const struct option table[] = {
        {"shape", 's', OPTION_CHOICE, &options->shape, "SHAPE",
         "independent, chain, wavefront or cholesky\n(default: independent)", 0, 0,
         bench_shape_names},
        {"count", 'n', OPTION_NUMBER, &options->edge, "N",
         "tasks; of a wavefront the edge, of cholesky the\ntiles of an edge (default: 10000, and "
         "100 or 40)",
         1, BENCH_TASKS_LIMIT, NULL},
        {"workers", 'w', OPTION_NUMBER, &options->workers, "W",
         "threads of cpu, queues of null\n(default: one for each core, and 1)", 1,
         BENCH_WORKERS_LIMIT, NULL},
        {"device", 0, OPTION_CHOICE, &options->device, "DEVICE", "null or cpu (default: cpu)", 0, 0,
         bench_device_names},
        {"repeat", 'r', OPTION_NUMBER, &options->repeat, "R", "repetitions (default: 5)", 1,
         BENCH_REPEAT_LIMIT, NULL},
        {"check", 0, OPTION_FLAG, &options->is_checked, NULL, "count that each task ran once", 0, 0,
         NULL},
        {"recorded", 0, OPTION_FLAG, &options->is_recorded, NULL,
         "record the graph once, measure its launches", 0, 0, NULL},
        {"json", 0, OPTION_FLAG, &options->is_json, NULL, "print one JSON object", 0, 0, NULL},
        LOG_OPTIONS(options->log),
    };
    const struct options_page page = {
        .command = bench_tasks_command,
        .text = bench_tasks_text,
        .options = table,
        .count = sizeof table / sizeof table[0],
    };

    enum options_outcome outcome = options_read(&page, argc, argv);
    if (outcome != OPTIONS_GO)
        return outcome;
    if (options->edge == 0)
        options->edge = options->shape == BENCH_WAVEFRONT  ? 100
                        : options->shape == BENCH_CHOLESKY ? 40
                                                           : 10000;
    return bench_tasks_limits(&page, options);
}

int bench_tasks(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct bench_tasks_options options = {
        .log = log_options_none, .device = BENCH_DEVICE_CPU, .repeat = 5};
    fgpu_pool_options pool_options;
    fgpu_pool pool;
    bool is_closable = true;

    enum options_outcome outcome = bench_tasks_read(argc, argv, &options);
    if (outcome != OPTIONS_GO)
        return options_code(outcome);
    fgpu_pool_options_init(&pool_options);
    pool_options.devices = bench_device_names[options.device];
    pool_options.cpu_workers = (uint32_t)options.workers;
    log_options_apply(&options.log, &pool_options);
    pool_options.cache_dir = ""; /* what was learned before does not count */
    fgpu_status status = fgpu_pool_open(&pool_options, &pool);
    if (status != FGPU_OK)
        return commands_fail_open(bench_tasks_command, status);
    int code = bench_tasks_show(pool, &options, stop, &is_closable);
    if (!is_closable) /* the process ends with it open: closing would wait for all tasks */
        return code;
    status = fgpu_pool_close(pool);
    if (status != FGPU_OK && code == COMMAND_OK)
        code = commands_fail(bench_tasks_command, "a task failed", status);
    return code;
}
