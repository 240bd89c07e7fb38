/* `fastgpu run`: the work of a file on all devices. Options and the order of things; see run.h.
 * Looks at the stop flag between steps and hands it down. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/commands.h"
#include "cli/evaluate/evaluate.h"
#include "cli/common/options.h"
#include "cli/evaluate/outputs.h"
#include "cli/workload/progress.h"
#include "cli/report/report.h"
#include "cli/run/run.h"
#include "cli/run/run_print.h"
#include "cli/run/run_profile.h"
#include "cli/common/waiting.h"
#include "cli/common/why.h"
#include "cli/workload/workload_words.h"

#define RUN_ROUNDS_DEFAULT 5

/* Pictures that are kept for the report. */
#define RUN_PICTURES_LIMIT 16
#define RUN_PICTURES_BYTES ((uint64_t)256 << 20)

static const char run_text[] =
    "Runs the tasks of a workload file (docs/workload.md) on all devices and writes\n"
    "its outputs. Says how it went in five steps: assess, schedule, memory, balance,\n"
    "evaluate. With --baseline it is a measurement: the same tasks run without the\n"
    "pool too, in turn, one after another and in one queue, on each device, and\n"
    "medians are compared.";

/* One command under way. */
struct run_state {
    const struct run_options *options;
    const volatile sig_atomic_t *stop;
    struct workload workload;
    struct workload_data data;
    struct outputs outputs;
    struct evaluation evaluation;
    struct progress progress;
    struct image images[RUN_PICTURES_LIMIT];
    struct report_picture pictures[RUN_PICTURES_LIMIT];
    uint32_t picture_count;
    uint64_t picture_bytes;
    uint32_t missing_count; /* outputs that are not whole */
    struct profile profile;
    bool has_profile; /* it is used */
};

static int run_say(const struct run_state *state, const char *text, int code)
{
    const struct run_options *options = state->options;

    if (options->text)
        fprintf(stderr, "%s: %s\n", options->command, text);
    else
        fprintf(stderr, "%s: %s: %s\n", options->command, options->path, text);
    return code;
}

/* ---- pictures for the report */

static void run_keep_picture(struct run_state *state, uint32_t number, const char *name,
                             const unsigned char *memory, bool is_input)
{
    const struct workload_buffer *buffer = &state->workload.buffers[number];
    struct image *image = &state->images[state->picture_count];

    if (!state->options->report || !buffer->is_picture || buffer->type != ELEMENT_UINT8 ||
        state->picture_count == RUN_PICTURES_LIMIT ||
        buffer->size_bytes > RUN_PICTURES_BYTES - state->picture_bytes ||
        outputs_picture(buffer, memory, image, NULL, 0) != FGPU_OK)
        return; /* the report goes without */
    state->pictures[state->picture_count++] =
        (struct report_picture){.name = name, .image = image, .is_input = is_input};
    state->picture_bytes += buffer->size_bytes;
}

static void run_keep_inputs(struct run_state *state)
{
    const struct workload *workload = &state->workload;

    for (uint32_t i = 0;
         i < workload->buffer_count && state->picture_count < RUN_PICTURES_LIMIT / 2; i++)
        if (workload->buffers[i].content == WORKLOAD_IMAGE)
            run_keep_picture(state, i, workload->buffers[i].name, state->data.memory[i], true);
}

/* ---- outputs */

static fgpu_status run_take_output(void *user, uint32_t number, const unsigned char *memory,
                                   char *why, size_t why_bytes)
{
    struct run_state *state = user;
    const struct workload_output *output = &state->workload.outputs[number];

    if (!memory) {
        state->missing_count++;
        return FGPU_OK;
    }
    run_keep_picture(state, output->buffer, output->path, memory, false);
    return outputs_write(&state->outputs, number, memory, why, why_bytes);
}

static fgpu_status run_check_outputs(struct run_state *state, char *why, size_t why_bytes)
{
    const struct run_options *options = state->options;
    const struct outputs_other others[OUTPUTS_OTHERS] = {
        {options->report, false},
        {options->trace, false},
        {options->text ? NULL : options->path, true}};
    fgpu_status status = FGPU_OK;

    if (options->output_dir)
        status = outputs_make_folder(options->output_dir, why, why_bytes);
    if (status == FGPU_OK)
        status = outputs_init(&state->outputs, &state->workload, options->output_dir, others, why,
                              why_bytes);
    return status;
}

