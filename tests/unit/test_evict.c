/* Victims (mem/evict.h): as good as the farthest next use where all is known, not worse than LRU on
 * references of several shapes where nothing is, and who may go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/rng.h"
#include "lib/poor_alloc.h"
#include "mem/evict.h"

#define KEYS 400u
#define USES 8000u

static uint64_t trace[USES], next_use[USES];

enum shape { SHAPE_EVEN, SHAPE_HOT, SHAPE_LOOP, SHAPE_SCANS, SHAPE_PHASES, SHAPES };

static void make(enum shape shape, uint64_t seed)
{
    struct rng rng;
    uint64_t last[KEYS];
    rng_init(&rng, seed);
    for (uint32_t i = 0; i < USES; i++) {
        uint64_t hot = rng_below(&rng, 1 + rng_below(&rng, 1 + rng_below(&rng, KEYS)));
        trace[i] = shape == SHAPE_EVEN    ? rng_below(&rng, KEYS)
                   : shape == SHAPE_LOOP  ? i % 150
                   : shape == SHAPE_SCANS ? (i / 200 % 3 == 0 ? 200 + i % 200 : hot % 200)
                   : shape == SHAPE_PHASES
                       ? (i / 4000 * 60 + rng_below(&rng, 1 + rng_below(&rng, 120))) % KEYS
                       : hot;
    }
    for (uint32_t k = 0; k < KEYS; k++)
        last[k] = EVICT_UNKNOWN;
    for (uint32_t i = USES; i-- > 0;) {
        next_use[i] = last[trace[i]];
        last[trace[i]] = i;
    }
}

/* Hits of the policy: with all of the future, or none of it. */
static uint64_t run(uint64_t capacity, bool known)
{
    struct evict evict;
    uint64_t hits = 0, held = 0, victim;
    evict_init(&evict, capacity, NULL);
    for (uint32_t i = 0; i < USES; i++) {
        bool hit = evict_has(&evict, trace[i]);
        hits += hit;
        evict_use(&evict, trace[i], 1, i);
        if (!hit) {
            for (; held >= capacity; held--) {
                assert_true(evict_choose(&evict, NULL, NULL, &victim));
                assert_true(evict_has(&evict, victim));
                evict_remove(&evict, victim);
                assert_false(evict_has(&evict, victim));
            }
            assert_int_equal(evict_add(&evict, trace[i], 1, 1), FGPU_OK);
            held++;
        }
        if (known)
            assert_int_equal(evict_set_next(&evict, trace[i], next_use[i]), FGPU_OK);
    }
    evict_fini(&evict);
    return hits;
}

/* The farthest next use goes, looked for among all. */
static uint64_t run_farthest(uint64_t capacity)
{
    uint64_t next[KEYS], hits = 0, held = 0;
    bool there[KEYS] = {false};
    for (uint32_t i = 0; i < USES; i++) {
        hits += there[trace[i]];
        if (!there[trace[i]] && held == capacity) {
            uint32_t far = KEYS;
            for (uint32_t k = 0; k < KEYS; k++)
                if (there[k] && (far == KEYS || next[k] > next[far]))
                    far = k;
            there[far] = false;
            held--;
        }
        held += !there[trace[i]];
        there[trace[i]] = true;
        next[trace[i]] = next_use[i];
    }
    return hits;
}

static uint64_t run_shadow(enum shadow_kind kind, uint64_t capacity)
{
    struct shadow shadow;
    uint64_t hits = 0;
    shadow_init(&shadow, kind, capacity, 1, NULL);
    for (uint32_t i = 0; i < USES; i++)
        hits += shadow_use(&shadow, trace[i], 1);
    shadow_fini(&shadow);
    return hits;
}

static void test_all_known(void **state)
{
    (void)state;
    for (uint32_t shape = 0; shape < SHAPES; shape++) {
        make((enum shape)shape, 1 + shape);
        for (uint64_t capacity = 5; capacity <= 120; capacity += 57)
            assert_int_equal(run(capacity, true), run_farthest(capacity));
    }
}

/* A hundredth of all references is what it may lose while it finds out whom to follow; and it never
 * beats who knows all. */
