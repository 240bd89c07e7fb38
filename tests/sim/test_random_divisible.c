/* Random graphs whose tasks are mostly divisible on random machines, with every policy, little
 * memory, noise, wrong costs and faults: every task ends, every part of it is run, and run once
 * where nothing is lost; no piece begins before all that its task follows from has ended; a device
 * runs one piece at a time; no run beats the bound; and the same seed gives the same spans.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <fastgpu/sim.h>

#include "core/split.h"
#include "tests/lib/random_world.h"
#include "tests/lib/seed.h"

#define SPANS 32768u
#define DEVICES 16u
#define PARTS 2048u

/* What became of a task. */
struct told {
    uint8_t runs[PARTS]; /* of each part, that went well; at most 2 */
    uint64_t start_ns, end_ns;
    bool ran;
};

struct outcome {
    fgpu_sim_result result;
    uint32_t count;
    fgpu_sim_span spans[SPANS];
};

static bool has_faults(const struct random_world *world)
{
    return world->options.fail_rate > 0 || world->options.loss_per_s > 0;
}

/* NULL: all is well. */
static const char *read_spans(const struct random_world *world, const struct outcome *outcome,
                              struct told *told)
{
    uint64_t end_ns[DEVICES] = {0};
    for (uint32_t i = 0; i < outcome->count; i++) {
        const fgpu_sim_span *span = &outcome->spans[i];
        if (span->task >= world->task_count || span->device >= DEVICES)
            return "a run of no task, or on no device";
        if (span->start_ns < end_ns[span->device])
            return "two runs on a device at once";
        end_ns[span->device] = span->end_ns;
        if (span->status != FGPU_OK)
            continue;
        struct told *of = &told[span->task];
        uint32_t parts = world->tasks[span->task].parts > 1 ? world->tasks[span->task].parts : 1;
        uint32_t first = span->parts > 0 ? span->first_part : 0;
        uint32_t end = span->parts > 0 ? first + span->parts : parts;
        if (end > parts)
            return "a piece has parts that the task has not";
        for (uint32_t p = first; p < end; p++)
            of->runs[p] = of->runs[p] < 2 ? (uint8_t)(of->runs[p] + 1) : 2;
        of->start_ns = of->ran && of->start_ns < span->start_ns ? of->start_ns : span->start_ns;
        of->end_ns = of->end_ns > span->end_ns ? of->end_ns : span->end_ns;
        of->ran = true;
    }
    return NULL;
}

/* Each part once; where something is made again, at least once. */
static const char *check_parts(const struct random_world *world, const struct told *told,
                               uint64_t failed)
{
    uint64_t whole = 0;
    for (uint32_t t = 0; t < world->task_count; t++) {
        uint32_t parts = world->tasks[t].parts > 1 ? world->tasks[t].parts : 1, ran = 0;
        for (uint32_t p = 0; p < parts; p++) {
            ran += told[t].runs[p] > 0;
            if (!has_faults(world) && told[t].runs[p] != 1)
                return told[t].runs[p] == 0 ? "a part was not run" : "a part was run twice";
        }
        whole += ran == parts;
    }
    return whole + failed < world->task_count ? "a task has neither been run nor failed" : NULL;
}

static bool conflicts(const struct random_task *a, const struct random_task *b)
{
    for (uint32_t i = 0; i < a->access_count; i++)
        for (uint32_t j = 0; j < b->access_count; j++)
            if (a->accesses[i].data == b->accesses[j].data &&
                ((a->accesses[i].mode | b->accesses[j].mode) & FGPU_WRITE))
                return true;
    return false;
}

static const char *check_order(const struct random_world *world, const struct told *told)
{
    for (uint32_t t = 0; t < world->task_count; t++)
        for (uint32_t b = 0; b < t; b++)
            if ((world->tasks[t].after == b || conflicts(&world->tasks[t], &world->tasks[b])) &&
                told[t].start_ns < told[b].end_ns)
                return "a piece began before the end of what its task follows from";
    return NULL;
}

static const char *check_outcome(const struct random_world *world, const struct outcome *outcome)
{
    static struct told told[RANDOM_TASKS];
    const fgpu_sim_result *result = &outcome->result;
    memset(told, 0, sizeof told);
    const char *said = outcome->count == SPANS ? "more spans than there is room for"
                                               : read_spans(world, outcome, told);
    if (said == NULL)
        said = check_parts(world, told, result->failed_tasks);
    if (said != NULL || has_faults(world))
        return said;
    if (result->failed_tasks > 0)
        return "a task failed";
    if (world->options.noise == 0 && result->makespan_ns + 1 < result->bound_ns)
        return "the makespan is below the bound";
    return check_order(world, told);
}

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
    const char *said = NULL;
    if (fgpu_sim_run(sim, &outcome->result) != FGPU_OK)
        said = fgpu_last_error();
    outcome->result.decision_cpu_ns = outcome->result.run_cpu_ns = 0;
    while (said == NULL && outcome->count < SPANS &&
           fgpu_sim_run_at(sim, outcome->count, &outcome->spans[outcome->count]) == FGPU_OK)
        outcome->count++;
    if (said == NULL)
        said = check_outcome(world, outcome);
    if (said != NULL) {
        print_error("seed %llu, policy %s: %s\n", (unsigned long long)options.seed, policy, said);
        seed_print("sim.random_divisible", options.seed);
    }
    fgpu_sim_close(sim);
    fgpu_machine_destroy(machine);
    return said;
}

static void test_random_worlds(void **state)
{
    (void)state;
    static struct random_world world;
    static struct outcome a, b;
    uint64_t first = seed_get(1), count = seed_count(40), bad = 0, divided = 0;
    split_tuning.worth_ns = 20000;
    split_tuning.least_ns = 5000;
    for (uint64_t seed = first; seed < first + count; seed++) {
        const char *policy = random_world_policy(seed);
        random_world_make(&world, seed);
        random_world_divide(&world, seed);
        bool good = run_world(&a, &world, policy) == NULL;
        divided += a.result.divided;
        if (good && seed % 4 == 0) {
            good = run_world(&b, &world, policy) == NULL;
            if (memcmp(&a, &b, sizeof a) != 0) {
                seed_print("sim.random_divisible: twice the same is not the same", seed);
                good = false;
            }
        }
        bad += !good;
    }
    assert_int_equal(bad, 0);
    assert_true(count < 10 || divided > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_worlds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
