/* Validity of one segment of a buffer on each memory node, and the only code that changes it.
 *
 * A node's copy is INVALID, SHARED (others hold the same version) or OWNED (it alone does). Every
 * write makes a new version. Beside it lies the pre-image set: the nodes whose memory still holds
 * what the segment was before the writers that are in flight now; it is what a started task can be
 * run again from when its device dies. Keeps true: valid and pre name only nodes that hold memory
 * (the caller drops a node before it frees the memory); pre is empty when no writer is in flight.
 * Pure; one thread.
 */
#ifndef FASTGPU_MEM_REPLICA_H
#define FASTGPU_MEM_REPLICA_H

#include "mem/nodes.h"

enum replica_kind { REPLICA_INVALID, REPLICA_SHARED, REPLICA_OWNED };

struct replica {
    uint64_t valid;   /* nodes that hold the current version (mem/nodes.h) */
    uint64_t pre;     /* nodes that hold the version before the unfinished writers */
    uint32_t version; /* of the contents; 0: never written */
    uint32_t dirty;   /* unfinished writers since `pre` was taken */
};

static inline bool replica_is_valid(const struct replica *replica, uint32_t node)
{
    return nodes_has(replica->valid, node);
}

/* Any contents at all? A segment that was never written has none, and need not be copied. */
static inline bool replica_has_data(const struct replica *replica)
{
    return replica->valid != 0;
}

/* It had contents once, and no node holds them any more. */
static inline bool replica_is_lost(const struct replica *replica)
{
    return replica->valid == 0 && replica->version > 0;
}

/* For a copy of the segment's state: sets that are lists get one of their own; and are given back.
 */
void replica_clone(struct replica *replica);
void replica_fini(struct replica *replica);

enum replica_kind replica_kind(const struct replica *replica, uint32_t node);

/* The caller's memory is the contents: node 0 owns version 1. */
void replica_adopt(struct replica *replica);

/* A copy of the current version arrives (or is ordered to arrive) on `node`. */
void replica_share(struct replica *replica, uint32_t node);

/* A task that writes was handed to a device working in `node`: it owns the next version, all other
 * copies are old. */
void replica_write_any(struct replica *replica, uint32_t node);
static inline void replica_write(struct replica *replica, uint32_t node)
{
    if (!nodes_are_bits(replica->valid | replica->pre) || node >= NODES_SMALL) {
        replica_write_any(replica, node);
        return;
    }
    if (replica->dirty++ == 0)
        replica->pre = replica->valid;
    replica->valid = UINT64_C(1) << node;
    replica->version++;
}

/* The oldest writer in flight, which worked in `node`, has ended: it cannot be taken back any more.
 * What it left there is what the next one in flight began with; with the last of them the pre-image
 * is no longer needed. */
void replica_commit_any(struct replica *replica, uint32_t node);
static inline void replica_commit(struct replica *replica, uint32_t node)
{
    if (!nodes_are_bits(replica->pre) || node >= NODES_SMALL || replica->dirty == 0)
        replica_commit_any(replica, node);
    else
        replica->pre = --replica->dirty == 0 ? 0 : UINT64_C(1) << node;
}

/* A writer that was handed out is taken back: the pre-image is the contents again. `torn`:
 * the node whose memory it may have changed all the same, or NODES_NONE. Later writers in flight
 * are taken back too, each by a call of its own. False when no node holds the old contents any
 * more; then no node is valid. */
bool replica_undo(struct replica *replica, uint32_t torn);

/* A copy to `node` failed: what it was to bring is not there. Writers in flight keep what they own.
 */
void replica_spoil(struct replica *replica, uint32_t node);

/* The memory on `node` goes away, or its contents are not to be trusted. Returns false when it held
 * the only valid copy. */
bool replica_drop(struct replica *replica, uint32_t node);

/* The same contents history: two neighbours may become one segment. What was lost is not what was
 * never written: the one is an error to read, the other is not. */
bool replica_equal(const struct replica *a, const struct replica *b);

/* Assert what the head of this file says. [in] present: the nodes that hold memory for this buffer.
 */
void replica_check(const struct replica *replica, uint64_t present);

#endif
