/* Step 5 of the walk, move: missing replicas become allocate, evict and copy records.
 *
 * Takes a PLACED task, gives MOVE_READY once all it reads is valid on its node, or will be by
 * commands ahead of it in the same queue. Where a device has lanes for copies, copies to it go into
 * the first of them and copies to the host into the last, and tasks wait for them; they are ordered
 * ahead (move_ahead) while their task lies in a backlog. Else, and where they are short (ways.h),
 * copies to a device go into the lane that will use them, so that the queue's order does the
 * waiting; copies to the host go into the source's lane and are waited for. Device to device goes
 * through the host, or directly where the configuration says that it can. Runs under the engine's
 * lock. Owns the records of copies in flight (struct op). Keeps true: a copy conflicts with no
 * other copy of another lane on the same bytes; a segment is marked valid when its copy is ordered,
 * and whoever uses it waits for, or is queued behind, that copy.
 */
#include "core/move.h"

#include <string.h>

#include "core/compact.h"
#include "core/graph.h"
#include "core/lane.h"
#include "core/memory.h"
#include "core/ops.h"
#include "core/planner.h"
#include "core/sums.h"
#include "core/traffic.h"
#include "core/ways.h"
#include "core/writeback.h"

#define MOVE_SOURCES 32u              /* of which the nearest is taken */
#define MOVE_TYPICAL_BYTES (1u << 20) /* what ways are compared with */

/* Bytes that are to be copied from one node. */
struct move_run {
    uint64_t begin, end;
    uint32_t src;
};

static enum move_answer move_spill(struct engine *engine, struct task *task, uint32_t victim);

/* Rows of one buffer, all from the same node. */
struct move_rect {
    uint32_t buffer;
    struct move_run first; /* the first row */
    uint64_t rows, pitch;
    uint64_t task; /* that it is copied for, in traces */
    int64_t rank;  /* of that task in the plan */
    bool early;    /* long before that task: after all others */
};

/* Bytes of one block that a lane is about to use. */
struct move_use {
    uint32_t buffer, node;
    uint64_t begin, end;
    uint16_t lane;
    bool writes;
    uint32_t ops; /* the newest copy that may be in its way */
};

/* The newest copy on a block before this pass ordered any: those of one access have no byte in
 * common, so that many of them need not be compared with each other. */
struct move_before {
    const struct block *block; /* NULL: not looked at yet */
    uint32_t ops;
};

/* One pass over a task. */
struct move_pass {
    uint32_t node;
    uint16_t lane;
    bool chained;
    bool early; /* the task is not even ready */
    bool busy;  /* a lane is full: the task waits for its progress */
    bool failed;
    bool ahead; /* nobody waits yet: what cannot be ordered now is left open */
    bool open;
    bool spill;                   /* makes room ahead of a task */
    bool evicts;                  /* makes room for it */
    struct vec *runs;             /* struct move_run, of one access */
    struct move_before before[2]; /* of that access: where from, where to */
};

/* ---- conflicts -------------------------------------------------------------------------- */

/* Waits for copies on other lanes that touch the bytes; those on the same lane come first anyway
 * (*chained when they bring data). Where the use only reads, copies that read conflict not. False:
 * the task has been put on a list (or doomed). [in] task: NULL: nobody waits. */
static bool move_clear(struct engine *engine, struct task *task, const struct move_use *use,
                       bool *chained)
{
    bool clear = true;
    for (uint32_t at = use->ops; at != OP_NONE;) {
        struct op *op = table_at(&engine->ops, at);
        at = ops_next(op, use->node);
        bool into = op->dst_node == use->node;
        if (!op->moves &&
            (op->begin >= use->end || op->end <= use->begin || (!into && !use->writes)))
            continue;
        if (op->lane == use->lane && !op->moves &&
            !traffic_governs(engine, engine_lane(engine, op->lane))) {
            if (into)
                *chained = true;
            continue;
        }
        clear = false;
        if (task == NULL || !lane_wait(engine, task, &op->waiters))
            return false;
    }
    return clear;
}

