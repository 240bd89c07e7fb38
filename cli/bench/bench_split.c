/* `fastgpu bench split`: one divisible kernel on all devices, against each of them alone.
 *
 * In each round the kernel runs whole on every device, one after the other, and then divided over
 * all; the speeds alone add up to what division could reach. What comes out is compared byte by
 * byte. Runs on the main thread.
 */
#include "cli/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastgpu/fastgpu.h>

#include "cli/common/figures.h"
#include "cli/common/json_out.h"
#include "cli/common/log_options.h"
#include "cli/common/options.h"
#include "cli/common/waiting.h"

#define BENCH_SPLIT_ITEMS_LIMIT (UINT64_C(1) << 28)
#define BENCH_SPLIT_ROUNDS_LIMIT 1000
#define BENCH_SPLIT_STEPS_LIMIT 1000000
#define BENCH_SPLIT_DEVICES 64u
#define BENCH_SPLIT_LOCAL 64u

static const char bench_split_command[] = "fastgpu bench split";

static const char bench_split_source[] =
    "__kernel void steps(__global uint *out, __global const uint *in, uint count)\n"
    "{\n"
    "    size_t i = get_global_id(0);\n"
    "    uint x = in[i] + (uint)i;\n"
    "    for (uint k = 0; k < count; k++)\n"
    "        x = (x ^ (x >> 15)) * 2246822519u + k;\n"
    "    out[i] = x;\n"
    "}\n";

struct bench_split {
    fgpu_pool pool;
    fgpu_kernel kernel;
    fgpu_buffer in, out;
    uint64_t items, rounds;
    uint32_t steps;
    uint32_t device_count;
    double *alone_ns;   /* [device][round] */
    double *divided_ns; /* [round] */
    double *share;      /* [round]: of the sum of the speeds alone */
    double *busy;       /* [device][round]: share of the divided run */
    uint32_t *expected, *found;
    uint64_t pieces; /* of all rounds */
    const volatile sig_atomic_t *stop;
};

static int bench_split_native(const fgpu_range *range, void *const *args, void *user)
{
    uint32_t *out = args[0], count;
    const uint32_t *in = args[1];

    (void)user;
    memcpy(&count, args[2], sizeof count);
    uint64_t end = range->group_end * range->local[0];
    for (uint64_t i = range->group_begin * range->local[0]; i < end && i < range->global[0]; i++) {
        uint32_t x = in[i] + (uint32_t)i;
        for (uint32_t k = 0; k < count; k++)
            x = (x ^ (x >> 15)) * 2246822519u + k;
        out[i] = x;
    }
    return 0;
}

static fgpu_status bench_split_kernel(struct bench_split *bench)
{
    fgpu_status status = fgpu_kernel_create(bench->pool, "steps", &bench->kernel);

    if (status == FGPU_OK)
        status = fgpu_kernel_add_opencl(bench->kernel, bench_split_source, "steps", NULL);
    if (status == FGPU_OK)
        status = fgpu_kernel_add_native(bench->kernel, bench_split_native, NULL);
    if (status == FGPU_OK)
        status = fgpu_kernel_set_arg(bench->kernel, 0, FGPU_ARG_BUFFER, FGPU_WRITE, 0);
    if (status == FGPU_OK)
        status = fgpu_kernel_set_arg(bench->kernel, 1, FGPU_ARG_BUFFER, FGPU_READ, 0);
    if (status == FGPU_OK)
        status = fgpu_kernel_set_arg(bench->kernel, 2, FGPU_ARG_SCALAR, FGPU_ACCESS_DEFAULT, 4);
    return status;
}

