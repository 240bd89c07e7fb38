/* From trace records to the record of a run: see evaluate_trace.h. */
#include "cli/evaluate/evaluate_trace.h"
#include "cli/common/text_cut.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- kinds of tasks */

struct kind_key {
    uint64_t global[3];
    uint32_t local[3];
    uint32_t kernel;
    uint32_t dims;
    uint32_t task; /* not compared */
};

static int kind_compare(const void *left, const void *right)
{
    return memcmp(left, right, offsetof(struct kind_key, task));
}

static void kind_number(struct kind_key *keys, uint32_t count, struct evaluate_costs *costs)
{
    qsort(keys, count, sizeof *keys, kind_compare);
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || kind_compare(&keys[i - 1], &keys[i]) != 0)
            costs->kind_count++;
        costs->kinds[keys[i].task] = costs->kind_count - 1;
    }
}

fgpu_status evaluate_costs_init(struct evaluate_costs *costs, const struct workload *workload,
                                uint32_t device_count)
{
    size_t room = (size_t)workload->task_count + 1;
    struct kind_key *keys = calloc(room, sizeof *keys);

    *costs = (struct evaluate_costs){.device_count = device_count};
    costs->kinds = calloc(room, sizeof *costs->kinds);
    for (uint32_t i = 0; keys && costs->kinds && i < workload->task_count; i++) {
        const struct workload_task *task = &workload->tasks[i];
        keys[i].kernel = task->kernel;
        keys[i].dims = task->dims;
        keys[i].task = i;
        memcpy(keys[i].global, task->global, sizeof keys[i].global);
        memcpy(keys[i].local, task->local, sizeof keys[i].local);
    }
    if (keys && costs->kinds) {
        kind_number(keys, workload->task_count, costs);
        costs->run_ns = calloc((size_t)costs->kind_count * device_count + 1, sizeof(uint64_t));
    }
    free(keys);
    if (costs->run_ns)
        return FGPU_OK;
    evaluate_costs_fini(costs);
    return FGPU_E_NOMEM;
}

void evaluate_costs_fini(struct evaluate_costs *costs)
{
    free(costs->kinds);
    free(costs->run_ns);
    *costs = (struct evaluate_costs){0};
}

/* ---- reading */

struct trace_reader {
    struct evaluation *evaluation;
    const struct workload_session_index *index; /* NULL: compilations alone */
    struct evaluate_costs *costs;
    bool is_shown;
    bool is_out_of_memory;
};

/* Room for one more behind `count`: tables double. NULL without memory. */
static void *trace_grow(struct trace_reader *reader, void *table, uint32_t count, size_t bytes)
{
    if (count != 0 && (count & (count - 1)) != 0)
        return table;
    void *grown = reallocarray(table, count == 0 ? 1 : (size_t)count * 2, bytes);
    if (!grown)
        reader->is_out_of_memory = true;
    return grown;
}

static void trace_take_build(struct trace_reader *reader, const fgpu_trace_record *record)
{
    struct evaluation *evaluation = reader->evaluation;
    struct evaluation_build build = {
        .device = record->device, .start_ns = record->start_ns, .end_ns = record->end_ns};

    (void)text_cut(build.name, sizeof build.name, "%s", record->name);
    for (uint32_t i = 0; i < evaluation->build_count; i++) /* read before: few kernels */
        if (evaluation->builds[i].start_ns == build.start_ns &&
            evaluation->builds[i].device == build.device &&
            strcmp(evaluation->builds[i].name, build.name) == 0)
            return;
    struct evaluation_build *table =
        trace_grow(reader, evaluation->builds, evaluation->build_count, sizeof *table);
    if (!table)
        return;
    evaluation->builds = table;
    table[evaluation->build_count++] = build;
}

static void trace_take_copy(struct trace_reader *reader, const fgpu_trace_record *record,
                            uint32_t task)
{
    struct evaluation *evaluation = reader->evaluation;
    struct evaluation_copy *table =
        trace_grow(reader, evaluation->copies, evaluation->copy_count, sizeof *table);

    if (!table)
        return;
    evaluation->copies = table;
    table[evaluation->copy_count++] = (struct evaluation_copy){
        .task = task,
        .device = record->device,
        .node_from = record->node,
        .node_to = record->node_to,
        .queue = record->queue,
        .start_ns = record->start_ns,
        .end_ns = record->end_ns,
        .bytes = record->bytes,
    };
}

