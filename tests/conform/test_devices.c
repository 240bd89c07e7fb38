/* Is this device legal? One suite through the table of backend.h against every backend present,
 * bare and inside layers; prints a support table at the end.
 *
 * Expected values are computed here, by loops over plain arrays. A device that executes nothing
 * (null) is held to numbering, results and doorbell only. "-" in the table: the device does not
 * offer this. FASTGPU_TEST_SEED repeats a run.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "lib/device_chain.h"
#include "lib/device_targets.h"
#include "lib/seed.h"

static struct rig_target targets[TARGETS_MAX];
static size_t target_count;
static uint64_t seed;

/* A case under one target, as cmocka's initial state. */
struct trial {
    const char *name;
    void (*run)(struct rig *rig, struct rng *rng);
    const struct rig_target *target;
    bool needs_effects;
    char result; /* '!' failed, '+' passed, '-' not offered */
};

static void need(bool offered, struct trial *trial)
{
    if (offered)
        return;
    trial->result = '-';
    skip();
}

static struct trial *current; /* the trial that runs, for need() deep inside */

static void trial_run(void **state)
{
    struct trial *trial = *state;
    struct rig rig;
    struct rng rng;

    current = trial;
    need(!trial->needs_effects || trial->target->executes, trial);
    rng_init(&rng, seed);
    rig_open(&rig, trial->target);
    trial->run(&rig, &rng);
    rig_close(&rig);
    trial->result = '+';
}

/* Closes the rig first, for skip() does not return. */
static void need_of(struct rig *rig, bool offered)
{
    if (!offered)
        rig_close(rig);
    need(offered, current);
}

/* ---- what it is ----------------------------------------------------------------------------- */

static void case_probe(struct rig *rig, struct rng *rng)
{
    const struct rig_target *target = rig->target;
    fgpu_device_info *infos = calloc(64, sizeof *infos);
    char why[128] = "";
    uint32_t count = 0;

    (void)rng;
    assert_non_null(infos);
    assert_int_equal(target->backend->probe(&target->options, infos, 64, &count, why, sizeof why),
                     FGPU_OK);
    assert_true(count > target->index);
    const fgpu_device_info *info = &infos[target->index];
    assert_string_equal(info->backend, target->backend->name);
    assert_true(strncmp(info->id, info->backend, strlen(info->backend)) == 0);
    assert_true(info->name[0] != '\0' && memchr(info->name, 0, sizeof info->name) != NULL);
    assert_true(info->type >= FGPU_DEVICE_CPU && info->type <= FGPU_DEVICE_NULL);
    if ((info->valid & FGPU_INFO_RESOURCE_GROUP) != 0)
        assert_int_equal(info->resource_group, rig->device.caps.resource_group);
    assert_int_equal(info->queue_count, rig->device.caps.queue_count -
                                            rig->device.caps.side_queue_count -
                                            rig->device.caps.copy_queue_count);
    count = 0;
    assert_int_equal(target->backend->probe(&target->options, NULL, 0, &count, why, sizeof why),
                     FGPU_OK);
    assert_true(count > target->index);
    free(infos);
}

static void case_caps(struct rig *rig, struct rng *rng)
{
    const fgpu_device_caps *caps = &rig->device.caps;

    (void)rng;
    assert_true(caps->queue_count >= 1 && caps->queue_count <= 1024);
    assert_true(caps->variants != 0 && (caps->variants & ~0xeu) == 0);
    assert_true(caps->max_queue_commands >= 1);
    assert_true((caps->offset_align_bytes & (caps->offset_align_bytes - 1)) == 0);
    assert_true(caps->max_group_items >= 1);
    assert_true(caps->memory_bytes > 0);
    assert_true(caps->memory_max_alloc_bytes <= caps->memory_bytes);
}

/* ---- memory --------------------------------------------------------------------------------- */

static void case_round_trip(struct rig *rig, struct rng *rng)
{
    static const uint64_t sizes[] = {1, 3, 64, 4095, 4097, 65536, 1000003};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t bytes = sizes[i];
        unsigned char *out = malloc(bytes);
        unsigned char *in = calloc(bytes, 1);
        fgpu_mem mem = rig_alloc(rig, bytes);

        rig_noise(rng, out, bytes);
        rig_write(rig, mem, 0, out, bytes);
        rig_read(rig, mem, 0, in, bytes);
        assert_memory_equal(out, in, bytes);
        rig_write(rig, mem, bytes / 2, out, bytes - bytes / 2);
        memmove(out + bytes / 2, out, bytes - bytes / 2);
        rig_read(rig, mem, 0, in, bytes);
        assert_memory_equal(out, in, bytes);
        rig_free(rig, mem);
        free(out);
        free(in);
    }
}

