/* Native filters of square windows: median, blur, and the halving of a picture. See
 * filters_native.h; the definitions stand in cli/kernels. */
#include "cli/filters/filters_native.h"

#include "cli/filters/filters.h"
#include "cli/filters/filters_tile.h"

/* ---- median */

NATIVE_INLINE uint8_t native_min(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

NATIVE_INLINE uint8_t native_max(uint8_t a, uint8_t b)
{
    return a > b ? a : b;
}

NATIVE_INLINE uint8_t native_middle(uint8_t a, uint8_t b, uint8_t c)
{
    return native_max(native_min(a, b), native_min(native_max(a, b), c));
}

/* Least, middle and greatest of a column of three. */
struct native_column {
    uint8_t low, middle, high;
};

NATIVE_INLINE struct native_column native_sort(const struct native_rows *rows, ptrdiff_t e)
{
    uint8_t a = rows->line[0][e], b = rows->line[1][e], c = rows->line[2][e];
    struct native_column column = {native_min(native_min(a, b), c), native_middle(a, b, c),
                                   native_max(native_max(a, b), c)};

    return column;
}

NATIVE_INLINE uint8_t native_median(const struct native_rows *rows, ptrdiff_t e, ptrdiff_t left,
                                    ptrdiff_t right)
{
    struct native_column a = native_sort(rows, e - left), b = native_sort(rows, e),
                         c = native_sort(rows, e + right);

    return native_middle(native_max(native_max(a.low, b.low), c.low),
                         native_middle(a.middle, b.middle, c.middle),
                         native_min(native_min(a.high, b.high), c.high));
}

NATIVE_VERSIONS static void native_median3x3_row(const struct native_job *job, ptrdiff_t y,
                                                 ptrdiff_t begin, ptrdiff_t end)
{
    const struct native_tile *tile = &job->tile;
    struct native_rows rows = native_rows_around(job, y, begin);
    uint8_t *restrict dst = (uint8_t *)job->dst + native_to(tile, y, begin);
    ptrdiff_t channels = tile->channels, inner[2];

    native_inner(tile, channels, (const ptrdiff_t[2]){begin, end}, inner);
    for (ptrdiff_t e = begin; e < inner[0]; e++)
        dst[e - begin] =
            native_median(&rows, e - begin, native_left(tile, e), native_right(tile, e));
    for (ptrdiff_t e = inner[0] - begin; e < inner[1] - begin; e++)
        dst[e] = native_median(&rows, e, channels, channels);
    for (ptrdiff_t e = inner[1]; e < end; e++)
        dst[e - begin] =
            native_median(&rows, e - begin, native_left(tile, e), native_right(tile, e));
}

int filters_native_median3x3(const fgpu_range *range, void *const *args, void *user)
{
    struct native_job job = {
        .src = args[0], .dst = args[1], .row = native_median3x3_row, .item = 16, .dst_bytes = 1};

    (void)user;
    native_read_tile(&job.tile, args + 2);
    return native_run(range, &job);
}

/* ---- blur */

/* Elements that are summed at a time: sums and samples stay in the first cache. Both are floats:
 * samples times weights, which sum to 2^14, stay below 2^24, so that every sum is exact. */
#define NATIVE_SQUARE_BLOCK 256

/* Taps of a row that are summed at a time, so that sums are loaded and stored less often. */
#define NATIVE_SQUARE_TAPS 3

/* Samples of a block: channels times radius more on both sides, and what the last taps reach. */
#define NATIVE_SQUARE_SAMPLES                                                                      \
    (NATIVE_SQUARE_BLOCK + 4 * (2 * FILTER_SQUARE_RADIUS_LIMIT + NATIVE_SQUARE_TAPS))

NATIVE_VERSIONS static void native_take_samples(const uint8_t *row, ptrdiff_t count,
                                                float *restrict samples)
{
    for (ptrdiff_t i = 0; i < count; i++)
        samples[i] = (float)row[i];
}

/* The elements from `begin` to `end` of a row, beyond the border the nearest of the same channel.
 * `row` points at column from_column. */
static void native_take_row(const struct native_job *job, const uint8_t *row, ptrdiff_t begin,
                            ptrdiff_t end, float *samples)
{
    ptrdiff_t channels = job->tile.channels, elements = job->tile.row_elements;
    ptrdiff_t first = native_clamp(0, begin, end), last = native_clamp(elements, first, end);

    row -= job->tile.from_column;
    native_take_samples(row + first, last - first, samples + (first - begin));
    for (ptrdiff_t e = begin; e < first; e++)
        samples[e - begin] = (float)row[(e % channels + channels) % channels];
    for (ptrdiff_t e = last; e < end; e++)
        samples[e - begin] = (float)row[elements - channels + e % channels];
}

NATIVE_VERSIONS static void native_add_taps(const float *samples, ptrdiff_t step,
                                            const float weights[NATIVE_SQUARE_TAPS],
                                            ptrdiff_t count, float *restrict sums)
{
    const float *next = samples + step, *last = samples + 2 * step;
    float first_weight = weights[0], next_weight = weights[1], last_weight = weights[2];

    for (ptrdiff_t i = 0; i < count; i++)
        sums[i] += first_weight * samples[i] + next_weight * next[i] + last_weight * last[i];
}

NATIVE_VERSIONS static void native_store_square(const float *sums, uint8_t *restrict dst,
                                                ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i++) {
        int32_t value = (int32_t)sums[i] >> 14;
        dst[i] = (uint8_t)(value < 255 ? value : 255);
    }
}

