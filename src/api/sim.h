/* A simulation behind its public handle: what was described until it runs, and what came of it.
 * Thread: one at a time per simulation.
 */
#ifndef FASTGPU_API_SIM_H
#define FASTGPU_API_SIM_H

#include <fastgpu/sim.h>
#include "run/simulator.h"

/* A kernel of the caller's: types of its tasks are made as they come. */
struct sim_kernel {
    char name[LIMITS_NAME_BYTES];
    uint32_t machine_kernel; /* UINT32_MAX: no costs are listed */
};

/* A task as it was added. */
struct sim_task {
    uint32_t type;
    uint32_t first_access, first_after, name; /* in the vectors; name 0: none */
    double flops;
    uint16_t access_count, after_count;
    int16_t priority;
    uint8_t rank, late; /* enum serve_class, fgpu_late */
    uint16_t tenant;
    uint64_t release_ns, deadline_ns;
};

/* Where it is in the engine. */
struct sim_place {
    uint32_t slot, generation;
};

struct fgpu_sim {
    struct simulator simulator;
    const struct machine *machine;
    uint32_t flags;
    bool has_run;
    bool has_terms;                   /* a task has some, or there are tenants */
    uint64_t next_address;            /* of data, invented */
    struct vec data;                  /* uint32_t: the engine's buffers */
    struct vec kernels;               /* struct sim_kernel */
    struct vec tasks;                 /* struct sim_task */
    struct vec accesses;              /* fgpu_sim_access */
    struct vec after;                 /* uint32_t */
    struct vec names;                 /* char: each with its NUL, from 1 on */
    struct vec places;                /* struct sim_place: of the tasks that were submitted */
    struct vec run_index, copy_index; /* uint32_t: which of simulator.runs */
    fgpu_sim_progress_fn progress;
    void *progress_user;
};

/* Do objective and cap make sense for the machine? With a text (api/sim_power.c). */
fgpu_status sim_power_options(const fgpu_sim_options *options);
/* Can every task run under the cap? FGPU_E_INVAL with the least that would do. */
fgpu_status sim_power_check(const struct fgpu_sim *sim);
/* Energy, peak, and the bound that follows from a cap. FGPU_E_NOMEM without a text. */
fgpu_status sim_power_fill(struct fgpu_sim *sim, fgpu_sim_result *result);

/* Classes, tenants, deadlines, releases (api/sim_terms.c): of a task that is added; kept with it;
 * and when it is submitted. [out] terms: of the engine, NULL in *use where there are none.
 * FGPU_E_DEADLINE: it is refused. */
fgpu_status sim_check_terms(const struct fgpu_sim *sim, const fgpu_sim_task *task);
void sim_keep_terms(struct fgpu_sim *sim, const fgpu_sim_task *task, struct sim_task *kept);
fgpu_status sim_terms(struct fgpu_sim *sim, const struct sim_task *task,
                      struct submit_request *request, struct task_terms *terms);

/* Lower bounds of the tasks' makespan with their true costs (api/sim_bound.c). */
fgpu_status sim_bound(const struct fgpu_sim *sim, fgpu_sim_result *result);

#endif