/* ---- ordering a copy -------------------------------------------------------------------- */

static void move_share_rows(struct engine *engine, struct op *op, bool spoil)
{
    struct buffer *buffer = engine_buffer(engine, op->buffer);
    const fgpu_cmd_copy *copy = &op->body;
    uint64_t pitch = copy->dst_pitch_bytes;
    for (uint64_t row = 0; row < copy->rows; row++) {
        uint64_t begin = op->begin + row * pitch, end = begin + copy->row_bytes;
        struct imap_seg *seg = imap_first(&buffer->segments, begin);
        for (; seg != NULL && seg->begin < end; seg = imap_next(&buffer->segments, seg)) {
            if (spoil)
                replica_spoil(&graph_segment(seg)->replica, op->dst_node);
            else
                replica_share(&graph_segment(seg)->replica, op->dst_node);
        }
    }
}

static void move_op_attach(struct engine *engine, struct op *op, uint32_t index)
{
    struct buffer *buffer = engine_buffer(engine, op->buffer);
    ops_push(engine, engine_block(buffer, op->src_node), index);
    ops_push(engine, engine_block(buffer, op->dst_node), index);
    memory_pin(engine, op->buffer, op->src_node);
    memory_pin(engine, op->buffer, op->dst_node);
    buffer->users++;
}

static void move_op_detach_from(struct engine *engine, const struct op *op, uint32_t index,
                                uint32_t node)
{
    ops_remove(engine, engine_block(engine_buffer(engine, op->buffer), node), index);
}

static void move_op_count(struct engine *engine, const struct op *op)
{
    struct engine_device *device = &engine->devices[engine_lane(engine, op->lane)->device];
    bool spills = engine->spill_node != 0 && op->dst_node == engine->spill_node;
    struct block *block = engine_block(engine_buffer(engine, op->buffer), op->dst_node);
    engine->stats.copies++;
    device->stats.copies++;
    device->stats.copy_bytes += op->bytes;
    if (block->evicted && !spills)
        thrash_note(engine, op->dst_node, op->bytes, op->predicted_ns);
    block->evicted = 0;
    if (spills)
        engine->stats.bytes_spilled += op->bytes;
    else if (op->dst_node != 0)
        engine->stats.bytes_to_device += op->bytes;
    else
        engine->stats.bytes_to_host += op->bytes;
}

/* Copies for what the plan holds urgent go first. */
static int64_t move_rank(const struct engine *engine, const struct task *task)
{
    const struct planned *planned = planner_of(engine, task);
    return planned != NULL ? INT64_MAX - (int64_t)planned->start_ns : INT64_MIN;
}

void move_issue(struct engine *engine, uint32_t index)
{
    struct op *op = table_at(&engine->ops, index);
    struct lane *lane = engine_lane(engine, op->lane);
    fgpu_cmd cmd = {.kind = FGPU_CMD_COPY, .flags = FGPU_CMD_TIMED, .body = &op->body};
    /* Whoever waits for it does so here, not behind it in its queue. */
    if (op->dst_node == 0 || op->moves || engine->traffic != NULL || lane->copies)
        cmd.flags |= FGPU_CMD_NOTIFY;
    op->issued = 1;
    lane->flight_ns += op->predicted_ns;
    op->number = lane_append(engine, lane, &cmd, index | RING_OP);
    trace_emit(engine->trace, (struct trace_event){.time_ns = engine->now_ns,
                                                   .kind = TRACE_MOVE_BEGIN,
                                                   .device = (uint8_t)lane->device,
                                                   .lane = (uint16_t)lane->queue,
                                                   .task = op->task,
                                                   .a = op->bytes,
                                                   .b = trace_nodes(op->src_node, op->dst_node)});
}

