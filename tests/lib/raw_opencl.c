/* The first OpenCL device by hand: see raw_opencl.h. One thread. Programs are kept by their text,
 * since building costs far more than a launch. Regions of more than one row become the range from
 * their first to their last byte: the kernels get the address of the first one all the same.
 */
#define CL_TARGET_OPENCL_VERSION 120
#include "lib/raw_opencl.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CL/cl.h>

#define RAW_KERNEL_LIMIT 64
#define RAW_BUFFER_LIMIT 16

#define RAW_CALLS(X)                                                                               \
    X(clGetPlatformIDs)                                                                            \
    X(clGetDeviceIDs)                                                                              \
    X(clGetDeviceInfo)                                                                             \
    X(clCreateContext)                                                                             \
    X(clCreateCommandQueue)                                                                        \
    X(clCreateProgramWithSource)                                                                   \
    X(clBuildProgram)                                                                              \
    X(clGetProgramBuildInfo)                                                                       \
    X(clCreateKernel)                                                                              \
    X(clSetKernelArg)                                                                              \
    X(clCreateBuffer)                                                                              \
    X(clCreateSubBuffer)                                                                           \
    X(clEnqueueWriteBuffer)                                                                        \
    X(clEnqueueReadBuffer)                                                                         \
    X(clEnqueueNDRangeKernel)                                                                      \
    X(clFinish)                                                                                    \
    X(clReleaseMemObject)                                                                          \
    X(clReleaseKernel)                                                                             \
    X(clReleaseProgram)                                                                            \
    X(clReleaseCommandQueue)                                                                       \
    X(clReleaseContext)

struct raw_opencl {
    void *library;
#define RAW_FIELD(name) __typeof__(&name) name;
    RAW_CALLS(RAW_FIELD)
#undef RAW_FIELD
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    uint32_t align_bytes;
    uint32_t kernel_count;
    struct {
        char name[PLAN_NAME_BYTES];
        const char *text;
        cl_program program;
        cl_kernel kernel;
    } kernels[RAW_KERNEL_LIMIT];
};

/* Says what failed; returns the code. */
static int raw_failed(const char *what, cl_int code)
{
    if (code != CL_SUCCESS)
        fprintf(stderr, "%s: OpenCL error %d\n", what, code);
    return code;
}

