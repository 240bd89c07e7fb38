/* One filter on one picture as a plan of tiles: see filter_cases.h. One thread. */
#include "lib/filter_cases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/weights.h"
#include "lib/image_reference.h"

static void *case_memory(size_t size_bytes)
{
    size_t rounded = (size_bytes + 4095) / 4096 * 4096;
    void *memory = aligned_alloc(4096, rounded);

    if (!memory) {
        fprintf(stderr, "no memory for a test picture\n");
        exit(1);
    }
    return memory;
}

void filter_case_draw(struct filter_case *what, const struct filter *filter, uint32_t side_limit,
                      struct rng *rng)
{
    static const uint32_t channels[3] = {1, 3, 4};

    *what = (struct filter_case){.filter = filter, .align_bytes = 128};
    what->width = 1 + (uint32_t)rng_below(rng, side_limit);
    what->height = 1 + (uint32_t)rng_below(rng, side_limit);
    what->channels = filter->dst_channels == 3 ? 3 : channels[rng_below(rng, 3)];
    what->bands = 1 + (uint32_t)rng_below(rng, 5);
    what->columns = 1 + (uint32_t)rng_below(rng, 3);
    what->is_exact = rng_below(rng, 2) == 0;
    if (filter->weights == FILTER_LINE_WEIGHTS)
        what->option = (int32_t)rng_below(rng, 12);
    else if (filter->weights == FILTER_SQUARE_WEIGHTS)
        what->option = (int32_t)rng_below(rng, 6);
    else if (filter->weights == FILTER_VALUE_TABLE)
        what->option = (int32_t)rng_below(rng, 2);
    else if (filter->src_count == 2)
        what->option = (int32_t)rng_below(rng, 2001) - 700;
}

const char *filter_case_text(const struct filter_case *what)
{
    static char text[160];

    (void)snprintf(text, sizeof text, "%s %u x %u x %u, option %d, %u bands of %u tiles%s",
                   what->filter->name, what->width, what->height, what->channels, what->option,
                   what->bands, what->columns, what->is_exact ? ", exact weights" : "");
    return text;
}

/* Random content: bytes of any value; floats around 0..255 with some that are not numbers or far
 * outside. */
static void case_fill(unsigned char *memory, size_t size_bytes, const struct filter *filter,
                      struct rng *rng)
{
    if (filter->src_bytes != 4) {
        /* Half of the pictures have extreme samples only, which is where sums overflow. */
        bool is_extreme = rng_below(rng, 2) == 0;
        for (size_t i = 0; i < size_bytes; i++)
            memory[i] = is_extreme ? (unsigned char)(rng_below(rng, 2) * 255)
                                   : (unsigned char)rng_below(rng, 256);
        return;
    }
    for (size_t i = 0; i < size_bytes / 4; i++) {
        float value = (float)(rng_unit(rng) * 300.0 - 20.0);
        uint64_t kind = rng_below(rng, 64);
        if (kind == 0)
            value = NAN;
        else if (kind == 1)
            value = rng_below(rng, 2) ? INFINITY : -INFINITY;
        else if (kind < 8)
            value = (float)rng_below(rng, 256) + 0.5f;
        memcpy(memory + 4 * i, &value, 4);
    }
}

/* 16-bit samples of a first blur pass are at most 255 * 256. */
static void case_limit_samples(unsigned char *memory, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t sample;
        memcpy(&sample, memory + 2 * i, 2);
        sample = sample > 65280 ? 65280 : sample;
        memcpy(memory + 2 * i, &sample, 2);
    }
}

static uint32_t case_add_buffer(struct filter_job *job, size_t size_bytes)
{
    struct plan_buffer buffer = {.name = "picture", .size_bytes = size_bytes};
    uint32_t number;

    if (plan_add_buffer(&job->plan, &buffer, &number) != FGPU_OK)
        exit(1);
    job->memory[number] = case_memory(size_bytes);
    return number;
}

/* Pixels of the destination on that side. */
static uint32_t case_side(const struct filter_job *job, uint32_t side)
{
    return job->what.filter->form == FILTER_HALF ? (side + 1) / 2 : side;
}

static void case_add_picture(struct filter_job *job, struct filter_picture *picture,
                             uint32_t channels, uint32_t element_bytes)
{
    bool is_dst = picture == &job->pictures[2];

    picture->width = is_dst ? case_side(job, job->what.width) : job->what.width;
    picture->height = is_dst ? case_side(job, job->what.height) : job->what.height;
    picture->channels = channels;
    picture->element_bytes = element_bytes;
    picture->pitch = filter_pitch(picture->width * channels, element_bytes, job->what.align_bytes);
    picture->buffer =
        case_add_buffer(job, (size_t)picture->pitch * picture->height * element_bytes);
}

/* Non-negative weights with the sum that the blur wants, in no particular shape. */
static void case_blur_weights(int32_t *weights, int32_t count, struct rng *rng)
{
    int32_t left = WEIGHTS_BLUR_ONE;

    for (int32_t i = 0; i < count - 1; i++) {
        weights[i] = (int32_t)rng_below(rng, (uint64_t)(count > 30 ? left / 8 : left) + 1);
        left -= weights[i];
    }
    weights[count - 1] = left;
}

