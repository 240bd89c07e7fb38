/* Step 3 of the walk where tasks have terms: classes, deadlines, tenants. See serve.c.
 *
 * Runs under the engine's lock. There is none of it in a pool until a task comes with terms
 * (serve_begin); from then on all ready tasks go through here, those without terms as the pool's
 * own normal ones.
 */
#ifndef FASTGPU_CORE_SERVE_H
#define FASTGPU_CORE_SERVE_H

#include "core/engine.h"
#include "core/submit.h"
#include "policy/edf.h"
#include "policy/ranked.h"
#include "policy/share.h"

#define SERVE_CLASSES 3u /* by urgency: interactive, normal, batch */
#define SERVE_FLOOR_PERMILLE 20u

enum serve_class { SERVE_URGENT, SERVE_NORMAL, SERVE_BATCH };

enum serve_flag {
    SERVE_F_LIVE = 1,    /* the task is linked and has not ended */
    SERVE_F_QUEUED = 2,  /* in one of the queues */
    SERVE_F_PRESENT = 4, /* counted in its tenant's `present` */
    SERVE_F_PICKED = 8,  /* has been charged what was predicted */
    SERVE_F_ADMITTED = 16,
    SERVE_F_PARTS = 32 /* what is guaranteed to others counts its launches as they end */
};

/* What is known of the task in a slot. */
struct serve_entry {
    uint64_t deadline_ns; /* its own, or what follows from those that wait for it; EDF_NEVER */
    uint64_t work_ns;     /* as it was admitted; 0: no deadline of its own */
    uint64_t before_ns;   /* of what it waited for then */
    uint64_t charged_ns;  /* to its tenant so far */
    uint64_t pieces_ns;   /* measured of its pieces */
    uint64_t ready_ns;    /* when it was ready last; until then when it was linked */
    uint32_t preds;       /* links: what it waits for, as it was linked */
    uint32_t generation;
    uint16_t tenant;
    int16_t priority;
    uint8_t rank;    /* enum serve_class: its own, or that of the most urgent that waits for it */
    uint8_t charged; /* the rank under which it is charged, */
    uint8_t present; /* and under which it is counted as present */
    uint8_t late;    /* fgpu_late */
    uint8_t flags;   /* enum serve_flag */
};

/* How urgent tasks get on, on one lane: what is learned of all of them together, beside what the
 * model predicts of each. */
struct serve_pace {
    uint64_t seen_ns;      /* when the last one was seen to end */
    double ran_ns, due_ns; /* measured, and as it was predicted; the last ones count most */
    uint64_t held_ns;      /* when `holds` was reckoned */
    double holds;          /* how much of all this is still believed */
    double gap_ns;         /* between the end of one and of the next, without what that runs */
    double off;            /* mean square of what it took beside that, over what it should have */
    uint32_t runs;
};

struct serve_tenant {
    struct ranked queues[SERVE_CLASSES]; /* what is ready, by priority */
    uint64_t quota_ns;                   /* device time that it may use in all; 0: no limit */
    uint64_t used_ns;                    /* measured */
    uint64_t tasks;                      /* that have run */
    uint32_t weight;
    char name[LIMITS_NAME_BYTES];
};

struct serve {
    struct vec tenants; /* struct serve_tenant; 0: the pool's own */
    struct share share[SERVE_CLASSES];
    uint64_t waiting[SERVE_CLASSES][SHARE_WORDS]; /* tenants with something in that queue */
    uint32_t ready[SERVE_CLASSES];                /* tasks there, those with a deadline included */
    struct ranked due;                            /* what is ready and has a deadline */
    struct edf admitted;     /* what has a deadline of its own and has not started */
    struct share_floor rest; /* of normal and batch against interactive */
    struct share_floor batch;
    struct vec entries; /* struct serve_entry, by task slot */
    struct vec lanes;   /* uint64_t: scratch */
    struct vec paces;   /* struct serve_pace, by lane */
    struct vec stack;   /* uint32_t: scratch */
    uint64_t budget_ns; /* the engine's, while nothing is urgent */
    uint64_t shed_ns;   /* nothing is shed before */
    uint64_t calm_ns;   /* until then urgent work is expected */
    uint32_t last;      /* chosen, and not charged yet; TASK_NONE */
    uint32_t urgent;    /* urgent tasks that are linked and have not ended */
    uint64_t refused, dropped, degraded;
};

