/* Step 2 of the walk, graph: a task and its access modes become edges.
 *
 * Takes tasks in submission order, gives pending counts. Per segment of a buffer it remembers the
 * last writer and the readers since; a reader waits for the writer, a writer for the readers and
 * the writer (the sequential consistency of StarPU's implicit dependencies and of OpenMP's depend
 * clauses, here for exact byte ranges). Runs under the engine's lock. Owns the graph part of struct
 * segment and the edge lists. Keeps true: results are those of running the tasks in the order of
 * submission; an ended task is never waited for; a task that uses data of a failed one never runs.
 */
#include "core/graph.h"

#include <stdio.h>

#include "base/handle.h"
#include "core/joined.h"
#include "core/lane.h"
#include "core/lineage.h"
#include "core/memory.h"
#include "core/serve.h"

#define GRAPH_READERS_FEW 16u  /* readers that one task overwrites, on the short way */
#define GRAPH_AHEAD 8u         /* successors whose records are fetched ahead */
#define GRAPH_FEW_SEGMENTS 32u /* all of them are looked at each time */
#define GRAPH_READERS_SWEPT 32 /* a longer list of readers is looked through for ended ones */

/* ---- segments --------------------------------------------------------------------------- */

static void graph_segment_clone(void *user, void *dst, const void *src)
{
    struct engine *engine = user;
    struct segment *out = dst;
    *out = *(const struct segment *)src;
    replica_clone(&out->replica);
    out->readers = LINKS_NONE;
    for (uint32_t at = ((const struct segment *)src)->readers; at != LINKS_NONE;
         at = links_at(&engine->links, at)->next)
        (void)links_push(&engine->links, &out->readers, *links_at(&engine->links, at));
}

static void graph_segment_drop(void *user, void *payload)
{
    struct engine *engine = user;
    struct segment *segment = payload;
    links_clear(&engine->links, &segment->readers);
    replica_fini(&segment->replica);
}

fgpu_status graph_buffer_init(struct engine *engine, struct buffer *buffer, uint64_t size_bytes)
{
    fgpu_status status = imap_init(&buffer->segments, size_bytes, sizeof(struct segment),
                                   graph_segment_clone, engine, engine->hooks);
    if (status != FGPU_OK)
        return status;
    struct segment *segment = graph_segment(imap_first(&buffer->segments, 0));
    segment->writer = segment->root = TASK_NONE;
    segment->readers = LINKS_NONE;
    segment->reader_limit = GRAPH_READERS_SWEPT;
    return FGPU_OK;
}

void graph_buffer_fini(struct engine *engine, struct buffer *buffer)
{
    (void)engine;
    imap_fini(&buffer->segments, graph_segment_drop);
}

/* The record still is the task of that generation, and it has not ended. */
static struct task *graph_live(const struct engine *engine, uint32_t index, uint32_t generation)
{
    if (index == TASK_NONE)
        return NULL;
    struct task *task = engine_task(engine, index);
    uint32_t word = atomic_load_relaxed_u32(&task->word);
    if (word >> TASK_STATE_BITS != generation || task_state_ended(word & TASK_STATE_MASK))
        return NULL;
    return task;
}

bool graph_is_live(const struct engine *engine, uint32_t index, uint32_t generation)
{
    return graph_live(engine, index, generation) != NULL;
}

static bool graph_equal(void *user, void *left, const void *right)
{
    struct engine *engine = user;
    struct segment *a = left;
    const struct segment *b = right;
    if (a->readers != LINKS_NONE || b->readers != LINKS_NONE || a->replica.dirty != 0 ||
        a->root != b->root || a->root_word != b->root_word || a->poison != b->poison)
        return false;
    bool same_writer = a->writer == b->writer && a->writer_generation == b->writer_generation;
    if (!same_writer && (graph_live(engine, a->writer, a->writer_generation) != NULL ||
                         graph_live(engine, b->writer, b->writer_generation) != NULL))
        return false;
    if (!replica_equal(&a->replica, &b->replica))
        return false;
    if (a->stamp == b->stamp)
        return true;
    if (lineage_holds(engine, a->stamp) || lineage_holds(engine, b->stamp))
        return false;
    if (a->stamp < b->stamp) /* who could make them is gone: only the newer date counts */
        a->stamp = b->stamp;
    return true;
}

