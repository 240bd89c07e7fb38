/* Plans of offsets (mem/offsets.h): what every plan promises, on random lives and on those whose
 * optimum is known; the check against a naive one; and what happens without memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "lib/poor_alloc.h"
#include "lib/seed.h"
#include "mem/offsets.h"

#define BLOCKS 120u
#define STEPS UINT64_C(300000)
#define WORST 2u /* no plan here is higher than so many times the bound */

static struct offsets_block blocks[BLOCKS];
static uint64_t offsets[BLOCKS];
static struct rng rng;

static uint32_t make(void)
{
    uint32_t count = 1 + (uint32_t)rng_below(&rng, BLOCKS);
    uint64_t span = 2 + rng_below(&rng, 300), most = 1 + rng_below(&rng, 10000);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t lower = rng_below(&rng, span);
        uint64_t long_life = rng_below(&rng, 4) == 0 ? span : 1 + span / 8;
        blocks[i] = (struct offsets_block){lower, lower + 1 + rng_below(&rng, long_life),
                                           1 + rng_below(&rng, most)};
    }
    return count;
}

static bool meets(uint32_t a, uint32_t b)
{
    return blocks[a].lower < blocks[b].upper && blocks[b].lower < blocks[a].upper &&
           offsets[a] < offsets[b] + blocks[b].bytes && offsets[b] < offsets[a] + blocks[a].bytes;
}

/* By looking at all pairs. */
static enum offsets_verdict naive_check(uint32_t count, uint64_t bytes)
{
    for (uint32_t i = 0; i < count; i++)
        if (offsets[i] + blocks[i].bytes > bytes)
            return OFFSETS_OUTSIDE;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (meets(i, k))
                return OFFSETS_OVERLAP;
    return OFFSETS_GOOD;
}

static uint64_t naive_bound(uint32_t count)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < count; i++) { /* it is reached where a block begins */
        uint64_t now = 0;
        for (uint32_t k = 0; k < count; k++)
            if (blocks[k].lower <= blocks[i].lower && blocks[i].lower < blocks[k].upper)
                now += blocks[k].bytes;
        most = now > most ? now : most;
    }
    return most;
}

static struct offsets_result plan(uint32_t count, uint64_t steps)
{
    struct offsets_result result;
    const struct offsets_options options = {.steps = steps};
    assert_int_equal(offsets_plan(blocks, count, &options, offsets, &result), FGPU_OK);
    assert_int_equal(naive_check(count, result.bytes), OFFSETS_GOOD);
    assert_true(result.bytes >= result.bound_bytes && result.bytes <= result.greedy_bytes);
    return result;
}

static void test_random_plans(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(60);
    for (uint64_t seed = first; seed < first + count; seed++) {
        uint32_t a, b, n;
        seed_print("unit/test_offsets", seed);
        rng_init(&rng, seed);
        n = make();
        struct offsets_result greedy = plan(n, 1), searched = plan(n, STEPS),
                              again = plan(n, STEPS);
        assert_int_equal(greedy.bound_bytes, naive_bound(n));
        assert_int_equal(greedy.bytes, greedy.greedy_bytes);
        assert_true(greedy.bytes <= WORST * greedy.bound_bytes);
        assert_true(searched.bytes <= greedy.bytes);
        assert_int_equal(searched.bytes, again.bytes); /* nothing is left to chance */
        uint64_t height = offsets_stream(blocks, n, NULL, offsets);
        assert_int_equal(offsets_check(blocks, offsets, n, height, &a, &b), OFFSETS_GOOD);
        assert_int_equal(naive_check(n, height), OFFSETS_GOOD);
    }
}

/* Of equal blocks, of blocks that take turns and of those that end in the reverse order of their
 * beginnings the optimum is the bound, and no search is needed for it. */
static void test_known_optima(void **state)
{
    (void)state;
    rng_init(&rng, 7);
    for (uint32_t round = 0; round < 30; round++) {
        uint32_t n = make();
        for (uint32_t i = 0; i < n; i++)
            blocks[i].bytes = 64;
        assert_int_equal(plan(n, 1).bytes, naive_bound(n));
        for (uint32_t i = 0; i < n; i++)
            blocks[i] = (struct offsets_block){i, i + 1, 1 + rng_below(&rng, 100)};
        assert_int_equal(plan(n, 1).bytes, naive_bound(n));
        for (uint32_t i = 0; i < n; i++)
            blocks[i] = (struct offsets_block){i, 1000 - i, 1 + rng_below(&rng, 100)};
        assert_int_equal(plan(n, 1).bytes, naive_bound(n));
    }
}

/* Some blocks lie already: they stay, and the others are planned around them, under a ceiling that
 * is enough. */