/* What admission says. */
struct serve_answer {
    uint64_t finish_ns; /* by the engine's clock; EDF_NEVER: nowhere */
    bool is_admitted;
    bool is_known; /* from measurements, or the caller's estimate */
};

/* The first task with terms is about to come. FGPU_E_NOMEM. */
fgpu_status serve_begin(struct engine *engine);
void serve_fini(struct engine *engine);

/* [out] index. FGPU_E_LIMIT, FGPU_E_NOMEM. */
fgpu_status serve_tenant_add(struct engine *engine, const char *name, uint32_t weight,
                             uint64_t quota_ns, uint32_t *index);

/* Would it end in time? Changes nothing. [in] request: of a kernel, or something else. */
struct serve_answer serve_predict(struct engine *engine, const struct submit_request *request,
                                  const struct task_terms *terms);

/* ---- hooks of the walk, where engine->serve is not NULL ----------------------------------- */

/* Before linking and after it; and for each edge between. */
void serve_enter(struct engine *engine, struct task *task);
void serve_edge(struct engine *engine, const struct task *from, const struct task *to);
void serve_linked(struct engine *engine, struct task *task);

/* READY. */
void serve_ready(struct engine *engine, struct task *task);
/* PICKED: as sched_next. */
uint32_t serve_next(struct engine *engine);
/* No longer READY. */
void serve_remove(struct engine *engine, struct task *task);

/* In a lane's backlog: does `there` stay before `task`? */
bool serve_before(const struct engine *engine, const struct task *there, const struct task *task);
/* May it go into a queue behind what it waits for? */
bool serve_may_chain(const struct engine *engine, const struct task *task);

/* A piece has run; a task has ended, in whatever way. */
void serve_piece(struct engine *engine, const struct task *piece);
void serve_ended(struct engine *engine, struct task *task);

/* ---- for core/preempt.c ------------------------------------------------------------------- */

/* Does it go before all that may be stopped? */
bool serve_is_urgent(const struct engine *engine, const struct task *task);
/* An urgent task is ready, and not placed yet; waits in the backlog of a lane. */
bool serve_urgent_waits(const struct engine *engine);
bool serve_lane_is_urgent(const struct engine *engine, const struct lane *lane);
/* A RUNNING task of which nothing is in flight waits for its next turn. False without memory. */
bool serve_suspend(struct engine *engine, struct task *task);
/* It will be launched bit by bit: it has had nothing yet, however long it will take. */
void serve_in_parts(struct engine *engine, const struct task *task);
/* It has run for so long, and is not done. */
void serve_ran(struct engine *engine, struct task *task, uint64_t ns);

/* Asserts the invariants. */
void serve_check(const struct engine *engine);

/* ---- between serve.c, serve_admit.c and serve_pace.c --------------------------------------- */

/* An urgent task has ended. */
void serve_paced(struct engine *engine, const struct task *task, const struct serve_entry *entry);
/* What takes work_ns by the model will take there; how far one is off that, over it. [out] doubt:
 * how far all of them may be. */
uint64_t serve_paced_ns(const struct engine *engine, uint32_t lane, uint64_t work_ns);
double serve_spread(const struct engine *engine, uint32_t lane, double *doubt);
/* When the lane would begin with an urgent task that comes now; EDF_NEVER: it takes none, for
 * another lane of its device does. */
uint64_t serve_free_ns(const struct engine *engine, const struct lane *lane);
/* What cannot end in time any more, or keeps others from it, gives way. */
void serve_shed(struct engine *engine);

/* The task goes to its device. */
void serve_started(struct engine *engine, const struct task *task);

struct serve_entry *serve_entry(const struct engine *engine, uint32_t slot);
/* Puts a task with a deadline of its own among the admitted; what gives way is dropped or degraded.
 */
void serve_admit(struct engine *engine, struct task *task);
/* It is to start, and cannot end in time any more: false where it was dropped, or goes behind all
 * others. */
bool serve_is_in_time(struct engine *engine, struct task *task);
/* Into the batch class, without a deadline. Also one that waits in a queue. */
void serve_degrade(struct engine *engine, struct task *task);
/* The task ends with `status`, and why. */
void serve_refuse(struct engine *engine, struct task *task, fgpu_status status, const char *why);

#endif