/* A rows x row_bytes block at (offset, pitch) that fits `bytes`. */
struct block {
    uint64_t offset, pitch;
};

static struct block random_block(struct rng *rng, uint64_t bytes, uint64_t row_bytes, uint64_t rows)
{
    uint64_t most = rows > 1 ? (bytes - row_bytes) / (rows - 1) : bytes;
    struct block block = {0, row_bytes + rng_below(rng, most - row_bytes + 1)};
    uint64_t need_bytes = block.pitch * (rows - 1) + row_bytes;

    block.offset = rng_below(rng, bytes - need_bytes + 1);
    return block;
}

static void model_copy(unsigned char *dst, struct block to, const unsigned char *src,
                       struct block from, uint64_t row_bytes, uint64_t rows)
{
    for (uint64_t row = 0; row < rows; row++)
        for (uint64_t i = 0; i < row_bytes; i++)
            dst[to.offset + row * to.pitch + i] = src[from.offset + row * from.pitch + i];
}

#define COPY_BYTES 6000u

static void case_copy(struct rig *rig, struct rng *rng)
{
    unsigned char host[COPY_BYTES];
    unsigned char a[COPY_BYTES];
    unsigned char b[COPY_BYTES];
    unsigned char seen[COPY_BYTES];
    fgpu_mem mem_a = rig_alloc(rig, COPY_BYTES);
    fgpu_mem mem_b = rig_alloc(rig, COPY_BYTES);

    rig_noise(rng, host, COPY_BYTES);
    rig_noise(rng, a, COPY_BYTES);
    rig_noise(rng, b, COPY_BYTES);
    rig_write(rig, mem_a, 0, a, COPY_BYTES);
    rig_write(rig, mem_b, 0, b, COPY_BYTES);
    for (int i = 0; i < 60; i++) {
        uint64_t rows = 1 + rng_below(rng, 12);
        uint64_t row_bytes = 1 + rng_below(rng, COPY_BYTES / rows / 2);
        struct block from = random_block(rng, COPY_BYTES, row_bytes, rows);
        struct block to = random_block(rng, COPY_BYTES, row_bytes, rows);
        uint64_t way = rng_below(rng, 3);
        fgpu_cmd_copy copy = {.src = way == 0 ? (uintptr_t)host : mem_a,
                              .dst = way == 1 ? (uintptr_t)host : mem_b,
                              .src_is_host = way == 0,
                              .dst_is_host = way == 1,
                              .src_offset_bytes = from.offset,
                              .dst_offset_bytes = to.offset,
                              .src_pitch_bytes = from.pitch,
                              .dst_pitch_bytes = to.pitch,
                              .row_bytes = row_bytes,
                              .rows = rows};

        unsigned char *model_dst = way == 1 ? host : b;
        unsigned char *expected = malloc(COPY_BYTES);
        memcpy(expected, model_dst, COPY_BYTES);
        model_copy(expected, to, way == 0 ? host : a, from, row_bytes, rows);
        assert_int_equal(rig_run(rig, 0, FGPU_CMD_COPY, 0, &copy), FGPU_OK);
        if (way == 1)
            memcpy(seen, host, COPY_BYTES);
        else
            rig_read(rig, mem_b, 0, seen, COPY_BYTES);
        assert_memory_equal(seen, expected, COPY_BYTES);
        memcpy(model_dst, expected, COPY_BYTES);
        free(expected);
    }
    rig_free(rig, mem_a);
    rig_free(rig, mem_b);
}