static void test_around_fixed(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(60), within = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        uint64_t fixed[BLOCKS];
        struct offsets_result result;
        seed_print("unit/test_offsets", seed);
        rng_init(&rng, seed);
        uint32_t n = make();
        uint64_t height = plan(n, STEPS).bytes;
        for (uint32_t i = 0; i < n; i++)
            fixed[i] = rng_below(&rng, 3) == 0 ? offsets[i] : OFFSETS_FREE;
        const struct offsets_options options = {
            .steps = STEPS, .fixed = fixed, .enough_bytes = height};
        assert_int_equal(offsets_plan(blocks, n, &options, offsets, &result), FGPU_OK);
        assert_int_equal(naive_check(n, result.bytes), OFFSETS_GOOD);
        for (uint32_t i = 0; i < n; i++)
            assert_true(fixed[i] == OFFSETS_FREE || offsets[i] == fixed[i]);
        within += result.bytes <= height;
    }
    assert_true(10 * within >= 7 * count); /* one is known for each */
}

/* Enough is enough: no step is made for less. */
static void test_enough(void **state)
{
    (void)state;
    struct offsets_result result;
    rng_init(&rng, 3);
    uint32_t n = make();
    uint64_t greedy = plan(n, 1).bytes;
    const struct offsets_options options = {.steps = STEPS, .enough_bytes = greedy};
    assert_int_equal(offsets_plan(blocks, n, &options, offsets, &result), FGPU_OK);
    assert_int_equal(result.bytes, greedy);
    assert_int_equal(result.steps, 0);
}

/* Best fit by size needs 40 here, the search finds 30. */
static void test_search_helps(void **state)
{
    (void)state;
    const struct offsets_block lives[] = {{0, 2, 10}, {1, 4, 20}, {3, 6, 10}};
    for (uint32_t i = 0; i < 3; i++)
        blocks[i] = lives[i];
    assert_int_equal(plan(3, STEPS).bytes, 30);
    assert_int_equal(plan(0, STEPS).bytes, 0);
}

/* Plans that are spoilt are found out, and those that are good are not. */
static void test_check(void **state)
{
    (void)state;
    uint64_t wrong = 0;
    rng_init(&rng, 3);
    for (uint32_t round = 0; round < 300; round++) {
        uint32_t a, b, n = make(), spoilt;
        struct offsets_result result = plan(n, 1);
        spoilt = (uint32_t)rng_below(&rng, n);
        offsets[spoilt] = rng_below(&rng, result.bytes + 1);
        enum offsets_verdict expected = naive_check(n, result.bytes);
        assert_int_equal(offsets_check(blocks, offsets, n, result.bytes, &a, &b), expected);
        wrong += expected != OFFSETS_GOOD;
        if (expected == OFFSETS_OVERLAP)
            assert_true(a != b && meets(a, b) && (a == spoilt || b == spoilt));
        if (expected == OFFSETS_OUTSIDE)
            assert_int_equal(a, spoilt);
    }
    assert_true(wrong > 100 && wrong < 300);
    uint32_t a, b;
    offsets[0] = UINT64_MAX; /* no sum overflows */
    blocks[0] = (struct offsets_block){0, 1, 1};
    assert_int_equal(offsets_check(blocks, offsets, 1, 100, &a, &b), OFFSETS_OUTSIDE);
}

static bool stop_at_once(void *user, uint64_t done, uint64_t of)
{
    (void)of;
    *(uint64_t *)user = done + 1;
    return false;
}

/* Stopped, there is a plan all the same. */
static void test_stopped(void **state)
{
    (void)state;
    struct offsets_result result = {0};
    uint64_t told = 0;
    const struct offsets_options options = {.watch = stop_at_once, .user = &told};
    rng_init(&rng, 11);
    for (uint32_t i = 0; i < BLOCKS; i++) { /* hard enough that it does not end before */
        uint64_t lower = rng_below(&rng, 100);
        blocks[i] = (struct offsets_block){lower, lower + 10 + rng_below(&rng, 60),
                                           1000 + rng_below(&rng, 9000)};
    }
    assert_int_equal(offsets_plan(blocks, BLOCKS, &options, offsets, &result), FGPU_E_CANCELLED);
    assert_true(told > 0);
    assert_int_equal(naive_check(BLOCKS, result.bytes), OFFSETS_GOOD);
}

/* However little memory there is: FGPU_E_NOMEM, or a plan; nothing is kept. */
static void test_poor(void **state)
{
    (void)state;
    struct poor_alloc poor;
    struct offsets_result result;
    bool planned = false, streamed = false;
    uint32_t n;
    rng_init(&rng, 5);
    n = make();
    for (long left = 0; left < 200 && !(planned && streamed); left++) {
        poor_alloc_init(&poor);
        const struct offsets_options options = {.steps = 1, .hooks = &poor.hooks};
        poor.left = left;
        fgpu_status status = offsets_plan(blocks, n, &options, offsets, &result);
        assert_int_equal(poor.live_count, 0);
        assert_true(status == FGPU_OK || status == FGPU_E_NOMEM);
        planned = status == FGPU_OK;
        poor.left = left;
        streamed = offsets_stream(blocks, n, &poor.hooks, offsets) != UINT64_MAX;
        assert_int_equal(poor.live_count, 0);
    }
    assert_true(planned && streamed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_plans), cmocka_unit_test(test_known_optima),
        cmocka_unit_test(test_around_fixed), cmocka_unit_test(test_enough),
        cmocka_unit_test(test_search_helps), cmocka_unit_test(test_check),
        cmocka_unit_test(test_stopped),      cmocka_unit_test(test_poor)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
