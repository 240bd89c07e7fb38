/* The short way: steps 5 to 7 of the walk for a kernel's task where all memory is the host's.
 *
 * Most tasks of most programs on such a pool name whole buffers that are there, write them, run and
 * end well. The steps do the same for every task that there can be, each with a pass over the
 * buffers and questions that have one answer here; for tasks of a microsecond that is what they
 * cost. Runs under the engine's lock. Keeps true: a task that went the short way is in the very
 * state in which the long way would have left it, so that each of its steps may be gone either way.
 */
#include "core/direct.h"

#include "core/complete.h"
#include "core/graph.h"
#include "core/lane.h"
#include "core/launch.h"
#include "core/place.h"
#include "core/planner.h"
#include "core/sched.h"
#include "core/submit.h"

#define DIRECT_ACCESSES 8u     /* of a task; one with more goes the long way */
#define DIRECT_SHORT_NS 20000u /* nobody plans for such tasks */

/* One segment for the whole buffer. */
static struct segment *direct_segment(const struct buffer *buffer)
{
    return graph_segment(imap_only(&buffer->segments));
}

/* The task's buffers, where each is one segment and is there. */
static bool direct_find(struct engine *engine, const struct task *task,
                        struct buffer *buffers[DIRECT_ACCESSES])
{
    const struct task_access *accesses = task_accesses(task);
    if (task->access_count > DIRECT_ACCESSES)
        return false;
    for (uint32_t i = 0; i < task->access_count; i++) {
        struct buffer *buffer = buffers[i] = engine_buffer(engine, accesses[i].buffer);
        if (buffer->segments.seg_count != 1 || buffer->home.state != BLOCK_PRESENT)
            return false;
    }
    return true;
}

static void direct_resolve(struct task *task, struct buffer **buffers)
{
    const struct task_access *accesses = task_accesses(task);
    fgpu_cmd_arg *args = task_args(task);
    for (uint32_t i = 0; i < task->access_count; i++) {
        const struct task_access *access = &accesses[i];
        struct buffer *buffer = buffers[i];
        struct block *block = &buffer->home;
        fgpu_cmd_arg *arg = &args[access->arg];
        block->pins++;
        block->used = 1;
        if (access->mode & FGPU_WRITE)
            replica_write(&direct_segment(buffer)->replica, 0);
        arg->u.buffer.mem = block->heap.mem;
        arg->u.buffer.offset_bytes = block->heap.offset + access->begin;
    }
}

/* Nothing speaks against launching it now, as far as the task itself knows. */
static bool direct_is_usual(const struct engine *engine, const struct task *task)
{
    return task->kind == TASK_KERNEL && !(task->flags & TASK_F_PINNED) &&
           (task->marks & ~TASK_M_BRIEF) == 0 && task->waits == 0 && task->status == FGPU_OK &&
           engine->nodes[0].short_task != task->self;
}

static void direct_issue(struct engine *engine, struct lane *lane, struct task *task,
                         const struct code *code, struct buffer **buffers)
{
    direct_resolve(task, buffers);
    task->flags |= TASK_F_PINNED;
    task_result(task)->status = FGPU_OK;
    task_result(task)->timed = 0;
    launch_with(task_body(task), code, task->flags & TASK_F_AUTO_LOCAL);
    launch_append(engine, lane, task, FGPU_CMD_LAUNCH, false);
    graph_tell_issued(engine, task);
    if (lane->idle)
        sched_update_hunger(engine, lane);
}

static bool direct_launch_code(struct engine *engine, struct lane *lane, struct task *task,
                               const struct code *code)
{
    struct buffer *buffers[DIRECT_ACCESSES];
    bool brief = task->payload == NULL;
    if (code->state != CODE_READY || !submit_lend(engine, task))
        return false;
    if (!direct_find(engine, task, buffers)) {
        if (brief)
            submit_take_back(engine, task);
        return false;
    }
    for (uint32_t i = 0; i < task->access_count; i++)
        buffers[i]->linked--;
    direct_issue(engine, lane, task, code, buffers);
    return true;
}

bool direct_launch(struct engine *engine, struct lane *lane, struct task *task)
{
    if (!engine->direct || !direct_is_usual(engine, task))
        return false;
    return direct_launch_code(
        engine, lane, task, engine_code(engine, engine_kernel(engine, task->kernel), lane->device));
}

