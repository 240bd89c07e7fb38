/* Which blocks move where; see heap_compact.h. */
#include "mem/heap_compact.h"

#include <stdlib.h>
#include "base/assert.h"

#define COMPACT_TRIES 16u /* stretches of different slabs that are looked at closely */

/* Ranges of one slab, from `first` on, that hold `bytes` together. */
struct compact_stretch {
    uint32_t slab, first;
    uint64_t bytes;
    uint64_t taken_bytes;
    bool chosen; /* to go as a whole */
    bool stuck;  /* something in it has no place elsewhere */
};

struct compact {
    struct heap *heap;
    const struct heap_compact_options *options;
    struct heap_plan *plan;
    uint64_t need, most_bytes, within_bytes;
    struct compact_stretch best[COMPACT_TRIES]; /* least taken first */
    uint32_t best_count;
    struct vec slabs; /* struct compact_stretch: whole ones that can be cleared, emptiest first */
};

void heap_plan_init(struct heap_plan *plan, const struct alloc_hooks *hooks)
{
    *plan = (struct heap_plan){0};
    vec_init(&plan->moves, sizeof(struct heap_move), hooks);
    vec_init(&plan->held, sizeof(struct heap_block), hooks);
}

void heap_plan_fini(struct heap_plan *plan)
{
    if (plan == NULL)
        return;
    vec_fini(&plan->moves);
    vec_fini(&plan->held);
}

static const struct heap_slab *compact_slab(const struct heap *heap, uint32_t slab)
{
    return vec_at(&heap->slabs, slab);
}

static bool compact_may_move(const struct compact *c, uint32_t index)
{
    const struct bins_range *range = bins_at(&c->heap->bins, index);
    if (range->state == BINS_FREE)
        return true;
    return range->state == BINS_TAKEN &&
           (c->options->may_move == NULL || c->options->may_move(c->options->user, index));
}

/* ---- candidates ------------------------------------------------------------------------- */

static void compact_remember(struct compact *c, const struct compact_stretch *stretch)
{
    uint32_t at = c->best_count;
    if (stretch->taken_bytes > c->most_bytes)
        return;
    while (at > 0 && c->best[at - 1].taken_bytes > stretch->taken_bytes)
        at--;
    if (at == COMPACT_TRIES)
        return;
    if (c->best_count < COMPACT_TRIES)
        c->best_count++;
    for (uint32_t i = c->best_count - 1; i > at; i--)
        c->best[i] = c->best[i - 1];
    c->best[at] = *stretch;
}

/* The stretch of a slab with room for the block in which the least has to move; and the whole slab
 * where all of it can. */
static bool compact_look(struct compact *c, uint32_t id)
{
    const struct bins *bins = &c->heap->bins;
    const struct heap_slab *slab = compact_slab(c->heap, id);
    struct compact_stretch now = {.slab = id, .first = slab->first}, least = {0};
    bool whole = true;
    for (uint32_t i = slab->first; i != BINS_NONE; i = bins_at(bins, i)->next) {
        const struct bins_range *range = bins_at(bins, i);
        if (!compact_may_move(c, i)) {
            now = (struct compact_stretch){.slab = id, .first = range->next};
            whole = false;
            continue;
        }
        now.bytes += range->bytes;
        now.taken_bytes += range->state == BINS_TAKEN ? range->bytes : 0;
        for (const struct bins_range *out = bins_at(bins, now.first);
             now.bytes - out->bytes >= c->need; out = bins_at(bins, now.first)) {
            now.bytes -= out->bytes;
            now.taken_bytes -= out->state == BINS_TAKEN ? out->bytes : 0;
            now.first = out->next;
        }
        if (now.bytes >= c->need && (least.bytes == 0 || now.taken_bytes < least.taken_bytes))
            least = now;
    }
    if (least.bytes > 0)
        compact_remember(c, &least);
    if (!whole)
        return true;
    const struct compact_stretch all = {
        .slab = id, .first = slab->first, .bytes = slab->bytes, .taken_bytes = slab->taken_bytes};
    return vec_push(&c->slabs, &all) != NULL;
}

/* By the share that is taken, then by place. */
static int compact_slab_order(const void *a, const void *b)
{
    const struct compact_stretch *x = a, *y = b;
    double x_share = (double)x->taken_bytes / (double)x->bytes;
    double y_share = (double)y->taken_bytes / (double)y->bytes;
    if (x_share < y_share || x_share > y_share)
        return x_share < y_share ? -1 : 1;
    return x->slab < y->slab ? -1 : x->slab > y->slab;
}

/* Chooses the emptiest slabs that have to go for one of the block's size: they come first. Returns
 * how many they are; 0: there are not enough, or too much lies in them. [out] taken: what does. */
static uint32_t compact_choose_slabs(struct compact *c, uint64_t *taken)
{
    uint64_t held = c->heap->total_bytes + c->heap->pending_bytes;
    uint32_t count = 0;
    *taken = 0;
    for (uint32_t i = 0; i < c->slabs.count; i++) {
        struct compact_stretch *slab = vec_at(&c->slabs, i);
        slab->chosen = false;
        if (slab->stuck || held <= c->within_bytes - c->need)
            continue;
        slab->chosen = true;
        *taken += slab->taken_bytes;
        held -= slab->bytes;
        count++;
    }
    return held <= c->within_bytes - c->need && *taken <= c->most_bytes ? count : 0;
}

/* ---- carrying out ----------------------------------------------------------------------- */

