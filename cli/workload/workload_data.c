/* Contents of a workload's buffers: see workload_data.h for layout and random numbers. Files are
 * checked again against what was read of them when the workload was: they may have changed since.
 * Runs on the caller's thread; owns what it puts into `data`. */
#include "cli/workload/workload_data.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/file.h"
#include "cli/image/image.h"
#include "cli/common/stopping.h"
#include "cli/common/waiting.h"
#include "cli/common/why.h"

/* Elements between two looks whether to go on. */
#define DATA_STRIDE 65536u

/* One buffer that is being filled. */
struct data_target {
    const struct workload_buffer *buffer;
    unsigned char *memory;
    const volatile sig_atomic_t *stop;
    char *why;
    size_t why_bytes;
};

uint64_t workload_data_rows(const struct workload_buffer *buffer)
{
    return buffer->dims == 1 ? 1 : buffer->shape[0];
}

static uint64_t data_row_elements(const struct workload_buffer *buffer)
{
    uint64_t row = buffer->dims == 1 ? buffer->shape[0] : 1;

    for (uint32_t i = 1; i < buffer->dims; i++)
        row *= buffer->shape[i];
    return row;
}

uint64_t workload_data_row_bytes(const struct workload_buffer *buffer)
{
    return data_row_elements(buffer) * elements[buffer->type].size_bytes;
}

static uint64_t data_pitch_bytes(const struct workload_buffer *buffer)
{
    return buffer->pitch * elements[buffer->type].size_bytes;
}

void workload_data_pack(const struct workload_buffer *buffer, const unsigned char *memory,
                        unsigned char *packed)
{
    uint64_t row_bytes = workload_data_row_bytes(buffer), pitch = data_pitch_bytes(buffer);

    for (uint64_t y = 0; y < workload_data_rows(buffer); y++)
        memcpy(packed + y * row_bytes, memory + y * pitch, row_bytes);
}

bool workload_data_equal(const struct workload_buffer *buffer, const unsigned char *one,
                         const unsigned char *other)
{
    uint64_t row_bytes = workload_data_row_bytes(buffer), pitch = data_pitch_bytes(buffer);

    for (uint64_t y = 0; y < workload_data_rows(buffer); y++)
        if (memcmp(one + y * pitch, other + y * pitch, row_bytes) != 0)
            return false;
    return true;
}

static fgpu_status data_stopped(const struct data_target *to)
{
    return why_fail(FGPU_E_CANCELLED, to->why, to->why_bytes, "stopped while %s was filled",
                    to->buffer->name);
}

static bool data_is_stopped(const struct data_target *to)
{
    return waiting_is_stopped(to->stop) || stopping_is_wanted();
}

static fgpu_status data_spread(const struct data_target *to, const unsigned char *packed)
{
    uint64_t row_bytes = workload_data_row_bytes(to->buffer);

    for (uint64_t y = 0; y < workload_data_rows(to->buffer); y++)
        if (!stopping_copy(to->memory + y * data_pitch_bytes(to->buffer), packed + y * row_bytes,
                           row_bytes))
            return data_stopped(to);
    return FGPU_OK;
}

/* Zeros: what is between rows stays so. */
static fgpu_status data_clear(const struct data_target *to)
{
    uint64_t size_bytes = to->buffer->size_bytes;

    for (uint64_t at = 0; at < size_bytes; at += STOPPING_PIECE_BYTES) {
        uint64_t rest = size_bytes - at;
        if (data_is_stopped(to))
            return data_stopped(to);
        memset(to->memory + at, 0, rest < STOPPING_PIECE_BYTES ? rest : STOPPING_PIECE_BYTES);
    }
    return FGPU_OK;
}

/* ---- files */

