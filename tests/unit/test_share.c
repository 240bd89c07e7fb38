/* Fair shares: the gap between tenants that wait, weights, the return of one that was away, floors;
 * each against a plain count of what was served.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "policy/share.h"
#include "tests/lib/seed.h"

#define TENANTS 6u

struct world {
    struct share share;
    uint64_t set[SHARE_WORDS];
    double served[TENANTS]; /* device time over weight */
    /* What both had when the later of them began to wait. */
    double since[TENANTS][TENANTS][2];
    bool waits[TENANTS];
    double largest; /* task over weight */
};

static void set_waiting(struct world *world, uint32_t t, bool waits, uint64_t stamp)
{
    if (world->waits[t] == waits)
        return;
    world->waits[t] = waits;
    share_set(world->set, t, waits);
    if (!waits) {
        share_go(&world->share, t, stamp);
        return;
    }
    share_come(&world->share, t, stamp);
    for (uint32_t u = 0; u < TENANTS; u++) {
        world->since[t][u][0] = world->since[u][t][1] = world->served[t];
        world->since[t][u][1] = world->since[u][t][0] = world->served[u];
    }
}

/* Two that both wait since the later of them began: the difference of what they got. */
static void check_gaps(const struct world *world)
{
    for (uint32_t a = 0; a < TENANTS; a++)
        for (uint32_t b = 0; b < a; b++) {
            if (!world->waits[a] || !world->waits[b])
                continue;
            const double *since = world->since[a][b];
            double gap = (world->served[a] - since[0]) - (world->served[b] - since[1]);
            assert_true(fabs(gap) <= 2 * world->largest + 1);
        }
}

static void test_gap_at_every_moment(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(30);
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct rng rng;
        static struct world world;
        memset(&world, 0, sizeof world);
        rng_init(&rng, seed);
        uint32_t weights[TENANTS];
        for (uint32_t t = 0; t < TENANTS; t++) {
            weights[t] = 1 + (uint32_t)rng_below(&rng, 9);
            assert_int_equal(share_add(&world.share, weights[t]), t);
        }
        for (uint64_t step = 1; step < 3000; step++) {
            uint32_t who = (uint32_t)rng_below(&rng, TENANTS);
            if (rng_below(&rng, 20) == 0)
                set_waiting(&world, who, !world.waits[who], 10 * step);
            uint32_t next = share_least(&world.share, world.set);
            if (next == SHARE_NONE)
                continue;
            assert_true(world.waits[next]);
            uint64_t ns = 1 + rng_below(&rng, 1000000);
            double part = (double)ns / weights[next];
            world.largest = part > world.largest ? part : world.largest;
            share_charge(&world.share, next, (int64_t)ns);
            world.served[next] += part;
            check_gaps(&world);
        }
    }
}

static void test_weights(void **state)
{
    (void)state;
    struct share share = {.count = 0};
    uint64_t set[SHARE_WORDS] = {0}, got[2] = {0};
    struct rng rng;
    rng_init(&rng, 5);
    (void)share_add(&share, 10);
    (void)share_add(&share, 90);
    for (uint32_t t = 0; t < 2; t++) {
        share_come(&share, t, 1);
        share_set(set, t, true);
    }
    for (int i = 0; i < 20000; i++) {
        uint32_t t = share_least(&share, set);
        uint64_t ns = 1000 + rng_below(&rng, 99000);
        share_charge(&share, t, (int64_t)ns);
        got[t] += ns;
    }
    double ratio = (double)got[1] / (double)got[0];
    assert_true(ratio > 9 * 0.99 && ratio < 9 * 1.01);
}

