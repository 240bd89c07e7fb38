/* The heap's answers one by one, its statistics, and that its own check finds planted damage.
 * Random histories: tests/prop/test_heap.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/poor_alloc.h"
#include "mem/heap.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

static struct heap heap;

static void start(uint64_t limit, uint64_t slab, bool direct)
{
    heap_init(&heap,
              &(struct heap_config){.limit_bytes = limit, .slab_bytes = slab, .direct = direct});
}

static struct heap_stats stats(void)
{
    struct heap_stats s;
    heap_get_stats(&heap, &s);
    return s;
}

/* Allocates what has to fit without a new slab. */
static struct heap_block take(uint64_t bytes)
{
    struct heap_block block;
    uint64_t grow = 0;
    assert_int_equal(heap_alloc(&heap, bytes, &block, &grow), HEAP_OK);
    assert_null(heap_check(&heap));
    return block;
}

/* Allocates, with the slab that the heap asks for. */
static struct heap_block take_growing(uint64_t bytes, uint64_t expected_grow)
{
    static uint64_t next_mem = 100;
    struct heap_block block;
    uint64_t grow = 0;
    assert_int_equal(heap_alloc(&heap, bytes, &block, &grow), HEAP_GROW);
    assert_int_equal(grow, expected_grow);
    assert_int_equal(stats().pending_bytes, grow);
    assert_int_not_equal(heap_add_slab(&heap, next_mem++, grow, true), HEAP_NONE);
    assert_int_equal(stats().pending_bytes, 0);
    return take(bytes);
}

static enum heap_answer answer(uint64_t bytes)
{
    struct heap_block block;
    uint64_t grow = 0;
    return heap_alloc(&heap, bytes, &block, &grow);
}

static void give(struct heap_block block)
{
    heap_free(&heap, &block);
    assert_null(heap_check(&heap));
}

static bool release(uint64_t keep, uint64_t expected_bytes)
{
    uint64_t mem = 0, bytes = 0;
    if (!heap_release_empty(&heap, keep, &mem, &bytes))
        return false;
    assert_int_equal(bytes, expected_bytes);
    assert_null(heap_check(&heap));
    return true;
}

static void test_first_slab_and_sizes(void **state)
{
    (void)state;
    start(0, 0, false);
    assert_true(stats().limit_bytes == UINT64_MAX);
    struct heap_block a = take_growing(5000, 2 * MIB);
    assert_int_equal(a.offset, 0);
    assert_int_equal(a.bytes, 5120); /* 20 granules of 256 */
    struct heap_block b = take_growing(100 * MIB, 100 * MIB);
    assert_int_not_equal(b.mem, a.mem);
    assert_int_equal(stats().slabs, 2);
    assert_int_equal(stats().used_bytes, 5120 + 100 * MIB);
    give(a);
    give(b);
    assert_int_equal(stats().peak_bytes, 5120 + 100 * MIB);
    assert_int_equal(stats().empty_slabs, 2);
    heap_fini(&heap);
}

/* Slabs are a 256th of what is held, within bounds. */
static void test_slabs_grow_with_the_heap(void **state)
{
    (void)state;
    start(0, 0, false);
    (void)take_growing(1024 * MIB, 1024 * MIB);
    (void)take_growing(5000, 4 * MIB);
    (void)take_growing(64 * 1024 * MIB, 64 * 1024 * MIB);
    (void)take_growing(5 * MIB, 64 * MIB);
    heap_fini(&heap);
}

/* A block that needs a slab takes the heap above the most that it ever held only where no empty
 * slab stands about. */
static void test_empty_slabs_go_before_the_heap_grows(void **state)
{
    uint64_t mem, bytes;
    (void)state;
    start(0, MIB, false);
    struct heap_block kept = take_growing(MIB, MIB);
    struct heap_block first = take_growing(2 * MIB, 2 * MIB);
    struct heap_block second = take_growing(3 * MIB, 3 * MIB);
    give(first);
    give(second);
    assert_int_equal(answer(4 * MIB), HEAP_TRIM); /* 6 held, 6 at most so far */
    assert_true(heap_release_empty(&heap, 0, &mem, &bytes));
    assert_int_equal(bytes, 2 * MIB); /* empty for longest */
    assert_int_equal(answer(4 * MIB), HEAP_TRIM);
    assert_true(heap_release_empty(&heap, 0, &mem, &bytes));
    struct heap_block large = take_growing(4 * MIB, 4 * MIB);
    struct heap_block more = take_growing(3 * MIB, 3 * MIB); /* nothing is empty */
    give(more);
    give(large);
    give(kept);
    heap_fini(&heap);
}

