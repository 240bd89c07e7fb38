/* Assess, schedule, memory: what there was, what ran where and when, where the data went. See
 * report_parts.h. */
#include "cli/report/report_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPORT_KERNELS_SHOWN 24
#define REPORT_FAILED_SHOWN 20
#define REPORT_BUILDS_SHOWN 24
#define REPORT_BUFFERS_SHOWN 8

static const char *report_device_type(uint32_t type)
{
    static const char *const names[] = {"unknown",     "CPU",       "GPU",
                                        "accelerator", "simulated", "null"};

    return names[type < sizeof names / sizeof names[0] ? type : 0];
}

static void report_assess_devices(struct report *report)
{
    static const struct report_column columns[] = {
        {"device", false}, {"name", false},       {"kind", false}, {"units", true}, {"clock", true},
        {"memory", true},  {"memory node", true}, {"cores", true}, {"queues", true}};
    const struct evaluation *evaluation = report->evaluation;
    char room[REPORT_NUMBER_BYTES];
    struct report_table table;

    report_table_open(&table, &report->text,
                      "Devices of the pool. Devices with the same memory "
                      "node share memory, those with the same group of cores compute on the same "
                      "cores.",
                      columns, 9);
    for (uint32_t i = 0; i < evaluation->device_count; i++) {
        const fgpu_device_info *info = &evaluation->devices[i].info;
        report_table_row(&table);
        report_table_cell(&table, info->id);
        report_table_cell(&table, info->name);
        report_table_format(&table, "%s, %s", report_device_type(info->type), info->backend);
        if (info->valid & FGPU_INFO_UNITS)
            report_table_format(&table, "%" PRIu32, info->compute_units);
        else
            report_table_cell(&table, NULL);
        if (info->valid & FGPU_INFO_CLOCK)
            report_table_format(&table, "%" PRIu32 " MHz", info->clock_mhz);
        else
            report_table_cell(&table, NULL);
        report_table_cell(&table, report_number_bytes(room, (double)info->memory_bytes,
                                                      info->valid & FGPU_INFO_MEMORY));
        report_table_format(&table, "%" PRIu32, info->memory_node);
        if (info->valid & FGPU_INFO_RESOURCE_GROUP)
            report_table_format(&table, "group %" PRIu32, info->resource_group);
        else
            report_table_cell(&table, NULL);
        report_table_format(&table, "%" PRIu32, info->queue_count);
    }
    report_table_close(&table);
}

static void report_fact_count(struct report *report, const char *word, uint64_t count)
{
    char room[REPORT_NUMBER_BYTES];

    report_fact(&report->text, word, report_number_count(room, count));
}

void report_assess(struct report *report)
{
    const struct evaluation *evaluation = report->evaluation;
    const struct evaluation_machine *machine = &evaluation->machine;
    const struct workload *workload = report->workload;
    char room[REPORT_NUMBER_BYTES];

    report_text_add(&report->text, "<dl class=\"facts\">\n");
    report_fact(&report->text, "processor", machine->name[0] ? machine->name : NULL);
    report_fact(&report->text, "system", machine->system[0] ? machine->system : NULL);
    (void)snprintf(room, sizeof room, "%.3g", machine->cores);
    report_fact(&report->text, "cores for this run", machine->cores > 0 ? room : NULL);
    report_fact(
        &report->text, "host memory",
        report_number_bytes(room, (double)machine->memory_bytes, machine->memory_bytes > 0));
    report_fact_count(report, "tasks", workload->task_count);
    report_fact_count(report, "kernels", workload->kernel_count);
    report_fact_count(report, "buffers", workload->buffer_count);
    report_fact(&report->text, "bytes in buffers",
                report_number_bytes(room, (double)workload->buffer_bytes, true));
    report_text_add(&report->text, "</dl>\n");
    if (evaluation->device_count > 0)
        report_assess_devices(report);
    else
        report_text_add(&report->text, "<p class=\"unknown\">No device is known.</p>\n");
}