static void case_add_table(struct filter_job *job, const void *content, size_t size_bytes)
{
    job->weights = case_add_buffer(job, size_bytes);
    memcpy(job->memory[job->weights], content, size_bytes);
}

/* Weights of a 3 x 3 window. */
static void case_add_window(struct filter_job *job, struct rng *rng)
{
    int32_t integers[11];

    for (int i = 0; i < 9; i++)
        integers[i] = job->what.is_exact ? (int32_t)rng_below(rng, 41) - 20
                                         : (int32_t)rng_below(rng, 65537) - 32768;
    integers[9] = (int32_t)rng_below(rng, 17);
    integers[10] = (int32_t)rng_below(rng, 513) - 256;
    case_add_table(job, integers, sizeof integers);
}

static void case_add_weights(struct filter_job *job, struct rng *rng)
{
    enum filter_weights weights = job->what.filter->weights;
    int32_t integers[(2 * FILTER_SQUARE_RADIUS_LIMIT + 1) * (2 * FILTER_SQUARE_RADIUS_LIMIT + 1)];
    unsigned char values[4 * FILTER_VALUES];
    float floats[81];
    int32_t size = 2 * job->what.option + 1;
    int32_t count = weights == FILTER_SQUARE_WEIGHTS ? size * size : size;

    if (weights == FILTER_WINDOW_WEIGHTS) {
        case_add_window(job, rng);
    } else if (weights == FILTER_MIX_WEIGHTS) {
        for (int i = 0; i < 81; i++)
            floats[i] = job->what.is_exact ? (float)((int)rng_below(rng, 513) - 230) / 256.0f
                                           : (float)(rng_unit(rng) - 0.4);
        case_add_table(job, floats, sizeof floats);
    } else if (weights == FILTER_VALUE_TABLE) {
        for (size_t i = 0; i < sizeof values; i++)
            values[i] = (unsigned char)rng_below(rng, 256);
        case_add_table(job, values, FILTER_VALUES * (job->what.option ? job->what.channels : 1));
    } else {
        case_blur_weights(integers, count, rng);
        case_add_table(job, integers, (size_t)count * sizeof integers[0]);
    }
}

static void case_add_tiles(struct filter_job *job)
{
    const struct filter_case *what = &job->what;
    const struct filter_picture *to = &job->pictures[2];
    uint32_t bands = what->bands < to->height ? what->bands : to->height;
    uint8_t least = what->filter->src_bytes < what->filter->dst_bytes ? what->filter->src_bytes
                                                                      : what->filter->dst_bytes;
    uint32_t step = filter_pitch(1, least, what->align_bytes);
    uint32_t width = to->pitch / what->columns / step * step;
    struct filter_tile tile = {.filter = what->filter,
                               .from = job->pictures,
                               .to = to,
                               .weights = job->weights,
                               .option = what->option,
                               .scale = job->scale};
    struct plan_task task = {.name = "tile"};
    uint32_t number;

    width = width == 0 ? to->pitch : width;
    tile.column_step = what->columns > 1 ? step : 0;
    for (uint32_t i = 0; i < bands; i++)
        for (uint32_t column = 0; column < to->pitch; column += width) {
            tile.row_begin = to->height * i / bands;
            tile.row_end = to->height * (i + 1) / bands;
            tile.column_begin = column;
            tile.column_end = to->pitch - column < 2 * width ? to->pitch : column + width;
            filter_fill_tile(&tile, &task.launch);
            if (plan_add_task(&job->plan, &task, &number) != FGPU_OK)
                exit(1);
            if (tile.column_end == to->pitch || tile.column_step == 0)
                break;
        }
}

void filter_job_init(struct filter_job *job, const struct filter_case *what, struct rng *rng)
{
    const struct filter *filter = what->filter;
    struct filter_kernel kernel;
    uint32_t number;

    *job = (struct filter_job){.what = *what, .scale = 1.0f};
    if (filter->has_scale && rng_below(rng, 2))
        job->scale = filter->src_bytes == 4 ? 255.0f / 256.0f : 1.0f / 255.0f;
    if (!filter_describe(filter, &kernel) ||
        plan_add_kernel(&job->plan, &kernel, &number) != FGPU_OK)
        exit(1);
    for (uint32_t i = 0; i < filter->src_count; i++) {
        struct filter_picture *picture = &job->pictures[i];
        case_add_picture(job, picture, what->channels, filter->src_bytes);
        job->src[i] = picture->buffer;
        size_t count = (size_t)picture->pitch * picture->height;
        case_fill(job->memory[picture->buffer], count * filter->src_bytes, filter, rng);
        if (filter->src_bytes == 2)
            case_limit_samples(job->memory[picture->buffer], count);
        job->plan.buffers[picture->buffer].content = job->memory[picture->buffer];
    }
    case_add_picture(job, &job->pictures[2],
                     filter->dst_channels ? filter->dst_channels : what->channels,
                     filter->dst_bytes);
    job->dst = job->pictures[2].buffer;
    memset(job->memory[job->dst], 0xa5, job->plan.buffers[job->dst].size_bytes);
    if (filter->weights != FILTER_NO_WEIGHTS) {
        case_add_weights(job, rng);
        job->plan.buffers[job->weights].content = job->memory[job->weights];
    }
    case_add_tiles(job);
}

