/* The engine: a deterministic state machine. Events go in, command records come out; it has no
 * thread, no clock, no randomness and does no I/O. Four drivers (src/run/) run it.
 *
 * A driver holds one lock around all calls here (submit_prepare excepted), and works like this:
 *   engine_clock(now); feed events (engine_submit, engine_progress, engine_slab, engine_built,
 * ...); engine_turn(); tell the guards (engine->guards), hand every lane's new commands to its
 * device (lane->commands), carry out the actions (engine->actions), feed what came of them, and
 * turn again until there is nothing left to hand out. The same events in the same order give the
 * same records, byte for byte: ties are broken by submission order and index.
 */
#ifndef FASTGPU_CORE_ENGINE_H
#define FASTGPU_CORE_ENGINE_H

#include <fastgpu/backend.h>
#include <fastgpu/pool.h>
#include <fastgpu/stats.h>

#include "base/arena.h"
#include "base/bitset.h"
#include "base/inbox.h"
#include "base/log.h"
#include "base/table.h"
#include "base/vec.h"
#include "core/blocks.h"
#include "core/links.h"
#include "core/object.h"
#include "core/task.h"
#include "core/thrash.h"
#include "model/history.h"
#include "model/link.h"
#include "policy/policy.h"
#include "trace/trace.h"

#define OP_NONE UINT32_MAX
#define ENGINE_PRIORITIES 2001u /* -1000 .. 1000 */
#define ENGINE_FREED 32u        /* task slots that are given back at once */
#define ENGINE_LANE_RING 4096u  /* commands in flight in one lane at most, unless configured */

/* ---- what the driver carries out -------------------------------------------------------- */

enum action_kind {
    ACTION_ALLOC,     /* memory for a node: answer with engine_slab */
    ACTION_FREE,      /* no answer */
    ACTION_STITCH,    /* one name for `bytes` pieces: answer with engine_stitched */
    ACTION_BUILD,     /* compile: answer with engine_built, from any later moment */
    ACTION_FORM,      /* compile for slices or a guard, and ahead for a work-group size: answer with
                         engine_formed, from any later moment */
    ACTION_CODE_FREE, /* no answer */
    ACTION_GUARD,     /* make a guard: answer with engine_guard */
    ACTION_UNGUARD,   /* no answer */
    ACTION_PLAN,      /* search_run(engine_search()) on any thread: answer with engine_planned */
    ACTION_CALLBACK   /* call task_extra's on_done on the callback thread, then engine_callback_done
                       */
};

struct action {
    uint32_t kind;
    uint32_t node;   /* ALLOC, FREE, STITCH */
    uint32_t form;   /* FORM: fgpu_code_form */
    uint32_t device; /* BUILD, CODE_FREE, FORM, GUARD, UNGUARD; ALLOC, FREE: whose memory it is */
    uint32_t index;  /* kernel, task; STITCH: which */
    uint64_t handle; /* FREE: mem, CODE_FREE: code, BUILD: which variant, UNGUARD: the guard */
    uint64_t bytes;  /* GUARD: groups */
    const fgpu_mem_piece *pieces;  /* STITCH: until it is answered */
    const struct preempt_run *run; /* FORM: of the task that waits, with its launch in bodies[0] */
};

/* ---- devices ---------------------------------------------------------------------------- */

