/* Blocks on a device are moved together when one does not fit though the sum of the holes would.
 *
 * The heap makes the plan (mem/heap_compact.h); here it becomes copies within the node, and a block
 * has its new place when its copy has ended well. Meanwhile it is pinned, and whoever wants to use
 * it waits: no command ever knows a place that changes. Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_COMPACT_H
#define FASTGPU_CORE_COMPACT_H

#include "core/engine.h"

/* Room for a block of `bytes` that the task needs on its device's node. True: blocks are on their
 * way; ask again when memory_waiters of the node are woken. */
bool compact_start(struct engine *engine, const struct task *task, uint32_t node, uint64_t bytes);

/* A copy with op->moves has ended. */
void compact_moved(struct engine *engine, const struct op *op, fgpu_status status);

void compact_fini(struct engine *engine, struct engine_node *node);

#endif
