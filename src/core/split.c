/* Divisible tasks: which piece of them runs where, and when.
 *
 * Takes a task that was picked, gives pieces: tasks of their own in all but name, which the steps
 * after place treat like any other. The grid's last dimension is shared out among the devices in
 * proportion to what they do per nanosecond, data on their way included; each takes pieces from the
 * front of its share, and when that is used up from the back of the one that has most left. A piece
 * is a quarter of what its lane should still get, so that they shrink towards the end (guided
 * self-scheduling: C. Polychronopoulos, D. Kuck, IEEE ToC 1987; factoring: S. Hummel, E. Schonberg,
 * L. Flynn, CACM 1992), and what a device does is measured piece by piece: who lags gets less. No
 * work group is in two pieces.
 *
 * A piece has no edges: it uses what its task uses, which is RUNNING until the last of them has
 * ended, and is what others wait for. Pieces that a lost device had are cut anew; those that it had
 * finished are made again as any task's results are (core/lineage.h), and the task waits for that.
 * Runs under the engine's lock. Owns engine->split. Keeps true: `left` is the sum of the shares and
 * of what was given back; while a task is RUNNING there are pieces of it, or some are left; there
 * is a slot for one piece at least.
 */
#include "core/split.h"

#include <stdio.h>

#include "core/graph.h"
#include "core/lane.h"
#include "core/memory.h"
#include "core/move.h"
#include "core/place.h"
#include "core/sched.h"
#include "core/split_state.h"
#include "core/submit.h"

#define SPLIT_FLIGHT 2u /* pieces on a lane: one runs, one waits */
#define SPLIT_PART 4.0  /* a piece is so much of what its lane should still get */
#define SPLIT_SOFT_NS 500000.0
#define SPLIT_PROBE 64u /* ... and of everything, where nobody knows how fast it is */

/* ---- life ------------------------------------------------------------------------------- */

static void split_discard(struct engine *engine, struct split_open *open)
{
    vec_fini(&open->loose);
    alloc_put(engine->hooks, open, sizeof *open);
}

static void split_close(struct engine *engine, struct split_open *open)
{
    struct vec *list = &engine->split->open;
    for (size_t i = 0; i < list->count; i++) {
        if (*(struct split_open **)vec_at(list, i) != open)
            continue;
        for (; i + 1 < list->count; i++)
            *(struct split_open **)vec_at(list, i) = *(struct split_open **)vec_at(list, i + 1);
        vec_pop(list);
    }
    split_home_leave(engine, open);
    split_discard(engine, open);
    for (struct vec *slots = &engine->split->slots; list->count == 0 && slots->count > 0;
         vec_pop(slots))
        table_free(&engine->tasks, *(uint32_t *)vec_at(slots, slots->count - 1));
}

void split_fini(struct engine *engine)
{
    struct split *split = engine->split;
    if (split == NULL)
        return;
    while (split->open.count > 0)
        split_close(engine, *(struct split_open **)vec_at(&split->open, 0));
    vec_fini(&split->open);
    vec_fini(&split->slots);
    alloc_put(engine->hooks, split, sizeof *split);
    engine->split = NULL;
}

static struct split *split_get(struct engine *engine)
{
    struct split *split = engine->split;
    if (split != NULL)
        return split;
    split = alloc_get_zeroed(engine->hooks, sizeof *split, 16);
    if (split == NULL)
        return NULL;
    vec_init(&split->open, sizeof(struct split_open *), engine->hooks);
    vec_init(&split->slots, sizeof(uint32_t), engine->hooks);
    if (!vec_reserve(&split->slots, 1)) {
        alloc_put(engine->hooks, split, sizeof *split);
        return NULL;
    }
    engine->split = split;
    return split;
}

struct split_open *split_of(const struct engine *engine, uint32_t task)
{
    const struct split *split = engine->split;
    for (size_t i = 0; split != NULL && i < split->open.count; i++) {
        struct split_open *open = *(struct split_open **)vec_at(&split->open, i);
        if (open->task == task)
            return open;
    }
    return NULL;
}

bool split_keep_slot(struct engine *engine, uint32_t slot)
{
    struct split *split = engine->split;
    if (split == NULL || split->open.count == 0 || split->slots.count > 0)
        return false;
    return vec_push(&split->slots, &slot) != NULL;
}

