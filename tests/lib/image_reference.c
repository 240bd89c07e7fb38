/* The image filters from their definitions: see image_reference.h. One thread, no state. */
#include "lib/image_reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Unit round-off of float: an operation's result is within that relative distance of the exact one.
 */
#define REFERENCE_UNIT (1.0 / 16777216.0)

void reference_init(struct reference_picture *picture, int width, int height, int channels)
{
    *picture = (struct reference_picture){width, height, channels, NULL};
    picture->samples =
        calloc((size_t)width * (size_t)height * (size_t)channels, sizeof *picture->samples);
    if (!picture->samples) {
        fprintf(stderr, "no memory for a reference picture\n");
        exit(1);
    }
}

void reference_fini(struct reference_picture *picture)
{
    free(picture->samples);
    picture->samples = NULL;
}

double reference_at(const struct reference_picture *picture, int x, int y, int channel)
{
    x = x < 0 ? 0 : x >= picture->width ? picture->width - 1 : x;
    y = y < 0 ? 0 : y >= picture->height ? picture->height - 1 : y;
    return picture->samples[((long)y * picture->width + x) * picture->channels + channel];
}

static double *reference_sample(struct reference_picture *picture, int x, int y, int channel)
{
    return &picture->samples[((long)y * picture->width + x) * picture->channels + channel];
}

static double reference_round(double value)
{
    return floor(value + 0.5);
}

static double reference_limit(double value)
{
    return value < 0.0 ? 0.0 : value > 255.0 ? 255.0 : value;
}

/* Walks all samples of `picture`, columns outermost, the channel innermost. */
#define REFERENCE_EACH(picture, x, y, c)                                                           \
    for (int x = 0; x < (picture)->width; x++)                                                     \
        for (int y = 0; y < (picture)->height; y++)                                                \
            for (int c = 0; c < (picture)->channels; c++)

void reference_grey(const struct reference_picture *in, struct reference_picture *out)
{
    reference_init(out, in->width, in->height, 1);
    REFERENCE_EACH(out, x, y, c)
    {
        double value = reference_at(in, x, y, 0);
        if (in->channels > 1)
            value = reference_round(
                (77 * value + 150 * reference_at(in, x, y, 1) + 29 * reference_at(in, x, y, 2)) /
                256.0);
        *reference_sample(out, x, y, c) = value;
    }
}

/* Weighted mean of 2 radius + 1 samples in a line; the weights sum to 2^14. */
static double reference_mean(const struct reference_picture *in, const int32_t *weights, int radius,
                             const int place[3], int is_vertical)
{
    double sum = 0.0;

    for (int k = -radius; k <= radius; k++)
        sum += weights[radius + k] * reference_at(in, place[0] + (is_vertical ? 0 : k),
                                                  place[1] + (is_vertical ? k : 0), place[2]);
    return sum / 16384.0;
}

void reference_blur_horizontal(const struct reference_picture *in, const int32_t *weights,
                               int radius, struct reference_picture *out)
{
    reference_init(out, in->width, in->height, in->channels);
    REFERENCE_EACH(out, x, y, c)
    {
        const int place[3] = {x, y, c};
        *reference_sample(out, x, y, c) =
            reference_round(256.0 * reference_mean(in, weights, radius, place, 0));
    }
}

void reference_blur_vertical(const struct reference_picture *in, const int32_t *weights, int radius,
                             struct reference_picture *out)
{
    reference_init(out, in->width, in->height, in->channels);
    REFERENCE_EACH(out, x, y, c)
    {
        const int place[3] = {x, y, c};
        *reference_sample(out, x, y, c) =
            reference_round(reference_mean(in, weights, radius, place, 1) / 256.0);
    }
}

void reference_sobel(const struct reference_picture *in, struct reference_picture *out)
{
    static const double horizontal[3][3] = {{-1, 0, 1}, {-2, 0, 2}, {-1, 0, 1}};

    reference_init(out, in->width, in->height, in->channels);
    REFERENCE_EACH(out, x, y, c)
    {
        double gx = 0.0, gy = 0.0;
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++) {
                gx += horizontal[j][i] * reference_at(in, x + i - 1, y + j - 1, c);
                gy += horizontal[i][j] * reference_at(in, x + i - 1, y + j - 1, c);
            }
        *reference_sample(out, x, y, c) = reference_limit(reference_round(hypot(gx, gy)));
    }
}

void reference_sharpen(const struct reference_picture *in, const struct reference_picture *blurred,
                       int amount, struct reference_picture *out)
{
    reference_init(out, in->width, in->height, in->channels);
    REFERENCE_EACH(out, x, y, c)
    {
        double sample = reference_at(in, x, y, c);
        double detail = amount / 256.0 * (sample - reference_at(blurred, x, y, c));
        *reference_sample(out, x, y, c) = reference_limit(sample + reference_round(detail));
    }
}

void reference_conv3x3(const struct reference_picture *in, const int32_t *weights,
                       struct reference_picture *out)
{
    reference_init(out, in->width, in->height, in->channels);
    REFERENCE_EACH(out, x, y, c)
    {
        double sum = 0.0;
        for (int i = 0; i < 9; i++)
            sum += weights[i] * reference_at(in, x + i % 3 - 1, y + i / 3 - 1, c);
        sum = reference_round(ldexp(sum, -weights[9]));
        *reference_sample(out, x, y, c) = reference_limit(sum + weights[10]);
    }
}

