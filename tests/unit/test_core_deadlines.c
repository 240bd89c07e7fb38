/* Deadlines as the core admits them (core/serve_admit.c, core/serve_pace.c), on a device of the
 * test's own (tests/lib/engine_rig.h) with a queue beside its usual one, a clock that the test
 * moves, and tasks that take what the test says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "core/preempt.h"
#include "core/serve.h"
#include "tests/lib/engine_rig.h"

#define LOCAL 16u
#define LONG_BYTES (256u * LOCAL) /* a batch task */
#define LONG_NS 200000000u
#define MS UINT64_C(1000000)

static struct engine_rig rig;
static uint32_t buffers[2];

static void know(uint64_t bytes, uint64_t ns)
{
    for (uint32_t i = 0; i < 5; i++)
        history_learn(&rig.history, engine_kernel(&rig.engine, rig.inc)->key,
                      rig.engine.devices[0].key, bytes, ns);
}

static void open_rig(void)
{
    static const uint32_t queues[] = {2};
    const struct engine_rig_setup setup = {.queues = queues,
                                           .devices = 1,
                                           .side_queues = 1,
                                           .fill_groups = 4,
                                           .slices = true,
                                           .host_memory = true,
                                           .policy = "eft",
                                           .budget_ns = 500000};
    engine_rig_open_as(&rig, &setup);
    buffers[0] = engine_rig_buffer(&rig, 512 * 1024, NULL);
    buffers[1] = engine_rig_buffer(&rig, LONG_BYTES, NULL);
    (void)engine_rig_inc(&rig, buffers[1], LONG_BYTES, 0);
    engine_rig_finish(&rig);
    assert_int_equal(serve_begin(&rig.engine), FGPU_OK);
    know(1024, 10 * MS);
    know(LONG_BYTES, LONG_NS);
    engine_clock(&rig.engine, 1000 * MS);
}

static void close_rig(void)
{
    engine_rig_finish(&rig);
    for (uint32_t failure; (failure = engine_take_failure(&rig.engine)) != TASK_NONE;)
        engine_forget(&rig.engine, failure);
    engine_rig_finish(&rig);
    assert_int_equal(rig.engine.pending_tasks, 0);
    engine_rig_close(&rig);
}

static struct submit_request request_of(struct submit_arg *arg, struct task_terms *terms)
{
    return (struct submit_request){.kind = TASK_KERNEL,
                                   .arg_count = 1,
                                   .kernel = rig.inc,
                                   .args = arg,
                                   .pin = TASK_DEVICE_ANY,
                                   .dims = 1,
                                   .global = {arg->shape.row_bytes, 1, 1},
                                   .local = {LOCAL, 1, 1},
                                   .terms = terms};
}

/* A task that is due so soon. [out] end_ns: predicted, from now. Returns TASK_NONE where it is
 * refused. */
static uint32_t urgent_of(uint64_t bytes, uint64_t due_ns, uint8_t late, uint64_t *end_ns)
{
    static uint64_t place;
    struct submit_arg arg = engine_rig_arg(buffers[0], FGPU_WRITE, 2048 * (place++ % 256), bytes);
    struct task_terms terms = {
        .deadline_ns = rig.engine.now_ns + due_ns, .rank = SERVE_URGENT, .late = late};
    struct submit_request request = request_of(&arg, &terms);
    struct serve_answer answer = serve_predict(&rig.engine, &request, &terms);
    if (end_ns != NULL)
        *end_ns = answer.finish_ns - rig.engine.now_ns;
    if (!answer.is_admitted)
        return TASK_NONE;
    return engine_rig_submit(&rig, &request, TASK_NONE);
}

/* The same of 10 ms, by the model. */
static uint32_t urgent(uint64_t due_ns, uint8_t late, uint64_t *end_ns)
{
    return urgent_of(1024, due_ns, late, end_ns);
}

static uint32_t batch(void)
{
    struct submit_arg arg = engine_rig_arg(buffers[1], FGPU_READ_WRITE, 0, LONG_BYTES);
    struct task_terms terms = {.deadline_ns = UINT64_MAX, .rank = SERVE_BATCH};
    struct submit_request request = request_of(&arg, &terms);
    return engine_rig_submit(&rig, &request, TASK_NONE);
}

/* The next command of the lane runs, for so long. */
static void work_one(uint32_t lane, uint64_t gap_ns, uint64_t ns)
{
    assert_true(rig.lanes[lane].done < rig.lanes[lane].taken);
    engine_clock(&rig.engine, rig.engine.now_ns + gap_ns + ns);
    rig.lanes[lane].end_ns = rig.engine.now_ns;
    rig.lanes[lane].start_ns = rig.engine.now_ns - ns;
    engine_rig_work(&rig, lane, rig.lanes[lane].done + 1);
    engine_rig_turn(&rig);
}

/* Queues beside the usual one share its units: they are not a machine more. */
static void test_side_queues_are_no_machines(void **state)
{
    (void)state;
    uint64_t end_ns;
    open_rig();
    assert_int_not_equal(urgent(11 * MS, FGPU_LATE_REFUSE, &end_ns), TASK_NONE);
    assert_int_equal(end_ns, 10 * MS);
    assert_int_equal(urgent(11 * MS, FGPU_LATE_REFUSE, &end_ns), TASK_NONE);
    assert_int_equal(end_ns, 20 * MS);
    engine_rig_turn(&rig);
    assert_int_equal(urgent(11 * MS, FGPU_LATE_REFUSE, &end_ns), TASK_NONE); /* in flight now */
    assert_int_equal(end_ns, 20 * MS);
    assert_int_not_equal(urgent(21 * MS, FGPU_LATE_REFUSE, NULL), TASK_NONE);
    close_rig();
}

