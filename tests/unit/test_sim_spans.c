/* What a simulated run did as lines of a timeline: every run and copy stands on one line, lines of
 * one device or link stand together, and on none of them do two things overlap. Also the list of
 * policies behind the public interface.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/sim/sim_generate.h"
#include "cli/sim/sim_spans.h"

static struct sim_choice choice = {.policies = {"eft"}, .policy_count = 1, .seed = 1, .repeat = 1};

static struct sim_work *open_work(const char *graph)
{
    struct sim_work *work = calloc(1, sizeof *work);

    assert_non_null(work);
    work->choice = &choice;
    sim_graph_init(&work->graph);
    if (sim_machine_load("gpu:3x8GiB,cpu:2", &work->machine, work->why, sizeof work->why) !=
            FGPU_OK ||
        sim_generate(graph, &work->graph, work->why, sizeof work->why) != FGPU_OK)
        fail_msg("%s", work->why);
    work->info.struct_bytes = sizeof work->info;
    assert_int_equal(fgpu_machine_get_info(work->machine, &work->info), FGPU_OK);
    assert_int_equal(sim_machine_devices(work), FGPU_OK);
    return work;
}

static void close_work(struct sim_work *work)
{
    free(work->devices);
    sim_graph_fini(&work->graph);
    fgpu_machine_destroy(work->machine);
    free(work);
}

static void check_row(const struct sim_spans *spans, uint32_t number, uint8_t *run_seen,
                      uint8_t *copy_seen)
{
    const struct sim_row *row = &spans->rows[number];
    uint64_t end_ns = 0;

    assert_true(row->count > 0);
    for (uint32_t i = row->first; i < row->first + row->count; i++) {
        const struct sim_slice *slice = &spans->slices[i];
        const fgpu_sim_span *span =
            row->is_copy ? &spans->copies[slice->item] : &spans->runs[slice->item];
        uint8_t *seen = row->is_copy ? &copy_seen[slice->item] : &run_seen[slice->item];
        assert_int_equal(slice->row, number);
        assert_int_equal((*seen)++, 0);
        assert_true(slice->start_ns >= end_ns && slice->end_ns >= slice->start_ns);
        assert_true(slice->start_ns == span->start_ns && slice->end_ns == span->end_ns);
        assert_int_equal(row->major, row->is_copy ? span->source : span->device);
        assert_true(!row->is_copy || row->minor == span->device);
        end_ns = slice->end_ns;
    }
}

static void check_order(const struct sim_spans *spans)
{
    uint32_t first = 0;

    for (uint32_t i = 0; i < spans->row_count; i++) {
        const struct sim_row *row = &spans->rows[i];
        assert_int_equal(row->first, first);
        first += row->count;
        if (i == 0)
            continue;
        const struct sim_row *before = row - 1;
        bool is_same = before->is_copy == row->is_copy && before->major == row->major &&
                       before->minor == row->minor;
        assert_true(before->is_copy <= row->is_copy);
        assert_int_equal(row->lane, is_same ? before->lane + 1 : 0);
        if (before->is_copy == row->is_copy && !is_same)
            assert_true(before->major < row->major ||
                        (before->major == row->major && before->minor < row->minor));
    }
    assert_int_equal(first, spans->slice_count);
}

static void test_lines(void **state)
{
    struct sim_work *work = open_work("cholesky:tiles=8,tile=512");
    struct sim_outcome outcome = {.policy = "eft", .seed = 1};
    struct sim_spans spans;
    fgpu_sim *sim = NULL;
    char name[SIM_ROW_NAME];

    (void)state;
    assert_int_equal(sim_run(work, &outcome, &sim), FGPU_OK);
    assert_int_equal(sim_spans_init(&spans, sim), FGPU_OK);
    assert_int_equal(spans.run_count, 120);
    assert_int_equal(spans.copy_count, outcome.result.copies);
    assert_int_equal(spans.slice_count, spans.run_count + spans.copy_count);
    uint8_t *run_seen = calloc(spans.run_count + 1, 1),
            *copy_seen = calloc(spans.copy_count + 1, 1);
    assert_true(run_seen && copy_seen);
    check_order(&spans);
    for (uint32_t i = 0; i < spans.row_count; i++)
        check_row(&spans, i, run_seen, copy_seen);
    for (uint32_t i = 0; i < spans.row_count; i++) {
        sim_spans_row_name(work, &spans.rows[i], name);
        assert_true(spans.rows[i].is_copy ? strstr(name, " to ") != NULL
                                          : strchr(name, '[') != NULL);
    }
    free(run_seen);
    free(copy_seen);
    sim_spans_fini(&spans);
    fgpu_sim_close(sim);
    free(outcome.busy);
    close_work(work);
}

/* Without FGPU_SIM_TRACE there is nothing to show. */
static void test_nothing(void **state)
{
    struct sim_work *work = open_work("chain:tasks=2");
    struct sim_outcome outcome = {.policy = "eft", .seed = 1};

    (void)state;
    assert_int_equal(sim_run(work, &outcome, NULL), FGPU_OK);
    assert_int_equal(outcome.result.tasks, 2);
    assert_true(sim_ratio(&outcome.result) == -1 || sim_ratio(&outcome.result) >= 1 - 1e-9);
    assert_true(sim_gflops(work, &outcome.result) > 0);
    free(outcome.busy);
    close_work(work);
}

static void test_policies(void **state)
{
    const char *name = NULL, *summary = NULL;
    uint32_t count = 0, known = 0;

    (void)state;
    for (; fgpu_sim_policy_at(count, &name, &summary) == FGPU_OK; count++) {
        assert_true(name[0] != '\0' && summary[0] != '\0' && !strchr(name, ','));
        known += strcmp(name, "fifo") == 0 || strcmp(name, "eft") == 0;
        assert_int_equal(fgpu_sim_policy_at(count, NULL, NULL), FGPU_OK);
    }
    assert_int_equal(known, 2);
    assert_int_equal(fgpu_sim_policy_at(count, &name, NULL), FGPU_E_RANGE);
    assert_int_equal(fgpu_sim_policy_at(UINT32_MAX, &name, NULL), FGPU_E_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_policies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
