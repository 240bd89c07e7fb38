/* The runs of `fastgpu bench tiles`: see bench_tiles.h. Everything goes through the public
 * interface. Results are checked with a vector: what the matrices that came out do to it is what
 * those that went in do. Main thread. */
#include "cli/bench/bench_tiles.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/evaluate/evaluate_machine.h"
#include "cli/common/figures.h"
#include "cli/filters/kernels.h"
#include "cli/common/waiting.h"

/* Of float sums of so many terms, relative to the sum of their sizes. */
#define TILES_LOSS 1e-4

#define TILES_SAMPLES_LIMIT 4096

static const char *const tiles_kernel_names[TILES_KERNELS] = {"tile_multiply", "tile_update",
                                                              "tile_factor", "tile_solve"};

/* Times of one kernel on one device. */
struct tiles_times {
    double list[TILES_SAMPLES_LIMIT];
    uint32_t count;
};

struct tiles_state {
    fgpu_pool pool;
    enum tiles_shape shape;
    const struct tiles_options *options;
    struct tiles_result *result;
    const volatile sig_atomic_t *stop;
    struct tiles_graph graph;
    fgpu_kernel kernels[TILES_KERNELS];
    fgpu_buffer *buffers;
    fgpu_device devices[TILES_DEVICES_LIMIT];
    uint32_t queues[TILES_DEVICES_LIMIT];
    double cores;
    struct tiles_times times[TILES_KERNELS][TILES_DEVICES_LIMIT];
    struct tiles_begun *begun; /* of the traced round, by task */
};

/* When a task of the traced round began. */
struct tiles_begun {
    uint64_t handle, start_ns;
    uint32_t task;
};

/* ---- matrices */

/* An element between -0.5 and 0.5 that depends on its place alone. */
static double tiles_noise(uint64_t i, uint64_t j)
{
    uint64_t z = i * UINT64_C(0x9E3779B97F4A7C15) + j * UINT64_C(0xBF58476D1CE4E5B9) + 1;

    z = (z ^ (z >> 30)) * UINT64_C(0x94D049BB133111EB);
    return (double)(z >> 40) / 16777216.0 - 0.5;
}

/* Element (i, j) of matrix `which` as it goes in: of a product a, b and an empty c; of a
 * factorisation one that is symmetric and has a heavy diagonal. */
static float tiles_value(const struct tiles_state *state, uint32_t which, uint64_t i, uint64_t j)
{
    uint64_t edge = state->options->tiles * state->options->size;

    if (state->shape == TILES_PRODUCT)
        return which == 2 ? 0.0f : (float)tiles_noise(i + which * edge, j);
    return (float)(i < j ? tiles_noise(i, j) : tiles_noise(j, i)) +
           (i == j ? (float)edge / 2.0f : 0.0f);
}

/* Whether a buffer takes part: of a factorisation the lower half does. */
static bool tiles_is_used(const struct tiles_state *state, uint32_t buffer)
{
    uint32_t n = (uint32_t)state->options->tiles;

    return state->shape == TILES_PRODUCT || buffer / n >= buffer % n;
}

static fgpu_status tiles_fill(struct tiles_state *state)
{
    uint64_t n = state->options->tiles, size = state->options->size;
    fgpu_status status = FGPU_OK;

    for (uint32_t b = 0; b < state->graph.buffer_count && status == FGPU_OK; b++) {
        uint32_t which = (uint32_t)(b / (n * n));
        uint64_t row = b / n % n * size, column = b % n * size;
        void *memory;
        if (!tiles_is_used(state, b))
            continue;
        status =
            fgpu_buffer_map(state->buffers[b], 0, size * size * sizeof(float), FGPU_WRITE, &memory);
        if (status != FGPU_OK)
            break;
        float *to = memory;
        for (uint64_t i = 0; i < size * size; i++)
            to[i] = tiles_value(state, which, row + i / size, column + i % size);
        status = fgpu_buffer_unmap(state->buffers[b], memory);
    }
    return status;
}

