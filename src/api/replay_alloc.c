/* Blocks of a trace through the heap, and through a plan: see fastgpu/replay.h. Slabs are made up.
 */
#include <stdlib.h>

#include <fastgpu/replay.h>
#include "api/replay_compact.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "mem/heap.h"
#include "mem/offsets.h"

#define REPLAY_ROUNDS 5u
#define REPLAY_BYTES_LIMIT (UINT64_C(1) << 61)
#define REPLAY_LOOK 4096u /* operations between calls of progress */

static const char replay_who[] = "fgpu_replay_alloc";

struct replay {
    const fgpu_replay_block *blocks;
    const fgpu_replay_alloc_options *options;
    fgpu_replay_alloc_result *result;
    uint32_t count;
    size_t steps; /* 2 for each block */
    struct replay_step *step;
    struct heap_block *places;
    uint32_t *ns;
    struct offsets_block *lives;
    struct heap *heap;
    uint64_t timing_ns; /* what reading the clock adds */
};

fgpu_status replay_check(const char *who, const fgpu_replay_block *blocks, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        const fgpu_replay_block *block = &blocks[i];
        if (block->lower >= block->upper)
            return error_set(FGPU_E_INVAL,
                             "%s: block %u: lower is %llu, which is not below its "
                             "upper, %llu",
                             who, i, (unsigned long long)block->lower,
                             (unsigned long long)block->upper);
        if (block->bytes == 0 || block->bytes >= REPLAY_BYTES_LIMIT - sum)
            return error_set(FGPU_E_INVAL,
                             "%s: block %u: its size is %llu; the limits are 1, and "
                             "%llu for all together",
                             who, i, (unsigned long long)block->bytes,
                             (unsigned long long)REPLAY_BYTES_LIMIT - 1);
        sum += block->bytes;
    }
    return FGPU_OK;
}

static int replay_step_order(const void *a, const void *b)
{
    const struct replay_step *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    if (x->begins != y->begins)
        return x->begins < y->begins ? -1 : 1;
    return x->block < y->block ? -1 : x->block > y->block;
}

void replay_order(const fgpu_replay_block *blocks, uint32_t count, struct replay_step *steps)
{
    for (uint32_t i = 0; i < count; i++) {
        steps[2 * (size_t)i] = (struct replay_step){blocks[i].lower, i, 1};
        steps[2 * (size_t)i + 1] = (struct replay_step){blocks[i].upper, i, 0};
    }
    qsort(steps, 2 * (size_t)count, sizeof *steps, replay_step_order);
}

