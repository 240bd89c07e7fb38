/* An in-order queue driven by hand; see urgent_raw.h. */
#include "cli/latency/urgent_raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/figures.h"
#include "cli/common/opencl_library.h"
#include "cli/common/waiting.h"
#include "cli/common/why.h"

#define URGENT_RAW_LATE_NS UINT64_C(10000000000) /* for callbacks after the end */

struct urgent_raw {
    struct opencl_library cl;
    const struct urgent_pool *pool;
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    cl_program program;
    cl_kernel batch, request;
    cl_mem data, seen, slots[URGENT_SLOTS];
    uint64_t launches, steps, slot_steps[URGENT_SLOTS];
};

/* A request in the queue; its callback comes on a thread of the driver. */
struct urgent_raw_request {
    cl_event event;
    uint64_t since_ns, done_ns; /* done_ns: 0 until then */
};

struct urgent_raw_run {
    struct urgent_raw *raw;
    struct urgent_run *run;
    struct urgent_raw_request requests[URGENT_SLOTS];
    uint64_t made, ended;
    cl_int batch_error; /* of the batch's thread */
};

/* ---- open and close */

static cl_mem urgent_raw_buffer(struct urgent_raw *raw, uint64_t count, uint32_t first,
                                bool is_flat, cl_int *error)
{
    uint32_t *numbers = malloc(count * sizeof *numbers);
    cl_mem mem = NULL;

    if (!numbers || *error != CL_SUCCESS) {
        *error = *error != CL_SUCCESS ? *error : CL_OUT_OF_HOST_MEMORY;
        free(numbers);
        return NULL;
    }
    for (uint64_t i = 0; i < count; i++)
        numbers[i] = is_flat ? first : first + (uint32_t)i;
    mem = raw->cl.clCreateBuffer(raw->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR,
                                 count * sizeof *numbers, numbers, error);
    free(numbers);
    return mem;
}

static cl_int urgent_raw_memory(struct urgent_raw *raw)
{
    const struct urgent_size *size = &raw->pool->size;
    uint64_t items = (uint64_t)size->request_groups * URGENT_ITEMS;
    cl_int error = CL_SUCCESS;

    raw->data = urgent_raw_buffer(raw, (uint64_t)size->groups * URGENT_ITEMS, 0, false, &error);
    raw->seen = urgent_raw_buffer(raw, (uint64_t)size->groups * URGENT_ITEMS, 0, true, &error);
    for (uint32_t i = 0; i < URGENT_SLOTS; i++)
        raw->slots[i] = urgent_raw_buffer(raw, items, i, false, &error);
    if (error == CL_SUCCESS)
        error = raw->cl.clSetKernelArg(raw->batch, 0, sizeof raw->data, &raw->data);
    if (error == CL_SUCCESS)
        error = raw->cl.clSetKernelArg(raw->batch, 1, sizeof raw->seen, &raw->seen);
    if (error == CL_SUCCESS)
        error = raw->cl.clSetKernelArg(raw->batch, 2, sizeof size->rounds, &size->rounds);
    if (error == CL_SUCCESS)
        error = raw->cl.clSetKernelArg(raw->request, 1, sizeof size->request_rounds,
                                       &size->request_rounds);
    return error;
}

static cl_int urgent_raw_make(struct urgent_raw *raw)
{
    const char *source = urgent_source;
    cl_int error = CL_SUCCESS;

    raw->context = raw->cl.clCreateContext(NULL, 1, &raw->device, NULL, NULL, &error);
    if (raw->context)
        raw->queue = raw->cl.clCreateCommandQueue(raw->context, raw->device, 0, &error);
    if (raw->queue)
        raw->program = raw->cl.clCreateProgramWithSource(raw->context, 1, &source, NULL, &error);
    if (raw->program)
        error = raw->cl.clBuildProgram(raw->program, 1, &raw->device, "", NULL, NULL);
    if (raw->program && error == CL_SUCCESS)
        raw->batch = raw->cl.clCreateKernel(raw->program, urgent_batch_entry, &error);
    if (raw->batch)
        raw->request = raw->cl.clCreateKernel(raw->program, urgent_request_entry, &error);
    if (!raw->request)
        return error != CL_SUCCESS ? error : CL_OUT_OF_HOST_MEMORY;
    return urgent_raw_memory(raw);
}

