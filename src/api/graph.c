/* Graphs are recorded: create, add, depend, destroy; and the tables of graphs.
 *
 * A task is checked and copied when it is added, in the form in which it will be submitted, so that
 * a launch has nothing left to look at but whether the handles are still alive. Lives above the
 * walk: the engine knows nothing of graphs. Takes descriptions, gives struct graph_node. Owns the
 * tables; each graph has a lock of its own, which lies in its slot and so outlives it. Thread: any.
 */
#include "api/graph.h"

#include <stdio.h>
#include <string.h>

#include "api/task.h"

/* ---- tables ----------------------------------------------------------------------------- */

fgpu_status graph_tables_init(struct pool *pool)
{
    const struct alloc_hooks *hooks = pool->driver->alloc;
    lock_init(&pool->graphs_lock);
    fgpu_status status = table_init(&pool->graphs, sizeof(struct graph), LIMITS_GRAPHS, hooks);
    if (status == FGPU_OK) {
        status = table_init(&pool->execs, sizeof(struct graph_exec), LIMITS_GRAPHS, hooks);
        if (status != FGPU_OK)
            table_fini(&pool->graphs);
    }
    return status == FGPU_OK ? status : error_set(status, "no memory for the tables of graphs");
}

static void graph_fini(struct graph *graph)
{
    vec_fini(&graph->nodes);
    vec_fini(&graph->edges);
    arena_fini(&graph->arena);
}

void graph_tables_fini(struct pool *pool)
{
    for (uint32_t i = 0; i < table_high_water(&pool->graphs); i++) {
        struct graph *graph = table_at(&pool->graphs, i);
        if (atomic_load_relaxed_u32(&graph->live) & 1)
            graph_fini(graph);
    }
    for (uint32_t i = 0; i < table_high_water(&pool->execs); i++) {
        struct graph_exec *exec = table_at(&pool->execs, i);
        if (atomic_load_relaxed_u32(&exec->live) & 1)
            graph_exec_fini(pool, exec);
    }
    table_fini(&pool->graphs);
    table_fini(&pool->execs);
}

uint32_t graph_next_live(const struct pool *pool, uint32_t live)
{
    return (live != 0 ? live : pool->first_generation) + 1;
}

uint32_t graph_next_generation(const struct pool *pool)
{
    uint32_t first = pool->first_generation;
    uint32_t most = engine_next_generation(&pool->driver->engine) - first;
    for (uint32_t i = 0; i < table_high_water(&pool->graphs); i++) {
        const struct graph *graph = table_at(&pool->graphs, i);
        uint32_t live = atomic_load_relaxed_u32(&graph->live);
        most = live != 0 && live - first > most ? live - first : most;
    }
    for (uint32_t i = 0; i < table_high_water(&pool->execs); i++) {
        const struct graph_exec *exec = table_at(&pool->execs, i);
        uint32_t live = atomic_load_relaxed_u32(&exec->live);
        most = live != 0 && live - first > most ? live - first : most;
    }
    return (first + most + 2) & ~1u;
}

/* ---- handles ---------------------------------------------------------------------------- */

struct graph *graph_acquire(fgpu_graph handle, const char *who, struct pool **pool,
                            fgpu_status *status)
{
    *pool = lookup_pool_of(handle.bits, HANDLE_GRAPH, who, status);
    if (*pool == NULL)
        return NULL;
    struct graph *graph = table_find(&(*pool)->graphs, handle_index(handle.bits));
    if (graph != NULL) {
        lock_acquire(&graph->lock);
        uint32_t live = atomic_load_relaxed_u32(&graph->live);
        if ((live & 1) && (live & HANDLE_GENERATION_MASK) == handle_generation(handle.bits))
            return graph;
        lock_release(&graph->lock);
    }
    *status = error_set(FGPU_E_STALE, "%s: the graph has been destroyed", who);
    return NULL;
}

void graph_name(const struct pool *pool, const struct graph_node *node, uint32_t number, char *out,
                size_t out_bytes)
{
    const char *name = node->request.name;
    uint32_t kernel;
    if (name == NULL && node->kernel != 0 &&
        lookup_kernel(pool, (fgpu_kernel){node->kernel}, "", &kernel) == FGPU_OK)
        name = engine_kernel(&pool->driver->engine, kernel)->name;
    if (name != NULL && name[0] != '\0')
        snprintf(out, out_bytes, "%u '%s'", number, name);
    else
        snprintf(out, out_bytes, "%u", number);
}