static fgpu_status data_read_image(const struct data_target *to)
{
    const struct workload_buffer *buffer = to->buffer;
    struct image image, converted = {0};

    fgpu_status status = image_load(buffer->path, &image, to->why, to->why_bytes);
    if (status != FGPU_OK)
        return status;
    const struct image *found = &image;
    if (image.height != buffer->shape[0] || image.width != buffer->shape[1]) {
        status =
            why_fail(FGPU_E_INVAL, to->why, to->why_bytes,
                     "%s: the picture is %u x %u now, and was %" PRIu64 " x %" PRIu64
                     " when the workload was read",
                     buffer->path, image.width, image.height, buffer->shape[1], buffer->shape[0]);
    } else if (image.channels != buffer->shape[2]) {
        status =
            image_convert(&image, (uint32_t)buffer->shape[2], &converted, to->why, to->why_bytes);
        found = &converted;
    }
    if (status == FGPU_OK)
        status = data_spread(to, found->pixels);
    image_fini(&image);
    image_fini(&converted);
    return status;
}

static fgpu_status data_read_npy(const struct data_target *to)
{
    const struct workload_buffer *buffer = to->buffer;
    uint64_t bytes = workload_data_rows(buffer) * workload_data_row_bytes(buffer);
    struct npy_array array;

    fgpu_status status = npy_load(buffer->path, &array, to->why, to->why_bytes);
    if (status != FGPU_OK)
        return status;
    bool is_same = array.form.rank == buffer->dims && array.form.size_bytes == bytes;
    for (uint32_t i = 0; i < buffer->dims && is_same; i++)
        is_same = array.form.shape[i] == buffer->shape[i];
    if (is_same)
        status = data_spread(to, array.data);
    else
        status = why_fail(FGPU_E_INVAL, to->why, to->why_bytes,
                          "%s: it has another type or shape than when the workload was read",
                          buffer->path);
    npy_array_fini(&array);
    return status;
}

static fgpu_status data_read_raw(const struct data_target *to)
{
    const struct workload_buffer *buffer = to->buffer;
    uint64_t bytes = workload_data_rows(buffer) * workload_data_row_bytes(buffer);
    const struct file_range all = {0, FILE_TO_END};
    struct file_bytes content;

    fgpu_status status =
        file_read_range(buffer->path, all, CLI_DATA_BYTES_LIMIT, &content, to->why, to->why_bytes);
    if (status != FGPU_OK)
        return status;
    if (content.size_bytes == bytes)
        status = data_spread(to, content.data);
    else
        status = why_fail(FGPU_E_INVAL, to->why, to->why_bytes,
                          "%s: it has %zu bytes now, and %" PRIu64 " are wanted", buffer->path,
                          content.size_bytes, bytes);
    file_bytes_fini(&content);
    return status;
}

/* ---- numbers */

static fgpu_status data_fill(const struct data_target *to)
{
    const struct workload_buffer *buffer = to->buffer;
    uint64_t row_bytes = workload_data_row_bytes(buffer);

    for (uint64_t y = 0; y < workload_data_rows(buffer); y++) {
        unsigned char *row = to->memory + y * data_pitch_bytes(buffer);
        uint64_t done = buffer->values_bytes < row_bytes ? buffer->values_bytes : row_bytes;
        memcpy(row, buffer->values, done);
        while (done < row_bytes) { /* what is there already is doubled */
            uint64_t piece = row_bytes - done < done ? row_bytes - done : done;
            if (data_is_stopped(to) || !stopping_copy(row + done, row, piece))
                return data_stopped(to);
            done += piece;
        }
        if (data_is_stopped(to))
            return data_stopped(to);
    }
    return FGPU_OK;
}

static fgpu_status data_write_values(const struct data_target *to)
{
    return data_spread(to, to->buffer->values);
}

