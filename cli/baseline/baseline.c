/* A workload without the pool: see baseline.h. What all devices share: the host's memory, what is
 * constant, clocks.
 *
 * Memory of buffers that no task writes is the data's own; the others have memory here, which gets
 * its content, where there is any, anew before each run, outside of the time. Nothing else is
 * touched then: what a run writes must not be in the caches before, as it is not for the pool. */
#include "cli/baseline/baseline_side.h"

#include <stdlib.h>
#include <string.h>

#include "cli/common/figures.h"
#include "cli/common/why.h"

bool baseline_reads(const struct workload_arg *arg)
{
    return arg->kind == FGPU_ARG_BUFFER && arg->access != FGPU_WRITE;
}

bool baseline_writes(const struct workload_arg *arg)
{
    return arg->kind == FGPU_ARG_BUFFER && arg->access != FGPU_READ;
}

bool baseline_copies_in(const struct baseline *baseline, const struct workload_task *task,
                        uint32_t index)
{
    const struct workload_arg *args = &baseline->workload->args[task->arg_first];
    const fgpu_region *regions = &baseline->regions[task->arg_first];

    if (!baseline_reads(&args[index]) || baseline->hosts[args[index].buffer].is_constant)
        return false;
    for (uint32_t i = 0; i < index; i++)
        if (baseline_reads(&args[i]) && args[i].buffer == args[index].buffer &&
            memcmp(&regions[i], &regions[index], sizeof *regions) == 0)
            return false;
    return true;
}

bool baseline_copies_out(const struct workload_arg *arg)
{
    return baseline_writes(arg);
}

const char *baseline_task_name(const struct workload *workload, uint32_t task)
{
    const struct workload_task *named = &workload->tasks[task];

    return named->name[0] ? named->name : workload->kernels[named->kernel].name;
}

bool baseline_is_stopped(const struct baseline_run *run)
{
    return run->stop && *run->stop;
}

/* What becomes of each buffer. */
static void baseline_look(struct baseline *baseline)
{
    const struct workload *workload = baseline->workload;

    for (uint32_t i = 0; i < workload->arg_count; i++) {
        const struct workload_arg *arg = &workload->args[i];
        if (arg->kind != FGPU_ARG_BUFFER)
            continue;
        baseline->regions[i] = workload_edges_region(workload, arg);
        baseline->hosts[arg->buffer].is_used = true;
        baseline->hosts[arg->buffer].is_written |= baseline_writes(arg);
    }
    for (uint32_t i = 0; i < workload->output_count; i++)
        baseline->hosts[workload->outputs[i].buffer].is_output = true;
    for (uint32_t i = 0; i < workload->buffer_count; i++)
        baseline->hosts[i].is_constant = baseline->data->memory[i] &&
                                         !baseline->hosts[i].is_written &&
                                         !workload->buffers[i].is_picture;
}

bool baseline_owns(const struct baseline *baseline, uint32_t buffer)
{
    return baseline->hosts[buffer].memory &&
           baseline->hosts[buffer].memory != baseline->data->memory[buffer];
}

static fgpu_status baseline_make_memory(struct baseline *baseline, char *why, size_t why_bytes)
{
    const struct workload *workload = baseline->workload;

    for (uint32_t i = 0; i < workload->buffer_count; i++) {
        struct baseline_host *host = &baseline->hosts[i];
        if (!host->is_written && baseline->data->memory[i])
            host->memory = baseline->data->memory[i];
        else if (host->is_used || host->is_output)
            host->memory = fgpu_host_alloc(workload->buffers[i].size_bytes);
        else
            continue;
        if (!host->memory)
            return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory for the buffer %s",
                            workload->buffers[i].name);
        if (baseline_owns(baseline, i))
            memset(host->memory, 0, workload->buffers[i].size_bytes);
    }
    return FGPU_OK;
}

