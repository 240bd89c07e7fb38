/* The cpu device under real threads, for ThreadSanitizer: a producer for each queue with bursts and
 * pauses (so that workers fall asleep and are woken), narrow and wide launches, failures with
 * skipping, host calls; all waiting on one doorbell. Every group of every launch runs exactly once,
 * every result is what the commands before it say. Then devices that are closed with work in
 * flight. FASTGPU_TEST_SEED repeats a run; threads interleave as they like.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "dev/cpu/cpu.h"
#include "lib/device_kernels.h"
#include "lib/seed.h"

#define WORKERS 4u
#define BURST 32u
#define GROUPS 600u
#define RUN_NS UINT64_C(1500000000)

static uint64_t seed;

/* One command of a burst and what is expected of it. */
struct shot {
    fgpu_cmd_launch launch;
    fgpu_cmd_host host;
    fgpu_cmd_arg args[2];
    uint64_t groups;
    uint32_t work_ns; /* per group */
    uint64_t fail_at; /* group that fails; UINT64_MAX: none */
    bool chained;
    uint32_t kind;
    uint32_t hits[GROUPS]; /* plain: the device orders them */
};

struct producer {
    struct rig *rig;
    uint32_t queue;
    struct rng rng;
    fgpu_code code;
    uint64_t until_ns;
    struct shot *shots;
    uint64_t bursts, failures, skipped;
    const char *wrong;
};

static void work(uint64_t ns)
{
    uint64_t until_ns = clock_now_ns() + ns;

    while (ns != 0 && clock_now_ns() < until_ns)
        atomic_pause();
}

static int shoot(const fgpu_range *range, void *const *args, void *user)
{
    struct shot *shot = *(struct shot *const *)args[0];
    unsigned char *scratch = args[1];

    (void)user;
    memset(scratch, (int)range->worker, 64); /* private to this call, or the sanitizer objects */
    for (uint64_t g = range->group_begin; g < range->group_end; g++) {
        shot->hits[g]++;
        work(shot->work_ns);
        if (g == shot->fail_at)
            return 1;
    }
    return scratch[63] == (unsigned char)range->worker ? 0 : 2;
}

static int call(void *const *args, void *user)
{
    struct shot *shot = user;

    (void)args;
    shot->hits[0]++;
    return shot->fail_at == 0;
}

static void shot_make(struct producer *producer, struct shot *shot, fgpu_cmd *cmd,
                      struct shot **self)
{
    struct rng *rng = &producer->rng;
    uint64_t dice = rng_below(rng, 10);

    memset(shot->hits, 0, sizeof shot->hits);
    shot->groups = dice < 4 ? 1 : 1 + rng_below(rng, dice < 8 ? 20 : GROUPS);
    shot->work_ns = dice == 9 ? 400 : 0;
    shot->fail_at = rng_below(rng, 20) == 0 ? rng_below(rng, shot->groups) : UINT64_MAX;
    shot->chained = rng_below(rng, 2) == 0;
    shot->kind = dice == 0 ? FGPU_CMD_FENCE : dice == 1 ? FGPU_CMD_HOST : FGPU_CMD_LAUNCH;
    *self = shot;
    shot->args[0] = kernel_scalar(self, sizeof(void *));
    shot->args[1] = kernel_local(64);
    shot->launch = kernel_launch(producer->code, shot->args, 2, shot->groups, 1);
    shot->launch.width = (uint32_t)rng_below(rng, 4);
    shot->host = (fgpu_cmd_host){.fn = call, .user = shot};
    cmd->kind = shot->kind;
    cmd->body = shot->kind == FGPU_CMD_HOST ? (void *)&shot->host : (void *)&shot->launch;
    cmd->flags = (shot->chained ? FGPU_CMD_CHAINED : 0u) |
                 (rng_below(rng, 8) == 0 ? FGPU_CMD_NOTIFY : 0u) |
                 (rng_below(rng, 8) == 0 ? FGPU_CMD_TIMED : 0u);
}

/* What this shot must have become; *skipping follows the queue. */
static const char *shot_check(const struct shot *shot, bool *skipping, struct producer *producer)
{
    fgpu_status status =
        shot->kind == FGPU_CMD_HOST ? shot->host.result.status : shot->launch.result.status;
    bool fails = shot->fail_at != UINT64_MAX && shot->kind == FGPU_CMD_LAUNCH;

    if (shot->kind == FGPU_CMD_HOST)
        fails = shot->fail_at == 0;
    if (shot->kind == FGPU_CMD_FENCE) {
        *skipping = false;
        return status == FGPU_OK ? NULL : "a fence has failed";
    }
    if (*skipping && shot->chained) {
        producer->skipped++;
        return status == FGPU_E_CANCELLED && shot->hits[0] == 0 ? NULL : "not skipped";
    }
    producer->failures += fails;
    *skipping = *skipping || fails;
    if (status != (fails ? FGPU_E_TASK : FGPU_OK))
        return "wrong status";
    for (uint64_t g = 0; g < shot->groups && shot->kind == FGPU_CMD_LAUNCH; g++)
        if (shot->hits[g] > 1 || (shot->hits[g] == 0 && !fails))
            return "a group ran twice or not at all";
    return NULL;
}

