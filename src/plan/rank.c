/* Ranks, tails and prices: what is computed once before a window is simulated.
 *
 * A task's rank is the longest way from its beginning to the end of the window, with its copies
 * (upward rank: H. Topcuoglu, S. Hariri, M.-Y. Wu, IEEE TPDS 13(3), 2002). Prices say what a
 * nanosecond of each class is worth: dual values of the area bound, by multiplicative weights (S.
 * Plotkin, D. Shmoys, E. Tardos, Mathematics of Operations Research 20(2), 1995).
 */
#include "plan/world.h"

#include <math.h>

#define RANK_MOVE_BYTES_PER_NS 6 /* of a path, where there is none to ask */
#define RANK_STEPS 256           /* of the prices */
#define RANK_PRICE_ONE 65536.0
#define RANK_AREA_MOST 9e18

static int64_t rank_cost_ns(const struct plan_window *window, uint32_t type, uint32_t kind)
{
    double sum = 0, rate = 0, least = INFINITY;
    uint32_t workers = 0;
    for (uint32_t c = 0; c < plan_class_count(window); c++) {
        int64_t ns = plan_cost_ns(window, type, c);
        uint32_t count = plan_class_at(window, c)->worker_count;
        if (ns == PLAN_CANNOT || count == 0)
            continue;
        workers += count;
        sum += (double)ns * count;
        rate += count / ((double)ns + 1.0);
        least = (double)ns < least ? (double)ns : least;
    }
    if (workers == 0)
        return 0;
    double mean = sum / workers;
    switch ((enum world_rank)kind) {
    case WORLD_RANK_MEAN:
        return (int64_t)mean;
    case WORLD_RANK_RATE:
        return (int64_t)(workers / rate);
    case WORLD_RANK_BOTH:
        return (int64_t)sqrt(mean * least);
    case WORLD_RANK_LEAST:
    case WORLD_RANK_SHORT:
    case WORLD_RANK_NONE:
    case WORLD_RANK_GIVEN:
        break;
    }
    return (int64_t)least;
}

/* Copies of what a task makes are on the way of those that need it. */
static int64_t rank_move_ns(const struct plan_window *window, uint32_t task)
{
    if (!window->transfers)
        return 0;
    uint64_t bytes = 0;
    uint32_t end = plan_task_at(window, task + 1)->first_access;
    for (uint32_t a = plan_task_at(window, task)->first_access; a < end; a++)
        if (plan_accesses(window)[a].mode & PLAN_WRITE)
            bytes += plan_data_at(window, plan_accesses(window)[a].data)->bytes;
    return (int64_t)(bytes / RANK_MOVE_BYTES_PER_NS);
}

/* Whoever has a higher priority goes before all ranks of a lower one. */
static int64_t rank_with_priority(int64_t rank, int32_t priority)
{
    const int64_t most = (INT64_C(1) << 50) - 1;
    int64_t level = priority > WORLD_PRIORITIES    ? WORLD_PRIORITIES
                    : priority < -WORLD_PRIORITIES ? -WORLD_PRIORITIES
                                                   : priority;
    return (rank < most ? rank : most) + level * (most + 1);
}

/* Up or down by at most `jitter` / 256; D. Knuth's constants of a linear congruence. */
static int64_t rank_shaken(int64_t cost_ns, uint32_t jitter, uint64_t *dice)
{
    if (jitter == 0)
        return cost_ns;
    *dice = *dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return cost_ns + cost_ns / 256 * ((int64_t)(*dice >> 55) - 256) / 256 * jitter;
}

#define RANK_TYPES 64u /* whose costs are worked out once, not for each task */

struct rank_costs {
    const struct plan_window *window;
    uint32_t kind;
    int64_t of[RANK_TYPES];
};

static void rank_costs_of(struct rank_costs *costs, const struct plan_window *window, uint32_t kind)
{
    costs->window = window;
    costs->kind = kind;
    for (uint32_t t = 0; t < window->type_count && t < RANK_TYPES; t++)
        costs->of[t] = rank_cost_ns(window, t, kind);
}

static int64_t rank_cost(const struct rank_costs *costs, uint32_t type)
{
    return type < RANK_TYPES ? costs->of[type] : rank_cost_ns(costs->window, type, costs->kind);
}