/* ---- how it went */

/* What could not be started has a code of its own where scripts want to tell it apart. */
static int run_code(const struct evaluation *evaluation, fgpu_status status)
{
    if (evaluation->step == EVALUATION_OPENING) {
        if (status == FGPU_E_NODEVICE)
            return COMMAND_NO_DEVICE;
        return status == FGPU_E_INVAL ? COMMAND_USAGE : COMMAND_FAILED;
    }
    if (evaluation->step == EVALUATION_BUILDING && status == FGPU_E_NOVARIANT)
        return COMMAND_NO_DEVICE;
    bool is_mistake = status == FGPU_E_INVAL || status == FGPU_E_NOTFOUND ||
                      status == FGPU_E_UNSUPPORTED || status == FGPU_E_NOVARIANT;
    return is_mistake && evaluation->step == EVALUATION_LOADING ? COMMAND_NO_INPUT : COMMAND_FAILED;
}

static int run_print_results(struct run_state *state)
{
    const struct run_options *options = state->options;

    if (options->is_json)
        return run_print_json(&state->evaluation) ? COMMAND_OK : COMMAND_FAILED;
    if (options->is_quiet)
        return COMMAND_OK;
    run_print_text(&state->evaluation);
    if (state->workload.output_count > 0)
        printf("\n%u of %u outputs written%s%s\n", state->evaluation.written_count,
               state->workload.output_count, options->output_dir ? " to " : "",
               options->output_dir ? options->output_dir : "");
    return COMMAND_OK;
}

static int run_write_report(struct run_state *state)
{
    char why[CLI_WHY_BYTES] = "";

    if (!state->options->report || state->evaluation.is_interrupted ||
        run_wall_ns(&state->evaluation) == 0)
        return COMMAND_OK;
    if (report_write(state->options->report, &state->evaluation, state->pictures,
                     state->picture_count, why, sizeof why) == FGPU_OK)
        return COMMAND_OK;
    return run_say(state, why, COMMAND_FAILED);
}

/* Everything behind the run: files, words, and the exit code that the worst of it asks for. */
static int run_finish(struct run_state *state)
{
    const struct evaluation *evaluation = &state->evaluation;
    const struct evaluation_round *round = evaluation_shown(evaluation);
    char text[CLI_WHY_BYTES];

    int code = run_write_report(state);
    int printed = run_print_results(state);
    if (printed != COMMAND_OK)
        code = printed;
    if (evaluation->error[0])
        code = run_say(state, evaluation->error, COMMAND_FAILED);
    if (round->failed_count > 0) {
        (void)snprintf(text, sizeof text,
                       "of %u tasks %u failed, those that needed a failed one's result with "
                       "it; outputs not written: %u",
                       state->workload.task_count, round->failed_count, state->missing_count);
        code = run_say(state, text, COMMAND_FAILED);
    }
    if (evaluation->is_interrupted)
        code = run_say(state, "stopped before everything was done", COMMAND_INTERRUPTED);
    return code;
}

/* ---- the command */

static int run_workload(struct run_state *state)
{
    const struct run_options *options = state->options;
    const struct tune_choices *choices = &state->profile.choices; /* none without a profile */
    const char *devices = tune_choices_find(choices, TUNE_DEVICES);
    const char *policy = options->policy;
    if (!policy)
        policy = tune_choices_find(choices, TUNE_POLICY);
    const struct evaluate_options how = {
        .devices = devices ? devices : options->devices,
        .policy = policy,
        .pool = options->pool,
        .rounds = (uint32_t)options->rounds,
        .has_baseline = options->has_baseline,
        .is_traced = options->report != NULL,
        .trace_path = options->trace,
        .log = &options->log,
    };
    const struct evaluate_taker taker = {run_take_output, state};
    const struct watch watch = {state->stop, progress_show, &state->progress};

    fgpu_status status =
        evaluate_workload(&state->workload, &state->data, &how, &taker, &watch, &state->evaluation);
    state->evaluation.path = options->path;
    state->evaluation.profile = state->has_profile ? &state->profile : NULL;
    progress_fini(&state->progress);
    if (status != FGPU_OK)
        return run_say(state, state->evaluation.error, run_code(&state->evaluation, status));
    return run_finish(state);
}