static void test_best_fit_takes_the_smallest_hole_at_the_lowest_address(void **state)
{
    (void)state;
    start(MIB, MIB, false);
    struct heap_block hole8 = take_growing(8 * KIB, MIB);
    struct heap_block wall1 = take(8 * KIB);
    struct heap_block hole6 = take(6 * KIB);
    struct heap_block wall2 = take(8 * KIB);
    struct heap_block hole6b = take(6 * KIB);
    struct heap_block wall3 = take(8 * KIB);
    give(hole6b);
    give(hole8);
    give(hole6);
    assert_int_equal(stats().holes, 4);
    struct heap_block a = take(5 * KIB);
    assert_int_equal(a.offset, hole6.offset);
    struct heap_block b = take(6 * KIB);
    assert_int_equal(b.offset, hole6b.offset);
    struct heap_block c = take(7 * KIB);
    assert_int_equal(c.offset, hole8.offset);
    give(wall1);
    give(wall2);
    give(wall3);
    give(a);
    give(b);
    give(c);
    assert_int_equal(stats().holes, 1);
    assert_int_equal(stats().largest_free_bytes, MIB);
    heap_fini(&heap);
}

static bool take_at(uint64_t bytes, uint64_t offset, uint32_t near, struct heap_block *block)
{
    const struct heap_spot spot = {.slab = 0, .near = near, .offset = offset};
    bool got = heap_alloc_at(&heap, bytes, &spot, block);
    assert_null(heap_check(&heap));
    assert_true(!got || (block->offset == offset && block->bytes == bytes));
    return got;
}

static void test_a_block_goes_where_it_is_told(void **state)
{
    (void)state;
    struct heap_block low, middle, high, none;
    start(MIB, MIB, false);
    give(take_growing(8 * KIB, MIB));
    assert_true(take_at(16 * KIB, 32 * KIB, HEAP_NONE, &middle));
    assert_int_equal(stats().holes, 2);
    assert_false(take_at(8 * KIB, 40 * KIB, HEAP_NONE, &none));         /* in it, */
    assert_false(take_at(8 * KIB, 28 * KIB, HEAP_NONE, &none));         /* into it, */
    assert_false(take_at(8 * KIB, MIB - 4 * KIB, middle.place, &none)); /* beyond the end, */
    assert_false(take_at(8 * KIB, 2 * MIB, middle.place, &none));       /* all of it */
    assert_true(take_at(16 * KIB, 48 * KIB, middle.place, &high));      /* without a hole between */
    assert_true(take_at(32 * KIB, 0, high.place, &low)); /* a hint from above is none */
    assert_int_equal(stats().holes, 1);
    give(middle);
    assert_true(take_at(16 * KIB, 32 * KIB, low.place, &middle));
    give(low);
    give(high);
    give(middle);
    const struct heap_spot elsewhere = {.slab = 7, .near = HEAP_NONE};
    assert_false(heap_alloc_at(&heap, 8 * KIB, &elsewhere, &none));
    assert_int_equal(stats().holes, 1);
    heap_fini(&heap);
}

static void test_small_blocks_share_pages(void **state)
{
    (void)state;
    struct heap_block blocks[64];
    start(MIB, MIB, false);
    blocks[0] = take_growing(1, MIB);
    assert_int_equal(blocks[0].bytes, 256);
    for (int i = 1; i < 64; i++) {
        blocks[i] = take(1000); /* class 1024: 64 in a page */
        assert_int_equal(blocks[i].bytes, 1024);
        assert_int_equal(blocks[i].offset % 256, 0);
    }
    assert_int_equal(stats().blocks, 64);
    assert_int_equal(stats().used_bytes, 256 + 63 * 1024);
    assert_int_equal(stats().holes, 1);
    assert_int_equal(stats().largest_free_bytes, MIB - 2 * 64 * KIB);
    for (int i = 0; i < 64; i++)
        give(blocks[i]);
    /* An empty page of each class stays for the next one, until its memory is wanted. */
    assert_int_equal(stats().empty_slabs, 0);
    struct heap_block all = take(MIB);
    assert_int_equal(all.offset, 0);
    give(all);
    assert_true(release(0, MIB));
    assert_false(release(0, 0));
    heap_fini(&heap);
}

