/* Buffers on an OpenCL device without the pool: see baseline_opencl.h. */
#include <stdlib.h>
#include <string.h>

#include "cli/baseline/baseline_opencl.h"
#include "cli/common/why.h"

/* ---- views */

static int cl_memory_compare(const void *left, const void *right)
{
    const struct cl_view *a = left, *b = right;

    if (a->buffer != b->buffer)
        return a->buffer < b->buffer ? -1 : 1;
    if (a->offset_bytes != b->offset_bytes)
        return a->offset_bytes < b->offset_bytes ? -1 : 1;
    return (a->size_bytes > b->size_bytes) - (a->size_bytes < b->size_bytes);
}

static struct cl_view cl_memory_view(const struct baseline *baseline, uint32_t index)
{
    const fgpu_region *region = &baseline->regions[index];

    return (struct cl_view){baseline->workload->args[index].buffer, region->offset_bytes,
                            (region->rows - 1) * region->pitch_bytes + region->row_bytes};
}

fgpu_status cl_memory_list_views(struct baseline *baseline)
{
    const struct workload *workload = baseline->workload;
    struct cl_side *side = baseline->side;
    uint32_t count = 0;

    side->views = calloc((size_t)workload->arg_count + 1, sizeof *side->views);
    side->view_of = calloc((size_t)workload->arg_count + 1, sizeof *side->view_of);
    if (!side->views || !side->view_of)
        return FGPU_E_NOMEM;
    for (uint32_t i = 0; i < workload->arg_count; i++)
        if (workload->args[i].kind == FGPU_ARG_BUFFER && baseline->regions[i].offset_bytes > 0)
            side->views[count++] = cl_memory_view(baseline, i);
    qsort(side->views, count, sizeof *side->views, cl_memory_compare);
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || cl_memory_compare(&side->views[side->view_count - 1], &side->views[i]) != 0)
            side->views[side->view_count++] = side->views[i];
    for (uint32_t i = 0; i < workload->arg_count; i++) {
        side->view_of[i] = CL_SIDE_WHOLE;
        if (workload->args[i].kind != FGPU_ARG_BUFFER || baseline->regions[i].offset_bytes == 0)
            continue;
        struct cl_view view = cl_memory_view(baseline, i),
                       *found = bsearch(&view, side->views, side->view_count, sizeof view,
                                        cl_memory_compare);
        side->view_of[i] = (uint32_t)(found - side->views);
    }
    return FGPU_OK;
}

static bool cl_memory_is_staged(const struct cl_side *side, const struct cl_view *view)
{
    return view->offset_bytes % side->align_bytes != 0;
}

/* ---- buffers */

static cl_int cl_memory_make_whole(const struct baseline *baseline, struct cl_memory *memory,
                                   uint32_t buffer)
{
    const struct cl_side *side = baseline->side;
    const struct baseline_host *host = &baseline->hosts[buffer];
    cl_mem_flags flags = CL_MEM_READ_WRITE;
    cl_int error = CL_SUCCESS;

    if (!host->is_used)
        return CL_SUCCESS;
    if (memory->is_zero_copy)
        flags = CL_MEM_USE_HOST_PTR | (host->is_written ? CL_MEM_READ_WRITE : CL_MEM_READ_ONLY);
    uint64_t bytes = baseline->workload->buffers[buffer].size_bytes;
    memory->whole[buffer] = side->cl.clCreateBuffer(
        side->context, flags, bytes, memory->is_zero_copy ? host->memory : NULL, &error);
    if (error != CL_SUCCESS || memory->is_zero_copy || !host->is_constant)
        return error;
    return side->cl.clEnqueueWriteBuffer(side->queue, memory->whole[buffer], CL_TRUE, 0, bytes,
                                         host->memory, 0, NULL, NULL);
}

static cl_int cl_memory_make_view(const struct baseline *baseline, struct cl_memory *memory,
                                  uint32_t index)
{
    const struct cl_side *side = baseline->side;
    const struct cl_view *view = &side->views[index];
    const cl_buffer_region region = {view->offset_bytes, view->size_bytes};
    cl_int error = CL_SUCCESS;

    if (cl_memory_is_staged(side, view))
        memory->views[index] = side->cl.clCreateBuffer(side->context, CL_MEM_READ_WRITE,
                                                       view->size_bytes, NULL, &error);
    else
        memory->views[index] = side->cl.clCreateSubBuffer(
            memory->whole[view->buffer], 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &error);
    return error;
}

