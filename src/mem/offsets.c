/* Plans of offsets: blocks one by one into holes, then a search under lower and lower ceilings; see
 * offsets.h.
 *
 * Blocks that have a place stand in two lists, by their first and by their last byte; what is alive
 * together with a block is read off both in order, so that the weight of what a place would throw
 * out is a difference of two running sums. Weights are integers: no rounding, no platform.
 */
#include "mem/offsets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define OFFSETS_NOWHERE UINT64_MAX
#define OFFSETS_WEIGHT 65536.0                /* of a block as high as the bound, always alive */
#define OFFSETS_TABU (UINT64_C(1) << 40)      /* ... of one that has just been placed */
#define OFFSETS_FIXED (UINT64_C(1) << 46)     /* ... of one that never moves */
#define OFFSETS_SORTED_LIMIT 4096u            /* blocks up to which all orders are tried */
#define OFFSETS_FITTED_LIMIT 40000u           /* ... up to which all holes are looked through */
#define OFFSETS_WATCH_STEPS UINT64_C(4000000) /* between calls of watch */

/* What is alive together with the block that looks for a place, by one end. */
struct offsets_ends {
    uint64_t *at;
    uint64_t *before; /* weight of those in front; one more than there are ends */
    uint32_t count;
};

struct offsets_search {
    const struct offsets_block *blocks;
    const struct offsets_options *options;
    uint32_t count;
    uint64_t bound;
    uint64_t *offsets; /* OFFSETS_NOWHERE: it has no place */
    uint64_t *best;
    uint64_t *weights;
    uint64_t *tabu; /* until which move */
    uint32_t *by_first, *by_last;
    uint32_t placed;
    uint32_t *homeless;
    uint32_t homeless_count;
    struct offsets_ends firsts, lasts;
    uint64_t seed, weight_step;
    uint64_t moves, steps, steps_limit, watched;
    bool stopped;
};

static uint64_t offsets_random(struct offsets_search *search)
{
    /* xorshift64* (S. Vigna, ACM TOMS 2016) */
    search->seed ^= search->seed >> 12;
    search->seed ^= search->seed << 25;
    search->seed ^= search->seed >> 27;
    return (search->seed * UINT64_C(0x2545f4914f6cdd1d)) >> 32;
}

static uint64_t offsets_last(const struct offsets_search *search, uint32_t block)
{
    return search->offsets[block] + search->blocks[block].bytes;
}

static bool offsets_meet(const struct offsets_block *a, const struct offsets_block *b)
{
    return a->lower < b->upper && b->lower < a->upper;
}

/* ---- the two lists ---------------------------------------------------------------------- */

