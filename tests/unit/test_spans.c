/* Begins and ends that belong together: several moves of one task, repeated runs, lost halves,
 * times that overlap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lib/poor_alloc.h"
#include "trace/spans.h"

static struct trace t;
static struct spans s;
static struct poor_alloc poor;

static int start(void **state)
{
    (void)state;
    poor_alloc_init(&poor);
    trace_init(&t, 16, &poor.hooks);
    return trace_enable(&t, true);
}

static int stop(void **state)
{
    (void)state;
    trace_fini(&t);
    assert_int_equal(poor.live_count, 0);
    return 0;
}

static void emit(uint8_t kind, uint64_t time_ns, uint64_t task, uint64_t a, uint64_t b)
{
    trace_emit(
        &t, (struct trace_event){.kind = kind, .time_ns = time_ns, .task = task, .a = a, .b = b});
}

static void assert_span(uint32_t index, uint64_t task, uint64_t start_ns, uint64_t end_ns)
{
    assert_true(index < s.spans.count);
    assert_int_equal(spans_at(&s, index)->task, task);
    assert_int_equal(spans_at(&s, index)->start_ns, start_ns);
    assert_int_equal(spans_at(&s, index)->end_ns, end_ns);
}

static void test_moves_of_one_task_pair_in_order(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 3; i++)
        emit(TRACE_MOVE_BEGIN, 10 + i, 1, 100 + i, trace_nodes(0, (uint32_t)i));
    emit(TRACE_MOVE_BEGIN, 13, 2, 200, 0);
    emit(TRACE_MOVE_END, 20, 1, 0, 0);
    emit(TRACE_MOVE_END, 30, 1, 0, 0);
    emit(TRACE_MOVE_BEGIN, 31, 1, 103, 0);
    for (uint64_t i = 0; i < 2; i++)
        emit(TRACE_MOVE_END, 40 + i, 1, 0, 0);
    emit(TRACE_MOVE_END, 50, 2, 0, 0);
    emit(TRACE_MOVE_END, 60, 1, 0, 0); /* one too many */
    assert_int_equal(spans_collect(&s, &t), FGPU_OK);
    assert_int_equal(s.spans.count, 5);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(spans_at(&s, i)->a, 100 + i);
        assert_true(spans_at(&s, i)->has_begin);
    }
    assert_int_equal(spans_at(&s, 1)->b, trace_nodes(0, 1));
    assert_span(0, 1, 10, 20);
    assert_span(1, 1, 20, 30);
    assert_span(2, 1, 30, 40);
    assert_span(3, 1, 40, 41);
    assert_span(4, 2, 41, 50);
    spans_fini(&s);
}

static void test_the_last_run_of_a_task_counts(void **state)
{
    (void)state;
    emit(TRACE_SUBMIT, 5, 1, 1, 0);
    emit(TRACE_RUN_BEGIN, 10, 1, 7, 0);
    emit(TRACE_RUN_END, 20, 1, 11, 18);
    emit(TRACE_READY, 30, 1, 0, 0); /* again, elsewhere */
    emit(TRACE_RUN_BEGIN, 40, 1, 9, 0);
    emit(TRACE_RUN_END, 60, 1, 42, 55);
    assert_int_equal(spans_collect(&s, &t), FGPU_OK);
    const struct spans_task *task = spans_find_task(&s, 1);
    assert_non_null(task);
    assert_int_equal(task->submit_ns, 5);
    assert_int_equal(task->ready_ns, 30);
    assert_int_equal(task->run, 1);
    assert_span(1, 1, 42, 55);
    assert_int_equal(spans_at(&s, 1)->a, 9);
    assert_null(spans_find_task(&s, 2));
    assert_int_equal(s.origin_ns, 5);
    spans_fini(&s);
}

