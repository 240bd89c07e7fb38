/* A performance history that is wrong in every entry, by up to eight times, is corrected within a
 * few tasks: also where it says that a device is too slow to be asked (core/doubt.c). In virtual
 * time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/engine.h"
#include "run/simulator.h"

#define TASKS 240u
#define TASK_BYTES 64u
#define TASK_GROUPS 16u
#define GROUP_PS 10000000u /* on the slower device */

static struct simulator sim;

struct case_of {
    const char *policy;
    double speed;         /* of the second device */
    uint32_t group_cores; /* 0: each device has cores of its own */
};

/* The first device runs two tasks at a time, with a core each; the second one, with both. */
static void open_machine(const struct case_of *of)
{
    static struct simulator_device devices[2];
    for (uint32_t d = 0; d < 2; d++)
        devices[d] = (struct simulator_device){.machine = sim_machine_default,
                                               .queue_count = d == 0 ? 2 : 1,
                                               .host_memory = true,
                                               .lost_at_ns = SIMULATOR_NEVER,
                                               .cores = d == 0 ? 1 : 2,
                                               .group_cores = of->group_cores};
    for (uint32_t d = 0; d < 2; d++) {
        devices[d].machine.units = 1;
        devices[d].machine.launch_ns = 100;
        devices[d].machine.speed = d == 0 ? 1 : of->speed;
        devices[d].machine.noise = 0;
    }
    const struct simulator_config config = {.devices = devices,
                                            .device_count = 2,
                                            .policy = of->policy,
                                            .task_limit = 4096,
                                            .seed = 1,
                                            .group_ps = GROUP_PS};
    assert_int_equal(simulator_init(&sim, &config), FGPU_OK);
}

static uint64_t true_ns(const struct case_of *of, uint32_t device)
{
    return (uint64_t)(TASK_GROUPS * (GROUP_PS / 1000) / (device == 0 ? 1 : of->speed)) + 100;
}

/* What a process before this one is said to have measured. */
static void load(const struct case_of *of, uint64_t key, const double factors[2])
{
    struct history other;
    struct vec blob;
    history_init(&other, 0, NULL);
    vec_init(&blob, 1, NULL);
    for (uint32_t d = 0; d < 2; d++)
        for (int i = 0; i < 9; i++)
            history_learn(&other, key, sim.engine.devices[d].key, TASK_GROUPS,
                          (uint64_t)((double)true_ns(of, d) * factors[d]));
    assert_int_equal(history_save(&other, &blob), FGPU_OK);
    assert_int_equal(history_load(&sim.history, blob.items, blob.count), FGPU_OK);
    vec_fini(&blob);
    history_fini(&other);
}

static void submit(uint32_t kernel)
{
    uint32_t buffer;
    assert_int_equal(engine_buffer_create(&sim.engine, TASK_BYTES, NULL, &buffer), FGPU_OK);
    struct submit_arg arg = {.kind = FGPU_ARG_BUFFER,
                             .mode = FGPU_WRITE,
                             .buffer = buffer,
                             .shape = {TASK_BYTES, TASK_BYTES, 1}};
    struct submit_request request = {.kind = TASK_KERNEL,
                                     .kernel = kernel,
                                     .arg_count = 1,
                                     .args = &arg,
                                     .pin = TASK_DEVICE_ANY,
                                     .dims = 1,
                                     .global = {TASK_GROUPS, 1, 1},
                                     .local = {1, 1, 1}};
    assert_int_equal(simulator_submit(&sim, &request, NULL), FGPU_OK);
}

/* Returns when the last of the tasks ended. */
static uint64_t run_with(const struct case_of *of, const double factors[2])
{
    uint32_t kernel;
    open_machine(of);
    assert_int_equal(simulator_kernel(&sim, "k", &kernel), FGPU_OK);
    load(of, engine_kernel(&sim.engine, kernel)->key, factors);
    for (uint32_t i = 0; i < TASKS; i++)
        submit(kernel);
    assert_int_equal(simulator_run(&sim, SIMULATOR_NEVER), 0);
    /* The loaded entries were the ones that were asked. */
    const struct code *codes = engine_kernel(&sim.engine, kernel)->codes;
    assert_int_equal(codes[0].model_slot, 0);
    assert_int_equal(codes[1].model_slot, 1);
    assert_int_equal(sim.history.entries.count, 2);
    uint64_t end_ns = sim.now_ns;
    simulator_fini(&sim);
    return end_ns;
}

static void test_wrong_in_every_entry(void **state)
{
    static const double wrong[] = {0.125, 0.3, 3, 8};
    static const double right[2] = {1, 1};
    static const struct case_of cases[] = {{"eft", 1.2, 2},  {"eft", 4, 2},   {"auto", 1.2, 2},
                                           {"auto", 4, 2},   {"eft", 1.2, 0}, {"eft", 6, 0},
                                           {"auto", 1.2, 0}, {"auto", 6, 0}};
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        uint64_t least_ns = run_with(&cases[c], right);
        for (uint32_t i = 0; i < 16; i++) {
            const double factors[2] = {wrong[i % 4], wrong[i / 4]};
            uint64_t ns = run_with(&cases[c], factors);
            if (ns > least_ns + least_ns / 10)
                fail_msg("%s, speed %.1f, %u cores, wrong by %.3f and %.3f: %.2f times as long",
                         cases[c].policy, cases[c].speed, cases[c].group_cores, factors[0],
                         factors[1], (double)ns / (double)least_ns);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_wrong_in_every_entry)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
