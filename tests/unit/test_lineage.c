/* What is made again when a device is lost, what is not, and in which order; step by step on
 * devices of the test's own (tests/lib/engine_rig.h). Tasks that nobody pins go to device 0 while
 * it is there and idle. A test that hangs is ended by an alarm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/engine_rig.h"

#define BYTES 64u
#define HALF 32u
#define ALARM_S 60u
#define ANY TASK_DEVICE_ANY

static struct engine_rig rig;
static uint8_t given[BYTES]; /* the caller's memory of buffer s: survives everything */
static uint32_t s;

static const uint32_t one_each[] = {1, 1, 1};
static const uint32_t one_and_two[] = {1, 2};

static void open_with(const uint32_t *queues, uint32_t devices, uint32_t flags)
{
    engine_rig_open(&rig, queues, devices, flags, 0);
    uint32_t warm = engine_rig_buffer(&rig, BYTES, NULL);
    struct submit_arg args[3] = {engine_rig_arg(warm, FGPU_READ_WRITE, 0, 8),
                                 engine_rig_arg(warm, FGPU_WRITE, 8, 8),
                                 engine_rig_arg(warm, FGPU_READ, 16, 8)};
    for (uint16_t d = 0; d < devices; d++) {
        engine_rig_fill(&rig, warm, 0, BYTES, 0, d);
        engine_rig_run(&rig, rig.inc, args, d, TASK_NONE);
        engine_rig_run(&rig, rig.mix, args, d, TASK_NONE);
        engine_rig_run(&rig, rig.twin, args, d, TASK_NONE);
        engine_rig_finish(&rig);
    }
    memset(given, 7, sizeof given);
    s = engine_rig_buffer(&rig, BYTES, given);
}

static uint32_t new_buffer(void)
{
    return engine_rig_buffer(&rig, BYTES, NULL);
}

static uint32_t fill(uint32_t buffer, uint8_t value)
{
    return engine_rig_fill(&rig, buffer, 0, BYTES, value, ANY);
}

static uint32_t copy(uint32_t dst, uint32_t src)
{
    return engine_rig_copy(&rig, dst, src, BYTES, ANY);
}

static uint32_t mix(uint32_t dst, uint32_t a, uint32_t b)
{
    struct submit_arg args[3] = {engine_rig_arg(dst, FGPU_WRITE, 0, BYTES),
                                 engine_rig_arg(a, FGPU_READ, 0, BYTES),
                                 engine_rig_arg(b, FGPU_READ, 0, BYTES)};
    return engine_rig_run(&rig, rig.mix, args, ANY, TASK_NONE);
}

static uint32_t twin(uint32_t dst, uint32_t other, uint32_t src)
{
    struct submit_arg args[3] = {engine_rig_arg(dst, FGPU_WRITE, 0, BYTES),
                                 engine_rig_arg(other, FGPU_WRITE, 0, BYTES),
                                 engine_rig_arg(src, FGPU_READ, 0, BYTES)};
    return engine_rig_run(&rig, rig.twin, args, ANY, TASK_NONE);
}

static uint32_t generation_of(uint32_t task)
{
    return task_generation(engine_task(&rig.engine, task));
}

static uint64_t recomputed(void)
{
    return rig.engine.stats.tasks_recomputed;
}

/* Only this node has the contents of the buffer. */
static void assert_only_on(uint32_t buffer, uint32_t node)
{
    const struct buffer *b = engine_buffer(&rig.engine, buffer);
    for (struct imap_seg *seg = imap_first(&b->segments, 0); seg != NULL;
         seg = imap_next(&b->segments, seg))
        assert_int_equal(((const struct segment *)imap_payload(seg))->replica.valid, UINT64_C(1)
                                                                                         << node);
}

