/* The embedded driver: it runs one engine on real devices, inside the caller's process.
 *
 * One lock protects the engine. Whoever holds it may turn the crank (driver_pump): submitters when
 * the pool is idle or enough has been queued, threads that wait, and otherwise the progress thread,
 * which sleeps on the doorbell that the devices ring. Builds run on a build thread, completion
 * callbacks on a callback thread; each is started by the first call that will need it, which is
 * refused where that fails. Plans are searched on a planning thread, without the lock; where no
 * thread can be had, by whoever turns the crank.
 */
#ifndef FASTGPU_RUN_DRIVER_H
#define FASTGPU_RUN_DRIVER_H

#include <pthread.h>
#include <sys/types.h>

#include <fastgpu/pool.h>

#include "base/doorbell.h"
#include "base/handle.h"
#include "base/lock.h"
#include "base/log.h"
#include "core/engine.h"
#include "core/submit.h"
#include "dev/checked.h"
#include "model/history.h"
#include "trace/trace.h"

#define DRIVER_BATCH 64u /* tasks queued on a busy pool before a submitter turns the crank */

/* A thread that takes work from a list under a lock and sleeps when there is none. */
struct driver_worker {
    pthread_t thread;
    _Atomic uint32_t started;
    _Atomic uint32_t stop;
    struct lock lock; /* of jobs */
    struct vec jobs;
    struct doorbell bell; /* rung when a job was added, or at stop */
};

/* The callback thread (run/callback.c). */
struct driver_callbacks {
    struct lock lock;      /* of starting it */
    struct inbox ended;    /* tasks whose on_done is to be called */
    struct inbox returned; /* called, their records not yet given back */
    struct doorbell bell;  /* rung when a task has ended, or at stop */
    pthread_t thread;
    _Atomic uint32_t started, stop;
    _Atomic uint32_t out; /* ordered and not returned */
};

/* Host memory that a device pins (run/pin.c). */
struct driver_pins {
    struct driver_worker worker;
    struct map asked; /* bytes of what the thread was told to pin, by address */
    struct map by;    /* the thread's: the device that has pinned it, by address */
    uint64_t left_bytes;
    bool looked; /* left_bytes is known */
};

/* One kernel on its way through the build thread. */
struct driver_build {
    uint32_t kernel;
    uint32_t device;
    fgpu_code_source source; /* points into the kernel record, which stays while it is BUILDING */
    fgpu_status status;
    fgpu_code_built built;
    /* source.form other than WHOLE: code that is there already, and a launch to compile it for,
     * whose arguments stay as long as the task waits. */
    fgpu_code code;
    fgpu_cmd_launch launch;
};

/* Where a device stood when it was last sampled. */
struct driver_sample {
    uint64_t time_ns; /* 0: never */
    uint64_t busy_ns;
    uint64_t timed;
};

struct driver {
    struct engine engine;
    struct lock lock;
    struct doorbell
        bell; /* rung by devices, the build thread, and pumpers that ended tasks for others */
    _Atomic uint32_t busy;   /* commands in flight or being built: somebody must watch the bell */
    _Atomic uint32_t idle;   /* a lane has nothing to do while another will be busy for long */
    _Atomic uint32_t soon;   /* nothing was in flight when somebody last pumped, or little that is
                                short: an answer may come within the spinning time */
    _Atomic uint32_t serves; /* tasks are long: a device's thread may turn the crank, too */
    _Atomic uint32_t flow;   /* tiny tasks stream in: the progress thread looks from time to time */
    _Atomic uint32_t helpers; /* threads that wait and pump */
    _Atomic uint32_t hasty;   /* those of them that wait for less than all tasks */
    _Atomic uint32_t standby; /* the progress thread sleeps here, leaving the bell to the helpers */
    _Atomic uint32_t
        pumping; /* the lock's holder will look at the bell before he lets go: rings wake nobody */
    _Atomic uint32_t seen;   /* the bell when the devices were last polled */
    _Atomic uint32_t pumps;  /* how often somebody has turned the crank */
    _Atomic uint32_t batch;  /* DRIVER_BATCH, or more where handing out takes long */
    uint64_t give_ns;        /* what handing out one command takes, smoothed */
    _Atomic uint32_t wanted; /* submitters with much to link that wait for the lock */
    _Atomic uint32_t closing;
    uint64_t serve_ns;      /* how long a task must take for that */
    bool serving;           /* under the lock: it is a device's thread that pumps, */
    bool lose_due;          /* and it has found a device lost, whose threads it must not stop */
    bool submits;           /* ... or a submitter while nobody waits */
    bool dozes;             /* a device may let lie what it was given */
    bool flow_begins;       /* and the progress thread has not been told */
    uint32_t flow_pumps;    /* of submitters in a row, of tiny tasks */
    uint64_t flow_ns;       /* when the last one was */
    bool stuck_told;        /* waiters know that `stuck` is set */
    uint64_t wakes_told;    /* engine.wakes when waiters were last woken */
    _Atomic uint32_t stuck; /* a device took less than it was given: try again soon */

    struct alloc_hooks hooks;        /* the caller's */
    const struct alloc_hooks *alloc; /* &hooks, or NULL for the C library */
    struct log log;
    FILE *log_file; /* NULL: none */
    struct history history;
    struct trace trace;
    struct device *devices;
    struct device_queue *queues;   /* by lane */
    struct driver_sample *samples; /* last sample of each device */
    uint32_t device_count;
    uint32_t visible_count; /* devices that the caller sees: the first ones */
    uint32_t spill;         /* the device of the spill folder, plus one; 0: there is none */
    uint32_t building;
    fgpu_doorbell device_bell;

