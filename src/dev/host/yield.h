/* Native functions that give way: running them, and guards that tell them to.
 *
 * Stands below the cpu and sim devices (launch). A guard is a flag that fgpu_should_yield() looks
 * at through a thread's pointer, and a map with a bit for each group that has run. Without a guard
 * the pointer stays at a flag that nobody sets, so a plain call costs nothing more; a function that
 * yields all the same is called again at once. Threads: a guard may be used by all at once.
 */
#ifndef FASTGPU_DEV_HOST_YIELD_H
#define FASTGPU_DEV_HOST_YIELD_H

#include <fastgpu/backend.h>
#include "base/atomic.h"
#include "base/limits.h"

/* The groups that a function is given at once under a guard take about so long, so that the flag is
 * looked at where the function does not. */
#define YIELD_CHUNK_NS 50000u

struct yield_guard {
    uint64_t groups;
    _Alignas(LIMITS_CACHE_LINE) _Atomic uint32_t stop;
    _Alignas(LIMITS_CACHE_LINE) _Atomic uint32_t done[]; /* bits */
};

/* The table's guard_* for devices that run native functions. FGPU_E_LIMIT, FGPU_E_NOMEM. */
fgpu_status yield_guard_open(void *device, uint64_t groups, fgpu_guard *guard);
void yield_guard_close(void *device, fgpu_guard guard);
void yield_guard_stop(void *device, fgpu_guard guard, uint32_t stop);
uint64_t yield_guard_left(void *device, fgpu_guard guard, uint64_t first, uint64_t count);

/* What follows a call that did not return 0: FGPU_OK when it yielded and the rest has run too. */
fgpu_status yield_again(fgpu_native_fn fn, void *user, fgpu_range range, void *const *args,
                        int returned);

/* Runs all groups of the range. FGPU_OK, FGPU_E_TASK. */
static inline fgpu_status yield_run(fgpu_native_fn fn, void *user, const fgpu_range *range,
                                    void *const *args)
{
    int returned = fn(range, args, user);

    return __builtin_expect(returned == 0, 1) ? FGPU_OK
                                              : yield_again(fn, user, *range, args, returned);
}

/* The guard of a launch, or NULL. */
static inline struct yield_guard *yield_guard_of(const fgpu_cmd_launch *launch)
{
    if (__builtin_expect(launch->part != FGPU_LAUNCH_SLICE, 1))
        return NULL;
    return (struct yield_guard *)(uintptr_t)((const fgpu_cmd_slice *)(const void *)launch)->guard;
}

/* Runs the groups of the range that the guard does not know as done, until it is told to stop.
 * FGPU_OK also then, FGPU_E_TASK. */
fgpu_status yield_run_guarded(fgpu_native_fn fn, void *user, const fgpu_range *range,
                              void *const *args, struct yield_guard *guard);

#endif