fgpu_status urgent_raw_open(const struct urgent_pool *pool, struct urgent_raw **made, char *why,
                            size_t why_bytes)
{
    unsigned index;
    char more;

    *made = NULL;
    if (sscanf(pool->info.id, "opencl:%u%c", &index, &more) != 1)
        return FGPU_OK;
    struct urgent_raw *raw = calloc(1, sizeof *raw);
    if (!raw)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");
    raw->pool = pool;
    fgpu_status status = opencl_library_open(&raw->cl, why, why_bytes);
    if (status == FGPU_OK)
        status =
            opencl_library_find(&raw->cl, index, pool->info.name, &raw->device, why, why_bytes);
    cl_int error = status == FGPU_OK ? urgent_raw_make(raw) : CL_SUCCESS;
    if (error != CL_SUCCESS)
        status = why_fail(FGPU_E_DEVICE, why, why_bytes,
                          "the queue by hand cannot be made: OpenCL error %d", (int)error);
    if (status != FGPU_OK) {
        urgent_raw_close(raw);
        return status;
    }
    *made = raw;
    return FGPU_OK;
}

void urgent_raw_close(struct urgent_raw *raw)
{
    if (!raw)
        return;
    for (uint32_t i = 0; i < URGENT_SLOTS; i++)
        if (raw->slots[i])
            (void)raw->cl.clReleaseMemObject(raw->slots[i]);
    if (raw->seen)
        (void)raw->cl.clReleaseMemObject(raw->seen);
    if (raw->data)
        (void)raw->cl.clReleaseMemObject(raw->data);
    if (raw->request)
        (void)raw->cl.clReleaseKernel(raw->request);
    if (raw->batch)
        (void)raw->cl.clReleaseKernel(raw->batch);
    if (raw->program)
        (void)raw->cl.clReleaseProgram(raw->program);
    if (raw->queue)
        (void)raw->cl.clReleaseCommandQueue(raw->queue);
    if (raw->context)
        (void)raw->cl.clReleaseContext(raw->context);
    free(raw);
}

/* ---- launches */

static cl_int urgent_raw_launch(struct urgent_raw *raw, cl_kernel kernel, uint32_t groups,
                                cl_event *event)
{
    const size_t local = URGENT_ITEMS, global = local * groups;
    cl_int error = raw->cl.clEnqueueNDRangeKernel(raw->queue, kernel, 1, NULL, &global, &local, 0,
                                                  NULL, event);
    return error == CL_SUCCESS ? raw->cl.clFlush(raw->queue) : error;
}

/* As urgent_batch_main(). */
static void *urgent_raw_batch(void *arg)
{
    struct urgent_raw_run *state = arg;
    struct urgent_raw *raw = state->raw;
    struct urgent_run *run = state->run;
    cl_event events[URGENT_SLOTS];
    uint32_t depth = run->load.depth < URGENT_SLOTS ? run->load.depth : URGENT_SLOTS;
    uint64_t made = 0, ended = 0;
    cl_int error = CL_SUCCESS;

    for (bool is_open = true; error == CL_SUCCESS && (is_open || ended < made);) {
        is_open = !waiting_is_stopped(run->stop) &&
                  (figures_wall_ns() - run->start_ns < run->load.run_ns || ended < 3);
        for (; is_open && error == CL_SUCCESS && made < ended + depth; made++)
            error = urgent_raw_launch(raw, raw->batch, raw->pool->size.groups,
                                      &events[made % URGENT_SLOTS]);
        if (error != CL_SUCCESS || ended == made)
            break;
        error = raw->cl.clWaitForEvents(1, &events[ended % URGENT_SLOTS]);
        (void)raw->cl.clReleaseEvent(events[ended++ % URGENT_SLOTS]);
        if (!is_open)
            continue;
        run->last = (struct urgent_mark){run->last.launches + 1, figures_wall_ns(),
                                         urgent_clock_ns(raw->pool)};
        if (run->first.launches == 0)
            run->first = run->last;
    }
    raw->launches += made;
    raw->steps += made * raw->pool->size.rounds;
    state->batch_error = error;
    return NULL;
}

