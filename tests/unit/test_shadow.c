/* Shadow caches (mem/shadow.h): LRU and FIFO against plain lists, and what all kinds keep to, on
 * random references with sizes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "lib/poor_alloc.h"
#include "mem/shadow.h"

#define KEYS 60u
#define USES 4000u

struct naive {
    uint64_t keys[KEYS];
    uint32_t count;
    uint64_t bytes, capacity;
    bool lru;
};

static uint64_t size_of(uint64_t key, bool sized)
{
    return sized ? 1 + key * 7 % 23 : 1;
}

/* Newest last. True: a hit. */
static bool naive_use(struct naive *naive, uint64_t key, bool sized)
{
    uint32_t at = 0;
    while (at < naive->count && naive->keys[at] != key)
        at++;
    bool hit = at < naive->count;
    uint64_t bytes = size_of(key, sized);
    if (hit && naive->lru) {
        memmove(&naive->keys[at], &naive->keys[at + 1], (naive->count - at - 1) * sizeof key);
        naive->keys[naive->count - 1] = key;
    }
    if (hit || bytes > naive->capacity)
        return hit;
    while (naive->bytes + bytes > naive->capacity) {
        naive->bytes -= size_of(naive->keys[0], sized);
        memmove(&naive->keys[0], &naive->keys[1], --naive->count * sizeof key);
    }
    naive->keys[naive->count++] = key;
    naive->bytes += bytes;
    return false;
}

static uint64_t pick(struct rng *rng, uint32_t turn)
{
    if (rng_below(rng, 3) == 0)
        return turn % KEYS; /* a scan */
    return rng_below(rng, 1 + rng_below(rng, KEYS));
}

static void test_lists(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        for (uint32_t kind = 0; kind < 4; kind++) {
            bool sized = kind & 1;
            struct naive naive = {.lru = kind < 2, .capacity = 5 + seed * (sized ? 11 : 2)};
            struct shadow shadow;
            struct rng rng;
            rng_init(&rng, seed);
            shadow_init(&shadow, naive.lru ? SHADOW_LRU : SHADOW_FIFO, naive.capacity, 1, NULL);
            for (uint32_t i = 0; i < USES; i++) {
                uint64_t key = pick(&rng, i);
                bool hit = shadow_use(&shadow, key, size_of(key, sized));
                assert_int_equal(hit, naive_use(&naive, key, sized));
            }
            shadow_fini(&shadow);
        }
    }
}

/* It holds no more than its capacity, tells what went, and hits what it has. */
static void test_all_kinds(void **state)
{
    (void)state;
    for (uint32_t kind = SHADOW_LRU; kind <= SHADOW_SCORE; kind++) {
        for (uint64_t seed = 1; seed <= 10; seed++) {
            struct shadow shadow;
            struct rng rng;
            bool there[KEYS] = {false};
            uint64_t capacity = 1 + seed * 20, hits = 0;
            rng_init(&rng, seed);
            shadow_init(&shadow, (enum shadow_kind)kind, capacity, 2, NULL);
            for (uint32_t i = 0; i < USES; i++) {
                uint64_t key = pick(&rng, i), bytes = size_of(key, true), held = 0;
                assert_int_equal(shadow_has(&shadow, key), there[key]);
                bool hit = shadow_use(&shadow, key, bytes);
                assert_int_equal(hit, there[key]);
                hits += hit;
                there[key] = bytes <= capacity;
                for (size_t e = 0; e < shadow.evicted.count; e++) {
                    uint64_t gone = *(uint64_t *)vec_at(&shadow.evicted, e);
                    assert_true(gone != key && there[gone]);
                    there[gone] = false;
                }
                for (uint64_t k = 0; k < KEYS; k++) {
                    assert_int_equal(shadow_has(&shadow, k), there[k]);
                    held += there[k] ? size_of(k, true) : 0;
                }
                assert_true(held <= capacity);
            }
            assert_true(hits > 0);
            shadow_fini(&shadow);
        }
    }
}

/* A loop over one key more than there is room for: who goes by age has no hit. */
static void test_loop(void **state)
{
    (void)state;
    uint32_t hits[4] = {0};
    for (uint32_t kind = SHADOW_LRU; kind <= SHADOW_SCORE; kind++) {
        struct shadow shadow;
        shadow_init(&shadow, (enum shadow_kind)kind, 20, 4, NULL);
        for (uint32_t i = 0; i < 2100; i++)
            hits[kind] += shadow_use(&shadow, i % 21, 1);
        shadow_fini(&shadow);
    }
    assert_int_equal(hits[SHADOW_LRU], 0);
    assert_int_equal(hits[SHADOW_FIFO], 0);
}

/* Without memory it forgets, and stays right. */
static void test_poor(void **state)
{
    (void)state;
    for (uint32_t kind = SHADOW_LRU; kind <= SHADOW_SCORE; kind++) {
        for (long left = 0; left < 12; left++) {
            struct poor_alloc poor;
            struct shadow shadow;
            struct rng rng;
            rng_init(&rng, 1);
            poor_alloc_init(&poor);
            poor.left = left;
            shadow_init(&shadow, (enum shadow_kind)kind, 40, 2, &poor.hooks);
            for (uint32_t i = 0; i < 500; i++) {
                uint64_t key = pick(&rng, i);
                bool had = shadow_has(&shadow, key);
                assert_int_equal(shadow_use(&shadow, key, 1), had);
            }
            shadow_fini(&shadow);
            assert_int_equal(poor.live_count, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lists),
                                       cmocka_unit_test(test_all_kinds),
                                       cmocka_unit_test(test_loop), cmocka_unit_test(test_poor)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