/* A mapping that has become ready shows `value` everywhere. */
static void assert_shows(uint32_t map, uint8_t value, uint32_t bytes)
{
    assert_int_equal(engine_rig_state(&rig, map), FGPU_TASK_RUNNING);
    const uint8_t *at = engine_map_address(&rig.engine, map);
    for (uint32_t i = 0; i < bytes; i++)
        assert_int_equal(at[i], value);
    engine_unmap(&rig.engine, map);
    engine_rig_turn(&rig);
}

static void assert_holds(uint32_t buffer, uint8_t value)
{
    uint32_t map = engine_rig_map(&rig, buffer, BYTES);
    engine_rig_finish(&rig);
    assert_shows(map, value, BYTES);
}

/* Nobody can read it, because of the task (index, generation). */
static void assert_gone(uint32_t buffer, uint32_t root, uint32_t generation)
{
    uint32_t map = engine_rig_map(&rig, buffer, BYTES);
    engine_rig_finish(&rig);
    const struct task *task = engine_task(&rig.engine, map);
    assert_int_equal(task_state(task), FGPU_TASK_POISONED);
    assert_int_equal(task->status, FGPU_E_POISONED);
    assert_int_equal(task->root, root);
    assert_int_equal(task->root_word >> TASK_STATE_BITS, generation);
    engine_forget(&rig.engine, map);
}

static void close_all(void)
{
    engine_rig_finish(&rig);
    assert_int_equal(rig.engine.pending_tasks, 0);
    engine_rig_close(&rig);
}

/* ---- what is made again ----------------------------------------------------------------- */

static void test_chain(void **state)
{
    (void)state;
    open_with(one_each, 2, 0);
    uint32_t x = new_buffer(), y = new_buffer();
    mix(x, s, s); /* 3 * 7 + 5 * 7 + 1 = 57 */
    mix(y, x, s); /* 3 * 57 + 5 * 7 + 1 = 207 */
    engine_rig_finish(&rig);
    assert_only_on(x, 1);
    assert_only_on(y, 1);
    fgpu_pool_stats before = rig.engine.stats;
    engine_rig_lose(&rig, 0);
    assert_holds(y, 207);
    assert_holds(x, 57);
    assert_int_equal(recomputed(), 2);
    assert_int_equal(rig.engine.stats.tasks_done, before.tasks_done);
    assert_int_equal(rig.engine.stats.tasks_submitted, before.tasks_submitted);
    close_all();
}

/* Also the results of results of results, and those that nobody reads for now; with tasks pending
 * that read them. */
static void test_three_deep(void **state)
{
    (void)state;
    open_with(one_each, 2, 0);
    uint32_t a = new_buffer(), b = new_buffer(), c = new_buffer(), d = new_buffer();
    fill(a, 2);
    copy(b, a);
    mix(c, b, a); /* 17 */
    engine_rig_finish(&rig);
    mix(d, c, c); /* 137 */
    uint32_t map = engine_rig_map(&rig, d, BYTES);
    engine_rig_turn(&rig);
    engine_rig_lose(&rig, 0);
    engine_rig_finish(&rig);
    assert_shows(map, 137, BYTES);
    assert_int_equal(recomputed(), 3);
    assert_holds(a, 2);
    close_all();
}

/* Parts of one buffer that different tasks made are made again by these. */
static void test_tiles(void **state)
{
    (void)state;
    open_with(one_each, 2, 0);
    uint32_t x = new_buffer();
    for (uint32_t i = 0; i < BYTES; i += 8) {
        engine_rig_fill(&rig, x, i, 8, (uint8_t)i, ANY);
        engine_rig_finish(&rig);
    }
    engine_rig_lose(&rig, 0);
    uint32_t map = engine_rig_map(&rig, x, BYTES);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, map), FGPU_TASK_RUNNING);
    for (uint32_t i = 0; i < BYTES; i++)
        assert_int_equal(((uint8_t *)engine_map_address(&rig.engine, map))[i], i & ~7u);
    engine_unmap(&rig.engine, map);
    assert_int_equal(recomputed(), 8);
    close_all();
}

