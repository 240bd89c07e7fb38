/* The list of copies in flight on a block, the newest first: put in and taken out in O(1).
 *
 * A copy hangs in the lists of its two blocks (one, where it stays within a node). Part of the move
 * step; runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_OPS_H
#define FASTGPU_CORE_OPS_H

#include "core/engine.h"

/* The copy's place in the list of its block on that node. */
static inline struct op_links *ops_links(struct op *op, uint32_t node)
{
    return op->src_node == node ? &op->in_src : &op->in_dst;
}

static inline uint32_t ops_next(struct op *op, uint32_t node)
{
    return ops_links(op, node)->next;
}

void ops_push(struct engine *engine, struct block *block, uint32_t index);
void ops_remove(struct engine *engine, struct block *block, uint32_t index);

#endif
