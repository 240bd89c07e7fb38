/* The OpenCL backend on a driver that fails on demand (tests/fakeicd): enqueues that are refused,
 * memory that is full, builds that fail, devices that die with work in flight. Each test ends with
 * every object of the driver released and no rule of OpenCL broken.
 */
#include "conform/opencl_rig.h"

#include <dlfcn.h>
#include "base/limits.h"
#include "fakeicd/fakecl.h"

#define SEED 99003u
#define COMMANDS 400u
#define CLOSE_NS UINT64_C(5000000000) /* closing a lost device takes less */

static struct {
    int (*set)(const char *name, long value);
    void (*stats)(struct fakecl_stats *stats);
    int (*reset)(void);
} fake;

static const char *const step_text = "__kernel void step_one(__global uint *a, uint expected)\n"
                                     "{ if (a[0] == expected) a[0] = expected + 1; }";

static void set(const char *name, long value)
{
    assert_int_equal(fake.set(name, value), 0);
}

static int start(void **state)
{
    (void)state;
    (void)fake.reset();
    set("strict", 1);
    return 0;
}

/* Nothing is left in the driver, and nothing was done against the rules. */
static int finish(void **state)
{
    struct fakecl_stats stats;

    (void)state;
    fake.stats(&stats);
    for (int i = 0; i < 5000 && stats.live_objects > 0; i++) { /* a worker says that a command has
                                                                  ended before it lets go of it */
        const struct timespec pause = {0, 1000000};
        nanosleep(&pause, NULL);
        fake.stats(&stats);
    }
    assert_int_equal(stats.live_objects, 0);
    assert_int_equal(stats.misuses, 0);
    assert_int_equal(fake.reset(), 0);
    return 0;
}

struct chain {
    fgpu_code code;
    fgpu_mem mem;
    fgpu_cmd_arg args[COMMANDS][2];
    uint32_t expected[COMMANDS];
    fgpu_cmd_launch launches[COMMANDS];
    fgpu_cmd cmds[COMMANDS];
};

static void chain_init(struct chain *chain, struct rig *rig)
{
    uint32_t zero = 0;

    chain->code = rig_build(rig, step_text, "step_one", 2);
    chain->mem = rig_alloc(rig, sizeof(zero));
    rig_write(rig, chain->mem, 0, &zero, sizeof(zero));
    for (uint32_t i = 0; i < COMMANDS; i++) {
        chain->expected[i] = i;
        chain->args[i][0] = rig_buffer(chain->mem, 0, sizeof(uint32_t));
        chain->args[i][1] = rig_scalar(&chain->expected[i], sizeof(uint32_t));
        chain->launches[i] = rig_launch(chain->code, chain->args[i], 2, 1, 1);
        chain->launches[i].result.status = 12345;
        chain->cmds[i] =
            (fgpu_cmd){FGPU_CMD_LAUNCH, i % 16 == 0 ? FGPU_CMD_NOTIFY : 0, &chain->launches[i]};
    }
}

static void chain_fini(struct chain *chain, struct rig *rig)
{
    opencl_backend.code_free(rig->device, chain->code);
    opencl_backend.mem_free(rig->device, chain->mem);
}

/* Every third enqueue is refused in the middle of batches; every command runs once, in order. */
static void test_refused_enqueues(void **state)
{
    static struct chain chain;
    struct fakecl_stats stats;
    struct rig rig;
    uint32_t value = 0;

    (void)state;
    for (long seed = 1; seed <= 5; seed++) {
        set("seed", seed);
        set("delay_us", seed * 5);
        rig_open(&rig, NULL, 0);
        chain_init(&chain, &rig);
        set("fail_enqueue", 300);
        assert_int_equal(rig_submit(&rig, chain.cmds, COMMANDS), FGPU_OK);
        assert_int_equal(rig_wait(&rig, rig.last), FGPU_OK);
        set("fail_enqueue", 0);
        fake.stats(&stats);
        assert_true(stats.refused_enqueues > COMMANDS / 10);
        for (uint32_t i = 0; i < COMMANDS; i++)
            assert_int_equal(chain.launches[i].result.status, FGPU_OK);
        rig_read(&rig, chain.mem, 0, &value, sizeof(value));
        assert_int_equal(value, COMMANDS);
        chain_fini(&chain, &rig);
        rig_close(&rig);
    }
}

/* A driver that refuses everything: single commands fail, then the queue. It takes a while, not
 * for ever, and rings, for nothing else would. */
