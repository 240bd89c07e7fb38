/* Where data are in a simulated world, and what it takes to move them; see world.h.
 *
 * With few nodes a table says when each piece of data is on each node; with many a list of those
 * that have it, of which the first few are asked for a copy.
 */
#include "plan/world.h"

#define DATA_NODES 64u        /* up to so many nodes there is a bit for each */
#define DATA_TABLE (4u << 20) /* entries of the table at most */
#define DATA_SOURCES 16u      /* of a list that are asked */

/* ---- who has it ---------------------------------------------------------------------------- */

static struct world_holder *data_holder(const struct world *world, uint32_t index)
{
    return (struct world_holder *)(void *)world->holders.items + index;
}

/* Nodes share bits where there are more than 64: a bit that is not set is certain. */
static uint64_t data_bit(uint32_t node)
{
    return UINT64_C(1) << (node % 64);
}

static int64_t *data_row(const struct world *world, uint32_t data)
{
    return world->there_ns + (size_t)data * world->window->node_count;
}

static bool data_add(struct world *world, uint32_t data, uint32_t node, int64_t ready_ns)
{
    world->held[data] |= data_bit(node);
    if (world->holders_of == NULL) {
        data_row(world, data)[node] = ready_ns;
        return true;
    }
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
    return true;
}

static void data_forget(struct world *world, uint32_t data)
{
    world->held[data] = 0;
    if (world->holders_of == NULL)
        return;
    for (uint32_t h = world->holders_of[data]; h != PLAN_NONE;) {
        uint32_t next = data_holder(world, h)->next;
        data_holder(world, h)->next = world->holder_free;
        world->holder_free = h;
        h = next;
    }
    world->holders_of[data] = PLAN_NONE;
}

/* When the node has its copy; WORLD_ABSENT. */
static int64_t data_there_ns(const struct world *world, uint32_t data, uint32_t node)
{
    if (!(world->held[data] & data_bit(node)))
        return WORLD_ABSENT;
    if (world->there_ns != NULL)
        return data_row(world, data)[node];
    for (uint32_t h = world->holders_of[data]; h != PLAN_NONE; h = data_holder(world, h)->next)
        if (data_holder(world, h)->node == node)
            return data_holder(world, h)->ready_ns;
    return WORLD_ABSENT;
}

uint32_t world_holders(const struct world *world, uint32_t data, uint32_t *nodes, uint32_t most)
{
    uint32_t count = 0;
    if (world->there_ns != NULL) {
        for (uint64_t left = world->held[data]; left != 0 && count < most; left &= left - 1)
            nodes[count++] = (uint32_t)__builtin_ctzll(left);
        return count;
    }
    for (uint32_t h = world->holders_of[data]; h != PLAN_NONE && count < most;
         h = data_holder(world, h)->next)
        nodes[count++] = data_holder(world, h)->node;
    return count;
}

/* ---- paths --------------------------------------------------------------------------------- */

/* The link that is always free. */
static uint32_t data_no_link(const struct world *world)
{
    return (uint32_t)world->window->links.count;
}

/* How often a path crosses the link that is its i-th; 0: it has been there before. */
static uint32_t data_times(const struct plan_path *of, uint32_t i)
{
    uint32_t times = 0;
    for (uint32_t j = 0; j < i; j++)
        if (of->links[j] == of->links[i])
            return 0;
    for (uint32_t j = i; j < of->link_count; j++)
        times += of->links[j] == of->links[i];
    return times;
}

static double data_link_ns(const struct world *world, uint32_t link)
{
    const struct plan_link *links =
        (const struct plan_link *)(const void *)world->window->links.items;
    return 1.0 / links[link].bytes_per_ns;
}

