/* Launches, copies and fills as driver calls: see command.h.
 *
 * The driver fills with patterns of 1, 2 and 4 bytes: longer ones, and those that are not aligned,
 * are interleaved into the first bytes, and then what is there is doubled.
 */
#include "dev/cuda/command.h"

#include <stdio.h>
#include <string.h>
#include "code/cuda.h"
#include "dev/cuda/guard.h"
#include "dev/cuda/stage.h"
#include "dev/host/region.h"

#define COMMAND_SEED_BYTES 4096u /* what a long pattern fills before it is doubled */
#define COMMAND_GROUP_ITEMS 256u /* of a work group that we choose, at most */
#define COMMAND_FILL_CALLS 48u   /* 16 and the doubling of bytes and rows, about */
#define COMMAND_LOCAL_ALIGN 16u
#define COMMAND_HIDDEN 4u /* parameters behind the kernel's own, at most */

/* ---- copies --------------------------------------------------------------------------------- */

static cuda_result command_copy_flat(struct cuda_queue *queue, const fgpu_cmd_copy *copy,
                                     uint64_t row)
{
    uint64_t src = copy->src + copy->src_offset_bytes + row * copy->src_pitch_bytes;
    uint64_t dst = copy->dst + copy->dst_offset_bytes + row * copy->dst_pitch_bytes;
    uint64_t bytes = copy->row_bytes;

    if (copy->src_is_host != 0)
        return queue->api->copy_in(dst, (const void *)(uintptr_t)src, bytes, queue->stream);
    if (copy->dst_is_host != 0)
        return queue->api->copy_out((void *)(uintptr_t)dst, src, bytes, queue->stream);
    return queue->api->copy_inside(dst, src, bytes, queue->stream);
}

static cuda_result command_copy_rows(struct cuda_queue *queue, const fgpu_cmd_copy *copy,
                                     struct cuda_record *record)
{
    cuda_result error = CUDA_SUCCESS;

    if (copy->rows > LIMITS_CUDA_PIECES && !cuda_queue_over(queue))
        return CUDA_ERROR_NOT_READY;
    for (uint64_t row = 0; row < copy->rows && error == CUDA_SUCCESS; row++) {
        error = command_copy_flat(queue, copy, row);
        record->spent++;
        record->runs = record->runs || error == CUDA_SUCCESS;
    }
    return error;
}

static cuda_result command_copy_2d(struct cuda_queue *queue, const fgpu_cmd_copy *copy,
                                   struct cuda_record *record)
{
    uint64_t src = copy->src + copy->src_offset_bytes;
    uint64_t dst = copy->dst + copy->dst_offset_bytes;
    struct cuda_copy_2d block = {
        .src_type = copy->src_is_host != 0 ? CUDA_MEMORY_HOST : CUDA_MEMORY_DEVICE,
        .src_host = (const void *)(uintptr_t)src,
        .src_device = src,
        .src_pitch = copy->src_pitch_bytes,
        .dst_type = copy->dst_is_host != 0 ? CUDA_MEMORY_HOST : CUDA_MEMORY_DEVICE,
        .dst_host = (void *)(uintptr_t)dst,
        .dst_device = dst,
        .dst_pitch = copy->dst_pitch_bytes,
        .width = copy->row_bytes,
        .height = copy->rows};
    cuda_result error = CUDA_ERROR_INVALID_VALUE;

    if (copy->src_pitch_bytes <= queue->device->max_pitch &&
        copy->dst_pitch_bytes <= queue->device->max_pitch)
        error = queue->api->copy_2d(&block, queue->stream);
    record->spent++;
    record->runs = record->runs || error == CUDA_SUCCESS;
    /* Some cards take only their own pitches for copies inside of them. */
    return error == CUDA_ERROR_INVALID_VALUE ? command_copy_rows(queue, copy, record) : error;
}

static cuda_result command_copy_move(struct cuda_queue *queue, const fgpu_cmd_copy *copy,
                                     struct cuda_record *record)
{
    fgpu_cmd_copy flat = *copy;

