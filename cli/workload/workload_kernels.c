/* $.kernels: a file of OpenCL C with its declared arguments, or a built-in filter. */
#include "cli/workload/workload_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/nearest.h"

struct kernel_way {
    const char *key; /* what the name of the argument stands behind */
    fgpu_arg_kind kind;
    fgpu_access access;
};

static const struct kernel_way kernel_ways[] = {
    {"read", FGPU_ARG_BUFFER, FGPU_READ},
    {"write", FGPU_ARG_BUFFER, FGPU_WRITE},
    {"read-write", FGPU_ARG_BUFFER, FGPU_READ_WRITE},
    {"buffer", FGPU_ARG_BUFFER, FGPU_ACCESS_DEFAULT},
    {"scalar", FGPU_ARG_SCALAR, FGPU_ACCESS_DEFAULT},
    {"local", FGPU_ARG_LOCAL, FGPU_ACCESS_DEFAULT},
};

#define KERNEL_WAYS (sizeof kernel_ways / sizeof kernel_ways[0])

/* "int32x4": a type, and how many of it a vector has. */
static bool kernel_read_scalar_type(struct workload_reader *reader, const cJSON *value,
                                    struct workload_param *param)
{
    char text[WORKLOAD_NAME_BYTES];

    param->lanes = 1;
    if (!reader_text(reader, value, text, sizeof text))
        return false;
    char *times = strrchr(text, 'x');
    if (times && times[1] >= '0' && times[1] <= '9') {
        char *end;
        unsigned long lanes = strtoul(times + 1, &end, 10);
        if (*end || (lanes != 2 && lanes != 4 && lanes != 8 && lanes != 16))
            return reader_fail(reader, value,
                               "a vector has 2, 4, 8 or 16 elements (a float3 of "
                               "OpenCL is passed as 4)");
        param->lanes = (uint32_t)lanes;
        *times = '\0';
    }
    param->type = element_find(text);
    return param->type != ELEMENT_TYPES || reader_type(reader, value, &param->type);
}

/* One entry of "args": {"read": "src"}, {"scalar": "n", "type": "int32"}. */
static bool kernel_read_param(struct workload_reader *reader, const cJSON *entry,
                              struct workload_param *param)
{
    static const char *const keys[] = {"read",   "write", "read-write", "buffer",
                                       "scalar", "local", "type",       NULL};
    const struct kernel_way *way = NULL;

    if (!reader_keys(reader, entry, keys))
        return false;
    for (uint32_t i = 0; i < KERNEL_WAYS; i++) {
        if (!reader_get(entry, kernel_ways[i].key))
            continue;
        if (way)
            return reader_fail(reader, entry, "\"%s\" and \"%s\" exclude each other", way->key,
                               kernel_ways[i].key);
        way = &kernel_ways[i];
    }
    if (!way)
        return reader_fail(reader, entry,
                           "want its name behind one of read, write, read-write, "
                           "buffer, scalar or local");
    param->kind = way->kind;
    param->access = way->access;
    size_t level = json_path_enter_key(&reader->path, way->key);
    const cJSON *name = reader_get(entry, way->key);
    bool is_good = reader_text(reader, name, param->name, sizeof param->name) &&
                   reader_check_name(reader, name, param->name);
    json_path_leave(&reader->path, level);
    if (!is_good)
        return false;
    const cJSON *type = reader_get(entry, "type");
    if (way->kind != FGPU_ARG_SCALAR)
        return !type || reader_fail(reader, entry, "scalars alone have a type here");
    if (!reader_need(reader, entry, "type", "that of the scalar (\"int32\", \"float32x4\")"))
        return false;
    level = json_path_enter_key(&reader->path, "type");
    is_good = kernel_read_scalar_type(reader, type, param);
    json_path_leave(&reader->path, level);
    return is_good;
}

static bool kernel_read_params(struct workload_reader *reader, const cJSON *args,
                               struct workload_kernel *kernel)
{
    struct workload_param params[CLI_WORKLOAD_ARGS_LIMIT] = {0};
    const cJSON *entry;

    if (!cJSON_IsArray(args) || cJSON_GetArraySize(args) > CLI_WORKLOAD_ARGS_LIMIT)
        return reader_fail(reader, args,
                           "want a list of at most %d arguments, in the order of the "
                           "kernel's parameters",
                           CLI_WORKLOAD_ARGS_LIMIT);
    cJSON_ArrayForEach(entry, args)
    {
        struct workload_param *param = &params[kernel->param_count];
        size_t level = json_path_enter_item(&reader->path, kernel->param_count);
        bool is_good = kernel_read_param(reader, entry, param);
        for (uint32_t i = 0; i < kernel->param_count && is_good; i++)
            if (strcmp(params[i].name, param->name) == 0)
                is_good = reader_fail(reader, entry, "argument %u has the name \"%s\" already", i,
                                      param->name);
        json_path_leave(&reader->path, level);
        if (!is_good)
            return false;
        kernel->param_count++;
    }
    kernel->params = reader_keep(reader, params, kernel->param_count * sizeof params[0]);
    return kernel->params != NULL;
}

static bool kernel_read_file(struct workload_reader *reader, const cJSON *value,
                             struct workload_kernel *kernel)
{
    char *text = NULL, why[CLI_WHY_BYTES];

