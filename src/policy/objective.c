/* Plans by other objectives; see objective.h.
 *
 * First the whole machine is planned for as if the makespan counted, with all that `auto` knows. A
 * part of it is a number of workers for each class. Tried are each class alone, the whole without
 * each class; under a cap the largest parts that may all work at once, filled up in the order of
 * the classes' thrift and of their speed; then the best so far with one class halved, smaller, or
 * left out, as long as that helps and simulations are left. Parts are tried with few simulations
 * each. Ties go to the earlier. Thread: any; pure.
 */
#include "policy/objective.h"

#include <math.h>
#include <string.h>

#define OBJECTIVE_CLASSES 16u /* of more, only the whole machine and what fits are tried */
#define OBJECTIVE_TRIES 9u    /* simulations for a part */
#define OBJECTIVE_PARTS 40u
#define OBJECTIVE_OVER 1.1 /* a part that may not work all at once waits, who knows when */

struct objective_part {
    uint32_t count[OBJECTIVE_CLASSES];
};

struct objective_search {
    struct world *world;
    const struct plan_window *window;
    uint32_t classes;
    struct objective_part whole, best_part;
    struct objective_part seen[OBJECTIVE_PARTS];
    uint32_t seen_count;
    double best; /* score */
    struct policy_found found;
    uint32_t tries, most;
    int64_t bound_ns, price_ns;
};

/* ---- what a plan comes to --------------------------------------------------------------- */

/* Joules beyond idle. */
static double objective_extra_joule(const struct world *world)
{
    const struct plan_window *window = world->window;
    double joule = 0;
    for (uint32_t t = 0; t < window->task_count; t++) {
        const struct world_run *run = &world->runs[t];
        uint32_t class_index = plan_worker_at(window, run->worker)->class_index;
        joule += plan_class_at(window, class_index)->extra_watt *
                 (double)(run->end_ns - run->start_ns) * 1e-9;
    }
    return joule;
}

/* Mean end; of the urgent tasks where there are some. */
static double objective_response_s(const struct world *world)
{
    const struct plan_window *window = world->window;
    double all_ns = 0, urgent_ns = 0;
    uint32_t urgent = 0;
    for (uint32_t t = 0; t < window->task_count; t++) {
        double end_ns = (double)world->runs[t].end_ns;
        all_ns += end_ns;
        if (plan_task_at(window, t)->priority > 0) {
            urgent++;
            urgent_ns += end_ns;
        }
    }
    return urgent > 0 ? urgent_ns / urgent * 1e-9
                      : all_ns / (window->task_count > 0 ? window->task_count : 1) * 1e-9;
}

/* Of all workers that have something to do: they may do it at the same time. */
static double objective_used_watt(const struct world *world)
{
    const struct plan_window *window = world->window;
    size_t count = window->workers.count;
    uint8_t *used = alloc_get_zeroed(world->hooks, count + 1, 16);
    double watt = 0;
    for (uint32_t t = 0; t < window->task_count && used != NULL; t++)
        used[world->runs[t].worker] = 1;
    for (uint32_t w = 0; w < count; w++)
        if (used == NULL || used[w])
            watt += plan_class_at(window, plan_worker_at(window, w)->class_index)->extra_watt;
    alloc_put(world->hooks, used, count + 1);
    return watt;
}

double objective_score(const struct world *world)
{
    const struct plan_window *window = world->window;
    const struct plan_aim *aim = &window->aim;
    double extra_joule = objective_extra_joule(world);
    double s = (double)world->makespan_ns * 1e-9, slower = 1;
    if (aim->cap_watt > 0 && aim->idle_watt + objective_used_watt(world) > aim->cap_watt) {
        double least_s = extra_joule / (aim->cap_watt - aim->idle_watt) * OBJECTIVE_OVER;
        slower = s > 0 && least_s > s ? least_s / s : 1;
    }
    double joule = aim->idle_watt * s * slower + extra_joule;
    switch ((enum plan_objective)aim->objective) {
    case PLAN_LATENCY:
        return objective_response_s(world) * slower;
    case PLAN_ENERGY:
        return joule;
    case PLAN_EDP:
        return joule * s * slower;
    case PLAN_MAKESPAN:
        break;
    }
    return s * slower;
}

/* ---- a part of the machine -------------------------------------------------------------- */

