/* $.buffers: the shape of each, and what is in it at the beginning. See docs/workload.md. */
#include "cli/workload/workload_reader.h"

#include <stdio.h>
#include <string.h>

#include "cli/common/weights.h"

/* Where the contents come from; at most one of these keys stands in a buffer. */
struct buffer_source {
    const char *key;
    bool (*read)(struct workload_reader *reader, const cJSON *value,
                 struct workload_buffer *buffer);
    bool has_shape; /* it says type and shape itself */
};

static const uint64_t buffer_shape_limits[2] = {1, CLI_WORKLOAD_BYTES_LIMIT};

static uint64_t buffer_row(const struct workload_buffer *buffer)
{
    uint64_t row = 1;

    for (uint32_t i = 1; i < buffer->dims; i++)
        row *= buffer->shape[i];
    return buffer->dims == 1 ? buffer->shape[0] : row;
}

static uint64_t buffer_rows(const struct workload_buffer *buffer)
{
    return buffer->dims == 1 ? 1 : buffer->shape[0];
}

static uint64_t buffer_data_bytes(const struct workload_buffer *buffer)
{
    return buffer_row(buffer) * buffer_rows(buffer) * elements[buffer->type].size_bytes;
}

/* Whether the shape stays below the limit; until that is known nothing is multiplied. */
static bool buffer_check_shape(struct workload_reader *reader, const cJSON *value,
                               const struct workload_buffer *buffer)
{
    uint64_t bytes = 8; /* of the largest type */

    for (uint32_t i = 0; i < buffer->dims; i++)
        if (__builtin_mul_overflow(bytes, buffer->shape[i], &bytes) ||
            bytes > CLI_WORKLOAD_BYTES_LIMIT)
            return reader_fail(reader, value,
                               "this shape has too many elements: 2^43 are possible");
    return true;
}

/* ---- shapes */

static bool buffer_set_picture(struct workload_reader *reader, const cJSON *value,
                               const uint64_t shape[3], struct workload_buffer *buffer)
{
    if (shape[0] > CLI_IMAGE_PIXELS_LIMIT / shape[1])
        return reader_fail(reader, value,
                           "a picture of %llu x %llu is too large: 64 Mi pixels are "
                           "possible",
                           (unsigned long long)shape[1], (unsigned long long)shape[0]);
    if (shape[2] != 1 && shape[2] != 3 && shape[2] != 4)
        return reader_fail(reader, value,
                           "%llu channels: 1 (grey), 3 (RGB) or 4 (RGBA) are "
                           "possible",
                           (unsigned long long)shape[2]);
    buffer->is_picture = true;
    buffer->dims = 3;
    memcpy(buffer->shape, shape, 3 * sizeof *shape);
    buffer->pitch = (buffer_row(buffer) + FILTER_GROUP - 1) / FILTER_GROUP * FILTER_GROUP;
    return true;
}

static bool buffer_read_picture(struct workload_reader *reader, const cJSON *value,
                                struct workload_buffer *buffer)
{
    static const char *const keys[] = {"width", "height", "channels", NULL};
    uint64_t shape[3] = {0, 0, 3};

    if (!reader_keys(reader, value, keys) ||
        !reader_need(reader, value, "width", "pixels in a row") ||
        !reader_need(reader, value, "height", "rows") ||
        !reader_whole_of(reader, value, "width", buffer_shape_limits, &shape[1]) ||
        !reader_whole_of(reader, value, "height", buffer_shape_limits, &shape[0]) ||
        !reader_whole_of(reader, value, "channels", (const uint64_t[2]){1, 4}, &shape[2]))
        return false;
    buffer->type = ELEMENT_UINT8;
    return buffer_set_picture(reader, value, shape, buffer);
}

static bool buffer_read_like(struct workload_reader *reader, const cJSON *value,
                             struct workload_buffer *buffer)
{
    char name[WORKLOAD_NAME_BYTES];

