/* tmp */
#include "sim.h"
fgpu_status sim_trace_write(struct sim_work *work, const fgpu_sim *sim) { (void)work; (void)sim; return FGPU_OK; }
fgpu_status sim_report_write(struct sim_work *work, const struct sim_outcome *outcome, const fgpu_sim *sim) { (void)work; (void)sim; (void)outcome; return FGPU_OK; }
