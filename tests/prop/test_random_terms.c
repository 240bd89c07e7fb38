/* Random tenants, classes, deadlines and moments of submission on random machines, with the
 * engine's invariants checked (an urgent task waits for none that is less urgent): every task ends,
 * nothing runs before what it follows from, and the same seed gives the same. Where devices take
 * slices and guards, each work group of a kernel that made way has run once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include <fastgpu/sim.h>

#include "base/rng.h"
#include "tests/lib/random_world.h"
#include "tests/lib/seed.h"

#define SPANS 16384u

struct outcome {
    fgpu_sim_result result;
    uint32_t count;
    fgpu_sim_span spans[SPANS];
};

static uint64_t slices; /* launches of some groups */

struct terms {
    uint64_t release_ns[RANDOM_TASKS], deadline_ns[RANDOM_TASKS];
    uint32_t task_class[RANDOM_TASKS], late[RANDOM_TASKS], tenant[RANDOM_TASKS];
    uint32_t tenants, weights[4];
};

static void make_terms(struct terms *terms, const struct random_world *world, uint64_t seed)
{
    struct rng rng;
    uint64_t now_ns = 0;
    rng_init(&rng, seed + 77);
    terms->tenants = (uint32_t)rng_below(&rng, 5);
    for (uint32_t i = 0; i < 4; i++)
        terms->weights[i] = 1 + (uint32_t)rng_below(&rng, 10);
    for (uint32_t t = 0; t < world->task_count; t++) {
        if (rng_below(&rng, 3) == 0)
            now_ns += rng_below(&rng, 3000000);
        terms->release_ns[t] = now_ns;
        terms->task_class[t] = (uint32_t)rng_below(&rng, 3);
        terms->tenant[t] = (uint32_t)rng_below(&rng, terms->tenants + 1);
        terms->late[t] = (uint32_t)rng_below(&rng, 3);
        terms->deadline_ns[t] = 0;
        if (terms->task_class[t] == FGPU_CLASS_INTERACTIVE && rng_below(&rng, 3) > 0)
            terms->deadline_ns[t] = 1 + rng_below(&rng, 30000000);
    }
}

static void add_all(fgpu_sim *sim, const struct random_world *world, const struct terms *terms)
{
    uint32_t kernels[RANDOM_KERNELS], data[RANDOM_DATA], number;
    static const char *const names[] = {"k0", "k1", "k2", "k3"};
    for (uint32_t k = 0; k < RANDOM_KERNELS; k++)
        assert_int_equal(fgpu_sim_kernel(sim, names[k], &kernels[k]), FGPU_OK);
    for (uint32_t d = 0; d < RANDOM_DATA; d++)
        assert_int_equal(fgpu_sim_data(sim, world->bytes[d], &data[d]), FGPU_OK);
    for (uint32_t i = 0; i < terms->tenants; i++)
        assert_int_equal(fgpu_sim_tenant(sim, names[i % 4], terms->weights[i % 4], &number),
                         FGPU_OK);
    for (uint32_t t = 0; t < world->task_count; t++) {
        const struct random_task *of = &world->tasks[t];
        fgpu_sim_access accesses[RANDOM_ACCESSES];
        for (uint32_t a = 0; a < of->access_count; a++)
            accesses[a] = (fgpu_sim_access){data[of->accesses[a].data], of->accesses[a].mode};
        const fgpu_sim_task task = {.struct_bytes = sizeof task,
                                    .kernel = kernels[of->kernel],
                                    .size = 1,
                                    .priority = of->priority,
                                    .access_count = of->access_count,
                                    .accesses = accesses,
                                    .after = &of->after,
                                    .after_count = of->after != UINT32_MAX,
                                    .groups = of->groups,
                                    .release_ns = terms->release_ns[t],
                                    .deadline_ns = terms->deadline_ns[t],
                                    .task_class = terms->task_class[t],
                                    .late = terms->late[t],
                                    .tenant = terms->tenant[t]};
        if (fgpu_sim_add(sim, &task, NULL) != FGPU_OK)
            fail_msg("%s", fgpu_last_error());
    }
}

static bool has_faults(const struct random_world *world)
{
    return world->options.fail_rate > 0 || world->options.loss_per_s > 0;
}

