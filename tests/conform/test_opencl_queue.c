/* The queue of the OpenCL backend: numbers, order, what the doorbell is rung for, failing commands,
 * timing, closing. Runs against every target of opencl_targets.h.
 */
#include "conform/opencl_targets.h"

#include "base/limits.h"

#define SEED 88002u
#define CHAIN 6000u

static const char *const step_text = "__kernel void step_one(__global uint *a, uint expected)\n"
                                     "{ if (a[0] == expected) a[0] = expected + 1; }";

static const char *const spin_text = "__kernel void spin(__global float *a, int rounds)\n"
                                     "{\n"
                                     "    float x = a[get_global_id(0)];\n"
                                     "    for (int i = 0; i < rounds; i++)\n"
                                     "        x = x * 0.999f + 0.5f;\n"
                                     "    a[get_global_id(0)] = x;\n"
                                     "}";

static void setup(struct rig *rig)
{
    fgpu_backend_options options = target_options();

    rig_open(rig, &options, 0);
}

static uint32_t rings(struct rig *rig)
{
    return atomic_load_acquire_u32(&rig->rings);
}

/* Waits for a ring beyond `seen`, without polling: as a sleeping pool would. */
static void wait_ring(struct rig *rig, uint32_t seen)
{
    uint64_t deadline_ns = clock_now_ns() + RIG_WAIT_NS;

    while (rings(rig) == seen)
        if (clock_now_ns() > deadline_ns)
            fail_msg("nobody rang");
}

/* Sleeps and polls in turn, until `number` is reported: finds lost rings as a time-out. */
static void sleep_until(struct rig *rig, uint64_t number)
{
    uint64_t reached = 0;

    for (;;) {
        uint32_t seen = rings(rig);
        assert_int_equal(opencl_backend.poll(rig->queue, &reached), FGPU_OK);
        if (reached >= number)
            return;
        wait_ring(rig, seen);
    }
}

struct chain {
    fgpu_code code;
    fgpu_mem mem;
    fgpu_cmd_arg args[CHAIN][2];
    uint32_t expected[CHAIN];
    fgpu_cmd_launch launches[CHAIN];
    fgpu_cmd cmds[CHAIN];
};

/* CHAIN launches of which each does something only right after the one before it. */
static void chain_init(struct chain *chain, struct rig *rig, struct rng *rng)
{
    uint32_t zero = 0;

    chain->code = rig_build(rig, step_text, "step_one", 2);
    chain->mem = rig_alloc(rig, sizeof(zero));
    rig_write(rig, chain->mem, 0, &zero, sizeof(zero));
    for (uint32_t i = 0; i < CHAIN; i++) {
        chain->expected[i] = i;
        chain->args[i][0] = rig_buffer(chain->mem, 0, sizeof(uint32_t));
        chain->args[i][1] = rig_scalar(&chain->expected[i], sizeof(uint32_t));
        chain->launches[i] = rig_launch(chain->code, chain->args[i], 2, 1, 1);
        chain->launches[i].result.status = 12345;
        chain->cmds[i] = (fgpu_cmd){FGPU_CMD_LAUNCH, rng_below(rng, 10) == 0 ? FGPU_CMD_NOTIFY : 0,
                                    &chain->launches[i]};
    }
}

static void chain_fini(struct chain *chain, struct rig *rig)
{
    opencl_backend.code_free(rig->device, chain->code);
    opencl_backend.mem_free(rig->device, chain->mem);
}

/* Random batches; numbers without gaps, results written when a number is reported and not before
 * (the first one is waited for), effects in order. */
