/* Small copies that are gathered, on every target of opencl_targets.h: commands of all kinds in
 * random order, many in one submit, do what they would do one after the other, whatever part of
 * them goes together. The fake driver counts what is enqueued in test_opencl_faults.c.
 */
#include "conform/opencl_targets.h"

#include "base/limits.h"

#define SEED 99036u
#define ROUNDS 6u
#define COMMANDS 300u
#define MEMS 3u
#define MEM_BYTES 200000u
#define HOST_BYTES (1u << 20)

struct world {
    struct rig rig;
    fgpu_mem mems[MEMS];
    unsigned char *model[MEMS]; /* what they hold when all that was submitted has ended */
    unsigned char *source;
    unsigned char *back, *expected; /* where copies out go; what is there in the end */
    uint64_t back_used;
    fgpu_cmd_copy copies[COMMANDS];
    fgpu_cmd_fill fills[COMMANDS];
    fgpu_cmd cmds[COMMANDS];
};

static void world_open(struct world *world)
{
    fgpu_backend_options options = target_options();

    rig_open(&world->rig, &options, 0);
    for (uint32_t m = 0; m < MEMS; m++) {
        world->mems[m] = rig_alloc(&world->rig, MEM_BYTES);
        world->model[m] = calloc(1, MEM_BYTES);
        rig_write(&world->rig, world->mems[m], 0, world->model[m], MEM_BYTES);
    }
    world->source = malloc(HOST_BYTES);
    world->back = malloc(HOST_BYTES);
    world->expected = malloc(HOST_BYTES);
}

static void world_close(struct world *world)
{
    for (uint32_t m = 0; m < MEMS; m++) {
        opencl_backend.mem_free(world->rig.device, world->mems[m]);
        free(world->model[m]);
    }
    free(world->source);
    free(world->back);
    free(world->expected);
    rig_close(&world->rig);
}

/* Rows of a random shape: mostly small, now and then none or many. */
static void shape(struct rng *rng, fgpu_cmd_copy *copy)
{
    uint32_t kind = (uint32_t)rng_below(rng, 20);

    copy->rows = kind < 14 ? 1 : 1 + rng_below(rng, 6);
    copy->row_bytes = kind == 0 ? 40000 : kind == 1 ? 0 : 1 + rng_below(rng, 3000);
    if (kind == 0)
        copy->rows = 1;
    copy->src_pitch_bytes = copy->row_bytes + rng_below(rng, 3) * 16;
    copy->dst_pitch_bytes = copy->row_bytes + rng_below(rng, 3) * 17;
}

static void model_rows(const fgpu_cmd_copy *copy, unsigned char *dst, const unsigned char *src)
{
    for (uint64_t row = 0; row < copy->rows; row++)
        memcpy(dst + row * copy->dst_pitch_bytes, src + row * copy->src_pitch_bytes,
               copy->row_bytes);
}

static void make_in(struct world *world, struct rng *rng, uint32_t m, fgpu_cmd_copy *copy)
{
    uint64_t from = rng_below(rng, HOST_BYTES - 60000);

    copy->src_is_host = 1;
    copy->src = (fgpu_mem)(uintptr_t)world->source;
    copy->src_offset_bytes = from;
    copy->dst = world->mems[m];
    copy->dst_offset_bytes = rng_below(rng, MEM_BYTES - 60000);
    model_rows(copy, world->model[m] + copy->dst_offset_bytes, world->source + from);
}

static void make_out(struct world *world, struct rng *rng, uint32_t m, fgpu_cmd_copy *copy)
{
    uint64_t span = copy->rows * copy->dst_pitch_bytes;

    if (world->back_used + span > HOST_BYTES)
        copy->row_bytes = copy->rows = span = 0;
    copy->src = world->mems[m];
    copy->src_offset_bytes = rng_below(rng, MEM_BYTES - 60000);
    copy->dst_is_host = 1;
    copy->dst = (fgpu_mem)(uintptr_t)world->back;
    copy->dst_offset_bytes = world->back_used;
    model_rows(copy, world->expected + world->back_used, world->model[m] + copy->src_offset_bytes);
    world->back_used += span;
}

static void make_fill(struct world *world, struct rng *rng, uint32_t m, fgpu_cmd_fill *fill)
{
    *fill = (fgpu_cmd_fill){.mem = world->mems[m],
                            .offset_bytes = rng_below(rng, MEM_BYTES - 60000),
                            .row_bytes = 1 + rng_below(rng, 2000),
                            .rows = 1,
                            .pattern_bytes = 1};
    fill->pitch_bytes = fill->row_bytes;
    fill->pattern[0] = (uint8_t)rng_below(rng, 256);
    memset(world->model[m] + fill->offset_bytes, fill->pattern[0], fill->row_bytes);
}

