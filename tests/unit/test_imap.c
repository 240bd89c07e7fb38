/* The interval map at its edges; its behaviour is in tests/prop/test_imap.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/imap.h"
#include "base/rng.h"
#include "lib/poor_alloc.h"

static bool equal_int(void *user, void *left, const void *right)
{
    (void)user;
    return *(const int *)left == *(const int *)right;
}

static void test_one_segment(void **unused)
{
    struct imap map;
    (void)unused;
    assert_int_equal(imap_init(&map, UINT64_MAX, sizeof(int), NULL, NULL, NULL), FGPU_OK);
    struct imap_seg *seg = imap_first(&map, UINT64_MAX - 1);
    assert_ptr_equal(seg, imap_first(&map, 0));
    assert_true(seg->begin == 0 && seg->end == UINT64_MAX);
    assert_int_equal((uintptr_t)imap_payload(seg) % 16, 0);
    assert_int_equal(*(int *)imap_payload(seg), 0);
    assert_null(imap_next(&map, seg));
    assert_null(imap_prev(&map, seg));
    uint64_t before = alloc_count();
    assert_int_equal(imap_split(&map, 0, UINT64_MAX), FGPU_OK);
    imap_merge(&map, 0, UINT64_MAX, equal_int, NULL);
    assert_true(alloc_count() == before);
    assert_int_equal(map.seg_count, 1);
    imap_fini(&map, NULL);
    imap_fini(NULL, NULL);
}

static void test_refusals(void **unused)
{
    struct imap map;
    struct poor_alloc poor;
    (void)unused;
    assert_int_equal(imap_init(&map, 0, 8, NULL, NULL, NULL), FGPU_E_INVAL);
    imap_fini(&map, NULL);
    poor_alloc_init(&poor);
    poor.left = 0;
    assert_int_equal(imap_init(&map, 10, 8, NULL, NULL, &poor.hooks), FGPU_E_NOMEM);
    imap_fini(&map, NULL);
}

static void test_left_part_stays_in_place(void **unused)
{
    struct imap map;
    (void)unused;
    assert_int_equal(imap_init(&map, 100, sizeof(int), NULL, NULL, NULL), FGPU_OK);
    struct imap_seg *seg = imap_first(&map, 0);
    assert_int_equal(imap_split(&map, 30, 60), FGPU_OK);
    assert_ptr_equal(imap_first(&map, 0), seg);
    assert_true(seg->end == 30);
    struct imap_seg *middle = imap_next(&map, seg);
    assert_true(middle->begin == 30 && middle->end == 60);
    assert_ptr_equal(imap_prev(&map, middle), seg);
    imap_merge(&map, 30, 60, equal_int, NULL);
    assert_ptr_equal(imap_first(&map, 99), seg);
    assert_int_equal(map.seg_count, 1);
    imap_fini(&map, NULL);
}

/* Merging looks at the borders of its range and at nothing beyond. */
static void test_merge_stays_in_its_range(void **unused)
{
    struct imap map;
    (void)unused;
    assert_int_equal(imap_init(&map, 100, sizeof(int), NULL, NULL, NULL), FGPU_OK);
    for (uint64_t at = 0; at < 100; at += 10)
        assert_int_equal(imap_split(&map, at, at + 10), FGPU_OK);
    assert_int_equal(map.seg_count, 10);
    imap_merge(&map, 31, 39, equal_int, NULL);
    assert_int_equal(map.seg_count, 10);
    imap_merge(&map, 30, 40, equal_int, NULL);
    assert_int_equal(map.seg_count, 8);
    assert_true(imap_first(&map, 35)->begin == 20 && imap_first(&map, 35)->end == 50);
    imap_fini(&map, NULL);
}

/* 65536 segments made in order of offset, the worst case of a plain tree. The height of a random
 * search tree tends to 4.311 ln n (L. Devroye: A note on the height of binary search trees, 1986),
 * 48 here, and falls short of it at this size; the priorities are fixed, so there is no luck. */
static void test_many_segments_and_reuse(void **unused)
{
    enum { N = 65536 };
    struct imap map;
    struct rng rng;
    (void)unused;
    rng_init(&rng, 5);
    assert_int_equal(imap_init(&map, (uint64_t)N * 16, sizeof(int), NULL, NULL, NULL), FGPU_OK);
    for (uint64_t i = 0; i < N; i++)
        assert_int_equal(imap_split(&map, i * 16, i * 16 + 16), FGPU_OK);
    assert_int_equal(map.seg_count, N);
    imap_check(&map);
    assert_true(imap_height(&map) <= 48);
    for (int i = 0; i < 100000; i++) {
        uint64_t at = rng_below(&rng, (uint64_t)N * 16);
        assert_true(imap_first(&map, at)->begin == at / 16 * 16);
    }
    imap_merge(&map, 0, (uint64_t)N * 16, equal_int, NULL);
    assert_int_equal(map.seg_count, 1);
    uint64_t before = alloc_count();
    for (uint64_t i = 0; i < N; i++)
        assert_int_equal(imap_split(&map, i * 16, i * 16 + 16), FGPU_OK);
    assert_true(alloc_count() == before);
    imap_fini(&map, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_segment),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_left_part_stays_in_place),
        cmocka_unit_test(test_merge_stays_in_its_range),
        cmocka_unit_test(test_many_segments_and_reuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
