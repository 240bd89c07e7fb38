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
#include "core/launch.h"
#include "core/planner.h"
#include "core/sched.h"
#include "core/submit.h"

/* One segment for the whole buffer. */
static struct segment *direct_segment(const struct buffer *buffer)
{
    return graph_segment(imap_only(&buffer->segments));
}

static bool direct_is_plain(struct engine *engine, const struct task *task)
{
    const struct task_access *accesses = task_accesses(task);
    for (uint32_t i = 0; i < task->access_count; i++) {
        const struct buffer *buffer = engine_buffer(engine, accesses[i].buffer);
        if (buffer->segments.seg_count != 1 || buffer->home.state != BLOCK_PRESENT)
            return false;
    }
    return true;
}

bool direct_launch(struct engine *engine, struct lane *lane, struct task *task)
{
    if (!engine->direct || task->kind != TASK_KERNEL || (task->flags & TASK_F_PINNED) ||
        task->marks != 0 || task->waits > 0 || task->status != FGPU_OK ||
        engine->nodes[0].short_task == task->self)
        return false;
    const struct code *code =
        engine_code(engine, engine_kernel(engine, task->kernel), lane->device);
    if (code->state != CODE_READY || !direct_is_plain(engine, task))
        return false;
    const struct task_access *accesses = task_accesses(task);
    fgpu_cmd_arg *args = task_args(task);
    for (uint32_t i = 0; i < task->access_count; i++) {
        const struct task_access *access = &accesses[i];
        struct buffer *buffer = engine_buffer(engine, access->buffer);
        struct block *block = &buffer->home;
        block->pins++;
        block->used = 1;
        buffer->linked--;
        if (access->mode & FGPU_WRITE)
            replica_write(&direct_segment(buffer)->replica, 0);
        args[access->arg].u.buffer.mem = block->heap.mem;
        args[access->arg].u.buffer.offset_bytes = block->heap.offset + access->begin;
    }
    task->flags |= TASK_F_PINNED;
    task_result(task)->status = FGPU_OK;
    task_result(task)->timed = 0;
    launch_kernel(task, code);
    launch_append(engine, lane, task, FGPU_CMD_LAUNCH, false);
    graph_tell_issued(engine, task);
    if (lane->idle || !sched_has_room(engine, lane)) /* else nothing has changed for others */
        sched_update_hunger(engine, lane);
    return true;
}

bool direct_end(struct engine *engine, struct task *task)
{
    const struct engine_node *node = &engine->nodes[0];
    if (!engine->direct || task->kind != TASK_KERNEL || task->status != FGPU_OK ||
        node->memory_waiters != LINKS_NONE || node->short_task == task->self ||
        !direct_is_plain(engine, task))
        return false;
    const struct task_access *accesses = task_accesses(task);
    struct kernel *kernel = engine_kernel(engine, task->kernel);
    bool gone = --kernel->users == 0 && kernel->destroyed;
    for (uint32_t i = 0; i < task->access_count; i++) {
        struct buffer *buffer = engine_buffer(engine, accesses[i].buffer);
        if (accesses[i].mode & FGPU_WRITE)
            replica_commit(&direct_segment(buffer)->replica, 0);
        FGPU_ASSERT(buffer->users > 0 && buffer->home.pins > 0);
        buffer->home.pins--;
        gone |= --buffer->users == 0 && buffer->destroyed;
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
