/* Lost results are made again: which finished tasks are kept for it, and which of them run again.
 *
 * Takes every task that ends where devices have memory of their own. One whose results lie in such
 * memory, and that only reads and overwrites, is kept: its record goes to one of LIMITS_LINEAGE
 * places instead of back to the table, the next time round to another task that is more useful (the
 * second chance of page replacement: F. Corbato, A Paging Experiment with the Multics System,
 * 1968). When a device is lost (core/fault.c) gives back as pending tasks those that can make what
 * was lost, each before all that use it.
 *
 * A stamp is a count of kept tasks so far, and the place of the one that made the contents; what
 * others make has the count alone, and comes after the kept task of that count. Hence, of a kept
 * task with stamp s: an input is what it read as long as the input's stamp is smaller than s, and
 * an output is what it wrote as long as that has the stamp s. No versions need to be remembered,
 * and nothing has to be told when buffers are overwritten; a buffer or kernel that was made after s
 * is another one in the same slot.
 *
 * Runs under the engine's lock. Owns the records in its places. Keeps true: a task runs again only
 * where all it reads is, or will be again, what it was, where no task that is handed out uses what
 * it writes, and never after its kernel or a buffer of its has gone; its callback is not called and
 * it is not counted as done again; whatever is not brought back is poisoned as if nothing were
 * kept.
 */
#include "core/lineage.h"

#include <stdlib.h>

#include "core/graph.h"
#include "core/lane.h"
#include "core/move.h"
#include "core/split.h"
#include "core/submit.h"

#define LINEAGE_SLOT_BITS 12u
#define LINEAGE_NO_SLOT ((1u << LINEAGE_SLOT_BITS) - 1)
#define LINEAGE_TRIES 2u /* places looked at for one to give away */

_Static_assert(LIMITS_LINEAGE < LINEAGE_NO_SLOT, "a stamp has the place in its low bits");

struct lineage_place {
    uint64_t stamp; /* of what the task wrote; 0: the place is free */
    uint32_t task;
    uint32_t generation; /* by which its submitter knows it */
    uint8_t settled;     /* nobody else needs the record: it is the lineage's */
    uint8_t able;        /* in a plan: it can run again, or is about to */
    uint8_t again;       /* in a plan: it will, because of this loss */
};

/* Bytes that a task which runs again reads, and that writers which are pending must leave alone
 * until then. */
struct lineage_guard {
    uint32_t buffer;
    uint32_t task;
    uint64_t begin, end;
};

struct lineage {
    struct lineage_place places[LIMITS_LINEAGE];
    uint64_t order[LIMITS_LINEAGE]; /* in a plan: stamps, oldest first */
    uint32_t spare[LIMITS_LINEAGE]; /* slots of the task table for which no task is kept yet */
    uint32_t spare_count;
    uint32_t kept;     /* places that are settled */
    uint32_t hand;     /* the place that is looked at next */
    uint64_t count;    /* of kept tasks so far: the high bits of stamps */
    struct vec live;   /* in a plan: tasks that are linked and not handed out */
    struct vec issued; /* in a plan: tasks that are handed out and have not ended */
    struct vec guards; /* in a plan: struct lineage_guard */
};

uint64_t lineage_now(const struct engine *engine)
{
    return engine->lineage == NULL ? 0
                                   : engine->lineage->count << LINEAGE_SLOT_BITS | LINEAGE_NO_SLOT;
}

static struct lineage_place *lineage_find(const struct engine *engine, uint64_t stamp)
{
    uint32_t slot = stamp & LINEAGE_NO_SLOT;
    if (engine->lineage == NULL || slot >= LIMITS_LINEAGE)
        return NULL;
    struct lineage_place *place = &engine->lineage->places[slot];
    return place->stamp == stamp && stamp != 0 ? place : NULL;
}

bool lineage_holds(const struct engine *engine, uint64_t stamp)
{
    return lineage_find(engine, stamp) != NULL;
}

static bool lineage_is_live(const struct task *task)
{
    fgpu_task_state state = task_state(task);
    return state != FGPU_TASK_NEW && !task_state_ended(state);
}

/* It runs again now. */
static bool lineage_runs(const struct engine *engine, const struct lineage_place *place)
{
    return place->settled && lineage_is_live(engine_task(engine, place->task));
}

