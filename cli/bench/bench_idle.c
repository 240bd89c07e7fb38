/* `fastgpu bench idle`: the CPU time that an open pool without work uses.
 *
 * The pool first runs some tasks on each device, so that its threads exist and have something to
 * come to rest from; then the process sleeps, and its CPU time is what the pool's threads used
 * (those of the device drivers included). Runs on the main thread.
 */
#include "cli/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>

#include <fastgpu/fastgpu.h>

#include "cli/common/figures.h"
#include "cli/common/json_out.h"
#include "cli/common/log_options.h"
#include "cli/common/options.h"
#include "cli/common/waiting.h"

#define BENCH_IDLE_TASKS 1000u
#define BENCH_IDLE_REST_NS UINT64_C(200000000)
#define BENCH_IDLE_SECONDS_LIMIT 3600

static const char bench_idle_command[] = "fastgpu bench idle";

struct bench_idle_result {
    uint32_t device_count;
    uint64_t task_count;
    uint64_t wall_ns;
    uint64_t cpu_ns;
};

static int bench_idle_body(const fgpu_range *range, void *const *args, void *user)
{
    (void)range;
    (void)args;
    (void)user;
    return 0;
}

static fgpu_status bench_idle_kernel(fgpu_pool pool, fgpu_kernel *kernel)
{
    fgpu_status status = fgpu_kernel_create(pool, "empty", kernel);

    if (status == FGPU_OK)
        status = fgpu_kernel_add_opencl(*kernel, "__kernel void empty(__global int *data) {}",
                                        "empty", NULL);
    if (status == FGPU_OK)
        status = fgpu_kernel_add_native(*kernel, bench_idle_body, NULL);
    if (status == FGPU_OK)
        status = fgpu_kernel_set_arg(*kernel, 0, FGPU_ARG_BUFFER, FGPU_READ, 0);
    return status;
}

/* Some tasks on each device, and their end. */
static fgpu_status bench_idle_work(fgpu_pool pool, struct bench_idle_result *result,
                                   const volatile sig_atomic_t *stop)
{
    fgpu_kernel kernel;
    fgpu_buffer buffer = {0};
    uint32_t value = 0;
    fgpu_status status = bench_idle_kernel(pool, &kernel);

    if (status == FGPU_OK)
        status = fgpu_device_count(pool, &result->device_count);
    if (status == FGPU_OK)
        status = fgpu_buffer_create(pool, sizeof value, &buffer);
    if (status == FGPU_OK)
        status = fgpu_buffer_fill(buffer, NULL, &value, sizeof value);
    fgpu_arg arg = fgpu_arg_buffer(buffer);
    for (uint32_t d = 0; d < result->device_count && status == FGPU_OK; d++) {
        fgpu_task_desc desc;
        fgpu_task_desc_init(&desc);
        desc.kernel = kernel;
        desc.dims = 1;
        desc.global[0] = 1;
        desc.args = &arg;
        desc.arg_count = 1;
        status = fgpu_device_at(pool, d, &desc.device);
        for (uint32_t i = 0; i < BENCH_IDLE_TASKS && status == FGPU_OK; i++) {
            status = fgpu_task_submit(pool, &desc, NULL);
            result->task_count++;
        }
    }
    return status == FGPU_OK ? waiting_pool(pool, FGPU_FOREVER, stop) : status;
}

static bool bench_idle_print(const struct bench_idle_result *result, bool is_json)
{
    double share = (double)result->cpu_ns / (double)result->wall_ns;

    if (!is_json) {
        printf("%u device%s, after %lu tasks: %.3f %% of a core over %.1f s\n",
               result->device_count, result->device_count == 1 ? "" : "s",
               (unsigned long)result->task_count, 100.0 * share, (double)result->wall_ns / 1e9);
        return true;
    }
    cJSON *root = cJSON_CreateObject();
    json_out_text(root, "benchmark", "idle");
    json_out_number(root, "devices", result->device_count);
    json_out_number(root, "tasks", (double)result->task_count);
    json_out_number(root, "wall_ns", (double)result->wall_ns);
    json_out_number(root, "cpu_ns", (double)result->cpu_ns);
    json_out_number(root, "cpu_share", share);
    return json_out_print(root);
}

static int bench_idle_run(fgpu_pool pool, uint64_t seconds, bool is_json,
                          const volatile sig_atomic_t *stop)
{
    struct bench_idle_result result = {0};
    fgpu_status status = bench_idle_work(pool, &result, stop);

    if (waiting_is_stopped(stop))
        return bench_stopped(bench_idle_command);
    if (status != FGPU_OK)
        return commands_fail(bench_idle_command, "the work before the rest", status);
    if (!waiting_sleep(BENCH_IDLE_REST_NS, stop))
        return bench_stopped(bench_idle_command);
    uint64_t wall_ns = figures_wall_ns(), cpu_ns = figures_cpu_ns();
    bool is_whole = waiting_sleep(seconds * UINT64_C(1000000000), stop);
    result.cpu_ns = figures_cpu_ns() - cpu_ns;
    result.wall_ns = figures_wall_ns() - wall_ns;
    if (!bench_idle_print(&result, is_json))
        return COMMAND_FAILED;
    return is_whole ? COMMAND_OK : bench_stopped(bench_idle_command);
}

int bench_idle(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    const char *pattern = NULL;
    uint64_t seconds = 2;
    bool is_json = false;
    struct log_options log = log_options_none;
    const struct option table[] = {
        {"seconds", 0, OPTION_NUMBER, &seconds, "N", "measure that long (default: 2)", 1,
         BENCH_IDLE_SECONDS_LIMIT, NULL},
        {"devices", 'd', OPTION_TEXT, &pattern, "PATTERN", "these only (default: all)", 0, 0, NULL},
        {"json", 0, OPTION_FLAG, &is_json, NULL, "print one JSON object", 0, 0, NULL},
        LOG_OPTIONS(log),
    };
    const struct options_page page = {
        .command = bench_idle_command,
        .text = "Runs some tasks on each device, waits, and measures the CPU time that the open\n"
                "pool uses while nothing is to be done.",
        .options = table,
        .count = sizeof table / sizeof table[0],
    };
    fgpu_pool_options options;
    fgpu_pool pool;

    enum options_outcome outcome = options_read(&page, argc, argv);
    if (outcome != OPTIONS_GO)
        return options_code(outcome);
    fgpu_pool_options_init(&options);
    options.devices = pattern;
    log_options_apply(&log, &options);
    options.cache_dir = "";
    fgpu_status status = fgpu_pool_open(&options, &pool);
    if (status != FGPU_OK)
        return commands_fail_open(bench_idle_command, status);
    int code = bench_idle_run(pool, seconds, is_json, stop);
    status = fgpu_pool_close(pool);
    if (status != FGPU_OK && code == COMMAND_OK)
        code = commands_fail(bench_idle_command, "a task failed", status);
    return code;
}
