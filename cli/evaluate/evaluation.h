/* What a workload's run was like: the record between those who run (evaluate.h), print
 * (run_print.h: five sections, JSON) and draw (report.h). Plain data; numbers that were not
 * measured are unknown, which is said by a field, never 0 in their place.
 *
 * The five steps of FastGPU and what they fill in:
 *   assess    machine, devices
 *   schedule  tasks, edges, placements (the traced round)
 *   memory    peak, copies, evictions
 *   balance   what each device did, utilisation over time
 *   evaluate  times of pool and baselines, latency, lower bound
 */
#ifndef FASTGPU_CLI_EVALUATE_EVALUATION_H
#define FASTGPU_CLI_EVALUATE_EVALUATION_H

#include "cli/baseline/baseline.h"
#include "cli/evaluate/bound.h"
#include "cli/image/image.h"
#include "cli/evaluate/profile.h"
#include "cli/common/sampler.h"
#include "cli/workload/workload_edges.h"

#define EVALUATION_DEVICES_LIMIT 64
#define EVALUATION_SIDES_LIMIT 8
#define EVALUATION_ROUNDS_LIMIT 99
#define EVALUATION_NONE UINT32_MAX

/* ---- assess */

struct evaluation_machine {
    char name[64];    /* host name is private: the processor's name */
    char system[128]; /* "Linux 6.1 x86_64" */
    char version[32]; /* of FastGPU */
    double cores;     /* this process may use */
    uint64_t memory_bytes;
    char started[32]; /* ISO 8601 with zone: when the run began */
};

struct evaluation_device {
    fgpu_device handle;
    fgpu_device_info info;
    /* of the round that is shown */
    uint64_t task_count;
    uint64_t busy_ns; /* of its queues, added up */
    bool is_busy_known;
    double busy_share; /* busy_ns / (wall x queues) */
    double cpu_share; /* CPU time of the threads that compute for it / (wall x cores); negative: not
                         known (a GPU, several devices of one library) */
    uint64_t memory_peak_bytes;
};

/* ---- schedule: one for each task of the workload, from the traced round */

struct evaluation_task {
    uint32_t device; /* EVALUATION_NONE: did not run */
    uint32_t queue;
    int32_t status;
    uint64_t submit_ns, ready_ns, start_ns, end_ns; /* CLOCK_MONOTONIC; 0: not known */
    uint64_t done_ns;                               /* told to be done; 0: not known */
    uint64_t predicted_ns;                          /* 0: was not known then */
};

struct evaluation_copy {
    uint32_t task; /* number in the workload, or EVALUATION_NONE */
    uint32_t device, node_from, node_to;
    uint32_t queue;
    uint64_t start_ns, end_ns, bytes;
};

struct evaluation_build {
    char name[64];
    uint32_t device;
    uint64_t start_ns, end_ns;
};

/* ---- evaluate */

struct evaluation_latency {
    uint64_t mean_ns, p50_ns, p99_ns, max_ns; /* submit to done, of the traced round */
    bool is_known;
};

/* The same work without the pool. */
struct evaluation_side {
    enum baseline_way way;
    uint32_t device; /* index in devices */
    uint32_t round_count;
    uint64_t wall_ns[EVALUATION_ROUNDS_LIMIT];
    uint64_t median_ns; /* 0: not measured */
    double cpu_share;   /* of the machine's cores, in the median round */
    double work_share;  /* the same without threads that spin while they wait; where that is not
                           known apart, cpu_share */
    uint64_t copied_bytes;
    bool is_equal; /* its outputs are those of the pool, bit for bit */
    char error[CLI_WHY_BYTES];
};

struct evaluation_round {
    uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
    uint64_t copied_bytes, copies, evictions, bytes_evicted;
    uint64_t bytes_reloaded, bytes_spilled, thrashes; /* as in fgpu_pool_stats, of this round */
    uint64_t blocks_planned, blocks_stitched;
    uint32_t done_count, failed_count, cancelled_count;
    double cpu_share;        /* of all cores, whole round; negative: not known */
    double own_share;        /* the pool's own threads and the waiting one, of one core */
    double cpu_share_middle; /* of all cores, second and third quarter; the same */
    double joule;            /* that the machine has drawn meanwhile; negative: not known */
};

/* How far it came. */
enum evaluation_step {
    EVALUATION_OPENING, /* the pool; its options may be wrong, or no device there */
    EVALUATION_LOADING, /* kernels and buffers; the workload may be wrong */
    EVALUATION_BUILDING,
    EVALUATION_RUNNING
};

struct evaluation {
    enum evaluation_step step;
    const struct workload *workload;
    const char *path;              /* of the workload; shown */
    const char *policy;            /* shown */
    const struct profile *profile; /* whose choices the workload has; NULL: none. [borrow] */
    struct evaluation_machine machine;
    struct evaluation_device devices[EVALUATION_DEVICES_LIMIT];
    uint32_t device_count;

    struct evaluation_round rounds[EVALUATION_ROUNDS_LIMIT]; /* timed, not traced */
    uint32_t round_count;
    uint32_t shown; /* the round with the median time; EVALUATION_NONE: only `traced` */
    struct evaluation_round traced;

    struct evaluation_side sides[EVALUATION_SIDES_LIMIT];
    uint32_t side_count;

    /* of the traced round */
    struct evaluation_task *tasks; /* workload->task_count */
    struct evaluation_copy *copies;
    uint32_t copy_count;
    struct evaluation_build *builds; /* of the whole run: kernels compile before the first round */
    uint32_t build_count;
    struct workload_edges edges;
    struct sample *samples;
    uint32_t sample_count;
    struct evaluation_latency latency;
    bool is_bound_known;
    struct bound bound;

    double others_share;      /* of all processors, taken by others while it was measured; negative:
                                 not known */
    char energy_sources[128]; /* counters of the joules; "": there are none */
    char energy_why[CLI_WHY_BYTES]; /* why the joules of a round are not known */
    uint32_t written_count;         /* outputs */
    bool is_traced;                 /* tasks, copies and latency are known */
    bool is_interrupted;
    char error[CLI_WHY_BYTES]; /* first failure, "" when all went well */
};

/* From this share on others_share is worth a warning. */
#define EVALUATION_OTHERS_LEAST 0.05

/* The fastest side of that way, or EVALUATION_NONE. */
uint32_t evaluation_best_side(const struct evaluation *evaluation, enum baseline_way way);

/* The round that figures are shown of: the one with the median time, or the traced one where that
 * is the only one. Its end_ns is 0 where nothing was run. */
const struct evaluation_round *evaluation_shown(const struct evaluation *evaluation);

/* Frees what the record owns (not the workload); NULL is allowed. */
void evaluation_fini(struct evaluation *evaluation);

#endif
