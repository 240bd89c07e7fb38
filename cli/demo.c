/* `fastgpu demo`: photographs through the pool, and what that bought. Options and the order of
 * things; the work is a plan (demo_plan.c), its runs are in demo_measure.c, the words in
 * demo_print.c. Runs on the main thread; looks at the stop flag between steps and hands it down. */
#include "commands.h"
#include "demo.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "options.h"
#include "waiting.h"
#include "why.h"

#define DEMO_ROUNDS_DEFAULT 9
#define DEMO_TILES_LIMIT 4096

static const char demo_text[] =
    "Runs photographs (PNG or JPEG, up to 64 Mpixel) through the pool: grey, Gaussian blur,\n"
    "Sobel, sharpen, a sepia by the 3 x 3 x 3 convolution and an emboss, each in tiles, on all\n"
    "devices. Then runs the same tasks one by one on each device (copy in, launch, copy out,\n"
    "wait), and prints both times. Without PHOTO: the two that Debian's package python3-sklearn\n"
    "ships.";

static enum options_outcome demo_take_options(int argc, char **argv, struct demo_options *options)
{
    const struct option list[] = {
        {.name = "output",
         .letter = 'o',
         .kind = OPTION_TEXT,
         .into = &options->output,
         .value = "DIR",
         .help = "write the pictures there, as PNG\n(default: demo-output)"},
        {.name = "devices",
         .letter = 'd',
         .kind = OPTION_TEXT,
         .into = &options->devices,
         .value = "PATTERN",
         .help = "use these devices only, for example\ncpu or opencl:0"},
        {.name = "tiles",
         .letter = 't',
         .kind = OPTION_NUMBER,
         .into = &options->tiles,
         .value = "N",
         .help = "cut each picture into N bands\n(default: by size, at least 4)",
         .low = 1,
         .high = DEMO_TILES_LIMIT},
        {.name = "rounds",
         .letter = 'r',
         .kind = OPTION_NUMBER,
         .into = &options->rounds,
         .value = "N",
         .help = "measure N times and show the median\n(default: 9)",
         .high = DEMO_ROUNDS_LIMIT},
        {.name = "no-baseline",
         .kind = OPTION_FLAG,
         .into = &options->has_no_baseline,
         .help = "do not run the tasks one by one"},
        {.name = "json",
         .kind = OPTION_FLAG,
         .into = &options->is_json,
         .help = "print one JSON object instead of tables"},
    };
    const struct options_page page = {
        .command = "fastgpu demo",
        .text = demo_text,
        .options = list,
        .count = sizeof list / sizeof list[0],
        .words = "[PHOTO...]",
        .word_list = options->paths.list,
        .word_count = &options->paths.count,
    };

    enum options_outcome outcome = options_read(&page, argc, argv);
    for (uint32_t i = 0; i < options->paths.count && outcome == OPTIONS_GO; i++)
        if (!options->paths.list[i][0])
            outcome = options_refuse(&page, "PHOTO %u: its name is empty", i + 1);
    return outcome;
}

/* Makes the folder and those above it. */
static bool demo_make_folder(const char *folder, char *why, size_t why_bytes)
{
    char path[PATH_MAX];
    struct stat info;

    if (snprintf(path, sizeof path, "%s", folder) >= (int)sizeof path) {
        (void)why_fail(FGPU_E_IO, why, why_bytes, "the folder's name is too long");
        return false;
    }
    for (char *at = path + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        (void)mkdir(path, 0777);
        *at = '/';
    }
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        (void)why_fail(FGPU_E_IO, why, why_bytes, "%s: the folder cannot be made: %s", folder,
                       strerror(errno));
        return false;
    }
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        (void)why_fail(FGPU_E_IO, why, why_bytes, "%s: is not a folder", folder);
        return false;
    }
    if (access(path, W_OK | X_OK) != 0) {
        (void)why_fail(FGPU_E_IO, why, why_bytes, "%s: nothing can be written there: %s", folder,
                       strerror(errno));
        return false;
    }
    return true;
}

/* Writes every picture that is whole; the first that cannot be written ends it, and so does a user
 * who wants an end while they are written. */
