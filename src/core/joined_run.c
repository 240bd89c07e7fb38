/* A launch of a recorded graph runs as one command, or as slices; and ends. See joined.h.
 *
 * Steps 4 to 8 of the walk for such a launch: it has one record and no accesses of its own, so what
 * place, launch, learn and complete do with a task is done here for all of its nodes.
 */
#include "core/joined.h"

#include <stdio.h>

#include "core/complete.h"
#include "core/graph.h"
#include "core/lane.h"
#include "core/memory.h"
#include "core/move.h"
#include "core/sched.h"

/* Long enough that what lies between two slices weighs nothing, short enough for what is urgent. */
#define JOINED_SLICE_NS 500000.0
#define JOINED_UNKNOWN_NS 20000.0 /* a command that has not run on the device */

/* ---- slices ----------------------------------------------------------------------------- */

static double joined_command_ns(const struct joined *joined, uint32_t device)
{
    double ns = joined->paces[device].ns;
    return ns > 0 ? ns : JOINED_UNKNOWN_NS;
}

static uint32_t joined_slice(const struct joined_run *run, uint32_t device)
{
    const struct joined *joined = run->joined;
    double count = JOINED_SLICE_NS / joined_command_ns(joined, device);
    uint32_t left = joined->command_count - run->at;
    if (count < 1)
        count = 1;
    return count < left ? (uint32_t)count : left;
}

uint64_t joined_exec_ns(const struct task *task, uint32_t device)
{
    const struct joined_run *run = joined_run_of(task);
    return (uint64_t)(joined_slice(run, device) * joined_command_ns(run->joined, device)) + 1;
}

static bool joined_is_out(const struct joined_run *run, uint32_t command)
{
    return run->careful && run->fates[run->joined->command_nodes[command]].status != FGPU_OK;
}

/* What is known to be poisoned by now is left out. Without memory all fails. */
static void joined_look(struct engine *engine, struct task *task)
{
    struct joined_run *run = joined_run_of(task);
    if (run->judged != run->poison.count && !joined_judge(engine, run, NULL))
        graph_doom(task, FGPU_E_NOMEM, task->self, task_word(task));
}

bool joined_is_over(struct engine *engine, struct task *task)
{
    struct joined_run *run = joined_run_of(task);
    joined_look(engine, task);
    while (run->at < run->joined->command_count && joined_is_out(run, run->at))
        run->at++;
    return run->at == run->joined->command_count;
}

bool joined_is_last(const struct task *task)
{
    const struct joined_run *run = joined_run_of(task);
    /* Who follows behind a launch that has lost nodes might not be skipped by the device. */
    return run->slice_end == run->joined->command_count && !run->careful;
}

/* ---- where ------------------------------------------------------------------------------ */

static bool joined_is_aligned(const struct joined *joined, uint32_t align)
{
    return align <= 1 || ((align & (align - 1)) == 0 && (joined->begins & (align - 1)) == 0);
}

const char *joined_obstacle(const struct engine *engine, const struct task *task, uint32_t device)
{
    const struct joined *joined = joined_run_of(task)->joined;
    const fgpu_device_caps *caps = &engine->devices[device].caps;
    uint64_t most = caps->max_group_items;
    if (!caps->batches || engine->devices[device].node != 0)
        return "takes no recorded graphs as one command";
    for (uint32_t i = 0; i < joined->kernel_count; i++) {
        const struct kernel *kernel = engine_kernel(engine, joined->kernels[i].slot);
        const struct code *code = engine_code(engine, kernel, device);
        if ((kernel->variant_mask & caps->variants) == 0)
            return "has no variant of a kernel of the graph";
        if (code->state == CODE_FAILED)
            return "does not compile a kernel of the graph";
        if (code->max_group_items != 0 && (most == 0 || code->max_group_items < most))
            most = code->max_group_items;
    }
    if (most != 0 && joined->items > most)
        return "has smaller work groups";
    return joined_is_aligned(joined, caps->offset_align_bytes) ? NULL
                                                               : "needs more aligned offsets";
}

