/* The validate layer's checks of a single command: see validate.h. Nothing here changes what the
 * layer knows, but for the first violation.
 */
#include "dev/layer/validate_state.h"

#include <inttypes.h>
#include "base/limits.h"
#include "dev/host/region.h"

#define VALIDATE_FLAGS                                                                             \
    ((uint32_t)(FGPU_CMD_NOTIFY | FGPU_CMD_TIMED | FGPU_CMD_CHAINED | FGPU_CMD_LAZY))

/* Where a check stands, for its text. */
struct validate_place {
    struct validate_device *device;
    uint32_t queue;
    uint64_t number;
};

static bool validate_fail(const struct validate_place *place, const char *what, uint64_t value,
                          uint64_t limit)
{
    return validate_violation(place->device,
                              "queue %u command %" PRIu64 ": %s (%" PRIu64 ", limit %" PRIu64 ")",
                              place->queue, place->number, what, value, limit);
}

static bool validate_memory(const struct validate_place *place, fgpu_mem mem, uint64_t end_bytes,
                            const char *what)
{
    uint64_t bytes;

    if (map_get(&place->device->memory, mem, &bytes))
        return end_bytes <= bytes || validate_fail(place, what, end_bytes, bytes);
    if (mem != 0 && place->device->caps.host_memory != 0)
        return true;
    return validate_fail(place, "memory handle is not known", mem, 0);
}

static bool validate_arg(const struct validate_place *place, const fgpu_cmd_arg *arg,
                         uint32_t index)
{
    const fgpu_device_caps *caps = &place->device->caps;
    uint64_t offset = arg->u.buffer.offset_bytes;
    uint64_t end;

    if (arg->kind == FGPU_ARG_SCALAR)
        return (arg->u.value != NULL && arg->size_bytes > 0 &&
                arg->size_bytes <= LIMITS_SCALAR_BYTES) ||
               validate_fail(place, "scalar argument without value or size", index,
                             LIMITS_SCALAR_BYTES);
    if (arg->kind == FGPU_ARG_LOCAL)
        return arg->size_bytes > 0 ||
               validate_fail(place, "local argument of 0 bytes", index, LIMITS_KERNEL_ARGS);
    if (arg->kind != FGPU_ARG_BUFFER)
        return validate_fail(place, "argument of unknown kind", arg->kind, FGPU_ARG_LOCAL);
    if (offset % caps->offset_align_bytes != 0)
        return validate_fail(place, "argument offset is not aligned", offset,
                             caps->offset_align_bytes);
    if (__builtin_add_overflow(offset, arg->size_bytes, &end))
        return validate_fail(place, "argument range wraps", offset, UINT64_MAX);
    return validate_memory(place, arg->u.buffer.mem, end, "argument ends behind its allocation");
}

static bool validate_grid(const struct validate_place *place, const fgpu_cmd_launch *launch)
{
    uint64_t items = 1;

    if (launch->dims < 1 || launch->dims > LIMITS_DIMS)
        return validate_fail(place, "launch dimensions", launch->dims, LIMITS_DIMS);
    for (uint32_t d = 0; d < launch->dims; d++) {
        if (launch->global[d] == 0)
            return validate_fail(place, "launch of 0 items in a dimension", d, LIMITS_DIMS);
        items *= launch->local[d] != 0 ? launch->local[d] : 1;
        if (items > place->device->caps.max_group_items)
            return validate_fail(place, "items of a work group", items,
                                 place->device->caps.max_group_items);
    }
    return true;
}

static bool validate_part(const struct validate_place *place, const fgpu_cmd_part *part)
{
    uint32_t last = part->launch.dims - 1u;
    uint64_t count = part->launch.global[last], local = part->launch.local[last];

    if (place->device->caps.parts == 0)
        return validate_fail(place, "launch of a part, which the device does not take", 1, 0);
    if (count > part->whole || part->first > part->whole - count)
        return validate_fail(place, "part begins behind its grid", part->first, part->whole);
    if (local != 0 && part->first % local != 0)
        return validate_fail(place, "part begins inside a work group", part->first, local);
    return true;
}

static bool validate_slice(const struct validate_place *place, const fgpu_cmd_slice *slice)
{
    uint64_t groups = 1;

    if (place->device->caps.slices == 0)
        return validate_fail(place, "launch of a slice, which the device does not take", 2, 0);
    for (uint32_t d = 0; d < slice->launch.dims; d++) {
        uint64_t global = slice->launch.global[d], local = slice->launch.local[d];
        if (local == 0 || global % local != 0)
            return validate_fail(place, "work-group size of a slice", local, global);
        if (__builtin_mul_overflow(groups, global / local, &groups))
            return validate_fail(place, "groups of a slice's grid", global / local, UINT64_MAX);
    }
    if (slice->count == 0 || slice->count > groups || slice->first > groups - slice->count)
        return validate_fail(place, "slice begins or ends behind its grid", slice->first, groups);
    return true;
}

