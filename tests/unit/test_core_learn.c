/* What finished copies teach the model of links when several ran at once, played through step by
 * step on a device of the test's own (tests/lib/engine_rig.h) whose times the test makes up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "tests/lib/engine_rig.h"

#define BYTES (1u << 20)
#define ALONE_NS 1000000u

static struct engine_rig rig;
static const uint32_t two_queues[] = {2};
static uint8_t *contents;

static int start(void **state)
{
    (void)state;
    contents = calloc(BYTES, 1);
    assert_non_null(contents);
    engine_rig_open(&rig, two_queues, 1, 0, 0);
    /* The kernel is built; nothing is timed. */
    uint32_t buffer = engine_rig_buffer(&rig, 64, NULL);
    engine_rig_inc(&rig, buffer, 64, 0);
    engine_rig_finish(&rig);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    engine_rig_close(&rig);
    free(contents);
    return 0;
}

/* A task of each queue needs its own buffer on the device: a copy is the first that each queue has
 * to do. They end, queue 0 first, with the times of start and end given. */
static void copy_on_both(const uint64_t times[2][2])
{
    for (uint32_t i = 0; i < 2; i++)
        engine_rig_inc(&rig, engine_rig_buffer(&rig, BYTES, contents), BYTES, 0);
    engine_rig_turn(&rig);
    for (uint32_t i = 0; i < 2; i++) {
        struct engine_rig_lane *lane = &rig.lanes[i];
        assert_true(lane->taken > lane->done);
        assert_int_equal(lane->commands[lane->done + 1].kind, FGPU_CMD_COPY);
        lane->start_ns = times[i][0];
        lane->end_ns = times[i][1];
        engine_rig_work(&rig, i, lane->done + 1);
        lane->start_ns = lane->end_ns = 0;
    }
    engine_rig_finish(&rig);
}

static uint64_t learned(void)
{
    return link_predict_ns(rig.engine.link, 0, rig.engine.devices[0].node, BYTES);
}

static void test_copies_at_once_are_halves(void **state)
{
    (void)state;
    /* The same span, each with half of the link: from the one that ends first (the other is still
     * there) as from the one that ends last (the first is remembered). */
    for (uint64_t i = 1; i <= 4; i++) {
        const uint64_t t = i * 10 * ALONE_NS;
        copy_on_both((const uint64_t[2][2]){{t, t + 2 * ALONE_NS}, {t, t + 2 * ALONE_NS}});
        assert_in_range(learned(), ALONE_NS * 95 / 100, ALONE_NS * 105 / 100);
    }
}

static void test_copies_one_after_the_other_are_whole(void **state)
{
    (void)state;
    /* The second is the head of its queue when the first ends, but cannot have begun before what
     * was there before it had ended. */
    for (uint64_t i = 1; i <= 4; i++) {
        const uint64_t t = i * 10 * ALONE_NS;
        rig.engine.lanes[1].timed_end_ns = t + ALONE_NS;
        copy_on_both((const uint64_t[2][2]){{t, t + ALONE_NS}, {t + ALONE_NS, t + 2 * ALONE_NS}});
        assert_in_range(learned(), ALONE_NS * 95 / 100, ALONE_NS * 105 / 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_copies_at_once_are_halves, start, stop),
        cmocka_unit_test_setup_teardown(test_copies_one_after_the_other_are_whole, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
