/* A world in which a window runs: the fast simulation behind every plan.
 *
 * Discrete events (a worker has ended its task), with each worker's queue, the nodes that hold each
 * piece of data and when it arrives there, and when each link is free again: copies on a link run
 * one after another at its full rate, which moves as many bytes as sharing it does and needs no
 * events. A policy decides where a task that has become ready goes (push) and what a worker takes
 * next (pop). About half a microsecond a task. Deterministic: integers, ties to the lower number.
 * Pure; thread: one for each world; allocates when it is prepared only (and where more data are
 * held than ever before).
 */
#ifndef FASTGPU_PLAN_WORLD_H
#define FASTGPU_PLAN_WORLD_H

#include "plan/window.h"

#define WORLD_ABSENT INT64_MAX

/* What a type costs in a rank, the longest way to the end of the window. */
enum world_rank {
    WORLD_RANK_NONE,  /* no rank: order of becoming ready */
    WORLD_RANK_MEAN,  /* mean over workers (HEFT) */
    WORLD_RANK_LEAST, /* the cheapest class */
    WORLD_RANK_RATE,  /* as fast as all workers are together on average: harmonic mean */
    WORLD_RANK_BOTH   /* geometric mean of mean and least */
};

/* Factors are in 1/256. */
struct world_tuning {
    uint32_t rank;     /* enum world_rank */
    uint32_t move;     /* how much a byte that has to travel counts beside its time */
    uint32_t move_own; /* the same again for data that the task changes */
    uint32_t slack;    /* how much longer than its tail a task's end may lie before the target */
    int64_t target_ns; /* makespan aimed at: while a task would end early enough for it, it goes
                          where it is cheapest, not where it ends first; 0: never */
    uint32_t look;     /* tasks of its queue among which a worker takes the first with data */
    bool by_rank;      /* only what is ahead of a task in a queue delays it */
    bool steal;        /* an idle worker takes from others what it would end earlier */
};

struct world;

struct world_policy {
    const char *name;
    void (*push)(struct world *world, uint32_t task); /* it became ready */
    /* The next one for a worker that is free; PLAN_NONE. NULL: the front of its queue. */
    uint32_t (*pop)(struct world *world, uint32_t worker);
};

struct world_item {
    int64_t rank;
    int64_t through_ns; /* cost of the queue up to and with this one, since its beginning */
    uint32_t task;
    uint32_t class_index;
};

/* Sorted by rank, the front first; equal ones in the order of their arrival. */
struct world_queue {
    struct world_item *items;
    uint32_t head, count, capacity;
    int64_t popped_ns; /* cost of all that has left at the front */
};

struct world_worker {
    struct world_queue queue;
    int64_t end_ns; /* of the running task; when it became free */
    uint32_t running;
    bool dirty; /* in `touched` */
};

struct world_holder {
    int64_t ready_ns;
    uint32_t node;
    uint32_t next;
};

/* What became of a task. */
struct world_run {
    int64_t start_ns, end_ns;
    uint32_t worker;
    uint32_t order; /* tasks that started before it in the whole world */
};

struct world {
    const struct plan_window *window;
    const struct world_policy *policy;
    struct world_tuning tuning;
    int64_t now_ns;
    int64_t makespan_ns;
    uint64_t bytes_moved;
    uint32_t started, done;
    /* of tasks */
    int64_t *rank;
    int64_t *tail_ns; /* longest way from a task's end to the end of the window, at least cost */
    uint32_t *pending;
    struct world_run *runs;
    /* of workers */
    struct world_worker *workers;
    uint32_t *heap; /* running workers, by the end of their tasks */
    uint32_t heap_count;
    uint32_t *touched; /* workers that may start something */
    uint32_t touched_count;
    /* of data and links */
    uint32_t *holders_of; /* [data]: list in `holders` */
    uint64_t *held;       /* [data]: bits of the nodes that may hold it */
    struct vec holders;   /* struct world_holder */
    uint32_t holder_free;
    int64_t *link_free_ns;
    struct plan_path *paths;    /* [source * nodes + target] where there are few nodes; else NULL */
    struct plan_path path;      /* the last one asked for, else */
    int64_t *price;             /* [class]: what a nanosecond there is worth, in 1/65536 */
    int64_t *least_ns;          /* [class]: of any type */
    struct vec ready;           /* uint32_t: tasks that became ready in this event */
    struct world_queue *shared; /* [type]: lists of no worker, for policies that have such */
};

