/* Which form a kernel takes that makes way (core/preempt_cost.c), on a device of the test's own
 * (tests/lib/engine_rig.h), by what the forms were measured to cost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "core/preempt_state.h"
#include "core/serve.h"
#include "tests/lib/engine_rig.h"

#define LOCAL 16u
#define GROUPS 256u
#define BYTES (GROUPS * LOCAL)
#define LONG_NS 100000000u
#define FRAME_NS 10000000u

static struct engine_rig rig;
static uint8_t contents[3][BYTES];
static uint32_t buffers[3];
static const uint32_t one_queue[] = {1};
static const uint64_t alike[] = {40000, 40000, 40000};

static void know(uint32_t form, uint64_t bytes, uint64_t ns)
{
    const struct kernel *kernel = engine_kernel(&rig.engine, rig.inc);
    for (uint32_t i = 0; i < 5; i++)
        history_learn(&rig.history, preempt_key(&rig.engine, kernel, 0, form),
                      rig.engine.devices[0].key, bytes, ns);
}

static void open_rig(uint32_t preempt)
{
    const struct engine_rig_setup setup = {.queues = one_queue,
                                           .devices = 1,
                                           .slices = true,
                                           .preempt = preempt,
                                           .host_memory = true,
                                           .policy = "eft",
                                           .budget_ns = 500000};
    engine_rig_open_as(&rig, &setup);
    memset(contents, 0, sizeof contents);
    for (uint32_t i = 0; i < 3; i++)
        buffers[i] = engine_rig_buffer(&rig, BYTES, contents[i]);
    assert_int_equal(serve_begin(&rig.engine), FGPU_OK);
    know(FGPU_FORM_WHOLE, LOCAL, 40000);
    (void)engine_rig_inc(&rig, buffers[2], LOCAL, 0); /* the kernel is built */
    engine_rig_finish(&rig);
}

static void close_rig(void)
{
    engine_rig_finish(&rig);
    assert_int_equal(rig.engine.pending_tasks, 0);
    engine_rig_close(&rig);
}

static uint32_t submit(uint32_t which, uint64_t bytes, uint8_t rank)
{
    struct submit_arg arg = engine_rig_arg(buffers[which], FGPU_READ | FGPU_WRITE, 0, bytes);
    struct task_terms terms = {.deadline_ns = UINT64_MAX, .rank = rank};
    struct submit_request request = {.kind = TASK_KERNEL,
                                     .arg_count = 1,
                                     .kernel = rig.inc,
                                     .args = &arg,
                                     .pin = TASK_DEVICE_ANY,
                                     .dims = 1,
                                     .global = {bytes, 1, 1},
                                     .local = {LOCAL, 1, 1},
                                     .terms = &terms};
    return engine_rig_submit(&rig, &request, TASK_NONE);
}

/* Runs one of the batch class to its end, where each group takes so long in each form. Returns its
 * form. */
static uint32_t run_batch(const uint64_t group_ns[3])
{
    struct engine_rig_lane *lane = &rig.lanes[0];
    uint32_t form = FGPU_FORM_WHOLE;
    uint32_t task = submit(0, BYTES, SERVE_BATCH);
    engine_rig_turn(&rig);
    while (engine_rig_state(&rig, task) == FGPU_TASK_RUNNING) {
        const fgpu_cmd_slice *slice = lane->commands[lane->done + 1].body;
        bool is_slice = slice->launch.part == FGPU_LAUNCH_SLICE;
        if (is_slice)
            form = slice->guard != 0 ? FGPU_FORM_GUARDED : FGPU_FORM_SLICED;
        lane->start_ns = lane->end_ns + 1000;
        lane->end_ns = lane->start_ns + (is_slice ? slice->count : GROUPS) * group_ns[form];
        engine_rig_work(&rig, 0, lane->done + 1);
        engine_rig_turn(&rig);
    }
    lane->start_ns = lane->end_ns = 0; /* others are not timed */
    assert_int_equal(engine_rig_state(&rig, task), FGPU_TASK_DONE);
    return form;
}

/* An urgent task has just ended. */
static void be_urgent(void)
{
    engine_clock(&rig.engine, rig.engine.now_ns + 1000);
    (void)submit(1, LOCAL, SERVE_URGENT);
    engine_rig_finish(&rig);
    assert_true(rig.engine.serve->calm_ns > rig.engine.now_ns);
}

