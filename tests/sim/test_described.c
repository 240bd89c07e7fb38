/* Simulations of described machines through the public interface: times against hand calculations,
 * equal results for equal input, faults, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include <fastgpu/sim.h>

#include "base/rng.h"
#include "tests/lib/seed.h"

#define MB 1000000u
#define SPANS 4096

struct rig {
    fgpu_machine *machine;
    fgpu_sim *sim;
    fgpu_sim_options options;
    uint32_t kernel;
};

/* Two devices with links of their own, 1 byte/ns each way, and a bus to the host that all copies
 * cross: 1.5 bytes/ns. */
static const char two_gpus[] = "fgm 1\nmachine two\n"
                               "class gpu\n kind gpu\n count 2\n memory 64000000\n"
                               "link in\n each gpu\n bytes_per_ns 1\n"
                               "link out\n each gpu\n bytes_per_ns 1\n"
                               "link bus\n bytes_per_ns 1.5\n"
                               "route host -> gpu\n over bus\n over in of target\n"
                               "route gpu -> host\n over out of source\n over bus\n"
                               "cost work on gpu size 10 mean_ns 1000000 deviation_ns 100000\n";

/* Two cores and a device, other costs each. */
static const char mixed[] = "fgm 1\nmachine mixed\n"
                            "class core\n kind cpu\n count 2\n memory host\n"
                            "class gpu\n kind gpu\n count 2\n memory 4000000\n"
                            "link way\n each gpu\n bytes_per_ns 4\n latency_ns 1000\n"
                            "route host -> gpu\n over way of target\n"
                            "route gpu -> host\n over way of source\n"
                            "cost work on core size 10 mean_ns 3000000\n"
                            "cost work on gpu size 10 mean_ns 1000000\n"
                            "cost small on core size any mean_ns 5000\n";

/* So many devices that sets of nodes are no bits and blocks are found by a hash: the first 66 have
 * no costs, so that all the work is done with large numbers. Those that do it reach each other. */
static const char many[] = "fgm 1\nmachine many\n"
                           "class core\n kind cpu\n count 2\n memory host\n"
                           "class other\n kind gpu\n count 66\n memory 4000000\n"
                           "class gpu\n kind gpu\n count 6\n memory 4000000\n"
                           "link far\n each other\n bytes_per_ns 4\n"
                           "link way\n each gpu\n bytes_per_ns 4\n latency_ns 1000\n"
                           "link side\n each gpu per 3\n bytes_per_ns 8\n"
                           "route host -> gpu\n over way of target\n"
                           "route gpu -> host\n over way of source\n"
                           "route host -> other\n over far of target\n"
                           "route other -> host\n over far of source\n"
                           "route gpu -> gpu within 3\n over side of source\n"
                           "cost work on core size 10 mean_ns 3000000\n"
                           "cost work on gpu size 10 mean_ns 1000000\n"
                           "cost small on core size any mean_ns 5000\n"
                           "cost small on gpu size any mean_ns 9000\n";

static void rig_machine(struct rig *rig, const char *text)
{
    *rig = (struct rig){.options = {.struct_bytes = sizeof rig->options, .seed = 1}};
    fgpu_status status = fgpu_machine_parse("test", text, strlen(text), &rig->machine);
    if (status != FGPU_OK)
        fail_msg("%s", fgpu_last_error());
    rig->options.machine = rig->machine;
    rig->options.policy = "eft";
    rig->options.flags = FGPU_SIM_TRACE | FGPU_SIM_CHECK;
}

static void rig_open(struct rig *rig)
{
    if (fgpu_sim_open(&rig->options, &rig->sim) != FGPU_OK)
        fail_msg("%s", fgpu_last_error());
    assert_int_equal(fgpu_sim_kernel(rig->sim, "work", &rig->kernel), FGPU_OK);
}

static void rig_close(struct rig *rig)
{
    fgpu_sim_close(rig->sim);
    fgpu_machine_destroy(rig->machine);
}

