/* Waiting in slices: see waiting.h. */
#include "cli/common/waiting.h"

#include <time.h>

#include "cli/common/figures.h"

#define WAITING_SLICE_NS UINT64_C(100000000)

bool waiting_is_stopped(const volatile sig_atomic_t *stop)
{
    return stop && *stop;
}

/* Nanoseconds of the next slice; 0 when it is time to give up. */
static uint64_t waiting_slice(uint64_t start_ns, uint64_t timeout_ns,
                              const volatile sig_atomic_t *stop)
{
    uint64_t passed_ns = figures_wall_ns() - start_ns;

    if (waiting_is_stopped(stop) || passed_ns >= timeout_ns)
        return 0;
    return timeout_ns - passed_ns < WAITING_SLICE_NS ? timeout_ns - passed_ns : WAITING_SLICE_NS;
}

fgpu_status waiting_task(fgpu_task task, uint64_t timeout_ns, const volatile sig_atomic_t *stop)
{
    uint64_t start_ns = figures_wall_ns(), slice_ns;
    fgpu_status status = FGPU_E_TIMEOUT;

    while (status == FGPU_E_TIMEOUT && (slice_ns = waiting_slice(start_ns, timeout_ns, stop)) > 0)
        status = fgpu_task_wait(task, slice_ns);
    return status;
}

fgpu_status waiting_pool(fgpu_pool pool, uint64_t timeout_ns, const volatile sig_atomic_t *stop)
{
    uint64_t start_ns = figures_wall_ns(), slice_ns;
    fgpu_status status = FGPU_E_TIMEOUT;

    while (status == FGPU_E_TIMEOUT && (slice_ns = waiting_slice(start_ns, timeout_ns, stop)) > 0)
        status = fgpu_pool_wait(pool, slice_ns);
    return status;
}

bool waiting_sleep(uint64_t ns, const volatile sig_atomic_t *stop)
{
    uint64_t start_ns = figures_wall_ns(), slice_ns;

    while ((slice_ns = waiting_slice(start_ns, ns, stop)) > 0) {
        struct timespec slice = {.tv_nsec = (long)slice_ns};
        (void)nanosleep(&slice, NULL);
    }
    return !waiting_is_stopped(stop);
}
