/* Every limit of the library, each with the reason for its size. Past a limit the pool pushes back.
 *
 * Powers of two where an index is cut out of a handle or a ring is masked.
 */
#ifndef FASTGPU_BASE_LIMITS_H
#define FASTGPU_BASE_LIMITS_H

/* Objects. */
#define LIMITS_POOLS 1024             /* open at once in a process: 10 bits of a handle */
#define LIMITS_TASKS (1u << 22)       /* unfinished per pool: about 1 GiB of task records */
#define LIMITS_BUFFERS (1u << 20)     /* per pool: 20 bits of a handle */
#define LIMITS_KERNELS 65536u         /* per pool: generated code makes thousands, not more */
#define LIMITS_GRAPHS 65536u          /* per pool: recorded graphs kept for replay */
#define LIMITS_GRAPH_NODES (1u << 20) /* per recorded graph: a quarter of the task table */
#define LIMITS_DEVICES 64             /* per pool: a set of devices is one 64-bit word */
#define LIMITS_NODES 64               /* memory nodes per pool: a set is one 64-bit word */
#define LIMITS_LANES 65000u           /* queues of all devices together: 16 bits of a task */
#define LIMITS_SIMULATED 21000u       /* devices of one simulation: three queues each */
#define LIMITS_BLOCKS (1u << 24)      /* of buffers in a simulation, beside the host's: 1.2 GiB */
#define LIMITS_TENANTS 256            /* clients of one pool: fair shares stay meaningful */
#define LIMITS_BACKENDS 16            /* registered beside the built-in ones: one word in the API */
#define LIMITS_CPU_WORKERS 256        /* threads of one CPU device: a quarter of the lanes */
#define LIMITS_VARIANTS 16            /* per kernel: some languages times some versions */

#define LIMITS_OPS (1u << 20)   /* copies in flight per pool: 31 bits of a ring entry */
#define LIMITS_REDUCE_PARTS 64u /* arrays that tasks reduce into beside the buffer's: combining */
                                /* them is work, too */
#define LIMITS_LINEAGE 1024u    /* finished tasks that could be run again: half a MiB of records */

/* One task. */
#define LIMITS_KERNEL_ARGS 64    /* OpenCL grants 1024 bytes: 64 arguments of 16 bytes */
#define LIMITS_SCALAR_BYTES 4096 /* all scalar arguments together: CUDA's parameter space */
#define LIMITS_ACCESSES 64       /* ranges of buffers that one task names: one per argument */
#define LIMITS_DEPS 4096         /* explicit dependencies in one call: a barrier covers more */
#define LIMITS_DIMS 3            /* grid dimensions: OpenCL and CUDA have three */

/* Text. */
#define LIMITS_SOURCE_BYTES (16u << 20) /* one program text: generated kernels reach a few MiB */
#define LIMITS_NAME_BYTES 64            /* name of an object with its NUL: fits a trace record */
#define LIMITS_ERROR_TEXT 512           /* last-error sentence with its NUL: a few lines */
#define LIMITS_LOG_TEXT 1024            /* log line with its NUL: a sentence and some numbers */

/* Reading OpenCL C (src/code/). */
#define LIMITS_CODE_TOKENS (1u << 23) /* after macros: 16 MiB at 2 bytes a token */
#define LIMITS_CODE_STEPS (1u << 25)  /* tokens its macros may move: a second at most */
#define LIMITS_CODE_DEPTH 200u        /* nesting of any kind: fits a small stack */
#define LIMITS_CODE_MEMBERS 1024u     /* of one struct that are looked through by name */
#define LIMITS_CODE_OVERLOADS 32u     /* functions of one name */

#define LIMITS_BINARY_BYTES (256u << 20) /* one cached program, of any device */

/* CUDA devices (src/dev/cuda/). */
#define LIMITS_CUDA_COMMANDS 256u                  /* in flight in one queue: a power of two */
#define LIMITS_CUDA_CALLS 640u                     /* of the driver, in flight in one queue: it */
                                                   /* blocks at 1024 */
#define LIMITS_CUDA_BLOCK_Z 64u                    /* items of a group in the third dimension */
#define LIMITS_CUDA_PIECES 128u                    /* driver calls of one, with others in flight */
#define LIMITS_CUDA_STAGE_BYTES (4u << 20)         /* pinned, for each queue that needs it */
#define LIMITS_CUDA_GATHER 128u                    /* small copies as one, at most, */
#define LIMITS_CUDA_GATHER_LEAST 4u                /* at least, */
#define LIMITS_CUDA_GATHER_BYTES (64u << 10)       /* and bytes of each, at most */
#define LIMITS_CUDA_PINNED_PAGES 256u              /* of 4 KiB, for a device's guards */
#define LIMITS_CUDA_TRIES 20u                      /* 1 ms apart, of a command without room */
#define LIMITS_CUDA_GIVEN_UP 3u                    /* such commands in a row: a broken device */
#define LIMITS_CUDA_WAIT_NS UINT64_C(10000000000)  /* for an allocation to settle */
#define LIMITS_CUDA_DRAIN_NS UINT64_C(30000000000) /* closing, while no command ends */
#define LIMITS_CUDA_LOST_NS UINT64_C(1000000000)   /* closing a queue that has failed */

