/* The demonstration; see latency_demo.h. Two runs of cli/latency/urgent.h, one after the other. On
 * a terminal the chart is drawn again and again over itself, else once at the end. Main thread.
 */
#include "cli/latency/latency_demo.h"

#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/common/figures.h"
#include "cli/common/json_out.h"
#include "cli/common/options.h"
#include "cli/common/waiting.h"
#include "cli/latency/latency_chart.h"
#include "cli/latency/urgent.h"

#define LATENCY_REDRAW_NS UINT64_C(200000000)
#define LATENCY_WARM_NS 300000000u
#define LATENCY_ROWS 14u
#define LATENCY_REQUEST_GROUPS 4u
#define LATENCY_DEPTH 3u

static const char latency_command[] = "fastgpu demo latency";

static const char latency_text[] =
    "A batch job fills a device while interactive requests arrive at random moments.\n"
    "First the batch runs in whole launches (off), then it makes way (on): in the\n"
    "best manner that the device allows, a guard that stops a running launch between\n"
    "two work groups, or slices. Draws how long each request waits, on a logarithmic\n"
    "scale; on a terminal while it runs. All results are checked.";

enum { BAND_OFF, BAND_ON, BANDS };

struct latency_options {
    const char *device; /* NULL: opencl:0, else cpu */
    uint64_t seconds, groups, group_us, request_us, pause_ms, seed;
    bool is_json;
};

struct latency_demo {
    const struct latency_options *options;
    const volatile sig_atomic_t *stop;
    struct urgent_pool pools[BANDS];
    uint32_t pool_count;
    struct urgent_run runs[BANDS];
    struct latency_chart chart;
    char heading[192];
    uint32_t drawn_lines, drawn_columns;
    bool is_live;
    char why[CLI_WHY_BYTES];
};

/* ---- the terminal */

static bool latency_is_utf8(void)
{
    locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    bool is_utf8 = locale && strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
    if (locale)
        freelocale(locale);
    return is_utf8;
}

/* Without a terminal: 80 columns, no colour. */
static void latency_look_at_terminal(struct latency_demo *demo)
{
    struct winsize size = {0};
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    bool is_terminal = isatty(STDOUT_FILENO) == 1 && term && strcmp(term, "dumb") != 0;

    demo->chart.columns = 80;
    demo->chart.rows = LATENCY_ROWS;
    if (is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        uint32_t other_lines = 9; /* heading, border, figures, the sentence */
        demo->chart.columns = size.ws_col;
        demo->chart.rows = size.ws_row > other_lines ? size.ws_row - other_lines : 0;
        if (demo->chart.rows > LATENCY_ROWS || size.ws_row == 0)
            demo->chart.rows = LATENCY_ROWS;
        if (demo->chart.rows < 4)
            demo->chart.rows = 0;
    }
    demo->is_live = is_terminal && !demo->options->is_json;
    demo->chart.has_color = is_terminal && !(no_color && no_color[0]);
    demo->chart.is_utf8 = latency_is_utf8();
}

static void latency_show(struct latency_demo *demo)
{
    char *text = latency_chart_draw(&demo->chart);
    uint32_t lines = 0;

    if (!text)
        return;
    if (demo->drawn_lines > 0 && demo->drawn_columns == demo->chart.columns)
        printf("\x1b[%uA\r", demo->drawn_lines); /* over the last one */
    else if (demo->drawn_lines > 0)
        printf("\x1b[H\x1b[2J"); /* the terminal has folded its lines anew */
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1, lines++) {
        *end = '\0';
        printf(demo->is_live ? "%s\x1b[K\n" : "%s\n", line);
    }
    if (demo->is_live)
        printf("\x1b[J");
    (void)fflush(stdout);
    demo->drawn_lines = lines;
    demo->drawn_columns = demo->chart.columns;
    free(text);
}

/* ---- runs */

static void latency_take(struct latency_demo *demo, int b, bool is_over)
{
    struct latency_band *band = &demo->chart.bands[b];
    const struct urgent_run *run = &demo->runs[b];

    band->samples = run->samples;
    band->count = urgent_count(run);
    (void)latency_band_look(band);
    if (is_over)
        band->batch = urgent_speed(run) * demo->pools[b].size.groups;
}

static fgpu_status latency_run(struct latency_demo *demo, struct urgent_run *run, int b,
                               bool is_shown)
{
    fgpu_status status = urgent_start(run);

    while (status == FGPU_OK && is_shown && demo->is_live && !waiting_is_stopped(demo->stop) &&
           figures_wall_ns() - run->start_ns < run->load.run_ns) {
        (void)waiting_sleep(LATENCY_REDRAW_NS, demo->stop);
        latency_look_at_terminal(demo);
        latency_take(demo, b, false);
        latency_show(demo);
    }
    fgpu_status finished = urgent_finish(run);
    status = status == FGPU_OK ? finished : status;
    for (int i = 1; i >= 0 && status != FGPU_E_CANCELLED; i--)
        if (run->why[i][0])
            memcpy(demo->why, run->why[i], sizeof demo->why);
    if (status == FGPU_OK)
        status = urgent_check(run->pool, demo->why, sizeof demo->why);
    return status;
}

