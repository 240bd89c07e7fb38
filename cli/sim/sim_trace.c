/* A simulated run as a trace for Perfetto and chrome://tracing: the JSON object format of the Trace
 * Event Format. A process is a device, and one more holds the links; times are those of the
 * simulation. `fastgpu explain` reads it too. See sim.h. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/report/report_text.h"
#include "cli/sim/sim.h"
#include "cli/sim/sim_spans.h"
#include "cli/common/why.h"

/* Microseconds, with all their nanoseconds. */
static void trace_time(struct report_text *text, const char *key, uint64_t ns)
{
    report_text_format(text, ",\"%s\":%" PRIu64 ".%03u", key, ns / 1000, (unsigned)(ns % 1000));
}

/* Which process and thread a row is. */
static void trace_place(struct report_text *text, const struct sim_work *work,
                        const struct sim_row *row, uint32_t number)
{
    if (row->is_copy)
        report_text_format(text, "\"pid\":%" PRIu32 ",\"tid\":%" PRIu32,
                           work->info.device_count + 2, number);
    else
        report_text_format(text, "\"pid\":%" PRIu32 ",\"tid\":%" PRIu32, row->major + 2, row->lane);
}

static void trace_word(struct report_text *text, const struct sim_work *work,
                       const struct sim_row *row, uint32_t number, const char *event)
{
    char name[SIM_ROW_NAME];

    sim_spans_row_name(work, row, name);
    report_text_add(text, ",\n{\"ph\":\"M\",");
    trace_place(text, work, row, number);
    report_text_format(text, ",\"name\":\"%s\",\"args\":{\"name\":", event);
    report_text_json(text, name);
    report_text_add(text, "}}");
}

static void trace_names(struct report_text *text, const struct sim_work *work,
                        const struct sim_spans *spans)
{
    report_text_add(text, "{\"ph\":\"M\",\"pid\":1,\"tid\":0,\"name\":\"process_name\","
                          "\"args\":{\"name\":\"simulation\"}}");
    report_text_format(text,
                       ",\n{\"ph\":\"M\",\"pid\":%" PRIu32 ",\"tid\":0,\"name\":\"process_name\","
                       "\"args\":{\"name\":\"links\"}}",
                       work->info.device_count + 2);
    for (uint32_t i = 0; i < spans->row_count; i++) {
        const struct sim_row *row = &spans->rows[i];
        if (row->is_copy)
            trace_word(text, work, row, i, "thread_name");
        else if (row->lane == 0)
            trace_word(text, work, row, i, "process_name");
    }
}

static void trace_name(struct report_text *text, const struct sim_work *work,
                       const fgpu_sim_span *span, bool is_copy)
{
    const struct sim_graph *graph = &work->graph;
    const char *name = sim_graph_task_name(graph, span->task);
    char room[160];

    if (span->task >= graph->task_count)
        (void)snprintf(room, sizeof room, is_copy ? "copy" : "run");
    else if (is_copy)
        (void)snprintf(room, sizeof room, "copy for %s", name[0] ? name : "a task");
    else
        (void)snprintf(room, sizeof room, "%s",
                       name[0] ? name : graph->kernels[graph->tasks[span->task].kernel].name);
    report_text_json(text, room);
}

static void trace_slice(struct report_text *text, const struct sim_work *work,
                        const struct sim_spans *spans, const struct sim_slice *slice)
{
    const struct sim_row *row = &spans->rows[slice->row];
    const fgpu_sim_span *span =
        row->is_copy ? &spans->copies[slice->item] : &spans->runs[slice->item];

    report_text_add(text, ",\n{\"ph\":\"X\",");
    trace_place(text, work, row, slice->row);
    trace_time(text, "ts", span->start_ns);
    trace_time(text, "dur", span->end_ns - span->start_ns);
    report_text_format(text, ",\"cat\":\"%s\",\"name\":", row->is_copy ? "copy" : "run");
    trace_name(text, work, span, row->is_copy);
    report_text_add(text, ",\"args\":{");
    if (span->task != UINT32_MAX)
        report_text_format(text, "\"task\":%" PRIu32, span->task);
    if (row->is_copy)
        report_text_format(text, "%s\"bytes\":%" PRIu64, span->task != UINT32_MAX ? "," : "",
                           span->bytes);
    else if (span->status != FGPU_OK)
        report_text_format(text, "%s\"status\":%" PRId32, span->task != UINT32_MAX ? "," : "",
                           span->status);
    report_text_add(text, "}}");
}

fgpu_status sim_trace_write(struct sim_work *work, const fgpu_sim *sim)
{
    const char *path = work->choice->trace;
    struct report_text text = {0};
    struct sim_spans spans;

    fgpu_status status = sim_spans_init(&spans, sim);
    if (status == FGPU_OK) {
        report_text_format(&text,
                           "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"writer\":\"FastGPU\","
                           "\"events\":%" PRIu32 ",\"overwritten\":0,\"origin_ns\":0},"
                           "\"traceEvents\":[\n",
                           spans.slice_count);
        trace_names(&text, work, &spans);
        for (uint32_t i = 0; i < spans.slice_count; i++)
            trace_slice(&text, work, &spans, &spans.slices[i]);
        report_text_add(&text, "\n]}\n");
        if (text.is_short)
            status = FGPU_E_NOMEM;
    }
    if (status == FGPU_OK)
        status =
            file_replace(path, text.bytes.data, text.bytes.size_bytes, work->why, sizeof work->why);
    else
        (void)why_fail(status, work->why, sizeof work->why, "%s: no memory for the trace", path);
    report_text_fini(&text);
    sim_spans_fini(&spans);
    return status;
}