/* A task that had started to change its data starts again when what they were can be made again. */
static void test_torn(void **state)
{
    (void)state;
    open_with(one_each, 2, 0);
    uint32_t x = new_buffer();
    fill(x, 4);
    engine_rig_finish(&rig);
    uint32_t first = engine_rig_inc(&rig, x, BYTES, ANY), generation = generation_of(first);
    engine_rig_inc(&rig, x, BYTES, ANY);
    engine_rig_turn(&rig);
    assert_int_equal(engine_rig_state(&rig, first), FGPU_TASK_RUNNING);
    engine_rig_lose(&rig, 0);
    assert_holds(x, 6);
    assert_true(generation_of(first) != generation); /* it ended well */
    close_all();
}

static void test_torn_for_good(void **state)
{
    (void)state;
    open_with(one_each, 2, 0);
    uint32_t x = new_buffer();
    fill(x, 4);
    engine_rig_inc(&rig, x, BYTES, ANY);
    engine_rig_finish(&rig);
    uint32_t torn = engine_rig_inc(&rig, x, BYTES, ANY);
    engine_rig_turn(&rig);
    engine_rig_lose(&rig, 0);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, torn), FGPU_TASK_FAILED);
    assert_non_null(strstr(engine_task(&rig.engine, torn)->why, "it had started on device 0"));
    assert_gone(x, torn, generation_of(torn));
    assert_int_equal(recomputed(), 0);
    close_all();
}

/* What they were is gone for good, but they had been overwritten before the torn task: by one that
 * was ahead of it in the same queue, and starts again. */
static void test_torn_behind_writer(void **state)
{
    (void)state;
    open_with(one_each, 2, 0);
    uint32_t x = new_buffer();
    fill(x, 4);
    engine_rig_inc(&rig, x, BYTES, ANY);
    engine_rig_finish(&rig);
    fill(x, 9);
    engine_rig_inc(&rig, x, BYTES, ANY);
    engine_rig_turn(&rig);
    assert_only_on(x, 1);
    engine_rig_lose(&rig, 0);
    assert_holds(x, 10);
    close_all();
}

/* A mapping whose copy was on its way. */
static void test_mapping_on_its_way(void **state)
{
    (void)state;
    open_with(one_each, 2, 0);
    uint32_t x = new_buffer();
    fill(x, 4);
    engine_rig_finish(&rig);
    uint32_t map = engine_rig_map(&rig, x, BYTES);
    engine_rig_turn(&rig);
    assert_int_equal(engine_rig_state(&rig, map), FGPU_TASK_MOVING);
    engine_rig_lose(&rig, 0);
    engine_rig_finish(&rig);
    assert_shows(map, 4, BYTES);
    close_all();
}

/* ---- what is not ------------------------------------------------------------------------ */

static void test_overwritten_input(void **state)
{
    (void)state;
    open_with(one_each, 2, 0);
    uint32_t x = new_buffer(), y = new_buffer();
    fill(x, 1);
    engine_rig_finish(&rig);
    uint32_t root = copy(y, x), generation = generation_of(root);
    engine_rig_finish(&rig);
    fill(x, 2);
    engine_rig_finish(&rig);
    engine_rig_lose(&rig, 0);
    assert_gone(y, root, generation);
    assert_holds(x, 2);
    assert_int_equal(recomputed(), 1);
    fill(y, 3);
    assert_holds(y, 3); /* healed */
    close_all();
}

/* Also when another device is just about to overwrite it. */
static void test_input_being_overwritten(void **state)
{
    (void)state;
    open_with(one_each, 2, 0);
    uint32_t x = new_buffer(), y = new_buffer();
    engine_rig_fill(&rig, x, 0, BYTES, 5, 1);
    engine_rig_finish(&rig);
    uint32_t root = copy(y, x), generation = generation_of(root);
    engine_rig_finish(&rig);
    assert_only_on(y, 1);
    engine_rig_fill(&rig, x, 0, BYTES, 9, 1);
    engine_rig_turn(&rig);
    engine_rig_lose(&rig, 0);
    assert_gone(y, root, generation);
    assert_holds(x, 9);
    close_all();
}

