/* The inbox in one thread: order, chains, who is told. Explored in test_interleave_lists.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/inbox.h"

struct item {
    uint64_t other;
    _Atomic uint32_t next;
    uint32_t more;
};

static void make_table(struct table *table, uint32_t n)
{
    assert_int_equal(table_init(table, sizeof(struct item), 4096, NULL), FGPU_OK);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t index;
        assert_int_equal(table_alloc(table, &index), FGPU_OK);
        assert_int_equal(index, i);
    }
}

static void test_order_of_pushes(void **unused)
{
    struct table table;
    struct inbox inbox;
    (void)unused;
    make_table(&table, 2000);
    inbox_init(&inbox, &table, offsetof(struct item, next));
    assert_true(inbox_is_empty(&inbox));
    assert_int_equal(inbox_drain(&inbox), INBOX_NONE);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 2000; i++)
            assert_int_equal(inbox_push(&inbox, (i * 7) % 2000), i + 1);
        assert_false(inbox_is_empty(&inbox));
        uint32_t index = inbox_drain(&inbox);
        for (uint32_t i = 0; i < 2000; i++, index = inbox_next(&inbox, index))
            assert_int_equal(index, (i * 7) % 2000);
        assert_int_equal(index, INBOX_NONE);
        assert_true(inbox_is_empty(&inbox));
    }
    table_fini(&table);
}

static void test_chain(void **unused)
{
    static const uint32_t want[] = {9, 1, 2, 3, 5};
    struct table table;
    struct inbox inbox;
    (void)unused;
    make_table(&table, 10);
    inbox_init(&inbox, &table, offsetof(struct item, next));
    /* A chain goes from the newest to the oldest, as the inbox itself does. */
    atomic_store_relaxed_u32(inbox_link(&inbox, 3), 2);
    atomic_store_relaxed_u32(inbox_link(&inbox, 2), 1);
    assert_int_equal(inbox_push(&inbox, 9), 1);
    assert_int_equal(inbox_push_chain(&inbox, 3, 1, 3), 4);
    assert_int_equal(inbox_push(&inbox, 5), 5);
    assert_int_equal(inbox_count(&inbox), 5);
    uint32_t index = inbox_drain(&inbox);
    for (int i = 0; i < 5; i++, index = inbox_next(&inbox, index))
        assert_int_equal(index, want[i]);
    assert_int_equal(index, INBOX_NONE);
    table_fini(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_pushes),
        cmocka_unit_test(test_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
