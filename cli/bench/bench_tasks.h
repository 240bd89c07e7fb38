/* What `fastgpu bench tasks` measures: the records between bench_tasks.c (options, words) and
 * bench_tasks_run.c (runs). Plain data.
 */
#ifndef FASTGPU_CLI_BENCH_BENCH_TASKS_H
#define FASTGPU_CLI_BENCH_BENCH_TASKS_H

#include "cli/bench/bench_graph.h"
#include "cli/common/log_options.h"

#define BENCH_REPEAT_LIMIT 1000

enum bench_device { BENCH_DEVICE_NULL, BENCH_DEVICE_CPU };

struct bench_tasks_options {
    uint32_t shape;  /* enum bench_shape */
    uint32_t device; /* enum bench_device */
    uint64_t edge;
    uint64_t workers; /* 0: the pool's choice */
    uint64_t repeat;
    bool is_recorded; /* rounds are launches of one recorded graph */
    bool is_checked;
    bool is_json;
    struct log_options log;
};

/* One repetition, in ns. */
struct bench_tasks_round {
    uint64_t submit_ns; /* until the last submission returned */
    uint64_t wall_ns;   /* until the wait returned */
    uint64_t cpu_ns;    /* of all threads of the process */
};

/* Growth while all tasks were pending, in bytes of the whole graph; none is known without a hold.
 */
struct bench_tasks_memory {
    bool is_known;
    bool is_heap_known; /* the C library's allocator is the one in use */
    double heap_bytes;  /* in use in its heap */
    double rss_bytes;   /* resident set of the process */
    double pool_bytes;  /* what the pool says that its tables hold */
};

struct bench_tasks_result {
    uint64_t task_count;
    uint64_t buffer_count;
    uint32_t workers;
    struct bench_tasks_memory memory;
    struct bench_tasks_round *rounds;
    uint32_t round_count;  /* measured whole */
    uint32_t other_rounds; /* that were held back, or to warm up */
    uint64_t allocations;  /* by the pool during those rounds */
    uint64_t other_count;  /* tasks that held the first graph back */
    uint64_t done_count;   /* tasks of all graphs that the pool counted as done */
    uint64_t ran_count;    /* bodies that ran; counted only with is_checked on a device that runs */
};

/* Holds one graph back for its memory, runs one to warm up, then `repeat` measured ones. What was
 * measured before a failure or an end by the user stays in *result.
 * FGPU_E_CANCELLED: the user ended it. [out] result: rounds is freed by the caller. *is_closable:
 * the pool has no tasks left. */
fgpu_status bench_tasks_run(fgpu_pool pool, const struct bench_tasks_options *options,
                            struct bench_tasks_result *result, const volatile sig_atomic_t *stop,
                            bool *is_closable);

#endif
