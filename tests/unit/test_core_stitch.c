/* Blocks made of several holes, on devices of the test's own that put pages of memory side by side
 * (tests/lib/engine_rig.h). A test that hangs is ended by an alarm.
 *
 * The device holds eight parts in one slab: a, b, c and d have two each, a and c go, and e needs
 * four. Nothing moves and nothing is written back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <unistd.h>

#include "core/stitch.h"
#include "mem/heap_stitch.h"
#include "tests/lib/engine_rig.h"

#define PART 65536u
#define ALARM_S 20u

static struct engine_rig rig;
static uint32_t b, d, e, task;
static uint8_t bytes[4 * PART];

static void open_with_holes(bool refuses)
{
    static const uint32_t one_queue[] = {1};
    (void)alarm(ALARM_S);
    engine_rig_open_as(&rig, &(struct engine_rig_setup){.queues = one_queue,
                                                        .devices = 1,
                                                        .device_bytes = 8 * PART,
                                                        .stitch_bytes = PART});
    rig.no_stitches = refuses;
    uint32_t a = engine_rig_buffer(&rig, 2 * PART, NULL);
    b = engine_rig_buffer(&rig, 2 * PART, NULL);
    uint32_t c = engine_rig_buffer(&rig, 2 * PART, NULL);
    d = engine_rig_buffer(&rig, 2 * PART, NULL);
    const uint32_t all[] = {a, b, c, d};
    for (uint8_t i = 0; i < 4; i++) {
        engine_rig_fill(&rig, all[i], 0, 2 * PART, (uint8_t)(10 + i), 0);
        engine_rig_finish(&rig);
    }
    engine_buffer_destroy(&rig.engine, a);
    engine_buffer_destroy(&rig.engine, c);
    e = engine_rig_buffer(&rig, 4 * PART, NULL);
    task = engine_rig_fill(&rig, e, 0, 4 * PART, 77, 0);
}

static void holds(uint32_t buffer, uint64_t size, uint8_t value)
{
    assert_true(engine_rig_read(&rig, buffer, 0, size, bytes));
    for (uint64_t i = 0; i < size; i++)
        assert_int_equal(bytes[i], value);
}

static void test_stitched(void **state)
{
    (void)state;
    open_with_holes(false);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, task), FGPU_TASK_DONE);
    assert_int_equal(rig.engine.compactions, 0);
    assert_int_equal(rig.engine.stats.evictions, 0);
    assert_int_equal(rig.engine.stats.blocks_stitched, 1);
    assert_int_equal(rig.stitches, 1);
    engine_rig_inc(&rig, e, 4 * PART, 0);
    engine_rig_copy(&rig, b, e, 2 * PART, 0);
    holds(e, 4 * PART, 78);
    holds(b, 2 * PART, 78);
    holds(d, 2 * PART, 13);
    engine_buffer_destroy(&rig.engine, e); /* both holes are there again */
    engine_rig_turn(&rig);
    assert_int_equal(rig.stitches, 0);
    e = engine_rig_buffer(&rig, 2 * PART, NULL);
    engine_rig_fill(&rig, e, 0, 2 * PART, 5, 0);
    holds(e, 2 * PART, 5);
    assert_int_equal(rig.engine.stats.evictions + rig.engine.compactions, 0);
    engine_rig_close(&rig);
}

/* The device cannot: blocks move instead. */
static void test_refused(void **state)
{
    (void)state;
    open_with_holes(true);
    engine_rig_finish(&rig);
    assert_int_equal(rig.engine.compactions, 1);
    assert_int_equal(rig.engine.stats.blocks_stitched, 0);
    holds(e, 4 * PART, 77);
    holds(b, 2 * PART, 11);
    engine_rig_close(&rig);
}

/* It is evicted and comes back as any other; and goes with the pool. */
static void test_evicted(void **state)
{
    (void)state;
    open_with_holes(false);
    engine_rig_finish(&rig);
    uint32_t f = engine_rig_buffer(&rig, 6 * PART, NULL);
    engine_rig_fill(&rig, f, 0, 6 * PART, 9, 0);
    engine_rig_finish(&rig);
    holds(e, 4 * PART, 77);
    holds(d, 2 * PART, 13);
    engine_rig_inc(&rig, e, 4 * PART, 0);
    holds(e, 4 * PART, 78);
    engine_rig_close(&rig);
}