static void test_by_cost(void **state)
{
    (void)state;
    enum { W = FGPU_FORM_WHOLE, S = FGPU_FORM_SLICED, G = FGPU_FORM_GUARDED };
    static const struct {
        uint64_t whole, sliced, guarded; /* percent of it; 0: not measured */
        uint32_t quiet, busy;            /* what is taken */
        uint64_t ns;
    } cases[] = {
        {100, 0, 100, G, G, LONG_NS},    {100, 0, 90, G, G, LONG_NS},
        {100, 0, 102, G, G, LONG_NS},    {100, 100, 600, S, S, LONG_NS},
        {100, 600, 600, W, G, LONG_NS},  {100, 600, 600, W, W, FRAME_NS},
        {100, 120, 150, W, S, LONG_NS},  {100, 150, 150, W, G, FRAME_NS},
        {100, 150, 120, W, G, FRAME_NS}, {100, 0, 600, S, S, LONG_NS}, /* slices are tried */
        {100, 120, 130, W, W, 500000},   {0, 0, 100, W, G, LONG_NS},   /* the whole is tried */
        {0, 0, 400, G, G, LONG_NS},      {100, 0, 0, G, G, LONG_NS}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (uint32_t busy = 0; busy < 2; busy++) {
            open_rig(FGPU_POOL_PREEMPT_AUTO);
            const uint64_t percent[] = {cases[i].whole, cases[i].sliced, cases[i].guarded};
            for (uint32_t form = W; form <= G; form++)
                if (percent[form] > 0)
                    know(form, BYTES, cases[i].ns / 100 * percent[form]);
            if (busy)
                be_urgent();
            uint32_t wanted = busy ? cases[i].busy : cases[i].quiet;
            uint32_t form = run_batch(alike);
            if (form != wanted)
                fail_msg("case %zu, busy %u: form %u", i, busy, form);
            close_rig();
        }
}

/* Who names a way gets it, whatever it costs. */
static void test_a_way_that_is_asked_for(void **state)
{
    (void)state;
    for (uint32_t way = FGPU_POOL_PREEMPT_SLICES; way <= FGPU_POOL_PREEMPT_GUARD; way++) {
        open_rig(way);
        know(FGPU_FORM_WHOLE, BYTES, FRAME_NS);
        know(FGPU_FORM_SLICED, BYTES, 6 * FRAME_NS);
        know(FGPU_FORM_GUARDED, BYTES, 6 * FRAME_NS);
        assert_int_equal(run_batch(alike),
                         way == FGPU_POOL_PREEMPT_SLICES ? FGPU_FORM_SLICED : FGPU_FORM_GUARDED);
        close_rig();
    }
}

/* Nothing is known at first. Returns how many of 200 tasks took each form. */
static void run_many(const uint64_t group_ns[3], uint32_t counts[3])
{
    memset(counts, 0, 3 * sizeof counts[0]);
    open_rig(FGPU_POOL_PREEMPT_AUTO);
    engine_kernel(&rig.engine, rig.inc)->key = 12345;
    for (uint32_t i = 0; i < 200; i++)
        counts[run_batch(group_ns)]++;
    for (uint32_t form = 0; form < 3; form++) {
        uint64_t ns = 0;
        (void)history_predict(
            &rig.history, preempt_key(&rig.engine, engine_kernel(&rig.engine, rig.inc), 0, form),
            rig.engine.devices[0].key, BYTES, &ns);
        if (counts[form] > 0) /* each form is measured by itself */
            assert_in_range(ns, GROUPS * group_ns[form] - 1000, GROUPS * group_ns[form] + 1000);
    }
    close_rig();
}

/* A kernel that is six times slower in other forms is found out after few tasks; a good form is
 * kept; slices are taken where only the guard is slow. */
static void test_a_slow_form_is_left(void **state)
{
    (void)state;
    uint32_t counts[3];
    run_many((const uint64_t[]){10000, 60000, 60000}, counts);
    assert_in_range(counts[FGPU_FORM_WHOLE], 180, 197);
    run_many((const uint64_t[]){60000, 60000, 60000}, counts);
    assert_in_range(counts[FGPU_FORM_GUARDED], 190, 198);
    run_many((const uint64_t[]){60000, 60000, 10000}, counts);
    assert_in_range(counts[FGPU_FORM_GUARDED], 190, 198);
    run_many((const uint64_t[]){10000, 10000, 60000}, counts);
    assert_in_range(counts[FGPU_FORM_SLICED], 180, 197);
}

/* A whole launch that takes very long is not tried, and none while urgent work comes, but for one
 * that is short. */
static void test_trials_are_bounded(void **state)
{
    (void)state;
    uint32_t counts[3];
    run_many((const uint64_t[]){2000000, 2000000, 2000000}, counts);
    assert_int_equal(counts[FGPU_FORM_GUARDED], 200);
    for (uint32_t is_short = 0; is_short < 2; is_short++) {
        const uint64_t ns = is_short ? 40000 : 400000;
        const uint64_t group_ns[] = {ns, ns, ns};
        uint32_t whole = 0;
        open_rig(FGPU_POOL_PREEMPT_AUTO);
        for (uint32_t i = 0; i < 40; i++) {
            be_urgent();
            whole += run_batch(group_ns) == FGPU_FORM_WHOLE;
        }
        assert_int_equal(whole, is_short ? 2 : 0);
        close_rig();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_cost), cmocka_unit_test(test_a_way_that_is_asked_for),
        cmocka_unit_test(test_a_slow_form_is_left), cmocka_unit_test(test_trials_are_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