static bool split_slot(struct engine *engine, uint32_t *slot)
{
    struct vec *slots = &engine->split->slots;
    if (table_alloc(&engine->tasks, slot) == FGPU_OK)
        return true;
    if (slots->count == 0)
        return false;
    *slot = *(uint32_t *)vec_at(slots, slots->count - 1);
    vec_pop(slots);
    return true;
}

/* ---- begin ------------------------------------------------------------------------------ */

static void split_add_device(struct engine *engine, struct split_open *open,
                             const struct task *task, uint32_t index, uint32_t lanes)
{
    if (open->share_count < SPLIT_DEVICES && engine->devices[index].caps.parts != 0 &&
        place_obstacle(engine, task, &engine->devices[index], index) == NULL)
        split_share_init(engine, open, task, index, lanes);
}

/* [in] first: the device that must be among them; TASK_DEVICE_ANY. NULL: it cannot be run in
 * pieces. */
static struct split_open *split_make(struct engine *engine, const struct task *task, uint32_t first)
{
    uint32_t lanes = 0;
    struct split_grid grid;
    if ((engine->flags & FGPU_POOL_REPRODUCIBLE) || task->pin != TASK_DEVICE_ANY ||
        engine->lane_count < 2 || task->lineage != 0 || !split_grid_make(engine, task, &grid) ||
        split_get(engine) == NULL)
        return NULL;
    struct split_open *open = alloc_get_zeroed(engine->hooks, sizeof *open, 16);
    if (open == NULL)
        return NULL;
    open->task = task->self;
    open->home = TASK_LANE_NONE;
    open->grid = grid;
    open->left = grid.units;
    vec_init(&open->loose, sizeof(struct split_units), engine->hooks);
    for (uint32_t d = 0; d < engine->device_count && lanes < SPLIT_DEVICES; d++)
        if (engine->devices[d].caps.parts != 0 &&
            place_obstacle(engine, task, &engine->devices[d], d) == NULL)
            lanes += engine->devices[d].lane_count;
    lanes = lanes > 0 ? lanes : 1;
    if (first != TASK_DEVICE_ANY)
        split_add_device(engine, open, task, first, lanes);
    for (uint32_t d = 0; d < engine->device_count && open->share_count < SPLIT_DEVICES; d++)
        if (d != first)
            split_add_device(engine, open, task, d, lanes);
    if (open->share_count > 0)
        return open;
    split_discard(engine, open);
    return NULL;
}

/* The task is RUNNING. False without memory. */
static bool split_enter(struct engine *engine, struct split_open *open, struct task *task)
{
    struct split *split = engine->split;
    uint32_t slot;
    if (split->slots.count == 0) {
        if (table_alloc(&engine->tasks, &slot) != FGPU_OK)
            return false;
        (void)vec_push(&split->slots, &slot); /* reserved */
    }
    if (vec_push(&split->open, &open) == NULL) {
        if (split->open.count == 0) {
            table_free(&engine->tasks, *(uint32_t *)vec_at(&split->slots, 0));
            vec_clear(&split->slots);
        }
        return false;
    }
    task->marks |= TASK_M_IN_PIECES;
    task_set_state(task, FGPU_TASK_RUNNING);
    return true;
}

bool split_begin(struct engine *engine, struct task *task)
{
    struct split_open *open = split_make(engine, task, TASK_DEVICE_ANY);
    if (open == NULL) {
        task->marks &= (uint16_t)~TASK_M_DIVISIBLE;
        return false;
    }
    split_sort(engine, open);
    if (split_pays(engine, open, task)) {
        split_share_out(engine, open);
        if (split_enter(engine, open, task))
            return true;
    }
    split_discard(engine, open);
    return false;
}

bool split_begin_at(struct engine *engine, struct task *task)
{
    struct lane *lane = engine_lane(engine, task->lane);
    struct split_open *open = NULL;
    if (task->undone == 0 && engine->power == NULL && engine->lane_count > 1 &&
        task->predicted_ns >= split_tuning.worth_ns)
        open = split_make(engine, task, lane->device);
    if (open != NULL && split_home_pays(engine, open, lane) && split_enter(engine, open, task)) {
        move_unpin(engine, task, lane_node(engine, task));
        task->lane = TASK_LANE_NONE;
        split_home_enter(engine, open, lane);
        return true;
    }
    if (open != NULL)
        split_discard(engine, open);
    task->marks &= (uint16_t)~TASK_M_DIVISIBLE;
    return false;
}

