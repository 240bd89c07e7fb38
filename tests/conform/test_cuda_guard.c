/* Slices and guards on the cuda device: random OpenCL kernels on random grids, run whole, in random
 * ranges, and under a guard that is told to stop at random moments; results and counts must be the
 * same to the bit. Runs against the fake driver, or with FASTGPU_TEST_CARD set on the machine's
 * card. FASTGPU_TEST_SEEDS: how many kernels.
 */
#include <string.h>
#include "base/clock.h"
#include "base/error.h"
#include "dev/cuda/cuda.h"
#include "lib/fakecuda_rig.h"
#include "lib/preempt_cases.h"
#include "lib/seed.h"

#define CASES 2u
#define STOPS 4u
#define ROUNDS 2u

static struct rig_target target = {.name = "cuda", .backend = &cuda_backend, .executes = true};
static bool on_card;
static char *card_library; /* what the environment names, or NULL */

struct world {
    struct rig rig;
    struct rng rng;
    struct preempt_case made;
    fgpu_mem out, count;
    uint32_t seed, rounds;
    fgpu_cmd_arg args[5];
    uint32_t *zero, *want, *have, *counted;
};

static fgpu_status build(struct rig *rig, const char *text, uint32_t form, fgpu_code *code)
{
    fgpu_code_source source = {.kind = FGPU_VARIANT_OPENCL,
                               .arg_count = 5,
                               .text = text,
                               .entry = "k",
                               .options = "",
                               .form = form};
    fgpu_code_built built = {0};
    fgpu_status status = device_code_build(&rig->device, &source, &built);

    if (status != FGPU_OK && status != FGPU_E_UNSUPPORTED)
        (void)fprintf(stderr, "%s\n%s\n", error_text(), built.log != NULL ? built.log : "");
    free(built.log);
    *code = built.code;
    return status;
}

static int setup(void **state)
{
    (void)state;
    if (!on_card)
        fake.reset();
    target.cuda_library = on_card ? card_library : fake.path;
    return 0;
}

static void check_clean(void)
{
    if (!on_card)
        fake_check_clean();
}

static void world_open(struct world *world, uint64_t seed)
{
    uint32_t items = 1;

    memset(world, 0, sizeof *world);
    rig_open(&world->rig, &target);
    rng_init(&world->rng, seed);
    preempt_case_make(&world->made, &world->rng);
    for (uint32_t d = 0; d < 3; d++)
        items *= world->made.local[d];
    uint64_t bytes = world->made.item_count * 4;
    world->zero = calloc(world->made.item_count, 4);
    world->want = calloc(world->made.item_count, 4);
    world->have = calloc(world->made.item_count, 4);
    world->counted = calloc(world->made.item_count, 4);
    world->out = rig_alloc(&world->rig, bytes);
    world->count = rig_alloc(&world->rig, bytes);
    world->seed = (uint32_t)seed;
    world->rounds = 100u + (uint32_t)rng_below(&world->rng, on_card ? 20000 : 300);
    world->args[0] = kernel_buffer(world->out, 0, bytes);
    world->args[1] = kernel_buffer(world->count, 0, bytes);
    world->args[2] = kernel_scalar(&world->seed, 4);
    world->args[3] = kernel_scalar(&world->rounds, 4);
    world->args[4] = kernel_local(items * 4ull);
}

static void world_close(struct world *world)
{
    rig_free(&world->rig, world->out);
    rig_free(&world->rig, world->count);
    rig_close(&world->rig);
    free(world->zero);
    free(world->want);
    free(world->have);
    free(world->counted);
}

static void world_clear(struct world *world)
{
    rig_write(&world->rig, world->out, 0, world->zero, world->made.item_count * 4);
    rig_write(&world->rig, world->count, 0, world->zero, world->made.item_count * 4);
}

static fgpu_cmd_slice world_slice(const struct world *world, fgpu_code code)
{
    fgpu_cmd_slice slice = {.launch = {.code = code,
                                       .args = world->args,
                                       .arg_count = 5,
                                       .dims = (uint16_t)world->made.dims,
                                       .part = FGPU_LAUNCH_SLICE,
                                       .global = {1, 1, 1},
                                       .local = {1, 1, 1}},
                            .count = world->made.group_count};

    for (uint32_t d = 0; d < world->made.dims; d++) {
        slice.launch.local[d] = world->made.local[d];
        slice.launch.global[d] = world->made.groups[d] * world->made.local[d];
    }
    return slice;
}