/* The part of a walk that goes over one contiguous range. */
static bool graph_walk_range(struct engine *engine, struct task *task, uint32_t access,
                             const struct imap_seg *range, graph_segment_fn fn, void *user)
{
    struct buffer *buffer = engine_buffer(engine, task_accesses(task)[access].buffer);
    struct imap_seg *seg = imap_first(&buffer->segments, range->begin);
    while (seg != NULL && seg->begin < range->end) {
        struct imap_seg *next = seg->end < range->end ? imap_next(&buffer->segments, seg) : NULL;
        if (!fn(engine, task, access, seg, user))
            return false;
        seg = next;
    }
    return true;
}

bool graph_walk(struct engine *engine, struct task *task, uint32_t access, graph_segment_fn fn,
                void *user)
{
    const struct task_access *a = &task_accesses(task)[access];
    const struct imap *segments = &engine_buffer(engine, a->buffer)->segments;
    if (segments->seg_count == 1)
        return fn(engine, task, access, imap_only(segments), user);
    struct imap_seg range = {a->begin, a->end};
    if (!a->rect)
        return graph_walk_range(engine, task, access, &range, fn, user);
    struct task_rect shape = task_shape(task, access);
    for (uint64_t row = 0; row < shape.rows; row++) {
        range.begin = a->begin + row * shape.pitch_bytes;
        range.end = range.begin + shape.row_bytes;
        if (!graph_walk_range(engine, task, access, &range, fn, user))
            return false;
    }
    return true;
}

void graph_fetch_record(const struct engine *engine, uint32_t index)
{
    if (index == TASK_NONE)
        return;
    const char *record = (const char *)engine_task(engine, index);
    for (uint32_t at = 0; at < TASK_SLOT_BYTES; at += LIMITS_CACHE_LINE)
        __builtin_prefetch(record + at, 1);
}

void graph_fetch_buffers(const struct engine *engine, const struct task *task)
{
    for (uint32_t i = 0; i < task->access_count; i++) {
        const struct buffer *buffer = engine_buffer(engine, task_accesses(task)[i].buffer);
        __builtin_prefetch(&buffer->sparse, 1);
        __builtin_prefetch(&buffer->segments.root, 1);
        __builtin_prefetch(&buffer->home, 1);
    }
}

void graph_fetch(const struct engine *engine, const struct task *task)
{
    for (uint32_t i = 0; i < task->access_count; i++) {
        const struct buffer *buffer = engine_buffer(engine, task_accesses(task)[i].buffer);
        /* `sparse` is in a line that nothing else is read from. */
        __builtin_prefetch(
            engine->direct || buffer->sparse != NULL ? &buffer->home : buffer->blocks, 1);
        if (buffer->segments.seg_count == 1)
            __builtin_prefetch(imap_payload(imap_only(&buffer->segments)), 1);
    }
}

void graph_fetch_more(const struct engine *engine, const struct task *task)
{
    for (uint32_t i = 0; i < task->access_count; i++) {
        const struct buffer *buffer = engine_buffer(engine, task_accesses(task)[i].buffer);
        if (buffer->segments.seg_count != 1)
            continue;
        const struct segment *segment = imap_payload(imap_only(&buffer->segments));
        if (segment->readers != LINKS_NONE)
            __builtin_prefetch(links_at(&engine->links, segment->readers), 1);
        if (segment->writer != TASK_NONE)
            __builtin_prefetch(engine_task(engine, segment->writer), 1);
    }
}

/* ---- linking ---------------------------------------------------------------------------- */

void graph_doom(struct task *task, fgpu_status status, uint32_t root, uint32_t root_word)
{
    if (task->status != FGPU_OK)
        return;
    task->status = status;
    task->root = root;
    task->root_word = root_word;
}

