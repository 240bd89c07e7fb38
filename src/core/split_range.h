/* What a piece of a divisible task is: which items of the grid, which bytes of its arguments.
 *
 * Pure but for the making of records. See split.c.
 */
#ifndef FASTGPU_CORE_SPLIT_RANGE_H
#define FASTGPU_CORE_SPLIT_RANGE_H

#include "core/engine.h"

/* How a grid is cut: into units, of which pieces have whole numbers. */
struct split_grid {
    uint32_t dim;      /* along which: the last one */
    uint32_t local[3]; /* work-group size of every piece */
    uint64_t whole;    /* items of the dimension */
    uint64_t unit;     /* items of a unit; the last one may have more, or less */
    uint64_t units;
};

struct split_units {
    uint64_t begin, end;
};

/* False: there is no way to cut it. */
bool split_grid_make(const struct engine *engine, const struct task *task, struct split_grid *grid);

/* The record of a piece in a slot of the task table. As submit_prepare. */
fgpu_status split_record(struct engine *engine, const struct task *task,
                         const struct split_grid *grid, struct split_units units, uint32_t slot,
                         uint32_t *index);

#endif
