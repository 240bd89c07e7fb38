/* Tiled linear algebra as task graphs: Cholesky, LU without pivoting, matrix product.
 *
 * Tasks come in the order of StarPU's implicit versions (examples/cholesky/cholesky_implicit.c,
 * examples/lu/xlu_implicit.c) with the priorities that its Cholesky gives them: twice the tiles,
 * less 2k of the step and less the rows and columns that the task is away from it. The counts of
 * floating point operations of the kernels add up to n^3/3, 2n^3/3 and 2n^3 exactly. */
#include "cli/sim/sim_generate.h"

#include <stdio.h>
#include <stdlib.h>

static const char tile_help[] = "edge of a tile: what costs are asked with";
static const char divisible_help[] = "rows in a piece of an update; 0: none divides";
static const char element_help[] = "bytes of a number: 4 is float, 8 is double";

/* What every task of a tiled algorithm shares. */
struct tiles {
    struct sim_graph *graph;
    uint64_t count, tile;
    uint64_t tile_bytes;
    uint32_t parts; /* of a task that is divisible; 0: none is */
};

static const struct sim_param tiles_params[] = {
    {"tiles", "tiles in a row and in a column", "20", SIM_WHOLE, 1, 400},
    {"tile", tile_help, "960", SIM_WHOLE, 1, 65536},
    {"element", element_help, "4", SIM_WHOLE, 1, 64},
    {"divisible", divisible_help, "0", SIM_WHOLE, 0, 65536},
};

static struct tiles tiles_open(struct sim_graph *graph, const struct sim_value *values)
{
    uint64_t tile = values[1].whole, rows = values[3].whole;

    return (struct tiles){.graph = graph,
                          .count = values[0].whole,
                          .tile = tile,
                          .tile_bytes = tile * tile * values[2].whole,
                          .parts = rows > 0 ? (uint32_t)((tile + rows - 1) / rows) : 0};
}

/* [in] parts: of tiles->parts, or 0: the rows of the tile that it writes depend on each other. */
static void tiles_add(const struct tiles *tiles, uint32_t kernel, uint64_t priority_less,
                      uint32_t parts)
{
    const struct sim_task task = {
        .kernel = kernel,
        .parts = parts,
        .size = tiles->tile,
        .flops = tiles->graph->status == FGPU_OK
                     ? sim_generate_flops(tiles->graph->kernels[kernel].name, tiles->tile)
                     : 0,
        .priority = (int32_t)(2 * (int64_t)tiles->count - (int64_t)priority_less),
    };

    (void)sim_graph_task(tiles->graph, &task);
}

/* ---- Cholesky: the lower triangle, tile (row, column) with column <= row */

static uint32_t cholesky_tile(uint64_t row, uint64_t column)
{
    return (uint32_t)(row * (row + 1) / 2 + column);
}

static double cholesky_count(const struct sim_value *values)
{
    double n = values[0].real;

    return n + n * (n - 1) + n * (n - 1) * (n - 2) / 6;
}

/* The update of the rest after step k, column by column. */
static void cholesky_update(const struct tiles *tiles, uint64_t k, uint32_t syrk, uint32_t gemm)
{
    struct sim_graph *graph = tiles->graph;

    for (uint64_t n = k + 1; n < tiles->count && graph->status == FGPU_OK; n++) {
        tiles_add(tiles, syrk, 2 * k + n, tiles->parts);
        sim_graph_read_whole(graph, cholesky_tile(n, k));
        sim_graph_access(graph, cholesky_tile(n, n), FGPU_READ_WRITE);
        sim_graph_name(graph, "syrk %u %u", (unsigned)k, (unsigned)n);
        for (uint64_t m = n + 1; m < tiles->count; m++) {
            tiles_add(tiles, gemm, 2 * k + n + m, tiles->parts);
            sim_graph_access(graph, cholesky_tile(m, k), FGPU_READ);
            sim_graph_read_whole(graph, cholesky_tile(n, k));
            sim_graph_access(graph, cholesky_tile(m, n), FGPU_READ_WRITE);
            sim_graph_name(graph, "gemm %u %u %u", (unsigned)k, (unsigned)m, (unsigned)n);
        }
    }
}