/* Orders one copy. All conflicts are cleared and both blocks exist. */
static bool move_order(struct engine *engine, const struct move_rect *rect, uint32_t dst,
                       uint16_t lane_index)
{
    const struct move_run *first = &rect->first;
    uint64_t rows = rect->rows, pitch = rect->pitch;
    uint32_t index;
    if (table_alloc(&engine->ops, &index) != FGPU_OK)
        return false;
    struct op *op = table_at(&engine->ops, index);
    struct buffer *buffer = engine_buffer(engine, rect->buffer);
    const struct heap_block *from = memory_at(buffer, first->src), *to = memory_at(buffer, dst);
    uint64_t row_bytes = first->end - first->begin;
    *op = (struct op){.buffer = rect->buffer,
                      .src_node = (uint16_t)first->src,
                      .dst_node = (uint16_t)dst,
                      .lane = lane_index,
                      .live = 1,
                      .begin = first->begin,
                      .end = first->begin + pitch * (rows - 1) + row_bytes,
                      .bytes = row_bytes * rows,
                      .task = rect->task,
                      .waiters = LINKS_NONE};
    op->body = (fgpu_cmd_copy){.src = from->mem,
                               .dst = to->mem,
                               .src_is_host = first->src == 0,
                               .dst_is_host = dst == 0,
                               .src_offset_bytes = from->offset + first->begin,
                               .dst_offset_bytes = to->offset + first->begin,
                               .src_pitch_bytes = pitch,
                               .dst_pitch_bytes = pitch,
                               .row_bytes = row_bytes,
                               .rows = rows};
    struct lane *lane = engine_lane(engine, lane_index);
    uint64_t ns = engine_copy_ns(engine, first->src, dst, op->bytes);
    op->predicted_ns = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
    move_op_attach(engine, op, index);
    move_share_rows(engine, op, false);
    move_op_count(engine, op);
    if (!traffic_governs(engine, lane) || !traffic_order(engine, index, rect->rank, rect->early))
        move_issue(engine, index);
    return true;
}

/* ---- what is missing -------------------------------------------------------------------- */

/* Where to copy from: the nearest of the host and those that reach the node; where there is none of
 * them, one that gives the data to the host first. */
static uint32_t move_source(const struct engine *engine, const struct replica *replica,
                            uint32_t node)
{
    uint32_t best = nodes_next(replica->valid, 0); /* the host when it has the data */
    if (engine->reaches == NULL || node == 0 || nodes_is_single(replica->valid))
        return best;
    uint64_t least_ns = UINT64_MAX;
    uint32_t looked = 0;
    for (uint32_t at = best; at != NODES_NONE && looked < MOVE_SOURCES;
         at = nodes_next(replica->valid, at + 1), looked++) {
        if (at != 0 && !ways_reach(engine, at, node))
            continue;
        uint64_t ns = engine_copy_ns(engine, at, node, MOVE_TYPICAL_BYTES);
        if (ns < least_ns) {
            least_ns = ns;
            best = at;
        }
    }
    return best;
}

static bool move_collect(struct engine *engine, struct task *task, uint32_t access,
                         struct imap_seg *seg, void *user)
{
    (void)access;
    struct move_pass *pass = user;
    const struct segment *segment = graph_segment(seg);
    const struct replica *replica = &segment->replica;
    if (replica_is_lost(replica)) {
        /* With a device, after this task was linked: its memory went, or a later task tore them. */
        if (segment->poison != FGPU_OK)
            graph_doom(task, graph_heritage((fgpu_status)segment->poison), segment->root,
                       segment->root_word);
        else
            graph_doom(task, FGPU_E_DEVICE_LOST, task->self, task_word(task));
        pass->failed = true;
        return false;
    }
    if (replica_is_valid(replica, pass->node) || !replica_has_data(replica))
        return true;
    if (pass->ahead && replica->dirty > 0) { /* a predecessor is still to write them */
        pass->open = true;
        return true;
    }
    uint32_t src = move_source(engine, replica, pass->node);
    struct vec *runs = pass->runs;
    if (runs->count > 0) {
        struct move_run *last = vec_at(runs, runs->count - 1);
        if (last->end == seg->begin && last->src == src) {
            last->end = seg->end;
            return true;
        }
    }
    struct move_run run = {seg->begin, seg->end, src};
    if (vec_push(runs, &run) == NULL)
        pass->failed = true;
    return !pass->failed;
}

