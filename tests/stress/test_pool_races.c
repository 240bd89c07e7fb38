/* Threads that do not agree: one destroys what another one uses, several close one pool, one closes
 * it while others are in the middle of calls, one forks while others open and close pools.
 *
 * Which of them comes first is not known, so what is checked is that each call gives one of the
 * answers that the headers allow, that nobody hangs (an alarm ends the test), and that the
 * sanitizers find nothing. FASTGPU_TEST_SEED: the first seed.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/rng.h"
#include "lib/api_rig.h"
#include "lib/seed.h"

#define THREADS 4u
#define PLACES 4u
#define STEPS 400u
#define CLOSES 60u
#define FORKS 40u
#define ALARM_S 250u

static const char text[] = "__kernel void one(__global uint *p) { p[get_global_id(0)] = 1u; }\n";

struct races {
    fgpu_pool pool;
    _Atomic uint64_t buffers[PLACES], kernels[PLACES]; /* handles; some are destroyed already */
    _Atomic uint32_t go, wrong, closed_well, stop;
};

struct races_one {
    struct races *races;
    pthread_t thread;
    uint64_t seed;
};

static int kernel_one(const fgpu_range *range, void *const *args, void *user)
{
    (void)user;
    uint32_t *p = args[0];
    uint64_t end = range->group_end * range->local[0];
    for (uint64_t i = range->group_begin * range->local[0]; i < end && i < range->global[0]; i++)
        p[i] = 1;
    return 0;
}

static int host_nothing(void *const *args, void *user)
{
    (void)args;
    (void)user;
    return 0;
}

/* `status` is one of those that a race may give. */
static void allow(struct races *races, const char *what, fgpu_status status)
{
    if (status == FGPU_OK || status == FGPU_E_STALE || status == FGPU_E_POISONED ||
        status == FGPU_E_BUSY || status == FGPU_E_CLOSED || status == FGPU_E_NOTFOUND)
        return;
    if (atomic_add_seqcst_u32(&races->wrong, 1) == 0)
        fprintf(stderr, "%s: %s: %s\n", what, fgpu_status_name(status), fgpu_last_error());
}

static void new_buffer(struct races *races, uint32_t place)
{
    fgpu_buffer buffer = {0};
    allow(races, "create", fgpu_buffer_create(races->pool, 256, &buffer));
    atomic_store_release_u64(&races->buffers[place], buffer.bits);
}

static void new_kernel(struct races *races, uint32_t place)
{
    fgpu_kernel kernel = {0};
    allow(races, "kernel", fgpu_kernel_create(races->pool, "one", &kernel));
    if (kernel.bits != 0) {
        allow(races, "add", fgpu_kernel_add_opencl(kernel, text, "one", NULL));
        allow(races, "native", fgpu_kernel_add_native(kernel, kernel_one, NULL));
    }
    atomic_store_release_u64(&races->kernels[place], kernel.bits);
}

static void step_run(struct races *races, fgpu_buffer buffer, fgpu_kernel kernel)
{
    fgpu_arg arg = fgpu_arg_buffer(buffer);
    fgpu_task task = {0};
    fgpu_status status = fgpu_task_run(kernel, 64, &arg, 1, &task);
    /* A kernel whose variants are still being added. */
    if (status == FGPU_E_NOVARIANT || status == FGPU_E_INVAL || status == FGPU_E_HANDLE)
        return;
    allow(races, "run", status);
    if (status == FGPU_OK) {
        allow(races, "wait", fgpu_task_wait(task, FGPU_FOREVER));
        allow(races, "forget", fgpu_task_forget(task));
    }
}

static void step_map(struct races *races, fgpu_buffer buffer)
{
    void *ptr;
    fgpu_status status = fgpu_buffer_map(buffer, 0, 64, FGPU_READ_WRITE, &ptr);
    allow(races, "map", status);
    if (status != FGPU_OK)
        return;
    memset(ptr, 1, 64);
    status = fgpu_buffer_unmap(buffer, ptr); /* also when it was destroyed meanwhile */
    if (status != FGPU_OK && status != FGPU_E_CLOSED && status != FGPU_E_STALE)
        allow(races, "unmap", FGPU_E_INVAL);
    if (status == FGPU_E_STALE && !atomic_load_acquire_u32(&races->stop))
        allow(races, "unmap of a destroyed buffer", FGPU_E_INVAL);
}

