/* The simulator: the same engine, driven by a loop with a virtual clock and a seed.
 *
 * Devices are descriptions (dev/sim/cost.h); commands take predicted time with seeded noise and
 * move no data. Faults are seeded too: commands that fail, allocations that fail, devices that are
 * lost. Everything that the engine hands out is written to a log of decisions: the same
 * configuration, seed and submissions give the same log, byte for byte. Thread: one.
 */
#ifndef FASTGPU_RUN_SIMULATOR_H
#define FASTGPU_RUN_SIMULATOR_H

#include "base/rng.h"
#include "core/engine.h"
#include "core/submit.h"
#include "dev/sim/cost.h"

#define SIMULATOR_NEVER UINT64_MAX

struct simulator_device {
    struct sim_machine machine;
    uint32_t queue_count;
    bool host_memory;            /* works in the host's memory */
    uint64_t memory_bytes;       /* of its own; 0: no limit */
    uint64_t lost_at_ns;         /* virtual time of its death, SIMULATOR_NEVER */
    uint32_t cores, group_cores; /* see struct engine_device_config; the group is 0 */
};

struct simulator_config {
    const struct simulator_device *devices;
    uint32_t device_count;
    const char *policy;
    uint32_t task_limit;
    uint64_t seed;
    uint64_t group_ps;        /* time of one work group at speed 1, in picoseconds */
    uint32_t fail_permille;   /* commands that end with FGPU_E_DEVICE */
    uint32_t refuse_permille; /* allocations that fail */
    bool checks;              /* engine_check after the turns */
};

/* One command as it was handed out, in the log of decisions. */
struct simulator_decision {
    uint64_t time_ns;
    uint64_t number;
    uint32_t lane;
    uint32_t kind;  /* fgpu_cmd_kind */
    uint32_t flags; /* fgpu_cmd_flag */
    uint32_t task;  /* index, or TASK_NONE for copies and fences */
    uint64_t bytes; /* of a copy */
};

/* One command that has finished: what really happened, for whoever checks the order. */
struct simulator_run {
    uint64_t start_ns, end_ns;
    uint32_t lane;
    uint32_t task; /* index, TASK_NONE for copies */
    uint32_t generation;
    int32_t status;
};

struct simulator_lane;

struct simulator {
    struct engine engine;
    struct history history;
    struct trace trace;
    struct log log;
    struct rng rng;
    struct simulator_config config;
    struct simulator_device *devices;
    struct simulator_lane *lanes;
    uint64_t now_ns;
    uint64_t next_mem;
    struct vec decisions; /* struct simulator_decision */
    struct vec runs;      /* struct simulator_run */
    struct vec built;     /* kernels whose build is answered after the turn */
};

/* FGPU_E_INVAL for an unknown policy, FGPU_E_NOMEM, FGPU_E_LIMIT. [in] config is copied. */
fgpu_status simulator_init(struct simulator *simulator, const struct simulator_config *config);
void simulator_fini(struct simulator *simulator);

/* Submit at the present virtual time. [out] task: index; may be NULL. */
fgpu_status simulator_submit(struct simulator *simulator, const struct submit_request *request,
                             uint32_t *task);

/* Run until nothing is in flight any more, or until `until_ns`. Returns how many tasks have not
 * ended. */
uint32_t simulator_run(struct simulator *simulator, uint64_t until_ns);

/* A kernel without data: one native variant that is never called. [out] index. */
fgpu_status simulator_kernel(struct simulator *simulator, const char *name, uint32_t *index);

#endif
