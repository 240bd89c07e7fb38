/* Commands other than launches on the calling worker: see cpu_run.h. */
#include "dev/cpu/cpu_run.h"

#include "dev/host/region.h"

static fgpu_status cpu_run_copy(const fgpu_cmd_copy *copy)
{
    struct region src = {(void *)(uintptr_t)(copy->src + copy->src_offset_bytes),
                         copy->src_pitch_bytes};
    struct region dst = {(void *)(uintptr_t)(copy->dst + copy->dst_offset_bytes),
                         copy->dst_pitch_bytes};

    if (copy->src == 0 || copy->dst == 0 || region_copy_status(copy) != FGPU_OK)
        return FGPU_E_INVAL;
    region_copy(dst, src, copy->row_bytes, copy->rows);
    return FGPU_OK;
}

static fgpu_status cpu_run_fill(const fgpu_cmd_fill *fill)
{
    struct region dst = {(void *)(uintptr_t)(fill->mem + fill->offset_bytes), fill->pitch_bytes};

    if (fill->mem == 0 || region_fill_status(fill) != FGPU_OK)
        return FGPU_E_INVAL;
    region_fill(dst, fill);
    return FGPU_OK;
}

fgpu_status cpu_run_simple(const fgpu_cmd *cmd)
{
    switch (cmd->kind) {
    case FGPU_CMD_COPY:
        return cpu_run_copy(cmd->body);
    case FGPU_CMD_FILL:
        return cpu_run_fill(cmd->body);
    case FGPU_CMD_HOST: {
        const fgpu_cmd_host *host = cmd->body;
        if (host->fn == NULL)
            return FGPU_E_INVAL;
        return host->fn(host->args, host->user) == 0 ? FGPU_OK : FGPU_E_TASK;
    }
    case FGPU_CMD_FENCE:
        return FGPU_OK;
    default:
        return FGPU_E_INVAL;
    }
}