static void test_order(void **state)
{
    static struct chain chain;
    struct rig rig;
    struct rng rng;
    uint64_t first = 0;
    uint64_t reported = 0;
    uint32_t done = 0;
    uint32_t value = 0;

    (void)state;
    setup(&rig);
    rng_init(&rng, SEED);
    chain_init(&chain, &rig, &rng);
    first = rig.last;
    while (done < CHAIN) {
        uint32_t batch = 1 + (uint32_t)rng_below(&rng, 100);
        uint64_t before = rig.last;
        uint64_t number = 0;
        uint32_t taken = 0;
        batch = batch < CHAIN - done ? batch : CHAIN - done;
        taken = opencl_backend.submit(rig.queue, &chain.cmds[done], batch, &rig.last);
        assert_int_equal(rig.last, before + taken);
        done += taken;
        if (taken < batch || rng_below(&rng, 4) == 0) {
            assert_int_equal(opencl_backend.poll(rig.queue, &number), FGPU_OK);
            assert_true(number >= reported && number <= rig.last);
            reported = number;
            for (uint64_t n = first; n < reported; n++)
                assert_int_equal(chain.launches[n - first].result.status, FGPU_OK);
        }
    }
    sleep_until(&rig, rig.last);
    rig_read(&rig, chain.mem, 0, &value, sizeof(value));
    assert_int_equal(value, CHAIN);
    chain_fini(&chain, &rig);
    rig_close(&rig);
}

/* Without polling a queue takes what its caps say and no more. */
static void test_capacity(void **state)
{
    static struct chain chain;
    struct rig rig;
    struct rng rng;
    uint32_t taken = 0;
    uint32_t value = 0;

    (void)state;
    setup(&rig);
    rng_init(&rng, SEED);
    chain_init(&chain, &rig, &rng);
    assert_in_range(rig.caps.max_queue_commands, 1, CHAIN - 1);
    taken = opencl_backend.submit(rig.queue, chain.cmds, CHAIN, &rig.last);
    assert_int_equal(taken, rig.caps.max_queue_commands);
    assert_int_equal(opencl_backend.submit(rig.queue, &chain.cmds[taken], 1, &rig.last), 0);
    sleep_until(&rig, rig.last);
    assert_int_equal(rig_submit(&rig, &chain.cmds[taken], CHAIN - taken), FGPU_OK);
    sleep_until(&rig, rig.last);
    rig_read(&rig, chain.mem, 0, &value, sizeof(value));
    assert_int_equal(value, CHAIN);
    chain_fini(&chain, &rig);
    rig_close(&rig);
}

/* One command without any flag, and nobody polls: the queue's last command rings. */
static void test_last_rings(void **state)
{
    struct rig rig;
    fgpu_mem mem = 0;
    fgpu_cmd_fill fill = {.row_bytes = 64, .rows = 1, .pattern_bytes = 1};
    fgpu_cmd cmds[3] = {
        {FGPU_CMD_FILL, 0, &fill}, {FGPU_CMD_FILL, 0, &fill}, {FGPU_CMD_FILL, 0, &fill}};

    (void)state;
    setup(&rig);
    mem = fill.mem = rig_alloc(&rig, 64);
    for (uint32_t i = 0; i < 200; i++) {
        uint32_t seen = rings(&rig);
        uint64_t number = 0;
        assert_int_equal(opencl_backend.submit(rig.queue, cmds, 1 + i % 3, &rig.last), 1 + i % 3);
        wait_ring(&rig, seen);
        sleep_until(&rig, rig.last);
        assert_int_equal(opencl_backend.poll(rig.queue, &number), FGPU_OK);
        assert_int_equal(number, rig.last);
    }
    opencl_backend.mem_free(rig.device, mem);
    rig_close(&rig);
}

