/* Which window of heads and tails needs the most? Inside src/plan only.
 *
 * Each task has a price; a window needs head + the prices of its tasks + tail. Heads and tails are
 * cut into BOUND_GRID steps each, so that all windows are looked at in one pass over the tasks and
 * one over the grid. A window is two numbers of steps: it holds the tasks whose steps are not less.
 */
#ifndef FASTGPU_PLAN_BOUND_WINDOW_H
#define FASTGPU_PLAN_BOUND_WINDOW_H

#include <stdbool.h>
#include "plan/bound_graph.h"

#define BOUND_GRID 256u

struct bound_window {
    uint32_t head, tail;
    double offset_ns; /* what is before and after it, at least */
    double need_ns;   /* ... and its tasks in between, by the prices asked with */
};

struct bound_grid {
    const struct bound_problem *problem; /* [borrow] */
    uint8_t *head, *tail;                /* [task] */
    double head_ns[BOUND_GRID];          /* the least of the tasks at or above the step */
    double tail_ns[BOUND_GRID];
    double *cell; /* [head * BOUND_GRID + tail]; scratch */
};

/* False: no memory. problem->path_ns > 0. */
bool bound_grid_make(struct bound_grid *grid, struct arena *arena,
                     const struct bound_problem *problem);

/* The window that needs the most. price_ns: [number_of[task]]. */
struct bound_window bound_grid_best(struct bound_grid *grid, const uint32_t *number_of,
                                    const double *price_ns);

static inline bool bound_window_has(const struct bound_grid *grid,
                                    const struct bound_window *window, uint32_t task)
{
    return grid->head[task] >= window->head && grid->tail[task] >= window->tail;
}

#endif
