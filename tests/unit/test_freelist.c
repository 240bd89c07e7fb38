/* The free list in one thread: a stack, also in chains and batches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/freelist.h"
#include "lib/poor_alloc.h"

static void test_is_a_stack(void **unused)
{
    struct freelist list;
    (void)unused;
    assert_int_equal(freelist_init(&list, 10), FGPU_OK);
    assert_true(freelist_is_empty(&list));
    assert_int_equal(freelist_pop(&list), FREELIST_NONE);
    for (uint32_t i = 0; i < 10; i++)
        freelist_push(&list, i);
    assert_false(freelist_is_empty(&list));
    for (uint32_t i = 10; i-- > 0;)
        assert_int_equal(freelist_pop(&list), i);
    assert_int_equal(freelist_pop(&list), FREELIST_NONE);
    freelist_fini(&list);
    freelist_fini(NULL);
}

static void test_chains_and_batches(void **unused)
{
    struct freelist list;
    uint32_t out[8];
    (void)unused;
    assert_int_equal(freelist_init(&list, 8), FGPU_OK);
    assert_int_equal(freelist_pop_n(&list, out, 8), 0);
    freelist_push(&list, 7);
    freelist_link(&list, 3, 1);
    freelist_link(&list, 1, 4);
    freelist_push_chain(&list, 3, 4);
    assert_int_equal(freelist_pop_n(&list, out, 0), 0);
    assert_int_equal(freelist_pop_n(&list, out, 2), 2);
    assert_int_equal(out[0], 3);
    assert_int_equal(out[1], 1);
    assert_int_equal(freelist_pop_n(&list, out, 8), 2);
    assert_int_equal(out[0], 4);
    assert_int_equal(out[1], 7);
    assert_true(freelist_is_empty(&list));
    freelist_fini(&list);
}

static void test_every_change_moves_the_tag(void **unused)
{
    struct freelist list;
    uint64_t tags[4];
    (void)unused;
    assert_int_equal(freelist_init(&list, 1), FGPU_OK);
    for (int i = 0; i < 4; i++) {
        if (i % 2 == 0)
            freelist_push(&list, 0);
        else
            freelist_pop(&list);
        tags[i] = atomic_load_relaxed_u64(&list.head) >> 32;
        assert_true(i == 0 || tags[i] == tags[i - 1] + 1);
    }
    /* The tag wraps without touching the index. */
    atomic_store_relaxed_u64(&list.head, UINT64_C(0xffffffff00000000));
    assert_int_equal(freelist_pop(&list), 0);
    assert_true(atomic_load_relaxed_u64(&list.head) == FREELIST_NONE);
    freelist_fini(&list);
}

static void test_no_memory(void **unused)
{
    struct poor_alloc poor;
    struct freelist list;
    (void)unused;
    poor_alloc_init(&poor);
    poor.left = 0;
    assert_int_equal(freelist_init_with(&list, 100, &poor.hooks), FGPU_E_NOMEM);
    freelist_fini(&list);
    poor.left = -1;
    assert_int_equal(freelist_init_with(&list, 0, &poor.hooks), FGPU_OK);
    assert_int_equal(freelist_pop(&list), FREELIST_NONE);
    freelist_fini(&list);
    assert_int_equal(poor.live_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_a_stack),
        cmocka_unit_test(test_chains_and_batches),
        cmocka_unit_test(test_every_change_moves_the_tag),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
