/* Rectangles and what meets them: see rect_set.h. */
#include "cli/workload/rect_set.h"

#include <stdlib.h>

struct rect_node {
    struct rect rect;
    struct rect box; /* around itself and all below */
    uint32_t child[2];
    uint32_t priority;
    uint32_t owner;
};

void rect_set_init(struct rect_set *set)
{
    *set = (struct rect_set){.random = UINT64_C(0x9e3779b97f4a7c15)};
}

void rect_set_fini(struct rect_set *set)
{
    free(set->nodes);
    free(set->hits);
    rect_set_init(set);
}

void rect_set_clear(struct rect_set *set)
{
    set->root = set->unused = 0;
    set->count = 0;
}

/* xorshift64 (G. Marsaglia, 2003), the upper half. */
static uint32_t rect_random(struct rect_set *set)
{
    uint64_t x = set->random;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    set->random = x;
    return (uint32_t)(x >> 32);
}

static bool rect_meets(const struct rect *a, const struct rect *b)
{
    return a->row_begin < b->row_end && b->row_begin < a->row_end &&
           a->column_begin < b->column_end && b->column_begin < a->column_end;
}

/* Whether a's first corner stands before b's in Z-order; of equal ones the lower number. */
static bool rect_is_before(const struct rect_set *set, uint32_t a, uint32_t b)
{
    const struct rect *x = &set->nodes[a].rect, *y = &set->nodes[b].rect;
    uint64_t rows = x->row_begin ^ y->row_begin, columns = x->column_begin ^ y->column_begin;

    if (rows == 0 && columns == 0)
        return a < b;
    /* The highest bit that differs decides; of the same bit, that of the rows. */
    if (rows < columns && rows < (rows ^ columns))
        return x->column_begin < y->column_begin;
    return x->row_begin < y->row_begin;
}

static void rect_widen(struct rect *box, const struct rect *by)
{
    if (by->row_begin < box->row_begin)
        box->row_begin = by->row_begin;
    if (by->row_end > box->row_end)
        box->row_end = by->row_end;
    if (by->column_begin < box->column_begin)
        box->column_begin = by->column_begin;
    if (by->column_end > box->column_end)
        box->column_end = by->column_end;
}

static void rect_update(struct rect_set *set, uint32_t at)
{
    struct rect_node *node = &set->nodes[at];

    node->box = node->rect;
    for (int i = 0; i < 2; i++)
        if (node->child[i])
            rect_widen(&node->box, &set->nodes[node->child[i]].box);
}

/* Parts a tree into what stands before `at` and the rest. Depth: that of the tree. */
static void rect_split(struct rect_set *set, uint32_t tree, uint32_t at, uint32_t parts[2])
{
    if (!tree) {
        parts[0] = parts[1] = 0;
        return;
    }
    uint32_t inner[2];
    int side = rect_is_before(set, tree, at) ? 1 : 0;
    rect_split(set, set->nodes[tree].child[side], at, inner);
    set->nodes[tree].child[side] = inner[1 - side];
    rect_update(set, tree);
    parts[side] = inner[side];
    parts[1 - side] = tree;
}

static uint32_t rect_join(struct rect_set *set, uint32_t low, uint32_t high)
{
    if (!low || !high)
        return low ? low : high;
    if (set->nodes[low].priority > set->nodes[high].priority) {
        uint32_t joined = rect_join(set, set->nodes[low].child[1], high);
        set->nodes[low].child[1] = joined;
        rect_update(set, low);
        return low;
    }
    uint32_t joined = rect_join(set, low, set->nodes[high].child[0]);
    set->nodes[high].child[0] = joined;
    rect_update(set, high);
    return high;
}

static uint32_t rect_insert(struct rect_set *set, uint32_t tree, uint32_t at)
{
    if (!tree || set->nodes[at].priority > set->nodes[tree].priority) {
        rect_split(set, tree, at, set->nodes[at].child);
        rect_update(set, at);
        return at;
    }
    int side = rect_is_before(set, tree, at) ? 1 : 0;
    uint32_t child = rect_insert(set, set->nodes[tree].child[side], at);
    set->nodes[tree].child[side] = child;
    rect_update(set, tree);
    return tree;
}

