/* The pool: it owns the devices, takes tasks and runs them.
 *
 * Life: fgpu_pool_open -> create buffers and kernels, submit tasks, wait -> fgpu_pool_close.
 * Several pools may exist in one process. Every function may be called from any thread at any time,
 * except that nothing else may be *started* on a pool once fgpu_pool_close has been called (calls
 * that wait there return FGPU_E_CLOSED or their result). After fork() the child gets FGPU_E_FORKED
 * from every call on a pool that its parent opened, at once and whatever other threads were doing;
 * it may open pools of its own, but not of OpenCL devices where the parent has used OpenCL.
 */
#ifndef FASTGPU_POOL_H
#define FASTGPU_POOL_H

#include <fastgpu/log.h>
#include <fastgpu/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Memory for the pool's own tables. `alloc` returns `bytes` bytes aligned to `align` (a power of
 * two) or NULL. `free` gets the same size. Both may be called from any thread. */
typedef struct fgpu_alloc_hooks {
    void *(*alloc)(void *user, size_t bytes, size_t align);
    void (*free)(void *user, void *ptr, size_t bytes);
    void *user;
} fgpu_alloc_hooks;

/* Options of a pool. Initialise with fgpu_pool_options_init(); zero means the default everywhere
 * but in log_level. Strings are read during fgpu_pool_open() and not kept. */
typedef struct fgpu_pool_options {
    uint32_t struct_bytes; /* sizeof(fgpu_pool_options), set by fgpu_pool_options_init() */
    /* Threads of the `cpu` device, queues of `null` and `sim`; 0: one for each core that this
     * process may use at a time (affinity, control groups; 256 at most), and one queue. More than
     * 1024 is refused, and more than 256 where the cpu device is chosen. */
    uint32_t cpu_workers;
    /* Patterns, comma separated, in any case of letters: "cpu", "opencl", "opencl:0",
     * "opencl:*portable*" (name, vendor or id), "cuda", "cuda:0", "null", "null:2" (two of them),
     * "sim", "all" (all but null and sim), "auto" (every OpenCL device that is found, and cpu);
     * a leading '-' takes away. NULL or "": "auto". */
    const char *devices;
    const char *policy;  /* planners of all pending tasks: "auto" (default), "steal", "heteroprio",
                            "lookahead"; task by task: "eft", "fifo" */
    uint32_t subdevices; /* present each CPU OpenCL device as that many sub-devices; 0, 1: whole */
    uint32_t task_limit; /* pending tasks at most; 0: 4194304 */
    uint64_t device_memory_bytes; /* use at most that much memory of each device that has its own;
                                     0: what it has */
    uint64_t
        host_memory_bytes; /* host memory for replicas at most; 0: no limit but the machine's */
    const char
        *cache_dir; /* built kernels and performance models; NULL: XDG cache folder; "": none */
    const fgpu_alloc_hooks *alloc; /* NULL: the C library. Copied */
    fgpu_log_fn log;               /* NULL: warnings and errors to stderr */
    void *log_user;
    int32_t log_level; /* enum fgpu_log_level; fgpu_pool_options_init() sets FGPU_LOG_WARN */
    uint32_t flags;    /* enum fgpu_pool_flag */
    /* Fault layer on every device, for tests, as "seed=7,submit=20,lose=1@300". In permille: submit
     * (taken in part), alloc (FGPU_E_DEVMEM), build (FGPU_E_BUILD), task (FGPU_E_DEVICE, no
     * effect). lose=D@N: device D is lost after N commands; slow=DxF: it reports everything F times
     * as late; link=DxR: copies between host and D end as over a link of R MB/s in each direction.
     * NULL or "": none. */
    const char *faults;
    uint64_t seed; /* seed of whatever is random in this pool (the sim device, the fault layer) */
    /* Events that a trace keeps: the newest ones. A task leaves some ten, of 40 bytes each. 0:
     * 262144; rounded up to a power of two; at most 16777216. */
    uint32_t trace_events;
    uint32_t log_format; /* enum fgpu_log_format, for log_file and stderr */
    /* Log lines are appended there, each as soon as it is whole. NULL or "": stderr. Not opened
     * where `log` is set. */
    const char *log_file;
    /* fgpu_objective: LATENCY with the policy "auto" only; ENERGY and EDP are FGPU_E_UNSUPPORTED,
     * for the power of real devices is read by fgpu_device_get_sample() at most, and not known for
     * each kernel. Simulations take all of them. */
    uint32_t objective;
    uint32_t preempt;        /* fgpu_pool_preempt: how running work makes way for tasks of the class
                                interactive */
    uint32_t spill_compress; /* fgpu_pool_spill_compress: how data in that folder get smaller */
    /* A folder that takes what does not fit into host_memory_bytes, in a file that has no name
     * there and goes with the pool; compressed where that pays and liblz4.so.1 or libzstd.so.1 is
     * found. NULL or "": none. FGPU_E_IO where no file can be made. */
    const char *spill_dir;
    uint64_t spill_bytes; /* data that may lie there at most; 0: what the file system takes */
} fgpu_pool_options;