/* Parts that tasks changed which are not kept become one segment; the newest date counts. */
static void test_merged_dates(void **state)
{
    (void)state;
    open_with(one_each, 2, 0);
    uint32_t x = new_buffer(), y = new_buffer();
    engine_rig_fill(&rig, x, 0, BYTES, 5, 0); /* pinned tasks are not kept */
    engine_rig_finish(&rig);
    struct submit_arg args[2] = {engine_rig_arg(y, FGPU_WRITE, 0, HALF),
                                 engine_rig_arg(x, FGPU_READ, HALF, HALF)};
    struct submit_request request = {
        .kind = TASK_COPY, .arg_count = 2, .args = args, .kernel = TASK_NONE, .pin = ANY};
    (void)engine_rig_submit(&rig, &request, TASK_NONE);
    engine_rig_finish(&rig);
    engine_rig_fill(&rig, x, HALF, HALF, 6, 0);
    engine_rig_finish(&rig);
    engine_rig_fill(&rig, x, 0, 8, 7, 0);
    engine_rig_finish(&rig);
    assert_int_equal(engine_buffer(&rig.engine, x)->segments.seg_count, 2);
    uint32_t map = engine_rig_map(&rig, x, BYTES);
    engine_rig_finish(&rig);
    engine_unmap(&rig.engine, map);
    engine_rig_lose(&rig, 0);
    map = engine_rig_map(&rig, y, HALF);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, map), FGPU_TASK_POISONED);
    engine_forget(&rig.engine, map);
    close_all();
}

static void test_buffer_destroyed(void **state)
{
    (void)state;
    open_with(one_each, 2, 0);
    uint32_t x = new_buffer(), y = new_buffer();
    fill(x, 1);
    uint32_t root = copy(y, x), generation = generation_of(root);
    engine_rig_finish(&rig);
    engine_buffer_destroy(&rig.engine, x);
    uint32_t reborn = new_buffer();
    assert_int_equal(reborn, x);
    engine_rig_fill(&rig, reborn, 0, BYTES, 2, 1);
    engine_rig_finish(&rig);
    engine_rig_lose(&rig, 0);
    assert_gone(y, root, generation);
    assert_holds(reborn, 2);
    close_all();
}

/* What its function needs may have gone with it. */
static void test_kernel_destroyed(void **state)
{
    (void)state;
    open_with(one_each, 2, 0);
    uint32_t x = new_buffer(), y = new_buffer();
    uint32_t root = mix(x, s, s), generation = generation_of(root);
    copy(y, s);
    engine_rig_finish(&rig);
    engine_kernel_destroy(&rig.engine, rig.mix);
    assert_int_equal(engine_kernel(&rig.engine, rig.mix)->users, 0);
    engine_rig_lose(&rig, 0);
    assert_gone(x, root, generation);
    assert_holds(y, 7);
    close_all();
}

static void test_reproducible(void **state)
{
    (void)state;
    open_with(one_each, 2, FGPU_POOL_REPRODUCIBLE);
    uint32_t x = new_buffer(), y = new_buffer();
    uint32_t root = mix(x, s, s), generation = generation_of(root);
    fill(y, 3);
    engine_rig_finish(&rig);
    engine_rig_lose(&rig, 0);
    assert_gone(x, root, generation);
    assert_holds(y, 3);
    close_all();
}

static void test_nobody_left(void **state)
{
    (void)state;
    open_with(one_each, 2, 0);
    uint32_t x = new_buffer();
    uint32_t root = fill(x, 3), generation = generation_of(root);
    engine_rig_finish(&rig);
    engine_rig_lose(&rig, 1);
    engine_rig_lose(&rig, 0);
    assert_int_equal(rig.engine.pending_tasks, 0);
    assert_gone(x, root, generation);
    close_all();
}

/* ---- results that others have, too ------------------------------------------------------ */

