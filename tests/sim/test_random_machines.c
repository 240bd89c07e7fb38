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

#include "base/rng.h"
#include "tests/lib/seed.h"

#define TASKS 96u
#define DATA 16u
#define KERNELS 4u
#define SPANS 4096u
#define DEVICES 16u
#define DATA_BYTES 1000000u /* at most */
#define ACCESSES 3u

struct access {
    uint32_t data, mode;
};

struct graph_task {
    struct access accesses[ACCESSES];
    uint32_t access_count;
    uint32_t kernel, after;
    int32_t priority;
};

/* What a seed says, apart from the policy. */
struct world_of_seed {
    char text[4096];
    size_t length;
    struct graph_task tasks[TASKS];
    uint32_t task_count;
    uint64_t bytes[DATA];
    fgpu_sim_options options;
};

struct outcome {
    fgpu_sim_result result;
    uint32_t run_count, count;
    fgpu_sim_span spans[SPANS]; /* runs, then copies */
};

/* ---- making ------------------------------------------------------------------------------- */

static void write_text(struct world_of_seed *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void write_text(struct world_of_seed *world, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length =
        vsnprintf(world->text + world->length, sizeof world->text - world->length, format, args);
    va_end(args);
    world->length += (size_t)length;
    assert_true(world->length < sizeof world->text);
}

static void make_links(struct world_of_seed *world, struct rng *rng, const char *class)
{
    bool bus = rng_below(rng, 2) == 0;
    uint32_t rate = 1 + (uint32_t)rng_below(rng, 16), latency = (uint32_t)rng_below(rng, 20000);
    write_text(world, "link %s-in\n each %s\n bytes_per_ns %u\n latency_ns %u\n", class, class,
               rate, latency);
    write_text(world, "link %s-out\n each %s\n bytes_per_ns %u\n", class, class, rate);
    if (bus)
        write_text(world, "link %s-bus\n bytes_per_ns %u.5\n", class, rate);
    write_text(world, "route host -> %s\n%s%s%s over %s-in of target\n", class, bus ? " over " : "",
               bus ? class : "", bus ? "-bus\n" : "", class);
    write_text(world, "route %s -> host\n over %s-out of source\n%s%s%s", class, class,
               bus ? " over " : "", bus ? class : "", bus ? "-bus\n" : "");
    if (rng_below(rng, 2) == 0)
        write_text(world, "route %s -> %s\n over %s-out of source\n over %s-in of target\n", class,
                   class, class, class);
}

static void make_machine(struct world_of_seed *world, struct rng *rng)
{
    static const char *const classes[] = {"core", "near", "far"};
    bool there[3];
    world->length = 0;
    write_text(world, "fgm 1\nmachine random\n");
    for (uint32_t c = 0; c < 3; c++) {
        there[c] = c == 0 || rng_below(rng, 4) > 0;
        if (!there[c])
            continue;
        write_text(world, "class %s\n kind %s\n count %u\n", classes[c], c == 0 ? "cpu" : "gpu",
                   1 + (uint32_t)rng_below(rng, 4));
        if (c > 0)
            write_text(world, " memory 64000000\n launch_ns %u\n", (uint32_t)rng_below(rng, 9000));
        if (c > 0)
            make_links(world, rng, classes[c]);
    }
    for (uint32_t k = 0; k < KERNELS; k++) {
        bool any = false;
        uint32_t scale = k == 0 ? 2000 : 200000;
        for (uint32_t c = 0; c < 3; c++) {
            bool runs = there[c] && (rng_below(rng, 4) > 0 || (c == 2 && !any));
            any |= runs;
            if (runs)
                write_text(world, "cost k%u on %s size any mean_ns %u deviation_ns %u\n", k,
                           classes[c], scale + (uint32_t)rng_below(rng, 20 * (uint64_t)scale),
                           scale / 10);
        }
        if (!any)
            write_text(world, "cost k%u on core size any mean_ns %u\n", k, scale);
    }
}

static void make_graph(struct world_of_seed *world, struct rng *rng)
{
    uint32_t data = 2 + (uint32_t)rng_below(rng, DATA - 1);
    world->task_count = 8 + (uint32_t)rng_below(rng, TASKS - 7);
    for (uint32_t d = 0; d < DATA; d++)
        world->bytes[d] = rng_below(rng, 2) ? 1 + rng_below(rng, 1000) : DATA_BYTES;
    for (uint32_t t = 0; t < world->task_count; t++) {
        struct graph_task *task = &world->tasks[t];
        *task = (struct graph_task){.kernel = (uint32_t)rng_below(rng, KERNELS),
                                    .after = UINT32_MAX,
                                    .access_count = (uint32_t)rng_below(rng, ACCESSES + 1)};
        if (task->access_count > data)
            task->access_count = data;
        uint32_t first = (uint32_t)rng_below(rng, data);
        for (uint32_t a = 0; a < task->access_count; a++)
            task->accesses[a] = (struct access){(first + a) % data,
                                                rng_below(rng, 3) ? FGPU_READ : FGPU_READ_WRITE};
        if (task->access_count > 0 && rng_below(rng, 2))
            task->accesses[0].mode = FGPU_WRITE;
        if (t > 0 && rng_below(rng, 4) == 0)
            task->after = (uint32_t)rng_below(rng, t);
        if (rng_below(rng, 8) == 0)
            task->priority = (int32_t)rng_below(rng, 5) - 2;
    }
}

static void make_world(struct world_of_seed *world, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed);
    memset(world, 0, sizeof *world);
    make_machine(world, &rng);
    make_graph(world, &rng);
    world->options = (fgpu_sim_options){.struct_bytes = sizeof world->options,
                                        .flags = FGPU_SIM_TRACE | FGPU_SIM_CHECK |
                                                 (rng_below(&rng, 8) ? 0 : FGPU_SIM_NO_TRANSFERS),
                                        .seed = seed};
    if (rng_below(&rng, 3) == 0) /* the largest task needs three; a little for the rounding */
        world->options.memory_bytes = (3 + rng_below(&rng, 4)) * DATA_BYTES + 100000;
    if (rng_below(&rng, 2)) {
        world->options.noise = rng_below(&rng, 2) ? 0.2 : -1;
        world->options.cost_error = rng_below(&rng, 2) ? 0.5 : 0;
    }
    if (rng_below(&rng, 4) == 0)
        world->options.fail_rate = 0.01;
    if (rng_below(&rng, 3) == 0)
        world->options.loss_per_s = 20 + (double)rng_below(&rng, 400);
}

