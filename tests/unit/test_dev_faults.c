/* The fault layer: its text, and each fault on a null or cpu device below: how often, what it does,
 * what it leaves alone, and that the same seed repeats it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/error.h"
#include "dev/cpu/cpu.h"
#include "dev/layer/faults.h"
#include "dev/layer/slow.h"
#include "dev/null/null.h"
#include "lib/device_rig.h"

#define COMMANDS 1000u

static void test_parse(void **state)
{
    struct faults faults;

    (void)state;
    assert_int_equal(faults_parse("", &faults), FGPU_OK);
    assert_int_equal(faults.submit_permille, 0);
    assert_true(faults.lose_after[0] == UINT64_MAX && faults.slow_factor[63] == 1);
    assert_int_equal(faults_parse(" seed=7, submit=20,alloc=1000 ,build=10,task=5,lose=1@300,"
                                  "lose=63@0,slow=1x3.5,slow=0x1,link=2x250,link=3x0.5",
                                  &faults),
                     FGPU_OK);
    assert_true(faults.seed == 7);
    assert_int_equal(faults.submit_permille, 20);
    assert_int_equal(faults.alloc_permille, 1000);
    assert_int_equal(faults.build_permille, 10);
    assert_int_equal(faults.task_permille, 5);
    assert_true(faults.lose_after[1] == 300 && faults.lose_after[63] == 0);
    assert_true(faults.lose_after[0] == UINT64_MAX);
    assert_true(faults.slow_factor[1] == 3.5 && faults.slow_factor[0] == 1);
    assert_true(faults.link_rate[2] == 0.25 && faults.link_rate[3] == 0.0005);
    assert_true(faults.link_rate[0] == 0 && faults.link_named == 0xc);
}

static void test_parse_errors(void **state)
{
    static const struct {
        const char *text, *key, *value;
    } rows[] = {
        {"submit=1001", "submit", "1001"},
        {"submit=", "submit", "="},
        {"task=-1", "task", "-1"},
        {"task=5x", "task", "5x"},
        {"seed=seven", "seed", "seven"},
        {"seed=99999999999999999999", "seed", "999"},
        {"lose=1", "lose", "1"},
        {"lose=64@1", "lose", "64@1"},
        {"lose=1@", "lose", "1@"},
        {"lose=1@2@3", "lose", "1@2@3"},
        {"slow=1", "slow", "1"},
        {"slow=1x0.5", "slow", "1x0.5"},
        {"slow=1xnan", "slow", "1xnan"},
        {"slow=1x1e9", "slow", "1x1e9"},
        {"slow=1x2.0.0", "slow", "1x2.0.0"},
        {"link=1", "link", "1"},
        {"link=0x0", "link", "0x0"},
        {"link=64x5", "link", "64x5"},
        {"link=0x1e7", "link", "0x1e7"},
        {"colour=red", "colour", "seed submit"},
        {"seed=1,submit", "submit", "KEY=VALUE"},
        {"seed=1,,submit=1", "KEY=VALUE", "\"\""},
    };
    struct faults faults;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(faults_parse(rows[i].text, &faults), FGPU_E_INVAL);
        if (strstr(error_text(), rows[i].key) == NULL ||
            strstr(error_text(), rows[i].value) == NULL)
            fail_msg("%s: \"%s\"", rows[i].text, error_text());
    }
}

/* A device that the pool has not. */
static void test_absent(void **state)
{
    static const struct {
        const char *text, *key, *device;
    } rows[] = {{"slow=9x2", "slow", "9"},
                {"slow=2x1", "slow", "2"},
                {"slow=0x2,lose=3@7", "lose", "3"},
                {"lose=63@0,lose=0@5", "lose", "63"},
                {"link=5x100", "link", "5"}};
    struct faults faults;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(faults_parse(rows[i].text, &faults), FGPU_OK);
        assert_int_equal(faults_check(&faults, 2), FGPU_E_INVAL);
        if (strstr(error_text(), rows[i].key) == NULL ||
            strstr(error_text(), rows[i].device) == NULL)
            fail_msg("%s: \"%s\"", rows[i].text, error_text());
        assert_int_equal(faults_check(&faults, 64), FGPU_OK);
    }
    assert_int_equal(faults_parse("slow=1x2,lose=0@9,task=5", &faults), FGPU_OK);
    assert_int_equal(faults_check(&faults, 2), FGPU_OK);
}

