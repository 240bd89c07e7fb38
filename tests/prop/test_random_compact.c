/* Blocks that move within a device's memory, below random tasks on buffers of random sizes: what
 * comes out is what one task after the other gives.
 *
 * The device is too small for all buffers and full of holes; queues work in random steps; copies
 * within a memory fail now and then, which must change nothing; with a loss, what can still be read
 * must be right. Each buffer has the same value in all its bytes.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "core/compact.h"
#include "tests/lib/engine_rig.h"
#include "tests/lib/seed.h"

#define BUFFERS 12u
#define STEPS 200u
#define ALARM_S 300u
#define MOST_BYTES 300000u

static struct engine_rig rig;
static struct rng rng;
static uint32_t buffers[BUFFERS];
static uint64_t sizes[BUFFERS];
static uint8_t values[BUFFERS];
static uint64_t compactions, failures;
static uint8_t text[MOST_BYTES];

static void make(uint32_t i)
{
    sizes[i] = 4097 + rng_below(&rng, rng_below(&rng, 3) == 0 ? MOST_BYTES - 4097 : 100000);
    buffers[i] = engine_rig_buffer(&rig, sizes[i], NULL);
    values[i] = (uint8_t)rng_below(&rng, 250);
    engine_rig_fill(&rig, buffers[i], 0, sizes[i], values[i], TASK_DEVICE_ANY);
}

static bool is_move(const fgpu_cmd *cmd)
{
    const fgpu_cmd_copy *copy = cmd->body;
    return cmd->kind == FGPU_CMD_COPY && !copy->src_is_host && !copy->dst_is_host;
}

/* The queues work on, some way. */
static void work(void)
{
    engine_rig_turn(&rig);
    for (uint32_t l = 0; l < rig.engine.lane_count; l++) {
        struct engine_rig_lane *lane = &rig.lanes[l];
        if (rig.engine.devices[rig.engine.lanes[l].device].lost)
            continue;
        uint64_t to = lane->done + rng_below(&rng, lane->taken - lane->done + 1);
        for (uint64_t n = lane->done + 1; n <= to; n++) {
            lane->fails[n] = is_move(&lane->commands[n]) && rng_below(&rng, 6) == 0;
            failures += lane->fails[n];
        }
        engine_rig_work(&rig, l, to);
    }
}

static void step(void)
{
    uint32_t d = (uint32_t)rng_below(&rng, BUFFERS), s = (uint32_t)rng_below(&rng, BUFFERS),
             t = (uint32_t)rng_below(&rng, BUFFERS);
    struct submit_arg args[] = {engine_rig_arg(buffers[d], FGPU_WRITE, 0, sizes[d]),
                                engine_rig_arg(buffers[s], FGPU_READ, 0, sizes[d]),
                                engine_rig_arg(buffers[t], FGPU_READ, 0, sizes[d])};
    switch (rng_below(&rng, 8)) {
    case 0:
        engine_buffer_destroy(&rig.engine, buffers[d]);
        make(d);
        break;
    case 1:
    case 2:
        if (s == d || t == d || s == t || sizes[s] < sizes[d] || sizes[t] < sizes[d])
            break;
        engine_rig_run(&rig, rig.mix, args, TASK_DEVICE_ANY, TASK_NONE);
        values[d] = (uint8_t)(3 * values[s] + 5 * values[t] + 1);
        break;
    case 3:
        work();
        break;
    default:
        engine_rig_inc(&rig, buffers[d], sizes[d], TASK_DEVICE_ANY);
        values[d]++;
        break;
    }
    work();
}

static void run(uint64_t seed)
{
    static const uint32_t queues[] = {1, 2};
    rng_init(&rng, seed);
    uint32_t devices = 1 + (uint32_t)rng_below(&rng, 2);
    engine_rig_open_as(
        &rig, &(struct engine_rig_setup){.queues = queues,
                                         .devices = devices,
                                         .flags = FGPU_POOL_CHECKSUM,
                                         .device_bytes = 1000000 + rng_below(&rng, 3) * 200000});
    for (uint32_t i = 0; i < BUFFERS; i++)
        make(i);
    for (uint32_t i = 0; i < STEPS; i++)
        step();
    bool loses = devices == 2 && rng_below(&rng, 2) == 0;
    if (loses)
        engine_rig_lose(&rig, (uint32_t)rng_below(&rng, 2));
    for (uint32_t i = 0; i < 10; i++)
        work();
    memset(rig.lanes[0].fails, 0, sizeof rig.lanes[0].fails);
    memset(rig.lanes[1].fails, 0, sizeof rig.lanes[1].fails);
    for (uint32_t i = 0; i < BUFFERS; i++) {
        bool read = engine_rig_read(&rig, buffers[i], 0, sizes[i], text);
        assert_true(read || loses);
        for (uint64_t at = 0; read && at < sizes[i]; at++)
            assert_int_equal(text[at], values[i]);
    }
    compactions += rig.engine.compactions;
    engine_rig_close(&rig);
}

static void test_random(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(20);
    (void)alarm(ALARM_S);
    for (uint64_t seed = first; seed < first + count; seed++) {
        seed_print("prop/test_random_compact", seed);
        run(seed);
    }
    printf("%" PRIu64 " plans, %" PRIu64 " copies failed\n", compactions, failures);
    if (count >= 20)
        assert_true(compactions > count && failures > 0); /* the test tests something */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
