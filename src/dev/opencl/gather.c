/* Chooses what is gathered, and makes the copies in a native function: see gather.h. */
#include "dev/opencl/gather.h"

#include <stdlib.h>
#include "dev/host/region.h"
#include "dev/opencl/mem.h"
#include "dev/opencl/scatter.h"

#define GATHER_MEMS 64u /* different allocations in one native call */

struct gather_item {
    fgpu_cmd_copy copy; /* the record may go before a device that is given up has ended */
    uint32_t mem;
};

struct gather_list {
    uint32_t count;
    struct gather_item items[];
};

/* The arguments of the native call, of which OpenCL keeps a copy with addresses for the mems. */
struct gather_call {
    const struct gather_list *list;
    void *mems[GATHER_MEMS];
};

struct gather_mems {
    uint32_t count;
    cl_mem ids[GATHER_MEMS];
};

bool ocl_gather_takes(const fgpu_cmd *cmd)
{
    const fgpu_cmd_copy *copy = cmd->body;

    return cmd->kind == FGPU_CMD_COPY && copy->src_is_host != copy->dst_is_host && copy->src != 0 &&
           copy->dst != 0 && copy->row_bytes != 0 && copy->rows != 0 &&
           copy->row_bytes <= LIMITS_OPENCL_GATHER_BYTES &&
           copy->rows <= LIMITS_OPENCL_GATHER_BYTES / copy->row_bytes &&
           region_copy_status(copy) == FGPU_OK;
}

/* Place of the device's side; GATHER_MEMS: there is no more room. */
static uint32_t gather_mem(struct gather_mems *mems, const fgpu_cmd_copy *copy)
{
    cl_mem id = ocl_mem_of(copy->src_is_host != 0 ? copy->dst : copy->src)->whole.id;

    for (uint32_t i = mems->count; i > 0; i--)
        if (mems->ids[i - 1] == id)
            return i - 1;
    if (mems->count < GATHER_MEMS)
        mems->ids[mems->count++] = id;
    else
        return GATHER_MEMS;
    return mems->count - 1;
}

uint32_t ocl_gather_count(const struct ocl_queue *queue, const fgpu_cmd *cmds, uint32_t count)
{
    struct gather_mems mems = {0};
    uint32_t taken = 0;

    if (queue->device->caps.host_memory != 0 || count < LIMITS_OPENCL_GATHER_LEAST)
        return 0;
    if (!queue->native)
        taken = ocl_scatter_count(queue, cmds, count);
    else
        while (taken < count && ocl_gather_takes(&cmds[taken]) &&
               gather_mem(&mems, cmds[taken].body) < GATHER_MEMS)
            taken++;
    return taken < LIMITS_OPENCL_GATHER_LEAST ? 0 : taken;
}

/* Runs on a thread of the device. */
static void CL_CALLBACK gather_native(void *args)
{
    const struct gather_call *call = args;

    for (uint32_t i = 0; i < call->list->count; i++) {
        const struct gather_item *item = &call->list->items[i];
        const fgpu_cmd_copy *copy = &item->copy;
        char *own = call->mems[item->mem];
        char *src = copy->src_is_host != 0 ? (char *)(uintptr_t)copy->src : own;
        char *dst = copy->src_is_host != 0 ? own : (char *)(uintptr_t)copy->dst;
        region_copy((struct region){dst + copy->dst_offset_bytes, copy->dst_pitch_bytes},
                    (struct region){src + copy->src_offset_bytes, copy->src_pitch_bytes},
                    copy->row_bytes, copy->rows);
    }
}

static cl_int gather_call(struct ocl_queue *queue, const fgpu_cmd *cmds, uint32_t count,
                          struct ocl_record *last)
{
    struct gather_list *list = malloc(sizeof *list + count * sizeof list->items[0]);
    struct gather_mems mems = {0};
    struct gather_call call = {.list = list};
    const void *places[GATHER_MEMS];
    cl_int error = CL_SUCCESS;

    if (list == NULL)
        return CL_OUT_OF_HOST_MEMORY;
    list->count = count;
    for (uint32_t i = 0; i < count; i++) {
        const fgpu_cmd_copy *copy = cmds[i].body;
        list->items[i] = (struct gather_item){*copy, gather_mem(&mems, copy)};
    }
    for (uint32_t i = 0; i < mems.count; i++) {
        call.mems[i] = mems.ids[i];
        places[i] = &call.mems[i];
    }
    error = queue->api->clEnqueueNativeKernel(queue->id, gather_native, &call, sizeof call,
                                              mems.count, mems.ids, places, 0, NULL, &last->event);
    if (error == CL_SUCCESS)
        last->staging = list;
    else
        free(list);
    return error;
}

cl_int ocl_gather_enqueue(struct ocl_queue *queue, const fgpu_cmd *cmds, uint32_t count,
                          struct ocl_record *last)
{
    return queue->native ? gather_call(queue, cmds, count, last)
                         : ocl_scatter_enqueue(queue, cmds, count, last);
}
