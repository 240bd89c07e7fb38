/* See engine_rig.h. */
#include "tests/lib/engine_rig.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/preempt.h"
#include "policy/policy.h"

static int rig_never(const fgpu_range *range, void *const *args, void *user)
{
    (void)range;
    (void)args;
    (void)user;
    abort();
}

static uint32_t rig_kernel(struct engine_rig *rig)
{
    uint32_t index;
    if (engine_kernel_create(&rig->engine, &index) != FGPU_OK)
        abort();
    struct kernel *kernel = engine_kernel(&rig->engine, index);
    kernel->key = 1 + index;
    kernel->variants[0] = (struct variant){.kind = FGPU_VARIANT_NATIVE, .native = rig_never};
    kernel->variant_count = 1;
    kernel->variant_mask = 1u << FGPU_VARIANT_NATIVE;
    return index;
}

void engine_rig_open(struct engine_rig *rig, const uint32_t *queues, uint32_t devices,
                     uint32_t flags, uint64_t budget_ns)
{
    engine_rig_open_small(rig, queues, devices, flags, budget_ns, 0);
}

void engine_rig_open_small(struct engine_rig *rig, const uint32_t *queues, uint32_t devices,
                           uint32_t flags, uint64_t budget_ns, uint64_t host_bytes)
{
    const struct engine_rig_setup setup = {.queues = queues,
                                           .devices = devices,
                                           .flags = flags,
                                           .budget_ns = budget_ns,
                                           .host_bytes = host_bytes};
    engine_rig_open_as(rig, &setup);
}

static void rig_devices(struct engine_device_config *configs, const struct engine_rig_setup *setup)
{
    for (uint32_t d = 0; d < setup->devices; d++)
        configs[d] = (struct engine_device_config){
            .caps = {.struct_bytes = sizeof(fgpu_device_caps),
                     .queue_count = setup->queues[d],
                     .copy_queue_count = setup->copy_queues,
                     .side_queue_count = setup->side_queues,
                     .fill_groups = setup->fill_groups,
                     .variants = 1u << FGPU_VARIANT_NATIVE,
                     .suballocate = 1,
                     .host_memory = setup->host_memory,
                     .stitch_bytes = setup->stitch_bytes,
                     .slices = setup->slices,
                     .offset_align_bytes = 1,
                     .max_queue_commands = 4096},
            .key = setup->key != 0 ? setup->key : d + 1,
            .hidden = (setup->hidden >> d) & 1,
            .memory_limit_bytes = setup->device_bytes ? setup->device_bytes : UINT64_MAX};
}

void engine_rig_open_as(struct engine_rig *rig, const struct engine_rig_setup *setup)
{
    static struct engine_device_config configs[RIG_LANES];
    memset(rig, 0, sizeof *rig);
    rig_devices(configs, setup);
    rig->stitch_bytes = setup->stitch_bytes;
    history_init(&rig->history, 0, NULL);
    trace_init(&rig->trace, 0, NULL);
    log_init(&rig->log, FGPU_LOG_OFF);
    const char *policy = setup->policy != NULL ? setup->policy : "fifo";
    struct engine_config config = {.devices = configs,
                                   .device_count = setup->devices,
                                   .task_limit = RIG_TASKS,
                                   .host_limit_bytes = setup->host_bytes,
                                   .policy = policy_find(policy),
                                   .history = &rig->history,
                                   .trace = &rig->trace,
                                   .log = &rig->log,
                                   .flags = setup->flags,
                                   .paths = setup->paths,
                                   .path_rate = setup->path_rate,
                                   .path_link_count = setup->path_link_count,
                                   .plans_apart = setup->plans_apart,
                                   .budget_ns = setup->budget_ns,
                                   .preempt = setup->preempt,
                                   .overdue_ns = setup->overdue_ns,
                                   .checks = true};
    if (engine_init(&rig->engine, &config) != FGPU_OK)
        abort();
    rig->inc = rig_kernel(rig);
    rig->mix = rig_kernel(rig);
    rig->twin = rig_kernel(rig);
}

void engine_rig_close(struct engine_rig *rig)
{
    engine_fini(&rig->engine);
    for (uint32_t i = 0; i < rig->slab_count; i++) {
        if (rig->slabs[i].file > 0) {
            munmap(rig->slabs[i].memory, (size_t)rig->slabs[i].bytes);
            close(rig->slabs[i].file);
        } else {
            free(rig->slabs[i].memory);
        }
    }
    history_fini(&rig->history);
    trace_fini(&rig->trace);
    log_fini(&rig->log);
}

