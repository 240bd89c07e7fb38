/* The task record: what every step of the walk hands to the next.
 *
 *  state      entered by                        leaves to
 *  NEW        submit_prepare (any thread)       LINKED, RUNNING (direct_take)
 *  LINKED     graph_link                        READY, RUNNING (chained), POISONED, CANCELLED
 *  READY      graph_release, fault_requeue      PICKED
 *  PICKED     sched_next                        PLACED
 *  PLACED     place_task                        BUILDING, MOVING, RUNNING
 *  BUILDING   launch_task                       PLACED (code built), FAILED
 *  MOVING     move_prepare                      PLACED (copies and slabs arrived), FAILED
 *  RUNNING    launch_task, launch_map           DONE, FAILED, READY (device lost, data whole)
 *             split_begin, split_begin_at (in pieces)
 *                      MOVING (no piece is left)
 *  DONE       complete_task                     slot is free, generation has moved on; LINKED again
 *                                               (lineage_start: its result was lost)
 *  FAILED, POISONED, CANCELLED  complete_task   stays until forgotten (fgpu_task_forget, pool
 * close)
 *
 * A record is one slot of a table: three cache lines. The payload holds the body of the command
 * that will run, its resolved arguments, the accesses and the scalars, in a block of its own. What
 * most tasks are needs none while they are pending: the record of a *brief* one (TASK_M_BRIEF: a
 * one-dimensional kernel on up to three ranges, nothing else) has its accesses in itself, and gets
 * a block for body and arguments from the engine when it is launched (submit_lend). Written by the
 * submitting thread until the record is pushed into the inbox, afterwards only under the engine's
 * lock, except `word`, which anybody may read.
 */
#ifndef FASTGPU_CORE_TASK_H
#define FASTGPU_CORE_TASK_H

#include <fastgpu/backend.h>
#include <fastgpu/task.h>

#include <stddef.h>

#include "base/atomic.h"

#define TASK_NONE UINT32_MAX
#define TASK_LANE_NONE UINT16_MAX
#define TASK_LANE_MIXED (UINT16_MAX - 1)
#define TASK_DEVICE_ANY UINT16_MAX
#define TASK_SLOT_BYTES 192
#define TASK_BRIEF_ACCESSES 3u

/* Beyond the public kinds: what the buffer calls are made of. */
enum task_kind {
    TASK_KERNEL = FGPU_TASK_KERNEL,
    TASK_HOST = FGPU_TASK_HOST,
    TASK_EMPTY = FGPU_TASK_EMPTY,
    TASK_FILL,
    TASK_COPY,
    TASK_MAP,   /* holds a range on the host until the caller lets go */
    TASK_JOINED /* all tasks of a recorded graph (core/joined.h) */
};

enum task_flag {
    TASK_F_PAYLOAD_OWNED = 1, /* payload is a block of its own */
    TASK_F_CALLBACK = 2,      /* struct task_extra has on_done */
    TASK_F_AUTO_LOCAL = 4,    /* the pool chooses the work-group size */
    TASK_F_IN_CHAIN = 8,      /* waits in its lane's chain list */
    TASK_F_NAMED = 16,        /* struct task_extra has a name */
    TASK_F_UNLISTED = 32, /* internal: not counted in statistics, not remembered when it fails */
    TASK_F_PINNED = 64,   /* its blocks are pinned */
    TASK_F_ISSUED = 128   /* successors have been told that it is on a lane */
};

enum task_mark {
    TASK_M_COUNTED = 1, /* on its way to its lane, in no list: it counts in the lane's backlog_ns */
    TASK_M_WANTED = 2,  /* its blocks on its node are marked as wanted */
    TASK_M_ORDERED = 4, /* ... and what was missing there has been ordered */
    TASK_M_DIVISIBLE = 8,   /* may be run in pieces, by its cuts (split.h) */
    TASK_M_PIECE = 16,      /* is one: the body is an fgpu_cmd_part */
    TASK_M_REGROUPED = 32,  /* its blocks were taken from its node, to come back side by side */
    TASK_M_BRIEF = 64,      /* its accesses are in the record */
    TASK_M_IN_PIECES = 128, /* is run in pieces: RUNNING while it is */
    TASK_M_SERVED = 256,    /* core/serve.c has an entry for it */
    TASK_M_TERMS = 512,     /* struct task_extra has terms */
    TASK_M_PREEMPT = 1024   /* runs in slices or under a guard (core/preempt.h) */
};