/* The place in by_first (by_last) before which all ends are below `at`. */
static uint32_t offsets_list_place(const struct offsets_search *search, bool last, uint64_t at)
{
    uint32_t low = 0, high = search->placed;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        uint64_t here = last ? offsets_last(search, search->by_last[middle])
                             : search->offsets[search->by_first[middle]];
        if (here < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void offsets_put(struct offsets_search *search, uint32_t block, uint64_t at)
{
    uint32_t first = offsets_list_place(search, false, at);
    uint32_t last = offsets_list_place(search, true, at + search->blocks[block].bytes);
    size_t size = sizeof *search->by_first;
    memmove(search->by_first + first + 1, search->by_first + first,
            (search->placed - first) * size);
    memmove(search->by_last + last + 1, search->by_last + last, (search->placed - last) * size);
    search->by_first[first] = block;
    search->by_last[last] = block;
    search->offsets[block] = at;
    search->placed++;
}

static void offsets_take(struct offsets_search *search, uint32_t block)
{
    uint32_t first = offsets_list_place(search, false, search->offsets[block]);
    uint32_t last = offsets_list_place(search, true, offsets_last(search, block));
    size_t size = sizeof *search->by_first;
    while (search->by_first[first] != block)
        first++;
    while (search->by_last[last] != block)
        last++;
    search->placed--;
    memmove(search->by_first + first, search->by_first + first + 1,
            (search->placed - first) * size);
    memmove(search->by_last + last, search->by_last + last + 1, (search->placed - last) * size);
    search->offsets[block] = OFFSETS_NOWHERE;
}

static uint64_t offsets_height(const struct offsets_search *search)
{
    return search->placed > 0 ? offsets_last(search, search->by_last[search->placed - 1]) : 0;
}

/* ---- one by one ------------------------------------------------------------------------- */

enum offsets_order { OFFSETS_BY_BYTES, OFFSETS_BY_AREA, OFFSETS_BY_LIFE, OFFSETS_BY_START };

struct offsets_ranked {
    double rank;
    uint32_t block;
};

static int offsets_ranked_order(const void *a, const void *b)
{
    const struct offsets_ranked *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    return x->block < y->block ? -1 : x->block > y->block;
}

static double offsets_rank(const struct offsets_block *block, enum offsets_order order)
{
    double life = (double)(block->upper - block->lower);
    return order == OFFSETS_BY_BYTES  ? (double)block->bytes
           : order == OFFSETS_BY_AREA ? (double)block->bytes * life
           : order == OFFSETS_BY_LIFE ? life
                                      : -(double)block->lower;
}

/* The smallest hole for a block among what is alive with it, else on top of all of that. */
static uint64_t offsets_fit(struct offsets_search *search, uint32_t block)
{
    const struct offsets_block *own = &search->blocks[block];
    uint64_t top = 0, least = UINT64_MAX, found = OFFSETS_NOWHERE;
    for (uint32_t i = 0; i < search->placed; i++) {
        uint32_t other = search->by_first[i];
        if (!offsets_meet(own, &search->blocks[other]))
            continue;
        uint64_t at = search->offsets[other];
        if (at > top && at - top >= own->bytes && at - top < least) {
            least = at - top;
            found = top;
        }
        uint64_t last = offsets_last(search, other);
        top = last > top ? last : top;
    }
    return found != OFFSETS_NOWHERE ? found : top;
}

static bool offsets_is_fixed(const struct offsets_search *search, uint32_t block)
{
    return search->options->fixed != NULL && search->options->fixed[block] != OFFSETS_FREE;
}

/* Nobody has a place but those that never move. */
static void offsets_clear(struct offsets_search *search)
{
    search->placed = search->homeless_count = 0;
    for (uint32_t i = 0; i < search->count; i++)
        search->offsets[i] = OFFSETS_NOWHERE;
    for (uint32_t i = 0; search->options->fixed != NULL && i < search->count; i++)
        if (offsets_is_fixed(search, i))
            offsets_put(search, i, search->options->fixed[i]);
}

static bool offsets_watch(struct offsets_search *search)
{
    const struct offsets_options *options = search->options;
    if (search->steps - search->watched < OFFSETS_WATCH_STEPS || options->watch == NULL)
        return true;
    search->watched = search->steps;
    search->stopped = !options->watch(options->user, search->steps, search->steps_limit);
    return !search->stopped;
}

static void offsets_keep(struct offsets_search *search, struct offsets_result *result)
{
    uint64_t height = offsets_height(search);
    if (height >= result->bytes)
        return;
    result->bytes = height;
    memcpy(search->best, search->offsets, search->count * sizeof *search->best);
}

static bool offsets_fit_all(struct offsets_search *search, enum offsets_order order)
{
    size_t size = search->count * sizeof(struct offsets_ranked);
    struct offsets_ranked *ranked = alloc_get(search->options->hooks, size, 64);
    if (ranked == NULL)
        return false;
    for (uint32_t i = 0; i < search->count; i++)
        ranked[i] = (struct offsets_ranked){offsets_rank(&search->blocks[i], order), i};
    qsort(ranked, search->count, sizeof *ranked, offsets_ranked_order);
    offsets_clear(search);
    for (uint32_t i = 0; i < search->count; i++)
        if (!offsets_is_fixed(search, ranked[i].block))
            offsets_put(search, ranked[i].block, offsets_fit(search, ranked[i].block));
    alloc_put(search->options->hooks, ranked, size);
    return true;
}

/* ---- the search ------------------------------------------------------------------------- */

static void offsets_weigh(struct offsets_search *search)
{
    uint64_t begin = UINT64_MAX, end = 0;
    double sum = 0;
    for (uint32_t i = 0; i < search->count; i++) {
        begin = search->blocks[i].lower < begin ? search->blocks[i].lower : begin;
        end = search->blocks[i].upper > end ? search->blocks[i].upper : end;
    }
    for (uint32_t i = 0; i < search->count; i++) {
        const struct offsets_block *block = &search->blocks[i];
        double life = (double)(block->upper - block->lower) / (double)(end - begin);
        double weight = OFFSETS_WEIGHT * (double)block->bytes / (double)search->bound * sqrt(life);
        search->weights[i] = 1 + (uint64_t)weight;
        search->tabu[i] = 0;
        sum += weight;
        if (offsets_is_fixed(search, i))
            search->weights[i] = OFFSETS_FIXED;
    }
    search->weight_step = 1 + (uint64_t)(sum / (2.0 * (double)search->count));
}

/* Fills one of the lists of ends for the block. */
static void offsets_gather(struct offsets_search *search, uint32_t block, bool last)
{
    const struct offsets_block *own = &search->blocks[block];
    const uint32_t *list = last ? search->by_last : search->by_first;
    struct offsets_ends *ends = last ? &search->lasts : &search->firsts;
    uint64_t sum = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < search->placed; i++) {
        uint32_t other = list[i];
        if (!offsets_meet(own, &search->blocks[other]))
            continue;
        ends->at[count] = last ? offsets_last(search, other) : search->offsets[other];
        ends->before[count++] = sum;
        sum += search->weights[other] + (search->tabu[other] > search->moves ? OFFSETS_TABU : 0);
    }
    ends->before[count] = sum;
    ends->count = count;
    search->steps += search->placed;
}

struct offsets_choice {
    uint64_t at, weight;
    uint32_t alike;
};

/* `began`: of those around that begin below the block's end; `ended`: that end at or below it. */
static void offsets_offer(struct offsets_search *search, struct offsets_choice *choice, uint64_t at,
                          uint32_t began, uint32_t ended)
{
    uint64_t weight = search->firsts.before[began] - search->lasts.before[ended];
    if (weight > choice->weight)
        return;
    if (weight < choice->weight)
        choice->alike = 0;
    choice->alike++;
    if (choice->alike == 1 || offsets_random(search) % choice->alike == 0)
        choice->at = at;
    choice->weight = weight;
}

/* The place under the ceiling where the block throws out the least: next to others. */
static struct offsets_choice offsets_choose(struct offsets_search *search, uint32_t block,
                                            uint64_t ceiling)
{
    const struct offsets_ends *firsts = &search->firsts, *lasts = &search->lasts;
    struct offsets_choice choice = {.weight = UINT64_MAX};
    uint64_t bytes = search->blocks[block].bytes;
    uint32_t began = 0, ended = 0;
    offsets_gather(search, block, false);
    offsets_gather(search, block, true);
    while (began < firsts->count && firsts->at[began] < bytes)
        began++;
    offsets_offer(search, &choice, 0, began, 0);  /* on the floor */
    for (uint32_t i = 0; i < lasts->count; i++) { /* on top of another */
        uint64_t at = lasts->at[i];
        if (at + bytes > ceiling)
            break;
        if (i + 1 < lasts->count && lasts->at[i + 1] == at)
            continue;
        while (began < firsts->count && firsts->at[began] < at + bytes)
            began++;
        offsets_offer(search, &choice, at, began, i + 1);
    }
    for (uint32_t i = 0; i < firsts->count; i++) { /* right below another */
        if (firsts->at[i] < bytes || (i > 0 && firsts->at[i] == firsts->at[i - 1]))
            continue;
        while (ended < lasts->count && lasts->at[ended] <= firsts->at[i] - bytes)
            ended++;
        offsets_offer(search, &choice, firsts->at[i] - bytes, i, ended);
    }
    while (ended < lasts->count && lasts->at[ended] <= ceiling - bytes)
        ended++;
    offsets_offer(search, &choice, ceiling - bytes, firsts->count, ended);
    return choice;
}

static void offsets_throw_out(struct offsets_search *search, uint32_t block)
{
    offsets_take(search, block);
    search->homeless[search->homeless_count++] = block;
}

/* Whoever is alive with the block and in its way. */
static void offsets_make_room(struct offsets_search *search, uint32_t block, uint64_t at)
{
    const struct offsets_block *own = &search->blocks[block];
    for (uint32_t i = 0; i < search->placed;) {
        uint32_t other = search->by_first[i];
        if (search->offsets[other] >= at + own->bytes)
            break;
        if (offsets_last(search, other) > at && offsets_meet(own, &search->blocks[other]))
            offsets_throw_out(search, other);
        else
            i++;
    }
}

/* One of those without a place: the heavier of two. */
static uint32_t offsets_next(struct offsets_search *search)
{
    uint32_t count = search->homeless_count;
    uint32_t one = (uint32_t)(offsets_random(search) % count);
    uint32_t two = (uint32_t)(offsets_random(search) % count);
    if (search->weights[search->homeless[two]] > search->weights[search->homeless[one]])
        one = two;
    uint32_t block = search->homeless[one];
    search->homeless[one] = search->homeless[--search->homeless_count];
    return block;
}

/* Puts all blocks under the ceiling, from where the best plan has them; false: not within these
 * steps, or one that never moves is in the way. */
static bool offsets_squeeze(struct offsets_search *search, uint64_t ceiling, uint64_t steps)
{
    uint64_t end = search->steps + steps;
    offsets_clear(search);
    offsets_weigh(search);
    for (uint32_t i = 0; i < search->count; i++) {
        if (offsets_is_fixed(search, i))
            continue;
        if (search->best[i] + search->blocks[i].bytes <= ceiling)
            offsets_put(search, i, search->best[i]);
        else
            search->homeless[search->homeless_count++] = i;
    }
    while (search->homeless_count > 0 && search->steps < end && offsets_watch(search)) {
        uint32_t block = offsets_next(search);
        struct offsets_choice choice = offsets_choose(search, block, ceiling);
        if (choice.weight >= OFFSETS_FIXED)
            return false;
        if (choice.weight > 0) {
            offsets_make_room(search, block, choice.at);
            search->weights[block] += search->weight_step;
        }
        offsets_put(search, block, choice.at);
        search->moves++;
        search->tabu[block] = search->moves + 1 + offsets_random(search) % 5;
    }
    return search->homeless_count == 0;
}

/* Ceilings between the bound and what was reached, again from the bound when they come too close,
 * until the steps are spent. */
static void offsets_descend(struct offsets_search *search, struct offsets_result *result)
{
    uint64_t low = search->bound; /* what the next ceiling is not below */
    uint64_t fine = search->bound / 2048, enough = search->options->enough_bytes;
    uint64_t goal = enough > search->bound ? enough : search->bound;
    while (result->bytes > goal && !search->stopped && search->steps < search->steps_limit) {
        if (result->bytes <= low + fine) /* or below it: that one was only not found */
            low = search->bound;
        uint64_t ceiling = enough != 0 ? goal : low + (result->bytes - low) / 2;
        uint64_t left = search->steps_limit - search->steps;
        if (offsets_squeeze(search, ceiling, left / 4 + 1))
            offsets_keep(search, result);
        else
            low = ceiling;
    }
}

/* ---- all of it -------------------------------------------------------------------------- */

/* One piece of memory for all tables; the first call (memory NULL) only adds up. */
static size_t offsets_lay_out(struct offsets_search *search, char *memory)
{
    size_t n = search->count, used = 0;
    uint64_t **longs[] = {&search->offsets,       &search->best,        &search->weights,
                          &search->tabu,          &search->firsts.at,   &search->lasts.at,
                          &search->firsts.before, &search->lasts.before};
    uint32_t **words[] = {&search->by_first, &search->by_last, &search->homeless};
    for (size_t i = 0; i < sizeof longs / sizeof longs[0]; i++, used += (n + 1) * 8)
        if (memory != NULL)
            *longs[i] = (uint64_t *)(void *)(memory + used);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++, used += (n + 1) * 4)
        if (memory != NULL)
            *words[i] = (uint32_t *)(void *)(memory + used);
    return used;
}

