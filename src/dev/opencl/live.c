/* Does a running kernel see what the host stores? See guard.h.
 *
 * A kernel looks at a guard's flag until it is set, or a number of times; the host sets it when the
 * kernel runs. Answers hold for a device of the process: nothing changes them.
 */
#include <stdlib.h>
#include "base/clock.h"
#include "base/error.h"
#include "dev/opencl/guard.h"
#include "dev/opencl/text.h"

#define LIVE_GROUPS 8u               /* bytes of the map, where the kernel writes two numbers */
#define LIVE_LEAST_ROUNDS (1u << 14) /* 16 ms where a look takes 1 us, 10 us where 1 ns */
#define LIVE_MOST_ROUNDS (1u << 26)
#define LIVE_TRIES 10u
#define LIVE_UNWRITTEN UINT32_MAX
#define LIVE_PATIENCE_NS UINT64_C(2000000000) /* for the kernel to begin */
#define LIVE_LEAD_NS 200000u                  /* it mostly looks by then */
#define LIVE_BLIND_NS UINT64_C(20000000)      /* who has not seen it by now never will */

struct live_verdict {
    const struct ocl_api *api;
    cl_device_id root;
    bool host_memory;
    uint32_t live;
    struct live_verdict *next;
};

static struct lock live_lock;
static struct live_verdict *live_verdicts; /* kept until the process ends */

static const char *const live_source =
    "__kernel void fgpu_live(volatile __global uint *flag, __global uint *seen, uint rounds)\n"
    "{ uint n = 0; while (n < rounds && flag[0] == 0u) n++; seen[0] = flag[0]; seen[1] = n; }\n";

enum live_answer { LIVE_NO, LIVE_YES, LIVE_OPEN, LIVE_FAILED };

struct live_trial {
    struct ocl_device *device;
    cl_command_queue queue;
    cl_kernel kernel;
    struct ocl_guard *guard;
    uint64_t lead_ns; /* how long the kernel runs before the store */
    cl_uint rounds;
    bool hangs; /* the device still uses it all */
    cl_int error;
};

static void live_args(struct live_trial *trial)
{
    const struct ocl_api *api = trial->device->api;

    trial->error = api->clSetKernelArg(trial->kernel, 2, sizeof trial->rounds, &trial->rounds);
    if (trial->error == CL_SUCCESS)
        trial->error =
            trial->device->caps.host_memory != 0
                ? api->clSetKernelArgSVMPointer(trial->kernel, 0, (const void *)trial->guard->flag)
                : api->clSetKernelArg(trial->kernel, 0, sizeof(cl_mem), &trial->guard->flag_id);
    if (trial->error == CL_SUCCESS)
        trial->error =
            trial->device->caps.host_memory != 0
                ? api->clSetKernelArgSVMPointer(trial->kernel, 1, trial->guard->done)
                : api->clSetKernelArg(trial->kernel, 1, sizeof(cl_mem), &trial->guard->done_id);
}

static cl_int live_state(const struct live_trial *trial, cl_event event)
{
    cl_int state = CL_COMPLETE;
    cl_int error = trial->device->api->clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS,
                                                      sizeof state, &state, NULL);

    return error == CL_SUCCESS ? state : error;
}

/* Waits until the kernel has begun, and a moment more. */
static void live_lead(const struct live_trial *trial, cl_event event)
{
    uint64_t begin_ns = clock_now_ns();
    uint64_t began_ns = 0;

    while (clock_now_ns() - begin_ns < LIVE_PATIENCE_NS) {
        cl_int state = live_state(trial, event);
        if (state <= CL_COMPLETE)
            return;
        if (state == CL_RUNNING && began_ns == 0)
            began_ns = clock_now_ns();
        if (began_ns != 0 && clock_now_ns() - began_ns > trial->lead_ns)
            return;
        atomic_pause();
    }
}

static enum live_answer live_once(struct live_trial *trial)
{
    const struct ocl_api *api = trial->device->api;
    volatile uint32_t *seen = (volatile uint32_t *)(void *)trial->guard->done;
    size_t one = 1;
    cl_event event = NULL;