/* One in-order queue of a device. */
struct lane {
    uint16_t index;
    uint16_t device;
    uint32_t queue;     /* its number on the device */
    uint64_t issued;    /* number of the newest command */
    uint64_t done;      /* number of the newest finished one */
    uint64_t flight_ns; /* predicted time of what is in flight */
    uint64_t since_ns;  /* when the oldest of it began, as far as is known */
    uint32_t flight_tasks;
    uint32_t flight_hosts; /* of them host functions: they may block for as long as they like */
    uint32_t ring_mask;
    uint32_t *ring; /* what command n is: ring[n & mask]: task index, or op index with RING_OP */
    struct vec
        commands; /* fgpu_cmd: not handed to the device yet; numbers issued - count + 1 .. issued */
    uint32_t backlog_head, backlog_tail; /* tasks placed here, through task.next */
    uint32_t backlog_count;
    uint64_t backlog_ns;
    uint64_t home_ns; /* of that: what is left of tasks in pieces that are the lane's */
    uint32_t homes;   /* how many these are */
    uint32_t awaited; /* the task that the lane chose to wait for last */
    uint32_t moving;  /* tasks that wait for data or memory, counted in the backlog's numbers */
    uint32_t chain_head, chain_tail; /* tasks whose unfinished predecessors are all on this lane */
    uint32_t fence_due;              /* a command failed: a FENCE goes out before anything else */
    uint64_t suspect; /* commands up to this number were issued before a failure was known: nothing
                         new may rely on them */
    uint64_t fenced;  /* number of the newest fence */
    fgpu_cmd_result fence; /* body of the fences, of which one is in flight; nobody reads it */
    uint32_t ahead_due;    /* the data of a task in the backlog have not all been ordered */
    uint32_t since_timed;  /* tasks since the last timed one */
    uint64_t timed_end_ns; /* when the last timed command ended, by the device's clock */
    uint64_t seen;         /* number of the newest one that is known to have finished */
    uint64_t silent_ns;    /* predicted time of what was handed out since one that rings */
    int64_t lag_ns;        /* the least that our clock was ahead when a long task was seen to end */
    uint64_t gap_ns;       /* between two slices in a row, smoothed; 0: not known */
    uint32_t react_ns;     /* how much later than that it is seen, smoothed: the host's turn */
    uint32_t waiters;      /* links: tasks that wait until it has progressed */
    uint8_t full;          /* its budget was used up; takes more when half of it is free */
    uint8_t hungry;        /* counted in engine->hungry */
    uint8_t idle;          /* counted in engine->idle */
    uint8_t hidden;        /* takes no tasks unless nobody else can */
    uint8_t copies;        /* takes nothing else */
    uint8_t side;          /* takes what may run beside others: beside_place() decides */
    uint8_t single;        /* one command at a time: a power cap wants to know when each starts */
    uint8_t held;          /* by the power cap: takes nothing for a while */
    uint8_t resumes;       /* tasks that go on here as soon as there is room */
    uint8_t overdue;       /* what runs there should have ended long ago */
    uint8_t rests;         /* the plan leaves it idle: takes no tasks unless nobody else can */
};

#define RING_OP 0x80000000u
#define RING_FENCE 0xffffffffu

struct engine_device {
    fgpu_device_caps caps;
    uint32_t node;
    uint32_t lane_first, lane_count; /* that run tasks */
    uint32_t side_count;             /* lanes behind them, for tasks that do not fill it */
    uint32_t copy_count;             /* lanes behind them, for copies from and to its memory */
    uint32_t code;        /* its place in kernel->codes; devices that are alike share one */
    uint32_t cores;       /* that a launch occupies of its resource group */
    uint32_t group_cores; /* of that group; 0: nobody else works with them */
    uint8_t lost;
    uint8_t hidden; /* runs host tasks only: the caller did not choose it */
    uint64_t key;   /* names it in the performance model */
    fgpu_device_stats stats;
    uint64_t
        timed; /* commands that the device has timed; stats.busy_ns has guesses for the others */
    uint32_t copy_failures; /* in a row */
    char reason[128];       /* why it was lost */
};

struct engine_node {
    struct heap heap;
    uint32_t device;           /* whose mem_alloc serves it; node 0: the driver's host allocator */
    struct compact *compact;   /* core/compact.h; NULL: no block has been moved */
    struct stitches *stitches; /* core/stitch.h; NULL: no block was ever made of holes */
    struct places *places;     /* core/places.h; NULL: memory was never too small for all buffers */
    uint8_t lost;
    uint16_t way;                /* its number in the link model: its own, or one for many alike */
    uint32_t alloc_pending;      /* slabs asked for */
    uint32_t alloc_waiters;      /* links: tasks that wait for a slab */
    uint32_t memory_waiters;     /* links: tasks that wait until something is unpinned */
    uint32_t short_task;         /* the one task that may evict now, TASK_NONE */
    uint32_t use_head, use_tail; /* blocks in the order of eviction, by buffer slot */
    uint32_t present_count;
    uint32_t spills; /* copies in flight that make room ahead of a task */
    struct thrash_window thrash;
};

