/*
 * What the files of the fake OpenCL library share: its objects, commands and the calls between
 * files.
 *
 * The library plays both loader and driver, so that tests meet a discrete, asynchronous and faulty
 * GPU on any machine. Rules: one lock (state.c) guards every object; an entry point takes it,
 * checks its arguments, does its work and releases it; only the execution of a command and the
 * running of callbacks and compilers happen without it. Functions declared here expect the lock to
 * be held unless their comment says otherwise. The names of handles (struct _cl_mem ...) are those
 * that CL/cl.h declares.
 */
#ifndef FASTGPU_FAKEICD_INTERNAL_H
#define FASTGPU_FAKEICD_INTERNAL_H

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#include <CL/cl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fakecl.h"

#define FAKECL_API __attribute__((visibility("default")))

enum {
    NODE_HOST = FAKECL_MAX_DEVICES, /* pseudo node: initial contents, not charged to a device */
    NODE_COUNT = FAKECL_MAX_DEVICES + 1,
    WORKER_COUNT = 64,
    GROUP_SIZE_MAX = 256,
    LOCAL_BYTES = 32768,
    ARG_COUNT_MAX = 64,
    NAME_BYTES = 128
};

#pragma GCC visibility push(hidden)

/* ---- objects (object.c) ---- */

enum object_type {
    OBJECT_PLATFORM,
    OBJECT_DEVICE,
    OBJECT_CONTEXT,
    OBJECT_QUEUE,
    OBJECT_MEM,
    OBJECT_PROGRAM,
    OBJECT_KERNEL,
    OBJECT_EVENT,
    OBJECT_TYPE_COUNT
};

struct object {
    uint64_t magic; /* says the type, and live or dead */
    enum object_type type;
    cl_uint api_refs; /* what the user holds: clRetain... and clRelease... */
    cl_uint refs;     /* what keeps the memory: one for the user, one for each internal holder */
    struct object *bucket_next;
    struct object *grave_next;
};

void object_init(struct object *object, enum object_type type);
bool object_check(const void *handle, enum object_type type);
void object_hold(struct object *object);
void object_drop(struct object *object);
cl_int object_api_retain(void *handle, enum object_type type, cl_int error);
cl_int object_api_release(void *handle, enum object_type type, cl_int error);
uint64_t object_live_count(enum object_type type);
void object_bury_all(void);

/* ---- shared state, settings, misuse (state.c) ---- */

struct config {
    long devices, seed, memory, max_alloc, lazy, delay_us, fail_enqueue, fail_alloc, fail_build;
    long lose_after, lose_device, unified, align, units, strict, platform_error, devices_error;
};

struct callback {
    struct callback *next;
    cl_int trigger; /* status at which it is due */
    void(CL_CALLBACK *event_fn)(cl_event, cl_int, void *);
    void(CL_CALLBACK *mem_fn)(cl_mem, void *);
    void *user;
    cl_event event; /* held until the callback has run */
    cl_mem mem;
    cl_int status;
};

/* A thread that blocks; begins as zero. */
struct waiter {
    uint64_t seen; /* changes counted when it last looked */
    cl_ulong since_ns;
};

extern struct config config;
extern struct fakecl_stats stats;

void state_lock(void);
void state_unlock(void); /* also runs the callbacks that have become due, without the lock */
void state_wait(struct waiter *waiter); /* until something changes, or 50 ms */
void state_sleep(pthread_cond_t *wake);
void state_progress(void);
bool state_in_callback(void);
void state_defer(struct callback *callback);
uint64_t state_random(void);
bool state_chance(long permille);
uint64_t state_mix(uint64_t *counter);
void state_misuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *state_alloc(size_t size_bytes); /* zeroed, never NULL; no lock needed */
char *state_copy_text(const char *text);
cl_ulong state_now_ns(void);
cl_int state_info(const void *source, size_t source_bytes, size_t size, void *value, size_t *ret);

