/* Random programs with reductions against the same run one task after another.
 *
 * Buffers of whole numbers get reductions by operators that do not round, so that the order does
 * not show; tasks reduce into random ranges, others fill, copy, read, write and map them, in
 * between reductions change and buffers go. On the cpu device, and on simulated devices with little
 * memory of their own, which do compute. FASTGPU_TEST_SEED, FASTGPU_TEST_SEEDS.
 */
#include <stdio.h>
#include <stdlib.h>
#include "base/rng.h"
#include "lib/graph_rig.h"
#include "lib/seed.h"

#define BUFFERS 4u
#define WORDS 128u
#define STEPS 120u

static uint64_t seed_now; /* being tried; 0: none */

struct world {
    struct rng rng;
    fgpu_kernel kernel;
    fgpu_buffer buffer[BUFFERS];
    uint32_t op[BUFFERS]; /* 0: no reduction */
    uint32_t words[BUFFERS][WORDS];
};

static const uint32_t world_ops[] = {0,           FGPU_OP_SUM, FGPU_OP_MIN, FGPU_OP_MAX,
                                     FGPU_OP_AND, FGPU_OP_OR,  FGPU_OP_XOR, FGPU_OP_PRODUCT};

static uint32_t world_apply(uint32_t op, uint32_t a, uint32_t b)
{
    switch (op) {
    case FGPU_OP_SUM:
        return a + b;
    case FGPU_OP_PRODUCT:
        return a * b;
    case FGPU_OP_MIN:
        return a < b ? a : b;
    case FGPU_OP_MAX:
        return a > b ? a : b;
    case FGPU_OP_AND:
        return a & b;
    case FGPU_OP_OR:
        return a | b;
    default:
        return a ^ b;
    }
}

/* (words, op, value) */
static int world_task(const fgpu_range *range, void *const *args, void *user)
{
    uint32_t *words = args[0], op, value;
    (void)user;
    memcpy(&op, args[1], 4);
    memcpy(&value, args[2], 4);
    for (uint64_t i = range->group_begin * range->local[0];
         i < range->group_end * range->local[0] && i < range->global[0]; i++)
        words[i] = world_apply(op, words[i], value + (uint32_t)i);
    return 0;
}

static uint32_t below(struct world *world, uint32_t n)
{
    return (uint32_t)rng_below(&world->rng, n);
}

static void world_new(struct world *world, uint32_t b)
{
    world->buffer[b] = rig_buffer(WORDS * 4);
    for (uint32_t i = 0; i < WORDS; i++)
        world->words[b][i] = below(world, UINT32_MAX);
    rig_need(fgpu_buffer_write(world->buffer[b], NULL, world->words[b], 0));
    world->op[b] = 0;
}

static void world_change(struct world *world, uint32_t b)
{
    uint32_t op = world_ops[below(world, 8)];
    world->op[b] = op;
    if (op == 0)
        rig_need(fgpu_buffer_set_reduction(world->buffer[b], NULL));
    else
        rig_need(fgpu_buffer_reduce_by(world->buffer[b], (fgpu_reduction_op)op, FGPU_U32));
}

static void world_reduce(struct world *world, uint32_t b, uint32_t from, uint32_t count)
{
    uint32_t op = world->op[b], value = below(world, UINT32_MAX);
    uint32_t access = op != 0 ? FGPU_REDUCE : FGPU_READ_WRITE;
    if (op == 0)
        op = FGPU_OP_XOR;
    fgpu_arg args[3] = {fgpu_arg_span(world->buffer[b], (fgpu_access)access, from * 4, count * 4),
                        fgpu_arg_scalar(&op, 4), fgpu_arg_scalar(&value, 4)};
    rig_need(fgpu_task_run(world->kernel, count, args, 3, NULL));
    for (uint32_t i = 0; i < count; i++)
        world->words[b][from + i] = world_apply(op, world->words[b][from + i], value + i);
}

static void world_compare(struct world *world, uint32_t b, uint32_t from, uint32_t count)
{
    uint32_t got[WORDS];
    fgpu_region region = fgpu_region_span(from * 4, count * 4);
    rig_need(fgpu_buffer_read(world->buffer[b], &region, got, 0));
    assert_memory_equal(got, world->words[b] + from, count * 4);
}

