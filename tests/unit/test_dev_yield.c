/* Native functions that give way: what fgpu_should_yield() and fgpu_yield_at() promise, and guards
 * on the cpu device, with stops at random moments: every group runs exactly once.
 */
#include "lib/device_rig.h"

#include <string.h>
#include "base/atomic.h"
#include "base/clock.h"
#include "dev/cpu/cpu.h"
#include "dev/host/yield.h"
#include "lib/device_kernels.h"
#include "lib/seed.h"

#define GROUPS 2000u

/* What a function does; the counts are the test's. */
struct work {
    _Atomic uint32_t runs[GROUPS];
    _Atomic uint32_t calls;
    _Atomic uint32_t seen; /* polls that said yes */
    _Atomic uint64_t sum;  /* of a function with one long group */
    uint64_t group_ns;
    bool polls;           /* else it takes its range to the end */
    uint32_t yields_each; /* gives way after so many groups without being told; 0: never */
};

static void spend(uint64_t ns)
{
    uint64_t begin_ns = clock_now_ns();

    while (clock_now_ns() - begin_ns < ns)
        atomic_pause();
}

static int run_groups(const fgpu_range *range, void *const *args, void *user)
{
    struct work *work = user;

    (void)args;
    (void)atomic_add_relaxed_u32(&work->calls, 1);
    for (uint64_t g = range->group_begin; g < range->group_end; g++) {
        if (work->polls && fgpu_should_yield()) {
            (void)atomic_add_relaxed_u32(&work->seen, 1);
            return fgpu_yield_at(g);
        }
        if (work->yields_each != 0 && g - range->group_begin == work->yields_each)
            return fgpu_yield_at(g);
        spend(work->group_ns);
        (void)atomic_add_relaxed_u32(&work->runs[g], 1);
    }
    return 0;
}

static const struct rig_target cpu = {
    .name = "cpu", .backend = &cpu_backend, .options = {.cpu_workers = 2}, .validate = true};

static fgpu_code build(struct rig *rig, fgpu_native_fn fn, void *user)
{
    fgpu_code_source source = {
        .kind = FGPU_VARIANT_NATIVE, .options = "", .native = fn, .native_user = user};
    fgpu_code_built built;

    assert_int_equal(device_code_build(&rig->device, &source, &built), FGPU_OK);
    return built.code;
}

static void expect_once(struct work *work, uint64_t groups)
{
    for (uint64_t g = 0; g < groups; g++)
        if (atomic_load_relaxed_u32(&work->runs[g]) != 1)
            fail_msg("group %llu ran %u times", (unsigned long long)g,
                     atomic_load_relaxed_u32(&work->runs[g]));
}

/* Without a guard nobody is told to yield; who does it all the same goes on at once. */
static void test_plain(void **state)
{
    static struct work work;
    struct rig rig;

    (void)state;
    assert_false(fgpu_should_yield());
    work = (struct work){.polls = true, .yields_each = 3};
    rig_open(&rig, &cpu);
    fgpu_cmd_launch launch = kernel_launch(build(&rig, run_groups, &work), NULL, 0, 100, 1);
    assert_int_equal(rig_run(&rig, 0, FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &launch), FGPU_OK);
    expect_once(&work, 100);
    assert_true(atomic_load_relaxed_u32(&work.calls) >= 30);
    assert_int_equal(atomic_load_relaxed_u32(&work.seen), 0);
    device_code_free(&rig.device, launch.code);
    rig_close(&rig);
}

static int run_wild(const fgpu_range *range, void *const *args, void *user)
{
    struct work *work = user;

    (void)args;
    if (atomic_add_relaxed_u32(&work->calls, 1) == 0)
        return fgpu_yield_at(0); /* before the range: from its begin again */
    for (uint64_t g = range->group_begin; g < range->group_end; g++)
        (void)atomic_add_relaxed_u32(&work->runs[g], 1);
    return fgpu_yield_at(range->group_end + 5); /* behind it: all is done */
}

static void test_wild(void **state)
{
    static struct work work;
    const fgpu_range range = {.dims = 1, .group_begin = 4, .group_end = 9};

    (void)state;
    work = (struct work){0};
    assert_int_equal(yield_run(run_wild, &work, &range, NULL), FGPU_OK);
    for (uint64_t g = 0; g < 12; g++)
        assert_int_equal(atomic_load_relaxed_u32(&work.runs[g]), g >= 4 && g < 9);
}

/* ---- guards ----------------------------------------------------------------------------- */

static fgpu_cmd_slice slice_of(fgpu_code code, fgpu_guard guard)
{
    fgpu_cmd_slice slice = {
        .launch = kernel_launch(code, NULL, 0, GROUPS, 1), .count = GROUPS, .guard = guard};

    slice.launch.part = FGPU_LAUNCH_SLICE;
    return slice;
}

/* One launch, told to stop after a while; what is left is what has not run. */
static void run_stopped(struct rig *rig, struct work *work, fgpu_cmd_slice *slice, struct rng *rng)
{
    fgpu_cmd cmd = {FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, slice};
    uint64_t left = 0;

    slice->first = rng_below(rng, GROUPS);
    slice->count = 1 + rng_below(rng, GROUPS - slice->first);
    uint64_t number = rig_submit(rig, 0, &cmd, 1);
    spend(rng_below(rng, 1000000));
    device_guard_stop(&rig->device, slice->guard, true);
    rig_wait(rig, 0, number);
    device_guard_stop(&rig->device, slice->guard, false);
    assert_int_equal(slice->launch.result.status, FGPU_OK);
    for (uint64_t g = slice->first; g < slice->first + slice->count; g++)
        left += atomic_load_relaxed_u32(&work->runs[g]) == 0;
    assert_int_equal(slice->left, left);
    assert_int_equal(device_guard_left(&rig->device, slice->guard, slice->first, slice->count),
                     left);
}

