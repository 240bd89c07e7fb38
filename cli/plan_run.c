/* Runs a plan: see plan_run.h. Everything goes through the public interface; the order of tasks and
 * what they touch come from the plan, where they run from the pool. Each start of a run takes hold
 * of the inputs as the host would that has just produced them, so that no run profits from copies
 * that an earlier one made. */
#include "plan_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "why.h"

#define PLAN_WAIT_NS 50000000u

/* Options of the OpenCL texts: warnings are no news to whoever looks at pictures (PoCL prints how
 * many there were to the standard error output). */
#define PLAN_OPENCL "-w"

static uint64_t plan_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool plan_is_stopped(const struct plan_watch *watch)
{
    return watch->stop && *watch->stop;
}

static fgpu_status plan_pass_error(fgpu_status status, const char *what, char *why,
                                   size_t why_bytes)
{
    return why_fail(status, why, why_bytes, "%s: %s: %s", what, fgpu_status_name(status),
                    fgpu_last_error());
}

static fgpu_status plan_make_kernel(fgpu_pool pool, const struct filter_kernel *described,
                                    fgpu_kernel *kernel)
{
    fgpu_status status = fgpu_kernel_create(pool, described->name, kernel);

    for (uint32_t i = 0; i < described->param_count && status == FGPU_OK; i++)
        status = fgpu_kernel_set_arg(*kernel, i, described->params[i].kind,
                                     described->params[i].access, described->params[i].size_bytes);
    if (status == FGPU_OK && described->text)
        status = fgpu_kernel_add_opencl(*kernel, described->text, described->name, PLAN_OPENCL);
    if (status == FGPU_OK && described->native)
        status = fgpu_kernel_add_native(*kernel, described->native, NULL);
    return status;
}

/* Through the pool the host's memory is used in place where the devices can; by hand everything is
 * copied. */
static fgpu_status plan_make_buffer(struct plan_session *session, uint32_t number, bool by_hand)
{
    const struct plan_buffer *described = &session->plan->buffers[number];
    fgpu_buffer *buffer = &session->buffers[number];
    fgpu_status status;

    if (described->content && !by_hand) {
        /* The interface takes memory that tasks might write; those of a plan only read it. */
        void *memory = (void *)(uintptr_t)described->content;
        status = fgpu_buffer_create_from(session->pool, memory, described->size_bytes, buffer);
    } else {
        status = fgpu_buffer_create(session->pool, described->size_bytes, buffer);
    }
    if (status == FGPU_OK)
        status = fgpu_buffer_set_name(*buffer, described->name);
    if (status == FGPU_OK && described->content && by_hand)
        status = fgpu_buffer_write(*buffer, NULL, described->content, 0);
    return status;
}

/* By hand a caller has every intermediate picture in host memory. */
static bool plan_make_mirrors(struct plan_session *session)
{
    const struct plan *plan = session->plan;

    session->mirrors = calloc(plan->buffer_count, sizeof *session->mirrors);
    if (!session->mirrors)
        return false;
    for (uint32_t i = 0; i < plan->buffer_count; i++) {
        const struct plan_buffer *buffer = &plan->buffers[i];
        session->mirrors[i] = fgpu_host_alloc(buffer->size_bytes);
        if (!session->mirrors[i])
            return false;
        if (buffer->content)
            memcpy(session->mirrors[i], buffer->content, buffer->size_bytes);
    }
    return true;
}

static bool plan_make_tables(struct plan_session *session, bool by_hand)
{
    const struct plan *plan = session->plan;

    session->buffers = calloc(plan->buffer_count + 1, sizeof *session->buffers);
    session->kernels = calloc(plan->kernel_count + 1, sizeof *session->kernels);
    session->tasks = calloc(plan->task_count + 1, sizeof *session->tasks);
    session->results = calloc(plan->task_count + 1, sizeof *session->results);
    return session->buffers && session->kernels && session->tasks && session->results &&
           (!by_hand || plan_make_mirrors(session));
}

static fgpu_status plan_make_all(struct plan_session *session, bool by_hand, char *why,
                                 size_t why_bytes)
{
    const struct plan *plan = session->plan;

    if (!plan_make_tables(session, by_hand))
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory for a plan of %u tasks",
                        plan->task_count);
    for (uint32_t i = 0; i < plan->kernel_count; i++) {
        fgpu_status status =
            plan_make_kernel(session->pool, &plan->kernels[i], &session->kernels[i]);
        if (status != FGPU_OK)
            return plan_pass_error(status, plan->kernels[i].name, why, why_bytes);
    }
    for (uint32_t i = 0; i < plan->buffer_count; i++) {
        fgpu_status status = plan_make_buffer(session, i, by_hand);
        if (status != FGPU_OK)
            return plan_pass_error(status, plan->buffers[i].name, why, why_bytes);
    }
    return FGPU_OK;
}