/* Random texts: no crash, and what is taken is within the limits. */
static void test_parse_noise(void **state)
{
    static const char letters[] = "seedsubmitlosw=,@x.0123456789 -";
    struct faults faults;
    struct rng rng;
    char text[40];

    (void)state;
    rng_init(&rng, 3);
    for (int i = 0; i < 200000; i++) {
        uint64_t length = rng_below(&rng, sizeof text);
        for (uint64_t k = 0; k < length; k++)
            text[k] = letters[rng_below(&rng, sizeof letters - 1)];
        text[length] = '\0';
        if (faults_parse(text, &faults) == FGPU_OK)
            assert_true(faults.submit_permille <= 1000);
    }
}

static struct rig_target target_of(const fgpu_backend *backend, const char *faults)
{
    return (struct rig_target){.name = faults,
                               .backend = backend,
                               .options.cpu_workers = 1,
                               .faults = faults,
                               .executes = true};
}

/* ---- prefixes ------------------------------------------------------------------------------- */

static uint64_t submit_print(const char *faults, uint32_t *cut)
{
    const struct rig_target target = target_of(&null_backend, faults);
    static fgpu_cmd_result results[16];
    fgpu_cmd cmds[16];
    struct rig rig;
    uint64_t print = 0;

    rig_open(&rig, &target);
    *cut = 0;
    for (uint32_t i = 0; i < 16; i++)
        cmds[i] = (fgpu_cmd){FGPU_CMD_FENCE, 0, &results[i]};
    for (uint32_t i = 0; i < COMMANDS; i++) {
        uint32_t seen = doorbell_read(&rig.bell);
        uint32_t taken = device_submit(&rig.queues[0], cmds, 16);
        *cut += taken < 16;
        print = print * 31 + taken;
        assert_true(doorbell_read(&rig.bell) != seen); /* cut or not, somebody is called */
        assert_int_equal(device_poll(&rig.queues[0]), FGPU_OK);
        assert_true(rig.queues[0].finished == rig.queues[0].accepted);
    }
    rig_close(&rig);
    return print;
}

static void test_submit(void **state)
{
    uint32_t cut;

    (void)state;
    uint64_t print = submit_print("seed=5,submit=200", &cut);
    assert_true(cut > 150 && cut < 250); /* 200 of 1000, 4 standard deviations */
    assert_true(print == submit_print("seed=5,submit=200", &cut));
    assert_true(print != submit_print("seed=6,submit=200", &cut));
    (void)submit_print("seed=5", &cut);
    assert_int_equal(cut, 0);
}

/* ---- memory, code --------------------------------------------------------------------------- */

static void test_alloc_and_build(void **state)
{
    const struct rig_target target = target_of(&null_backend, "alloc=100,build=300");
    const fgpu_code_source source = {.kind = FGPU_VARIANT_NATIVE, .options = ""};
    uint32_t allocs = 0;
    uint32_t builds = 0;
    struct rig rig;

    (void)state;
    rig_open(&rig, &target);
    for (uint32_t i = 0; i < COMMANDS; i++) {
        fgpu_code_built built;
        fgpu_mem mem;
        fgpu_status status = device_mem_alloc(&rig.device, 64, &mem);
        assert_true(status == FGPU_OK || status == FGPU_E_DEVMEM);
        allocs += status != FGPU_OK;
        rig_free(&rig, mem);
        status = device_code_build(&rig.device, &source, &built);
        assert_true(status == FGPU_OK || (status == FGPU_E_BUILD && built.log != NULL));
        builds += status != FGPU_OK;
        device_code_free(&rig.device, built.code);
        free(built.log);
    }
    rig_close(&rig);
    assert_true(allocs > 60 && allocs < 140);
    assert_true(builds > 240 && builds < 360);
}

/* ---- commands that fail --------------------------------------------------------------------- */

static int add_one(void *const *args, void *user)
{
    (void)args;
    ++*(uint32_t *)user;
    return 0;
}