/* What was measured is cut to where it can have been; another clock's times count as a length. */
static void test_clocks_that_disagree(void **state)
{
    (void)state;
    static const uint64_t begin_ns = UINT64_C(100000000000);
    static const uint64_t cases[][4] = {
        /* measured, expected: after the begin */
        {20, 80, 20, 80},
        {20, 170, 0, 100},
        {200, 230, 70, 100},
        {200, 900, 0, 100},
    };
    for (uint32_t i = 0; i < 4; i++) {
        trace_clear(&t);
        emit(TRACE_RUN_BEGIN, begin_ns, 1, 0, 0);
        emit(TRACE_RUN_END, begin_ns + 100, 1, begin_ns + cases[i][0], begin_ns + cases[i][1]);
        assert_int_equal(spans_collect(&s, &t), FGPU_OK);
        assert_span(0, 1, begin_ns + cases[i][2], begin_ns + cases[i][3]);
        spans_fini(&s);
    }
    trace_clear(&t);
    emit(TRACE_RUN_BEGIN, begin_ns, 1, 0, 0);
    emit(TRACE_RUN_END, begin_ns + 100, 1, 5, 25); /* virtual */
    emit(TRACE_RUN_END, begin_ns + 100, 2, 25, 35);
    assert_int_equal(spans_collect(&s, &t), FGPU_OK);
    assert_int_equal(s.spans.count, 1); /* the other one has no begin: nobody knows when it was */
    assert_span(0, 1, begin_ns + 80, begin_ns + 100);
    assert_int_equal(s.origin_ns, begin_ns);
    spans_fini(&s);
}

/* A device whose clock is 5 s ahead: its spans keep their order and lengths. */
static void test_a_clock_that_is_ahead(void **state)
{
    (void)state;
    const uint64_t ns = UINT64_C(100000000000), ahead_ns = UINT64_C(5000000000);
    emit(TRACE_RUN_BEGIN, ns, 1, 0, 0);
    emit(TRACE_RUN_BEGIN, ns, 2, 0, 0);
    emit(TRACE_RUN_BEGIN, ns, 3, 0, 0);
    for (uint64_t i = 0; i < 3; i++) /* all told of at once */
        emit(TRACE_RUN_END, ns + 100, i + 1, ns + ahead_ns + 30 * i, ns + ahead_ns + 30 * i + 20);
    assert_int_equal(spans_collect(&s, &t), FGPU_OK);
    for (uint32_t i = 0; i < 3; i++)
        assert_span(i, i + 1, ns + 20 + 30 * i, ns + 40 + 30 * i);
    spans_fini(&s);
}

static void test_halves(void **state)
{
    (void)state;
    emit(TRACE_RUN_END, 100, 1, 0, 0);     /* no begin, no times: nothing */
    emit(TRACE_RUN_END, 110, 2, 90, 105);  /* no begin, but times, before all events */
    emit(TRACE_RUN_BEGIN, 120, 3, 0, 0);   /* no end: nothing */
    emit(TRACE_BUILD_END, 130, 4, 1, 200); /* a is no time here */
    assert_int_equal(spans_collect(&s, &t), FGPU_OK);
    assert_int_equal(s.spans.count, 1);
    assert_span(0, 2, 90, 105);
    assert_false(spans_at(&s, 0)->has_begin);
    assert_int_equal(s.origin_ns, 90);
    spans_fini(&s);
}

static void test_a_wrapped_ring_forgets_begins(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 20; i++)
        emit(TRACE_RUN_BEGIN, i, i, 0, 0);
    for (uint64_t i = 1; i <= 8; i++)
        emit(TRACE_RUN_END, 100 + i, i + 8, 0, 0); /* of tasks 9 .. 16; 13 .. 20 have a begin */
    assert_int_equal(spans_collect(&s, &t), FGPU_OK);
    assert_int_equal(s.spans.count, 4);
    assert_span(0, 13, 13, 105);
    assert_span(3, 16, 107, 108);
    spans_fini(&s);
}