fgpu_status plan_session_init(struct plan_session *session, const struct plan *plan, fgpu_pool pool,
                              bool by_hand, char *why, size_t why_bytes)
{
    *session = (struct plan_session){.plan = plan, .pool = pool};
    fgpu_status status = plan_make_all(session, by_hand, why, why_bytes);
    if (status != FGPU_OK)
        plan_session_fini(session);
    return status;
}

fgpu_status plan_session_build(struct plan_session *session, const struct plan_watch *watch,
                               char *why, size_t why_bytes)
{
    const struct plan *plan = session->plan;

    for (uint32_t i = 0; i < plan->kernel_count; i++) {
        if (plan_is_stopped(watch))
            return why_fail(FGPU_E_CANCELLED, why, why_bytes, "%u of %u kernels were compiled", i,
                            plan->kernel_count);
        if (watch->progress)
            watch->progress(watch->user, PLAN_COMPILING, i, plan->kernel_count);
        fgpu_status status = fgpu_kernel_build(session->kernels[i]);
        if (status != FGPU_OK)
            return plan_pass_error(status, plan->kernels[i].name, why, why_bytes);
    }
    return FGPU_OK;
}

void plan_session_fini(struct plan_session *session)
{
    if (!session || !session->plan)
        return;
    for (uint32_t i = 0; session->buffers && i < session->plan->buffer_count; i++)
        (void)fgpu_buffer_destroy(session->buffers[i]);
    for (uint32_t i = 0; session->kernels && i < session->plan->kernel_count; i++)
        (void)fgpu_kernel_destroy(session->kernels[i]);
    (void)fgpu_pool_wait(session->pool, FGPU_FOREVER);
    for (uint32_t i = 0; session->mirrors && i < session->plan->buffer_count; i++)
        fgpu_host_free(session->mirrors[i]);
    free(session->mirrors);
    free(session->buffers);
    free(session->kernels);
    free(session->tasks);
    free(session->results);
    *session = (struct plan_session){0};
}

/* Submits task `number` of the plan. */
static fgpu_status plan_submit(struct plan_session *session, uint32_t number, fgpu_task *task)
{
    const struct plan_task *planned = &session->plan->tasks[number];
    const struct filter_kernel *kernel = &session->plan->kernels[planned->kernel];
    fgpu_arg args[FILTER_PARAM_LIMIT];
    fgpu_task_desc desc;

    for (uint32_t i = 0; i < kernel->param_count; i++) {
        const struct filter_arg *arg = &planned->launch.args[i];
        args[i] =
            kernel->params[i].kind == FGPU_ARG_BUFFER
                ? fgpu_arg_region(session->buffers[arg->buffer], FGPU_ACCESS_DEFAULT, arg->region)
                : fgpu_arg_scalar(arg->value, kernel->params[i].size_bytes);
    }
    fgpu_task_desc_init(&desc);
    desc.kernel = session->kernels[planned->kernel];
    desc.dims = 2;
    desc.args = args;
    desc.arg_count = kernel->param_count;
    for (int i = 0; i < 2; i++) {
        desc.global[i] = planned->launch.global[i];
        desc.local[i] = planned->launch.local[i];
    }
    desc.local[2] = 1;
    desc.global[2] = 1;
    desc.name = planned->name;
    return fgpu_task_submit(session->pool, &desc, task);
}

static void plan_count(struct plan_session *session, struct plan_result *result, uint32_t number,
                       fgpu_status status)
{
    session->results[number] = status;
    if (status == FGPU_OK)
        result->done_count++;
    else if (status == FGPU_E_CANCELLED)
        result->cancelled_count++;
    else
        result->failed_count++;
}

/* Keeps the first failure as a sentence. */
static void plan_keep_error(struct plan_result *result, const char *what, fgpu_status status,
                            const char *text)
{
    if (!result->error[0])
        (void)snprintf(result->error, sizeof result->error, "%s: %s: %s", what,
                       fgpu_status_name(status), text);
}