/* ---- platform and devices ---- */

struct _cl_platform_id {
    struct object object;
};

struct _cl_device_id {
    struct object object;
    unsigned index; /* of the root device: also its memory node when not unified */
    cl_device_id parent;
    cl_device_partition_property partition[20];
    cl_uint partition_count;
    cl_uint units;
    bool lost;         /* root devices only */
    uint64_t executed; /* root devices only */
    struct worker *worker;
    cl_command_queue queues;
};

extern struct _cl_platform_id platform;
extern struct _cl_device_id devices[FAKECL_MAX_DEVICES];

void device_init_all(void);
void device_destroy(struct object *object);
cl_device_id device_root(cl_device_id device);
unsigned device_node(cl_device_id device);
size_t device_align_bytes(void);
size_t device_max_alloc(void);

struct _cl_context {
    struct object object;
    cl_uint device_count;
    cl_device_id devices[WORKER_COUNT];
    cl_context_properties properties[8];
    size_t property_count;
    uint64_t buffer_bytes;
};

void context_destroy(struct object *object);
bool context_has(cl_context context, cl_device_id device);
uint32_t context_nodes(cl_context context); /* bit set of memory nodes */

/* ---- queues, commands, events ---- */

struct _cl_command_queue {
    struct object object;
    cl_context context;
    cl_device_id device;
    cl_command_queue_properties properties;
    struct command *head, *tail; /* not finished, in the order of their enqueue */
    struct command *unflushed;   /* the first that may not run yet */
    uint64_t last_seq;           /* of the newest command */
    uint64_t flushed_seq;        /* commands up to here may run */
    struct _cl_command_queue *next_on_device;
};

void queue_destroy(struct object *object);
void queue_flush(cl_command_queue queue);

struct _cl_event {
    struct object object;
    cl_context context;
    cl_command_queue queue; /* NULL: a user event */
    cl_command_type type;
    cl_int status;
    uint64_t seq;
    cl_ulong queued_ns, submit_ns, start_ns, end_ns;
    struct callback *callbacks;
};

cl_event event_create(cl_context context, cl_command_queue queue, cl_command_type type);
void event_destroy(struct object *object);
void event_advance(cl_event event, cl_int status);
cl_int event_wait(cl_event event);
cl_int event_check_list(cl_context context, cl_uint count, const cl_event *list);

/* One side of a copy: a buffer or host memory, walked as rows and slices. */
struct copy_side {
    cl_mem mem;
    unsigned char *host;
    size_t offset, row_pitch, slice_pitch;
};

struct copy {
    struct copy_side from, to;
    size_t region[3];
};

struct fill {
    unsigned char pattern[128];
    size_t pattern_bytes, offset, size_bytes;
};

struct mapping {
    struct mapping *next;
    cl_mem mem;
    unsigned char *pointer; /* what the user got */
    bool owned;             /* pointer is a staging area of ours */
    bool active;            /* the map command has run: the region belongs to the host */
    bool ending;            /* an unmap is enqueued */
    size_t begin;           /* in the store */
    size_t offset, size_bytes;
    cl_map_flags flags;
};

struct launch_arg {
    cl_mem mem; /* buffer arguments, or NULL */
    bool write;
    bool local;
    void *pointer;       /* buffers and local memory, set before the run */
    size_t local_offset; /* local arguments: where in the worker's local memory */
    size_t size_bytes;
    unsigned char *bytes; /* values, owned */
};

struct launch {
    cl_kernel kernel;
    struct module *module;
    void (*call)(void **args);
    bool has_barrier, diverged;
    cl_uint arg_count;
    cl_uint dims;
    size_t offset[3], global[3], local[3];
    size_t local_bytes;
    struct launch_arg args[ARG_COUNT_MAX];
};

/* A range of a buffer that a running command reads or writes. */
struct use {
    const struct store *store;
    size_t begin, end;
    bool write;
};

