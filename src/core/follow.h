/* How closely a lane keeps to the order of its plan; see planner.h.
 *
 * A plan says when each task is to start. A task that is ready before its time, while one that is
 * more urgent and planned before it on the same lane is about to become ready, would hold that up
 * for all of its own length: the lane had better wait for a moment. Nothing is waited for but the
 * end of a task that runs. All under the engine's lock.
 */
#ifndef FASTGPU_CORE_FOLLOW_H
#define FASTGPU_CORE_FOLLOW_H

#include "core/engine.h"

struct follow_lane {
    uint32_t next, end; /* places in `order`: what has not begun, as far as is known */
    int64_t late_ns;    /* how much later than planned its last task ended */
};

struct follow {
    struct vec order; /* uint32_t: task slots by lane and planned start */
    struct vec lanes; /* struct follow_lane [lane] */
};

void follow_init(struct follow *follow, const struct alloc_hooks *hooks);
void follow_fini(struct follow *follow);

/* After the entries of a plan have been made. Without memory: nothing is waited for. */
void follow_make(struct engine *engine);

/* A task of the plan has ended on the lane, so much later than planned. */
void follow_ran(struct engine *engine, uint32_t lane, int64_t late_ns);

/* By how much the lane is behind its plan, 0 where it is not. */
uint64_t follow_late_ns(const struct engine *engine, uint32_t lane);

/* Should the task, which could begin on the lane, wait for another that the plan has before it? */
bool follow_waits(struct engine *engine, const struct task *task, const struct lane *lane);

#endif