static void case_fill(struct rig *rig, struct rng *rng)
{
    unsigned char model[COPY_BYTES];
    unsigned char seen[COPY_BYTES];
    fgpu_mem mem = rig_alloc(rig, COPY_BYTES);

    rig_noise(rng, model, COPY_BYTES);
    rig_write(rig, mem, 0, model, COPY_BYTES);
    for (uint32_t i = 0; i < 60; i++) {
        uint32_t pattern_bytes = 1u << (i % 5);
        uint64_t rows = 1 + rng_below(rng, 8);
        uint64_t units = 1 + rng_below(rng, COPY_BYTES / rows / pattern_bytes / 2);
        struct block to = random_block(rng, COPY_BYTES / pattern_bytes, units, rows);
        fgpu_cmd_fill fill = {.mem = mem,
                              .offset_bytes = to.offset * pattern_bytes,
                              .pitch_bytes = to.pitch * pattern_bytes,
                              .row_bytes = units * pattern_bytes,
                              .rows = rows,
                              .pattern_bytes = pattern_bytes};

        rig_noise(rng, fill.pattern, sizeof fill.pattern);
        for (uint64_t row = 0; row < rows; row++)
            for (uint64_t k = 0; k < fill.row_bytes; k++)
                model[fill.offset_bytes + row * fill.pitch_bytes + k] =
                    fill.pattern[k % pattern_bytes];
        assert_int_equal(rig_run(rig, 0, FGPU_CMD_FILL, 0, &fill), FGPU_OK);
        rig_read(rig, mem, 0, seen, COPY_BYTES);
        assert_memory_equal(seen, model, COPY_BYTES);
    }
    rig_free(rig, mem);
}

static void case_empty_regions(struct rig *rig, struct rng *rng)
{
    unsigned char model[64];
    unsigned char seen[64];
    fgpu_mem mem = rig_alloc(rig, 64);
    fgpu_cmd_copy copy = {.src = (uintptr_t)seen, .src_is_host = 1, .dst = mem, .rows = 3};
    fgpu_cmd_fill fill = {.mem = mem, .row_bytes = 8, .pitch_bytes = 8, .pattern_bytes = 4};

    rig_noise(rng, model, sizeof model);
    memset(seen, 0, sizeof seen);
    rig_write(rig, mem, 0, model, sizeof model);
    assert_int_equal(rig_run(rig, 0, FGPU_CMD_COPY, 0, &copy), FGPU_OK);
    assert_int_equal(rig_run(rig, 0, FGPU_CMD_FILL, 0, &fill), FGPU_OK);
    rig_read(rig, mem, 0, seen, sizeof seen);
    assert_memory_equal(seen, model, sizeof model);
    rig_free(rig, mem);
}

static void case_no_memory(struct rig *rig, struct rng *rng)
{
    fgpu_mem mem = 0;
    unsigned char byte = 7;

    (void)rng;
    assert_int_equal(device_mem_alloc(&rig->device, UINT64_C(1) << 55, &mem), FGPU_E_DEVMEM);
    assert_true(mem == 0);
    mem = rig_alloc(rig, 1);
    rig_write(rig, mem, 0, &byte, 1);
    rig_free(rig, mem);
}

/* ---- launches ------------------------------------------------------------------------------- */

#define AFFINE_ITEMS 5000u

static void affine_once(struct rig *rig, fgpu_code code, struct rng *rng, uint32_t width)
{
    uint32_t align = rig->device.caps.offset_align_bytes;
    uint64_t in_offset = (align < 4 ? 4 : align) * rng_below(rng, 4);
    uint64_t items = 8 * (1 + rng_below(rng, AFFINE_ITEMS / 8));
    uint32_t factor = (uint32_t)rng_u64(rng);
    uint32_t add = (uint32_t)rng_u64(rng);
    uint32_t *in = calloc(items, 4);
    uint32_t *out = calloc(items, 4);
    fgpu_mem in_mem = rig_alloc(rig, in_offset + items * 4);
    fgpu_mem out_mem = rig_alloc(rig, items * 4);
    fgpu_cmd_arg args[] = {kernel_buffer(in_mem, in_offset, items * 4),
                           kernel_buffer(out_mem, 0, items * 4), kernel_scalar(&factor, 4),
                           kernel_scalar(&add, 4)};
    fgpu_cmd_launch launch = kernel_launch(code, args, 4, items, 8);

    launch.width = width;
    rig_noise(rng, in, items * 4);
    rig_write(rig, in_mem, in_offset, in, items * 4);
    assert_int_equal(rig_run(rig, 0, FGPU_CMD_LAUNCH, 0, &launch), FGPU_OK);
    rig_read(rig, out_mem, 0, out, items * 4);
    for (uint64_t i = 0; i < items; i++)
        assert_int_equal(out[i], in[i] * factor + add);
    rig_free(rig, in_mem);
    rig_free(rig, out_mem);
    free(in);
    free(out);
}

