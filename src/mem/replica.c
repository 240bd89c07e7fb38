/* Transitions of a segment's validity; see replica.h for the states and what is kept true.
 *
 * The scheme is write-invalidate with planning-time updates: the state says what will be true once
 * the commands already handed out have finished, which in-order queues and the core's waiting make
 * safe (C. Augonnet et al., StarPU, CCPE 2011, use the same MSI states per memory node).
 */
#include "mem/replica.h"

#include "base/assert.h"

static uint64_t replica_bit(uint32_t node)
{
    FGPU_DEBUG_ASSERT(node < 64);
    return UINT64_C(1) << node;
}

enum replica_kind replica_kind(const struct replica *replica, uint32_t node)
{
    uint64_t bit = replica_bit(node);
    if ((replica->valid & bit) == 0)
        return REPLICA_INVALID;
    return replica->valid == bit ? REPLICA_OWNED : REPLICA_SHARED;
}

void replica_adopt(struct replica *replica)
{
    *replica = (struct replica){.valid = 1, .version = 1};
}

void replica_share(struct replica *replica, uint32_t node)
{
    FGPU_ASSERT(replica->valid != 0);
    replica->valid |= replica_bit(node);
    replica->pre &= ~replica_bit(node);
}

void replica_write(struct replica *replica, uint32_t node)
{
    uint64_t bit = replica_bit(node);
    if (replica->dirty == 0)
        replica->pre = replica->valid;
    replica->valid = bit;
    replica->version++;
    replica->dirty++;
}

void replica_commit(struct replica *replica, uint32_t node)
{
    FGPU_ASSERT(replica->dirty > 0);
    replica->pre = --replica->dirty == 0 ? 0 : replica_bit(node);
}

bool replica_undo(struct replica *replica, uint64_t torn)
{
    FGPU_ASSERT(replica->dirty > 0);
    replica->pre &= ~torn;
    replica->valid = replica->pre;
    replica->version--;
    if (--replica->dirty == 0)
        replica->pre = 0;
    return replica->valid != 0;
}

bool replica_drop(struct replica *replica, uint32_t node)
{
    uint64_t bit = replica_bit(node);
    bool last = replica->valid == bit;
    replica->valid &= ~bit;
    replica->pre &= ~bit;
    return !last;
}

bool replica_equal(const struct replica *a, const struct replica *b)
{
    return a->valid == b->valid && a->pre == b->pre && a->dirty == b->dirty &&
           replica_is_lost(a) == replica_is_lost(b);
}

void replica_check(const struct replica *replica, uint64_t present)
{
    FGPU_ASSERT((replica->valid & ~present) == 0);
    FGPU_ASSERT((replica->pre & ~present) == 0);
    FGPU_ASSERT(replica->pre == 0 || replica->dirty > 0);
    FGPU_ASSERT(replica->valid == 0 || replica->version > 0);
}

void replica_spoil(struct replica *replica, uint32_t node)
{
    uint64_t bit = replica_bit(node);
    replica->pre &= ~bit;
    if (replica->dirty == 0)
        replica->valid &= ~bit;
}
