/* What several parts of a report need: the lines of the timeline, what is on them, the kernels by
 * the time they took. See report_parts.h. */
#include "cli/report/report_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Queues of a device that get a line although nothing ran there. */
#define REPORT_IDLE_QUEUES 16

/* Queues beyond have the line of the last. */
#define REPORT_QUEUES 4096

const struct evaluation_task *report_task(const struct report *report, uint32_t i)
{
    return report->evaluation->tasks ? &report->evaluation->tasks[i] : NULL;
}

bool report_task_ran(const struct evaluation_task *task)
{
    return task && task->device != EVALUATION_NONE && task->start_ns > 0 &&
           task->end_ns >= task->start_ns;
}

const char *report_device(const struct report *report, uint32_t device,
                          char room[REPORT_NUMBER_BYTES])
{
    if (device < report->evaluation->device_count)
        return report->evaluation->devices[device].info.id;
    (void)snprintf(room, REPORT_NUMBER_BYTES, "device %" PRIu32, device);
    return room;
}

uint64_t report_wall_ns(const struct evaluation *evaluation)
{
    const struct evaluation_round *round = evaluation_shown(evaluation);

    return round && round->end_ns > round->start_ns ? round->end_ns - round->start_ns : 0;
}

static int report_compare_rows(const void *left, const void *right)
{
    const struct report_row *a = left, *b = right;

    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->major != b->major)
        return a->major < b->major ? -1 : 1;
    return (a->minor > b->minor) - (a->minor < b->minor);
}

static int report_compare_slices(const void *left, const void *right)
{
    const struct report_slice *a = left, *b = right;

    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    if (a->start_ns != b->start_ns)
        return a->start_ns < b->start_ns ? -1 : 1;
    return (a->item > b->item) - (a->item < b->item);
}

/* The line of what took place; lines stand in order, each once, in rows. */
static uint32_t report_find_row(const struct report *report, const struct report_row *row)
{
    const struct report_row *found =
        bsearch(row, report->rows, report->row_count, sizeof report->rows[0], report_compare_rows);

    return (uint32_t)(found - report->rows);
}

/* Twice over everything that goes on the timeline, in any order: once to count it and to write down
 * the lines, once to put it on them. */
struct report_collect {
    struct report *report;
    struct report_row *rows;
    uint32_t row_count, count;
    bool is_counting;
};

static void report_collect_one(struct report_collect *collect, const struct report_row *row,
                               const struct report_slice *slice)
{
    struct report *report = collect->report;

    if (collect->is_counting) {
        collect->rows[collect->row_count++] = *row;
    } else {
        report->slices[collect->count] = *slice;
        report->slices[collect->count].row = report_find_row(report, row);
    }
    collect->count++;
}

static void report_collect_all(struct report_collect *collect)
{
    struct report *report = collect->report;
    const struct evaluation *evaluation = report->evaluation;

    for (uint32_t i = 0; i < report->workload->task_count; i++) {
        const struct evaluation_task *task = report_task(report, i);
        if (!report_task_ran(task))
            continue;
        struct report_row row = {REPORT_ROW_QUEUE, task->device,
                                 task->queue < REPORT_QUEUES ? task->queue : REPORT_QUEUES - 1};
        report_collect_one(collect, &row,
                           &(struct report_slice){0, i, task->start_ns, task->end_ns});
    }
    for (uint32_t i = 0; i < evaluation->copy_count; i++) {
        const struct evaluation_copy *copy = &evaluation->copies[i];
        struct report_row row = {REPORT_ROW_LINK, copy->node_from, copy->node_to};
        if (copy->start_ns > 0 && copy->end_ns >= copy->start_ns)
            report_collect_one(collect, &row,
                               &(struct report_slice){0, i, copy->start_ns, copy->end_ns});
    }
    for (uint32_t i = 0; i < evaluation->build_count; i++) {
        const struct evaluation_build *build = &evaluation->builds[i];
        struct report_row row = {REPORT_ROW_BUILD, 0, 0};
        if (build->start_ns > 0 && build->end_ns >= build->start_ns &&
            build->end_ns >= report->from_ns && build->start_ns <= report->to_ns)
            report_collect_one(collect, &row,
                               &(struct report_slice){0, i, build->start_ns, build->end_ns});
    }
}

static void report_sort_rows(struct report *report, uint32_t count)
{
    uint32_t kept = 0;

    if (count > 0)
        qsort(report->rows, count, sizeof report->rows[0], report_compare_rows);
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || report_compare_rows(&report->rows[kept - 1], &report->rows[i]) != 0)
            report->rows[kept++] = report->rows[i];
    report->row_count = kept;
}

