/* `fastgpu optimize`: assesses a workload and the machine, measures what can be chosen within a
 * time budget, compares the best with the workload as it stands, and writes the profile. Runs on
 * the main thread; looks at the stop flag between rounds. */
#include "cli/optimize/optimize.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/common/commands.h"
#include "cli/common/figures.h"
#include "cli/common/file.h"
#include "cli/common/json_in.h"
#include "cli/common/options.h"
#include "cli/common/waiting.h"
#include "cli/common/why.h"
#include "cli/workload/workload_words.h"

/* Of the budget, for the comparison at the end. */
#define OPTIMIZE_LAST_SHARE 0.2

/* Between two lines of progress. */
#define OPTIMIZE_SHOW_NS UINT64_C(200000000)

#define OPTIMIZE_BUDGET_LIMIT_NS UINT64_C(86400000000000)

static const char optimize_command[] = "fastgpu optimize";

static const char optimize_text[] =
    "Finds what makes a workload fast on this machine, by measuring it: pieces (its\n"
    "constants bands, pieces, chunks, parts or tiles), policy, devices, order of the\n"
    "tasks, variants (native or OpenCL) and work-group sizes of its kernels. What\n"
    "gives other results, bit for bit, is not taken. Then compares the best with the\n"
    "workload as it stands, in turn, and writes a profile that fastgpu run takes by\n"
    "itself. docs/optimize.md tells more.";

static int optimize_say(const struct optimize *state, const char *text, int code)
{
    fprintf(stderr, "%s: %s: %s\n", optimize_command, state->options->path, text);
    return code;
}

/* ---- figures */

static int optimize_compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

void optimize_figures(const struct optimize *state, const struct optimize_side *side,
                      struct optimize_figures *figures)
{
    double walls[OPTIMIZE_PAIRS_LIMIT], cores[OPTIMIZE_PAIRS_LIMIT];
    double devices[OPTIMIZE_PAIRS_LIMIT], responses[OPTIMIZE_PAIRS_LIMIT];

    *figures = (struct optimize_figures){.devices_share = -1.0};
    if (side->count == 0)
        return;
    for (uint32_t i = 0; i < side->count; i++) {
        walls[i] = side->samples[i].wall_ns;
        cores[i] = side->samples[i].cores_share;
        devices[i] = side->samples[i].devices_share;
        responses[i] = side->samples[i].response_ns;
    }
    qsort(walls, side->count, sizeof walls[0], optimize_compare);
    figures->low_ns = walls[side->count / 4];
    figures->high_ns = walls[side->count - 1 - side->count / 4];
    figures->wall_ns = figures_median(walls, side->count);
    figures->cores_share = figures_median(cores, side->count);
    figures->devices_share = figures_median(devices, side->count);
    figures->response_ns = figures_median(responses, side->count);
    figures->tasks_per_second = side->samples[0].done_count * 1e9 / figures->wall_ns;
    (void)state;
}

/* ---- the search */

static uint64_t optimize_passed_ns(const struct optimize *state)
{
    return figures_wall_ns() - state->began_ns;
}

/* A line on the terminal while it searches; NULL takes it away. */
static void optimize_show(struct optimize *state, const struct tune_search *search)
{
    uint64_t now_ns = optimize_passed_ns(state);

    if (state->options->is_quiet || isatty(STDERR_FILENO) != 1)
        return;
    if (!search) {
        if (state->shown_ns > 0)
            fprintf(stderr, "\r%78s\r", "");
    } else if (now_ns - state->shown_ns >= OPTIMIZE_SHOW_NS) {
        state->shown_ns = now_ns;
        fprintf(stderr, "\rmeasuring: %.0f of %.0f s, %u rounds, %u changes", (double)now_ns / 1e9,
                (double)state->options->budget_ns / 1e9, search->told_count, search->change_count);
    }
}

/* Says what the search has found, when it has found something. */
static void optimize_tell(struct optimize *state, const struct tune_choices *choices)
{
    char text[192];

    if (state->options->is_quiet)
        return;
    optimize_show(state, NULL);
    fprintf(stderr, "%s: %.1f s:", optimize_command, (double)optimize_passed_ns(state) / 1e9);
    for (uint32_t i = 0; i < choices->count; i++) {
        tune_choice_text(&choices->list[i], text);
        fprintf(stderr, "%s %s", i > 0 ? ";" : "", text);
    }
    fprintf(stderr, "%s\n", choices->count == 0 ? " as it stands" : "");
}

