/* Ranges of slabs: the bins by size, the treap inside a bin, cutting and joining; see bins.h.
 *
 * The treap works on links: places that hold an index (a root, a left, a right). Insertion walks
 * down to where the priority fits and splits what is below; removal, which finds its link by the
 * parent, merges the two children into it. No recursion, except in the check.
 */
#include "mem/bins.h"
#include "base/assert.h"
#include "base/map.h"

void bins_init(struct bins *bins, const struct alloc_hooks *hooks)
{
    *bins = (struct bins){.unused = BINS_NONE};
    vec_init(&bins->ranges, sizeof(struct bins_range), hooks);
    for (uint32_t i = 0; i < BINS_COUNT; i++)
        bins->roots[i] = BINS_NONE;
}

void bins_fini(struct bins *bins)
{
    if (bins != NULL)
        vec_fini(&bins->ranges);
}

bool bins_reserve(struct bins *bins, uint32_t count)
{
    if (bins->unused_count >= count)
        return true;
    size_t need = bins->ranges.count + (count - bins->unused_count);
    if (need >= BINS_NONE)
        return false;
    size_t doubled = bins->ranges.capacity * 2;
    if (need > bins->ranges.capacity &&
        !vec_reserve(&bins->ranges, need > doubled ? need + 64 : doubled))
        return false;
    while (bins->unused_count < count) {
        uint32_t index = (uint32_t)bins->ranges.count;
        vec_push(&bins->ranges, NULL);
        bins_at(bins, index)->next = bins->unused;
        bins->unused = index;
        bins->unused_count++;
    }
    return true;
}

uint32_t bins_new(struct bins *bins, uint32_t slab, uint64_t offset, uint64_t bytes)
{
    FGPU_ASSERT(bins->unused_count > 0 && bytes > 0);
    uint32_t index = bins->unused;
    struct bins_range *range = bins_at(bins, index);
    bins->unused = range->next;
    bins->unused_count--;
    *range = (struct bins_range){.offset = offset,
                                 .bytes = bytes,
                                 .slab = slab,
                                 .prev = BINS_NONE,
                                 .next = BINS_NONE,
                                 .left = BINS_NONE,
                                 .right = BINS_NONE,
                                 .parent = BINS_NONE,
                                 .state = BINS_TAKEN,
                                 .page = BINS_NONE};
    return index;
}

void bins_drop(struct bins *bins, uint32_t index)
{
    struct bins_range *range = bins_at(bins, index);
    FGPU_ASSERT(range->state == BINS_TAKEN);
    *range = (struct bins_range){.next = bins->unused, .state = BINS_UNUSED};
    bins->unused = index;
    bins->unused_count++;
}

/* The bin whose sizes contain `bytes`: the highest bit, and the BINS_SUB_BITS below it. */
static uint32_t bins_index(uint64_t bytes)
{
    uint32_t high = 63u - (uint32_t)__builtin_clzll(bytes);
    if (high < BINS_SUB_BITS)
        return (uint32_t)bytes;
    uint32_t sub = (uint32_t)(bytes >> (high - BINS_SUB_BITS)) & ((1u << BINS_SUB_BITS) - 1);
    return (high << BINS_SUB_BITS) + sub;
}

/* Does range a stand before range b: smaller, then lower slab, then lower address. */
static bool bins_before(const struct bins_range *a, const struct bins_range *b)
{
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes;
    if (a->slab != b->slab)
        return a->slab < b->slab;
    return a->offset < b->offset;
}

/* The bin has its first range, or has lost its last one. */
static void bins_mark(struct bins *bins, uint32_t bin, bool filled)
{
    uint32_t word = bin / 64;
    uint64_t bit = UINT64_C(1) << (bin % 64);
    if (filled)
        bins->filled[word] |= bit;
    else
        bins->filled[word] &= ~bit;
    if (bins->filled[word] != 0)
        bins->summary |= UINT64_C(1) << word;
    else
        bins->summary &= ~(UINT64_C(1) << word);
}

/* What hangs at the range's place is split into what stands before and what stands after it. */
static void bins_hang_below(struct bins *bins, uint32_t index, uint32_t below)
{
    struct bins_range *range = bins_at(bins, index);
    uint32_t *left = &range->left, *right = &range->right;
    uint32_t left_parent = index, right_parent = index;
    while (below != BINS_NONE) {
        struct bins_range *at = bins_at(bins, below);
        if (bins_before(at, range)) {
            *left = below;
            at->parent = left_parent;
            left_parent = below;
            left = &at->right;
            below = at->right;
        } else {
            *right = below;
            at->parent = right_parent;
            right_parent = below;
            right = &at->left;
            below = at->left;
        }
    }
    *left = BINS_NONE;
    *right = BINS_NONE;
}

