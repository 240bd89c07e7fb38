/* Times, reasons, hints: see explain_words.h. */
#include "cli/trace/explain_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct explain_time explain_time(uint64_t ns)
{
    struct explain_time time;
    double value = (double)ns;

    if (ns == TRACE_IN_UNKNOWN)
        (void)snprintf(time.text, sizeof time.text, "?");
    else if (ns < 1000)
        (void)snprintf(time.text, sizeof time.text, "%.0f ns", value);
    else if (ns < 1000000)
        (void)snprintf(time.text, sizeof time.text, "%.1f us", value / 1e3);
    else if (ns < 1000000000)
        (void)snprintf(time.text, sizeof time.text, "%.3f ms", value / 1e6);
    else
        (void)snprintf(time.text, sizeof time.text, "%.6f s", value / 1e9);
    return time;
}

struct explain_device explain_device(const struct trace_in *trace, uint32_t device)
{
    struct explain_device name;
    const char *id = trace_in_device_id(trace, device);

    if (id[0])
        (void)snprintf(name.text, sizeof name.text, "%s", id);
    else
        (void)snprintf(name.text, sizeof name.text, "device %" PRIu32, device);
    return name;
}

static const char *explain_policy_reason(const struct explain *explain)
{
    uint64_t chosen_ns = explain_finish_ns(&explain->candidates[0]);
    bool is_equal = false;

    for (uint32_t i = 1; i < explain->candidate_count; i++) {
        uint64_t other_ns = explain_finish_ns(&explain->candidates[i]);
        if (other_ns < chosen_ns)
            return "the policy chose it by other measures than the predicted end";
        is_equal |= other_ns == chosen_ns;
    }
    return is_equal ? "no other was predicted to end earlier, and it had least to do"
                    : "the earliest predicted end";
}

const char *explain_reason(const struct explain *explain)
{
    static const struct {
        const char *word, *reason;
    } known[] = {
        {"only", "the only queue that could run it"},
        {"pinned", "the task asked for this device"},
        {"chained", "right behind the tasks that it waits for, in their queue"},
        {"stolen", "a queue with nothing to do took it over from another"},
        {"planned", "the plan of all pending tasks says so"},
        {"piece", "a piece of a divisible task: the queue's next share of it"},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(explain->task->placed, known[i].word) == 0)
            return known[i].reason;
    return explain_policy_reason(explain);
}

uint64_t explain_wait_ns(const struct trace_in *trace, const struct trace_in_task *task)
{
    if (task->run == TRACE_IN_NONE || task->submitted_ns == TRACE_IN_UNKNOWN)
        return 0;
    uint64_t start_ns = trace->slices[task->run].start_ns;
    return start_ns > task->submitted_ns ? start_ns - task->submitted_ns : 0;
}

static uint64_t explain_hint_weight(const struct trace_in *trace, const struct trace_in_task *task,
                                    bool is_latest)
{
    return is_latest ? trace->slices[task->run].end_ns : explain_wait_ns(trace, task);
}

uint32_t explain_ran_count(const struct trace_in *trace)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < trace->task_count; i++)
        count += trace->tasks[i].run != TRACE_IN_NONE;
    return count;
}

void explain_hints_find(const struct trace_in *trace, bool is_latest, struct explain_hints *hints)
{
    hints->count = 0;
    for (uint32_t i = 0; i < trace->task_count; i++) {
        const struct trace_in_task *task = &trace->tasks[i];
        uint32_t at = hints->count;
        if (task->run == TRACE_IN_NONE)
            continue;
        uint64_t weight = explain_hint_weight(trace, task, is_latest);
        while (at > 0 && weight > explain_hint_weight(trace, hints->tasks[at - 1], is_latest))
            at--;
        if (at == EXPLAIN_HINTS)
            continue;
        hints->count += hints->count < EXPLAIN_HINTS;
        memmove(&hints->tasks[at + 1], &hints->tasks[at],
                (hints->count - 1 - at) * sizeof hints->tasks[0]);
        hints->tasks[at] = task;
    }
}
