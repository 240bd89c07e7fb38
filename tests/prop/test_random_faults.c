/* Random task graphs on devices that fail: nothing hangs, and nothing is silently wrong.
 *
 * Commands that fail, submissions accepted in part, allocations refused, devices that die in the
 * middle. Every wait returns; every word that can be read is what running one after another gives;
 * what cannot is an error. Over all seeds both must have happened, or the test has shown nothing.
 * How many lost results were made again is told, not asserted: a device dies after so many commands
 * and what it alone held then is a matter of the threads' timing. That it happens, and how often,
 * is asserted where nothing depends on time: tests/unit/test_lineage.c, tests/prop/test_lineage.c
 * and tests/sim/test_simulator.c. argv[1]: only the case whose name contains it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/split.h"
#include "tests/lib/random_graph.h"
#include "tests/lib/seed.h"

#define OPS 60

struct faults_case {
    const char *name;
    const char *devices;
    uint32_t workers;
    uint64_t memory_bytes;
    uint32_t flags;
    const char *faults;  /* %llu is the seed */
    bool fails;          /* some task must have failed over all seeds */
    uint32_t overwrites; /* of 100 operations beside the usual ones: results to make again */
};

static const struct faults_case faults_cases[] = {
    {"partial", "sim:2,cpu", 2, 0, 0, "seed=%llu,submit=300", false, 0},
    {"commands", "sim:2", 1, 0, 0, "seed=%llu,submit=100,task=20", true, 0},
    {"commands-cpu", "cpu", 2, 0, 0, "seed=%llu,task=20", true, 0},
    {"memory", "sim:2", 1, 4 * 384, 0, "seed=%llu,alloc=100", false, 0},
    {"lost", "sim:3", 1, 0, 0, "seed=%llu,lose=1@20,lose=2@60", true, 0},
    {"lost-one-left", "sim:2,cpu", 2, 0, FGPU_POOL_PREIMAGE, "seed=%llu,lose=0@15,lose=1@40", true,
     0},
    {"lost-all", "sim:2", 1, 0, 0, "seed=%llu,lose=0@30,lose=1@50", true, 0},
    {"lost-cpu", "cpu,sim", 2, 0, 0, "seed=%llu,lose=0@30", true, 0},
    {"lost-overwritten", "sim:3", 1, 0, 0, "seed=%llu,lose=1@20,lose=2@50", true, 70},
    {"lost-overwritten-cpu", "sim:2,cpu", 2, 0, 0, "seed=%llu,lose=0@15,lose=1@40", true, 70},
    {"everything", "sim:3,cpu", 2, 4 * 384, 0,
     "seed=%llu,submit=100,task=10,alloc=30,build=50,lose=1@50,lose=2@90", true, 0},
};

static const char *faults_only = "";

static bool faults_open(const struct faults_case *c, uint64_t seed, fgpu_pool *pool)
{
    char faults[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(faults, sizeof faults, c->faults, (unsigned long long)seed);
#pragma GCC diagnostic pop
    fgpu_pool_options options;
    fgpu_pool_options_init(&options);
    options.devices = c->devices;
    options.cpu_workers = c->workers;
    options.device_memory_bytes = c->memory_bytes;
    options.flags = c->flags | FGPU_POOL_VALIDATE | FGPU_POOL_CHECKSUM;
    options.faults = faults;
    options.seed = seed;
    options.cache_dir = "";
    options.log_level = FGPU_LOG_OFF;
    fgpu_status status = fgpu_pool_open(&options, pool);
    if (status != FGPU_OK)
        fprintf(stderr, "%s: %s\n", c->name, fgpu_last_error());
    return status == FGPU_OK;
}

static uint32_t faults_divisible; /* of 100 tasks */
static uint64_t faults_pieces;

static void faults_run_case(const struct faults_case *c, uint64_t first, uint64_t count)
{
    static struct random_graph graph;
    uint64_t compared = 0, failures = 0, recomputed = 0;
    for (uint64_t i = 0; i < count; i++) {
        fgpu_pool pool;
        struct random_graph_kernels kernels;
        assert_true(faults_open(c, first + i, &pool));
        assert_int_equal(random_graph_kernels(pool, &kernels), FGPU_OK);
        kernels.divisible = faults_divisible;
        bool right = random_graph_run_faulty(&graph, pool, &kernels, first + i, OPS, c->overwrites);
        if (!right) {
            fprintf(stderr, "case %s, seed %llu: %s\n", c->name, (unsigned long long)(first + i),
                    graph.why);
            seed_print("test_random_faults", first + i);
        }
        assert_true(right);
        compared += graph.compared;
        failures += graph.failures;
        fgpu_pool_stats stats = {.struct_bytes = sizeof stats};
        assert_int_equal(fgpu_pool_get_stats(pool, &stats), FGPU_OK);
        recomputed += stats.tasks_recomputed;
        faults_pieces += stats.pieces;
        (void)fgpu_pool_close(pool); /* tells the first failure that nobody asked about */
    }
    fprintf(stderr,
            "%s: %llu graphs, %llu words right, %llu failures told, %llu tasks recomputed\n",
            c->name, (unsigned long long)count, (unsigned long long)compared,
            (unsigned long long)failures, (unsigned long long)recomputed);
    assert_true(compared > 0);
    if (count >= 20 && c->fails) /* fewer may all be lucky */
        assert_true(failures > 0);
    if (!c->fails)
        assert_true(failures == 0);
}

static void test_random_faults(void **state)
{
    (void)state;
    uint64_t first = seed_get(1);
    for (size_t i = 0; i < sizeof faults_cases / sizeof faults_cases[0]; i++)
        if (strstr(faults_cases[i].name, faults_only) != NULL)
            faults_run_case(&faults_cases[i], first,
                            seed_count(faults_cases[i].overwrites > 0 ? 8 : 10));
}

/* The same where kernels may be run in pieces, which always seem to pay. */
static void test_divided(void **state)
{
    faults_divisible = 70;
    split_tuning = (struct split_tuning){.gain = 1e300};
    test_random_faults(state);
    fprintf(stderr, "%llu pieces\n", (unsigned long long)faults_pieces);
    assert_true(faults_pieces > 0);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        faults_only = argv[1];
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_faults),
                                       cmocka_unit_test(test_divided)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
