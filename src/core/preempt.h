/* Kernels that make way for urgent ones: they run in slices, or under a guard. See preempt.c.
 *
 * Runs under the engine's lock. There is none of it until tasks have terms (core/serve.h), and none
 * where the pool's option `preempt` is off or no device takes slices. A task with TASK_M_PREEMPT
 * has a record here. It is RUNNING from its first launch to its end, also while nothing of it is in
 * flight: what it has keeps its place, and nobody follows it in its queue.
 */
#ifndef FASTGPU_CORE_PREEMPT_H
#define FASTGPU_CORE_PREEMPT_H

#include "core/engine.h"

#define PREEMPT_FLIGHT 2u /* slices in a queue: one runs, one waits */

/* A kernel's code in another form than whole, for one device. */
struct preempt_code {
    struct code code;
    uint32_t local[3]; /* work-group size that it has been compiled for; 0: none */
    uint32_t turns;    /* guarded only: of the kernel on the device, choices of a form, */
    uint8_t tried;     /* those to learn what one costs, */
    uint8_t told;      /* and the one that the log was told of, plus 1 */
};

struct preempt_run {
    fgpu_cmd_slice bodies[PREEMPT_FLIGHT];
    uint64_t flight_ns[PREEMPT_FLIGHT]; /* as predicted, in the lane's flight_ns */
    fgpu_guard guard;                   /* 0: none, or not yet */
    uint64_t groups;                    /* of the whole grid */
    uint64_t at; /* groups below are done, or in flight; of a guarded one those are done */
    uint64_t span, span_left;    /* groups of the newest launch, and how many it had left */
    uint64_t ran_groups, ran_ns; /* measured */
    uint64_t round_ns, end_ns;   /* device time: since it was last resumed, and of the newest end */
    uint64_t expected_ns;        /* of the whole grid in this form; 0: nobody knows */
    uint32_t task;
    uint32_t generation;
    uint32_t model;   /* the form's slot in the performance model */
    uint32_t waiting; /* links: the task, while its guard is made */
    uint32_t local[3];
    uint16_t lane;
    uint8_t wish;     /* fgpu_code_form that it had better take, */
    uint8_t chosen;   /* once that has been asked */
    uint8_t form;     /* fgpu_code_form that it takes */
    uint8_t compiled; /* fgpu_code_form whose code has been compiled for its size of groups */
    uint8_t bare;     /* there is no memory for a guard */
    uint8_t head;     /* the older one of two bodies in flight */
    uint8_t flying;   /* bodies in flight */
    uint8_t chained;  /* relies on what was not known to have succeeded when it was launched */
    uint8_t firm;     /* its turn though urgent ones wait: what is in flight is not stopped */
    uint8_t stopped;  /* the guard has been told to stop */
    uint8_t queued;   /* waits for its turn in core/serve.c */
    uint8_t due;      /* to be resumed when its lane has room */
    uint8_t untimed;  /* a device did not measure a launch of it */
    int32_t status;   /* the first failure */
};

struct preempt {
    struct vec runs; /* struct preempt_run * */
    uint32_t ways;   /* bits: 1 << fgpu_code_form that may be taken */
};

/* What is told to a guard before anything else is handed to a device. */
struct preempt_order {
    uint32_t device;
    uint32_t stop;
    fgpu_guard guard;
};

/* FGPU_E_NOMEM. Where nothing can be preempted engine->preempt stays NULL. */
fgpu_status preempt_begin(struct engine *engine);
void preempt_fini(struct engine *engine);
/* The kernel goes. False: some of its code is still being built. */
bool preempt_kernel_gone(struct engine *engine, struct kernel *kernel);

/* ---- hooks of the walk, where engine->preempt is not NULL ---------------------------------- */

/* All data of a PLACED task are there. False: it waits (or is doomed, with nothing to wait for).
 * Then, or otherwise, TASK_M_PREEMPT says whether it will run by preempt_launch(). */
bool preempt_prepare(struct engine *engine, struct task *task);
/* What is known of the task in another form than whole, where nothing is of that. */
enum history_trust preempt_predict(const struct engine *engine, const struct task *task,
                                   uint32_t device, uint64_t *ns);
/* PLACED -> RUNNING, of a task with TASK_M_PREEMPT. */
void preempt_launch(struct engine *engine, struct task *task, bool chained);
/* A launch of it has finished. True: the task has ended, with its result in its body. False: it
 * goes on, now or later, or was taken back. [out] failed: the launch has failed. */
bool preempt_ran(struct engine *engine, struct task *task, bool *failed);
/* It is its turn again. */
void preempt_resume(struct engine *engine, struct task *task);
/* Something urgent waits for the lane. */
void preempt_make_way(struct engine *engine, struct lane *lane);
/* Those that are due on the lane go on. [in] firm: only those whose turn it is though urgent work
 * waits. */
void preempt_fill(struct engine *engine, struct lane *lane, bool firm);
/* Where urgent kernels run, of the queues of a device with side queues: beside what makes way, so
 * that they have each core as soon as it is free. */
uint32_t preempt_urgent_lane(const struct engine *engine, const struct engine_device *device);
/* Predicted time of what is in flight there and would make way. */
uint64_t preempt_soft_ns(const struct engine *engine, const struct lane *lane);
/* Is one held back that could go on? */
bool preempt_holds(const struct engine *engine);
/* The guaranteed minimum is due to one of these, though urgent work waits. */
void preempt_claim(struct engine *engine);
/* No lane has room for more: where one has nothing to do but wait for somebody's data, who was
 * stopped there goes on. They may wait for the very memory that he has. */
void preempt_rouse(struct engine *engine);
/* The task ends. */
void preempt_ended(struct engine *engine, struct task *task);
/* Its device is lost. A command of it was in flight: true where that was the last one. */
bool preempt_lost(struct engine *engine, struct task *task);
/* A task of the device that is RUNNING with nothing in flight, no longer so; TASK_NONE. */
uint32_t preempt_lost_next(struct engine *engine, uint32_t device);

/* Waits for its turn (for checks). */
bool preempt_is_queued(const struct engine *engine, const struct task *task);
void preempt_check_lane(const struct engine *engine, const struct lane *lane, uint64_t *ns);

#endif