static void case_launch(struct rig *rig, struct rng *rng)
{
    fgpu_code code = kernel_build(rig, KERNEL_AFFINE);

    for (uint32_t i = 0; i < 12; i++)
        affine_once(rig, code, rng, i % 3);
    device_code_free(&rig->device, code);
}

static void case_launch_3d(struct rig *rig, struct rng *rng)
{
    fgpu_code code = kernel_build(rig, KERNEL_PLACE);

    for (int trial = 0; trial < 4; trial++) {
        uint32_t local[3] = {1 + (uint32_t)rng_below(rng, 4), 1 + (uint32_t)rng_below(rng, 3), 1};
        uint32_t width = local[0] * (1 + (uint32_t)rng_below(rng, 5));
        uint32_t height = local[1] * (1 + (uint32_t)rng_below(rng, 5));
        uint32_t depth = 1 + (uint32_t)rng_below(rng, 4);
        uint64_t items = (uint64_t)width * height * depth;
        uint32_t *out = calloc(items, 4);
        fgpu_mem mem = rig_alloc(rig, items * 4);
        fgpu_cmd_arg args[] = {kernel_buffer(mem, 0, items * 4), kernel_scalar(&width, 4),
                               kernel_scalar(&height, 4)};
        fgpu_cmd_launch launch = {.code = code,
                                  .args = args,
                                  .arg_count = 3,
                                  .dims = 3,
                                  .global = {width, height, depth},
                                  .local = {local[0], local[1], local[2]}};

        assert_int_equal(rig_run(rig, 0, FGPU_CMD_LAUNCH, 0, &launch), FGPU_OK);
        rig_read(rig, mem, 0, out, items * 4);
        for (uint32_t i = 0; i < items; i++)
            assert_int_equal(out[i], i % width + 1000 * (i / width % height) +
                                         1000000 * (i / width / height));
        rig_free(rig, mem);
        free(out);
    }
    device_code_free(&rig->device, code);
}

static void case_local_memory(struct rig *rig, struct rng *rng)
{
    fgpu_code code = kernel_build(rig, KERNEL_TURN);
    uint32_t in[800];
    uint32_t out[800];
    fgpu_mem in_mem = rig_alloc(rig, sizeof in);
    fgpu_mem out_mem = rig_alloc(rig, sizeof out);
    fgpu_cmd_arg args[] = {kernel_buffer(in_mem, 0, sizeof in),
                           kernel_buffer(out_mem, 0, sizeof out), kernel_local(8 * 4)};
    fgpu_cmd_launch launch = kernel_launch(code, args, 3, 800, 8);

    rig_noise(rng, in, sizeof in);
    rig_write(rig, in_mem, 0, in, sizeof in);
    assert_int_equal(rig_run(rig, 0, FGPU_CMD_LAUNCH, 0, &launch), FGPU_OK);
    rig_read(rig, out_mem, 0, out, sizeof out);
    for (uint32_t i = 0; i < 800; i++)
        assert_int_equal(out[i], in[i / 8 * 8 + 7 - i % 8]);
    rig_free(rig, in_mem);
    rig_free(rig, out_mem);
    device_code_free(&rig->device, code);
}

/* ---- queues --------------------------------------------------------------------------------- */

static void case_order(struct rig *rig, struct rng *rng)
{
    struct chain chain = {.rig = rig, .length = 600};

    chain.code = kernel_build(rig, KERNEL_STAMP);
    chain.mem = rig_alloc(rig, CHAIN_ITEMS * 4);
    rng_init(&chain.rng, rng_u64(rng));
    chain_make(&chain);
    (void)chain_run(&chain);
    chain_check(&chain);
    chain_free(&chain);
    rig_free(rig, chain.mem);
    device_code_free(&rig->device, chain.code);
}

static void case_many_queues(struct rig *rig, struct rng *rng)
{
    struct chain chains[RIG_QUEUES];
    pthread_t threads[RIG_QUEUES];
    fgpu_code code = kernel_build(rig, KERNEL_STAMP);

    for (uint32_t i = 0; i < rig->queue_count; i++) {
        chains[i] = (struct chain){.rig = rig, .queue = i, .length = 300, .code = code};
        chains[i].mem = rig_alloc(rig, CHAIN_ITEMS * 4);
        rng_init(&chains[i].rng, rng_u64(rng));
        chain_make(&chains[i]);
    }
    for (uint32_t i = 0; i < rig->queue_count; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, chain_run, &chains[i]), 0);
    for (uint32_t i = 0; i < rig->queue_count; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (uint32_t i = 0; i < rig->queue_count; i++) {
        chain_check(&chains[i]);
        chain_free(&chains[i]);
        rig_free(rig, chains[i].mem);
    }
    device_code_free(&rig->device, code);
}

