/* The search for a plan where more counts than the makespan: energy, response time, a power cap.
 *
 * Joules are saved where devices that are quick but hungry stay idle, and under a cap not all may
 * work at once. So beside the whole machine parts of it are tried: some workers of each class; for
 * each part `auto` looks for a plan, and the plans are compared by the objective. Pure.
 */
#ifndef FASTGPU_POLICY_OBJECTIVE_H
#define FASTGPU_POLICY_OBJECTIVE_H

#include "policy/policy.h"

/* As policy_search(); of the world it fills in runs, ranks and makespan. */
struct policy_found objective_search(struct world *world, uint32_t tries,
                                     const struct policy_found *known, int64_t bound_ns,
                                     int64_t price_ns);

/* What a plan comes to, the less the better: by what the window aims at. For tests. */
double objective_score(const struct world *world);

#endif