static fgpu_status report_facts_slices(struct report *report)
{
    const struct evaluation *evaluation = report->evaluation;
    size_t most =
        (size_t)report->workload->task_count + evaluation->copy_count + evaluation->build_count;
    struct report_collect collect = {.report = report, .is_counting = true};

    report->rows = calloc(most + (size_t)evaluation->device_count * REPORT_IDLE_QUEUES + 1,
                          sizeof report->rows[0]);
    report->slices = calloc(most + 1, sizeof report->slices[0]);
    if (!report->rows || !report->slices)
        return FGPU_E_NOMEM;
    collect.rows = report->rows;
    report_collect_all(&collect);
    for (uint32_t i = 0; i < evaluation->device_count; i++)
        for (uint32_t k = 0; k < evaluation->devices[i].info.queue_count && k < REPORT_IDLE_QUEUES;
             k++)
            report->rows[collect.row_count++] = (struct report_row){REPORT_ROW_QUEUE, i, k};
    report_sort_rows(report, collect.row_count);
    collect = (struct report_collect){.report = report};
    report_collect_all(&collect);
    report->slice_count = collect.count;
    if (collect.count > 0)
        qsort(report->slices, collect.count, sizeof report->slices[0], report_compare_slices);
    return FGPU_OK;
}

/* From the start of the round to its end, and all that ran. */
static void report_facts_time(struct report *report)
{
    const struct evaluation *evaluation = report->evaluation;
    uint64_t first = UINT64_MAX, last = 0;

    for (uint32_t i = 0; i < report->workload->task_count; i++) {
        const struct evaluation_task *task = report_task(report, i);
        if (task && task->status != FGPU_OK)
            report->failed_count++;
        if (!report_task_ran(task))
            continue;
        report->run_count++;
        first = task->start_ns < first ? task->start_ns : first;
        last = task->end_ns > last ? task->end_ns : last;
    }
    report->from_ns = evaluation->traced.start_ns;
    report->to_ns = evaluation->traced.end_ns;
    if (report->from_ns == 0 || report->from_ns > first)
        report->from_ns = last > 0 ? first : report->from_ns;
    report->to_ns = last > report->to_ns ? last : report->to_ns;
    report->is_run = report->to_ns > report->from_ns;
}

static int report_compare_kernels(const void *left, const void *right, void *kernels)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    const struct report_kernel *of = kernels;

    if (of[a].run_ns != of[b].run_ns)
        return of[a].run_ns > of[b].run_ns ? -1 : 1;
    return (a > b) - (a < b);
}

static fgpu_status report_facts_kernels(struct report *report)
{
    const struct workload *workload = report->workload;
    uint32_t count = workload->kernel_count;

    report->kernels = calloc((size_t)count + 1, sizeof report->kernels[0]);
    report->ranks = calloc((size_t)count + 1, sizeof report->ranks[0]);
    if (!report->kernels || !report->ranks)
        return FGPU_E_NOMEM;
    for (uint32_t i = 0; i < workload->task_count; i++) {
        const struct evaluation_task *task = report_task(report, i);
        struct report_kernel *kernel = &report->kernels[workload->tasks[i].kernel];
        kernel->task_count++;
        if (!report_task_ran(task))
            continue;
        kernel->run_ns += task->end_ns - task->start_ns;
        if (task->predicted_ns > 0) {
            kernel->predicted_ns += task->predicted_ns;
            kernel->predicted_run_ns += task->end_ns - task->start_ns;
        }
    }
    for (uint32_t i = 0; i < count; i++)
        report->ranks[i] = i;
    if (count > 0)
        qsort_r(report->ranks, count, sizeof report->ranks[0], report_compare_kernels,
                report->kernels);
    for (uint32_t i = 0; i < count; i++)
        report->kernels[report->ranks[i]].colour =
            i < REPORT_COLOURS - 1 || count == REPORT_COLOURS ? i : REPORT_COLOURS - 1;
    return FGPU_OK;
}

fgpu_status report_facts_init(struct report *report, const struct evaluation *evaluation)
{
    report->evaluation = evaluation;
    report->workload = evaluation->workload;
    report_facts_time(report);
    fgpu_status status = report_facts_slices(report);
    return status == FGPU_OK ? report_facts_kernels(report) : status;
}

void report_facts_fini(struct report *report)
{
    free(report->rows);
    free(report->slices);
    free(report->kernels);
    free(report->ranks);
}
