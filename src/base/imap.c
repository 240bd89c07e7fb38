/* The treap and the list behind the interval map. See base/imap.h. */
#include "base/imap.h"

#include <string.h>
#include "base/assert.h"
#include "base/limits.h"
#include "base/rng.h"

struct imap_node {
    struct imap_node *parent;
    struct imap_node *child[2];
    struct imap_node *near[2]; /* neighbours: 0 left, 1 right; near[1] also links spare nodes */
    uint64_t priority;         /* a parent's is not smaller than its children's */
    struct imap_seg seg;
};

_Static_assert(sizeof(struct imap_node) % 16 == 0, "the payload after a node is aligned to 16");
_Static_assert(offsetof(struct imap_node, seg) == IMAP_SEG_OFFSET, "imap_only() finds the segment");
_Static_assert(offsetof(struct imap_node, seg) + sizeof(struct imap_seg) ==
                   sizeof(struct imap_node),
               "the payload follows the segment");

static struct imap_node *imap_node_of(const struct imap_seg *seg)
{
    return (struct imap_node *)(void *)((char *)(uintptr_t)seg - offsetof(struct imap_node, seg));
}

static size_t imap_node_bytes(const struct imap *map)
{
    return sizeof(struct imap_node) + map->payload_bytes;
}

/* Puts one node more on the spare list; false without memory. */
static bool imap_stock(struct imap *map)
{
    struct imap_node *node = alloc_get(map->hooks, imap_node_bytes(map), LIMITS_CACHE_LINE);
    if (node == NULL)
        return false;
    node->near[1] = map->spare;
    map->spare = node;
    return true;
}

static struct imap_node *imap_take_spare(struct imap *map, uint64_t begin, uint64_t end)
{
    struct imap_node *node = map->spare;
    map->spare = node->near[1];
    *node = (struct imap_node){.priority = rng_splitmix64(&map->seed), .seg = {begin, end}};
    return node;
}

fgpu_status imap_init(struct imap *map, uint64_t size_bytes, size_t payload_bytes,
                      imap_clone_fn clone, void *user, const struct alloc_hooks *hooks)
{
    *map = (struct imap){.size_bytes = size_bytes, .clone = clone, .user = user, .hooks = hooks};
    if (size_bytes == 0 || payload_bytes > UINT32_MAX / 2)
        return FGPU_E_INVAL;
    map->payload_bytes = (uint32_t)payload_bytes;
    if (!imap_stock(map))
        return FGPU_E_NOMEM;
    map->root = imap_take_spare(map, 0, size_bytes);
    map->seg_count = 1;
    memset(imap_payload(&map->root->seg), 0, payload_bytes);
    return FGPU_OK;
}

static void imap_release_list(struct imap *map, struct imap_node *node, imap_drop_fn drop)
{
    while (node != NULL) {
        struct imap_node *next = node->near[1];
        if (drop != NULL)
            drop(map->user, imap_payload(&node->seg));
        alloc_put(map->hooks, node, imap_node_bytes(map));
        node = next;
    }
}

void imap_fini(struct imap *map, imap_drop_fn drop)
{
    if (map == NULL)
        return;
    if (map->root != NULL)
        imap_release_list(map, imap_node_of(imap_first(map, 0)), drop);
    imap_release_list(map, map->spare, NULL);
    map->root = map->spare = NULL;
    map->seg_count = 0;
}

struct imap_seg *imap_find(const struct imap *map, uint64_t offset)
{
    FGPU_DEBUG_ASSERT(offset < map->size_bytes);
    struct imap_node *node = map->root;
    for (;;) {
        if (offset < node->seg.begin)
            node = node->child[0];
        else if (offset >= node->seg.end)
            node = node->child[1];
        else
            return &node->seg;
    }
}

struct imap_seg *imap_next(const struct imap *map, const struct imap_seg *seg)
{
    (void)map;
    struct imap_node *right = imap_node_of(seg)->near[1];
    return right != NULL ? &right->seg : NULL;
}

struct imap_seg *imap_prev(const struct imap *map, const struct imap_seg *seg)
{
    (void)map;
    struct imap_node *left = imap_node_of(seg)->near[0];
    return left != NULL ? &left->seg : NULL;
}

/* The pointer that points to `node` from above. */
static struct imap_node **imap_link_to(struct imap *map, struct imap_node *node)
{
    struct imap_node *parent = node->parent;
    return parent == NULL ? &map->root : &parent->child[parent->child[1] == node];
}

/* Turns `node` above its parent; order stays. */
static void imap_rotate_up(struct imap *map, struct imap_node *node)
{
    struct imap_node *parent = node->parent;
    int side = parent->child[1] == node;
    struct imap_node *inner = node->child[!side];
    *imap_link_to(map, parent) = node;
    node->parent = parent->parent;
    node->child[!side] = parent;
    parent->parent = node;
    parent->child[side] = inner;
    if (inner != NULL)
        inner->parent = parent;
}