/* In the list of a block: core/ops.h. OP_NONE: there is none. */
struct op_links {
    uint32_t next, prev;
};

/* A copy between nodes in flight. */
struct op {
    fgpu_cmd_copy body;
    uint32_t buffer;
    uint16_t src_node, dst_node;
    uint16_t lane;
    uint8_t live;
    uint8_t moves;       /* a block within its node (core/compact.h), */
    uint32_t move;       /* by that number in the plan */
    uint64_t number;     /* of its command */
    uint64_t begin, end; /* bytes of the buffer */
    uint32_t waiters;    /* links */
    struct op_links in_src, in_dst;
    uint64_t bytes;
    uint64_t task; /* that it was ordered for, in traces */
    uint32_t predicted_ns;
    uint8_t issued; /* handed to its lane */
    uint8_t spill;  /* counted in its source's `spills` */
    uint8_t evicts; /* its source block goes when it has arrived */
    uint8_t orphan; /* its source is gone with the device: what arrives is worth nothing */
};

/* ---- configuration ---------------------------------------------------------------------- */

struct engine_device_config {
    fgpu_device_caps caps;
    uint32_t cores;       /* that a launch on one of its queues occupies */
    uint32_t group_cores; /* of its resource group (caps), where several visible devices work with
                             them; else 0 */
    uint64_t key;
    uint64_t memory_limit_bytes;
    uint32_t alike; /* neighbours with the same number, not 0, have equal caps, share built code
                       and, where nodes are too many for the link model, what it knows of their
                       links */
    uint8_t hidden;
    uint8_t spill; /* its memory takes what does not fit into the host's; it runs nothing */
};

struct engine_config {
    const struct engine_device_config *devices;
    uint32_t device_count;
    uint32_t task_limit;
    uint64_t host_limit_bytes;
    const struct policy *policy;
    const struct alloc_hooks *hooks;
    struct history *history; /* [borrow] */
    struct trace *trace;     /* [borrow] */
    struct log *log;         /* [borrow] */
    uint32_t flags;          /* fgpu_pool_flag: PREIMAGE, REPRODUCIBLE, NOMEMWAIT, CHECKSUM */
    /* Can a copy go directly between two nodes, neither of them the host's, in a copy lane of the
     * target's device? NULL: never. */
    bool (*reaches)(const void *user, uint32_t src_node, uint32_t dst_node);
    const void *reaches_user;
    /* How copies between two nodes travel, for plans; NULL: each pair has a link of its own. */
    void (*paths)(const void *user, uint32_t src_node, uint32_t dst_node, struct plan_path *path);
    double (*path_rate)(const void *user, uint32_t link); /* bytes per ns */
    uint32_t path_link_count;
    const void *paths_user;
    const struct power_config *power; /* NULL: no cap */
    struct plan_aim aim;              /* of plans */
    const double *extra_watt; /* [device]: of its lanes; [borrow] as long as the engine; NULL */
    uint32_t ring;      /* commands in flight in a lane at most: a power of two of at least 16;
                           0: ENGINE_LANE_RING */
    uint64_t budget_ns; /* predicted time in flight per lane; 0: the default */
    uint32_t first_generation; /* even: generations of tasks, buffers and kernels count from here */
    bool plans_apart;          /* plans are searched by ACTION_PLAN; else within the turn */
    bool lossless;             /* no device is ever lost: no finished task is kept to run again */
    uint32_t preempt;          /* fgpu_pool_preempt */
    uint64_t overdue_ns;       /* a task that runs for longer, and for far longer than predicted, is
                                  told of and avoided; 0: none */
    bool checks;               /* check invariants after the turns, every one of them while there is
                                  little to check */
    bool copies_apart;         /* short copies, too, go through the lanes for copies: for tests */
};

