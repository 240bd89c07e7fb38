/* Heaps of planned tasks by lane, see turns.h. What has begun meanwhile is dropped when it is on
 * top.
 *
 * Keeps true: the tasks of a lane are items[first .. first + count), none starts before the one at
 * (its place + 1) / 2 - 1 of them.
 */
#include "core/turns.h"

#include "core/planner.h"

struct turns_item {
    uint64_t start_ns;
    uint32_t task;
};

struct turns_lane {
    uint32_t first, count;
};

void turns_init(struct turns *turns, const struct alloc_hooks *hooks)
{
    vec_init(&turns->items, sizeof(struct turns_item), hooks);
    vec_init(&turns->lanes, sizeof(struct turns_lane), hooks);
    turns->known = false;
}

void turns_fini(struct turns *turns)
{
    vec_fini(&turns->items);
    vec_fini(&turns->lanes);
}

void turns_forget(struct turns *turns, uint32_t lanes, size_t slots)
{
    turns->known = false;
    (void)vec_reserve(&turns->lanes, lanes);
    (void)vec_reserve(&turns->items, slots);
}

static bool turns_before(const struct turns_item *a, const struct turns_item *b)
{
    return a->start_ns != b->start_ns ? a->start_ns < b->start_ns : a->task < b->task;
}

static void turns_sink(struct turns_item *heap, uint32_t count, uint32_t at)
{
    for (uint32_t child = 2 * at + 1; child < count; at = child, child = 2 * at + 1) {
        struct turns_item item = heap[at];
        if (child + 1 < count && turns_before(&heap[child + 1], &heap[child]))
            child++;
        if (!turns_before(&heap[child], &item))
            return;
        heap[at] = heap[child];
        heap[child] = item;
    }
}

static struct turns_lane *turns_lane_of(const struct turns *turns, uint32_t lane)
{
    return vec_at(&turns->lanes, lane);
}

/* The tasks go to their lanes, in any order. */
static void turns_put(const struct engine *engine, struct turns *turns)
{
    const struct planner *planner = engine->planner;
    for (size_t slot = 0; slot < planner->entries.count; slot++) {
        const struct planned *planned = vec_at(&planner->entries, slot);
        if (planned->lane == PLAN_NONE)
            continue;
        struct turns_lane *lane = turns_lane_of(turns, planned->lane);
        struct turns_item *item = vec_at(&turns->items, lane->first + lane->count++);
        *item = (struct turns_item){.start_ns = planned->start_ns, .task = (uint32_t)slot};
    }
}

static bool turns_make(const struct engine *engine, struct turns *turns)
{
    const struct planner *planner = engine->planner;
    uint32_t sum = 0;
    vec_clear(&turns->lanes);
    vec_clear(&turns->items);
    for (uint32_t i = 0; i < engine->lane_count; i++)
        if (vec_push(&turns->lanes, NULL) == NULL)
            return false;
    if (!vec_reserve(&turns->items, planner->entries.capacity))
        return false;
    turns->items.count = planner->entries.count;
    for (size_t slot = 0; slot < planner->entries.count; slot++) {
        const struct planned *planned = vec_at(&planner->entries, slot);
        if (planned->lane != PLAN_NONE)
            turns_lane_of(turns, planned->lane)->first++; /* their number, for now */
    }
    for (uint32_t i = 0; i < engine->lane_count; i++) {
        struct turns_lane *lane = turns_lane_of(turns, i);
        uint32_t first = sum;
        sum += lane->first;
        lane->first = first;
    }
    turns_put(engine, turns);
    for (uint32_t i = 0; i < engine->lane_count; i++) {
        const struct turns_lane *lane = turns_lane_of(turns, i);
        struct turns_item *heap = (struct turns_item *)(void *)turns->items.items + lane->first;
        for (uint32_t at = lane->count / 2; at-- > 0;)
            turns_sink(heap, lane->count, at);
    }
    turns->known = true;
    return true;
}

/* Does the lane still wait for it? */
static bool turns_is_to_come(const struct engine *engine, uint32_t slot, const struct lane *lane)
{
    const struct task *task = engine_task(engine, slot);
    const struct planned *planned = planner_at(engine, slot);
    return planned != NULL && planned->lane == lane->index && window_takes(task);
}

bool turns_is_next(struct engine *engine, const struct task *task, const struct lane *lane)
{
    struct turns *turns = &engine->planner->turns;
    if (!turns->known && !turns_make(engine, turns))
        return false;
    struct turns_lane *of = turns_lane_of(turns, lane->index);
    struct turns_item *heap = (struct turns_item *)(void *)turns->items.items + of->first;
    while (of->count > 0 && !turns_is_to_come(engine, heap[0].task, lane)) {
        heap[0] = heap[--of->count];
        turns_sink(heap, of->count, 0);
    }
    return of->count > 0 && heap[0].task == task->self;
}
