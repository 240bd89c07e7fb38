/* Slices and guards on OpenCL devices: random kernels on random grids, run whole, in random ranges,
 * and under a guard that is told to stop at random moments; results and counts must be the same to
 * the bit. Runs against every target of opencl_targets.h. FASTGPU_TEST_SEEDS: how many kernels.
 */
#include "conform/opencl_targets.h"

#include "lib/preempt_cases.h"
#include "lib/seed.h"

#define CASES 2u
#define STOPS 5u

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
    fgpu_status status = opencl_backend.code_build(rig->device, &source, &built);

    if (status != FGPU_OK)
        (void)fprintf(stderr, "%s\n%s\n", error_text(), built.log != NULL ? built.log : "");
    free(built.log);
    *code = built.code;
    return status;
}

static void setup(struct rig *rig)
{
    fgpu_backend_options options = target_options();

    rig_open(rig, &options, 0);
}

static void world_open(struct world *world, uint64_t seed)
{
    uint32_t items = 1;

    memset(world, 0, sizeof *world);
    setup(&world->rig);
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
    world->rounds = 100u + (uint32_t)rng_below(&world->rng, 2000);
    world->args[0] = rig_buffer(world->out, 0, bytes);
    world->args[1] = rig_buffer(world->count, 0, bytes);
    world->args[2] = rig_scalar(&world->seed, 4);
    world->args[3] = rig_scalar(&world->rounds, 4);
    world->args[4] = rig_local(items * 4ull);
}

static void world_close(struct world *world)
{
    opencl_backend.mem_free(world->rig.device, world->out);
    opencl_backend.mem_free(world->rig.device, world->count);
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

/* False: the driver itself runs it wrong, so there is nothing to compare with. (PoCL 3.1 runs the
 * first item of groups that are 1 wide twice in some kernels with barriers.) */
static bool run_whole(struct world *world)
{
    fgpu_code code = 0;
    fgpu_cmd_slice slice = world_slice(world, 0);

    assert_int_equal(build(&world->rig, world->made.text, FGPU_FORM_WHOLE, &code), FGPU_OK);
    slice.launch.code = code;
    slice.launch.part = FGPU_LAUNCH_WHOLE;
    world_clear(world);
    rig_run(&world->rig, FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &slice.launch);
    assert_int_equal(slice.launch.result.status, FGPU_OK);
    rig_read(&world->rig, world->out, 0, world->want, world->made.item_count * 4);
    rig_read(&world->rig, world->count, 0, world->counted, world->made.item_count * 4);
    opencl_backend.code_free(world->rig.device, code);
    for (uint64_t g = 0; g < world->made.group_count; g++)
        if (world->counted[g] != 1)
            return false;
    return true;
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
    assert_int_equal(opencl_backend.code_warm(world->rig.device, &slice.launch), FGPU_OK);
    for (uint64_t odd = 1; odd < 2; odd--)
        for (uint64_t first = odd * step; first < world->made.group_count; first += 2 * step) {
            uint64_t left = world->made.group_count - first;
            slice.first = first;
            slice.count = left < step ? left : step;
            rig_run(&world->rig, FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &slice);
            assert_int_equal(slice.launch.result.status, FGPU_OK);
        }
    world_compare(world, "in slices");
    opencl_backend.code_free(world->rig.device, code);
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
    const fgpu_backend *backend = &opencl_backend;
    fgpu_cmd cmd = {FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, slice};
    uint64_t left = 0;

    slice->first = rng_below(&world->rng, world->made.group_count);
    slice->count = 1 + rng_below(&world->rng, world->made.group_count - slice->first);
    if (rng_below(&world->rng, 8) == 0)
        backend->guard_stop(world->rig.device, slice->guard, 1);
    assert_int_equal(rig_submit(&world->rig, &cmd, 1), FGPU_OK);
    nap(rng_below(&world->rng, 200000));
    backend->guard_stop(world->rig.device, slice->guard, 1);
    assert_int_equal(rig_wait(&world->rig, world->rig.last), FGPU_OK);
    backend->guard_stop(world->rig.device, slice->guard, 0);
    assert_int_equal(slice->launch.result.status, FGPU_OK);
    rig_read(&world->rig, world->count, 0, world->counted, world->made.item_count * 4);
    for (uint64_t g = slice->first; g < slice->first + slice->count; g++)
        left += world->counted[g] == 0;
    assert_int_equal(slice->left, left);
    assert_int_equal(
        backend->guard_left(world->rig.device, slice->guard, slice->first, slice->count), left);
}

/* Drivers whose mapped memory is a copy: no guard is promised there. */
static bool sees_stores(struct rig *rig)
{
    uint32_t live = 0;
    fgpu_guard guard = 0;

    assert_int_equal(opencl_backend.live_flag(rig->device, &live), FGPU_OK);
    assert_int_equal(live, target_is_fake() ? 0 : 1);
    if (live == 0) {
        assert_int_equal(opencl_backend.guard_open(rig->device, 8, &guard), FGPU_E_UNSUPPORTED);
        assert_non_null(strstr(error_text(), "does not see what the host stores"));
    }
    return live != 0;
}

static void run_guarded(struct world *world)
{
    const fgpu_backend *backend = &opencl_backend;
    fgpu_code code = 0;
    fgpu_guard guard = 0;

    assert_int_equal(build(&world->rig, world->made.text, FGPU_FORM_GUARDED, &code), FGPU_OK);
    if (world->made.local[0] == 1 && world->made.local[1] * world->made.local[2] > 1) {
        fgpu_cmd_slice narrow = world_slice(world, code);
        assert_int_equal(backend->code_warm(world->rig.device, &narrow.launch), FGPU_E_INVAL);
        backend->code_free(world->rig.device, code);
        return;
    }
    for (uint32_t round = 0; round < 3; round++) {
        fgpu_cmd_slice slice = world_slice(world, code);
        world_clear(world);
        assert_int_equal(backend->guard_open(world->rig.device, world->made.group_count, &guard),
                         FGPU_OK);
        assert_int_equal(backend->code_warm(world->rig.device, &slice.launch), FGPU_OK);
        slice.guard = guard;
        for (uint32_t stop = 0; stop < STOPS; stop++)
            run_stopped(world, &slice);
        slice.first = 0;
        slice.count = world->made.group_count;
        rig_run(&world->rig, FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &slice);
        assert_int_equal(slice.launch.result.status, FGPU_OK);
        assert_int_equal(slice.left, 0);
        world_compare(world, "under a guard");
        backend->guard_close(world->rig.device, guard);
    }
    backend->code_free(world->rig.device, code);
}

static void test_random(void **state)
{
    uint64_t first = seed_get(1);
    uint64_t count = seed_count(CASES);
    uint64_t judged = 0;

    (void)state;
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct world world;
        seed_print("test_opencl_guard", seed);
        world_open(&world, seed);
        bool good = run_whole(&world);
        judged += good;
        if (good)
            run_sliced(&world);
        if (good && sees_stores(&world.rig))
            run_guarded(&world);
        world_close(&world);
    }
    assert_true(judged > 0 && judged >= count * 3 / 4);
}

