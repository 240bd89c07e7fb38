/* The parts of a simulation's page, for its two files: what it tells (sim_report.c) and what its
 * script draws (sim_report_data.c).
 */
#ifndef FASTGPU_CLI_SIM_SIM_REPORT_H
#define FASTGPU_CLI_SIM_SIM_REPORT_H

#include "cli/report/report_text.h"
#include "cli/sim/sim.h"
#include "cli/sim/sim_spans.h"

/* Lines and slices that the page draws; more would not be looked at, and are counted. */
#define SIM_REPORT_ROWS 400
#define SIM_REPORT_SLICES (UINT32_C(1) << 20)
#define SIM_REPORT_COLOURS 12 /* those of the page's style */

struct sim_report_kernel {
    uint64_t run_count, run_ns;
    uint32_t colour;
};

struct sim_report {
    struct report_text text;
    const struct sim_work *work;
    const struct sim_outcome *outcome;
    const struct sim_spans *spans;
    struct sim_report_kernel *kernels; /* as in the graph */
    uint32_t *ranks;                   /* kernels, the one that took longest first */
    uint32_t row_count, slice_count;   /* that are drawn */
};

/* The page's JSON; cli/report/report.js reads it. */
void sim_report_data(struct sim_report *report);

#endif