/* The i-th link of `of` is one that matters. */
static void data_hop(const struct world *world, struct world_path *path, const struct plan_path *of,
                     uint32_t i)
{
    double ns = data_link_ns(world, of->links[i]) * data_times(of, i);
    for (uint32_t f = 0; f < WORLD_HOPS; f++) {
        if (path->first[f] == data_no_link(world)) {
            path->first[f] = of->links[i];
            path->first_ns[f] = ns;
            return;
        }
    }
    path->more[path->more_count] = of->links[i];
    path->more_ns[path->more_count++] = ns;
}

static void data_ask(const struct world *world, uint32_t source, uint32_t target,
                     struct plan_path *of, struct world_path *path)
{
    of->link_count = 0;
    if (source != target)
        world->window->path(world->window->context, source, target, of);
    *path = (struct world_path){.latency_ns = of->link_count == 0 ? -1 : (int64_t)of->latency_ns};
    for (uint32_t f = 0; f < WORLD_HOPS; f++)
        path->first[f] = data_no_link(world);
    path->ns_per_byte = of->link_count == 0 ? 0 : 1.0 / of->bytes_per_ns;
    for (uint32_t i = 0; i < of->link_count; i++) {
        double ns = data_link_ns(world, of->links[i]) * data_times(of, i);
        path->ns_per_byte = ns > path->ns_per_byte ? ns : path->ns_per_byte;
    }
}

static const struct world_path *data_path(struct world *world, uint32_t source, uint32_t target)
{
    const struct plan_window *window = world->window;
    if (world->paths != NULL)
        return &world->paths[source * window->node_count + target];
    struct plan_path of;
    data_ask(world, source, target, &of, &world->path);
    for (uint32_t i = 0; i < of.link_count; i++)
        if (data_times(&of, i) > 0)
            data_hop(world, &world->path, &of, i);
    return &world->path;
}

static inline int64_t data_later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* When a copy on the path could begin. */
static inline int64_t data_begin_ns(const struct world *world, const struct world_path *path,
                                    int64_t ready_ns)
{
    const int64_t *free_ns = world->link_free_ns;
    int64_t begin_ns = data_later(ready_ns, world->now_ns);
    for (uint32_t i = 0; i < WORLD_HOPS; i++)
        begin_ns = data_later(begin_ns, free_ns[path->first[i]]);
    for (uint32_t i = 0; i < path->more_count; i++)
        begin_ns = data_later(begin_ns, free_ns[path->more[i]]);
    return begin_ns;
}

/* ---- the best source ----------------------------------------------------------------------- */

struct data_source {
    int64_t end_ns, copy_ns;
    uint32_t node; /* PLAN_NONE: there is no way */
};

static inline void data_offer(struct world *world, struct data_source *best, uint32_t source,
                              uint32_t target, int64_t ready_ns, double bytes)
{
    const struct world_path *path = data_path(world, source, target);
    int64_t copy_ns = path->latency_ns + (int64_t)(bytes * path->ns_per_byte);
    if (path->latency_ns < 0 || ready_ns + copy_ns > best->end_ns)
        return;
    int64_t end_ns = data_begin_ns(world, path, ready_ns) + copy_ns;
    if (end_ns < best->end_ns || (end_ns == best->end_ns && source < best->node))
        *best = (struct data_source){.end_ns = end_ns, .copy_ns = copy_ns, .node = source};
}

/* From where the data could be there first. The node does not have them. */
static struct data_source data_best(struct world *world, uint32_t data, uint32_t node)
{
    double bytes = (double)plan_data_at(world->window, data)->bytes;
    uint64_t left = world->held[data];
    struct data_source best = {.end_ns = WORLD_ABSENT, .node = PLAN_NONE};
    if (world->there_ns != NULL) {
        const int64_t *row = data_row(world, data);
        for (; left != 0; left &= left - 1) {
            uint32_t source = (uint32_t)__builtin_ctzll(left);
            data_offer(world, &best, source, node, row[source], bytes);
        }
        return best;
    }
    uint32_t count = 0;
    for (uint32_t h = world->holders_of[data]; h != PLAN_NONE && count++ < DATA_SOURCES;
         h = data_holder(world, h)->next)
        data_offer(world, &best, data_holder(world, h)->node, node, data_holder(world, h)->ready_ns,
                   bytes);
    return best;
}

