/* The task graphs of `fastgpu bench tasks`: empty native kernels whose order follows from the
 * buffers that they name. The same graphs as other task runtimes are measured with:
 *
 *   independent  N tasks, each reads and writes a buffer of its own
 *   chain        N tasks, all read and write one buffer
 *   wavefront    N x N tasks; each reads the buffers above and to the left, writes its own
 *   cholesky     the tiled factorisation of a matrix of N x N tiles (lower half): per column a
 *                factor, solves below it, updates to the right; N + N(N-1) + N(N-1)(N-2)/6 tasks
 *
 * One thread submits. Owns its buffers and kernels, which live as long as its pool.
 */
#ifndef FASTGPU_CLI_BENCH_BENCH_GRAPH_H
#define FASTGPU_CLI_BENCH_BENCH_GRAPH_H

#include <signal.h>
#include <stdbool.h>

#include <fastgpu/fastgpu.h>

enum bench_shape { BENCH_INDEPENDENT, BENCH_CHAIN, BENCH_WAVEFRONT, BENCH_CHOLESKY, BENCH_SHAPES };

/* Names of the shapes in that order, closed by NULL. */
extern const char *const bench_shape_names[BENCH_SHAPES + 1];

#define BENCH_KERNELS 6
#define BENCH_WORKERS_LIMIT 256

/* Limits of one pool, with some room for what holds the tasks back. */
#define BENCH_TASKS_LIMIT UINT64_C(4000000)
#define BENCH_BUFFERS_LIMIT UINT64_C(1040000)

struct bench_graph {
    enum bench_shape shape;
    uint64_t edge; /* N */
    uint64_t task_count;
    uint64_t buffer_count;
    fgpu_pool pool;
    fgpu_kernel kernels[BENCH_KERNELS];
    fgpu_buffer *buffers;
    const fgpu_task *after; /* every task waits for this one too; NULL: none. [borrow] */
    const volatile sig_atomic_t *stop;
};

/* How many tasks and buffers a shape has; N is at most BENCH_TASKS_LIMIT. */
uint64_t bench_graph_tasks(enum bench_shape shape, uint64_t edge);
uint64_t bench_graph_buffers(enum bench_shape shape, uint64_t edge);

/* Makes kernels and buffers. [in] graph: shape, edge, pool and stop are set. [in] is_counted:
 * bodies count how often they ran. FGPU_E_CANCELLED when `stop` ended it. */
fgpu_status bench_graph_init(struct bench_graph *graph, bool is_counted);
void bench_graph_fini(struct bench_graph *graph);

/* Submits all tasks. *submitted: how many were; fewer when `stop` ended it (FGPU_E_CANCELLED). */
fgpu_status bench_graph_submit(const struct bench_graph *graph, uint64_t *submitted);

/* Records all tasks and makes them ready to be launched. FGPU_E_CANCELLED when `stop` ended it. */
fgpu_status bench_graph_record(const struct bench_graph *graph, fgpu_graph_exec *exec);

/* How many bodies have run since the last call, on all workers. No task may be pending. */
uint64_t bench_graph_take_ran(void);

#endif
