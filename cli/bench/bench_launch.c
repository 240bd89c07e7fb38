/* `fastgpu bench launch`: an empty kernel through the pool and by hand. Options and words;
 * bench_launch_run.c measures. What was not measured is "unknown" in the table and null in JSON.
 * Runs on the main thread.
 */
#include "cli/bench/bench_launch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench.h"
#include "cli/common/cli_limits.h"
#include "cli/common/json_out.h"
#include "cli/common/options.h"
#include "cli/common/text_table.h"

static const char bench_launch_command[] = "fastgpu bench launch";

static const char bench_launch_text[] =
    "Launches empty kernels on one device, through the pool and on an in-order\n"
    "OpenCL queue driven by hand, in turn in each round: bursts (submit all, wait\n"
    "for all; time per kernel) and single ones (submit, wait; median and 99th\n"
    "percentile, at once and after a pause). By hand the better one of clFinish and\n"
    "clWaitForEvents counts. On a device that is not an OpenCL one (cpu) the pool\n"
    "alone is measured, with a native kernel.";

static void bench_launch_json_trips(cJSON *root, const char *name, bool is_known,
                                    struct bench_trips trips)
{
    char field[64];

    (void)snprintf(field, sizeof field, "%s_p50_ns", name);
    json_out_known(root, field, is_known, trips.p50_ns);
    (void)snprintf(field, sizeof field, "%s_p99_ns", name);
    json_out_known(root, field, is_known, trips.p99_ns);
}

static bool bench_launch_print_json(const struct bench_launch_options *options,
                                    const struct bench_launch_result *result)
{
    bool has_pool = result->round_count > 0;
    cJSON *root = cJSON_CreateObject();

    json_out_text(root, "benchmark", "launch");
    json_out_text(root, "device", result->info.id);
    json_out_text(root, "name", result->info.name);
    json_out_number(root, "count", (double)options->count);
    json_out_number(root, "trips", (double)options->trips);
    json_out_number(root, "rounds", result->round_count);
    json_out_known(root, "raw_ns", result->has_raw, result->raw_ns);
    json_out_known(root, "pool_ns", has_pool, result->pool_ns);
    json_out_known(root, "rate_ratio", result->has_raw, result->rate_ratio);
    json_out_known(root, "raw_cpu_ns", result->has_raw, result->raw_cpu_ns);
    json_out_known(root, "pool_cpu_ns", has_pool, result->pool_cpu_ns);
    bench_launch_json_trips(root, "raw_latency", result->has_raw, result->raw_trip);
    bench_launch_json_trips(root, "pool_latency", has_pool, result->pool_trip);
    json_out_known(root, "latency_difference_ns", result->has_raw,
                   result->pool_trip.p50_ns - result->raw_trip.p50_ns);
    bench_launch_json_trips(root, "raw_idle_latency", result->has_raw, result->raw_idle_trip);
    bench_launch_json_trips(root, "pool_idle_latency", has_pool, result->pool_idle_trip);
    return json_out_print(root);
}

static void bench_launch_row(struct text_table *table, const char *name,
                             const struct bench_launch_result *result, double raw, double pool)
{
    struct text_table_row *row = text_table_add(table);

    text_table_set(row, 0, "%s", name);
    text_table_set(row, 1, result->has_raw ? "%.2f" : "unknown", raw / 1e3);
    text_table_set(row, 2, result->round_count > 0 ? "%.2f" : "unknown", pool / 1e3);
}

static void bench_launch_print_text(const struct bench_launch_options *options,
                                    const struct bench_launch_result *result)
{
    static const struct text_table_column columns[] = {
        {"us per kernel", false}, {"by hand", true}, {"pool", true}};
    struct text_table table;

    printf("%s (%s): bursts of %" PRIu64 ", medians of %u round%s\n\n", result->info.id,
           result->info.name, options->count, result->round_count,
           result->round_count == 1 ? "" : "s");
    text_table_init(&table, columns, sizeof columns / sizeof columns[0]);
    bench_launch_row(&table, "burst", result, result->raw_ns, result->pool_ns);
    bench_launch_row(&table, "burst, CPU time", result, result->raw_cpu_ns, result->pool_cpu_ns);
    bench_launch_row(&table, "single, p50", result, result->raw_trip.p50_ns,
                     result->pool_trip.p50_ns);
    bench_launch_row(&table, "single, p99", result, result->raw_trip.p99_ns,
                     result->pool_trip.p99_ns);
    bench_launch_row(&table, "single after a pause, p50", result, result->raw_idle_trip.p50_ns,
                     result->pool_idle_trip.p50_ns);
    bench_launch_row(&table, "single after a pause, p99", result, result->raw_idle_trip.p99_ns,
                     result->pool_idle_trip.p99_ns);
    text_table_print(&table);
    text_table_fini(&table);
    if (result->has_raw)
        printf("\nThe pool launches %.2f times as many kernels a second as the queue by hand.\n",
               result->rate_ratio);
}