static void test_small_blocks_fall_back_to_holes(void **state)
{
    (void)state;
    start(64 * KIB, 64 * KIB, false);
    struct heap_block large = take_growing(60 * KIB, 64 * KIB);
    struct heap_block small = take(300); /* no room for a page */
    assert_int_equal(small.bytes, 512);
    assert_int_equal(answer(8 * KIB), HEAP_FULL);
    give(small);
    give(large);
    heap_fini(&heap);
}

static void test_one_slab_at_a_time(void **state)
{
    (void)state;
    uint64_t grow = 0;
    struct heap_block block;
    start(10 * MIB, 4 * MIB, false);
    assert_int_equal(heap_alloc(&heap, MIB, &block, &grow), HEAP_GROW);
    assert_int_equal(answer(MIB), HEAP_WAIT);
    assert_int_equal(heap_ask(&heap, 100), HEAP_WAIT);
    heap_add_slab(&heap, 1, grow, true);
    take(4 * MIB);
    take_growing(MIB, 4 * MIB);
    take(3 * MIB);
    take_growing(MIB, 2 * MIB); /* what is left of the limit */
    assert_int_equal(answer(2 * MIB), HEAP_FULL);
    assert_int_equal(answer(10 * MIB + 1), HEAP_NEVER);
    assert_int_equal(answer(UINT64_MAX), HEAP_NEVER);
    assert_int_equal(heap_ask(&heap, UINT64_MAX), HEAP_NEVER);
    assert_int_equal(heap_ask(&heap, 0), HEAP_OK); /* counts as 1 */
    assert_int_equal(take(0).bytes, 256);
    heap_fini(&heap);
}

static void test_empty_slabs_make_room_for_larger_ones(void **state)
{
    (void)state;
    start(4 * MIB, MIB, false);
    struct heap_block a = take_growing(MIB, MIB);
    struct heap_block b = take_growing(MIB, MIB);
    take_growing(MIB, MIB);
    give(b);
    give(a);
    assert_int_equal(answer(3 * MIB), HEAP_TRIM);
    assert_true(release(0, MIB));
    assert_int_equal(answer(3 * MIB), HEAP_TRIM);
    assert_true(release(0, MIB));
    take_growing(3 * MIB, 3 * MIB);
    heap_fini(&heap);
}

static void test_release_keeps_what_it_is_told_to_keep(void **state)
{
    (void)state;
    start(0, MIB, false);
    struct heap_block a = take_growing(MIB, MIB);
    struct heap_block b = take_growing(2 * MIB, 2 * MIB);
    uint64_t mem = 0, bytes = 0;
    uint32_t cursor = 0, walked = 0;
    while (heap_next_slab(&heap, &cursor, &mem, &bytes))
        walked += (uint32_t)(bytes / MIB);
    assert_int_equal(walked, 3);
    assert_false(heap_release_empty(&heap, 0, &mem, &bytes));
    give(b);
    give(a);
    assert_false(release(3 * MIB, 0));
    assert_true(release(MIB, 2 * MIB)); /* b's has been empty longer */
    assert_false(release(MIB, 0));
    assert_true(release(0, MIB));
    cursor = 0;
    assert_false(heap_next_slab(&heap, &cursor, &mem, &bytes));
    take_growing(1, MIB);
    heap_fini(&heap);
}

/* The device has 5 MiB although the limit says 100: the heap finds out and ends with an honest no.
 */