static const struct baseline_driver *baseline_find_driver(const fgpu_device_info *info)
{
    if (strcmp(info->backend, "opencl") == 0)
        return &baseline_opencl;
    return strcmp(info->backend, "cpu") == 0 ? &baseline_native : NULL;
}

fgpu_status baseline_open(const struct workload *workload, const struct workload_data *data,
                          const fgpu_device_info *info, struct baseline **opened, char *why,
                          size_t why_bytes)
{
    struct baseline *baseline = calloc(1, sizeof *baseline);
    fgpu_status status = FGPU_E_NOMEM;

    *opened = NULL;
    if (!baseline)
        goto fail;
    *baseline = (struct baseline){.workload = workload, .data = data, .info = *info};
    baseline->hosts = calloc((size_t)workload->buffer_count + 1, sizeof *baseline->hosts);
    baseline->regions = calloc((size_t)workload->arg_count + 1, sizeof *baseline->regions);
    if (!baseline->hosts || !baseline->regions)
        goto fail;
    baseline_look(baseline);
    baseline->driver = baseline_find_driver(info);
    if (!baseline->driver) {
        status = why_fail(FGPU_E_UNSUPPORTED, why, why_bytes,
                          "%s: there is no way without the pool for devices of the backend %s",
                          info->id, info->backend);
        goto close;
    }
    status = baseline->driver->open(baseline, why, why_bytes);
    if (status == FGPU_OK)
        status = baseline_make_memory(baseline, why, why_bytes);
    if (status != FGPU_OK)
        goto close;
    *opened = baseline;
    return FGPU_OK;
fail:
    (void)why_fail(status, why, why_bytes, "no memory to run the workload without the pool");
close:
    baseline_close(baseline);
    return status;
}

bool baseline_is_refilled(const struct baseline *baseline, uint32_t buffer)
{
    return baseline_owns(baseline, buffer) && baseline->data->memory[buffer];
}

void baseline_refill(const struct baseline *baseline, uint32_t buffer, void *memory)
{
    memcpy(memory, baseline->data->memory[buffer], baseline->workload->buffers[buffer].size_bytes);
}

void baseline_refill_all(const struct baseline *baseline)
{
    for (uint32_t i = 0; i < baseline->workload->buffer_count; i++)
        if (baseline_is_refilled(baseline, i))
            baseline_refill(baseline, i, baseline->hosts[i].memory);
}

fgpu_status baseline_run(struct baseline *baseline, enum baseline_way way,
                         const volatile sig_atomic_t *stop, struct baseline_result *result,
                         char *why, size_t why_bytes)
{
    struct baseline_run run = {.way = way, .stop = stop, .why = why, .why_bytes = why_bytes};

    *result = (struct baseline_result){0};
    fgpu_status status = baseline->driver->prepare(baseline, &run);
    if (status != FGPU_OK)
        return status;
    uint64_t cpu_ns = figures_cpu_ns(), wall_ns = figures_wall_ns();
    status = baseline->driver->run(baseline, &run);
    result->wall_ns = figures_wall_ns() - wall_ns;
    result->cpu_ns = figures_cpu_ns() - cpu_ns;
    result->work_ns = run.work_ns;
    result->copied_bytes = run.copied_bytes;
    return status;
}

const unsigned char *baseline_buffer(struct baseline *baseline, uint32_t buffer)
{
    if (buffer >= baseline->workload->buffer_count || !baseline->hosts[buffer].is_output)
        return NULL;
    return baseline->hosts[buffer].memory;
}

void baseline_close(struct baseline *baseline)
{
    if (!baseline)
        return;
    if (baseline->driver)
        baseline->driver->close(baseline);
    for (uint32_t i = 0; baseline->hosts && i < baseline->workload->buffer_count; i++)
        if (baseline_owns(baseline, i))
            fgpu_host_free(baseline->hosts[i].memory);
    free(baseline->hosts);
    free(baseline->regions);
    free(baseline);
}
