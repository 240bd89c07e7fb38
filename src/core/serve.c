/* Step 3 of the walk, schedule, where tasks have terms: which of the ready tasks is next.
 *
 * Takes READY tasks, gives PICKED ones. Three classes, by urgency: interactive (earliest deadline
 * first; those without a deadline behind, by fair shares), normal and batch (by fair shares of
 * their tenants, within a tenant by priority). A class goes before the next, but for the minimum
 * that is guaranteed to those behind. What an urgent task waits for is as urgent as that task,
 * through all that it depends on, so that suspending or holding back a task never holds up one
 * that is more urgent (priority inheritance: L. Sha, R. Rajkumar, J. Lehoczky, IEEE ToC 1990).
 * While something urgent is there or expected, little is handed to a lane ahead of its end.
 *
 * Time is charged to a tenant when a task is chosen, as predicted, and corrected by what the device
 * measured when it has ended. Runs under the engine's lock. Keeps true: a task that waits for
 * another is not more urgent than that; what is ready is in one queue; the queues' counts are the
 * engine's ready_count.
 */
#include "core/serve.h"

#include <stdio.h>
#include <string.h>

#include "core/fault.h"
#include "core/graph.h"
#include "core/planner.h"
#include "core/preempt.h"
#include "core/rest.h"
#include "core/sched.h"

#define SERVE_SHARP_NS 50000u      /* in flight in a lane, while something urgent may come */
#define SERVE_CALM_NS 100000000u   /* after the last urgent task: nothing more is expected */
#define SERVE_LANES 64u            /* that are looked at for room */
#define SERVE_NEWEST 32u           /* commands in flight that are looked at for an urgent one */
#define SERVE_PRIORITY_LEAST 1000u /* keys are 1000 - priority */

struct serve_entry *serve_entry(const struct engine *engine, uint32_t slot)
{
    return vec_at(&engine->serve->entries, slot);
}

static struct serve_entry *serve_of(const struct engine *engine, const struct task *task)
{
    return serve_entry(engine, task->self);
}

static struct serve_tenant *serve_tenant_at(const struct serve *serve, uint32_t tenant)
{
    return vec_at(&serve->tenants, tenant);
}

/* ---- life ------------------------------------------------------------------------------- */

fgpu_status serve_tenant_add(struct engine *engine, const char *name, uint32_t weight,
                             uint64_t quota_ns, uint32_t *index)
{
    struct serve *serve = engine->serve;
    if (serve->tenants.count == LIMITS_TENANTS)
        return FGPU_E_LIMIT;
    struct serve_tenant *tenant = vec_push(&serve->tenants, NULL);
    if (tenant == NULL)
        return FGPU_E_NOMEM;
    for (uint32_t c = 0; c < SERVE_CLASSES; c++) {
        ranked_init(&tenant->queues[c], engine->hooks);
        (void)share_add(&serve->share[c], weight);
    }
    tenant->weight = weight;
    tenant->quota_ns = quota_ns;
    (void)snprintf(tenant->name, sizeof tenant->name, "%s", name);
    *index = (uint32_t)serve->tenants.count - 1;
    return FGPU_OK;
}

/* The tasks that there are already. */
static void serve_take_over(struct engine *engine)
{
    struct vec *ready = &engine->serve->stack;
    for (uint32_t i = 0; i < table_high_water(&engine->tasks); i++) {
        struct task *task = engine_task(engine, i);
        fgpu_task_state state = task_state(task);
        if (state != FGPU_TASK_NEW && !task_state_ended(state) && !(task->marks & TASK_M_PIECE))
            serve_enter(engine, task);
    }
    for (size_t i = 0; i < ready->count; i++)
        serve_ready(engine, engine_task(engine, *(uint32_t *)vec_at(ready, i)));
    vec_clear(ready);
}

