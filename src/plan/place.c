/* Which workers come into question: for a task that became ready, and for one that has nothing to
 * do. With few workers all are looked at; with many a tournament by load and the nodes that hold
 * the data name the candidates, so that no decision costs more than the logarithm of the machine.
 * See world.h.
 */
#include "plan/world.h"

#define PLACE_MANY 64u   /* workers from which on not all are looked at */
#define PLACE_GROUPS 32u /* the same for groups */
#define PLACE_SOURCES 4u /* nodes that hold a piece of data which are candidates */
#define PLACE_STEAL 16u  /* tasks of the end of a queue that a thief looks at */

/* ---- the tournament ------------------------------------------------------------------------ */

static uint32_t place_win(const struct world *world, bool latest, uint32_t a, uint32_t b)
{
    if (a == PLAN_NONE || b == PLAN_NONE)
        return a == PLAN_NONE ? b : a;
    int64_t a_ns = world->workers[a].load_ns, b_ns = world->workers[b].load_ns;
    if (a_ns == b_ns)
        return a < b ? a : b;
    return (a_ns < b_ns) != latest ? a : b;
}

static void place_play(struct world *world, struct world_tree *tree, bool latest, uint32_t worker)
{
    uint32_t at = tree->leaves + worker;
    tree->best[at] = latest && world->workers[worker].queue.count == 0 ? PLAN_NONE : worker;
    for (at /= 2; at > 0; at /= 2)
        tree->best[at] = place_win(world, latest, tree->best[2 * at], tree->best[2 * at + 1]);
}

/* The least of [first, last). */
static uint32_t place_soonest(const struct world *world, uint32_t first, uint32_t last)
{
    const struct world_tree *tree = &world->soonest;
    uint32_t best = PLAN_NONE;
    for (first += tree->leaves, last += tree->leaves; first < last; first /= 2, last /= 2) {
        if (first & 1)
            best = place_win(world, false, best, tree->best[first++]);
        if (last & 1)
            best = place_win(world, false, best, tree->best[--last]);
    }
    return best;
}

static bool place_grow(const struct world *world, struct world_tree *tree, uint32_t workers)
{
    tree->leaves = 1;
    while (tree->leaves < workers)
        tree->leaves *= 2;
    tree->best = alloc_get(world->hooks, 2 * (size_t)tree->leaves * sizeof *tree->best, 16);
    if (tree->best == NULL)
        return false;
    memset(tree->best, 0xff, 2 * (size_t)tree->leaves * sizeof *tree->best);
    return true;
}

/* ---- life ---------------------------------------------------------------------------------- */

static size_t place_idle_words(const struct plan_window *window)
{
    return window->workers.count / 64 + 1;
}

static void place_groups(struct world *world)
{
    const struct plan_window *window = world->window;
    for (uint32_t c = 0; c < plan_class_count(window); c++) {
        const struct plan_class *of = plan_class_at(window, c);
        uint32_t node = PLAN_NONE;
        for (uint32_t w = of->first_worker; w < of->first_worker + of->worker_count; w++) {
            if (plan_worker_at(window, w)->node != node) {
                node = plan_worker_at(window, w)->node;
                world->groups[world->group_count++] =
                    (struct world_group){.class_index = c, .node = node, .first_worker = w};
            }
            world->groups[world->group_count - 1].worker_count++;
            world->workers[w].group = world->group_count - 1;
        }
    }
}

static size_t place_robbed(const struct world *world)
{
    return world->group_count * (world->window->workers.count + 1);
}

