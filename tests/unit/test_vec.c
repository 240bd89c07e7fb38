/* The growable array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/vec.h"
#include "lib/poor_alloc.h"

static void test_push_and_remove(void **unused)
{
    struct vec vec;
    (void)unused;
    vec_init(&vec, sizeof(int), NULL);
    for (int i = 0; i < 1000; i++)
        assert_non_null(vec_push(&vec, &i));
    assert_int_equal(vec.count, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(*(int *)vec_at(&vec, (size_t)i), i);
    vec_remove_swap(&vec, 10);
    assert_int_equal(*(int *)vec_at(&vec, 10), 999);
    vec_remove_swap(&vec, 998);
    assert_int_equal(vec.count, 998);
    vec_pop(&vec);
    assert_int_equal(vec.count, 997);
    uint64_t before = alloc_count();
    vec_clear(&vec);
    assert_int_equal(*(int *)vec_push(&vec, NULL), 0);
    assert_true(alloc_count() == before);
    vec_fini(&vec);
    vec_fini(&vec);
    vec_fini(NULL);
}

static void test_no_memory_loses_nothing(void **unused)
{
    struct poor_alloc poor;
    struct vec vec;
    (void)unused;
    poor_alloc_init(&poor);
    vec_init(&vec, 12, &poor.hooks);
    poor.left = 0;
    assert_null(vec_push(&vec, "abcdefghijk"));
    poor.left = 1;
    while (vec_push(&vec, "abcdefghijk") != NULL) {
    }
    assert_true(vec.count > 0);
    for (size_t i = 0; i < vec.count; i++)
        assert_string_equal(vec_at(&vec, i), "abcdefghijk");
    assert_false(vec_reserve(&vec, SIZE_MAX / 4));
    vec_fini(&vec);
    assert_int_equal(poor.live_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_push_and_remove),
        cmocka_unit_test(test_no_memory_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