static void report_schedule_kernels(struct report *report)
{
    static const struct report_column columns[] = {{"kernel", false},  {"tasks", true},
                                                   {"run time", true}, {"share", true},
                                                   {"mean", true},     {"predicted", true}};
    const struct workload *workload = report->workload;
    char room[REPORT_NUMBER_BYTES];
    struct report_table table;
    uint64_t total = 0;

    for (uint32_t i = 0; i < workload->kernel_count; i++)
        total += report->kernels[i].run_ns;
    report_table_open(&table, &report->text,
                      "Kernels by the time that they took on queues. "
                      "Predicted: what the pool expected of the same runs, against what they took.",
                      columns, 6);
    for (uint32_t i = 0; i < workload->kernel_count && i < REPORT_KERNELS_SHOWN; i++) {
        const struct report_kernel *kernel = &report->kernels[report->ranks[i]];
        double run = (double)kernel->run_ns;
        bool is_known = kernel->run_ns > 0;
        report_table_row(&table);
        report_table_cell(&table, workload->kernels[report->ranks[i]].name);
        report_table_format(&table, "%" PRIu64, kernel->task_count);
        report_table_cell(&table, report_number_ns(room, run, is_known));
        report_table_cell(&table, report_number_share(room, total > 0 ? run / (double)total : 0,
                                                      is_known && total > 0));
        report_table_cell(
            &table,
            report_number_ns(room, is_known ? run / (double)kernel->task_count : 0, is_known));
        report_table_cell(&table, report_number_ratio(room,
                                                      (double)kernel->predicted_ns /
                                                          (double)(kernel->predicted_run_ns | 1),
                                                      kernel->predicted_run_ns > 0));
    }
    report_table_close(&table);
    if (workload->kernel_count > REPORT_KERNELS_SHOWN)
        report_text_format(&report->text, "<p>%" PRIu32 " more kernels took less.</p>\n",
                           workload->kernel_count - REPORT_KERNELS_SHOWN);
}

/* Where the time of a task went between submitting and its end, on average. */
static void report_schedule_waits(struct report *report)
{
    char rooms[3][REPORT_NUMBER_BYTES];
    double waits[3] = {0}, count = 0;

    for (uint32_t i = 0; i < report->workload->task_count; i++) {
        const struct evaluation_task *task = report_task(report, i);
        if (!report_task_ran(task) || task->submit_ns == 0 || task->ready_ns < task->submit_ns ||
            task->start_ns < task->ready_ns)
            continue;
        waits[0] += (double)(task->ready_ns - task->submit_ns);
        waits[1] += (double)(task->start_ns - task->ready_ns);
        waits[2] += (double)(task->end_ns - task->start_ns);
        count++;
    }
    bool is_known = count > 0;
    double each = is_known ? count : 1;
    const char *labels[] = {"waiting for other tasks", "ready, waiting for a queue", "running"};
    const char *shades[] = {"shade-2", "shade-3", "shade-0"};
    struct report_bar bars[3];

    for (uint32_t i = 0; i < 3; i++)
        bars[i] =
            (struct report_bar){labels[i], is_known ? waits[i] / each : -1,
                                report_number_ns(rooms[i], waits[i] / each, is_known), shades[i]};
    report_text_add(&report->text, "<h3>An average task, from submit to end</h3>\n");
    report_bars(&report->text, bars, 3);
}

/* [out] values: durations of runs, or (is_time false) predicted over measured. */
static uint32_t report_schedule_values(const struct report *report, bool is_time, double *values)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < report->workload->task_count; i++) {
        const struct evaluation_task *task = report_task(report, i);
        if (!report_task_ran(task) || task->end_ns == task->start_ns)
            continue;
        double run = (double)(task->end_ns - task->start_ns);
        if (is_time)
            values[count++] = run;
        else if (task->predicted_ns > 0)
            values[count++] = (double)task->predicted_ns / run;
    }
    return count;
}

