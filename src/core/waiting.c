/* The front and the heap behind it; see waiting.h. */
#include "core/waiting.h"

#define WAITING_CHILDREN 4u
#define WAITING_NOT UINT32_MAX
#define WAITING_IN_FRONT (UINT32_MAX - 1)
#define WAITING_GONE UINT32_MAX /* in `op`: the place is free */

void waiting_init(struct waiting *waiting, const struct alloc_hooks *hooks)
{
    *waiting = (struct waiting){0};
    vec_init(&waiting->heap, sizeof(struct waiting_copy), hooks);
    vec_init(&waiting->places, sizeof(uint32_t), hooks);
}

void waiting_fini(struct waiting *waiting)
{
    vec_fini(&waiting->heap);
    vec_fini(&waiting->places);
}

static struct waiting_copy *waiting_heap(const struct waiting *waiting)
{
    return (struct waiting_copy *)(void *)waiting->heap.items;
}

static uint32_t waiting_place(const struct waiting *waiting, uint32_t op)
{
    return op < waiting->places.count ? *(uint32_t *)vec_at(&waiting->places, op) : WAITING_NOT;
}

static void waiting_note(struct waiting *waiting, uint32_t op, uint32_t place)
{
    *(uint32_t *)vec_at(&waiting->places, op) = place;
}

/* ---- the heap --------------------------------------------------------------------------- */

static void waiting_lay(struct waiting *waiting, uint32_t place, const struct waiting_copy *copy)
{
    waiting_heap(waiting)[place] = *copy;
    waiting_note(waiting, copy->op, place);
}

/* The copy belongs at the place or nearer to the top. */
static void waiting_rise(struct waiting *waiting, uint32_t place, struct waiting_copy copy)
{
    const struct waiting_copy *heap = waiting_heap(waiting);
    while (place > 0) {
        uint32_t parent = (place - 1) / WAITING_CHILDREN;
        if (!waiting_before(&copy, &heap[parent]))
            break;
        waiting_lay(waiting, place, &heap[parent]);
        place = parent;
    }
    waiting_lay(waiting, place, &copy);
}

/* ... or farther from it. */
static void waiting_sink(struct waiting *waiting, uint32_t place, struct waiting_copy copy)
{
    const struct waiting_copy *heap = waiting_heap(waiting);
    size_t count = waiting->heap.count;
    for (;;) {
        size_t first = (size_t)place * WAITING_CHILDREN + 1, best = first;
        if (first >= count)
            break;
        for (size_t c = first + 1; c < first + WAITING_CHILDREN && c < count; c++)
            if (waiting_before(&heap[c], &heap[best]))
                best = c;
        if (!waiting_before(&heap[best], &copy))
            break;
        waiting_lay(waiting, place, &heap[best]);
        place = (uint32_t)best;
    }
    waiting_lay(waiting, place, &copy);
}

static void waiting_heap_remove(struct waiting *waiting, uint32_t place)
{
    struct waiting_copy *heap = waiting_heap(waiting);
    struct waiting_copy last = heap[waiting->heap.count - 1];
    waiting_note(waiting, heap[place].op, WAITING_NOT);
    vec_pop(&waiting->heap);
    if (place == waiting->heap.count)
        return;
    if (place > 0 && waiting_before(&last, &heap[(place - 1) / WAITING_CHILDREN]))
        waiting_rise(waiting, place, last);
    else
        waiting_sink(waiting, place, last);
}

/* ---- the front -------------------------------------------------------------------------- */

/* There is room. */
static void waiting_front_put(struct waiting *waiting, const struct waiting_copy *copy,
                              uint32_t blocked)
{
    uint32_t at = waiting->front_count++;
    for (; at > 0 && waiting_before(copy, &waiting->front[at - 1]); at--) {
        waiting->front[at] = waiting->front[at - 1];
        waiting->blocked[at] = waiting->blocked[at - 1];
    }
    waiting->front[at] = *copy;
    waiting->blocked[at] = blocked;
    waiting_note(waiting, copy->op, WAITING_IN_FRONT);
}

