/* The image filters as native C functions: see filters_native.h; the definitions stand in
 * cli/kernels.
 *
 * Each row function makes one piece of one row (filters_tile.h). The borders are made sample by
 * sample, the inside without a test. Float sums must not be contracted
 * (-ffp-contract=off, set where this file is compiled).
 */
#include "cli/filters/filters_native.h"

#include "cli/filters/filters_tile.h"

NATIVE_VERSIONS static void native_grey_row(const struct native_job *job, ptrdiff_t y,
                                            ptrdiff_t begin, ptrdiff_t end)
{
    ptrdiff_t channels = job->tile.channels;
    const uint8_t *src = (const uint8_t *)job->src + native_from(&job->tile, y, begin * channels);
    uint8_t *dst = (uint8_t *)job->dst + native_to(&job->tile, y, begin);

    if (channels == 1) {
        memcpy(dst, src, (size_t)(end - begin));
        return;
    }
    for (ptrdiff_t x = 0; x < end - begin; x++, src += channels)
        dst[x] = (uint8_t)((77 * src[0] + 150 * src[1] + 29 * src[2] + 128) >> 8);
}

int filters_native_grey(const fgpu_range *range, void *const *args, void *user)
{
    struct native_job job = {
        .src = args[0], .dst = args[1], .row = native_grey_row, .item = 16, .dst_bytes = 1};

    (void)user;
    native_read_tile(&job.tile, args + 2);
    return native_run(range, &job);
}

NATIVE_VERSIONS static void native_to_float_row(const struct native_job *job, ptrdiff_t y,
                                                ptrdiff_t begin, ptrdiff_t end)
{
    const uint8_t *src = (const uint8_t *)job->src + native_from(&job->tile, y, begin);
    float *dst = (float *)job->dst + native_to(&job->tile, y, begin);
    float scale;

    memcpy(&scale, job->extra, sizeof scale);
    for (ptrdiff_t e = 0; e < end - begin; e++)
        dst[e] = (float)src[e] * scale;
}

int filters_native_to_float(const fgpu_range *range, void *const *args, void *user)
{
    struct native_job job = {.src = args[0],
                             .dst = args[1],
                             .extra = args[5],
                             .row = native_to_float_row,
                             .item = 1,
                             .dst_bytes = 4};

    (void)user;
    native_read_tile(&job.tile, args + 2);
    return native_run(range, &job);
}

/* Limited to 0..255 (not a number becomes 0) and rounded half up. */
NATIVE_INLINE uint8_t native_round_float(float value)
{
    value = value > 0.0f ? value : 0.0f;
    value = value < 255.0f ? value : 255.0f;
    return (uint8_t)(int)(value + 0.5f);
}

NATIVE_VERSIONS static void native_from_float_row(const struct native_job *job, ptrdiff_t y,
                                                  ptrdiff_t begin, ptrdiff_t end)
{
    const float *src = (const float *)job->src + native_from(&job->tile, y, begin);
    uint8_t *dst = (uint8_t *)job->dst + native_to(&job->tile, y, begin);
    float scale;

    memcpy(&scale, job->extra, sizeof scale);
    for (ptrdiff_t e = 0; e < end - begin; e++)
        dst[e] = native_round_float(src[e] * scale);
}

int filters_native_from_float(const fgpu_range *range, void *const *args, void *user)
{
    struct native_job job = {.src = args[0],
                             .dst = args[1],
                             .extra = args[5],
                             .row = native_from_float_row,
                             .item = 1,
                             .dst_bytes = 1};

    (void)user;
    native_read_tile(&job.tile, args + 2);
    return native_run(range, &job);
}

static void native_blur_clamped(const struct native_job *job, ptrdiff_t y, ptrdiff_t begin,
                                ptrdiff_t end)
{
    const struct native_tile *tile = &job->tile;
    const uint8_t *row = (const uint8_t *)job->src + native_from(tile, y, tile->from_column);
    const int32_t *weights = job->extra;
    uint16_t *dst = (uint16_t *)job->dst + native_to(tile, y, begin);

    for (ptrdiff_t e = begin; e < end; e++) {
        ptrdiff_t first = e % tile->channels;
        ptrdiff_t last = tile->row_elements - tile->channels + first;
        int32_t sum = 0;
        for (ptrdiff_t k = -tile->option; k <= tile->option; k++)
            sum += weights[k + tile->option] *
                   row[native_clamp(e + k * tile->channels, first, last) - tile->from_column];
        dst[e - begin] = (uint16_t)((sum + 32) >> 6);
    }
}

/* Elements that are summed at a time: the sums stay in the first cache, the loop over them is the
 * inner one. */
#define NATIVE_BLUR_BLOCK 512