    atomic_store_release_u32(trial->guard->flag, 0);
    seen[0] = seen[1] = LIVE_UNWRITTEN;
    live_args(trial);
    if (trial->error == CL_SUCCESS)
        trial->error = api->clEnqueueNDRangeKernel(trial->queue, trial->kernel, 1, NULL, &one, &one,
                                                   0, NULL, &event);
    if (trial->error != CL_SUCCESS)
        return LIVE_FAILED;
    trial->error = api->clFlush(trial->queue);
    live_lead(trial, event);
    atomic_store_release_u32(trial->guard->flag, 1);
    uint64_t stored_ns = clock_now_ns();
    bool late = live_state(trial, event) <= CL_COMPLETE;
    cl_int state = ocl_device_wait(api, event, LIMITS_OPENCL_WAIT_NS);
    uint64_t took_ns = clock_now_ns() - stored_ns;
    (void)api->clReleaseEvent(event);
    trial->hangs = state > CL_COMPLETE;
    if (state != CL_COMPLETE || trial->error != CL_SUCCESS) {
        trial->error = state < 0 ? state : CL_OUT_OF_RESOURCES;
        return LIVE_FAILED;
    }
    if (seen[1] == LIVE_UNWRITTEN) /* and we do not see what it stores */
        return LIVE_NO;
    if (seen[0] == 1 && seen[1] > 0 && seen[1] < trial->rounds)
        return LIVE_YES;
    if (seen[1] == trial->rounds && !late && took_ns > LIVE_BLIND_NS)
        return LIVE_NO;
    if (seen[1] == 0) /* it had not begun to look */
        trial->lead_ns *= 4;
    else if (trial->rounds < LIVE_MOST_ROUNDS) /* it was over */
        trial->rounds *= 16;
    return LIVE_OPEN;
}

/* Until the store falls into the time that the kernel looks. */
static enum live_answer live_run(struct live_trial *trial)
{
    enum live_answer answer = LIVE_OPEN;

    for (uint32_t tries = 0; tries < LIVE_TRIES && answer == LIVE_OPEN; tries++)
        answer = live_once(trial);
    return answer;
}

static enum live_answer live_build(struct live_trial *trial)
{
    const struct ocl_unit *unit = &trial->device->unit;
    const struct ocl_api *api = unit->api;
    cl_context context = trial->device->context->id;
    enum live_answer answer = LIVE_FAILED;
    cl_program program = api->clCreateProgramWithSource(context, 1, (const char **)&live_source,
                                                        NULL, &trial->error);

    if (trial->error != CL_SUCCESS)
        return answer;
    trial->error = api->clBuildProgram(program, 1, &unit->id, "", NULL, NULL);
    if (trial->error == CL_SUCCESS)
        trial->kernel = api->clCreateKernel(program, "fgpu_live", &trial->error);
    if (trial->error == CL_SUCCESS)
        trial->queue = api->clCreateCommandQueue(context, unit->id, 0, &trial->error);
    if (trial->error == CL_SUCCESS)
        answer = live_run(trial);
    if (trial->hangs)
        return answer;
    if (trial->queue != NULL)
        (void)api->clReleaseCommandQueue(trial->queue);
    if (trial->kernel != NULL)
        (void)api->clReleaseKernel(trial->kernel);
    (void)api->clReleaseProgram(program);
    return answer;
}

static enum live_answer live_try(struct ocl_device *device)
{
    struct live_trial trial = {
        .device = device, .lead_ns = LIVE_LEAD_NS, .rounds = LIVE_LEAST_ROUNDS};
    fgpu_guard guard = 0;
    enum live_answer answer = LIVE_FAILED;

    if (ocl_guard_make(device, LIVE_GROUPS, &guard) != FGPU_OK)
        return answer;
    trial.guard = ocl_guard_of(guard);
    answer = live_build(&trial);
    if (!trial.hangs)
        ocl_guard_close(device, guard);
    return answer;
}

static struct live_verdict *live_find(const struct ocl_device *device)
{
    for (struct live_verdict *v = live_verdicts; v != NULL; v = v->next)
        if (v->api == device->api && v->root == device->unit.root &&
            v->host_memory == (device->caps.host_memory != 0))
            return v;
    return NULL;
}

fgpu_status ocl_live_flag(void *opened, uint32_t *live)
{
    struct ocl_device *device = opened;
    enum live_answer answer = LIVE_FAILED;

    *live = 0;
    lock_acquire(&live_lock);
    struct live_verdict *verdict = live_find(device);
    if (verdict == NULL) {
        answer = live_try(device);
        verdict = answer <= LIVE_YES ? calloc(1, sizeof *verdict) : NULL;
        if (verdict != NULL) {
            *verdict = (struct live_verdict){.api = device->api,
                                             .root = device->unit.root,
                                             .host_memory = device->caps.host_memory != 0,
                                             .live = answer == LIVE_YES,
                                             .next = live_verdicts};
            live_verdicts = verdict;
        }
    }
    if (verdict != NULL)
        *live = verdict->live;
    lock_release(&live_lock);
    if (verdict != NULL)
        return FGPU_OK;
    return error_set(
        answer == LIVE_OPEN ? FGPU_E_AGAIN : FGPU_E_DEVICE,
        "opencl:%u: whether a running kernel sees the host's stores could not be tried",
        device->unit.root_index);
}
