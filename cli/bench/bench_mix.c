/* `fastgpu bench mix`: fifty tasks of five kinds through the pool, against one by one on the whole
 * device. The work is a workload that is part of the command (examples/workloads/mix.json), whose
 * kernels have a native function beside their OpenCL C; it is measured as `fastgpu run --baseline`
 * measures any (evaluate.h). Runs on the main thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench.h"
#include "cli/bench/bench_mix_native.h"
#include "cli/evaluate/evaluate.h"
#include "cli/filters/kernels.h"
#include "cli/common/options.h"
#include "cli/workload/progress.h"
#include "cli/run/run_print.h"
#include "cli/common/waiting.h"
#include "cli/common/why.h"
#include "cli/workload/workload_words.h"

static const char mix_command[] = "fastgpu bench mix";

static const char mix_text[] =
    "Runs 50 tasks of five kinds (convolution, matrix product, forces between atoms,\n"
    "pairs of letters, steps of a flow) through the pool and, in turn, one by one and\n"
    "in one queue on each whole device; compares medians with the best of these.\n"
    "Utilisation is CPU time over time and cores, without that of the pool's own\n"
    "threads, and of threads that spin while they wait where the others do. All\n"
    "results are compared with a slow computation. The work is a file to copy:\n"
    "examples/workloads/mix.json.";

struct mix_options {
    const char *devices, *policy;
    uint64_t rounds, each;
    bool is_json;
    struct log_options log;
};

struct mix_state {
    const struct mix_options *options;
    struct workload workload;
    struct workload_data data;
    struct evaluation evaluation;
    uint32_t checked_count;
};

static int mix_say(const char *text, int code)
{
    fprintf(stderr, "%s: %s\n", mix_command, text);
    return code;
}

/* The kernels' file is part of the command. */
static fgpu_status mix_read_text(const char *path, char **text, char *why, size_t why_bytes)
{
    for (size_t i = 0; i < kernel_text_count; i++)
        if (strcmp(kernel_texts[i].name, "mix") == 0) {
            *text = strdup(kernel_texts[i].text);
            return *text ? FGPU_OK : FGPU_E_NOMEM;
        }
    return why_fail(FGPU_E_IO, why, why_bytes, "%s is not part of the command", path);
}

static fgpu_status mix_take(void *user, uint32_t output, const unsigned char *memory, char *why,
                            size_t why_bytes)
{
    struct mix_state *state = user;

    if (!memory)
        return FGPU_OK;
    if (!bench_mix_check(&state->workload, &state->data, state->workload.outputs[output].buffer,
                         memory, why, why_bytes))
        return FGPU_E_TASK;
    state->checked_count++;
    return FGPU_OK;
}

/* ---- what is compared */

struct mix_figures {
    double wall_ns, cores_share; /* of the pool; share of all cores by its computing threads */
    double speed[2]; /* time of the best side / time of the pool, by way; 0: not known */
    double busy[2];  /* its share of all cores */
};

static void mix_find_figures(const struct evaluation *evaluation, struct mix_figures *figures)
{
    const struct evaluation_round *round = evaluation_shown(evaluation);
    double cores = evaluation->machine.cores > 0.0 ? evaluation->machine.cores : 1.0;

    *figures = (struct mix_figures){.wall_ns = (double)run_wall_ns(evaluation)};
    figures->cores_share =
        round->cpu_share - (round->own_share > 0.0 ? round->own_share / cores : 0.0);
    for (int way = BASELINE_BY_HAND; way <= BASELINE_QUEUE; way++) {
        uint32_t best = evaluation_best_side(evaluation, (enum baseline_way)way);
        if (best == EVALUATION_NONE)
            continue;
        figures->speed[way] = run_ratio(evaluation, &evaluation->sides[best]);
        figures->busy[way] = evaluation->sides[best].work_share;
    }
}

static bool mix_print_json(const struct mix_state *state, const struct mix_figures *figures)
{
    static const char *const names[] = {"one_by_one", "one_queue"};
    cJSON *root = cJSON_CreateObject();

    json_out_text(root, "benchmark", "mix");
    json_out_number(root, "tasks", state->workload.task_count);
    json_out_number(root, "results_checked", state->checked_count);
    json_out_number(root, "wall_ns", figures->wall_ns);
    json_out_number(root, "utilisation", figures->cores_share);
    for (int way = 0; way < 2; way++) {
        cJSON *side = cJSON_AddObjectToObject(root, names[way]);
        bool is_known = figures->speed[way] > 0.0 && figures->busy[way] > 0.0;
        json_out_known(side, "utilisation", is_known, figures->busy[way]);
        json_out_known(side, "speed_gain", is_known, figures->speed[way] - 1.0);
        json_out_known(side, "utilisation_gain", is_known,
                       is_known ? figures->cores_share / figures->busy[way] - 1.0 : 0.0);
    }
    run_add_json(root, &state->evaluation);
    return json_out_print(root);
}

