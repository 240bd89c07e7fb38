/* Arms of `fastgpu optimize`: see optimize_measure.h. Everything goes through the public interface.
 */
#include "cli/optimize/optimize_measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/evaluate/evaluate_machine.h"
#include "cli/common/figures.h"
#include "cli/common/waiting.h"
#include "cli/common/why.h"

/* Arms that are open at a time: a contest's. Fewer where memory is short. */
#define MEASURE_ARMS_LIMIT (TUNE_VALUES_LIMIT + 2)
#define MEASURE_ARMS_LEAST 2

/* Rounds before the first that counts. */
#define MEASURE_WARM_ROUNDS 2

struct measure_arm {
    bool is_open;
    struct tune_choices choices;
    struct workload workload;
    struct workload_data data;
    struct workload_session session;
    fgpu_pool pool;
    uint32_t device_count, queue_count;
    fgpu_device devices[MEASURE_DEVICES_LIMIT];
    uint64_t used; /* when it was last measured, in rounds */
};

struct measure {
    const struct measure_options *options;
    struct measure_arm arms[MEASURE_ARMS_LIMIT]; /* [0]: as it stands, always open */
    uint32_t arm_limit;
    fgpu_device_info infos[MEASURE_DEVICES_LIMIT];
    uint32_t device_count;
    double cores;
    uint64_t round_count;
    unsigned char **wanted; /* by output: what it must be, in the buffer's layout */
};

/* ---- results */

static fgpu_status measure_keep_outputs(struct measure *measure, char *why, size_t why_bytes)
{
    struct measure_arm *arm = &measure->arms[0];
    const struct workload *workload = &arm->workload;
    const unsigned char *memory;

    measure->wanted = calloc((size_t)workload->output_count + 1, sizeof *measure->wanted);
    for (uint32_t i = 0; measure->wanted && i < workload->output_count; i++) {
        uint32_t number = workload->outputs[i].buffer;
        fgpu_status status = workload_session_map(&arm->session, number, &memory, why, why_bytes);
        if (status != FGPU_OK)
            return status;
        measure->wanted[i] = malloc(workload->buffers[number].size_bytes);
        if (measure->wanted[i])
            memcpy(measure->wanted[i], memory, workload->buffers[number].size_bytes);
        workload_session_unmap(&arm->session, number, memory);
        if (!measure->wanted[i])
            return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory for the outputs");
    }
    if (!measure->wanted)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");
    return FGPU_OK;
}

static bool measure_is_alike(const struct workload_buffer *one, const struct workload_buffer *other)
{
    return one->type == other->type && one->dims == other->dims && one->pitch == other->pitch &&
           one->size_bytes == other->size_bytes &&
           memcmp(one->shape, other->shape, sizeof one->shape) == 0;
}

static fgpu_status measure_compare(struct measure *measure, struct measure_arm *arm, char *why,
                                   size_t why_bytes)
{
    const struct workload *workload = &arm->workload, *first = &measure->arms[0].workload;
    const unsigned char *memory;

    if (workload->output_count != first->output_count)
        return why_fail(FGPU_E_TASK, why, why_bytes, "it makes %u outputs, not %u",
                        workload->output_count, first->output_count);
    for (uint32_t i = 0; i < workload->output_count; i++) {
        uint32_t number = workload->outputs[i].buffer;
        const struct workload_buffer *buffer = &workload->buffers[number];
        if (!measure_is_alike(buffer, &first->buffers[first->outputs[i].buffer]))
            return why_fail(FGPU_E_TASK, why, why_bytes, "the output %s has another shape",
                            buffer->name);
        fgpu_status status = workload_session_map(&arm->session, number, &memory, why, why_bytes);
        if (status != FGPU_OK)
            return FGPU_E_TASK;
        bool is_equal = workload_data_equal(buffer, memory, measure->wanted[i]);
        workload_session_unmap(&arm->session, number, memory);
        if (!is_equal)
            return why_fail(FGPU_E_TASK, why, why_bytes, "the output %s is not the same",
                            buffer->name);
    }
    return FGPU_OK;
}

/* ---- arms */

static void measure_close_arm(struct measure_arm *arm)
{
    if (!arm->is_open)
        return;
    workload_session_fini(&arm->session);
    if (arm->pool.bits)
        (void)fgpu_pool_close(arm->pool);
    workload_data_fini(&arm->data);
    workload_fini(&arm->workload);
    *arm = (struct measure_arm){0};
}

