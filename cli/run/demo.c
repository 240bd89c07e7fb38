/* `fastgpu demo`: photographs through the pool, and what that bought. A workload that is part of
 * the command (examples/workloads/demo.json) with the user's photographs in place of its own, run
 * as `fastgpu run` runs any (run.h). Runs on the main thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/common/commands.h"
#include "cli/run/demo_photos.h"
#include "cli/evaluate/evaluation.h"
#include "cli/image/image.h"
#include "cli/filters/kernels.h"
#include "cli/common/options.h"
#include "cli/latency/latency_demo.h"
#include "cli/run/run.h"
#include "cli/common/waiting.h"
#include "cli/common/why.h"

#define DEMO_ROUNDS_DEFAULT 9
#define DEMO_BANDS_LIMIT 4096

/* Constants that are set: two for each photograph, and two more. */
#define DEMO_SETS 2
#define DEMO_SET_BYTES 64

static const char demo_text[] =
    "Runs photographs (PNG or JPEG, up to 64 Mpixel) through the pool: grey, blur\n"
    "(separable and 2-D), Sobel, median, sharpen, emboss, a sepia by the 3 x 3 x 3\n"
    "convolution, histogram equalisation and a pyramid, each in bands of rows, on\n"
    "all devices. Then runs the same tasks as people do by hand (one after another:\n"
    "copy in, launch, copy out, wait) and as experts do (in one queue, no copies,\n"
    "one wait), and compares. Without PHOTO: the two that Debian's package\n"
    "python3-sklearn ships. The work is a file to copy:\n"
    "examples/workloads/demo.json.\n"
    "\n"
    "Another demonstration:\n"
    "  latency   interactive requests beside a batch job, drawn while it runs";

/* ---- reading photographs: what goes wrong is said in the user's words, not the workload's */

static char demo_wrong[CLI_WHY_BYTES];

static fgpu_status demo_read_image(const char *path, uint32_t *width, uint32_t *height,
                                   uint32_t *channels, char *why, size_t why_bytes)
{
    struct image image;
    struct stat info;
    fgpu_status status = FGPU_OK;

    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
        status = why_fail(FGPU_E_IO, why, why_bytes,
                          "%s: is no plain file, and it is read more than once", path);
    if (status == FGPU_OK)
        status = image_load(path, &image, why, why_bytes);
    if (status != FGPU_OK) {
        (void)snprintf(demo_wrong, sizeof demo_wrong, "%s", why);
        return status;
    }
    *width = image.width;
    *height = image.height;
    *channels = image.channels;
    image_fini(&image);
    return FGPU_OK;
}

/* The workload names nothing but photographs. */
static const struct workload_files demo_files = {.image = demo_read_image};

/* ---- the command */

struct demo_options {
    struct run_options run;
    uint64_t tiles; /* 0: by size */
    bool has_no_baseline;
    char **paths;
    uint32_t path_count;
};

static enum options_outcome demo_take_options(int argc, char **argv, struct demo_options *options)
{
    struct run_options *run = &options->run;
    const struct option list[] = {
        {"output", 'o', OPTION_TEXT, &run->output_dir, "DIR",
         "write the pictures there, as PNG\n(default: demo-output)", 0, 0, NULL},
        {"devices", 'd', OPTION_TEXT, &run->devices, "PATTERN",
         "use these devices only, for example\ncpu or opencl:0", 0, 0, NULL},
        {"policy", 'p', OPTION_TEXT, &run->policy, "P",
         "how tasks are placed: auto (default), eft or\nanother", 0, 0, NULL},
        {"tiles", 't', OPTION_NUMBER, &options->tiles, "N",
         "cut each picture into N bands\n(default: by size, at least 9)", 1, DEMO_BANDS_LIMIT,
         NULL},
        {"rounds", 'r', OPTION_NUMBER, &run->rounds, "N",
         "measure N times and show the median\n(default: 9; 0: run once, without baseline)", 0,
         EVALUATION_ROUNDS_LIMIT, NULL},
        {"no-baseline", 0, OPTION_FLAG, &options->has_no_baseline, NULL,
         "do not run the tasks without the pool", 0, 0, NULL},
        {"report", 0, OPTION_TEXT, &run->report, "FILE", "write a report to look at, one HTML file",
         0, 0, NULL},
        {"trace", 0, OPTION_TEXT, &run->trace, "FILE",
         "write a trace for Perfetto or\nchrome://tracing (JSON)", 0, 0, NULL},
        {"json", 0, OPTION_FLAG, &run->is_json, NULL, "print one JSON object instead of tables", 0,
         0, NULL},
        LOG_OPTIONS(run->log),
    };
    const struct options_page page = {
        .command = run->command,
        .text = demo_text,
        .options = list,
        .count = sizeof list / sizeof list[0],
        .words = "[PHOTO...]",
        .word_list = options->paths,
        .word_count = &options->path_count,
    };

