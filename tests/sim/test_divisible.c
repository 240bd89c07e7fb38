/* Divisible tasks in simulated machines against optima that are known: what all devices together
 * do, and what is left of a task when a device becomes free. No run needs more than a twentieth
 * above them, and none is below the bound.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include <fastgpu/sim.h>

#define MS UINT64_C(1000000)

static const char machine_text[] =
    "fgm 1\nmachine two\n"
    "class fast\n kind gpu\n count 1\n memory 64000000\n launch_ns 2000\n"
    "class slow\n kind cpu\n count 1\n"
    "link in\n each fast\n bytes_per_ns 8\n"
    "link out\n each fast\n bytes_per_ns 8\n"
    "route host -> fast\n over in of target\n"
    "route fast -> host\n over out of source\n"
    "cost work on fast size any mean_ns 10000000\n"
    "cost work on slow size any mean_ns 30000000\n"
    "cost near on fast size any mean_ns 10000000\n"
    "cost near on slow size any mean_ns 18000000\n"
    "cost only on fast size any mean_ns 10000000\n";

static fgpu_machine *machine;
static fgpu_sim *sim;
static uint32_t work, near, only;

static void open_sim(const char *policy, uint32_t flags, double noise)
{
    const fgpu_sim_options options = {.struct_bytes = sizeof options,
                                      .flags = flags | FGPU_SIM_TRACE | FGPU_SIM_CHECK,
                                      .machine = machine,
                                      .policy = policy,
                                      .noise = noise,
                                      .seed = 1};
    if (fgpu_sim_open(&options, &sim) != FGPU_OK)
        fail_msg("%s", fgpu_last_error());
    assert_int_equal(fgpu_sim_kernel(sim, "work", &work), FGPU_OK);
    assert_int_equal(fgpu_sim_kernel(sim, "near", &near), FGPU_OK);
    assert_int_equal(fgpu_sim_kernel(sim, "only", &only), FGPU_OK);
}

static void add(uint32_t kernel, uint32_t parts)
{
    uint32_t data;
    assert_int_equal(fgpu_sim_data(sim, 1000000, &data), FGPU_OK);
    const fgpu_sim_access access = {data, FGPU_READ_WRITE};
    const fgpu_sim_task task = {.struct_bytes = sizeof task,
                                .kernel = kernel,
                                .size = 1,
                                .parts = parts,
                                .access_count = 1,
                                .accesses = &access};
    if (fgpu_sim_add(sim, &task, NULL) != FGPU_OK)
        fail_msg("%s", fgpu_last_error());
}

static fgpu_sim_result run(void)
{
    fgpu_sim_result result = {.struct_bytes = sizeof result};
    if (fgpu_sim_run(sim, &result) != FGPU_OK)
        fail_msg("%s", fgpu_last_error());
    fgpu_sim_close(sim);
    return result;
}

static void assert_near(const char *policy, fgpu_sim_result result, double optimum_ns)
{
    if ((double)result.makespan_ns > 1.05 * optimum_ns ||
        (double)result.makespan_ns < 0.9999 * optimum_ns || result.bound_ns > result.makespan_ns)
        fail_msg("%s: %llu ns; optimum %.0f, bound %llu", policy,
                 (unsigned long long)result.makespan_ns, optimum_ns,
                 (unsigned long long)result.bound_ns);
}

static const char *const policies[] = {"eft", "heteroprio", "auto", "lookahead", "steal", "fifo"};
#define POLICIES (sizeof policies / sizeof policies[0])

/* Both devices from the start: 1 / (1 / 10 + 1 / 30) ms. */
static void test_one(void **state)
{
    (void)state;
    for (size_t p = 0; p < POLICIES; p++) {
        open_sim(policies[p], FGPU_SIM_NO_TRANSFERS, 0);
        add(work, 1000);
        fgpu_sim_result result = run();
        assert_near(policies[p], result, 7.5 * MS);
        assert_int_equal(result.divided, 1);
        assert_true((double)result.bound_ns > 7.4 * MS);
    }
}

/* The fast device is busy for 10 ms, so that the task goes to the slow one, where it would end
 * after 18. When the fast one is free it takes over so much of what is left that both end at the
 * same time: t / 18 + (t - 10) / 10 = 1. To begin again there would end it after 20. */
static void test_take_over(void **state)
{
    (void)state;
    for (size_t p = 0; p < POLICIES - 2; p++) {
        open_sim(policies[p], FGPU_SIM_NO_TRANSFERS, 0);
        add(only, 0);
        add(near, 1000);
        fgpu_sim_result result = run();
        assert_near(policies[p], result, 12857143);
        assert_int_equal(result.divided, 1);
    }
}

