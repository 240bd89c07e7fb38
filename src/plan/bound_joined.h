/* Bounds that see the graph and the workers at once. Inside src/plan only.
 *
 * window  tasks with a path of at least `head` before them and one of at least `tail` after them
 * can run only between `head` and T - tail: what they need of a class fits into its workers times T
 * - head - tail. chain   tasks of which each waits for the one before it take together no more than
 * T. Both are rows of one linear programme beside the area's own (window 0, 0), with the same real
 * numbers that say how much of which tasks runs on which class; so a task that is made quick for
 * the chain's sake takes a worker's time from the others. (For one chain of the tiled Cholesky
 * factorisation this is the mixed bound of E. Agullo, O. Beaumont, L. Eyraud-Dubois, S. Kumar,
 * IPDPS 2016.) Which windows and chains count is found by trying: first the best single window,
 * then again and again the window of each class and the chain that the current solution violates
 * most. Any selection is sound.
 */
#ifndef FASTGPU_PLAN_BOUND_JOINED_H
#define FASTGPU_PLAN_BOUND_JOINED_H

#include <stdbool.h>
#include "plan/bound_graph.h"

/* The area of problem->counts. [out] weights: [class] that prove it. False: no memory. */
bool bound_joined_area(const struct bound_problem *problem, double *weights, double *area_ns,
                       bool *exact);

/* [in] weights: of bound_joined_area. [out] joined_ns: >= area_ns. [out] exact: of the programmes
 * that were solved. False: no memory. */
bool bound_joined(const struct bound_problem *problem, const double *weights, double area_ns,
                  double *joined_ns, bool *exact);

#endif
