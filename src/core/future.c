/* The order in which pending tasks will run, about; see future.h. */
#include "core/future.h"

#include "core/engine.h"
#include "core/lane.h"

#define FUTURE_FRESH 4u  /* tasks that came or went before it is looked at again, */
#define FUTURE_SHARE 8u  /* and a share of those that there were, */
#define FUTURE_SLOTS 64u /* and of all records that are looked through */
#define FUTURE_END UINT32_MAX
#define FUTURE_AHEAD 64u /* tasks whose needs are foreseen */

/* A task that is ready in thought. */
struct future_ready {
    uint32_t level; /* 0: the highest priority */
    uint32_t since; /* how many had run when it became ready */
    uint32_t order; /* of submission */
    uint32_t task;
};

struct future_item {
    uint32_t position;
    uint32_t task, generation;
    uint32_t next; /* of the same buffer */
};

struct future {
    struct vec ready;   /* struct future_ready: a heap */
    struct vec items;   /* struct future_item */
    struct vec order;   /* uint32_t: tasks as they will run */
    struct vec first;   /* uint32_t: [buffer] its next use; FUTURE_END */
    struct vec waits;   /* uint32_t: [task] predecessors that have not run */
    struct vec places;  /* uint32_t: [task] position; FUTURE_END */
    uint32_t at;        /* position of the first task that may be to come */
    uint64_t now;       /* position of the latest use that is known to be over */
    uint32_t linked;    /* engine->order when it was made */
    uint64_t ended;     /* tasks until then */
    uint32_t submitted; /* order of the first one, which wraps */
    bool known;
};

static uint32_t *future_numbers(const struct vec *vec)
{
    return (uint32_t *)(void *)vec->items;
}

static bool future_is_to_come(const struct task *task)
{
    fgpu_task_state state = task_state(task);
    return (state == FGPU_TASK_LINKED || state == FGPU_TASK_READY || state == FGPU_TASK_PLACED ||
            state == FGPU_TASK_BUILDING || state == FGPU_TASK_MOVING) &&
           !(task->marks & TASK_M_PIECE);
}

static struct future *future_get(struct engine *engine)
{
    struct future *future = engine->future;
    if (future != NULL)
        return future;
    future = engine->future = alloc_get_zeroed(engine->hooks, sizeof *future, 16);
    if (future == NULL)
        return NULL;
    vec_init(&future->ready, sizeof(struct future_ready), engine->hooks);
    vec_init(&future->items, sizeof(struct future_item), engine->hooks);
    vec_init(&future->order, sizeof(uint32_t), engine->hooks);
    vec_init(&future->first, sizeof(uint32_t), engine->hooks);
    vec_init(&future->waits, sizeof(uint32_t), engine->hooks);
    vec_init(&future->places, sizeof(uint32_t), engine->hooks);
    return future;
}

void future_fini(struct engine *engine)
{
    struct future *future = engine->future;
    if (future == NULL)
        return;
    vec_fini(&future->ready);
    vec_fini(&future->items);
    vec_fini(&future->order);
    vec_fini(&future->first);
    vec_fini(&future->waits);
    vec_fini(&future->places);
    alloc_put(engine->hooks, future, sizeof *future);
    engine->future = NULL;
}

/* ---- tasks that are ready in thought ----------------------------------------------------- */

static bool future_before(const struct future_ready *a, const struct future_ready *b)
{
    if (a->level != b->level)
        return a->level < b->level;
    return a->since != b->since ? a->since < b->since : a->order < b->order;
}