static void mix_print_text(const struct mix_state *state, const struct mix_figures *figures)
{
    run_print_text(&state->evaluation);
    printf("\n%u results are what they must be\n", state->checked_count);
    for (int way = 0; way < 2; way++) {
        const char *name = run_way_name((enum baseline_way)way);
        if (figures->speed[way] > 0.0 && figures->busy[way] > 0.0)
            printf("against %s on the best device: speed %+.0f %%, utilisation %+.0f %% "
                   "(%.0f %% of the cores, before %.0f %%)\n",
                   name, 100.0 * (figures->speed[way] - 1.0),
                   100.0 * (figures->cores_share / figures->busy[way] - 1.0),
                   100.0 * figures->cores_share, 100.0 * figures->busy[way]);
        else
            printf("against %s: unknown\n", name);
    }
}

/* ---- the command */

static fgpu_status mix_load(struct mix_state *state, char *why, size_t why_bytes)
{
    static const struct workload_files files = {.text = mix_read_text};
    char set[32];
    const char *const sets[] = {set};
    const struct workload_options constants = {.sets = sets, .set_count = 1, .files = &files};

    (void)snprintf(set, sizeof set, "each=%u", (unsigned)state->options->each);
    fgpu_status status = workload_parse(kernels_mix_workload, strlen(kernels_mix_workload), "",
                                        &constants, &state->workload);
    if (status != FGPU_OK)
        return why_fail(status, why, why_bytes, "%s",
                        state->workload.mistake_count > 0 ? state->workload.mistakes[0].text
                                                          : fgpu_status_text(status));
    for (uint32_t i = 0; i < state->workload.kernel_count; i++)
        state->workload.kernels[i].native = bench_mix_native(state->workload.kernels[i].name);
    return FGPU_OK;
}

static int mix_measure(struct mix_state *state, const volatile sig_atomic_t *stop)
{
    const struct mix_options *options = state->options;
    const struct evaluate_options how = {
        .devices = options->devices,
        .policy = options->policy,
        .rounds = (uint32_t)options->rounds,
        .has_baseline = true,
        .log = &options->log,
    };
    const struct evaluate_taker taker = {mix_take, state};
    struct progress progress;
    const struct watch watch = {stop, progress_show, &progress};
    struct mix_figures figures;

    progress_init(&progress, true);
    fgpu_status status =
        evaluate_workload(&state->workload, &state->data, &how, &taker, &watch, &state->evaluation);
    progress_fini(&progress);
    state->evaluation.path = "mix.json";
    if (status != FGPU_OK) {
        int code = status == FGPU_E_INVAL ? COMMAND_USAGE : COMMAND_FAILED;
        return mix_say(state->evaluation.error,
                       status == FGPU_E_NODEVICE ? COMMAND_NO_DEVICE : code);
    }
    if (state->evaluation.error[0])
        return mix_say(state->evaluation.error, COMMAND_FAILED);
    if (state->evaluation.is_interrupted)
        return bench_stopped(mix_command);
    mix_find_figures(&state->evaluation, &figures);
    if (!options->is_json)
        mix_print_text(state, &figures);
    else if (!mix_print_json(state, &figures))
        return COMMAND_FAILED;
    return COMMAND_OK;
}

static int mix_start(const struct mix_options *options, const volatile sig_atomic_t *stop)
{
    struct mix_state *state = calloc(1, sizeof *state);
    char why[CLI_WHY_BYTES] = "";
    int code;

    if (!state)
        return mix_say("no memory", COMMAND_FAILED);
    state->options = options;
    fgpu_status status = mix_load(state, why, sizeof why);
    if (status == FGPU_OK)
        status = workload_data_init(&state->data, &state->workload, stop, why, sizeof why);
    if (status == FGPU_E_CANCELLED)
        code = bench_stopped(mix_command);
    else
        code = status == FGPU_OK ? mix_measure(state, stop) : mix_say(why, COMMAND_FAILED);
    evaluation_fini(&state->evaluation);
    workload_data_fini(&state->data);
    workload_fini(&state->workload);
    free(state);
    return code;
}

int bench_mix(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct mix_options options = {.rounds = 9, .each = 10, .log = log_options_none};
    const struct option table[] = {
        {"devices", 'd', OPTION_TEXT, &options.devices, "PATTERN",
         "use these devices only (default: all)", 0, 0, NULL},
        {"policy", 'p', OPTION_TEXT, &options.policy, "P", "how tasks are placed (default: auto)",
         0, 0, NULL},
        {"each", 'n', OPTION_NUMBER, &options.each, "N", "tasks of each kind (default: 10)", 1, 100,
         NULL},
        {"rounds", 'r', OPTION_NUMBER, &options.rounds, "R", "rounds (default: 9)", 1,
         EVALUATION_ROUNDS_LIMIT, NULL},
        {"json", 0, OPTION_FLAG, &options.is_json, NULL, "print one JSON object", 0, 0, NULL},
        LOG_OPTIONS(options.log),
    };
    const struct options_page page = {
        .command = mix_command,
        .text = mix_text,
        .options = table,
        .count = sizeof table / sizeof table[0],
    };

    enum options_outcome outcome = options_read(&page, argc, argv);
    return outcome == OPTIONS_GO ? mix_start(&options, stop) : options_code(outcome);
}
