/* A task with a built-in filter: the user names pictures and figures, the rest follows from them.
 *
 * "dst" may be a band of rows (a tile); what is read of the sources follows from it, as do grid and
 * group. The kernel's own arguments (places, pitches, shape) are those of filter_fill_task(). */
#include "workload_reader.h"

#include <stdio.h>
#include <string.h>

#define FILTER_KEYS 6
#define FILTER_EMBOSS_WEIGHTS 11
#define FILTER_MIX_WEIGHTS 81

/* What a task is being made of. */
struct filter_reader {
    struct workload_reader *reader;
    const struct filter *filter;
    const cJSON *args;
    struct filter_picture from[2], to;
    struct filter_tile tile;
};

static const char *const filter_sources[2] = {"src", "blurred"};

/* The number of a picture buffer that the value names. */
static bool filter_find_picture(struct workload_reader *reader, const cJSON *value,
                                uint32_t element_bytes, struct filter_picture *picture)
{
    char name[WORKLOAD_NAME_BYTES];

    if (!reader_text(reader, value, name, sizeof name))
        return false;
    uint32_t number = reader_find_name(&reader->buffer_names, name);
    if (number == READER_NONE)
        return reader_fail_unknown(reader, value, "buffer", &reader->buffer_names);
    const struct workload_buffer *buffer = &reader->out->buffers[number];
    const struct element *element = &elements[buffer->type];
    const char *wanted = element_bytes == 1 ? "uint8" : element_bytes == 2 ? "uint16" : "float32";
    if (!buffer->is_picture)
        return reader_fail(reader, value,
                           "a filter wants a picture: a buffer with \"image\", "
                           "\"picture\", or \"like\" one of these");
    if (strcmp(element->name, wanted) != 0)
        return reader_fail(reader, value,
                           "the filter wants a picture of %s here; this one is of "
                           "%s",
                           wanted, element->name);
    if (buffer->pitch % FILTER_GROUP != 0 || buffer->pitch > INT32_MAX)
        return reader_fail(reader, value,
                           "its pitch is %llu; filters want a multiple of %d, which "
                           "it is where none is given",
                           (unsigned long long)buffer->pitch, FILTER_GROUP);
    *picture = (struct filter_picture){.buffer = number,
                                       .width = (uint32_t)buffer->shape[1],
                                       .height = (uint32_t)buffer->shape[0],
                                       .channels = (uint32_t)buffer->shape[2],
                                       .element_bytes = element_bytes,
                                       .pitch = (uint32_t)buffer->pitch};
    return true;
}

/* Enters args.KEY; NULL, with the mistake on the list and the path as it was, where it is missing.
 */
static const cJSON *filter_enter(struct filter_reader *in, const char *key, const char *right,
                                 size_t *level)
{
    const cJSON *value = reader_need(in->reader, in->args, key, right);

    *level = in->reader->path.length;
    if (value)
        *level = json_path_enter_key(&in->reader->path, key);
    return value;
}

static bool filter_read_source(struct filter_reader *in, uint32_t index)
{
    struct workload_reader *reader = in->reader;
    struct filter_picture *picture = &in->from[index];
    size_t level;
    const cJSON *value = filter_enter(in, filter_sources[index], "a picture that is read", &level);

    if (!value)
        return false;
    bool is_good = filter_find_picture(reader, value, in->filter->src_bytes, picture);
    const struct filter_picture *first = &in->from[0];
    if (is_good && index > 0 &&
        (picture->width != first->width || picture->height != first->height ||
         picture->channels != first->channels || picture->pitch != first->pitch))
        is_good = reader_fail(reader, value,
                              "it is %u x %u x %u, \"src\" is %u x %u x %u; both "
                              "must be alike",
                              picture->width, picture->height, picture->channels, first->width,
                              first->height, first->channels);
    if (is_good && in->filter->dst_channels == 3 && picture->channels != 3)
        is_good = reader_fail(reader, value, "it has %u channels; this filter wants 3",
                              picture->channels);
    json_path_leave(&reader->path, level);
    return is_good;
}

