/* Files of a workload's outputs: see outputs.h. Which file a name leads to is told by its real
 * path, links followed; of a file that is not there yet by its folder's. Runs on the caller's
 * thread. */
#include "cli/evaluate/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/file.h"
#include "cli/image/npy.h"
#include "cli/common/why.h"
#include "cli/workload/workload_data.h"

/* One file that is read or written. */
struct outputs_target {
    const char *path; /* as it is shown */
    char *real;
    bool is_input;
};

struct outputs_targets {
    struct outputs_target *list;
    uint32_t count;
};

/* ---- folders */

fgpu_status outputs_make_folder(const char *folder, char *why, size_t why_bytes)
{
    char path[PATH_MAX];
    struct stat info;

    if (snprintf(path, sizeof path, "%s", folder) >= (int)sizeof path)
        return why_fail(FGPU_E_IO, why, why_bytes, "%.80s...: the folder's name is too long",
                        folder);
    for (char *at = path + 1; path[0] && *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        (void)mkdir(path, 0777);
        *at = '/';
    }
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return why_fail(FGPU_E_IO, why, why_bytes, "%s: the folder cannot be made: %s", folder,
                        strerror(errno));
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return why_fail(FGPU_E_IO, why, why_bytes, "%s: is not a folder", folder);
    return FGPU_OK;
}

/* Whether files can be made there: one is, without a name where the file system knows that. */
static fgpu_status outputs_try_folder(const char *folder, char *why, size_t why_bytes)
{
    char name[PATH_MAX];
    int fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL || errno == ENOENT)) {
        if (snprintf(name, sizeof name, "%s/.fastgpu-%ld-try.tmp", folder, (long)getpid()) >=
            (int)sizeof name)
            return why_fail(FGPU_E_IO, why, why_bytes, "%.80s...: the name is too long", folder);
        fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        if (fd >= 0)
            (void)unlink(name);
    }
    if (fd < 0)
        return why_fail(FGPU_E_IO, why, why_bytes, "%s: nothing can be written there: %s", folder,
                        strerror(errno));
    (void)close(fd);
    return FGPU_OK;
}

/* The folder of a path, to `folder` (PATH_MAX bytes), made where it is missing. */
static fgpu_status outputs_folder(const char *path, char *folder, char *why, size_t why_bytes)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        (void)snprintf(folder, PATH_MAX, ".");
    else if (slash == path)
        (void)snprintf(folder, PATH_MAX, "/");
    else if (snprintf(folder, PATH_MAX, "%.*s", (int)(slash - path), path) >= PATH_MAX)
        return why_fail(FGPU_E_IO, why, why_bytes, "%.80s...: the name is too long", path);
    return outputs_make_folder(folder, why, why_bytes);
}

/* ---- which files they are */

