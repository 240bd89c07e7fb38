/*
 * Kernel objects of the fake OpenCL library and their arguments.
 *
 * Runs in the caller's thread. Arguments are checked against what parse.c found in the source; a
 * buffer argument is not held here (OpenCL does not), but a stale one is seen at the launch.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

static cl_kernel new_kernel(cl_program program, const struct kernel_info *info)
{
    cl_kernel kernel = state_alloc(sizeof(*kernel));
    object_init(&kernel->object, OBJECT_KERNEL);
    kernel->program = program;
    kernel->info = info;
    program->kernel_refs++;
    object_hold(&program->object);
    return kernel;
}

static cl_int check_program(cl_program program)
{
    if (!object_check(program, OBJECT_PROGRAM))
        return CL_INVALID_PROGRAM;
    return program->status == CL_BUILD_SUCCESS ? CL_SUCCESS : CL_INVALID_PROGRAM_EXECUTABLE;
}

static cl_kernel create(cl_program program, const char *name, cl_int *error)
{
    *error = check_program(program);
    if (*error != CL_SUCCESS)
        return NULL;
    *error = CL_INVALID_VALUE;
    if (name == NULL)
        return NULL;
    *error = CL_SUCCESS;
    for (cl_uint i = 0; i < program->image->kernel_count; i++)
        if (strcmp(program->image->kernels[i].name, name) == 0)
            return new_kernel(program, &program->image->kernels[i]);
    *error = CL_INVALID_KERNEL_NAME;
    return NULL;
}

FAKECL_API cl_kernel CL_API_CALL clCreateKernel(cl_program program, const char *name,
                                                cl_int *errcode_ret)
{
    cl_int error;
    state_lock();
    cl_kernel kernel = create(program, name, &error);
    state_unlock();
    if (errcode_ret != NULL)
        *errcode_ret = error;
    return kernel;
}

FAKECL_API cl_int CL_API_CALL clCreateKernelsInProgram(cl_program program, cl_uint num_kernels,
                                                       cl_kernel *kernels, cl_uint *num_ret)
{
    state_lock();
    cl_int error = check_program(program);
    if (error == CL_SUCCESS && kernels != NULL && num_kernels < program->image->kernel_count)
        error = CL_INVALID_VALUE;
    if (error == CL_SUCCESS) {
        for (cl_uint i = 0; kernels != NULL && i < program->image->kernel_count; i++)
            kernels[i] = new_kernel(program, &program->image->kernels[i]);
        if (num_ret != NULL)
            *num_ret = program->image->kernel_count;
    }
    state_unlock();
    return error;
}

void kernel_destroy(struct object *object)
{
    cl_kernel kernel = (cl_kernel)(void *)object;
    for (cl_uint i = 0; i < ARG_COUNT_MAX; i++)
        free(kernel->args[i].bytes);
    kernel->program->kernel_refs--;
    object_drop(&kernel->program->object);
}

FAKECL_API cl_int CL_API_CALL clRetainKernel(cl_kernel kernel)
{
    return object_api_retain(kernel, OBJECT_KERNEL, CL_INVALID_KERNEL);
}

FAKECL_API cl_int CL_API_CALL clReleaseKernel(cl_kernel kernel)
{
    return object_api_release(kernel, OBJECT_KERNEL, CL_INVALID_KERNEL);
}

static cl_int set_buffer(cl_kernel kernel, struct kernel_arg *arg, size_t size, const void *value)
{
    cl_mem mem = value == NULL ? NULL : *(const cl_mem *)value;
    if (size != sizeof(cl_mem))
        return CL_INVALID_ARG_SIZE;
    if (mem != NULL && !object_check(mem, OBJECT_MEM))
        return CL_INVALID_MEM_OBJECT;
    if (mem != NULL && mem->context != kernel->program->context)
        return CL_INVALID_MEM_OBJECT;
    arg->mem = mem;
    arg->set = true;
    return CL_SUCCESS;
}

static cl_int set_arg(cl_kernel kernel, cl_uint index, size_t size, const void *value)
{
    if (!object_check(kernel, OBJECT_KERNEL))
        return CL_INVALID_KERNEL;
    if (index >= kernel->info->arg_count)
        return CL_INVALID_ARG_INDEX;
    struct kernel_arg *arg = &kernel->args[index];
    char kind = kernel->info->kinds[index];
    if (kind == 'l') {
        if (value != NULL)
            return CL_INVALID_ARG_VALUE;
        if (size == 0)
            return CL_INVALID_ARG_SIZE;
        arg->size_bytes = size;
        arg->set = true;
        return CL_SUCCESS;
    }
    if (kind != 'v')
        return set_buffer(kernel, arg, size, value);
    if (value == NULL)
        return CL_INVALID_ARG_VALUE;
    if (size != kernel->info->sizes[index])
        return CL_INVALID_ARG_SIZE;
    if (arg->bytes == NULL)
        arg->bytes = state_alloc(size);
    memcpy(arg->bytes, value, size);
    arg->size_bytes = size;
    arg->set = true;
    return CL_SUCCESS;
}

FAKECL_API cl_int CL_API_CALL clSetKernelArg(cl_kernel kernel, cl_uint index, size_t size,
                                             const void *value)
{
    state_lock();
    cl_int error = set_arg(kernel, index, size, value);
    state_unlock();
    return error;
}

static cl_int kernel_info(cl_kernel kernel, cl_kernel_info name, size_t size, void *value,
                          size_t *ret)
{
    if (!object_check(kernel, OBJECT_KERNEL))
        return CL_INVALID_KERNEL;
    switch (name) {
    case CL_KERNEL_FUNCTION_NAME:
        return state_info(kernel->info->name, strlen(kernel->info->name) + 1, size, value, ret);
    case CL_KERNEL_NUM_ARGS:
        return state_info(&kernel->info->arg_count, sizeof(cl_uint), size, value, ret);
    case CL_KERNEL_REFERENCE_COUNT:
        return state_info(&kernel->object.api_refs, sizeof(cl_uint), size, value, ret);
    case CL_KERNEL_CONTEXT:
        return state_info(&kernel->program->context, sizeof(cl_context), size, value, ret);
    case CL_KERNEL_PROGRAM:
        return state_info(&kernel->program, sizeof(cl_program), size, value, ret);
    case CL_KERNEL_ATTRIBUTES:
        return state_info("", 1, size, value, ret);
    default:
        return CL_INVALID_VALUE;
    }
}

FAKECL_API cl_int CL_API_CALL clGetKernelInfo(cl_kernel kernel, cl_kernel_info name, size_t size,
                                              void *value, size_t *ret)
{
    state_lock();
    cl_int error = kernel_info(kernel, name, size, value, ret);
    state_unlock();
    return error;
}

FAKECL_API cl_int CL_API_CALL clGetKernelArgInfo(cl_kernel kernel, cl_uint index,
                                                 cl_kernel_arg_info name, size_t size, void *value,
                                                 size_t *ret)
{
    cl_int error = CL_KERNEL_ARG_INFO_NOT_AVAILABLE;
    (void)name;
    (void)size;
    (void)value;
    (void)ret;
    state_lock();
    if (!object_check(kernel, OBJECT_KERNEL))
        error = CL_INVALID_KERNEL;
    else if (index >= kernel->info->arg_count)
        error = CL_INVALID_ARG_INDEX;
    state_unlock();
    return error;
}

static cl_int group_info(cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info name,
                         size_t size, void *value, size_t *ret)
{
    const size_t largest = GROUP_SIZE_MAX, multiple = 32;
    cl_ulong bytes = 0;
    if (!object_check(kernel, OBJECT_KERNEL))
        return CL_INVALID_KERNEL;
    if (device != NULL &&
        (!object_check(device, OBJECT_DEVICE) || !context_has(kernel->program->context, device)))
        return CL_INVALID_DEVICE;
    if (device == NULL && kernel->program->device_count > 1)
        return CL_INVALID_DEVICE;
    switch (name) {
    case CL_KERNEL_WORK_GROUP_SIZE:
        return state_info(&largest, sizeof(largest), size, value, ret);
    case CL_KERNEL_COMPILE_WORK_GROUP_SIZE:
        return state_info(kernel->info->required_local, sizeof(kernel->info->required_local), size,
                          value, ret);
    case CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE:
        return state_info(&multiple, sizeof(multiple), size, value, ret);
    case CL_KERNEL_LOCAL_MEM_SIZE:
        for (cl_uint i = 0; i < kernel->info->arg_count; i++)
            bytes += kernel->info->kinds[i] == 'l' ? kernel->args[i].size_bytes : 0;
        return state_info(&bytes, sizeof(bytes), size, value, ret);
    case CL_KERNEL_PRIVATE_MEM_SIZE:
        return state_info(&bytes, sizeof(bytes), size, value, ret);
    default:
        return CL_INVALID_VALUE;
    }
}

FAKECL_API cl_int CL_API_CALL clGetKernelWorkGroupInfo(cl_kernel kernel, cl_device_id device,
                                                       cl_kernel_work_group_info name, size_t size,
                                                       void *value, size_t *ret)
{
    state_lock();
    cl_int error = group_info(kernel, device, name, size, value, ret);
    state_unlock();
    return error;
}
