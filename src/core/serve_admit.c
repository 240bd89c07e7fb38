/* Step 3 of the walk, schedule: deadlines are admitted, or refused.
 *
 * Whether a task would end in time is asked of the policy (policy/edf.h) with what is in flight,
 * what the model predicts on each lane, and what of its producers is still to run. Runs under the
 * engine's lock. Keeps true: what has a deadline of its own and is linked but not started is among
 * the admitted, or has been degraded or refused.
 */
#include "core/serve.h"

#include <stdio.h>

#include "core/graph.h"
#include "core/place.h"
#include "core/sched.h"

#define SERVE_PRODUCERS 4096u /* that are looked at for a prediction */
#define SERVE_F_SEEN 128u
#define SERVE_SHED_NS 500u /* for each admitted task: what looking at them may cost is bounded */

/* ---- what a task takes -------------------------------------------------------------------- */

/* Least over the devices that could run it; EDF_NEVER: none. [out] known. */
static uint64_t serve_least_ns(struct engine *engine, const struct task *task, uint64_t estimate_ns,
                               bool *known)
{
    uint64_t least_ns = EDF_NEVER;
    *known = false;
    for (uint32_t d = 0; d < engine->device_count; d++) {
        bool measured;
        if (place_obstacle(engine, task, &engine->devices[d], d) != NULL)
            continue;
        uint64_t ns = place_cost_ns(engine, task, d, &measured);
        if (!measured && estimate_ns > 0)
            ns = estimate_ns;
        *known |= measured || estimate_ns > 0;
        least_ns = ns < least_ns ? ns : least_ns;
    }
    return least_ns;
}

static void serve_see(struct engine *engine, uint32_t slot, uint32_t generation)
{
    struct serve *serve = engine->serve;
    if (slot >= serve->entries.count || serve->stack.count >= SERVE_PRODUCERS)
        return;
    struct serve_entry *entry = serve_entry(engine, slot);
    if (!(entry->flags & SERVE_F_LIVE) || entry->generation != generation ||
        (entry->flags & SERVE_F_SEEN))
        return;
    if (vec_push(&serve->stack, &slot) != NULL)
        entry->flags |= SERVE_F_SEEN;
}

/* What is still to run of the tasks on the stack and all that they wait for; one after the other,
 * for that is the worst that they can be. Empties the stack. */
static uint64_t serve_producers_ns(struct engine *engine)
{
    struct vec *stack = &engine->serve->stack;
    uint64_t ns = 0;
    for (size_t i = 0; i < stack->count; i++) {
        uint32_t slot = *(uint32_t *)vec_at(stack, i);
        const struct task *task = engine_task(engine, slot);
        bool known;
        uint64_t one_ns = 0;
        if (task_state(task) != FGPU_TASK_RUNNING && task->kind != TASK_EMPTY &&
            task->kind != TASK_MAP)
            one_ns = serve_least_ns(engine, task, serve_entry(engine, slot)->work_ns, &known);
        ns += one_ns == EDF_NEVER ? 0 : one_ns;
        for (uint32_t at = serve_entry(engine, slot)->preds; at != LINKS_NONE;
             at = links_at(&engine->links, at)->next)
            serve_see(engine, links_at(&engine->links, at)->task,
                      links_at(&engine->links, at)->generation);
    }
    for (size_t i = 0; i < stack->count; i++)
        serve_entry(engine, *(uint32_t *)vec_at(stack, i))->flags &= (uint8_t)~SERVE_F_SEEN;
    vec_clear(stack);
    return ns;
}

/* ---- where -------------------------------------------------------------------------------- */

struct serve_ask {
    struct engine *engine;
    const struct task *task; /* the one that is asked for, while it is none yet; else NULL */
    uint64_t estimate_ns;
    uint64_t before_ns; /* what must run before it */
    uint32_t only;      /* the only device there is to choose; TASK_NONE: there are more */
};

