/* What came of simulated runs, as one JSON object: docs/man/fastgpu-sim.1 lists its members. */
#include <string.h>

#include "cli/common/json_out.h"
#include "cli/sim/sim.h"

static cJSON *json_busy(const struct sim_work *work, const double *busy)
{
    cJSON *object = cJSON_CreateObject();

    for (uint32_t i = 0; i < work->info.device_count; i++)
        json_out_number(object, work->devices[i].name, busy[i]);
    return object;
}

/* The members that every run has. */
static void json_run(cJSON *object, const struct sim_work *work, const struct sim_outcome *outcome)
{
    const fgpu_sim_result *result = &outcome->result;

    json_out_text(object, "policy", sim_policy_word(outcome));
    json_out_text(object, "chosen", result->policy);
    json_out_number(object, "seed", (double)outcome->seed);
    json_out_number(object, "makespan_ms", (double)result->makespan_ns / 1e6);
    json_out_known(object, "bound_ms", result->bound_ns > 0, (double)result->bound_ns / 1e6);
    json_out_text(object, "bound_kind", sim_bound_word(result->bound_kind));
    json_out_known(object, "ratio", sim_ratio(result) >= 0, sim_ratio(result));
    json_out_known(object, "gflops", sim_gflops(work, result) >= 0, sim_gflops(work, result));
    json_out_number(object, "tasks", (double)result->tasks);
    json_out_number(object, "failed", (double)result->failed_tasks);
    json_out_number(object, "divided", (double)result->divided);
    json_out_number(object, "pieces", (double)result->pieces);
    json_out_number(object, "copies", (double)result->copies);
    json_out_number(object, "bytes_moved", (double)result->bytes_moved);
    json_out_number(object, "area_ms", (double)result->area_ns / 1e6);
    json_out_number(object, "path_ms", (double)result->path_ns / 1e6);
    json_out_number(object, "joined_ms", (double)result->joined_ns / 1e6);
    json_out_known(object, "power_ms", result->power_ns > 0, (double)result->power_ns / 1e6);
    json_out_text(object, "objective", sim_objective_word(work->choice->objective));
    json_out_known(object, "power_cap_watt", work->choice->cap_watt > 0, work->choice->cap_watt);
    json_out_known(object, "energy_joule", result->energy_joule >= 0, result->energy_joule);
    json_out_known(object, "peak_watt", result->peak_watt >= 0, result->peak_watt);
    json_out_number(object, "response_ms", (double)result->response_ns / 1e6);
    json_out_number(object, "decision_cpu_ms", (double)result->decision_cpu_ns / 1e6);
    json_out_number(object, "run_cpu_ms", (double)result->run_cpu_ns / 1e6);
    json_out_number(object, "events", (double)result->events);
    json_out_known(object, "events_per_s", sim_events_per_s(result) >= 0, sim_events_per_s(result));
    (void)cJSON_AddItemToObject(object, "busy", json_busy(work, outcome->busy));
}

static cJSON *json_policies(const struct sim_work *work)
{
    uint32_t repeat = (uint32_t)work->choice->repeat;
    cJSON *list = cJSON_CreateArray();

    for (uint32_t i = 0; i + repeat <= work->outcome_count; i += repeat) {
        struct sim_summary summary = sim_summary(work, &work->outcomes[i], repeat);
        cJSON *object = cJSON_CreateObject();
        json_out_text(object, "policy", sim_policy_word(&work->outcomes[i]));
        json_out_number(object, "makespan_ms", summary.makespan_ms);
        json_out_number(object, "least_ms", summary.least_ms);
        json_out_number(object, "most_ms", summary.most_ms);
        json_out_known(object, "ratio", summary.ratio >= 0, summary.ratio);
        json_out_known(object, "gflops", summary.gflops >= 0, summary.gflops);
        json_out_number(object, "decision_cpu_ms", summary.decision_ms);
        json_out_number(object, "bytes_moved", summary.bytes_moved);
        json_out_number(object, "failed", (double)summary.failed);
        (void)cJSON_AddItemToArray(list, object);
    }
    return list;
}

bool sim_print_json(const struct sim_work *work)
{
    bool is_one = work->choice->policy_count == 1 && work->choice->repeat == 1;
    cJSON *root = cJSON_CreateObject();

    json_out_text(root, "machine", work->info.name);
    json_out_text(root, "graph", work->graph.name);
    json_out_number(root, "devices", work->info.device_count);
    if (work->note[0])
        json_out_text(root, "note", work->note);
    else
        (void)cJSON_AddNullToObject(root, "note");
    if (is_one) {
        json_run(root, work, &work->outcomes[0]);
        return json_out_print(root);
    }
    (void)cJSON_AddItemToObject(root, "policies", json_policies(work));
    cJSON *runs = cJSON_AddArrayToObject(root, "runs");
    for (uint32_t i = 0; i < work->outcome_count; i++) {
        cJSON *run = cJSON_CreateObject();
        json_run(run, work, &work->outcomes[i]);
        (void)cJSON_AddItemToArray(runs, run);
    }
    return json_out_print(root);
}