static void run_guarded(struct rng *rng, bool polls)
{
    static struct work work;
    struct rig rig;
    fgpu_guard guard = 0;

    memset(&work, 0, sizeof work);
    work.group_ns = 1000 + rng_below(rng, 5000);
    work.polls = polls;
    work.yields_each = rng_below(rng, 3) == 0 ? 1 + (uint32_t)rng_below(rng, 50) : 0;
    rig_open(&rig, &cpu);
    assert_int_equal(device_guard_open(&rig.device, GROUPS, &guard), FGPU_OK);
    fgpu_cmd_slice slice = slice_of(build(&rig, run_groups, &work), guard);
    slice.launch.width = 1 + (uint32_t)rng_below(rng, 2);
    assert_int_equal(device_code_warm(&rig.device, &slice.launch), FGPU_OK);
    for (uint32_t i = 0; i < 5; i++)
        run_stopped(&rig, &work, &slice, rng);
    slice.first = 0;
    slice.count = GROUPS;
    assert_int_equal(rig_run(&rig, 0, FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &slice), FGPU_OK);
    assert_int_equal(slice.left, 0);
    expect_once(&work, GROUPS);
    assert_false(fgpu_should_yield());
    device_code_free(&rig.device, slice.launch.code);
    device_guard_close(&rig.device, guard);
    rig_close(&rig);
}

static void test_guarded(void **state)
{
    uint64_t first = seed_get(1);
    uint64_t count = seed_count(10);

    (void)state;
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct rng rng;
        seed_print("test_dev_yield", seed);
        rng_init(&rng, seed);
        run_guarded(&rng, seed % 2 == 0);
    }
}

/* One group that takes long, finds in its data how far it was, and gives way when told. */
static int run_long(const fgpu_range *range, void *const *args, void *user)
{
    struct work *work = user;

    (void)args;
    (void)atomic_add_relaxed_u32(&work->calls, 1);
    while (atomic_load_relaxed_u64(&work->sum) < 100) {
        (void)atomic_add_relaxed_u64(&work->sum, 1);
        if (fgpu_should_yield())
            return fgpu_yield_at(range->group_begin);
        spend(work->group_ns);
    }
    return 0;
}

static void test_long(void **state)
{
    static struct work work;
    struct rig rig;
    fgpu_guard guard = 0;

    (void)state;
    work = (struct work){.group_ns = 100000};
    rig_open(&rig, &cpu);
    assert_int_equal(device_guard_open(&rig.device, 1, &guard), FGPU_OK);
    fgpu_cmd_slice slice = slice_of(build(&rig, run_long, &work), guard);
    slice.launch.global[0] = slice.count = 1;
    fgpu_cmd cmd = {FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &slice};
    uint64_t number = rig_submit(&rig, 0, &cmd, 1);
    while (atomic_load_relaxed_u64(&work.sum) == 0)
        atomic_pause();
    device_guard_stop(&rig.device, guard, true);
    rig_wait(&rig, 0, number);
    assert_int_equal(slice.left, 1);
    assert_in_range(atomic_load_relaxed_u64(&work.sum), 1, 99);
    device_guard_stop(&rig.device, guard, false);
    assert_int_equal(rig_run(&rig, 0, FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &slice), FGPU_OK);
    assert_int_equal(slice.left, 0);
    assert_int_equal(atomic_load_relaxed_u64(&work.sum), 100);
    assert_int_equal(atomic_load_relaxed_u32(&work.calls), 2);
    device_code_free(&rig.device, slice.launch.code);
    device_guard_close(&rig.device, guard);
    rig_close(&rig);
}

/* Past the checks of the validate layer. */
static const struct rig_target bare = {
    .name = "cpu", .backend = &cpu_backend, .options = {.cpu_workers = 2}};

static int run_failing(const fgpu_range *range, void *const *args, void *user)
{
    (void)args;
    (void)user;
    return range->group_begin >= 50;
}

static void test_failing(void **state)
{
    struct rig rig;
    fgpu_guard guard = 0;
    bool live = false;

    (void)state;
    rig_open(&rig, &bare);
    assert_int_equal(device_live_flag(&rig.device, &live), FGPU_OK);
    assert_true(live);
    assert_int_equal(device_guard_open(&rig.device, GROUPS, &guard), FGPU_OK);
    fgpu_cmd_slice slice = slice_of(build(&rig, run_failing, NULL), guard);
    assert_int_equal(rig_run(&rig, 0, FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &slice), FGPU_E_TASK);
    assert_in_range(slice.left, 1, GROUPS - 1);
    slice.guard = 0; /* a slice without one: all of it */
    slice.first = 10;
    slice.count = 20;
    assert_int_equal(rig_run(&rig, 0, FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &slice), FGPU_OK);
    slice.first = 60;
    assert_int_equal(rig_run(&rig, 0, FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &slice), FGPU_E_TASK);
    slice.first = GROUPS - 1;
    slice.count = 2;
    assert_int_equal(rig_run_raw(&rig, 0, FGPU_CMD_LAUNCH, &slice), FGPU_E_INVAL);
    device_code_free(&rig.device, slice.launch.code);
    device_guard_close(&rig.device, guard);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),   cmocka_unit_test(test_wild),
        cmocka_unit_test(test_guarded), cmocka_unit_test(test_long),
        cmocka_unit_test(test_failing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
