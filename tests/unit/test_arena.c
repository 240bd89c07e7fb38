/* The arena: alignment, no overlap, blocks kept, large requests, failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/rng.h"
#include "lib/poor_alloc.h"

/* Random requests, each filled with its own byte: overlap or a short piece would show. */
static void test_pieces_do_not_overlap(void **unused)
{
    enum { N = 400 };
    unsigned char *piece[N];
    size_t bytes[N];
    struct arena arena;
    struct rng rng;
    (void)unused;
    rng_init(&rng, 1);
    arena_init(&arena, 1024, NULL);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < N; i++) {
            size_t align = (size_t)1 << rng_below(&rng, 13);
            bytes[i] = rng_below(&rng, rng_below(&rng, 10) == 0 ? 5000 : 100);
            piece[i] = arena_alloc(&arena, bytes[i], align);
            assert_non_null(piece[i]);
            assert_int_equal((uintptr_t)piece[i] % align, 0);
            memset(piece[i], i & 0xff, bytes[i]);
        }
        for (int i = 0; i < N; i++) {
            for (size_t k = 0; k < bytes[i]; k++)
                assert_int_equal(piece[i][k], i & 0xff);
        }
        arena_reset(&arena);
    }
    arena_fini(&arena);
    arena_fini(NULL);
}

static void test_reset_keeps_blocks(void **unused)
{
    struct arena arena;
    struct poor_alloc poor;
    (void)unused;
    poor_alloc_init(&poor);
    arena_init(&arena, 4096, &poor.hooks);
    long blocks = 0;
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 100; i++)
            assert_non_null(arena_alloc(&arena, 200, 8));
        assert_non_null(arena_alloc(&arena, 100000, 8));
        if (round == 0)
            blocks = poor.live_count;
        assert_int_equal(poor.live_count, blocks);
        arena_reset(&arena);
    }
    arena_fini(&arena);
    assert_int_equal(poor.live_count, 0);
    assert_int_equal(poor.live_bytes, 0);
}

static void test_no_memory(void **unused)
{
    struct arena arena;
    struct poor_alloc poor;
    (void)unused;
    poor_alloc_init(&poor);
    arena_init(&arena, 0, &poor.hooks);
    poor.left = 0;
    assert_null(arena_alloc(&arena, 1, 1));
    assert_null(arena_strdup(&arena, "text"));
    poor.left = -1;
    assert_null(arena_alloc(&arena, SIZE_MAX - 10, 16));
    assert_null(arena_alloc(&arena, SIZE_MAX / 2 - 1, 16));
    assert_string_equal(arena_strdup(&arena, "text"), "text");
    unsigned char *zeros = arena_alloc_zeroed(&arena, 100, 1);
    for (int i = 0; i < 100; i++)
        assert_int_equal(zeros[i], 0);
    assert_non_null(arena_alloc(&arena, 0, 1));
    arena_fini(&arena);
    assert_int_equal(poor.live_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_do_not_overlap),
        cmocka_unit_test(test_reset_keeps_blocks),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