enum launch_answer joined_code(struct engine *engine, struct task *task)
{
    const struct joined *joined = joined_run_of(task)->joined;
    uint32_t device = engine_lane(engine, task->lane)->device;
    bool ready = true;
    for (uint32_t i = 0; i < joined->kernel_count; i++) {
        struct kernel *kernel = engine_kernel(engine, joined->kernels[i].slot);
        struct code *code = engine_code(engine, kernel, device);
        if (code->state == CODE_FAILED)
            return LAUNCH_FAILED;
        if (code->state == CODE_READY)
            continue;
        launch_build(engine, kernel, device);
        ready = false;
        task_set_state(task, FGPU_TASK_BUILDING);
        if (!lane_wait(engine, task, &code->waiting))
            return LAUNCH_FAILED;
    }
    return ready ? LAUNCH_ISSUED : LAUNCH_BUILD;
}

/* ---- commands --------------------------------------------------------------------------- */

static void joined_resolve_codes(struct engine *engine, struct joined *joined, uint32_t device)
{
    for (uint32_t i = 0; i < joined->command_count; i++) {
        const struct joined_node *node = &joined->nodes[joined->command_nodes[i]];
        struct kernel *kernel = engine_kernel(engine, joined->kernels[node->kernel].slot);
        launch_with(joined->commands[i].body, engine_code(engine, kernel, device),
                    node->auto_local);
    }
    joined->code_device = device;
}

static void joined_resolve_buffers(struct joined *joined)
{
    for (uint32_t i = 0; i < joined->command_count; i++) {
        uint32_t n = joined->command_nodes[i];
        const fgpu_cmd_launch *launch = joined->commands[i].body;
        fgpu_cmd_arg *args = (fgpu_cmd_arg *)(uintptr_t)launch->args;
        for (uint32_t a = joined->nodes[n].first_access; a < joined->nodes[n + 1].first_access;
             a++) {
            const struct joined_access *access = &joined->accesses[a];
            const struct joined_use *use = &joined->uses[access->use];
            args[access->arg].u.buffer.mem = use->mem;
            args[access->arg].u.buffer.offset_bytes = use->offset + access->begin;
        }
    }
    joined->moved = 0;
}

static void joined_claim_segment(struct engine *engine, struct imap_seg *seg, void *user)
{
    (void)engine;
    (void)user;
    replica_write(&graph_segment(seg)->replica, 0);
}

static void joined_unclaim_segment(struct engine *engine, struct imap_seg *seg, void *user)
{
    (void)user;
    struct replica *replica = &graph_segment(seg)->replica;
    memory_preimage_gone(engine, replica->pre, NODES_NONE);
    (void)replica_undo(replica, NODES_NONE);
}

static void joined_commit_segment(struct engine *engine, struct imap_seg *seg, void *user)
{
    (void)user;
    struct replica *replica = &graph_segment(seg)->replica;
    memory_preimage_gone(engine, replica->pre, replica->dirty > 1 ? 0 : NODES_NONE);
    replica_commit(replica, 0);
}

/* What earlier launches were linked to is claimed by those. */
static void joined_fresh(struct engine *engine, struct joined_run *run, joined_segment_fn fn)
{
    for (size_t i = 0; i < run->fresh.count; i++) {
        const struct joined_use *use =
            &run->joined->uses[*(const uint32_t *)vec_at(&run->fresh, i)];
        if (use->writes)
            joined_walk(engine, use->buffer, use->begin, use->end, fn, NULL);
    }
}

/* The commands of the slice that run at all. Without memory the slice is shorter. */
static void joined_collect(struct joined_run *run, uint32_t count)
{
    const struct joined *joined = run->joined;
    vec_clear(&run->list);
    vec_clear(&run->places);
    for (run->slice_end = run->at; run->slice_end < joined->command_count; run->slice_end++) {
        if (joined_is_out(run, run->slice_end))
            continue;
        if (run->list.count == count || vec_push(&run->places, &run->slice_end) == NULL)
            return;
        if (vec_push(&run->list, &joined->commands[run->slice_end]) == NULL)
            return;
    }
}