struct future;   /* core/future.h */
struct compact;  /* core/compact.h */
struct places;   /* core/places.h */
struct stitches; /* core/stitch.h */
struct lineage;  /* core/lineage.h */
struct preempt;  /* core/preempt.h */
struct planner;  /* core/planner.h */
struct power;    /* core/power.h */
struct power_config;
struct search;  /* core/search.h */
struct serve;   /* core/serve.h */
struct split;   /* core/split.h */
struct sums;    /* core/sums.h */
struct traffic; /* core/traffic.h */

/* A failed task, as long as its record says so. */
struct engine_failure {
    uint32_t task;
    uint32_t generation;
};

/* Buffers over the caller's memory that went without bringing their data there, though no task that
 * the caller knows of has failed. */
struct engine_unreturned {
    uint32_t count;
    fgpu_status status;           /* of the first */
    char name[LIMITS_NAME_BYTES]; /* of the first */
};

struct engine {
    struct table tasks;   /* struct task; slots are taken by submitters */
    struct table buffers; /* struct buffer */
    struct table kernels; /* struct kernel */
    struct inbox inbox;
    uint32_t freed[ENGINE_FREED]; /* slots of tasks that have ended, not yet given back */
    uint32_t freed_count;
    struct lock payload_lock;
    void *payload_free[16]; /* payload blocks by size class */
    struct arena payloads;  /* which they are from */
    struct arena lent;      /* bodies of brief tasks that were launched */
    void *lent_free;
    uint64_t now_ns;
    uint64_t budget_ns;
    uint64_t long_ns; /* behind so much nothing more is handed to a lane */
    uint32_t task_limit;
    uint32_t flags;
    uint32_t first_generation;
    _Atomic uint32_t wrapped; /* a task slot has used every generation that a handle can name */
    bool checks;
    bool lossless;
    uint32_t check_pause; /* turns until the next check */
    const struct policy *policy;
    const struct alloc_hooks *hooks;
    struct history *history;
    struct trace *trace;
    struct log *log;
    struct link *link; /* transfer times between nodes; owned */
    bool (*reaches)(const void *user, uint32_t src_node, uint32_t dst_node);
    const void *reaches_user;

    struct engine_device *devices;
    uint32_t device_count;
    struct lane *lanes;
    uint32_t lane_count;
    struct engine_node *nodes;
    uint32_t node_count;
    bool direct;           /* all memory is the host's: see direct.h */
    bool spill_full;       /* it took no more when it was asked last, and nothing has gone since */
    bool spill_refused;    /* it did so at least once */
    uint32_t spill_node;   /* takes what does not fit into the host's memory; 0: there is none */
    uint32_t code_count;   /* of different devices */
    struct bitset due;     /* lanes that may take something from their lists, or have a fence due */
    struct bitset loaded;  /* lanes that may have commands; who hands them out may take them off */
    struct bitset ahead;   /* lanes with ahead_due */
    struct bitset keeping; /* lanes that may have a backlog */
    struct bitset tight;   /* nodes where a block had to go (core/writeback.h), */
    struct bitset relief;  /* and of them those that are to be looked at */
    uint32_t tight_order;  /* `order` when new tasks were last looked at for them */
    uint32_t tight_from;   /* who of them is asked first next time */
    struct bitset eager;   /* the hungry ones, where there are too many to look at all */
    uint32_t eager_from;   /* who is asked first next time */
    uint64_t doubt_ns;     /* what tries of loaded predictions were to cost (core/doubt.h) */
    struct bitset rested;  /* lanes that have become idle and have not looked for others' work */
    uint32_t idle;         /* lanes without anything placed on them, of those that take tasks */
    struct policy_lane *candidates; /* one for each lane: what the policy chooses among */

    struct links links;
    struct table ops;     /* struct op */
    struct blocks blocks; /* beyond the host's, where nodes are many */

