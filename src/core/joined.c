/* Launches of recorded graphs that run as one task, and their leases on buffers; see joined.h. */
#include "core/joined.h"

#include <stdlib.h>
#include <string.h>

#include "base/handle.h"
#include "core/graph.h"
#include "core/memory.h"

/* ---- ranges ----------------------------------------------------------------------------- */

void joined_walk(struct engine *engine, uint32_t buffer, uint64_t begin, uint64_t end,
                 joined_segment_fn fn, void *user)
{
    struct imap *segments = &engine_buffer(engine, buffer)->segments;
    struct imap_seg *seg = imap_first(segments, begin);
    while (seg != NULL && seg->begin < end) {
        struct imap_seg *next = imap_next(segments, seg);
        fn(engine, seg, user);
        seg = next;
    }
}

static void joined_unuse(struct engine *engine, uint32_t index)
{
    struct buffer *buffer = engine_buffer(engine, index);
    FGPU_ASSERT(buffer->users > 0);
    memory_unpin(engine, index, 0);
    if (--buffer->users > 0)
        return;
    graph_merge(engine, buffer);
    if (buffer->destroyed)
        engine_buffer_gone(engine, index);
}

/* ---- letting go ------------------------------------------------------------------------- */

/* The last launch becomes what it would be, had it been linked here. */
static void joined_write_segment(struct engine *engine, struct imap_seg *seg, void *user)
{
    const struct joined *joined = user;
    struct segment *segment = graph_segment(seg);
    links_clear(&engine->links, &segment->readers); /* they all come before it */
    segment->reader_count = 0;
    segment->writer = joined->last;
    segment->writer_generation = joined->last_generation;
}

static void joined_read_segment(struct engine *engine, struct imap_seg *seg, void *user)
{
    const struct joined *joined = user;
    struct segment *segment = graph_segment(seg);
    if (segment->reader_count >= segment->reader_limit)
        graph_sweep_readers(engine, segment);
    if (!links_reserve(&engine->links, 1)) {
        joined_write_segment(engine, seg, user); /* whoever comes waits for more than he must */
        return;
    }
    (void)links_push(
        &engine->links, &segment->readers,
        (struct links_item){.task = joined->last, .generation = joined->last_generation});
    segment->reader_count++;
}

static void joined_release(struct engine *engine, struct joined *joined, struct joined_use *use)
{
    struct buffer *buffer = engine_buffer(engine, use->buffer);
    bool is_live =
        joined->last != TASK_NONE && graph_is_live(engine, joined->last, joined->last_generation);
    FGPU_DEBUG_ASSERT(use->leased && buffer->lease == joined->place + 1);
    use->leased = 0;
    buffer->lease = 0;
    joined->loose[joined->loose_count++] = (uint32_t)(use - joined->uses);
    if (!is_live) {
        joined_unuse(engine, use->buffer);
        return;
    }
    joined_walk(engine, use->buffer, use->begin, use->end,
                use->writes ? joined_write_segment : joined_read_segment, joined);
    struct joined_hold hold = {use->buffer, joined->last, joined->last_generation};
    void *place = vec_push(&joined->holds, &hold);
    FGPU_ASSERT(place != NULL);
}

static int joined_compare_uses(const void *left, const void *right)
{
    const struct joined_use *a = left, *b = right;
    return a->buffer < b->buffer ? -1 : a->buffer > b->buffer;
}

struct joined_use *joined_use_of(const struct joined *joined, uint32_t buffer)
{
    struct joined_use key = {.buffer = buffer};
    return bsearch(&key, joined->uses, joined->use_count, sizeof key, joined_compare_uses);
}

void joined_let_go(struct engine *engine, struct buffer *buffer)
{
    struct joined *joined = *(struct joined **)vec_at(&engine->joined, buffer->lease - 1);
    struct joined_use *use = joined_use_of(joined, buffer->self);
    FGPU_ASSERT(use != NULL);
    buffer->users++; /* for whoever touches it: it must not go under his hands */
    joined_release(engine, joined, use);
    buffer->users--;
}

void joined_let_go_all(struct engine *engine, struct joined *joined)
{
    for (uint32_t i = 0; i < joined->use_count; i++)
        if (joined->uses[i].leased)
            joined_release(engine, joined, &joined->uses[i]);
}