/* Room for a window; the window is borrowed until world_fini. False without memory. */
bool world_init(struct world *world, const struct plan_window *window);
void world_fini(struct world *world);

/* Simulates the whole window from its beginning. Returns the makespan; INT64_MAX without memory, or
 * where tasks are left that no worker takes. */
int64_t world_simulate(struct world *world, const struct world_policy *policy,
                       const struct world_tuning *tuning);

/* ---- for policies -------------------------------------------------------------------------- */

static inline int64_t world_cost_ns(const struct world *world, uint32_t task, uint32_t class_index)
{
    return plan_cost_ns(world->window, plan_task_at(world->window, task)->type, class_index);
}

/* When all that the task reads could be on the node, were it ordered now; `moved_ns`: how long the
 * copies for it would keep their links busy, those of data that it changes counted again as the
 * tuning says. */
int64_t world_arrival_ns(struct world *world, uint32_t task, uint32_t node, int64_t *moved_ns);

/* Where a task could start. */
struct world_place {
    int64_t start_ns;
    int64_t arrival_ns, moved_ns; /* world_arrival_ns() */
    int64_t worth_ns;             /* start_ns and what moves, weighed */
    int64_t limit_ns;
};

/* The worker of a class where it would start first, with the bytes that would have to move weighed
 * as the tuning says: place->worth_ns. PLAN_NONE when none may run it, or none before
 * place->limit_ns [in]. The class must have a cost for it. */
uint32_t world_best_worker(struct world *world, uint32_t task, uint32_t class_index,
                           struct world_place *place);

/* Orders what the task needs on the node. Returns when the last of it is there. */
int64_t world_fetch(struct world *world, uint32_t task, uint32_t node);

/* When a task of this rank that joined the worker's queue now would start, data aside. */
int64_t world_free_ns(const struct world *world, uint32_t worker, int64_t rank);

/* Puts it into the worker's queue and orders its data. */
void world_enqueue(struct world *world, uint32_t worker, uint32_t task);

/* Takes an item out. [in] place: from the front. */
uint32_t world_take(struct world *world, uint32_t worker, uint32_t place);

/* The worker may have something to do. */
void world_touch(struct world *world, uint32_t worker);

/* May the worker run it at all? */
static inline bool world_runs(const struct world *world, uint32_t task, uint32_t worker)
{
    const struct plan_task *of = plan_task_at(world->window, task);
    return (of->only_worker == PLAN_NONE || of->only_worker == worker) &&
           world_cost_ns(world, task, plan_worker_at(world->window, worker)->class_index) !=
               PLAN_CANNOT;
}

/* ---- inside src/plan ------------------------------------------------------------------------ */

/* rank.c: rank and tail of every task, prices of the classes. */
void world_ranks(struct world *world);
bool world_prices(struct world *world);

/* queue.c */
bool world_queue_insert(struct world_queue *queue, const struct world_item *item, int64_t cost_ns);
void world_queue_remove(struct world_queue *queue, uint32_t place, int64_t cost_ns);
int64_t world_queue_ahead_ns(const struct world_queue *queue, int64_t rank);

static inline const struct world_item *world_queue_at(const struct world_queue *queue,
                                                      uint32_t place)
{
    return &queue->items[queue->head + place];
}

/* data.c */
/* Leaves out of world->paths the links that are never free later than another on the same path.
 * False without memory. */
bool world_thin_paths(struct world *world);
bool world_data_reset(struct world *world);
void world_data_write(struct world *world, uint32_t task, uint32_t node);

#endif
