/* `fastgpu bench transfer`: what copies and mappings cost, beside memcpy and OpenCL by hand.
 * Options, pools and words; bench_transfer_copy.c and bench_transfer_own.c measure. What was not
 * measured is "unknown" in the text and null in JSON. Runs on the main thread.
 */
#include "cli/bench/bench_transfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/bench/bench.h"
#include "cli/common/cli_limits.h"
#include "cli/common/json_out.h"
#include "cli/common/log_options.h"
#include "cli/common/options.h"
#include "cli/common/text_table.h"
#include "cli/common/waiting.h"

static const char transfer_command[] = "fastgpu bench transfer";
static const char transfer_memory[] = "FASTGPU_OPENCL_MEMORY";

static const char transfer_help[] =
    "Measures how data travel: large copies against memcpy, mappings of all sizes,\n"
    "many small copies at once against one by one, a pipeline (copy in, kernel,\n"
    "copy out, over a link that is slowed down) against its longest stage, and the\n"
    "bytes that are moved against those that must be. By hand means OpenCL calls\n"
    "without the pool, in the same round. A CPU device is opened twice: on the\n"
    "host's memory, and as if it had memory of its own.";

static const char *const transfer_ways[TRANSFER_WAYS] = {"memcpy", "write", "read",   "copy",
                                                         "in",     "out",   "raw_in", "raw_out"};

struct transfer_words {
    struct transfer_options run;
    const char *pattern;
    bool is_json;
    struct log_options log;
};

/* ---- what came of it -------------------------------------------------------------------- */

static void transfer_json_copies(cJSON *root, const struct transfer_result *result)
{
    cJSON *list = cJSON_AddArrayToObject(root, "copies");

    for (uint32_t i = 0; i < result->copy_count; i++) {
        const struct transfer_copy *copy = &result->copies[i];
        cJSON *object = cJSON_CreateObject();
        char field[64];
        json_out_number(object, "bytes", (double)copy->bytes);
        for (uint32_t way = 0; way < TRANSFER_WAYS; way++) {
            (void)snprintf(field, sizeof field, "%s_ns", transfer_ways[way]);
            json_out_known(object, field, copy->has[way], copy->ns[way]);
            (void)snprintf(field, sizeof field, "%s_over_memcpy", transfer_ways[way]);
            if (way != TRANSFER_MEMCPY)
                json_out_known(object, field, copy->has[way], copy->ratio[way]);
        }
        (void)cJSON_AddItemToArray(list, object);
    }
}

/* Largest over smallest time of all sizes. */
static double transfer_map_spread(const struct transfer_result *result)
{
    double least = result->maps[0].ns, most = least;

    for (uint32_t i = 1; i < result->map_count; i++) {
        least = result->maps[i].ns < least ? result->maps[i].ns : least;
        most = result->maps[i].ns > most ? result->maps[i].ns : most;
    }
    return result->map_count > 0 ? most / least : 0;
}

static void transfer_json_maps(cJSON *root, const struct transfer_result *result)
{
    cJSON *list = cJSON_AddArrayToObject(root, "maps");

    for (uint32_t i = 0; i < result->map_count; i++) {
        const struct transfer_map *map = &result->maps[i];
        cJSON *object = cJSON_CreateObject();
        json_out_number(object, "bytes", (double)map->bytes);
        json_out_number(object, "map_unmap_ns", map->ns);
        json_out_known(object, "raw_map_unmap_ns", map->has_raw, map->raw_ns);
        (void)cJSON_AddItemToArray(list, object);
    }
    json_out_known(root, "map_spread", result->map_count > 0, transfer_map_spread(result));
}

static void transfer_json_scattered(cJSON *root, const struct transfer_words *words,
                                    const struct transfer_scattered *scattered)
{
    cJSON *object = cJSON_AddObjectToObject(root, "scattered");
    bool has_raw = scattered->is_known && scattered->has_raw;

    json_out_number(object, "count", (double)words->run.pieces);
    json_out_number(object, "bytes", (double)words->run.piece_bytes);
    json_out_known(object, "gathered_ns", scattered->is_known, scattered->gathered_ns);
    json_out_known(object, "one_by_one_ns", scattered->is_known, scattered->one_by_one_ns);
    json_out_known(object, "speed_up", scattered->is_known, scattered->speed_up);
    json_out_known(object, "raw_one_by_one_ns", has_raw, scattered->raw_one_by_one_ns);
    json_out_known(object, "raw_enqueued_ns", has_raw, scattered->raw_enqueued_ns);
    json_out_known(object, "raw_speed_up", has_raw, scattered->raw_speed_up);
}

