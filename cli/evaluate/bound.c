/* No schedule can be faster: see bound.h. */
#include "cli/evaluate/bound.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BOUND_GROUPS 64        /* a pool has fewer devices; with more there is no area bound */
#define BOUND_WORK 200000000.0 /* looks at a cost, all steps of the search together */
#define BOUND_STEPS 2000
#define BOUND_POLISH 1e-3

/* What the tasks cost on each group, as a share of the group: nanoseconds if it did nothing else.
 */
struct bound_shares {
    uint32_t count, groups;
    double *share; /* [task * groups + group]; INFINITY: does not run there */
};

/* ---- critical path */

static uint64_t bound_shortest(const struct bound_input *input, uint32_t task)
{
    const struct bound_cost *costs = &input->costs[(size_t)task * input->device_count];
    uint64_t shortest = 0;

    for (uint32_t d = 0; d < input->device_count; d++)
        if (costs[d].run_ns > 0 && (shortest == 0 || costs[d].run_ns < shortest))
            shortest = costs[d].run_ns;
    return shortest;
}

/* The edges by where they come from: next[begin[t] .. begin[t + 1] - 1] come after t; the number of
 * those that each waits for. */
struct bound_graph {
    uint32_t *begin, *next, *waits, *ready;
    uint64_t *start_ns;
};

static void bound_graph_fini(struct bound_graph *graph)
{
    free(graph->begin);
    free(graph->next);
    free(graph->waits);
    free(graph->ready);
    free(graph->start_ns);
}

static bool bound_graph_init(struct bound_graph *graph, const struct bound_input *input)
{
    const struct workload_edges *edges = input->edges;
    size_t tasks = (size_t)input->task_count + 2;

    *graph = (struct bound_graph){.begin = calloc(tasks, sizeof *graph->begin),
                                  .next = calloc((size_t)edges->count + 1, sizeof *graph->next),
                                  .waits = calloc(tasks, sizeof *graph->waits),
                                  .ready = calloc(tasks, sizeof *graph->ready),
                                  .start_ns = calloc(tasks, sizeof *graph->start_ns)};
    if (!graph->begin || !graph->next || !graph->waits || !graph->ready || !graph->start_ns)
        return false;
    for (uint32_t i = 0; i < edges->count; i++) {
        graph->begin[edges->items[i].from + 2]++;
        graph->waits[edges->items[i].to]++;
    }
    for (uint32_t t = 0; t < input->task_count; t++)
        graph->begin[t + 2] += graph->begin[t + 1];
    for (uint32_t i = 0; i < edges->count; i++) /* begin[t + 1] moves from where t's begin */
        graph->next[graph->begin[edges->items[i].from + 1]++] = edges->items[i].to;
    return true;
}

/* Every task as early as its predecessors allow (A. Kahn, 1962). */
static uint64_t bound_longest(struct bound_graph *graph, const struct bound_input *input)
{
    uint32_t ready_count = 0;
    uint64_t longest_ns = 0;

    for (uint32_t t = 0; t < input->task_count; t++)
        if (graph->waits[t] == 0)
            graph->ready[ready_count++] = t;
    while (ready_count > 0) {
        uint32_t task = graph->ready[--ready_count];
        uint64_t end_ns = graph->start_ns[task] + bound_shortest(input, task);
        if (end_ns > longest_ns)
            longest_ns = end_ns;
        for (uint32_t i = graph->begin[task]; i < graph->begin[task + 1]; i++) {
            uint32_t next = graph->next[i];
            if (end_ns > graph->start_ns[next])
                graph->start_ns[next] = end_ns;
            if (--graph->waits[next] == 0)
                graph->ready[ready_count++] = next;
        }
    }
    return longest_ns;
}

/* ---- area */

/* The bound that weights give, and by how much each group's weight counts in it. */
static double bound_at(const struct bound_shares *shares, const double *weights, double *slope)
{
    uint32_t groups = shares->groups;
    double sum = 0.0;

    memset(slope, 0, groups * sizeof *slope);
    for (uint32_t k = 0; k < shares->count; k++) {
        const double *share = &shares->share[(size_t)k * groups];
        uint32_t best = groups;
        for (uint32_t g = 0; g < groups; g++)
            if (isfinite(share[g]) &&
                (best == groups || weights[g] * share[g] < weights[best] * share[best]))
                best = g;
        if (best == groups)
            continue;
        sum += weights[best] * share[best];
        slope[best] += share[best];
    }
    return sum;
}

struct bound_kind {
    double share[2], ratio;
};

static int bound_compare_kinds(const void *left, const void *right)
{
    const struct bound_kind *a = left, *b = right;

    return (a->ratio > b->ratio) - (a->ratio < b->ratio);
}

