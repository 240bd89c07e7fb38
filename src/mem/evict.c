/* Victims: see evict.h. */
#include "mem/evict.h"

#include "base/assert.h"

#define EVICT_NONE UINT32_MAX
#define EVICT_LATE 32.0   /* uses that count in full, in keys that are there */
#define EVICT_BETTER 0.02 /* more hits, in capacities, that make another shadow be followed */

static struct evict_item *evict_at(const struct evict *evict, uint32_t item)
{
    return (struct evict_item *)evict->items.items + item;
}

void evict_init(struct evict *evict, uint64_t capacity, const struct alloc_hooks *hooks)
{
    static const struct {
        enum shadow_kind kind;
        double half;
    } kinds[EVICT_SHADOWS] = {{SHADOW_SCORE, 4},  {SHADOW_LRU, 0},    {SHADOW_SCORE, 1},
                              {SHADOW_SCORE, 16}, {SHADOW_S3FIFO, 0}, {SHADOW_FIFO, 0}};
    *evict = (struct evict){
        .capacity = capacity, .unused = EVICT_NONE, .newest = EVICT_NONE, .oldest = EVICT_NONE};
    for (uint32_t i = 0; i < EVICT_SHADOWS; i++)
        shadow_init(&evict->shadows[i], kinds[i].kind, capacity, kinds[i].half, hooks);
    map_init(&evict->map, hooks);
    vec_init(&evict->items, sizeof(struct evict_item), hooks);
    vec_init(&evict->heap, sizeof(uint32_t), hooks);
    vec_init(&evict->strays, sizeof(uint64_t), hooks);
}

void evict_fini(struct evict *evict)
{
    if (evict == NULL)
        return;
    for (uint32_t i = 0; i < EVICT_SHADOWS; i++)
        shadow_fini(&evict->shadows[i]);
    map_fini(&evict->map);
    vec_fini(&evict->items);
    vec_fini(&evict->heap);
    vec_fini(&evict->strays);
}

static uint32_t evict_find(const struct evict *evict, uint64_t key)
{
    const uint64_t *found = map_find(&evict->map, key);
    return found != NULL ? (uint32_t)*found : EVICT_NONE;
}

bool evict_has(const struct evict *evict, uint64_t key)
{
    return map_find(&evict->map, key) != NULL;
}

/* ---- those without a known use, by age -------------------------------------------------- */

static void evict_link(struct evict *evict, uint32_t index)
{
    struct evict_item *item = evict_at(evict, index);
    item->older = evict->newest;
    item->newer = EVICT_NONE;
    if (evict->newest != EVICT_NONE)
        evict_at(evict, evict->newest)->newer = index;
    else
        evict->oldest = index;
    evict->newest = index;
}

static void evict_unlink(struct evict *evict, uint32_t index)
{
    const struct evict_item *item = evict_at(evict, index);
    if (item->older != EVICT_NONE)
        evict_at(evict, item->older)->newer = item->newer;
    else
        evict->oldest = item->newer;
    if (item->newer != EVICT_NONE)
        evict_at(evict, item->newer)->older = item->older;
    else
        evict->newest = item->older;
}

/* ---- those with one, farthest first ----------------------------------------------------- */

static uint32_t *evict_heap(const struct evict *evict)
{
    return (uint32_t *)(void *)evict->heap.items;
}

static bool evict_farther(const struct evict *evict, uint32_t a, uint32_t b)
{
    const struct evict_item *x = evict_at(evict, a), *y = evict_at(evict, b);
    return x->next != y->next ? x->next > y->next : x->key < y->key;
}

static void evict_heap_set(struct evict *evict, uint32_t place, uint32_t item)
{
    evict_heap(evict)[place] = item;
    evict_at(evict, item)->heap = place;
}