/* ---- links that cannot matter -------------------------------------------------------------- */

#define DATA_PATH_WORDS 4u /* of bits: paths among 16 nodes; one more: crossed twice by one */

/* Bit p: path p crosses the link. */
static void data_crossings(const struct world *world, const struct plan_path *paths,
                           uint64_t (*crossed)[DATA_PATH_WORDS + 1])
{
    uint32_t count = world->window->node_count * world->window->node_count;
    for (uint32_t p = 0; p < count; p++) {
        for (uint32_t i = 0; i < paths[p].link_count; i++) {
            uint64_t *bits = crossed[paths[p].links[i]];
            bits[p / 64] |= UINT64_C(1) << (p % 64);
            bits[DATA_PATH_WORDS] |= data_times(&paths[p], i) > 1;
        }
    }
}

/* Every copy on `link` crosses `other` too, which is not faster: then it is never free later. */
static bool data_hides(const struct world *world, uint64_t (*crossed)[DATA_PATH_WORDS + 1],
                       uint32_t link, uint32_t other)
{
    const struct plan_link *links =
        (const struct plan_link *)(const void *)world->window->links.items;
    bool same = true;
    if (crossed[link][DATA_PATH_WORDS] || link == other ||
        links[other].bytes_per_ns > links[link].bytes_per_ns)
        return false;
    for (uint32_t w = 0; w < DATA_PATH_WORDS; w++) {
        if (crossed[link][w] & ~crossed[other][w])
            return false;
        same = same && crossed[link][w] == crossed[other][w];
    }
    return !same || links[other].bytes_per_ns < links[link].bytes_per_ns || other < link;
}

/* Gives world->paths the links that can be free later than every other on the same path.
 * `crossed`: NULL when there are too many paths to tell. [in] hides: zeros, [link * links + link].
 */
static void data_thin(struct world *world, const struct plan_path *paths,
                      uint64_t (*crossed)[DATA_PATH_WORDS + 1], uint8_t *hides)
{
    uint32_t count = world->window->node_count * world->window->node_count;
    size_t links = world->window->links.count;
    for (uint32_t p = 0; p < count; p++) {
        const struct plan_path *of = &paths[p];
        for (uint32_t i = 0; i < of->link_count; i++) {
            bool hidden = data_times(of, i) == 0;
            for (uint32_t j = 0; crossed != NULL && j < of->link_count && !hidden; j++) {
                uint8_t *known = &hides[of->links[i] * links + of->links[j]]; /* 1: no, 2: yes */
                if (*known == 0)
                    *known = 1 + data_hides(world, crossed, of->links[i], of->links[j]);
                hidden = *known == 2;
            }
            if (!hidden)
                data_hop(world, &world->paths[p], of, i);
        }
    }
}

static void data_into(struct world *world, uint32_t nodes)
{
    for (uint32_t n = 0; n < nodes; n++) {
        world->into_ns[n] = -1;
        for (uint32_t s = 0; s < nodes; s++) {
            const struct world_path *path = &world->paths[s * nodes + n];
            if (path->latency_ns >= 0 &&
                (world->into_ns[n] < 0 || path->ns_per_byte < world->into_ns[n]))
                world->into_ns[n] = path->ns_per_byte;
        }
        world->into_ns[n] = world->into_ns[n] < 0 ? 0 : world->into_ns[n];
    }
}