/* Two groups: the tasks by how much dearer they are on the first; some go to the first, the rest to
 * the second, and at most one is divided so that both end together. */
static bool bound_two(const struct bound_shares *shares, double *area)
{
    struct bound_kind *kinds = malloc(((size_t)shares->count + 1) * sizeof *kinds);
    double first = 0.0, second = 0.0;

    if (!kinds)
        return false;
    for (uint32_t k = 0; k < shares->count; k++) {
        const double *share = &shares->share[(size_t)k * 2];
        kinds[k] = (struct bound_kind){{share[0], share[1]}, share[0] / share[1]};
        if (!isfinite(share[0]) && !isfinite(share[1]))
            kinds[k] = (struct bound_kind){.ratio = 0.0}; /* measured nowhere */
        second += isfinite(kinds[k].share[1]) ? kinds[k].share[1] : 0.0;
    }
    qsort(kinds, shares->count, sizeof *kinds, bound_compare_kinds);
    for (uint32_t k = 0; k < shares->count; k++) {
        double here = kinds[k].share[0], there = kinds[k].share[1];
        if (!isfinite(here)) /* this one and all after it run on the second only */
            break;
        if (here + there <= 0.0)
            continue;
        if (!isfinite(there)) { /* on the first only: these stand in front */
            first += here;
            continue;
        }
        if (first + here >= second - there) { /* this one is divided: x of it on the first */
            double x = (second - first) / (here + there);
            if (x > 0.0) {
                first += x * here;
                second -= x * there;
            }
            break;
        }
        first += here;
        second -= there;
    }
    free(kinds);
    *area = first > second ? first : second;
    return true;
}

/* The ellipsoid of the search in the first `size` weights; the last is what is left of 1. */
struct bound_search {
    uint32_t size;
    double center[BOUND_GROUPS];
    double matrix[BOUND_GROUPS][BOUND_GROUPS];
};

/* Cuts away what lies on the side of `normal` (where it grows), or, with a depth above 0, also what
 * is nearer than that. Returns false when nothing is left. */
static bool bound_cut(struct bound_search *search, const double *normal, double depth)
{
    uint32_t size = search->size;
    double n = size, image[BOUND_GROUPS], length = 0.0;

    for (uint32_t i = 0; i < size; i++) {
        image[i] = 0.0;
        for (uint32_t j = 0; j < size; j++)
            image[i] += search->matrix[i][j] * normal[j];
    }
    for (uint32_t i = 0; i < size; i++)
        length += normal[i] * image[i];
    if (!(length > 0.0))
        return false;
    length = sqrt(length);
    double alpha = depth / length;
    if (alpha >= 1.0)
        return false;
    double step = (1.0 + n * alpha) / (n + 1.0);
    double grow = n * n * (1.0 - alpha * alpha) / (n * n - 1.0);
    double shrink = 2.0 * (1.0 + n * alpha) / ((n + 1.0) * (1.0 + alpha));
    for (uint32_t i = 0; i < size; i++)
        search->center[i] -= step * image[i] / length;
    for (uint32_t i = 0; i < size; i++)
        for (uint32_t j = 0; j < size; j++)
            search->matrix[i][j] =
                grow * (search->matrix[i][j] - shrink * image[i] * image[j] / (length * length));
    return true;
}

/* The weight that is furthest below 0, as a direction that makes it smaller; false when all are
 * good. Writes the last weight. */
static bool bound_is_outside(const struct bound_search *search, double *weights, double *normal,
                             double *depth)
{
    uint32_t size = search->size, worst = 0;
    double last = 1.0;

    for (uint32_t g = 0; g < size; g++) {
        weights[g] = search->center[g];
        last -= weights[g];
    }
    weights[size] = last;
    for (uint32_t g = 1; g <= size; g++)
        if (weights[g] < weights[worst])
            worst = g;
    if (weights[worst] >= 0.0)
        return false;
    *depth = -weights[worst];
    for (uint32_t g = 0; g < size; g++)
        normal[g] = worst == size ? 1.0 : g == worst ? -1.0 : 0.0;
    return true;
}

/* What the center gives with no weight below 0: the best is often where some groups do nothing. */
static double bound_at_rim(const struct bound_shares *shares, double *weights, double *slope)
{
    double sum = 0.0;

    for (uint32_t g = 0; g < shares->groups; g++)
        sum += weights[g] > 0.0 ? weights[g] : 0.0;
    for (uint32_t g = 0; g < shares->groups; g++)
        weights[g] = weights[g] > 0.0 ? weights[g] / sum : 0.0;
    return bound_at(shares, weights, slope);
}

/* Moves weight from one group to another as long as that helps, ever less of it: the ellipsoid ends
 * a few roundings short of a best that lies on the rim. */
