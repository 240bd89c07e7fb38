/* The slot table: growth, alignment, limits, no allocation after warm-up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/table.h"
#include "lib/poor_alloc.h"

struct item {
    uint64_t number;
    char rest[56];
};

static void test_grows_with_stable_addresses(void **unused)
{
    enum { N = 5000 };
    static struct item *address[N];
    struct table table;
    (void)unused;
    assert_int_equal(table_init(&table, sizeof(struct item), 1u << 22, NULL), FGPU_OK);
    assert_null(table_find(&table, 0));
    for (uint32_t i = 0; i < N; i++) {
        uint32_t index;
        assert_int_equal(table_alloc(&table, &index), FGPU_OK);
        assert_int_equal(index, i);
        address[i] = table_at(&table, index);
        assert_int_equal((uintptr_t)address[i] % LIMITS_CACHE_LINE, 0);
        assert_int_equal(address[i]->number, 0);
        address[i]->number = i;
    }
    for (uint32_t i = 0; i < N; i++) {
        assert_ptr_equal(table_at(&table, i), address[i]);
        assert_int_equal(address[i]->number, i);
    }
    assert_int_equal(table_high_water(&table), N);
    assert_null(table_find(&table, N));
    assert_null(table_find(&table, UINT32_MAX));
    table_fini(&table);
    table_fini(NULL);
}

static void test_limit_is_exact(void **unused)
{
    static const uint32_t limits[] = {1, 2, 3, 1023, 1024, 1025, 4096};
    (void)unused;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct table table;
        uint32_t index, count = 0;
        assert_int_equal(table_init(&table, 8, limits[i], NULL), FGPU_OK);
        while (table_alloc(&table, &index) == FGPU_OK)
            count++;
        assert_int_equal(count, limits[i]);
        assert_int_equal(table_alloc(&table, &index), FGPU_E_LIMIT);
        table_free(&table, 0);
        assert_int_equal(table_alloc(&table, &index), FGPU_OK);
        assert_int_equal(index, 0);
        assert_int_equal(table_alloc(&table, &index), FGPU_E_LIMIT);
        table_fini(&table);
    }
}

static void test_no_allocation_after_warm_up(void **unused)
{
    struct table table;
    uint32_t indices[3000];
    (void)unused;
    assert_int_equal(table_init(&table, 64, 10000, NULL), FGPU_OK);
    assert_int_equal(table_reserve(&table, 3000), FGPU_OK);
    assert_int_equal(table_high_water(&table), 0);
    uint64_t before = alloc_count();
    for (int round = 0; round < 3; round++) {
        assert_int_equal(table_alloc_n(&table, indices, 3000), FGPU_OK);
        table_free_n(&table, indices, 3000);
    }
    assert_true(alloc_count() == before);
    assert_int_equal(table_high_water(&table), 3000);
    assert_int_equal(table_reserve(&table, 10001), FGPU_E_LIMIT);
    table_fini(&table);
}

static void test_chunks_are_small_for_large_items(void **unused)
{
    struct table table;
    struct poor_alloc poor;
    uint32_t index;
    (void)unused;
    poor_alloc_init(&poor);
    assert_int_equal(table_init(&table, 300000, 65536, &poor.hooks), FGPU_OK);
    size_t before = poor.live_bytes;
    assert_int_equal(table_alloc(&table, &index), FGPU_OK);
    assert_true(poor.live_bytes - before <= LIMITS_TABLE_CHUNK_BYTES);
    table_fini(&table);
    assert_int_equal(poor.live_count, 0);
}

static void test_refusals(void **unused)
{
    struct table table;
    struct poor_alloc poor;
    (void)unused;
    assert_int_equal(table_init(&table, 0, 10, NULL), FGPU_E_INVAL);
    table_fini(&table);
    assert_int_equal(table_init(&table, 8, 0, NULL), FGPU_E_INVAL);
    table_fini(&table);
    assert_int_equal(table_init(&table, LIMITS_TABLE_CHUNK_BYTES + 1, 10, NULL), FGPU_E_INVAL);
    table_fini(&table);
    poor_alloc_init(&poor);
    for (long left = 0; left < 2; left++) {
        poor.left = left;
        assert_int_equal(table_init(&table, 8, 100, &poor.hooks), FGPU_E_NOMEM);
        table_fini(&table);
        assert_int_equal(poor.live_count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_with_stable_addresses),
        cmocka_unit_test(test_limit_is_exact),
        cmocka_unit_test(test_no_allocation_after_warm_up),
        cmocka_unit_test(test_chunks_are_small_for_large_items),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
