/* Kernels that make way in virtual time: exact moments of slices and of launches that a guard
 * stops, nobody starves, and a kernel that never ends does not take others with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/serve.h"
#include "machine/machine.h"
#include "run/simulator.h"

#define MS UINT64_C(1000000)
#define US UINT64_C(1000)
#define SECOND UINT64_C(1000000000)

static struct simulator sim;
static struct machine machine;
static uint32_t numbers; /* of tasks so far */

/* ---- the rig ------------------------------------------------------------------------------ */

static void open_sim(const char *text, struct simulator_config config)
{
    machine_init(&machine);
    if (machine_parse(&machine, "test", text, strlen(text)) != FGPU_OK)
        fail_msg("the machine");
    config.machine = &machine;
    config.policy = "eft";
    config.checks = true;
    assert_int_equal(simulator_init(&sim, &config), FGPU_OK);
    assert_int_equal(serve_begin(&sim.engine), FGPU_OK);
    numbers = 0;
}

static void close_sim(void)
{
    simulator_fini(&sim);
    machine_fini(&machine);
}

static void run_until(uint64_t ns)
{
    (void)simulator_run(&sim, ns);
    sim.now_ns = ns;
}

/* Returns its number. */
static uint32_t submit(uint64_t cost_ns, uint32_t groups, uint8_t rank)
{
    const struct simulator_type asked = {
        .machine_kernel = UINT32_MAX, .cost_ns = (double)cost_ns, .groups = groups};
    struct task_terms terms = {.deadline_ns = UINT64_MAX, .rank = rank};
    struct submit_request request = {.kind = TASK_KERNEL, .pin = TASK_DEVICE_ANY, .terms = &terms};
    uint32_t type, slot;
    assert_int_equal(simulator_type(&sim, "k", &asked, &type), FGPU_OK);
    struct simulator_task what = {numbers, type};
    assert_int_equal(simulator_submit_typed(&sim, &request, what, &slot), FGPU_OK);
    return numbers++;
}

/* The launches of a task. [out] groups: that have run. Returns how many launches. */
static uint32_t look(uint32_t number, uint64_t *start_ns, uint64_t *end_ns, uint32_t *groups)
{
    uint32_t count = 0;
    *groups = 0;
    *start_ns = *end_ns = 0;
    for (size_t i = 0; i < sim.runs.count; i++) {
        const struct simulator_run *run = vec_at(&sim.runs, i);
        if (run->number != number)
            continue;
        assert_int_equal(run->status, FGPU_OK);
        if (run->items > 0)
            assert_int_equal(run->first, *groups); /* one after the other, each once */
        *start_ns = count++ == 0 ? run->start_ns : *start_ns;
        *end_ns = run->end_ns;
        *groups += run->items;
    }
    return count;
}

static const char one_device[] = "fgm 1\nclass d\n kind gpu\n count 1\n launch_ns 5000\n units 4\n";

/* ---- moments ------------------------------------------------------------------------------ */

/* Forty groups, four at once, of one millisecond; something urgent in the middle of the third
 * wave. */
static void test_guard_stops_between_groups(void **state)
{
    (void)state;
    uint64_t start_ns, end_ns;
    uint32_t groups;
    open_sim(one_device, (struct simulator_config){.preempt = FGPU_POOL_PREEMPT_GUARD});
    uint32_t batch = submit(10 * MS, 40, SERVE_BATCH);
    run_until(2 * MS + 500 * US);
    uint32_t urgent = submit(2 * MS, 0, SERVE_URGENT);
    assert_int_equal(simulator_run(&sim, SIMULATOR_NEVER), 0);
    assert_int_equal(look(urgent, &start_ns, &end_ns, &groups), 1);
    assert_int_equal(start_ns, 5 * US + 3 * MS + 5 * US);
    assert_int_equal(end_ns, start_ns + 2 * MS);
    assert_int_equal(look(batch, &start_ns, &end_ns, &groups), 2);
    assert_int_equal(groups, 40);
    assert_int_equal(end_ns, 12 * MS + 3 * 5 * US); /* no group ran twice */
    assert_int_equal(sim.engine.stats.preemptions, 1);
    close_sim();
}

