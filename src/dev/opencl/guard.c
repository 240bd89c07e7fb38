/* Guards and slices of launches: see guard.h. */
#include "dev/opencl/guard.h"

#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "code/preempt.h"
#include "dev/opencl/info.h"
#include "dev/opencl/text.h"

/* PoCL compiles once more for launches of so many items in a dimension. */
#define GUARD_WIDE_ITEMS 65536u

/* ---- memory ----------------------------------------------------------------------------- */

static uint64_t guard_lines(uint64_t bytes)
{
    return (bytes + LIMITS_CACHE_LINE - 1) / LIMITS_CACHE_LINE * LIMITS_CACHE_LINE;
}

static cl_int guard_host(struct ocl_guard *guard)
{
    uint64_t bytes = LIMITS_CACHE_LINE + guard_lines(guard->groups);
    char *memory = aligned_alloc(LIMITS_CACHE_LINE, bytes);

    if (memory == NULL)
        return CL_OUT_OF_HOST_MEMORY;
    memset(memory, 0, bytes);
    guard->flag = (_Atomic uint32_t *)(void *)memory;
    guard->done = (uint8_t *)memory + LIMITS_CACHE_LINE;
    return CL_SUCCESS;
}

/* A buffer that is mapped for good; NULL with the error in *error. */
static void *guard_map(struct ocl_device *device, uint64_t bytes, cl_mem *id, cl_int *error)
{
    const struct ocl_api *api = device->api;
    cl_event event = NULL;
    void *memory = NULL;

    *id = api->clCreateBuffer(device->context->id, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes,
                              NULL, error);
    if (*error != CL_SUCCESS) {
        *id = NULL;
        return NULL;
    }
    memory = api->clEnqueueMapBuffer(device->memory_queue, *id, CL_FALSE,
                                     CL_MAP_READ | CL_MAP_WRITE, 0, bytes, 0, NULL, &event, error);
    if (*error == CL_SUCCESS)
        *error = api->clFlush(device->memory_queue);
    if (*error == CL_SUCCESS) {
        cl_int state = ocl_device_wait(api, event, LIMITS_OPENCL_WAIT_NS);
        *error = state > CL_COMPLETE ? CL_OUT_OF_RESOURCES : state;
    }
    if (event != NULL)
        (void)api->clReleaseEvent(event);
    if (*error != CL_SUCCESS)
        return NULL;
    memset(memory, 0, bytes);
    return memory;
}

static void guard_unmap(struct ocl_device *device, cl_mem id, void *memory)
{
    const struct ocl_api *api = device->api;
    cl_event event = NULL;

    if (memory != NULL && api->clEnqueueUnmapMemObject(device->memory_queue, id, memory, 0, NULL,
                                                       &event) == CL_SUCCESS) {
        if (api->clFlush(device->memory_queue) == CL_SUCCESS)
            (void)ocl_device_wait(api, event, LIMITS_OPENCL_WAIT_NS);
        (void)api->clReleaseEvent(event);
    }
    if (id != NULL)
        (void)api->clReleaseMemObject(id);
}

static cl_int guard_own(struct ocl_device *device, struct ocl_guard *guard)
{
    cl_int error = CL_INVALID_OPERATION;

    if (device->api->clEnqueueMapBuffer == NULL || device->api->clEnqueueUnmapMemObject == NULL)
        return error;
    guard->flag = guard_map(device, LIMITS_CACHE_LINE, &guard->flag_id, &error);
    if (guard->flag != NULL)
        guard->done = guard_map(device, guard_lines(guard->groups), &guard->done_id, &error);
    return error;
}

fgpu_status ocl_guard_make(struct ocl_device *device, uint64_t groups, fgpu_guard *made)
{
    struct ocl_guard *guard = calloc(1, sizeof *guard);
    cl_int error = CL_OUT_OF_HOST_MEMORY;

    *made = 0;
    if (groups == 0 || groups > CODE_PREEMPT_GROUPS) {
        free(guard);
        return error_set(FGPU_E_LIMIT, "opencl:%u: a guard for %llu groups, at most %u",
                         device->unit.root_index, (unsigned long long)groups, CODE_PREEMPT_GROUPS);
    }
    if (guard != NULL) {
        guard->groups = groups;
        error = device->caps.host_memory != 0 ? guard_host(guard) : guard_own(device, guard);
    }
    if (error == CL_SUCCESS) {
        *made = (fgpu_guard)(uintptr_t)guard;
        return FGPU_OK;
    }
    ocl_guard_close(device, (fgpu_guard)(uintptr_t)guard);
    return error_set(ocl_text_status(error), "opencl:%u: no guard for %llu groups: %s (%d)",
                     device->unit.root_index, (unsigned long long)groups, ocl_text_name(error),
                     (int)error);
}