/* There are no plans any more. */
static void serve_end_plans(struct engine *engine)
{
    struct planner *planner = engine->planner;
    if (planner == NULL)
        return;
    vec_clear(&planner->entries);
    vec_clear(&planner->early);
    planner->early_done = 0;
    planner->found.policy = NULL;
    uses_forget(&planner->uses);
    rest_end(engine);
}

fgpu_status serve_begin(struct engine *engine)
{
    uint32_t own;
    if (engine->serve != NULL)
        return FGPU_OK;
    struct serve *serve = alloc_get_zeroed(engine->hooks, sizeof *serve, LIMITS_CACHE_LINE);
    if (serve == NULL)
        return FGPU_E_NOMEM;
    engine->serve = serve;
    vec_init(&serve->tenants, sizeof(struct serve_tenant), engine->hooks);
    vec_init(&serve->entries, sizeof(struct serve_entry), engine->hooks);
    vec_init(&serve->lanes, sizeof(uint64_t), engine->hooks);
    vec_init(&serve->paces, sizeof(struct serve_pace), engine->hooks);
    vec_init(&serve->stack, sizeof(uint32_t), engine->hooks);
    ranked_init(&serve->due, engine->hooks);
    edf_init(&serve->admitted, engine->hooks);
    share_floor_init(&serve->batch, SERVE_FLOOR_PERMILLE);
    share_floor_init(&serve->rest, 2 * SERVE_FLOOR_PERMILLE);
    serve->budget_ns = engine->budget_ns;
    serve->last = TASK_NONE;
    if (!vec_reserve(&serve->entries, table_high_water(&engine->tasks) + 64) ||
        !vec_reserve(&serve->stack, engine->ready_count + 64) ||
        !vec_reserve(&serve->paces, engine->lane_count + 1u) ||
        serve_tenant_add(engine, "", 1, 0, &own) != FGPU_OK || preempt_begin(engine) != FGPU_OK) {
        serve_fini(engine);
        return FGPU_E_NOMEM;
    }
    for (uint32_t i = 0; i < engine->lane_count; i++)
        (void)vec_push(&serve->paces, NULL);
    engine->direct = false; /* every task is looked at here */
    serve_end_plans(engine);
    engine->serve = NULL; /* the plain lists are emptied first */
    for (uint32_t index; (index = sched_next_ready(engine)) != TASK_NONE;)
        (void)vec_push(&serve->stack, &index);
    engine->serve = serve;
    serve_take_over(engine);
    return FGPU_OK;
}

void serve_fini(struct engine *engine)
{
    struct serve *serve = engine->serve;
    if (serve == NULL)
        return;
    preempt_fini(engine);
    for (uint32_t i = 0; i < serve->tenants.count; i++)
        for (uint32_t c = 0; c < SERVE_CLASSES; c++)
            ranked_fini(&serve_tenant_at(serve, i)->queues[c]);
    vec_fini(&serve->tenants);
    vec_fini(&serve->entries);
    vec_fini(&serve->lanes);
    vec_fini(&serve->paces);
    vec_fini(&serve->stack);
    ranked_fini(&serve->due);
    edf_fini(&serve->admitted);
    alloc_put(engine->hooks, serve, sizeof *serve);
    engine->serve = NULL;
}

/* ---- time ------------------------------------------------------------------------------- */

/* Towards the minimum that is guaranteed to the classes behind. */
static void serve_charge_floors(struct engine *engine, const struct serve_entry *entry, int64_t ns)
{
    struct serve *serve = engine->serve;
    bool batch_waits = serve->ready[SERVE_BATCH] > 0;
    bool rest_waits = batch_waits || serve->ready[SERVE_NORMAL] > 0 || preempt_has_work(engine);
    share_floor_ran(&serve->rest, entry->charged != SERVE_URGENT, rest_waits, ns);
    share_floor_ran(&serve->batch, entry->charged == SERVE_BATCH, batch_waits, ns);
}

static void serve_charge(struct engine *engine, struct serve_entry *entry, int64_t ns)
{
    if (ns == 0)
        return;
    entry->charged_ns = (uint64_t)((int64_t)entry->charged_ns + ns);
    share_charge(&engine->serve->share[entry->charged], entry->tenant, ns);
    if (!(entry->flags & SERVE_F_PARTS))
        serve_charge_floors(engine, entry, ns);
}

