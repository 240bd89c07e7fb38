/* `fastgpu bench preempt` on a device: a batch and requests in several ways, in turn; see
 * bench_preempt.h. Runs on the main thread, with the threads of cli/latency/urgent.h.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench.h"
#include "cli/bench/bench_preempt.h"
#include "cli/common/figures.h"
#include "cli/common/json_out.h"
#include "cli/common/text_table.h"
#include "cli/latency/urgent.h"
#include "cli/latency/urgent_raw.h"

#define PREEMPT_GROUP_US 185u
#define PREEMPT_REQUEST_GROUPS 4u
#define PREEMPT_WARM_NS 100000000u

/* In this order in each round. QUIET: the batch without requests. */
enum preempt_way {
    WAY_IDLE,
    WAY_RAW,
    WAY_PLAIN,
    WAY_SLICE,
    WAY_GUARD,
    WAY_QUIET_PLAIN,
    WAY_QUIET_GUARD,
    WAYS
};

static const char *const preempt_way_names[WAYS] = {"idle",  "raw",         "plain",      "slice",
                                                    "guard", "quiet_plain", "quiet_guard"};
static const char *const preempt_way_words[WAYS] = {
    "alone", "one OpenCL queue by hand",    "whole launches",    "slices",
    "guard", "whole launches, no requests", "guard, no requests"};

enum { POOL_PLAIN, POOL_SLICE, POOL_GUARD, POOLS };

/* The requests of a way, over all rounds. */
struct preempt_waits {
    double *ms; /* owned; all of them */
    uint32_t count, room;
    double *p50_ms; /* owned; by round */
    uint32_t rounds;
};

struct preempt_bench {
    const struct preempt_options *options;
    const volatile sig_atomic_t *stop;
    struct urgent_pool pools[POOLS];
    uint32_t pool_count; /* that are open */
    struct urgent_raw *raw;
    struct preempt_waits waits[WAYS];
    double *ratios[WAYS]; /* owned; batch work of a round over that of plain launches */
    uint32_t rounds;      /* that were whole */
    uint64_t preemptions[WAYS];
    uint64_t launches, requests, speed_count;
    double speed;
    char why[CLI_WHY_BYTES];
};

/* ---- runs */

static struct urgent_pool *preempt_pool(struct preempt_bench *bench, enum preempt_way way)
{
    static const int pools[WAYS] = {POOL_PLAIN, POOL_PLAIN, POOL_PLAIN, POOL_SLICE,
                                    POOL_GUARD, POOL_PLAIN, POOL_GUARD};
    return &bench->pools[pools[way]];
}

static struct urgent_load preempt_load(const struct preempt_bench *bench, enum preempt_way way,
                                       uint32_t round)
{
    const struct preempt_options *options = bench->options;
    return (struct urgent_load){.has_batch = way != WAY_IDLE,
                                .has_requests = way < WAY_QUIET_PLAIN,
                                .run_ns = options->time_ms * 1000000,
                                .mean_ns = (double)options->pause_ms * 1e6,
                                .seed = options->seed + round,
                                .depth = (uint32_t)options->depth};
}

static bool preempt_keep(struct preempt_bench *bench, enum preempt_way way,
                         const struct urgent_run *run)
{
    struct preempt_waits *waits = &bench->waits[way];
    uint32_t room = waits->count + run->count;

    if (run->count == 0)
        return true;
    if (room > waits->room) {
        double *grown = realloc(waits->ms, room * sizeof *grown);
        if (!grown)
            return false;
        waits->ms = grown;
        waits->room = room;
    }
    double *fresh = waits->ms + waits->count;
    for (uint32_t i = 0; i < run->count; i++)
        fresh[i] = (double)run->samples[i].latency_ns / 1e6;
    waits->p50_ms[waits->rounds++] = figures_median(fresh, run->count);
    waits->count = room;
    bench->requests += run->count;
    return true;
}

static fgpu_status preempt_run(struct preempt_bench *bench, struct urgent_run *run,
                               enum preempt_way way)
{
    if (way == WAY_RAW)
        return urgent_raw_run(bench->raw, run, bench->why, sizeof bench->why);
    fgpu_status status = urgent_start(run);
    fgpu_status finished = urgent_finish(run);
    status = status == FGPU_OK ? finished : status;
    for (int i = 1; i >= 0 && status != FGPU_E_CANCELLED; i--)
        if (run->why[i][0])
            memcpy(bench->why, run->why[i], sizeof bench->why);
    if (status == FGPU_OK)
        status = urgent_check(run->pool, bench->why, sizeof bench->why);
    return status;
}