/* Fences in flight up to the brim: numbers come one after another, whatever is accepted when. */
static void case_numbers(struct rig *rig, struct rng *rng)
{
    uint32_t total = 3 * rig->device.caps.max_queue_commands + 7;
    fgpu_cmd_result *results = NULL;
    fgpu_cmd *cmds = NULL;
    uint64_t before = rig->queues[0].accepted;
    uint32_t done = 0;

    if (total > 20000)
        total = 20000;
    results = calloc(total, sizeof *results);
    cmds = calloc(total, sizeof *cmds);
    for (uint32_t i = 0; i < total; i++) {
        results[i].status = 12345;
        cmds[i] = (fgpu_cmd){FGPU_CMD_FENCE, 0, &results[i]};
    }
    while (done < total) {
        uint32_t seen = doorbell_read(&rig->bell);
        uint64_t finished = rig->queues[0].finished;
        uint32_t taken = device_submit(&rig->queues[0], cmds + done, total - done);
        done += taken;
        assert_true(rig->queues[0].accepted == before + done);
        assert_int_equal(device_poll(&rig->queues[0]), FGPU_OK); /* asserts that it is monotone */
        if (taken == 0 && rig->queues[0].finished == finished)
            assert_true(doorbell_wait(&rig->bell, seen, 0, clock_now_ns() + RIG_PATIENCE_NS));
        for (uint64_t n = before; n < rig->queues[0].finished; n += 1 + rng_below(rng, 50))
            assert_int_equal(results[n - before].status, FGPU_OK);
    }
    rig_wait(rig, 0, before + total);
    assert_true(rig->queues[0].finished == before + total);
    assert_int_equal(device_submit(&rig->queues[0], cmds, 0), 0);
    free(results);
    free(cmds);
}

/* The last command of a burst carries NOTIFY, or none does: the bell rings in both. */
static void case_doorbell(struct rig *rig, struct rng *rng)
{
    fgpu_cmd_result results[8] = {0};
    fgpu_cmd cmds[8];

    for (int round = 0; round < 40; round++) {
        uint32_t count = 1 + (uint32_t)rng_below(rng, 8);
        for (uint32_t i = 0; i < count; i++)
            cmds[i] = (fgpu_cmd){FGPU_CMD_FENCE, rng_below(rng, 2) == 0 ? FGPU_CMD_NOTIFY : 0,
                                 &results[i]};
        rig_wait(rig, 0, rig_submit(rig, 0, cmds, count)); /* polls after rings only */
        if (round % 8 == 0) {
            struct timespec pause = {0, 3000000}; /* let the device fall asleep */
            (void)nanosleep(&pause, NULL);
        }
    }
    assert_true(rig->queues[0].finished == rig->queues[0].accepted);
}

/* ---- failures ------------------------------------------------------------------------------- */

static int host_fails(void *const *args, void *user)
{
    (void)args;
    (void)user;
    return 1;
}

/* A command that fails on this device, in `body`; false when none is known to be legal. */
static bool failing_command(struct rig *rig, fgpu_cmd *cmd, fgpu_cmd_launch *launch,
                            fgpu_cmd_host *host)
{
    *launch = (fgpu_cmd_launch){.dims = 0}; /* no code: refused everywhere */
    *host = (fgpu_cmd_host){.fn = host_fails};
    if (rig->device.caps.host_calls != 0)
        *cmd = (fgpu_cmd){FGPU_CMD_HOST, 0, host};
    else
        *cmd = (fgpu_cmd){FGPU_CMD_LAUNCH, 0, launch};
    return rig->device.caps.host_calls != 0 || !rig->target->validate;
}

