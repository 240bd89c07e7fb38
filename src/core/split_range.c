/* Items and bytes of the pieces of a divisible task: see split_range.h.
 *
 * Keeps true: the pieces of a task cover its grid and all that it writes, once; no work group is
 * cut.
 */
#include "core/split_range.h"

#include <string.h>

#include "core/submit.h"

#define SPLIT_RANGE_LOCAL                                                                          \
    64u /* work items of a group where the pool chooses; at least an eighth                        \
         */

/* ---- grid ------------------------------------------------------------------------------- */

/* The group size of all pieces: what the pool or the device would have chosen depends on the grid,
 * and pieces have different ones. */
static bool split_range_local(const struct kernel *kernel, const struct task *task,
                              struct split_grid *grid)
{
    const fgpu_cmd_launch *launch = task_body(task);
    bool native = kernel->variant_mask == 1u << FGPU_VARIANT_NATIVE;
    uint32_t size = SPLIT_RANGE_LOCAL;
    memcpy(grid->local, launch->local, sizeof grid->local);
    if (!(task->flags & TASK_F_AUTO_LOCAL))
        return true;
    if (kernel->required_local[0] != 0) {
        for (uint32_t d = 0; d < 3; d++)
            grid->local[d] = kernel->required_local[d] != 0 ? kernel->required_local[d] : 1;
        return true;
    }
    while (!native && launch->global[0] % size != 0)
        size /= 2;
    if (launch->global[0] < size)
        size = (uint32_t)launch->global[0];
    grid->local[0] = size;
    grid->local[1] = grid->local[2] = 1;
    return size >= SPLIT_RANGE_LOCAL / 8 || grid->dim > 0;
}

static uint64_t split_range_gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

bool split_grid_make(const struct engine *engine, const struct task *task, struct split_grid *grid)
{
    const fgpu_cmd_launch *launch = task_body(task);
    const fgpu_cut *cuts = task_cuts(task);
    *grid =
        (struct split_grid){.dim = launch->dims - 1u, .whole = launch->global[launch->dims - 1]};
    if (!split_range_local(engine_kernel(engine, task->kernel), task, grid))
        return false;
    uint64_t covered = grid->whole;
    grid->unit = grid->local[grid->dim] != 0 ? grid->local[grid->dim] : 1;
    for (uint32_t i = 0; i < task->access_count; i++) {
        const struct task_access *access = &task_accesses(task)[i];
        const fgpu_cut *cut = &cuts[access->arg];
        if (cut->kind != FGPU_CUT_ITEMS)
            continue;
        uint64_t items = cut->items != 0 ? cut->items : 1;
        uint64_t steps = (access->end - access->begin - 1) / cut->bytes + 1, reach;
        grid->unit = grid->unit / split_range_gcd(grid->unit, items) * items;
        if (grid->unit > grid->whole / 2)
            return false;
        if (!__builtin_mul_overflow(steps, items, &reach) && reach < covered)
            covered = reach; /* what is beyond uses nothing: it goes with the last unit */
    }
    grid->units = (covered - 1) / grid->unit + 1;
    return grid->units > 1;
}

/* ---- arguments -------------------------------------------------------------------------- */

/* The bytes of a cut argument that items first..end use, from its begin. */
static void split_range_bytes(const struct task_access *access, const fgpu_cut *cut, uint64_t first,
                              uint64_t end, bool last, uint64_t bytes[2])
{
    uint64_t items = cut->items != 0 ? cut->items : 1, all = access->end - access->begin;
    uint64_t from = first / items, to = (end - 1) / items + 1;
    if (access->mode == FGPU_READ) {
        from = from > cut->before ? from - cut->before : 0;
        to += cut->after;
    }
    bytes[0] = from * cut->bytes;
    bytes[1] = last || to > all / cut->bytes ? all : to * cut->bytes;
}

