/* A queue of a simulated device: see sim_queue.h. */
#include "base/role.h"
#include "dev/sim/sim_queue.h"

#include "dev/host/region.h"
#include "dev/host/yield.h"

#define SIM_PACE_MAX 8u
#define SIM_IDLE_POLLS_MAX 3u /* then a poll runs something */

void sim_queue_init(struct sim_queue *queue, struct sim_memory *memory, const fgpu_doorbell *bell,
                    uint32_t index, uint64_t seed)
{
    *queue = (struct sim_queue){
        .memory = memory, .machine = &sim_machine_default, .bell = bell, .index = index};
    rng_init(&queue->rng, seed + index);
    queue->pace = 1 + (uint32_t)rng_below(&queue->rng, SIM_PACE_MAX);
}

/* ---- one command ------------------------------------------------------------------------ */

static fgpu_status sim_queue_launch(struct sim_queue *queue, const fgpu_cmd_launch *launch)
{
    const struct sim_code *code = (const struct sim_code *)(uintptr_t)launch->code;
    fgpu_cmd_arg args[LIMITS_KERNEL_ARGS];
    fgpu_range range;
    fgpu_status status;

    if (code == NULL)
        return FGPU_E_INVAL;
    if (launch->arg_count > LIMITS_KERNEL_ARGS)
        return FGPU_E_LIMIT;
    for (uint32_t i = 0; i < launch->arg_count; i++) {
        uint64_t begin = launch->args[i].u.buffer.offset_bytes;
        uint64_t end;
        char *address;

        args[i] = launch->args[i];
        if (args[i].kind != FGPU_ARG_BUFFER)
            continue;
        if (__builtin_add_overflow(begin, args[i].size_bytes, &end))
            return FGPU_E_RANGE;
        status = sim_memory_find(queue->memory, args[i].u.buffer.mem, begin, end, &address);
        if (status != FGPU_OK)
            return status;
        args[i].u.buffer.mem = (uintptr_t)address;
        args[i].u.buffer.offset_bytes = 0;
    }
    status = native_range(&range, launch);
    if (status == FGPU_OK)
        status = native_args(&queue->scratch, args, launch->arg_count);
    if (status != FGPU_OK)
        return status;
    range.worker = queue->index;
    enum role role = role_now;
    role_now = ROLE_TASK; /* it runs inside poll: whatever it calls must not wait for the pool */
    status = yield_run(code->fn, code->user, &range, queue->scratch.args);
    role_now = role;
    return status;
}

/* One side of a copy, or a fill's target, as an address. */
struct sim_side {
    fgpu_mem mem;
    bool is_host;
    uint64_t offset_bytes, pitch_bytes, row_bytes, rows;
};

static fgpu_status sim_queue_resolve(struct sim_queue *queue, const struct sim_side *side,
                                     struct region *region)
{
    uint64_t end_bytes;
    char *address = NULL;
    fgpu_status status;

    if (!region_end(side->offset_bytes, side->pitch_bytes, side->row_bytes, side->rows, &end_bytes))
        return FGPU_E_RANGE;
    if (side->is_host) {
        address = (char *)(uintptr_t)(side->mem + side->offset_bytes);
        status = side->mem != 0 ? FGPU_OK : FGPU_E_INVAL;
    } else {
        status = sim_memory_find(queue->memory, side->mem, side->offset_bytes, end_bytes, &address);
    }
    *region = (struct region){address, side->pitch_bytes};
    return status;
}

static fgpu_status sim_queue_copy(struct sim_queue *queue, const fgpu_cmd_copy *copy)
{
    const struct sim_side from = {copy->src,
                                  copy->src_is_host != 0,
                                  copy->src_offset_bytes,
                                  copy->src_pitch_bytes,
                                  copy->row_bytes,
                                  copy->rows};
    const struct sim_side to = {copy->dst,
                                copy->dst_is_host != 0,
                                copy->dst_offset_bytes,
                                copy->dst_pitch_bytes,
                                copy->row_bytes,
                                copy->rows};
    struct region src;
    struct region dst;
    fgpu_status status = region_copy_status(copy);

    if (status == FGPU_OK)
        status = sim_queue_resolve(queue, &from, &src);
    if (status == FGPU_OK)
        status = sim_queue_resolve(queue, &to, &dst);
    if (status == FGPU_OK)
        region_copy(dst, src, copy->row_bytes, copy->rows);
    return status;
}

