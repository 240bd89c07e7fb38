/* Any bytes as a task graph, and as the words of a generator: read or refused with a sentence,
 * never a crash, and what was read keeps what cli/sim/sim_graph.h promises: numbers lead somewhere,
 * no task names a piece of data twice or comes after itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sim/sim_generate.h"
#include "cli/sim/sim_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int is_true)
{
    if (!is_true)
        abort();
}

static void check_task(const struct sim_graph *graph, uint32_t number)
{
    const struct sim_task *task = &graph->tasks[number];
    const fgpu_sim_access *accesses =
        task->access_count > 0 ? graph->accesses + task->access_first : NULL;

    require(task->kernel < graph->kernel_count && task->size > 0);
    require(task->flops >= 0 && task->cost_ns >= 0);
    require(task->priority >= -1000 && task->priority <= 1000);
    require(task->access_first + task->access_count <= graph->access_count);
    require(task->after_first + task->after_count <= graph->after_count);
    for (uint32_t i = 0; i < task->access_count; i++) {
        require(accesses[i].data < graph->data_count);
        require(accesses[i].mode >= FGPU_READ && accesses[i].mode <= FGPU_READ_WRITE);
        for (uint32_t k = 0; k < i; k++)
            require(accesses[k].data != accesses[i].data);
    }
    for (uint32_t i = 0; i < task->after_count; i++)
        require(graph->after[task->after_first + i] < number);
}

static void check(struct sim_graph *graph, fgpu_status status, const char *why)
{
    require(status == FGPU_OK || why[0] != '\0');
    require(status == FGPU_OK || status == FGPU_E_INVAL || status == FGPU_E_LIMIT);
    for (uint32_t i = 0; status == FGPU_OK && i < graph->task_count; i++)
        check_task(graph, i);
    for (uint32_t i = 0; status == FGPU_OK && i < graph->cost_count; i++)
        require(graph->costs[i].kernel < graph->kernel_count && graph->costs[i].mean_us > 0);
    require(status != FGPU_OK || graph->task_count > 0);
    sim_graph_fini(graph);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sim_graph graph;
    char why[CLI_WHY_BYTES] = "", word[32] = "";

    sim_graph_init(&graph);
    graph.wants_names = true;
    fgpu_status status = sim_read_text("file", (const char *)data, size, &graph, why, sizeof why);
    check(&graph, status, why);
    why[0] = '\0';
    memcpy(word, data, size < sizeof word - 1 ? size : sizeof word - 1);
    if (size >= sizeof word || strspn(word + strcspn(word, "0123456789"), "0123456789.eE") > 4)
        return 0; /* no millions of tasks a time */
    sim_graph_init(&graph);
    status = sim_generate(word, &graph, why, sizeof why);
    check(&graph, status, why);
    return 0;
}