static void report_schedule_histograms(struct report *report)
{
    double *values = malloc(((size_t)report->workload->task_count + 1) * sizeof *values);

    if (!values) {
        report->text.is_short = true;
        return;
    }
    report_text_add(&report->text, "<div class=\"pair\"><div><h3>How long tasks ran</h3>\n");
    report_histogram(&report->text, values, report_schedule_values(report, true, values), true,
                     "Number of tasks by their run time");
    report_text_add(&report->text, "</div><div><h3>Predicted over measured</h3>\n");
    report_histogram(&report->text, values, report_schedule_values(report, false, values), false,
                     "Number of tasks by predicted over measured run time");
    report_text_add(&report->text, "</div></div>\n");
    free(values);
}

static void report_schedule_failed(struct report *report)
{
    static const struct report_column columns[] = {
        {"task", false}, {"kernel", false}, {"ended with", false}};
    const struct workload *workload = report->workload;
    struct report_table table;
    uint32_t shown = 0;

    report_table_open(&table, &report->text, "Tasks that did not end well, the first of them",
                      columns, 3);
    for (uint32_t i = 0; i < workload->task_count && shown < REPORT_FAILED_SHOWN; i++) {
        const struct evaluation_task *task = report_task(report, i);
        if (!task || task->status == FGPU_OK)
            continue;
        report_table_row(&table);
        report_table_format(&table, "%" PRIu32 " %s", i, workload->tasks[i].name);
        report_table_cell(&table, workload->kernels[workload->tasks[i].kernel].name);
        report_table_format(&table, "%s: %s", fgpu_status_name(task->status),
                            fgpu_status_text(task->status));
        shown++;
    }
    report_table_close(&table);
    if (report->failed_count > shown)
        report_text_format(&report->text, "<p>%" PRIu32 " more did not end well.</p>\n",
                           report->failed_count - shown);
}

static void report_schedule_builds(struct report *report)
{
    static const struct report_column columns[] = {
        {"compiled", false}, {"for", false}, {"took", true}};
    const struct evaluation *evaluation = report->evaluation;
    char room[REPORT_NUMBER_BYTES], device[REPORT_NUMBER_BYTES];
    struct report_table table;

    if (evaluation->build_count == 0)
        return;
    report_text_format(&report->text,
                       "<details><summary>%" PRIu32
                       " compilations, each of a kernel for a device</summary>\n",
                       evaluation->build_count);
    report_table_open(&table, &report->text,
                      "Kernels that were compiled, mostly before the first "
                      "round; none of it counts in the times below",
                      columns, 3);
    for (uint32_t i = 0; i < evaluation->build_count && i < REPORT_BUILDS_SHOWN; i++) {
        const struct evaluation_build *build = &evaluation->builds[i];
        report_table_row(&table);
        report_table_cell(&table, build->name);
        report_table_cell(&table, report_device(report, build->device, device));
        report_table_cell(
            &table, report_number_ns(room, (double)(build->end_ns - build->start_ns),
                                     build->start_ns > 0 && build->end_ns >= build->start_ns));
    }
    report_table_close(&table);
    report_text_add(&report->text, "</details>\n");
}

/* What is to be known before the timeline is looked at. A device's clock that is not the host's
 * puts its runs at the wrong place. */
void report_clocks(struct report *report)
{
    const struct evaluation *evaluation = report->evaluation;
    uint32_t early[EVALUATION_DEVICES_LIMIT] = {0};

    if (report->slice_count == 0)
        report_text_add(&report->text, "<p class=\"unknown\">There is nothing to show: no run of a "
                                       "task was recorded.</p>\n");
    for (uint32_t i = 0; i < report->workload->task_count; i++) {
        const struct evaluation_task *task = report_task(report, i);
        if (report_task_ran(task) && task->device < evaluation->device_count &&
            task->submit_ns > task->start_ns)
            early[task->device]++;
    }
    for (uint32_t i = 0; i < evaluation->device_count; i++)
        if (early[i] > 0) {
            report_text_add(&report->text, "<p class=\"trouble\">The clock of <bdi>");
            report_text_escape(&report->text, evaluation->devices[i].info.id);
            report_text_format(&report->text,
                               "</bdi> is not that of the host: %" PRIu32 " of its runs seem to "
                               "begin before their tasks were submitted. How long they took is "
                               "right; where they stand in the timeline is not.</p>\n",
                               early[i]);
        }
}

