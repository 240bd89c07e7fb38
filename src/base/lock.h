/* A mutex of four bytes: spins for about 2 us, then sleeps.
 *
 * Three states (U. Drepper: Futexes are tricky, 2011, mutex 2): free, held, held with sleepers. For
 * short critical sections off the hot path (table growth, log lines, submission from several
 * threads). Not recursive, not fair. Acquire/release order, seen by ThreadSanitizer through the
 * atomics. Thread: any. The releaser must be the holder.
 */
#ifndef FASTGPU_BASE_LOCK_H
#define FASTGPU_BASE_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include "base/assert.h"
#include "base/atomic.h"

enum lock_state { LOCK_FREE = 0, LOCK_HELD = 1, LOCK_CONTENDED = 2 };

struct lock {
    _Atomic uint32_t state; /* enum lock_state; all zero is a free lock */
};

void lock_acquire_slow(struct lock *lock);
void lock_release_slow(struct lock *lock);

static inline void lock_init(struct lock *lock)
{
    atomic_store_relaxed_u32(&lock->state, LOCK_FREE);
}

static inline bool lock_try(struct lock *lock)
{
    uint32_t expected = LOCK_FREE;
    return atomic_cas_acqrel_u32(&lock->state, &expected, LOCK_HELD);
}

static inline void lock_acquire(struct lock *lock)
{
    if (__builtin_expect(!lock_try(lock), 0))
        lock_acquire_slow(lock);
}

static inline void lock_release(struct lock *lock)
{
    uint32_t before = atomic_exchange_acqrel_u32(&lock->state, LOCK_FREE);
    FGPU_DEBUG_ASSERT(before != LOCK_FREE);
    if (__builtin_expect(before == LOCK_CONTENDED, 0))
        lock_release_slow(lock);
}

/* For assertions only: somebody holds it. */
static inline bool lock_is_held(const struct lock *lock)
{
    return atomic_load_relaxed_u32(&lock->state) != LOCK_FREE;
}

#endif
