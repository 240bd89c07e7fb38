/* Auto: simulates candidates on the submitted window and takes the best.
 *
 * First a few that differ much, then changes to the best, one at a time, as long as there are tries
 * left and the bound is not reached. Deterministic. What was found for an earlier window is the
 * first candidate for the next. Thread: any; pure.
 */
#include "policy/objective.h"
#include "policy/policy.h"

#include "base/atomic.h"

#define AUTO_SHARE                                                                                 \
    70               /* of the makespan: what searching may cost; looks at it later have the rest */
#define AUTO_LEAD 50 /* to change plans costs copies that have been made ahead */
#define AUTO_MENDED 128 /* by how much moving a few tasks must make it better */
#define AUTO_PULLS 5 /* what is given data late may be longer than the best by a fifth at first */
#define AUTO_PUNCTUAL                                                                              \
    64                 /* a plan that is not later than by that part of what it has left is kept */
#define AUTO_STEPPED 2 /* candidates before the best so far is changed in between */
#define AUTO_FEW 12    /* simulations: with fewer others are the first ones */
#define AUTO_NEAR 257  /* in 1/256 of the bound: near enough to stop */

#define AUTO_LEVELS 64u /* of priorities that are told apart */
#define AUTO_LATER 24   /* a level may end later by that part of when it would end, kept strictly */

/* When the tasks with a priority of at least a level end, on average. */
struct auto_levels {
    int64_t end_ns[AUTO_LEVELS];
};

struct auto_search {
    struct world *world;
    struct policy_found best;
    struct world_tuning base; /* the best of lookahead's */
    int64_t base_ns;
    int64_t lead_ns; /* by how much another plan must be better than the one that is followed */
    int64_t price_ns;
    uint32_t tries, most;
    uint32_t steps; /* taken */
    uint64_t tried; /* bits: candidates, each kept to priorities and flat, then single policies */
    int32_t low, high;         /* priorities of the window */
    struct auto_levels strict; /* of the best plan that keeps to them */
    int64_t strict_ns;
};

static bool auto_done(const struct auto_search *search)
{
    if (search->world->stop != NULL && atomic_load_relaxed_u32(search->world->stop))
        return true;
    uint64_t tasks = search->world->simulated + search->world->window->task_count;
    if (search->price_ns > 0 && search->tries > 0 &&
        (int64_t)tasks * search->price_ns > search->best.makespan_ns / AUTO_SHARE)
        return true;
    return search->tries >= search->most ||
           search->best.makespan_ns / AUTO_NEAR <= search->best.bound_ns / 256;
}

static const struct world_policy *auto_plan(const struct policy *policy)
{
    return policy->plan != NULL ? policy->plan : policy->model;
}

/* What would become of the plan that is being followed. */
static int64_t auto_keep(struct auto_search *search, const struct policy_found *known,
                         int64_t target_ns)
{
    struct world_tuning tuning = known->tuning;
    tuning.rank = WORLD_RANK_GIVEN;
    tuning.jitter = 0;
    tuning.target_ns = target_ns;
    return world_simulate(search->world, &policy_follow, &tuning);
}

static void auto_levels(const struct auto_search *search, struct auto_levels *levels)
{
    const struct world *world = search->world;
    int64_t span = (int64_t)search->high - search->low + 1;
    uint32_t count[AUTO_LEVELS] = {0}, tasks = 0;
    double sum[AUTO_LEVELS] = {0}, all = 0;
    for (uint32_t t = 0; t < world->window->task_count; t++) {
        int64_t above = (int64_t)plan_task_at(world->window, t)->priority - search->low;
        sum[above * AUTO_LEVELS / span] += (double)world->runs[t].end_ns;
        count[above * AUTO_LEVELS / span]++;
    }
    for (uint32_t l = AUTO_LEVELS; l-- > 0;) {
        all += sum[l];
        tasks += count[l];
        levels->end_ns[l] = tasks > 0 ? (int64_t)(all / tasks) : 0;
    }
}

/* Does nobody who has a priority wait noticeably longer than if they were kept to strictly? */
static bool auto_is_fair(const struct auto_search *search)
{
    struct auto_levels levels;
    if (search->high == search->low)
        return true;
    if (search->strict_ns == INT64_MAX)
        return false;
    auto_levels(search, &levels);
    for (uint32_t l = 0; l < AUTO_LEVELS; l++) {
        int64_t strict_ns = search->strict.end_ns[l];
        if (levels.end_ns[l] - strict_ns > strict_ns / AUTO_LATER)
            return false;
    }
    return true;
}

