/* Any bytes as a trace: read or refused with a sentence, never a crash; of what was read every task
 * can be found, explained and has its slice.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/cli_limits.h"
#include "cli/trace/explain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int is_true)
{
    if (!is_true)
        abort();
}

static void check_task(const struct trace_in *trace, const struct trace_in_task *task)
{
    struct explain explain;
    uint32_t namesakes;
    const char *nearest;

    require(trace_in_find(trace, task->number) == task);
    require(task->run == TRACE_IN_NONE || (task->run < trace->slice_count && task->run_count > 0));
    require(explain_named(trace, task->name, &namesakes, &nearest) != NULL);
    if (explain_find(trace, task, &explain) == FGPU_OK) {
        require(explain.candidate_count == 0 || explain.candidates != NULL);
        for (uint32_t i = 1; i < explain.after_count; i++)
            require(explain.after[i - 1] < explain.after[i]);
        require(!explain.before || explain.before->end_ns <= explain.run->start_ns);
    }
    explain_fini(&explain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct file_bytes text = {0};
    struct trace_in trace;
    char why[CLI_WHY_BYTES] = "";

    require(file_bytes_append(&text, data, size));
    fgpu_status status = trace_in_parse(text, &trace, why, sizeof why);
    require(status == FGPU_OK || why[0] != '\0');
    for (uint32_t i = 0; status == FGPU_OK && i < trace.task_count && i < 100; i++) {
        require(i == 0 || trace.tasks[i - 1].number < trace.tasks[i].number);
        check_task(&trace, &trace.tasks[i]);
    }
    for (uint32_t i = 0; status == FGPU_OK && i < trace.slice_count; i++)
        require(trace.slices[i].start_ns <= trace.slices[i].end_ns);
    trace_in_fini(&trace);
    return 0;
}
