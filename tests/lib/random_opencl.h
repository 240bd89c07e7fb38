/* Random OpenCL C: a kernel of statements on scalars and vectors of all types, for two compilers to
 * agree on to the bit.
 *
 * Nothing in it is undefined or left to the compiler: signed numbers stay small where they are
 * added or multiplied, nothing is divided by 0, floats are small multiples of 1/4 whose sums and
 * products are exact.
 */
#ifndef FASTGPU_TESTS_LIB_RANDOM_OPENCL_H
#define FASTGPU_TESTS_LIB_RANDOM_OPENCL_H

#include <stddef.h>
#include "base/rng.h"

enum {
    RANDOM_OPENCL_TEXT = 1 << 16,
    RANDOM_OPENCL_STATEMENTS = 10,
    RANDOM_OPENCL_SLOT = 128, /* bytes that a statement writes for each item, at most */
    RANDOM_OPENCL_IN = 256    /* bytes that an item reads */
};

/* Writes `__kernel void k(__global const uchar *in, __global uchar *out)`; item i reads from
 * in + i * IN and writes statement s to out + (i * STATEMENTS + s) * SLOT. lines[s]: offset of the
 * statement's text. */
void random_opencl_make(struct rng *rng, char *text, size_t lines[RANDOM_OPENCL_STATEMENTS]);

#endif