/* What runs under a guard makes way, however long it is. */
static void test_what_makes_way_is_not_waited_for(void **state)
{
    (void)state;
    uint64_t end_ns;
    open_rig();
    (void)batch();
    engine_rig_turn(&rig);
    assert_true(engine_lane(&rig.engine, 0)->flight_ns >= 15 * MS);
    assert_int_not_equal(urgent(12 * MS, FGPU_LATE_REFUSE, &end_ns), TASK_NONE);
    assert_in_range(end_ns, 10 * MS, 11 * MS);
    close_rig();
}

/* Tasks take half as long again, and 1 ms passes between two: after some, admission knows. */
static void test_the_pace_is_learned(void **state)
{
    (void)state;
    uint64_t end_ns;
    open_rig();
    for (uint32_t i = 0; i < 60; i++) {
        assert_int_not_equal(urgent(100 * MS, FGPU_LATE_REFUSE, NULL), TASK_NONE);
        engine_rig_turn(&rig);
        know(1024, 10 * MS); /* the model does not follow */
        work_one(0, MS, 15 * MS);
    }
    assert_int_equal(urgent(12 * MS, FGPU_LATE_REFUSE, &end_ns), TASK_NONE);
    assert_in_range(end_ns, 15 * MS, 17 * MS);
    assert_int_not_equal(urgent(20 * MS, FGPU_LATE_REFUSE, NULL), TASK_NONE);
    engine_rig_turn(&rig);
    work_one(0, MS, 15 * MS);
    /* Were all refused from now on nothing could be learned: it is forgotten with time. */
    engine_clock(&rig.engine, rig.engine.now_ns + 2000 * MS);
    assert_int_not_equal(urgent(12 * MS, FGPU_LATE_REFUSE, &end_ns), TASK_NONE);
    assert_in_range(end_ns, 10 * MS, 11 * MS);
    close_rig();
}

/* They scatter: with a margin for that what was promised is kept. The same stream at the same
 * prediction, without scatter, is admitted closer to its deadline. */
static void test_a_margin_for_scatter(void **state)
{
    (void)state;
    for (uint32_t scatters = 0; scatters < 2; scatters++) {
        uint64_t end_ns;
        open_rig();
        for (uint32_t i = 0; i < 40; i++) {
            assert_int_not_equal(urgent(100 * MS, FGPU_LATE_REFUSE, NULL), TASK_NONE);
            engine_rig_turn(&rig);
            know(1024, 10 * MS);
            work_one(0, 0, scatters ? (i % 2 ? 6 : 14) * MS : 10 * MS);
        }
        uint32_t task = urgent(14 * MS, FGPU_LATE_REFUSE, &end_ns);
        assert_in_range(end_ns, 9 * MS, 11 * MS);
        assert_int_equal(task == TASK_NONE, scatters);
        if (scatters) /* what may be dropped needs none */
            assert_int_not_equal(urgent(14 * MS, FGPU_LATE_DROP, NULL), TASK_NONE);
        close_rig();
    }
}

/* The first takes longer than predicted: the fourth will be late then. The long one before it,
 * which could itself still be in time, gives way. */
static void test_shedding(void **state)
{
    (void)state;
    static const uint64_t due_ms[] = {11, 40, 68, 72, 82};
    uint32_t tasks[5];
    open_rig();
    know(2048, 40 * MS);
    for (uint32_t i = 0; i < 5; i++) {
        tasks[i] = urgent_of(i == 2 ? 2048 : 1024, due_ms[i] * MS, FGPU_LATE_DROP, NULL);
        assert_int_not_equal(tasks[i], TASK_NONE);
    }
    engine_rig_turn(&rig);
    work_one(0, 0, 16 * MS);
    assert_int_equal(engine_rig_state(&rig, tasks[2]), FGPU_TASK_FAILED);
    assert_int_equal(rig.engine.serve->dropped, 1);
    for (uint32_t i = 0; i < 3; i++)
        work_one(0, 0, 10 * MS);
    assert_int_equal(engine_rig_state(&rig, tasks[1]), FGPU_TASK_DONE);
    assert_int_equal(engine_rig_state(&rig, tasks[3]), FGPU_TASK_DONE);
    assert_int_equal(engine_rig_state(&rig, tasks[4]), FGPU_TASK_DONE);
    close_rig();
}

/* Who was promised a place and cannot end in time any more goes behind those who can. */
static void test_the_hopeless_go_last(void **state)
{
    (void)state;
    uint32_t tasks[4];
    open_rig();
    for (uint32_t i = 0; i < 4; i++) {
        tasks[i] = urgent((i < 3 ? i + 1 : 5) * 10 * MS + 2 * MS, FGPU_LATE_REFUSE, NULL);
        assert_int_not_equal(tasks[i], TASK_NONE);
    }
    engine_rig_turn(&rig);
    work_one(0, 0, 28 * MS); /* the second is in the lane's backlog by now; the third cannot */
    work_one(0, 0, 10 * MS);
    assert_int_equal(engine_rig_state(&rig, tasks[1]), FGPU_TASK_DONE);
    work_one(0, 0, 10 * MS);
    assert_int_equal(engine_rig_state(&rig, tasks[3]), FGPU_TASK_DONE);
    assert_false(task_state_ended(engine_rig_state(&rig, tasks[2])));
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, tasks[2]), FGPU_TASK_DONE);
    assert_int_equal(rig.engine.serve->dropped, 0);
    close_rig();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_side_queues_are_no_machines),
                                       cmocka_unit_test(test_what_makes_way_is_not_waited_for),
                                       cmocka_unit_test(test_the_pace_is_learned),
                                       cmocka_unit_test(test_a_margin_for_scatter),
                                       cmocka_unit_test(test_shedding),
                                       cmocka_unit_test(test_the_hopeless_go_last)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
