/* Runs a task graph on a described machine, in virtual time: see sim.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastgpu/fastgpu.h>

#include "cli/common/figures.h"
#include "cli/sim/sim.h"
#include "cli/common/why.h"

/* Tasks that are handed over between two looks at whether the user wants an end. */
#define SIM_STRIDE 65536u

/* What the library said, without the name of the function that a program would have called. */
static const char *sim_last_error(fgpu_status status)
{
    const char *text = fgpu_last_error(), *end = strstr(text, ": ");

    if (end && strncmp(text, "fgpu_", 5) == 0)
        text = end + 2;
    return text[0] ? text : fgpu_status_text(status);
}

static fgpu_status sim_open(struct sim_work *work, const struct sim_outcome *outcome,
                            uint32_t flags, fgpu_sim **sim)
{
    const struct sim_choice *choice = work->choice;
    const fgpu_sim_options options = {
        .struct_bytes = sizeof options,
        .flags = flags,
        .machine = work->machine,
        .policy = outcome->policy,
        .seed = outcome->seed,
        .noise = choice->noise,
        .cost_error = choice->cost_error,
        .memory_bytes = choice->memory_bytes,
        .fail_rate = choice->fail_rate,
        .loss_per_s = choice->loss_per_s,
        .power_cap_watt = choice->cap_watt,
        .objective = choice->objective,
    };

    fgpu_status status = fgpu_sim_open(&options, sim);
    if (status != FGPU_OK)
        (void)why_fail(status, work->why, sizeof work->why, "%s", sim_last_error(status));
    return status;
}

static fgpu_status sim_add_task(struct sim_work *work, fgpu_sim *sim, uint32_t number,
                                const uint32_t *kernels)
{
    const struct sim_graph *graph = &work->graph;
    const struct sim_task *from = &graph->tasks[number];
    const char *name = sim_graph_task_name(graph, number);
    const fgpu_sim_task task = {
        .struct_bytes = sizeof task,
        .kernel = kernels[from->kernel],
        .size = from->size,
        .flops = from->flops,
        .cost_ns = from->cost_ns,
        .priority = from->priority,
        .access_count = from->access_count,
        .accesses = from->access_count > 0 ? graph->accesses + from->access_first : NULL,
        .after = from->after_count > 0 ? graph->after + from->after_first : NULL,
        .after_count = from->after_count,
        .parts = from->parts,
        .name = name[0] ? name : NULL,
    };

    fgpu_status status = fgpu_sim_add(sim, &task, NULL);
    if (status == FGPU_OK)
        return status;
    return why_fail(status, work->why, sizeof work->why, "task %u%s%s (%s of %llu): %s", number,
                    name[0] ? " " : "", name, graph->kernels[from->kernel].name,
                    (unsigned long long)from->size, sim_last_error(status));
}

/* Hands the whole graph over. */
static fgpu_status sim_fill(struct sim_work *work, fgpu_sim *sim)
{
    const struct sim_graph *graph = &work->graph;
    uint32_t *kernels = calloc(graph->kernel_count + (size_t)1, sizeof *kernels), data;
    fgpu_status status = kernels ? FGPU_OK : FGPU_E_NOMEM;

    for (uint32_t i = 0; i < graph->kernel_count && status == FGPU_OK; i++)
        status = fgpu_sim_kernel(sim, graph->kernels[i].name, &kernels[i]);
    for (uint32_t i = 0; i < graph->data_count && status == FGPU_OK; i++)
        status = fgpu_sim_data(sim, graph->data_bytes[i], &data);
    if (status != FGPU_OK)
        (void)why_fail(status, work->why, sizeof work->why, "%s",
                       kernels ? sim_last_error(status) : "no memory");
    for (uint32_t i = 0; i < graph->task_count && status == FGPU_OK; i++) {
        if (i % SIM_STRIDE == 0 && work->stop && *work->stop)
            status = FGPU_E_CANCELLED;
        else
            status = sim_add_task(work, sim, i, kernels);
    }
    free(kernels);
    return status;
}

static int sim_progress(uint64_t done, uint64_t tasks, void *user)
{
    struct sim_work *work = user;

    progress_show(&work->progress, WATCH_SIMULATING, (uint32_t)done, (uint32_t)tasks);
    return work->stop && *work->stop;
}

static fgpu_status sim_take_result(struct sim_work *work, const fgpu_sim *sim,
                                   struct sim_outcome *outcome)
{
    fgpu_status status = FGPU_OK;

    outcome->busy = calloc(work->info.device_count + (size_t)1, sizeof *outcome->busy);
    if (!outcome->busy)
        return why_fail(FGPU_E_NOMEM, work->why, sizeof work->why, "no memory");
    for (uint32_t i = 0; i < work->info.device_count && status == FGPU_OK; i++)
        status = fgpu_sim_busy(sim, i, &outcome->busy[i]);
    if (status != FGPU_OK)
        (void)why_fail(status, work->why, sizeof work->why, "%s", sim_last_error(status));
    return status;
}

fgpu_status sim_run(struct sim_work *work, struct sim_outcome *outcome, fgpu_sim **kept)
{
    fgpu_sim *sim = NULL;

    fgpu_status status =
        sim_open(work, outcome, work->choice->flags | (kept ? FGPU_SIM_TRACE : 0u), &sim);
    if (status == FGPU_OK)
        status = sim_fill(work, sim);
    if (status == FGPU_OK) {
        outcome->result.struct_bytes = sizeof outcome->result;
        (void)fgpu_sim_progress(sim, sim_progress, work);
        status = fgpu_sim_run(sim, &outcome->result);
        progress_fini(&work->progress);
        if (status != FGPU_OK && status != FGPU_E_CANCELLED)
            (void)why_fail(status, work->why, sizeof work->why, "%s", sim_last_error(status));
    }
    if (status == FGPU_OK)
        status = sim_take_result(work, sim, outcome);
    if (kept && status == FGPU_OK)
        *kept = sim;
    else
        fgpu_sim_close(sim);
    return status;
}