static uint32_t rig_data(struct rig *rig, uint64_t bytes)
{
    uint32_t data;
    assert_int_equal(fgpu_sim_data(rig->sim, bytes, &data), FGPU_OK);
    return data;
}

/* A task of `work` that reads and writes one piece of data. */
static void rig_add(struct rig *rig, uint32_t data)
{
    const fgpu_sim_access access = {data, FGPU_READ_WRITE};
    const fgpu_sim_task task = {.struct_bytes = sizeof task,
                                .kernel = rig->kernel,
                                .size = 10,
                                .access_count = 1,
                                .accesses = &access};
    if (fgpu_sim_add(rig->sim, &task, NULL) != FGPU_OK)
        fail_msg("%s", fgpu_last_error());
}

static fgpu_sim_result rig_run(struct rig *rig)
{
    fgpu_sim_result result = {.struct_bytes = sizeof result};
    if (fgpu_sim_run(rig->sim, &result) != FGPU_OK)
        fail_msg("%s", fgpu_last_error());
    return result;
}

/* ---- times ------------------------------------------------------------------------------ */

static void test_one_task(void **state)
{
    (void)state;
    struct rig rig;
    rig_machine(&rig, two_gpus);
    rig_open(&rig);
    rig_add(&rig, rig_data(&rig, 3 * MB));
    fgpu_sim_result result = rig_run(&rig);
    assert_int_equal(result.makespan_ns, 3 * MB + 1 * MB); /* its own link, then the run */
    assert_int_equal(result.tasks, 1);
    assert_int_equal(result.failed_tasks, 0);
    assert_int_equal(result.events, 3);
    assert_int_equal(result.copies, 1);
    assert_int_equal(result.bytes_moved, 3 * MB);
    assert_string_equal(result.policy, "eft");
    assert_in_range(result.bound_ns, MB - 1, MB); /* the path; half of it is the area */
    assert_in_range(result.path_ns, MB - 1, MB);
    assert_in_range(result.area_ns, MB / 2 - 1, MB / 2);
    double busy[2];
    assert_int_equal(fgpu_sim_busy(rig.sim, 0, &busy[0]), FGPU_OK);
    assert_int_equal(fgpu_sim_busy(rig.sim, 1, &busy[1]), FGPU_OK);
    assert_true(busy[0] + busy[1] > 0.2499 && busy[0] + busy[1] < 0.2501);
    fgpu_sim_span span;
    assert_int_equal(fgpu_sim_copy_at(rig.sim, 0, &span), FGPU_OK);
    assert_int_equal(span.start_ns, 0);
    assert_int_equal(span.end_ns, 3 * MB);
    assert_int_equal(span.source, 0);
    assert_int_equal(span.bytes, 3 * MB);
    assert_int_equal(span.task, 0);
    assert_int_equal(fgpu_sim_run_at(rig.sim, 0, &span), FGPU_OK);
    assert_int_equal(span.start_ns, 3 * MB);
    assert_int_equal(span.task, 0);
    assert_int_equal(fgpu_sim_run_at(rig.sim, 1, &span), FGPU_E_RANGE);
    rig_close(&rig);
}

/* Two copies share the bus: 0.75 each. */
static void test_two_share_the_bus(void **state)
{
    (void)state;
    struct rig rig;
    rig_machine(&rig, two_gpus);
    rig_open(&rig);
    rig_add(&rig, rig_data(&rig, 3 * MB));
    rig_add(&rig, rig_data(&rig, 3 * MB));
    assert_int_equal(rig_run(&rig).makespan_ns, 4 * MB + 1 * MB);
    rig_close(&rig);
}

static void test_no_transfers(void **state)
{
    (void)state;
    struct rig rig;
    rig_machine(&rig, two_gpus);
    rig.options.flags |= FGPU_SIM_NO_TRANSFERS;
    rig_open(&rig);
    for (int i = 0; i < 10; i++)
        rig_add(&rig, rig_data(&rig, 1000 * MB));
    fgpu_sim_result result = rig_run(&rig);
    assert_int_equal(result.makespan_ns, 5 * MB);
    assert_int_equal(result.copies, 0);
    rig_close(&rig);
}