static bool data_paths(struct world *world)
{
    uint32_t nodes = world->window->node_count, count = nodes * nodes;
    size_t links = world->window->links.count,
           bytes = links * sizeof(uint64_t[DATA_PATH_WORDS + 1]);
    struct plan_path *paths = alloc_get_zeroed(world->hooks, count * sizeof *paths, 16);
    uint64_t(*crossed)[DATA_PATH_WORDS + 1] = NULL;
    uint8_t *hides = NULL;
    bool few = count <= DATA_PATH_WORDS * 64 && links > 0;
    world->paths = alloc_get_zeroed(world->hooks, count * sizeof *world->paths, 64);
    world->into_ns = alloc_get_zeroed(world->hooks, nodes * sizeof *world->into_ns, 16);
    if (few) {
        crossed = alloc_get_zeroed(world->hooks, bytes, 16);
        hides = alloc_get_zeroed(world->hooks, links * links, 16);
    }
    bool good = paths != NULL && world->paths != NULL && world->into_ns != NULL &&
                (!few || (crossed != NULL && hides != NULL));
    for (uint32_t i = 0; good && i < count; i++)
        data_ask(world, i / nodes, i % nodes, &paths[i], &world->paths[i]);
    if (good && few)
        data_crossings(world, paths, crossed);
    if (good)
        data_thin(world, paths, crossed, hides);
    if (good)
        data_into(world, nodes);
    alloc_put(world->hooks, crossed, bytes);
    alloc_put(world->hooks, hides, links * links);
    alloc_put(world->hooks, paths, count * sizeof *paths);
    return good;
}

/* ---- life ---------------------------------------------------------------------------------- */

static size_t data_path_count(const struct plan_window *window)
{
    return window->transfers && window->node_count <= DATA_NODES
               ? (size_t)window->node_count * window->node_count
               : 0;
}

static size_t data_table_count(const struct plan_window *window)
{
    size_t count = data_path_count(window) > 0 ? window->data.count * window->node_count : 0;
    return count <= DATA_TABLE ? count : 0;
}

bool world_data_init(struct world *world)
{
    const struct plan_window *window = world->window;
    size_t paths = data_path_count(window), table = data_table_count(window);
    size_t data = window->data.count;
    if (!window->transfers)
        return true;
    world->held = alloc_get_zeroed(world->hooks, (data + 1) * sizeof *world->held, 16);
    world->link_free_ns =
        alloc_get_zeroed(world->hooks, (window->links.count + 1) * sizeof *world->link_free_ns, 16);
    if (world->held == NULL || world->link_free_ns == NULL)
        return false;
    if (table > 0)
        world->there_ns = alloc_get_zeroed(world->hooks, table * sizeof *world->there_ns, 64);
    else
        world->holders_of =
            alloc_get_zeroed(world->hooks, (data + 1) * sizeof *world->holders_of, 16);
    if (world->there_ns == NULL &&
        (world->holders_of == NULL || !vec_reserve(&world->holders, data + 64)))
        return false;
    for (uint32_t d = 0; d < data && world->holders_of != NULL; d++)
        world->holders_of[d] = PLAN_NONE;
    return paths == 0 || data_paths(world);
}

void world_data_fini(struct world *world)
{
    const struct plan_window *window = world->window;
    size_t data = window->data.count;
    alloc_put(world->hooks, world->held, (data + 1) * sizeof *world->held);
    alloc_put(world->hooks, world->link_free_ns,
              (window->links.count + 1) * sizeof *world->link_free_ns);
    alloc_put(world->hooks, world->there_ns, data_table_count(window) * sizeof *world->there_ns);
    alloc_put(world->hooks, world->holders_of, (data + 1) * sizeof *world->holders_of);
    if (world->into_ns != NULL)
        alloc_put(world->hooks, world->into_ns, window->node_count * sizeof *world->into_ns);
    alloc_put(world->hooks, world->paths, data_path_count(window) * sizeof *world->paths);
    vec_fini(&world->holders);
}

