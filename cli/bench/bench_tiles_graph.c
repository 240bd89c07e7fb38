/* The tasks of `fastgpu bench tiles`: see bench_tiles.h. Pure. */
#include "cli/bench/bench_tiles.h"

#include <stdlib.h>
#include <string.h>

#define TILES_NOBODY UINT32_MAX

const char *const tiles_shape_names[TILES_SHAPES + 1] = {"product", "cholesky", NULL};

/* While a graph is made. */
struct tiles_maker {
    struct tiles_graph *graph;
    uint32_t *writer; /* [buffer] last task that wrote it */
};

static void tiles_add_edge(struct tiles_maker *maker, uint32_t buffer)
{
    struct tiles_graph *graph = maker->graph;
    struct workload_edge edge = {maker->writer[buffer], graph->task_count};
    uint32_t at = graph->edges.count;

    if (edge.from == TILES_NOBODY)
        return;
    /* sorted by `from` among those of the task */
    while (at > 0 && graph->edges.items[at - 1].to == edge.to &&
           graph->edges.items[at - 1].from > edge.from) {
        graph->edges.items[at] = graph->edges.items[at - 1];
        at--;
    }
    bool is_there = at > 0 && graph->edges.items[at - 1].to == edge.to &&
                    graph->edges.items[at - 1].from == edge.from;
    if (is_there) { /* whatever was moved goes back */
        memmove(&graph->edges.items[at], &graph->edges.items[at + 1],
                (graph->edges.count - at) * sizeof edge);
        return;
    }
    graph->edges.items[at] = edge;
    graph->edges.count++;
}

static void tiles_add(struct tiles_maker *maker, enum tiles_kernel kernel, uint32_t one,
                      uint32_t other, uint32_t own)
{
    struct tiles_graph *graph = maker->graph;

    tiles_add_edge(maker, own);
    if (one != own)
        tiles_add_edge(maker, one);
    if (other != own && other != one)
        tiles_add_edge(maker, other);
    maker->writer[own] = graph->task_count;
    graph->tasks[graph->task_count++] = (struct tiles_task){kernel, {one, other, own}};
}

/* Column by column of a and row by row of b: c += a b. The buffers of a, b and c follow each other.
 */
static void tiles_put_product(struct tiles_maker *maker, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++)
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t j = 0; j < n; j++)
                tiles_add(maker, TILES_MULTIPLY, i * n + k, n * n + k * n + j,
                          2 * n * n + i * n + j);
}

/* Right-looking, the lower half. */
static void tiles_put_cholesky(struct tiles_maker *maker, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++) {
        uint32_t factor = k * n + k;
        tiles_add(maker, TILES_FACTOR, factor, factor, factor);
        for (uint32_t i = k + 1; i < n; i++)
            tiles_add(maker, TILES_SOLVE, factor, factor, i * n + k);
        for (uint32_t i = k + 1; i < n; i++)
            for (uint32_t j = k + 1; j <= i; j++)
                tiles_add(maker, TILES_UPDATE, i * n + k, j * n + k, i * n + j);
    }
}

fgpu_status tiles_graph_make(struct tiles_graph *graph, enum tiles_shape shape, uint32_t tiles)
{
    uint64_t n = tiles;
    uint64_t most = shape == TILES_PRODUCT ? n * n * n : n + n * n + n * n * n / 6 + n * n;

    *graph = (struct tiles_graph){.buffer_count =
                                      (uint32_t)(shape == TILES_PRODUCT ? 3 * n * n : n * n)};
    struct tiles_maker maker = {graph, malloc(graph->buffer_count * sizeof *maker.writer)};
    graph->tasks = calloc(most, sizeof *graph->tasks);
    graph->edges.items = calloc(3 * most + 1, sizeof *graph->edges.items);
    if (!maker.writer || !graph->tasks || !graph->edges.items) {
        free(maker.writer);
        tiles_graph_fini(graph);
        return FGPU_E_NOMEM;
    }
    for (uint32_t i = 0; i < graph->buffer_count; i++)
        maker.writer[i] = TILES_NOBODY;
    if (shape == TILES_PRODUCT)
        tiles_put_product(&maker, tiles);
    else
        tiles_put_cholesky(&maker, tiles);
    free(maker.writer);
    return FGPU_OK;
}

void tiles_graph_fini(struct tiles_graph *graph)
{
    free(graph->tasks);
    free(graph->edges.items);
    *graph = (struct tiles_graph){0};
}
