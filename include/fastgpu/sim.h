/* Simulations: the pool's own core on a described machine, in virtual time.
 *
 * Describe data, kernels and tasks, run, and read what happened. The core is the one that runs real
 * devices; only the clock, the devices and the links are made up: kernels take what the machine's
 * cost tables say, with seeded noise; copies share the links that they cross; nothing is computed.
 * Equal input gives equal results, on every computer. Thread: one at a time per simulation.
 */
#ifndef FASTGPU_SIM_H
#define FASTGPU_SIM_H

#include <fastgpu/machine.h>
#include <fastgpu/task.h>
#include <fastgpu/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fgpu_sim fgpu_sim;

enum fgpu_sim_flag {
    FGPU_SIM_NO_TRANSFERS = 1, /* copies take no time and no memory */
    FGPU_SIM_TRACE = 2,        /* keep runs and copies for fgpu_sim_run_at() and _copy_at() */
    FGPU_SIM_CHECK = 4,        /* check the core's invariants while it runs (slow) */
    FGPU_SIM_NO_PRIORITIES = 8 /* ignore the tasks' priorities */
};

typedef struct fgpu_sim_options {
    uint32_t struct_bytes;       /* set by the caller */
    uint32_t flags;              /* enum fgpu_sim_flag */
    const fgpu_machine *machine; /* [borrow] until close */
    const char *policy;          /* NULL: "auto" */
    uint64_t seed;
    double noise;      /* standard deviation of a run's time, relative to it; < 0: what the cost
                          tables say for each kernel; 0: none */
    double cost_error; /* how wrong the costs are that the policies begin with: each entry is off by
                          a factor drawn from 1 - e .. 1 + e; 0: they are true */
    uint64_t memory_bytes; /* of every device with memory of its own; 0: as described */
    double fail_rate;      /* share of the commands that fail; 0 */
    double loss_per_s;     /* devices lost in a second of virtual time; 0 */
    double power_cap_watt; /* the machine draws no more on average in any 100 ms; 0: no cap. With
                              any policy; it needs the power figures of every device */
    uint32_t objective;    /* fgpu_objective; other than MAKESPAN with policy "auto" only, and
                              energies with the power figures of every device */
    uint32_t preempt;      /* fgpu_pool_preempt: how tasks with `groups` make way for urgent ones */
} fgpu_sim_options;

/* [out] sim: [give], NULL on failure. Errors: FGPU_E_INVAL naming the option, its value and the
 * limit; FGPU_E_LIMIT, FGPU_E_NOMEM. */
FGPU_API fgpu_status fgpu_sim_open(const fgpu_sim_options *options, fgpu_sim **sim);
FGPU_API void fgpu_sim_close(fgpu_sim *sim); /* NULL is accepted */

/* The policies that there are, by number from 0. [out] name, summary: one line each, which stay;
 * may be NULL. FGPU_E_RANGE behind the last. Thread: any. */
FGPU_API fgpu_status fgpu_sim_policy_at(uint32_t index, const char **name, const char **summary);

/* A piece of data, in the host's memory at the start. [out] data: its number. */
FGPU_API fgpu_status fgpu_sim_data(fgpu_sim *sim, uint64_t bytes, uint32_t *data);

/* A kernel, by the name that the cost tables have. [out] kernel: its number. A kernel that the
 * machine has no costs for may be used by tasks that bring their own (flops, or cost_ns). */
FGPU_API fgpu_status fgpu_sim_kernel(fgpu_sim *sim, const char *name, uint32_t *kernel);

/* Beside the access, of a divisible task: every piece reads all of the data. Otherwise each has its
 * part of them. */
#define FGPU_SIM_WHOLE 256u

typedef struct fgpu_sim_access {
    uint32_t data;
    uint32_t mode; /* fgpu_access; | FGPU_SIM_WHOLE */
} fgpu_sim_access;

typedef struct fgpu_sim_task {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t kernel;
    uint64_t size;    /* what the cost table is asked with: the edge of a tile */
    double flops;     /* for kernels without costs: over the device's rate; 0: none */
    double cost_ns;   /* ... or on every device the same; 0: from table or flops */
    int32_t priority; /* -1000 .. 1000 */
    uint32_t access_count;
    const fgpu_sim_access *accesses;
    const uint32_t *after; /* tasks, by number, beside those that follow from data */
    uint32_t after_count;
    uint32_t parts;   /* alike, that pieces of the task are made of, at most 65536: it may run on
                         several devices at once; 0, 1: it runs whole */
    const char *name; /* NULL */
    /* Terms, as in fgpu_terms: a task that has any makes the simulation go by them. */
    uint64_t release_ns;  /* submitted then; not before the task that was added before it */
    uint64_t deadline_ns; /* from then on; 0: none. INTERACTIVE only */
    uint32_t task_class;  /* fgpu_task_class */
    uint32_t late;        /* fgpu_late */
    uint32_t tenant;      /* 0: nobody in particular; else from fgpu_sim_tenant() */
    uint32_t groups; /* work groups that it is made of, all alike, at most 2^20: on devices with
                        units it makes way between them; 0, 1: it runs whole. Without parts */
} fgpu_sim_task;