/* y += m x, or y += m' x, where m is the matrix of the buffers from `first` on as it came out. */
static fgpu_status tiles_apply(struct tiles_state *state, uint32_t first, bool is_mirrored,
                               const double *x, double *y)
{
    uint64_t n = state->options->tiles, size = state->options->size;
    fgpu_status status = FGPU_OK;

    for (uint32_t b = 0; b < n * n && status == FGPU_OK; b++) {
        uint64_t row = b / n * size, column = b % n * size;
        void *memory;
        if (!tiles_is_used(state, b))
            continue;
        status = fgpu_buffer_map(state->buffers[first + b], 0, size * size * sizeof(float),
                                 FGPU_READ, &memory);
        if (status != FGPU_OK)
            break;
        const float *from = memory;
        for (uint64_t i = 0; i < size * size; i++) {
            uint64_t to = row + i / size, at = column + i % size;
            y[is_mirrored ? at : to] += (double)from[i] * x[is_mirrored ? to : at];
        }
        status = fgpu_buffer_unmap(state->buffers[first + b], memory);
    }
    return status;
}

/* y = m x with a matrix as it went in. */
static void tiles_apply_given(const struct tiles_state *state, uint32_t which, const double *x,
                              double *y, double *sizes)
{
    uint64_t edge = state->options->tiles * state->options->size;

    for (uint64_t i = 0; i < edge; i++) {
        y[i] = sizes[i] = 0.0;
        for (uint64_t j = 0; j < edge; j++) {
            double term = (double)tiles_value(state, which, i, j) * x[j];
            y[i] += term;
            sizes[i] += fabs(term);
        }
    }
}

static fgpu_status tiles_check(struct tiles_state *state)
{
    uint64_t n = state->options->tiles, edge = n * state->options->size;
    double *room = calloc(5 * edge, sizeof *room);
    double *x = room, *mid = room + edge, *want = room + 2 * edge, *got = room + 3 * edge;
    double *sizes = room + 4 * edge, most = 0.0;

    if (!room)
        return FGPU_E_NOMEM;
    for (uint64_t i = 0; i < edge; i++)
        x[i] = tiles_noise(i, 77777);
    fgpu_status status;
    if (state->shape == TILES_PRODUCT) {
        tiles_apply_given(state, 1, x, mid, sizes);
        tiles_apply_given(state, 0, mid, want, sizes);
        status = tiles_apply(state, (uint32_t)(2 * n * n), false, x, got);
    } else {
        tiles_apply_given(state, 0, x, want, sizes);
        status = tiles_apply(state, 0, true, x, mid);
        if (status == FGPU_OK)
            status = tiles_apply(state, 0, false, mid, got);
    }
    for (uint64_t i = 0; i < edge && status == FGPU_OK; i++)
        most = fmax(most, fabs(want[i] - got[i]) / (sizes[i] + 1e-30));
    free(room);
    state->result->error = most;
    state->result->is_right = status == FGPU_OK && most <= TILES_LOSS;
    return status;
}

/* ---- opening */

static const char *tiles_text(void)
{
    for (size_t i = 0; i < kernel_text_count; i++)
        if (strcmp(kernel_texts[i].name, "tiles") == 0)
            return kernel_texts[i].text;
    return "";
}

static fgpu_status tiles_open(struct tiles_state *state)
{
    uint64_t size = state->options->size;
    struct evaluation_machine machine;
    fgpu_status status =
        tiles_graph_make(&state->graph, state->shape, (uint32_t)state->options->tiles);

    evaluate_machine(&machine);
    state->cores = machine.cores > 0.0 ? machine.cores : 1.0;
    state->result->task_count = state->graph.task_count;
    (void)fgpu_device_count(state->pool, &state->result->device_count);
    if (state->result->device_count > TILES_DEVICES_LIMIT)
        state->result->device_count = TILES_DEVICES_LIMIT;
    for (uint32_t i = 0; i < state->result->device_count && status == FGPU_OK; i++) {
        fgpu_device_info info = {.struct_bytes = sizeof info};
        status = fgpu_device_at(state->pool, i, &state->devices[i]);
        if (status == FGPU_OK)
            status = fgpu_device_get_info(state->devices[i], &info);
        state->queues[i] = info.queue_count > 0 ? info.queue_count : 1;
        (void)snprintf(state->result->ids[i], sizeof state->result->ids[i], "%s", info.id);
    }
    for (uint32_t i = 0; i < TILES_KERNELS && status == FGPU_OK; i++)
        status = fgpu_kernel_create_opencl(state->pool, tiles_text(), tiles_kernel_names[i], "-w",
                                           &state->kernels[i]);
    for (uint32_t i = 0; i < TILES_KERNELS && status == FGPU_OK; i++)
        status = fgpu_kernel_build(state->kernels[i]);
    state->buffers = calloc((size_t)state->graph.buffer_count + 1, sizeof *state->buffers);
    if (!state->buffers)
        return FGPU_E_NOMEM;
    for (uint32_t i = 0; i < state->graph.buffer_count && status == FGPU_OK; i++)
        if (tiles_is_used(state, i))
            status =
                fgpu_buffer_create(state->pool, size * size * sizeof(float), &state->buffers[i]);
    return status;
}

