/* A task graph that grows: see sim_graph.h. */
#include "cli/sim/sim_graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sim_graph_init(struct sim_graph *graph)
{
    *graph = (struct sim_graph){.status = FGPU_OK};
}

void sim_graph_fini(struct sim_graph *graph)
{
    if (!graph)
        return;
    free(graph->kernels);
    free(graph->costs);
    free(graph->data_bytes);
    free(graph->tasks);
    free(graph->accesses);
    free(graph->after);
    free(graph->names);
    sim_graph_init(graph);
}

/* Room for one more record: tables double when their count is a power of two. False, with the
 * status, when the limit is reached or memory is exhausted. */
static bool sim_graph_grow(struct sim_graph *graph, void **table, uint64_t count, uint64_t limit,
                           size_t record_bytes)
{
    if (graph->status != FGPU_OK)
        return false;
    if (count >= limit) {
        graph->status = FGPU_E_LIMIT;
        return false;
    }
    if (count > 0 && (count & (count - 1)) != 0)
        return true;
    void *larger = realloc(*table, (count > 0 ? 2 * count : 1) * record_bytes);
    if (!larger) {
        graph->status = FGPU_E_NOMEM;
        return false;
    }
    *table = larger;
    return true;
}

uint32_t sim_graph_kernel(struct sim_graph *graph, const char *name, const char *instead)
{
    for (uint32_t i = 0; i < graph->kernel_count; i++)
        if (strncmp(graph->kernels[i].name, name, SIM_NAME_BYTES - 1) == 0)
            return i;
    if (!sim_graph_grow(graph, (void **)&graph->kernels, graph->kernel_count, CLI_SIM_KERNELS_LIMIT,
                        sizeof *graph->kernels))
        return 0;
    struct sim_kernel *kernel = &graph->kernels[graph->kernel_count];
    (void)snprintf(kernel->name, sizeof kernel->name, "%s", name);
    (void)snprintf(kernel->instead, sizeof kernel->instead, "%s", instead ? instead : "");
    return graph->kernel_count++;
}

void sim_graph_cost(struct sim_graph *graph, const struct sim_cost *cost)
{
    if (sim_graph_grow(graph, (void **)&graph->costs, graph->cost_count, CLI_SIM_COSTS_LIMIT,
                       sizeof *graph->costs))
        graph->costs[graph->cost_count++] = *cost;
}

uint32_t sim_graph_data(struct sim_graph *graph, uint64_t bytes)
{
    if (graph->status == FGPU_OK && bytes > CLI_WORKLOAD_BYTES_LIMIT - graph->total_bytes)
        graph->status = FGPU_E_LIMIT;
    if (!sim_graph_grow(graph, (void **)&graph->data_bytes, graph->data_count, CLI_SIM_DATA_LIMIT,
                        sizeof *graph->data_bytes))
        return 0;
    graph->data_bytes[graph->data_count] = bytes;
    graph->total_bytes += bytes;
    return graph->data_count++;
}

uint32_t sim_graph_task(struct sim_graph *graph, const struct sim_task *task)
{
    if (!sim_graph_grow(graph, (void **)&graph->tasks, graph->task_count, CLI_SIM_TASKS_LIMIT,
                        sizeof *graph->tasks))
        return 0;
    struct sim_task *added = &graph->tasks[graph->task_count];
    *added = *task;
    added->access_first = graph->access_count;
    added->after_first = graph->after_count;
    added->access_count = added->after_count = 0;
    added->name = SIM_NO_NAME;
    graph->flops += task->flops;
    graph->flops_count += task->flops > 0;
    return graph->task_count++;
}

void sim_graph_access(struct sim_graph *graph, uint32_t data, fgpu_access mode)
{
    if (!sim_graph_grow(graph, (void **)&graph->accesses, graph->access_count,
                        CLI_SIM_ACCESSES_LIMIT, sizeof *graph->accesses))
        return;
    graph->accesses[graph->access_count++] = (fgpu_sim_access){.data = data, .mode = mode};
    graph->tasks[graph->task_count - 1].access_count++;
}

void sim_graph_read_whole(struct sim_graph *graph, uint32_t data)
{
    sim_graph_access(graph, data, FGPU_READ);
    if (graph->status == FGPU_OK && graph->tasks[graph->task_count - 1].parts > 1)
        graph->accesses[graph->access_count - 1].mode |= FGPU_SIM_WHOLE;
}

void sim_graph_after(struct sim_graph *graph, uint32_t task)
{
    if (!sim_graph_grow(graph, (void **)&graph->after, graph->after_count, CLI_SIM_AFTER_LIMIT,
                        sizeof *graph->after))
        return;
    graph->after[graph->after_count++] = task;
    graph->tasks[graph->task_count - 1].after_count++;
}

void sim_graph_name(struct sim_graph *graph, const char *format, ...)
{
    char text[SIM_NAME_BYTES];
    va_list values;

    if (graph->status != FGPU_OK || !graph->wants_names)
        return;
    va_start(values, format);
    (void)vsnprintf(text, sizeof text, format, values);
    va_end(values);
    graph->tasks[graph->task_count - 1].name = graph->names_bytes;
    for (const char *letter = text;; letter++) {
        if (!sim_graph_grow(graph, (void **)&graph->names, graph->names_bytes, UINT64_MAX, 1)) {
            graph->tasks[graph->task_count - 1].name = SIM_NO_NAME;
            return;
        }
        graph->names[graph->names_bytes++] = *letter;
        if (!*letter)
            return;
    }
}

const char *sim_graph_task_name(const struct sim_graph *graph, uint32_t task)
{
    uint64_t name = task < graph->task_count ? graph->tasks[task].name : SIM_NO_NAME;

    return name == SIM_NO_NAME ? "" : graph->names + name;
}
