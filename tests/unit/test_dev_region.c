/* 2-D copies and fills in host memory against loops over bytes; the checks at their edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"
#include "dev/host/region.h"
#include "lib/seed.h"

#define BYTES 40000u

static unsigned char from[BYTES], to[BYTES], model[BYTES];
static uint64_t seed;

static void noise(struct rng *rng, unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (unsigned char)rng_u64(rng);
}

static void test_copy(void **state)
{
    struct rng rng;

    (void)state;
    rng_init(&rng, seed);
    noise(&rng, from, BYTES);
    for (int round = 0; round < 300; round++) {
        uint64_t rows = rng_below(&rng, 20);
        uint64_t row_bytes = rng_below(&rng, 900);
        uint64_t from_pitch = row_bytes + rng_below(&rng, 3) * rng_below(&rng, 200);
        uint64_t to_pitch = row_bytes + rng_below(&rng, 3) * rng_below(&rng, 200);

        noise(&rng, to, 4000);
        memcpy(model, to, BYTES);
        for (uint64_t row = 0; row < rows; row++)
            for (uint64_t i = 0; i < row_bytes; i++)
                model[7 + row * to_pitch + i] = from[3 + row * from_pitch + i];
        region_copy((struct region){to + 7, to_pitch}, (struct region){from + 3, from_pitch},
                    row_bytes, rows);
        assert_memory_equal(to, model, BYTES);
    }
}

static void test_fill(void **state)
{
    struct rng rng;

    (void)state;
    rng_init(&rng, seed + 1);
    for (uint32_t round = 0; round < 300; round++) {
        uint32_t size = 1u << round % 5;
        fgpu_cmd_fill fill = {.rows = rng_below(&rng, 4),
                              .row_bytes = rng_below(&rng, 9000 / size) * size,
                              .pattern_bytes = size};

        fill.pitch_bytes = fill.row_bytes + rng_below(&rng, 2) * size * rng_below(&rng, 30);
        noise(&rng, fill.pattern, sizeof fill.pattern);
        noise(&rng, to, 4000);
        memcpy(model, to, BYTES);
        for (uint64_t row = 0; row < fill.rows; row++)
            for (uint64_t i = 0; i < fill.row_bytes; i++)
                model[5 + row * fill.pitch_bytes + i] = fill.pattern[i % size];
        assert_int_equal(region_fill_status(&fill), FGPU_OK);
        region_fill((struct region){to + 5, fill.pitch_bytes}, &fill);
        assert_memory_equal(to, model, BYTES);
    }
}

static void test_status(void **state)
{
    (void)state;
    for (uint32_t size = 0; size < 40; size++) {
        fgpu_cmd_fill fill = {
            .rows = 1, .row_bytes = 240, .pitch_bytes = 240, .pattern_bytes = size};
        bool legal = size == 1 || size == 2 || size == 4 || size == 8 || size == 16;
        assert_int_equal(region_fill_status(&fill), legal ? FGPU_OK : FGPU_E_INVAL);
    }
    fgpu_cmd_fill fill = {.rows = 2, .row_bytes = 8, .pitch_bytes = 7, .pattern_bytes = 4};
    assert_int_equal(region_fill_status(&fill), FGPU_E_INVAL);
    fill.rows = 1;
    assert_int_equal(region_fill_status(&fill), FGPU_OK);
    fill.row_bytes = 6;
    assert_int_equal(region_fill_status(&fill), FGPU_E_INVAL);
    fgpu_cmd_copy copy = {.rows = 2, .row_bytes = 8, .src_pitch_bytes = 8, .dst_pitch_bytes = 8};
    assert_int_equal(region_copy_status(&copy), FGPU_OK);
    copy.src_pitch_bytes = 7;
    assert_int_equal(region_copy_status(&copy), FGPU_E_INVAL);
    copy.src_pitch_bytes = 8;
    copy.dst_pitch_bytes = 0;
    assert_int_equal(region_copy_status(&copy), FGPU_E_INVAL);
    copy.rows = 1;
    assert_int_equal(region_copy_status(&copy), FGPU_OK);
}

static void test_end(void **state)
{
    uint64_t end;

    (void)state;
    assert_true(region_end(10, 100, 30, 3, &end) && end == 240);
    assert_true(region_end(10, 100, 30, 1, &end) && end == 40);
    assert_true(region_end(10, 100, 0, 3, &end) && end == 10);
    assert_true(region_end(10, 100, 30, 0, &end) && end == 10);
    assert_true(region_end(UINT64_MAX - 30, 0, 30, 1, &end) && end == UINT64_MAX);
    assert_false(region_end(UINT64_MAX - 29, 0, 30, 1, &end));
    assert_false(region_end(0, UINT64_MAX / 2, 4, 4, &end));
    assert_false(region_end(0, UINT64_MAX / 2, 4, 3, &end));
    assert_false(region_end(0, 1, UINT64_MAX, 2, &end));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_fill),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_end),
    };
    int failed;

    seed = seed_get(11);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed != 0)
        seed_print("test_dev_region", seed);
    return failed;
}
