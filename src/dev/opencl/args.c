/* Sets the arguments of a launch, those that have changed: see args.h. */
#include "dev/opencl/args.h"

#include <stdlib.h>
#include <string.h>
#include "dev/opencl/mem.h"

struct ocl_args *ocl_args_create(const struct ocl_api *api, cl_program program, const char *entry,
                                 uint32_t arg_count, cl_int *error)
{
    struct ocl_args *args =
        calloc(1, sizeof(*args) + (size_t)arg_count * sizeof(struct ocl_args_known));

    *error = CL_OUT_OF_HOST_MEMORY;
    if (args == NULL)
        return NULL;
    args->count = arg_count;
    args->kernel = api->clCreateKernel(program, entry, error);
    if (*error == CL_SUCCESS)
        return args;
    free(args);
    return NULL;
}

void ocl_args_destroy(const struct ocl_api *api, struct ocl_args *args)
{
    if (args == NULL)
        return;
    (void)api->clReleaseKernel(args->kernel);
    free(args);
}

static bool args_same(const struct ocl_args_known *a, const struct ocl_args_known *b)
{
    return a->kind == b->kind && a->size_bytes == b->size_bytes && a->value[0] == b->value[0] &&
           a->value[1] == b->value[1];
}

static cl_int args_set_host(const struct ocl_device *device, cl_kernel kernel, uint32_t index,
                            const fgpu_cmd_arg *arg, struct ocl_args_known *known)
{
    uint64_t address = arg->u.buffer.mem != 0 ? arg->u.buffer.mem + arg->u.buffer.offset_bytes : 0;
    struct ocl_args_known now = {.kind = FGPU_ARG_BUFFER, .value = {address}};
    cl_int error = CL_SUCCESS;

    if (args_same(known, &now))
        return CL_SUCCESS;
    error = device->api->clSetKernelArgSVMPointer(kernel, index, (const void *)(uintptr_t)address);
    if (error == CL_SUCCESS)
        *known = now;
    return error;
}

/* value[0] is the view's serial number, 0 for no buffer at all. */
static cl_int args_set_own(const struct ocl_device *device, cl_kernel kernel, uint32_t index,
                           const struct ocl_view *view, struct ocl_args_known *known)
{
    struct ocl_args_known now = {.kind = FGPU_ARG_BUFFER, .value = {view->serial}};
    cl_int error = CL_SUCCESS;

    if (args_same(known, &now))
        return CL_SUCCESS;
    error = device->api->clSetKernelArg(kernel, index, sizeof(cl_mem), &view->id);
    if (error == CL_SUCCESS)
        *known = now;
    return error;
}

static cl_int args_set_plain(const struct ocl_device *device, cl_kernel kernel, uint32_t index,
                             const fgpu_cmd_arg *arg, struct ocl_args_known *known)
{
    const void *value = arg->kind == FGPU_ARG_LOCAL ? NULL : arg->u.value;
    struct ocl_args_known now = {.kind = arg->kind, .size_bytes = (uint32_t)arg->size_bytes};
    bool small = value == NULL || arg->size_bytes <= sizeof(now.value);
    cl_int error = CL_SUCCESS;

    if (small && value != NULL)
        memcpy(now.value, value, arg->size_bytes);
    if (small && args_same(known, &now))
        return CL_SUCCESS;
    error = device->api->clSetKernelArg(kernel, index, arg->size_bytes, value);
    if (small && error == CL_SUCCESS)
        *known = now;
    return error;
}

static cl_int args_set_one(struct ocl_device *device, struct ocl_args *args, uint32_t index,
                           const fgpu_cmd_arg *arg, uint64_t number)
{
    struct ocl_args_known *known = &args->known[index];
    struct ocl_view view = {0};
    cl_int error = CL_SUCCESS;

    if (arg->kind != FGPU_ARG_BUFFER)
        error = args_set_plain(device, args->kernel, index, arg, known);
    else if (device->caps.host_memory != 0)
        error = args_set_host(device, args->kernel, index, arg, known);
    else {
        if (arg->u.buffer.mem != 0)
            error = ocl_mem_view(device, arg, number, &view);
        if (error == CL_SUCCESS)
            error = args_set_own(device, args->kernel, index, &view, known);
    }
    if (error != CL_SUCCESS)
        *known = (struct ocl_args_known){0};
    return error;
}

cl_int ocl_args_set(struct ocl_device *device, struct ocl_args *args, const fgpu_cmd_launch *launch)
{
    uint64_t number = 0;

    if (launch->arg_count != args->count)
        return CL_INVALID_KERNEL_ARGS;
    if (device->caps.host_memory == 0)
        number = atomic_add_relaxed_u64(&device->launches, 1) + 1;
    for (uint32_t i = 0; i < launch->arg_count; i++) {
        cl_int error = args_set_one(device, args, i, &launch->args[i], number);
        if (error != CL_SUCCESS)
            return error;
    }
    return CL_SUCCESS;
}
