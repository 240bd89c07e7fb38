/* Random tasks of all classes on devices of the test's own (tests/lib/engine_rig.h), whose queues
 * get on at random, whose guards stop launches after a random number of groups, and that sometimes
 * have too little memory, refuse guards or forms, fail commands or die.
 *
 * All bytes that can be read in the end are what the tasks in the order of their submission would
 * have made of them: nothing ran twice, nothing was left out. Without failures and deaths all bytes
 * can be read; with them every task ends. The engine's invariants are asserted after every turn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "core/preempt.h"
#include "core/serve.h"
#include "tests/lib/engine_rig.h"
#include "tests/lib/seed.h"

#define BUFFERS 8u
#define OWN 5u /* most urgent tasks use those from here on: they do not make all others urgent */
#define BYTES 4096u
#define LOCAL 16u
#define TASKS 60u
#define GROUP_NS 20000u

static struct engine_rig rig;
static uint8_t host[BUFFERS][BYTES], wanted[BUFFERS][BYTES];
static uint32_t buffers[BUFFERS];
static uint64_t stops, forms;

struct preempt_world {
    struct rng rng;
    uint32_t devices;
    bool own_memory, fails, dies, died;
    uint32_t tasks[TASKS], generations[TASKS];
};

static void open_world(struct preempt_world *world, uint64_t seed)
{
    static const uint32_t queues[] = {1, 2, 1};
    rng_init(&world->rng, seed);
    struct rng *rng = &world->rng;
    world->devices = 1 + (uint32_t)rng_below(rng, 3);
    world->own_memory = rng_below(rng, 2);
    world->fails = rng_below(rng, 4) == 0;
    world->died = false;
    world->dies = world->devices > 1 && rng_below(rng, 4) == 0;
    const struct engine_rig_setup setup = {
        .queues = queues,
        .devices = world->devices,
        .slices = true,
        .preempt = (uint32_t)rng_below(rng, 4),
        .host_memory = !world->own_memory,
        .device_bytes = world->own_memory ? 3 * BYTES + rng_below(rng, 3) * BYTES : 0,
        .policy = rng_below(rng, 2) ? "eft" : "fifo",
        .budget_ns = 500000};
    engine_rig_open_as(&rig, &setup);
    rig.forms_fail = rng_below(rng, 6) == 0 ? 1u << (1 + rng_below(rng, 2)) : 0;
    rig.no_guards = rng_below(rng, 8) == 0;
    for (uint32_t b = 0; b < BUFFERS; b++) {
        for (uint32_t i = 0; i < BYTES; i++)
            host[b][i] = wanted[b][i] = (uint8_t)rng_below(rng, 256);
        buffers[b] = engine_rig_buffer(&rig, BYTES, host[b]);
    }
    assert_int_equal(serve_begin(&rig.engine), FGPU_OK);
}

/* What the task would make of the bytes. */
static void expect(uint32_t kernel, const struct submit_arg *args, const uint32_t *which,
                   uint64_t bytes)
{
    uint8_t *at[3] = {0};
    for (uint32_t i = 0; i < (kernel == rig.inc ? 1 : 3); i++)
        at[i] = &wanted[which[i]][args[i].offset_bytes];
    for (uint64_t i = 0; i < bytes; i++)
        if (kernel == rig.inc) {
            at[0][i]++;
        } else if (kernel == rig.mix) {
            at[0][i] = (uint8_t)(3 * at[1][i] + 5 * at[2][i] + 1);
        } else {
            at[0][i] = (uint8_t)(at[2][i] + 1);
            at[1][i] = (uint8_t)(at[2][i] + 2);
        }
}

static uint32_t submit(struct preempt_world *world)
{
    struct rng *rng = &world->rng;
    uint32_t kernels[] = {rig.inc, rig.mix, rig.twin}, which[3];
    uint32_t kernel = kernels[rng_below(rng, 3)];
    uint8_t count = kernel == rig.inc ? 1 : 3;
    uint64_t bytes = LOCAL << rng_below(rng, 8);
    uint64_t begin = rng_below(rng, (BYTES - bytes) / LOCAL + 1) * LOCAL;
    struct submit_arg args[3];
    uint8_t rank = rng_below(rng, 3) == 0 ? SERVE_URGENT : (uint8_t)(1 + rng_below(rng, 2));
    bool own = rank == SERVE_URGENT && rng_below(rng, 8) > 0;
    uint32_t first = own ? OWN : 0, span = own ? BUFFERS - OWN : OWN;
    uint32_t at = (uint32_t)rng_below(rng, span);
    for (uint32_t i = 0; i < 3; i++)
        which[i] = first + (at + i) % span;
    for (uint32_t i = 0; i < count; i++) {
        bool writes = i == 0 || (kernel == rig.twin && i == 1);
        uint8_t mode = !writes ? FGPU_READ : kernel == rig.inc ? FGPU_READ_WRITE : FGPU_WRITE;
        args[i] = engine_rig_arg(buffers[which[i]], mode, begin, bytes);
    }
    struct task_terms terms = {.deadline_ns = UINT64_MAX, .rank = rank};
    struct submit_request request = {.kind = TASK_KERNEL,
                                     .arg_count = count,
                                     .kernel = kernel,
                                     .args = args,
                                     .pin = TASK_DEVICE_ANY,
                                     .dims = 1,
                                     .global = {bytes, 1, 1},
                                     .terms = &terms};
    if (rng_below(rng, 2))
        request.local[0] = request.local[1] = request.local[2] = 1, request.local[0] = LOCAL;
    else
        request.flags |= TASK_F_AUTO_LOCAL;
    expect(kernel, args, which, bytes);
    return engine_rig_submit(&rig, &request, TASK_NONE);
}

