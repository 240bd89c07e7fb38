/* An OpenCL device without the pool: see baseline.h. The whole device, one in-order queue, kernels
 * compiled with the options that the pool uses. */
#include "cli/baseline/baseline_opencl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/filters/kernels.h"
#include "cli/common/why.h"

#define CL_SIDE_FLUSH_EVERY 16 /* launches */
#define CL_SIDE_LOG_BYTES 8192
#define CL_SIDE_FILTER_OPTIONS "-w" /* as the pool's filters: warnings are no news to users */

fgpu_status cl_side_fail(const struct cl_side *side, cl_int error, const char *what, char *why,
                         size_t why_bytes)
{
    char name[128] = "";
    fgpu_status status = FGPU_E_DEVICE;

    if (side->device)
        (void)side->cl.clGetDeviceInfo(side->device, CL_DEVICE_NAME, sizeof name - 1, name, NULL);
    if (error == CL_OUT_OF_HOST_MEMORY)
        status = FGPU_E_NOMEM;
    if (error == CL_MEM_OBJECT_ALLOCATION_FAILURE || error == CL_INVALID_BUFFER_SIZE)
        status = FGPU_E_DEVMEM;
    return why_fail(status, why, why_bytes, "without the pool, on %s: %s: OpenCL error %d", name,
                    what, (int)error);
}

/* ---- programs */

/* The text of a kernel, what its entry is called, and its options. */
struct cl_text {
    const char *source, *entry, *options;
};

static bool cl_side_text(const struct workload_kernel *kernel, struct cl_text *text)
{
    if (!kernel->filter) {
        *text =
            (struct cl_text){kernel->source, kernel->entry, kernel->options ? kernel->options : ""};
        return true;
    }
    for (size_t i = 0; i < kernel_text_count; i++)
        if (strcmp(kernel_texts[i].name, kernel->filter->file) == 0) {
            *text = (struct cl_text){kernel_texts[i].text, kernel->filter->name,
                                     CL_SIDE_FILTER_OPTIONS};
            return true;
        }
    return false;
}

static fgpu_status cl_side_fail_build(const struct cl_side *side, cl_program program,
                                      const char *name, char *why, size_t why_bytes)
{
    char *log = calloc(1, CL_SIDE_LOG_BYTES + 1);

    if (log)
        (void)side->cl.clGetProgramBuildInfo(program, side->device, CL_PROGRAM_BUILD_LOG,
                                             CL_SIDE_LOG_BYTES, log, NULL);
    fgpu_status status =
        why_fail(FGPU_E_BUILD, why, why_bytes, "the kernel %s cannot be compiled: %s", name,
                 log && log[0] ? log : "the compiler says nothing");
    free(log);
    return status;
}

/* The program of kernel `index`: that of an earlier one with the same text, or a new one. */
static fgpu_status cl_side_build(struct baseline *baseline, uint32_t index,
                                 const struct cl_text *text, char *why, size_t why_bytes)
{
    const struct workload *workload = baseline->workload;
    struct cl_side *side = baseline->side;
    struct cl_text other;
    cl_int error = CL_SUCCESS;

    for (uint32_t i = 0; i < index; i++)
        if (side->programs[i] && cl_side_text(&workload->kernels[i], &other) &&
            other.source == text->source && strcmp(other.options, text->options) == 0) {
            side->programs[index] = side->programs[i];
            return FGPU_OK;
        }
    side->programs[index] = side->cl.clCreateProgramWithSource(
        side->context, 1, (const char **)&text->source, NULL, &error);
    if (error != CL_SUCCESS)
        return cl_side_fail(side, error, "no program", why, why_bytes);
    error =
        side->cl.clBuildProgram(side->programs[index], 1, &side->device, text->options, NULL, NULL);
    if (error != CL_SUCCESS)
        return cl_side_fail_build(side, side->programs[index], workload->kernels[index].name, why,
                                  why_bytes);
    return FGPU_OK;
}