/* ---- objects and tasks ------------------------------------------------------------------ */

uint32_t engine_rig_buffer(struct engine_rig *rig, uint64_t bytes, void *host)
{
    uint32_t index;
    if (engine_buffer_create(&rig->engine, bytes, host, &index) != FGPU_OK)
        abort();
    return index;
}

struct submit_arg engine_rig_arg(uint32_t buffer, uint8_t mode, uint64_t begin, uint64_t bytes)
{
    return (struct submit_arg){.kind = FGPU_ARG_BUFFER,
                               .mode = mode,
                               .buffer = buffer,
                               .offset_bytes = begin,
                               .shape = {bytes, bytes, 1}};
}

uint32_t engine_rig_submit(struct engine_rig *rig, struct submit_request *request, uint32_t after)
{
    uint32_t pair[2] = {after, 0}, index, generation;
    if (after != TASK_NONE) {
        pair[1] = task_generation(engine_task(&rig->engine, after));
        request->after = pair;
        request->after_count = 1;
    }
    if (submit_prepare(&rig->engine, request, &index, &generation) != FGPU_OK)
        abort();
    (void)submit_push(&rig->engine, index);
    (void)engine_drain(&rig->engine);
    return index;
}

uint32_t engine_rig_fill(struct engine_rig *rig, uint32_t buffer, uint64_t begin, uint64_t bytes,
                         uint8_t value, uint16_t pin)
{
    struct submit_arg arg = engine_rig_arg(buffer, FGPU_WRITE, begin, bytes);
    struct submit_request request = {.kind = TASK_FILL,
                                     .arg_count = 1,
                                     .args = &arg,
                                     .kernel = TASK_NONE,
                                     .pin = pin,
                                     .pattern = &value,
                                     .pattern_bytes = 1};
    return engine_rig_submit(rig, &request, TASK_NONE);
}

uint32_t engine_rig_inc(struct engine_rig *rig, uint32_t buffer, uint64_t bytes, uint16_t pin)
{
    struct submit_arg arg = engine_rig_arg(buffer, FGPU_READ_WRITE, 0, bytes);
    struct submit_request request = {.kind = TASK_KERNEL,
                                     .arg_count = 1,
                                     .args = &arg,
                                     .kernel = rig->inc,
                                     .pin = pin,
                                     .dims = 1,
                                     .global = {bytes, 1, 1}};
    return engine_rig_submit(rig, &request, TASK_NONE);
}

uint32_t engine_rig_run(struct engine_rig *rig, uint32_t kernel, const struct submit_arg *args,
                        uint16_t pin, uint32_t after)
{
    struct submit_request request = {.kind = TASK_KERNEL,
                                     .arg_count = 3,
                                     .args = args,
                                     .kernel = kernel,
                                     .pin = pin,
                                     .dims = 1,
                                     .global = {args[0].shape.row_bytes, 1, 1}};
    return engine_rig_submit(rig, &request, after);
}

uint32_t engine_rig_copy(struct engine_rig *rig, uint32_t dst, uint32_t src, uint64_t bytes,
                         uint16_t pin)
{
    struct submit_arg args[2] = {engine_rig_arg(dst, FGPU_WRITE, 0, bytes),
                                 engine_rig_arg(src, FGPU_READ, 0, bytes)};
    struct submit_request request = {
        .kind = TASK_COPY, .arg_count = 2, .args = args, .kernel = TASK_NONE, .pin = pin};
    return engine_rig_submit(rig, &request, TASK_NONE);
}

static uint32_t rig_map(struct engine_rig *rig, uint32_t buffer, uint64_t begin, uint64_t bytes)
{
    struct submit_arg arg = engine_rig_arg(buffer, FGPU_READ, begin, bytes);
    struct submit_request request = {.kind = TASK_MAP,
                                     .flags = TASK_F_UNLISTED,
                                     .arg_count = 1,
                                     .args = &arg,
                                     .kernel = TASK_NONE,
                                     .pin = TASK_DEVICE_ANY};
    return engine_rig_submit(rig, &request, TASK_NONE);
}

uint32_t engine_rig_map(struct engine_rig *rig, uint32_t buffer, uint64_t bytes)
{
    return rig_map(rig, buffer, 0, bytes);
}