    if (!reader_text(reader, value, name, sizeof name))
        return false;
    uint32_t number = reader_find_name(&reader->buffer_names, name);
    if (number == READER_NONE && reader->out->mistake_count > 0)
        return false; /* it may be the one that has the mistake */
    if (number == READER_NONE)
        return reader_fail_unknown(reader, value, "buffer before this one called",
                                   &reader->buffer_names);
    const struct workload_buffer *like = &reader->out->buffers[number];
    buffer->type = like->type;
    buffer->dims = like->dims;
    buffer->is_picture = like->is_picture;
    buffer->pitch = like->pitch;
    memcpy(buffer->shape, like->shape, sizeof buffer->shape);
    return true;
}

static bool buffer_read_shape(struct workload_reader *reader, const cJSON *value,
                              struct workload_buffer *buffer)
{
    if (!reader_wholes(reader, value, WORKLOAD_DIMS, buffer_shape_limits, buffer->shape,
                       &buffer->dims) ||
        !buffer_check_shape(reader, value, buffer))
        return false;
    buffer->pitch = buffer_row(buffer);
    return true;
}

/* ---- contents */

static const char *buffer_read_path(struct workload_reader *reader, const cJSON *value,
                                    struct workload_buffer *buffer)
{
    buffer->path = reader_kept_text(reader, value, true);
    return buffer->path;
}

static bool buffer_read_image(struct workload_reader *reader, const cJSON *value,
                              struct workload_buffer *buffer)
{
    uint32_t width = 0, height = 0, channels = 0;
    char why[CLI_WHY_BYTES];

    if (!buffer_read_path(reader, value, buffer))
        return false;
    if (reader->files->image(buffer->path, &width, &height, &channels, why, sizeof why) != FGPU_OK)
        return reader_fail(reader, value, "want a PNG or JPEG picture: %s", why);
    buffer->content = WORKLOAD_IMAGE;
    buffer->type = ELEMENT_UINT8;
    return buffer_set_picture(reader, value, (const uint64_t[3]){height, width, channels}, buffer);
}

/* The element type of an array; ELEMENT_TYPES for float16, which buffers do not have. */
static enum element_type buffer_npy_type(enum npy_dtype dtype)
{
    static const enum element_type types[NPY_DTYPE_COUNT] = {
        [NPY_i1] = ELEMENT_INT8,    [NPY_u1] = ELEMENT_UINT8,   [NPY_i2] = ELEMENT_INT16,
        [NPY_u2] = ELEMENT_UINT16,  [NPY_i4] = ELEMENT_INT32,   [NPY_u4] = ELEMENT_UINT32,
        [NPY_i8] = ELEMENT_INT64,   [NPY_u8] = ELEMENT_UINT64,  [NPY_f2] = ELEMENT_TYPES,
        [NPY_f4] = ELEMENT_FLOAT32, [NPY_f8] = ELEMENT_FLOAT64,
    };

    return types[dtype];
}

static bool buffer_read_npy(struct workload_reader *reader, const cJSON *value,
                            struct workload_buffer *buffer)
{
    struct npy_form form;
    char why[CLI_WHY_BYTES];

    if (!buffer_read_path(reader, value, buffer))
        return false;
    if (reader->files->npy(buffer->path, &form, why, sizeof why) != FGPU_OK)
        return reader_fail(reader, value, "want a .npy file: %s", why);
    if (form.rank < 1 || form.rank > WORKLOAD_DIMS || form.count == 0)
        return reader_fail(reader, value,
                           "it has %u axes and %llu elements; want 1 to %d axes, none empty",
                           form.rank, (unsigned long long)form.count, WORKLOAD_DIMS);
    buffer->content = WORKLOAD_NPY;
    buffer->type = buffer_npy_type(form.dtype);
    if (buffer->type == ELEMENT_TYPES)
        return reader_fail(reader, value,
                           "its elements are float16, which buffers do not have; "
                           "save it as float32");
    buffer->dims = form.rank;
    memcpy(buffer->shape, form.shape, form.rank * sizeof form.shape[0]);
    if (!buffer_check_shape(reader, value, buffer))
        return false;
    buffer->pitch = buffer_row(buffer);
    return true;
}

static bool buffer_read_raw(struct workload_reader *reader, const cJSON *value,
                            struct workload_buffer *buffer)
{
    uint32_t element = elements[buffer->type].size_bytes;
    uint64_t bytes = 0;
    char why[CLI_WHY_BYTES];