static void test_refused_for_ever(void **state)
{
    static struct chain chain;
    struct rig rig;
    uint64_t deadline_ns = clock_now_ns() + CLOSE_NS;
    uint64_t number = 0;
    uint32_t before = 0;
    char text[256] = "";

    (void)state;
    rig_open(&rig, NULL, 0);
    chain_init(&chain, &rig);
    set("fail_enqueue", 1000);
    before = atomic_load_acquire_u32(&rig.rings);
    for (uint32_t done = 0; opencl_backend.poll(rig.queue, &number) == FGPU_OK;) {
        done += opencl_backend.submit(rig.queue, &chain.cmds[done], 1, &rig.last);
        assert_in_range(done, 0, LIMITS_OPENCL_GIVEN_UP);
        assert_true(clock_now_ns() < deadline_ns);
    }
    assert_int_equal(opencl_backend.poll(rig.queue, &number), FGPU_E_DEVICE);
    assert_int_equal(number, rig.last);
    assert_int_equal(chain.launches[0].result.status, FGPU_E_DEVMEM);
    assert_true(atomic_load_acquire_u32(&rig.rings) > before + LIMITS_OPENCL_TRIES);
    opencl_backend.reason(rig.device, text, sizeof(text));
    assert_non_null(strstr(text, "CL_OUT_OF_RESOURCES"));
    set("fail_enqueue", 0);
    chain_fini(&chain, &rig);
    rig_close(&rig);
}

/* Device `rig` has died: what is told, and that closing ends. */
static void check_lost(struct rig *rig, const struct chain *chain, uint64_t first)
{
    uint64_t number = 0;
    uint64_t again = 0;
    uint64_t start_ns = clock_now_ns();
    fgpu_status status = opencl_backend.poll(rig->queue, &number);
    char text[256] = "";

    assert_true(status == FGPU_E_DEVICE || status == FGPU_E_DEVICE_LOST);
    assert_true(number < rig->last || rig->last == first);
    for (uint64_t n = first + 1; n <= number; n++)
        assert_int_equal(chain->launches[n - first - 1].result.status, FGPU_OK);
    assert_int_equal(opencl_backend.submit(rig->queue, chain->cmds, 1, &again), 0);
    assert_int_equal(again, rig->last);
    assert_int_equal(opencl_backend.poll(rig->queue, &again), status); /* for ever */
    assert_int_equal(again, number);
    opencl_backend.reason(rig->device, text, sizeof(text));
    assert_non_null(strstr(text, "CL_"));
    assert_non_null(strstr(text, "command"));
    opencl_backend.queue_close(rig->queue);
    assert_true(clock_now_ns() - start_ns < CLOSE_NS);
}

/* A device dies at a random command. Its neighbour in the same context works on, and a pool that is
 * opened later gets a context that works. */
static void test_lost(void **state)
{
    static struct chain chain;
    static struct chain other_chain;
    struct rng rng;

    (void)state;
    rng_init(&rng, SEED);
    for (uint32_t round = 0; round < 20; round++) {
        struct rig rig, other;
        uint64_t first = 0;
        uint32_t rings = 0;
        uint32_t value = 0;
        (void)fake.reset();
        set("delay_us", (long)rng_below(&rng, 30));
        rig_open(&rig, NULL, 0);
        rig_open(&other, NULL, 1);
        chain_init(&chain, &rig);
        chain_init(&other_chain, &other);
        first = rig.last;
        rings = atomic_load_acquire_u32(&rig.rings);
        set("lose_after", 2 + (long)rng_below(&rng, 600));
        if (rig_submit(&rig, chain.cmds, COMMANDS) == FGPU_OK)
            if (rig_wait(&rig, rig.last) == FGPU_OK) { /* it outlives its work: kill it */
                set("lose_after", 0);
                (void)opencl_backend.submit(rig.queue, chain.cmds, 1, &rig.last);
                while (rig_wait(&rig, rig.last) == FGPU_OK)
                    (void)opencl_backend.submit(rig.queue, chain.cmds, 1, &rig.last);
                first = rig.last; /* results of the chain are known already */
            }
        assert_true(atomic_load_acquire_u32(&rig.rings) > rings);
        check_lost(&rig, &chain, first);
        assert_int_equal(rig_submit(&other, other_chain.cmds, COMMANDS), FGPU_OK);
        assert_int_equal(rig_wait(&other, other.last), FGPU_OK);
        rig_read(&other, other_chain.mem, 0, &value, sizeof(value));
        assert_int_equal(value, COMMANDS);
        chain_fini(&chain, &rig);
        opencl_backend.close(rig.device);
        chain_fini(&other_chain, &other);
        rig_close(&other);
    }
}

