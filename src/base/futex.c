/* futex(2) with absolute monotonic deadlines. See base/futex.h. */
#include "base/futex.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"

int futex_wait_until(_Atomic uint32_t *addr, uint32_t expected, uint64_t deadline_ns)
{
    struct timespec deadline, *at = NULL;
    if (deadline_ns != FUTEX_FOREVER) {
        deadline.tv_sec = (time_t)(deadline_ns / UINT64_C(1000000000));
        deadline.tv_nsec = (long)(deadline_ns % UINT64_C(1000000000));
        at = &deadline;
    }
    /* FUTEX_WAIT_BITSET is the one that takes an absolute time, of CLOCK_MONOTONIC. */
    long rc = syscall(SYS_futex, addr, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected, at, NULL,
                      FUTEX_BITSET_MATCH_ANY);
    return rc == 0 ? 0 : -errno;
}

int futex_wait(_Atomic uint32_t *addr, uint32_t expected, int64_t timeout_ns)
{
    if (timeout_ns < 0)
        return futex_wait_until(addr, expected, FUTEX_FOREVER);
    return futex_wait_until(addr, expected, clock_now_ns() + (uint64_t)timeout_ns);
}

int futex_wake(_Atomic uint32_t *addr, uint32_t n)
{
    long rc = syscall(SYS_futex, addr, FUTEX_WAKE | FUTEX_PRIVATE_FLAG,
                      n > (uint32_t)INT_MAX ? INT_MAX : (int)n, NULL, NULL, 0);
    return rc >= 0 ? (int)rc : -errno;
}