/* ---- pieces ----------------------------------------------------------------------------- */

/* At most `most` units for a device: given back ones first, then its share's front, then the back
 * of the largest. */
static struct split_units split_cut(struct split_open *open, struct split_share *share,
                                    uint64_t most)
{
    struct split_share *from = share;
    struct split_units units;
    if (open->loose.count > 0) {
        struct split_units *loose = vec_at(&open->loose, open->loose.count - 1);
        units = *loose;
        if (units.end - units.begin > most)
            units.end = units.begin + most;
        loose->begin = units.end;
        if (loose->begin == loose->end)
            vec_pop(&open->loose);
        return units;
    }
    for (uint32_t s = 0; s < open->share_count && share->begin == share->end; s++)
        if (open->shares[s].end - open->shares[s].begin > from->end - from->begin)
            from = &open->shares[s];
    FGPU_ASSERT(from->begin < from->end);
    units = (struct split_units){from->begin, from->end};
    if (from->end - from->begin <= most) {
        from->begin = from->end;
    } else if (from == share) {
        units.end = from->begin += most;
    } else {
        units.begin = from->end -= most;
    }
    return units;
}

static void split_give_back(struct split_open *open, struct split_units units)
{
    /* Where it can, it closes the gap that it left, so that no memory is needed. */
    for (uint32_t s = 0; s < open->share_count; s++) {
        struct split_share *share = &open->shares[s];
        if (share->begin == units.end || share->begin == share->end) {
            share->end = share->begin == share->end ? units.end : share->end;
            share->begin = units.begin;
            open->left += units.end - units.begin;
            return;
        }
        if (share->end == units.begin) {
            share->end = units.end;
            open->left += units.end - units.begin;
            return;
        }
    }
    FGPU_ASSERT(vec_push(&open->loose, &units) != NULL); /* reserved when it was cut */
    open->left += units.end - units.begin;
}

/* Makes the record's ranges those of the task graph, as graph_link does, but without edges. */
static bool split_link(struct engine *engine, struct task *piece, const struct task *parent)
{
    task_set_state(piece, FGPU_TASK_LINKED);
    piece->submit_ns = engine->now_ns;
    piece->order = parent->order;
    engine->pending_tasks++;
    engine_kernel(engine, piece->kernel)->users++;
    bool cut = true;
    for (uint32_t i = 0; i < piece->access_count; i++) {
        struct buffer *buffer = engine_buffer(engine, task_accesses(piece)[i].buffer);
        buffer->users++;
        buffer->linked++;
    }
    for (uint32_t i = 0; i < piece->access_count && cut; i++)
        cut = graph_cut(engine, piece, i);
    if (engine->trace->on)
        trace_emit(engine->trace, (struct trace_event){.time_ns = engine->now_ns,
                                                       .kind = TRACE_SUBMIT,
                                                       .device = TRACE_NO_DEVICE,
                                                       .name = engine_trace_name(engine, piece),
                                                       .task = engine_trace_id(piece),
                                                       .a = engine->pending_tasks});
    return cut;
}

/* The record of a piece that does not run is gone. */
static void split_drop(struct engine *engine, struct task *piece)
{
    graph_release(engine, piece, FGPU_OK);
    task_set_state(piece, FGPU_TASK_DONE);
    submit_recycle(engine, piece);
}

static struct task *split_piece(struct engine *engine, struct split_open *open,
                                struct split_units units)
{
    struct task *parent = engine_task(engine, open->task);
    uint32_t slot, index;
    if (!vec_reserve(&open->loose, open->loose.count + open->live + 2) ||
        !split_slot(engine, &slot))
        return NULL;
    if (split_record(engine, parent, &open->grid, units, slot, &index) != FGPU_OK) {
        if (!split_keep_slot(engine, slot))
            table_free(&engine->tasks, slot);
        return NULL;
    }
    struct task *piece = engine_task(engine, index);
    if (split_link(engine, piece, parent))
        return piece;
    split_drop(engine, piece);
    return NULL;
}

