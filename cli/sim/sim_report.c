/* A simulated run as one HTML file that works offline: timeline, figures against the bounds, how
 * busy each device was, what each kernel took. Fills the marks of cli/report/sim.html. See sim.h.
 */
#include "cli/sim/sim_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report/report_page.h"
#include "cli/report/report_parts.h"
#include "cli/common/why.h"

#define SIM_REPORT_DEVICES 64 /* bars that are drawn */
#define SIM_REPORT_KERNELS 200

/* ---- facts */

/* How many rows are drawn: the first ones, for devices stand before links, as long as what they
 * hold is not too much. */
static void report_choose(struct sim_report *report)
{
    const struct sim_spans *spans = report->spans;

    while (report->row_count < spans->row_count && report->row_count < SIM_REPORT_ROWS &&
           report->slice_count + spans->rows[report->row_count].count <= SIM_REPORT_SLICES)
        report->slice_count += spans->rows[report->row_count++].count;
}

static int report_compare_kernels(const void *left, const void *right, void *user)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    const struct sim_report_kernel *kernels = user;

    if (kernels[a].run_ns != kernels[b].run_ns)
        return kernels[a].run_ns > kernels[b].run_ns ? -1 : 1;
    return (a > b) - (a < b);
}

static bool report_sum(struct sim_report *report)
{
    const struct sim_graph *graph = &report->work->graph;

    report->kernels = calloc(graph->kernel_count + (size_t)1, sizeof *report->kernels);
    report->ranks = calloc(graph->kernel_count + (size_t)1, sizeof *report->ranks);
    if (!report->kernels || !report->ranks)
        return false;
    for (uint32_t i = 0; i < report->spans->run_count; i++) {
        const fgpu_sim_span *run = &report->spans->runs[i];
        if (run->task >= graph->task_count)
            continue;
        struct sim_report_kernel *kernel = &report->kernels[graph->tasks[run->task].kernel];
        kernel->run_count++;
        kernel->run_ns += run->end_ns - run->start_ns;
    }
    for (uint32_t i = 0; i < graph->kernel_count; i++)
        report->ranks[i] = i;
    qsort_r(report->ranks, graph->kernel_count, sizeof *report->ranks, report_compare_kernels,
            report->kernels);
    for (uint32_t i = 0; i < graph->kernel_count; i++)
        report->kernels[report->ranks[i]].colour =
            i < SIM_REPORT_COLOURS - 1 ? i : SIM_REPORT_COLOURS - 1;
    return true;
}

/* ---- the marks */

static void sim_mark_title(void *user)
{
    struct sim_report *report = user;

    report_text_escape(&report->text, report->work->graph.name);
    report_text_add(&report->text, " on ");
    report_text_escape(&report->text, report->work->info.name);
}

static void sim_mark_head(void *user)
{
    struct sim_report *report = user;
    const fgpu_sim_result *result = &report->outcome->result;
    char room[REPORT_NUMBER_BYTES];

    report_text_add(&report->text, "<h1>");
    sim_mark_title(report);
    report_text_add(&report->text, "</h1>\n<p class=\"result\">The policy <b>");
    report_text_escape(&report->text, sim_policy_word(report->outcome));
    report_text_format(&report->text, "</b> took <b>%s</b>",
                       report_number_ns(room, (double)result->makespan_ns, true));
    if (result->bound_ns > 0)
        report_text_format(
            &report->text, ", which is <b>%.3f</b> times the lower bound of <b>%s</b>",
            sim_ratio(result), report_number_ns(room, (double)result->bound_ns, true));
    report_text_add(&report->text, ".</p>\n");
    if (result->failed_tasks > 0)
        report_text_format(&report->text,
                           "<p class=\"trouble\">%" PRIu64 " tasks did not end well.</p>\n",
                           result->failed_tasks);
    if (report->work->note[0]) {
        report_text_add(&report->text, "<p class=\"trouble\">");
        report_text_escape(&report->text, report->work->note);
        report_text_add(&report->text, ".</p>\n");
    }
}

static void sim_mark_left_out(void *user)
{
    struct sim_report *report = user;

    if (report->row_count < report->spans->row_count)
        report_text_format(&report->text,
                           "<p class=\"trouble\">The first %" PRIu32 " of %" PRIu32
                           " lines are drawn: devices, then links.</p>\n",
                           report->row_count, report->spans->row_count);
}

