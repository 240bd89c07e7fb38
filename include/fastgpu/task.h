/* Tasks: one kernel launch, host function or data operation, with what it reads and writes.
 *
 * Order: results are those of running all tasks one after another in the order of submission. The
 * pool derives which of them may overlap from the ranges and access modes of their arguments;
 * `after` adds order that data does not show.
 *
 * A task handle needs no release. It stays valid for questions after the task has finished: success
 * costs nothing to remember; a failed task is remembered until it is forgotten (fgpu_task_forget),
 * and from then on answers as one that succeeded, or until the pool closes (then FGPU_E_STALE).
 * Every function may be called from any thread.
 */
#ifndef FASTGPU_TASK_H
#define FASTGPU_TASK_H

#include <fastgpu/kernel.h>
#include <fastgpu/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One argument of a task. Make it with the helpers below. */
typedef struct fgpu_arg {
    uint32_t kind;       /* fgpu_arg_kind */
    uint32_t access;     /* fgpu_access; DEFAULT: what the kernel says */
    fgpu_buffer buffer;  /* BUFFER */
    fgpu_region region;  /* BUFFER: the kernel gets the address of its first byte */
    const void *value;   /* SCALAR: read during submit */
    uint64_t size_bytes; /* SCALAR: 1..4096; LOCAL: 1..2^24 */
} fgpu_arg;

static inline fgpu_arg fgpu_arg_region(fgpu_buffer buffer, fgpu_access access, fgpu_region region)
{
    fgpu_arg a = {FGPU_ARG_BUFFER, (uint32_t)access, buffer, region, NULL, 0};
    return a;
}

/* The whole buffer, with the access mode that the kernel declares. */
static inline fgpu_arg fgpu_arg_buffer(fgpu_buffer buffer)
{
    return fgpu_arg_region(buffer, FGPU_ACCESS_DEFAULT, fgpu_region_whole());
}

static inline fgpu_arg fgpu_arg_span(fgpu_buffer buffer, fgpu_access access, uint64_t offset_bytes,
                                     uint64_t bytes)
{
    return fgpu_arg_region(buffer, access, fgpu_region_span(offset_bytes, bytes));
}

/* [borrow] value until submit returns. A task takes 4096 bytes in all its scalars together, which
 * every device can pass; more goes into a buffer. */
static inline fgpu_arg fgpu_arg_scalar(const void *value, uint64_t size_bytes)
{
    fgpu_buffer none = {0};
    fgpu_arg a = {FGPU_ARG_SCALAR, 0, none, {0, 0, 0, 0}, value, size_bytes};
    return a;
}

static inline fgpu_arg fgpu_arg_local(uint64_t size_bytes)
{
    fgpu_buffer none = {0};
    fgpu_arg a = {FGPU_ARG_LOCAL, 0, none, {0, 0, 0, 0}, NULL, size_bytes};
    return a;
}

typedef enum fgpu_cut_kind {
    FGPU_CUT_WHOLE = 0, /* every piece gets all of it: read only; scalars and local memory too */
    FGPU_CUT_ITEMS = 1  /* in step with the grid's last dimension */
} fgpu_cut_kind;

/* How an argument of a divisible task goes with the grid's last dimension (dims - 1). ITEMS: work
 * items k * items .. (k + 1) * items - 1 of it use bytes k * bytes .. (k + 1) * bytes - 1 of the
 * argument's region, and what is read also the bytes of `before` such steps ahead of them and
 * `after` behind. What is written has no halo: work items of different steps write different bytes,
 * and none reads what another writes. In a region of several rows `bytes` is a multiple of the
 * pitch. The cuts must cover the region. */
typedef struct fgpu_cut {
    uint32_t kind;  /* fgpu_cut_kind */
    uint32_t items; /* 0: 1 */
    uint64_t bytes;
    uint32_t before, after; /* in steps of `bytes` */
} fgpu_cut;

static inline fgpu_cut fgpu_cut_whole(void)
{
    fgpu_cut c = {FGPU_CUT_WHOLE, 0, 0, 0, 0};
    return c;
}

/* [in] bytes: of each item of the grid's last dimension: an element, a row. */
static inline fgpu_cut fgpu_cut_items(uint64_t bytes, uint32_t before, uint32_t after)
{
    fgpu_cut c = {FGPU_CUT_ITEMS, 1, bytes, before, after};
    return c;
}

