/* Runs a property over random lists of operations and shrinks what fails.
 *
 * A property makes operations (plain structs) from a seed and runs a list of them against the real
 * thing and a naive model, each time from the start. When a list fails, ever smaller lists are
 * tried as long as they still fail (A. Zeller, R. Hildebrandt: Simplifying and isolating
 * failure-inducing input, TSE 2002); the rest is printed with its seed. An operation must mean
 * something in any list: indices in it are taken modulo what there is.
 */
#ifndef FASTGPU_TESTS_LIB_PROP_H
#define FASTGPU_TESTS_LIB_PROP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/rng.h"

struct prop {
    const char *name; /* of the test program, for the line that repeats a run */
    size_t op_bytes;
    size_t op_count;     /* in a list */
    uint64_t first_seed; /* FASTGPU_TEST_SEED overrides */
    uint64_t seed_count; /* FASTGPU_TEST_SEEDS overrides */
    void (*make)(struct rng *rng, void *op);
    /* NULL when all is well, else a sentence (static, or in a static buffer). */
    const char *(*run)(const void *ops, size_t count, uint64_t seed);
    void (*print)(FILE *out, const void *op);
    FILE *out; /* where a failure is told; NULL: stderr */
};

/* How many operations the smallest failing list has; 0 when every seed holds. An assertion of the
 * library inside a run is told with its seed before the process aborts. */
size_t prop_run(const struct prop *prop);

#endif