/* ---- life ------------------------------------------------------------------------------- */

uint32_t lineage_slots(const struct engine *engine)
{
    return engine->node_count > 1 && !engine->lossless ? LIMITS_LINEAGE : 0;
}

fgpu_status lineage_init(struct engine *engine)
{
    if (lineage_slots(engine) == 0)
        return FGPU_OK;
    struct lineage *lineage = alloc_get_zeroed(engine->hooks, sizeof *lineage, 64);
    if (lineage == NULL)
        return FGPU_E_NOMEM;
    engine->lineage = lineage;
    vec_init(&lineage->live, sizeof(uint32_t), engine->hooks);
    vec_init(&lineage->issued, sizeof(uint32_t), engine->hooks);
    vec_init(&lineage->guards, sizeof(struct lineage_guard), engine->hooks);
    fgpu_status status = table_alloc_n(&engine->tasks, lineage->spare, LIMITS_LINEAGE);
    if (status == FGPU_OK)
        lineage->spare_count = LIMITS_LINEAGE;
    return status;
}

/* The place is free, and the record too unless its callback still needs it. */
static void lineage_drop(struct engine *engine, struct lineage_place *place)
{
    struct task *task = engine_task(engine, place->task);
    task->lineage = 0;
    if (place->settled) {
        engine->lineage->kept--;
        submit_recycle(engine, task);
    }
    *place = (struct lineage_place){0};
}

void lineage_clear(struct engine *engine)
{
    for (uint32_t i = 0; engine->lineage != NULL && i < LIMITS_LINEAGE; i++)
        if (engine->lineage->places[i].stamp != 0)
            lineage_drop(engine, &engine->lineage->places[i]);
}

void lineage_fini(struct engine *engine)
{
    struct lineage *lineage = engine->lineage;
    if (lineage == NULL)
        return;
    vec_fini(&lineage->live);
    vec_fini(&lineage->issued);
    vec_fini(&lineage->guards);
    alloc_put(engine->hooks, lineage, sizeof *lineage);
    engine->lineage = NULL;
}

/* ---- which tasks are kept --------------------------------------------------------------- */

/* It does nothing but overwrite what it writes with a function of what it reads, and leaves that in
 * memory that may be lost. */
static bool lineage_wants(const struct engine *engine, const struct task *task)
{
    if (!(task->flags & TASK_F_ISSUED) || task->pin != TASK_DEVICE_ANY)
        return false;
    if (task->kind == TASK_KERNEL)
        return !(engine->flags & FGPU_POOL_REPRODUCIBLE) && lane_node(engine, task) != 0;
    return (task->kind == TASK_FILL || task->kind == TASK_COPY) && lane_node(engine, task) != 0;
}

struct lineage_look {
    uint64_t stamp; /* of the task that is looked at */
    bool fits;
    bool lost; /* some output is */
};

/* Buffers and kernel are those that it had. A kernel that was destroyed is gone even while others
 * use it: what its function needs may go with the last of the tasks that its owner knows of. */
static bool lineage_is_whole(const struct engine *engine, const struct lineage_place *place)
{
    const struct task *task = engine_task(engine, place->task);
    for (uint32_t i = 0; i < task->access_count; i++) {
        const struct buffer *buffer = engine_buffer(engine, task_accesses(task)[i].buffer);
        bool there = (atomic_load_relaxed_u32(&buffer->live) & 1) || buffer->destroyed;
        if (!there || buffer->born > place->stamp)
            return false;
    }
    if (task->kernel == TASK_NONE)
        return true;
    const struct kernel *kernel = engine_kernel(engine, task->kernel);
    return (atomic_load_relaxed_u32(&kernel->live) & 1) && kernel->born < place->stamp;
}

/* Stops at contents that the task made and that one device alone has. */
static bool lineage_is_elsewhere(struct engine *engine, struct task *task, uint32_t access,
                                 struct imap_seg *seg, void *user)
{
    (void)engine;
    (void)task;
    (void)access;
    const struct segment *segment = graph_segment(seg);
    uint64_t valid = segment->replica.valid;
    bool alone = !nodes_has(valid, 0) && (valid == 0 || nodes_is_single(valid));
    return segment->stamp != *(const uint64_t *)user || !alone;
}

