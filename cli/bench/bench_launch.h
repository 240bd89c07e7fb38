/* What `fastgpu bench launch` measures: the records between bench_launch.c (options, words) and
 * bench_launch_run.c (runs). Plain data.
 */
#ifndef FASTGPU_CLI_BENCH_BENCH_LAUNCH_H
#define FASTGPU_CLI_BENCH_BENCH_LAUNCH_H

#include <signal.h>
#include <stdbool.h>

#include <fastgpu/fastgpu.h>

#include "cli/bench/bench_opencl_raw.h"
#include "cli/common/log_options.h"

#define BENCH_LAUNCH_ROUNDS_LIMIT 1000

struct bench_launch_options {
    const char *pattern;
    uint64_t count; /* kernels of a burst */
    uint64_t trips; /* single kernels of a round */
    uint64_t rounds;
    bool is_json;
    struct log_options log;
};

/* One way to wait for one kernel: times of all rounds together, in ns. */
struct bench_trips {
    double p50_ns;
    double p99_ns;
};

struct bench_launch_result {
    fgpu_device_info info;
    uint32_t round_count; /* measured whole */
    double pool_ns;       /* per kernel of a burst; medians over the rounds */
    double pool_cpu_ns;
    struct bench_trips pool_trip;
    struct bench_trips pool_idle_trip; /* after a pause of a millisecond */
    bool has_raw;                      /* what follows was measured */
    double raw_ns, raw_cpu_ns;   /* the better one of never flushing and flushing now and then */
    struct bench_trips raw_trip; /* the better one of clFinish and clWaitForEvents */
    struct bench_trips raw_idle_trip;
    double rate_ratio; /* raw_ns / pool_ns within a round, median: 1 is as fast as by hand */
};

/* [in] raw: NULL where the device is not an OpenCL one. FGPU_E_CANCELLED: the user ended it; the
 * result holds the rounds that were whole. */
fgpu_status bench_launch_run(fgpu_pool pool, const struct bench_launch_options *options,
                             struct bench_raw *raw, struct bench_launch_result *result,
                             const volatile sig_atomic_t *stop);

#endif
