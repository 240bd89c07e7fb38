/* Random tasks on devices with little memory of their own, one of which dies at a random moment
 * (tests/lib/engine_rig.h; the queues get on at random).
 *
 * Every byte that can still be read is what the tasks in the order of their submission make of it,
 * and nothing is given up without need: what cannot be read any more, or who fails, goes back to
 * bytes that lay in the dead memory alone, or were on their way out of it. Whether a byte may be
 * gone is decided here, by what the engine held where just before the death, and followed through
 * the tasks that had not ended. Without a death all is there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/rng.h"
#include "tests/lib/engine_rig.h"
#include "tests/lib/seed.h"

#define BUFFERS 5u
#define BYTES 4096u
#define GRAIN 16u /* all ranges begin and end at multiples of it */
#define GRAINS (BYTES / GRAIN)
#define TASKS 60u
#define GRAIN_NS 20000u

/* The same range of one buffer or three. */
struct lost_task {
    uint32_t kernel;
    uint32_t index, generation; /* TASK_NONE: it had ended before the death */
    uint32_t buffer[3];
    uint64_t begin, bytes;
};

struct lost_world {
    struct rng rng;
    uint32_t devices, submitted;
    bool dies, died;
    struct lost_task tasks[TASKS];
    bool excused[BUFFERS][GRAINS]; /* it may be gone */
};

static struct engine_rig rig;
static uint8_t host[BUFFERS][BYTES], wanted[BUFFERS][BYTES];
static uint32_t buffers[BUFFERS];
static struct {
    uint64_t deaths, right, gone, recomputed, evictions;
} tally;

static uint32_t below(struct lost_world *world, uint32_t n)
{
    return (uint32_t)rng_below(&world->rng, n);
}

static void open_world(struct lost_world *world, uint64_t seed)
{
    static const uint32_t plain[] = {1, 2, 1}, copying[] = {2, 3, 2};
    memset(world, 0, sizeof *world);
    rng_init(&world->rng, seed);
    world->devices = 2 + below(world, 2);
    world->dies = below(world, 8) > 0;
    bool copies = below(world, 3) == 0;
    const struct engine_rig_setup setup = {.queues = copies ? copying : plain,
                                           .devices = world->devices,
                                           .copy_queues = copies,
                                           .device_bytes = (3 + below(world, 3)) * BYTES,
                                           .policy = below(world, 2) ? "eft" : "fifo",
                                           .flags = FGPU_POOL_CHECKSUM |
                                                    (below(world, 4) ? 0 : FGPU_POOL_PREIMAGE),
                                           .budget_ns = 500000};
    engine_rig_open_as(&rig, &setup);
    for (uint32_t b = 0; b < BUFFERS; b++) {
        for (uint32_t i = 0; i < BYTES; i++)
            host[b][i] = wanted[b][i] = (uint8_t)below(world, 256);
        buffers[b] = engine_rig_buffer(&rig, BYTES, host[b]);
    }
}

/* ---- tasks ------------------------------------------------------------------------------ */

static bool reads(const struct lost_task *task, uint32_t i)
{
    return task->kernel == rig.inc ? i == 0 : i == 2 || (i == 1 && task->kernel == rig.mix);
}

static bool writes(const struct lost_task *task, uint32_t i)
{
    return i == 0 || (i == 1 && task->kernel == rig.twin);
}

static uint32_t args_of(const struct lost_task *task)
{
    return task->kernel == rig.inc ? 1 : 3;
}

/* What the task makes of the bytes. */
static void expect(const struct lost_task *task)
{
    uint8_t *at[3] = {0};
    for (uint32_t i = 0; i < args_of(task); i++)
        at[i] = &wanted[task->buffer[i]][task->begin];
    for (uint64_t i = 0; i < task->bytes; i++)
        if (task->kernel == rig.inc) {
            at[0][i]++;
        } else if (task->kernel == rig.mix) {
            at[0][i] = (uint8_t)(3 * at[1][i] + 5 * at[2][i] + 1);
        } else {
            at[0][i] = (uint8_t)(at[2][i] + 1);
            at[1][i] = (uint8_t)(at[2][i] + 2);
        }
}

