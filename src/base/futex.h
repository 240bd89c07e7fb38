/* Sleeping on a 32-bit word: Linux futex(2), private to the process, CLOCK_MONOTONIC.
 *
 * The building block of base/lock.h and base/doorbell.h; other code uses those. Thread: any; waits
 * block.
 */
#ifndef FASTGPU_BASE_FUTEX_H
#define FASTGPU_BASE_FUTEX_H

#include <stdint.h>

#define FUTEX_FOREVER UINT64_MAX

/* Sleeps while *addr == expected. timeout_ns < 0 waits for ever.
 * Returns 0 (woken, perhaps for nothing), -EAGAIN (*addr differs), -ETIMEDOUT or -EINTR. */
int futex_wait(_Atomic uint32_t *addr, uint32_t expected, int64_t timeout_ns);

/* The same until clock_now_ns() >= deadline_ns; FUTEX_FOREVER waits for ever. */
int futex_wait_until(_Atomic uint32_t *addr, uint32_t expected, uint64_t deadline_ns);

/* Wakes at most n sleepers; returns how many. */
int futex_wake(_Atomic uint32_t *addr, uint32_t n);

#endif