static double bound_polish(const struct bound_shares *shares, const double *from, double best)
{
    double weights[BOUND_GROUPS], slope[BOUND_GROUPS], tried[BOUND_GROUPS];
    size_t bytes = shares->groups * sizeof *weights;
    uint32_t pairs = shares->groups * shares->groups;

    memcpy(weights, from, bytes);
    for (double step = BOUND_POLISH; step > BOUND_POLISH * 1e-8; step /= 4)
        for (uint32_t pair = 0; pair < pairs; pair++) {
            uint32_t less = pair / shares->groups, more = pair % shares->groups;
            double moved = step < weights[less] ? step : weights[less];
            memcpy(tried, weights, bytes);
            tried[less] -= moved;
            tried[more] += moved;
            double here = less == more ? 0.0 : bound_at(shares, tried, slope);
            if (here > best) {
                best = here;
                memcpy(weights, tried, bytes);
            }
        }
    return best;
}

/* Three groups or more. All weights give a bound that holds; the best of those met counts. */
static double bound_many(const struct bound_shares *shares)
{
    struct bound_search search = {.size = shares->groups - 1};
    double weights[BOUND_GROUPS] = {0}, slope[BOUND_GROUPS], normal[BOUND_GROUPS], depth = 0.0;
    double found[BOUND_GROUPS] = {0}, best = 0.0;
    double most = BOUND_WORK / ((double)shares->count * shares->groups + 1.0);
    uint32_t size = search.size, steps = most < BOUND_STEPS ? (uint32_t)most + 1 : BOUND_STEPS;

    for (uint32_t g = 0; g < size; g++) {
        search.center[g] = 1.0 / shares->groups;
        search.matrix[g][g] = 1.0; /* all weights are within 1 of the middle */
    }
    for (uint32_t i = 0; i < steps; i++) {
        bool is_outside = bound_is_outside(&search, weights, normal, &depth);
        double here =
            is_outside ? bound_at_rim(shares, weights, slope) : bound_at(shares, weights, slope);
        if (here > best) {
            best = here;
            memcpy(found, weights, sizeof found);
        }
        if (!is_outside) {
            for (uint32_t g = 0; g < size; g++)
                normal[g] = slope[size] - slope[g]; /* towards less */
            depth = best - here;
        }
        if (!bound_cut(&search, normal, depth))
            break;
    }
    return bound_polish(shares, found, best);
}

/* What each task costs on each group, at its cheapest device there. */
static void bound_fill_shares(const struct bound_input *input, struct bound_shares *shares)
{
    for (uint32_t k = 0; k < input->task_count; k++)
        for (uint32_t g = 0; g < shares->groups; g++)
            shares->share[(size_t)k * shares->groups + g] = INFINITY;
    for (uint32_t k = 0; k < input->task_count; k++)
        for (uint32_t d = 0; d < input->device_count; d++) {
            const struct bound_cost *cost = &input->costs[(size_t)k * input->device_count + d];
            if (cost->run_ns == 0 || !(cost->cores > 0.0) || cost->group >= shares->groups ||
                !(input->group_cores[cost->group] > 0.0))
                continue;
            double *share = &shares->share[(size_t)k * shares->groups + cost->group];
            double here = (double)cost->run_ns * cost->cores / input->group_cores[cost->group];
            if (here < *share)
                *share = here;
        }
}

static bool bound_area(const struct bound_input *input, double *area)
{
    struct bound_shares shares = {.count = input->task_count, .groups = input->group_count};
    double slope[1];

    *area = 0.0;
    if (shares.groups == 0 || shares.groups > BOUND_GROUPS || shares.count == 0)
        return true;
    shares.share = malloc((size_t)shares.count * shares.groups * sizeof *shares.share);
    if (!shares.share)
        return false;
    bound_fill_shares(input, &shares);
    bool is_good = true;
    if (shares.groups == 1)
        *area = bound_at(&shares, (const double[]){1.0}, slope);
    else if (shares.groups == 2)
        is_good = bound_two(&shares, area);
    else
        *area = bound_many(&shares);
    free(shares.share);
    return is_good;
}

fgpu_status bound_compute(const struct bound_input *input, struct bound *bound)
{
    struct bound_graph graph;
    double area = 0.0;

    *bound = (struct bound){0};
    bool is_good = bound_graph_init(&graph, input) && bound_area(input, &area);
    if (is_good)
        bound->path_ns = bound_longest(&graph, input);
    bound_graph_fini(&graph);
    if (!is_good)
        return FGPU_E_NOMEM;
    bound->area_ns = (uint64_t)area; /* down: it stays a bound */
    bound->lower_ns = bound->area_ns > bound->path_ns ? bound->area_ns : bound->path_ns;
    for (uint32_t k = 0; k < input->task_count; k++)
        bound->unknown_count += bound_shortest(input, k) == 0;
    return FGPU_OK;
}
