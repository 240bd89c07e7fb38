/* What the script of a simulation's page draws: the columns that cli/report/report.js reads, as
 * cli/report/report_data.c writes them for a real run. See sim_report.h. */
#include "cli/sim/sim_report.h"

#include <inttypes.h>
#include <string.h>

#define SIM_REPORT_NAMES 64 /* every so many begin anew */

static void data_column(struct sim_report *report, const char *name, struct report_text *column)
{
    report_text_format(&report->text, ",\n\"%s\":\"", name);
    report_text_base64(&report->text, column->bytes.data, column->bytes.size_bytes);
    report_text_add(&report->text, "\"");
    if (column->is_short)
        report->text.is_short = true;
    report_text_fini(column);
}

/* The number that the page knows an entry by: of a run its task. */
static uint32_t data_item(const struct sim_report *report, const struct sim_slice *slice)
{
    return report->spans->rows[slice->row].is_copy ? slice->item
                                                   : report->spans->runs[slice->item].task;
}

static void data_rows(struct sim_report *report)
{
    report_text_add(&report->text, ",\n\"rows\":[");
    for (uint32_t i = 0; i < report->row_count; i++) {
        const struct sim_row *row = &report->spans->rows[i];
        char name[SIM_ROW_NAME];
        sim_spans_row_name(report->work, row, name);
        report_text_format(&report->text,
                           "%s{\"kind\":%d,\"count\":%" PRIu32 ",\"label\":", i > 0 ? "," : "",
                           row->is_copy, row->count);
        report_text_json(&report->text, name);
        report_text_add(&report->text, "}");
    }
    report_text_add(&report->text, "],\n\"kernels\":[");
    for (uint32_t i = 0; i < report->work->graph.kernel_count; i++) {
        const struct sim_report_kernel *kernel = &report->kernels[i];
        report_text_format(&report->text,
                           "%s{\"colour\":%" PRIu32 ",\"tasks\":%" PRIu64 ",\"ns\":%" PRIu64
                           ",\"name\":",
                           i > 0 ? "," : "", kernel->colour, kernel->run_count, kernel->run_ns);
        report_text_json(&report->text, report->work->graph.kernels[i].name);
        report_text_add(&report->text, "}");
    }
    report_text_add(&report->text, "],\n\"builds\":[]");
}

static void data_slices(struct sim_report *report)
{
    struct report_text start = {0}, length = {0}, item = {0};
    uint32_t row = UINT32_MAX, last_item = 0;
    uint64_t last = 0;

    for (uint32_t i = 0; i < report->slice_count; i++) {
        const struct sim_slice *slice = &report->spans->slices[i];
        if (slice->row != row) {
            last = 0;
            last_item = 0;
            row = slice->row;
        }
        uint32_t number = data_item(report, slice);
        report_text_signed(&start, (int64_t)(slice->start_ns - last));
        report_text_varint(&length, slice->end_ns - slice->start_ns);
        report_text_signed(&item, (int64_t)number - (int64_t)last_item);
        last = slice->start_ns;
        last_item = number;
    }
    data_column(report, "start", &start);
    data_column(report, "length", &length);
    data_column(report, "item", &item);
}

/* Of the runs on the timeline. When a task was submitted, ready and predicted is not known here. */
static void data_runs(struct sim_report *report)
{
    const struct sim_graph *graph = &report->work->graph;
    struct report_text kernel = {0}, unknown[4] = {{{0}, false}}, failed = {0};
    static const char *const names[] = {"submit", "ready", "done", "predicted"};

    for (uint32_t i = 0; i < report->slice_count; i++) {
        const struct sim_slice *slice = &report->spans->slices[i];
        if (report->spans->rows[slice->row].is_copy)
            break;
        const fgpu_sim_span *span = &report->spans->runs[slice->item];
        report_text_varint(&kernel, graph->tasks[span->task].kernel);
        for (uint32_t k = 0; k < 4; k++)
            report_text_varint(&unknown[k], 0);
        if (span->status != FGPU_OK)
            report_text_varint(&failed, span->task);
    }
    data_column(report, "kernel", &kernel);
    for (uint32_t k = 0; k < 4; k++)
        data_column(report, names[k], &unknown[k]);
    data_column(report, "failed", &failed);
}

static void data_copies(struct sim_report *report)
{
    struct report_text bytes = {0}, owner = {0};

    for (uint32_t i = 0; i < report->spans->copy_count; i++) {
        const fgpu_sim_span *copy = &report->spans->copies[i];
        report_text_varint(&bytes, copy->bytes);
        report_text_varint(&owner, copy->task == UINT32_MAX ? 0 : (uint64_t)copy->task + 1);
    }
    data_column(report, "copied", &bytes);
    data_column(report, "owner", &owner);
}

static void data_names(struct sim_report *report)
{
    struct report_text names = {0};
    const char *before = "";

    for (uint32_t i = 0; i < report->work->graph.task_count; i++) {
        const char *name = sim_graph_task_name(&report->work->graph, i);
        size_t shared = 0, length = strlen(name);
        if (i % SIM_REPORT_NAMES == 0)
            before = "";
        while (shared < length && name[shared] == before[shared])
            shared++;
        report_text_varint(&names, shared);
        report_text_varint(&names, length - shared);
        report_text_add_bytes(&names, name + shared, length - shared);
        before = name;
    }
    data_column(report, "names", &names);
}

void sim_report_data(struct sim_report *report)
{
    report_text_format(
        &report->text, "{\"span\":%" PRIu64 ",\"tasks\":%" PRIu32 ",\"slices\":%" PRIu32,
        report->outcome->result.makespan_ns, report->work->graph.task_count, report->slice_count);
    data_rows(report);
    data_slices(report);
    data_runs(report);
    data_copies(report);
    data_names(report);
    report_text_add(&report->text, ",\n\"edges\":\"\"}");
}
