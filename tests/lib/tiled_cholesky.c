/* See tiled_cholesky.h. */
#include "lib/tiled_cholesky.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define NOBODY UINT32_MAX

const char *const tiled_cholesky_kernels[TILED_CHOLESKY_TYPES] = {"potrf", "trsm", "syrk", "gemm"};

enum { POTRF, TRSM, SYRK, GEMM };

static void *need(size_t count)
{
    void *memory = malloc((count + 1) * sizeof(uint32_t));
    assert_non_null(memory);
    return memory;
}

static void reads(struct tiled_cholesky *graph, uint32_t row, uint32_t column)
{
    uint32_t writer = graph->writer[row * graph->tiles + column];
    if (writer == NOBODY)
        return;
    graph->from[graph->edge_count] = writer;
    graph->to[graph->edge_count++] = graph->task_count;
}

/* The task reads and writes its tile, after what it only reads. */
static void task(struct tiled_cholesky *graph, uint32_t type, uint32_t row, uint32_t column)
{
    reads(graph, row, column);
    graph->writer[row * graph->tiles + column] = graph->task_count;
    graph->type_of[graph->task_count++] = type;
}

static void tasks(struct tiled_cholesky *graph)
{
    for (uint32_t k = 0; k < graph->tiles; k++) {
        task(graph, POTRF, k, k);
        for (uint32_t i = k + 1; i < graph->tiles; i++) {
            reads(graph, k, k);
            task(graph, TRSM, i, k);
        }
        for (uint32_t i = k + 1; i < graph->tiles; i++) {
            reads(graph, i, k);
            task(graph, SYRK, i, i);
            for (uint32_t j = k + 1; j < i; j++) {
                reads(graph, i, k);
                reads(graph, j, k);
                task(graph, GEMM, i, j);
            }
        }
    }
}

/* The edges as compressed rows. Filling moves each row's begin to its end, which is the next one's
 * begin: hence one place further. */
static void rows(struct tiled_cholesky *graph)
{
    uint32_t *first = graph->first_successor;
    memset(first, 0, (graph->task_count + 2u) * sizeof *first);
    for (uint32_t e = 0; e < graph->edge_count; e++)
        first[graph->from[e] + 2]++;
    for (uint32_t i = 2; i <= graph->task_count + 1; i++)
        first[i] += first[i - 1];
    for (uint32_t e = 0; e < graph->edge_count; e++)
        graph->successors[first[graph->from[e] + 1]++] = graph->to[e];
}

void tiled_cholesky_make(struct tiled_cholesky *graph, uint32_t tiles)
{
    uint32_t most = tiles * tiles + tiles * (tiles - 1) * (tiles - 2) / 6;
    *graph = (struct tiled_cholesky){.tiles = tiles};
    graph->type_of = need(most);
    graph->from = need(3 * (size_t)most);
    graph->to = need(3 * (size_t)most);
    graph->writer = need((size_t)tiles * tiles);
    for (uint32_t i = 0; i < tiles * tiles; i++)
        graph->writer[i] = NOBODY;
    tasks(graph);
    graph->first_successor = need((size_t)graph->task_count + 1);
    graph->successors = need(graph->edge_count);
    rows(graph);
}

void tiled_cholesky_free(struct tiled_cholesky *graph)
{
    free(graph->type_of);
    free(graph->from);
    free(graph->to);
    free(graph->writer);
    free(graph->first_successor);
    free(graph->successors);
}