/* By its groups, of whom it may run few. */
static uint64_t time_of(const fgpu_cmd *cmd)
{
    const fgpu_cmd_launch *launch = cmd->body;
    if (cmd->kind != FGPU_CMD_LAUNCH)
        return 5000;
    if (launch->part == FGPU_LAUNCH_SLICE)
        return GROUP_NS * ((const fgpu_cmd_slice *)(const void *)launch)->count;
    return GROUP_NS * launch->args[0].size_bytes / LOCAL;
}

/* Some queue gets on a little. */
static bool work_some(struct preempt_world *world)
{
    struct rng *rng = &world->rng;
    uint32_t from = (uint32_t)rng_below(rng, rig.engine.lane_count);
    for (uint32_t k = 0; k < rig.engine.lane_count; k++) {
        uint32_t i = (from + k) % rig.engine.lane_count;
        struct engine_rig_lane *lane = &rig.lanes[i];
        if (rig.engine.devices[rig.engine.lanes[i].device].lost || lane->done == lane->taken)
            continue;
        uint64_t ns = time_of(&lane->commands[lane->done + 1]) * (5 + rng_below(rng, 10)) / 10;
        rig.stop_after = rng_below(rng, 20);
        lane->start_ns = lane->end_ns + 100;
        lane->end_ns = lane->start_ns + ns;
        lane->fails[lane->done + 1] = world->fails && rng_below(rng, 40) == 0;
        engine_clock(&rig.engine, rig.engine.now_ns + ns);
        engine_rig_work(&rig, i, lane->done + 1 + rng_below(rng, 2));
        return true;
    }
    return false;
}

/* False: they are lost, or a task that should have written them has failed. */
static bool is_right(uint64_t seed, uint32_t b, uint64_t begin, uint64_t bytes)
{
    static uint8_t got[BYTES];
    if (!engine_rig_read(&rig, buffers[b], begin, bytes, got))
        return false;
    if (memcmp(got, &wanted[b][begin], (size_t)bytes) != 0)
        fail_msg("seed %llu: buffer %u differs from byte %llu on", (unsigned long long)seed, b,
                 (unsigned long long)begin);
    return true;
}

static void run_world(uint64_t seed)
{
    static struct preempt_world world;
    open_world(&world, seed);
    uint32_t submitted = 0;
    bool alive = true;
    for (uint32_t step = 0; alive; step++) {
        if (step > 100000)
            fail_msg("seed %llu: it never ends", (unsigned long long)seed);
        if (submitted < TASKS && rng_below(&world.rng, 3) == 0) {
            world.tasks[submitted] = submit(&world);
            submitted++;
        }
        if (world.dies && rng_below(&world.rng, 150) == 0) {
            engine_rig_lose(&rig, (uint32_t)rng_below(&world.rng, world.devices));
            world.dies = false;
            world.died = true;
        }
        engine_rig_turn(&rig);
        bool works = submitted == TASKS || rng_below(&world.rng, 3) == 0;
        alive = (works && work_some(&world)) || submitted < TASKS;
        if (rng_below(&world.rng, 3) == 0)
            engine_rig_turn(&rig);
    }
    if (rig.engine.pending_tasks != 0)
        fail_msg("seed %llu: %u tasks have not ended", (unsigned long long)seed,
                 rig.engine.pending_tasks);
    stops += rig.engine.stats.preemptions;
    forms += rig.forms_made;
    if (!world.fails && !world.died && rig.engine.stats.tasks_failed != 0)
        fail_msg("seed %llu: a task has failed", (unsigned long long)seed);
    for (uint32_t b = 0; b < BUFFERS; b++) {
        if (is_right(seed, b, 0, BYTES))
            continue;
        if (!world.fails && !world.died)
            fail_msg("seed %llu: buffer %u is gone", (unsigned long long)seed, b);
        for (uint64_t begin = 0; begin < BYTES; begin += LOCAL)
            (void)is_right(seed, b, begin, LOCAL);
    }
    for (uint32_t failure; (failure = engine_take_failure(&rig.engine)) != TASK_NONE;)
        engine_forget(&rig.engine, failure);
    for (uint32_t g = 0; g < rig.guard_count; g++)
        if (rig.guards[g].open)
            fail_msg("seed %llu: a guard is left", (unsigned long long)seed);
    for (uint32_t i = 0; i < table_high_water(&rig.engine.tasks); i++)
        if (engine_task(&rig.engine, i)->kind == TASK_MAP &&
            task_state(engine_task(&rig.engine, i)) == FGPU_TASK_RUNNING)
            engine_unmap(&rig.engine, i);
    engine_rig_finish(&rig);
    engine_rig_close(&rig);
}

static void test_random_preemption(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(60);
    for (uint64_t seed = first; seed < first + count; seed++)
        run_world(seed);
    print_message("%llu preemptions, %llu forms of kernels\n", (unsigned long long)stops,
                  (unsigned long long)forms);
    if (count >= 10)
        assert_true(stops > count / 4 && forms > count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_preemption)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
