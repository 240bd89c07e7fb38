/* The sim device: the same seed and calls give the same run, memory is separate, full of junk and
 * limited, stale handles are refused; the cost model against its formulas.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "dev/sim/cost.h"
#include "dev/sim/sim.h"
#include "dev/sim/sim_memory.h"
#include "lib/device_rig.h"

static const struct rig_target sim = {.name = "sim", .backend = &sim_backend, .executes = true};

/* What a fixed series of calls gives, mixed into one number. */
static uint64_t fingerprint(uint64_t seed, uint32_t index)
{
    struct rig_target target = sim;
    static fgpu_cmd_result results[64];
    fgpu_cmd cmds[64];
    struct rig rig;
    uint64_t print = 0;

    target.options.seed = seed;
    target.index = index;
    rig_open(&rig, &target);
    for (uint32_t i = 0; i < 64; i++)
        cmds[i] = (fgpu_cmd){FGPU_CMD_FENCE, FGPU_CMD_TIMED, &results[i]};
    for (int round = 0; round < 30; round++)
        for (uint32_t queue = 0; queue < 2; queue++) {
            print = print * 31 + device_submit(&rig.queues[queue], cmds, 40);
            assert_int_equal(device_poll(&rig.queues[queue]), FGPU_OK);
            print = print * 31 + rig.queues[queue].finished;
        }
    rig_close(&rig);
    return print;
}

static void test_seed(void **state)
{
    (void)state;
    assert_true(fingerprint(1, 0) == fingerprint(1, 0));
    assert_true(fingerprint(1, 0) != fingerprint(2, 0));
    assert_true(fingerprint(1, 0) != fingerprint(1, 1));
}

/* Submissions are cut, polls sometimes find nothing, and queues progress at different rates. */
static void test_unevenness(void **state)
{
    static fgpu_cmd_result results[200];
    uint32_t cut = 0;
    uint32_t idle = 0;
    fgpu_cmd cmds[200];
    struct rig rig;

    (void)state;
    rig_open(&rig, &sim);
    for (uint32_t i = 0; i < 200; i++)
        cmds[i] = (fgpu_cmd){FGPU_CMD_FENCE, 0, &results[i]};
    for (int round = 0; round < 400; round++) {
        struct device_queue *queue = &rig.queues[round % 2];
        uint64_t before = queue->finished;
        uint64_t waiting = queue->accepted - queue->finished;
        uint32_t count = waiting < 100 ? 20 : 0;
        uint32_t taken = device_submit(queue, cmds, count);
        assert_true(taken > 0 || waiting > 0 || count == 0);
        cut += taken < count;
        assert_int_equal(device_poll(queue), FGPU_OK);
        idle += queue->finished == before && queue->accepted > before;
    }
    assert_true(cut > 10 && cut < 200);
    assert_true(idle > 5 && idle < 200);
    rig_close(&rig);
}

static void test_memory(void **state)
{
    struct sim_memory memory;
    fgpu_mem a;
    fgpu_mem b;
    char *address;

    (void)state;
    sim_memory_init(&memory, 1000);
    assert_int_equal(sim_memory_alloc(&memory, 0, &a), FGPU_E_INVAL);
    assert_int_equal(sim_memory_alloc(&memory, 1001, &a), FGPU_E_DEVMEM);
    assert_int_equal(sim_memory_alloc(&memory, 600, &a), FGPU_OK);
    assert_int_equal(sim_memory_alloc(&memory, 401, &b), FGPU_E_DEVMEM);
    assert_int_equal(sim_memory_alloc(&memory, 400, &b), FGPU_OK);
    assert_true(sim_memory_used_bytes(&memory) == 1000);
    assert_int_equal(sim_memory_find(&memory, a, 599, 600, &address), FGPU_OK);
    assert_int_equal((unsigned char)*address, SIM_MEMORY_JUNK);
    assert_int_equal(sim_memory_find(&memory, a, 599, 601, &address), FGPU_E_RANGE);
    assert_int_equal(sim_memory_find(&memory, a, 7, 6, &address), FGPU_E_RANGE);
    sim_memory_free(&memory, a);
    sim_memory_free(&memory, a);
    sim_memory_free(&memory, 0);
    assert_true(sim_memory_used_bytes(&memory) == 400);
    assert_int_equal(sim_memory_find(&memory, a, 0, 1, &address), FGPU_E_INVAL);
    fgpu_mem again;
    assert_int_equal(sim_memory_alloc(&memory, 600, &again), FGPU_OK);
    assert_true(again != a); /* the place is the same, the generation is not */
    assert_int_equal(sim_memory_find(&memory, a, 0, 1, &address), FGPU_E_INVAL);
    assert_int_equal(sim_memory_find(&memory, again + 5, 0, 1, &address), FGPU_E_INVAL);
    assert_true(again >> 47 != 0); /* no address of a process */
    sim_memory_fini(&memory);
}

