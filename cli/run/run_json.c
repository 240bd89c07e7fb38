/* The record of a run as JSON: see run_print.h. */
#include "cli/run/run_print.h"

static void json_add(cJSON *array, cJSON *entry)
{
    (void)cJSON_AddItemToArray(array, entry);
}

static void json_assess(const struct evaluation *evaluation, cJSON *to)
{
    const struct evaluation_machine *machine = &evaluation->machine;
    cJSON *devices;

    json_out_text(to, "machine", machine->name);
    json_out_text(to, "system", machine->system);
    json_out_text(to, "version", machine->version);
    json_out_text(to, "started", machine->started);
    json_out_known(to, "cores", machine->cores > 0.0, machine->cores);
    json_out_known(to, "memory_bytes", machine->memory_bytes > 0, (double)machine->memory_bytes);
    devices = cJSON_AddArrayToObject(to, "devices");
    for (uint32_t i = 0; i < evaluation->device_count; i++) {
        const fgpu_device_info *info = &evaluation->devices[i].info;
        cJSON *device = cJSON_CreateObject();
        json_out_text(device, "id", info->id);
        json_out_text(device, "name", info->name);
        json_out_text(device, "backend", info->backend);
        json_out_known(device, "compute_units", info->valid & FGPU_INFO_UNITS, info->compute_units);
        json_out_known(device, "memory_bytes", info->valid & FGPU_INFO_MEMORY,
                       (double)info->memory_bytes);
        json_out_number(device, "queues", info->queue_count);
        json_add(devices, device);
    }
}

static void json_schedule(const struct evaluation *evaluation, cJSON *to)
{
    const struct workload *workload = evaluation->workload;
    const struct evaluation_round *round = evaluation_shown(evaluation);

    json_out_text(to, "policy", evaluation->policy);
    json_out_number(to, "tasks", workload->task_count);
    json_out_number(to, "kernels", workload->kernel_count);
    json_out_number(to, "buffers", workload->buffer_count);
    json_out_known(to, "dependencies", evaluation->is_traced, evaluation->edges.count);
    json_out_number(to, "done", round->done_count);
    json_out_number(to, "failed", round->failed_count);
    json_out_number(to, "cancelled", round->cancelled_count);
    cJSON *devices = cJSON_AddArrayToObject(to, "devices");
    for (uint32_t i = 0; i < evaluation->device_count; i++) {
        cJSON *device = cJSON_CreateObject();
        json_out_text(device, "id", evaluation->devices[i].info.id);
        json_out_number(device, "tasks", (double)evaluation->devices[i].task_count);
        json_add(devices, device);
    }
}

static void json_memory(const struct evaluation *evaluation, cJSON *to)
{
    const struct evaluation_round *round = evaluation_shown(evaluation);

    json_out_number(to, "buffer_bytes", (double)evaluation->workload->buffer_bytes);
    json_out_number(to, "bytes_copied", (double)round->copied_bytes);
    json_out_number(to, "copies", (double)round->copies);
    json_out_number(to, "evictions", (double)round->evictions);
    json_out_number(to, "bytes_evicted", (double)round->bytes_evicted);
    json_out_number(to, "bytes_reloaded", (double)round->bytes_reloaded);
    json_out_number(to, "bytes_spilled", (double)round->bytes_spilled);
    json_out_number(to, "blocks_planned", (double)round->blocks_planned);
    json_out_number(to, "blocks_stitched", (double)round->blocks_stitched);
    json_out_number(to, "thrashes", (double)round->thrashes);
    cJSON *devices = cJSON_AddArrayToObject(to, "devices");
    for (uint32_t i = 0; i < evaluation->device_count; i++) {
        cJSON *device = cJSON_CreateObject();
        json_out_text(device, "id", evaluation->devices[i].info.id);
        json_out_number(device, "peak_bytes", (double)evaluation->devices[i].memory_peak_bytes);
        json_add(devices, device);
    }
}

static void json_balance(const struct evaluation *evaluation, cJSON *to)
{
    const struct evaluation_round *round = evaluation_shown(evaluation);

    json_out_known(to, "cpu_share", round->cpu_share >= 0.0, round->cpu_share);
    json_out_known(to, "cpu_share_middle", round->cpu_share_middle >= 0.0, round->cpu_share_middle);
    json_out_known(to, "own_share", round->own_share >= 0.0, round->own_share);
    cJSON *devices = cJSON_AddArrayToObject(to, "devices");
    for (uint32_t i = 0; i < evaluation->device_count; i++) {
        const struct evaluation_device *from = &evaluation->devices[i];
        cJSON *device = cJSON_CreateObject();
        json_out_text(device, "id", from->info.id);
        json_out_known(device, "busy_ns", from->is_busy_known, (double)from->busy_ns);
        json_out_known(device, "busy_share", from->is_busy_known, from->busy_share);
        json_out_known(device, "cpu_share", from->cpu_share >= 0.0, from->cpu_share);
        json_add(devices, device);
    }
}

