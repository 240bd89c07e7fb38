/* Threads that wait for each other through the pool: each wait ends when what it waits for has
 * happened, and a pool that is closed lets those in it finish first. A test that hangs is ended by
 * an alarm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <fastgpu/fastgpu.h>

#include "base/atomic.h"

#define ALARM_S 60u
#define READ_BYTES (UINT64_C(128) << 20)

static fgpu_pool pool;
static _Atomic uint32_t gate, entered, done;

static void sleep_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

static bool comes(const _Atomic uint32_t *flag)
{
    for (int i = 0; i < 20000 && !atomic_load_acquire_u32(flag); i++)
        sleep_ms(1);
    return atomic_load_acquire_u32(flag);
}

static void open_pool(uint32_t task_limit)
{
    fgpu_pool_options options;
    fgpu_pool_options_init(&options);
    options.devices = "cpu";
    options.cpu_workers = 1;
    options.task_limit = task_limit;
    options.cache_dir = "";
    options.log_level = FGPU_LOG_OFF;
    assert_int_equal(fgpu_pool_open(&options, &pool), FGPU_OK);
    atomic_store_release_u32(&gate, 0);
    atomic_store_release_u32(&entered, 0);
    atomic_store_release_u32(&done, 0);
}

static int wait_at_gate(void *const *args, void *user)
{
    (void)args;
    (void)user;
    atomic_store_release_u32(&entered, 1);
    while (!atomic_load_acquire_u32(&gate))
        sleep_ms(1);
    return 0;
}

static int nothing(void *const *args, void *user)
{
    (void)args;
    (void)user;
    return 0;
}

static int refuse(void *const *args, void *user)
{
    (void)args;
    (void)user;
    return 1;
}

static fgpu_task submit(fgpu_host_fn fn, const fgpu_arg *arg)
{
    fgpu_task task = {0};
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = fn;
    desc.args = arg;
    desc.arg_count = arg != NULL;
    (void)fgpu_task_submit(pool, &desc, &task);
    return task;
}

/* ---- a full task table ------------------------------------------------------------------ */

static void *submit_one(void *arg)
{
    (void)arg;
    (void)submit(nothing, NULL);
    atomic_store_release_u32(&done, 1);
    return NULL;
}

/* A failed task that is forgotten makes room for a submit that waits, though nothing ends. */
static void test_forget_makes_room(void **state)
{
    (void)state;
    pthread_t thread;
    open_pool(2);
    fgpu_task failed = submit(refuse, NULL);
    assert_int_equal(fgpu_task_wait(failed, FGPU_FOREVER), FGPU_E_TASK);
    (void)submit(wait_at_gate, NULL);
    assert_true(comes(&entered));
    assert_int_equal(pthread_create(&thread, NULL, submit_one, NULL), 0);
    sleep_ms(100);
    assert_false(atomic_load_acquire_u32(&done));
    assert_int_equal(fgpu_task_forget(failed), FGPU_OK);
    bool came = comes(&done);
    atomic_store_release_u32(&gate, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)fgpu_pool_close(pool);
    assert_true(came);
}

/* ---- closing ---------------------------------------------------------------------------- */

static fgpu_buffer buffer;
static char *contents;
static fgpu_status read_status;

static void *read_all(void *arg)
{
    (void)arg;
    atomic_store_release_u32(&done, 1);
    read_status = fgpu_buffer_read(buffer, NULL, contents, 0);
    return NULL;
}

static void *open_gate(void *arg)
{
    (void)arg;
    sleep_ms(100);
    atomic_store_release_u32(&gate, 1);
    return NULL;
}

/* True when the read was in the pool before the closing began. */
static bool close_during_read(void)
{
    pthread_t reader, opener;
    open_pool(0);
    assert_int_equal(fgpu_buffer_create(pool, READ_BYTES, &buffer), FGPU_OK);
    uint8_t seven = 7;
    assert_int_equal(fgpu_buffer_fill(buffer, NULL, &seven, 1), FGPU_OK);
    fgpu_arg arg = fgpu_arg_region(buffer, FGPU_READ_WRITE, fgpu_region_whole());
    (void)submit(wait_at_gate, &arg);
    assert_true(comes(&entered));
    assert_int_equal(pthread_create(&reader, NULL, read_all, NULL), 0);
    assert_true(comes(&done));
    sleep_ms(50);
    assert_int_equal(pthread_create(&opener, NULL, open_gate, NULL), 0);
    (void)fgpu_pool_close(pool);
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_int_equal(pthread_join(opener, NULL), 0);
    return read_status != FGPU_E_CLOSED;
}

/* A blocking read that waits when the pool is closed copies its data before they go. */
static void test_close_during_read(void **state)
{
    (void)state;
    contents = calloc(1, READ_BYTES);
    assert_non_null(contents);
    for (int i = 0; i < 20 && !close_during_read(); i++)
        sleep_ms(50);
    assert_int_equal(read_status, FGPU_OK);
    assert_int_equal(contents[READ_BYTES - 1], 7);
    free(contents);
}

/* ---- nobody waits ----------------------------------------------------------------------- */

static fgpu_kernel kernel;

static void *build(void *arg)
{
    (void)arg;
    atomic_store_release_u32(&entered, 1);
    (void)fgpu_kernel_build(kernel);
    return NULL;
}

static void ended(fgpu_task task, fgpu_status status, void *user)
{
    (void)task;
    (void)status;
    (void)user;
    atomic_store_release_u32(&done, 1);
}

/* The first task of a pool comes while another thread has a kernel compiled. Nobody waits for it:
 * the progress thread sees to it all the same. */
static void test_first_task_during_build(void **state)
{
    (void)state;
    fgpu_pool_options options;
    fgpu_pool_options_init(&options);
    options.devices = "opencl";
    options.cache_dir = "";
    options.log_level = FGPU_LOG_OFF;
    if (fgpu_pool_open(&options, &pool) != FGPU_OK)
        skip();
    atomic_store_release_u32(&entered, 0);
    atomic_store_release_u32(&done, 0);
    static const char text[] = "kernel void k(global float *a) { a[get_global_id(0)] *= 2; }";
    assert_int_equal(fgpu_kernel_create(pool, "k", &kernel), FGPU_OK);
    assert_int_equal(fgpu_kernel_add_opencl(kernel, text, "k", NULL), FGPU_OK);
    assert_int_equal(fgpu_buffer_create(pool, UINT64_C(4) << 22, &buffer), FGPU_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, build, NULL), 0);
    assert_true(comes(&entered));
    sleep_ms(3); /* it is being compiled */
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kernel = kernel;
    desc.dims = 1;
    desc.global[0] = 1u << 22; /* it runs for longer than the build is waited for */
    fgpu_arg arg = fgpu_arg_buffer(buffer);
    desc.args = &arg;
    desc.arg_count = 1;
    desc.on_done = ended;
    assert_int_equal(fgpu_task_submit(pool, &desc, NULL), FGPU_OK);
    bool came = comes(&done);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(fgpu_pool_close(pool), FGPU_OK);
    assert_true(came);
}

int main(void)
{
    (void)alarm(ALARM_S);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forget_makes_room),
                                       cmocka_unit_test(test_close_during_read),
                                       cmocka_unit_test(test_first_task_during_build)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
