/* A simulation runs, and tells what came of it. See fastgpu/sim.h.
 *
 * All tasks are submitted at the beginning of virtual time, as far as the task table takes them;
 * the rest as it empties. The CPU time of the decisions is that of the whole run in proportion to
 * the time by the wall that the engine's turns and events took, as far as those are looked at that
 * stand for the others (run/simulator.c). Thread: one at a time per simulation.
 */
#include <string.h>

#include "api/sim.h"
#include "core/planner.h"
#include "core/serve.h"
#include "base/clock.h"
#include "base/error.h"

#define SIM_EVENTS 4096u /* moments of virtual time between two looks at the progress */

/* ---- submitting ------------------------------------------------------------------------- */

static const uint32_t *sim_after(const fgpu_sim *sim, const struct sim_task *task, uint32_t *pairs,
                                 uint32_t *count)
{
    *count = 0;
    for (uint32_t i = 0; i < task->after_count; i++) {
        uint32_t number = *(uint32_t *)vec_at(&sim->after, task->first_after + i);
        const struct sim_place *place = vec_at(&sim->places, number);
        if (place->slot == TASK_NONE) /* it was refused */
            continue;
        pairs[2 * *count] = place->slot;
        pairs[2 * (*count)++ + 1] = place->generation;
    }
    return pairs;
}

/* Parts of a task and of its data go with each other; what has fewer bytes than the task has parts
 * is cut into bytes. */
static fgpu_cut sim_cut(uint64_t bytes, uint32_t mode, uint32_t parts)
{
    if ((mode & FGPU_SIM_WHOLE) || (bytes < parts && !(mode & FGPU_WRITE)))
        return fgpu_cut_whole();
    fgpu_cut cut = fgpu_cut_items(bytes / parts, 0, 0);
    if (bytes < parts) {
        cut.bytes = 1;
        cut.items = (uint32_t)((parts + bytes - 1) / bytes);
    }
    return cut;
}

static fgpu_status sim_submit(fgpu_sim *sim, uint32_t number)
{
    const struct sim_task *task = vec_at(&sim->tasks, number);
    struct engine *engine = &sim->simulator.engine;
    const struct simulator_type *type = vec_at(&sim->simulator.types, task->type);
    struct submit_arg args[LIMITS_ACCESSES];
    fgpu_cut cuts[LIMITS_ACCESSES];
    uint32_t pairs[2 * LIMITS_DEPS];
    for (uint32_t i = 0; i < task->access_count; i++) {
        const fgpu_sim_access *access = vec_at(&sim->accesses, task->first_access + i);
        uint32_t buffer = *(uint32_t *)vec_at(&sim->data, access->data);
        uint64_t bytes = atomic_load_relaxed_u64(&engine_buffer(engine, buffer)->size_bytes);
        args[i] = (struct submit_arg){.kind = FGPU_ARG_BUFFER,
                                      .mode = (uint8_t)(access->mode & FGPU_READ_WRITE),
                                      .buffer = buffer,
                                      .shape = {bytes, bytes, 1}};
        if (type->parts > 1)
            cuts[i] = sim_cut(bytes, access->mode, type->parts);
    }
    struct submit_request request = {.kind = TASK_KERNEL,
                                     .arg_count = (uint8_t)task->access_count,
                                     .args = args,
                                     .pin = TASK_DEVICE_ANY,
                                     .cuts = type->parts > 1 ? cuts : NULL};
    request.after = sim_after(sim, task, pairs, &request.after_count);
    if (!(sim->flags & FGPU_SIM_NO_PRIORITIES))
        request.priority = task->priority;
    struct task_terms terms;
    struct sim_place place = {TASK_NONE, 0};
    fgpu_status status = sim_terms(sim, task, &request, &terms);
    if (status == FGPU_E_DEADLINE)
        return vec_push(&sim->places, &place) != NULL ? FGPU_OK : FGPU_E_NOMEM;
    if (status == FGPU_OK)
        status = simulator_submit_typed(&sim->simulator, &request,
                                        (struct simulator_task){number, task->type}, &place.slot);
    if (status != FGPU_OK)
        return status;
    place.generation = task_generation(engine_task(engine, place.slot));
    if (sim->has_terms) /* what comes next may ask what this one will take */
        (void)engine_drain(engine);
    return vec_push(&sim->places, &place) != NULL ? FGPU_OK : FGPU_E_NOMEM;
}

