/* Sets of nodes that are no bits; see nodes.h.
 *
 * The word of such a set has bit 63. With bit 62 the numbers themselves follow: their count in bits
 * 48 and 49, the numbers, from the smallest, in 16 bits each. Without it the word is the address of
 * a list (user addresses have 47 bits). Keeps true: a list has more than three numbers, the largest
 * of any such set is at least NODES_SMALL.
 */
#include "mem/nodes.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

#define NODES_TAG (UINT64_C(1) << 63)
#define NODES_INSIDE (UINT64_C(1) << 62)
#define NODES_INLINE 3u
#define NODES_COUNT_SHIFT 48

struct nodes_list {
    uint32_t count, capacity;
    uint16_t nodes[];
};

/* A set, spread out for a change. */
struct nodes_view {
    uint32_t count;
    const uint16_t *nodes;
    uint16_t inside[NODES_SMALL];
};

static struct nodes_list *nodes_at(uint64_t set)
{
    return (struct nodes_list *)(uintptr_t)(set & ~NODES_TAG);
}

static bool nodes_is_list(uint64_t set)
{
    return (set & (NODES_TAG | NODES_INSIDE)) == NODES_TAG;
}

static size_t nodes_bytes(uint32_t capacity)
{
    return sizeof(struct nodes_list) + capacity * sizeof(uint16_t);
}

static void nodes_look(uint64_t set, struct nodes_view *view)
{
    view->count = 0;
    view->nodes = view->inside;
    if (nodes_is_list(set)) {
        view->count = nodes_at(set)->count;
        view->nodes = nodes_at(set)->nodes;
    } else if (set & NODES_TAG) {
        view->count = (uint32_t)(set >> NODES_COUNT_SHIFT) & 3;
        for (uint32_t i = 0; i < view->count; i++)
            view->inside[i] = (uint16_t)(set >> (16 * i));
    } else {
        for (; set != 0; set &= set - 1)
            view->inside[view->count++] = (uint16_t)__builtin_ctzll(set);
    }
}

/* The place of the first number that is not smaller. */
static uint32_t nodes_place(const struct nodes_view *view, uint32_t node)
{
    uint32_t low = 0, high = view->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (view->nodes[middle] < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The set of these numbers where no list is needed for it. */
static uint64_t nodes_pack(const uint16_t *nodes, uint32_t count)
{
    uint64_t set = 0;
    if (count == 0 || nodes[count - 1] < NODES_SMALL) {
        for (uint32_t i = 0; i < count; i++)
            set |= UINT64_C(1) << nodes[i];
        return set;
    }
    FGPU_ASSERT(count <= NODES_INLINE);
    for (uint32_t i = 0; i < count; i++)
        set |= (uint64_t)nodes[i] << (16 * i);
    return set | NODES_TAG | NODES_INSIDE | count * (UINT64_C(1) << NODES_COUNT_SHIFT);
}

static struct nodes_list *nodes_new(uint32_t capacity)
{
    struct nodes_list *list = alloc_get(NULL, nodes_bytes(capacity), 16);
    if (list != NULL)
        *list = (struct nodes_list){.capacity = capacity};
    return list;
}

bool nodes_list_has(uint64_t set, uint32_t node)
{
    struct nodes_view view;
    nodes_look(set, &view);
    uint32_t place = nodes_place(&view, node);
    return place < view.count && view.nodes[place] == node;
}

uint32_t nodes_list_next(uint64_t set, uint32_t from)
{
    struct nodes_view view;
    nodes_look(set, &view);
    uint32_t place = nodes_place(&view, from);
    return place < view.count ? view.nodes[place] : NODES_NONE;
}

bool nodes_list_equal(uint64_t a, uint64_t b)
{
    struct nodes_view left, right;
    nodes_look(a, &left);
    nodes_look(b, &right);
    return left.count == right.count &&
           memcmp(left.nodes, right.nodes, left.count * sizeof left.nodes[0]) == 0;
}

uint64_t nodes_list_copy(uint64_t set)
{
    if (!nodes_is_list(set))
        return set;
    const struct nodes_list *from = nodes_at(set);
    struct nodes_list *to = nodes_new(from->count);
    if (to == NULL)
        return nodes_pack(from->nodes, NODES_INLINE);
    to->count = from->count;
    memcpy(to->nodes, from->nodes, from->count * sizeof from->nodes[0]);
    return (uint64_t)(uintptr_t)to | NODES_TAG;
}

void nodes_list_clear(uint64_t set)
{
    if (nodes_is_list(set))
        alloc_put(NULL, nodes_at(set), nodes_bytes(nodes_at(set)->capacity));
}

static void nodes_insert(uint16_t *nodes, uint32_t count, uint32_t place, uint32_t node)
{
    memmove(&nodes[place + 1], &nodes[place], (count - place) * sizeof nodes[0]);
    nodes[place] = (uint16_t)node;
}

/* There is no memory: the node takes the place of the largest number. */
static uint64_t nodes_squeeze(const struct nodes_view *view, uint32_t node)
{
    uint16_t kept[NODES_INLINE];
    uint32_t count = view->count < NODES_INLINE ? view->count : NODES_INLINE - 1;
    const struct nodes_view few = {.count = count, .nodes = kept};
    memcpy(kept, view->nodes, count * sizeof kept[0]);
    nodes_insert(kept, count, nodes_place(&few, node), node);
    return nodes_pack(kept, count + 1);
}

void nodes_list_add(uint64_t *set, uint32_t node)
{
    struct nodes_view view;
    FGPU_ASSERT(node <= NODES_MOST);
    nodes_look(*set, &view);
    uint32_t place = nodes_place(&view, node);
    if (place < view.count && view.nodes[place] == node)
        return;
    if (nodes_is_list(*set) && view.count < nodes_at(*set)->capacity) {
        nodes_insert(nodes_at(*set)->nodes, nodes_at(*set)->count++, place, node);
        return;
    }
    uint64_t made;
    struct nodes_list *list = view.count < NODES_INLINE ? NULL : nodes_new(2 * view.count + 2);
    if (list == NULL) {
        made = nodes_squeeze(&view, node);
    } else {
        memcpy(list->nodes, view.nodes, view.count * sizeof list->nodes[0]);
        nodes_insert(list->nodes, view.count, place, node);
        list->count = view.count + 1;
        made = (uint64_t)(uintptr_t)list | NODES_TAG;
    }
    nodes_clear(set);
    *set = made;
}

void nodes_list_remove(uint64_t *set, uint32_t node)
{
    struct nodes_view view;
    uint16_t kept[NODES_SMALL];
    nodes_look(*set, &view);
    uint32_t place = nodes_place(&view, node);
    if (place == view.count || view.nodes[place] != node)
        return;
    uint32_t left = view.count - 1;
    uint32_t largest = left == 0 ? 0 : view.nodes[place == left ? left - 1 : left];
    if (left > NODES_INLINE && largest >= NODES_SMALL) {
        struct nodes_list *list = nodes_at(*set);
        memmove(&list->nodes[place], &list->nodes[place + 1],
                (left - place) * sizeof list->nodes[0]);
        list->count = left;
        return;
    }
    memcpy(kept, view.nodes, place * sizeof kept[0]);
    memcpy(kept + place, view.nodes + place + 1, (left - place) * sizeof kept[0]);
    nodes_clear(set);
    *set = nodes_pack(kept, left);
}