/* Takes hold of the inputs: what other memory nodes have of them is out of date from now on. */
static void plan_touch_inputs(struct plan_session *session, struct plan_result *result)
{
    const struct plan *plan = session->plan;

    for (uint32_t i = 0; i < plan->buffer_count; i++) {
        void *memory;
        if (!plan->buffers[i].content || plan->buffers[i].is_constant)
            continue;
        fgpu_status status = fgpu_buffer_map(session->buffers[i], 0, plan->buffers[i].size_bytes,
                                             FGPU_READ_WRITE, &memory);
        if (status == FGPU_OK)
            status = fgpu_buffer_unmap(session->buffers[i], memory);
        if (status != FGPU_OK)
            plan_keep_error(result, plan->buffers[i].name, status, fgpu_last_error());
    }
}

/* Makes sure that the outputs are in host memory. */
static void plan_fetch_outputs(struct plan_session *session, struct plan_result *result)
{
    const struct plan *plan = session->plan;

    for (uint32_t i = 0; i < plan->output_count; i++) {
        uint32_t number = plan->outputs[i].buffer;
        void *memory;
        if (!plan_output_is_whole(session, i))
            continue;
        fgpu_status status = fgpu_buffer_map(session->buffers[number], 0,
                                             plan->buffers[number].size_bytes, FGPU_READ, &memory);
        if (status == FGPU_OK)
            status = fgpu_buffer_unmap(session->buffers[number], memory);
        if (status != FGPU_OK)
            plan_keep_error(result, plan->outputs[i].name, status, fgpu_last_error());
    }
}

/* Submits everything, or what can be submitted before `stop` or a refusal; returns how many tasks
 * there are then. */
static uint32_t plan_submit_all(struct plan_session *session, const struct plan_watch *watch,
                                struct plan_result *result)
{
    uint32_t count = session->plan->task_count;

    for (uint32_t i = 0; i < count; i++) {
        if (plan_is_stopped(watch))
            return i;
        fgpu_status status = plan_submit(session, i, &session->tasks[i]);
        if (status != FGPU_OK) {
            plan_keep_error(result, session->plan->tasks[i].name, status, fgpu_last_error());
            return i;
        }
    }
    return count;
}

static void plan_cancel_rest(struct plan_session *session, uint32_t count)
{
    /* From the end: a task that is cancelled takes its dependents with it, so fewer calls find
     * work. A task that runs or has ended refuses, which is as good. */
    for (uint32_t i = count; i-- > 0;)
        (void)fgpu_task_cancel(session->tasks[i]);
}

static void plan_report(const struct plan_session *session, const struct plan_watch *watch,
                        uint64_t done_before)
{
    fgpu_pool_stats stats = {.struct_bytes = sizeof stats};

    if (watch->progress && fgpu_pool_get_stats(session->pool, &stats) == FGPU_OK)
        watch->progress(watch->user, PLAN_RUNNING, (uint32_t)(stats.tasks_done - done_before),
                        session->plan->task_count);
}

/* Waits for the submitted tasks; true when it was interrupted. */
static bool plan_wait_all(struct plan_session *session, const struct plan_watch *watch,
                          uint32_t count, uint64_t done_before)
{
    bool interrupted = false;

    for (;;) {
        if (!interrupted && plan_is_stopped(watch)) {
            interrupted = true;
            plan_cancel_rest(session, count);
        }
        if (fgpu_pool_wait(session->pool, PLAN_WAIT_NS) != FGPU_E_TIMEOUT)
            return interrupted;
        plan_report(session, watch, done_before);
    }
}

/* Asks each task how it ended; tasks that were never submitted count as cancelled. */
static void plan_collect(struct plan_session *session, uint32_t submitted,
                         struct plan_result *result)
{
    const struct plan *plan = session->plan;

    for (uint32_t i = 0; i < plan->task_count; i++) {
        fgpu_status status = FGPU_E_CANCELLED;
        if (i < submitted)
            status = fgpu_task_wait(session->tasks[i], FGPU_FOREVER);
        plan_count(session, result, i, status);
        if (status == FGPU_OK || i >= submitted)
            continue;
        if (status != FGPU_E_CANCELLED)
            plan_keep_error(result, plan->tasks[i].name, status, fgpu_last_error());
        (void)fgpu_task_forget(session->tasks[i]);
    }
}

void plan_run_pooled(struct plan_session *session, const struct plan_watch *watch,
                     struct plan_result *result)
{
    fgpu_pool_stats before = {.struct_bytes = sizeof before};

    *result = (struct plan_result){0};
    (void)fgpu_pool_get_stats(session->pool, &before);
    uint64_t start_ns = plan_now_ns();
    plan_touch_inputs(session, result);
    uint32_t submitted = plan_submit_all(session, watch, result);
    result->interrupted = plan_wait_all(session, watch, submitted, before.tasks_done) ||
                          (submitted < session->plan->task_count && plan_is_stopped(watch));
    plan_collect(session, submitted, result);
    plan_fetch_outputs(session, result);
    result->wall_ns = plan_now_ns() - start_ns;
}