void joined_drop_holds(struct engine *engine, struct joined *joined, const struct task *task)
{
    size_t kept = 0;
    for (size_t i = 0; i < joined->holds.count; i++) {
        struct joined_hold hold = *(struct joined_hold *)vec_at(&joined->holds, i);
        if (hold.task == task->self && hold.generation == task_generation(task))
            joined_unuse(engine, hold.buffer);
        else
            *(struct joined_hold *)vec_at(&joined->holds, kept++) = hold;
    }
    joined->holds.count = kept;
}

/* ---- linking ---------------------------------------------------------------------------- */

/* What a launch is being linked with. */
struct joined_link {
    struct joined_run *run;
    struct task *task;
    const struct joined_use *use;
    bool failed;
};

/* After a task that is to write, or writes still, what the launch may read. */
static bool joined_after_writer(struct engine *engine, struct joined_link *link,
                                const struct imap_seg *seg, struct task *writer)
{
    struct task *task = link->task;
    if (writer->kind == TASK_JOINED)
        return graph_edge(engine, writer, task, !joined_heir(writer, task, link->use->buffer, seg));
    struct joined_heir feed = {.buffer = link->use->buffer, .begin = seg->begin, .end = seg->end};
    if (vec_push(&link->run->feeds, &feed) == NULL || !graph_edge(engine, writer, task, true))
        return false;
    links_at(&engine->links, writer->succ)->data = (uint32_t)link->run->feeds.count + 1;
    return true;
}

static void joined_note_poison(struct joined_link *link, const struct imap_seg *seg,
                               struct segment *segment)
{
    struct joined_poison poison = {.buffer = link->use->buffer,
                                   .status = segment->poison,
                                   .root = segment->root,
                                   .root_word = segment->root_word,
                                   .begin = seg->begin,
                                   .end = seg->end};
    link->failed |= vec_push(&link->run->poison, &poison) == NULL;
    if (link->use->writes) /* what stays poisoned is told when it ends */
        segment->poison = FGPU_OK;
}

static struct task *joined_live(struct engine *engine, uint32_t index, uint32_t generation)
{
    return index != TASK_NONE && graph_is_live(engine, index, generation)
               ? engine_task(engine, index)
               : NULL;
}

static void joined_link_segment(struct engine *engine, struct imap_seg *seg, void *user)
{
    struct joined_link *link = user;
    struct segment *segment = graph_segment(seg);
    struct task *task = link->task;
    struct task *writer = joined_live(engine, segment->writer, segment->writer_generation);
    if (segment->poison != FGPU_OK)
        joined_note_poison(link, seg, segment);
    if (writer != NULL && !joined_after_writer(engine, link, seg, writer))
        link->failed = true;
    if (!link->use->writes) {
        if (segment->reader_count >= segment->reader_limit)
            graph_sweep_readers(engine, segment);
        if (!links_reserve(&engine->links, 1)) {
            link->failed = true;
            return;
        }
        (void)links_push(
            &engine->links, &segment->readers,
            (struct links_item){.task = task->self, .generation = task_generation(task)});
        segment->reader_count++;
        return;
    }
    while (segment->readers != LINKS_NONE) {
        struct links_item item = links_pop(&engine->links, &segment->readers);
        struct task *reader = joined_live(engine, item.task, item.generation);
        if (reader != NULL && !graph_edge(engine, reader, task, false))
            link->failed = true;
    }
    segment->reader_count = 0;
    segment->writer = task->self;
    segment->writer_generation = task_generation(task);
}

static void joined_take(struct engine *engine, struct joined_link *link, struct joined_use *use)
{
    struct joined *joined = link->run->joined;
    struct buffer *buffer = engine_buffer(engine, use->buffer);
    const struct heap_block *block = memory_at(buffer, 0);
    uint32_t place = (uint32_t)(use - joined->uses);
    joined_touch(engine, buffer);
    buffer->users++;
    buffer->lease = joined->place + 1;
    memory_pin(engine, use->buffer, 0);
    use->leased = 1;
    joined->moved |= use->mem != block->mem || use->offset != block->offset;
    use->mem = block->mem;
    use->offset = block->offset;
    link->use = use;
    void *fresh = vec_push(&link->run->fresh, &place);
    FGPU_ASSERT(fresh != NULL); /* reserved */
    if (graph_split(engine, buffer, use->begin, use->end))
        joined_walk(engine, use->buffer, use->begin, use->end, joined_link_segment, link);
    else
        link->failed = true;
}

/* ---- launching -------------------------------------------------------------------------- */

