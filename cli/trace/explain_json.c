/* Why a task ran where and when, as JSON: see explain.h. Task numbers are strings: they are larger
 * than the numbers that JSON's readers keep exactly. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <fastgpu/fastgpu.h>

#include "cli/trace/explain.h"
#include "cli/trace/explain_words.h"
#include "cli/common/json_out.h"

static void explain_json_time(cJSON *object, const char *name, uint64_t ns)
{
    json_out_known(object, name, ns != TRACE_IN_UNKNOWN, (double)ns);
}

static void explain_json_number(cJSON *object, const char *name, uint64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRIu64, number);
    json_out_text(object, name, text);
}

static void explain_json_after(cJSON *root, const struct explain *explain)
{
    cJSON *array = cJSON_AddArrayToObject(root, "waited_for");

    for (uint32_t i = 0; i < explain->after_count; i++) {
        const struct trace_in_task *task = trace_in_find(explain->trace, explain->after[i]);
        cJSON *object = cJSON_CreateObject();
        explain_json_number(object, "task", explain->after[i]);
        if (task) {
            json_out_text(object, "name", task->name);
            explain_json_time(object, "ended_ns", explain_end_ns(explain->trace, task));
        }
        (void)cJSON_AddItemToArray(array, object);
    }
}

static void explain_json_candidates(cJSON *root, const struct explain *explain)
{
    cJSON *array = cJSON_AddArrayToObject(root, "candidates");

    for (uint32_t i = 0; i < explain->candidate_count; i++) {
        const struct trace_in_candidate *candidate = &explain->candidates[i];
        cJSON *object = cJSON_CreateObject();
        json_out_number(object, "device", candidate->device);
        json_out_text(object, "device_id", trace_in_device_id(explain->trace, candidate->device));
        json_out_number(object, "queue", candidate->queue);
        json_out_number(object, "wait_ns", (double)candidate->wait_ns);
        json_out_number(object, "copy_ns", (double)candidate->copy_ns);
        json_out_number(object, "run_ns", (double)candidate->run_ns);
        json_out_number(object, "ends_in_ns", (double)explain_finish_ns(candidate));
        json_out_bool(object, "measured", candidate->is_known);
        json_out_bool(object, "chosen", i == 0);
        (void)cJSON_AddItemToArray(array, object);
    }
}

static cJSON *explain_json_slice(const struct explain *explain, const struct trace_in_slice *slice)
{
    const struct trace_in_process *device = trace_in_process(explain->trace, slice->process);
    cJSON *object = cJSON_CreateObject();

    json_out_text(object, "name", slice->name);
    if (slice->task != TRACE_IN_UNKNOWN)
        explain_json_number(object, "task", slice->task);
    json_out_text(object, "device", device->name);
    json_out_text(object, "device_id", device->id);
    json_out_number(object, "queue", slice->thread);
    explain_json_time(object, "start_ns", slice->start_ns);
    explain_json_time(object, "end_ns", slice->end_ns);
    if (slice->is_copy)
        explain_json_time(object, "bytes", slice->bytes);
    return object;
}

bool explain_print_json(const struct explain *explain)
{
    const struct trace_in_task *task = explain->task;
    cJSON *root = cJSON_CreateObject();

    explain_json_number(root, "task", task->number);
    json_out_text(root, "name", task->name);
    explain_json_time(root, "submitted_ns", task->submitted_ns);
    explain_json_time(root, "ready_ns", task->ready_ns);
    explain_json_time(root, "placed_ns", task->placed_ns);
    explain_json_time(root, "ended_ns", task->ended_ns);
    json_out_number(root, "status", (double)task->status);
    json_out_text(root, "status_text", fgpu_status_text((fgpu_status)task->status));
    explain_json_after(root, explain);
    json_out_text(root, "placed", task->placed);
    json_out_text(root, "reason", explain->candidate_count > 0 ? explain_reason(explain) : "");
    explain_json_candidates(root, explain);
    cJSON *copies = cJSON_AddArrayToObject(root, "copies");
    for (uint32_t i = 0; i < explain->copy_count; i++)
        (void)cJSON_AddItemToArray(copies, explain_json_slice(explain, explain->copies[i]));
    (void)cJSON_AddItemToObject(
        root, "run", explain->run ? explain_json_slice(explain, explain->run) : cJSON_CreateNull());
    json_out_number(root, "runs", task->run_count);
    explain_json_time(root, "predicted_ns", task->predicted_ns);
    json_out_number(root, "builds_meanwhile", explain->build_count);
    json_out_number(root, "queue_busy_ns", (double)explain->before_ns);
    (void)cJSON_AddItemToObject(root, "queue_busy_with",
                                explain->before ? explain_json_slice(explain, explain->before)
                                                : cJSON_CreateNull());
    return json_out_print(root);
}

bool explain_print_hints_json(const struct trace_in *trace)
{
    static const char *const names[] = {"longest_waits", "latest"};
    cJSON *root = cJSON_CreateObject();

    json_out_number(root, "tasks", trace->task_count);
    json_out_number(root, "tasks_run", explain_ran_count(trace));
    for (uint32_t latest = 0; latest < 2; latest++) {
        cJSON *array = cJSON_AddArrayToObject(root, names[latest]);
        struct explain_hints hints;
        explain_hints_find(trace, latest, &hints);
        for (uint32_t i = 0; i < hints.count; i++) {
            const struct trace_in_task *task = hints.tasks[i];
            cJSON *object = cJSON_CreateObject();
            explain_json_number(object, "task", task->number);
            json_out_text(object, "name", task->name);
            explain_json_time(object, "waited_ns", explain_wait_ns(trace, task));
            explain_json_time(object, "ended_ns", trace->slices[task->run].end_ns);
            (void)cJSON_AddItemToArray(array, object);
        }
    }
    return json_out_print(root);
}
