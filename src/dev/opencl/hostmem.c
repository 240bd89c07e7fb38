/* Tries a CPU device on host memory: see hostmem.h. */
#include "dev/opencl/hostmem.h"

#include <stdlib.h>
#include <string.h>
#include "base/limits.h"

#define HOSTMEM_ITEMS 200u /* no multiple of a vector */
#define HOSTMEM_SHIFT 13u  /* an odd address */
#define HOSTMEM_BYTES 512u
#define HOSTMEM_ADD 5u

struct hostmem_verdict {
    const struct ocl_api *api;
    cl_device_id root;
    bool works;
    struct hostmem_verdict *next;
};

static struct lock hostmem_lock;
static struct hostmem_verdict *hostmem_verdicts; /* kept until the process ends */

static const char *const hostmem_source =
    "__kernel void fgpu_try(__global uchar *a, uchar add)\n"
    "{ size_t i = get_global_id(0); a[i] = (uchar)(a[i] + add + i); }\n";

bool ocl_hostmem_native(const struct ocl_unit *unit)
{
    cl_device_exec_capabilities can = 0;

    return unit->api->clEnqueueNativeKernel != NULL &&
           unit->api->clGetDeviceInfo(unit->id, CL_DEVICE_EXECUTION_CAPABILITIES, sizeof(can), &can,
                                      NULL) == CL_SUCCESS &&
           (can & CL_EXEC_NATIVE_KERNEL) != 0;
}

/* The kernel adds in place on bytes [SHIFT, SHIFT + ITEMS) and leaves their neighbours alone. */
static bool hostmem_check(const uint8_t *bytes)
{
    for (uint32_t i = 0; i < HOSTMEM_BYTES; i++) {
        uint32_t inside = i - HOSTMEM_SHIFT;
        uint32_t want = i * 7;
        if (inside < HOSTMEM_ITEMS)
            want += HOSTMEM_ADD + inside;
        if (bytes[i] != (uint8_t)want)
            return false;
    }
    return true;
}

static cl_int hostmem_run(const struct ocl_api *api, cl_command_queue queue, cl_kernel kernel,
                          uint8_t *bytes)
{
    const cl_uchar add = HOSTMEM_ADD;
    size_t items = HOSTMEM_ITEMS;
    cl_event event = NULL;
    cl_int error = api->clSetKernelArgSVMPointer(kernel, 0, bytes + HOSTMEM_SHIFT);

    if (error == CL_SUCCESS)
        error = api->clSetKernelArg(kernel, 1, sizeof(add), &add);
    if (error == CL_SUCCESS)
        error = api->clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &items, NULL, 0, NULL, &event);
    if (error != CL_SUCCESS)
        return error;
    error = api->clFlush(queue);
    if (error == CL_SUCCESS)
        error = ocl_device_wait(api, event, LIMITS_OPENCL_WAIT_NS);
    (void)api->clReleaseEvent(event);
    return error;
}

/* Builds and runs the kernel on `bytes`. *leak: the device still uses the memory. */
static bool hostmem_try(const struct ocl_unit *unit, cl_context context, uint8_t *bytes, bool *leak)
{
    const struct ocl_api *api = unit->api;
    cl_int error = CL_SUCCESS;
    cl_int queue_error = CL_SUCCESS;
    cl_kernel kernel = NULL;
    cl_program program =
        api->clCreateProgramWithSource(context, 1, (const char **)&hostmem_source, NULL, &error);
    cl_command_queue queue = api->clCreateCommandQueue(context, unit->id, 0, &queue_error);

    if (error == CL_SUCCESS && queue_error == CL_SUCCESS)
        error = api->clBuildProgram(program, 1, &unit->id, "", NULL, NULL);
    if (error == CL_SUCCESS && queue_error == CL_SUCCESS)
        kernel = api->clCreateKernel(program, "fgpu_try", &error);
    if (kernel != NULL)
        error = hostmem_run(api, queue, kernel, bytes);
    *leak = error > CL_COMPLETE; /* it has not ended in time */
    if (*leak)
        return false;
    if (kernel != NULL)
        (void)api->clReleaseKernel(kernel);
    if (queue != NULL)
        (void)api->clReleaseCommandQueue(queue);
    if (program != NULL)
        (void)api->clReleaseProgram(program);
    return kernel != NULL && error == CL_SUCCESS && hostmem_check(bytes);
}

static bool hostmem_find_out(const struct ocl_unit *unit, cl_context context)
{
    uint64_t svm = 0;
    bool leak = false;
    bool works = false;
    uint8_t *bytes = NULL;

    if (!ocl_hostmem_native(unit) &&
        (unit->api->clEnqueueSVMMemcpy == NULL || unit->api->clEnqueueSVMMemFill == NULL))
        return false;
    if (unit->api->clGetDeviceInfo(unit->id, CL_DEVICE_SVM_CAPABILITIES, sizeof(svm), &svm, NULL) ==
            CL_SUCCESS &&
        (svm & CL_DEVICE_SVM_FINE_GRAIN_SYSTEM) != 0)
        return true;
    bytes = malloc(HOSTMEM_BYTES);
    if (bytes == NULL)
        return false;
    for (uint32_t i = 0; i < HOSTMEM_BYTES; i++)
        bytes[i] = (uint8_t)(i * 7);
    works = hostmem_try(unit, context, bytes, &leak);
    if (!leak)
        free(bytes);
    return works;
}

bool ocl_hostmem_works(const struct ocl_unit *unit, cl_context context)
{
    struct hostmem_verdict *verdict = NULL;
    bool works = false;

    lock_acquire(&hostmem_lock);
    for (verdict = hostmem_verdicts; verdict != NULL; verdict = verdict->next)
        if (verdict->api == unit->api && verdict->root == unit->root)
            break;
    if (verdict != NULL) {
        works = verdict->works;
    } else {
        works = hostmem_find_out(unit, context);
        verdict = calloc(1, sizeof(*verdict));
        if (verdict != NULL) { /* without memory for it the next device tries again */
            *verdict = (struct hostmem_verdict){unit->api, unit->root, works, hostmem_verdicts};
            hostmem_verdicts = verdict;
        }
    }
    lock_release(&hostmem_lock);
    return works;
}