/* "dst": a picture, or {"buffer": a picture, "rows": [begin, end]}. */
static bool filter_read_target(struct filter_reader *in, const cJSON *value)
{
    static const char *const keys[] = {"buffer", "rows", NULL};
    struct workload_reader *reader = in->reader;
    const cJSON *name = value, *rows = NULL;
    uint64_t span[2];
    bool is_good = true;

    if (cJSON_IsObject(value)) {
        if (!reader_keys(reader, value, keys))
            return false;
        name = reader_need(reader, value, "buffer", "the name of a picture");
        rows = reader_get(value, "rows");
    }
    if (!name || !filter_find_picture(reader, name, in->filter->dst_bytes, &in->to))
        return false;
    span[0] = 0;
    span[1] = in->to.height;
    if (rows) {
        size_t level = json_path_enter_key(&reader->path, "rows");
        is_good = reader_span(reader, rows, in->to.height, span);
        json_path_leave(&reader->path, level);
    }
    in->tile.row_begin = (uint32_t)span[0];
    in->tile.row_end = (uint32_t)span[1];
    uint32_t channels = in->filter->dst_channels ? in->filter->dst_channels : in->from[0].channels;
    if (is_good && (in->to.width != in->from[0].width || in->to.height != in->from[0].height ||
                    in->to.channels != channels))
        return reader_fail(reader, value,
                           "it is %u x %u x %u; want %u x %u x %u (width, height, "
                           "channels)",
                           in->to.width, in->to.height, in->to.channels, in->from[0].width,
                           in->from[0].height, channels);
    for (uint32_t i = 0; i < in->filter->src_count && is_good; i++)
        if (in->from[i].buffer == in->to.buffer)
            is_good = reader_fail(reader, value, "a filter cannot write the picture that it reads");
    return is_good;
}

static bool filter_read_weights(struct filter_reader *in, const cJSON *value)
{
    struct workload_reader *reader = in->reader;
    bool is_blur = in->filter->halo != FILTER_HALO_ONE;
    bool is_mix = strcmp(in->filter->name, "conv3x3x3") == 0;
    char name[WORKLOAD_NAME_BYTES];

    if (!reader_text(reader, value, name, sizeof name))
        return false;
    in->tile.weights = reader_find_name(&reader->buffer_names, name);
    if (in->tile.weights == READER_NONE)
        return reader_fail_unknown(reader, value, "buffer", &reader->buffer_names);
    const struct workload_buffer *buffer = &reader->out->buffers[in->tile.weights];
    enum element_type type = is_mix ? ELEMENT_FLOAT32 : ELEMENT_INT32;
    uint64_t count = buffer->size_bytes / elements[buffer->type].size_bytes;
    uint64_t most = 2 * FILTER_RADIUS_LIMIT + 1;
    uint64_t wanted = is_mix ? FILTER_MIX_WEIGHTS : FILTER_EMBOSS_WEIGHTS;
    in->tile.option = is_blur ? (int32_t)(count / 2) : 0;
    if (buffer->type == type && (is_blur ? count % 2 == 1 && count <= most : count == wanted))
        return true;
    if (is_blur)
        return reader_fail(reader, value,
                           "it has %llu of %s; a blur wants an odd number of int32, "
                           "at most %llu",
                           (unsigned long long)count, elements[buffer->type].name,
                           (unsigned long long)most);
    return reader_fail(reader, value, "it has %llu of %s; this filter wants %llu of %s",
                       (unsigned long long)count, elements[buffer->type].name,
                       (unsigned long long)wanted, elements[type].name);
}

/* The one figure that some filters take: an amount (in 1/256) or a scale. */
static bool filter_read_figure(struct filter_reader *in, const cJSON *value)
{
    struct workload_reader *reader = in->reader;
    enum element_type type = in->filter->has_scale ? ELEMENT_FLOAT32 : ELEMENT_INT16;
    double number = 0.0;

    if (!reader_number(reader, value, &number))
        return false;
    if (!element_fits(type, number))
        return reader_fail(reader, value, "%.10g is no %s", number, elements[type].name);
    if (in->filter->has_scale)
        in->tile.scale = (float)number;
    else
        in->tile.option = (int32_t)number;
    return true;
}