struct command {
    struct command *next;
    cl_command_queue queue;
    cl_event event;
    uint64_t seq;
    cl_command_type type;
    cl_uint wait_count;
    cl_event *waits;
    cl_uint mem_count;
    cl_mem *mems; /* held until the command is done */
    bool needs_all_before, blocks_all_after;
    cl_mem_migration_flags migrate_flags;
    struct copy copy;
    struct fill fill;
    struct mapping *mapping;
    struct launch *launch;
    const unsigned char *source; /* found by exec_prepare */
    unsigned char *target;
    struct use *uses; /* room for one a buffer */
    cl_uint use_count;
};

struct command *command_begin(cl_command_queue queue, cl_command_type type, cl_uint wait_count,
                              const cl_event *waits, cl_int *error);
cl_int command_use(struct command *command, cl_mem mem, bool reserve);
void command_abandon(struct command *command);
cl_int command_refuse(struct command *command, cl_int error); /* abandons it, returns error */
/* Submit is admit, which may refuse and abandon the command, and append. */
cl_int command_submit(struct command *command, cl_event *event, cl_bool blocking);
cl_int command_admit(struct command *command, cl_bool blocking);
cl_int command_append(struct command *command, cl_event *event, cl_bool blocking);
void command_finish(struct command *command, cl_int status);

/* ---- memory ---- */

struct extent {
    size_t begin, end;
    uint32_t nodes; /* bit set: where the newest contents are; 0: undefined */
};

struct store {
    size_t size_bytes, pad_bytes;
    unsigned char *data[NODE_COUNT];
    bool borrowed; /* data[0] is the user's memory */
    bool damage_reported;
    struct extent *extents;
    size_t extent_count, extent_capacity;
};

enum { ACCESS_READ = 1, ACCESS_WRITE = 2 };

struct store *store_create(size_t size_bytes);
void store_destroy(struct store *store);
cl_int store_reserve(struct store *store, unsigned node);
void store_borrow(struct store *store, void *host);
void store_preset(struct store *store, unsigned node, const void *host);
unsigned char *store_ensure(struct store *store, unsigned node, size_t offset, size_t size,
                            int access);
const unsigned char *store_peek(struct store *store, unsigned node, size_t offset, size_t size);
void store_forget(struct store *store, size_t offset, size_t size);
void store_check_edges(struct store *store);

struct _cl_mem {
    struct object object;
    cl_context context;
    cl_mem parent; /* sub-buffers */
    size_t origin; /* in the parent */
    size_t size_bytes;
    cl_mem_flags flags;
    void *host_ptr;
    struct store *store;      /* the parent's where there is one */
    struct mapping *mappings; /* also those of its sub-buffers */
    cl_uint map_count;
    struct callback *destructors;
};

void memory_destroy(struct object *object);
void memory_released(cl_mem mem);
bool memory_overlap(cl_mem a, size_t a_offset, cl_mem b, size_t b_offset, size_t size);

void map_end(struct command *command); /* a finished unmap: the mapping is gone */
/* Does the range of the store meddle with a region that the host has mapped now? */
bool map_conflicts(cl_mem mem, size_t offset, size_t size, bool write);

/* ---- programs and kernels ---- */

struct kernel_info {
    char name[NAME_BYTES];
    cl_uint arg_count;
    char kinds[ARG_COUNT_MAX + 1]; /* g r c l v s, see parse.c */
    size_t sizes[ARG_COUNT_MAX];
    size_t required_local[3];
    bool has_barrier; /* it or a function it may call */
};

/* One loaded copy of a compiled program: static local memory and the work item are in it. */
struct module {
    void *library;
    void **item; /* where the running work item is announced */
    void (*calls[])(void **args);
};

struct image {
    unsigned char *bytes; /* the shared object */
    size_t size_bytes;
    cl_uint kernel_count;
    struct kernel_info *kernels;
};