    if (copy->rows > 1 &&
        (copy->src_pitch_bytes != copy->row_bytes || copy->dst_pitch_bytes != copy->row_bytes))
        return command_copy_2d(queue, copy, record);
    flat.row_bytes *= copy->rows;
    flat.rows = 1;
    return command_copy_rows(queue, &flat, record);
}

static cuda_result command_copy(struct cuda_queue *queue, fgpu_cmd_copy *copy,
                                struct cuda_record *record)
{
    uint64_t host = copy->src_is_host != 0 ? copy->src + copy->src_offset_bytes
                                           : copy->dst + copy->dst_offset_bytes;
    uint64_t pitch = copy->src_is_host != 0 ? copy->src_pitch_bytes : copy->dst_pitch_bytes;

    if (region_copy_status(copy) != FGPU_OK || (copy->src_is_host != 0 && copy->dst_is_host != 0))
        return CUDA_ERROR_INVALID_VALUE;
    if ((copy->src_is_host != 0 || copy->dst_is_host != 0) &&
        !cuda_stage_pinned(queue->api, (const void *)(uintptr_t)host,
                           (copy->rows - 1) * pitch + copy->row_bytes))
        return cuda_stage_copy(queue, copy, record);
    return command_copy_move(queue, copy, record);
}

/* ---- fills ---------------------------------------------------------------------------------- */

/* A pattern as `count` elements of `bytes` bytes each. */
struct command_pattern {
    uint32_t bytes;
    uint32_t count;
    uint32_t values[16];
};

/* The fewest elements: as wide as the addresses allow, and once where the pattern repeats itself.
 */
static struct command_pattern command_pattern(const fgpu_cmd_fill *fill)
{
    uint64_t aligned = (fill->mem + fill->offset_bytes) | fill->pattern_bytes |
                       (fill->rows > 1 ? fill->pitch_bytes : 0);
    struct command_pattern pattern = {.bytes = 4};

    while (aligned % pattern.bytes != 0)
        pattern.bytes /= 2;
    pattern.count = fill->pattern_bytes / pattern.bytes;
    for (uint32_t i = 0; i < pattern.count; i++)
        memcpy(&pattern.values[i], fill->pattern + (size_t)i * pattern.bytes, pattern.bytes);
    while (pattern.count > 1 && memcmp(pattern.values, pattern.values + pattern.count / 2,
                                       pattern.count / 2 * sizeof pattern.values[0]) == 0)
        pattern.count /= 2;
    return pattern;
}

struct command_block {
    cuda_ptr at;
    uint64_t pitch, width, height; /* width in elements */
};

static cuda_result command_set(struct cuda_queue *queue, uint32_t bytes, uint32_t value,
                               const struct command_block *block)
{
    const struct cuda_api *api = queue->api;

    if (bytes == 4)
        return api->set_32(block->at, block->pitch, value, block->width, block->height,
                           queue->stream);
    if (bytes == 2)
        return api->set_16(block->at, block->pitch, (unsigned short)value, block->width,
                           block->height, queue->stream);
    return api->set_8(block->at, block->pitch, (unsigned char)value, block->width, block->height,
                      queue->stream);
}

/* One row of a pattern of several elements. */
static cuda_result command_fill_row(struct cuda_queue *queue, cuda_ptr at, uint64_t row_bytes,
                                    const struct command_pattern *pattern)
{
    uint64_t step = (uint64_t)pattern->bytes * pattern->count;
    uint64_t seed = row_bytes < COMMAND_SEED_BYTES ? row_bytes : COMMAND_SEED_BYTES;
    cuda_result error = CUDA_SUCCESS;

    for (uint32_t i = 0; i < pattern->count && error == CUDA_SUCCESS; i++) {
        struct command_block column = {at + (uint64_t)i * pattern->bytes, step, 1, seed / step};
        error = command_set(queue, pattern->bytes, pattern->values[i], &column);
    }
    for (uint64_t done = seed; done < row_bytes && error == CUDA_SUCCESS;) {
        uint64_t more = done < row_bytes - done ? done : row_bytes - done;
        error = queue->api->copy_inside(at + done, at, more, queue->stream);
        done += more;
    }
    return error;
}

