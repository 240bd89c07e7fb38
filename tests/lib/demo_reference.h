/* What the pictures of `fastgpu demo` must be, by the naive reference. */
#ifndef FASTGPU_TESTS_LIB_DEMO_REFERENCE_H
#define FASTGPU_TESTS_LIB_DEMO_REFERENCE_H

#include "base/rng.h"
#include "cli/demo_photos.h"
#include "cli/demo_plan.h"

/* Photographs of random samples named "random-0" and so on; ends the process when memory is
 * exhausted. The caller frees them with demo_photos_fini(). */
void demo_reference_photos(const uint32_t (*sizes)[2], uint32_t count, struct rng *rng,
                           struct demo_photos *photos);

/* Whether `pixels` (packed) is output `number` of the plan; says on stderr what is not. */
bool demo_reference_check(const struct demo_photos *photos, const struct plan *plan,
                          uint32_t number, const unsigned char *pixels);

#endif
