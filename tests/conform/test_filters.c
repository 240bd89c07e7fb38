/* The image filters, native and as OpenCL C, against the naive reference: random pictures, sizes
 * that are primes, one pixel, one row, one column, every channel count, cut into bands and 2-D
 * tiles. Integer filters and those whose sums are exact must be equal bit for bit; native and
 * OpenCL results must be equal to each other always.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <math.h>

#include "cli/filters/filters_native.h"
#include "cli/common/weights.h"
#include "lib/filter_cases.h"
#include "lib/image_reference.h"
#include "lib/plan_native.h"
#include "lib/raw_opencl.h"
#include "lib/seed.h"

#define FILTERS_SEED 20240611
#define FILTERS_CASES_EACH 30

/* One case through the native functions and, where `cl` is, the OpenCL device. */
static void check_case(struct raw_opencl *cl, const struct filter_case *what, struct rng *rng)
{
    struct filter_job job;

    filter_job_init(&job, what, rng);
    size_t size = job.plan.buffers[job.dst].size_bytes;
    unsigned char *native = malloc(size);
    assert_non_null(native);
    if (cl)
        assert_int_equal(raw_opencl_run(cl, &job.plan, job.memory), 0);
    memcpy(native, job.memory[job.dst], size);
    if (cl && !filter_job_check(&job, native))
        fail_msg("OpenCL: %s: %s", filter_case_text(what), job.why);
    memset(job.memory[job.dst], 0xa5, size);
    assert_int_equal(plan_native_run(&job.plan, job.memory, rng), 0);
    if (!filter_job_check(&job, job.memory[job.dst]))
        fail_msg("native: %s: %s", filter_case_text(what), job.why);
    if (cl && memcmp(native, job.memory[job.dst], size) != 0)
        fail_msg("native and OpenCL differ: %s", filter_case_text(what));
    free(native);
    filter_job_fini(&job);
}

/* The shapes where borders meet: nothing but border, primes, just below and above a work group. */
static void check_shapes(struct raw_opencl *cl, const struct filter *filter, struct rng *rng)
{
    static const uint32_t shapes[][2] = {{1, 1},   {2, 1},   {1, 2},   {1, 97},  {97, 1},
                                         {3, 3},   {85, 5},  {86, 7},  {255, 2}, {256, 3},
                                         {257, 4}, {31, 37}, {129, 11}};

    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct filter_case what;
        filter_case_draw(&what, filter, 2, rng);
        what.width = shapes[i][0];
        what.height = shapes[i][1];
        if (cl)
            what.align_bytes = raw_opencl_align_bytes(cl);
        check_case(cl, &what, rng);
    }
}

static void test_filters(void **state)
{
    struct raw_opencl *cl = *state;
    uint64_t first = seed_get(FILTERS_SEED), count = seed_count(1);

    for (uint64_t seed = first; seed < first + count; seed++)
        for (uint32_t i = 0; i < filter_count; i++) {
            struct filter_case what;
            struct rng rng;
            if (filters[i].form == FILTER_HISTOGRAM || filters[i].form == FILTER_EQUALISER)
                continue; /* test_tables() */
            rng_init(&rng, seed * 1000 + i);
            print_message("%s, seed %llu\n", filters[i].name, (unsigned long long)seed);
            check_shapes(cl, &filters[i], &rng);
            for (int n = 0; n < FILTERS_CASES_EACH; n++) {
                filter_case_draw(&what, &filters[i], n < 26 ? 40 : 400, &rng);
                if (cl)
                    what.align_bytes = raw_opencl_align_bytes(cl);
                check_case(cl, &what, &rng);
            }
        }
}

/* A picture, its histograms by bands, and the table that equalises it, as a plan. */
struct tables_job {
    struct plan plan;
    struct filter_picture picture;
    uint32_t bands, counts, table; /* buffers but for the first */
    unsigned char *memory[3];
};