/* What was found out when it was admitted holds wherever there is no choice. */
static uint64_t serve_job_ns(const struct serve_ask *ask, const struct task *task, uint32_t device)
{
    struct engine *engine = ask->engine;
    const struct serve_entry *entry = serve_entry(engine, task->self);
    uint32_t only = task->pin != TASK_DEVICE_ANY ? task->pin : ask->only;
    bool known;
    if (only != TASK_NONE)
        return device == only ? entry->work_ns : EDF_NEVER;
    if (place_obstacle(engine, task, &engine->devices[device], device) != NULL)
        return EDF_NEVER;
    uint64_t ns = place_cost_ns(engine, task, device, &known);
    return known || entry->work_ns == 0 ? ns : entry->work_ns;
}

static uint64_t serve_asked_ns(const struct serve_ask *ask, uint32_t device)
{
    struct engine *engine = ask->engine;
    bool known;
    if (place_obstacle(engine, ask->task, &engine->devices[device], device) != NULL)
        return EDF_NEVER;
    uint64_t ns = place_cost_ns(engine, ask->task, device, &known);
    return known || ask->estimate_ns == 0 ? ns : ask->estimate_ns;
}

/* What it still has to wait for, of what it waited for when it was linked. */
static uint64_t serve_before_ns(const struct engine *engine, uint32_t slot)
{
    const struct serve_entry *entry = serve_entry(engine, slot);
    uint64_t gone_ns = engine->now_ns - entry->ready_ns;
    if (engine_task(engine, slot)->undone == 0 || entry->before_ns <= gone_ns)
        return 0;
    return entry->before_ns - gone_ns;
}

static uint64_t serve_cost_ns(const void *user, const struct edf_job *job, uint32_t lane_index)
{
    const struct serve_ask *ask = user;
    struct engine *engine = ask->engine;
    const struct lane *lane = engine_lane(engine, lane_index);
    bool is_asked = job->task == TASK_NONE;
    if (lane->copies || lane->side)
        return EDF_NEVER;
    uint64_t ns = is_asked ? serve_asked_ns(ask, lane->device)
                           : serve_job_ns(ask, engine_task(engine, job->task), lane->device);
    if (ns == EDF_NEVER)
        return ns;
    ns += is_asked ? ask->before_ns : serve_before_ns(engine, job->task);
    return serve_paced_ns(engine, lane_index, ns);
}

/* False without memory. */
static bool serve_machine(struct engine *engine, struct serve_ask *ask, struct edf_machine *machine)
{
    struct serve *serve = engine->serve;
    double spread = 0, doubt = 0;
    uint32_t devices = 0;
    vec_clear(&serve->lanes);
    for (uint32_t i = 0; i < engine->lane_count; i++) {
        uint64_t free_ns = serve_free_ns(engine, engine_lane(engine, i));
        if (vec_push(&serve->lanes, &free_ns) == NULL)
            return false;
        double common, off = serve_spread(engine, i, &common);
        spread = off > spread ? off : spread;
        doubt = common > doubt ? common : doubt;
    }
    ask->only = TASK_NONE;
    for (uint32_t d = 0; d < engine->device_count; d++)
        if (!engine->devices[d].hidden && !engine->devices[d].lost) {
            ask->only = d;
            devices++;
        }
    if (devices != 1)
        ask->only = TASK_NONE;
    bool rest = serve->ready[SERVE_NORMAL] + serve->ready[SERVE_BATCH] > 0;
    *machine = (struct edf_machine){.ready_ns = (const uint64_t *)(void *)serve->lanes.items,
                                    .lane_count = engine->lane_count,
                                    .cost_ns = serve_cost_ns,
                                    .user = ask,
                                    .spread = spread,
                                    .doubt = doubt};
    if (rest && serve->rest.permille > 0)
        machine->permille = 1000 - serve->rest.permille;
    return true;
}

/* ---- before it is submitted --------------------------------------------------------------- */

/* Who writes, now, what the task would touch. Overlapping readers of what it writes, too, have to
 * end first; they are counted as far as they are the last writers of something themselves. */