/* A device may have queues beside its own, for kernels that do not fill it: used ones are shown,
 * and a run then takes a queue's share of its cores at least. */
static void trace_take_queue(struct evaluation *evaluation, const fgpu_trace_record *record)
{
    if (record->device >= evaluation->device_count)
        return;
    fgpu_device_info *info = &evaluation->devices[record->device].info;
    if (record->queue >= info->queue_count)
        info->queue_count = record->queue + 1;
}

static void trace_take_run(struct trace_reader *reader, const fgpu_trace_record *record,
                           uint32_t number)
{
    struct evaluate_costs *costs = reader->costs;
    uint64_t run_ns = record->end_ns - record->start_ns;

    trace_take_queue(reader->evaluation, record);
    if (record->device < costs->device_count && record->end_ns > record->start_ns) {
        uint64_t *shortest =
            &costs->run_ns[(size_t)costs->kinds[number] * costs->device_count + record->device];
        if (*shortest == 0 || run_ns < *shortest)
            *shortest = run_ns;
    }
    if (!reader->is_shown)
        return;
    struct evaluation_task *task = &reader->evaluation->tasks[number];
    task->device = record->device;
    task->queue = record->queue;
    task->start_ns = record->start_ns;
    task->end_ns = record->end_ns;
    task->predicted_ns = record->predicted_ns;
}

static void trace_take_task(struct trace_reader *reader, const fgpu_trace_record *record,
                            uint32_t number)
{
    struct evaluation_task *task = &reader->evaluation->tasks[number];

    task->submit_ns = record->start_ns;
    task->ready_ns = record->ready_ns;
    task->done_ns = record->end_ns;
    task->status = record->status;
}

static void trace_take(void *user, const fgpu_trace_record *record)
{
    struct trace_reader *reader = user;

    if (record->kind == FGPU_TRACE_BUILD)
        trace_take_build(reader, record);
    if (!reader->index)
        return;
    uint32_t number = workload_session_find(reader->index, record->task);
    bool is_task = number != UINT32_MAX;
    if (record->kind == FGPU_TRACE_RUN && is_task)
        trace_take_run(reader, record, number);
    else if (record->kind == FGPU_TRACE_TASK && is_task && reader->is_shown)
        trace_take_task(reader, record, number);
    else if (record->kind == FGPU_TRACE_COPY && reader->is_shown &&
             record->start_ns >= reader->evaluation->traced.start_ns)
        trace_take_copy(reader, record, is_task ? number : EVALUATION_NONE);
}

static int latency_compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* The value that a share of `percent` is not above: the nearest rank. */
static uint64_t latency_rank(const uint64_t *sorted, uint32_t count, uint32_t percent)
{
    uint64_t rank = ((uint64_t)count * percent + 99) / 100;

    return sorted[rank > 0 ? rank - 1 : 0];
}

static void trace_find_latency(struct evaluation *evaluation)
{
    uint32_t task_count = evaluation->workload->task_count, count = 0;
    uint64_t *times = malloc(((size_t)task_count + 1) * sizeof *times);
    double sum = 0.0;

    for (uint32_t i = 0; times && i < task_count; i++) {
        const struct evaluation_task *task = &evaluation->tasks[i];
        if (task->status != FGPU_OK || task->done_ns <= task->submit_ns || task->submit_ns == 0)
            continue;
        times[count++] = task->done_ns - task->submit_ns;
        sum += (double)(task->done_ns - task->submit_ns);
    }
    if (count > 0) {
        qsort(times, count, sizeof *times, latency_compare);
        evaluation->latency = (struct evaluation_latency){
            .mean_ns = (uint64_t)(sum / count),
            .p50_ns = latency_rank(times, count, 50),
            .p99_ns = latency_rank(times, count, 99),
            .max_ns = times[count - 1],
            .is_known = true,
        };
    }
    free(times);
}

static fgpu_status trace_make_tasks(struct evaluation *evaluation)
{
    uint32_t count = evaluation->workload->task_count;

    evaluation->tasks = calloc((size_t)count + 1, sizeof *evaluation->tasks);
    if (!evaluation->tasks)
        return FGPU_E_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        evaluation->tasks[i].device = EVALUATION_NONE;
    return FGPU_OK;
}