static void test_refusals_shrink_the_slabs(void **state)
{
    (void)state;
    uint64_t held = 0, grow = 0, device = 5 * MIB;
    struct heap_block block;
    enum heap_answer a = HEAP_OK;
    uint32_t refused = 0;
    start(100 * MIB, 64 * MIB, false);
    for (int i = 0; i < 100 && a != HEAP_FULL; i++) {
        a = heap_alloc(&heap, 512 * KIB, &block, &grow);
        if (a == HEAP_GROW && held + grow <= device) {
            heap_add_slab(&heap, (uint64_t)i, grow, true);
            held += grow;
        } else if (a == HEAP_GROW) {
            heap_refuse_slab(&heap, grow);
            refused++;
        }
    }
    assert_int_equal(a, HEAP_FULL);
    assert_in_range(held, device - 512 * KIB, device);
    assert_in_range(refused, 1, 20);
    assert_null(heap_check(&heap));
    heap_fini(&heap);

    start(0, MIB, false);
    do {
        a = heap_alloc(&heap, 100 * KIB, &block, &grow);
        if (a == HEAP_GROW)
            heap_refuse_slab(&heap, grow);
    } while (a == HEAP_GROW);
    assert_int_equal(a, HEAP_NEVER);
    assert_int_equal(heap_alloc(&heap, 100 * KIB, &block, &grow),
                     HEAP_GROW); /* tries again later */
    heap_fini(&heap);
}

static void test_direct_slabs_are_reused_within_an_eighth(void **state)
{
    (void)state;
    start(2 * MIB, 0, true);
    struct heap_block a = take_growing(900 * KIB, 900 * KIB);
    struct heap_block b = take_growing(100, 256);
    assert_int_equal(a.offset, 0);
    assert_int_equal(b.offset, 0);
    give(a);
    struct heap_block c = take(800 * KIB); /* exactly 12.5 % larger */
    assert_int_equal(c.mem, a.mem);
    assert_int_equal(c.bytes, 900 * KIB);
    give(c);
    struct heap_block d = take_growing(799 * KIB, 799 * KIB);
    assert_int_equal(answer(500 * KIB), HEAP_TRIM);
    assert_true(release(0, 900 * KIB));
    take_growing(500 * KIB, 500 * KIB);
    assert_int_equal(answer(2 * MIB), HEAP_FULL);
    give(b);
    give(d);
    heap_fini(&heap);
}

static void test_statistics_tell_fragmentation(void **state)
{
    (void)state;
    struct heap_block blocks[16];
    start(MIB, MIB, false);
    blocks[0] = take_growing(64 * KIB, MIB);
    assert_true(stats().fragmentation == 0.0);
    for (int i = 1; i < 16; i++)
        blocks[i] = take(64 * KIB);
    assert_true(stats().fragmentation == 0.0 && stats().free_bytes == 0);
    for (int i = 0; i < 16; i += 2)
        give(blocks[i]);
    assert_int_equal(stats().free_bytes, MIB / 2);
    assert_int_equal(stats().holes, 8);
    assert_true(stats().fragmentation == 0.875);
    assert_int_equal(answer(65 * KIB), HEAP_FULL);
    heap_fini(&heap);
}

static void test_no_allocation_after_warm_up(void **state)
{
    (void)state;
    struct heap_block blocks[300];
    start(0, 8 * MIB, false);
    uint64_t before = 0;
    for (int round = 0; round < 3; round++) {
        before = alloc_count();
        for (uint64_t i = 0; i < 300; i++) {
            uint64_t grow = 0, bytes = 1 + i * i * 7 % 60000;
            while (heap_alloc(&heap, bytes, &blocks[i], &grow) == HEAP_GROW)
                heap_add_slab(&heap, i, grow, true);
        }
        for (int i = 0; i < 300; i++)
            heap_free(&heap, &blocks[i * 7 % 300]);
    }
    assert_int_equal(alloc_count(), before);
    heap_fini(&heap);
}

static void test_out_of_host_memory_changes_nothing(void **state)
{
    (void)state;
    struct poor_alloc poor;
    for (long left = 0; left < 8; left++) {
        struct heap_block block;
        uint64_t grow = 0;
        poor_alloc_init(&poor);
        heap_init(&heap, &(struct heap_config){.slab_bytes = MIB, .hooks = &poor.hooks});
        poor.left = left;
        for (int i = 0; i < 200; i++) {
            enum heap_answer a = heap_alloc(&heap, (uint64_t)(1 + i * 300), &block, &grow);
            if (a == HEAP_GROW && heap_add_slab(&heap, 1, grow, true) == HEAP_NONE)
                poor.left = 1;
            else if (a == HEAP_NOMEM)
                poor.left = 1;
            assert_null(heap_check(&heap));
        }
        heap_fini(&heap);
        assert_int_equal(poor.live_count, 0);
    }
}