fgpu_status ocl_guard_open(void *opened, uint64_t groups, fgpu_guard *made)
{
    struct ocl_device *device = opened;
    uint32_t live = 0;
    fgpu_status status = ocl_live_flag(device, &live);

    *made = 0;
    if (status == FGPU_OK && live == 0)
        status = error_set(FGPU_E_UNSUPPORTED,
                           "opencl:%u: a running kernel does not see what the host stores",
                           device->unit.root_index);
    return status == FGPU_OK ? ocl_guard_make(device, groups, made) : status;
}

void ocl_guard_close(void *opened, fgpu_guard closed)
{
    struct ocl_device *device = opened;
    struct ocl_guard *guard = ocl_guard_of(closed);

    if (guard == NULL)
        return;
    if (device->caps.host_memory != 0) {
        free((void *)guard->flag); /* the map lies behind it */
    } else {
        guard_unmap(device, guard->flag_id, (void *)guard->flag);
        guard_unmap(device, guard->done_id, guard->done);
    }
    free(guard);
}

void ocl_guard_stop(void *device, fgpu_guard guard, uint32_t stop)
{
    (void)device;
    atomic_store_release_u32(ocl_guard_of(guard)->flag, stop);
}

uint64_t ocl_guard_left(void *device, fgpu_guard asked, uint64_t first, uint64_t count)
{
    const struct ocl_guard *guard = ocl_guard_of(asked);
    uint64_t left = 0;

    (void)device;
    if (first >= guard->groups)
        return 0;
    if (count > guard->groups - first)
        count = guard->groups - first;
    for (uint64_t g = first; g < first + count; g++)
        left += guard->done[g] == 0;
    return left;
}

/* ---- launches --------------------------------------------------------------------------- */

/* PoCL 3.1 runs the first item of such groups twice in kernels that have a barrier and a loop, and
 * a guard is a barrier: no guard there. (Kernels with barriers of their own are as wrong without.)
 */
static bool guard_is_narrow(const struct ocl_device *device, const struct ocl_shape *shape)
{
    return shape->local[0] == 1 && shape->local[1] * shape->local[2] > 1 &&
           ocl_info_is_cpu(&device->unit);
}

cl_int ocl_guard_shape(const fgpu_cmd_slice *slice, const struct ocl_code *code,
                       struct ocl_shape *shape)
{
    const fgpu_cmd_launch *launch = &slice->launch;
    const uint32_t *wanted = launch->local[0] != 0 ? launch->local : code->required_local;
    const struct ocl_guard *guard = ocl_guard_of(slice->guard);
    uint64_t groups = 1;

    *shape = (struct ocl_shape){.grid = {(cl_uint)slice->first, 1, 1, 1}};
    if (code->form != (guard != NULL ? FGPU_FORM_GUARDED : FGPU_FORM_SLICED) || wanted[0] == 0)
        return CL_INVALID_VALUE;
    for (uint32_t d = 0; d < 3; d++) {
        uint64_t global = d < launch->dims ? launch->global[d] : 1;
        uint64_t local = d < launch->dims && wanted[d] != 0 ? wanted[d] : 1;
        if (global == 0 || global % local != 0 || global / local > CODE_PREEMPT_GROUPS)
            return CL_INVALID_VALUE;
        groups *= global / local;
        if (groups > CODE_PREEMPT_GROUPS)
            return CL_INVALID_VALUE;
        shape->grid[d + 1] = (cl_uint)(global / local);
        shape->local[d] = shape->global[d] = local;
    }
    if (guard != NULL && guard_is_narrow(code->device, shape))
        return CL_INVALID_WORK_GROUP_SIZE;
    if (slice->count == 0 || slice->count > groups || slice->first > groups - slice->count ||
        (guard != NULL && guard->groups != groups))
        return CL_INVALID_VALUE;
    shape->global[0] *= slice->count;
    return CL_SUCCESS;
}

static cl_int guard_pointer(const struct ocl_device *device, cl_kernel kernel, uint32_t index,
                            const void *address, cl_mem id)
{
    if (device->caps.host_memory != 0)
        return device->api->clSetKernelArgSVMPointer(kernel, index, address);
    return device->api->clSetKernelArg(kernel, index, sizeof id, &id);
}