static void transfer_json_pipeline(cJSON *root, const struct transfer_words *words,
                                   const struct transfer_pipeline *pipeline)
{
    cJSON *object = cJSON_AddObjectToObject(root, "pipeline");
    bool is_known = pipeline->is_known;

    json_out_number(object, "chunks", (double)words->run.chunks);
    json_out_number(object, "chunk_bytes", (double)words->run.chunk_bytes);
    json_out_known(object, "link_mb_per_s", words->run.link_mbps > 0, (double)words->run.link_mbps);
    json_out_known(object, "in_ns", is_known, pipeline->in_ns);
    json_out_known(object, "kernel_ns", is_known, pipeline->kernel_ns);
    json_out_known(object, "out_ns", is_known, pipeline->out_ns);
    json_out_known(object, "wall_ns", is_known, pipeline->wall_ns);
    json_out_known(object, "over_longest", is_known, pipeline->over_longest);
    json_out_known(object, "bytes_moved", is_known, pipeline->bytes_moved);
    json_out_known(object, "bytes_compulsory", is_known, pipeline->bytes_compulsory);
}

static bool transfer_print_json(const struct transfer_words *words,
                                const struct transfer_result *result)
{
    const fgpu_device_info *info = result->has_own ? &result->own_info : &result->host_info;
    cJSON *root = cJSON_CreateObject();

    json_out_text(root, "benchmark", "transfer");
    json_out_text(root, "device", info->id);
    json_out_text(root, "name", info->name);
    json_out_bool(root, "host_memory", result->has_host);
    json_out_bool(root, "own_memory", result->has_own);
    json_out_number(root, "rounds", (double)words->run.rounds);
    transfer_json_copies(root, result);
    transfer_json_maps(root, result);
    transfer_json_scattered(root, words, &result->scattered);
    transfer_json_pipeline(root, words, &result->pipeline);
    json_out_known(root, "bytes_moved", result->has_own, result->bytes_moved);
    json_out_known(root, "bytes_compulsory", result->has_own, result->bytes_compulsory);
    json_out_bool(root, "results_right", result->is_right);
    return json_out_print(root);
}

static void transfer_print_copies(const struct transfer_result *result)
{
    static const char *const names[TRANSFER_WAYS] = {"memcpy",
                                                     "write to a buffer",
                                                     "read from a buffer",
                                                     "copy between buffers",
                                                     "into the device's own memory",
                                                     "out of it",
                                                     "into it by hand",
                                                     "out of it by hand"};
    static const struct text_table_column columns[] = {
        {"copies", false}, {"MiB", true}, {"us", true}, {"of memcpy's speed", true}};
    struct text_table table;

    text_table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i < result->copy_count; i++) {
        const struct transfer_copy *copy = &result->copies[i];
        for (uint32_t way = 0; way < TRANSFER_WAYS; way++) {
            if (!copy->has[way])
                continue;
            struct text_table_row *row = text_table_add(&table);
            text_table_set(row, 0, "%s", names[way]);
            text_table_set(row, 1, "%" PRIu64, copy->bytes >> 20);
            text_table_set(row, 2, "%.1f", copy->ns[way] / 1e3);
            text_table_set(row, 3, "%.3f", way == TRANSFER_MEMCPY ? 1.0 : copy->ratio[way]);
        }
    }
    text_table_print(&table);
    text_table_fini(&table);
}

static void transfer_print_maps(const struct transfer_result *result)
{
    static const struct text_table_column columns[] = {
        {"map and unmap", false}, {"us", true}, {"by hand", true}};
    struct text_table table;

    if (result->map_count == 0)
        return;
    printf("\n");
    text_table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i < result->map_count; i++) {
        struct text_table_row *row = text_table_add(&table);
        text_table_set(row, 0, "%" PRIu64 " KiB", result->maps[i].bytes >> 10);
        text_table_set(row, 1, "%.2f", result->maps[i].ns / 1e3);
        text_table_set(row, 2, result->maps[i].has_raw ? "%.2f" : "unknown",
                       result->maps[i].raw_ns / 1e3);
    }
    text_table_print(&table);
    text_table_fini(&table);
}

