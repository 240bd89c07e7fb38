/* What is printed of a run, in words and as JSON, byte by byte: of one where all is known, of one
 * where nothing was measured, and of one that was stopped. tests/golden/data/run/NAME.txt and
 * NAME.json are expected.
 *
 * FASTGPU_GOLDEN_UPDATE=1 writes them anew; look at the difference before you commit it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/common/file.h"
#include "cli/run/run_print.h"

static struct workload workload;
static struct evaluation evaluation;

static void set_machine(void)
{
    struct evaluation_machine *machine = &evaluation.machine;

    (void)snprintf(machine->name, sizeof machine->name, "Example processor");
    (void)snprintf(machine->system, sizeof machine->system, "Linux 6.1 x86_64");
    (void)snprintf(machine->version, sizeof machine->version, "0.1.0");
    (void)snprintf(machine->started, sizeof machine->started, "2026-01-02T03:04:05+0000");
}

static void add_device(const char *id, const char *name, uint32_t units, uint32_t queues)
{
    struct evaluation_device *device = &evaluation.devices[evaluation.device_count++];

    (void)snprintf(device->info.id, sizeof device->info.id, "%s", id);
    (void)snprintf(device->info.name, sizeof device->info.name, "%s", name);
    (void)snprintf(device->info.backend, sizeof device->info.backend, "%.3s", id);
    device->cpu_share = -1.0;
    device->info.queue_count = queues;
    device->info.compute_units = units;
    device->info.memory_bytes = (uint64_t)units << 30;
    if (units > 0)
        device->info.valid = FGPU_INFO_UNITS | FGPU_INFO_MEMORY;
}

/* Nothing but that the work was to be done: one task, a device that tells nothing of itself. */
static void make_unknown(void)
{
    workload = (struct workload){.task_count = 1, .kernel_count = 1, .buffer_count = 1};
    evaluation = (struct evaluation){.workload = &workload,
                                     .path = "un\"known.json",
                                     .policy = "fifo",
                                     .shown = EVALUATION_NONE};
    evaluation.traced.cpu_share = evaluation.traced.cpu_share_middle = -1.0;
    evaluation.traced.own_share = -1.0;
    evaluation.others_share = -1.0;
    evaluation.traced.cancelled_count = 1;
    evaluation.is_interrupted = true;
    set_machine();
    add_device("sim", "", 0, 1);
    evaluation.devices[0].cpu_share = -1.0;
    (void)snprintf(evaluation.energy_why, sizeof evaluation.energy_why, "/sys has no counters");
}

static void set_sides(void)
{
    static const uint64_t medians[4] = {30000000, 15000000, 0, 40000000};

    evaluation.side_count = 4;
    for (uint32_t i = 0; i < 4; i++) {
        struct evaluation_side *side = &evaluation.sides[i];
        side->way = i % 2 == 0 ? BASELINE_BY_HAND : BASELINE_QUEUE;
        side->device = i / 2;
        side->median_ns = medians[i];
        side->cpu_share = 0.5;
        side->copied_bytes = i % 2 == 0 ? 123456789 : 0;
        side->is_equal = medians[i] > 0;
    }
    (void)snprintf(evaluation.sides[2].error, sizeof evaluation.sides[2].error,
                   "no variant of k for cpu");
}

static void make_known(void)
{
    static const uint64_t walls[3] = {21000000, 20000000, 19000000};

    workload = (struct workload){.task_count = 200,
                                 .kernel_count = 3,
                                 .buffer_count = 12,
                                 .output_count = 2,
                                 .buffer_bytes = UINT64_C(20000000000)};
    evaluation = (struct evaluation){.workload = &workload,
                                     .path = "known.json",
                                     .policy = "eft",
                                     .shown = 1,
                                     .others_share = 0.25};
    set_machine();
    evaluation.machine.cores = 2.5;
    evaluation.machine.memory_bytes = UINT64_C(8) << 30;
    add_device("opencl:0", "A GPU of many words", 16, 1);
    add_device("cpu", "Example processor", 2, 2);
    for (uint32_t i = 0; i < 3; i++)
        evaluation.rounds[i] = (struct evaluation_round){.start_ns = 1000,
                                                         .end_ns = 1000 + walls[i],
                                                         .copied_bytes = 4096,
                                                         .copies = 1,
                                                         .evictions = 2,
                                                         .bytes_evicted = 12345,
                                                         .bytes_reloaded = 8192,
                                                         .bytes_spilled = 777,
                                                         .blocks_planned = 5,
                                                         .blocks_stitched = 1,
                                                         .thrashes = 3,
                                                         .done_count = 200,
                                                         .cpu_share = 0.875,
                                                         .own_share = 0.0625,
                                                         .cpu_share_middle = 0.96,
                                                         .joule = 2.5 + i};
    (void)snprintf(evaluation.energy_sources, sizeof evaluation.energy_sources, "package-0, dram");
    evaluation.round_count = 3;
    for (uint32_t i = 0; i < 2; i++) {
        struct evaluation_device *device = &evaluation.devices[i];
        device->task_count = i == 0 ? 150 : 50;
        device->busy_ns = i == 0 ? 18000000 : 0;
        device->is_busy_known = i == 0;
        device->busy_share = 0.9;
        device->cpu_share = i == 0 ? -1.0 : 0.75;
        device->memory_peak_bytes = 1 << 20;
    }
    set_sides();
    evaluation.is_traced = true;
    evaluation.edges.count = 321;
    evaluation.latency = (struct evaluation_latency){9000000, 8000000, 17000000, 18000000, true};
    evaluation.is_bound_known = true;
    evaluation.bound = (struct bound){16000000, 2000000, 16000000, 3};
    evaluation.written_count = 2;
}