    kernel->path = reader_kept_text(reader, value, true);
    if (!kernel->path)
        return false;
    if (reader->files->text(kernel->path, &text, why, sizeof why) != FGPU_OK)
        return reader_fail(reader, value, "want a file of OpenCL C: %s", why);
    size_t bytes = strlen(text) + 1;
    reader->out->source_bytes += bytes;
    if (reader->out->source_bytes > CLI_WORKLOAD_SOURCES_BYTES_LIMIT) {
        free(text);
        return reader_fail(reader, value,
                           "the kernels' files are too large: 256 MiB in all are "
                           "possible");
    }
    kernel->source = reader_keep(reader, text, bytes);
    free(text);
    return kernel->source != NULL;
}

/* A member that is a text, or NULL where it is missing. */
static bool kernel_read_text(struct workload_reader *reader, const cJSON *entry, const char *key,
                             const char **text)
{
    const cJSON *value = reader_get(entry, key);

    if (!value)
        return true;
    size_t level = json_path_enter_key(&reader->path, key);
    *text = reader_kept_text(reader, value, false);
    json_path_leave(&reader->path, level);
    return *text != NULL;
}

static bool kernel_read_opencl(struct workload_reader *reader, const cJSON *entry,
                               struct workload_kernel *kernel)
{
    const cJSON *file = reader_get(entry, "file");
    const cJSON *args = reader_need(reader, entry, "args", "a list of the kernel's arguments");

    if (!args)
        return false;
    kernel->entry = reader_keep(reader, kernel->name, strlen(kernel->name) + 1);
    size_t level = json_path_enter_key(&reader->path, "file");
    bool is_good = kernel->entry && kernel_read_file(reader, file, kernel);
    json_path_leave(&reader->path, level);
    if (!is_good || !kernel_read_text(reader, entry, "entry", &kernel->entry) ||
        !kernel_read_text(reader, entry, "options", &kernel->options))
        return false;
    level = json_path_enter_key(&reader->path, "args");
    is_good = kernel_read_params(reader, args, kernel);
    json_path_leave(&reader->path, level);
    return is_good;
}

/* The parameters of a filter as fgpu_kernel_set_arg() wants them; what a task says of them is
 * another list (workload_filter.c). */
static bool kernel_set_filter_params(struct workload_reader *reader,
                                     const struct filter_kernel *described,
                                     struct workload_kernel *kernel)
{
    struct workload_param params[FILTER_PARAM_LIMIT] = {0};

    for (uint32_t i = 0; i < described->param_count; i++) {
        const struct filter_param *from = &described->params[i];
        bool is_place = from->size_bytes == 4 * sizeof(int32_t);
        params[i].kind = from->kind;
        params[i].access = from->access;
        params[i].type = is_place ? ELEMENT_INT32 : ELEMENT_FLOAT32;
        params[i].lanes = is_place ? 4 : 1;
    }
    kernel->param_count = described->param_count;
    kernel->params = reader_keep(reader, params, kernel->param_count * sizeof params[0]);
    kernel->source = described->text;
    kernel->entry = kernel->filter->name;
    kernel->native = described->native;
    return kernel->params != NULL;
}

static bool kernel_read_filter(struct workload_reader *reader, const cJSON *value,
                               struct workload_kernel *kernel)
{
    char name[WORKLOAD_NAME_BYTES];
    struct filter_kernel described;
    struct nearest nearest;

    if (!reader_text(reader, value, name, sizeof name))
        return false;
    kernel->filter = filter_find(name);
    if (kernel->filter && filter_describe(kernel->filter, &described))
        return kernel_set_filter_params(reader, &described, kernel);
    nearest_init(&nearest, name);
    for (uint32_t i = 0; i < filter_count; i++)
        nearest_try(&nearest, filters[i].name);
    const char *found = nearest_found(&nearest);
    return reader_fail(reader, value, "there is no such filter; %s \"%s\"",
                       found ? "the nearest is" : "one that there is is",
                       found ? found : filters[0].name);
}

bool reader_read_kernel(struct workload_reader *reader, const cJSON *entry, const char *key)
{
    static const char *const of_file[] = {"file", "entry", "options", "args", "repeat", NULL};
    static const char *const of_filter[] = {"filter", "repeat", NULL};
    static const char *const all[] = {"file", "filter", "entry", "options", "args", "repeat", NULL};
    struct workload *out = reader->out;
    struct workload_kernel kernel = {0};
    bool has_file = reader_get(entry, "file") != NULL;
    const cJSON *filter = reader_get(entry, "filter");

    if (out->kernel_count == CLI_WORKLOAD_KERNELS_LIMIT)
        return reader_fail(reader, entry, "at most %d kernels are possible",
                           CLI_WORKLOAD_KERNELS_LIMIT);
    if (!reader_keys(reader, entry, all) || !reader_key_name(reader, key, kernel.name))
        return false;
    if (has_file == (filter != NULL))
        return reader_fail(reader, entry, "want either \"file\" or \"filter\"");
    if (!reader_keys(reader, entry, has_file ? of_file : of_filter))
        return false;
    size_t level = reader->path.length;
    if (!has_file)
        level = json_path_enter_key(&reader->path, "filter");
    bool is_good = has_file ? kernel_read_opencl(reader, entry, &kernel)
                            : kernel_read_filter(reader, filter, &kernel);
    json_path_leave(&reader->path, level);
    struct workload_kernel *table =
        is_good ? reader_grow(reader, out->kernels, out->kernel_count, sizeof *table) : NULL;
    if (!table)
        return false;
    out->kernels = table;
    if (!reader_add_name(reader, &reader->kernel_names, kernel.name, out->kernel_count, "kernel"))
        return false;
    table[out->kernel_count++] = kernel;
    return true;
}
