/* Random kernels and grids for tests of slices and guards: texts that ask for their place in the
 * grid in many ways, in helper functions and macros too, leave early, use barriers and local
 * memory.
 *
 * Every kernel is `k(global uint *out, global uint *count, uint seed, uint rounds, local uint *s)`:
 * item i of the whole grid adds a number to out[i], which shows a group that ran twice, and the
 * first item of group g adds 1 to count[g]. Local memory: 4 bytes an item. All from one seed.
 */
#ifndef FASTGPU_TESTS_LIB_PREEMPT_CASES_H
#define FASTGPU_TESTS_LIB_PREEMPT_CASES_H

#include <stddef.h>
#include <stdint.h>
#include "base/rng.h"

struct preempt_case {
    char text[8192];
    uint32_t dims;
    uint32_t local[3];
    uint64_t groups[3];
    uint64_t group_count;
    uint64_t item_count;
};

void preempt_case_make(struct preempt_case *made, struct rng *rng);

#endif
