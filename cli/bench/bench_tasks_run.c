/* Runs the graphs of `fastgpu bench tasks`: see bench_tasks.h.
 *
 * A repetition is: clocks, submit all, wait for all, clocks. Memory is read in the first graph of
 * the pool, whose tables are still empty, with every task pending: what has grown since the buffers
 * were made, whatever it is for. That graph also brings the tables to the size that the others
 * need, so that allocations in these are the hot path's. Main thread.
 */
#include "cli/bench/bench_tasks.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/bench/bench_hold.h"
#include "cli/common/figures.h"
#include "cli/common/waiting.h"

/* After the user's end: tasks that are pending still run, but not for ever. */
#define BENCH_DRAIN_NS UINT64_C(500000000)

/* Launches of a recorded graph before it is measured: in the first ones the pool learns how long
 * its tasks take, and what can be done about them. */
#define BENCH_RECORDED_WARM 4u

struct bench_levels {
    double heap_bytes, rss_bytes, pool_bytes;
};

static double bench_rss_bytes(void)
{
    unsigned long whole, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    int count = file ? fscanf(file, "%lu %lu", &whole, &resident) : 0;

    if (file)
        (void)fclose(file);
    return count == 2 ? (double)resident * (double)sysconf(_SC_PAGESIZE) : 0.0;
}

static fgpu_pool_stats bench_stats(fgpu_pool pool)
{
    fgpu_pool_stats stats = {.struct_bytes = sizeof stats};

    (void)fgpu_pool_get_stats(pool, &stats);
    return stats;
}

static struct bench_levels bench_read_levels(fgpu_pool pool)
{
    struct mallinfo2 heap = mallinfo2();

    return (struct bench_levels){(double)heap.uordblks + (double)heap.hblkhd, bench_rss_bytes(),
                                 (double)bench_stats(pool).pool_memory_bytes};
}

/* All tasks of one graph; *round may be NULL. */
static fgpu_status bench_round(const struct bench_graph *graph, fgpu_graph_exec exec,
                               struct bench_tasks_round *round)
{
    uint64_t submitted;
    uint64_t cpu_ns = figures_cpu_ns(), wall_ns = figures_wall_ns();
    fgpu_status status =
        exec.bits != 0 ? fgpu_graph_launch(exec, NULL) : bench_graph_submit(graph, &submitted);
    uint64_t submit_ns = figures_wall_ns() - wall_ns;

    if (status != FGPU_OK)
        return status;
    status = waiting_pool(graph->pool, FGPU_FOREVER, graph->stop);
    if (status == FGPU_E_TIMEOUT)
        return FGPU_E_CANCELLED;
    if (round)
        *round = (struct bench_tasks_round){.submit_ns = submit_ns,
                                            .wall_ns = figures_wall_ns() - wall_ns,
                                            .cpu_ns = figures_cpu_ns() - cpu_ns};
    return status;
}

/* The first graph: everything pending at once. */
static fgpu_status bench_pending(struct bench_graph *graph, uint32_t workers,
                                 struct bench_tasks_result *result)
{
    struct bench_tasks_memory *memory = &result->memory;
    struct bench_hold hold;
    uint64_t submitted = 0, zero = 0;
    /* Memory for data comes in slabs of many buffers; the first one is no task's. */
    fgpu_status filled = fgpu_buffer_fill(graph->buffers[0], NULL, &zero, sizeof zero);
    fgpu_status status = bench_hold_begin(&hold, graph, workers);

    if (status == FGPU_OK)
        status = filled;
    if (status == FGPU_OK) {
        result->other_count = bench_stats(graph->pool).tasks_submitted;
        struct bench_levels before = bench_read_levels(graph->pool);
        status = bench_graph_submit(graph, &submitted);
        uint64_t pending = bench_stats(graph->pool).tasks_pending; /* links what was queued */
        struct bench_levels after = bench_read_levels(graph->pool);
        memory->is_heap_known = after.heap_bytes > 0.0;
        memory->heap_bytes = after.heap_bytes - before.heap_bytes;
        memory->rss_bytes = after.rss_bytes - before.rss_bytes;
        memory->pool_bytes = after.pool_bytes - before.pool_bytes;
        memory->is_known = status == FGPU_OK && pending >= submitted;
    }
    fgpu_status ended = bench_hold_end(&hold);
    if (status == FGPU_OK)
        status = ended;
    bool is_stopped = waiting_is_stopped(graph->stop);
    ended = waiting_pool(graph->pool, is_stopped ? BENCH_DRAIN_NS : FGPU_FOREVER,
                         is_stopped ? NULL : graph->stop);
    if (ended != FGPU_E_TIMEOUT)
        bench_hold_fini(&hold); /* else a worker may still look at it */
    if (status == FGPU_OK)
        status = ended == FGPU_E_TIMEOUT ? FGPU_E_CANCELLED : ended;
    return waiting_is_stopped(graph->stop) ? FGPU_E_CANCELLED : status;
}

static fgpu_status bench_rounds(struct bench_graph *graph,
                                const struct bench_tasks_options *options,
                                struct bench_tasks_result *result)
{
    fgpu_graph_exec exec = {0};
    fgpu_status status = options->is_recorded ? bench_graph_record(graph, &exec) : FGPU_OK;
    uint32_t warm = options->is_recorded ? BENCH_RECORDED_WARM : 1;

    for (; warm > 0 && status == FGPU_OK; warm--) {
        status = bench_round(graph, exec, NULL);
        result->other_rounds += status == FGPU_OK;
    }
    uint64_t before = bench_stats(graph->pool).allocations;

    while (status == FGPU_OK && result->round_count < options->repeat) {
        status = bench_round(graph, exec, &result->rounds[result->round_count]);
        if (status != FGPU_OK)
            break;
        result->round_count++;
        result->allocations = bench_stats(graph->pool).allocations - before;
    }
    (void)fgpu_graph_exec_destroy(exec);
    return status;
}

fgpu_status bench_tasks_run(fgpu_pool pool, const struct bench_tasks_options *options,
                            struct bench_tasks_result *result, const volatile sig_atomic_t *stop,
                            bool *is_closable)
{
    struct bench_graph graph = {.shape = (enum bench_shape)options->shape,
                                .edge = options->edge,
                                .pool = pool,
                                .stop = stop};
    fgpu_device_info info = {.struct_bytes = sizeof info};
    fgpu_device device;

    *result = (struct bench_tasks_result){0};
    *is_closable = true;
    result->rounds = calloc(options->repeat, sizeof *result->rounds);
    if (!result->rounds)
        return FGPU_E_NOMEM;
    fgpu_status status = fgpu_device_at(pool, 0, &device);
    if (status == FGPU_OK)
        status = fgpu_device_get_info(device, &info);
    result->workers = info.queue_count;
    if (status == FGPU_OK)
        status = bench_graph_init(&graph, options->is_checked);
    result->task_count = graph.task_count;
    result->buffer_count = graph.buffer_count;
    if (status == FGPU_OK)
        status = bench_pending(&graph, options->device == BENCH_DEVICE_CPU ? info.queue_count : 0,
                               result);
    if (status == FGPU_OK)
        status = bench_rounds(&graph, options, result);
    if (status == FGPU_E_CANCELLED)
        *is_closable = waiting_pool(pool, BENCH_DRAIN_NS, NULL) != FGPU_E_TIMEOUT;
    result->done_count = bench_stats(pool).tasks_done - result->other_count;
    if (*is_closable)
        result->ran_count = bench_graph_take_ran();
    bench_graph_fini(&graph);
    return status;
}
