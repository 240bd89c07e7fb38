/* Several threads use one pool at once: they submit, wait, map, write, cancel, make and destroy
 * buffers and kernels, and read one buffer that all share, while other pools open and close.
 *
 * The oracle is the sum that each thread computes by itself. On the cpu device, on null (host
 * functions only), on simulated devices with memory of their own, on the tests' OpenCL driver, with
 * a task limit that blocks submitters. FASTGPU_TEST_SEED: the first seed.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/rng.h"
#include "lib/api_rig.h"
#include "lib/seed.h"

#define THREADS 4u
#define WORDS 256u
#define STEPS 40u

static const char threads_text[] =
    "__kernel void add(__global uint *p, uint a) { p[get_global_id(0)] += a; }\n"
    "__kernel void join(__global uint *p, __global const uint *s)\n"
    "{ size_t i = get_global_id(0); p[i] = p[i] * 3u + s[i]; }\n";

struct threads_case {
    const char *name, *options;
    bool executes, fake;
    uint32_t rounds;
};

static const struct threads_case threads_cases[] = {
    {"cpu", "devices=cpu;workers=2;cache=;log=off;validate", true, false, 12},
    {"cpu-limit", "devices=cpu;workers=2;cache=;log=off;tasks=24", true, false, 8},
    {"null", "devices=null;workers=2;cache=;log=off", false, false, 12},
    {"sim", "devices=sim:2;cache=;log=off;trace", true, false, 8},
    {"sim-memory", "devices=sim:2;cache=;log=off;device-memory=16KiB;policy=fifo", true, false, 8},
    {"fake", "devices=opencl;cache=;log=off", true, true, 3},
};

struct threads_world {
    const struct threads_case *c;
    fgpu_pool pool;
    fgpu_kernel add, join;
    fgpu_buffer shared;
    uint32_t shared_words[WORDS];
    uint64_t seed;
    _Atomic uint32_t ready, stop;
};

struct threads_one {
    struct threads_world *world;
    uint32_t number;
    pthread_t thread;
    struct rng rng;
    fgpu_buffer buffer, scratch;
    uint32_t words[WORDS];
    _Atomic uint32_t host_calls, callbacks;
    uint32_t expected_calls, expected_callbacks;
    char why[700];
};

#define CHECK(one, condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            snprintf((one)->why, sizeof(one)->why, "line %d: %s: %.300s", __LINE__, #condition,    \
                     fgpu_last_error());                                                           \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

static uint32_t threads_below(struct rng *rng, uint32_t n)
{
    return (uint32_t)rng_below(rng, n);
}

/* ---- what tasks do ----------------------------------------------------------------------- */

static int native_add(const fgpu_range *range, void *const *args, void *user)
{
    (void)user;
    uint32_t *p = args[0], a;
    memcpy(&a, args[1], sizeof a);
    uint64_t end = range->group_end * range->local[0];
    for (uint64_t i = range->group_begin * range->local[0]; i < end && i < range->global[0]; i++)
        p[i] += a;
    return 0;
}

static int native_join(const fgpu_range *range, void *const *args, void *user)
{
    (void)user;
    uint32_t *p = args[0];
    const uint32_t *s = args[1];
    uint64_t end = range->group_end * range->local[0];
    for (uint64_t i = range->group_begin * range->local[0]; i < end && i < range->global[0]; i++)
        p[i] = p[i] * 3 + s[i];
    return 0;
}

static int host_xor(void *const *args, void *user)
{
    uint32_t *p = args[0];
    for (uint32_t i = 0; i < WORDS; i++)
        p[i] ^= i;
    (void)atomic_add_seqcst_u32(user, 1);
    return 0;
}

static void count_callback(fgpu_task task, fgpu_status status, void *user)
{
    (void)task;
    (void)status;
    (void)atomic_add_seqcst_u32(user, 1);
}