    /* ready tasks: one list for each priority, and which lists have any */
    uint32_t ready_head[ENGINE_PRIORITIES], ready_tail[ENGINE_PRIORITIES];
    uint64_t ready_bits[(ENGINE_PRIORITIES + 63) / 64];
    uint64_t ready_words; /* which words of ready_bits have any */
    uint32_t ready_count;
    struct vec work;       /* uint32_t: tasks whose state is looked at again in this turn */
    struct vec actions;    /* struct action */
    struct vec runs;       /* scratch of the move step, */
    struct vec spill_runs; /* which makes room on the host within it */

    uint32_t pending_tasks; /* linked and not ended */
    uint32_t ranked;        /* of them with a priority that is not the usual one */
    uint32_t held_maps;     /* mappings that the caller holds: pending tasks that only he can end */
    uint64_t wakes;    /* tasks that ended, mappings that became ready, records that became free:
                          somebody may wait for one */
    bool host_visible; /* a device that the caller chose takes host functions */
    uint32_t hungry;   /* lanes that would take another ready task */
    uint32_t kept;     /* tasks in the backlogs and chain lists of all lanes */
    bool has_copy_lanes;
    bool has_commands; /* a lane may have commands to hand out; cleared by the driver */
    uint32_t order;
    uint64_t latency_sum_ns;
    struct vec failures; /* struct engine_failure: since the last engine_take_failure */
    size_t failures_head;
    struct engine_unreturned unreturned; /* since it was last told */
    fgpu_pool_stats stats;
    uint64_t compactions;    /* plans of moves that were begun */
    uint64_t buffer_bytes;   /* of all buffers that there are */
    bool unplanned;          /* blocks lie where the heap puts them: for tests */
    struct lineage *lineage; /* finished tasks that can run again; NULL: all memory is the host's */
    struct traffic *traffic; /* NULL: copies go out when they are ordered */
    bool plans_apart;        /* see struct engine_config */
    bool copies_apart;       /* the same */
    struct planner *planner; /* NULL: the policy decides task by task */
    struct future *future;   /* NULL until memory was short */
    struct power *power;     /* NULL: no power cap */
    struct plan_aim aim;
    const double *extra_watt; /* [device], borrowed: see struct power_config; NULL: not known */
    struct vec joined;     /* struct joined *: recorded graphs that run as one task; NULL: free */
    uint64_t joined_count; /* launches as one task so far */
    uint64_t gone;         /* buffers and kernels that have been destroyed */
    void (*paths)(const void *user, uint32_t src_node, uint32_t dst_node, struct plan_path *path);
    double (*path_rate)(const void *user, uint32_t link);
    uint32_t path_link_count;
    const void *paths_user;
    struct split *split;   /* tasks that are run in pieces; NULL until there is one */
    bool again_due;        /* a prediction that choices relied on was wrong: they are made anew */
    uint32_t again_kernel; /* of which kernel: the last such */
    bool help_due;       /* a lane may have become free to take over what is left of such a task */
    struct serve *serve; /* classes, deadlines, tenants; NULL until a task has terms */
    struct preempt *preempt;  /* what makes way for urgent tasks; NULL until then, or for good */
    uint32_t preempt_way;     /* fgpu_pool_preempt */
    uint64_t overdue_ns;      /* tasks that run for so long may be overdue; 0: none ever is */
    uint64_t overdue_look_ns; /* until then lanes are not looked at for that */
    struct sums *sums;        /* NULL: contents are not checked */
    struct vec guards;        /* struct preempt_order: carried out before commands are handed out */
    struct vec torn;          /* uint32_t, while a device is lost: tasks whose data may be gone */
};

static inline struct task *engine_task(const struct engine *engine, uint32_t index)
{
    return table_item(&engine->tasks, index, sizeof(struct task));
}

static inline struct buffer *engine_buffer(const struct engine *engine, uint32_t index)
{
    return table_item(&engine->buffers, index, sizeof(struct buffer));
}

static inline struct kernel *engine_kernel(const struct engine *engine, uint32_t index)
{
    return table_item(&engine->kernels, index, sizeof(struct kernel));
}

