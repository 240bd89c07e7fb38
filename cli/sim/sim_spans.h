/* What a simulated run did, as the lines of a timeline: one for each device and for each pair of
 * memory nodes that copies went between, and more of them where several things went on at once.
 *
 * Thread: one at a time; pure but for memory.
 */
#ifndef FASTGPU_CLI_SIM_SIM_SPANS_H
#define FASTGPU_CLI_SIM_SIM_SPANS_H

#include "cli/sim/sim.h"

#define SIM_SPANS_LANES 32 /* lines of one device or pair; what would need more shares the last */

#define SIM_ROW_NAME 208 /* two names and what stands between them */

struct sim_row {
    bool is_copy;
    uint32_t major, minor; /* device, 0; source node, target node */
    uint32_t lane;
    uint32_t first, count; /* in `slices` */
};

struct sim_slice {
    uint64_t start_ns, end_ns;
    uint32_t row;
    uint32_t item; /* of `runs` or `copies` */
};

struct sim_spans {
    fgpu_sim_span *runs, *copies; /* in order of their ends */
    uint32_t run_count, copy_count;
    struct sim_row *rows; /* devices first, then copies; by number, then lane */
    uint32_t row_count;
    struct sim_slice *slices; /* by row, then start */
    uint32_t slice_count;
};

/* FGPU_OK or FGPU_E_NOMEM; to be given to sim_spans_fini() either way. */
fgpu_status sim_spans_init(struct sim_spans *spans, const fgpu_sim *sim);
void sim_spans_fini(struct sim_spans *spans);

/* "gpu[3]"; "host to gpu[3]". [out] text. */
void sim_spans_row_name(const struct sim_work *work, const struct sim_row *row,
                        char text[SIM_ROW_NAME]);

#endif
