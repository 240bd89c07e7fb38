/* Preemption through the pool on real devices: random OpenCL kernels, and a native one, of the
 * class batch, while urgent tasks arrive at random moments. Under a guard and in slices the results
 * must be, to the bit, those of a pool that runs them whole, and every work group has counted
 * itself once. FASTGPU_TEST_SEEDS: how many kernels.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <time.h>

#include <fastgpu/fastgpu.h>

#include "base/rng.h"
#include "lib/preempt_cases.h"
#include "lib/seed.h"

#define CASES 2u
#define URGENT 60u /* at most */
#define BATCHES 3u /* the first one alone, so that all is compiled when urgent work comes */
#define STEPS 12e6 /* of all items of a batch, together */

static const char urgent_text[] = "__kernel void urgent(__global uint *w)\n"
                                  "{ w[get_global_id(0)] += 1; }\n";

/* Long enough to be stopped for sure. */
static const char long_text[] =
    "__kernel void k(__global uint *out, __global uint *count, uint seed, uint rounds,\n"
    "                __local uint *s)\n"
    "{ barrier(CLK_LOCAL_MEM_FENCE);\n" /* PoCL makes loops fast behind one, as a guard has it */
    "  uint x = out[get_global_id(0)] + seed;\n"
    "  if (get_local_id(0) == 0) count[get_group_id(0)] += 1;\n"
    "  for (uint i = 0; i < rounds; i++) x = x * 1664525u + i;\n"
    "  out[get_global_id(0)] = x; }\n";

struct world {
    struct preempt_case made;
    struct rng rng;
    uint32_t seed, rounds, items; /* of a group */
    bool native;
    fgpu_pool pool;
    fgpu_kernel kernel, urgent;
    fgpu_buffer out, count, few;
    uint32_t *want, *have, *counted;
};

static uint64_t preemptions;
static const char *device = "opencl:0"; /* of the kernels in OpenCL C */
static double long_steps = 15;          /* of those, in STEPS */
static uint64_t work_groups = 400;      /* of those that are not random, at least */

static void need(fgpu_status status)
{
    if (status != FGPU_OK)
        fail_msg("%s", fgpu_last_error());
}

/* As the OpenCL kernels: out[i] by item, count[g] by group; some microseconds a group. */
static int native_work(const fgpu_range *range, void *const *args, void *user)
{
    uint32_t *out = args[0], *count = args[1];
    uint32_t rounds = *(const uint32_t *)args[2];
    (void)user;
    for (uint64_t g = range->group_begin; g < range->group_end; g++) {
        if (fgpu_should_yield())
            return fgpu_yield_at(g);
        count[g]++;
        for (uint64_t i = g * range->local[0]; i < (g + 1) * range->local[0]; i++)
            for (uint32_t r = 0; r < rounds; r++)
                out[i] = out[i] * 1664525u + (uint32_t)i;
    }
    return 0;
}

static int native_urgent(const fgpu_range *range, void *const *args, void *user)
{
    uint32_t *words = args[0];
    (void)user;
    for (uint64_t g = range->group_begin; g < range->group_end; g++)
        for (uint64_t i = g * range->local[0];
             i < (g + 1) * range->local[0] && i < range->global[0]; i++)
            words[i]++;
    return 0;
}

static fgpu_status open_world(struct world *world, const char *preempt)
{
    char text[160];
    (void)snprintf(text, sizeof text, "devices=%s;workers=1;validate=1;preempt=%s;cache=;log=error",
                   world->native ? "cpu" : device, preempt);
    fgpu_status status = fgpu_pool_open_text(text, &world->pool);
    uint32_t zero = 0;
    uint64_t bytes = world->made.item_count * 4;
    if (status == FGPU_E_NODEVICE)
        return status;
    need(status);
    if (world->native) {
        need(fgpu_kernel_create(world->pool, "work", &world->kernel));
        need(fgpu_kernel_add_native(world->kernel, native_work, NULL));
        need(fgpu_kernel_create(world->pool, "urgent", &world->urgent));
        need(fgpu_kernel_add_native(world->urgent, native_urgent, NULL));
        for (uint32_t i = 0; i < 2; i++)
            need(fgpu_kernel_set_arg(world->kernel, i, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0));
        need(fgpu_kernel_set_arg(world->kernel, 2, FGPU_ARG_SCALAR, 0, 4));
        need(fgpu_kernel_set_arg(world->urgent, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0));
    } else {
        need(fgpu_kernel_create_opencl(world->pool, world->made.text, "k", NULL, &world->kernel));
        need(fgpu_kernel_create_opencl(world->pool, urgent_text, "urgent", NULL, &world->urgent));
    }
    need(fgpu_buffer_create(world->pool, bytes, &world->out));
    need(fgpu_buffer_create(world->pool, bytes, &world->count));
    need(fgpu_buffer_create(world->pool, 256, &world->few));
    need(fgpu_buffer_fill(world->out, NULL, &zero, 4));
    need(fgpu_buffer_fill(world->count, NULL, &zero, 4));
    need(fgpu_buffer_fill(world->few, NULL, &zero, 4));
    return FGPU_OK;
}