static int replay_ns_order(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static bool replay_goes_on(const struct replay *replay, uint64_t done, uint64_t of)
{
    const fgpu_replay_alloc_options *options = replay->options;
    return options->progress == NULL || options->progress(done, of, options->user) == 0;
}

/* A slab that is asked for, or one that stands in the way. False: it cannot be had. */
static bool replay_slab(struct replay *replay, enum heap_answer answer, uint64_t bytes)
{
    uint64_t mem, freed;
    if (answer == HEAP_TRIM) {
        replay->result->slab_frees++;
        return heap_release_empty(replay->heap, 0, &mem, &freed);
    }
    if (answer != HEAP_GROW)
        return false;
    replay->result->slab_allocs++;
    return heap_add_slab(replay->heap, 1, bytes, true) != HEAP_NONE;
}

static uint32_t replay_passed(const struct replay *replay, uint64_t begin_ns)
{
    uint64_t passed = clock_now_ns() - begin_ns;
    passed = passed > replay->timing_ns ? passed - replay->timing_ns : 0;
    return passed < UINT32_MAX ? (uint32_t)passed : UINT32_MAX;
}

/* One operation and what it took, apart from slabs. The last answer. */
static enum heap_answer replay_do(struct replay *replay, const struct replay_step *step,
                                  uint32_t *ns)
{
    struct heap_block *place = &replay->places[step->block];
    uint64_t bytes = replay->blocks[step->block].bytes, grow = 0;
    enum heap_answer answer = HEAP_OK;
    uint64_t begin_ns = clock_now_ns();
    if (step->begins == 0) {
        heap_free(replay->heap, place);
        *ns = replay_passed(replay, begin_ns);
        return HEAP_OK;
    }
    answer = heap_alloc(replay->heap, bytes, place, &grow);
    *ns = replay_passed(replay, begin_ns);
    while (answer != HEAP_OK && replay_slab(replay, answer, grow))
        answer = heap_alloc(replay->heap, bytes, place, &grow);
    return answer;
}

/* All of it once; the footprint, or UNKNOWN with failed_block. */
static fgpu_status replay_online(struct replay *replay, uint32_t *ns, uint64_t done, uint64_t of)
{
    fgpu_replay_alloc_result *result = replay->result;
    fgpu_status status = FGPU_OK;
    uint64_t most = 0;
    result->slab_allocs = result->slab_frees = 0;
    result->slabs = 0;
    heap_init(replay->heap, &(struct heap_config){.limit_bytes = replay->options->capacity_bytes});
    for (size_t i = 0; i < replay->steps && status == FGPU_OK && most != FGPU_REPLAY_UNKNOWN; i++) {
        enum heap_answer answer = replay_do(replay, &replay->step[i], &ns[i]);
        if (answer == HEAP_NOMEM) {
            status = error_set(FGPU_E_NOMEM, "%s: no memory for the heap's tables", replay_who);
        } else if (answer != HEAP_OK) {
            result->failed_block = replay->step[i].block;
            most = FGPU_REPLAY_UNKNOWN;
        } else {
            most = replay->heap->total_bytes > most ? replay->heap->total_bytes : most;
            if (replay->heap->slab_count > result->slabs)
                result->slabs = replay->heap->slab_count;
        }
        if (i % REPLAY_LOOK == 0 && !replay_goes_on(replay, done + i, of))
            status =
                error_set(FGPU_E_CANCELLED, "%s: stopped by its progress function", replay_who);
    }
    heap_fini(replay->heap);
    result->online_bytes = most;
    return status;
}

static fgpu_status replay_rounds(struct replay *replay, uint32_t rounds)
{
    fgpu_replay_alloc_result *result = replay->result;
    size_t all = replay->steps * rounds;
    fgpu_status status = FGPU_OK;
    for (uint32_t r = 0; r < rounds && status == FGPU_OK; r++) {
        status = replay_online(replay, replay->ns + r * replay->steps, r * replay->steps, all);
        if (result->online_bytes == FGPU_REPLAY_UNKNOWN)
            return status; /* times of half a trace say nothing */
    }
    if (status != FGPU_OK)
        return status;
    qsort(replay->ns, all, sizeof *replay->ns, replay_ns_order);
    uint64_t middle = all / 2, high = all - 1 - all / 100;
    result->op_ns_p50 = replay->ns[middle];
    result->op_ns_p99 = replay->ns[high];
    return FGPU_OK;
}

static bool replay_watch(void *user, uint64_t done, uint64_t of)
{
    return replay_goes_on(user, done, of);
}

/* Plans, and checks the plan. */
static fgpu_status replay_plan(struct replay *replay, uint64_t *offsets)
{
    const struct offsets_options options = {
        .steps = replay->options->plan_steps, .watch = replay_watch, .user = replay};
    struct offsets_result plan;
    uint32_t a, b;
    fgpu_status status = offsets_plan(replay->lives, replay->count, &options, offsets, &plan);
    if (status != FGPU_OK)
        return error_set(status, "%s: %s", replay_who, fgpu_status_text(status));
    replay->result->planned_bytes = plan.bytes;
    enum offsets_verdict verdict =
        offsets_check(replay->lives, offsets, replay->count, plan.bytes, &a, &b);
    if (verdict == OFFSETS_UNKNOWN)
        return error_set(FGPU_E_NOMEM, "%s: no memory to check the plan", replay_who);
    FGPU_ASSERT(verdict == OFFSETS_GOOD); /* the plan and its check disagree: our bug */
    return FGPU_OK;
}

static void replay_timing(struct replay *replay)
{
    replay->timing_ns = UINT64_MAX;
    for (int i = 0; i < 1000; i++) {
        uint64_t begin_ns = clock_now_ns(), passed = clock_now_ns() - begin_ns;
        replay->timing_ns = passed < replay->timing_ns ? passed : replay->timing_ns;
    }
}

static fgpu_status replay_run(struct replay *replay, uint32_t rounds, uint64_t *offsets)
{
    for (uint32_t i = 0; i < replay->count; i++) {
        const fgpu_replay_block *block = &replay->blocks[i];
        replay->lives[i] = (struct offsets_block){block->lower, block->upper, block->bytes};
    }
    replay_order(replay->blocks, replay->count, replay->step);
    replay->result->peak_live_bytes =
        offsets_bound(replay->lives, replay->count, NULL, &replay->result->peak_time);
    if (replay->result->peak_live_bytes == UINT64_MAX)
        return error_set(FGPU_E_NOMEM, "%s: no memory for %u blocks", replay_who, replay->count);
    replay_timing(replay);
    fgpu_status status = replay_rounds(replay, rounds);
    if (status == FGPU_OK)
        status = replay_compact(replay->blocks, replay->count, replay->step,
                                replay->options->capacity_bytes, replay->result);
    if (status == FGPU_E_NOMEM && replay->result->compact_bytes == FGPU_REPLAY_UNKNOWN)
        return error_set(status, "%s: no memory for the heap's tables", replay_who);
    return status == FGPU_OK ? replay_plan(replay, offsets) : status;
}

static fgpu_status replay_start(struct replay *replay, uint64_t *offsets)
{
    uint32_t rounds = replay->options->rounds != 0 ? replay->options->rounds : REPLAY_ROUNDS;
    size_t n = replay->count;
    fgpu_status status = FGPU_E_NOMEM;
    replay->steps = 2 * n;
    replay->step = calloc(2 * n + 1, sizeof *replay->step);
    replay->places = calloc(n + 1, sizeof *replay->places);
    replay->ns = calloc(2 * n * rounds + 1, sizeof *replay->ns);
    replay->lives = calloc(n + 1, sizeof *replay->lives);
    replay->heap = calloc(1, sizeof *replay->heap);
    uint64_t *own = calloc(n + 1, sizeof *own);
    if (replay->step && replay->places && replay->ns && replay->lives && replay->heap && own)
        status = replay_run(replay, rounds, offsets != NULL ? offsets : own);
    else
        status = error_set(status, "%s: no memory for %zu blocks", replay_who, n);
    free(replay->step);
    free(replay->places);
    free(replay->ns);
    free(replay->lives);
    free(replay->heap);
    free(own);
    return status;
}

fgpu_status fgpu_replay_alloc(const fgpu_replay_block *blocks, uint32_t count,
                              const fgpu_replay_alloc_options *options,
                              fgpu_replay_alloc_result *result, uint64_t *offsets)
{
    if (options == NULL || result == NULL || (blocks == NULL && count > 0))
        return error_set(FGPU_E_INVAL, "%s: %s is NULL", replay_who,
                         options == NULL  ? "options"
                         : result == NULL ? "result"
                                          : "blocks");
    if (options->struct_bytes != sizeof *options || result->struct_bytes != sizeof *result)
        return error_set(FGPU_E_VERSION, "%s: struct_bytes is %u and %u; it must be %zu and %zu",
                         replay_who, options->struct_bytes, result->struct_bytes, sizeof *options,
                         sizeof *result);
    if (count == 0 || options->rounds > 1000)
        return error_set(FGPU_E_INVAL, "%s: %s is %u; the limits are 1 and %u", replay_who,
                         count == 0 ? "count" : "rounds", count == 0 ? count : options->rounds,
                         count == 0 ? UINT32_MAX / 2 : 1000u);
    fgpu_status status = replay_check(replay_who, blocks, count);
    if (status != FGPU_OK)
        return status;
    *result = (fgpu_replay_alloc_result){.struct_bytes = sizeof *result,
                                         .online_bytes = FGPU_REPLAY_UNKNOWN,
                                         .compact_bytes = FGPU_REPLAY_UNKNOWN,
                                         .planned_bytes = FGPU_REPLAY_UNKNOWN,
                                         .moved_bytes = FGPU_REPLAY_UNKNOWN,
                                         .failed_block = FGPU_REPLAY_UNKNOWN,
                                         .op_ns_p50 = -1,
                                         .op_ns_p99 = -1};
    struct replay replay = {.blocks = blocks, .count = count, .options = options, .result = result};
    return replay_start(&replay, offsets);
}
