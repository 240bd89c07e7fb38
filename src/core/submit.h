/* Step 1, submit: an API call becomes a task record in the inbox. See submit.c.
 *
 * Preparing and pushing: any thread; the rest under the engine's lock.
 */
#ifndef FASTGPU_CORE_SUBMIT_H
#define FASTGPU_CORE_SUBMIT_H

#include "core/engine.h"

/* One argument, checked and resolved by the API layer. */
struct submit_arg {
    uint8_t kind;          /* fgpu_arg_kind */
    uint8_t mode;          /* fgpu_access of a buffer: READ, WRITE, READ_WRITE */
    uint32_t buffer;       /* slot */
    uint32_t live;         /* generation in the buffer's handle: the task fails where the buffer is
                              another one when it is linked; 0: not asked */
    uint64_t offset_bytes; /* of a buffer's region, normalised: rows >= 1, pitch >= row_bytes */
    struct task_rect shape;
    const void *value; /* SCALAR: [borrow] until submit_prepare returns */
    uint64_t size_bytes;
};

/* At most LIMITS_KERNEL_ARGS arguments, LIMITS_DEPS predecessors, and LIMITS_SCALAR_BYTES in all
 * scalars together: then offsets in the record fit. */
struct submit_request {
    uint8_t kind; /* enum task_kind */
    uint8_t arg_count;
    uint8_t flags;        /* TASK_F_UNLISTED */
    uint32_t kernel;      /* KERNEL: slot, else TASK_NONE */
    uint32_t kernel_live; /* as submit_arg.live */
    const struct submit_arg *args;
    int16_t priority;
    uint16_t pin; /* device or TASK_DEVICE_ANY */
    uint32_t dims;
    uint64_t global[3];
    uint32_t local[3];
    fgpu_host_fn host_fn; /* HOST */
    void *host_user;
    const uint32_t *after; /* pairs (task index, generation) */
    uint32_t after_count;
    fgpu_task_done_fn on_done;
    void *on_done_user;
    const char *name;               /* NULL: none */
    const struct task_terms *terms; /* NULL: none; else the engine has begun to serve */
    const fgpu_cut *cuts;           /* KERNEL: for each argument, or NULL: not divisible */
    const struct task_piece
        *piece;             /* KERNEL: it is a piece; with bases for `args` that are buffers */
    uint32_t slot;          /* of the task table, with `piece` */
    const uint8_t *pattern; /* FILL: 16 bytes */
    uint32_t pattern_bytes;
    struct joined_run *joined; /* JOINED */
};

/* Makes the record. Thread: any, without the engine's lock. [out] index, generation: the task's
 * name. FGPU_E_AGAIN when the task table is full (without a text), FGPU_E_NOMEM. */
fgpu_status submit_prepare(struct engine *engine, const struct submit_request *request,
                           uint32_t *index, uint32_t *generation);

/* The short way: the record of a one-dimensional kernel's task whose arguments are whole buffers
 * and that has nothing of what is seldom used. False where it must be made the long way. Thread:
 * any. */
struct submit_quick_arg {
    uint32_t buffer;
    uint32_t live; /* as submit_arg.live */
    uint64_t size_bytes;
    uint8_t mode;
};

struct submit_quick {
    uint32_t kernel;
    uint32_t kernel_live;
    uint64_t global;
    int16_t priority;
    uint32_t arg_count; /* at most TASK_BRIEF_ACCESSES */
    struct submit_quick_arg args[TASK_BRIEF_ACCESSES];
};

bool submit_quick(struct engine *engine, const struct submit_quick *quick, uint32_t *index,
                  uint32_t *generation);

/* A brief task's body and arguments, for its launch: with all but what is resolved then. False
 * without memory. Under the engine's lock. */
bool submit_lend_body(struct engine *engine, struct task *task);
static inline bool submit_lend(struct engine *engine, struct task *task)
{
    return task->payload != NULL || submit_lend_body(engine, task);
}
void submit_take_back(struct engine *engine, struct task *task);

/* Puts a prepared record into the inbox; afterwards it is the engine's. Returns how many lie there.
 * Thread: any. */
uint32_t submit_push(struct engine *engine, uint32_t index);

/* Gives a record's payload and slot back and moves its generation on. Under the engine's lock. */
void submit_recycle(struct engine *engine, struct task *task);

/* Slots are given back many at a time: what is left of them, at the end of a turn. */
void submit_give_back(struct engine *engine);

/* [in] in_flight: tasks that can be on the devices at the same time. */
void submit_init(struct engine *engine, uint64_t in_flight);
/* Frees the pool of payload blocks. */
void submit_fini(struct engine *engine);

#endif