/* The task that was chosen last has been placed, and is charged what that takes. */
static void serve_charge_last(struct engine *engine)
{
    struct serve *serve = engine->serve;
    if (serve->last == TASK_NONE)
        return;
    const struct task *task = engine_task(engine, serve->last);
    struct serve_entry *entry = serve_of(engine, task);
    bool same =
        (entry->flags & (SERVE_F_LIVE | SERVE_F_PICKED)) == (SERVE_F_LIVE | SERVE_F_PICKED) &&
        entry->generation == task_generation(task);
    if (same && entry->charged_ns == 0 && !(task->marks & TASK_M_DIVISIBLE))
        serve_charge(engine, entry, task->predicted_ns);
    serve->last = TASK_NONE;
}

void serve_piece(struct engine *engine, const struct task *piece)
{
    const fgpu_cmd_result *result = task_result(piece);
    uint32_t parent = task_piece(piece)->parent;
    if (!(piece->flags & TASK_F_ISSUED) || parent >= engine->serve->entries.count)
        return;
    struct serve_entry *entry = serve_entry(engine, parent);
    if (!(entry->flags & SERVE_F_LIVE) || entry->generation != task_piece(piece)->parent_generation)
        return;
    uint64_t ns = result->timed ? result->end_ns - result->start_ns : piece->predicted_ns;
    entry->pieces_ns += ns;
    serve_charge(engine, entry, (int64_t)ns);
}

void serve_in_parts(struct engine *engine, const struct task *task)
{
    struct serve_entry *entry = serve_of(engine, task);
    if (!(entry->flags & SERVE_F_PARTS) && entry->charged != SERVE_URGENT)
        share_floor_refund(&engine->serve->rest, entry->charged_ns);
    if (!(entry->flags & SERVE_F_PARTS) && entry->charged == SERVE_BATCH)
        share_floor_refund(&engine->serve->batch, entry->charged_ns);
    entry->flags |= SERVE_F_PARTS;
}

/* What was predicted has been charged to its tenant. */
void serve_ran(struct engine *engine, struct task *task, uint64_t ns)
{
    struct serve_entry *entry = serve_of(engine, task);
    entry->pieces_ns += ns;
    if (ns > 0)
        serve_charge_floors(engine, entry, (int64_t)ns);
    if (entry->pieces_ns > entry->charged_ns)
        serve_charge(engine, entry, (int64_t)(entry->pieces_ns - entry->charged_ns));
}

/* What the device measured of a task that has ended. */
static uint64_t serve_measured(const struct task *task, const struct serve_entry *entry)
{
    if (entry->pieces_ns > 0)
        return entry->pieces_ns;
    if (!(task->flags & TASK_F_ISSUED) || task->kind == TASK_EMPTY || task->kind == TASK_MAP)
        return 0;
    const fgpu_cmd_result *result = task_result(task);
    if (task->kind != TASK_JOINED && result->timed)
        return result->end_ns - result->start_ns;
    return entry->charged_ns != 0 ? entry->charged_ns : task->predicted_ns;
}

/* ---- coming and going --------------------------------------------------------------------- */

static uint64_t serve_stamp(const struct engine *engine)
{
    return engine->stats.turns + 2;
}

void serve_enter(struct engine *engine, struct task *task)
{
    struct serve *serve = engine->serve;
    while (serve->entries.count <= task->self)
        if (vec_push(&serve->entries, NULL) == NULL) {
            graph_doom(task, FGPU_E_NOMEM, task->self, task_word(task));
            return;
        }
    struct serve_entry *entry = serve_of(engine, task);
    *entry = (struct serve_entry){.deadline_ns = EDF_NEVER,
                                  .preds = LINKS_NONE,
                                  .generation = task_generation(task),
                                  .ready_ns = engine->now_ns,
                                  .priority = task->priority,
                                  .rank = SERVE_NORMAL,
                                  .flags = SERVE_F_LIVE};
    if (task->marks & TASK_M_TERMS) {
        const struct task_terms *terms = &task_extra(task)->terms;
        entry->deadline_ns = terms->deadline_ns;
        entry->tenant = terms->tenant;
        entry->rank = terms->rank;
        entry->late = terms->late;
    }
    entry->charged = entry->rank;
    task->marks |= TASK_M_SERVED;
    serve->urgent += entry->rank == SERVE_URGENT;
}