/* What the world holds is the best so far, if it is. */
static bool auto_take(struct auto_search *search, const struct policy *policy,
                      const struct world_tuning *tuning, int64_t ns)
{
    if (ns < search->best.makespan_ns && tuning->flat && !auto_is_fair(search))
        return false;
    if (!tuning->flat && ns < search->strict_ns && search->high > search->low) {
        search->strict_ns = ns;
        auto_levels(search, &search->strict);
    }
    if (policy == &policy_lookahead && ns < search->base_ns) {
        search->base_ns = ns;
        search->base = *tuning;
    }
    if (ns >= search->best.makespan_ns - search->lead_ns)
        return false;
    search->lead_ns = 0;
    search->best.policy = policy;
    search->best.tuning = *tuning;
    search->best.makespan_ns = ns;
    search->best.kept = false;
    world_keep(search->world);
    return true;
}

static void auto_limit(struct auto_search *search, int64_t slack)
{
    int64_t best_ns = search->best.makespan_ns;
    if (best_ns < INT64_MAX)
        search->world->limit_ns = best_ns - search->lead_ns + (slack > 0 ? best_ns / slack : 0);
}

/* Is it given data only when a worker takes it? Then its plans end earlier when they are followed.
 */
static bool auto_pulls(const struct policy *policy)
{
    return auto_plan(policy)->pop != NULL;
}

static void auto_try(struct auto_search *search, const struct policy *policy,
                     const struct world_tuning *tuning)
{
    if (auto_done(search))
        return;
    auto_limit(search, auto_pulls(policy) ? AUTO_PULLS : 0);
    int64_t ns = world_simulate(search->world, auto_plan(policy), tuning);
    search->tries++;
    (void)auto_take(search, policy, tuning, ns);
    if (ns == INT64_MAX || !auto_pulls(policy))
        return;
    auto_limit(search, 0);
    ns = world_settle(search->world, &policy_follow, tuning);
    search->tries++;
    (void)auto_take(search, policy, tuning, ns);
}

/* The best of all, once more as it is followed. */
static void auto_last(struct auto_search *search)
{
    const struct policy *policy = search->best.policy;
    struct world_tuning tuning = search->best.tuning;
    if (policy == NULL || search->best.kept || policy == &policy_eft || auto_pulls(policy))
        return;
    world_recall(search->world);
    world_keep(search->world);
    auto_limit(search, 0);
    (void)auto_take(search, policy, &tuning, world_settle(search->world, &policy_follow, &tuning));
}

/* Makespans between the bound and the best so far, in 1/256 of the way. */
static int64_t auto_target(const struct auto_search *search, uint32_t share)
{
    int64_t most_ns = search->best.makespan_ns;
    int64_t least_ns = search->best.bound_ns < most_ns ? search->best.bound_ns : most_ns;
    return share == 0 ? 0 : least_ns + (most_ns - least_ns) / 256 * share;
}

/* A tuning of lookahead that is the best one on some machine and graph: found by greedy choice
 * among random ones, on the recorded machines and on random ones, for factorisations, products,
 * wavefronts and random layers. In the order of what each adds. */
struct auto_candidate {
    uint32_t rank, move, move_own, slack, look, ahead;
    bool by_rank, steal;
    uint32_t share; /* auto_target() */
};

static const struct auto_candidate auto_candidates[] = {
    {WORLD_RANK_LEAST, 512, 256, 512, 32, 2, false, true, 64},
    {WORLD_RANK_LEAST, 4096, 0, 384, 8, 2, false, true, 64},
    {WORLD_RANK_RATE, 2048, 0, 64, 4, 1, false, false, 24},
    {WORLD_RANK_BOTH, 1024, 768, 384, 1, 1, true, false, 0},
    {WORLD_RANK_BOTH, 2048, 0, 384, 4, 1, false, false, 0},
    {WORLD_RANK_RATE, 4096, 768, 1024, 16, 2, false, true, 64},
    {WORLD_RANK_LEAST, 256, 0, 384, 32, 8, false, false, 0},
    {WORLD_RANK_RATE, 1024, 256, 384, 8, 1, true, true, 0},
};

static const struct policy *const auto_singles[] = {&policy_heteroprio, &policy_eft, &policy_steal,
                                                    &policy_fifo};

#define AUTO_CANDIDATES (sizeof auto_candidates / sizeof auto_candidates[0])
#define AUTO_SINGLES (sizeof auto_singles / sizeof auto_singles[0])

