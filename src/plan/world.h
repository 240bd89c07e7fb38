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
#define WORLD_MOST_NS (INT64_C(1) << 54)      /* all costs of a window together, 208 days */
#define WORLD_MOST_COPY_NS (INT64_C(1) << 44) /* of all data of one task, 5 hours */
#define WORLD_PRIORITIES 4096                 /* above and below 0; further ones count as that */

/* What a type costs in a rank, the longest way to the end of the window. */
enum world_rank {
    WORLD_RANK_NONE,  /* no rank: order of becoming ready */
    WORLD_RANK_MEAN,  /* mean over workers (HEFT) */
    WORLD_RANK_LEAST, /* the cheapest class */
    WORLD_RANK_RATE,  /* as fast as all workers are together on average: harmonic mean */
    WORLD_RANK_BOTH,  /* geometric mean of mean and least */
    WORLD_RANK_SHORT, /* the shorter the task, at its least, the higher: for mean response times */
    WORLD_RANK_GIVEN  /* of the plan that is being followed: world->given_rank */
};

/* Factors are in 1/256. */
struct world_tuning {
    uint32_t rank;     /* enum world_rank */
    uint32_t move;     /* how much a byte that has to travel counts beside its time */
    uint32_t move_own; /* the same again for data that the task changes */
    uint32_t slack;    /* how much longer than its tail a task's end may lie before the target */
    int64_t target_ns; /* makespan aimed at: while a task would end early enough for it, it goes
                          where it is cheapest, not where it ends first; 0: never */
    uint32_t jitter;   /* of the costs in ranks, up and down at most */
    uint32_t seed;     /* of the jitter */
    uint32_t look;     /* tasks of its queue among which a worker takes the first with data */
    uint32_t ahead;    /* tasks of a queue, from its front, whose data are ordered; 0: of all */
    bool by_rank;      /* only what is ahead of a task in a queue delays it */
    bool flat;         /* priorities are not in the ranks */
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
    int64_t there_ns;   /* when it may begin: its data are there, its time has come; WORLD_ABSENT:
                           they have not been ordered */
    uint32_t task;
    uint32_t type;
};

/* Sorted by rank, the front first; equal ones in the order of their arrival. */
struct world_queue {
    struct world_item *items;
    uint32_t head, count, capacity;
    int64_t popped_ns; /* cost of all that has left at the front */
    const struct alloc_hooks *hooks;
};

struct world_worker {
    struct world_queue queue;
    int64_t end_ns;  /* of the running task; when it became free */
    int64_t load_ns; /* when it would have done its queue, data aside */
    uint32_t running;
    uint32_t group;
    uint32_t version; /* a task has joined the queue */
    bool dirty;       /* in `touched` */
};

/* Workers of one class on one node. */
struct world_group {
    uint32_t class_index, node;
    uint32_t first_worker, worker_count;
};

/* Who of many workers has the least key: a tournament. */
struct world_tree {
    uint32_t *best; /* [2 * leaves]; PLAN_NONE */
    uint32_t leaves;
};

struct world_holder {
    int64_t ready_ns;
    uint32_t node;
    uint32_t next;
};

/* Data that may travel ahead of the task that reads them there. */
struct world_early {
    uint32_t order; /* of that task */
    uint32_t data, node;
    bool done;
};

#define WORLD_HOPS 4u /* links of a path that can matter, mostly */

/* struct plan_path, without links that cannot matter. */
struct world_path {
    double ns_per_byte;
    int64_t latency_ns;          /* < 0: no way */
    uint32_t first[WORLD_HOPS];  /* links; those that are missing are one that is always free */
    double first_ns[WORLD_HOPS]; /* what a byte keeps that link busy */
    uint32_t more_count;
    uint32_t more[PLAN_HOPS - WORLD_HOPS];
    double more_ns[PLAN_HOPS - WORLD_HOPS];
};

/* What became of a task. */
struct world_run {
    int64_t start_ns, end_ns;
    uint32_t worker;
    uint32_t order; /* tasks that started before it in the whole world */
};

