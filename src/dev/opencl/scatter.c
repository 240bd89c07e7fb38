/* Packs copies and has a kernel distribute them: see scatter.h. */
#include "dev/opencl/scatter.h"

#include <stdlib.h>
#include <string.h>
#include "dev/opencl/gather.h"
#include "dev/opencl/mem.h"

#define SCATTER_LOCAL 64u
#define SCATTER_ALIGN 16u /* of each row on the stage */

/* Where the bytes of one row belong. */
struct scatter_entry {
    uint64_t to;   /* offset in the allocation */
    uint64_t from; /* on the stage */
    uint64_t bytes;
};

#define SCATTER_BYTES                                                                              \
    (LIMITS_OPENCL_STAGE_BYTES + LIMITS_OPENCL_GATHER_ROWS * sizeof(struct scatter_entry))

/* A row for each work group; words where both sides are aligned to them. */
static const char *const scatter_source =
    "__kernel void fgpu_scatter(__global uchar *to, __global const uchar *stage)\n"
    "{\n"
    "    __global const ulong *entry = (__global const ulong *)stage + 3 * get_group_id(0);\n"
    "    __global uchar *dst = to + entry[0];\n"
    "    __global const uchar *src = stage + entry[1];\n"
    "    ulong bytes = entry[2], words = entry[0] % 4 == 0 ? bytes / 4 : 0;\n"
    "    for (ulong i = get_local_id(0); i < words; i += get_local_size(0))\n"
    "        ((__global uint *)dst)[i] = ((__global const uint *)src)[i];\n"
    "    for (ulong i = 4 * words + get_local_id(0); i < bytes; i += get_local_size(0))\n"
    "        dst[i] = src[i];\n"
    "}\n";

/* What is packed so far. */
struct scatter_pack {
    uint32_t rows;
    uint64_t used; /* bytes of rows */
    uint64_t end;  /* of the last row in the allocation */
    fgpu_mem mem;  /* 0: none yet */
};

static uint64_t scatter_round(uint64_t bytes)
{
    return (bytes + SCATTER_ALIGN - 1) / SCATTER_ALIGN * SCATTER_ALIGN;
}

void ocl_scatter_prepare(struct ocl_device *device)
{
    const struct ocl_api *api = device->api;
    const char *text = scatter_source;
    cl_int error = CL_SUCCESS;
    cl_program program = NULL;

    if (device->scatter_tried || device->caps.host_memory != 0)
        return;
    device->scatter_tried = true;
    program = api->clCreateProgramWithSource(device->context->id, 1, &text, NULL, &error);
    if (error != CL_SUCCESS)
        return;
    error = api->clBuildProgram(program, 1, &device->unit.id, "", NULL, NULL);
    if (error == CL_SUCCESS)
        atomic_store_release_ptr(&device->scatter, program);
    else
        (void)api->clReleaseProgram(program);
}

/* Adds the rows of a copy that is as ocl_gather_takes says, without a byte; false where it must not
 * go with the others: another allocation, rows that may overlap them, no more room. */
static bool scatter_add(struct scatter_pack *pack, const fgpu_cmd_copy *copy)
{
    uint64_t row = scatter_round(copy->row_bytes);

    if (copy->src_is_host == 0 || (pack->mem != 0 && pack->mem != copy->dst) ||
        copy->dst_offset_bytes < pack->end || copy->rows > LIMITS_OPENCL_GATHER_ROWS - pack->rows ||
        row * copy->rows > LIMITS_OPENCL_STAGE_BYTES - pack->used)
        return false;
    pack->mem = copy->dst;
    pack->rows += (uint32_t)copy->rows;
    pack->used += row * copy->rows;
    pack->end = copy->dst_offset_bytes + (copy->rows - 1) * copy->dst_pitch_bytes + copy->row_bytes;
    return true;
}

/* A stage that nothing in flight uses; OCL_SCATTER_STAGES: there is none. */
static uint32_t scatter_stage(const struct ocl_queue *queue)
{
    uint32_t i = 0;

    while (i < OCL_SCATTER_STAGES && queue->scatter->until[i] > queue->reported)
        i++;
    return i;
}

uint32_t ocl_scatter_count(const struct ocl_queue *queue, const fgpu_cmd *cmds, uint32_t count)
{
    struct scatter_pack pack = {0};
    uint32_t taken = 0;

    /* What is packed is read now: nothing that is under way here may still write it. */
    if (queue->scatter == NULL || queue->scatter->broken || queue->out > queue->reported ||
        atomic_load_acquire_ptr(&queue->device->scatter) == NULL ||
        scatter_stage(queue) == OCL_SCATTER_STAGES)
        return 0;
    while (taken < count && ocl_gather_takes(&cmds[taken]) && scatter_add(&pack, cmds[taken].body))
        taken++;
    return taken;
}