static void test_fence(void **state)
{
    struct rig rig;
    fgpu_mem mem = 0;
    fgpu_cmd_result results[3] = {{.status = 7}, {.status = 7}, {.status = 7}};
    fgpu_cmd_fill fill = {.row_bytes = 1u << 16, .rows = 1, .pattern_bytes = 1};
    fgpu_cmd cmds[4] = {{FGPU_CMD_FENCE, FGPU_CMD_NOTIFY, &results[0]},
                        {FGPU_CMD_FILL, 0, &fill},
                        {FGPU_CMD_FENCE, FGPU_CMD_NOTIFY | FGPU_CMD_TIMED, &results[1]},
                        {FGPU_CMD_FENCE, 0, &results[2]}};
    uint32_t seen = 0;
    uint64_t number = 0;

    (void)state;
    setup(&rig);
    mem = fill.mem = rig_alloc(&rig, 1u << 16);
    /* alone in an idle queue: over at once, and told */
    assert_int_equal(opencl_backend.submit(rig.queue, cmds, 1, &rig.last), 1);
    assert_int_equal(rig.last, 1);
    assert_int_equal(rings(&rig), 1);
    assert_int_equal(opencl_backend.poll(rig.queue, &number), FGPU_OK);
    assert_int_equal(number, 1);
    assert_int_equal(results[0].status, FGPU_OK);
    for (uint32_t i = 0; i < 200; i++) {
        results[1].status = results[2].status = 7;
        seen = rings(&rig);
        assert_int_equal(opencl_backend.submit(rig.queue, cmds + 1, 1, &rig.last), 1);
        assert_int_equal(opencl_backend.submit(rig.queue, cmds + 2, 2, &rig.last), 2);
        wait_ring(&rig, seen);
        sleep_until(&rig, rig.last);
        assert_int_equal(results[1].status, FGPU_OK);
        assert_int_equal(results[2].status, FGPU_OK);
    }
    opencl_backend.mem_free(rig.device, mem);
    rig_close(&rig);
}

/* A launch that OpenCL refuses fails alone; what is chained to it is skipped up to the fence. */
static void test_failed_command(void **state)
{
    struct rig rig;
    fgpu_code code = 0;
    fgpu_mem mem = 0;
    uint32_t value = 0;
    uint32_t steps[4] = {0, 1, 2, 1};
    fgpu_cmd_arg args[4][2];
    fgpu_cmd_launch launches[4];
    fgpu_cmd_result fence = {0};
    char text[256] = "";

    (void)state;
    setup(&rig);
    code = rig_build(&rig, step_text, "step_one", 2);
    mem = rig_alloc(&rig, sizeof(value));
    rig_write(&rig, mem, 0, &value, sizeof(value));
    for (uint32_t i = 0; i < 4; i++) {
        args[i][0] = rig_buffer(mem, 0, sizeof(value));
        args[i][1] = rig_scalar(&steps[i], sizeof(steps[i]));
        launches[i] = rig_launch(code, args[i], 2, 1, 1);
    }
    launches[0].local[0] = rig.caps.max_group_items * 4; /* too many */
    launches[0].global[0] = launches[0].local[0];
    {
        fgpu_cmd cmds[5] = {{FGPU_CMD_LAUNCH, 0, &launches[0]},
                            {FGPU_CMD_LAUNCH, FGPU_CMD_CHAINED, &launches[1]},
                            {FGPU_CMD_LAUNCH, 0, &launches[2]},
                            {FGPU_CMD_FENCE, 0, &fence},
                            {FGPU_CMD_LAUNCH, FGPU_CMD_CHAINED, &launches[3]}};
        uint32_t one = 1;
        rig_write(&rig, mem, 0, &one, sizeof(one));
        assert_int_equal(rig_submit(&rig, cmds, 5), FGPU_OK);
    }
    sleep_until(&rig, rig.last);
    assert_int_equal(launches[0].result.status, FGPU_E_INVAL);
    assert_int_equal(launches[1].result.status, FGPU_E_CANCELLED);
    assert_int_equal(launches[2].result.status, FGPU_OK); /* not chained: ran, found 1 and not 2 */
    assert_int_equal(launches[3].result.status, FGPU_OK); /* behind the fence: 1 -> 2 */
    rig_read(&rig, mem, 0, &value, sizeof(value));
    assert_int_equal(value, 2);
    opencl_backend.reason(rig.device, text, sizeof(text));
    assert_non_null(strstr(text, "CL_INVALID_WORK_"));
    /* a wrong number of arguments, and a scalar of the wrong size */
    launches[1].arg_count = 1;
    rig_run(&rig, FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &launches[1]);
    assert_int_equal(launches[1].result.status, FGPU_E_INVAL);
    args[2][1].size_bytes = 1;
    rig_run(&rig, FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &launches[2]);
    assert_int_equal(launches[2].result.status, FGPU_E_INVAL);
    args[2][1].size_bytes = 4; /* and right again: 2 -> 3 */
    rig_run(&rig, FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &launches[2]);
    rig_read(&rig, mem, 0, &value, sizeof(value));
    assert_int_equal(value, 3);
    opencl_backend.code_free(rig.device, code);
    opencl_backend.mem_free(rig.device, mem);
    rig_close(&rig);
}