static fgpu_status sim_queue_fill(struct sim_queue *queue, const fgpu_cmd_fill *fill)
{
    const struct sim_side to = {fill->mem,         false,           fill->offset_bytes,
                                fill->pitch_bytes, fill->row_bytes, fill->rows};
    struct region dst;
    fgpu_status status = region_fill_status(fill);

    if (status == FGPU_OK)
        status = sim_queue_resolve(queue, &to, &dst);
    if (status == FGPU_OK)
        region_fill(dst, fill);
    return status;
}

static fgpu_status sim_queue_run(struct sim_queue *queue, const fgpu_cmd *cmd)
{
    if (cmd->kind == FGPU_CMD_FENCE)
        queue->skipping = false;
    else if (queue->skipping && (cmd->flags & FGPU_CMD_CHAINED) != 0)
        return FGPU_E_CANCELLED;
    switch (cmd->kind) {
    case FGPU_CMD_LAUNCH:
        return sim_queue_launch(queue, cmd->body);
    case FGPU_CMD_COPY:
        return sim_queue_copy(queue, cmd->body);
    case FGPU_CMD_FILL:
        return sim_queue_fill(queue, cmd->body);
    case FGPU_CMD_FENCE:
        return FGPU_OK;
    case FGPU_CMD_HOST:
        return FGPU_E_UNSUPPORTED;
    default:
        return FGPU_E_INVAL;
    }
}

static uint64_t sim_queue_group_ps(const fgpu_cmd *cmd)
{
    const fgpu_cmd_launch *launch = cmd->body;
    const struct sim_code *code;

    if (cmd->kind != FGPU_CMD_LAUNCH || launch->code == 0)
        return 0;
    code = (const struct sim_code *)(uintptr_t)launch->code;
    return code->group_ps;
}

static void sim_queue_step(struct sim_queue *queue)
{
    const fgpu_cmd *cmd = &queue->ring[queue->finished % SIM_QUEUE_COMMANDS];
    fgpu_cmd_result *result = cmd->body;
    fgpu_status status = sim_queue_run(queue, cmd);

    result->timed = (cmd->flags & FGPU_CMD_TIMED) != 0;
    result->start_ns = queue->time_ns;
    queue->time_ns += cost_ns(queue->machine, cmd, sim_queue_group_ps(cmd), &queue->rng);
    result->end_ns = queue->time_ns;
    result->status = status;
    queue->finished++;
    if (status != FGPU_OK)
        queue->skipping = true;
}

/* ---- submit and poll -------------------------------------------------------------------- */

uint32_t sim_queue_submit(struct sim_queue *queue, const fgpu_cmd *cmds, uint32_t count)
{
    uint64_t waiting = queue->accepted - queue->finished;
    uint32_t room = SIM_QUEUE_COMMANDS - (uint32_t)waiting;
    uint32_t taken = count;

    if (count == 0)
        return 0;
    if (rng_below(&queue->rng, 4) == 0) {
        taken = (uint32_t)rng_below(&queue->rng, (uint64_t)count + 1);
        if (taken == 0 && waiting == 0)
            taken = 1;
    }
    taken = taken < room ? taken : room;
    for (uint32_t i = 0; i < taken; i++)
        queue->ring[(queue->accepted + i) % SIM_QUEUE_COMMANDS] = cmds[i];
    queue->accepted += taken;
    queue->bell->ring(queue->bell->arg);
    return taken;
}

void sim_queue_poll(struct sim_queue *queue)
{
    uint64_t waiting = queue->accepted - queue->finished;
    uint64_t steps = rng_below(&queue->rng, 2ull * queue->pace + 1);

    if (waiting == 0)
        return;
    if (steps == 0 && ++queue->idle_polls > SIM_IDLE_POLLS_MAX)
        steps = 1;
    if (steps > 0)
        queue->idle_polls = 0;
    if (steps > waiting)
        steps = waiting;
    for (uint64_t i = 0; i < steps; i++)
        sim_queue_step(queue);
    /* Either something is left, or the last command has finished. */
    queue->bell->ring(queue->bell->arg);
}

void sim_queue_fini(struct sim_queue *queue)
{
    while (queue->finished < queue->accepted)
        sim_queue_step(queue);
    native_scratch_fini(&queue->scratch);
}
