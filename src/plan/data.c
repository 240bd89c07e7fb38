/* Where data are in a simulated world, and what it takes to move them; see world.h. */
#include "plan/world.h"

static struct world_holder *data_holder(const struct world *world, uint32_t index)
{
    return (struct world_holder *)(void *)world->holders.items + index;
}

/* Nodes share bits where there are more than 64: a bit that is not set is certain. */
static uint64_t data_bit(uint32_t node)
{
    return UINT64_C(1) << (node % 64);
}

static bool data_add(struct world *world, uint32_t data, uint32_t node, int64_t ready_ns)
{
    uint32_t index = world->holder_free;
    if (index != PLAN_NONE) {
        world->holder_free = data_holder(world, index)->next;
    } else {
        index = (uint32_t)world->holders.count;
        if (vec_push(&world->holders, NULL) == NULL)
            return false;
    }
    *data_holder(world, index) =
        (struct world_holder){.ready_ns = ready_ns, .node = node, .next = world->holders_of[data]};
    world->holders_of[data] = index;
    world->held[data] |= data_bit(node);
    return true;
}

bool world_data_reset(struct world *world)
{
    const struct plan_window *window = world->window;
    const uint32_t *nodes = (const uint32_t *)(const void *)window->holders.items;
    vec_clear(&world->holders);
    world->holder_free = PLAN_NONE;
    for (size_t l = 0; l < window->links.count; l++)
        world->link_free_ns[l] = 0;
    for (uint32_t d = 0; d < window->data.count; d++) {
        const struct plan_data *data = plan_data_at(window, d);
        world->holders_of[d] = PLAN_NONE;
        world->held[d] = 0;
        for (uint32_t h = 0; h < data->holder_count; h++)
            if (!data_add(world, d, nodes[data->first_holder + h], 0))
                return false;
    }
    return true;
}

static const struct plan_path *data_path(struct world *world, uint32_t source, uint32_t target)
{
    const struct plan_window *window = world->window;
    if (world->paths != NULL)
        return &world->paths[source * window->node_count + target];
    window->path(window->context, source, target, &world->path);
    return &world->path;
}

/* When a copy on the path could begin, and how long it would take. */
static int64_t data_begin_ns(const struct world *world, const struct plan_path *path,
                             int64_t ready_ns)
{
    int64_t begin_ns = ready_ns > world->now_ns ? ready_ns : world->now_ns;
    for (uint32_t i = 0; i < path->link_count; i++) {
        int64_t free_ns = world->link_free_ns[path->links[i]];
        begin_ns = free_ns > begin_ns ? free_ns : begin_ns;
    }
    return begin_ns;
}

static int64_t data_copy_ns(const struct plan_path *path, uint64_t bytes)
{
    return (int64_t)path->latency_ns + (int64_t)((double)bytes / path->bytes_per_ns);
}

/* When the data could be on the node, and from where; WORLD_ABSENT when there is no way. It is the
 * node's own copy when `source` is the node. */
static int64_t data_best(struct world *world, uint32_t data, uint32_t node, uint32_t *source)
{
    uint64_t bytes = plan_data_at(world->window, data)->bytes;
    int64_t best_ns = WORLD_ABSENT;
    uint32_t first = world->holders_of[data];
    if (world->held[data] & data_bit(node)) {
        for (uint32_t h = first; h != PLAN_NONE; h = data_holder(world, h)->next) {
            if (data_holder(world, h)->node == node) {
                *source = node;
                return data_holder(world, h)->ready_ns;
            }
        }
    }
    for (uint32_t h = first; h != PLAN_NONE; h = data_holder(world, h)->next) {
        const struct world_holder *holder = data_holder(world, h);
        const struct plan_path *path = data_path(world, holder->node, node);
        if (path->link_count == 0)
            continue;
        int64_t end_ns = data_begin_ns(world, path, holder->ready_ns) + data_copy_ns(path, bytes);
        if (end_ns < best_ns || (end_ns == best_ns && holder->node < *source)) {
            best_ns = end_ns;
            *source = holder->node;
        }
    }
    return best_ns;
}

/* ---- links that cannot matter -------------------------------------------------------------- */

#define DATA_PATH_WORDS 4u /* of bits: paths among 16 nodes */

/* Bit p: path p crosses the link. */
static void data_crossings(const struct world *world, uint64_t (*crossed)[DATA_PATH_WORDS])
{
    uint32_t count = world->window->node_count * world->window->node_count;
    for (uint32_t p = 0; p < count; p++)
        for (uint32_t i = 0; i < world->paths[p].link_count; i++)
            crossed[world->paths[p].links[i]][p / 64] |= UINT64_C(1) << (p % 64);
}

/* Every copy on `link` crosses `other` too, which is not faster: then it is never free later. */
static bool data_hides(const struct world *world, uint64_t (*crossed)[DATA_PATH_WORDS],
                       uint32_t link, uint32_t other)
{
    const struct plan_link *links =
        (const struct plan_link *)(const void *)world->window->links.items;
    bool same = true;
    if (links[other].bytes_per_ns > links[link].bytes_per_ns)
        return false;
    for (uint32_t w = 0; w < DATA_PATH_WORDS; w++) {
        if (crossed[link][w] & ~crossed[other][w])
            return false;
        same = same && crossed[link][w] == crossed[other][w];
    }
    return !same || links[other].bytes_per_ns < links[link].bytes_per_ns || other < link;
}

