/* A workload in a pool: see workload_session.h. Everything goes through the public interface; the
 * order of tasks and what they touch come from the workload, where they run from the pool. Runs on
 * the caller's thread. */
#include "cli/workload/workload_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/figures.h"
#include "cli/common/waiting.h"
#include "cli/common/why.h"

#define SESSION_WAIT_NS 50000000u

/* Submissions between two reports of progress. */
#define SESSION_STRIDE 8192u

/* Options of the built-in filters' texts: warnings are no news to whoever uses them (PoCL prints
 * how many there were to the standard error output). */
#define SESSION_FILTER_OPTIONS "-w"

static fgpu_status session_pass_error(fgpu_status status, const char *list, const char *name,
                                      char *why, size_t why_bytes)
{
    const char *said = fgpu_last_error();

    return why_fail(status, why, why_bytes, "$.%s.%s: %s", list, name,
                    said[0] ? said : fgpu_status_text(status));
}

/* ---- making */

static fgpu_status session_make_kernel(fgpu_pool pool, const struct workload_kernel *from,
                                       fgpu_kernel *kernel)
{
    const char *options = from->filter ? SESSION_FILTER_OPTIONS : from->options;

    fgpu_status status = fgpu_kernel_create(pool, from->name, kernel);
    if (status == FGPU_OK && from->variant != WORKLOAD_NATIVE)
        status = fgpu_kernel_add_opencl(*kernel, from->source, from->entry, options);
    for (uint32_t i = 0; i < from->param_count && status == FGPU_OK; i++) {
        const struct workload_param *param = &from->params[i];
        if (param->kind != FGPU_ARG_BUFFER || param->access != FGPU_ACCESS_DEFAULT)
            status = fgpu_kernel_set_arg(*kernel, i, param->kind, param->access,
                                         elements[param->type].size_bytes * param->lanes);
    }
    if (status == FGPU_OK && from->native && from->variant != WORKLOAD_OPENCL)
        status = fgpu_kernel_add_native(*kernel, from->native, NULL);
    return status;
}

static fgpu_status session_make_buffer(struct workload_session *session, uint32_t number)
{
    const struct workload_buffer *from = &session->workload->buffers[number];
    fgpu_buffer *buffer = &session->buffers[number];
    unsigned char *memory = session->data->memory[number];
    fgpu_status status;

    if (memory && session->is_written[number]) {
        session->copies[number] = fgpu_host_alloc(from->size_bytes);
        if (!session->copies[number])
            return FGPU_E_NOMEM;
        memcpy(session->copies[number], memory, from->size_bytes);
        memory = session->copies[number];
    }
    if (memory)
        status = fgpu_buffer_create_from(session->pool, memory, from->size_bytes, buffer);
    else
        status = fgpu_buffer_create(session->pool, from->size_bytes, buffer);
    if (status == FGPU_OK && from->reduce)
        status = fgpu_buffer_reduce_by(*buffer, (fgpu_reduction_op)from->reduce,
                                       workload_reduce_element(from->type));
    return status == FGPU_OK ? fgpu_buffer_set_name(*buffer, from->name) : status;
}

static bool session_make_tables(struct workload_session *session)
{
    const struct workload *workload = session->workload;
    size_t buffers = (size_t)workload->buffer_count + 1, tasks = (size_t)workload->task_count + 1;

    session->kernels = calloc((size_t)workload->kernel_count + 1, sizeof *session->kernels);
    session->buffers = calloc(buffers, sizeof *session->buffers);
    session->copies = calloc(buffers, sizeof *session->copies);
    session->is_written = calloc(buffers, sizeof *session->is_written);
    session->is_broken = calloc(buffers, sizeof *session->is_broken);
    session->tasks = calloc(tasks, sizeof *session->tasks);
    session->results = calloc(tasks, sizeof *session->results);
    if (!session->kernels || !session->buffers || !session->copies || !session->is_written ||
        !session->is_broken || !session->tasks || !session->results)
        return false;
    for (uint32_t i = 0; i < workload->arg_count; i++)
        if (workload->args[i].kind == FGPU_ARG_BUFFER && workload->args[i].access != FGPU_READ)
            session->is_written[workload->args[i].buffer] = true;
    return true;
}

static fgpu_status session_make_all(struct workload_session *session, char *why, size_t why_bytes)
{
    const struct workload *workload = session->workload;

    if (!session_make_tables(session))
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory for a workload of %u tasks",
                        workload->task_count);
    for (uint32_t i = 0; i < workload->kernel_count; i++) {
        fgpu_status status =
            session_make_kernel(session->pool, &workload->kernels[i], &session->kernels[i]);
        if (status != FGPU_OK)
            return session_pass_error(status, "kernels", workload->kernels[i].name, why, why_bytes);
    }
    for (uint32_t i = 0; i < workload->buffer_count; i++) {
        fgpu_status status = session_make_buffer(session, i);
        if (status != FGPU_OK)
            return session_pass_error(status, "buffers", workload->buffers[i].name, why, why_bytes);
    }
    return FGPU_OK;
}

