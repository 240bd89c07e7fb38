/* Random task graphs equal sequential execution, on every kind of device and mixtures of them.
 *
 * One case per set of devices; each takes its share of the seeds, several on one pool, so that
 * later graphs meet warm models and used memory. FASTGPU_TEST_SEEDS: seeds for each case. argv[1]:
 * only the case whose name contains it.
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

#define SEEDS_PER_POOL 25
#define OPS 60

struct graphs_case {
    const char *name;
    const char *devices;
    uint32_t workers, subdevices;
    uint64_t memory_bytes; /* of each device with memory of its own */
    uint32_t align_words;
    bool fake;          /* needs the tests' OpenCL or NVIDIA driver */
    const char *policy; /* NULL: one after the other */
    uint32_t seeds;
};

static const struct graphs_case graphs_cases[] = {
    {"cpu", "cpu", 2, 0, 0, 1, false, NULL, 24},
    {"cpu-1", "cpu", 1, 0, 0, 1, false, NULL, 24},
    {"sim", "sim:2", 1, 0, 0, 1, false, NULL, 24},
    {"sim-small-memory", "sim:3", 1, 0, 4 * 384, 1, false, "fifo", 12},
    {"sim-cpu", "sim:2,cpu", 2, 0, 0, 1, false, NULL, 12},
    {"opencl", "opencl", 1, 0, 0, 1, false, "eft", 12},
    {"opencl-2", "opencl", 1, 2, 0, 1, false, "eft", 12},
    {"mixed", "opencl,cpu,sim", 2, 2, 0, 1, false, NULL, 12},
    {"fake", "opencl", 1, 0, 0, 32, true, NULL, 6},
    {"fake-cpu", "opencl,cpu", 2, 0, 16384, 32, true, "fifo", 6},
    {"cuda", "cuda", 1, 0, 0, 1, true, NULL, 6},
    {"cuda-cpu", "cuda,cpu", 2, 0, 16384, 1, true, NULL, 6},
};

static bool graphs_open(const struct graphs_case *c, uint64_t seed, fgpu_pool *pool)
{
    fgpu_pool_options options;
    fgpu_pool_options_init(&options);
    options.devices = c->devices;
    options.cpu_workers = c->workers;
    options.subdevices = c->subdevices;
    options.device_memory_bytes = c->memory_bytes;
    static const char *const policies[] = {"auto",  "eft",        "fifo",
                                           "steal", "heteroprio", "lookahead"};
    options.policy = c->policy != NULL ? c->policy : policies[seed % 6];
    options.flags = FGPU_POOL_VALIDATE;
    options.seed = seed;
    options.cache_dir = "";
    fgpu_status status = fgpu_pool_open(&options, pool);
    if (status == FGPU_OK)
        return true;
    fprintf(stderr, "%s: skipped: %s\n", c->name, fgpu_last_error());
    return false;
}

static bool graphs_select_library(const struct graphs_case *c)
{
    bool cuda = strncmp(c->devices, "cuda", 4) == 0;
    if (getenv("FASTGPU_TEST_CARD") != NULL)
        return cuda;
    const char *fake = cuda ? getenv("FAKECUDA_LIB") : getenv("FAKEICD_LIB");
    if (cuda && fake != NULL && fake[0] != '\0') {
        setenv("FASTGPU_CUDA_LIBRARY", fake, 1);
        setenv("FASTGPU_NVRTC_LIBRARY", fake, 1);
        setenv("FASTGPU_NVML_LIBRARY", fake, 1);
        return true;
    }
    if (!c->fake) {
        unsetenv("FASTGPU_OPENCL_LIBRARY");
        return true;
    }
    if (fake == NULL || fake[0] == '\0')
        return false;
    setenv("FASTGPU_OPENCL_LIBRARY", fake, 1);
    return true;
}

static uint32_t graphs_divisible; /* of 100 tasks */
static uint64_t graphs_pieces, graphs_equal;

/* Returns false on a wrong result. */
static bool graphs_run_case(const struct graphs_case *c, uint64_t first, uint64_t count)
{
    static struct random_graph graph;
    if (!graphs_select_library(c))
        return true;
    for (uint64_t done = 0; done < count; done += SEEDS_PER_POOL) {
        fgpu_pool pool;
        struct random_graph_kernels kernels;
        if (!graphs_open(c, first + done, &pool))
            return true;
        fgpu_status status = random_graph_kernels(pool, &kernels);
        kernels.divisible = graphs_divisible;
        if (status != FGPU_OK) {
            fprintf(stderr, "%s: kernels: %s\n", c->name, fgpu_last_error());
            return false;
        }
        for (uint64_t i = done; i < count && i < done + SEEDS_PER_POOL; i++) {
            if (random_graph_run(&graph, pool, &kernels, first + i, OPS, c->align_words))
                continue;
            fprintf(stderr, "case %s, seed %llu: %s\n", c->name, (unsigned long long)(first + i),
                    graph.why);
            seed_print("test_random_graphs", first + i);
            return false;
        }
        fgpu_pool_stats stats = {.struct_bytes = sizeof stats};
        (void)fgpu_pool_get_stats(pool, &stats);
        graphs_pieces += stats.pieces;
        status = fgpu_pool_close(pool);
        if (status != FGPU_OK) {
            fprintf(stderr, "%s: close: %s\n", c->name, fgpu_last_error());
            return false;
        }
    }
    fprintf(stderr, "%s: %llu graphs equal\n", c->name, (unsigned long long)count);
    graphs_equal += count;
    return true;
}

static const char *graphs_only = "";

static void test_random_graphs(void **state)
{
    (void)state;
    uint64_t first = seed_get(1);
    for (size_t i = 0; i < sizeof graphs_cases / sizeof graphs_cases[0]; i++) {
        const struct graphs_case *c = &graphs_cases[i];
        if (strstr(c->name, graphs_only) != NULL)
            assert_true(graphs_run_case(c, first, seed_count(c->seeds)));
    }
    assert_true(graphs_equal > 0);
}

/* The same where kernels may be run in pieces, which always seem to pay. */
static void test_divided(void **state)
{
    graphs_divisible = 70;
    split_tuning = (struct split_tuning){.gain = 1e300};
    test_random_graphs(state);
    fprintf(stderr, "%llu pieces\n", (unsigned long long)graphs_pieces);
    assert_true(graphs_pieces > 0);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        graphs_only = argv[1];
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_graphs),
                                       cmocka_unit_test(test_divided)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