void bins_insert(struct bins *bins, uint32_t index)
{
    struct bins_range *range = bins_at(bins, index);
    FGPU_ASSERT(range->state == BINS_TAKEN);
    uint32_t bin = bins_index(range->bytes);
    uint32_t *link = &bins->roots[bin];
    uint32_t parent = BINS_NONE;
    range->priority = (uint32_t)hash_u64(++bins->seed);
    if (*link == BINS_NONE)
        bins_mark(bins, bin, true);
    while (*link != BINS_NONE && bins_at(bins, *link)->priority >= range->priority) {
        struct bins_range *at = bins_at(bins, *link);
        parent = *link;
        link = bins_before(range, at) ? &at->left : &at->right;
    }
    uint32_t below = *link;
    *link = index;
    range->parent = parent;
    bins_hang_below(bins, index, below);
    range->state = BINS_FREE;
    bins->free_count++;
}

void bins_remove(struct bins *bins, uint32_t index)
{
    struct bins_range *range = bins_at(bins, index);
    FGPU_ASSERT(range->state == BINS_FREE);
    uint32_t bin = bins_index(range->bytes), parent = range->parent;
    uint32_t *link = &bins->roots[bin];
    if (parent != BINS_NONE) {
        struct bins_range *above = bins_at(bins, parent);
        link = above->left == index ? &above->left : &above->right;
    }
    FGPU_ASSERT(*link == index);
    uint32_t left = range->left;
    uint32_t right = range->right;
    while (left != BINS_NONE && right != BINS_NONE) {
        struct bins_range *l = bins_at(bins, left);
        struct bins_range *r = bins_at(bins, right);
        if (l->priority >= r->priority) {
            *link = left;
            l->parent = parent;
            parent = left;
            link = &l->right;
            left = l->right;
        } else {
            *link = right;
            r->parent = parent;
            parent = right;
            link = &r->left;
            right = r->left;
        }
    }
    uint32_t rest = left != BINS_NONE ? left : right;
    *link = rest;
    if (rest != BINS_NONE)
        bins_at(bins, rest)->parent = parent;
    if (bins->roots[bin] == BINS_NONE)
        bins_mark(bins, bin, false);
    range->left = range->right = range->parent = BINS_NONE;
    range->state = BINS_TAKEN;
    bins->free_count--;
}

/* The first bin from `bin` on that has a range, or BINS_COUNT. */
static uint32_t bins_filled_from(const struct bins *bins, uint32_t bin)
{
    if (bin >= BINS_COUNT)
        return BINS_COUNT;
    uint32_t word = bin / 64;
    uint64_t here = bins->filled[word] & (~UINT64_C(0) << (bin % 64));
    if (here != 0)
        return word * 64 + (uint32_t)__builtin_ctzll(here);
    uint64_t later = bins->summary & (~UINT64_C(1) << word);
    if (later == 0)
        return BINS_COUNT;
    word = (uint32_t)__builtin_ctzll(later);
    return word * 64 + (uint32_t)__builtin_ctzll(bins->filled[word]);
}

uint32_t bins_find(const struct bins *bins, uint64_t bytes)
{
    FGPU_ASSERT(bytes > 0);
    uint32_t bin = bins_index(bytes);
    uint32_t best = BINS_NONE;
    for (uint32_t at = bins->roots[bin]; at != BINS_NONE;) {
        const struct bins_range *range = bins_at(bins, at);
        if (range->bytes >= bytes)
            best = at;
        at = range->bytes >= bytes ? range->left : range->right;
    }
    if (best != BINS_NONE)
        return best;
    bin = bins_filled_from(bins, bin + 1);
    if (bin == BINS_COUNT)
        return BINS_NONE;
    best = bins->roots[bin];
    while (bins_at(bins, best)->left != BINS_NONE)
        best = bins_at(bins, best)->left;
    return best;
}

uint64_t bins_largest(const struct bins *bins)
{
    if (bins->summary == 0)
        return 0;
    uint32_t word = 63u - (uint32_t)__builtin_clzll(bins->summary);
    uint32_t bin = word * 64 + 63u - (uint32_t)__builtin_clzll(bins->filled[word]);
    uint32_t at = bins->roots[bin];
    while (bins_at(bins, at)->right != BINS_NONE)
        at = bins_at(bins, at)->right;
    return bins_at(bins, at)->bytes;
}