/* Nothing of it runs, and nothing can: without a piece it would wait for ever. */
void split_stuck(struct engine *engine, struct split_open *open, fgpu_status status)
{
    struct task *task = engine_task(engine, open->task);
    if (task->status == FGPU_OK && task->why == NULL)
        task->why = alloc_get(engine->hooks, LIMITS_ERROR_TEXT, 16);
    if (task->status == FGPU_OK && task->why != NULL)
        snprintf(task->why, LIMITS_ERROR_TEXT, "%s",
                 status == FGPU_E_NOMEM ? "there is no memory for a piece of it"
                                        : "no device is left for the rest of its pieces");
    graph_doom(task, status, task->self, task_word(task));
}

/* All pieces have ended: the engine looks at the task. */
static void split_settle(struct engine *engine, const struct split_open *open)
{
    struct task *task = engine_task(engine, open->task);
    if (open->live > 0 || (open->left > 0 && task->status == FGPU_OK) ||
        task_state(task) != FGPU_TASK_RUNNING)
        return;
    task_set_state(task, FGPU_TASK_MOVING);
    engine_look(engine, task->self);
}

/* ---- when ------------------------------------------------------------------------------- */

/* What waits there is older or more urgent, or the lane has enough. */
static bool split_lane_takes(struct engine *engine, const struct lane *lane,
                             const struct task *task, bool probe)
{
    if (lane->done < lane->suspect || lane->flight_hosts > 0 || lane->chain_head != TASK_NONE ||
        lane->flight_tasks >= (probe ? 1 : SPLIT_FLIGHT) || lane->moving > 1 ||
        lane_room(lane) < 16)
        return false;
    if (lane->backlog_head == TASK_NONE)
        return true;
    const struct task *head = engine_task(engine, lane->backlog_head);
    if (head->priority != task->priority)
        return head->priority < task->priority;
    return (int32_t)(head->order - task->order) > 0;
}

/* Others have taken the cores that it would compute with. */
bool split_cores_taken(const struct engine *engine, const struct lane *mine)
{
    const struct engine_device *device = &engine->devices[mine->device];
    uint32_t cores = device->cores;
    if (device->group_cores == 0)
        return false;
    for (uint32_t i = 0; i < engine->lane_count; i++) {
        const struct lane *lane = engine_lane(engine, i);
        const struct engine_device *other = &engine->devices[lane->device];
        if (lane != mine && lane->flight_tasks > 0 && other->group_cores != 0 &&
            other->caps.resource_group == device->caps.resource_group)
            cores += other->cores;
    }
    return cores > device->group_cores;
}

/* How many units the lane should have now; 0: none. */
static uint64_t split_size(const struct split_open *open, const struct split_lane *lanes,
                           uint32_t count, const struct split_lane *lane)
{
    double end_ns = split_end_ns(lanes, count, open->left, NULL);
    double units = (end_ns - lane->ready_ns) * lane->rate / SPLIT_PART;
    double least = split_tuning.least_ns * lane->rate;
    units = units > least ? units : least;
    units = units < 1 ? 1 : units;
    uint64_t size = units < (double)open->left ? (uint64_t)units : open->left;
    if (open->live == 0)
        return size;
    /* Where the others would be done with everything before this one is with its piece. */
    double others_ns = split_end_ns(lanes, count, open->left, lane->lane);
    return lane->ready_ns + (double)size / lane->rate > others_ns + split_tuning.least_ns ? 0
                                                                                          : size;
}

/* Where urgent work may come a piece is short enough to be waited for: it is not stopped. */
static uint64_t split_soft(const struct engine *engine, uint64_t size,
                           const struct split_lane *lane)
{
    uint64_t most = (uint64_t)(SPLIT_SOFT_NS * lane->rate);
    if (engine->preempt == NULL || size <= most)
        return size;
    return most > 0 ? most : 1;
}