static void demo_write_pictures(struct demo_report *report, const struct plan_watch *watch)
{
    const struct plan *plan = &report->plan.plan;
    char path[PATH_MAX], why[CLI_WHY_BYTES];

    for (uint32_t i = 0; report->pictures && i < plan->output_count; i++) {
        if (!report->pictures[i].pixels)
            continue;
        if (!report->is_interrupted && waiting_is_stopped(watch->stop)) {
            report->is_interrupted = true;
            return;
        }
        if (snprintf(path, sizeof path, "%s/%s.png", report->options->output,
                     plan->outputs[i].name) >= (int)sizeof path ||
            image_save(path, &report->pictures[i], why, sizeof why) != FGPU_OK) {
            (void)snprintf(report->error, sizeof report->error, "%s", why);
            return;
        }
        report->written_count++;
    }
}

static void demo_show_progress(void *user, enum plan_phase phase, uint32_t done_count,
                               uint32_t count)
{
    (void)user;
    if (phase == PLAN_COMPILING)
        fprintf(stderr, "\rcompiling: kernel %u of %u ", done_count + 1, count);
    else
        fprintf(stderr, "\r%u of %u tasks             ", done_count, count);
}

/* What could not be started has a code of its own where scripts want to tell it apart. */
static int demo_code(const struct demo_report *report, fgpu_status status)
{
    if (status == FGPU_E_NODEVICE)
        return COMMAND_NO_DEVICE;
    return status == FGPU_E_INVAL && report->pool.bits == 0 ? COMMAND_USAGE : COMMAND_FAILED;
}

static int demo_say(const char *text, int code)
{
    fprintf(stderr, "fastgpu demo: %s\n", text);
    return code;
}

/* The run itself, between loading the photographs and cleaning up. */
static int demo_run(struct demo_report *report, const struct plan_watch *watch)
{
    if (!demo_make_folder(report->options->output, report->error, sizeof report->error))
        return demo_say(report->error, COMMAND_FAILED);
    fgpu_status status = demo_measure(report, watch);
    if (watch->progress) /* its line goes, whatever it showed last */
        fprintf(stderr, "\r%40s\r", "");
    if (status != FGPU_OK)
        return demo_say(report->error, demo_code(report, status));
    demo_write_pictures(report, watch);
    if (report->options->is_json)
        demo_print_json(report);
    else
        demo_print_text(report);
    int code = COMMAND_OK;
    for (uint32_t i = 0; i < report->side_count; i++)
        if (report->sides[i].error[0])
            code = demo_say(report->sides[i].error, COMMAND_FAILED);
    if (report->error[0])
        code = demo_say(report->error, COMMAND_FAILED);
    if (report->is_interrupted)
        code = demo_say("stopped before everything was done", COMMAND_INTERRUPTED);
    return code;
}

/* The command once its options are known. */
static int demo_start(const struct demo_options *options, const volatile sig_atomic_t *stop)
{
    struct demo_report *report = calloc(1, sizeof *report);
    struct plan_watch watch = {.stop = stop,
                               .progress = isatty(STDERR_FILENO) ? demo_show_progress : NULL};
    char why[CLI_WHY_BYTES];
    int code;

    if (!report)
        return demo_say("no memory", COMMAND_FAILED);
    report->options = options;
    fgpu_status status = demo_photos_load(&options->paths, stop, &report->photos, why, sizeof why);
    if (status == FGPU_E_CANCELLED) {
        fprintf(stderr, "fastgpu demo: stopped before anything was done (%s)\n", why);
        code = COMMAND_INTERRUPTED;
    } else if (status != FGPU_OK) {
        code = demo_say(why, COMMAND_NO_INPUT);
    } else {
        code = demo_run(report, &watch);
        demo_measure_fini(report);
        demo_photos_fini(&report->photos);
    }
    free(report);
    return code;
}

int command_demo(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct demo_options options = {.output = "demo-output",
                                   .rounds = DEMO_ROUNDS_DEFAULT,
                                   .paths.list = calloc((size_t)argc + 1, sizeof(char *))};
    int code;

    if (!options.paths.list)
        return demo_say("no memory", COMMAND_FAILED);
    enum options_outcome outcome = demo_take_options(argc, argv, &options);
    if (outcome == OPTIONS_GO)
        code = demo_start(&options, stop);
    else
        code = options_code(outcome);
    free(options.paths.list);
    return code;
}
