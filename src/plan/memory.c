/* What fits on a node of a simulated world: room is made before data are ordered.
 *
 * Data that a task is going to use on a node stay there from when they are ordered until it ends.
 * Of the rest those that were used longest ago leave; among the oldest, first those that somebody
 * else has too; a last copy is written back to the host (node 0). Data are ordered ahead only into
 * room that running tasks cannot need. Only where nodes are few and some have a limit; see world.h.
 */
#include "plan/world.h"

#define MEMORY_OLDEST 8u /* looked at for one that others have too */
#define MEMORY_LOOK 16u  /* tasks of a queue looked at for one whose data are there */

struct memory_entry {
    uint32_t older, newer; /* in the node's list */
    uint32_t pins;
    bool resident;
};

struct memory_node {
    uint64_t capacity, reserve; /* 0: no limit; for running tasks */
    uint64_t used, pinned;
    uint32_t oldest, newest; /* entries */
};

struct world_memory {
    struct memory_node *nodes;
    struct memory_entry *entries; /* [data * nodes + node] */
    uint32_t *home;               /* [task]: node where its data are pinned; PLAN_NONE */
};

static size_t memory_entries(const struct plan_window *window)
{
    return window->data.count * window->node_count;
}

static uint64_t memory_bytes(const struct world *world, uint32_t data)
{
    return plan_data_at(world->window, data)->bytes;
}

static const struct plan_access *memory_first(const struct world *world, uint32_t task)
{
    return plan_accesses(world->window) + plan_task_at(world->window, task)->first_access;
}

/* ---- the list of a node, by last use ------------------------------------------------------- */

static struct memory_entry *memory_entry(const struct world *world, uint32_t data, uint32_t node)
{
    return &world->memory->entries[(size_t)data * world->window->node_count + node];
}

static void memory_unlink(struct world *world, uint32_t data, uint32_t node)
{
    struct memory_node *of = &world->memory->nodes[node];
    struct memory_entry *entry = memory_entry(world, data, node);
    if (entry->older != PLAN_NONE)
        memory_entry(world, entry->older, node)->newer = entry->newer;
    else
        of->oldest = entry->newer;
    if (entry->newer != PLAN_NONE)
        memory_entry(world, entry->newer, node)->older = entry->older;
    else
        of->newest = entry->older;
}

static void memory_link(struct world *world, uint32_t data, uint32_t node)
{
    struct memory_node *of = &world->memory->nodes[node];
    struct memory_entry *entry = memory_entry(world, data, node);
    entry->older = of->newest;
    entry->newer = PLAN_NONE;
    if (of->newest != PLAN_NONE)
        memory_entry(world, of->newest, node)->newer = data;
    else
        of->oldest = data;
    of->newest = data;
}

static void memory_enter(struct world *world, uint32_t data, uint32_t node)
{
    struct memory_entry *entry = memory_entry(world, data, node);
    if (entry->resident)
        return;
    entry->resident = true;
    world->memory->nodes[node].used += memory_bytes(world, data);
    memory_link(world, data, node);
}

static void memory_leave(struct world *world, uint32_t data, uint32_t node)
{
    struct memory_entry *entry = memory_entry(world, data, node);
    if (!entry->resident)
        return;
    entry->resident = false;
    world->memory->nodes[node].used -= memory_bytes(world, data);
    memory_unlink(world, data, node);
}

static void memory_pin(struct world *world, uint32_t data, uint32_t node)
{
    if (memory_entry(world, data, node)->pins++ == 0)
        world->memory->nodes[node].pinned += memory_bytes(world, data);
}

static void memory_unpin(struct world *world, uint32_t data, uint32_t node)
{
    if (--memory_entry(world, data, node)->pins == 0)
        world->memory->nodes[node].pinned -= memory_bytes(world, data);
}

/* ---- room ---------------------------------------------------------------------------------- */

