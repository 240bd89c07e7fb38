/* Plans of moves (mem/heap_compact.h) on random heaps, carried out on a made-up memory.
 *
 * The memory knows what each granule of each slab holds. Demanded: a plan writes only where nothing
 * lies, moves nothing that must stay, moves at most what is allowed; in any order, and with copies
 * that fail, every block keeps its contents; what was planned for then has room, and the heap holds
 * no more than it may; where there is no plan, nothing has changed.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"
#include "lib/seed.h"
#include "mem/heap_compact.h"

#define GRANULE 256u
#define SLABS 1024u
#define SLAB_GRANULES 4096u /* 1 MiB */
#define BLOCKS 512u
#define STEPS 250u

struct slot {
    struct heap_block block;
    uint32_t tag; /* 0: the slot is empty */
    bool stays;
};

struct world {
    struct heap heap;
    struct heap_plan plan;
    struct rng rng;
    struct slot slots[BLOCKS];
    uint32_t next_tag, next_mem;
    uint64_t plans, moves, failures;
};

static struct world world;
static uint32_t memory[SLABS][SLAB_GRANULES]; /* tags */

static uint32_t *granules(const struct heap_block *block)
{
    assert_true(block->mem > 0 && block->mem < SLABS);
    assert_true((block->offset + block->bytes) / GRANULE <= SLAB_GRANULES);
    return &memory[block->mem][block->offset / GRANULE];
}

static bool holds(const struct heap_block *block, uint32_t tag)
{
    const uint32_t *at = granules(block);
    for (uint64_t i = 0; i < block->bytes / GRANULE; i++)
        if (at[i] != tag)
            return false;
    return true;
}

static void mark(const struct heap_block *block, uint32_t tag)
{
    uint32_t *at = granules(block);
    for (uint64_t i = 0; i < block->bytes / GRANULE; i++)
        at[i] = tag;
}

static struct slot *slot_of(uint32_t place)
{
    for (uint32_t i = 0; i < BLOCKS; i++)
        if (world.slots[i].tag != 0 && world.slots[i].block.place == place)
            return &world.slots[i];
    return NULL;
}

static bool may_move(void *user, uint32_t place)
{
    const struct slot *slot = slot_of(place);
    (void)user;
    assert_non_null(slot);
    return !slot->stays;
}

/* Everything where it was, and the heap in order. */
static void look(void)
{
    assert_null(heap_check(&world.heap));
    for (uint32_t i = 0; i < BLOCKS; i++)
        if (world.slots[i].tag != 0)
            assert_true(holds(&world.slots[i].block, world.slots[i].tag));
}

/* A block if there is room without a plan. */
static bool take(struct slot *slot, uint64_t bytes)
{
    uint64_t grow = 0, mem, freed;
    enum heap_answer answer;
    while ((answer = heap_alloc(&world.heap, bytes, &slot->block, &grow)) != HEAP_OK) {
        if (answer == HEAP_TRIM) {
            assert_true(heap_release_empty(&world.heap, 0, &mem, &freed));
        } else if (answer == HEAP_GROW) {
            assert_true(++world.next_mem < SLABS);
            assert_int_not_equal(heap_add_slab(&world.heap, world.next_mem, grow, true), HEAP_NONE);
        } else {
            return false;
        }
    }
    assert_true(holds(&slot->block, 0));
    slot->tag = ++world.next_tag;
    slot->stays = rng_below(&world.rng, 8) == 0;
    mark(&slot->block, slot->tag);
    return true;
}

static void give(struct slot *slot)
{
    mark(&slot->block, 0);
    heap_free(&world.heap, &slot->block);
    slot->tag = 0;
}

/* The copies in any order; one in ten fails where they may. True: none did. */
static bool carry_out(bool may_fail)
{
    struct vec *moves = &world.plan.moves;
    uint64_t moved = 0, failed = world.failures;
    for (size_t i = 0; i < moves->count; i++) { /* all targets at once: they touch nothing */
        const struct heap_move *move = vec_at(moves, i);
        assert_int_equal(move->from.bytes, move->to.bytes);
        assert_true(holds(&move->to, 0));
        mark(&move->to, UINT32_MAX);
        moved += move->from.bytes;
    }
    assert_int_equal(moved, world.plan.moved_bytes);
    while (moves->count > 0) {
        size_t i = (size_t)rng_below(&world.rng, moves->count);
        const struct heap_move move = *(struct heap_move *)vec_at(moves, i);
        struct slot *slot = slot_of(move.from.place);
        bool fails = may_fail && rng_below(&world.rng, 10) == 0;
        assert_true(slot != NULL && !slot->stays);
        mark(fails ? &move.to : &move.from, 0);
        heap_free(&world.heap, fails ? &move.to : &move.from);
        if (!fails) {
            mark(&move.to, slot->tag);
            slot->block = move.to;
        }
        world.failures += fails;
        world.moves++;
        vec_remove_swap(moves, i);
        look();
    }
    for (size_t i = 0; i < world.plan.held.count; i++)
        heap_free(&world.heap, vec_at(&world.plan.held, i));
    look();
    return world.failures == failed;
}