static struct urgent_load latency_load(const struct latency_options *options)
{
    return (struct urgent_load){.has_batch = true,
                                .has_requests = true,
                                .run_ns = options->seconds * 1000000000,
                                .mean_ns = (double)options->pause_ms * 1e6,
                                .seed = options->seed,
                                .depth = LATENCY_DEPTH};
}

static fgpu_status latency_warm(struct latency_demo *demo, int b)
{
    struct urgent_run run = {
        .pool = &demo->pools[b], .load = latency_load(demo->options), .stop = demo->stop};
    run.load.run_ns = LATENCY_WARM_NS;
    run.load.mean_ns = LATENCY_WARM_NS / 20.0;
    fgpu_status status = latency_run(demo, &run, b, false);
    urgent_fini(&run);
    return status;
}

static fgpu_status latency_both(struct latency_demo *demo)
{
    fgpu_status status = FGPU_OK;

    for (int b = 0; b < BANDS && status == FGPU_OK; b++) {
        demo->runs[b] = (struct urgent_run){
            .pool = &demo->pools[b], .load = latency_load(demo->options), .stop = demo->stop};
        status = latency_run(demo, &demo->runs[b], b, true);
        latency_take(demo, b, true);
    }
    return status;
}

/* ---- open and close */

static fgpu_status latency_open_one(struct latency_demo *demo, const char *device,
                                    struct urgent_size *size)
{
    static const uint32_t ways[BANDS] = {FGPU_POOL_PREEMPT_OFF, FGPU_POOL_PREEMPT_AUTO};
    const struct latency_options *options = demo->options;
    uint32_t p = demo->pool_count;
    fgpu_status status = urgent_open(&demo->pools[p], device, ways[p], size);

    if (status != FGPU_OK)
        return status;
    demo->pool_count++;
    if (p == 0)
        status =
            urgent_calibrate(&demo->pools[0], options->group_us * 1000, options->request_us * 1000);
    *size = demo->pools[0].size;
    return status;
}

static fgpu_status latency_open(struct latency_demo *demo)
{
    const struct latency_options *options = demo->options;
    const char *device = options->device ? options->device : "opencl:0";
    struct urgent_size size = {.groups = (uint32_t)options->groups,
                               .request_groups = LATENCY_REQUEST_GROUPS};
    fgpu_status status = latency_open_one(demo, device, &size);

    if (status == FGPU_E_NODEVICE && !options->device)
        status = latency_open_one(demo, device = "cpu", &size);
    if (status == FGPU_OK)
        status = latency_open_one(demo, device, &size);
    for (int b = 0; b < BANDS && status == FGPU_OK; b++)
        status = latency_warm(demo, b);
    return status;
}

static void latency_close(struct latency_demo *demo)
{
    for (uint32_t p = 0; p < demo->pool_count; p++)
        (void)urgent_close(&demo->pools[p]);
    for (int b = 0; b < BANDS; b++)
        urgent_fini(&demo->runs[b]);
}

/* ---- words */

static const char *latency_way(const struct urgent_pool *pool)
{
    return pool->preempt & FGPU_PREEMPT_GUARD    ? "guard"
           : pool->preempt & FGPU_PREEMPT_SLICES ? "slices"
                                                 : "none";
}

static bool latency_print_json(const struct latency_demo *demo)
{
    static const char *const names[BANDS] = {"off", "on"};
    const struct urgent_pool *pool = &demo->pools[0];
    cJSON *root = cJSON_CreateObject();

    json_out_text(root, "demo", "latency");
    json_out_text(root, "device", pool->info.id);
    json_out_text(root, "name", pool->info.name);
    json_out_text(root, "way", latency_way(pool));
    json_out_number(root, "seconds", (double)demo->options->seconds);
    json_out_number(root, "groups", pool->size.groups);
    for (int b = 0; b < BANDS; b++) {
        const struct latency_band *band = &demo->chart.bands[b];
        const struct urgent_run *run = &demo->runs[b];
        cJSON *one = cJSON_AddObjectToObject(root, names[b]);
        json_out_number(one, "requests", band->count);
        json_out_known(one, "p50_ms", band->count > 0, band->p50_ms);
        json_out_known(one, "p99_ms", band->count > 0, band->p99_ms);
        json_out_number(one, "batch_launches", (double)run->last.launches);
        json_out_known(one, "batch_groups_per_second", band->batch > 0, band->batch);
    }
    double off = urgent_rate(&demo->runs[BAND_OFF]);
    json_out_text(root, "work_per", urgent_counts_cpu(pool) ? "cpu_second" : "second");
    json_out_known(root, "batch_ratio", off > 0, urgent_rate(&demo->runs[BAND_ON]) / off);
    json_out_bool(root, "results_right", true);
    return json_out_print(root);
}