/* OpenCL devices (src/dev/opencl/). */
#define LIMITS_OPENCL_COMMANDS 4096u                 /* in flight in one queue: a power of two */
#define LIMITS_OPENCL_VIEWS 256u                     /* of one buffer: 64 arguments, 4 queues */
#define LIMITS_OPENCL_STAGE_BYTES (4u << 20)         /* of packed rows: host and device, a queue */
#define LIMITS_OPENCL_GATHER_BYTES (32u << 10)       /* of a copy that is gathered with others */
#define LIMITS_OPENCL_GATHER_ROWS 4096u              /* of all of them */
#define LIMITS_OPENCL_GATHER_LEAST 4u                /* fewer are not worth it */
#define LIMITS_OPENCL_TRIES 20u                      /* 1 ms apart, of a command without room */
#define LIMITS_OPENCL_GIVEN_UP 3u                    /* such commands in a row: a broken device */
#define LIMITS_OPENCL_WAIT_NS UINT64_C(10000000000)  /* for an allocation to settle */
#define LIMITS_OPENCL_WARM_NS UINT64_C(120000000000) /* compiling ahead */
#define LIMITS_OPENCL_DRAIN_NS UINT64_C(30000000000) /* closing, while no command ends */
#define LIMITS_OPENCL_LOST_NS UINT64_C(1000000000)   /* closing a queue that has failed */
#define LIMITS_OPENCL_GRACE_NS UINT64_C(50000000)    /* ... for what no event tells of */

/* Models and traces. */
#define LIMITS_HISTORY_ENTRIES 65536u       /* kernels x devices x sizes: 6 MiB */
#define LIMITS_HISTORY_IDLE 200u            /* processes in a row that did not measure: forgotten */
#define LIMITS_TRACE_EVENTS 262144u         /* a power of two: 10 MiB, a second of a busy pool */
#define LIMITS_TRACE_EVENTS_MOST (1u << 24) /* with the option: 640 MiB, a million tasks */
#define LIMITS_TRACE_NAMES 262144u          /* each of 100,000 tasks may have its own: 16 MiB */

/* Machine descriptions (src/machine/). */
#define LIMITS_MACHINE_TEXT_BYTES (64u << 20) /* a million costs at 64 bytes a line */
#define LIMITS_MACHINE_LINE_BYTES 4096u       /* one line: a note, or the links of a route */
#define LIMITS_MACHINE_NOTE_BYTES 1024u       /* one note with its NUL */
#define LIMITS_MACHINE_NOTES 1024u            /* a page of reasons */
#define LIMITS_MACHINE_CLASSES 4096u          /* alike devices are one class */
#define LIMITS_MACHINE_DEVICES (1u << 20)     /* a hundred times the largest that is simulated */
#define LIMITS_MACHINE_UNITS (1u << 20)       /* groups at once: ten for each lane of the largest */
#define LIMITS_MACHINE_LINKS 65536u           /* a measured one for each pair of 256 devices */
#define LIMITS_MACHINE_INSTANCES (1u << 24)   /* sixteen for each device */
#define LIMITS_MACHINE_ROUTES (1u << 20)      /* all pairs of 1,000 classes */
#define LIMITS_MACHINE_HOPS (1u << 22)        /* of all routes: four each */
#define LIMITS_MACHINE_KERNELS 4096u          /* programs have dozens */
#define LIMITS_MACHINE_COSTS (1u << 20)       /* kernels x classes x sizes: 48 MiB */

/* Waiting. */
#define LIMITS_SPIN_NS 50000u     /* at most 50 us: an idle pool costs <= 1 % of a core */
#define LIMITS_LOCK_SPIN_NS 2000u /* a holder that takes longer has probably been preempted */

/* Machinery. */
#define LIMITS_CACHE_LINE 64                /* bytes two threads must not share (x86-64, AArch64) */
#define LIMITS_ASSERT_HOOKS 16              /* dump hooks: the first 16 pools have one */
#define LIMITS_TABLE_CHUNK 1024u            /* items: one allocation per 1024 tasks of warm-up */
#define LIMITS_TABLE_CHUNK_BYTES (1u << 20) /* fewer items when large: zero 1 MiB at most */
#define LIMITS_SPSC_ITEMS (1u << 24)        /* in one ring: far above any queue's budget */

#endif
