/* `fastgpu optimize`: what its parts share. optimize.c reads the options and goes through the
 * steps, optimize_print.c says what came of it. Main thread.
 */
#ifndef FASTGPU_CLI_OPTIMIZE_OPTIMIZE_H
#define FASTGPU_CLI_OPTIMIZE_OPTIMIZE_H

#include "cli/evaluate/evaluate_machine.h"
#include "cli/optimize/optimize_measure.h"
#include "cli/evaluate/profile.h"
#include "cli/optimize/tune_search.h"

/* Pairs of rounds, before and after, in which what was found is measured. */
#define OPTIMIZE_PAIRS_LEAST 7
#define OPTIMIZE_PAIRS_LIMIT 99

struct optimize_options {
    const char *path, *devices, *policy, *output; /* NULL: not given */
    const char *budget;
    uint64_t budget_ns, seed;
    const char *const *sets;
    const char *const *pieces;
    uint32_t set_count, piece_count;
    bool is_json, is_quiet, is_dry;
    struct log_options log;
};

/* Times of one side. */
struct optimize_side {
    struct measure_sample samples[OPTIMIZE_PAIRS_LIMIT];
    uint32_t count;
};

/* A side as it is shown: medians, and the middle half of the times. */
struct optimize_figures {
    double wall_ns, low_ns, high_ns, cores_share, devices_share, response_ns, tasks_per_second;
};

struct optimize {
    const struct optimize_options *options;
    struct evaluation_machine machine;
    fgpu_device_info devices[PROFILE_DEVICES_LIMIT];
    uint32_t device_count;
    struct workload workload;
    struct tune_space space;
    struct tune_search search;
    struct tune_choices found;             /* by the search */
    uint64_t began_ns, spent_ns, shown_ns; /* shown: when the line of progress was last written */
    uint32_t refused_count;
    struct optimize_side before, after; /* count 0: not measured */
    double gain, gain_low, gain_high;   /* time before / after; 0: not known */
    double others_share;                /* negative: not known */
    bool is_better, is_interrupted;
    struct profile profile; /* what was written; its path is "" where nothing was */
};

void optimize_figures(const struct optimize *state, const struct optimize_side *side,
                      struct optimize_figures *figures);

/* What could be chosen, for --dry-run; what came of it. False without memory for the JSON. */
bool optimize_print_space(const struct optimize *state);
bool optimize_print(const struct optimize *state);

#endif