/* The runs from `at` on that are rows of one rectangle. Returns how many they are. */
static size_t move_rows(const struct vec *runs, size_t at, struct move_rect *rect)
{
    const struct move_run *first = vec_at(runs, at);
    rect->first = *first;
    rect->rows = 1;
    rect->pitch = first->end - first->begin;
    if (at + 1 >= runs->count)
        return 1;
    const struct move_run *second = vec_at(runs, at + 1);
    uint64_t step = second->begin - first->begin;
    while (at + rect->rows < runs->count) {
        const struct move_run *row = vec_at(runs, at + rect->rows);
        if (row->src != first->src || row->begin != first->begin + rect->rows * step ||
            row->end - row->begin != first->end - first->begin)
            break;
        rect->rows++;
    }
    if (rect->rows > 1)
        rect->pitch = step;
    return rect->rows;
}

/* A block on the host to copy to. */
static bool move_host_block(struct engine *engine, struct task *task, struct move_pass *pass,
                            uint32_t buffer)
{
    uint32_t victim = TASK_NONE;
    if (pass->ahead)
        return memory_try(engine, task, buffer, 0, &victim);
    for (;;) {
        switch (memory_get(engine, task, buffer, 0, &victim)) {
        case MEMORY_OK:
            memory_settled(engine, task, 0);
            return true;
        case MEMORY_WAIT:
            return false;
        case MEMORY_EVICT:
            if (move_spill(engine, task, victim) != MOVE_READY)
                return false;
            break; /* it was full: what now? */
        default:
            pass->failed = true;
            return false;
        }
    }
}

static uint32_t move_ops_before(struct engine *engine, struct move_before *before, uint32_t buffer,
                                uint32_t node)
{
    const struct block *block = engine_block(engine_buffer(engine, buffer), node);
    if (before->block != block)
        *before = (struct move_before){block, block->ops};
    return before->ops;
}

/* Orders the copy of one rectangle, or puts the task on the lists of what is in its way: false. */
static bool move_rectangle(struct engine *engine, struct task *task, struct move_pass *pass,
                           const struct move_rect *rect)
{
    const struct move_run *first = &rect->first;
    /* To the host, by the source's lane; the rest in a later pass. */
    bool out = first->src != 0 && !ways_reach(engine, first->src, pass->node);
    uint32_t dst = out ? 0 : pass->node;
    uint64_t bytes = rect->rows * (first->end - first->begin);
    bool follows = !out && !pass->ahead && ways_follow(engine, first->src, pass->lane, bytes);
    uint16_t lane = out       ? ways_out_lane(engine, first->src)
                    : follows ? pass->lane
                              : ways_in_lane(engine, pass->node, pass->lane);
    struct task *waits = pass->ahead ? NULL : task;
    uint64_t end = first->begin + rect->pitch * (rect->rows - 1) + (first->end - first->begin);
    bool ignored = false;
    pass->open |= out && pass->node != 0;
    if (out && !move_host_block(engine, task, pass, rect->buffer)) {
        pass->open = true;
        return false;
    }
    struct move_use from = {rect->buffer, first->src, first->begin, end, lane, false, OP_NONE};
    struct move_use to = {rect->buffer, dst, first->begin, end, lane, true, OP_NONE};
    from.ops = move_ops_before(engine, &pass->before[0], rect->buffer, first->src);
    to.ops = move_ops_before(engine, &pass->before[1], rect->buffer, dst);
    bool clear = move_clear(engine, waits, &from, &ignored);
    clear &= move_clear(engine, waits, &to, &ignored);
    if (!clear) {
        pass->open = true;
        return false;
    }
    if (lane_room(engine_lane(engine, lane)) < 8) {
        pass->busy = true;
        if (!pass->ahead)
            (void)lane_wait(engine, task, &engine_lane(engine, lane)->waiters);
        return false;
    }
    if (!move_order(engine, rect, dst, lane)) {
        pass->failed = true;
        return false;
    }
    struct op *op =
        table_at(&engine->ops, engine_block(engine_buffer(engine, rect->buffer), dst)->ops);
    if (pass->spill && !op->spill) {
        op->spill = 1;
        engine->nodes[first->src].spills++;
    }
    if (pass->ahead)
        return true;
    op->evicts = pass->evicts;
    if (lane != pass->lane)
        (void)lane_wait(engine, task, &op->waiters);
    else
        pass->chained = true;
    return true;
}

