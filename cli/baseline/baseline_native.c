/* The cpu device without the pool: see baseline.h. Each task's work groups are divided evenly among
 * a team of threads, one for each core, and all meet behind it; by hand one of them copies before
 * and after. The function is called as the pool's cpu device calls it (kernel.h). */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/baseline/baseline_side.h"
#include "cli/baseline/baseline_team.h"
#include "cli/common/why.h"

#define NATIVE_LOCAL_ALIGN 64u
#define NATIVE_LOCAL_ITEMS 64u /* of a group where the task does not say, as in the pool */

enum native_verdict { NATIVE_GOES_ON, NATIVE_STOPPED, NATIVE_FAILED };

struct native_side {
    struct baseline_team *team;
    unsigned char **device; /* by buffer: by hand, what tasks work on */
    unsigned char *locals;  /* scratch of all members */
    uint64_t local_bytes;   /* of one */
    struct baseline *baseline;
    struct baseline_run *run;
    uint32_t failed_task;
    enum native_verdict verdict;
};

static uint64_t native_round_up(uint64_t bytes)
{
    return (bytes + NATIVE_LOCAL_ALIGN - 1) & ~(uint64_t)(NATIVE_LOCAL_ALIGN - 1);
}

static fgpu_status native_check_kernels(const struct baseline *baseline, char *why,
                                        size_t why_bytes)
{
    const struct workload *workload = baseline->workload;

    for (uint32_t i = 0; i < workload->task_count; i++) {
        const struct workload_kernel *kernel = &workload->kernels[workload->tasks[i].kernel];
        if (!kernel->native)
            return why_fail(FGPU_E_UNSUPPORTED, why, why_bytes,
                            "the kernel %s is OpenCL C and has no variant for the device %s",
                            kernel->name, baseline->info.id);
    }
    return FGPU_OK;
}

/* Scratch of the task that wants most. */
static uint64_t native_most_local(const struct workload *workload)
{
    uint64_t most = 0;

    for (uint32_t i = 0; i < workload->task_count; i++) {
        const struct workload_task *task = &workload->tasks[i];
        uint64_t bytes = 0;
        for (uint32_t a = 0; a < task->arg_count; a++)
            if (workload->args[task->arg_first + a].kind == FGPU_ARG_LOCAL)
                bytes += native_round_up(workload->args[task->arg_first + a].size_bytes);
        if (bytes > most)
            most = bytes;
    }
    return most;
}