/* False: the task is none that is served, or has ended. */
static bool serve_is_live(const struct engine *engine, uint32_t slot, uint32_t generation)
{
    if (slot >= engine->serve->entries.count)
        return false;
    const struct serve_entry *entry = serve_entry(engine, slot);
    return (entry->flags & SERVE_F_LIVE) && entry->generation == generation;
}

void serve_edge(struct engine *engine, const struct task *from, const struct task *to)
{
    if (!(from->marks & to->marks & TASK_M_SERVED) || !links_reserve(&engine->links, 1))
        return; /* it will not inherit */
    (void)links_push(&engine->links, &serve_of(engine, to)->preds,
                     (struct links_item){.task = from->self, .generation = task_generation(from)});
}

void serve_ended(struct engine *engine, struct task *task)
{
    struct serve *serve = engine->serve;
    struct serve_entry *entry = serve_of(engine, task);
    if (!(entry->flags & SERVE_F_LIVE))
        return;
    uint64_t ns = serve_measured(task, entry);
    serve_charge(engine, entry, (int64_t)(ns - entry->charged_ns));
    struct serve_tenant *tenant = serve_tenant_at(serve, entry->tenant);
    tenant->used_ns += ns;
    tenant->tasks += ns > 0;
    if (entry->flags & SERVE_F_PRESENT)
        share_go(&serve->share[entry->present], entry->tenant, serve_stamp(engine));
    if (entry->flags & SERVE_F_ADMITTED)
        (void)edf_remove(&serve->admitted, task->self);
    if (entry->rank == SERVE_URGENT) {
        serve_paced(engine, task, entry);
        serve->urgent--;
        serve->calm_ns = engine->now_ns + SERVE_CALM_NS;
    }
    links_clear(&engine->links, &entry->preds);
    entry->flags = 0;
    task->marks &= (uint16_t)~TASK_M_SERVED;
}

/* ---- queues ------------------------------------------------------------------------------- */

/* Where a ready task waits. */
static struct ranked *serve_queue_of(struct serve *serve, const struct serve_entry *entry)
{
    if (entry->rank == SERVE_URGENT && entry->deadline_ns != EDF_NEVER)
        return &serve->due;
    return &serve_tenant_at(serve, entry->tenant)->queues[entry->rank];
}

static void serve_note_waiting(struct serve *serve, uint32_t tenant, uint32_t rank)
{
    const struct ranked *queue = &serve_tenant_at(serve, tenant)->queues[rank];
    share_set(serve->waiting[rank], tenant, ranked_count(queue) > 0);
}

static bool serve_enqueue(struct engine *engine, struct task *task)
{
    struct serve *serve = engine->serve;
    struct serve_entry *entry = serve_of(engine, task);
    struct ranked *queue = serve_queue_of(serve, entry);
    uint64_t key = queue == &serve->due
                       ? entry->deadline_ns
                       : (uint64_t)((int64_t)SERVE_PRIORITY_LEAST - entry->priority);
    if (!ranked_push(queue, (struct ranked_item){key, task->order, task->self}))
        return false;
    if (!(entry->flags & SERVE_F_PRESENT)) {
        entry->flags |= SERVE_F_PRESENT;
        entry->present = entry->rank;
        share_come(&serve->share[entry->rank], entry->tenant, serve_stamp(engine));
    }
    entry->flags |= SERVE_F_QUEUED;
    serve_note_waiting(serve, entry->tenant, entry->rank);
    serve->ready[entry->rank]++;
    engine->ready_count++;
    return true;
}

