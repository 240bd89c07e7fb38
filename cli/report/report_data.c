/* What the page's script draws: one JSON object, its columns of numbers as base64 of varints.
 *
 * A column holds differences where neighbours are alike (starts within a line of the timeline,
 * ready before start). A number that may be unknown is 0, or 1 more than the (zigzag) difference.
 * Names are front-coded: how many bytes are shared with the name before (none in every
 * REPORT_NAMES-th), how many follow, those. cli/report/report.js reads this, and says how.
 */
#include "cli/report/report_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define REPORT_NAMES 64

static void report_data_column(struct report *report, const char *name, struct report_text *column)
{
    report_text_format(&report->text, ",\n\"%s\":\"", name);
    report_text_base64(&report->text, column->bytes.data, column->bytes.size_bytes);
    report_text_add(&report->text, "\"");
    if (column->is_short)
        report->text.is_short = true;
    report_text_fini(column);
}

/* 0: unknown. */
static void report_data_maybe(struct report_text *column, bool is_known, uint64_t to, uint64_t from)
{
    int64_t distance = (int64_t)(to - from);

    if (is_known)
        report_text_varint(column,
                           (((uint64_t)distance << 1) ^ (distance < 0 ? UINT64_MAX : 0)) + 1);
    else
        report_text_varint(column, 0);
}

static void report_data_rows(struct report *report)
{
    char room[REPORT_NUMBER_BYTES], label[256];
    uint32_t next = 0;

    report_text_add(&report->text, ",\n\"rows\":[");
    for (uint32_t i = 0; i < report->row_count; i++) {
        const struct report_row *row = &report->rows[i];
        uint32_t first = next;
        while (next < report->slice_count && report->slices[next].row == i)
            next++;
        if (row->kind == REPORT_ROW_QUEUE)
            (void)snprintf(label, sizeof label, "%s queue %" PRIu32,
                           report_device(report, row->major, room), row->minor);
        else if (row->kind == REPORT_ROW_LINK)
            (void)snprintf(label, sizeof label, "memory %" PRIu32 " → %" PRIu32, row->major,
                           row->minor);
        else
            (void)snprintf(label, sizeof label, "compiler");
        report_text_format(&report->text,
                           "%s{\"kind\":%d,\"count\":%" PRIu32 ",\"label\":", i > 0 ? "," : "",
                           (int)row->kind, next - first);
        report_text_json(&report->text, label);
        report_text_add(&report->text, "}");
    }
    report_text_add(&report->text, "]");
}

static void report_data_kernels(struct report *report)
{
    report_text_add(&report->text, ",\n\"kernels\":[");
    for (uint32_t i = 0; i < report->workload->kernel_count; i++) {
        const struct report_kernel *kernel = &report->kernels[i];
        report_text_format(&report->text,
                           "%s{\"colour\":%" PRIu32 ",\"tasks\":%" PRIu64 ",\"ns\":%" PRIu64
                           ",\"name\":",
                           i > 0 ? "," : "", kernel->colour, kernel->task_count, kernel->run_ns);
        report_text_json(&report->text, report->workload->kernels[i].name);
        report_text_add(&report->text, "}");
    }
    report_text_add(&report->text, "],\n\"builds\":[");
    for (uint32_t i = 0; i < report->evaluation->build_count; i++) {
        if (i > 0)
            report_text_add(&report->text, ",");
        report_text_json(&report->text, report->evaluation->builds[i].name);
    }
    report_text_add(&report->text, "]");
}

/* Of everything on the timeline: start, length, number. */
static void report_data_slices(struct report *report)
{
    struct report_text start = {0}, length = {0}, item = {0};
    uint32_t row = UINT32_MAX, last_item = 0;
    uint64_t last = 0;

    for (uint32_t i = 0; i < report->slice_count; i++) {
        const struct report_slice *slice = &report->slices[i];
        if (slice->row != row) {
            last = report->from_ns;
            last_item = 0;
            row = slice->row;
        }
        report_text_signed(&start, (int64_t)(slice->start_ns - last));
        report_text_varint(&length, slice->end_ns - slice->start_ns);
        report_text_signed(&item, (int64_t)slice->item - (int64_t)last_item);
        last = slice->start_ns;
        last_item = slice->item;
    }
    report_data_column(report, "start", &start);
    report_data_column(report, "length", &length);
    report_data_column(report, "item", &item);
}