struct task *split_give(struct engine *engine, struct split_open *open, struct split_share *share,
                        const struct lane *lane, uint64_t size)
{
    struct split_units units = split_cut(open, share, size);
    uint64_t count = units.end - units.begin;
    open->left -= count;
    struct task *piece = split_piece(engine, open, units);
    if (piece == NULL) {
        split_give_back(open, units);
        split_home_held(engine, open);
        return NULL;
    }
    open->live++;
    open->given++;
    engine->stats.tasks_divided += open->given == 2;
    engine->stats.pieces += open->given == 2 ? 2 : open->given > 2;
    share->fed = 1;
    place_on(engine, piece, lane->index);
    if (share->rate > 0) {
        double ns = (double)count / share->rate;
        piece->predicted_ns = ns < 4e9 ? (uint32_t)ns : UINT32_MAX;
    }
    place_note(engine, piece, FGPU_PLACED_PIECE);
    task_set_state(piece, FGPU_TASK_PLACED);
    split_home_held(engine, open);
    return piece;
}

/* A device that nobody knows gets a little. */
static struct task *split_probe(struct engine *engine, struct split_open *open,
                                struct split_share *share)
{
    const struct engine_device *device = &engine->devices[share->device];
    const struct lane *lane = engine_lane(engine, device->lane_first);
    uint64_t size = open->grid.units / SPLIT_PROBE;
    if (!split_lane_takes(engine, lane, engine_task(engine, open->task), true) ||
        (open->live > 0 && split_cores_taken(engine, lane)))
        return NULL;
    size = size < 1 ? 1 : size;
    return split_give(engine, open, share, lane, size < open->left ? size : open->left);
}

/* The first lane that should have a piece gets one. */
static struct task *split_feed(struct engine *engine, struct split_open *open)
{
    struct split_lane lanes[SPLIT_DEVICES];
    const struct task *task = engine_task(engine, open->task);
    struct task *piece = NULL;
    bool any = false, later = false;
    for (uint32_t s = 0; s < open->share_count && piece == NULL; s++) {
        struct split_share *share = &open->shares[s];
        if (!split_usable(engine, open, share, &later))
            continue;
        any = true;
        if (share->rate <= 0 && (!share->fed || open->live == 0))
            piece = split_probe(engine, open, share);
    }
    if (piece != NULL)
        return piece;
    uint32_t count = split_lanes(engine, open, lanes, SPLIT_DEVICES);
    for (uint32_t i = 0; i < count; i++) {
        if (!split_lane_takes(engine, lanes[i].lane, task, false) ||
            (open->live > 0 && split_cores_taken(engine, lanes[i].lane)))
            continue;
        uint64_t size = split_soft(engine, split_size(open, lanes, count, &lanes[i]), &lanes[i]);
        if (size > 0 &&
            (piece = split_give(engine, open, lanes[i].share, lanes[i].lane, size)) != NULL)
            return piece;
        if (size > 0 && open->live == 0) {
            split_stuck(engine, open, FGPU_E_NOMEM);
            break;
        }
    }
    if (!any && !later && open->live == 0)
        split_stuck(engine, open, FGPU_E_DEVICE_LOST);
    return NULL;
}

/* Something that is ready is more urgent: it goes first. */
static bool split_yields(const struct engine *engine, const struct task *task)
{
    if (engine->ready_words == 0) /* also where tasks have terms */
        return false;
    uint32_t word = (uint32_t)__builtin_ctzll(engine->ready_words);
    uint32_t level = word * 64 + (uint32_t)__builtin_ctzll(engine->ready_bits[word]);
    return 1000 - (int32_t)level > task->priority;
}

struct task *split_next(struct engine *engine)
{
    const struct vec *list = &engine->split->open;
    for (size_t i = 0; i < list->count; i++) {
        struct split_open *open = *(struct split_open **)vec_at(list, i);
        struct task *task = engine_task(engine, open->task);
        struct task *piece = NULL;
        bool waits = open->left > 0 && task->status == FGPU_OK && task->undone == 0 &&
                     task_state(task) == FGPU_TASK_RUNNING;
        if (waits && open->home != TASK_LANE_NONE)
            piece = split_home_feed(engine, open);
        if (waits && piece == NULL && open->home == TASK_LANE_NONE && !split_yields(engine, task))
            piece = split_feed(engine, open);
        if (piece != NULL)
            return piece;
        /* Also while it waits again, for what is made again: that may need the lane. */
        if (task->status != FGPU_OK || task->undone > 0)
            split_home_leave(engine, open);
        split_settle(engine, open);
    }
    return NULL;
}

void split_look(struct engine *engine)
{
    const struct vec *list = &engine->split->open;
    for (size_t i = 0; i < list->count; i++)
        engine_look(engine, (*(struct split_open **)vec_at(list, i))->task);
}

