/* The demo's workload through the pool, on every kind of device, against the naive reference:
 * native workers, OpenCL in host memory and with memory of its own, sub-devices, the fake drivers
 * (that of CUDA runs the OpenCL C translated), and all of them mixed. Random pictures of odd sizes;
 * every sample must be equal. With FASTGPU_TEST_CARD set, on the machine's CUDA card alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <unistd.h>

#include "base/rng.h"
#include "cli/image/image.h"
#include "cli/filters/kernels.h"
#include "cli/common/weights.h"
#include "cli/workload/workload_session.h"
#include "lib/image_reference.h"
#include "lib/seed.h"

#define POOL_SEED 20240612
#define POOL_CASES 5

struct setting {
    const char *name;
    const char *options; /* of fgpu_pool_open_text() */
    const char
        *library_from; /* environment variable that names the OpenCL library; NULL: the machine's */
    const char *memory; /* FASTGPU_OPENCL_MEMORY */
    bool cuda;          /* the library is one of CUDA */
};

static const struct setting settings[] = {
    {"cpu, one worker", "devices=cpu; workers=1", NULL, NULL, false},
    {"cpu, three workers, fifo", "devices=cpu; workers=3; policy=fifo", NULL, NULL, false},
    {"OpenCL", "devices=opencl; validate=1", NULL, NULL, false},
    {"OpenCL, own memory", "devices=opencl; validate=1", NULL, "separate", false},
    {"OpenCL, two sub-devices", "devices=opencl; subdevices=2", NULL, NULL, false},
    {"fake driver", "devices=opencl; validate=1", "FAKEICD_LIB", NULL, false},
    {"fake CUDA driver", "devices=cuda:0; validate=1", "FAKECUDA_LIB", NULL, true},
    {"all", "", NULL, NULL, false},
    {"all, own memory", "subdevices=2; validate=1", NULL, "separate", false},
    {"all, fake driver", "", "FAKEICD_LIB", NULL, false},
};

static const struct setting card = {"CUDA card", "devices=cuda:0; validate=1", NULL, NULL, true};

static const struct setting *setting; /* of the group that runs */

static void set_variable(const char *name, const char *value)
{
    if (value)
        (void)setenv(name, value, 1);
    else
        (void)unsetenv(name);
}

/* Opens the pool of the setting; FGPU_E_NODEVICE, said on stderr, when it is not to be had here. */
static fgpu_status open_pool(const struct setting *chosen, fgpu_pool *pool)
{
    const char *library = chosen->library_from ? getenv(chosen->library_from) : NULL;

    if (chosen->library_from && !library) {
        fprintf(stderr, "%s: skipped, %s is not set\n", chosen->name, chosen->library_from);
        return FGPU_E_NODEVICE;
    }
    if (chosen != &card) { /* which the environment names */
        set_variable("FASTGPU_OPENCL_LIBRARY", chosen->cuda ? NULL : library);
        set_variable("FASTGPU_CUDA_LIBRARY", chosen->cuda ? library : NULL);
        set_variable("FASTGPU_NVRTC_LIBRARY", chosen->cuda ? library : NULL);
        set_variable("FASTGPU_OPENCL_MEMORY", chosen->memory);
    }
    fgpu_status status = fgpu_pool_open_text(chosen->options, pool);
    if (status != FGPU_OK)
        fprintf(stderr, "%s: %s: %s\n", chosen->name, fgpu_status_name(status), fgpu_last_error());
    return status;
}

static void check(fgpu_status status)
{
    if (status != FGPU_OK)
        fail_msg("%s: %s: %s", setting->name, fgpu_status_name(status), fgpu_last_error());
}

/* The demo on one picture. */
struct demo {
    char path[64]; /* of the picture */
    struct reference_picture photo;
    struct workload workload;
    struct workload_data data;
    struct workload_session session;
};

static uint32_t find_buffer(const struct workload *workload, const char *name)
{
    for (uint32_t i = 0; i < workload->buffer_count; i++)
        if (strcmp(workload->buffers[i].name, name) == 0)
            return i;
    fail_msg("the demo has no buffer %s", name);
    return 0;
}

