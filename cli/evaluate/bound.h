/* No schedule can be faster than this: max(area bound, critical path).
 *
 * Area bound: every task costs at least its cheapest (run time x cores) and the cores are all there
 * is; with several groups of cores (resource groups: a CPU reached in two ways is one) the best
 * split between them, by linear duality (any weights w >= 0, sum 1, give the bound
 * sum_k min_g(w_g a_kg / c_g); the best are looked for: exactly for two groups, with the ellipsoid
 * method for more). Critical path: the longest chain of tasks, each at its shortest time. Both from
 * measured times: a task counts as one that runs nowhere but where it was measured, and as 0 where
 * it was never measured. Sources: Topcuoglu et al. 2002 (critical path); Beaumont et al. 2018 (area
 * bound); Bland, Goldfarb, Todd 1981 (ellipsoid method). Pure.
 */
#ifndef FASTGPU_CLI_EVALUATE_BOUND_H
#define FASTGPU_CLI_EVALUATE_BOUND_H

#include "cli/workload/workload_edges.h"

struct bound_cost {
    uint64_t run_ns; /* shortest that was measured; 0: none */
    double cores;    /* that the run occupies of its group */
    uint32_t group;  /* of the device */
};

struct bound_input {
    uint32_t task_count;
    uint32_t device_count;
    const struct bound_cost *costs; /* [task * device_count + device] */
    const double *group_cores;      /* by group */
    uint32_t group_count;
    const struct workload_edges *edges;
};

struct bound {
    uint64_t area_ns;
    uint64_t path_ns;
    uint64_t lower_ns;      /* the larger of both */
    uint32_t unknown_count; /* tasks without any time */
};

/* FGPU_OK or FGPU_E_NOMEM. */
fgpu_status bound_compute(const struct bound_input *input, struct bound *bound);

#endif