static void tiles_close(struct tiles_state *state)
{
    (void)fgpu_pool_wait(state->pool, FGPU_FOREVER);
    for (uint32_t i = 0; state->buffers && i < state->graph.buffer_count; i++)
        (void)fgpu_buffer_destroy(state->buffers[i]);
    for (uint32_t i = 0; i < TILES_KERNELS; i++)
        (void)fgpu_kernel_destroy(state->kernels[i]);
    free(state->buffers);
    tiles_graph_fini(&state->graph);
}

/* ---- a round */

static fgpu_status tiles_submit(struct tiles_state *state, uint32_t number)
{
    const struct tiles_task *task = &state->graph.tasks[number];
    fgpu_task handle = {0};
    int32_t size = (int32_t)state->options->size;
    bool is_factor = task->kernel == TILES_FACTOR, is_solve = task->kernel == TILES_SOLVE;
    fgpu_arg args[4];
    fgpu_task_desc desc;
    uint32_t count = 0;

    if (!is_factor)
        args[count++] = fgpu_arg_buffer(state->buffers[task->tiles[0]]);
    if (!is_factor && !is_solve)
        args[count++] = fgpu_arg_buffer(state->buffers[task->tiles[1]]);
    args[count++] = fgpu_arg_buffer(state->buffers[task->tiles[2]]);
    args[count++] = fgpu_arg_scalar(&size, sizeof size);
    fgpu_task_desc_init(&desc);
    desc.kernel = state->kernels[task->kernel];
    desc.dims = is_factor || is_solve ? 1 : 2;
    desc.global[0] = is_factor ? 1 : (uint64_t)size;
    desc.global[1] = (uint64_t)size;
    if (task->kernel == TILES_MULTIPLY) { /* 8 x 4 elements a work item */
        desc.global[0] /= 8;
        desc.global[1] /= 4;
    }
    desc.args = args;
    desc.arg_count = count;
    fgpu_status status = fgpu_task_submit(state->pool, &desc, state->begun ? &handle : NULL);
    if (state->begun)
        state->begun[number] = (struct tiles_begun){.handle = handle.bits, .task = number};
    return status;
}

struct tiles_counters {
    uint64_t busy_ns[TILES_DEVICES_LIMIT], tasks[TILES_DEVICES_LIMIT];
};

static void tiles_read(const struct tiles_state *state, struct tiles_counters *counters)
{
    for (uint32_t i = 0; i < state->result->device_count; i++) {
        fgpu_device_stats stats = {.struct_bytes = sizeof stats};
        (void)fgpu_device_get_stats(state->devices[i], &stats);
        counters->busy_ns[i] = stats.busy_ns;
        counters->tasks[i] = stats.tasks;
    }
}

/* One measured round. */
struct tiles_round {
    double wall_ns, cores_share, others_share, busy[TILES_DEVICES_LIMIT];
    uint64_t tasks[TILES_DEVICES_LIMIT];
};

