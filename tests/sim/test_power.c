/* Power caps and objectives in simulation: random machines, graphs and caps. No 100 ms draw more
 * than the cap, reckoned here from what ran and when; every task ends; the bound holds; what is
 * refused. FASTGPU_TEST_SEED, FASTGPU_TEST_SEEDS.
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

#define WINDOW_NS UINT64_C(100000000)
#define CLASSES 3u
#define KERNELS 3u
#define TASKS 160u
#define DATA 12u

struct world {
    struct rng rng;
    char text[4096];
    uint32_t count[CLASSES];
    double idle[CLASSES], busy[CLASSES];
    double mean_ns[KERNELS][CLASSES]; /* < 0: cannot */
    uint32_t task_count;
    uint32_t kernel[TASKS];
    int32_t priority[TASKS];
    fgpu_sim_access access[TASKS][3];
    uint32_t access_count[TASKS];
};

static uint64_t seed;

#define REQUIRE(condition, ...)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            seed_print("sim/test_power", seed);                                                    \
            fail_msg(__VA_ARGS__);                                                                 \
        }                                                                                          \
    } while (0)

static uint32_t below(struct world *world, uint32_t n)
{
    return (uint32_t)rng_below(&world->rng, n);
}

static double unit(struct world *world)
{
    return rng_unit(&world->rng);
}

/* A class of cores and two of devices with memory of their own; runs from 10 us to some 100 ms. */
static void world_machine(struct world *world)
{
    char *at = world->text;
    at += sprintf(at, "fgm 1\nmachine random\n");
    for (uint32_t c = 0; c < CLASSES; c++) {
        world->count[c] = 1 + below(world, c == 0 ? 6 : 4);
        world->idle[c] = (double)below(world, 40);
        world->busy[c] = world->idle[c] + (double)(1 + below(world, c == 0 ? 20 : 400));
        at += sprintf(at,
                      "class c%u\n kind %s\n count %u\n memory %s\n launch_ns %u\n idle_watt %g\n "
                      "busy_watt %g\n",
                      c, c == 0 ? "cpu" : "gpu", world->count[c], c == 0 ? "host" : "64000000",
                      below(world, 2) * 20000, world->idle[c], world->busy[c]);
    }
    at += sprintf(at, "link way\n bytes_per_ns 8\n"
                      "route host -> c1\n over way\nroute c1 -> host\n over way\n"
                      "route host -> c2\n over way\nroute c2 -> host\n over way\n");
    for (uint32_t k = 0; k < KERNELS; k++) {
        uint32_t must = below(world, CLASSES);
        for (uint32_t c = 0; c < CLASSES; c++) {
            double ns = 1e4 * (double)(1u << below(world, 15));
            world->mean_ns[k][c] = c != must && below(world, 4) == 0 ? -1 : ns;
            if (world->mean_ns[k][c] > 0)
                at += sprintf(at, "cost k%u on c%u size any mean_ns %.0f deviation_ns %.0f\n", k, c,
                              ns, ns / 5);
        }
    }
}

static void world_tasks(struct world *world)
{
    world->task_count = 20 + below(world, TASKS - 20);
    for (uint32_t t = 0; t < world->task_count; t++) {
        world->kernel[t] = below(world, KERNELS);
        world->priority[t] = below(world, 5) == 0 ? 1 : 0;
        world->access_count[t] = below(world, 4);
        for (uint32_t i = 0; i < world->access_count[t]; i++)
            world->access[t][i] = (fgpu_sim_access){.data = below(world, DATA / 3) * 3 + i,
                                                    .mode = 1 + below(world, 3)};
    }
}

static fgpu_machine *world_make(struct world *world)
{
    fgpu_machine *machine;
    memset(world, 0, sizeof *world);
    rng_init(&world->rng, seed);
    world_machine(world);
    world_tasks(world);
    fgpu_status status = fgpu_machine_parse("test", world->text, strlen(world->text), &machine);
    REQUIRE(status == FGPU_OK, "%s", fgpu_last_error());
    return machine;
}

static double world_idle(const struct world *world)
{
    double watt = 0;
    for (uint32_t c = 0; c < CLASSES; c++)
        watt += world->idle[c] * world->count[c];
    return watt;
}

static double world_extra(const struct world *world)
{
    double watt = 0;
    for (uint32_t c = 0; c < CLASSES; c++)
        watt += (world->busy[c] - world->idle[c]) * world->count[c];
    return watt;
}

