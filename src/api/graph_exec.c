/* A graph is instantiated: a copy in the order of submission, with everything that a launch needs
 * worked out. And taken apart.
 *
 * Takes a graph under its lock, gives a struct graph_exec that depends on it no more and never
 * changes. Keeps true: an exec that is destroyed while it is launched goes with the last launch.
 * Thread: any.
 */
#include <stdlib.h>
#include <string.h>

#include "api/graph.h"

static const char exec_who[] = "fgpu_graph_instantiate";

/* ---- handles that must be alive --------------------------------------------------------- */

static int exec_compare_uses(const void *left, const void *right)
{
    const struct graph_use *a = left, *b = right;
    if (a->bits != b->bits)
        return a->bits < b->bits ? -1 : 1;
    return a->node < b->node ? -1 : a->node > b->node;
}

static bool exec_add_use(struct vec *uses, uint64_t bits, uint32_t node)
{
    struct graph_use use = {bits, node};
    return bits == 0 || vec_push(uses, &use) != NULL;
}

/* All handles of the graph, each once, with the first node that uses it. */
static bool exec_find_uses(const struct graph *graph, struct vec *uses)
{
    for (uint32_t node = 0; node < graph->nodes.count; node++) {
        const struct graph_node *from = vec_at(&graph->nodes, node);
        bool fits = exec_add_use(uses, from->kernel, node);
        for (uint32_t i = 0; i < from->request.arg_count; i++)
            fits &= exec_add_use(uses, from->buffers[i], node);
        if (!fits)
            return false;
    }
    if (uses->count == 0)
        return true;
    qsort(uses->items, uses->count, uses->item_bytes, exec_compare_uses);
    size_t kept = 1;
    for (size_t i = 1; i < uses->count; i++) {
        const struct graph_use *use = vec_at(uses, i);
        if (use->bits != ((const struct graph_use *)vec_at(uses, kept - 1))->bits)
            memcpy(vec_at(uses, kept++), use, sizeof *use);
    }
    uses->count = kept;
    return true;
}

static fgpu_status exec_check_uses(const struct pool *pool, const struct vec *uses)
{
    for (size_t i = 0; i < uses->count; i++) {
        fgpu_status status = graph_check_use(pool, vec_at(uses, i), exec_who);
        if (status != FGPU_OK)
            return status;
    }
    return FGPU_OK;
}

/* ---- building --------------------------------------------------------------------------- */

static void *exec_array(struct graph_exec *exec, size_t count, size_t item_bytes)
{
    return arena_alloc_zeroed(&exec->arena, count * item_bytes, 16);
}

static bool exec_arrays(struct graph_exec *exec, const struct graph *graph, const struct vec *uses)
{
    size_t count = graph->nodes.count;
    exec->node_count = (uint32_t)count;
    exec->use_count = (uint32_t)uses->count;
    exec->nodes = exec_array(exec, count, sizeof *exec->nodes);
    exec->numbers = exec_array(exec, count, sizeof *exec->numbers);
    exec->after = exec_array(exec, graph->edges.count, sizeof *exec->after);
    exec->sinks = exec_array(exec, count, sizeof *exec->sinks);
    exec->uses = exec_array(exec, uses->count, sizeof *exec->uses);
    return exec->nodes != NULL && exec->numbers != NULL && exec->after != NULL &&
           exec->sinks != NULL && exec->uses != NULL;
}

/* Nodes and their predecessors by place. `room`: 3 numbers for each node. */
static bool exec_fill(struct graph_exec *exec, const struct graph *graph, const uint32_t *order,
                      uint32_t *room)
{
    uint32_t count = exec->node_count;
    uint32_t *place = room, *end = room + count, *succeeded = room + 2 * (size_t)count;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct graph_node *node = vec_at(&graph->nodes, order[i]);
        if (!graph_copy(&exec->arena, node, &exec->nodes[i]))
            return false;
        exec->numbers[i] = order[i];
        place[order[i]] = i;
        end[i] = sum;
        sum += node->after_count;
        if (node->after_count > exec->after_max)
            exec->after_max = node->after_count;
    }
    for (size_t i = 0; i < graph->edges.count; i++) {
        const struct graph_edge *edge = vec_at(&graph->edges, i);
        exec->after[end[place[edge->to]]++] = place[edge->from];
        succeeded[place[edge->from]] = 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!succeeded[i])
            exec->sinks[exec->sink_count++] = i;
    }
    if (exec->after_max < exec->sink_count)
        exec->after_max = exec->sink_count < LIMITS_DEPS ? exec->sink_count : LIMITS_DEPS;
    return true;
}

static fgpu_status exec_build(const struct pool *pool, struct graph_exec *exec,
                              const struct graph *graph, const struct vec *uses)
{
    const struct alloc_hooks *hooks = pool->driver->alloc;
    size_t bytes = (graph->nodes.count + 1) * 4 * sizeof(uint32_t);
    uint32_t *order = alloc_get_zeroed(hooks, bytes, 16);
    fgpu_status status = FGPU_E_NOMEM;
    if (order != NULL)
        status = graph_order_find(pool, graph, order);
    if (status == FGPU_OK && (!exec_arrays(exec, graph, uses) ||
                              !exec_fill(exec, graph, order, order + graph->nodes.count)))
        status = FGPU_E_NOMEM;
    if (status == FGPU_OK && uses->count > 0)
        memcpy(exec->uses, uses->items, uses->count * uses->item_bytes);
    exec->is_joinable = status == FGPU_OK && graph_is_joinable(exec);
    alloc_put(hooks, order, bytes);
    return status;
}