/* About 50 of 1000 host calls fail, without effect; those chained behind them are skipped. */
static void test_task(void **state)
{
    const struct rig_target target = target_of(&cpu_backend, "seed=9,task=50");
    static fgpu_cmd_host hosts[COMMANDS];
    static fgpu_cmd_result fences[COMMANDS];
    static uint32_t effects[COMMANDS];
    uint32_t failed = 0;
    struct rig rig;

    (void)state;
    rig_open(&rig, &target);
    for (uint32_t i = 0; i < COMMANDS; i += 4) {
        fgpu_cmd cmds[5] = {0};
        for (uint32_t k = 0; k < 4; k++) {
            hosts[i + k] = (fgpu_cmd_host){.fn = add_one, .user = &effects[i + k]};
            cmds[k] = (fgpu_cmd){FGPU_CMD_HOST, FGPU_CMD_CHAINED, &hosts[i + k]};
        }
        cmds[4] = (fgpu_cmd){FGPU_CMD_FENCE, 0, &fences[i]};
        rig_wait(&rig, 0, rig_submit(&rig, 0, cmds, 5));
    }
    rig_close(&rig);
    for (uint32_t i = 0; i < COMMANDS; i++) {
        fgpu_status status = hosts[i].result.status;
        bool skipped = i % 4 != 0 && hosts[i - 1].result.status != FGPU_OK;
        assert_int_equal(effects[i], status == FGPU_OK);
        assert_int_equal(status == FGPU_E_CANCELLED, skipped);
        assert_true(status == FGPU_OK || status == FGPU_E_CANCELLED || status == FGPU_E_DEVICE);
        failed += status == FGPU_E_DEVICE;
        assert_int_equal(fences[i / 4 * 4].status, FGPU_OK);
    }
    assert_true(failed > 20 && failed < 80);
}

/* ---- loss ----------------------------------------------------------------------------------- */

static void test_lose(void **state)
{
    struct rig_target target = target_of(&null_backend, "lose=2@10");
    static fgpu_cmd_result results[16];
    fgpu_cmd cmds[16];
    char reason[128];
    fgpu_mem mem;
    struct rig rig;

    (void)state;
    for (uint32_t i = 0; i < 16; i++)
        cmds[i] = (fgpu_cmd){FGPU_CMD_FENCE, 0, &results[i]};
    target.index = 1; /* another device lives on */
    rig_open(&rig, &target);
    assert_int_equal(device_submit(&rig.queues[0], cmds, 16), 16);
    assert_int_equal(device_poll(&rig.queues[0]), FGPU_OK);
    rig_close(&rig);

    target.index = 2;
    rig_open(&rig, &target);
    assert_int_equal(device_submit(&rig.queues[0], cmds, 6), 6);
    assert_int_equal(device_poll(&rig.queues[0]), FGPU_OK);
    device_reason(&rig.device, reason, sizeof reason);
    assert_string_equal(reason, "");
    uint32_t seen = doorbell_read(&rig.bell);
    assert_int_equal(device_submit(&rig.queues[0], cmds, 16), 4);
    assert_true(doorbell_read(&rig.bell) != seen);
    assert_int_equal(device_submit(&rig.queues[0], cmds, 16), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(device_poll(&rig.queues[0]), FGPU_E_DEVICE_LOST);
        assert_true(rig.queues[0].finished == 6);
    }
    assert_int_equal(device_mem_alloc(&rig.device, 64, &mem), FGPU_E_DEVICE_LOST);
    device_reason(&rig.device, reason, sizeof reason);
    assert_non_null(strstr(reason, "device 2 is lost after 10 commands"));
    rig_close(&rig);
}

static void test_lose_at_once(void **state)
{
    const struct rig_target target = target_of(&cpu_backend, "lose=0@0");
    fgpu_cmd_result result = {0};
    fgpu_cmd cmd = {FGPU_CMD_FENCE, 0, &result};
    struct rig rig;

    (void)state;
    rig_open(&rig, &target);
    assert_int_equal(device_submit(&rig.queues[0], &cmd, 1), 0);
    assert_int_equal(device_poll(&rig.queues[0]), FGPU_E_DEVICE_LOST);
    rig_close(&rig);
}

/* ---- slowness ------------------------------------------------------------------------------- */

static int take_time(void *const *args, void *user)
{
    uint64_t until_ns = clock_now_ns() + 2000000;

    (void)args;
    (void)user;
    while (clock_now_ns() < until_ns)
        ;
    return 0;
}

static double run_slow(const char *faults)
{
    const struct rig_target target = target_of(&cpu_backend, faults);
    struct rig rig;
    double total_ns = 0;

    rig_open(&rig, &target);
    for (int i = 0; i < 5; i++) {
        fgpu_cmd_host host = {.fn = take_time};
        uint64_t begin_ns = clock_now_ns();
        assert_int_equal(rig_run(&rig, 0, FGPU_CMD_HOST, 0, &host), FGPU_OK);
        total_ns += (double)(clock_now_ns() - begin_ns);
    }
    rig_close(&rig);
    return total_ns / 5;
}

static void test_slow(void **state)
{
    (void)state;
    assert_true(run_slow("slow=0x5") >= 5 * 2000000.0);
    assert_true(run_slow("slow=1x1000") < 1000 * 2000000.0 / 10); /* another device is slow */
}