static void serve_queue(struct engine *engine, struct task *task)
{
    if (serve_enqueue(engine, task))
        return;
    graph_doom(task, FGPU_E_NOMEM, task->self, task_word(task));
    task_set_state(task, FGPU_TASK_LINKED);
    engine_look(engine, task->self);
}

bool serve_suspend(struct engine *engine, struct task *task)
{
    return serve_enqueue(engine, task);
}

/* It has been taken out of its queue, or is taken now. */
static void serve_unqueue(struct engine *engine, struct serve_entry *entry, uint32_t slot,
                          bool taken)
{
    struct serve *serve = engine->serve;
    if (!taken) {
        bool found = ranked_remove(serve_queue_of(serve, entry), slot);
        FGPU_ASSERT(found);
    }
    entry->flags &= (uint8_t)~SERVE_F_QUEUED;
    serve_note_waiting(serve, entry->tenant, entry->rank);
    serve->ready[entry->rank]--;
    engine->ready_count--;
}

void serve_ready(struct engine *engine, struct task *task)
{
    if (!(task->marks & TASK_M_SERVED))
        serve_enter(engine, task);
    if (!(task->marks & TASK_M_SERVED)) { /* no memory: it ends */
        engine_look(engine, task->self);
        return;
    }
    task_set_state(task, FGPU_TASK_READY);
    serve_of(engine, task)->ready_ns = engine->now_ns;
    serve_queue(engine, task);
    if (engine->trace->on)
        trace_emit(engine->trace, (struct trace_event){.time_ns = engine->now_ns,
                                                       .kind = TRACE_READY,
                                                       .device = TRACE_NO_DEVICE,
                                                       .task = engine_trace_id(task)});
}

void serve_remove(struct engine *engine, struct task *task)
{
    struct serve_entry *entry = serve_of(engine, task);
    if (entry->flags & SERVE_F_QUEUED)
        serve_unqueue(engine, entry, task->self, false);
}

/* ---- urgency ------------------------------------------------------------------------------ */

/* What follows from the rank has changed: the task waits elsewhere. */
static void serve_set_rank(struct engine *engine, struct task *task, uint8_t rank,
                           uint64_t deadline_ns, int16_t priority)
{
    struct serve *serve = engine->serve;
    struct serve_entry *entry = serve_of(engine, task);
    bool queued = entry->flags & SERVE_F_QUEUED;
    uint32_t kept = engine->kept;
    if (queued)
        serve_unqueue(engine, entry, task->self, false);
    else if (task_state(task) == FGPU_TASK_PLACED && !(task->flags & TASK_F_IN_CHAIN))
        sched_remove(engine, task);
    if (entry->rank != rank && (entry->flags & SERVE_F_PRESENT)) {
        share_go(&serve->share[entry->present], entry->tenant, serve_stamp(engine));
        share_come(&serve->share[rank], entry->tenant, serve_stamp(engine));
        entry->present = rank;
    }
    serve->urgent += rank == SERVE_URGENT;
    serve->urgent -= entry->rank == SERVE_URGENT;
    entry->rank = rank;
    if (!(entry->flags & SERVE_F_PICKED))
        entry->charged = rank;
    entry->deadline_ns = deadline_ns;
    entry->priority = priority;
    if (queued)
        serve_queue(engine, task);
    else if (engine->kept < kept)
        sched_backlog_push(engine, task, false);
}

/* A task that waits for this one has that urgency. Returns whether anything has changed. */
static bool serve_raise_one(struct engine *engine, struct task *task,
                            const struct serve_entry *heir)
{
    const struct serve_entry *entry = serve_of(engine, task);
    if (heir->rank > entry->rank)
        return false;
    uint64_t deadline_ns =
        heir->deadline_ns < entry->deadline_ns ? heir->deadline_ns : entry->deadline_ns;
    int16_t priority = heir->priority > entry->priority ? heir->priority : entry->priority;
    if (heir->rank == entry->rank && deadline_ns == entry->deadline_ns &&
        priority == entry->priority)
        return false;
    serve_set_rank(engine, task, heir->rank, deadline_ns, priority);
    return true;
}