/* Measures until the search is over or its time is. FGPU_OK also where the user ended it. */
static fgpu_status optimize_search(struct optimize *state, struct measure *measure, uint64_t end_ns,
                                   char *why, size_t why_bytes)
{
    struct tune_search *search = &state->search;
    uint32_t counts[TUNE_DIMS_LIMIT], changes = 0;
    struct measure_sample sample;
    struct tune_choices choices;
    struct tune_point point;
    fgpu_status status = FGPU_OK;

    tune_space_counts(&state->space, counts);
    tune_search_init(search, counts, state->space.count, state->options->seed);
    while (optimize_passed_ns(state) < end_ns && tune_search_next(search, &point)) {
        optimize_show(state, search);
        tune_space_choices(&state->space, &point, &choices);
        status = measure_round(measure, &choices, &sample, why, why_bytes);
        if (status == FGPU_OK) {
            tune_search_tell(search, sample.wall_ns);
        } else if (status == FGPU_E_TASK) {
            state->refused_count++;
            tune_search_refuse(search);
        } else {
            break;
        }
        if (search->change_count > changes) {
            changes = search->change_count;
            tune_space_choices(&state->space, &search->best, &choices);
            optimize_tell(state, &choices);
        }
    }
    optimize_show(state, NULL);
    tune_space_choices(&state->space, &search->best, &state->found);
    if (status == FGPU_E_CANCELLED)
        state->is_interrupted = true;
    return status == FGPU_E_NOMEM ? status : FGPU_OK;
}

/* ---- before and after */

static fgpu_status optimize_measure_pair(struct optimize *state, struct measure *measure,
                                         uint32_t number, char *why, size_t why_bytes)
{
    static const struct tune_choices none;
    struct optimize_side *sides[] = {&state->before, &state->after};
    fgpu_status status = FGPU_OK;

    for (uint32_t i = 0; i < 2 && status == FGPU_OK; i++) {
        bool is_after = (i + number) % 2 == 1; /* who comes first changes from pair to pair */
        struct optimize_side *side = sides[is_after];
        status = measure_round(measure, is_after ? &state->found : &none, &side->samples[number],
                               why, why_bytes);
    }
    if (status == FGPU_OK) {
        state->before.count = number + 1;
        state->after.count = number + 1;
    }
    return status;
}

/* Whether what was found is better than the workload as it stands: measured in turn, results
 * compared once more. */