static void CL_CALLBACK urgent_raw_done(cl_event event, cl_int status, void *user)
{
    struct urgent_raw_request *request = user;
    (void)event;
    (void)status;
    __atomic_store_n(&request->done_ns, figures_wall_ns(), __ATOMIC_RELEASE);
}

/* The oldest one; false while it is under way. */
static bool urgent_raw_take(struct urgent_raw_run *state)
{
    struct urgent_run *run = state->run;
    struct urgent_raw_request *request = &state->requests[state->ended % URGENT_SLOTS];
    uint64_t done_ns = __atomic_load_n(&request->done_ns, __ATOMIC_ACQUIRE);

    if (state->ended == state->made || done_ns == 0)
        return false;
    (void)state->raw->cl.clReleaseEvent(request->event);
    state->ended++;
    if (run->count < run->capacity)
        run->samples[run->count++] =
            (struct urgent_sample){request->since_ns - run->start_ns, done_ns - request->since_ns};
    return true;
}

static cl_int urgent_raw_request(struct urgent_raw_run *state)
{
    struct urgent_raw *raw = state->raw;
    uint32_t slot = (uint32_t)(state->made % URGENT_SLOTS);
    struct urgent_raw_request *request = &state->requests[slot];

    request->since_ns = figures_wall_ns();
    request->done_ns = 0;
    cl_int error =
        raw->cl.clSetKernelArg(raw->request, 0, sizeof raw->slots[slot], &raw->slots[slot]);
    if (error == CL_SUCCESS)
        error =
            urgent_raw_launch(raw, raw->request, raw->pool->size.request_groups, &request->event);
    if (error != CL_SUCCESS)
        return error;
    state->made++;
    raw->slot_steps[slot] += raw->pool->size.request_rounds;
    return raw->cl.clSetEventCallback(request->event, CL_COMPLETE, urgent_raw_done, request);
}

/* Callbacks may come a little after the commands have ended. */
static bool urgent_raw_drain(struct urgent_raw_run *state, uint64_t count)
{
    uint64_t start_ns = figures_wall_ns();
    while (state->made - state->ended > count) {
        if (!urgent_raw_take(state))
            (void)waiting_sleep(100000, NULL);
        if (figures_wall_ns() - start_ns > URGENT_RAW_LATE_NS)
            return false;
    }
    return true;
}

static cl_int urgent_raw_client(struct urgent_raw_run *state)
{
    struct urgent_run *run = state->run;
    uint64_t random = run->load.seed, now_ns;
    double due_ns = urgent_pause_ns(&random, run->load.mean_ns);
    cl_int error = CL_SUCCESS;

    while (due_ns < (double)run->load.run_ns && error == CL_SUCCESS) {
        now_ns = figures_wall_ns() - run->start_ns;
        if ((double)now_ns < due_ns && !waiting_sleep((uint64_t)due_ns - now_ns, run->stop))
            break;
        while (urgent_raw_take(state))
            ;
        if (!urgent_raw_drain(state, URGENT_SLOTS - 1))
            break;
        error = urgent_raw_request(state);
        due_ns += urgent_pause_ns(&random, run->load.mean_ns);
    }
    return error;
}

/* ---- a run */

