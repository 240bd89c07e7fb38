/* A pool with cuda devices, through the public interface, against the fake driver: results, data
 * that move, a card that dies, one that does not open.
 */
#include <stdlib.h>
#include <unistd.h>
#include "lib/fakecuda_rig.h"
#define rig_open pool_open
#define rig_close pool_close
#include "lib/graph_rig.h"

#define ITEMS 4096u

static const char text[] =
    "extern \"C\" __global__ void step(const unsigned *in, unsigned *out, unsigned add) {"
    " unsigned i = blockIdx.x * blockDim.x + threadIdx.x; out[i] = in[i] * 3 + add; }";

static int native_step(const fgpu_range *range, void *const *args, void *user)
{
    const uint32_t *in = args[0];
    uint32_t *out = args[1];

    (void)user;
    for (uint64_t i = range->group_begin * range->local[0]; i < range->group_end * range->local[0];
         i++)
        out[i] = in[i] * 3 + *(const uint32_t *)args[2];
    return 0;
}

static int setup(void **state)
{
    (void)state;
    fake.reset();
    rig_cuda_library(fake.path);
    return 0;
}

static fgpu_kernel step_kernel(bool native)
{
    fgpu_kernel kernel;

    rig_need(fgpu_kernel_create(rig_pool, "step", &kernel));
    rig_need(fgpu_kernel_add_cuda(kernel, text, "step", NULL));
    if (native)
        rig_need(fgpu_kernel_add_native(kernel, native_step, NULL));
    rig_need(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_READ, 0));
    rig_need(fgpu_kernel_set_arg(kernel, 1, FGPU_ARG_BUFFER, FGPU_WRITE, 0));
    rig_need(fgpu_kernel_set_arg(kernel, 2, FGPU_ARG_SCALAR, FGPU_READ, 4));
    return kernel;
}

/* A chain that goes to and fro between two buffers. */
static void chain(fgpu_kernel kernel, uint32_t steps)
{
    static uint32_t values[ITEMS], expected[ITEMS];
    fgpu_buffer buffers[2];

    for (uint32_t i = 0; i < ITEMS; i++)
        values[i] = expected[i] = i;
    for (int b = 0; b < 2; b++)
        rig_need(fgpu_buffer_create(rig_pool, sizeof values, &buffers[b]));
    rig_need(fgpu_buffer_write(buffers[0], NULL, values, 0));
    for (uint32_t s = 0; s < steps; s++) {
        fgpu_arg args[] = {fgpu_arg_buffer(buffers[s % 2]), fgpu_arg_buffer(buffers[1 - s % 2]),
                           fgpu_arg_scalar(&s, sizeof s)};
        rig_need(fgpu_task_run(kernel, ITEMS, args, 3, NULL));
        for (uint32_t i = 0; i < ITEMS; i++)
            expected[i] = expected[i] * 3 + s;
    }
    rig_need(fgpu_buffer_read(buffers[steps % 2], NULL, values, 0));
    assert_memory_equal(values, expected, sizeof values);
    for (int b = 0; b < 2; b++)
        rig_need(fgpu_buffer_destroy(buffers[b]));
}

static void test_results(void **state)
{
    (void)state;
    pool_open("devices=cuda;cache=;log=off");
    fgpu_kernel kernel = step_kernel(false);
    chain(kernel, 100);
    rig_need(fgpu_kernel_destroy(kernel));
    rig_need(fgpu_pool_close(rig_pool));
    fake_check_clean();
    assert_int_equal(fake.get("waited"), 0);
}

/* The pool's own host memory is pinned, by a thread of its own: then nothing is staged. */
static void test_pinned(void **state)
{
    (void)state;
    pool_open("devices=cuda;cache=;log=off");
    fgpu_kernel kernel = step_kernel(false);
    chain(kernel, 1);
    for (int i = 0; i < 5000 && fake.get("registered") == 0; i++)
        (void)usleep(1000);
    assert_true(fake.get("registered") > 0);
    long staged = fake.get("staged");
    chain(kernel, 30);
    assert_int_equal(fake.get("staged"), staged);
    rig_need(fgpu_kernel_destroy(kernel));
    rig_need(fgpu_pool_close(rig_pool));
    fake_check_clean();
}

/* Where it cannot be pinned, it is staged. */
static void test_not_pinned(void **state)
{
    (void)state;
    fake.set("register_error", 801);
    pool_open("devices=cuda;cache=;log=off;validate=on");
    fgpu_kernel kernel = step_kernel(false);
    chain(kernel, 30);
    assert_true(fake.get("staged") > 0);
    assert_int_equal(fake.get("registered"), 0);
    rig_need(fgpu_kernel_destroy(kernel));
    rig_need(fgpu_pool_close(rig_pool));
    fake_check_clean();
}