fgpu_status workload_session_init(struct workload_session *session, const struct workload *workload,
                                  const struct workload_data *data, fgpu_pool pool, char *why,
                                  size_t why_bytes)
{
    *session = (struct workload_session){.workload = workload, .data = data, .pool = pool};
    fgpu_status status = session_make_all(session, why, why_bytes);
    if (status != FGPU_OK)
        workload_session_fini(session);
    return status;
}

fgpu_status workload_session_build(struct workload_session *session, const struct watch *watch,
                                   char *why, size_t why_bytes)
{
    const struct workload *workload = session->workload;

    for (uint32_t i = 0; i < workload->kernel_count; i++) {
        if (waiting_is_stopped(watch->stop))
            return why_fail(FGPU_E_CANCELLED, why, why_bytes, "%u of %u kernels were compiled", i,
                            workload->kernel_count);
        if (watch->progress)
            watch->progress(watch->user, WATCH_COMPILING, i, workload->kernel_count);
        fgpu_status status = fgpu_kernel_build(session->kernels[i]);
        if (status == FGPU_E_NOVARIANT)
            return why_fail(
                status, why, why_bytes,
                "$.kernels.%s: it is OpenCL C, and none of the chosen devices takes that",
                workload->kernels[i].name);
        if (status != FGPU_OK)
            return session_pass_error(status, "kernels", workload->kernels[i].name, why, why_bytes);
    }
    return FGPU_OK;
}

void workload_session_fini(struct workload_session *session)
{
    if (!session || !session->workload)
        return;
    const struct workload *workload = session->workload;
    for (uint32_t i = 0; session->buffers && i < workload->buffer_count; i++)
        (void)fgpu_buffer_destroy(session->buffers[i]);
    for (uint32_t i = 0; session->kernels && i < workload->kernel_count; i++)
        (void)fgpu_kernel_destroy(session->kernels[i]);
    (void)fgpu_pool_wait(session->pool, FGPU_FOREVER);
    for (uint32_t i = 0; session->copies && i < workload->buffer_count; i++)
        fgpu_host_free(session->copies[i]);
    free(session->kernels);
    free(session->buffers);
    free(session->copies);
    free(session->is_written);
    free(session->is_broken);
    free(session->tasks);
    free(session->results);
    *session = (struct workload_session){0};
}

/* ---- one run */

/* Keeps the first failure as a sentence. */
static void session_keep_error(struct workload_run *run, const char *place, const char *name,
                               const char *text)
{
    bool has_name = name[0] != '\0';

    if (!run->error[0])
        (void)snprintf(run->error, sizeof run->error, "%s%s%s%s: %s", place, has_name ? " (" : "",
                       name, has_name ? ")" : "", text);
}

static void session_keep_buffer_error(struct workload_run *run,
                                      const struct workload_buffer *buffer)
{
    char place[WORKLOAD_NAME_BYTES + 16];

    (void)snprintf(place, sizeof place, "$.buffers.%s", buffer->name);
    session_keep_error(run, place, "", fgpu_last_error());
}

/* The inputs as if the host had just made them: see the head of workload_session.h. */
static void session_renew_inputs(struct workload_session *session, struct workload_run *run)
{
    const struct workload *workload = session->workload;

    for (uint32_t i = 0; i < workload->buffer_count; i++) {
        const struct workload_buffer *buffer = &workload->buffers[i];
        bool is_copied = session->is_written[i];
        void *memory;
        if (!session->data->memory[i] || !(is_copied || buffer->is_picture))
            continue;
        fgpu_status status = fgpu_buffer_map(session->buffers[i], 0, buffer->size_bytes,
                                             is_copied ? FGPU_WRITE : FGPU_READ_WRITE, &memory);
        if (status == FGPU_OK && is_copied)
            memcpy(memory, session->data->memory[i], buffer->size_bytes);
        if (status == FGPU_OK)
            status = fgpu_buffer_unmap(session->buffers[i], memory);
        if (status != FGPU_OK)
            session_keep_buffer_error(run, buffer);
    }
}

