/* The weights of filters: see weights.h. Pure. */
#include "cli/common/weights.h"

#include <math.h>

void weights_gaussian(double sigma, uint32_t radius, int32_t *weights)
{
    double total = 0.0;
    int32_t given = 0;

    for (uint32_t i = 0; i <= 2 * radius; i++) {
        double distance = ((double)i - (double)radius) / sigma;
        total += exp(-0.5 * distance * distance);
    }
    for (uint32_t i = 0; i <= 2 * radius; i++) {
        double distance = ((double)i - (double)radius) / sigma;
        weights[i] =
            (int32_t)floor(WEIGHTS_BLUR_ONE * exp(-0.5 * distance * distance) / total + 0.5);
        given += weights[i];
    }
    weights[radius] += WEIGHTS_BLUR_ONE - given;
}

static double weights_bell(double sigma, uint32_t radius, uint32_t i)
{
    double distance = ((double)i - (double)radius) / sigma;

    return exp(-0.5 * distance * distance);
}

void weights_gaussian_square(double sigma, uint32_t radius, int32_t *weights)
{
    uint32_t size = 2 * radius + 1;
    double total = 0.0, passed = 0.0;
    int32_t given = 0;

    for (uint32_t i = 0; i < size; i++)
        total += weights_bell(sigma, radius, i);
    for (uint32_t i = 0; i < size * size; i++) {
        passed += weights_bell(sigma, radius, i / size) / total *
                  weights_bell(sigma, radius, i % size) / total;
        int32_t until = (int32_t)floor(WEIGHTS_BLUR_ONE * passed + 0.5);
        weights[i] = until - given;
        given = until;
    }
    weights[size * size - 1] +=
        WEIGHTS_BLUR_ONE - given; /* nothing, but for the last bits of sums */
}
