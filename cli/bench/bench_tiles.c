/* `fastgpu bench tiles`: do a tiled product and a tiled factorisation keep devices of different
 * speed busy? Options and words; bench_tiles_run.c measures. Runs on the main thread. */
#include "cli/bench/bench_tiles.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench/bench.h"
#include "cli/evaluate/evaluation.h"
#include "cli/common/json_out.h"
#include "cli/common/log_options.h"
#include "cli/common/options.h"
#include "cli/common/text_table.h"

#define TILES_PRODUCT_EDGE 12
#define TILES_CHOLESKY_EDGE 20

static const char tiles_command[] = "fastgpu bench tiles";

static const char tiles_help[] =
    "Runs a matrix product and a Cholesky factorisation by tiles (floats, OpenCL) on\n"
    "two parts of one CPU device, the second of which is --slow times as slow (the\n"
    "pool's fault layer). Prints the share of the time that each device was busy, by\n"
    "its own clock, and that it computed (the slow one for a part of it), the time\n"
    "over lower bounds, and whether the results are right. Some rounds warm up, so\n"
    "that the pool knows the speeds.";

struct tiles_words {
    struct tiles_options run;
    const char *devices, *policy;
    uint64_t subdevices, slow, tiles; /* tiles 0: by shape */
    uint32_t shape;                   /* enum tiles_shape + 1; 0: both */
    bool is_json;
    struct log_options log;
};

/* The slowed device computes for a share of the time that it tells of: its times are --slow times
 * as long as those of the part of the CPU that it is. */
static double tiles_computing(const struct tiles_words *words, const struct tiles_result *result,
                              uint32_t device)
{
    return result->busy[device] / (device == 1 ? (double)words->slow : 1.0);
}

static bool tiles_print_json(const struct tiles_words *words, const struct tiles_result *results)
{
    cJSON *root = cJSON_CreateObject();

    json_out_text(root, "benchmark", "tiles");
    json_out_text(root, "policy", words->policy ? words->policy : "auto");
    json_out_number(root, "slow", (double)words->slow);
    json_out_number(root, "size", (double)words->run.size);
    cJSON *list = cJSON_AddArrayToObject(root, "shapes");
    for (uint32_t s = 0; s < TILES_SHAPES; s++) {
        const struct tiles_result *result = &results[s];
        bool has_bound = result->is_bound_known && result->round_count > 0;
        if (result->task_count == 0)
            continue;
        cJSON *shape = cJSON_CreateObject();
        json_out_text(shape, "shape", tiles_shape_names[s]);
        json_out_number(shape, "tasks", result->task_count);
        json_out_number(shape, "rounds", result->round_count);
        json_out_known(shape, "wall_ns", result->round_count > 0, result->wall_ns);
        json_out_known(shape, "gflops", result->round_count > 0, result->flops / result->wall_ns);
        json_out_known(shape, "cores_share", result->round_count > 0, result->cores_share);
        json_out_known(shape, "bound_area_ns", has_bound, (double)result->bound.area_ns);
        json_out_known(shape, "bound_path_ns", has_bound, (double)result->bound.path_ns);
        json_out_known(shape, "bound_ratio", has_bound && result->bound.lower_ns > 0,
                       result->wall_ns / (double)result->bound.lower_ns);
        json_out_number(shape, "bytes_moved", result->bytes_moved);
        json_out_known(shape, "bytes_least", result->bytes_least >= 0.0, result->bytes_least);
        json_out_known(shape, "others_share", result->others_share >= 0.0, result->others_share);
        json_out_bool(shape, "results_right", result->is_right);
        json_out_number(shape, "largest_error", result->error);
        cJSON *devices = cJSON_AddArrayToObject(shape, "devices");
        for (uint32_t i = 0; i < result->device_count; i++) {
            cJSON *device = cJSON_CreateObject();
            json_out_text(device, "id", result->ids[i]);
            json_out_number(device, "tasks", (double)result->tasks[i]);
            json_out_known(device, "computing_share", result->round_count > 0,
                           tiles_computing(words, result, i));
            json_out_known(device, "busy_share", result->round_count > 0, result->busy[i]);
            (void)cJSON_AddItemToArray(devices, device);
        }
        (void)cJSON_AddItemToArray(list, shape);
    }
    return json_out_print(root);
}

static void tiles_print_text(const struct tiles_words *words, enum tiles_shape shape,
                             const struct tiles_result *result)
{
    static const struct text_table_column columns[] = {
        {"  device", false}, {"tasks", true}, {"computing", true}, {"busy", true}};
    struct text_table table;

    if (result->round_count == 0)
        return;
    printf("%s: %u tasks, %.2f ms (median of %u rounds), %.2f GFlop/s, cores busy %.0f %%\n",
           tiles_shape_names[shape], result->task_count, result->wall_ns / 1e6, result->round_count,
           result->flops / result->wall_ns, 100.0 * result->cores_share);
    text_table_init(&table, columns, 4);
    for (uint32_t i = 0; i < result->device_count; i++) {
        struct text_table_row *row = text_table_add(&table);
        text_table_set(row, 0, "  %s", result->ids[i]);
        text_table_set(row, 1, "%" PRIu64, result->tasks[i]);
        text_table_set(row, 2, "%.1f %%", 100.0 * tiles_computing(words, result, i));
        text_table_set(row, 3, "%.1f %%", 100.0 * result->busy[i]);
    }
    text_table_print(&table);
    text_table_fini(&table);
    if (result->is_bound_known && result->bound.lower_ns > 0)
        printf("  time over lower bound %.3f (area %.2f ms, longest chain %.2f ms)\n",
               result->wall_ns / (double)result->bound.lower_ns,
               (double)result->bound.area_ns / 1e6, (double)result->bound.path_ns / 1e6);
    if (result->bytes_least > 0.0)
        printf("  %.1f MB were copied, %.3f of the least for that order of the tasks\n",
               result->bytes_moved / 1e6, result->bytes_moved / result->bytes_least);
    if (result->others_share >= EVALUATION_OTHERS_LEAST)
        printf("  others took %.0f %% of the machine's cores meanwhile: compare with care\n",
               100.0 * result->others_share);
    printf("  results %s (largest relative error %.1e)\n\n",
           result->is_right ? "are right" : "are WRONG", result->error);
}