/* What comes to the block was ordered for a task that was less urgent. */
static void move_urge(struct engine *engine, const struct task *task, const struct block *block)
{
    for (uint32_t at = block->ops; at != OP_NONE;) {
        struct op *op = table_at(&engine->ops, at);
        if (!op->issued && op->dst_node == block->node)
            traffic_urge(engine, at, move_rank(engine, task));
        at = ops_next(op, block->node);
    }
}

static void move_access(struct engine *engine, struct task *task, uint32_t access,
                        struct move_pass *pass)
{
    const struct task_access *a = &task_accesses(task)[access];
    struct block *block = engine_block(engine_buffer(engine, a->buffer), pass->node);
    if (block->ops != OP_NONE && engine->traffic != NULL && !pass->early)
        move_urge(engine, task, block);
    if (block->ops != OP_NONE && !pass->ahead) {
        struct move_use use = {a->buffer,  pass->node,           a->begin,  a->end,
                               pass->lane, a->mode & FGPU_WRITE, block->ops};
        (void)move_clear(engine, task, &use, &pass->chained);
    }
    if (!(a->mode & FGPU_READ) || engine->node_count == 1)
        return;
    vec_clear(pass->runs);
    memset(pass->before, 0, sizeof pass->before);
    (void)graph_walk(engine, task, access, move_collect, pass);
    struct move_rect rect = {.buffer = a->buffer,
                             .task = engine_trace_id(task),
                             .rank = move_rank(engine, task),
                             .early = pass->early};
    for (size_t at = 0; at < pass->runs->count && !pass->failed && !pass->busy;) {
        at += move_rows(pass->runs, at, &rect);
        (void)move_rectangle(engine, task, pass, &rect);
    }
}

/* ---- memory ----------------------------------------------------------------------------- */

/* Orders the write-back of everything that only `node` holds of the victim; the task waits for it,
 * unless it is only to make room `ahead`. [in] task: NULL: of nobody in particular. */
static bool move_write_back(struct engine *engine, struct task *task, uint32_t victim,
                            uint32_t node, bool ahead)
{
    struct buffer *buffer = engine_buffer(engine, victim);
    struct move_pass pass = {.node = 0,
                             .lane = TASK_LANE_NONE,
                             .ahead = ahead,
                             .spill = ahead,
                             .evicts = !ahead && !memory_needs(engine, task, victim, node),
                             .runs = &engine->runs};
    if (node == 0) { /* perhaps within such a pass for a device */
        pass.node = engine->spill_node;
        pass.runs = &engine->spill_runs;
    }
    vec_clear(pass.runs);
    for (struct imap_seg *seg = imap_first(&buffer->segments, 0); seg != NULL;
         seg = imap_next(&buffer->segments, seg))
        if (nodes_is_only(graph_segment(seg)->replica.valid, node))
            (void)move_collect(engine, task, 0, seg, &pass);
    struct move_rect rect = {.buffer = victim,
                             .task = task != NULL ? engine_trace_id(task) : 0,
                             .rank = task != NULL ? move_rank(engine, task) : INT64_MIN,
                             .early = task == NULL};
    for (size_t at = 0; at < pass.runs->count && !pass.failed && !pass.busy;) {
        at += move_rows(pass.runs, at, &rect);
        if (move_rectangle(engine, task, &pass, &rect))
            engine->stats.bytes_evicted += (rect.first.end - rect.first.begin) * rect.rows;
    }
    return !pass.failed;
}