static void case_chained(struct rig *rig, struct rng *rng)
{
    uint32_t values[6] = {0};
    fgpu_cmd_fill fills[6];
    fgpu_cmd_result fences[2] = {0};
    fgpu_cmd_launch launch;
    fgpu_cmd_host host;
    fgpu_cmd bad;

    (void)rng;
    need_of(rig, failing_command(rig, &bad, &launch, &host));
    fgpu_mem mem = rig_alloc(rig, sizeof values);
    rig_write(rig, mem, 0, values, sizeof values);
    for (uint32_t i = 0; i < 6; i++)
        fills[i] = (fgpu_cmd_fill){.mem = mem,
                                   .offset_bytes = i * 4ull,
                                   .pitch_bytes = 4,
                                   .row_bytes = 4,
                                   .rows = 1,
                                   .pattern_bytes = 4,
                                   .pattern = {(uint8_t)(i + 1)}};
    fgpu_cmd cmds[] = {
        {FGPU_CMD_FILL, FGPU_CMD_CHAINED, &fills[0]}, /* nothing has failed: runs */
        bad,
        {FGPU_CMD_FILL, FGPU_CMD_CHAINED, &fills[1]}, /* skipped */
        {FGPU_CMD_FILL, 0, &fills[2]},                /* runs */
        {FGPU_CMD_FILL, FGPU_CMD_CHAINED, &fills[3]}, /* still skipped */
        {FGPU_CMD_FENCE, 0, &fences[0]},
        {FGPU_CMD_FILL, FGPU_CMD_CHAINED, &fills[4]}, /* runs again */
        {FGPU_CMD_FENCE, FGPU_CMD_CHAINED, &fences[1]},
        {FGPU_CMD_FILL, FGPU_CMD_CHAINED, &fills[5]},
    };
    rig_wait(rig, 0, rig_submit(rig, 0, cmds, sizeof cmds / sizeof *cmds));
    assert_int_not_equal(((fgpu_cmd_result *)bad.body)->status, FGPU_OK);
    const fgpu_status expected[6] = {FGPU_OK,          FGPU_E_CANCELLED, FGPU_OK,
                                     FGPU_E_CANCELLED, FGPU_OK,          FGPU_OK};
    rig_read(rig, mem, 0, values, sizeof values);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(fills[i].result.status, expected[i]);
        if (rig->target->executes)
            assert_int_equal(values[i], expected[i] == FGPU_OK ? i + 1 : 0);
    }
    assert_int_equal(fences[0].status, FGPU_OK);
    assert_int_equal(fences[1].status, FGPU_OK);
    rig_free(rig, mem);
}

static void refuse(struct rig *rig, uint32_t kind, void *body, size_t which)
{
    fgpu_cmd_result fence = {0};
    fgpu_status status = rig_run_raw(rig, 0, kind, body);

    if (status >= FGPU_OK)
        fail_msg("command %zu of kind %u was not refused: %d", which, kind, status);
    assert_int_equal(rig_run(rig, 0, FGPU_CMD_FENCE, 0, &fence), FGPU_OK); /* the queue goes on */
}

/* What no pool would send: each is that command's own failure, whatever else is true. */
static void case_nonsense(struct rig *rig, struct rng *rng)
{
    fgpu_cmd_arg args[65];
    uint32_t value = 1;
    fgpu_mem mem;
    fgpu_code code;

    (void)rng;
    need_of(rig, !rig->target->validate && rig->target->executes);
    mem = rig_alloc(rig, 64);
    code = kernel_build(rig, KERNEL_STAMP);
    for (uint32_t i = 0; i < 65; i++)
        args[i] = kernel_scalar(&value, 4);
    args[0] = kernel_buffer(mem, 0, 64);
    /* An empty grid is left out: OpenCL takes it since 2.1. */
    fgpu_cmd_launch launches[] = {
        kernel_launch(0, args, 2, 16, 8),
        kernel_launch(code, args, 65, 16, 8),
        kernel_launch(code, args, 2, 16, 8),
        kernel_launch(code, args, 2, 16, 8),
    };
    launches[2].dims = 0;
    launches[3].dims = 4;
    for (size_t i = 0; i < sizeof launches / sizeof *launches; i++)
        refuse(rig, FGPU_CMD_LAUNCH, &launches[i], i);
    fgpu_cmd_fill fills[] = {
        {.mem = mem, .row_bytes = 6, .pitch_bytes = 6, .rows = 1, .pattern_bytes = 3},
        {.mem = mem, .row_bytes = 6, .pitch_bytes = 6, .rows = 1, .pattern_bytes = 4},
        {.mem = mem, .row_bytes = 8, .pitch_bytes = 8, .rows = 1, .pattern_bytes = 0},
        {.mem = 0, .row_bytes = 8, .pitch_bytes = 8, .rows = 1, .pattern_bytes = 4},
    };
    for (size_t i = 0; i < sizeof fills / sizeof *fills; i++)
        refuse(rig, FGPU_CMD_FILL, &fills[i], i);
    fgpu_cmd_copy copy = {.src = 0,
                          .dst = mem,
                          .src_pitch_bytes = 4,
                          .dst_pitch_bytes = 4,
                          .row_bytes = 4,
                          .rows = 1};
    refuse(rig, FGPU_CMD_COPY, &copy, 0);
    refuse(rig, 77, &copy, 0);
    device_code_free(&rig->device, code);
    rig_free(rig, mem);
}