static void rank_tails(struct world *world)
{
    const struct plan_window *window = world->window;
    const uint32_t *successors = plan_successors(window);
    struct rank_costs costs;
    rank_costs_of(&costs, window, WORLD_RANK_LEAST);
    for (uint32_t i = window->task_count; i-- > 0;) {
        uint32_t end = plan_task_at(window, i + 1)->first_successor;
        int64_t tail_ns = 0;
        for (uint32_t s = plan_task_at(window, i)->first_successor; s < end; s++) {
            uint32_t next = successors[s];
            int64_t ns = world->tail_ns[next] + rank_cost(&costs, plan_task_at(window, next)->type);
            tail_ns = ns > tail_ns ? ns : tail_ns;
        }
        world->tail_ns[i] = tail_ns;
        tail_ns += rank_cost(&costs, plan_task_at(window, i)->type);
        world->bound_ns = tail_ns > world->bound_ns ? tail_ns : world->bound_ns;
    }
}

void world_ranks(struct world *world)
{
    const struct plan_window *window = world->window;
    const uint32_t *successors = plan_successors(window);
    uint32_t kind = world->tuning.rank, jitter = world->tuning.jitter;
    uint64_t dice = world->tuning.seed;
    struct rank_costs costs;
    uint32_t ranked = jitter > 0 ? 0 : world->tuning.flat ? ~kind : kind + 1;
    if (ranked != 0 && world->ranked == ranked)
        return;
    world->ranked = ranked;
    if (kind == WORLD_RANK_GIVEN) {
        memcpy(world->rank, world->given_rank, window->task_count * sizeof *world->rank);
        return;
    }
    rank_costs_of(&costs, window, kind);
    for (uint32_t i = window->task_count; i-- > 0;) {
        const struct plan_task *task = plan_task_at(window, i);
        uint32_t end = plan_task_at(window, i + 1)->first_successor;
        int64_t rank = 0;
        for (uint32_t s = task->first_successor; s < end; s++)
            rank = world->rank[successors[s]] > rank ? world->rank[successors[s]] : rank;
        world->rank[i] = rank + (end > task->first_successor ? rank_move_ns(window, i) : 0) +
                         rank_shaken(rank_cost(&costs, task->type), jitter, &dice);
    }
    for (uint32_t i = 0; i < window->task_count; i++) {
        const struct plan_task *task = plan_task_at(window, i);
        int64_t rank = kind == WORLD_RANK_NONE    ? 0
                       : kind == WORLD_RANK_SHORT ? -rank_cost(&costs, task->type)
                                                  : world->rank[i];
        world->rank[i] = rank_with_priority(rank, world->tuning.flat ? 0 : task->priority);
    }
}

/* ---- prices -------------------------------------------------------------------------------- */

struct rank_prices {
    uint32_t classes, types;
    double *weight; /* [class]: the price of all its workers together */
    double *load;   /* [class] */
    double *sum;    /* [class]: of the weights in the later rounds */
    double *counts; /* [type]: tasks */
    double *share;  /* [type * classes + class]: of the time of all its workers; INFINITY: cannot */
};

/* One round: every type goes where it is cheapest at these prices; prices of classes that are then
 * fuller than the others rise. */
static void rank_price_step(const struct rank_prices *of, double step)
{
    uint32_t classes = of->classes;
    double most = 0, *weight = of->weight, *load = of->load;
    for (uint32_t c = 0; c < classes; c++)
        load[c] = 0;
    for (uint32_t t = 0; t < of->types; t++) {
        const double *share = of->share + (size_t)t * classes;
        uint32_t best = 0;
        double least = INFINITY;
        for (uint32_t c = 0; c < classes; c++) {
            double worth = share[c] * weight[c];
            if (worth < least) {
                least = worth;
                best = c;
            }
        }
        if (least < INFINITY)
            load[best] += of->counts[t] * share[best];
    }
    for (uint32_t c = 0; c < classes; c++)
        most = load[c] > most ? load[c] : most;
    for (uint32_t c = 0; c < classes && most > 0; c++)
        weight[c] *= 1.0 + step * load[c] / most;
}

/* Every task needs at least its cheapest place's worth, and that is all there is in a nanosecond.
 */
static void rank_area(struct world *world, const double *counts)
{
    const struct plan_window *window = world->window;
    double all = 0, worth = 0;
    for (uint32_t c = 0; c < plan_class_count(window); c++)
        all += (double)world->price[c] * plan_class_at(window, c)->worker_count;
    for (uint32_t t = 0; t < window->type_count; t++) {
        double least = INFINITY;
        for (uint32_t c = 0; c < plan_class_count(window); c++) {
            int64_t ns = plan_cost_ns(window, t, c);
            if (ns != PLAN_CANNOT && plan_class_at(window, c)->worker_count > 0)
                least = fmin(least, (double)ns * (double)world->price[c]);
        }
        world->worth[t] = isfinite(least) ? least : 0;
        worth += counts[t] * world->worth[t];
    }
    world->worth_per_ns = all;
    int64_t area_ns = all > 0 && worth / all < RANK_AREA_MOST ? (int64_t)(worth / all) : 0;
    world->bound_ns = area_ns > world->bound_ns ? area_ns : world->bound_ns;
}

