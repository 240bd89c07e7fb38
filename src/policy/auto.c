/* Auto: simulates candidates on the submitted window and takes the best.
 *
 * First a few that differ much, then changes to the best, one at a time, as long as there are tries
 * left and the bound is not reached. Deterministic. What was found for an earlier window is the
 * first candidate for the next. Thread: any; pure.
 */
#include "policy/objective.h"
#include "policy/policy.h"

#define AUTO_SHARE 50 /* of the makespan: what searching may cost */
#define AUTO_NEAR 257 /* in 1/256 of the bound: near enough to stop */

struct auto_search {
    struct world *world;
    struct policy_found best;
    int64_t price_ns;
    uint32_t tries, most;
};

static bool auto_done(const struct auto_search *search)
{
    if (search->price_ns > 0 && search->tries > 0 &&
        (search->tries + 2) * search->price_ns > search->best.makespan_ns / AUTO_SHARE)
        return true;
    return search->tries >= search->most ||
           search->best.makespan_ns / AUTO_NEAR <= search->best.bound_ns / 256;
}

/* True when it is the best so far. */
static bool auto_try(struct auto_search *search, const struct policy *policy,
                     const struct world_tuning *tuning)
{
    if (auto_done(search))
        return false;
    int64_t ns = world_simulate(search->world, policy->plan, tuning);
    search->tries++;
    if (ns >= search->best.makespan_ns)
        return false;
    search->best.policy = policy;
    search->best.tuning = *tuning;
    search->best.makespan_ns = ns;
    return true;
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
    {WORLD_RANK_RATE, 2048, 0, 64, 4, 1, false, false, 24},
    {WORLD_RANK_LEAST, 512, 256, 512, 32, 2, false, true, 64},
    {WORLD_RANK_BOTH, 1024, 768, 384, 1, 1, true, false, 0},
    {WORLD_RANK_RATE, 4096, 768, 1024, 16, 2, false, true, 64},
    {WORLD_RANK_BOTH, 2048, 0, 384, 4, 1, false, false, 0},
    {WORLD_RANK_LEAST, 4096, 0, 384, 8, 2, false, true, 64},
    {WORLD_RANK_LEAST, 256, 0, 384, 32, 8, false, false, 0},
    {WORLD_RANK_RATE, 1024, 256, 384, 8, 1, true, true, 0},
};

static void auto_first(struct auto_search *search)
{
    (void)auto_try(search, &policy_lookahead, &policy_lookahead.tuning);
    for (size_t i = 0; i < sizeof auto_candidates / sizeof auto_candidates[0]; i++) {
        const struct auto_candidate *of = &auto_candidates[i];
        const struct world_tuning tuning = {.rank = of->rank,
                                            .move = of->move,
                                            .move_own = of->move_own,
                                            .slack = of->slack,
                                            .look = of->look,
                                            .ahead = of->ahead,
                                            .by_rank = of->by_rank,
                                            .steal = of->steal,
                                            .target_ns = auto_target(search, of->share)};
        (void)auto_try(search, &policy_lookahead, &tuning);
    }
    (void)auto_try(search, &policy_heteroprio, &policy_heteroprio.tuning);
    (void)auto_try(search, &policy_steal, &policy_steal.tuning);
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
        AUTO_AHEAD
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
    case AUTO_AHEAD:
        tuning->ahead = step->value;
        return tuning->ahead != before.ahead;
    }
    return false;
}

static void auto_steps(struct auto_search *search)
{
    static const struct auto_step steps[] = {
        {AUTO_SHAKE, 64},  {AUTO_TARGET, 128}, {AUTO_SHAKE, 32},   {AUTO_TARGET, 48},
        {AUTO_SHAKE, 128}, {AUTO_MOVE, 512},   {AUTO_TARGET, 220}, {AUTO_MOVE, 128},
        {AUTO_SHAKE, 64},  {AUTO_RANK, 1},     {AUTO_FLAGS, 1},    {AUTO_FLAGS, 2},
        {AUTO_SHAKE, 32},  {AUTO_OWN, 768},    {AUTO_SLACK, 256},  {AUTO_OWN, 0},
        {AUTO_SHAKE, 96},  {AUTO_SLACK, 560},  {AUTO_RANK, 2},     {AUTO_TARGET, 24},
        {AUTO_AHEAD, 4},   {AUTO_AHEAD, 2},    {AUTO_SHAKE, 64},   {AUTO_AHEAD, 8},
    };
    for (size_t i = 0; !auto_done(search) && search->best.policy == &policy_lookahead; i++) {
        struct world_tuning tuning = search->best.tuning;
        if (auto_change(search, &steps[i % (sizeof steps / sizeof steps[0])], &tuning))
            (void)auto_try(search, &policy_lookahead, &tuning);
    }
}

struct policy_found policy_search(struct world *world, uint32_t tries,
                                  const struct policy_found *known, int64_t bound_ns,
                                  int64_t price_ns)
{
    if (plan_aim_is_wanted(&world->window->aim))
        return objective_search(world, tries, bound_ns, price_ns);
    struct auto_search search = {.world = world,
                                 .best = {.makespan_ns = INT64_MAX},
                                 .price_ns = price_ns,
                                 .most = tries < POLICY_TRIES ? tries : POLICY_TRIES};
    search.best.bound_ns = bound_ns > world->bound_ns ? bound_ns : world->bound_ns;
    if (known != NULL && known->policy != NULL) {
        struct world_tuning tuning = known->tuning;
        if (known->bound_ns > 0)
            tuning.target_ns = (int64_t)((double)tuning.target_ns / (double)known->bound_ns *
                                         (double)search.best.bound_ns);
        (void)auto_try(&search, known->policy, &tuning);
    }
    auto_first(&search);
    auto_steps(&search);
    search.best.tries = search.tries;
    if (search.best.policy != NULL && world->makespan_ns != search.best.makespan_ns)
        (void)world_simulate(world, search.best.policy->plan, &search.best.tuning);
    return search.best;
}

const struct policy policy_auto = {
    .name = "auto",
    .summary = "simulates the others on what was submitted and takes the best",
    .needs_costs = true,
    .searches = true,
    .choose = policy_choose_first,
};