struct spin {
    fgpu_code code;
    fgpu_mem mem;
    int rounds;
    fgpu_cmd_arg args[2];
    fgpu_cmd_launch launch;
};

static void spin_init(struct spin *spin, struct rig *rig, int rounds)
{
    float zeros[64] = {0};

    spin->code = rig_build(rig, spin_text, "spin", 2);
    spin->mem = rig_alloc(rig, sizeof(zeros));
    rig_write(rig, spin->mem, 0, zeros, sizeof(zeros));
    spin->rounds = rounds;
    spin->args[0] = rig_buffer(spin->mem, 0, sizeof(zeros));
    spin->args[1] = rig_scalar(&spin->rounds, sizeof(spin->rounds));
    spin->launch = rig_launch(spin->code, spin->args, 2, 64, 64);
    rig_run(rig, FGPU_CMD_LAUNCH, 0, &spin->launch); /* compiled on some devices only now */
}

static void spin_fini(struct spin *spin, struct rig *rig)
{
    opencl_backend.code_free(rig->device, spin->code);
    opencl_backend.mem_free(rig->device, spin->mem);
}

static void test_timing(void **state)
{
    struct rig rig;
    struct spin spin;
    fgpu_device_sample sample = {.struct_bytes = sizeof(sample)};
    uint64_t end_ns = 0;

    (void)state;
    setup(&rig);
    spin_init(&spin, &rig, 20000);
    for (uint32_t i = 0; i < 5; i++) {
        uint64_t start_ns = clock_now_ns();
        uint64_t wall_ns = 0;
        rig_run(&rig, FGPU_CMD_LAUNCH, FGPU_CMD_TIMED, &spin.launch);
        wall_ns = clock_now_ns() - start_ns;
        assert_int_equal(spin.launch.result.timed, 1);
        assert_true(spin.launch.result.start_ns >= end_ns);
        assert_true(spin.launch.result.start_ns >= start_ns); /* on our clock */
        assert_true(spin.launch.result.end_ns <= start_ns + wall_ns);
        assert_true(spin.launch.result.end_ns > spin.launch.result.start_ns);
        assert_true(spin.launch.result.end_ns - spin.launch.result.start_ns <= wall_ns);
        end_ns = spin.launch.result.end_ns;
    }
    rig_run(&rig, FGPU_CMD_LAUNCH, 0, &spin.launch);
    assert_int_equal(spin.launch.result.timed, 0);
    assert_int_equal(opencl_backend.sample(rig.device, &sample), FGPU_OK);
    if (target_is_fake()) /* what others do to a GPU is not told, so our part is not the whole */
        assert_true((sample.valid & FGPU_SAMPLE_UTILISATION) == 0);
    assert_true(sample.utilisation >= 0 && sample.utilisation <= 1);
    assert_true((sample.valid & (FGPU_SAMPLE_POWER | FGPU_SAMPLE_TEMPERATURE)) == 0);
    spin_fini(&spin, &rig);
    rig_close(&rig);
}

/* A fence that is over while what follows it in the same call still runs is told of at once. */
static void test_fence_ahead(void **state)
{
    struct rig rig;
    struct spin spin;
    fgpu_cmd_result fence = {0};
    fgpu_cmd cmds[2] = {{FGPU_CMD_FENCE, FGPU_CMD_NOTIFY, &fence},
                        {FGPU_CMD_LAUNCH, 0, &spin.launch}};
    uint32_t seen = 0;
    uint64_t number = 0;

    (void)state;
    setup(&rig);
    spin_init(&spin, &rig, 2000000);
    (void)nanosleep(&(struct timespec){0, 20000000}, NULL); /* the last ring has come */
    seen = rings(&rig);
    assert_int_equal(opencl_backend.submit(rig.queue, cmds, 2, &rig.last), 2);
    assert_int_equal(rings(&rig), seen + 1);
    assert_int_equal(opencl_backend.poll(rig.queue, &number), FGPU_OK);
    assert_int_equal(number, rig.last - 1);
    sleep_until(&rig, rig.last);
    spin_fini(&spin, &rig);
    rig_close(&rig);
}