/* Who leaves next; PLAN_NONE. */
static uint32_t memory_victim(const struct world *world, uint32_t node)
{
    uint32_t first = PLAN_NONE, seen = 0;
    for (uint32_t data = world->memory->nodes[node].oldest;
         data != PLAN_NONE && seen < MEMORY_OLDEST; data = memory_entry(world, data, node)->newer) {
        if (memory_entry(world, data, node)->pins > 0)
            continue;
        if (world_data_elsewhere(world, data, node))
            return data;
        first = first == PLAN_NONE ? data : first;
        seen++;
    }
    return first;
}

/* Returns when there is room for `bytes` more. Where everything is pinned there will be too much.
 */
static int64_t memory_room_ns(struct world *world, uint32_t node, uint64_t bytes)
{
    struct memory_node *of = &world->memory->nodes[node];
    int64_t room_ns = world->now_ns;
    while (of->used + bytes > of->capacity) {
        uint32_t data = memory_victim(world, node);
        if (data == PLAN_NONE)
            break;
        if (!world_data_elsewhere(world, data, node) && world->held[data] != 0) {
            int64_t ns = world_data_move(world, data, 0);
            room_ns = ns != WORLD_ABSENT && ns > room_ns ? ns : room_ns;
            memory_enter(world, data, 0);
        }
        world_data_drop(world, data, node);
        memory_leave(world, data, node);
    }
    return room_ns;
}

static uint64_t memory_missing(const struct world *world, uint32_t task, uint32_t node)
{
    const struct plan_access *end = memory_first(world, task + 1);
    uint64_t bytes = 0;
    for (const struct plan_access *a = memory_first(world, task); a < end; a++)
        if (!memory_entry(world, a->data, node)->resident)
            bytes += memory_bytes(world, a->data);
    return bytes;
}

static void memory_pin_all(struct world *world, uint32_t task, uint32_t node)
{
    const struct plan_access *end = memory_first(world, task + 1);
    for (const struct plan_access *a = memory_first(world, task); a < end; a++)
        memory_pin(world, a->data, node);
    world->memory->home[task] = node;
}

void world_memory_release(struct world *world, uint32_t task)
{
    if (world->memory == NULL || world->memory->home[task] == PLAN_NONE)
        return;
    uint32_t node = world->memory->home[task];
    const struct plan_access *end = memory_first(world, task + 1);
    for (const struct plan_access *a = memory_first(world, task); a < end; a++) {
        memory_unpin(world, a->data, node);
        if (memory_entry(world, a->data, node)->resident) {
            memory_unlink(world, a->data, node);
            memory_link(world, a->data, node);
        }
    }
    world->memory->home[task] = PLAN_NONE;
}

int64_t world_memory_order(struct world *world, uint32_t task, uint32_t node, bool must)
{
    struct memory_node *of = &world->memory->nodes[node];
    if (world->memory->home[task] == node)
        return world_fetch(world, task, node);
    world_memory_release(world, task);
    memory_pin_all(world, task, node);
    if (!must && of->capacity > 0 && of->pinned + of->reserve > of->capacity) {
        world_memory_release(world, task);
        return WORLD_ABSENT;
    }
    int64_t now_ns = world->now_ns;
    if (of->capacity > 0)
        world->now_ns = memory_room_ns(world, node, memory_missing(world, task, node));
    const struct plan_access *end = memory_first(world, task + 1);
    for (const struct plan_access *a = memory_first(world, task); a < end; a++)
        memory_enter(world, a->data, node);
    int64_t there_ns = world_fetch(world, task, node);
    world->now_ns = now_ns;
    return there_ns;
}

/* Nobody else has what was written. */
void world_memory_write(struct world *world, uint32_t data, uint32_t node)
{
    if (world->memory == NULL)
        return;
    for (uint32_t n = 0; n < world->window->node_count; n++)
        if (n != node)
            memory_leave(world, data, n);
    memory_enter(world, data, node);
}

