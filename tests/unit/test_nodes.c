/* Sets of nodes against a plain array of flags, over the borders between their three forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "mem/nodes.h"
#include "tests/lib/seed.h"

#define NODES 200u

static void check(uint64_t set, const bool *flags)
{
    uint32_t count = 0, at = nodes_next(set, 0);
    for (uint32_t n = 0; n < NODES; n++) {
        assert_int_equal(nodes_has(set, n), flags[n]);
        if (!flags[n])
            continue;
        assert_int_equal(at, n);
        at = nodes_next(set, n + 1);
        count++;
        assert_int_equal(nodes_is_only(set, n), count == 1 && at == NODES_NONE);
    }
    assert_int_equal(at, NODES_NONE);
    assert_int_equal(set == 0, count == 0);
    assert_int_equal(nodes_is_single(set), count == 1);
}

/* [in] from, among: numbers from .. from + among - 1 come and go. */
static void walk(struct rng *rng, uint32_t from, uint32_t among)
{
    bool flags[NODES] = {false}, before[NODES];
    uint64_t set = 0, copy = 0;
    for (int step = 0; step < 2000; step++) {
        uint32_t node = from + (uint32_t)rng_below(rng, among);
        bool adds = rng_below(rng, 100) < (step / 200 % 2 ? 30 : 70);
        if (step % 50 == 0) {
            nodes_clear(&copy);
            copy = nodes_copy(set);
            memcpy(before, flags, sizeof before);
        }
        if (adds)
            nodes_add(&set, node);
        else
            nodes_remove(&set, node);
        flags[node] = adds;
        check(set, flags);
        check(copy, before);
        assert_int_equal(nodes_equal(set, copy), memcmp(flags, before, sizeof flags) == 0);
        bool within = true;
        for (uint32_t n = 0; n < NODES; n++)
            within &= !flags[n] || before[n];
        assert_int_equal(nodes_within(set, copy), within);
    }
    nodes_clear(&set);
    nodes_clear(&copy);
    assert_int_equal(set, 0);
}

static void test_against_flags(void **state)
{
    (void)state;
    struct rng rng;
    uint64_t live = alloc_live_bytes();
    rng_init(&rng, seed_get(1));
    walk(&rng, 0, 20);    /* bits */
    walk(&rng, 60, 6);    /* across the border, few */
    walk(&rng, 50, 30);   /* across the border, many */
    walk(&rng, 0, NODES); /* everything */
    walk(&rng, 100, 100); /* never bits */
    assert_int_equal(alloc_live_bytes(), live);
}

static void test_bits_are_bits(void **state)
{
    (void)state;
    uint64_t set = 0;
    nodes_add(&set, 0);
    nodes_add(&set, 62);
    assert_true(set == (UINT64_C(1) << 62 | 1));
    nodes_add(&set, 63); /* the first that is none */
    assert_true(nodes_has(set, 62) && nodes_has(set, 63) && nodes_has(set, 0));
    nodes_remove(&set, 63);
    assert_true(set == (UINT64_C(1) << 62 | 1));
    nodes_add(&set, NODES_MOST);
    assert_true(nodes_has(set, NODES_MOST));
    nodes_clear(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_flags),
                                       cmocka_unit_test(test_bits_are_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