struct world {
    const struct plan_window *window;
    const struct alloc_hooks *hooks; /* the window's */
    const struct world_policy *policy;
    struct world_tuning tuning;
    int64_t now_ns;
    int64_t makespan_ns;
    uint64_t bytes_moved;
    uint32_t started, done;
    /* of tasks */
    int64_t *rank;
    int64_t *tail_ns; /* longest way from a task's end to the end of the window, at least cost */
    bool absurd;      /* times that do not fit in a number: nothing is simulated */
    int64_t bound_ns; /* no makespan is below: of the area at `price`, and of the longest way */
    uint32_t *pending;
    struct world_run *runs;
    struct world_run *kept_runs; /* world_keep() */
    int64_t *kept_rank;
    int64_t kept_ns;
    uint32_t ranked; /* enum world_rank that `rank` is of, plus 1, flat ones negative; 0: none */
    /* of workers */
    struct world_worker *workers;
    struct world_group *groups;
    uint32_t group_count;
    bool many;                         /* more workers than can be looked at one after another */
    struct world_tree soonest, latest; /* by load_ns; the latter of workers that have a queue */
    uint32_t *robbed;                  /* [group * (workers + 1) + worker]: version without loot;
                                          the last is of all together */
    uint32_t version;                  /* tasks that have joined queues */
    uint32_t taken_from;               /* worker whose queue gave a task last */
    int64_t taken_ns;                  /* when its data are there; WORLD_ABSENT: not ordered */
    uint64_t *idle;                    /* bits of workers that have nothing and found nothing */
    uint32_t *node_first, *node_last;  /* workers on a node lie between these */
    uint32_t *heap;                    /* running workers, by the end of their tasks */
    uint32_t heap_count;
    uint32_t *touched; /* [2 * workers]: those that may start something */
    uint32_t touched_count;
    /* of data and links */
    uint64_t *held;       /* [data]: bits of the nodes that (may, without `there_ns`) hold it */
    int64_t *there_ns;    /* [data * nodes + node]: when; NULL where there are too many of them */
    uint32_t *holders_of; /* without it, [data]: list in `holders` */
    struct vec holders;   /* struct world_holder */
    uint32_t holder_free;
    int64_t *link_free_ns;
    struct world_path *paths; /* [source * nodes + target] where there are few nodes; else NULL */
    struct world_path path;   /* the last one asked for, else */
    double *into_ns;          /* [node]: for a byte, from the fastest source */
    struct world_memory *memory;  /* NULL: no node has a limit */
    int64_t *price;               /* [class]: what a nanosecond there is worth, in 1/65536 */
    int64_t *least_ns;            /* [class]: of any type */
    double *worth;                /* [type]: least cost anywhere, at these prices */
    double worth_per_ns;          /* of all workers together */
    double left;                  /* worth of what has not begun */
    int64_t limit_ns;             /* a simulation that cannot end before is given up; INT64_MAX */
    uint64_t simulated;           /* tasks, in all simulations */
    const int64_t *given_rank;    /* [task]; NULL: no plan is being followed */
    const uint32_t *given_worker; /* [task]: where that has it; PLAN_NONE: nowhere */
    int64_t *given_tail_ns;       /* [task]: longest way from its end to the window's, there */
    const _Atomic uint32_t *stop; /* set: searches for a plan end; NULL */
    struct vec early;             /* struct world_early, by order; empty: nothing travels ahead */
    uint32_t early_first;         /* the first that has not travelled */
    struct vec ready;             /* uint32_t: tasks that became ready in this event */
    struct vec later;             /* uint32_t: tasks that wait for time alone, the last one first */
    struct world_queue *shared;   /* [type]: lists of no worker, for policies that have such */
};

/* Room for a window; the window is borrowed until world_fini. False without memory. */
bool world_init(struct world *world, const struct plan_window *window);
void world_fini(struct world *world);

/* Simulates the whole window from its beginning. Returns the makespan; INT64_MAX without memory,
 * where tasks are left that no worker takes, where times do not fit (WORLD_MOST_NS), or where it
 * would not be below world->limit_ns. */
int64_t world_simulate(struct world *world, const struct world_policy *policy,
                       const struct world_tuning *tuning);

/* Keeps what the last simulation came to, instead of what was kept before; makes it what the world
 * holds again. */
void world_keep(struct world *world);
void world_recall(struct world *world);

/* What becomes of the plan that the world holds when it is followed, by `policy` that puts each
 * task where world->given_worker says: data that nobody will have written before travel ahead. As
 * world_simulate() else; INT64_MAX, and the world as it was, where nothing can travel. */
int64_t world_settle(struct world *world, const struct world_policy *policy,
                     const struct world_tuning *tuning);

/* ---- for policies -------------------------------------------------------------------------- */

static inline int64_t world_cost_ns(const struct world *world, uint32_t task, uint32_t class_index)
{
    return plan_cost_ns(world->window, plan_task_at(world->window, task)->type, class_index);
}

#define WORLD_PLACES 64u /* candidates for one task */

/* Where a task could run. */
struct world_place {
    uint32_t worker, class_index, node;
    int64_t cost_ns;
    int64_t free_ns;    /* when the worker could begin, data aside */
    int64_t latest_ns;  /* it has to end by then; INT64_MAX */
    int64_t soonest_ns; /* it will not end before */
    int64_t least_ns;   /* nor will end_ns be less, and moved_ns not than it is before a look */
    /* world_look() */
    int64_t start_ns; /* with its data */
    int64_t moved_ns; /* how long the copies for it would keep their links busy, those of data
                         that it changes counted again as the tuning says */
    int64_t end_ns;   /* with the copies' weight */
};