static fgpu_status optimize_decide(struct optimize *state, struct measure *measure, char *why,
                                   size_t why_bytes)
{
    double before[OPTIMIZE_PAIRS_LIMIT], after[OPTIMIZE_PAIRS_LIMIT], ratios[OPTIMIZE_PAIRS_LIMIT];
    struct machine_load loads[2];
    fgpu_status status = FGPU_OK;

    machine_load_read(&loads[0]);
    for (uint32_t i = 0; i < OPTIMIZE_PAIRS_LIMIT && status == FGPU_OK; i++) {
        if (i >= OPTIMIZE_PAIRS_LEAST && optimize_passed_ns(state) >= state->options->budget_ns)
            break;
        status = optimize_measure_pair(state, measure, i, why, why_bytes);
    }
    machine_load_read(&loads[1]);
    state->others_share =
        machine_load_of_others(&loads[0], &loads[1], (double)sysconf(_SC_NPROCESSORS_ONLN));
    if (status == FGPU_E_CANCELLED) {
        state->is_interrupted = true;
        return FGPU_OK;
    }
    if (status == FGPU_OK)
        status = measure_check(measure, &state->found, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    for (uint32_t i = 0; i < state->before.count; i++) {
        before[i] = state->before.samples[i].wall_ns;
        after[i] = state->after.samples[i].wall_ns;
        ratios[i] = before[i] / after[i];
    }
    state->gain = figures_median(ratios, state->before.count);
    state->is_better =
        state->found.count > 0 &&
        tune_is_faster(before, after, state->before.count, &state->gain_low, &state->gain_high);
    return FGPU_OK;
}

/* ---- the command */

static fgpu_status optimize_make_space(struct optimize *state, char *why, size_t why_bytes)
{
    const struct optimize_options *options = state->options;
    struct file_bytes bytes = {0};
    struct json_path path;
    cJSON *file = NULL;

    fgpu_status status =
        file_read(options->path, CLI_WORKLOAD_FILE_BYTES_LIMIT, &bytes, why, why_bytes);
    if (status == FGPU_OK)
        status =
            json_in_parse((const char *)bytes.data, bytes.size_bytes, &file, &path, why, why_bytes);
    file_bytes_fini(&bytes);
    const struct tune_source source = {
        .workload = &state->workload,
        .file = file,
        .sets = options->sets,
        .pieces = options->pieces,
        .set_count = options->set_count,
        .piece_count = options->piece_count,
        .devices = state->devices,
        .device_count = state->device_count,
        .is_policy_fixed = options->policy != NULL,
    };
    if (status == FGPU_OK)
        status = tune_space_make(&state->space, &source, why, why_bytes);
    cJSON_Delete(file);
    return status;
}

/* A policy that the user gave was there in all that was measured. */
static void optimize_add_policy(struct optimize *state)
{
    struct tune_choices *choices = &state->profile.choices;
    const char *policy = state->options->policy;

    if (!policy || choices->count == TUNE_DIMS_LIMIT)
        return;
    struct tune_choice *choice = &choices->list[choices->count++];
    *choice = (struct tune_choice){.kind = TUNE_POLICY};
    (void)snprintf(choice->value, sizeof choice->value, "%s", policy);
}

/* The profile holds what is proven; what the user stopped, as far as it came. */
static int optimize_write(struct optimize *state)
{
    struct profile_place place;
    char why[CLI_WHY_BYTES];
    struct optimize_figures before, after;

    if (!state->is_better && !(state->is_interrupted && state->search.change_count > 0)) {
        state->found.count = 0;
        if (state->is_interrupted) { /* nothing is known: an older profile stays */
            state->profile.path[0] = '\0';
            return COMMAND_OK;
        }
    }
    optimize_figures(state, &state->before, &before);
    optimize_figures(state, &state->after, &after);
    state->profile.before_ns = before.wall_ns;
    state->profile.after_ns = state->is_better ? after.wall_ns : 0.0;
    state->profile.choices = state->found;
    optimize_add_policy(state);
    (void)snprintf(state->profile.made, sizeof state->profile.made, "%s", state->machine.started);
    profile_place_set(&place, &state->workload, state->options->devices, state->devices,
                      state->device_count);
    if (profile_write(&state->profile, &place, why, sizeof why) == FGPU_OK)
        return COMMAND_OK;
    state->profile.path[0] = '\0';
    return optimize_say(state, why, COMMAND_FAILED);
}

static int optimize_finish(struct optimize *state)
{
    state->spent_ns = optimize_passed_ns(state);
    int code = optimize_write(state);
    if (!optimize_print(state))
        code = COMMAND_FAILED;
    if (state->is_interrupted)
        code = optimize_say(state, "stopped before everything was measured", COMMAND_INTERRUPTED);
    return code;
}

static int optimize_too_short(const struct optimize *state, uint64_t needed_ns)
{
    char text[CLI_WHY_BYTES];

    (void)snprintf(text, sizeof text,
                   "--budget %s is too short: opening it and comparing it once takes about %.1f s",
                   state->options->budget, (double)needed_ns / 1e9);
    return optimize_say(state, text, COMMAND_USAGE);
}

static int optimize_measure(struct optimize *state, struct measure *measure)
{
    static const struct tune_choices none;
    uint64_t budget_ns = state->options->budget_ns;
    struct measure_sample sample;
    char why[CLI_WHY_BYTES] = "";

    fgpu_status status = measure_round(measure, &none, &sample, why, sizeof why);
    if (status == FGPU_E_CANCELLED)
        return optimize_say(state, "stopped before anything was measured", COMMAND_INTERRUPTED);
    if (status != FGPU_OK)
        return optimize_say(state, why, COMMAND_FAILED);
    uint64_t last_ns = (uint64_t)(sample.wall_ns * 2 * OPTIMIZE_PAIRS_LEAST);
    if (optimize_passed_ns(state) + last_ns >= budget_ns)
        return optimize_too_short(state, optimize_passed_ns(state) + last_ns);
    uint64_t share_ns = (uint64_t)((double)budget_ns * OPTIMIZE_LAST_SHARE);
    uint64_t end_ns = budget_ns - (last_ns > share_ns ? last_ns : share_ns);
    status = optimize_search(state, measure, end_ns, why, sizeof why);
    if (status == FGPU_OK && !state->is_interrupted)
        status = optimize_decide(state, measure, why, sizeof why);
    if (status != FGPU_OK)
        return optimize_say(state, why, COMMAND_FAILED);
    return optimize_finish(state);
}

static int optimize_code(fgpu_status status)
{
    switch (status) {
    case FGPU_E_NODEVICE:
        return COMMAND_NO_DEVICE;
    case FGPU_E_INVAL:
        return COMMAND_USAGE;
    case FGPU_E_CANCELLED:
        return COMMAND_INTERRUPTED;
    default:
        return COMMAND_FAILED;
    }
}

static int optimize_run(struct optimize *state, const volatile sig_atomic_t *stop)
{
    const struct optimize_options *options = state->options;
    const struct measure_options how = {.path = options->path,
                                        .devices = options->devices,
                                        .policy = options->policy,
                                        .sets = options->sets,
                                        .set_count = options->set_count,
                                        .log = &options->log,
                                        .watch = {.stop = stop}};
    struct measure *measure = NULL;
    char why[CLI_WHY_BYTES] = "";

    fgpu_status status = profile_list_devices(options->devices, state->devices,
                                              &state->device_count, why, sizeof why);
    if (status == FGPU_OK)
        status = optimize_make_space(state, why, sizeof why);
    if (status != FGPU_OK)
        return optimize_say(state, why, optimize_code(status));
    if (options->is_dry)
        return optimize_print_space(state) ? COMMAND_OK : COMMAND_FAILED;
    status = measure_open(&how, &measure, why, sizeof why);
    if (waiting_is_stopped(stop))
        status = FGPU_E_CANCELLED;
    int code = COMMAND_INTERRUPTED;
    if (status == FGPU_E_CANCELLED)
        (void)optimize_say(state, "stopped before anything was measured", code);
    else if (status != FGPU_OK)
        code = optimize_say(state, why, optimize_code(status));
    else
        code = optimize_measure(state, measure);
    measure_close(measure);
    return code;
}

/* Where the profile goes; that it can be written is looked at before the time is spent. */
static fgpu_status optimize_find_place(struct optimize *state, char *why, size_t why_bytes)
{
    const struct optimize_options *options = state->options;
    char *path = state->profile.path, folder[PROFILE_PATH_BYTES];

    if (!options->output) {
        profile_path(&state->workload, options->devices, path);
        if (path[0])
            return FGPU_OK;
        return why_fail(FGPU_E_IO, why, why_bytes,
                        "there is no cache folder for the profile (neither XDG_CACHE_HOME nor "
                        "HOME is set); give --output FILE");
    }
    if (strlen(options->output) >= PROFILE_PATH_BYTES)
        return why_fail(FGPU_E_IO, why, why_bytes, "the name of --output is too long");
    (void)snprintf(path, PROFILE_PATH_BYTES, "%s", options->output);
    (void)snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder ? 1 : 0] = '\0';
    if (access(slash ? folder : ".", W_OK) != 0)
        return why_fail(FGPU_E_IO, why, why_bytes, "%s: the profile cannot be written: %s", path,
                        strerror(errno));
    return FGPU_OK;
}

