/* Shape and arguments of native launches: every grid against counting, local memory that does not
 * overlap, the refusals, and no allocation once warm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/alloc.h"
#include "dev/host/native.h"

static void test_range(void **state)
{
    (void)state;
    for (uint32_t global = 1; global < 40; global++)
        for (uint32_t local = 0; local < 12; local++) {
            fgpu_cmd_launch launch = {.dims = 2, .global = {global, 3}, .local = {local, 2}};
            fgpu_range range = {0};
            uint64_t groups = 0;

            for (uint32_t covered = 0; covered < global; covered += local != 0 ? local : 1)
                groups++;
            assert_int_equal(native_range(&range, &launch), FGPU_OK);
            assert_true(range.groups[0] == groups && range.groups[1] == 2 && range.groups[2] == 1);
            assert_true(range.group_begin == 0 && range.group_end == 2 * groups);
            assert_true(range.global[2] == 1 && range.local[2] == 1 && range.dims == 2);
            assert_true(range.local[0] == (local != 0 ? local : 1));
        }
}

static void test_range_refused(void **state)
{
    fgpu_cmd_launch launch = {.dims = 0, .global = {1, 1, 1}};
    fgpu_range range;

    (void)state;
    assert_int_equal(native_range(&range, &launch), FGPU_E_INVAL);
    launch.dims = 4;
    assert_int_equal(native_range(&range, &launch), FGPU_E_INVAL);
    launch.dims = 3;
    launch.global[2] = 0;
    assert_int_equal(native_range(&range, &launch), FGPU_E_INVAL);
    launch.global[2] = UINT64_MAX;
    assert_int_equal(native_range(&range, &launch), FGPU_E_LIMIT);
    launch.global[1] = UINT64_MAX;
    launch.global[0] = UINT64_MAX;
    assert_int_equal(native_range(&range, &launch), FGPU_E_LIMIT);
    launch.dims = 1;
    launch.global[0] = NATIVE_GROUPS_LIMIT;
    assert_int_equal(native_range(&range, &launch), FGPU_OK);
    launch.global[0]++;
    assert_int_equal(native_range(&range, &launch), FGPU_E_LIMIT);
    launch.local[0] = 2;
    assert_int_equal(native_range(&range, &launch), FGPU_OK);
}

static void test_args(void **state)
{
    struct native_scratch scratch = {0};
    char memory[64];
    int value = 3;
    fgpu_cmd_arg args[5] = {
        {.kind = FGPU_ARG_BUFFER, .size_bytes = 8},   {.kind = FGPU_ARG_LOCAL, .size_bytes = 100},
        {.kind = FGPU_ARG_SCALAR, .size_bytes = 4},   {.kind = FGPU_ARG_LOCAL, .size_bytes = 1},
        {.kind = FGPU_ARG_LOCAL, .size_bytes = 4000},
    };

    (void)state;
    args[0].u.buffer.mem = (uintptr_t)memory;
    args[0].u.buffer.offset_bytes = 24;
    args[2].u.value = &value;
    assert_int_equal(native_args(&scratch, args, 5), FGPU_OK);
    assert_ptr_equal(scratch.args[0], memory + 24);
    assert_ptr_equal(scratch.args[2], &value);
    memset(scratch.args[1], 1, 100);
    memset(scratch.args[3], 2, 1);
    memset(scratch.args[4], 3, 4000); /* a sanitizer sees what is too short */
    assert_int_equal(*((char *)scratch.args[1] + 99), 1);
    assert_int_equal(*(char *)scratch.args[3], 2);
    for (int i = 1; i < 5; i++)
        assert_true(i == 2 || (uintptr_t)scratch.args[i] % 64 == 0);

    uint64_t before = alloc_count();
    for (int round = 0; round < 100; round++)
        assert_int_equal(native_args(&scratch, args, 5), FGPU_OK);
    assert_true(alloc_count() == before);
    native_scratch_fini(&scratch);
    native_scratch_fini(&scratch);
}

static void test_args_refused(void **state)
{
    struct native_scratch scratch = {0};
    fgpu_cmd_arg args[LIMITS_KERNEL_ARGS + 1] = {{.kind = 9}};

    (void)state;
    assert_int_equal(native_args(&scratch, args, 1), FGPU_E_INVAL);
    for (uint32_t i = 0; i <= LIMITS_KERNEL_ARGS; i++)
        args[i].kind = FGPU_ARG_SCALAR;
    assert_int_equal(native_args(&scratch, args, LIMITS_KERNEL_ARGS), FGPU_OK);
    assert_int_equal(native_args(&scratch, args, LIMITS_KERNEL_ARGS + 1), FGPU_E_LIMIT);
    args[0].kind = FGPU_ARG_LOCAL;
    args[0].size_bytes = UINT64_MAX;
    assert_int_equal(native_args(&scratch, args, 1), FGPU_E_LIMIT);
    assert_int_equal(native_args(&scratch, args, 0), FGPU_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_range_refused),
        cmocka_unit_test(test_args),
        cmocka_unit_test(test_args_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