/* What a task says of itself goes before the tables; flops only where there are none. */
static void test_costs_of_their_own(void **state)
{
    (void)state;
    struct rig rig;
    uint32_t first, kernel;
    rig_machine(&rig, two_gpus);
    rig_open(&rig);
    fgpu_sim_task task = {.struct_bytes = sizeof task, .kernel = rig.kernel, .cost_ns = 1234};
    assert_int_equal(fgpu_sim_add(rig.sim, &task, &first), FGPU_OK);
    assert_int_equal(fgpu_sim_kernel(rig.sim, "unheard", &kernel), FGPU_OK);
    task = (fgpu_sim_task){.struct_bytes = sizeof task, .kernel = kernel, .flops = 1e6};
    assert_int_equal(fgpu_sim_add(rig.sim, &task, NULL), FGPU_E_NODEVICE); /* no rate is known */
    task.cost_ns = 4321;
    task.after = &first;
    task.after_count = 1;
    assert_int_equal(fgpu_sim_add(rig.sim, &task, NULL), FGPU_OK);
    fgpu_sim_result result = rig_run(&rig);
    assert_int_equal(result.makespan_ns, 1234 + 4321);
    rig_close(&rig);
}

/* The deviation of the runs is what was asked for: 2000 runs one after the other. */
static void test_noise(void **state)
{
    (void)state;
    for (int table = 0; table < 2; table++) {
        struct rig rig;
        double sum = 0, squares = 0, wanted = table ? 0.1 : 0.2;
        rig_machine(&rig, two_gpus);
        rig.options.noise = table ? -1 : 0.2;
        rig.options.flags = FGPU_SIM_TRACE;
        rig_open(&rig);
        uint32_t data = rig_data(&rig, 1);
        for (int i = 0; i < 2000; i++)
            rig_add(&rig, data);
        (void)rig_run(&rig);
        fgpu_sim_span span;
        for (uint64_t i = 0; fgpu_sim_run_at(rig.sim, i, &span) == FGPU_OK; i++) {
            double ms = (double)(span.end_ns - span.start_ns) / MB;
            sum += ms;
            squares += ms * ms;
        }
        double mean = sum / 2000, variance = squares / 2000 - mean * mean;
        /* Four standard errors of the mean (0.2 / sqrt(2000)) and of the variance (its sqrt(2 /
         * 2000)). */
        assert_true(mean > 1 - 0.018 && mean < 1 + 0.018);
        assert_true(variance > wanted * wanted * 0.87 && variance < wanted * wanted * 1.13);
        rig_close(&rig);
    }
}

/* ---- overlap ---------------------------------------------------------------------------- */

/* Tasks that follow each other, each with 3 MB of its own to read: 3 ms to copy, then 1 ms to run.
 * The sum would be 40 ms; the link alone needs 30. */
static void test_copies_travel_ahead(void **state)
{
    (void)state;
    static const char *const costs[] = {"1000000", "5000000"};
    static const uint64_t wanted_ns[] = {31 * MB,
                                         3 * MB + 50 * MB}; /* max(copy, run), and an end */
    for (int slow = 0; slow < 2; slow++) {
        struct rig rig;
        char text[sizeof two_gpus + 100];
        (void)snprintf(text, sizeof text, "%scost chain on gpu size 10 mean_ns %s\n", two_gpus,
                       costs[slow]);
        memcpy(strstr(text, "count 2"), "count 1", 7);
        rig_machine(&rig, text);
        rig_open(&rig);
        uint32_t kernel, chain = rig_data(&rig, 1);
        assert_int_equal(fgpu_sim_kernel(rig.sim, "chain", &kernel), FGPU_OK);
        for (int i = 0; i < 10; i++) {
            const fgpu_sim_access accesses[] = {{chain, FGPU_READ_WRITE},
                                                {rig_data(&rig, 3 * MB), FGPU_READ}};
            const fgpu_sim_task task = {.struct_bytes = sizeof task,
                                        .kernel = kernel,
                                        .size = 10,
                                        .access_count = 2,
                                        .accesses = accesses};
            assert_int_equal(fgpu_sim_add(rig.sim, &task, NULL), FGPU_OK);
        }
        uint64_t makespan_ns = rig_run(&rig).makespan_ns;
        assert_in_range(makespan_ns, wanted_ns[slow], wanted_ns[slow] + 10);
        rig_close(&rig);
    }
}