/* ---- one long launch -------------------------------------------------------------------- */

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

/* A launch of hours ends when it is told to, where the device sees stores as it runs. */
static void test_drain(void **state)
{
    struct rig rig;
    fgpu_code code = 0;
    fgpu_guard guard = 0;
    uint32_t seed = 1, rounds = 100000;
    const uint64_t groups = UINT64_C(1) << 24;

    (void)state;
    setup(&rig);
    if (!sees_stores(&rig)) {
        rig_close(&rig);
        return;
    }
    fgpu_mem mem = rig_alloc(&rig, 4096);
    fgpu_cmd_arg args[5] = {rig_buffer(mem, 0, 4096), rig_buffer(mem, 0, 4096),
                            rig_scalar(&seed, 4), rig_scalar(&rounds, 4), rig_local(64)};
    assert_int_equal(build(&rig, long_text, FGPU_FORM_GUARDED, &code), FGPU_OK);
    assert_int_equal(opencl_backend.guard_open(rig.device, groups, &guard), FGPU_OK);
    fgpu_cmd_slice slice = {
        .launch = rig_launch(code, args, 5, groups * 4, 4), .count = groups, .guard = guard};
    slice.launch.part = FGPU_LAUNCH_SLICE;
    fgpu_cmd cmd = {FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &slice};
    assert_int_equal(rig_submit(&rig, &cmd, 1), FGPU_OK);
    while (opencl_backend.guard_left(rig.device, guard, 0, 64) == 64)
        nap(100000); /* it has begun */
    opencl_backend.guard_stop(rig.device, guard, 1);
    assert_int_equal(rig_wait(&rig, rig.last), FGPU_OK);
    assert_int_equal(slice.launch.result.status, FGPU_OK);
    assert_in_range(slice.left, 1, groups - 1);
    opencl_backend.guard_close(rig.device, guard);
    opencl_backend.code_free(rig.device, code);
    opencl_backend.mem_free(rig.device, mem);
    rig_close(&rig);
}

/* ---- what is refused -------------------------------------------------------------------- */

static fgpu_status launch_status(struct rig *rig, fgpu_cmd_slice slice)
{
    slice.launch.part = FGPU_LAUNCH_SLICE;
    rig_run(rig, FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &slice);
    return slice.launch.result.status;
}

