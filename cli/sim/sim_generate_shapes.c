/* Task graphs of a shape: wavefront, layers, random, independent, chain. Their tasks call kernels
 * by name, so that the cost tables of any machine will do, or take a time of their own. */
#include "cli/sim/sim_generate.h"

#include <stdio.h>
#include <string.h>

/* The parameters that all of them end with. */
enum { SHAPE_KERNEL, SHAPE_SIZE, SHAPE_BYTES, SHAPE_COST };

#define SHAPE_PARAMS                                                                               \
    {"kernel", "the kernel that every task calls", "gemm", SIM_NAMES, 0, 1},                       \
        {"size", "what costs are asked with", "960", SIM_WHOLE, 1, 1e6},                           \
        {"bytes", "of a piece of data; 0: 4 size^2", "0", SIM_WHOLE, 0, 1e12},                     \
    {                                                                                              \
        "cost_us", "of a task, on every device; 0: as the machine says", "0", SIM_REAL, 0, 1e12    \
    }

struct shape {
    struct sim_graph *graph;
    struct sim_task task;
    uint64_t bytes;
};

/* [in] values: those of SHAPE_PARAMS. */
static struct shape shape_open(struct sim_graph *graph, const struct sim_value *values)
{
    uint64_t size = values[SHAPE_SIZE].whole;
    double cost_ns = values[SHAPE_COST].real * 1e3;
    /* A kernel of the tables keeps its cost there; what has its own cost needs its own name. */
    const char *name = cost_ns > 0 ? "task" : values[SHAPE_KERNEL].names[0];
    struct shape shape = {.graph = graph};

    shape.bytes = values[SHAPE_BYTES].whole > 0 ? values[SHAPE_BYTES].whole : 4 * size * size;
    shape.task.kernel = sim_graph_kernel(graph, name, NULL);
    shape.task.size = size;
    shape.task.cost_ns = cost_ns;
    shape.task.flops = cost_ns > 0 ? 0 : sim_generate_flops(name, size);
    return shape;
}

static void shape_data(struct shape *shape, uint64_t count)
{
    for (uint64_t i = 0; i < count && shape->graph->status == FGPU_OK; i++)
        (void)sim_graph_data(shape->graph, shape->bytes);
}

/* ---- wavefront: (i, j) reads what is above it and left of it */

static const struct sim_param wavefront_params[] = {
    {"n", "rows, and columns", "30", SIM_WHOLE, 1, 4096},
    SHAPE_PARAMS,
};

static double square_count(const struct sim_value *values)
{
    return values[0].real * values[0].real;
}

static void wavefront_make(struct sim_graph *graph, const struct sim_value *values)
{
    struct shape shape = shape_open(graph, values + 1);
    uint32_t n = (uint32_t)values[0].whole;

    (void)snprintf(graph->name, sizeof graph->name, "wavefront of %u x %u", n, n);
    shape_data(&shape, (uint64_t)n * n);
    for (uint32_t i = 0; i < n && graph->status == FGPU_OK; i++)
        for (uint32_t j = 0; j < n; j++) {
            (void)sim_graph_task(graph, &shape.task);
            if (i > 0)
                sim_graph_access(graph, (i - 1) * n + j, FGPU_READ);
            if (j > 0)
                sim_graph_access(graph, i * n + j - 1, FGPU_READ);
            sim_graph_access(graph, i * n + j, FGPU_READ_WRITE);
            sim_graph_name(graph, "%u %u", i, j);
        }
}

const struct sim_generator sim_generate_wavefront = {
    .name = "wavefront",
    .help = "n x n tasks, each after those above it and left of it",
    .params = wavefront_params,
    .param_count = sizeof wavefront_params / sizeof wavefront_params[0],
    .make = wavefront_make,
    .count = square_count,
};

/* ---- layers: each task reads some of what the layer before wrote */

static const struct sim_param layers_params[] = {
    {"layers", "how many", "20", SIM_WHOLE, 1, 1 << 20},
    {"width", "tasks of a layer", "50", SIM_WHOLE, 1, 1 << 20},
    {"fanin", "tasks of the layer before that each reads from", "3", SIM_WHOLE, 0, 63},
    SHAPE_PARAMS,
};

static double layers_count(const struct sim_value *values)
{
    return values[0].real * values[1].real;
}

static void layers_make(struct sim_graph *graph, const struct sim_value *values)
{
    struct shape shape = shape_open(graph, values + 3);
    uint32_t layers = (uint32_t)values[0].whole, width = (uint32_t)values[1].whole;
    uint32_t fanin = values[2].whole < width ? (uint32_t)values[2].whole : width;

    (void)snprintf(graph->name, sizeof graph->name, "%u layers of %u, fan-in %u", layers, width,
                   fanin);
    shape_data(&shape, (uint64_t)layers * width);
    for (uint32_t layer = 0; layer < layers && graph->status == FGPU_OK; layer++)
        for (uint32_t i = 0; i < width; i++) {
            (void)sim_graph_task(graph, &shape.task);
            for (uint32_t k = 0; k < fanin && layer > 0; k++)
                sim_graph_access(graph, (layer - 1) * width + (i + k) % width, FGPU_READ);
            sim_graph_access(graph, layer * width + i, FGPU_WRITE);
            sim_graph_name(graph, "layer %u task %u", layer, i);
        }
}

const struct sim_generator sim_generate_layers = {
    .name = "layers",
    .help = "layers of tasks, each reading some of the layer before",
    .params = layers_params,
    .param_count = sizeof layers_params / sizeof layers_params[0],
    .make = layers_make,
    .count = layers_count,
};

/* ---- random: kernels, sizes and data are drawn */