    if (!buffer_read_path(reader, value, buffer))
        return false;
    if (reader->files->size(buffer->path, &bytes, why, sizeof why) != FGPU_OK)
        return reader_fail(reader, value, "want a file: %s: %s", buffer->path, why);
    buffer->content = WORKLOAD_RAW;
    if (buffer->dims == 0 && bytes > 0 && bytes % element == 0 &&
        bytes <= CLI_WORKLOAD_BYTES_LIMIT / 8) {
        buffer->dims = 1;
        buffer->shape[0] = buffer->pitch = bytes / element;
    }
    if (buffer->dims == 0)
        return reader_fail(reader, value,
                           "the file has %llu bytes, no whole number of %s (2^43 "
                           "bytes at most)",
                           (unsigned long long)bytes, elements[buffer->type].name);
    if (bytes != buffer_data_bytes(buffer))
        return reader_fail(reader, value, "the file has %llu bytes, the shape wants %llu",
                           (unsigned long long)bytes,
                           (unsigned long long)buffer_data_bytes(buffer));
    return true;
}

/* Writes the elements of a list, or one number, to kept memory. */
static bool buffer_keep_values(struct workload_reader *reader, const cJSON *value,
                               struct workload_buffer *buffer)
{
    uint32_t element = elements[buffer->type].size_bytes, index = 0;
    bool is_list = cJSON_IsArray(value), is_good = true;
    uint64_t count = is_list ? (uint64_t)cJSON_GetArraySize(value) : 1;

    buffer->values_bytes = count * element;
    reader->out->value_count += count;
    if (reader->out->value_count > CLI_WORKLOAD_VALUES_LIMIT)
        return reader_fail(reader, value,
                           "too many values are written out: 2^22 in all are "
                           "possible; a .npy file has no such limit");
    unsigned char *table = reader_keep(reader, NULL, buffer->values_bytes);
    if (!table)
        return false;
    buffer->values = table;
    for (const cJSON *item = is_list ? value->child : value; item && is_good;
         item = is_list ? item->next : NULL, index++) {
        size_t level = is_list ? json_path_enter_item(&reader->path, index) : reader->path.length;
        double number = 0.0;
        is_good =
            reader_number(reader, item, &number) &&
            (element_fits(buffer->type, number) ||
             reader_fail(reader, item, "%.10g is no %s", number, elements[buffer->type].name));
        if (is_good)
            element_store(buffer->type, number, table + (size_t)index * element);
        json_path_leave(&reader->path, level);
    }
    return is_good;
}

static bool buffer_read_values(struct workload_reader *reader, const cJSON *value,
                               struct workload_buffer *buffer)
{
    uint64_t count = (uint64_t)(cJSON_IsArray(value) ? cJSON_GetArraySize(value) : 0);

    if (count == 0)
        return reader_fail(reader, value, "want a list of numbers");
    if (buffer->dims == 0) {
        buffer->dims = 1;
        buffer->shape[0] = buffer->pitch = count;
    }
    if (count != buffer_row(buffer) * buffer_rows(buffer))
        return reader_fail(reader, value, "the shape wants %llu values",
                           (unsigned long long)(buffer_row(buffer) * buffer_rows(buffer)));
    buffer->content = WORKLOAD_VALUES;
    return buffer_keep_values(reader, value, buffer);
}

static bool buffer_read_fill(struct workload_reader *reader, const cJSON *value,
                             struct workload_buffer *buffer)
{
    uint64_t count = (uint64_t)(cJSON_IsArray(value) ? cJSON_GetArraySize(value) : 1);
    uint64_t bytes = count * elements[buffer->type].size_bytes;

    if (count == 0 || bytes > 16 || (bytes & (bytes - 1)) != 0)
        return reader_fail(reader, value,
                           "want a number, or a list of them of 1, 2, 4, 8 or 16 "
                           "bytes together");
    if (buffer->pitch * elements[buffer->type].size_bytes % bytes != 0)
        return reader_fail(reader, value, "a row has %llu bytes, no multiple of the pattern's %llu",
                           (unsigned long long)(buffer->pitch * elements[buffer->type].size_bytes),
                           (unsigned long long)bytes);
    buffer->content = WORKLOAD_FILL;
    return buffer_keep_values(reader, value, buffer);
}