static void sim_bounds(struct sim_report *report)
{
    const fgpu_sim_result *result = &report->outcome->result;
    const uint64_t times[] = {result->makespan_ns, result->area_ns, result->path_ns,
                              result->joined_ns, result->power_ns};
    static const char *const labels[] = {"this run", "work over capacity", "longest chain",
                                         "both joined", "least energy under the cap"};
    struct report_bar bars[5];
    char rooms[5][REPORT_NUMBER_BYTES];
    uint32_t count = 0;

    for (uint32_t i = 0; i < 5; i++)
        if (times[i] > 0) {
            bars[count] =
                (struct report_bar){.label = labels[i],
                                    .value = (double)times[i],
                                    .text = report_number_ns(rooms[i], (double)times[i], true),
                                    .shade = i == 0 ? "shade-0" : "shade-2"};
            count++;
        }
    report_text_add(&report->text, "<h3>Against what no schedule can be below</h3>\n");
    report_bars(&report->text, bars, count);
}

static void sim_power_facts(struct sim_report *report)
{
    const fgpu_sim_result *result = &report->outcome->result;
    const struct sim_choice *choice = report->work->choice;
    char text[96];

    if (choice->objective != FGPU_OBJECTIVE_MAKESPAN)
        report_fact(&report->text, "objective", sim_objective_word(choice->objective));
    if (result->energy_joule < 0)
        return;
    (void)snprintf(text, sizeof text, "%.1f J", result->energy_joule);
    report_fact(&report->text, "energy", text);
    (void)snprintf(text, sizeof text, "%.1f W", result->peak_watt);
    report_fact(&report->text, "most power in any 100 ms", text);
    if (choice->cap_watt > 0) {
        (void)snprintf(text, sizeof text, "%.6g W", choice->cap_watt);
        report_fact(&report->text, "power cap", text);
    }
}

static void sim_mark_figures(void *user)
{
    struct sim_report *report = user;
    struct report_text *text = &report->text;
    const fgpu_sim_result *result = &report->outcome->result;
    char room[REPORT_NUMBER_BYTES], other[96];

    report_text_add(text, "<dl class=\"facts\">\n");
    report_fact(text, "policy that ran", result->policy);
    (void)snprintf(other, sizeof other, "%" PRIu64, report->outcome->seed);
    report_fact(text, "seed", other);
    report_fact(text, "tasks", report_number_count(room, result->tasks));
    if (sim_gflops(report->work, result) >= 0) {
        (void)snprintf(other, sizeof other, "%.1f GFlop/s", sim_gflops(report->work, result));
        report_fact(text, "speed", other);
    }
    report_fact(text, "moved", report_number_bytes(room, (double)result->bytes_moved, true));
    report_fact(text, "copies", report_number_count(room, result->copies));
    report_fact(text, "CPU time of decisions",
                report_number_ns(room, (double)result->decision_cpu_ns, true));
    report_fact(text, "... of the simulation",
                report_number_ns(room, (double)result->run_cpu_ns, true));
    report_fact(text, "mean time to the end of a task",
                report_number_ns(room, (double)result->response_ns, true));
    sim_power_facts(report);
    report_text_add(text, "</dl>\n");
    sim_bounds(report);
}

/* Of several policies what each came to. */
static void sim_mark_policies(void *user)
{
    static const struct report_column columns[] = {{"policy", false},        {"time", true},
                                                   {"over the bound", true}, {"moved", true},
                                                   {"decisions", true},      {"failed", true}};
    struct sim_report *report = user;
    const struct sim_work *work = report->work;
    uint32_t repeat = (uint32_t)work->choice->repeat;
    struct report_table table;
    char room[REPORT_NUMBER_BYTES];

    if (work->outcome_count < 2)
        return;
    report_text_add(&report->text, "<section aria-labelledby=\"policies\" id=\"policies\">\n"
                                   "<h2>Policies</h2>\n");
    report_table_open(&table, &report->text,
                      repeat > 1 ? "Medians of all runs; the page shows the quickest run"
                                 : "The page shows the quickest",
                      columns, 6);
    for (uint32_t i = 0; i + repeat <= work->outcome_count; i += repeat) {
        struct sim_summary summary = sim_summary(work, &work->outcomes[i], repeat);
        report_table_row(&table);
        report_table_cell(&table, sim_policy_word(&work->outcomes[i]));
        report_table_cell(&table, report_number_ns(room, summary.makespan_ms * 1e6, true));
        report_table_cell(&table, report_number_ratio(room, summary.ratio, summary.ratio >= 0));
        report_table_cell(&table, report_number_bytes(room, summary.bytes_moved, true));
        report_table_cell(&table, report_number_ns(room, summary.decision_ms * 1e6, true));
        report_table_format(&table, "%" PRIu64, summary.failed);
    }
    report_table_close(&table);
    report_text_add(&report->text, "</section>\n");
}

