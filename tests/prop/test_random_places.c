/* Planned places of blocks, below random windows of tasks that come whole, some of them again and
 * again: what comes out is what one task after the other gives, nothing fails, and all invariants
 * hold (those of the heap and of the plan among them).
 *
 * The device is too small for all buffers. A window makes buffers, runs tasks on them and on some
 * that stay, and destroys its own while the tasks are still to run. Queues work in random steps;
 * at times a device is lost.
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
#include "core/places.h"
#include "tests/lib/engine_rig.h"
#include "tests/lib/seed.h"

#define STAY 4u /* buffers that every window knows */
#define OWN 24u /* and of its own, at most */
#define WINDOWS 24u
#define AGAIN 6u /* windows of the same shape */
#define ALARM_S 300u
#define MOST_BYTES 200000u

struct thing {
    uint32_t buffer;
    uint64_t size;
    uint8_t value;
    bool is_known; /* else nothing has been written */
};

static struct engine_rig rig;
static struct rng rng;
static struct thing stay[STAY];
static uint64_t planned, missed, reused, evictions, stitched;
static uint8_t text[MOST_BYTES];

static uint64_t draw_size(struct rng *from)
{
    return 4097 + rng_below(from, rng_below(from, 4) == 0 ? MOST_BYTES - 4097 : 60000);
}

static struct thing make(struct rng *from)
{
    struct thing t = {.size = draw_size(from)};
    t.buffer = engine_rig_buffer(&rig, t.size, NULL);
    return t;
}

/* The first task of a buffer comes after that of another, so that not all are needed at once. */
static uint32_t set(struct thing *t, uint8_t value, uint32_t after)
{
    struct submit_arg arg = engine_rig_arg(t->buffer, FGPU_WRITE, 0, t->size);
    struct submit_request request = {.kind = TASK_FILL,
                                     .arg_count = 1,
                                     .args = &arg,
                                     .kernel = TASK_NONE,
                                     .pin = 0,
                                     .pattern = &value,
                                     .pattern_bytes = 1};
    t->value = value;
    t->is_known = true;
    return engine_rig_submit(&rig, &request, after);
}

static void work(void)
{
    engine_rig_turn(&rig);
    for (uint32_t l = 0; l < rig.engine.lane_count; l++) {
        struct engine_rig_lane *lane = &rig.lanes[l];
        if (rig.engine.devices[rig.engine.lanes[l].device].lost)
            continue;
        engine_rig_work(&rig, l, lane->done + rng_below(&rng, lane->taken - lane->done + 1));
    }
}

/* One task on what is there. Returns it. */
static uint32_t step(struct rng *shape, struct thing **things, uint32_t count, uint32_t last)
{
    struct thing *newest = things[count - 1];
    if (!newest->is_known)
        return set(newest, (uint8_t)rng_below(shape, 200), last);
    struct thing *d = things[rng_below(shape, count)], *s = things[rng_below(shape, count)],
                 *t = things[rng_below(shape, count)];
    uint64_t kind = rng_below(shape, 4);
    uint16_t pin = rng_below(shape, 2) == 0 ? 0 : TASK_DEVICE_ANY;
    if (!d->is_known || (kind == 0 && d != things[0]))
        return set(d, (uint8_t)rng_below(shape, 200), last);
    if (kind == 1 && s->is_known && t->is_known && s != d && t != d && s != t &&
        s->size >= d->size && t->size >= d->size) {
        const struct submit_arg args[] = {engine_rig_arg(d->buffer, FGPU_WRITE, 0, d->size),
                                          engine_rig_arg(s->buffer, FGPU_READ, 0, d->size),
                                          engine_rig_arg(t->buffer, FGPU_READ, 0, d->size)};
        last = engine_rig_run(&rig, rig.mix, args, pin, TASK_NONE);
        d->value = (uint8_t)(3 * s->value + 5 * t->value + 1);
    } else {
        last = engine_rig_inc(&rig, d->buffer, d->size, pin);
        d->value++;
    }
    return last;
}

static void run_window(uint64_t seed)
{
    struct rng shape;
    struct thing own[OWN];
    rng_init(&shape, seed);
    uint32_t count = 2 + (uint32_t)rng_below(&shape, OWN - 1), tasks = 4 * count;
    for (uint32_t i = 0; i < count; i++)
        own[i] = make(&shape);
    /* Each is used for a while, then no more. */
    uint32_t latest = TASK_NONE;
    for (uint32_t i = 0; i < tasks; i++) {
        uint32_t first = i / 4 < 3 ? 0 : i / 4 - 3, last = i / 4 + 1;
        struct thing *near[6];
        uint32_t n = 0;
        near[n++] = &stay[rng_below(&shape, STAY)];
        for (uint32_t k = first; k < last; k++)
            near[n++] = &own[k];
        latest = step(&shape, near, n, latest);
    }
    for (uint32_t i = 0; i < count; i++)
        engine_buffer_destroy(&rig.engine, own[i].buffer);
}

static void check_results(bool loses)
{
    for (uint32_t i = 0; i < STAY; i++) {
        bool read = engine_rig_read(&rig, stay[i].buffer, 0, stay[i].size, text);
        assert_true(read || loses);
        for (uint64_t at = 0; read && at < stay[i].size; at++)
            assert_int_equal(text[at], stay[i].value);
    }
}

static void run(uint64_t seed)
{
    static const uint32_t queues[] = {2, 1};
    rng_init(&rng, seed);
    uint32_t devices = 1 + (uint32_t)(rng_below(&rng, 4) == 0);
    engine_rig_open_as(
        &rig, &(struct engine_rig_setup){.queues = queues,
                                         .devices = devices,
                                         .stitch_bytes = rng_below(&rng, 2) * 8192,
                                         .device_bytes = 620000 + rng_below(&rng, 6) * 40000});
    for (uint32_t i = 0; i < STAY; i++) {
        stay[i] = make(&rng);
        set(&stay[i], (uint8_t)i, TASK_NONE);
    }
    for (uint32_t w = 0; w < WINDOWS; w++) {
        rig.no_stitches = rng_below(&rng, 4) == 0;
        run_window(seed * 100 + w / AGAIN);
        uint64_t some = rng_below(&rng, 20);
        for (uint64_t i = 0; i < some; i++)
            work();
        if (rng_below(&rng, 4) > 0)
            engine_rig_finish(&rig);
    }
    bool loses = devices == 2 && rng_below(&rng, 2) == 0;
    if (loses)
        engine_rig_lose(&rig, (uint32_t)rng_below(&rng, 2));
    check_results(loses);
    const fgpu_pool_stats *stats = &rig.engine.stats;
    assert_true(loses || stats->tasks_failed == 0);
    planned += stats->blocks_planned;
    missed += stats->blocks_missed;
    reused += stats->plans_reused;
    evictions += stats->evictions;
    stitched += stats->blocks_stitched;
    engine_rig_close(&rig);
}

static void test_random(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(10);
    (void)alarm(ALARM_S);
    for (uint64_t seed = first; seed < first + count; seed++) {
        seed_print("prop/test_random_places", seed);
        run(seed);
    }
    printf("%" PRIu64 " blocks planned, %" PRIu64 " missed, %" PRIu64 " plans used again, %" PRIu64
           " evictions, %" PRIu64 " stitched\n",
           planned, missed, reused, evictions, stitched);
    if (count >= 10) /* the test tests something */
        assert_true(planned > 5 * count && missed > 0 && reused > 0 && stitched > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
