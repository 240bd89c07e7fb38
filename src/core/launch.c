/* Step 6 of the walk, launch: a task whose data and code are there becomes a command of its lane.
 *
 * Takes a PLACED task, gives a record: resolves buffer arguments to (mem, offset), picks the
 * work-group size where the caller left it to the pool, marks which commands are timed. Runs under
 * the engine's lock. Keeps true: a body is not touched between launch and completion; a command
 * that relies on an unfinished one of its lane carries FGPU_CMD_CHAINED.
 */
#include "core/launch.h"

#include "core/graph.h"
#include "core/joined.h"
#include "core/lane.h"
#include "core/memory.h"
#include "core/serve.h"
#include "core/submit.h"

#define LAUNCH_NATIVE_ITEMS 64u /* work items of a group of a native kernel, when nobody said */

/* The first variant that the device takes; what was written for its kind before what has to be
 * translated for it. */
static uint32_t launch_variant(const struct kernel *kernel, uint32_t variants)
{
    for (uint32_t i = 0; i < kernel->variant_count; i++)
        if (kernel->variants[i].kind == FGPU_VARIANT_CUDA && variants & 1u << FGPU_VARIANT_CUDA)
            return i;
    for (uint32_t i = 0; i < kernel->variant_count; i++)
        if (variants & (1u << kernel->variants[i].kind))
            return i;
    FGPU_UNREACHABLE();
}

uint64_t launch_model_key(const struct engine *engine, const struct kernel *kernel, uint32_t device)
{
    uint32_t variants = engine->devices[device].caps.variants;
    if ((kernel->variant_mask & variants) == 0)
        return kernel->key;
    uint64_t image = kernel->variants[launch_variant(kernel, variants)].image;
    return image == 0 ? kernel->key : kernel->key ^ hash_u64(image);
}

void launch_build(struct engine *engine, struct kernel *kernel, uint32_t device)
{
    struct code *code = engine_code(engine, kernel, device);
    if (code->state != CODE_NONE)
        return;
    uint32_t variant = launch_variant(kernel, engine->devices[device].caps.variants);
    code->state = CODE_BUILDING;
    code->variant = (uint8_t)kernel->variants[variant].kind;
    engine->stats.builds++;
    trace_emit(engine->trace,
               (struct trace_event){.time_ns = engine->now_ns,
                                    .kind = TRACE_BUILD_BEGIN,
                                    .device = (uint8_t)device,
                                    .name = trace_name(engine->trace, kernel->name)});
    engine_act(engine, (struct action){.kind = ACTION_BUILD,
                                       .device = device,
                                       .index = kernel->self,
                                       .handle = variant});
}

enum launch_answer launch_code(struct engine *engine, struct task *task)
{
    if (task->kind == TASK_JOINED)
        return joined_code(engine, task);
    if (task->kernel == TASK_NONE)
        return LAUNCH_ISSUED;
    struct kernel *kernel = engine_kernel(engine, task->kernel);
    uint32_t device = engine_lane(engine, task->lane)->device;
    struct code *code = engine_code(engine, kernel, device);
    if (code->state == CODE_READY && submit_lend(engine, task))
        return LAUNCH_ISSUED;
    if (code->state == CODE_READY)
        graph_doom(task, FGPU_E_NOMEM, task->self, task_word(task));
    if (code->state == CODE_READY || code->state == CODE_FAILED)
        return LAUNCH_FAILED;
    launch_build(engine, kernel, device);
    task_set_state(task, FGPU_TASK_BUILDING);
    return lane_wait(engine, task, &code->waiting) ? LAUNCH_BUILD : LAUNCH_FAILED;
}

/* ---- bodies ----------------------------------------------------------------------------- */

void launch_resolve(struct engine *engine, struct task *task, uint32_t node)
{
    fgpu_cmd_arg *args = task_args(task);
    const struct task_access *accesses = task_accesses(task);
    for (uint32_t i = 0; i < task->access_count; i++) {
        const struct heap_block *block = memory_at(engine_buffer(engine, accesses[i].buffer), node);
        args[accesses[i].arg].u.buffer.mem = block->mem;
        args[accesses[i].arg].u.buffer.offset_bytes =
            block->offset +
            (task->marks & TASK_M_PIECE ? task_piece(task)->base[i] : accesses[i].begin);
    }
}

void launch_with(fgpu_cmd_launch *launch, const struct code *code, bool auto_local)
{
    launch->code = code->code;
    if (!auto_local)
        return;
    launch->local[0] = launch->local[1] = launch->local[2] = 0;
    if (code->required_local[0] != 0) {
        for (int i = 0; i < 3; i++)
            launch->local[i] = code->required_local[i] != 0 ? code->required_local[i] : 1;
    } else if (code->variant == FGPU_VARIANT_NATIVE) {
        launch->local[0] = launch->global[0] < LAUNCH_NATIVE_ITEMS ? (uint32_t)launch->global[0]
                                                                   : LAUNCH_NATIVE_ITEMS;
        launch->local[1] = launch->local[2] = 1;
    } /* else 0: the device knows best */
}

