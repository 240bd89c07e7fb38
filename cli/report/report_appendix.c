/* The founding documents' models: formula, their example and its answer, what the formula gives,
 * and the figure of this run that supersedes it. See models.h and report_parts.h. */
#include "cli/report/report_parts.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/machine/models.h"

#define REPORT_MEASURED_BYTES 1024
#define REPORT_EACH_BYTES 768 /* of that, one figure of each device */

/* "cpu 93 %, opencl:0 87 %": one figure of each device, as many as fit. */
static void report_measured_devices(const struct report *report, enum models_id id,
                                    char room[REPORT_EACH_BYTES])
{
    const struct evaluation *evaluation = report->evaluation;
    char figure[REPORT_NUMBER_BYTES];
    size_t used = 0;

    room[0] = '\0';
    for (uint32_t i = 0; i < evaluation->device_count && used < REPORT_EACH_BYTES / 2; i++) {
        const struct evaluation_device *device = &evaluation->devices[i];
        if (id == MODELS_RATE)
            report_number_share(figure, device->busy_share, device->is_busy_known);
        else if (id == MODELS_BALANCE)
            report_number_ns(figure, (double)device->busy_ns, device->is_busy_known);
        else if (id == MODELS_MEMORY)
            report_number_bytes(figure, (double)device->memory_peak_bytes,
                                device->memory_peak_bytes > 0);
        else
            (void)snprintf(figure, sizeof figure, "%" PRIu64 " tasks", device->task_count);
        int length = snprintf(room + used, REPORT_EACH_BYTES - used, "%s%s %s", i > 0 ? ", " : "",
                              device->info.id, figure);
        used += length > 0 ? (size_t)length : 0;
    }
    if (used == 0)
        (void)snprintf(room, REPORT_EACH_BYTES, "unknown");
}

/* The figure of this run that stands in the place of a model's. */
static void report_measured(const struct report *report, enum models_id id,
                            char room[REPORT_MEASURED_BYTES])
{
    const struct evaluation *evaluation = report->evaluation;
    const struct evaluation_round *round = evaluation_shown(evaluation);
    uint64_t wall_ns = report_wall_ns(evaluation);
    char one[REPORT_NUMBER_BYTES], two[REPORT_NUMBER_BYTES], devices[REPORT_EACH_BYTES];
    double lower = (double)evaluation->bound.lower_ns;
    bool is_bound = evaluation->is_bound_known && lower > 0;

    report_measured_devices(report, id, devices);
    report_number_ns(one, (double)wall_ns, wall_ns > 0);
    report_number_ns(two, lower, is_bound);
    if (id == MODELS_ASSESS)
        (void)snprintf(
            room, REPORT_MEASURED_BYTES, "area bound %s",
            report_number_ns(one, (double)evaluation->bound.area_ns, evaluation->is_bound_known));
    else if (id == MODELS_RATE)
        (void)snprintf(room, REPORT_MEASURED_BYTES, "all cores %s by CPU time; %.800s",
                       report_number_share(one, wall_ns > 0 ? round->cpu_share : 0,
                                           wall_ns > 0 && round->cpu_share > 0),
                       devices);
    else if (id == MODELS_TIME)
        (void)snprintf(room, REPORT_MEASURED_BYTES, "%s; lower bound %s", one, two);
    else if (id == MODELS_MEMORY)
        (void)snprintf(
            room, REPORT_MEASURED_BYTES, "%s moved; at most in use: %.800s",
            report_number_bytes(one, wall_ns > 0 ? (double)round->copied_bytes : 0, wall_ns > 0),
            devices);
    else if (id == MODELS_SCHEDULE)
        (void)snprintf(room, REPORT_MEASURED_BYTES, "mean %s, 99 %% below %s",
                       report_number_ns(one, (double)evaluation->latency.mean_ns,
                                        evaluation->latency.is_known),
                       report_number_ns(two, (double)evaluation->latency.p99_ns,
                                        evaluation->latency.is_known));
    else if (id == MODELS_DISTRIBUTE)
        (void)snprintf(room, REPORT_MEASURED_BYTES, "%s the lower bound",
                       report_number_ratio(one, is_bound ? (double)wall_ns / lower : 0,
                                           is_bound && wall_ns > 0));
    else
        (void)snprintf(room, REPORT_MEASURED_BYTES, "%s", devices);
}

static void report_appendix_example(struct report *report, size_t index)
{
    const struct models_example *example = models_example(index);
    struct report_text *text = &report->text;
    struct models_answer answer;
    char why[CLI_WHY_BYTES] = "";

    report_text_add(text, "<dt>example</dt><dd>");
    report_text_escape(text, example->inputs);
    report_text_add(text, "</dd><dt>the documents print</dt><dd>");
    report_text_escape(text, example->printed);
    report_text_add(text, "</dd><dt>the formula gives</dt><dd>");
    if (models_example_solve(index, &answer, why, sizeof why) != FGPU_OK)
        report_text_escape(text, why);
    else if (answer.task > 0)
        report_text_format(text, "task %zu (score %.6g)", answer.task, answer.value);
    else
        report_text_format(text, "%.6g", answer.value);
    if (example->note) {
        report_text_add(text, "</dd><dt>where they differ</dt><dd class=\"note\">");
        report_text_escape(text, example->note);
    }
    report_text_add(text, "</dd>\n");
}

void report_appendix(struct report *report)
{
    struct report_text *text = &report->text;
    char room[REPORT_MEASURED_BYTES];

    for (int i = 0; i < MODELS_COUNT; i++) {
        const struct models_entry *entry = models_entry((enum models_id)i);
        bool is_example = false;
        report_text_add(text, "<article class=\"model\"><h3>");
        report_text_escape(text, entry->name);
        report_text_add(text, "</h3><p class=\"formula\">");
        report_text_escape(text, entry->formula);
        report_text_add(text, "</p><dl>");
        for (size_t k = 0; k < models_example_count(); k++)
            if (models_example(k)->model == (enum models_id)i) {
                report_appendix_example(report, k);
                is_example = true;
            }
        if (!is_example)
            report_text_add(text, "<dt>example</dt><dd>none in the documents</dd>");
        report_measured(report, (enum models_id)i, room);
        report_text_add(text, "<dt>superseded by</dt><dd>");
        report_text_escape(text, entry->measured);
        report_text_add(text, "</dd><dt>in this run</dt><dd class=\"measured\">");
        report_text_escape(text, room);
        report_text_add(text, "</dd></dl></article>\n");
    }
}