static fgpu_status tiles_run_round(struct tiles_state *state, struct tiles_round *round)
{
    struct tiles_counters before, after;
    struct machine_load loads[2];
    fgpu_status status = tiles_fill(state);

    if (status == FGPU_OK)
        status = waiting_pool(state->pool, FGPU_FOREVER, state->stop);
    if (waiting_is_stopped(state->stop))
        return FGPU_E_CANCELLED;
    tiles_read(state, &before);
    machine_load_read(&loads[0]);
    uint64_t cpu_ns = figures_cpu_ns(), begin_ns = figures_wall_ns();
    for (uint32_t i = 0; i < state->graph.task_count && status == FGPU_OK; i++)
        status = tiles_submit(state, i);
    if (status == FGPU_OK)
        status = waiting_pool(state->pool, FGPU_FOREVER, state->stop);
    round->wall_ns = (double)(figures_wall_ns() - begin_ns);
    round->cores_share = (double)(figures_cpu_ns() - cpu_ns) / (round->wall_ns * state->cores);
    tiles_read(state, &after);
    machine_load_read(&loads[1]);
    round->others_share =
        machine_load_of_others(&loads[0], &loads[1], (double)sysconf(_SC_NPROCESSORS_ONLN));
    for (uint32_t i = 0; i < state->result->device_count; i++) {
        round->busy[i] =
            (double)(after.busy_ns[i] - before.busy_ns[i]) / (round->wall_ns * state->queues[i]);
        round->tasks[i] = after.tasks[i] - before.tasks[i];
    }
    return waiting_is_stopped(state->stop) ? FGPU_E_CANCELLED : status;
}

/* ---- the bound */

static void tiles_take_record(void *user, const fgpu_trace_record *record)
{
    struct tiles_state *state = user;

    if (record->kind != FGPU_TRACE_RUN || record->device >= state->result->device_count)
        return;
    for (uint32_t i = 0; state->begun && i < state->graph.task_count; i++)
        if (state->begun[i].handle == record->task.bits)
            state->begun[i].start_ns = record->start_ns;
    for (uint32_t i = 0; i < TILES_KERNELS; i++) {
        struct tiles_times *times = &state->times[i][record->device];
        if (strcmp(record->name, tiles_kernel_names[i]) == 0 && times->count < TILES_SAMPLES_LIMIT)
            times->list[times->count++] = (double)(record->end_ns - record->start_ns);
    }
}

/* Every device is a group of one core. A kernel that a device never ran takes there what it took on
 * the fastest: the bound stays one. */
static void tiles_find_bound(struct tiles_state *state)
{
    uint32_t devices = state->result->device_count, tasks = state->graph.task_count;
    double medians[TILES_KERNELS][TILES_DEVICES_LIMIT] = {0}, cores[TILES_DEVICES_LIMIT];
    struct bound_cost *costs = calloc((size_t)devices * tasks + 1, sizeof *costs);

    for (uint32_t k = 0; k < TILES_KERNELS; k++) {
        double least = 0.0;
        for (uint32_t d = 0; d < devices; d++) {
            struct tiles_times *times = &state->times[k][d];
            if (times->count > 0)
                medians[k][d] = figures_median(times->list, times->count);
            if (medians[k][d] > 0.0 && (least <= 0.0 || medians[k][d] < least))
                least = medians[k][d];
        }
        for (uint32_t d = 0; d < devices; d++)
            medians[k][d] = medians[k][d] > 0.0 ? medians[k][d] : least;
    }
    for (uint32_t d = 0; d < devices; d++)
        cores[d] = 1.0;
    for (uint32_t i = 0; i < tasks && costs; i++)
        for (uint32_t d = 0; d < devices; d++)
            costs[i * devices + d] =
                (struct bound_cost){(uint64_t)medians[state->graph.tasks[i].kernel][d], 1.0, d};
    const struct bound_input input = {.task_count = tasks,
                                      .device_count = devices,
                                      .costs = costs,
                                      .group_cores = cores,
                                      .group_count = devices,
                                      .edges = &state->graph.edges};
    state->result->is_bound_known =
        costs && bound_compute(&input, &state->result->bound) == FGPU_OK;
    free(costs);
}

/* ---- what was copied */

static int tiles_by_start(const void *left, const void *right)
{
    const struct tiles_begun *a = left, *b = right;

    if (a->start_ns != b->start_ns)
        return a->start_ns < b->start_ns ? -1 : 1;
    return a->task < b->task ? -1 : a->task > b->task;
}