void bins_split(struct bins *bins, uint32_t index, uint64_t bytes)
{
    struct bins_range *range = bins_at(bins, index);
    FGPU_ASSERT(range->state == BINS_TAKEN && bytes > 0 && bytes < range->bytes);
    uint32_t rest = bins_new(bins, range->slab, range->offset + bytes, range->bytes - bytes);
    struct bins_range *after = bins_at(bins, rest);
    after->prev = index;
    after->next = range->next;
    if (range->next != BINS_NONE)
        bins_at(bins, range->next)->prev = rest;
    range->next = rest;
    range->bytes = bytes;
    bins_insert(bins, rest);
}

/* Makes `index` cover the range behind it too; neither is in a bin. */
static void bins_swallow_next(struct bins *bins, uint32_t index)
{
    struct bins_range *range = bins_at(bins, index);
    uint32_t next = range->next;
    const struct bins_range *gone = bins_at(bins, next);
    range->bytes += gone->bytes;
    range->next = gone->next;
    if (gone->next != BINS_NONE)
        bins_at(bins, gone->next)->prev = index;
    bins_drop(bins, next);
}

uint32_t bins_release(struct bins *bins, uint32_t index)
{
    const struct bins_range *range = bins_at(bins, index);
    FGPU_ASSERT(range->state == BINS_TAKEN);
    if (range->next != BINS_NONE && bins_at(bins, range->next)->state == BINS_FREE) {
        bins_remove(bins, range->next);
        bins_swallow_next(bins, index);
    }
    uint32_t prev = range->prev;
    if (prev != BINS_NONE && bins_at(bins, prev)->state == BINS_FREE) {
        bins_remove(bins, prev);
        bins_swallow_next(bins, prev);
        index = prev;
    }
    bins_insert(bins, index);
    return index;
}

/* Counts the ranges of a treap and checks their order and priorities; UINT32_MAX when it is broken.
 */
static uint32_t bins_check_tree(const struct bins *bins, uint32_t root, uint32_t bin)
{
    if (root == BINS_NONE)
        return 0;
    const struct bins_range *range = bins_at(bins, root);
    if (root >= bins->ranges.count || range->state != BINS_FREE || bins_index(range->bytes) != bin)
        return UINT32_MAX;
    const uint32_t child[2] = {range->left, range->right};
    for (int side = 0; side < 2; side++) {
        if (child[side] == BINS_NONE)
            continue;
        const struct bins_range *below = bins_at(bins, child[side]);
        if (below->parent != root || below->priority > range->priority ||
            bins_before(below, range) != (side == 0))
            return UINT32_MAX;
    }
    uint32_t left = bins_check_tree(bins, range->left, bin);
    uint32_t right = bins_check_tree(bins, range->right, bin);
    return left == UINT32_MAX || right == UINT32_MAX ? UINT32_MAX : left + right + 1;
}

const char *bins_check(const struct bins *bins)
{
    uint32_t in_bins = 0;
    for (uint32_t bin = 0; bin < BINS_COUNT; bin++) {
        bool marked = (bins->filled[bin / 64] >> (bin % 64)) & 1;
        if (marked != (bins->roots[bin] != BINS_NONE))
            return "the bitmap of the bins differs from the bins";
        uint32_t count = bins_check_tree(bins, bins->roots[bin], bin);
        if (count == UINT32_MAX)
            return "a bin is out of order or holds a range that is not free or of its size";
        in_bins += count;
    }
    for (uint32_t word = 0; word < BINS_COUNT / 64; word++) {
        if (((bins->summary >> word) & 1) != (bins->filled[word] != 0))
            return "the summary of the bitmap differs from the bitmap";
    }
    uint32_t unused = 0, free_ranges = 0;
    for (size_t i = 0; i < bins->ranges.count; i++) {
        unused += bins_at(bins, (uint32_t)i)->state == BINS_UNUSED;
        free_ranges += bins_at(bins, (uint32_t)i)->state == BINS_FREE;
    }
    if (free_ranges != in_bins || free_ranges != bins->free_count)
        return "the count of free ranges differs from what the bins hold";
    if (unused != bins->unused_count)
        return "the count of unused range records is wrong";
    return NULL;
}