static fgpu_status bench_split_make(struct bench_split *bench)
{
    uint64_t bytes = bench->items * sizeof(uint32_t);
    uint32_t seed = 12345;
    fgpu_status status = fgpu_device_count(bench->pool, &bench->device_count);

    if (status == FGPU_OK && bench->device_count > BENCH_SPLIT_DEVICES)
        status = FGPU_E_LIMIT;
    if (status == FGPU_OK)
        status = bench_split_kernel(bench);
    if (status == FGPU_OK)
        status = fgpu_buffer_create(bench->pool, bytes, &bench->in);
    if (status == FGPU_OK)
        status = fgpu_buffer_create(bench->pool, bytes, &bench->out);
    if (status == FGPU_OK)
        status = fgpu_buffer_fill(bench->in, NULL, &seed, sizeof seed);
    if (status != FGPU_OK)
        return status;
    bench->alone_ns = calloc(bench->device_count * bench->rounds, sizeof *bench->alone_ns);
    bench->divided_ns = calloc(bench->rounds, sizeof *bench->divided_ns);
    bench->share = calloc(bench->rounds, sizeof *bench->share);
    bench->busy = calloc(bench->device_count * bench->rounds, sizeof *bench->busy);
    bench->expected = malloc(bytes);
    bench->found = malloc(bytes);
    return bench->alone_ns && bench->divided_ns && bench->share && bench->busy && bench->expected &&
                   bench->found
               ? FGPU_OK
               : FGPU_E_NOMEM;
}

static void bench_split_free(struct bench_split *bench)
{
    free(bench->alone_ns);
    free(bench->divided_ns);
    free(bench->share);
    free(bench->busy);
    free(bench->expected);
    free(bench->found);
}

/* Runs it once. [in] device: there and whole; NULL: divided. [out] ns: from submit to the end. */
static fgpu_status bench_split_once(const struct bench_split *bench, const fgpu_device *device,
                                    double *ns)
{
    const fgpu_arg args[3] = {fgpu_arg_buffer(bench->out), fgpu_arg_buffer(bench->in),
                              fgpu_arg_scalar(&bench->steps, sizeof bench->steps)};
    const fgpu_cut cuts[3] = {fgpu_cut_items(sizeof(uint32_t), 0, 0),
                              fgpu_cut_items(sizeof(uint32_t), 0, 0), fgpu_cut_whole()};
    fgpu_task_desc desc;
    fgpu_task task;

    fgpu_task_desc_init(&desc);
    desc.kernel = bench->kernel;
    desc.dims = 1;
    desc.global[0] = bench->items;
    desc.local[0] = BENCH_SPLIT_LOCAL;
    desc.args = args;
    desc.arg_count = 3;
    if (device != NULL)
        desc.device = *device;
    else
        desc.cuts = cuts;
    uint64_t begin_ns = figures_wall_ns();
    fgpu_status status = fgpu_task_submit(bench->pool, &desc, &task);
    if (status == FGPU_OK)
        status = waiting_pool(bench->pool, FGPU_FOREVER, bench->stop);
    *ns = (double)(figures_wall_ns() - begin_ns);
    return status;
}

/* What is in the buffer is kept, or compared with what was. */
static fgpu_status bench_split_look(struct bench_split *bench, bool first)
{
    uint32_t *to = first ? bench->expected : bench->found;
    fgpu_status status = fgpu_buffer_read(bench->out, NULL, to, 0);

    if (status != FGPU_OK || first)
        return status;
    return memcmp(to, bench->expected, bench->items * sizeof *to) == 0 ? FGPU_OK : FGPU_E_TASK;
}

/* Adds what the devices have been busy to `busy`, times `sign`. */
static fgpu_status bench_split_busy(const struct bench_split *bench, double *busy, double sign)
{
    fgpu_status status = FGPU_OK;

    for (uint32_t d = 0; d < bench->device_count && status == FGPU_OK; d++) {
        fgpu_device_stats stats = {.struct_bytes = sizeof stats};
        fgpu_device device;
        status = fgpu_device_at(bench->pool, d, &device);
        if (status == FGPU_OK)
            status = fgpu_device_get_stats(device, &stats);
        busy[d] += sign * (double)stats.busy_ns;
    }
    return status;
}

