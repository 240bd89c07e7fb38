/* When the plan in force uses a buffer next (core/uses.c), and that what it needs last is what
 * leaves a full node (core/memory.c), on devices of the test's own (tests/lib/engine_rig.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/future.h"
#include "core/planner.h"
#include "tests/lib/engine_rig.h"

#define BIG_BYTES (8u << 20)
#define ROOM_BYTES (3u * BIG_BYTES + (1u << 20)) /* for three of them */
#define SMALL_BYTES 64u
#define BUFFERS 4u
#define TASKS 16u
#define LONG_NS 3000000u /* one at a time on its way to a device */

static struct engine_rig rig;
/* Which of them the tasks read: whoever was read longest ago is needed again first. */
static const uint32_t reads[TASKS] = {0, 1, 2, 3, 0, 1, 3, 0, 1, 2, 0, 1, 3, 0, 1, 2};
static uint32_t big[BUFFERS], small[TASKS], tasks[TASKS];

/* One device with room for three of four buffers, and tasks that read them, one after another. */
static void open_cycle(const char *policy)
{
    static const uint32_t queues[] = {1};
    const struct engine_rig_setup setup = {
        .queues = queues, .devices = 1, .policy = policy, .device_bytes = ROOM_BYTES};
    engine_rig_open_as(&rig, &setup);
    engine_clock(&rig.engine, 1000);
    uint64_t key = engine_kernel(&rig.engine, rig.mix)->key;
    for (uint32_t i = 0; i < 8; i++)
        history_learn(&rig.history, key, 1, BIG_BYTES + 2 * SMALL_BYTES, LONG_NS);
    for (uint32_t b = 0; b < BUFFERS; b++) {
        big[b] = engine_rig_buffer(&rig, BIG_BYTES, NULL);
        engine_rig_fill(&rig, big[b], 0, BIG_BYTES, (uint8_t)b, 0);
    }
    engine_rig_finish(&rig);
    for (uint32_t b = 0; b < BUFFERS; b++) {
        uint32_t map = engine_rig_map(&rig, big[b], BIG_BYTES);
        engine_rig_finish(&rig);
        engine_unmap(&rig.engine, map);
        engine_rig_finish(&rig);
    }
    uint32_t after = TASK_NONE;
    for (uint32_t t = 0; t < TASKS; t++) {
        small[t] = engine_rig_buffer(&rig, SMALL_BYTES, NULL);
        const struct submit_arg args[] = {engine_rig_arg(small[t], FGPU_WRITE, 0, SMALL_BYTES),
                                          engine_rig_arg(big[reads[t]], FGPU_READ, 0, BIG_BYTES),
                                          engine_rig_arg(big[reads[t]], FGPU_READ, 0, SMALL_BYTES)};
        after = tasks[t] = engine_rig_run(&rig, rig.mix, args, TASK_DEVICE_ANY, after);
    }
}

static void work_one(void)
{
    engine_clock(&rig.engine, rig.engine.now_ns + LONG_NS);
    rig.lanes[0].end_ns = rig.engine.now_ns;
    rig.lanes[0].start_ns = rig.engine.now_ns - LONG_NS;
    engine_rig_work(&rig, 0, rig.lanes[0].done + 1);
    rig.lanes[0].start_ns = rig.lanes[0].end_ns = 0;
    engine_rig_turn(&rig);
}

/* By looking at all tasks. */
static uint64_t expect_next_ns(uint32_t buffer)
{
    uint64_t next_ns = USES_NEVER;
    for (uint32_t t = 0; t < TASKS; t++) {
        const struct task *task = engine_task(&rig.engine, tasks[t]);
        const struct planned *planned = planner_of(&rig.engine, task);
        if (planned == NULL || !window_takes(task) || big[reads[t]] != buffer)
            continue;
        next_ns = planned->start_ns < next_ns ? planned->start_ns : next_ns;
    }
    return next_ns;
}

/* The start of the first that has not begun, on its node and nowhere else, until there is none. */
static void test_next_use(void **state)
{
    (void)state;
    open_cycle("lookahead");
    engine_rig_turn(&rig);
    assert_true(rig.engine.planner->uses.known);
    uint32_t node = rig.engine.devices[0].node, seen = 0;
    for (uint32_t steps = 0; engine_rig_state(&rig, tasks[TASKS - 1]) != FGPU_TASK_DONE; steps++) {
        assert_true(steps < 1000);
        for (uint32_t b = 0; b < BUFFERS; b++) {
            uint64_t next_ns = uses_next_ns(&rig.engine, big[b], node);
            assert_true(next_ns == expect_next_ns(big[b]));
            assert_true(uses_next_ns(&rig.engine, big[b], 0) == USES_NEVER);
            seen += next_ns != USES_NEVER;
        }
        work_one();
    }
    assert_true(seen > TASKS);
    for (uint32_t b = 0; b < BUFFERS; b++)
        assert_true(uses_next_ns(&rig.engine, big[b], node) == USES_NEVER);
    uses_forget(&rig.engine.planner->uses);
    assert_false(rig.engine.planner->uses.known);
    engine_rig_finish(&rig);
    engine_rig_close(&rig);
}

/* Without a plan: who is used first, in the order of the graph, and who never; tasks that have
 * begun are passed over. */
