/* `fastgpu bench preempt`: interactive requests beside batch work: the options, and runs in virtual
 * time from arrival files; bench_preempt_device.c runs them on a device. Runs on the main thread.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench.h"
#include "cli/bench/bench_arrivals.h"
#include "cli/bench/bench_preempt.h"
#include "cli/bench/bench_virtual.h"
#include "cli/common/cli_limits.h"
#include "cli/common/figures.h"
#include "cli/common/json_out.h"
#include "cli/common/options.h"

const char preempt_command[] = "fastgpu bench preempt";

static const char preempt_text[] =
    "Runs an endless batch of long kernels on a device, and beside it interactive\n"
    "requests of a few work groups at random moments: through pools that run whole\n"
    "launches, slices, or launches that a guard stops, and in one OpenCL queue by\n"
    "hand; requests alone as well. Prints how long a request waits from its\n"
    "submission on, and how much batch work was done. All results are checked.\n"
    "With --sim in virtual time: the clients of arrival files (JSON of the DISB\n"
    "benchmark), interactive ones (_rt) alone; beside the batch work of the others\n"
    "in whole requests, in slices, and under a guard: by the pool's own code, on a\n"
    "device that runs some work groups at once and takes a while for each launch.\n"
    "What a request takes follows from its client's name (milliseconds: resnet152\n"
    "8, densenet201 10, vgg19 2.5, inceptionv3 6, distilbert 4, others 5).";

enum preempt_mode { MODE_IDLE, MODE_PLAIN, MODE_SLICE, MODE_GUARD, MODES };

static const char *const preempt_names[MODES] = {"idle", "plain", "slice", "guard"};

static const uint32_t preempt_ways[MODES] = {FGPU_POOL_PREEMPT_OFF, FGPU_POOL_PREEMPT_OFF,
                                             FGPU_POOL_PREEMPT_SLICES, FGPU_POOL_PREEMPT_GUARD};

struct preempt_figures {
    double p50_ns[MODES], p99_ns[MODES]; /* of all interactive requests */
    double over[MODES];                  /* p99 over that of the same client alone: mean, */
    double worst[MODES];                 /* and the worst client's */
    double batch[MODES];                 /* work done, of what the interactive ones left */
};

/* One file in one mode. */
struct preempt_run {
    const struct preempt_options *options;
    const struct arrivals *arrivals;
    enum preempt_mode mode;
    uint64_t end_ns;
    struct virtual_plan plan;
    uint32_t *clients; /* [task] */
    struct virtual_span *spans;
};

/* ---- the requests */

static bool preempt_add(struct preempt_run *run, uint32_t client, uint64_t work_ns,
                        uint64_t release_ns, uint32_t *after)
{
    const struct arrivals_client *from = &run->arrivals->clients[client];
    uint64_t group_ns = run->options->group_us * 1000, waves = (work_ns + group_ns - 1) / group_ns;
    const struct virtual_task task = {.work_ns = work_ns,
                                      .groups = (uint32_t)(waves * run->options->units),
                                      .release_ns = release_ns,
                                      .task_class = run->mode == MODE_PLAIN ? FGPU_CLASS_NORMAL
                                                    : from->is_interactive  ? FGPU_CLASS_INTERACTIVE
                                                                            : FGPU_CLASS_BATCH,
                                      .tenant = run->mode == MODE_PLAIN ? 0 : client,
                                      .after = *after};
    *after = virtual_add(&run->plan, &task);
    return *after != VIRTUAL_NONE;
}

/* Requests one after the other, enough for all the time, or for an equal part of it. */
static bool preempt_continuous(struct preempt_run *run, uint32_t client, uint32_t parts)
{
    uint64_t work_ns = run->arrivals->clients[client].work_us * 1000;
    uint32_t after = VIRTUAL_NONE;
    for (uint64_t ns = 0; ns < run->end_ns / parts; ns += work_ns)
        if (!preempt_add(run, client, work_ns, 0, &after))
            return false;
    return true;
}