bool world_data_reset(struct world *world)
{
    const struct plan_window *window = world->window;
    const uint32_t *nodes = (const uint32_t *)(const void *)window->holders.items;
    if (!window->transfers)
        return true;
    vec_clear(&world->holders);
    world->holder_free = PLAN_NONE;
    for (size_t l = 0; l < window->links.count; l++)
        world->link_free_ns[l] = 0;
    for (uint32_t d = 0; d < window->data.count; d++) {
        const struct plan_data *data = plan_data_at(window, d);
        world->held[d] = 0;
        if (world->holders_of != NULL)
            world->holders_of[d] = PLAN_NONE;
        for (uint32_t h = 0; h < data->holder_count; h++)
            if (!data_add(world, d, nodes[data->first_holder + h], 0))
                return false;
    }
    return true;
}

/* ---- what tasks need ----------------------------------------------------------------------- */

static int64_t data_time_ns(const struct world *world, uint32_t task)
{
    int64_t ready_ns = (int64_t)plan_task_at(world->window, task)->ready_ns;
    return ready_ns > world->now_ns ? ready_ns : world->now_ns;
}

/* Of a time that is not negative; a shift costs less than a division. */
static inline int64_t data_weighed(int64_t ns, uint32_t weight)
{
    return (int64_t)((uint64_t)ns * weight >> 8);
}

/* What the places' nodes lack of one piece of data. */
struct data_lack {
    uint64_t bit[WORLD_PLACES];    /* of the node */
    int64_t copy_ns[WORLD_PLACES]; /* of `bytes` into it, at least */
    int64_t longest_ns[WORLD_PLACES];
    uint64_t bytes;
};

static void data_lack_of(struct data_lack *lack, const struct world *world,
                         const struct world_place *places, uint32_t count, uint64_t bytes)
{
    if (lack->bytes == bytes)
        return;
    lack->bytes = bytes;
    for (uint32_t i = 0; i < count; i++)
        lack->copy_ns[i] = (int64_t)((double)bytes * world->into_ns[places[i].node]);
}

static void data_lacks(struct world *world, uint32_t task, struct world_place *places,
                       uint32_t count, struct data_lack *lack)
{
    const struct plan_window *window = world->window;
    const struct plan_access *access =
        plan_accesses(window) + plan_task_at(window, task)->first_access;
    const struct plan_access *end =
        plan_accesses(window) + plan_task_at(window, task + 1)->first_access;
    for (; access < end; access++) {
        uint64_t held = world->held[access->data];
        if (!(access->mode & PLAN_READ) || held == 0)
            continue;
        data_lack_of(lack, world, places, count, plan_data_at(window, access->data)->bytes);
        uint32_t own = access->mode & PLAN_WRITE ? world->tuning.move_own : 0;
        for (uint32_t i = 0; i < count; i++) {
            if (held & lack->bit[i])
                continue;
            int64_t ns = lack->copy_ns[i];
            lack->longest_ns[i] = data_later(lack->longest_ns[i], ns);
            places[i].moved_ns += ns + data_weighed(ns, own);
        }
    }
}

void world_data_bounds(struct world *world, uint32_t task, struct world_place *places,
                       uint32_t count)
{
    struct data_lack lack;
    int64_t time_ns = data_time_ns(world, task);
    lack.bytes = UINT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        lack.bit[i] = data_bit(places[i].node);
        lack.copy_ns[i] = lack.longest_ns[i] = places[i].moved_ns = 0;
    }
    if (world->there_ns != NULL)
        data_lacks(world, task, places, count, &lack);
    for (uint32_t i = 0; i < count; i++) {
        places[i].soonest_ns =
            data_later(places[i].free_ns, time_ns + lack.longest_ns[i]) + places[i].cost_ns;
        places[i].least_ns =
            places[i].soonest_ns + data_weighed(places[i].moved_ns, world->tuning.move);
    }
}

