/* The ring's set-up and refusals; its behaviour is in tests/prop/test_spsc.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/spsc.h"
#include "lib/poor_alloc.h"

static void test_refusals(void **unused)
{
    static const uint32_t bad[] = {0, 3, 6, 1000, LIMITS_SPSC_ITEMS * 2, UINT32_MAX};
    struct spsc ring;
    struct poor_alloc poor;
    (void)unused;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(spsc_init(&ring, 8, bad[i], NULL), FGPU_E_INVAL);
        spsc_fini(&ring);
    }
    assert_int_equal(spsc_init(&ring, 0, 8, NULL), FGPU_E_INVAL);
    poor_alloc_init(&poor);
    poor.left = 0;
    assert_int_equal(spsc_init(&ring, 8, 8, &poor.hooks), FGPU_E_NOMEM);
    spsc_fini(&ring);
    spsc_fini(NULL);
}

static void test_sides_have_lines_of_their_own(void **unused)
{
    struct spsc ring;
    (void)unused;
    assert_int_equal(offsetof(struct spsc, tail) % LIMITS_CACHE_LINE, 0);
    assert_int_equal(offsetof(struct spsc, head) % LIMITS_CACHE_LINE, 0);
    assert_true(offsetof(struct spsc, tail) != offsetof(struct spsc, head));
    assert_int_equal(spsc_init(&ring, 24, 4, NULL), FGPU_OK);
    assert_int_equal((uintptr_t)ring.items % LIMITS_CACHE_LINE, 0);
    spsc_fini(&ring);
}

static void test_full_and_empty(void **unused)
{
    struct spsc ring;
    uint64_t number, n;
    (void)unused;
    assert_int_equal(spsc_init(&ring, sizeof number, 4, NULL), FGPU_OK);
    assert_null(spsc_peek(&ring, &n));
    assert_int_equal(n, 0);
    assert_false(spsc_pop(&ring, &number));
    for (number = 0; number < 4; number++)
        assert_true(spsc_push(&ring, &number));
    assert_false(spsc_push(&ring, &number));
    for (uint64_t want = 0; want < 4; want++) {
        assert_true(spsc_pop(&ring, &number));
        assert_int_equal(number, want);
    }
    assert_false(spsc_pop(&ring, &number));
    spsc_fini(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_sides_have_lines_of_their_own),
        cmocka_unit_test(test_full_and_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
