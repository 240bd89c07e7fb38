/* The seed of a random test: FASTGPU_TEST_SEED, or a fixed one, so that a run repeats; and how to
 * say on failure which it was.
 */
#ifndef FASTGPU_TESTS_LIB_SEED_H
#define FASTGPU_TESTS_LIB_SEED_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static inline uint64_t seed_get(uint64_t otherwise)
{
    const char *text = getenv("FASTGPU_TEST_SEED");
    return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

/* How many seeds to try, counted up from the first: FASTGPU_TEST_SEEDS, or the test's own number.
 * Under a sanitizer a fifth of that: each seed is some times as slow there, and the first ones go
 * through the same code; what the others lead to is asserted in builds without one.
 */
static inline uint64_t seed_count(uint64_t otherwise)
{
    const char *text = getenv("FASTGPU_TEST_SEEDS"), *sanitizer = getenv("FASTGPU_SANITIZE");
    if (text != NULL)
        return strtoull(text, NULL, 0);
    return sanitizer != NULL && sanitizer[0] != '\0' ? (otherwise + 4) / 5 : otherwise;
}

/* Prints the command that repeats the run of one seed. */
static inline void seed_print(const char *test, uint64_t seed)
{
    fprintf(stderr, "%s: repeat with FASTGPU_TEST_SEED=%llu FASTGPU_TEST_SEEDS=1 %s\n", test,
            (unsigned long long)seed, test);
}

#endif