static void step_host(struct races *races, fgpu_buffer buffer)
{
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = host_nothing;
    fgpu_arg arg = fgpu_arg_region(buffer, FGPU_READ, fgpu_region_whole());
    desc.args = &arg;
    desc.arg_count = 1;
    allow(races, "host", fgpu_task_submit(races->pool, &desc, NULL));
}

static void step(struct races *races, struct rng *rng)
{
    uint32_t word = 7, words[64] = {0}, place = (uint32_t)rng_below(rng, PLACES);
    fgpu_buffer buffer = {atomic_load_acquire_u64(&races->buffers[place])};
    fgpu_buffer other = {atomic_load_acquire_u64(&races->buffers[(place + 1) % PLACES])};
    fgpu_kernel kernel = {atomic_load_acquire_u64(&races->kernels[place])};
    if (buffer.bits == 0 || other.bits == 0 || kernel.bits == 0)
        return;
    switch (rng_below(rng, 12)) {
    case 0:
        allow(races, "destroy", fgpu_buffer_destroy(buffer));
        new_buffer(races, place);
        break;
    case 1:
        allow(races, "destroy kernel", fgpu_kernel_destroy(kernel));
        new_kernel(races, place);
        break;
    case 2:
        step_map(races, buffer);
        break;
    case 3:
        allow(races, "write", fgpu_buffer_write(buffer, NULL, words, 0));
        break;
    case 4:
        allow(races, "read", fgpu_buffer_read(buffer, NULL, words, 0));
        break;
    case 5:
        allow(races, "fill", fgpu_buffer_fill(buffer, NULL, &word, 4));
        break;
    case 6:
        allow(races, "copy", fgpu_buffer_copy_async(buffer, NULL, other, NULL, NULL));
        break;
    case 7:
        step_host(races, buffer);
        break;
    case 8:
        (void)fgpu_kernel_build(kernel); /* FGPU_E_NOVARIANT while it gets its first */
        allow(races, "log", fgpu_kernel_build_log(kernel, (fgpu_device){0}, NULL, 0, NULL));
        break;
    default:
        step_run(races, buffer, kernel);
        break;
    }
}

static void *one_main(void *arg)
{
    struct races_one *one = arg;
    struct races *races = one->races;
    struct rng rng;
    rng_init(&rng, one->seed);
    while (!atomic_load_acquire_u32(&races->go))
        sched_yield();
    for (uint32_t i = 0; i < STEPS && !atomic_load_acquire_u32(&races->stop); i++)
        step(races, &rng);
    return NULL;
}

static void start(struct races *races, struct races_one *ones, const char *options, uint64_t seed)
{
    memset(races, 0, sizeof *races);
    rig_need(fgpu_pool_open_text(options, &races->pool));
    for (uint32_t i = 0; i < PLACES; i++) {
        new_buffer(races, i);
        new_kernel(races, i);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        ones[i] = (struct races_one){races, .seed = seed * THREADS + i};
        assert_int_equal(pthread_create(&ones[i].thread, NULL, one_main, &ones[i]), 0);
    }
}

static void join(struct races_one *ones, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(pthread_join(ones[i].thread, NULL), 0);
}

static const char *const pools[] = {"devices=cpu;workers=2;cache=;log=off",
                                    "devices=sim:2;cache=;log=off;device-memory=16KiB"};

static void test_destroyed_in_use(void **state)
{
    (void)state;
    uint64_t seed = seed_get(1);
    for (uint32_t p = 0; p < 2; p++) {
        static struct races races;
        struct races_one ones[THREADS];
        start(&races, ones, pools[p], seed + p);
        atomic_store_release_u32(&races.go, 1);
        join(ones, THREADS);
        assert_int_equal(atomic_load_acquire_u32(&races.wrong), 0);
        (void)fgpu_pool_wait(races.pool, FGPU_FOREVER);
        (void)fgpu_pool_close(races.pool);
    }
}

/* ---- closing ----------------------------------------------------------------------------- */

static void *close_main(void *arg)
{
    struct races *races = arg;
    while (!atomic_load_acquire_u32(&races->go))
        sched_yield();
    fgpu_status status = fgpu_pool_close(races->pool);
    if (status == FGPU_E_CLOSED || (status == FGPU_E_STALE && fgpu_last_error()[0] == 'f' &&
                                    strstr(fgpu_last_error(), "has been closed") != NULL))
        return NULL;
    /* The winner may tell of a task that failed and nobody asked about. */
    (void)atomic_add_seqcst_u32(&races->closed_well, 1);
    return NULL;
}

