/* To IMPLEMENT a device. (To use FastGPU: fastgpu/fastgpu.h.)
 *
 * A device is a table of about a dozen functions that move bytes and run code when told to. It
 * knows nothing of tasks, decides nothing, prints nothing, never aborts and never calls back,
 * except that it rings the doorbell. Copy src/dev/null/ to start.
 *
 * Threads: for one device the pool calls probe, open, close, mem_* and queue_* from one thread at a
 * time; code_build and code_free from a build thread at the same time as anything else; submit and
 * poll of one queue from one thread at a time (not always the same one), of different queues at the
 * same time. sample from any thread.
 *
 * Queues: in order. Commands are numbered 1, 2, 3, ... per queue in the order of acceptance. poll
 * gives the newest number such that it and all before it are finished. After an error the queue
 * stops: poll returns the error for ever and numbers beyond the one it reports never count. Memory
 * effects of finished commands are visible to whoever polled.
 */
#ifndef FASTGPU_BACKEND_H
#define FASTGPU_BACKEND_H

#include <fastgpu/device.h>
#include <fastgpu/kernel.h>
#include <fastgpu/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FGPU_BACKEND_VERSION 1

/* The backend's names for an allocation and for built code; 0 is none. On devices that work in host
 * memory (caps.host_memory) an fgpu_mem is the address itself, also for memory that the device
 * never allocated. */
typedef uint64_t fgpu_mem;
typedef uint64_t fgpu_code;

/* The backend's name for the progress of a launch that can be stopped: which groups of its grid are
 * done, and whether it is to stop. */
typedef uint64_t fgpu_guard;

/* Rung by a device when a command with FGPU_CMD_NOTIFY, or the last command of a queue, has
 * finished, and on any error. ring() may be called from any thread, does not block and may be
 * called too often. */
typedef struct fgpu_doorbell {
    void (*ring)(void *arg);
    void *arg;
} fgpu_doorbell;

/* ---- command records -------------------------------------------------------------------- */

typedef enum fgpu_cmd_kind {
    FGPU_CMD_LAUNCH = 1, /* body: fgpu_cmd_launch */
    FGPU_CMD_COPY = 2,   /* body: fgpu_cmd_copy */
    FGPU_CMD_FILL = 3,   /* body: fgpu_cmd_fill */
    FGPU_CMD_HOST = 4,   /* body: fgpu_cmd_host; devices with caps.host_calls only */
    FGPU_CMD_FENCE =
        5, /* body: fgpu_cmd_result alone; ends the skipping after a failed command (see CHAINED) */
    FGPU_CMD_BATCH = 6 /* body: fgpu_cmd_batch; devices with caps.batches only */
} fgpu_cmd_kind;

enum fgpu_cmd_flag {
    FGPU_CMD_NOTIFY = 1, /* ring the doorbell when it has finished */
    FGPU_CMD_TIMED = 2,  /* fill start_ns and end_ns if the device can */
    /* The command uses what an earlier command of this queue produces, which was not known to have
     * succeeded when this one was submitted. After a command has finished with a status other than
     * FGPU_OK, the device skips commands with this flag (status FGPU_E_CANCELLED, no effect) until
     * the next FGPU_CMD_FENCE. */
    FGPU_CMD_CHAINED = 4,
    /* On the last command of a call: more will follow soon and nobody waits, so a device that is
     * idle may leave them for a tenth of a millisecond, or until submit is called without LAZY. */
    FGPU_CMD_LAZY = 8
};

/* Head of every body. The device fills it before poll reports the command's number. */
typedef struct fgpu_cmd_result {
    int32_t status;    /* FGPU_OK, or the failure of this command alone: the queue goes on */
    uint32_t timed;    /* start_ns and end_ns are valid */
    uint64_t start_ns; /* device time of the start and the end; only differences are used between
                          devices */
    uint64_t end_ns;
} fgpu_cmd_result;

/* One kernel argument, resolved. */
typedef struct fgpu_cmd_arg {
    uint32_t kind; /* fgpu_arg_kind */
    uint32_t reserved;
    uint64_t
        size_bytes; /* BUFFER: bytes from offset on that may be touched; SCALAR, LOCAL: its size */
    union {
        struct {
            fgpu_mem mem;
            uint64_t offset_bytes;
        } buffer;
        const void *value; /* SCALAR */
    } u;
} fgpu_cmd_arg;

enum fgpu_launch_part { FGPU_LAUNCH_WHOLE = 0, FGPU_LAUNCH_PART = 1, FGPU_LAUNCH_SLICE = 2 };

