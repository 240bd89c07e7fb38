/* When plans are made, what they cover and how they are followed (core/planner.c), and in which
 * order copies that share a link go out (core/traffic.c), step by step on devices of the test's own
 * (tests/lib/engine_rig.h), by a clock of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "core/planner.h"
#include "tests/lib/engine_rig.h"

#define BYTES 4096u
#define LONG_NS 1000000u
#define SHORT_NS 1000u
#define MIDDLE_NS 8000u
#define LATE_NS 120000u /* a plan pays just so: the share is felt */
#define MANY 512u

static struct engine_rig rig;
static const uint32_t queues[] = {1, 1}, copying[] = {3, 3};
static uint8_t *contents;

static struct planner *planner(void)
{
    return rig.engine.planner;
}

static void open_as(const char *policy)
{
    const struct engine_rig_setup setup = {.queues = queues, .devices = 2, .policy = policy};
    contents = calloc(BYTES, 1);
    assert_non_null(contents);
    engine_rig_open_as(&rig, &setup);
    rig.engine.checks = false; /* with checks what does not pay is planned, too */
    engine_clock(&rig.engine, 1000);
}

static void close_all(void)
{
    engine_rig_finish(&rig);
    engine_rig_close(&rig);
    free(contents);
}

static void knows(uint64_t key, uint64_t ns)
{
    uint64_t kernel_key = engine_kernel(&rig.engine, rig.inc)->key;
    for (uint32_t i = 0; i < 8; i++)
        history_learn(&rig.history, kernel_key, key, BYTES, ns);
}

/* [out] slots: may be NULL. */
static void submit(uint32_t count, uint32_t *slots)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t buffer = engine_rig_buffer(&rig, BYTES, NULL);
        uint32_t slot = engine_rig_inc(&rig, buffer, BYTES, TASK_DEVICE_ANY);
        if (slots != NULL)
            slots[i] = slot;
    }
}

/* The next command of each lane, with the time that it is said to take. Returns how many. */
static uint32_t step(const uint64_t *ns)
{
    uint32_t count = 0;
    engine_clock(&rig.engine, rig.engine.now_ns + ns[0]);
    for (uint32_t i = 0; i < rig.engine.lane_count; i++) {
        struct engine_rig_lane *lane = &rig.lanes[i];
        if (lane->done == lane->taken || rig.engine.devices[rig.engine.lanes[i].device].lost)
            continue;
        lane->end_ns = rig.engine.now_ns;
        lane->start_ns = lane->end_ns - ns[rig.engine.lanes[i].device];
        engine_rig_work(&rig, i, lane->done + 1);
        lane->start_ns = lane->end_ns = 0;
        count++;
    }
    engine_rig_turn(&rig);
    return count;
}

/* ---- when ------------------------------------------------------------------------------- */

static void test_pays(void **state)
{
    (void)state;
    for (uint32_t pays = 0; pays < 2; pays++) {
        open_as("auto");
        knows(1, pays ? LONG_NS : SHORT_NS);
        knows(2, pays ? LONG_NS : SHORT_NS);
        submit(7, NULL);
        engine_rig_turn(&rig);
        assert_int_equal(planner()->plans, 0); /* too few */
        submit(57, NULL);
        engine_rig_turn(&rig);
        assert_int_equal(planner()->plans, pays);
        assert_true(pays ? planner()->covered >= 57 : planner()->covered == 0);
        close_all();
    }
}

static void test_without_a_planner(void **state)
{
    (void)state;
    open_as("eft");
    assert_null(planner());
    submit(64, NULL);
    close_all();
}

/* What was found not to pay is not looked at again for every few tasks more. */
static void test_many_short_ones(void **state)
{
    (void)state;
    open_as("auto");
    knows(1, MIDDLE_NS);
    knows(2, MIDDLE_NS);
    submit(MANY, NULL);
    engine_rig_turn(&rig);
    assert_int_equal(planner()->fresh, 0); /* looked at */
    submit(16, NULL);
    engine_rig_turn(&rig);
    assert_int_equal(planner()->fresh, 16); /* not again */
    submit(MANY / 2, NULL);
    engine_rig_turn(&rig);
    assert_int_equal(planner()->fresh, 0);
    assert_int_equal(planner()->plans, 0);
    close_all();
}