static bool raw_load(struct raw_opencl *cl, const char *library)
{
    cl->library = dlopen(library ? library : "libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!cl->library)
        return false;
#define RAW_LOAD(name)                                                                             \
    *(void **)&cl->name = dlsym(cl->library, #name);                                               \
    if (!cl->name)                                                                                 \
        return false;
    RAW_CALLS(RAW_LOAD)
#undef RAW_LOAD
    return true;
}

static bool raw_open_device(struct raw_opencl *cl)
{
    cl_platform_id platforms[16];
    cl_uint platform_count = 0, device_count = 0, align_bits = 0;
    cl_int code;

    if (cl->clGetPlatformIDs(16, platforms, &platform_count) != CL_SUCCESS)
        return false;
    for (cl_uint i = 0; i < platform_count && device_count == 0; i++)
        if (cl->clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 1, &cl->device, &device_count) !=
            CL_SUCCESS)
            device_count = 0;
    if (device_count == 0)
        return false;
    (void)cl->clGetDeviceInfo(cl->device, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof align_bits,
                              &align_bits, NULL);
    cl->align_bytes = align_bits >= 8 ? align_bits / 8 : 128;
    cl->context = cl->clCreateContext(NULL, 1, &cl->device, NULL, NULL, &code);
    if (!cl->context)
        return false;
    cl->queue = cl->clCreateCommandQueue(cl->context, cl->device, 0, &code);
    return cl->queue != NULL;
}

struct raw_opencl *raw_opencl_open(const char *library)
{
    struct raw_opencl *cl = calloc(1, sizeof *cl);

    if (cl && raw_load(cl, library) && raw_open_device(cl))
        return cl;
    fprintf(stderr, "%s: no OpenCL library with a device\n", library ? library : "libOpenCL.so.1");
    raw_opencl_close(cl);
    return NULL;
}

uint32_t raw_opencl_align_bytes(const struct raw_opencl *cl)
{
    return cl->align_bytes;
}

static int raw_build(struct raw_opencl *cl, const struct filter_kernel *kernel, cl_kernel *built)
{
    char log[4096] = "";
    cl_int code;
    const char *text = kernel->text;

    cl_program program = cl->clCreateProgramWithSource(cl->context, 1, &text, NULL, &code);
    if (code != CL_SUCCESS)
        return raw_failed("clCreateProgramWithSource", code);
    code = cl->clBuildProgram(program, 1, &cl->device, "", NULL, NULL);
    if (code == CL_SUCCESS)
        *built = cl->clCreateKernel(program, kernel->name, &code);
    if (code != CL_SUCCESS) {
        (void)cl->clGetProgramBuildInfo(program, cl->device, CL_PROGRAM_BUILD_LOG, sizeof log, log,
                                        NULL);
        fprintf(stderr, "%s\n", log);
        (void)cl->clReleaseProgram(program);
        return raw_failed(kernel->name, code);
    }
    uint32_t number = cl->kernel_count++;
    (void)snprintf(cl->kernels[number].name, PLAN_NAME_BYTES, "%s", kernel->name);
    cl->kernels[number].text = kernel->text;
    cl->kernels[number].program = program;
    cl->kernels[number].kernel = *built;
    return CL_SUCCESS;
}

static int raw_find_kernel(struct raw_opencl *cl, const struct filter_kernel *kernel,
                           cl_kernel *found)
{
    for (uint32_t i = 0; i < cl->kernel_count; i++)
        if (cl->kernels[i].text == kernel->text && strcmp(cl->kernels[i].name, kernel->name) == 0) {
            *found = cl->kernels[i].kernel;
            return CL_SUCCESS;
        }
    if (cl->kernel_count == RAW_KERNEL_LIMIT)
        return raw_failed("too many kernels", CL_OUT_OF_RESOURCES);
    return raw_build(cl, kernel, found);
}

/* The part of a buffer that an argument names; the caller releases it. NULL: said on stderr. */
static cl_mem raw_make_part(struct raw_opencl *cl, const fgpu_region *region, cl_mem buffer,
                            uint64_t size_bytes)
{
    cl_buffer_region range = {0, size_bytes};
    cl_int code;

    if (region->row_bytes != 0) {
        range.origin = region->offset_bytes;
        range.size = (region->rows - 1) * region->pitch_bytes + region->row_bytes;
    }
    cl_mem part = cl->clCreateSubBuffer(buffer, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION,
                                        &range, &code);
    return raw_failed("clCreateSubBuffer", code) == CL_SUCCESS ? part : NULL;
}

/* Sets all arguments of a task; parts of buffers go to `parts`. */
static int raw_set_args(struct raw_opencl *cl, const struct plan *plan,
                        const struct plan_task *task, const cl_mem *buffers, cl_kernel kernel,
                        cl_mem *parts)
{
    const struct filter_kernel *described = &plan->kernels[task->kernel];
    cl_int code = CL_SUCCESS;

    for (cl_uint i = 0; i < described->param_count && code == CL_SUCCESS; i++) {
        const struct filter_arg *arg = &task->launch.args[i];
        const void *value = arg->value;
        size_t size = described->params[i].size_bytes;
        if (described->params[i].kind == FGPU_ARG_BUFFER) {
            parts[i] = raw_make_part(cl, &arg->region, buffers[arg->buffer],
                                     plan->buffers[arg->buffer].size_bytes);
            if (!parts[i])
                return CL_INVALID_BUFFER_SIZE;
            value = &parts[i];
            size = sizeof parts[i];
        }
        code = raw_failed("clSetKernelArg", cl->clSetKernelArg(kernel, i, size, value));
    }
    return code;
}

static int raw_run_task(struct raw_opencl *cl, const struct plan *plan,
                        const struct plan_task *task, const cl_mem *buffers)
{
    cl_mem parts[FILTER_PARAM_LIMIT] = {NULL};
    size_t global[2] = {task->launch.global[0], task->launch.global[1]};
    size_t local[2] = {task->launch.local[0], task->launch.local[1]};
    cl_kernel kernel = NULL;

    int code = raw_find_kernel(cl, &plan->kernels[task->kernel], &kernel);
    if (code == CL_SUCCESS)
        code = raw_set_args(cl, plan, task, buffers, kernel, parts);
    if (code == CL_SUCCESS)
        code = raw_failed(
            "clEnqueueNDRangeKernel",
            cl->clEnqueueNDRangeKernel(cl->queue, kernel, 2, NULL, global, local, 0, NULL, NULL));
    if (code == CL_SUCCESS)
        code = raw_failed("clFinish", cl->clFinish(cl->queue));
    for (int i = 0; i < FILTER_PARAM_LIMIT; i++)
        if (parts[i])
            (void)cl->clReleaseMemObject(parts[i]);
    return code;
}

/* Makes all buffers, or writes them back. */
static int raw_move(struct raw_opencl *cl, const struct plan *plan, cl_mem *buffers,
                    unsigned char *const *memory)
{
    cl_int code = CL_SUCCESS;

    for (uint32_t i = 0; i < plan->buffer_count && code == CL_SUCCESS; i++) {
        size_t size = plan->buffers[i].size_bytes;
        if (buffers[i]) {
            code = cl->clEnqueueReadBuffer(cl->queue, buffers[i], CL_TRUE, 0, size, memory[i], 0,
                                           NULL, NULL);
            continue;
        }
        buffers[i] = cl->clCreateBuffer(cl->context, CL_MEM_READ_WRITE, size, NULL, &code);
        if (code == CL_SUCCESS)
            code = cl->clEnqueueWriteBuffer(cl->queue, buffers[i], CL_TRUE, 0, size, memory[i], 0,
                                            NULL, NULL);
    }
    return raw_failed("moving buffers", code);
}

int raw_opencl_run(struct raw_opencl *cl, const struct plan *plan, unsigned char *const *memory)
{
    cl_mem buffers[RAW_BUFFER_LIMIT] = {NULL};

    if (plan->buffer_count > RAW_BUFFER_LIMIT)
        return raw_failed("too many buffers", CL_OUT_OF_RESOURCES);
    int code = raw_move(cl, plan, buffers, memory);
    for (uint32_t i = 0; i < plan->task_count && code == CL_SUCCESS; i++)
        code = raw_run_task(cl, plan, &plan->tasks[i], buffers);
    if (code == CL_SUCCESS)
        code = raw_move(cl, plan, buffers, memory);
    for (uint32_t i = 0; i < plan->buffer_count; i++)
        if (buffers[i])
            (void)cl->clReleaseMemObject(buffers[i]);
    return code;
}

void raw_opencl_close(struct raw_opencl *cl)
{
    if (!cl)
        return;
    for (uint32_t i = 0; i < cl->kernel_count; i++) {
        (void)cl->clReleaseKernel(cl->kernels[i].kernel);
        (void)cl->clReleaseProgram(cl->kernels[i].program);
    }
    if (cl->queue)
        (void)cl->clReleaseCommandQueue(cl->queue);
    if (cl->context)
        (void)cl->clReleaseContext(cl->context);
    /* The library stays loaded: drivers keep threads. */
    free(cl);
}
