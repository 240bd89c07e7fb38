/* Copies that wait for links, against a list that is sorted anew each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "core/waiting.h"
#include "tests/lib/poor_alloc.h"
#include "tests/lib/seed.h"

enum { OPS = 400, STEPS = 3000 };

struct naive {
    struct waiting_copy list[OPS]; /* the most urgent first */
    uint32_t count;
    uint64_t order;
};

static void naive_put(struct naive *naive, struct waiting_copy copy)
{
    copy.order = ++naive->order;
    uint32_t at = naive->count++;
    for (; at > 0 && waiting_before(&copy, &naive->list[at - 1]); at--)
        naive->list[at] = naive->list[at - 1];
    naive->list[at] = copy;
}

static void naive_remove(struct naive *naive, uint32_t at)
{
    naive->count--;
    for (; at < naive->count; at++)
        naive->list[at] = naive->list[at + 1];
}

static uint32_t naive_find(const struct naive *naive, uint32_t op)
{
    uint32_t at = 0;
    while (at < naive->count && naive->list[at].op != op)
        at++;
    return at;
}

static void check(const struct waiting *waiting, const struct naive *naive)
{
    uint32_t front = naive->count < WAITING_FRONT ? naive->count : WAITING_FRONT, all = 0;
    assert_int_equal(waiting->front_count, front);
    for (uint32_t i = 0; i < front; i++)
        assert_int_equal(waiting->front[i].op, naive->list[i].op);
    while (waiting_at(waiting, all) != NULL)
        all++;
    assert_int_equal(all, naive->count);
}

static struct waiting_copy make(struct rng *rng, uint32_t op)
{
    return (struct waiting_copy){
        .op = op, .rank = (int64_t)rng_below(rng, 6), .early = rng_below(rng, 4) == 0};
}

/* Some of the front go, as when a link is free again. */
static void step_front(struct waiting *waiting, struct naive *naive, struct rng *rng)
{
    uint32_t gone = 0, count = waiting->front_count;
    for (uint32_t i = 0; i < count; i++) {
        if (rng_below(rng, 8) != 0)
            continue;
        waiting_gone(waiting, i);
        naive_remove(naive, i - gone++);
    }
    waiting_closed(waiting);
    for (uint32_t i = count - gone; i < waiting->front_count; i++)
        assert_int_equal(waiting->blocked[i], WAITING_UNKNOWN);
}

static void test_order_is_that_of_a_sorted_list(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(10);
    for (uint64_t seed = 0; seed < count; seed++) {
        struct naive naive = {.count = 0};
        struct waiting waiting;
        struct rng rng;
        rng_init(&rng, first + seed);
        waiting_init(&waiting, NULL);
        for (uint32_t step = 0; step < STEPS; step++) {
            uint32_t op = (uint32_t)rng_below(&rng, OPS), at = naive_find(&naive, op);
            struct waiting_copy copy = make(&rng, op);
            bool there = at < naive.count;
            assert_int_equal(waiting_find(&waiting, op) != NULL, there);
            if (!there) {
                assert_true(waiting_put(&waiting, copy, WAITING_UNKNOWN));
                naive_put(&naive, copy);
            } else if (rng_below(&rng, 4) == 0) {
                struct waiting_copy taken;
                assert_true(waiting_take(&waiting, op, &taken));
                assert_int_equal(taken.rank, naive.list[at].rank);
                assert_int_equal(taken.order, naive.list[at].order);
                assert_false(waiting_take(&waiting, op, &taken));
                naive_remove(&naive, at);
            }
            if (rng_below(&rng, 40) == 0)
                step_front(&waiting, &naive, &rng);
            check(&waiting, &naive);
        }
        waiting_fini(&waiting);
    }
}

static void test_equals_go_as_they_came(void **state)
{
    (void)state;
    struct waiting waiting;
    waiting_init(&waiting, NULL);
    for (uint32_t i = 0; i < 3 * WAITING_FRONT; i++)
        assert_true(waiting_put(&waiting, (struct waiting_copy){.op = 1000 - i}, WAITING_UNKNOWN));
    for (uint32_t i = 0; i < 3 * WAITING_FRONT; i++) {
        assert_int_equal(waiting.front[0].op, 1000 - i);
        waiting_gone(&waiting, 0);
        waiting_closed(&waiting);
    }
    assert_int_equal(waiting.front_count, 0);
    waiting_fini(&waiting);
}

static void test_without_memory_nothing_is_lost(void **state)
{
    (void)state;
    struct poor_alloc poor;
    struct waiting waiting;
    struct waiting_copy copy;
    poor_alloc_init(&poor);
    poor.left = 0;
    waiting_init(&waiting, &poor.hooks);
    assert_false(waiting_put(&waiting, (struct waiting_copy){.op = 3}, WAITING_UNKNOWN));
    assert_null(waiting_find(&waiting, 3));
    assert_false(waiting_take(&waiting, 3, &copy));
    waiting_fini(&waiting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_is_that_of_a_sorted_list),
        cmocka_unit_test(test_equals_go_as_they_came),
        cmocka_unit_test(test_without_memory_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