/* ---- the end ---------------------------------------------------------------------------- */

static struct split_open *split_of_piece(const struct engine *engine, const struct task *piece)
{
    const struct task_piece *of = task_piece(piece);
    struct split_open *open = split_of(engine, of->parent);
    FGPU_ASSERT(open != NULL && open->live > 0 &&
                task_generation(engine_task(engine, of->parent)) == of->parent_generation);
    return open;
}

static struct split_units split_units_of(const struct split_open *open, const struct task *piece)
{
    const fgpu_cmd_part *part = task_body(piece);
    uint64_t count = part->launch.global[part->launch.dims - 1];
    uint64_t end = part->first + count;
    return (struct split_units){part->first / open->grid.unit,
                                end == part->whole ? open->grid.units : end / open->grid.unit};
}

void split_take_back(struct engine *engine, struct task *piece)
{
    struct split_open *open = split_of_piece(engine, piece);
    struct task *task = engine_task(engine, open->task);
    for (uint32_t s = 0; s < open->share_count && piece->no_memory != LINKS_NONE; s++)
        if (memory_refused(engine, piece, open->shares[s].device))
            open->shares[s].refused = 1;
    if (task->why == NULL) {
        task->why = piece->why;
        piece->why = NULL;
    }
    open->live--;
    split_give_back(open, split_units_of(open, piece));
    split_home_held(engine, open);
    split_drop(engine, piece);
    split_settle(engine, open);
}

/* The faster of two runs counts: what disturbed one of them says nothing of the device. */
static void split_measure(const struct engine *engine, struct split_open *open,
                          const struct task *piece)
{
    const fgpu_cmd_result *result = task_result(piece);
    struct split_units units = split_units_of(open, piece);
    if (!result->timed || result->end_ns <= result->start_ns)
        return;
    double rate = (double)(units.end - units.begin) / (double)(result->end_ns - result->start_ns);
    for (uint32_t s = 0; s < open->share_count; s++) {
        struct split_share *share = &open->shares[s];
        if (share->device != engine_lane(engine, piece->lane)->device)
            continue;
        share->rate = rate > share->before ? rate : share->before;
        share->before = rate;
    }
    split_sort(engine, open);
}

static void split_piece_ended(struct engine *engine, struct task *piece, fgpu_status status)
{
    struct split_open *open = split_of_piece(engine, piece);
    struct task *task = engine_task(engine, open->task);
    open->live--;
    engine->help_due = true;
    if (status == FGPU_OK) {
        struct split_units units = split_units_of(open, piece);
        open->done += units.end - units.begin;
        split_measure(engine, open, piece);
    } else if (task->status == FGPU_OK) {
        char *why = task->why;
        task->why = piece->why;
        piece->why = why;
        bool own = task_is_own_root(piece) || piece->root == TASK_NONE;
        graph_doom(task, status, own ? task->self : piece->root,
                   own ? task_word(task) : piece->root_word);
    }
    split_settle(engine, open);
}

void split_ended(struct engine *engine, struct task *task, fgpu_status status)
{
    if (task->marks & TASK_M_PIECE) {
        if (task->lineage == 0) /* else it was run again, long after */
            split_piece_ended(engine, task, status);
        return;
    }
    struct split_open *open = split_of(engine, task->self);
    if (open != NULL)
        split_close(engine, open);
}

static bool split_is_there(struct engine *engine, struct task *task, uint32_t access,
                           struct imap_seg *seg, void *user)
{
    (void)engine;
    (void)task;
    (void)access;
    (void)user;
    return !replica_is_lost(&graph_segment(seg)->replica);
}

fgpu_status split_finish(struct engine *engine, struct task *task)
{
    bool there = true;
    if (task->undone > 0) /* lost results are made again */
        return FGPU_E_AGAIN;
    for (uint32_t i = 0; i < task->access_count && there; i++)
        if (task_accesses(task)[i].mode & FGPU_WRITE)
            there = graph_walk(engine, task, i, split_is_there, NULL);
    if (there)
        return FGPU_OK;
    struct split_open *open = split_of(engine, task->self);
    split_stuck(engine, open, FGPU_E_DEVICE_LOST);
    return FGPU_E_DEVICE_LOST;
}