/* Inserts `node` as the right neighbour of `left`. */
static void imap_insert_after(struct imap *map, struct imap_node *left, struct imap_node *node)
{
    struct imap_node *right = left->near[1];
    node->near[0] = left;
    node->near[1] = right;
    left->near[1] = node;
    if (right != NULL)
        right->near[0] = node;
    /* Of two neighbours in order, one is an ancestor of the other: one of the two places is free.
     */
    struct imap_node *parent = left->child[1] == NULL ? left : right;
    FGPU_ASSERT(parent != NULL);
    node->parent = parent;
    parent->child[parent == left] = node;
    while (node->parent != NULL && node->parent->priority < node->priority)
        imap_rotate_up(map, node);
    map->seg_count++;
}

/* Takes `node` out of tree and list, onto the spare list. */
static void imap_remove(struct imap *map, struct imap_node *node)
{
    struct imap_node *left = node->near[0], *right = node->near[1];
    if (left != NULL)
        left->near[1] = right;
    if (right != NULL)
        right->near[0] = left;
    while (node->child[0] != NULL && node->child[1] != NULL)
        imap_rotate_up(map, node->child[node->child[1]->priority > node->child[0]->priority]);
    struct imap_node *child = node->child[0] != NULL ? node->child[0] : node->child[1];
    *imap_link_to(map, node) = child;
    if (child != NULL)
        child->parent = node->parent;
    node->near[1] = map->spare;
    map->spare = node;
    map->seg_count--;
}

/* Makes `at` a border inside `seg`, using a spare node. */
static void imap_cut(struct imap *map, struct imap_seg *seg, uint64_t at)
{
    struct imap_node *left = imap_node_of(seg);
    struct imap_node *node = imap_take_spare(map, at, seg->end);
    if (map->clone != NULL)
        map->clone(map->user, imap_payload(&node->seg), imap_payload(seg));
    else
        memcpy(imap_payload(&node->seg), imap_payload(seg), map->payload_bytes);
    seg->end = at;
    imap_insert_after(map, left, node);
}

fgpu_status imap_split(struct imap *map, uint64_t begin, uint64_t end)
{
    FGPU_DEBUG_ASSERT(begin < end && end <= map->size_bytes);
    struct imap_seg *first = imap_first(map, begin);
    struct imap_seg *last = end <= first->end ? first : imap_first(map, end - 1);
    int need = (first->begin != begin) + (last->end != end);
    /* All memory first: a failure then leaves the map as it was. */
    while (need > 0 && (map->spare == NULL || (need > 1 && map->spare->near[1] == NULL))) {
        if (!imap_stock(map))
            return FGPU_E_NOMEM;
    }
    if (last->end != end)
        imap_cut(map, last, end);
    if (first->begin != begin)
        imap_cut(map, first, begin);
    return FGPU_OK;
}

void imap_merge(struct imap *map, uint64_t begin, uint64_t end, imap_equal_fn equal,
                imap_drop_fn drop)
{
    FGPU_DEBUG_ASSERT(begin < end && end <= map->size_bytes);
    struct imap_node *node = imap_node_of(imap_first(map, begin > 0 ? begin - 1 : 0));
    struct imap_node *next;
    while ((next = node->near[1]) != NULL && next->seg.begin <= end) {
        if (!equal(map->user, imap_payload(&node->seg), imap_payload(&next->seg))) {
            node = next;
            continue;
        }
        node->seg.end = next->seg.end;
        if (drop != NULL)
            drop(map->user, imap_payload(&next->seg));
        imap_remove(map, next);
    }
}

/* Asserts order and heap property below `node`; returns how many nodes there are. */
static uint32_t imap_check_tree(const struct imap_node *node, const struct imap_node *parent)
{
    if (node == NULL)
        return 0;
    FGPU_ASSERT(node->parent == parent);
    FGPU_ASSERT(parent == NULL || parent->priority >= node->priority);
    FGPU_ASSERT(node->child[0] == NULL || node->child[0]->seg.end <= node->seg.begin);
    FGPU_ASSERT(node->child[1] == NULL || node->child[1]->seg.begin >= node->seg.end);
    return 1 + imap_check_tree(node->child[0], node) + imap_check_tree(node->child[1], node);
}

void imap_check(const struct imap *map)
{
    FGPU_ASSERT(imap_check_tree(map->root, NULL) == map->seg_count);
    uint64_t at = 0;
    uint32_t count = 0;
    struct imap_node *left = NULL;
    struct imap_node *node = imap_node_of(imap_first(map, 0));
    for (; node != NULL; left = node, node = node->near[1], count++) {
        FGPU_ASSERT(node->seg.begin == at && node->seg.end > at && node->near[0] == left);
        at = node->seg.end;
    }
    FGPU_ASSERT(at == map->size_bytes && count == map->seg_count);
}

static uint32_t imap_height_below(const struct imap_node *node)
{
    if (node == NULL)
        return 0;
    uint32_t left = imap_height_below(node->child[0]), right = imap_height_below(node->child[1]);
    return 1 + (left > right ? left : right);
}

uint32_t imap_height(const struct imap *map)
{
    return imap_height_below(map->root);
}
