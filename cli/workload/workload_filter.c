/* A task with a built-in filter: the user names pictures and figures, the rest follows from them.
 *
 * "dst" may be a band of rows (a tile); what is read of the sources follows from it, as do grid and
 * group. A histogram is of a band of "src". The kernel's own arguments (places, pitches, shape) are
 * those of the filter_fill_...() functions. */
#include "cli/workload/workload_reader.h"

#include <stdio.h>
#include <string.h>

#define FILTER_KEYS 6
#define FILTER_WINDOW_COUNT 11
#define FILTER_MIX_COUNT 81

/* What a task is being made of. */
struct filter_reader {
    struct workload_reader *reader;
    const struct filter *filter;
    const cJSON *args;
    struct filter_picture from[2], to;
    struct filter_table from_table, to_table; /* of tables of counts or values */
    uint32_t table_count;                     /* in from_table */
    uint32_t channels;                        /* of a table that is written */
    struct filter_tile tile;                  /* a histogram: its rows are those of the source */
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

/* A picture, or {"buffer": a picture, "rows": [begin, end]}; the rows are those of the tile. */
static bool filter_read_band(struct filter_reader *in, const cJSON *value, uint32_t element_bytes,
                             struct filter_picture *picture)
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
    if (!name || !filter_find_picture(reader, name, element_bytes, picture))
        return false;
    span[0] = 0;
    span[1] = picture->height;
    if (rows) {
        size_t level = json_path_enter_key(&reader->path, "rows");
        is_good = reader_span(reader, rows, picture->height, span);
        json_path_leave(&reader->path, level);
    }
    in->tile.row_begin = (uint32_t)span[0];
    in->tile.row_end = (uint32_t)span[1];
    return is_good;
}

static bool filter_read_target(struct filter_reader *in, const cJSON *value)
{
    struct workload_reader *reader = in->reader;
    const struct filter_picture *from = &in->from[0], *to = &in->to;
    uint32_t by = in->filter->form == FILTER_HALF ? 2 : 1;
    uint32_t width = (from->width + by - 1) / by, height = (from->height + by - 1) / by;
    uint32_t channels = in->filter->dst_channels ? in->filter->dst_channels : from->channels;
    bool is_good = filter_read_band(in, value, in->filter->dst_bytes, &in->to);

    if (is_good && (to->width != width || to->height != height || to->channels != channels))
        return reader_fail(reader, value,
                           "it is %u x %u x %u; want %u x %u x %u (width, height, "
                           "channels)",
                           to->width, to->height, to->channels, width, height, channels);
    for (uint32_t i = 0; i < in->filter->src_count && is_good; i++)
        if (in->from[i].buffer == in->to.buffer)
            is_good = reader_fail(reader, value, "a filter cannot write the picture that it reads");
    return is_good;
}

/* Tables of `unit` elements each, one behind the other: a buffer or a part of it. */
static bool filter_read_tables(struct filter_reader *in, const cJSON *value, enum element_type type,
                               uint64_t unit, struct filter_table *table, uint64_t *count)
{
    struct workload_reader *reader = in->reader;
    struct workload_arg arg = {0};

    if (!reader_buffer_arg(reader, value, &arg))
        return false;
    const struct workload_buffer *buffer = &reader->out->buffers[arg.buffer];
    uint64_t element = elements[buffer->type].size_bytes, row = buffer->shape[0];
    uint64_t bytes = arg.region.row_bytes ? arg.region.row_bytes : buffer->size_bytes;
    for (uint32_t i = 1; i < buffer->dims; i++)
        row = i == 1 ? buffer->shape[1] : row * buffer->shape[i];
    if (buffer->pitch != row || arg.region.rows > 1)
        return reader_fail(reader, value, "want a table without gaps between its rows");
    if (buffer->type != type || bytes % (unit * element) != 0)
        return reader_fail(reader, value, "it has %llu of %s; want %llu of %s, or a multiple",
                           (unsigned long long)(bytes / element), elements[buffer->type].name,
                           (unsigned long long)unit, elements[type].name);
    *table = (struct filter_table){arg.buffer, arg.region};
    *count = bytes / (unit * element);
    return true;
}

/* "src" of a histogram: a band. */
static bool filter_read_counted(struct filter_reader *in, const cJSON *value)
{
    return filter_read_band(in, value, in->filter->src_bytes, &in->from[0]);
}

/* "dst" of a histogram. */
static bool filter_read_counts(struct filter_reader *in, const cJSON *value)
{
    uint32_t channels = in->from[0].channels;
    uint64_t count = 0;

    return filter_read_tables(in, value, ELEMENT_UINT32, (uint64_t)FILTER_VALUES * channels,
                              &in->to_table, &count) &&
           (count == 1 || reader_fail(in->reader, value,
                                      "it has room for %llu histograms of %u channels; want one",
                                      (unsigned long long)count, channels));
}