static bool buffer_read_random(struct workload_reader *reader, const cJSON *value,
                               struct workload_buffer *buffer)
{
    static const char *const keys[] = {"seed", "from", "to", NULL};
    static const uint64_t seeds[2] = {0, UINT64_C(1) << 53};
    const struct element *element = &elements[buffer->type];
    double *const bounds[] = {&buffer->low, &buffer->high};

    buffer->content = WORKLOAD_RANDOM;
    buffer->high = element->is_real ? 1.0 : element->high;
    if (!reader_keys(reader, value, keys) ||
        !reader_need(reader, value, "seed", "a whole number that decides all values") ||
        !reader_whole_of(reader, value, "seed", seeds, &buffer->seed))
        return false;
    for (uint32_t i = 0; i < 2; i++) {
        const cJSON *bound = reader_get(value, keys[1 + i]);
        if (!bound)
            continue;
        size_t level = json_path_enter_key(&reader->path, keys[1 + i]);
        bool is_good = reader_number(reader, bound, bounds[i]) &&
                       (element_fits(buffer->type, *bounds[i]) ||
                        reader_fail(reader, bound, "%.10g is no %s", *bounds[i], element->name));
        json_path_leave(&reader->path, level);
        if (!is_good)
            return false;
    }
    return buffer->low < buffer->high ||
           reader_fail(reader, value, "\"from\" (%.10g) must be less than \"to\" (%.10g)",
                       buffer->low, buffer->high);
}

/* "axes" 1: a line of weights; 2: a square. */
static bool buffer_keep_gaussian(struct workload_reader *reader, uint64_t radius, uint64_t axes,
                                 double sigma, struct workload_buffer *buffer)
{
    uint64_t size = 2 * radius + 1, count = axes == 2 ? size * size : size;
    int32_t *weights = reader_keep(reader, NULL, count * sizeof *weights);

    if (!weights)
        return false;
    if (axes == 2)
        weights_gaussian_square(sigma, (uint32_t)radius, weights);
    else
        weights_gaussian(sigma, (uint32_t)radius, weights);
    buffer->content = WORKLOAD_VALUES;
    buffer->type = ELEMENT_INT32;
    buffer->dims = (uint32_t)axes;
    buffer->shape[0] = buffer->shape[1] = buffer->pitch = size;
    buffer->values_bytes = count * sizeof *weights;
    buffer->values = (const unsigned char *)weights;
    return true;
}

static bool buffer_read_gaussian(struct workload_reader *reader, const cJSON *value,
                                 struct workload_buffer *buffer)
{
    static const char *const keys[] = {"radius", "sigma", "axes", NULL};
    static const uint64_t all_axes[2] = {1, 2};
    uint64_t radius = 0, axes = 1;
    double sigma = 0.0;

    if (!reader_keys(reader, value, keys) ||
        !reader_whole_of(reader, value, "axes", all_axes, &axes) ||
        !reader_need(reader, value, "radius", "a whole number of pixels"))
        return false;
    const uint64_t limits[2] = {0, axes == 2 ? FILTER_SQUARE_RADIUS_LIMIT : FILTER_RADIUS_LIMIT};
    const cJSON *deviation = NULL;
    if (!reader_whole_of(reader, value, "radius", limits, &radius) ||
        !(deviation = reader_need(reader, value, "sigma", "the deviation in pixels")))
        return false;
    size_t level = json_path_enter_key(&reader->path, "sigma");
    bool is_good = reader_number(reader, deviation, &sigma) &&
                   ((sigma >= 0.01 && sigma <= 1000.0) ||
                    reader_fail(reader, deviation, "want a deviation from 0.01 to 1000"));
    json_path_leave(&reader->path, level);
    return is_good && buffer_keep_gaussian(reader, radius, axes, sigma, buffer);
}

static const struct buffer_source buffer_sources[] = {
    {"image", buffer_read_image, true},       {"npy", buffer_read_npy, true},
    {"gaussian", buffer_read_gaussian, true}, {"raw", buffer_read_raw, false},
    {"fill", buffer_read_fill, false},        {"values", buffer_read_values, false},
    {"random", buffer_read_random, false},
};