/* [out] sim: still open, where the run went well. */
static fgpu_status world_run(const struct world *world, const fgpu_sim_options *options,
                             fgpu_sim_result *result, fgpu_sim **sim)
{
    uint32_t kernel[KERNELS], data;
    fgpu_status status = fgpu_sim_open(options, sim);
    if (status != FGPU_OK)
        return status;
    for (uint32_t k = 0; k < KERNELS; k++) {
        char name[8];
        snprintf(name, sizeof name, "k%u", k);
        status = fgpu_sim_kernel(*sim, name, &kernel[k]);
        REQUIRE(status == FGPU_OK, "%s", fgpu_last_error());
    }
    for (uint32_t d = 0; d < DATA; d++)
        REQUIRE(fgpu_sim_data(*sim, 100000, &data) == FGPU_OK, "%s", fgpu_last_error());
    for (uint32_t t = 0; t < world->task_count; t++) {
        const fgpu_sim_task task = {.struct_bytes = sizeof task,
                                    .kernel = kernel[world->kernel[t]],
                                    .size = 1,
                                    .priority = world->priority[t],
                                    .access_count = world->access_count[t],
                                    .accesses = world->access[t]};
        status = fgpu_sim_add(*sim, &task, NULL);
        REQUIRE(status == FGPU_OK, "%s", fgpu_last_error());
    }
    result->struct_bytes = sizeof *result;
    return fgpu_sim_run(*sim, result);
}

static uint32_t world_class(const struct world *world, uint32_t device)
{
    uint32_t c = 0;
    while (device >= world->count[c])
        device -= world->count[c++];
    return c;
}

struct span {
    uint64_t start_ns, end_ns;
    double watt;
};

static double overlap(const struct span *span, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t start = span->start_ns > from_ns ? span->start_ns : from_ns;
    uint64_t end = span->end_ns < to_ns ? span->end_ns : to_ns;
    return end > start ? span->watt * (double)(end - start) : 0;
}

/* Naive: the largest window begins or ends where something starts or ends. */
static double peak_of(const struct world *world, const fgpu_sim *sim)
{
    static struct span spans[8 * TASKS];
    fgpu_sim_span of;
    uint32_t count = 0;
    double most = 0;
    while (count < 8 * TASKS && fgpu_sim_run_at(sim, count, &of) == FGPU_OK) {
        uint32_t c = world_class(world, of.device);
        spans[count++] = (struct span){of.start_ns, of.end_ns, world->busy[c] - world->idle[c]};
    }
    for (uint32_t i = 0; i < 4 * count; i++) {
        uint64_t at = i % 2 ? spans[i / 4].end_ns : spans[i / 4].start_ns;
        uint64_t from = i / 2 % 2 ? at : at > WINDOW_NS ? at - WINDOW_NS : 0;
        uint64_t to = i / 2 % 2 ? at + WINDOW_NS : at;
        double energy = 0;
        for (uint32_t s = 0; s < count; s++)
            energy += overlap(&spans[s], from, to);
        most = energy > most ? energy : most;
    }
    return world_idle(world) + most / (double)WINDOW_NS;
}

static fgpu_sim_options world_options(struct world *world, const fgpu_machine *machine)
{
    static const char *const policies[] = {"auto",  "eft",        "fifo",
                                           "steal", "heteroprio", "lookahead"};
    return (fgpu_sim_options){.struct_bytes = sizeof(fgpu_sim_options),
                              .flags = FGPU_SIM_TRACE | FGPU_SIM_CHECK,
                              .machine = machine,
                              .policy = policies[below(world, 6)],
                              .noise = below(world, 3) == 0 ? 0.2
                                       : below(world, 2)    ? -1
                                                            : 0,
                              .cost_error = below(world, 3) == 0 ? 0.5 : 0,
                              .seed = seed};
}

static void check_capped(struct world *world, fgpu_sim_options *options)
{
    fgpu_sim_result result = {0};
    fgpu_sim *sim;
    options->power_cap_watt = world_idle(world) + unit(world) * world_extra(world);
    fgpu_status status = world_run(world, options, &result, &sim);
    if (status == FGPU_E_INVAL) {
        /* The text says with what it would do. */
        const char *at = strstr(fgpu_last_error(), "with less than ");
        REQUIRE(at != NULL, "%s", fgpu_last_error());
        double least = strtod(at + strlen("with less than "), NULL);
        REQUIRE(least > options->power_cap_watt, "%g is refused, %g would do",
                options->power_cap_watt, least);
        fgpu_sim_close(sim);
        options->power_cap_watt = least;
        result = (fgpu_sim_result){0};
        status = world_run(world, options, &result, &sim);
    }
    REQUIRE(status == FGPU_OK, "%s", fgpu_last_error());
    double peak = peak_of(world, sim);
    REQUIRE(peak <= options->power_cap_watt * (1 + 1e-12), "%.9g W under a cap of %.9g W", peak,
            options->power_cap_watt);
    REQUIRE(peak - result.peak_watt < 1e-6 && result.peak_watt - peak < 1e-6, "%.9g W, told %.9g",
            peak, result.peak_watt);
    if (options->fail_rate <= 0 && options->loss_per_s <= 0)
        REQUIRE(result.failed_tasks == 0, "%llu tasks failed",
                (unsigned long long)result.failed_tasks);
    /* Costs are rounded, and with noise runs may be shorter than what the bound is made of. */
    if (options->noise >= 0 && options->noise <= 0 && options->fail_rate <= 0)
        REQUIRE(result.makespan_ns + world->task_count >= result.power_ns,
                "%llu ns, the bound %llu", (unsigned long long)result.makespan_ns,
                (unsigned long long)result.power_ns);
    fgpu_sim_close(sim);
}