static bool lineage_is_useful(struct engine *engine, const struct lineage_place *place)
{
    if (!lineage_is_whole(engine, place))
        return false;
    struct task *task = engine_task(engine, place->task);
    uint64_t stamp = place->stamp;
    for (uint32_t i = 0; i < task->access_count; i++)
        if ((task_accesses(task)[i].mode & FGPU_WRITE) &&
            !graph_walk(engine, task, i, lineage_is_elsewhere, &stamp))
            return true;
    return false;
}

/* A free place: one that is empty, or of a task whose results are elsewhere by now, or the oldest.
 */
static struct lineage_place *lineage_claim(struct engine *engine)
{
    struct lineage *lineage = engine->lineage;
    struct lineage_place *next = NULL;
    for (uint32_t i = 0; i < LINEAGE_TRIES; i++) {
        struct lineage_place *place = &lineage->places[lineage->hand];
        lineage->hand = (lineage->hand + 1) % LIMITS_LINEAGE;
        if (place->stamp == 0)
            return place;
        if (lineage_runs(engine, place))
            continue;
        if (!lineage_is_useful(engine, place)) {
            lineage_drop(engine, place);
            return place;
        }
        if (next == NULL)
            next = place;
    }
    if (next != NULL) {
        lineage->hand = (uint32_t)(next - lineage->places + 1) % LIMITS_LINEAGE;
        lineage_drop(engine, next);
    }
    return next;
}

static bool lineage_stamp(struct engine *engine, struct task *task, uint32_t access,
                          struct imap_seg *seg, void *user)
{
    (void)engine;
    (void)task;
    (void)access;
    graph_segment(seg)->stamp = *(const uint64_t *)user;
    return true;
}

static void lineage_stamp_all(struct engine *engine, struct task *task, uint64_t stamp)
{
    for (uint32_t i = 0; i < task->access_count; i++)
        if (task_accesses(task)[i].mode & FGPU_WRITE)
            (void)graph_walk(engine, task, i, lineage_stamp, &stamp);
}

/* What it wrote is called after the task that its submitter knows; where that was readable before,
 * also when it failed. */
static bool lineage_rename(struct engine *engine, struct task *task, uint32_t access,
                           struct imap_seg *seg, void *user)
{
    (void)access;
    const struct lineage_place *place = user;
    struct segment *segment = graph_segment(seg);
    if (segment->writer == task->self && segment->writer_generation == task_generation(task) &&
        !replica_is_lost(&segment->replica))
        segment->writer_generation = place->generation;
    (void)engine;
    return true;
}

/* A task that was run again has ended. When it failed, what it was to write is as it was before. */
static fgpu_status lineage_redone(struct engine *engine, struct task *task, fgpu_status status)
{
    struct lineage_place *place = &engine->lineage->places[task->lineage - 1];
    if (status != FGPU_OK && (task->flags & TASK_F_ISSUED)) {
        (void)move_unclaim(engine, task, lane_node(engine, task), true);
        graph_unissue(engine, task);
    }
    for (uint32_t i = 0; i < task->access_count; i++)
        if (task_accesses(task)[i].mode & FGPU_WRITE)
            (void)graph_walk(engine, task, i, lineage_rename, place);
    if (status == FGPU_OK) {
        engine->stats.tasks_recomputed++;
        return FGPU_OK;
    }
    task->status = FGPU_E_DEVICE_LOST;
    task->root = task->self;
    task->root_word = place->generation << TASK_STATE_BITS;
    return FGPU_E_DEVICE_LOST;
}

fgpu_status lineage_end(struct engine *engine, struct task *task, fgpu_status status)
{
    if (task->lineage != 0)
        return lineage_redone(engine, task, status);
    if (task->marks & TASK_M_IN_PIECES) /* its pieces are what is kept */
        return status;
    uint32_t modes = 0, both = 0;
    for (uint32_t i = 0; i < task->access_count; i++) {
        modes |= task_accesses(task)[i].mode;
        both |= task_accesses(task)[i].mode == FGPU_READ_WRITE;
    }
    if (!(modes & FGPU_WRITE))
        return status;
    uint64_t stamp = lineage_now(engine);
    struct lineage_place *place = NULL;
    if (status == FGPU_OK && !both && lineage_wants(engine, task))
        place = lineage_claim(engine);
    if (place != NULL) {
        uint32_t slot = (uint32_t)(place - engine->lineage->places);
        stamp = ++engine->lineage->count << LINEAGE_SLOT_BITS | slot;
        *place = (struct lineage_place){
            .stamp = stamp, .task = task->self, .generation = task_generation(task)};
        task->lineage = slot + 1;
    }
    lineage_stamp_all(engine, task, stamp);
    return status;
}