fgpu_status graph_heritage(fgpu_status status)
{
    return status == FGPU_E_CANCELLED ? FGPU_E_CANCELLED : FGPU_E_POISONED;
}

/* Where others may follow a task that was issued. */
static uint16_t graph_lane_of(const struct task *from)
{
    return from->marks & TASK_M_PREEMPT ? TASK_LANE_MIXED : from->lane;
}

bool graph_edge(struct engine *engine, struct task *from, struct task *to, bool data)
{
    if (from == to)
        return true;
    if (!links_reserve(&engine->links, 1)) {
        graph_doom(to, FGPU_E_NOMEM, to->self, task_word(to));
        return false;
    }
    (void)links_push(
        &engine->links, &from->succ,
        (struct links_item){.task = to->self, .generation = task_generation(to), .data = data});
    to->undone++;
    if (from->flags & TASK_F_ISSUED) {
        uint16_t lane = graph_lane_of(from);
        to->follow = to->follow == TASK_LANE_NONE || to->follow == lane ? lane : TASK_LANE_MIXED;
    } else {
        to->unissued++;
    }
    if (__builtin_expect(engine->serve != NULL, 0))
        serve_edge(engine, from, to);
    if (engine->trace->on)
        trace_emit(engine->trace, (struct trace_event){.time_ns = engine->now_ns,
                                                       .kind = TRACE_EDGE,
                                                       .device = TRACE_NO_DEVICE,
                                                       .a = engine_trace_id(from),
                                                       .b = engine_trace_id(to)});
    return true;
}

void graph_sweep_readers(struct engine *engine, struct segment *segment)
{
    uint32_t kept = LINKS_NONE;
    segment->reader_count = 0;
    while (segment->readers != LINKS_NONE) {
        struct links_item item = links_pop(&engine->links, &segment->readers);
        if (graph_live(engine, item.task, item.generation) == NULL)
            continue;
        (void)links_push(&engine->links, &kept, item);
        segment->reader_count++;
    }
    segment->readers = kept;
    segment->reader_limit = 2 * segment->reader_count + GRAPH_READERS_SWEPT;
}

static bool graph_link_read(struct engine *engine, struct task *task, uint32_t buffer,
                            struct segment *segment)
{
    struct task *writer = graph_live(engine, segment->writer, segment->writer_generation);
    if (writer != NULL &&
        !graph_edge(engine, writer, task, !joined_inherits(writer, task, buffer, segment)))
        return false;
    if (segment->reader_count >= segment->reader_limit)
        graph_sweep_readers(engine, segment);
    if (!links_reserve(&engine->links, 1)) {
        graph_doom(task, FGPU_E_NOMEM, task->self, task_word(task));
        return false;
    }
    (void)links_push(&engine->links, &segment->readers,
                     (struct links_item){.task = task->self, .generation = task_generation(task)});
    segment->reader_count++;
    return true;
}

static bool graph_link_write(struct engine *engine, struct task *task, uint32_t buffer,
                             struct segment *segment, bool reads)
{
    struct task *writer = graph_live(engine, segment->writer, segment->writer_generation);
    if (writer != NULL &&
        !graph_edge(engine, writer, task, reads && !joined_inherits(writer, task, buffer, segment)))
        return false;
    while (segment->readers != LINKS_NONE) {
        struct links_item item = links_pop(&engine->links, &segment->readers);
        struct task *reader = graph_live(engine, item.task, item.generation);
        if (reader != NULL && !graph_edge(engine, reader, task, false))
            return false;
    }
    segment->reader_count = 0;
    segment->reader_limit = GRAPH_READERS_SWEPT;
    segment->writer = task->self;
    segment->writer_generation = task_generation(task);
    if (!reads)
        segment->poison = FGPU_OK; /* a full overwrite heals */
    return true;
}

static bool graph_link_segment(struct engine *engine, struct task *task, uint32_t access,
                               struct imap_seg *seg, void *user)
{
    (void)user;
    struct segment *segment = graph_segment(seg);
    uint8_t mode = task_accesses(task)[access].mode;
    uint32_t buffer = task_accesses(task)[access].buffer;
    if ((mode & FGPU_READ) && segment->poison != FGPU_OK)
        graph_doom(task, graph_heritage((fgpu_status)segment->poison), segment->root,
                   segment->root_word);
    if (mode == FGPU_READ)
        return graph_link_read(engine, task, buffer, segment);
    return graph_link_write(engine, task, buffer, segment, mode == FGPU_READ_WRITE);
}

