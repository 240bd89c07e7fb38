/* The heap against a naive list of intervals, on random histories from a seed.
 *
 * The list knows what is out and which slabs there are, and nothing of how the heap works. It
 * demands: no overlap, inside a slab that exists, aligned, at least as large as asked, never more
 * than the limit, no refusal that a hole would have made unnecessary, HEAP_FULL only while
 * something is out, everything joined again at the end. Where all blocks are large it also demands
 * the exact place: smallest hole, lowest slab, lowest address. A failing history is cut down as far
 * as it still fails, and printed with its seed.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"
#include "lib/seed.h"
#include "mem/heap.h"

#define OPS_MAX 600
#define OUT_MAX OPS_MAX
#define SLABS_MAX 512

enum op_kind { OP_ALLOC, OP_FREE, OP_RELEASE, OP_SQUEEZE };

struct op {
    enum op_kind kind;
    uint64_t value; /* bytes to allocate or keep, the index to free, the capacity left */
};

struct history {
    struct heap_config config;
    uint64_t device_bytes; /* the device has that much; 0: the limit and more */
    bool large_only;
    uint32_t count;
    struct op ops[OPS_MAX];
};

struct naive_slab {
    uint64_t mem, bytes;
    uint32_t id;
};

/* What is true, kept in the plainest way. */
struct naive {
    struct heap heap;
    const struct history *history;
    struct heap_block out[OUT_MAX];
    uint32_t out_count;
    struct naive_slab slabs[SLABS_MAX];
    uint32_t slab_count;
    uint64_t slab_bytes, capacity, next_mem;
};

static uint64_t naive_need(const struct naive *naive, uint64_t bytes)
{
    uint64_t granule =
        naive->history->config.align_bytes > 256 ? naive->history->config.align_bytes : 256;
    return (bytes + granule - 1) / granule * granule;
}

/* The hole that best fit would take: linear search, no structure. False when there is none. */
static bool naive_best(const struct naive *naive, uint64_t need, uint64_t *mem, uint64_t *offset)
{
    uint64_t best_bytes = UINT64_MAX;
    uint32_t best_id = UINT32_MAX;
    for (uint32_t s = 0; s < naive->slab_count; s++) {
        const struct naive_slab *slab = &naive->slabs[s];
        uint64_t at = 0;
        while (at < slab->bytes) {
            /* The next block from `at` on bounds the hole. */
            uint64_t end = slab->bytes, skip = slab->bytes;
            for (uint32_t i = 0; i < naive->out_count; i++) {
                const struct heap_block *b = &naive->out[i];
                if (b->mem == slab->mem && b->offset >= at && b->offset < end) {
                    end = b->offset;
                    skip = b->offset + b->bytes;
                }
            }
            uint64_t hole = end - at;
            bool better = hole < best_bytes || (hole == best_bytes && slab->id < best_id);
            bool fits = hole >= need;
            if (naive->history->config.direct)
                fits = at == 0 && hole == slab->bytes && hole >= need && hole - need <= need / 8;
            if (fits && better) {
                best_bytes = hole;
                best_id = slab->id;
                *mem = slab->mem;
                *offset = at;
            }
            at = skip;
        }
    }
    return best_bytes != UINT64_MAX;
}

static const char *naive_check_block(const struct naive *naive, uint64_t asked,
                                     const struct heap_block *block)
{
    uint64_t slab_bytes = 0;
    for (uint32_t s = 0; s < naive->slab_count; s++) {
        if (naive->slabs[s].mem == block->mem)
            slab_bytes = naive->slabs[s].bytes;
    }
    if (slab_bytes == 0)
        return "the block lies in a slab that does not exist";
    if (block->bytes < asked || block->offset > slab_bytes ||
        block->bytes > slab_bytes - block->offset)
        return "the block is too small or leaves its slab";
    if (block->offset % naive->history->config.align_bytes != 0)
        return "the block is not aligned";
    if (naive->history->config.direct && block->offset != 0)
        return "a direct block does not start its slab";
    for (uint32_t i = 0; i < naive->out_count; i++) {
        const struct heap_block *b = &naive->out[i];
        if (b->mem == block->mem && b->offset < block->offset + block->bytes &&
            block->offset < b->offset + b->bytes)
            return "two blocks overlap";
    }
    return NULL;
}

static void naive_drop_slab(struct naive *naive, uint64_t mem)
{
    for (uint32_t s = 0; s < naive->slab_count; s++) {
        if (naive->slabs[s].mem == mem) {
            naive->slab_bytes -= naive->slabs[s].bytes;
            naive->slabs[s] = naive->slabs[--naive->slab_count];
            return;
        }
    }
}

static const char *naive_release(struct naive *naive, uint64_t keep, bool *released)
{
    uint64_t mem = 0, bytes = 0;
    *released = heap_release_empty(&naive->heap, keep, &mem, &bytes);
    if (!*released)
        return NULL;
    for (uint32_t i = 0; i < naive->out_count; i++) {
        if (naive->out[i].mem == mem)
            return "a slab was released under a block";
    }
    uint64_t before = naive->slab_bytes;
    naive_drop_slab(naive, mem);
    return before - naive->slab_bytes == bytes ? NULL : "a slab was released that does not exist";
}