/* One way in one round. [out] rate: of its batch. */
static fgpu_status preempt_measure(struct preempt_bench *bench, enum preempt_way way,
                                   uint32_t round, double *rate)
{
    struct urgent_run run = {.pool = preempt_pool(bench, way),
                             .load = preempt_load(bench, way, round),
                             .stop = bench->stop};
    uint64_t preemptions = urgent_preemptions(run.pool);
    fgpu_status status = preempt_run(bench, &run, way);

    bench->preemptions[way] += urgent_preemptions(run.pool) - preemptions;
    if (status == FGPU_OK && !preempt_keep(bench, way, &run))
        status = FGPU_E_NOMEM;
    *rate = urgent_rate(&run);
    bench->launches += run.last.launches;
    if (way == WAY_PLAIN) {
        bench->speed += urgent_speed(&run);
        bench->speed_count++;
    }
    urgent_fini(&run);
    return status;
}

static fgpu_status preempt_round(struct preempt_bench *bench)
{
    double rates[WAYS] = {0};
    fgpu_status status = FGPU_OK;

    for (uint32_t w = 0; w < WAYS && status == FGPU_OK; w++)
        if (w != WAY_RAW || bench->raw)
            status = preempt_measure(bench, (enum preempt_way)w, bench->rounds, &rates[w]);
    if (status != FGPU_OK)
        return status;
    for (uint32_t w = 0; w < WAYS; w++) {
        double plain = rates[w == WAY_QUIET_GUARD ? WAY_QUIET_PLAIN : WAY_PLAIN];
        bench->ratios[w][bench->rounds] = plain > 0 ? rates[w] / plain : 0;
    }
    bench->rounds++;
    return FGPU_OK;
}

/* ---- open and close */

/* Compiles, and the pool learns how long things take. */
static fgpu_status preempt_warm(struct preempt_bench *bench, enum preempt_way way)
{
    struct urgent_run run = {
        .pool = preempt_pool(bench, way), .load = preempt_load(bench, way, 0), .stop = bench->stop};
    if (run.load.run_ns > PREEMPT_WARM_NS)
        run.load.run_ns = PREEMPT_WARM_NS;
    run.load.mean_ns = (double)run.load.run_ns / 20;
    fgpu_status status = preempt_run(bench, &run, way);
    urgent_fini(&run);
    return status;
}

static bool preempt_room(struct preempt_bench *bench)
{
    bool is_good = true;
    for (uint32_t w = 0; w < WAYS; w++) {
        bench->waits[w].p50_ms = calloc(bench->options->rounds, sizeof(double));
        bench->ratios[w] = calloc(bench->options->rounds, sizeof(double));
        is_good = is_good && bench->waits[w].p50_ms && bench->ratios[w];
    }
    return is_good;
}

static void preempt_close(struct preempt_bench *bench)
{
    urgent_raw_close(bench->raw);
    for (uint32_t p = 0; p < bench->pool_count; p++)
        (void)urgent_close(&bench->pools[p]);
    for (uint32_t w = 0; w < WAYS; w++) {
        free(bench->waits[w].ms);
        free(bench->waits[w].p50_ms);
        free(bench->ratios[w]);
    }
}

/* The first pool finds how many rounds make the group times that are wanted. */
static fgpu_status preempt_open(struct preempt_bench *bench)
{
    static const uint32_t ways[POOLS] = {FGPU_POOL_PREEMPT_OFF, FGPU_POOL_PREEMPT_SLICES,
                                         FGPU_POOL_PREEMPT_GUARD};
    const struct preempt_options *options = bench->options;
    uint64_t group_us = options->group_us > 0 ? options->group_us : PREEMPT_GROUP_US;
    struct urgent_size size = {.groups = (uint32_t)options->groups,
                               .request_groups = PREEMPT_REQUEST_GROUPS};
    fgpu_status status = preempt_room(bench) ? FGPU_OK : FGPU_E_NOMEM;

    for (uint32_t p = 0; p < POOLS && status == FGPU_OK; p++) {
        struct urgent_pool *pool = &bench->pools[p];
        status = urgent_open(pool, options->device, ways[p], &size);
        bench->pool_count += status == FGPU_OK;
        if (p == 0 && status == FGPU_OK) {
            status = urgent_calibrate(pool, group_us * 1000, options->request_us * 1000);
            size = pool->size;
        }
    }
    if (status == FGPU_OK)
        status = urgent_raw_open(&bench->pools[0], &bench->raw, bench->why, sizeof bench->why);
    for (uint32_t w = WAY_RAW; w <= WAY_GUARD && status == FGPU_OK; w++)
        if (w != WAY_RAW || bench->raw)
            status = preempt_warm(bench, (enum preempt_way)w);
    return status;
}

