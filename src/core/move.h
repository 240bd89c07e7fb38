/* Step 5, move: bring the task's data to where it will run. See move.c.
 *
 * Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_MOVE_H
#define FASTGPU_CORE_MOVE_H

#include "core/engine.h"

enum move_answer {
    MOVE_READY, /* everything is there, or on its way in the same queue; its blocks are pinned */
    MOVE_WAIT,  /* the task waits for slabs, copies, memory or room in a lane; look at it again when
                 * task->waits is 0
                 */
    MOVE_NEVER, /* its device has no memory for it */
    MOVE_FAILED /* doomed with a reason */
};

/* Idempotent: what is still missing is ordered, what is there is left alone. [in] lane: where
 * copies to the node go, and where the task will run; TASK_LANE_NONE for maps. [out] chained:
 * copies in flight on that lane must succeed first (FGPU_CMD_CHAINED). */
enum move_answer move_prepare(struct engine *engine, struct task *task, uint32_t node,
                              uint16_t lane, bool *chained);

/* The task writes: its ranges are owned by `node` from now on. Called when it is handed out. */
void move_claim(struct engine *engine, struct task *task, uint32_t node);

/* The reverse, for a task that was taken back. [in] torn: it may have run. False when data it reads
 * exist nowhere any more. */
bool move_unclaim(struct engine *engine, struct task *task, uint32_t node, bool torn);

/* The task has ended or was taken back: unpin its blocks. */
void move_unpin(struct engine *engine, struct task *task, uint32_t node);

/* A copy has finished. */
void move_op_done(struct engine *engine, uint32_t op, fgpu_status status);

/* Orders copies of what only the node has of the buffer, to the host, or from there to the spill
 * folder; not where that needs room that others have. */
void move_out(struct engine *engine, uint32_t buffer, uint32_t node);

/* FGPU_POOL_PREIMAGE: order copies to the host of what the finished task wrote. */
void move_write_through(struct engine *engine, struct task *task, uint32_t node);

/* Orders what a task placed on a node with copy lanes will need there, as far as that can be done
 * without waiting and without evicting what placed tasks want. Returns whether all is ordered. */
bool move_ahead(struct engine *engine, struct task *task, uint32_t node);

/* The node is lost: copies of the buffer from there that other devices' lanes carry bring nothing.
 */
void move_orphan(struct engine *engine, uint32_t buffer, uint32_t node);

/* Is all that the task reads on the node, with no copy still under way there? */
bool move_settled(struct engine *engine, struct task *task, uint32_t node);

/* Hands an ordered copy to its lane. */
void move_issue(struct engine *engine, uint32_t op);

/* Orders what the task reads by that access for the lane where it is planned, though the task waits
 * for others: nobody will have changed it when it runs. After all other copies, and only where
 * there is memory that nobody uses. */
bool move_early(struct engine *engine, struct task *task, uint32_t access, uint32_t lane);

#endif