static void test_shared_output(void **state)
{
    (void)state;
    open_with(one_each, 2, 0);
    uint32_t d = new_buffer(), e = new_buffer();
    twin(d, e, s);
    assert_holds(d, 8);
    assert_only_on(e, 1);
    engine_rig_lose(&rig, 0);
    assert_holds(e, 9);
    assert_holds(d, 8);
    assert_int_equal(recomputed(), 1);
    close_all();
}

/* Who reads the copy that survived must not have it rewritten under his eyes: neither a mapping...
 */
static void test_shared_output_in_use(void **state)
{
    (void)state;
    open_with(one_each, 2, 0);
    uint32_t d = new_buffer(), e = new_buffer();
    uint32_t root = twin(d, e, s), generation = generation_of(root);
    uint32_t map = engine_rig_map(&rig, d, BYTES);
    engine_rig_finish(&rig);
    engine_rig_lose(&rig, 0);
    assert_gone(e, root, generation);
    assert_shows(map, 8, BYTES);
    assert_int_equal(recomputed(), 0);
    close_all();
}

/* ... nor a task that was pending, which waits. */
static void test_shared_output_wanted(void **state)
{
    (void)state;
    open_with(one_and_two, 2, 0);
    uint32_t d = new_buffer(), e = new_buffer(), y = new_buffer(), gate_buffer = new_buffer();
    engine_rig_fill(&rig, gate_buffer, 0, BYTES, 0, 1);
    twin(d, e, s);
    uint32_t gate = engine_rig_map(&rig, gate_buffer, BYTES), seen = engine_rig_map(&rig, d, BYTES);
    engine_rig_finish(&rig);
    assert_shows(seen, 8, BYTES);
    struct submit_arg args[2] = {engine_rig_arg(y, FGPU_WRITE, 0, BYTES),
                                 engine_rig_arg(d, FGPU_READ, 0, BYTES)};
    struct submit_request request = {
        .kind = TASK_COPY, .arg_count = 2, .args = args, .kernel = TASK_NONE, .pin = 1};
    uint32_t reader = engine_rig_submit(&rig, &request, gate);
    engine_rig_turn(&rig);
    engine_rig_lose(&rig, 0);
    engine_rig_turn(&rig); /* the twin is on its way again */
    uint32_t again = engine_buffer(&rig.engine, e)->users;
    assert_int_equal(again, 1);
    engine_unmap(&rig.engine, gate);
    engine_rig_turn(&rig);
    const struct task *task = engine_task(&rig.engine, reader);
    assert_true(task->undone > 0);
    assert_holds(y, 8);
    assert_holds(e, 9);
    close_all();
}

/* ---- order ------------------------------------------------------------------------------ */

/* A pending task that overwrites the input waits until it has been read again. */
static void test_pending_overwriter(void **state)
{
    (void)state;
    open_with(one_and_two, 2, 0);
    uint32_t x = new_buffer(), y = new_buffer(), z = new_buffer(), gate_buffer = new_buffer();
    engine_rig_fill(&rig, gate_buffer, 0, BYTES, 0, 1);
    engine_rig_fill(&rig, x, 0, BYTES, 5, 1);
    engine_rig_finish(&rig);
    copy(y, x);
    engine_rig_finish(&rig);
    assert_only_on(y, 1);
    uint32_t gate = engine_rig_map(&rig, gate_buffer, BYTES);
    engine_rig_finish(&rig);
    uint8_t nine = 9;
    struct submit_arg arg = engine_rig_arg(x, FGPU_WRITE, 0, BYTES);
    struct submit_request request = {.kind = TASK_FILL,
                                     .arg_count = 1,
                                     .args = &arg,
                                     .kernel = TASK_NONE,
                                     .pin = ANY,
                                     .pattern = &nine,
                                     .pattern_bytes = 1};
    (void)engine_rig_submit(&rig, &request, gate);
    engine_rig_turn(&rig);
    engine_rig_lose(&rig, 0);
    engine_unmap(&rig.engine, gate);
    engine_rig_turn(&rig);
    engine_rig_work(&rig, 2, UINT64_MAX);
    engine_rig_turn(&rig);
    fill(x, 10); /* comes behind both */
    copy(z, x);
    assert_holds(y, 5);
    assert_holds(z, 10);
    close_all();
}