static int optimize_file(struct optimize *state, const volatile sig_atomic_t *stop)
{
    const struct optimize_options *options = state->options;
    const struct workload_options constants = {.sets = options->sets,
                                               .set_count = options->set_count};
    char why[CLI_WHY_BYTES];

    state->began_ns = figures_wall_ns();
    evaluate_machine(&state->machine);
    fgpu_status status = workload_load(options->path, &constants, &state->workload);
    if (waiting_is_stopped(stop))
        return optimize_say(state, "stopped before anything was measured", COMMAND_INTERRUPTED);
    if (status != FGPU_OK) {
        workload_print_mistakes(options->path, &state->workload);
        return workload_exit_code(&state->workload);
    }
    if (state->workload.task_count == 0)
        return optimize_say(state, "it has no tasks", COMMAND_NO_INPUT);
    if (state->workload.output_count == 0)
        return optimize_say(state,
                            "it has no outputs, so nobody could tell whether other choices give "
                            "the same; name one under \"outputs\"",
                            COMMAND_NO_INPUT);
    if (!options->is_dry && optimize_find_place(state, why, sizeof why) != FGPU_OK)
        return optimize_say(state, why, COMMAND_FAILED);
    return optimize_run(state, stop);
}

/* ---- options */

/* "30s", "1.5m", "500ms", "20": seconds. False where it is none. */
static bool optimize_read_budget(const char *text, uint64_t *ns)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"", 1e9}};
    char *end;
    double number = strtod(text, &end);

    if (end == text || !(number > 0.0) || text[0] == '+' || text[0] == ' ')
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end, units[i].unit) == 0) {
            double wanted = number * units[i].ns;
            *ns = wanted <= (double)OPTIMIZE_BUDGET_LIMIT_NS ? (uint64_t)wanted : 0;
            return *ns > 0;
        }
    return false;
}

