/* How good could a simulation's run be? Its tasks, their true costs and their dependencies for the
 * bounds of plan/bound.h. The dependencies are found from the order of the tasks and their accesses
 * here, apart from the engine. Thread: one at a time per simulation.
 */
#include <string.h>

#include "api/sim.h"
#include "base/error.h"
#include "plan/bound.h"

struct sim_edge {
    uint32_t from, to;
};

/* Who used a piece of data last. */
struct sim_user {
    uint32_t writer;  /* UINT32_MAX: nobody */
    uint32_t readers; /* list of struct sim_reader; UINT32_MAX: its end */
};

struct sim_reader {
    uint32_t task, next;
};

struct sim_graph {
    struct vec edges;             /* struct sim_edge */
    struct vec users;             /* struct sim_user, by data */
    struct vec readers;           /* struct sim_reader */
    struct vec types;             /* uint32_t, by task */
    struct vec first, successors; /* uint32_t */
    struct vec costs;             /* double */
    struct vec parts;             /* uint32_t, by type */
    struct vec workers;           /* uint32_t */
};

static bool bound_edge(struct sim_graph *graph, uint32_t from, uint32_t to)
{
    const struct sim_edge edge = {from, to};
    return from == UINT32_MAX || from == to || vec_push(&graph->edges, &edge) != NULL;
}

static bool bound_access(struct sim_graph *graph, uint32_t task, const fgpu_sim_access *access)
{
    struct sim_user *user = vec_at(&graph->users, access->data);
    bool kept = bound_edge(graph, user->writer, task);
    if (!(access->mode & FGPU_WRITE)) {
        const struct sim_reader reader = {task, user->readers};
        user->readers = (uint32_t)graph->readers.count;
        return kept && vec_push(&graph->readers, &reader) != NULL;
    }
    for (uint32_t at = user->readers; kept && at != UINT32_MAX;) {
        const struct sim_reader *reader = vec_at(&graph->readers, at);
        at = reader->next;
        kept = bound_edge(graph, reader->task, task);
    }
    *user = (struct sim_user){task, UINT32_MAX};
    return kept;
}

static bool bound_edges(const struct fgpu_sim *sim, struct sim_graph *graph)
{
    static const struct sim_user nobody = {UINT32_MAX, UINT32_MAX};
    bool kept = true;
    for (size_t d = 0; d < sim->data.count && kept; d++)
        kept = vec_push(&graph->users, &nobody) != NULL;
    for (uint32_t t = 0; t < sim->tasks.count && kept; t++) {
        const struct sim_task *task = vec_at(&sim->tasks, t);
        kept = vec_push(&graph->types, &task->type) != NULL;
        for (uint32_t i = 0; i < task->access_count && kept; i++)
            kept = bound_access(graph, t, vec_at(&sim->accesses, task->first_access + i));
        for (uint32_t i = 0; i < task->after_count && kept; i++)
            kept = bound_edge(graph, *(uint32_t *)vec_at(&sim->after, task->first_after + i), t);
    }
    return kept;
}

/* Edges as rows. */
static bool bound_rows(const struct fgpu_sim *sim, struct sim_graph *graph)
{
    size_t tasks = sim->tasks.count, edges = graph->edges.count;
    if (!vec_reserve(&graph->first, tasks + 2) || !vec_reserve(&graph->successors, edges + 1))
        return false;
    uint32_t *first = (uint32_t *)(void *)graph->first.items;
    uint32_t *successors = (uint32_t *)(void *)graph->successors.items;
    memset(first, 0, (tasks + 2) * sizeof *first);
    for (size_t e = 0; e < edges; e++)
        first[((const struct sim_edge *)vec_at(&graph->edges, e))->from + 2]++;
    for (size_t t = 2; t < tasks + 2; t++)
        first[t] += first[t - 1];
    for (size_t e = 0; e < edges; e++) {
        const struct sim_edge *edge = vec_at(&graph->edges, e);
        successors[first[edge->from + 1]++] = edge->to;
    }
    return true;
}

static bool bound_costs(const struct fgpu_sim *sim, struct sim_graph *graph)
{
    const struct vec *classes = &sim->machine->classes;
    bool kept = true;
    for (uint32_t t = 0; t < sim->simulator.types.count && kept; t++) {
        const struct simulator_type *type = vec_at(&sim->simulator.types, t);
        kept = vec_push(&graph->parts, &type->parts) != NULL;
        for (uint32_t c = 0; c < classes->count && kept; c++)
            kept = vec_push(&graph->costs, &simulator_cost(&sim->simulator, t, c)->mean_ns) != NULL;
    }
    for (uint32_t c = 0; c < classes->count && kept; c++)
        kept = vec_push(&graph->workers,
                        &((const struct machine_class *)vec_at(classes, c))->count) != NULL;
    return kept;
}

static fgpu_status bound_of(const struct fgpu_sim *sim, struct sim_graph *graph,
                            struct bound_result *bound)
{
    if (!bound_edges(sim, graph) || !bound_rows(sim, graph) || !bound_costs(sim, graph))
        return error_set(FGPU_E_NOMEM, "fgpu_sim_run: no memory for the lower bound");
    const struct bound_input input = {
        .type_count = (uint32_t)sim->simulator.types.count,
        .class_count = (uint32_t)sim->machine->classes.count,
        .cost_ns = (const double *)(void *)graph->costs.items,
        .workers = (const uint32_t *)(void *)graph->workers.items,
        .task_count = (uint32_t)sim->tasks.count,
        .type_of = (const uint32_t *)(void *)graph->types.items,
        .first_successor = (const uint32_t *)(void *)graph->first.items,
        .successors = (const uint32_t *)(void *)graph->successors.items,
        .parts = (const uint32_t *)(void *)graph->parts.items};
    return (fgpu_status)plan_bound_compute(&input, bound);
}

static uint64_t bound_whole(double ns)
{
    return ns > 0 ? (uint64_t)ns : 0;
}

fgpu_status sim_bound(const struct fgpu_sim *sim, fgpu_sim_result *result)
{
    struct sim_graph graph;
    struct bound_result bound;
    if (sim->tasks.count == 0)
        return FGPU_OK;
    vec_init(&graph.edges, sizeof(struct sim_edge), NULL);
    vec_init(&graph.users, sizeof(struct sim_user), NULL);
    vec_init(&graph.readers, sizeof(struct sim_reader), NULL);
    vec_init(&graph.types, sizeof(uint32_t), NULL);
    vec_init(&graph.first, sizeof(uint32_t), NULL);
    vec_init(&graph.successors, sizeof(uint32_t), NULL);
    vec_init(&graph.costs, sizeof(double), NULL);
    vec_init(&graph.workers, sizeof(uint32_t), NULL);
    vec_init(&graph.parts, sizeof(uint32_t), NULL);
    fgpu_status status = bound_of(sim, &graph, &bound);
    if (status == FGPU_OK) {
        result->area_ns = bound_whole(bound.area_ns);
        result->path_ns = bound_whole(bound.path_ns);
        result->joined_ns = bound_whole(bound.joined_ns);
        result->bound_ns = bound_whole(bound.best_ns);
        result->bound_kind = bound.kind;
    }
    vec_fini(&graph.edges);
    vec_fini(&graph.users);
    vec_fini(&graph.readers);
    vec_fini(&graph.types);
    vec_fini(&graph.first);
    vec_fini(&graph.successors);
    vec_fini(&graph.costs);
    vec_fini(&graph.workers);
    vec_fini(&graph.parts);
    return status;
}
