/* fgpu_heap_write() and fgpu_replay_places(): what lies where, by name and by number. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/api_rig.h"
#include "lib/parse_json.h"

static char text[65536];

static void read_text(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
}

/* Two buffers with names on a simulated device: both are in the text, with their sizes. */
static void test_write(void **state)
{
    (void)state;
    char path[] = "/tmp/fastgpu_heap_XXXXXX";
    fgpu_buffer buffers[2];
    uint32_t value = 5;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    rig_open("devices=sim;cache=;log=off");
    const char *const names[] = {"first", "se\"cond"};
    for (uint32_t i = 0; i < 2; i++) {
        rig_need(fgpu_buffer_create(rig_pool, 300000, &buffers[i]));
        rig_need(fgpu_buffer_set_name(buffers[i], names[i]));
        rig_need(fgpu_buffer_fill(buffers[i], NULL, &value, sizeof value));
    }
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    rig_need(fgpu_heap_write(rig_pool, path));
    read_text(path);
    struct parse_json *tree = parse_json(text);
    assert_non_null(tree);
    parse_json_free(tree);
    assert_non_null(
        strstr(text, "{\"fastgpu_heap\":1,\"nodes\":[\n{\"node\":0,\"device\":\"host\""));
    assert_non_null(strstr(text, "300032,\"first\"]"));
    assert_non_null(strstr(text, "300032,\"se\\\"cond\"]"));
    assert_int_equal(fgpu_heap_write(rig_pool, NULL), FGPU_E_INVAL);
    assert_int_equal(fgpu_heap_write(rig_pool, ""), FGPU_E_INVAL);
    assert_int_equal(fgpu_heap_write(rig_pool, "/no/such/folder/x"), FGPU_E_IO);
    assert_non_null(strstr(fgpu_last_error(), "/no/such/folder"));
    rig_need(fgpu_pool_close(rig_pool));
    assert_int_not_equal(fgpu_heap_write(rig_pool, path), FGPU_OK);
    unlink(path);
}

struct slabs {
    uint32_t count;
    uint64_t bytes;
};

static void count_slab(const fgpu_replay_span *slab, void *user)
{
    struct slabs *slabs = user;
    slabs->count++;
    slabs->bytes += slab->bytes;
    assert_true(slab->from <= slab->until);
}

static void test_places(void **state)
{
    (void)state;
    const fgpu_replay_block blocks[] = {{0, 4, 1000000}, {1, 3, 1000000}, {2, 4, 500000}};
    fgpu_replay_span places[3];
    struct slabs slabs = {0};
    rig_need(fgpu_replay_places(blocks, 3, 0, places, count_slab, &slabs));
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(places[i].bytes >= blocks[i].bytes);
        assert_int_equal(places[i].from, blocks[i].lower);
        for (uint32_t k = 0; k < i; k++)
            assert_true(places[i].address >= places[k].address + places[k].bytes ||
                        places[k].address >= places[i].address + places[i].bytes);
    }
    assert_int_equal(slabs.count, 2);
    assert_int_equal(slabs.bytes, 2 * (2u << 20));
    /* The third does not fit a device of one slab. */
    rig_need(fgpu_replay_places(blocks, 3, 2u << 20, places, NULL, NULL));
    assert_true(places[1].bytes > 0);
    assert_int_equal(places[2].bytes, 0);
    assert_int_equal(fgpu_replay_places(NULL, 3, 0, places, NULL, NULL), FGPU_E_INVAL);
    assert_int_equal(fgpu_replay_places(blocks, 3, 0, NULL, NULL, NULL), FGPU_E_INVAL);
    assert_int_equal(fgpu_replay_places(blocks, 0, 0, places, NULL, NULL), FGPU_E_INVAL);
    const fgpu_replay_block wrong[] = {{3, 3, 10}};
    assert_int_equal(fgpu_replay_places(wrong, 1, 0, places, NULL, NULL), FGPU_E_INVAL);
    assert_non_null(strstr(fgpu_last_error(), "fgpu_replay_places: block 0"));
}

/* ---- blocks that move -------------------------------------------------------------------- */

#define PART 65536u

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

/* On a device of eight parts: of four buffers the first and the third go; one of four parts gets
 * its room without anything that is written back. */
static void move_on(const char *devices)
{
    fgpu_pool_options options;
    fgpu_pool_stats stats = {.struct_bytes = sizeof stats};
    fgpu_buffer buffers[4];
    fgpu_pool_options_init(&options);
    options.devices = devices;
    options.device_memory_bytes = 8 * PART;
    options.cache_dir = "";
    options.log_level = FGPU_LOG_OFF;
    options.flags = FGPU_POOL_VALIDATE;
    if (fgpu_pool_open(&options, &rig_pool) == FGPU_E_NODEVICE) {
        printf("%s: skipped: %s\n", devices, fgpu_last_error());
        return;
    }
    for (uint32_t i = 0; i < 4; i++)
        buffers[i] = filled(2 * PART, 100 + i);
    rig_need(fgpu_buffer_destroy(buffers[0]));
    rig_need(fgpu_buffer_destroy(buffers[2]));
    fgpu_buffer large = filled(4 * PART, 7);
    rig_need(fgpu_pool_get_stats(rig_pool, &stats));
    assert_int_equal(stats.evictions, 0);
    assert_int_equal(stats.bytes_evicted, 0);
    assert_int_equal(stats.bytes_to_host, 0); /* all of it was on the device */
    holds(large, 4 * PART, 7);
    holds(buffers[1], 2 * PART, 101);
    holds(buffers[3], 2 * PART, 103);
    rig_need(fgpu_pool_close(rig_pool));
}

/* The driver that the tests bring, where there is one. */
static void move_on_fake(const char *devices, const char *path, const char *variable)
{
    if (path == NULL || path[0] == '\0')
        return;
    setenv(variable, path, 1);
    move_on(devices);
    unsetenv(variable);
}

static void test_moves(void **state)
{
    (void)state;
    move_on("sim");
    setenv("FASTGPU_OPENCL_MEMORY", "separate", 1);
    move_on("opencl");
    unsetenv("FASTGPU_OPENCL_MEMORY");
    move_on_fake("opencl", getenv("FAKEICD_LIB"), "FASTGPU_OPENCL_LIBRARY");
    move_on_fake("cuda:0", getenv("FAKECUDA_LIB"), "FASTGPU_CUDA_LIBRARY");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_write), cmocka_unit_test(test_places),
                                       cmocka_unit_test(test_moves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