static fgpu_status measure_open_pool(const struct measure_options *options, struct measure_arm *arm,
                                     char *why, size_t why_bytes)
{
    const char *devices = tune_choices_find(&arm->choices, TUNE_DEVICES);
    const char *policy = tune_choices_find(&arm->choices, TUNE_POLICY);
    fgpu_pool_options how;

    fgpu_pool_options_init(&how);
    how.devices = devices ? devices : options->devices;
    how.policy = policy ? policy : options->policy;
    if (options->log)
        log_options_apply(options->log, &how);
    fgpu_status status = fgpu_pool_open(&how, &arm->pool);
    if (status != FGPU_OK)
        return why_fail(status, why, why_bytes, "the pool cannot be opened: %s", fgpu_last_error());
    (void)fgpu_device_count(arm->pool, &arm->device_count);
    if (arm->device_count > MEASURE_DEVICES_LIMIT)
        arm->device_count = MEASURE_DEVICES_LIMIT;
    for (uint32_t i = 0; i < arm->device_count && status == FGPU_OK; i++) {
        fgpu_device_info info = {.struct_bytes = sizeof info};
        status = fgpu_device_at(arm->pool, i, &arm->devices[i]);
        if (status == FGPU_OK)
            status = fgpu_device_get_info(arm->devices[i], &info);
        arm->queue_count += info.queue_count > 0 ? info.queue_count : 1;
        if (status == FGPU_OK && arm->workload.output_count > 0 &&
            (info.type == FGPU_DEVICE_NULL || info.type == FGPU_DEVICE_SIMULATED))
            return why_fail(FGPU_E_NODEVICE, why, why_bytes,
                            "the device %s computes nothing; choose others with --devices",
                            info.id);
    }
    return status;
}

/* One round, with or without a look at the counters. */
static fgpu_status measure_run(struct measure *measure, struct measure_arm *arm,
                               struct workload_run *run, char *why, size_t why_bytes)
{
    struct watch watch = {.stop = measure->options->watch.stop};

    workload_session_run(&arm->session, &watch, run);
    arm->used = ++measure->round_count;
    if (run->is_interrupted || waiting_is_stopped(watch.stop))
        return why_fail(FGPU_E_CANCELLED, why, why_bytes, "stopped");
    if (run->error[0] || run->done_count != arm->workload.task_count)
        return why_fail(FGPU_E_TASK, why, why_bytes, "%s",
                        run->error[0] ? run->error : "not all tasks were done");
    return FGPU_OK;
}

static fgpu_status measure_fill_arm(struct measure *measure, struct measure_arm *arm, char *why,
                                    size_t why_bytes)
{
    const struct measure_options *options = measure->options;
    struct watch watch = {.stop = options->watch.stop};
    struct workload_run run;
    bool is_first = arm == &measure->arms[0];

    const struct workload_options constants = {.sets = options->sets,
                                               .set_count = options->set_count};
    fgpu_status status =
        tune_choices_load(options->path, &constants, &arm->choices, &arm->workload, why, why_bytes);
    if (status == FGPU_OK)
        status = workload_data_init(&arm->data, &arm->workload, watch.stop, why, why_bytes);
    if (status == FGPU_OK)
        status = measure_open_pool(options, arm, why, why_bytes);
    if (status == FGPU_OK)
        status = workload_session_init(&arm->session, &arm->workload, &arm->data, arm->pool, why,
                                       why_bytes);
    if (status == FGPU_OK)
        status = workload_session_build(&arm->session, &watch, why, why_bytes);
    for (uint32_t i = 0; i < MEASURE_WARM_ROUNDS && status == FGPU_OK; i++) {
        status = measure_run(measure, arm, &run, why, why_bytes);
        if (status == FGPU_OK && is_first && i == 0)
            status = measure_keep_outputs(measure, why, why_bytes);
        else if (status == FGPU_OK)
            status = measure_compare(measure, arm, why, why_bytes);
    }
    return status;
}

static bool measure_is_same(const struct tune_choices *one, const struct tune_choices *other)
{
    if (one->count != other->count)
        return false;
    for (uint32_t i = 0; i < one->count; i++)
        if (one->list[i].kind != other->list[i].kind ||
            strcmp(one->list[i].name, other->list[i].name) != 0 ||
            strcmp(one->list[i].value, other->list[i].value) != 0)
            return false;
    return true;
}

/* The arm of these choices, if it is open. */
static struct measure_arm *measure_find(struct measure *measure, const struct tune_choices *choices)
{
    for (uint32_t i = 0; i < measure->arm_limit; i++)
        if (measure->arms[i].is_open && measure_is_same(&measure->arms[i].choices, choices))
            return &measure->arms[i];
    return NULL;
}

/* A place for another arm: a free one, or that of the arm that was measured longest ago. */
static struct measure_arm *measure_make_room(struct measure *measure)
{
    struct measure_arm *oldest = &measure->arms[1];

    for (uint32_t i = 1; i < measure->arm_limit; i++) {
        if (!measure->arms[i].is_open)
            return &measure->arms[i];
        if (measure->arms[i].used < oldest->used)
            oldest = &measure->arms[i];
    }
    measure_close_arm(oldest);
    return oldest;
}

static fgpu_status measure_open_arm(struct measure *measure, const struct tune_choices *choices,
                                    struct measure_arm **arm, char *why, size_t why_bytes)
{
    *arm = measure_find(measure, choices);
    if (*arm)
        return FGPU_OK;
    *arm = measure_make_room(measure);
    (*arm)->is_open = true;
    (*arm)->choices = *choices;
    fgpu_status status = measure_fill_arm(measure, *arm, why, why_bytes);
    if (status == FGPU_OK)
        return FGPU_OK;
    measure_close_arm(*arm);
    return status == FGPU_E_CANCELLED || status == FGPU_E_NOMEM ? status : FGPU_E_TASK;
}

