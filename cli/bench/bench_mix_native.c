/* The kernels of cli/filters/kernels/mix.cl in C: see bench_mix_native.h. The order of sums is that
 * of the kernels; loops run along rows, so that they are vectorised. */
#include "cli/bench/bench_mix_native.h"

#include <string.h>

#include "cli/filters/filters_tile.h"

#define MIX_BINS 1024
#define MIX_WINDOW 7

/* A group as the rectangle of work items that it is. */
struct mix_group {
    uint64_t x[2], y[2]; /* begin, end */
};

static struct mix_group mix_find_group(const fgpu_range *range, uint64_t group)
{
    uint64_t column = group % range->groups[0], line = group / range->groups[0];
    struct mix_group found = {{column * range->local[0], (column + 1) * range->local[0]},
                              {line * range->local[1], (line + 1) * range->local[1]}};

    if (found.x[1] > range->global[0])
        found.x[1] = range->global[0];
    if (found.y[1] > range->global[1])
        found.y[1] = range->global[1];
    return found;
}

static int mix_scalar(const void *arg)
{
    int32_t value;

    memcpy(&value, arg, sizeof value);
    return value;
}

NATIVE_INLINE float mix_window(const float *src, const float *window, const int at[2],
                               const int shape[2])
{
    float sum = 0.0f;

    for (int j = -3; j <= 3; j++)
        for (int i = -3; i <= 3; i++) {
            ptrdiff_t row = native_clamp(at[1] + j, 0, shape[1] - 1);
            ptrdiff_t column = native_clamp(at[0] + i, 0, shape[0] - 1);
            sum += window[(j + 3) * MIX_WINDOW + i + 3] * src[row * shape[0] + column];
        }
    return sum;
}

/* A piece of a row: near the border sample by sample, else tap by tap over the piece. */
NATIVE_VERSIONS static void mix_convolve_row(const float *src, const float *window, float *dst,
                                             const int piece[3], const int shape[2])
{
    int begin = piece[0], end = piece[1], y = piece[2], width = shape[0];
    bool is_inside = y >= 3 && y < shape[1] - 3;

    for (int x = begin; x < end; x++) {
        int at[2] = {x, y};
        if (!is_inside || x < 3 || x >= width - 3)
            dst[y * width + x] = mix_window(src, window, at, shape);
    }
    int first = begin < 3 ? 3 : begin, last = end > width - 3 ? width - 3 : end;
    if (!is_inside || first >= last)
        return;
    for (int x = first; x < last; x++)
        dst[y * width + x] = 0.0f;
    for (int j = -3; j <= 3; j++)
        for (int i = -3; i <= 3; i++) {
            const float *line = src + (y + j) * width + i;
            float weight = window[(j + 3) * MIX_WINDOW + i + 3];
            for (int x = first; x < last; x++)
                dst[y * width + x] += weight * line[x];
        }
}

static int mix_convolve(const fgpu_range *range, void *const *args, void *user)
{
    int shape[2] = {mix_scalar(args[3]), mix_scalar(args[4])};

    (void)user;
    for (uint64_t g = range->group_begin; g < range->group_end; g++) {
        struct mix_group group = mix_find_group(range, g);
        for (uint64_t y = group.y[0]; y < group.y[1]; y++) {
            int piece[3] = {(int)group.x[0], (int)group.x[1], (int)y};
            mix_convolve_row(args[0], args[1], args[2], piece, shape);
        }
    }
    return 0;
}

NATIVE_VERSIONS static void mix_multiply_row(const float *a, const float *b, float *c,
                                             const int piece[3], int size)
{
    int begin = piece[0], end = piece[1], y = piece[2];

    for (int x = begin; x < end; x++)
        c[y * size + x] = 0.0f;
    for (int k = 0; k < size; k++)
        for (int x = begin; x < end; x++)
            c[y * size + x] += a[y * size + k] * b[k * size + x];
}

static int mix_multiply(const fgpu_range *range, void *const *args, void *user)
{
    int size = mix_scalar(args[3]);

    (void)user;
    for (uint64_t g = range->group_begin; g < range->group_end; g++) {
        struct mix_group group = mix_find_group(range, g);
        for (uint64_t y = group.y[0]; y < group.y[1]; y++) {
            int piece[3] = {(int)group.x[0], (int)group.x[1], (int)y};
            mix_multiply_row(args[0], args[1], args[2], piece, size);
        }
    }
    return 0;
}

/* On 64 atoms at a time: their sums run side by side over the others. */
#define MIX_ATOMS 64