/* One who shares the machine. [in] weight: 1..10000. [out] tenant: its number, from 1. */
FGPU_API fgpu_status fgpu_sim_tenant(fgpu_sim *sim, const char *name, uint32_t weight,
                                     uint32_t *tenant);

/* Tasks run as if in this order. [out] number: from 0, may be NULL. Errors: FGPU_E_INVAL naming the
 * field, its value and the limit; FGPU_E_NODEVICE: no device has a cost for it; FGPU_E_NOMEM. */
FGPU_API fgpu_status fgpu_sim_add(fgpu_sim *sim, const fgpu_sim_task *task, uint32_t *number);

typedef struct fgpu_sim_result {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t bound_kind;   /* 0 area, 1 path, 2 joined, 3 power */
    uint64_t makespan_ns;
    uint64_t bound_ns; /* lower bound of the makespan with the true costs, transfers free */
    uint64_t area_ns, path_ns, joined_ns;
    uint64_t tasks, failed_tasks;
    uint64_t events; /* of tasks: submitted, started, ended, each; pieces and launches
                        of some groups start and end, too */
    uint64_t copies, bytes_moved;
    uint64_t decision_cpu_ns; /* CPU time of the calling thread in the scheduling steps */
    uint64_t run_cpu_ns;      /* ... in the whole run */
    double flops;             /* of all tasks that say so */
    double energy_joule;      /* FGPU_SIM_UNKNOWN (-1) where the machine has no power figures */
    char policy[32];          /* what was chosen, for "auto" */
    double peak_watt;         /* largest average over any 100 ms, idle outside of the run; -1 */
    uint64_t response_ns; /* mean time from the start, whatever its release_ns, to a task's end */
    uint64_t power_ns;    /* lower bound of the makespan under the power cap, from the least
                             energy that the tasks take; 0: no cap */
    uint64_t divided, pieces;            /* tasks that ran in pieces, and those */
    uint64_t refused, dropped, degraded; /* tasks that would have missed their deadlines */
} fgpu_sim_result;

/* Run everything that was added. [out] result. A failed task is no error of the call. Progress: see
 * fgpu_sim_progress(). Errors: FGPU_E_INVAL: a power cap under which some task can never run, with
 * the least that would do; FGPU_E_NOMEM; FGPU_E_CANCELLED. Once for each simulation. */
FGPU_API fgpu_status fgpu_sim_run(fgpu_sim *sim, fgpu_sim_result *result);

/* Called from fgpu_sim_run() every few thousand events; not 0 ends the run. */
typedef int (*fgpu_sim_progress_fn)(uint64_t tasks_done, uint64_t tasks, void *user);
FGPU_API fgpu_status fgpu_sim_progress(fgpu_sim *sim, fgpu_sim_progress_fn call, void *user);

/* After a run: share of the makespan that a device computed, 0..1. [in] device: from 0. */
FGPU_API fgpu_status fgpu_sim_busy(const fgpu_sim *sim, uint32_t device, double *share);

/* After a run with FGPU_SIM_TRACE, in order of their ends. FGPU_E_RANGE behind the last. */
typedef struct fgpu_sim_span {
    uint64_t start_ns, end_ns;
    uint32_t task;   /* number; UINT32_MAX: none */
    uint32_t device; /* of a run; the target node of a copy */
    uint32_t source; /* node that a copy comes from */
    int32_t status;
    uint64_t bytes;             /* of a copy */
    uint32_t first_part, parts; /* of a piece: which of its task's; of a task with groups
                                   that made way: which of those; 0: all of the task */
} fgpu_sim_span;
FGPU_API fgpu_status fgpu_sim_run_at(const fgpu_sim *sim, uint64_t index, fgpu_sim_span *span);
FGPU_API fgpu_status fgpu_sim_copy_at(const fgpu_sim *sim, uint64_t index, fgpu_sim_span *span);

#ifdef __cplusplus
}
#endif
#endif
