/* A workload from its file: see workload.h. The sections in their order, and the files that they
 * name on the disk. */
#include "cli/workload/workload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/common/file.h"
#include "cli/image/image.h"
#include "cli/common/stopping.h"
#include "cli/common/why.h"
#include "cli/workload/workload_reader.h"

#define WORKLOAD_VERSION 1

/* ---- files on the disk */

static fgpu_status workload_disk_image(const char *path, uint32_t *width, uint32_t *height,
                                       uint32_t *channels, char *why, size_t why_bytes)
{
    struct image image;
    fgpu_status status = image_load(path, &image, why, why_bytes);

    if (status != FGPU_OK)
        return status;
    *width = image.width;
    *height = image.height;
    *channels = image.channels;
    image_fini(&image);
    return FGPU_OK;
}

static fgpu_status workload_disk_npy(const char *path, struct npy_form *form, char *why,
                                     size_t why_bytes)
{
    struct npy_array array;
    fgpu_status status = npy_load(path, &array, why, why_bytes);

    if (status != FGPU_OK)
        return status;
    *form = array.form;
    npy_array_fini(&array);
    return FGPU_OK;
}

static fgpu_status workload_disk_size(const char *path, uint64_t *size_bytes, char *why,
                                      size_t why_bytes)
{
    struct stat info;

    if (stat(path, &info) != 0)
        return why_fail(FGPU_E_IO, why, why_bytes, "it cannot be read: %s", strerror(errno));
    if (!S_ISREG(info.st_mode))
        return why_fail(FGPU_E_IO, why, why_bytes, "it is no plain file");
    *size_bytes = (uint64_t)info.st_size;
    return FGPU_OK;
}

static fgpu_status workload_disk_text(const char *path, char **text, char *why, size_t why_bytes)
{
    struct file_bytes bytes = {0};
    fgpu_status status = file_read(path, CLI_KERNEL_FILE_BYTES_LIMIT, &bytes, why, why_bytes);

    if (status != FGPU_OK)
        return status;
    if (memchr(bytes.data ? bytes.data : (const uint8_t *)"", 0, bytes.size_bytes))
        status = why_fail(FGPU_E_INVAL, why, why_bytes, "%s: it is no text", path);
    else if (!file_bytes_append(&bytes, "", 1))
        status = why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");
    if (status == FGPU_OK)
        *text = (char *)bytes.data;
    else
        file_bytes_fini(&bytes);
    return status;
}

static const struct workload_files workload_disk = {
    .image = workload_disk_image,
    .npy = workload_disk_npy,
    .size = workload_disk_size,
    .text = workload_disk_text,
};

/* ---- sections */

/* The members of one object or list, one after another; each has at most one mistake, and the
 * others are read all the same. */
static void workload_read_section(struct workload_reader *reader, const cJSON *root,
                                  const char *key, reader_body body)
{
    const cJSON *section = reader_get(root, key), *entry;
    bool is_list = body == reader_read_task || body == reader_read_output;
    char index[16];
    size_t item = 0;

    if (!section || reader->is_out_of_memory)
        return;
    size_t outer = json_path_enter_key(&reader->path, key);
    if (is_list ? !cJSON_IsArray(section) : !cJSON_IsObject(section))
        (void)reader_fail(reader, section,
                          is_list ? "want a list: [ ... ]" : "want an object: {\"name\": { ... }}");
    else
        cJSON_ArrayForEach(entry, section)
        {
            size_t level = is_list ? json_path_enter_item(&reader->path, item)
                                   : json_path_enter_key(&reader->path, entry->string);
            (void)snprintf(index, sizeof index, "%zu", item++);
            (void)reader_repeat(reader, entry, is_list ? index : entry->string, body);
            json_path_leave(&reader->path, level);
            if (reader->is_out_of_memory ||
                reader->out->mistake_count == CLI_WORKLOAD_MISTAKES_LIMIT)
                break;
        }
    json_path_leave(&reader->path, outer);
}

