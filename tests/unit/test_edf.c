/* Admission by deadlines against Moore and Hodgson's algorithm, and against trying all subsets;
 * the order of tasks by rank against sorting.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "policy/edf.h"
#include "policy/ranked.h"
#include "tests/lib/seed.h"

#define JOBS 200u

struct plain_job {
    uint64_t work, deadline;
};

static int by_deadline(const void *a, const void *b)
{
    const struct plain_job *left = a, *right = b;
    return left->deadline < right->deadline ? -1 : left->deadline > right->deadline;
}

/* As it is in the textbook: by deadline, drop the longest when one is late. */
static uint32_t moore_hodgson(const struct plain_job *given, uint32_t count)
{
    struct plain_job jobs[JOBS];
    bool in[JOBS] = {false};
    uint64_t time = 0;
    uint32_t kept = 0;
    memcpy(jobs, given, count * sizeof *jobs);
    qsort(jobs, count, sizeof *jobs, by_deadline);
    for (uint32_t i = 0; i < count; i++) {
        in[i] = true;
        time += jobs[i].work;
        kept++;
        if (time <= jobs[i].deadline)
            continue;
        uint32_t longest = i;
        for (uint32_t j = 0; j <= i; j++)
            if (in[j] && jobs[j].work > jobs[longest].work)
                longest = j;
        in[longest] = false;
        time -= jobs[longest].work;
        kept--;
    }
    return kept;
}

/* The most jobs of any subset that all end in time, in the order of their deadlines. */
static uint32_t best_subset(const struct plain_job *given, uint32_t count)
{
    struct plain_job jobs[16];
    uint32_t best = 0;
    memcpy(jobs, given, count * sizeof *jobs);
    qsort(jobs, count, sizeof *jobs, by_deadline);
    for (uint32_t set = 0; set < 1u << count; set++) {
        uint64_t time = 0;
        bool good = true;
        for (uint32_t i = 0; i < count && good; i++)
            if (set >> i & 1) {
                time += jobs[i].work;
                good = time <= jobs[i].deadline;
            }
        uint32_t size = (uint32_t)__builtin_popcount(set);
        best = good && size > best ? size : best;
    }
    return best;
}

static void make_jobs(struct rng *rng, struct plain_job *jobs, uint32_t count, uint64_t load)
{
    for (uint32_t i = 0; i < count; i++) {
        jobs[i].work = 1 + rng_below(rng, 1000);
        jobs[i].deadline = jobs[i].work + rng_below(rng, 1000ull * count / load);
    }
}

/* Offered one by one: those that are kept all end in time. Returns how many. */
static uint32_t offer(const struct plain_job *jobs, uint32_t count)
{
    struct edf edf;
    uint64_t ready = 0;
    const struct edf_machine machine = {.ready_ns = &ready, .lane_count = 1};
    edf_init(&edf, NULL);
    for (uint32_t i = 0; i < count; i++) {
        struct edf_job job = {.deadline_ns = jobs[i].deadline, .work_ns = jobs[i].work, .task = i};
        job.order = i;
        size_t before = edf.jobs.count;
        struct edf_answer asked = edf_admit(&edf, &machine, &job, true);
        assert_int_equal(edf.jobs.count, before);
        struct edf_answer answer = edf_admit(&edf, &machine, &job, false);
        assert_int_equal(asked.is_admitted, answer.is_admitted);
        assert_int_equal(asked.finish_ns, answer.finish_ns);
        assert_int_equal(asked.drop_count, answer.drop_count);
        assert_int_equal(edf.jobs.count, before + answer.is_admitted - answer.drop_count);
    }
    uint64_t time = 0;
    for (size_t i = 0; i < edf.jobs.count; i++) {
        const struct edf_job *job = vec_at(&edf.jobs, i);
        time += job->work_ns;
        assert_true(time <= job->deadline_ns);
    }
    uint32_t kept = (uint32_t)edf.jobs.count;
    edf_fini(&edf);
    return kept;
}

static void test_against_the_best(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(60), kept = 0, best = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct plain_job jobs[JOBS];
        struct rng rng;
        rng_init(&rng, seed);
        uint32_t few = 1 + (uint32_t)rng_below(&rng, 10);
        make_jobs(&rng, jobs, few, 1 + rng_below(&rng, 6));
        assert_int_equal(moore_hodgson(jobs, few), best_subset(jobs, few));
        assert_true(offer(jobs, few) <= best_subset(jobs, few));
        /* In any order: not quite the best, for what gave way does not come back. */
        make_jobs(&rng, jobs, JOBS, 1 + rng_below(&rng, 8));
        uint32_t some = offer(jobs, JOBS), most = moore_hodgson(jobs, JOBS);
        assert_true(some <= most);
        kept += some;
        best += most;
        /* By deadline: the algorithm itself. */
        qsort(jobs, JOBS, sizeof *jobs, by_deadline);
        assert_int_equal(offer(jobs, JOBS), most);
    }
    assert_true(kept * 100 >= best * 99);
}