fgpu_status graph_check_use(const struct pool *pool, const struct graph_use *use, const char *who)
{
    uint32_t index;
    char text[96];
    snprintf(text, sizeof text, "%s: node %u", who, use->node);
    if (handle_kind(use->bits) == HANDLE_KERNEL)
        return lookup_kernel(pool, (fgpu_kernel){use->bits}, text, &index);
    return lookup_buffer(pool, (fgpu_buffer){use->bits}, text, &index);
}

/* ---- copies ----------------------------------------------------------------------------- */

static bool graph_copy_values(struct arena *arena, struct submit_arg *args, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (args[i].kind != FGPU_ARG_SCALAR)
            continue;
        void *value = arena_alloc(arena, (size_t)args[i].size_bytes, 16);
        if (value == NULL)
            return false;
        memcpy(value, args[i].value, (size_t)args[i].size_bytes);
        args[i].value = value;
    }
    return true;
}

static bool graph_copy_name(struct arena *arena, const char **name)
{
    if (*name == NULL)
        return true;
    size_t length = strnlen(*name, LIMITS_NAME_BYTES - 1);
    char *copy = arena_alloc(arena, length + 1, 1);
    if (copy == NULL)
        return false;
    memcpy(copy, *name, length);
    copy[length] = '\0';
    *name = copy;
    return true;
}

bool graph_copy(struct arena *arena, const struct graph_node *node, struct graph_node *out)
{
    uint32_t count = node->request.arg_count;
    *out = *node;
    struct submit_arg *args = arena_alloc(arena, count * sizeof *args, 16);
    uint64_t *buffers = arena_alloc(arena, count * sizeof *buffers, 16);
    if (args == NULL || buffers == NULL)
        return false;
    if (count > 0) {
        memcpy(args, node->request.args, count * sizeof *args);
        memcpy(buffers, node->buffers, count * sizeof *buffers);
    }
    if (node->request.cuts != NULL) {
        fgpu_cut *cuts = arena_alloc(arena, count * sizeof *cuts, 16);
        if (cuts == NULL)
            return false;
        if (count > 0)
            memcpy(cuts, node->request.cuts, count * sizeof *cuts);
        out->request.cuts = cuts;
    }
    out->request.args = args;
    out->buffers = buffers;
    return graph_copy_values(arena, args, count) && graph_copy_name(arena, &out->request.name);
}

/* ---- recording -------------------------------------------------------------------------- */

fgpu_status fgpu_graph_create(fgpu_pool handle, fgpu_graph *out)
{
    static const char who[] = "fgpu_graph_create";
    fgpu_status status;
    if (out == NULL)
        return error_set(FGPU_E_INVAL, "%s: graph is NULL", who);
    out->bits = 0;
    LOOKUP_GUEST *pool = lookup_pool(handle, who, &status);
    if (pool == NULL)
        return status;
    uint32_t index;
    status = table_alloc(&pool->graphs, &index);
    if (status == FGPU_E_LIMIT)
        return error_set(status, "%s: the pool has %u graphs, its limit", who, LIMITS_GRAPHS);
    if (status != FGPU_OK)
        return error_set(status, "%s: no memory for a graph", who);
    struct graph *graph = table_at(&pool->graphs, index);
    const struct alloc_hooks *hooks = pool->driver->alloc;
    lock_acquire(&graph->lock);
    graph->self = index;
    vec_init(&graph->nodes, sizeof(struct graph_node), hooks);
    vec_init(&graph->edges, sizeof(struct graph_edge), hooks);
    arena_init(&graph->arena, GRAPH_ARENA_BYTES, hooks);
    uint32_t live = graph_next_live(pool, atomic_load_relaxed_u32(&graph->live));
    atomic_store_release_u32(&graph->live, live);
    lock_release(&graph->lock);
    out->bits = handle_make(HANDLE_GRAPH, pool->index, live, index);
    return FGPU_OK;
}