static fgpu_status cl_side_make_kernel(struct baseline *baseline, uint32_t index, char *why,
                                       size_t why_bytes)
{
    const struct workload_kernel *kernel = &baseline->workload->kernels[index];
    struct cl_side *side = baseline->side;
    size_t local[3] = {0, 0, 0};
    struct cl_text text;
    cl_int error = CL_SUCCESS;

    if (!cl_side_text(kernel, &text))
        return why_fail(FGPU_E_UNSUPPORTED, why, why_bytes, "the filter %s has no OpenCL C text",
                        kernel->name);
    fgpu_status status = cl_side_build(baseline, index, &text, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    side->kernels[index] = side->cl.clCreateKernel(side->programs[index], text.entry, &error);
    if (error == CL_INVALID_KERNEL_NAME)
        return why_fail(FGPU_E_BUILD, why, why_bytes, "%s has no kernel %s",
                        kernel->path ? kernel->path : kernel->name, text.entry);
    if (error != CL_SUCCESS)
        return cl_side_fail(side, error, text.entry, why, why_bytes);
    if (side->cl.clGetKernelWorkGroupInfo(side->kernels[index], side->device,
                                          CL_KERNEL_COMPILE_WORK_GROUP_SIZE, sizeof local, local,
                                          NULL) == CL_SUCCESS)
        for (uint32_t i = 0; i < 3; i++)
            side->locals[index][i] = (uint32_t)local[i];
    return FGPU_OK;
}

/* ---- opening */

static void cl_side_look(struct cl_side *side)
{
    cl_device_type type = 0;
    cl_bool is_unified = CL_FALSE;
    cl_uint align_bits = 0;

    (void)side->cl.clGetDeviceInfo(side->device, CL_DEVICE_TYPE, sizeof type, &type, NULL);
    (void)side->cl.clGetDeviceInfo(side->device, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof is_unified,
                                   &is_unified, NULL);
    (void)side->cl.clGetDeviceInfo(side->device, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof align_bits,
                                   &align_bits, NULL);
    side->has_host_memory = (type & CL_DEVICE_TYPE_CPU) || is_unified;
    side->align_bytes = align_bits >= 8 ? align_bits / 8 : 1;
}

static fgpu_status cl_side_find(struct baseline *baseline, char *why, size_t why_bytes)
{
    struct cl_side *side = baseline->side;
    cl_int error = CL_SUCCESS;
    unsigned index;

    if (sscanf(baseline->info.id, "opencl:%u", &index) != 1)
        return why_fail(FGPU_E_NODEVICE, why, why_bytes, "%s is no OpenCL device",
                        baseline->info.id);
    fgpu_status status = opencl_library_open(&side->cl, why, why_bytes);
    if (status == FGPU_OK)
        status = opencl_library_find(&side->cl, index, baseline->info.name, &side->device, why,
                                     why_bytes);
    if (status != FGPU_OK)
        return status;
    cl_side_look(side);
    side->context = side->cl.clCreateContext(NULL, 1, &side->device, NULL, NULL, &error);
    if (error == CL_SUCCESS)
        side->queue = side->cl.clCreateCommandQueue(side->context, side->device, 0, &error);
    if (error != CL_SUCCESS)
        return cl_side_fail(side, error, "no queue", why, why_bytes);
    return FGPU_OK;
}

static fgpu_status cl_side_open(struct baseline *baseline, char *why, size_t why_bytes)
{
    size_t count = (size_t)baseline->workload->kernel_count + 1;
    struct cl_side *side = calloc(1, sizeof *side);

    baseline->side = side;
    if (side) {
        side->programs = calloc(count, sizeof *side->programs);
        side->kernels = calloc(count, sizeof *side->kernels);
        side->locals = calloc(count, sizeof *side->locals);
    }
    if (!side || !side->programs || !side->kernels || !side->locals ||
        cl_memory_list_views(baseline) != FGPU_OK)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory to drive %s", baseline->info.id);
    fgpu_status status = cl_side_find(baseline, why, why_bytes);
    for (uint32_t i = 0; i < baseline->workload->kernel_count && status == FGPU_OK; i++)
        status = cl_side_make_kernel(baseline, i, why, why_bytes);
    return status;
}

static void cl_side_close(struct baseline *baseline)
{
    struct cl_side *side = baseline->side;

    if (!side)
        return;
    cl_memory_close(baseline);
    for (uint32_t i = 0; side->kernels && i < baseline->workload->kernel_count; i++)
        if (side->kernels[i])
            (void)side->cl.clReleaseKernel(side->kernels[i]);
    for (uint32_t i = 0; side->programs && i < baseline->workload->kernel_count; i++) {
        bool is_shared = false;
        for (uint32_t j = 0; j < i; j++)
            is_shared |= side->programs[j] == side->programs[i];
        if (side->programs[i] && !is_shared)
            (void)side->cl.clReleaseProgram(side->programs[i]);
    }
    if (side->queue)
        (void)side->cl.clReleaseCommandQueue(side->queue);
    if (side->context)
        (void)side->cl.clReleaseContext(side->context);
    free(side->programs);
    free(side->kernels);
    free(side->locals);
    free(side);
}

/* ---- running */

static cl_int cl_side_set_args(const struct baseline *baseline, const struct baseline_run *run,
                               const struct workload_task *task)
{
    const struct cl_side *side = baseline->side;
    cl_kernel kernel = side->kernels[task->kernel];
    cl_int error = CL_SUCCESS;

    for (uint32_t i = 0; i < task->arg_count && error == CL_SUCCESS; i++) {
        const struct workload_arg *arg = &baseline->workload->args[task->arg_first + i];
        if (arg->kind == FGPU_ARG_BUFFER) {
            cl_mem memory = cl_memory_of(baseline, run, task->arg_first + i);
            error = side->cl.clSetKernelArg(kernel, i, sizeof memory, &memory);
        } else {
            error = side->cl.clSetKernelArg(kernel, i, arg->size_bytes,
                                            arg->kind == FGPU_ARG_LOCAL ? NULL : arg->value);
        }
    }
    return error;
}

static cl_int cl_side_launch(const struct baseline *baseline, const struct baseline_run *run,
                             const struct workload_task *task)
{
    const struct cl_side *side = baseline->side;
    const uint32_t *demanded = side->locals[task->kernel];
    const uint32_t *wanted = task->local[0] ? task->local : demanded;
    size_t global[3] = {1, 1, 1}, local[3] = {1, 1, 1};

    for (uint32_t d = 0; d < task->dims; d++) {
        global[d] = task->global[d];
        local[d] = wanted[d] ? wanted[d] : 1;
    }
    cl_int error = cl_memory_stage(baseline, run, task, true);
    if (error == CL_SUCCESS)
        error = cl_side_set_args(baseline, run, task);
    if (error == CL_SUCCESS)
        error =
            side->cl.clEnqueueNDRangeKernel(side->queue, side->kernels[task->kernel], task->dims,
                                            NULL, global, wanted[0] ? local : NULL, 0, NULL, NULL);
    return error == CL_SUCCESS ? cl_memory_stage(baseline, run, task, false) : error;
}

static cl_int cl_side_do_by_hand(const struct baseline *baseline, struct baseline_run *run,
                                 const struct workload_task *task)
{
    const struct cl_side *side = baseline->side;
    cl_int error = CL_SUCCESS;

    for (uint32_t i = 0; i < task->arg_count && error == CL_SUCCESS; i++)
        if (baseline_copies_in(baseline, task, i))
            error = cl_memory_copy(baseline, run, task->arg_first + i, true);
    if (error == CL_SUCCESS)
        error = cl_side_launch(baseline, run, task);
    for (uint32_t i = 0; i < task->arg_count && error == CL_SUCCESS; i++)
        if (baseline_copies_out(&baseline->workload->args[task->arg_first + i]))
            error = cl_memory_copy(baseline, run, task->arg_first + i, false);
    return error == CL_SUCCESS ? side->cl.clFinish(side->queue) : error;
}

static cl_int cl_side_do_queued(const struct baseline *baseline, const struct baseline_run *run,
                                const struct workload_task *task, uint32_t number)
{
    const struct cl_side *side = baseline->side;
    cl_int error = cl_side_launch(baseline, run, task);

    if (error == CL_SUCCESS && (number + 1) % CL_SIDE_FLUSH_EVERY == 0)
        error = side->cl.clFlush(side->queue);
    return error;
}

static fgpu_status cl_side_run(struct baseline *baseline, struct baseline_run *run)
{
    const struct workload *workload = baseline->workload;
    const struct cl_side *side = baseline->side;
    const char *what = "the inputs";
    bool is_by_hand = run->way == BASELINE_BY_HAND, is_stopped = false;
    cl_int error = is_by_hand ? CL_SUCCESS : cl_memory_begin(baseline, run);

    for (uint32_t i = 0; i < workload->task_count && error == CL_SUCCESS; i++) {
        const struct workload_task *task = &workload->tasks[workload->order[i]];
        is_stopped = baseline_is_stopped(run);
        if (is_stopped)
            break;
        what = baseline_task_name(workload, workload->order[i]);
        error = is_by_hand ? cl_side_do_by_hand(baseline, run, task)
                           : cl_side_do_queued(baseline, run, task, i);
    }
    if (error == CL_SUCCESS && !is_by_hand && !is_stopped) {
        what = "the outputs";
        error = cl_memory_end(baseline, run);
    }
    cl_int finished = side->cl.clFinish(side->queue);
    if (error == CL_SUCCESS)
        error = finished;
    if (error != CL_SUCCESS)
        return cl_side_fail(side, error, what, run->why, run->why_bytes);
    if (is_stopped)
        return why_fail(FGPU_E_CANCELLED, run->why, run->why_bytes, "interrupted");
    return FGPU_OK;
}

const struct baseline_driver baseline_opencl = {cl_side_open, cl_memory_prepare, cl_side_run,
                                                cl_side_close};