/* In slices, which become shorter when it is known what launching one costs. */
static void test_slices_are_held_back(void **state)
{
    (void)state;
    uint64_t start_ns, end_ns;
    uint32_t groups;
    open_sim(one_device, (struct simulator_config){.preempt = FGPU_POOL_PREEMPT_SLICES});
    uint32_t batch = submit(10 * MS, 4000, SERVE_BATCH);
    run_until(5 * MS);
    uint32_t urgent = submit(2 * MS, 0, SERVE_URGENT);
    assert_int_equal(simulator_run(&sim, SIMULATOR_NEVER), 0);
    assert_int_equal(look(urgent, &start_ns, &end_ns, &groups), 1);
    assert_in_range(start_ns, 5 * MS, 5 * MS + 115 * US);
    uint32_t launches = look(batch, &start_ns, &end_ns, &groups);
    assert_int_equal(groups, 4000);
    assert_in_range(launches, 50, 100);
    assert_int_equal(end_ns, 12 * MS + (launches + 1) * 5 * US);
    close_sim();
}

/* Devices of the test's own, without a machine: groups have a time of their own. */
static void test_plain_devices_take_slices(void **state)
{
    (void)state;
    const struct simulator_device device = {.machine = sim_machine_default,
                                            .queue_count = 1,
                                            .host_memory = true,
                                            .slices = true,
                                            .lost_at_ns = SIMULATOR_NEVER};
    const struct simulator_config config = {.devices = &device,
                                            .device_count = 1,
                                            .task_limit = 64,
                                            .group_ps = 1000 * MS,
                                            .checks = true};
    uint32_t kernel, tasks[2], ran = 0;
    assert_int_equal(simulator_init(&sim, &config), FGPU_OK);
    assert_int_equal(serve_begin(&sim.engine), FGPU_OK);
    assert_int_equal(simulator_kernel(&sim, "k", &kernel), FGPU_OK);
    for (uint32_t i = 0; i < 2; i++) {
        struct task_terms terms = {.deadline_ns = UINT64_MAX,
                                   .rank = i == 0 ? SERVE_BATCH : SERVE_URGENT};
        struct submit_request request = {.kind = TASK_KERNEL,
                                         .kernel = kernel,
                                         .pin = TASK_DEVICE_ANY,
                                         .dims = 2,
                                         .global = {64, i == 0 ? 100 : 4, 1},
                                         .local = {16, 1, 1},
                                         .terms = &terms};
        assert_int_equal(simulator_submit(&sim, &request, &tasks[i]), FGPU_OK);
        run_until(3 * MS + 100 * US);
    }
    assert_int_equal(simulator_run(&sim, SIMULATOR_NEVER), 0);
    for (size_t i = 0; i < sim.runs.count; i++) {
        const struct simulator_run *run = vec_at(&sim.runs, i);
        if (run->task == tasks[1])
            assert_in_range(run->start_ns, 4 * MS, 4 * MS + 10 * US);
        ran += run->task == tasks[0] ? run->items : 0;
    }
    assert_int_equal(ran, 400);
    assert_int_equal(sim.engine.stats.preemptions, 1);
    simulator_fini(&sim);
}

/* ---- starvation ---------------------------------------------------------------------------- */

/* Urgent requests without end, each as soon as the one before has ended: a kernel of class batch
 * still gets its guaranteed part, and ends. */