void move_out(struct engine *engine, uint32_t victim, uint32_t node)
{
    uint32_t dst = node == 0 ? engine->spill_node : 0;
    if (memory_try(engine, NULL, victim, dst, &(uint32_t){0}))
        (void)move_write_back(engine, NULL, victim, node, true);
}

/* The same for a victim of the host's memory. MOVE_READY: there is no room for it. */
static enum move_answer move_spill(struct engine *engine, struct task *task, uint32_t victim)
{
    switch (memory_spill_get(engine, task, victim)) {
    case MEMORY_OK:
        break;
    case MEMORY_WAIT:
        return MOVE_WAIT;
    case MEMORY_NEVER:
        memory_spill_refused(engine, victim);
        return MOVE_READY;
    default:
        return MOVE_FAILED;
    }
    if (move_write_back(engine, task, victim, 0, false) && task->waits > 0)
        return MOVE_WAIT;
    graph_doom(task, FGPU_E_NOMEM, task->self, task_word(task));
    return MOVE_FAILED;
}

static enum move_answer move_memory(struct engine *engine, struct task *task, uint32_t node)
{
    if (node != 0) /* whoever holds what it waits for here may wait for room there */
        memory_settled(engine, task, 0);
    for (uint32_t i = 0; i < task->access_count; i++) {
        uint32_t victim = TASK_NONE;
        switch (memory_get(engine, task, task_accesses(task)[i].buffer, node, &victim)) {
        case MEMORY_OK:
            break;
        case MEMORY_WAIT:
            return MOVE_WAIT;
        case MEMORY_EVICT:
            if (node == 0) {
                enum move_answer answer = move_spill(engine, task, victim);
                if (answer != MOVE_READY)
                    return answer;
                i--; /* again, without the spill folder */
                break;
            }
            if (move_write_back(engine, task, victim, node, false) && task->waits > 0)
                return MOVE_WAIT;
            graph_doom(task, FGPU_E_NOMEM, task->self, task_word(task));
            return MOVE_FAILED;
        case MEMORY_AGAIN:
            i = UINT32_MAX; /* from the first on */
            break;
        case MEMORY_NEVER:
            return MOVE_NEVER;
        case MEMORY_FAILED:
            return MOVE_FAILED;
        }
    }
    memory_settled(engine, task, node);
    return MOVE_READY;
}

static void move_pin(struct engine *engine, struct task *task, uint32_t node)
{
    if (task->flags & TASK_F_PINNED)
        return;
    task->flags |= TASK_F_PINNED;
    if (task->marks & TASK_M_WANTED)
        memory_unwant(engine, task, node);
    for (uint32_t i = 0; i < task->access_count; i++)
        memory_pin(engine, task_accesses(task)[i].buffer, node);
}

void move_unpin(struct engine *engine, struct task *task, uint32_t node)
{
    memory_settled(engine, task, node);
    if (node != 0)
        memory_settled(engine, task, 0);
    if (task->marks & TASK_M_WANTED)
        memory_unwant(engine, task, node);
    if (!(task->flags & TASK_F_PINNED))
        return;
    task->flags &= (uint8_t)~TASK_F_PINNED;
    if (engine->nodes[node].lost)
        return; /* the blocks went with the device */
    for (uint32_t i = 0; i < task->access_count; i++)
        memory_unpin(engine, task_accesses(task)[i].buffer, node);
}

enum move_answer move_prepare(struct engine *engine, struct task *task, uint32_t node,
                              uint16_t lane, bool *chained)
{
    struct move_pass pass = {.node = node, .lane = lane, .runs = &engine->runs};
    if (!(task->flags & TASK_F_PINNED)) {
        enum move_answer answer = move_memory(engine, task, node);
        if (answer != MOVE_READY)
            return answer;
        move_pin(engine, task, node);
    }
    for (uint32_t i = 0; i < task->access_count && !pass.failed && !pass.busy; i++)
        move_access(engine, task, i, &pass);
    *chained |= pass.chained;
    if (pass.failed || task->status != FGPU_OK) {
        graph_doom(task, FGPU_E_NOMEM, task->self, task_word(task));
        return MOVE_FAILED;
    }
    if (task->waits > 0)
        return MOVE_WAIT;
    return MOVE_READY;
}

