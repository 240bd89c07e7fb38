/* What the mix must make, computed slowly in double precision: see bench_mix_native.h. */
#include "cli/bench/bench_mix_native.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/why.h"

/* A float sum of n terms loses at most about n 2^-24 of the sum of their sizes; n is below 1000. */
#define MIX_LOSS 1e-4

static const unsigned char *mix_find(const struct workload *workload,
                                     const struct workload_data *data, const char *name)
{
    for (uint32_t i = 0; i < workload->buffer_count; i++)
        if (strcmp(workload->buffers[i].name, name) == 0)
            return data->memory[i];
    return NULL;
}

/* A value, and the sum of the sizes of what it is made of. */
struct mix_value {
    double sum, sizes;
};

static void mix_add(struct mix_value *value, double term)
{
    value->sum += term;
    value->sizes += fabs(term);
}

static int mix_near(int at, int count)
{
    return at < 0 ? 0 : at >= count ? count - 1 : at;
}

static struct mix_value mix_smooth(const float *src, const float *window, int at, int side)
{
    struct mix_value value = {0};

    for (int j = -3; j <= 3; j++)
        for (int i = -3; i <= 3; i++)
            mix_add(&value,
                    (double)window[(j + 3) * 7 + i + 3] *
                        src[mix_near(at / side + j, side) * side + mix_near(at % side + i, side)]);
    return value;
}

static struct mix_value mix_product(const float *a, const float *b, int at, int size)
{
    struct mix_value value = {0};

    for (int k = 0; k < size; k++)
        mix_add(&value, (double)a[at / size * size + k] * b[k * size + at % size]);
    return value;
}

static struct mix_value mix_force(const float *place, int at, int count)
{
    const float *me = place + at / 3 * 3;
    struct mix_value value = {0};

    for (int k = 0; k < count; k++) {
        double d[3], square = 0.5;
        for (int c = 0; c < 3; c++) {
            d[c] = (double)me[c] - place[3 * k + c];
            square += d[c] * d[c];
        }
        double sixth = 1.0 / (square * square * square);
        mix_add(&value, 24.0 * sixth * (2.0 * sixth - 1.0) / square * d[at % 3]);
        value.sizes += 24.0 * sixth / square; /* the two terms nearly cancel somewhere */
    }
    return value;
}

/* The last buffer of the flow: as many steps as there are buffers before it. */
static bool mix_check_flow(const float *from, int side, int steps, const float *got)
{
    size_t count = (size_t)side * (size_t)side;
    double *now = malloc(count * sizeof *now), *next = malloc(count * sizeof *next);
    bool is_good = now && next;

    for (size_t i = 0; i < count && is_good; i++)
        now[i] = next[i] = (double)from[i];
    for (int s = 0; s < steps && is_good; s++) {
        for (int y = 1; y < side - 1; y++)
            for (int x = 1; x < side - 1; x++) {
                int at = y * side + x;
                next[at] = now[at] + 0.2 * (now[at - 1] + now[at + 1] + now[at - side] +
                                            now[at + side] - 4.0 * now[at]);
            }
        double *kept = now;
        now = next;
        next = kept;
    }
    for (size_t i = 0; i < count && is_good; i++)
        is_good = fabs(now[i] - (double)got[i]) <= MIX_LOSS;
    free(now);
    free(next);
    return is_good;
}

static bool mix_check_pairs(const unsigned char *text, size_t bytes, const uint32_t *got)
{
    uint32_t counts[1024] = {0};

    for (size_t i = 0; i + 1 < bytes; i++)
        counts[(text[i] & 31) * 32 + (text[i + 1] & 31)]++;
    return memcmp(counts, got, sizeof counts) == 0;
}

/* The buffers of floats, element by element. */
static bool mix_check_floats(const struct workload *workload, const struct workload_data *data,
                             const struct workload_buffer *buffer, const float *got)
{
    int number = atoi(strchr(buffer->name, '_') + 1), side = (int)buffer->shape[0];
    uint64_t count = buffer->size_bytes / sizeof *got;
    char name[32];

    const char *from = buffer->name[0] == 's' ? "scan" : buffer->name[0] == 'c' ? "a" : "place";
    (void)snprintf(name, sizeof name, "%s_%d", from, number);
    const float *source = (const float *)(const void *)mix_find(workload, data, name);
    const float *other = (const float *)(const void *)mix_find(
        workload, data, buffer->name[0] == 's' ? "window" : "b");
    for (uint64_t i = 0; i < count && source && other; i++) {
        struct mix_value want = buffer->name[0] == 's'   ? mix_smooth(source, other, (int)i, side)
                                : buffer->name[0] == 'c' ? mix_product(source, other, (int)i, side)
                                                         : mix_force(source, (int)i, side);
        if (!(fabs(want.sum - (double)got[i]) <= MIX_LOSS * want.sizes))
            return false;
    }
    return source && other;
}

bool bench_mix_check(const struct workload *workload, const struct workload_data *data,
                     uint32_t number, const unsigned char *memory, char *why, size_t why_bytes)
{
    const struct workload_buffer *buffer = &workload->buffers[number];
    const char *rest = strchr(buffer->name, '_');
    char name[32];
    bool is_good;

    if (!rest)
        return false;
    if (buffer->type == ELEMENT_UINT32) {
        (void)snprintf(name, sizeof name, "text_%.16s", rest + 1);
        const unsigned char *text = mix_find(workload, data, name);
        size_t bytes = 0;
        for (uint32_t i = 0; i < workload->buffer_count; i++)
            if (strcmp(workload->buffers[i].name, name) == 0)
                bytes = workload->buffers[i].size_bytes;
        is_good = text && mix_check_pairs(text, bytes, (const uint32_t *)(const void *)memory);
    } else if (buffer->name[0] == 'f' && buffer->name[1] == 'l') {
        const float *from = (const float *)(const void *)mix_find(workload, data, "flow_0");
        is_good = from && mix_check_flow(from, (int)buffer->shape[0], atoi(rest + 1),
                                         (const float *)(const void *)memory);
    } else {
        is_good = mix_check_floats(workload, data, buffer, (const float *)(const void *)memory);
    }
    if (!is_good)
        (void)why_fail(FGPU_E_TASK, why, why_bytes, "%s is not what it must be", buffer->name);
    return is_good;
}