static uint32_t add_buffer(struct tables_job *job, size_t size_bytes)
{
    struct plan_buffer buffer = {.name = "tables", .size_bytes = size_bytes};
    uint32_t number;

    assert_int_equal(plan_add_buffer(&job->plan, &buffer, &number), FGPU_OK);
    job->memory[number] = aligned_alloc(4096, (size_bytes + 4095) / 4096 * 4096);
    assert_non_null(job->memory[number]);
    memset(job->memory[number], 0xa5, size_bytes);
    return number;
}

static void add_kernel(struct tables_job *job, const char *name)
{
    struct filter_kernel kernel;
    uint32_t number;

    assert_true(filter_describe(filter_find(name), &kernel));
    assert_int_equal(plan_add_kernel(&job->plan, &kernel, &number), FGPU_OK);
}

static void tables_job_init(struct tables_job *job, uint32_t width, uint32_t height,
                            uint32_t channels, struct rng *rng)
{
    uint32_t pitch = filter_pitch(width * channels, 1, 128), number;
    uint32_t tables_bytes = FILTER_VALUES * channels * (uint32_t)sizeof(uint32_t);
    uint64_t values = 1 + rng_below(rng, 256);
    struct plan_task task = {0};

    *job = (struct tables_job){
        .picture = {0, width, height, channels, 1, pitch},
        .bands = (uint32_t)(1 + rng_below(rng, height < 5 ? height : 5)),
    };
    add_kernel(job, "histogram");
    add_kernel(job, "equalise_table");
    job->picture.buffer = add_buffer(job, (size_t)pitch * height);
    for (size_t i = 0; i < (size_t)pitch * height; i++)
        job->memory[job->picture.buffer][i] = (unsigned char)(255 - rng_below(rng, values));
    job->counts = add_buffer(job, (size_t)tables_bytes * job->bands);
    job->table = add_buffer(job, FILTER_VALUES * channels);
    const struct filter_table whole = {job->counts, fgpu_region_whole()};
    const struct filter_table table = {job->table, fgpu_region_whole()};
    for (uint32_t i = 0; i < job->bands; i++) {
        const struct filter_table part = {
            job->counts, fgpu_region_span((uint64_t)tables_bytes * i, tables_bytes)};
        filter_fill_histogram(&job->picture, height * i / job->bands, height * (i + 1) / job->bands,
                              &part, &task.launch);
        assert_int_equal(plan_add_task(&job->plan, &task, &number), FGPU_OK);
    }
    task.kernel = 1;
    filter_fill_equaliser(&whole, job->bands, channels, &table, &task.launch);
    assert_int_equal(plan_add_task(&job->plan, &task, &number), FGPU_OK);
}

static void tables_job_fini(struct tables_job *job)
{
    for (int i = 0; i < 3; i++)
        free(job->memory[i]);
    plan_fini(&job->plan);
}

static void check_channel(const struct tables_job *job, const struct reference_picture *picture,
                          int channel)
{
    const uint32_t *counts = (const uint32_t *)(const void *)job->memory[job->counts];
    uint32_t sums[FILTER_VALUES] = {0};
    int height = picture->height, bands = (int)job->bands;

    for (int i = 0; i < bands; i++)
        for (int v = 0; v < FILTER_VALUES; v++) {
            uint32_t got = counts[(i * picture->channels + channel) * FILTER_VALUES + v];
            assert_int_equal(got, reference_count(picture, height * i / bands,
                                                  height * (i + 1) / bands, channel, v));
            sums[v] += got;
        }
    for (int v = 0; v < FILTER_VALUES; v++)
        assert_int_equal(job->memory[job->table][FILTER_VALUES * channel + v],
                         reference_equalise(sums, v));
}