typedef struct fgpu_cmd_launch {
    fgpu_cmd_result result;
    fgpu_code code;
    const fgpu_cmd_arg *args;
    uint32_t arg_count;
    uint16_t dims;
    uint16_t part; /* FGPU_LAUNCH_PART: this is the head of an fgpu_cmd_part; devices with
                      caps.parts only. FGPU_LAUNCH_SLICE: of an fgpu_cmd_slice; caps.slices */
    uint64_t global[3];
    uint32_t local[3];
    uint32_t width; /* compute units to use at most; 0: all */
} fgpu_cmd_launch;

/* Some work groups of a grid: launch.global[dims - 1] items of its last dimension, from item
 * `first` on, which is a multiple of launch.local[dims - 1]. Global ids count from `first`; a
 * native function sees the shape of the whole grid. Arguments are those of the whole launch. */
typedef struct fgpu_cmd_part {
    fgpu_cmd_launch launch;
    uint64_t first;
    uint64_t whole; /* items of the last dimension in the whole grid */
} fgpu_cmd_part;

/* The work groups first <= g < first + count of a grid in linear order (dimension 0 fastest);
 * `launch` describes the whole grid, with a work-group size that divides it, of at most 2^31
 * groups. Its code was built in the form SLICED, or GUARDED where there is a guard (native
 * functions: any). With a guard, groups that it knows as done are skipped, and once it is told to
 * stop no further group begins: then the command ends within about one group's time, with status
 * FGPU_OK. */
typedef struct fgpu_cmd_slice {
    fgpu_cmd_launch launch;
    uint64_t first;
    uint64_t count;   /* > 0 */
    fgpu_guard guard; /* 0: none; all of the range runs */
    uint64_t left;    /* [out] with a guard: groups of the range that have not run yet */
} fgpu_cmd_slice;

/* Copy of a 2-D region. On a device with its own memory one side may be host memory (mem is then
 * the address). */
typedef struct fgpu_cmd_copy {
    fgpu_cmd_result result;
    fgpu_mem src, dst;
    uint32_t src_is_host, dst_is_host;
    uint64_t src_offset_bytes, dst_offset_bytes;
    uint64_t src_pitch_bytes, dst_pitch_bytes;
    uint64_t row_bytes, rows;
} fgpu_cmd_copy;

typedef struct fgpu_cmd_fill {
    fgpu_cmd_result result;
    fgpu_mem mem;
    uint64_t offset_bytes, pitch_bytes, row_bytes, rows;
    uint32_t pattern_bytes; /* 1, 2, 4, 8, 16 */
    uint32_t reserved;
    uint8_t pattern[16];
} fgpu_cmd_fill;

/* Call fn(args, user) once on one of the device's threads; a value other than 0 is FGPU_E_TASK. */
typedef struct fgpu_cmd_host {
    fgpu_cmd_result result;
    int (*fn)(void *const *args, void *user);
    void *user;
    void *const *args;
} fgpu_cmd_host;

/* [borrow] body: valid and unmoved until the command's number has been reported. */
typedef struct fgpu_cmd {
    uint32_t kind;
    uint32_t flags;
    void *body;
} fgpu_cmd;

/* Several commands as one: as if each had been submitted, in their order, but that they have one
 * number and one result, and that the first failure ends the whole. They are launches, copies and
 * fills; their flags are 0, and their own results need not be written. */
typedef struct fgpu_cmd_batch {
    fgpu_cmd_result result; /* FGPU_OK, or the failure of cmds[done]: those behind it did not run */
    const fgpu_cmd *cmds;   /* [borrow] as the body, with all bodies */
    uint32_t count;         /* may be 0 */
    /* [out] 0 at submit. That many from the first have succeeded; at most that many may have had an
     * effect. Right when the number was reported; when the queue was closed before, `done` may be
     * too small and `begun` too large. */
    uint32_t done;
    uint32_t begun;
    uint32_t reserved;
} fgpu_cmd_batch;

/* ---- code ------------------------------------------------------------------------------- */

typedef enum fgpu_variant_kind {
    FGPU_VARIANT_OPENCL = 1,
    FGPU_VARIANT_NATIVE = 2,
    FGPU_VARIANT_CUDA = 3
} fgpu_variant_kind;

/* What the code will be launched as. Other forms than WHOLE: on devices with caps.slices; OpenCL C
 * is rewritten for it, or refused (FGPU_E_UNSUPPORTED, with line and reason). */
typedef enum fgpu_code_form {
    FGPU_FORM_WHOLE = 0,  /* whole grids, and parts (fgpu_cmd_part) */
    FGPU_FORM_SLICED = 1, /* fgpu_cmd_slice without a guard */
    FGPU_FORM_GUARDED = 2 /* fgpu_cmd_slice with a guard */
} fgpu_code_form;

