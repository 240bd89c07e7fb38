/* An instantiated graph is launched: its tasks are submitted in their order, then one that joins.
 *
 * A node names its explicit predecessors; order from data is the engine's, as for every task. The
 * join comes after all nodes that no other one names as predecessor, for the failure of a node
 * always reaches those that name it, but reaches readers and writers of its data only as far as
 * they read what it should have written. So the join fails when any node fails. Launches keep the
 * names of their tasks in a "flight", because nobody else could ask to forget those that fail.
 * Thread: any; waits at the pool's task limit like any submit.
 */
#include <stdio.h>
#include <string.h>

#include "api/graph.h"
#include "api/reduce.h"
#include "api/task.h"

#define LAUNCH_SETTLE 2u /* earlier launches looked at in each: one more than are made */

static const char launch_who[] = "fgpu_graph_launch";

/* ---- flights ---------------------------------------------------------------------------- */

/* Nodes, joins of groups of sinks, the join of all. */
static size_t launch_tasks(const struct graph_exec *exec)
{
    return (size_t)exec->node_count + exec->sink_count / LIMITS_DEPS + 2;
}

size_t graph_flight_bytes(const struct graph_exec *exec)
{
    size_t pairs = launch_tasks(exec) + exec->after_max;
    return sizeof(struct graph_flight) + pairs * 2 * sizeof(uint32_t);
}

static uint32_t launch_word(const struct pool *pool, uint32_t index)
{
    return task_word(engine_task(&pool->driver->engine, index));
}

/* A task that has ended well, or was forgotten, has left its record. */
static bool launch_is_gone(const struct pool *pool, const uint32_t *name)
{
    return launch_word(pool, name[0]) >> TASK_STATE_BITS != name[1];
}

/* Under the driver's lock. False: it has not ended, or the pool still has to report it. */
static bool launch_forget(struct engine *engine, const uint32_t *name)
{
    uint32_t word = task_word(engine_task(engine, name[0]));
    if (word >> TASK_STATE_BITS != name[1])
        return true;
    if (!task_state_ended(word & TASK_STATE_MASK) || engine_first_failure(engine) == name[0])
        return false;
    engine_forget(engine, name[0]);
    return true;
}

bool graph_flight_settle(struct pool *pool, struct graph_flight *flight)
{
    if (flight->join != TASK_NONE &&
        !launch_is_gone(pool, (uint32_t[]){flight->join, flight->join_generation}))
        return false; /* its handle answers, and the answer names a node */
    uint32_t kept = 0;
    while (kept < flight->count && launch_is_gone(pool, &flight->tasks[2 * (size_t)kept]))
        kept++;
    if (kept == flight->count)
        return true;
    bool all = true;
    driver_enter(pool->driver);
    for (; kept < flight->count; kept++)
        all &= launch_forget(&pool->driver->engine, &flight->tasks[2 * (size_t)kept]);
    driver_leave(pool->driver);
    return all;
}

/* Under graphs_lock. */
static void launch_queue(struct graph_exec *exec, struct graph_flight *flight)
{
    flight->next = NULL;
    if (exec->oldest == NULL)
        exec->oldest = flight;
    else
        exec->newest->next = flight;
    exec->newest = flight;
}

static struct graph_flight *launch_pop(struct pool *pool, struct graph_flight **list)
{
    lock_acquire(&pool->graphs_lock);
    struct graph_flight *flight = *list;
    if (flight != NULL)
        *list = flight->next;
    lock_release(&pool->graphs_lock);
    return flight;
}

void graph_flights_settle(struct pool *pool, struct graph_exec *exec)
{
    for (uint32_t i = 0; i < LAUNCH_SETTLE; i++) {
        struct graph_flight *old = launch_pop(pool, &exec->oldest);
        if (old == NULL)
            break;
        bool settled = graph_flight_settle(pool, old);
        lock_acquire(&pool->graphs_lock);
        if (settled) {
            old->next = exec->spare;
            exec->spare = old;
        } else {
            launch_queue(exec, old);
        }
        lock_release(&pool->graphs_lock);
    }
}

/* A flight to fill: that of an earlier launch, or a new one. NULL without memory. */
static struct graph_flight *launch_flight(struct pool *pool, struct graph_exec *exec)
{
    graph_flights_settle(pool, exec);
    struct graph_flight *flight = launch_pop(pool, &exec->spare);
    if (flight == NULL)
        flight = alloc_get(pool->driver->alloc, graph_flight_bytes(exec), 16);
    if (flight != NULL) {
        flight->count = 0;
        flight->join = TASK_NONE;
    }
    return flight;
}

/* ---- submitting ------------------------------------------------------------------------- */