NATIVE_VERSIONS static void native_blur_horizontal_row(const struct native_job *job, ptrdiff_t y,
                                                       ptrdiff_t begin, ptrdiff_t end)
{
    const struct native_tile *tile = &job->tile;
    const int32_t *weights = job->extra;
    ptrdiff_t halo = (ptrdiff_t)tile->option * tile->channels, inner[2];
    uint32_t sums[NATIVE_BLUR_BLOCK];

    native_inner(tile, halo, (const ptrdiff_t[2]){begin, end}, inner);
    native_blur_clamped(job, y, begin, inner[0]);
    native_blur_clamped(job, y, inner[1], end);
    for (ptrdiff_t e = inner[0]; e < inner[1]; e += NATIVE_BLUR_BLOCK) {
        ptrdiff_t count = inner[1] - e < NATIVE_BLUR_BLOCK ? inner[1] - e : NATIVE_BLUR_BLOCK;
        uint16_t *dst = (uint16_t *)job->dst + native_to(tile, y, e);
        for (ptrdiff_t i = 0; i < count; i++)
            sums[i] = 32u;
        for (ptrdiff_t k = -tile->option; k <= tile->option; k++) {
            const uint8_t *src =
                (const uint8_t *)job->src + native_from(tile, y, e + k * tile->channels);
            uint16_t weight = (uint16_t)weights[k + tile->option];
            for (ptrdiff_t i = 0; i < count; i++)
                sums[i] += (uint32_t)weight * src[i];
        }
        for (ptrdiff_t i = 0; i < count; i++)
            dst[i] = (uint16_t)(sums[i] >> 6);
    }
}

int filters_native_blur_horizontal(const fgpu_range *range, void *const *args, void *user)
{
    struct native_job job = {.src = args[0],
                             .dst = args[1],
                             .extra = args[2],
                             .row = native_blur_horizontal_row,
                             .item = 16,
                             .dst_bytes = 2};

    (void)user;
    native_read_tile(&job.tile, args + 3);
    return native_run(range, &job);
}

/* A function of its own, for gcc would exchange the loops of the caller and then vectorise neither.
 */
NATIVE_VERSIONS static void native_add_weighted(uint32_t *sums, const uint16_t *src,
                                                uint16_t weight, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i++)
        sums[i] += (uint32_t)weight * src[i];
}

static void native_blur_vertical_row(const struct native_job *job, ptrdiff_t y, ptrdiff_t begin,
                                     ptrdiff_t end)
{
    const struct native_tile *tile = &job->tile;
    const int32_t *weights = job->extra;
    uint8_t *dst = (uint8_t *)job->dst + native_to(tile, y, begin);
    uint32_t sums[NATIVE_BLUR_BLOCK];

    for (ptrdiff_t e = begin; e < end; e += NATIVE_BLUR_BLOCK) {
        ptrdiff_t count = end - e < NATIVE_BLUR_BLOCK ? end - e : NATIVE_BLUR_BLOCK;
        for (ptrdiff_t i = 0; i < count; i++)
            sums[i] = 1u << 21;
        for (ptrdiff_t k = -tile->option; k <= tile->option; k++) {
            ptrdiff_t line = native_clamp(y + k, 0, tile->height - 1);
            const uint16_t *src = (const uint16_t *)job->src + native_from(tile, line, e);
            native_add_weighted(sums, src, (uint16_t)weights[k + tile->option], count);
        }
        for (ptrdiff_t i = 0; i < count; i++)
            dst[e - begin + i] = (uint8_t)(sums[i] >> 22);
    }
}

int filters_native_blur_vertical(const fgpu_range *range, void *const *args, void *user)
{
    struct native_job job = {.src = args[0],
                             .dst = args[1],
                             .extra = args[2],
                             .row = native_blur_vertical_row,
                             .item = 16,
                             .dst_bytes = 1};

    (void)user;
    native_read_tile(&job.tile, args + 3);
    return native_run(range, &job);
}

NATIVE_VERSIONS static void native_sharpen_row(const struct native_job *job, ptrdiff_t y,
                                               ptrdiff_t begin, ptrdiff_t end)
{
    const uint8_t *src = (const uint8_t *)job->src + native_from(&job->tile, y, begin);
    const uint8_t *blurred = (const uint8_t *)job->extra + native_from(&job->tile, y, begin);
    uint8_t *dst = (uint8_t *)job->dst + native_to(&job->tile, y, begin);
    int32_t amount = job->tile.option;

    for (ptrdiff_t e = 0; e < end - begin; e++) {
        int32_t detail = (amount * (src[e] - blurred[e]) + 128) >> 8;
        dst[e] = (uint8_t)native_clamp_byte(src[e] + detail);
    }
}

