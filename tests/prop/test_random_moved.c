/* Bytes moved = compulsory bytes, when all fits: random uses of ranges of some buffers, by the host
 * and by kernels of a device with memory of its own (the fake driver), against a model that copies
 * a cell only when somebody reads it who has not the current version. So nothing clean is written
 * back, nothing is fetched that is about to be overwritten, and nothing travels twice, whatever was
 * ordered ahead. What is read is compared, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastgpu/fastgpu.h>

#include "base/rng.h"
#include "lib/seed.h"

#define BUFFERS 3u
#define CELLS 24u
#define CELL_BYTES 256u
#define CELL_WORDS (CELL_BYTES / 4)
#define STEPS 160u

static const char source[] =
    "__kernel void set(__global uint *out, uint value)\n"
    "{ out[get_global_id(0)] = value + (uint)get_global_id(0); }\n"
    "__kernel void bump(__global uint *data) { data[get_global_id(0)] += 3u; }\n"
    "__kernel void carry(__global uint *out, __global const uint *in)\n"
    "{ out[get_global_id(0)] = in[get_global_id(0)] ^ 5u; }\n";

enum { SET, BUMP, CARRY, KERNELS };

struct cell {
    bool host, device; /* has the current version */
    uint32_t words[CELL_WORDS];
};

struct world {
    fgpu_pool pool;
    fgpu_kernel kernels[KERNELS];
    fgpu_buffer buffers[BUFFERS];
    struct cell cells[BUFFERS][CELLS];
    uint64_t in, out; /* bytes that had to travel */
};

struct range {
    uint32_t buffer, from, count; /* in cells */
};

static struct range pick(struct rng *rng)
{
    struct range range = {.buffer = (uint32_t)rng_below(rng, BUFFERS)};

    range.from = (uint32_t)rng_below(rng, CELLS);
    range.count = 1 + (uint32_t)rng_below(rng, CELLS - range.from);
    return range;
}

static fgpu_region span(const struct range *range)
{
    return fgpu_region_span(range->from * (uint64_t)CELL_BYTES,
                            range->count * (uint64_t)CELL_BYTES);
}

/* Somebody reads the cell: it comes to him, if it is anywhere. */
static void come(struct world *world, struct cell *cell, bool to_device)
{
    if (to_device && !cell->device && cell->host) {
        world->in += CELL_BYTES;
        cell->device = true;
    } else if (!to_device && !cell->host && cell->device) {
        world->out += CELL_BYTES;
        cell->host = true;
    }
}

static void model(struct world *world, const struct range *range, bool on_device, uint32_t mode)
{
    for (uint32_t i = 0; i < range->count; i++) {
        struct cell *cell = &world->cells[range->buffer][range->from + i];
        if (mode & FGPU_READ)
            come(world, cell, on_device);
        if (!(mode & FGPU_WRITE))
            continue;
        cell->device = on_device;
        cell->host = !on_device;
    }
}

static uint32_t *words_of(struct world *world, const struct range *range, uint32_t index)
{
    struct cell *cells = &world->cells[range->buffer][range->from];

    return &cells[index / CELL_WORDS].words[index % CELL_WORDS];
}

static void host_write(struct world *world, struct rng *rng, const struct range *range)
{
    uint32_t data[CELLS * CELL_WORDS];
    fgpu_region region = span(range);

    for (uint32_t i = 0; i < range->count * CELL_WORDS; i++)
        *words_of(world, range, i) = data[i] = (uint32_t)rng_u64(rng);
    assert_int_equal(fgpu_buffer_write(world->buffers[range->buffer], &region, data, 0), FGPU_OK);
    model(world, range, false, FGPU_WRITE);
}

static bool has_data(struct world *world, const struct range *range)
{
    for (uint32_t i = 0; i < range->count; i++) {
        const struct cell *cell = &world->cells[range->buffer][range->from + i];
        if (!cell->host && !cell->device)
            return false;
    }
    return true;
}

static void host_read(struct world *world, const struct range *range)
{
    uint32_t data[CELLS * CELL_WORDS];
    fgpu_region region = span(range);
    bool whole = has_data(world, range);

    assert_int_equal(fgpu_buffer_read(world->buffers[range->buffer], &region, data, 0), FGPU_OK);
    for (uint32_t i = 0; i < range->count * CELL_WORDS && whole; i++)
        assert_int_equal(data[i], *words_of(world, range, i));
    model(world, range, false, FGPU_READ);
}

static void launch(struct world *world, uint32_t kernel, const struct range *ranges,
                   const uint32_t *modes, const uint32_t *value)
{
    fgpu_arg args[2];
    fgpu_task_desc desc;

    fgpu_task_desc_init(&desc);
    desc.kernel = world->kernels[kernel];
    desc.dims = 1;
    desc.global[0] = ranges[0].count * CELL_WORDS;
    desc.args = args;
    for (uint32_t i = 0; i < 2 && modes[i] != 0; i++)
        args[desc.arg_count++] = fgpu_arg_region(world->buffers[ranges[i].buffer],
                                                 FGPU_ACCESS_DEFAULT, span(&ranges[i]));
    if (value != NULL)
        args[desc.arg_count++] = fgpu_arg_scalar(value, sizeof *value);
    assert_int_equal(fgpu_task_submit(world->pool, &desc, NULL), FGPU_OK);
    for (uint32_t i = 2; i-- > 0;) /* what it reads first */
        if (modes[i] != 0)
            model(world, &ranges[i], true, modes[i]);
}