struct _cl_program {
    struct object object;
    cl_context context;
    char *source; /* NULL: made from a binary */
    char *options;
    char *log;
    cl_build_status status;
    cl_uint device_count;
    cl_device_id devices[WORKER_COUNT];
    struct image *image;
    struct module *modules[WORKER_COUNT];
    cl_uint kernel_refs;
};

struct kernel_arg {
    bool set;
    cl_mem mem;
    size_t size_bytes;
    unsigned char *bytes;
};

struct _cl_kernel {
    struct object object;
    cl_program program;
    const struct kernel_info *info;
    struct kernel_arg args[ARG_COUNT_MAX];
};

void program_destroy(struct object *object);
void kernel_destroy(struct object *object);
struct module *program_module(cl_program program, unsigned worker_index);

/* Without the lock: text of a program to a shared object; the log goes to *log [give]. */
cl_int compile_source(const char *source, const char *options, struct image **image, char **log,
                      bool *compiled);
bool compile_options_ok(const char *options);
bool compile_available(void);
struct image *compile_image(unsigned char *bytes, size_t size_bytes); /* takes the bytes */
void compile_free_image(struct image *image);
struct module *compile_load(const struct image *image);
void compile_unload(struct module *module);
unsigned char *compile_read_file(const char *path, size_t *size_bytes);
uint64_t compile_hash(uint64_t hash, const void *bytes, size_t size_bytes);
int compile_run(const char *const *argv, const char *log_path);
const char *compile_compiler(void);
bool compile_write_file(const char *path, const void *bytes, size_t size_bytes);

/* Preprocessed text -> what is appended to it: one caller a kernel and a table of the kernels.
 * NULL and a text in *log [give] where a kernel cannot be served. */
char *parse_kernels(const char *text, char **log);

/* Parts of the built-in functions: the first is C, the others OpenCL C after the base text. */
enum {
    BUILTINS_ITEMS,
    BUILTINS_MATH,
    BUILTINS_INTEGER,
    BUILTINS_MEMORY,
    BUILTINS_CONVERT,
    BUILTINS_COUNT
};

const char *builtins_base_text(void);
const char *builtins_text(unsigned part);
bool builtins_needed(unsigned part, const char *program);

/* ---- execution ---- */

/* The work item that runs now; the text in builtins.c declares the same structure. */
struct work_item {
    size_t global_id[3], local_id[3], group_id[3];
    size_t global_size[3], local_size[3], group_count[3], offset[3];
    unsigned dims;
    void (*barrier)(void *user);
    void *user;
};

struct worker {
    unsigned index;
    cl_device_id device;
    pthread_t thread;
    bool started;
    struct command *running; /* between exec_prepare and its end */
    pthread_cond_t wake;
    uint64_t random;     /* guarded by the lock: which command, which delay */
    uint64_t run_random; /* its own thread only: order of groups and work items */
    unsigned char *local;
    struct fibers *fibers;
};

bool worker_attach(cl_device_id device);
void worker_detach(cl_device_id device);
void worker_wake_all(void);
/* Does a command that runs on another memory node use the range, and one of the two write it? */
bool worker_conflicts(unsigned node, const struct use *use);
void worker_flush_stuck(void);
void worker_stop_all(void);
void worker_reseed_all(void);

cl_int exec_prepare(struct command *command, struct worker *worker); /* with the lock */
void exec_run(struct command *command, struct worker *worker, unsigned permille); /* without */
void exec_cleanup(struct command *command); /* with the lock */

/* Runs a launch, or only its first permille of groups; without the lock. */
void group_run(struct launch *launch, struct worker *worker, unsigned permille);

struct fibers *fibers_create(void);
void fibers_destroy(struct fibers *fibers);
/* Runs call(args) for each of the items as fibers; *slot announces the running one.
 * False: they did not all reach the same barriers. */
bool fibers_run(struct fibers *fibers, struct work_item *items, size_t count, void **slot,
                void (*call)(void **args), void **args);

#pragma GCC visibility pop

#endif