/* What `print` writes to stdout. [give] text. */
static void capture(void (*print)(void), struct file_bytes *text)
{
    char name[] = "/tmp/fastgpu-print-XXXXXX", why[CLI_WHY_BYTES];
    int fd = mkstemp(name), kept;

    assert_true(fd >= 0);
    (void)fflush(stdout);
    kept = dup(STDOUT_FILENO);
    assert_true(dup2(fd, STDOUT_FILENO) >= 0);
    print();
    (void)fflush(stdout);
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    (void)close(kept);
    (void)close(fd);
    assert_int_equal(file_read(name, 1 << 20, text, why, sizeof why), FGPU_OK);
    (void)unlink(name);
}

static void print_words(void)
{
    run_print_text(&evaluation);
}

static void print_json(void)
{
    assert_true(run_print_json(&evaluation));
}

static void check(const char *name, void (*print)(void))
{
    const char *source = getenv("FASTGPU_SOURCE_DIR");
    char path[4096], why[CLI_WHY_BYTES];
    struct file_bytes found, wanted = {0};

    (void)snprintf(path, sizeof path, "%s/tests/golden/data/run/%s", source ? source : ".", name);
    capture(print, &found);
    if (getenv("FASTGPU_GOLDEN_UPDATE") != NULL)
        assert_int_equal(file_replace(path, found.data, found.size_bytes, why, sizeof why),
                         FGPU_OK);
    if (file_read(path, 1 << 20, &wanted, why, sizeof why) != FGPU_OK)
        fail_msg("%s", why);
    if (found.size_bytes != wanted.size_bytes ||
        memcmp(found.data, wanted.data, found.size_bytes) != 0)
        fail_msg("%s: expected otherwise is:\n%.*s", name, (int)found.size_bytes,
                 (const char *)found.data);
    file_bytes_fini(&found);
    file_bytes_fini(&wanted);
}

static void test_known(void **state)
{
    (void)state;
    make_known();
    assert_true(run_ratio(&evaluation, &evaluation.sides[1]) == 0.75);
    assert_true(run_ratio(&evaluation, &evaluation.sides[2]) == 0.0);
    assert_int_equal(evaluation_best_side(&evaluation, BASELINE_BY_HAND), 0);
    assert_int_equal(evaluation_best_side(&evaluation, BASELINE_QUEUE), 1);
    check("known.txt", print_words);
    check("known.json", print_json);
}

static void test_unknown(void **state)
{
    (void)state;
    make_unknown();
    assert_int_equal(evaluation_best_side(&evaluation, BASELINE_QUEUE), EVALUATION_NONE);
    assert_int_equal(run_wall_ns(&evaluation), 0);
    check("unknown.txt", print_words);
    check("unknown.json", print_json);
}

/* Stopped in its only run: no time of it is compared with anything, rates count what was done. */
static void test_stopped(void **state)
{
    (void)state;
    make_known();
    evaluation.round_count = 0;
    evaluation.shown = EVALUATION_NONE;
    evaluation.traced = evaluation.rounds[1];
    evaluation.traced.done_count = 50;
    evaluation.traced.cancelled_count = 150;
    evaluation.is_interrupted = true;
    evaluation.side_count = 0;
    assert_false(run_is_whole(&evaluation));
    check("stopped.txt", print_words);
    check("stopped.json", print_json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_stopped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
