/* The image filters and the demo's plan through the pool, on every kind of device, against the
 * naive reference: native workers, OpenCL in host memory and with memory of its own, sub-devices,
 * the fake driver, and all of them mixed. Random pictures, tiles as bands and as 2-D regions; every
 * sample must be equal (within the derived tolerance where sums are rounded).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/plan_run.h"
#include "lib/demo_reference.h"
#include "lib/filter_cases.h"
#include "lib/seed.h"

#define POOL_SEED 20240612
#define POOL_CASES_EACH 4

struct setting {
    const char *name;
    const char *options; /* of fgpu_pool_open_text() */
    const char
        *library_from; /* environment variable that names the OpenCL library; NULL: the machine's */
    const char *memory;   /* FASTGPU_OPENCL_MEMORY */
    bool has_photographs; /* also the real photographs, which take longer */
};

static const struct setting settings[] = {
    {"cpu, one worker", "devices=cpu; workers=1", NULL, NULL, false},
    {"cpu, three workers, fifo", "devices=cpu; workers=3; policy=fifo", NULL, NULL, false},
    {"OpenCL", "devices=opencl; validate=1", NULL, NULL, false},
    {"OpenCL, own memory", "devices=opencl; validate=1", NULL, "separate", true},
    {"OpenCL, two sub-devices", "devices=opencl; subdevices=2", NULL, NULL, false},
    {"fake driver", "devices=opencl; validate=1", "FAKEICD_LIB", NULL, false},
    {"all", "", NULL, NULL, true},
    {"all, own memory", "subdevices=2; validate=1", NULL, "separate", false},
    {"all, fake driver", "", "FAKEICD_LIB", NULL, false},
};

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
    set_variable("FASTGPU_OPENCL_LIBRARY", library);
    set_variable("FASTGPU_OPENCL_MEMORY", chosen->memory);
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

/* The strictest alignment of the pool's devices. */
static uint32_t pool_align(fgpu_pool pool)
{
    uint32_t count, align = 1;

    check(fgpu_device_count(pool, &count));
    for (uint32_t i = 0; i < count; i++) {
        fgpu_device_info info = {.struct_bytes = sizeof info};
        fgpu_device device;
        check(fgpu_device_at(pool, i, &device));
        check(fgpu_device_get_info(device, &info));
        if ((info.valid & FGPU_INFO_ALIGN) && info.memory_align_bytes > align)
            align = info.memory_align_bytes;
    }
    return align;
}

static void run_plan(struct plan_session *session)
{
    const struct plan_watch watch = {0};
    struct plan_result result;

    plan_run_pooled(session, &watch, &result);
    if (result.error[0] || result.done_count != session->plan->task_count)
        fail_msg("%s: %u of %u tasks done: %s", setting->name, result.done_count,
                 session->plan->task_count, result.error);
}

static void check_case(fgpu_pool pool, const struct filter_case *what, struct rng *rng)
{
    struct plan_session session;
    struct filter_job job;
    char why[512];

    filter_job_init(&job, what, rng);
    if (plan_session_init(&session, &job.plan, pool, false, why, sizeof why) != FGPU_OK)
        fail_msg("%s: %s", setting->name, why);
    run_plan(&session);
    check(fgpu_buffer_read(session.buffers[job.dst], NULL, job.memory[job.dst], 0));
    if (!filter_job_check(&job, job.memory[job.dst]))
        fail_msg("%s: %s: %s", setting->name, filter_case_text(what), job.why);
    plan_session_fini(&session);
    filter_job_fini(&job);
}

static void test_filters(void **state)
{
    fgpu_pool pool = *(fgpu_pool *)*state;
    uint64_t first = seed_get(POOL_SEED), count = seed_count(1);
    uint32_t align = pool_align(pool);

    for (uint64_t seed = first; seed < first + count; seed++)
        for (uint32_t i = 0; i < filter_count; i++)
            for (int n = 0; n < POOL_CASES_EACH; n++) {
                struct filter_case what;
                struct rng rng;
                rng_init(&rng, (seed * 100 + i) * 100 + (uint64_t)n);
                filter_case_draw(&what, &filters[i], n < 3 ? 40 : 300, &rng);
                what.align_bytes = align;
                check_case(pool, &what, &rng);
            }
}

static void check_outputs(const struct demo_photos *photos, struct plan_session *session)
{
    for (uint32_t i = 0; i < session->plan->output_count; i++) {
        const struct plan_output *output = &session->plan->outputs[i];
        unsigned char *pixels = malloc((size_t)output->width * output->height * output->channels);
        assert_non_null(pixels);
        assert_true(plan_output_is_whole(session, i));
        check(plan_read_output(session, i, pixels, NULL, 0));
        assert_true(demo_reference_check(photos, session->plan, i, pixels));
        free(pixels);
    }
}

