/* Runs a plan by its kernels' native functions on the calling thread, without a pool: the tasks in
 * order, each as two ranges of work groups of random shape, the second first, as a device might cut
 * them. A function sees copies of the regions that its task names, with noise around them, so that
 * a region that is too small shows in the result, and a write beside a region is found.
 */
#ifndef FASTGPU_TESTS_LIB_PLAN_NATIVE_H
#define FASTGPU_TESTS_LIB_PLAN_NATIVE_H

#include "base/rng.h"
#include "lib/plan.h"

/* [in,out] memory: the content of each buffer of the plan. Returns 0, or non-zero after saying on
 * stderr what a native function did wrong. */
int plan_native_run(const struct plan *plan, unsigned char *const *memory, struct rng *rng);

#endif