static void test_memory(void **state)
{
    struct rig rigs[2];
    fgpu_mem mem = 0;
    fgpu_mem other = 0;

    (void)state;
    for (long lazy = 0; lazy < 2; lazy++) {
        set("memory", 4 << 20);
        set("max_alloc", 4 << 20);
        set("lazy", lazy);
        for (int i = 0; i < 2; i++)
            rig_open(&rigs[i], NULL, 0); /* one device, two pools: each has the whole budget */
        mem = rig_alloc(&rigs[0], 3 << 20);
        assert_int_equal(opencl_backend.mem_alloc(rigs[1].device, 3 << 20, &other), FGPU_E_DEVMEM);
        assert_non_null(strstr(error_text(), "CL_"));
        opencl_backend.mem_free(rigs[0].device, mem);
        other = rig_alloc(&rigs[1], 3 << 20);
        opencl_backend.mem_free(rigs[1].device, other);
        set("fail_alloc", 1000);
        assert_int_equal(opencl_backend.mem_alloc(rigs[0].device, 64, &mem), FGPU_E_DEVMEM);
        set("fail_alloc", 0);
        for (int i = 0; i < 2; i++)
            rig_close(&rigs[i]);
    }
}

static void test_build(void **state)
{
    fgpu_code_source source = {.kind = FGPU_VARIANT_OPENCL,
                               .arg_count = 2,
                               .text = step_text,
                               .entry = "step_one",
                               .options = ""};
    fgpu_code_built built;
    struct rig rig;

    (void)state;
    rig_open(&rig, NULL, 0);
    set("fail_build", 1000);
    assert_true(opencl_backend.code_build(rig.device, &source, &built) < 0);
    assert_int_equal(built.code, 0);
    assert_true(error_text()[0] != '\0');
    free(built.log);
    set("fail_build", 0);
    assert_int_equal(opencl_backend.code_build(rig.device, &source, &built), FGPU_OK);
    free(built.log);
    opencl_backend.code_free(rig.device, built.code);
    rig_close(&rig);
}

/* A device that is dead when it is opened or asked for memory says so. */
static void test_dead_from_the_start(void **state)
{
    struct rig rig;
    fgpu_cmd_fill fill = {.row_bytes = 4, .rows = 1, .pattern_bytes = 1};
    fgpu_cmd cmd = {FGPU_CMD_FILL, 0, &fill};
    fgpu_mem more = 0;
    fgpu_status status = FGPU_OK;

    (void)state;
    rig_open(&rig, NULL, 0);
    fill.mem = rig_alloc(&rig, 64);
    set("lose_after", 0);
    status = rig_submit(&rig, &cmd, 1);
    if (status == FGPU_OK)
        status = rig_wait(&rig, rig.last);
    while (status == FGPU_OK) { /* it dies in or after its next command */
        status = rig_submit(&rig, &cmd, 1);
        if (status == FGPU_OK)
            status = rig_wait(&rig, rig.last);
    }
    assert_true(status == FGPU_E_DEVICE || status == FGPU_E_DEVICE_LOST);
    assert_true(opencl_backend.mem_alloc(rig.device, 64, &more) < 0);
    opencl_backend.mem_free(rig.device, fill.mem);
    rig_close(&rig);
}

/* ---- gathered copies -------------------------------------------------------------------- */

#define PIECES 300u
#define PIECE_BYTES 52u
#define PIECES_APART 100u /* bytes from one to the next */

struct pieces {
    fgpu_mem mem;
    unsigned char source[PIECES][PIECE_BYTES];
    unsigned char found[PIECES * PIECES_APART];
    fgpu_cmd_copy copies[PIECES];
    fgpu_cmd cmds[PIECES];
};

static void pieces_init(struct pieces *pieces, struct rig *rig)
{
    memset(pieces, 0, sizeof *pieces);
    pieces->mem = rig_alloc(rig, sizeof pieces->found);
    rig_write(rig, pieces->mem, 0, pieces->found, sizeof pieces->found);
}