static void latency_sentence(const struct latency_demo *demo)
{
    const struct latency_band *off = &demo->chart.bands[BAND_OFF];
    const struct latency_band *on = &demo->chart.bands[BAND_ON];

    if (off->count == 0 || on->count == 0 || off->batch <= 0)
        printf("Too little ran to compare.\n");
    else
        printf("Half of the requests had their answer within %.2f ms instead of %.2f ms,\n"
               "and the batch did %.0f %% of the work.\n",
               on->p50_ms, off->p50_ms, 100 * on->batch / off->batch);
}

static int latency_fail(struct latency_demo *demo, fgpu_status status)
{
    if (status == FGPU_E_CANCELLED) {
        fprintf(stderr, "%s: stopped before everything was shown\n", latency_command);
        return COMMAND_INTERRUPTED;
    }
    if (demo->pool_count == 0)
        return commands_fail_open(latency_command, status);
    if (!demo->why[0])
        return commands_fail(latency_command, "the tasks", status);
    fprintf(stderr, "%s: %s\n", latency_command, demo->why);
    return COMMAND_FAILED;
}

static enum options_outcome latency_read(int argc, char **argv, struct latency_options *options)
{
    const struct option table[] = {
        {"device", 'd', OPTION_TEXT, &options->device, "PATTERN",
         "the device (default: opencl:0, else cpu)", 0, 0, NULL},
        {"seconds", 's', OPTION_NUMBER, &options->seconds, "N",
         "without and with preemption each (default: 8)", 1, 600, NULL},
        {"pause", 0, OPTION_NUMBER, &options->pause_ms, "MS",
         "milliseconds between requests, on average\n(default: 30)", 1, 10000, NULL},
        {"groups", 'n', OPTION_NUMBER, &options->groups, "N",
         "work groups of a batch launch (default: 1024)", 2, 65536, NULL},
        {"group", 0, OPTION_NUMBER, &options->group_us, "US", "microseconds of one (default: 185)",
         10, 1000000, NULL},
        {"request", 0, OPTION_NUMBER, &options->request_us, "US",
         "of each of a request's four (default: 10)", 1, 1000000, NULL},
        {"seed", 0, OPTION_NUMBER, &options->seed, "N", "of the moments (default: 1)", 0,
         UINT64_MAX, NULL},
        {"json", 0, OPTION_FLAG, &options->is_json, NULL, "print one JSON object, no chart", 0, 0,
         NULL},
    };
    const struct options_page page = {.command = latency_command,
                                      .text = latency_text,
                                      .options = table,
                                      .count = sizeof table / sizeof table[0]};
    return options_read(&page, argc, argv);
}

static int latency_show_all(struct latency_demo *demo)
{
    latency_look_at_terminal(demo);
    demo->chart.heading = "opening the device, compiling, finding the speed ...";
    if (demo->is_live)
        fprintf(stderr, "%s\r", demo->chart.heading);
    fgpu_status status = latency_open(demo);
    (void)snprintf(demo->heading, sizeof demo->heading,
                   "How long a request waits beside a batch job, on %s", demo->pools[0].info.id);
    demo->chart.heading = demo->heading;
    demo->chart.length_ns = demo->options->seconds * 1000000000;
    demo->chart.bands[BAND_OFF].title = "off: whole launches";
    demo->chart.bands[BAND_ON].title = "on: the batch makes way";
    if (status == FGPU_OK)
        status = latency_both(demo);
    if (!demo->options->is_json && (status == FGPU_OK || demo->drawn_lines > 0)) {
        latency_look_at_terminal(demo);
        latency_show(demo);
    }
    if (status != FGPU_OK)
        return latency_fail(demo, status);
    if (demo->options->is_json)
        return latency_print_json(demo) ? COMMAND_OK : COMMAND_FAILED;
    latency_sentence(demo);
    return COMMAND_OK;
}

int latency_demo(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct latency_options options = {
        .seconds = 8, .groups = 1024, .group_us = 185, .request_us = 10, .pause_ms = 30, .seed = 1};
    enum options_outcome outcome = latency_read(argc, argv, &options);
    if (outcome != OPTIONS_GO)
        return options_code(outcome);
    struct latency_demo *demo = calloc(1, sizeof *demo);
    if (!demo)
        return commands_fail(latency_command, "memory", FGPU_E_NOMEM);
    demo->options = &options;
    demo->stop = stop;
    int code = latency_show_all(demo);
    latency_close(demo);
    free(demo);
    return code;
}