static bool future_push(struct future *future, const struct task *task, uint32_t since)
{
    struct future_ready item = {.level = (uint32_t)(1000 - task->priority),
                                .since = since,
                                .order = task->order - future->submitted,
                                .task = task->self};
    if (vec_push(&future->ready, &item) == NULL)
        return false;
    struct future_ready *heap = (struct future_ready *)(void *)future->ready.items;
    size_t at = future->ready.count - 1;
    for (; at > 0 && future_before(&item, &heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = item;
    return true;
}

static uint32_t future_pop(struct future *future)
{
    struct future_ready *heap = (struct future_ready *)(void *)future->ready.items;
    uint32_t task = heap[0].task;
    struct future_ready item = heap[--future->ready.count];
    size_t count = future->ready.count, at = 0;
    for (size_t child = 1; child < count; at = child, child = 2 * at + 1) {
        child += child + 1 < count && future_before(&heap[child + 1], &heap[child]);
        if (!future_before(&heap[child], &item))
            break;
        heap[at] = heap[child];
    }
    heap[at] = item;
    return task;
}

/* ---- making it ---------------------------------------------------------------------------- */

static bool future_fill(struct vec *vec, uint32_t count, uint32_t value)
{
    vec_clear(vec);
    if (!vec_reserve(vec, count + 1))
        return false;
    vec->count = count;
    for (uint32_t i = 0; i < count; i++)
        future_numbers(vec)[i] = value;
    return true;
}

static void future_count(struct engine *engine, struct future *future, uint32_t slots)
{
    for (uint32_t i = 0; i < slots; i++) {
        const struct task *task = engine_task(engine, i);
        if (!future_is_to_come(task))
            continue;
        for (uint32_t at = task->succ; at != LINKS_NONE; at = links_at(&engine->links, at)->next)
            future_numbers(&future->waits)[links_at(&engine->links, at)->task]++;
    }
}

static bool future_start(struct engine *engine, struct future *future, uint32_t slots)
{
    bool first = true;
    for (uint32_t i = 0; i < slots; i++) {
        const struct task *task = engine_task(engine, i);
        if (!future_is_to_come(task))
            continue;
        if (first || (int32_t)(task->order - future->submitted) < 0)
            future->submitted = task->order;
        first = false;
    }
    for (uint32_t i = 0; i < slots; i++) {
        const struct task *task = engine_task(engine, i);
        if (future_is_to_come(task) && future_numbers(&future->waits)[i] == 0 &&
            !future_push(future, task, 0))
            return false;
    }
    return true;
}

static bool future_run(struct engine *engine, struct future *future)
{
    while (future->ready.count > 0) {
        uint32_t slot = future_pop(future);
        const struct task *task = engine_task(engine, slot);
        future_numbers(&future->places)[slot] = (uint32_t)future->order.count;
        if (vec_push(&future->order, &slot) == NULL)
            return false;
        for (uint32_t at = task->succ; at != LINKS_NONE; at = links_at(&engine->links, at)->next) {
            uint32_t succ = links_at(&engine->links, at)->task;
            const struct task *released = engine_task(engine, succ);
            if (--future_numbers(&future->waits)[succ] == 0 && future_is_to_come(released) &&
                !future_push(future, released, (uint32_t)future->order.count))
                return false;
        }
    }
    return true;
}

/* The last use first, so that each list begins with the next one. */
static bool future_list(struct engine *engine, struct future *future)
{
    uint32_t buffers = table_high_water(&engine->buffers);
    vec_clear(&future->items);
    if (!future_fill(&future->first, buffers, FUTURE_END))
        return false;
    for (uint32_t p = (uint32_t)future->order.count; p-- > 0;) {
        const struct task *task = engine_task(engine, future_numbers(&future->order)[p]);
        for (uint32_t a = 0; a < task->access_count; a++) {
            uint32_t *first = &future_numbers(&future->first)[task_accesses(task)[a].buffer];
            struct future_item item = {.position = p,
                                       .task = task->self,
                                       .generation = task_generation(task),
                                       .next = *first};
            if (vec_push(&future->items, &item) == NULL)
                return false;
            *first = (uint32_t)future->items.count - 1;
        }
    }
    return true;
}

static uint64_t future_ended(const struct engine *engine)
{
    const fgpu_pool_stats *stats = &engine->stats;
    return stats->tasks_done + stats->tasks_failed + stats->tasks_cancelled;
}

bool future_look(struct engine *engine)
{
    struct future *future = future_get(engine);
    if (future == NULL)
        return false;
    uint64_t changed = (engine->order - future->linked) + (future_ended(engine) - future->ended);
    uint32_t slots = table_high_water(&engine->tasks);
    if (future->known &&
        changed < FUTURE_FRESH + future->order.count / FUTURE_SHARE + slots / FUTURE_SLOTS)
        return true;
    vec_clear(&future->ready);
    vec_clear(&future->order);
    future->now = future->at = 0;
    future->linked = engine->order;
    future->ended = future_ended(engine);
    future->known =
        future_fill(&future->waits, slots, 0) && future_fill(&future->places, slots, FUTURE_END);
    if (future->known)
        future_count(engine, future, slots);
    future->known = future->known && future_start(engine, future, slots) &&
                    future_run(engine, future) && future_list(engine, future);
    return future->known;
}

bool future_anew(struct engine *engine)
{
    if (engine->future != NULL)
        engine->future->known = false;
    return future_look(engine);
}

uint32_t future_length(const struct engine *engine)
{
    return (uint32_t)engine->future->order.count;
}

uint32_t future_task(const struct engine *engine, uint32_t position)
{
    return future_numbers(&engine->future->order)[position];
}

/* ---- asking --------------------------------------------------------------------------------- */

uint64_t future_now(const struct engine *engine)
{
    return engine->future->now;
}

uint64_t future_next(struct engine *engine, uint32_t buffer)
{
    struct future *future = engine->future;
    uint32_t end = (uint32_t)future->order.count;
    uint32_t *first = buffer < future->first.count ? &future_numbers(&future->first)[buffer] : NULL;
    while (first != NULL && *first != FUTURE_END) {
        const struct future_item *item = vec_at(&future->items, *first);
        const struct task *task = engine_task(engine, item->task);
        if (task_generation(task) == item->generation && future_is_to_come(task))
            return item->position;
        future->now = item->position > future->now ? item->position : future->now;
        *first = item->next;
    }
    return engine_buffer(engine, buffer)->linked > 0 ? end : FUTURE_NEVER;
}

uint64_t future_of(const struct engine *engine, const struct task *task)
{
    const struct future *future = engine->future;
    uint32_t place = task->self < future->places.count ? future_numbers(&future->places)[task->self]
                                                       : FUTURE_END;
    return place != FUTURE_END ? place : future->order.count;
}

/* The task at that position is still to come, and the same one. */
static const struct task *future_at(const struct engine *engine, uint32_t position)
{
    const struct future *future = engine->future;
    const struct task *task = engine_task(engine, future_numbers(&future->order)[position]);
    bool same = (int32_t)(task->order - future->linked) < 0;
    return same && future_is_to_come(task) ? task : NULL;
}

uint64_t future_missing(struct engine *engine, uint32_t node, uint64_t most_bytes, uint64_t *until)
{
    struct future *future = engine->future;
    uint64_t bytes = 0;
    uint32_t looked = 0;
    *until = future->now;
    for (uint32_t p = future->at;
         p < future->order.count && looked < FUTURE_AHEAD && bytes < most_bytes; p++) {
        const struct task *task = future_at(engine, p);
        future->at += task == NULL && p == future->at;
        if (task == NULL || (task->lane < TASK_LANE_MIXED && lane_node(engine, task) != node))
            continue;
        looked++;
        *until = p;
        for (uint32_t a = 0; a < task->access_count; a++) {
            uint32_t index = task_accesses(task)[a].buffer;
            struct buffer *buffer = engine_buffer(engine, index);
            if (engine_block(buffer, node)->state != BLOCK_PRESENT &&
                future_next(engine, index) == p)
                bytes += atomic_load_relaxed_u64(&buffer->size_bytes);
        }
    }
    return bytes;
}