/* The real path of a file that is going to be written. */
static fgpu_status outputs_resolve(const char *path, char **real, char *why, size_t why_bytes)
{
    char folder[PATH_MAX], found[PATH_MAX], target[2 * PATH_MAX];
    struct stat info;

    fgpu_status status = outputs_folder(path, folder, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (!name[0] || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return why_fail(FGPU_E_INVAL, why, why_bytes, "%s: this is no name of a file", path);
    if (lstat(path, &info) == 0) {
        if (!realpath(path, target) || stat(target, &info) != 0)
            return why_fail(FGPU_E_IO, why, why_bytes, "%s: cannot be written: %s", path,
                            strerror(errno));
        if (!S_ISREG(info.st_mode))
            return why_fail(FGPU_E_IO, why, why_bytes,
                            "%s: is not a plain file, so it is not replaced by one", path);
    } else if (errno == ENAMETOOLONG) {
        return why_fail(FGPU_E_IO, why, why_bytes, "%.80s...: %s", path, strerror(errno));
    } else {
        if (!realpath(folder, found))
            return why_fail(FGPU_E_IO, why, why_bytes, "%s: %s", folder, strerror(errno));
        (void)snprintf(target, sizeof target, "%s/%s", strcmp(found, "/") == 0 ? "" : found, name);
    }
    *real = strdup(target);
    return *real ? FGPU_OK : why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");
}

static fgpu_status outputs_add(struct outputs_targets *targets, const char *path, bool is_input,
                               char *why, size_t why_bytes)
{
    fgpu_status status = FGPU_OK;
    char *real = NULL;

    if (is_input)
        real = realpath(path, NULL); /* one that has gone is found when it is read */
    else
        status = outputs_resolve(path, &real, why, why_bytes);
    if (real)
        targets->list[targets->count++] = (struct outputs_target){path, real, is_input};
    return status;
}

static int outputs_compare(const void *left, const void *right)
{
    const struct outputs_target *a = left, *b = right;
    int order = strcmp(a->real, b->real);

    return order != 0 ? order : (int)a->is_input - (int)b->is_input;
}

/* Of a file that stands twice in the sorted list all are inputs, or something is wrong. */
static fgpu_status outputs_check_twice(const struct outputs_targets *targets, char *why,
                                       size_t why_bytes)
{
    for (uint32_t i = 1; i < targets->count; i++) {
        const struct outputs_target *one = &targets->list[i - 1], *other = &targets->list[i];
        if (one->is_input || strcmp(one->real, other->real) != 0)
            continue;
        if (other->is_input)
            return why_fail(FGPU_E_INVAL, why, why_bytes,
                            "%s: this would be written over, and the workload reads it; choose "
                            "another name or folder",
                            other->path);
        return why_fail(FGPU_E_INVAL, why, why_bytes,
                        "%s and %s are the same file, and each would be written", one->path,
                        other->path);
    }
    return FGPU_OK;
}

/* Every folder once: the list is sorted. */
static fgpu_status outputs_try_folders(const struct outputs_targets *targets, char *why,
                                       size_t why_bytes)
{
    char folder[PATH_MAX] = "";

    for (uint32_t i = 0; i < targets->count; i++) {
        const char *real = targets->list[i].real, *slash = strrchr(real, '/');
        size_t length = slash == real ? 1 : (size_t)(slash - real);
        if (targets->list[i].is_input ||
            (strlen(folder) == length && strncmp(folder, real, length) == 0))
            continue;
        if (length >= sizeof folder)
            return why_fail(FGPU_E_IO, why, why_bytes, "%.80s...: the name is too long", real);
        (void)snprintf(folder, sizeof folder, "%.*s", (int)length, real);
        fgpu_status status = outputs_try_folder(folder, why, why_bytes);
        if (status != FGPU_OK)
            return status;
    }
    return FGPU_OK;
}

static fgpu_status outputs_collect(const struct outputs *outputs,
                                   const struct outputs_other *others,
                                   struct outputs_targets *targets, char *why, size_t why_bytes)
{
    const struct workload *workload = outputs->workload;
    fgpu_status status = FGPU_OK;

    for (uint32_t i = 0; i < workload->output_count && status == FGPU_OK; i++)
        status = outputs_add(targets, outputs->paths[i], false, why, why_bytes);
    for (uint32_t i = 0; i < OUTPUTS_OTHERS && status == FGPU_OK; i++)
        if (others[i].path)
            status = outputs_add(targets, others[i].path, others[i].is_input, why, why_bytes);
    for (uint32_t i = 0; i < workload->buffer_count && status == FGPU_OK; i++)
        if (workload->buffers[i].path)
            status = outputs_add(targets, workload->buffers[i].path, true, why, why_bytes);
    for (uint32_t i = 0; i < workload->kernel_count && status == FGPU_OK; i++)
        if (workload->kernels[i].path)
            status = outputs_add(targets, workload->kernels[i].path, true, why, why_bytes);
    return status;
}

static fgpu_status outputs_check(const struct outputs *outputs, const struct outputs_other *others,
                                 char *why, size_t why_bytes)
{
    const struct workload *workload = outputs->workload;
    struct outputs_targets targets = {0};

    targets.list = calloc((size_t)workload->output_count + workload->buffer_count +
                              workload->kernel_count + OUTPUTS_OTHERS,
                          sizeof *targets.list);
    if (!targets.list)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory for a table of %u outputs",
                        workload->output_count);
    fgpu_status status = outputs_collect(outputs, others, &targets, why, why_bytes);
    qsort(targets.list, targets.count, sizeof *targets.list, outputs_compare);
    if (status == FGPU_OK)
        status = outputs_check_twice(&targets, why, why_bytes);
    if (status == FGPU_OK)
        status = outputs_try_folders(&targets, why, why_bytes);
    for (uint32_t i = 0; i < targets.count; i++)
        free(targets.list[i].real);
    free(targets.list);
    return status;
}

/* ---- their names */

static fgpu_status outputs_form(const struct workload_buffer *buffer, struct npy_form *form,
                                char *why, size_t why_bytes)
{
    static const enum npy_dtype types[ELEMENT_TYPES] = {
        [ELEMENT_INT8] = NPY_i1,    [ELEMENT_UINT8] = NPY_u1,  [ELEMENT_INT16] = NPY_i2,
        [ELEMENT_UINT16] = NPY_u2,  [ELEMENT_INT32] = NPY_i4,  [ELEMENT_UINT32] = NPY_u4,
        [ELEMENT_INT64] = NPY_i8,   [ELEMENT_UINT64] = NPY_u8, [ELEMENT_FLOAT32] = NPY_f4,
        [ELEMENT_FLOAT64] = NPY_f8,
    };

    return npy_form_init(form, types[buffer->type], buffer->dims, buffer->shape, why, why_bytes);
}

static fgpu_status outputs_name(struct outputs *outputs, uint32_t number, const char *folder,
                                char *why, size_t why_bytes)
{
    const struct workload_output *output = &outputs->workload->outputs[number];
    char reason[CLI_WHY_BYTES];
    struct npy_form form;

    bool is_plain = !folder || output->path[0] == '/';
    if (asprintf(&outputs->paths[number], "%s%s%s", is_plain ? "" : folder, is_plain ? "" : "/",
                 output->path) < 0) {
        outputs->paths[number] = NULL;
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory for a table of outputs");
    }
    if (output->format != WORKLOAD_TO_NPY)
        return FGPU_OK;
    fgpu_status status =
        outputs_form(&outputs->workload->buffers[output->buffer], &form, reason, sizeof reason);
    if (status == FGPU_OK)
        return FGPU_OK;
    return why_fail(status, why, why_bytes, "%s: %s", output->path, reason);
}

fgpu_status outputs_init(struct outputs *outputs, const struct workload *workload,
                         const char *folder, const struct outputs_other *others, char *why,
                         size_t why_bytes)
{
    fgpu_status status = FGPU_OK;

    *outputs = (struct outputs){.workload = workload};
    outputs->paths = calloc((size_t)workload->output_count + 1, sizeof *outputs->paths);
    if (!outputs->paths)
        status = why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory for a table of outputs");
    for (uint32_t i = 0; i < workload->output_count && status == FGPU_OK; i++)
        status = outputs_name(outputs, i, folder, why, why_bytes);
    if (status == FGPU_OK)
        status = outputs_check(outputs, others, why, why_bytes);
    if (status != FGPU_OK)
        outputs_fini(outputs);
    return status;
}

void outputs_fini(struct outputs *outputs)
{
    if (!outputs || !outputs->workload)
        return;
    for (uint32_t i = 0; outputs->paths && i < outputs->workload->output_count; i++)
        free(outputs->paths[i]);
    free(outputs->paths);
    *outputs = (struct outputs){0};
}

/* ---- writing */

fgpu_status outputs_picture(const struct workload_buffer *buffer, const unsigned char *memory,
                            struct image *image, char *why, size_t why_bytes)
{
    fgpu_status status = image_init(image, (uint32_t)buffer->shape[1], (uint32_t)buffer->shape[0],
                                    (uint32_t)buffer->shape[2], why, why_bytes);

    if (status == FGPU_OK)
        workload_data_pack(buffer, memory, image->pixels);
    return status;
}

static fgpu_status outputs_write_image(const char *path, const struct workload_buffer *buffer,
                                       const unsigned char *memory, char *why, size_t why_bytes)
{
    struct image image;

    fgpu_status status = outputs_picture(buffer, memory, &image, why, why_bytes);
    if (status == FGPU_OK)
        status = image_save(path, &image, why, why_bytes);
    image_fini(&image);
    return status;
}

fgpu_status outputs_write(const struct outputs *outputs, uint32_t number,
                          const unsigned char *memory, char *why, size_t why_bytes)
{
    const struct workload_output *output = &outputs->workload->outputs[number];
    const struct workload_buffer *buffer = &outputs->workload->buffers[output->buffer];
    const char *path = outputs->paths[number];
    uint64_t bytes = workload_data_rows(buffer) * workload_data_row_bytes(buffer);
    unsigned char *packed = NULL;
    struct npy_form form;
    fgpu_status status;

    if (output->format == WORKLOAD_TO_IMAGE)
        return outputs_write_image(path, buffer, memory, why, why_bytes);
    if (bytes != buffer->size_bytes) { /* there is something between rows */
        packed = malloc(bytes);
        if (!packed)
            return why_fail(FGPU_E_NOMEM, why, why_bytes, "%s: no memory for a copy of %s", path,
                            buffer->name);
        workload_data_pack(buffer, memory, packed);
        memory = packed;
    }
    if (output->format == WORKLOAD_TO_RAW)
        status = file_replace(path, memory, bytes, why, why_bytes);
    else if ((status = outputs_form(buffer, &form, why, why_bytes)) == FGPU_OK)
        status = npy_save(path, &form, memory, why, why_bytes);
    free(packed);
    return status;
}
