/* The bounds of a set of tasks; see bound.h. The work is done in bound_graph.c (longest paths),
 * bound_lp.c (the linear programme) and bound_joined.c (both at once).
 */
#include "plan/bound.h"
#include <float.h>
#include <math.h>
#include "base/error.h"
#include "plan/bound_graph.h"
#include "plan/bound_joined.h"

static int bound_no_memory(void)
{
    return error_set(FGPU_E_NOMEM, "bound: no memory");
}

/* A head, a tail or a path is a sum of at most task_count terms >= 0. */
static double bound_round_down(double ns, uint32_t task_count)
{
    return ns * (1.0 - ((double)task_count + 8.0) * DBL_EPSILON);
}

static int bound_solve(const struct bound_problem *problem, struct arena *arena, bool is_joined,
                       struct bound_result *result)
{
    uint32_t n = problem->task_count;
    double *weights = arena_alloc(arena, problem->class_count * sizeof *weights, 16);
    bool exact = true;
    if (weights == NULL || !bound_joined_area(problem, weights, &result->area_ns, &exact))
        return bound_no_memory();
    result->joined_ns = result->area_ns;
    if (is_joined && problem->path_ns > 0) {
        if (!bound_joined(problem, weights, result->area_ns, &result->joined_ns, &exact))
            return bound_no_memory();
        result->path_ns = bound_round_down(problem->path_ns, n);
        result->joined_ns =
            fmax(bound_round_down(result->joined_ns, n), fmax(result->path_ns, result->area_ns));
    }
    result->exact = exact;
    return FGPU_OK;
}

int plan_bound_compute(const struct bound_input *input, struct bound_result *result)
{
    struct arena arena;
    struct bound_problem problem;
    *result = (struct bound_result){.exact = 1};
    if (input->task_count == 0)
        return FGPU_OK;
    arena_init(&arena, 0, NULL);
    int status = bound_problem_make(&problem, &arena, input);
    if (status == FGPU_OK)
        status = bound_solve(&problem, &arena, true, result);
    arena_fini(&arena);
    if (status != FGPU_OK)
        return status;
    result->best_ns = fmax(result->area_ns, fmax(result->path_ns, result->joined_ns));
    result->kind = result->best_ns > fmax(result->area_ns, result->path_ns) ? BOUND_JOINED
                   : result->path_ns > result->area_ns                      ? BOUND_PATH
                                                                            : BOUND_AREA;
    return FGPU_OK;
}

int plan_bound_area(uint32_t type_count, uint32_t class_count, const double *cost_ns,
                    const uint32_t *workers, const double *counts, double *area_ns)
{
    struct arena arena;
    struct bound_problem problem;
    struct bound_result result = {0};
    *area_ns = 0;
    arena_init(&arena, 0, NULL);
    const struct bound_input input = {type_count, class_count, cost_ns, workers, 0,
                                      NULL,       NULL,        NULL,    NULL};
    int status = bound_problem_shrink(&problem, &arena, &input, counts, NULL);
    if (status == FGPU_OK && problem.type_count > 0)
        status = bound_solve(&problem, &arena, false, &result);
    arena_fini(&arena);
    if (status == FGPU_OK)
        *area_ns = result.area_ns;
    return status;
}
