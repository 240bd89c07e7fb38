/* Lost results are made again by running their producers once more. See lineage.c.
 *
 * Every segment of a buffer carries the stamp of what it contains. Stamps grow with time, so that a
 * task's input is what it was as long as its stamps are smaller than the task's own; and a stamp
 * names the task that can make the same bytes again, if one is kept. Runs under the engine's lock.
 * Where all devices work in host memory there is no lineage (engine->lineage is NULL) and all
 * stamps are 0.
 */
#ifndef FASTGPU_CORE_LINEAGE_H
#define FASTGPU_CORE_LINEAGE_H

#include "core/engine.h"

/* Slots of the task table that kept tasks may occupy beside those of the task limit. */
uint32_t lineage_slots(const struct engine *engine);

/* After the tables and the nodes were made. FGPU_E_NOMEM. */
fgpu_status lineage_init(struct engine *engine);
/* Gives the records of all kept tasks back. */
void lineage_clear(struct engine *engine);
void lineage_fini(struct engine *engine);

/* A task is about to end with `status`: what it wrote gets its stamp, and it may get a place.
 * Returns the status it ends with: that of the loss when it was run again in vain. Only where
 * engine->lineage is not NULL, and before graph_release. */
fgpu_status lineage_end(struct engine *engine, struct task *task, fgpu_status status);

/* The record of a task with a place is free for reuse: keeps it, if it still has that place. */
void lineage_settle(struct engine *engine, struct task *task);

static inline bool lineage_keep(struct engine *engine, struct task *task)
{
    if (task->lineage == 0)
        return false;
    lineage_settle(engine, task);
    return true;
}

/* The stamp of what is made now by nobody who is kept. */
uint64_t lineage_now(const struct engine *engine);

/* The maker of contents with this stamp is kept. */
bool lineage_holds(const struct engine *engine, uint64_t stamp);

/* A device is lost and its memory forgotten: orders the tasks that can bring back lost contents,
 * before all that use them. Returns how many. */
uint32_t lineage_recompute(struct engine *engine);

/* The segment's contents are lost, but a task that is run again will bring them back. */
bool lineage_brings(const struct engine *engine, const struct segment *segment);

/* Asserts the invariants of the kept tasks. O(LIMITS_LINEAGE). */
void lineage_check(const struct engine *engine);

#endif