/* What to build. */
typedef struct fgpu_code_source {
    uint32_t kind; /* fgpu_variant_kind */
    uint32_t arg_count;
    const char *text; /* OPENCL, CUDA */
    const char *entry;
    const char *options; /* never NULL */
    fgpu_native_fn native;
    void *native_user;
    const char *cache_dir; /* folder for built code, exists; NULL: none */
    uint32_t form;         /* fgpu_code_form */
    uint32_t reserved;
} fgpu_code_source;

/* What came of it. [give] log: malloc'ed or NULL; the caller frees it. */
typedef struct fgpu_code_built {
    fgpu_code code;
    char *log;
    uint32_t cached;            /* it came from the cache on disk */
    uint32_t required_local[3]; /* work-group size that the code insists on; 0: none */
    uint32_t max_group_items;   /* 0: the device's */
    uint32_t reserved;
} fgpu_code_built;

/* A part of an allocation, for mem_stitch. */
typedef struct fgpu_mem_piece {
    fgpu_mem mem;
    uint64_t offset_bytes, bytes; /* multiples of caps.stitch_bytes */
} fgpu_mem_piece;

/* ---- the table -------------------------------------------------------------------------- */

/* Options handed to probe and open; the same struct for all backends. */
typedef struct fgpu_backend_options {
    uint32_t cpu_workers;  /* cpu, null, sim: queues; 0: one for each usable core */
    uint32_t subdevices;   /* opencl: split CPU devices into that many */
    uint64_t seed;         /* sim */
    uint64_t memory_bytes; /* 0: what the device has */
} fgpu_backend_options;

/* What a device can do. Constant after open. */
typedef struct fgpu_device_caps {
    uint32_t struct_bytes;
    uint32_t queue_count; /* queues that run in parallel; the pool opens that many */
    uint32_t variants;    /* bit (1 << fgpu_variant_kind) for each that code_build takes */
    uint32_t host_memory; /* works on host addresses directly: shares memory node 0 */
    uint32_t host_calls;  /* takes FGPU_CMD_HOST */
    uint32_t suballocate; /* arguments may start anywhere in an allocation (else: one mem for each
                             buffer) */
    uint32_t offset_align_bytes; /* argument offsets must be multiples of it; 1: any */
    uint32_t max_group_items;
    uint32_t max_queue_commands; /* commands in flight at most in one queue */
    uint32_t resource_group; /* devices of one machine with equal values share cores: 0 = the host's
                                cores, else own */
    uint32_t copy_queue_count; /* of queue_count, the last ones: the pool gives them copies and
                                  fills only, and the others only short ones between memories; 0:
                                  all take all */
    uint32_t parts;            /* takes launches of a part of a grid (fgpu_cmd_part) */
    uint32_t batches;          /* takes FGPU_CMD_BATCH */
    uint64_t memory_bytes;
    uint64_t memory_max_alloc_bytes;
    uint32_t slices;           /* takes fgpu_cmd_slice: the table has guard_* and code_warm */
    uint32_t reserved;         /* whether guards stop a running launch: live_flag in the table */
    uint32_t side_queue_count; /* of queue_count, the last ones: the pool gives them tasks that do
                                  not fill the device, beside what the others run. Not together
                                  with copy_queue_count */
    uint32_t fill_groups;      /* work groups that fill the device; 0: not known */
    uint32_t host_pins;        /* the table has host_pin and host_unpin */
    uint32_t reserved2;
    uint64_t stitch_bytes; /* the table has mem_stitch, for pieces that begin at multiples of it
                              and are multiples of it: a power of two above 4096; 0: none */
} fgpu_device_caps;

