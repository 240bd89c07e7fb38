/* See ranked.h. */
#include "policy/ranked.h"

static struct ranked_item *ranked_items(const struct ranked *ranked)
{
    return (struct ranked_item *)(void *)ranked->items.items;
}

static bool ranked_before(const struct ranked_item *a, const struct ranked_item *b)
{
    return a->key != b->key ? a->key < b->key : (int32_t)(a->order - b->order) < 0;
}

void ranked_init(struct ranked *ranked, const struct alloc_hooks *hooks)
{
    vec_init(&ranked->items, sizeof(struct ranked_item), hooks);
}

void ranked_fini(struct ranked *ranked)
{
    vec_fini(&ranked->items);
}

static void ranked_swap(struct ranked_item *a, struct ranked_item *b)
{
    struct ranked_item swap = *a;
    *a = *b;
    *b = swap;
}

static void ranked_up(struct ranked *ranked, size_t at)
{
    struct ranked_item *items = ranked_items(ranked);
    for (; at > 0 && ranked_before(&items[at], &items[(at - 1) / 2]); at = (at - 1) / 2)
        ranked_swap(&items[at], &items[(at - 1) / 2]);
}

static void ranked_down(struct ranked *ranked, size_t at)
{
    struct ranked_item *items = ranked_items(ranked);
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= ranked->items.count)
            return;
        if (child + 1 < ranked->items.count && ranked_before(&items[child + 1], &items[child]))
            child++;
        if (!ranked_before(&items[child], &items[at]))
            return;
        ranked_swap(&items[child], &items[at]);
        at = child;
    }
}

bool ranked_push(struct ranked *ranked, struct ranked_item item)
{
    if (vec_push(&ranked->items, &item) == NULL)
        return false;
    ranked_up(ranked, ranked->items.count - 1);
    return true;
}

const struct ranked_item *ranked_top(const struct ranked *ranked)
{
    return ranked->items.count > 0 ? ranked_items(ranked) : NULL;
}

static void ranked_take(struct ranked *ranked, size_t at)
{
    vec_remove_swap(&ranked->items, at);
    if (at == ranked->items.count)
        return;
    ranked_up(ranked, at);
    ranked_down(ranked, at);
}

uint32_t ranked_pop(struct ranked *ranked)
{
    if (ranked->items.count == 0)
        return RANKED_NONE;
    uint32_t task = ranked_items(ranked)[0].task;
    ranked_take(ranked, 0);
    return task;
}

bool ranked_remove(struct ranked *ranked, uint32_t task)
{
    for (size_t i = 0; i < ranked->items.count; i++)
        if (ranked_items(ranked)[i].task == task) {
            ranked_take(ranked, i);
            return true;
        }
    return false;
}