static fgpu_status run(struct world *world, void *body)
{
    return rig_run(&world->rig, 0, FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, body);
}

/* What the kernel made must be what it made in one piece; every group counted itself once. */
static void world_compare(struct world *world, const char *how)
{
    uint64_t bytes = world->made.item_count * 4;

    rig_read(&world->rig, world->out, 0, world->have, bytes);
    rig_read(&world->rig, world->count, 0, world->counted, bytes);
    for (uint64_t g = 0; g < world->made.group_count; g++)
        if (world->counted[g] != 1)
            fail_msg("%s: group %llu ran %u times\n%s", how, (unsigned long long)g,
                     world->counted[g], world->made.text);
    if (memcmp(world->have, world->want, bytes) != 0)
        fail_msg("%s: other results\n%s", how, world->made.text);
}

static void run_whole(struct world *world)
{
    fgpu_cmd_slice slice = world_slice(world, 0);

    assert_int_equal(build(&world->rig, world->made.text, FGPU_FORM_WHOLE, &slice.launch.code),
                     FGPU_OK);
    slice.launch.part = FGPU_LAUNCH_WHOLE;
    world_clear(world);
    assert_int_equal(run(world, &slice), FGPU_OK);
    rig_read(&world->rig, world->out, 0, world->want, world->made.item_count * 4);
    world_compare(world, "whole");
    device_code_free(&world->rig.device, slice.launch.code);
}

/* Ranges of random lengths, in a random order: the odd ones first. */
static void run_sliced(struct world *world)
{
    fgpu_code code = 0;
    uint64_t step = 1 + rng_below(&world->rng, world->made.group_count);

    if (step * 8 < world->made.group_count)
        step = world->made.group_count / 8;
    assert_int_equal(build(&world->rig, world->made.text, FGPU_FORM_SLICED, &code), FGPU_OK);
    fgpu_cmd_slice slice = world_slice(world, code);
    world_clear(world);
    assert_int_equal(device_code_warm(&world->rig.device, &slice.launch), FGPU_OK);
    for (uint64_t odd = 1; odd < 2; odd--)
        for (uint64_t first = odd * step; first < world->made.group_count; first += 2 * step) {
            uint64_t left = world->made.group_count - first;
            slice.first = first;
            slice.count = left < step ? left : step;
            assert_int_equal(run(world, &slice), FGPU_OK);
        }
    world_compare(world, "in slices");
    device_code_free(&world->rig.device, code);
}

static void nap(uint64_t ns)
{
    uint64_t begin_ns = clock_now_ns();

    while (clock_now_ns() - begin_ns < ns)
        atomic_pause();
}

/* One launch of a random range, told to stop after a while; what is left must be what has not
 * counted itself. */
static void run_stopped(struct world *world, fgpu_cmd_slice *slice)
{
    struct device *device = &world->rig.device;
    fgpu_cmd cmd = {FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, slice};
    uint64_t left = 0, number;

    slice->first = rng_below(&world->rng, world->made.group_count);
    slice->count = 1 + rng_below(&world->rng, world->made.group_count - slice->first);
    if (rng_below(&world->rng, 8) == 0)
        device_guard_stop(device, slice->guard, true);
    number = rig_submit(&world->rig, 0, &cmd, 1);
    nap(rng_below(&world->rng, 300000));
    device_guard_stop(device, slice->guard, true);
    rig_wait(&world->rig, 0, number);
    device_guard_stop(device, slice->guard, false);
    assert_int_equal(slice->launch.result.status, FGPU_OK);
    rig_read(&world->rig, world->count, 0, world->counted, world->made.item_count * 4);
    for (uint64_t g = slice->first; g < slice->first + slice->count; g++)
        left += world->counted[g] == 0;
    assert_int_equal(slice->left, left);
    assert_int_equal(device_guard_left(device, slice->guard, slice->first, slice->count), left);
}

static void run_guarded(struct world *world)
{
    struct device *device = &world->rig.device;
    fgpu_code code = 0;
    fgpu_guard guard = 0;

    assert_int_equal(build(&world->rig, world->made.text, FGPU_FORM_GUARDED, &code), FGPU_OK);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        fgpu_cmd_slice slice = world_slice(world, code);
        world_clear(world);
        assert_int_equal(device_guard_open(device, world->made.group_count, &guard), FGPU_OK);
        assert_int_equal(device_code_warm(device, &slice.launch), FGPU_OK);
        assert_int_equal(device_guard_left(device, guard, 0, world->made.group_count),
                         world->made.group_count);
        slice.guard = guard;
        for (uint32_t stop = 0; stop < STOPS; stop++)
            run_stopped(world, &slice);
        slice.first = 0;
        slice.count = world->made.group_count;
        assert_int_equal(run(world, &slice), FGPU_OK);
        assert_int_equal(slice.left, 0);
        world_compare(world, "under a guard");
        device_guard_close(device, guard);
    }
    device_code_free(device, code);
}