static fgpu_status session_submit(struct workload_session *session, uint32_t number)
{
    const struct workload *workload = session->workload;
    const struct workload_task *task = &workload->tasks[number];
    fgpu_arg args[CLI_WORKLOAD_ARGS_LIMIT];
    fgpu_task after[CLI_WORKLOAD_AFTER_LIMIT];
    fgpu_cut cuts[CLI_WORKLOAD_ARGS_LIMIT];
    fgpu_task_desc desc;

    for (uint32_t i = 0; i < task->arg_count; i++) {
        const struct workload_arg *arg = &workload->args[task->arg_first + i];
        cuts[i] = arg->cut;
        args[i] = (fgpu_arg){.kind = (uint32_t)arg->kind,
                             .access = (uint32_t)arg->access,
                             .region = arg->region,
                             .value = arg->value,
                             .size_bytes = arg->size_bytes};
        if (arg->kind == FGPU_ARG_BUFFER)
            args[i].buffer = session->buffers[arg->buffer];
    }
    for (uint32_t i = 0; i < task->after_count; i++)
        after[i] = session->tasks[workload->after[task->after_first + i]];
    fgpu_task_desc_init(&desc);
    desc.kernel = session->kernels[task->kernel];
    desc.dims = task->dims;
    for (uint32_t i = 0; i < 3; i++) {
        desc.global[i] = i < task->dims ? task->global[i] : 1;
        desc.local[i] = task->local[0] == 0 || i < task->dims ? task->local[i] : 1;
    }
    desc.args = args;
    desc.arg_count = task->arg_count;
    desc.after = after;
    desc.after_count = task->after_count;
    desc.priority = task->priority;
    desc.cuts = task->is_divisible ? cuts : NULL;
    desc.name = task->name[0] ? task->name : NULL;
    return fgpu_task_submit(session->pool, &desc, &session->tasks[number]);
}

static void session_report(const struct workload_session *session, const struct watch *watch,
                           uint64_t done_before)
{
    fgpu_pool_stats stats = {.struct_bytes = sizeof stats};

    if (watch->progress && fgpu_pool_get_stats(session->pool, &stats) == FGPU_OK)
        watch->progress(watch->user, WATCH_RUNNING, (uint32_t)(stats.tasks_done - done_before),
                        session->workload->task_count);
}

/* Submits everything, or what can be submitted before `stop` or a refusal. */
static void session_submit_all(struct workload_session *session, const struct watch *watch,
                               uint64_t done_before, struct workload_run *run)
{
    const struct workload *workload = session->workload;
    uint32_t i = 0;

    for (; i < workload->task_count && !waiting_is_stopped(watch->stop); i++) {
        const struct workload_task *task = &workload->tasks[workload->order[i]];
        if (session_submit(session, workload->order[i]) != FGPU_OK) {
            session_keep_error(run, task->place, task->name, fgpu_last_error());
            break;
        }
        if (i % SESSION_STRIDE == SESSION_STRIDE - 1)
            session_report(session, watch, done_before);
    }
    session->submitted_count = i;
    /* What was reduced is combined now, in the time that is measured. */
    for (uint32_t b = 0; b < workload->buffer_count; b++)
        if (workload->buffers[b].reduce &&
            fgpu_buffer_reduce_by(session->buffers[b],
                                  (fgpu_reduction_op)workload->buffers[b].reduce,
                                  workload_reduce_element(workload->buffers[b].type)) != FGPU_OK)
            session_keep_buffer_error(run, &workload->buffers[b]);
}

static void session_cancel_rest(struct workload_session *session)
{
    /* From the end: a task that is cancelled takes its dependents with it, so fewer calls find
     * work. A task that runs or has ended refuses, which is as good. */
    for (uint32_t i = session->submitted_count; i-- > 0;)
        (void)fgpu_task_cancel(session->tasks[session->workload->order[i]]);
}

static void session_wait_all(struct workload_session *session, const struct watch *watch,
                             uint64_t done_before, struct workload_run *run)
{
    run->is_interrupted =
        session->submitted_count < session->workload->task_count && waiting_is_stopped(watch->stop);
    if (run->is_interrupted)
        session_cancel_rest(session);
    while (fgpu_pool_wait(session->pool, SESSION_WAIT_NS) == FGPU_E_TIMEOUT) {
        if (!run->is_interrupted && waiting_is_stopped(watch->stop)) {
            run->is_interrupted = true;
            session_cancel_rest(session);
        }
        session_report(session, watch, done_before);
    }
}

/* What the task should have written is not whole. */
static void session_mark_broken(struct workload_session *session, uint32_t number)
{
    const struct workload *workload = session->workload;
    const struct workload_task *task = &workload->tasks[number];

    for (uint32_t i = 0; i < task->arg_count; i++) {
        const struct workload_arg *arg = &workload->args[task->arg_first + i];
        if (arg->kind == FGPU_ARG_BUFFER && arg->access != FGPU_READ)
            session->is_broken[arg->buffer] = true;
    }
}

static void session_count(struct workload_session *session, uint32_t number, fgpu_status status,
                          struct workload_run *run)
{
    session->results[number] = status;
    if (status == FGPU_OK) {
        run->done_count++;
        return;
    }
    session_mark_broken(session, number);
    if (status == FGPU_E_CANCELLED)
        run->cancelled_count++;
    else
        run->failed_count++;
}