NATIVE_VERSIONS static void mix_forces_block(const float *place, float *force, int begin,
                                             const int counts[2])
{
    float x[MIX_ATOMS], y[MIX_ATOMS], z[MIX_ATOMS];
    float fx[MIX_ATOMS] = {0}, fy[MIX_ATOMS] = {0}, fz[MIX_ATOMS] = {0};
    int items = counts[0], count = counts[1];

    for (int i = 0; i < items; i++) {
        x[i] = place[3 * (begin + i)];
        y[i] = place[3 * (begin + i) + 1];
        z[i] = place[3 * (begin + i) + 2];
    }
    for (int k = 0; k < count; k++)
        for (int i = 0; i < items; i++) {
            float dx = x[i] - place[3 * k], dy = y[i] - place[3 * k + 1];
            float dz = z[i] - place[3 * k + 2];
            float square = dx * dx + dy * dy + dz * dz + 0.5f;
            float inverse = 1.0f / square;
            float sixth = inverse * inverse * inverse;
            float size = (24.0f * sixth * (2.0f * sixth - 1.0f)) * inverse;
            fx[i] += size * dx;
            fy[i] += size * dy;
            fz[i] += size * dz;
        }
    for (int i = 0; i < items; i++) {
        force[3 * (begin + i)] = fx[i];
        force[3 * (begin + i) + 1] = fy[i];
        force[3 * (begin + i) + 2] = fz[i];
    }
}

static int mix_forces(const fgpu_range *range, void *const *args, void *user)
{
    int count = mix_scalar(args[2]);

    (void)user;
    for (uint64_t g = range->group_begin; g < range->group_end; g++) {
        struct mix_group group = mix_find_group(range, g);
        for (int i = (int)group.x[0]; i < (int)group.x[1]; i += MIX_ATOMS) {
            int left = (int)group.x[1] - i;
            int counts[2] = {left < MIX_ATOMS ? left : MIX_ATOMS, count};
            mix_forces_block(args[0], args[1], i, counts);
        }
    }
    return 0;
}

static int mix_count(const fgpu_range *range, void *const *args, void *user)
{
    const uint8_t *text = args[0];
    uint32_t *bins = args[3];
    int bytes = mix_scalar(args[2]);

    (void)user;
    if (range->group_begin == range->group_end)
        return 0;
    memset(bins, 0, MIX_BINS * sizeof *bins);
    for (int k = 0; k < bytes - 1; k++)
        bins[(text[k] & 31) * 32 + (text[k + 1] & 31)]++;
    memcpy(args[1], bins, MIX_BINS * sizeof *bins);
    return 0;
}

NATIVE_VERSIONS static void mix_flow_row(const float *from, float *to, const int piece[3],
                                         const int shape[2])
{
    int begin = piece[0], end = piece[1], y = piece[2], width = shape[0];
    const float *here = from + y * width;
    bool is_border = y == 0 || y == shape[1] - 1;
    int first = begin == 0 ? 1 : begin, last = end == width ? width - 1 : end;

    if (is_border) {
        memcpy(to + y * width + begin, here + begin, (size_t)(end - begin) * sizeof *to);
        return;
    }
    if (begin == 0)
        to[y * width] = here[0];
    if (end == width)
        to[y * width + width - 1] = here[width - 1];
    for (int x = first; x < last; x++)
        to[y * width + x] = here[x] + 0.2f * (here[x - 1] + here[x + 1] + here[x - width] +
                                              here[x + width] - 4.0f * here[x]);
}

static int mix_flow(const fgpu_range *range, void *const *args, void *user)
{
    int shape[2] = {mix_scalar(args[2]), mix_scalar(args[3])};

    (void)user;
    for (uint64_t g = range->group_begin; g < range->group_end; g++) {
        struct mix_group group = mix_find_group(range, g);
        for (uint64_t y = group.y[0]; y < group.y[1]; y++) {
            int piece[3] = {(int)group.x[0], (int)group.x[1], (int)y};
            mix_flow_row(args[0], args[1], piece, shape);
        }
    }
    return 0;
}

fgpu_native_fn bench_mix_native(const char *kernel)
{
    static const struct {
        const char *name;
        fgpu_native_fn function;
    } all[] = {{"mix_convolve", mix_convolve},
               {"mix_multiply", mix_multiply},
               {"mix_forces", mix_forces},
               {"mix_count", mix_count},
               {"mix_flow", mix_flow}};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(all[i].name, kernel) == 0)
            return all[i].function;
    return NULL;
}