/* What the queue needs, at the first time. */
static cl_int scatter_make(struct ocl_queue *queue, uint32_t stage)
{
    struct ocl_scatter *scatter = queue->scatter;
    cl_int error = CL_SUCCESS;

    if (scatter->host[stage] == NULL)
        scatter->host[stage] = malloc(SCATTER_BYTES);
    if (scatter->host[stage] == NULL)
        return CL_OUT_OF_HOST_MEMORY;
    if (scatter->kernel == NULL)
        scatter->kernel = queue->api->clCreateKernel(
            atomic_load_acquire_ptr(&queue->device->scatter), "fgpu_scatter", &error);
    if (error == CL_SUCCESS && scatter->stage == NULL) {
        scatter->stage = queue->api->clCreateBuffer(queue->device->context->id, CL_MEM_READ_ONLY,
                                                    SCATTER_BYTES, NULL, &error);
        if (error == CL_SUCCESS)
            error = queue->api->clSetKernelArg(scatter->kernel, 1, sizeof(cl_mem), &scatter->stage);
    }
    scatter->broken = error != CL_SUCCESS;
    return error;
}

/* Writes the rows of a copy behind those that are there, and their entries. */
static void scatter_rows(struct scatter_pack *pack, const fgpu_cmd_copy *copy, uint64_t base,
                         unsigned char *host)
{
    const char *src = (const char *)(uintptr_t)(copy->src + copy->src_offset_bytes);

    for (uint64_t row = 0; row < copy->rows; row++) {
        struct scatter_entry entry = {.to = copy->dst_offset_bytes + row * copy->dst_pitch_bytes,
                                      .from = base + pack->used,
                                      .bytes = copy->row_bytes};
        memcpy(host + entry.from, src + row * copy->src_pitch_bytes, copy->row_bytes);
        memcpy(host + pack->rows * sizeof entry, &entry, sizeof entry);
        pack->rows++;
        pack->used += scatter_round(copy->row_bytes);
    }
}

/* Everything into the stage. Returns how many bytes of it are used. */
static uint64_t scatter_fill(const fgpu_cmd *cmds, uint32_t count, unsigned char *host,
                             uint32_t *rows)
{
    struct scatter_pack planned = {0}, pack = {0};

    for (uint32_t i = 0; i < count; i++)
        (void)scatter_add(&planned, cmds[i].body);
    uint64_t base = scatter_round(planned.rows * sizeof(struct scatter_entry));
    for (uint32_t i = 0; i < count; i++)
        scatter_rows(&pack, cmds[i].body, base, host);
    *rows = pack.rows;
    return base + pack.used;
}

cl_int ocl_scatter_enqueue(struct ocl_queue *queue, const fgpu_cmd *cmds, uint32_t count,
                           struct ocl_record *last)
{
    const struct ocl_api *api = queue->api;
    struct ocl_scatter *scatter = queue->scatter;
    const fgpu_cmd_copy *first = cmds[0].body;
    uint32_t stage = scatter_stage(queue), rows = 0;
    size_t local = SCATTER_LOCAL, global;
    cl_mem to = ocl_mem_of(first->dst)->whole.id;
    cl_event written = NULL;
    cl_int error = scatter_make(queue, stage);

    if (error == CL_SUCCESS)
        error = api->clSetKernelArg(scatter->kernel, 0, sizeof to, &to);
    if (error != CL_SUCCESS)
        return error;
    uint64_t bytes = scatter_fill(cmds, count, scatter->host[stage], &rows);
    global = rows * local;
    error = api->clEnqueueWriteBuffer(queue->id, scatter->stage, CL_FALSE, 0, bytes,
                                      scatter->host[stage], 0, NULL, &written);
    if (error != CL_SUCCESS)
        return error;
    /* From here on the stage is read; where others come instead they hold it as long. */
    scatter->until[stage] = last->number;
    /* The order would do, but not tell that the write has failed. */
    error = api->clEnqueueNDRangeKernel(queue->id, scatter->kernel, 1, NULL, &global, &local, 1,
                                        &written, &last->event);
    (void)api->clReleaseEvent(written);
    scatter->broken = error <= CL_INVALID_VALUE; /* it would never be taken */
    return error;
}

void ocl_scatter_free(struct ocl_queue *queue)
{
    struct ocl_scatter *scatter = queue->scatter;

    if (scatter == NULL)
        return;
    if (scatter->kernel != NULL)
        (void)queue->api->clReleaseKernel(scatter->kernel);
    if (scatter->stage != NULL)
        (void)queue->api->clReleaseMemObject(scatter->stage);
    for (uint32_t i = 0; i < OCL_SCATTER_STAGES; i++)
        free(scatter->host[i]);
    free(scatter);
}