void report_schedule(struct report *report)
{
    if (report->run_count == 0 && report->workload->task_count > 0)
        report_text_add(&report->text, "<p class=\"unknown\">What ran where and when is unknown: "
                                       "no run of a task was recorded.</p>\n");
    if (report->failed_count > 0)
        report_schedule_failed(report);
    if (report->workload->kernel_count > 0)
        report_schedule_kernels(report);
    if (report->run_count > 0) {
        report_schedule_waits(report);
        report_schedule_histograms(report);
    }
    report_schedule_builds(report);
}

static void report_memory_links(struct report *report)
{
    static const struct report_column columns[] = {
        {"link", false}, {"copies", true}, {"bytes", true}, {"time", true}, {"rate", true}};
    const struct evaluation *evaluation = report->evaluation;
    char room[REPORT_NUMBER_BYTES];
    struct report_table table;
    uint32_t slice = 0;

    report_table_open(&table, &report->text, "Copies between memory nodes (0 is the host)", columns,
                      5);
    for (uint32_t i = 0; i < report->row_count; i++) {
        double bytes = 0, ns = 0;
        uint32_t count = 0;
        while (slice < report->slice_count && report->slices[slice].row < i)
            slice++;
        if (report->rows[i].kind != REPORT_ROW_LINK)
            continue;
        for (; slice < report->slice_count && report->slices[slice].row == i; slice++, count++) {
            bytes += (double)evaluation->copies[report->slices[slice].item].bytes;
            ns += (double)(report->slices[slice].end_ns - report->slices[slice].start_ns);
        }
        report_table_row(&table);
        report_table_format(&table, "%" PRIu32 " → %" PRIu32, report->rows[i].major,
                            report->rows[i].minor);
        report_table_format(&table, "%" PRIu32, count);
        report_table_cell(&table, report_number_bytes(room, bytes, true));
        report_table_cell(&table, report_number_ns(room, ns, ns > 0));
        if (ns > 0)
            report_table_format(&table, "%.2f GB/s", bytes / ns);
        else
            report_table_cell(&table, NULL);
    }
    report_table_close(&table);
}

static int report_compare_buffers(const void *left, const void *right, void *buffers)
{
    const struct workload_buffer *of = buffers;
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    if (of[a].size_bytes != of[b].size_bytes)
        return of[a].size_bytes > of[b].size_bytes ? -1 : 1;
    return (a > b) - (a < b);
}

static void report_memory_shape(char room[96], const struct workload_buffer *buffer)
{
    size_t used = 0;

    room[0] = '\0';
    for (uint32_t i = 0; i < buffer->dims && i < WORKLOAD_DIMS; i++) {
        int length =
            snprintf(room + used, 96 - used, "%s%" PRIu64, i > 0 ? " × " : "", buffer->shape[i]);
        used += length > 0 ? (size_t)length : 0;
    }
}

static void report_memory_buffers(struct report *report)
{
    static const struct report_column columns[] = {
        {"buffer", false}, {"type", false}, {"shape", false}, {"size", true}};
    const struct workload *workload = report->workload;
    uint32_t *order = malloc(((size_t)workload->buffer_count + 1) * sizeof *order);
    char room[REPORT_NUMBER_BYTES], shape[96];
    struct report_table table;

    if (!order) {
        report->text.is_short = true;
        return;
    }
    for (uint32_t i = 0; i < workload->buffer_count; i++)
        order[i] = i;
    qsort_r(order, workload->buffer_count, sizeof *order, report_compare_buffers,
            workload->buffers);
    report_table_open(&table, &report->text, "The largest buffers", columns, 4);
    for (uint32_t i = 0; i < workload->buffer_count && i < REPORT_BUFFERS_SHOWN; i++) {
        const struct workload_buffer *buffer = &workload->buffers[order[i]];
        report_memory_shape(shape, buffer);
        report_table_row(&table);
        report_table_cell(&table, buffer->name);
        report_table_cell(&table, elements[buffer->type].name);
        report_table_cell(&table, shape);
        report_table_cell(&table, report_number_bytes(room, (double)buffer->size_bytes, true));
    }
    report_table_close(&table);
    free(order);
}