static void world_map(struct world *world, uint32_t b, uint32_t from, uint32_t count)
{
    uint32_t *words;
    rig_need(
        fgpu_buffer_map(world->buffer[b], from * 4, count * 4, FGPU_READ_WRITE, (void **)&words));
    assert_memory_equal(words, world->words[b] + from, count * 4);
    words[count / 2] = world->words[b][from + count / 2] = below(world, UINT32_MAX);
    rig_need(fgpu_buffer_unmap(world->buffer[b], words));
}

static void world_copy(struct world *world, uint32_t b, uint32_t from, uint32_t count)
{
    uint32_t other = (b + 1 + below(world, BUFFERS - 1)) % BUFFERS;
    fgpu_region region = fgpu_region_span(from * 4, count * 4);
    rig_need(
        fgpu_buffer_copy_async(world->buffer[other], &region, world->buffer[b], &region, NULL));
    memcpy(world->words[other] + from, world->words[b] + from, count * 4);
}

static void world_step(struct world *world)
{
    uint32_t b = below(world, BUFFERS), from = below(world, WORDS);
    uint32_t count = 1 + below(world, WORDS - from), value = below(world, UINT32_MAX);
    fgpu_region region = fgpu_region_span(from * 4, count * 4);
    uint32_t what = below(world, 40);
    if (what < 28) {
        world_reduce(world, b, from, count);
    } else if (what < 31) {
        rig_need(fgpu_buffer_fill_async(world->buffer[b], &region, &value, 4, NULL));
        for (uint32_t i = 0; i < count; i++)
            world->words[b][from + i] = value;
    } else if (what < 34) {
        world_copy(world, b, from, count);
    } else if (what < 36) {
        world_compare(world, b, from, count);
    } else if (what < 37) {
        world_map(world, b, from, count);
    } else if (what < 39) {
        world_change(world, b);
    } else {
        rig_need(fgpu_buffer_destroy(world->buffer[b]));
        world_new(world, b);
    }
}

static void world_run(const char *options, uint64_t seed)
{
    static struct world world;
    memset(&world, 0, sizeof world);
    rng_init(&world.rng, seed);
    rig_open(options);
    rig_need(fgpu_kernel_create(rig_pool, "apply", &world.kernel));
    rig_need(fgpu_kernel_add_native(world.kernel, world_task, NULL));
    rig_need(fgpu_kernel_set_arg(world.kernel, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0));
    rig_need(fgpu_kernel_set_arg(world.kernel, 1, FGPU_ARG_SCALAR, 0, 4));
    rig_need(fgpu_kernel_set_arg(world.kernel, 2, FGPU_ARG_SCALAR, 0, 4));
    for (uint32_t b = 0; b < BUFFERS; b++) {
        world_new(&world, b);
        world_change(&world, b);
    }
    for (uint32_t step = 0; step < STEPS; step++)
        world_step(&world);
    for (uint32_t b = 0; b < BUFFERS; b++)
        world_compare(&world, b, 0, WORDS);
    rig_need(fgpu_pool_close(rig_pool));
}

static void test_random_reduce(void **state)
{
    static const char *const pools[] = {"devices=cpu;workers=2;cache=;log=off",
                                        "devices=cpu;workers=5;cache=;log=off;policy=fifo",
                                        "devices=cpu;workers=2;cache=;log=off;tasks=12",
                                        "devices=sim:2;cache=;log=off;device-memory=16KiB",
                                        "devices=sim:3;cache=;log=off;validate"};
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(30);
    for (uint64_t seed = first; seed < first + count; seed++) {
        for (size_t p = 0; p < sizeof pools / sizeof pools[0]; p++) {
            seed_now = seed;
            world_run(pools[p], seed);
        }
    }
    seed_now = 0;
}

/* A failed assertion leaves by longjmp. */
static int tell_seed(void **state)
{
    (void)state;
    if (seed_now != 0)
        seed_print("prop/test_random_reduce", seed_now);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_random_reduce, tell_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