/* Two close a pool at once, with data of the caller's to bring home and a mapping to end, while
 * others are in the middle of calls. Exactly one of them does it. */
static void test_closed_in_use(void **state)
{
    (void)state;
    uint64_t seed = seed_get(1);
    for (uint32_t round = 0; round < CLOSES; round++) {
        static struct races races;
        struct races_one ones[THREADS];
        uint32_t own[64] = {0}, word = round + 1;
        fgpu_buffer mine, mapped;
        pthread_t closers[2];
        void *ptr;
        start(&races, ones, pools[round % 2], seed + round);
        rig_need(fgpu_buffer_create_from(races.pool, own, sizeof own, &mine));
        rig_need(fgpu_buffer_create(races.pool, 64, &mapped));
        rig_need(fgpu_buffer_map(mapped, 0, 64, FGPU_WRITE, &ptr));
        rig_need(fgpu_buffer_fill_async(mine, NULL, &word, 4, NULL));
        for (uint32_t i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&closers[i], NULL, close_main, &races), 0);
        atomic_store_release_u32(&races.stop, round % 3 == 0); /* some with the closers alone */
        atomic_store_release_u32(&races.go, 1);
        for (uint32_t i = 0; i < 2; i++)
            assert_int_equal(pthread_join(closers[i], NULL), 0);
        atomic_store_release_u32(&races.stop, 1);
        join(ones, THREADS);
        assert_int_equal(atomic_load_acquire_u32(&races.closed_well), 1);
        for (uint32_t i = 0; i < 64; i++)
            assert_int_equal(own[i], word);
        rig_refused(fgpu_pool_close(races.pool), FGPU_E_STALE, "closed");
    }
}

/* ---- fork --------------------------------------------------------------------------------
 *
 * Not while OpenCL is opened for the first time: dlopen(3) itself does not survive that.
 */

static void *open_main(void *arg)
{
    struct races *races = arg;
    while (!atomic_load_acquire_u32(&races->stop)) {
        fgpu_pool pool;
        if (fgpu_pool_open_text("devices=cpu;workers=1;cache=;log=off", &pool) != FGPU_OK ||
            fgpu_pool_close(pool) != FGPU_OK)
            (void)atomic_add_seqcst_u32(&races->wrong, 1);
    }
    return NULL;
}

/* The child of a process under a sanitizer may find the sanitizer's own locks taken: it does what
 * needs no memory. */
static bool sanitized(const char *which)
{
    const char *sanitizer = getenv("FASTGPU_SANITIZE");
    return sanitizer != NULL && sanitizer[0] != '\0' && strstr(sanitizer, which) != NULL;
}

static int child(struct races *races)
{
    (void)alarm(20); /* alarms are not inherited */
    fgpu_buffer buffer = {atomic_load_acquire_u64(&races->buffers[0])};
    fgpu_pool own;
    int wrong = fgpu_pool_wait(races->pool, 0) != FGPU_E_FORKED;
    wrong += fgpu_buffer_destroy(buffer) != FGPU_E_FORKED;
    wrong += fgpu_pool_close(races->pool) != FGPU_E_FORKED;
    if (sanitized(""))
        return wrong;
    wrong += fgpu_pool_open_text("devices=cpu;workers=1;cache=;log=off", &own) != FGPU_OK;
    wrong += fgpu_buffer_create(own, 64, &buffer) != FGPU_OK;
    wrong += fgpu_pool_close(own) != FGPU_OK;
    return wrong;
}

static void test_fork_while_others_open(void **state)
{
    (void)state;
    static struct races races;
    struct races_one ones[THREADS];
    pthread_t openers[2];
    if (sanitized("thread")) {
        print_message(
            "the child of a process with threads cannot start any under this sanitizer\n");
        return;
    }
    start(&races, ones, pools[0], 1);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&openers[i], NULL, open_main, &races), 0);
    atomic_store_release_u32(&races.go, 1);
    for (uint32_t i = 0; i < FORKS; i++) {
        fflush(NULL);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(child(&races));
        int status = -1;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail_msg("child %u: status 0x%x", i, (unsigned)status);
    }
    atomic_store_release_u32(&races.stop, 1);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(openers[i], NULL), 0);
    join(ones, THREADS);
    assert_int_equal(atomic_load_acquire_u32(&races.wrong), 0);
    (void)fgpu_pool_close(races.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_destroyed_in_use),
        cmocka_unit_test(test_closed_in_use),
        cmocka_unit_test(test_fork_while_others_open),
    };
    (void)alarm(ALARM_S);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