static bool filter_read_member(struct filter_reader *in, const char *key, const char *right,
                               bool (*read)(struct filter_reader *in, const cJSON *value))
{
    size_t level;
    const cJSON *value = filter_enter(in, key, right, &level);
    bool is_good = value && read(in, value);

    json_path_leave(&in->reader->path, level);
    return is_good;
}

static bool filter_read_args(struct filter_reader *in)
{
    const struct filter *filter = in->filter;
    const char *keys[FILTER_KEYS] = {0};
    uint32_t count = 0;
    bool is_sharpen = filter->src_count == 2;

    for (uint32_t i = 0; i < filter->src_count; i++)
        keys[count++] = filter_sources[i];
    keys[count++] = "dst";
    if (filter->has_weights)
        keys[count++] = "weights";
    if (is_sharpen)
        keys[count++] = "amount";
    if (filter->has_scale)
        keys[count++] = "scale";
    if (!reader_keys(in->reader, in->args, keys))
        return false;
    for (uint32_t i = 0; i < filter->src_count; i++)
        if (!filter_read_source(in, i))
            return false;
    return filter_read_member(in, "dst", "a picture that is written", filter_read_target) &&
           (!filter->has_weights ||
            filter_read_member(in, "weights", "a buffer of weights", filter_read_weights)) &&
           (!is_sharpen ||
            filter_read_member(in, "amount", "how much, in 1/256", filter_read_figure)) &&
           (!filter->has_scale ||
            filter_read_member(in, "scale", "what samples are multiplied by", filter_read_figure));
}

/* The plan's task as that of a workload. */
static bool filter_take_task(struct workload_reader *reader, const struct workload_kernel *kernel,
                             const struct plan_task *plan, struct workload_task *task)
{
    task->dims = 2;
    for (uint32_t i = 0; i < 2; i++) {
        task->global[i] = plan->global[i];
        task->local[i] = plan->local[i];
    }
    for (uint32_t i = 0; i < kernel->param_count; i++) {
        const struct workload_param *param = &kernel->params[i];
        struct workload_arg arg = {.kind = param->kind, .access = param->access};
        if (param->kind == FGPU_ARG_BUFFER) {
            arg.buffer = plan->args[i].buffer;
            arg.region = plan->args[i].region;
        } else {
            arg.size_bytes = (uint64_t)elements[param->type].size_bytes * param->lanes;
            arg.value = reader_keep(reader, plan->args[i].value, arg.size_bytes);
            if (!arg.value)
                return false;
        }
        if (!reader_add_arg(reader, task, &arg))
            return false;
    }
    return true;
}

bool reader_read_filter_task(struct workload_reader *reader, const cJSON *entry,
                             struct workload_task *task)
{
    const struct workload_kernel *kernel = &reader->out->kernels[task->kernel];
    struct plan_task plan = {0};

    if (reader_get(entry, "grid") || reader_get(entry, "local"))
        return reader_fail(reader, entry,
                           "a filter's grid follows from its pictures; leave out "
                           "\"grid\" and \"local\"");
    const cJSON *args = reader_need(reader, entry, "args", "the filter's pictures");
    if (!args)
        return false;
    struct filter_reader in = {.reader = reader, .filter = kernel->filter, .args = args};
    size_t level = json_path_enter_key(&reader->path, "args");
    bool is_good = filter_read_args(&in);
    json_path_leave(&reader->path, level);
    if (!is_good)
        return false;
    in.tile.filter = kernel->filter;
    in.tile.from = in.from;
    in.tile.to = &in.to;
    filter_fill_task(&in.tile, &plan);
    return filter_take_task(reader, kernel, &plan, task);
}
