/* What the pool's trace says of a workload's run: where and when each task ran, copies, builds,
 * latencies, and the shortest times from which the lower bound follows. Parts of evaluate.c.
 * Thread: one at a time.
 */
#ifndef FASTGPU_CLI_EVALUATE_EVALUATE_TRACE_H
#define FASTGPU_CLI_EVALUATE_EVALUATE_TRACE_H

#include "cli/evaluate/evaluation.h"
#include "cli/workload/workload_session.h"

/* Shortest run of each kind of task (kernel and grid) on each device. */
struct evaluate_costs {
    uint32_t device_count;
    uint32_t kind_count;
    uint32_t *kinds;  /* by task */
    uint64_t *run_ns; /* [kind * device_count + device]; 0: never measured */
};

/* FGPU_OK or FGPU_E_NOMEM. */
fgpu_status evaluate_costs_init(struct evaluate_costs *costs, const struct workload *workload,
                                uint32_t device_count);
void evaluate_costs_fini(struct evaluate_costs *costs);

/* Reads the trace. Compilations are added to the record, and runs of the session's last run to the
 * costs. [in] is_shown: that run also becomes the record's tasks, copies and latency. FGPU_OK,
 * FGPU_E_NOMEM, or what fgpu_trace_read() says. */
fgpu_status evaluate_read_trace(struct evaluation *evaluation,
                                const struct workload_session *session,
                                struct evaluate_costs *costs, bool is_shown);

/* Compilations alone: before the first run. */
fgpu_status evaluate_read_builds(struct evaluation *evaluation, fgpu_pool pool);

/* Fills in edges and lower bound from the costs; unknown where there is no memory or no time was
 * measured. */
void evaluate_find_bound(struct evaluation *evaluation, const struct evaluate_costs *costs);

#endif