static bool preempt_arriving(struct preempt_run *run, uint32_t client)
{
    const struct arrivals_client *from = &run->arrivals->clients[client];
    uint64_t random = run->options->seed + client;
    double now_ns = 0;

    for (uint32_t i = 0;; i++) {
        uint32_t after = VIRTUAL_NONE;
        if (from->law == ARRIVALS_TRACE && i == from->trace_count)
            return true;
        if (from->law == ARRIVALS_TRACE)
            now_ns = from->trace_ms[i] * 1e6;
        else if (from->law == ARRIVALS_PERIODIC)
            now_ns = i * 1e9 / from->frequency;
        else
            now_ns += -log(1 - virtual_unit(&random)) * 1e9 / from->frequency;
        if (now_ns >= (double)run->end_ns)
            return true;
        if (!preempt_add(run, client, from->work_us * 1000, (uint64_t)now_ns, &after))
            return false;
    }
}

static bool preempt_fill(struct preempt_run *run)
{
    uint32_t batch = 0;
    for (uint32_t c = 0; c < run->arrivals->count; c++)
        batch += !run->arrivals->clients[c].is_interactive;
    for (uint32_t c = 0; c < run->arrivals->count; c++) {
        const struct arrivals_client *client = &run->arrivals->clients[c];
        uint32_t first = run->plan.count;
        if (run->mode == MODE_IDLE && !client->is_interactive)
            continue;
        bool good = client->law == ARRIVALS_CONTINUOUS
                        ? preempt_continuous(run, c, client->is_interactive ? 1 : batch)
                        : preempt_arriving(run, c);
        uint32_t *grown = good ? realloc(run->clients, run->plan.count * sizeof *grown) : NULL;
        if (!grown && run->plan.count > 0)
            return false;
        run->clients = grown;
        for (uint32_t i = first; i < run->plan.count; i++)
            run->clients[i] = c;
    }
    return true;
}

/* ---- the figures */

/* Batch work done, of the time that the interactive requests and their launches left. */
static double preempt_batch(const struct preempt_run *run)
{
    double interactive = 0, batch = 0, launch_ns = (double)run->options->launch_us * 1000;
    for (uint32_t i = 0; i < run->plan.count; i++) {
        double ns = run->spans[i].done * (double)run->plan.tasks[i].work_ns;
        if (run->arrivals->clients[run->clients[i]].is_interactive)
            interactive += ns + (ns > 0 ? launch_ns : 0);
        else
            batch += ns;
    }
    double left = (double)run->end_ns - interactive;
    return left > 0 ? batch / left : NAN;
}

/* Latencies of a client's requests, or of all interactive ones (client VIRTUAL_NONE). Those of a
 * continuous client begin when the one before has ended. */
static uint32_t preempt_latencies(const struct preempt_run *run, uint32_t client, double *latencies)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < run->plan.count; i++) {
        const struct virtual_task *task = &run->plan.tasks[i];
        bool wanted = client == VIRTUAL_NONE
                          ? run->arrivals->clients[run->clients[i]].is_interactive
                          : run->clients[i] == client;
        uint64_t since_ns =
            task->after != VIRTUAL_NONE ? run->spans[task->after].end_ns : task->release_ns;
        if (wanted && run->spans[i].ran && since_ns < run->end_ns)
            latencies[count++] = (double)(run->spans[i].end_ns - since_ns);
    }
    return count;
}