static void submit_batch(struct world *world, const fgpu_terms *terms, fgpu_task *task)
{
    fgpu_arg args[5] = {fgpu_arg_buffer(world->out), fgpu_arg_buffer(world->count),
                        fgpu_arg_scalar(&world->seed, 4), fgpu_arg_scalar(&world->rounds, 4),
                        fgpu_arg_local(world->items * 4ull)};
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_KERNEL;
    desc.kernel = world->kernel;
    desc.dims = world->made.dims;
    if (world->native)
        args[2] = args[3];
    desc.args = args;
    desc.arg_count = world->native ? 3 : 5;
    for (uint32_t d = 0; d < 3; d++) {
        desc.global[d] = world->made.groups[d] * world->made.local[d];
        desc.local[d] = world->made.local[d];
    }
    desc.terms = terms;
    need(fgpu_task_submit(world->pool, &desc, task));
}

static void nap(uint64_t ns)
{
    struct timespec span = {.tv_nsec = (long)ns};
    (void)nanosleep(&span, NULL);
}

static bool is_over(fgpu_task task)
{
    fgpu_task_state state;
    need(fgpu_task_get_state(task, &state));
    return state == FGPU_TASK_DONE;
}

/* Urgent tasks at random moments, while the batch runs. Returns how many. */
static uint32_t disturb(struct world *world, fgpu_task batch)
{
    fgpu_terms terms;
    fgpu_terms_init(&terms);
    terms.task_class = FGPU_CLASS_INTERACTIVE;
    fgpu_arg arg = fgpu_arg_buffer(world->few);
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_KERNEL;
    desc.kernel = world->urgent;
    desc.dims = 1;
    desc.global[0] = 64;
    desc.args = &arg;
    desc.arg_count = 1;
    desc.terms = &terms;
    uint32_t count = 0;
    for (; count < URGENT && (count == 0 || !is_over(batch)); count++) {
        fgpu_task task;
        nap(rng_below(&world->rng, 3000000));
        need(fgpu_task_submit(world->pool, &desc, &task));
        if (count == 0 || rng_below(&world->rng, 2) == 0)
            need(fgpu_task_wait(task, UINT64_MAX));
    }
    return count;
}

/* Reads what the kernels made, and closes the pool. */
static void close_world(struct world *world, uint32_t urgent)
{
    uint32_t few[64];
    fgpu_pool_stats stats = {.struct_bytes = sizeof stats};
    need(fgpu_pool_wait(world->pool, UINT64_MAX));
    need(fgpu_buffer_read(world->out, NULL, world->have, 0));
    need(fgpu_buffer_read(world->count, NULL, world->counted, 0));
    need(fgpu_buffer_read(world->few, NULL, few, 0));
    for (uint32_t i = 0; i < 64; i++)
        assert_int_equal(few[i], urgent);
    need(fgpu_pool_get_stats(world->pool, &stats));
    preemptions += stats.preemptions;
    need(fgpu_pool_close(world->pool));
}

static bool counted_once(const struct world *world, uint32_t times)
{
    for (uint64_t g = 0; g < world->made.group_count; g++)
        if (world->counted[g] != times)
            return false;
    return true;
}

static void compare(struct world *world, const char *way)
{
    if (open_world(world, way) != FGPU_OK)
        fail_msg("%s", fgpu_last_error());
    fgpu_terms terms;
    fgpu_task task;
    uint32_t urgent = 0;
    fgpu_terms_init(&terms);
    terms.task_class = FGPU_CLASS_BATCH;
    for (uint32_t i = 0; i < BATCHES; i++) {
        submit_batch(world, &terms, &task);
        if (i > 0)
            continue;
        need(fgpu_task_wait(task, UINT64_MAX));
        urgent = disturb(world, task);
    }
    urgent += disturb(world, task);
    close_world(world, urgent);
    if (!counted_once(world, BATCHES))
        fail_msg("seed %u, %s: a group ran twice, or not\n%s", world->seed, way, world->made.text);
    if (memcmp(world->have, world->want, world->made.item_count * 4) != 0)
        fail_msg("seed %u, %s: other results\n%s", world->seed, way, world->made.text);
}