typedef enum fgpu_task_kind {
    FGPU_TASK_KERNEL = 0,
    FGPU_TASK_HOST = 1, /* a C function on a host thread, with buffers as arguments */
    FGPU_TASK_EMPTY = 2 /* nothing: a join of what it comes after */
} fgpu_task_kind;

typedef enum fgpu_task_state {
    FGPU_TASK_NEW = 0, /* submitted, not yet linked into the graph */
    FGPU_TASK_LINKED,  /* waits for other tasks */
    FGPU_TASK_READY,   /* waits for a device */
    FGPU_TASK_PICKED,
    FGPU_TASK_PLACED,
    FGPU_TASK_BUILDING,
    FGPU_TASK_MOVING,  /* its data is on the way */
    FGPU_TASK_RUNNING, /* handed to the device */
    FGPU_TASK_DONE,
    FGPU_TASK_FAILED,
    FGPU_TASK_POISONED, /* a task that it depends on failed */
    FGPU_TASK_CANCELLED
} fgpu_task_state;

/* Host function of a task; args as for fgpu_native_fn (scalars and buffers). Returns 0 or the task
 * fails with FGPU_E_TASK. */
typedef int (*fgpu_host_fn)(void *const *args, void *user);

/* Called once on the pool's callback thread when the task has ended. It may submit tasks (never
 * waits: FGPU_E_AGAIN at the limit) and must not block on the pool. `status` is what
 * fgpu_task_wait() would return. */
typedef void (*fgpu_task_done_fn)(fgpu_task task, fgpu_status status, void *user);

/* How much a task matters. A class goes before the next; those behind together keep at least 4 % of
 * the device time, and batch 2 %, while they have work. */
typedef enum fgpu_task_class {
    FGPU_CLASS_NORMAL = 0,      /* by fair shares of the tenants; in a tenant by priority */
    FGPU_CLASS_INTERACTIVE = 1, /* earliest deadline first; without one behind those */
    FGPU_CLASS_BATCH = 2        /* what the others leave, by fair shares */
} fgpu_task_class;

/* What becomes of a task that would miss its deadline. */
typedef enum fgpu_late {
    FGPU_LATE_REFUSE = 0, /* submit refuses it: FGPU_E_DEADLINE; once taken it is kept */
    FGPU_LATE_DROP = 1,   /* the same, and it may give way until it starts, so that more tasks end
                             in time: it fails with FGPU_E_DEADLINE then */
    FGPU_LATE_DEGRADE = 2 /* it runs as batch work, without a deadline; until it starts it may give
                             way that way */
} fgpu_late;

/* What admission says of a task with a deadline. */
typedef struct fgpu_admission {
    uint64_t finish_ns; /* predicted end, from now, were it taken; FGPU_FOREVER: never */
    bool is_admitted;   /* predicted to end in time: taken with its deadline */
    bool is_known;      /* from measured times or the caller's estimate; else from a guess */
} fgpu_admission;

/* Terms of service of a task. The first task with terms makes the pool go by them: all tasks are
 * then placed one by one, without plans; those without terms are normal ones of the pool's own
 * tenant (weight 1), and what a task waits for is as urgent as that task. */
typedef struct fgpu_terms {
    uint32_t struct_bytes; /* set by fgpu_terms_init() */
    uint32_t task_class;   /* fgpu_task_class */
    fgpu_tenant tenant;    /* whose device time it is; zero: the pool's own */
    uint64_t deadline_ns;  /* from submission on; 0: none. INTERACTIVE only */
    uint64_t estimate_ns;  /* of its run, where the pool has not measured it yet; 0: not known */
    uint32_t late;         /* fgpu_late, with a deadline */
    uint32_t reserved;     /* 0 */
    fgpu_admission *admission; /* [out] with a deadline, also where it is refused; NULL */
} fgpu_terms;

/* Fill with zeros and the struct's size: a normal task of the pool's own tenant. */
FGPU_API void fgpu_terms_init(fgpu_terms *terms);