/* The same window with fewer workers. [out] part: what differs is its own. */
static bool objective_cut(const struct plan_window *window, const struct objective_part *part,
                          struct plan_window *cut, struct vec *original)
{
    const struct alloc_hooks *hooks = window->workers.hooks;
    *cut = *window;
    cut->aim = (struct plan_aim){.objective = PLAN_MAKESPAN};
    vec_init(&cut->classes, sizeof(struct plan_class), hooks);
    vec_init(&cut->workers, sizeof(struct plan_worker), hooks);
    vec_init(&cut->costs, sizeof(int64_t), hooks);
    vec_init(original, sizeof(uint32_t), hooks);
    for (uint32_t c = 0; c < plan_class_count(window); c++) {
        struct plan_class class = *plan_class_at(window, c);
        uint32_t first = class.first_worker;
        class.first_worker = (uint32_t)cut->workers.count;
        class.worker_count = part->count[c];
        for (uint32_t i = first; i < first + class.worker_count; i++)
            if (vec_push(&cut->workers, plan_worker_at(window, i)) == NULL ||
                vec_push(original, &i) == NULL)
                return false;
        if (vec_push(&cut->classes, &class) == NULL)
            return false;
    }
    for (uint32_t t = 0; t < window->type_count; t++)
        for (uint32_t c = 0; c < plan_class_count(window); c++) {
            int64_t ns = part->count[c] > 0 ? plan_cost_ns(window, t, c) : PLAN_CANNOT;
            if (vec_push(&cut->costs, &ns) == NULL)
                return false;
        }
    return true;
}

static void objective_cut_fini(struct plan_window *cut, struct vec *original)
{
    vec_fini(&cut->classes);
    vec_fini(&cut->workers);
    vec_fini(&cut->costs);
    vec_fini(original);
}

/* The plan that a part's world holds becomes that of the whole machine's. */
static void objective_take(struct world *world, const struct world *from,
                           const struct vec *original)
{
    uint32_t count = world->window->task_count;
    memcpy(world->runs, from->runs, count * sizeof *world->runs);
    memcpy(world->rank, from->rank, count * sizeof *world->rank);
    for (uint32_t t = 0; t < count; t++)
        world->runs[t].worker = *(const uint32_t *)vec_at(original, from->runs[t].worker);
    world->makespan_ns = from->makespan_ns;
    world->ranked = 0;
}

/* Can each type that has tasks run on it? */
static bool objective_runs(const struct plan_window *window, const struct objective_part *part)
{
    for (uint32_t t = 0; t < window->type_count; t++) {
        bool runs = false, ever = false;
        for (uint32_t c = 0; c < plan_class_count(window); c++) {
            bool can = plan_cost_ns(window, t, c) != PLAN_CANNOT;
            runs |= can && part->count[c] > 0;
            ever |= can;
        }
        if (ever && !runs)
            return false;
    }
    return true;
}

static bool objective_has_pins(const struct plan_window *window)
{
    for (uint32_t t = 0; t < window->task_count; t++)
        if (plan_task_at(window, t)->only_worker != PLAN_NONE)
            return true;
    return false;
}

static struct policy_found objective_plan(struct objective_search *search, struct world *world,
                                          const struct world_tuning *tuning)
{
    uint32_t left = search->most - search->tries;
    if (tuning == NULL)
        return policy_search(world, left < OBJECTIVE_TRIES ? left : OBJECTIVE_TRIES, NULL,
                             search->bound_ns, search->price_ns);
    struct policy_found found = {.policy = &policy_lookahead, .tuning = *tuning, .tries = 1};
    found.makespan_ns = world_simulate(world, policy_lookahead.plan, tuning);
    found.bound_ns = world->bound_ns;
    return found;
}

/* [in] tuning: of lookahead; NULL: what `auto` finds. True when it is the best so far. */
static bool objective_try(struct objective_search *search, const struct objective_part *part,
                          const struct world_tuning *tuning)
{
    struct plan_window cut;
    struct vec original;
    struct world world;
    bool better = false;
    for (uint32_t i = 0; i < search->seen_count && tuning == NULL; i++)
        if (memcmp(&search->seen[i], part, sizeof *part) == 0)
            return false;
    if (search->seen_count == OBJECTIVE_PARTS || search->tries >= search->most ||
        !objective_runs(search->window, part))
        return false;
    search->seen[search->seen_count++] = *part;
    bool made = objective_cut(search->window, part, &cut, &original);
    if (made && world_init(&world, &cut)) {
        world.stop = search->world->stop;
        struct policy_found found = objective_plan(search, &world, tuning);
        search->tries += found.tries;
        if (found.makespan_ns != INT64_MAX) {
            cut.aim = search->window->aim;
            double score = objective_score(&world);
            better = score < search->best;
            if (better) {
                search->best = score;
                search->best_part = *part;
                search->found = found;
                objective_take(search->world, &world, &original);
            }
        }
        search->world->simulated += world.simulated;
        world_fini(&world);
    }
    objective_cut_fini(&cut, &original);
    return better;
}

/* ---- which parts ------------------------------------------------------------------------ */

/* Work that a worker of the class does in a second, as a share of all; 0: none. */
static double objective_speed(const struct plan_window *window, uint32_t class_index)
{
    double speed = 0;
    for (uint32_t t = 0; t < window->type_count; t++) {
        int64_t least_ns = PLAN_CANNOT, ns = plan_cost_ns(window, t, class_index);
        for (uint32_t c = 0; c < plan_class_count(window); c++)
            least_ns =
                plan_cost_ns(window, t, c) < least_ns ? plan_cost_ns(window, t, c) : least_ns;
        if (ns != PLAN_CANNOT)
            speed += ((double)least_ns + 1) / ((double)ns + 1);
    }
    return speed;
}