static void *produce(void *arg)
{
    struct producer *producer = arg;
    struct shot *selves[BURST];
    fgpu_cmd cmds[BURST];
    bool skipping = false;

    while (clock_now_ns() < producer->until_ns && producer->wrong == NULL) {
        uint32_t count = 1 + (uint32_t)rng_below(&producer->rng, BURST);
        for (uint32_t i = 0; i < count; i++)
            shot_make(producer, &producer->shots[i], &cmds[i], &selves[i]);
        rig_wait(producer->rig, producer->queue,
                 rig_submit(producer->rig, producer->queue, cmds, count));
        for (uint32_t i = 0; i < count && producer->wrong == NULL; i++)
            producer->wrong = shot_check(&producer->shots[i], &skipping, producer);
        producer->bursts++;
        if (rng_below(&producer->rng, 10) == 0)
            (void)nanosleep(&(struct timespec){0, (long)rng_below(&producer->rng, 300000)}, NULL);
    }
    return NULL;
}

static const struct rig_target target = {
    .name = "cpu", .backend = &cpu_backend, .options.cpu_workers = WORKERS, .executes = true};

static fgpu_code build(struct rig *rig)
{
    const fgpu_code_source source = {
        .kind = FGPU_VARIANT_NATIVE, .arg_count = 2, .options = "", .native = shoot};
    fgpu_code_built built;

    assert_int_equal(device_code_build(&rig->device, &source, &built), FGPU_OK);
    return built.code;
}

static void test_producers(void **state)
{
    struct producer producers[WORKERS];
    pthread_t threads[WORKERS];
    uint64_t failures = 0;
    uint64_t skipped = 0;
    struct rig rig;

    (void)state;
    rig_open(&rig, &target);
    fgpu_code code = build(&rig);
    for (uint32_t i = 0; i < WORKERS; i++) {
        producers[i] = (struct producer){
            .rig = &rig, .queue = i, .code = code, .until_ns = clock_now_ns() + RUN_NS};
        producers[i].shots = calloc(BURST, sizeof(struct shot));
        assert_non_null(producers[i].shots);
        rng_init(&producers[i].rng, seed + i);
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    for (uint32_t i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        failures += producers[i].failures;
        skipped += producers[i].skipped;
        free(producers[i].shots);
    }
    for (uint32_t i = 0; i < WORKERS; i++)
        if (producers[i].wrong != NULL)
            fail_msg("queue %u, burst %llu: %s", i, (unsigned long long)producers[i].bursts,
                     producers[i].wrong);
    assert_true(failures > 10 && skipped > 10);
    device_code_free(&rig.device, code);
    rig_close(&rig);
}

/* Opens, submits, closes without waiting: everything accepted has run when close returns. */
static void test_close_in_flight(void **state)
{
    struct producer producer = {.shots = calloc(BURST, sizeof(struct shot))};
    struct shot *selves[BURST];
    fgpu_cmd cmds[BURST];

    (void)state;
    assert_non_null(producer.shots);
    rng_init(&producer.rng, seed + 99);
    for (int round = 0; round < 60; round++) {
        bool skipping = false;
        struct rig rig;

        rig_open(&rig, &target);
        producer.code = build(&rig);
        uint32_t queue = (uint32_t)rng_below(&producer.rng, WORKERS);
        uint32_t count = 1 + (uint32_t)rng_below(&producer.rng, BURST);
        for (uint32_t i = 0; i < count; i++)
            shot_make(&producer, &producer.shots[i], &cmds[i], &selves[i]);
        assert_int_equal(device_submit(&rig.queues[queue], cmds, count), count);
        device_queue_close(&rig.queues[queue]);
        for (uint32_t i = 0; i < count; i++) {
            const char *wrong = shot_check(&producer.shots[i], &skipping, &producer);
            if (wrong != NULL)
                fail_msg("round %d, command %u: %s", round, i, wrong);
        }
        device_code_free(&rig.device, producer.code);
        rig_close(&rig);
    }
    free(producer.shots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_producers),
        cmocka_unit_test(test_close_in_flight),
    };
    int failed;

    seed = seed_get(77);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed != 0)
        seed_print("test_cpu_device", seed);
    return failed;
}
