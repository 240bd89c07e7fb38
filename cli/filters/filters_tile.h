/* How a native filter walks its tile: what filters_native*.c share.
 *
 * A task reaches a worker thread as a range of work groups. Neighbouring groups of one row are
 * joined to one piece, so that the loops over a row are long enough to be vectorised; a row
 * function makes one piece of one row. Pure.
 */
#ifndef FASTGPU_CLI_FILTERS_FILTERS_TILE_H
#define FASTGPU_CLI_FILTERS_FILTERS_TILE_H

#include <string.h>

#include <fastgpu/kernel.h>

/* The loops over rows are compiled twice, and the loader takes what the processor can. Not where a
 * sanitizer is: its run time is not ready yet when the loader asks. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NATIVE_IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NATIVE_IS_SANITIZED 1
#endif
#endif
#if defined(__x86_64__) && defined(__OPTIMIZE__) && !defined(NATIVE_IS_SANITIZED)
#define NATIVE_VERSIONS __attribute__((target_clones("avx2", "default")))
#else
#define NATIVE_VERSIONS
#endif

/* What makes one sample must be part of the loop over a row, or the loop is not vectorised. */
#define NATIVE_INLINE static inline __attribute__((always_inline))

/* A tile as the kernels see it (int4 from, to, shape). */
struct native_tile {
    int32_t from_column, from_row, from_pitch, from_elements; /* in a row of the source */
    int32_t to_column, to_row, to_pitch, from_height;         /* rows of the source */
    int32_t row_elements, height, channels, option;
};

struct native_job;

/* Makes the elements begin <= e < end (columns of the picture, all inside a row) of row y of the
 * picture. */
typedef void (*native_row_fn)(const struct native_job *job, ptrdiff_t y, ptrdiff_t begin,
                              ptrdiff_t end);

/* One filter at work: the tile, and the arguments before and after it. */
struct native_job {
    struct native_tile tile;
    const void *src;
    void *dst;
    const void *extra; /* weights, the second source, or the address of scale */
    native_row_fn row;
    uint32_t item;      /* elements that a work item makes */
    uint32_t dst_bytes; /* of an element */
};

static inline void native_read_tile(struct native_tile *tile, void *const *int4_args)
{
    memcpy(&tile->from_column, int4_args[0], 16);
    memcpy(&tile->to_column, int4_args[1], 16);
    memcpy(&tile->row_elements, int4_args[2], 16);
}

static inline ptrdiff_t native_clamp(ptrdiff_t value, ptrdiff_t low, ptrdiff_t high)
{
    if (value < low)
        return low;
    return value > high ? high : value;
}

NATIVE_INLINE int native_clamp_byte(int value)
{
    if (value < 0)
        return 0;
    return value > 255 ? 255 : value;
}

/* Offset of element e of row y of the picture from where the source, or the destination, points. */
static inline ptrdiff_t native_from(const struct native_tile *tile, ptrdiff_t y, ptrdiff_t e)
{
    return (y - tile->from_row) * tile->from_pitch + (e - tile->from_column);
}

static inline ptrdiff_t native_to(const struct native_tile *tile, ptrdiff_t y, ptrdiff_t e)
{
    return (y - tile->to_row) * tile->to_pitch + (e - tile->to_column);
}

/* One piece of one row: padding is zeroed here, what is inside goes to the filter. */
static inline void native_piece(const struct native_job *job, ptrdiff_t y, ptrdiff_t begin,
                                ptrdiff_t end)
{
    ptrdiff_t inside = native_clamp(job->tile.row_elements, begin, end);

    if (begin < inside)
        job->row(job, y, begin, inside);
    if (inside < end)
        memset((char *)job->dst + native_to(&job->tile, y, inside) * job->dst_bytes, 0,
               (size_t)(end - inside) * job->dst_bytes);
}

/* Walks the groups of the range, joining neighbours in a row. */
static inline int native_run(const fgpu_range *range, const struct native_job *job)
{
    uint64_t group = range->group_begin;

    while (group < range->group_end) {
        uint64_t column = group % range->groups[0], line = group / range->groups[0];
        uint64_t count = range->groups[0] - column;
        if (count > range->group_end - group)
            count = range->group_end - group;
        uint64_t x_begin = column * range->local[0], x_end = (column + count) * range->local[0];
        uint64_t y_begin = line * range->local[1], y_end = (line + 1) * range->local[1];
        if (x_end > range->global[0])
            x_end = range->global[0];
        if (y_end > range->global[1])
            y_end = range->global[1];
        for (uint64_t y = y_begin; y < y_end; y++)
            native_piece(job, job->tile.to_row + (ptrdiff_t)y,
                         job->tile.to_column + (ptrdiff_t)(x_begin * job->item),
                         job->tile.to_column + (ptrdiff_t)(x_end * job->item));
        group += count;
    }
    return 0;
}

/* Elements at least `halo` from both ends of the picture's row need no clamping: they are
 * [inner[0], inner[1]). */
static inline void native_inner(const struct native_tile *tile, ptrdiff_t halo,
                                const ptrdiff_t piece[2], ptrdiff_t inner[2])
{
    inner[0] = native_clamp(halo, piece[0], piece[1]);
    inner[1] = native_clamp(tile->row_elements - halo, inner[0], piece[1]);
}

/* The three rows around row y, each pointing at column 0 of the picture as an offset from the
 * source: add e. */
struct native_rows {
    const uint8_t *line[3];
};

static inline struct native_rows native_rows_around(const struct native_job *job, ptrdiff_t y,
                                                    ptrdiff_t e)
{
    struct native_rows rows;

    for (ptrdiff_t k = 0; k < 3; k++)
        rows.line[k] = (const uint8_t *)job->src +
                       native_from(&job->tile, native_clamp(y + k - 1, 0, job->tile.height - 1), e);
    return rows;
}

/* Distances to the left and right neighbour of element e: none at the border of the picture. */
static inline ptrdiff_t native_left(const struct native_tile *tile, ptrdiff_t e)
{
    return e >= tile->channels ? tile->channels : 0;
}

static inline ptrdiff_t native_right(const struct native_tile *tile, ptrdiff_t e)
{
    return e + tile->channels < tile->row_elements ? tile->channels : 0;
}

#endif