/* By all orders, or for many blocks by the best one alone, or for very many as they come. */
static bool offsets_begin_plan(struct offsets_search *search, struct offsets_result *result)
{
    if (search->count > OFFSETS_FITTED_LIMIT) {
        result->bytes =
            offsets_stream(search->blocks, search->count, search->options->hooks, search->best);
        result->greedy_bytes = result->bytes;
        search->steps = search->steps_limit;
        return result->bytes != UINT64_MAX;
    }
    for (uint32_t order = OFFSETS_BY_BYTES; order <= OFFSETS_BY_START; order++) {
        if (order > OFFSETS_BY_BYTES && search->count > OFFSETS_SORTED_LIMIT)
            break;
        if (!offsets_fit_all(search, (enum offsets_order)order))
            return false;
        offsets_keep(search, result);
    }
    result->greedy_bytes = result->bytes;
    return true;
}

fgpu_status offsets_plan(const struct offsets_block *blocks, uint32_t count,
                         const struct offsets_options *options, uint64_t *offsets,
                         struct offsets_result *result)
{
    struct offsets_search search = {
        .blocks = blocks, .count = count, .options = options, .seed = UINT64_C(0x9e3779b97f4a7c15)};
    fgpu_status status = FGPU_E_NOMEM;
    *result = (struct offsets_result){.bytes = UINT64_MAX};
    search.steps_limit = options->steps != 0 ? options->steps : OFFSETS_STEPS;
    search.bound = result->bound_bytes = offsets_bound(blocks, count, options->hooks, NULL);
    if (count == 0)
        result->bytes = 0;
    if (count == 0 || search.bound == UINT64_MAX)
        return count == 0 ? FGPU_OK : FGPU_E_NOMEM;
    size_t size = offsets_lay_out(&search, NULL);
    char *memory = alloc_get(options->hooks, size, 64);
    if (memory == NULL)
        return FGPU_E_NOMEM;
    (void)offsets_lay_out(&search, memory);
    if (offsets_begin_plan(&search, result)) {
        offsets_descend(&search, result);
        memcpy(offsets, search.best, count * sizeof *offsets);
        status = search.stopped ? FGPU_E_CANCELLED : FGPU_OK;
    }
    result->steps = search.steps;
    alloc_put(options->hooks, memory, size);
    return status;
}