static bool validate_launch(const struct validate_place *place, const fgpu_cmd_launch *launch)
{
    if (!map_get(&place->device->code, launch->code, NULL))
        return validate_fail(place, "code handle is not known", launch->code, 0);
    if (launch->arg_count > LIMITS_KERNEL_ARGS)
        return validate_fail(place, "arguments of a launch", launch->arg_count, LIMITS_KERNEL_ARGS);
    if (launch->arg_count > 0 && launch->args == NULL)
        return validate_fail(place, "arguments are NULL", launch->arg_count, 0);
    if (!validate_grid(place, launch) ||
        (launch->part == FGPU_LAUNCH_PART &&
         !validate_part(place, (const fgpu_cmd_part *)(const void *)launch)) ||
        (launch->part == FGPU_LAUNCH_SLICE &&
         !validate_slice(place, (const fgpu_cmd_slice *)(const void *)launch)))
        return false;
    for (uint32_t i = 0; i < launch->arg_count; i++)
        if (!validate_arg(place, &launch->args[i], i))
            return false;
    return true;
}

static bool validate_copy(const struct validate_place *place, const fgpu_cmd_copy *copy)
{
    uint64_t src_end;
    uint64_t dst_end;

    if (region_copy_status(copy) != FGPU_OK)
        return validate_fail(place, "rows of a copy overlap", copy->row_bytes,
                             copy->src_pitch_bytes < copy->dst_pitch_bytes ? copy->src_pitch_bytes
                                                                           : copy->dst_pitch_bytes);
    if (!region_end(copy->src_offset_bytes, copy->src_pitch_bytes, copy->row_bytes, copy->rows,
                    &src_end) ||
        !region_end(copy->dst_offset_bytes, copy->dst_pitch_bytes, copy->row_bytes, copy->rows,
                    &dst_end))
        return validate_fail(place, "range of a copy wraps", copy->row_bytes, UINT64_MAX);
    if (copy->src_is_host != 0 && copy->dst_is_host != 0 && place->device->caps.host_memory == 0)
        return validate_fail(place, "copy from host to host", 0, 0);
    if (copy->src == 0 || copy->dst == 0)
        return validate_fail(place, "copy without memory", copy->src, copy->dst);
    return (copy->src_is_host != 0 ||
            validate_memory(place, copy->src, src_end, "copy reads behind the allocation")) &&
           (copy->dst_is_host != 0 ||
            validate_memory(place, copy->dst, dst_end, "copy writes behind the allocation"));
}

static bool validate_fill(const struct validate_place *place, const fgpu_cmd_fill *fill)
{
    uint64_t end;

    if (region_fill_status(fill) != FGPU_OK)
        return validate_fail(place, "pattern or pitch of a fill", fill->pattern_bytes,
                             fill->row_bytes);
    if (!region_end(fill->offset_bytes, fill->pitch_bytes, fill->row_bytes, fill->rows, &end))
        return validate_fail(place, "range of a fill wraps", fill->row_bytes, UINT64_MAX);
    return validate_memory(place, fill->mem, end, "fill ends behind the allocation");
}

static bool validate_batch(const struct validate_place *place, const fgpu_cmd_batch *batch)
{
    if (place->device->caps.batches == 0 || (batch->count > 0 && batch->cmds == NULL))
        return validate_fail(place, "batch without commands, or not taken here", batch->count, 0);
    if (batch->done != 0 || batch->begun != 0)
        return validate_fail(place, "batch has begun before", batch->begun, 0);
    for (uint32_t i = 0; i < batch->count; i++) {
        const fgpu_cmd *cmd = &batch->cmds[i];
        if (cmd->body == NULL || cmd->flags != 0)
            return validate_fail(place, "flags, or no body, in a batch", cmd->flags, 0);
        bool good = cmd->kind == FGPU_CMD_LAUNCH ? validate_launch(place, cmd->body)
                    : cmd->kind == FGPU_CMD_COPY ? validate_copy(place, cmd->body)
                    : cmd->kind == FGPU_CMD_FILL
                        ? validate_fill(place, cmd->body)
                        : validate_fail(place, "unknown kind in a batch", cmd->kind, FGPU_CMD_FILL);
        if (!good)
            return false;
    }
    return true;
}

bool validate_command(struct validate_queue *queue, const fgpu_cmd *cmd, uint64_t number)
{
    struct validate_device *device = (struct validate_device *)queue->base.layer;
    const struct validate_place place = {device, queue->base.index, number};

    if (cmd->body == NULL)
        return validate_fail(&place, "body is NULL", 0, 0);
    if ((cmd->flags & ~VALIDATE_FLAGS) != 0)
        return validate_fail(&place, "unknown flags", cmd->flags, VALIDATE_FLAGS);
    if (map_get(&device->bodies, (uintptr_t)cmd->body, NULL))
        return validate_fail(&place, "body is in flight already", (uintptr_t)cmd->body, 0);
    switch (cmd->kind) {
    case FGPU_CMD_LAUNCH:
        return validate_launch(&place, cmd->body);
    case FGPU_CMD_COPY:
        return validate_copy(&place, cmd->body);
    case FGPU_CMD_FILL:
        return validate_fill(&place, cmd->body);
    case FGPU_CMD_HOST:
        if (((const fgpu_cmd_host *)cmd->body)->fn == NULL || device->caps.host_calls == 0)
            return validate_fail(&place, "host call without function, or not taken here", 0, 0);
        return true;
    case FGPU_CMD_FENCE:
        return true;
    case FGPU_CMD_BATCH:
        return validate_batch(&place, cmd->body);
    default:
        return validate_fail(&place, "unknown kind", cmd->kind, FGPU_CMD_BATCH);
    }
}