/* As many as may work at once, the best classes first. [in] by_speed: else by thrift. */
static void objective_fill(const struct objective_search *search, bool by_speed,
                           struct objective_part *part)
{
    const struct plan_window *window = search->window;
    double left = window->aim.cap_watt - window->aim.idle_watt;
    bool taken[OBJECTIVE_CLASSES] = {false};
    *part = (struct objective_part){{0}};
    for (uint32_t n = 0; n < search->classes; n++) {
        uint32_t best = PLAN_NONE;
        double most = -1;
        for (uint32_t c = 0; c < search->classes; c++) {
            double watt = plan_class_at(window, c)->extra_watt;
            double worth = objective_speed(window, c) / (by_speed || watt <= 0 ? 1 : watt);
            if (!taken[c] && worth > most) {
                best = c;
                most = worth;
            }
        }
        taken[best] = true;
        double watt = plan_class_at(window, best)->extra_watt;
        double fits = watt > 0 ? floor(left / watt) : search->whole.count[best];
        part->count[best] =
            fits < search->whole.count[best] ? (uint32_t)fits : search->whole.count[best];
        left -= watt * part->count[best];
    }
}

/* Short tasks first: the best order on one worker (W. Smith, Naval Research Logistics Quarterly 3,
 * 1956), a good one on several. */
static void objective_short(struct objective_search *search)
{
    for (uint32_t i = 0; i < 6; i++) {
        struct world_tuning tuning = policy_lookahead.tuning;
        tuning.rank = i < 4 ? WORLD_RANK_SHORT : WORLD_RANK_NONE;
        tuning.by_rank = i & 1;
        tuning.steal = i & 2;
        tuning.look = 1;
        (void)objective_try(search, &search->whole, &tuning);
    }
}

static void objective_first(struct objective_search *search)
{
    struct objective_part part;
    if (search->window->aim.objective == PLAN_LATENCY)
        objective_short(search);
    if (search->window->aim.cap_watt > 0) {
        objective_fill(search, false, &part);
        (void)objective_try(search, &part, NULL);
        objective_fill(search, true, &part);
        (void)objective_try(search, &part, NULL);
    }
    for (uint32_t c = 0; search->classes > 1 && c < search->classes; c++) {
        part = (struct objective_part){{0}};
        part.count[c] = search->whole.count[c];
        (void)objective_try(search, &part, NULL);
        part = search->whole;
        part.count[c] = 0;
        (void)objective_try(search, &part, NULL);
    }
}

/* One class of the best part halved, left out, or one worker less, as long as that helps. */
static void objective_steps(struct objective_search *search)
{
    for (bool better = true; better && search->tries < search->most;) {
        better = false;
        for (uint32_t c = 0; c < search->classes; c++) {
            const uint32_t now = search->best_part.count[c];
            const uint32_t counts[] = {now / 2, 0, now > 0 ? now - 1 : 0, now / 4 * 3};
            for (uint32_t i = 0; i < 4 && now > 0; i++) {
                struct objective_part part = search->best_part;
                part.count[c] = counts[i];
                better |= objective_try(search, &part, NULL);
            }
        }
    }
}

/* The whole machine as for the makespan, with all that `auto` knows: the plan in force, too. */
static void objective_whole(struct objective_search *search, uint32_t tries,
                            const struct policy_found *known)
{
    struct world *world = search->world;
    struct plan_window *window = (struct plan_window *)(uintptr_t)search->window;
    const struct plan_aim aim = window->aim;
    window->aim = (struct plan_aim){.objective = PLAN_MAKESPAN};
    search->found = policy_search(world, tries, known, search->bound_ns, search->price_ns);
    window->aim = aim;
    search->tries = search->found.tries;
    search->best_part = search->whole;
    search->seen[search->seen_count++] = search->whole;
    if (search->found.makespan_ns != INT64_MAX)
        search->best = objective_score(world);
}

struct policy_found objective_search(struct world *world, uint32_t tries,
                                     const struct policy_found *known, int64_t bound_ns,
                                     int64_t price_ns)
{
    const struct plan_window *window = world->window;
    struct objective_search search = {.world = world,
                                      .window = window,
                                      .classes = plan_class_count(window),
                                      .best = INFINITY,
                                      .found = {.makespan_ns = INT64_MAX},
                                      .most = tries + OBJECTIVE_PARTS * OBJECTIVE_TRIES,
                                      .bound_ns = bound_ns,
                                      .price_ns = price_ns};
    for (uint32_t c = 0; c < search.classes && c < OBJECTIVE_CLASSES; c++)
        search.whole.count[c] = plan_class_at(window, c)->worker_count;
    objective_whole(&search, tries, known);
    if (search.classes > OBJECTIVE_CLASSES || objective_has_pins(window))
        return search.found;
    objective_first(&search);
    objective_steps(&search);
    search.found.tries = search.tries;
    return search.found;
}