void lineage_settle(struct engine *engine, struct task *task)
{
    struct lineage *lineage = engine->lineage;
    struct lineage_place *place = &lineage->places[task->lineage - 1];
    if (task->status != FGPU_OK) {
        lineage_drop(engine, place);
        return;
    }
    uint32_t next = task_generation(task) + 1;
    atomic_store_release_u32(&task->word, next << TASK_STATE_BITS | FGPU_TASK_DONE);
    if (place->settled)
        return;
    place->settled = 1;
    lineage->kept++;
    /* The submitters have one slot less: another one for it. */
    if (lineage->kept + lineage->spare_count <= LIMITS_LINEAGE)
        return;
    uint32_t spare = lineage->spare[--lineage->spare_count];
    if (!(task->marks & TASK_M_PIECE) || !split_keep_slot(engine, spare))
        table_free(&engine->tasks, spare);
}

/* ---- what can run again ----------------------------------------------------------------- */

/* All tasks that are linked and have not ended. */
static bool lineage_collect(struct engine *engine)
{
    struct lineage *lineage = engine->lineage;
    vec_clear(&lineage->live);
    vec_clear(&lineage->issued);
    vec_clear(&lineage->guards);
    for (uint32_t i = 0; i < table_high_water(&engine->tasks); i++) {
        const struct task *task = engine_task(engine, i);
        if (!lineage_is_live(task))
            continue;
        struct vec *list = task->flags & TASK_F_ISSUED ? &lineage->issued : &lineage->live;
        if (vec_push(list, &i) == NULL)
            return false;
    }
    return true;
}

/* By a task that was handed out. */
static bool lineage_is_used(const struct engine *engine, uint32_t buffer,
                            const struct imap_seg *seg)
{
    const struct vec *issued = &engine->lineage->issued;
    for (size_t n = 0; n < issued->count; n++) {
        const struct task *task = engine_task(engine, *(uint32_t *)vec_at(issued, n));
        for (uint32_t i = 0; i < task->access_count; i++) {
            const struct task_access *a = &task_accesses(task)[i];
            if (a->buffer == buffer && a->begin < seg->end && a->end > seg->begin)
                return true;
        }
    }
    return false;
}

/* It is what it was, or will be again; and nobody is changing it. */
static bool lineage_input(struct engine *engine, struct task *task, uint32_t access,
                          struct imap_seg *seg, void *user)
{
    (void)task;
    (void)access;
    struct lineage_look *look = user;
    const struct segment *segment = graph_segment(seg);
    const struct replica *replica = &segment->replica;
    const struct lineage_place *maker = lineage_find(engine, segment->stamp);
    bool runs = maker != NULL && lineage_runs(engine, maker);
    bool comes = maker != NULL && maker->able;
    look->fits = segment->stamp < look->stamp && segment->poison == FGPU_OK &&
                 replica->version > 0 && (replica_has_data(replica) || comes) &&
                 (replica->dirty == 0 || (replica->dirty == 1 && runs));
    return look->fits;
}

/* It is what the task made, and rewriting it disturbs nobody. */
static bool lineage_output(struct engine *engine, struct task *task, uint32_t access,
                           struct imap_seg *seg, void *user)
{
    struct lineage_look *look = user;
    const struct segment *segment = graph_segment(seg);
    look->lost |= replica_is_lost(&segment->replica);
    look->fits = segment->stamp == look->stamp && segment->poison == FGPU_OK &&
                 !lineage_is_used(engine, task_accesses(task)[access].buffer, seg);
    return look->fits;
}

static bool lineage_look_at(struct engine *engine, struct task *task, struct lineage_look *look,
                            bool outputs)
{
    for (uint32_t i = 0; i < task->access_count && look->fits; i++) {
        bool writes = task_accesses(task)[i].mode & FGPU_WRITE;
        if (writes == outputs)
            (void)graph_walk(engine, task, i, outputs ? lineage_output : lineage_input, look);
    }
    return look->fits;
}

