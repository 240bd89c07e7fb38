/* What terms promise, in virtual time with the pool's own policy: fair shares at every moment, no
 * credit for absence, no device idle while somebody waits, minimum shares, urgency inherited by
 * producers, admitted deadlines kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench_fair.h"
#include "cli/bench/bench_virtual.h"
#include "tests/lib/seed.h"

#define TASKS 2000u
#define MS UINT64_C(1000000)

static struct virtual_span spans[TASKS];
static struct fair_run runs[TASKS];

static uint32_t add(struct virtual_plan *plan, struct virtual_task task)
{
    uint32_t number = virtual_add(plan, &task);
    assert_true(number < TASKS);
    return number;
}

static fgpu_sim_result simulate(const struct virtual_plan *plan)
{
    fgpu_sim_result result;
    if (virtual_run(plan, spans, &result) != FGPU_OK)
        fail_msg("%s", fgpu_last_error());
    return result;
}

/* Tenants have work from the release of their tasks until the last of these starts. */
static struct fair_figures look(const struct virtual_plan *plan)
{
    struct fair_tenant tenants[VIRTUAL_TENANTS];
    struct fair_figures figures;
    for (uint32_t t = 0; t < plan->tenants; t++)
        tenants[t] = (struct fair_tenant){UINT64_MAX, 0, plan->weights[t]};
    for (uint32_t i = 0; i < plan->count; i++) {
        struct fair_tenant *tenant = &tenants[plan->tasks[i].tenant];
        assert_true(spans[i].ran);
        runs[i] = (struct fair_run){spans[i].start_ns, spans[i].end_ns, plan->tasks[i].tenant};
        if (plan->tasks[i].release_ns < tenant->since_ns)
            tenant->since_ns = plan->tasks[i].release_ns;
        if (spans[i].start_ns > tenant->until_ns)
            tenant->until_ns = spans[i].start_ns;
    }
    assert_int_equal(fair_look(runs, plan->count, tenants, plan->tenants, plan->devices, &figures),
                     FGPU_OK);
    return figures;
}

/* Each tenant comes at some moment with all that it has; lengths from microseconds to longer than
 * what may be in flight. Half a millisecond of tiny tasks may be handed out when another comes. */
static void test_gap_at_every_moment(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(40);
    for (uint64_t seed = first; seed < first + count; seed++) {
        uint64_t random = seed;
        struct virtual_plan plan = {.devices = 1, .seed = seed};
        plan.noise = seed % 3 == 0 ? 0.1 : 0;
        plan.tenants = 2 + (uint32_t)(virtual_random(&random) % 5);
        for (uint32_t t = 0; t < plan.tenants; t++) {
            uint64_t longest_us = UINT64_C(10) << virtual_random(&random) % 10;
            uint64_t release_ns = virtual_random(&random) % 3 * virtual_random(&random) % (40 * MS);
            plan.weights[t] = 1 + (uint32_t)(virtual_random(&random) % 5);
            for (uint32_t i = 0; i < 60 + virtual_random(&random) % 200; i++)
                (void)add(&plan, (struct virtual_task){
                                     .work_ns = 1000 * (1 + virtual_random(&random) % longest_us),
                                     .release_ns = release_ns,
                                     .tenant = t,
                                     .after = VIRTUAL_NONE});
        }
        (void)simulate(&plan);
        struct fair_figures figures = look(&plan);
        if (figures.gap > 2 * figures.largest + 0.5 * (double)MS || figures.idle > 1e-9) {
            seed_print("sim.terms", seed);
            fail_msg("gap %.0f ns, largest task %.0f ns, idle %.3f", figures.gap, figures.largest,
                     figures.idle);
        }
        virtual_fini(&plan);
    }
}

