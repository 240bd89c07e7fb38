/* The queue before the copy lanes; see traffic.h. */
#include "core/traffic.h"

#include "core/lane.h"
#include "core/move.h"
#include "core/planner.h"
#include "core/waiting.h"

#define TRAFFIC_NODES 64u /* up to so many nodes there is a table of ways */

/* Of a link's bandwidth: where copies take more of it than that, another would only delay them. */
#define TRAFFIC_FULL 0.75

struct traffic_link {
    double rate; /* of the copies on it, each at the most that its way allows */
    double most; /* above it the link is full */
    uint32_t copies;
    uint32_t open; /* traffic.round: it got room in this round, and still has some */
};

struct traffic {
    struct waiting waiting;
    struct traffic_link *links;
    struct plan_path *paths; /* [source * nodes + target], asked for once; NULL: too many nodes */
    bool *known;             /* which of them have been */
    struct plan_path path;   /* the last one asked for, where there is no table */
    uint32_t round;          /* one for each copy that ends; not 0 */
};

static size_t traffic_pairs(const struct engine *engine)
{
    return engine->node_count <= TRAFFIC_NODES ? (size_t)engine->node_count * engine->node_count
                                               : 0;
}

bool traffic_init(struct engine *engine)
{
    if (engine->paths == NULL || !engine->has_copy_lanes)
        return true;
    struct traffic *traffic = alloc_get_zeroed(engine->hooks, sizeof *traffic, 16);
    if (traffic == NULL)
        return false;
    size_t links = engine->path_link_count, pairs = traffic_pairs(engine);
    engine->traffic = traffic;
    waiting_init(&traffic->waiting, engine->hooks);
    traffic->links = alloc_get_zeroed(engine->hooks, (links + 1) * sizeof *traffic->links, 16);
    traffic->paths = alloc_get_zeroed(engine->hooks, (pairs + 1) * sizeof *traffic->paths, 16);
    traffic->known = alloc_get_zeroed(engine->hooks, (pairs + 1) * sizeof *traffic->known, 16);
    for (uint32_t i = 0; traffic->links != NULL && i < links; i++)
        traffic->links[i].most = engine->path_rate(engine->paths_user, i) * TRAFFIC_FULL;
    return traffic->links != NULL && traffic->paths != NULL && traffic->known != NULL;
}

void traffic_fini(struct engine *engine)
{
    struct traffic *traffic = engine->traffic;
    if (traffic == NULL)
        return;
    size_t links = engine->path_link_count, pairs = traffic_pairs(engine);
    waiting_fini(&traffic->waiting);
    alloc_put(engine->hooks, traffic->links, (links + 1) * sizeof *traffic->links);
    alloc_put(engine->hooks, traffic->paths, (pairs + 1) * sizeof *traffic->paths);
    alloc_put(engine->hooks, traffic->known, (pairs + 1) * sizeof *traffic->known);
    alloc_put(engine->hooks, traffic, sizeof *traffic);
    engine->traffic = NULL;
}

/* Lasts until the next call. */
static const struct plan_path *traffic_path(struct engine *engine, uint32_t src_node,
                                            uint32_t dst_node)
{
    struct traffic *traffic = engine->traffic;
    if (traffic_pairs(engine) == 0) {
        engine->paths(engine->paths_user, src_node, dst_node, &traffic->path);
        return &traffic->path;
    }
    size_t pair = (size_t)src_node * engine->node_count + dst_node;
    if (!traffic->known[pair])
        engine->paths(engine->paths_user, src_node, dst_node, &traffic->paths[pair]);
    traffic->known[pair] = true;
    return &traffic->paths[pair];
}

static bool traffic_is_full(const struct traffic_link *link)
{
    return link->copies > 0 && link->rate > link->most;
}

/* A link of the path that has no room for another; WAITING_UNKNOWN: all have. */
static uint32_t traffic_block(const struct traffic *traffic, const struct plan_path *path)
{
    for (uint32_t i = 0; i < path->link_count; i++)
        if (traffic_is_full(&traffic->links[path->links[i]]))
            return path->links[i];
    return WAITING_UNKNOWN;
}