static void starve(uint32_t preempt)
{
    uint64_t start_ns, end_ns, worst_ns = 0, urgent_ns = 0;
    uint32_t groups;
    open_sim(one_device, (struct simulator_config){.preempt = preempt});
    uint32_t batch = submit(20 * MS, 800, SERVE_BATCH);
    while (sim.now_ns < 2 * SECOND && sim.engine.stats.tasks_done < numbers) {
        uint64_t since_ns = sim.now_ns;
        uint32_t urgent = submit(2 * MS, 0, SERVE_URGENT);
        uint64_t done = sim.engine.stats.tasks_done;
        while (sim.engine.stats.tasks_done == done)
            assert_true(simulator_step(&sim, SIMULATOR_NEVER, 1));
        if (look(urgent, &start_ns, &end_ns, &groups) == 0)
            break; /* the batch has ended first */
        worst_ns = end_ns - since_ns > worst_ns ? end_ns - since_ns : worst_ns;
        urgent_ns += end_ns - start_ns;
    }
    assert_int_equal(simulator_run(&sim, SIMULATOR_NEVER), 0);
    (void)look(batch, &start_ns, &end_ns, &groups);
    assert_int_equal(groups, 800);
    /* 4 percent of the time, of which it needs 20 ms. */
    assert_in_range(end_ns, 300 * MS, 600 * MS);
    assert_true(urgent_ns > 250 * MS);
    assert_true(worst_ns < 4 * MS); /* two slices, while nobody knows what launching one costs */
    close_sim();
}

static void test_nobody_starves(void **state)
{
    (void)state;
    starve(FGPU_POOL_PREEMPT_GUARD);
    starve(FGPU_POOL_PREEMPT_SLICES);
}

/* ---- a kernel that never ends --------------------------------------------------------------- */

/* On one of two devices. What came there before that was known is lost with it, which is one
 * request at most; all else goes on at the other one. */
static void never_ends(uint32_t preempt, uint32_t groups)
{
    static const char text[] = "fgm 1\nclass a\n kind gpu\n count 1\n units 4\n"
                               "class b\n kind gpu\n count 1\n units 4\n";
    uint64_t start_ns, end_ns;
    uint32_t some, ended = 0, late = 0;
    open_sim(text, (struct simulator_config){
                       .preempt = preempt, .overdue_ns = 10 * SECOND, .endless = 1});
    uint32_t endless = submit(10 * MS, groups, SERVE_BATCH);
    for (uint32_t i = 0; i < 400; i++) {
        (void)submit(5 * MS, 100,
                     i % 3 == 0   ? SERVE_BATCH
                     : i % 3 == 1 ? SERVE_NORMAL
                                  : SERVE_URGENT);
        run_until((i + 1) * 50 * MS);
    }
    (void)simulator_run(&sim, 30 * SECOND);
    for (uint32_t i = 0; i < numbers; i++) {
        bool ran = look(i, &start_ns, &end_ns, &some) > 0;
        ended += ran;
        late += ran && end_ns > (i + 1) * 50 * MS + SECOND;
    }
    assert_int_equal(look(endless, &start_ns, &end_ns, &some), 0);
    assert_int_equal(ended, numbers - 1);
    assert_int_equal(sim.engine.pending_tasks, 1);
    assert_int_equal(late, 0);
    assert_int_equal(sim.engine.lanes[0].overdue + sim.engine.lanes[1].overdue, 1);
    for (uint32_t d = 0; d < 2; d++) /* nothing else ends it */
        agenda_set(&sim.agenda, sim.engine.lane_count + d, sim.now_ns + d);
    assert_int_equal(simulator_run(&sim, 31 * SECOND), 0);
    close_sim();
}

static void test_a_kernel_that_never_ends(void **state)
{
    (void)state;
    never_ends(FGPU_POOL_PREEMPT_GUARD, 64);
    never_ends(FGPU_POOL_PREEMPT_SLICES, 64);
    never_ends(FGPU_POOL_PREEMPT_AUTO, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_guard_stops_between_groups),
                                       cmocka_unit_test(test_slices_are_held_back),
                                       cmocka_unit_test(test_plain_devices_take_slices),
                                       cmocka_unit_test(test_nobody_starves),
                                       cmocka_unit_test(test_a_kernel_that_never_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