/* When the next task is to be submitted; never: there is none. */
static uint64_t sim_release_ns(const fgpu_sim *sim)
{
    if (sim->places.count == sim->tasks.count)
        return SIMULATOR_NEVER;
    return ((const struct sim_task *)vec_at(&sim->tasks, sim->places.count))->release_ns;
}

/* As many as have been released and there is room for. FGPU_E_AGAIN: there are more. */
static fgpu_status sim_submit_some(fgpu_sim *sim)
{
    while (sim_release_ns(sim) <= sim->simulator.now_ns) {
        fgpu_status status = sim_submit(sim, (uint32_t)sim->places.count);
        if (status != FGPU_OK)
            return status;
    }
    return FGPU_OK;
}

/* ---- results ---------------------------------------------------------------------------- */

static void sim_fill(const fgpu_sim *sim, fgpu_sim_result *result)
{
    const struct simulator *s = &sim->simulator;
    const fgpu_pool_stats *stats = &s->engine.stats;
    memset(result, 0, sizeof *result);
    result->struct_bytes = sizeof *result;
    result->makespan_ns = s->last_ns;
    result->tasks = sim->tasks.count;
    result->failed_tasks = stats->tasks_failed + stats->tasks_cancelled;
    result->events = sim->places.count + s->started + s->ended;
    result->copies = s->copies;
    result->bytes_moved = s->bytes_moved;
    for (size_t i = 0; i < sim->tasks.count; i++)
        result->flops += ((const struct sim_task *)vec_at(&sim->tasks, i))->flops;
    result->divided = stats->tasks_divided;
    result->pieces = stats->pieces;
    if (s->answered > 0)
        result->response_ns = (uint64_t)(s->response_ns / (double)s->answered);
    if (s->engine.serve != NULL) {
        result->refused = s->engine.serve->refused;
        result->dropped = s->engine.serve->dropped;
        result->degraded = s->engine.serve->degraded;
    }
    const struct policy *policy = planner_policy(&s->engine);
    memcpy(result->policy, policy->name, strnlen(policy->name, sizeof result->policy - 1));
}

static fgpu_status sim_index(fgpu_sim *sim)
{
    const struct vec *runs = &sim->simulator.runs;
    for (uint32_t i = 0; i < runs->count; i++) {
        const struct simulator_run *run = vec_at(runs, i);
        bool is_task = run->task != TASK_NONE;
        if (!is_task && run->bytes == 0)
            continue; /* a fence */
        if (vec_push(is_task ? &sim->run_index : &sim->copy_index, &i) == NULL)
            return FGPU_E_NOMEM;
    }
    return FGPU_OK;
}

/* ---- the run ---------------------------------------------------------------------------- */

static fgpu_status sim_drive(fgpu_sim *sim)
{
    struct simulator *s = &sim->simulator;
    for (;;) {
        fgpu_status status = sim_submit_some(sim);
        bool all = status == FGPU_OK;
        if (!all && status != FGPU_E_AGAIN)
            return error_set(status, "fgpu_sim_run: no memory for the tasks");
        uint64_t before = s->engine.stats.turns,
                 release_ns = all ? sim_release_ns(sim) : SIMULATOR_NEVER;
        bool more = simulator_step(s, release_ns, SIM_EVENTS);
        if (!more && release_ns != SIMULATOR_NEVER) { /* nothing happens until then */
            s->now_ns = release_ns;
            more = true;
        }
        const fgpu_pool_stats *stats = &s->engine.stats;
        uint64_t done = stats->tasks_done + stats->tasks_failed + stats->tasks_cancelled;
        if (sim->progress != NULL && sim->progress(done, sim->tasks.count, sim->progress_user) != 0)
            return error_set(FGPU_E_CANCELLED, "fgpu_sim_run: ended by the progress function");
        if (!more && all && s->engine.pending_tasks > 0)
            return error_set(FGPU_E_DEVICE,
                             "fgpu_sim_run: %u tasks wait for something that never comes",
                             s->engine.pending_tasks);
        if (!more && all)
            return FGPU_OK;
        if (!more && s->engine.stats.turns - before <= 1 && sim_submit_some(sim) == FGPU_E_AGAIN)
            return error_set(FGPU_E_LIMIT, "fgpu_sim_run: too many tasks have failed");
    }
}