/* The same without dependencies. */
static void test_independent_copies_travel_ahead(void **state)
{
    (void)state;
    struct rig rig;
    rig_machine(&rig, two_gpus);
    rig_open(&rig);
    for (int i = 0; i < 10; i++)
        rig_add(&rig, rig_data(&rig, 3 * MB));
    /* Ten copies over a bus of 1.5 bytes/ns: 20 ms, and the run of the last. */
    assert_int_equal(rig_run(&rig).makespan_ns, 21 * MB);
    rig_close(&rig);
}

/* What one device made, another reads: over their own link where there is one, else by the host. */
static void test_between_devices(void **state)
{
    (void)state;
    for (int direct = 0; direct < 2; direct++) {
        struct rig rig;
        char text[sizeof two_gpus + 600];
        (void)snprintf(text, sizeof text, "%s%s%s", two_gpus,
                       "class other\n kind gpu\n count 1\n memory 64000000\n"
                       "link there\n bytes_per_ns 1\n link across\n bytes_per_ns 2\n"
                       "route host -> other\n over there\n route other -> host\n over there\n"
                       "cost made on gpu size 10 mean_ns 1000000\n"
                       "cost read on other size 10 mean_ns 1000000\n",
                       direct ? "route gpu -> other\n over across\n" : "");
        rig_machine(&rig, text);
        rig_open(&rig);
        uint32_t kernels[2], data = rig_data(&rig, 2 * MB);
        assert_int_equal(fgpu_sim_kernel(rig.sim, "made", &kernels[0]), FGPU_OK);
        assert_int_equal(fgpu_sim_kernel(rig.sim, "read", &kernels[1]), FGPU_OK);
        for (int i = 0; i < 2; i++) {
            const fgpu_sim_access access = {data, i == 0 ? FGPU_WRITE : FGPU_READ};
            const fgpu_sim_task task = {.struct_bytes = sizeof task,
                                        .kernel = kernels[i],
                                        .size = 10,
                                        .access_count = 1,
                                        .accesses = &access};
            assert_int_equal(fgpu_sim_add(rig.sim, &task, NULL), FGPU_OK);
        }
        fgpu_sim_result result = rig_run(&rig);
        assert_int_equal(result.copies, direct ? 1 : 2);
        assert_int_equal(result.makespan_ns, direct ? 3 * MB : 6 * MB);
        fgpu_sim_span span;
        assert_int_equal(fgpu_sim_copy_at(rig.sim, 0, &span), FGPU_OK);
        assert_int_equal(span.device, direct ? 3 : 0);
        rig_close(&rig);
    }
}

/* ---- random graphs ---------------------------------------------------------------------- */