static void transfer_print_text(const struct transfer_words *words,
                                const struct transfer_result *result)
{
    const fgpu_device_info *info = result->has_own ? &result->own_info : &result->host_info;
    const struct transfer_scattered *scattered = &result->scattered;
    const struct transfer_pipeline *pipeline = &result->pipeline;

    printf("%s (%s): medians of %" PRIu64 " rounds\n\n", info->id, info->name, words->run.rounds);
    transfer_print_copies(result);
    transfer_print_maps(result);
    if (scattered->is_known)
        printf("\n%" PRIu64 " scattered copies of %" PRIu64
               " bytes: %.2f ms at once, %.2f ms one by one, %.1f times as fast\n",
               words->run.pieces, words->run.piece_bytes, scattered->gathered_ns / 1e6,
               scattered->one_by_one_ns / 1e6, scattered->speed_up);
    if (scattered->is_known && scattered->has_raw)
        printf("  by hand: %.2f ms one by one (%.1f), %.2f ms all enqueued\n",
               scattered->raw_one_by_one_ns / 1e6, scattered->raw_speed_up,
               scattered->raw_enqueued_ns / 1e6);
    if (pipeline->is_known)
        printf("\nPipeline of %" PRIu64 " chunks: %.2f ms; in alone %.2f, kernels %.2f, out %.2f: "
               "%.3f of the longest\n",
               words->run.chunks, pipeline->wall_ns / 1e6, pipeline->in_ns / 1e6,
               pipeline->kernel_ns / 1e6, pipeline->out_ns / 1e6, pipeline->over_longest);
    if (result->has_own)
        printf("\nBytes moved, of those that must be: %.3f (a chain), %.3f (the pipeline)\n",
               result->bytes_moved / result->bytes_compulsory,
               pipeline->is_known ? pipeline->bytes_moved / pipeline->bytes_compulsory : 0.0);
    if (!result->is_right)
        printf("Results are WRONG\n");
}

/* ---- pools ------------------------------------------------------------------------------ */

static fgpu_status transfer_open(const struct transfer_words *words, const char *faults,
                                 fgpu_pool *pool, fgpu_device_info *info)
{
    fgpu_pool_options options;
    fgpu_device device;

    fgpu_pool_options_init(&options);
    options.devices = words->pattern;
    options.faults = faults;
    options.cache_dir = ""; /* what another run measured does not count here */
    log_options_apply(&words->log, &options);
    fgpu_status status = fgpu_pool_open(&options, pool);
    if (status == FGPU_OK)
        status = fgpu_device_at(*pool, 0, &device);
    info->struct_bytes = sizeof *info;
    return status == FGPU_OK ? fgpu_device_get_info(device, info) : status;
}

/* As it is, and, where that is on the host's memory, as if it had some of its own. */
static fgpu_status transfer_open_both(const struct transfer_words *words,
                                      struct transfer_bench *bench)
{
    struct transfer_result *result = bench->result;
    fgpu_device_info info;
    fgpu_status status = transfer_open(words, NULL, &bench->host, &result->host_info);

    if (status != FGPU_OK)
        return status;
    if (result->host_info.memory_node != 0) {
        bench->own = bench->host;
        bench->host.bits = 0;
        result->own_info = result->host_info;
        result->has_own = true;
        return FGPU_OK;
    }
    result->has_host = true;
    (void)setenv(transfer_memory, "separate", 1);
    status = transfer_open(words, NULL, &bench->own, &info);
    if (status != FGPU_OK || info.memory_node == 0) { /* a device of another kind */
        if (status == FGPU_OK)
            (void)fgpu_pool_close(bench->own);
        bench->own.bits = 0;
        return status;
    }
    result->own_info = info;
    result->has_own = true;
    return FGPU_OK;
}

static fgpu_status transfer_paced(const struct transfer_words *words, struct transfer_bench *bench)
{
    fgpu_device_info info;
    char faults[64] = "";
    fgpu_pool pool = {0};

    if (words->run.link_mbps > 0)
        (void)snprintf(faults, sizeof faults, "link=0x%" PRIu64, words->run.link_mbps);
    fgpu_status status = transfer_open(words, faults, &pool, &info);
    if (status == FGPU_OK)
        status = transfer_run_pipeline(bench, pool);
    fgpu_status closed = pool.bits != 0 ? fgpu_pool_close(pool) : FGPU_OK;
    return status == FGPU_OK ? closed : status;
}