static void launch_kernel_body(struct engine *engine, struct task *task, uint32_t device)
{
    const struct code *code = engine_code(engine, engine_kernel(engine, task->kernel), device);
    launch_with(task_body(task), code, task->flags & TASK_F_AUTO_LOCAL);
}

static void launch_copy_body(struct engine *engine, struct task *task, uint32_t node)
{
    fgpu_cmd_copy *copy = task_body(task);
    const struct task_access *dst = &task_accesses(task)[0], *src = &task_accesses(task)[1];
    const struct heap_block *to = memory_at(engine_buffer(engine, dst->buffer), node);
    const struct heap_block *from = memory_at(engine_buffer(engine, src->buffer), node);
    copy->dst = to->mem;
    copy->src = from->mem;
    copy->dst_offset_bytes = to->offset + dst->begin;
    copy->src_offset_bytes = from->offset + src->begin;
    copy->dst_is_host = copy->src_is_host = node == 0;
    copy->dst_pitch_bytes = task_shape(task, 0).pitch_bytes;
    copy->src_pitch_bytes = task_shape(task, 1).pitch_bytes;
    copy->row_bytes = task_shape(task, 0).row_bytes;
    copy->rows = task_shape(task, 0).rows;
}

static void launch_fill_body(struct engine *engine, struct task *task, uint32_t node)
{
    fgpu_cmd_fill *fill = task_body(task);
    const struct task_access *access = &task_accesses(task)[0];
    const struct heap_block *block = memory_at(engine_buffer(engine, access->buffer), node);
    struct task_rect shape = task_shape(task, 0);
    fill->mem = block->mem;
    fill->offset_bytes = block->offset + access->begin;
    fill->pitch_bytes = shape.pitch_bytes;
    fill->row_bytes = shape.row_bytes;
    fill->rows = shape.rows;
}

static void launch_host_body(struct task *task)
{
    fgpu_cmd_host *host = task_body(task);
    void **pointers = (void **)(uintptr_t)host->args;
    const fgpu_cmd_arg *args = task_args(task);
    for (uint32_t i = 0; i < task->arg_count; i++)
        pointers[i] =
            args[i].kind == FGPU_ARG_BUFFER
                ? (void *)(uintptr_t)(args[i].u.buffer.mem + args[i].u.buffer.offset_bytes)
                : (void *)(uintptr_t)args[i].u.value;
}

/* Returns the command's kind. */
static uint32_t launch_body(struct engine *engine, struct task *task, uint32_t device,
                            uint32_t node)
{
    task_result(task)->status = FGPU_OK;
    task_result(task)->timed = 0;
    switch (task->kind) {
    case TASK_KERNEL:
        launch_resolve(engine, task, node);
        launch_kernel_body(engine, task, device);
        return FGPU_CMD_LAUNCH;
    case TASK_HOST:
        launch_resolve(engine, task, node);
        launch_host_body(task);
        return FGPU_CMD_HOST;
    case TASK_FILL:
        launch_fill_body(engine, task, node);
        return FGPU_CMD_FILL;
    case TASK_COPY:
        launch_copy_body(engine, task, node);
        return FGPU_CMD_COPY;
    case TASK_JOINED:
        joined_body(engine, task);
        return FGPU_CMD_BATCH;
    default:
        FGPU_UNREACHABLE();
    }
}

void launch_task(struct engine *engine, struct task *task, bool chained)
{
    struct lane *lane = engine_lane(engine, task->lane);
    uint32_t node = lane_node(engine, task);
    if (task->marks & TASK_M_SERVED) {
        serve_started(engine, task);           /* one that follows its producers was never chosen */
        lane->since_timed = LAUNCH_TIME_EVERY; /* who is charged for its time must be measured */
    }
    launch_append(engine, lane, task, launch_body(engine, task, lane->device, node), chained);
}

bool launch_rings(const struct engine *engine, struct lane *lane, const struct task *task)
{
    lane->silent_ns += task->predicted_ns;
    if (lane->silent_ns < engine->budget_ns / 2)
        return false;
    lane->silent_ns = 0;
    return true;
}

void launch_tell(const struct engine *engine, const struct lane *lane, const struct task *task)
{
    trace_emit(engine->trace, (struct trace_event){.time_ns = engine->now_ns,
                                                   .kind = TRACE_RUN_BEGIN,
                                                   .device = (uint8_t)lane->device,
                                                   .lane = (uint16_t)lane->queue,
                                                   .name = engine_trace_name(engine, task),
                                                   .task = engine_trace_id(task),
                                                   .a = task->predicted_ns});
}

void launch_fence(struct engine *engine, struct lane *lane)
{
    fgpu_cmd cmd = {.kind = FGPU_CMD_FENCE, .body = &lane->fence};
    (void)lane_append(engine, lane, &cmd, RING_FENCE);
    lane->fence_due = 0;
}