/* Copies row 0 to all others, twice as many each time. */
static cuda_result command_fill_double(struct cuda_queue *queue, const fgpu_cmd_fill *fill,
                                       struct cuda_record *record)
{
    cuda_result error = CUDA_SUCCESS;
    fgpu_cmd_copy copy = {.src = fill->mem,
                          .dst = fill->mem,
                          .src_offset_bytes = fill->offset_bytes,
                          .src_pitch_bytes = fill->pitch_bytes,
                          .dst_pitch_bytes = fill->pitch_bytes,
                          .row_bytes = fill->row_bytes};

    for (uint64_t done = 1; done < fill->rows && error == CUDA_SUCCESS; done += copy.rows) {
        copy.rows = done < fill->rows - done ? done : fill->rows - done;
        copy.dst_offset_bytes = fill->offset_bytes + done * fill->pitch_bytes;
        error = command_copy_move(queue, &copy, record);
    }
    return error;
}

static cuda_result command_fill(struct cuda_queue *queue, const fgpu_cmd_fill *fill,
                                struct cuda_record *record)
{
    bool flat = fill->rows == 1 || fill->pitch_bytes == fill->row_bytes;
    uint64_t row_bytes = flat ? fill->row_bytes * fill->rows : fill->row_bytes;
    cuda_ptr at = fill->mem + fill->offset_bytes;
    struct command_pattern pattern;
    cuda_result error;

    if (region_fill_status(fill) != FGPU_OK)
        return CUDA_ERROR_INVALID_VALUE;
    pattern = command_pattern(fill);
    if (pattern.count == 1 && (flat || fill->pitch_bytes <= queue->device->max_pitch)) {
        struct command_block block = {at, flat ? row_bytes : fill->pitch_bytes,
                                      row_bytes / pattern.bytes, flat ? 1 : fill->rows};
        error = command_set(queue, pattern.bytes, pattern.values[0], &block);
        record->runs = error == CUDA_SUCCESS;
        record->spent = 1;
        return error;
    }
    /* Where the driver refuses blocks inside the card, the rows go one by one: found out too late,
     * for the first of them is filled by then. */
    if (!flat && fill->rows > LIMITS_CUDA_PIECES && !cuda_queue_over(queue))
        return CUDA_ERROR_NOT_READY;
    record->runs = true;
    record->spent = COMMAND_FILL_CALLS;
    error = command_fill_row(queue, at, row_bytes, &pattern);
    return error == CUDA_SUCCESS && !flat ? command_fill_double(queue, fill, record) : error;
}

/* ---- launches ------------------------------------------------------------------------------- */

struct command_launch {
    unsigned grid[3], block[3];
    unsigned shared;
    uint64_t addresses[LIMITS_KERNEL_ARGS];
    unsigned offsets[LIMITS_KERNEL_ARGS]; /* of local arguments, in the shared memory */
    void *arguments[LIMITS_KERNEL_ARGS + COMMAND_HIDDEN];
};

/* What cards of every kind take in each dimension (CUDA C++ programming guide, table of technical
 * specifications): groups of a grid, items of a group. */
static const uint64_t command_groups[3] = {INT32_MAX, 65535, 65535};
static const uint64_t command_items[3] = {1024, 1024, LIMITS_CUDA_BLOCK_Z};

/* The work-group size where nobody says one, of at most `room` items: in the first dimension the
 * largest that divides it, in the others the smallest with which the grid is not too high; 0: there
 * is none. */
static uint64_t command_choose(uint64_t global, uint32_t d, uint64_t room)
{
    uint64_t most = d == 0 ? COMMAND_GROUP_ITEMS : command_items[d];
    uint64_t local = (global + command_groups[d] - 1) / command_groups[d];

    most = room < most ? room : most;
    if (d == 0) {
        for (local = most != 0 ? most : 1; global % local != 0;)
            local--;
        return local;
    }
    while (local <= most && global % local != 0)
        local++;
    return local <= most ? local : 0;
}

