/* Statistics and traces: what the pool did. */
#ifndef FASTGPU_STATS_H
#define FASTGPU_STATS_H

#include <fastgpu/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Counters since the pool was opened. */
typedef struct fgpu_pool_stats {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t reserved;
    uint64_t tasks_submitted;
    uint64_t tasks_done;
    uint64_t tasks_failed; /* failed and poisoned */
    uint64_t tasks_cancelled;
    uint64_t tasks_pending;
    uint64_t copies;          /* between memory nodes */
    uint64_t bytes_to_device; /* host -> device nodes */
    uint64_t bytes_to_host;   /* device nodes -> host */
    uint64_t bytes_device_device;
    uint64_t evictions;
    uint64_t bytes_evicted;     /* written back because memory was short */
    uint64_t builds;            /* kernels compiled */
    uint64_t builds_cached;     /* found in the cache on disk */
    uint64_t latency_mean_ns;   /* submit to done, over finished tasks */
    uint64_t pool_memory_bytes; /* held by tables and host replicas of all pools of the process */
    uint64_t allocations;       /* calls of the allocator by all pools of the process, ever */
    uint64_t turns;             /* engine turns */
    uint64_t tasks_recomputed;  /* run again, after they had ended well, because their results were
                                   lost with a device; not counted again as submitted or done */
    uint64_t tasks_divided;     /* run in pieces */
    uint64_t pieces;            /* of them; devices count each as a task */
    uint64_t preemptions;       /* kernels that were stopped, or held back, for urgent ones */
    uint64_t bytes_spilled;     /* host memory -> the spill folder, before compression */
    uint64_t bytes_reloaded;    /* copied to a node again that had had to let them go */
    uint64_t thrashes;          /* stretches of time in which that took longer than the tasks did */
    uint64_t blocks_planned;    /* of device memory that went to their planned places */
    uint64_t blocks_missed;     /* times that a place was taken and another had to be found */
    uint64_t plans_of_places;   /* that were made, */
    uint64_t plans_reused;      /* and used again for the same sizes and lifetimes */
    uint64_t blocks_stitched;   /* of device memory that are made of several holes */
} fgpu_pool_stats;

typedef struct fgpu_device_stats {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t reserved;
    uint64_t tasks;   /* finished there */
    uint64_t busy_ns; /* measured execution time of tasks and copies, where the device measures */
    uint64_t predicted_ns;
    uint64_t
        open_ns; /* since the device was opened: busy share = busy_ns / (open_ns * queue_count) */
    uint64_t copies;
    uint64_t copy_bytes;
    uint64_t memory_used_bytes;
    uint64_t memory_peak_bytes;
} fgpu_device_stats;

/* [in,out] stats: struct_bytes set by the caller, else FGPU_E_VERSION. A snapshot, consistent in
 * itself: submitted = done + failed + cancelled + pending. Memory of a device is that of its memory
 * node, which other devices may share. Does not block. */
FGPU_API fgpu_status fgpu_pool_get_stats(fgpu_pool pool, fgpu_pool_stats *stats);
FGPU_API fgpu_status fgpu_device_get_stats(fgpu_device device, fgpu_device_stats *stats);

typedef enum fgpu_trace_kind {
    FGPU_TRACE_TASK = 1,  /* a task: submitted at start_ns, ended at end_ns (0: not yet) */
    FGPU_TRACE_RUN,       /* it ran on a queue; a task that was run again has several */
    FGPU_TRACE_COPY,      /* data for it moved from one memory node to another */
    FGPU_TRACE_BUILD,     /* a kernel was compiled */
    FGPU_TRACE_EDGE,      /* `other` waited for `task` */
    FGPU_TRACE_CANDIDATE, /* a queue that was looked at when the task was placed; again each time
                             that it was */
    FGPU_TRACE_EVICT,     /* memory was short */
    FGPU_TRACE_MEMORY,    /* memory in use on a node from now on */
    FGPU_TRACE_LOST       /* a device was lost */
} fgpu_trace_kind;

