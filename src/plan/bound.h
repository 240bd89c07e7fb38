/* How long must a set of tasks take at least, whatever the schedule?
 *
 * Three lower bounds of the makespan, each sound for every schedule that runs a task on one worker
 * without interruption, or a divisible one in pieces on any workers, which take each piece's share
 * of what the whole takes there; with transfers free and costs as given:
 *   area   the linear programme over task types and worker classes: each type's runs are shared out
 *          in real numbers among the classes so that the busiest class ends as early as it can
 *          (E. Agullo, O. Beaumont, L. Eyraud-Dubois, S. Kumar: Are static schedules so bad? IPDPS
 *          2016). Solved exactly while types x classes is small; a sound dual bound beyond that.
 *   path   the longest chain of dependencies, each task at its cheapest; a divisible one as if all
 *          workers did nothing else meanwhile, but one of its parts is on one worker.
 *   joined the area programme with rows for windows (tasks that cannot start before `head` and
 * leave at least `tail` after their end have makespan - head - tail of each class's workers) and
 *          chains (what follows one after the other fits into the makespan); those that matter are
 *          searched for, see plan/bound_joined.h. It is at least as large as the other two.
 * What is reported is the value of a dual solution that has been checked, rounded down: never a
 * primal value, never above the true bound. A makespan of a run whose times were rounded to whole
 * nanoseconds can be below it by half a nanosecond for each task of its longest chain; give rounded
 * costs to compare with such a run. Cost: milliseconds for thousands of tasks, a second or two for
 * a million. Pure; allocates while it works; any thread.
 */
#ifndef FASTGPU_PLAN_BOUND_H
#define FASTGPU_PLAN_BOUND_H

#include <stdint.h>

/* Tasks in any order; edges as compressed rows: the successors of task i are
 * successors[first_successor[i]] ... successors[first_successor[i + 1] - 1]. */
struct bound_input {
    uint32_t type_count, class_count;
    const double *cost_ns;   /* [type * class_count + class]; < 0 or not finite: cannot run there */
    const uint32_t *workers; /* [class]: how many there are */
    uint32_t task_count;
    const uint32_t *type_of;         /* [task] */
    const uint32_t *first_successor; /* [task_count + 1] */
    const uint32_t *successors;
    const uint32_t
        *parts; /* [type] that a task can be cut into; below 2: none. NULL: no task can */
};

enum bound_kind { BOUND_AREA, BOUND_PATH, BOUND_JOINED };

struct bound_result {
    double area_ns, path_ns, joined_ns;
    double best_ns; /* the largest */
    uint32_t kind;  /* enum bound_kind: which that is; ties to the simpler one */
    uint32_t exact; /* the linear programmes were solved to the end */
};

/* No tasks: everything 0. FGPU_E_INVAL (error_set): a type that runs nowhere though it has tasks,
 * an edge or a type out of range; FGPU_E_CYCLE; FGPU_E_NOMEM. (plan_: the command has the other
 * name.) */
int plan_bound_compute(const struct bound_input *input, struct bound_result *result);

/* The area alone, of counts[type] tasks. Exact, or sound when it is not (see above). */
int plan_bound_area(uint32_t type_count, uint32_t class_count, const double *cost_ns,
                    const uint32_t *workers, const double *counts, double *area_ns);

#endif