static void demo_make_picture(struct demo *demo, uint32_t width, uint32_t height, struct rng *rng)
{
    struct image image;
    char why[CLI_WHY_BYTES];

    (void)snprintf(demo->path, sizeof demo->path, "/tmp/fgpu-demo-%d.png", (int)getpid());
    check(image_init(&image, width, height, 3, why, sizeof why));
    reference_init(&demo->photo, (int)width, (int)height, 3);
    for (size_t i = 0; i < image_size_bytes(&image); i++) {
        image.pixels[i] = (uint8_t)rng_below(rng, 256);
        demo->photo.samples[i] = image.pixels[i];
    }
    check(image_save(demo->path, &image, why, sizeof why));
    image_fini(&image);
}

static void demo_init(struct demo *demo, fgpu_pool pool, uint32_t width, uint32_t height,
                      struct rng *rng)
{
    char photo[80], why[CLI_WHY_BYTES] = "";
    const char *const sets[] = {photo, "names=picture", "bands=5"};
    const struct workload_options options = {.sets = sets, .set_count = 3};

    *demo = (struct demo){0};
    demo_make_picture(demo, width, height, rng);
    (void)snprintf(photo, sizeof photo, "photos=%s", demo->path);
    if (workload_parse(kernels_demo_workload, strlen(kernels_demo_workload), "", &options,
                       &demo->workload) != FGPU_OK)
        fail_msg("%s: %s", demo->workload.mistakes[0].path, demo->workload.mistakes[0].text);
    if (workload_data_init(&demo->data, &demo->workload, NULL, why, sizeof why) != FGPU_OK ||
        workload_session_init(&demo->session, &demo->workload, &demo->data, pool, why,
                              sizeof why) != FGPU_OK)
        fail_msg("%s: %s", setting->name, why);
}

static void demo_fini(struct demo *demo)
{
    workload_session_fini(&demo->session);
    workload_data_fini(&demo->data);
    workload_fini(&demo->workload);
    reference_fini(&demo->photo);
    (void)unlink(demo->path);
}

/* Whether a picture of the demo is the expected one, which is freed. */
static void demo_check(struct demo *demo, const char *name, struct reference_picture *want)
{
    uint32_t number = find_buffer(&demo->workload, name);
    const struct workload_buffer *buffer = &demo->workload.buffers[number];
    const unsigned char *memory;
    char why[CLI_WHY_BYTES] = "";
    size_t row = (size_t)want->width * (size_t)want->channels;

    assert_int_equal(buffer->shape[0], want->height);
    assert_int_equal(buffer->shape[1], want->width);
    assert_true(workload_session_is_whole(&demo->session, number));
    check(workload_session_map(&demo->session, number, &memory, why, sizeof why));
    for (size_t y = 0; y < (size_t)want->height; y++)
        for (size_t e = 0; e < row; e++)
            if (!reference_is_rounded(memory[y * buffer->pitch + e], want->samples[y * row + e],
                                      0.0))
                fail_msg("%s: %s: row %zu element %zu: %u instead of %g", setting->name, name, y, e,
                         memory[y * buffer->pitch + e], want->samples[y * row + e]);
    workload_session_unmap(&demo->session, number, memory);
    reference_fini(want);
}

static const void *table(const struct demo *demo, const char *name)
{
    return demo->data.memory[find_buffer(&demo->workload, name)];
}

/* Blur and what is made of it. */
static void check_blurs(struct demo *demo)
{
    int32_t line[19], square[81];
    struct reference_picture rows, blur, want;

    weights_gaussian(3.0, 9, line);
    weights_gaussian_square(2.0, 4, square);
    reference_blur_horizontal(&demo->photo, line, 9, &rows);
    reference_blur_vertical(&rows, line, 9, &blur);
    reference_sharpen(&demo->photo, &blur, 320, &want);
    demo_check(demo, "sharpen_0", &want);
    demo_check(demo, "blur_0", &blur);
    reference_blur_2d(&demo->photo, square, 4, &want);
    demo_check(demo, "soft_0", &want);
    reference_fini(&rows);
}

/* Grey and what is made of it. */
static void check_greys(struct demo *demo)
{
    struct reference_picture grey, want;
    uint32_t counts[256];
    unsigned char values[256];

    reference_grey(&demo->photo, &grey);
    reference_sobel(&grey, &want);
    demo_check(demo, "sobel_0", &want);
    for (int v = 0; v < 256; v++)
        counts[v] = reference_count(&grey, 0, grey.height, 0, v);
    for (int v = 0; v < 256; v++)
        values[v] = (unsigned char)reference_equalise(counts, v);
    reference_lookup(&grey, values, 0, &want);
    demo_check(demo, "equalised_0", &want);
    demo_check(demo, "grey_0", &grey);
}