static bool has_faults(const struct world_of_seed *world)
{
    return world->options.fail_rate > 0 || world->options.loss_per_s > 0;
}

/* ---- running ------------------------------------------------------------------------------ */

static void add_all(fgpu_sim *sim, const struct world_of_seed *world)
{
    uint32_t kernels[KERNELS], data[DATA];
    for (uint32_t k = 0; k < KERNELS; k++) {
        char name[8];
        (void)snprintf(name, sizeof name, "k%u", k);
        assert_int_equal(fgpu_sim_kernel(sim, name, &kernels[k]), FGPU_OK);
    }
    for (uint32_t d = 0; d < DATA; d++)
        assert_int_equal(fgpu_sim_data(sim, world->bytes[d], &data[d]), FGPU_OK);
    for (uint32_t t = 0; t < world->task_count; t++) {
        const struct graph_task *of = &world->tasks[t];
        fgpu_sim_access accesses[ACCESSES];
        for (uint32_t a = 0; a < of->access_count; a++)
            accesses[a] = (fgpu_sim_access){data[of->accesses[a].data], of->accesses[a].mode};
        const fgpu_sim_task task = {.struct_bytes = sizeof task,
                                    .kernel = kernels[of->kernel],
                                    .size = 1,
                                    .priority = of->priority,
                                    .access_count = of->access_count,
                                    .accesses = accesses,
                                    .after = &of->after,
                                    .after_count = of->after != UINT32_MAX};
        if (fgpu_sim_add(sim, &task, NULL) != FGPU_OK)
            fail_msg("%s", fgpu_last_error());
    }
}

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
static const char *check_order(const struct world_of_seed *world, fgpu_sim_span *const *first)
{
    const char *said = NULL;
    for (uint32_t t = 0; t < world->task_count && said == NULL; t++) {
        const struct graph_task *task = &world->tasks[t];
        if (task->after != UINT32_MAX)
            said = check_edge(first, task->after, t);
        for (uint32_t b = 0; b < t && said == NULL; b++)
            for (uint32_t i = 0; i < task->access_count * ACCESSES && said == NULL; i++) {
                const struct access *mine = &task->accesses[i / ACCESSES];
                const struct access *its = &world->tasks[b].accesses[i % ACCESSES];
                bool shared = i % ACCESSES < world->tasks[b].access_count &&
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

static const char *check_outcome(const struct world_of_seed *world, struct outcome *outcome)
{
    fgpu_sim_span *first[TASKS] = {NULL};
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
static const char *run_world(struct outcome *outcome, const struct world_of_seed *world,
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
    add_all(sim, world);
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

static const char *policy_name(uint64_t index)
{
    const char *name = NULL;
    uint32_t count = 0;
    while (fgpu_sim_policy_at(count, NULL, NULL) == FGPU_OK)
        count++;
    assert_int_equal(fgpu_sim_policy_at((uint32_t)(index % count), &name, NULL), FGPU_OK);
    return name;
}

static void test_random_worlds(void **state)
{
    (void)state;
    static struct world_of_seed world;
    static struct outcome a, b;
    uint64_t first = seed_get(1), count = seed_count(1000), bad = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        const char *policy = policy_name(seed);
        make_world(&world, seed);
        bool good = run_world(&a, &world, policy) == NULL;
        good = run_world(&b, &world, policy) == NULL && good;
        if (memcmp(&a, &b, sizeof a) != 0) {
            seed_print("sim.random_machines: twice the same is not the same", seed);
            good = false;
        }
        bad += !good;
    }
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_worlds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
