/* The search for a window; see bound_window.h. */
#include "plan/bound_window.h"
#include <math.h>
#include <string.h>

static uint8_t window_step(double ns, double path_ns)
{
    double step = ns / path_ns * BOUND_GRID;
    return step < BOUND_GRID - 1 ? (uint8_t)step : (uint8_t)(BOUND_GRID - 1);
}

bool bound_grid_make(struct bound_grid *grid, struct arena *arena,
                     const struct bound_problem *problem)
{
    uint32_t n = problem->task_count;
    grid->problem = problem;
    grid->head = arena_alloc(arena, 2 * (size_t)n, 16);
    grid->cell = arena_alloc(arena, (size_t)BOUND_GRID * BOUND_GRID * sizeof(double), 64);
    if (grid->head == NULL || grid->cell == NULL)
        return false;
    grid->tail = grid->head + n;
    for (uint32_t k = 0; k < BOUND_GRID; k++)
        grid->head_ns[k] = grid->tail_ns[k] = HUGE_VAL;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t head = window_step(problem->head_ns[i], problem->path_ns);
        uint8_t tail = window_step(problem->tail_ns[i], problem->path_ns);
        grid->head[i] = head;
        grid->tail[i] = tail;
        grid->head_ns[head] = fmin(grid->head_ns[head], problem->head_ns[i]);
        grid->tail_ns[tail] = fmin(grid->tail_ns[tail], problem->tail_ns[i]);
    }
    for (uint32_t k = BOUND_GRID - 1; k-- > 0;) {
        grid->head_ns[k] = fmin(grid->head_ns[k], grid->head_ns[k + 1]);
        grid->tail_ns[k] = fmin(grid->tail_ns[k], grid->tail_ns[k + 1]);
    }
    return true;
}

struct bound_window bound_grid_best(struct bound_grid *grid, const uint32_t *number_of,
                                    const double *price_ns)
{
    struct bound_window best = {0};
    double *cell = grid->cell;
    memset(cell, 0, (size_t)BOUND_GRID * BOUND_GRID * sizeof *cell);
    for (uint32_t i = 0; i < grid->problem->task_count; i++)
        cell[grid->head[i] * BOUND_GRID + grid->tail[i]] += price_ns[number_of[i]];
    for (uint32_t h = BOUND_GRID; h-- > 0;) {
        double *row = cell + (size_t)h * BOUND_GRID;
        double sum = 0; /* of this row, from the right */
        for (uint32_t q = BOUND_GRID; q-- > 0;) {
            sum += row[q];
            row[q] = sum + (h + 1 < BOUND_GRID ? row[BOUND_GRID + q] : 0.0);
            if (row[q] <= 0)
                continue; /* nobody there */
            double offset = grid->head_ns[h] + grid->tail_ns[q];
            if (offset + row[q] > best.need_ns)
                best = (struct bound_window){h, q, offset, offset + row[q]};
        }
    }
    return best;
}