/* For each class and node the worker that could begin first; where there are very many, the first
 * of each class and those next to the data. Returns how many, at most WORLD_PLACES. */
uint32_t world_places(struct world *world, uint32_t task, struct world_place *places);

/* Fills in what depends on the data: [in] free_ns, cost_ns, node, latest_ns. False when it cannot
 * have them, or would not end before `limit_ns` with the copies' weight. */
bool world_look(struct world *world, uint32_t task, struct world_place *place, int64_t limit_ns);

/* Orders what the task needs on the node. Returns when the last of it is there. */
int64_t world_fetch(struct world *world, uint32_t task, uint32_t node);

/* Puts it into the worker's queue and orders its data. */
void world_enqueue(struct world *world, uint32_t worker, uint32_t task);

/* Takes an item out. [in] place: from the front. */
uint32_t world_take(struct world *world, uint32_t worker, uint32_t place);

/* The worker may have something to do. */
void world_touch(struct world *world, uint32_t worker);

/* Somebody of each class (and node) who has nothing to do looks again: there are more tasks. */
void world_touch_idle(struct world *world);

/* May the worker run it at all? */
static inline bool world_runs(const struct world *world, uint32_t task, uint32_t worker)
{
    const struct plan_task *of = plan_task_at(world->window, task);
    return (of->only_worker == PLAN_NONE || of->only_worker == worker) &&
           world_cost_ns(world, task, plan_worker_at(world->window, worker)->class_index) !=
               PLAN_CANNOT;
}

/* ---- inside src/plan ------------------------------------------------------------------------ */

/* rank.c: the rank of every task. */
void world_ranks(struct world *world);
/* Tails, prices of the classes, the bound. False without memory. */
bool world_judge(struct world *world);

/* queue.c */
bool world_queue_insert(struct world_queue *queue, const struct world_item *item, int64_t cost_ns);
void world_queue_remove(struct world_queue *queue, uint32_t place, int64_t cost_ns);
int64_t world_queue_ahead_ns(const struct world_queue *queue, int64_t rank);

static inline const struct world_item *world_queue_at(const struct world_queue *queue,
                                                      uint32_t place)
{
    return &queue->items[queue->head + place];
}

/* place.c */
bool world_places_init(struct world *world);
void world_places_fini(struct world *world);
void world_places_reset(struct world *world);
/* Its queue or its running task has changed. */
void world_loaded(struct world *world, uint32_t worker);
/* What the thief would end the most earlier than its owner does, taken from there. */
uint32_t world_steal(struct world *world, uint32_t thief);
void world_idle(struct world *world, uint32_t worker);
/* Another one like it that has nothing looks again. */
void world_touch_next(struct world *world, uint32_t worker);

/* data.c */
bool world_data_init(struct world *world);
void world_data_fini(struct world *world);
bool world_data_reset(struct world *world);
/* soonest_ns and least_ns of places, from what their nodes do not have. */
void world_data_bounds(struct world *world, uint32_t task, struct world_place *places,
                       uint32_t count);
/* Nodes that have the data, at most `most`. Returns how many. */
uint32_t world_holders(const struct world *world, uint32_t data, uint32_t *nodes, uint32_t most);
void world_data_write(struct world *world, uint32_t task, uint32_t node);
/* Copies it from where that ends first. Returns when; WORLD_ABSENT: it has it, or there is no way.
 */
int64_t world_data_move(struct world *world, uint32_t data, uint32_t node);
void world_data_drop(struct world *world, uint32_t data, uint32_t node);
/* When a copy of it there would begin; WORLD_ABSENT: it has it, or there is no way. */
int64_t world_data_begin_ns(struct world *world, uint32_t data, uint32_t node);
/* Does another node have it? */
bool world_data_elsewhere(const struct world *world, uint32_t data, uint32_t node);

/* early.c */
void world_early_reset(struct world *world);
/* What can begin before `until_ns`. */
void world_early_move(struct world *world, int64_t until_ns);

/* memory.c; with world->memory only, where nothing else is said */
bool world_memory_init(struct world *world);  /* any world */
void world_memory_fini(struct world *world);  /* any world */
void world_memory_reset(struct world *world); /* any world */
/* world_fetch() with room made for it; WORLD_ABSENT when it is not a must and there is none. */
int64_t world_memory_order(struct world *world, uint32_t task, uint32_t node, bool must);
/* The task needs its data no more where they were ordered. Any world. */
void world_memory_release(struct world *world, uint32_t task);
void world_memory_write(struct world *world, uint32_t data, uint32_t node); /* any world */
/* Of the first few of a queue, the one of whose data the least is missing. */
uint32_t world_memory_front(const struct world *world, uint32_t worker);
bool world_memory_fits(const struct world *world, uint32_t task, uint32_t node);

#endif