bool world_places_init(struct world *world)
{
    const struct plan_window *window = world->window;
    size_t workers = window->workers.count, nodes = window->node_count;
    world->groups = alloc_get_zeroed(world->hooks, (workers + 1) * sizeof *world->groups, 16);
    world->idle =
        alloc_get_zeroed(world->hooks, place_idle_words(window) * sizeof *world->idle, 16);
    if (world->groups == NULL || world->idle == NULL)
        return false;
    place_groups(world);
    world->many = workers > PLACE_MANY || world->group_count > PLACE_GROUPS;
    if (!world->many) {
        world->robbed =
            alloc_get(world->hooks, (place_robbed(world) + 1) * sizeof *world->robbed, 16);
        return world->robbed != NULL;
    }
    world->node_first = alloc_get(world->hooks, (nodes + 1) * sizeof *world->node_first, 16);
    world->node_last = alloc_get(world->hooks, (nodes + 1) * sizeof *world->node_last, 16);
    if (world->node_first == NULL || world->node_last == NULL ||
        !place_grow(world, &world->soonest, (uint32_t)workers) ||
        !place_grow(world, &world->latest, (uint32_t)workers))
        return false;
    memset(world->node_first, 0xff, (nodes + 1) * sizeof *world->node_first);
    for (uint32_t w = 0; w < workers; w++) {
        uint32_t node = plan_worker_at(window, w)->node;
        if (world->node_first[node] == PLAN_NONE)
            world->node_first[node] = w;
        world->node_last[node] = w;
    }
    return true;
}

void world_places_fini(struct world *world)
{
    const struct plan_window *window = world->window;
    size_t workers = window->workers.count, nodes = window->node_count;
    alloc_put(world->hooks, world->groups, (workers + 1) * sizeof *world->groups);
    alloc_put(world->hooks, world->idle, place_idle_words(window) * sizeof *world->idle);
    alloc_put(world->hooks, world->robbed, (place_robbed(world) + 1) * sizeof *world->robbed);
    alloc_put(world->hooks, world->node_first, (nodes + 1) * sizeof *world->node_first);
    alloc_put(world->hooks, world->node_last, (nodes + 1) * sizeof *world->node_last);
    alloc_put(world->hooks, world->soonest.best,
              2 * (size_t)world->soonest.leaves * sizeof *world->soonest.best);
    alloc_put(world->hooks, world->latest.best,
              2 * (size_t)world->latest.leaves * sizeof *world->latest.best);
}

void world_places_reset(struct world *world)
{
    uint32_t workers = (uint32_t)world->window->workers.count;
    memset(world->idle, 0, place_idle_words(world->window) * sizeof *world->idle);
    if (world->robbed != NULL)
        memset(world->robbed, 0xff, place_robbed(world) * sizeof *world->robbed);
    for (uint32_t w = 0; w < workers; w++) {
        world->workers[w].load_ns = world->workers[w].end_ns;
        if (world->many) {
            place_play(world, &world->soonest, false, w);
            place_play(world, &world->latest, true, w);
        }
    }
}

void world_loaded(struct world *world, uint32_t worker)
{
    struct world_worker *of = &world->workers[worker];
    const struct world_queue *queue = &of->queue;
    of->load_ns = of->end_ns;
    if (queue->count > 0)
        of->load_ns += world_queue_at(queue, queue->count - 1)->through_ns - queue->popped_ns;
    if (world->many) {
        place_play(world, &world->soonest, false, worker);
        place_play(world, &world->latest, true, worker);
    }
}

/* When a task of this rank that joined the queue now would start, data aside. */
static int64_t place_free_ns(const struct world *world, const struct world_worker *of, int64_t rank)
{
    int64_t free_ns = of->end_ns > world->now_ns ? of->end_ns : world->now_ns;
    if (of->queue.count == 0)
        return free_ns;
    if (!world->tuning.by_rank)
        return free_ns + (of->load_ns - of->end_ns);
    return free_ns + world_queue_ahead_ns(&of->queue, rank);
}

/* ---- places for a task --------------------------------------------------------------------- */

static bool place_of(struct world *world, uint32_t task, uint32_t worker, struct world_place *place)
{
    const struct plan_worker *facts = plan_worker_at(world->window, worker);
    place->cost_ns = world_cost_ns(world, task, facts->class_index);
    if (place->cost_ns == PLAN_CANNOT)
        return false;
    place->latest_ns = INT64_MAX;
    place->worker = worker;
    place->class_index = facts->class_index;
    place->node = facts->node;
    place->free_ns = place_free_ns(world, &world->workers[worker], world->rank[task]);
    return true;
}