static void submit(struct lost_world *world)
{
    const uint32_t kernels[] = {rig.inc, rig.mix, rig.twin};
    struct lost_task *task = &world->tasks[world->submitted++];
    task->kernel = kernels[below(world, 3)];
    task->bytes = GRAIN << below(world, 8);
    task->begin = below(world, (uint32_t)((BYTES - task->bytes) / GRAIN) + 1) * GRAIN;
    uint32_t first = below(world, BUFFERS);
    struct submit_arg args[3];
    for (uint32_t i = 0; i < 3; i++) {
        task->buffer[i] = (first + i) % BUFFERS;
        uint8_t mode =
            (uint8_t)((reads(task, i) ? FGPU_READ : 0) | (writes(task, i) ? FGPU_WRITE : 0));
        if (i < args_of(task))
            args[i] = engine_rig_arg(buffers[task->buffer[i]], mode, task->begin, task->bytes);
    }
    struct submit_request request = {.kind = TASK_KERNEL,
                                     .flags = TASK_F_AUTO_LOCAL,
                                     .arg_count = (uint8_t)args_of(task),
                                     .kernel = task->kernel,
                                     .args = args,
                                     .pin = TASK_DEVICE_ANY,
                                     .dims = 1,
                                     .global = {task->bytes, 1, 1}};
    expect(task);
    task->index = engine_rig_submit(&rig, &request, TASK_NONE);
    task->generation = task_generation(engine_task(&rig.engine, task->index));
}

static bool has_ended(const struct lost_task *task)
{
    const struct task *record = engine_task(&rig.engine, task->index);
    return task_generation(record) != task->generation || task_state_ended(task_state(record));
}

/* ---- what may be gone ------------------------------------------------------------------- */

/* A copy into or out of the node's memory has not ended there. */
static bool is_moving(struct buffer *buffer, uint32_t node, const struct imap_seg *seg)
{
    uint32_t at = engine_block(buffer, node)->ops;
    while (at != OP_NONE) {
        const struct op *op = table_at(&rig.engine.ops, at);
        if (op->begin < seg->end && op->end > seg->begin)
            return true;
        at = op->src_node == node ? op->in_src.next : op->in_dst.next;
    }
    return false;
}

static void excuse(struct lost_world *world, uint32_t b, uint32_t node)
{
    struct buffer *buffer = engine_buffer(&rig.engine, buffers[b]);
    for (struct imap_seg *seg = imap_first(&buffer->segments, 0); seg != NULL;
         seg = imap_next(&buffer->segments, seg)) {
        const struct replica *replica = &((const struct segment *)imap_payload(seg))->replica;
        uint64_t left = replica->valid & ~(UINT64_C(1) << node);
        if (left == 0 && replica->dirty > 0) /* who changes it there is taken back */
            left = replica->pre & ~(UINT64_C(1) << node);
        for (uint64_t at = seg->begin; at < seg->end; at += GRAIN)
            world->excused[b][at / GRAIN] = left == 0 || is_moving(buffer, node, seg);
    }
}

/* Through a task that had not ended. Returns whether it may fail. */
static bool follow(struct lost_world *world, const struct lost_task *task)
{
    uint64_t first = task->begin / GRAIN, end = first + task->bytes / GRAIN;
    bool may = false;
    for (uint32_t i = 0; i < args_of(task); i++)
        for (uint64_t g = first; g < end && reads(task, i); g++)
            may |= world->excused[task->buffer[i]][g];
    for (uint32_t i = 0; i < args_of(task); i++)
        for (uint64_t g = first; g < end && writes(task, i); g++)
            world->excused[task->buffer[i]][g] = may;
    return may;
}

static void lose(struct lost_world *world)
{
    uint32_t device = below(world, world->devices);
    for (uint32_t b = 0; b < BUFFERS; b++)
        excuse(world, b, rig.engine.devices[device].node);
    for (uint32_t t = 0; t < world->submitted; t++)
        if (has_ended(&world->tasks[t]))
            world->tasks[t].index = TASK_NONE;
    engine_rig_lose(&rig, device);
    world->died = true;
    tally.deaths++;
}

/* ---- a run ------------------------------------------------------------------------------ */

static uint64_t time_of(const fgpu_cmd *cmd)
{
    const fgpu_cmd_launch *launch = cmd->body;
    return cmd->kind != FGPU_CMD_LAUNCH ? 5000 : GRAIN_NS * (launch->args[0].size_bytes / GRAIN);
}