/* How a task came to the queue where it was placed. */
typedef enum fgpu_placed {
    FGPU_PLACED_POLICY = 1, /* the policy chose among those that are recorded */
    FGPU_PLACED_ONLY,       /* there was no other */
    FGPU_PLACED_PINNED,     /* the caller asked for the device; of its queues the policy chose */
    FGPU_PLACED_CHAINED,    /* right behind the tasks that it waits for, in their queue */
    FGPU_PLACED_STOLEN,     /* a queue with nothing to do took it over from another */
    FGPU_PLACED_PLANNED,    /* where the plan of all pending tasks says */
    FGPU_PLACED_PIECE       /* a piece of a divisible task: its lane's next share of that */
} fgpu_placed;

/* One thing that happened. What a kind does not name in its comment above or here is 0. */
typedef struct fgpu_trace_record {
    uint32_t struct_bytes;      /* sizeof(fgpu_trace_record) of the library */
    uint32_t kind;              /* fgpu_trace_kind */
    fgpu_task task;             /* as submit returned it; zero: none */
    fgpu_task other;            /* EDGE */
    uint64_t start_ns;          /* CLOCK_MONOTONIC; of what has no length, when it happened */
    uint64_t end_ns;            /* the same for what has no length */
    uint64_t ready_ns;          /* TASK: nothing to wait for any more; 0: not known */
    uint64_t predicted_ns;      /* RUN, CANDIDATE: of the run alone (with compiling it, where that
                                   is still to be done); 0: not known */
    uint64_t predicted_wait_ns; /* CANDIDATE: until the queue is free */
    uint64_t predicted_copy_ns; /* CANDIDATE: until the data is there */
    uint64_t bytes;             /* COPY, EVICT, MEMORY */
    uint32_t device;            /* RUN, COPY, BUILD, CANDIDATE, LOST: its index in the pool */
    uint32_t queue;             /* RUN, COPY, CANDIDATE: of that device */
    uint32_t node;              /* EVICT, MEMORY; COPY: from */
    uint32_t node_to;           /* COPY */
    int32_t status;             /* TASK: fgpu_status it ended with */
    uint32_t chosen;            /* CANDIDATE: 1 where the task was placed there; the others that
                                   were looked at follow, the best 15 of them */
    const char *name;           /* TASK, RUN: of the task or its kernel; BUILD: of the kernel;
                                   [borrow] valid during the call only; "" where there is none */
    uint32_t placed;            /* CANDIDATE: fgpu_placed */
    uint32_t reserved;
} fgpu_trace_record;

typedef void (*fgpu_trace_fn)(void *user, const fgpu_trace_record *record);

/* Give every record of the trace to `fn`, on the calling thread, in the order of their ends (tasks
 * that have not ended come last); the pool goes on meanwhile. Of a task whose submission is no
 * longer in the ring there is no TASK. The pool's own tasks (maps, what graphs add) are there too.
 * [in] fn: may call the pool. Errors: FGPU_E_INVAL (fn NULL), FGPU_E_NOMEM. Takes time and memory
 * in proportion to what was traced. */
FGPU_API fgpu_status fgpu_trace_read(fgpu_pool pool, fgpu_trace_fn fn, void *user);

/* Switch tracing on or off. While on, each task leaves some ten events in a ring; the newest are
 * kept, 262144 or as many as the option trace_events of the pool says. Errors: FGPU_E_NOMEM. Does
 * not block. */
FGPU_API fgpu_status fgpu_trace_enable(fgpu_pool pool, bool on);

/* Write what was traced as Chrome / Perfetto trace JSON; tracing goes on. [in] path: replaced as a
 * whole, or left as it was on failure. Errors: FGPU_E_IO with the path and the reason, FGPU_E_INVAL
 * (path NULL or empty), FGPU_E_NOMEM. Blocks on
 * the disk; the pool goes on meanwhile. */
FGPU_API fgpu_status fgpu_trace_write(fgpu_pool pool, const char *path);

/* Write what lies where in the memory of each device (and of the host, the first node) as JSON, for
 * `fastgpu heap`: slabs, and in them the blocks of buffers and pages of small ones. [in] path:
 * replaced as a whole, or left as it was on failure. Errors: as fgpu_trace_write. Blocks on the
 * disk; the pool goes on meanwhile. */
FGPU_API fgpu_status fgpu_heap_write(fgpu_pool pool, const char *path);

#ifdef __cplusplus
}
#endif

#endif