void heap_plan_drop(struct heap *heap, struct heap_plan *plan)
{
    for (size_t i = plan->moves.count; i > 0; i--) {
        const struct heap_move *move = vec_at(&plan->moves, i - 1);
        if (move->to.bytes > 0)
            heap_free(heap, &move->to);
    }
    for (size_t i = plan->held.count; i > 0; i--)
        heap_free(heap, vec_at(&plan->held, i - 1));
    vec_clear(&plan->moves);
    vec_clear(&plan->held);
    plan->moved_bytes = 0;
}

/* Nobody takes the stretch's holes, and its blocks are to go. */
static bool compact_claim(struct compact *c, const struct compact_stretch *stretch)
{
    uint64_t bytes = 0;
    uint32_t next;
    for (uint32_t i = stretch->first; i != BINS_NONE && bytes < stretch->bytes; i = next) {
        const struct bins_range *range = bins_at(&c->heap->bins, i);
        next = range->next;
        bytes += range->bytes;
        if (range->state == BINS_TAKEN) {
            struct heap_move *move = vec_push(&c->plan->moves, NULL);
            if (move == NULL)
                return false;
            heap_block_at(c->heap, i, &move->from);
            c->plan->moved_bytes += move->from.bytes;
        } else {
            struct heap_block *hole = vec_push(&c->plan->held, NULL);
            if (hole == NULL)
                return false;
            heap_take_hole(c->heap, i, hole);
        }
    }
    return true;
}

static int compact_move_order(const void *a, const void *b)
{
    const struct heap_move *x = a, *y = b;
    if (x->from.bytes != y->from.bytes)
        return x->from.bytes > y->from.bytes ? -1 : 1;
    if (x->from.slab != y->from.slab)
        return x->from.slab < y->from.slab ? -1 : 1;
    return x->from.offset < y->from.offset ? -1 : x->from.offset > y->from.offset;
}

/* Places for all that is to go, among the holes that there are. Returns HEAP_NONE, or the slab of
 * the first that finds none. */
static uint32_t compact_place(struct compact *c)
{
    struct vec *moves = &c->plan->moves;
    if (moves->count > 0)
        qsort(moves->items, moves->count, moves->item_bytes, compact_move_order);
    for (size_t i = 0; i < moves->count; i++) {
        struct heap_move *move = vec_at(moves, i);
        if (!heap_alloc_hole(c->heap, move->from.bytes, &move->to))
            return move->from.slab;
    }
    return HEAP_NONE;
}

static bool compact_try_stretch(struct compact *c, const struct compact_stretch *stretch)
{
    if (compact_claim(c, stretch) && compact_place(c) == HEAP_NONE)
        return true;
    heap_plan_drop(c->heap, c->plan);
    return false;
}

/* The chosen slabs; those from which something cannot go are left out, and others taken for them.
 */
static bool compact_try_slabs(struct compact *c)
{
    uint64_t taken;
    for (uint32_t tries = 0; tries < COMPACT_TRIES && compact_choose_slabs(c, &taken) > 0;
         tries++) {
        bool good = true;
        for (uint32_t i = 0; good && i < c->slabs.count; i++) {
            const struct compact_stretch *slab = vec_at(&c->slabs, i);
            good = !slab->chosen || compact_claim(c, slab);
        }
        uint32_t stuck = good ? compact_place(c) : HEAP_NONE;
        if (good && stuck == HEAP_NONE)
            return true;
        heap_plan_drop(c->heap, c->plan);
        for (uint32_t i = 0; i < c->slabs.count; i++) {
            struct compact_stretch *slab = vec_at(&c->slabs, i);
            slab->stuck |= slab->slab == stuck;
        }
        if (!good)
            return false;
    }
    return false;
}

/* The cheapest first; whole slabs count as one. */
static bool compact_run(struct compact *c)
{
    uint64_t taken = 0;
    if (c->slabs.count > 0)
        qsort(c->slabs.items, c->slabs.count, c->slabs.item_bytes, compact_slab_order);
    bool slabs = c->need <= c->within_bytes && compact_choose_slabs(c, &taken) > 0;
    for (uint32_t i = 0; i < c->best_count; i++) {
        if (slabs && taken < c->best[i].taken_bytes) {
            if (compact_try_slabs(c))
                return true;
            slabs = false;
        }
        if (compact_try_stretch(c, &c->best[i]))
            return true;
    }
    return slabs && compact_try_slabs(c);
}

static uint64_t compact_within(const struct heap *heap, const struct heap_compact_options *options)
{
    bool less = options->within_bytes != 0 && options->within_bytes < heap->ceiling_bytes;
    return less ? options->within_bytes : heap->ceiling_bytes;
}

bool heap_compact_may(const struct heap *heap, uint64_t bytes,
                      const struct heap_compact_options *options)
{
    uint64_t need = heap_footprint(heap, bytes), within = compact_within(heap, options);
    return !heap->direct && need <= within &&
           (need + heap->used_bytes <= within || need <= heap->total_bytes - heap->used_bytes);
}

bool heap_compact(struct heap *heap, uint64_t bytes, const struct heap_compact_options *options,
                  struct heap_plan *plan)
{
    struct compact c = {.heap = heap,
                        .options = options,
                        .plan = plan,
                        .need = heap_footprint(heap, bytes),
                        .within_bytes = compact_within(heap, options),
                        .most_bytes = options->most_bytes != 0 ? options->most_bytes : UINT64_MAX};
    bool found = heap_compact_may(heap, bytes, options);
    vec_clear(&plan->moves);
    vec_clear(&plan->held);
    plan->moved_bytes = 0;
    vec_init(&c.slabs, sizeof(struct compact_stretch), plan->moves.hooks);
    for (uint32_t id = 0; found && id < heap->slabs.count; id++)
        if (compact_slab(heap, id)->bytes != 0)
            found = compact_look(&c, id);
    found = found && compact_run(&c);
    vec_fini(&c.slabs);
    return found;
}
