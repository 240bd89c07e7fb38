/* Windows made by hand: a machine, data, tasks by what they access; then rig_close(). */
#ifndef FASTGPU_TESTS_LIB_WINDOW_RIG_H
#define FASTGPU_TESTS_LIB_WINDOW_RIG_H

#include "base/rng.h"
#include "plan/world.h"

#define RIG_LINK_BYTES_PER_NS 1.0
#define RIG_LATENCY_NS 10u

/* Node n > 0 has the links 2n (from everywhere) and 2n + 1 (to everywhere); the host has 0 and 1,
 * which nobody else crosses. */
static inline void rig_path(const void *context, uint32_t source, uint32_t target,
                            struct plan_path *path)
{
    (void)context;
    path->latency_ns = RIG_LATENCY_NS;
    path->bytes_per_ns = RIG_LINK_BYTES_PER_NS;
    path->link_count = 0;
    if (source == target)
        return;
    path->links[path->link_count++] = 2 * source + 1;
    path->links[path->link_count++] = 2 * target;
}

static inline void rig_open(struct plan_window *window, const struct alloc_hooks *hooks)
{
    plan_window_init(window, hooks);
    window->transfers = true;
    window->path = rig_path;
}

/* A class of `count` workers on `node`. */
static inline void rig_class(struct plan_window *window, uint32_t count, uint32_t node)
{
    struct plan_class of = {.first_worker = (uint32_t)window->workers.count, .worker_count = count};
    struct plan_worker worker = {.class_index = plan_class_count(window), .node = node};
    FGPU_ASSERT(vec_push(&window->classes, &of) != NULL);
    for (uint32_t i = 0; i < count; i++)
        FGPU_ASSERT(vec_push(&window->workers, &worker) != NULL);
    while (window->node_count <= node) {
        struct plan_link link = {RIG_LINK_BYTES_PER_NS};
        FGPU_ASSERT(vec_push(&window->links, &link) != NULL);
        FGPU_ASSERT(vec_push(&window->links, &link) != NULL);
        window->node_count++;
    }
}

/* After all classes; one cost for each. */
static inline void rig_type(struct plan_window *window, const int64_t *costs_ns)
{
    for (uint32_t c = 0; c < plan_class_count(window); c++)
        FGPU_ASSERT(vec_push(&window->costs, &costs_ns[c]) != NULL);
    window->type_count++;
}

static inline uint32_t rig_data(struct plan_window *window, uint64_t bytes, uint32_t holder)
{
    struct plan_data data = {bytes, (uint32_t)window->holders.count, 1};
    FGPU_ASSERT(vec_push(&window->holders, &holder) != NULL);
    FGPU_ASSERT(vec_push(&window->data, &data) != NULL);
    return (uint32_t)window->data.count - 1;
}

/* Its accesses follow with rig_access(). */
static inline struct plan_task *rig_task(struct plan_window *window, uint32_t type)
{
    struct plan_task task = {
        .type = type, .only_worker = PLAN_NONE, .first_access = (uint32_t)window->accesses.count};
    window->task_count++;
    struct plan_task *at = vec_push(&window->tasks, &task);
    FGPU_ASSERT(at != NULL);
    return at;
}

static inline void rig_access(struct plan_window *window, uint32_t data, uint32_t mode)
{
    struct plan_access access = {data, mode};
    FGPU_ASSERT(vec_push(&window->accesses, &access) != NULL);
}

static inline void rig_close(struct plan_window *window)
{
    struct plan_task end = {.first_access = (uint32_t)window->accesses.count};
    FGPU_ASSERT(vec_push(&window->tasks, &end) != NULL);
    FGPU_ASSERT(plan_window_infer(window));
}

/* A window of `tasks` tasks of three types on a few data, on `cpus` workers beside the data and
 * `gpus` classes of one worker with a node of its own. */
static inline void rig_random(struct plan_window *window, struct rng *rng, uint32_t cpus,
                              uint32_t gpus, uint32_t tasks)
{
    int64_t costs[3][16];
    rig_class(window, cpus, 0);
    for (uint32_t g = 0; g < gpus; g++)
        rig_class(window, 1, g + 1);
    for (uint32_t t = 0; t < 3; t++) {
        for (uint32_t c = 0; c <= gpus; c++)
            costs[t][c] = (int64_t)(c == 0 ? 500 + rng_below(rng, 1000) : 50 + rng_below(rng, 700));
        if (rng_below(rng, 4) == 0)
            costs[t][rng_below(rng, gpus + 1)] = PLAN_CANNOT;
        rig_type(window, costs[t]);
    }
    for (uint32_t d = 0; d < 2 + tasks / 3; d++)
        (void)rig_data(window, rng_below(rng, 300), 0);
    for (uint32_t t = 0; t < tasks; t++) {
        (void)rig_task(window, (uint32_t)rng_below(rng, 3));
        uint32_t first = (uint32_t)rng_below(rng, window->data.count);
        uint32_t second = (uint32_t)rng_below(rng, window->data.count);
        rig_access(window, first, rng_below(rng, 4) == 0 ? PLAN_WRITE : PLAN_READ | PLAN_WRITE);
        if (second != first)
            rig_access(window, second, PLAN_READ);
    }
    rig_close(window);
}

/* NULL when what the world did is a schedule of its window, else what is wrong. */
const char *rig_wrong(const struct world *world, int64_t makespan_ns);

#endif