/* [in] speed: the sum of those alone. */
static fgpu_status bench_split_divided(struct bench_split *bench, uint64_t round, bool counts,
                                       double speed)
{
    fgpu_pool_stats before = {.struct_bytes = sizeof before}, after = before;
    double busy[BENCH_SPLIT_DEVICES] = {0}, ns = 1;
    fgpu_status status = fgpu_pool_get_stats(bench->pool, &before);

    if (status == FGPU_OK)
        status = bench_split_busy(bench, busy, -1);
    if (status == FGPU_OK)
        status = bench_split_once(bench, NULL, &ns);
    if (status == FGPU_OK)
        status = bench_split_busy(bench, busy, 1);
    if (status == FGPU_OK)
        status = fgpu_pool_get_stats(bench->pool, &after);
    if (status == FGPU_OK)
        status = bench_split_look(bench, false);
    if (status != FGPU_OK || !counts)
        return status;
    bench->divided_ns[round] = ns;
    bench->share[round] = 1 / (ns * speed);
    bench->pieces += after.pieces - before.pieces;
    for (uint32_t d = 0; d < bench->device_count; d++)
        bench->busy[d * bench->rounds + round] = busy[d] / ns;
    return FGPU_OK;
}

static fgpu_status bench_split_round(struct bench_split *bench, uint64_t round, bool counts)
{
    fgpu_status status = FGPU_OK;
    double speed = 0, ns = 1;

    for (uint32_t d = 0; d < bench->device_count && status == FGPU_OK; d++) {
        fgpu_device device;
        status = fgpu_device_at(bench->pool, d, &device);
        if (status == FGPU_OK)
            status = bench_split_once(bench, &device, &ns);
        if (status == FGPU_OK)
            status = bench_split_look(bench, !counts && d == 0);
        speed += 1 / ns;
        if (counts)
            bench->alone_ns[d * bench->rounds + round] = ns;
    }
    return status == FGPU_OK ? bench_split_divided(bench, round, counts, speed) : status;
}

static bool bench_split_print(struct bench_split *bench, bool is_json)
{
    double share = figures_median(bench->share, bench->rounds);
    double divided_ns = figures_median(bench->divided_ns, bench->rounds);
    double pieces = (double)bench->pieces / (double)bench->rounds;
    cJSON *root = is_json ? cJSON_CreateObject() : NULL;
    cJSON *alone = is_json ? cJSON_AddArrayToObject(root, "alone_ns") : NULL;
    cJSON *busies = is_json ? cJSON_AddArrayToObject(root, "busy") : NULL;

    for (uint32_t d = 0; d < bench->device_count; d++) {
        double ns = figures_median(bench->alone_ns + d * bench->rounds, bench->rounds);
        double busy = figures_median(bench->busy + d * bench->rounds, bench->rounds);
        fgpu_device device;
        fgpu_device_info info = {.struct_bytes = sizeof info};
        if (is_json) {
            (void)cJSON_AddItemToArray(alone, cJSON_CreateNumber(ns));
            (void)cJSON_AddItemToArray(busies, cJSON_CreateNumber(busy));
        } else if (fgpu_device_at(bench->pool, d, &device) == FGPU_OK &&
                   fgpu_device_get_info(device, &info) == FGPU_OK) {
            printf("alone on %-16s %10.3f ms; busy %.3f of the divided run\n", info.id, ns / 1e6,
                   busy);
        }
    }
    if (!is_json) {
        printf("divided %27.3f ms, %.1f pieces\nshare of the sum of the speeds alone: %.3f "
               "(%.3f to %.3f in %lu rounds)\n",
               divided_ns / 1e6, pieces, share, bench->share[0], bench->share[bench->rounds - 1],
               (unsigned long)bench->rounds);
        return true;
    }
    json_out_text(root, "benchmark", "split");
    json_out_number(root, "items", (double)bench->items);
    json_out_number(root, "rounds", (double)bench->rounds);
    json_out_number(root, "divided_ns", divided_ns);
    json_out_number(root, "pieces", pieces);
    json_out_number(root, "share", share);
    json_out_number(root, "share_least", bench->share[0]);
    return json_out_print(root);
}