/* Copies what one task reads to the device, or what it writes from there. Constants are there
 * already. */
static fgpu_status plan_copy_by_hand(struct plan_session *session, const struct plan_task *task,
                                     fgpu_access access, uint64_t *copied_bytes)
{
    const struct filter_kernel *kernel = &session->plan->kernels[task->kernel];
    fgpu_status status = FGPU_OK;

    for (uint32_t i = 0; i < kernel->param_count && status == FGPU_OK; i++) {
        const struct filter_arg *arg = &task->launch.args[i];
        if (kernel->params[i].kind != FGPU_ARG_BUFFER || kernel->params[i].access != access ||
            session->plan->buffers[arg->buffer].is_constant)
            continue;
        fgpu_buffer buffer = session->buffers[arg->buffer];
        unsigned char *mirror = session->mirrors[arg->buffer] + arg->region.offset_bytes;
        status = access == FGPU_READ ? fgpu_buffer_write(buffer, &arg->region, mirror, 0)
                                     : fgpu_buffer_read(buffer, &arg->region, mirror, 0);
        *copied_bytes += arg->region.row_bytes * arg->region.rows;
    }
    return status;
}

static fgpu_status plan_run_one(struct plan_session *session, uint32_t number,
                                uint64_t *copied_bytes)
{
    const struct plan_task *task = &session->plan->tasks[number];
    fgpu_status status = plan_copy_by_hand(session, task, FGPU_READ, copied_bytes);

    if (status == FGPU_OK)
        status = plan_submit(session, number, &session->tasks[number]);
    if (status == FGPU_OK)
        status = fgpu_task_wait(session->tasks[number], FGPU_FOREVER);
    if (status == FGPU_OK)
        status = plan_copy_by_hand(session, task, FGPU_WRITE, copied_bytes);
    return status;
}

void plan_run_by_hand(struct plan_session *session, const struct plan_watch *watch,
                      struct plan_result *result)
{
    uint32_t count = session->plan->task_count;

    *result = (struct plan_result){0};
    uint64_t start_ns = plan_now_ns();
    for (uint32_t i = 0; i < count; i++) {
        fgpu_status status = FGPU_E_CANCELLED;
        if (!result->interrupted && plan_is_stopped(watch))
            result->interrupted = true;
        if (!result->interrupted && !result->error[0])
            status = plan_run_one(session, i, &result->copied_bytes);
        if (status != FGPU_OK && status != FGPU_E_CANCELLED)
            plan_keep_error(result, session->plan->tasks[i].name, status, fgpu_last_error());
        plan_count(session, result, i, status);
        if (watch->progress && !result->interrupted)
            watch->progress(watch->user, PLAN_RUNNING, result->done_count, count);
    }
    result->wall_ns = plan_now_ns() - start_ns;
}

bool plan_output_is_whole(const struct plan_session *session, uint32_t output)
{
    const struct plan *plan = session->plan;

    for (uint32_t i = 0; i < plan->task_count; i++)
        if (plan->tasks[i].output == output && session->results[i] != FGPU_OK)
            return false;
    return true;
}

/* Copies rows of `output` from memory in the buffer's layout. */
static void plan_pack_rows(const struct plan_output *output, const unsigned char *memory,
                           unsigned char *pixels)
{
    size_t row_bytes = (size_t)output->width * output->channels;

    for (uint32_t y = 0; y < output->height; y++)
        memcpy(pixels + y * row_bytes, memory + (size_t)y * output->pitch_bytes, row_bytes);
}

fgpu_status plan_read_output(struct plan_session *session, uint32_t output, unsigned char *pixels,
                             char *why, size_t why_bytes)
{
    const struct plan_output *described = &session->plan->outputs[output];
    void *memory;

    if (session->mirrors) {
        plan_pack_rows(described, session->mirrors[described->buffer], pixels);
        return FGPU_OK;
    }
    uint64_t size_bytes = (uint64_t)described->pitch_bytes * described->height;
    fgpu_buffer buffer = session->buffers[described->buffer];
    fgpu_status status = fgpu_buffer_map(buffer, 0, size_bytes, FGPU_READ, &memory);
    if (status != FGPU_OK)
        return plan_pass_error(status, described->name, why, why_bytes);
    plan_pack_rows(described, memory, pixels);
    status = fgpu_buffer_unmap(buffer, memory);
    return status == FGPU_OK ? FGPU_OK : plan_pass_error(status, described->name, why, why_bytes);
}