/* A block that did not fit: planned for, with limits now and then. */
static void make_room(struct slot *slot, uint64_t bytes)
{
    struct heap_compact_options options = {.may_move = may_move};
    struct heap_stats before, after;
    heap_get_stats(&world.heap, &before);
    if (rng_below(&world.rng, 4) == 0)
        options.most_bytes = 1 + rng_below(&world.rng, 200000);
    if (!heap_compact(&world.heap, bytes, &options, &world.plan)) {
        heap_get_stats(&world.heap, &after);
        assert_int_equal(before.used_bytes, after.used_bytes);
        assert_int_equal(before.blocks, after.blocks);
        assert_int_equal(before.holes, after.holes);
        assert_int_equal(before.largest_free_bytes, after.largest_free_bytes);
        look();
        return;
    }
    world.plans++;
    assert_true(options.most_bytes == 0 || world.plan.moved_bytes <= options.most_bytes);
    if (carry_out(rng_below(&world.rng, 4) == 0))
        assert_true(take(slot, bytes));
    assert_true(world.heap.total_bytes <= world.heap.limit_bytes);
}

static void run(uint64_t seed)
{
    memset(&world, 0, sizeof world);
    memset(memory, 0, sizeof memory);
    rng_init(&world.rng, seed);
    const struct heap_config config = {.limit_bytes =
                                           (UINT64_C(1) << 20) + rng_below(&world.rng, 2) * 777777,
                                       .slab_bytes = UINT64_C(32768) << rng_below(&world.rng, 5),
                                       .align_bytes = GRANULE};
    uint64_t largest = config.slab_bytes + rng_below(&world.rng, 2) * config.slab_bytes;
    heap_init(&world.heap, &config);
    heap_plan_init(&world.plan, NULL);
    for (uint32_t step = 0; step < STEPS; step++) {
        struct slot *slot = &world.slots[rng_below(&world.rng, BLOCKS)];
        uint64_t bytes = 4097 + (rng_below(&world.rng, 5) == 0 ? rng_below(&world.rng, largest)
                                                               : rng_below(&world.rng, 20000));
        if (slot->tag != 0)
            give(slot);
        else if (!take(slot, bytes))
            make_room(slot, bytes);
        if (rng_below(&world.rng, 3) == 0) {
            slot = &world.slots[rng_below(&world.rng, BLOCKS)];
            if (slot->tag != 0)
                give(slot);
        }
    }
    heap_plan_fini(&world.plan);
    heap_fini(&world.heap);
}

static void test_random(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(60), plans = 0, moves = 0, failures = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        seed_print("prop/test_heap_compact", seed);
        run(seed);
        plans += world.plans;
        moves += world.moves;
        failures += world.failures;
    }
    printf("%" PRIu64 " plans, %" PRIu64 " moves, %" PRIu64 " failed\n", plans, moves, failures);
    if (count >= 20)
        assert_true(plans > count && failures > 0); /* the test tests something */
}

/* Four blocks of a quarter in one slab; every other one goes. Half fits after one move, which goes
 * where it fits; and not at all when both that are left must stay. */
static bool stay_all(void *user, uint32_t place)
{
    (void)user;
    (void)place;
    return false;
}

static void test_quarters(void **state)
{
    (void)state;
    const uint64_t quarter = 65536;
    struct heap heap;
    struct heap_plan plan;
    struct heap_block blocks[4], block;
    uint64_t grow = 0;
    heap_init(&heap, &(struct heap_config){.limit_bytes = 4 * quarter, .slab_bytes = 4 * quarter});
    heap_plan_init(&plan, NULL);
    assert_int_equal(heap_alloc(&heap, quarter, &blocks[0], &grow), HEAP_GROW);
    assert_int_equal(heap_add_slab(&heap, 1, grow, true), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(heap_alloc(&heap, quarter, &blocks[i], &grow), HEAP_OK);
    heap_free(&heap, &blocks[0]);
    heap_free(&heap, &blocks[2]);
    assert_int_equal(heap_alloc(&heap, 2 * quarter, &block, &grow), HEAP_FULL);
    assert_false(heap_compact(&heap, 2 * quarter,
                              &(struct heap_compact_options){.may_move = stay_all}, &plan));
    assert_false(heap_compact(&heap, 2 * quarter,
                              &(struct heap_compact_options){.most_bytes = quarter - 1}, &plan));
    assert_false(heap_compact(&heap, 2 * quarter + 1, &(struct heap_compact_options){0}, &plan));
    assert_true(heap_compact(&heap, 2 * quarter, &(struct heap_compact_options){0}, &plan));
    assert_int_equal(plan.moves.count, 1);
    assert_int_equal(plan.moved_bytes, quarter);
    const struct heap_move *move = vec_at(&plan.moves, 0);
    assert_int_equal(move->from.offset, quarter);
    assert_int_equal(heap_alloc(&heap, quarter, &block, &grow), HEAP_FULL); /* nobody gets it */
    heap_free(&heap, &move->from);
    for (size_t i = 0; i < plan.held.count; i++)
        heap_free(&heap, vec_at(&plan.held, i));
    assert_int_equal(heap_alloc(&heap, 2 * quarter, &block, &grow), HEAP_OK);
    assert_null(heap_check(&heap));
    heap_plan_fini(&plan);
    heap_fini(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random),
                                       cmocka_unit_test(test_quarters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