/* Description of a task. Start from fgpu_task_desc_init(); everything is copied by submit. */
typedef struct fgpu_task_desc {
    uint32_t struct_bytes; /* set by fgpu_task_desc_init() */
    uint32_t kind;         /* fgpu_task_kind */
    fgpu_kernel kernel;    /* KERNEL */
    fgpu_host_fn host_fn;  /* HOST */
    void *host_user;       /* HOST: borrowed until the task ends */
    uint32_t dims;         /* 1..3 */
    uint32_t arg_count;
    const fgpu_arg *args;
    uint64_t global[3]; /* work items in each dimension, >= 1 */
    uint32_t local[3];  /* work items of a group; all 0: the pool chooses. Must divide global for
                           OpenCL variants */
    int32_t priority;   /* higher first; 0 normal; -1000..1000. The policy "auto" departs from that
                           where all ends sooner and those above any priority end, on average,
                           at most a 24th later than otherwise */
    const fgpu_task *after; /* explicit predecessors, at most 4096 */
    uint32_t after_count;
    uint32_t flags;            /* 0 */
    fgpu_device device;        /* run there and nowhere else; zero: the pool chooses */
    fgpu_task_done_fn on_done; /* NULL: none */
    void *on_done_user;
    const char
        *name; /* for traces and error texts; NULL: the kernel's name. Copied up to 63 bytes */
    const fgpu_cut *cuts;    /* KERNEL: one for each argument: the pool may run it in pieces, on
                                several devices; NULL: it may not */
    const fgpu_terms *terms; /* NULL: none */
} fgpu_task_desc;

/* Fill with zeros and the struct's size. */
FGPU_API void fgpu_task_desc_init(fgpu_task_desc *desc);

/* Submit one task. [in] desc. [out] task: may be NULL.
 * Blocks only at the pool's task limit (or returns FGPU_E_AGAIN there: FGPU_POOL_NOWAIT, callbacks,
 * task functions). Errors: FGPU_E_HANDLE/STALE/FOREIGN (which argument), FGPU_E_INVAL (grid, group,
 * argument count, kind or size: named with the value and what the kernel takes; cuts), FGPU_E_RANGE
 * (a region beyond its buffer, cuts that do not cover one), FGPU_E_OVERLAP, FGPU_E_NOVARIANT,
 * FGPU_E_VERSION (struct_bytes), FGPU_E_NOMEM, FGPU_E_CLOSED, FGPU_E_SYSTEM (no thread for the
 * callbacks can be started), FGPU_E_DEADLINE (its terms' deadline would be missed: the text says by
 * how much), FGPU_E_QUOTA (its tenant's is used up). A refused task has no effect. */
FGPU_API fgpu_status fgpu_task_submit(fgpu_pool pool, const fgpu_task_desc *desc, fgpu_task *task);

/* Shorthand for a 1-D kernel task with the pool's choice of group size. [in] global: work items, >=
 * 1. [out] task: may be NULL. Blocks and fails as fgpu_task_submit(). */
FGPU_API fgpu_status fgpu_task_run(fgpu_kernel kernel, uint64_t global, const fgpu_arg *args,
                                   uint32_t arg_count, fgpu_task *task);

/* Wait for the end of a task. [in] timeout_ns as in fgpu_pool_wait(); 0 asks without blocking.
 * Returns FGPU_OK when it succeeded, FGPU_E_TIMEOUT, or its failure: FGPU_E_TASK, FGPU_E_BUILD,
 * FGPU_E_DEVMEM, FGPU_E_DEVICE, FGPU_E_DEVICE_LOST, FGPU_E_POISONED (fgpu_last_error() names the
 * root task), FGPU_E_CANCELLED. FGPU_E_BUSY when it would wait in a task's own function or a
 * callback. */
FGPU_API fgpu_status fgpu_task_wait(fgpu_task task, uint64_t timeout_ns);

/* State now; it may be different when the call returns. [out] state. Does not block. */
FGPU_API fgpu_status fgpu_task_get_state(fgpu_task task, fgpu_task_state *state);

/* Failure of an ended task. [out] status: FGPU_OK when it succeeded. [out] root: the task whose own
 * failure began it (itself, or the producer that poisoned it); may be NULL. [out] text: the
 * sentence, always terminated when text_bytes > 0; may be NULL. Errors: FGPU_E_BUSY when the task
 * has not ended. */
FGPU_API fgpu_status fgpu_task_get_error(fgpu_task task, fgpu_status *status, fgpu_task *root,
                                         char *text, size_t text_bytes);

/* Cancel a task that has not started; everything that depends on it is cancelled with it. A running
 * task is not stopped: FGPU_E_BUSY. An ended one: FGPU_E_BUSY too. Does not block. */
FGPU_API fgpu_status fgpu_task_cancel(fgpu_task task);

/* Forget the failure of a task that has ended, so that its record can be used again. Errors:
 * FGPU_E_BUSY when it has not ended. Does not block. */
FGPU_API fgpu_status fgpu_task_forget(fgpu_task task);

#ifdef __cplusplus
}
#endif

#endif