static fgpu_status make_kernel(fgpu_pool pool, const char *entry, fgpu_native_fn fn,
                               fgpu_kernel *kernel)
{
    fgpu_status status = fgpu_kernel_create_opencl(pool, threads_text, entry, NULL, kernel);
    return status == FGPU_OK ? fgpu_kernel_add_native(*kernel, fn, NULL) : status;
}

/* ---- steps: each on the pool and on the thread's own words --------------------------------- */

static bool step_add(struct threads_one *one, fgpu_kernel kernel)
{
    uint32_t a = (uint32_t)rng_u64(&one->rng);
    fgpu_arg args[2] = {fgpu_arg_buffer(one->buffer), fgpu_arg_scalar(&a, sizeof a)};
    CHECK(one, fgpu_task_run(kernel, WORDS, args, 2, NULL) == FGPU_OK);
    for (uint32_t i = 0; i < WORDS && one->world->c->executes; i++)
        one->words[i] += a;
    return true;
}

static bool step_join(struct threads_one *one)
{
    fgpu_arg args[2] = {fgpu_arg_buffer(one->buffer), fgpu_arg_buffer(one->world->shared)};
    fgpu_task task;
    CHECK(one, fgpu_task_run(one->world->join, WORDS, args, 2, &task) == FGPU_OK);
    if (threads_below(&one->rng, 2) == 0)
        CHECK(one, fgpu_task_wait(task, FGPU_FOREVER) == FGPU_OK);
    for (uint32_t i = 0; i < WORDS && one->world->c->executes; i++)
        one->words[i] = one->words[i] * 3 + one->world->shared_words[i];
    return true;
}

static bool step_host(struct threads_one *one)
{
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = host_xor;
    desc.host_user = &one->host_calls;
    desc.priority = (int32_t)threads_below(&one->rng, 21) - 10;
    fgpu_arg arg = fgpu_arg_region(one->buffer, FGPU_READ_WRITE, fgpu_region_whole());
    desc.args = &arg;
    desc.arg_count = 1;
    desc.on_done = count_callback;
    desc.on_done_user = &one->callbacks;
    CHECK(one, fgpu_task_submit(one->world->pool, &desc, NULL) == FGPU_OK);
    one->expected_calls++;
    one->expected_callbacks++;
    for (uint32_t i = 0; i < WORDS; i++)
        one->words[i] ^= i;
    return true;
}

static bool step_map(struct threads_one *one)
{
    uint32_t from = threads_below(&one->rng, WORDS),
             count = 1 + threads_below(&one->rng, WORDS - from);
    uint32_t *ptr;
    CHECK(one, fgpu_buffer_map(one->buffer, from * 4, count * 4, FGPU_READ_WRITE, (void **)&ptr) ==
                   FGPU_OK);
    bool equal = memcmp(ptr, one->words + from, count * 4) == 0;
    for (uint32_t i = 0; i < count; i++)
        ptr[i] = one->words[from + i] = from + i + one->number;
    CHECK(one, fgpu_buffer_unmap(one->buffer, ptr) == FGPU_OK);
    CHECK(one, equal);
    return true;
}

/* Something that nobody needs, to be cancelled or not, in time or not. */
static bool step_cancel(struct threads_one *one)
{
    fgpu_task task;
    uint32_t a = 1;
    fgpu_arg args[2] = {fgpu_arg_buffer(one->scratch), fgpu_arg_scalar(&a, sizeof a)};
    CHECK(one, fgpu_task_run(one->world->add, WORDS, args, 2, &task) == FGPU_OK);
    fgpu_status status = fgpu_task_cancel(task);
    CHECK(one, status == FGPU_OK || status == FGPU_E_BUSY);
    fgpu_status end = fgpu_task_wait(task, FGPU_FOREVER);
    CHECK(one, end == FGPU_OK || end == FGPU_E_CANCELLED);
    CHECK(one, status != FGPU_OK || end == FGPU_E_CANCELLED);
    CHECK(one, fgpu_task_forget(task) == FGPU_OK);
    CHECK(one, fgpu_buffer_fill(one->scratch, NULL, &a, sizeof a) == FGPU_OK);
    return true;
}

