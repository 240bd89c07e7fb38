/* What happens next: a priority queue of numbered appointments, each at one time or at none.
 *
 * A heap with four children a node and the place of every appointment beside it, so that one can be
 * moved or cancelled (R. Tarjan: Data Structures and Network Algorithms, 1983, 3: d-heaps). Equal
 * times come in the order of their numbers. O(log n) a change, O(1) to look. Thread: one.
 */
#ifndef FASTGPU_BASE_AGENDA_H
#define FASTGPU_BASE_AGENDA_H

#include <stdbool.h>
#include <stdint.h>
#include "base/alloc.h"

#define AGENDA_NEVER UINT64_MAX

struct agenda_entry {
    uint64_t time;
    uint32_t id;
};

struct agenda {
    struct agenda_entry *heap;
    uint32_t *places; /* [id]: in the heap, UINT32_MAX: not there */
    uint32_t count, limit;
};

/* For the numbers 0 .. limit - 1. False without memory. */
bool agenda_init(struct agenda *agenda, uint32_t limit);
void agenda_fini(struct agenda *agenda);

/* Sets, moves or (AGENDA_NEVER) cancels. */
void agenda_set(struct agenda *agenda, uint32_t id, uint64_t time);

/* The time of the first one, AGENDA_NEVER when there is none. [out] id. */
static inline uint64_t agenda_first(const struct agenda *agenda, uint32_t *id)
{
    if (agenda->count == 0)
        return AGENDA_NEVER;
    *id = agenda->heap[0].id;
    return agenda->heap[0].time;
}

#endif