static bool preempt_look(const struct preempt_run *run, double alone[ARRIVALS_CLIENTS],
                         struct preempt_figures *figures)
{
    double *latencies = calloc(run->plan.count + 1u, sizeof *latencies), sum = 0;
    uint32_t clients = 0;
    if (!latencies)
        return false;
    uint32_t count = preempt_latencies(run, VIRTUAL_NONE, latencies);
    if (count > 0) {
        figures->p50_ns[run->mode] = figures_quantile(latencies, count, 0.5);
        figures->p99_ns[run->mode] = figures_quantile(latencies, count, 0.99);
    }
    for (uint32_t c = 0; c < run->arrivals->count; c++) {
        if (!run->arrivals->clients[c].is_interactive ||
            (count = preempt_latencies(run, c, latencies)) == 0)
            continue;
        double p99 = figures_quantile(latencies, count, 0.99);
        if (run->mode == MODE_IDLE)
            alone[c] = p99;
        double over = p99 / alone[c];
        sum += over;
        clients++;
        figures->worst[run->mode] = fmax(figures->worst[run->mode], over);
    }
    figures->over[run->mode] = clients > 0 ? sum / clients : NAN;
    figures->batch[run->mode] = preempt_batch(run);
    free(latencies);
    return true;
}

static fgpu_status preempt_simulate(struct preempt_run *run, double alone[ARRIVALS_CLIENTS],
                                    struct preempt_figures *figures)
{
    fgpu_sim_result result;
    fgpu_status status = preempt_fill(run) ? FGPU_OK : FGPU_E_NOMEM;
    if (status == FGPU_OK)
        run->spans = calloc(run->plan.count + 1u, sizeof *run->spans);
    if (status == FGPU_OK && !run->spans)
        status = FGPU_E_NOMEM;
    if (status == FGPU_OK)
        status = virtual_run(&run->plan, run->spans, &result);
    if (status == FGPU_OK && !preempt_look(run, alone, figures))
        status = FGPU_E_NOMEM;
    free(run->spans);
    free(run->clients);
    virtual_fini(&run->plan);
    return status;
}

static fgpu_status preempt_file(const struct preempt_options *options,
                                const struct arrivals *arrivals, const volatile sig_atomic_t *stop,
                                struct preempt_figures *figures)
{
    double alone[ARRIVALS_CLIENTS] = {0}, seconds = arrivals->seconds;
    fgpu_status status = FGPU_OK;
    if (seconds > (double)options->seconds)
        seconds = (double)options->seconds;
    memset(figures, 0, sizeof *figures);
    for (uint32_t m = 0; m < MODES && status == FGPU_OK; m++) {
        struct preempt_run run = {.options = options,
                                  .arrivals = arrivals,
                                  .mode = (enum preempt_mode)m,
                                  .end_ns = (uint64_t)(seconds * 1e9)};
        run.plan.devices = 1;
        run.plan.units = (uint32_t)options->units;
        run.plan.launch_ns = options->launch_us * 1000;
        run.plan.until_ns = run.end_ns;
        run.plan.preempt = preempt_ways[m];
        run.plan.seed = options->seed;
        run.plan.stop = stop;
        run.plan.tenants = m == MODE_PLAIN ? 0 : arrivals->count;
        for (uint32_t c = 0; c < run.plan.tenants; c++)
            run.plan.weights[c] = 1;
        status = preempt_simulate(&run, alone, figures);
    }
    return status;
}

/* ---- the command */

static cJSON *preempt_json(const char *file, const struct preempt_figures *figures)
{
    cJSON *object = cJSON_CreateObject();
    char name[64];
    json_out_text(object, "file", file);
    for (uint32_t m = 0; m < MODES; m++) {
        (void)snprintf(name, sizeof name, "%s_p50_ms", preempt_names[m]);
        json_out_number(object, name, figures->p50_ns[m] / 1e6);
        (void)snprintf(name, sizeof name, "%s_p99_ms", preempt_names[m]);
        json_out_number(object, name, figures->p99_ns[m] / 1e6);
        if (m == MODE_IDLE)
            continue;
        (void)snprintf(name, sizeof name, "%s_p99_over_idle", preempt_names[m]);
        json_out_known(object, name, isfinite(figures->over[m]), figures->over[m]);
        (void)snprintf(name, sizeof name, "%s_p99_over_idle_worst", preempt_names[m]);
        json_out_known(object, name, isfinite(figures->over[m]), figures->worst[m]);
        (void)snprintf(name, sizeof name, "%s_batch_ratio", preempt_names[m]);
        json_out_known(object, name, isfinite(figures->batch[m]), figures->batch[m]);
    }
    return object;
}