/* Where a piece belongs. */
struct task_piece {
    uint32_t parent; /* slot */
    uint32_t parent_generation;
    uint64_t base[]; /* for each access: where the parent's begins */
};

/* One range of one buffer. A 2-D region has rows > 1 and its pitch in `pitch`. */
struct task_access {
    uint32_t buffer; /* slot */
    uint8_t mode;    /* fgpu_access: READ, WRITE, READ_WRITE */
    uint8_t arg;     /* index of the command argument to resolve; 0xff: none */
    uint16_t rect;   /* 1: the payload's rect array has this access's shape */
    uint64_t begin;  /* first byte */
    uint64_t end;    /* one past the last */
};

struct task_rect {
    uint64_t row_bytes;
    uint64_t pitch_bytes;
    uint64_t rows;
};

/* What the caller says beyond priority. */
struct task_terms {
    uint64_t deadline_ns; /* by the engine's clock; UINT64_MAX: none */
    uint64_t estimate_ns; /* 0: none */
    uint16_t tenant;      /* 0: the pool's own */
    uint8_t rank;         /* enum serve_class */
    uint8_t late;         /* fgpu_late */
};

/* The seldom used rest, at the end of the payload. */
struct task_extra {
    struct task_terms terms;
    fgpu_task_done_fn on_done;
    void *on_done_user;
    char name[64];
};

struct task {
    _Atomic uint32_t word; /* generation << 4 | state; read by any thread */
    _Atomic uint32_t next; /* inbox, then ready, backlog or chain list */
    uint32_t self;         /* own index */
    uint32_t kernel;       /* slot, TASK_NONE */
    uint8_t kind : 4;      /* enum task_kind */
    uint8_t block : 4;     /* size class of the payload's block, with TASK_F_PAYLOAD_OWNED */
    uint8_t flags;         /* enum task_flag */
    uint8_t access_count;
    uint8_t arg_count;
    int16_t priority;
    uint16_t pin;      /* device index or TASK_DEVICE_ANY */
    uint16_t lane;     /* where it was placed */
    uint16_t follow;   /* lane of its issued, unfinished predecessors; NONE, MIXED */
    uint32_t unissued; /* predecessors not yet on a lane */
    uint32_t undone;   /* predecessors not yet finished */
    uint32_t succ;     /* list of edges to successors */
    union {
        struct {
            uint32_t waits; /* copies, slabs and the build that it waits for */
            uint32_t model; /* slot of the performance model for (kernel, device, size) */
            uint32_t order; /* submission order (wraps; only compared within a window) */
            uint32_t predicted_ns;
        };
        /* BRIEF, until it is linked: generations in the handles of its buffers, and of its kernel.
         */
        uint32_t live[TASK_BRIEF_ACCESSES + 1];
    };
    int32_t status;       /* fgpu_status when ended */
    uint16_t marks;       /* enum task_mark */
    uint16_t args_offset; /* of the arguments in the payload, in 8 bytes */
    uint64_t submit_ns;
    uint64_t size; /* model size: work items or bytes */
    char *payload; /* NULL: brief, and not launched yet */
    union {
        struct task_access brief[TASK_BRIEF_ACCESSES];
        char inline_payload[TASK_BRIEF_ACCESSES * sizeof(struct task_access)];
    };
    uint32_t root; /* index and generation of the task that began a failure */
    uint32_t root_word;
    uint32_t lineage;      /* its place there plus one (core/lineage.c), 0: none */
    uint32_t no_memory;    /* links: devices that had no memory for its data */
    char *why;             /* heap text of a failure, NULL: none */
    uint16_t rect_offset;  /* of the rect array in the payload, in 8 bytes */
    uint16_t extra_offset; /* of struct task_extra */
    uint16_t after_offset; /* of the explicit predecessors (index, generation) */
    uint16_t after_count;
};