void joined_body(struct engine *engine, struct task *task)
{
    struct task_joined *body = task_body(task);
    struct joined_run *run = body->run;
    struct joined *joined = run->joined;
    uint32_t device = engine_lane(engine, task->lane)->device;
    joined_look(engine, task);
    if (!run->claimed)
        joined_fresh(engine, run, joined_claim_segment);
    run->claimed = 1;
    if (joined->code_device != device)
        joined_resolve_codes(engine, joined, device);
    if (joined->moved)
        joined_resolve_buffers(joined);
    uint32_t count = joined_slice(run, device);
    body->batch.done = body->batch.begun = 0;
    if (run->careful) {
        joined_collect(run, count);
        body->batch.cmds = (const fgpu_cmd *)(const void *)run->list.items;
        body->batch.count = (uint32_t)run->list.count;
        if (run->list.count > 0 || run->slice_end == joined->command_count)
            return;
        run->at = run->slice_end; /* no memory for a list: one at a time */
        count = 1;
    }
    run->slice_end = run->at + count;
    body->batch.cmds = joined->commands + run->at;
    body->batch.count = count;
}

/* ---- failures --------------------------------------------------------------------------- */

static uint32_t joined_record(struct engine *engine, const struct task *launch,
                              const struct joined_node *node, fgpu_status status, const char *why)
{
    struct joined *joined = joined_run_of(launch)->joined;
    struct submit_request request = {.kind = TASK_EMPTY,
                                     .kernel = TASK_NONE,
                                     .pin = joined->pin,
                                     .priority = joined->priority,
                                     .name = node->name};
    struct joined_record record = {.launch = launch->self,
                                   .launch_generation = task_generation(launch)};
    if (request.name == NULL && node->kernel != JOINED_NONE)
        request.name = engine_kernel(engine, joined->kernels[node->kernel].slot)->name;
    if (!vec_reserve(&joined->records, joined->records.count + 1) ||
        submit_prepare(engine, &request, &record.task, &record.generation) != FGPU_OK)
        return TASK_NONE;
    struct task *task = engine_task(engine, record.task);
    task->status = status;
    task->root = task->self;
    task->root_word = task_word(task);
    task->submit_ns = launch->submit_ns;
    if (why != NULL)
        task->why = alloc_get(engine->hooks, LIMITS_ERROR_TEXT, 16);
    if (task->why != NULL)
        snprintf(task->why, LIMITS_ERROR_TEXT, "%s", why);
    (void)vec_push(&joined->records, &record);
    task_set_state(task, status == FGPU_E_CANCELLED ? FGPU_TASK_CANCELLED : FGPU_TASK_FAILED);
    engine_note_failure(engine, task);
    return record.task;
}

/* A node has failed: it gets a record that names it. */
static void joined_fail(struct engine *engine, struct task *task, uint32_t node, fgpu_status status,
                        const char *why)
{
    struct joined_run *run = joined_run_of(task);
    uint32_t index = joined_record(engine, task, &run->joined->nodes[node], status, why);
    const struct task *record = index != TASK_NONE ? engine_task(engine, index) : task;
    struct joined_failure failure = {.node = node,
                                     .fate = {status, record->self, task_word(record)}};
    if (vec_push(&run->failures, &failure) == NULL)
        graph_doom(task, FGPU_E_NOMEM, task->self, task_word(task)); /* the rest does not run */
}

/* After failures: which nodes still run? */
static void joined_again(struct engine *engine, struct task *task)
{
    if (!joined_judge(engine, joined_run_of(task), NULL))
        graph_doom(task, FGPU_E_NOMEM, task->self, task_word(task));
}

/* ---- progress --------------------------------------------------------------------------- */

/* Which command is number `n` of the slice. */
static uint32_t joined_nth(const struct task *task, uint32_t n)
{
    const struct joined_run *run = joined_run_of(task);
    const fgpu_cmd_batch *batch = task_body(task);
    if (batch->cmds != (const fgpu_cmd *)(const void *)run->list.items)
        return (uint32_t)(batch->cmds - run->joined->commands) + n;
    return n < run->places.count ? *(const uint32_t *)vec_at(&run->places, n) : run->slice_end;
}