/* Room for the readers that a split copies. */
static bool graph_split_room(struct engine *engine, struct buffer *buffer, uint64_t at)
{
    if (at >= buffer->segments.size_bytes)
        return true;
    struct segment *segment = graph_segment(imap_first(&buffer->segments, at));
    return links_reserve(&engine->links, segment->reader_count);
}

bool graph_split(struct engine *engine, struct buffer *buffer, uint64_t begin, uint64_t end)
{
    if (begin == 0 && end == buffer->segments.size_bytes)
        return true;
    struct imap_seg *seg = imap_first(&buffer->segments, begin);
    if (seg->begin == begin && seg->end == end)
        return true;
    /* One border at a time: the second split may copy what the first has made. */
    if (begin > 0 && (!graph_split_room(engine, buffer, begin) ||
                      imap_split(&buffer->segments, begin, buffer->segments.size_bytes) != FGPU_OK))
        return false;
    return graph_split_room(engine, buffer, end) &&
           imap_split(&buffer->segments, begin, end) == FGPU_OK;
}

bool graph_cut(struct engine *engine, struct task *task, uint32_t access)
{
    const struct task_access *a = &task_accesses(task)[access];
    struct buffer *buffer = engine_buffer(engine, a->buffer);
    if (!a->rect)
        return graph_split(engine, buffer, a->begin, a->end);
    struct task_rect shape = task_shape(task, access);
    for (uint64_t row = 0; row < shape.rows; row++) {
        uint64_t begin = a->begin + row * shape.pitch_bytes;
        if (!graph_split(engine, buffer, begin, begin + shape.row_bytes))
            return false;
    }
    return true;
}

static void graph_link_after(struct engine *engine, struct task *task)
{
    const uint32_t *after =
        (const uint32_t *)(const void *)(task->payload + 8u * task->after_offset);
    for (uint32_t i = 0; i < task->after_count; i++) {
        struct task *from = engine_task(engine, after[2 * i]);
        if (task_generation(from) != after[2 * i + 1])
            continue; /* ended well; the record serves another task now */
        uint32_t word = task_word(from);
        if (!task_state_ended(word & TASK_STATE_MASK))
            (void)graph_edge(engine, from, task, true);
        else if (from->status != FGPU_OK)
            graph_doom(task, graph_heritage((fgpu_status)from->status), from->root,
                       from->root_word);
    }
}

/* The handle was good when the caller looked, but the object has gone since: the task fails as if
 * it had run, so that what it should have written is poisoned, and it does not touch the object. */
static void graph_gone(struct engine *engine, struct task *task, const char *what)
{
    if (task->why == NULL)
        task->why = alloc_get(engine->hooks, LIMITS_ERROR_TEXT, 16);
    if (task->why != NULL)
        snprintf(task->why, LIMITS_ERROR_TEXT, "its %s was destroyed while it was submitted", what);
    graph_doom(task, FGPU_E_STALE, task->self, task_word(task));
}

static bool graph_is_gone(const _Atomic uint32_t *live, uint64_t expected)
{
    return expected != 0 && (atomic_load_relaxed_u32(live) & HANDLE_GENERATION_MASK) != expected;
}