/* Adds one row of the window. [in] weights: 2 radius + 1 of them. */
static void native_add_row(const int32_t *weights, ptrdiff_t size, ptrdiff_t channels,
                           const float *samples, ptrdiff_t count, float *sums)
{
    for (ptrdiff_t k = 0; k < size; k += NATIVE_SQUARE_TAPS) {
        float taps[NATIVE_SQUARE_TAPS] = {0.0f};
        for (ptrdiff_t i = 0; i < NATIVE_SQUARE_TAPS && k + i < size; i++)
            taps[i] = (float)weights[k + i];
        native_add_taps(samples + k * channels, channels, taps, count, sums);
    }
}

/* Elements e to e + count - 1 of row y. */
static void native_blur_2d_block(const struct native_job *job, ptrdiff_t y, ptrdiff_t e,
                                 ptrdiff_t count, uint8_t *dst)
{
    const struct native_tile *tile = &job->tile;
    ptrdiff_t radius = tile->option, size = 2 * radius + 1, halo = radius * tile->channels;
    const int32_t *weights = job->extra;
    float sums[NATIVE_SQUARE_BLOCK], samples[NATIVE_SQUARE_SAMPLES] = {0.0f};

    for (ptrdiff_t i = 0; i < count; i++)
        sums[i] = 8192.0f;
    for (ptrdiff_t dy = -radius; dy <= radius; dy++, weights += size) {
        ptrdiff_t line = native_clamp(y + dy, 0, tile->height - 1);
        const uint8_t *row = (const uint8_t *)job->src + native_from(tile, line, tile->from_column);
        native_take_row(job, row, e - halo, e + count + halo, samples);
        native_add_row(weights, size, tile->channels, samples, count, sums);
    }
    native_store_square(sums, dst, count);
}

static void native_blur_2d_row(const struct native_job *job, ptrdiff_t y, ptrdiff_t begin,
                               ptrdiff_t end)
{
    uint8_t *dst = (uint8_t *)job->dst + native_to(&job->tile, y, 0);

    for (ptrdiff_t e = begin; e < end; e += NATIVE_SQUARE_BLOCK) {
        ptrdiff_t count = end - e < NATIVE_SQUARE_BLOCK ? end - e : NATIVE_SQUARE_BLOCK;
        native_blur_2d_block(job, y, e, count, dst + e);
    }
}