/* Plays the device: grants the slab if it has room. */
static const char *naive_grow(struct naive *naive, uint64_t need, uint64_t bytes)
{
    if (bytes < need)
        return "the heap asks for a slab that is too small";
    if (naive->slab_bytes + bytes > naive->history->config.limit_bytes)
        return "the heap asks for more than its limit";
    if (naive->slab_bytes + bytes > naive->capacity || naive->slab_count == SLABS_MAX) {
        heap_refuse_slab(&naive->heap, bytes);
        return NULL;
    }
    uint64_t mem = ++naive->next_mem;
    uint32_t id = heap_add_slab(&naive->heap, mem, bytes, true);
    naive->slabs[naive->slab_count++] = (struct naive_slab){mem, bytes, id};
    naive->slab_bytes += bytes;
    return NULL;
}

static const char *naive_free(struct naive *naive, uint64_t pick)
{
    if (naive->out_count == 0)
        return NULL;
    uint32_t i = (uint32_t)(pick % naive->out_count);
    struct heap_block block = naive->out[i];
    naive->out[i] = naive->out[--naive->out_count];
    heap_free(&naive->heap, &block);
    return NULL;
}

/* One answer of heap_alloc, judged and carried out. *again: ask once more. */
static const char *naive_answer(struct naive *naive, uint64_t bytes, bool *again)
{
    uint64_t need = naive_need(naive, bytes), mem = 0, offset = 0, grow = 0;
    bool exact = naive->history->large_only || naive->history->config.direct;
    bool hole = naive_best(naive, need, &mem, &offset);
    struct heap_block block = {0};
    enum heap_answer asked = heap_ask(&naive->heap, bytes);
    enum heap_answer answer = heap_alloc(&naive->heap, bytes, &block, &grow);
    *again = false;
    if (asked != answer)
        return "heap_ask and heap_alloc differ";
    if (exact && hole != (answer == HEAP_OK))
        return "a hole was overlooked, or found where there is none";
    switch (answer) {
    case HEAP_OK:
        if (exact && (block.mem != mem || block.offset != offset))
            return "not the best fit at the lowest address";
        naive->out[naive->out_count] = block;
        const char *wrong = naive_check_block(naive, bytes, &block);
        naive->out_count++;
        return wrong;
    case HEAP_GROW:
        *again = true;
        return naive_grow(naive, exact ? need : 1, grow);
    case HEAP_TRIM: {
        bool released = false;
        const char *bad = naive_release(naive, 0, &released);
        *again = true;
        return bad != NULL || released ? bad : "HEAP_TRIM without an empty slab";
    }
    case HEAP_FULL:
        if (naive->out_count == 0)
            return "HEAP_FULL with nothing out";
        *again = true;
        return naive_free(naive, bytes);
    case HEAP_NEVER:
        return need > naive->history->config.limit_bytes || need > naive->capacity
                   ? NULL
                   : "HEAP_NEVER for what the device has";
    default:
        return "an answer that cannot be here";
    }
}

static const char *naive_step(struct naive *naive, const struct op *op)
{
    const char *wrong = NULL;
    bool again = true;
    switch (op->kind) {
    case OP_ALLOC:
        for (int tries = 0; again; tries++) {
            if (tries > 3 * OPS_MAX)
                return "the answers lead nowhere";
            wrong = naive_answer(naive, op->value, &again);
            if (wrong != NULL)
                return wrong;
        }
        break;
    case OP_FREE:
        wrong = naive_free(naive, op->value);
        break;
    case OP_RELEASE:
        wrong = naive_release(naive, op->value, &again);
        break;
    case OP_SQUEEZE: /* others take and give back device memory */
        naive->capacity = naive->slab_bytes + op->value;
        break;
    }
    return wrong != NULL ? wrong : heap_check(&naive->heap);
}

static const char *naive_finish(struct naive *naive)
{
    const char *wrong = NULL;
    bool released = true;
    struct heap_stats stats;
    while (wrong == NULL && naive->out_count > 0) {
        naive_free(naive, naive->out_count / 2);
        wrong = heap_check(&naive->heap);
    }
    heap_get_stats(&naive->heap, &stats);
    if (wrong == NULL && (stats.used_bytes != 0 || stats.blocks != 0))
        return "something is still counted as used";
    while (wrong == NULL && released)
        wrong = naive_release(naive, 0, &released);
    heap_get_stats(&naive->heap, &stats);
    if (wrong == NULL && (naive->slab_count != 0 || stats.slab_bytes != 0 || stats.holes != 0))
        return "not everything was joined again";
    return wrong != NULL ? wrong : heap_check(&naive->heap);
}