/* Closing waits for what is in flight: the memory may go right after it. */
static void test_close_busy(void **state)
{
    struct rig rig;
    struct spin spin;
    static fgpu_cmd_launch launches[64];
    fgpu_cmd cmds[64];
    float after[64] = {0};
    uint32_t seen = 0;

    (void)state;
    setup(&rig);
    spin_init(&spin, &rig, 20000);
    for (uint32_t i = 0; i < 64; i++) {
        launches[i] = spin.launch;
        cmds[i] = (fgpu_cmd){FGPU_CMD_LAUNCH, 0, &launches[i]};
    }
    assert_int_equal(rig_submit(&rig, cmds, 64), FGPU_OK);
    opencl_backend.queue_close(rig.queue);
    seen = rings(&rig);
    assert_int_equal(opencl_backend.queue_open(rig.device, 0, &rig.queue), FGPU_OK);
    rig_read(&rig, spin.mem, 0, after, sizeof(after));
    assert_true(after[0] > 499.0f); /* the fixed point of the kernel's map is 500 */
    spin_fini(&spin, &rig);
    rig_close(&rig);
    seen = rings(&rig);
    (void)nanosleep(&(struct timespec){0, 20000000}, NULL);
    assert_int_equal(rings(&rig), seen); /* nobody rings a closed device's bell */
}

/* Two sub-devices of one device really work at the same time: their launches overlap. */
static void test_parallel(void **state)
{
    fgpu_backend_options options = target_options();
    struct rig rigs[2];
    struct spin spins[2];
    uint32_t count = 0;
    uint64_t from_ns = 0, to_ns = 0, shorter_ns = 0;

    (void)state;
    assert_int_equal(opencl_backend.probe(&options, NULL, 0, &count, NULL, 0), FGPU_OK);
    if (target->subdevices < 2 || count < 2)
        return;
    for (uint32_t i = 0; i < 2; i++) {
        rig_open(&rigs[i], &options, i);
        spin_init(&spins[i], &rigs[i], 2000000);
    }
    for (uint32_t i = 0; i < 2; i++) {
        fgpu_cmd cmd = {FGPU_CMD_LAUNCH, FGPU_CMD_TIMED, &spins[i].launch};
        assert_int_equal(rig_submit(&rigs[i], &cmd, 1), FGPU_OK);
    }
    for (uint32_t i = 0; i < 2; i++) {
        const fgpu_cmd_result *result = &spins[i].launch.result;
        assert_int_equal(rig_wait(&rigs[i], rigs[i].last), FGPU_OK);
        from_ns = result->start_ns > from_ns ? result->start_ns : from_ns;
        to_ns = to_ns == 0 || result->end_ns < to_ns ? result->end_ns : to_ns;
        if (shorter_ns == 0 || result->end_ns - result->start_ns < shorter_ns)
            shorter_ns = result->end_ns - result->start_ns;
    }
    assert_true(to_ns > from_ns);
    (void)printf("overlap %.0f %% of the shorter launch\n",
                 100.0 * (double)(to_ns - from_ns) / (double)shorter_ns);
    for (uint32_t i = 0; i < 2; i++) {
        spin_fini(&spins[i], &rigs[i]);
        rig_close(&rigs[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),          cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_last_rings),     cmocka_unit_test(test_fence),
        cmocka_unit_test(test_failed_command), cmocka_unit_test(test_timing),
        cmocka_unit_test(test_fence_ahead),    cmocka_unit_test(test_close_busy),
        cmocka_unit_test(test_parallel),
    };
    int ran = 0;
    int failed = 0;

    TARGETS_RUN(tests, ran, failed)
    return ran == 0 ? 77 : failed;
}
