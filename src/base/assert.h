/* Assertions for our own bugs; the world's failures are statuses (base/error.h).
 *
 * FGPU_ASSERT is always on, FGPU_DEBUG_ASSERT only in builds that define FGPU_DEBUG_CHECKS. A
 * failure prints expression, file and line to stderr, calls the registered dump hooks (a pool
 * registers one that prints its last trace events) and aborts. Thread: any. A second failure while
 * the hooks run aborts at once.
 */
#ifndef FASTGPU_BASE_ASSERT_H
#define FASTGPU_BASE_ASSERT_H

#include <stdbool.h>

#define FGPU_ASSERT(cond)                                                                          \
    (__builtin_expect(!!(cond), 1) ? (void)0 : assert_fail(#cond, __FILE__, __LINE__))

#ifdef FGPU_DEBUG_CHECKS
#define FGPU_DEBUG_ASSERT(cond) FGPU_ASSERT(cond)
#else
#define FGPU_DEBUG_ASSERT(cond) ((void)sizeof(!(cond)))
#endif

#define FGPU_UNREACHABLE() assert_fail("unreachable", __FILE__, __LINE__)

_Noreturn void assert_fail(const char *expr, const char *file, int line) __attribute__((cold));

/* Adds a dump hook; false when all LIMITS_ASSERT_HOOKS places are taken. Setting the same pair
 * twice keeps one. */
bool assert_hook_set(void (*fn)(void *user), void *user);

/* Removes the hook again; a pair that is not set is ignored. */
void assert_hook_clear(void (*fn)(void *user), void *user);

#endif
