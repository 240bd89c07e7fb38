/* The bound and the check of plans: see offsets.h. Both walk through time, ends before beginnings;
 * the check keeps what is alive in the order of its offsets and looks at neighbours only.
 */
#include <stdlib.h>
#include <string.h>
#include "mem/offsets.h"

struct offsets_event {
    uint64_t time;
    uint32_t block;
    uint32_t begins;
};

static int offsets_event_order(const void *a, const void *b)
{
    const struct offsets_event *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    if (x->begins != y->begins)
        return x->begins < y->begins ? -1 : 1;
    return x->block < y->block ? -1 : x->block > y->block;
}

/* [give] alloc_put() them. NULL without memory. */
static struct offsets_event *offsets_events(const struct offsets_block *blocks, uint32_t count,
                                            const struct alloc_hooks *hooks)
{
    struct offsets_event *events = alloc_get(hooks, 2 * (size_t)count * sizeof *events, 64);
    for (uint32_t i = 0; events != NULL && i < count; i++) {
        events[2 * (size_t)i] = (struct offsets_event){blocks[i].lower, i, 1};
        events[2 * (size_t)i + 1] = (struct offsets_event){blocks[i].upper, i, 0};
    }
    if (events != NULL)
        qsort(events, 2 * (size_t)count, sizeof *events, offsets_event_order);
    return events;
}

uint64_t offsets_bound(const struct offsets_block *blocks, uint32_t count,
                       const struct alloc_hooks *hooks, uint64_t *time)
{
    uint64_t live = 0, most = 0;
    if (time != NULL)
        *time = 0;
    if (count == 0)
        return 0;
    struct offsets_event *events = offsets_events(blocks, count, hooks);
    if (events == NULL)
        return UINT64_MAX;
    for (size_t i = 0; i < 2 * (size_t)count; i++) {
        uint64_t bytes = blocks[events[i].block].bytes;
        live = events[i].begins != 0 ? live + bytes : live - bytes;
        if (live > most && time != NULL)
            *time = events[i].time;
        most = live > most ? live : most;
    }
    alloc_put(hooks, events, 2 * (size_t)count * sizeof *events);
    return most;
}

/* Where `offset` belongs among what is alive. */
static uint32_t offsets_place(const uint32_t *alive, uint32_t count, const uint64_t *offsets,
                              uint64_t offset)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (offsets[alive[middle]] < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct offsets_checker {
    const struct offsets_block *blocks;
    const uint64_t *offsets;
    uint32_t *alive; /* by offset: no two are alike, for those would overlap */
    uint32_t count;
    uint32_t a, b;
};

static bool offsets_begin(struct offsets_checker *checker, uint32_t block)
{
    uint64_t at = checker->offsets[block];
    uint32_t place = offsets_place(checker->alive, checker->count, checker->offsets, at);
    checker->a = block;
    if (place < checker->count) {
        checker->b = checker->alive[place];
        if (at + checker->blocks[block].bytes > checker->offsets[checker->b])
            return false;
    }
    if (place > 0) {
        checker->b = checker->alive[place - 1];
        if (checker->offsets[checker->b] + checker->blocks[checker->b].bytes > at)
            return false;
    }
    memmove(checker->alive + place + 1, checker->alive + place,
            (checker->count - place) * sizeof *checker->alive);
    checker->alive[place] = block;
    checker->count++;
    return true;
}

static void offsets_end(struct offsets_checker *checker, uint32_t block)
{
    uint32_t place =
        offsets_place(checker->alive, checker->count, checker->offsets, checker->offsets[block]);
    checker->count--;
    memmove(checker->alive + place, checker->alive + place + 1,
            (checker->count - place) * sizeof *checker->alive);
}

enum offsets_verdict offsets_check(const struct offsets_block *blocks, const uint64_t *offsets,
                                   uint32_t count, uint64_t bytes, uint32_t *a, uint32_t *b)
{
    enum offsets_verdict verdict = OFFSETS_GOOD;
    struct offsets_checker checker = {.blocks = blocks, .offsets = offsets};
    *a = *b = 0;
    for (uint32_t i = 0; i < count; i++) {
        *a = *b = i;
        if (offsets[i] > bytes || blocks[i].bytes > bytes - offsets[i])
            return OFFSETS_OUTSIDE;
    }
    if (count == 0)
        return OFFSETS_GOOD;
    struct offsets_event *events = offsets_events(blocks, count, NULL);
    checker.alive = alloc_get(NULL, count * sizeof *checker.alive, 64);
    if (events == NULL || checker.alive == NULL)
        verdict = OFFSETS_UNKNOWN;
    for (size_t i = 0; verdict == OFFSETS_GOOD && i < 2 * (size_t)count; i++) {
        if (events[i].begins == 0)
            offsets_end(&checker, events[i].block);
        else if (!offsets_begin(&checker, events[i].block))
            verdict = OFFSETS_OVERLAP;
    }
    *a = checker.a;
    *b = checker.b;
    alloc_put(NULL, events, 2 * (size_t)count * sizeof *events);
    alloc_put(NULL, checker.alive, count * sizeof *checker.alive);
    return verdict;
}