/* ---- completion ------------------------------------------------------------------------- */

void move_op_done(struct engine *engine, uint32_t index, fgpu_status status)
{
    struct op *op = table_at(&engine->ops, index);
    struct lane *lane = engine_lane(engine, op->lane);
    struct engine_device *device = &engine->devices[lane->device];
    const fgpu_cmd_result *result = &op->body.result;
    uint64_t ns = op->predicted_ns;
    if (op->issued)
        lane->flight_ns -= ns;
    if (op->issued && traffic_governs(engine, lane))
        traffic_done(engine, index);
    if (status == FGPU_OK && result->timed) {
        ns = result->end_ns - result->start_ns;
        device->timed++;
    }
    if (!lane->copies)
        device->stats.busy_ns += ns;
    trace_emit(engine->trace, (struct trace_event){.time_ns = engine->now_ns,
                                                   .kind = TRACE_MOVE_END,
                                                   .device = (uint8_t)lane->device,
                                                   .lane = (uint16_t)lane->queue,
                                                   .task = op->task,
                                                   .a = result->timed ? result->start_ns : 0,
                                                   .b = result->timed ? result->end_ns : 0});
    if (status != FGPU_OK && !op->orphan)
        move_share_rows(engine, op, true);
    if (op->spill)
        engine->nodes[op->src_node].spills--;
    /* Who waited for the data looks before those who wait for their room. */
    lane_wake(engine, &op->waiters);
    if (!op->orphan) {
        move_op_detach_from(engine, op, index, op->src_node);
        memory_unpin(engine, op->buffer, op->src_node);
    }
    if (op->moves)
        compact_moved(engine, op, status);
    move_op_detach_from(engine, op, index, op->dst_node);
    memory_unpin(engine, op->buffer, op->dst_node);
    if (status == FGPU_OK && op->evicts && !op->orphan)
        memory_written_back(engine, op->buffer, op->src_node);
    /* Also what came there well, where the rest of it did not. */
    if (engine->spill_node != 0 && op->dst_node == engine->spill_node &&
        status != FGPU_E_DEVICE_LOST && (status != FGPU_OK || engine->spill_full))
        memory_spill_refused(engine, op->buffer);
    if (engine->sums != NULL)
        sums_check(engine, engine_buffer(engine, op->buffer), op->begin, op->end);
    writeback_note(engine, op->src_node);
    writeback_note(engine, op->dst_node);
    struct buffer *buffer = engine_buffer(engine, op->buffer);
    if (--buffer->users == 0 && buffer->destroyed)
        engine_buffer_gone(engine, op->buffer);
    op->live = 0;
    table_free(&engine->ops, index);
}

void move_orphan(struct engine *engine, uint32_t buffer, uint32_t node)
{
    struct block *block = engine_block(engine_buffer(engine, buffer), node);
    for (uint32_t at = block->ops; at != OP_NONE;) {
        struct op *op = table_at(&engine->ops, at);
        uint32_t index = at;
        at = ops_next(op, node);
        if (op->src_node != node ||
            engine_lane(engine, op->lane)->device == engine->nodes[node].device)
            continue;
        move_share_rows(engine, op, true);
        move_op_detach_from(engine, op, index, node);
        memory_unpin(engine, buffer, node);
        op->orphan = 1;
        if (!op->issued && traffic_drop(engine, index))
            move_op_done(engine, index, FGPU_E_DEVICE_LOST);
    }
}

/* ---- ahead of the task ------------------------------------------------------------------ */