static fgpu_status cl_memory_make(struct baseline *baseline, struct baseline_run *run)
{
    struct cl_side *side = baseline->side;
    struct cl_memory *memory = &side->memory[run->way];
    uint32_t count = baseline->workload->buffer_count;
    cl_int error = CL_SUCCESS;

    if (memory->is_made)
        return FGPU_OK;
    memory->is_made = true; /* from now on there may be something to give back */
    memory->is_zero_copy = run->way == BASELINE_QUEUE && side->has_host_memory;
    memory->whole = calloc((size_t)count + 1, sizeof *memory->whole);
    memory->mapped = calloc((size_t)count + 1, sizeof *memory->mapped);
    memory->views = calloc((size_t)side->view_count + 1, sizeof *memory->views);
    if (!memory->whole || !memory->views || !memory->mapped)
        error = CL_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; i < count && error == CL_SUCCESS; i++)
        error = cl_memory_make_whole(baseline, memory, i);
    for (uint32_t i = 0; i < side->view_count && error == CL_SUCCESS; i++)
        error = cl_memory_make_view(baseline, memory, i);
    if (error != CL_SUCCESS)
        return cl_side_fail(side, error, "buffers cannot be made", run->why, run->why_bytes);
    return FGPU_OK;
}

/* Takes the outputs back from the host. */
static cl_int cl_memory_unmap(const struct baseline *baseline, struct cl_memory *memory)
{
    const struct cl_side *side = baseline->side;
    cl_int error = CL_SUCCESS;

    for (uint32_t i = 0; memory->mapped && i < baseline->workload->buffer_count; i++) {
        if (!memory->mapped[i])
            continue;
        cl_int failed = side->cl.clEnqueueUnmapMemObject(side->queue, memory->whole[i],
                                                         memory->mapped[i], 0, NULL, NULL);
        memory->mapped[i] = NULL;
        error = failed != CL_SUCCESS ? failed : error;
    }
    return error;
}

/* Memory that both share is written as OpenCL wants it: mapped. */
static cl_int cl_memory_refill(const struct baseline *baseline, const struct cl_memory *memory)
{
    const struct cl_side *side = baseline->side;
    cl_int error = CL_SUCCESS;

    for (uint32_t i = 0; i < baseline->workload->buffer_count && error == CL_SUCCESS; i++) {
        if (!baseline_is_refilled(baseline, i))
            continue;
        void *mapped = side->cl.clEnqueueMapBuffer(
            side->queue, memory->whole[i], CL_TRUE, CL_MAP_WRITE_INVALIDATE_REGION, 0,
            baseline->workload->buffers[i].size_bytes, 0, NULL, NULL, &error);
        if (error != CL_SUCCESS)
            break;
        baseline_refill(baseline, i, mapped);
        error =
            side->cl.clEnqueueUnmapMemObject(side->queue, memory->whole[i], mapped, 0, NULL, NULL);
    }
    return error;
}

fgpu_status cl_memory_prepare(struct baseline *baseline, struct baseline_run *run)
{
    struct cl_side *side = baseline->side;
    struct cl_memory *memory = &side->memory[run->way];
    cl_int error = cl_memory_unmap(baseline, &side->memory[BASELINE_QUEUE]);
    fgpu_status status = cl_memory_make(baseline, run);

    if (status != FGPU_OK)
        return status;
    if (error == CL_SUCCESS && memory->is_zero_copy)
        error = cl_memory_refill(baseline, memory);
    else
        baseline_refill_all(baseline);
    if (error == CL_SUCCESS)
        error = side->cl.clFinish(side->queue);
    if (error != CL_SUCCESS)
        return cl_side_fail(side, error, "buffers cannot be filled", run->why, run->why_bytes);
    return FGPU_OK;
}

cl_mem cl_memory_of(const struct baseline *baseline, const struct baseline_run *run, uint32_t index)
{
    const struct cl_side *side = baseline->side;
    const struct cl_memory *memory = &side->memory[run->way];
    uint32_t view = side->view_of[index];

    return view == CL_SIDE_WHOLE ? memory->whole[baseline->workload->args[index].buffer]
                                 : memory->views[view];
}

/* ---- copies */

cl_int cl_memory_stage(const struct baseline *baseline, const struct baseline_run *run,
                       const struct workload_task *task, bool is_before)
{
    const struct cl_side *side = baseline->side;
    const struct cl_memory *memory = &side->memory[run->way];
    cl_int error = CL_SUCCESS;

    for (uint32_t i = task->arg_first; i < task->arg_first + task->arg_count; i++) {
        const struct workload_arg *arg = &baseline->workload->args[i];
        if (arg->kind != FGPU_ARG_BUFFER || side->view_of[i] == CL_SIDE_WHOLE)
            continue;
        const struct cl_view *view = &side->views[side->view_of[i]];
        if (!cl_memory_is_staged(side, view) || (!is_before && !baseline_writes(arg)))
            continue;
        cl_mem whole = memory->whole[view->buffer], part = memory->views[side->view_of[i]];
        error = side->cl.clEnqueueCopyBuffer(
            side->queue, is_before ? whole : part, is_before ? part : whole,
            is_before ? view->offset_bytes : 0, is_before ? 0 : view->offset_bytes,
            view->size_bytes, 0, NULL, NULL);
        if (error != CL_SUCCESS)
            return error;
    }
    return error;
}

