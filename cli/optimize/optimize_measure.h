/* The measuring of `fastgpu optimize`: a workload under some choices is an arm, opened when it is
 * first asked for (pool, kernels, buffers, rounds that warm it up) and kept while there is room, so
 * that arms can be measured in turn.
 *
 * The first arm is the workload as it stands; what it makes is what all others must make, bit for
 * bit: outputs are compared behind an arm's first round, and behind its last when it is looked at
 * again. Main thread; blocks; looks at `stop`.
 */
#ifndef FASTGPU_CLI_OPTIMIZE_OPTIMIZE_MEASURE_H
#define FASTGPU_CLI_OPTIMIZE_OPTIMIZE_MEASURE_H

#include "cli/common/log_options.h"
#include "cli/optimize/tune_space.h"
#include "cli/workload/workload_session.h"

#define MEASURE_DEVICES_LIMIT 64

struct measure_options {
    const char *path;
    const char *devices, *policy; /* NULL: the library's */
    const char *const *sets;      /* NAME=VALUE, [borrow] */
    uint32_t set_count;
    const struct log_options *log;
    struct watch watch; /* stop; progress is not used */
};

/* One round. */
struct measure_sample {
    double wall_ns;
    double cores_share;   /* CPU time of the process / (wall x cores) */
    double devices_share; /* time that queues were busy / (wall x queues); negative: not measured */
    double response_ns;   /* submitted to done, mean of the tasks */
    uint32_t done_count;
};

struct measure;

/* Opens the workload as it stands and runs it twice. [borrow] options, as long as it is used. On
 * failure *measure is NULL: the workload's statuses and sentences (FGPU_E_INVAL, FGPU_E_IO, ...),
 * FGPU_E_NODEVICE, FGPU_E_TASK where it fails or makes something else each time, FGPU_E_CANCELLED.
 */
fgpu_status measure_open(const struct measure_options *options, struct measure **measure, char *why,
                         size_t why_bytes);
void measure_close(struct measure *measure);

/* Of the first arm. */
const struct workload *measure_workload(const struct measure *measure);
const fgpu_device_info *measure_devices(const struct measure *measure, uint32_t *count);
double measure_cores(const struct measure *measure);

/* One round under these choices. FGPU_E_TASK: they give other results or do not run, with a
 * sentence; FGPU_E_CANCELLED; FGPU_E_NOMEM. [out] sample. */
fgpu_status measure_round(struct measure *measure, const struct tune_choices *choices,
                          struct measure_sample *sample, char *why, size_t why_bytes);

/* Compares what the arm's last round made. FGPU_OK or FGPU_E_TASK. */
fgpu_status measure_check(struct measure *measure, const struct tune_choices *choices, char *why,
                          size_t why_bytes);

#endif