void reference_blur_2d(const struct reference_picture *in, const int32_t *weights, int radius,
                       struct reference_picture *out)
{
    int size = 2 * radius + 1;

    reference_init(out, in->width, in->height, in->channels);
    REFERENCE_EACH(out, x, y, c)
    {
        double sum = 0.0;
        for (int i = 0; i < size * size; i++)
            sum += weights[i] * reference_at(in, x + i % size - radius, y + i / size - radius, c);
        *reference_sample(out, x, y, c) = reference_round(sum / 16384.0);
    }
}

static int reference_compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

void reference_median3x3(const struct reference_picture *in, struct reference_picture *out)
{
    reference_init(out, in->width, in->height, in->channels);
    REFERENCE_EACH(out, x, y, c)
    {
        double samples[9];
        for (int i = 0; i < 9; i++)
            samples[i] = reference_at(in, x + i % 3 - 1, y + i / 3 - 1, c);
        qsort(samples, 9, sizeof samples[0], reference_compare);
        *reference_sample(out, x, y, c) = samples[4];
    }
}

void reference_halve(const struct reference_picture *in, struct reference_picture *out)
{
    reference_init(out, (in->width + 1) / 2, (in->height + 1) / 2, in->channels);
    REFERENCE_EACH(out, x, y, c)
    {
        double sum = 0.0;
        for (int i = 0; i < 4; i++)
            sum += reference_at(in, 2 * x + i % 2, 2 * y + i / 2, c);
        *reference_sample(out, x, y, c) = reference_round(sum / 4.0);
    }
}

void reference_lookup(const struct reference_picture *in, const unsigned char *table,
                      int has_channels, struct reference_picture *out)
{
    reference_init(out, in->width, in->height, in->channels);
    REFERENCE_EACH(out, x, y, c)
    *reference_sample(out, x, y, c) =
        table[(has_channels ? 256 * c : 0) + (int)reference_at(in, x, y, c)];
}

uint32_t reference_count(const struct reference_picture *in, int begin, int end, int channel,
                         int value)
{
    uint32_t count = 0;

    for (int y = begin; y < end; y++)
        for (int x = 0; x < in->width; x++)
            count += reference_at(in, x, y, channel) == value;
    return count;
}

int reference_equalise(const uint32_t *counts, int value)
{
    double total = 0.0, until = 0.0, least = 0.0;

    for (int v = 0; v < 256; v++) {
        total += counts[v];
        until += v <= value ? counts[v] : 0;
        least = least == 0.0 ? counts[v] : least;
    }
    if (total == least)
        return value;
    return (int)reference_limit(reference_round(255.0 * (until - least) / (total - least)));
}

void reference_to_float(const struct reference_picture *in, float scale,
                        struct reference_picture *out)
{
    reference_init(out, in->width, in->height, in->channels);
    /* 8 bits times 24 bits are exact in double: one rounding to float remains, as in the filter. */
    REFERENCE_EACH(out, x, y, c)
    *reference_sample(out, x, y, c) = (float)(reference_at(in, x, y, c) * (double)scale);
}

/* Two roundings to float happen in the filter: the product, and adding one half (at most 255.5). */
void reference_from_float(const struct reference_picture *in, float scale,
                          struct reference_picture *out, struct reference_picture *tolerance)
{
    reference_init(out, in->width, in->height, in->channels);
    reference_init(tolerance, in->width, in->height, in->channels);
    REFERENCE_EACH(out, x, y, c)
    {
        double exact = reference_at(in, x, y, c) * (double)scale;
        *reference_sample(out, x, y, c) = exact;
        *reference_sample(tolerance, x, y, c) =
            REFERENCE_UNIT * (fabs(reference_limit(exact)) + 256.0);
    }
}

/* A sum of n products, each operation rounded, is within n u / (1 - n u) times the sum of
 * magnitudes of the exact one (N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed.,
 * section 3.1: n additions to a start of 0 and one product each, so n = 28 covers every term);
 * adding one half at the end rounds once more. */
void reference_conv3x3x3(const struct reference_picture *in, const float *weights,
                         struct reference_picture *out, struct reference_picture *tolerance)
{
    const double gamma = 28.0 * REFERENCE_UNIT / (1.0 - 28.0 * REFERENCE_UNIT);

    reference_init(out, in->width, in->height, 3);
    reference_init(tolerance, in->width, in->height, 3);
    REFERENCE_EACH(out, x, y, c)
    {
        double sum = 0.0, magnitude = 0.0;
        for (int i = 0; i < 27; i++) {
            double product = (double)weights[27 * c + i] *
                             reference_at(in, x + i % 3 - 1, y + i / 3 % 3 - 1, i / 9);
            sum += product;
            magnitude += fabs(product);
        }
        *reference_sample(out, x, y, c) = sum;
        *reference_sample(tolerance, x, y, c) = gamma * magnitude + 256.0 * REFERENCE_UNIT;
    }
}

int reference_is_rounded(double got, double exact, double tolerance)
{
    double low = reference_round(reference_limit(exact - tolerance));
    double high = reference_round(reference_limit(exact + tolerance));

    return got >= low && got <= high;
}
