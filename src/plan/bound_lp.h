/* The linear programmes behind the bounds, and nobody else's.
 *
 * Groups of equal tasks are shared out in real numbers among the classes. Each row says that some
 * work fits into the makespan T:  offset + (work of the row's set on the row's class) / workers <=
 * T,  where a set is any set of groups (bit s of a group's `sets`), and the class may be "any" (a
 * chain: one after the other, wherever). Wanted is the least T.
 *
 * Whatever weights >= 0 of sum 1 the rows are given, T is at least the weighted mean of the left
 * sides, and that is at least what remains when every group takes the class where it costs the
 * weighted mean least. So any weights prove a bound: bound_lp_value() computes it, rounded down,
 * and nothing else is ever reported. bound_lp_solve() looks for the best weights by the primal
 * simplex method, with the equation of each group kept out of the basis (G. Dantzig, R. Van Slyke:
 * Generalized upper bounding techniques, 1967): the matrix that is inverted has one row for each
 * row of the programme, however many groups there are. Pure; memory from the arena.
 */
#ifndef FASTGPU_PLAN_BOUND_LP_H
#define FASTGPU_PLAN_BOUND_LP_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"

#define BOUND_LP_SETS 64u
#define BOUND_LP_ANY UINT32_MAX /* class of a row: all of them */

struct bound_row {
    uint32_t set;         /* < BOUND_LP_SETS */
    uint32_t class_index; /* or BOUND_LP_ANY */
    double workers;       /* > 0 */
    double offset_ns;     /* >= 0 */
};

struct bound_group {
    const double *cost_ns; /* [class]; < 0: cannot run there; one at least can */
    double count;          /* > 0 */
    uint64_t sets;
};

struct bound_lp {
    uint32_t class_count, row_count, group_count;
    const struct bound_row *rows;
    const struct bound_group *groups; /* quick when those of equal sets are neighbours */
    double *weights;                  /* [row] in: where to start (sum > 0); out: the best found */
    double *shares; /* [group * class_count + class], or NULL; out: a best sharing out, roughly */
};

/* The bound that the weights prove, rounded down. */
double bound_lp_value(const struct bound_lp *lp, const double *weights);

/* [in,out] work: multiplications left; less than 0 when it ended for that. [out] exact: the value
 * is the optimum within 1e-9. False: no memory. */
bool bound_lp_solve(const struct bound_lp *lp, struct arena *arena, double *work, double *value_ns,
                    bool *exact);

/* What a unit of time costs in each class for a group in these sets: its price in the class is cost
 * times this. [out] prices: [class]. */
void bound_lp_prices(const struct bound_lp *lp, const double *weights, uint64_t sets,
                     double *prices);

#endif
