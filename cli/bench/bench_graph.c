/* Makes and submits the graphs: see bench_graph.h. */
#include "cli/bench/bench_graph.h"

#include <stdlib.h>

#define BENCH_BUFFER_BYTES 64
#define BENCH_STOP_EVERY 1024u /* tasks or buffers between looks at the stop flag */
#define BENCH_ARGS 3

const char *const bench_shape_names[BENCH_SHAPES + 1] = {"independent", "chain", "wavefront",
                                                         "cholesky", NULL};

/* What a kernel does to its buffers, in the order of its arguments. */
enum bench_modes { BENCH_RW, BENCH_W, BENCH_R_W, BENCH_RR_W, BENCH_R_RW, BENCH_RR_RW };

static const struct {
    const char *name;
    uint32_t arg_count;
    fgpu_access access[BENCH_ARGS];
} bench_modes[BENCH_KERNELS] = {
    [BENCH_RW] = {"rw", 1, {FGPU_READ_WRITE}},
    [BENCH_W] = {"w", 1, {FGPU_WRITE}},
    [BENCH_R_W] = {"r_w", 2, {FGPU_READ, FGPU_WRITE}},
    [BENCH_RR_W] = {"rr_w", 3, {FGPU_READ, FGPU_READ, FGPU_WRITE}},
    [BENCH_R_RW] = {"r_rw", 2, {FGPU_READ, FGPU_READ_WRITE}},
    [BENCH_RR_RW] = {"rr_rw", 3, {FGPU_READ, FGPU_READ, FGPU_READ_WRITE}},
};

/* One counter for each worker, a cache line apart; a worker writes its own only. */
static struct {
    uint64_t count;
    char apart[56];
} bench_ran[BENCH_WORKERS_LIMIT];

static int bench_body(const fgpu_range *range, void *const *args, void *user)
{
    (void)range;
    (void)args;
    (void)user;
    return 0;
}

static int bench_body_counted(const fgpu_range *range, void *const *args, void *user)
{
    (void)args;
    (void)user;
    bench_ran[range->worker % BENCH_WORKERS_LIMIT].count++;
    return 0;
}

uint64_t bench_graph_take_ran(void)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < BENCH_WORKERS_LIMIT; i++) {
        sum += bench_ran[i].count;
        bench_ran[i].count = 0;
    }
    return sum;
}

uint64_t bench_graph_tasks(enum bench_shape shape, uint64_t edge)
{
    if (shape == BENCH_WAVEFRONT)
        return edge * edge;
    if (shape == BENCH_CHOLESKY)
        return edge + edge * (edge - 1) + edge * (edge - 1) / 2 * (edge > 1 ? edge - 2 : 0) / 3;
    return edge;
}

uint64_t bench_graph_buffers(enum bench_shape shape, uint64_t edge)
{
    if (shape == BENCH_CHAIN)
        return 1;
    return shape == BENCH_INDEPENDENT ? edge : edge * edge;
}

static fgpu_status bench_graph_kernel(fgpu_pool pool, enum bench_modes modes, bool is_counted,
                                      fgpu_kernel *kernel)
{
    fgpu_status status = fgpu_kernel_create(pool, bench_modes[modes].name, kernel);

    if (status == FGPU_OK)
        status =
            fgpu_kernel_add_native(*kernel, is_counted ? bench_body_counted : bench_body, NULL);
    for (uint32_t i = 0; i < bench_modes[modes].arg_count && status == FGPU_OK; i++)
        status = fgpu_kernel_set_arg(*kernel, i, FGPU_ARG_BUFFER, bench_modes[modes].access[i], 0);
    return status;
}

static bool bench_graph_is_stopped(const struct bench_graph *graph, uint64_t i)
{
    return i % BENCH_STOP_EVERY == 0 && graph->stop && *graph->stop;
}

fgpu_status bench_graph_init(struct bench_graph *graph, bool is_counted)
{
    fgpu_status status = FGPU_OK;

    graph->task_count = bench_graph_tasks(graph->shape, graph->edge);
    graph->buffer_count = bench_graph_buffers(graph->shape, graph->edge);
    graph->after = NULL;
    graph->buffers = calloc(graph->buffer_count, sizeof *graph->buffers);
    if (!graph->buffers)
        return FGPU_E_NOMEM;
    for (uint32_t i = 0; i < BENCH_KERNELS && status == FGPU_OK; i++)
        status =
            bench_graph_kernel(graph->pool, (enum bench_modes)i, is_counted, &graph->kernels[i]);
    for (uint64_t i = 0; i < graph->buffer_count && status == FGPU_OK; i++) {
        status = fgpu_buffer_create(graph->pool, BENCH_BUFFER_BYTES, &graph->buffers[i]);
        if (status == FGPU_OK && bench_graph_is_stopped(graph, i))
            status = FGPU_E_CANCELLED;
    }
    return status;
}