static void cholesky_make(struct sim_graph *graph, const struct sim_value *values)
{
    const struct tiles tiles = tiles_open(graph, values);
    uint32_t potrf = sim_graph_kernel(graph, "potrf", NULL);
    uint32_t trsm = sim_graph_kernel(graph, "trsm", NULL);
    uint32_t syrk = sim_graph_kernel(graph, "syrk", NULL);
    uint32_t gemm = sim_graph_kernel(graph, "gemm", NULL);

    (void)snprintf(graph->name, sizeof graph->name, "Cholesky of %u x %u tiles of %u",
                   (unsigned)tiles.count, (unsigned)tiles.count, (unsigned)tiles.tile);
    for (uint64_t i = 0; i < tiles.count * (tiles.count + 1) / 2; i++)
        (void)sim_graph_data(graph, tiles.tile_bytes);
    for (uint64_t k = 0; k < tiles.count && graph->status == FGPU_OK; k++) {
        tiles_add(&tiles, potrf, 2 * k, 0);
        sim_graph_access(graph, cholesky_tile(k, k), FGPU_READ_WRITE);
        sim_graph_name(graph, "potrf %u", (unsigned)k);
        for (uint64_t m = k + 1; m < tiles.count; m++) {
            tiles_add(&tiles, trsm, 2 * k + m, tiles.parts);
            sim_graph_read_whole(graph, cholesky_tile(k, k));
            sim_graph_access(graph, cholesky_tile(m, k), FGPU_READ_WRITE);
            sim_graph_name(graph, "trsm %u %u", (unsigned)k, (unsigned)m);
        }
        cholesky_update(&tiles, k, syrk, gemm);
    }
}

const struct sim_generator sim_generate_cholesky = {
    .name = "cholesky",
    .help = "tiled Cholesky factorisation (potrf, trsm, syrk, gemm)",
    .params = tiles_params,
    .param_count = sizeof tiles_params / sizeof tiles_params[0],
    .make = cholesky_make,
    .count = cholesky_count,
};

/* ---- LU: a square of tiles */

static double lu_count(const struct sim_value *values)
{
    double n = values[0].real;

    return n + n * (n - 1) + (n - 1) * n * (2 * n - 1) / 6;
}

static void lu_step(const struct tiles *tiles, uint64_t k, const uint32_t kernels[3])
{
    struct sim_graph *graph = tiles->graph;
    uint64_t count = tiles->count;

    tiles_add(tiles, kernels[0], 2 * k, 0);
    sim_graph_access(graph, (uint32_t)(k * count + k), FGPU_READ_WRITE);
    sim_graph_name(graph, "getrf %u", (unsigned)k);
    for (uint64_t i = k + 1; i < count; i++) {
        tiles_add(tiles, kernels[1], 2 * k + i, 0);
        sim_graph_access(graph, (uint32_t)(k * count + k), FGPU_READ);
        sim_graph_access(graph, (uint32_t)(k * count + i), FGPU_READ_WRITE);
        sim_graph_name(graph, "trsm left %u %u", (unsigned)k, (unsigned)i);
        tiles_add(tiles, kernels[1], 2 * k + i, tiles->parts);
        sim_graph_read_whole(graph, (uint32_t)(k * count + k));
        sim_graph_access(graph, (uint32_t)(i * count + k), FGPU_READ_WRITE);
        sim_graph_name(graph, "trsm right %u %u", (unsigned)k, (unsigned)i);
    }
    for (uint64_t i = k + 1; i < count && graph->status == FGPU_OK; i++)
        for (uint64_t j = k + 1; j < count; j++) {
            tiles_add(tiles, kernels[2], 2 * k + i + j, tiles->parts);
            sim_graph_read_whole(graph, (uint32_t)(k * count + i));
            sim_graph_access(graph, (uint32_t)(j * count + k), FGPU_READ);
            sim_graph_access(graph, (uint32_t)(j * count + i), FGPU_READ_WRITE);
            sim_graph_name(graph, "gemm %u %u %u", (unsigned)k, (unsigned)i, (unsigned)j);
        }
}

