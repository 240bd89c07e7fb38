/* The simulator: the same engine, driven by a loop with a virtual clock and a seed.
 *
 * Devices are descriptions: either single ones (dev/sim/cost.h), or a whole machine
 * (machine/machine.h) with its cost tables and links. Commands take predicted time with seeded
 * noise and move no data. Faults are seeded too: commands that fail, allocations that fail, devices
 * that are lost. What the engine hands out and what came of it is written down where the caller
 * asks for it: the same configuration, seed and submissions give the same log, byte for byte.
 * Thread: one.
 */
#ifndef FASTGPU_RUN_SIMULATOR_H
#define FASTGPU_RUN_SIMULATOR_H

#include "base/agenda.h"
#include "base/rng.h"
#include "core/engine.h"
#include "core/preempt.h"
#include "core/submit.h"
#include "dev/sim/cost.h"
#include "machine/machine.h"
#include "run/network.h"

#define SIMULATOR_NEVER UINT64_MAX
#define SIMULATOR_ITEMS 64u /* of a work group, where a machine's task has groups */

struct simulator_device {
    struct sim_machine machine;
    uint32_t queue_count;
    bool host_memory;            /* works in the host's memory */
    bool slices;                 /* takes launches of some groups, and guards */
    uint64_t memory_bytes;       /* of its own; 0: no limit */
    uint64_t lost_at_ns;         /* virtual time of its death, SIMULATOR_NEVER */
    uint32_t cores, group_cores; /* see struct engine_device_config; the group is 0 */
    /* Of a described machine: */
    uint32_t class_index;
    uint32_t first;      /* its first queue's number there; the others follow */
    uint32_t node;       /* there */
    uint32_t alike;      /* see struct engine_device_config */
    uint64_t key;        /* in the performance model; 0: of its own */
    uint32_t copy_count; /* queues, the last ones, that only copy */
};

enum simulator_flag {
    SIMULATOR_QUIET = 1,       /* keep no decisions */
    SIMULATOR_NO_RUNS = 2,     /* keep no runs */
    SIMULATOR_NO_TRANSFERS = 4 /* a machine's devices all work in the host's memory */
};

struct simulator_config {
    const struct simulator_device *devices;
    uint32_t device_count;
    const char *policy;
    uint32_t task_limit;
    uint64_t seed;
    uint32_t plan_turns;      /* plans come up to so many turns late; 0: at once */
    uint64_t group_ps;        /* time of one work group at speed 1, in picoseconds */
    uint32_t fail_permille;   /* commands that end with FGPU_E_DEVICE */
    uint32_t refuse_permille; /* allocations that fail */
    bool checks;              /* engine_check after the turns */
    uint32_t flags;           /* enum simulator_flag */

    const struct machine *machine; /* [borrow] sealed; instead of devices. NULL: none */
    double noise;          /* of runs, relative; < 0: the deviations of the machine's tables */
    double cost_error;     /* of what the performance model begins with */
    uint64_t memory_bytes; /* of each device with memory of its own; 0: as described */
    double fail_rate;      /* as fail_permille, finer */
    double loss_per_s;     /* devices with memory of their own that are lost in a second */
    double cap_watt;       /* no 100 ms window draws more; 0: no cap */
    uint32_t objective;    /* fgpu_objective */
    uint32_t preempt;      /* fgpu_pool_preempt */
    uint64_t overdue_ns;   /* see struct engine_config */
    uint32_t endless; /* of a described machine: the task of this number less 1 never ends, once
                         it runs; 0: all end */
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
    uint64_t bytes; /* of a copy between nodes */
    uint32_t lane;
    uint32_t task; /* index, TASK_NONE for copies */
    uint32_t generation;
    int32_t status;
    uint32_t number;         /* simulator_task.number, of a copy the task it was ordered for */
    uint16_t source, target; /* nodes of a copy */
    uint32_t first, items;   /* of a piece: which work items; of a slice: which groups; else 0 */
};

/* What is known of the task in a slot of the engine's table. */
struct simulator_task {
    uint32_t number; /* the caller's, UINT32_MAX: none */
    uint32_t type;
};

/* Tasks that cost the same: a kernel and what the machine's tables are asked with. */
struct simulator_type {
    uint32_t kernel; /* the engine's */
    uint32_t machine_kernel;
    uint64_t size;
    uint64_t model_size; /* what the performance model is asked with */
    double flops;
    double cost_ns;
    uint32_t parts;  /* that a task can be cut into; 0: none */
    uint32_t groups; /* work groups between which it may make way; 0, 1: none */
};

/* True costs on one class of devices. */
struct simulator_cost {
    double mean_ns; /* < 0: cannot run there */
    double deviation_ns;
};