static void random_graph(struct rig *rig, uint64_t seed)
{
    struct rng rng;
    uint32_t data[12], small;
    rng_init(&rng, seed);
    for (int i = 0; i < 12; i++)
        data[i] = rig_data(rig, 100000 + rng_below(&rng, 2) * 900000);
    assert_int_equal(fgpu_sim_kernel(rig->sim, "small", &small), FGPU_OK);
    for (uint32_t t = 0; t < 120; t++) {
        fgpu_sim_access accesses[3];
        uint32_t count = 1 + (uint32_t)rng_below(&rng, 3), first = (uint32_t)rng_below(&rng, 12);
        uint32_t after = t > 0 ? (uint32_t)rng_below(&rng, t) : 0;
        for (uint32_t a = 0; a < count; a++)
            accesses[a] = (fgpu_sim_access){data[(first + a * (1 + first % 3)) % 12],
                                            1 + (uint32_t)rng_below(&rng, 3)};
        fgpu_sim_task task = {.struct_bytes = sizeof task,
                              .kernel = rng_below(&rng, 5) == 0 ? small : rig->kernel,
                              .size = 10,
                              .priority = (int32_t)rng_below(&rng, 7) - 3,
                              .access_count = count,
                              .accesses = accesses,
                              .after = &after,
                              .after_count = t > 0 && rng_below(&rng, 4) == 0};
        if (fgpu_sim_add(rig->sim, &task, NULL) != FGPU_OK)
            fail_msg("%s", fgpu_last_error());
    }
}

struct outcome {
    fgpu_sim_result result;
    uint32_t count;
    fgpu_sim_span spans[SPANS];
};

static void outcome_of(struct outcome *outcome, const char *machine, uint64_t seed, bool faults)
{
    struct rig rig;
    memset(outcome, 0, sizeof *outcome);
    rig_machine(&rig, machine);
    rig.options.seed = seed;
    rig.options.noise = 0.2;
    rig.options.cost_error = 0.5;
    rig.options.memory_bytes = 3 * MB + (seed % 3) * MB; /* the largest task needs 3 */
    if (faults) {
        rig.options.fail_rate = seed % 2 ? 0.01 : 0;
        rig.options.loss_per_s = seed % 4 < 2 ? (machine == many ? 700 : 20) : 0;
    }
    rig_open(&rig);
    random_graph(&rig, seed);
    outcome->result = rig_run(&rig);
    outcome->result.decision_cpu_ns = outcome->result.run_cpu_ns = 0;
    while (outcome->count < SPANS / 2 &&
           fgpu_sim_run_at(rig.sim, outcome->count, &outcome->spans[outcome->count]) == FGPU_OK)
        outcome->count++;
    for (uint32_t i = 0; outcome->count < SPANS &&
                         fgpu_sim_copy_at(rig.sim, i, &outcome->spans[outcome->count]) == FGPU_OK;
         i++)
        outcome->count++;
    rig_close(&rig);
}

/* Every task ends, whatever the memory and the faults; the same seed twice gives the same spans. */
static void run_random(const char *machine, uint64_t seeds)
{
    static struct outcome a, b;
    uint64_t first = seed_get(1), count = seed_count(seeds), failed = 0, whole = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        bool faults = seed % 2;
        outcome_of(&a, machine, seed, faults);
        outcome_of(&b, machine, seed, faults);
        if (a.result.tasks != 120 || memcmp(&a, &b, sizeof a) != 0 ||
            (!faults && a.result.failed_tasks != 0))
            seed_print("sim.described", seed);
        assert_int_equal(a.result.tasks, 120);
        assert_memory_equal(&a, &b, sizeof a);
        if (!faults)
            assert_int_equal(a.result.failed_tasks, 0);
        failed += a.result.failed_tasks;
        whole += faults && a.result.failed_tasks == 0;
    }
    assert_true(count < seeds ||
                (failed > 0 && whole > 0)); /* faults that hurt, others that do not */
}

static void test_random_graphs(void **state)
{
    (void)state;
    run_random(mixed, 70);
}

static void test_random_graphs_on_many(void **state)
{
    (void)state;
    run_random(many, 30);
}