/* ---- kernels that stand in */

/* Has the machine a cost for a kernel of that name? FGPU_OK, FGPU_E_NODEVICE, or another error. */
static fgpu_status sim_try_kernel(struct sim_work *work, const char *name,
                                  const struct sim_task *like)
{
    const struct sim_outcome none = {.policy = "fifo"};
    fgpu_sim_task task = {.struct_bytes = sizeof task,
                          .size = like->size,
                          .flops = like->flops,
                          .cost_ns = like->cost_ns};
    fgpu_sim *sim = NULL;

    fgpu_status status = sim_open(work, &none, 0, &sim);
    if (status == FGPU_OK)
        status = fgpu_sim_kernel(sim, name, &task.kernel);
    if (status == FGPU_OK)
        status = fgpu_sim_add(sim, &task, NULL);
    fgpu_sim_close(sim);
    return status;
}

fgpu_status sim_run_settle(struct sim_work *work)
{
    struct sim_graph *graph = &work->graph;

    for (uint32_t i = 0; i < graph->kernel_count; i++) {
        struct sim_kernel *kernel = &graph->kernels[i];
        uint32_t first = 0;
        if (!kernel->instead[0])
            continue;
        while (first < graph->task_count && graph->tasks[first].kernel != i)
            first++;
        if (first == graph->task_count)
            continue;
        fgpu_status status = sim_try_kernel(work, kernel->name, &graph->tasks[first]);
        if (status == FGPU_E_NODEVICE &&
            sim_try_kernel(work, kernel->instead, &graph->tasks[first]) == FGPU_OK) {
            (void)snprintf(work->note, sizeof work->note,
                           "%s has no cost for %s, so it takes as long as %s", work->info.name,
                           kernel->name, kernel->instead);
            (void)snprintf(kernel->name, sizeof kernel->name, "%s", kernel->instead);
        } else if (status != FGPU_OK && status != FGPU_E_NODEVICE) {
            return why_fail(status, work->why, sizeof work->why, "%s", sim_last_error(status));
        }
    }
    return FGPU_OK;
}

/* ---- figures */

const char *sim_policy_word(const struct sim_outcome *outcome)
{
    return outcome->policy ? outcome->policy : outcome->result.policy;
}

double sim_ratio(const fgpu_sim_result *result)
{
    return result->bound_ns > 0 ? (double)result->makespan_ns / (double)result->bound_ns : -1;
}

double sim_gflops(const struct sim_work *work, const fgpu_sim_result *result)
{
    return work->graph.flops_count == work->graph.task_count && result->makespan_ns > 0
               ? result->flops / (double)result->makespan_ns
               : -1;
}

double sim_events_per_s(const fgpu_sim_result *result)
{
    return result->run_cpu_ns > 0 ? (double)result->events / (double)result->run_cpu_ns * 1e9 : -1;
}

const char *sim_bound_word(uint32_t kind)
{
    static const char *const words[] = {"area", "path", "joined", "power"};

    return kind < sizeof words / sizeof words[0] ? words[kind] : "unknown";
}

const char *sim_objective_word(uint32_t objective)
{
    static const char *const words[] = {"makespan", "latency", "energy", "edp"};

    return objective < sizeof words / sizeof words[0] ? words[objective] : "unknown";
}

static double sim_mean_busy(const struct sim_work *work, const struct sim_outcome *outcome)
{
    double sum = 0;

    for (uint32_t i = 0; i < work->info.device_count; i++)
        sum += outcome->busy[i];
    return work->info.device_count > 0 ? sum / work->info.device_count : -1;
}

static double sim_figure(const struct sim_work *work, const struct sim_outcome *outcome,
                         uint32_t figure)
{
    const fgpu_sim_result *result = &outcome->result;

    switch (figure) {
    case 0:
        return (double)result->makespan_ns / 1e6;
    case 1:
        return sim_ratio(result);
    case 2:
        return sim_gflops(work, result);
    case 3:
        return sim_mean_busy(work, outcome);
    case 4:
        return (double)result->decision_cpu_ns / 1e6;
    case 5:
        return (double)result->bytes_moved;
    case 6:
        return (double)result->copies;
    default:
        return result->energy_joule;
    }
}

struct sim_summary sim_summary(const struct sim_work *work, const struct sim_outcome *outcomes,
                               uint32_t count)
{
    struct sim_summary summary = {.least_ms = -1, .most_ms = -1};
    double medians[8], values[CLI_SIM_REPEAT_LIMIT];

    for (uint32_t figure = 0; figure < 8; figure++) {
        for (uint32_t i = 0; i < count; i++)
            values[i] = sim_figure(work, &outcomes[i], figure);
        medians[figure] = figures_median(values, count); /* sorts */
        if (figure == 0) {
            summary.least_ms = values[0];
            summary.most_ms = values[count - 1];
        }
    }
    for (uint32_t i = 0; i < count; i++)
        summary.failed += outcomes[i].result.failed_tasks;
    summary.makespan_ms = medians[0];
    summary.ratio = medians[1];
    summary.gflops = medians[2];
    summary.busy = medians[3];
    summary.decision_ms = medians[4];
    summary.bytes_moved = medians[5];
    summary.copies = medians[6];
    summary.energy = medians[7];
    return summary;
}
