/* Copies ahead of a plan in a simulated world: what nobody will have written before its reader runs
 * may travel as soon as its links have nothing better to do, as the engine has it (core/planner.c).
 */
#include "plan/world.h"

#include <stdlib.h>

#define EARLY_LOOK 8u /* copies among which one is looked for whose links are free */

static int early_by_order(const void *a, const void *b)
{
    const struct world_early *left = a, *right = b;
    if (left->order != right->order)
        return left->order < right->order ? -1 : 1;
    return left->data < right->data ? -1 : left->data > right->data;
}

/* For each piece of data the readers before its first writer, in the order of submission. */
static bool early_collect(struct world *world, uint8_t *written)
{
    const struct plan_window *window = world->window;
    for (uint32_t t = 0; t < window->task_count; t++) {
        uint32_t end = plan_task_at(window, t + 1)->first_access;
        for (uint32_t a = plan_task_at(window, t)->first_access; a < end; a++) {
            const struct plan_access *access = &plan_accesses(window)[a];
            struct world_early early = {.order = world->runs[t].order,
                                        .data = access->data,
                                        .node =
                                            plan_worker_at(window, world->runs[t].worker)->node};
            if ((access->mode & PLAN_READ) && !written[access->data] &&
                vec_push(&world->early, &early) == NULL)
                return false;
            written[access->data] |= (access->mode & PLAN_WRITE) != 0;
        }
    }
    return true;
}

static bool early_make(struct world *world)
{
    const struct plan_window *window = world->window;
    if (world->there_ns == NULL || world->memory != NULL) /* many nodes: too dear */
        return false;
    uint8_t *written = alloc_get_zeroed(world->hooks, window->data.count + 1, 16);
    bool good = written != NULL && early_collect(world, written);
    alloc_put(world->hooks, written, window->data.count + 1);
    if (world->early.count > 1)
        qsort(world->early.items, world->early.count, sizeof(struct world_early), early_by_order);
    return good && world->early.count > 0;
}

void world_early_reset(struct world *world)
{
    struct world_early *items = (struct world_early *)(void *)world->early.items;
    world->early_first = 0;
    for (size_t i = 0; i < world->early.count; i++)
        items[i].done = false;
}

void world_early_move(struct world *world, int64_t until_ns)
{
    struct world_early *items = (struct world_early *)(void *)world->early.items;
    uint32_t looked = 0;
    for (uint32_t at = world->early_first; at < world->early.count && looked < EARLY_LOOK; at++) {
        struct world_early *early = &items[at];
        int64_t begin_ns =
            early->done ? WORLD_ABSENT : world_data_begin_ns(world, early->data, early->node);
        looked += !early->done;
        if (begin_ns < until_ns)
            (void)world_data_move(world, early->data, early->node);
        early->done |= begin_ns < until_ns || begin_ns == WORLD_ABSENT;
        world->early_first += early->done && at == world->early_first;
    }
}

/* [in] of: room for the ranks and then the workers of all tasks. */
static int64_t early_follow(struct world *world, const struct world_policy *policy,
                            const struct world_tuning *tuning, int64_t *of)
{
    uint32_t count = world->window->task_count, *workers = (uint32_t *)(void *)(of + count);
    const int64_t *given_rank = world->given_rank;
    const uint32_t *given_worker = world->given_worker;
    struct world_tuning given = *tuning;
    for (uint32_t t = 0; t < count; t++) {
        of[t] = world->rank[t];
        workers[t] = world->runs[t].worker;
    }
    given.rank = WORLD_RANK_GIVEN;
    given.jitter = 0;
    given.target_ns = 0;
    given.look = given.look > 0 ? given.look : 1;
    world->given_rank = of;
    world->given_worker = workers;
    world->ranked = 0;
    int64_t ns = world_simulate(world, policy, &given);
    world->ranked = 0;
    world->given_rank = given_rank;
    world->given_worker = given_worker;
    return ns;
}

int64_t world_settle(struct world *world, const struct world_policy *policy,
                     const struct world_tuning *tuning)
{
    size_t bytes = (sizeof(int64_t) + sizeof(uint32_t)) * world->window->task_count + 1;
    int64_t ns = INT64_MAX, *of = early_make(world) ? alloc_get(world->hooks, bytes, 16) : NULL;
    if (of != NULL)
        ns = early_follow(world, policy, tuning, of);
    alloc_put(world->hooks, of, bytes);
    vec_clear(&world->early);
    return ns;
}