static fgpu_status native_open(struct baseline *baseline, char *why, size_t why_bytes)
{
    const fgpu_device_info *info = &baseline->info;
    uint32_t members =
        info->valid & FGPU_INFO_UNITS && info->compute_units > 0 ? info->compute_units : 1;
    fgpu_status status = native_check_kernels(baseline, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    struct native_side *side = calloc(1, sizeof *side);
    baseline->side = side;
    if (!side)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory for a team of threads");
    side->baseline = baseline;
    side->local_bytes = native_most_local(baseline->workload);
    if (side->local_bytes > 0)
        side->locals = aligned_alloc(NATIVE_LOCAL_ALIGN, side->local_bytes * members);
    if (side->local_bytes > 0 && !side->locals)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory for work groups");
    status = baseline_team_start(members, &side->team);
    if (status != FGPU_OK)
        return why_fail(status, why, why_bytes, "%u threads cannot be had", members);
    return FGPU_OK;
}

static void native_close(struct baseline *baseline)
{
    struct native_side *side = baseline->side;

    if (!side)
        return;
    baseline_team_stop(side->team);
    for (uint32_t i = 0; side->device && i < baseline->workload->buffer_count; i++)
        if (side->device[i] != baseline->hosts[i].memory)
            fgpu_host_free(side->device[i]);
    free(side->device);
    free(side->locals);
    free(side);
}

/* Memory that is not the host's, but for constants: those are where tasks want them. */
static fgpu_status native_make_device(struct native_side *side, struct baseline_run *run)
{
    const struct baseline *baseline = side->baseline;
    const struct workload *workload = baseline->workload;

    if (side->device)
        return FGPU_OK;
    side->device = calloc((size_t)workload->buffer_count + 1, sizeof *side->device);
    for (uint32_t i = 0; side->device && i < workload->buffer_count; i++) {
        const struct baseline_host *host = &baseline->hosts[i];
        if (!host->is_used || host->is_constant) {
            side->device[i] = host->memory;
            continue;
        }
        side->device[i] = fgpu_host_alloc(workload->buffers[i].size_bytes);
        if (!side->device[i])
            return why_fail(FGPU_E_NOMEM, run->why, run->why_bytes, "no memory for the buffer %s",
                            workload->buffers[i].name);
        memset(side->device[i], 0, workload->buffers[i].size_bytes);
    }
    if (!side->device)
        return why_fail(FGPU_E_NOMEM, run->why, run->why_bytes, "no memory for buffers");
    return FGPU_OK;
}

static fgpu_status native_prepare(struct baseline *baseline, struct baseline_run *run)
{
    baseline_refill_all(baseline);
    return run->way == BASELINE_BY_HAND ? native_make_device(baseline->side, run) : FGPU_OK;
}

/* ---- one task */

/* Copies what the task reads to the device, or what it writes from there. */
static void native_copy(struct native_side *side, const struct workload_task *task, bool is_in)
{
    const struct baseline *baseline = side->baseline;

    for (uint32_t i = 0; i < task->arg_count; i++) {
        const struct workload_arg *arg = &baseline->workload->args[task->arg_first + i];
        if (is_in ? !baseline_copies_in(baseline, task, i) : !baseline_copies_out(arg))
            continue;
        const fgpu_region *region = &baseline->regions[task->arg_first + i];
        unsigned char *host = baseline->hosts[arg->buffer].memory;
        unsigned char *device = side->device[arg->buffer];
        unsigned char *to = is_in ? device : host, *from = is_in ? host : device;
        uint64_t at = region->offset_bytes;
        for (uint64_t row = 0; row < region->rows; row++, at += region->pitch_bytes)
            memcpy(to + at, from + at, region->row_bytes);
        side->run->copied_bytes += region->rows * region->row_bytes;
    }
}

static void native_fill_args(const struct native_side *side, const struct workload_task *task,
                             uint32_t member, void **args)
{
    const struct baseline *baseline = side->baseline;
    unsigned char *local = side->locals ? side->locals + member * side->local_bytes : NULL;

    for (uint32_t i = 0; i < task->arg_count; i++) {
        const struct workload_arg *arg = &baseline->workload->args[task->arg_first + i];
        if (arg->kind == FGPU_ARG_BUFFER) {
            unsigned char *base = side->run->way == BASELINE_BY_HAND
                                      ? side->device[arg->buffer]
                                      : baseline->hosts[arg->buffer].memory;
            args[i] = base + baseline->regions[task->arg_first + i].offset_bytes;
        } else if (arg->kind == FGPU_ARG_SCALAR) {
            args[i] = (void *)(uintptr_t)arg->value; /* functions only read it */
        } else {
            args[i] = local;
            local += native_round_up(arg->size_bytes);
        }
    }
}

/* The member's part of the task. Returns what the function returns; 0 where there is no part. */
static int native_launch(const struct native_side *side, const struct workload_task *task,
                         uint32_t member)
{
    const struct workload_kernel *kernel = &side->baseline->workload->kernels[task->kernel];
    void *args[CLI_WORKLOAD_ARGS_LIMIT];
    fgpu_range range = {.dims = task->dims, .worker = member};
    uint64_t count = 1, members = baseline_team_count(side->team);

    for (uint32_t d = 0; d < 3; d++) {
        uint64_t global = d < task->dims ? task->global[d] : 1, local = task->local[d];
        if (task->local[0] == 0)
            local = d > 0 ? 1 : global < NATIVE_LOCAL_ITEMS ? global : NATIVE_LOCAL_ITEMS;
        if (d >= task->dims || local == 0)
            local = 1;
        range.global[d] = global;
        range.local[d] = local;
        range.groups[d] = (global + local - 1) / local;
        count *= range.groups[d];
    }
    /* The first count % members get one more: no product that could be too large. */
    uint64_t each = count / members, rest = count % members;
    range.group_begin = member * each + (member < rest ? member : rest);
    range.group_end = range.group_begin + each + (member < rest ? 1 : 0);
    if (range.group_begin == range.group_end)
        return 0;
    native_fill_args(side, task, member, args);
    return kernel->native(&range, args, NULL);
}

/* ---- all tasks, on each member */

/* CPU time of the calling thread. */
static uint64_t native_cpu_ns(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void native_member(struct baseline_team *team, uint32_t member, void *user)
{
    struct native_side *side = user;
    const struct workload *workload = side->baseline->workload;
    bool is_by_hand = side->run->way == BASELINE_BY_HAND, is_first = member == 0;
    uint32_t verdict = NATIVE_GOES_ON, i = 0;
    uint64_t work_ns = 0;

    for (; i < workload->task_count && verdict == NATIVE_GOES_ON; i++) {
        const struct workload_task *task = &workload->tasks[workload->order[i]];
        if (is_by_hand) {
            uint64_t begin_ns = native_cpu_ns();
            if (is_first)
                native_copy(side, task, true);
            work_ns += native_cpu_ns() - begin_ns;
            (void)baseline_team_meet(team, member, 0);
        }
        uint64_t begin_ns = native_cpu_ns();
        int result = native_launch(side, task, member);
        work_ns += native_cpu_ns() - begin_ns;
        if (result != 0)
            verdict = NATIVE_FAILED;
        else if (is_first && baseline_is_stopped(side->run))
            verdict = NATIVE_STOPPED;
        verdict = baseline_team_meet(team, member, verdict);
        begin_ns = native_cpu_ns();
        if (is_by_hand && is_first && verdict == NATIVE_GOES_ON)
            native_copy(side, task, false);
        work_ns += native_cpu_ns() - begin_ns;
    }
    (void)__atomic_fetch_add(&side->run->work_ns, work_ns, __ATOMIC_RELAXED);
    if (is_first) {
        side->verdict = verdict;
        side->failed_task = i > 0 ? workload->order[i - 1] : 0;
    }
}

static fgpu_status native_run(struct baseline *baseline, struct baseline_run *run)
{
    struct native_side *side = baseline->side;

    side->run = run;
    if (baseline_is_stopped(run))
        side->verdict = NATIVE_STOPPED;
    else
        baseline_team_run(side->team, native_member, side);
    if (side->verdict == NATIVE_STOPPED)
        return why_fail(FGPU_E_CANCELLED, run->why, run->why_bytes, "interrupted");
    if (side->verdict == NATIVE_FAILED)
        return why_fail(FGPU_E_TASK, run->why, run->why_bytes, "the task %s has failed",
                        baseline_task_name(baseline->workload, side->failed_task));
    return FGPU_OK;
}

const struct baseline_driver baseline_native = {native_open, native_prepare, native_run,
                                                native_close};