fgpu_status evaluate_read_trace(struct evaluation *evaluation,
                                const struct workload_session *session,
                                struct evaluate_costs *costs, bool is_shown)
{
    struct trace_reader reader = {.evaluation = evaluation, .costs = costs, .is_shown = is_shown};
    struct workload_session_index *index;

    fgpu_status status = workload_session_index_make(session, &index);
    if (status == FGPU_OK && is_shown)
        status = trace_make_tasks(evaluation);
    reader.index = index;
    if (status == FGPU_OK)
        status = fgpu_trace_read(session->pool, trace_take, &reader);
    workload_session_index_free(index);
    if (status == FGPU_OK && reader.is_out_of_memory)
        status = FGPU_E_NOMEM;
    if (status != FGPU_OK || !is_shown)
        return status;
    for (uint32_t i = 0; i < evaluation->workload->task_count; i++)
        if (session->results[i] != FGPU_OK)
            evaluation->tasks[i].status = session->results[i];
    evaluation->is_traced = true;
    trace_find_latency(evaluation);
    return FGPU_OK;
}

fgpu_status evaluate_read_builds(struct evaluation *evaluation, fgpu_pool pool)
{
    struct trace_reader reader = {.evaluation = evaluation};

    fgpu_status status = fgpu_trace_read(pool, trace_take, &reader);
    return status == FGPU_OK && reader.is_out_of_memory ? FGPU_E_NOMEM : status;
}

/* ---- the lower bound */

struct bound_groups {
    double cores[EVALUATION_DEVICES_LIMIT];   /* by group */
    double of_run[EVALUATION_DEVICES_LIMIT];  /* by device */
    uint32_t group[EVALUATION_DEVICES_LIMIT]; /* by device */
    uint32_t count;
};

/* Which devices share cores, and how many of them a run takes: an in-order queue that is the only
 * one of its device takes all. */
static void bound_find_groups(const struct evaluation *evaluation, struct bound_groups *groups)
{
    *groups = (struct bound_groups){0};
    for (uint32_t i = 0; i < evaluation->device_count; i++) {
        const fgpu_device_info *info = &evaluation->devices[i].info;
        uint32_t queues = info->queue_count > 0 ? info->queue_count : 1, group = groups->count;
        double cores = (info->valid & FGPU_INFO_UNITS) ? info->compute_units : queues;
        for (uint32_t j = 0; j < i && (info->valid & FGPU_INFO_RESOURCE_GROUP); j++) {
            const fgpu_device_info *other = &evaluation->devices[j].info;
            if ((other->valid & FGPU_INFO_RESOURCE_GROUP) &&
                other->resource_group == info->resource_group)
                group = groups->group[j];
        }
        groups->group[i] = group;
        groups->of_run[i] = cores / queues;
        if (group == groups->count)
            groups->count++;
        if (cores > groups->cores[group])
            groups->cores[group] = cores;
    }
}

static void bound_fill_costs(const struct evaluation *evaluation,
                             const struct evaluate_costs *costs, const struct bound_groups *groups,
                             struct bound_cost *list)
{
    uint32_t devices = costs->device_count;

    for (uint32_t i = 0; i < evaluation->workload->task_count; i++)
        for (uint32_t d = 0; d < devices; d++)
            list[(size_t)i * devices + d] = (struct bound_cost){
                .run_ns = costs->run_ns[(size_t)costs->kinds[i] * devices + d],
                .cores = groups->of_run[d],
                .group = groups->group[d],
            };
}

void evaluate_find_bound(struct evaluation *evaluation, const struct evaluate_costs *costs)
{
    const struct workload *workload = evaluation->workload;
    struct bound_groups groups;

    if (workload_edges_init(&evaluation->edges, workload) != FGPU_OK)
        return;
    bound_find_groups(evaluation, &groups);
    struct bound_cost *list =
        calloc((size_t)workload->task_count * costs->device_count + 1, sizeof *list);
    if (!list)
        return;
    bound_fill_costs(evaluation, costs, &groups, list);
    const struct bound_input input = {
        .task_count = workload->task_count,
        .device_count = costs->device_count,
        .costs = list,
        .group_cores = groups.cores,
        .group_count = groups.count,
        .edges = &evaluation->edges,
    };
    evaluation->is_bound_known = bound_compute(&input, &evaluation->bound) == FGPU_OK &&
                                 evaluation->bound.unknown_count < workload->task_count;
    free(list);
}