static fgpu_status graph_record(struct graph *graph, const struct graph_node *node, const char *who,
                                uint32_t *number)
{
    if (graph->nodes.count == LIMITS_GRAPH_NODES)
        return error_set(FGPU_E_LIMIT, "%s: the graph has %u nodes, its limit", who,
                         LIMITS_GRAPH_NODES);
    struct graph_node copy;
    if (!graph_copy(&graph->arena, node, &copy) || vec_push(&graph->nodes, &copy) == NULL)
        return error_set(FGPU_E_NOMEM, "%s: no memory for a node with %u arguments", who,
                         node->request.arg_count);
    *number = (uint32_t)graph->nodes.count - 1;
    return FGPU_OK;
}

fgpu_status fgpu_graph_add(fgpu_graph handle, const fgpu_task_desc *desc, uint32_t *out)
{
    static const char who[] = "fgpu_graph_add";
    fgpu_status status;
    LOOKUP_GUEST *pool = lookup_pool_of(handle.bits, HANDLE_GRAPH, who, &status);
    if (pool == NULL)
        return status;
    struct task_room room;
    uint64_t buffers[LIMITS_KERNEL_ARGS];
    struct graph_node node = {.buffers = buffers};
    status = task_check(pool, desc, who, &room, &node.request);
    if (status != FGPU_OK)
        return status;
    if (desc->after_count != 0)
        return error_set(FGPU_E_INVAL,
                         "%s: after_count is %u, it takes 0; use fgpu_graph_depend for the order "
                         "of nodes",
                         who, desc->after_count);
    if (desc->terms != NULL)
        return error_set(FGPU_E_UNSUPPORTED,
                         "%s: terms are of a task that is submitted; recorded ones have none", who);
    node.request.after = NULL;
    node.kernel = desc->kind == FGPU_TASK_KERNEL ? desc->kernel.bits : 0;
    for (uint32_t i = 0; i < desc->arg_count; i++)
        buffers[i] = desc->args[i].kind == FGPU_ARG_BUFFER ? desc->args[i].buffer.bits : 0;
    LOOKUP_GUEST *same = NULL;
    struct graph *graph = graph_acquire(handle, who, &same, &status);
    if (graph == NULL)
        return status;
    uint32_t number = 0;
    status = graph_record(graph, &node, who, &number);
    lock_release(&graph->lock);
    if (status == FGPU_OK && out != NULL)
        *out = number;
    return status;
}

static fgpu_status graph_connect(struct graph *graph, uint32_t node, uint32_t on, const char *who)
{
    if (node >= graph->nodes.count || on >= graph->nodes.count)
        return error_set(FGPU_E_RANGE, "%s: %s is %u, the graph has %zu nodes", who,
                         node >= graph->nodes.count ? "node" : "on",
                         node >= graph->nodes.count ? node : on, graph->nodes.count);
    struct graph_node *later = vec_at(&graph->nodes, node);
    if (later->after_count == LIMITS_DEPS)
        return error_set(FGPU_E_LIMIT,
                         "%s: node %u depends on %d nodes, the limit; join some with an empty task",
                         who, node, LIMITS_DEPS);
    struct graph_edge edge = {on, node};
    if (vec_push(&graph->edges, &edge) == NULL)
        return error_set(FGPU_E_NOMEM, "%s: no memory for a dependency", who);
    later->after_count++;
    return FGPU_OK;
}

fgpu_status fgpu_graph_depend(fgpu_graph handle, uint32_t node, uint32_t on)
{
    static const char who[] = "fgpu_graph_depend";
    fgpu_status status;
    LOOKUP_GUEST *pool = NULL;
    struct graph *graph = graph_acquire(handle, who, &pool, &status);
    if (graph == NULL)
        return status;
    status = graph_connect(graph, node, on, who);
    lock_release(&graph->lock);
    return status;
}

fgpu_status fgpu_graph_destroy(fgpu_graph handle)
{
    fgpu_status status;
    LOOKUP_GUEST *pool = NULL;
    if (handle.bits == 0)
        return FGPU_OK;
    struct graph *graph = graph_acquire(handle, "fgpu_graph_destroy", &pool, &status);
    if (graph == NULL)
        return status;
    atomic_store_release_u32(&graph->live, atomic_load_relaxed_u32(&graph->live) + 1);
    graph_fini(graph);
    uint32_t index = graph->self;
    lock_release(&graph->lock);
    table_free(&pool->graphs, index);
    return FGPU_OK;
}