/* Much shorter ones are not even looked at, nor are those of which nothing is known. */
static void test_very_short_ones(void **state)
{
    (void)state;
    for (uint32_t known = 0; known < 2; known++) {
        open_as("auto");
        if (known)
            knows(1, SHORT_NS);
        submit(MANY, NULL);
        engine_rig_turn(&rig);
        assert_int_equal(planner()->fresh, MANY);
        close_all();
    }
}

/* ---- apart ------------------------------------------------------------------------------ */

static void open_apart(void)
{
    const struct engine_rig_setup setup = {
        .queues = queues, .devices = 2, .policy = "auto", .plans_apart = true};
    contents = calloc(BYTES, 1);
    assert_non_null(contents);
    engine_rig_open_as(&rig, &setup);
    rig.engine.checks = false;
    engine_clock(&rig.engine, 1000);
    knows(1, LONG_NS);
    knows(2, LONG_NS);
}

/* While a plan is searched tasks go on; what has started or ended is left out of it. */
static void test_apart(void **state)
{
    (void)state;
    uint32_t slots[64], covered = 0;
    const uint64_t ns[] = {LONG_NS, LONG_NS};
    open_apart();
    submit(64, slots);
    engine_rig_turn(&rig);
    assert_int_equal(rig.plans_due, 1);
    assert_int_equal(planner()->plans, 0);
    assert_true(step(ns) > 0); /* eft has placed some */
    search_run(engine_search(&rig.engine));
    assert_true(step(ns) > 0);
    assert_int_equal(planner()->plans, 0); /* nobody has told of it */
    engine_planned(&rig.engine);
    engine_rig_turn(&rig);
    assert_int_equal(planner()->plans, 1);
    assert_int_equal(rig.plans_due, 1);
    for (uint32_t i = 0; i < 64; i++)
        covered += planner_of(&rig.engine, engine_task(&rig.engine, slots[i])) != NULL;
    assert_in_range(covered, 32, 62);
    assert_true(planner()->covered >= covered);
    close_all();
}

/* A slot that serves another task by then is none of the plan's. */
static void test_apart_recycled(void **state)
{
    (void)state;
    uint32_t slots[16];
    const uint64_t ns[] = {LONG_NS, LONG_NS};
    open_apart();
    submit(16, slots);
    engine_rig_turn(&rig);
    assert_int_equal(rig.plans_due, 1);
    while (step(ns) > 0)
        ;
    submit(16, slots); /* in the slots of those that have ended */
    engine_rig_turn(&rig);
    search_run(engine_search(&rig.engine));
    engine_planned(&rig.engine);
    engine_rig_turn(&rig);
    for (uint32_t i = 0; i < 16; i++)
        assert_null(planner_of(&rig.engine, engine_task(&rig.engine, slots[i])));
    assert_int_equal(rig.plans_due, 2); /* for the new ones */
    search_run(engine_search(&rig.engine));
    engine_planned(&rig.engine);
    close_all();
}

/* A plan for a machine that has lost a device since is not followed; another one is made. */
static void test_apart_lost(void **state)
{
    (void)state;
    open_apart();
    submit(64, NULL);
    engine_rig_turn(&rig);
    assert_int_equal(rig.plans_due, 1);
    search_run(engine_search(&rig.engine));
    engine_device_lost(&rig.engine, 1, "the test says so");
    engine_planned(&rig.engine);
    engine_rig_turn(&rig);
    assert_int_equal(planner()->plans, 0);
    assert_int_equal(rig.plans_due, 2);
    search_run(engine_search(&rig.engine));
    engine_planned(&rig.engine);
    engine_rig_turn(&rig);
    assert_int_equal(planner()->plans, 1);
    close_all();
}

/* Nobody waits for a search that nobody wants. */
static void test_apart_stopped(void **state)
{
    (void)state;
    open_apart();
    submit(64, NULL);
    engine_rig_turn(&rig);
    struct search *search = engine_search(&rig.engine);
    atomic_store_relaxed_u32(&search->stop, 1);
    search_run(search);
    assert_int_equal(search->found.tries, 0);
    engine_planned(&rig.engine);
    engine_rig_turn(&rig);
    assert_int_equal(planner()->plans, 0);
    close_all();
}

