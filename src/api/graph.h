/* Recorded graphs, and what they become when they are instantiated. See graph.c.
 *
 * A node is a task that was checked and copied when it was recorded. Handles are kept beside it,
 * because the objects behind them may be destroyed later.
 */
#ifndef FASTGPU_API_GRAPH_H
#define FASTGPU_API_GRAPH_H

#include "api/lookup.h"
#include "base/arena.h"
#include "core/joined.h"

#define GRAPH_ARENA_BYTES 8192u /* blocks of memory of a graph: most graphs are small */

/* One recorded task. Everything that it points to lies in the arena of its owner. */
struct graph_node {
    struct submit_request request; /* without predecessors */
    uint64_t kernel;               /* handle; 0: none */
    const uint64_t *buffers;       /* handle for each argument; 0: no buffer */
    uint32_t after_count;          /* explicit predecessors */
};

/* Node `to` runs after node `from`. */
struct graph_edge {
    uint32_t from;
    uint32_t to;
};

struct graph {
    _Atomic uint32_t live; /* generation; odd while it exists. The rest is protected by `lock` */
    uint32_t self;
    struct lock lock;
    struct vec nodes; /* struct graph_node */
    struct vec edges; /* struct graph_edge: the explicit ones */
    struct arena arena;
};

/* The tasks of one launch, kept until none of them is remembered: see graph_launch.c. */
struct graph_flight {
    struct graph_flight *next;
    uint32_t join; /* the task that the caller knows; TASK_NONE */
    uint32_t join_generation;
    uint32_t count;
    uint32_t tasks[]; /* pairs (index, generation); behind them room for a list of predecessors */
};

/* A handle that must be alive at each launch. */
struct graph_use {
    uint64_t bits;
    uint32_t node; /* the first that uses it */
};

/* Constant after instantiation, but for what pool->graphs_lock protects. */
struct graph_exec {
    _Atomic uint32_t live;
    uint32_t self;
    uint32_t launches;           /* in progress now (graphs_lock) */
    struct graph_flight *oldest; /* list (graphs_lock) */
    struct graph_flight *newest; /* (graphs_lock) */
    struct graph_flight *spare;  /* (graphs_lock) */
    struct arena arena;
    struct graph_node *nodes; /* in the order of submission */
    uint32_t *numbers;        /* what each was called in the graph */
    uint32_t *after;          /* places of the predecessors, node by node */
    uint32_t *sinks;          /* places of the nodes that no other one names as predecessor */
    struct graph_use *uses;
    uint32_t node_count, sink_count, use_count;
    uint32_t after_max; /* predecessors of one task, joins included */
    /* Under the driver's lock: see graph_joined.c. */
    struct joined *joined; /* NULL: not, or not yet */
    uint32_t apart;        /* launches task by task so far */
    uint32_t join_at;      /* so many of them before it is tried */
    bool is_joinable;      /* constant */
};

fgpu_status graph_tables_init(struct pool *pool);
/* Frees all graphs. Nobody may use them any more. */
void graph_tables_fini(struct pool *pool);

/* The graph behind a handle, its lock taken; NULL with *status and a text. */
struct graph *graph_acquire(fgpu_graph handle, const char *who, struct pool **pool,
                            fgpu_status *status);

/* "3 'blur'" or "3". */
void graph_name(const struct pool *pool, const struct graph_node *node, uint32_t number, char *out,
                size_t out_bytes);

/* FGPU_OK, or the failure of a handle that a node uses, with a text that names the node. */
fgpu_status graph_check_use(const struct pool *pool, const struct graph_use *use, const char *who);

/* A copy of a node whose pointers all lead into `arena`; false without memory. */
bool graph_copy(struct arena *arena, const struct graph_node *node, struct graph_node *out);

/* Generation that a slot begins its next life with; odd. */
uint32_t graph_next_live(const struct pool *pool, uint32_t live);

/* What the next pool in this place begins its generations with; see engine_next_generation. */
uint32_t graph_next_generation(const struct pool *pool);

/* graph_order.c: order[i]: which node is submitted as number i. FGPU_E_CYCLE naming the nodes of a
 * cycle, FGPU_E_NOMEM. Under graph->lock. */
fgpu_status graph_order_find(const struct pool *pool, const struct graph *graph, uint32_t *order);

/* graph_exec.c: frees what an exec that nobody uses owns. */
void graph_exec_fini(struct pool *pool, struct graph_exec *exec);

/* The exec behind a handle, kept from going away until graph_exec_leave; NULL with *status and a
 * text. */
struct graph_exec *graph_exec_enter(fgpu_graph_exec handle, const char *who, struct pool **pool,
                                    fgpu_status *status);
void graph_exec_leave(struct pool *pool, struct graph_exec *exec);

/* graph_joined.c: can the whole be one task? After the nodes are there. */
bool graph_is_joinable(const struct graph_exec *exec);

/* Launches it as one task, where that can be done and pays. False: launch it task by task. */
bool graph_joined_launch(struct pool *pool, struct graph_exec *exec, fgpu_task *task);

/* Nobody launches it any more. */
void graph_joined_drop(struct pool *pool, struct graph_exec *exec);

/* graph_launch.c: forgets what failed in launches that nobody remembers. */
void graph_flights_settle(struct pool *pool, struct graph_exec *exec);

/* graph_launch.c: how much memory a flight of this exec takes. */
size_t graph_flight_bytes(const struct graph_exec *exec);

/* Forgets the failed tasks of a launch whose end is known. False: ask again later. */
bool graph_flight_settle(struct pool *pool, struct graph_flight *flight);

#endif