/* So does one that is submitted afterwards. */
static void test_later_overwriter(void **state)
{
    (void)state;
    open_with(one_and_two, 2, 0);
    uint32_t x = new_buffer(), y = new_buffer();
    engine_rig_fill(&rig, x, 0, BYTES, 5, 1);
    engine_rig_finish(&rig);
    copy(y, x);
    engine_rig_finish(&rig);
    engine_rig_lose(&rig, 0);
    engine_rig_turn(&rig); /* the copy is on its way, on one of two queues */
    fill(x, 9);
    engine_rig_turn(&rig);
    uint32_t busy = rig.lanes[1].taken > rig.lanes[1].done ? 1 : 2;
    engine_rig_work(&rig, 3 - busy, UINT64_MAX);
    assert_holds(y, 5);
    assert_holds(x, 9);
    close_all();
}

/* Two outputs side by side have become one segment, which is cut by somebody else while they are
 * made again. */
static void test_cut_while_running(void **state)
{
    (void)state;
    open_with(one_each, 2, 0);
    uint32_t x = new_buffer();
    struct submit_arg args[3] = {engine_rig_arg(x, FGPU_WRITE, 0, HALF),
                                 engine_rig_arg(x, FGPU_WRITE, HALF, HALF),
                                 engine_rig_arg(s, FGPU_READ, 0, HALF)};
    engine_rig_run(&rig, rig.twin, args, ANY, TASK_NONE);
    engine_rig_finish(&rig);
    assert_int_equal(engine_buffer(&rig.engine, x)->segments.seg_count, 1);
    engine_rig_lose(&rig, 0);
    engine_rig_turn(&rig);
    engine_rig_fill(&rig, x, HALF / 2, HALF, 1, ANY);
    engine_rig_turn(&rig);
    engine_rig_finish(&rig);
    uint32_t map = engine_rig_map(&rig, x, BYTES);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, map), FGPU_TASK_RUNNING);
    const uint8_t *at = engine_map_address(&rig.engine, map);
    for (uint32_t i = 0; i < BYTES; i++)
        assert_int_equal(at[i], i < HALF / 2 ? 8 : i < HALF / 2 + HALF ? 1 : 9);
    engine_unmap(&rig.engine, map);
    close_all();
}

static void test_cancelled_reader(void **state)
{
    (void)state;
    open_with(one_each, 2, 0);
    uint32_t x = new_buffer(), y = new_buffer();
    fill(x, 4);
    engine_rig_finish(&rig);
    uint32_t reader = copy(y, x);
    engine_rig_turn(&rig);
    engine_rig_lose(&rig, 0);
    assert_int_equal(engine_cancel(&rig.engine, reader), FGPU_OK);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, reader), FGPU_TASK_CANCELLED);
    assert_holds(x, 4);
    assert_int_equal(recomputed(), 1);
    close_all();
}

/* ---- it goes wrong again ---------------------------------------------------------------- */

/* The second run fails: poisoned, because of the first; and what was still there is as it was. */
static void test_fails_again(void **state)
{
    (void)state;
    open_with(one_each, 2, 0);
    uint32_t d = new_buffer(), e = new_buffer();
    uint32_t root = twin(d, e, s), generation = generation_of(root);
    assert_holds(d, 8);
    engine_rig_lose(&rig, 0);
    uint32_t map = engine_rig_map(&rig, e, BYTES);
    engine_rig_turn(&rig);
    uint64_t last = rig.lanes[1].taken;
    assert_int_equal(rig.lanes[1].commands[last].kind, FGPU_CMD_LAUNCH);
    rig.lanes[1].fails[last] = true;
    engine_rig_finish(&rig);
    const struct task *task = engine_task(&rig.engine, map);
    assert_int_equal(task_state(task), FGPU_TASK_POISONED);
    assert_int_equal(task->root, root);
    assert_int_equal(task->root_word >> TASK_STATE_BITS, generation);
    engine_forget(&rig.engine, map);
    assert_gone(e, root, generation);
    assert_holds(d, 8);
    assert_int_equal(recomputed(), 0);
    assert_int_equal(rig.engine.stats.tasks_failed, 0);
    close_all();
}