/* More tasks while a plan is followed: those that it covers are not planned for each of them. */
static void test_more_while_followed(void **state)
{
    (void)state;
    open_as("auto");
    knows(1, LONG_NS);
    knows(2, LONG_NS);
    submit(64, NULL);
    engine_rig_turn(&rig);
    assert_int_equal(planner()->plans, 1);
    submit(16, NULL);
    engine_rig_turn(&rig);
    assert_int_equal(planner()->plans, 1);
    submit(32, NULL);
    engine_rig_turn(&rig);
    assert_int_equal(planner()->plans, 2);
    assert_true(planner()->covered >= 100);
    close_all();
}

/* What was planned and is cancelled is not waited for. */
static void test_cancelled(void **state)
{
    (void)state;
    open_as("auto");
    knows(1, LONG_NS);
    knows(2, LONG_NS);
    uint32_t slots[MANY];
    submit(MANY, slots);
    engine_rig_turn(&rig);
    assert_int_equal(planner()->plans, 1);
    for (uint32_t i = 0; i < MANY; i++)
        (void)engine_cancel(&rig.engine, slots[i]);
    engine_rig_turn(&rig);
    assert_true(rig.engine.pending_tasks < 16);
    submit(32, NULL);
    engine_rig_turn(&rig);
    assert_int_equal(planner()->plans, 2);
    close_all();
}

/* Slower than it was planned, then faster, again and again: the plan is made again, in its share of
 * the time. */
static void test_late(void **state)
{
    (void)state;
    static const uint64_t times_ns[2][2] = {{3 * LATE_NS, 3 * LATE_NS}, {LATE_NS / 3, LATE_NS / 3}};
    open_as("lookahead");
    knows(1, LATE_NS);
    knows(2, LATE_NS);
    submit(MANY, NULL);
    engine_rig_turn(&rig);
    assert_int_equal(planner()->plans, 1);
    uint64_t governed_ns = planner()->left_ns; /* the most that was foreseen so far */
    for (uint32_t i = 0; step(times_ns[i / 16 % 2]) > 0; i++) {
        uint64_t foreseen_ns = rig.engine.now_ns + planner()->left_ns;
        governed_ns = foreseen_ns > governed_ns ? foreseen_ns : governed_ns;
        assert_true(planner()->reckoned_ns * 50 <= governed_ns + governed_ns / 4);
    }
    assert_true(planner()->plans > 1);
    assert_int_equal(rig.engine.pending_tasks, 0);
    close_all();
}

/* As it was planned: once. */
static void test_in_time(void **state)
{
    (void)state;
    static const uint64_t ns[] = {LONG_NS, LONG_NS};
    open_as("lookahead");
    knows(1, LONG_NS);
    knows(2, LONG_NS);
    for (uint16_t d = 0; d < 2; d++) /* there is memory already */
        (void)engine_rig_inc(&rig, engine_rig_buffer(&rig, BYTES, NULL), BYTES, d);
    engine_rig_finish(&rig);
    submit(64, NULL);
    engine_rig_turn(&rig);
    while (step(ns) > 0) {
    }
    assert_int_equal(planner()->plans, 1);
    assert_int_equal(planner()->done, planner()->covered);
    close_all();
}

/* ---- how it is followed ----------------------------------------------------------------- */

/* Of equal rank, the earlier submitted go first, though all have waited for the device's first
 * memory and come back from there in any order: but for those that were handed out at once. */
static void test_equal_ranks(void **state)
{
    (void)state;
    static const uint64_t ns[] = {LONG_NS, LONG_NS};
    uint32_t slots[64], last = 0;
    open_as("lookahead");
    knows(1, LONG_NS);
    knows(2, LONG_NS);
    submit(64, slots);
    engine_rig_turn(&rig);
    assert_int_equal(planner()->plans, 1);
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(step(ns), 2);
    for (uint32_t i = 44; i < 64; i++)
        last += task_state_ended(engine_rig_state(&rig, slots[i]));
    assert_true(last <= 4);
    close_all();
}

/* A class that nobody has measured is tried within a few tasks, and then takes its part: it is
 * three times as fast. */
