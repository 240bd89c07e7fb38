/* Shadow caches: see shadow.h. The three lists are small, main and ghost of S3-FIFO; LRU and FIFO
 * use main alone, SCORE main and ghost, with the order of eviction in a binary heap beside them.
 */
#include "mem/shadow.h"

#include <math.h>
#include "base/assert.h"

#define SHADOW_NONE UINT32_MAX
#define SHADOW_SMALL_SHARE 10 /* S3-FIFO: of the capacity */
#define SHADOW_USES_MAX 3     /* that S3-FIFO counts */
#define SHADOW_GHOST_TIMES 8u /* SCORE: bytes of those that went and are remembered, capacities */

static struct shadow_node *shadow_at(const struct shadow *shadow, uint32_t node)
{
    return (struct shadow_node *)shadow->nodes.items + node;
}

void shadow_init(struct shadow *shadow, enum shadow_kind kind, uint64_t capacity, double half,
                 const struct alloc_hooks *hooks)
{
    FGPU_ASSERT(capacity > 0);
    *shadow = (struct shadow){.kind = kind,
                              .capacity = capacity,
                              .half_bytes = half * (double)capacity,
                              .unused = SHADOW_NONE};
    for (int i = 0; i < SHADOW_LISTS; i++)
        shadow->lists[i] = (struct shadow_list){SHADOW_NONE, SHADOW_NONE, 0};
    map_init(&shadow->map, hooks);
    vec_init(&shadow->nodes, sizeof(struct shadow_node), hooks);
    vec_init(&shadow->heap, sizeof(uint32_t), hooks);
    vec_init(&shadow->evicted, sizeof(uint64_t), hooks);
}

void shadow_fini(struct shadow *shadow)
{
    if (shadow == NULL)
        return;
    map_fini(&shadow->map);
    vec_fini(&shadow->nodes);
    vec_fini(&shadow->heap);
    vec_fini(&shadow->evicted);
}

/* ---- lists ------------------------------------------------------------------------------ */

static void shadow_push(struct shadow *shadow, uint32_t index, enum shadow_where where)
{
    struct shadow_list *list = &shadow->lists[where];
    struct shadow_node *node = shadow_at(shadow, index);
    node->list = (uint8_t)where;
    node->older = list->newest;
    node->newer = SHADOW_NONE;
    if (list->newest != SHADOW_NONE)
        shadow_at(shadow, list->newest)->newer = index;
    else
        list->oldest = index;
    list->newest = index;
    list->bytes += node->bytes;
}

static void shadow_pull(struct shadow *shadow, uint32_t index)
{
    const struct shadow_node *node = shadow_at(shadow, index);
    struct shadow_list *list = &shadow->lists[node->list];
    if (node->older != SHADOW_NONE)
        shadow_at(shadow, node->older)->newer = node->newer;
    else
        list->oldest = node->newer;
    if (node->newer != SHADOW_NONE)
        shadow_at(shadow, node->newer)->older = node->older;
    else
        list->newest = node->older;
    list->bytes -= node->bytes;
}

/* Forgets a node, which is in no list and no heap. */
static void shadow_drop(struct shadow *shadow, uint32_t index)
{
    struct shadow_node *node = shadow_at(shadow, index);
    (void)map_del(&shadow->map, node->key);
    node->newer = shadow->unused;
    shadow->unused = index;
}

/* ---- the heap of SCORE ------------------------------------------------------------------ */

static uint32_t *shadow_heap(const struct shadow *shadow)
{
    return (uint32_t *)(void *)shadow->heap.items;
}

static bool shadow_less(const struct shadow *shadow, uint32_t a, uint32_t b)
{
    const struct shadow_node *x = shadow_at(shadow, a), *y = shadow_at(shadow, b);
    return x->score != y->score ? x->score < y->score : x->key < y->key;
}

static void shadow_heap_set(struct shadow *shadow, uint32_t place, uint32_t node)
{
    shadow_heap(shadow)[place] = node;
    shadow_at(shadow, node)->heap = place;
}