static fgpu_status exec_make(struct pool *pool, struct graph_exec *exec, const struct graph *graph)
{
    const struct alloc_hooks *hooks = pool->driver->alloc;
    struct vec uses;
    vec_init(&uses, sizeof(struct graph_use), hooks);
    fgpu_status status = exec_find_uses(graph, &uses) ? FGPU_OK : FGPU_E_NOMEM;
    if (status == FGPU_OK)
        status = exec_check_uses(pool, &uses);
    if (status == FGPU_OK)
        status = exec_build(pool, exec, graph, &uses);
    vec_fini(&uses);
    if (status == FGPU_E_NOMEM)
        return error_set(status, "%s: no memory for %zu nodes", exec_who, graph->nodes.count);
    return status;
}

fgpu_status fgpu_graph_instantiate(fgpu_graph handle, fgpu_graph_exec *out)
{
    fgpu_status status;
    LOOKUP_GUEST *pool = NULL;
    if (out == NULL)
        return error_set(FGPU_E_INVAL, "%s: exec is NULL", exec_who);
    out->bits = 0;
    struct graph *graph = graph_acquire(handle, exec_who, &pool, &status);
    if (graph == NULL)
        return status;
    uint32_t index;
    status = table_alloc(&pool->execs, &index);
    if (status != FGPU_OK) {
        lock_release(&graph->lock);
        return error_set(status, "%s: %u instantiated graphs are the limit, or no memory", exec_who,
                         LIMITS_GRAPHS);
    }
    struct graph_exec *exec = table_at(&pool->execs, index);
    uint32_t live = atomic_load_relaxed_u32(&exec->live);
    memset((char *)exec + sizeof exec->live, 0, sizeof *exec - sizeof exec->live);
    exec->self = index;
    arena_init(&exec->arena, GRAPH_ARENA_BYTES, pool->driver->alloc);
    status = exec_make(pool, exec, graph);
    lock_release(&graph->lock);
    if (status != FGPU_OK) {
        arena_fini(&exec->arena);
        table_free(&pool->execs, index);
        return status;
    }
    live = graph_next_live(pool, live);
    atomic_store_release_u32(&exec->live, live);
    out->bits = handle_make(HANDLE_EXEC, pool->index, live, index);
    return FGPU_OK;
}

/* ---- using and destroying --------------------------------------------------------------- */

struct graph_exec *graph_exec_enter(fgpu_graph_exec handle, const char *who, struct pool **pool,
                                    fgpu_status *status)
{
    *pool = lookup_pool_of(handle.bits, HANDLE_EXEC, who, status);
    if (*pool == NULL)
        return NULL;
    struct graph_exec *exec = table_find(&(*pool)->execs, handle_index(handle.bits));
    lock_acquire(&(*pool)->graphs_lock);
    uint32_t live = exec != NULL ? atomic_load_acquire_u32(&exec->live) : 0;
    if ((live & 1) && (live & HANDLE_GENERATION_MASK) == handle_generation(handle.bits))
        exec->launches++;
    else
        exec = NULL;
    lock_release(&(*pool)->graphs_lock);
    if (exec == NULL)
        *status = error_set(FGPU_E_STALE, "%s: the instantiated graph has been destroyed", who);
    return exec;
}

void graph_exec_fini(struct pool *pool, struct graph_exec *exec)
{
    size_t bytes = graph_flight_bytes(exec);
    struct graph_flight *lists[] = {exec->oldest, exec->spare};
    for (size_t i = 0; i < 2; i++) {
        while (lists[i] != NULL) {
            struct graph_flight *flight = lists[i];
            lists[i] = flight->next;
            alloc_put(pool->driver->alloc, flight, bytes);
        }
    }
    arena_fini(&exec->arena);
}

void graph_exec_leave(struct pool *pool, struct graph_exec *exec)
{
    lock_acquire(&pool->graphs_lock);
    bool last = --exec->launches == 0 && !(atomic_load_relaxed_u32(&exec->live) & 1);
    lock_release(&pool->graphs_lock);
    if (!last)
        return;
    /* What has not ended by now is remembered, if it fails, until the pool closes. */
    for (struct graph_flight *flight = exec->oldest; flight != NULL; flight = flight->next)
        (void)graph_flight_settle(pool, flight);
    graph_joined_drop(pool, exec);
    graph_exec_fini(pool, exec);
    table_free(&pool->execs, exec->self);
}

fgpu_status fgpu_graph_exec_destroy(fgpu_graph_exec handle)
{
    fgpu_status status;
    LOOKUP_GUEST *pool = NULL;
    if (handle.bits == 0)
        return FGPU_OK;
    struct graph_exec *exec = graph_exec_enter(handle, "fgpu_graph_exec_destroy", &pool, &status);
    if (exec == NULL)
        return status;
    lock_acquire(&pool->graphs_lock);
    uint32_t live = atomic_load_relaxed_u32(&exec->live);
    bool mine = live & 1; /* another thread may have been faster */
    if (mine)
        atomic_store_release_u32(&exec->live, live + 1);
    lock_release(&pool->graphs_lock);
    graph_exec_leave(pool, exec);
    return mine ? FGPU_OK
                : error_set(FGPU_E_STALE, "fgpu_graph_exec_destroy: it has been destroyed");
}