static void test_answers(void **state)
{
    (void)state;
    struct edf edf;
    const uint64_t ready[2] = {100, 500};
    struct edf_machine machine = {.ready_ns = ready, .lane_count = 2};
    edf_init(&edf, NULL);
    struct edf_job job = {.deadline_ns = 400, .work_ns = 300, .task = 7, .is_firm = true};
    struct edf_answer answer = edf_admit(&edf, &machine, &job, false);
    assert_true(answer.is_admitted);
    assert_int_equal(answer.finish_ns, 400);
    /* The firm one stays though it is longer; the newcomer is told when it would end. */
    job = (struct edf_job){.deadline_ns = 350, .work_ns = 200, .task = 8};
    answer = edf_admit(&edf, &machine, &job, false);
    assert_false(answer.is_admitted);
    assert_int_equal(answer.finish_ns, 300);
    assert_int_equal(edf.jobs.count, 1);
    job.deadline_ns = 700; /* on the other lane */
    answer = edf_admit(&edf, &machine, &job, false);
    assert_true(answer.is_admitted);
    assert_int_equal(answer.finish_ns, 600);
    /* Half of the lanes' time: all takes twice as long. What is late anyway blames nobody. */
    machine.permille = 500;
    job = (struct edf_job){.deadline_ns = 100000, .work_ns = 50, .task = 9};
    answer = edf_admit(&edf, &machine, &job, false);
    assert_true(answer.is_admitted);
    assert_int_equal(answer.finish_ns, 800);
    assert_true(edf_remove(&edf, 8));
    assert_false(edf_remove(&edf, 8));
    edf_fini(&edf);
}

static uint64_t costs(const void *user, const struct edf_job *job, uint32_t lane)
{
    const uint64_t *factor = user;
    return factor[lane] == 0 ? EDF_NEVER : factor[lane] * job->work_ns;
}

static void test_unequal_lanes(void **state)
{
    (void)state;
    struct edf edf;
    const uint64_t ready[3] = {0, 0, 0}, factors[3] = {4, 1, 0};
    struct edf_machine machine = {
        .ready_ns = ready, .lane_count = 3, .cost_ns = costs, .user = factors};
    edf_init(&edf, NULL);
    for (uint32_t i = 0; i < 5; i++) { /* four on the fast one while the slow one does one */
        struct edf_job job = {.deadline_ns = 400, .work_ns = 100, .task = i, .order = i};
        assert_true(edf_admit(&edf, &machine, &job, false).is_admitted);
    }
    struct edf_job job = {.deadline_ns = 400, .work_ns = 100, .task = 5, .order = 5};
    assert_false(edf_admit(&edf, &machine, &job, false).is_admitted);
    const uint64_t none[3] = {0, 0, 0};
    machine.user = none;
    struct edf_answer answer = edf_admit(&edf, &machine, &job, true);
    assert_false(answer.is_admitted);
    assert_true(answer.finish_ns == EDF_NEVER);
    edf_fini(&edf);
}

static int by_rank(const void *a, const void *b)
{
    const struct ranked_item *left = a, *right = b;
    if (left->key != right->key)
        return left->key < right->key ? -1 : 1;
    return (int32_t)(left->order - right->order) < 0 ? -1 : 1;
}

static void put(struct edf *edf, const struct edf_machine *machine, uint32_t task, uint64_t work,
                uint64_t deadline, bool is_firm)
{
    struct edf_job job = {
        .deadline_ns = deadline, .work_ns = work, .task = task, .order = task, .is_firm = is_firm};
    assert_true(edf_admit(edf, machine, &job, false).is_admitted);
}

static uint64_t long_for_the_third(const void *user, const struct edf_job *job, uint32_t lane)
{
    (void)user;
    (void)lane;
    return job->task == 2 ? 350 : job->work_ns;
}

static uint64_t nowhere_for_the_third(const void *user, const struct edf_job *job, uint32_t lane)
{
    (void)user;
    (void)lane;
    return job->task == 2 ? EDF_NEVER : job->work_ns;
}

/* What had room is late by now: the longest goes, once, unless it is firm; with doubt only what is
 * late beyond it. */
