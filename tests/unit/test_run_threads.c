/* The threads of a pool that cannot be started: the call that would need one is refused and has no
 * effect, nothing is called under a lock instead, and later, when there are threads again, it goes.
 *
 * Threads are made impossible by stacks that no process has room for. A test that hangs is ended by
 * an alarm.
 */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/api_rig.h"

#define NO_STACK ((size_t)1 << 47) /* more than all addresses of a process */
#define ALARM_S 60u

static pthread_attr_t before;

static void no_threads(bool none)
{
    pthread_attr_t attr;
    assert_int_equal(pthread_attr_init(&attr), 0);
    assert_int_equal(pthread_attr_setstacksize(&attr, NO_STACK), 0);
    assert_int_equal(pthread_setattr_default_np(none ? &attr : &before), 0);
    (void)pthread_attr_destroy(&attr);
}

/* What callbacks do: everything here takes the pool's lock. */
static void uses_the_pool(fgpu_task task, fgpu_status status, void *user)
{
    fgpu_pool_stats stats = {.struct_bytes = sizeof stats};
    fgpu_buffer buffer;
    fgpu_task_state state;
    bool good = status == FGPU_OK && fgpu_pool_get_stats(rig_pool, &stats) == FGPU_OK &&
                fgpu_buffer_create(rig_pool, 64, &buffer) == FGPU_OK &&
                fgpu_buffer_destroy(buffer) == FGPU_OK &&
                fgpu_task_get_state(task, &state) == FGPU_OK && state == FGPU_TASK_DONE;
    (void)atomic_add_seqcst_u32(user, good ? 1 : 1000);
}

static void test_callback_thread(void **state)
{
    (void)state;
    _Atomic uint32_t calls = 0;
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_EMPTY;
    rig_need(fgpu_task_submit(rig_pool, &desc, NULL)); /* the progress thread is there */
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    uint64_t submitted = rig_stats().tasks_submitted;
    desc.on_done = uses_the_pool;
    desc.on_done_user = &calls;
    no_threads(true);
    for (uint32_t i = 0; i < 3; i++) {
        fgpu_task task = {0};
        rig_refused(fgpu_task_submit(rig_pool, &desc, &task), FGPU_E_SYSTEM, "on_done");
        assert_int_equal(task.bits, 0);
    }
    no_threads(false);
    assert_int_equal(rig_stats().tasks_submitted, submitted);
    for (uint32_t i = 0; i < 100; i++)
        rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(atomic_load_acquire_u32(&calls), 100);
    no_threads(true); /* it is there now */
    rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    no_threads(false);
    assert_int_equal(atomic_load_acquire_u32(&calls), 101);
    rig_works();
}

static void test_build_thread(void **state)
{
    (void)state;
    static const char source[] = "__kernel void k(__global int *a) { a[get_global_id(0)] = 7; }";
    fgpu_kernel kernel;
    no_threads(true);
    fgpu_status status = fgpu_kernel_create_opencl(rig_pool, source, "k", "", &kernel);
    no_threads(false);
    rig_refused(status, FGPU_E_SYSTEM, "compile");
    assert_int_equal(kernel.bits, 0);
    rig_need(fgpu_kernel_create_opencl(rig_pool, source, "k", "", &kernel));
    fgpu_buffer buffer = rig_buffer(64);
    int words[16] = {0};
    fgpu_arg arg = fgpu_arg_region(buffer, FGPU_WRITE, fgpu_region_whole());
    rig_need(fgpu_task_run(kernel, 16, &arg, 1, NULL));
    rig_need(fgpu_buffer_read(buffer, NULL, words, 0));
    for (uint32_t i = 0; i < 16; i++)
        assert_int_equal(words[i], 7);
}

/* A pool that takes no text of a kernel needs no thread to compile it. */
static void test_no_build_thread_needed(void **state)
{
    (void)state;
    static const char source[] = "__kernel void k(__global int *a) { a[get_global_id(0)] = 7; }";
    fgpu_kernel kernel;
    no_threads(true);
    fgpu_status status = fgpu_kernel_create_opencl(rig_pool, source, "k", "", &kernel);
    no_threads(false);
    rig_need(status);
    rig_works();
}

static int open_fake(void **state)
{
    (void)state;
    const char *fake = getenv("FAKEICD_LIB");
    if (fake == NULL || access(fake, R_OK) != 0) {
        print_message("no FAKEICD_LIB: kernels that are compiled are not tested\n");
        return -1;
    }
    (void)setenv("FASTGPU_OPENCL_LIBRARY", fake, 1);
    return fgpu_pool_open_text("devices=opencl;cache=;log=off", &rig_pool) == FGPU_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ON(cpu, test_callback_thread),
        RIG_ON(cpu, test_no_build_thread_needed),
    };
    const struct CMUnitTest compiled[] = {
        cmocka_unit_test_setup_teardown(test_build_thread, open_fake, rig_close),
    };
    (void)alarm(ALARM_S);
    if (pthread_getattr_default_np(&before) != 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (getenv("FAKEICD_LIB") != NULL)
        failed += cmocka_run_group_tests(compiled, NULL, NULL);
    return failed;
}