static void serve_see_writers(struct engine *engine, const struct submit_request *request)
{
    for (uint32_t i = 0; i < request->arg_count; i++) {
        const struct submit_arg *arg = &request->args[i];
        if (arg->kind != FGPU_ARG_BUFFER)
            continue;
        const struct buffer *buffer = engine_buffer(engine, arg->buffer);
        uint64_t end = arg->offset_bytes + arg->shape.pitch_bytes * (arg->shape.rows - 1) +
                       arg->shape.row_bytes;
        struct imap_seg *seg = imap_first(&buffer->segments, arg->offset_bytes);
        for (; seg != NULL && seg->begin < end; seg = imap_next(&buffer->segments, seg)) {
            const struct segment *segment = graph_segment(seg);
            if (segment->writer != TASK_NONE)
                serve_see(engine, segment->writer, segment->writer_generation);
        }
    }
    for (uint32_t i = 0; i < request->after_count; i++)
        serve_see(engine, request->after[2 * i], request->after[2 * i + 1]);
}

/* As much of a record as asking for obstacles and costs reads. */
static void serve_fake(const struct submit_request *request, struct task *task)
{
    memset(task, 0, sizeof *task);
    task->kernel = request->kernel;
    task->kind = request->kind & 15u;
    task->flags = TASK_F_AUTO_LOCAL;
    task->pin = request->pin;
    task->no_memory = LINKS_NONE;
    task->payload = task->inline_payload;
    if (request->kind == TASK_KERNEL)
        task->size = request->global[0] * request->global[1] * request->global[2];
}

struct serve_answer serve_predict(struct engine *engine, const struct submit_request *request,
                                  const struct task_terms *terms)
{
    struct serve *serve = engine->serve;
    struct task fake;
    struct edf_machine machine;
    struct serve_answer answer = {.finish_ns = EDF_NEVER};
    serve_fake(request, &fake);
    vec_clear(&serve->stack);
    serve_see_writers(engine, request);
    struct serve_ask ask = {engine, &fake, terms->estimate_ns, serve_producers_ns(engine),
                            TASK_NONE};
    uint64_t work_ns = serve_least_ns(engine, &fake, terms->estimate_ns, &answer.is_known);
    if (work_ns == EDF_NEVER || !serve_machine(engine, &ask, &machine))
        return answer;
    struct edf_job job = {.deadline_ns = terms->deadline_ns,
                          .work_ns = work_ns,
                          .task = TASK_NONE,
                          .order = engine->order,
                          .is_firm = terms->late == FGPU_LATE_REFUSE};
    struct edf_answer found = edf_admit(&serve->admitted, &machine, &job, true);
    answer.finish_ns = found.finish_ns;
    answer.is_admitted = found.is_admitted;
    return answer;
}

/* ---- when it is linked -------------------------------------------------------------------- */

/* Dropped or degraded, as its caller chose. */
static void serve_give_way(struct engine *engine, struct task *task, const char *why)
{
    struct serve_entry *entry = serve_entry(engine, task->self);
    entry->flags &= (uint8_t)~SERVE_F_ADMITTED;
    entry->work_ns = 0;
    if (entry->late == FGPU_LATE_DEGRADE) {
        serve_degrade(engine, task);
        return;
    }
    engine->serve->dropped++;
    serve_refuse(engine, task, FGPU_E_DEADLINE, why);
}

void serve_admit(struct engine *engine, struct task *task)
{
    struct serve *serve = engine->serve;
    const struct task_terms *terms = &task_extra(task)->terms;
    struct serve_entry *entry = serve_entry(engine, task->self);
    struct edf_machine machine;
    bool known;
    vec_clear(&serve->stack);
    for (uint32_t at = entry->preds; at != LINKS_NONE; at = links_at(&engine->links, at)->next)
        serve_see(engine, links_at(&engine->links, at)->task,
                  links_at(&engine->links, at)->generation);
    entry->before_ns = serve_producers_ns(engine);
    entry->work_ns = serve_least_ns(engine, task, terms->estimate_ns, &known);
    struct serve_ask ask = {.engine = engine};
    if (entry->work_ns == EDF_NEVER || !serve_machine(engine, &ask, &machine)) {
        entry->work_ns = 0;
        return; /* placing it will say why not */
    }
    struct edf_job job = {.deadline_ns = terms->deadline_ns,
                          .work_ns = entry->work_ns,
                          .task = task->self,
                          .order = task->order,
                          .is_firm = terms->late == FGPU_LATE_REFUSE};
    struct edf_answer found = edf_admit(&serve->admitted, &machine, &job, false);
    if (found.is_admitted)
        entry->flags |= SERVE_F_ADMITTED;
    else if (entry->late != FGPU_LATE_REFUSE) /* that was asked before, and is kept as answered */
        serve_give_way(engine, task, "it would have ended after its deadline");
    for (uint32_t i = 0; i < found.drop_count; i++)
        serve_give_way(engine, engine_task(engine, found.drops[i]),
                       "it gave way, so that more tasks end in time");
}