static void test_untried_is_tried(void **state)
{
    (void)state;
    static const uint64_t ns[] = {3 * LONG_NS, LONG_NS};
    open_as("auto");
    knows(1, 3 * LONG_NS);
    submit(MANY, NULL);
    engine_rig_turn(&rig);
    uint64_t learned_ns = 0, key = engine_kernel(&rig.engine, rig.inc)->key;
    for (uint32_t i = 0; i < 12; i++)
        (void)step(ns);
    assert_true(rig.lanes[1].done > 0);
    assert_int_not_equal(history_predict(&rig.history, key, 2, BYTES, &learned_ns),
                         HISTORY_UNKNOWN);
    while (step(ns) > 0) {
    }
    assert_int_equal(rig.engine.pending_tasks, 0);
    assert_true(rig.engine.devices[0].stats.tasks > MANY / 8);
    assert_true(rig.engine.devices[1].stats.tasks > MANY / 4);
    close_all();
}

/* The other takes over what was planned for a lost device; what its tasks had made is made again,
 * and the plan counts each of them once. */
static void test_device_lost(void **state)
{
    (void)state;
    static const uint64_t ns[] = {LONG_NS, LONG_NS};
    open_as("auto");
    knows(1, LONG_NS);
    knows(2, LONG_NS);
    uint32_t one = engine_rig_buffer(&rig, BYTES, contents);
    for (uint32_t key = 1; key <= 2; key++)
        for (uint32_t i = 0; i < 8; i++)
            history_learn(&rig.history, engine_kernel(&rig.engine, rig.mix)->key, key, BYTES,
                          LONG_NS);
    for (uint32_t i = 0; i < 64; i++) {
        const struct submit_arg args[] = {
            engine_rig_arg(engine_rig_buffer(&rig, BYTES, NULL), FGPU_WRITE, 0, BYTES),
            engine_rig_arg(one, FGPU_READ, 0, BYTES), engine_rig_arg(one, FGPU_READ, 0, BYTES)};
        (void)engine_rig_run(&rig, rig.mix, args, TASK_DEVICE_ANY, TASK_NONE);
    }
    engine_rig_turn(&rig);
    assert_true(planner()->plans > 0);
    for (uint32_t i = 0; i < 20; i++)
        (void)step(ns);
    assert_true(rig.engine.pending_tasks > 8);
    engine_rig_lose(&rig, 0);
    engine_rig_turn(&rig);
    while (step(ns) > 0)
        assert_true(planner()->done <= planner()->covered);
    assert_int_equal(rig.engine.pending_tasks, 0);
    assert_true(rig.engine.stats.tasks_recomputed > 8);
    close_all();
}

/* The caller's priorities go before the plan's ranks: the last one, which nobody waits for, is
 * first behind what was handed out already. */
static void test_priorities(void **state)
{
    (void)state;
    const uint32_t one[] = {1};
    const struct engine_rig_setup setup = {.queues = one, .devices = 1, .policy = "lookahead"};
    contents = calloc(BYTES, 1);
    engine_rig_open_as(&rig, &setup);
    knows(1, 3 * LONG_NS); /* long: one at a time is handed out */
    (void)engine_rig_inc(&rig, engine_rig_buffer(&rig, BYTES, NULL), BYTES, 0);
    engine_rig_finish(&rig); /* there is memory */
    uint32_t chain = engine_rig_buffer(&rig, BYTES, NULL), slot = 0;
    for (uint32_t i = 0; i < 16; i++)
        (void)engine_rig_inc(&rig, chain, BYTES, TASK_DEVICE_ANY);
    submit(16, NULL);
    for (int32_t i = 0; i < 2; i++) {
        struct submit_arg arg =
            engine_rig_arg(engine_rig_buffer(&rig, BYTES, NULL), FGPU_READ_WRITE, 0, BYTES);
        struct submit_request request = {.kind = TASK_KERNEL,
                                         .arg_count = 1,
                                         .args = &arg,
                                         .kernel = rig.inc,
                                         .priority = i == 0 ? -5 : 5,
                                         .pin = TASK_DEVICE_ANY,
                                         .dims = 1,
                                         .global = {BYTES, 1, 1}};
        slot = engine_rig_submit(&rig, &request, TASK_NONE);
    }
    engine_rig_turn(&rig);
    assert_true(planner()->plans > 0);
    static const uint64_t ns[] = {3 * LONG_NS};
    for (uint32_t i = 0; i < 4 && !task_state_ended(engine_rig_state(&rig, slot)); i++)
        (void)step(ns);
    assert_true(task_state_ended(engine_rig_state(&rig, slot)));
    assert_true(rig.engine.pending_tasks > 24);
    close_all();
}

