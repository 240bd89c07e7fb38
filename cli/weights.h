/* The weights of filters: Gaussian windows and the named 3 x 3 and 3 x 3 x 3 windows. Pure. */
#ifndef FASTGPU_CLI_WEIGHTS_H
#define FASTGPU_CLI_WEIGHTS_H

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

/* Nine integers, shift and bias for the kernel conv3x3: light from the upper left. */
extern const int32_t weights_emboss[11];

/* 81 floats for the kernel conv3x3x3: a soft sepia, a binomial window over all three channels. All
 * are multiples of 1/256, so that every sum is exact. */
extern const float weights_sepia[81];

#endif