/* [in] plain: not a random kernel. */
static void make_world(struct world *world, uint64_t seed, bool native, bool plain)
{
    memset(world, 0, sizeof *world);
    rng_init(&world->rng, seed);
    preempt_case_make(&world->made, &world->rng);
    world->native = native;
    if (plain)
        (void)snprintf(world->made.text, sizeof world->made.text, "%s", long_text);
    if (native || plain) {
        world->made.dims = 1;
        world->made.local[0] = 16;
        world->made.groups[0] = world->made.group_count =
            work_groups + rng_below(&world->rng, 5 * work_groups);
        world->made.item_count = 16 * world->made.group_count;
        world->made.local[1] = world->made.local[2] = 1;
        world->made.groups[1] = world->made.groups[2] = 1;
    }
    world->seed = (uint32_t)seed;
    world->rounds =
        1u + (uint32_t)((plain ? long_steps : 1) * STEPS / (double)world->made.item_count);
    world->items = world->made.local[0] * world->made.local[1] * world->made.local[2];
    world->want = calloc(world->made.item_count, 4);
    world->have = calloc(world->made.item_count, 4);
    world->counted = calloc(world->made.item_count, 4);
    assert_true(world->want != NULL && world->have != NULL && world->counted != NULL);
}

/* False: there is no such device here. */
static bool run_case(uint64_t seed, bool native, bool plain)
{
    static struct world world;
    fgpu_task task;
    make_world(&world, seed, native, plain);
    bool there = open_world(&world, "off") == FGPU_OK;
    if (there) {
        for (uint32_t i = 0; i < BATCHES; i++)
            submit_batch(&world, NULL, &task);
        close_world(&world, 0);
        memcpy(world.want, world.have, world.made.item_count * 4);
    }
    /* (PoCL 3.1 runs some kernels wrong in one piece already: decision 024.) */
    if (there && counted_once(&world, BATCHES)) {
        compare(&world, "slices");
        compare(&world, "guard");
    }
    free(world.want);
    free(world.have);
    free(world.counted);
    return there;
}

static void test_native(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(CASES);
    preemptions = 0;
    for (uint64_t seed = first; seed < first + count; seed++)
        (void)run_case(seed, true, false);
    print_message("%llu preemptions\n", (unsigned long long)preemptions);
    assert_true(preemptions > 0);
}

static void test_opencl(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(CASES);
    preemptions = 0;
    for (uint64_t seed = first; seed < first + count; seed++)
        if (!run_case(seed, false, seed == first)) {
            print_message("skipped: %s\n", fgpu_last_error());
            skip();
        }
    print_message("%llu preemptions\n", (unsigned long long)preemptions);
    assert_true(preemptions > 0);
}

/* The same kernels, translated, on the fake driver; with FASTGPU_TEST_CARD set on a card. */
static void test_cuda(void **state)
{
    static const char *const libraries[] = {"FASTGPU_CUDA_LIBRARY", "FASTGPU_NVRTC_LIBRARY",
                                            "FASTGPU_NVML_LIBRARY"};
    const char *fake = getenv("FAKECUDA_LIB");
    bool card = getenv("FASTGPU_TEST_CARD") != NULL;
    const char *sanitizers = getenv("FASTGPU_SANITIZE");
    uint64_t first = seed_get(1);

    (void)state;
    if (!card && (fake == NULL || (sanitizers != NULL && sanitizers[0] != '\0')))
        skip(); /* a thread for each item takes minutes there */
    for (int i = 0; i < 3 && !card; i++)
        (void)setenv(libraries[i], fake, 1);
    device = "cuda:0";
    long_steps = card ? 15 : 4;
    work_groups = card ? 20000 : 50; /* the fake has a thread for each item */
    preemptions = 0;
    assert_true(run_case(first, false, true));
    for (uint64_t seed = first; card && seed < first + seed_count(CASES); seed++)
        assert_true(run_case(seed, false, false));
    print_message("%llu preemptions\n", (unsigned long long)preemptions);
    assert_true(preemptions > 0);
    device = "opencl:0";
    long_steps = 15;
    work_groups = 400;
    for (int i = 0; i < 3 && !card; i++)
        (void)unsetenv(libraries[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cuda), cmocka_unit_test(test_native),
                                       cmocka_unit_test(test_opencl)};
    const struct CMUnitTest card[] = {cmocka_unit_test(test_cuda)};

    if (getenv("FASTGPU_TEST_CARD") != NULL)
        return cmocka_run_group_tests_name("card", card, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
