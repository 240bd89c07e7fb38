/* Random graphs on random machines, with every policy, little memory, noise, wrong costs and
 * faults: every task ends, nothing runs before what it follows from, a device runs one task at a
 * time, no run beats the bound, and the same seed gives the same spans.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastgpu/sim.h>

#include "tests/lib/random_world.h"
#include "tests/lib/seed.h"

#define SPANS 4096u
#define DEVICES 16u

struct outcome {
    fgpu_sim_result result;
    uint32_t run_count, count;
    fgpu_sim_span spans[SPANS]; /* runs, then copies */
};

static bool has_faults(const struct random_world *world)
{
    return world->options.fail_rate > 0 || world->options.loss_per_s > 0;
}

/* ---- running ------------------------------------------------------------------------------ */

/* ---- checking ----------------------------------------------------------------------------- */

/* A sentence in a static buffer; NULL: all is well. */
static const char *wrong(const char *format, uint64_t a, uint64_t b)
{
    static char text[200];
    (void)snprintf(text, sizeof text, format, (unsigned long long)a, (unsigned long long)b);
    return text;
}

static const char *check_edge(fgpu_sim_span *const *first, uint32_t before, uint32_t after)
{
    if (first[after] == NULL)
        return NULL;
    if (first[before] == NULL)
        return wrong("task %llu ran, but %llu, which it follows from, did not", after, before);
    return first[before]->end_ns <= first[after]->start_ns
               ? NULL
               : wrong("task %llu began before the end of %llu", after, before);
}

/* Nothing runs the first time before what it follows from has run. */
static const char *check_order(const struct random_world *world, fgpu_sim_span *const *first)
{
    const char *said = NULL;
    for (uint32_t t = 0; t < world->task_count && said == NULL; t++) {
        const struct random_task *task = &world->tasks[t];
        if (task->after != UINT32_MAX)
            said = check_edge(first, task->after, t);
        for (uint32_t b = 0; b < t && said == NULL; b++)
            for (uint32_t i = 0; i < task->access_count * RANDOM_ACCESSES && said == NULL; i++) {
                const struct random_access *mine = &task->accesses[i / RANDOM_ACCESSES];
                const struct random_access *its = &world->tasks[b].accesses[i % RANDOM_ACCESSES];
                bool shared = i % RANDOM_ACCESSES < world->tasks[b].access_count &&
                              mine->data == its->data &&
                              ((mine->mode | its->mode) & FGPU_WRITE) != 0;
                /* What only overwrites need not wait for a task that failed. */
                if (shared && (!has_faults(world) || first[b] != NULL))
                    said = check_edge(first, b, t);
            }
    }
    return said;
}

/* Spans are in the order of their ends. */
static const char *check_overlap(const struct outcome *outcome)
{
    uint64_t end_ns[DEVICES] = {0};
    for (uint32_t i = 0; i < outcome->run_count; i++) {
        const fgpu_sim_span *span = &outcome->spans[i];
        if (span->device >= DEVICES || span->end_ns < span->start_ns)
            return wrong("run %llu of task %llu is none", i, span->task);
        if (span->start_ns < end_ns[span->device])
            return wrong("run %llu on device %llu overlaps the one before", i, span->device);
        end_ns[span->device] = span->end_ns;
    }
    return NULL;
}

static const char *check_outcome(const struct random_world *world, struct outcome *outcome)
{
    fgpu_sim_span *first[RANDOM_TASKS] = {NULL};
    uint64_t ran = 0;
    if (outcome->count == SPANS || outcome->run_count == SPANS / 2)
        return "more spans than there is room for";
    for (uint32_t i = 0; i < outcome->run_count; i++) {
        fgpu_sim_span *span = &outcome->spans[i];
        if (span->task >= world->task_count)
            return wrong("run %llu is of task %llu", i, span->task);
        if (span->status != FGPU_OK || first[span->task] != NULL)
            continue;
        first[span->task] = span;
        ran++;
    }
    const fgpu_sim_result *result = &outcome->result;
    if (ran + result->failed_tasks < world->task_count)
        return wrong("%llu tasks ran and %llu failed, others never ended", ran,
                     result->failed_tasks);
    if (!has_faults(world) && result->failed_tasks > 0)
        return wrong("%llu tasks failed%.0llu", result->failed_tasks, 0);
    if (!has_faults(world) && world->options.noise == 0 &&
        result->makespan_ns + 1 < result->bound_ns)
        return wrong("makespan %llu below the bound %llu", result->makespan_ns, result->bound_ns);
    const char *said = check_overlap(outcome);
    return said != NULL ? said : check_order(world, first);
}

/* What is wrong with it, NULL: nothing. Said before the simulation is closed, which a task that
 * never ended may not survive. */
static const char *run_world(struct outcome *outcome, const struct random_world *world,
                             const char *policy)
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
    if (fgpu_sim_open(&options, &sim) != FGPU_OK)
        fail_msg("%s", fgpu_last_error());
    random_world_add(sim, world);
    if (fgpu_sim_run(sim, &outcome->result) != FGPU_OK)
        fail_msg("%s", fgpu_last_error());
    outcome->result.decision_cpu_ns = outcome->result.run_cpu_ns = 0;
    fgpu_sim_span *spans = outcome->spans;
    while (outcome->run_count < SPANS / 2 &&
           fgpu_sim_run_at(sim, outcome->run_count, &spans[outcome->run_count]) == FGPU_OK)
        outcome->run_count++;
    outcome->count = outcome->run_count;
    for (uint32_t i = 0; outcome->count < SPANS; i++, outcome->count++)
        if (fgpu_sim_copy_at(sim, i, &spans[outcome->count]) != FGPU_OK)
            break;
    const char *said = check_outcome(world, outcome);
    if (said != NULL) {
        print_error("seed %llu, policy %s: %s\n", (unsigned long long)options.seed, policy, said);
        seed_print("sim.random_machines", options.seed);
    }
    fgpu_sim_close(sim);
    fgpu_machine_destroy(machine);
    return said;
}

/* The same seed twice: both runs are right, and the same. */
static bool is_good(uint64_t seed)
{
    static struct random_world world;
    static struct outcome a, b;
    const char *policy = random_world_policy(seed);
    random_world_make(&world, seed);
    bool good = run_world(&a, &world, policy) == NULL;
    good = run_world(&b, &world, policy) == NULL && good;
    if (memcmp(&a, &b, sizeof a) != 0) {
        seed_print("sim.random_machines: twice the same is not the same", seed);
        good = false;
    }
    return good;
}

static void test_random_worlds(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(600), bad = 0;
    for (uint64_t seed = first; seed < first + count; seed++)
        bad += !is_good(seed);
    assert_int_equal(bad, 0);
}

/* Worlds in which something went wrong once. */
static void test_once_failed(void **state)
{
    (void)state;
    static const uint64_t seeds[] = {
        1126, /* three buffers fit on a device, but not where two of them lay */
    };
    for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++)
        assert_true(is_good(seeds[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_worlds),
                                       cmocka_unit_test(test_once_failed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