static void sim_mark_devices(void *user)
{
    struct sim_report *report = user;
    const struct sim_work *work = report->work;
    struct report_bar bars[SIM_REPORT_DEVICES];
    char rooms[SIM_REPORT_DEVICES][REPORT_NUMBER_BYTES];
    uint32_t count =
        work->info.device_count < SIM_REPORT_DEVICES ? work->info.device_count : SIM_REPORT_DEVICES;

    for (uint32_t i = 0; i < count; i++)
        bars[i] = (struct report_bar){
            .label = work->devices[i].name,
            .value = report->outcome->busy[i],
            .text = report_number_share(rooms[i], report->outcome->busy[i], true),
            .shade = "shade-1"};
    report_text_add(&report->text, "<p>The share of the time that each device computed.</p>\n");
    if (count < work->info.device_count)
        report_text_format(&report->text,
                           "<p class=\"trouble\">These are the first %" PRIu32 " of %" PRIu32
                           " devices.</p>\n",
                           count, work->info.device_count);
    report_bars(&report->text, bars, count);
}

static void sim_mark_kernels(void *user)
{
    static const struct report_column columns[] = {
        {"kernel", false}, {"runs", true}, {"time", true}, {"a run, on average", true}};
    struct sim_report *report = user;
    const struct sim_graph *graph = &report->work->graph;
    struct report_table table;
    char room[REPORT_NUMBER_BYTES];

    report_table_open(&table, &report->text, "What the kernels took, of all devices together",
                      columns, 4);
    for (uint32_t i = 0; i < graph->kernel_count && i < SIM_REPORT_KERNELS; i++) {
        const struct sim_report_kernel *kernel = &report->kernels[report->ranks[i]];
        if (kernel->run_count == 0)
            continue;
        report_table_row(&table);
        report_table_cell(&table, graph->kernels[report->ranks[i]].name);
        report_table_cell(&table, report_number_count(room, kernel->run_count));
        report_table_cell(&table, report_number_ns(room, (double)kernel->run_ns, true));
        report_table_cell(
            &table,
            report_number_ns(room, (double)kernel->run_ns / (double)kernel->run_count, true));
    }
    report_table_close(&table);
}

static void sim_mark_data(void *user)
{
    sim_report_data(user);
}

/* ---- the page */

static fgpu_status report_page(struct sim_report *report)
{
    static const struct report_mark marks[] = {
        {"css", report_css, NULL},
        {"js", report_js, NULL},
        {"hash", report_js_sha256, NULL},
        {"timeline", report_timeline, NULL},
        {"title", NULL, sim_mark_title},
        {"head", NULL, sim_mark_head},
        {"left-out", NULL, sim_mark_left_out},
        {"figures", NULL, sim_mark_figures},
        {"policies", NULL, sim_mark_policies},
        {"devices", NULL, sim_mark_devices},
        {"kernels", NULL, sim_mark_kernels},
        {"data", NULL, sim_mark_data},
    };

    if (!report_sum(report))
        return FGPU_E_NOMEM;
    report_choose(report);
    report_page_fill(&report->text, report_sim, marks, sizeof marks / sizeof marks[0], report);
    return report->text.is_short ? FGPU_E_NOMEM : FGPU_OK;
}

fgpu_status sim_report_write(struct sim_work *work, const struct sim_outcome *outcome,
                             const fgpu_sim *sim)
{
    const char *path = work->choice->report;
    struct sim_spans spans;
    struct sim_report report = {.work = work, .outcome = outcome, .spans = &spans};

    fgpu_status status = sim_spans_init(&spans, sim);
    if (status == FGPU_OK)
        status = report_page(&report);
    if (status == FGPU_OK)
        status = file_replace(path, report.text.bytes.data, report.text.bytes.size_bytes, work->why,
                              sizeof work->why);
    else
        (void)why_fail(status, work->why, sizeof work->why, "%s: no memory for the report", path);
    report_text_fini(&report.text);
    free(report.kernels);
    free(report.ranks);
    sim_spans_fini(&spans);
    return status;
}