static void test_device_limit(void **state)
{
    struct rig_target target = sim;
    fgpu_mem mem;
    struct rig rig;

    (void)state;
    target.options.memory_bytes = 1 << 20;
    rig_open(&rig, &target);
    assert_true(rig.device.caps.memory_bytes == 1 << 20);
    assert_int_equal(device_mem_alloc(&rig.device, (1 << 20) + 1, &mem), FGPU_E_DEVMEM);
    rig_free(&rig, rig_alloc(&rig, 1 << 20));
    rig_free(&rig, rig_alloc(&rig, 1 << 20));
    rig_close(&rig);
}

/* A command beyond its allocation, or on freed memory, fails alone. */
static void test_wrong_ranges(void **state)
{
    struct rig rig;
    fgpu_mem mem;

    (void)state;
    rig_open(&rig, &sim);
    mem = rig_alloc(&rig, 64);
    fgpu_cmd_fill fill = {
        .mem = mem, .row_bytes = 33, .pitch_bytes = 32, .rows = 1, .pattern_bytes = 1};
    assert_int_equal(rig_run(&rig, 0, FGPU_CMD_FILL, 0, &fill), FGPU_OK);
    fill.offset_bytes = 32;
    assert_int_equal(rig_run(&rig, 0, FGPU_CMD_FILL, 0, &fill), FGPU_E_RANGE);
    fill.offset_bytes = UINT64_MAX - 3;
    assert_int_equal(rig_run(&rig, 0, FGPU_CMD_FILL, 0, &fill), FGPU_E_RANGE);
    rig_free(&rig, mem);
    fill.offset_bytes = 0;
    assert_int_equal(rig_run(&rig, 0, FGPU_CMD_FILL, 0, &fill), FGPU_E_INVAL);
    rig_close(&rig);
}

/* ---- cost ----------------------------------------------------------------------------------- */

static const struct sim_machine machine = {.units = 4,
                                           .speed = 2,
                                           .launch_ns = 1000,
                                           .memory_bytes_per_us = 2000,
                                           .link_bytes_per_us = 500,
                                           .link_latency_ns = 300};

static void test_cost(void **state)
{
    fgpu_cmd_launch launch = {.dims = 2, .global = {10, 3}, .local = {4, 1}};
    fgpu_cmd_copy copy = {.row_bytes = 100, .rows = 10};
    fgpu_cmd_fill fill = {.row_bytes = 100, .rows = 10};
    fgpu_cmd_result fence = {0};
    fgpu_cmd cmd = {FGPU_CMD_LAUNCH, 0, &launch};

    (void)state;
    /* 3 x 3 groups on 4 units: 3 waves of 8000 / 2 ns; on 1 unit 9; on 2 units 5. */
    assert_int_equal(cost_ns(&machine, &cmd, 8000000, NULL), 1000 + 3 * 4000);
    launch.width = 1;
    assert_int_equal(cost_ns(&machine, &cmd, 8000000, NULL), 1000 + 9 * 4000);
    launch.width = 2;
    assert_int_equal(cost_ns(&machine, &cmd, 8000000, NULL), 1000 + 5 * 4000);
    cmd = (fgpu_cmd){FGPU_CMD_COPY, 0, &copy};
    assert_int_equal(cost_ns(&machine, &cmd, 0, NULL), 1000 + 2 * 500); /* read and written */
    copy.src_is_host = 1;
    assert_int_equal(cost_ns(&machine, &cmd, 0, NULL), 300 + 2000);
    cmd = (fgpu_cmd){FGPU_CMD_FILL, 0, &fill};
    assert_int_equal(cost_ns(&machine, &cmd, 0, NULL), 1000 + 500);
    cmd = (fgpu_cmd){FGPU_CMD_FENCE, 0, &fence};
    assert_int_equal(cost_ns(&machine, &cmd, 0, NULL), 1);
}

/* Noise has the mean 1 and the deviation asked for; absurd sizes do not wrap. */
static void test_cost_noise(void **state)
{
    struct sim_machine noisy = machine;
    fgpu_cmd_launch launch = {.dims = 1, .global = {4}, .local = {1}};
    fgpu_cmd cmd = {FGPU_CMD_LAUNCH, 0, &launch};
    double plain = (double)cost_ns(&machine, &cmd, 2000000000, NULL);
    double sum = 0;
    double squares = 0;
    struct rng rng;

    (void)state;
    noisy.noise = 0.1;
    rng_init(&rng, 5);
    for (int i = 0; i < 10000; i++) {
        double ratio = (double)cost_ns(&noisy, &cmd, 2000000000, &rng) / plain;
        sum += ratio;
        squares += ratio * ratio;
    }
    double mean = sum / 10000;
    assert_true(fabs(mean - 1) < 0.005); /* 5 standard errors */
    assert_true(fabs(sqrt(squares / 10000 - mean * mean) - 0.1) < 0.005);
    launch.global[0] = UINT64_MAX;
    assert_true(cost_ns(&noisy, &cmd, UINT64_MAX, &rng) >= UINT64_C(1) << 62);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed),         cmocka_unit_test(test_unevenness),
        cmocka_unit_test(test_memory),       cmocka_unit_test(test_device_limit),
        cmocka_unit_test(test_wrong_ranges), cmocka_unit_test(test_cost),
        cmocka_unit_test(test_cost_noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