/* All that the task waits for is as urgent as it, and all that this waits for, and so on. Without
 * memory for the list: not all. */
static void serve_inherit(struct engine *engine, uint32_t slot)
{
    struct vec *stack = &engine->serve->stack;
    vec_clear(stack);
    (void)vec_push(stack, &slot);
    while (stack->count > 0) {
        uint32_t top = *(uint32_t *)vec_at(stack, stack->count - 1);
        vec_pop(stack);
        struct serve_entry heir = *serve_entry(engine, top);
        for (uint32_t at = heir.preds; at != LINKS_NONE; at = links_at(&engine->links, at)->next) {
            const struct links_item *item = links_at(&engine->links, at);
            uint32_t pred = item->task;
            if (serve_is_live(engine, pred, item->generation) &&
                serve_raise_one(engine, engine_task(engine, pred), &heir))
                (void)vec_push(stack, &pred);
        }
    }
}

void serve_linked(struct engine *engine, struct task *task)
{
    if (!(task->marks & TASK_M_SERVED))
        return;
    if (task->undone > 0)
        serve_inherit(engine, task->self);
    if ((task->marks & TASK_M_TERMS) && serve_of(engine, task)->deadline_ns != EDF_NEVER)
        serve_admit(engine, task);
}

void serve_degrade(struct engine *engine, struct task *task)
{
    engine->serve->degraded++;
    serve_set_rank(engine, task, SERVE_BATCH, EDF_NEVER, task->priority);
    for (uint32_t at = task->succ; at != LINKS_NONE; at = links_at(&engine->links, at)->next) {
        const struct links_item *item = links_at(&engine->links, at);
        if (serve_is_live(engine, item->task, item->generation))
            (void)serve_raise_one(engine, task, serve_entry(engine, item->task));
    }
}

void serve_refuse(struct engine *engine, struct task *task, fgpu_status status, const char *why)
{
    if (task->status == FGPU_OK && task->why == NULL) {
        task->why = alloc_get(engine->hooks, LIMITS_ERROR_TEXT, 16);
        if (task->why != NULL)
            (void)snprintf(task->why, LIMITS_ERROR_TEXT, "%s", why);
    }
    graph_doom(task, status, task->self, task_word(task));
    engine_look(engine, task->self);
}

/* ---- the next ----------------------------------------------------------------------------- */

bool serve_before(const struct engine *engine, const struct task *there, const struct task *task)
{
    if (!(there->marks & task->marks & TASK_M_SERVED))
        return true;
    const struct serve_entry *a = serve_of(engine, there), *b = serve_of(engine, task);
    if (a->rank != b->rank)
        return a->rank < b->rank;
    return a->rank != SERVE_URGENT || a->deadline_ns <= b->deadline_ns;
}

bool serve_is_urgent(const struct engine *engine, const struct task *task)
{
    return (task->marks & TASK_M_SERVED) && serve_of(engine, task)->rank == SERVE_URGENT;
}

bool serve_may_chain(const struct engine *engine, const struct task *task)
{
    return serve_is_urgent(engine, task);
}

bool serve_urgent_waits(const struct engine *engine)
{
    return engine->serve->ready[SERVE_URGENT] > 0;
}

bool serve_lane_is_urgent(const struct engine *engine, const struct lane *lane)
{
    return lane->backlog_head != TASK_NONE &&
           serve_is_urgent(engine, engine_task(engine, lane->backlog_head));
}

static bool serve_lane_works(const struct engine *engine, const struct lane *lane)
{
    return !lane->hidden && !lane->rests && !lane->copies && !engine->devices[lane->device].lost;
}

/* Does an urgent task gain nothing from being given to the lane before there is room for it? Behind
 * another urgent one it would wait either way, and can still give way to one that comes meanwhile:
 * data that must be copied there are the reason to choose early. */