/* The memory node of a device, and which devices share it. */
static void report_memory_node(const struct evaluation *evaluation, uint32_t node, char room[96])
{
    int used = snprintf(room, 96, "memory node %" PRIu32, node);
    const char *before = " (";

    for (uint32_t i = 0; i < evaluation->device_count && used > 0 && used < 96; i++) {
        if (evaluation->devices[i].info.memory_node != node)
            continue;
        used += snprintf(room + used, 96 - (size_t)used, "%s%s", before,
                         evaluation->devices[i].info.id);
        before = ", ";
    }
    if (used > 0 && used < 96)
        (void)snprintf(room + used, 96 - (size_t)used, ")");
}

/* The most that was present on each memory node; devices that share one say it once. */
static void report_memory_peaks(struct report *report)
{
    static const char *const shade = "shade-1";
    const struct evaluation *evaluation = report->evaluation;
    struct report_bar bars[EVALUATION_DEVICES_LIMIT];
    char texts[EVALUATION_DEVICES_LIMIT][128], labels[EVALUATION_DEVICES_LIMIT][96];
    char room[REPORT_NUMBER_BYTES], of[REPORT_NUMBER_BYTES];
    uint32_t count = 0;

    for (uint32_t i = 0; i < evaluation->device_count; i++) {
        const struct evaluation_device *device = &evaluation->devices[i];
        bool is_seen = false;
        for (uint32_t k = 0; k < i; k++)
            is_seen =
                is_seen || evaluation->devices[k].info.memory_node == device->info.memory_node;
        if (is_seen)
            continue;
        bool is_known = device->memory_peak_bytes > 0;
        report_memory_node(evaluation, device->info.memory_node, labels[count]);
        (void)snprintf(texts[count], sizeof texts[0], "%s of %s",
                       report_number_bytes(room, (double)device->memory_peak_bytes, is_known),
                       report_number_bytes(of, (double)device->info.memory_bytes,
                                           device->info.valid & FGPU_INFO_MEMORY));
        bars[count] = (struct report_bar){
            labels[count], is_known ? (double)device->memory_peak_bytes : -1, texts[count], shade};
        count++;
    }
    report_text_add(&report->text, "<h3>The most in use at once</h3>\n");
    report_bars(&report->text, bars, count);
}

void report_memory(struct report *report)
{
    const struct evaluation *evaluation = report->evaluation;
    const struct evaluation_round *round = evaluation_shown(evaluation);
    bool is_known = report_wall_ns(evaluation) > 0;
    char room[REPORT_NUMBER_BYTES];

    report_text_add(&report->text, "<dl class=\"facts\">\n");
    report_fact(&report->text, "copied",
                report_number_bytes(room, is_known ? (double)round->copied_bytes : 0, is_known));
    (void)snprintf(room, sizeof room, "%" PRIu64, is_known ? round->copies : 0);
    report_fact(&report->text, "copies", is_known ? room : NULL);
    (void)snprintf(room, sizeof room, "%" PRIu64, is_known ? round->evictions : 0);
    report_fact(&report->text, "evictions", is_known ? room : NULL);
    report_fact(&report->text, "written back for room",
                report_number_bytes(room, is_known ? (double)round->bytes_evicted : 0, is_known));
    if (is_known && round->evictions > 0) {
        report_fact(&report->text, "came back",
                    report_number_bytes(room, (double)round->bytes_reloaded, true));
        report_fact(&report->text, "spilled to the folder",
                    report_number_bytes(room, (double)round->bytes_spilled, true));
    }
    if (is_known && round->thrashes > 0) {
        (void)snprintf(room, sizeof room, "%" PRIu64, round->thrashes);
        report_fact(&report->text, "times it thrashed", room);
    }
    report_text_add(&report->text, "</dl>\n");
    if (evaluation->device_count > 0)
        report_memory_peaks(report);
    if (evaluation->copy_count > 0)
        report_memory_links(report);
    else if (is_known)
        report_text_add(&report->text, "<p>No copy between memory nodes was recorded: the devices "
                                       "worked on the data where it lay.</p>\n");
    if (report->workload->buffer_count > 0)
        report_memory_buffers(report);
}