/* Submits a task after those of the flight at the given places; its name is added to the flight. */
static fgpu_status launch_submit(struct pool *pool, const struct graph_exec *exec,
                                 struct graph_flight *flight, struct submit_request *request,
                                 const uint32_t *places)
{
    uint32_t *after = flight->tasks + 2 * launch_tasks(exec);
    for (uint32_t i = 0; i < request->after_count; i++)
        memcpy(&after[2 * (size_t)i], &flight->tasks[2 * (size_t)places[i]], 2 * sizeof *after);
    request->after = after;
    uint32_t *name = &flight->tasks[2 * (size_t)flight->count];
    fgpu_status status = reduce_submit(pool, request, &name[0], &name[1]);
    flight->count += status == FGPU_OK;
    return status;
}

static fgpu_status launch_nodes(struct pool *pool, const struct graph_exec *exec,
                                struct graph_flight *flight)
{
    const uint32_t *places = exec->after;
    for (uint32_t i = 0; i < exec->node_count; i++) {
        struct submit_request request = exec->nodes[i].request;
        request.after_count = exec->nodes[i].after_count;
        fgpu_status status = launch_submit(pool, exec, flight, &request, places);
        if (status != FGPU_OK)
            return error_set(status, "%s: node %u: %s", launch_who, exec->numbers[i], error_text());
        places += exec->nodes[i].after_count;
    }
    return FGPU_OK;
}

/* One task that ends after all sinks; too many of them are joined in groups first. It is remembered
 * when it fails if the caller gets its name. */
static fgpu_status launch_join(struct pool *pool, const struct graph_exec *exec,
                               struct graph_flight *flight, bool named)
{
    uint32_t groups[LIMITS_GRAPH_NODES / LIMITS_DEPS];
    struct submit_request request = {.kind = TASK_EMPTY,
                                     .kernel = TASK_NONE,
                                     .pin = TASK_DEVICE_ANY,
                                     .name = "graph",
                                     .after_count = exec->sink_count};
    const uint32_t *places = exec->sinks;
    fgpu_status status = FGPU_OK;
    if (exec->sink_count > LIMITS_DEPS) {
        uint32_t group_count = 0, left = exec->sink_count;
        while (left > 0 && status == FGPU_OK) {
            request.after_count = left < LIMITS_DEPS ? left : LIMITS_DEPS;
            groups[group_count++] = flight->count;
            status = launch_submit(pool, exec, flight, &request, places);
            places += request.after_count;
            left -= request.after_count;
        }
        places = groups;
        request.after_count = group_count;
    }
    request.flags = named ? 0 : TASK_F_UNLISTED;
    if (status == FGPU_OK)
        status = launch_submit(pool, exec, flight, &request, places);
    if (status != FGPU_OK)
        return error_set(status, "%s: %s", launch_who, error_text());
    flight->count--;
    flight->join = flight->tasks[2 * (size_t)flight->count];
    flight->join_generation = flight->tasks[2 * (size_t)flight->count + 1];
    return FGPU_OK;
}

/* The launch has failed in the middle: what has not started does not start. */
static void launch_cancel(struct pool *pool, const struct graph_flight *flight)
{
    driver_enter(pool->driver);
    for (uint32_t i = 0; i < flight->count; i++) {
        const uint32_t *name = &flight->tasks[2 * (size_t)i];
        if (!launch_is_gone(pool, name))
            (void)engine_cancel(&pool->driver->engine, name[0]);
    }
    driver_leave(pool->driver);
}

static fgpu_status launch_run(struct pool *pool, struct graph_exec *exec, fgpu_task *task)
{
    /* Where buffers are reduced each task must be looked at. */
    if (exec->is_joinable && !reduce_any(pool) && graph_joined_launch(pool, exec, task))
        return FGPU_OK;
    for (uint32_t i = 0; i < exec->use_count; i++) {
        fgpu_status status = graph_check_use(pool, &exec->uses[i], launch_who);
        if (status != FGPU_OK)
            return status;
    }
    struct graph_flight *flight = launch_flight(pool, exec);
    if (flight == NULL)
        return error_set(FGPU_E_NOMEM, "%s: no memory for the names of %u tasks", launch_who,
                         exec->node_count);
    fgpu_status status = launch_nodes(pool, exec, flight);
    if (status == FGPU_OK)
        status = launch_join(pool, exec, flight, task != NULL);
    if (status == FGPU_OK && task != NULL)
        *task = lookup_task_handle(pool, flight->join, flight->join_generation);
    if (status != FGPU_OK) {
        char text[LIMITS_ERROR_TEXT];
        snprintf(text, sizeof text, "%s", error_text());
        launch_cancel(pool, flight);
        (void)error_set(status, "%s", text);
    }
    lock_acquire(&pool->graphs_lock);
    launch_queue(exec, flight);
    lock_release(&pool->graphs_lock);
    return status;
}

fgpu_status fgpu_graph_launch(fgpu_graph_exec handle, fgpu_task *task)
{
    fgpu_status status;
    LOOKUP_GUEST *pool = NULL;
    if (task != NULL)
        task->bits = 0;
    struct graph_exec *exec = graph_exec_enter(handle, launch_who, &pool, &status);
    if (exec == NULL)
        return status;
    status = launch_run(pool, exec, task);
    graph_exec_leave(pool, exec);
    return status;
}