static void lu_make(struct sim_graph *graph, const struct sim_value *values)
{
    const struct tiles tiles = tiles_open(graph, values);
    /* Tables of a Cholesky have no getrf; potrf is the nearest that they have. */
    const uint32_t kernels[3] = {sim_graph_kernel(graph, "getrf", "potrf"),
                                 sim_graph_kernel(graph, "trsm", NULL),
                                 sim_graph_kernel(graph, "gemm", NULL)};

    (void)snprintf(graph->name, sizeof graph->name, "LU of %u x %u tiles of %u",
                   (unsigned)tiles.count, (unsigned)tiles.count, (unsigned)tiles.tile);
    for (uint64_t i = 0; i < tiles.count * tiles.count; i++)
        (void)sim_graph_data(graph, tiles.tile_bytes);
    for (uint64_t k = 0; k < tiles.count && graph->status == FGPU_OK; k++)
        lu_step(&tiles, k, kernels);
}

const struct sim_generator sim_generate_lu = {
    .name = "lu",
    .help = "tiled LU factorisation without pivoting (getrf, trsm, gemm)",
    .params = tiles_params,
    .param_count = sizeof tiles_params / sizeof tiles_params[0],
    .make = lu_make,
    .count = lu_count,
};

/* ---- matrix product: C (tiles x tiles) += A (tiles x depth) B (depth x tiles) */

static const struct sim_param gemm_params[] = {
    {"tiles", "tiles of C in a row and in a column", "10", SIM_WHOLE, 1, 4096},
    {"tile", tile_help, "960", SIM_WHOLE, 1, 65536},
    {"element", element_help, "4", SIM_WHOLE, 1, 64},
    {"divisible", divisible_help, "0", SIM_WHOLE, 0, 65536},
    {"depth", "tiles of A in a row; 0: as many as C has", "0", SIM_WHOLE, 0, 4096},
};

static uint64_t gemm_depth(const struct sim_value *values)
{
    return values[4].whole > 0 ? values[4].whole : values[0].whole;
}

static double gemm_count(const struct sim_value *values)
{
    return values[0].real * values[0].real * (double)gemm_depth(values);
}

static void gemm_make(struct sim_graph *graph, const struct sim_value *values)
{
    struct tiles tiles = tiles_open(graph, values);
    uint64_t depth = gemm_depth(values), count = tiles.count;
    uint32_t gemm = sim_graph_kernel(graph, "gemm", NULL);
    uint32_t first_b = (uint32_t)(count * depth), first_c = 2 * first_b;

    (void)snprintf(graph->name, sizeof graph->name, "product of %u x %u and %u x %u tiles of %u",
                   (unsigned)count, (unsigned)depth, (unsigned)depth, (unsigned)count,
                   (unsigned)tiles.tile);
    for (uint64_t i = 0; i < first_c + count * count; i++)
        (void)sim_graph_data(graph, tiles.tile_bytes);
    tiles.count = 0; /* priorities are all the same: every chain is as long as the others */
    for (uint64_t i = 0; i < count && graph->status == FGPU_OK; i++)
        for (uint64_t j = 0; j < count; j++)
            for (uint64_t k = 0; k < depth; k++) {
                tiles_add(&tiles, gemm, 0, tiles.parts);
                sim_graph_access(graph, (uint32_t)(i * depth + k), FGPU_READ);
                sim_graph_read_whole(graph, first_b + (uint32_t)(k * count + j));
                sim_graph_access(graph, first_c + (uint32_t)(i * count + j), FGPU_READ_WRITE);
                sim_graph_name(graph, "gemm %u %u %u", (unsigned)i, (unsigned)j, (unsigned)k);
            }
}

const struct sim_generator sim_generate_gemm = {
    .name = "gemm",
    .help = "matrix product C += A B by tiles",
    .params = gemm_params,
    .param_count = sizeof gemm_params / sizeof gemm_params[0],
    .make = gemm_make,
    .count = gemm_count,
};