static void step(struct world *world, struct rng *rng)
{
    static const uint32_t modes[KERNELS][2] = {
        {FGPU_WRITE, 0}, {FGPU_READ_WRITE, 0}, {FGPU_WRITE, FGPU_READ}};
    struct range ranges[2] = {pick(rng), pick(rng)};
    uint32_t kind = (uint32_t)rng_below(rng, 6), value = (uint32_t)rng_u64(rng);
    uint32_t kernel = kind == 2 ? SET : kind < 5 ? BUMP : CARRY;

    if (kind == 0) {
        host_write(world, rng, &ranges[0]);
    } else if (kind == 1) {
        host_read(world, &ranges[0]);
    } else if (kernel == CARRY) {
        ranges[0].buffer = (ranges[1].buffer + 1) % BUFFERS;
        ranges[0].from = (uint32_t)rng_below(rng, CELLS - ranges[1].count + 1);
        ranges[0].count = ranges[1].count;
        if (!has_data(world, &ranges[1]))
            return;
        launch(world, CARRY, ranges, modes[CARRY], NULL);
        for (uint32_t i = 0; i < ranges[0].count * CELL_WORDS; i++)
            *words_of(world, &ranges[0], i) = *words_of(world, &ranges[1], i) ^ 5u;
    } else if (kernel == SET || has_data(world, &ranges[0])) {
        launch(world, kernel, ranges, modes[kernel], kernel == SET ? &value : NULL);
        for (uint32_t i = 0; i < ranges[0].count * CELL_WORDS; i++)
            *words_of(world, &ranges[0], i) =
                kernel == SET ? value + i : *words_of(world, &ranges[0], i) + 3u;
    }
}

static void world_open(struct world *world)
{
    static const char *const names[KERNELS] = {"set", "bump", "carry"};
    fgpu_pool_options options;

    memset(world, 0, sizeof *world);
    fgpu_pool_options_init(&options);
    options.devices = "opencl:0";
    options.cache_dir = "";
    assert_int_equal(fgpu_pool_open(&options, &world->pool), FGPU_OK);
    for (uint32_t k = 0; k < KERNELS; k++) {
        fgpu_kernel *kernel = &world->kernels[k];
        assert_int_equal(fgpu_kernel_create(world->pool, names[k], kernel), FGPU_OK);
        assert_int_equal(fgpu_kernel_add_opencl(*kernel, source, names[k], NULL), FGPU_OK);
        assert_int_equal(fgpu_kernel_set_arg(*kernel, 0, FGPU_ARG_BUFFER,
                                             k == BUMP ? FGPU_READ_WRITE : FGPU_WRITE, 0),
                         FGPU_OK);
    }
    assert_int_equal(
        fgpu_kernel_set_arg(world->kernels[SET], 1, FGPU_ARG_SCALAR, FGPU_ACCESS_DEFAULT, 4),
        FGPU_OK);
    assert_int_equal(fgpu_kernel_set_arg(world->kernels[CARRY], 1, FGPU_ARG_BUFFER, FGPU_READ, 0),
                     FGPU_OK);
    for (uint32_t b = 0; b < BUFFERS; b++)
        assert_int_equal(
            fgpu_buffer_create(world->pool, CELLS * (uint64_t)CELL_BYTES, &world->buffers[b]),
            FGPU_OK);
}

static void run(uint64_t seed)
{
    static struct world world;
    fgpu_pool_stats stats = {.struct_bytes = sizeof stats};
    struct rng rng;

    rng_init(&rng, seed);
    world_open(&world);
    for (uint32_t i = 0; i < STEPS; i++)
        step(&world, &rng);
    for (uint32_t b = 0; b < BUFFERS; b++)
        host_read(&world, &(struct range){b, 0, CELLS});
    assert_int_equal(fgpu_pool_get_stats(world.pool, &stats), FGPU_OK);
    if (stats.bytes_to_device != world.in || stats.bytes_to_host != world.out) {
        seed_print("prop/random_moved", seed);
        fail_msg("%llu bytes went in and %llu out; %llu and %llu had to",
                 (unsigned long long)stats.bytes_to_device, (unsigned long long)stats.bytes_to_host,
                 (unsigned long long)world.in, (unsigned long long)world.out);
    }
    assert_true(world.in > 0 && world.out > 0);
    assert_int_equal(fgpu_pool_close(world.pool), FGPU_OK);
}

static void test_moved(void **state)
{
    uint64_t first = seed_get(1);

    (void)state;
    for (uint64_t seed = first; seed < first + seed_count(15); seed++)
        run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_moved)};
    const char *fake = getenv("FAKEICD_LIB");

    if (fake == NULL) {
        (void)fprintf(stderr, "skipped: FAKEICD_LIB does not name the fake OpenCL driver\n");
        return 77;
    }
    (void)setenv("FASTGPU_OPENCL_LIBRARY", fake, 1);
    (void)unsetenv("FASTGPU_OPENCL_MEMORY");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