static void workload_read_head(struct workload_reader *reader, const cJSON *root)
{
    static const char *const keys[] = {"fastgpu", "description", "constants", "buffers", "kernels",
                                       "tasks",   "outputs",     "$schema",   NULL};
    static const uint64_t versions[2] = {WORKLOAD_VERSION, WORKLOAD_VERSION};
    const cJSON *constants = reader_get(root, "constants");
    uint64_t version = 0;

    if (!reader_keys(reader, root, keys) ||
        !reader_need(reader, root, "fastgpu", "1, the version of this format") ||
        !reader_whole_of(reader, root, "fastgpu", versions, &version))
        return;
    const cJSON *tasks = reader_need(reader, root, "tasks", "a list of tasks");
    const cJSON *text = reader_get(root, "description");
    size_t level = json_path_enter_key(&reader->path, "description");
    if (text && !cJSON_IsString(text))
        (void)reader_fail(reader, text, "a text in double quotes is wanted");
    json_path_leave(&reader->path, level);
    if (!tasks)
        return;
    level = json_path_enter_key(&reader->path, "constants");
    if (constants && !cJSON_IsObject(constants))
        (void)reader_fail(reader, constants, "want an object: {\"name\": 1}");
    else
        reader_read_constants(reader, constants);
    json_path_leave(&reader->path, level);
}

static void workload_read_root(struct workload_reader *reader, const cJSON *root)
{
    const struct workload *out = reader->out;

    json_path_init(&reader->path);
    workload_read_head(reader, root);
    if (out->mistake_count > 0)
        return;
    workload_read_section(reader, root, "buffers", reader_read_buffer);
    workload_read_section(reader, root, "kernels", reader_read_kernel);
    if (out->mistake_count > 0)
        return;
    workload_read_section(reader, root, "tasks", reader_read_task);
    if (out->mistake_count == 0 && out->task_count == 0) {
        size_t level = json_path_enter_key(&reader->path, "tasks");
        (void)reader_fail(reader, reader_get(root, "tasks"), "want at least one task");
        json_path_leave(&reader->path, level);
    }
    workload_read_section(reader, root, "outputs", reader_read_output);
    if (out->mistake_count == 0 && !reader->is_out_of_memory)
        (void)reader_order_tasks(reader);
}

/* ---- the whole file */

fgpu_status workload_parse(const char *text, size_t size_bytes, const char *folder,
                           const struct workload_options *options, struct workload *workload)
{
    static const struct workload_options none = {0};
    char why[CLI_WHY_BYTES];
    cJSON *root;

    *workload = (struct workload){0};
    struct workload_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return FGPU_E_NOMEM;
    reader->out = workload;
    reader->options = options ? options : &none;
    reader->files = reader->options->files ? reader->options->files : &workload_disk;
    reader->folder = folder;
    fgpu_status status = json_in_parse(text, size_bytes, &root, &reader->path, why, sizeof why);
    reader_init_names(reader);
    if (root)
        workload_read_root(reader, root);
    else
        (void)reader_fail(reader, NULL, "%s", why);
    if (reader->is_out_of_memory || status == FGPU_E_NOMEM)
        status = FGPU_E_NOMEM;
    else if (workload->mistake_count > 0 && stopping_is_wanted())
        status = FGPU_E_CANCELLED; /* what could not be read for this is no mistake of the file */
    else
        status = workload->mistake_count > 0 ? FGPU_E_INVAL : FGPU_OK;
    cJSON_Delete(root);
    reader_names_fini(&reader->buffer_names);
    reader_names_fini(&reader->kernel_names);
    reader_names_fini(&reader->task_names);
    reader_names_fini(&reader->output_names);
    free(reader->after);
    free(reader);
    return status;
}

/* One mistake for a file that cannot be read. Its name, with which `why` begins, is said by those
 * who print mistakes. */
static fgpu_status workload_refuse(struct workload *workload, fgpu_status status, const char *path,
                                   const char *why)
{
    size_t length = strlen(path);

    if (strncmp(why, path, length) == 0 && strncmp(why + length, ": ", 2) == 0)
        why += length + 2;
    workload->mistakes = calloc(1, sizeof *workload->mistakes);
    if (!workload->mistakes)
        return FGPU_E_NOMEM;
    workload->mistake_count = 1;
    (void)snprintf(workload->mistakes->text, sizeof workload->mistakes->text, "%s", why);
    return status;
}

fgpu_status workload_load(const char *path, const struct workload_options *options,
                          struct workload *workload)
{
    struct file_bytes bytes = {0};
    char why[CLI_WHY_BYTES];
    const char *slash = strrchr(path, '/');

    *workload = (struct workload){0};
    fgpu_status status = file_read(path, CLI_WORKLOAD_FILE_BYTES_LIMIT, &bytes, why, sizeof why);
    if (status != FGPU_OK)
        return workload_refuse(workload, status, path, why);
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup("");
    status = FGPU_E_NOMEM;
    if (folder)
        status =
            workload_parse((const char *)bytes.data, bytes.size_bytes, folder, options, workload);
    free(folder);
    file_bytes_fini(&bytes);
    return status;
}