/* A device drew so much beyond idle. */
struct simulator_draw {
    uint64_t start_ns, end_ns;
    double watt;
};

struct simulator_command {
    fgpu_cmd cmd;
    uint32_t entry; /* of the lane's ring: task, op or fence */
    uint64_t number;
};

enum simulator_phase {
    PHASE_IDLE,
    PHASE_RUN,     /* ends at a known time */
    PHASE_LATENCY, /* a copy, before its bytes flow */
    PHASE_FLOW     /* ends when the network says so */
};

/* What has run of a grid, and whether it is to stop. */
struct simulator_guard {
    uint64_t groups, done;
    bool is_open, stops;
};

struct simulator_lane {
    struct vec queue; /* struct simulator_command: accepted, oldest first, from `head` on */
    size_t head;
    uint64_t start_ns, end_ns; /* of the oldest, unless IDLE */
    uint8_t phase;             /* enum simulator_phase */
    bool skipping;             /* a command failed: CHAINED ones are skipped until a fence */
    /* Of a slice that runs: */
    uint64_t begun_ns;      /* its first wave of groups, */
    double wave_ns;         /* and how long one takes */
    uint64_t first, groups; /* which ones run */
};

/* The way of the last copy of a lane. */
struct simulator_way {
    uint32_t source, target; /* nodes of the engine; equal: there was none yet */
    uint32_t count;
    uint32_t links[MACHINE_HOPS];
    uint64_t latency_ns;
};

struct simulator {
    struct engine engine;
    double *extra_watt; /* [device of the engine]; NULL: not known */
    struct history history;
    struct trace trace;
    struct log log;
    struct rng rng;
    struct simulator_config config;
    struct simulator_device *devices;
    uint32_t device_count;
    bool sliced; /* a device takes slices */
    struct simulator_lane *lanes;
    struct simulator_way *ways; /* [lane] */
    struct agenda agenda;       /* of lanes, then of the deaths of devices */
    struct network network;     /* of a machine; a lane's copy is the flow of its number */
    uint64_t now_ns;
    uint64_t next_mem;
    uint64_t started, ended; /* tasks */
    uint64_t next_loss_ns;
    struct vec decisions;    /* struct simulator_decision */
    struct vec runs;         /* struct simulator_run */
    struct vec built;        /* struct action: builds, forms and guards, answered after the turn */
    struct vec guards;       /* struct simulator_guard */
    struct vec tasks;        /* struct simulator_task, by slot */
    struct vec types;        /* struct simulator_type */
    struct vec costs;        /* struct simulator_cost, [type * classes + class] */
    struct map type_ids;     /* hash of a type -> its number */
    struct map kernel_types; /* the engine's kernel -> the first type that it is for */
    struct vec busy;         /* uint64_t: ns that each of the machine's devices has computed */
    struct vec draws;        /* struct simulator_draw: what the devices computed */
    uint64_t last_ns;        /* when the last task ended */
    double response_ns;      /* sum over the tasks that ended, of their ends */
    uint64_t answered;       /* how many that are */
    struct vec piece_ends;   /* uint64_t, by number: when the last piece of a task ended */
    uint64_t copies, bytes_moved;
    uint64_t turns;    /* of the engine */
    uint64_t plan_due; /* when a plan that was searched is told of; 0: there is none */
    uint64_t turn_ns;  /* time spent in the engine's turns and events, by the wall */
    uint32_t timed;    /* of them, those of which some are timed for all */
};

/* FGPU_E_INVAL for an unknown policy, FGPU_E_NOMEM, FGPU_E_LIMIT. [in] config is copied. */
fgpu_status simulator_init(struct simulator *simulator, const struct simulator_config *config);
void simulator_fini(struct simulator *simulator);

/* Submit at the present virtual time. [out] task: index; may be NULL. */
fgpu_status simulator_submit(struct simulator *simulator, const struct submit_request *request,
                             uint32_t *task);
/* The same for a machine's task. [in] request: kernel and global size are set from the type. */
fgpu_status simulator_submit_typed(struct simulator *simulator, struct submit_request *request,
                                   struct simulator_task what, uint32_t *task);

/* Run until nothing is in flight any more, or until `until_ns`. Returns how many tasks have not
 * ended. */
uint32_t simulator_run(struct simulator *simulator, uint64_t until_ns);
/* At most `events` of them. False when there was none left. */
bool simulator_step(struct simulator *simulator, uint64_t until_ns, uint32_t events);

/* A kernel without data: one native variant that is never called. [out] index. */
fgpu_status simulator_kernel(struct simulator *simulator, const char *name, uint32_t *index);