static uint64_t data_mix(uint64_t state)
{
    uint64_t z = (state ^ (state >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);

    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double data_real(const struct workload_buffer *buffer, uint64_t z)
{
    double u = (double)(z >> 11) * 0x1p-53;
    /* volatile: a compiler that joins the operations into one would round once less. */
    volatile double lower = buffer->low * (1.0 - u), upper = buffer->high * u;
    double x = lower + upper;

    if (buffer->type == ELEMENT_FLOAT32) {
        float y = (float)x;
        if ((double)y >= buffer->high)
            y = nextafterf((float)buffer->high, -HUGE_VALF);
        if ((double)y >= buffer->high)
            y = nextafterf(y, -HUGE_VALF);
        return (double)y < buffer->low ? (double)nextafterf(y, HUGE_VALF) : (double)y;
    }
    if (x >= buffer->high)
        x = nextafter(buffer->high, -HUGE_VAL);
    return x < buffer->low ? buffer->low : x;
}

static double data_whole(const struct workload_buffer *buffer, uint64_t z)
{
    uint64_t span = (uint64_t)(buffer->high - buffer->low); /* at most 2^54 */
    unsigned __int128 product = (unsigned __int128)z * span;

    return (double)((int64_t)buffer->low + (int64_t)(uint64_t)(product >> 64));
}

static fgpu_status data_draw(const struct data_target *to)
{
    const struct workload_buffer *buffer = to->buffer;
    const struct element *element = &elements[buffer->type];
    uint64_t state = buffer->seed, row = data_row_elements(buffer), count = 0;

    for (uint64_t y = 0; y < workload_data_rows(buffer); y++) {
        unsigned char *at = to->memory + y * data_pitch_bytes(buffer);
        for (uint64_t x = 0; x < row; x++, at += element->size_bytes) {
            if (count++ % DATA_STRIDE == 0 && data_is_stopped(to))
                return data_stopped(to);
            state += UINT64_C(0x9e3779b97f4a7c15);
            uint64_t z = data_mix(state);
            element_store(buffer->type,
                          element->is_real ? data_real(buffer, z) : data_whole(buffer, z), at);
        }
    }
    return FGPU_OK;
}

/* ---- all of them */

typedef fgpu_status (*data_fn)(const struct data_target *to);

static const data_fn data_makers[] = {
    [WORKLOAD_IMAGE] = data_read_image,    [WORKLOAD_NPY] = data_read_npy,
    [WORKLOAD_RAW] = data_read_raw,        [WORKLOAD_FILL] = data_fill,
    [WORKLOAD_VALUES] = data_write_values, [WORKLOAD_RANDOM] = data_draw,
};

/* The makers name files, here the buffer comes before. */
static fgpu_status data_make(struct workload_data *data, uint32_t number, struct data_target *to)
{
    const struct workload_buffer *buffer = to->buffer;
    char reason[CLI_WHY_BYTES] = "", *why = to->why;

    to->memory = data->memory[number] = fgpu_host_alloc(buffer->size_bytes);
    if (!to->memory)
        return why_fail(FGPU_E_NOMEM, why, to->why_bytes,
                        "$.buffers.%s: no memory for its %" PRIu64 " bytes", buffer->name,
                        buffer->size_bytes);
    size_t why_bytes = to->why_bytes;
    to->why = reason;
    to->why_bytes = sizeof reason;
    fgpu_status status = FGPU_OK;
    if (buffer->dims > 1 && data_pitch_bytes(buffer) > workload_data_row_bytes(buffer))
        status = data_clear(to);
    if (status == FGPU_OK)
        status = data_makers[buffer->content](to);
    to->why = why;
    to->why_bytes = why_bytes;
    if (status == FGPU_OK)
        return FGPU_OK;
    return why_fail(status, why, why_bytes, "$.buffers.%s: %s", buffer->name, reason);
}

fgpu_status workload_data_init(struct workload_data *data, const struct workload *workload,
                               const volatile sig_atomic_t *stop, char *why, size_t why_bytes)
{
    fgpu_status status = FGPU_OK;

    *data = (struct workload_data){.count = workload->buffer_count};
    data->memory = calloc((size_t)data->count + 1, sizeof *data->memory);
    if (!data->memory) {
        data->count = 0;
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory for a table of %u buffers",
                        workload->buffer_count);
    }
    for (uint32_t i = 0; i < data->count && status == FGPU_OK; i++) {
        struct data_target to = {
            .buffer = &workload->buffers[i], .stop = stop, .why = why, .why_bytes = why_bytes};
        if (data_is_stopped(&to))
            status = data_stopped(&to);
        else if (to.buffer->content != WORKLOAD_EMPTY)
            status = data_make(data, i, &to);
    }
    if (status != FGPU_OK)
        workload_data_fini(data);
    return status;
}

void workload_data_fini(struct workload_data *data)
{
    if (!data)
        return;
    for (uint32_t i = 0; i < data->count; i++)
        fgpu_host_free(data->memory[i]);
    free(data->memory);
    *data = (struct workload_data){0};
}