static double tiles_moved(const struct tiles_state *state)
{
    fgpu_pool_stats stats = {.struct_bytes = sizeof stats};

    (void)fgpu_pool_get_stats(state->pool, &stats);
    return (double)(stats.bytes_to_device + stats.bytes_to_host + stats.bytes_device_device);
}

/* Of one device with limited memory. */
static void tiles_find_least(struct tiles_state *state)
{
    uint32_t count = state->graph.task_count;
    uint32_t *order = calloc((size_t)count + 1, sizeof *order);

    if (order && state->begun && state->result->device_count == 1 && state->options->memory > 0) {
        qsort(state->begun, count, sizeof *state->begun, tiles_by_start);
        for (uint32_t i = 0; i < count; i++)
            order[i] = state->begun[i].task;
        uint64_t least = tiles_least(&state->graph, order, (uint32_t)state->options->memory);
        if (least != UINT64_MAX)
            state->result->bytes_least = (double)least * (double)state->options->size *
                                         (double)state->options->size * sizeof(float);
    }
    free(order);
}

/* ---- the whole */

static int tiles_compare(const void *left, const void *right)
{
    const struct tiles_round *a = left, *b = right;

    return (a->wall_ns > b->wall_ns) - (a->wall_ns < b->wall_ns);
}

/* The round with the median time is shown. */
static void tiles_show(struct tiles_state *state, struct tiles_round *rounds, uint32_t count)
{
    struct tiles_result *result = state->result;

    result->round_count = count;
    if (count == 0)
        return;
    qsort(rounds, count, sizeof *rounds, tiles_compare);
    const struct tiles_round *shown = &rounds[(count - 1) / 2];
    result->wall_ns = shown->wall_ns;
    result->cores_share = shown->cores_share;
    result->others_share = shown->others_share;
    memcpy(result->busy, shown->busy, sizeof result->busy);
    memcpy(result->tasks, shown->tasks, sizeof result->tasks);
}

static fgpu_status tiles_measure(struct tiles_state *state)
{
    struct tiles_round *rounds = calloc(TILES_ROUNDS_LIMIT + 1, sizeof *rounds), spare;
    uint32_t count = 0;
    fgpu_status status = rounds ? FGPU_OK : FGPU_E_NOMEM;

    for (uint64_t i = 0; i < state->options->warm && status == FGPU_OK; i++)
        status = tiles_run_round(state, &spare);
    while (status == FGPU_OK && count < state->options->rounds) {
        status = tiles_run_round(state, &rounds[count]);
        count += status == FGPU_OK;
    }
    if (status == FGPU_OK)
        status = tiles_check(state);
    state->begun = calloc((size_t)state->graph.task_count + 1, sizeof *state->begun);
    state->result->bytes_moved = -tiles_moved(state);
    if (status == FGPU_OK)
        status = fgpu_trace_enable(state->pool, true);
    if (status == FGPU_OK)
        status = tiles_run_round(state, &spare);
    state->result->bytes_moved += tiles_moved(state);
    if (status == FGPU_OK)
        status = fgpu_trace_read(state->pool, tiles_take_record, state);
    (void)fgpu_trace_enable(state->pool, false);
    if (status == FGPU_OK)
        tiles_find_bound(state);
    if (status == FGPU_OK)
        tiles_find_least(state);
    free(state->begun);
    if (rounds)
        tiles_show(state, rounds, count);
    free(rounds);
    return status;
}

fgpu_status bench_tiles_run(fgpu_pool pool, enum tiles_shape shape,
                            const struct tiles_options *options, struct tiles_result *result,
                            const volatile sig_atomic_t *stop)
{
    struct tiles_state *state = calloc(1, sizeof *state);
    double edge = (double)(options->tiles * options->size);

    *result = (struct tiles_result){.bytes_least = -1.0,
                                    .flops = shape == TILES_PRODUCT ? 2.0 * edge * edge * edge
                                                                    : edge * edge * edge / 3.0};
    if (!state)
        return FGPU_E_NOMEM;
    state->pool = pool;
    state->shape = shape;
    state->options = options;
    state->result = result;
    state->stop = stop;
    fgpu_status status = tiles_open(state);
    if (status == FGPU_OK)
        status = tiles_measure(state);
    tiles_close(state);
    free(state);
    return status;
}