bool engine_rig_read(struct engine_rig *rig, uint32_t buffer, uint64_t begin, uint64_t bytes,
                     uint8_t *to)
{
    uint32_t map = rig_map(rig, buffer, begin, bytes);
    engine_rig_finish(rig);
    fgpu_task_state state = engine_rig_state(rig, map);
    if (state != FGPU_TASK_RUNNING) {
        if (!task_state_ended(state)) /* it hangs */
            abort();
        engine_forget(&rig->engine, map);
        return false;
    }
    memcpy(to, engine_map_address(&rig->engine, map), (size_t)bytes);
    engine_unmap(&rig->engine, map);
    engine_rig_turn(rig);
    return true;
}

fgpu_task_state engine_rig_state(const struct engine_rig *rig, uint32_t task)
{
    return task_state(engine_task(&rig->engine, task));
}

/* ---- the crank -------------------------------------------------------------------------- */

static bool rig_take(struct engine_rig *rig)
{
    bool any = false;
    for (uint32_t i = 0; i < rig->engine.lane_count; i++) {
        struct vec *commands = &rig->engine.lanes[i].commands;
        struct engine_rig_lane *lane = &rig->lanes[i];
        for (size_t c = 0; c < commands->count; c++) {
            if (lane->taken == RIG_COMMANDS)
                abort();
            lane->commands[++lane->taken] = *(const fgpu_cmd *)vec_at(commands, c);
            any = true;
        }
        vec_clear(commands);
    }
    return any;
}

static void rig_tell_guards(struct engine_rig *rig)
{
    struct vec *guards = &rig->engine.guards;
    for (size_t i = 0; i < guards->count; i++) {
        const struct preempt_order *order = vec_at(guards, i);
        if (order->guard == 0 || order->guard > rig->guard_count ||
            !rig->guards[order->guard - 1].open)
            abort();
        rig->guards[order->guard - 1].stop = order->stop;
    }
    vec_clear(guards);
}

static void rig_guard(struct engine_rig *rig, const struct action *action)
{
    if (rig->no_guards || action->bytes > RIG_GROUPS) {
        engine_guard(&rig->engine, action->index, 0);
        return;
    }
    uint32_t at = rig->guard_count;
    for (uint32_t i = 0; i < RIG_GUARDS && rig->guard_count == RIG_GUARDS; i++)
        at = rig->guards[i].open ? at : i;
    if (at == RIG_GUARDS)
        abort();
    rig->guards[at] = (struct engine_rig_guard){.groups = action->bytes, .open = true};
    rig->guard_count += at == rig->guard_count;
    engine_guard(&rig->engine, action->index, at + 1);
}

static void rig_form(struct engine_rig *rig, const struct action *action)
{
    fgpu_code_built built = {.code = action->index + 1u};
    bool fails = rig->forms_fail >> action->form & 1;
    rig->forms_made++;
    if (fails)
        built.code = 0;
    engine_formed(&rig->engine, action->index, action->device, action->form,
                  fails ? FGPU_E_UNSUPPORTED : FGPU_OK, &built);
}

/* Where devices put pieces together a slab is a file, so that its pages can be seen twice. */
static void rig_slab(struct engine_rig *rig, const struct action *action)
{
    struct engine_rig_slab *slab = &rig->slabs[rig->slab_count++];
    size_t bytes = (size_t)action->bytes;
    if (rig->slab_count > 255)
        abort();
    *slab = (struct engine_rig_slab){.bytes = bytes, .node = action->node};
    if (rig->stitch_bytes > 0 && action->node > 0) {
        slab->file = memfd_create("rig", 0);
        if (slab->file <= 0 || ftruncate(slab->file, (off_t)bytes) != 0)
            abort();
        slab->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, slab->file, 0);
    } else {
        slab->memory = calloc(1, bytes);
    }
    if (slab->memory == NULL || slab->memory == MAP_FAILED)
        abort();
    engine_slab(&rig->engine, action->node, (uint64_t)(uintptr_t)slab->memory, bytes);
}

static const struct engine_rig_slab *rig_find_slab(const struct engine_rig *rig, uint64_t mem)
{
    for (uint32_t i = 0; i < rig->slab_count; i++)
        if ((uint64_t)(uintptr_t)rig->slabs[i].memory == mem)
            return &rig->slabs[i];
    return NULL;
}