/* The borders of its ranges may have gone since it ended. */
static bool lineage_cut(struct engine *engine, struct task *task)
{
    for (uint32_t i = 0; i < task->access_count; i++)
        if (!graph_cut(engine, task, i))
            return false;
    return true;
}

/* Can it bring back what it made? Those before it, in the order of stamps, have been asked. */
static void lineage_ask(struct engine *engine, struct lineage_place *place)
{
    struct task *task = engine_task(engine, place->task);
    struct lineage_look look = {.stamp = place->stamp, .fits = true};
    place->able = place->again = 0;
    if (!place->settled || !lineage_is_whole(engine, place))
        return;
    if (lineage_is_live(task)) { /* since an earlier loss: it comes, or poisons when it fails */
        place->able = 1;
        return;
    }
    if (!lineage_cut(engine, task) || !lineage_look_at(engine, task, &look, true) || !look.lost)
        return;
    place->able = place->again = lineage_look_at(engine, task, &look, false);
}

/* ---- running again ---------------------------------------------------------------------- */

static void lineage_guard(struct engine *engine, struct task *task, uint32_t buffer,
                          const struct imap_seg *seg)
{
    struct lineage_guard guard = {buffer, task->self, seg->begin, seg->end};
    if (vec_push(&engine->lineage->guards, &guard) == NULL)
        graph_doom(task, FGPU_E_NOMEM, task->self, task_word(task));
}

/* It waits for the maker of what it reads; whoever writes there later waits for it. */
static bool lineage_link_read(struct engine *engine, struct task *task, uint32_t access,
                              struct imap_seg *seg, void *user)
{
    (void)user;
    struct segment *segment = graph_segment(seg);
    const struct lineage_place *maker = lineage_find(engine, segment->stamp);
    if (maker != NULL && lineage_runs(engine, maker))
        (void)graph_edge(engine, engine_task(engine, maker->task), task,
                         replica_is_lost(&segment->replica));
    if (graph_is_live(engine, segment->writer, segment->writer_generation) &&
        engine_task(engine, segment->writer)->lineage == 0) {
        lineage_guard(engine, task, task_accesses(task)[access].buffer, seg);
        return true;
    }
    if (!links_reserve(&engine->links, 1)) {
        graph_doom(task, FGPU_E_NOMEM, task->self, task_word(task));
        return false;
    }
    (void)links_push(&engine->links, &segment->readers,
                     (struct links_item){.task = task->self, .generation = task_generation(task)});
    segment->reader_count++;
    return true;
}

/* Later submissions see it as the writer, unless they see a later one. */
static bool lineage_link_write(struct engine *engine, struct task *task, uint32_t access,
                               struct imap_seg *seg, void *user)
{
    (void)access;
    (void)user;
    struct segment *segment = graph_segment(seg);
    if (!graph_is_live(engine, segment->writer, segment->writer_generation)) {
        segment->writer = task->self;
        segment->writer_generation = task_generation(task);
    }
    return true;
}

/* DONE -> LINKED, before all tasks that are pending. */
static void lineage_start(struct engine *engine, struct task *task)
{
    task->flags &= (uint8_t) ~(TASK_F_ISSUED | TASK_F_PINNED | TASK_F_IN_CHAIN);
    task->flags |= TASK_F_UNLISTED;
    task->lane = task->follow = TASK_LANE_NONE;
    task->unissued = task->undone = task->waits = 0;
    task->root = TASK_NONE;
    task_set_state(task, FGPU_TASK_LINKED);
    engine->pending_tasks++;
    engine->ranked += task->priority != 0;
    for (uint32_t i = 0; i < task->access_count; i++) {
        const struct task_access *access = &task_accesses(task)[i];
        struct buffer *buffer = engine_buffer(engine, access->buffer);
        buffer->users++;
        buffer->linked++;
        (void)graph_walk(engine, task, i,
                         access->mode & FGPU_WRITE ? lineage_link_write : lineage_link_read, NULL);
    }
    if (task->kernel != TASK_NONE)
        engine_kernel(engine, task->kernel)->users++;
    engine_look(engine, task->self);
}

