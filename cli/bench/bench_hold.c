/* Gates and mappings: see bench_hold.h. */
#include "cli/bench/bench_hold.h"

#define BENCH_GATE_SLICE_NS 5000000
#define BENCH_GATE_SLICES 1000 /* five seconds for workers to start */

static int bench_gate_body(const fgpu_range *range, void *const *args, void *user)
{
    struct bench_gate *gate = user;

    (void)range;
    (void)args;
    (void)pthread_mutex_lock(&gate->mutex);
    gate->inside++;
    while (!gate->is_open)
        (void)pthread_cond_wait(&gate->opened, &gate->mutex);
    (void)pthread_mutex_unlock(&gate->mutex);
    return 0;
}

static fgpu_status bench_hold_kernel(struct bench_hold *hold, uint32_t arg_count)
{
    fgpu_status status = fgpu_kernel_create(hold->graph->pool, "gate", &hold->kernel);

    if (status == FGPU_OK)
        status = fgpu_kernel_add_native(hold->kernel, bench_gate_body, &hold->gate);
    if (status == FGPU_OK && arg_count > 0)
        status = fgpu_kernel_set_arg(hold->kernel, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0);
    if (status == FGPU_OK)
        status = fgpu_kernel_build(hold->kernel); /* so that each gate finds a worker at once */
    return status;
}

static fgpu_status bench_hold_submit(struct bench_hold *hold, const fgpu_arg *arg)
{
    fgpu_task_desc desc;

    fgpu_task_desc_init(&desc);
    desc.kernel = hold->kernel;
    desc.dims = 1;
    desc.global[0] = 1;
    desc.args = arg;
    desc.arg_count = arg ? 1 : 0;
    desc.priority = 1000;
    return fgpu_task_submit(hold->graph->pool, &desc, &hold->task);
}

static uint32_t bench_hold_inside(struct bench_gate *gate)
{
    (void)pthread_mutex_lock(&gate->mutex);
    uint32_t inside = gate->inside;
    (void)pthread_mutex_unlock(&gate->mutex);
    return inside;
}

/* Until `workers` gates are entered; the pool has tasks all the while, so that waiting for it ends
 * with the slice. */
static fgpu_status bench_hold_fill(struct bench_hold *hold, uint32_t workers)
{
    const volatile sig_atomic_t *stop = hold->graph->stop;

    for (int i = 0; i < BENCH_GATE_SLICES && !(stop && *stop); i++) {
        if (bench_hold_inside(&hold->gate) >= workers)
            return FGPU_OK;
        fgpu_status status = fgpu_pool_wait(hold->graph->pool, BENCH_GATE_SLICE_NS);
        if (status != FGPU_E_TIMEOUT)
            return status;
    }
    return FGPU_E_TIMEOUT;
}

fgpu_status bench_hold_begin(struct bench_hold *hold, struct bench_graph *graph, uint32_t workers)
{
    *hold = (struct bench_hold){.graph = graph};
    (void)pthread_mutex_init(&hold->gate.mutex, NULL);
    (void)pthread_cond_init(&hold->gate.opened, NULL);
    bool is_each = workers == 0 && graph->shape == BENCH_INDEPENDENT;
    fgpu_status status = bench_hold_kernel(hold, workers == 0);
    if (status != FGPU_OK)
        return status;
    if (workers > 0) {
        for (uint32_t i = 0; i < workers && status == FGPU_OK; i++)
            status = bench_hold_submit(hold, NULL);
        return status == FGPU_OK ? bench_hold_fill(hold, workers) : status;
    }
    hold->buffer = graph->buffers[0];
    if (is_each)
        status = fgpu_buffer_create(graph->pool, 1, &hold->buffer);
    if (status == FGPU_OK)
        status = fgpu_buffer_map(hold->buffer, 0, 1, FGPU_READ_WRITE, &hold->ptr);
    if (status != FGPU_OK || !is_each)
        return status;
    fgpu_arg arg = fgpu_arg_buffer(hold->buffer);
    status = bench_hold_submit(hold, &arg);
    graph->after = &hold->task;
    return status;
}

fgpu_status bench_hold_end(struct bench_hold *hold)
{
    fgpu_status status = FGPU_OK;

    hold->graph->after = NULL;
    (void)pthread_mutex_lock(&hold->gate.mutex);
    hold->gate.is_open = true;
    (void)pthread_cond_broadcast(&hold->gate.opened);
    (void)pthread_mutex_unlock(&hold->gate.mutex);
    if (hold->ptr)
        status = fgpu_buffer_unmap(hold->buffer, hold->ptr);
    hold->ptr = NULL;
    return status;
}

void bench_hold_fini(struct bench_hold *hold)
{
    (void)pthread_cond_destroy(&hold->gate.opened);
    (void)pthread_mutex_destroy(&hold->gate.mutex);
}
