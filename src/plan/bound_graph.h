/* What the bounds need of the graph: one order, and the longest paths before and after each task.
 * Inside src/plan only.
 *
 * The problem here is the input made smaller: classes without a worker and types without a task
 * are gone. Memory from the arena.
 */
#ifndef FASTGPU_PLAN_BOUND_GRAPH_H
#define FASTGPU_PLAN_BOUND_GRAPH_H

#include <stdbool.h>
#include "base/arena.h"
#include "plan/bound.h"

struct bound_problem {
    uint32_t type_count, class_count, task_count;
    double *cost_ns;     /* [type * class_count + class]; < 0: cannot run there */
    double *workers;     /* [class] */
    double *counts;      /* [type] tasks */
    double *cheapest_ns; /* [type] that a task takes at least */
    bool *divisible;     /* [type] */
    uint32_t *type_of;   /* [task] */
    uint32_t *order;     /* tasks, each after what it waits for */
    double *head_ns;     /* [task] the longest path before it, each task at its cheapest */
    double *tail_ns;     /* [task] ... after its end */
    double path_ns;      /* the longest altogether, not rounded down */
    const uint32_t *first_successor, *successors; /* [borrow] */
};

/* Types and classes alone. counts: [type] tasks. FGPU_E_INVAL (error_set) names a type that has
 * tasks and runs nowhere. [out] renumber: old type -> new, UINT32_MAX; may be NULL. */
int bound_problem_shrink(struct bound_problem *problem, struct arena *arena,
                         const struct bound_input *input, const double *counts, uint32_t *renumber);

/* All of it. Errors as bound.h says. */
int bound_problem_make(struct bound_problem *problem, struct arena *arena,
                       const struct bound_input *input);

#endif