static uint32_t places_few(struct world *world, uint32_t task, struct world_place *places)
{
    uint32_t count = 0, type = plan_task_at(world->window, task)->type;
    int64_t rank = world->rank[task];
    const int64_t *costs = (const int64_t *)(const void *)world->window->costs.items +
                           (size_t)type * plan_class_count(world->window);
    for (uint32_t g = 0; g < world->group_count; g++) {
        const struct world_group *group = &world->groups[g];
        struct world_place *place = &places[count];
        place->cost_ns = costs[group->class_index];
        if (place->cost_ns == PLAN_CANNOT)
            continue;
        place->class_index = group->class_index;
        place->node = group->node;
        place->free_ns = place->latest_ns = INT64_MAX;
        uint32_t last = group->first_worker + group->worker_count;
        for (uint32_t w = group->first_worker; w < last; w++) {
            if (world->workers[w].end_ns >= place->free_ns)
                continue;
            int64_t free_ns = place_free_ns(world, &world->workers[w], rank);
            if (free_ns < place->free_ns) {
                place->free_ns = free_ns;
                place->worker = w;
            }
        }
        count++;
    }
    return count;
}

static uint32_t places_add(struct world *world, uint32_t task, uint32_t worker,
                           struct world_place *places, uint32_t count)
{
    if (worker == PLAN_NONE || count == WORLD_PLACES)
        return count;
    for (uint32_t i = 0; i < count; i++)
        if (places[i].worker == worker)
            return count;
    return count + place_of(world, task, worker, &places[count]);
}

/* Workers on a node that holds some of the task's data. */
static uint32_t places_beside(struct world *world, uint32_t task, uint32_t node,
                              struct world_place *places, uint32_t count)
{
    uint32_t worker = world->node_first[node];
    if (worker == PLAN_NONE)
        return count;
    worker = place_soonest(world, worker, world->node_last[node] + 1);
    if (worker == PLAN_NONE || plan_worker_at(world->window, worker)->node != node)
        return count;
    return places_add(world, task, worker, places, count);
}

static uint32_t places_many(struct world *world, uint32_t task, struct world_place *places)
{
    const struct plan_window *window = world->window;
    uint32_t count = 0, classes = plan_class_count(window), nodes[PLACE_SOURCES];
    for (uint32_t c = 0; c < classes; c++) {
        const struct plan_class *of = plan_class_at(window, c);
        count =
            places_add(world, task,
                       place_soonest(world, of->first_worker, of->first_worker + of->worker_count),
                       places, count);
    }
    uint32_t end = plan_task_at(window, task + 1)->first_access;
    for (uint32_t a = plan_task_at(window, task)->first_access; window->transfers && a < end; a++) {
        uint32_t held = world_holders(world, plan_accesses(window)[a].data, nodes, PLACE_SOURCES);
        for (uint32_t i = 0; i < held; i++)
            count = places_beside(world, task, nodes[i], places, count);
    }
    return count;
}

uint32_t world_places(struct world *world, uint32_t task, struct world_place *places)
{
    uint32_t only = plan_task_at(world->window, task)->only_worker, count;
    if (only != PLAN_NONE)
        count = place_of(world, task, only, places);
    else if (world->many)
        count = places_many(world, task, places);
    else
        count = places_few(world, task, places);
    if (world->memory != NULL) {
        uint32_t fit = 0;
        for (uint32_t i = 0; i < count; i++)
            if (world_memory_fits(world, task, places[i].node))
                places[fit++] = places[i];
        count = fit;
    }
    world_data_bounds(world, task, places, count);
    return count;
}

/* ---- those who have nothing ---------------------------------------------------------------- */

void world_idle(struct world *world, uint32_t worker)
{
    world->idle[worker / 64] |= UINT64_C(1) << (worker % 64);
}

static void place_wake(struct world *world, uint32_t worker)
{
    world->idle[worker / 64] &= ~(UINT64_C(1) << (worker % 64));
    world_touch(world, worker);
}

/* The first idle one of [first, last). */
static uint32_t place_idle(const struct world *world, uint32_t first, uint32_t last)
{
    while (first < last) {
        uint64_t bits = world->idle[first / 64] >> (first % 64);
        if (bits != 0) {
            first += (uint32_t)__builtin_ctzll(bits);
            return first < last ? first : PLAN_NONE;
        }
        first = (first / 64 + 1) * 64;
    }
    return PLAN_NONE;
}