static bool joined_is_alive(const _Atomic uint32_t *live, uint32_t expected)
{
    return (atomic_load_relaxed_u32(live) & HANDLE_GENERATION_MASK) == expected;
}

/* Are all objects what they were? Cheap while nothing is destroyed in the pool. */
static bool joined_is_whole(struct engine *engine, struct joined *joined)
{
    if (joined->checked == engine->gone)
        return true;
    for (uint32_t i = 0; i < joined->use_count; i++)
        if (!joined_is_alive(&engine_buffer(engine, joined->uses[i].buffer)->live,
                             joined->uses[i].live))
            return false;
    for (uint32_t i = 0; i < joined->kernel_count; i++)
        if (!joined_is_alive(&engine_kernel(engine, joined->kernels[i].slot)->live,
                             joined->kernels[i].live))
            return false;
    joined->checked = engine->gone;
    return true;
}

/* Every buffer has its memory: a launch never waits for some. */
static bool joined_is_there(struct engine *engine, const struct joined *joined)
{
    for (uint32_t i = 0; i < joined->loose_count; i++) {
        uint32_t buffer = joined->uses[joined->loose[i]].buffer;
        if (engine_block(engine_buffer(engine, buffer), 0)->state != BLOCK_PRESENT)
            return false;
    }
    return true;
}

static void joined_run_free(const struct engine *engine, struct joined_run *run)
{
    vec_fini(&run->fresh);
    vec_fini(&run->heirs);
    vec_fini(&run->feeds);
    vec_fini(&run->poison);
    vec_fini(&run->failures);
    vec_fini(&run->list);
    vec_fini(&run->places);
    alloc_put(engine->hooks, run->fates, run->joined->node_count * sizeof *run->fates);
    alloc_put(engine->hooks, run, sizeof *run);
}

static struct joined_run *joined_run_new(struct engine *engine, struct joined *joined)
{
    struct joined_run *run = joined->spare;
    if (run != NULL) {
        joined->spare = run->next;
    } else {
        run = alloc_get_zeroed(engine->hooks, sizeof *run, 16);
        if (run == NULL)
            return NULL;
        run->joined = joined;
        vec_init(&run->fresh, sizeof(uint32_t), engine->hooks);
        vec_init(&run->heirs, sizeof(struct joined_heir), engine->hooks);
        vec_init(&run->feeds, sizeof(struct joined_heir), engine->hooks);
        vec_init(&run->poison, sizeof(struct joined_poison), engine->hooks);
        vec_init(&run->failures, sizeof(struct joined_failure), engine->hooks);
        vec_init(&run->list, sizeof(fgpu_cmd), engine->hooks);
        vec_init(&run->places, sizeof(uint32_t), engine->hooks);
    }
    run->at = run->slice_end = 0;
    run->judged = 0;
    run->claimed = run->cancelled = run->careful = 0;
    run->refuse = (struct joined_failure){.node = JOINED_NONE};
    vec_clear(&run->fresh);
    vec_clear(&run->heirs);
    vec_clear(&run->feeds);
    vec_clear(&run->poison);
    vec_clear(&run->failures);
    return run;
}

/* Room for all that letting go and taking cannot do without. */
static bool joined_has_room(struct joined *joined, struct joined_run *run)
{
    return vec_reserve(&run->fresh, joined->loose_count) &&
           vec_reserve(&joined->holds, joined->holds.count + joined->use_count);
}

static void joined_link(struct engine *engine, struct joined_run *run, struct task *task)
{
    struct joined *joined = run->joined;
    struct joined_link link = {.run = run, .task = task};
    struct task *last = joined_live(engine, joined->last, joined->last_generation);
    for (uint32_t i = 0; i < joined->kernel_count; i++)
        engine_kernel(engine, joined->kernels[i].slot)->users++;
    joined->flying++;
    /* Others' leases on the same buffers end here, which may change nothing in our list. */
    uint32_t count = joined->loose_count;
    joined->loose_count = 0;
    for (uint32_t i = 0; i < count; i++)
        joined_take(engine, &link, &joined->uses[joined->loose[i]]);
    if (last != NULL && !graph_edge(engine, last, task, false))
        link.failed = true;
    if (link.failed)
        graph_doom(task, FGPU_E_NOMEM, task->self, task_word(task));
    joined->last = task->self;
    joined->last_generation = task_generation(task);
}

