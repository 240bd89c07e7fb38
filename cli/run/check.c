/* `fastgpu check`: is a workload file right? Nothing is run and no device is used; the kernels'
 * files are read by the library, which finds entries that are missing and arguments that are
 * declared otherwise than the source has them. Runs on the main thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/cli_limits.h"
#include "cli/common/commands.h"
#include "cli/common/json_out.h"
#include "cli/common/options.h"
#include "cli/workload/workload.h"
#include "cli/workload/workload_words.h"

static const char check_text[] =
    "Checks a workload file without running it: the JSON, every name and number, the\n"
    "files that it reads, the arguments of every task. Says of each mistake where it\n"
    "is, what stands there and what would be right. docs/workload.md describes the\n"
    "format.";

/* The kernel that the library refuses, and what it says. */
struct check_kernel {
    const struct workload_kernel *kernel;
    char text[CLI_WHY_BYTES];
};

static fgpu_status check_make_kernel(fgpu_pool pool, const struct workload_kernel *from)
{
    fgpu_kernel kernel;
    fgpu_status status = fgpu_kernel_create(pool, from->name, &kernel);

    if (status != FGPU_OK)
        return status;
    status = fgpu_kernel_add_opencl(kernel, from->source, from->entry, from->options);
    for (uint32_t i = 0; i < from->param_count && status == FGPU_OK; i++) {
        const struct workload_param *param = &from->params[i];
        if (param->kind != FGPU_ARG_BUFFER || param->access != FGPU_ACCESS_DEFAULT)
            status = fgpu_kernel_set_arg(kernel, i, param->kind, param->access,
                                         elements[param->type].size_bytes * param->lanes);
    }
    (void)fgpu_kernel_destroy(kernel);
    return status;
}

/* Has the library read every kernel's source. FGPU_OK, or the first that it refuses. */
static fgpu_status check_kernels(const struct workload *workload, struct check_kernel *wrong)
{
    fgpu_pool_options options;
    fgpu_pool pool;

    fgpu_pool_options_init(&options);
    options.devices = "null";
    options.cache_dir = "";
    fgpu_status status = fgpu_pool_open(&options, &pool);
    for (uint32_t i = 0; i < workload->kernel_count && status == FGPU_OK; i++) {
        wrong->kernel = &workload->kernels[i];
        status = check_make_kernel(pool, wrong->kernel);
        if (status == FGPU_OK)
            wrong->kernel = NULL;
    }
    if (status != FGPU_OK)
        (void)snprintf(wrong->text, sizeof wrong->text, "%s", fgpu_last_error());
    if (status == FGPU_OK || wrong->kernel)
        (void)fgpu_pool_close(pool);
    return status;
}

/* ---- words */

static void check_print_summary(const char *path, const struct workload *workload)
{
    printf("%s is good; buffers: %u (%llu bytes), kernels: %u, tasks: %u, outputs: %u\n", path,
           workload->buffer_count, (unsigned long long)workload->buffer_bytes,
           workload->kernel_count, workload->task_count, workload->output_count);
}

static bool check_print_json(const char *path, const struct workload *workload, bool is_good)
{
    cJSON *root = cJSON_CreateObject();

    json_out_text(root, "file", path);
    json_out_bool(root, "good", is_good);
    workload_json_mistakes(root, workload);
    json_out_known(root, "buffers", is_good, workload->buffer_count);
    json_out_known(root, "buffer_bytes", is_good, (double)workload->buffer_bytes);
    json_out_known(root, "kernels", is_good, workload->kernel_count);
    json_out_known(root, "tasks", is_good, workload->task_count);
    json_out_known(root, "outputs", is_good, workload->output_count);
    return json_out_print(root);
}

/* ---- the command */

/* What the library says of a kernel as a mistake of the workload. */
static fgpu_status check_add_mistake(struct workload *workload, const struct check_kernel *wrong)
{
    struct json_path path;

    workload->mistakes = calloc(1, sizeof *workload->mistakes);
    if (!workload->mistakes)
        return FGPU_E_NOMEM;
    workload->mistake_count = 1;
    json_path_init(&path);
    (void)json_path_enter_key(&path, "kernels");
    (void)json_path_enter_key(&path, wrong->kernel->name);
    (void)snprintf(workload->mistakes->path, sizeof workload->mistakes->path, "%s", path.text);
    (void)snprintf(workload->mistakes->value, sizeof workload->mistakes->value, "\"%.70s\"",
                   wrong->kernel->entry);
    (void)snprintf(workload->mistakes->text, sizeof workload->mistakes->text, "%s", wrong->text);
    return FGPU_E_INVAL;
}

static int check_file(const char *path, const struct workload_options *options, bool is_json)
{
    struct check_kernel wrong = {0};
    struct workload workload;

    fgpu_status status = workload_load(path, options, &workload);
    if (status == FGPU_OK) {
        status = check_kernels(&workload, &wrong);
        if (wrong.kernel)
            status = check_add_mistake(&workload, &wrong);
    }
    int code = status == FGPU_OK ? COMMAND_OK : workload_exit_code(&workload);
    if (status == FGPU_E_CANCELLED) {
        fprintf(stderr, "fastgpu check: %s: stopped while it was read\n", path);
        code = COMMAND_INTERRUPTED;
    } else if (status != FGPU_OK && workload.mistake_count == 0) {
        fprintf(stderr, "fastgpu check: %s: %s\n", path,
                wrong.text[0] ? wrong.text : fgpu_status_text(status));
        code = COMMAND_FAILED;
    } else if (is_json) {
        if (!check_print_json(path, &workload, status == FGPU_OK))
            code = COMMAND_FAILED;
    } else if (status == FGPU_OK) {
        check_print_summary(path, &workload);
    } else {
        workload_print_mistakes(path, &workload);
    }
    workload_fini(&workload);
    return code;
}

int command_check(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    bool is_json = false;
    struct workload_options constants = {0};
    char **words = calloc(2 * ((size_t)argc + 1), sizeof *words); /* files, and values of --set */
    struct option_texts sets = {.list = (const char **)(words + argc + 1)};
    const struct option table[] = {
        {"set", 's', OPTION_TEXTS, &sets, "NAME=VALUE",
         "give a constant of the workload this\nvalue; a list has one for each time", 0, 0, NULL},
        {"json", 0, OPTION_FLAG, &is_json, NULL, "print one JSON object, also for mistakes", 0, 0,
         NULL},
    };
    uint32_t count = 0;
    const struct options_page page = {
        .command = "fastgpu check",
        .text = check_text,
        .options = table,
        .count = sizeof table / sizeof table[0],
        .words = "WORKLOAD",
        .word_list = words,
        .word_count = &count,
    };

    if (!words)
        return COMMAND_FAILED;
    enum options_outcome outcome = options_read(&page, argc, argv);
    if (outcome == OPTIONS_GO && count != 1)
        outcome = options_refuse(&page, "want one workload file, not %u; see fastgpu check --help",
                                 count);
    if (outcome == OPTIONS_GO && !words[0][0])
        outcome = options_refuse(&page, "the name of the workload file is empty");
    int code = options_code(outcome);
    constants.sets = sets.list;
    constants.set_count = sets.count;
    if (outcome == OPTIONS_GO)
        code = check_file(words[0], &constants, is_json);
    if (outcome == OPTIONS_GO && stop && *stop)
        code = COMMAND_INTERRUPTED;
    free(words);
    return code;
}
