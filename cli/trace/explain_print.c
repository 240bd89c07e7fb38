/* Why a task ran where and when, in words: see explain.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastgpu/fastgpu.h>

#include "cli/trace/explain.h"
#include "cli/trace/explain_words.h"
#include "cli/common/text_table.h"

#define EXPLAIN_LINES 8u /* tasks, queues and copies that are listed; the rest is counted */

static void explain_head(const char *head)
{
    printf("  %-11s ", head);
}

static void explain_print_submitted(const struct explain *explain)
{
    explain_head("submitted");
    if (explain->task->submitted_ns == TRACE_IN_UNKNOWN)
        printf("before what the trace tells of\n");
    else
        printf("at %s\n", explain_time(explain->task->submitted_ns).text);
}

static void explain_print_predecessor(const struct explain *explain, uint64_t number)
{
    const struct trace_in_task *task = trace_in_find(explain->trace, number);
    uint64_t submitted_ns = explain->task->submitted_ns;

    if (!task) {
        printf("task %" PRIu64 ", of which the trace tells nothing more\n", number);
        return;
    }
    uint64_t end_ns = explain_end_ns(explain->trace, task);
    printf("task %" PRIu64 " '%s'", number, task->name);
    if (end_ns == TRACE_IN_UNKNOWN)
        printf(", which had not ended when the trace was written");
    else
        printf(", which ended at %s", explain_time(end_ns).text);
    if (end_ns != TRACE_IN_UNKNOWN && submitted_ns != TRACE_IN_UNKNOWN && end_ns > submitted_ns)
        printf(", %s after the submission", explain_time(end_ns - submitted_ns).text);
    printf("%s\n", task == explain->last && explain->after_count > 1 ? ": the last" : "");
}

static void explain_print_after(const struct explain *explain)
{
    uint32_t shown = 0;

    explain_head("waited for");
    if (explain->after_count == 0) {
        printf("no task: those before it had ended, or there were none\n");
        return;
    }
    if (explain->last) {
        explain_print_predecessor(explain, explain->last->number);
        shown++;
    }
    for (uint32_t i = 0; i < explain->after_count && shown < EXPLAIN_LINES; i++) {
        if (explain->last && explain->after[i] == explain->last->number)
            continue;
        if (shown++ > 0)
            explain_head("");
        explain_print_predecessor(explain, explain->after[i]);
    }
    if (shown < explain->after_count) {
        explain_head("");
        printf("and %u more\n", explain->after_count - shown);
    }
}

static void explain_print_ready(const struct explain *explain)
{
    const struct trace_in_task *task = explain->task;

    explain_head("ready");
    if (task->ready_ns == TRACE_IN_UNKNOWN) {
        printf("%s\n", strcmp(task->placed, "chained") == 0
                           ? "not waited for: it was handed to its queue behind those tasks"
                           : "not known");
        return;
    }
    printf("at %s", explain_time(task->ready_ns).text);
    if (task->submitted_ns != TRACE_IN_UNKNOWN && task->ready_ns >= task->submitted_ns)
        printf(", %s after it was submitted",
               explain_time(task->ready_ns - task->submitted_ns).text);
    printf("\n");
}

static void explain_print_candidates(const struct explain *explain)
{
    static const struct text_table_column columns[] = {{"              queue", false},
                                                       {"free in", true},
                                                       {"data in", true},
                                                       {"run", true},
                                                       {"ends in", true},
                                                       {"", false}};
    struct text_table table;

    text_table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i < explain->candidate_count && i < 2 * EXPLAIN_LINES; i++) {
        const struct trace_in_candidate *candidate = &explain->candidates[i];
        struct text_table_row *row = text_table_add(&table);
        if (!row)
            break;
        text_table_set(row, 0, "              %s queue %u",
                       explain_device(explain->trace, candidate->device).text, candidate->queue);
        text_table_set(row, 1, "%s", explain_time(candidate->wait_ns).text);
        text_table_set(row, 2, "%s", explain_time(candidate->copy_ns).text);
        text_table_set(row, 3, "%s%s", candidate->is_known ? "" : "~",
                       explain_time(candidate->run_ns).text);
        text_table_set(row, 4, "%s", explain_time(explain_finish_ns(candidate)).text);
        text_table_set(row, 5, "%s%s", i == 0 ? "chosen" : "",
                       candidate->is_known ? ""
                       : i == 0            ? ", not measured yet"
                                           : "not measured yet");
    }
    text_table_print(&table);
    text_table_fini(&table);
}

static void explain_print_placed(const struct explain *explain)
{
    const struct trace_in_task *task = explain->task;

    explain_head("placed");
    if (explain->candidate_count == 0) {
        printf("%s\n", explain->run ? "nothing is known of the decision" : "nowhere");
        return;
    }
    const struct trace_in_candidate *chosen = &explain->candidates[0];
    printf("at %s on %s queue %u: %s\n",
           task->placed_ns != TRACE_IN_UNKNOWN ? explain_time(task->placed_ns).text : "?",
           explain_device(explain->trace, chosen->device).text, chosen->queue,
           explain_reason(explain));
    explain_print_candidates(explain);
}