/* The device that makes it again is lost, too; and once more, after some of it has been made. */
static void test_lost_again(void **state)
{
    (void)state;
    static const uint32_t four[] = {1, 1, 1, 1};
    open_with(four, 4, 0);
    uint32_t x = new_buffer(), y = new_buffer();
    mix(x, s, s);
    mix(y, x, s);
    engine_rig_finish(&rig);
    engine_rig_lose(&rig, 0);
    engine_rig_turn(&rig);
    assert_true(rig.lanes[1].taken > rig.lanes[1].done);
    engine_rig_lose(&rig, 1);
    engine_rig_turn(&rig);
    engine_rig_work(&rig, 2, UINT64_MAX); /* x; y goes out in the next turn */
    assert_int_equal(recomputed(), 1);
    engine_rig_lose(&rig, 2);
    assert_holds(y, 207);
    assert_holds(x, 57);
    assert_int_equal(recomputed(), 3);
    close_all();
}

/* What was made again is called after the task that its submitter knows. */
static void test_name_of_the_root(void **state)
{
    (void)state;
    open_with(one_each, 3, 0);
    uint32_t x = new_buffer(), y = new_buffer();
    fill(x, 1);
    uint32_t root = copy(y, x), generation = generation_of(root);
    engine_rig_finish(&rig);
    engine_rig_lose(&rig, 0);
    engine_rig_finish(&rig);
    assert_int_equal(recomputed(), 2);
    fill(x, 2);
    engine_rig_finish(&rig);
    engine_rig_lose(&rig, 1);
    assert_gone(y, root, generation);
    assert_holds(x, 2);
    close_all();
}

/* ---- records ---------------------------------------------------------------------------- */

/* With a callback the record belongs to the callback until that has returned. */
static void callback(bool returned)
{
    open_with(one_each, 2, 0);
    uint32_t x = new_buffer();
    fill(new_buffer(), 1); /* a task that is kept in any case */
    engine_rig_finish(&rig);
    uint8_t three = 3;
    struct submit_arg arg = engine_rig_arg(x, FGPU_WRITE, 0, BYTES);
    struct submit_request request = {.kind = TASK_FILL,
                                     .arg_count = 1,
                                     .args = &arg,
                                     .kernel = TASK_NONE,
                                     .pin = ANY,
                                     .pattern = &three,
                                     .pattern_bytes = 1,
                                     .on_done = (fgpu_task_done_fn)abort};
    uint32_t task = engine_rig_submit(&rig, &request, TASK_NONE), generation = generation_of(task);
    engine_rig_finish(&rig);
    assert_int_equal(generation_of(task), generation);
    if (returned)
        engine_callback_done(&rig.engine, task);
    engine_rig_lose(&rig, 0);
    if (returned)
        assert_holds(x, 3);
    else
        assert_gone(x, task, generation);
    assert_int_equal(rig.engine.actions.count, 0); /* not called again */
    if (!returned)
        engine_callback_done(&rig.engine, task);
    close_all();
}

static void test_callback_returned(void **state)
{
    (void)state;
    callback(true);
}

static void test_callback_out(void **state)
{
    (void)state;
    callback(false);
}