/* ---- what came out */

struct preempt_row {
    bool has_waits, has_ratio;
    double p50_ms, p90_ms, p99_ms, ratio;
    double delay_p50, delay_p90; /* beyond the median alone, in times of a group */
};

static double preempt_delay(const struct preempt_bench *bench, double ms, double idle_ms)
{
    uint64_t group_us = bench->options->group_us > 0 ? bench->options->group_us : PREEMPT_GROUP_US;
    return fmax(0, ms - idle_ms) * 1000 / (double)group_us;
}

static void preempt_look(struct preempt_bench *bench, struct preempt_row rows[WAYS])
{
    for (uint32_t w = 0; w < WAYS; w++) {
        struct preempt_waits *waits = &bench->waits[w];
        rows[w] = (struct preempt_row){.has_waits = waits->count > 0,
                                       .has_ratio = bench->rounds > 0 && w != WAY_IDLE &&
                                                    (w != WAY_RAW || bench->raw)};
        if (rows[w].has_ratio)
            rows[w].ratio = figures_median(bench->ratios[w], bench->rounds);
        if (!rows[w].has_waits)
            continue;
        rows[w].p50_ms = figures_median(waits->p50_ms, waits->rounds);
        rows[w].p90_ms = figures_quantile(waits->ms, waits->count, 0.9);
        rows[w].p99_ms = figures_quantile(waits->ms, waits->count, 0.99);
        rows[w].delay_p50 = preempt_delay(bench, rows[w].p50_ms, rows[WAY_IDLE].p50_ms);
        rows[w].delay_p90 = preempt_delay(bench, rows[w].p90_ms, rows[WAY_IDLE].p50_ms);
    }
}

static void preempt_field(cJSON *root, enum preempt_way way, const char *what, bool is_known,
                          double value)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s_%s", preempt_way_names[way], what);
    json_out_known(root, name, is_known, value);
}

static bool preempt_device_json(const struct preempt_bench *bench, const struct preempt_row *rows)
{
    const struct preempt_options *options = bench->options;
    const struct urgent_pool *pool = &bench->pools[0];
    cJSON *root = cJSON_CreateObject();

    json_out_text(root, "benchmark", "preempt");
    json_out_bool(root, "simulated", false);
    json_out_text(root, "device", pool->info.id);
    json_out_text(root, "name", pool->info.name);
    json_out_bool(root, "device_slices", pool->preempt & FGPU_PREEMPT_SLICES);
    json_out_bool(root, "device_guard", pool->preempt & FGPU_PREEMPT_GUARD);
    json_out_number(root, "groups", pool->size.groups);
    json_out_number(root, "group_us",
                    (double)(options->group_us > 0 ? options->group_us : PREEMPT_GROUP_US));
    json_out_number(root, "request_groups", pool->size.request_groups);
    json_out_number(root, "request_us", (double)options->request_us);
    json_out_number(root, "pause_ms", (double)options->pause_ms);
    json_out_number(root, "time_ms", (double)options->time_ms);
    json_out_number(root, "rounds", bench->rounds);
    json_out_text(root, "work_per", urgent_counts_cpu(pool) ? "cpu_second" : "second");
    for (uint32_t w = 0; w <= WAY_GUARD; w++) {
        const struct preempt_row *row = &rows[w];
        enum preempt_way way = (enum preempt_way)w;
        preempt_field(root, way, "p50_ms", row->has_waits, row->p50_ms);
        preempt_field(root, way, "p90_ms", row->has_waits, row->p90_ms);
        preempt_field(root, way, "p99_ms", row->has_waits, row->p99_ms);
        preempt_field(root, way, "requests", true, bench->waits[w].count);
        if (w == WAY_IDLE)
            continue;
        preempt_field(root, way, "delay_p50_groups", row->has_waits, row->delay_p50);
        preempt_field(root, way, "delay_p90_groups", row->has_waits, row->delay_p90);
        preempt_field(root, way, "batch_ratio", row->has_ratio, row->ratio);
        if (w != WAY_RAW)
            preempt_field(root, way, "preemptions", true, (double)bench->preemptions[w]);
    }
    json_out_known(root, "guard_idle_cost_ratio", rows[WAY_QUIET_GUARD].has_ratio,
                   rows[WAY_QUIET_GUARD].ratio);
    json_out_known(root, "plain_launches_per_second", bench->speed_count > 0,
                   bench->speed / (double)bench->speed_count);
    json_out_number(root, "checked_launches", (double)bench->launches);
    json_out_number(root, "checked_requests", (double)bench->requests);
    return json_out_print(root);
}

