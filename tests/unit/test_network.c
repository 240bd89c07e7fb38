/* Copies on shared links against times reckoned by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/agenda.h"
#include "base/rng.h"
#include "run/network.h"
#include "tests/lib/seed.h"

struct rig {
    struct network network;
    struct agenda agenda;
    uint64_t ends[8];
};

static void rig_tell(void *user, uint32_t flow, uint64_t end_ns)
{
    agenda_set(&((struct rig *)user)->agenda, flow, end_ns);
}

/* [in] rates: of the links, ended by 0. */
static void rig_open(struct rig *rig, const double *rates)
{
    uint32_t links = 0;
    while (rates[links] > 0)
        links++;
    *rig = (struct rig){0};
    assert_true(network_init(&rig->network, links, 8));
    assert_true(agenda_init(&rig->agenda, 8));
    for (uint32_t i = 0; i < links; i++)
        rig->network.links[i].bytes_per_ns = rates[i];
}

static void rig_close(struct rig *rig)
{
    network_fini(&rig->network);
    agenda_fini(&rig->agenda);
}

/* Until `until_ns` or the last end. */
static void rig_run(struct rig *rig, uint64_t now_ns, uint64_t until_ns)
{
    uint32_t flow;
    network_settle(&rig->network, now_ns, rig_tell, rig);
    for (uint64_t at; (at = agenda_first(&rig->agenda, &flow)) <= until_ns && at != AGENDA_NEVER;) {
        agenda_set(&rig->agenda, flow, AGENDA_NEVER);
        rig->ends[flow] = at;
        network_end(&rig->network, flow);
        if (agenda_first(&rig->agenda, &flow) != at)
            network_settle(&rig->network, at, rig_tell, rig);
    }
}

static void test_one_and_two_on_a_link(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, (const double[]){2, 0});
    network_start(&rig.network, 0, (const uint32_t[]){0}, 1, 1000);
    rig_run(&rig, 0, AGENDA_NEVER);
    assert_int_equal(rig.ends[0], 500);
    for (uint32_t f = 0; f < 2; f++)
        network_start(&rig.network, f, (const uint32_t[]){0}, 1, 1000);
    rig_run(&rig, 1000, AGENDA_NEVER);
    assert_int_equal(rig.ends[0], 2000); /* each has half: twice as long */
    assert_int_equal(rig.ends[1], 2000);
    rig_close(&rig);
}

/* A: 1000 bytes from 0, B: 1000 bytes from 200, on 1 byte/ns. A has 800 left at 200, and half the
 * link until 1800; B has then had 800, and the last 200 alone until 2000. */
static void test_late_start(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, (const double[]){1, 0});
    network_start(&rig.network, 0, (const uint32_t[]){0}, 1, 1000);
    rig_run(&rig, 0, 199);
    network_start(&rig.network, 1, (const uint32_t[]){0}, 1, 1000);
    rig_run(&rig, 200, AGENDA_NEVER);
    assert_int_equal(rig.ends[0], 1800);
    assert_int_equal(rig.ends[1], 2000);
    rig_close(&rig);
}

/* Own links of 4 and 1 bytes/ns, then one through link of 6 that both cross: 3 for each. A gets 3
 * and then, when B has gone, 4; B is held up by its own link all the time: 1. */
static void test_unequal_routes(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, (const double[]){4, 1, 6, 0});
    network_start(&rig.network, 0, (const uint32_t[]){0, 2}, 2, 7000);
    network_start(&rig.network, 1, (const uint32_t[]){1, 2}, 2, 1000);
    rig_run(&rig, 0, AGENDA_NEVER);
    assert_int_equal(rig.ends[1], 1000);
    assert_int_equal(rig.ends[0], 2000); /* 3000 bytes in 1000 ns, 4000 in another 1000 */
    rig_close(&rig);
}

/* There and back over the same link counts twice on it; a flow elsewhere is not touched. */
static void test_twice_on_a_link(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, (const double[]){2, 8, 0});
    network_start(&rig.network, 0, (const uint32_t[]){0, 1, 0}, 3, 1000);
    network_start(&rig.network, 1, (const uint32_t[]){1}, 1, 4000);
    rig_run(&rig, 0, AGENDA_NEVER);
    assert_int_equal(rig.ends[0], 1000);
    assert_int_equal(rig.ends[1], 1000); /* half of 8 until then: 4000 */
    rig_close(&rig);
}

static void test_given_up(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, (const double[]){1, 0});
    for (uint32_t f = 0; f < 2; f++)
        network_start(&rig.network, f, (const uint32_t[]){0}, 1, 1000);
    rig_run(&rig, 0, 0);
    agenda_set(&rig.agenda, 1, AGENDA_NEVER);
    network_end(&rig.network, 1);
    network_end(&rig.network, 1); /* as often as one likes */
    rig_run(&rig, 1000, AGENDA_NEVER);
    assert_int_equal(rig.ends[0], 1500); /* 500 bytes at a half, 500 at the whole */
    rig_close(&rig);
}

/* No bytes appear or vanish: on one link that is never idle, the last end is that of the sum. */
static void test_nothing_is_lost(void **state)
{
    (void)state;
    struct rig rig;
    struct rng rng;
    rng_init(&rng, seed_get(1));
    for (int round = 0; round < 200; round++) {
        rig_open(&rig, (const double[]){4, 0});
        uint64_t sum = 0, now_ns = 0, last_ns = 0;
        for (uint32_t f = 0; f < 8; f++) {
            uint64_t bytes = 100000 + rng_below(&rng, 100000);
            sum += bytes;
            network_start(&rig.network, f, (const uint32_t[]){0}, 1, bytes);
            rig_run(&rig, now_ns, now_ns + 999);
            now_ns += 1000;
        }
        rig_run(&rig, now_ns, AGENDA_NEVER);
        for (uint32_t f = 0; f < 8; f++)
            last_ns = rig.ends[f] > last_ns ? rig.ends[f] : last_ns;
        /* An end is rounded up to a nanosecond: 8 of them. */
        assert_true(last_ns >= sum / 4 && last_ns <= sum / 4 + 8);
        rig_close(&rig);
    }
}

static void test_agenda_against_scan(void **state)
{
    (void)state;
    struct agenda agenda;
    struct rng rng;
    uint64_t times[50];
    rng_init(&rng, seed_get(1) + 1);
    assert_true(agenda_init(&agenda, 50));
    for (int i = 0; i < 50; i++)
        times[i] = AGENDA_NEVER;
    for (int step = 0; step < 20000; step++) {
        uint32_t id = (uint32_t)rng_below(&rng, 50), first = 0;
        times[id] = rng_below(&rng, 3) == 0 ? AGENDA_NEVER : rng_below(&rng, 40);
        agenda_set(&agenda, id, times[id]);
        uint32_t expected = 0;
        for (uint32_t i = 1; i < 50; i++)
            if (times[i] < times[expected])
                expected = i;
        assert_int_equal(agenda_first(&agenda, &first), times[expected]);
        if (times[expected] != AGENDA_NEVER)
            assert_int_equal(first, expected);
    }
    agenda_fini(&agenda);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_and_two_on_a_link),
                                       cmocka_unit_test(test_late_start),
                                       cmocka_unit_test(test_unequal_routes),
                                       cmocka_unit_test(test_twice_on_a_link),
                                       cmocka_unit_test(test_given_up),
                                       cmocka_unit_test(test_nothing_is_lost),
                                       cmocka_unit_test(test_agenda_against_scan)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
