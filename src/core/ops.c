/* Copies in flight on a block: see ops.h. */
#include "core/ops.h"

static struct op_links *ops_at(struct engine *engine, uint32_t index, uint32_t node)
{
    return ops_links(table_at(&engine->ops, index), node);
}

void ops_push(struct engine *engine, struct block *block, uint32_t index)
{
    *ops_at(engine, index, block->node) = (struct op_links){.next = block->ops, .prev = OP_NONE};
    if (block->ops != OP_NONE)
        ops_at(engine, block->ops, block->node)->prev = index;
    block->ops = index;
}

void ops_remove(struct engine *engine, struct block *block, uint32_t index)
{
    const struct op_links links = *ops_at(engine, index, block->node);
    FGPU_ASSERT(links.prev != OP_NONE || block->ops == index);
    if (links.prev != OP_NONE)
        ops_at(engine, links.prev, block->node)->next = links.next;
    else
        block->ops = links.next;
    if (links.next != OP_NONE)
        ops_at(engine, links.next, block->node)->prev = links.prev;
}