/* Shapes that compiling ahead and launches do not take, and one that they do. */
static void refuse_shapes(struct rig *rig, fgpu_cmd_slice good)
{
    fgpu_cmd_slice bad = good; /* compiling ahead: no work-group size, no dimensions */
    bad.launch.local[0] = 0;
    assert_int_not_equal(opencl_backend.code_warm(rig->device, &bad.launch), FGPU_OK);
    bad.launch.dims = 0;
    assert_int_equal(opencl_backend.code_warm(rig->device, &bad.launch), FGPU_E_INVAL);
    bad = good; /* groups that the driver would run wrong */
    bad.launch.dims = 2;
    bad.launch.global[0] = 64;
    bad.launch.local[0] = 1;
    bad.launch.global[1] = bad.launch.local[1] = 3;
    assert_int_equal(opencl_backend.code_warm(rig->device, &bad.launch), FGPU_E_INVAL);
    assert_int_equal(launch_status(rig, bad), FGPU_E_INVAL);
    bad = good; /* a wide grid */
    bad.launch.global[0] = 1 << 20;
    assert_int_equal(opencl_backend.code_warm(rig->device, &bad.launch), FGPU_OK);
}

static void test_refused(void **state)
{
    struct rig rig;
    fgpu_code sliced = 0, guarded = 0, none = 0;
    fgpu_guard guard = 0;
    uint32_t seed = 1, rounds = 1;

    (void)state;
    setup(&rig);
    if (!sees_stores(&rig)) {
        rig_close(&rig);
        return;
    }
    fgpu_mem mem = rig_alloc(&rig, 4096);
    fgpu_cmd_arg args[5] = {rig_buffer(mem, 0, 4096), rig_buffer(mem, 0, 4096),
                            rig_scalar(&seed, 4), rig_scalar(&rounds, 4), rig_local(64)};
    assert_int_equal(build(&rig, long_text, FGPU_FORM_SLICED, &sliced), FGPU_OK);
    assert_int_equal(build(&rig, long_text, FGPU_FORM_GUARDED, &guarded), FGPU_OK);
    assert_int_equal(
        build(&rig, "kernel void k(global int *a) { atomic_inc(a); }", FGPU_FORM_GUARDED, &none),
        FGPU_E_UNSUPPORTED);
    assert_non_null(strstr(error_text(), "line 1: it uses atomics on global memory"));
    assert_int_equal(build(&rig, long_text, 7, &none), FGPU_E_UNSUPPORTED);
    assert_int_equal(opencl_backend.guard_open(rig.device, 64, &guard), FGPU_OK);
    fgpu_cmd_slice good = {.launch = rig_launch(guarded, args, 5, 256, 4), .count = 64};
    fgpu_cmd_slice bad = good;
    assert_int_not_equal(launch_status(&rig, bad), FGPU_OK); /* a guard is missing */
    bad.launch.code = sliced;
    assert_int_equal(launch_status(&rig, bad), FGPU_OK);
    bad.guard = guard;
    assert_int_not_equal(launch_status(&rig, bad), FGPU_OK); /* the code asks none */
    good.guard = guard;
    bad = good;
    bad.count = 65;
    assert_int_not_equal(launch_status(&rig, bad), FGPU_OK);
    bad.count = 0;
    assert_int_not_equal(launch_status(&rig, bad), FGPU_OK);
    bad = good;
    bad.first = 1;
    assert_int_not_equal(launch_status(&rig, bad), FGPU_OK);
    bad = good;
    bad.launch.local[0] = 3;
    assert_int_not_equal(launch_status(&rig, bad), FGPU_OK);
    bad.launch.local[0] = 8; /* 32 groups: another grid than the guard's */
    bad.count = 32;
    assert_int_not_equal(launch_status(&rig, bad), FGPU_OK);
    bad = good;
    bad.launch.part = FGPU_LAUNCH_WHOLE;
    rig_run(&rig, FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &bad.launch);
    assert_int_not_equal(bad.launch.result.status, FGPU_OK); /* this code runs slices only */
    refuse_shapes(&rig, good);
    assert_int_equal(opencl_backend.guard_left(rig.device, guard, 0, 64), 64);
    assert_int_equal(launch_status(&rig, good), FGPU_OK);
    assert_int_equal(opencl_backend.guard_left(rig.device, guard, 0, 64), 0);
    opencl_backend.guard_close(rig.device, guard);
    opencl_backend.code_free(rig.device, sliced);
    opencl_backend.code_free(rig.device, guarded);
    opencl_backend.mem_free(rig.device, mem);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_refused),
    };
    int ran = 0;
    int failed = 0;

    TARGETS_RUN(tests, ran, failed)
    return ran == 0 ? 77 : failed;
}