static void split_range_arg(const struct task *task, uint32_t i, const uint64_t bytes[2],
                            struct submit_arg *arg)
{
    const struct task_access *access = &task_accesses(task)[i];
    struct task_rect shape = task_shape(task, i);
    arg->kind = FGPU_ARG_BUFFER;
    arg->mode = access->mode;
    arg->buffer = access->buffer;
    arg->offset_bytes = access->begin + bytes[0];
    if (shape.rows == 1) {
        arg->shape = (struct task_rect){bytes[1] - bytes[0], bytes[1] - bytes[0], 1};
        return;
    }
    uint64_t row = bytes[0] / shape.pitch_bytes;
    arg->shape = shape;
    arg->shape.rows = (bytes[1] - 1) / shape.pitch_bytes + 1 - row;
}

static void split_range_args(const struct task *task, const struct split_grid *grid, uint64_t begin,
                             uint64_t end, struct submit_arg *args)
{
    const fgpu_cmd_arg *from = task_args(task);
    const fgpu_cut *cuts = task_cuts(task);
    bool last = end == grid->units;
    memset(args, 0, task->arg_count * sizeof *args);
    for (uint32_t i = 0; i < task->arg_count; i++) {
        args[i].kind = (uint8_t)from[i].kind;
        args[i].size_bytes = from[i].size_bytes;
        if (from[i].kind == FGPU_ARG_SCALAR)
            args[i].value = from[i].u.value;
    }
    for (uint32_t i = 0; i < task->access_count; i++) {
        const struct task_access *access = &task_accesses(task)[i];
        const fgpu_cut *cut = &cuts[access->arg];
        uint64_t bytes[2] = {0, access->end - access->begin};
        if (cut->kind == FGPU_CUT_ITEMS)
            split_range_bytes(access, cut, begin * grid->unit,
                              last ? grid->whole : end * grid->unit, last, bytes);
        split_range_arg(task, i, bytes, &args[access->arg]);
    }
}

fgpu_status split_record(struct engine *engine, const struct task *task,
                         const struct split_grid *grid, struct split_units units, uint32_t slot,
                         uint32_t *index)
{
    const fgpu_cmd_launch *launch = task_body(task);
    struct submit_arg args[LIMITS_KERNEL_ARGS];
    _Alignas(struct task_piece) char
        room[sizeof(struct task_piece) + LIMITS_KERNEL_ARGS * sizeof(uint64_t)];
    struct task_piece *piece = (struct task_piece *)(void *)room;
    uint64_t first = units.begin * grid->unit;
    struct submit_request request = {.kind = TASK_KERNEL,
                                     .arg_count = task->arg_count,
                                     .flags = TASK_F_UNLISTED,
                                     .kernel = task->kernel,
                                     .args = args,
                                     .priority = task->priority,
                                     .pin = task->pin,
                                     .dims = launch->dims,
                                     .piece = piece,
                                     .slot = slot,
                                     .name = task->flags & TASK_F_NAMED ? task_extra(task)->name
                                                                        : NULL};
    piece->parent = task->self;
    piece->parent_generation = task_generation(task);
    for (uint32_t i = 0; i < task->access_count; i++)
        piece->base[i] = task_accesses(task)[i].begin;
    split_range_args(task, grid, units.begin, units.end, args);
    memcpy(request.global, launch->global, sizeof request.global);
    memcpy(request.local, grid->local, sizeof request.local);
    request.global[grid->dim] =
        (units.end == grid->units ? grid->whole : units.end * grid->unit) - first;
    uint32_t generation;
    fgpu_status status = submit_prepare(engine, &request, index, &generation);
    if (status != FGPU_OK)
        return status;
    struct task *made = table_at(&engine->tasks, *index);
    fgpu_cmd_part *part = task_body(made);
    part->first = first;
    part->whole = grid->whole;
    for (uint32_t i = 0; i < task->arg_count; i++)
        task_args(made)[i].size_bytes = task_args(task)[i].size_bytes;
    return FGPU_OK;
}