/* The task is looked at (again) before the turn ends: something that it may have waited for has
 * changed. */
static inline void engine_look(struct engine *engine, uint32_t task)
{
    struct vec *work = &engine->work;
    if (__builtin_expect(work->count == work->capacity, 0)) {
        bool grown = vec_reserve(work, 2 * work->capacity + 8);
        FGPU_ASSERT(grown);
    }
    ((uint32_t *)(void *)work->items)[work->count++] = task;
}

/* Number of a task in traces; 0 is none. */
static inline uint64_t engine_trace_id(const struct task *task)
{
    return ((uint64_t)task_generation(task) << 32 | task->self) + 1;
}

/* What the caller called it, or its kernel; NULL where there is neither. */
static inline const char *engine_task_name(const struct engine *engine, const struct task *task)
{
    if (task->flags & TASK_F_NAMED)
        return task_extra(task)->name;
    return task->kernel != TASK_NONE ? engine_kernel(engine, task->kernel)->name : NULL;
}

static inline uint32_t engine_trace_name(const struct engine *engine, const struct task *task)
{
    return trace_name(engine->trace, engine_task_name(engine, task));
}

/* A kernel's code for a device. */
static inline struct code *engine_code(const struct engine *engine, const struct kernel *kernel,
                                       uint32_t device)
{
    return &kernel->codes[engine->devices[device].code];
}

/* How long a copy between two nodes takes, as far as is known. */
static inline uint64_t engine_copy_ns(const struct engine *engine, uint32_t src, uint32_t dst,
                                      uint64_t bytes)
{
    return link_predict_ns(engine->link, engine->nodes[src].way, engine->nodes[dst].way, bytes);
}

static inline struct lane *engine_lane(const struct engine *engine, uint32_t index)
{
    return &engine->lanes[index];
}

/* Of a device, those for copies included. */
static inline uint32_t engine_lanes_of(const struct engine_device *device)
{
    return device->lane_count + device->side_count + device->copy_count;
}

static inline struct block *engine_block(struct buffer *buffer, uint32_t node)
{
    if (__builtin_expect(buffer->sparse == NULL, 1))
        return &buffer->blocks[node];
    return blocks_at(buffer, node);
}

/* Of what an ended task names: what waited for that to go. */
void engine_objects_gone(struct engine *engine, struct task *task);
/* The last user of a destroyed buffer has ended. */
void engine_buffer_gone(struct engine *engine, uint32_t buffer);
/* The last user of a destroyed kernel has ended. */
void engine_kernel_gone(struct engine *engine, uint32_t kernel);

/* Appends an action; the driver carries it out after the turn. */
void engine_act(struct engine *engine, struct action action);

/* ---- life ------------------------------------------------------------------------------- */

/* Devices get lanes in order: device d's queue q is lane devices[d].lane_first + q. FGPU_E_NOMEM,
 * FGPU_E_LIMIT. */
fgpu_status engine_init(struct engine *engine, const struct engine_config *config);
/* Destroys all buffers and kernels; their memory and code come back as actions. Nothing may be in
 * flight. Idempotent. */
void engine_fini_objects(struct engine *engine);
/* Even, and beyond every generation of this engine: what another one begins with, so that it knows
 * that a handle of this one is none of its own. Walks all slots. */
uint32_t engine_next_generation(const struct engine *engine);
/* Slabs that the heaps still hold are the driver's to give back before (heap_next_slab). */
void engine_fini(struct engine *engine);

/* ---- events ----------------------------------------------------------------------------- */

void engine_clock(struct engine *engine, uint64_t now_ns);
/* Tasks from the inbox, in the order of their submission. Returns how many. */
uint32_t engine_drain(struct engine *engine);
/* Commands up to `number` of a lane have finished. */
void engine_progress(struct engine *engine, uint32_t lane, uint64_t number);
/* The lane's queue reports an error: the device is lost with everything in its memory. The driver
 * has made sure that nothing of it touches a command's body any more. */