bool world_thin_paths(struct world *world)
{
    size_t links = world->window->links.count;
    uint32_t count = world->window->node_count * world->window->node_count;
    if (count > DATA_PATH_WORDS * 64 || links == 0)
        return true;
    uint64_t(*crossed)[DATA_PATH_WORDS] = alloc_get_zeroed(NULL, links * sizeof *crossed, 16);
    if (crossed == NULL)
        return false;
    data_crossings(world, crossed);
    for (uint32_t p = 0; p < count; p++) {
        struct plan_path *path = &world->paths[p];
        const struct plan_path all = *path;
        path->link_count = 0;
        for (uint32_t i = 0; i < all.link_count; i++) {
            bool hidden = false;
            for (uint32_t j = 0; j < all.link_count && !hidden; j++)
                hidden = j != i && data_hides(world, crossed, all.links[i], all.links[j]);
            if (!hidden)
                path->links[path->link_count++] = all.links[i];
        }
    }
    alloc_put(NULL, crossed, links * sizeof *crossed);
    return true;
}

int64_t world_arrival_ns(struct world *world, uint32_t task, uint32_t node, int64_t *moved_ns)
{
    const struct plan_window *window = world->window;
    int64_t last_ns = world->now_ns;
    *moved_ns = 0;
    if (!window->transfers)
        return last_ns;
    uint32_t end = plan_task_at(window, task + 1)->first_access;
    for (uint32_t a = plan_task_at(window, task)->first_access; a < end; a++) {
        const struct plan_access *access = &plan_accesses(window)[a];
        uint32_t source = PLAN_NONE;
        if (!(access->mode & PLAN_READ) || world->holders_of[access->data] == PLAN_NONE)
            continue;
        int64_t ns = data_best(world, access->data, node, &source);
        last_ns = ns > last_ns ? ns : last_ns;
        if (source == node || source == PLAN_NONE)
            continue;
        int64_t copy_ns =
            data_copy_ns(data_path(world, source, node), plan_data_at(window, access->data)->bytes);
        *moved_ns += copy_ns;
        if (access->mode & PLAN_WRITE)
            *moved_ns += copy_ns * world->tuning.move_own / 256;
    }
    return last_ns;
}

static int64_t data_move(struct world *world, uint32_t data, uint32_t source, uint32_t node)
{
    uint64_t bytes = plan_data_at(world->window, data)->bytes;
    const struct plan_path *path = data_path(world, source, node);
    uint32_t h = world->holders_of[data];
    while (data_holder(world, h)->node != source)
        h = data_holder(world, h)->next;
    int64_t begin_ns = data_begin_ns(world, path, data_holder(world, h)->ready_ns);
    int64_t end_ns = begin_ns + data_copy_ns(path, bytes);
    const struct plan_link *links =
        (const struct plan_link *)(const void *)world->window->links.items;
    for (uint32_t i = 0; i < path->link_count; i++)
        world->link_free_ns[path->links[i]] =
            begin_ns + (int64_t)((double)bytes / links[path->links[i]].bytes_per_ns);
    world->bytes_moved += bytes;
    return data_add(world, data, node, end_ns) ? end_ns : WORLD_ABSENT;
}

int64_t world_fetch(struct world *world, uint32_t task, uint32_t node)
{
    const struct plan_window *window = world->window;
    int64_t last_ns = world->now_ns;
    if (!window->transfers)
        return last_ns;
    uint32_t end = plan_task_at(window, task + 1)->first_access;
    for (uint32_t a = plan_task_at(window, task)->first_access; a < end; a++) {
        const struct plan_access *access = &plan_accesses(window)[a];
        uint32_t source = PLAN_NONE;
        if (!(access->mode & PLAN_READ) || world->holders_of[access->data] == PLAN_NONE)
            continue;
        int64_t ns = data_best(world, access->data, node, &source);
        if (source != node && source != PLAN_NONE)
            ns = data_move(world, access->data, source, node);
        last_ns = ns > last_ns ? ns : last_ns;
    }
    return last_ns;
}

/* The task has ended there: nobody else has what it wrote. */
void world_data_write(struct world *world, uint32_t task, uint32_t node)
{
    const struct plan_window *window = world->window;
    if (!window->transfers)
        return;
    uint32_t end = plan_task_at(window, task + 1)->first_access;
    for (uint32_t a = plan_task_at(window, task)->first_access; a < end; a++) {
        const struct plan_access *access = &plan_accesses(window)[a];
        if (!(access->mode & PLAN_WRITE))
            continue;
        uint32_t first = world->holders_of[access->data];
        if (first == PLAN_NONE) {
            (void)data_add(world, access->data, node, world->now_ns);
            continue;
        }
        uint32_t rest = data_holder(world, first)->next;
        world->held[access->data] = data_bit(node);
        *data_holder(world, first) =
            (struct world_holder){.ready_ns = world->now_ns, .node = node, .next = PLAN_NONE};
        while (rest != PLAN_NONE) {
            uint32_t next = data_holder(world, rest)->next;
            data_holder(world, rest)->next = world->holder_free;
            world->holder_free = rest;
            rest = next;
        }
    }
}