/* A command of 1 ms that began 0.3 ms after it was submitted: its times are stretched from its
 * start, and it is not told before they say that it has ended; by a clock that is another one. */
static void test_slow_tells_late(void **state)
{
    enum { BEHIND = 700000000 };
    static struct slow_timer timer;
    static struct slow_queue queue = {.factor = 3, .timer = &timer};
    fgpu_cmd_host bodies[2] = {0};
    fgpu_cmd cmds[2] = {{.kind = FGPU_CMD_HOST, .body = &bodies[0]},
                        {.kind = FGPU_CMD_HOST, .body = &bodies[1]}};
    uint64_t submit_ns = clock_now_ns() + 1000000000; /* the timer is never due */

    (void)state;
    slow_submitted(&queue, cmds, 2, 1, submit_ns);
    for (uint64_t i = 0; i < 2; i++)
        bodies[i].result = (fgpu_cmd_result){.timed = 1,
                                             .start_ns = submit_ns + 300000 + i * 1000000 - BEHIND,
                                             .end_ns = submit_ns + 1300000 + i * 1000000 - BEHIND};
    assert_int_equal(slow_tell(&queue, 1, submit_ns + 1300000), 0);
    assert_int_equal(slow_tell(&queue, 2, submit_ns + 2300000), 0);
    assert_int_equal(slow_tell(&queue, 2, submit_ns + 3299999), 0);
    assert_int_equal(slow_tell(&queue, 2, submit_ns + 3300000), 1);
    assert_true(bodies[0].result.start_ns == submit_ns + 300000 - BEHIND);
    assert_true(bodies[0].result.end_ns == submit_ns + 3300000 - BEHIND);
    assert_int_equal(slow_tell(&queue, 2, submit_ns + 6299999), 1);
    assert_int_equal(slow_tell(&queue, 2, submit_ns + 6300000), 2);
    assert_true(bodies[1].result.start_ns == bodies[0].result.end_ns);
    assert_true(bodies[1].result.end_ns == submit_ns + 6300000 - BEHIND);
}

/* Copies of 1 KB over a link of 1 MB/s that the device made at once: those of one way, though of
 * two queues, cross it one after the other; those of the other way at the same time. What stays in
 * the device does not cross it. */
static void test_link(void **state)
{
    static struct slow_timer timer;
    static struct slow_link link = {.rate = 1e-3};
    static struct slow_queue queues[2] = {{.factor = 1, .timer = &timer, .link = &link},
                                          {.factor = 1, .timer = &timer, .link = &link}};
    fgpu_cmd_copy in = {.src_is_host = 1, .row_bytes = 500, .rows = 2};
    fgpu_cmd_copy out = {.dst_is_host = 1, .row_bytes = 1000, .rows = 1};
    fgpu_cmd_copy inside = {.row_bytes = 1000, .rows = 1};
    fgpu_cmd_copy bodies[4] = {in, out, in, inside};
    uint64_t submit_ns = clock_now_ns() + 1000000000; /* the timer is never due */

    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        fgpu_cmd cmd = {.kind = FGPU_CMD_COPY, .body = &bodies[i]};
        slow_submitted(&queues[i / 2], &cmd, 1, i % 2 + 1, submit_ns);
        if (i != 2) /* which queue tells its times makes no difference */
            bodies[i].result =
                (fgpu_cmd_result){.timed = 1, .start_ns = submit_ns, .end_ns = submit_ns};
    }
    assert_int_equal(slow_tell(&queues[0], 2, submit_ns), 0);
    assert_int_equal(slow_tell(&queues[1], 2, submit_ns), 0);
    assert_int_equal(slow_tell(&queues[0], 2, submit_ns + 1000000), 0);
    assert_int_equal(slow_tell(&queues[0], 2, submit_ns + 1000001), 1);
    assert_int_equal(slow_tell(&queues[1], 2, submit_ns + 2000001), 0);
    assert_int_equal(slow_tell(&queues[1], 2, submit_ns + 2000002), 2);
    assert_int_equal(slow_tell(&queues[0], 2, submit_ns + 2000002), 2); /* behind its copy in */
    assert_true(bodies[0].result.end_ns == submit_ns + 1000001);
    assert_true(bodies[1].result.end_ns == submit_ns + 2000002);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_errors),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_parse_noise),
        cmocka_unit_test(test_submit),
        cmocka_unit_test(test_alloc_and_build),
        cmocka_unit_test(test_task),
        cmocka_unit_test(test_lose),
        cmocka_unit_test(test_lose_at_once),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_slow_tells_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