static uint32_t rect_remove(struct rect_set *set, uint32_t tree, uint32_t at)
{
    if (tree == at)
        return rect_join(set, set->nodes[tree].child[0], set->nodes[tree].child[1]);
    int side = rect_is_before(set, tree, at) ? 1 : 0;
    uint32_t child = rect_remove(set, set->nodes[tree].child[side], at);
    set->nodes[tree].child[side] = child;
    rect_update(set, tree);
    return tree;
}

static bool rect_grow(void **table, uint32_t *capacity, size_t item_bytes)
{
    uint32_t more = *capacity ? *capacity * 2 : 64;
    void *grown = more > *capacity ? realloc(*table, more * item_bytes) : NULL;

    if (!grown)
        return false;
    *table = grown;
    *capacity = more;
    return true;
}

bool rect_set_add(struct rect_set *set, const struct rect *rect, uint32_t owner)
{
    uint32_t at = set->unused;

    if (set->count + 1 >= set->capacity &&
        !rect_grow((void **)&set->nodes, &set->capacity, sizeof *set->nodes))
        return false;
    if (at)
        set->unused = set->nodes[at].child[0];
    else
        at = ++set->count; /* 0 is nobody */
    set->nodes[at] = (struct rect_node){
        .rect = *rect, .box = *rect, .priority = rect_random(set), .owner = owner};
    set->root = rect_insert(set, set->root, at);
    return true;
}

/* Puts the nodes that meet the rectangle on the list of hits. */
static bool rect_search(struct rect_set *set, uint32_t tree, const struct rect *rect)
{
    if (!tree || !rect_meets(&set->nodes[tree].box, rect))
        return true;
    if (rect_meets(&set->nodes[tree].rect, rect)) {
        if (set->hit_count == set->hit_capacity &&
            !rect_grow((void **)&set->hits, &set->hit_capacity, sizeof *set->hits))
            return false;
        set->hits[set->hit_count++] = tree;
    }
    return rect_search(set, set->nodes[tree].child[0], rect) &&
           rect_search(set, set->nodes[tree].child[1], rect);
}

bool rect_set_find(struct rect_set *set, const struct rect *rect)
{
    set->hit_count = 0;
    if (!rect_search(set, set->root, rect))
        return false;
    for (uint32_t i = 0; i < set->hit_count; i++)
        set->hits[i] = set->nodes[set->hits[i]].owner;
    return true;
}

/* What is left of `whole` around `hole`, which meets it: at most four. */
static uint32_t rect_minus(const struct rect *whole, const struct rect *hole, struct rect left[4])
{
    struct rect middle = *whole;
    uint32_t count = 0;

    if (whole->row_begin < hole->row_begin) {
        left[count] = *whole;
        left[count++].row_end = middle.row_begin = hole->row_begin;
    }
    if (whole->row_end > hole->row_end) {
        left[count] = *whole;
        left[count++].row_begin = middle.row_end = hole->row_end;
    }
    if (whole->column_begin < hole->column_begin) {
        left[count] = middle;
        left[count++].column_end = hole->column_begin;
    }
    if (whole->column_end > hole->column_end) {
        left[count] = middle;
        left[count++].column_begin = hole->column_end;
    }
    return count;
}

bool rect_set_cut(struct rect_set *set, const struct rect *rect)
{
    struct rect left[4];

    set->hit_count = 0;
    if (!rect_search(set, set->root, rect))
        return false;
    for (uint32_t i = 0; i < set->hit_count; i++) {
        uint32_t at = set->hits[i], owner = set->nodes[at].owner;
        uint32_t count = rect_minus(&set->nodes[at].rect, rect, left);
        set->root = rect_remove(set, set->root, at);
        set->nodes[at].child[0] = set->unused;
        set->unused = at;
        set->hits[i] = owner;
        for (uint32_t j = 0; j < count; j++)
            if (!rect_set_add(set, &left[j], owner))
                return false;
    }
    return true;
}