/* Some queue gets on a little. */
static bool work_some(struct lost_world *world)
{
    uint32_t from = below(world, rig.engine.lane_count);
    for (uint32_t k = 0; k < rig.engine.lane_count; k++) {
        uint32_t i = (from + k) % rig.engine.lane_count;
        struct engine_rig_lane *lane = &rig.lanes[i];
        if (rig.engine.devices[rig.engine.lanes[i].device].lost || lane->done == lane->taken)
            continue;
        uint64_t ns = time_of(&lane->commands[lane->done + 1]) * (5 + below(world, 10)) / 10;
        lane->start_ns = lane->end_ns + 100;
        lane->end_ns = lane->start_ns + ns;
        engine_clock(&rig.engine, rig.engine.now_ns + ns);
        engine_rig_work(&rig, i, lane->done + 1 + below(world, 2));
        return true;
    }
    return false;
}

/* Can the range be read, and is it right? */
static bool is_there(uint64_t seed, uint32_t b, uint64_t begin, uint64_t bytes)
{
    static uint8_t got[BYTES];
    if (!engine_rig_read(&rig, buffers[b], begin, bytes, got))
        return false;
    for (uint64_t i = 0; i < bytes; i++)
        if (got[i] != wanted[b][begin + i])
            fail_msg("seed %llu: byte %llu of buffer %u is %u instead of %u",
                     (unsigned long long)seed, (unsigned long long)(begin + i), b, got[i],
                     wanted[b][begin + i]);
    tally.right += bytes / GRAIN;
    return true;
}

static void check_buffer(const struct lost_world *world, uint64_t seed, uint32_t b)
{
    if (is_there(seed, b, 0, BYTES))
        return;
    for (uint64_t g = 0; g < GRAINS; g++) {
        if (is_there(seed, b, g * GRAIN, GRAIN))
            continue;
        tally.gone++;
        if (!world->died || !world->excused[b][g])
            fail_msg("seed %llu: byte %llu of buffer %u is gone without need",
                     (unsigned long long)seed, (unsigned long long)(g * GRAIN), b);
    }
}

static void check_tasks(struct lost_world *world, uint64_t seed)
{
    for (uint32_t t = 0; t < world->submitted; t++) {
        const struct lost_task *task = &world->tasks[t];
        if (!world->died || task->index == TASK_NONE)
            continue;
        const struct task *record = engine_task(&rig.engine, task->index);
        bool may = follow(world, task);
        if (!may && task_generation(record) == task->generation && record->status != FGPU_OK)
            fail_msg("seed %llu: task %u fails without need", (unsigned long long)seed, t);
    }
    for (uint32_t failure; (failure = engine_take_failure(&rig.engine)) != TASK_NONE;)
        engine_forget(&rig.engine, failure);
}

static void run_world(uint64_t seed)
{
    static struct lost_world world;
    open_world(&world, seed);
    bool alive = true;
    for (uint32_t step = 0; alive; step++) {
        if (step > 100000)
            fail_msg("seed %llu: it never ends", (unsigned long long)seed);
        if (world.submitted < TASKS && below(&world, 3) == 0)
            submit(&world);
        if (world.dies && !world.died && below(&world, 150) == 0)
            lose(&world);
        engine_rig_turn(&rig);
        alive = work_some(&world) || world.submitted < TASKS;
        if (below(&world, 3) == 0)
            engine_rig_turn(&rig);
    }
    if (rig.engine.pending_tasks != 0)
        fail_msg("seed %llu: %u tasks have not ended", (unsigned long long)seed,
                 rig.engine.pending_tasks);
    if (!world.died && rig.engine.stats.tasks_failed != 0)
        fail_msg("seed %llu: a task has failed", (unsigned long long)seed);
    check_tasks(&world, seed);
    for (uint32_t b = 0; b < BUFFERS; b++)
        check_buffer(&world, seed, b);
    tally.recomputed += rig.engine.stats.tasks_recomputed;
    tally.evictions += rig.engine.stats.evictions;
    engine_rig_close(&rig);
}

static void test_random_lost(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(30);
    for (uint64_t seed = first; seed < first + count; seed++)
        run_world(seed);
    print_message("%llu deaths, %llu tasks recomputed, %llu evictions, %llu pieces right, %llu "
                  "gone\n",
                  (unsigned long long)tally.deaths, (unsigned long long)tally.recomputed,
                  (unsigned long long)tally.evictions, (unsigned long long)tally.right,
                  (unsigned long long)tally.gone);
    if (count >= 20)
        assert_true(tally.deaths > 0 && tally.recomputed > 0 && tally.evictions > 0 &&
                    tally.gone > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