static void check_tables(const struct tables_job *job)
{
    const struct filter_picture *from = &job->picture;
    uint32_t row = from->width * from->channels;
    struct reference_picture picture;

    reference_init(&picture, (int)from->width, (int)from->height, (int)from->channels);
    for (uint32_t y = 0; y < from->height; y++)
        for (uint32_t e = 0; e < row; e++)
            picture.samples[(size_t)y * row + e] =
                job->memory[from->buffer][(size_t)y * from->pitch + e];
    for (int channel = 0; channel < (int)from->channels; channel++)
        check_channel(job, &picture, channel);
    reference_fini(&picture);
}

/* Histograms of bands and the tables made of them, native and as OpenCL C. */
static void test_tables(void **state)
{
    static const uint32_t sides[] = {1, 2, 3, 16, 17, 85, 97}, channels[] = {1, 3, 4};
    struct raw_opencl *cl = *state;
    struct rng rng;

    rng_init(&rng, seed_get(FILTERS_SEED));
    for (int i = 0; i < 40; i++) {
        struct tables_job job;
        tables_job_init(&job, sides[rng_below(&rng, 7)], sides[rng_below(&rng, 7)],
                        channels[rng_below(&rng, 3)], &rng);
        if (cl) {
            assert_int_equal(raw_opencl_run(cl, &job.plan, job.memory), 0);
            check_tables(&job);
            memset(job.memory[job.counts], 0xa5, job.plan.buffers[job.counts].size_bytes);
            memset(job.memory[job.table], 0xa5, job.plan.buffers[job.table].size_bytes);
        }
        assert_int_equal(plan_native_run(&job.plan, job.memory, &rng), 0);
        check_tables(&job);
        tables_job_fini(&job);
    }
}

/* Every byte survives the way to float and back, at both scales that are used. */
static void test_float_round_trip(void **state)
{
    unsigned char bytes[256], back[256];
    float floats[256];
    int32_t place[4] = {0, 0, 256, 0}, shape[4] = {256, 1, 1, 0};
    fgpu_range range = {.dims = 2,
                        .global = {256, 1, 1},
                        .local = {256, 1, 1},
                        .groups = {1, 1, 1},
                        .group_end = 1};
    const float scales[2][2] = {{1.0f, 1.0f}, {1.0f / 255.0f, 255.0f}};

    (void)state;
    for (int i = 0; i < 256; i++)
        bytes[i] = (unsigned char)i;
    for (int i = 0; i < 2; i++) {
        float scale = scales[i][0], inverse = scales[i][1];
        void *there[] = {bytes, floats, place, place, shape, &scale};
        void *again[] = {floats, back, place, place, shape, &inverse};
        assert_int_equal(filters_native_to_float(&range, there, NULL), 0);
        assert_int_equal(filters_native_from_float(&range, again, NULL), 0);
        assert_memory_equal(bytes, back, 256);
    }
}

/* The weights against the Gaussian itself: each within half a unit, the middle within half a unit
 * for every other. */
static void test_gaussian_weights(void **state)
{
    static const double sigmas[] = {0.3, 0.5, 1.0, 3.0, 7.5, 100.0};
    int32_t weights[2 * FILTER_RADIUS_LIMIT + 1];

    (void)state;
    for (size_t s = 0; s < sizeof sigmas / sizeof sigmas[0]; s++)
        for (uint32_t radius = 0; radius <= FILTER_RADIUS_LIMIT; radius++) {
            double shares[2 * FILTER_RADIUS_LIMIT + 1], total = 0.0;
            int32_t sum = 0;
            weights_gaussian(sigmas[s], radius, weights);
            for (uint32_t i = 0; i <= 2 * radius; i++) {
                shares[i] = exp(-pow((double)i - radius, 2) / (2 * sigmas[s] * sigmas[s]));
                total += shares[i];
                sum += weights[i];
            }
            assert_int_equal(sum, WEIGHTS_BLUR_ONE);
            for (uint32_t i = 0; i <= 2 * radius; i++) {
                double off = fabs(weights[i] - WEIGHTS_BLUR_ONE * shares[i] / total);
                assert_true(weights[i] >= 0);
                assert_true(off <= (i == radius ? 0.5 * (2.0 * radius + 1.0) : 0.5 + 1e-9));
                assert_int_equal(weights[i], weights[2 * radius - i]);
            }
        }
}