_Static_assert(sizeof(struct task) == TASK_SLOT_BYTES, "the record is three lines");
_Static_assert(offsetof(struct task, brief) == 88, "with one access the third has nothing hot");

/* The body of a TASK_JOINED. */
struct task_joined {
    fgpu_cmd_batch batch;
    struct joined_run *run;
};

#define TASK_STATE_BITS 4u
#define TASK_STATE_MASK 15u
#define TASK_GENERATION_MASK (UINT32_MAX >> TASK_STATE_BITS)

static inline uint32_t task_word(const struct task *task)
{
    return atomic_load_acquire_u32(&task->word);
}

static inline fgpu_task_state task_state(const struct task *task)
{
    return (fgpu_task_state)(atomic_load_relaxed_u32(&task->word) & TASK_STATE_MASK);
}

static inline uint32_t task_generation(const struct task *task)
{
    return atomic_load_relaxed_u32(&task->word) >> TASK_STATE_BITS;
}

/* The failure that it ended with began with itself, and not with a task that had its slot before.
 */
static inline bool task_is_own_root(const struct task *task)
{
    return task->root == task->self && task->root_word >> TASK_STATE_BITS == task_generation(task);
}

/* Release: whoever reads the new state with task_word() sees what the task wrote before. */
static inline void task_set_state(struct task *task, fgpu_task_state state)
{
    uint32_t word = atomic_load_relaxed_u32(&task->word);
    atomic_store_release_u32(&task->word, (word & ~TASK_STATE_MASK) | (uint32_t)state);
}

static inline bool task_state_ended(uint32_t state)
{
    return state >= FGPU_TASK_DONE;
}

/* Payload layout: body | args | accesses | rects | after | scalars | extra, each aligned to 8; of a
 * brief task body | args. */
static inline size_t task_body_bytes(uint8_t kind)
{
    switch (kind) {
    case TASK_KERNEL:
        return sizeof(fgpu_cmd_launch);
    case TASK_HOST:
        return sizeof(fgpu_cmd_host);
    case TASK_FILL:
        return sizeof(fgpu_cmd_fill);
    case TASK_COPY:
        return sizeof(fgpu_cmd_copy);
    case TASK_JOINED:
        return sizeof(struct task_joined);
    default:
        return sizeof(fgpu_cmd_result);
    }
}

static inline void *task_body(const struct task *task)
{
    return task->payload;
}

static inline fgpu_cmd_result *task_result(const struct task *task)
{
    return (fgpu_cmd_result *)(void *)task->payload;
}

static inline fgpu_cmd_arg *task_args(const struct task *task)
{
    return (fgpu_cmd_arg *)(void *)(task->payload + 8u * task->args_offset);
}

static inline struct task_access *task_accesses(const struct task *task)
{
    if (task->marks & TASK_M_BRIEF)
        return (struct task_access *)(uintptr_t)task->brief;
    return (struct task_access *)(void *)(task_args(task) + task->arg_count);
}

static inline struct task_rect *task_rects(const struct task *task)
{
    return (struct task_rect *)(void *)(task->payload + 8u * task->rect_offset);
}

static inline struct task_extra *task_extra(const struct task *task)
{
    return (struct task_extra *)(void *)(task->payload + 8u * task->extra_offset);
}

/* How each argument of a divisible task is cut. */
static inline fgpu_cut *task_cuts(const struct task *task)
{
    return (fgpu_cut *)(void *)(task->payload + 8u * task->extra_offset) - task->arg_count;
}

/* Of a piece. */
static inline struct task_piece *task_piece(const struct task *task)
{
    return (struct task_piece *)(void *)(task->payload + sizeof(fgpu_cmd_part));
}

/* Shape of access `i`: one row for a contiguous range. */
static inline struct task_rect task_shape(const struct task *task, uint32_t i)
{
    const struct task_access *access = &task_accesses(task)[i];
    if (access->rect)
        return task_rects(task)[access->rect - 1];
    uint64_t bytes = access->end - access->begin;
    return (struct task_rect){bytes, bytes, 1};
}

#endif