/* Moves the node at `place` to where its score belongs. */
static void shadow_heap_mend(struct shadow *shadow, uint32_t place)
{
    uint32_t count = (uint32_t)shadow->heap.count;
    uint32_t node = shadow_heap(shadow)[place];
    while (place > 0 && shadow_less(shadow, node, shadow_heap(shadow)[(place - 1) / 2])) {
        shadow_heap_set(shadow, place, shadow_heap(shadow)[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= count)
            break;
        if (child + 1 < count &&
            shadow_less(shadow, shadow_heap(shadow)[child + 1], shadow_heap(shadow)[child]))
            child++;
        if (!shadow_less(shadow, shadow_heap(shadow)[child], node))
            break;
        shadow_heap_set(shadow, place, shadow_heap(shadow)[child]);
        place = child;
    }
    shadow_heap_set(shadow, place, node);
}

static void shadow_heap_remove(struct shadow *shadow, uint32_t place)
{
    uint32_t last = shadow_heap(shadow)[--shadow->heap.count];
    if (place == shadow->heap.count)
        return;
    shadow_heap_set(shadow, place, last);
    shadow_heap_mend(shadow, place);
}

/* ---- going ------------------------------------------------------------------------------ */

static void shadow_tell(struct shadow *shadow, uint32_t index)
{
    vec_push(&shadow->evicted, &shadow_at(shadow, index)->key);
}

/* Remembers a node that went, and forgets those that did so long ago. */
static void shadow_haunt(struct shadow *shadow, uint32_t index, uint64_t limit)
{
    struct shadow_list *ghosts = &shadow->lists[SHADOW_GHOST];
    shadow_push(shadow, index, SHADOW_GHOST);
    while (ghosts->bytes > limit) {
        uint32_t oldest = ghosts->oldest;
        shadow_pull(shadow, oldest);
        shadow_drop(shadow, oldest);
    }
}

/* S3-FIFO: the oldest of main that has not been used since it was last looked at. */
static void shadow_evict_main(struct shadow *shadow)
{
    struct shadow_list *list = &shadow->lists[SHADOW_MAIN];
    while (list->oldest != SHADOW_NONE) {
        uint32_t index = list->oldest;
        shadow_pull(shadow, index);
        if (shadow_at(shadow, index)->uses > 0) {
            shadow_at(shadow, index)->uses--;
            shadow_push(shadow, index, SHADOW_MAIN);
            continue;
        }
        shadow_tell(shadow, index);
        shadow_drop(shadow, index);
        return;
    }
}

/* S3-FIFO: the oldest of small that was used at most once; others move to main. */
static void shadow_evict_small(struct shadow *shadow)
{
    struct shadow_list *list = &shadow->lists[SHADOW_SMALL];
    uint64_t main_limit = shadow->capacity - shadow->capacity / SHADOW_SMALL_SHARE;
    while (list->oldest != SHADOW_NONE) {
        uint32_t index = list->oldest;
        shadow_pull(shadow, index);
        if (shadow_at(shadow, index)->uses > 1) {
            shadow_at(shadow, index)->uses = 0;
            shadow_push(shadow, index, SHADOW_MAIN);
            while (shadow->lists[SHADOW_MAIN].bytes > main_limit)
                shadow_evict_main(shadow);
            continue;
        }
        shadow_tell(shadow, index);
        shadow_haunt(shadow, index, main_limit);
        return;
    }
}

static void shadow_evict(struct shadow *shadow)
{
    struct shadow_list *small = &shadow->lists[SHADOW_SMALL];
    struct shadow_list *main = &shadow->lists[SHADOW_MAIN];
    uint32_t index = main->oldest;
    if (shadow->kind == SHADOW_S3FIFO) {
        uint64_t least = shadow->capacity / SHADOW_SMALL_SHARE;
        if (small->oldest != SHADOW_NONE && (small->bytes >= least || main->bytes == 0))
            shadow_evict_small(shadow);
        else
            shadow_evict_main(shadow);
        return;
    }
    if (shadow->kind == SHADOW_SCORE) {
        index = shadow_heap(shadow)[0];
        shadow_heap_remove(shadow, 0);
    }
    shadow_pull(shadow, index);
    shadow_tell(shadow, index);
    if (shadow->kind == SHADOW_SCORE)
        shadow_haunt(shadow, index, SHADOW_GHOST_TIMES * shadow->capacity);
    else
        shadow_drop(shadow, index);
}

static void shadow_make_room(struct shadow *shadow, uint64_t bytes)
{
    while (shadow->lists[SHADOW_SMALL].bytes + shadow->lists[SHADOW_MAIN].bytes + bytes >
           shadow->capacity)
        shadow_evict(shadow);
}

/* ---- coming ----------------------------------------------------------------------------- */

/* One more use now. Scores are kept as the logarithm of what they would be at the beginning of
 * time, so that they do not change while nobody looks. */
static void shadow_score(struct shadow *shadow, uint32_t index)
{
    struct shadow_node *node = shadow_at(shadow, index);
    double now = shadow->clock_bytes / shadow->half_bytes;
    node->score = now + log2(1.0 + exp2(node->score - now));
}

static uint32_t shadow_new(struct shadow *shadow, uint64_t key, uint64_t bytes)
{
    uint32_t index = shadow->unused;
    if (index == SHADOW_NONE) {
        index = (uint32_t)shadow->nodes.count;
        if (vec_push(&shadow->nodes, NULL) == NULL)
            return SHADOW_NONE;
    } else {
        shadow->unused = shadow_at(shadow, index)->newer;
    }
    *shadow_at(shadow, index) =
        (struct shadow_node){.key = key, .bytes = bytes, .score = -INFINITY};
    if (map_put(&shadow->map, key, index) == FGPU_OK)
        return index;
    shadow_at(shadow, index)->newer = shadow->unused;
    shadow->unused = index;
    return SHADOW_NONE;
}

static void shadow_hit(struct shadow *shadow, uint32_t index)
{
    struct shadow_node *node = shadow_at(shadow, index);
    if (shadow->kind == SHADOW_LRU) {
        shadow_pull(shadow, index);
        shadow_push(shadow, index, SHADOW_MAIN);
    } else if (shadow->kind == SHADOW_SCORE) {
        shadow_score(shadow, index);
        shadow_heap_mend(shadow, node->heap);
    } else if (node->uses < SHADOW_USES_MAX) {
        node->uses++;
    }
}

/* `index`: the ghost that comes back, or SHADOW_NONE. */
static void shadow_come(struct shadow *shadow, uint32_t index, uint64_t key, uint64_t bytes)
{
    enum shadow_where where = shadow->kind == SHADOW_S3FIFO ? SHADOW_SMALL : SHADOW_MAIN;
    if (index != SHADOW_NONE) {
        shadow_pull(shadow, index); /* first: making room forgets ghosts */
        where = SHADOW_MAIN;
    }
    shadow_make_room(shadow, bytes);
    if (index == SHADOW_NONE)
        index = shadow_new(shadow, key, bytes);
    if (index == SHADOW_NONE)
        return;
    if (shadow->kind == SHADOW_SCORE) {
        if (vec_push(&shadow->heap, &index) == NULL) {
            shadow_drop(shadow, index);
            return;
        }
        shadow_score(shadow, index);
        shadow_at(shadow, index)->heap = (uint32_t)shadow->heap.count - 1;
        shadow_heap_mend(shadow, (uint32_t)shadow->heap.count - 1);
    }
    shadow_at(shadow, index)->uses = 0;
    shadow_push(shadow, index, where);
}

bool shadow_use(struct shadow *shadow, uint64_t key, uint64_t bytes)
{
    const uint64_t *found = map_find(&shadow->map, key);
    uint32_t index = found != NULL ? (uint32_t)*found : SHADOW_NONE;
    shadow->evicted.count = 0;
    if (index != SHADOW_NONE)
        bytes = shadow_at(shadow, index)->bytes;
    shadow->clock_bytes += (double)bytes;
    if (index != SHADOW_NONE && shadow_at(shadow, index)->list != SHADOW_GHOST) {
        shadow_hit(shadow, index);
        return true;
    }
    if (bytes <= shadow->capacity)
        shadow_come(shadow, index, key, bytes);
    return false;
}

bool shadow_has(const struct shadow *shadow, uint64_t key)
{
    const uint64_t *found = map_find(&shadow->map, key);
    return found != NULL && shadow_at(shadow, (uint32_t)*found)->list != SHADOW_GHOST;
}
