/* Launches of a recorded graph as one task (core/joined.h), where that can be done and pays.
 *
 * The first launches go out task by task, which measures the tasks, has their kernels compiled and
 * gives the buffers their memory; so do all launches while the pool is traced, so that traces tell
 * of every task. What becomes of a launch is the same in both ways. Thread: any; takes the driver's
 * lock, does not wait.
 */
#include "api/graph.h"

#define JOINED_FIRST 2u /* launches before it is tried, and then always twice as many */
#define JOINED_MOST 64u /* up to that */

static const struct submit_request *joined_node(const void *user, uint32_t place, uint32_t *number,
                                                uint32_t *after_count)
{
    const struct graph_exec *exec = user;
    *number = exec->numbers[place];
    *after_count = exec->nodes[place].after_count;
    return &exec->nodes[place].request;
}

static struct joined_source joined_source(const struct graph_exec *exec)
{
    return (struct joined_source){
        .user = exec, .node = joined_node, .after = exec->after, .node_count = exec->node_count};
}

bool graph_is_joinable(const struct graph_exec *exec)
{
    struct joined_source source = joined_source(exec);
    return joined_can(&source);
}

/* For some launches it is not tried again. */
static void joined_put_off(struct graph_exec *exec)
{
    exec->join_at = 2 * exec->join_at < JOINED_MOST ? 2 * exec->join_at : JOINED_MOST;
    exec->apart = 0;
}

static void joined_give_up(struct engine *engine, struct graph_exec *exec)
{
    joined_retire(engine, exec->joined);
    exec->joined = NULL;
    joined_put_off(exec);
}

/* Under the driver's lock. False: task by task. */
static bool joined_try(struct engine *engine, struct graph_exec *exec, bool named, uint32_t *index,
                       uint32_t *generation)
{
    struct joined_source source = joined_source(exec);
    exec->join_at = exec->join_at == 0 ? JOINED_FIRST : exec->join_at;
    if (!joined_may(engine) || engine->trace->on)
        return false;
    if (exec->joined == NULL && exec->apart++ < exec->join_at)
        return false;
    if (exec->joined == NULL && joined_make(engine, &source, &exec->joined) != FGPU_OK)
        return false;
    if (exec->joined == NULL) {
        joined_put_off(exec);
        return false;
    }
    fgpu_status status = joined_launch(engine, exec->joined, named, index, generation);
    if (status == FGPU_E_STALE || status == FGPU_E_BUSY)
        joined_give_up(engine, exec);
    return status == FGPU_OK;
}

bool graph_joined_launch(struct pool *pool, struct graph_exec *exec, fgpu_task *task)
{
    struct driver *driver = pool->driver;
    uint32_t index, generation;
    graph_flights_settle(pool, exec);
    if (!atomic_load_acquire_u32(&driver->progress_started))
        driver_start(driver);
    driver_enter(driver);
    bool is_launched = joined_try(&driver->engine, exec, task != NULL, &index, &generation);
    driver_leave(driver);
    if (is_launched && task != NULL)
        *task = lookup_task_handle(pool, index, generation);
    return is_launched;
}

void graph_joined_drop(struct pool *pool, struct graph_exec *exec)
{
    if (exec->joined == NULL)
        return;
    driver_enter(pool->driver);
    joined_retire(&pool->driver->engine, exec->joined);
    exec->joined = NULL;
    driver_leave(pool->driver);
}
