/* The plan of `fastgpu demo`: enough tasks and tiles, every byte of every result written exactly
 * once, nothing read before it is written, every region inside its buffer and where devices allow
 * arguments to begin; and, run by the native functions, the pictures of the naive reference.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/demo_plan.h"
#include "cli/filters.h"
#include "lib/demo_reference.h"
#include "lib/plan_native.h"

static char why[512];

static void make_plan(const struct demo_photos *photos, uint32_t align_bytes, uint32_t tiles,
                      struct demo_plan *plan)
{
    if (demo_plan_init(photos, align_bytes, tiles, plan, why, sizeof why) != FGPU_OK)
        fail_msg("%s", why);
}

/* Marks the bytes of a region; checks that they are inside the buffer, and how they were marked
 * before. */
static void mark(unsigned char *bytes, const struct plan_buffer *buffer, fgpu_region region,
                 bool is_write)
{
    if (region.row_bytes == 0)
        region = fgpu_region_span(0, buffer->size_bytes);
    for (uint64_t row = 0; row < region.rows; row++) {
        uint64_t begin = region.offset_bytes + row * region.pitch_bytes;
        assert_true(begin + region.row_bytes <= buffer->size_bytes);
        for (uint64_t i = begin; i < begin + region.row_bytes; i++) {
            assert_int_equal(bytes[i], !is_write);
            bytes[i] = 1;
        }
    }
}

static void check_task(const struct plan *plan, const struct plan_task *task, uint32_t align_bytes,
                       unsigned char **written)
{
    const struct filter_kernel *kernel = &plan->kernels[task->kernel];

    for (int pass = 0; pass < 2; pass++) /* what is read first, then what is written */
        for (uint32_t i = 0; i < kernel->param_count; i++) {
            const struct filter_arg *arg = &task->launch.args[i];
            bool is_write = kernel->params[i].access == FGPU_WRITE;
            if (kernel->params[i].kind != FGPU_ARG_BUFFER || is_write != (pass == 1))
                continue;
            assert_int_equal(arg->region.offset_bytes % align_bytes, 0);
            mark(written[arg->buffer], &plan->buffers[arg->buffer], arg->region, is_write);
        }
    assert_true(task->launch.local[0] == FILTER_ITEMS_PLAIN ||
                task->launch.local[0] == FILTER_ITEMS_VECTOR);
    assert_int_equal(task->launch.local[1], 1);
    assert_int_equal(task->launch.global[0] % FILTER_ITEMS_VECTOR, 0);
    assert_int_equal(task->launch.global[0] % task->launch.local[0], 0);
    assert_true(task->launch.global[0] > 0 && task->launch.global[1] > 0);
}

/* Follows the tasks in order with a mark for every byte. */
static void check_plan(const struct plan *plan, uint32_t align_bytes)
{
    unsigned char **written = calloc(plan->buffer_count, sizeof *written);

    assert_non_null(written);
    for (uint32_t i = 0; i < plan->buffer_count; i++) {
        written[i] = calloc(1, plan->buffers[i].size_bytes);
        assert_non_null(written[i]);
        if (plan->buffers[i].content)
            memset(written[i], 1, plan->buffers[i].size_bytes);
    }
    for (uint32_t i = 0; i < plan->task_count; i++)
        check_task(plan, &plan->tasks[i], align_bytes, written);
    for (uint32_t i = 0; i < plan->buffer_count; i++) {
        assert_null(memchr(written[i], 0, plan->buffers[i].size_bytes));
        free(written[i]);
    }
    free(written);
}

/* Runs the plan natively and compares every output. */
static void check_pictures(const struct demo_photos *photos, const struct plan *plan,
                           struct rng *rng)
{
    unsigned char **memory = calloc(plan->buffer_count, sizeof *memory);