/* The other side, where the device is an OpenCL one. */
static fgpu_status bench_launch_open_raw(const fgpu_device_info *info, struct bench_raw **raw)
{
    char why[CLI_WHY_BYTES] = "";
    unsigned index;

    *raw = NULL;
    if (sscanf(info->id, "opencl:%u", &index) != 1)
        return FGPU_OK;
    fgpu_status status = bench_raw_open(index, info->name, raw, why, sizeof why);
    if (status != FGPU_OK)
        fprintf(stderr, "%s: %s\n", bench_launch_command, why);
    return status;
}

static int bench_launch_show(fgpu_pool pool, const struct bench_launch_options *options,
                             const volatile sig_atomic_t *stop)
{
    struct bench_launch_result result = {.info = {.struct_bytes = sizeof result.info}};
    struct bench_raw *raw = NULL;
    fgpu_device device;
    fgpu_status status = fgpu_device_at(pool, 0, &device);

    if (status == FGPU_OK)
        status = fgpu_device_get_info(device, &result.info);
    if (status != FGPU_OK)
        return commands_fail(bench_launch_command, "the device", status);
    if (bench_launch_open_raw(&result.info, &raw) != FGPU_OK)
        return COMMAND_NO_DEVICE;
    status = bench_launch_run(pool, options, raw, &result, stop);
    bench_raw_close(raw);
    if (status != FGPU_OK && status != FGPU_E_CANCELLED)
        return commands_fail(bench_launch_command, "the kernels", status);
    if (!options->is_json)
        bench_launch_print_text(options, &result);
    else if (!bench_launch_print_json(options, &result))
        return COMMAND_FAILED;
    return status == FGPU_OK ? COMMAND_OK : bench_stopped(bench_launch_command);
}

static enum options_outcome bench_launch_read(int argc, char **argv,
                                              struct bench_launch_options *options)
{
    const struct option table[] = {
        {"device", 'd', OPTION_TEXT, &options->pattern, "PATTERN",
         "the first device that matches\n(default: opencl)", 0, 0, NULL},
        {"count", 'n', OPTION_NUMBER, &options->count, "N", "kernels of a burst (default: 4096)", 1,
         1000000, NULL},
        {"trips", 0, OPTION_NUMBER, &options->trips, "N",
         "single kernels of a round (default: 100)", 1, 10000, NULL},
        {"rounds", 'r', OPTION_NUMBER, &options->rounds, "R", "rounds (default: 15)", 1,
         BENCH_LAUNCH_ROUNDS_LIMIT, NULL},
        {"json", 0, OPTION_FLAG, &options->is_json, NULL, "print one JSON object", 0, 0, NULL},
        LOG_OPTIONS(options->log),
    };
    const struct options_page page = {
        .command = bench_launch_command,
        .text = bench_launch_text,
        .options = table,
        .count = sizeof table / sizeof table[0],
    };

    return options_read(&page, argc, argv);
}

int bench_launch(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct bench_launch_options options = {
        .log = log_options_none, .pattern = "opencl", .count = 4096, .trips = 100, .rounds = 15};
    fgpu_pool_options pool_options;
    fgpu_pool pool;

    enum options_outcome outcome = bench_launch_read(argc, argv, &options);
    if (outcome != OPTIONS_GO)
        return options_code(outcome);
    fgpu_pool_options_init(&pool_options);
    pool_options.devices = options.pattern;
    log_options_apply(&options.log, &pool_options);
    pool_options.cache_dir = "";
    fgpu_status status = fgpu_pool_open(&pool_options, &pool);
    if (status != FGPU_OK)
        return commands_fail_open(bench_launch_command, status);
    int code = bench_launch_show(pool, &options, stop);
    status = fgpu_pool_close(pool);
    if (status != FGPU_OK && code == COMMAND_OK)
        code = commands_fail(bench_launch_command, "a kernel failed", status);
    return code;
}
