/* The slow paths of the mutex. See base/lock.h. */
#include "base/lock.h"

#include "base/clock.h"
#include "base/futex.h"
#include "base/limits.h"

/* True when the lock was taken while spinning. */
static bool lock_spin(struct lock *lock)
{
    uint64_t until_ns = clock_now_ns() + LIMITS_LOCK_SPIN_NS;
    do {
        for (int i = 0; i < 16; i++) {
            uint32_t state = atomic_load_relaxed_u32(&lock->state);
            if (state == LOCK_FREE && lock_try(lock))
                return true;
            if (state == LOCK_CONTENDED)
                return false;
            atomic_pause();
        }
    } while (clock_now_ns() < until_ns);
    return false;
}

void lock_acquire_slow(struct lock *lock)
{
    if (lock_spin(lock))
        return;
    /* From here on we hold it as contended: there may be other sleepers, and the releaser must
     * look. */
    while (atomic_exchange_acqrel_u32(&lock->state, LOCK_CONTENDED) != LOCK_FREE)
        futex_wait_until(&lock->state, LOCK_CONTENDED, FUTEX_FOREVER);
}

void lock_release_slow(struct lock *lock)
{
    futex_wake(&lock->state, 1);
}