/* Kernels that go while others run: nothing waits for these. */
static void test_kernels_go(void **state)
{
    (void)state;
    fake.set("delay_us", 300);
    pool_open("devices=cuda:0;cache=;log=off");
    fgpu_kernel stays = step_kernel(false);
    for (int i = 0; i < 10; i++) {
        static uint32_t add = 1;
        fgpu_kernel goes = step_kernel(false);
        fgpu_buffer buffers[4];
        chain(goes, 2);
        for (int b = 0; b < 4; b++)
            rig_need(fgpu_buffer_create(rig_pool, ITEMS * 4, &buffers[b]));
        for (int t = 0; t < 60; t++) {
            fgpu_arg args[] = {fgpu_arg_buffer(buffers[t % 4]),
                               fgpu_arg_buffer(buffers[(t + 1) % 4]), fgpu_arg_scalar(&add, 4)};
            if (t == 0)
                rig_need(fgpu_buffer_fill(buffers[0], NULL, &add, 4));
            rig_need(fgpu_task_run(stays, ITEMS, args, 3, NULL));
        }
        rig_need(fgpu_kernel_destroy(goes));
        for (int b = 0; b < 4; b++)
            rig_need(fgpu_buffer_destroy(buffers[b]));
    }
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(fake.get("waited"), 0);
    rig_need(fgpu_kernel_destroy(stays));
    rig_need(fgpu_pool_close(rig_pool));
    fake_check_clean();
}

/* More than fits the card: evicted and brought back. */
static void test_small_memory(void **state)
{
    (void)state;
    pool_open("devices=cuda:0;device-memory=65536;cache=;log=off");
    fgpu_kernel kernel = step_kernel(false);
    for (int i = 0; i < 4; i++)
        chain(kernel, 10);
    rig_need(fgpu_kernel_destroy(kernel));
    rig_need(fgpu_pool_close(rig_pool));
    fake_check_clean();
}

/* A kernel breaks the card: it fails with the reason; what can run elsewhere goes on there. */
static void test_lost(void **state)
{
    static uint32_t values[ITEMS], add = 1;
    fgpu_device device;
    fgpu_buffer in, out;

    (void)state;
    pool_open("devices=cuda:0,cpu;workers=2;cache=;log=off");
    fgpu_kernel both = step_kernel(true), only = step_kernel(false);
    chain(both, 20);
    chain(only, 3);
    rig_need(fgpu_buffer_create(rig_pool, sizeof values, &in));
    rig_need(fgpu_buffer_create(rig_pool, sizeof values, &out));
    rig_need(fgpu_buffer_write(in, NULL, values, 0));
    fgpu_arg args[] = {fgpu_arg_buffer(in), fgpu_arg_buffer(out), fgpu_arg_scalar(&add, 4)};
    fake.set("run_error_once", 700);
    rig_need(fgpu_task_run(only, ITEMS, args, 3, NULL));
    assert_int_not_equal(fgpu_buffer_read(out, NULL, values, 0), FGPU_OK);
    rig_need(fgpu_device_at(rig_pool, 0, &device));
    rig_refused(fgpu_device_status(device), FGPU_E_DEVICE_LOST,
                "CUDA_ERROR_ILLEGAL_ADDRESS (700): a kernel touched memory that is not its own");
    for (int i = 0; i < 5; i++)
        chain(both, 10);
    rig_need(fgpu_buffer_destroy(in));
    rig_need(fgpu_buffer_destroy(out));
    rig_need(fgpu_kernel_destroy(only));
    rig_need(fgpu_kernel_destroy(both));
    (void)fgpu_pool_close(rig_pool);
    assert_int_equal(fake.held(), 0);
}

/* Without being named, a card that does not open is left out; named, it is an error. */
static void test_busy(void **state)
{
    fgpu_device device;
    fgpu_device_info info = {.struct_bytes = sizeof info};
    uint32_t count = 0;

    (void)state;
    fake.set("retain_error", 46);
    pool_open("devices=all,-opencl;workers=1;cache=;log=off");
    rig_need(fgpu_pool_close(rig_pool));
    rig_refused(fgpu_pool_open_text("devices=cuda;cache=;log=off", &rig_pool), FGPU_E_DEVICE,
                "another process has it for itself");
    fake.reset();
    pool_open("devices=all;cache=;log=off");
    rig_need(fgpu_device_count(rig_pool, &count));
    for (uint32_t i = 0; i < count; i++) {
        rig_need(fgpu_device_at(rig_pool, i, &device));
        rig_need(fgpu_device_get_info(device, &info));
        if (strcmp(info.id, "cuda:1") == 0)
            break;
    }
    assert_string_equal(info.id, "cuda:1");
    rig_need(fgpu_pool_close(rig_pool));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_results, setup),
        cmocka_unit_test_setup(test_pinned, setup),
        cmocka_unit_test_setup(test_not_pinned, setup),
        cmocka_unit_test_setup(test_kernels_go, setup),
        cmocka_unit_test_setup(test_small_memory, setup),
        cmocka_unit_test_setup(test_lost, setup),
        cmocka_unit_test_setup(test_busy, setup),
    };

    if (!fake_open())
        return 77;
    return cmocka_run_group_tests_name("cuda pool", tests, NULL, NULL);
}