/* Submits them all; what the device has then. Returns how many commands it took. */
static uint64_t pieces_run(struct pieces *pieces, struct rig *rig, unsigned value)
{
    struct fakecl_stats before, after;

    for (uint32_t i = 0; i < PIECES; i++) {
        memset(pieces->source[i], (int)(value + i), PIECE_BYTES);
        pieces->copies[i] = (fgpu_cmd_copy){.src = (fgpu_mem)(uintptr_t)pieces->source[i],
                                            .src_is_host = 1,
                                            .dst = pieces->mem,
                                            .dst_offset_bytes = i * PIECES_APART + i % 7,
                                            .row_bytes = PIECE_BYTES - i % 3,
                                            .rows = 1};
        pieces->copies[i].result.status = 12345;
        pieces->cmds[i] = (fgpu_cmd){FGPU_CMD_COPY, 0, &pieces->copies[i]};
    }
    fake.stats(&before);
    assert_int_equal(rig_submit(rig, pieces->cmds, PIECES), FGPU_OK);
    assert_int_equal(rig_wait(rig, rig->last), FGPU_OK);
    fake.stats(&after);
    return after.enqueued - before.enqueued;
}

static void pieces_check(struct pieces *pieces, struct rig *rig, unsigned value)
{
    rig_read(rig, pieces->mem, 0, pieces->found, sizeof pieces->found);
    for (uint32_t i = 0; i < PIECES; i++) {
        const unsigned char *at = pieces->found + i * PIECES_APART + i % 7;
        assert_int_equal(pieces->copies[i].result.status, FGPU_OK);
        for (uint32_t k = 0; k < PIECE_BYTES; k++)
            assert_int_equal(at[k], k < PIECE_BYTES - i % 3 ? (unsigned char)(value + i) : 0);
    }
}

static void pieces_prepare(struct rig *rig)
{
    opencl_backend.code_free(rig->device, rig_build(rig, step_text, "step_one", 2));
}

/* Many small copies in are one transfer and one kernel, once that could be built. */
static void test_gathered(void **state)
{
    static struct pieces pieces;
    struct rig rig;

    (void)state;
    rig_open(&rig, NULL, 0);
    pieces_init(&pieces, &rig);
    assert_true(pieces_run(&pieces, &rig, 1) >= PIECES);
    pieces_check(&pieces, &rig, 1);
    pieces_prepare(&rig);
    for (unsigned round = 2; round < 6; round++) { /* stages take turns */
        assert_in_range(pieces_run(&pieces, &rig, round), 2, 4);
        pieces_check(&pieces, &rig, round);
    }
    opencl_backend.mem_free(rig.device, pieces.mem);
    rig_close(&rig);
}

/* The transfer is refused, or the kernel after it: then they go one by one, each once. */
static void test_gathered_refused(void **state)
{
    static struct pieces pieces;
    struct fakecl_stats stats;
    struct rig rig;

    (void)state;
    for (long seed = 1; seed <= 8; seed++) {
        set("seed", seed);
        set("delay_us", seed * 3);
        rig_open(&rig, NULL, 0);
        pieces_init(&pieces, &rig);
        pieces_prepare(&rig);
        set("fail_enqueue", 400);
        for (unsigned round = 0; round < 4; round++)
            (void)pieces_run(&pieces, &rig, round);
        set("fail_enqueue", 0);
        pieces_check(&pieces, &rig, 3);
        opencl_backend.mem_free(rig.device, pieces.mem);
        rig_close(&rig);
    }
    fake.stats(&stats);
    assert_true(stats.refused_enqueues > 8);
}

/* No room for the stage, or no kernel: one by one. */
static void test_gathered_not(void **state)
{
    static struct pieces pieces;
    struct rig rig;

    (void)state;
    for (int way = 0; way < 2; way++) {
        rig_open(&rig, NULL, 0);
        pieces_init(&pieces, &rig);
        pieces_prepare(&rig);
        set(way == 0 ? "fail_alloc" : "max_alloc", way == 0 ? 1000 : 1 << 16);
        for (unsigned round = 0; round < 3; round++) {
            assert_true(pieces_run(&pieces, &rig, round) >= PIECES);
            pieces_check(&pieces, &rig, round);
        }
        set("fail_alloc", 0);
        opencl_backend.mem_free(rig.device, pieces.mem);
        rig_close(&rig);
    }
    set("max_alloc", 0);
}