/* A thousand devices share a broadcast, then each has its own. */
static void test_a_thousand(void **state)
{
    (void)state;
    struct rig rig;
    rig_machine(&rig, "fgm 1\nmachine thousand\nclass gpu\n kind gpu\n count 1000\n"
                      " memory 64000000\nlink in\n each gpu\n bytes_per_ns 1\n"
                      "route host -> gpu\n over in of target\n"
                      "route gpu -> host\n over in of source\n"
                      "cost work on gpu size 10 mean_ns 1000000\n");
    rig.options.flags = 0;
    rig_open(&rig);
    uint32_t shared = rig_data(&rig, MB);
    for (int i = 0; i < 2000; i++) {
        const fgpu_sim_access accesses[] = {{shared, FGPU_READ},
                                            {rig_data(&rig, 1000), FGPU_READ_WRITE}};
        const fgpu_sim_task task = {.struct_bytes = sizeof task,
                                    .kernel = rig.kernel,
                                    .size = 10,
                                    .access_count = 2,
                                    .accesses = accesses};
        assert_int_equal(fgpu_sim_add(rig.sim, &task, NULL), FGPU_OK);
    }
    fgpu_sim_result result = rig_run(&rig);
    assert_int_equal(result.failed_tasks, 0);
    assert_int_equal(result.bytes_moved, 1000 * (uint64_t)MB + 2000 * 1000); /* once for each */
    assert_int_equal(result.makespan_ns, MB + 1000 + 2 * MB);
    rig_close(&rig);
}

/* ---- misuse ----------------------------------------------------------------------------- */

static void refused(fgpu_status status, fgpu_status expected, const char *word)
{
    assert_int_equal(status, expected);
    if (strstr(fgpu_last_error(), word) == NULL)
        fail_msg("'%s' does not name %s", fgpu_last_error(), word);
}

static void test_bad_options(void **state)
{
    (void)state;
    struct rig rig;
    rig_machine(&rig, two_gpus);
    fgpu_sim_options *o = &rig.options;
    const fgpu_sim_options good = *o;
    refused(fgpu_sim_open(o, NULL), FGPU_E_INVAL, "sim");
    refused(fgpu_sim_open(NULL, &rig.sim), FGPU_E_INVAL, "options");
    o->struct_bytes = 1;
    refused(fgpu_sim_open(o, &rig.sim), FGPU_E_VERSION, "struct_bytes");
    *o = good, o->machine = NULL;
    refused(fgpu_sim_open(o, &rig.sim), FGPU_E_INVAL, "machine");
    *o = good, o->policy = "none";
    refused(fgpu_sim_open(o, &rig.sim), FGPU_E_INVAL, "policy");
    *o = good, o->flags = 1u << 30;
    refused(fgpu_sim_open(o, &rig.sim), FGPU_E_INVAL, "flags");
    *o = good, o->noise = 2;
    refused(fgpu_sim_open(o, &rig.sim), FGPU_E_INVAL, "noise");
    *o = good, o->cost_error = -0.1;
    refused(fgpu_sim_open(o, &rig.sim), FGPU_E_INVAL, "cost_error");
    *o = good, o->fail_rate = 1.5;
    refused(fgpu_sim_open(o, &rig.sim), FGPU_E_INVAL, "fail_rate");
    *o = good, o->loss_per_s = -1;
    refused(fgpu_sim_open(o, &rig.sim), FGPU_E_INVAL, "loss_per_s");
    assert_null(rig.sim);
    rig_close(&rig);
}