static void test_fini_accepts_nothing(void **state)
{
    (void)state;
    static struct heap zero;
    heap_fini(NULL);
    heap_fini(&zero);
}

/* Does it end in an assertion? In a child of its own. */
static bool dies(void (*fn)(void))
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        if (freopen("/dev/null", "w", stderr) != NULL)
            fn();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static struct heap_block victim;

static void free_twice(void)
{
    heap_free(&heap, &victim);
    heap_free(&heap, &victim);
}

static void free_shifted(void)
{
    victim.offset += 256;
    heap_free(&heap, &victim);
}

static void test_wrong_frees_are_noticed(void **state)
{
    (void)state;
    start(MIB, MIB, false);
    victim = take_growing(100 * KIB, MIB);
    take(10 * KIB);
    assert_true(dies(free_twice));
    assert_true(dies(free_shifted));
    victim = take(3000);
    take(3000);
    assert_true(dies(free_twice));
    assert_true(dies(free_shifted));
    heap_fini(&heap);
}

static void test_the_check_finds_damage(void **state)
{
    (void)state;
    start(MIB, MIB, false);
    struct heap_block a = take_growing(100 * KIB, MIB);
    struct heap_block b = take(10 * KIB);
    struct heap_block small = take(100);
    give(a);
#define DAMAGE(place, value)                                                                       \
    do {                                                                                           \
        __typeof__(place) kept = (place);                                                          \
        (place) = (value);                                                                         \
        assert_non_null(heap_check(&heap));                                                        \
        (place) = kept;                                                                            \
        assert_null(heap_check(&heap));                                                            \
    } while (0)
    struct heap_slab *slab = (struct heap_slab *)heap.slabs.items;
    struct cells_page *page = cells_at(&heap.cells, small.place & 0x7fffffff);
    DAMAGE(bins_at(&heap.bins, b.place)->offset, 100 * KIB - 256);
    DAMAGE(bins_at(&heap.bins, b.place)->state, BINS_FREE);
    DAMAGE(bins_at(&heap.bins, b.place)->bytes, 11 * KIB);
    DAMAGE(bins_at(&heap.bins, a.place)->bytes, 50 * KIB);
    DAMAGE(bins_at(&heap.bins, page->range)->page, 77);
    DAMAGE(heap.bins.filled[1], heap.bins.filled[1] ^ 2);
    DAMAGE(heap.bins.summary, 0);
    DAMAGE(heap.bins.free_count, 7);
    DAMAGE(page->free[0], page->free[0] ^ 4);
    DAMAGE(page->summary, 0);
    DAMAGE(heap.cells.room[page->class_index], CELLS_NONE);
    DAMAGE(slab->taken_bytes, 0);
    DAMAGE(heap.used_bytes, 1);
    DAMAGE(heap.block_count, 3);
    DAMAGE(heap.total_bytes, 2 * MIB);
    DAMAGE(heap.empty_count, 1);
    DAMAGE(heap.empty_oldest, 0);
#undef DAMAGE
    heap_fini(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_slab_and_sizes),
        cmocka_unit_test(test_slabs_grow_with_the_heap),
        cmocka_unit_test(test_empty_slabs_go_before_the_heap_grows),
        cmocka_unit_test(test_best_fit_takes_the_smallest_hole_at_the_lowest_address),
        cmocka_unit_test(test_a_block_goes_where_it_is_told),
        cmocka_unit_test(test_small_blocks_share_pages),
        cmocka_unit_test(test_small_blocks_fall_back_to_holes),
        cmocka_unit_test(test_one_slab_at_a_time),
        cmocka_unit_test(test_empty_slabs_make_room_for_larger_ones),
        cmocka_unit_test(test_release_keeps_what_it_is_told_to_keep),
        cmocka_unit_test(test_refusals_shrink_the_slabs),
        cmocka_unit_test(test_direct_slabs_are_reused_within_an_eighth),
        cmocka_unit_test(test_statistics_tell_fragmentation),
        cmocka_unit_test(test_no_allocation_after_warm_up),
        cmocka_unit_test(test_out_of_host_memory_changes_nothing),
        cmocka_unit_test(test_fini_accepts_nothing),
        cmocka_unit_test(test_wrong_frees_are_noticed),
        cmocka_unit_test(test_the_check_finds_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