static void check_windows(struct demo *demo)
{
    struct reference_picture want, tolerance;

    reference_median3x3(&demo->photo, &want);
    demo_check(demo, "median_0", &want);
    reference_conv3x3(&demo->photo, table(demo, "light"), &want);
    demo_check(demo, "emboss_0", &want);
    reference_conv3x3x3(&demo->photo, table(demo, "brown"), &want, &tolerance);
    demo_check(demo, "sepia_0", &want);
    reference_fini(&tolerance);
}

static void check_pyramid(struct demo *demo)
{
    static const char *const names[] = {"half_0", "quarter_0", "eighth_0", "sixteenth_0"};
    struct reference_picture level, next;

    reference_halve(&demo->photo, &level);
    for (int i = 0; i < 4; i++) {
        reference_halve(&level, &next);
        demo_check(demo, names[i], &level);
        level = next;
    }
    reference_fini(&level);
}

static void test_demo(void **state)
{
    static const uint32_t sizes[POOL_CASES][2] = {{61, 37}, {1, 1}, {130, 3}, {2, 90}, {200, 111}};
    fgpu_pool pool = *(fgpu_pool *)*state;
    const struct watch watch = {0};
    struct rng rng;

    rng_init(&rng, seed_get(POOL_SEED));
    for (int i = 0; i < POOL_CASES; i++) {
        struct demo demo;
        struct workload_run run;
        demo_init(&demo, pool, sizes[i][0], sizes[i][1], &rng);
        workload_session_run(&demo.session, &watch, &run);
        if (run.done_count != demo.workload.task_count)
            fail_msg("%s: %s", setting->name, run.error);
        check_blurs(&demo);
        check_greys(&demo);
        check_windows(&demo);
        check_pyramid(&demo);
        demo_fini(&demo);
    }
}

/* The sepia's sums are exact: its weights are multiples of 1/256 and small. */
static void test_sepia_is_exact(void **state)
{
    fgpu_pool pool = *(fgpu_pool *)*state;
    struct demo demo;
    struct rng rng;

    rng_init(&rng, 1);
    demo_init(&demo, pool, 3, 3, &rng);
    const float *weights = table(&demo, "brown");
    for (int output = 0; output < 3; output++) {
        double magnitude = 0.0;
        for (int i = 0; i < 27; i++) {
            double weight = (double)weights[27 * output + i] * 256.0;
            assert_true(weight == (double)(int)weight);
            magnitude += (weight < 0.0 ? -weight : weight) / 256.0;
        }
        assert_true(magnitude > 0.5 && magnitude <= 256.0);
    }
    demo_fini(&demo);
}

/* Runs the tests in one setting; false where it is not to be had. */
static bool run_setting(const struct setting *chosen, int *failed)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_demo),
        cmocka_unit_test(test_sepia_is_exact),
    };
    static fgpu_pool pool;
    struct CMUnitTest prepared[sizeof tests / sizeof tests[0]];

    setting = chosen;
    fgpu_status status = open_pool(setting, &pool);
    if (status != FGPU_OK) {
        *failed += status != FGPU_E_NODEVICE;
        return false;
    }
    print_message("%s\n", setting->name);
    memcpy(prepared, tests, sizeof tests);
    for (size_t t = 0; t < sizeof tests / sizeof tests[0]; t++)
        prepared[t].initial_state = &pool;
    *failed += cmocka_run_group_tests_name(setting->name, prepared, NULL, NULL);
    if (fgpu_pool_close(pool) != FGPU_OK)
        *failed += 1;
    return true;
}

int main(void)
{
    bool on_card = getenv("FASTGPU_TEST_CARD") != NULL;
    int failed = 0, ran = on_card && run_setting(&card, &failed);

    for (size_t i = 0; i < sizeof settings / sizeof settings[0] && !on_card; i++)
        ran += run_setting(&settings[i], &failed);
    if (failed)
        seed_print("test_pool_filters", seed_get(POOL_SEED));
    return ran == 0 && failed == 0 ? 77 : failed;
}