/* Asks each task how it ended; those that were never submitted count as cancelled. The sentence is
 * that of the first in order that failed by itself: what failed with it stands behind it. */
static void session_collect(struct workload_session *session, struct workload_run *run)
{
    const struct workload *workload = session->workload;

    memset(session->is_broken, 0, workload->buffer_count * sizeof *session->is_broken);
    for (uint32_t i = 0; i < workload->task_count; i++) {
        uint32_t number = workload->order[i];
        const struct workload_task *task = &workload->tasks[number];
        fgpu_status status = FGPU_E_CANCELLED;
        if (i < session->submitted_count)
            status = fgpu_task_wait(session->tasks[number], FGPU_FOREVER);
        session_count(session, number, status, run);
        if (status != FGPU_OK && status != FGPU_E_CANCELLED && status != FGPU_E_POISONED)
            session_keep_error(run, task->place, task->name, fgpu_last_error());
    }
    for (uint32_t i = 0; i < session->submitted_count; i++)
        if (session->results[workload->order[i]] != FGPU_OK)
            (void)fgpu_task_forget(session->tasks[workload->order[i]]);
    if (run->failed_count > 0 && !run->error[0])
        (void)snprintf(run->error, sizeof run->error, "%u tasks failed", run->failed_count);
}

/* Makes sure that the outputs are in host memory. */
static void session_fetch_outputs(struct workload_session *session, struct workload_run *run)
{
    const struct workload *workload = session->workload;
    const unsigned char *memory;
    char why[CLI_WHY_BYTES];

    for (uint32_t i = 0; i < workload->output_count; i++) {
        uint32_t number = workload->outputs[i].buffer;
        if (!workload_session_is_whole(session, number))
            continue;
        if (workload_session_map(session, number, &memory, why, sizeof why) == FGPU_OK)
            workload_session_unmap(session, number, memory);
        else if (!run->error[0])
            (void)snprintf(run->error, sizeof run->error, "%s", why);
    }
}

void workload_session_run(struct workload_session *session, const struct watch *watch,
                          struct workload_run *run)
{
    fgpu_pool_stats before = {.struct_bytes = sizeof before};

    *run = (struct workload_run){0};
    if (session->submitted_count > 0)
        session_renew_inputs(session, run);
    (void)fgpu_pool_get_stats(session->pool, &before);
    run->start_ns = figures_wall_ns();
    session_submit_all(session, watch, before.tasks_done, run);
    session_wait_all(session, watch, before.tasks_done, run);
    session_collect(session, run);
    session_fetch_outputs(session, run);
    run->end_ns = figures_wall_ns();
}

/* ---- afterwards */

bool workload_session_is_whole(const struct workload_session *session, uint32_t buffer)
{
    return session->submitted_count > 0 && !session->is_broken[buffer];
}

fgpu_status workload_session_map(struct workload_session *session, uint32_t buffer,
                                 const unsigned char **memory, char *why, size_t why_bytes)
{
    const struct workload_buffer *described = &session->workload->buffers[buffer];
    void *mapped = NULL;

    fgpu_status status =
        fgpu_buffer_map(session->buffers[buffer], 0, described->size_bytes, FGPU_READ, &mapped);
    *memory = mapped;
    if (status == FGPU_OK)
        return FGPU_OK;
    return session_pass_error(status, "buffers", described->name, why, why_bytes);
}

void workload_session_unmap(struct workload_session *session, uint32_t buffer,
                            const unsigned char *memory)
{
    (void)fgpu_buffer_unmap(session->buffers[buffer], (void *)(uintptr_t)memory);
}

struct session_entry {
    uint64_t bits;
    uint32_t number;
};

struct workload_session_index {
    uint32_t count;
    struct session_entry entries[];
};

static int session_compare(const void *left, const void *right)
{
    const struct session_entry *a = left, *b = right;

    return (a->bits > b->bits) - (a->bits < b->bits);
}

fgpu_status workload_session_index_make(const struct workload_session *session,
                                        struct workload_session_index **index)
{
    uint32_t count = session->submitted_count;

    *index = malloc(sizeof **index + count * sizeof(*index)->entries[0]);
    if (!*index)
        return FGPU_E_NOMEM;
    (*index)->count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = session->workload->order[i];
        (*index)->entries[i] = (struct session_entry){session->tasks[number].bits, number};
    }
    qsort((*index)->entries, count, sizeof(*index)->entries[0], session_compare);
    return FGPU_OK;
}

uint32_t workload_session_find(const struct workload_session_index *index, fgpu_task task)
{
    const struct session_entry wanted = {.bits = task.bits};
    const struct session_entry *found =
        bsearch(&wanted, index->entries, index->count, sizeof wanted, session_compare);

    return found ? found->number : UINT32_MAX;
}

void workload_session_index_free(struct workload_session_index *index)
{
    free(index);
}
