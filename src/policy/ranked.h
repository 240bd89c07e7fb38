/* Tasks by rank: the least key first, those of one key in the order of submission.
 *
 * A binary heap (J. Williams: Algorithm 232, CACM 1964) of task numbers; taking one out of the
 * middle looks through all, for cancelling and inheriting are rare. Pure. Thread: one.
 */
#ifndef FASTGPU_POLICY_RANKED_H
#define FASTGPU_POLICY_RANKED_H

#include "base/vec.h"

#define RANKED_NONE UINT32_MAX

struct ranked_item {
    uint64_t key;
    uint32_t order; /* of submission; wraps */
    uint32_t task;
};

struct ranked {
    struct vec items; /* struct ranked_item */
};

void ranked_init(struct ranked *ranked, const struct alloc_hooks *hooks);
void ranked_fini(struct ranked *ranked);

/* False without memory. */
bool ranked_push(struct ranked *ranked, struct ranked_item item);
/* NULL: it is empty. */
const struct ranked_item *ranked_top(const struct ranked *ranked);
/* The task of the top, which is taken off; RANKED_NONE: it is empty. */
uint32_t ranked_pop(struct ranked *ranked);
/* False: the task is not there. */
bool ranked_remove(struct ranked *ranked, uint32_t task);

static inline uint32_t ranked_count(const struct ranked *ranked)
{
    return (uint32_t)ranked->items.count;
}

#endif