static void joined_learn_pace(struct joined_pace *pace, double ns)
{
    double a = pace->last[0], b = pace->last[1];
    double low = a < b ? a : b, high = a < b ? b : a;
    bool is_first = pace->ns <= 0;
    pace->ns = is_first || (ns >= low && ns <= high) ? ns : ns < low ? low : high;
    pace->last[0] = is_first ? ns : b;
    pace->last[1] = ns;
}

static void joined_learn(struct engine *engine, const struct task *task, uint32_t count)
{
    struct lane *lane = engine_lane(engine, task->lane);
    struct engine_device *device = &engine->devices[lane->device];
    const fgpu_cmd_result *result = task_result(task);
    struct joined_pace *pace = &joined_run_of(task)->joined->paces[lane->device];
    uint64_t ns = task->predicted_ns;
    if (result->status == FGPU_OK && result->timed) {
        ns = result->end_ns - result->start_ns;
        device->timed += count;
        if (result->end_ns > lane->timed_end_ns)
            lane->timed_end_ns = result->end_ns;
        if (count > 0)
            joined_learn_pace(pace, (double)ns / count);
    }
    device->stats.tasks += count;
    device->stats.busy_ns += ns;
    device->stats.predicted_ns += task->predicted_ns;
}

/* Off its lane: it waits for the next slice. */
static void joined_put_back(struct engine *engine, struct task *task)
{
    move_unpin(engine, task, lane_node(engine, task));
    if (task->flags & TASK_F_ISSUED)
        graph_unissue(engine, task);
    task_set_state(task, FGPU_TASK_LINKED);
    task->lane = TASK_LANE_NONE;
}

bool joined_ran(struct engine *engine, struct task *task, fgpu_status status)
{
    struct joined_run *run = joined_run_of(task);
    const fgpu_cmd_batch *batch = task_body(task);
    uint32_t done = status == FGPU_OK || batch->done <= batch->count ? batch->done : batch->count;
    joined_learn(engine, task, done + (status != FGPU_OK));
    if (status == FGPU_OK) {
        run->at = run->slice_end;
    } else {
        if (done == batch->count && done > 0)
            done--; /* it failed, so one did */
        run->at = joined_nth(task, done);
        joined_fail(engine, task, run->joined->command_nodes[run->at++], status, NULL);
        joined_again(engine, task);
    }
    if (joined_is_over(engine, task))
        return true;
    joined_put_back(engine, task);
    engine_look(engine, task->self);
    return false;
}

/* A command that may have run in part can run again unless it reads what it writes. Where several
 * may have, all fail: a later one may have changed what an earlier one reads. */
static bool joined_runs_again(const struct joined *joined, uint32_t command)
{
    uint32_t n = joined->command_nodes[command];
    for (uint32_t a = joined->nodes[n].first_access; a < joined->nodes[n + 1].first_access; a++)
        if (joined->accesses[a].mode == FGPU_READ_WRITE)
            return false;
    return true;
}

/* The device is gone: what it had done is in the host's memory. */
static void joined_torn(struct engine *engine, struct task *task)
{
    struct joined_run *run = joined_run_of(task);
    const fgpu_cmd_batch *batch = task_body(task);
    const struct engine_device *device = &engine->devices[engine_lane(engine, task->lane)->device];
    uint32_t done = batch->done, begun = batch->begun;
    /* Behind something that is taken back, too: that would run after what has been done here. */
    if (task->undone > 0)
        done = 0;
    bool again = begun <= done || (task->undone == 0 && begun == done + 1 &&
                                   joined_runs_again(run->joined, joined_nth(task, done)));
    char why[LIMITS_ERROR_TEXT];
    snprintf(why, sizeof why,
             "it had started on device %u when that was lost (%s), and no other copy of the data "
             "that it reads and writes exists",
             engine_lane(engine, task->lane)->device, device->reason);
    run->at = joined_nth(task, again ? done : begun);
    for (uint32_t i = done; !again && i < begun; i++)
        joined_fail(engine, task, run->joined->command_nodes[joined_nth(task, i)],
                    FGPU_E_DEVICE_LOST, why);
    if (!again)
        joined_again(engine, task);
}

