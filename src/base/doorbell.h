/* Tells sleepers that something has progressed: a counter that can be slept on. Devices ring it,
 * drivers wait on it.
 *
 * One word: rings counted in the upper 31 bits, bit 0 says that somebody sleeps or is about to.
 * - ring adds 2. Only when it finds the bit set does it clear the bit and wake everybody.
 * - a waiter sets the bit by compare-and-swap from the count it has seen, then sleeps on the word
 * with the bit. No wake-up is lost, because all of it is in the modification order of one word:
 * take a ring R and a waiter W that did not see R. If R's addition comes before W's setting of the
 * bit, W's compare-and-swap fails and W returns. If it comes after, R finds the bit set, unless
 * another ring S cleared it in between; then S wakes everybody after clearing, and a W that was not
 * yet asleep does not fall asleep, since the kernel compares the whole word, count and bit.
 * Everything the ringer wrote before ringing is visible to whoever has seen the new count
 * (release/acquire; seq_cst is used so that a ringer may also read what a waiter wrote before
 * doorbell_wait). A ring with nobody asleep is one locked addition; a burst of rings makes one
 * system call. tests/unit/test_interleave.c explores this. Thread: any may ring, any number may
 * wait.
 */
#ifndef FASTGPU_BASE_DOORBELL_H
#define FASTGPU_BASE_DOORBELL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/atomic.h"

#define DOORBELL_FOREVER UINT64_MAX
#define DOORBELL_SLEEPS 1u /* bit 0 of the word */
#define DOORBELL_ONE 2u    /* one ring */

struct doorbell {
    _Atomic uint32_t word;
};

static inline void doorbell_init(struct doorbell *bell)
{
    atomic_store_relaxed_u32(&bell->word, 0);
}

void doorbell_wake(struct doorbell *bell);

/* Counts a ring but wakes nobody: for a ringer who knows that somebody awake will look at the
 * count. True when there are sleepers; doorbell_wake() is then what doorbell_ring() would have
 * done. */
static inline bool doorbell_count(struct doorbell *bell)
{
    return atomic_add_seqcst_u32(&bell->word, DOORBELL_ONE) & DOORBELL_SLEEPS;
}

static inline void doorbell_ring(struct doorbell *bell)
{
    uint32_t before = atomic_add_seqcst_u32(&bell->word, DOORBELL_ONE);
    if (__builtin_expect(before & DOORBELL_SLEEPS, 0))
        doorbell_wake(bell);
}

/* The count to hand to doorbell_wait. Read it first, then look for work, then wait. */
static inline uint32_t doorbell_read(const struct doorbell *bell)
{
    return atomic_load_seqcst_u32(&bell->word) >> 1;
}

/* Waits until the count differs from `seen`: spins for spin_ns (at most LIMITS_SPIN_NS), then
 * sleeps until clock_now_ns() >= deadline_ns; DOORBELL_FOREVER waits for ever. True when it rang,
 * false when the time is over. */
bool doorbell_wait(struct doorbell *bell, uint32_t seen, uint64_t spin_ns, uint64_t deadline_ns);

#endif