static enum options_outcome optimize_check(const struct options_page *page, char *const *words,
                                           uint32_t count, struct optimize_options *options)
{
    if (count != 1)
        return options_refuse(page, "want one workload file, not %u; see %s --help", count,
                              optimize_command);
    if (!words[0][0])
        return options_refuse(page, "the name of the workload file is empty");
    if (!optimize_read_budget(options->budget, &options->budget_ns))
        return options_refuse(page, "--budget %s: want a time up to a day, as 30s, 2m or 500ms",
                              options->budget);
    if (options->is_quiet && options->log.level == log_options_none.level)
        options->log.level = FGPU_LOG_ERROR + 1;
    options->path = words[0];
    return OPTIONS_GO;
}

static enum options_outcome optimize_take_options(int argc, char **argv, char **words,
                                                  struct optimize_options *to)
{
    struct option_texts sets = {.list = (const char **)(words + argc + 1)};
    struct option_texts pieces = {.list = (const char **)(words + 2 * ((size_t)argc + 1))};
    const struct option table[] = {
        {"budget", 'b', OPTION_TEXT, &to->budget, "TIME",
         "measure about so long, as 2m or 500ms\n(default: 60s)", 0, 0, NULL},
        {"devices", 'd', OPTION_TEXT, &to->devices, "PATTERN",
         "use these devices only, for example\ncpu or opencl:0", 0, 0, NULL},
        {"set", 's', OPTION_TEXTS, &sets, "NAME=VALUE",
         "give a constant of the workload this\nvalue; it is not tuned then", 0, 0, NULL},
        {"pieces", 0, OPTION_TEXTS, &pieces, "NAME",
         "a constant that may be tuned, beside\nbands, pieces, chunks, parts and tiles", 0, 0,
         NULL},
        {"policy", 'p', OPTION_TEXT, &to->policy, "P", "use this policy; it is not tuned then", 0,
         0, NULL},
        {"seed", 0, OPTION_NUMBER, &to->seed, "N", "of the order of the search (default: 1)", 0,
         UINT64_C(1) << 53, NULL},
        {"output", 'o', OPTION_TEXT, &to->output, "FILE",
         "write the profile there (default: the\ncache folder, where fastgpu run looks)", 0, 0,
         NULL},
        {"dry-run", 'n', OPTION_FLAG, &to->is_dry, NULL,
         "list what could be chosen; measure and\nwrite nothing", 0, 0, NULL},
        {"json", 0, OPTION_FLAG, &to->is_json, NULL, "print one JSON object instead of tables", 0,
         0, NULL},
        {"quiet", 'q', OPTION_FLAG, &to->is_quiet, NULL, "say nothing of what is found meanwhile",
         0, 0, NULL},
        LOG_OPTIONS(to->log),
    };
    uint32_t count = 0;
    const struct options_page page = {
        .command = optimize_command,
        .text = optimize_text,
        .options = table,
        .count = sizeof table / sizeof table[0],
        .words = "WORKLOAD",
        .word_list = words,
        .word_count = &count,
    };

    enum options_outcome outcome = options_read(&page, argc, argv);
    to->sets = sets.list;
    to->set_count = sets.count;
    to->pieces = pieces.list;
    to->piece_count = pieces.count;
    return outcome == OPTIONS_GO ? optimize_check(&page, words, count, to) : outcome;
}

int command_optimize(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct optimize_options options = {.budget = "60s", .seed = 1, .log = log_options_none};
    char **words = calloc(3 * ((size_t)argc + 1), sizeof *words); /* files, --set, --pieces */
    struct optimize *state = calloc(1, sizeof *state);
    int code = COMMAND_FAILED;

    if (words && state) {
        state->options = &options;
        state->others_share = -1.0;
        enum options_outcome outcome = optimize_take_options(argc, argv, words, &options);
        code = outcome == OPTIONS_GO ? optimize_file(state, stop) : options_code(outcome);
        workload_fini(&state->workload);
    }
    free(words);
    free(state);
    return code;
}