/* Says why a launch is refused where the card's limits are the reason. */
static bool command_fits(struct cuda_queue *queue, uint32_t d, uint64_t groups, uint64_t local)
{
    bool fits = groups <= command_groups[d] && local <= command_items[d];

    if (!fits)
        (void)snprintf(queue->refusal, sizeof queue->refusal,
                       "dimension %u of the launch has %llu %s, at most %llu", d,
                       (unsigned long long)(groups > command_groups[d] ? groups : local),
                       groups > command_groups[d] ? "groups" : "items in a group",
                       (unsigned long long)(groups > command_groups[d] ? command_groups[d]
                                                                       : command_items[d]));
    return fits;
}

static uint64_t command_local(const struct cuda_code *code, const fgpu_cmd_launch *launch,
                              uint32_t d)
{
    if (d >= launch->dims)
        return 1;
    return launch->local[d] != 0 ? launch->local[d] : code->required_local[d];
}

/* The work-group size. The first dimension gets what the others leave. */
static bool command_shape(struct cuda_queue *queue, const struct cuda_code *code,
                          const fgpu_cmd_launch *launch, struct command_launch *shape)
{
    uint64_t items = 1, room = code->max_items;

    for (uint32_t d = 0; d < 3; d++)
        room /= command_local(code, launch, d) != 0 ? command_local(code, launch, d) : 1;
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t d = 2 - i;
        uint64_t global = d < launch->dims ? launch->global[d] : 1;
        uint64_t local = command_local(code, launch, d);
        if (global == 0)
            return false;
        if (local == 0) {
            local = command_choose(global, d, room);
            room /= local != 0 ? local : 1;
        }
        if (local == 0) {
            (void)command_fits(queue, d, global, 1);
            return false;
        }
        if (global % local != 0 || !command_fits(queue, d, global / local, local))
            return false;
        if (code->required_local[d] != 0 && local != code->required_local[d])
            return false;
        items *= local;
        shape->grid[d] = (unsigned)(global / local);
        shape->block[d] = (unsigned)local;
    }
    return items <= code->max_items;
}

static bool command_argument(const struct cuda_code *code, const fgpu_cmd_arg *arg, uint32_t index,
                             struct command_launch *shape)
{
    uint32_t wanted = code->arg_bytes[index]; /* 0: the driver does not tell */
    uint64_t end;

    switch (arg->kind) {
    case FGPU_ARG_BUFFER:
        shape->addresses[index] =
            arg->u.buffer.mem != 0 ? arg->u.buffer.mem + arg->u.buffer.offset_bytes : 0;
        shape->arguments[index] = &shape->addresses[index];
        return wanted == 0 || wanted == sizeof shape->addresses[index];
    case FGPU_ARG_SCALAR:
        memcpy(&shape->arguments[index], &arg->u.value, sizeof(void *));
        return arg->u.value != NULL && (wanted == 0 || wanted == arg->size_bytes);
    case FGPU_ARG_LOCAL:
        end = (shape->shared + arg->size_bytes + COMMAND_LOCAL_ALIGN - 1) / COMMAND_LOCAL_ALIGN *
              COMMAND_LOCAL_ALIGN;
        if (arg->size_bytes > code->max_dynamic || end > code->max_dynamic)
            return false;
        shape->offsets[index] = shape->shared;
        shape->arguments[index] = &shape->offsets[index];
        shape->shared = (unsigned)end;
        return wanted == 0 || wanted == sizeof shape->offsets[index];
    default:
        return false;
    }
}

/* Parameters behind the kernel's own, of translated kernels. */
struct command_hidden {
    uint32_t place[4];
    cuda_ptr flag, done;
    uint64_t first[CODE_CUDA_OFFSET_BYTES / sizeof(uint64_t)];
};

static void command_hide(const struct cuda_code *code, const struct cuda_guard *guard,
                         struct command_launch *shape, struct command_hidden *hidden)
{
    uint32_t index = code->arg_count;

    if (code->hidden == 0)
        return;
    if (code->form != FGPU_FORM_WHOLE)
        shape->arguments[index++] = hidden->place;
    if (guard != NULL) { /* then the code is GUARDED */
        hidden->flag = guard->flag_at;
        hidden->done = guard->done;
        shape->arguments[index++] = &hidden->flag;
        shape->arguments[index++] = &hidden->done;
    }
    shape->arguments[index] = hidden->first;
}