static void test_future(void **state)
{
    (void)state;
    uint32_t next[BUFFERS], seen = 0;
    open_cycle("eft");
    engine_rig_turn(&rig);
    for (uint32_t steps = 0; engine_rig_state(&rig, tasks[TASKS - 1]) != FGPU_TASK_DONE; steps++) {
        assert_true(steps < 1000);
        if (steps % 3 == 0)
            assert_true(future_look(&rig.engine));
        for (uint32_t b = 0; b < BUFFERS; b++) {
            next[b] = UINT32_MAX;
            for (uint32_t t = TASKS; t-- > 0;)
                if (reads[t] == b && window_takes(engine_task(&rig.engine, tasks[t])))
                    next[b] = t;
            assert_true((next[b] == UINT32_MAX) ==
                        (future_next(&rig.engine, big[b]) == FUTURE_NEVER));
            seen += next[b] != UINT32_MAX;
        }
        for (uint32_t b = 0; b < BUFFERS; b++)
            for (uint32_t c = 0; c < BUFFERS; c++)
                assert_true((next[b] < next[c]) ==
                            (future_next(&rig.engine, big[b]) < future_next(&rig.engine, big[c])));
        work_one();
    }
    assert_true(seen > TASKS);
    assert_true(future_look(&rig.engine));
    (void)engine_rig_inc(&rig, big[0], 64, TASK_DEVICE_ANY);
    engine_drain(&rig.engine);
    assert_true(future_next(&rig.engine, big[0]) != FUTURE_NEVER); /* beyond what is known */
    assert_true(future_next(&rig.engine, big[3]) == FUTURE_NEVER);
    uint32_t fresh[8]; /* so many that it is looked at again */
    for (uint32_t i = 0; i < 8; i++)
        fresh[i] = engine_rig_inc(&rig, big[i % 2 + 1], 64, TASK_DEVICE_ANY);
    engine_drain(&rig.engine);
    assert_true(future_look(&rig.engine));
    assert_true(future_next(&rig.engine, big[0]) == 0 && future_next(&rig.engine, big[1]) == 1);
    assert_true(future_of(&rig.engine, engine_task(&rig.engine, fresh[0])) == 1);
    engine_rig_finish(&rig);
    engine_rig_close(&rig);
}

/* Also without a plan what is needed last leaves: no more copies than with it. */
static void test_victims_alike(void **state)
{
    (void)state;
    uint64_t evictions[2];
    static const char *const policies[] = {"lookahead", "eft"};
    for (uint32_t p = 0; p < 2; p++) {
        open_cycle(policies[p]);
        engine_rig_turn(&rig);
        for (uint32_t steps = 0; engine_rig_state(&rig, tasks[TASKS - 1]) != FGPU_TASK_DONE;
             steps++) {
            assert_true(steps < 1000);
            work_one();
        }
        evictions[p] = rig.engine.stats.evictions;
        engine_rig_finish(&rig);
        engine_rig_close(&rig);
    }
    print_message("%llu and %llu evictions\n", (unsigned long long)evictions[0],
                  (unsigned long long)evictions[1]);
    assert_true(evictions[1] <= evictions[0]);
}

/* A node that brings back for longer than its device works is told of. */
static void test_thrash(void **state)
{
    (void)state;
    open_cycle("eft");
    uint32_t node = rig.engine.devices[0].node;
    uint64_t *busy_ns = &rig.engine.devices[0].stats.busy_ns;
    for (uint32_t i = 0; i < 100; i++) { /* work enough */
        engine_clock(&rig.engine, rig.engine.now_ns + 2000000);
        *busy_ns += 1500000;
        thrash_note(&rig.engine, node, 1000, 1000000);
    }
    assert_int_equal(rig.engine.stats.thrashes, 0);
    assert_true(rig.engine.stats.bytes_reloaded >= 100000);
    for (uint32_t i = 0; i < 100; i++) {
        engine_clock(&rig.engine, rig.engine.now_ns + 2000000);
        *busy_ns += 500000;
        thrash_note(&rig.engine, node, 1000, 1000000);
    }
    assert_in_range(rig.engine.stats.thrashes, 4, 5);
    engine_rig_finish(&rig);
    engine_rig_close(&rig);
}

static bool is_there(uint32_t buffer)
{
    struct buffer *of = engine_buffer(&rig.engine, buffer);
    return engine_block(of, rig.engine.devices[0].node)->state == BLOCK_PRESENT;
}

/* All four have their contents on the host, too: then what is needed last leaves, whenever it was
 * used and however late the plan is, but what the tasks of this moment read. */
static void test_victim(void **state)
{
    (void)state;
    uint32_t node, gone = 0;
    open_cycle("lookahead");
    node = rig.engine.devices[0].node;
    engine_rig_turn(&rig);
    for (uint32_t t = 0; t + 1 < TASKS; t++) {
        uint64_t next_ns[BUFFERS];
        bool was_there[BUFFERS];
        for (uint32_t b = 0; b < BUFFERS; b++) {
            next_ns[b] = uses_next_ns(&rig.engine, big[b], node);
            was_there[b] = is_there(big[b]);
        }
        for (uint32_t steps = 0; engine_rig_state(&rig, tasks[t]) != FGPU_TASK_DONE; steps++) {
            assert_true(steps < 100);
            work_one();
        }
        for (uint32_t b = 0; b < BUFFERS; b++) {
            if (!was_there[b] || is_there(big[b]))
                continue;
            gone++;
            for (uint32_t c = 0; c < BUFFERS; c++)
                if (was_there[c] && is_there(big[c]) && c != reads[t] && c != reads[t + 1])
                    assert_true(next_ns[b] >= next_ns[c]);
        }
    }
    assert_true(gone >= 3);
    engine_rig_finish(&rig);
    engine_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest all[] = {cmocka_unit_test(test_next_use), cmocka_unit_test(test_future),
                                     cmocka_unit_test(test_victims_alike),
                                     cmocka_unit_test(test_thrash), cmocka_unit_test(test_victim)};
    return cmocka_run_group_tests(all, NULL, NULL);
}