/* Runs a history; NULL or what went wrong, and at which step. */
static const char *history_run(const struct history *history, uint32_t *step)
{
    static struct naive naive;
    memset(&naive, 0, sizeof naive);
    naive.history = history;
    naive.capacity = history->device_bytes != 0 ? history->device_bytes : UINT64_MAX / 2;
    heap_init(&naive.heap, &history->config);
    const char *wrong = NULL;
    for (*step = 0; wrong == NULL && *step < history->count; ++*step)
        wrong = naive_step(&naive, &history->ops[*step]);
    if (wrong == NULL)
        wrong = naive_finish(&naive);
    heap_fini(&naive.heap);
    return wrong;
}

/* Sizes as programs have them: powers of two and their neighbours, even ones, anything; or nearly
 * all the same. */
static uint64_t history_size(struct rng *rng, bool large_only, bool alike)
{
    uint64_t low = large_only ? 4097 : 1;
    uint64_t size = 0;
    if (alike && rng_below(rng, 50) != 0)
        return large_only ? 65536 : 4000 - rng_below(rng, 300); /* 16 fill a page */
    switch (rng_below(rng, 4)) {
    case 0:
        size = (UINT64_C(1) << rng_below(rng, 21)) + rng_below(rng, 3) - 1;
        break;
    case 1:
        size = 1024 * (1 + rng_below(rng, 64));
        break;
    case 2:
        size = rng_below(rng, 300000);
        break;
    default:
        size = 1 + rng_below(rng, 5000);
        break;
    }
    return size < low ? low + size : size;
}

static void history_make(struct history *history, uint64_t seed)
{
    static const uint32_t aligns[] = {1, 64, 256, 4096, 65536};
    struct rng rng;
    rng_init(&rng, seed);
    memset(history, 0, sizeof *history);
    history->config.limit_bytes = UINT64_C(1) << (16 + rng_below(&rng, 8));
    history->config.limit_bytes += rng_below(&rng, 2) * 12345;
    history->config.slab_bytes = UINT64_C(1) << (14 + rng_below(&rng, 7));
    history->config.align_bytes = aligns[rng_below(&rng, 5)];
    history->config.direct = rng_below(&rng, 4) == 0;
    history->large_only = rng_below(&rng, 2) == 0;
    if (rng_below(&rng, 3) == 0)
        history->device_bytes = history->config.limit_bytes / 2;
    bool squeeze = rng_below(&rng, 4) == 0;
    bool alike = rng_below(&rng, 4) == 0;
    uint64_t growth = 2 + rng_below(&rng, 5);
    history->count = (uint32_t)(1 + rng_below(&rng, OPS_MAX));
    for (uint32_t i = 0; i < history->count; i++) {
        struct op *op = &history->ops[i];
        uint64_t dice = rng_below(&rng, 10);
        if (dice < growth) {
            *op = (struct op){OP_ALLOC, history_size(&rng, history->large_only, alike)};
        } else if (rng_below(&rng, 20) == 0) {
            *op = (struct op){OP_RELEASE, rng_below(&rng, 3) * (history->config.limit_bytes / 8)};
        } else if (squeeze && rng_below(&rng, 20) == 0) {
            *op = (struct op){OP_SQUEEZE, rng_below(&rng, history->config.limit_bytes)};
        } else {
            *op = (struct op){OP_FREE, rng_u64(&rng)};
        }
    }
}

/* Takes pieces out of a failing history as long as it fails, halves first, single steps last. */
static void history_shrink(struct history *history)
{
    static struct history trial;
    uint32_t step = 0;
    for (uint32_t piece = history->count / 2; piece >= 1; piece /= 2) {
        for (uint32_t from = 0; from + piece <= history->count;) {
            trial = *history;
            memmove(&trial.ops[from], &trial.ops[from + piece],
                    (history->count - from - piece) * sizeof trial.ops[0]);
            trial.count -= piece;
            if (history_run(&trial, &step) != NULL)
                *history = trial;
            else
                from += piece;
        }
    }
}

static void history_print(const struct history *history)
{
    static const char *const names[] = {"alloc", "free", "release", "squeeze"};
    fprintf(stderr, "limit %" PRIu64 " slab %" PRIu64 " align %u direct %d device %" PRIu64 "\n",
            history->config.limit_bytes, history->config.slab_bytes, history->config.align_bytes,
            history->config.direct, history->device_bytes);
    for (uint32_t i = 0; i < history->count; i++)
        fprintf(stderr, "  %s %" PRIu64 "\n", names[history->ops[i].kind], history->ops[i].value);
}

static void test_random_histories(void **state)
{
    (void)state;
    static struct history history;
    uint64_t first = seed_get(1), count = seed_count(300);
    for (uint64_t seed = first; seed < first + count; seed++) {
        uint32_t step = 0;
        history_make(&history, seed);
        const char *wrong = history_run(&history, &step);
        if (wrong == NULL)
            continue;
        fprintf(stderr, "seed %" PRIu64 ", step %u: %s; the shortest history that fails:\n", seed,
                step, wrong);
        history_shrink(&history);
        history_print(&history);
        seed_print("prop/test_heap", seed);
        fail_msg("%s", wrong);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_histories)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