void joined_take_back(struct engine *engine, struct task *task, bool torn)
{
    struct joined_run *run = joined_run_of(task);
    const fgpu_cmd_batch *batch = task_body(task);
    uint16_t lane = task->lane;
    if (run->at == 0 && (!torn || batch->begun == 0) && run->claimed) {
        joined_fresh(engine, run, joined_unclaim_segment);
        run->claimed = 0;
    }
    if (torn)
        joined_torn(engine, task);
    joined_put_back(engine, task);
    if (torn)
        engine_look(engine, task->self);
    else
        sched_chain_push(engine, task, lane);
}

void joined_cancel(struct task *task)
{
    joined_run_of(task)->cancelled = 1;
}

/* ---- the end ---------------------------------------------------------------------------- */

/* It ends without having run to its end: what has not run by now fails. */
static void joined_refuse(struct engine *engine, struct task *task, fgpu_status status)
{
    struct joined_run *run = joined_run_of(task);
    if (run->at == run->joined->command_count)
        return;
    const struct joined_node *node = &run->joined->nodes[run->joined->command_nodes[run->at]];
    uint32_t index = joined_record(engine, task, node, status, task->why);
    const struct task *record = index != TASK_NONE ? engine_task(engine, index) : task;
    run->refuse =
        (struct joined_failure){.node = run->at, .fate = {status, record->self, task_word(record)}};
}

/* Counts the nodes, and finds the first that failed. */
static const struct joined_fate *joined_count(struct engine *engine, const struct task *task)
{
    const struct joined_run *run = joined_run_of(task);
    const struct joined_fate *first = NULL;
    uint32_t failed = 0, cancelled = 0;
    for (uint32_t i = 0; run->careful && i < run->joined->node_count; i++) {
        const struct joined_fate *fate = &run->fates[i];
        failed += fate->status != FGPU_OK && fate->status != FGPU_E_CANCELLED;
        cancelled += fate->status == FGPU_E_CANCELLED;
        if (first == NULL && fate->status != FGPU_OK)
            first = fate;
    }
    engine->stats.tasks_failed += failed;
    engine->stats.tasks_cancelled += cancelled;
    engine->stats.tasks_done += run->joined->node_count - failed - cancelled;
    engine->latency_sum_ns += run->joined->node_count * (engine->now_ns - task->submit_ns);
    return first;
}

/* Gives the run back, and the graph if nobody wants it any more. */
static void joined_land(struct engine *engine, struct task *task)
{
    struct joined_run *run = joined_run_of(task);
    struct joined *joined = run->joined;
    if (joined->last == task->self && joined->last_generation == task_generation(task))
        joined->last = TASK_NONE;
    joined_drop_holds(engine, joined, task);
    for (uint32_t i = 0; i < joined->kernel_count; i++) {
        struct kernel *kernel = engine_kernel(engine, joined->kernels[i].slot);
        if (--kernel->users == 0 && kernel->destroyed)
            engine_kernel_gone(engine, joined->kernels[i].slot);
    }
    alloc_put(engine->hooks, run->fates, joined->node_count * sizeof *run->fates);
    run->fates = NULL;
    run->next = joined->spare;
    joined->spare = run;
    if (--joined->flying == 0 && joined->retired)
        joined_free(engine, joined);
}

fgpu_status joined_end(struct engine *engine, struct task *task, fgpu_status status)
{
    struct joined_run *run = joined_run_of(task);
    if (task->status != FGPU_OK)
        status = (fgpu_status)task->status;
    if (status != FGPU_OK)
        joined_refuse(engine, task, status);
    bool failed = run->failures.count > 0 || run->poison.count > 0 || status != FGPU_OK;
    if (failed && !joined_judge(engine, run, task) && status == FGPU_OK)
        status = FGPU_E_NOMEM;
    if (run->claimed)
        joined_fresh(engine, run, joined_commit_segment);
    const struct joined_fate *first = joined_count(engine, task);
    if (run->cancelled) {
        status = FGPU_E_CANCELLED;
        task->root = task->self;
        task->root_word = task_word(task);
    } else if (first != NULL) {
        status = graph_heritage((fgpu_status)first->status);
        task->root = first->root;
        task->root_word = first->root_word;
    }
    task->status = status;
    joined_land(engine, task);
    return status;
}
