/* What came of simulated runs, for people: one run in words, several as a table. See sim.h. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/report/report_text.h"
#include "cli/sim/sim.h"
#include "cli/common/text_table.h"

/* Up to so many devices are listed one by one, more by class. */
#define SIM_LIST_DEVICES 16

static void print_line(const char *word, const char *text)
{
    printf("  %-10s %s\n", word, text);
}

static void print_times(const fgpu_sim_result *result)
{
    char makespan[REPORT_NUMBER_BYTES], bound[REPORT_NUMBER_BYTES], text[256];
    static const char *const words[] = {"work over capacity", "the longest chain",
                                        "work and chains joined", "the least energy under the cap"};

    (void)report_number_ns(makespan, (double)result->makespan_ns, true);
    print_line("makespan", makespan);
    (void)report_number_ns(bound, (double)result->bound_ns, true);
    if (result->bound_ns > 0)
        (void)snprintf(text, sizeof text, "%s (%s); the run took %.3f times as long", bound,
                       words[result->bound_kind % 4], sim_ratio(result));
    else
        (void)snprintf(text, sizeof text, "unknown");
    print_line("bound", text);
}

static void print_work(const struct sim_work *work, const fgpu_sim_result *result)
{
    char count[REPORT_NUMBER_BYTES], other[REPORT_NUMBER_BYTES], text[256];

    if (sim_gflops(work, result) >= 0) {
        (void)snprintf(text, sizeof text, "%.1f GFlop/s", sim_gflops(work, result));
        print_line("speed", text);
    }
    (void)report_number_bytes(other, (double)result->bytes_moved, true);
    (void)snprintf(text, sizeof text, "%s in %s copies", other,
                   report_number_count(count, result->copies));
    print_line("moved", text);
    if (result->divided > 0) {
        (void)snprintf(text, sizeof text, "%s of the tasks, into %s pieces",
                       report_number_count(count, result->divided),
                       report_number_count(other, result->pieces));
        print_line("divided", text);
    }
    (void)report_number_ns(other, (double)result->response_ns, true);
    (void)snprintf(text, sizeof text, "%s from submission to the end of a task, on average", other);
    print_line("response", text);
    if (result->energy_joule < 0)
        return;
    (void)snprintf(text, sizeof text, "%.1f J", result->energy_joule);
    print_line("energy", text);
    (void)snprintf(text, sizeof text, "%.1f W at most in any 100 ms", result->peak_watt);
    if (work->choice->cap_watt > 0)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "; the cap is %.6g W",
                       work->choice->cap_watt);
    print_line("power", text);
}

static void print_cost(const fgpu_sim_result *result)
{
    char decision[REPORT_NUMBER_BYTES], each[REPORT_NUMBER_BYTES], rate[REPORT_NUMBER_BYTES];
    char text[256];
    double tasks = result->tasks > 0 ? (double)result->tasks : 1;

    (void)report_number_ns(decision, (double)result->decision_cpu_ns, true);
    (void)report_number_ns(each, (double)result->decision_cpu_ns / tasks, true);
    (void)snprintf(text, sizeof text, "%s of CPU time, %s a task", decision, each);
    print_line("decisions", text);
    (void)report_number_ns(decision, (double)result->run_cpu_ns, true);
    if (sim_events_per_s(result) >= 0)
        (void)snprintf(text, sizeof text, "%s of CPU time, %s task events a second", decision,
                       report_number_count(rate, (uint64_t)sim_events_per_s(result)));
    else
        (void)snprintf(text, sizeof text, "%s of CPU time", decision);
    print_line("simulation", text);
}

static void print_class(struct text_table *table, const struct sim_work *work, uint32_t first,
                        const double *busy)
{
    struct text_table_row *row = text_table_add(table);
    double sum = 0, least = 1, most = 0;
    uint32_t end = first;

    for (; end < work->info.device_count &&
           work->devices[end].class_index == work->devices[first].class_index;
         end++) {
        sum += busy[end];
        least = fmin(least, busy[end]);
        most = fmax(most, busy[end]);
    }
    text_table_set(row, 0, "  %s", work->devices[first].class_name);
    text_table_set(row, 1, "%" PRIu32, end - first);
    text_table_set(row, 2, "%.1f %%", 100 * sum / (end - first));
    text_table_set(row, 3, "%.1f %%", 100 * least);
    text_table_set(row, 4, "%.1f %%", 100 * most);
}