/* Where each task is longer than the little that is handed out: two of them, as is promised. */
static void test_gap_of_long_tasks(void **state)
{
    (void)state;
    struct virtual_plan plan = {.devices = 1, .tenants = 4, .weights = {1, 2, 3, 1}};
    uint64_t random = 4;
    for (uint32_t t = 0; t < 4; t++)
        for (uint32_t i = 0; i < 100; i++)
            (void)add(&plan,
                      (struct virtual_task){.work_ns = MS + virtual_random(&random) % (4 * MS),
                                            .release_ns = t == 3 ? 200 * MS : 0,
                                            .tenant = t,
                                            .after = VIRTUAL_NONE});
    (void)simulate(&plan);
    struct fair_figures figures = look(&plan);
    assert_true(figures.gap <= 2 * figures.largest);
    assert_true(figures.idle < 1e-9);
    virtual_fini(&plan);
}

/* The weights are kept on the whole, also by a tenant that was away for long, on several devices.
 */
static void test_weights_and_return(void **state)
{
    (void)state;
    for (uint32_t devices = 1; devices <= 4; devices += 3) {
        struct virtual_plan plan = {.devices = devices, .tenants = 3, .weights = {1, 9, 10}};
        for (uint32_t i = 0; i < 1800; i++)
            (void)add(&plan,
                      (struct virtual_task){.work_ns = MS / 2 + i % 7 * MS / 10,
                                            .release_ns = i % 3 == 2 ? 100 * MS / devices : 0,
                                            .tenant = i % 3,
                                            .after = VIRTUAL_NONE});
        (void)simulate(&plan);
        struct fair_figures figures = look(&plan);
        double parts = figures.served[1] / figures.served[0];
        double back = figures.served[2] / (figures.served[0] + figures.served[1]);
        assert_true(parts > 9 * 0.97 && parts < 9 * 1.03);
        assert_true(back > 0.97 && back < 1.03);
        assert_true(figures.idle < 1e-9);
        virtual_fini(&plan);
    }
}

/* Interactive work that could fill the device for good, and normal work beside batch. */
static void test_nobody_starves(void **state)
{
    (void)state;
    struct virtual_plan plan = {.devices = 1, .tenants = 1, .weights = {1}};
    static const uint32_t classes[] = {FGPU_CLASS_INTERACTIVE, FGPU_CLASS_NORMAL, FGPU_CLASS_BATCH};
    for (uint32_t i = 0; i < 1200; i++)
        (void)add(&plan, (struct virtual_task){.work_ns = 5 * MS,
                                               .task_class = classes[i % 3],
                                               .after = VIRTUAL_NONE});
    (void)simulate(&plan);
    double got[3] = {0}, all = 0; /* until the last interactive one ends */
    uint64_t end_ns = 0;
    for (uint32_t i = 0; i < plan.count; i++)
        if (i % 3 == 0 && spans[i].end_ns > end_ns)
            end_ns = spans[i].end_ns;
    for (uint32_t i = 0; i < plan.count; i++)
        if (spans[i].end_ns <= end_ns) {
            got[i % 3] += 5;
            all += 5;
        }
    assert_true(got[0] / all > 0.95 && got[0] / all < 0.97);
    assert_true(got[1] / all > 0.015 && got[2] / all > 0.015);
    virtual_fini(&plan);
}

/* A request waits for the second of a thousand batch tasks; that one's producer, too. */
static void test_producers_inherit(void **state)
{
    (void)state;
    struct virtual_plan plan = {.devices = 1, .tenants = 1, .weights = {1}};
    struct virtual_task batch = {
        .work_ns = MS, .task_class = FGPU_CLASS_BATCH, .after = VIRTUAL_NONE};
    for (uint32_t i = 0; i < 1000; i++)
        (void)add(&plan, batch);
    uint32_t before = add(&plan, batch);
    batch.after = before;
    uint32_t producer = add(&plan, batch);
    uint32_t urgent = add(&plan, (struct virtual_task){.work_ns = MS,
                                                       .release_ns = 10 * MS,
                                                       .task_class = FGPU_CLASS_INTERACTIVE,
                                                       .after = producer});
    (void)simulate(&plan);
    assert_true(spans[urgent].end_ns <= 16 * MS); /* three of them, and what was in flight */
    virtual_fini(&plan);
}