static void graph_link_objects(struct engine *engine, struct task *task)
{
    struct task_access *accesses = task_accesses(task);
    bool brief = task->marks & TASK_M_BRIEF;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < task->access_count; i++) {
        struct buffer *buffer = engine_buffer(engine, accesses[i].buffer);
        uint64_t expected = brief ? task->live[i] : task_args(task)[accesses[i].arg].u.buffer.mem;
        if (__builtin_expect(graph_is_gone(&buffer->live, expected), 0)) {
            graph_gone(engine, task, "buffer");
            continue;
        }
        joined_touch(engine, buffer);
        buffer->users++;
        buffer->linked++;
        if (kept != i)
            accesses[kept] = accesses[i];
        kept++;
    }
    task->access_count = (uint8_t)kept;
    if (task->kernel == TASK_NONE)
        return;
    struct kernel *kernel = engine_kernel(engine, task->kernel);
    uint64_t expected =
        brief ? task->live[TASK_BRIEF_ACCESSES] : ((const fgpu_cmd_launch *)task_body(task))->code;
    if (brief)
        task->waits = task->model = task->predicted_ns = 0; /* where those were */
    if (graph_is_gone(&kernel->live, expected)) {
        graph_gone(engine, task, "kernel");
        task->kernel = TASK_NONE;
        return;
    }
    kernel->users++;
}

void graph_link(struct engine *engine, struct task *task)
{
    task_set_state(task, FGPU_TASK_LINKED);
    task->submit_ns = engine->now_ns;
    engine->pending_tasks++;
    engine->ranked += task->priority != 0;
    graph_link_objects(engine, task);
    task->order = engine->order++;
    for (uint32_t i = 0; i < task->access_count; i++) {
        const struct task_access *access = &task_accesses(task)[i];
        const struct imap *segments = &engine_buffer(engine, access->buffer)->segments;
        if (segments->seg_count == 1 && access->begin == 0 && access->end == segments->size_bytes &&
            !access->rect) {
            if (!graph_link_segment(engine, task, i, imap_only(segments), NULL))
                return;
            continue;
        }
        if (!graph_cut(engine, task, i)) {
            graph_doom(task, FGPU_E_NOMEM, task->self, task_word(task));
            return;
        }
        if (!graph_walk(engine, task, i, graph_link_segment, NULL))
            return;
    }
    if (task->after_count > 0)
        graph_link_after(engine, task);
}

/* Nobody there to wait for, or somebody who is on that lane already: what follows him there needs
 * nothing else. */
static bool graph_is_ahead(const struct engine *engine, uint32_t index, uint32_t generation,
                           uint16_t lane)
{
    const struct task *from = graph_live(engine, index, generation);
    return from == NULL || ((from->flags & TASK_F_ISSUED) && graph_lane_of(from) == lane &&
                            from->kind != TASK_JOINED);
}

/* As it should be for graph_link_behind(), with at most *room edges, which are subtracted. */
static bool graph_may_link(const struct engine *engine, const struct segment *segment, bool writes,
                           uint16_t lane, uint32_t *room)
{
    if (segment->poison != FGPU_OK ||
        !graph_is_ahead(engine, segment->writer, segment->writer_generation, lane))
        return false;
    if (!writes)
        return segment->reader_count < segment->reader_limit;
    for (uint32_t at = segment->readers; at != LINKS_NONE;
         at = links_at(&engine->links, at)->next) {
        const struct links_item *item = links_at(&engine->links, at);
        if (*room == 0 || !graph_is_ahead(engine, item->task, item->generation, lane))
            return false;
        *room -= 1;
    }
    return true;
}

bool graph_link_behind(struct engine *engine, struct task *task, uint16_t lane,
                       struct buffer *buffers[TASK_BRIEF_ACCESSES])
{
    const struct task_access *accesses = task->brief;
    struct kernel *kernel = engine_kernel(engine, task->kernel);
    uint32_t room = GRAPH_READERS_FEW;
    for (uint32_t i = 0; i < task->access_count; i++) {
        const struct task_access *access = &accesses[i];
        struct buffer *buffer = buffers[i] = engine_buffer(engine, access->buffer);
        const struct imap *segments = &buffer->segments;
        if (segments->seg_count != 1 || buffer->home.state != BLOCK_PRESENT || buffer->lease != 0 ||
            access->begin != 0 || access->end != segments->size_bytes ||
            graph_is_gone(&buffer->live, task->live[i]) ||
            !graph_may_link(engine, graph_segment(imap_only(segments)), access->mode & FGPU_WRITE,
                            lane, &room))
            return false;
    }
    if (graph_is_gone(&kernel->live, task->live[TASK_BRIEF_ACCESSES]) ||
        !links_reserve(&engine->links, GRAPH_READERS_FEW + 2 * TASK_BRIEF_ACCESSES))
        return false;
    task->waits = 0;
    task->order = engine->order++;
    task->submit_ns = engine->now_ns;
    kernel->users++;
    engine->pending_tasks++;
    for (uint32_t i = 0; i < task->access_count; i++) {
        struct segment *segment = graph_segment(imap_only(&buffers[i]->segments));
        uint8_t mode = accesses[i].mode;
        buffers[i]->users++;
        if (mode == FGPU_READ)
            (void)graph_link_read(engine, task, accesses[i].buffer, segment);
        else
            (void)graph_link_write(engine, task, accesses[i].buffer, segment,
                                   mode == FGPU_READ_WRITE);
    }
    FGPU_DEBUG_ASSERT(task->unissued == 0 && task->status == FGPU_OK);
    return true;
}

