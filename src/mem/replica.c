/* Transitions of a segment's validity; see replica.h for the states and what is kept true.
 *
 * The scheme is write-invalidate with planning-time updates: the state says what will be true once
 * the commands already handed out have finished, which in-order queues and the core's waiting make
 * safe (C. Augonnet et al., StarPU, CCPE 2011, use the same MSI states per memory node).
 */
#include "mem/replica.h"

#include "base/assert.h"

static void replica_assign(uint64_t *set, uint64_t to)
{
    nodes_clear(set);
    *set = to;
}

static uint64_t replica_alone(uint32_t node)
{
    uint64_t set = 0;
    nodes_add(&set, node);
    return set;
}

void replica_clone(struct replica *replica)
{
    replica->valid = nodes_copy(replica->valid);
    replica->pre = nodes_copy(replica->pre);
}

void replica_fini(struct replica *replica)
{
    nodes_clear(&replica->valid);
    nodes_clear(&replica->pre);
}

enum replica_kind replica_kind(const struct replica *replica, uint32_t node)
{
    if (!nodes_has(replica->valid, node))
        return REPLICA_INVALID;
    return nodes_is_single(replica->valid) ? REPLICA_OWNED : REPLICA_SHARED;
}

void replica_adopt(struct replica *replica)
{
    *replica = (struct replica){.valid = 1, .version = 1};
}

void replica_share(struct replica *replica, uint32_t node)
{
    FGPU_ASSERT(replica->valid != 0);
    nodes_add(&replica->valid, node);
    nodes_remove(&replica->pre, node);
}

void replica_write_any(struct replica *replica, uint32_t node)
{
    if (replica->dirty == 0) {
        nodes_clear(&replica->pre);
        replica->pre = replica->valid;
        replica->valid = 0;
    }
    replica_assign(&replica->valid, replica_alone(node));
    replica->version++;
    replica->dirty++;
}

void replica_commit_any(struct replica *replica, uint32_t node)
{
    FGPU_ASSERT(replica->dirty > 0);
    replica_assign(&replica->pre, --replica->dirty == 0 ? 0 : replica_alone(node));
}

bool replica_undo(struct replica *replica, uint32_t torn)
{
    FGPU_ASSERT(replica->dirty > 0);
    if (torn != NODES_NONE)
        nodes_remove(&replica->pre, torn);
    replica_assign(&replica->valid, nodes_copy(replica->pre));
    replica->version--;
    if (--replica->dirty == 0)
        nodes_clear(&replica->pre);
    return replica->valid != 0;
}

bool replica_drop(struct replica *replica, uint32_t node)
{
    bool last = nodes_is_only(replica->valid, node);
    nodes_remove(&replica->valid, node);
    nodes_remove(&replica->pre, node);
    return !last;
}

bool replica_equal(const struct replica *a, const struct replica *b)
{
    return nodes_equal(a->valid, b->valid) && nodes_equal(a->pre, b->pre) && a->dirty == b->dirty &&
           replica_is_lost(a) == replica_is_lost(b);
}

void replica_check(const struct replica *replica, uint64_t present)
{
    FGPU_ASSERT(nodes_within(replica->valid, present));
    FGPU_ASSERT(nodes_within(replica->pre, present));
    FGPU_ASSERT(replica->pre == 0 || replica->dirty > 0);
    FGPU_ASSERT(replica->valid == 0 || replica->version > 0);
}

void replica_spoil(struct replica *replica, uint32_t node)
{
    nodes_remove(&replica->pre, node);
    if (replica->dirty == 0)
        nodes_remove(&replica->valid, node);
}
