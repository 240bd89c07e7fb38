/* `fastgpu bench tiles`: tiled linear algebra on devices of different speed. bench_tiles.c reads
 * the options and prints, bench_tiles_run.c makes the matrices, runs them and checks the results,
 * bench_tiles_graph.c submits the tasks. Main thread.
 */
#ifndef FASTGPU_CLI_BENCH_BENCH_TILES_H
#define FASTGPU_CLI_BENCH_BENCH_TILES_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <fastgpu/fastgpu.h>

#include "cli/evaluate/bound.h"

#define TILES_DEVICES_LIMIT 16
#define TILES_ROUNDS_LIMIT 99
#define TILES_MOST 64 /* tiles of an edge */

enum tiles_shape { TILES_PRODUCT, TILES_CHOLESKY, TILES_SHAPES };

enum tiles_kernel { TILES_MULTIPLY, TILES_UPDATE, TILES_FACTOR, TILES_SOLVE, TILES_KERNELS };

extern const char *const tiles_shape_names[TILES_SHAPES + 1]; /* closed by NULL */

struct tiles_options {
    uint64_t tiles, size; /* of an edge; elements of a tile's edge */
    uint64_t rounds, warm;
    uint64_t memory; /* tiles that a device holds at most; 0: no limit */
};

struct tiles_task {
    enum tiles_kernel kernel;
    uint32_t tiles[3]; /* buffers: read, read, read and written; unused ones are the last */
};

/* The tasks of a shape in their order, with who waits for whom. */
struct tiles_graph {
    uint32_t buffer_count, task_count;
    struct tiles_task *tasks;
    struct workload_edges edges;
};

fgpu_status tiles_graph_make(struct tiles_graph *graph, enum tiles_shape shape, uint32_t tiles);
void tiles_graph_fini(struct tiles_graph *graph);

/* Tiles that are copied at least when the tasks run in that order ([in] order: their numbers) on a
 * device that holds `room` tiles; all begin in the host's memory. UINT64_MAX without memory. */
uint64_t tiles_least(const struct tiles_graph *graph, const uint32_t *order, uint32_t room);

/* One shape, measured. */
struct tiles_result {
    uint32_t task_count, device_count, round_count;
    char ids[TILES_DEVICES_LIMIT][64];
    double wall_ns;                   /* median */
    double busy[TILES_DEVICES_LIMIT]; /* share of the time that the device was busy, by its clock */
    uint64_t tasks[TILES_DEVICES_LIMIT];
    double others_share; /* of all processors, taken by others; negative: not known */
    double cores_share;  /* CPU time of the process / (wall x cores) */
    double bytes_moved;  /* in the traced round */
    double bytes_least;  /* for the order of that round; negative: not known */
    bool is_bound_known;
    struct bound bound; /* from the medians of a traced round */
    double flops;
    double error; /* largest, relative */
    bool is_right;
};

/* [in] pool: OpenCL devices only. FGPU_E_CANCELLED with what was measured till then. */
fgpu_status bench_tiles_run(fgpu_pool pool, enum tiles_shape shape,
                            const struct tiles_options *options, struct tiles_result *result,
                            const volatile sig_atomic_t *stop);

#endif