/* "dst" of an equaliser: a table for each channel. */
static bool filter_read_equaliser(struct filter_reader *in, const cJSON *value)
{
    uint64_t count = 0;

    if (!filter_read_tables(in, value, ELEMENT_UINT8, FILTER_VALUES, &in->to_table, &count))
        return false;
    in->channels = (uint32_t)count;
    return count == 1 || count == 3 || count == 4 ||
           reader_fail(in->reader, value,
                       "it has %llu tables; want one for each of 1, 3 or 4 "
                       "channels",
                       (unsigned long long)count);
}

/* "src" of an equaliser: histograms. */
static bool filter_read_histograms(struct filter_reader *in, const cJSON *value)
{
    uint64_t count = 0;
    bool is_good = filter_read_tables(
        in, value, ELEMENT_UINT32, (uint64_t)FILTER_VALUES * in->channels, &in->from_table, &count);

    in->table_count = (uint32_t)count;
    return is_good && (count <= INT32_MAX || reader_fail(in->reader, value, "too many histograms"));
}

/* "table" of a lookup. */
static bool filter_read_lookup(struct filter_reader *in, const cJSON *value)
{
    uint32_t channels = in->from[0].channels;
    uint64_t count = 0;

    if (!filter_read_tables(in, value, ELEMENT_UINT8, FILTER_VALUES, &in->from_table, &count))
        return false;
    if (count != 1 && count != channels)
        return reader_fail(in->reader, value,
                           "it has %llu tables of 256; want one, or one for each of the %u "
                           "channels",
                           (unsigned long long)count, channels);
    in->tile.weights = in->from_table.buffer;
    in->tile.option = count > 1;
    return in->tile.weights != in->to.buffer ||
           reader_fail(in->reader, value, "a filter cannot write the table that it reads");
}

/* N of N x N weights, or 0. */
static uint64_t filter_square_root(uint64_t count)
{
    uint64_t root = 1;

    while (root * root < count && root <= 2 * FILTER_SQUARE_RADIUS_LIMIT + 1)
        root++;
    return root * root == count ? root : 0;
}

static bool filter_read_blur_weights(struct filter_reader *in, const cJSON *value,
                                     const struct workload_buffer *buffer, uint64_t count)
{
    bool is_square = in->filter->weights == FILTER_SQUARE_WEIGHTS;
    uint64_t most = 2 * (is_square ? FILTER_SQUARE_RADIUS_LIMIT : FILTER_RADIUS_LIMIT) + 1;
    uint64_t size = is_square ? filter_square_root(count) : count;

    in->tile.option = (int32_t)(size / 2);
    if (buffer->type == ELEMENT_INT32 && size % 2 == 1 && size <= most)
        return true;
    if (is_square)
        return reader_fail(in->reader, value,
                           "it has %llu of %s; this blur wants N x N of int32, N odd and at most "
                           "%llu",
                           (unsigned long long)count, elements[buffer->type].name,
                           (unsigned long long)most);
    return reader_fail(
        in->reader, value, "it has %llu of %s; a blur wants an odd number of int32, at most %llu",
        (unsigned long long)count, elements[buffer->type].name, (unsigned long long)most);
}