    pthread_t progress;
    _Atomic uint32_t progress_started;
    struct driver_worker builder; /* jobs: struct driver_build */
    struct lock built_lock;
    struct vec built;              /* struct driver_build that the build thread has finished */
    struct driver_worker planning; /* jobs: struct search *; at most one */
    _Atomic uint32_t planned;      /* it has been run, and nobody has told the engine */
    struct driver_pins pins;
    struct driver_callbacks callbacks;

    char cache_dir[4096];    /* "" none */
    char history_path[4096]; /* "" none */
    uint32_t pool;           /* number in handles */
    uint32_t first_generation;
    bool nowait;
    bool opened; /* it was told of in the log */
    uint64_t open_ns;
};

static inline fgpu_task driver_task_handle(const struct driver *driver, uint32_t index,
                                           uint32_t generation)
{
    fgpu_task handle = {handle_make(HANDLE_TASK, driver->pool, generation, index)};
    return handle;
}

/* Opens devices and starts nothing. [in] options: complete and checked. [in] pool: its number in
 * handles. [in] first_generation: of its objects (engine_next_generation of the place's last pool).
 * [out] driver. Errors with a text. */
fgpu_status driver_create(const fgpu_pool_options *options, uint32_t pool,
                          uint32_t first_generation, struct driver **driver);

/* Everything has ended and nobody calls any more. Saves the model, closes the devices. */
void driver_destroy(struct driver *driver);

/* Submit a checked request. Waits at the task limit unless told not to. FGPU_E_AGAIN, FGPU_E_LIMIT,
 * FGPU_E_NOMEM, with a text. */
fgpu_status driver_submit(struct driver *driver, const struct submit_request *request,
                          uint32_t *index, uint32_t *generation);

/* The same for a record that has been prepared. */
void driver_push(struct driver *driver, uint32_t index, uint8_t kind);

/* Take the lock with all submitted tasks linked; and let go, handing out what has become possible.
 * Between them the caller may use the engine. */
void driver_enter(struct driver *driver);
void driver_leave(struct driver *driver);

/* Waits until done(user) is true; it is called without the lock. FGPU_OK, FGPU_E_TIMEOUT.
 * deadline_ns: clock_now_ns() time, UINT64_MAX: never. */
typedef bool (*driver_done_fn)(struct driver *driver, void *user);
fgpu_status driver_wait(struct driver *driver, driver_done_fn done, void *user,
                        uint64_t deadline_ns);
/* The same where done() can only become true when no task is pending but held mappings: such a
 * waiter is not woken for each task that ends. */
fgpu_status driver_wait_all(struct driver *driver, driver_done_fn done, void *user,
                            uint64_t deadline_ns);

/* A device has progressed: fgpu_doorbell's ring. [in] arg: the driver. Thread: any. */
void driver_ring(void *arg);

/* Start the progress thread if it does not run. Called by the first submit. */
void driver_start(struct driver *driver);

/* Hand out, carry out, feed back, until nothing more moves. Under the lock. */
void driver_pump(struct driver *driver);

/* Before commands are handed out: guards that are to stop launches, or no longer (run/action.c). */
void driver_tell_guards(struct driver *driver);
/* Carry out engine->actions (run/action.c). Returns whether anything was fed back. */
bool driver_act(struct driver *driver);
/* Feed what the build and callback threads have finished (run/action.c). */
bool driver_feed(struct driver *driver);

/* run/worker.c */
typedef void (*driver_worker_fn)(struct driver *driver, void *job);
void worker_init(struct driver_worker *worker, size_t job_bytes, const struct alloc_hooks *hooks);
/* Starts the thread unless it runs. FGPU_E_SYSTEM, FGPU_E_NOMEM, without a text. Thread: any. */
fgpu_status worker_start(struct driver *driver, struct driver_worker *worker, const char *name,
                         driver_worker_fn fn);
/* Adds a job (copied) for a thread that runs. False without memory. */
bool worker_add(struct driver_worker *worker, const void *job);
void worker_fini(struct driver_worker *worker);

/* run/pin.c: memory of the host's node comes, and goes. Under the driver's lock. Stop: when no
 * device has queues any more; afterwards pin_free may wait. */
void pin_init(struct driver *driver);
void pin_memory(struct driver *driver, void *memory, uint64_t bytes);
void pin_free(struct driver *driver, void *memory, uint64_t bytes);
void pin_stop(struct driver *driver);
void pin_fini(struct driver *driver);

/* The build thread is there, if any device of the pool takes that kind of variant. Asked when a
 * kernel gets one: later nobody could be told. FGPU_E_SYSTEM, FGPU_E_NOMEM with a text. */
fgpu_status driver_need_builder(struct driver *driver, uint32_t variant_kind);

/* run/callback.c: see there. Under the driver's lock but for callback_start. */
void callback_init(struct driver *driver);
fgpu_status callback_start(struct driver *driver);
void callback_order(struct driver *driver, uint32_t task);
bool callback_feed(struct driver *driver);
void callback_fini(struct driver *driver);

/* run/open.c */
fgpu_status open_devices(struct driver *driver, const fgpu_pool_options *options,
                         struct engine_device_config *configs);
void open_close(struct driver *driver);

/* Starts a thread with all signals blocked and a name. */
fgpu_status driver_thread(pthread_t *thread, const char *name, void *(*fn)(void *), void *arg);

#endif
