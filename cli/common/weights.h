/* The weights of filters: Gaussian windows. Pure. */
#ifndef FASTGPU_CLI_COMMON_WEIGHTS_H
#define FASTGPU_CLI_COMMON_WEIGHTS_H

#include <stdint.h>

/* What the weights of a blur sum to: 1.0 in fixed point with 14 bits. */
#define WEIGHTS_BLUR_ONE 16384

/* Integers for a Gaussian of deviation `sigma` (> 0) cut at `radius` (>= 0): weights[0 .. 2
 * radius], symmetric, each the nearest integer to its share but for the middle, which takes what is
 * missing to WEIGHTS_BLUR_ONE. */
void weights_gaussian(double sigma, uint32_t radius, int32_t *weights);

/* The same in two dimensions: (2 radius + 1) squared integers >= 0, row by row, each less than one
 * from its share; what rounding leaves over goes on to the next, so that the sum is exact. */
void weights_gaussian_square(double sigma, uint32_t radius, int32_t *weights);

#endif