static void test_bad_tasks(void **state)
{
    (void)state;
    struct rig rig;
    rig_machine(&rig, two_gpus);
    rig_open(&rig);
    uint32_t data = rig_data(&rig, 1), number = 7;
    fgpu_sim_access accesses[2] = {{data, FGPU_READ}, {data, FGPU_WRITE}};
    const fgpu_sim_task good = {.struct_bytes = sizeof good,
                                .kernel = rig.kernel,
                                .size = 10,
                                .access_count = 1,
                                .accesses = accesses};
    fgpu_sim_task t = good;
    refused(fgpu_sim_data(rig.sim, 0, &data), FGPU_E_INVAL, "bytes");
    refused(fgpu_sim_data(rig.sim, 1, NULL), FGPU_E_INVAL, "data");
    refused(fgpu_sim_kernel(rig.sim, "", &data), FGPU_E_INVAL, "name");
    refused(fgpu_sim_add(rig.sim, NULL, NULL), FGPU_E_INVAL, "task");
    t.struct_bytes = 0;
    refused(fgpu_sim_add(rig.sim, &t, NULL), FGPU_E_VERSION, "struct_bytes");
    t = good, t.kernel = 1;
    refused(fgpu_sim_add(rig.sim, &t, NULL), FGPU_E_INVAL, "kernel");
    t = good, t.priority = 1001;
    refused(fgpu_sim_add(rig.sim, &t, NULL), FGPU_E_INVAL, "priority");
    t = good, t.flops = -1;
    refused(fgpu_sim_add(rig.sim, &t, NULL), FGPU_E_INVAL, "flops");
    t = good, t.cost_ns = -1;
    refused(fgpu_sim_add(rig.sim, &t, NULL), FGPU_E_INVAL, "cost_ns");
    t = good, t.size = 11; /* one size is listed: nothing is known of others */
    refused(fgpu_sim_add(rig.sim, &t, NULL), FGPU_E_NODEVICE, "work");
    t = good, t.after = &number, t.after_count = 1;
    refused(fgpu_sim_add(rig.sim, &t, NULL), FGPU_E_INVAL, "after");
    t = good, t.access_count = 2;
    refused(fgpu_sim_add(rig.sim, &t, NULL), FGPU_E_INVAL, "same data");
    t = good, t.access_count = 65;
    refused(fgpu_sim_add(rig.sim, &t, NULL), FGPU_E_LIMIT, "access_count");
    accesses[0].data = 1;
    refused(fgpu_sim_add(rig.sim, &good, NULL), FGPU_E_INVAL, "data");
    accesses[0] = (fgpu_sim_access){0, 4};
    refused(fgpu_sim_add(rig.sim, &good, NULL), FGPU_E_INVAL, "mode");
    fgpu_sim_result result = {.struct_bytes = 1};
    refused(fgpu_sim_run(rig.sim, &result), FGPU_E_VERSION, "struct_bytes");
    result = rig_run(&rig);
    assert_int_equal(result.makespan_ns, 0);
    refused(fgpu_sim_run(rig.sim, &result), FGPU_E_INVAL, "run");
    refused(fgpu_sim_data(rig.sim, 1, &data), FGPU_E_INVAL, "run");
    double share;
    refused(fgpu_sim_busy(rig.sim, 2, &share), FGPU_E_INVAL, "device");
    rig_close(&rig);
}

static int ends_at_once(uint64_t done, uint64_t tasks, void *user)
{
    (void)done;
    *(uint64_t *)user = tasks;
    return 1;
}

static void test_progress_ends_it(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t tasks = 0;
    rig_machine(&rig, two_gpus);
    rig_open(&rig);
    rig_add(&rig, rig_data(&rig, 1));
    assert_int_equal(fgpu_sim_progress(rig.sim, ends_at_once, &tasks), FGPU_OK);
    fgpu_sim_result result = {.struct_bytes = sizeof result};
    assert_int_equal(fgpu_sim_run(rig.sim, &result), FGPU_E_CANCELLED);
    assert_int_equal(tasks, 1);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_task),
                                       cmocka_unit_test(test_two_share_the_bus),
                                       cmocka_unit_test(test_no_transfers),
                                       cmocka_unit_test(test_costs_of_their_own),
                                       cmocka_unit_test(test_copies_travel_ahead),
                                       cmocka_unit_test(test_independent_copies_travel_ahead),
                                       cmocka_unit_test(test_between_devices),
                                       cmocka_unit_test(test_noise),
                                       cmocka_unit_test(test_random_graphs),
                                       cmocka_unit_test(test_random_graphs_on_many),
                                       cmocka_unit_test(test_a_thousand),
                                       cmocka_unit_test(test_bad_options),
                                       cmocka_unit_test(test_bad_tasks),
                                       cmocka_unit_test(test_progress_ends_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