static void auto_single(struct auto_search *search, size_t index)
{
    uint64_t bit = UINT64_C(1) << (2 * AUTO_CANDIDATES + index);
    if (search->tried & bit)
        return;
    search->tried |= bit;
    auto_try(search, auto_singles[index], &auto_singles[index]->tuning);
}

static void auto_candidate(struct auto_search *search, size_t index, bool flat)
{
    const struct auto_candidate *of = &auto_candidates[index];
    uint64_t bit = UINT64_C(1) << (2 * index + flat);
    struct world_tuning tuning = {.rank = of->rank,
                                  .move = of->move,
                                  .move_own = of->move_own,
                                  .slack = of->slack,
                                  .look = of->look,
                                  .ahead = of->ahead,
                                  .by_rank = of->by_rank,
                                  .flat = flat,
                                  .steal = of->steal,
                                  .target_ns = auto_target(search, of->share)};
    if ((search->tried & bit) || (flat && search->high == search->low))
        return;
    search->tried |= bit;
    auto_try(search, &policy_lookahead, &tuning);
}

/* Where there is time for a few only, those that together come nearest to the best of all on random
 * small graphs: by greedy choice, as above. */
static void auto_few(struct auto_search *search)
{
    auto_candidate(search, 7, false);
    auto_candidate(search, 0, false);
    auto_candidate(search, 7, true);
    auto_single(search, 1);
    auto_single(search, 0);
    auto_try(search, &policy_lookahead, &policy_lookahead.tuning);
    auto_candidate(search, 2, false);
    auto_candidate(search, 3, true);
    auto_candidate(search, 6, true);
}

/* How often the window can be simulated, if that is not given up early. */
static int64_t auto_affords(const struct auto_search *search)
{
    int64_t once_ns = search->price_ns * (int64_t)search->world->window->task_count;
    return once_ns > 0 ? search->best.bound_ns / AUTO_SHARE / once_ns : search->most;
}

/* One change to the best so far; false when it would change nothing. */
struct auto_step {
    enum {
        AUTO_SHAKE,
        AUTO_TARGET,
        AUTO_MOVE,
        AUTO_RANK,
        AUTO_FLAGS,
        AUTO_SLACK,
        AUTO_OWN,
        AUTO_AHEAD,
        AUTO_FLAT
    } kind;
    uint32_t value;
};

static bool auto_change(const struct auto_search *search, const struct auto_step *step,
                        struct world_tuning *tuning)
{
    const struct world_tuning before = *tuning;
    switch (step->kind) {
    case AUTO_SHAKE:
        tuning->jitter = step->value;
        tuning->seed = search->tries;
        return true;
    case AUTO_TARGET:
        tuning->target_ns = auto_target(search, step->value);
        return true;
    case AUTO_MOVE:
        tuning->move = tuning->move == 0 ? 128 : tuning->move / 256 * step->value;
        return tuning->move != before.move;
    case AUTO_RANK:
        tuning->rank = (before.rank + step->value - 1) % WORLD_RANK_BOTH + 1;
        return true;
    case AUTO_FLAGS:
        tuning->by_rank ^= (step->value & 1) != 0;
        tuning->steal ^= (step->value & 2) != 0;
        return true;
    case AUTO_SLACK:
        tuning->slack = step->value;
        return tuning->slack != before.slack && before.target_ns > 0;
    case AUTO_OWN:
        tuning->move_own = step->value;
        return tuning->move_own != before.move_own && before.move > 0;
    case AUTO_FLAT:
        tuning->flat = !tuning->flat;
        return search->high > search->low;
    case AUTO_AHEAD:
        tuning->ahead = step->value;
        return tuning->ahead != before.ahead;
    }
    return false;
}

static void auto_step_next(struct auto_search *search)
{
    static const struct auto_step steps[] = {
        {AUTO_FLAT, 0},    {AUTO_SHAKE, 64},  {AUTO_TARGET, 128}, {AUTO_SHAKE, 32},
        {AUTO_TARGET, 48}, {AUTO_SHAKE, 128}, {AUTO_MOVE, 512},   {AUTO_TARGET, 220},
        {AUTO_MOVE, 128},  {AUTO_SHAKE, 64},  {AUTO_RANK, 1},     {AUTO_FLAGS, 1},
        {AUTO_FLAGS, 2},   {AUTO_SHAKE, 32},  {AUTO_OWN, 768},    {AUTO_SLACK, 256},
        {AUTO_OWN, 0},     {AUTO_SHAKE, 96},  {AUTO_SLACK, 560},  {AUTO_RANK, 2},
        {AUTO_TARGET, 24}, {AUTO_AHEAD, 4},   {AUTO_AHEAD, 2},    {AUTO_SHAKE, 64},
        {AUTO_AHEAD, 8},
    };
    struct world_tuning tuning = search->base;
    if (auto_change(search, &steps[search->steps++ % (sizeof steps / sizeof steps[0])], &tuning))
        auto_try(search, &policy_lookahead, &tuning);
}