fgpu_status fgpu_sim_run(fgpu_sim *sim, fgpu_sim_result *result)
{
    if (sim == NULL || result == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_sim_run: %s is NULL", sim == NULL ? "sim" : "result");
    if (result->struct_bytes != sizeof *result)
        return error_set(FGPU_E_VERSION,
                         "fgpu_sim_run: result.struct_bytes is %u, this library's is %zu",
                         result->struct_bytes, sizeof *result);
    if (sim->has_run)
        return error_set(FGPU_E_INVAL, "fgpu_sim_run: the simulation has run already");
    fgpu_status status = sim_power_check(sim);
    if (status != FGPU_OK)
        return status;
    sim->has_run = true;
    uint64_t cpu_ns = clock_cpu_thread_ns(), wall_ns = clock_now_ns();
    status = sim_drive(sim);
    cpu_ns = clock_cpu_thread_ns() - cpu_ns;
    wall_ns = clock_now_ns() - wall_ns;
    sim_fill(sim, result);
    result->run_cpu_ns = cpu_ns;
    double part = wall_ns > 0 ? (double)sim->simulator.turn_ns / (double)wall_ns : 0;
    result->decision_cpu_ns = (uint64_t)((part < 1 ? part : 1) * (double)cpu_ns);
    if (status == FGPU_OK)
        status = sim_bound(sim, result);
    if (status == FGPU_OK && sim_power_fill(sim, result) != FGPU_OK)
        status = error_set(FGPU_E_NOMEM, "fgpu_sim_run: no memory for the power figures");
    if (status == FGPU_OK && sim_index(sim) != FGPU_OK)
        status = error_set(FGPU_E_NOMEM, "fgpu_sim_run: no memory for what was kept");
    return status;
}

/* ---- afterwards ------------------------------------------------------------------------- */

fgpu_status fgpu_sim_busy(const fgpu_sim *sim, uint32_t device, double *share)
{
    if (sim == NULL || share == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_sim_busy: %s is NULL", sim == NULL ? "sim" : "share");
    if (device >= sim->machine->device_count)
        return error_set(FGPU_E_INVAL, "fgpu_sim_busy: device is %u; the machine has %u", device,
                         sim->machine->device_count);
    uint64_t total_ns = sim->simulator.last_ns;
    uint64_t busy_ns = *(uint64_t *)vec_at(&sim->simulator.busy, device);
    *share = total_ns > 0 ? (double)busy_ns / (double)total_ns : 0;
    return FGPU_OK;
}

static fgpu_status sim_span(const fgpu_sim *sim, const struct vec *index, uint64_t at,
                            fgpu_sim_span *span, const char *call)
{
    if (sim == NULL || span == NULL)
        return error_set(FGPU_E_INVAL, "%s: %s is NULL", call, sim == NULL ? "sim" : "span");
    if (at >= index->count)
        return error_set(FGPU_E_RANGE, "%s: index is %llu of %zu", call, (unsigned long long)at,
                         index->count);
    const struct simulator *s = &sim->simulator;
    const struct simulator_run *run = vec_at(&s->runs, *(uint32_t *)vec_at(index, (size_t)at));
    const struct lane *lane = &s->engine.lanes[run->lane];
    *span = (fgpu_sim_span){.start_ns = run->start_ns,
                            .end_ns = run->end_ns,
                            .task = run->number,
                            .device = s->devices[lane->device].first + lane->queue,
                            .status = run->status,
                            .bytes = run->bytes,
                            .first_part = run->first,
                            .parts = run->items};
    if (run->task == TASK_NONE) {
        span->source = simulator_node(s, run->source);
        span->device = simulator_node(s, run->target);
    }
    return FGPU_OK;
}

fgpu_status fgpu_sim_run_at(const fgpu_sim *sim, uint64_t index, fgpu_sim_span *span)
{
    return sim_span(sim, &sim->run_index, index, span, "fgpu_sim_run_at");
}

fgpu_status fgpu_sim_copy_at(const fgpu_sim *sim, uint64_t index, fgpu_sim_span *span)
{
    return sim_span(sim, &sim->copy_index, index, span, "fgpu_sim_copy_at");
}
