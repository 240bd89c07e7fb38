/* The graph as the bounds see it; see bound_graph.h. */
#include "plan/bound_graph.h"
#include <math.h>
#include <stdbool.h>
#include "base/error.h"

static fgpu_status graph_no_memory(void)
{
    return error_set(FGPU_E_NOMEM, "bound: no memory");
}

static bool graph_can_run(double cost_ns)
{
    return cost_ns >= 0 && isfinite(cost_ns);
}

/* Copies the costs of one type; its cheapest, or HUGE_VAL when it runs nowhere. */
static double graph_shrink_costs(double *to, const double *from, const uint32_t *workers,
                                 uint32_t class_count)
{
    double cheapest = HUGE_VAL;
    for (uint32_t c = 0; c < class_count; c++) {
        if (workers[c] == 0)
            continue;
        bool can = graph_can_run(from[c]);
        *to++ = can ? from[c] : -1.0;
        cheapest = can ? fmin(cheapest, from[c]) : cheapest;
    }
    return cheapest;
}

/* All workers at once, but no part on more than one. */
static double graph_divided(const struct bound_problem *problem, uint32_t type, double cheapest,
                            uint32_t parts)
{
    const double *cost = problem->cost_ns + (size_t)type * problem->class_count;
    double rate = 0;
    for (uint32_t c = 0; c < problem->class_count; c++)
        rate += cost[c] >= 0 ? problem->workers[c] / cost[c] : 0;
    /* Rounded down: these are sums of rounded terms. */
    return fmin(cheapest, fmax(cheapest / parts, (1 - 1e-12) / rate));
}

int bound_problem_shrink(struct bound_problem *problem, struct arena *arena,
                         const struct bound_input *input, const double *counts, uint32_t *renumber)
{
    uint32_t type_count = input->type_count, class_count = input->class_count;
    const uint32_t *workers = input->workers;
    *problem = (struct bound_problem){0};
    problem->workers = arena_alloc(arena, class_count * sizeof(double), 16);
    problem->cost_ns = arena_alloc(arena, (size_t)type_count * class_count * sizeof(double), 16);
    problem->counts = arena_alloc(arena, type_count * sizeof(double), 16);
    problem->cheapest_ns = arena_alloc(arena, type_count * sizeof(double), 16);
    problem->divisible = arena_alloc(arena, type_count * sizeof(bool), 16);
    if (problem->divisible == NULL || problem->workers == NULL || problem->cost_ns == NULL ||
        problem->counts == NULL || problem->cheapest_ns == NULL)
        return graph_no_memory();
    for (uint32_t c = 0; c < class_count; c++) {
        if (workers[c] > 0)
            problem->workers[problem->class_count++] = (double)workers[c];
    }
    for (uint32_t t = 0; t < type_count; t++) {
        if (renumber != NULL)
            renumber[t] = UINT32_MAX;
        if (!(counts[t] > 0))
            continue;
        uint32_t at = problem->type_count++;
        double cheapest =
            graph_shrink_costs(problem->cost_ns + (size_t)at * problem->class_count,
                               input->cost_ns + (size_t)t * class_count, workers, class_count);
        if (cheapest >= HUGE_VAL)
            return error_set(FGPU_E_INVAL,
                             "bound: type %u has tasks and no worker that could run them", t);
        problem->counts[at] = counts[t];
        problem->divisible[at] = input->parts != NULL && input->parts[t] > 1;
        if (problem->divisible[at])
            cheapest = graph_divided(problem, at, cheapest, input->parts[t]);
        problem->cheapest_ns[at] = cheapest;
        if (renumber != NULL)
            renumber[t] = at;
    }
    return FGPU_OK;
}

/* How many tasks each waits for. */
static int graph_count_edges(const struct bound_input *input, uint32_t *waits_for)
{
    for (uint32_t i = 0; i < input->task_count; i++)
        waits_for[i] = 0;
    for (uint32_t i = 0; i < input->task_count; i++) {
        if (input->first_successor[i] > input->first_successor[i + 1])
            return error_set(FGPU_E_INVAL, "bound: the successors of task %u end before they begin",
                             i);
        for (uint32_t e = input->first_successor[i]; e < input->first_successor[i + 1]; e++) {
            if (input->successors[e] >= input->task_count)
                return error_set(FGPU_E_INVAL, "bound: task %u has successor %u of %u tasks", i,
                                 input->successors[e], input->task_count);
            waits_for[input->successors[e]]++;
        }
    }
    return FGPU_OK;
}