void engine_device_lost(struct engine *engine, uint32_t device, const char *reason);
/* Asked after engine_progress: copies to and from it fail again and again; the driver should give
 * the device up. */
bool engine_device_fails(const struct engine *engine, uint32_t device);
/* Answer to ACTION_ALLOC; mem 0: there is none. */
void engine_slab(struct engine *engine, uint32_t node, uint64_t mem, uint64_t bytes);
/* Answer to ACTION_STITCH; mem 0: it cannot be done now. [in] index: the action's. */
void engine_stitched(struct engine *engine, uint32_t node, uint32_t index, fgpu_mem mem);
/* Answer to ACTION_BUILD. [take] built->log. */
void engine_built(struct engine *engine, uint32_t kernel, uint32_t device, fgpu_status status,
                  const fgpu_code_built *built);
/* Answer to ACTION_FORM. [take] built->log; where the code was there already, only `status`. */
void engine_formed(struct engine *engine, uint32_t kernel, uint32_t device, uint32_t form,
                   fgpu_status status, const fgpu_code_built *built);
/* Answer to ACTION_GUARD; 0: there is none. */
void engine_guard(struct engine *engine, uint32_t task, fgpu_guard guard);
/* Answer to ACTION_PLAN: its search has been run, and may be looked at in the next turn. */
struct search *engine_search(struct engine *engine);
void engine_planned(struct engine *engine);
/* The caller lets go of a TASK_MAP that is RUNNING. */
void engine_unmap(struct engine *engine, uint32_t task);
/* FGPU_OK, or FGPU_E_BUSY when it has started or ended. */
fgpu_status engine_cancel(struct engine *engine, uint32_t task);
/* After ACTION_CALLBACK: the record may be reused. */
void engine_callback_done(struct engine *engine, uint32_t task);

/* Run the steps until nothing more can be done now. */
void engine_turn(struct engine *engine);

/* A task has run, will never run, or is let go: its successors hear of it, and its record is free
 * or remembered. For events.c. */
void engine_end(struct engine *engine, struct task *task, fgpu_status status);

/* ---- objects ---------------------------------------------------------------------------- */

/* [out] index. `adopted`: the caller's memory or NULL. FGPU_E_LIMIT, FGPU_E_NOMEM. */
fgpu_status engine_buffer_create(struct engine *engine, uint64_t size_bytes, void *adopted,
                                 uint32_t *index);
/* Goes when its last task has ended. For an adopted buffer the caller submits an unlisted TASK_HOST
 * before that reads the whole. */
void engine_buffer_destroy(struct engine *engine, uint32_t index);
/* An empty kernel; the API layer fills variants and args while it is not sealed. */
fgpu_status engine_kernel_create(struct engine *engine, uint32_t *index);
void engine_kernel_destroy(struct engine *engine, uint32_t index);
/* Compile on `device` now unless it is built, building or failed. */
void engine_kernel_prepare(struct engine *engine, uint32_t kernel, uint32_t device);
/* Host address of a TASK_MAP's range once it is RUNNING. */
void *engine_map_address(struct engine *engine, uint32_t task);
/* Forget a failed task: its slot is free again. */
void engine_forget(struct engine *engine, uint32_t task);
/* The earliest failure since the last engine_take_failure that nobody has forgotten, or TASK_NONE.
 */
uint32_t engine_first_failure(struct engine *engine);
uint32_t engine_take_failure(struct engine *engine);
/* A task has failed: it will be asked for. */
void engine_note_failure(struct engine *engine, const struct task *task);
/* The task that brings a buffer's data back to the caller's memory has failed. Nobody has a handle
 * of it: unless the caller can know from the task that it began with, the loss is told by whoever
 * waits for the pool. */
void engine_note_unreturned(struct engine *engine, const struct task *task);

/* Asserts every invariant of the engine. O(everything). */
void engine_check(const struct engine *engine);
/* At the end of a turn: where the configuration asks for it, and not each time. */
void engine_check_turn(struct engine *engine);

#endif