static void test_shedding(void **state)
{
    (void)state;
    for (uint32_t firm = 0; firm < 2; firm++) {
        struct edf edf;
        uint64_t ready = 0;
        uint32_t drops[EDF_DROPS];
        struct edf_machine machine = {.ready_ns = &ready, .lane_count = 1};
        edf_init(&edf, NULL);
        put(&edf, &machine, 0, 100, 100, false);
        put(&edf, &machine, 1, 300, 400, firm);
        put(&edf, &machine, 2, 200, 600, false);
        put(&edf, &machine, 3, 100, 710, false);
        assert_int_equal(edf_shed(&edf, &machine, drops), 0);
        assert_true(edf_remove(&edf, 0)); /* it runs, and took longer */
        ready = 150;
        machine.spread = 0.1;
        machine.doubt = 0.05;
        assert_int_equal(edf_shed(&edf, &machine, drops), 0);
        machine.spread = machine.doubt = 0;
        if (!firm) {
            assert_int_equal(edf_shed(&edf, &machine, drops), 1);
            assert_int_equal(drops[0], 1);
            assert_int_equal(edf.jobs.count, 2);
        } else { /* itself it is late anyway, and the next one need not be */
            assert_int_equal(edf_shed(&edf, &machine, drops), 1);
            assert_int_equal(drops[0], 2);
            assert_int_equal(edf.jobs.count, 2);
        }
        edf_fini(&edf);
    }
}

/* A firm one that is late by itself takes nobody with it; nor does one that can run nowhere. */
static void test_shed_in_vain(void **state)
{
    (void)state;
    struct edf edf;
    uint64_t ready = 0;
    uint32_t drops[EDF_DROPS];
    struct edf_machine machine = {.ready_ns = &ready, .lane_count = 1};
    edf_init(&edf, NULL);
    put(&edf, &machine, 0, 50, 100, false);
    put(&edf, &machine, 1, 50, 200, false);
    put(&edf, &machine, 2, 100, 300, true);
    machine.cost_ns = long_for_the_third;
    assert_int_equal(edf_shed(&edf, &machine, drops), 0);
    machine.cost_ns = nowhere_for_the_third;
    assert_int_equal(edf_shed(&edf, &machine, drops), 0);
    assert_int_equal(edf.jobs.count, 3);
    edf_fini(&edf);
}

/* Who is not dropped later gets a margin, which grows with what runs before. */
static void test_margins(void **state)
{
    (void)state;
    static const struct {
        double spread, doubt;
        bool is_firm, is_admitted;
        uint64_t deadline;
    } cases[] = {{0, 0, true, true, 500},      {0.1, 0, false, true, 500},
                 {0.1, 0, true, false, 542},   {0.1, 0, true, true, 546}, /* 500 + 2 sqrt(5) 10 */
                 {0, 0.1, true, false, 597},   {0, 0.1, true, true, 602},
                 {0.1, 0.1, false, true, 500}, {0.1, 0.1, true, false, 606},
                 {0.1, 0.1, true, true, 611}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct edf edf;
        uint64_t ready = 0;
        struct edf_machine machine = {.ready_ns = &ready, .lane_count = 1};
        edf_init(&edf, NULL);
        for (uint32_t k = 0; k < 4; k++)
            put(&edf, &machine, k, 100, 499, true);
        machine.spread = cases[i].spread;
        machine.doubt = cases[i].doubt;
        struct edf_job job = {.deadline_ns = cases[i].deadline,
                              .work_ns = 100,
                              .task = 9,
                              .is_firm = cases[i].is_firm};
        struct edf_answer answer = edf_admit(&edf, &machine, &job, false);
        if (answer.is_admitted != cases[i].is_admitted)
            fail_msg("case %zu", i);
        assert_int_equal(answer.finish_ns, 500); /* without the margin */
        edf_fini(&edf);
    }
}

static void test_ranked(void **state)
{
    (void)state;
    struct ranked_item items[300];
    struct ranked ranked;
    struct rng rng;
    rng_init(&rng, 3);
    ranked_init(&ranked, NULL);
    uint32_t count = 0;
    for (uint32_t i = 0; i < 300; i++) { /* orders wrap on the way */
        struct ranked_item item = {rng_below(&rng, 20), UINT32_MAX - 100 + i, i};
        assert_true(ranked_push(&ranked, item));
        if (rng_below(&rng, 4) == 0)
            assert_true(ranked_remove(&ranked, i));
        else
            items[count++] = item;
    }
    assert_false(ranked_remove(&ranked, 1000));
    for (uint32_t i = 0; i < 50; i++) { /* from anywhere */
        uint32_t at = (uint32_t)rng_below(&rng, count);
        assert_true(ranked_remove(&ranked, items[at].task));
        items[at] = items[--count];
    }
    qsort(items, count, sizeof *items, by_rank);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(ranked_pop(&ranked), items[i].task);
    assert_int_equal(ranked_pop(&ranked), RANKED_NONE);
    ranked_fini(&ranked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_the_best),
                                       cmocka_unit_test(test_answers),
                                       cmocka_unit_test(test_unequal_lanes),
                                       cmocka_unit_test(test_shedding),
                                       cmocka_unit_test(test_shed_in_vain),
                                       cmocka_unit_test(test_margins),
                                       cmocka_unit_test(test_ranked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