/* Those that were admitted end in time, at most a slice late; the others are refused at once. */
static void test_admitted_end_in_time(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(10);
    for (uint64_t seed = first; seed < first + count; seed++) {
        uint64_t random = seed, now_ns = 0;
        uint32_t late = (uint32_t)(seed % 3), in_time = 0, ended = 0;
        struct virtual_plan plan = {.devices = 1 + (uint32_t)(seed % 2), .tenants = 1};
        plan.weights[0] = 1;
        for (uint32_t i = 0; i < 300; i++) {
            now_ns += virtual_random(&random) % (3 * MS);
            (void)add(&plan,
                      (struct virtual_task){.work_ns = MS / 10 + virtual_random(&random) % (2 * MS),
                                            .release_ns = now_ns,
                                            .deadline_ns = 1 + virtual_random(&random) % (6 * MS),
                                            .task_class = FGPU_CLASS_INTERACTIVE,
                                            .late = late,
                                            .after = VIRTUAL_NONE});
            (void)add(&plan, (struct virtual_task){.work_ns = MS / 10,
                                                   .release_ns = now_ns,
                                                   .task_class = FGPU_CLASS_BATCH,
                                                   .after = VIRTUAL_NONE});
        }
        fgpu_sim_result result = simulate(&plan);
        for (uint32_t i = 0; i < plan.count; i += 2) {
            uint64_t end_ns = plan.tasks[i].release_ns + plan.tasks[i].deadline_ns;
            ended += spans[i].ran;
            in_time += spans[i].ran && spans[i].end_ns <= end_ns;
            if (late != FGPU_LATE_DEGRADE && spans[i].ran)
                assert_true(spans[i].end_ns <= end_ns + MS / 10);
        }
        assert_true(in_time > 100);
        if (late == FGPU_LATE_DEGRADE) {
            assert_int_equal(ended, 300);
            assert_true(result.degraded > 0);
        } else {
            assert_int_equal(ended + result.refused + result.dropped, 300);
            assert_int_equal(late == FGPU_LATE_REFUSE ? result.dropped : result.refused, 0);
        }
        virtual_fini(&plan);
    }
}

/* While one runs, nothing is committed to follow it: one that comes meanwhile and cannot wait goes
 * before one that can. */
static void test_urgent_ones_are_not_committed(void **state)
{
    (void)state;
    struct virtual_plan plan = {.devices = 1, .tenants = 1, .weights = {1}};
    struct virtual_task task = {.work_ns = 5 * MS,
                                .deadline_ns = 30 * MS,
                                .task_class = FGPU_CLASS_INTERACTIVE,
                                .late = FGPU_LATE_DROP,
                                .after = VIRTUAL_NONE};
    uint32_t running = add(&plan, task);
    task.release_ns = MS;
    uint32_t patient = add(&plan, task);
    task.release_ns = 2 * MS;
    task.deadline_ns = 8 * MS;
    uint32_t hurried = add(&plan, task);
    fgpu_sim_result result = simulate(&plan);
    assert_int_equal(result.dropped, 0);
    assert_int_equal(spans[running].end_ns, 5 * MS);
    assert_int_equal(spans[hurried].end_ns, 10 * MS);
    assert_int_equal(spans[patient].end_ns, 15 * MS);
    virtual_fini(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gap_at_every_moment),
                                       cmocka_unit_test(test_gap_of_long_tasks),
                                       cmocka_unit_test(test_weights_and_return),
                                       cmocka_unit_test(test_nobody_starves),
                                       cmocka_unit_test(test_producers_inherit),
                                       cmocka_unit_test(test_admitted_end_in_time),
                                       cmocka_unit_test(test_urgent_ones_are_not_committed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