static cl_int cl_memory_copy_rows(const struct cl_side *side, cl_mem memory, unsigned char *host,
                                  const fgpu_region *region, bool is_in)
{
    const size_t at[3] = {region->offset_bytes, 0, 0}, none[3] = {0, 0, 0};
    const size_t size[3] = {region->row_bytes, region->rows, 1};

    if (is_in)
        return side->cl.clEnqueueWriteBufferRect(side->queue, memory, CL_FALSE, at, none, size,
                                                 region->pitch_bytes, 0, region->pitch_bytes, 0,
                                                 host, 0, NULL, NULL);
    return side->cl.clEnqueueReadBufferRect(side->queue, memory, CL_FALSE, at, none, size,
                                            region->pitch_bytes, 0, region->pitch_bytes, 0, host, 0,
                                            NULL, NULL);
}

static cl_int cl_memory_copy_region(const struct baseline *baseline, struct baseline_run *run,
                                    uint32_t buffer, const fgpu_region *region, bool is_in)
{
    const struct cl_side *side = baseline->side;
    cl_mem memory = side->memory[run->way].whole[buffer];
    unsigned char *host = baseline->hosts[buffer].memory + region->offset_bytes;

    run->copied_bytes += region->row_bytes * region->rows;
    if (region->rows > 1)
        return cl_memory_copy_rows(side, memory, host, region, is_in);
    if (is_in)
        return side->cl.clEnqueueWriteBuffer(side->queue, memory, CL_FALSE, region->offset_bytes,
                                             region->row_bytes, host, 0, NULL, NULL);
    return side->cl.clEnqueueReadBuffer(side->queue, memory, CL_FALSE, region->offset_bytes,
                                        region->row_bytes, host, 0, NULL, NULL);
}

cl_int cl_memory_copy(const struct baseline *baseline, struct baseline_run *run, uint32_t index,
                      bool is_in)
{
    return cl_memory_copy_region(baseline, run, baseline->workload->args[index].buffer,
                                 &baseline->regions[index], is_in);
}

cl_int cl_memory_begin(const struct baseline *baseline, struct baseline_run *run)
{
    const struct cl_side *side = baseline->side;
    cl_int error = CL_SUCCESS;

    if (side->memory[run->way].is_zero_copy)
        return CL_SUCCESS;
    for (uint32_t i = 0; i < baseline->workload->buffer_count && error == CL_SUCCESS; i++) {
        const struct baseline_host *host = &baseline->hosts[i];
        fgpu_region all = fgpu_region_span(0, baseline->workload->buffers[i].size_bytes);
        if (host->is_used && baseline->data->memory[i] && !host->is_constant)
            error = cl_memory_copy_region(baseline, run, i, &all, true);
    }
    return error;
}

cl_int cl_memory_end(const struct baseline *baseline, struct baseline_run *run)
{
    struct cl_side *side = baseline->side;
    struct cl_memory *memory = &side->memory[run->way];
    cl_int error = CL_SUCCESS;

    for (uint32_t i = 0; i < baseline->workload->buffer_count && error == CL_SUCCESS; i++) {
        const struct baseline_host *host = &baseline->hosts[i];
        fgpu_region all = fgpu_region_span(0, baseline->workload->buffers[i].size_bytes);
        if (!host->is_output || !host->is_written)
            continue;
        if (memory->is_zero_copy)
            memory->mapped[i] =
                side->cl.clEnqueueMapBuffer(side->queue, memory->whole[i], CL_FALSE, CL_MAP_READ, 0,
                                            all.row_bytes, 0, NULL, NULL, &error);
        else
            error = cl_memory_copy_region(baseline, run, i, &all, false);
    }
    return error;
}

void cl_memory_close(struct baseline *baseline)
{
    struct cl_side *side = baseline->side;

    for (int way = 0; way < 2; way++) {
        struct cl_memory *memory = &side->memory[way];
        (void)cl_memory_unmap(baseline, memory);
        if (memory->is_made)
            (void)side->cl.clFinish(side->queue);
        for (uint32_t i = 0; memory->views && i < side->view_count; i++)
            if (memory->views[i])
                (void)side->cl.clReleaseMemObject(memory->views[i]);
        for (uint32_t i = 0; memory->whole && i < baseline->workload->buffer_count; i++)
            if (memory->whole[i])
                (void)side->cl.clReleaseMemObject(memory->whole[i]);
        free(memory->whole);
        free(memory->views);
        free(memory->mapped);
    }
    free(side->views);
    free(side->view_of);
}