/* Objects that go while tasks use them. */
static bool step_objects(struct threads_one *one)
{
    fgpu_pool pool = one->world->pool;
    fgpu_kernel kernel;
    fgpu_buffer copy;
    CHECK(one, make_kernel(pool, "add", native_add, &kernel) == FGPU_OK);
    CHECK(one, fgpu_buffer_create(pool, WORDS * 4, &copy) == FGPU_OK);
    CHECK(one, fgpu_buffer_copy_async(copy, NULL, one->buffer, NULL, NULL) == FGPU_OK);
    if (!step_add(one, kernel))
        return false;
    CHECK(one, fgpu_buffer_copy_async(one->scratch, NULL, copy, NULL, NULL) == FGPU_OK);
    CHECK(one, fgpu_buffer_destroy(copy) == FGPU_OK);
    CHECK(one, fgpu_kernel_destroy(kernel) == FGPU_OK);
    CHECK(one, fgpu_buffer_destroy(copy) == FGPU_E_STALE);
    return true;
}

static bool step_questions(struct threads_one *one)
{
    fgpu_pool_stats stats = {.struct_bytes = sizeof stats};
    CHECK(one, fgpu_pool_get_stats(one->world->pool, &stats) == FGPU_OK);
    CHECK(one, stats.tasks_submitted >= stats.tasks_done + stats.tasks_cancelled);
    CHECK(one, stats.tasks_failed == 0);
    fgpu_status status = fgpu_pool_wait(one->world->pool, threads_below(&one->rng, 200000));
    CHECK(one, status == FGPU_OK || status == FGPU_E_TIMEOUT);
    return true;
}

static bool threads_step(struct threads_one *one)
{
    switch (threads_below(&one->rng, 12)) {
    case 0:
    case 1:
        return step_join(one);
    case 2:
    case 3:
        return step_host(one);
    case 4:
        return step_map(one);
    case 5:
        return step_cancel(one);
    case 6:
        return step_objects(one);
    case 7:
        return step_questions(one);
    default:
        return step_add(one, one->world->add);
    }
}

static bool threads_round(struct threads_one *one)
{
    fgpu_pool pool = one->world->pool;
    uint32_t words[WORDS];
    for (uint32_t i = 0; i < WORDS; i++)
        one->words[i] = i * one->number;
    CHECK(one, fgpu_buffer_create(pool, sizeof words, &one->buffer) == FGPU_OK);
    CHECK(one, fgpu_buffer_create(pool, sizeof words, &one->scratch) == FGPU_OK);
    CHECK(one, fgpu_buffer_write(one->buffer, NULL, one->words, 0) == FGPU_OK);
    CHECK(one, fgpu_buffer_write(one->scratch, NULL, one->words, 0) == FGPU_OK);
    for (uint32_t i = 0; i < STEPS; i++) {
        if (!threads_step(one))
            return false;
    }
    CHECK(one, fgpu_buffer_read(one->buffer, NULL, words, 0) == FGPU_OK);
    CHECK(one, memcmp(words, one->words, sizeof words) == 0);
    CHECK(one, fgpu_buffer_destroy(one->buffer) == FGPU_OK);
    CHECK(one, fgpu_buffer_destroy(one->scratch) == FGPU_OK);
    return true;
}

static void *threads_run(void *arg)
{
    struct threads_one *one = arg;
    (void)atomic_add_seqcst_u32(&one->world->ready, 1);
    while (atomic_load_acquire_u32(&one->world->ready) < THREADS)
        sched_yield();
    for (uint32_t i = 0; i < one->world->c->rounds; i++) {
        if (!threads_round(one))
            break;
    }
    return NULL;
}