static void test_random(void **state)
{
    uint64_t first = seed_get(1), count = seed_count(CASES);
    bool live = false;

    (void)state;
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct world world;
        seed_print("test_cuda_guard", seed);
        world_open(&world, seed);
        run_whole(&world);
        run_sliced(&world);
        assert_int_equal(device_live_flag(&world.rig.device, &live), FGPU_OK);
        if (live) /* a card without it is told of, and has no guards */
            run_guarded(&world);
        world_close(&world);
    }
    assert_true(live);
    check_clean();
}

static const char *const long_text =
    "__kernel void k(__global uint *out, __global uint *count, uint seed, uint rounds,\n"
    "                __local uint *s)\n"
    "{\n"
    "    uint x = seed;\n"
    "    for (uint i = 0; i < rounds; i++)\n"
    "        x = x * 1664525u + i;\n"
    "    out[get_local_id(0)] = x;\n"
    "    if (get_local_id(0) == 0) count[get_group_id(0) % 64] = 1;\n"
    "}\n";

/* A launch that would take long ends when it is told to. */
static void test_drain(void **state)
{
    struct rig rig;
    fgpu_code code = 0;
    fgpu_guard guard = 0;
    uint32_t seed = 1, rounds = 100000;
    const uint64_t groups = on_card ? UINT64_C(1) << 22 : 2000;

    (void)state;
    rig_open(&rig, &target);
    fgpu_mem mem = rig_alloc(&rig, 4096);
    fgpu_cmd_arg args[5] = {kernel_buffer(mem, 0, 4096), kernel_buffer(mem, 0, 4096),
                            kernel_scalar(&seed, 4), kernel_scalar(&rounds, 4), kernel_local(64)};
    assert_int_equal(build(&rig, long_text, FGPU_FORM_GUARDED, &code), FGPU_OK);
    assert_int_equal(device_guard_open(&rig.device, groups, &guard), FGPU_OK);
    fgpu_cmd_slice slice = {
        .launch = kernel_launch(code, args, 5, groups * 4, 4), .count = groups, .guard = guard};
    slice.launch.part = FGPU_LAUNCH_SLICE;
    fgpu_cmd cmd = {FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &slice};
    uint64_t number = rig_submit(&rig, 0, &cmd, 1);
    nap(5000000);
    device_guard_stop(&rig.device, guard, true);
    rig_wait(&rig, 0, number);
    assert_int_equal(slice.launch.result.status, FGPU_OK);
    assert_in_range(slice.left, 1, groups);
    device_guard_close(&rig.device, guard);
    device_code_free(&rig.device, code);
    rig_free(&rig, mem);
    rig_close(&rig);
    check_clean();
}

static fgpu_status launch_status(struct rig *rig, fgpu_cmd_slice slice)
{
    return rig_run(rig, 0, FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &slice);
}

static void refuse_shapes(struct rig *rig, fgpu_cmd_slice good, fgpu_code sliced)
{
    fgpu_cmd_slice bad = good;

    bad.guard = 0; /* a guard is missing */
    assert_int_equal(launch_status(rig, bad), FGPU_E_INVAL);
    bad.launch.code = sliced;
    assert_int_equal(launch_status(rig, bad), FGPU_OK);
    bad.guard = good.guard; /* the code asks none */
    assert_int_equal(launch_status(rig, bad), FGPU_E_INVAL);
    bad = good;
    bad.count = 65;
    assert_int_equal(launch_status(rig, bad), FGPU_E_INVAL);
    bad = good;
    bad.first = 1;
    assert_int_equal(launch_status(rig, bad), FGPU_E_INVAL);
    bad = good;
    bad.launch.local[0] = 3;
    assert_int_equal(launch_status(rig, bad), FGPU_E_INVAL);
    bad.launch.local[0] = 8; /* 32 groups: another grid than the guard's */
    bad.count = 32;
    assert_int_equal(launch_status(rig, bad), FGPU_E_INVAL);
    bad = good;
    bad.launch.part = FGPU_LAUNCH_WHOLE; /* this code runs slices only */
    assert_int_equal(launch_status(rig, bad), FGPU_E_INVAL);
    bad = good; /* compiling ahead: no work-group size, too large a one */
    bad.launch.local[0] = 0;
    assert_int_equal(device_code_warm(&rig->device, &bad.launch), FGPU_E_INVAL);
    bad.launch.local[0] = bad.launch.local[1] = 1024;
    bad.launch.dims = 2;
    assert_int_equal(device_code_warm(&rig->device, &bad.launch), FGPU_E_INVAL);
}

