/* The image filters, written once more straight from their definitions: one sample at a time, in
 * double precision, with rounding by floor(x + 1/2), on packed rows. Slow and plain; shares nothing
 * with the filters that it judges.
 *
 * All sums of the integer filters are below 2^53, so that double arithmetic is exact and results
 * must be equal bit for bit. Where the filters add in float, the reference gives the exact value,
 * and the tolerance is derived there.
 */
#ifndef FASTGPU_TESTS_LIB_IMAGE_REFERENCE_H
#define FASTGPU_TESTS_LIB_IMAGE_REFERENCE_H

#include <stdint.h>

/* A packed picture of any sample type, as doubles. */
struct reference_picture {
    int width, height, channels;
    double *samples; /* (x, y, c) at (y * width + x) * channels + c */
};

/* Makes the samples (zero), or ends the process. */
void reference_init(struct reference_picture *picture, int width, int height, int channels);
void reference_fini(struct reference_picture *picture);

/* Sample with the border repeated beyond the edges. */
double reference_at(const struct reference_picture *picture, int x, int y, int channel);

/* Each makes `out` (initialised here) from `in`. */
void reference_grey(const struct reference_picture *in, struct reference_picture *out);
void reference_blur_horizontal(const struct reference_picture *in, const int32_t *weights,
                               int radius, struct reference_picture *out);
void reference_blur_vertical(const struct reference_picture *in, const int32_t *weights, int radius,
                             struct reference_picture *out);
void reference_sobel(const struct reference_picture *in, struct reference_picture *out);
void reference_sharpen(const struct reference_picture *in, const struct reference_picture *blurred,
                       int amount, struct reference_picture *out);
void reference_conv3x3(const struct reference_picture *in, const int32_t *weights,
                       struct reference_picture *out);
void reference_blur_2d(const struct reference_picture *in, const int32_t *weights, int radius,
                       struct reference_picture *out);
void reference_median3x3(const struct reference_picture *in, struct reference_picture *out);
void reference_halve(const struct reference_picture *in, struct reference_picture *out);
void reference_lookup(const struct reference_picture *in, const unsigned char *table,
                      int has_channels, struct reference_picture *out);
void reference_to_float(const struct reference_picture *in, float scale,
                        struct reference_picture *out);

/* How many samples of the channel have the value, in the rows begin <= y < end. */
uint32_t reference_count(const struct reference_picture *in, int begin, int end, int channel,
                         int value);

/* What histogram equalisation makes of the value, from counts of all 256. */
int reference_equalise(const uint32_t *counts, int value);

/* These two give the exact value before limiting and rounding, and how far a float sum may be from
 * it. */
void reference_from_float(const struct reference_picture *in, float scale,
                          struct reference_picture *out, struct reference_picture *tolerance);
void reference_conv3x3x3(const struct reference_picture *in, const float *weights,
                         struct reference_picture *out, struct reference_picture *tolerance);

/* Whether `got` (0..255) is `exact` limited and rounded, when the value was known to within
 * `tolerance`. */
int reference_is_rounded(double got, double exact, double tolerance);

#endif