static bool command_slice_shape(struct cuda_queue *queue, const fgpu_cmd_launch *launch,
                                struct command_launch *shape, struct command_hidden *hidden)
{
    const struct cuda_code *code = cuda_code_of(launch->code);
    struct cuda_slice slice;

    if (!cuda_guard_shape((const fgpu_cmd_slice *)(const void *)launch, code, &slice))
        return false;
    shape->grid[0] = slice.groups;
    shape->grid[1] = shape->grid[2] = 1;
    memcpy(shape->block, slice.block, sizeof shape->block);
    memcpy(hidden->place, slice.place, sizeof hidden->place);
    return command_fits(queue, 2, 1, slice.block[2]);
}

static bool command_describe(struct cuda_queue *queue, const fgpu_cmd_launch *launch,
                             struct command_launch *shape, struct command_hidden *hidden)
{
    const struct cuda_code *code = cuda_code_of(launch->code);
    bool is_slice = launch->part == FGPU_LAUNCH_SLICE;

    if (launch->dims < 1 || launch->dims > 3 || launch->arg_count != code->arg_count ||
        launch->part == FGPU_LAUNCH_PART || is_slice != (code->form != FGPU_FORM_WHOLE))
        return false;
    if (is_slice ? !command_slice_shape(queue, launch, shape, hidden)
                 : !command_shape(queue, code, launch, shape))
        return false;
    for (uint32_t i = 0; i < launch->arg_count; i++)
        if (!command_argument(code, &launch->args[i], i, shape))
            return false;
    return true;
}

static cuda_result command_launch(struct cuda_queue *queue, const fgpu_cmd_launch *launch,
                                  struct cuda_record *record)
{
    const struct cuda_code *code = cuda_code_of(launch->code);
    struct cuda_guard *guard = record->slice != NULL ? cuda_guard_of(record->slice->guard) : NULL;
    struct command_launch shape = {.shared = 0};
    struct command_hidden hidden = {.flag = 0};
    cuda_result error = CUDA_SUCCESS;

    if (!command_describe(queue, launch, &shape, &hidden))
        return CUDA_ERROR_INVALID_VALUE;
    command_hide(code, guard, &shape, &hidden);
    if (guard != NULL)
        error = cuda_guard_before(queue, guard);
    if (error == CUDA_SUCCESS)
        error = queue->api->launch(code->function, shape.grid[0], shape.grid[1], shape.grid[2],
                                   shape.block[0], shape.block[1], shape.block[2], shape.shared,
                                   queue->stream, shape.arguments, NULL);
    record->runs = error == CUDA_SUCCESS;
    record->spent = 1;
    if (guard == NULL || error != CUDA_SUCCESS)
        return error;
    record->spent = 3;
    return cuda_guard_behind(queue, record->slice);
}

/* ---- all ------------------------------------------------------------------------------------ */

cuda_result cuda_command_enqueue(struct cuda_queue *queue, const fgpu_cmd *cmd,
                                 struct cuda_record *record)
{
    const fgpu_cmd_launch *launch = cmd->body;
    fgpu_cmd_copy *copy = cmd->body;
    const fgpu_cmd_fill *fill = cmd->body;

    switch (cmd->kind) {
    case FGPU_CMD_LAUNCH:
        return launch->code != 0 ? command_launch(queue, launch, record) : CUDA_ERROR_INVALID_VALUE;
    case FGPU_CMD_COPY:
        if (copy->row_bytes == 0 || copy->rows == 0)
            return CUDA_SUCCESS;
        return copy->src != 0 && copy->dst != 0 ? command_copy(queue, copy, record)
                                                : CUDA_ERROR_INVALID_VALUE;
    case FGPU_CMD_FILL:
        if (fill->row_bytes == 0 || fill->rows == 0)
            return CUDA_SUCCESS;
        return fill->mem != 0 ? command_fill(queue, fill, record) : CUDA_ERROR_INVALID_VALUE;
    default:
        return CUDA_ERROR_NOT_SUPPORTED;
    }
}