#define BUFFER_SOURCES (sizeof buffer_sources / sizeof buffer_sources[0])

/* ---- the whole entry */

typedef bool (*buffer_member_fn)(struct workload_reader *reader, const cJSON *value,
                                 struct workload_buffer *buffer);

static bool buffer_member(struct workload_reader *reader, const cJSON *entry, const char *key,
                          buffer_member_fn read, struct workload_buffer *buffer)
{
    const cJSON *value = reader_get(entry, key);

    if (!value)
        return true;
    size_t level = json_path_enter_key(&reader->path, key);
    bool is_good = read(reader, value, buffer);
    json_path_leave(&reader->path, level);
    return is_good;
}

static bool buffer_read_type(struct workload_reader *reader, const cJSON *value,
                             struct workload_buffer *buffer)
{
    return reader_type(reader, value, &buffer->type);
}

static bool buffer_read_channels(struct workload_reader *reader, const cJSON *value,
                                 struct workload_buffer *buffer)
{
    uint64_t shape[3] = {buffer->shape[0], buffer->shape[1], 0};

    if (!buffer->is_picture)
        return reader_fail(reader, value, "pictures alone have channels");
    return reader_whole(reader, value, 1, 4, &shape[2]) &&
           buffer_set_picture(reader, value, shape, buffer);
}

static bool buffer_read_pitch(struct workload_reader *reader, const cJSON *value,
                              struct workload_buffer *buffer)
{
    uint64_t row = buffer_row(buffer);

    if (buffer->dims < 2)
        return reader_fail(reader, value, "a buffer of one axis has no rows to set apart");
    return reader_whole(reader, value, row, CLI_WORKLOAD_BYTES_LIMIT, &buffer->pitch);
}

fgpu_element workload_reduce_element(enum element_type type)
{
    static const fgpu_element by_type[ELEMENT_TYPES] = {
        [ELEMENT_INT32] = FGPU_I32,  [ELEMENT_UINT32] = FGPU_U32,  [ELEMENT_INT64] = FGPU_I64,
        [ELEMENT_UINT64] = FGPU_U64, [ELEMENT_FLOAT32] = FGPU_F32, [ELEMENT_FLOAT64] = FGPU_F64};
    return by_type[type];
}

/* By what tasks reduce into it: the operators in the order of fgpu_reduction_op. */
static bool buffer_read_reduce(struct workload_reader *reader, const cJSON *value,
                               struct workload_buffer *buffer)
{
    static const char *const names[] = {"sum", "product", "min", "max", "and", "or", "xor"};
    char text[WORKLOAD_NAME_BYTES];
    fgpu_element element = workload_reduce_element(buffer->type);

    if (!reader_text(reader, value, text, sizeof text))
        return false;
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], text) == 0)
            buffer->reduce = FGPU_OP_SUM + i;
    if (buffer->reduce == 0)
        return reader_fail(reader, value, "want sum, product, min, max, and, or or xor");
    if (element == 0)
        return reader_fail(reader, value,
                           "tasks reduce into int32, uint32, int64, uint64, float32 or float64, "
                           "not %s",
                           elements[buffer->type].name);
    return buffer->reduce < FGPU_OP_AND || element < FGPU_F32 ||
           reader_fail(reader, value, "%s has no bits to combine", elements[buffer->type].name);
}

/* Which source there is; READER_NONE for none. */
static bool buffer_find_source(struct workload_reader *reader, const cJSON *entry, uint32_t *source)
{
    *source = READER_NONE;
    for (uint32_t i = 0; i < BUFFER_SOURCES; i++) {
        if (!reader_get(entry, buffer_sources[i].key))
            continue;
        if (*source != READER_NONE)
            return reader_fail(reader, entry, "\"%s\" and \"%s\" exclude each other",
                               buffer_sources[*source].key, buffer_sources[i].key);
        *source = i;
    }
    return true;
}