static void auto_steps(struct auto_search *search)
{
    while (!auto_done(search) && search->base_ns < INT64_MAX)
        auto_step_next(search);
}

static void auto_first(struct auto_search *search)
{
    if (auto_affords(search) < AUTO_FEW)
        auto_few(search);
    else
        auto_try(search, &policy_lookahead, &policy_lookahead.tuning);
    for (size_t i = 0; i < AUTO_CANDIDATES; i++) {
        auto_candidate(search, i, false);
        auto_candidate(search, i, true);
        if (i < AUTO_SINGLES)
            auto_single(search, i); /* by turns */
        if (i >= AUTO_STEPPED)
            auto_step_next(search);
    }
}

static void auto_priorities(struct auto_search *search)
{
    const struct plan_window *window = search->world->window;
    for (uint32_t t = 0; t < window->task_count; t++) {
        int32_t priority = plan_task_at(window, t)->priority;
        search->low = t == 0 || priority < search->low ? priority : search->low;
        search->high = t == 0 || priority > search->high ? priority : search->high;
    }
}

static bool auto_is_punctual(const struct auto_search *search, const struct policy_found *known)
{
    int64_t left_ns = known->expected_ns;
    return left_ns > 0 && search->best.makespan_ns <= left_ns + left_ns / AUTO_PUNCTUAL;
}

/* The same with tasks elsewhere that are late for a better end. */
static void auto_mend(struct auto_search *search, const struct policy_found *known)
{
    for (int64_t share = 16; share <= 64 && !auto_done(search); share *= 4) {
        int64_t target_ns = search->best.makespan_ns - search->best.makespan_ns / share;
        int64_t ns = auto_keep(search, known, target_ns);
        search->tries++;
        if (ns >= search->best.makespan_ns - search->best.makespan_ns / AUTO_MENDED)
            continue;
        search->best.makespan_ns = ns;
        search->best.kept = false;
        world_keep(search->world);
    }
}

struct policy_found policy_search(struct world *world, uint32_t tries,
                                  const struct policy_found *known, int64_t bound_ns,
                                  int64_t price_ns)
{
    if (plan_aim_is_wanted(&world->window->aim))
        return objective_search(world, tries, known, bound_ns, price_ns);
    struct auto_search search = {.world = world,
                                 .best = {.makespan_ns = INT64_MAX},
                                 .base_ns = INT64_MAX,
                                 .strict_ns = INT64_MAX,
                                 .price_ns = price_ns,
                                 .most = tries < POLICY_TRIES ? tries : POLICY_TRIES};
    auto_priorities(&search);
    search.best.bound_ns = bound_ns > world->bound_ns ? bound_ns : world->bound_ns;
    if (known != NULL && known->policy != NULL && world->given_rank != NULL) {
        search.best.makespan_ns = auto_keep(&search, known, 0);
        search.best.policy = known->policy;
        search.best.tuning = known->tuning;
        search.best.kept = true;
        search.tries++;
        world_keep(world);
        if (auto_is_punctual(&search, known)) {
            search.best.tries = search.tries;
            world_recall(world);
            return search.best;
        }
        auto_mend(&search, known);
        search.lead_ns = search.best.makespan_ns / AUTO_LEAD;
    }
    if (known != NULL && known->policy != NULL) {
        struct world_tuning tuning = known->tuning;
        if (known->bound_ns > 0)
            tuning.target_ns = (int64_t)((double)tuning.target_ns / (double)known->bound_ns *
                                         (double)search.best.bound_ns);
        auto_try(&search, known->policy, &tuning);
    }
    auto_first(&search);
    auto_steps(&search);
    auto_last(&search);
    search.best.tries = search.tries;
    world->limit_ns = INT64_MAX;
    if (search.best.policy != NULL)
        world_recall(world);
    return search.best;
}

const struct policy policy_auto = {
    .name = "auto",
    .summary = "simulates the others on what was submitted and takes the best",
    .needs_costs = true,
    .searches = true,
    .choose = policy_choose_first,
};