typedef struct fgpu_backend {
    uint32_t struct_bytes;
    uint32_t version; /* FGPU_BACKEND_VERSION */
    const char *name; /* "null", "cpu", ... lower case */

    /* Fill infos[0..capacity) and set *count to what exists (may exceed capacity). A missing driver
     * is FGPU_E_NODEVICE with a text in `why` naming what is missing; it is no failure of the pool.
     */
    fgpu_status (*probe)(const fgpu_backend_options *options, fgpu_device_info *infos,
                         uint32_t capacity, uint32_t *count, char *why, size_t why_bytes);
    /* Open device `index` of the probe order. [borrow] bell until close. [give] device. */
    fgpu_status (*open)(const fgpu_backend_options *options, uint32_t index,
                        const fgpu_doorbell *bell, void **device);
    void (*close)(void *device); /* all queues closed, all memory and code freed before */
    void (*caps)(void *device, fgpu_device_caps *caps);

    fgpu_status (*mem_alloc)(void *device, uint64_t bytes, fgpu_mem *mem);
    void (*mem_free)(void *device, fgpu_mem mem);

    fgpu_status (*code_build)(void *device, const fgpu_code_source *source, fgpu_code_built *built);
    void (*code_free)(void *device, fgpu_code code);

    fgpu_status (*queue_open)(void *device, uint32_t index, void **queue);
    void (*queue_close)(
        void *queue); /* waits for what is in flight; never hangs on a lost device */
    /* Accept a prefix of cmds. Returns how many; *last is the number of the newest accepted so far.
     * An error of the queue is told by poll. Without commands (count 0): what FGPU_CMD_LAZY has let
     * lie is to begin now. */
    uint32_t (*submit)(void *queue, const fgpu_cmd *cmds, uint32_t count, uint64_t *last);
    fgpu_status (*poll)(void *queue, uint64_t *number);

    /* Optional (NULL): live reading; why the device was lost (copied into text). */
    fgpu_status (*sample)(void *device, fgpu_device_sample *sample);
    void (*reason)(void *device, char *text, size_t text_bytes);

    /* Devices with caps.slices, else NULL: launches that can be stopped between work groups.
     * guard_open: for a grid of `groups`, none of them done, not to stop; FGPU_E_UNSUPPORTED where
     * live_flag says 0, which it asks. guard_close: no launch with it is in flight. Both are called
     * like mem_*. */
    fgpu_status (*guard_open)(void *device, uint64_t groups, fgpu_guard *guard);
    void (*guard_close)(void *device, fgpu_guard guard);
    /* Stop (1), or let launches run (0). Any thread at any time; one store, does not block. */
    void (*guard_stop)(void *device, fgpu_guard guard, uint32_t stop);
    /* Groups of [first, first + count) that have not run. Exact when no launch with the guard is in
     * flight; before that some that are said to have run may still be running, and some that have
     * run may not be known. Any thread. */
    uint64_t (*guard_left)(void *device, fgpu_guard guard, uint64_t first, uint64_t count);
    /* Does a kernel that runs see what the host stores (FGPU_OK with *live 0 or 1)? Tried once for
     * a device in a process, with a small kernel: may take a second, when the device is idle; an
     * error where the trial could not be made. Build thread. */
    fgpu_status (*live_flag)(void *device, uint32_t *live);
    /* Makes sure that launches like this one (its code, its work-group size) compile nothing when
     * they begin: nothing of it runs. Blocks. Build thread. FGPU_E_INVAL where the device does not
     * take that work-group size in that form. [in] launch: code of a form other than WHOLE;
     * arguments that are valid for it, whose memory nobody frees meanwhile. */
    fgpu_status (*code_warm)(void *device, const fgpu_cmd_launch *launch);

    /* Devices with caps.host_pins, else NULL: host memory that copies of all devices of the kind
     * use without a detour from then on. An error: they take the detour. host_unpin: with the
     * address that was pinned, when no copy of it is in flight; an error means that the device may
     * still use the memory, which must never be freed then. May block. One thread at a time, at the
     * same time as anything else. */
    fgpu_status (*host_pin)(void *device, void *memory, uint64_t bytes);
    fgpu_status (*host_unpin)(void *device, void *memory);

    /* Devices with caps.stitch_bytes, else NULL: one more name for pieces of allocations, side by
     * side in their order, and as long as they are together. No data move, and the old names stay:
     * what a finished command has written by one name is read by the other. Nobody uses a piece by
     * its old name while the new one is in use. Commands take *mem like an allocation; mem_free
     * takes the name away and nothing else, and is called before that of the allocations. May be
     * called while other memory is in use; called like mem_*. FGPU_E_DEVMEM: not now. The caller
     * keeps `pieces`.
     * With CUDA's virtual memory: mem_alloc reserves addresses (cuMemAddressReserve) and maps one
     * handle of cuMemCreate for each stitch_bytes (the granularity of the allocation), because
     * cuMemMap takes handles as a whole; mem_stitch reserves addresses for the sum, maps the
     * handles of the pieces there once more, and allows access; mem_free unmaps and gives the
     * addresses back, and of an allocation also the handles. */
    fgpu_status (*mem_stitch)(void *device, const fgpu_mem_piece *pieces, uint32_t count,
                              fgpu_mem *mem);
} fgpu_backend;

/* Make a backend known to pools opened later in this process. [borrow] backend for ever. Errors:
 * FGPU_E_VERSION, FGPU_E_INVAL (a name that exists, a missing function), FGPU_E_LIMIT (16). Thread:
 * any. */
FGPU_API fgpu_status fgpu_backend_register(const fgpu_backend *backend);

#ifdef __cplusplus
}
#endif

#endif
