/* What a trace tells of one task: see explain.h. */
#include "cli/trace/explain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/nearest.h"

uint64_t explain_end_ns(const struct trace_in *trace, const struct trace_in_task *task)
{
    return task->run != TRACE_IN_NONE ? trace->slices[task->run].end_ns : task->ended_ns;
}

uint64_t explain_finish_ns(const struct trace_in_candidate *candidate)
{
    uint64_t start_ns =
        candidate->wait_ns > candidate->copy_ns ? candidate->wait_ns : candidate->copy_ns;

    return start_ns + candidate->run_ns;
}

static void explain_find_last(struct explain *explain)
{
    uint64_t last_ns = 0;

    for (uint32_t i = 0; i < explain->after_count; i++) {
        const struct trace_in_task *task = trace_in_find(explain->trace, explain->after[i]);
        uint64_t end_ns = task ? explain_end_ns(explain->trace, task) : TRACE_IN_UNKNOWN;
        if (end_ns == TRACE_IN_UNKNOWN || (explain->last && end_ns <= last_ns))
            continue;
        explain->last = task;
        last_ns = end_ns;
    }
}

/* Copies that ended before the task ran: what was written back later has its number too. */
static bool explain_is_copy_for(const struct explain *explain, const struct trace_in_slice *slice)
{
    return slice->is_copy && slice->task == explain->task->number &&
           (!explain->run || slice->start_ns <= explain->run->start_ns);
}

static fgpu_status explain_find_copies(struct explain *explain)
{
    const struct trace_in *trace = explain->trace;
    uint32_t count = 0;

    for (uint32_t i = 0; i < trace->slice_count; i++)
        count += explain_is_copy_for(explain, &trace->slices[i]);
    if (count == 0)
        return FGPU_OK;
    explain->copies = calloc(count, sizeof(const struct trace_in_slice *));
    if (!explain->copies)
        return FGPU_E_NOMEM;
    for (uint32_t i = 0; i < trace->slice_count; i++)
        if (explain_is_copy_for(explain, &trace->slices[i]))
            explain->copies[explain->copy_count++] = &trace->slices[i];
    return FGPU_OK;
}

/* When the task might have begun: everything it waited for was done, and it was placed. */
static uint64_t explain_free_ns(const struct explain *explain)
{
    const struct trace_in_task *task = explain->task;
    uint64_t last_ns = explain->last ? explain_end_ns(explain->trace, explain->last) : 0;
    uint64_t free_ns = task->ready_ns != TRACE_IN_UNKNOWN ? task->ready_ns : last_ns;

    if (task->placed_ns != TRACE_IN_UNKNOWN && task->placed_ns > free_ns)
        free_ns = task->placed_ns;
    return free_ns;
}

static void explain_find_before(struct explain *explain)
{
    const struct trace_in *trace = explain->trace;
    const struct trace_in_slice *run = explain->run;
    uint64_t free_ns = explain->free_ns = explain_free_ns(explain);

    for (uint32_t i = 0; run && i < trace->slice_count; i++) {
        const struct trace_in_slice *slice = &trace->slices[i];
        if (slice == run || slice->process != run->process || slice->thread != run->thread ||
            slice->end_ns > run->start_ns || slice->end_ns <= free_ns)
            continue;
        explain->before_count++;
        explain->before_ns +=
            slice->end_ns - (slice->start_ns > free_ns ? slice->start_ns : free_ns);
        if (!explain->before || slice->end_ns >= explain->before->end_ns)
            explain->before = slice;
    }
}

static void explain_find_builds(struct explain *explain)
{
    const struct trace_in_task *task = explain->task;
    uint64_t from_ns = task->ready_ns != TRACE_IN_UNKNOWN ? task->ready_ns : explain->free_ns;

    for (uint32_t i = 0; explain->run && i < explain->trace->build_count; i++) {
        const struct trace_in_build *build = &explain->trace->builds[i];
        if (build->process != explain->run->process || build->end_ns == TRACE_IN_UNKNOWN ||
            build->end_ns <= from_ns || build->start_ns >= explain->run->start_ns)
            continue;
        explain->build_count++;
        if (!explain->build || build->end_ns > explain->build->end_ns)
            explain->build = build;
    }
}

fgpu_status explain_find(const struct trace_in *trace, const struct trace_in_task *task,
                         struct explain *explain)
{
    *explain = (struct explain){
        .trace = trace,
        .task = task,
        .run = task->run != TRACE_IN_NONE ? &trace->slices[task->run] : NULL,
    };
    fgpu_status status = trace_in_after(trace, task, &explain->after, &explain->after_count);
    if (status == FGPU_OK)
        status = trace_in_candidates(trace, task, &explain->candidates, &explain->candidate_count);
    if (status == FGPU_OK)
        status = explain_find_copies(explain);
    if (status != FGPU_OK)
        return status;
    explain_find_last(explain);
    explain_find_before(explain);
    explain_find_builds(explain);
    return FGPU_OK;
}

void explain_fini(struct explain *explain)
{
    if (!explain)
        return;
    free(explain->after);
    free(explain->candidates);
    free(explain->copies);
    *explain = (struct explain){0};
}

const struct trace_in_task *explain_named(const struct trace_in *trace, const char *word,
                                          uint32_t *namesakes, const char **nearest)
{
    const struct trace_in_task *found = NULL;
    struct nearest near;
    char *end;

    *namesakes = 0;
    *nearest = NULL;
    errno = 0;
    unsigned long long number = strtoull(word, &end, 10);
    if (word[0] >= '0' && word[0] <= '9' && *end == '\0' && errno == 0)
        found = trace_in_find(trace, number);
    if (found)
        return found;
    nearest_init(&near, word);
    for (uint32_t i = 0; i < trace->task_count; i++) {
        const struct trace_in_task *task = &trace->tasks[i];
        if (strcmp(task->name, word) != 0)
            continue;
        found = found ? found : task;
        (*namesakes)++;
    }
    for (uint32_t i = 0; !found && i < trace->task_count; i++)
        nearest_try(&near, trace->tasks[i].name);
    if (!found)
        *nearest = nearest_found(&near);
    return found;
}