/* The order, with the heads on the way (A. Kahn, 1962). */
static int graph_order(struct bound_problem *problem, const struct bound_input *input,
                       uint32_t *waits_for)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < input->task_count; i++) {
        problem->head_ns[i] = 0;
        if (waits_for[i] == 0)
            problem->order[count++] = i;
    }
    for (uint32_t next = 0; next < count; next++) {
        uint32_t task = problem->order[next];
        double end = problem->head_ns[task] + problem->cheapest_ns[problem->type_of[task]];
        for (uint32_t e = input->first_successor[task]; e < input->first_successor[task + 1]; e++) {
            uint32_t successor = input->successors[e];
            problem->head_ns[successor] = fmax(problem->head_ns[successor], end);
            if (--waits_for[successor] == 0)
                problem->order[count++] = successor;
        }
    }
    if (count < input->task_count)
        return error_set(FGPU_E_CYCLE, "bound: %u of %u tasks wait for each other in a circle",
                         input->task_count - count, input->task_count);
    return FGPU_OK;
}

static void graph_tails(struct bound_problem *problem)
{
    problem->path_ns = 0;
    for (uint32_t next = problem->task_count; next-- > 0;) {
        uint32_t task = problem->order[next];
        double tail = 0;
        for (uint32_t e = problem->first_successor[task]; e < problem->first_successor[task + 1];
             e++) {
            uint32_t successor = problem->successors[e];
            tail = fmax(tail, problem->tail_ns[successor] +
                                  problem->cheapest_ns[problem->type_of[successor]]);
        }
        problem->tail_ns[task] = tail;
        problem->path_ns = fmax(problem->path_ns, problem->head_ns[task] + tail +
                                                      problem->cheapest_ns[problem->type_of[task]]);
    }
}

/* Counts the types' tasks. */
static int graph_count_types(const struct bound_input *input, double *counts)
{
    for (uint32_t t = 0; t < input->type_count; t++)
        counts[t] = 0;
    for (uint32_t i = 0; i < input->task_count; i++) {
        if (input->type_of[i] >= input->type_count)
            return error_set(FGPU_E_INVAL, "bound: task %u is of type %u of %u types", i,
                             input->type_of[i], input->type_count);
        counts[input->type_of[i]]++;
    }
    return FGPU_OK;
}

int bound_problem_make(struct bound_problem *problem, struct arena *arena,
                       const struct bound_input *input)
{
    uint32_t n = input->task_count;
    double *counts = arena_alloc(arena, input->type_count * sizeof *counts, 16);
    uint32_t *renumber = arena_alloc(arena, input->type_count * sizeof *renumber, 16);
    uint32_t *numbers = arena_alloc(arena, 3 * (size_t)n * sizeof *numbers, 16);
    double *paths = arena_alloc(arena, 2 * (size_t)n * sizeof *paths, 16);
    if (counts == NULL || renumber == NULL || numbers == NULL || paths == NULL)
        return graph_no_memory();
    int status = graph_count_types(input, counts);
    if (status == FGPU_OK)
        status = bound_problem_shrink(problem, arena, input, counts, renumber);
    if (status != FGPU_OK)
        return status;
    problem->task_count = n;
    problem->type_of = numbers;
    problem->order = numbers + n;
    problem->head_ns = paths;
    problem->tail_ns = paths + n;
    problem->first_successor = input->first_successor;
    problem->successors = input->successors;
    for (uint32_t i = 0; i < n; i++)
        problem->type_of[i] = renumber[input->type_of[i]];
    status = graph_count_edges(input, numbers + 2 * (size_t)n);
    if (status == FGPU_OK)
        status = graph_order(problem, input, numbers + 2 * (size_t)n);
    if (status == FGPU_OK)
        graph_tails(problem);
    return status;
}
