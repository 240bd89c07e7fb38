/* A recorded graph as one task: all its nodes run as one command, in their order.
 *
 * A launch of it is one record (TASK_JOINED) that stands for all nodes: it has no accesses of its
 * own; what its nodes touch is kept here, once for all launches, as one range of each buffer (a
 * `use`). The graph holds a lease on its buffers: as long as nobody else is linked to one of them,
 * the next launch is linked to the one before with a single edge. Whoever else comes to a leased
 * buffer (joined_touch) first has the last launch written into its segments, as if that had been
 * linked there; the next launch is then linked to that buffer anew.
 *
 * Short graphs go out as one command, longer ones in slices, so that what is urgent gets in
 * between. When a command fails, the nodes that use what it should have written are left out, and
 * the rest goes on: results, failures and counts are those of the nodes one by one
 * (joined_judge.c). Data of others that depend on it are tracked by segment: `heirs` read what a
 * launch is to write, `feeds` is what others are to write that it reads.
 *
 * Only for devices that work in host memory, in pools without other memory: nothing has to be moved
 * or made again there. Runs under the engine's lock. Owns struct joined and its runs. Keeps true: a
 * leased buffer has a user and a pin more; launches of one graph run one after another; a use that
 * is not leased is in `loose`.
 *
 * joined_make.c: made from a recorded graph. joined.c: launches, leases. joined_run.c: commands,
 * slices, the end. joined_judge.c: which nodes a failure reaches.
 */
#ifndef FASTGPU_CORE_JOINED_H
#define FASTGPU_CORE_JOINED_H

#include "base/arena.h"
#include "core/engine.h"
#include "core/launch.h"
#include "core/submit.h"

#define JOINED_NONE UINT32_MAX

/* One buffer that the graph touches: all that its nodes touch lies in [begin, end). */
struct joined_use {
    uint32_t buffer; /* slot */
    uint32_t live;   /* its generation */
    uint64_t begin, end;
    fgpu_mem mem; /* where it was when the commands were resolved */
    uint64_t offset;
    uint8_t writes; /* a node writes it */
    uint8_t leased;
};

/* What a node does to a buffer. */
struct joined_access {
    struct task_rect shape;
    uint64_t begin;
    uint32_t use;
    uint8_t mode;
    uint8_t arg; /* of its launch */
};

struct joined_node {
    const char *name;      /* NULL: none */
    uint64_t size;         /* for the model */
    uint32_t number;       /* in the recorded graph */
    uint32_t kernel;       /* place in `kernels`, JOINED_NONE: an empty task */
    uint32_t first_access; /* up to that of the next node */
    uint32_t first_after;  /* the same, of explicit predecessors */
    uint32_t auto_local;
};

struct joined_kernel {
    uint32_t slot;
    uint32_t live;
};

/* A record that keeps a failed node's name and reason, as long as the launch is remembered. */
struct joined_record {
    uint32_t task, generation;
    uint32_t launch, launch_generation;
};

/* A use that was let go while launches that need it were on their way. */
struct joined_hold {
    uint32_t buffer;
    uint32_t task, generation; /* the last of them */
};

/* What a command takes on a device, on average: the median of the last three slices, for one that
 * was interrupted says nothing. */
struct joined_pace {
    double ns; /* 0: unknown */
    double last[2];
};

struct joined {
    uint32_t place; /* in engine->joined; buffers know it by place + 1 */
    uint32_t serial;
    uint32_t last, last_generation; /* the newest launch; TASK_NONE */
    uint32_t flying;                /* launches that have not ended */
    uint8_t retired;                /* goes with the last of them */
    uint8_t moved;                  /* a buffer has another address: resolve again */
    uint32_t code_device;           /* the commands have this device's code */
    uint64_t checked;               /* engine->gone when all objects were last seen alive */
    int16_t priority;
    uint16_t pin;
    uint32_t node_count, command_count, use_count, kernel_count, access_count;
    struct joined_node *nodes; /* one more than there are */
    struct joined_access *accesses;
    uint32_t *after; /* places of explicit predecessors */
    struct joined_use *uses;
    struct joined_kernel *kernels;
    fgpu_cmd *commands;
    uint32_t *command_nodes; /* which node a command is */
    uint32_t *loose;         /* uses that the next launch is linked to */
    uint32_t loose_count;
    uint64_t begins;           /* all offsets, or-ed: how far all of them are aligned */
    uint64_t items;            /* of the largest work group that the caller asked for */
    struct joined_pace *paces; /* on each device */
    struct vec holds;          /* struct joined_hold */
    struct vec records;        /* struct joined_record */
    struct joined_run *spare;
    struct arena arena;
};

/* A piece of a buffer whose contents a launch does not find. */
struct joined_poison {
    uint32_t buffer;
    int32_t status; /* of the task that should have written it */
    uint32_t root, root_word;
    uint64_t begin, end;
};

/* A task that reads a piece of what a launch writes; or (feeds) a piece that a launch reads. */
struct joined_heir {
    uint32_t task, generation;
    uint32_t buffer;
    uint64_t begin, end;
};

/* What has become of a node. */
struct joined_fate {
    int32_t status; /* FGPU_OK: it has run or will */
    uint32_t root, root_word;
};

struct joined_failure {
    uint32_t node;
    struct joined_fate fate;
};

