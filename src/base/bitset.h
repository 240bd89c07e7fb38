/* A set of small numbers that is walked in order without looking at every one: bits, and a bit for
 * each word of them that is not 0. Thread: one.
 */
#ifndef FASTGPU_BASE_BITSET_H
#define FASTGPU_BASE_BITSET_H

#include <stdbool.h>
#include <stdint.h>
#include "base/alloc.h"
#include "base/assert.h"

#define BITSET_END UINT32_MAX

struct bitset {
    uint64_t *words; /* then the bits over them */
    uint32_t word_count;
    const struct alloc_hooks *hooks; /* [borrow] */
};

static inline size_t bitset_bytes(uint32_t word_count)
{
    return (word_count + (word_count + 63) / 64) * sizeof(uint64_t);
}

/* For numbers below `limit`; empty. False without memory. */
static inline bool bitset_init(struct bitset *set, uint32_t limit, const struct alloc_hooks *hooks)
{
    *set = (struct bitset){.word_count = limit / 64 + 1, .hooks = hooks};
    set->words = (uint64_t *)alloc_get_zeroed(hooks, bitset_bytes(set->word_count), 64);
    return set->words != NULL;
}

static inline void bitset_fini(struct bitset *set)
{
    alloc_put(set->hooks, set->words, bitset_bytes(set->word_count));
    set->words = NULL;
}

static inline void bitset_add(struct bitset *set, uint32_t number)
{
    uint32_t word = number / 64;
    FGPU_DEBUG_ASSERT(word < set->word_count);
    set->words[word] |= UINT64_C(1) << (number % 64);
    set->words[set->word_count + word / 64] |= UINT64_C(1) << (word % 64);
}

static inline void bitset_remove(struct bitset *set, uint32_t number)
{
    uint32_t word = number / 64;
    set->words[word] &= ~(UINT64_C(1) << (number % 64));
    if (set->words[word] == 0)
        set->words[set->word_count + word / 64] &= ~(UINT64_C(1) << (word % 64));
}

static inline bool bitset_has(const struct bitset *set, uint32_t number)
{
    return (set->words[number / 64] >> (number % 64)) & 1;
}

static inline bool bitset_is_empty(const struct bitset *set)
{
    if (set->word_count == 1)
        return set->words[0] == 0;
    for (uint32_t top = 0; top < (set->word_count + 63) / 64; top++)
        if (set->words[set->word_count + top] != 0)
            return false;
    return true;
}

/* The first number that is at least `from`, BITSET_END behind the last. */
static inline uint32_t bitset_next(const struct bitset *set, uint32_t from)
{
    uint32_t word = from / 64;
    if (word >= set->word_count)
        return BITSET_END;
    uint64_t bits = set->words[word] >> (from % 64) << (from % 64);
    if (bits != 0)
        return word * 64 + (uint32_t)__builtin_ctzll(bits);
    if (++word >= set->word_count)
        return BITSET_END;
    uint32_t top = word / 64, tops = (set->word_count + 63) / 64;
    uint64_t over = set->words[set->word_count + top] >> (word % 64) << (word % 64);
    while (over == 0) {
        if (++top >= tops)
            return BITSET_END;
        over = set->words[set->word_count + top];
    }
    word = top * 64 + (uint32_t)__builtin_ctzll(over);
    return word * 64 + (uint32_t)__builtin_ctzll(set->words[word]);
}

#endif