static void preempt_print(const char *file, const struct preempt_figures *figures)
{
    printf("%s\n", file);
    for (uint32_t m = 0; m < MODES; m++) {
        printf("  %-6s p50 %8.3f ms, p99 %8.3f ms", preempt_names[m], figures->p50_ns[m] / 1e6,
               figures->p99_ns[m] / 1e6);
        if (m == MODE_IDLE)
            printf("\n");
        else
            printf(", %.3f of alone (worst client %.3f); batch work %.3f of what was left\n",
                   figures->over[m], figures->worst[m], figures->batch[m]);
    }
}

/* Means over the files, and the worst of them. */
static cJSON *preempt_summary(const struct preempt_figures *figures, uint32_t count, cJSON *list,
                              const struct preempt_options *options)
{
    cJSON *root = cJSON_CreateObject();
    char name[64];
    json_out_text(root, "benchmark", "preempt");
    json_out_bool(root, "simulated", true);
    json_out_number(root, "launch_us", (double)options->launch_us);
    json_out_number(root, "group_us", (double)options->group_us);
    json_out_number(root, "units", (double)options->units);
    for (uint32_t m = MODE_SLICE; m < MODES; m++) {
        double sum = 0, worst = 0, least = INFINITY;
        for (uint32_t i = 0; i < count; i++) {
            sum += figures[i].over[m];
            worst = fmax(worst, figures[i].over[m]);
            least = fmin(least, figures[i].batch[m]);
        }
        (void)snprintf(name, sizeof name, "%s_p99_over_idle_mean", preempt_names[m]);
        json_out_known(root, name, isfinite(sum), sum / count);
        (void)snprintf(name, sizeof name, "%s_p99_over_idle_worst", preempt_names[m]);
        json_out_known(root, name, isfinite(worst), worst);
        (void)snprintf(name, sizeof name, "%s_batch_ratio_least", preempt_names[m]);
        json_out_known(root, name, isfinite(least), least);
    }
    cJSON_AddItemToObject(root, "workloads", list);
    return root;
}

static int preempt_all(const struct preempt_options *options, const volatile sig_atomic_t *stop)
{
    struct preempt_figures *figures = calloc(options->file_count, sizeof *figures);
    cJSON *list = cJSON_CreateArray();
    char why[CLI_WHY_BYTES];
    int code = figures ? COMMAND_OK : COMMAND_FAILED;

    for (uint32_t i = 0; i < options->file_count && code == COMMAND_OK; i++) {
        struct arrivals arrivals;
        fgpu_status status = arrivals_read(options->files[i], &arrivals, why, sizeof why);
        if (status != FGPU_OK) {
            fprintf(stderr, "%s: %s\n", preempt_command, why);
            code = COMMAND_NO_INPUT;
        } else {
            status = preempt_file(options, &arrivals, stop, &figures[i]);
            if (stop && *stop)
                code = bench_stopped(preempt_command);
            else if (status != FGPU_OK)
                code = commands_fail(preempt_command, "the simulation", status);
        }
        arrivals_fini(&arrivals);
        if (code == COMMAND_OK && options->is_json)
            cJSON_AddItemToArray(list, preempt_json(options->files[i], &figures[i]));
        else if (code == COMMAND_OK)
            preempt_print(options->files[i], &figures[i]);
    }
    if (code != COMMAND_OK || !options->is_json)
        cJSON_Delete(list);
    else if (!json_out_print(preempt_summary(figures, options->file_count, list, options)))
        code = COMMAND_FAILED;
    free(figures);
    return code;
}