int filters_native_blur_2d(const fgpu_range *range, void *const *args, void *user)
{
    struct native_job job = {.src = args[0],
                             .dst = args[1],
                             .extra = args[2],
                             .row = native_blur_2d_row,
                             .item = 16,
                             .dst_bytes = 1};

    (void)user;
    native_read_tile(&job.tile, args + 3);
    return native_run(range, &job);
}

/* ---- half the size */

/* Pixels of a row that are made at a time. */
#define NATIVE_HALF_BLOCK 128

/* Sums of two rows. */
NATIVE_VERSIONS static void native_add_rows(const uint8_t *above, const uint8_t *below,
                                            ptrdiff_t count, uint16_t *restrict sums)
{
    for (ptrdiff_t i = 0; i < count; i++)
        sums[i] = (uint16_t)(above[i] + below[i]);
}

/* Pixels of one or three channels: loops that can be vectorised, for their steps are known. */
NATIVE_VERSIONS static void native_join_pairs(const uint16_t *sums, ptrdiff_t channels,
                                              ptrdiff_t count, uint8_t *restrict dst)
{
    if (channels == 1) {
        for (ptrdiff_t i = 0; i < count; i++)
            dst[i] = (uint8_t)((sums[2 * i] + sums[2 * i + 1] + 2) >> 2);
    } else if (channels == 3) {
        for (ptrdiff_t i = 0; i < count; i++) {
            dst[3 * i] = (uint8_t)((sums[6 * i] + sums[6 * i + 3] + 2) >> 2);
            dst[3 * i + 1] = (uint8_t)((sums[6 * i + 1] + sums[6 * i + 4] + 2) >> 2);
            dst[3 * i + 2] = (uint8_t)((sums[6 * i + 2] + sums[6 * i + 5] + 2) >> 2);
        }
    } else {
        for (ptrdiff_t i = 0; i < count; i++)
            for (ptrdiff_t c = 0; c < channels; c++)
                dst[channels * i + c] = (uint8_t)((sums[2 * channels * i + c] +
                                                   sums[2 * channels * i + channels + c] + 2) >>
                                                  2);
    }
}

static void native_halve_row(const struct native_job *job, ptrdiff_t y, ptrdiff_t begin,
                             ptrdiff_t end)
{
    const struct native_tile *tile = &job->tile;
    ptrdiff_t channels = tile->channels, low = 2 * y;
    ptrdiff_t high = native_clamp(low + 1, 0, tile->from_height - 1);
    const uint8_t *src = job->src;
    uint16_t sums[2 * 4 * NATIVE_HALF_BLOCK] = {0};
    uint8_t pixels[4 * NATIVE_HALF_BLOCK];

    /* A tile may begin and end inside a pixel: whole pixels are made, what belongs to the tile is
     * stored. */
    for (ptrdiff_t pixel = begin / channels; pixel * channels < end; pixel += NATIVE_HALF_BLOCK) {
        ptrdiff_t count = (end + channels - 1) / channels - pixel, e = 2 * channels * pixel;
        count = count < NATIVE_HALF_BLOCK ? count : NATIVE_HALF_BLOCK;
        ptrdiff_t there = native_clamp(tile->from_elements - e, 0, 2 * channels * count);
        native_add_rows(src + native_from(tile, low, e), src + native_from(tile, high, e), there,
                        sums);
        for (ptrdiff_t i = there; i < 2 * channels * count; i++)
            sums[i] = sums[i - channels];
        native_join_pairs(sums, channels, count, pixels);
        ptrdiff_t first = native_clamp(begin, channels * pixel, channels * (pixel + count));
        ptrdiff_t last = native_clamp(end, first, channels * (pixel + count));
        memcpy((uint8_t *)job->dst + native_to(tile, y, first), pixels + (first - channels * pixel),
               (size_t)(last - first));
    }
}

int filters_native_halve(const fgpu_range *range, void *const *args, void *user)
{
    struct native_job job = {
        .src = args[0], .dst = args[1], .row = native_halve_row, .item = 16, .dst_bytes = 1};

    (void)user;
    native_read_tile(&job.tile, args + 2);
    return native_run(range, &job);
}