bool world_look(struct world *world, uint32_t task, struct world_place *place, int64_t limit_ns)
{
    const struct plan_window *window = world->window;
    int64_t last_ns = data_time_ns(world, task), moved_ns = 0;
    last_ns = last_ns > place->free_ns ? last_ns : place->free_ns;
    place->moved_ns = 0;
    place->start_ns = last_ns;
    place->end_ns = last_ns + place->cost_ns;
    if (!window->transfers || place->end_ns >= limit_ns)
        return place->end_ns < limit_ns;
    const struct plan_access *access =
        plan_accesses(window) + plan_task_at(window, task)->first_access;
    const struct plan_access *end =
        plan_accesses(window) + plan_task_at(window, task + 1)->first_access;
    for (; access < end; access++) {
        if (!(access->mode & PLAN_READ) || world->held[access->data] == 0)
            continue;
        int64_t ns = data_there_ns(world, access->data, place->node);
        if (ns == WORLD_ABSENT) {
            struct data_source source = data_best(world, access->data, place->node);
            if (source.node == PLAN_NONE)
                return false;
            ns = source.end_ns;
            moved_ns += source.copy_ns;
            if (access->mode & PLAN_WRITE)
                moved_ns += data_weighed(source.copy_ns, world->tuning.move_own);
        }
        last_ns = ns > last_ns ? ns : last_ns;
        place->end_ns = last_ns + place->cost_ns + data_weighed(moved_ns, world->tuning.move);
        if (place->end_ns >= limit_ns || last_ns + place->cost_ns > place->latest_ns)
            return false;
    }
    place->moved_ns = moved_ns;
    place->start_ns = last_ns;
    return true;
}

int64_t world_data_begin_ns(struct world *world, uint32_t data, uint32_t node)
{
    if (world->held[data] == 0 || data_there_ns(world, data, node) != WORLD_ABSENT)
        return WORLD_ABSENT;
    const struct data_source source = data_best(world, data, node);
    return source.node == PLAN_NONE ? WORLD_ABSENT : source.end_ns - source.copy_ns;
}

int64_t world_data_move(struct world *world, uint32_t data, uint32_t node)
{
    const struct data_source source = data_best(world, data, node);
    uint64_t bytes = plan_data_at(world->window, data)->bytes;
    if (source.node == PLAN_NONE)
        return WORLD_ABSENT;
    const struct world_path *path = data_path(world, source.node, node);
    int64_t begin_ns = source.end_ns - source.copy_ns;
    int64_t *free_ns = world->link_free_ns;
    for (uint32_t i = 0; i < WORLD_HOPS; i++)
        if (path->first[i] != data_no_link(world))
            free_ns[path->first[i]] = begin_ns + (int64_t)((double)bytes * path->first_ns[i]);
    for (uint32_t i = 0; i < path->more_count; i++)
        free_ns[path->more[i]] = begin_ns + (int64_t)((double)bytes * path->more_ns[i]);
    world->bytes_moved += bytes;
    return data_add(world, data, node, source.end_ns) ? source.end_ns : WORLD_ABSENT;
}

void world_data_drop(struct world *world, uint32_t data, uint32_t node)
{
    world->held[data] &= ~data_bit(node);
}

bool world_data_elsewhere(const struct world *world, uint32_t data, uint32_t node)
{
    return (world->held[data] & ~data_bit(node)) != 0;
}

int64_t world_fetch(struct world *world, uint32_t task, uint32_t node)
{
    const struct plan_window *window = world->window;
    int64_t last_ns = data_time_ns(world, task);
    if (!window->transfers)
        return last_ns;
    uint32_t end = plan_task_at(window, task + 1)->first_access;
    for (uint32_t a = plan_task_at(window, task)->first_access; a < end; a++) {
        const struct plan_access *access = &plan_accesses(window)[a];
        if (!(access->mode & PLAN_READ) || world->held[access->data] == 0)
            continue;
        int64_t ns = data_there_ns(world, access->data, node);
        if (ns == WORLD_ABSENT)
            ns = world_data_move(world, access->data, node);
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
        data_forget(world, access->data);
        (void)data_add(world, access->data, node, world->now_ns);
        world_memory_write(world, access->data, node);
    }
}