fgpu_status joined_launch(struct engine *engine, struct joined *joined, bool named, uint32_t *index,
                          uint32_t *generation)
{
    struct submit_request request = {.kind = TASK_JOINED,
                                     .kernel = TASK_NONE,
                                     .priority = joined->priority,
                                     .pin = joined->pin,
                                     .flags = named ? 0 : TASK_F_UNLISTED,
                                     .name = "graph"};
    joined_settle(engine, joined);
    if (!joined_is_whole(engine, joined))
        return FGPU_E_STALE;
    if (engine->trace->on || !joined_is_there(engine, joined) || !joined_pays(engine, joined))
        return FGPU_E_BUSY;
    struct joined_run *run = joined_run_new(engine, joined);
    if (run == NULL)
        return FGPU_E_NOMEM;
    request.joined = run;
    fgpu_status status = joined_has_room(joined, run) ? FGPU_OK : FGPU_E_NOMEM;
    if (status == FGPU_OK)
        status = submit_prepare(engine, &request, index, generation);
    if (status != FGPU_OK) {
        run->next = joined->spare;
        joined->spare = run;
        return status;
    }
    struct task *task = engine_task(engine, *index);
    run->serial = ++joined->serial;
    engine->joined_count++;
    task->size = joined->command_count;
    engine->stats.tasks_submitted += joined->node_count + named;
    graph_link(engine, task);
    joined_link(engine, run, task);
    engine_look(engine, *index);
    return FGPU_OK;
}

/* ---- what depends on it ----------------------------------------------------------------- */

bool joined_heir(struct task *writer, const struct task *task, uint32_t buffer,
                 const struct imap_seg *seg)
{
    struct joined_heir heir = {.task = task->self,
                               .generation = task_generation(task),
                               .buffer = buffer,
                               .begin = seg->begin,
                               .end = seg->end};
    return vec_push(&joined_run_of(writer)->heirs, &heir) != NULL;
}

void joined_feed(struct task *task, uint32_t data, fgpu_status status, const struct task *from)
{
    struct joined_run *run = joined_run_of(task);
    if (data < 2) { /* not noted for want of memory */
        graph_doom(task, graph_heritage(status), from->root, from->root_word);
        return;
    }
    const struct joined_heir *feed = vec_at(&run->feeds, data - 2);
    struct joined_poison poison = {.buffer = feed->buffer,
                                   .status = status,
                                   .root = from->root,
                                   .root_word = from->root_word,
                                   .begin = feed->begin,
                                   .end = feed->end};
    if (vec_push(&run->poison, &poison) == NULL)
        graph_doom(task, FGPU_E_NOMEM, task->self, task_word(task));
}

/* ---- life ------------------------------------------------------------------------------- */

void joined_settle(struct engine *engine, struct joined *joined)
{
    size_t kept = 0;
    for (size_t i = 0; i < joined->records.count; i++) {
        struct joined_record record = *(struct joined_record *)vec_at(&joined->records, i);
        struct task *task = engine_task(engine, record.task);
        if (task_generation(task) != record.generation)
            continue;
        if (task_generation(engine_task(engine, record.launch)) == record.launch_generation ||
            engine_first_failure(engine) == record.task)
            *(struct joined_record *)vec_at(&joined->records, kept++) = record;
        else
            engine_forget(engine, record.task);
    }
    joined->records.count = kept;
}

void joined_free(struct engine *engine, struct joined *joined)
{
    while (joined->spare != NULL) {
        struct joined_run *run = joined->spare;
        joined->spare = run->next;
        joined_run_free(engine, run);
    }
    vec_fini(&joined->holds);
    vec_fini(&joined->records);
    arena_fini(&joined->arena);
    if (joined->place < engine->joined.count)
        *(struct joined **)vec_at(&engine->joined, joined->place) = NULL;
    alloc_put(engine->hooks, joined, sizeof *joined);
}

void joined_retire(struct engine *engine, struct joined *joined)
{
    joined_settle(engine, joined);
    joined->retired = 1;
    joined_let_go_all(engine, joined);
    if (joined->flying == 0)
        joined_free(engine, joined);
}

void joined_clear(struct engine *engine)
{
    for (size_t i = 0; i < engine->joined.count; i++) {
        struct joined *joined = *(struct joined **)vec_at(&engine->joined, i);
        if (joined == NULL)
            continue;
        joined->flying = 0; /* nothing is in flight any more */
        joined_retire(engine, joined);
    }
}