static void preempt_device_row(struct text_table *table, enum preempt_way way,
                               const struct preempt_row *row, uint64_t preemptions)
{
    struct text_table_row *cells = text_table_add(table);
    if (!cells)
        return;
    text_table_set(cells, 0, "%s", preempt_way_words[way]);
    if (row->has_waits) {
        text_table_set(cells, 1, "%.3f", row->p50_ms);
        text_table_set(cells, 2, "%.3f", row->p90_ms);
        text_table_set(cells, 3, "%.3f", row->p99_ms);
    }
    if (way != WAY_IDLE && way != WAY_RAW)
        text_table_set(cells, 4, "%" PRIu64, preemptions);
    if (row->has_ratio)
        text_table_set(cells, 5, "%.3f", row->ratio);
}

static void preempt_device_text(const struct preempt_bench *bench, const struct preempt_row *rows)
{
    static const struct text_table_column columns[] = {{"a request waits (ms)", false},
                                                       {"p50", true},
                                                       {"p90", true},
                                                       {"p99", true},
                                                       {"stops", true},
                                                       {"batch work", true}};
    const struct preempt_options *options = bench->options;
    const struct urgent_pool *pool = &bench->pools[0];
    struct text_table table;

    printf("%s (%s): a batch of %u work groups of %" PRIu64
           " us a launch; requests of %u of %" PRIu64 " us,\n%" PRIu64
           " ms apart; medians of %u round%s\n\n",
           pool->info.id, pool->info.name, pool->size.groups,
           options->group_us > 0 ? options->group_us : PREEMPT_GROUP_US, pool->size.request_groups,
           options->request_us, options->pause_ms, bench->rounds, bench->rounds == 1 ? "" : "s");
    text_table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t w = 0; w < WAYS; w++)
        if (w != WAY_QUIET_PLAIN && (w != WAY_RAW || bench->raw))
            preempt_device_row(&table, (enum preempt_way)w, &rows[w], bench->preemptions[w]);
    text_table_print(&table);
    text_table_fini(&table);
    printf("\nBatch work is per %s, over that of whole launches. All results are right: each\n"
           "group ran once in each of %" PRIu64 " launches.\n",
           urgent_counts_cpu(pool) ? "CPU second of the process" : "second", bench->launches);
    if (!(pool->preempt & FGPU_PREEMPT_GUARD))
        printf("This device has no guard: its rows are those of %s.\n",
               pool->preempt & FGPU_PREEMPT_SLICES ? "slices" : "whole launches");
    else if (rows[WAY_GUARD].has_waits && rows[WAY_PLAIN].has_waits)
        printf("With the guard a request is answered in %.3f ms instead of %.3f ms, and the batch "
               "keeps %.1f %%\nof its work.\n",
               rows[WAY_GUARD].p50_ms, rows[WAY_PLAIN].p50_ms, 100 * rows[WAY_GUARD].ratio);
}

static int preempt_fail(const struct preempt_bench *bench, fgpu_status status)
{
    if (status == FGPU_E_CANCELLED)
        return bench_stopped(preempt_command);
    if (bench->pool_count == 0)
        return commands_fail_open(preempt_command, status);
    if (!bench->why[0])
        return commands_fail(preempt_command, "the tasks", status);
    fprintf(stderr, "%s: %s\n", preempt_command, bench->why);
    return COMMAND_FAILED;
}

int preempt_on_device(const struct preempt_options *options, const volatile sig_atomic_t *stop)
{
    struct preempt_bench *bench = calloc(1, sizeof *bench);
    struct preempt_row rows[WAYS];
    int code = COMMAND_OK;

    if (!bench)
        return commands_fail(preempt_command, "memory", FGPU_E_NOMEM);
    bench->options = options;
    bench->stop = stop;
    fgpu_status status = preempt_open(bench);
    while (status == FGPU_OK && bench->rounds < options->rounds)
        status = preempt_round(bench);
    preempt_look(bench, rows);
    if (status != FGPU_OK)
        code = preempt_fail(bench, status);
    else if (!options->is_json)
        preempt_device_text(bench, rows);
    else if (!preempt_device_json(bench, rows))
        code = COMMAND_FAILED;
    preempt_close(bench);
    free(bench);
    return code;
}
