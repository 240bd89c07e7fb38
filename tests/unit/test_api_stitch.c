/* mem_stitch from a pool to its device and back: a device of the test's own, which is the simulated
 * one and says that it can. What it gives for holes is memory of its own: to the pool that is the
 * same, because it uses the holes by no other name (tests/unit/test_core_stitch.c looks at that).
 */
#include <string.h>

#include "dev/sim/sim.h"
#include "lib/api_rig.h"

#define PART 65536u

static fgpu_backend backend;
static uint32_t stitches, alive, refusals;
static fgpu_mem given[8];

static fgpu_status probe(const fgpu_backend_options *options, fgpu_device_info *infos,
                         uint32_t capacity, uint32_t *count, char *why, size_t why_bytes)
{
    fgpu_status status =
        sim_backend.probe(options, infos, capacity < 1 ? capacity : 1, count, why, why_bytes);
    *count = 1;
    if (capacity > 0) {
        strcpy(infos[0].backend, "stitcher");
        strcpy(infos[0].id, "stitcher#0");
    }
    return status;
}

/* With room for what it gives twice. */
static fgpu_status open_large(const fgpu_backend_options *options, uint32_t index,
                              const fgpu_doorbell *bell, void **device)
{
    fgpu_backend_options large = *options;
    large.memory_bytes = 0;
    return sim_backend.open(&large, index, bell, device);
}

static void with_stitch_caps(void *device, fgpu_device_caps *caps)
{
    sim_backend.caps(device, caps);
    caps->stitch_bytes = PART;
}

static fgpu_status stitch(void *device, const fgpu_mem_piece *pieces, uint32_t count, fgpu_mem *mem)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += pieces[i].bytes;
    if (refusals > 0) {
        refusals--;
        return FGPU_E_DEVMEM;
    }
    fgpu_status status = sim_backend.mem_alloc(device, bytes, mem);
    assert_true(count > 1 && stitches < 8 && status == FGPU_OK);
    given[stitches++] = *mem;
    alive++;
    return status;
}

static void count_free(void *device, fgpu_mem mem)
{
    for (uint32_t i = 0; i < stitches; i++)
        alive -= given[i] == mem;
    sim_backend.mem_free(device, mem);
}

static void open_pool(void)
{
    fgpu_pool_options options;
    fgpu_pool_options_init(&options);
    options.devices = "stitcher";
    options.device_memory_bytes = 8 * PART;
    options.cache_dir = "";
    options.log_level = FGPU_LOG_OFF;
    options.flags = FGPU_POOL_VALIDATE;
    rig_need(fgpu_pool_open(&options, &rig_pool));
    stitches = alive = 0;
}

static fgpu_buffer filled(uint64_t bytes, uint32_t value)
{
    fgpu_buffer buffer;
    rig_need(fgpu_buffer_create(rig_pool, bytes, &buffer));
    rig_need(fgpu_buffer_fill(buffer, NULL, &value, sizeof value));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    return buffer;
}

static void holds(fgpu_buffer buffer, uint64_t bytes, uint32_t value)
{
    static uint32_t words[PART];
    rig_need(fgpu_buffer_read(buffer, NULL, words, 0));
    for (uint64_t i = 0; i < bytes / sizeof value; i++)
        assert_int_equal(words[i], value);
}

/* Of four buffers the first and the third go; one as large as both gets their room. */
static void run(uint32_t refused)
{
    fgpu_pool_stats stats = {.struct_bytes = sizeof stats};
    fgpu_buffer buffers[4];
    open_pool();
    refusals = refused;
    for (uint32_t i = 0; i < 4; i++)
        buffers[i] = filled(2 * PART, 100 + i);
    rig_need(fgpu_buffer_destroy(buffers[0]));
    rig_need(fgpu_buffer_destroy(buffers[2]));
    fgpu_buffer large = filled(4 * PART, 7);
    rig_need(fgpu_pool_get_stats(rig_pool, &stats));
    assert_int_equal(stats.evictions, 0);
    assert_int_equal(stats.blocks_stitched, refused > 0 ? 0 : 1);
    assert_int_equal(stitches, refused > 0 ? 0 : 1);
    holds(large, 4 * PART, 7);
    holds(buffers[1], 2 * PART, 101);
    holds(buffers[3], 2 * PART, 103);
    rig_need(fgpu_buffer_destroy(large));
    large = filled(4 * PART, 8);
    holds(large, 4 * PART, 8);
    rig_need(fgpu_pool_close(rig_pool));
    assert_int_equal(alive, 0);
}

static void test_stitched(void **state)
{
    (void)state;
    run(0);
}

static void test_refused(void **state)
{
    (void)state;
    run(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stitched),
                                       cmocka_unit_test(test_refused)};
    backend = sim_backend;
    backend.name = "stitcher";
    backend.probe = probe;
    backend.open = open_large;
    backend.caps = with_stitch_caps;
    backend.mem_stitch = stitch;
    backend.mem_free = count_free;
    if (fgpu_backend_register(&backend) != FGPU_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
