/* The least number of tiles that are copied for tasks in a given order, on a device with room for
 * some of them: see bench_tiles.h. Rules that know the whole order (the farthest next use goes
 * first, and variants that spare what would have to be written back); the best of them. Pure. */
#include "cli/bench/bench_tiles.h"

#include <stdlib.h>
#include <string.h>

#define LEAST_SHARES 5 /* a clean tile goes in place of a dirty one that is needed later, ... */

/* One walk through the order. */
struct least_walk {
    const struct tiles_graph *graph;
    const uint32_t *order;
    uint32_t room, held;
    double share;    /* ... where it is needed in no less than that share of its time */
    uint32_t *next;  /* [use of a task] when the tile is used next */
    uint32_t *there; /* [buffer] its next use, 0: it is not on the device */
    bool *dirty;     /* [buffer] */
    uint64_t copies;
};

/* The tiles of a task, each once. */
static uint32_t least_uses(const struct tiles_task *task, uint32_t uses[3])
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < 3; i++) {
        bool is_there = false;
        for (uint32_t k = 0; k < count; k++)
            is_there = is_there || uses[k] == task->tiles[i];
        if (!is_there)
            uses[count++] = task->tiles[i];
    }
    return count;
}

static void least_look_ahead(struct least_walk *walk, uint32_t *last)
{
    uint32_t count = walk->graph->task_count, uses[3];

    for (uint32_t b = 0; b < walk->graph->buffer_count; b++)
        last[b] = 4 * count; /* never */
    for (uint32_t at = count; at-- > 0;) {
        uint32_t used = least_uses(&walk->graph->tasks[walk->order[at]], uses);
        for (uint32_t i = 0; i < used; i++)
            walk->next[3 * at + i] = last[uses[i]];
        for (uint32_t i = 0; i < used; i++)
            last[uses[i]] = at;
    }
}

static bool least_is_used(const uint32_t uses[3], uint32_t used, uint32_t buffer)
{
    for (uint32_t i = 0; i < used; i++)
        if (uses[i] == buffer)
            return true;
    return false;
}

static void least_evict(struct least_walk *walk, const uint32_t uses[3], uint32_t used, uint32_t at)
{
    uint32_t farthest = UINT32_MAX, clean = UINT32_MAX;

    for (uint32_t b = 0; b < walk->graph->buffer_count; b++) {
        if (walk->there[b] == 0 || least_is_used(uses, used, b))
            continue;
        if (farthest == UINT32_MAX || walk->there[b] > walk->there[farthest])
            farthest = b;
        if (!walk->dirty[b] && (clean == UINT32_MAX || walk->there[b] > walk->there[clean]))
            clean = b;
    }
    if (farthest == UINT32_MAX)
        return;
    if (walk->dirty[farthest] && clean != UINT32_MAX &&
        walk->there[clean] - at >= (walk->there[farthest] - at) * walk->share)
        farthest = clean;
    walk->copies += walk->dirty[farthest];
    walk->dirty[farthest] = false;
    walk->there[farthest] = 0;
    walk->held--;
}

static uint64_t least_run(struct least_walk *walk)
{
    uint32_t uses[3];

    walk->held = 0;
    walk->copies = 0;
    memset(walk->there, 0, walk->graph->buffer_count * sizeof *walk->there);
    memset(walk->dirty, 0, walk->graph->buffer_count * sizeof *walk->dirty);
    for (uint32_t at = 0; at < walk->graph->task_count; at++) {
        uint32_t used = least_uses(&walk->graph->tasks[walk->order[at]], uses), missing = 0;
        for (uint32_t i = 0; i < used; i++)
            missing += walk->there[uses[i]] == 0;
        while (walk->held > 0 && walk->held + missing > walk->room) {
            uint32_t before = walk->held;
            least_evict(walk, uses, used, at);
            if (walk->held == before)
                break;
        }
        walk->held += missing;
        walk->copies += missing;
        for (uint32_t i = 0; i < used; i++)
            walk->there[uses[i]] = walk->next[3 * at + i];
        walk->dirty[walk->graph->tasks[walk->order[at]].tiles[2]] = true;
    }
    return walk->copies;
}

uint64_t tiles_least(const struct tiles_graph *graph, const uint32_t *order, uint32_t room)
{
    struct least_walk walk = {.graph = graph, .order = order, .room = room};
    uint32_t *last = calloc((size_t)graph->buffer_count + 1, sizeof *last);
    uint64_t least = UINT64_MAX;

    walk.next = calloc(3 * (size_t)graph->task_count + 1, sizeof *walk.next);
    walk.there = calloc((size_t)graph->buffer_count + 1, sizeof *walk.there);
    walk.dirty = calloc((size_t)graph->buffer_count + 1, sizeof *walk.dirty);
    if (last && walk.next && walk.there && walk.dirty) {
        least_look_ahead(&walk, last);
        for (uint32_t i = 0; i < LEAST_SHARES; i++) {
            walk.share = (double)i / (LEAST_SHARES - 1);
            uint64_t copies = least_run(&walk);
            least = copies < least ? copies : least;
        }
    }
    free(last);
    free(walk.next);
    free(walk.there);
    free(walk.dirty);
    return least;
}
