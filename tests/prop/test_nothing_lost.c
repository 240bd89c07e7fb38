/* Random task graphs in pools whose memory is too small for them: devices that evict to the host,
 * a host that spills to a folder, folders and disks that are full, allocations that are refused.
 *
 * Capacities follow from the seed. Every wait returns; where nothing can fail, every word is what
 * running one after another gives; else every word that can be read, and what cannot is an error.
 * Over all seeds data must have been evicted, spilled and brought back, or the test has shown
 * nothing. What lies in host memory carries checksums (FGPU_POOL_CHECKSUM). argv[1]: only the case
 * whose name contains it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/random_graph.h"
#include "tests/lib/seed.h"
#include "tests/lib/temp_folder.h"

#define OPS 60
#define BUFFER (RANDOM_GRAPH_WORDS * 4u)

struct lost_case {
    const char *name, *devices;
    uint32_t workers;
    uint32_t device, host; /* memory in buffers at least, 0: no limit; up to four more */
    uint32_t flags;
    const char *faults; /* %llu is the seed */
    uint64_t spill_bytes, disk_bytes;
    bool fails; /* tasks may */
    bool spills;
};

static const struct lost_case lost_cases[] = {
    {"cpu", "cpu", 2, 0, 3, 0, NULL, 0, 0, false, true},
    {"devices", "sim:2", 1, 4, 3, 0, NULL, 0, 0, false, true},
    {"mixed", "sim:2,cpu", 2, 4, 4, 0, NULL, 0, 0, false, true},
    {"refused", "sim:2,cpu", 2, 4, 4, 0, "seed=%llu,alloc=100", 0, 0, true, true},
    {"failing", "sim:2,cpu", 2, 4, 4, 0, "seed=%llu,submit=100,task=10,alloc=30", 0, 0, true, true},
    {"folder-full", "sim:2,cpu", 2, 4, 3, 0, NULL, 131072, 0, true, true},
    {"disk-full", "sim:2,cpu", 2, 4, 3, 0, NULL, 0, 66000, true, true},
    {"disk-broken", "cpu", 2, 0, 3, 0, NULL, 0, 100, true, false},
    {"no-folder", "sim:2,cpu", 2, 4, 3, 0, NULL, UINT64_MAX, 0, true, false},
    {"at-once", "cpu", 2, 0, 3, FGPU_POOL_NOMEMWAIT, NULL, 0, 0, true, true},
};

static const char *lost_only = "";

static bool lost_open(const struct lost_case *c, uint64_t seed, fgpu_pool *pool)
{
    static const char *const policies[] = {"auto",  "eft",        "fifo",
                                           "steal", "heteroprio", "lookahead"};
    char faults[256] = "";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (c->faults != NULL)
        snprintf(faults, sizeof faults, c->faults, (unsigned long long)seed);
#pragma GCC diagnostic pop
    fgpu_pool_options options;
    fgpu_pool_options_init(&options);
    options.devices = c->devices;
    options.cpu_workers = c->workers;
    options.policy = policies[seed % 6];
    options.device_memory_bytes = c->device > 0 ? (c->device + seed % 5) * BUFFER : 0;
    options.host_memory_bytes = c->host > 0 ? (c->host + seed / 5 % 5) * BUFFER : 0;
    options.spill_bytes = c->spill_bytes == UINT64_MAX ? 0 : c->spill_bytes;
    options.spill_dir = c->spill_bytes == UINT64_MAX ? NULL : temp_folder_path("");
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

static void lost_run_case(const struct lost_case *c, uint64_t first, uint64_t count)
{
    static struct random_graph graph;
    fgpu_pool_stats sum = {0};
    uint64_t compared = 0, failures = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        fgpu_pool pool;
        struct random_graph_kernels kernels;
        assert_true(lost_open(c, seed, &pool));
        assert_int_equal(random_graph_kernels(pool, &kernels), FGPU_OK);
        if (c->disk_bytes > 0)
            temp_folder_fill_disk((size_t)c->disk_bytes);
        bool right = c->fails ? random_graph_run_faulty(&graph, pool, &kernels, seed, OPS, 0)
                              : random_graph_run(&graph, pool, &kernels, seed, OPS, 1);
        if (c->disk_bytes > 0)
            temp_folder_empty_disk();
        if (!right) {
            fprintf(stderr, "case %s, seed %llu: %s\n", c->name, (unsigned long long)seed,
                    graph.why);
            seed_print("test_nothing_lost", seed);
        }
        assert_true(right);
        fgpu_pool_stats stats = {.struct_bytes = sizeof stats};
        assert_int_equal(fgpu_pool_get_stats(pool, &stats), FGPU_OK);
        compared += graph.compared;
        failures += graph.failures;
        sum.evictions += stats.evictions;
        sum.bytes_spilled += stats.bytes_spilled;
        sum.bytes_reloaded += stats.bytes_reloaded;
        (void)fgpu_pool_close(pool);
    }
    fprintf(stderr,
            "%s: %llu graphs, %llu failures told, %llu evictions, %llu bytes spilled, %llu back\n",
            c->name, (unsigned long long)count, (unsigned long long)failures,
            (unsigned long long)sum.evictions, (unsigned long long)sum.bytes_spilled,
            (unsigned long long)sum.bytes_reloaded);
    assert_true(!c->fails || compared > 0);
    if (count >= 4 && c->spills)
        assert_true(sum.evictions > 0 && sum.bytes_spilled > 0 && sum.bytes_reloaded > 0);
}

static void test_nothing_lost(void **state)
{
    (void)state;
    uint64_t first = seed_get(1);
    for (size_t i = 0; i < sizeof lost_cases / sizeof lost_cases[0]; i++)
        if (strstr(lost_cases[i].name, lost_only) != NULL)
            lost_run_case(&lost_cases[i], first, seed_count(8));
    assert_int_equal(temp_folder_count(), 0); /* what was spilled went with its pool */
}

int main(int argc, char **argv)
{
    if (argc > 1)
        lost_only = argv[1];
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing_lost)};
    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