/* ---- the whole */

/* Each arm holds the buffers up to three times (data, copies, replicas); not more than half of the
 * machine's memory is taken. */
static uint32_t measure_count_arms(const struct measure *measure)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    uint64_t bytes = pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : 0;
    uint64_t count = bytes / 2 / (3 * measure->arms[0].workload.buffer_bytes + 1);

    if (count > MEASURE_ARMS_LIMIT)
        count = MEASURE_ARMS_LIMIT;
    return count < MEASURE_ARMS_LEAST ? MEASURE_ARMS_LEAST : (uint32_t)count;
}

fgpu_status measure_open(const struct measure_options *options, struct measure **measure, char *why,
                         size_t why_bytes)
{
    struct measure *made = calloc(1, sizeof *made);
    struct evaluation_machine machine;

    *measure = NULL;
    if (!made)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");
    made->options = options;
    made->arm_limit = MEASURE_ARMS_LEAST;
    evaluate_machine(&machine);
    made->cores = machine.cores > 0.0 ? machine.cores : 1.0;
    struct measure_arm *arm = &made->arms[0];
    arm->is_open = true;
    fgpu_status status = measure_fill_arm(made, arm, why, why_bytes);
    for (uint32_t i = 0; i < arm->device_count && status == FGPU_OK; i++) {
        made->infos[i].struct_bytes = sizeof made->infos[i];
        status = fgpu_device_get_info(arm->devices[i], &made->infos[i]);
        made->device_count++;
    }
    if (status != FGPU_OK) {
        measure_close(made);
        return status;
    }
    made->arm_limit = measure_count_arms(made);
    *measure = made;
    return FGPU_OK;
}

void measure_close(struct measure *measure)
{
    if (!measure)
        return;
    uint32_t output_count = measure->arms[0].workload.output_count;
    for (uint32_t i = 0; measure->wanted && i < output_count; i++)
        free(measure->wanted[i]);
    free(measure->wanted);
    for (uint32_t i = 0; i < MEASURE_ARMS_LIMIT; i++)
        measure_close_arm(&measure->arms[i]);
    free(measure);
}

const struct workload *measure_workload(const struct measure *measure)
{
    return &measure->arms[0].workload;
}

const fgpu_device_info *measure_devices(const struct measure *measure, uint32_t *count)
{
    *count = measure->device_count;
    return measure->infos;
}

double measure_cores(const struct measure *measure)
{
    return measure->cores;
}

/* Time that queues were busy, since the pool was opened. */
static uint64_t measure_busy_ns(const struct measure_arm *arm)
{
    uint64_t busy_ns = 0;

    for (uint32_t i = 0; i < arm->device_count; i++) {
        fgpu_device_stats stats = {.struct_bytes = sizeof stats};
        (void)fgpu_device_get_stats(arm->devices[i], &stats);
        busy_ns += stats.busy_ns;
    }
    return busy_ns;
}

fgpu_status measure_round(struct measure *measure, const struct tune_choices *choices,
                          struct measure_sample *sample, char *why, size_t why_bytes)
{
    fgpu_pool_stats before = {.struct_bytes = sizeof before};
    fgpu_pool_stats after = {.struct_bytes = sizeof after};
    struct measure_arm *arm;
    struct workload_run run;

    fgpu_status status = measure_open_arm(measure, choices, &arm, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    (void)fgpu_pool_get_stats(arm->pool, &before);
    uint64_t busy_ns = measure_busy_ns(arm), cpu_ns = figures_cpu_ns();
    uint64_t began_ns = figures_wall_ns();
    status = measure_run(measure, arm, &run, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    double whole_ns = (double)(figures_wall_ns() - began_ns); /* with what renews the inputs */
    cpu_ns = figures_cpu_ns() - cpu_ns;
    busy_ns = measure_busy_ns(arm) - busy_ns;
    (void)fgpu_pool_get_stats(arm->pool, &after);
    double wall_ns = (double)(run.end_ns - run.start_ns);
    double done = (double)(after.tasks_done - before.tasks_done);
    double share = (double)cpu_ns / (whole_ns * measure->cores);
    *sample = (struct measure_sample){
        .wall_ns = wall_ns > 1.0 ? wall_ns : 1.0,
        .cores_share = share < 1.0 ? share : 1.0,
        .devices_share = busy_ns > 0 ? (double)busy_ns / (whole_ns * arm->queue_count) : -1.0,
        .response_ns = done > 0.0 ? ((double)after.latency_mean_ns * (double)after.tasks_done -
                                     (double)before.latency_mean_ns * (double)before.tasks_done) /
                                        done
                                  : 0.0,
        .done_count = run.done_count};
    return FGPU_OK;
}

fgpu_status measure_check(struct measure *measure, const struct tune_choices *choices, char *why,
                          size_t why_bytes)
{
    struct measure_arm *arm = measure_find(measure, choices);

    return arm ? measure_compare(measure, arm, why, why_bytes) : FGPU_OK;
}