void world_touch_next(struct world *world, uint32_t worker)
{
    const struct plan_class *of =
        plan_class_at(world->window, plan_worker_at(world->window, worker)->class_index);
    const struct world_group *group = &world->groups[world->workers[worker].group];
    uint32_t first = world->many ? of->first_worker : group->first_worker;
    uint32_t count = world->many ? of->worker_count : group->worker_count;
    uint32_t next = place_idle(world, first, first + count);
    if (next != PLAN_NONE)
        place_wake(world, next);
}

void world_touch_idle(struct world *world)
{
    for (uint32_t c = 0; world->many && c < plan_class_count(world->window); c++)
        if (plan_class_at(world->window, c)->worker_count > 0)
            world_touch_next(world, plan_class_at(world->window, c)->first_worker);
    for (uint32_t g = 0; !world->many && g < world->group_count; g++)
        world_touch_next(world, world->groups[g].first_worker);
}

struct place_theft {
    int64_t most_ns;
    uint32_t victim, place;
};

static void steal_from(struct world *world, uint32_t thief, uint32_t victim,
                       struct place_theft *theft)
{
    const struct plan_window *window = world->window;
    const struct world_worker *of = &world->workers[victim];
    const struct plan_worker *facts = plan_worker_at(window, thief);
    int64_t base_ns = of->end_ns - of->queue.popped_ns;
    int64_t least_ns = world->now_ns + world->least_ns[facts->class_index];
    struct world_place place = {
        .node = facts->node, .free_ns = world->now_ns, .latest_ns = INT64_MAX};
    uint32_t low = of->queue.count > PLACE_STEAL ? of->queue.count - PLACE_STEAL : 0;
    for (uint32_t i = of->queue.count; i-- > low;) {
        const struct world_item *item = world_queue_at(&of->queue, i);
        int64_t there_ns = base_ns + item->through_ns;
        if (there_ns <= least_ns + theft->most_ns)
            return; /* nor any before it */
        place.cost_ns = plan_cost_ns(window, item->type, facts->class_index);
        if (place.cost_ns >= there_ns - theft->most_ns - world->now_ns ||
            plan_task_at(window, item->task)->only_worker != PLAN_NONE ||
            !world_look(world, item->task, &place, INT64_MAX))
            continue;
        int64_t gain_ns = there_ns - place.start_ns - place.cost_ns;
        if (gain_ns > theft->most_ns)
            *theft = (struct place_theft){.most_ns = gain_ns, .victim = victim, .place = i};
    }
}

/* Those that had nothing for anybody on this node and have got nothing since are passed over. */
static void steal_few(struct world *world, uint32_t thief, struct place_theft *theft)
{
    uint32_t workers = (uint32_t)world->window->workers.count;
    uint32_t *robbed = world->robbed + (size_t)world->workers[thief].group * (workers + 1);
    if (robbed[workers] == world->version)
        return;
    for (uint32_t v = 0; v < workers; v++) {
        const struct world_worker *of = &world->workers[v];
        if (of->queue.count == 0 || robbed[v] == of->version)
            continue;
        steal_from(world, thief, v, theft);
    }
    for (uint32_t v = 0; v < workers && theft->victim == PLAN_NONE; v++)
        robbed[v] = world->workers[v].version;
    if (theft->victim == PLAN_NONE)
        robbed[workers] = world->version;
}

uint32_t world_steal(struct world *world, uint32_t thief)
{
    uint32_t class_index = plan_worker_at(world->window, thief)->class_index;
    struct place_theft theft = {.victim = PLAN_NONE};
    if (world->least_ns[class_index] == PLAN_CANNOT)
        return PLAN_NONE;
    if (!world->many)
        steal_few(world, thief, &theft);
    else if (world->latest.best[1] != PLAN_NONE && world->latest.best[1] != thief)
        steal_from(world, thief, world->latest.best[1], &theft);
    return theft.victim == PLAN_NONE ? PLAN_NONE : world_take(world, theft.victim, theft.place);
}