static void rank_shares(const struct world *world, struct rank_prices *of)
{
    const struct plan_window *window = world->window;
    for (uint32_t i = 0; i < window->task_count; i++)
        of->counts[plan_task_at(window, i)->type]++;
    for (uint32_t t = 0; t < of->types; t++) {
        for (uint32_t c = 0; c < of->classes; c++) {
            int64_t ns = plan_cost_ns(window, t, c);
            of->share[(size_t)t * of->classes + c] =
                ns == PLAN_CANNOT ? INFINITY : (double)ns / plan_class_at(window, c)->worker_count;
        }
    }
}

static bool rank_prices(struct world *world)
{
    const struct plan_window *window = world->window;
    uint32_t classes = plan_class_count(window);
    size_t count = (3 * (size_t)classes + window->type_count * (classes + 1u) + 1);
    double *work = alloc_get_zeroed(world->hooks, count * sizeof *work, 16);
    if (work == NULL)
        return false;
    struct rank_prices of = {.classes = classes,
                             .types = window->type_count,
                             .weight = work,
                             .load = work + classes,
                             .sum = work + 2 * classes,
                             .counts = work + 3 * classes,
                             .share = work + 3 * classes + window->type_count};
    rank_shares(world, &of);
    for (uint32_t c = 0; c < classes; c++)
        of.weight[c] = 1.0 / classes;
    for (uint32_t step = 0; step < RANK_STEPS; step++) {
        rank_price_step(&of, 0.5 / (1.0 + step / 16.0));
        double all = 0;
        for (uint32_t c = 0; c < classes; c++)
            all += of.weight[c];
        for (uint32_t c = 0; c < classes; c++) {
            of.weight[c] /= all;
            of.sum[c] += step >= RANK_STEPS / 2 ? of.weight[c] : 0;
        }
    }
    double most = 0;
    for (uint32_t c = 0; c < classes; c++) {
        uint32_t workers = plan_class_at(window, c)->worker_count;
        of.sum[c] = workers > 0 ? of.sum[c] / workers : 0;
        most = of.sum[c] > most ? of.sum[c] : most;
    }
    for (uint32_t c = 0; c < classes; c++)
        world->price[c] = 1 + (most > 0 ? (int64_t)(of.sum[c] / most * RANK_PRICE_ONE) : 0);
    rank_area(world, of.counts);
    alloc_put(world->hooks, work, count * sizeof *work);
    return true;
}

/* ---- what fits ----------------------------------------------------------------------------- */

static double rank_most_ns(const struct plan_window *window, uint32_t type)
{
    double most = 0;
    for (uint32_t c = 0; c < plan_class_count(window); c++)
        if (plan_cost_ns(window, type, c) != PLAN_CANNOT)
            most = fmax(most, (double)plan_cost_ns(window, type, c));
    return most;
}

static double rank_slowest(const struct world *world)
{
    const struct plan_window *window = world->window;
    double slowest = 0;
    for (size_t l = 0; l < window->links.count; l++)
        slowest = fmax(
            slowest,
            1.0 / ((const struct plan_link *)(const void *)window->links.items)[l].bytes_per_ns);
    for (uint32_t p = 0; world->paths != NULL && p < window->node_count * window->node_count; p++)
        slowest = fmax(slowest, world->paths[p].ns_per_byte);
    return slowest;
}

/* Do all times that can come up fit in their numbers, weights and all? */
static bool rank_fits(const struct world *world)
{
    const struct plan_window *window = world->window;
    double all = 0, latest = 0, slowest = window->transfers ? rank_slowest(world) : 0;
    for (size_t w = 0; w < window->workers.count; w++)
        latest = fmax(latest, (double)plan_worker_at(window, (uint32_t)w)->free_ns);
    for (uint32_t t = 0; t < window->task_count; t++) {
        const struct plan_task *task = plan_task_at(window, t);
        double bytes = 0;
        for (uint32_t a = task->first_access; a < (task + 1)->first_access; a++)
            bytes += (double)plan_data_at(window, plan_accesses(window)[a].data)->bytes;
        latest = fmax(latest, (double)task->ready_ns);
        all += rank_most_ns(window, task->type) + bytes * slowest;
        if (!(bytes * slowest <= (double)WORLD_MOST_COPY_NS))
            return false;
    }
    return all + latest <= (double)WORLD_MOST_NS;
}

bool world_judge(struct world *world)
{
    world->absurd = !rank_fits(world);
    if (world->absurd)
        return true;
    rank_tails(world);
    return rank_prices(world);
}
