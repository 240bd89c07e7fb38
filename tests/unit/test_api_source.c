/* fgpu_source_read, fgpu_device_get_preempt, and the functions that give way, through the public
 * headers alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fastgpu/fastgpu.h>

static const char text[] = "kernel void a(global int *x) { x[get_global_id(0)] = 1; }\n"
                           "kernel __attribute__((reqd_work_group_size(4, 2, 1)))\n"
                           "void b(global int *x, int n) { x[get_group_id(0)] = n; }\n"
                           "kernel void c(global int *x) { atomic_inc(x); }\n"
                           "#define D kernel void d(global int *x) { x[0] = 1; }\nD\n";

static void test_source(void **unused)
{
    fgpu_source_kernel found[4];
    uint32_t count = 9;
    (void)unused;
    assert_int_equal(fgpu_source_read(text, NULL, NULL, 0, &count), FGPU_OK);
    assert_int_equal(count, 4);
    assert_int_equal(fgpu_source_read(text, "", found, 4, &count), FGPU_OK);
    assert_string_equal(found[0].name, "a");
    assert_int_equal(found[0].slicing, FGPU_SLICING_FREE);
    assert_true(found[0].sliced && found[0].guarded);
    assert_string_equal(found[0].slicing_why, "");
    assert_int_equal(found[1].line, 3);
    assert_int_equal(found[1].arg_count, 2);
    assert_int_equal(found[1].slicing, FGPU_SLICING_REWRITE);
    assert_true(found[1].guarded && found[1].required_local[0] == 4);
    assert_non_null(strstr(found[1].slicing_why, "line 3: it uses get_group_id"));
    assert_int_equal(found[2].slicing, FGPU_SLICING_NEVER);
    assert_false(found[2].sliced || found[2].guarded);
    assert_non_null(strstr(found[2].sliced_why, "line 4: it uses atomics"));
    assert_int_equal(found[3].slicing, FGPU_SLICING_FREE);
    assert_false(found[3].sliced || found[3].guarded);
    assert_non_null(strstr(found[3].sliced_why, "line 6: this comes out of a macro"));
    memset(&found[1], 0x55, sizeof found[1]);
    assert_int_equal(fgpu_source_read(text, NULL, found, 1, &count), FGPU_OK);
    assert_int_equal(count, 4);
    assert_int_equal(found[1].line, 0x55555555); /* not touched */
}

static void test_refused(void **unused)
{
    fgpu_source_kernel found;
    uint32_t count = 9;
    (void)unused;
    assert_int_equal(fgpu_source_read(NULL, NULL, NULL, 0, &count), FGPU_E_INVAL);
    assert_int_equal(count, 0);
    assert_int_equal(fgpu_source_read(text, NULL, &found, 1, NULL), FGPU_E_INVAL);
    assert_int_equal(fgpu_source_read(text, NULL, NULL, 1, &count), FGPU_E_INVAL);
    assert_int_equal(fgpu_source_read("/* no end", NULL, &found, 1, &count), FGPU_E_BUILD);
    assert_int_equal(fgpu_source_read("", NULL, &found, 1, &count), FGPU_OK);
    assert_int_equal(count, 0);
}

static fgpu_device first_of(const char *devices, fgpu_pool *pool)
{
    fgpu_pool_options options;
    fgpu_device device;
    fgpu_pool_options_init(&options);
    options.devices = devices;
    options.cache_dir = "";
    assert_int_equal(fgpu_pool_open(&options, pool), FGPU_OK);
    assert_int_equal(fgpu_device_at(*pool, 0, &device), FGPU_OK);
    return device;
}

static void test_preempt(void **unused)
{
    fgpu_pool pool;
    uint32_t bits = 77;
    (void)unused;
    fgpu_device device = first_of("cpu", &pool);
    assert_int_equal(fgpu_device_get_preempt(device, &bits), FGPU_OK);
    assert_int_equal(bits, FGPU_PREEMPT_SLICES | FGPU_PREEMPT_GUARD);
    assert_int_equal(fgpu_device_get_preempt(device, NULL), FGPU_E_INVAL);
    assert_int_equal(fgpu_pool_close(pool), FGPU_OK);
    assert_int_not_equal(fgpu_device_get_preempt(device, &bits), FGPU_OK);
    assert_int_equal(bits, 0);
    device = first_of("null", &pool);
    assert_int_equal(fgpu_device_get_preempt(device, &bits), FGPU_OK);
    assert_int_equal(bits, 0);
    assert_int_equal(fgpu_pool_close(pool), FGPU_OK);
}

/* In a pool's task nobody tells it to yield; a function that does goes on at once. */
static int in_steps(const fgpu_range *range, void *const *args, void *user)
{
    int *out = args[0];
    int *polled = user;
    if (fgpu_should_yield())
        *polled = 1;
    out[range->group_begin]++;
    return range->group_begin + 1 < range->group_end ? fgpu_yield_at(range->group_begin + 1) : 0;
}

static void test_yield(void **unused)
{
    fgpu_pool pool;
    fgpu_kernel kernel;
    fgpu_buffer buffer;
    fgpu_task task;
    int counts[64] = {0};
    int polled = 0;
    (void)unused;
    (void)first_of("cpu", &pool);
    assert_int_equal(fgpu_kernel_create(pool, "steps", &kernel), FGPU_OK);
    assert_int_equal(fgpu_kernel_add_native(kernel, in_steps, &polled), FGPU_OK);
    assert_int_equal(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0), FGPU_OK);
    assert_int_equal(fgpu_buffer_create(pool, sizeof counts, &buffer), FGPU_OK);
    assert_int_equal(fgpu_buffer_write(buffer, NULL, counts, 0), FGPU_OK);
    fgpu_arg arg = fgpu_arg_buffer(buffer);
    assert_int_equal(fgpu_task_run(kernel, 64, &arg, 1, &task), FGPU_OK);
    assert_int_equal(fgpu_task_wait(task, FGPU_FOREVER), FGPU_OK);
    assert_int_equal(fgpu_buffer_read(buffer, NULL, counts, 0), FGPU_OK);
    int total = 0;
    for (int i = 0; i < 64; i++)
        total += counts[i];
    assert_true(total >= 1 && counts[0] == 1);
    assert_int_equal(polled, 0);
    assert_int_equal(fgpu_pool_close(pool), FGPU_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_source),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_preempt),
        cmocka_unit_test(test_yield),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
