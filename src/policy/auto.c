/* Auto: simulates candidates on the submitted window and takes the best.
 *
 * First the policies as they are, then the tuning of the best family one step after another
 * (coordinate descent over a short list of values for each), as long as there are tries left and
 * the bound is not reached. Deterministic. What was found for an earlier window is the first
 * candidate for the next. Thread: any; pure.
 */
#include "policy/policy.h"

#include <stddef.h>

#define AUTO_SHARE 50 /* of the makespan: what searching may cost */
#define AUTO_NEAR 257 /* in 1/256 of the bound: near enough to stop */

struct auto_search {
    struct world *world;
    struct policy_found best;
    int64_t bound_ns, price_ns;
    uint32_t tries, most;
};

static bool auto_done(const struct auto_search *search)
{
    if (search->price_ns > 0 && search->tries > 0 &&
        (search->tries + 2) * search->price_ns > search->best.makespan_ns / AUTO_SHARE)
        return true;
    return search->tries >= search->most ||
           (search->bound_ns > 0 && search->best.makespan_ns / AUTO_NEAR <= search->bound_ns / 256);
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

/* What each step varies; targets are in 1/256 of the best makespan so far. */
struct auto_step {
    size_t offset;
    uint32_t count;
    uint32_t values[6];
};

#define AUTO_FIELD(field) offsetof(struct world_tuning, field)

/* Makespans between the bound and the best so far. */
static void auto_targets(struct auto_search *search, const struct policy *policy)
{
    static const uint32_t values[] = {128, 64, 192, 256, 24};
    struct world_tuning base = search->best.tuning;
    int64_t most_ns = search->best.makespan_ns;
    int64_t least_ns = search->bound_ns > 0 ? search->bound_ns : most_ns / 4 * 3;
    for (uint32_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct world_tuning tuning = base;
        tuning.target_ns = least_ns + (most_ns - least_ns) / 256 * values[i];
        (void)auto_try(search, policy, &tuning);
    }
}

static void auto_steps(struct auto_search *search, const struct policy *policy)
{
    static const struct auto_step steps[] = {
        {AUTO_FIELD(move), 5, {256, 1024, 0, 512, 2048}},
        {AUTO_FIELD(rank),
         4,
         {WORLD_RANK_RATE, WORLD_RANK_MEAN, WORLD_RANK_LEAST, WORLD_RANK_BOTH}},
        {AUTO_FIELD(slack), 5, {256, 384, 560, 768, 128}},
        {AUTO_FIELD(move_own), 2, {768, 0}},
        {AUTO_FIELD(look), 3, {8, 1, 16}},
    };
    for (uint32_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
        struct world_tuning base = search->best.tuning;
        for (uint32_t v = 0; v < steps[s].count; v++) {
            struct world_tuning tuning = base;
            uint32_t *field = (uint32_t *)(void *)((char *)&tuning + steps[s].offset);
            if (*field == steps[s].values[v])
                continue;
            *field = steps[s].values[v];
            (void)auto_try(search, policy, &tuning);
        }
    }
}

struct policy_found policy_search(struct world *world, uint32_t tries,
                                  const struct policy_found *known, int64_t bound_ns,
                                  int64_t price_ns)
{
    struct auto_search search = {.world = world,
                                 .best = {.makespan_ns = INT64_MAX},
                                 .bound_ns = bound_ns,
                                 .price_ns = price_ns,
                                 .most = tries < POLICY_TRIES ? tries : POLICY_TRIES};
    if (known != NULL && known->policy != NULL)
        (void)auto_try(&search, known->policy, &known->tuning);
    (void)auto_try(&search, &policy_lookahead, &policy_lookahead.tuning);
    if (search.best.policy == &policy_lookahead)
        auto_targets(&search, &policy_lookahead);
    (void)auto_try(&search, &policy_heteroprio, &policy_heteroprio.tuning);
    (void)auto_try(&search, &policy_steal, &policy_steal.tuning);
    for (uint32_t round = 0; round < 3 && search.best.policy == &policy_lookahead; round++) {
        auto_steps(&search, &policy_lookahead);
        auto_targets(&search, &policy_lookahead);
    }
    search.best.tries = search.tries;
    if (search.best.policy != NULL && search.world->makespan_ns != search.best.makespan_ns)
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