/* A pending task waits for those that run again and make what it uses... */
static bool lineage_wait_maker(struct engine *engine, struct task *task, uint32_t access,
                               struct imap_seg *seg, void *user)
{
    (void)user;
    const struct segment *segment = graph_segment(seg);
    const struct lineage_place *maker = lineage_find(engine, segment->stamp);
    bool reads = task_accesses(task)[access].mode & FGPU_READ;
    return maker == NULL || !maker->again ||
           graph_edge(engine, engine_task(engine, maker->task), task,
                      reads && replica_is_lost(&segment->replica));
}

/* ... and for those that still read what it writes. Of two that run again the order of stamps
 * decides, see lineage_link_read. */
static void lineage_wait_readers(struct engine *engine, struct task *task,
                                 const struct task_access *access)
{
    const struct vec *guards = &engine->lineage->guards;
    for (size_t n = 0; n < guards->count && task->lineage == 0; n++) {
        const struct lineage_guard *guard = vec_at(guards, n);
        if (guard->buffer == access->buffer && guard->begin < access->end &&
            guard->end > access->begin)
            (void)graph_edge(engine, engine_task(engine, guard->task), task, false);
    }
}

static void lineage_wait(struct engine *engine, struct task *task)
{
    for (uint32_t i = 0; i < task->access_count; i++) {
        (void)graph_walk(engine, task, i, lineage_wait_maker, NULL);
        if (task_accesses(task)[i].mode & FGPU_WRITE)
            lineage_wait_readers(engine, task, &task_accesses(task)[i]);
    }
}

static int lineage_compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* Marks the tasks that run again. Returns how many places are in use, in lineage->order. */
static uint32_t lineage_plan(struct engine *engine)
{
    struct lineage *lineage = engine->lineage;
    uint32_t count = 0;
    for (uint32_t i = 0; i < LIMITS_LINEAGE; i++)
        if (lineage->places[i].stamp != 0)
            lineage->order[count++] = lineage->places[i].stamp;
    qsort(lineage->order, count, sizeof lineage->order[0], lineage_compare);
    for (uint32_t n = 0; n < count; n++)
        lineage_ask(engine, lineage_find(engine, lineage->order[n]));
    return count;
}

uint32_t lineage_recompute(struct engine *engine)
{
    struct lineage *lineage = engine->lineage;
    if (lineage == NULL || lineage->kept == 0 || !lineage_collect(engine))
        return 0;
    uint32_t count = lineage_plan(engine), started = 0;
    for (uint32_t n = 0; n < count; n++) {
        const struct lineage_place *place = lineage_find(engine, lineage->order[n]);
        if (!place->again)
            continue;
        lineage_start(engine, engine_task(engine, place->task));
        started++;
    }
    for (size_t n = 0; n < lineage->live.count && started > 0; n++)
        lineage_wait(engine, engine_task(engine, *(uint32_t *)vec_at(&lineage->live, n)));
    return started;
}

bool lineage_brings(const struct engine *engine, const struct segment *segment)
{
    const struct lineage_place *maker = lineage_find(engine, segment->stamp);
    return maker != NULL && maker->able && lineage_runs(engine, maker);
}

/* ---- invariants ------------------------------------------------------------------------- */

void lineage_check(const struct engine *engine)
{
    const struct lineage *lineage = engine->lineage;
    uint32_t kept = 0;
    for (uint32_t i = 0; lineage != NULL && i < LIMITS_LINEAGE; i++) {
        const struct lineage_place *place = &lineage->places[i];
        if (place->stamp == 0)
            continue;
        const struct task *task = engine_task(engine, place->task);
        FGPU_ASSERT((place->stamp & LINEAGE_NO_SLOT) == i);
        FGPU_ASSERT(place->stamp >> LINEAGE_SLOT_BITS <= lineage->count);
        FGPU_ASSERT(task->lineage == i + 1);
        FGPU_ASSERT(place->settled || (task_state(task) == FGPU_TASK_DONE &&
                                       task_generation(task) == place->generation));
        FGPU_ASSERT(!place->settled || task_generation(task) != place->generation);
        FGPU_ASSERT(task_state(task) == FGPU_TASK_DONE || lineage_is_live(task));
        FGPU_ASSERT(lineage_is_live(task) || (task->status == FGPU_OK && task->succ == LINKS_NONE));
        kept += place->settled;
    }
    FGPU_ASSERT(lineage == NULL ||
                (kept == lineage->kept && kept + lineage->spare_count <= LIMITS_LINEAGE));
}