/* Of the tasks on the timeline, in its order. */
static void report_data_tasks(struct report *report)
{
    struct report_text kernel = {0}, submit = {0}, ready = {0}, done = {0}, predicted = {0};
    struct report_text failed = {0};

    for (uint32_t i = 0; i < report->slice_count; i++) {
        const struct report_slice *slice = &report->slices[i];
        if (report->rows[slice->row].kind != REPORT_ROW_QUEUE)
            continue;
        const struct evaluation_task *task = report_task(report, slice->item);
        report_text_varint(&kernel, report->workload->tasks[slice->item].kernel);
        report_data_maybe(&submit, task->submit_ns > 0, task->start_ns, task->submit_ns);
        report_data_maybe(&ready, task->ready_ns > 0, task->start_ns, task->ready_ns);
        report_data_maybe(&done, task->done_ns > 0, task->done_ns, task->end_ns);
        report_text_varint(&predicted, task->predicted_ns);
        if (task->status != FGPU_OK)
            report_text_varint(&failed, slice->item);
    }
    report_data_column(report, "kernel", &kernel);
    report_data_column(report, "submit", &submit);
    report_data_column(report, "ready", &ready);
    report_data_column(report, "done", &done);
    report_data_column(report, "predicted", &predicted);
    report_data_column(report, "failed", &failed);
}

static void report_data_copies(struct report *report)
{
    struct report_text bytes = {0}, owner = {0};

    for (uint32_t i = 0; i < report->evaluation->copy_count; i++) {
        const struct evaluation_copy *copy = &report->evaluation->copies[i];
        report_text_varint(&bytes, copy->bytes);
        report_text_varint(&owner, copy->task == EVALUATION_NONE ? 0 : (uint64_t)copy->task + 1);
    }
    report_data_column(report, "copied", &bytes);
    report_data_column(report, "owner", &owner);
}

/* By number in the workload. Every so many begin anew, so that one can be read without all. */
static void report_data_names(struct report *report)
{
    struct report_text names = {0};
    const char *before = "";

    for (uint32_t i = 0; i < report->workload->task_count; i++) {
        const char *name = report->workload->tasks[i].name;
        size_t shared = 0, length = strlen(name);
        if (i % REPORT_NAMES == 0)
            before = "";
        while (shared < length && name[shared] == before[shared])
            shared++;
        report_text_varint(&names, shared);
        report_text_varint(&names, length - shared);
        report_text_add_bytes(&names, name + shared, length - shared);
        before = name;
    }
    report_data_column(report, "names", &names);
}

/* From and to, where the graph is small. */
static void report_data_edges(struct report *report)
{
    struct report_text edges = {0};
    const struct workload_edges *from = &report->evaluation->edges;

    for (uint32_t i = 0; i < from->count && report->workload->task_count <= REPORT_GRAPH_TASKS;
         i++) {
        report_text_varint(&edges, from->items[i].from);
        report_text_varint(&edges, from->items[i].to);
    }
    report_data_column(report, "edges", &edges);
}

void report_data(struct report *report)
{
    report_text_format(
        &report->text, "{\"span\":%" PRIu64 ",\"tasks\":%" PRIu32 ",\"slices\":%" PRIu32,
        report->to_ns - report->from_ns, report->workload->task_count, report->slice_count);
    report_data_rows(report);
    report_data_kernels(report);
    report_data_slices(report);
    report_data_tasks(report);
    report_data_copies(report);
    report_data_names(report);
    report_data_edges(report);
    report_text_add(&report->text, "}");
}