static void test_nothing_known(void **state)
{
    (void)state;
    for (uint32_t shape = 0; shape < SHAPES; shape++) {
        make((enum shape)shape, 1 + shape);
        for (uint64_t capacity = 5; capacity <= 120; capacity += 57) {
            uint64_t hits = run(capacity, false), lru = run_shadow(SHADOW_LRU, capacity);
            uint64_t farthest = run_farthest(capacity);
            printf("shape %u, %3u of %u keys: %5u hits, LRU %5u, the best %5u\n", shape,
                   (unsigned)capacity, KEYS, (unsigned)hits, (unsigned)lru, (unsigned)farthest);
            assert_true(hits + USES / 100 >= lru);
            assert_true(hits <= farthest);
        }
    }
}

static bool only_even(void *user, uint64_t key)
{
    ++*(uint32_t *)user;
    return key % 2 == 0;
}

static bool nobody(void *user, uint64_t key)
{
    (void)user;
    (void)key;
    return false;
}

static void test_who_may_go(void **state)
{
    (void)state;
    struct evict evict;
    uint64_t victim = 77;
    uint32_t asked = 0;
    evict_init(&evict, 10, NULL);
    assert_false(evict_choose(&evict, NULL, NULL, &victim)); /* nothing is there */
    for (uint64_t key = 1; key <= 5; key++) {
        evict_use(&evict, key, 1, key);
        assert_int_equal(evict_add(&evict, key, 1, 1), FGPU_OK);
    }
    assert_false(evict_choose(&evict, nobody, NULL, &victim));
    assert_int_equal(victim, 77);
    assert_true(evict_choose(&evict, only_even, &asked, &victim));
    assert_int_equal(victim, 2);
    assert_true(asked > 0);
    /* What is known to be used goes after what is not, the farthest first. */
    assert_int_equal(evict_set_next(&evict, 1, 50), FGPU_OK);
    assert_int_equal(evict_set_next(&evict, 3, 90), FGPU_OK);
    assert_int_equal(evict_set_next(&evict, 99, 10), FGPU_OK); /* it is not there */
    assert_int_equal(evict_get_next(&evict, 3), 90);
    assert_int_equal(evict_get_next(&evict, 99), EVICT_UNKNOWN);
    const uint64_t order[] = {2, 4, 5, 3, 1};
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(evict_choose(&evict, NULL, NULL, &victim));
        assert_int_equal(victim, order[i]);
        evict_remove(&evict, victim);
    }
    evict_fini(&evict);
}

/* Of two that will be used, the dirty one goes only when it rests for twice as long. */
static void test_cost(void **state)
{
    (void)state;
    struct evict evict;
    uint64_t victim;
    evict_init(&evict, 10, NULL);
    assert_int_equal(evict_add(&evict, 1, 1, 2), FGPU_OK);
    assert_int_equal(evict_add(&evict, 2, 1, 1), FGPU_OK);
    assert_int_equal(evict_set_next(&evict, 1, 150), FGPU_OK);
    assert_int_equal(evict_set_next(&evict, 2, 100), FGPU_OK);
    assert_true(evict_choose(&evict, NULL, NULL, &victim));
    assert_int_equal(victim, 2);
    assert_int_equal(evict_set_next(&evict, 1, 250), FGPU_OK);
    assert_true(evict_choose(&evict, NULL, NULL, &victim));
    assert_int_equal(victim, 1);
    evict_set_cost(&evict, 1, 1);
    assert_int_equal(evict_set_next(&evict, 1, 120), FGPU_OK);
    assert_true(evict_choose(&evict, NULL, NULL, &victim));
    assert_int_equal(victim, 1);
    evict_fini(&evict);
}

/* An addition that has no memory leaves everything as it was. */
static void test_poor(void **state)
{
    (void)state;
    for (long left = 0; left < 10; left++) {
        struct poor_alloc poor;
        struct evict evict;
        uint64_t victim, added = 0;
        poor_alloc_init(&poor);
        evict_init(&evict, 50, &poor.hooks);
        poor.left = left;
        for (uint64_t key = 0; key < 40; key++) {
            fgpu_status status = evict_add(&evict, key, 1, 1);
            assert_true(status == FGPU_OK || status == FGPU_E_NOMEM);
            assert_int_equal(evict_has(&evict, key), status == FGPU_OK);
            added += status == FGPU_OK;
            (void)evict_set_next(&evict, key, 100 + key);
        }
        for (; evict_choose(&evict, NULL, NULL, &victim); added--)
            evict_remove(&evict, victim);
        assert_int_equal(added, 0);
        evict_fini(&evict);
        assert_int_equal(poor.live_count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_known),
                                       cmocka_unit_test(test_nothing_known),
                                       cmocka_unit_test(test_who_may_go),
                                       cmocka_unit_test(test_cost), cmocka_unit_test(test_poor)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
