/* Random task graphs over random ranges, whose result depends on the order of every pair of tasks
 * that touch the same bytes.
 *
 * The oracle runs each operation on plain arrays at the moment it is submitted: that is what "as if
 * one after another in the order of submission" means. Integer arithmetic only, so that the
 * comparison is exact.
 */
#ifndef FASTGPU_TESTS_LIB_RANDOM_GRAPH_H
#define FASTGPU_TESTS_LIB_RANDOM_GRAPH_H

#include <string.h>

#include <fastgpu/fastgpu.h>
#include "base/rng.h"

#define RANDOM_GRAPH_BUFFERS 5
#define RANDOM_GRAPH_WORDS 96 /* uint32_t in a buffer */

struct random_graph_kernels {
    fgpu_kernel update;  /* p = p * a + b */
    fgpu_kernel combine; /* d = d * 31 + s * 17 + c */
    fgpu_kernel derive;  /* d = s ^ c */
    fgpu_kernel tile;    /* rows x cols of p at a pitch: p = p * 5 + c + index */
    uint32_t divisible;  /* so many of 100 kernel tasks may be run in pieces */
};

struct random_span {
    uint32_t buffer, at, words;
};

/* One kernel and what it is run with. */
struct random_step {
    enum { RANDOM_UPDATE, RANDOM_COMBINE, RANDOM_DERIVE, RANDOM_TILE } kind;
    struct random_span d, s;
    uint32_t a, c, pitch, rows;
    uint32_t after;       /* node that it comes after, or none */
    uint32_t empty_after; /* the node before it is an empty one, that comes after this; or none */
    uint32_t node;
};
#define RANDOM_GRAPH_NONE UINT32_MAX
#define RANDOM_GRAPH_FAILS 0x7fffffffu /* as `c`: the kernel fails */

#define RANDOM_GRAPH_RECORDED 3 /* recorded graphs at a time */
#define RANDOM_GRAPH_STEPS 20   /* kernels in one of them */

struct random_recorded {
    fgpu_graph_exec exec; /* 0: not recorded */
    uint32_t count, nodes;
    struct random_step steps[RANDOM_GRAPH_STEPS];
};

struct random_graph {
    fgpu_pool pool;
    struct random_graph_kernels kernels;
    struct rng rng;
    fgpu_buffer buffers[RANDOM_GRAPH_BUFFERS];
    uint32_t model[RANDOM_GRAPH_BUFFERS][RANDOM_GRAPH_WORDS];
    uint32_t *adopted[RANDOM_GRAPH_BUFFERS];  /* memory of buffers made from a pointer, else NULL */
    uint32_t scratch[64][RANDOM_GRAPH_WORDS]; /* host memory of asynchronous reads and writes */
    uint32_t expected[64][RANDOM_GRAPH_WORDS];
    uint32_t scratch_words[64]; /* of a read: compared at the end */
    fgpu_task scratch_tasks[64];
    uint32_t scratch_count;
    bool faulty;          /* tasks may fail: what can be read must still be right */
    uint32_t failures;    /* calls that reported a failure that faults explain */
    uint32_t compared;    /* words that were read and compared at the end */
    fgpu_task last;       /* some earlier task, for explicit dependencies */
    uint32_t align_words; /* offsets are multiples of it */
    uint32_t overwrites;  /* so many of 100 operations are kernels, copies and fills that only
                             overwrite, beside those that are so anyway */
    uint32_t launches;    /* so many of 100 operations launch a recorded graph */
    struct random_recorded recorded[RANDOM_GRAPH_RECORDED];
    /* Where kernels fail: what that spoils, and how many tasks end in which way. */
    uint32_t failing; /* so many of 100 kernels fail */
    bool spoilt[RANDOM_GRAPH_BUFFERS][RANDOM_GRAPH_WORDS];
    bool last_failed;
    uint64_t tasks_failed, tasks_done;
    char why[256];
};

/* Makes the kernels (native and OpenCL C variants). Returns a status with fgpu_last_error(). */
fgpu_status random_graph_kernels(fgpu_pool pool, struct random_graph_kernels *kernels);

/* A scalar argument of a native kernel or a host function. */
static inline uint32_t random_graph_value(void *const *args, int index)
{
    uint32_t value;
    memcpy(&value, args[index], sizeof value);
    return value;
}

/* Runs one graph of `op_count` operations made from the seed and compares every byte. True when all
 * is equal; else graph->why says what differs, or which call failed. */
bool random_graph_run(struct random_graph *graph, fgpu_pool pool,
                      const struct random_graph_kernels *kernels, uint64_t seed, uint32_t op_count,
                      uint32_t align_words);

/* The same on devices with faults: calls may fail as faults allow, every wait must return, and
 * every word that can be read must be what running one after another gives: data of failed tasks
 * are never readable. overwrites: see above. */
bool random_graph_run_faulty(struct random_graph *graph, fgpu_pool pool,
                             const struct random_graph_kernels *kernels, uint64_t seed,
                             uint32_t op_count, uint32_t overwrites);

/* As random_graph_run, or random_graph_run_faulty, with recorded graphs among the operations. */
bool random_graph_run_recorded(struct random_graph *graph, fgpu_pool pool,
                               const struct random_graph_kernels *kernels, uint64_t seed,
                               uint32_t op_count, bool faulty);

/* Kernels of recorded graphs and others fail by themselves. What can be read in the end must be
 * exactly what they leave, and the pool must have counted each task that failed or was poisoned. On
 * devices that run native kernels. */
bool random_graph_run_failing(struct random_graph *graph, fgpu_pool pool,
                              const struct random_graph_kernels *kernels, uint64_t seed,
                              uint32_t op_count);

#endif
