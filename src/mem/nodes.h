/* A set of memory nodes in one word.
 *
 * Nodes below NODES_SMALL are bits: pools of real devices never need more, and pay one test for it.
 * A set with a larger number in it (simulations) holds up to three numbers inside the word, in
 * order; a longer one points to a sorted list, and then has to be copied with nodes_copy() and
 * given back with nodes_clear(). Each set has one form, and 0 is the empty one. Without memory for
 * a list a set forgets its largest number that is not asked for: a replica that nobody knows of is
 * only copied again. Nodes: 0 .. NODES_MOST. Thread: one for each set.
 */
#ifndef FASTGPU_MEM_NODES_H
#define FASTGPU_MEM_NODES_H

#include <stdbool.h>
#include <stdint.h>

#define NODES_SMALL 63u
#define NODES_MOST 65534u
#define NODES_NONE UINT32_MAX

static inline bool nodes_are_bits(uint64_t set)
{
    return __builtin_expect((set >> 63) == 0, 1);
}

/* The slow halves: nodes.c. */
bool nodes_list_has(uint64_t set, uint32_t node);
void nodes_list_add(uint64_t *set, uint32_t node);
void nodes_list_remove(uint64_t *set, uint32_t node);
uint32_t nodes_list_next(uint64_t set, uint32_t from);
uint64_t nodes_list_copy(uint64_t set);
void nodes_list_clear(uint64_t set);
bool nodes_list_equal(uint64_t a, uint64_t b);

static inline bool nodes_has(uint64_t set, uint32_t node)
{
    if (nodes_are_bits(set))
        return node < NODES_SMALL && ((set >> node) & 1);
    return nodes_list_has(set, node);
}

static inline void nodes_add(uint64_t *set, uint32_t node)
{
    if (nodes_are_bits(*set) && node < NODES_SMALL)
        *set |= UINT64_C(1) << node;
    else
        nodes_list_add(set, node);
}

static inline void nodes_remove(uint64_t *set, uint32_t node)
{
    if (!nodes_are_bits(*set))
        nodes_list_remove(set, node);
    else if (node < NODES_SMALL)
        *set &= ~(UINT64_C(1) << node);
}

/* The first number that is at least `from`, NODES_NONE behind the last. */
static inline uint32_t nodes_next(uint64_t set, uint32_t from)
{
    if (!nodes_are_bits(set))
        return nodes_list_next(set, from);
    set = from < NODES_SMALL ? set >> from << from : 0;
    return set != 0 ? (uint32_t)__builtin_ctzll(set) : NODES_NONE;
}

static inline uint64_t nodes_copy(uint64_t set)
{
    return nodes_are_bits(set) ? set : nodes_list_copy(set);
}

/* It is empty afterwards. */
static inline void nodes_clear(uint64_t *set)
{
    if (!nodes_are_bits(*set))
        nodes_list_clear(*set);
    *set = 0;
}

static inline bool nodes_equal(uint64_t a, uint64_t b)
{
    return a == b || (!nodes_are_bits(a) && !nodes_are_bits(b) && nodes_list_equal(a, b));
}

static inline bool nodes_is_single(uint64_t set)
{
    if (nodes_are_bits(set))
        return set != 0 && (set & (set - 1)) == 0;
    uint32_t first = nodes_next(set, 0);
    return nodes_next(set, first + 1) == NODES_NONE;
}

/* Nobody but `node`. */
static inline bool nodes_is_only(uint64_t set, uint32_t node)
{
    return nodes_is_single(set) && nodes_has(set, node);
}

/* All of `a` are in `b`. */
static inline bool nodes_within(uint64_t a, uint64_t b)
{
    for (uint32_t n = nodes_next(a, 0); n != NODES_NONE; n = nodes_next(a, n + 1))
        if (!nodes_has(b, n))
            return false;
    return true;
}

#endif