/* Pools come and go meanwhile. */
static void *threads_pools(void *arg)
{
    struct threads_world *world = arg;
    static char why[700];
    while (!atomic_load_acquire_u32(&world->stop)) {
        fgpu_pool pool;
        _Atomic uint32_t calls = 0;
        fgpu_task_desc desc;
        fgpu_task_desc_init(&desc);
        desc.kind = FGPU_TASK_HOST;
        desc.host_fn = rig_count;
        desc.host_user = &calls;
        bool good = fgpu_pool_open_text("devices=cpu;workers=1;cache=;log=off", &pool) == FGPU_OK;
        for (uint32_t i = 0; i < 5 && good; i++)
            good = fgpu_task_submit(pool, &desc, NULL) == FGPU_OK;
        good = good && fgpu_pool_close(pool) == FGPU_OK && atomic_load_acquire_u32(&calls) == 5;
        if (!good) {
            snprintf(why, sizeof why, "%u calls, %s", atomic_load_acquire_u32(&calls),
                     fgpu_last_error());
            return why;
        }
    }
    return NULL;
}

/* ---- one set of devices -------------------------------------------------------------------- */

static void threads_check(struct threads_one *ones, struct threads_world *world)
{
    for (uint32_t i = 0; i < THREADS; i++) {
        struct threads_one *one = &ones[i];
        if (one->why[0] != '\0') {
            seed_print("test_pool_threads", world->seed);
            fail_msg("%s, thread %u: %s", world->c->name, i, one->why);
        }
        assert_int_equal(atomic_load_acquire_u32(&one->host_calls), one->expected_calls);
        assert_int_equal(atomic_load_acquire_u32(&one->callbacks), one->expected_callbacks);
    }
}

static void threads_case_run(const struct threads_case *c, uint64_t seed)
{
    static struct threads_world world;
    static struct threads_one ones[THREADS];
    memset(&world, 0, sizeof world);
    memset(ones, 0, sizeof ones);
    world.c = c;
    world.seed = seed;
    if (fgpu_pool_open_text(c->options, &world.pool) != FGPU_OK) {
        print_message("%s: skipped: %s\n", c->name, fgpu_last_error());
        return;
    }
    rig_need(make_kernel(world.pool, "add", native_add, &world.add));
    rig_need(make_kernel(world.pool, "join", native_join, &world.join));
    for (uint32_t i = 0; i < WORDS; i++)
        world.shared_words[i] = i * 2654435761u;
    rig_need(fgpu_buffer_create_from(world.pool, world.shared_words, sizeof world.shared_words,
                                     &world.shared));
    pthread_t pools;
    void *why = NULL;
    assert_int_equal(pthread_create(&pools, NULL, threads_pools, &world), 0);
    for (uint32_t i = 0; i < THREADS; i++) {
        ones[i].world = &world;
        ones[i].number = i + 1;
        rng_init(&ones[i].rng, seed * THREADS + i);
        assert_int_equal(pthread_create(&ones[i].thread, NULL, threads_run, &ones[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(ones[i].thread, NULL), 0);
    atomic_store_release_u32(&world.stop, 1);
    assert_int_equal(pthread_join(pools, &why), 0);
    if (why != NULL)
        fail_msg("%s, other pools: %s", c->name, (const char *)why);
    fgpu_status status = fgpu_pool_wait(world.pool, FGPU_FOREVER);
    threads_check(ones, &world);
    rig_need(status);
    rig_need(fgpu_pool_close(world.pool));
}

static const char *threads_only = "";

static void test_threads(void **state)
{
    (void)state;
    uint64_t seed = seed_get(1), count = seed_count(1);
    const char *fake = getenv("FAKEICD_LIB");
    for (size_t i = 0; i < sizeof threads_cases / sizeof threads_cases[0]; i++) {
        const struct threads_case *c = &threads_cases[i];
        if (strstr(c->name, threads_only) == NULL || (c->fake && fake == NULL))
            continue;
        if (c->fake)
            setenv("FASTGPU_OPENCL_LIBRARY", fake, 1);
        for (uint64_t n = 0; n < count; n++)
            threads_case_run(c, seed + n);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        threads_only = argv[1];
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