static bool filter_read_weights(struct filter_reader *in, const cJSON *value)
{
    struct workload_reader *reader = in->reader;
    char name[WORKLOAD_NAME_BYTES];

    if (!reader_text(reader, value, name, sizeof name))
        return false;
    in->tile.weights = reader_find_name(&reader->buffer_names, name);
    if (in->tile.weights == READER_NONE)
        return reader_fail_unknown(reader, value, "buffer", &reader->buffer_names);
    const struct workload_buffer *buffer = &reader->out->buffers[in->tile.weights];
    uint64_t count = buffer->size_bytes / elements[buffer->type].size_bytes;
    if (in->filter->weights == FILTER_LINE_WEIGHTS || in->filter->weights == FILTER_SQUARE_WEIGHTS)
        return filter_read_blur_weights(in, value, buffer, count);
    bool is_mix = in->filter->weights == FILTER_MIX_WEIGHTS;
    enum element_type type = is_mix ? ELEMENT_FLOAT32 : ELEMENT_INT32;
    uint64_t wanted = is_mix ? FILTER_MIX_COUNT : FILTER_WINDOW_COUNT;
    if (buffer->type == type && count == wanted)
        return true;
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

/* The arguments of a histogram or an equaliser. */
static bool filter_read_table_args(struct filter_reader *in)
{
    static const char *const keys[] = {"src", "dst", NULL};

    if (!reader_keys(in->reader, in->args, keys))
        return false;
    if (in->filter->form == FILTER_HISTOGRAM)
        return filter_read_member(in, "src", "a picture that is read", filter_read_counted) &&
               filter_read_member(in, "dst", "a table of 256 counts", filter_read_counts);
    return filter_read_member(in, "dst", "a table of 256 values", filter_read_equaliser) &&
           filter_read_member(in, "src", "histograms", filter_read_histograms);
}

static bool filter_read_args(struct filter_reader *in)
{
    const struct filter *filter = in->filter;
    const char *keys[FILTER_KEYS] = {0};
    uint32_t count = 0;
    bool is_sharpen = filter->src_count == 2, is_lookup = filter->weights == FILTER_VALUE_TABLE;
    bool has_weights = filter->weights != FILTER_NO_WEIGHTS && !is_lookup;

    for (uint32_t i = 0; i < filter->src_count && i < 2; i++)
        keys[count++] = filter_sources[i];
    keys[count++] = "dst";
    if (filter->weights != FILTER_NO_WEIGHTS)
        keys[count++] = is_lookup ? "table" : "weights";
    if (is_sharpen)
        keys[count++] = "amount";
    if (filter->has_scale)
        keys[count++] = "scale";
    if (!reader_keys(in->reader, in->args, keys))
        return false;
    for (uint32_t i = 0; i < filter->src_count && i < 2; i++)
        if (!filter_read_source(in, i))
            return false;
    return filter_read_member(in, "dst", "a picture that is written", filter_read_target) &&
           (!has_weights ||
            filter_read_member(in, "weights", "a buffer of weights", filter_read_weights)) &&
           (!is_lookup || filter_read_member(in, "table", "256 values", filter_read_lookup)) &&
           (!is_sharpen ||
            filter_read_member(in, "amount", "how much, in 1/256", filter_read_figure)) &&
           (!filter->has_scale ||
            filter_read_member(in, "scale", "what samples are multiplied by", filter_read_figure));
}

static void filter_fill(const struct filter_reader *in, struct filter_launch *launch)
{
    if (in->filter->form == FILTER_HISTOGRAM) {
        filter_fill_histogram(in->from, in->tile.row_begin, in->tile.row_end, &in->to_table,
                              launch);
        return;
    }
    if (in->filter->form == FILTER_EQUALISER) {
        filter_fill_equaliser(&in->from_table, in->table_count, in->channels, &in->to_table,
                              launch);
        return;
    }
    filter_fill_tile(&in->tile, launch);
    if (in->filter->weights == FILTER_VALUE_TABLE)
        launch->args[2].region = in->from_table.region;
}

/* A launch as a workload's task. */
static bool filter_take_launch(struct workload_reader *reader, const struct workload_kernel *kernel,
                               const struct filter_launch *launch, struct workload_task *task)
{
    task->dims = 2;
    for (uint32_t i = 0; i < 2; i++) {
        task->global[i] = launch->global[i];
        task->local[i] = launch->local[i];
    }
    for (uint32_t i = 0; i < kernel->param_count; i++) {
        const struct workload_param *param = &kernel->params[i];
        struct workload_arg arg = {.kind = param->kind, .access = param->access};
        if (param->kind == FGPU_ARG_BUFFER) {
            arg.buffer = launch->args[i].buffer;
            arg.region = launch->args[i].region;
        } else {
            arg.size_bytes = (uint64_t)elements[param->type].size_bytes * param->lanes;
            arg.value = reader_keep(reader, launch->args[i].value, arg.size_bytes);
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
    struct filter_launch launch = {0};

    if (reader_get(entry, "grid") || reader_get(entry, "local"))
        return reader_fail(reader, entry,
                           "a filter's grid follows from its pictures; leave out "
                           "\"grid\" and \"local\"");
    const cJSON *args = reader_need(reader, entry, "args", "the filter's pictures");
    if (!args)
        return false;
    struct filter_reader in = {.reader = reader, .filter = kernel->filter, .args = args};
    size_t level = json_path_enter_key(&reader->path, "args");
    bool is_tables = in.filter->form == FILTER_HISTOGRAM || in.filter->form == FILTER_EQUALISER;
    bool is_good = is_tables ? filter_read_table_args(&in) : filter_read_args(&in);
    json_path_leave(&reader->path, level);
    if (!is_good)
        return false;
    in.tile.filter = kernel->filter;
    in.tile.from = in.from;
    in.tile.to = &in.to;
    filter_fill(&in, &launch);
    return filter_take_launch(reader, kernel, &launch, task);
}