static int tiles_open_and_run(struct tiles_words *words, const volatile sig_atomic_t *stop)
{
    struct tiles_result results[TILES_SHAPES] = {0};
    fgpu_pool_options options;
    fgpu_status status = FGPU_OK;
    char faults[40];
    fgpu_pool pool;
    int code = COMMAND_OK;

    (void)snprintf(faults, sizeof faults, "slow=1x%u", (unsigned)words->slow);
    for (uint32_t s = 0; s < TILES_SHAPES && status == FGPU_OK; s++) {
        if (words->shape > 0 && words->shape - 1 != s)
            continue;
        words->run.tiles = words->tiles > 0     ? words->tiles
                           : s == TILES_PRODUCT ? TILES_PRODUCT_EDGE
                                                : TILES_CHOLESKY_EDGE;
        fgpu_pool_options_init(&options);
        options.devices = words->devices;
        options.policy = words->policy;
        options.subdevices = (uint32_t)words->subdevices;
        options.faults = words->slow > 1 && words->subdevices != 1 ? faults : NULL;
        options.device_memory_bytes =
            words->run.memory * words->run.size * words->run.size * sizeof(float);
        options.trace_events = (uint32_t)1 << 20;
        options.cache_dir = ""; /* what another run measured does not count here */
        log_options_apply(&words->log, &options);
        status = fgpu_pool_open(&options, &pool);
        if (status != FGPU_OK)
            return commands_fail_open(tiles_command, status);
        status = bench_tiles_run(pool, (enum tiles_shape)s, &words->run, &results[s], stop);
        if (status != FGPU_OK && status != FGPU_E_CANCELLED)
            code = commands_fail(tiles_command, tiles_shape_names[s], status);
        (void)fgpu_pool_close(pool);
        if (!words->is_json)
            tiles_print_text(words, (enum tiles_shape)s, &results[s]);
        if (status == FGPU_OK && !results[s].is_right)
            code = COMMAND_FAILED;
    }
    if (words->is_json && !tiles_print_json(words, results))
        code = COMMAND_FAILED;
    return status == FGPU_E_CANCELLED ? bench_stopped(tiles_command) : code;
}

int bench_tiles(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    static const char *const shapes[] = {"both", "product", "cholesky", NULL};
    struct tiles_words words = {.run = {.size = 192, .rounds = 5, .warm = 3},
                                .devices = "opencl:0",
                                .subdevices = 2,
                                .slow = 2,
                                .log = log_options_none};
    const struct option table[] = {
        {"shape", 0, OPTION_CHOICE, &words.shape, "SHAPE", "product, cholesky or both (default)", 0,
         0, shapes},
        {"tiles", 't', OPTION_NUMBER, &words.tiles, "N", "tiles of an edge (default: 12 and 20)", 1,
         TILES_MOST, NULL},
        {"size", 0, OPTION_NUMBER, &words.run.size, "N",
         "elements of a tile's edge, a multiple of 8\n(default: 192)", 8, 1024, NULL},
        {"slow", 0, OPTION_NUMBER, &words.slow, "F",
         "how many times as slow the second device is\n(default: 2; 1: as fast)", 1, 100, NULL},
        {"device", 'd', OPTION_TEXT, &words.devices, "PATTERN",
         "the device that is divided (default: opencl:0)", 0, 0, NULL},
        {"subdevices", 0, OPTION_NUMBER, &words.subdevices, "N",
         "parts that it becomes (default: 2)", 1, TILES_DEVICES_LIMIT, NULL},
        {"policy", 'p', OPTION_TEXT, &words.policy, "P", "how tasks are placed (default: auto)", 0,
         0, NULL},
        {"memory", 0, OPTION_NUMBER, &words.run.memory, "N",
         "tiles that fit into each device's memory\n(default: what it has)", 1, 1u << 20, NULL},
        {"rounds", 'r', OPTION_NUMBER, &words.run.rounds, "R", "rounds (default: 5)", 1,
         TILES_ROUNDS_LIMIT, NULL},
        {"warm", 0, OPTION_NUMBER, &words.run.warm, "R", "rounds that warm up (default: 3)", 0, 99,
         NULL},
        {"json", 0, OPTION_FLAG, &words.is_json, NULL, "print one JSON object", 0, 0, NULL},
        LOG_OPTIONS(words.log),
    };
    const struct options_page page = {
        .command = tiles_command,
        .text = tiles_help,
        .options = table,
        .count = sizeof table / sizeof table[0],
    };

    enum options_outcome outcome = options_read(&page, argc, argv);
    if (outcome == OPTIONS_GO && words.run.size % 8 != 0)
        outcome =
            options_refuse(&page, "--size %u: want a multiple of 8", (unsigned)words.run.size);
    return outcome == OPTIONS_GO ? tiles_open_and_run(&words, stop) : options_code(outcome);
}