int filters_native_sharpen(const fgpu_range *range, void *const *args, void *user)
{
    struct native_job job = {.src = args[0],
                             .extra = args[1],
                             .dst = args[2],
                             .row = native_sharpen_row,
                             .item = 16,
                             .dst_bytes = 1};

    (void)user;
    native_read_tile(&job.tile, args + 3);
    return native_run(range, &job);
}

/* One more bit of the square root, where it belongs to it. Eight calls instead of a loop: a loop
 * inside would keep the one over a row from being vectorised. */
NATIVE_INLINE int native_root_bit(int root, int bit, int square)
{
    int tried = root | bit;

    return tried * tried <= square ? tried : root;
}

/* One sample of Sobel; left and right are distances to the neighbours (0 or one pixel). */
NATIVE_INLINE uint8_t native_sobel_sample(const struct native_rows *rows, ptrdiff_t e,
                                          ptrdiff_t left, ptrdiff_t right)
{
    const uint8_t *above = rows->line[0] + e, *here = rows->line[1] + e, *below = rows->line[2] + e;
    int gx = (above[right] - above[-left]) + 2 * (here[right] - here[-left]) +
             (below[right] - below[-left]);
    int gy =
        (below[-left] - above[-left]) + 2 * (below[0] - above[0]) + (below[right] - above[right]);
    int square = gx * gx + gy * gy, root = 0;

    square = square < 255 * 255 ? square : 255 * 255;
    root = native_root_bit(root, 128, square);
    root = native_root_bit(root, 64, square);
    root = native_root_bit(root, 32, square);
    root = native_root_bit(root, 16, square);
    root = native_root_bit(root, 8, square);
    root = native_root_bit(root, 4, square);
    root = native_root_bit(root, 2, square);
    root = native_root_bit(root, 1, square);
    return (uint8_t)(root + (square - root * root > root));
}

NATIVE_VERSIONS static void native_sobel_row(const struct native_job *job, ptrdiff_t y,
                                             ptrdiff_t begin, ptrdiff_t end)
{
    const struct native_tile *tile = &job->tile;
    struct native_rows rows = native_rows_around(job, y, begin);
    uint8_t *dst = (uint8_t *)job->dst + native_to(tile, y, begin);
    ptrdiff_t channels = tile->channels, inner[2];

    native_inner(tile, channels, (const ptrdiff_t[2]){begin, end}, inner);
    for (ptrdiff_t e = begin; e < inner[0]; e++)
        dst[e - begin] =
            native_sobel_sample(&rows, e - begin, native_left(tile, e), native_right(tile, e));
    for (ptrdiff_t e = inner[0] - begin; e < inner[1] - begin; e++)
        dst[e] = native_sobel_sample(&rows, e, channels, channels);
    for (ptrdiff_t e = inner[1]; e < end; e++)
        dst[e - begin] =
            native_sobel_sample(&rows, e - begin, native_left(tile, e), native_right(tile, e));
}

int filters_native_sobel(const fgpu_range *range, void *const *args, void *user)
{
    struct native_job job = {
        .src = args[0], .dst = args[1], .row = native_sobel_row, .item = 16, .dst_bytes = 1};

    (void)user;
    native_read_tile(&job.tile, args + 2);
    return native_run(range, &job);
}

NATIVE_INLINE uint8_t native_conv3x3_sample(const struct native_rows *rows, const int32_t *weights,
                                            ptrdiff_t e, ptrdiff_t left, ptrdiff_t right)
{
    int32_t sum = (1 << weights[9]) >> 1;

    for (int k = 0; k < 3; k++) {
        const uint8_t *row = rows->line[k] + e;
        sum += weights[3 * k] * row[-left] + weights[3 * k + 1] * row[0] +
               weights[3 * k + 2] * row[right];
    }
    return (uint8_t)native_clamp_byte((sum >> weights[9]) + weights[10]);
}

NATIVE_VERSIONS static void native_conv3x3_row(const struct native_job *job, ptrdiff_t y,
                                               ptrdiff_t begin, ptrdiff_t end)
{
    const struct native_tile *tile = &job->tile;
    struct native_rows rows = native_rows_around(job, y, begin);
    uint8_t *dst = (uint8_t *)job->dst + native_to(tile, y, begin);
    ptrdiff_t channels = tile->channels, inner[2];
    int32_t weights[11];

    /* A copy: the compiler need not fear that dst changes it. */
    memcpy(weights, job->extra, sizeof weights);
    native_inner(tile, channels, (const ptrdiff_t[2]){begin, end}, inner);
    for (ptrdiff_t e = begin; e < inner[0]; e++)
        dst[e - begin] = native_conv3x3_sample(&rows, weights, e - begin, native_left(tile, e),
                                               native_right(tile, e));
    for (ptrdiff_t e = inner[0] - begin; e < inner[1] - begin; e++)
        dst[e] = native_conv3x3_sample(&rows, weights, e, channels, channels);
    for (ptrdiff_t e = inner[1]; e < end; e++)
        dst[e - begin] = native_conv3x3_sample(&rows, weights, e - begin, native_left(tile, e),
                                               native_right(tile, e));
}