static int bench_split_run(struct bench_split *bench, bool is_json)
{
    fgpu_status status = bench_split_make(bench);
    int code = COMMAND_OK;

    if (status == FGPU_OK)
        status = bench_split_round(bench, 0, false);
    for (uint64_t r = 0; r < bench->rounds && status == FGPU_OK; r++)
        status = bench_split_round(bench, r, true);
    if (waiting_is_stopped(bench->stop))
        code = bench_stopped(bench_split_command);
    else if (status != FGPU_OK)
        code = commands_fail(bench_split_command,
                             status == FGPU_E_TASK ? "the results differ" : "a round", status);
    else if (!bench_split_print(bench, is_json))
        code = COMMAND_FAILED;
    bench_split_free(bench);
    return code;
}

int bench_split(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    const char *pattern = "opencl", *faults = NULL;
    uint64_t subdevices = 0, workers = 0, steps = 1000;
    bool is_json = false;
    struct bench_split bench = {.items = 1 << 18, .rounds = 10, .stop = stop};
    struct log_options log = log_options_none;
    const struct option table[] = {
        {"devices", 'd', OPTION_TEXT, &pattern, "PATTERN", "these (default: opencl)", 0, 0, NULL},
        {"subdevices", 0, OPTION_NUMBER, &subdevices, "N",
         "split OpenCL CPU devices into N (default: 0, not)", 0, 64, NULL},
        {"workers", 'w', OPTION_NUMBER, &workers, "W", "threads of the cpu device", 0, 256, NULL},
        {"faults", 0, OPTION_TEXT, &faults, "TEXT",
         "as of fastgpu run: slow=1x3 makes device 1 three\ntimes as slow", 0, 0, NULL},
        {"items", 'n', OPTION_NUMBER, &bench.items, "N", "work items (default: 262144)",
         BENCH_SPLIT_LOCAL, BENCH_SPLIT_ITEMS_LIMIT, NULL},
        {"steps", 0, OPTION_NUMBER, &steps, "N", "of each work item (default: 1000)", 1,
         BENCH_SPLIT_STEPS_LIMIT, NULL},
        {"rounds", 'r', OPTION_NUMBER, &bench.rounds, "N", "(default: 10)", 1,
         BENCH_SPLIT_ROUNDS_LIMIT, NULL},
        {"json", 0, OPTION_FLAG, &is_json, NULL, "print one JSON object", 0, 0, NULL},
        LOG_OPTIONS(log),
    };
    const struct options_page page = {
        .command = bench_split_command,
        .text = "Runs one kernel whole on each device and then divided over all of them, and says\n"
                "which share of the sum of their speeds that reaches.",
        .options = table,
        .count = sizeof table / sizeof table[0],
    };
    fgpu_pool_options options;

    enum options_outcome outcome = options_read(&page, argc, argv);
    if (outcome != OPTIONS_GO)
        return options_code(outcome);
    bench.items -= bench.items % BENCH_SPLIT_LOCAL;
    bench.steps = (uint32_t)steps;
    fgpu_pool_options_init(&options);
    options.devices = pattern;
    options.subdevices = (uint32_t)subdevices;
    options.cpu_workers = (uint32_t)workers;
    options.faults = faults;
    log_options_apply(&log, &options);
    options.cache_dir = "";
    fgpu_status status = fgpu_pool_open(&options, &bench.pool);
    if (status != FGPU_OK)
        return commands_fail_open(bench_split_command, status);
    int code = bench_split_run(&bench, is_json);
    status = fgpu_pool_close(bench.pool);
    if (status != FGPU_OK && code == COMMAND_OK)
        code = commands_fail(bench_split_command, "a task failed", status);
    return code;
}