bool move_ahead(struct engine *engine, struct task *task, uint32_t node)
{
    struct move_pass pass = {
        .node = node, .lane = task->lane, .ahead = true, .runs = &engine->runs};
    /* Where predecessors are on their way, what they write is marked (replica.dirty); the rest is
     * final. */
    if (task->marks & TASK_M_ORDERED || task->unissued > 0 || task->status != FGPU_OK ||
        !ways_ahead(engine, task, node))
        return true;
    memory_want(engine, task, node);
    for (uint32_t i = 0; i < task->access_count && !pass.failed && !pass.busy; i++) {
        uint32_t victim;
        if (memory_try(engine, task, task_accesses(task)[i].buffer, node, &victim)) {
            move_access(engine, task, i, &pass);
            continue;
        }
        if (victim != TASK_NONE && node != 0)
            (void)move_write_back(engine, task, victim, node, true);
        return false;
    }
    if (pass.open || pass.failed || pass.busy)
        return false;
    task->marks |= TASK_M_ORDERED;
    return true;
}

bool move_early(struct engine *engine, struct task *task, uint32_t access, uint32_t lane)
{
    uint32_t node = engine->devices[engine_lane(engine, lane)->device].node, victim;
    struct move_pass pass = {
        .node = node, .lane = (uint16_t)lane, .ahead = true, .early = true, .runs = &engine->runs};
    if (task->status != FGPU_OK ||
        !memory_try(engine, task, task_accesses(task)[access].buffer, node, &victim))
        return false;
    move_access(engine, task, access, &pass);
    return !pass.failed && !pass.busy;
}

static bool move_settled_segment(struct engine *engine, struct task *task, uint32_t access,
                                 struct imap_seg *seg, void *user)
{
    (void)engine;
    (void)task;
    (void)access;
    const struct replica *replica = &graph_segment(seg)->replica;
    return !replica_has_data(replica) || replica_is_valid(replica, *(const uint32_t *)user);
}

bool move_settled(struct engine *engine, struct task *task, uint32_t node)
{
    const struct task_access *accesses = task_accesses(task);
    for (uint32_t i = 0; i < task->access_count; i++) { /* what needs no walk first */
        const struct block *block = engine_block(engine_buffer(engine, accesses[i].buffer), node);
        if (block->state != BLOCK_PRESENT || block->ops != OP_NONE)
            return false;
    }
    for (uint32_t i = 0; i < task->access_count; i++)
        if ((accesses[i].mode & FGPU_READ) &&
            !graph_walk(engine, task, i, move_settled_segment, &node))
            return false;
    return true;
}

/* Not where the next writer is in flight already: the copy, on another queue, would see it half
 * way. */
static bool move_collect_settled(struct engine *engine, struct task *task, uint32_t access,
                                 struct imap_seg *seg, void *user)
{
    return graph_segment(seg)->replica.dirty > 1 || move_collect(engine, task, access, seg, user);
}

void move_write_through(struct engine *engine, struct task *task, uint32_t node)
{
    if (node == 0)
        return;
    /* No copy may wait here; one that cannot be ordered at once is simply not kept. */
    for (uint32_t i = 0; i < task->access_count; i++) {
        const struct task_access *a = &task_accesses(task)[i];
        struct buffer *buffer = engine_buffer(engine, a->buffer);
        uint16_t lane = ways_out_lane(engine, node);
        if (!(a->mode & FGPU_WRITE) || engine_block(buffer, 0)->state != BLOCK_PRESENT ||
            engine_block(buffer, 0)->ops != OP_NONE || engine_block(buffer, node)->ops != OP_NONE)
            continue;
        struct move_pass pass = {.node = 0, .lane = lane, .runs = &engine->runs};
        vec_clear(pass.runs);
        (void)graph_walk(engine, task, i, move_collect_settled, &pass);
        struct move_rect rect = {
            .buffer = a->buffer, .task = engine_trace_id(task), .rank = move_rank(engine, task)};
        for (size_t at = 0; at < pass.runs->count && lane_room(engine_lane(engine, lane)) > 8;) {
            at += move_rows(pass.runs, at, &rect);
            if (rect.first.src == node)
                (void)move_order(engine, &rect, 0, lane);
        }
    }
}
