/* Validity of one segment: what each transition leaves, and when two segments may become one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "mem/replica.h"

static const struct replica never = {0};

/* Written on node 1, and gone with it. */
static struct replica lost(void)
{
    struct replica replica = {0};
    replica_write(&replica, 1);
    replica_commit(&replica, 1);
    (void)replica_drop(&replica, 1);
    return replica;
}

static void test_write_and_share(void **state)
{
    (void)state;
    struct replica replica = {0};
    assert_false(replica_has_data(&replica));
    replica_write(&replica, 2);
    assert_int_equal(replica_kind(&replica, 2), REPLICA_OWNED);
    replica_commit(&replica, 2);
    replica_share(&replica, 0);
    assert_int_equal(replica_kind(&replica, 0), REPLICA_SHARED);
    assert_int_equal(replica_kind(&replica, 1), REPLICA_INVALID);
    replica_write(&replica, 1);
    assert_int_equal(replica.pre, 5);
    assert_true(replica_undo(&replica, NODES_NONE));
    assert_int_equal(replica.valid, 5);
}

/* Neither holds data, but only one of them ever did: to merge them would make a read of the lost
 * one go well, or one of the other fail. */
static void test_lost_is_not_never_written(void **state)
{
    (void)state;
    struct replica gone = lost(), also = lost();
    assert_true(replica_is_lost(&gone));
    assert_false(replica_is_lost(&never));
    assert_false(replica_equal(&gone, &never));
    assert_false(replica_equal(&never, &gone));
    assert_true(replica_equal(&gone, &also));
    assert_true(replica_equal(&never, &never));
}

/* The number of the version does not matter: the contents are those of the same nodes. */
static void test_versions_do_not_matter(void **state)
{
    (void)state;
    struct replica once = {0}, twice = {0};
    replica_write(&once, 1);
    replica_commit(&once, 1);
    for (int i = 0; i < 2; i++) {
        replica_write(&twice, 1);
        replica_commit(&twice, 1);
    }
    assert_true(replica_equal(&once, &twice));
    replica_write(&twice, 1);
    assert_false(replica_equal(&once, &twice));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_share),
        cmocka_unit_test(test_lost_is_not_never_written),
        cmocka_unit_test(test_versions_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
