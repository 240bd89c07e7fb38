/* The default allocator, the hooks and the counters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/alloc.h"
#include "lib/poor_alloc.h"

static void test_alignment_and_counters(void **unused)
{
    (void)unused;
    for (size_t align = 1; align <= 4096; align *= 2) {
        uint64_t gets = alloc_count(), puts = alloc_free_count(), live = alloc_live_bytes();
        unsigned char *ptr = alloc_get_zeroed(NULL, 100, align);
        assert_non_null(ptr);
        assert_int_equal((uintptr_t)ptr % (align < 16 ? 16 : align), 0);
        for (int i = 0; i < 100; i++)
            assert_int_equal(ptr[i], 0);
        assert_true(alloc_count() == gets + 1);
        assert_true(alloc_live_bytes() == live + 100);
        alloc_put(NULL, ptr, 100);
        assert_true(alloc_free_count() == puts + 1);
        assert_true(alloc_live_bytes() == live);
    }
    alloc_put(NULL, NULL, 100);
}

static void test_absurd_sizes(void **unused)
{
    uint64_t live = alloc_live_bytes();
    (void)unused;
    assert_null(alloc_get(NULL, 0, 16));
    assert_null(alloc_get(NULL, SIZE_MAX, 16));
    assert_null(alloc_get(NULL, SIZE_MAX / 2 + 1, 4096));
    assert_null(alloc_get_zeroed(NULL, SIZE_MAX - 5, 64));
    assert_true(alloc_live_bytes() == live);
}

static void *note_align(void *user, size_t bytes, size_t align)
{
    (void)bytes;
    *(size_t *)user = align;
    return NULL;
}

static void never_free(void *user, void *ptr, size_t bytes)
{
    (void)bytes;
    fail_msg("nothing was given: %p %p", user, ptr);
}

static void test_hooks_are_asked_for_16_at_least(void **unused)
{
    size_t align = 0;
    struct alloc_hooks hooks = {note_align, never_free, &align};
    (void)unused;
    for (size_t want = 1; want <= 4096; want *= 2) {
        assert_null(alloc_get(&hooks, 8, want));
        assert_int_equal(align, want < 16 ? 16 : want);
    }
    alloc_put(&hooks, NULL, 8);
}

static void test_hooks(void **unused)
{
    struct poor_alloc poor;
    (void)unused;
    poor_alloc_init(&poor);
    unsigned char *ptr = alloc_get_zeroed(&poor.hooks, 1000, 64);
    assert_non_null(ptr);
    assert_int_equal(poor.live_count, 1);
    assert_int_equal(poor.live_bytes, 1000);
    assert_int_equal(ptr[999], 0);
    alloc_put(&poor.hooks, ptr, 1000);
    assert_int_equal(poor.live_count, 0);
    poor.left = 0;
    assert_null(alloc_get(&poor.hooks, 10, 16));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alignment_and_counters),
        cmocka_unit_test(test_absurd_sizes),
        cmocka_unit_test(test_hooks_are_asked_for_16_at_least),
        cmocka_unit_test(test_hooks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
