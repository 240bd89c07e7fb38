/* Memory of buffers on nodes: what may be evicted, and what the trace says of it. Played through
 * step by step on devices of the test's own (tests/lib/engine_rig.h). A test that hangs is ended by
 * an alarm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/engine_rig.h"
#include "trace/chrome.h"

#define HALF_BYTES (8u << 20) /* two buffers fill the host */
#define ALARM_S 20u

static struct engine_rig rig;

static void open_two(void)
{
    static const uint32_t one_queue_each[] = {1, 1};
    (void)alarm(ALARM_S);
    engine_rig_open_small(&rig, one_queue_each, 2, 0, 0, 2 * HALF_BYTES);
    for (uint16_t d = 0; d < 2; d++) { /* the kernel is built */
        engine_rig_inc(&rig, engine_rig_buffer(&rig, 64, NULL), 64, d);
        engine_rig_finish(&rig);
    }
}

static uint8_t first_byte(uint32_t map)
{
    assert_int_equal(engine_rig_state(&rig, map), FGPU_TASK_RUNNING);
    return *(uint8_t *)engine_map_address(&rig.engine, map);
}

static void unmap(uint32_t map)
{
    engine_unmap(&rig.engine, map);
    engine_rig_turn(&rig);
}

/* A task on device 0 increments A, whose old contents are also on the host; then the host is short
 * of memory. When device 0 dies, the task must be able to start again from the host. */
static void hold_preimage(bool dies)
{
    open_two();
    uint32_t a = engine_rig_buffer(&rig, HALF_BYTES, NULL);
    uint32_t b = engine_rig_buffer(&rig, HALF_BYTES, NULL);
    uint32_t x = engine_rig_buffer(&rig, HALF_BYTES, NULL);
    engine_rig_fill(&rig, a, 0, HALF_BYTES, 5, 0);
    engine_rig_fill(&rig, b, 0, HALF_BYTES, 9, 1);
    uint32_t map_a = engine_rig_map(&rig, a, HALF_BYTES);
    engine_rig_finish(&rig);
    assert_int_equal(first_byte(map_a), 5);
    unmap(map_a);
    uint32_t map_x = engine_rig_map(&rig, x, HALF_BYTES);
    engine_rig_finish(&rig);
    uint32_t inc = engine_rig_inc(&rig, a, HALF_BYTES, dies ? TASK_DEVICE_ANY : 0);
    engine_rig_turn(&rig);
    assert_int_equal(engine_rig_state(&rig, inc), FGPU_TASK_RUNNING);
    uint16_t lane = engine_task(&rig.engine, inc)->lane;
    uint32_t map_b = engine_rig_map(&rig, b, HALF_BYTES);
    engine_rig_turn(&rig);
    engine_rig_work(&rig, 1 - lane, UINT64_MAX);
    engine_rig_turn(&rig);
    assert_int_equal(rig.engine.stats.evictions, 0);
    if (dies)
        engine_device_lost(&rig.engine, lane, "test");
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, inc), FGPU_TASK_DONE);
    assert_int_equal(first_byte(map_b), 9); /* who waited has been woken */
    unmap(map_b);
    unmap(map_x);
    map_a = engine_rig_map(&rig, a, HALF_BYTES);
    engine_rig_finish(&rig);
    assert_int_equal(first_byte(map_a), 6);
    unmap(map_a);
    engine_rig_close(&rig);
}

static void test_preimage_survives_a_death(void **state)
{
    (void)state;
    hold_preimage(true);
}

static void test_preimage_goes_when_written(void **state)
{
    (void)state;
    hold_preimage(false);
}

/* ---- side by side ----------------------------------------------------------------------- */

/* What a task needs fits on the device, but not between its own data as they lie there: those are
 * written back and come again, next to each other. */
