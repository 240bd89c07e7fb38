/* Native filters of tables: histogram, equalisation, lookup. See filters_native.h; the definitions
 * stand in cli/kernels. */
#include "cli/filters/filters_native.h"

#include "cli/filters/filters_tile.h"

#define NATIVE_VALUES 256

/* Tables of counts that neighbouring samples take in turn, so that one need not wait for the other.
 */
#define NATIVE_COUNTERS 4

/* Calls `make` for the channel of each line of groups, by the group with the first item: the rest
 * of a channel's group has nothing to do. */
static int native_each_channel(const fgpu_range *range, void *const *args,
                               void (*make)(void *const *args, const struct native_tile *tile,
                                            ptrdiff_t channel))
{
    struct native_tile tile;

    native_read_tile(&tile, args + 2);
    for (uint64_t group = range->group_begin; group < range->group_end; group++) {
        uint64_t line = group / range->groups[0] * range->local[1];
        if (group % range->groups[0] != 0)
            continue;
        for (uint64_t y = line; y < line + range->local[1] && y < range->global[1]; y++)
            make(args, &tile, (ptrdiff_t)y);
    }
    return 0;
}

static void native_count(const uint8_t *row, ptrdiff_t pixels, ptrdiff_t channels,
                         uint32_t counts[NATIVE_COUNTERS][NATIVE_VALUES])
{
    ptrdiff_t x = 0;

    for (; x + NATIVE_COUNTERS <= pixels; x += NATIVE_COUNTERS)
        for (ptrdiff_t k = 0; k < NATIVE_COUNTERS; k++)
            counts[k][row[(x + k) * channels]]++;
    for (; x < pixels; x++)
        counts[0][row[x * channels]]++;
}

static void native_histogram(void *const *args, const struct native_tile *tile, ptrdiff_t channel)
{
    uint32_t counts[NATIVE_COUNTERS][NATIVE_VALUES] = {0};
    uint32_t *dst = (uint32_t *)args[1] + NATIVE_VALUES * channel;

    for (ptrdiff_t y = 0; y < tile->height; y++)
        native_count((const uint8_t *)args[0] + y * tile->from_pitch + channel,
                     tile->row_elements / tile->channels, tile->channels, counts);
    for (int v = 0; v < NATIVE_VALUES; v++)
        dst[v] = counts[0][v] + counts[1][v] + counts[2][v] + counts[3][v];
}

int filters_native_histogram(const fgpu_range *range, void *const *args, void *user)
{
    (void)user;
    return native_each_channel(range, args, native_histogram);
}

static void native_equalise(void *const *args, const struct native_tile *tile, ptrdiff_t channel)
{
    const uint32_t *src = args[0];
    uint8_t *dst = (uint8_t *)args[1] + NATIVE_VALUES * channel;
    uint32_t sums[NATIVE_VALUES], sum = 0, first = 0;

    for (int v = 0; v < NATIVE_VALUES; v++) {
        for (ptrdiff_t k = 0; k < tile->height; k++)
            sum += src[(k * tile->channels + channel) * NATIVE_VALUES + v];
        sums[v] = sum;
        first = first == 0 ? sum : first;
    }
    for (int v = 0; v < NATIVE_VALUES; v++) {
        uint64_t above = sums[v] > first ? sums[v] - first : 0, range = sum - first;
        dst[v] = (uint8_t)(range == 0 ? (uint64_t)v : (above * 510 + range) / (2 * range));
    }
}

int filters_native_equalise_table(const fgpu_range *range, void *const *args, void *user)
{
    (void)user;
    return native_each_channel(range, args, native_equalise);
}

static void native_lookup_row(const struct native_job *job, ptrdiff_t y, ptrdiff_t begin,
                              ptrdiff_t end)
{
    const struct native_tile *tile = &job->tile;
    const uint8_t *src = (const uint8_t *)job->src + native_from(tile, y, begin);
    uint8_t *restrict dst = (uint8_t *)job->dst + native_to(tile, y, begin);
    const uint8_t *table = job->extra;
    ptrdiff_t channels = tile->option ? tile->channels : 1, channel = begin % channels;

    for (ptrdiff_t e = 0; e < end - begin; e++) {
        dst[e] = table[NATIVE_VALUES * channel + src[e]];
        channel = channel + 1 == channels ? 0 : channel + 1;
    }
}

int filters_native_lookup(const fgpu_range *range, void *const *args, void *user)
{
    struct native_job job = {.src = args[0],
                             .dst = args[1],
                             .extra = args[2],
                             .row = native_lookup_row,
                             .item = 16,
                             .dst_bytes = 1};

    (void)user;
    native_read_tile(&job.tile, args + 3);
    return native_run(range, &job);
}