static void rig_stitch(struct engine_rig *rig, const struct action *action)
{
    const fgpu_mem_piece *pieces = action->pieces;
    uint64_t bytes = 0, at = 0;
    for (uint64_t i = 0; i < action->bytes; i++)
        bytes += pieces[i].bytes;
    char *range = rig->no_stitches
                      ? NULL
                      : mmap(NULL, (size_t)bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (uint64_t i = 0; range != NULL && i < action->bytes; at += pieces[i++].bytes) {
        const struct engine_rig_slab *slab = rig_find_slab(rig, pieces[i].mem);
        if (slab == NULL || pieces[i].offset_bytes + pieces[i].bytes > slab->bytes ||
            mmap(range + at, (size_t)pieces[i].bytes, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_FIXED, slab->file, (off_t)pieces[i].offset_bytes) == MAP_FAILED)
            abort();
    }
    rig->stitches += range != NULL;
    engine_stitched(&rig->engine, action->node, action->index, (uint64_t)(uintptr_t)range);
}

/* The addresses stay taken: a command that used them still would be seen. */
static void rig_unstitch(struct engine_rig *rig, uint64_t mem)
{
    if (rig_find_slab(rig, mem) != NULL)
        return;
    if (rig->stitches == 0)
        abort();
    rig->stitches--;
}

static bool rig_act(struct engine_rig *rig)
{
    bool any = rig->engine.actions.count > 0;
    for (size_t i = 0; i < rig->engine.actions.count; i++) {
        struct action action = *(struct action *)vec_at(&rig->engine.actions, i);
        fgpu_code_built built = {.code = action.index + 1u};
        if (action.kind == ACTION_ALLOC) {
            rig_slab(rig, &action);
        } else if (action.kind == ACTION_STITCH) {
            rig_stitch(rig, &action);
        } else if (action.kind == ACTION_FREE) {
            rig_unstitch(rig, action.handle);
        } else if (action.kind == ACTION_BUILD) {
            engine_built(&rig->engine, action.index, action.device, FGPU_OK, &built);
        } else if (action.kind == ACTION_FORM) {
            rig_form(rig, &action);
        } else if (action.kind == ACTION_GUARD) {
            rig_guard(rig, &action);
        } else if (action.kind == ACTION_UNGUARD) {
            rig->guards[action.handle - 1].open = false;
        } else if (action.kind == ACTION_PLAN) {
            rig->plans_due++;
        }
    }
    vec_clear(&rig->engine.actions);
    return any;
}

void engine_rig_turn(struct engine_rig *rig)
{
    bool more;
    do {
        engine_turn(&rig->engine);
        rig_tell_guards(rig);
        more = rig_take(rig);
        more |= rig_act(rig);
    } while (more);
}

static uint8_t *rig_at(uint64_t mem, uint64_t offset)
{
    return (uint8_t *)(uintptr_t)(mem + offset);
}

/* Bytes [begin, end) of what a launch writes. */
static void rig_bytes(const struct engine_rig *rig, const fgpu_cmd_launch *launch, uint64_t begin,
                      uint64_t end, bool good)
{
    const fgpu_cmd_arg *args = launch->args;
    bool three = launch->arg_count >= 3; /* inc takes one, too */
    uint8_t *at[3];
    if (launch->arg_count == 0 || (!three && launch->code != rig->inc + 1u))
        abort();
    for (uint32_t i = 0; i < 3; i++)
        at[i] = rig_at(args[three ? i : 0].u.buffer.mem, args[three ? i : 0].u.buffer.offset_bytes);
    for (uint64_t i = begin; i < end; i++) {
        if (launch->code == rig->inc + 1u) {
            at[0][i] = good ? (uint8_t)(at[0][i] + 1) : RIG_GARBAGE;
        } else if (launch->code == rig->mix + 1u) {
            at[0][i] = good ? (uint8_t)(3 * at[1][i] + 5 * at[2][i] + 1) : RIG_GARBAGE;
        } else {
            at[0][i] = good ? (uint8_t)(at[2][i] + 1) : RIG_GARBAGE;
            at[1][i] = good ? (uint8_t)(at[2][i] + 2) : RIG_GARBAGE;
        }
    }
}

/* The work groups that are to run; the grid has one item for each byte. */
static void rig_slice(struct engine_rig *rig, fgpu_cmd_slice *slice, bool good)
{
    bool guarded = slice->guard != 0;
    struct engine_rig_guard *guard = &rig->guards[guarded ? slice->guard - 1 : 0];
    uint64_t local = slice->launch.local[0], begun = 0;
    slice->left = 0;
    if (guarded && !guard->open)
        abort();
    for (uint64_t g = slice->first; g < slice->first + slice->count; g++) {
        if (guarded && guard->done[g])
            continue;
        if (guarded && guard->stop && begun++ >= rig->stop_after) {
            slice->left++;
            continue;
        }
        if (guarded)
            guard->done[g] = 1;
        rig_bytes(rig, &slice->launch, g * local, (g + 1) * local, good);
    }
}

static void rig_launch(struct engine_rig *rig, fgpu_cmd_launch *launch, bool good)
{
    if (launch->part == FGPU_LAUNCH_SLICE)
        rig_slice(rig, (fgpu_cmd_slice *)(void *)launch, good);
    else
        rig_bytes(rig, launch, 0, launch->args[0].size_bytes, good);
}

/* What the command writes gets its value, or garbage. */
static void rig_effect(struct engine_rig *rig, const fgpu_cmd *cmd, bool good)
{
    if (cmd->kind == FGPU_CMD_COPY) {
        const fgpu_cmd_copy *copy = cmd->body;
        for (uint64_t row = 0; row < copy->rows; row++) {
            uint8_t *dst = rig_at(copy->dst, copy->dst_offset_bytes + row * copy->dst_pitch_bytes);
            const uint8_t *src =
                rig_at(copy->src, copy->src_offset_bytes + row * copy->src_pitch_bytes);
            if (good)
                memmove(dst, src, (size_t)copy->row_bytes);
            else
                memset(dst, RIG_GARBAGE, (size_t)copy->row_bytes);
        }
    } else if (cmd->kind == FGPU_CMD_FILL) {
        const fgpu_cmd_fill *fill = cmd->body;
        memset(rig_at(fill->mem, fill->offset_bytes), good ? fill->pattern[0] : RIG_GARBAGE,
               (size_t)fill->row_bytes);
    } else if (cmd->kind == FGPU_CMD_LAUNCH) {
        rig_launch(rig, cmd->body, good);
    }
}

static void rig_execute(struct engine_rig *rig, struct engine_rig_lane *lane, uint64_t number)
{
    const fgpu_cmd *cmd = &lane->commands[number];
    fgpu_cmd_result *result = cmd->body;
    result->status = FGPU_OK;
    result->timed = lane->end_ns > 0;
    result->start_ns = lane->start_ns;
    result->end_ns = lane->end_ns;
    if (cmd->kind == FGPU_CMD_FENCE) {
        lane->skipping = false;
    } else if (lane->skipping && (cmd->flags & FGPU_CMD_CHAINED)) {
        result->status = FGPU_E_CANCELLED;
    } else if (lane->fails[number]) {
        rig_effect(rig, cmd, false);
        lane->skipping = true;
        result->status = FGPU_E_DEVICE;
    } else {
        rig_effect(rig, cmd, true);
    }
}

void engine_rig_work(struct engine_rig *rig, uint32_t index, uint64_t number)
{
    struct engine_rig_lane *lane = &rig->lanes[index];
    if (number > lane->taken)
        number = lane->taken;
    while (lane->done < number)
        rig_execute(rig, lane, ++lane->done);
    engine_progress(&rig->engine, index, number);
}

void engine_rig_lose(struct engine_rig *rig, uint32_t device)
{
    uint32_t node = rig->engine.devices[device].node;
    for (uint32_t i = 0; i < rig->slab_count; i++)
        if (rig->slabs[i].node == node)
            memset(rig->slabs[i].memory, RIG_GARBAGE,
                   rig->slabs[i].bytes < RIG_SPOILED ? (size_t)rig->slabs[i].bytes : RIG_SPOILED);
    engine_device_lost(&rig->engine, device, "the test says so");
}

void engine_rig_finish(struct engine_rig *rig)
{
    bool more = true;
    while (more) {
        engine_rig_turn(rig);
        more = false;
        for (uint32_t i = 0; i < rig->engine.lane_count; i++) {
            if (rig->engine.devices[rig->engine.lanes[i].device].lost ||
                rig->lanes[i].done == rig->lanes[i].taken)
                continue;
            engine_rig_work(rig, i, rig->lanes[i].taken);
            more = true;
        }
    }
}