static bool serve_waits_better(const struct engine *engine, const struct lane *lane)
{
    if (engine->devices[lane->device].node != 0)
        return false;
    for (uint64_t n = lane->issued; n > lane->done && lane->issued - n < SERVE_NEWEST; n--) {
        uint32_t entry = lane->ring[n & lane->ring_mask];
        if (!(entry & RING_OP) && serve_is_urgent(engine, engine_task(engine, entry)))
            return true;
    }
    return false;
}

/* Of the queues of a device with side queues one takes what is urgent. */
static const struct lane *serve_urgent_lane(const struct engine *engine, const struct lane *lane)
{
    const struct engine_device *device = &engine->devices[lane->device];
    if (device->side_count == 0)
        return lane;
    return engine_lane(engine, preempt_urgent_lane(engine, device));
}

/* Would a lane take a task now; or [in] urgent: an urgent one, before what it has? */
static bool serve_has_room(const struct engine *engine, bool urgent)
{
    uint32_t looked = 0;
    for (uint32_t i = 0; i < engine->lane_count && looked < SERVE_LANES; i++) {
        const struct lane *lane = engine_lane(engine, i);
        if (!serve_lane_works(engine, lane))
            continue;
        looked++;
        if (urgent && engine->preempt != NULL)
            lane = serve_urgent_lane(engine, lane);
        if (lane->backlog_count == 0 &&
            (sched_has_room(engine, lane) || (urgent && !serve_waits_better(engine, lane))))
            return true;
        if (urgent && lane->backlog_head != TASK_NONE &&
            !serve_may_chain(engine, engine_task(engine, lane->backlog_head)))
            return true;
    }
    return looked == 0 && !fault_any_lives(engine); /* it is refused when it is placed */
}

/* The budget in flight follows what may come. */
static void serve_tune(struct engine *engine)
{
    const struct serve *serve = engine->serve;
    bool sharp = serve->urgent > 0 || engine->now_ns < serve->calm_ns;
    engine->long_ns = sharp ? SERVE_SHARP_NS : SCHED_LONG_NS;
    engine->budget_ns =
        sharp && serve->budget_ns > SERVE_SHARP_NS ? SERVE_SHARP_NS : serve->budget_ns;
}

/* Whose turn it is. */
static uint32_t serve_turn(const struct serve *serve)
{
    bool rest = serve->ready[SERVE_NORMAL] + serve->ready[SERVE_BATCH] > 0;
    if (serve->ready[SERVE_URGENT] > 0 && !(rest && share_floor_is_owed(&serve->rest)))
        return SERVE_URGENT;
    if (serve->ready[SERVE_NORMAL] > 0 &&
        !(serve->ready[SERVE_BATCH] > 0 && share_floor_is_owed(&serve->batch)))
        return SERVE_NORMAL;
    return SERVE_BATCH;
}

static uint32_t serve_pop(struct engine *engine, uint32_t rank)
{
    struct serve *serve = engine->serve;
    struct ranked *queue = &serve->due;
    if (rank != SERVE_URGENT || ranked_count(queue) == 0) {
        uint32_t tenant = share_least(&serve->share[rank], serve->waiting[rank]);
        queue = &serve_tenant_at(serve, tenant)->queues[rank];
    }
    uint32_t slot = ranked_pop(queue);
    serve_unqueue(engine, serve_entry(engine, slot), slot, true);
    return slot;
}

static bool serve_has_quota(struct engine *engine, struct task *task)
{
    const struct serve_tenant *tenant =
        serve_tenant_at(engine->serve, serve_of(engine, task)->tenant);
    char why[LIMITS_ERROR_TEXT];
    if (tenant->quota_ns == 0 || tenant->used_ns < tenant->quota_ns)
        return true;
    (void)snprintf(why, sizeof why, "tenant '%s' has used %llu ns of its quota of %llu",
                   tenant->name, (unsigned long long)tenant->used_ns,
                   (unsigned long long)tenant->quota_ns);
    serve_refuse(engine, task, FGPU_E_QUOTA, why);
    return false;
}