enum { RANDOM_SEED, RANDOM_TASKS, RANDOM_DEGREE, RANDOM_DATA, RANDOM_KERNELS, RANDOM_SIZES };

static const struct sim_param random_params[] = {
    {"seed", "what is drawn follows from it", "1", SIM_WHOLE, 0, 9007199254740992.0},
    {"tasks", "how many", "1000", SIM_WHOLE, 1, CLI_SIM_TASKS_LIMIT},
    {"degree", "pieces of data that a task reads, on average", "2", SIM_REAL, 0, 31},
    {"data", "pieces of data; 0: one for four tasks", "0", SIM_WHOLE, 0, CLI_SIM_DATA_LIMIT},
    {"kernels", "that are drawn from", "gemm+syrk+trsm+potrf", SIM_NAMES, 0, SIM_LIST},
    {"sizes", "that are drawn from", "960", SIM_SIZES, 1, 1e6},
};

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 .. limit - 1. */
static uint32_t random_below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)(((random_next(state) >> 32) * limit) >> 32);
}

static double random_count(const struct sim_value *values)
{
    return values[RANDOM_TASKS].real;
}

/* One task: it writes one piece of data and reads others, 0 .. 2 degree of them, none twice. */
static void random_task(struct sim_graph *graph, const struct sim_value *values, uint64_t *state,
                        uint32_t data_count)
{
    uint32_t kernel = random_below(state, graph->kernel_count), used[64];
    struct sim_task task = {.kernel = kernel};
    uint32_t most = (uint32_t)(2 * values[RANDOM_DEGREE].real + 0.5), used_count = 1;

    task.size = values[RANDOM_SIZES].sizes[random_below(state, values[RANDOM_SIZES].count)];
    task.flops = sim_generate_flops(graph->kernels[kernel].name, task.size);
    uint32_t number = sim_graph_task(graph, &task);
    used[0] = random_below(state, data_count);
    sim_graph_access(graph, used[0], FGPU_READ_WRITE);
    for (uint32_t left = random_below(state, most + 1); left > 0; left--) {
        uint32_t data = random_below(state, data_count), k = 0;
        while (k < used_count && used[k] != data)
            k++;
        if (k < used_count)
            continue;
        used[used_count++] = data;
        sim_graph_access(graph, data, FGPU_READ);
    }
    sim_graph_name(graph, "%s %u", graph->kernels[kernel].name, number);
}

static void random_make(struct sim_graph *graph, const struct sim_value *values)
{
    uint64_t state = values[RANDOM_SEED].whole, tasks = values[RANDOM_TASKS].whole;
    uint64_t data = values[RANDOM_DATA].whole > 0 ? values[RANDOM_DATA].whole : (tasks + 3) / 4;

    (void)snprintf(graph->name, sizeof graph->name, "random, %llu tasks, seed %llu",
                   (unsigned long long)tasks, (unsigned long long)state);
    for (uint32_t i = 0; i < values[RANDOM_KERNELS].count; i++)
        (void)sim_graph_kernel(graph, values[RANDOM_KERNELS].names[i], NULL);
    for (uint64_t i = 0; i < data && graph->status == FGPU_OK; i++) {
        uint64_t size =
            values[RANDOM_SIZES].sizes[random_below(&state, values[RANDOM_SIZES].count)];
        (void)sim_graph_data(graph, 4 * size * size);
    }
    for (uint64_t i = 0; i < tasks && graph->status == FGPU_OK; i++)
        random_task(graph, values, &state, (uint32_t)data);
}

const struct sim_generator sim_generate_random = {
    .name = "random",
    .help = "tasks that read and write pieces of data as it happens",
    .params = random_params,
    .param_count = sizeof random_params / sizeof random_params[0],
    .make = random_make,
    .count = random_count,
};

/* ---- independent, and chain */

static const struct sim_param tasks_params[] = {
    {"tasks", "how many", "1000", SIM_WHOLE, 1, CLI_SIM_TASKS_LIMIT},
    SHAPE_PARAMS,
};

static double tasks_count(const struct sim_value *values)
{
    return values[0].real;
}

/* [in] data_count: pieces that the tasks update, in turn. */
static void tasks_make(struct sim_graph *graph, const struct sim_value *values, uint64_t data_count)
{
    struct shape shape = shape_open(graph, values + 1);

    shape_data(&shape, data_count);
    for (uint64_t i = 0; i < values[0].whole && graph->status == FGPU_OK; i++) {
        uint32_t number = sim_graph_task(graph, &shape.task);
        sim_graph_access(graph, (uint32_t)(i % data_count), FGPU_READ_WRITE);
        sim_graph_name(graph, "task %u", number);
    }
}

static void independent_make(struct sim_graph *graph, const struct sim_value *values)
{
    (void)snprintf(graph->name, sizeof graph->name, "%llu independent tasks",
                   (unsigned long long)values[0].whole);
    tasks_make(graph, values, values[0].whole);
}

static void chain_make(struct sim_graph *graph, const struct sim_value *values)
{
    (void)snprintf(graph->name, sizeof graph->name, "chain of %llu tasks",
                   (unsigned long long)values[0].whole);
    tasks_make(graph, values, 1);
}

const struct sim_generator sim_generate_independent = {
    .name = "independent",
    .help = "tasks that have nothing to do with each other",
    .params = tasks_params,
    .param_count = sizeof tasks_params / sizeof tasks_params[0],
    .make = independent_make,
    .count = tasks_count,
};

const struct sim_generator sim_generate_chain = {
    .name = "chain",
    .help = "tasks one after another on one piece of data",
    .params = tasks_params,
    .param_count = sizeof tasks_params / sizeof tasks_params[0],
    .make = chain_make,
    .count = tasks_count,
};