/* More results than are kept: the oldest are not made again. */
static void test_limit(void **state)
{
    (void)state;
    uint32_t more = 10;
    open_with(one_each, 2, 0);
    uint32_t x = engine_rig_buffer(&rig, (LIMITS_LINEAGE + more) * 8, NULL);
    for (uint32_t i = 0; i < LIMITS_LINEAGE + more; i++) {
        engine_rig_fill(&rig, x, i * 8, 8, (uint8_t)i, ANY);
        engine_rig_finish(&rig);
    }
    engine_rig_lose(&rig, 0);
    engine_rig_finish(&rig);
    assert_int_equal(recomputed(), LIMITS_LINEAGE);
    for (uint32_t i = 0; i < LIMITS_LINEAGE + more; i += i < 2 * more ? 1 : 50) {
        struct submit_arg arg = engine_rig_arg(x, FGPU_READ, i * 8, 8);
        struct submit_request request = {.kind = TASK_MAP,
                                         .flags = TASK_F_UNLISTED,
                                         .arg_count = 1,
                                         .args = &arg,
                                         .kernel = TASK_NONE,
                                         .pin = ANY};
        uint32_t map = engine_rig_submit(&rig, &request, TASK_NONE);
        engine_rig_finish(&rig);
        if (i < more) {
            assert_int_equal(engine_rig_state(&rig, map), FGPU_TASK_POISONED);
            engine_forget(&rig.engine, map);
        } else {
            assert_shows(map, (uint8_t)i, 8);
        }
    }
    close_all();
}

/* Tasks whose results have been overwritten do not push out one whose result has not; and all the
 * records that are kept are not among those that the submitters may have. */
static void test_second_chance(void **state)
{
    (void)state;
    open_with(one_each, 2, 0);
    uint32_t x = new_buffer(), y = new_buffer(), count = 0, index, generation;
    fill(x, 3);
    for (uint32_t i = 0; i < 3 * LIMITS_LINEAGE; i++) {
        fill(y, (uint8_t)i);
        engine_rig_finish(&rig);
    }
    struct submit_arg arg = engine_rig_arg(y, FGPU_WRITE, 0, BYTES);
    struct submit_request request = {.kind = TASK_FILL,
                                     .arg_count = 1,
                                     .args = &arg,
                                     .kernel = TASK_NONE,
                                     .pin = ANY,
                                     .pattern = given,
                                     .pattern_bytes = 1};
    engine_rig_lose(&rig, 0);
    assert_holds(x, 3);
    assert_holds(y, (uint8_t)(3 * LIMITS_LINEAGE - 1));
    assert_int_equal(recomputed(), 2);
    static uint32_t records[RIG_TASKS];
    while (submit_prepare(&rig.engine, &request, &index, &generation) == FGPU_OK)
        records[count++] = index;
    assert_int_equal(count, rig.engine.task_limit);
    while (count > 0)
        submit_recycle(&rig.engine, engine_task(&rig.engine, records[--count]));
    close_all();
}

int main(void)
{
    (void)alarm(ALARM_S);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_three_deep),
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_torn),
        cmocka_unit_test(test_torn_for_good),
        cmocka_unit_test(test_torn_behind_writer),
        cmocka_unit_test(test_mapping_on_its_way),
        cmocka_unit_test(test_overwritten_input),
        cmocka_unit_test(test_input_being_overwritten),
        cmocka_unit_test(test_merged_dates),
        cmocka_unit_test(test_buffer_destroyed),
        cmocka_unit_test(test_kernel_destroyed),
        cmocka_unit_test(test_reproducible),
        cmocka_unit_test(test_nobody_left),
        cmocka_unit_test(test_shared_output),
        cmocka_unit_test(test_shared_output_in_use),
        cmocka_unit_test(test_shared_output_wanted),
        cmocka_unit_test(test_pending_overwriter),
        cmocka_unit_test(test_later_overwriter),
        cmocka_unit_test(test_cut_while_running),
        cmocka_unit_test(test_cancelled_reader),
        cmocka_unit_test(test_fails_again),
        cmocka_unit_test(test_lost_again),
        cmocka_unit_test(test_name_of_the_root),
        cmocka_unit_test(test_callback_returned),
        cmocka_unit_test(test_callback_out),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_second_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