static void evict_heap_mend(struct evict *evict, uint32_t place)
{
    uint32_t count = (uint32_t)evict->heap.count;
    uint32_t item = evict_heap(evict)[place];
    while (place > 0 && evict_farther(evict, item, evict_heap(evict)[(place - 1) / 2])) {
        evict_heap_set(evict, place, evict_heap(evict)[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (uint32_t child; (child = 2 * place + 1) < count; place = child) {
        if (child + 1 < count &&
            evict_farther(evict, evict_heap(evict)[child + 1], evict_heap(evict)[child]))
            child++;
        if (!evict_farther(evict, evict_heap(evict)[child], item))
            break;
        evict_heap_set(evict, place, evict_heap(evict)[child]);
    }
    evict_heap_set(evict, place, item);
}

static void evict_heap_remove(struct evict *evict, uint32_t place)
{
    uint32_t last = evict_heap(evict)[--evict->heap.count];
    if (place == evict->heap.count)
        return;
    evict_heap_set(evict, place, last);
    evict_heap_mend(evict, place);
}

/* ---- what is there ---------------------------------------------------------------------- */

fgpu_status evict_add(struct evict *evict, uint64_t key, uint64_t bytes, uint32_t cost)
{
    uint32_t index = evict->unused;
    FGPU_ASSERT(!evict_has(evict, key));
    if (index == EVICT_NONE) {
        index = (uint32_t)evict->items.count;
        if (vec_push(&evict->items, NULL) == NULL)
            return FGPU_E_NOMEM;
        evict_at(evict, index)->newer = EVICT_NONE;
        evict->unused = index;
    }
    if (map_put(&evict->map, key, index) != FGPU_OK)
        return FGPU_E_NOMEM;
    evict->unused = evict_at(evict, index)->newer;
    *evict_at(evict, index) = (struct evict_item){
        .key = key, .bytes = bytes, .cost = cost, .next = EVICT_UNKNOWN, .last = evict->uses};
    evict->dirty += cost > 1;
    evict_link(evict, index);
    return FGPU_OK;
}

static void evict_detach(struct evict *evict, uint32_t index)
{
    const struct evict_item *item = evict_at(evict, index);
    if (item->next == EVICT_UNKNOWN)
        evict_unlink(evict, index);
    else
        evict_heap_remove(evict, item->heap);
}

void evict_remove(struct evict *evict, uint64_t key)
{
    uint32_t index = evict_find(evict, key);
    FGPU_ASSERT(index != EVICT_NONE);
    struct evict_item *item = evict_at(evict, index);
    evict_detach(evict, index);
    evict->dirty -= item->cost > 1;
    (void)map_del(&evict->map, key);
    item->newer = evict->unused;
    evict->unused = index;
}

void evict_set_cost(struct evict *evict, uint64_t key, uint32_t cost)
{
    uint32_t index = evict_find(evict, key);
    if (index == EVICT_NONE)
        return;
    evict->dirty -= evict_at(evict, index)->cost > 1;
    evict_at(evict, index)->cost = cost;
    evict->dirty += cost > 1;
}

fgpu_status evict_set_next(struct evict *evict, uint64_t key, uint64_t next)
{
    uint32_t index = evict_find(evict, key);
    if (index == EVICT_NONE || evict_at(evict, index)->next == next)
        return FGPU_OK;
    struct evict_item *item = evict_at(evict, index);
    if (item->next != EVICT_UNKNOWN && next != EVICT_UNKNOWN) {
        item->next = next;
        evict_heap_mend(evict, item->heap);
    } else if (next == EVICT_UNKNOWN) {
        evict_heap_remove(evict, item->heap);
        item->next = next;
        evict_link(evict, index);
    } else {
        if (vec_push(&evict->heap, &index) == NULL)
            return FGPU_E_NOMEM;
        evict_unlink(evict, index);
        item->next = next;
        item->heap = (uint32_t)evict->heap.count - 1;
        evict_heap_mend(evict, item->heap);
    }
    return FGPU_OK;
}

uint64_t evict_get_next(const struct evict *evict, uint64_t key)
{
    uint32_t index = evict_find(evict, key);
    return index != EVICT_NONE ? evict_at(evict, index)->next : EVICT_UNKNOWN;
}

/* ---- uses ------------------------------------------------------------------------------- */

/* All that is there and that the shadow does not hold, oldest first. */
static void evict_follow(struct evict *evict, uint32_t shadow)
{
    evict->followed = shadow;
    evict->strays.count = evict->stray_first = 0;
    for (uint32_t i = evict->oldest; i != EVICT_NONE; i = evict_at(evict, i)->newer)
        if (!shadow_has(&evict->shadows[shadow], evict_at(evict, i)->key))
            vec_push(&evict->strays, &evict_at(evict, i)->key);
}

static void evict_stray(struct evict *evict, const struct shadow *shadow)
{
    if (evict->stray_first > 64 && evict->stray_first > evict->strays.count / 2) {
        size_t left = evict->strays.count - evict->stray_first;
        memmove(evict->strays.items, evict->strays.items + evict->stray_first * sizeof(uint64_t),
                left * sizeof(uint64_t));
        evict->strays.count = left;
        evict->stray_first = 0;
    }
    for (size_t i = 0; i < shadow->evicted.count; i++)
        vec_push(&evict->strays, vec_at(&shadow->evicted, i));
}

void evict_use(struct evict *evict, uint64_t key, uint64_t bytes, uint64_t now)
{
    double keys = evict->map.count > 64 ? (double)evict->map.count : 64.0;
    double fade = 1.0 - 1.0 / (EVICT_LATE * keys);
    double margin = EVICT_BETTER * (double)evict->capacity;
    uint32_t best = evict->followed, index = evict_find(evict, key);
    evict->now = now;
    evict->uses++;
    for (uint32_t i = 0; i < EVICT_SHADOWS && !evict->plain; i++) {
        bool hit = shadow_use(&evict->shadows[i], key, bytes);
        evict->hits[i] = evict->hits[i] * fade + (hit ? (double)bytes : 0.0);
        if (evict->hits[i] > evict->hits[best] + (best == evict->followed ? margin : 0.0))
            best = i;
    }
    if (index != EVICT_NONE) {
        evict_at(evict, index)->last = evict->uses;
        if (evict_at(evict, index)->next == EVICT_UNKNOWN) {
            evict_unlink(evict, index);
            evict_link(evict, index);
        }
    }
    if (best != evict->followed)
        evict_follow(evict, best);
    else
        evict_stray(evict, &evict->shadows[best]);
}

/* ---- victims ---------------------------------------------------------------------------- */

static bool evict_may(evict_may_go_fn may_go, void *user, uint64_t key)
{
    return may_go == NULL || may_go(user, key);
}

/* Of what nothing is known: what the followed shadow has let go, longest ago first; else the oldest
 * that it does not hold; else the oldest. */
static uint32_t evict_unknown(struct evict *evict, evict_may_go_fn may_go, void *user)
{
    const struct shadow *shadow = &evict->shadows[evict->followed];
    for (size_t i = evict->stray_first; i < evict->strays.count; i++) {
        uint64_t key = ((const uint64_t *)(void *)evict->strays.items)[i];
        uint32_t index = evict_find(evict, key);
        bool stale = index == EVICT_NONE || evict_at(evict, index)->next != EVICT_UNKNOWN ||
                     shadow_has(shadow, key);
        if (stale && i == evict->stray_first)
            evict->stray_first++;
        if (!stale && evict_may(may_go, user, key))
            return index;
    }
    uint32_t found = EVICT_NONE;
    for (uint32_t i = evict->oldest; i != EVICT_NONE; i = evict_at(evict, i)->newer) {
        uint64_t key = evict_at(evict, i)->key;
        if (evict->plain && evict_may(may_go, user, key))
            return i;
        if ((found == EVICT_NONE || !shadow_has(shadow, key)) && evict_may(may_go, user, key)) {
            found = i;
            if (!shadow_has(shadow, key))
                return found;
        }
    }
    return found;
}

/* How long nobody will want it, for what letting it go costs. */
static double evict_rest(const struct evict *evict, const struct evict_item *item)
{
    double ahead = item->next > evict->now ? (double)(item->next - evict->now) : 0.0;
    return ahead / (double)(item->cost > 1 ? item->cost : 1);
}

/* Of what will be used: the farthest, or where costs differ the one that rests longest for its
 * cost. */
static uint32_t evict_known(const struct evict *evict, evict_may_go_fn may_go, void *user)
{
    uint32_t best = EVICT_NONE;
    for (uint32_t i = 0; i < evict->heap.count; i++) {
        uint32_t index = evict_heap(evict)[i];
        const struct evict_item *item = evict_at(evict, index);
        bool better =
            best == EVICT_NONE ||
            (evict->dirty > 0 ? evict_rest(evict, item) > evict_rest(evict, evict_at(evict, best))
                              : evict_farther(evict, index, best));
        if (better && evict_may(may_go, user, item->key))
            best = index;
        if (i == 0 && best != EVICT_NONE && evict->dirty == 0)
            break;
    }
    return best;
}

bool evict_choose(struct evict *evict, evict_may_go_fn may_go, void *user, uint64_t *key)
{
    uint32_t index = evict_unknown(evict, may_go, user);
    if (index == EVICT_NONE)
        index = evict_known(evict, may_go, user);
    if (index == EVICT_NONE)
        return false;
    *key = evict_at(evict, index)->key;
    return true;
}
