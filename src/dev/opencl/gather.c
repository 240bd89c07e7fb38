/* Chooses what is gathered, and makes the copies in a native function: see gather.h. */
#include "dev/opencl/gather.h"

#include <stdlib.h>
#include "dev/host/region.h"
#include "dev/opencl/mem.h"
#include "dev/opencl/scatter.h"

struct gather_list {
    uint32_t count;
    fgpu_cmd_copy copies[]; /* the records may go before a device that is given up has ended */
};

/* The arguments of the native call, of which OpenCL keeps a copy with an address for the mem. There
 * is only one, for PoCL (3.1) gives the addresses of several in an order of its own. */
struct gather_call {
    const struct gather_list *list;
    void *mem;
};

static fgpu_mem gather_mem(const fgpu_cmd_copy *copy)
{
    return copy->src_is_host != 0 ? copy->dst : copy->src;
}

/* OpenCL looks at what it is asked for; what we do in its stead has to look, too. */
static bool gather_is_inside(const fgpu_cmd_copy *copy)
{
    bool in = copy->src_is_host != 0;
    uint64_t end_bytes;

    return region_end(in ? copy->dst_offset_bytes : copy->src_offset_bytes,
                      in ? copy->dst_pitch_bytes : copy->src_pitch_bytes, copy->row_bytes,
                      copy->rows, &end_bytes) &&
           end_bytes <= ocl_mem_of(gather_mem(copy))->whole.size_bytes;
}

bool ocl_gather_takes(const fgpu_cmd *cmd)
{
    const fgpu_cmd_copy *copy = cmd->body;

    return cmd->kind == FGPU_CMD_COPY && copy->src_is_host != copy->dst_is_host && copy->src != 0 &&
           copy->dst != 0 && copy->row_bytes != 0 && copy->rows != 0 &&
           copy->row_bytes <= LIMITS_OPENCL_GATHER_BYTES &&
           copy->rows <= LIMITS_OPENCL_GATHER_BYTES / copy->row_bytes &&
           region_copy_status(copy) == FGPU_OK && gather_is_inside(copy);
}

/* The first copies of one allocation, in either direction. */
static uint32_t gather_count_native(const fgpu_cmd *cmds, uint32_t count)
{
    uint32_t taken = 0;

    while (taken < count && ocl_gather_takes(&cmds[taken]) &&
           gather_mem(cmds[taken].body) == gather_mem(cmds[0].body))
        taken++;
    return taken;
}

uint32_t ocl_gather_count(const struct ocl_queue *queue, const fgpu_cmd *cmds, uint32_t count)
{
    uint32_t taken = 0;

    if (queue->device->caps.host_memory != 0 || count < LIMITS_OPENCL_GATHER_LEAST)
        return 0;
    taken =
        queue->native ? gather_count_native(cmds, count) : ocl_scatter_count(queue, cmds, count);
    return taken < LIMITS_OPENCL_GATHER_LEAST ? 0 : taken;
}

/* Runs on a thread of the device. */
static void CL_CALLBACK gather_native(void *args)
{
    const struct gather_call *call = args;

    for (uint32_t i = 0; i < call->list->count; i++) {
        const fgpu_cmd_copy *copy = &call->list->copies[i];
        char *own = call->mem;
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
    struct gather_list *list = malloc(sizeof *list + count * sizeof list->copies[0]);
    cl_mem id = ocl_mem_of(gather_mem(cmds[0].body))->whole.id;
    struct gather_call call = {.list = list, .mem = id};
    const void *place = &call.mem;
    cl_int error = CL_SUCCESS;

    if (list == NULL)
        return CL_OUT_OF_HOST_MEMORY;
    list->count = count;
    for (uint32_t i = 0; i < count; i++)
        list->copies[i] = *(const fgpu_cmd_copy *)cmds[i].body;
    error = queue->api->clEnqueueNativeKernel(queue->id, gather_native, &call, sizeof call, 1, &id,
                                              &place, 0, NULL, &last->event);
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