static void test_no_credit(void **state)
{
    (void)state;
    struct share share = {.count = 0};
    uint64_t set[SHARE_WORDS] = {0};
    (void)share_add(&share, 1);
    (void)share_add(&share, 1);
    share_come(&share, 0, 1);
    share_charge(&share, 0, 1000000000); /* the other one is away all the time */
    share_come(&share, 1, 100);
    share_set(set, 0, true);
    share_set(set, 1, true);
    uint64_t got[2] = {0};
    for (int i = 0; i < 100; i++) {
        uint32_t t = share_least(&share, set);
        share_charge(&share, t, 1000);
        got[t] += 1000;
    }
    assert_int_equal(got[0], got[1]);
    /* Nobody is there: who comes begins where the furthest was, and owes nothing. */
    share_go(&share, 0, 200);
    share_go(&share, 1, 200);
    (void)share_add(&share, 1);
    share_come(&share, 2, 300);
    share_come(&share, 0, 300);
    assert_int_equal(share.tenants[2].virtual_time, share.tenants[0].virtual_time);
    /* Away for a moment is not away: it keeps what it is behind. */
    share_charge(&share, 2, 5000);
    uint64_t before = share.tenants[0].virtual_time;
    share_go(&share, 0, 301);
    share_come(&share, 0, 302);
    assert_int_equal(share.tenants[0].virtual_time, before);
    share_go(&share, 0, 302);
    share_come(&share, 0, 310);
    assert_int_equal(share.tenants[0].virtual_time, share.tenants[2].virtual_time);
}

static void test_corrections(void **state)
{
    (void)state;
    struct share share = {.count = 0};
    (void)share_add(&share, 7);
    share_charge(&share, 0, 7000);
    assert_int_equal(share.tenants[0].virtual_time, 1000 * SHARE_SCALE);
    share_charge(&share, 0, -3500);
    assert_int_equal(share.tenants[0].virtual_time, 500 * SHARE_SCALE);
    share_charge(&share, 0, -7000000);
    assert_int_equal(share.tenants[0].virtual_time, 0);
    /* As many as a pool may have. */
    for (uint32_t i = 1; i < LIMITS_TENANTS; i++)
        assert_int_equal(share_add(&share, 1), i);
    assert_int_equal(share_add(&share, 1), SHARE_NONE);
}

/* The guaranteed ones get their share of a device that never rests, to within a task. */
static void test_floor(void **state)
{
    (void)state;
    struct share_floor floor;
    double theirs = 0, all = 0;
    share_floor_init(&floor, 50);
    for (int i = 0; i < 100000; i++) {
        bool owed = share_floor_is_owed(&floor);
        share_floor_ran(&floor, owed, true, 1000000);
        theirs += owed ? 1 : 0;
        all += 1;
        assert_true(theirs <= 0.05 * all + 1);
        assert_true(theirs >= 0.05 * all - 2);
    }
    /* What they had in the last second counts, what they had before does not. */
    share_floor_init(&floor, 50);
    for (int i = 0; i < 5000; i++)
        share_floor_ran(&floor, true, true, 1000000);
    int burst = 0;
    while (!share_floor_is_owed(&floor)) {
        share_floor_ran(&floor, false, true, 1000000);
        burst++;
    }
    assert_in_range(burst, 999, 1002);
    /* Nobody waited: nothing is owed. */
    share_floor_ran(&floor, false, false, 1000000);
    assert_false(share_floor_is_owed(&floor));
}

/* What was charged too early is given back, but not what has been forgotten meanwhile. */
static void test_floor_refund(void **state)
{
    (void)state;
    struct share_floor floor;
    share_floor_init(&floor, 40);
    share_floor_ran(&floor, true, true, 10000000);
    share_floor_refund(&floor, 10000000);
    assert_false(share_floor_is_owed(&floor));
    share_floor_ran(&floor, false, true, 1000000);
    assert_true(share_floor_is_owed(&floor)); /* there was nothing else to pay off */
    share_floor_init(&floor, 40);
    share_floor_ran(&floor, true, true, INT64_C(100000000000));
    share_floor_refund(&floor, UINT64_C(100000000000));
    assert_false(share_floor_is_owed(&floor));
    share_floor_ran(&floor, true, true, 200000000);
    share_floor_ran(&floor, false, true, 1000000);
    assert_false(share_floor_is_owed(&floor));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gap_at_every_moment),
                                       cmocka_unit_test(test_weights),
                                       cmocka_unit_test(test_no_credit),
                                       cmocka_unit_test(test_corrections),
                                       cmocka_unit_test(test_floor),
                                       cmocka_unit_test(test_floor_refund)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