static void traffic_mark(struct engine *engine, const struct plan_path *path, bool taken)
{
    for (uint32_t i = 0; i < path->link_count; i++) {
        struct traffic_link *link = &engine->traffic->links[path->links[i]];
        link->copies += taken ? 1 : UINT32_MAX;
        link->rate += taken ? path->bytes_per_ns : -path->bytes_per_ns;
        if (link->copies == 0)
            link->rate = 0;
        if (traffic_is_full(link))
            link->open = 0;
        else if (!taken)
            link->open = engine->traffic->round;
    }
}

/* Hands the copy out if nothing is in its way. [out] blocked: a full link there, or
 * WAITING_UNKNOWN. */
static bool traffic_try(struct engine *engine, uint32_t op, uint32_t *blocked)
{
    const struct op *copy = table_at(&engine->ops, op);
    const struct lane *lane = engine_lane(engine, copy->lane);
    if (engine->devices[lane->device].lost) /* whoever ends its commands takes this, too */
        return false;
    const struct plan_path *path = traffic_path(engine, copy->src_node, copy->dst_node);
    *blocked = traffic_block(engine->traffic, path);
    if (*blocked != WAITING_UNKNOWN || lane_room(lane) < 4)
        return false;
    traffic_mark(engine, path, true);
    move_issue(engine, op);
    return true;
}

bool traffic_is_free(struct engine *engine, uint32_t src_node, uint32_t dst_node)
{
    struct traffic *traffic = engine->traffic;
    const struct plan_path *path = traffic_path(engine, src_node, dst_node);
    for (uint32_t i = 0; i < path->link_count; i++)
        if (traffic->links[path->links[i]].copies > 0)
            return false;
    return traffic->waiting.front_count == 0;
}

bool traffic_order(struct engine *engine, uint32_t op, int64_t rank, bool early)
{
    uint32_t blocked = WAITING_UNKNOWN;
    if (traffic_try(engine, op, &blocked))
        return true;
    struct waiting_copy copy = {.op = op, .rank = rank, .early = early};
    return waiting_put(&engine->traffic->waiting, copy, blocked);
}

void traffic_urge(struct engine *engine, uint32_t op, int64_t rank)
{
    struct waiting *waiting = &engine->traffic->waiting;
    const struct waiting_copy *there = waiting_find(waiting, op);
    struct waiting_copy copy;
    if (there == NULL || (!there->early && there->rank >= rank) ||
        !waiting_take(waiting, op, &copy))
        return;
    copy.rank = copy.rank > rank ? copy.rank : rank;
    copy.early = false;
    bool put = waiting_put(waiting, copy, WAITING_UNKNOWN);
    FGPU_ASSERT(put); /* into the room that it has left */
}

void traffic_done(struct engine *engine, uint32_t op)
{
    struct traffic *traffic = engine->traffic;
    struct waiting *waiting = &traffic->waiting;
    if (++traffic->round == 0)
        traffic->round = 1;
    const struct op *copy = table_at(&engine->ops, op);
    traffic_mark(engine, traffic_path(engine, copy->src_node, copy->dst_node), false);
    bool any = false;
    for (uint32_t i = 0; i < waiting->front_count; i++) {
        /* Only what was blocked by a link on the way of that copy could go now. */
        uint32_t by = waiting->blocked[i];
        if ((by != WAITING_UNKNOWN && traffic->links[by].open != traffic->round) ||
            !traffic_try(engine, waiting->front[i].op, &waiting->blocked[i]))
            continue;
        waiting_gone(waiting, i);
        any = true;
    }
    if (any)
        waiting_closed(waiting);
}

uint32_t traffic_take(struct engine *engine, const struct lane *lane)
{
    struct waiting *waiting = &engine->traffic->waiting;
    const struct waiting_copy *last = NULL, *at;
    for (size_t i = 0; (at = waiting_at(waiting, i)) != NULL; i++)
        if (((const struct op *)table_at(&engine->ops, at->op))->lane == lane->index &&
            (last == NULL || waiting_before(last, at)))
            last = at;
    struct waiting_copy copy;
    return last != NULL && waiting_take(waiting, last->op, &copy) ? copy.op : OP_NONE;
}

bool traffic_drop(struct engine *engine, uint32_t op)
{
    struct waiting_copy copy;
    return engine->traffic != NULL && waiting_take(&engine->traffic->waiting, op, &copy);
}