/* The whole plan three times over the same buffers, so that results meet older ones; then by hand.
 */
static void run_demo(fgpu_pool pool, const struct demo_photos *photos)
{
    const struct plan_watch watch = {0};
    struct plan_result result;
    struct demo_plan plan;
    struct plan_session session;
    char why[512];

    if (demo_plan_init(photos, pool_align(pool), 0, &plan, why, sizeof why) != FGPU_OK)
        fail_msg("%s", why);
    for (int by_hand = 0; by_hand < 2; by_hand++) {
        if (plan_session_init(&session, &plan.plan, pool, by_hand != 0, why, sizeof why) != FGPU_OK)
            fail_msg("%s: %s", setting->name, why);
        for (int round = 0; round < 3 && !by_hand; round++)
            run_plan(&session);
        if (by_hand) {
            plan_run_by_hand(&session, &watch, &result);
            assert_string_equal(result.error, "");
            assert_int_equal(result.done_count, plan.plan.task_count);
        }
        check_outputs(photos, &session);
        plan_session_fini(&session);
    }
    demo_plan_fini(&plan);
}

static void test_demo_random(void **state)
{
    static const uint32_t sizes[][2] = {{301, 200}, {1, 1}, {13, 90}};
    struct demo_photos photos;
    struct rng rng;

    rng_init(&rng, seed_get(POOL_SEED));
    demo_reference_photos(sizes, 3, &rng, &photos);
    run_demo(*(fgpu_pool *)*state, &photos);
    demo_photos_fini(&photos);
}

/* The photographs that the command takes where none are named. */
static void test_demo_photographs(void **state)
{
    const struct demo_paths none = {.count = 0};
    struct demo_photos photos;
    char why[512];

    if (!setting->has_photographs)
        skip();
    if (demo_photos_load(&none, NULL, &photos, why, sizeof why) != FGPU_OK) {
        print_message("skipped: %s\n", why);
        skip();
    }
    run_demo(*(fgpu_pool *)*state, &photos);
    demo_photos_fini(&photos);
}

/* A user who wants an end before the first task: nothing runs, everything counts as cancelled. */
static void test_stop(void **state)
{
    static const uint32_t sizes[][2] = {{64, 64}};
    volatile sig_atomic_t stop = 1;
    const struct plan_watch watch = {.stop = &stop};
    fgpu_pool pool = *(fgpu_pool *)*state;
    struct demo_photos photos;
    struct demo_plan plan;
    struct plan_session session;
    struct plan_result result;
    struct rng rng;

    rng_init(&rng, 5);
    demo_reference_photos(sizes, 1, &rng, &photos);
    check(demo_plan_init(&photos, pool_align(pool), 0, &plan, NULL, 0));
    check(plan_session_init(&session, &plan.plan, pool, false, NULL, 0));
    plan_run_pooled(&session, &watch, &result);
    assert_true(result.interrupted);
    assert_int_equal(result.done_count, 0);
    assert_int_equal(result.cancelled_count, plan.plan.task_count);
    for (uint32_t i = 0; i < plan.plan.output_count; i++)
        assert_false(plan_output_is_whole(&session, i));
    stop = 0;
    plan_run_pooled(&session, &watch, &result);
    assert_int_equal(result.done_count, plan.plan.task_count);
    plan_session_fini(&session);
    demo_plan_fini(&plan);
    demo_photos_fini(&photos);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_demo_random),
        cmocka_unit_test(test_demo_photographs),
        cmocka_unit_test(test_stop),
    };
    int failed = 0, ran = 0;

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        static fgpu_pool pool;
        struct CMUnitTest prepared[sizeof tests / sizeof tests[0]];
        setting = &settings[i];
        fgpu_status status = open_pool(setting, &pool);
        if (status != FGPU_OK) {
            failed += status != FGPU_E_NODEVICE;
            continue;
        }
        print_message("%s\n", setting->name);
        memcpy(prepared, tests, sizeof tests);
        for (size_t t = 0; t < sizeof tests / sizeof tests[0]; t++)
            prepared[t].initial_state = &pool;
        failed += cmocka_run_group_tests_name(setting->name, prepared, NULL, NULL);
        if (fgpu_pool_close(pool) != FGPU_OK)
            failed++;
        ran++;
    }
    if (failed)
        seed_print("test_pool_filters", seed_get(POOL_SEED));
    return ran == 0 && failed == 0 ? 77 : failed;
}