int filters_native_conv3x3(const fgpu_range *range, void *const *args, void *user)
{
    struct native_job job = {.src = args[0],
                             .dst = args[1],
                             .extra = args[2],
                             .row = native_conv3x3_row,
                             .item = 16,
                             .dst_bytes = 1};

    (void)user;
    native_read_tile(&job.tile, args + 3);
    return native_run(range, &job);
}

/* Pixels of a row that the 3 x 3 x 3 convolution makes at a time. */
#define NATIVE_PIXEL_BLOCK 128

/* A piece of the three rows around y as floats, by channel; one pixel more on each side, the border
 * repeated. */
struct native_window {
    float line[3][3][NATIVE_PIXEL_BLOCK + 2]; /* [channel][dy][pixel + 1] */
};

static void native_fill_window(const struct native_job *job, ptrdiff_t y, ptrdiff_t pixel,
                               ptrdiff_t count, struct native_window *window)
{
    ptrdiff_t last = job->tile.row_elements / 3 - 1;

    for (ptrdiff_t k = 0; k < 3; k++) {
        ptrdiff_t line = native_clamp(y + k - 1, 0, job->tile.height - 1);
        for (ptrdiff_t i = 0; i < count + 2; i++) {
            const uint8_t *sample =
                (const uint8_t *)job->src +
                native_from(&job->tile, line, 3 * native_clamp(pixel + i - 1, 0, last));
            for (int channel = 0; channel < 3; channel++)
                window->line[channel][k][i] = (float)sample[channel];
        }
    }
}

/* Sums of one output channel. The order, input outermost and dx innermost, is part of the
 * definition. */
NATIVE_VERSIONS static void native_sum_window(const struct native_window *window,
                                              const float *weights, ptrdiff_t count, float *sums)
{
    for (ptrdiff_t i = 0; i < count; i++)
        sums[i] = 0.0f;
    for (int input = 0; input < 3; input++)
        for (int k = 0; k < 3; k++, weights += 3) {
            const float *line = window->line[input][k];
            float left = weights[0], middle = weights[1], right = weights[2];
            for (ptrdiff_t i = 0; i < count; i++) {
                float sum = sums[i] + left * line[i];
                sum = sum + middle * line[i + 1];
                sums[i] = sum + right * line[i + 2];
            }
        }
}

/* Rounds the sums of one output channel to every third element. */
NATIVE_VERSIONS static void native_store_sums(const float *sums, ptrdiff_t count, uint8_t *elements)
{
    uint8_t rounded[NATIVE_PIXEL_BLOCK];

    for (ptrdiff_t i = 0; i < count; i++)
        rounded[i] = native_round_float(sums[i]);
    for (ptrdiff_t i = 0; i < count; i++)
        elements[3 * i] = rounded[i];
}

static void native_conv3x3x3_row(const struct native_job *job, ptrdiff_t y, ptrdiff_t begin,
                                 ptrdiff_t end)
{
    const float *weights = job->extra;
    uint8_t *dst = (uint8_t *)job->dst + native_to(&job->tile, y, begin);
    struct native_window window;
    float sums[NATIVE_PIXEL_BLOCK];
    uint8_t elements[3 * NATIVE_PIXEL_BLOCK];

    /* A tile may begin and end inside a pixel: whole pixels are made, what belongs to the tile is
     * stored. */
    for (ptrdiff_t pixel = begin / 3; pixel * 3 < end; pixel += NATIVE_PIXEL_BLOCK) {
        ptrdiff_t count = (end + 2) / 3 - pixel;
        count = count < NATIVE_PIXEL_BLOCK ? count : NATIVE_PIXEL_BLOCK;
        native_fill_window(job, y, pixel, count, &window);
        for (ptrdiff_t output = 0; output < 3; output++) {
            native_sum_window(&window, weights + 27 * output, count, sums);
            native_store_sums(sums, count, elements + output);
        }
        ptrdiff_t first = native_clamp(begin, 3 * pixel, 3 * (pixel + count));
        ptrdiff_t last = native_clamp(end, first, 3 * (pixel + count));
        memcpy(dst + (first - begin), elements + (first - 3 * pixel), (size_t)(last - first));
    }
}

int filters_native_conv3x3x3(const fgpu_range *range, void *const *args, void *user)
{
    struct native_job job = {.src = args[0],
                             .dst = args[1],
                             .extra = args[2],
                             .row = native_conv3x3x3_row,
                             .item = 16,
                             .dst_bytes = 1};

    (void)user;
    native_read_tile(&job.tile, args + 3);
    return native_run(range, &job);
}
