/* A worker's queue: sorted, with running sums, so that "how long until a task of this rank would
 * start here" costs a binary search. Sums count from the queue's beginning and are never adjusted
 * for what leaves at the front; see world.h.
 */
#include "plan/world.h"

/* The first place whose rank is lower. */
static uint32_t queue_place(const struct world_queue *queue, int64_t rank)
{
    uint32_t low = 0, high = queue->count;
    if (high > 0 && world_queue_at(queue, high - 1)->rank >= rank)
        return high;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (world_queue_at(queue, middle)->rank >= rank)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool queue_room(struct world_queue *queue)
{
    if (queue->head + queue->count < queue->capacity)
        return true;
    if (queue->head > queue->capacity / 2) {
        memmove(queue->items, queue->items + queue->head, queue->count * sizeof *queue->items);
        queue->head = 0;
        return true;
    }
    uint32_t capacity = queue->capacity == 0 ? 16 : 2 * queue->capacity;
    struct world_item *items = alloc_get(queue->hooks, capacity * sizeof *items, 16);
    if (items == NULL)
        return false;
    if (queue->count > 0)
        memcpy(items, queue->items + queue->head, queue->count * sizeof *items);
    alloc_put(queue->hooks, queue->items, queue->capacity * sizeof *queue->items);
    queue->items = items;
    queue->capacity = capacity;
    queue->head = 0;
    return true;
}

bool world_queue_insert(struct world_queue *queue, const struct world_item *item, int64_t cost_ns)
{
    if (!queue_room(queue))
        return false;
    uint32_t place = queue_place(queue, item->rank);
    struct world_item *items = queue->items + queue->head;
    for (uint32_t i = queue->count; i > place; i--) {
        items[i] = items[i - 1];
        items[i].through_ns += cost_ns;
    }
    items[place] = *item;
    items[place].through_ns =
        (place > 0 ? items[place - 1].through_ns : queue->popped_ns) + cost_ns;
    queue->count++;
    return true;
}

void world_queue_remove(struct world_queue *queue, uint32_t place, int64_t cost_ns)
{
    struct world_item *items = queue->items + queue->head;
    queue->count--;
    if (place == 0) {
        queue->popped_ns = items[0].through_ns;
        queue->head++;
        return;
    }
    for (uint32_t i = place; i < queue->count; i++) {
        items[i] = items[i + 1];
        items[i].through_ns -= cost_ns;
    }
}

int64_t world_queue_ahead_ns(const struct world_queue *queue, int64_t rank)
{
    uint32_t place = queue_place(queue, rank);
    return place == 0 ? 0 : world_queue_at(queue, place - 1)->through_ns - queue->popped_ns;
}
