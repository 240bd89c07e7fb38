/* Recorded graphs, launched again and again between other tasks on the same buffers, equal
 * sequential execution: where all nodes run as one task, and where they do not; on devices that
 * fail, what can be read is right. Each case must have had launches of both kinds where it can.
 * argv[1]: only the case whose name contains it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "api/lookup.h"
#include "core/joined.h"
#include "tests/lib/random_graph.h"
#include "tests/lib/seed.h"

#define OPS 60

struct recorded_case {
    const char *name;
    const char *devices;
    uint32_t workers;
    const char *faults; /* NULL: none; %llu is the seed */
    bool joins;         /* all data are in host memory */
    bool is_traced;
    uint32_t seeds;
    bool fails; /* kernels fail, always the same: what they spoil is exactly what it must be */
};

static const struct recorded_case recorded_cases[] = {
    {"cpu", "cpu", 1, NULL, true, false, 40, false},
    {"cpu-2", "cpu", 2, NULL, false, false, 50,
     false}, /* joined where a kernel takes less than 400 ns */
    {"traced", "cpu", 1, NULL, false, true, 10, false},
    {"sim-cpu", "sim,cpu", 1, NULL, false, false, 25, false},
    {"commands", "cpu", 1, "seed=%llu,task=5", true, false, 50, false},
    {"seldom", "cpu", 1, "seed=%llu,task=2,submit=100", true, false, 50, false},
    {"failing", "cpu", 1, NULL, true, false, 50, true},
    {"failing-apart", "cpu", 1, NULL, false, true, 20, true},
    {"lost", "cpu", 1, "seed=%llu,lose=0@60", true, false, 80, false},
};

static bool recorded_open(const struct recorded_case *c, uint64_t seed, fgpu_pool *pool)
{
    char faults[256] = "";
    if (c->faults != NULL) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(faults, sizeof faults, c->faults, (unsigned long long)seed);
#pragma GCC diagnostic pop
    }
    fgpu_pool_options options;
    fgpu_pool_options_init(&options);
    static const char *const policies[] = {"auto", "eft", "fifo", "steal"};
    options.devices = c->devices;
    options.cpu_workers = c->workers;
    options.policy = policies[seed % 4];
    options.flags = FGPU_POOL_VALIDATE;
    options.faults = c->faults != NULL ? faults : NULL;
    options.seed = seed;
    options.cache_dir = "";
    options.log_level = FGPU_LOG_OFF;
    fgpu_status status = fgpu_pool_open(&options, pool);
    if (status != FGPU_OK)
        fprintf(stderr, "%s: %s\n", c->name, fgpu_last_error());
    else if (c->is_traced)
        status = fgpu_trace_enable(*pool, true);
    return status == FGPU_OK;
}

/* Launches as one task. */
static uint64_t recorded_joined(fgpu_pool handle)
{
    fgpu_status status;
    LOOKUP_GUEST *pool = lookup_pool(handle, "test", &status);
    driver_enter(pool->driver);
    uint64_t count = pool->driver->engine.joined_count;
    driver_leave(pool->driver);
    return count;
}

static bool recorded_run(struct random_graph *graph, fgpu_pool pool,
                         const struct random_graph_kernels *kernels, uint64_t seed,
                         const struct recorded_case *c)
{
    if (c->fails)
        return random_graph_run_failing(graph, pool, kernels, seed, OPS);
    return random_graph_run_recorded(graph, pool, kernels, seed, OPS, c->faults != NULL);
}

static void recorded_run_case(const struct recorded_case *c, uint64_t first, uint64_t count)
{
    static struct random_graph graph;
    uint64_t compared = 0, failures = 0, launches = 0;
    for (uint64_t i = 0; i < count; i++) {
        fgpu_pool pool;
        struct random_graph_kernels kernels = {0}; /* nothing is divisible */
        assert_true(recorded_open(c, first + i, &pool));
        assert_int_equal(random_graph_kernels(pool, &kernels), FGPU_OK);
        bool right = recorded_run(&graph, pool, &kernels, first + i, c);
        if (!right) {
            fprintf(stderr, "case %s, seed %llu: %s\n", c->name, (unsigned long long)(first + i),
                    graph.why);
            seed_print("test_random_recorded", first + i);
        }
        assert_true(right);
        compared += graph.compared;
        failures += graph.failures;
        launches += recorded_joined(pool);
        (void)fgpu_pool_close(pool);
    }
    fprintf(stderr, "%s: %llu graphs, %llu launches as one task, %llu words right, %llu failures\n",
            c->name, (unsigned long long)count, (unsigned long long)launches,
            (unsigned long long)compared, (unsigned long long)failures);
    assert_true(compared > 0);
    if (count >= 20 &&
        c->joins) /* the device is lost early, sooner or later as its thread is fast */
        assert_true(strcmp(c->name, "lost") == 0 ? launches > 0 : launches > count);
    if (c->is_traced)
        assert_true(launches == 0);
    if (c->faults == NULL && !c->fails)
        assert_true(failures == 0);
    else if (count >= 20)
        assert_true(failures > 0);
}

static const char *recorded_only = "";

static void test_random_recorded(void **state)
{
    (void)state;
    uint64_t first = seed_get(1);
    for (size_t i = 0; i < sizeof recorded_cases / sizeof recorded_cases[0]; i++)
        if (strstr(recorded_cases[i].name, recorded_only) != NULL)
            recorded_run_case(&recorded_cases[i], first, seed_count(recorded_cases[i].seeds));
}

int main(int argc, char **argv)
{
    if (argc > 1)
        recorded_only = argv[1];
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_recorded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
