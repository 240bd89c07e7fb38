/* Whose a segment is: a task that was handed to a device owns what it writes, until it is taken
 * back. The move step's bookkeeping, declared in move.h; runs under the engine's lock. */
#include "core/graph.h"
#include "core/memory.h"
#include "core/move.h"
#include "core/sums.h"

static bool move_claim_segment(struct engine *engine, struct task *task, uint32_t access,
                               struct imap_seg *seg, void *user)
{
    if (engine->sums != NULL)
        sums_forget(engine, engine_buffer(engine, task_accesses(task)[access].buffer), seg->begin,
                    seg->end);
    replica_write(&graph_segment(seg)->replica, *(const uint32_t *)user);
    return true;
}

void move_claim(struct engine *engine, struct task *task, uint32_t node)
{
    for (uint32_t i = 0; i < task->access_count; i++)
        if (task_accesses(task)[i].mode & FGPU_WRITE)
            (void)graph_walk(engine, task, i, move_claim_segment, &node);
}

struct move_undo {
    uint32_t torn; /* node */
    bool whole;
};

static bool move_unclaim_segment(struct engine *engine, struct task *task, uint32_t access,
                                 struct imap_seg *seg, void *user)
{
    struct move_undo *undo = user;
    struct replica *replica = &graph_segment(seg)->replica;
    memory_preimage_gone(engine, replica->pre, NODES_NONE);
    bool had = replica->version > replica->dirty;
    bool have = replica_undo(replica, undo->torn);
    if (had && !have && (task_accesses(task)[access].mode & FGPU_READ))
        undo->whole = false;
    return true;
}

bool move_unclaim(struct engine *engine, struct task *task, uint32_t node, bool torn)
{
    struct move_undo undo = {torn ? node : NODES_NONE, true};
    for (uint32_t i = 0; i < task->access_count; i++)
        if (task_accesses(task)[i].mode & FGPU_WRITE)
            (void)graph_walk(engine, task, i, move_unclaim_segment, &undo);
    return undo.whole;
}
