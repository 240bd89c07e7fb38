/* The queue before the copy lanes; see traffic.h. */
#include "core/traffic.h"

#include "core/lane.h"
#include "core/move.h"
#include "core/planner.h"

#define TRAFFIC_LOOK 64u /* of those that wait, from the most urgent, may overtake */

/* Of a link's bandwidth: where copies take more of it than that, another would only delay them. */
#define TRAFFIC_FULL 0.75

struct traffic_wait {
    int64_t rank;
    uint32_t op;
    uint32_t order;
    bool early;
};

struct traffic {
    struct vec waiting; /* struct traffic_wait, the most urgent last */
    double *rate;       /* [link]: of the copies on it, each at the most that its way allows */
    uint32_t *copies;   /* [link]: on it */
    uint32_t order;
};

bool traffic_init(struct engine *engine)
{
    if (engine->paths == NULL || !engine->has_copy_lanes)
        return true;
    struct traffic *traffic = alloc_get_zeroed(engine->hooks, sizeof *traffic, 16);
    if (traffic == NULL)
        return false;
    vec_init(&traffic->waiting, sizeof(struct traffic_wait), engine->hooks);
    size_t links = engine->path_link_count + 1u;
    traffic->rate = alloc_get_zeroed(engine->hooks, links * sizeof *traffic->rate, 16);
    traffic->copies = alloc_get_zeroed(engine->hooks, links * sizeof *traffic->copies, 16);
    engine->traffic = traffic;
    return traffic->rate != NULL && traffic->copies != NULL;
}

void traffic_fini(struct engine *engine)
{
    struct traffic *traffic = engine->traffic;
    if (traffic == NULL)
        return;
    vec_fini(&traffic->waiting);
    size_t links = engine->path_link_count + 1u;
    alloc_put(engine->hooks, traffic->rate, links * sizeof *traffic->rate);
    alloc_put(engine->hooks, traffic->copies, links * sizeof *traffic->copies);
    alloc_put(engine->hooks, traffic, sizeof *traffic);
    engine->traffic = NULL;
}

static void traffic_path(const struct engine *engine, const struct op *op, struct plan_path *path)
{
    engine->paths(engine->paths_user, op->src_node, op->dst_node, path);
}

/* Is there room for another on every link? */
static bool traffic_free(const struct engine *engine, const struct plan_path *path)
{
    const struct traffic *traffic = engine->traffic;
    for (uint32_t i = 0; i < path->link_count; i++) {
        uint32_t link = path->links[i];
        double most = engine->path_rate(engine->paths_user, link) * TRAFFIC_FULL;
        if (traffic->copies[link] > 0 && traffic->rate[link] > most)
            return false;
    }
    return true;
}

static void traffic_mark(struct engine *engine, const struct plan_path *path, bool taken)
{
    struct traffic *traffic = engine->traffic;
    for (uint32_t i = 0; i < path->link_count; i++) {
        uint32_t link = path->links[i];
        traffic->copies[link] += taken ? 1 : UINT32_MAX;
        traffic->rate[link] += taken ? path->bytes_per_ns : -path->bytes_per_ns;
        if (traffic->copies[link] == 0)
            traffic->rate[link] = 0;
    }
}

static bool traffic_try(struct engine *engine, uint32_t op)
{
    const struct op *copy = table_at(&engine->ops, op);
    struct plan_path path;
    traffic_path(engine, copy, &path);
    if (lane_room(engine_lane(engine, copy->lane)) < 4 || !traffic_free(engine, &path))
        return false;
    traffic_mark(engine, &path, true);
    move_issue(engine, op);
    return true;
}

/* Does `a` go before `b`, which was ordered earlier? */
static bool traffic_before(const struct traffic_wait *a, const struct traffic_wait *b)
{
    if (a->early != b->early)
        return b->early;
    return a->rank > b->rank;
}

static bool traffic_insert(struct traffic *traffic, struct traffic_wait wait)
{
    if (vec_push(&traffic->waiting, &wait) == NULL)
        return false;
    struct traffic_wait *all = (struct traffic_wait *)(void *)traffic->waiting.items;
    size_t at = traffic->waiting.count - 1;
    for (; at > 0 && !traffic_before(&wait, &all[at - 1]); at--)
        all[at] = all[at - 1];
    all[at] = wait;
    return true;
}

bool traffic_order(struct engine *engine, uint32_t op, int64_t rank, bool early)
{
    struct traffic *traffic = engine->traffic;
    struct traffic_wait wait = {.op = op, .order = traffic->order++, .rank = rank, .early = early};
    return traffic_try(engine, op) || traffic_insert(traffic, wait);
}

static void traffic_remove(struct traffic *traffic, size_t at)
{
    struct traffic_wait *all = (struct traffic_wait *)(void *)traffic->waiting.items;
    traffic->waiting.count--;
    memmove(&all[at], &all[at + 1], (traffic->waiting.count - at) * sizeof *all);
}

void traffic_urge(struct engine *engine, uint32_t op, int64_t rank)
{
    struct traffic *traffic = engine->traffic;
    for (size_t at = 0; at < traffic->waiting.count; at++) {
        struct traffic_wait wait = *(struct traffic_wait *)vec_at(&traffic->waiting, at);
        if (wait.op != op)
            continue;
        if (!wait.early && wait.rank >= rank)
            return;
        wait.rank = wait.rank > rank ? wait.rank : rank;
        wait.early = false;
        traffic_remove(traffic, at);
        (void)traffic_insert(traffic, wait);
        return;
    }
}

void traffic_done(struct engine *engine, uint32_t op)
{
    struct traffic *traffic = engine->traffic;
    struct plan_path path;
    traffic_path(engine, table_at(&engine->ops, op), &path);
    traffic_mark(engine, &path, false);
    uint32_t looked = 0;
    for (size_t at = traffic->waiting.count; at > 0 && looked < TRAFFIC_LOOK; at--, looked++)
        if (traffic_try(engine, ((struct traffic_wait *)vec_at(&traffic->waiting, at - 1))->op))
            traffic_remove(traffic, at - 1);
}

uint32_t traffic_take(struct engine *engine, const struct lane *lane)
{
    struct traffic *traffic = engine->traffic;
    for (size_t at = 0; at < traffic->waiting.count; at++) {
        uint32_t op = ((struct traffic_wait *)vec_at(&traffic->waiting, at))->op;
        if (((const struct op *)table_at(&engine->ops, op))->lane != lane->index)
            continue;
        traffic_remove(traffic, at);
        return op;
    }
    return OP_NONE;
}
