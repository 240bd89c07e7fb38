/* `fastgpu sim`: what is asked for, the machine and the graph that it is about, and what came of
 * each run. sim.c reads the words, sim_run.c runs, sim_print.c, sim_json.c, sim_report.c and
 * sim_trace.c tell. Main thread.
 */
#ifndef FASTGPU_CLI_SIM_SIM_H
#define FASTGPU_CLI_SIM_SIM_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <fastgpu/sim.h>

#include "cli/common/cli_limits.h"
#include "cli/workload/progress.h"
#include "cli/sim/sim_graph.h"

#define SIM_NOISE_LISTED (-1.0) /* as the cost tables say */

struct sim_choice {
    const char *machine; /* a file, or what fgpu_machine_synth() takes */
    const char *graph, *generate;
    const char *policies[CLI_SIM_POLICIES_LIMIT]; /* NULL: what the library takes */
    uint32_t policy_count;
    uint32_t flags; /* enum fgpu_sim_flag */
    uint64_t seed, repeat, memory_bytes;
    double noise, cost_error, fail_rate, loss_per_s;
    double cap_watt;    /* 0: none */
    uint32_t objective; /* fgpu_objective */
    const char *report, *trace;
    bool is_json, is_quiet;
};

/* One run. */
struct sim_outcome {
    const char *policy; /* as asked for; NULL: what the library takes. [borrow] */
    uint64_t seed;
    fgpu_sim_result result;
    double *busy; /* by device, 0 .. 1; NULL: the run did not end */
};

struct sim_device {
    char name[96], class_name[64];
    uint32_t class_index, node; /* node: of memory; 0: the host's */
};

struct sim_work {
    const struct sim_choice *choice;
    const volatile sig_atomic_t *stop;
    fgpu_machine *machine;
    fgpu_machine_info info;
    struct sim_device *devices; /* by number */
    struct sim_graph graph;
    struct sim_outcome *outcomes; /* by policy, then seed */
    uint32_t outcome_count;       /* that are done */
    char note[256];               /* what is not as one would think; "": nothing */
    struct progress progress;
    char why[CLI_WHY_BYTES];
};

/* ---- sim_machine.c */

/* From a file; where there is none of that name and it could be one, made up from the text.
 * FGPU_E_IO, FGPU_E_INVAL, FGPU_E_LIMIT, FGPU_E_NOMEM with a sentence. */
fgpu_status sim_machine_load(const char *text, fgpu_machine **machine, char *why, size_t why_bytes);

/* The same machine with the costs that the graph brings. [take] *machine, replaced. */
fgpu_status sim_machine_extend(fgpu_machine **machine, const struct sim_graph *graph, char *why,
                               size_t why_bytes);

/* What each device is. [out] work->devices. FGPU_E_NOMEM, or an error of the library's. */
fgpu_status sim_machine_devices(struct sim_work *work);

/* ---- sim_run.c */

/* Kernels without a cost on this machine get that of the one that may stand in, with a note. */
fgpu_status sim_run_settle(struct sim_work *work);

/* One run. [out] outcome; [out] kept: NULL, or where the simulation goes (fgpu_sim_close()), with
 * its spans. FGPU_E_CANCELLED when the user stopped it; else a status with work->why. */
fgpu_status sim_run(struct sim_work *work, struct sim_outcome *outcome, fgpu_sim **kept);

/* ---- what is told */

/* Of `count` runs of one policy: the medians. Not known: -1. */
struct sim_summary {
    double makespan_ms, least_ms, most_ms;
    double ratio, gflops, busy, decision_ms, bytes_moved, copies, energy;
    uint64_t failed;
};
struct sim_summary sim_summary(const struct sim_work *work, const struct sim_outcome *outcomes,
                               uint32_t count);

/* As asked for, in words. */
const char *sim_policy_word(const struct sim_outcome *outcome);
double sim_ratio(const fgpu_sim_result *result); /* makespan over bound; -1: no bound */
/* -1: unknown, also where a task does not say how many it does. */
double sim_gflops(const struct sim_work *work, const fgpu_sim_result *result);
double sim_events_per_s(const fgpu_sim_result *result);
const char *sim_objective_word(uint32_t objective); /* of enum fgpu_objective */
const char *sim_bound_word(uint32_t kind);

void sim_print(const struct sim_work *work);
void sim_print_table(const struct sim_work *work);
bool sim_print_json(const struct sim_work *work);

/* Errors: FGPU_E_IO, FGPU_E_NOMEM with a sentence. [in] sim: run with FGPU_SIM_TRACE. */
fgpu_status sim_trace_write(struct sim_work *work, const fgpu_sim *sim);
fgpu_status sim_report_write(struct sim_work *work, const struct sim_outcome *outcome,
                             const fgpu_sim *sim);

#endif