/* ---- progress --------------------------------------------------------------------------- */

static void graph_count_linked(struct engine *engine, struct task *task, uint32_t change)
{
    for (uint32_t i = 0; i < task->access_count; i++)
        engine_buffer(engine, task_accesses(task)[i].buffer)->linked += change;
}

/* Lists of successors are newest first; they are looked at in the order of their submission. */
static void graph_in_order(struct engine *engine, size_t from)
{
    uint32_t *looks = (uint32_t *)(void *)engine->work.items;
    for (size_t to = engine->work.count; from + 1 < to; from++, to--) {
        uint32_t swap = looks[from];
        looks[from] = looks[to - 1];
        looks[to - 1] = swap;
    }
}

/* The record of a successor, long before it is written to; returns the link behind it. */
static uint32_t graph_fetch_succ(const struct engine *engine, uint32_t at)
{
    if (at == LINKS_NONE)
        return at;
    const struct links_item *item = links_at(&engine->links, at);
    __builtin_prefetch(engine_task(engine, item->task), 1);
    return item->next;
}

/* ... of the first few. */
static uint32_t graph_fetch_first(const struct engine *engine, const struct task *task)
{
    uint32_t at = task->succ;
    for (uint32_t i = 0; i < GRAPH_AHEAD && at != LINKS_NONE; i++)
        at = graph_fetch_succ(engine, at);
    return at;
}

void graph_issue(struct engine *engine, struct task *task)
{
    graph_count_linked(engine, task, UINT32_MAX); /* one less */
    graph_tell_issued(engine, task);
}

void graph_tell_issued(struct engine *engine, struct task *task)
{
    size_t from = engine->work.count;
    uint16_t lane = graph_lane_of(task);
    task->flags |= TASK_F_ISSUED;
    if (task->succ == LINKS_NONE)
        return;
    uint32_t far = graph_fetch_first(engine, task);
    for (uint32_t at = task->succ; at != LINKS_NONE; at = links_at(&engine->links, at)->next) {
        struct task *succ = engine_task(engine, links_at(&engine->links, at)->task);
        far = graph_fetch_succ(engine, far);
        FGPU_DEBUG_ASSERT(succ->unissued > 0);
        succ->unissued--;
        succ->follow =
            succ->follow == TASK_LANE_NONE || succ->follow == lane ? lane : TASK_LANE_MIXED;
        if (succ->unissued == 0)
            engine_look(engine, succ->self);
    }
    graph_in_order(engine, from);
}

void graph_unissue(struct engine *engine, struct task *task)
{
    task->flags &= (uint8_t)~TASK_F_ISSUED;
    graph_count_linked(engine, task, 1);
    for (uint32_t at = task->succ; at != LINKS_NONE; at = links_at(&engine->links, at)->next)
        engine_task(engine, links_at(&engine->links, at)->task)->unissued++;
}