/* Runs of copies, with others between them now and then. */
static void make(struct world *world, struct rng *rng)
{
    uint32_t m = 0;
    bool out = false;

    for (uint64_t i = 0; i < HOST_BYTES; i++)
        world->source[i] = (unsigned char)rng_below(rng, 256);
    memset(world->back, 0xa5, HOST_BYTES);
    memset(world->expected, 0xa5, HOST_BYTES);
    world->back_used = 0;
    for (uint32_t i = 0; i < COMMANDS; i++) {
        fgpu_cmd_copy *copy = &world->copies[i];
        if (rng_below(rng, 10) == 0)
            m = (uint32_t)rng_below(rng, MEMS);
        if (rng_below(rng, 12) == 0)
            out = !out;
        memset(copy, 0, sizeof *copy);
        copy->result.status = 12345;
        world->cmds[i] = (fgpu_cmd){FGPU_CMD_COPY, 0, copy};
        if (rng_below(rng, 8) == 0)
            world->cmds[i].flags |= FGPU_CMD_NOTIFY;
        if (rng_below(rng, 4) == 0)
            world->cmds[i].flags |= FGPU_CMD_TIMED;
        shape(rng, copy);
        if (rng_below(rng, 40) == 0) {
            make_fill(world, rng, m, &world->fills[i]);
            world->cmds[i].kind = FGPU_CMD_FILL;
            world->cmds[i].body = &world->fills[i];
        } else if (out) {
            make_out(world, rng, m, copy);
        } else {
            make_in(world, rng, m, copy);
        }
    }
}

static void check(struct world *world)
{
    static unsigned char found[MEM_BYTES];

    for (uint32_t i = 0; i < COMMANDS; i++)
        if (((const fgpu_cmd_result *)world->cmds[i].body)->status != FGPU_OK)
            fail_msg("command %u: status %d", i,
                     ((const fgpu_cmd_result *)world->cmds[i].body)->status);
    assert_memory_equal(world->back, world->expected, HOST_BYTES);
    for (uint32_t m = 0; m < MEMS; m++) {
        rig_read(&world->rig, world->mems[m], 0, found, MEM_BYTES);
        assert_memory_equal(found, world->model[m], MEM_BYTES);
    }
}

static void test_random(void **state)
{
    static struct world world;
    struct rng rng;
    fgpu_code code;

    (void)state;
    rng_init(&rng, SEED);
    world_open(&world);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        if (round == 2) { /* from here on devices without native functions gather, too */
            code = rig_build(&world.rig, "__kernel void nothing(__global int *a) {}", "nothing", 1);
            opencl_backend.code_free(world.rig.device, code);
        }
        make(&world, &rng);
        assert_int_equal(rig_submit(&world.rig, world.cmds, COMMANDS), FGPU_OK);
        assert_int_equal(rig_wait(&world.rig, world.rig.last), FGPU_OK);
        check(&world);
    }
    world_close(&world);
}

/* What is skipped after a failed command is not carried along by those that are not. */
static void test_skipped(void **state)
{
    enum { COUNT = 64, AT = 20, FENCE = 40 };
    static uint32_t values[COUNT], found[COUNT];
    fgpu_backend_options options = target_options();
    fgpu_cmd_copy copies[COUNT];
    fgpu_cmd_result fence = {0};
    fgpu_cmd cmds[COUNT];
    struct rig rig;

    (void)state;
    rig_open(&rig, &options, 0);
    fgpu_mem mem = rig_alloc(&rig, sizeof values);
    rig_write(&rig, mem, 0, found, sizeof values);
    for (uint32_t i = 0; i < COUNT; i++) {
        values[i] = i + 1;
        copies[i] = (fgpu_cmd_copy){.src = (fgpu_mem)(uintptr_t)&values[i],
                                    .src_is_host = 1,
                                    .dst = mem,
                                    .dst_offset_bytes = (COUNT - 1 - i) * sizeof values[0],
                                    .row_bytes = sizeof values[0],
                                    .rows = 1};
        cmds[i] = (fgpu_cmd){FGPU_CMD_COPY, i % 2 == 0 ? FGPU_CMD_CHAINED : 0, &copies[i]};
    }
    copies[AT].dst = 0; /* refused */
    cmds[AT].flags = 0;
    cmds[FENCE] = (fgpu_cmd){FGPU_CMD_FENCE, 0, &fence};
    assert_int_equal(rig_submit(&rig, cmds, COUNT), FGPU_OK);
    assert_int_equal(rig_wait(&rig, rig.last), FGPU_OK);
    rig_read(&rig, mem, 0, found, sizeof found);
    for (uint32_t i = 0; i < COUNT; i++) {
        bool runs = i < AT || i > FENCE || (i > AT && i < FENCE && i % 2 == 1);
        assert_int_equal(found[COUNT - 1 - i], runs ? i + 1 : 0);
        if (i != FENCE && i != AT)
            assert_int_equal(copies[i].result.status, runs ? FGPU_OK : FGPU_E_CANCELLED);
    }
    opencl_backend.mem_free(rig.device, mem);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_skipped),
    };
    int ran = 0, failed = 0;

    TARGETS_RUN(tests, ran, failed);
    return ran == 0 ? 77 : failed;
}