static fgpu_status transfer_run(const struct transfer_words *words, struct transfer_bench *bench)
{
    fgpu_status status = bench->own.bits != 0 ? transfer_kernels(bench) : FGPU_OK;

    if (status == FGPU_OK)
        status = transfer_run_copies(bench);
    if (status == FGPU_OK)
        status = transfer_run_maps(bench);
    if (status == FGPU_OK && bench->own.bits != 0)
        status = transfer_run_scattered(bench);
    if (status == FGPU_OK && bench->own.bits != 0)
        status = transfer_run_moved(bench);
    if (status == FGPU_OK && bench->own.bits != 0)
        status = transfer_paced(words, bench);
    return status;
}

/* The other side, where the device is an OpenCL one: as large as anything here. */
static void transfer_open_raw(const struct transfer_words *words, struct transfer_bench *bench)
{
    const struct transfer_result *result = bench->result;
    uint64_t bytes = words->run.pieces * words->run.piece_bytes * 4;
    char why[CLI_WHY_BYTES] = "";

    bytes = bytes > words->run.largest_bytes ? bytes : words->run.largest_bytes;
    if (transfer_raw_open(result->has_own ? &result->own_info : &result->host_info, bytes,
                          &bench->raw, why, sizeof why) != FGPU_OK &&
        why[0] != '\0')
        fprintf(stderr, "%s: nothing is measured by hand: %s\n", transfer_command, why);
}

static int transfer_show(const struct transfer_words *words)
{
    struct transfer_result result = {.is_right = true};
    struct transfer_bench bench = {.options = &words->run, .result = &result};
    int code = COMMAND_OK;
    fgpu_status status = transfer_open_both(words, &bench);

    if (status != FGPU_OK) {
        code = commands_fail_open(transfer_command, status);
    } else {
        transfer_open_raw(words, &bench);
        status = transfer_run(words, &bench);
        transfer_raw_close(bench.raw);
        if (status == FGPU_E_CANCELLED || waiting_is_stopped(words->run.stop))
            code = bench_stopped(transfer_command);
        else if (status != FGPU_OK)
            code = commands_fail(transfer_command, "the transfers", status);
    }
    if (bench.host.bits != 0)
        (void)fgpu_pool_close(bench.host);
    if (bench.own.bits != 0)
        (void)fgpu_pool_close(bench.own);
    if (code != COMMAND_OK)
        return code;
    if (!words->is_json)
        transfer_print_text(words, &result);
    else if (!transfer_print_json(words, &result))
        return COMMAND_FAILED;
    return result.is_right ? COMMAND_OK : COMMAND_FAILED;
}

int bench_transfer(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    uint64_t largest_mib = 64, chunk_kib = 1024;
    struct transfer_words words = {.run = {.rounds = 7,
                                           .pieces = 1024,
                                           .piece_bytes = 4096,
                                           .chunks = 96,
                                           .link_mbps = 250,
                                           .stop = stop},
                                   .pattern = "opencl:0",
                                   .log = log_options_none};
    const struct option table[] = {
        {"device", 'd', OPTION_TEXT, &words.pattern, "PATTERN",
         "the first device that matches\n(default: opencl:0)", 0, 0, NULL},
        {"largest", 0, OPTION_NUMBER, &largest_mib, "MIB",
         "of copies (from 16 on) and maps (default: 64)", 1, 4096, NULL},
        {"pieces", 'n', OPTION_NUMBER, &words.run.pieces, "N", "scattered copies (default: 1024)",
         1, 65536, NULL},
        {"chunks", 0, OPTION_NUMBER, &words.run.chunks, "N", "of the pipeline (default: 96)", 1,
         10000, NULL},
        {"chunk", 0, OPTION_NUMBER, &chunk_kib, "KIB", "bytes of each (default: 1024)", 1, 65536,
         NULL},
        {"link", 0, OPTION_NUMBER, &words.run.link_mbps, "MBPS",
         "its link, MB/s in each direction (default: 250;\n0: as it is)", 0, 1000000, NULL},
        {"rounds", 'r', OPTION_NUMBER, &words.run.rounds, "R", "rounds (default: 7)", 1,
         TRANSFER_ROUNDS_LIMIT, NULL},
        {"json", 0, OPTION_FLAG, &words.is_json, NULL, "print one JSON object", 0, 0, NULL},
        LOG_OPTIONS(words.log),
    };
    const struct options_page page = {
        .command = transfer_command,
        .text = transfer_help,
        .options = table,
        .count = sizeof table / sizeof table[0],
    };
    enum options_outcome outcome = options_read(&page, argc, argv);

    if (outcome != OPTIONS_GO)
        return options_code(outcome);
    words.run.largest_bytes = largest_mib << 20;
    words.run.chunk_bytes = chunk_kib << 10;
    return transfer_show(&words);
}