static void test_no_window_exceeds(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(60);
    for (seed = first; seed < first + count; seed++) {
        struct world world;
        fgpu_machine *machine = world_make(&world);
        fgpu_sim_options options = world_options(&world, machine);
        if (below(&world, 4) == 0)
            options.fail_rate = 0.02;
        if (below(&world, 6) == 0)
            options.loss_per_s = 2;
        check_capped(&world, &options);
        fgpu_machine_destroy(machine);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char text[] = "fgm 1\nmachine m\nclass a\n kind cpu\n count 2\n memory host\n"
                               " idle_watt 10\n busy_watt 60\ncost k on a size any mean_ns 2e8\n";
    static const char dark[] = "fgm 1\nmachine dark\nclass a\n kind cpu\n count 2\n memory host\n"
                               "cost k on a size any mean_ns 1000\n";
    fgpu_machine *machine, *other;
    fgpu_sim *sim;
    fgpu_sim_options options = {.struct_bytes = sizeof options};
    assert_int_equal(fgpu_machine_parse("m", text, strlen(text), &machine), FGPU_OK);
    assert_int_equal(fgpu_machine_parse("dark", dark, strlen(dark), &other), FGPU_OK);
    options.machine = machine;
    options.power_cap_watt = 20;
    assert_int_equal(fgpu_sim_open(&options, &sim), FGPU_E_INVAL);
    assert_non_null(strstr(fgpu_last_error(), "draws 20 when idle"));
    options.power_cap_watt = -1;
    assert_int_equal(fgpu_sim_open(&options, &sim), FGPU_E_INVAL);
    options.power_cap_watt = 0;
    options.objective = 4;
    assert_int_equal(fgpu_sim_open(&options, &sim), FGPU_E_INVAL);
    options.objective = FGPU_OBJECTIVE_ENERGY;
    options.policy = "eft";
    assert_int_equal(fgpu_sim_open(&options, &sim), FGPU_E_INVAL);
    assert_non_null(strstr(fgpu_last_error(), "needs 'auto'"));
    options.policy = NULL;
    options.machine = other;
    assert_int_equal(fgpu_sim_open(&options, &sim), FGPU_E_INVAL);
    assert_non_null(strstr(fgpu_last_error(), "idle_watt"));
    options.objective = 0;
    options.power_cap_watt = 100;
    assert_int_equal(fgpu_sim_open(&options, &sim), FGPU_E_INVAL);
    assert_non_null(strstr(fgpu_last_error(), "power_cap_watt"));
    /* Two runs of 200 ms: side by side under 120 W, one after the other under less. */
    for (uint32_t i = 0; i < 2; i++) {
        fgpu_sim_result result = {.struct_bytes = sizeof result};
        fgpu_sim_task task = {.struct_bytes = sizeof task};
        options.machine = machine;
        options.power_cap_watt = i == 0 ? 120.001 : 119;
        assert_int_equal(fgpu_sim_open(&options, &sim), FGPU_OK);
        assert_int_equal(fgpu_sim_kernel(sim, "k", &task.kernel), FGPU_OK);
        assert_int_equal(fgpu_sim_add(sim, &task, NULL), FGPU_OK);
        assert_int_equal(fgpu_sim_add(sim, &task, NULL), FGPU_OK);
        assert_int_equal(fgpu_sim_run(sim, &result), FGPU_OK);
        /* In the second case the first leaves the window until the second may start: 1 W of 100 is
         * missing, so that it starts a 50th of a window before the first has ended at the most. */
        assert_in_range(result.makespan_ns, i == 0 ? 200000000 : 398000000,
                        i == 0 ? 200000100 : 400000100);
        assert_true(result.peak_watt <= options.power_cap_watt);
        fgpu_sim_close(sim);
    }
    fgpu_machine_destroy(machine);
    fgpu_machine_destroy(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_window_exceeds),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
