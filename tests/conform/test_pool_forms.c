/* Kernels that ask for their group can be stopped too: the forms for slices and guards are made
 * from the caller's text, not from what the pool puts in front of it for divisible tasks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <fastgpu/fastgpu.h>

#include "base/atomic.h"

#define GROUPS 64u
#define ITEMS 16u

static const char source[] = "__kernel void which(__global uint *out)\n"
                             "{ out[get_global_id(0)] = (uint)(get_group_id(0) * 100 +\n"
                             "                                 get_num_groups(0)); }\n";

struct heard {
    _Atomic uint32_t sliced, guarded;
};

static void listen(void *user, int level, const char *text)
{
    struct heard *heard = user;
    (void)level;
    if (strstr(text, "in slices: ready"))
        atomic_store_release_u32(&heard->sliced, 1);
    if (strstr(text, "under a guard: ready"))
        atomic_store_release_u32(&heard->guarded, 1);
}

static fgpu_status run_batch(fgpu_pool pool, fgpu_buffer buffer)
{
    fgpu_kernel kernel;
    fgpu_task_desc desc;
    fgpu_terms terms;
    fgpu_arg arg = fgpu_arg_buffer(buffer);
    fgpu_status status = fgpu_kernel_create_opencl(pool, source, "which", NULL, &kernel);
    fgpu_terms_init(&terms);
    terms.task_class = FGPU_CLASS_BATCH;
    fgpu_task_desc_init(&desc);
    desc.kernel = kernel;
    desc.dims = 1;
    desc.global[0] = GROUPS * ITEMS;
    desc.local[0] = ITEMS;
    desc.args = &arg;
    desc.arg_count = 1;
    desc.terms = &terms;
    if (status == FGPU_OK)
        status = fgpu_task_submit(pool, &desc, NULL);
    return status == FGPU_OK ? fgpu_pool_wait(pool, FGPU_FOREVER) : status;
}

static void check_way(uint32_t preempt)
{
    struct heard heard = {0};
    uint32_t out[GROUPS * ITEMS], bits;
    fgpu_device device;
    fgpu_pool_options options;
    fgpu_pool pool;
    fgpu_buffer buffer;

    fgpu_pool_options_init(&options);
    options.devices = "opencl:0";
    options.cache_dir = "";
    options.preempt = preempt;
    options.log = listen;
    options.log_user = &heard;
    options.log_level = FGPU_LOG_DEBUG;
    if (fgpu_pool_open(&options, &pool) == FGPU_E_NODEVICE)
        skip();
    assert_int_equal(fgpu_buffer_create(pool, sizeof out, &buffer), FGPU_OK);
    assert_int_equal(run_batch(pool, buffer), FGPU_OK);
    assert_int_equal(fgpu_buffer_read(buffer, NULL, out, 0), FGPU_OK);
    for (uint32_t i = 0; i < GROUPS * ITEMS; i++)
        assert_int_equal(out[i], i / ITEMS * 100 + GROUPS);
    assert_int_equal(fgpu_device_at(pool, 0, &device), FGPU_OK);
    assert_int_equal(fgpu_device_get_preempt(device, &bits), FGPU_OK);
    assert_int_equal(fgpu_pool_close(pool), FGPU_OK);
    bool guard = preempt == FGPU_POOL_PREEMPT_GUARD && (bits & FGPU_PREEMPT_GUARD);
    assert_int_equal(atomic_load_acquire_u32(&heard.guarded), guard);
    assert_int_equal(atomic_load_acquire_u32(&heard.sliced),
                     !guard && (bits & FGPU_PREEMPT_SLICES));
}

static void test_slices(void **state)
{
    (void)state;
    check_way(FGPU_POOL_PREEMPT_SLICES);
}

static void test_guard(void **state)
{
    (void)state;
    check_way(FGPU_POOL_PREEMPT_GUARD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_slices), cmocka_unit_test(test_guard)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