/* All of them, each in one launch; or none of them. */
static bool groups_ran_once(const struct outcome *outcome, uint32_t task, uint32_t groups)
{
    static uint8_t ran[RANDOM_GROUPS];
    memset(ran, 0, sizeof ran);
    for (uint32_t i = 0; i < outcome->count; i++) {
        const fgpu_sim_span *span = &outcome->spans[i];
        uint32_t count = span->parts > 0 ? span->parts : groups;
        if (span->task != task || span->status != FGPU_OK)
            continue;
        if (span->first_part > groups || count > groups - span->first_part)
            return false;
        slices += span->parts > 0;
        for (uint32_t g = span->first_part; g < span->first_part + count; g++)
            if (ran[g]++ != 0)
                return false;
    }
    for (uint32_t g = 1; g < groups; g++)
        if (ran[g] != ran[0])
            return false;
    return true;
}

static const char *check(const struct random_world *world, const struct terms *terms,
                         const struct outcome *outcome)
{
    const fgpu_sim_result *result = &outcome->result;
    uint64_t end_ns[RANDOM_TASKS] = {0}, ran = 0;
    if (outcome->count == SPANS)
        return "more runs than there is room for";
    for (uint32_t i = 0; i < outcome->count; i++) {
        const fgpu_sim_span *span = &outcome->spans[i];
        if (span->task >= world->task_count || span->status != FGPU_OK)
            continue;
        uint32_t after = world->tasks[span->task].after;
        if (span->start_ns < terms->release_ns[span->task])
            return "a task ran before it was submitted";
        if (!has_faults(world) && after != UINT32_MAX && end_ns[after] > span->start_ns)
            return "a task ran before what it follows from";
        ran += end_ns[span->task] == 0;
        end_ns[span->task] = span->end_ns;
    }
    for (uint32_t t = 0; t < world->task_count && !has_faults(world); t++)
        if (world->tasks[t].groups > 1 && !groups_ran_once(outcome, t, world->tasks[t].groups))
            return "a work group has not run once";
    if (ran + result->failed_tasks + result->refused < world->task_count)
        return "tasks never ended";
    if (!has_faults(world) && result->dropped == 0 &&
        ran + result->failed_tasks + result->refused != world->task_count)
        return "tasks ended twice";
    if (!has_faults(world) && result->dropped == 0 && result->failed_tasks > 0)
        return "tasks failed";
    return NULL;
}

static const char *run(struct outcome *outcome, const struct random_world *world,
                       const struct terms *terms, const char *policy)
{
    fgpu_machine *machine;
    fgpu_sim *sim;
    memset(outcome, 0, sizeof *outcome);
    outcome->result.struct_bytes = sizeof outcome->result;
    if (fgpu_machine_parse("random", world->text, world->length, &machine) != FGPU_OK)
        fail_msg("%s in\n%s", fgpu_last_error(), world->text);
    fgpu_sim_options options = world->options;
    options.machine = machine;
    options.policy = policy;
    assert_int_equal(fgpu_sim_open(&options, &sim), FGPU_OK);
    add_all(sim, world, terms);
    if (fgpu_sim_run(sim, &outcome->result) != FGPU_OK)
        fail_msg("seed %llu: %s", (unsigned long long)options.seed, fgpu_last_error());
    outcome->result.decision_cpu_ns = outcome->result.run_cpu_ns = 0;
    while (outcome->count < SPANS &&
           fgpu_sim_run_at(sim, outcome->count, &outcome->spans[outcome->count]) == FGPU_OK)
        outcome->count++;
    fgpu_sim_close(sim);
    fgpu_machine_destroy(machine);
    return check(world, terms, outcome);
}

static void test_random_terms(void **state)
{
    (void)state;
    static struct random_world world;
    static struct terms terms;
    static struct outcome a, b;
    static const char *const policies[] = {"auto", "eft", "fifo"};
    uint64_t first = seed_get(1), count = seed_count(150), bad = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        random_world_make(&world, seed);
        if (seed % 3 > 0)
            random_world_slice(&world, seed);
        make_terms(&terms, &world, seed);
        const char *said = run(&a, &world, &terms, policies[seed % 3]);
        const char *again = run(&b, &world, &terms, policies[seed % 3]);
        if (said == NULL && (again != NULL || memcmp(&a, &b, sizeof a) != 0))
            said = "twice the same is not the same";
        if (said == NULL)
            continue;
        print_error("seed %llu: %s\n", (unsigned long long)seed, said);
        seed_print("prop.random_terms", seed);
        bad++;
    }
    print_message("%llu launches of some groups\n", (unsigned long long)slices);
    assert_int_equal(bad, 0);
    assert_true(slices > 5 * count || count < 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_terms)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