    assert_non_null(memory);
    for (uint32_t i = 0; i < plan->buffer_count; i++) {
        memory[i] = malloc(plan->buffers[i].size_bytes);
        assert_non_null(memory[i]);
        memset(memory[i], 0xa5, plan->buffers[i].size_bytes);
        if (plan->buffers[i].content)
            memcpy(memory[i], plan->buffers[i].content, plan->buffers[i].size_bytes);
    }
    assert_int_equal(plan_native_run(plan, memory, rng), 0);
    for (uint32_t i = 0; i < plan->output_count; i++) {
        const struct plan_output *output = &plan->outputs[i];
        size_t row = (size_t)output->width * output->channels;
        unsigned char *pixels = malloc(row * output->height);
        assert_non_null(pixels);
        for (uint32_t y = 0; y < output->height; y++)
            memcpy(pixels + y * row, memory[output->buffer] + (size_t)y * output->pitch_bytes, row);
        assert_true(demo_reference_check(photos, plan, i, pixels));
        free(pixels);
    }
    for (uint32_t i = 0; i < plan->buffer_count; i++)
        free(memory[i]);
    free(memory);
}

/* Two photographs as the demo has them: at least 60 tasks, each step in at least 4 tiles. */
static void test_default_size(void **state)
{
    static const uint32_t sizes[][2] = {{640, 427}, {640, 427}};
    struct demo_photos photos;
    struct demo_plan plan;
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    demo_reference_photos(sizes, 2, &rng, &photos);
    make_plan(&photos, 128, 0, &plan);
    assert_true(plan.plan.task_count >= 60);
    assert_true(plan.tile_count >= 4);
    assert_int_equal(plan.plan.output_count, 12);
    for (uint32_t i = 0; i < plan.plan.output_count; i++) {
        uint32_t tiles = 0;
        for (uint32_t t = 0; t < plan.plan.task_count; t++)
            tiles += plan.plan.tasks[t].output == i;
        assert_int_equal(tiles, plan.tile_count);
    }
    check_plan(&plan.plan, 128);
    check_pictures(&photos, &plan.plan, &rng);
    demo_plan_fini(&plan);
    demo_photos_fini(&photos);
}

/* One photograph makes as many tasks; a large one makes more tiles. */
static void test_tile_counts(void **state)
{
    static const uint32_t small[][2] = {{100, 90}}, large[][2] = {{2000, 1500}};
    struct demo_photos photos;
    struct demo_plan plan;
    struct rng rng;

    (void)state;
    rng_init(&rng, 2);
    demo_reference_photos(small, 1, &rng, &photos);
    make_plan(&photos, 64, 0, &plan);
    assert_true(plan.plan.task_count >= 60);
    demo_plan_fini(&plan);
    demo_photos_fini(&photos);
    demo_reference_photos(large, 1, &rng, &photos);
    make_plan(&photos, 64, 0, &plan);
    assert_int_equal(plan.tile_count, 12);
    demo_plan_fini(&plan);
    make_plan(&photos, 64, 3, &plan);
    assert_int_equal(plan.tile_count, 3);
    demo_plan_fini(&plan);
    demo_photos_fini(&photos);
}

/* Pictures of odd shapes, all alignments: one pixel, one row, one column, more tiles than rows. */
static void test_shapes(void **state)
{
    static const uint32_t sizes[][2] = {{1, 1}, {97, 1}, {1, 61}, {5, 3}, {256, 19}, {257, 31}};
    static const uint32_t aligns[] = {1, 64, 128, 512, 4096};
    struct demo_photos photos;
    struct demo_plan plan;
    struct rng rng;

    (void)state;
    rng_init(&rng, 3);
    demo_reference_photos(sizes, 6, &rng, &photos);
    for (size_t i = 0; i < sizeof aligns / sizeof aligns[0]; i++) {
        make_plan(&photos, aligns[i], i == 4 ? 100 : 0, &plan);
        check_plan(&plan.plan, aligns[i]);
        check_pictures(&photos, &plan.plan, &rng);
        demo_plan_fini(&plan);
    }
    demo_photos_fini(&photos);
}

/* A picture one pixel wide has rows of a whole group each: beyond the limit it is refused before
 * memory is taken. */
static void test_too_narrow(void **state)
{
    static const uint32_t sizes[][2] = {{1, 5000000}};
    struct demo_photos photos;
    struct demo_plan plan;
    struct rng rng;

    (void)state;
    rng_init(&rng, 4);
    demo_reference_photos(sizes, 1, &rng, &photos);
    assert_int_equal(demo_plan_init(&photos, 128, 0, &plan, why, sizeof why), FGPU_E_LIMIT);
    assert_non_null(strstr(why, "1 x 5000000"));
    assert_non_null(strstr(why, "1073741824"));
    demo_photos_fini(&photos);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_size),
        cmocka_unit_test(test_tile_counts),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_too_narrow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