static uint32_t waiting_front_find(const struct waiting *waiting, uint32_t op)
{
    uint32_t at = 0;
    while (waiting->front[at].op != op)
        at++;
    return at;
}

void waiting_gone(struct waiting *waiting, uint32_t place)
{
    waiting_note(waiting, waiting->front[place].op, WAITING_NOT);
    waiting->front[place].op = WAITING_GONE;
}

/* Moves `count` of the front from one place to another. */
static void waiting_close(struct waiting *waiting, uint32_t to, uint32_t from, uint32_t count)
{
    memmove(&waiting->front[to], &waiting->front[from], count * sizeof waiting->front[0]);
    memmove(&waiting->blocked[to], &waiting->blocked[from], count * sizeof waiting->blocked[0]);
}

void waiting_closed(struct waiting *waiting)
{
    uint32_t kept = 0;
    while (kept < waiting->front_count && waiting->front[kept].op != WAITING_GONE)
        kept++;
    for (uint32_t from = kept + 1, to = from; from <= waiting->front_count; from = ++to) {
        while (to < waiting->front_count && waiting->front[to].op != WAITING_GONE)
            to++;
        waiting_close(waiting, kept, from, to - from);
        kept += to - from;
    }
    waiting->front_count = kept;
    while (waiting->front_count < WAITING_FRONT && waiting->heap.count > 0) {
        struct waiting_copy first = waiting_heap(waiting)[0];
        waiting_heap_remove(waiting, 0);
        waiting_front_put(waiting, &first, WAITING_UNKNOWN);
    }
}

/* ---- both ------------------------------------------------------------------------------- */

static bool waiting_reserve(struct waiting *waiting, uint32_t op)
{
    static const uint32_t not = WAITING_NOT;
    while (waiting->places.count <= op)
        if (vec_push(&waiting->places, &not ) == NULL)
            return false;
    size_t count = waiting->heap.count;
    return count < waiting->heap.capacity || vec_reserve(&waiting->heap, 2 * count + 8);
}

bool waiting_put(struct waiting *waiting, struct waiting_copy copy, uint32_t blocked)
{
    if (!waiting_reserve(waiting, copy.op))
        return false;
    copy.order = ++waiting->order;
    if (waiting->front_count < WAITING_FRONT) {
        waiting_front_put(waiting, &copy, blocked);
        return true;
    }
    struct waiting_copy last = copy;
    if (waiting_before(&copy, &waiting->front[WAITING_FRONT - 1])) {
        last = waiting->front[--waiting->front_count];
        waiting_front_put(waiting, &copy, blocked);
    }
    waiting->heap.count++;
    waiting_rise(waiting, (uint32_t)waiting->heap.count - 1, last);
    return true;
}

const struct waiting_copy *waiting_find(const struct waiting *waiting, uint32_t op)
{
    uint32_t place = waiting_place(waiting, op);
    if (place == WAITING_NOT)
        return NULL;
    if (place == WAITING_IN_FRONT)
        return &waiting->front[waiting_front_find(waiting, op)];
    return &waiting_heap(waiting)[place];
}

bool waiting_take(struct waiting *waiting, uint32_t op, struct waiting_copy *copy)
{
    uint32_t place = waiting_place(waiting, op);
    if (place == WAITING_NOT)
        return false;
    *copy = *waiting_find(waiting, op);
    if (place == WAITING_IN_FRONT) {
        waiting_gone(waiting, waiting_front_find(waiting, op));
        waiting_closed(waiting);
    } else {
        waiting_heap_remove(waiting, place);
    }
    return true;
}

const struct waiting_copy *waiting_at(const struct waiting *waiting, size_t index)
{
    if (index < waiting->front_count)
        return &waiting->front[index];
    index -= waiting->front_count;
    return index < waiting->heap.count ? &waiting_heap(waiting)[index] : NULL;
}