uint32_t world_memory_front(const struct world *world, uint32_t worker)
{
    const struct world_queue *queue = &world->workers[worker].queue;
    uint32_t node = plan_worker_at(world->window, worker)->node, best = 0;
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < queue->count && i < MEMORY_LOOK && least > 0; i++) {
        uint64_t missing = memory_missing(world, world_queue_at(queue, i)->task, node);
        if (missing < least) {
            least = missing;
            best = i;
        }
    }
    return best;
}

bool world_memory_fits(const struct world *world, uint32_t task, uint32_t node)
{
    const struct plan_access *end = memory_first(world, task + 1);
    uint64_t capacity = world->memory->nodes[node].capacity, bytes = 0;
    for (const struct plan_access *a = memory_first(world, task); capacity > 0 && a < end; a++)
        bytes += memory_bytes(world, a->data);
    return bytes <= capacity;
}

/* ---- life ---------------------------------------------------------------------------------- */

static uint64_t memory_most(const struct world *world)
{
    uint64_t most = 0;
    for (uint32_t t = 0; t < world->window->task_count; t++) {
        const struct plan_access *end = memory_first(world, t + 1);
        uint64_t bytes = 0;
        for (const struct plan_access *a = memory_first(world, t); a < end; a++)
            bytes += memory_bytes(world, a->data);
        most = bytes > most ? bytes : most;
    }
    return most;
}

bool world_memory_init(struct world *world)
{
    const struct plan_window *window = world->window;
    const uint64_t *capacity = (const uint64_t *)(const void *)window->capacity.items;
    bool limited = false;
    for (size_t n = 0; n < window->capacity.count && n < window->node_count; n++)
        limited = limited || capacity[n] > 0;
    if (!limited || world->there_ns == NULL)
        return true;
    struct world_memory *memory = alloc_get_zeroed(world->hooks, sizeof *memory, 16);
    world->memory = memory;
    if (memory == NULL)
        return false;
    memory->nodes = alloc_get_zeroed(world->hooks, window->node_count * sizeof *memory->nodes, 16);
    memory->entries =
        alloc_get_zeroed(world->hooks, memory_entries(window) * sizeof *memory->entries, 16);
    memory->home = alloc_get(world->hooks, (window->task_count + 1) * sizeof *memory->home, 16);
    if (memory->nodes == NULL || memory->entries == NULL || memory->home == NULL)
        return false;
    uint64_t most = memory_most(world);
    for (size_t n = 0; n < window->capacity.count && n < window->node_count; n++)
        memory->nodes[n].capacity = capacity[n];
    for (size_t w = 0; w < window->workers.count; w++)
        memory->nodes[plan_worker_at(window, (uint32_t)w)->node].reserve += most;
    return true;
}

void world_memory_fini(struct world *world)
{
    const struct plan_window *window = world->window;
    struct world_memory *memory = world->memory;
    if (memory == NULL)
        return;
    alloc_put(world->hooks, memory->nodes, window->node_count * sizeof *memory->nodes);
    alloc_put(world->hooks, memory->entries, memory_entries(window) * sizeof *memory->entries);
    alloc_put(world->hooks, memory->home, (window->task_count + 1) * sizeof *memory->home);
    alloc_put(world->hooks, memory, sizeof *memory);
}

void world_memory_reset(struct world *world)
{
    const struct plan_window *window = world->window;
    const uint32_t *holders = (const uint32_t *)(const void *)window->holders.items;
    struct world_memory *memory = world->memory;
    if (memory == NULL)
        return;
    for (uint32_t n = 0; n < window->node_count; n++) {
        memory->nodes[n].used = memory->nodes[n].pinned = 0;
        memory->nodes[n].oldest = memory->nodes[n].newest = PLAN_NONE;
    }
    memset(memory->entries, 0, memory_entries(window) * sizeof *memory->entries);
    memset(memory->home, 0xff, (window->task_count + 1) * sizeof *memory->home);
    for (uint32_t d = 0; d < window->data.count; d++) {
        const struct plan_data *data = plan_data_at(window, d);
        for (uint32_t h = 0; h < data->holder_count; h++)
            memory_enter(world, d, holders[data->first_holder + h]);
    }
}