/* The device dies with gathered copies in flight: nothing is told that is not so, nothing stays. */
static void test_gathered_lost(void **state)
{
    static struct pieces pieces;

    (void)state;
    for (long after = 0; after < 6; after++) {
        struct rig rig;
        uint64_t number = 0;
        fgpu_status status = FGPU_OK;
        (void)fake.reset();
        rig_open(&rig, NULL, 0);
        pieces_init(&pieces, &rig);
        pieces_prepare(&rig);
        (void)pieces_run(&pieces, &rig, 1);
        set("lose_after", after);
        while (status == FGPU_OK) {
            status = rig_submit(&rig, pieces.cmds, PIECES);
            if (status == FGPU_OK)
                status = rig_wait(&rig, rig.last);
        }
        assert_true(status == FGPU_E_DEVICE || status == FGPU_E_DEVICE_LOST);
        assert_int_equal(opencl_backend.poll(rig.queue, &number), status);
        assert_int_equal((number - 1) % PIECES, 0); /* behind rig_write: all of them or none */
        opencl_backend.mem_free(rig.device, pieces.mem);
        rig_close(&rig);
    }
}

/* A driver that is there and does not work is no missing one. */
static void test_broken_platform(void **state)
{
    static const struct {
        const char *setting;
        long error;
        fgpu_status status;
        const char *text;
    } rows[] = {
        {"platform_error", 1001, FGPU_E_NODEVICE, "no platform (CL_PLATFORM_NOT_FOUND_KHR, -1001)"},
        {"platform_error", 6, FGPU_E_NOMEM, "no platform (CL_OUT_OF_HOST_MEMORY, -6)"},
        {"devices_error", 1, FGPU_E_NODEVICE, "no device (CL_SUCCESS, 0)"},
        {"devices_error", 5, FGPU_E_DEVMEM, "no device (CL_OUT_OF_RESOURCES, -5)"},
    };
    const fgpu_backend_options options = {0};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char why[512] = "";
        uint32_t count = 9;
        set(rows[i].setting, rows[i].error);
        assert_int_equal(opencl_backend.probe(&options, NULL, 0, &count, why, sizeof why),
                         rows[i].status);
        assert_int_equal(count, 0);
        if (strstr(why, rows[i].text) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", why, rows[i].text);
        set(rows[i].setting, 0);
    }
}

static bool load_fake(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbols[3];

    if (handle == NULL)
        return false;
    symbols[0] = dlsym(handle, "fakecl_set");
    symbols[1] = dlsym(handle, "fakecl_stats");
    symbols[2] = dlsym(handle, "fakecl_reset");
    if (symbols[0] == NULL || symbols[1] == NULL || symbols[2] == NULL)
        return false;
    memcpy(&fake.set, &symbols[0], sizeof(fake.set));
    memcpy(&fake.stats, &symbols[1], sizeof(fake.stats));
    memcpy(&fake.reset, &symbols[2], sizeof(fake.reset));
    return true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refused_enqueues, start, finish),
        cmocka_unit_test_setup_teardown(test_refused_for_ever, start, finish),
        cmocka_unit_test_setup_teardown(test_lost, start, finish),
        cmocka_unit_test_setup_teardown(test_memory, start, finish),
        cmocka_unit_test_setup_teardown(test_build, start, finish),
        cmocka_unit_test_setup_teardown(test_dead_from_the_start, start, finish),
        cmocka_unit_test_setup_teardown(test_gathered, start, finish),
        cmocka_unit_test_setup_teardown(test_gathered_refused, start, finish),
        cmocka_unit_test_setup_teardown(test_gathered_not, start, finish),
        cmocka_unit_test_setup_teardown(test_gathered_lost, start, finish),
        cmocka_unit_test_setup_teardown(test_broken_platform, start, finish),
    };
    const char *path = getenv("FAKEICD_LIB");
    int failed = 0;

    if (path == NULL || !load_fake(path)) {
        (void)fprintf(stderr, "skipped: FAKEICD_LIB does not name the fake OpenCL driver\n");
        return 77;
    }
    (void)setenv("FASTGPU_OPENCL_LIBRARY", path, 1);
    (void)unsetenv("FASTGPU_OPENCL_MEMORY");
    (void)setenv("FASTGPU_OPENCL_EVENTS", "all", 1);
    failed = cmocka_run_group_tests_name("all events", tests, NULL, NULL);
    (void)setenv("FASTGPU_OPENCL_EVENTS", "few", 1);
    failed += cmocka_run_group_tests_name("few events", tests, NULL, NULL);
    return failed;
}