uint32_t serve_next(struct engine *engine)
{
    struct serve *serve = engine->serve;
    serve_charge_last(engine);
    serve_tune(engine);
    if (engine->preempt != NULL && share_floor_is_owed(&serve->rest))
        preempt_claim(engine);
    while (engine->ready_count > 0) {
        uint32_t rank = serve_turn(serve);
        if (!serve_has_room(engine, rank == SERVE_URGENT)) {
            if (engine->preempt != NULL)
                preempt_rouse(engine);
            return TASK_NONE;
        }
        if (rank == SERVE_URGENT && serve->admitted.jobs.count > 0)
            serve_shed(engine);
        if (serve->ready[rank] == 0)
            continue;
        uint32_t slot = serve_pop(engine, rank);
        struct task *task = engine_task(engine, slot);
        struct serve_entry *entry = serve_entry(engine, slot);
        if (task_state(task) == FGPU_TASK_RUNNING) {
            preempt_resume(engine, task);
            continue;
        }
        task_set_state(task, FGPU_TASK_LINKED);
        if (task->status != FGPU_OK || !serve_has_quota(engine, task) ||
            !serve_is_in_time(engine, task))
            continue;
        entry->flags |= SERVE_F_PICKED;
        serve->last = slot;
        task_set_state(task, FGPU_TASK_PICKED);
        return slot;
    }
    return TASK_NONE;
}

/* ---- invariants --------------------------------------------------------------------------- */

static void serve_check_entry(const struct engine *engine, uint32_t slot)
{
    const struct serve_entry *entry = serve_entry(engine, slot);
    const struct task *task = engine_task(engine, slot);
    FGPU_ASSERT(entry->generation == task_generation(task));
    FGPU_ASSERT(!task_state_ended(task_state(task)));
    FGPU_ASSERT(((entry->flags & SERVE_F_QUEUED) != 0) ==
                (task_state(task) == FGPU_TASK_READY || preempt_is_queued(engine, task)));
    FGPU_ASSERT(entry->rank == SERVE_URGENT || entry->deadline_ns == EDF_NEVER);
    for (uint32_t at = entry->preds; at != LINKS_NONE; at = links_at(&engine->links, at)->next) {
        const struct links_item *item = links_at(&engine->links, at);
        const struct serve_entry *pred = serve_entry(engine, item->task);
        if (!serve_is_live(engine, item->task, item->generation))
            continue;
        FGPU_ASSERT(pred->rank <= entry->rank);
        FGPU_ASSERT(pred->rank < entry->rank ||
                    (pred->deadline_ns <= entry->deadline_ns && pred->priority >= entry->priority));
    }
}

void serve_check(const struct engine *engine)
{
    const struct serve *serve = engine->serve;
    uint32_t urgent = 0, ready = 0, queued = ranked_count(&serve->due);
    for (uint32_t i = 0; i < serve->entries.count; i++) {
        const struct serve_entry *entry = serve_entry(engine, i);
        if (!(entry->flags & SERVE_F_LIVE))
            continue;
        serve_check_entry(engine, i);
        urgent += entry->rank == SERVE_URGENT;
        ready += (entry->flags & SERVE_F_QUEUED) != 0;
    }
    for (uint32_t t = 0; t < serve->tenants.count; t++)
        for (uint32_t c = 0; c < SERVE_CLASSES; c++) {
            uint32_t count = ranked_count(&serve_tenant_at(serve, t)->queues[c]);
            bool bit = serve->waiting[c][t / 64] >> (t % 64) & 1;
            FGPU_ASSERT(bit == (count > 0));
            queued += count;
        }
    FGPU_ASSERT(urgent == serve->urgent && ready == queued && ready == engine->ready_count);
    FGPU_ASSERT(ready == serve->ready[0] + serve->ready[1] + serve->ready[2]);
}