static void test_slices_of_a_queue_never_overlap(void **state)
{
    (void)state;
    emit(TRACE_RUN_END, 100, 1, 10, 50);
    emit(TRACE_MOVE_END, 100, 2, 40, 60); /* begins too early */
    emit(TRACE_RUN_END, 100, 3, 20, 30);  /* wholly in the past */
    emit(TRACE_RUN_END, 100, 4, 200, 210);
    trace_emit(&t,
               (struct trace_event){
                   .kind = TRACE_RUN_END, .time_ns = 100, .task = 5, .a = 15, .b = 45, .lane = 1});
    assert_int_equal(spans_collect(&s, &t), FGPU_OK);
    assert_span(0, 1, 10, 50);
    assert_span(1, 2, 50, 60);
    assert_span(2, 3, 60, 60);
    assert_span(3, 4, 200, 210);
    assert_span(4, 5, 15, 45); /* another queue */
    spans_fini(&s);
}

static void test_builds_pair_by_name(void **state)
{
    (void)state;
    uint32_t a = trace_name(&t, "a"), b = trace_name(&t, "b");
    const struct trace_event events[] = {
        {.kind = TRACE_BUILD_BEGIN, .time_ns = 1, .name = a},
        {.kind = TRACE_BUILD_BEGIN, .time_ns = 2, .name = b},
        {.kind = TRACE_BUILD_BEGIN, .time_ns = 3, .name = a, .device = 1},
        {.kind = TRACE_BUILD_END, .time_ns = 4, .name = b, .lane = 3},
        {.kind = TRACE_BUILD_END, .time_ns = 5, .name = a, .device = 1},
        {.kind = TRACE_BUILD_END, .time_ns = 6, .name = a},
    };
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        trace_emit(&t, events[i]);
    assert_int_equal(spans_collect(&s, &t), FGPU_OK);
    assert_span(0, 0, 2, 4);
    assert_span(1, 0, 3, 5);
    assert_span(2, 0, 1, 6);
    assert_int_equal(spans_at(&s, 0)->name, b);
    spans_fini(&s);
    spans_fini(NULL);
}

static void test_the_life_of_a_task(void **state)
{
    (void)state;
    struct trace_event event = {.kind = TRACE_CANDIDATE, .task = 2, .time_ns = 12};
    uint32_t name = trace_name(&t, "a");
    trace_emit(&t,
               (struct trace_event){.kind = TRACE_SUBMIT, .time_ns = 10, .task = 2, .name = name});
    emit(TRACE_EDGE, 11, 0, 1, 2);
    emit(TRACE_EDGE, 11, 0, 7, 2);
    for (uint32_t i = 0; i < 6; i++) { /* two decisions of three */
        trace_candidate_put(&event, &(struct trace_candidate){.run_ns = i, .chosen = i % 3 == 0});
        trace_emit(&t, event);
    }
    emit(TRACE_FAILED, 20, 2, 0, (uint64_t)-5);
    emit(TRACE_DONE, 30, 2, 0, 0); /* again, for its data was lost */
    assert_int_equal(spans_collect(&s, &t), FGPU_OK);
    const struct spans_task *task = spans_find_task(&s, 2);
    assert_non_null(task);
    assert_int_equal(task->name, name);
    assert_int_equal(task->done_ns, 20);
    assert_int_equal(task->status, -5);
    assert_int_equal(task->run, SPANS_NONE);
    const struct spans_edge *edge = vec_at(&s.edges, task->edges);
    assert_int_equal(edge->from, 7);
    edge = vec_at(&s.edges, edge->next);
    assert_int_equal(edge->from, 1);
    assert_int_equal(edge->next, SPANS_NONE);
    uint32_t at = task->placed;
    for (uint32_t i = 3; i < 6; i++, at = spans_next_candidate(&t, at))
        assert_int_equal(trace_candidate_get(trace_at(&t, at)).run_ns, i);
    assert_int_equal(at, SPANS_NONE);
    assert_int_equal(spans_next_candidate(&t, task->placed - 1), SPANS_NONE);
    spans_fini(&s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_moves_of_one_task_pair_in_order),
        TEST(test_the_last_run_of_a_task_counts),
        TEST(test_clocks_that_disagree),
        TEST(test_a_clock_that_is_ahead),
        TEST(test_halves),
        TEST(test_a_wrapped_ring_forgets_begins),
        TEST(test_slices_of_a_queue_never_overlap),
        TEST(test_builds_pair_by_name),
        TEST(test_the_life_of_a_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