/* Mistakes of the file, said as `fastgpu check` says them. */
static int run_refuse(const struct run_state *state, fgpu_status status)
{
    const struct workload *workload = &state->workload;

    if (state->options->wrong && state->options->wrong[0])
        return run_say(state, state->options->wrong, COMMAND_NO_INPUT);
    if (workload->mistake_count == 0)
        return run_say(state, fgpu_status_text(status), COMMAND_FAILED);
    if (state->options->is_json) {
        cJSON *root = cJSON_CreateObject();
        json_out_text(root, "workload", state->options->path);
        workload_json_mistakes(root, workload);
        return json_out_print(root) ? workload_exit_code(workload) : COMMAND_FAILED;
    }
    workload_print_mistakes(state->options->path, workload);
    return workload_exit_code(workload);
}

static fgpu_status run_read(struct run_state *state)
{
    const struct run_options *options = state->options;

    if (options->text)
        return workload_parse(options->text, strlen(options->text), "", &options->constants,
                              &state->workload);
    return workload_load(options->path, &options->constants, &state->workload);
}

/* The profile, where there is one for this workload. */
static int run_take_profile(struct run_state *state)
{
    const struct run_options *options = state->options;
    fgpu_pool_options pool;
    fgpu_pool_options_init(&pool);
    pool.devices = options->devices;
    if (options->pool) /* what is wrong with it is said when the pool is opened */
        (void)fgpu_pool_options_parse(options->pool, &pool);
    const struct run_profile_options how = {.path = options->profile,
                                            .from = options->path,
                                            .devices = pool.devices,
                                            .is_quiet = options->is_quiet,
                                            .constants = &options->constants};
    char why[CLI_WHY_BYTES] = "";

    if (options->text || options->has_no_profile)
        return COMMAND_OK;
    fgpu_status status = run_profile_take(&how, &state->workload, &state->profile,
                                          &state->has_profile, why, sizeof why);
    if (!state->has_profile)
        state->profile.choices.count = 0;
    return status == FGPU_OK ? COMMAND_OK : run_say(state, why, COMMAND_NO_INPUT);
}

static int run_file(struct run_state *state)
{
    char why[CLI_WHY_BYTES] = "";

    fgpu_status status = run_read(state);
    if (waiting_is_stopped(state->stop))
        return run_say(state, "stopped before anything was done", COMMAND_INTERRUPTED);
    if (status != FGPU_OK)
        return run_refuse(state, status);
    int code = run_take_profile(state);
    if (code != COMMAND_OK)
        return code;
    if (run_check_outputs(state, why, sizeof why) != FGPU_OK)
        return run_say(state, why, COMMAND_FAILED);
    status = workload_data_init(&state->data, &state->workload, state->stop, why, sizeof why);
    if (status == FGPU_E_CANCELLED || waiting_is_stopped(state->stop))
        return run_say(state, "stopped before anything was done", COMMAND_INTERRUPTED);
    if (status != FGPU_OK)
        return run_say(state, why, status == FGPU_E_NOMEM ? COMMAND_FAILED : COMMAND_NO_INPUT);
    progress_init(&state->progress, !state->options->is_quiet);
    run_keep_inputs(state);
    return run_workload(state);
}

int run_start(const struct run_options *options, const volatile sig_atomic_t *stop)
{
    struct run_state *state = calloc(1, sizeof *state);

    if (!state) {
        fprintf(stderr, "%s: no memory\n", options->command);
        return COMMAND_FAILED;
    }
    state->options = options;
    state->stop = stop;
    int code = run_file(state);
    for (uint32_t i = 0; i < state->picture_count; i++)
        image_fini(&state->images[i]);
    evaluation_fini(&state->evaluation);
    outputs_fini(&state->outputs);
    workload_data_fini(&state->data);
    workload_fini(&state->workload);
    free(state);
    return code;
}