static enum options_outcome preempt_read(int argc, char **argv, struct preempt_options *options)
{
    const struct option table[] = {
        {"device", 'd', OPTION_TEXT, &options->device, "PATTERN", "the device (default: opencl:0)",
         0, 0, NULL},
        {"rounds", 'r', OPTION_NUMBER, &options->rounds, "N",
         "measure N times, show medians (default: 5)", 1, 1000, NULL},
        {"time", 0, OPTION_NUMBER, &options->time_ms, "MS",
         "milliseconds of each way in a round\n(default: 1500)", 10, 600000, NULL},
        {"groups", 'n', OPTION_NUMBER, &options->groups, "N",
         "work groups of a batch launch (default: 1024)", 2, 65536, NULL},
        {"request", 0, OPTION_NUMBER, &options->request_us, "US",
         "microseconds of each of a request's four groups\n(default: 10)", 1, 1000000, NULL},
        {"pause", 0, OPTION_NUMBER, &options->pause_ms, "MS",
         "milliseconds between requests, on average\n(default: 30)", 1, 10000, NULL},
        {"depth", 0, OPTION_NUMBER, &options->depth, "N", "batch launches in flight (default: 3)",
         1, 64, NULL},
        {"group", 0, OPTION_NUMBER, &options->group_us, "US",
         "microseconds of a work group (default: 185; with\n--sim 80)", 10, 1000000, NULL},
        {"sim", 0, OPTION_FLAG, &options->is_sim, NULL, "in virtual time: the clients of each FILE",
         0, 0, NULL},
        {"seconds", 0, OPTION_NUMBER, &options->seconds, "S",
         "with --sim: of each file at most (default: 5)", 1, 600, NULL},
        {"units", 0, OPTION_NUMBER, &options->units, "N",
         "with --sim: work groups at once (default: 16)", 1, 4096, NULL},
        {"launch", 0, OPTION_NUMBER, &options->launch_us, "US",
         "with --sim: that a launch costs (default: 5)", 0, 1000000, NULL},
        {"seed", 0, OPTION_NUMBER, &options->seed, "N", "of random arrivals (default: 1)", 0,
         UINT64_MAX, NULL},
        {"json", 0, OPTION_FLAG, &options->is_json, NULL, "print one JSON object", 0, 0, NULL},
    };
    const struct options_page page = {.command = preempt_command,
                                      .text = preempt_text,
                                      .options = table,
                                      .count = sizeof table / sizeof table[0],
                                      .words = "[FILE...]",
                                      .word_list = options->files,
                                      .word_count = &options->file_count};
    enum options_outcome outcome = options_read(&page, argc, argv);
    if (outcome == OPTIONS_GO && !options->is_sim && options->file_count > 0)
        return options_refuse(&page, "%s: files of arrivals are for --sim", options->files[0]);
    if (outcome == OPTIONS_GO && options->is_sim && options->file_count == 0)
        return options_refuse(&page, "no file of arrivals is named");
    return outcome;
}

int bench_preempt(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct preempt_options options = {.seconds = 5,
                                      .units = 16,
                                      .launch_us = 5,
                                      .seed = 1,
                                      .device = "opencl:0",
                                      .rounds = 5,
                                      .time_ms = 1500,
                                      .groups = 1024,
                                      .request_us = 10,
                                      .pause_ms = 30,
                                      .depth = 3};
    options.files = calloc((size_t)argc + 1, sizeof *options.files);
    if (!options.files)
        return commands_fail(preempt_command, "memory", FGPU_E_NOMEM);
    enum options_outcome outcome = preempt_read(argc, argv, &options);
    int code = options_code(outcome);
    if (options.is_sim && options.group_us == 0)
        options.group_us = 80;
    if (outcome == OPTIONS_GO)
        code = options.is_sim ? preempt_all(&options, stop) : preempt_on_device(&options, stop);
    free(options.files);
    return code;
}
