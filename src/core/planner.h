/* Between schedule and place: the pending tasks are planned as a whole, where the policy can.
 *
 * A plan says for each task which lane takes it and how urgent it is there. It is made when enough
 * tasks have been submitted that none covers, and again when what happens is not what was planned;
 * never for more than a fiftieth of the time that it governs, at a fixed price for each simulated
 * task, so that equal events give equal plans. The search itself (core/search.h) is the driver's to
 * run where it wants to: until it is over tasks go on as before, and what has started or ended
 * meanwhile is left out. All else runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_PLANNER_H
#define FASTGPU_CORE_PLANNER_H

#include "core/follow.h"
#include "core/search.h"
#include "core/turns.h"
#include "core/uses.h"

/* What the plan says of a task slot. */
struct planned {
    uint32_t generation; /* of the task that it was made for */
    uint32_t lane;
    int64_t rank;
    uint64_t start_ns, end_ns; /* when it is to run */
    uint32_t last;             /* slot of the predecessor that ends last; PLAN_NONE */
};

/* Data that a task will read as they are now, though it cannot run yet. */
struct planner_early {
    uint64_t start_ns; /* of the task, in the plan */
    uint32_t task;
    uint32_t lane;
    uint32_t access;
};

struct planner {
    struct search search;
    bool busy;          /* the search is under way */
    bool arrived;       /* and over: its result is to be looked at */
    struct vec entries; /* struct planned, by task slot */
    struct vec early;   /* struct planner_early, by start */
    size_t early_done;
    struct turns turns; /* who is next on each lane */
    struct follow follow;
    struct uses uses;   /* where memory is limited */
    struct vec written; /* uint8_t: [data] of the window, while the list is made */
    struct policy_found found;
    uint64_t reckoned_ns; /* what planning has cost so far, at the fixed price */
    uint64_t task_ns;     /* that price, of one task, in the last search */
    uint64_t governed_ns; /* the time that it was for, until the plan in force */
    uint64_t made_ns;     /* when that was made */
    uint64_t left_ns;     /* of the plan: predicted makespan when it was made */
    uint64_t typical_ns;  /* run time of the last tasks, smoothed; 0: none has run */
    uint64_t foreseen_ns; /* the longest of the first tasks, from what is known of earlier ones */
    uint64_t late_ns;     /* sum over its finished tasks */
    uint32_t fresh;       /* tasks linked that no plan covers */
    uint32_t covered;     /* tasks of the plan when it was made */
    uint32_t done;        /* of them that have ended */
    uint32_t ran;         /* ... on a lane: late_ns is theirs */
    uint32_t plans;
    uint32_t seen;  /* tasks of the window when the last plan was made, or tried */
    uint32_t ended; /* tasks that have ended since, in whatever way */
    bool wrong;     /* it relies on what has turned out to be wrong */
    uint32_t again; /* make it again after so many: costs will be known then; 0: no need */
};

bool planner_init(struct engine *engine);
void planner_fini(struct engine *engine);

/* A task was linked; one has run; one has ended, whether it ran or not. */
void planner_linked(struct engine *engine, const struct task *task);
void planner_ran(struct engine *engine, const struct task *task);
void planner_ended(struct engine *engine, const struct task *task);

/* A prediction of the kernel was wrong: the plan is made again, or if that does not pay such tasks
 * are in it no longer. */
void planner_wrong(struct engine *engine, uint32_t kernel);

/* Plans if it is time to. True: there is a new plan, and what lies in backlogs may belong
 * elsewhere. */
bool planner_turn(struct engine *engine);

/* What the plan says of the task, NULL when nothing. Lasts until the next call of planner_turn. */
const struct planned *planner_of(const struct engine *engine, const struct task *task);
/* Of the task that had the slot when the plan was made; another's record, which its submitter may
 * be writing, is not looked at. */
const struct planned *planner_at(const struct engine *engine, uint32_t slot);

/* Is the task, on the lane that the plan has it on, to end about as planned, so that nobody else
 * should take it? */
bool planner_is_punctual(const struct engine *engine, const struct task *task,
                         const struct lane *lane);

/* Is the lane at work for so long that the task had better wait, because the plan has something
 * else there before it? */
bool planner_is_early(struct engine *engine, const struct task *task, const struct lane *lane);

/* May the task, whose data are there, run on a lane before the one that is waited for there? */
bool planner_may_overtake(const struct engine *engine, const struct task *task,
                          const struct task *awaited);

/* The policy that the last plan is of; where there was none, the one that places task by task. */
const struct policy *planner_policy(const struct engine *engine);

#endif