bool direct_place(struct engine *engine, struct task *task)
{
    struct lane *lane = &engine->lanes[0];
    const struct engine_device *device = &engine->devices[0];
    if (!engine->direct || engine->lane_count != 1 || !direct_is_usual(engine, task) ||
        task->pin != TASK_DEVICE_ANY || !(task->flags & TASK_F_AUTO_LOCAL) || task->why != NULL ||
        task->no_memory != LINKS_NONE || device->lost || device->hidden ||
        device->caps.offset_align_bytes > 1 || lane->backlog_head != TASK_NONE ||
        lane_room(lane) < 8 || !sched_has_room(engine, lane) || place_is_told(engine))
        return false;
    struct kernel *kernel = engine_kernel(engine, task->kernel);
    struct code *code = engine_code(engine, kernel, 0);
    if (!kernel->prepared || !code->model_valid || code->model_size != task->size ||
        (kernel->variant_mask & device->caps.variants) == 0)
        return false;
    task->lane = 0;
    place_predict(engine, task, code->model_slot);
    return direct_launch_code(engine, lane, task, code);
}

bool direct_flows(const struct engine *engine)
{
    const struct engine_device *device = &engine->devices[0];
    const struct lane *lane = &engine->lanes[0];
    const struct planner *planner = engine->planner;
    return engine->direct && engine->lane_count == 1 && engine->ready_count == 0 &&
           engine->kept == 0 && engine->hungry > 0 && engine->ranked == 0 && !device->lost &&
           !device->hidden && device->caps.offset_align_bytes <= 1 && engine->power == NULL &&
           engine->split == NULL && engine->serve == NULL &&
           (planner == NULL || planner->found.policy == NULL) && lane->backlog_head == TASK_NONE &&
           lane->chain_head == TASK_NONE && !place_is_told(engine);
}

bool direct_take(struct engine *engine, struct task *task)
{
    struct lane *lane = &engine->lanes[0];
    struct buffer *buffers[TASK_BRIEF_ACCESSES];
    /* Nobody is looked at before it, nor would be preferred to it. */
    if (engine->work.count > 0 || task->marks != TASK_M_BRIEF || task->flags != TASK_F_AUTO_LOCAL ||
        task->priority != 0 || task->pin != TASK_DEVICE_ANY || lane_room(lane) < 8 ||
        !sched_has_room(engine, lane) || engine->nodes[0].short_task == task->self)
        return false;
    struct kernel *kernel = engine_kernel(engine, task->kernel);
    const struct code *code = engine_code(engine, kernel, 0);
    uint64_t ns;
    if (!kernel->prepared || code->state != CODE_READY || !code->model_valid ||
        code->model_size != task->size ||
        history_slot_predict(engine->history, code->model_slot, &ns) == HISTORY_UNKNOWN ||
        ns > DIRECT_SHORT_NS || !submit_lend(engine, task))
        return false;
    if (!graph_link_behind(engine, task, 0, buffers)) {
        submit_take_back(engine, task);
        return false;
    }
    engine->stats.tasks_submitted++;
    task->lane = 0;
    task->model = code->model_slot;
    task->predicted_ns = (uint32_t)ns;
    if (engine->planner != NULL)
        planner_linked(engine, task);
    direct_issue(engine, lane, task, code, buffers);
    return true;
}

bool direct_end(struct engine *engine, struct task *task)
{
    const struct engine_node *node = &engine->nodes[0];
    if (!engine->direct || task->kind != TASK_KERNEL || task->status != FGPU_OK ||
        (task->marks & ~TASK_M_BRIEF) != 0 || !(task->flags & TASK_F_PINNED) ||
        node->memory_waiters != LINKS_NONE || node->short_task == task->self)
        return false;
    const struct task_access *accesses = task_accesses(task);
    struct kernel *kernel = engine_kernel(engine, task->kernel);
    bool gone = --kernel->users == 0 && kernel->destroyed;
    for (uint32_t i = 0; i < task->access_count; i++) {
        struct buffer *buffer = engine_buffer(engine, accesses[i].buffer);
        FGPU_ASSERT(buffer->users > 0 && buffer->home.pins > 0);
        buffer->home.pins--;
        if (__builtin_expect(buffer->segments.seg_count != 1, 0)) {
            graph_release_access(engine, task, i, FGPU_OK);
        } else {
            if (accesses[i].mode & FGPU_WRITE)
                replica_commit(&direct_segment(buffer)->replica, 0);
            buffer->users--;
        }
        gone |= buffer->users == 0 && buffer->destroyed;
    }
    task->flags &= (uint8_t)~TASK_F_PINNED;
    if (engine->planner != NULL)
        planner_ended(engine, task);
    graph_release_succ(engine, task, FGPU_OK);
    if (__builtin_expect(gone, 0))
        engine_objects_gone(engine, task);
    if (complete_task(engine, task, FGPU_OK))
        submit_recycle(engine, task);
    return true;
}