static void print_busy(const struct sim_work *work, const double *busy)
{
    static const struct text_table_column classes[] = {
        {"  class", false}, {"devices", true}, {"busy", true}, {"least", true}, {"most", true}};
    static const struct text_table_column singly[] = {{"  device", false}, {"busy", true}};
    bool is_list = work->info.device_count <= SIM_LIST_DEVICES;
    struct text_table table;

    text_table_init(&table, is_list ? singly : classes, is_list ? 2 : 5);
    for (uint32_t i = 0; i < work->info.device_count; i++) {
        if (is_list) {
            struct text_table_row *row = text_table_add(&table);
            text_table_set(row, 0, "  %s", work->devices[i].name);
            text_table_set(row, 1, "%.1f %%", 100 * busy[i]);
        } else if (i == 0 || work->devices[i].class_index != work->devices[i - 1].class_index) {
            print_class(&table, work, i, busy);
        }
    }
    printf("\n");
    text_table_print(&table);
    text_table_fini(&table);
}

static void print_head(const struct sim_work *work)
{
    char tasks[REPORT_NUMBER_BYTES], devices[REPORT_NUMBER_BYTES];

    printf("%s on %s: %s tasks, %s devices\n", work->graph.name, work->info.name,
           report_number_count(tasks, work->graph.task_count),
           report_number_count(devices, work->info.device_count));
}

void sim_print(const struct sim_work *work)
{
    const struct sim_outcome *outcome = &work->outcomes[0];
    const fgpu_sim_result *result = &outcome->result;
    bool is_chosen = strcmp(sim_policy_word(outcome), result->policy) != 0;

    print_head(work);
    printf("  %-10s %s%s%s\n", "policy", sim_policy_word(outcome), is_chosen ? ", which took " : "",
           is_chosen ? result->policy : "");
    if (work->choice->objective != FGPU_OBJECTIVE_MAKESPAN)
        print_line("objective", sim_objective_word(work->choice->objective));
    print_times(result);
    print_work(work, result);
    if (result->failed_tasks > 0)
        printf("  %-10s %" PRIu64 " tasks\n", "failed", result->failed_tasks);
    print_cost(result);
    print_busy(work, outcome->busy);
}

/* ---- several */

static void print_known(struct text_table_row *row, uint32_t column, int digits, double value)
{
    if (value < 0)
        text_table_set(row, column, "unknown");
    else
        text_table_set(row, column, "%.*f", digits, value);
}

void sim_print_table(const struct sim_work *work)
{
    static const struct text_table_column columns[] = {
        {"  policy", false}, {"took", false},  {"makespan ms", true}, {"x bound", true},
        {"GFlop/s", true},   {"busy", true},   {"moved", true},       {"copies", true},
        {"decide ms", true}, {"failed", true}, {"least ms", true},    {"most ms", true}};
    uint32_t repeat = (uint32_t)work->choice->repeat;
    struct text_table table;

    text_table_init(&table, columns, repeat > 1 ? 12 : 10);
    for (uint32_t i = 0; i + repeat <= work->outcome_count; i += repeat) {
        const struct sim_outcome *outcome = &work->outcomes[i];
        struct sim_summary summary = sim_summary(work, outcome, repeat);
        struct text_table_row *row = text_table_add(&table);
        char bytes[REPORT_NUMBER_BYTES];
        text_table_set(row, 0, "  %s", sim_policy_word(outcome));
        text_table_set(row, 1, "%s",
                       strcmp(sim_policy_word(outcome), outcome->result.policy) != 0
                           ? outcome->result.policy
                           : "");
        text_table_set(row, 2, "%.3f", summary.makespan_ms);
        print_known(row, 3, 3, summary.ratio);
        print_known(row, 4, 1, summary.gflops);
        text_table_set(row, 5, "%.1f %%", 100 * summary.busy);
        text_table_set(row, 6, "%s", report_number_bytes(bytes, summary.bytes_moved, true));
        text_table_set(row, 7, "%.0f", summary.copies);
        text_table_set(row, 8, "%.2f", summary.decision_ms);
        text_table_set(row, 9, "%" PRIu64, summary.failed);
        text_table_set(row, 10, "%.3f", summary.least_ms);
        text_table_set(row, 11, "%.3f", summary.most_ms);
    }
    print_head(work);
    if (repeat > 1)
        printf("medians of %" PRIu32 " runs, seeds %" PRIu64 " to %" PRIu64 "\n", repeat,
               work->choice->seed, work->choice->seed + repeat - 1);
    text_table_print(&table);
    text_table_fini(&table);
}