void bench_graph_fini(struct bench_graph *graph)
{
    free(graph->buffers);
    graph->buffers = NULL;
}

/* ---- submission ------------------------------------------------------------------------- */

/* What the submission of one graph carries along. */
struct bench_run {
    const struct bench_graph *graph;
    fgpu_task_desc desc;
    fgpu_arg args[BENCH_ARGS];
    fgpu_graph record; /* tasks go there; 0: they are submitted */
    uint64_t submitted;
    fgpu_status status;
};

/* One task; false when it is time to end. */
static bool bench_put(struct bench_run *run, enum bench_modes modes, uint64_t a, uint64_t b,
                      uint64_t c)
{
    const struct bench_graph *graph = run->graph;
    const fgpu_buffer *buffers = graph->buffers;

    run->args[0].buffer = buffers[a];
    run->args[1].buffer = buffers[b];
    run->args[2].buffer = buffers[c];
    run->desc.kernel = graph->kernels[modes];
    run->desc.arg_count = bench_modes[modes].arg_count;
    run->status = run->record.bits != 0 ? fgpu_graph_add(run->record, &run->desc, NULL)
                                        : fgpu_task_submit(graph->pool, &run->desc, NULL);
    if (run->status != FGPU_OK)
        return false;
    run->submitted++;
    if (!bench_graph_is_stopped(graph, run->submitted))
        return true;
    run->status = FGPU_E_CANCELLED;
    return false;
}

static void bench_put_each(struct bench_run *run, uint64_t stride)
{
    uint64_t count = run->graph->task_count;

    for (uint64_t i = 0; i < count; i++)
        if (!bench_put(run, BENCH_RW, i * stride, 0, 0))
            return;
}

static void bench_put_wavefront(struct bench_run *run)
{
    uint64_t edge = run->graph->edge;

    for (uint64_t i = 0; i < edge; i++) {
        for (uint64_t j = 0; j < edge; j++) {
            uint64_t own = i * edge + j;
            bool is_good;
            if (i > 0 && j > 0)
                is_good = bench_put(run, BENCH_RR_W, own - edge, own - 1, own);
            else if (i > 0 || j > 0)
                is_good = bench_put(run, BENCH_R_W, i > 0 ? own - edge : own - 1, own, 0);
            else
                is_good = bench_put(run, BENCH_W, own, 0, 0);
            if (!is_good)
                return;
        }
    }
}

/* One column of the factorisation, right-looking. */
static bool bench_put_column(struct bench_run *run, uint64_t k)
{
    uint64_t edge = run->graph->edge, factor = k * edge + k;

    if (!bench_put(run, BENCH_RW, factor, 0, 0))
        return false;
    for (uint64_t i = k + 1; i < edge; i++)
        if (!bench_put(run, BENCH_R_RW, factor, i * edge + k, 0))
            return false;
    for (uint64_t i = k + 1; i < edge; i++) {
        for (uint64_t j = k + 1; j < i; j++)
            if (!bench_put(run, BENCH_RR_RW, i * edge + k, j * edge + k, i * edge + j))
                return false;
        if (!bench_put(run, BENCH_R_RW, i * edge + k, i * edge + i, 0))
            return false;
    }
    return true;
}

static void bench_put_all(struct bench_run *run)
{
    const struct bench_graph *graph = run->graph;

    fgpu_task_desc_init(&run->desc);
    run->desc.dims = 1;
    run->desc.global[0] = 1;
    run->desc.args = run->args;
    run->desc.after = graph->after;
    run->desc.after_count = graph->after ? 1 : 0;
    for (uint32_t i = 0; i < BENCH_ARGS; i++)
        run->args[i] = fgpu_arg_buffer(graph->buffers[0]);
    switch (graph->shape) {
    case BENCH_INDEPENDENT:
        bench_put_each(run, 1);
        break;
    case BENCH_CHAIN:
        bench_put_each(run, 0);
        break;
    case BENCH_WAVEFRONT:
        bench_put_wavefront(run);
        break;
    default:
        for (uint64_t k = 0; k < graph->edge; k++)
            if (!bench_put_column(run, k))
                break;
    }
}

fgpu_status bench_graph_submit(const struct bench_graph *graph, uint64_t *submitted)
{
    struct bench_run run = {.graph = graph};

    bench_put_all(&run);
    *submitted = run.submitted;
    return run.status;
}

fgpu_status bench_graph_record(const struct bench_graph *graph, fgpu_graph_exec *exec)
{
    struct bench_run run = {.graph = graph};
    fgpu_status status = fgpu_graph_create(graph->pool, &run.record);

    if (status != FGPU_OK)
        return status;
    bench_put_all(&run);
    status = run.status;
    if (status == FGPU_OK)
        status = fgpu_graph_instantiate(run.record, exec);
    (void)fgpu_graph_destroy(run.record);
    return status;
}