/* As above, with a plan: policies plan eight tasks and more. The fast device has 80 ms of its own,
 * the slow one five of 18: t / 18 + (t - 80) / 10 = 5, where indivisible ones end after 90. (Plans
 * count tasks as whole: others than these two may find it as good to begin with what both can do,
 * so that nothing is left to be taken over.) */
static void test_take_over_planned(void **state)
{
    (void)state;
    for (size_t p = 0; p < 2; p++) {
        open_sim(policies[p], FGPU_SIM_NO_TRANSFERS, 0);
        for (uint32_t i = 0; i < 8; i++)
            add(only, 0);
        for (uint32_t i = 0; i < 5; i++)
            add(near, 1000);
        assert_near(policies[p], run(), 83571429);
    }
}

/* Copies of a piece have the size of its part; of what is read whole everything is copied. */
static void test_bytes(void **state)
{
    (void)state;
    uint32_t data[3];
    open_sim("eft", 0, 0);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(fgpu_sim_data(sim, 1000000, &data[i]), FGPU_OK);
    const fgpu_sim_access accesses[3] = {
        {data[0], FGPU_READ}, {data[1], FGPU_READ | FGPU_SIM_WHOLE}, {data[2], FGPU_WRITE}};
    const fgpu_sim_task task = {.struct_bytes = sizeof task,
                                .kernel = work,
                                .size = 1,
                                .parts = 1000,
                                .access_count = 3,
                                .accesses = accesses};
    assert_int_equal(fgpu_sim_add(sim, &task, NULL), FGPU_OK);
    fgpu_sim_result result = {.struct_bytes = sizeof result};
    assert_int_equal(fgpu_sim_run(sim, &result), FGPU_OK);
    uint64_t parts = 0;
    fgpu_sim_span span;
    for (uint64_t i = 0; fgpu_sim_run_at(sim, i, &span) == FGPU_OK; i++)
        parts += span.device == 1 ? span.parts : 0; /* the machine's devices: slow is the second */
    assert_true(parts > 0 && parts < 1000);
    uint64_t other = 1000 - parts;
    assert_true(result.bytes_moved == 1000000 + 1000 * other ||
                result.bytes_moved == 1000000 + 1000 * parts);
    fgpu_sim_close(sim);
}

/* Mean response and failures are those of tasks, not of pieces. */
static void test_figures(void **state)
{
    (void)state;
    open_sim("eft", FGPU_SIM_NO_TRANSFERS, 0);
    add(work, 1000);
    fgpu_sim_result result = run();
    assert_int_equal(result.tasks, 1);
    assert_int_equal(result.response_ns, result.makespan_ns);
    assert_true(result.pieces > 2);
}

static void test_refused(void **state)
{
    (void)state;
    fgpu_sim_access access = {0, FGPU_READ | FGPU_SIM_WHOLE};
    fgpu_sim_task task = {
        .struct_bytes = sizeof task, .size = 1, .access_count = 1, .accesses = &access};
    open_sim("eft", 0, 0);
    assert_int_equal(fgpu_sim_data(sim, 1000, &access.data), FGPU_OK);
    task.kernel = work;
    assert_int_equal(fgpu_sim_add(sim, &task, NULL), FGPU_E_INVAL);
    assert_string_equal(fgpu_last_error(), "fgpu_sim_add: accesses[0].mode has FGPU_SIM_WHOLE; "
                                           "parts is less than 2");
    task.parts = 65537;
    assert_int_equal(fgpu_sim_add(sim, &task, NULL), FGPU_E_INVAL);
    assert_string_equal(fgpu_last_error(), "fgpu_sim_add: parts is 65537; at most 65536");
    task.parts = 65536;
    access.mode = FGPU_READ_WRITE | FGPU_SIM_WHOLE;
    assert_int_equal(fgpu_sim_add(sim, &task, NULL), FGPU_E_INVAL);
    assert_string_equal(fgpu_last_error(), "fgpu_sim_add: accesses[0].mode has FGPU_SIM_WHOLE; "
                                           "pieces cannot write all of the data");
    access.mode = FGPU_READ_WRITE;
    assert_int_equal(fgpu_sim_add(sim, &task, NULL), FGPU_OK);
    fgpu_sim_close(sim);
}

static int parse(void **state)
{
    (void)state;
    return fgpu_machine_parse("two", machine_text, sizeof machine_text - 1, &machine) != FGPU_OK;
}

static int drop(void **state)
{
    (void)state;
    fgpu_machine_destroy(machine);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),     cmocka_unit_test(test_take_over),
        cmocka_unit_test(test_bytes),   cmocka_unit_test(test_take_over_planned),
        cmocka_unit_test(test_figures), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, parse, drop);
}
