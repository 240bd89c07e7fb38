/* Blocks of a device go to planned places, step by step on devices of the test's own
 * (tests/lib/engine_rig.h): where best fit would have to move or to write back something, the plan
 * for the submitted tasks does neither. A test that hangs is ended by an alarm.
 *
 * A round: a, b, c and d of two parts each fill the device; a and c end, and e needs four parts. By
 * best fit a and c are no neighbours. b and d are read last of all, so that they have to stay.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "core/places.h"
#include "tests/lib/engine_rig.h"

#define PART 65536u
#define ALARM_S 20u

static struct engine_rig rig;
static uint8_t bytes[4 * PART];

static void open_device(uint64_t device_bytes, bool unplanned)
{
    static const uint32_t one_queue[] = {1};
    (void)alarm(ALARM_S);
    engine_rig_open_as(&rig, &(struct engine_rig_setup){
                                 .queues = one_queue, .devices = 1, .device_bytes = device_bytes});
    rig.engine.unplanned = unplanned;
}

struct round {
    uint32_t b, d, e;
};

/* All is submitted before anything runs; what nobody reads later is destroyed at once. */
static struct round submit_round(uint8_t value)
{
    struct round r;
    uint32_t a = engine_rig_buffer(&rig, 2 * PART, NULL);
    r.b = engine_rig_buffer(&rig, 2 * PART, NULL);
    uint32_t c = engine_rig_buffer(&rig, 2 * PART, NULL);
    r.d = engine_rig_buffer(&rig, 2 * PART, NULL);
    r.e = engine_rig_buffer(&rig, 4 * PART, NULL);
    const struct submit_arg mix[] = {engine_rig_arg(r.d, FGPU_WRITE, 0, 2 * PART),
                                     engine_rig_arg(a, FGPU_READ, 0, 2 * PART),
                                     engine_rig_arg(c, FGPU_READ, 0, 2 * PART)};
    engine_rig_fill(&rig, a, 0, 2 * PART, value, 0);
    engine_rig_copy(&rig, r.b, a, 2 * PART, 0);
    engine_rig_copy(&rig, c, r.b, 2 * PART, 0);
    engine_rig_run(&rig, rig.mix, mix, 0, TASK_NONE);
    engine_rig_copy(&rig, r.e, r.d, 2 * PART, 0); /* its first half */
    engine_rig_inc(&rig, r.e, 2 * PART, 0);
    engine_rig_inc(&rig, r.b, 2 * PART, 0);
    engine_rig_inc(&rig, r.d, 2 * PART, 0);
    engine_buffer_destroy(&rig.engine, a);
    engine_buffer_destroy(&rig.engine, c);
    return r;
}

static void expect(uint32_t buffer, uint64_t size, uint8_t value)
{
    assert_true(engine_rig_read(&rig, buffer, 0, size, bytes));
    for (uint64_t i = 0; i < size; i++)
        assert_int_equal(bytes[i], value);
}

static void close_round(const struct round *r, uint8_t value)
{
    expect(r->b, 2 * PART, (uint8_t)(value + 1));
    expect(r->d, 2 * PART, (uint8_t)(8 * value + 2));
    expect(r->e, 2 * PART, (uint8_t)(8 * value + 2));
    engine_buffer_destroy(&rig.engine, r->b);
    engine_buffer_destroy(&rig.engine, r->d);
    engine_buffer_destroy(&rig.engine, r->e);
}

static void print_stats(const char *what)
{
    const fgpu_pool_stats *s = &rig.engine.stats;
    printf("%s: evictions %llu, moves %llu, planned %llu, missed %llu, plans %llu, reused %llu\n",
           what, (unsigned long long)s->evictions, (unsigned long long)rig.engine.compactions,
           (unsigned long long)s->blocks_planned, (unsigned long long)s->blocks_missed,
           (unsigned long long)s->plans_of_places, (unsigned long long)s->plans_reused);
}

/* Without plans something has to give way. */
static void test_best_fit(void **state)
{
    (void)state;
    open_device(8 * PART, true);
    struct round r = submit_round(10);
    engine_rig_finish(&rig);
    print_stats("best fit");
    assert_true(rig.engine.stats.evictions + rig.engine.compactions > 0);
    assert_int_equal(rig.engine.stats.blocks_planned, 0);
    close_round(&r, 10);
    engine_rig_close(&rig);
}

static void test_planned(void **state)
{
    (void)state;
    open_device(8 * PART, false);
    for (uint8_t i = 0; i < 5; i++) {
        struct round r = submit_round((uint8_t)(10 * i));
        engine_rig_finish(&rig);
        print_stats("planned");
        assert_int_equal(rig.engine.stats.evictions, 0);
        assert_int_equal(rig.engine.compactions, 0);
        assert_int_equal(rig.engine.stats.blocks_planned, 5u * (i + 1u));
        assert_int_equal(rig.engine.stats.blocks_missed, 0);
        close_round(&r, (uint8_t)(10 * i));
    }
    /* Each later round is like the first. */
    assert_int_equal(rig.engine.stats.plans_reused, 4);
    assert_int_equal(rig.engine.stats.plans_of_places, 1);
    engine_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_best_fit),
                                       cmocka_unit_test(test_planned)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