/* Only kernels of the other classes are stopped, in pools whose tasks have terms. A kernel whose
 * text or device does not allow the guard is sliced, and where it cannot be sliced it runs whole.
 */
typedef enum fgpu_pool_preempt {
    FGPU_POOL_PREEMPT_AUTO = 0,   /* the best way that the device and the kernel allow */
    FGPU_POOL_PREEMPT_OFF = 1,    /* whole launches */
    FGPU_POOL_PREEMPT_SLICES = 2, /* short launches of some work groups, one after the other */
    FGPU_POOL_PREEMPT_GUARD = 3   /* a flag stops a launch between two work groups */
} fgpu_pool_preempt;

/* A sample of 64 KiB must get an eighth smaller, or the data go as they are, but for a flag instead
 * of what is zero. What a library that is not found would do is not done. */
typedef enum fgpu_pool_spill_compress {
    FGPU_POOL_SPILL_AUTO = 0, /* LZ4; Zstandard where the folder is so slow that this ends sooner */
    FGPU_POOL_SPILL_LZ4 = 1,
    FGPU_POOL_SPILL_ZSTD = 2,
    FGPU_POOL_SPILL_OFF = 3
} fgpu_pool_spill_compress;

enum fgpu_pool_flag {
    FGPU_POOL_NOWAIT = 1,   /* submit returns FGPU_E_AGAIN at the task limit instead of waiting */
    FGPU_POOL_VALIDATE = 2, /* put the validate layer on every device: checks each command */
    FGPU_POOL_REPRODUCIBLE =
        4,               /* fix variant, pieces and placement, so that results repeat bit for bit */
    FGPU_POOL_TRACE = 8, /* trace from the start */
    FGPU_POOL_PREIMAGE = 16,  /* keep a copy of read-write data of started tasks, so that they
                                 survive a device's death */
    FGPU_POOL_NOMEMWAIT = 32, /* a task for whose data there is no host memory fails at once with
                                 FGPU_E_DEVMEM instead of waiting for what others hold */
    FGPU_POOL_CHECKSUM = 64 /* for tests: data that lie in host memory, where there are devices with
                               memory of their own or a spill folder, are summed up again and again,
                               and must not have changed unless a task wrote them; what has is told
                               of, and ends the process. Slow */
};

/* Fill `options` with the defaults. [out] options. Thread: any. */
FGPU_API void fgpu_pool_options_init(fgpu_pool_options *options);