static bool graph_commit_segment(struct engine *engine, struct task *task, uint32_t access,
                                 struct imap_seg *seg, void *user)
{
    const fgpu_status *status = user;
    struct segment *segment = graph_segment(seg);
    if (task->flags & TASK_F_ISSUED) {
        uint32_t node = lane_node(engine, task);
        memory_preimage_gone(engine, segment->replica.pre,
                             segment->replica.dirty > 1 ? node : NODES_NONE);
        replica_commit(&segment->replica, node);
    }
    if (*status != FGPU_OK && segment->writer == task->self &&
        segment->writer_generation == task_generation(task)) {
        segment->root = task->root;
        segment->root_word = task->root_word;
        segment->poison = *status;
    }
    (void)access;
    return true;
}

void graph_merge(struct engine *engine, struct buffer *buffer)
{
    (void)engine;
    struct imap *segments = &buffer->segments;
    if (segments->seg_count > 1)
        imap_merge(segments, 0, segments->size_bytes, graph_equal, graph_segment_drop);
    buffer->unmerged = 0;
    buffer->merged_log2 = (uint8_t)(31 - __builtin_clz(segments->seg_count));
}

/* A task that named these bytes has ended. Not earlier than the last: the borders of a task's
 * ranges must stay until it has ended, also where a later writer has taken over. Where it was alone
 * only its own neighbourhood can have become equal, so that many small uses of a buffer in many
 * segments do not look at all of them each time. What has become equal for other reasons (copies,
 * what lineage lets go) is found when the segments have doubled. */
static void graph_merge_after(struct engine *engine, struct buffer *buffer,
                              const struct task_access *access)
{
    struct imap *segments = &buffer->segments;
    if (segments->seg_count == 1)
        return;
    if (buffer->users > 0)
        buffer->unmerged = 1;
    else if (buffer->unmerged || segments->seg_count <= GRAPH_FEW_SEGMENTS ||
             segments->seg_count >> (buffer->merged_log2 + 1) != 0)
        graph_merge(engine, buffer);
    else
        imap_merge(segments, access->begin, access->end, graph_equal, graph_segment_drop);
}

void graph_release_access(struct engine *engine, struct task *task, uint32_t i, fgpu_status status)
{
    const struct task_access *access = &task_accesses(task)[i];
    struct buffer *buffer = engine_buffer(engine, access->buffer);
    if (access->mode & FGPU_WRITE)
        (void)graph_walk(engine, task, i, graph_commit_segment, &status);
    FGPU_ASSERT(buffer->users > 0);
    buffer->users--;
    if (!(task->flags & TASK_F_ISSUED))
        buffer->linked--;
    graph_merge_after(engine, buffer, access);
}

void graph_release(struct engine *engine, struct task *task, fgpu_status status)
{
    FGPU_ASSERT(task->undone == 0);
    for (uint32_t i = 0; i < task->access_count; i++)
        graph_release_access(engine, task, i, status);
    if (task->kernel != TASK_NONE)
        engine_kernel(engine, task->kernel)->users--;
    graph_release_succ(engine, task, status);
}

void graph_release_succ(struct engine *engine, struct task *task, fgpu_status status)
{
    engine->pending_tasks--;
    engine->ranked -= task->priority != 0;
    if (task->succ == LINKS_NONE)
        return;
    bool issued = task->flags & TASK_F_ISSUED;
    size_t from = engine->work.count;
    uint32_t far = graph_fetch_first(engine, task);
    while (task->succ != LINKS_NONE) {
        struct links_item item = links_pop(&engine->links, &task->succ);
        far = graph_fetch_succ(engine, far);
        struct task *succ = engine_task(engine, item.task);
        FGPU_DEBUG_ASSERT(succ->undone > 0);
        succ->undone--;
        if (!issued)
            succ->unissued--;
        if (status != FGPU_OK && item.data && succ->kind == TASK_JOINED)
            joined_feed(succ, item.data, status, task);
        else if (status != FGPU_OK && item.data)
            graph_doom(succ, graph_heritage(status), task->root, task->root_word);
        /* One that runs behind it in the same queue needs nobody. */
        if ((succ->undone == 0 || succ->unissued == 0) && task_state(succ) != FGPU_TASK_RUNNING)
            engine_look(engine, succ->self);
    }
    graph_in_order(engine, from);
}
