/* Memory of buffers on nodes: blocks, pins, eviction. The move step's lower half. See memory.c.
 *
 * Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_MEMORY_H
#define FASTGPU_CORE_MEMORY_H

#include "core/engine.h"

enum memory_answer {
    MEMORY_OK,
    MEMORY_WAIT,  /* the task has been put on a waiting list */
    MEMORY_EVICT, /* *victim must be written back to the host first; then ask again */
    MEMORY_AGAIN, /* what the task had there has gone, too: ask for all its buffers again */
    MEMORY_NEVER, /* the device has none for the task (memory_refused): another may */
    MEMORY_FAILED /* the task has been doomed with a reason */
};

/* A block for the buffer on the node. [out] victim: buffer slot, with MEMORY_EVICT. */
enum memory_answer memory_get(struct engine *engine, struct task *task, uint32_t buffer,
                              uint32_t node, uint32_t *victim);

/* A block of the spill node, for a victim of the host's: MEMORY_OK, MEMORY_WAIT, MEMORY_FAILED, or
 * MEMORY_NEVER: there is no room. */
enum memory_answer memory_spill_get(struct engine *engine, struct task *task, uint32_t buffer);

/* What only the node held has arrived elsewhere: its block goes at once, or others who need that
 * room might take the copy away again before its task looks. */
void memory_written_back(struct engine *engine, uint32_t buffer, uint32_t node);

/* Does the task need the buffer's block on the node? What it runs on a device with goes through the
 * host's memory only. */
bool memory_needs(const struct engine *engine, const struct task *task, uint32_t buffer,
                  uint32_t node);

/* What was to go there did not, or not all of it: it has no room there any more, and until
 * something else goes nothing is sent. */
void memory_spill_refused(struct engine *engine, uint32_t buffer);

/* Had the device no memory for the task's data? */
bool memory_refused(const struct engine *engine, const struct task *task, uint32_t device);

/* A block without waiting, for what is brought ahead of its task: true when it is there. Evicts
 * only what no placed task wants, and at most writes some of that back first, which is ordered by
 * the caller: *victim is its slot, else TASK_NONE. [in] task: NULL: for no task; nothing goes. */
bool memory_try(struct engine *engine, const struct task *task, uint32_t buffer, uint32_t node,
                uint32_t *victim);

/* The task, placed on the node, will need its blocks there: they go last. And not any more. */
void memory_want(struct engine *engine, struct task *task, uint32_t node);
void memory_unwant(struct engine *engine, struct task *task, uint32_t node);

/* The caller's memory is the buffer's block on the host. */
void memory_adopt(struct engine *engine, struct buffer *buffer, void *memory, uint64_t bytes);

/* The task has all its blocks on the node, or gives up: others may evict again. */
void memory_settled(struct engine *engine, struct task *task, uint32_t node);

/* The block is the last to be looked at when one is to go. */
void memory_use_last(struct engine *engine, struct block *block);

void memory_pin(struct engine *engine, uint32_t buffer, uint32_t node);
void memory_unpin(struct engine *engine, uint32_t buffer, uint32_t node);

/* The nodes of the set, but `kept` (NODES_NONE: none), no longer hold what a task in flight would
 * start again from: who waits for memory there looks again. */
void memory_preimage_gone(struct engine *engine, uint64_t nodes, uint32_t kept);

/* Free all blocks of a buffer; none is pinned. */
void memory_release(struct engine *engine, struct buffer *buffer);

/* The node's memory is gone with its device: blocks vanish without FREE records. */
void memory_node_lost(struct engine *engine, uint32_t node);

/* ---- for core/places.c ------------------------------------------------------------------- */

void memory_appear(struct engine *engine, struct block *block);
void memory_evict_clean(struct engine *engine, struct buffer *buffer, uint32_t node);
/* A slab that the heap knows of is asked for; the task waits for it. */
enum memory_answer memory_grow(struct engine *engine, struct task *task, uint32_t node,
                               uint64_t bytes);
void memory_grow_ahead(struct engine *engine, uint32_t node, uint64_t bytes);
/* Empty slabs go back to the device while they hold more. */
void memory_trim(struct engine *engine, uint32_t node, uint64_t keep_bytes);

/* Backend handle and offset of a present block. */
static inline const struct heap_block *memory_at(struct buffer *buffer, uint32_t node)
{
    return &engine_block(buffer, node)->heap;
}

#endif