static void explain_print_copies(const struct explain *explain)
{
    for (uint32_t i = 0; i < explain->copy_count && i < EXPLAIN_LINES; i++) {
        const struct trace_in_slice *copy = explain->copies[i];
        explain_head(i == 0 ? "copies" : "");
        printf("%s", copy->name);
        if (copy->bytes != TRACE_IN_UNKNOWN)
            printf(", %" PRIu64 " bytes", copy->bytes);
        printf(", from %s to %s (%s)\n", explain_time(copy->start_ns).text,
               explain_time(copy->end_ns).text, explain_time(copy->end_ns - copy->start_ns).text);
    }
    if (explain->copy_count > EXPLAIN_LINES) {
        explain_head("");
        printf("and %u more\n", explain->copy_count - EXPLAIN_LINES);
    }
    if (explain->copy_count == 0 && explain->run) {
        explain_head("copies");
        printf("none were made for it\n");
    }
}

static void explain_print_start(const struct explain *explain)
{
    const struct trace_in_slice *run = explain->run;
    const struct trace_in_slice *before = explain->before;
    uint64_t free_ns = explain->free_ns;

    if (explain->build) {
        explain_head("compiling");
        printf("%u kernel%s for its device meanwhile, the last '%s' until %s\n",
               explain->build_count, explain->build_count == 1 ? "" : "s", explain->build->name,
               explain_time(explain->build->end_ns).text);
    }
    explain_head("started");
    const struct trace_in_process *device = trace_in_process(explain->trace, run->process);
    printf("at %s on %s queue %u\n", explain_time(run->start_ns).text,
           device->id[0] ? device->id : device->name, run->thread);
    if (run->start_ns > free_ns) {
        explain_head("");
        printf("%s after nothing held it back but its queue\n",
               explain_time(run->start_ns - free_ns).text);
    }
    if (!before)
        return;
    explain_head("");
    printf("the queue worked meanwhile, for %s: %u run%s or cop%s",
           explain_time(explain->before_ns).text, explain->before_count,
           explain->before_count == 1 ? "" : "s", explain->before_count == 1 ? "y" : "ies");
    if (before->task != TRACE_IN_UNKNOWN)
        printf(", the last %s task %" PRIu64 " '%s'", before->is_copy ? "for" : "of", before->task,
               before->name);
    printf(" until %s\n", explain_time(before->end_ns).text);
}

static void explain_print_run(const struct explain *explain)
{
    const struct trace_in_slice *run = explain->run;
    uint64_t predicted_ns = explain->task->predicted_ns;

    if (!run) {
        explain_head("started");
        printf("never: nothing of it ran on a queue\n");
        return;
    }
    explain_print_start(explain);
    uint64_t ran_ns = run->end_ns - run->start_ns;
    explain_head("ran");
    printf("for %s", explain_time(ran_ns).text);
    if (predicted_ns != TRACE_IN_UNKNOWN && predicted_ns > 0)
        printf("; %s were %s (%+.0f %%)", explain_time(predicted_ns).text,
               explain->candidate_count > 0 && !explain->candidates[0].is_known ? "assumed"
                                                                                : "predicted",
               100.0 * ((double)ran_ns / (double)predicted_ns - 1.0));
    printf("\n");
    if (explain->task->run_count > 1) {
        explain_head("");
        printf("it ran %u times; this is the last\n", explain->task->run_count);
    }
}

void explain_print(const struct explain *explain)
{
    const struct trace_in_task *task = explain->task;

    printf("task %" PRIu64 " '%s'\n", task->number, task->name);
    explain_print_submitted(explain);
    explain_print_after(explain);
    explain_print_ready(explain);
    explain_print_placed(explain);
    explain_print_copies(explain);
    explain_print_run(explain);
    explain_head("ended");
    if (task->ended_ns == TRACE_IN_UNKNOWN)
        printf("not before the trace was written\n");
    else
        printf("at %s, %s\n", explain_time(task->ended_ns).text,
               task->status == FGPU_OK ? "well" : fgpu_status_text((fgpu_status)task->status));
}

/* ---- without a task --------------------------------------------------------------------- */

void explain_print_hints(const struct trace_in *trace)
{
    static const struct text_table_column columns[] = {
        {"task", true}, {"name", false}, {"waited", true}, {"ran", true}, {"ended at", true}};
    static const char *const headings[] = {"waited longest from their submission to their start",
                                           "ended last"};

    uint32_t ran = explain_ran_count(trace), others = trace->task_count - ran;
    printf("%u task%s ran; fastgpu explain TASK --trace FILE tells of one (number or name).\n", ran,
           ran == 1 ? "" : "s");
    if (others > 0)
        printf("%u more did not run on a queue: reads by the host, and what was stopped.\n",
               others);
    for (uint32_t latest = 0; latest < 2; latest++) {
        struct explain_hints hints;
        struct text_table table;
        explain_hints_find(trace, latest, &hints);
        text_table_init(&table, columns, sizeof columns / sizeof columns[0]);
        for (uint32_t i = 0; i < hints.count; i++) {
            const struct trace_in_task *task = hints.tasks[i];
            const struct trace_in_slice *run = &trace->slices[task->run];
            struct text_table_row *row = text_table_add(&table);
            if (!row)
                break;
            text_table_set(row, 0, "%" PRIu64, task->number);
            text_table_set(row, 1, "%s", task->name);
            text_table_set(row, 2, "%s", explain_time(explain_wait_ns(trace, task)).text);
            text_table_set(row, 3, "%s", explain_time(run->end_ns - run->start_ns).text);
            text_table_set(row, 4, "%s", explain_time(run->end_ns).text);
        }
        printf("\nThose that %s:\n", headings[latest]);
        text_table_print(&table);
        text_table_fini(&table);
    }
}
