/* Each atomic operation does what its name says; the orders are for tests/stress. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/atomic.h"

static void test_u32(void **unused)
{
    _Atomic uint32_t word = 5;
    uint32_t expected = 4;
    (void)unused;
    assert_int_equal(atomic_load_relaxed_u32(&word), 5);
    assert_false(atomic_cas_acqrel_u32(&word, &expected, 9));
    assert_int_equal(expected, 5);
    assert_true(atomic_cas_acqrel_u32(&word, &expected, 9));
    assert_int_equal(atomic_exchange_acqrel_u32(&word, 10), 9);
    assert_int_equal(atomic_add_acqrel_u32(&word, 7), 10);
    assert_int_equal(atomic_sub_acqrel_u32(&word, 18), 17);
    assert_int_equal(atomic_load_seqcst_u32(&word), UINT32_MAX);
    assert_int_equal(atomic_and_acqrel_u32(&word, 0xf0), UINT32_MAX);
    assert_int_equal(atomic_or_acqrel_u32(&word, 0x0f), 0xf0);
    assert_int_equal(atomic_load_acquire_u32(&word), 0xff);
}

static void test_u64(void **unused)
{
    _Atomic uint64_t word = UINT64_C(1) << 40;
    uint64_t expected = UINT64_C(1) << 40;
    (void)unused;
    while (!atomic_cas_weak_acqrel_u64(&word, &expected, 3))
        assert_int_equal(expected, UINT64_C(1) << 40);
    assert_int_equal(atomic_add_relaxed_u64(&word, UINT64_MAX), 3);
    assert_int_equal(atomic_load_acquire_u64(&word), 2);
    atomic_store_release_u64(&word, UINT64_MAX);
    assert_true(atomic_exchange_seqcst_u64(&word, 1) == UINT64_MAX);
    atomic_fence_seqcst();
    atomic_pause();
    assert_int_equal(atomic_load_seqcst_u64(&word), 1);
}

static void test_pointer_and_signed(void **unused)
{
    int thing;
    _Atomic(void *) place = NULL;
    _Atomic int32_t level = 0;
    (void)unused;
    atomic_store_release_ptr(&place, &thing);
    assert_ptr_equal(atomic_load_acquire_ptr(&place), &thing);
    assert_ptr_equal(atomic_exchange_acqrel_ptr(&place, NULL), &thing);
    atomic_store_relaxed_i32(&level, -1);
    assert_int_equal(atomic_load_relaxed_i32(&level), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_u32),
        cmocka_unit_test(test_u64),
        cmocka_unit_test(test_pointer_and_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