static enum options_outcome run_check_options(const struct options_page *page, char *const *words,
                                              uint32_t count, struct run_options *options)
{
    if (count != 1)
        return options_refuse(page, "want one workload file, not %u; see fastgpu run --help",
                              count);
    if (!words[0][0])
        return options_refuse(page, "the name of the workload file is empty");
    if (options->profile && options->has_no_profile)
        return options_refuse(page, "--profile and --no-profile contradict each other");
    if (options->rounds > 0 && !options->has_baseline)
        return options_refuse(page, "--rounds: only --baseline has rounds; add it");
    if (options->rounds == 0 && options->has_baseline)
        options->rounds = RUN_ROUNDS_DEFAULT;
    if (options->is_quiet && options->log.level == log_options_none.level)
        options->log.level = FGPU_LOG_ERROR + 1;
    options->path = words[0];
    return OPTIONS_GO;
}

static enum options_outcome run_take_options(int argc, char **argv, char **words,
                                             struct run_options *to)
{
    struct option_texts sets = {.list = (const char **)(words + argc + 1)};
    const struct option table[] = {
        {"devices", 'd', OPTION_TEXT, &to->devices, "PATTERN",
         "use these devices only, for example\ncpu or opencl:0", 0, 0, NULL},
        {"set", 's', OPTION_TEXTS, &sets, "NAME=VALUE",
         "give a constant of the workload this\nvalue; a list has one for each time", 0, 0, NULL},
        {"policy", 'p', OPTION_TEXT, &to->policy, "P",
         "how tasks are placed: auto (default), eft or\nanother", 0, 0, NULL},
        {"pool", 0, OPTION_TEXT, &to->pool, "TEXT",
         "options of the pool, for example\n'host-memory=1GiB; spill=/tmp'", 0, 0, NULL},
        {"profile", 0, OPTION_TEXT, &to->profile, "FILE",
         "use this profile of fastgpu optimize\n(default: the one in the cache folder)", 0, 0,
         NULL},
        {"no-profile", 0, OPTION_FLAG, &to->has_no_profile, NULL, "use none", 0, 0, NULL},
        {"output-dir", 'o', OPTION_TEXT, &to->output_dir, "DIR",
         "put the outputs there, and what folders\nthey name (default: where you are)", 0, 0, NULL},
        {"report", 0, OPTION_TEXT, &to->report, "FILE", "write a report to look at, one HTML file",
         0, 0, NULL},
        {"trace", 0, OPTION_TEXT, &to->trace, "FILE",
         "write a trace for Perfetto or\nchrome://tracing (JSON)", 0, 0, NULL},
        {"baseline", 'b', OPTION_FLAG, &to->has_baseline, NULL,
         "also run the tasks without the pool, and\ncompare", 0, 0, NULL},
        {"rounds", 'r', OPTION_NUMBER, &to->rounds, "N",
         "with --baseline: measure N times and show\nthe median (default: 5)", 1,
         EVALUATION_ROUNDS_LIMIT, NULL},
        {"json", 0, OPTION_FLAG, &to->is_json, NULL, "print one JSON object instead of tables", 0,
         0, NULL},
        {"quiet", 'q', OPTION_FLAG, &to->is_quiet, NULL, "print mistakes and failures alone", 0, 0,
         NULL},
        LOG_OPTIONS(to->log),
    };
    uint32_t count = 0;
    const struct options_page page = {
        .command = "fastgpu run",
        .text = run_text,
        .options = table,
        .count = sizeof table / sizeof table[0],
        .words = "WORKLOAD",
        .word_list = words,
        .word_count = &count,
    };

    enum options_outcome outcome = options_read(&page, argc, argv);
    to->constants.sets = sets.list;
    to->constants.set_count = sets.count;
    return outcome == OPTIONS_GO ? run_check_options(&page, words, count, to) : outcome;
}

int command_run(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct run_options options = {.command = "fastgpu run", .log = log_options_none};
    char **words = calloc(2 * ((size_t)argc + 1), sizeof *words); /* files, and values of --set */

    if (!words)
        return COMMAND_FAILED;
    enum options_outcome outcome = run_take_options(argc, argv, words, &options);
    int code = outcome == OPTIONS_GO ? run_start(&options, stop) : options_code(outcome);
    free(words);
    return code;
}