cl_int ocl_guard_args(struct ocl_device *device, const struct ocl_code *code, struct ocl_args *args,
                      const struct ocl_shape *shape, const struct ocl_guard *guard)
{
    static const struct ocl_guard nothing;
    uint32_t index = code->arg_count;
    cl_int error =
        device->api->clSetKernelArg(args->kernel, index, sizeof shape->grid, shape->grid);

    if (guard == NULL)
        guard = &nothing;
    if (error == CL_SUCCESS && code->form == FGPU_FORM_GUARDED)
        error = guard_pointer(device, args->kernel, index + 1, (const void *)guard->flag,
                              guard->flag_id);
    if (error == CL_SUCCESS && code->form == FGPU_FORM_GUARDED)
        error = guard_pointer(device, args->kernel, index + 2, guard->done, guard->done_id);
    return error;
}

/* ---- compiling ahead -------------------------------------------------------------------- */

static cl_int guard_warm_run(struct ocl_device *device, cl_command_queue queue, cl_kernel kernel,
                             cl_uint dims, const struct ocl_shape *shape)
{
    const struct ocl_api *api = device->api;
    cl_event event = NULL;
    cl_int error = api->clEnqueueNDRangeKernel(queue, kernel, dims, NULL, shape->global,
                                               shape->local, 0, NULL, &event);

    if (error != CL_SUCCESS)
        return error;
    error = api->clFlush(queue);
    if (error == CL_SUCCESS)
        error = ocl_device_wait(api, event, LIMITS_OPENCL_WARM_NS);
    (void)api->clReleaseEvent(event);
    return error > CL_COMPLETE ? CL_OUT_OF_RESOURCES : error;
}

/* Could a slice of the launch be wide? It is one row of all its groups. */
static bool guard_is_wide(const fgpu_cmd_launch *launch)
{
    double items = 1;

    for (uint32_t d = 0; d < launch->dims; d++)
        items *= (double)launch->global[d];
    return items >= GUARD_WIDE_ITEMS - 1;
}

/* Groups that do nothing: one, and where the launch may be wide as many as make it so. */
static cl_int guard_warm(struct ocl_device *device, struct ocl_code *code, struct ocl_args *args,
                         const fgpu_cmd_launch *launch, cl_command_queue queue)
{
    fgpu_cmd_slice slice = {.launch = *launch, .count = 1};
    struct ocl_shape shape;
    struct ocl_guard guard = {.groups = 1};
    cl_int error = CL_SUCCESS;

    if (code->form == FGPU_FORM_GUARDED)
        slice.guard = (fgpu_guard)(uintptr_t)&guard;
    for (uint32_t d = 0; d < launch->dims; d++) {
        uint32_t local = launch->local[0] != 0 ? launch->local[d] : code->required_local[d];
        slice.launch.global[d] = local != 0 ? local : 1;
    }
    error = ocl_guard_shape(&slice, code, &shape);
    if (error != CL_SUCCESS)
        return error;
    shape.grid[0] = CODE_PREEMPT_NOTHING;
    error = ocl_args_set(device, args, launch);
    if (error == CL_SUCCESS)
        error = ocl_guard_args(device, code, args, &shape, NULL);
    if (error == CL_SUCCESS)
        error = guard_warm_run(device, queue, args->kernel, launch->dims, &shape);
    if (error != CL_SUCCESS || !guard_is_wide(launch))
        return error;
    shape.global[0] = (GUARD_WIDE_ITEMS / shape.local[0] + 1) * shape.local[0];
    return guard_warm_run(device, queue, args->kernel, launch->dims, &shape);
}

fgpu_status ocl_guard_warm(void *opened, const fgpu_cmd_launch *launch)
{
    struct ocl_device *device = opened;
    struct ocl_code *code = ocl_code_of(launch->code);
    cl_int error = CL_SUCCESS;
    cl_command_queue queue = NULL;
    struct ocl_args *args = NULL;

    if (code->form == FGPU_FORM_WHOLE || launch->dims < 1 || launch->dims > 3)
        return error_set(FGPU_E_INVAL, "opencl:%u: compiling ahead is for slices of a grid",
                         device->unit.root_index);
    args = ocl_code_args(code, OCL_CODE_WARM, &error);
    if (args != NULL)
        queue = device->api->clCreateCommandQueue(device->context->id, device->unit.id, 0, &error);
    if (args != NULL && error == CL_SUCCESS) {
        error = guard_warm(device, code, args, launch, queue);
        (void)device->api->clReleaseCommandQueue(queue);
    }
    if (error == CL_SUCCESS)
        return FGPU_OK;
    return error_set(ocl_text_status(error), "opencl:%u: compiling ahead failed: %s (%d)",
                     device->unit.root_index, ocl_text_name(error), (int)error);
}