/* Blocks move around a stitched one, which no range of the heap is: p x a r c h b, a and c are
 * stitched, x and h go, and only p can make way for two parts. */
static void test_moves_beside(void **state)
{
    static const uint32_t one_queue[] = {1}, parts[] = {1, 1, 1, 1, 1, 1, 2};
    uint32_t all[7];
    (void)state;
    (void)alarm(ALARM_S);
    engine_rig_open_as(&rig, &(struct engine_rig_setup){.queues = one_queue,
                                                        .devices = 1,
                                                        .device_bytes = 8 * PART,
                                                        .stitch_bytes = PART});
    for (uint8_t i = 0; i < 7; i++) {
        all[i] = engine_rig_buffer(&rig, parts[i] * PART, NULL);
        engine_rig_fill(&rig, all[i], 0, parts[i] * PART, (uint8_t)(10 + i), 0);
        engine_rig_finish(&rig);
    }
    assert_int_equal(engine_block(engine_buffer(&rig.engine, all[0]), 1)->heap.place, 0);
    engine_buffer_destroy(&rig.engine, all[2]);
    engine_buffer_destroy(&rig.engine, all[4]);
    e = engine_rig_buffer(&rig, 2 * PART, NULL);
    engine_rig_fill(&rig, e, 0, 2 * PART, 77, 0);
    engine_rig_finish(&rig);
    assert_int_equal(rig.engine.stats.blocks_stitched, 1);
    engine_buffer_destroy(&rig.engine, all[1]);
    engine_buffer_destroy(&rig.engine, all[5]);
    rig.no_stitches = true;
    uint32_t k = engine_rig_buffer(&rig, 2 * PART, NULL);
    engine_rig_fill(&rig, k, 0, 2 * PART, 88, 0);
    engine_rig_finish(&rig);
    assert_int_equal(rig.engine.compactions, 1);
    assert_int_equal(rig.engine.stats.evictions, 0);
    engine_rig_inc(&rig, all[0], PART, 0);
    holds(k, 2 * PART, 88);
    holds(e, 2 * PART, 77);
    holds(all[0], PART, 11);
    holds(all[3], PART, 13);
    holds(all[6], 2 * PART, 16);
    engine_rig_close(&rig);
}

static void test_lost(void **state)
{
    (void)state;
    open_with_holes(false);
    engine_rig_finish(&rig);
    engine_rig_lose(&rig, 0);
    engine_rig_finish(&rig);
    assert_false(engine_rig_read(&rig, d, 0, PART, bytes));
    engine_rig_close(&rig);
}

static void test_holes(void **state)
{
    (void)state;
    static struct heap heap;
    struct heap_block block[4], other;
    struct vec found;
    uint64_t grow;
    heap_init(&heap, &(struct heap_config){.limit_bytes = 8 * PART, .slab_bytes = 8 * PART});
    vec_init(&found, sizeof(struct heap_block), NULL);
    assert_int_equal(heap_alloc(&heap, PART + 5000, &block[0], &grow), HEAP_GROW);
    assert_int_not_equal(heap_add_slab(&heap, 1, grow, true), HEAP_NONE);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(heap_alloc(&heap, PART + 5120, &block[i], &grow), HEAP_OK);
    heap_free(&heap, &block[0]);
    heap_free(&heap, &block[2]);
    /* Whole parts that are free: one in front, one in the middle, three at the end. */
    assert_false(heap_stitch(&heap, 6 * PART, PART, &found));
    assert_null(heap_check(&heap));
    assert_true(heap_stitch(&heap, 3 * PART + 1, PART, &found));
    assert_null(heap_check(&heap));
    uint64_t sum = 0;
    for (size_t i = 0; i < found.count; i++) {
        const struct heap_block *part = vec_at(&found, i);
        assert_int_equal(part->offset % PART + part->bytes % PART, 0);
        sum += part->bytes;
    }
    assert_int_equal(sum, 4 * PART);
    assert_int_equal(heap_alloc(&heap, 2 * PART, &other, &grow), HEAP_FULL);
    for (size_t i = 0; i < found.count; i++)
        heap_free(&heap, vec_at(&found, i));
    assert_null(heap_check(&heap));
    vec_fini(&found);
    heap_fini(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stitched), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_evicted),  cmocka_unit_test(test_moves_beside),
        cmocka_unit_test(test_lost),     cmocka_unit_test(test_holes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
