/* Copies that wait for their links, in the order of their urgency.
 *
 * The first WAITING_FRONT of them lie in order in an array, which is gone through whenever a link
 * has room again; the others lie in a heap behind it. Putting one in or taking one out costs the
 * logarithm of how many there are. Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_WAITING_H
#define FASTGPU_CORE_WAITING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

#define WAITING_FRONT 64u /* of those that wait, from the most urgent, may overtake */
#define WAITING_UNKNOWN UINT32_MAX

struct waiting_copy {
    int64_t rank;
    uint64_t order; /* of equals the smaller goes first; set by waiting_put() */
    uint32_t op;
    bool early; /* its task is not ready: after all others */
};

struct waiting {
    struct waiting_copy front[WAITING_FRONT]; /* the most urgent first */
    uint32_t blocked[WAITING_FRONT]; /* of each a full link on its way, when it was last looked at;
                                        WAITING_UNKNOWN: it has come to the front since then */
    uint32_t front_count;
    struct vec heap;   /* struct waiting_copy; empty unless the front is full */
    struct vec places; /* uint32_t by op: its place in the heap, WAITING_IN_FRONT, WAITING_NOT */
    uint64_t order;
};

void waiting_init(struct waiting *waiting, const struct alloc_hooks *hooks);
void waiting_fini(struct waiting *waiting);

/* False without memory. The copy must not wait already. [in] blocked: a full link on its way. */
bool waiting_put(struct waiting *waiting, struct waiting_copy copy, uint32_t blocked);

/* Takes it out; false when it does not wait. [out] copy: as it was. */
bool waiting_take(struct waiting *waiting, uint32_t op, struct waiting_copy *copy);

/* As it is; NULL when it does not wait. Until the next call. */
const struct waiting_copy *waiting_find(const struct waiting *waiting, uint32_t op);

/* The copy at a place of the front has gone; waiting_closed() must follow. */
void waiting_gone(struct waiting *waiting, uint32_t place);
/* Fills the front up again. */
void waiting_closed(struct waiting *waiting);

/* All of them, in no order: NULL behind the last. */
const struct waiting_copy *waiting_at(const struct waiting *waiting, size_t index);

/* Does `a` go before `b`? */
static inline bool waiting_before(const struct waiting_copy *a, const struct waiting_copy *b)
{
    if (a->early != b->early)
        return b->early;
    return a->rank != b->rank ? a->rank > b->rank : a->order < b->order;
}

#endif