/* One launch. */
struct joined_run {
    struct joined *joined;
    struct joined_run *next;
    uint32_t serial;
    uint32_t at;        /* commands before this one need nothing any more */
    uint32_t slice_end; /* those before this one are out */
    size_t judged;      /* of its poisons, those that `fates` knows of */
    uint8_t claimed;
    uint8_t cancelled;
    uint8_t careful;              /* not all nodes run: `fates` says which */
    struct vec fresh;             /* uint32_t: uses that this launch was linked to */
    struct vec heirs, feeds;      /* struct joined_heir */
    struct vec poison;            /* struct joined_poison: what it began with */
    struct vec failures;          /* struct joined_failure, in the order of nodes */
    struct vec list;              /* fgpu_cmd: the slice, where careful */
    struct vec places;            /* uint32_t: which command each of them is */
    struct joined_fate *fates;    /* one for each node; NULL */
    struct joined_failure refuse; /* all that has not run fails with it; node: a command */
};

/* A recorded graph as the API layer has it. Nodes in the order of submission. */
struct joined_source {
    const void *user;
    /* [out] number: in the recorded graph; after_count: explicit predecessors. */
    const struct submit_request *(*node)(const void *user, uint32_t place, uint32_t *number,
                                         uint32_t *after_count);
    const uint32_t *after; /* their places, node by node */
    uint32_t node_count;
};

/* Does every task of the pool find its data in the host's memory? */
bool joined_may(const struct engine *engine);

/* All nodes are kernels or empty, without callbacks, of one priority and one device. */
bool joined_can(const struct joined_source *source);

/* [out] joined: NULL where it would not pay now. FGPU_E_NOMEM. */
fgpu_status joined_make(struct engine *engine, const struct joined_source *source,
                        struct joined **joined);

/* Are its commands so short that one command of all is better than the lanes taking turns? */
bool joined_pays(struct engine *engine, const struct joined *joined);

/* Nobody launches it any more. Launches on their way go on. */
void joined_retire(struct engine *engine, struct joined *joined);

/* Links one launch. [out] index, generation: its record. FGPU_E_STALE: an object is gone.
 * FGPU_E_BUSY: not now, or not any more (joined_pays). FGPU_E_AGAIN, FGPU_E_NOMEM. */
fgpu_status joined_launch(struct engine *engine, struct joined *joined, bool named, uint32_t *index,
                          uint32_t *generation);

/* Forgets what failed in launches that nobody remembers. */
void joined_settle(struct engine *engine, struct joined *joined);

/* Frees all of them; nothing is in flight. */
void joined_clear(struct engine *engine);

/* ---- for the steps of the walk ---------------------------------------------------------- */

void joined_let_go(struct engine *engine, struct buffer *buffer);

/* Somebody else is about to use the buffer. */
static inline void joined_touch(struct engine *engine, struct buffer *buffer)
{
    if (__builtin_expect(buffer->lease != 0, 0))
        joined_let_go(engine, buffer);
}

bool joined_heir(struct task *writer, const struct task *task, uint32_t buffer,
                 const struct imap_seg *seg);

/* `task` reads what `writer` is to leave in a segment. True: where that is a launch of a recorded
 * graph it is noted, and the edge needs to carry nothing. */
static inline bool joined_inherits(struct task *writer, const struct task *task, uint32_t buffer,
                                   struct segment *segment)
{
    return __builtin_expect(writer->kind == TASK_JOINED, 0) &&
           joined_heir(writer, task, buffer, (struct imap_seg *)(void *)segment - 1);
}

/* A task that a launch waits for has failed. [in] data: of the edge. */
void joined_feed(struct task *task, uint32_t data, fgpu_status status, const struct task *from);

const char *joined_obstacle(const struct engine *engine, const struct task *task, uint32_t device);
uint64_t joined_exec_ns(const struct task *task, uint32_t device);
enum launch_answer joined_code(struct engine *engine, struct task *task);

/* The command of the next slice; and whether that is the last one. */
void joined_body(struct engine *engine, struct task *task);
bool joined_is_last(const struct task *task);

/* Nothing is left to run. */
bool joined_is_over(struct engine *engine, struct task *task);

/* The slice has finished with that status. True: the task ends now; else it has been put back. */
bool joined_ran(struct engine *engine, struct task *task, fgpu_status status);

/* It was skipped, or its device is lost (torn). */
void joined_take_back(struct engine *engine, struct task *task, bool torn);

/* The launch counts as cancelled for those who know it; its nodes run. */
void joined_cancel(struct task *task);

/* The last step: counts, failures, what it holds. Returns the status that it ends with. */
fgpu_status joined_end(struct engine *engine, struct task *task, fgpu_status status);

/* ---- between the files ------------------------------------------------------------------ */

static inline struct joined_run *joined_run_of(const struct task *task)
{
    return ((struct task_joined *)task_body(task))->run;
}

/* Calls for each segment of the use's range. */
typedef void (*joined_segment_fn)(struct engine *engine, struct imap_seg *seg, void *user);
void joined_walk(struct engine *engine, uint32_t buffer, uint64_t begin, uint64_t end,
                 joined_segment_fn fn, void *user);

/* NULL: the graph does not touch it. */
struct joined_use *joined_use_of(const struct joined *joined, uint32_t buffer);

/* The launch lets go of all that it is still leased to. */
void joined_let_go_all(struct engine *engine, struct joined *joined);

/* The launch has ended: what was let go meanwhile is free. */
void joined_drop_holds(struct engine *engine, struct joined *joined, const struct task *task);

void joined_free(struct engine *engine, struct joined *joined);

/* Fills run->fates from its failures and poisons. With `task`: what is left poisoned in the end is
 * told to segments, heirs and the next launch. False without memory. */
bool joined_judge(struct engine *engine, struct joined_run *run, struct task *task);

#endif