/* Read options from text: "key=value; key=value"; items end at ';' or the end of a line, blanks
 * around keys and values do not count, the last of two equal keys wins. Keys: devices policy
 * workers subdevices tasks device-memory host-memory spill spill-limit spill-compress cache log
 * log-format log-file validate reproducible trace trace-events nowait nomemwait preimage checksum
 * faults seed objective preempt. Sizes are bytes or a number of KiB MiB GiB; spill takes a folder,
 * spill-compress auto, lz4, zstd or off; log takes a level's name or number, log-format text or
 * json, objective makespan, latency, energy or edp, preempt auto, off, slices or guard; validate,
 * reproducible, trace, nowait, nomemwait, preimage and checksum take on off yes no 1 0, or nothing
 * for on. [in] text, NUL terminated. [in,out] options: only the keys named change, and nothing on
 * failure. Strings stay owned by a thread-local copy (4096 bytes) that lives until the thread's
 * next call of this function with other options; a call with the same `options` keeps those it had.
 * Errors: FGPU_E_INVAL with the key, the value and what it takes, FGPU_E_LIMIT (more than 4095
 * bytes), FGPU_E_VERSION (struct_bytes). Does not block. */
FGPU_API fgpu_status fgpu_pool_options_parse(const char *text, fgpu_pool_options *options);

/* Open a pool.
 * [in] options: NULL for the defaults. [out] pool.
 * Blocks while devices are probed (milliseconds; the first OpenCL use in a process may take a
 * second). Errors: FGPU_E_INVAL, FGPU_E_VERSION (struct_bytes), FGPU_E_NODEVICE (the text lists
 * what was found and why others were not usable), FGPU_E_NOMEM, FGPU_E_LIMIT (1024 pools at once,
 * 63 devices in one), FGPU_E_IO (log_file cannot be opened), FGPU_E_SYSTEM. */
FGPU_API fgpu_status fgpu_pool_open(const fgpu_pool_options *options, fgpu_pool *pool);

/* The same from text; see fgpu_pool_options_parse(). text NULL or "": the defaults. */
FGPU_API fgpu_status fgpu_pool_open_text(const char *text, fgpu_pool *pool);

/* Wait for all tasks, then free the pool and everything in it. Buffers made from host pointers get
 * their data back first; what is still mapped is unmapped. Blocks. Returns FGPU_OK, or the status
 * of the earliest task that has failed since the last fgpu_pool_wait() and was not forgotten, or of
 * data that did not come back, as there (the pool is closed all the same); FGPU_E_BUSY in a task's
 * own function or a callback, and
 * FGPU_E_CLOSED or FGPU_E_STALE when another call closes it or has closed it (nothing is done
 * then). A zero handle is accepted and does nothing. */
FGPU_API fgpu_status fgpu_pool_close(fgpu_pool pool);

/* Wait until no task is left: all are done, failed or cancelled, those too that other threads
 * submit meanwhile, and their completion callbacks have returned. Mappings are not waited for. [in]
 * timeout_ns: nanoseconds; 0 asks without blocking; FGPU_FOREVER waits. Returns FGPU_OK,
 * FGPU_E_TIMEOUT, or the status of the earliest task that has failed since the last call of this
 * function and was not forgotten (fgpu_last_error() names it and its root cause). Where no task has
 * failed, but data that were lost with a device did not come back to the caller's memory of a
 * buffer that is destroyed: FGPU_E_POISONED, once, with the buffer's name. Must not be called from
 * a task's own function or a callback (FGPU_E_BUSY, whatever the time-out). */
FGPU_API fgpu_status fgpu_pool_wait(fgpu_pool pool, uint64_t timeout_ns);

/* Host memory that devices can copy from and to at full speed, and share where they can, aligned to
 * 4096 bytes. [in] bytes: 1 or more. Returns NULL for 0 and when memory is exhausted
 * (fgpu_last_error() says which). Free with fgpu_host_free() only. Thread: any. */
FGPU_API void *fgpu_host_alloc(size_t bytes);

/* Free memory from fgpu_host_alloc(). NULL is accepted. No buffer may still use it. */
FGPU_API void fgpu_host_free(void *ptr);

#ifdef __cplusplus
}
#endif

#endif
