/* Handlers of pthread_atfork; see fork.h. */
#include "base/fork.h"

#include <pthread.h>

static struct lock *fork_locks[FORK_GUARDS];
static _Atomic uint32_t fork_guards;
static _Atomic uint32_t fork_forks;
static struct lock fork_lock; /* of adding guards; the first one guarded */
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void fork_prepare(void)
{
    lock_acquire(&fork_lock);
    for (uint32_t i = 0; i < atomic_load_relaxed_u32(&fork_guards); i++)
        lock_acquire(fork_locks[i]);
}

static void fork_over(void)
{
    for (uint32_t i = atomic_load_relaxed_u32(&fork_guards); i > 0; i--)
        lock_release(fork_locks[i - 1]);
    lock_release(&fork_lock);
}

static void fork_child(void)
{
    (void)atomic_add_relaxed_u32(&fork_forks, 1);
    fork_over();
}

static void fork_watch(void)
{
    (void)pthread_atfork(fork_prepare, fork_over, fork_child);
}

uint32_t fork_count(void)
{
    return atomic_load_relaxed_u32(&fork_forks);
}

void fork_guard(struct lock *lock)
{
    (void)pthread_once(&fork_once, fork_watch);
    lock_acquire(&fork_lock);
    uint32_t count = atomic_load_relaxed_u32(&fork_guards);
    FGPU_ASSERT(count < FORK_GUARDS);
    fork_locks[count] = lock;
    atomic_store_relaxed_u32(&fork_guards, count + 1);
    lock_release(&fork_lock);
}
