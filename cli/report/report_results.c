/* The head of a report, balance and evaluate: what it came to, what each device did, how it
 * compares with the same work without the pool. See report_parts.h. */
#include "cli/report/report_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Columns of a figure over time. */
#define REPORT_COLUMNS 240

static const char *report_name(const struct evaluation *evaluation)
{
    const char *path = evaluation->path ? evaluation->path : "workload";
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

void report_title(struct report *report)
{
    report_text_escape(&report->text, report_name(report->evaluation));
}

/* How many times as long the best of a way took as the pool; 0: unknown. */
static double report_ratio(const struct evaluation *evaluation, enum baseline_way way)
{
    uint32_t best = evaluation_best_side(evaluation, way);
    uint64_t wall_ns = report_wall_ns(evaluation);

    if (best == EVALUATION_NONE || wall_ns == 0 || evaluation->sides[best].median_ns == 0)
        return 0;
    return (double)evaluation->sides[best].median_ns / (double)wall_ns;
}

/* How many times as long as the lower bound the run took; 0: unknown. */
static double report_distance(const struct evaluation *evaluation)
{
    if (!evaluation->is_bound_known || evaluation->bound.lower_ns == 0)
        return 0;
    return (double)report_wall_ns(evaluation) / (double)evaluation->bound.lower_ns;
}

static void report_head_sentence(struct report *report)
{
    const struct evaluation *evaluation = report->evaluation;
    struct report_text *text = &report->text;
    double hand = report_ratio(evaluation, BASELINE_BY_HAND);
    double queue = report_ratio(evaluation, BASELINE_QUEUE);
    double distance = report_distance(evaluation);
    uint64_t wall_ns = report_wall_ns(evaluation);
    char room[REPORT_NUMBER_BYTES], count[REPORT_NUMBER_BYTES];

    report_text_add(text, "<p class=\"result\">");
    if (wall_ns == 0) {
        report_text_add(text, "How long the tasks took through the pool is unknown.</p>\n");
        return;
    }
    report_text_format(text, "Through the pool, %s task%s took <b>%s</b>",
                       report_number_count(count, report->workload->task_count),
                       report->workload->task_count == 1 ? "" : "s",
                       report_number_ns(room, (double)wall_ns, true));
    if (hand > 0)
        report_text_format(text, ": <b>%.2f times</b> as fast as by hand on the best device", hand);
    if (queue > 0)
        report_text_format(text, "%s <b>%.2f times</b> as fast as the best single in-order queue",
                           hand > 0 ? "," : ":", queue);
    if (distance > 0)
        report_text_format(
            text, "%s <b>%.2f times</b> as long as the lower bound, which no schedule beats",
            hand > 0 || queue > 0 ? ", and" : ":", distance);
    report_text_add(text, ".");
    if (hand <= 0 && queue <= 0)
        report_text_add(text, " The same work without the pool was not measured.");
    report_text_add(text, "</p>\n");
}

static void report_head_troubles(struct report *report)
{
    const struct evaluation *evaluation = report->evaluation;
    struct report_text *text = &report->text;

    if (evaluation->error[0]) {
        report_text_add(text, "<p class=\"trouble\" role=\"alert\"><b>Not all went well.</b> ");
        report_text_escape(text, evaluation->error);
        report_text_add(text, "</p>\n");
    }
    if (report->failed_count > 0)
        report_text_format(text,
                           "<p class=\"trouble\">%" PRIu32 " of %" PRIu32
                           " tasks did not end well; they are listed under "
                           "<a href=\"#schedule\">Schedule</a>.</p>\n",
                           report->failed_count, report->workload->task_count);
    if (evaluation->others_share >= EVALUATION_OTHERS_LEAST)
        report_text_format(
            text,
            "<p class=\"trouble\">Other programs took %.0f %% of the machine's cores "
            "while it was measured: compare with care.</p>\n",
            100.0 * evaluation->others_share);
    if (evaluation->is_interrupted)
        report_text_add(text, "<p class=\"trouble\">The run was stopped before its end; what was "
                              "not done is unknown here.</p>\n");
}

void report_head(struct report *report)
{
    const struct evaluation *evaluation = report->evaluation;
    const struct evaluation_machine *machine = &evaluation->machine;
    struct report_text *text = &report->text;
    char room[REPORT_NUMBER_BYTES], began[sizeof machine->started];

    report_text_add(text, "<h1><bdi>");
    report_text_escape(text, report_name(evaluation));
    report_text_add(text, "</bdi></h1>\n");
    report_head_sentence(report);
    report_head_troubles(report);
    report_text_add(text, "<dl class=\"facts\">\n");
    report_fact(text, "workload", evaluation->path);
    report_fact(text, "machine", machine->name[0] ? machine->name : NULL);
    (void)snprintf(began, sizeof began, "%s", machine->started);
    if (strlen(began) > 10 && began[10] == 'T')
        began[10] = ' '; /* where a line may break */
    report_fact(text, "began", began[0] ? began : NULL);
    report_fact(text, "FastGPU", machine->version[0] ? machine->version : NULL);
    report_fact(text, "policy", evaluation->policy);
    for (uint32_t i = 0; evaluation->profile && i < evaluation->profile->choices.count; i++) {
        char choice[192];
        tune_choice_text(&evaluation->profile->choices.list[i], choice);
        report_fact(text, "from the profile", choice);
    }
    (void)snprintf(room, sizeof room, "%" PRIu32, evaluation->round_count);
    report_fact(text, "rounds timed", room);
    report_text_add(text, "</dl>\n");
}

/* ---- balance */

/* The share of time that a device's queues worked, in columns of the traced round. */
static void report_balance_device(const struct report *report, uint32_t device, float *shares)
{
    const double wide = (double)(report->to_ns - report->from_ns) / REPORT_COLUMNS;
    uint32_t queues = report->evaluation->devices[device].info.queue_count;

    memset(shares, 0, REPORT_COLUMNS * sizeof *shares);
    for (uint32_t i = 0; i < report->slice_count; i++) {
        const struct report_slice *slice = &report->slices[i];
        const struct report_row *row = &report->rows[slice->row];
        if (row->kind != REPORT_ROW_QUEUE || row->major != device ||
            slice->start_ns < report->from_ns)
            continue;
        double from = (double)(slice->start_ns - report->from_ns) / wide;
        double to = (double)(slice->end_ns - report->from_ns) / wide;
        for (uint32_t k = (uint32_t)from; k < REPORT_COLUMNS && k < to; k++) {
            double low = from > k ? from : k, high = to < k + 1.0 ? to : k + 1.0;
            shares[k] += (float)((high - low) / (queues > 0 ? queues : 1));
        }
    }
}

static void report_balance_strip(struct report *report, const char *name, const char *figure,
                                 const float *shares, const char *alt)
{
    struct report_text *text = &report->text;

    report_text_add(text, "<div class=\"strip\"><p><b><bdi>");
    report_text_escape(text, name);
    report_text_add(text, "</bdi></b> <span>");
    report_text_escape(text, figure);
    report_text_add(text, "</span></p>");
    report_area(text, shares, REPORT_COLUMNS, alt);
    report_text_add(text, "</div>\n");
}

/* How busy cores and devices were, one above the other over the same time. */
static void report_balance_strips(struct report *report)
{
    const struct evaluation *evaluation = report->evaluation;
    float *shares = calloc(REPORT_COLUMNS, sizeof *shares);
    char room[REPORT_NUMBER_BYTES], middle[REPORT_NUMBER_BYTES], figure[160];
    const double span = (double)(report->to_ns - report->from_ns);
    const struct evaluation_round *traced = &evaluation->traced;

    if (!shares) {
        report->text.is_short = true;
        return;
    }
    report_text_add(&report->text, "<h3>Busy over time, in the traced round</h3>\n");
    if (evaluation->sample_count >= 2 && evaluation->machine.cores > 0) {
        for (uint32_t k = 0; k < REPORT_COLUMNS; k++)
            shares[k] = (float)sampler_share(
                evaluation->samples, evaluation->sample_count, evaluation->machine.cores,
                report->from_ns + (uint64_t)(span * k / REPORT_COLUMNS),
                report->from_ns + (uint64_t)(span * (k + 1) / REPORT_COLUMNS));
        (void)snprintf(
            figure, sizeof figure, "by CPU time: %s, in the middle half %s",
            report_number_share(room, traced->cpu_share, traced->cpu_share > 0),
            report_number_share(middle, traced->cpu_share_middle, traced->cpu_share_middle > 0));
        report_balance_strip(report, "all cores", figure, shares,
                             "CPU time of the process over time, as a share of all cores");
    } else {
        report_text_add(&report->text, "<p class=\"unknown\">CPU time over time is unknown: it was "
                                       "not sampled.</p>\n");
    }
    for (uint32_t i = 0; i < evaluation->device_count; i++) {
        const struct evaluation_device *device = &evaluation->devices[i];
        report_balance_device(report, i, shares);
        (void)snprintf(figure, sizeof figure, "runs on its queues: %s",
                       report_number_share(room, device->busy_share, device->is_busy_known));
        report_balance_strip(report, device->info.id, figure, shares,
                             "Share of the device's queues that ran tasks, over time");
    }
    report_text_format(&report->text, "<p class=\"ends\"><span>0</span><span>%s</span></p>\n",
                       report_number_ns(room, span, true));
    free(shares);
}

void report_balance(struct report *report)
{
    static const struct report_column columns[] = {
        {"device", false}, {"tasks", true}, {"busy", true}, {"share of its time", true}};
    const struct evaluation *evaluation = report->evaluation;
    char room[REPORT_NUMBER_BYTES];
    struct report_table table;

    if (evaluation->device_count > 0) {
        report_table_open(&table, &report->text,
                          evaluation->shown == EVALUATION_NONE
                              ? "What each device did in the traced round"
                              : "What each device did in the timed round with the median time",
                          columns, 4);
        for (uint32_t i = 0; i < evaluation->device_count; i++) {
            const struct evaluation_device *device = &evaluation->devices[i];
            report_table_row(&table);
            report_table_cell(&table, device->info.id);
            report_table_format(&table, "%" PRIu64, device->task_count);
            report_table_cell(
                &table, report_number_ns(room, (double)device->busy_ns, device->is_busy_known));
            report_table_cell(&table,
                              report_number_share(room, device->busy_share, device->is_busy_known));
        }
        report_table_close(&table);
    }
    if (report->is_run)
        report_balance_strips(report);
    else
        report_text_add(&report->text, "<p class=\"unknown\">How busy the devices were is unknown: "
                                       "no round was traced.</p>\n");
}

/* ---- evaluate */

static const char *report_way(enum baseline_way way)
{
    return way == BASELINE_BY_HAND ? "by hand" : "one in-order queue";
}

static void report_evaluate_bars(struct report *report)
{
    const struct evaluation *evaluation = report->evaluation;
    struct report_bar bars[EVALUATION_SIDES_LIMIT + 2];
    char labels[EVALUATION_SIDES_LIMIT][128];
    char texts[EVALUATION_SIDES_LIMIT + 2][REPORT_NUMBER_BYTES], device[REPORT_NUMBER_BYTES];
    uint64_t wall_ns = report_wall_ns(evaluation);
    uint32_t count = 0;

    bars[count++] =
        (struct report_bar){"through the pool", wall_ns > 0 ? (double)wall_ns : -1,
                            report_number_ns(texts[0], (double)wall_ns, wall_ns > 0), "shade-0"};
    for (uint32_t i = 0; i < evaluation->side_count && i < EVALUATION_SIDES_LIMIT; i++) {
        const struct evaluation_side *side = &evaluation->sides[i];
        double ns = (double)side->median_ns;
        (void)snprintf(labels[i], sizeof labels[0], "%s, %s", report_way(side->way),
                       report_device(report, side->device, device));
        report_number_ns(texts[count], ns, side->median_ns > 0);
        bars[count] = (struct report_bar){labels[i], side->median_ns > 0 ? ns : -1, texts[count],
                                          side->way == BASELINE_BY_HAND ? "shade-2" : "shade-1"};
        count++;
    }
    bool is_known = evaluation->is_bound_known && evaluation->bound.lower_ns > 0;
    double lower = (double)evaluation->bound.lower_ns;
    report_number_ns(texts[count], lower, is_known);
    bars[count] =
        (struct report_bar){"lower bound", is_known ? lower : -1, texts[count], "shade-3"};
    report_bars(&report->text, bars, count + 1);
}

static void report_evaluate_side(struct report *report, struct report_table *table,
                                 const struct evaluation_side *side)
{
    uint64_t wall_ns = report_wall_ns(report->evaluation);
    char room[REPORT_NUMBER_BYTES], device[REPORT_NUMBER_BYTES];
    bool is_known = side->median_ns > 0;

    report_table_row(table);
    report_table_format(table, "%s, %s", report_way(side->way),
                        report_device(report, side->device, device));
    report_table_cell(table, report_number_ns(room, (double)side->median_ns, is_known));
    report_table_cell(table, report_number_ratio(
                                 room, wall_ns > 0 ? (double)side->median_ns / (double)wall_ns : 0,
                                 is_known && wall_ns > 0));
    report_table_cell(table,
                      report_number_share(room, side->cpu_share, is_known && side->cpu_share > 0));
    report_table_cell(table, report_number_bytes(room, (double)side->copied_bytes, is_known));
    report_table_format(table, "%" PRIu32, side->round_count);
    report_table_cell(table, side->error[0]   ? side->error
                             : !is_known      ? NULL
                             : side->is_equal ? "the same, bit for bit"
                                              : "differ");
}

/* Of the round that is shown, or why that is not known. */
static void report_evaluate_energy(struct report *report)
{
    const struct evaluation *evaluation = report->evaluation;
    const struct evaluation_round *round = evaluation_shown(evaluation);
    char figure[CLI_WHY_BYTES];

    if (round->end_ns > round->start_ns && evaluation->energy_sources[0] && round->joule >= 0.0)
        (void)snprintf(figure, sizeof figure, "%.3g J (%s), %.3g J a task", round->joule,
                       evaluation->energy_sources,
                       round->joule / (round->done_count > 0 ? round->done_count : 1));
    else
        (void)snprintf(figure, sizeof figure, "unknown: %.200s",
                       evaluation->energy_why[0] ? evaluation->energy_why : "nothing was run");
    report_fact(&report->text, "energy of the whole machine", figure);
}

static void report_evaluate_times(struct report *report)
{
    static const struct report_column columns[] = {
        {"way", false},   {"time (median)", true}, {"pool's speed-up", true}, {"cores busy", true},
        {"copied", true}, {"rounds", true},        {"outputs", false}};
    const struct evaluation *evaluation = report->evaluation;
    const struct evaluation_round *round = evaluation_shown(evaluation);
    uint64_t wall_ns = report_wall_ns(evaluation);
    char room[REPORT_NUMBER_BYTES];
    struct report_table table;

    report_table_open(&table, &report->text,
                      "The same work, each way in turn. By hand: the whole "
                      "device, task after task, copy in, launch, copy out, wait. One in-order "
                      "queue: everything handed over at once, no copy that can be avoided, one "
                      "wait.",
                      columns, 7);
    report_table_row(&table);
    report_table_cell(&table, "through the pool");
    report_table_cell(&table, report_number_ns(room, (double)wall_ns, wall_ns > 0));
    report_table_cell(&table, wall_ns > 0 ? "1.00 ×" : NULL);
    report_table_cell(&table, report_number_share(room, wall_ns > 0 ? round->cpu_share : 0,
                                                  wall_ns > 0 && round->cpu_share > 0));
    report_table_cell(
        &table,
        report_number_bytes(room, wall_ns > 0 ? (double)round->copied_bytes : 0, wall_ns > 0));
    report_table_format(&table, "%" PRIu32, evaluation->round_count);
    report_table_format(&table, "%" PRIu32 " written", evaluation->written_count);
    for (uint32_t i = 0; i < evaluation->side_count && i < EVALUATION_SIDES_LIMIT; i++)
        report_evaluate_side(report, &table, &evaluation->sides[i]);
    report_table_close(&table);
    bool is_known = evaluation->others_share >= 0.0;
    report_text_add(&report->text, "<dl class=\"facts\">\n");
    report_fact(&report->text, "cores taken by others",
                is_known ? report_number_share(room, evaluation->others_share, true) : NULL);
    report_evaluate_energy(report);
    report_text_add(&report->text, "</dl>\n");
}

/* From submit to done, or to the end of the run where nobody was told. */
static void report_evaluate_latency(struct report *report)
{
    const struct evaluation_latency *latency = &report->evaluation->latency;
    double *values = malloc(((size_t)report->workload->task_count + 1) * sizeof *values);
    char room[REPORT_NUMBER_BYTES];
    uint32_t count = 0;

    if (!values) {
        report->text.is_short = true;
        return;
    }
    for (uint32_t i = 0; i < report->workload->task_count; i++) {
        const struct evaluation_task *task = report_task(report, i);
        if (!report_task_ran(task) || task->submit_ns == 0)
            continue;
        uint64_t done_ns = task->done_ns > 0 ? task->done_ns : task->end_ns;
        if (done_ns > task->submit_ns)
            values[count++] = (double)(done_ns - task->submit_ns);
    }
    report_text_add(&report->text, "<div class=\"pair\"><div><h3>Latency of tasks</h3>\n"
                                   "<dl class=\"facts\">\n");
    report_fact(&report->text, "mean",
                report_number_ns(room, (double)latency->mean_ns, latency->is_known));
    report_fact(&report->text, "half below",
                report_number_ns(room, (double)latency->p50_ns, latency->is_known));
    report_fact(&report->text, "99 % below",
                report_number_ns(room, (double)latency->p99_ns, latency->is_known));
    report_fact(&report->text, "longest",
                report_number_ns(room, (double)latency->max_ns, latency->is_known));
    report_text_add(&report->text, "</dl>\n");
    report_histogram(&report->text, values, count, true, "Number of tasks by their latency");
    report_text_add(&report->text, "</div>\n");
    free(values);
}

static void report_evaluate_bound(struct report *report)
{
    const struct evaluation *evaluation = report->evaluation;
    const struct bound *bound = &evaluation->bound;
    char room[REPORT_NUMBER_BYTES];
    bool is_known = evaluation->is_bound_known;

    report_text_add(&report->text, "<div><h3>What no schedule beats</h3>\n<dl class=\"facts\">\n");
    report_fact(&report->text, "work over all cores",
                report_number_ns(room, (double)bound->area_ns, is_known));
    report_fact(&report->text, "longest chain of tasks",
                report_number_ns(room, (double)bound->path_ns, is_known));
    report_fact(&report->text, "lower bound",
                report_number_ns(room, (double)bound->lower_ns, is_known));
    report_fact(
        &report->text, "run over lower bound",
        report_number_ratio(room, report_distance(evaluation), report_distance(evaluation) > 0));
    report_text_add(&report->text,
                    "</dl>\n<p>The larger of two times, from the shortest that "
                    "each task was measured to take: all work spread evenly over the cores, and "
                    "the longest chain of tasks that wait for each other.</p>\n");
    if (is_known && bound->unknown_count > 0)
        report_text_format(&report->text,
                           "<p>%" PRIu32 " tasks were never measured and count as "
                           "nothing.</p>\n",
                           bound->unknown_count);
    report_text_add(&report->text, "</div></div>\n");
}

void report_evaluate(struct report *report)
{
    report_evaluate_bars(report);
    report_evaluate_times(report);
    report_evaluate_latency(report);
    report_evaluate_bound(report);
}