static int host_adds(void *const *args, void *user)
{
    *(uint32_t *)args[1] += *(const uint32_t *)args[0];
    return user == args ? 0 : 1;
}

static void case_host_call(struct rig *rig, struct rng *rng)
{
    uint32_t a = 5;
    uint32_t b = 7;
    void *args[] = {&a, &b};
    fgpu_cmd_host host = {.fn = host_adds, .args = args, .user = args};

    (void)rng;
    if (rig->device.caps.host_calls == 0 && !rig->target->validate)
        refuse(rig, FGPU_CMD_HOST, &host, 0);
    need_of(rig, rig->device.caps.host_calls != 0);
    assert_int_equal(rig_run(rig, 0, FGPU_CMD_HOST, 0, &host), FGPU_OK);
    assert_int_equal(b, 12);
    host.user = NULL;
    assert_int_equal(rig_run(rig, 0, FGPU_CMD_HOST, 0, &host), FGPU_E_TASK);
    assert_int_equal(b, 17);
}

static void case_timed(struct rig *rig, struct rng *rng)
{
    fgpu_cmd_fill fill = {.mem = rig_alloc(rig, 1 << 20),
                          .pitch_bytes = 1 << 20,
                          .row_bytes = 1 << 20,
                          .rows = 1,
                          .pattern_bytes = 1};
    fgpu_cmd_fill again = fill;

    (void)rng;
    assert_int_equal(rig_run(rig, 0, FGPU_CMD_FILL, FGPU_CMD_TIMED, &fill), FGPU_OK);
    assert_int_equal(rig_run(rig, 0, FGPU_CMD_FILL, FGPU_CMD_TIMED, &again), FGPU_OK);
    bool timed = fill.result.timed != 0 && again.result.timed != 0;
    rig_free(rig, fill.mem);
    need_of(rig, timed);
    assert_true(fill.result.end_ns > fill.result.start_ns);
    assert_true(fill.result.end_ns - fill.result.start_ns < RIG_PATIENCE_NS);
    assert_true(again.result.start_ns >= fill.result.end_ns);
}

static void case_build_errors(struct rig *rig, struct rng *rng)
{
    static const uint32_t kinds[] = {FGPU_VARIANT_OPENCL, FGPU_VARIANT_NATIVE, FGPU_VARIANT_CUDA};
    const fgpu_backend *backend = rig->device.backend;

    (void)rng;
    need_of(rig, rig->target->executes);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        bool taken = (rig->device.caps.variants & 1u << kinds[i]) != 0;
        fgpu_code_source source = {.kind = kinds[i],
                                   .options = "",
                                   .text = "__kernel void broken(__global int *a) { a[0] = ; }",
                                   .entry = "broken"};
        fgpu_code_built built = {0};
        fgpu_status status = backend->code_build(rig->device.self, &source, &built);

        assert_true(built.code == 0);
        if (!taken)
            assert_int_equal(status, FGPU_E_UNSUPPORTED);
        else if (kinds[i] == FGPU_VARIANT_NATIVE)
            assert_int_equal(status, FGPU_E_INVAL);
        else
            assert_int_equal(status, FGPU_E_BUILD);
        free(built.log);
    }
}