/* The same in two dimensions: none negative, each near its share, the sum exact. */
static void test_gaussian_square(void **state)
{
    static const double sigmas[] = {0.3, 1.0, 3.0, 100.0};
    int32_t weights[(2 * FILTER_SQUARE_RADIUS_LIMIT + 1) * (2 * FILTER_SQUARE_RADIUS_LIMIT + 1)];

    (void)state;
    for (size_t s = 0; s < sizeof sigmas / sizeof sigmas[0]; s++)
        for (int radius = 0; radius <= FILTER_SQUARE_RADIUS_LIMIT; radius++) {
            int size = 2 * radius + 1, sum = 0;
            double total = 0.0;
            weights_gaussian_square(sigmas[s], (uint32_t)radius, weights);
            for (int i = -radius; i <= radius; i++)
                total += exp(-(double)(i * i) / (2 * sigmas[s] * sigmas[s]));
            for (int i = 0; i < size * size; i++) {
                int x = i % size - radius, y = i / size - radius;
                double share =
                    exp(-(double)(x * x + y * y) / (2 * sigmas[s] * sigmas[s])) / total / total;
                assert_true(weights[i] >= 0 && fabs(weights[i] - WEIGHTS_BLUR_ONE * share) <= 1.0);
                sum += weights[i];
            }
            assert_int_equal(sum, WEIGHTS_BLUR_ONE);
        }
}

/* A picture of one colour is what both passes of a blur give back. */
static void test_flat_picture(void **state)
{
    enum { WIDTH = 25, PITCH = 32, HEIGHT = 4 };
    unsigned char flat[PITCH * HEIGHT], blurred[PITCH * HEIGHT];
    uint16_t rows[PITCH * HEIGHT];
    int32_t weights[19], place[4] = {0, 0, PITCH, 0}, shape[4] = {WIDTH, HEIGHT, 1, 9};
    void *horizontal[] = {flat, rows, weights, place, place, shape};
    void *vertical[] = {rows, blurred, weights, place, place, shape};
    fgpu_range range = {.dims = 2,
                        .global = {PITCH / 16, HEIGHT, 1},
                        .local = {1, 1, 1},
                        .groups = {PITCH / 16, HEIGHT, 1},
                        .group_end = PITCH / 16 * HEIGHT};

    (void)state;
    weights_gaussian(3.0, 9, weights);
    for (int value = 0; value < 256; value++) {
        memset(flat, value, sizeof flat);
        assert_int_equal(filters_native_blur_horizontal(&range, horizontal, NULL), 0);
        assert_int_equal(filters_native_blur_vertical(&range, vertical, NULL), 0);
        for (int y = 0; y < HEIGHT; y++)
            assert_memory_equal(flat, blurred + (size_t)y * PITCH, WIDTH);
    }
}

static const char *library; /* of the group that runs; NULL: the machine's loader */

static int open_device(void **state)
{
    *state = raw_opencl_open(library);
    if (!*state)
        print_message("native filters alone are tested\n");
    return 0;
}

static int close_device(void **state)
{
    raw_opencl_close(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),          cmocka_unit_test(test_float_round_trip),
        cmocka_unit_test(test_gaussian_weights), cmocka_unit_test(test_flat_picture),
        cmocka_unit_test(test_tables),           cmocka_unit_test(test_gaussian_square),
    };
    int failed = cmocka_run_group_tests_name("loader", tests, open_device, close_device);

    library = getenv("FAKEICD_LIB");
    if (library)
        failed += cmocka_run_group_tests_name("fake driver", tests, open_device, close_device);
    if (failed)
        seed_print("test_filters", seed_get(FILTERS_SEED));
    return failed;
}