static void json_sides(const struct evaluation *evaluation, cJSON *sides)
{
    for (uint32_t i = 0; i < evaluation->side_count; i++) {
        const struct evaluation_side *from = &evaluation->sides[i];
        bool is_known = from->median_ns > 0;
        double ratio = run_ratio(evaluation, from);
        cJSON *side = cJSON_CreateObject();
        json_out_text(side, "way", from->way == BASELINE_BY_HAND ? "by_hand" : "queue");
        json_out_text(side, "device", evaluation->devices[from->device].info.id);
        json_out_known(side, "wall_ns", is_known, (double)from->median_ns);
        json_out_known(side, "speed_up", ratio > 0.0, ratio);
        json_out_known(side, "bytes_copied", is_known, (double)from->copied_bytes);
        json_out_known(side, "cpu_share", is_known, from->cpu_share);
        if (from->error[0] || (from->is_equal && evaluation->workload->output_count > 0))
            json_out_bool(side, "outputs_equal", from->is_equal);
        else /* nothing was compared */
            json_out_known(side, "outputs_equal", false, 0);
        if (from->error[0])
            json_out_text(side, "error", from->error);
        json_add(sides, side);
    }
}

/* Of the round that is shown: of the whole machine, whoever else used it. */
static void json_energy(const struct evaluation *evaluation, cJSON *to)
{
    double joule = run_joule(evaluation), tasks = evaluation_shown(evaluation)->done_count;

    json_out_known(to, "energy_joule", joule >= 0.0, joule);
    json_out_known(to, "energy_joule_per_task", joule >= 0.0 && tasks > 0.0,
                   tasks > 0.0 ? joule / tasks : 0.0);
    if (joule >= 0.0) {
        json_out_text(to, "energy_counters", evaluation->energy_sources);
        (void)cJSON_AddNullToObject(to, "energy_unknown");
    } else {
        (void)cJSON_AddNullToObject(to, "energy_counters");
        json_out_text(to, "energy_unknown", run_energy_why(evaluation));
    }
}

static void json_evaluate(const struct evaluation *evaluation, cJSON *to)
{
    const struct evaluation_latency *latency = &evaluation->latency;
    const struct bound *bound = &evaluation->bound;
    uint64_t wall_ns = run_wall_ns(evaluation);
    bool has_bound = evaluation->is_bound_known;

    json_out_known(to, "wall_ns", wall_ns > 0, (double)wall_ns);
    json_out_known(to, "tasks_per_second", wall_ns > 0,
                   wall_ns > 0 ? evaluation_shown(evaluation)->done_count * 1e9 / (double)wall_ns
                               : 0.0);
    cJSON *rounds = cJSON_AddArrayToObject(to, "rounds_ns");
    for (uint32_t i = 0; i < evaluation->round_count; i++)
        json_add(rounds, cJSON_CreateNumber((double)(evaluation->rounds[i].end_ns -
                                                     evaluation->rounds[i].start_ns)));
    json_sides(evaluation, cJSON_AddArrayToObject(to, "baselines"));
    json_energy(evaluation, to);
    json_out_known(to, "others_share", evaluation->others_share >= 0.0, evaluation->others_share);
    json_out_known(to, "latency_mean_ns", latency->is_known, (double)latency->mean_ns);
    json_out_known(to, "latency_p50_ns", latency->is_known, (double)latency->p50_ns);
    json_out_known(to, "latency_p99_ns", latency->is_known, (double)latency->p99_ns);
    json_out_known(to, "latency_max_ns", latency->is_known, (double)latency->max_ns);
    json_out_known(to, "bound_ns", has_bound, (double)bound->lower_ns);
    json_out_known(to, "bound_area_ns", has_bound, (double)bound->area_ns);
    json_out_known(to, "bound_path_ns", has_bound, (double)bound->path_ns);
    json_out_known(to, "bound_ratio", has_bound && run_is_whole(evaluation) && bound->lower_ns > 0,
                   bound->lower_ns > 0 ? (double)wall_ns / (double)bound->lower_ns : 0.0);
}

void run_add_json(cJSON *root, const struct evaluation *evaluation)
{
    json_assess(evaluation, cJSON_AddObjectToObject(root, "assess"));
    json_schedule(evaluation, cJSON_AddObjectToObject(root, "schedule"));
    json_memory(evaluation, cJSON_AddObjectToObject(root, "memory"));
    json_balance(evaluation, cJSON_AddObjectToObject(root, "balance"));
    json_evaluate(evaluation, cJSON_AddObjectToObject(root, "evaluate"));
    if (evaluation->profile) {
        cJSON *profile = cJSON_AddObjectToObject(root, "profile");
        json_out_text(profile, "path", evaluation->profile->path);
        json_out_text(profile, "made", evaluation->profile->made);
        profile_json_choices(profile, "choices", &evaluation->profile->choices);
    } else {
        (void)cJSON_AddNullToObject(root, "profile");
    }
    json_out_number(root, "outputs_written", evaluation->written_count);
    json_out_bool(root, "interrupted", evaluation->is_interrupted);
    if (evaluation->error[0])
        json_out_text(root, "error", evaluation->error);
    else
        (void)cJSON_AddNullToObject(root, "error");
}

bool run_print_json(const struct evaluation *evaluation)
{
    cJSON *root = cJSON_CreateObject();

    json_out_text(root, "workload", evaluation->path ? evaluation->path : "");
    run_add_json(root, evaluation);
    return json_out_print(root);
}