static void case_sample(struct rig *rig, struct rng *rng)
{
    fgpu_device_sample sample = {.struct_bytes = sizeof sample};
    fgpu_mem mem = rig_alloc(rig, 1 << 20);
    fgpu_status status = device_sample(&rig->device, &sample);

    (void)rng;
    rig_free(rig, mem);
    need_of(rig, status != FGPU_E_UNSUPPORTED);
    assert_int_equal(status, FGPU_OK);
    assert_true(sample.time_ns > 0);
    if ((sample.valid & FGPU_SAMPLE_MEMORY) != 0)
        assert_true(sample.memory_used_bytes >= 1 << 20);
    if ((sample.valid & FGPU_SAMPLE_UTILISATION) != 0)
        assert_true(sample.utilisation >= 0 && sample.utilisation <= 1);
}

/* Closing waits for what is in flight: its effects are there. */
static void case_close(struct rig *rig, struct rng *rng)
{
    struct chain chain = {.rig = rig, .length = 60};
    uint32_t taken;

    chain.code = kernel_build(rig, KERNEL_STAMP);
    chain.mem = rig_alloc(rig, CHAIN_ITEMS * 4);
    rng_init(&chain.rng, rng_u64(rng));
    chain_make(&chain);
    taken = device_submit(&rig->queues[0], chain.cmds, chain.length);
    device_queue_close(&rig->queues[0]);
    assert_int_equal(device_queue_open(&rig->device, 0, &rig->queues[0]), FGPU_OK);
    if (taken < chain.length)
        rig_wait(rig, 0, rig_submit(rig, 0, chain.cmds + taken, chain.length - taken));
    chain_check(&chain);
    chain_free(&chain);
    rig_free(rig, chain.mem);
    device_code_free(&rig->device, chain.code);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    void (*run)(struct rig *rig, struct rng *rng);
    bool needs_effects;
} cases[] = {
    {"probe", case_probe, false},
    {"caps", case_caps, false},
    {"round trip", case_round_trip, true},
    {"copy 2-D", case_copy, true},
    {"fill", case_fill, true},
    {"empty regions", case_empty_regions, true},
    {"no memory", case_no_memory, false},
    {"launch", case_launch, true},
    {"launch 3-D", case_launch_3d, true},
    {"local memory", case_local_memory, true},
    {"order", case_order, true},
    {"many queues", case_many_queues, true},
    {"numbers", case_numbers, false},
    {"doorbell", case_doorbell, false},
    {"chained", case_chained, false},
    {"nonsense", case_nonsense, false},
    {"host call", case_host_call, false},
    {"timed", case_timed, false},
    {"build errors", case_build_errors, false},
    {"sample", case_sample, false},
    {"close", case_close, true},
};
#define CASES (sizeof cases / sizeof *cases)

static struct trial trials[TARGETS_MAX][CASES];

static void table_print(void)
{
    (void)printf("\n%-26s", "device");
    for (size_t c = 0; c < CASES; c++)
        (void)printf(" %c", (char)('A' + c));
    for (size_t t = 0; t < target_count; t++) {
        (void)printf("\n%-26s", targets[t].name);
        for (size_t c = 0; c < CASES; c++)
            (void)printf(" %c", trials[t][c].result);
    }
    (void)printf("\n\n+ works  - not offered  ! fails\n");
    for (size_t c = 0; c < CASES; c++)
        (void)printf("%c %s%s", (char)('A' + c), cases[c].name, c % 5 == 4 ? "\n" : "   ");
    (void)printf("\n");
}

int main(void)
{
    static struct CMUnitTest tests[TARGETS_MAX * CASES];
    static char names[TARGETS_MAX * CASES][TARGETS_NAME_BYTES];
    const char *only = getenv("FASTGPU_TEST_ONLY");
    size_t count = 0;
    int failed;

    seed = seed_get(20250117);
    target_count = targets_find(targets);
    for (size_t t = 0; t < target_count; t++)
        for (size_t c = 0; c < CASES; c++) {
            struct trial *trial = &trials[t][c];
            *trial = (struct trial){cases[c].name, cases[c].run, &targets[t],
                                    cases[c].needs_effects, ' '};
            (void)snprintf(names[count], TARGETS_NAME_BYTES, "%s / %s", targets[t].name,
                           cases[c].name);
            if (only != NULL && strstr(names[count], only) == NULL)
                continue;
            trial->result = '!';
            tests[count] = (struct CMUnitTest){names[count], trial_run, NULL, NULL, trial};
            count++;
        }
    failed = _cmocka_run_group_tests("devices", tests, count, NULL, NULL);
    table_print();
    if (failed != 0)
        seed_print("test_devices", seed);
    return failed;
}