static void test_refused(void **state)
{
    struct rig rig;
    fgpu_code sliced = 0, guarded = 0, none = 0;
    fgpu_guard guard = 0;
    uint32_t seed = 1, rounds = 1;

    (void)state;
    rig_open(&rig, &target);
    fgpu_mem mem = rig_alloc(&rig, 4096);
    fgpu_cmd_arg args[5] = {kernel_buffer(mem, 0, 4096), kernel_buffer(mem, 0, 4096),
                            kernel_scalar(&seed, 4), kernel_scalar(&rounds, 4), kernel_local(64)};
    assert_int_equal(build(&rig, long_text, FGPU_FORM_SLICED, &sliced), FGPU_OK);
    assert_int_equal(build(&rig, long_text, FGPU_FORM_GUARDED, &guarded), FGPU_OK);
    assert_int_equal(
        build(&rig, "kernel void k(global int *a) { atomic_inc(a); }", FGPU_FORM_GUARDED, &none),
        FGPU_E_UNSUPPORTED);
    assert_int_equal(device_guard_open(&rig.device, 64, &guard), FGPU_OK);
    fgpu_cmd_slice good = {
        .launch = kernel_launch(guarded, args, 5, 256, 4), .count = 64, .guard = guard};
    good.launch.part = FGPU_LAUNCH_SLICE;
    refuse_shapes(&rig, good, sliced);
    assert_int_equal(device_guard_left(&rig.device, guard, 0, 64), 64);
    assert_int_equal(launch_status(&rig, good), FGPU_OK);
    assert_int_equal(device_guard_left(&rig.device, guard, 0, 64), 0);
    device_guard_close(&rig.device, guard);
    device_code_free(&rig.device, sliced);
    device_code_free(&rig.device, guarded);
    rig_free(&rig, mem);
    rig_close(&rig);
    check_clean();
}

/* Guards that do not come, and a card that breaks under one. */
static void test_failures(void **state)
{
    struct rig rig;
    fgpu_guard guard = 0, other = 0;
    bool live = false;

    (void)state;
    if (on_card)
        skip();
    rig_open(&rig, &target);
    assert_int_equal(device_live_flag(&rig.device, &live), FGPU_OK);
    assert_true(live);
    fake.set("alloc_error", 2);
    assert_int_equal(device_guard_open(&rig.device, 100, &guard), FGPU_E_DEVMEM);
    fake.set("alloc_error", 0);
    fake.set("host_alloc_error", 2);
    assert_int_equal(device_guard_open(&rig.device, UINT64_C(1) << 22, &guard), FGPU_E_DEVMEM);
    fake.set("host_alloc_error", 0);
    assert_int_equal(device_guard_open(&rig.device, UINT64_C(1) << 32, &guard), FGPU_E_LIMIT);
    assert_int_equal(device_guard_open(&rig.device, 5000, &guard), FGPU_OK);
    assert_int_equal(device_guard_open(&rig.device, 1, &other), FGPU_OK);
    device_guard_close(&rig.device, guard);
    assert_int_equal(device_guard_open(&rig.device, UINT64_C(1) << 21, &guard), FGPU_OK);
    device_guard_close(&rig.device, guard); /* larger than the pages for all */
    device_guard_close(&rig.device, other);
    rig_close(&rig);
    check_clean();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_random, setup),
        cmocka_unit_test_setup(test_drain, setup),
        cmocka_unit_test_setup(test_refused, setup),
        cmocka_unit_test_setup(test_failures, setup),
    };

    const char *named = getenv("FASTGPU_CUDA_LIBRARY");

    on_card = getenv("FASTGPU_TEST_CARD") != NULL;
    card_library = named != NULL ? strdup(named) : NULL;
    if (!on_card && !fake_open())
        return 77;
    int failed = cmocka_run_group_tests_name("cuda guard", tests, NULL, NULL);
    free(card_library);
    return failed;
}