static double case_sample(const unsigned char *memory, const struct filter_picture *picture,
                          uint32_t y, uint32_t e)
{
    size_t at = (size_t)y * picture->pitch + e;
    uint16_t word;
    float value;

    if (picture->element_bytes == 1)
        return memory[at];
    if (picture->element_bytes == 2) {
        memcpy(&word, memory + 2 * at, 2);
        return word;
    }
    memcpy(&value, memory + 4 * at, 4);
    return (double)value;
}

static void case_unpack(const struct filter_job *job, const struct filter_picture *picture,
                        struct reference_picture *out)
{
    uint32_t row = picture->width * picture->channels;

    reference_init(out, (int)picture->width, (int)picture->height, (int)picture->channels);
    for (uint32_t y = 0; y < picture->height; y++)
        for (uint32_t e = 0; e < row; e++)
            out->samples[(size_t)y * row + e] =
                case_sample(job->memory[picture->buffer], picture, y, e);
}

/* The reference's picture; tolerance has samples where the filter adds in float, else none. */
static void case_expect(const struct filter_job *job, struct reference_picture *want,
                        struct reference_picture *tolerance)
{
    const char *name = job->what.filter->name;
    const int32_t *integers = (const int32_t *)(const void *)job->memory[job->weights];
    const float *floats = (const float *)(const void *)job->memory[job->weights];
    struct reference_picture in[2] = {{0}, {0}};

    for (uint32_t i = 0; i < job->what.filter->src_count; i++)
        case_unpack(job, &job->pictures[i], &in[i]);
    if (strcmp(name, "grey") == 0)
        reference_grey(&in[0], want);
    else if (strcmp(name, "to_float") == 0)
        reference_to_float(&in[0], job->scale, want);
    else if (strcmp(name, "from_float") == 0)
        reference_from_float(&in[0], job->scale, want, tolerance);
    else if (strcmp(name, "blur_horizontal") == 0)
        reference_blur_horizontal(&in[0], integers, job->what.option, want);
    else if (strcmp(name, "blur_vertical") == 0)
        reference_blur_vertical(&in[0], integers, job->what.option, want);
    else if (strcmp(name, "blur_2d") == 0)
        reference_blur_2d(&in[0], integers, job->what.option, want);
    else if (strcmp(name, "median3x3") == 0)
        reference_median3x3(&in[0], want);
    else if (strcmp(name, "halve") == 0)
        reference_halve(&in[0], want);
    else if (strcmp(name, "lookup") == 0)
        reference_lookup(&in[0], job->memory[job->weights], job->what.option, want);
    else if (strcmp(name, "sobel") == 0)
        reference_sobel(&in[0], want);
    else if (strcmp(name, "sharpen") == 0)
        reference_sharpen(&in[0], &in[1], job->what.option, want);
    else if (strcmp(name, "conv3x3") == 0)
        reference_conv3x3(&in[0], integers, want);
    else if (strcmp(name, "conv3x3x3") == 0)
        reference_conv3x3x3(&in[0], floats, want, tolerance);
    reference_fini(&in[0]);
    reference_fini(&in[1]);
}

/* Whether one sample is right. Exact weights leave no tolerance; what is not a number becomes 0. */
static bool case_sample_is_right(const struct filter_job *job, double got, double want,
                                 const struct reference_picture *tolerance, size_t at)
{
    if (!tolerance->samples)
        return got == want;
    if (isnan(want))
        return got == 0.0;
    bool is_exact = job->what.filter->dst_channels == 3 && job->what.is_exact;
    return reference_is_rounded(got, want, is_exact ? 0.0 : tolerance->samples[at]);
}

bool filter_job_check(struct filter_job *job, const void *dst)
{
    const struct filter_picture *picture = &job->pictures[2];
    uint32_t row = picture->width * picture->channels;
    struct reference_picture want = {0}, tolerance = {0};

    job->why[0] = '\0';
    case_expect(job, &want, &tolerance);
    if (!want.samples) {
        (void)snprintf(job->why, sizeof job->why, "there is no reference");
        return false;
    }
    for (uint32_t y = 0; y < picture->height && !job->why[0]; y++)
        for (uint32_t e = 0; e < picture->pitch && !job->why[0]; e++) {
            double got = case_sample(dst, picture, y, e);
            size_t at = (size_t)y * row + e;
            if (e >= row ? got != 0.0
                         : !case_sample_is_right(job, got, want.samples[at], &tolerance, at))
                (void)snprintf(job->why, sizeof job->why, "row %u element %u: %.9g instead of %.9g",
                               y, e, got, e >= row ? 0.0 : want.samples[at]);
        }
    reference_fini(&want);
    reference_fini(&tolerance);
    return job->why[0] == '\0';
}

void filter_job_fini(struct filter_job *job)
{
    for (int i = 0; i < 4; i++)
        free(job->memory[i]);
    plan_fini(&job->plan);
}