    enum options_outcome outcome = options_read(&page, argc, argv);
    for (uint32_t i = 0; i < options->path_count && outcome == OPTIONS_GO; i++)
        if (!options->paths[i][0])
            outcome = options_refuse(&page, "PHOTO %u: its name is empty", i + 1);
    run->has_baseline = run->rounds > 0 && !options->has_no_baseline;
    return outcome;
}

static int demo_say(const char *text, int code)
{
    fprintf(stderr, "fastgpu demo: %s\n", text);
    return code;
}

/* Gives a constant a text. [out] set: for free(); NULL without memory. */
static char *demo_set(const char *name, const char *value)
{
    size_t bytes = strlen(name) + strlen(value) + 2;
    char *set = malloc(bytes);

    if (set)
        (void)snprintf(set, bytes, "%s=%s", name, value);
    return set;
}

/* The constants of the workload: photographs, their names, and how many bands. [out] sets: for
 * free(), as many as `count`; some may be NULL without memory. */
static char **demo_make_sets(const struct demo_photos *photos, uint64_t tiles, uint32_t *count)
{
    char **sets = calloc(2 * (size_t)photos->count + DEMO_SETS, sizeof *sets);
    char bands[DEMO_SET_BYTES];

    *count = 0;
    for (uint32_t i = 0; i < photos->count && sets; i++) {
        sets[(*count)++] = demo_set("photos", photos->list[i].path);
        sets[(*count)++] = demo_set("names", photos->list[i].name);
    }
    if (tiles > 0 && sets) {
        (void)snprintf(bands, sizeof bands, "%llu", (unsigned long long)tiles);
        sets[(*count)++] = demo_set("bands", bands);
        sets[(*count)++] = demo_set("band_pixels", "9007199254740992"); /* none is too large */
    }
    return sets;
}

static int demo_start(struct demo_options *options, const volatile sig_atomic_t *stop)
{
    struct demo_photos photos;
    uint32_t count = 0;
    char why[CLI_WHY_BYTES];
    bool is_good = true;
    int code = COMMAND_FAILED;

    fgpu_status status =
        demo_photos_init(&photos, options->paths, options->path_count, why, sizeof why);
    if (status != FGPU_OK)
        return demo_say(why, status == FGPU_E_NOTFOUND ? COMMAND_NO_INPUT : COMMAND_FAILED);
    char **sets = demo_make_sets(&photos, options->tiles, &count);
    for (uint32_t i = 0; i < count; i++)
        is_good = is_good && sets[i] != NULL;
    if (sets && is_good) {
        options->run.constants = (struct workload_options){
            .sets = (const char *const *)sets, .set_count = count, .files = &demo_files};
        code = run_start(&options->run, stop);
    } else {
        code = demo_say("no memory", COMMAND_FAILED);
    }
    for (uint32_t i = 0; i < count; i++)
        free(sets[i]);
    free(sets);
    demo_photos_fini(&photos);
    return code;
}

int command_demo(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct demo_options options = {
        .run = {.command = "fastgpu demo",
                .path = "demo.json",
                .text = kernels_demo_workload,
                .wrong = demo_wrong,
                .output_dir = "demo-output",
                .rounds = DEMO_ROUNDS_DEFAULT,
                .log = log_options_none},
        .paths = calloc((size_t)argc + 1, sizeof(char *)),
    };
    int code;

    if (argc > 1 && strcmp(argv[1], "latency") == 0) { /* a photograph of that name: ./latency */
        free(options.paths);
        return latency_demo(argc - 1, argv + 1, stop);
    }
    if (!options.paths)
        return demo_say("no memory", COMMAND_FAILED);
    enum options_outcome outcome = demo_take_options(argc, argv, &options);
    if (outcome == OPTIONS_GO)
        code = demo_start(&options, stop);
    else
        code = options_code(outcome);
    free(options.paths);
    return code;
}