void serve_shed(struct engine *engine)
{
    struct serve *serve = engine->serve;
    struct serve_ask ask = {.engine = engine};
    struct edf_machine machine;
    uint32_t drops[EDF_DROPS];
    if (engine->now_ns < serve->shed_ns || !serve_machine(engine, &ask, &machine))
        return;
    serve->shed_ns = engine->now_ns + serve->admitted.jobs.count * SERVE_SHED_NS;
    uint32_t count = edf_shed(&serve->admitted, &machine, drops);
    for (uint32_t i = 0; i < count; i++)
        serve_give_way(engine, engine_task(engine, drops[i]),
                       "it gave way, so that more tasks end in time");
}

/* When would it end if it went out now? EDF_NEVER: nobody knows. */
static uint64_t serve_end_ns(struct engine *engine, const struct task *task, double *spread)
{
    uint64_t end_ns = EDF_NEVER;
    double doubt;
    struct serve_ask ask = {.engine = engine, .only = TASK_NONE};
    for (uint32_t i = 0; i < engine->lane_count; i++) {
        uint64_t free_ns = serve_free_ns(engine, engine_lane(engine, i));
        if (free_ns == EDF_NEVER)
            continue;
        uint64_t ns = serve_job_ns(&ask, task, engine_lane(engine, i)->device);
        if (ns == EDF_NEVER || free_ns + serve_paced_ns(engine, i, ns) >= end_ns)
            continue;
        end_ns = free_ns + serve_paced_ns(engine, i, ns);
        *spread = serve_spread(engine, i, &doubt);
    }
    return end_ns;
}

/* It was promised a place, and cannot end in time: it does not make the others late, which can. */
static bool serve_postpone(struct engine *engine, struct task *task, struct serve_entry *entry)
{
    if (ranked_count(&engine->serve->due) == 0 || task->succ != LINKS_NONE ||
        entry->deadline_ns != task_extra(task)->terms.deadline_ns)
        return false;
    entry->work_ns = 0;
    entry->deadline_ns = EDF_NEVER;
    serve_ready(engine, task);
    return true;
}

/* It has been answered for: nobody drops it, or counts it beside what is in flight, any more. */
static void serve_settled(struct engine *engine, const struct task *task, struct serve_entry *entry)
{
    if (entry->flags & SERVE_F_ADMITTED)
        (void)edf_remove(&engine->serve->admitted, task->self);
    entry->flags &= (uint8_t)~SERVE_F_ADMITTED;
}

void serve_started(struct engine *engine, const struct task *task)
{
    serve_settled(engine, task, serve_entry(engine, task->self));
}

bool serve_is_in_time(struct engine *engine, struct task *task)
{
    struct serve_entry *entry = serve_entry(engine, task->self);
    bool is_own = (task->marks & TASK_M_TERMS) && entry->work_ns > 0;
    double spread = 0;
    serve_settled(engine, task, entry);
    if (!is_own)
        return true;
    uint64_t end_ns = serve_end_ns(engine, task, &spread);
    uint64_t due_ns = task_extra(task)->terms.deadline_ns;
    if (end_ns == EDF_NEVER || end_ns <= due_ns)
        return true;
    if (entry->late == FGPU_LATE_REFUSE) {
        bool hopeless =
            engine->now_ns >= due_ns || (double)(end_ns - engine->now_ns) * (1 - spread / 2) >
                                            (double)(due_ns - engine->now_ns);
        return !hopeless || !serve_postpone(engine, task, entry);
    }
    serve_give_way(engine, task, "it could not end before its deadline any more");
    engine_look(engine, task->self); /* ready again, in another queue */
    return false;
}