/* ---- copies ----------------------------------------------------------------------------- */

static void one_link(const void *user, uint32_t source, uint32_t target, struct plan_path *path)
{
    (void)user;
    (void)source;
    (void)target;
    *path = (struct plan_path){.links = {0}, .link_count = 1, .bytes_per_ns = 1};
}

static double one_rate(const void *user, uint32_t link)
{
    (void)user;
    (void)link;
    return 1;
}

static void open_link(void)
{
    const struct engine_rig_setup setup = {.queues = copying,
                                           .devices = 2,
                                           .copy_queues = 2,
                                           .policy = "eft",
                                           .paths = one_link,
                                           .path_rate = one_rate,
                                           .path_link_count = 1};
    contents = calloc(BYTES, 1);
    assert_non_null(contents);
    engine_rig_open_as(&rig, &setup);
    for (uint32_t key = 1; key <= 2; key++)
        knows(key, LONG_NS);
    assert_non_null(rig.engine.traffic);
}

/* Commands that lanes for copies have and have not done; [out] lane: the last one that has any. */
static uint32_t copies_out(uint32_t *at)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < rig.engine.lane_count; i++) {
        if (!rig.engine.lanes[i].copies || rig.lanes[i].done == rig.lanes[i].taken ||
            rig.engine.devices[rig.engine.lanes[i].device].lost)
            continue;
        count += (uint32_t)(rig.lanes[i].taken - rig.lanes[i].done);
        *at = i;
    }
    return count;
}

/* One at a time over the one link, for both devices together. */
static void test_one_at_a_time(void **state)
{
    (void)state;
    open_link();
    for (uint32_t i = 0; i < 6; i++)
        (void)engine_rig_inc(&rig, engine_rig_buffer(&rig, BYTES, contents), BYTES,
                             (uint16_t)(i % 2));
    engine_rig_turn(&rig);
    uint32_t lane = 0, copies = 0;
    while (copies_out(&lane) > 0) {
        assert_int_equal(copies_out(&lane), 1);
        engine_rig_work(&rig, lane, rig.lanes[lane].done + 1);
        engine_rig_turn(&rig);
        copies++;
    }
    assert_int_equal(copies, 6);
    close_all();
}

/* Copies for a lost device that wait behind one in progress end with it, and what they were for
 * runs elsewhere. */
static void test_waiting_for_a_lost_device(void **state)
{
    (void)state;
    open_link();
    knows(2, 100 * LONG_NS); /* all are for the first device */
    for (uint32_t i = 0; i < 6; i++)
        (void)engine_rig_inc(&rig, engine_rig_buffer(&rig, BYTES, contents), BYTES,
                             TASK_DEVICE_ANY);
    engine_rig_turn(&rig);
    uint32_t lane = 0;
    assert_int_equal(copies_out(&lane), 1);
    engine_rig_lose(&rig, rig.engine.lanes[lane].device);
    engine_rig_finish(&rig);
    assert_int_equal(rig.engine.pending_tasks, 0);
    assert_int_equal(rig.engine.stats.tasks_done, 6);
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pays),
        cmocka_unit_test(test_without_a_planner),
        cmocka_unit_test(test_many_short_ones),
        cmocka_unit_test(test_very_short_ones),
        cmocka_unit_test(test_apart),
        cmocka_unit_test(test_apart_recycled),
        cmocka_unit_test(test_apart_lost),
        cmocka_unit_test(test_apart_stopped),
        cmocka_unit_test(test_more_while_followed),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_in_time),
        cmocka_unit_test(test_equal_ranks),
        cmocka_unit_test(test_untried_is_tried),
        cmocka_unit_test(test_device_lost),
        cmocka_unit_test(test_priorities),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_waiting_for_a_lost_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
