/* `fastgpu kernel`: the kernels of OpenCL C files, and whether the pool may run them in slices or
 * stop them between work groups. Reads only; no device is asked. Runs on the main thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastgpu/fastgpu.h>

#include "cli/common/cli_limits.h"
#include "cli/common/commands.h"
#include "cli/common/file.h"
#include "cli/common/json_out.h"
#include "cli/common/options.h"

#define KERNEL_SOURCE_BYTES ((size_t)16 << 20)

static const char kernel_text[] =
    "Reads OpenCL C files and tells of each kernel its class, with line and reason:\n"
    "  free     any range of its work groups can be launched as it is\n"
    "  rewrite  after what it asks of the whole grid has been rewritten\n"
    "  never    its work groups may communicate, or it cannot be read\n"
    "and whether a device may run it in slices, and stop it between work groups\n"
    "(guard) for something urgent. Other kernels are launched whole.";

struct kernel_options {
    const char *build; /* NULL: none */
    bool is_json;
};

/* The kernels of one file. */
struct kernel_file {
    const char *path;
    fgpu_source_kernel *kernels;
    uint32_t count;
};

static const char *kernel_class(uint32_t slicing)
{
    return slicing == FGPU_SLICING_FREE      ? "free"
           : slicing == FGPU_SLICING_REWRITE ? "rewrite"
                                             : "never";
}

/* Reads the text into `file`; the exit code after saying what is wrong with it. */
static int kernel_read_text(struct kernel_file *file, const char *text, const char *build)
{
    fgpu_status status = fgpu_source_read(text, build, NULL, 0, &file->count);

    if (status == FGPU_OK && file->count > 0) {
        file->kernels = calloc(file->count, sizeof *file->kernels);
        status = FGPU_E_NOMEM;
        if (file->kernels != NULL)
            status = fgpu_source_read(text, build, file->kernels, file->count, &file->count);
    }
    if (status == FGPU_OK)
        return COMMAND_OK;
    (void)commands_fail("fastgpu kernel", file->path, status);
    return status == FGPU_E_NOMEM ? COMMAND_FAILED : COMMAND_NO_INPUT;
}

/* What is read would end at a zero byte, and nothing else would be said. */
static bool kernel_is_text(const char *path, const struct file_bytes *bytes)
{
    size_t size = bytes->size_bytes;
    const uint8_t *zero = size > 0 ? memchr(bytes->data, '\0', size) : NULL;

    if (size == 0)
        fprintf(stderr, "fastgpu kernel: %s: the file is empty (0 bytes)\n", path);
    else if (zero != NULL)
        fprintf(stderr, "fastgpu kernel: %s: this is no text: byte %zu of %zu is zero\n", path,
                (size_t)(zero - bytes->data) + 1, size);
    return size > 0 && zero == NULL;
}

static int kernel_read(struct kernel_file *file, const char *build)
{
    struct file_bytes bytes = {0};
    char why[256] = "";
    int code = COMMAND_NO_INPUT;

    if (file_read(file->path, KERNEL_SOURCE_BYTES, &bytes, why, sizeof why) != FGPU_OK)
        fprintf(stderr, "fastgpu kernel: %s\n", why);
    else if (!kernel_is_text(file->path, &bytes))
        code = COMMAND_NO_INPUT;
    else if (!file_bytes_append(&bytes, "", 1))
        code = COMMAND_FAILED;
    else
        code = kernel_read_text(file, (const char *)bytes.data, build);
    file_bytes_fini(&bytes);
    return code;
}

/* ---- what is said ----------------------------------------------------------------------- */

static void kernel_print(const struct kernel_file *file)
{
    if (file->count == 0)
        printf("%s: no kernel\n", file->path);
    for (uint32_t i = 0; i < file->count; i++) {
        const fgpu_source_kernel *kernel = &file->kernels[i];
        printf("%s:%u: %s: %s; slices: %s, guard: %s\n", file->path, kernel->line, kernel->name,
               kernel_class(kernel->slicing), kernel->sliced ? "yes" : "no",
               kernel->guarded ? "yes" : "no");
        if (kernel->slicing_why[0])
            printf("    %s\n", kernel->slicing_why);
        if (kernel->sliced_why[0] && kernel->slicing != FGPU_SLICING_NEVER)
            printf("    %s\n", kernel->sliced_why);
    }
}

static void kernel_json_text(cJSON *object, const char *name, const char *text)
{
    if (text[0])
        json_out_text(object, name, text);
    else
        (void)cJSON_AddNullToObject(object, name);
}

static void kernel_json(cJSON *array, const struct kernel_file *file)
{
    for (uint32_t i = 0; i < file->count; i++) {
        const fgpu_source_kernel *kernel = &file->kernels[i];
        cJSON *object = cJSON_CreateObject();
        json_out_text(object, "file", file->path);
        json_out_text(object, "name", kernel->name);
        json_out_number(object, "line", kernel->line);
        json_out_number(object, "args", kernel->arg_count);
        json_out_text(object, "class", kernel_class(kernel->slicing));
        kernel_json_text(object, "class_why", kernel->slicing_why);
        json_out_bool(object, "slices", kernel->sliced != 0);
        json_out_bool(object, "guard", kernel->guarded != 0);
        kernel_json_text(object, "slices_why", kernel->sliced_why);
        (void)cJSON_AddItemToArray(array, object);
    }
}

/* All files that can be read are told of; the exit code is that of the first that cannot. */
static int kernel_show(char **paths, uint32_t count, const struct kernel_options *chosen)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *array = cJSON_AddArrayToObject(root, "kernels");
    int code = COMMAND_OK;

    for (uint32_t i = 0; i < count; i++) {
        struct kernel_file file = {.path = paths[i]};
        int one = kernel_read(&file, chosen->build);
        if (one == COMMAND_OK && chosen->is_json)
            kernel_json(array, &file);
        else if (one == COMMAND_OK)
            kernel_print(&file);
        if (code == COMMAND_OK)
            code = one;
        free(file.kernels);
    }
    if (!chosen->is_json)
        cJSON_Delete(root);
    else if (!json_out_print(root))
        code = COMMAND_FAILED;
    return code;
}

int command_kernel(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct kernel_options chosen = {0};
    const struct option table[] = {
        {"options", 'o', OPTION_TEXT, &chosen.build, "TEXT",
         "build options: macros decide what is read", 0, 0, NULL},
        {"json", 0, OPTION_FLAG, &chosen.is_json, NULL, "print one JSON object instead of lines", 0,
         0, NULL},
    };
    uint32_t count = 0;
    char **words = calloc((size_t)argc + 1, sizeof *words);
    const struct options_page page = {
        .command = "fastgpu kernel",
        .text = kernel_text,
        .options = table,
        .count = sizeof table / sizeof table[0],
        .words = "FILE...",
        .word_list = words,
        .word_count = &count,
    };
    int code = COMMAND_FAILED;

    (void)stop;
    if (words == NULL)
        return code;
    enum options_outcome outcome = options_read(&page, argc, argv);
    if (outcome == OPTIONS_GO && count == 0)
        outcome = options_refuse(&page, "a file is missing");
    code = outcome == OPTIONS_GO ? kernel_show(words, count, &chosen) : options_code(outcome);
    free(words);
    return code;
}
