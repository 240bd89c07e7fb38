/* The window: a graph of tasks with what they cost and what they touch, on the workers of a
 * machine.
 *
 * It is what policies plan and what bounds are computed of: numbers only, no handles. Built by the
 * engine from its pending tasks (core/window.c) and by tests by hand. Tasks are numbered in an
 * order in which they could run (predecessors first). Pure; thread: one; owns its arrays.
 */
#ifndef FASTGPU_PLAN_WINDOW_H
#define FASTGPU_PLAN_WINDOW_H

#include <stdbool.h>
#include <stdint.h>
#include "base/vec.h"

#define PLAN_NONE UINT32_MAX
#define PLAN_CANNOT INT64_MAX /* cost of a type on a class that cannot run it */
#define PLAN_HOPS 24u         /* links of one path that contend */

enum plan_access_mode { PLAN_READ = 1, PLAN_WRITE = 2 }; /* bits */

struct plan_access {
    uint32_t data;
    uint32_t mode;
};

struct plan_task {
    uint32_t type;
    int32_t priority;         /* the caller's: higher ones first, whatever their rank */
    uint32_t first_access;    /* in `accesses`; the next task's is the end */
    uint32_t first_successor; /* in `successors` */
    uint32_t predecessors;    /* in the window */
    uint32_t only_worker;     /* PLAN_NONE: any that has a cost */
    uint64_t ready_ns;        /* not before (predecessors outside the window) */
};

/* What runs one task at a time: a queue of a device. Workers of a class follow each other. */
struct plan_worker {
    uint32_t class_index;
    uint32_t node;
    uint64_t free_ns; /* when it has done what it has already */
};

struct plan_class {
    uint32_t first_worker;
    uint32_t worker_count;
    double extra_watt; /* what one of them draws when it works, beyond idle */
};

enum plan_objective { PLAN_MAKESPAN, PLAN_LATENCY, PLAN_ENERGY, PLAN_EDP };

/* What a plan is to be good at; all zero: a short makespan. */
struct plan_aim {
    uint32_t objective; /* enum plan_objective */
    double idle_watt;   /* of the whole machine */
    double cap_watt;    /* ... which draws no more; 0: no cap */
};

/* More than a short makespan? */
static inline bool plan_aim_is_wanted(const struct plan_aim *aim)
{
    return aim->objective != PLAN_MAKESPAN || aim->cap_watt > 0;
}

struct plan_data {
    uint64_t bytes;
    uint32_t first_holder; /* in `holders`: nodes that have it at the start */
    uint32_t holder_count;
};

/* Two nodes' path: links that contend (one that it crosses twice is there twice and carries it at
 * half its rate), the latency, and the rate of the slowest link. */
struct plan_path {
    uint32_t links[PLAN_HOPS];
    uint32_t link_count; /* 0: no way */
    uint64_t latency_ns;
    double bytes_per_ns;
};

struct plan_link {
    double bytes_per_ns;
};

struct plan_window {
    struct vec classes;    /* struct plan_class */
    struct vec workers;    /* struct plan_worker */
    struct vec costs;      /* int64_t ns [type * class_count + class] */
    struct vec tasks;      /* struct plan_task, and one more that ends the lists */
    struct vec accesses;   /* struct plan_access */
    struct vec successors; /* uint32_t */
    struct vec data;       /* struct plan_data */
    struct vec holders;    /* uint32_t: node */
    struct vec links;      /* struct plan_link */
    struct vec capacity;   /* uint64_t: bytes of each node, 0: no limit */
    uint32_t type_count;
    uint32_t task_count;
    uint32_t node_count;
    struct plan_aim aim;
    bool transfers; /* copies take time; else data are everywhere */
    /* How data travel from one node to another. Pure. */
    void (*path)(const void *context, uint32_t source, uint32_t target, struct plan_path *path);
    const void *context;
};

void plan_window_init(struct plan_window *window, const struct alloc_hooks *hooks);
void plan_window_fini(struct plan_window *window);

static inline uint32_t plan_class_count(const struct plan_window *window)
{
    return (uint32_t)window->classes.count;
}

static inline const struct plan_class *plan_class_at(const struct plan_window *window,
                                                     uint32_t index)
{
    return (const struct plan_class *)(const void *)window->classes.items + index;
}

static inline const struct plan_worker *plan_worker_at(const struct plan_window *window,
                                                       uint32_t index)
{
    return (const struct plan_worker *)(const void *)window->workers.items + index;
}

static inline const struct plan_task *plan_task_at(const struct plan_window *window, uint32_t index)
{
    return (const struct plan_task *)(const void *)window->tasks.items + index;
}

static inline const struct plan_access *plan_accesses(const struct plan_window *window)
{
    static const struct plan_access none; /* so that there is a place to reckon from */
    return window->accesses.items == NULL
               ? &none
               : (const struct plan_access *)(const void *)window->accesses.items;
}

static inline const uint32_t *plan_successors(const struct plan_window *window)
{
    return (const uint32_t *)(const void *)window->successors.items;
}

static inline const struct plan_data *plan_data_at(const struct plan_window *window, uint32_t index)
{
    return (const struct plan_data *)(const void *)window->data.items + index;
}

/* PLAN_CANNOT, or nanoseconds. */
static inline int64_t plan_cost_ns(const struct plan_window *window, uint32_t type,
                                   uint32_t class_index)
{
    return ((const int64_t *)(const void *)
                window->costs.items)[type * plan_class_count(window) + class_index];
}

/* Edges as the order of accesses demands them (a reader after the last writer, a writer after the
 * readers since), in place of those that are there. For windows made by hand. False without memory.
 */
bool plan_window_infer(struct plan_window *window);

#endif