static cl_int urgent_raw_read(struct urgent_raw *raw, cl_mem mem, uint64_t count, uint32_t *numbers)
{
    return raw->cl.clEnqueueReadBuffer(raw->queue, mem, CL_TRUE, 0, count * sizeof *numbers,
                                       numbers, 0, NULL, NULL);
}

static bool urgent_raw_is_right(struct urgent_raw *raw, uint32_t *numbers, cl_int *error)
{
    const struct urgent_size *size = &raw->pool->size;
    uint64_t items = (uint64_t)size->groups * URGENT_ITEMS, place;
    uint64_t request_items = (uint64_t)size->request_groups * URGENT_ITEMS;
    bool is_right = true;

    *error = urgent_raw_read(raw, raw->seen, items, numbers);
    for (uint64_t i = 0; i < items && *error == CL_SUCCESS; i++)
        is_right = is_right && numbers[i] == (uint32_t)raw->launches;
    if (*error == CL_SUCCESS)
        *error = urgent_raw_read(raw, raw->data, items, numbers);
    is_right =
        is_right && *error == CL_SUCCESS && urgent_is_right(numbers, items, 0, raw->steps, &place);
    for (uint32_t i = 0; i < URGENT_SLOTS && is_right && *error == CL_SUCCESS; i++) {
        *error = urgent_raw_read(raw, raw->slots[i], request_items, numbers);
        is_right = *error == CL_SUCCESS &&
                   urgent_is_right(numbers, request_items, i, raw->slot_steps[i], &place);
    }
    return is_right;
}

static fgpu_status urgent_raw_check(struct urgent_raw *raw, char *why, size_t why_bytes)
{
    const struct urgent_size *size = &raw->pool->size;
    uint32_t most = size->groups > size->request_groups ? size->groups : size->request_groups;
    uint32_t *numbers = calloc(most, URGENT_ITEMS * sizeof *numbers);
    cl_int error = CL_OUT_OF_HOST_MEMORY;
    bool is_right = numbers && urgent_raw_is_right(raw, numbers, &error);

    free(numbers);
    if (error != CL_SUCCESS)
        return why_fail(FGPU_E_DEVICE, why, why_bytes, "the queue by hand: OpenCL error %d",
                        (int)error);
    return is_right
               ? FGPU_OK
               : why_fail(FGPU_E_TASK, why, why_bytes, "what the queue by hand computed is wrong");
}

fgpu_status urgent_raw_run(struct urgent_raw *raw, struct urgent_run *run, char *why,
                           size_t why_bytes)
{
    struct urgent_raw_run *state = calloc(1, sizeof *state);
    cl_int error = CL_SUCCESS;
    pthread_t batch;

    run->capacity = urgent_room(&run->load);
    run->samples = calloc(run->capacity, sizeof *run->samples);
    if (!state || !run->samples) {
        free(state);
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");
    }
    *state = (struct urgent_raw_run){.raw = raw, .run = run};
    run->start_ns = figures_wall_ns();
    int failed = pthread_create(&batch, NULL, urgent_raw_batch, state);
    if (failed == 0) {
        error = urgent_raw_client(state);
        (void)pthread_join(batch, NULL);
        error = error == CL_SUCCESS ? state->batch_error : error;
    }
    bool is_drained = raw->cl.clFinish(raw->queue) == CL_SUCCESS && urgent_raw_drain(state, 0);
    if (is_drained)
        free(state); /* else a callback may still come */
    if (failed != 0)
        return why_fail(FGPU_E_SYSTEM, why, why_bytes, "no thread can be started: %s",
                        strerror(failed));
    if (error != CL_SUCCESS || !is_drained)
        return why_fail(FGPU_E_DEVICE, why, why_bytes, "the queue by hand: OpenCL error %d",
                        (int)error);
    if (waiting_is_stopped(run->stop))
        return FGPU_E_CANCELLED;
    return urgent_raw_check(raw, why, why_bytes);
}