/* The one key that gives the shape, where the source does not. */
static bool buffer_read_form(struct workload_reader *reader, const cJSON *entry,
                             const struct buffer_source *source, struct workload_buffer *buffer)
{
    static const char *const keys[] = {"shape", "picture", "like"};
    static const buffer_member_fn read[] = {buffer_read_shape, buffer_read_picture,
                                            buffer_read_like};
    uint32_t found = READER_NONE;

    for (uint32_t i = 0; i < 3; i++) {
        if (!reader_get(entry, keys[i]))
            continue;
        const char *other = found != READER_NONE ? keys[found] : source ? source->key : NULL;
        if (found != READER_NONE || (source && source->has_shape))
            return reader_fail(reader, entry, "\"%s\" and \"%s\" exclude each other", other,
                               keys[i]);
        found = i;
    }
    if (found == READER_NONE && !source)
        return reader_fail(reader, entry,
                           "what it holds is missing; want one of image, npy, raw, "
                           "shape, picture, like, values or gaussian");
    if (found != READER_NONE && !buffer_member(reader, entry, keys[found], read[found], buffer))
        return false;
    if (source && source->has_shape && reader_get(entry, "type"))
        return reader_fail(reader, entry, "\"%s\" and \"type\" exclude each other", source->key);
    bool needs_type = (found == READER_NONE || found == 0) && (!source || !source->has_shape);
    if (needs_type && !reader_need(reader, entry, "type", "that of its elements (\"float32\")"))
        return false;
    if (found == READER_NONE && source &&
        (source->read == buffer_read_fill || source->read == buffer_read_random))
        return reader_fail(reader, entry,
                           "the key \"shape\" is missing; want the length of each "
                           "axis");
    return buffer_member(reader, entry, "type", buffer_read_type, buffer);
}

static bool buffer_finish(struct workload_reader *reader, const cJSON *entry,
                          struct workload_buffer *buffer)
{
    struct workload *out = reader->out;
    uint64_t bytes = elements[buffer->type].size_bytes;

    if (__builtin_mul_overflow(bytes, buffer->pitch, &bytes) ||
        __builtin_mul_overflow(bytes, buffer_rows(buffer), &bytes) ||
        bytes > CLI_WORKLOAD_BYTES_LIMIT - out->buffer_bytes)
        return reader_fail(reader, entry,
                           "the buffers together are too large: 2^46 bytes are "
                           "possible");
    buffer->size_bytes = bytes;
    out->buffer_bytes += bytes;
    struct workload_buffer *table =
        reader_grow(reader, out->buffers, out->buffer_count, sizeof *table);
    if (!table)
        return false;
    out->buffers = table;
    if (!reader_add_name(reader, &reader->buffer_names, buffer->name, out->buffer_count, "buffer"))
        return false;
    table[out->buffer_count++] = *buffer;
    return true;
}

bool reader_read_buffer(struct workload_reader *reader, const cJSON *entry, const char *key)
{
    static const char *const keys[] = {
        "image",  "npy",    "raw",      "shape",    "type",  "picture", "like",   "fill",
        "values", "random", "gaussian", "channels", "pitch", "reduce",  "repeat", NULL};
    struct workload_buffer buffer = {0};
    uint32_t source;

    if (reader->out->buffer_count == CLI_WORKLOAD_BUFFERS_LIMIT)
        return reader_fail(reader, entry, "at most %d buffers are possible",
                           CLI_WORKLOAD_BUFFERS_LIMIT);
    if (!reader_keys(reader, entry, keys) || !reader_key_name(reader, key, buffer.name) ||
        !buffer_find_source(reader, entry, &source))
        return false;
    const struct buffer_source *from = source == READER_NONE ? NULL : &buffer_sources[source];
    return buffer_read_form(reader, entry, from, &buffer) &&
           (!from || !from->has_shape ||
            buffer_member(reader, entry, from->key, from->read, &buffer)) &&
           buffer_member(reader, entry, "channels", buffer_read_channels, &buffer) &&
           buffer_member(reader, entry, "pitch", buffer_read_pitch, &buffer) &&
           (!from || from->has_shape ||
            buffer_member(reader, entry, from->key, from->read, &buffer)) &&
           buffer_member(reader, entry, "reduce", buffer_read_reduce, &buffer) &&
           buffer_finish(reader, entry, &buffer);
}