static void test_scattered(void **state)
{
    (void)state;
    static const uint32_t one_queue[] = {1};
    const uint64_t part = 1u << 17; /* the device is one slab */
    (void)alarm(ALARM_S);
    engine_rig_open_as(&rig, &(struct engine_rig_setup){
                                 .queues = one_queue, .devices = 1, .device_bytes = 10 * part});
    uint32_t p = engine_rig_buffer(&rig, 2 * part, NULL);
    uint32_t a = engine_rig_buffer(&rig, 3 * part, NULL);
    uint32_t q = engine_rig_buffer(&rig, 2 * part, NULL);
    uint32_t b = engine_rig_buffer(&rig, 3 * part, NULL);
    uint32_t filled[] = {p, a, q, b};
    for (uint8_t i = 0; i < 4; i++) {
        engine_rig_fill(&rig, filled[i], 0, part, i, 0);
        engine_rig_finish(&rig);
    }
    engine_buffer_destroy(&rig.engine, p);
    engine_buffer_destroy(&rig.engine, q);
    uint32_t d = engine_rig_buffer(&rig, 4 * part, NULL);
    struct submit_arg args[] = {engine_rig_arg(d, FGPU_WRITE, 0, part),
                                engine_rig_arg(a, FGPU_READ, 0, part),
                                engine_rig_arg(b, FGPU_READ, 0, part)};
    uint32_t mix = engine_rig_run(&rig, rig.mix, args, 0, TASK_NONE);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, mix), FGPU_TASK_DONE);
    assert_int_equal(rig.engine.stats.evictions, 2);
    uint32_t map = engine_rig_map(&rig, d, part);
    engine_rig_finish(&rig);
    assert_int_equal(first_byte(map), 3 * 1 + 5 * 3 + 1);
    unmap(map);
    engine_rig_close(&rig);
}

/* ---- trace ------------------------------------------------------------------------------ */

static char text[1 << 20];
static size_t text_bytes;

static fgpu_status append(void *user, const char *part, size_t bytes)
{
    (void)user;
    assert_true(text_bytes + bytes < sizeof text);
    memcpy(text + text_bytes, part, bytes);
    text[text_bytes += bytes] = '\0';
    return FGPU_OK;
}

/* Every block that comes or goes leaves the number of bytes that its node uses then. */
static void test_trace(void **state)
{
    (void)state;
    open_two();
    assert_int_equal(trace_enable(&rig.trace, true), FGPU_OK);
    uint64_t before = rig.engine.nodes[1].heap.used_bytes;
    uint32_t buffer = engine_rig_buffer(&rig, HALF_BYTES, NULL);
    engine_rig_fill(&rig, buffer, 0, HALF_BYTES, 1, 0);
    engine_rig_finish(&rig);
    uint32_t map = engine_rig_map(&rig, buffer, HALF_BYTES);
    engine_rig_finish(&rig);
    unmap(map);
    engine_buffer_destroy(&rig.engine, buffer);
    uint64_t at[2][2] = {{0}};
    uint32_t count[2] = {0};
    for (uint32_t i = 0; i < trace_length(&rig.trace); i++) {
        const struct trace_event *event = trace_at(&rig.trace, i);
        if (event->kind == TRACE_MEMORY && event->b < 2 && count[event->b] < 2)
            at[event->b][count[event->b]++] = event->a;
    }
    assert_int_equal(count[0], 2); /* the host: for the mapping */
    assert_int_equal(at[0][0], HALF_BYTES);
    assert_int_equal(at[0][1], 0);
    assert_int_equal(count[1], 2); /* device 0 */
    assert_int_equal(at[1][0], before + HALF_BYTES);
    assert_int_equal(at[1][1], before);
    static const char *const nodes[] = {"host", "device memory"};
    struct chrome_options options = {.node_names = nodes, .node_count = 2};
    assert_int_equal(chrome_export(&rig.trace, &options, append, NULL), FGPU_OK);
    assert_non_null(strstr(text, "\"name\":\"memory used, host\",\"args\":{\"bytes\":8388608}"));
    assert_non_null(strstr(text, "\"name\":\"memory used, device memory\",\"args\":{\"bytes\":"));
    engine_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_preimage_survives_a_death),
        cmocka_unit_test(test_preimage_goes_when_written),
        cmocka_unit_test(test_scattered),
        cmocka_unit_test(test_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