/* The machine's node of an engine's node. */
uint32_t simulator_node(const struct simulator *simulator, uint32_t node);

/* ---- simulator_machine.c: what a described machine adds ---------------------------------- */

/* Makes simulator->devices. FGPU_E_NOMEM. */
fgpu_status simulator_machine_devices(struct simulator *simulator);
/* With the engine there: links, and what it believes about them. FGPU_E_NOMEM. */
fgpu_status simulator_machine_links(struct simulator *simulator);

/* The number of a type, made when it is new: what is asked for is name, machine_kernel (or
 * UINT32_MAX), size, flops and cost_ns. Its code is built everywhere, and the performance model
 * knows its costs (or what the configuration makes of them). FGPU_E_NODEVICE: it runs nowhere;
 * FGPU_E_NOMEM, FGPU_E_LIMIT. Without a text. */
fgpu_status simulator_type(struct simulator *simulator, const char *name,
                           const struct simulator_type *asked, uint32_t *type);
const struct simulator_cost *simulator_cost(const struct simulator *simulator, uint32_t type,
                                            uint32_t class_index);

/* Can the kernel of a type run on the device? */
bool simulator_machine_builds(const struct simulator *simulator, uint32_t kernel, uint32_t device);
/* How long the launch of a task, or of a piece, takes on a lane's device, launch overhead apart. */
uint64_t simulator_machine_run_ns(const struct simulator *simulator, uint32_t device,
                                  uint32_t task);
/* What is known of the task in a slot; of a piece that is what is known of its task. */
const struct simulator_task *simulator_task_at(const struct simulator *simulator, uint32_t slot);
/* Of fills and copies within a node. */
uint64_t simulator_machine_fill_ns(const struct simulator *simulator, uint32_t device,
                                   const fgpu_cmd *cmd);
/* The next device to die, and when the one after it does. UINT32_MAX: none is left that can. */
uint32_t simulator_machine_loss(struct simulator *simulator);

/* ---- simulator_slices.c: launches of some groups, and guards --------------------------------- */

/* Does a device take slices? */
bool simulator_has_slices(const struct simulator *simulator);
/* 0 without memory. */
fgpu_guard simulator_guard_open(struct simulator *simulator, uint64_t groups);
void simulator_guard_close(struct simulator *simulator, fgpu_guard guard);
/* NULL: it is none. */
const fgpu_cmd_slice *simulator_slice(const struct simulator_command *command);
/* It begins now, and takes so long if nobody stops it. */
uint64_t simulator_slice_ns(struct simulator *simulator, uint32_t lane,
                            const struct simulator_command *command);
/* It has ended, with the status in its result. */
void simulator_slice_ended(struct simulator *simulator, uint32_t lane,
                           const struct simulator_command *command);
/* Carries out the engine's orders to guards. */
void simulator_tell_guards(struct simulator *simulator);
/* BUILD, FORM or GUARD. */
void simulator_answer_action(struct simulator *simulator, const struct action *action);

/* ---- simulator_power.c: what a machine draws ------------------------------------------------ */

/* Do all classes that have devices say what they draw? */
bool simulator_has_power(const struct machine *machine);
/* Of the whole machine while nothing runs. */
double simulator_idle_watt(const struct machine *machine);
/* Of one device of a class that computes, beyond idle; >= 0. */
double simulator_extra_watt(const struct machine *machine, uint32_t class_index);
/* How long a task can take on an engine's device at most. [in] user: the simulator. */
uint64_t simulator_most_ns(const void *user, uint32_t device, uint32_t task);
/* The same of tasks of a type, on a class where it can run. */
uint64_t simulator_type_most_ns(const struct simulator *simulator, uint32_t type,
                                uint32_t class_index);
/* A device of the class has computed. False without memory. */
bool simulator_drew(struct simulator *simulator, uint32_t class_index, uint64_t start_ns,
                    uint64_t end_ns);
/* Largest average of the machine over any 100 ms, before and after the run idle. */
bool simulator_peak_watt(struct simulator *simulator, double *watt);

/* ---- simulator_fetch.c: the next event's records, fetched while the present one is worked on --
 */

/* In this order, with work in between: the lane, the command that it works on, what that is of, the
 * buffers of a task. Nothing changes. */
void simulator_fetch_lane(const struct simulator *simulator);
void simulator_fetch_command(const struct simulator *simulator);
void simulator_fetch_record(const struct simulator *simulator);
void simulator_fetch_buffers(const struct simulator *simulator);

/* Carries out the engine's actions. Returns whether anything was fed back. */
bool simulator_act(struct simulator *simulator);

#endif
